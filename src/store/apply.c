/* SPDX-License-Identifier: MIT */
#include "store/apply.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/pack.h"
#include "store/access.h"
#include "store/cache.h"
#include "store/derive.h"
#include "store/export.h"
#include "store/meta.h"
#include "store/orphans.h"

enum { DETACHED_ROOM_MIN = 1024 };

/* ---- entries --------------------------------------------------------------------------------- */

static void doom(struct store *store, struct entry *entry)
{
    if (entry->flags & ENTRY_DOOMED)
        return;
    entry->flags |= ENTRY_DOOMED;
    store->doomed_bytes += entry_bytes(entry);
}

void apply_free(struct store *store, struct entry *entry)
{
    if (entry->flags & ENTRY_DOOMED)
        store->doomed_bytes -= entry_bytes(entry);
    table_free(&store->table, entry);
}

static void detach(struct store *store, struct entry *entry)
{
    doom(store, entry);
    if (store->detached_count == store->detached_room) {
        store->detached_room = store->detached_room ? store->detached_room * 2 : DETACHED_ROOM_MIN;
        store->detached =
            memory_resize(store->detached, store->detached_room * sizeof(*store->detached));
    }
    entry->flags |= ENTRY_DETACHED;
    store->detached[store->detached_count++] = entry;
}

/* It is off the list of its generation, or has another row there. */
static void forget_dead(struct generation *generation, struct entry *entry)
{
    if (entry->flags & ENTRY_DEAD)
        generation->dead_bytes -= entry_bytes(entry);
    entry->flags &= ~(unsigned)ENTRY_DEAD & 0xf;
}

/* Takes it off the list that it is on; true if it may be freed now. */
static bool leave_list(struct store *store, struct entry *entry)
{
    if (store_is_frozen(store, entry)) {
        forget_dead(&store->sealing, entry);
        detach(store, entry);
        return false;
    }
    if (store_is_dirty(store, entry)) {
        forget_dead(&store->current, entry);
        list_remove(&entry->link);
        store->current.count--;
        store->current.bytes -= entry_bytes(entry);
        return true;
    }
    if (entry->collected) { /* sealed, and on its way out: store.garbage has it */
        entry->flags |= ENTRY_DETACHED;
        return false;
    }
    cache_remove(store, entry);
    return true;
}

static void note_dead(struct store *store, struct entry *entry)
{
    entry->flags |= ENTRY_DEAD;
    store->current.dead_bytes += entry_bytes(entry);
}

static void make_dirty(struct store *store, struct entry *entry)
{
    entry->generation = store->current.number;
    entry->flushes = store->flushes;
    list_append(&store->current.rows, &entry->link);
    store->current.count++;
    store->current.bytes += entry_bytes(entry);
}

void apply_retire(struct store *store, struct slot *slot, struct entry *entry)
{
    table_unlink(&store->table, slot, entry);
    if (leave_list(store, entry))
        apply_free(store, entry);
}

static struct entry *put_new(struct store *store, struct slot *slot, struct bytes name,
                             struct bytes row)
{
    struct entry *entry = table_insert(&store->table, slot, name, row);
    entry->access = access_new(store);
    make_dirty(store, entry);
    if (entry->is_head) {
        struct slot_facts *facts = facts_of(&store->facts, row_key_slot(name), row_key_db(name));
        facts->stored++;
        facts->resident++;
    }
    return entry;
}

/* An entry that is not dirty was the tier's, or will be: a collected one too, until its seal has
 * ended. */
static bool is_below(const struct store *store, const struct entry *entry)
{
    return store_is_dirty(store, entry) ? entry->flags & ENTRY_BELOW : entry_is_counted(entry);
}

static struct entry *put_over(struct store *store, struct slot *slot, struct entry *old,
                              struct bytes row)
{
    bool frozen = store_is_frozen(store, old);
    bool dirty = store_is_dirty(store, old);
    uint8_t flags = is_below(store, old) ? ENTRY_BELOW : 0;
    if (!entry_has_row(old))
        old->access = access_new(store);
    if (old->is_head && !entry_is_counted(old)) {
        struct slot_facts *facts =
            facts_of(&store->facts, row_key_slot(entry_name(old)), row_key_db(entry_name(old)));
        facts->stored++;
        facts->resident++;
    }
    bool outgoing = !dirty && old->collected;
    if (!frozen && !outgoing && old->row_size == row.size) {
        memmove(old->data + old->name_size, row.data, row.size);
        old->collected = 0;
        if (dirty) {
            forget_dead(&store->current, old);
        } else {
            cache_remove(store, old);
            make_dirty(store, old);
        }
        old->flags = flags;
        old->flushes = store->flushes;
        return old;
    }
    struct entry *entry = table_replace(&store->table, slot, old, row);
    entry->flags = flags;
    entry->access = old->access;
    make_dirty(store, entry);
    if (leave_list(store, old))
        apply_free(store, old);
    return entry;
}

struct entry *apply_load(struct store *store, struct slot *slot, struct bytes name,
                         struct bytes row)
{
    struct entry *entry = table_insert(&store->table, slot, name, row);
    entry->flushes = store->flushes;
    entry->access = access_new(store);
    cache_add(store, entry);
    if (entry->is_head && row.size > 0)
        facts_of(&store->facts, row_key_slot(name), row_key_db(name))->resident++;
    return entry;
}

/* ---- what is derived ------------------------------------------------------------------------- */

static uint64_t due_place(struct bytes name)
{
    return (uint64_t)row_key_slot(name) << ROW_KEY_HASH_BITS | row_key_hash_of(name);
}

void apply_drop_chunks(struct store *store, struct slot *slot, struct bytes name,
                       const struct chunked_base *dead)
{
    struct arena *arena = &store->scratch;
    generation_note(&store->current.dead_prefixes, row_key_chunk_prefix(arena, name, dead->base));
    struct bytes chunk_name = row_key_chunk(arena, name, dead->base, 0);
    char *index = (char *)(uintptr_t)chunk_name.data + chunk_name.size - sizeof(uint32_t);
    for (uint32_t i = 0; i < dead->chunks; i++) { /* one name for all: the key may be long */
        pack_be(index, i, sizeof(uint32_t));
        struct entry *chunk = table_find(slot, chunk_name);
        if (chunk)
            apply_retire(store, slot, chunk);
    }
}

/* Tombstones, and the slot's digest: only where there are other copies. */
static void derive_copies(struct store *store, struct bytes name, struct bytes old,
                          struct bytes row, int tombstones)
{
    uint16_t slot = row_key_slot(name);
    uint8_t db = row_key_db(name);
    if (tombstones != 0)
        facts_count_tombstones(&store->facts, slot, db, tombstones);
    if (MUTANT(digest_not_updated) && old.size > 0 && row.size > 0)
        return;
    facts_add_digest(&store->facts, slot, db,
                     (row.size > 0 ? export_digest(name, row) : 0) -
                         (old.size > 0 ? export_digest(name, old) : 0));
}

/* `after` is what derive_facts says of the row. */
static void derive_head(struct store *store, struct slot *slot, struct entry *entry,
                        struct bytes name, struct bytes row, struct row_facts after)
{
    struct arena *arena = &store->scratch;
    struct bytes old = entry && entry_has_row(entry) ? entry_row(entry) : bytes_of("", 0);
    struct row_facts before = derive_facts(old, arena);
    bool expired_before = before.at_ms != EXPIRY_NEVER;
    bool expires_after = after.at_ms != EXPIRY_NEVER;

    if (before.live != after.live || expired_before != expires_after)
        facts_count(&store->facts, row_key_slot(name), row_key_db(name), after.live - before.live,
                    expires_after - expired_before);
    if (store->identity.joined)
        derive_copies(store, name, old, row,
                      (row.size > 0 && !after.live) - (old.size > 0 && !before.live));
    bool dirty = entry && store_is_dirty(store, entry);
    if (expires_after && !store->identity.joined && !(dirty && before.at_ms == after.at_ms))
        due_push(&store->current.due, (struct due){after.at_ms, due_place(name)});
    if (entry && !dirty && before.due_ms != EXPIRY_NEVER && before.due_ms != after.due_ms) {
        struct buffer index_name = {0};
        meta_expiry_name(&index_name, before.due_ms, name);
        generation_note(&store->current.index_deletes, buffer_bytes(&index_name));
        buffer_deinit(&index_name);
    }
    struct chunked_base *dead;
    bool drops = before.chunked && !MUTANT(head_collected_before_its_elements);
    unsigned count = drops ? derive_dead_bases(old, row, arena, &dead) : 0;
    for (unsigned i = 0; i < count; i++)
        apply_drop_chunks(store, slot, name, &dead[i]);
    if (store->orphans.count > 0)
        orphans_settle(store, slot, name, row);
}

/* ---- the ways in ----------------------------------------------------------------------------- */

/*
 * Every owner has the tombstone when the only one has it (rule 4), so it needs to stay nowhere:
 * what says that the name is gone is the log until the seal, and then its absence in the tier.
 * Where there are other copies it stays until all owners have said so.
 */
static bool is_collectable(const struct store *store, const struct row_facts *facts)
{
    return !facts->live && !store->identity.joined;
}

void apply_collect(struct store *store, struct slot *slot, struct entry *entry)
{
    struct bytes name = entry_name(entry);
    if (entry->is_head)
        derive_head(store, slot, entry, name, bytes_of("", 0),
                    (struct row_facts){.at_ms = EXPIRY_NEVER, .due_ms = EXPIRY_NEVER});
    if (is_below(store, entry)) {
        entry = put_over(store, slot, entry, bytes_of("", 0));
        entry->collected = 1;
        doom(store, entry);
    } else {
        if (entry->is_head) {
            struct slot_facts *facts =
                facts_of(&store->facts, row_key_slot(name), row_key_db(name));
            facts->stored--;
            facts->resident--;
        }
        apply_retire(store, slot, entry);
    }
    arena_clear(&store->scratch);
}

void apply_row(struct store *store, struct slot *slot, struct entry *entry, struct bytes name,
               struct bytes row)
{
    bool is_dead = false;
    slot->written = log_position(store->log); /* what a reader of this change waits for */
    if (row_key_is_head(name)) {
        struct row_facts facts = derive_facts(row, &store->scratch);
        if (is_collectable(store, &facts)) {
            if (entry && entry_has_row(entry))
                apply_collect(store, slot, entry);
            arena_clear(&store->scratch);
            return;
        }
        derive_head(store, slot, entry, name, row, facts);
        is_dead = !facts.live;
    }
    if (entry)
        entry = put_over(store, slot, entry, row);
    else
        entry = put_new(store, slot, name, row);
    if (is_dead)
        note_dead(store, entry);
    arena_clear(&store->scratch);
}

static struct cleared *cleared_of(const struct slot *slot, uint8_t db)
{
    struct cleared *cleared = slot->cleared;
    while (cleared && cleared->db != db)
        cleared = cleared->next;
    return cleared;
}

void apply_cleared(struct store *store, uint16_t slot_number, uint8_t db)
{
    struct slot *slot = &store->table.slots[slot_number];
    struct cleared *cleared = cleared_of(slot, db);
    if (!cleared) {
        cleared = memory_zeroed(sizeof(*cleared));
        cleared->next = slot->cleared;
        cleared->db = db;
        cleared->purged = true;
        slot->cleared = cleared;
    }
    store->purge.pending += cleared->purged;
    if (store->purge.slot == slot_number) /* what it has walked through is to be seen again */
        store->purge.hash = 0;
    cleared->purged = false;
    cleared->generation = store->current.number;
    cleared->flushes = store->flushes;
    generation_add_flushed(&store->current, slot_number, db, store->flushes);
    facts_clear(&store->facts, slot_number, db);
    slot->written = log_position(store->log);
}

bool apply_is_tier_flushed(const struct slot *slot, uint8_t db)
{
    const struct cleared *cleared = cleared_of(slot, db);
    return cleared && cleared->generation != 0;
}

bool apply_is_proven_absent(const struct store *store, struct bytes name)
{
    if (!row_key_is_head(name))
        return false;
    const struct slot_facts *facts =
        facts_look(&store->facts, row_key_slot(name), row_key_db(name));
    return facts->stored == facts->resident;
}

bool apply_is_flushed(const struct slot *slot, const struct entry *entry)
{
    if (!slot->cleared)
        return false;
    const struct cleared *cleared = cleared_of(slot, row_key_db(entry_name(entry)));
    return cleared && entry->flushes < cleared->flushes;
}

bool apply_drop_if_flushed(struct store *store, struct slot *slot, struct entry *entry)
{
    if (!apply_is_flushed(slot, entry))
        return false;
    apply_retire(store, slot, entry);
    return true;
}

enum status apply_replayed(struct store *store, struct bytes name, struct bytes row)
{
    struct slot *slot = table_slot(&store->table, name);
    struct entry *entry = table_find(slot, name);
    struct buffer held = {0};
    enum status status = STATUS_OK;
    if (entry && apply_drop_if_flushed(store, slot, entry))
        entry = NULL;
    if (!entry && row_key_is_head(name) && !apply_is_proven_absent(store, name) &&
        !apply_is_tier_flushed(slot, row_key_db(name))) {
        struct tier *tier = store->options.tier;
        status = tier->ops->get(tier, name, &held);
        struct row checked;
        if (status == STATUS_OK)
            status = row_decode(buffer_bytes(&held), &store->scratch, &checked);
        if (status == STATUS_OK)
            entry = apply_load(store, slot, name, buffer_bytes(&held));
        else if (status == STATUS_ABSENT)
            status = STATUS_OK;
        buffer_deinit(&held);
    }
    if (status == STATUS_OK && row.size > 0)
        apply_row(store, slot, entry, name, row);
    else if (status == STATUS_OK && entry && entry_has_row(entry))
        apply_collect(store, slot, entry);
    return status;
}
