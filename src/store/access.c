/* SPDX-License-Identifier: MIT */
#include "store/access.h"

enum {
    MS_PER_MINUTE = 60 * 1000,
    COUNTER_BITS = 8,
    MINUTES_MASK = 0xffff,
    SECONDS_MASK = (1 << ACCESS_BITS) - 1,
};

static uint32_t minutes(const struct store *store)
{
    return (uint32_t)(store->now_ms / MS_PER_MINUTE) & MINUTES_MASK;
}

static uint32_t pack_lfu(const struct store *store, unsigned counter)
{
    return minutes(store) << COUNTER_BITS | counter;
}

uint32_t access_of(const struct store *store, int64_t idle_s, int frequency)
{
    if (store->lfu.on)
        return pack_lfu(store, frequency < 0 ? ACCESS_INITIAL : (unsigned)frequency);
    uint32_t idle = idle_s < 0 ? 0 : idle_s < SECONDS_MASK ? (uint32_t)idle_s : SECONDS_MASK;
    return (store->now_s - idle) & SECONDS_MASK;
}

uint32_t access_new(const struct store *store)
{
    return access_of(store, -1, -1);
}

uint64_t access_idle_s(const struct store *store, const struct entry *entry)
{
    return (store->now_s - entry->access) & SECONDS_MASK;
}

unsigned access_frequency(const struct store *store, const struct entry *entry)
{
    unsigned counter = entry->access & ACCESS_MAX;
    unsigned elapsed = (minutes(store) - (entry->access >> COUNTER_BITS)) & MINUTES_MASK;
    unsigned decay = store->lfu.decay_minutes;
    unsigned lost = decay > 0 ? elapsed / decay : 0;
    return lost < counter ? counter - lost : 0;
}

void access_count(struct store *store, struct entry *entry)
{
    unsigned counter = access_frequency(store, entry);
    uint64_t above = counter > ACCESS_INITIAL ? counter - ACCESS_INITIAL : 0;
    if (counter < ACCESS_MAX && random_once_in(&store->random, above * store->lfu.log_factor + 1))
        counter++;
    entry->access = pack_lfu(store, counter);
}
