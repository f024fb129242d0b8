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

/* Goes through the slot's buckets from where the last call ended; true at their end. */
static bool purge_slot(struct store *store, struct slot *slot, unsigned *most)
{
    size_t bucket = table_bucket(slot, store->purge.hash);
    for (; bucket < table_buckets(slot) && *most > 0; bucket++) {
        *most -= 1;
        for (struct entry *entry = *table_chain(slot, bucket), *next; entry; entry = next) {
            next = entry->next;
            *most -= *most > 0;
            apply_drop_if_flushed(store, slot, entry);
        }
    }
    bool done = bucket == table_buckets(slot);
    store->purge.hash = done ? 0 : table_bucket_hash(slot, bucket);
    return done;
}

bool purge_tick(struct store *store, unsigned most)
{
    unsigned slots = SLOT_COUNT;
    while (store->purge.pending > 0 && most > 0 && slots-- > 0) {
        struct slot *slot = &store->table.slots[store->purge.slot];
        if (is_pending(slot)) {
            if (!purge_slot(store, slot, &most))
                break;
            slot_purged(store, slot);
            table_give_back(&store->table, slot);
            most -= most > 0;
        }
        store->purge.slot = (store->purge.slot + 1) % SLOT_COUNT;
    }
    return store->purge.pending > 0;
}
