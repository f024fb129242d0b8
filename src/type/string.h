/* SPDX-License-Identifier: MIT */
/*
 * Strings, laid on rows: the value stands in the head row up to STRING_INLINE_MAX bytes; a longer one in chunk rows of
 * STRING_CHUNK_SIZE, keyed by the dot of the write that first made it long (its base), the head holding base and length.
 * A chunk that was never written is zeros. A change within a long string writes only the chunks that it touches.
 *
 * All calls are within a transaction, whose arena holds what they return. Each may return STATUS_COLD, STATUS_IO,
 * STATUS_CORRUPT besides what is said; STATUS_WRONG_TYPE where the key holds another type. An expired key is absent,
 * and a write to it supersedes it as a delete would.
 */
#ifndef TYPE_STRING_H
#define TYPE_STRING_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "store/txn.h"

enum {
    STRING_INLINE_MAX = 16 * 1024,
    STRING_CHUNK_SIZE = 4 * 1024,
    STRING_SIZE_MAX = 512 * 1024 * 1024,
};

/* A key as one transaction sees it: found once, then read and changed. Opaque but for what follows. */
struct string {
    struct txn *txn;
    struct bytes name;      /* of the head row */
    struct row row;         /* decoded; row_init if there is none */
    struct row_view view;
    bool exists;            /* to a client: there, and not expired */
    uint64_t at_ms;         /* expiry, EXPIRY_NEVER; of what exists */
};

/* Looks the key up, of any type. STATUS_OK also if it does not exist. */
MUST_CHECK enum status string_find(struct txn *txn, uint8_t db, struct bytes key, struct string *out);

/* ---- reading: of an absent key, the empty string ---------------------------------------------------------------- */

MUST_CHECK enum status string_length(struct string *string, uint64_t *out_length);

/* The whole value: borrowed from the row where that is possible, else assembled in the arena. */
MUST_CHECK enum status string_value(struct string *string, struct bytes *out_value);

/* The bytes from `from` on, `size` of them; both within the length. Reads only the chunks that it needs. */
MUST_CHECK enum status string_range(struct string *string, uint64_t from, uint64_t size, struct bytes *out_value);

/* The value as an integer: STATUS_NOT_INTEGER. Absent: 0. */
MUST_CHECK enum status string_integer(struct string *string, int64_t *out_value);

/* ---- writing: stages rows; the string then reads as written ------------------------------------------------------- */

/* Sets the whole value, at most STRING_SIZE_MAX. `at_ms`: when it expires, EXPIRY_NEVER; keep_expiry: as it was. */
MUST_CHECK enum status string_set(struct string *string, struct bytes value, uint64_t at_ms, bool keep_expiry);

/* Overwrites from `offset` on, filling with zeros before it if needed; keeps the expiry. STATUS_TOO_BIG beyond the limit.
 * string_append(s, v) is string_overwrite(s, length, v). */
MUST_CHECK enum status string_overwrite(struct string *string, uint64_t offset, struct bytes value);

/* Adds to the integer, keeps the expiry. STATUS_NOT_INTEGER, STATUS_OVERFLOW. */
MUST_CHECK enum status string_increment(struct string *string, int64_t by, int64_t *out_value);

/* Any key, of whatever type; it exists. */
void string_delete(struct string *string);
void string_expire(struct string *string, uint64_t at_ms); /* EXPIRY_NEVER: PERSIST */

#endif
