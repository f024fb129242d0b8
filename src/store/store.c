/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "store/access.h"
#include "store/apply.h"
#include "store/cache.h"
#include "store/evict.h"
#include "store/expiry.h"
#include "store/export.h"
#include "store/import.h"
#include "store/meta.h"
#include "store/orphans.h"
#include "store/purge.h"
#include "store/seal.h"
#include "store/verify.h"

enum {
    TICK_MS = 100,
    REPLAY_TRIM = 16,     /* looks for clean rows to drop, per row replayed */
    TURN_TRIM = 8192,     /* looks for cold rows to drop, per turn */
    TURN_EVICT = 128,     /* keys evicted for good, per turn; two more for each row written in it */
    TICK_PURGE = 20000,   /* flushed rows taken out, per tick */
    TICK_GARBAGE = 20000, /* entries freed after their seal, per tick */
    SEAL_ROWS_PART = 8,   /* a generation has at most this part of the budget for rows */
    DIRTY_ROWS_PART = 2,  /* writes wait when unsealed rows take this part */
    DIRTY_SEALS = 16,     /* or so many generations' worth */
};

/* The weight at which a generation is sealed: seal_bytes, less where memory is small. */
static uint64_t seal_weight(const struct store *store)
{
    uint64_t part = store->options.rows_bytes / SEAL_ROWS_PART;
    return part < store->options.seal_bytes ? part : store->options.seal_bytes;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum status replay_row(void *context, actor_t actor, struct bytes name, struct bytes bytes)
{
    struct store *store = context;
    struct row_key key;
    struct row row;
    enum status status;
    (void)actor;
    if (!row_key_decode(name, &key))
        return STATUS_CORRUPT;
    if (key.db >= store->facts.databases)
        return STATUS_INVALID;
    if (bytes.size == 0) {
        status = key.kind == ROW_HEAD ? apply_replayed(store, name, bytes) : STATUS_CORRUPT;
    } else if ((status = row_decode(bytes, &store->scratch, &row)) == STATUS_OK) {
        clock_see(&store->clock, row_newest_time(&row));
        arena_clear(&store->scratch);
        if (key.kind == ROW_CLEARED) {
            store->flushes++;
            apply_cleared(store, key.slot, key.db);
        } else {
            status = apply_replayed(store, name, bytes);
        }
    }
    arena_clear(&store->scratch);
    cache_trim(store, REPLAY_TRIM);
    return status;
}

static void replay_expect(void *context, const struct bytes *names, size_t count)
{
    struct store *store = context;
    struct bytes rows[LOG_EXPECTED_MAX];
    struct row_key key;
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (row_key_decode(names[i], &key) && key.kind != ROW_CLEARED)
            rows[found++] = names[i];
    table_expect_rows(&store->table, rows, found);
}

/* Seals as it goes, as when the rows were written: a long log takes no more memory than a short
 * one. */
static void replay_batch(void *context)
{
    struct store *store = context;
    struct workers *workers = store->options.workers;
    workers->ops->poll(workers);
    enum status status = seal_begin(store, seal_weight(store), false);
    check(status == STATUS_OK); /* it begins no segment */
    seal_collect_garbage(store, TICK_GARBAGE);
    if (!store_has_room(store) && store->seal.state == SEAL_RUNNING)
        workers->ops->drain(workers);
}

/* By going through all of the tier. */
static enum status recount(struct store *store)
{
    struct buffer report = {0};
    facts_deinit(&store->facts);
    facts_init(&store->facts, store->options.databases);
    store->facts.digests = store->identity.joined;
    enum status status = verify_count(store->options.tier, &store->facts, &report);
    buffer_deinit(&report);
    return status;
}

static enum status read_facts(struct store *store)
{
    if (store->options.recount) {
        enum status status = recount(store);
        return status == STATUS_CORRUPT ? STATUS_OK : status;
    }
    enum status status = facts_read(&store->facts, store->options.tier);
    if (status == STATUS_OK && store->identity.joined && !store->facts.digests)
        return recount(store); /* it has not sealed since it joined */
    store->facts.digests = store->identity.joined;
    return status;
}

static enum status recover(struct store *store, struct store_recovery *recovery,
                           struct buffer *out_error)
{
    struct tier *tier = store->options.tier;
    uint64_t sealed;
    enum status status = meta_seal_read(tier, &sealed);
    if (status == STATUS_OK)
        status = read_facts(store);
    if (status != STATUS_OK) {
        buffer_printf(out_error, "the ordered tier's record of its state: %s",
                      status == STATUS_INVALID
                          ? "it has keys in databases beyond the number of `databases`"
                          : status_text(status));
        return status;
    }
    generation_init(&store->current, 1, sealed);
    struct log_replay calls = {replay_row, store, replay_expect, replay_batch};
    status = log_open(store->options.files, store->options.workers, sealed, &recovery->log,
                      &store->log, out_error);
    if (status == STATUS_OK)
        status = log_replay(store->log, &calls, out_error);
    if (status == STATUS_OK)
        status = log_start(store->log, identity_actor(&store->identity));
    if (status != STATUS_OK && buffer_size(out_error) == 0)
        buffer_printf(out_error, "the log: %s", status_text(status));
    return status;
}

static void store_free(struct store *store)
{
    import_deinit(store);
    export_deinit(store);
    orphans_deinit(store);
    seal_deinit(store);
    expiry_deinit(store);
    for (size_t i = 0; i < store->detached_count; i++)
        memory_free(store->detached[i]);
    for (size_t i = 0; i < store->garbage_count; i++)
        if (store->garbage[i]->flags & ENTRY_DETACHED)
            memory_free(store->garbage[i]);
    memory_free(store->detached);
    memory_free(store->garbage);
    generation_deinit(&store->current);
    if (store->seal.state != SEAL_IDLE)
        generation_deinit(&store->sealing);
    if (store->log)
        log_free(store->log);
    table_deinit(&store->table);
    facts_deinit(&store->facts);
    arena_deinit(&store->scratch);
    identity_deinit(&store->identity);
    memory_free(store);
}

enum status store_was_here(struct files *files, bool *out_was_here)
{
    struct buffer names = {0};
    enum status status = files->ops->list(files, &names);
    struct bytes list = buffer_bytes(&names);
    bool was_here = false;
    for (size_t at = 0; status == STATUS_OK && at < list.size; at += strlen(list.data + at) + 1) {
        struct bytes name = bytes_text(list.data + at);
        was_here |= bytes_equal(name, BYTES("identity")) || bytes_starts_with(name, BYTES("log-"));
    }
    buffer_deinit(&names);
    if (status == STATUS_OK)
        *out_was_here = was_here;
    return status;
}

enum status store_check_fit(struct files *files, struct tier *tier, struct buffer *out_error)
{
    uint64_t sealed;
    enum status status = meta_seal_read(tier, &sealed);
    if (status == STATUS_OK)
        return log_check_begin(files, sealed, out_error);
    buffer_printf(out_error, "the ordered tier's record of its state: %s", status_text(status));
    return status;
}

/* A directory that was used and has lost its identity is damaged: a person is to know. */
static enum status check_identity_is_there(struct files *files, struct buffer *out_error)
{
    bool was_here;
    enum status status = store_was_here(files, &was_here);
    if (status == STATUS_OK && was_here && identity_check(files) == STATUS_ABSENT) {
        buffer_printf(out_error, "the file 'identity' is missing, though there is a log");
        return STATUS_CORRUPT;
    }
    return status;
}

/* With fewer databases than there were, some number may stand for one that is beyond them. */
static enum status check_databases(const struct identity *identity, unsigned databases,
                                   struct buffer *out_error)
{
    _Static_assert((int)IDENTITY_DATABASES == (int)DATABASES_MAX, "a number for each");
    for (unsigned i = 0; i < databases; i++) {
        if (identity_database(identity, (uint8_t)i) < databases)
            continue;
        buffer_printf(out_error,
                      "SWAPDB has exchanged a database with one beyond the number of `databases`");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status store_open(const struct store_options *options, struct store **out,
                       struct store_recovery *out_recovery, struct buffer *out_error)
{
    check(options->databases >= 1 && options->databases <= DATABASES_MAX);
    struct identity identity = {0};
    struct store_recovery recovery = {0};
    uint64_t mark;
    enum status status = options->files->ops->lock(options->files, &mark);
    if (status != STATUS_OK) {
        buffer_printf(out_error, "the data directory: %s", status_text(status));
        return status;
    }
    status = check_identity_is_there(options->files, out_error);
    if (status == STATUS_OK)
        status = identity_take(options->files, mark, options->random48, &identity,
                               &recovery.was_clean, out_error);
    if (status == STATUS_OK)
        status = check_databases(&identity, options->databases, out_error);
    if (status != STATUS_OK) {
        identity_deinit(&identity);
        return status;
    }
    struct store *store = memory_zeroed(sizeof(*store));
    store->options = *options;
    store->identity = identity;
    store->clock.last = identity.time;
    store->random.state = options->random_seed;
    store->stats.sealed_ms = options->now_ms;
    store->active_expiry = true;
    store->tick_ms = options->now_ms;
    access_set_time(store, options->now_ms);
    store->lfu.on = access_is_lfu(options->eviction);
    store_set_lfu(store, LFU_LOG_FACTOR, LFU_DECAY_MINUTES);
    table_init(&store->table);
    facts_init(&store->facts, options->databases);
    arena_init(&store->scratch);
    cache_init(store);
    expiry_init(store);
    list_init(&store->current.rows);
    list_init(&store->imports.waiting);
    list_init(&store->exports);
    status = recover(store, &recovery, out_error);
    if (status != STATUS_OK) {
        options->workers->ops->drain(options->workers); /* a seal may be under way */
        store_free(store);
        return status;
    }
    recovery.new_directory = recovery.log.end == 0 && identity.epoch == 1 && !recovery.was_clean;
    log_set_sync(store->log, options->sync);
    *out = store;
    *out_recovery = recovery;
    return STATUS_OK;
}

/* ---- closing --------------------------------------------------------------------------------- */

enum status store_close(struct store *store)
{
    struct workers *workers = store->options.workers;
    workers->ops->drain(workers);
    enum status status = log_write(store->log);
    if (status == STATUS_OK)
        status = log_sync_now(store->log);
    workers->ops->drain(workers);
    if (status == STATUS_OK)
        status = identity_release(store->options.files, &store->identity, store->clock.last);
    store_free(store);
    return status;
}

static enum status salvage_row(void *context, actor_t actor, struct bytes name, struct bytes row)
{
    struct store *store = context;
    struct workers *workers = store->options.workers;
    enum status status = log_reserve(store->log, name.size + row.size, 1);
    if (status != STATUS_OK)
        return status;
    status = replay_row(store, actor, name, row);
    if (status == STATUS_CORRUPT || status == STATUS_INVALID) /* no row: not worth the rest */
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    log_append(store->log, name, row);
    status = store_turn_end(store, store->tick_ms);
    workers->ops->poll(workers); /* a seal may have ended */
    if (!store_has_room(store))
        workers->ops->drain(workers);
    return status;
}

enum status store_salvage(struct store *store, struct files *damaged, struct buffer *out_report)
{
    struct log_recovery recovery;
    struct log_replay calls = {.row = salvage_row, .context = store};
    enum status status =
        log_salvage(damaged, store->current.log_begin, &calls, &recovery, out_report);
    if (status != STATUS_OK)
        return status;
    buffer_printf(out_report, "log: %llu records saved; damaged: %llu bytes\n",
                  (unsigned long long)recovery.records, (unsigned long long)recovery.lost_bytes);
    return store_seal_now(store);
}

void store_abandon(struct store *store)
{
    store_free(store);
}

/* ---- turns and ticks ------------------------------------------------------------------------- */

static void fail(struct store *store, enum status status)
{
    if (store->failure == STATUS_OK)
        store->failure = status;
}

/* 0 while nobody wants to know. */
static uint64_t watch(const struct store *store)
{
    if (!store->delays_wanted || !store->options.monotonic_ns)
        return 0;
    return store->options.monotonic_ns(store->options.clock_context);
}

static void note_delay(const struct store *store, uint64_t since_ns, uint64_t *longest_ns)
{
    uint64_t now_ns = watch(store);
    if (since_ns > 0 && now_ns > since_ns && now_ns - since_ns > *longest_ns)
        *longest_ns = now_ns - since_ns;
}

void store_want_delays(struct store *store, bool wanted)
{
    store->delays_wanted = wanted;
}

struct store_delays store_take_delays(struct store *store)
{
    struct store_delays delays = store->delays;
    store->delays = (struct store_delays){0};
    return delays;
}

static void evict(struct store *store, uint64_t now_ms, uint64_t most)
{
    uint64_t begin_ns = watch(store);
    evict_tick(store, now_ms, most);
    note_delay(store, begin_ns, &store->delays.eviction_ns);
}

static enum status begin_seal(struct store *store, uint64_t now_ms)
{
    bool wanted = store->seal.wanted && store->seal.state == SEAL_IDLE;
    enum status status = seal_begin(store, seal_weight(store), wanted);
    if (status != STATUS_OK || !wanted)
        return status;
    store->seal.wanted = false;
    if (store->seal.state == SEAL_IDLE) /* there was nothing to seal */
        store->stats.sealed_ms = now_ms;
    return STATUS_OK;
}

enum status store_turn_end(struct store *store, uint64_t now_ms)
{
    expiry_clock(store, now_ms);
    if (store->table.bytes > store->options.rows_bytes) {
        if (store->options.eviction == EVICT_NOTHING || store->paused)
            cache_trim(store, TURN_TRIM);
        else
            evict(store, now_ms, TURN_EVICT + 2 * store->turn_rows);
    }
    store->turn_rows = 0;
    uint64_t begin_ns = watch(store);
    enum status status = log_write(store->log);
    note_delay(store, begin_ns, &store->delays.log_write_ns);
    if (status == STATUS_OK)
        status = begin_seal(store, now_ms);
    if (status == STATUS_DISK_FULL) /* a new segment has no room: the old one goes on */
        status = STATUS_OK;
    if (status != STATUS_OK)
        fail(store, status);
    log_tick(store->log, now_ms);
    if (log_failed(store->log))
        fail(store, STATUS_IO);
    return store->failure;
}

void store_tick(struct store *store, uint64_t now_ms)
{
    store->tick_ms = now_ms;
    seal_retry(store, now_ms);
    uint64_t begin_ns = watch(store);
    expiry_tick(store, now_ms);
    note_delay(store, begin_ns, &store->delays.expiry_ns);
    purge_tick(store, TICK_PURGE);
    seal_collect_garbage(store, TICK_GARBAGE);
    if (store->options.eviction != EVICT_NOTHING && !store->paused)
        evict(store, now_ms, TURN_EVICT);
}

uint64_t store_deadline_ms(const struct store *store)
{
    return store->tick_ms + TICK_MS;
}

void store_expect(const struct store *store, const struct bytes *keys, size_t count)
{
    _Static_assert((int)STORE_EXPECTED_MAX <= (int)TABLE_EXPECTED_MAX, "the table takes them all");
    table_expect(&store->table, keys, count);
}

bool store_gate_passed(const struct store *store, uint64_t gate)
{
    uint64_t passed = store->options.sync == LOG_SYNC_ALWAYS && !MUTANT(acknowledged_before_durable)
                          ? log_synced(store->log)
                          : log_written(store->log);
    return gate <= passed || MUTANT(acknowledged_before_written);
}

uint64_t store_gate_now(const struct store *store)
{
    return log_position(store->log);
}

bool store_gate_synced(struct store *store, uint64_t gate)
{
    bool synced = gate <= log_synced(store->log) || MUTANT(confirmed_before_fsync);
    if (!synced)
        log_want_sync(store->log);
    return synced;
}

bool store_has_room(const struct store *store)
{
    uint64_t dirty = generation_weight(&store->current);
    if (store->seal.state == SEAL_IDLE)
        return true;
    dirty += generation_weight(&store->sealing);
    uint64_t limit = store->options.rows_bytes / DIRTY_ROWS_PART;
    if (limit > DIRTY_SEALS * store->options.seal_bytes)
        limit = DIRTY_SEALS * store->options.seal_bytes;
    return dirty < limit;
}

enum status store_failure(const struct store *store)
{
    return store->failure;
}

bool store_disk_full(const struct store *store)
{
    return store->seal.state == SEAL_FAILED && store->seal.failure == STATUS_DISK_FULL;
}

enum status store_seal_now(struct store *store)
{
    struct workers *workers = store->options.workers;
    workers->ops->drain(workers); /* what is found to have expired goes to the log */
    enum status status = log_write(store->log);
    if (status == STATUS_OK)
        status = seal_begin(store, 0, true);
    workers->ops->drain(workers);
    if (status == STATUS_OK && store->seal.state == SEAL_FAILED)
        status = store->seal.failure;
    if (status == STATUS_OK)
        store->stats.sealed_ms = store->tick_ms;
    return status;
}

void store_forget(struct store *store)
{
    uint64_t budget = store->options.rows_bytes;
    uint64_t looks = 3 * (store->table.entries + store->garbage_count); /* twice round, at most */
    store->options.rows_bytes = 0;
    cache_trim(store, looks < UINT32_MAX ? (unsigned)looks : UINT32_MAX);
    store->options.rows_bytes = budget;
}

void store_seal_soon(struct store *store)
{
    store->seal.wanted = true;
}

/* ---- settings and facts ---------------------------------------------------------------------- */

void store_set_sync(struct store *store, enum log_sync sync)
{
    store->options.sync = sync;
    log_set_sync(store->log, sync);
}

void store_set_rows_bytes(struct store *store, uint64_t bytes)
{
    store->options.rows_bytes = bytes;
}

void store_set_eviction(struct store *store, enum eviction_policy policy)
{
    store->options.eviction = policy;
    store->lfu.on = access_is_lfu(policy);
    store->evict_nothing_left = false;
}

void store_set_paused(struct store *store, bool paused)
{
    store->paused = paused;
}

void store_set_lfu(struct store *store, unsigned log_factor, unsigned decay_minutes)
{
    store->lfu.log_factor = log_factor;
    store->lfu.decay_minutes = decay_minutes;
}

void store_set_active_expiry(struct store *store, bool active)
{
    store->active_expiry = active;
}

uint8_t store_database(const struct store *store, uint8_t index)
{
    return identity_database(&store->identity, index);
}

enum status store_swap_databases(struct store *store, uint8_t a, uint8_t b)
{
    check(a < store->facts.databases && b < store->facts.databases);
    if (a == b)
        return STATUS_OK;
    enum status status = identity_swap_databases(store->options.files, &store->identity, a, b);
    if (status == STATUS_IO)
        fail(store, status);
    return status;
}

uint64_t store_keys(const struct store *store, uint8_t db)
{
    return db < store->facts.databases ? store->facts.keys[db] : 0;
}

uint64_t store_keys_with_expiry(const struct store *store, uint8_t db)
{
    return db < store->facts.databases ? store->facts.expiring[db] : 0;
}

uint64_t store_slot_keys(const struct store *store, uint16_t slot, uint8_t db)
{
    return facts_look(&store->facts, slot, db)->keys;
}

uint16_t store_slot_at(const struct store *store, uint8_t db, uint64_t rank)
{
    return facts_slot_at(&store->facts, db, rank);
}

uint64_t store_node(const struct store *store)
{
    return store->identity.node;
}

uint16_t store_epoch(const struct store *store)
{
    return store->identity.epoch;
}

void store_stats(const struct store *store, struct store_stats *out)
{
    struct tier *tier = store->options.tier;
    *out = store->stats;
    out->rows = store->table.entries;
    out->rows_bytes = store->table.bytes;
    out->table_bytes = store->table.bucket_bytes;
    out->doomed_bytes = store_leaving_bytes(store);
    out->garbage_rows = store->garbage_count;
    out->dirty_rows = store->current.count;
    out->dirty_bytes = generation_weight(&store->current);
    out->sealing = store->seal.state != SEAL_IDLE || store->seal.wanted;
    out->changes = store->current.changes;
    out->seal_failed = store->seal.failure != STATUS_OK;
    if (store->seal.state != SEAL_IDLE) {
        out->seal_ms = seal_elapsed_ms(store);
        out->changes += store->sealing.changes;
        out->dirty_rows += store->sealing.count;
        out->dirty_bytes += generation_weight(&store->sealing);
    }
    out->log_bytes = log_disk_bytes(store->log);
    out->log_position = log_position(store->log);
    out->log_synced = log_synced(store->log);
    out->log_buffered = out->log_position - log_written(store->log);
    tier->ops->stats(tier, &out->tier);
}

uint64_t store_row_bytes(size_t name_size, size_t row_size)
{
    return entry_bytes_of(name_size, row_size) + sizeof(struct entry *); /* and its bucket */
}
