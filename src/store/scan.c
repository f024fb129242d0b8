/* SPDX-License-Identifier: MIT */
/* txn_scan, txn_scan_all: a page of heads in the order of hash, of memory and the tier together. */
#include <stdlib.h>

#include "base/check.h"
#include "base/pack.h"
#include "store/apply.h"
#include "store/derive.h"
#include "store/fetch.h"

/* Heads of one side, sorted by name: so by hash. */
struct side {
    struct found {
        struct bytes name;
        struct bytes row; /* size 0: nothing to be seen, and hides the other side's */
    } * items;
    size_t count, room;
    uint64_t end; /* complete below this hash; UINT64_MAX: there are no more */
};

static void side_add(struct side *side, struct arena *arena, struct bytes name, struct bytes row)
{
    if (side->count == side->room) {
        size_t room = side->room ? side->room * 2 : 32;
        struct found *items = arena_alloc(arena, room * sizeof(*items));
        if (side->count)
            memcpy(items, side->items, side->count * sizeof(*items));
        side->items = items;
        side->room = room;
    }
    side->items[side->count++] = (struct found){name, row};
}

static int by_name(const void *a, const void *b)
{
    return bytes_compare(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static void read_table(struct txn *txn, struct slot *slot, uint8_t db, uint64_t hash, size_t limit,
                       struct side *out)
{
    struct store *store = txn->store;
    size_t buckets = table_buckets(slot);
    out->end = UINT64_MAX;
    for (size_t bucket = table_bucket(slot, hash); bucket < buckets; bucket++) {
        if (out->count >= limit) {
            out->end = table_bucket_hash(slot, bucket);
            break;
        }
        for (struct entry *entry = *table_chain(slot, bucket), *next; entry; entry = next) {
            next = entry->next;
            struct bytes name = entry_name(entry);
            if (!entry->is_head || row_key_db(name) != db || row_key_hash_of(name) < hash ||
                apply_drop_if_flushed(store, slot, entry))
                continue;
            side_add(out, txn->arena, name,
                     entry_has_row(entry) ? entry_row(entry) : bytes_of("", 0));
        }
    }
    arena_clear(&store->scratch);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
}

static void read_page(struct txn *txn, const struct fetched_page *page, struct side *out)
{
    struct bytes all = buffer_bytes(&page->rows);
    out->end = page->done ? UINT64_MAX : page->end;
    for (size_t at = 0; at < all.size;) {
        uint32_t name_size = unpack_u32(all.data + at);
        uint32_t row_size = unpack_u32(all.data + at + 4);
        struct bytes name = bytes_of(all.data + at + 8, name_size);
        struct bytes row = bytes_of(name.data + name_size, row_size);
        struct row checked;
        at += 8 + (size_t)name_size + row_size;
        if (row_decode(row, txn->arena, &checked) == STATUS_OK)
            side_add(out, txn->arena, name, row);
    }
}

/* `all`: tombstones and expired ones too. */
static void emit(struct txn *txn, const struct found *found, bool all, struct scan_page *page)
{
    struct row_key key;
    struct row_facts facts = derive_facts(found->row, txn->arena);
    if (all ? found->row.size == 0 : !facts.live || facts.at_ms < txn->now_ms)
        return;
    check(row_key_decode(found->name, &key));
    page->rows[page->count++] = (struct scan_row){key.key, found->row, found->name};
}

static void merge(struct txn *txn, const struct side *table, const struct side *tier, uint64_t end,
                  bool all, struct scan_page *out)
{
    size_t a = 0, b = 0;
    out->rows = arena_alloc(txn->arena, (table->count + tier->count) * sizeof(*out->rows));
    while (a < table->count || b < tier->count) {
        int order = a == table->count  ? 1
                    : b == tier->count ? -1
                                       : bytes_compare(table->items[a].name, tier->items[b].name);
        const struct found *found = order <= 0 ? &table->items[a] : &tier->items[b];
        a += order <= 0;
        b += order >= 0;
        if (row_key_hash_of(found->name) >= end)
            break;
        emit(txn, found, all, out);
    }
}

static enum status scan(struct txn *txn, uint16_t slot_number, uint8_t db, uint64_t hash,
                        size_t limit, bool all, struct scan_page *out)
{
    struct store *store = txn->store;
    struct slot *slot = &store->table.slots[slot_number];
    const struct slot_facts *facts = facts_look(&store->facts, slot_number, db);
    *out = (struct scan_page){.done = true};
    if (slot->written > txn->gate)
        txn->gate = slot->written;
    if (facts->stored == 0)
        return STATUS_OK;
    struct side table = {0};
    struct side tier = {.end = UINT64_MAX};
    if (facts->stored != facts->resident && !apply_is_tier_flushed(slot, db)) {
        const struct fetched_page *page = fetch_page(txn, slot_number, db, hash, limit);
        if (!page && txn->run >= TXN_RUNS_MAX) {
            store->stats.blocking_reads++;
            page = fetch_page_now(txn, slot_number, db, hash, limit);
        }
        if (!page) {
            txn->cold = true;
            fetch_want_page(txn, slot_number, db, hash, limit);
            return STATUS_COLD;
        }
        if (page->status != STATUS_OK)
            return page->status;
        read_page(txn, page, &tier);
    }
    read_table(txn, slot, db, hash, limit, &table);
    uint64_t end = table.end < tier.end ? table.end : tier.end;
    merge(txn, &table, &tier, end, all, out);
    out->done = end == UINT64_MAX;
    out->next_hash = end;
    return STATUS_OK;
}

enum status txn_scan(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, size_t limit,
                     struct scan_page *out)
{
    return scan(txn, slot, db, hash, limit, false, out);
}

enum status txn_scan_all(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, size_t limit,
                         struct scan_page *out)
{
    return scan(txn, slot, db, hash, limit, true, out);
}
