/* SPDX-License-Identifier: MIT */
/*
 * The ordered tier on disk: names to rows, sorted by name. Filled only by whole sealed tables, each
 * ingested atomically and durably. RocksDB behind it (tier_rocksdb.c); a model in the simulator.
 */
#ifndef STORE_TIER_H
#define STORE_TIER_H

#include "base/buffer.h"
#include "base/status.h"

struct tier;
struct tier_table;

/* Called for each row of a scan in order; the bytes are valid during the call. Calls nothing of the
 * tier. */
enum tier_next {
    TIER_NEXT, /* go on */
    TIER_SEEK, /* go on at *seek_to, which the visitor has set to a name above the present one */
    TIER_STOP,
};
typedef enum tier_next tier_visit(void *context, struct bytes name, struct bytes row,
                                  struct buffer *seek_to);

struct tier_stats {
    uint64_t disk_bytes;   /* live table files */
    uint64_t memory_bytes; /* block cache, indexes and filters */
    uint64_t tables;       /* files */
    uint64_t pending_compaction_bytes;
    bool stopped_by_error; /* it refuses to ingest: see `resume` */
};

struct tier_ops {
    /* All reads: STATUS_OK and the row appended to out_row; STATUS_ABSENT; STATUS_IO,
     * STATUS_CORRUPT. Any thread. */
    enum status (*get)(struct tier *tier, struct bytes name, struct buffer *out_row);
    /* Never touches the disk: STATUS_COLD where it would have to. */
    enum status (*get_cached)(struct tier *tier, struct bytes name, struct buffer *out_row);
    /* Rows with from <= name < to. `bulk`: read once, not to be cached. */
    enum status (*scan)(struct tier *tier, struct bytes from, struct bytes to, bool bulk,
                        tier_visit *visit, void *context);

    /* A table to be ingested. One at a time. Names strictly ascending over put and delete together;
     * ranges (from <= name < to) at any moment: they delete what the tier held before this table,
     * never its own rows. */
    enum status (*table_begin)(struct tier *tier, struct tier_table **out);
    enum status (*table_put)(struct tier_table *table, struct bytes name, struct bytes row);
    enum status (*table_delete)(struct tier_table *table, struct bytes name);
    enum status (*table_delete_range)(struct tier_table *table, struct bytes from, struct bytes to);
    /* Visible and durable as a whole, or not at all. Frees the table either way. STATUS_DISK_FULL,
     * STATUS_IO. */
    enum status (*table_ingest)(struct tier_table *table);
    void (*table_abandon)(struct tier_table *table);

    /* A consistent copy in a new directory (hard links where possible). */
    enum status (*checkpoint)(struct tier *tier, const char *path);
    /* Reads everything and verifies checksums. */
    enum status (*verify)(struct tier *tier, struct buffer *out_error);
    /* Tries to leave the state stopped_by_error. */
    enum status (*resume)(struct tier *tier);
    void (*stats)(struct tier *tier, struct tier_stats *out);
    void (*free)(struct tier *tier);
};

struct tier {
    const struct tier_ops *ops;
};

struct tier_options {
    uint64_t block_cache_bytes;
    unsigned compaction_threads;
    /* The tier was there before: where it is gone, or the file that names its state, that is
     * damage, and no reason to begin a new one. */
    bool must_exist;
    bool read_only; /* nothing is changed, not even a name; nothing can be ingested */
    /* Open the last state whose tables are all there. On a copy only: it removes the others. */
    bool salvage;
};

/*
 * RocksDB in the directory `path`, created if absent (but see must_exist). On failure *out_error
 * says why, for a person.
 */
MUST_CHECK enum status tier_rocksdb_open(const char *path, const struct tier_options *options,
                                         struct tier **out, struct buffer *out_error);

/*
 * Saves what can be saved of a damaged tier that nobody has open: afterwards a new one with all
 * rows that can still be read stands in its place, and the old one, unchanged, in PATH.damaged
 * (PATH.damaged.2, ...). Takes as much room again. STATUS_CORRUPT, and nothing changed, if not even
 * a list of its tables is left. *out_error tells what was found, with STATUS_OK too.
 */
MUST_CHECK enum status tier_rocksdb_repair(const char *path, struct buffer *out_error);

#endif
