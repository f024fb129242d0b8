/* SPDX-License-Identifier: MIT */
/*
 * Rows that come from other nodes: merged with what is held, stored as one batch. What is cold is
 * read first; what finds no room waits for it. Merging commutes, so imports may overtake each
 * other.
 */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include "store/store.h"

struct import;

/*
 * What an import came to: STATUS_OK, and the log position after which it is as durable as
 * appendfsync says (store_gate_passed). STATUS_CORRUPT: the bytes are no list of rows; then, as on
 * any other error, nothing was stored.
 */
typedef void import_done(void *context, enum status status, uint64_t gate);

/*
 * Imports a row list (row/row_list.h), which is copied if it has to wait. `done` is called once,
 * perhaps before this returns: then NULL is returned. Each name and row is checked strictly, a
 * database beyond the store's is STATUS_INVALID. Chunk rows stand before the head that names them.
 *
 * A row that shows an event of this node's own actor that the store does not hold: the actor has
 * forgotten something, and the store takes a new epoch before anything else is written (rule 1).
 */
struct import *import_rows(struct store *store, struct bytes rows, uint64_t now_ms,
                           import_done *done, void *context);

/* It is not to be done, nor to call `done`. NULL: nothing. */
void import_cancel(struct import *import);

/* What waits for room tries again: each tick, or when store_has_room has become true. */
void import_retry(struct store *store, uint64_t now_ms);

#endif
