/* SPDX-License-Identifier: MIT */
/*
 * The names of rows. All rows of a key stand together, all keys of a slot and database stand
 * together ordered by hash, so a scan's cursor is (slot, hash) and what a slot holds is a range.
 * Compared as plain bytes (bytes_compare).
 *
 *   slot(2, big-endian) db(1) hash(6, big-endian) keylen(varint) key kind(1) subkey...
 *
 *   ROW_HEAD     no subkey: the key's type, its expiry and, of a string, the value
 *   ROW_CHUNK    base dot's actor(8) time(8), index(4), big-endian: a piece of a long string
 *   ROW_CLEARED  of a slot and database, not of a key: only slot(2) db(1); what its vector covers
 *                has been flushed
 *
 * The hash is the upper 48 bits of XXH3-64 of the key. Names whose first byte is above 0x3f (no
 * slot is) are the store's own: see store/meta.h.
 */
#ifndef ROW_ROW_KEY_H
#define ROW_ROW_KEY_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "row/dot.h"

enum row_kind {
    ROW_HEAD = 0,
    ROW_CHUNK = 1,
    ROW_CLEARED = 255, /* never stored: what row_key_decode calls the short form */
};

enum {
    ROW_KEY_HASH_BITS = 48,
    ROW_KEY_PREFIX_SIZE = 9,  /* slot, db, hash: the ordered tier's Bloom prefix */
    ROW_KEY_CLEARED_SIZE = 3, /* slot, db */
    ROW_KEY_CHUNK_SUBKEY_SIZE = 20,
    KEY_SIZE_MAX = 512 * 1024, /* of a user's key */
};

#define ROW_KEY_HASH_MASK (((uint64_t)1 << ROW_KEY_HASH_BITS) - 1)

struct row_key {
    uint16_t slot;
    uint8_t db;
    uint64_t hash;    /* 48 bits */
    struct bytes key; /* the user's; borrowed */
    enum row_kind kind;
    struct dot base; /* ROW_CHUNK */
    uint32_t index;  /* ROW_CHUNK */
};

uint64_t row_key_hash(struct bytes key);

/* The names are built in the arena. The key is at most KEY_SIZE_MAX bytes. */
struct bytes row_key_head(struct arena *arena, uint8_t db, struct bytes key);
struct bytes row_key_chunk(struct arena *arena, struct bytes head, struct dot base, uint32_t index);
struct bytes row_key_cleared(struct arena *arena, uint16_t slot, uint8_t db);

/*
 * What all chunks of one base start with: the head's name with ROW_CHUNK for its kind, and the
 * base.
 */
struct bytes row_key_chunk_prefix(struct arena *arena, struct bytes head, struct dot base);

/* Makes of a chunk's name that of another index; the name is the caller's own. */
void row_key_chunk_change(struct bytes name, uint32_t index);

/* Any bytes go in; false where they are no name of a row. The output borrows from the input. */
bool row_key_decode(struct bytes name, struct row_key *out);

/* Cheap looks at a well-formed name. */
static inline uint16_t row_key_slot(struct bytes name)
{
    return (uint16_t)((unsigned char)name.data[0] << 8 | (unsigned char)name.data[1]);
}

static inline uint8_t row_key_db(struct bytes name)
{
    return (uint8_t)name.data[2];
}

/* The 48 bits of hash; the name is not ROW_CLEARED's. */
uint64_t row_key_hash_of(struct bytes name);

bool row_key_is_head(struct bytes name);

#endif
