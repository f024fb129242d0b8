/* SPDX-License-Identifier: MIT */
#include "store/import.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "row/chunked.h"
#include "row/row_list.h"
#include "store/export.h"
#include "store/orphans.h"
#include "store/state.h"

enum {
    CHUNKS_MAX = CHUNKED_LENGTH_MAX / CHUNK_SIZE + 1, /* of the longest string */
    KEEP_BYTES = 64 * 1024, /* of a finished import's copy, for the next */
};

struct import {
    struct list link; /* of store.imports.waiting, once it waits */
    uint64_t mark;    /* store.copies_begun then */
    struct store *store;
    struct txn txn;
    struct arena arena;
    struct bytes rows;    /* the list: the caller's, or `copy` */
    struct bytes grounds; /* as the rows */
    bool is_short;        /* heads were left out */
    struct buffer copy;   /* of what has to wait */
    bool waits;
    bool for_room; /* not for the disk */
    uint64_t now_ms;
    import_done *done;
    void *context;
};

/* ---- what a peer may send -------------------------------------------------------------------- */

/* The newest time of an actor in a row's increments. */
static uint64_t newest_of(const struct increments *increments, actor_t actor, uint64_t newest)
{
    for (uint32_t i = 0; i < increments->count; i++)
        if (increments->items[i].actor == actor && increments->items[i].time > newest)
            newest = increments->items[i].time;
    return newest;
}

/* The newest event of the actor that the row shows, 0 for none. The vector covers siblings and
 * expiry entries. Bytes that were decoded before, or none. */
static uint64_t shown_of(struct bytes bytes, actor_t actor, struct arena *arena)
{
    struct sibling sibling;
    struct row row;
    uint64_t at_ms;
    if (bytes.size == 0)
        return 0;
    if (row_peek(bytes, &sibling, &at_ms))
        return sibling.dot.actor == actor ? sibling.dot.time : 0;
    if (row_decode(bytes, arena, &row) != STATUS_OK)
        return 0;
    uint64_t newest = vector_time(&row.vector, actor);
    for (uint32_t i = 0; i < row.sibling_count; i++)
        newest = newest_of(&row.siblings[i].remembered, actor, newest);
    newest = newest_of(&row.added, actor, newest);
    return newest_of(&row.removed, actor, newest);
}

static enum status check_row(const struct import *import, struct bytes name, struct bytes bytes,
                             struct arena *arena, uint64_t *newest)
{
    struct row_key key;
    struct row row;
    if (!row_key_decode(name, &key) || (key.kind != ROW_HEAD && key.kind != ROW_CHUNK) ||
        bytes.size == 0 || name.size + bytes.size > ROW_SIZE_MAX ||
        row_decode(bytes, arena, &row) != STATUS_OK)
        return STATUS_CORRUPT;
    if (key.kind == ROW_CHUNK && key.index >= CHUNKS_MAX)
        return STATUS_CORRUPT;
    uint64_t time = row_newest_time(&row);
    if (key.db >= import->store->facts.databases)
        return STATUS_INVALID;
    uint64_t now_ms =
        import->store->cluster_ms ? import->store->cluster_ms : import->store->tick_ms;
    if (clock_ms(time) > now_ms + IMPORT_AHEAD_MS)
        return STATUS_INVALID;
    if (time > *newest)
        *newest = time;
    return STATUS_OK;
}

/* Each is of one of the rows, a head. */
static enum status check_grounds(struct import *import)
{
    struct bytes rest = import->rows, grounds = import->grounds, name, bytes, ground;
    struct row row;
    enum status status = STATUS_OK;
    for (size_t at = 0; status == STATUS_OK && row_list_next(&rest, &name, &bytes);
         at = import->rows.size - rest.size) {
        if (!import_ground_at(&grounds, at, &ground))
            continue;
        if (!row_key_is_head(name) || row_decode(ground, &import->arena, &row) != STATUS_OK)
            status = STATUS_CORRUPT;
        arena_clear(&import->arena);
    }
    return grounds.size == 0 ? status : STATUS_CORRUPT;
}

/* Before anything of it is believed. */
static enum status check_list(struct import *import)
{
    struct bytes rest = import->rows, name, row;
    enum status status = STATUS_OK;
    uint64_t newest = 0;
    while (status == STATUS_OK && row_list_next(&rest, &name, &row)) {
        status = check_row(import, name, row, &import->arena, &newest);
        arena_clear(&import->arena);
    }
    if (status == STATUS_OK && rest.size > 0)
        status = STATUS_CORRUPT;
    if (status == STATUS_OK)
        status = check_grounds(import);
    if (status == STATUS_OK)
        clock_see(&import->store->clock, newest);
    return status;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* The row as the transaction has it; none has size 0. */
static enum status held_row(struct txn *txn, struct bytes name, struct bytes *out_row)
{
    enum status status = txn_get(txn, name, out_row);
    if (status != STATUS_ABSENT)
        return status;
    *out_row = bytes_of("", 0);
    return STATUS_OK;
}

/*
 * Whether the head of a chunk's key has left the chunk's base behind: it has seen the write that
 * made the string long, and names it no more. If it has not seen that write yet, the chunk waits
 * for a head that has: it may come after it in this list.
 */
static enum status is_left_behind(struct txn *txn, const struct row_key *key, bool *out)
{
    struct bytes head, name = row_key_head(txn->arena, key->db, key->key);
    struct row row;
    enum status status = held_row(txn, name, &head);
    *out = false;
    if (status == STATUS_OK && head.size > 0)
        status = row_decode(head, txn->arena, &row);
    if (status != STATUS_OK)
        return status;
    if (head.size == 0 || !vector_covers(&row.vector, key->base)) {
        orphans_note(txn->store, name, key->base, key->index);
        return STATUS_OK;
    }
    *out = true;
    for (uint32_t i = 0; i < row.sibling_count; i++) {
        struct chunked chunked;
        if (row.siblings[i].form == VALUE_CHUNKED &&
            chunked_unpack(row.siblings[i].value, &chunked) && dot_equal(chunked.base, key->base))
            *out = false;
    }
    return STATUS_OK;
}

/* Merges one row and stages it if that makes a difference. */
static enum status take_row(struct import *import, struct bytes name, struct bytes row,
                            bool *forgotten)
{
    struct txn *txn = &import->txn;
    struct row_key key;
    struct bytes held, merged = row;
    bool left_behind = false;
    enum status status = held_row(txn, name, &held);
    if (!row_key_is_head(name)) {
        check(row_key_decode(name, &key));
        enum status of_head = is_left_behind(txn, &key, &left_behind);
        status = status == STATUS_OK ? of_head : status;
    }
    if (status != STATUS_OK || left_behind || bytes_equal(held, row))
        return status;
    if (held.size > 0) {
        status = row_merge_bytes(held, row, txn_stable(txn), txn->arena, &merged);
        if (status != STATUS_OK)
            return status;
        if (name.size + merged.size > ROW_SIZE_MAX)
            return STATUS_TOO_BIG;
    }
    if (held.size > 0 && (merged.data == held.data || bytes_equal(merged, held)))
        return STATUS_OK;
    actor_t actor = identity_actor(&import->store->identity);
    *forgotten |= !MUTANT(epoch_kept_though_events_are_forgotten) &&
                  shown_of(row, actor, txn->arena) > shown_of(held, actor, txn->arena);
    txn_stage(txn, name, merged);
    return STATUS_OK;
}

/* Whether what is held has seen all that the ground has. */
static enum status stands(struct txn *txn, struct bytes name, struct bytes ground, bool *out)
{
    struct bytes held;
    struct row row, before;
    enum status status = held_row(txn, name, &held);
    *out = false;
    if (status != STATUS_OK || held.size == 0)
        return status;
    status = row_decode(held, txn->arena, &row);
    if (status == STATUS_OK)
        status = row_decode(ground, txn->arena, &before);
    *out = status == STATUS_OK && vector_covers_all(&row.vector, &before.vector);
    return status;
}

/* Rule 1: the actor has forgotten events of its own, so it ends before anything else is written. */
static enum status take_epoch(struct store *store)
{
    enum status status =
        identity_new_epoch(store->options.files, &store->identity, random_next(&store->random));
    if (status != STATUS_OK && store->failure == STATUS_OK)
        store->failure = status; /* nobody knows who this is */
    store->stats.epochs_taken += status == STATUS_OK;
    return status;
}

/* Slots have got rows from elsewhere: those of one slot mostly stand together, and more than one
 * for an import does no harm. */
static void count_imports(struct store *store, const struct txn *txn)
{
    unsigned last = SLOT_COUNT;
    for (uint32_t i = 0; i < txn->staged_count; i++) {
        uint16_t slot = row_key_slot(txn->staged[i].name);
        if (slot != last)
            store->facts.sums[slot].imports++;
        last = slot;
    }
}

static enum status run(struct import *import)
{
    struct txn *txn = &import->txn;
    struct store *store = import->store;
    struct bytes rest = import->rows, grounds = import->grounds, name, row, ground;
    bool cold = false, forgotten = false;
    import->is_short = false;
    arena_clear(&import->arena);
    txn_begin(txn, store->now_ms > import->now_ms ? store->now_ms : import->now_ms);
    txn->no_touch = true; /* nobody has asked for it here */
    for (size_t at = 0; row_list_next(&rest, &name, &row); at = import->rows.size - rest.size) {
        enum status status = STATUS_OK;
        bool taken = true;
        if (import_ground_at(&grounds, at, &ground))
            status = stands(txn, name, ground, &taken);
        if (status == STATUS_OK && taken)
            status = take_row(import, name, row, &forgotten);
        import->is_short |= !taken;
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold |= status == STATUS_COLD;
    }
    if (cold)
        return STATUS_COLD;
    enum status status = forgotten ? take_epoch(store) : STATUS_OK;
    if (status == STATUS_OK)
        status = txn_commit(txn);
    if (status == STATUS_OK)
        count_imports(store, txn);
    return status;
}

/* ---- its way --------------------------------------------------------------------------------- */

static struct import *new_import(struct store *store)
{
    struct import *import = store->imports.spare;
    store->imports.spare = NULL;
    if (!import) {
        import = memory_zeroed(sizeof(*import));
        import->store = store;
        arena_init(&import->arena);
    }
    import->waits = import->for_room = false;
    txn_init(&import->txn, store, &import->arena);
    return import;
}

static void import_free(struct import *import)
{
    arena_deinit(&import->arena);
    buffer_deinit(&import->copy);
    memory_free(import);
}

/* Of memory, while it waits. */
static size_t held_bytes(const struct import *import)
{
    return sizeof(*import) + import->rows.size + import->grounds.size;
}

/* It is over, however. */
static void retire(struct import *import)
{
    struct store *store = import->store;
    txn_end(&import->txn);
    if (import->waits) {
        list_remove(&import->link);
        store->imports.bytes -= held_bytes(import);
    }
    if (store->imports.spare) {
        import_free(import);
        return;
    }
    buffer_clear(&import->copy, KEEP_BYTES);
    arena_clear(&import->arena);
    store->imports.spare = import;
}

static void finish(struct import *import, enum status status)
{
    import_done *done = import->done;
    void *context = import->context;
    uint64_t gate = import->txn.gate;
    if (status == STATUS_OK && import->is_short)
        status = STATUS_ABSENT;
    retire(import);
    done(context, status, status == STATUS_OK ? gate : 0);
}

/* False: too much waits already. */
static bool begin_to_wait(struct import *import)
{
    struct store *store = import->store;
    if (import->waits)
        return true;
    if (store->imports.bytes + held_bytes(import) > IMPORT_BYTES_MAX)
        return false;
    size_t rows_size = import->rows.size, grounds_size = import->grounds.size;
    buffer_append_bytes(&import->copy, import->rows);
    buffer_append_bytes(&import->copy, import->grounds);
    const char *copy = buffer_bytes(&import->copy).data;
    import->rows = bytes_of(copy, rows_size);
    import->grounds = bytes_of(copy + rows_size, grounds_size);
    store->imports.bytes += held_bytes(import);
    list_append(&store->imports.waiting, &import->link);
    import->mark = ++store->copies_begun;
    import->waits = true;
    return true;
}

static void proceed(void *context);

/* False: it is over. */
static bool goes_on(struct import *import, enum status status)
{
    bool to_wait = status == STATUS_COLD || status == STATUS_THROTTLED;
    import->for_room = status == STATUS_THROTTLED;
    if (!to_wait || !begin_to_wait(import)) {
        finish(import, to_wait ? STATUS_THROTTLED : status);
        return false;
    }
    arena_deinit(&import->arena); /* the next run builds all anew */
    arena_init(&import->arena);
    if (status == STATUS_COLD)
        txn_fetch(&import->txn, proceed, import);
    return true;
}

static void proceed(void *context)
{
    struct import *import = context;
    goes_on(import, run(import));
}

struct import *import_rows(struct store *store, struct bytes rows, uint64_t now_ms,
                           import_done *done, void *context)
{
    return import_rows_onto(store, rows, BYTES(""), now_ms, done, context);
}

struct import *import_rows_onto(struct store *store, struct bytes rows, struct bytes grounds,
                                uint64_t now_ms, import_done *done, void *context)
{
    struct import *import = new_import(store);
    import->rows = rows;
    import->grounds = grounds;
    import->now_ms = now_ms;
    import->done = done;
    import->context = context;
    enum status status = check_list(import);
    if (status == STATUS_OK)
        status = run(import);
    return goes_on(import, status) ? import : NULL;
}

void import_cancel(struct import *import)
{
    if (import)
        retire(import);
}

/* `done` may begin and cancel others: after each that ends it looks from the first on. */
void import_retry(struct store *store, uint64_t now_ms)
{
    struct list *link = store->imports.waiting.next;
    (void)now_ms;
    while (link != &store->imports.waiting && store_has_room(store)) {
        struct import *import = list_entry(link, struct import, link);
        if (!import->for_room) {
            link = link->next;
            continue;
        }
        proceed(import);
        link = store->imports.waiting.next;
    }
}

void import_deinit(struct store *store)
{
    while (!list_is_empty(&store->imports.waiting))
        retire(list_entry(store->imports.waiting.next, struct import, link));
    if (store->imports.spare)
        import_free(store->imports.spare);
    store->imports.spare = NULL;
}

uint64_t store_copies_mark(const struct store *store)
{
    return store->copies_begun;
}

/* Those that wait stand in the order in which they began to; the others have ended. */
bool store_copies_ended(const struct store *store, uint64_t mark)
{
    const struct list *imports = &store->imports.waiting;
    bool ended =
        list_is_empty(imports) || list_entry(imports->next, struct import, link)->mark > mark;
    return ended && export_ended(store, mark);
}
