/* SPDX-License-Identifier: MIT */
#include "store/apply.h"

#include "base/check.h"
#include "base/memory.h"
#include "store/cache.h"
#include "store/derive.h"
#include "store/meta.h"

enum { DETACHED_ROOM_MIN = 1024 };

/* ---- entries --------------------------------------------------------------------------------- */

static void detach(struct store *store, struct entry *entry)
{
    if (store->detached_count == store->detached_room) {
        store->detached_room = store->detached_room ? store->detached_room * 2 : DETACHED_ROOM_MIN;
        store->detached =
            memory_resize(store->detached, store->detached_room * sizeof(*store->detached));
    }
    entry->flags |= ENTRY_DETACHED;
    store->detached[store->detached_count++] = entry;
}

/* Takes it off the list that it is on; true if it may be freed now. */
static bool leave_list(struct store *store, struct entry *entry)
{
    if (store_is_frozen(store, entry)) {
        detach(store, entry);
        return false;
    }
    if (store_is_dirty(store, entry)) {
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

static void make_dirty(struct store *store, struct entry *entry)
{
    entry->generation = store->current.number;
    list_append(&store->current.rows, &entry->link);
    store->current.count++;
    store->current.bytes += entry_bytes(entry);
}

void apply_retire(struct store *store, struct slot *slot, struct entry *entry)
{
    table_unlink(&store->table, slot, entry);
    if (leave_list(store, entry))
        table_free(&store->table, entry);
}

static struct entry *put_new(struct store *store, struct slot *slot, struct bytes name,
                             struct bytes row)
{
    struct entry *entry = table_insert(&store->table, slot, name, row);
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
    return store_is_dirty(store, entry) ? entry->flags & ENTRY_BELOW : entry->row_size > 0;
}

static struct entry *put_over(struct store *store, struct slot *slot, struct entry *old,
                              struct bytes row)
{
    bool frozen = store_is_frozen(store, old);
    bool dirty = store_is_dirty(store, old);
    uint8_t flags = is_below(store, old) ? ENTRY_BELOW : 0;
    if (old->is_head && old->row_size == 0) {
        struct slot_facts *facts =
            facts_of(&store->facts, row_key_slot(entry_name(old)), row_key_db(entry_name(old)));
        facts->stored++;
        facts->resident++;
    }
    bool outgoing = !dirty && old->collected;
    if (!frozen && !outgoing && old->row_size == row.size) {
        memmove(old->data + old->name_size, row.data, row.size);
        old->collected = 0;
        if (!dirty) {
            cache_remove(store, old);
            make_dirty(store, old);
        }
        old->flags = flags;
        return old;
    }
    struct entry *entry = table_replace(&store->table, slot, old, row);
    entry->flags = flags;
    make_dirty(store, entry);
    if (leave_list(store, old))
        table_free(&store->table, old);
    return entry;
}

struct entry *apply_load(struct store *store, struct slot *slot, struct bytes name,
                         struct bytes row)
{
    struct entry *entry = table_insert(&store->table, slot, name, row);
    cache_add(store, entry);
    if (entry->is_head && row.size > 0)
        facts_of(&store->facts, row_key_slot(name), row_key_db(name))->resident++;
    return entry;
}

/* ---- what is derived ------------------------------------------------------------------------- */

static uint64_t due_place(struct bytes name)
{
    return (uint64_t)row_key_slot(name) << 48 | row_key_hash_of(name);
}

/* The chunks that nobody names any more: dropped from memory now, from the tier by the seal. */
static void drop_chunks(struct store *store, struct slot *slot, struct bytes name,
                        const struct chunked_base *dead)
{
    struct arena *arena = &store->scratch;
    generation_note(&store->current.dead_prefixes, row_key_chunk_prefix(arena, name, dead->base));
    for (uint32_t i = 0; i < dead->chunks; i++) {
        struct entry *chunk = table_find(slot, row_key_chunk(arena, name, dead->base, i));
        if (chunk)
            apply_retire(store, slot, chunk);
    }
}

static void derive_head(struct store *store, struct slot *slot, struct entry *entry,
                        struct bytes name, struct bytes row)
{
    struct arena *arena = &store->scratch;
    struct bytes old = entry && entry_has_row(entry) ? entry_row(entry) : bytes_of("", 0);
    struct row_facts before = derive_facts(old, arena);
    struct row_facts after = derive_facts(row, arena);
    bool expired_before = before.at_ms != EXPIRY_NEVER;
    bool expires_after = after.at_ms != EXPIRY_NEVER;

    if (before.live != after.live || expired_before != expires_after)
        facts_count(&store->facts, row_key_slot(name), row_key_db(name), after.live - before.live,
                    expires_after - expired_before);
    bool dirty = entry && store_is_dirty(store, entry);
    if (expires_after && !(dirty && before.at_ms == after.at_ms))
        due_push(&store->current.due, (struct due){after.at_ms, due_place(name)});
    if (entry && !dirty && expired_before && before.at_ms != after.at_ms) {
        struct buffer index_name = {0};
        meta_expiry_name(&index_name, before.at_ms, name);
        generation_note(&store->current.index_deletes, buffer_bytes(&index_name));
        buffer_deinit(&index_name);
    }
    struct chunked_base *dead;
    unsigned count = derive_dead_bases(old, row, arena, &dead);
    for (unsigned i = 0; i < count; i++)
        drop_chunks(store, slot, name, &dead[i]);
}

/* What a reader of this change waits for: nothing while the log is being replayed. */
static uint64_t written_now(const struct store *store)
{
    return store->log ? log_position(store->log) : 0;
}

/* ---- the ways in ----------------------------------------------------------------------------- */

/*
 * Every owner has the tombstone when the only one has it (rule 4), so it needs to stay nowhere:
 * what says that the name is gone is the log until the seal, and then its absence in the tier.
 */
static bool is_collectable(const struct row_facts *facts)
{
    return !facts->live;
}

/* Something small that a later flush still knows to be older than itself. */
static struct bytes remains(struct entry *entry, struct arena *arena)
{
    struct sibling sibling;
    uint64_t at_ms;
    if (!row_peek(entry_row(entry), &sibling, &at_ms))
        return arena_copy(arena, entry_row(entry));
    return row_encode_common(arena, sibling.dot, VALUE_STRING, bytes_of("", 0), EXPIRY_NEVER);
}

void apply_collect(struct store *store, struct slot *slot, struct entry *entry)
{
    struct bytes name = entry_name(entry);
    if (entry->is_head)
        derive_head(store, slot, entry, name, bytes_of("", 0));
    if (is_below(store, entry)) {
        entry = put_over(store, slot, entry, remains(entry, &store->scratch));
        entry->collected = 1;
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
    slot->written = written_now(store);
    if (row_key_is_head(name)) {
        struct row_facts facts = derive_facts(row, &store->scratch);
        if (is_collectable(&facts)) {
            if (entry && entry_has_row(entry))
                apply_collect(store, slot, entry);
            arena_clear(&store->scratch);
            return;
        }
        derive_head(store, slot, entry, name, row);
    }
    if (entry)
        put_over(store, slot, entry, row);
    else
        put_new(store, slot, name, row);
    arena_clear(&store->scratch);
}

void apply_cleared(struct store *store, uint16_t slot_number, uint8_t db, struct flush *flush)
{
    struct slot *slot = &store->table.slots[slot_number];
    struct cleared *cleared = slot->cleared;
    while (cleared && cleared->db != db)
        cleared = cleared->next;
    if (!cleared) {
        cleared = memory_zeroed(sizeof(*cleared));
        cleared->next = slot->cleared;
        cleared->db = db;
        cleared->purged = true;
        slot->cleared = cleared;
    } else {
        flush_release(cleared->flush);
    }
    if (cleared->purged)
        store->purge.pending++;
    cleared->purged = false;
    cleared->generation = store->current.number;
    cleared->flush = flush_share(flush);
    generation_add_flushed(&store->current, slot_number, db, flush_share(flush));
    facts_clear(&store->facts, slot_number, db);
    slot->written = written_now(store);
}

bool apply_is_flushed(struct store *store, const struct slot *slot, struct bytes name,
                      struct bytes row)
{
    const struct cleared *cleared = slot->cleared;
    while (cleared && cleared->db != row_key_db(name))
        cleared = cleared->next;
    return cleared && row.size > 0 &&
           derive_is_covered(row, &cleared->flush->covered, &store->scratch);
}

bool apply_drop_if_flushed(struct store *store, struct slot *slot, struct entry *entry)
{
    if (!slot->cleared || !apply_is_flushed(store, slot, entry_name(entry), entry_row(entry)))
        return false;
    apply_retire(store, slot, entry);
    return true;
}

static enum status load(struct store *store, struct slot *slot, struct bytes name,
                        struct entry **out_entry)
{
    struct buffer row = {0};
    struct tier *tier = store->options.tier;
    enum status status = tier->ops->get(tier, name, &row);
    if (status == STATUS_OK && !apply_is_flushed(store, slot, name, buffer_bytes(&row)))
        *out_entry = apply_load(store, slot, name, buffer_bytes(&row));
    buffer_deinit(&row);
    return status == STATUS_ABSENT ? STATUS_OK : status;
}

enum status apply_incoming(struct store *store, struct bytes name, struct bytes incoming,
                           const struct vector *stable)
{
    struct slot *slot = table_slot(&store->table, name);
    struct entry *entry = table_find(slot, name);
    if (entry && apply_drop_if_flushed(store, slot, entry))
        entry = NULL;
    if (!entry) {
        enum status status = load(store, slot, name, &entry);
        if (status != STATUS_OK)
            return status;
    }
    struct arena arena;
    arena_init(&arena);
    enum status status = STATUS_OK;
    struct bytes merged = incoming;
    if (entry && entry_has_row(entry))
        status = row_merge_bytes(entry_row(entry), incoming, stable, &arena, &merged);
    if (status == STATUS_OK)
        apply_row(store, slot, entry, name, arena_copy(&arena, merged));
    arena_deinit(&arena);
    return status;
}
