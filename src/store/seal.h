/* SPDX-License-Identifier: MIT */
/*
 * Sealing: a generation's rows are sorted on a storage thread, written as one table and ingested
 * into the tier, with the expiry index, the facts and the log's position as of its end: the tier is
 * always a whole state of the store. Then its log segments go, and its entries are clean.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "store/state.h"

/*
 * Begins one if the current generation weighs at least `weight` (or `now`) and none is under way.
 * After log_write. STATUS_DISK_FULL: nothing has changed, to be tried again. STATUS_IO is final.
 */
MUST_CHECK enum status seal_begin(struct store *store, uint64_t weight, bool now);

/* Tries a failed one again, when its time has come. */
void seal_retry(struct store *store, uint64_t now_ms);

/* Since the last seal began, as ticks tell. */
static inline uint64_t seal_elapsed_ms(const struct store *store)
{
    uint64_t begun_ms = store->seal.begun_ms;
    return store->tick_ms > begun_ms ? store->tick_ms - begun_ms : 0;
}

/* Frees entries that outlived their seal, a bounded number per call. */
void seal_collect_garbage(struct store *store, unsigned most);

/* Frees the job; for the end of the store. */
void seal_deinit(struct store *store);

#endif
