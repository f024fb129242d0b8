/* SPDX-License-Identifier: MIT */
/*
 * The store's own rows in the ordered tier, beside the users': they are written by every seal, so
 * they always tell of the state that the tier is in. Local to a node, never sent. All names sort
 * after those of users' rows.
 *
 *   0x80 at_ms(8, big-endian) name     the expiry index: the head row of that name expires then.
 * Content: 0x01 0xf0 "seal"                        format(varint) position(varint): the log is
 * sealed up to there 0xf0 "facts" db(1)                 counts per slot: see facts.h
 */
#ifndef STORE_META_H
#define STORE_META_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "store/tier.h"

enum {
    META_FORMAT = 1,
    META_EXPIRY = 0x80,
    META_OWN = 0xf0,
    META_EXPIRY_PREFIX_SIZE = 9,
};

/* Appends the index row's name. */
void meta_expiry_name(struct buffer *out, uint64_t at_ms, struct bytes name);

/* The time and the row's name of an index row's name; false if it is none. */
bool meta_expiry_decode(struct bytes index_name, uint64_t *out_at_ms, struct bytes *out_name);

struct bytes meta_seal_name(void);
void meta_seal_encode(struct buffer *out, uint64_t position);

/* The position up to which the tier has all; 0 if it is empty. STATUS_VERSION, STATUS_CORRUPT,
 * STATUS_IO. */
MUST_CHECK enum status meta_seal_read(struct tier *tier, uint64_t *out_position);

/* "facts" and the database, in `name` of META_FACTS_NAME_SIZE bytes. */
enum { META_FACTS_NAME_SIZE = 7 };
struct bytes meta_facts_name(char *name, uint8_t db);

#endif
