/* SPDX-License-Identifier: MIT */
/*
 * Rows that come from other nodes: merged with what is held, stored as one batch. What is cold is
 * read first; what finds no room waits for it. Merging commutes, so imports may overtake each
 * other.
 */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include "base/buffer.h"
#include "base/pack.h"
#include "row/row_list.h"
#include "store/store.h"

struct import;

/*
 * What an import came to: STATUS_OK, and the log position after which all of it is as durable as
 * appendfsync says (store_gate_passed), also what the store has held before. Any other: nothing was
 * stored. STATUS_CORRUPT: the bytes are no list of rows, or a row held is damaged; STATUS_INVALID,
 * see below; STATUS_THROTTLED: too much waits already; STATUS_TOO_BIG: with what is held, a row
 * would be more than a row may be; else as of txn_get and txn_commit.
 */
typedef void import_done(void *context, enum status status, uint64_t gate);

/*
 * Imports a row list (row/row_list.h), which is copied if it has to wait. `done` is called once,
 * perhaps before this returns: then NULL is returned. Each name and row is checked strictly: what
 * is no head and no chunk is STATUS_CORRUPT; a database beyond the store's, or a time more than
 * IMPORT_AHEAD_MS ahead of the clock, STATUS_INVALID (rule 12): of the cluster's
 * (store_set_cluster_time), or while nobody has told it of the last tick. Not of `now_ms`, which
 * may go by a clock that was wrong at the start and set since. A name may come more than once.
 *
 * Chunk rows may come before the head that names them; then they wait for it in the store. Those
 * of a long string that the head held here has already left behind are passed over.
 *
 * A row that shows an event of this node's own actor that the store does not hold: the actor has
 * forgotten something, and the store takes a new epoch before anything else is written (rule 1).
 */
struct import *import_rows(struct store *store, struct bytes rows, uint64_t now_ms,
                           import_done *done, void *context);

/*
 * The same of what a transaction has written. Where it wrote to a long string, or only to the head
 * of one, chunks that were written earlier are not among the rows: such a head stands on what the
 * writer's head was before, its ground. It is left out, and `done` told STATUS_ABSENT, where what
 * is held has not seen all that the ground has: earlier chunks would be missing, and as digests are
 * those of heads nobody would notice. The other rows are stored all the same: the head comes later
 * with all of its chunks (store/export.h), some of which may have been read before.
 *
 * `grounds` is a row list; the name of each is where its head begins in `rows`, as four bytes; they
 * are in that order.
 */
struct import *import_rows_onto(struct store *store, struct bytes rows, struct bytes grounds,
                                uint64_t now_ms, import_done *done, void *context);

static inline void import_add_ground(struct buffer *grounds, size_t at, struct bytes ground)
{
    char place[4];
    pack_u32(place, (uint32_t)at);
    row_list_append(grounds, bytes_of(place, sizeof(place)), ground);
}

/* That of the row that begins there; it is taken off `rest`, if it is the first. False: it has
 * none. */
static inline bool import_ground_at(struct bytes *rest, size_t at, struct bytes *out_ground)
{
    struct bytes after = *rest, place;
    if (!row_list_next(&after, &place, out_ground) || place.size != 4 ||
        unpack_u32(place.data) != at)
        return false;
    *rest = after;
    return true;
}

/* It is not to be done, nor to call `done`. NULL: nothing. */
void import_cancel(struct import *import);

enum {
    IMPORT_BYTES_MAX =
        64 * 1024 * 1024,        /* of lists that wait, together: more is STATUS_THROTTLED */
    IMPORT_AHEAD_MS = 60 * 1000, /* of the clock: see import_rows */
};

/* What waits for room tries again: each tick, or when store_has_room has become true. */
void import_retry(struct store *store, uint64_t now_ms);

/* The store ends: those that wait are gone, `done` is not called. For store.c. */
void import_deinit(struct store *store);

#endif
