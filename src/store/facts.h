/* SPDX-License-Identifier: MIT */
/*
 * Counts per slot and database, kept with every change, so that DBSIZE sums, RANDOMKEY draws and
 * SCAN skips without reading. `stored` and `resident` prove absence: when all heads that exist are
 * in memory, one that isn't doesn't exist.
 *
 * Where there are other copies (store_join) each slot has a digest, too: the sum of its heads'
 * (export_digest), tombstones included, by which copies are compared.
 *
 * Stored by each seal, one row per database: format(1), then per slot with any head
 *   format 1   slot - former slot(varint) keys(varint) expiring(varint) stored(varint)
 *   format 2   slot - former slot(varint) keys(varint) expiring(varint) stored(varint) digest(8)
 * Format 2 where digests are kept, else 1.
 */
#ifndef STORE_FACTS_H
#define STORE_FACTS_H

#include "base/buffer.h"
#include "base/status.h"
#include "row/slot_set.h"
#include "store/tier.h"

enum { FACTS_BLOCK = 128 };

struct slot_facts {
    uint32_t keys;       /* heads that are no tombstone; expired ones count until purged */
    uint32_t expiring;   /* of these, with an expiry */
    uint32_t stored;     /* head rows in memory or in the tier, tombstones too */
    uint32_t resident;   /* of these, in memory */
    uint32_t tombstones; /* heads that are one; not what is collected already */
    uint64_t digest;     /* only if facts.digests */
};

/* Of a slot in all databases: what copies are compared by. */
struct slot_sum {
    uint64_t heads; /* keys and tombstones */
    uint64_t digest;
    uint64_t imports; /* that have changed rows of it */
};

struct facts {
    unsigned databases;
    struct slot_facts **slots; /* per database SLOT_COUNT of them, or NULL: all zero */
    struct slot_sum *sums;     /* SLOT_COUNT of them */
    struct slot_set used;      /* slots with heads */
    uint64_t changes;          /* of sums: grows with each */
    uint64_t *keys;            /* per database the sums */
    uint64_t *blocks;          /* of keys, per database and FACTS_BLOCK slots */
    uint64_t *expiring;
    uint64_t tombstones; /* of all */
    bool digests;        /* of slots are kept */
};

void facts_init(struct facts *facts, unsigned databases);
void facts_deinit(struct facts *facts);

/* To change. */
struct slot_facts *facts_of(struct facts *facts, uint16_t slot, uint8_t db);

/* To read: zeros where there are none. */
const struct slot_facts *facts_look(const struct facts *facts, uint16_t slot, uint8_t db);

/* Adds to the counts of keys, in the slot and in the sum. */
void facts_count(struct facts *facts, uint16_t slot, uint8_t db, int keys, int expiring);

void facts_count_tombstones(struct facts *facts, uint16_t slot, uint8_t db, int tombstones);

void facts_add_digest(struct facts *facts, uint16_t slot, uint8_t db, uint64_t digest);

/*
 * The slot of the `rank`th key of a database, counted from 0 in the order of slots; there are more
 * keys than that. Looks at the sums of blocks, then into one.
 */
uint16_t facts_slot_at(const struct facts *facts, uint8_t db, uint64_t rank);

/* The (slot, db) is empty from now on. */
void facts_clear(struct facts *facts, uint16_t slot, uint8_t db);

/* What a seal stores of a database; empty if there is nothing to say. */
void facts_encode(const struct facts *facts, uint8_t db, struct buffer *out);

/* Reads all databases' from the tier; facts->digests says whether it has those. STATUS_CORRUPT,
 * STATUS_IO. A database above `databases` with keys: STATUS_INVALID. */
MUST_CHECK enum status facts_read(struct facts *facts, struct tier *tier);

#endif
