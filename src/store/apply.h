/* SPDX-License-Identifier: MIT */
/*
 * The one place where a row becomes what the store holds: a commit's, a replayed one's, later a
 * peer's. From (old, new) it derives the rest: counts, the expiry index, dead chunks, the
 * generation's lists.
 */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "store/state.h"

/* Stores `row`, which covers all that `entry` (the table's of that name, or NULL: none exists)
 * holds. */
void apply_row(struct store *store, struct slot *slot, struct entry *entry, struct bytes name,
               struct bytes row);

/* A ROW_CLEARED row: all that the vector and what `stable` implies cover in the (slot, db) is dead.
 * `flush` is shared by the slots of one command; NULL: made from the row. */
void apply_cleared(struct store *store, uint16_t slot, uint8_t db, struct flush *flush);

/* A row from elsewhere: merged with what the store holds, which is read from the tier if need be,
 * waiting for it. */
MUST_CHECK enum status apply_incoming(struct store *store, struct bytes name, struct bytes incoming,
                                      const struct vector *stable);

/* The row is collected: nothing of it is to stay, here or in the tier. For tombstones and expired
 * heads of a sole owner. */
void apply_collect(struct store *store, struct slot *slot, struct entry *entry);

/* A copy of the tier's row, or of its absence (row.size 0), comes into memory as a clean entry. Not
 * in the table before. */
struct entry *apply_load(struct store *store, struct slot *slot, struct bytes name,
                         struct bytes row);

/* Takes an entry out of memory, whatever its state, and frees it as soon as that may be. Touches no
 * counts. */
void apply_retire(struct store *store, struct slot *slot, struct entry *entry);

/* Whether a flush has made it dead: `entry` is then retired, and to be taken as not there. */
bool apply_drop_if_flushed(struct store *store, struct slot *slot, struct entry *entry);

/* The same for a row just read from the tier. */
bool apply_is_flushed(struct store *store, const struct slot *slot, struct bytes name,
                      struct bytes row);

#endif
