/* SPDX-License-Identifier: MIT */
/* One copy among several: digests, what waits for collection, and its removal. */
#include "base/mutant.h"
#include "store/apply.h"
#include "store/derive.h"
#include "store/export.h"

enum { COLLECTABLE_LOOKS = 20000 }; /* entries, per call */

uint64_t store_slot_digest(const struct store *store, uint16_t slot)
{
    return store->facts.sums[slot].digest;
}

uint64_t store_slot_stored(const struct store *store, uint16_t slot)
{
    return store->facts.sums[slot].heads;
}

uint64_t store_slot_imports(const struct store *store, uint16_t slot)
{
    return store->facts.sums[slot].imports;
}

const struct slot_set *store_slots_used(const struct store *store)
{
    return &store->facts.used;
}

uint64_t store_slot_changes(const struct store *store)
{
    return store->facts.changes;
}

/* ---- giving away ----------------------------------------------------------------------------- */

enum status store_give_away(struct store *store, struct bytes head, uint64_t digest)
{
    struct row_key key;
    if (!row_key_decode(head, &key) || key.kind != ROW_HEAD || key.db >= store->facts.databases)
        return STATUS_ABSENT;
    struct slot *slot = table_slot(&store->table, head);
    struct entry *entry = table_find(slot, head);
    if (entry && apply_drop_if_flushed(store, slot, entry))
        entry = NULL;
    if (!entry)
        return apply_is_proven_absent(store, head) || apply_is_tier_flushed(slot, key.db)
                   ? STATUS_ABSENT
                   : STATUS_COLD;
    if (!entry_has_row(entry) ||
        (export_digest(head, entry_row(entry)) != digest && !MUTANT(collected_though_changed)))
        return STATUS_ABSENT;
    enum status status = log_reserve(store->log, head.size, 1);
    if (status != STATUS_OK)
        return status;
    log_append(store->log, head, LOG_COLLECTED);
    slot->written = log_position(store->log);
    apply_collect(store, slot, entry);
    return STATUS_OK;
}

/* ---- what is to be collected ----------------------------------------------------------------- */

static bool is_to_be_collected(struct store *store, const struct slot *slot,
                               const struct entry *entry, uint64_t before_ms)
{
    if (!entry->is_head || !entry_has_row(entry) || apply_is_flushed(slot, entry))
        return false;
    struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
    arena_clear(&store->scratch);
    return !facts.live || facts.at_ms < before_ms;
}

static bool has_any_to_collect(const struct store *store, uint16_t slot)
{
    for (unsigned db = 0; db < store->facts.databases && store->facts.sums[slot].heads > 0; db++) {
        const struct slot_facts *facts = facts_look(&store->facts, slot, (uint8_t)db);
        if (facts->tombstones > 0 || facts->expiring > 0)
            return true;
    }
    return false;
}

/* From a bucket that chance chooses: so all of a slot too large for one call are found in time. */
void store_find_collectable(struct store *store, uint16_t slot_number, uint64_t before_ms,
                            size_t most, store_collectable *found, void *context)
{
    struct slot *slot = &store->table.slots[slot_number];
    size_t buckets = table_buckets(slot);
    unsigned looks = COLLECTABLE_LOOKS;
    if (buckets == 0 || !store->identity.joined || !has_any_to_collect(store, slot_number))
        return;
    if (before_ms > store->tick_ms) /* what readers here still see is not to go */
        before_ms = store->tick_ms;
    size_t from = random_below(&store->random, buckets);
    for (size_t i = 0; i < buckets && most > 0 && looks > 0; i++) {
        const struct entry *entry = *table_chain(slot, (from + i) % buckets);
        for (looks--; entry && most > 0; entry = entry->next) {
            looks -= looks > 0;
            if (!is_to_be_collected(store, slot, entry, before_ms))
                continue;
            most--;
            found(context, entry_name(entry), export_digest(entry_name(entry), entry_row(entry)));
        }
    }
}

uint64_t store_collectable_count(const struct store *store)
{
    return store->facts.tombstones + store->expired_waiting;
}

void store_set_cluster_time(struct store *store, uint64_t now_ms)
{
    store->cluster_ms = now_ms;
}

void store_set_evictor(struct store *store, const struct store_evictor *evictor)
{
    store->evictor = *evictor;
}

bool store_is_joined(const struct store *store)
{
    return store->identity.joined;
}
