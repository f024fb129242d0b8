/* SPDX-License-Identifier: MIT */
#include "store/evict.h"

#include "base/check.h"
#include "store/apply.h"
#include "store/cache.h"
#include "store/derive.h"
#include "store/purge.h"

enum {
    LOOKS = 256,        /* for one victim */
    PURGE = 4096,       /* flushed rows, per call */
    FRUITLESS_MAX = 16, /* searches that found none, per call */
    RANDOM_SLOTS = 512, /* looked into for one */
};

static bool is_only_expiring(enum eviction_policy policy)
{
    return policy >= EVICT_VOLATILE_LRU;
}

bool evict_is_allowed(const struct store *store, struct bytes head)
{
    const struct store_evictor *evictor = &store->evictor;
    return !store->identity.joined ||
           (evictor->may_evict && evictor->may_evict(evictor->context, row_key_slot(head)));
}

static bool is_victim(struct store *store, struct slot *slot, struct entry *entry,
                      bool only_expiring)
{
    if (!entry->is_head || !entry_has_row(entry) || apply_drop_if_flushed(store, slot, entry))
        return false;
    struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
    arena_clear(&store->scratch);
    return facts.live && (!only_expiring || facts.at_ms != EXPIRY_NEVER) &&
           evict_is_allowed(store, entry_name(entry));
}

/* The oldest change of the current generation: for when nothing is clean. */
static struct entry *dirty_victim(struct store *store, bool only_expiring)
{
    struct list *link = store->current.rows.next;
    for (unsigned looks = 0; looks < LOOKS && link != &store->current.rows; looks++) {
        struct entry *entry = list_entry(link, struct entry, link);
        link = link->next;
        if (is_victim(store, table_slot(&store->table, entry_name(entry)), entry, only_expiring))
            return entry;
    }
    return NULL;
}

static struct entry *random_victim(struct store *store, bool only_expiring)
{
    for (unsigned i = 0; i < RANDOM_SLOTS; i++) {
        struct slot *slot = &store->table.slots[random_below(&store->random, SLOT_COUNT)];
        if (slot->entries == 0)
            continue;
        size_t bucket = random_below(&store->random, table_buckets(slot));
        for (struct entry *entry = *table_chain(slot, bucket), *next; entry; entry = next) {
            next = entry->next;
            if (is_victim(store, slot, entry, only_expiring))
                return entry;
        }
    }
    return NULL;
}

static struct entry *at_place(struct store *store, struct due due)
{
    struct slot *slot = &store->table.slots[due.place >> ROW_KEY_HASH_BITS];
    uint64_t hash = due.place & 0xffffffffffff;
    if (!slot->buckets)
        return NULL;
    for (struct entry *entry = *table_chain(slot, table_bucket(slot, hash)), *next; entry;
         entry = next) {
        next = entry->next;
        if (!entry->is_head || row_key_hash_of(entry_name(entry)) != hash ||
            !is_victim(store, slot, entry, true))
            continue;
        struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
        arena_clear(&store->scratch);
        if (facts.at_ms == due.at_ms)
            return entry;
    }
    return NULL;
}

/* The key that expires first, of those that changed lately. It stays in the heap: perhaps it cannot
 * be deleted now. */
static struct entry *soonest_victim(struct store *store)
{
    struct due_heap *due = &store->current.due;
    for (unsigned looks = 0; looks < LOOKS && due->count > 0; looks++) {
        struct entry *entry = at_place(store, due->items[0]);
        if (entry)
            return entry;
        due_pop(due);
    }
    return NULL;
}

/* NULL: none was found, or dropping clean rows that are not to be evicted was enough. */
static struct entry *victim(struct store *store)
{
    enum eviction_policy policy = store->options.eviction;
    bool only_expiring = is_only_expiring(policy);
    struct entry *entry = NULL;
    if (policy == EVICT_VOLATILE_TTL)
        entry = soonest_victim(store);
    if (policy == EVICT_ALLKEYS_RANDOM || policy == EVICT_VOLATILE_RANDOM)
        entry = random_victim(store, only_expiring);
    if (!entry)
        entry = cache_victim(store, only_expiring, LOOKS);
    if (!entry && store_is_over(store))
        entry = dirty_victim(store, only_expiring);
    return entry;
}

static enum status delete_key(struct store *store, struct entry *entry, uint64_t now_ms)
{
    struct arena arena;
    struct row row;
    struct txn txn;
    arena_init(&arena);
    txn_init(&txn, store, &arena);
    txn_begin(&txn, now_ms);
    struct bytes name = arena_copy(&arena, entry_name(entry));
    enum status status = row_decode(entry_row(entry), &arena, &row);
    if (status == STATUS_OK) {
        row_delete(&row, txn_dot(&txn, row_newest_time(&row)), &arena);
        row_canonical(&row, store_stable(store));
        txn_stage(&txn, name, row_encode(&row, &arena));
        status = txn_commit(&txn);
        if (status == STATUS_OK && store->identity.joined)
            store->evictor.evicted(store->evictor.context, &txn);
    }
    txn_end(&txn);
    arena_deinit(&arena);
    return status;
}

/* The policy found no key. Where there are other copies it may just have come upon rows that are
 * not this node's to evict: they leave memory, now or once they are sealed. */
static bool is_nothing_left(const struct store *store)
{
    if (!store->identity.joined)
        return store_is_over(store);
    return store_is_over(store) && list_is_empty(&store->cache) && store->seal.state == SEAL_IDLE;
}

void evict_tick(struct store *store, uint64_t now_ms, uint64_t most)
{
    store->evict_nothing_left = false;
    if (store->options.eviction == EVICT_NOTHING)
        return;
    if (purge_tick(store, PURGE)) /* what is dead anyway goes first */
        return;
    unsigned fruitless = 0;
    while (store_is_over(store) && most-- > 0) {
        struct entry *entry = victim(store);
        if (!entry && (fruitless++ == FRUITLESS_MAX || list_is_empty(&store->cache))) {
            store->evict_nothing_left = is_nothing_left(store);
            return;
        }
        if (!entry)
            continue;
        if (delete_key(store, entry, now_ms) != STATUS_OK)
            return;
        store->stats.evicted_keys++;
    }
}
