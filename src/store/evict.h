/* SPDX-License-Identifier: MIT */
/*
 * Evicts keys for good where maxmemory-policy says so, as the users of a cache expect: each by a
 * delete of its own, in the log like any. Recency is SIEVE's order; under
 * LFU it passes over what was asked for often.
 *
 * Not where there are other copies of the rows (store_join): then nothing is evicted, as with
 * noeviction.
 */
#ifndef STORE_EVICT_H
#define STORE_EVICT_H

#include "store/state.h"

/* Deletes keys until the rows in memory fit their budget, at most `most`. Before log_write. */
void evict_tick(struct store *store, uint64_t now_ms, uint64_t most);

#endif
