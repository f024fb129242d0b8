/* SPDX-License-Identifier: MIT */
#include "store/cache.h"

#include "base/memory.h"
#include "store/access.h"
#include "store/apply.h"
#include "store/derive.h"
#include "store/evict.h"

void cache_init(struct store *store)
{
    list_init(&store->cache);
    store->hand = &store->cache;
}

void cache_add(struct store *store, struct entry *entry)
{
    entry->visited = 0;
    list_append(&store->cache, &entry->link);
}

void cache_remove(struct store *store, struct entry *entry)
{
    if (store->hand == &entry->link)
        store->hand = entry->link.next;
    list_remove(&entry->link);
}

void cache_append_all(struct store *store, struct list *entries)
{
    list_splice(&store->cache, entries);
}

/* The next entry; the hand moves past it. NULL after `*most` looks. */
static struct entry *look(struct store *store, unsigned *most)
{
    while (*most > 0 && !list_is_empty(&store->cache)) {
        if (store->hand == &store->cache)
            store->hand = store->cache.next;
        struct entry *entry = list_entry(store->hand, struct entry, link);
        store->hand = store->hand->next;
        --*most;
        if (!(entry->flags & ENTRY_DETACHED) && !entry->collected) /* store.garbage has those */
            return entry;
    }
    return NULL;
}

static bool was_visited(struct entry *entry)
{
    bool visited = entry->visited;
    entry->visited = 0;
    return visited;
}

static void drop(struct store *store, struct entry *entry)
{
    struct bytes name = entry_name(entry);
    struct slot *slot = table_slot(&store->table, name);
    if (apply_drop_if_flushed(store, slot, entry))
        return;
    if (entry->is_head && entry->row_size > 0)
        facts_of(&store->facts, row_key_slot(name), row_key_db(name))->resident--;
    apply_retire(store, slot, entry);
    store->stats.cache_evictions++;
}

void cache_trim(struct store *store, unsigned most)
{
    while (store->table.bytes > store->options.rows_bytes) {
        struct entry *entry = look(store, &most);
        if (!entry)
            break;
        if (!was_visited(entry))
            drop(store, entry);
    }
}

/* Under LFU what was asked for often is passed over more than once: about as often as its counter
 * stands above that of a new key. */
static bool is_spared(struct store *store, const struct entry *entry)
{
    if (!store->lfu.on)
        return false;
    unsigned frequency = access_frequency(store, entry);
    return frequency > ACCESS_INITIAL &&
           !random_once_in(&store->random, frequency - ACCESS_INITIAL + 1);
}

struct entry *cache_victim(struct store *store, bool only_expiring, unsigned most)
{
    struct entry *first = NULL;
    struct entry *entry;
    while (store_is_over(store) && (entry = look(store, &most))) {
        struct slot *slot = table_slot(&store->table, entry_name(entry));
        if (entry == first) /* all the way round */
            break;
        if (apply_drop_if_flushed(store, slot, entry))
            continue;
        if (!entry_has_row(entry)) {
            drop(store, entry);
            continue;
        }
        struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
        arena_clear(&store->scratch);
        bool visited = was_visited(entry);
        if (!entry->is_head || !facts.live || (only_expiring && facts.at_ms == EXPIRY_NEVER) ||
            !evict_is_allowed(store, entry_name(entry))) {
            if (!visited)
                drop(store, entry); /* it stays in the tier */
            continue;
        }
        if (!visited && !is_spared(store, entry))
            return entry;
        if (!first)
            first = entry;
    }
    return store_is_over(store) ? first : NULL;
}
