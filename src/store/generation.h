/* SPDX-License-Identifier: MIT */
/*
 * A generation: what has changed since the last seal began, and what its own seal has to do besides
 * writing the rows. At most two exist: the current one, and one that is being sealed.
 */
#ifndef STORE_GENERATION_H
#define STORE_GENERATION_H

#include "base/buffer.h"
#include "base/list.h"

/* When keys expire: a binary heap by time. Entries are not removed when an expiry changes, but when
 * they come due. */
struct due {
    uint64_t at_ms;
    uint64_t place; /* slot << 48 | hash of the key */
};

struct due_heap {
    struct due *items;
    size_t count;
    size_t room;
};

void due_push(struct due_heap *heap, struct due due);
/* The earliest; the heap is not empty. */
struct due due_pop(struct due_heap *heap);

/* One (slot, db) flushed in this generation. */
struct flushed {
    uint16_t slot;
    uint8_t db;
    uint32_t flushes; /* store.flushes from then on */
};

struct generation {
    uint32_t number;
    struct list rows; /* entries, the oldest change first */
    uint64_t count;
    uint64_t bytes;              /* of them, as the allocator counts */
    uint64_t dead_bytes;         /* of these, of tombstones: once sealed they may leave memory */
    uint64_t changes;            /* of keys, by clients: each time that one changed */
    uint64_t log_begin, log_end; /* positions of the log that it covers */
    struct due_heap due;         /* expiries set in it */
    struct buffer index_deletes; /* size(4) name: index rows in the tier that are no longer true */
    struct buffer
        dead_prefixes; /* size(4) prefix: rows in the tier, and older ones in it, to be deleted */
    struct flushed *flushed;
    size_t flushed_count, flushed_room;
};

void generation_init(struct generation *generation, uint32_t number, uint64_t log_begin);
/* Frees all but the entries. */
void generation_deinit(struct generation *generation);

void generation_add_flushed(struct generation *generation, uint16_t slot, uint8_t db,
                            uint32_t flushes);

/* For index_deletes and dead_prefixes. */
void generation_note(struct buffer *notes, struct bytes name);
/* The next note at *at; false at the end. */
bool generation_next_note(const struct buffer *notes, size_t *at, struct bytes *out_name);

/* What it weighs against the limit of a generation: rows and notes. */
uint64_t generation_weight(const struct generation *generation);

#endif
