/* SPDX-License-Identifier: MIT */
#include "store/facts.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "store/export.h"
#include "store/meta.h"
#include "store/store.h"

enum {
    FORMAT = 1,
    FORMAT_DIGESTS = 2,
    DIGEST_SIZE = 8,
    BLOCKS = SLOT_COUNT / FACTS_BLOCK, /* in a database */
};

void facts_init(struct facts *facts, unsigned databases)
{
    *facts = (struct facts){.databases = databases};
    facts->slots = memory_zeroed(databases * sizeof(*facts->slots));
    facts->sums = memory_zeroed(SLOT_COUNT * sizeof(*facts->sums));
    facts->keys = memory_zeroed(databases * sizeof(*facts->keys));
    facts->blocks = memory_zeroed(databases * (size_t)BLOCKS * sizeof(*facts->blocks));
    facts->expiring = memory_zeroed(databases * sizeof(*facts->expiring));
}

void facts_deinit(struct facts *facts)
{
    for (unsigned db = 0; db < facts->databases; db++)
        memory_free(facts->slots[db]);
    memory_free(facts->slots);
    memory_free(facts->sums);
    memory_free(facts->keys);
    memory_free(facts->blocks);
    memory_free(facts->expiring);
}

struct slot_facts *facts_of(struct facts *facts, uint16_t slot, uint8_t db)
{
    check(db < facts->databases && slot < SLOT_COUNT);
    if (!facts->slots[db])
        facts->slots[db] = memory_zeroed(SLOT_COUNT * sizeof(struct slot_facts));
    return &facts->slots[db][slot];
}

const struct slot_facts *facts_look(const struct facts *facts, uint16_t slot, uint8_t db)
{
    static const struct slot_facts none;
    if (db >= facts->databases || !facts->slots[db])
        return &none;
    return &facts->slots[db][slot];
}

uint64_t export_digest(struct bytes name, struct bytes row)
{
    uint64_t halves[] = {xxh64(name), xxh64(row)};
    return xxh64(bytes_of((const char *)halves, sizeof(halves)));
}

static uint64_t *block_of(struct facts *facts, uint16_t slot, uint8_t db)
{
    return &facts->blocks[(size_t)db * BLOCKS + slot / FACTS_BLOCK];
}

static void add_to_sum(struct facts *facts, uint16_t slot, uint64_t heads, uint64_t digest)
{
    facts->sums[slot].heads += heads;
    facts->sums[slot].digest += digest;
    slot_set_put(&facts->used, slot, facts->sums[slot].heads > 0);
    facts->changes++;
}

void facts_count(struct facts *facts, uint16_t slot, uint8_t db, int keys, int expiring)
{
    struct slot_facts *of = facts_of(facts, slot, db);
    of->keys += (uint32_t)keys;
    of->expiring += (uint32_t)expiring;
    facts->keys[db] += (uint64_t)keys;
    *block_of(facts, slot, db) += (uint64_t)keys;
    facts->expiring[db] += (uint64_t)expiring;
    add_to_sum(facts, slot, (uint64_t)keys, 0);
    check((int32_t)of->keys >= 0 && (int32_t)of->expiring >= 0);
}

void facts_count_tombstones(struct facts *facts, uint16_t slot, uint8_t db, int tombstones)
{
    struct slot_facts *of = facts_of(facts, slot, db);
    of->tombstones += (uint32_t)tombstones;
    facts->tombstones += (uint64_t)tombstones;
    add_to_sum(facts, slot, (uint64_t)tombstones, 0);
    check((int32_t)of->tombstones >= 0);
}

void facts_add_digest(struct facts *facts, uint16_t slot, uint8_t db, uint64_t digest)
{
    facts_of(facts, slot, db)->digest += digest;
    add_to_sum(facts, slot, 0, digest);
}

void facts_clear(struct facts *facts, uint16_t slot, uint8_t db)
{
    struct slot_facts *of = facts_of(facts, slot, db);
    facts->keys[db] -= of->keys;
    *block_of(facts, slot, db) -= of->keys;
    facts->expiring[db] -= of->expiring;
    facts->tombstones -= of->tombstones;
    add_to_sum(facts, slot, -((uint64_t)of->keys + of->tombstones), -of->digest);
    *of = (struct slot_facts){0};
}

uint16_t facts_slot_at(const struct facts *facts, uint8_t db, uint64_t rank)
{
    check(db < facts->databases && rank < facts->keys[db]);
    const uint64_t *block = &facts->blocks[(size_t)db * BLOCKS];
    unsigned slot = 0;
    for (; rank >= *block; slot += FACTS_BLOCK)
        rank -= *block++;
    for (; rank >= facts->slots[db][slot].keys; slot++)
        rank -= facts->slots[db][slot].keys;
    return (uint16_t)slot;
}

void facts_encode(const struct facts *facts, uint8_t db, struct buffer *out)
{
    unsigned former = 0;
    buffer_append_u8(out, facts->digests ? FORMAT_DIGESTS : FORMAT);
    if (!facts->slots[db])
        return;
    for (uint32_t slot = 0; (slot = slot_set_next(&facts->used, slot)) < SLOT_COUNT; slot++) {
        const struct slot_facts *of = &facts->slots[db][slot];
        if (of->keys == 0 && of->tombstones == 0)
            continue;
        char *room = buffer_reserve(out, 4 * VARINT_MAX + DIGEST_SIZE);
        char *end = pack_varint(room, slot - former);
        end = pack_varint(end, of->keys);
        end = pack_varint(end, of->expiring);
        end = pack_varint(end, (uint64_t)of->keys + of->tombstones); /* when it has ended */
        if (facts->digests)
            end = pack_u64(end, of->digest);
        buffer_commit(out, (size_t)(end - room));
        former = slot;
    }
}

static enum status decode(struct facts *facts, uint8_t db, struct bytes row)
{
    struct unpack in = unpack_begin(row);
    uint64_t slot = 0;
    unsigned format = unpack_next_u8(&in);
    if (format != FORMAT && format != FORMAT_DIGESTS)
        return STATUS_VERSION;
    if (in.next < in.end && format == FORMAT)
        facts->digests = false;
    if (in.next < in.end && db >= facts->databases)
        return STATUS_INVALID;
    while (in.next < in.end) {
        slot += unpack_next_varint(&in);
        uint64_t keys = unpack_next_varint(&in);
        uint64_t expiring = unpack_next_varint(&in);
        uint64_t stored = unpack_next_varint(&in);
        uint64_t digest = format == FORMAT_DIGESTS ? unpack_next_u64(&in) : 0;
        if (in.failed || slot >= SLOT_COUNT || stored > INT32_MAX || keys > stored ||
            expiring > keys)
            return STATUS_CORRUPT;
        facts_count(facts, (uint16_t)slot, db, (int)keys, (int)expiring);
        facts_count_tombstones(facts, (uint16_t)slot, db, (int)(stored - keys));
        facts_of(facts, (uint16_t)slot, db)->stored = (uint32_t)stored;
        facts_add_digest(facts, (uint16_t)slot, db, digest);
    }
    return STATUS_OK;
}

enum status facts_read(struct facts *facts, struct tier *tier)
{
    enum status status = STATUS_OK;
    facts->digests = true; /* until one is met that has none */
    for (unsigned db = 0; db < DATABASES_MAX && status == STATUS_OK; db++) {
        char name[META_FACTS_NAME_SIZE];
        struct buffer row = {0};
        status = tier->ops->get(tier, meta_facts_name(name, (uint8_t)db), &row);
        if (status == STATUS_OK)
            status = decode(facts, (uint8_t)db, buffer_bytes(&row));
        else if (status == STATUS_ABSENT)
            status = STATUS_OK;
        buffer_deinit(&row);
    }
    return status;
}
