/* SPDX-License-Identifier: MIT */
#include "store/export.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/xxh.h"
#include "row/chunked.h"
#include "row/row_list.h"
#include "store/state.h"

enum {
    WANTED_MAX = 4096, /* rows asked for ahead in one run, where some are cold */
    LIST_MOST = 1024,  /* heads in one list: more than that is cut */
    COLD_SIZE = 128,   /* what a row that is not known yet counts as */
    HASH_BITS = 20,    /* of a base, in export_place.base; its number stands above */
};

enum export_kind { ROWS, DIGESTS, LISTED };

struct export
{
    struct list link; /* of store.exports, once it waits */
    uint64_t mark;    /* store.copies_begun then */
    struct store *store;
    struct txn txn;
    struct arena arena;
    enum export_kind kind;
    bool waits;
    uint64_t now_ms;
    struct bytes names; /* the heads asked for, or `after`: the caller's, or `copy` */
    struct buffer copy;
    void *context;
    union {
        struct {
            export_rows_done *done;
            struct export_place place;
            size_t most;
            struct buffer list;
            struct export_place next;
        } rows;
        struct {
            export_digests_done *done;
            uint64_t *found;
            bool *known; /* of these */
            size_t count;
            bool progress; /* the last run has found some */
        } digests;
        struct {
            export_listed_done *done;
            uint16_t slot;
            size_t most;
            struct export_listed *found;
            size_t count;
            bool end;
        } listed;
    };
};

/* ---- the names that are asked for ------------------------------------------------------------ */

static bool next_head(struct bytes *rest, struct bytes *out_name)
{
    struct unpack in = unpack_begin(*rest);
    struct bytes name = unpack_bytes(&in, unpack_next_varint(&in));
    if (in.failed)
        return false;
    *rest = bytes_of(in.next, (size_t)(in.end - in.next));
    *out_name = name;
    return true;
}

/* STATUS_CORRUPT unless they are names of heads. */
static enum status count_heads(const struct store *store, struct bytes names, size_t *out_count)
{
    struct bytes name;
    struct row_key key;
    size_t count = 0;
    while (next_head(&names, &name)) {
        if (!row_key_decode(name, &key) || key.kind != ROW_HEAD ||
            key.db >= store->facts.databases || ++count > EXPORT_HEADS_MAX)
            return STATUS_CORRUPT;
    }
    *out_count = count;
    return names.size == 0 ? STATUS_OK : STATUS_CORRUPT;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* What one run is at. */
struct walk {
    struct export *export;
    bool cold;        /* something was: from here on rows are only asked for */
    size_t size;      /* of the page, what is cold by a guess */
    unsigned missing; /* rows looked for, and not found */
    bool full;        /* the page ends here */
};

/* Adds one row, if there is one. Sets walk.full instead where the page ends before it. */
static void add_row(struct walk *walk, struct bytes name, struct bytes row)
{
    struct export *export = walk->export;
    size_t size = name.size + row.size + varint_size(name.size) + varint_size(row.size);
    walk->full |= walk->size > 0 && walk->size + size > export->rows.most;
    if (walk->full)
        return;
    walk->size += size;
    if (!walk->cold)
        row_list_append(&export->rows.list, name, row);
}

/* Reads a row; size 0: there is none, or it is cold. */
static enum status look(struct walk *walk, struct bytes name, struct bytes *out_row)
{
    enum status status = txn_get(&walk->export->txn, name, out_row);
    if (status == STATUS_OK)
        return status;
    *out_row = bytes_of("", 0);
    if (status == STATUS_COLD) {
        walk->cold = true;
        walk->size += COLD_SIZE;
    }
    walk->full |= ++walk->missing >= EXPORT_LOOKS_MAX || walk->size > walk->export->rows.most;
    return status == STATUS_ABSENT || status == STATUS_COLD ? STATUS_OK : status;
}

/* What export_place.base says of a long string: its number, and some bits of what it is. */
static uint32_t mark_of(uint32_t number, struct dot base)
{
    uint64_t parts[] = {base.actor, base.time};
    uint64_t hash = xxh64(bytes_of((const char *)parts, sizeof(parts)));
    return number << HASH_BITS | (uint32_t)(hash & ((1u << HASH_BITS) - 1));
}

static enum status add_chunks(struct walk *walk, struct bytes head, struct chunked chunked,
                              uint32_t number, struct export_place *place)
{
    struct export *export = walk->export;
    uint64_t chunks = (chunked.length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    struct bytes name = row_key_chunk(export->txn.arena, head, chunked.base, 0);
    place->base = mark_of(number, chunked.base);
    for (; place->chunk < chunks && !walk->full; place->chunk++) {
        struct bytes row;
        row_key_chunk_change(name, place->chunk);
        enum status status = look(walk, name, &row);
        if (status != STATUS_OK)
            return status;
        if (row.size > 0)
            add_row(walk, name, row);
        if (walk->full && row.size > 0)
            break;
    }
    return STATUS_OK;
}

/* The long strings of a head from the place on. */
static enum status add_strings(struct walk *walk, struct bytes head, const struct row *row,
                               struct export_place *place)
{
    uint32_t first = place->base >> HASH_BITS, number = 0;
    bool within = place->base != 0 || place->chunk != 0;
    struct chunked chunked;
    for (uint32_t i = 0; within && i < row->sibling_count; i++) {
        const struct sibling *sibling = &row->siblings[i];
        if (sibling->form != VALUE_CHUNKED || !chunked_unpack(sibling->value, &chunked))
            continue;
        if (number++ == first)
            within = place->base != mark_of(first, chunked.base);
    }
    if (within) /* it is not there any more: the key begins anew */
        first = place->base = place->chunk = 0;
    number = 0;
    for (uint32_t i = 0; i < row->sibling_count && !walk->full; i++) {
        const struct sibling *sibling = &row->siblings[i];
        if (sibling->form != VALUE_CHUNKED || !chunked_unpack(sibling->value, &chunked))
            continue;
        if (number > first)
            place->chunk = 0;
        enum status status = STATUS_OK;
        if (number >= first)
            status = add_chunks(walk, head, chunked, number, place);
        if (status != STATUS_OK)
            return status;
        number++;
    }
    return STATUS_OK;
}

static enum status add_key(struct walk *walk, struct bytes head, struct export_place *place)
{
    struct bytes bytes;
    struct row row;
    enum status status = look(walk, head, &bytes);
    if (status != STATUS_OK || bytes.size == 0)
        return status;
    struct sibling sibling;
    uint64_t at_ms;
    if (!row_peek(bytes, &sibling, &at_ms) || sibling.form == VALUE_CHUNKED) {
        status = row_decode(bytes, walk->export->txn.arena, &row);
        if (status == STATUS_OK)
            status = add_strings(walk, head, &row, place);
    }
    if (status == STATUS_OK && !walk->full)
        add_row(walk, head, bytes);
    return status;
}

static enum status run_rows(struct export *export)
{
    struct walk walk = {.export = export};
    struct export_place place = export->rows.place;
    struct bytes rest = export->names, head;
    enum status status = STATUS_OK;
    buffer_clear(&export->rows.list, SIZE_MAX);
    for (uint32_t i = 0; status == STATUS_OK && !walk.full && next_head(&rest, &head); i++) {
        if (i < place.key)
            continue;
        status = add_key(&walk, head, &place);
        if (!walk.full)
            place = (struct export_place){.key = i + 1};
    }
    export->rows.next = place;
    return status == STATUS_OK && walk.cold ? STATUS_COLD : status;
}

/* ---- digests --------------------------------------------------------------------------------- */

/* Those that an earlier run has found are not looked for again: memory may not hold all of them. */
static enum status run_digests(struct export *export)
{
    struct bytes rest = export->names, head, row;
    unsigned wanted = 0;
    export->digests.progress = false;
    for (size_t i = 0; wanted < WANTED_MAX && next_head(&rest, &head); i++) {
        if (export->digests.known[i])
            continue;
        enum status status = txn_get(&export->txn, head, &row);
        if (status != STATUS_OK && status != STATUS_ABSENT && status != STATUS_COLD)
            return status;
        wanted += status == STATUS_COLD;
        export->digests.known[i] = status != STATUS_COLD;
        export->digests.progress |= status != STATUS_COLD;
        export->digests.found[i] = status == STATUS_OK ? export_digest(head, row) : 0;
    }
    return wanted > 0 ? STATUS_COLD : STATUS_OK;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Heads of one database of the slot, from a hash on, until the list is full. */
static enum status list_database(struct export *export, uint8_t db, uint64_t hash)
{
    struct bytes after = export->names;
    struct scan_page page = {0};
    while (!page.done && export->listed.count < export->listed.most) {
        size_t room = export->listed.most - export->listed.count;
        enum status status =
            txn_scan_all(&export->txn, export->listed.slot, db, hash, room + 1, &page);
        if (status != STATUS_OK)
            return status;
        size_t i = 0;
        for (; i < page.count && export->listed.count < export->listed.most; i++) {
            struct scan_row *row = &page.rows[i];
            if (after.size == 0 || bytes_compare(row->name, after) > 0)
                export->listed.found[export->listed.count++] =
                    (struct export_listed){export_digest(row->name, row->row), row->name};
        }
        export->listed.end = page.done && i == page.count;
        hash = page.next_hash;
    }
    return STATUS_OK;
}

static enum status run_list(struct export *export)
{
    struct bytes after = export->names;
    unsigned databases = export->store->facts.databases;
    unsigned first = after.size > 0 ? row_key_db(after) : 0;
    export->listed.count = 0;
    export->listed.end = true;
    for (unsigned db = first; db < databases; db++) {
        bool begun = db == first && after.size > 0;
        if (export->listed.count == export->listed.most) { /* is there any more? */
            const struct slot_facts *facts =
                facts_look(&export->store->facts, export->listed.slot, (uint8_t)db);
            export->listed.end &= facts->keys == 0 && facts->tombstones == 0;
            continue;
        }
        enum status status = list_database(export, (uint8_t)db, begun ? row_key_hash_of(after) : 0);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- their way ------------------------------------------------------------------------------- */

static struct export *new_export(struct store *store, enum export_kind kind, struct bytes names,
                                 uint64_t now_ms, void *context)
{
    struct export *export = memory_zeroed(sizeof(*export));
    export->store = store;
    export->kind = kind;
    export->names = names;
    export->now_ms = now_ms;
    export->context = context;
    arena_init(&export->arena);
    txn_init(&export->txn, store, &export->arena);
    return export;
}

static void export_free(struct export *export)
{
    txn_end(&export->txn);
    if (export->waits)
        list_remove(&export->link);
    if (export->kind == ROWS)
        buffer_deinit(&export->rows.list);
    if (export->kind == DIGESTS) {
        memory_free(export->digests.found);
        memory_free(export->digests.known);
    }
    if (export->kind == LISTED)
        memory_free(export->listed.found);
    buffer_deinit(&export->copy);
    arena_deinit(&export->arena);
    memory_free(export);
}

/* `done` may cancel others, but not this one: it is off the list. */
static void finish(struct export *export, enum status status)
{
    bool ok = status == STATUS_OK;
    if (export->waits)
        list_remove(&export->link);
    export->waits = false;
    switch (export->kind) {
    case ROWS:
        export->rows.done(export->context, status,
                          ok ? buffer_bytes(&export->rows.list) : bytes_of("", 0),
                          ok ? export->rows.next : export->rows.place);
        break;
    case DIGESTS:
        export->digests.done(export->context, status, export->digests.found,
                             ok ? export->digests.count : 0);
        break;
    case LISTED:
        export->listed.done(export->context, status, export->listed.found,
                            ok ? export->listed.count : 0, ok && export->listed.end);
        break;
    }
    export_free(export);
}

static enum status run(struct export *export)
{
    const struct store *store = export->store;
    arena_clear(&export->arena);
    if (export->kind == DIGESTS && export->digests.progress)
        export->txn.cold = false; /* it is in no danger of never ending */
    txn_begin(&export->txn, store->now_ms > export->now_ms ? store->now_ms : export->now_ms);
    export->txn.no_touch = true;
    return export->kind == ROWS      ? run_rows(export)
           : export->kind == DIGESTS ? run_digests(export)
                                     : run_list(export);
}

static void proceed(void *context);

/* NULL: it is over. */
static struct export *goes_on(struct export *export, enum status status)
{
    if (status != STATUS_COLD) {
        finish(export, status);
        return NULL;
    }
    if (!export->waits) {
        buffer_append_bytes(&export->copy, export->names);
        export->names = buffer_bytes(&export->copy);
        list_append(&export->store->exports, &export->link);
        export->mark = ++export->store->copies_begun;
        export->waits = true;
    }
    txn_fetch(&export->txn, proceed, export);
    return export;
}

static void proceed(void *context)
{
    struct export *export = context;
    goes_on(export, run(export));
}

struct export *export_rows(struct store *store, struct bytes heads, struct export_place place,
                           size_t most, uint64_t now_ms, export_rows_done *done, void *context)
{
    struct export *export = new_export(store, ROWS, heads, now_ms, context);
    size_t count;
    export->rows.done = done;
    export->rows.place = place;
    export->rows.most = most;
    enum status status = count_heads(store, heads, &count);
    return goes_on(export, status == STATUS_OK ? run(export) : status);
}

struct export *export_digests(struct store *store, struct bytes heads, uint64_t now_ms,
                              export_digests_done *done, void *context)
{
    struct export *export = new_export(store, DIGESTS, heads, now_ms, context);
    export->digests.done = done;
    enum status status = count_heads(store, heads, &export->digests.count);
    if (status == STATUS_OK) {
        export->digests.found = memory_zeroed(export->digests.count * sizeof(uint64_t));
        export->digests.known = memory_zeroed(export->digests.count * sizeof(bool));
    }
    return goes_on(export, status == STATUS_OK ? run(export) : status);
}

struct export *export_list(struct store *store, uint16_t slot, struct bytes after, size_t most,
                           uint64_t now_ms, export_listed_done *done, void *context)
{
    struct export *export = new_export(store, LISTED, after, now_ms, context);
    struct row_key key;
    enum status status = STATUS_OK;
    export->listed.done = done;
    export->listed.slot = slot;
    export->listed.most = most < 1 ? 1 : most < LIST_MOST ? most : LIST_MOST;
    if (slot >= SLOT_COUNT || (after.size > 0 && (!row_key_decode(after, &key) ||
                                                  key.kind != ROW_HEAD || key.slot != slot)))
        status = STATUS_CORRUPT;
    else
        export->listed.found = memory_alloc(export->listed.most * sizeof(*export->listed.found));
    return goes_on(export, status == STATUS_OK ? run(export) : status);
}

void export_cancel(struct export *export)
{
    if (export)
        export_free(export);
}

bool export_ended(const struct store *store, uint64_t mark)
{
    const struct list *exports = &store->exports;
    return list_is_empty(exports) || list_entry(exports->next, struct export, link)->mark > mark;
}

void export_deinit(struct store *store)
{
    while (!list_is_empty(&store->exports))
        export_free(list_entry(store->exports.next, struct export, link));
}
