/* SPDX-License-Identifier: MIT */
#include "sim/store_audit.h"

#include "store/apply.h"
#include "store/derive.h"
#include "store/meta.h"
#include "store/state.h"
#include "store/verify.h"

static const char *audit_slot(struct store *store, unsigned number, struct facts *counted)
{
    struct slot *slot = &store->table.slots[number];
    uint32_t entries = 0;
    for (size_t bucket = 0; bucket < table_buckets(slot); bucket++) {
        for (struct entry *entry = *table_chain(slot, bucket); entry; entry = entry->next) {
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

static const char *audit_list(const struct generation *generation, struct arena *scratch)
{
    uint64_t count = 0, bytes = 0, dead = 0;
    for (struct list *link = generation->rows.next; link != &generation->rows; link = link->next) {
        struct entry *entry = list_entry(link, struct entry, link);
        if (entry->generation != generation->number)
            return "an entry is on another generation's list";
        count++;
        bytes += entry_bytes(entry);
        bool is_dead = !(entry->flags & ENTRY_DETACHED) && entry->is_head && entry_has_row(entry) &&
                       !derive_facts(entry_row(entry), scratch).live;
        dead += is_dead ? entry_bytes(entry) : 0;
    }
    arena_clear(scratch);
    return count == generation->count && bytes == generation->bytes &&
                   dead == generation->dead_bytes
               ? NULL
               : "a generation miscounts its rows";
}

static const char *audit_facts(struct store *store, const struct facts *counted)
{
    for (unsigned db = 0; db < counted->databases; db++) {
        uint64_t keys = 0, expiring = 0;
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const struct slot_facts *is = facts_look(&store->facts, (uint16_t)slot, (uint8_t)db);
            const struct slot_facts *real = facts_look(counted, (uint16_t)slot, (uint8_t)db);
            keys += is->keys;
            expiring += is->expiring;
            if (is->resident != real->resident)
                return "the heads in memory are miscounted";
            if (is->resident > is->stored || is->expiring > is->keys ||
                is->keys + is->tombstones > is->stored)
                return "the facts of a slot contradict each other";
        }
        if (keys != store->facts.keys[db] || expiring != store->facts.expiring[db])
            return "the keys of a database do not sum up";
    }
    return NULL;
}

/* Whether chunks are named by their key's head, which stands before them. */
struct chunk_walk {
    struct buffer head_name, head_row;
    struct arena arena;
    bool lost;
};

static enum tier_next look_at_row(void *context, struct bytes name, struct bytes row,
                                  struct buffer *seek_to)
{
    struct chunk_walk *walk = context;
    struct row_key key;
    struct chunked_base *bases;
    (void)seek_to;
    if (!row_key_decode(name, &key))
        return TIER_NEXT;
    arena_clear(&walk->arena);
    if (key.kind == ROW_HEAD) {
        buffer_clear(&walk->head_name, SIZE_MAX);
        buffer_clear(&walk->head_row, SIZE_MAX);
        buffer_append_bytes(&walk->head_name, name);
        buffer_append_bytes(&walk->head_row, row);
        return TIER_NEXT;
    }
    bool named = false;
    unsigned count = 0;
    if (bytes_equal(buffer_bytes(&walk->head_name), row_key_head(&walk->arena, key.db, key.key)))
        count =
            derive_dead_bases(buffer_bytes(&walk->head_row), bytes_of("", 0), &walk->arena, &bases);
    for (unsigned i = 0; i < count; i++)
        named |= dot_equal(bases[i].base, key.base) && key.index < bases[i].chunks;
    walk->lost |= !named;
    return TIER_NEXT;
}

static const char *audit_chunks(struct tier *tier)
{
    struct chunk_walk walk = {0};
    char past_slots = (char)(SLOT_COUNT >> 8);
    arena_init(&walk.arena);
    enum status status =
        tier->ops->scan(tier, bytes_of("", 0), bytes_of(&past_slots, 1), true, look_at_row, &walk);
    buffer_deinit(&walk.head_name);
    buffer_deinit(&walk.head_row);
    arena_deinit(&walk.arena);
    if (status != STATUS_OK)
        return "the tier cannot be read";
    return walk.lost ? "the tier holds chunks that no head names" : NULL;
}

static enum tier_next note_name(void *context, struct bytes name, struct bytes row,
                                struct buffer *seek_to)
{
    (void)row;
    (void)seek_to;
    generation_note(context, name);
    return TIER_NEXT;
}

/* Each head of the tier that expires, and each tombstone, stands in the index; what else stands
 * there is found when it comes due. */
static const char *audit_index(struct store *store, uint64_t due, uint64_t purged_ms)
{
    struct tier *tier = store->options.tier;
    struct buffer names = {0};
    const char from = (char)META_EXPIRY, to = (char)(META_EXPIRY + 1);
    enum status status =
        tier->ops->scan(tier, bytes_of(&from, 1), bytes_of(&to, 1), true, note_name, &names);
    const char *wrong = status == STATUS_OK ? NULL : "the tier's index cannot be read";
    struct bytes index_name, name;
    for (size_t at = 0; generation_next_note(&names, &at, &index_name);) {
        uint64_t at_ms;
        struct buffer row = {0};
        if (!meta_expiry_decode(index_name, &at_ms, &name))
            wrong = "a damaged name in the tier's index";
        else if (tier->ops->get(tier, name, &row) == STATUS_OK)
            due -= derive_facts(buffer_bytes(&row), &store->scratch).due_ms == at_ms;
        buffer_deinit(&row);
        if (!wrong && at_ms < purged_ms && buffer_size(&store->current.index_deletes) == 0)
            wrong = "the tier's index still names what expired long ago";
    }
    buffer_deinit(&names);
    arena_clear(&store->scratch);
    return wrong || due == 0 ? wrong : "a head that is to come due is not in the tier's index";
}

/* When all is sealed, the tier alone says what there is. */
static const char *audit_tier(struct store *store, uint64_t purged_ms)
{
    struct facts counted;
    struct buffer report = {0};
    const char *wrong = NULL;
    if (store->current.count > 0 || store->current.flushed_count > 0 ||
        store->seal.state != SEAL_IDLE || store->garbage_count > 0)
        return NULL;
    facts_init(&counted, store->facts.databases);
    counted.digests = store->facts.digests;
    if (verify_count(store->options.tier, &counted, &report) != STATUS_OK)
        wrong = "the tier holds damaged rows";
    for (unsigned db = 0; db < counted.databases && !wrong; db++) {
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            const struct slot_facts *is = facts_look(&store->facts, (uint16_t)slot, (uint8_t)db);
            const struct slot_facts *real = facts_look(&counted, (uint16_t)slot, (uint8_t)db);
            if (is->keys != real->keys || is->expiring != real->expiring ||
                is->stored != real->stored || is->tombstones != real->tombstones ||
                is->digest != real->digest)
                wrong = "the tier holds other heads than the facts say";
        }
    }
    uint64_t due = counted.tombstones;
    for (unsigned db = 0; db < counted.databases; db++)
        due += counted.expiring[db];
    buffer_deinit(&report);
    facts_deinit(&counted);
    if (!wrong)
        wrong = audit_chunks(store->options.tier);
    return wrong ? wrong : audit_index(store, due, purged_ms);
}

const char *store_audit(struct store *store, uint64_t purged_ms)
{
    struct facts counted;
    facts_init(&counted, store->facts.databases);
    const char *wrong = audit_list(&store->current, &store->scratch);
    if (!wrong && store->seal.state != SEAL_IDLE)
        wrong = audit_list(&store->sealing, &store->scratch);
    for (unsigned slot = 0; slot < SLOT_COUNT && !wrong; slot++)
        wrong = audit_slot(store, slot, &counted);
    arena_clear(&store->scratch);
    if (!wrong)
        wrong = audit_facts(store, &counted);
    facts_deinit(&counted);
    return wrong ? wrong : audit_tier(store, purged_ms);
}
