/* SPDX-License-Identifier: MIT */
/*
 * Evicts keys for good where maxmemory-policy says so, as the users of a cache expect: each by a
 * delete of its own, in the log like any. Recency is SIEVE's order; under
 * LFU it passes over what was asked for often.
 *
 * Where there are other copies of the rows (store_join) only keys that the evictor allows are
 * evicted (export.h): each node those that it coordinates. Of others the rows here leave memory, by
 * the same order; their own coordinator evicts them when its memory is full. Tombstones stay until
 * all owners have confirmed them (sync/collect.c), but need not stay in memory.
 */
#ifndef STORE_EVICT_H
#define STORE_EVICT_H

#include "store/state.h"

/* Whether the key of this head is this node's to evict. */
bool evict_is_allowed(const struct store *store, struct bytes head);

/* Deletes keys until the rows in memory fit their budget, at most `most`. Before log_write. */
void evict_tick(struct store *store, uint64_t now_ms, uint64_t most);

#endif
