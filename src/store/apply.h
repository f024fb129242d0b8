/* SPDX-License-Identifier: MIT */
/*
 * The one place where a row becomes what the store holds: a commit's, a replayed one's, a
 * peer's. From (old, new) it derives the rest: counts, digests, the expiry index, dead chunks, the
 * generation's lists.
 */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "store/state.h"

/* Stores `row`, which covers all that `entry` (the table's of that name, or NULL: none exists)
 * holds. */
void apply_row(struct store *store, struct slot *slot, struct entry *entry, struct bytes name,
               struct bytes row);

/* A (slot, db) is flushed: all that is there is dead. store.flushes was counted up before. */
void apply_cleared(struct store *store, uint16_t slot, uint8_t db);

/*
 * A row of the log, or LOG_COLLECTED: the log holds what each change came to, so it takes the place
 * of what the store holds. What that is must be known of a head, for what is derived from it: it is
 * read from the tier if need be, waiting for it.
 */
MUST_CHECK enum status apply_replayed(struct store *store, struct bytes name, struct bytes row);

/* The row is collected: nothing of it is to stay, here or in the tier, nor of its chunks. For
 * tombstones and expired heads, of a sole owner or where all owners agree; and for what is given
 * away. */
void apply_collect(struct store *store, struct slot *slot, struct entry *entry);

/* The chunks of a head that nobody names any more: dropped from memory now, from the tier by the
 * seal. */
struct chunked_base;
void apply_drop_chunks(struct store *store, struct slot *slot, struct bytes name,
                       const struct chunked_base *dead);

/* A copy of the tier's row, or of its absence (row.size 0), comes into memory as a clean entry. Not
 * in the table before. */
struct entry *apply_load(struct store *store, struct slot *slot, struct bytes name,
                         struct bytes row);

/* Takes an entry out of memory, whatever its state, and frees it as soon as that may be. Touches no
 * counts. */
void apply_retire(struct store *store, struct slot *slot, struct entry *entry);

/* Frees what is neither in the table nor on a list. */
void apply_free(struct store *store, struct entry *entry);

/* Whether a flush has made an entry dead; apply_drop_if_flushed then also retires it. */
bool apply_is_flushed(const struct slot *slot, const struct entry *entry);
bool apply_drop_if_flushed(struct store *store, struct slot *slot, struct entry *entry);

/* Whether a row that is not in memory exists nowhere: when every head that exists is in memory, one
 * that isn't there doesn't exist. False: the tier is to be asked. */
bool apply_is_proven_absent(const struct store *store, struct bytes name);

/* Whether all that the tier has of the database in that slot is dead: until the seal of the flush's
 * generation has ended. */
bool apply_is_tier_flushed(const struct slot *slot, uint8_t db);

#endif
