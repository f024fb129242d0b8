/* SPDX-License-Identifier: MIT */
#include "store/table.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/xxh.h"

enum {
    BITS_MIN = 2,
    BITS_MAX = 40,
    SPLITS_PER_INSERT = 2, /* a growth has ended when half as many more have come */
    CACHE_LINE = 64,
    LINES_EXPECTED = 3, /* of an entry: its head, a short name, the front of its row */
};

void table_init(struct table *table)
{
    memset(table, 0, sizeof(*table));
}

static struct entry **buckets_new(struct table *table, unsigned bits)
{
    size_t size = ((size_t)1 << bits) * sizeof(struct entry *);
    table->bytes += memory_real_size(size);
    table->bucket_bytes += memory_real_size(size);
    return memory_zeroed(size);
}

static void buckets_free(struct table *table, struct entry **buckets, unsigned bits)
{
    size_t size = ((size_t)1 << bits) * sizeof(struct entry *);
    table->bytes -= memory_real_size(size);
    table->bucket_bytes -= memory_real_size(size);
    memory_free(buckets);
}

static void growth_end(struct table *table, struct slot *slot)
{
    buckets_free(table, slot->growth->older, slot->bits - 1u);
    memory_free(slot->growth);
    slot->growth = NULL;
}

size_t entry_bytes_of(size_t name_size, size_t row_size)
{
    return memory_real_size(sizeof(struct entry) + name_size + row_size);
}

size_t entry_bytes(const struct entry *entry)
{
    return entry_bytes_of(entry->name_size, entry->row_size);
}

void table_deinit(struct table *table)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &table->slots[i];
        for (size_t b = 0; b < table_buckets(slot); b++) {
            struct entry **chain = table_chain(slot, b);
            while (*chain) {
                struct entry *entry = *chain;
                *chain = entry->next;
                memory_free(entry);
            }
        }
        if (slot->growth)
            growth_end(table, slot);
        memory_free(slot->buckets);
        while (slot->cleared) {
            struct cleared *cleared = slot->cleared;
            slot->cleared = cleared->next;
            memory_free(cleared);
        }
    }
}

/* Heads stand where their key's hash says, in the order that scans go; other rows of a key are
 * strewn. */
static uint64_t place(struct bytes name)
{
    return row_key_is_head(name) ? row_key_hash_of(name) : xxh64(name) >> 16;
}

static struct entry **chain_of(const struct slot *slot, struct bytes name)
{
    return table_chain(slot, table_bucket(slot, place(name)));
}

struct entry *table_find(const struct slot *slot, struct bytes name)
{
    if (!slot->buckets)
        return NULL;
    struct entry *entry = *chain_of(slot, name);
    while (entry && !bytes_equal(entry_name(entry), name))
        entry = entry->next;
    return entry;
}

/* Nothing of them is read before all are on their way. */
static void load_entries(struct entry *const **buckets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *entry = (const char *)*buckets[i];
        for (size_t line = 0; entry && line < LINES_EXPECTED; line++)
            __builtin_prefetch(entry + line * CACHE_LINE);
    }
}

void table_expect(const struct table *table, const struct bytes *keys, size_t count)
{
    struct entry *const *buckets[TABLE_EXPECTED_MAX];
    size_t found = 0;
    check(count <= TABLE_EXPECTED_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct slot *slot = &table->slots[slot_of_key(keys[i])];
        if (!slot->buckets)
            continue;
        buckets[found] = table_chain(slot, table_bucket(slot, row_key_hash(keys[i])));
        __builtin_prefetch(buckets[found++]);
    }
    load_entries(buckets, found);
}

void table_expect_rows(const struct table *table, const struct bytes *names, size_t count)
{
    struct entry *const *buckets[TABLE_EXPECTED_MAX];
    size_t found = 0;
    check(count <= TABLE_EXPECTED_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct slot *slot = &table->slots[row_key_slot(names[i])];
        if (!slot->buckets)
            continue;
        buckets[found] = chain_of(slot, names[i]);
        __builtin_prefetch(buckets[found++]);
    }
    load_entries(buckets, found);
}

static void grow(struct table *table, struct slot *slot)
{
    unsigned bits = slot->buckets ? slot->bits + 1u : BITS_MIN;
    check(bits <= BITS_MAX);
    if (slot->buckets) {
        slot->growth = memory_zeroed(sizeof(*slot->growth));
        slot->growth->older = slot->buckets;
    }
    slot->buckets = buckets_new(table, bits);
    slot->bits = (uint8_t)bits;
}

static void split_bucket(struct table *table, struct slot *slot)
{
    struct growth *growth = slot->growth;
    struct entry **chain = &growth->older[growth->split++];
    while (*chain) {
        struct entry *entry = *chain;
        *chain = entry->next;
        struct entry **bucket = chain_of(slot, entry_name(entry));
        entry->next = *bucket;
        *bucket = entry;
    }
    if (growth->split == (size_t)1 << (slot->bits - 1))
        growth_end(table, slot);
}

static struct entry *entry_new(struct table *table, struct bytes name, struct bytes row)
{
    struct entry *entry = memory_alloc(sizeof(*entry) + name.size + row.size);
    list_init(&entry->link);
    entry->name_size = (uint32_t)name.size;
    entry->row_size = (uint32_t)row.size;
    entry->generation = 0;
    entry->flushes = 0;
    entry->flags = 0;
    entry->visited = 0;
    entry->collected = 0;
    entry->access = 0;
    entry->is_head = row_key_is_head(name);
    memcpy(entry->data, name.data, name.size);
    if (row.size)
        memcpy(entry->data + name.size, row.data, row.size);
    table->bytes += entry_bytes(entry);
    return entry;
}

struct entry *table_insert(struct table *table, struct slot *slot, struct bytes name,
                           struct bytes row)
{
    if (!slot->growth && slot->entries >= table_buckets(slot))
        grow(table, slot);
    for (unsigned i = 0; i < SPLITS_PER_INSERT && slot->growth; i++)
        split_bucket(table, slot);
    struct entry *entry = entry_new(table, name, row);
    struct entry **bucket = chain_of(slot, name);
    entry->next = *bucket;
    *bucket = entry;
    slot->entries++;
    table->entries++;
    return entry;
}

static struct entry **link_to(struct slot *slot, struct entry *entry)
{
    struct entry **link = chain_of(slot, entry_name(entry));
    while (*link != entry) {
        check(*link);
        link = &(*link)->next;
    }
    return link;
}

void table_unlink(struct table *table, struct slot *slot, struct entry *entry)
{
    *link_to(slot, entry) = entry->next;
    slot->entries--;
    table->entries--;
}

void table_give_back(struct table *table, struct slot *slot)
{
    if (slot->entries > 0 || !slot->buckets)
        return;
    if (slot->growth)
        growth_end(table, slot);
    buckets_free(table, slot->buckets, slot->bits);
    slot->buckets = NULL;
    slot->bits = 0;
}

void table_free(struct table *table, struct entry *entry)
{
    table->bytes -= entry_bytes(entry);
    memory_free(entry);
}

struct entry *table_replace(struct table *table, struct slot *slot, struct entry *old,
                            struct bytes row)
{
    struct entry **link = link_to(slot, old);
    struct entry *entry = entry_new(table, entry_name(old), row);
    entry->next = old->next;
    *link = entry;
    return entry;
}
