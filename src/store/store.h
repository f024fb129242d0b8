/* SPDX-License-Identifier: MIT */
/*
 * The store of one node: rows in memory (table.h), in the log (log.h), and in the ordered tier
 * (tier.h). All calls on the core thread. A changed row goes to the log's batch and into memory;
 * when a generation of changed rows is large enough it is sealed: sorted and ingested into the tier
 * in the background. Reading is a look into memory, then the tier. What is only in memory as a copy
 * of the tier is a cache.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buffer.h"
#include "base/status.h"
#include "row/dot.h"
#include "row/row_key.h"
#include "store/files.h"
#include "store/log.h"
#include "store/tier.h"
#include "store/workers.h"

struct store;

enum {
    DATABASES_MAX = 256,
    STORE_SEAL_BYTES = 64 * 1024 * 1024, /* default of seal_bytes */
};

/* What maxmemory-policy other than noeviction evicts, for good. */
enum eviction_policy {
    EVICT_NOTHING,
    EVICT_ALLKEYS_LRU,
    EVICT_ALLKEYS_LFU,
    EVICT_ALLKEYS_RANDOM,
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
};

struct store_options {
    struct files *files; /* of the data directory; borrowed, as tier and workers */
    struct tier *tier;
    struct workers *workers;
    uint64_t random48; /* for a new node's number, or an epoch's */
    uint64_t random_seed;
    uint64_t now_ms;
    unsigned databases;
    enum log_sync sync;
    uint64_t seal_bytes; /* dirty rows of one generation */
    uint64_t rows_bytes; /* budget for rows in memory, dirty ones included */
    enum eviction_policy eviction;
    uint64_t (*monotonic_ns)(void *context); /* for store_take_delays; NULL: they are 0 */
    void *clock_context;
    bool recount; /* --salvage: the tier's record of its counts is not to be believed */
};

struct store_recovery {
    struct log_recovery log;
    bool new_directory;
    bool was_clean;
};

/*
 * Opens the data directory: locks it, takes an identity, replays the log. Errors as of
 * identity_take and log_open, with a reason in out_error; STATUS_LOCKED.
 */
MUST_CHECK enum status store_open(const struct store_options *options, struct store **out,
                                  struct store_recovery *out_recovery, struct buffer *out_error);

/* A clean stop: seals nothing, syncs the log, marks the identity clean. Drains the workers. Frees
 * the store. STATUS_DISK_FULL: all is durable but that mark; the next start takes a new epoch. */
MUST_CHECK enum status store_close(struct store *store);

/* A stop as by kill -9, for tests: frees memory, writes nothing. The workers are drained before. */
void store_abandon(struct store *store);

/* The end of a turn: the batch is written. An error is final: the process must end. */
MUST_CHECK enum status store_turn_end(struct store *store, uint64_t now_ms);

/* Periodic work, bounded per call: expiry, eviction, purging, sealing, syncing. When to call next:
 * store_deadline. */
void store_tick(struct store *store, uint64_t now_ms);
uint64_t store_deadline_ms(const struct store *store);

/* Whether what a reply waits for (txn.gate) is as durable as appendfsync says. */
bool store_gate_passed(const struct store *store, uint64_t gate);

/* False while writes are to wait (STATUS_THROTTLED). */
bool store_has_room(const struct store *store);

/* Requests for these keys come next: begins to bring near what memory holds of them. Changes
 * nothing, whether there are such keys or not. */
enum { STORE_EXPECTED_MAX = 16 };
void store_expect(const struct store *store, const struct bytes *keys, size_t count);

/* A failure after which the process must end (STATUS_OK: none). */
enum status store_failure(const struct store *store);

/* Whether writes are refused because the disk is full. */
bool store_disk_full(const struct store *store);

/* ---- settings that may change at run time ---------------------------------------------------- */

void store_set_sync(struct store *store, enum log_sync sync);
void store_set_rows_bytes(struct store *store, uint64_t bytes);
void store_set_eviction(struct store *store, enum eviction_policy policy);
/* How the counter of OBJECT FREQ grows and goes down: Redis's lfu-log-factor and lfu-decay-time. */
void store_set_lfu(struct store *store, unsigned log_factor, unsigned decay_minutes);
void store_set_active_expiry(struct store *store, bool active);
/* While paused nothing changes by itself: no key is removed because its time is over, or to make
 * room. Those whose time is over are hidden all the same. */
void store_set_paused(struct store *store, bool paused);

/* Seals what is dirty now and waits for it (SAVE, tests). */
MUST_CHECK enum status store_seal_now(struct store *store);

/* Begins to, at the end of this turn, or when the seal under way has ended (BGSAVE). */
void store_seal_soon(struct store *store);

/* Drops from memory all rows that the tier holds as well: they are read from it when they are asked
 * for (DEBUG RELOAD, tests). */
void store_forget(struct store *store);

/* ---- databases ------------------------------------------------------------------------------- */

/*
 * Which of the store's databases is the one that clients call `index`: below options.databases,
 * both. What the store is told elsewhere (in names of rows, txn_scan, txn_flush, the counts below)
 * is its own number: no row moves when SWAPDB exchanges what two numbers mean.
 */
uint8_t store_database(const struct store *store, uint8_t index);

/* SWAPDB: durable when it returns. On an error nothing has changed. */
MUST_CHECK enum status store_swap_databases(struct store *store, uint8_t a, uint8_t b);

/* ---- facts ----------------------------------------------------------------------------------- */

/* Keys of a database, dead ones not counted; expired ones are, until purged, as in Redis. Constant
 * time. */
uint64_t store_keys(const struct store *store, uint8_t db);
uint64_t store_keys_with_expiry(const struct store *store, uint8_t db);
uint64_t store_slot_keys(const struct store *store, uint16_t slot, uint8_t db);

/* The slot of the `rank`th key, below store_keys: for a draw that is fair to all keys. */
uint16_t store_slot_at(const struct store *store, uint8_t db, uint64_t rank);

/* How long the keys of a database that expire have still to live, on average, in milliseconds:
 * guessed from some that are in memory. 0: there are none. Bounded time. */
uint64_t store_average_ttl(struct store *store, uint8_t db, uint64_t now_ms);

/* Bytes of memory that a row takes or, when it has been read, would take. */
uint64_t store_row_bytes(size_t name_size, size_t row_size);

uint64_t store_node(const struct store *store); /* 48 bits */
uint16_t store_epoch(const struct store *store);

struct store_stats {
    uint64_t rows;         /* in memory */
    uint64_t rows_bytes;   /* they take, with their overhead */
    uint64_t table_bytes;  /* of these: the buckets that lead to them */
    uint64_t doomed_bytes; /* of these: deleted, waiting for their seal */
    uint64_t garbage_rows; /* deleted and sealed, to be freed little by little */
    uint64_t dirty_rows;
    uint64_t dirty_bytes;
    uint64_t hits, misses;    /* rows asked for: found in memory, or not */
    uint64_t cold_reads;      /* rows read on a storage thread */
    uint64_t blocking_reads;  /* after TXN_RUNS_MAX runs */
    uint64_t cache_evictions; /* clean rows dropped from memory */
    uint64_t evicted_keys;    /* for good, by maxmemory-policy */
    uint64_t expired_keys;
    uint64_t epochs_taken; /* since peers have shown what this node has forgotten (rule 1) */
    uint64_t seals, seal_failures;
    uint64_t sealed_rows, sealed_bytes;
    uint64_t sealing;      /* 1 while a seal is under way, or asked for */
    uint64_t changes;      /* of keys by clients, not yet sealed, since the store was opened */
    uint64_t sealed_ms;    /* when the last seal ended; when the store was opened, without one */
    uint64_t seal_ms;      /* how long the one under way has taken, or the last one took */
    bool seal_failed;      /* the last try */
    uint64_t log_bytes;    /* of segments on disk */
    uint64_t log_buffered; /* of this turn's batch */
    uint64_t log_position, log_synced;
    struct tier_stats tier;
};
void store_stats(const struct store *store, struct store_stats *out);

/* What kept the core thread: of each the longest since they were last taken, in nanoseconds. Only
 * measured while somebody wants it. */
struct store_delays {
    uint64_t expiry_ns;    /* removing expired keys, in one tick */
    uint64_t eviction_ns;  /* making room, in one turn or tick */
    uint64_t log_write_ns; /* a turn's batch */
};
void store_want_delays(struct store *store, bool wanted);
struct store_delays store_take_delays(struct store *store);

/* ---- before opening -------------------------------------------------------------------------- */

/* Whether a store has ever been opened in this directory: what is missing is then damage, and not a
 * beginning. */
MUST_CHECK enum status store_was_here(struct files *files, bool *out_was_here);

/*
 * Whether tier and log fit together. To be asked with a tier that was opened for reading only: who
 * opens an older state of it for writing lets RocksDB remove the newer tables, which may be all
 * that is left. STATUS_CORRUPT, STATUS_VERSION, STATUS_IO with a reason in out_error.
 */
MUST_CHECK enum status store_check_fit(struct files *files, struct tier *tier,
                                       struct buffer *out_error);

/* ---- offline --------------------------------------------------------------------------------- */

/* `shoal-server --check`: verifies identity, log and tier, changes nothing. Findings as lines of
 * text. STATUS_CORRUPT if any. A NULL tier could not be opened, and the caller has said why. */
MUST_CHECK enum status store_check(struct files *files, struct tier *tier,
                                   struct buffer *out_report);

/*
 * `shoal-server --salvage`: takes every whole record of a damaged directory's log into this store,
 * which was opened on what could be saved of its tier, and seals. What could not be read is said in
 * the report.
 */
MUST_CHECK enum status store_salvage(struct store *store, struct files *damaged,
                                     struct buffer *out_report);

#endif
