/* SPDX-License-Identifier: MIT */
/*
 * A cell: one row as one transaction sees it, found once, then read and changed. All types stand on
 * it: it chooses among siblings, judges the expiry, draws dots, and stages what was changed in
 * canonical form. The common row (row_peek) is read without being decoded and written without being
 * built.
 *
 * A row that has expired is absent, and a write to it supersedes what it held, as a delete would.
 */
#ifndef TYPE_CELL_H
#define TYPE_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "store/txn.h"

struct cell {
    struct txn *txn;
    struct bytes name;
    struct bytes held;     /* the row's bytes, as stored or staged; size 0: there is none */
    bool exists;           /* to a client: there is a value, and it has not expired */
    bool expired;          /* there is a value, but its time is over */
    bool counted;          /* the value is newest + sum + real; see struct row_view */
    bool decoded;          /* `row` is set; else it is common, or there is none */
    struct sibling newest; /* the value that counts; "0" where it is only a sum. Of what exists */
    __int128 sum;
    real_t real;
    uint64_t at_ms; /* when it expires, or EXPIRY_NEVER. Of what exists */
    struct row row;
};

/*
 * Finds the row of that name: STATUS_OK also if there is none. STATUS_COLD, STATUS_IO,
 * STATUS_CORRUPT.
 */
MUST_CHECK enum status cell_find(struct txn *txn, struct bytes name, struct cell *out);

/* The head row of a key: of whatever type. The key is at most KEY_SIZE_MAX bytes. */
MUST_CHECK enum status cell_find_head(struct txn *txn, uint8_t db, struct bytes key,
                                      struct cell *out);

/* The head row of a key that a scan has found; it lives as long as the cell. STATUS_CORRUPT. */
MUST_CHECK enum status cell_of_row(struct txn *txn, uint8_t db, struct bytes key, struct bytes row,
                                   struct cell *out);

/* ---- changes: each stages the row, which then reads as changed ------------------------------ */

/* The dot of a new event on this row. */
struct dot cell_dot(struct cell *cell);

/*
 * Below, besides STATUS_OK: STATUS_CORRUPT.
 *
 * A plain write, of a dot that was cell_dot's; it has seen what txn_set_dead says. The value lives
 * as long as the transaction. `at_ms`: when it expires; with keep_expiry, as it was, if the cell
 * exists.
 */
MUST_CHECK enum status cell_write(struct cell *cell, struct dot dot, enum value_form form,
                                  struct bytes value, uint64_t at_ms, bool keep_expiry);

MUST_CHECK enum status cell_increment(struct cell *cell, __int128 by);
MUST_CHECK enum status cell_increment_real(struct cell *cell, real_t by); /* a finite one */

/* These two of what exists. at_ms EXPIRY_NEVER: it lives for ever. */
MUST_CHECK enum status cell_expire(struct cell *cell, uint64_t at_ms);
MUST_CHECK enum status cell_delete(struct cell *cell);

/* ---- versions: what a client has seen, and brings back with its write ------------------------ */

/* Of a row: its events, and the sums that its values stood on. All zeros: nothing was seen. */
struct seen {
    struct vector vector;
    struct increments added;
};

/* What a client sees that reads this row now. STATUS_CORRUPT. */
MUST_CHECK enum status cell_seen(struct cell *cell, struct seen *out);

/* How many siblings a client sees: concurrent values. None where it is absent, and where it is only
 * a sum. */
MUST_CHECK enum status cell_siblings(struct cell *cell, uint32_t *out_count);

/* The cell as if this sibling were the newest: for reading. From the oldest on. */
void cell_sibling(const struct cell *cell, uint32_t index, struct cell *out);

/* As cell_dot, but newer than all that was seen, too. */
MUST_CHECK enum status cell_dot_after(struct cell *cell, const struct seen *seen, struct dot *out);

/* A write, and a delete, that supersede only what was seen; of what has expired, all. The dot was
 * cell_dot_after's. */
void cell_write_seen(struct cell *cell, struct dot dot, enum value_form form, struct bytes value,
                     uint64_t at_ms, const struct seen *seen);
void cell_delete_seen(struct cell *cell, struct dot dot, const struct seen *seen);

#endif
