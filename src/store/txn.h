/* SPDX-License-Identifier: MIT */
/*
 * A store transaction: one run of a command's handler. It reads rows, stages changed rows, and
 * commits them together, synchronously, on the core thread; between begin and commit nothing else
 * happens to the store. A row that is not in memory gives STATUS_COLD: the handler returns at once
 * (its effects are dropped), all that it missed is read together on a storage thread, and it runs
 * again from the start. So a handler that needs several rows asks for all of them (txn_want) before
 * it gives up on the first.
 */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "base/arena.h"
#include "base/status.h"
#include "row/row.h"
#include "row/row_key.h"

struct store;
struct fetch;

/* A row that commit will store. */
struct txn_row {
    struct bytes name;
    struct bytes row; /* size 0: not after all */
    /* Of a head that names chunks, see txn_stage_onto: what was held before; size 0: nothing. */
    struct bytes ground;
};

struct txn {
    struct store *store;
    struct arena *arena;    /* the request's: holds all that the transaction builds */
    uint64_t now_ms;        /* wall time, the same throughout */
    struct txn_row *staged; /* in the arena */
    uint32_t staged_count, staged_room;
    uint32_t *index; /* of staged by name, once they are many: places + 1, by open addressing */
    uint32_t index_room;
    struct fetch
        *fetch; /* what was missed and, on a later run, what was read; NULL if nothing ever */
    bool flush; /* txn_flush was called, for this database, negative: for all */
    int flush_db;
    struct dot flush_dot;
    uint64_t gate; /* log position that the reply must wait for */
    unsigned run; /* 1 on the first run; from TXN_RUNS_MAX on, reads block instead of STATUS_COLD */
    bool cold;    /* this run has missed something */
    bool no_touch; /* what it looks at counts as not accessed: for who drives it, or TYPE, to say */
    const struct txn_accessed *accessed; /* by txn_set_access; NULL: was not called */
    const struct dead_actors *dead;      /* by txn_set_dead; NULL: none */
};

enum { TXN_RUNS_MAX = 8 };

/* ---- the life of a transaction: what drives commands ----------------------------------------- */

void txn_init(struct txn *txn, struct store *store, struct arena *arena);

/* Begins a run. All that an earlier run built in the arena may have been cleared; what was fetched
 * is kept. */
void txn_begin(struct txn *txn, uint64_t now_ms);

/*
 * Below a run's begin: these actors have ended before it, so all that they did came before what it
 * does. Its plain writes count as having seen it, also what is in nobody's rows but their own: it
 * is superseded wherever it may come from. The struct stays as long as the run.
 */
void txn_set_dead(struct txn *txn, const struct dead_actors *dead);

/* Reads what the run missed on a storage thread, then calls `ready` on the core thread. After
 * STATUS_COLD only. */
void txn_fetch(struct txn *txn, void (*ready)(void *context), void *context);

/* Forgets the transaction: unpins what was fetched; a fetch under way is abandoned (its `ready` is
 * not called). */
void txn_end(struct txn *txn);

/*
 * Stores what is staged, as one: into the log's batch of this turn and into memory. On an error
 * nothing is changed: STATUS_DISK_FULL, STATUS_OUT_OF_MEMORY, STATUS_THROTTLED (run again when
 * store_has_room); what keeps the tier from taking rows, STATUS_IO or STATUS_CORRUPT. Nothing
 * staged: STATUS_OK.
 */
MUST_CHECK enum status txn_commit(struct txn *txn);

/* Whether it has staged rows, or has just committed some. */
static inline bool txn_changes(const struct txn *txn)
{
    for (uint32_t i = 0; i < txn->staged_count; i++)
        if (txn->staged[i].row.size > 0)
            return true;
    return false;
}

/* ---- what handlers and types call ------------------------------------------------------------ */

/*
 * The row of that name as this transaction sees it: staged, else held. Valid until the transaction
 * ends or stages the same name again. STATUS_OK; STATUS_ABSENT; STATUS_COLD; STATUS_IO,
 * STATUS_CORRUPT. A tombstone is a row: STATUS_OK.
 */
MUST_CHECK enum status txn_get(struct txn *txn, struct bytes name, struct bytes *out_row);

/* Says that the row will be asked for, so that misses are fetched together. */
void txn_want(struct txn *txn, struct bytes name);

/* Stages a row: its name and bytes live in the arena or longer. The name was txn_get's before in
 * this run, unless it is a ROW_CLEARED, or a chunk under a base that was drawn in this run: of
 * those the store holds none, and it need not look. The row covers all that the held one does: it
 * was made from it. */
void txn_stage(struct txn *txn, struct bytes name, struct bytes row);

/* A head row that names chunks: whoever is sent it needs those that were written before this
 * transaction too, and has them if it has seen what this node held then (store/import.h). The bytes
 * of `held` are copied. */
void txn_stage_onto(struct txn *txn, struct bytes name, struct bytes row, struct bytes held);

/* The dot of a new event on a row whose newest time is `newest` (row_newest_time; 0 for a new row).
 */
struct dot txn_dot(struct txn *txn, uint64_t newest);

/* What every vector covers anyway: for row_canonical and row_merge. NULL: nothing. */
const struct vector *txn_stable(const struct txn *txn);

/* Whether other nodes have copies of these rows (store_join). */
bool txn_is_joined(const struct txn *txn);

/* The head of that name, which txn_get has just found, has expired at txn.now_ms: it may be removed
 * when this command has ended well. */
void txn_saw_expired(struct txn *txn, struct bytes name);

/* What is known of earlier accesses to a row: for OBJECT. */
struct txn_access {
    bool counts;        /* the eviction policy is LFU: there is a frequency, else an idle time */
    uint64_t idle_s;    /* seconds since the last access */
    unsigned frequency; /* 0 to 255, logarithmic */
};

/* Of a row that txn_get has just found. It looked at it: only with txn.no_touch it is as before. */
struct txn_access txn_access(const struct txn *txn, struct bytes name);

/* The staged row of that name is to be as if last accessed so long ago, or so often: what the
 * eviction policy asks for; a negative one is not known. One row in a transaction. */
void txn_set_access(struct txn *txn, struct bytes name, int64_t idle_s, int frequency);

/* One head in a scan; borrowed, valid until the transaction ends. */
struct scan_row {
    struct bytes key;
    struct bytes row;
    struct bytes name;
};

struct scan_page {
    struct scan_row *rows;
    size_t count;
    bool done;          /* the (slot, db) has no heads after these */
    uint64_t next_hash; /* where to go on, if not done */
};

/*
 * Heads of a (slot, db) in the order of hash, from `hash` on: tombstones and rows expired by now_ms
 * are left out. At least `limit` heads are looked at, if there are so many; heads of equal hash are
 * never parted by a page. STATUS_COLD as above; what was not in memory stays out of it (a scan does
 * not fill the cache).
 */
MUST_CHECK enum status txn_scan(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash,
                                size_t limit, struct scan_page *out);

/* The same with tombstones and what has expired: for other copies. */
MUST_CHECK enum status txn_scan_all(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash,
                                    size_t limit, struct scan_page *out);

/* Keys of a (slot, db), as store_slot_keys says; the reply waits for what made them so many: also
 * where there are none to be scanned. */
uint64_t txn_slot_keys(struct txn *txn, uint16_t slot, uint8_t db);

/* Keys of a database, as store_keys says; the reply waits for all changes so far. */
uint64_t txn_keys(struct txn *txn, uint8_t db);

/* Flushes a database, or all of them with db < 0: everything in it is dead when this commits. In
 * constant time. Not where there are other copies: txn_commit refuses it (STATUS_INVALID). */
void txn_flush(struct txn *txn, int db);

#endif
