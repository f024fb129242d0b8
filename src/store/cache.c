/* SPDX-License-Identifier: MIT */
#include "store/cache.h"

#include "base/memory.h"
#include "store/apply.h"
#include "store/derive.h"

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

/* The next entry that was not visited; the hand moves past it. NULL after `*most` looks. */
static struct entry *sieve_next(struct store *store, unsigned *most)
{
    while (*most > 0 && !list_is_empty(&store->cache)) {
        if (store->hand == &store->cache)
            store->hand = store->cache.next;
        struct entry *entry = list_entry(store->hand, struct entry, link);
        store->hand = store->hand->next;
        --*most;
        if (entry->flags & ENTRY_DETACHED || entry->collected) /* store.garbage has it */
            continue;
        if (!entry->visited)
            return entry;
        entry->visited = 0;
    }
    return NULL;
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
        struct entry *entry = sieve_next(store, &most);
        if (!entry)
            break;
        drop(store, entry);
    }
}

struct entry *cache_victim(struct store *store, bool only_expiring, unsigned most)
{
    while (store->table.bytes > store->options.rows_bytes) {
        struct entry *entry = sieve_next(store, &most);
        if (!entry)
            return NULL;
        struct slot *slot = table_slot(&store->table, entry_name(entry));
        if (apply_drop_if_flushed(store, slot, entry))
            continue;
        struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
        arena_clear(&store->scratch);
        if (entry->is_head && facts.live && (!only_expiring || facts.at_ms != EXPIRY_NEVER))
            return entry;
        drop(store, entry); /* it stays in the tier */
    }
    return NULL;
}
