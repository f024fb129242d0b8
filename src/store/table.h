/* SPDX-License-Identifier: MIT */
/*
 * The rows in memory: per slot a hash table of entries, each one name and one row in a single
 * block. A slot's buckets stand in the order of the hash, so a scan walks them. An entry is dirty
 * changed in the current generation: pinned, on that generation's list; sealing  of the generation
 * that is being written to the tier: frozen, its links and bytes must not change; clean    a copy
 * of what the tier holds: on the cache's queue, may be dropped. Which of them is told by
 * entry->generation (see generation.h). A dirty entry may be collected: the tier's row of that name
 * is to be deleted by the seal. A clean entry with a row of size 0 says that the tier has no row of
 * that name.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "base/bytes.h"
#include "base/list.h"
#include "row/dot.h"
#include "row/row_key.h"
#include "row/slot.h"

enum { TABLE_EXPECTED_MAX = 16 };

enum entry_flag {
    ENTRY_BELOW = 1,    /* the tier, or a generation being sealed, has an older row of that name */
    ENTRY_DETACHED = 2, /* no longer in the table; freed when its generation has been sealed */
    ENTRY_DOOMED = 4,   /* counted in store.doomed_bytes */
    ENTRY_DEAD = 8,     /* a tombstone, counted in its generation's dead_bytes */
};

struct entry {
    struct list link;
    struct entry *next; /* in its bucket */
    uint32_t name_size;
    uint32_t row_size;
    uint32_t generation; /* the one in which it was last changed; 0 for a copy of the tier's */
    uint32_t flushes;    /* store.flushes when it was last changed, or loaded */
    /* Only the core thread reads these, of frozen entries too: it may change them at any time. */
    uint32_t flags : 4;     /* enum entry_flag */
    uint32_t visited : 1;   /* SIEVE's bit */
    uint32_t collected : 1; /* the name is gone; so is the row, and of no other dirty entry */
    uint32_t is_head : 1;
    uint32_t access : 24; /* see access.h */
    char data[];          /* name, row */
};

/* What a flush left behind in a slot: rows of the database that it covers are dead. */
struct cleared {
    struct cleared *next;
    uint8_t db;
    uint32_t generation; /* whose seal deletes them from the tier; 0 when it has */
    bool purged;         /* the table has dropped them */
    uint32_t flushes;    /* entries of fewer are dead */
};

/* A slot that grows has half as many older buckets, too: each insertion splits some of them, those
 * of the least hashes first. So no command waits for all, and the order stays. */
struct growth {
    struct entry **older;
    size_t split; /* so many of them are empty now, each in two new ones */
};

struct slot {
    struct entry **buckets; /* 1 << bits, or NULL */
    struct growth *growth;  /* NULL: it does not grow */
    uint64_t written; /* log position after the last change: what a reader's reply waits for */
    struct cleared *cleared;
    uint32_t entries;
    uint8_t bits;
};

struct table {
    struct slot slots[SLOT_COUNT];
    uint64_t entries;
    uint64_t bytes;        /* blocks and buckets, as the allocator counts them */
    uint64_t bucket_bytes; /* of these, buckets */
};

void table_init(struct table *table);
void table_deinit(struct table *table); /* frees all entries that are in it */

static inline struct bytes entry_name(const struct entry *entry)
{
    return bytes_of(entry->data, entry->name_size);
}

static inline struct bytes entry_row(const struct entry *entry)
{
    return bytes_of(entry->data + entry->name_size, entry->row_size);
}

/* Whether it holds a row that readers are to see. */
static inline bool entry_has_row(const struct entry *entry)
{
    return entry->row_size > 0;
}

/* Whether facts count it, if it is a head: not what only says that the tier has none. */
static inline bool entry_is_counted(const struct entry *entry)
{
    return entry->row_size > 0 || entry->collected;
}

size_t entry_bytes(const struct entry *entry);
/* The same of an entry that does not exist. */
size_t entry_bytes_of(size_t name_size, size_t row_size);

static inline struct slot *table_slot(struct table *table, struct bytes name)
{
    return &table->slots[row_key_slot(name)];
}

/* Has the processor load the buckets of the heads of these keys, at most TABLE_EXPECTED_MAX, and
 * what stands in them: as one wait for memory, instead of two for each when it is looked for. */
void table_expect(const struct table *table, const struct bytes *keys, size_t count);

/* The same for rows of these names. */
void table_expect_rows(const struct table *table, const struct bytes *names, size_t count);

/* NULL if it is not there. */
struct entry *table_find(const struct slot *slot, struct bytes name);

/* A new entry, in the table; its links, generation and flags are the caller's to set. The name is
 * not in the table. */
struct entry *table_insert(struct table *table, struct slot *slot, struct bytes name,
                           struct bytes row);

/* Takes it out of the table; it goes on to exist. */
void table_unlink(struct table *table, struct slot *slot, struct entry *entry);

/* Frees what table_unlink took out. */
void table_free(struct table *table, struct entry *entry);

/* Puts another entry of the same name into its place; `old` goes on to exist, out of the table. */
struct entry *table_replace(struct table *table, struct slot *slot, struct entry *old,
                            struct bytes row);

/* ---- a slot's buckets, in the order of hash; an insertion renumbers them --------------------- */

static inline size_t table_buckets(const struct slot *slot)
{
    if (!slot->growth)
        return slot->buckets ? (size_t)1 << slot->bits : 0;
    return ((size_t)1 << (slot->bits - 1)) + slot->growth->split;
}

/* The buckets that hold hashes from `hash` on begin at this one. */
static inline size_t table_bucket(const struct slot *slot, uint64_t hash)
{
    size_t bucket = slot->buckets ? hash >> (48 - slot->bits) : 0;
    if (!slot->growth || bucket / 2 < slot->growth->split)
        return bucket;
    return bucket / 2 + slot->growth->split;
}

/* The first entry of a bucket is there. */
static inline struct entry **table_chain(const struct slot *slot, size_t bucket)
{
    if (!slot->growth || bucket / 2 < slot->growth->split)
        return &slot->buckets[bucket];
    return &slot->growth->older[bucket - slot->growth->split];
}

/* The least hash that the bucket holds. */
static inline uint64_t table_bucket_hash(const struct slot *slot, size_t bucket)
{
    if (!slot->growth || bucket / 2 < slot->growth->split)
        return (uint64_t)bucket << (48 - slot->bits);
    return (uint64_t)(bucket - slot->growth->split) << (48 - slot->bits + 1);
}

/* Frees the buckets of a slot without entries. Nobody walks through them. */
void table_give_back(struct table *table, struct slot *slot);

#endif
