/* SPDX-License-Identifier: MIT */
#include "sim/store_audit.h"

#include "store/apply.h"
#include "store/derive.h"
#include "store/state.h"
#include "store/verify.h"

static const char *audit_slot(struct store *store, unsigned number, struct facts *counted)
{
    struct slot *slot = &store->table.slots[number];
    uint32_t entries = 0;
    for (size_t bucket = 0; bucket < table_buckets(slot); bucket++) {
        for (struct entry *entry = slot->buckets[bucket]; entry; entry = entry->next) {
            struct bytes name = entry_name(entry);
            entries++;
            if (row_key_slot(name) != number || table_find(slot, name) != entry)
                return "an entry stands where it is not found";
            if (entry->flags & ENTRY_DETACHED)
                return "a detached entry is in the table";
            if (!entry->is_head || !entry_is_counted(entry) || apply_is_flushed(slot, entry))
                continue;
            facts_of(counted, (uint16_t)number, row_key_db(name))->resident++;
        }
    }
    return entries == slot->entries ? NULL : "a slot miscounts its entries";
}

static const char *audit_list(const struct generation *generation)
{
    uint64_t count = 0, bytes = 0;
    for (struct list *link = generation->rows.next; link != &generation->rows; link = link->next) {
        struct entry *entry = list_entry(link, struct entry, link);
        if (entry->generation != generation->number)
            return "an entry is on another generation's list";
        count++;
        bytes += entry_bytes(entry);
    }
    return count == generation->count && bytes == generation->bytes
               ? NULL
               : "a generation miscounts its rows";
}

static const char *audit_facts(struct store *store, const struct facts *counted)
{
    for (unsigned db = 0; db < counted->databases; db++) {
        uint64_t keys = 0;
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const struct slot_facts *is = facts_look(&store->facts, (uint16_t)slot, (uint8_t)db);
            const struct slot_facts *real = facts_look(counted, (uint16_t)slot, (uint8_t)db);
            keys += is->keys;
            if (is->resident != real->resident)
                return "the heads in memory are miscounted";
            if (is->resident > is->stored || is->expiring > is->keys || is->keys > is->stored)
                return "the facts of a slot contradict each other";
        }
        if (keys != store->facts.keys[db])
            return "the keys of a database do not sum up";
    }
    return NULL;
}

/* When all is sealed, the tier alone says what there is. */
static const char *audit_tier(struct store *store)
{
    struct facts counted;
    struct buffer report = {0};
    const char *wrong = NULL;
    if (store->current.count > 0 || store->current.flushed_count > 0 ||
        store->seal.state != SEAL_IDLE || store->garbage_count > 0)
        return NULL;
    facts_init(&counted, store->facts.databases);
    if (verify_count(store->options.tier, &counted, &report) != STATUS_OK)
        wrong = "the tier holds damaged rows";
    for (unsigned db = 0; db < counted.databases && !wrong; db++) {
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const struct slot_facts *is = facts_look(&store->facts, (uint16_t)slot, (uint8_t)db);
            const struct slot_facts *real = facts_look(&counted, (uint16_t)slot, (uint8_t)db);
            if (is->keys != real->keys || is->expiring != real->expiring ||
                is->stored != real->stored)
                wrong = "the tier holds other heads than the facts say";
        }
    }
    buffer_deinit(&report);
    facts_deinit(&counted);
    return wrong;
}

const char *store_audit(struct store *store)
{
    struct facts counted;
    facts_init(&counted, store->facts.databases);
    const char *wrong = audit_list(&store->current);
    if (!wrong && store->seal.state != SEAL_IDLE)
        wrong = audit_list(&store->sealing);
    for (unsigned slot = 0; slot < SLOT_COUNT && !wrong; slot++)
        wrong = audit_slot(store, slot, &counted);
    arena_clear(&store->scratch);
    if (!wrong)
        wrong = audit_facts(store, &counted);
    facts_deinit(&counted);
    return wrong ? wrong : audit_tier(store);
}
