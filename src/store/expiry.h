/* SPDX-License-Identifier: MIT */
/*
 * Removes what has expired, at a bounded rate: reading hides it anyway. Keys that changed lately
 * are found by the due heaps of their generations, all others by the index that seals write into
 * the tier, searched on a storage thread.
 *
 * Where there are other copies (store_join) nothing is removed here: the search only brings what is
 * due, tombstones too, into memory, where store_find_collectable finds it.
 */
#ifndef STORE_EXPIRY_H
#define STORE_EXPIRY_H

#include "store/state.h"

void expiry_init(struct store *store);
void expiry_deinit(struct store *store);

/* Collects what is due, at most so much per call. True if more is due already. */
bool expiry_tick(struct store *store, uint64_t now_ms);

/* A command has come upon what has expired: it is collected when that command ends. */
void expiry_saw(struct store *store, struct bytes name);
void expiry_collect_seen(struct store *store, uint64_t now_ms);

/* What the clock says, each turn: it may go back. */
void expiry_clock(struct store *store, uint64_t now_ms);

/* A seal has put rows into the tier's index, the first of which expires then. */
void expiry_sealed(struct store *store, uint64_t at_ms);

#endif
