/* SPDX-License-Identifier: MIT */
#include "store/seal.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "store/apply.h"
#include "store/cache.h"
#include "store/derive.h"
#include "store/expiry.h"
#include "store/meta.h"

enum {
    RETRY_MS = 1000,
    LOG_PER_SEAL = 4,      /* a generation ends when its log is so many times its limit of rows, */
    DOOMED_ROWS_PART = 16, /* or when this part of the budget for rows waits to be freed by it */
};

struct facts_row {
    uint8_t db;
    struct buffer bytes;
};

struct seal_job {
    struct job job;
    struct store *store;
    struct generation *generation; /* frozen while the job runs */
    struct facts_row *facts;
    unsigned facts_count;
    /* results */
    enum status status;
    struct entry **collected;
    size_t collected_count;
    uint64_t rows, bytes;
    uint64_t expires_ms; /* the first of them to do so */
};

/* ---- on a storage thread --------------------------------------------------------------------- */

static int by_entry_name(const void *a, const void *b)
{
    return bytes_compare(entry_name(*(struct entry *const *)a),
                         entry_name(*(struct entry *const *)b));
}

static int by_flushed(const void *a, const void *b)
{
    const struct flushed *x = a, *y = b;
    int order = (x->slot > y->slot) - (x->slot < y->slot);
    return order ? order : (x->db > y->db) - (x->db < y->db);
}

/* Whether a later flush of the same generation has made it dead. `flushed` is sorted. */
static bool is_flushed(const struct generation *generation, const struct entry *entry)
{
    struct bytes name = entry_name(entry);
    struct flushed key = {row_key_slot(name), row_key_db(name), 0};
    size_t low = 0, high = generation->flushed_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (by_flushed(&generation->flushed[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < generation->flushed_count && by_flushed(&generation->flushed[low], &key) == 0;
         low++)
        if (entry->flushes < generation->flushed[low].flushes)
            return true;
    return false;
}

/* The index rows of this seal: what is to be put and what to be deleted, to be sorted together. */
struct index_change {
    size_t at; /* in `names` */
    uint32_t size;
    bool put;
};

struct index_changes {
    struct buffer names;
    struct index_change *items;
    size_t count, room;
};

static void index_add(struct index_changes *changes, size_t size, bool put)
{
    if (changes->count == changes->room) {
        changes->room = changes->room ? changes->room * 2 : 1024;
        changes->items = memory_resize(changes->items, changes->room * sizeof(*changes->items));
    }
    size_t end = buffer_size(&changes->names);
    changes->items[changes->count++] = (struct index_change){end - size, (uint32_t)size, put};
}

static struct bytes index_name(const struct index_changes *changes, size_t i)
{
    return bytes_of(buffer_bytes(&changes->names).data + changes->items[i].at,
                    changes->items[i].size);
}

/* By name; of the same name the deletion first. */
static int by_index_name(const void *a, const void *b, void *context)
{
    const struct index_change *x = a, *y = b;
    const char *names = context;
    int order = bytes_compare(bytes_of(names + x->at, x->size), bytes_of(names + y->at, y->size));
    return order ? order : x->put - y->put;
}

static enum status write_index(struct tier *tier, struct tier_table *table,
                               const struct generation *generation, struct index_changes *changes)
{
    struct bytes name;
    for (size_t at = 0; generation_next_note(&generation->index_deletes, &at, &name);) {
        buffer_append_bytes(&changes->names, name);
        index_add(changes, name.size, false);
    }
    if (changes->count == 0)
        return STATUS_OK;
    qsort_r(changes->items, changes->count, sizeof(*changes->items), by_index_name,
            (void *)(uintptr_t)buffer_bytes(&changes->names).data);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < changes->count && status == STATUS_OK; i++) {
        name = index_name(changes, i);
        if (i + 1 < changes->count && bytes_equal(name, index_name(changes, i + 1)))
            continue; /* the last of them decides */
        status = changes->items[i].put ? tier->ops->table_put(table, name, BYTES("\x01"))
                                       : tier->ops->table_delete(table, name);
    }
    return status;
}

static enum status write_ranges(struct tier *tier, struct tier_table *table,
                                const struct generation *generation)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < generation->flushed_count && status == STATUS_OK; i++) {
        const struct flushed *flushed = &generation->flushed[i];
        uint64_t slot_db = (uint64_t)flushed->slot << 8 | flushed->db;
        char from[3], to[3];
        pack_be(from, slot_db, 3);
        pack_be(to, slot_db + 1, 3);
        status = tier->ops->table_delete_range(table, bytes_of(from, 3), bytes_of(to, 3));
    }
    struct bytes prefix;
    for (size_t at = 0;
         status == STATUS_OK && generation_next_note(&generation->dead_prefixes, &at, &prefix);) {
        struct buffer to = {0};
        buffer_append_bytes(&to, prefix);
        buffer_append(&to, "\xff\xff\xff\xff\xff", ROW_KEY_CHUNK_SUBKEY_SIZE - 16 + 1);
        status = tier->ops->table_delete_range(table, prefix, buffer_bytes(&to));
        buffer_deinit(&to);
    }
    return status;
}

static enum status write_row(struct seal_job *job, struct tier_table *table, struct entry *entry,
                             struct index_changes *changes, struct arena *arena)
{
    struct tier *tier = job->store->options.tier;
    struct bytes name = entry_name(entry), row = entry_row(entry);
    if (entry->row_size == 0) { /* collected */
        job->collected[job->collected_count++] = entry;
        return tier->ops->table_delete(table, name);
    }
    if (job->generation->flushed_count > 0 && is_flushed(job->generation, entry))
        return STATUS_OK;
    job->rows++;
    job->bytes += name.size + row.size;
    if (row_key_is_head(name)) {
        struct row_facts facts = derive_facts(row, arena);
        if (facts.due_ms < job->expires_ms)
            job->expires_ms = facts.due_ms;
        if (facts.due_ms != EXPIRY_NEVER) {
            meta_expiry_name(&changes->names, facts.due_ms, name);
            index_add(changes, META_EXPIRY_PREFIX_SIZE + name.size, true);
        }
    }
    return tier->ops->table_put(table, name, row);
}

static enum status write_rows(struct seal_job *job, struct tier_table *table,
                              struct index_changes *changes)
{
    struct generation *generation = job->generation;
    struct entry **entries = memory_alloc(generation->count * sizeof(*entries));
    struct arena arena;
    enum status status = STATUS_OK;
    size_t count = 0;
    for (struct list *link = generation->rows.next; link != &generation->rows; link = link->next)
        entries[count++] = list_entry(link, struct entry, link);
    check(count == generation->count);
    qsort(entries, count, sizeof(*entries), by_entry_name);
    job->collected = memory_resize(job->collected, count * sizeof(*entries));
    job->collected_count = 0;
    job->rows = job->bytes = 0;
    job->expires_ms = EXPIRY_NEVER;
    arena_init(&arena);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = write_row(job, table, entries[i], changes, &arena);
        arena_clear(&arena);
    }
    arena_deinit(&arena);
    memory_free(entries);
    return status;
}

static enum status write_meta(struct seal_job *job, struct tier_table *table)
{
    struct tier *tier = job->store->options.tier;
    struct buffer seal = {0};
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < job->facts_count && status == STATUS_OK; i++) {
        char name[META_FACTS_NAME_SIZE];
        status = tier->ops->table_put(table, meta_facts_name(name, job->facts[i].db),
                                      buffer_bytes(&job->facts[i].bytes));
    }
    meta_seal_encode(&seal, job->generation->log_end);
    if (status == STATUS_OK)
        status = tier->ops->table_put(table, meta_seal_name(), buffer_bytes(&seal));
    buffer_deinit(&seal);
    return status;
}

static void seal_run(struct job *base)
{
    struct seal_job *job = list_entry(base, struct seal_job, job);
    struct tier *tier = job->store->options.tier;
    struct index_changes changes = {0};
    struct tier_table *table;
    struct tier_stats stats;
    tier->ops->stats(tier, &stats);
    if (stats.stopped_by_error) {
        job->status = tier->ops->resume(tier);
        if (job->status != STATUS_OK)
            return;
    }
    if (job->generation->flushed_count > 0)
        qsort(job->generation->flushed, job->generation->flushed_count, sizeof(struct flushed),
              by_flushed);
    job->status = tier->ops->table_begin(tier, &table);
    if (job->status != STATUS_OK)
        return;
    job->status = write_ranges(tier, table, job->generation);
    if (job->status == STATUS_OK)
        job->status = write_rows(job, table, &changes);
    if (job->status == STATUS_OK)
        job->status = write_index(tier, table, job->generation, &changes);
    if (job->status == STATUS_OK)
        job->status = write_meta(job, table);
    if (job->status == STATUS_OK)
        job->status = tier->ops->table_ingest(table);
    else
        tier->ops->table_abandon(table);
    memory_free(changes.items);
    buffer_deinit(&changes.names);
}

/* ---- on the core thread ---------------------------------------------------------------------- */

static void add_garbage(struct store *store, struct entry *const *entries, size_t count)
{
    if (store->garbage_count + count > store->garbage_room) {
        store->garbage_room = (store->garbage_count + count) * 2;
        store->garbage =
            memory_resize(store->garbage, store->garbage_room * sizeof(*store->garbage));
    }
    if (count)
        memcpy(store->garbage + store->garbage_count, entries, count * sizeof(*entries));
    store->garbage_count += count;
}

/* What the flushes of this generation covered is gone from the tier. */
static void end_flushes(struct store *store, const struct generation *generation)
{
    for (size_t i = 0; i < generation->flushed_count; i++) {
        struct slot *slot = &store->table.slots[generation->flushed[i].slot];
        for (struct cleared **link = &slot->cleared; *link;) {
            struct cleared *cleared = *link;
            if (cleared->generation == generation->number)
                cleared->generation = 0;
            if (cleared->generation == 0 && cleared->purged) {
                *link = cleared->next;
                memory_free(cleared);
            } else {
                link = &cleared->next;
            }
        }
    }
}

static void seal_succeeded(struct store *store, struct seal_job *job)
{
    struct generation *generation = &store->sealing;
    size_t kept = 0;
    for (size_t i = 0; i < job->collected_count; i++)
        if (!(job->collected[i]->flags & ENTRY_DETACHED))
            job->collected[kept++] = job->collected[i];
    add_garbage(store, store->detached, store->detached_count);
    add_garbage(store, job->collected, kept);
    store->detached_count = 0;
    cache_append_all(store, &generation->rows);
    end_flushes(store, generation);
    expiry_sealed(store, job->expires_ms);
    store->seal.state = SEAL_IDLE;
    store->seal.failure = STATUS_OK;
    store->tier_version++;
    store->stats.seals++;
    store->stats.sealed_ms = store->tick_ms;
    store->stats.seal_ms = seal_elapsed_ms(store);
    store->stats.sealed_rows += job->rows;
    store->stats.sealed_bytes += job->bytes;
    log_remove_below(store->log, generation->log_end);
    generation_deinit(generation);
    seal_deinit(store);
}

void seal_deinit(struct store *store)
{
    struct seal_job *job = store->seal.job;
    if (!job)
        return;
    for (unsigned i = 0; i < job->facts_count; i++)
        buffer_deinit(&job->facts[i].bytes);
    memory_free(job->facts);
    memory_free(job->collected);
    memory_free(job);
    store->seal.job = NULL;
}

static void seal_done(struct job *base)
{
    struct seal_job *job = list_entry(base, struct seal_job, job);
    struct store *store = job->store;
    if (job->status == STATUS_OK) {
        seal_succeeded(store, job);
        return;
    }
    store->seal.state = SEAL_FAILED;
    store->seal.failure = job->status;
    store->seal.retry_ms = store->tick_ms + RETRY_MS;
    store->stats.seal_failures++;
}

static void submit(struct store *store)
{
    struct workers *workers = store->options.workers;
    store->seal.state = SEAL_RUNNING;
    store->seal.job->job = (struct job){.run = seal_run, .done = seal_done};
    workers->ops->submit(workers, JOB_BACKGROUND, &store->seal.job->job);
}

void seal_retry(struct store *store, uint64_t now_ms)
{
    uint64_t retry_ms = store->seal.retry_ms;
    bool clock_went_back = now_ms + RETRY_MS < retry_ms;
    if (store->seal.state != SEAL_FAILED || (now_ms < retry_ms && !clock_went_back))
        return;
    submit(store);
}

static bool is_due(const struct store *store, uint64_t weight)
{
    uint64_t log_bytes = log_position(store->log) - store->current.log_begin;
    bool doomed = store->garbage_count == 0 &&
                  store_leaving_bytes(store) >= store->options.rows_bytes / DOOMED_ROWS_PART &&
                  store->table.bytes > store->options.rows_bytes;
    return generation_weight(&store->current) >= weight || log_bytes >= LOG_PER_SEAL * weight ||
           doomed;
}

enum status seal_begin(struct store *store, uint64_t weight, bool now)
{
    if (store->seal.state != SEAL_IDLE)
        return STATUS_OK;
    bool something = store->current.count > 0 || store->current.flushed_count > 0 ||
                     log_position(store->log) > store->current.log_begin;
    if (!something || !(now || is_due(store, weight)))
        return STATUS_OK;
    enum status status = log_rotate(store->log);
    if (status != STATUS_OK)
        return status;
    struct seal_job *job = memory_zeroed(sizeof(*job));
    job->store = store;
    job->facts = memory_zeroed(store->facts.databases * sizeof(*job->facts));
    for (unsigned db = 0; db < store->facts.databases; db++) {
        if (!store->facts.slots[db])
            continue;
        struct facts_row *row = &job->facts[job->facts_count++];
        row->db = (uint8_t)db;
        facts_encode(&store->facts, (uint8_t)db, &row->bytes);
    }
    uint64_t position = log_position(store->log);
    store->current.log_end = position;
    store->sealing = store->current;
    list_init(&store->sealing.rows);
    list_splice(&store->sealing.rows, &store->current.rows);
    generation_init(&store->current, store->sealing.number + 1, position);
    job->generation = &store->sealing;
    store->seal.job = job;
    store->seal.begun_ms = store->tick_ms;
    submit(store);
    return STATUS_OK;
}

void seal_collect_garbage(struct store *store, unsigned most)
{
    while (store->garbage_count > 0 && most-- > 0) {
        struct entry *entry = store->garbage[--store->garbage_count];
        if (!(entry->flags & ENTRY_DETACHED)) {
            struct bytes name = entry_name(entry);
            struct slot *slot = table_slot(&store->table, name);
            if (entry->is_head && !apply_is_flushed(slot, entry)) {
                struct slot_facts *facts =
                    facts_of(&store->facts, row_key_slot(name), row_key_db(name));
                facts->stored--;
                facts->resident--;
            }
            table_unlink(&store->table, slot, entry);
        }
        cache_remove(store, entry);
        apply_free(store, entry);
    }
}
