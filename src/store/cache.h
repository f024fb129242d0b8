/* SPDX-License-Identifier: MIT */
/*
 * The clean entries, kept by SIEVE (Zhang et al., NSDI 2024): a queue in order of arrival; a hand
 * goes from the oldest to the newest, drops what was not visited since it last came by, and clears
 * the bit of the rest.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "store/state.h"

void cache_init(struct store *store);
void cache_add(struct store *store, struct entry *entry);

/* Takes it off the queue only. */
void cache_remove(struct store *store, struct entry *entry);

/* Where the hand is to go on when a whole list is about to be appended: nothing to do but to keep
 * it valid. */
void cache_append_all(struct store *store, struct list *entries);

/* Drops clean entries until the rows in memory fit their budget, at most `most` looks. */
void cache_trim(struct store *store, unsigned most);

/*
 * The next victim for an eviction for good: a clean, live head, allowed (evict.h), that SIEVE
 * would drop or, if `most` looks found none, the first that was visited. What else SIEVE would drop
 * leaves memory on the way; NULL if there was no victim, or that was enough.
 */
struct entry *cache_victim(struct store *store, bool only_expiring, unsigned most);

#endif
