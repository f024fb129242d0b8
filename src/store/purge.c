/* SPDX-License-Identifier: MIT */
#include "store/purge.h"

#include "base/memory.h"
#include "store/apply.h"

static bool is_pending(const struct slot *slot)
{
    for (const struct cleared *cleared = slot->cleared; cleared; cleared = cleared->next)
        if (!cleared->purged)
            return true;
    return false;
}

/* The slot has been walked through: what was flushed before is not in memory. */
static void slot_purged(struct store *store, struct slot *slot)
{
    for (struct cleared **link = &slot->cleared; *link;) {
        struct cleared *cleared = *link;
        store->purge.pending -= !cleared->purged;
        cleared->purged = true;
        if (cleared->generation == 0) {
            *link = cleared->next;
            memory_free(cleared);
        } else {
            link = &cleared->next;
        }
    }
}

bool purge_tick(struct store *store, unsigned most)
{
    unsigned slots = SLOT_COUNT;
    while (store->purge.pending > 0 && most > 0 && slots-- > 0) {
        struct slot *slot = &store->table.slots[store->purge.slot];
        if (!is_pending(slot)) {
            store->purge.slot = (store->purge.slot + 1) % SLOT_COUNT;
            continue;
        }
        for (size_t bucket = 0; bucket < table_buckets(slot); bucket++) {
            for (struct entry *entry = slot->buckets[bucket], *next; entry; entry = next) {
                next = entry->next;
                most -= most > 0;
                apply_drop_if_flushed(store, slot, entry);
            }
        }
        most -= most > 0;
        slot_purged(store, slot);
        arena_clear(&store->scratch);
    }
    return store->purge.pending > 0;
}
