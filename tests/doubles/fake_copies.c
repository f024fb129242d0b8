/* SPDX-License-Identifier: MIT */
#include "doubles/fake_copies.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "row/row_list.h"

enum { HEAD_SIZE = 18, KEYS_LISTED_MAX = 1024 };

/* ---- bytes ----------------------------------------------------------------------------------- */

static struct bytes copy_of(struct bytes bytes)
{
    char *copy = memory_alloc(bytes.size);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static void drop(struct bytes bytes)
{
    memory_free((char *)bytes.data);
}

static void encode_head(struct fake_head head, struct buffer *out)
{
    char bytes[HEAD_SIZE];
    pack_u64(pack_u64(bytes, head.number), head.at_ms);
    bytes[16] = (char)head.dead;
    bytes[17] = (char)head.chunks;
    buffer_append(out, bytes, sizeof(bytes));
    for (unsigned i = 0; i < head.padding; i++)
        buffer_append_u8(out, 'x');
}

static struct fake_head decode_head(struct bytes row)
{
    check(row.size >= HEAD_SIZE);
    return (struct fake_head){.number = unpack_u64(row.data),
                              .at_ms = unpack_u64(row.data + 8),
                              .dead = row.data[16] != 0,
                              .chunks = (uint8_t)row.data[17],
                              .padding = (uint8_t)(row.size - HEAD_SIZE)};
}

uint64_t export_digest(struct bytes name, struct bytes row)
{
    return xxh64(name) * 3 + xxh64(row) + 1;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static size_t place_of(const struct store *store, struct bytes name)
{
    size_t low = 0, high = store->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(store->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct fake_copy *find(const struct store *store, struct bytes name)
{
    size_t place = place_of(store, name);
    return place < store->count && bytes_equal(store->rows[place].name, name) ? &store->rows[place]
                                                                              : NULL;
}

static void sum(struct store *store, struct bytes name, struct bytes row, int sign)
{
    if (row.size == 0 || !row_key_is_head(name))
        return;
    uint64_t digest = export_digest(name, row);
    store->digests[row_key_slot(name)] += sign > 0 ? digest : 0 - digest;
    store->stored[row_key_slot(name)] += (uint32_t)sign;
    slot_set_put(&store->used, row_key_slot(name), store->stored[row_key_slot(name)] > 0);
}

/* Sets a row, size 0 removes it. Returns what was there: the caller's now. */
static struct bytes set_row(struct store *store, struct bytes name, struct bytes row)
{
    size_t place = place_of(store, name);
    struct bytes old = bytes_of("", 0);
    bool there = place < store->count && bytes_equal(store->rows[place].name, name);
    sum(store, name, there ? store->rows[place].row : old, -1);
    sum(store, name, row, 1);
    if (there) {
        old = store->rows[place].row;
        if (row.size > 0) {
            store->rows[place].row = copy_of(row);
            return old;
        }
        drop(store->rows[place].name);
        store->count--;
        memmove(store->rows + place, store->rows + place + 1,
                (store->count - place) * sizeof(*store->rows));
        return old;
    }
    if (row.size > 0) {
        if (store->count == store->room) {
            store->room = store->room ? 2 * store->room : 16;
            store->rows = memory_resize(store->rows, store->room * sizeof(*store->rows));
        }
        memmove(store->rows + place + 1, store->rows + place,
                (store->count - place) * sizeof(*store->rows));
        store->rows[place] = (struct fake_copy){.name = copy_of(name), .row = copy_of(row)};
        store->count++;
    }
    return copy_of(old);
}

static void write_row(struct store *store, struct bytes name, struct bytes row)
{
    struct bytes named = copy_of(name);
    struct bytes old = set_row(store, name, row);
    if (store->undo_count == store->undo_room) {
        store->undo_room = store->undo_room ? 2 * store->undo_room : 16;
        store->undo = memory_resize(store->undo, store->undo_room * sizeof(*store->undo));
    }
    store->undo[store->undo_count++] = (struct fake_undo){++store->position, named, old};
}

/* Chunks of older bases go; those of newer ones wait for their head. */
static void clear_chunks(struct store *store, struct bytes head, uint64_t before)
{
    struct row_key key, other;
    check(row_key_decode(head, &key));
    for (size_t i = place_of(store, head); i < store->count;) {
        check(row_key_decode(store->rows[i].name, &other));
        if (other.slot != key.slot || other.db != key.db || !bytes_equal(other.key, key.key))
            break;
        if (other.kind == ROW_CHUNK && other.base.time < before)
            write_row(store, store->rows[i].name, bytes_of("", 0));
        else
            i++;
    }
}

static struct bytes chunk_name(struct arena *arena, struct bytes head, uint64_t number,
                               uint32_t index)
{
    return row_key_chunk(arena, head, (struct dot){1, number}, index);
}

static bool chunks_are_there(const struct store *store, struct bytes name, struct fake_head head)
{
    struct arena arena;
    bool all = true;
    arena_init(&arena);
    for (uint32_t i = 0; i < head.chunks; i++)
        all = all && find(store, chunk_name(&arena, name, head.number, i)) != NULL;
    arena_deinit(&arena);
    return all;
}

static void merge_head(struct store *store, struct bytes name, struct bytes row)
{
    struct fake_copy *held = find(store, name);
    struct fake_head head = decode_head(row);
    if (held != NULL && decode_head(held->row).number >= head.number)
        return;
    check(chunks_are_there(store, name, head));
    write_row(store, name, row);
    clear_chunks(store, name, head.number);
}

static void merge_chunk(struct store *store, struct bytes name, struct bytes row)
{
    struct row_key key;
    struct arena arena;
    arena_init(&arena);
    check(row_key_decode(name, &key));
    struct fake_copy *head = find(store, row_key_head(&arena, key.db, key.key));
    bool left = head != NULL && decode_head(head->row).number > key.base.time;
    if (!left && find(store, name) == NULL)
        write_row(store, name, row);
    arena_deinit(&arena);
}

static enum status merge_rows(struct store *store, struct bytes rows)
{
    struct bytes name, row, rest = rows;
    struct row_key key;
    while (row_list_next(&rest, &name, &row))
        if (!row_key_decode(name, &key) || key.kind == ROW_CLEARED || row.size < 8 ||
            (key.kind == ROW_HEAD && row.size < HEAD_SIZE))
            return STATUS_CORRUPT;
    if (rest.size > 0)
        return STATUS_CORRUPT;
    while (row_list_next(&rows, &name, &row)) {
        if (row_key_is_head(name))
            merge_head(store, name, row);
        else
            merge_chunk(store, name, row);
    }
    return STATUS_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

void fake_copies_init(struct store *store, uint64_t seed)
{
    *store = (struct store){.random = {seed}};
    list_init(&store->jobs);
}

static void forget_undo(struct store *store)
{
    for (size_t i = 0; i < store->undo_count; i++) {
        drop(store->undo[i].name);
        drop(store->undo[i].row);
    }
    store->undo_count = 0;
}

uint64_t fake_copies_put(struct store *store, struct bytes key, struct fake_head head)
{
    struct arena arena;
    struct buffer row = {0};
    char number[8];
    arena_init(&arena);
    struct bytes name = row_key_head(&arena, 0, key);
    pack_u64(number, head.number);
    for (uint32_t i = 0; i < head.chunks; i++)
        write_row(store, chunk_name(&arena, name, head.number, i), bytes_of(number, 8));
    encode_head(head, &row);
    merge_head(store, name, buffer_bytes(&row));
    buffer_deinit(&row);
    arena_deinit(&arena);
    return store->position;
}

bool fake_copies_get(const struct store *store, struct bytes key, struct fake_head *out)
{
    struct arena arena;
    arena_init(&arena);
    const struct fake_copy *row = find(store, row_key_head(&arena, 0, key));
    if (row != NULL)
        *out = decode_head(row->row);
    arena_deinit(&arena);
    return row != NULL;
}

void fake_copies_rows(const struct store *store, struct bytes key, struct buffer *out)
{
    struct arena arena;
    arena_init(&arena);
    struct bytes name = row_key_head(&arena, 0, key);
    const struct fake_copy *row = find(store, name);
    struct fake_head head = row != NULL ? decode_head(row->row) : (struct fake_head){0};
    for (uint32_t i = 0; i < head.chunks; i++) {
        const struct fake_copy *chunk = find(store, chunk_name(&arena, name, head.number, i));
        row_list_append(out, chunk->name, chunk->row);
    }
    if (row != NULL)
        row_list_append(out, row->name, row->row);
    arena_deinit(&arena);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

enum job_kind { JOB_IMPORT, JOB_ROWS, JOB_DIGESTS, JOB_LIST };

struct copy_job {
    struct list link;
    struct store *store;
    enum job_kind kind;
    uint64_t number;
    struct bytes input; /* owned */
    struct export_place place;
    uint16_t slot;
    size_t most;
    import_done *imported;
    export_rows_done *exported;
    export_digests_done *digests;
    export_listed_done *listed;
    void *context;
};

static void job_free(struct copy_job *job)
{
    list_remove(&job->link);
    drop(job->input);
    memory_free(job);
}

static bool next_name(struct bytes *rest, struct bytes *out)
{
    struct unpack in = unpack_begin(*rest);
    *out = unpack_bytes(&in, unpack_next_varint(&in));
    if (in.failed)
        return false;
    *rest = bytes_of(in.next, (size_t)(in.end - in.next));
    return true;
}

/* One key from a place on; false: it went over the bound. */
static bool export_key(struct copy_job *job, struct bytes name, struct arena *arena,
                       struct buffer *out, unsigned *rows)
{
    struct store *store = job->store;
    unsigned page = store->page ? store->page : UINT32_MAX;
    const struct fake_copy *row = find(store, name);
    if (row == NULL)
        return true;
    struct fake_head head = decode_head(row->row);
    if (job->place.base != (uint32_t)head.number)
        job->place.chunk = 0;
    job->place.base = (uint32_t)head.number;
    for (; job->place.chunk < head.chunks; job->place.chunk++) {
        if (*rows > 0 && (*rows >= page || buffer_size(out) >= job->most))
            return false;
        const struct fake_copy *chunk =
            find(store, chunk_name(arena, name, head.number, job->place.chunk));
        row_list_append(out, chunk->name, chunk->row);
        ++*rows;
    }
    if (*rows > 0 && (*rows >= page || buffer_size(out) >= job->most))
        return false;
    row_list_append(out, row->name, row->row);
    ++*rows;
    return true;
}

static void end_rows(struct copy_job *job, enum status status)
{
    struct bytes rest = job->input, name;
    struct buffer out = {0};
    struct arena arena;
    unsigned rows = 0;
    arena_init(&arena);
    for (uint32_t i = 0; status == STATUS_OK && next_name(&rest, &name); i++) {
        if (i < job->place.key)
            continue;
        if (!export_key(job, name, &arena, &out, &rows))
            break;
        job->place = (struct export_place){.key = i + 1};
    }
    job->exported(job->context, status, buffer_bytes(&out), job->place);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

static void end_digests(struct copy_job *job, enum status status)
{
    static uint64_t digests[EXPORT_HEADS_MAX];
    struct bytes rest = job->input, name;
    size_t count = 0;
    while (next_name(&rest, &name)) {
        struct fake_copy *row = find(job->store, name);
        check(count < EXPORT_HEADS_MAX);
        digests[count++] = row != NULL ? export_digest(row->name, row->row) : 0;
        if (row != NULL)
            row->warm = true;
    }
    job->digests(job->context, status, digests, count);
}

static void end_list(struct copy_job *job, enum status status)
{
    struct export_listed listed[KEYS_LISTED_MAX];
    struct store *store = job->store;
    size_t count = 0;
    char first[2];
    pack_be(first, job->slot, 2);
    size_t at = place_of(store, job->input.size > 0 ? job->input : bytes_of(first, 2));
    check(job->most <= KEYS_LISTED_MAX);
    bool end = true;
    for (; at < store->count && row_key_slot(store->rows[at].name) == job->slot; at++) {
        const struct fake_copy *row = &store->rows[at];
        if (!row_key_is_head(row->name) || bytes_compare(row->name, job->input) <= 0)
            continue;
        if (count == job->most) {
            end = false;
            break;
        }
        listed[count++] = (struct export_listed){export_digest(row->name, row->row), row->name};
    }
    job->listed(job->context, status, listed, count, end);
}

static void end_job(struct copy_job *job)
{
    struct store *store = job->store;
    bool fails = store->fails && random_once_in(&store->random, store->fails);
    enum status status = fails ? STATUS_IO : STATUS_OK;
    switch (job->kind) {
    case JOB_IMPORT:
        status = fails ? STATUS_IO : merge_rows(store, job->input);
        job->imported(job->context, status, status == STATUS_OK ? store->position : 0);
        break;
    case JOB_ROWS:
        end_rows(job, status);
        break;
    case JOB_DIGESTS:
        end_digests(job, status);
        break;
    case JOB_LIST:
        end_list(job, status);
        break;
    }
}

/* NULL: it has ended already. */
static struct copy_job *begin_job(struct store *store, struct copy_job job)
{
    struct copy_job *begun = memory_alloc(sizeof(*begun));
    *begun = job;
    begun->store = store;
    begun->input = copy_of(job.input);
    begun->number = ++store->jobs_begun;
    list_init(&begun->link);
    if (store->slow && random_once_in(&store->random, store->slow)) {
        list_append(&store->jobs, &begun->link);
        return begun;
    }
    end_job(begun);
    job_free(begun);
    return NULL;
}

struct import *import_rows(struct store *store, struct bytes rows, uint64_t now_ms,
                           import_done *done, void *context)
{
    (void)now_ms;
    struct copy_job job = {.kind = JOB_IMPORT, .input = rows, .imported = done, .context = context};
    return (struct import *)(void *)begin_job(store, job);
}

struct export *export_rows(struct store *store, struct bytes heads, struct export_place place,
                           size_t most, uint64_t now_ms, export_rows_done *done, void *context)
{
    (void)now_ms;
    struct copy_job job = {.kind = JOB_ROWS, .input = heads, .place = place, .most = most};
    job.exported = done;
    job.context = context;
    return (struct export *)(void *)begin_job(store, job);
}

struct export *export_digests(struct store *store, struct bytes heads, uint64_t now_ms,
                              export_digests_done *done, void *context)
{
    (void)now_ms;
    struct copy_job job = {
        .kind = JOB_DIGESTS, .input = heads, .digests = done, .context = context};
    return (struct export *)(void *)begin_job(store, job);
}

struct export *export_list(struct store *store, uint16_t slot, struct bytes after, size_t most,
                           uint64_t now_ms, export_listed_done *done, void *context)
{
    (void)now_ms;
    struct copy_job job = {.kind = JOB_LIST, .input = after, .slot = slot, .most = most};
    job.listed = done;
    job.context = context;
    return (struct export *)(void *)begin_job(store, job);
}

void export_cancel(struct export *export)
{
    if (export != NULL)
        job_free((struct copy_job *)(void *)export);
}

void import_cancel(struct import *import)
{
    if (import != NULL)
        job_free((struct copy_job *)(void *)import);
}

/* One at a time, for a `done` may cancel another. */
void fake_copies_run(struct store *store, uint64_t now_ms)
{
    store->now_ms = now_ms;
    if (random_once_in(&store->random, 4))
        fake_copies_sync(store);
    while (!store->holds) {
        struct list *at = store->jobs.next;
        while (at != &store->jobs && random_once_in(&store->random, 3))
            at = at->next;
        if (at == &store->jobs || random_once_in(&store->random, 4))
            return;
        struct copy_job *job = list_entry(at, struct copy_job, link);
        list_remove(&job->link);
        end_job(job);
        job_free(job);
    }
}

void fake_copies_sync(struct store *store)
{
    store->synced = store->position;
    forget_undo(store);
}

void fake_copies_crash(struct store *store)
{
    while (!list_is_empty(&store->jobs))
        job_free(list_entry(store->jobs.next, struct copy_job, link));
    while (store->undo_count > 0 && store->always) {
        struct fake_undo *undo = &store->undo[--store->undo_count];
        drop(set_row(store, undo->name, undo->row));
        drop(undo->name);
        drop(undo->row);
    }
    fake_copies_sync(store);
}

void fake_copies_deinit(struct store *store)
{
    store->always = false;
    fake_copies_crash(store);
    for (size_t i = 0; i < store->count; i++) {
        drop(store->rows[i].name);
        drop(store->rows[i].row);
    }
    memory_free(store->rows);
    memory_free(store->undo);
}

/* ---- the rest of the store ------------------------------------------------------------------- */

uint64_t store_slot_digest(const struct store *store, uint16_t slot)
{
    return store->digests[slot];
}

uint64_t store_slot_imports(const struct store *store, uint16_t slot)
{
    (void)store;
    (void)slot;
    return 0;
}

uint64_t store_slot_stored(const struct store *store, uint16_t slot)
{
    return store->stored[slot];
}

const struct slot_set *store_slots_used(const struct store *store)
{
    return &store->used;
}

uint64_t store_slot_changes(const struct store *store)
{
    uint64_t sum = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        sum = sum * 31 + store->digests[slot] + store->stored[slot];
    return sum;
}

enum status store_give_away(struct store *store, struct bytes head, uint64_t digest)
{
    struct fake_copy *row = find(store, head);
    if (row == NULL || export_digest(row->name, row->row) != digest)
        return STATUS_ABSENT;
    if (!row->warm && store->cold && random_once_in(&store->random, store->cold))
        return STATUS_COLD;
    struct bytes name = copy_of(head);
    struct row_key key;
    uint64_t number = decode_head(row->row).number;
    check(row_key_decode(name, &key));
    if (store->gave != NULL)
        store->gave(store->context, key.key, number);
    write_row(store, name, bytes_of("", 0));
    clear_chunks(store, name, number + 1);
    drop(name);
    return STATUS_OK;
}

static bool is_collectable(struct fake_head head, uint64_t before_ms)
{
    return head.dead || (head.at_ms != 0 && head.at_ms < before_ms);
}

void store_find_collectable(struct store *store, uint16_t slot, uint64_t before_ms, size_t most,
                            store_collectable *found, void *context)
{
    char first[2];
    pack_be(first, slot, 2);
    for (size_t i = place_of(store, bytes_of(first, 2)); i < store->count && most > 0; i++) {
        const struct fake_copy *row = &store->rows[i];
        if (row_key_slot(row->name) != slot)
            break;
        if (!row_key_is_head(row->name) || !is_collectable(decode_head(row->row), before_ms))
            continue;
        found(context, row->name, export_digest(row->name, row->row));
        most--;
    }
}

uint64_t store_collectable_count(const struct store *store)
{
    uint64_t count = 0;
    for (size_t i = 0; i < store->count; i++)
        count += row_key_is_head(store->rows[i].name) &&
                 is_collectable(decode_head(store->rows[i].row), store->now_ms);
    return count;
}

bool store_gate_passed(const struct store *store, uint64_t gate)
{
    return !store->always || gate <= store->synced;
}

uint64_t store_gate_now(const struct store *store)
{
    return store->position;
}

bool store_gate_synced(struct store *store, uint64_t gate)
{
    return gate <= store->synced;
}

uint64_t store_copies_mark(const struct store *store)
{
    return store->jobs_begun;
}

bool store_copies_ended(const struct store *store, uint64_t mark)
{
    for (struct list *at = store->jobs.next; at != &store->jobs; at = at->next)
        if (list_entry(at, struct copy_job, link)->number <= mark)
            return false;
    return true;
}
