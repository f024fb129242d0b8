/* SPDX-License-Identifier: MIT */
#include "doubles/fake_rows.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "row/row.h"
#include "row/row_key.h"
#include "row/row_list.h"

/* ---- rows ------------------------------------------------------------------------------------ */

static struct bytes copy(struct bytes bytes)
{
    char *data = memory_alloc(bytes.size + 1);
    if (bytes.size > 0)
        memcpy(data, bytes.data, bytes.size);
    return bytes_of(data, bytes.size);
}

void fake_rows_init(struct store *store)
{
    *store = (struct store){.position = 1, .durable = 1};
    list_init(&store->waiting);
}

void fake_rows_deinit(struct store *store)
{
    check(list_is_empty(&store->waiting));
    for (size_t i = 0; i < store->count; i++) {
        memory_free((void *)store->rows[i].name.data);
        memory_free((void *)store->rows[i].row.data);
    }
    memory_free(store->rows);
}

static struct fake_kept *find(const struct store *store, struct bytes name)
{
    for (size_t i = 0; i < store->count; i++)
        if (bytes_equal(store->rows[i].name, name))
            return &store->rows[i];
    return NULL;
}

struct bytes fake_rows_get(const struct store *store, struct bytes name)
{
    const struct fake_kept *kept = find(store, name);
    return kept ? kept->row : BYTES("");
}

enum status fake_rows_put(struct store *store, struct bytes name, struct bytes row)
{
    struct arena arena;
    arena_init(&arena);
    struct fake_kept *kept = find(store, name);
    struct bytes merged = row;
    struct row decoded;
    enum status status = kept ? row_merge_bytes(kept->row, row, NULL, &arena, &merged)
                              : row_decode(row, &arena, &decoded);
    if (status == STATUS_OK) {
        merged = copy(merged);
        if (!kept) {
            if (store->count == store->room) {
                store->room = store->room ? 2 * store->room : 16;
                store->rows = memory_resize(store->rows, store->room * sizeof(*store->rows));
            }
            kept = &store->rows[store->count++];
            *kept = (struct fake_kept){.name = copy(name)};
        }
        memory_free((void *)kept->row.data);
        kept->row = merged;
        kept->position = ++store->position;
    }
    arena_deinit(&arena);
    return status;
}

bool store_gate_passed(const struct store *store, uint64_t gate)
{
    check(gate > 0);
    return store->durable >= gate;
}

void store_date_from(struct store *store, uint64_t from_ms, uint64_t ahead_ms)
{
    (void)ahead_ms;
    store->dated_ms = from_ms;
}

void fake_rows_turn_end(struct store *store)
{
    if (!store->sync_held)
        store->durable = store->position;
}

/* ---- what waits ------------------------------------------------------------------------------ */

enum fake_kind { JOB_IMPORT, JOB_ROWS, JOB_DIGESTS };

struct fake_job {
    struct list link;
    struct store *store;
    enum fake_kind kind;
    struct bytes bytes;   /* owned */
    struct bytes grounds; /* owned, where there are any */
    struct export_place place;
    size_t most;
    void *context;
    union {
        import_done *imported;
        export_rows_done *rows;
        export_digests_done *digests;
    } done;
};

struct import {
    struct fake_job job;
};

struct export
{
    struct fake_job job;
};

/* Whether what is held covers the ground. */
static bool stands(const struct store *store, struct bytes name, struct bytes ground)
{
    struct arena arena;
    struct row held, before;
    const struct fake_kept *kept = find(store, name);
    arena_init(&arena);
    bool covers = kept && row_decode(kept->row, &arena, &held) == STATUS_OK &&
                  row_decode(ground, &arena, &before) == STATUS_OK &&
                  vector_covers_all(&held.vector, &before.vector);
    arena_deinit(&arena);
    return covers;
}

static void run_import(struct fake_job *job)
{
    struct store *store = job->store;
    struct bytes rest = job->bytes, grounds = job->grounds, name, row, ground;
    struct row_key key;
    bool is_short = false;
    enum status status = store->fails ? STATUS_IO : STATUS_OK;
    for (size_t at = 0; status == STATUS_OK && row_list_next(&rest, &name, &row);
         at = job->bytes.size - rest.size) {
        bool left_out = import_ground_at(&grounds, at, &ground) && !stands(store, name, ground);
        is_short = is_short || left_out;
        if (!row_key_decode(name, &key))
            status = STATUS_CORRUPT;
        else if (!left_out)
            status = fake_rows_put(store, name, row);
    }
    if (status == STATUS_OK && is_short)
        status = STATUS_ABSENT;
    if (status == STATUS_OK && rest.size > 0)
        status = STATUS_CORRUPT;
    store->imported++;
    job->done.imported(job->context, status, status == STATUS_OK ? store->position : 0);
}

static struct bytes head_at(struct bytes heads, size_t index)
{
    struct bytes name = BYTES("");
    for (size_t i = 0; i <= index; i++) {
        struct unpack in = unpack_begin(heads);
        name = unpack_bytes(&in, unpack_next_varint(&in));
        check(!in.failed);
        heads = bytes_of(in.next, (size_t)(in.end - in.next));
    }
    return name;
}

static size_t count_heads(struct bytes heads)
{
    size_t count = 0;
    for (struct unpack in = unpack_begin(heads); in.next != in.end; count++) {
        unpack_bytes(&in, unpack_next_varint(&in));
        if (in.failed)
            return SIZE_MAX;
    }
    return count;
}

/* Whether the row is a chunk of that head's key, whatever its base. */
static bool is_chunk_of(struct bytes name, struct bytes head)
{
    return head.size > 0 && name.size == head.size + ROW_KEY_CHUNK_SUBKEY_SIZE &&
           memcmp(name.data, head.data, head.size - 1) == 0;
}

/* Chunks first, in the order in which they came here: `chunk` counts them. */
static void run_rows(struct fake_job *job)
{
    struct store *store = job->store;
    struct export_place place = job->place;
    size_t count = count_heads(job->bytes);
    size_t most = store->most > 0 && store->most < job->most ? store->most : job->most;
    struct buffer out = {0};
    while (place.key < count && buffer_size(&out) < most) {
        struct bytes head = head_at(job->bytes, place.key);
        uint32_t chunks = 0;
        size_t i = 0;
        while (i < store->count &&
               !(is_chunk_of(store->rows[i].name, head) && chunks++ == place.chunk))
            i++;
        const struct fake_kept *kept = i < store->count ? &store->rows[i] : find(store, head);
        if (kept)
            row_list_append(&out, kept->name, kept->row);
        if (i < store->count)
            place.chunk++;
        else
            place = (struct export_place){.key = place.key + 1};
    }
    job->done.rows(job->context, store->fails ? STATUS_IO : STATUS_OK, buffer_bytes(&out), place);
    buffer_deinit(&out);
}

uint64_t export_digest(struct bytes name, struct bytes row)
{
    return xxh64(name) * 31 + xxh64(row);
}

static void run_digests(struct fake_job *job)
{
    size_t count = count_heads(job->bytes);
    if (count == SIZE_MAX || job->store->fails) {
        job->done.digests(job->context, job->store->fails ? STATUS_IO : STATUS_CORRUPT, NULL, 0);
        return;
    }
    uint64_t *digests = memory_alloc(count * sizeof(*digests));
    for (size_t i = 0; i < count; i++) {
        struct bytes name = head_at(job->bytes, i), row = fake_rows_get(job->store, name);
        digests[i] = row.size > 0 ? export_digest(name, row) : 0;
    }
    job->done.digests(job->context, STATUS_OK, digests, count);
    memory_free(digests);
}

static void job_free(struct fake_job *job)
{
    list_remove(&job->link);
    memory_free((void *)job->bytes.data);
    memory_free((void *)job->grounds.data);
    memory_free(job);
}

static void run(struct fake_job *job)
{
    list_remove(&job->link);
    if (job->kind == JOB_IMPORT)
        run_import(job);
    else if (job->kind == JOB_ROWS)
        run_rows(job);
    else
        run_digests(job);
    job_free(job);
}

static void *begin(struct store *store, struct fake_job job)
{
    struct fake_job *kept = memory_alloc(sizeof(*kept));
    *kept = job;
    kept->store = store;
    kept->bytes = copy(job.bytes);
    kept->grounds = copy(job.grounds);
    list_init(&kept->link);
    list_append(&store->waiting, &kept->link);
    if (store->waits)
        return kept;
    run(kept);
    return NULL;
}

void fake_rows_go_on(struct store *store)
{
    struct list now;
    list_init(&now);
    list_splice(&now, &store->waiting);
    while (!list_is_empty(&now))
        run(list_entry(now.next, struct fake_job, link));
}

void fake_rows_go_on_once(struct store *store)
{
    if (!list_is_empty(&store->waiting))
        run(list_entry(store->waiting.next, struct fake_job, link));
}

struct import *import_rows(struct store *store, struct bytes rows, uint64_t now_ms,
                           import_done *done, void *context)
{
    return import_rows_onto(store, rows, BYTES(""), now_ms, done, context);
}

struct import *import_rows_onto(struct store *store, struct bytes rows, struct bytes grounds,
                                uint64_t now_ms, import_done *done, void *context)
{
    (void)now_ms;
    struct fake_job job = {.kind = JOB_IMPORT, .bytes = rows, .grounds = grounds};
    job.context = context;
    job.done.imported = done;
    return begin(store, job);
}

void import_cancel(struct import *import)
{
    if (import)
        job_free(&import->job);
}

struct export *export_rows(struct store *store, struct bytes heads, struct export_place place,
                           size_t most, uint64_t now_ms, export_rows_done *done, void *context)
{
    (void)now_ms;
    struct fake_job job = {.kind = JOB_ROWS, .bytes = heads, .context = context};
    job.place = place;
    job.most = most;
    job.done.rows = done;
    return begin(store, job);
}

struct export *export_digests(struct store *store, struct bytes heads, uint64_t now_ms,
                              export_digests_done *done, void *context)
{
    (void)now_ms;
    struct fake_job job = {.kind = JOB_DIGESTS, .bytes = heads, .context = context};
    job.done.digests = done;
    return begin(store, job);
}

void export_cancel(struct export *export)
{
    if (export)
        job_free(&export->job);
}

/* ---- lives ----------------------------------------------------------------------------------- */

bool gossip_is_up(const struct gossip *gossip, uint64_t node)
{
    for (int i = 0; i < FAKE_NODES_MAX; i++)
        if (gossip->down[i] == node)
            return false;
    return true;
}

void fake_gossip_set(struct gossip *gossip, uint64_t node, bool up)
{
    int free = -1;
    for (int i = 0; i < FAKE_NODES_MAX; i++) {
        if (gossip->down[i] == node)
            gossip->down[i] = 0;
        if (gossip->down[i] == 0)
            free = i;
    }
    check(free >= 0);
    if (!up)
        gossip->down[free] = node;
}
