/* SPDX-License-Identifier: MIT */
/*
 * When and how often an entry was asked for: 24 bits in each entry in memory, which OBJECT shows.
 * What they mean follows the eviction policy, as in Redis; after it has changed they need a while
 * to be true again.
 *
 *   LFU   minutes(16) counter(8)   the time of the last access, and a logarithmic counter (Morris
 *                                  1978) that goes down with the minutes since
 *   else  seconds(24)              the time of the last access
 *
 * A row that comes into memory from the tier begins anew: nobody knows when it was last asked for.
 */
#ifndef STORE_ACCESS_H
#define STORE_ACCESS_H

#include "store/state.h"

enum {
    ACCESS_BITS = 24,
    ACCESS_INITIAL = 5,  /* the counter of what is new: else it would be the first to go */
    ACCESS_MAX = 255,    /* of the counter */
    LFU_LOG_FACTOR = 10, /* defaults of store_set_lfu */
    LFU_DECAY_MINUTES = 1,
};

/* Whether that policy counts accesses: for store.lfu.on. */
static inline bool access_is_lfu(enum eviction_policy policy)
{
    return policy == EVICT_ALLKEYS_LFU || policy == EVICT_VOLATILE_LFU;
}

/* What time it is for the calls below. */
static inline void access_set_time(struct store *store, uint64_t now_ms)
{
    if (now_ms == store->now_ms)
        return;
    store->now_ms = now_ms;
    store->now_s = (uint32_t)(now_ms / 1000) & ((1u << ACCESS_BITS) - 1);
}

/* Of an entry that is new in memory. */
uint32_t access_new(const struct store *store);

/* As it would be after so many seconds without access, or with that counter, whichever the policy
 * asks for; a negative one is not known. */
uint32_t access_of(const struct store *store, int64_t idle_s, int frequency);

/* What they say now. */
uint64_t access_idle_s(const struct store *store, const struct entry *entry);
unsigned access_frequency(const struct store *store, const struct entry *entry);

/* The counter may go up. */
void access_count(struct store *store, struct entry *entry);

/* It was asked for. */
static inline void access_touch(struct store *store, struct entry *entry)
{
    entry->visited = 1;
    if (__builtin_expect(store->lfu.on, 0))
        access_count(store, entry);
    else
        entry->access = store->now_s;
}

#endif
