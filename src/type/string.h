/* SPDX-License-Identifier: MIT */
/*
 * Strings, laid on rows: the value stands in the head row up to STRING_INLINE_MAX bytes; a longer
 * one in chunk rows (see type/string_chunks.h). A string that was once long stays in chunks until
 * it is set anew. A number is a string that increments are added to; it reads as its decimal form.
 *
 * All calls take the key's head, from cell_find_head, within its transaction, whose arena holds
 * what they return. Each may return STATUS_COLD, STATUS_IO, STATUS_CORRUPT besides what is said;
 * STATUS_WRONG_TYPE where the key holds another type, except string_set, which replaces any. To
 * delete and to expire are the same for all types: cell_delete, cell_expire.
 */
#ifndef TYPE_STRING_H
#define TYPE_STRING_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/real.h"
#include "base/status.h"
#include "row/chunked.h"
#include "type/cell.h"

enum {
    STRING_INLINE_MAX = 16 * 1024,
    STRING_SIZE_MAX = CHUNKED_LENGTH_MAX,
    STRING_PAGE_SIZE = CHUNK_SIZE,
    STRING_NAMES_MAX = 1 << 30, /* of the names of all chunks that a string may have */
};

/* ---- reading: of an absent key, the empty string -------------------------------------------- */

MUST_CHECK enum status string_length(struct cell *head, uint64_t *out_length);

/* The whole value: borrowed from the row where that is possible, else assembled in the arena. */
MUST_CHECK enum status string_value(struct cell *head, struct bytes *out_value);

/* The `size` bytes from `from` on: both within the length. Reads only the chunks that it needs. */
MUST_CHECK enum status string_range(struct cell *head, uint64_t from, uint64_t size,
                                    struct bytes *out_value);

/* How Redis would keep it: "int", "embstr" or "raw". */
MUST_CHECK enum status string_encoding(struct cell *head, struct bytes *out_name);

/*
 * A string looked at page by page, for walks over what is too long to be assembled: page i is its
 * bytes from i * STRING_PAGE_SIZE on.
 */
struct string_pages {
    struct cell *head;
    uint64_t length;
    bool in_chunks;
    struct dot base;   /* of the chunks: another one when the string was set anew */
    struct bytes text; /* the string, or the name of the chunk that was looked at last */
};

MUST_CHECK enum status string_pages(struct cell *head, struct string_pages *out);

/*
 * What the page holds, borrowed: what it lacks to its full size is zeros, or behind the string's
 * end. Any page may be asked for: far behind the end there is nothing.
 */
MUST_CHECK enum status string_page(struct string_pages *pages, uint64_t index,
                                   struct bytes *out_value);

/* ---- writing: stages rows; the string then reads as written --------------------------------- */

/*
 * Sets the whole value; the bytes live as long as the transaction. STATUS_TOO_BIG beyond
 * STRING_SIZE_MAX. `at_ms`: when it expires, or EXPIRY_NEVER; with keep_expiry, as it was.
 */
MUST_CHECK enum status string_set(struct cell *head, struct bytes value, uint64_t at_ms,
                                  bool keep_expiry);

/* Sets the whole value, as string_set does, in the place only of what was seen: see cell.h. Also of
 * a key that does not exist. */
MUST_CHECK enum status string_set_seen(struct cell *head, struct bytes value, uint64_t at_ms,
                                       const struct seen *seen);

/* Some bytes of a string. */
struct string_part {
    uint64_t offset;
    struct bytes value;
};

/*
 * Sets the whole value as string_set does. What no part has is zeros, and takes no room in a long
 * string. The parts are within the length, in order, each on a page of its own.
 */
MUST_CHECK enum status string_set_parts(struct cell *head, uint64_t length,
                                        const struct string_part *parts, size_t count,
                                        uint64_t at_ms, bool keep_expiry);

/*
 * Sets the string of one key to another's, with its time to live: a long one chunk by chunk, so
 * that what is zeros stays absent and the whole is never in one place. STATUS_TOO_BIG as above.
 */
MUST_CHECK enum status string_copy(struct cell *from, struct cell *to);

/*
 * Overwrites from `offset` on, filling with zeros before it if needed; keeps the expiry.
 * STATUS_TOO_BIG as above.
 */
MUST_CHECK enum status string_overwrite(struct cell *head, uint64_t offset, struct bytes value,
                                        uint64_t *out_length);

/* Overwrites from the end on. */
MUST_CHECK enum status string_append(struct cell *head, struct bytes value, uint64_t *out_length);

/*
 * Adds to the integer, an absent key being 0; keeps the expiry. STATUS_NOT_INTEGER,
 * STATUS_OVERFLOW.
 */
MUST_CHECK enum status string_increment(struct cell *head, int64_t by, int64_t *out_value);

/*
 * Adds to the number as Redis's INCRBYFLOAT does, and tells what it then reads as. `by` may be
 * infinite. STATUS_NOT_FLOAT, STATUS_NOT_FINITE.
 */
MUST_CHECK enum status string_increment_real(struct cell *head, real_t by, struct bytes *out_value);

#endif
