/* SPDX-License-Identifier: MIT */
#include "sim/store_client.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/xxh.h"
#include "row/slot.h"
#include "type/string.h"

enum { TELL_MAX = 256 };

void world_tell(struct world *world, const char *format, ...)
{
    char line[TELL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    world->hash = xxh64(bytes_text(line)) + world->now_ms + 31 * world->hash;
    if (world->trace)
        printf("%8llu  %s\n", (unsigned long long)world->now_ms, line);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->failed)
        return;
    world->failed = true;
    fprintf(stderr, "seed %llu at %llu: ", (unsigned long long)world->seed,
            (unsigned long long)world->now_ms);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

/* ---- operations ------------------------------------------------------------------------------ */

bool world_excused_by_clock(const struct world *world, const struct model_value *value)
{
    for (size_t i = value->since; value->exists && i < world->clock_count; i++)
        if (value->at_ms < world->clocks[i])
            return true;
    return false;
}

bool world_excused_by_eviction(const struct world *world, const struct model_value *value)
{
    enum eviction_policy policy = world->eviction;
    return policy != EVICT_NOTHING && (policy < EVICT_VOLATILE_LRU || value->at_ms != EXPIRY_NEVER);
}

/* Whether a client sees of a key what it must; what may be gone by itself is noted. */
static bool is_as_expected(struct client *client, unsigned key, bool there)
{
    struct world *world = client->world;
    const struct model_value *value = &model_now(&world->model)->values[client->operation.db][key];
    enum fate *fate = &client->fates[key];
    *fate = FATE_AS_EXPECTED;
    if (there == model_is_visible(value, world->now_ms))
        return true;
    if (!there && world_excused_by_clock(world, value))
        *fate = FATE_EXPIRED;
    else if (!there && world_excused_by_eviction(world, value))
        *fate = FATE_EVICTED;
    return *fate != FATE_AS_EXPECTED;
}

static void compare(struct client *client, unsigned key, const struct model_value *seen)
{
    struct world *world = client->world;
    unsigned db = client->operation.db;
    const struct model_value *expected = &model_now(&world->model)->values[db][key];
    bool excused = is_as_expected(client, key, seen->exists);
    if (!excused || (seen->exists && !model_looks_same(expected, seen, world->now_ms)))
        world_fail(
            world,
            "database %u key %u: %s of %zu bytes until %llu, expected %s of %zu bytes until %llu",
            db, key, seen->exists ? "a value" : "nothing", seen->value.size,
            (unsigned long long)seen->at_ms, expected->exists ? "a value" : "nothing",
            expected->value.size, (unsigned long long)expected->at_ms);
}

enum status client_read(struct client *client, uint8_t db, unsigned key, struct model_value *out)
{
    char text[KEY_TEXT_MAX];
    struct cell cell;
    enum status status = cell_find_head(&client->txn, db, operation_key(key, text), &cell);
    *out = (struct model_value){.at_ms = EXPIRY_NEVER, .value = bytes_of("", 0)};
    if (status != STATUS_OK || !cell.exists)
        return status;
    status = string_value(&cell, &out->value);
    out->exists = true;
    out->at_ms = cell.at_ms;
    return status;
}

/* All live keys of a database, each once. */
static enum status scan_all(struct client *client, uint8_t db, unsigned counts[MODEL_KEYS])
{
    struct world *world = client->world;
    memset(counts, 0, MODEL_KEYS * sizeof(*counts));
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct scan_page page = {.done = txn_slot_keys(&client->txn, (uint16_t)slot, db) == 0};
        for (uint64_t hash = 0; !page.done; hash = page.next_hash) {
            enum status status = txn_scan(&client->txn, (uint16_t)slot, db, hash, 2, &page);
            if (status != STATUS_OK)
                return status;
            for (size_t i = 0; i < page.count; i++) {
                char text[KEY_TEXT_MAX];
                unsigned key = 0;
                while (key < MODEL_KEYS && !bytes_equal(operation_key(key, text), page.rows[i].key))
                    key++;
                if (key == MODEL_KEYS)
                    world_fail(world, "a scan returned a key that was never written");
                else
                    counts[key]++;
            }
        }
    }
    return STATUS_OK;
}

/* The reply waits for what it tells of: else it is lost in a power cut that a client knows of. */
static void check_gate(struct client *client, unsigned key)
{
    struct world *world = client->world;
    uint64_t changed_at = world->changed_at[client->operation.db][key];
    if (client->txn.gate < changed_at)
        world_fail(world, "%s of key %u waits for position %llu, what it saw was written at %llu",
                   operation_name(&client->operation), key, (unsigned long long)client->txn.gate,
                   (unsigned long long)changed_at);
}

static enum status run_scan(struct client *client, const struct operation *operation)
{
    struct world *world = client->world;
    unsigned counts[MODEL_KEYS];
    enum status status = scan_all(client, operation->db, counts);
    uint64_t visible = 0;
    for (unsigned key = 0; status == STATUS_OK && key < MODEL_KEYS; key++) {
        visible += counts[key];
        if (counts[key] > 1 || !is_as_expected(client, key, counts[key]))
            world_fail(world, "a scan of database %u returned key %u %u times", operation->db, key,
                       counts[key]);
        if (counts[key])
            check_gate(client, key);
    }
    if (status == STATUS_OK && store_keys(world->store, operation->db) < visible)
        world_fail(world, "database %u counts %llu keys, %llu can be seen", operation->db,
                   (unsigned long long)store_keys(world->store, operation->db),
                   (unsigned long long)visible);
    return status;
}

static enum status write_key(struct client *client, unsigned place)
{
    const struct operation *operation = &client->operation;
    unsigned key = operation->keys[place];
    char text[KEY_TEXT_MAX];
    struct cell cell;
    struct bytes copy = arena_copy(&client->arena, operation_key(key, text));
    enum status status = cell_find_head(&client->txn, operation->db, copy, &cell);
    if (status != STATUS_OK)
        return status;
    bool again = false; /* then it sees its own */
    for (unsigned i = 0; i < place; i++)
        again |= operation->keys[i] == key;
    if (!again && !is_as_expected(client, key, cell.exists))
        world_fail(client->world, "%s of database %u finds key %u %s", operation_name(operation),
                   operation->db, key, cell.exists ? "there" : "gone");
    return operation_apply(operation, &cell);
}

static enum status run_operation(struct client *client)
{
    const struct operation *operation = &client->operation;
    memset(client->fates, 0, sizeof(client->fates));
    if (operation->kind == SCAN)
        return run_scan(client, operation);
    if (operation->kind == FLUSH) {
        txn_flush(&client->txn, operation->keep_expiry ? -1 : operation->db);
        return STATUS_OK;
    }
    for (unsigned i = 0; i < operation->key_count; i++) {
        struct model_value seen;
        enum status status;
        if (operation->kind == GET) {
            status = client_read(client, operation->db, operation->keys[i], &seen);
            if (status == STATUS_OK)
                compare(client, operation->keys[i], &seen);
        } else {
            status = write_key(client, i);
        }
        if (status != STATUS_OK)
            return status;
        check_gate(client, operation->keys[i]);
    }
    return STATUS_OK;
}

/* ---- the way of an operation ----------------------------------------------------------------- */

static void flush_model(struct world *world, struct model_state *state, unsigned db)
{
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        struct model_value *value = &state->values[db][key];
        if (value->exists && !world_excused_by_clock(world, value) &&
            !world_excused_by_eviction(world, value))
            world->changed_at[db][key] = world->turn + 1;
        value->exists = false;
        world->gone[db][key] = (struct gone){0};
    }
}

static void count_evictions(struct world *world, unsigned count)
{
    struct store_stats stats;
    world->evictions_seen += count;
    store_stats(world->store, &stats);
    if (world->evictions_seen > stats.evicted_keys)
        world_fail(world, "%llu keys are gone, %llu were evicted",
                   (unsigned long long)world->evictions_seen,
                   (unsigned long long)stats.evicted_keys);
}

/* What a run found gone by itself is gone for good. */
static void take_fates(struct client *client)
{
    struct world *world = client->world;
    unsigned db = client->operation.db, evicted = 0, expired = 0;
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        evicted += client->fates[key] == FATE_EVICTED;
        expired += client->fates[key] == FATE_EXPIRED;
    }
    if (evicted + expired == 0)
        return;
    struct model_state *state = model_step(&world->model);
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        if (client->fates[key] == FATE_AS_EXPECTED)
            continue;
        state->values[db][key].exists = false;
        if (client->fates[key] == FATE_EXPIRED)
            world->gone[db][key] = (struct gone){.gate = client->txn.gate};
    }
    count_evictions(world, evicted);
}

static void committed(struct client *client)
{
    struct world *world = client->world;
    const struct operation *operation = &client->operation;
    take_fates(client);
    if (client->txn.staged_count == 0 && operation->kind != FLUSH)
        return; /* its reply says nothing of the operations before it */
    struct model_state *state = model_step(&world->model);
    struct model_value *values = state->values[operation->db];
    for (unsigned db = 0; db < MODEL_DATABASES; db++)
        if (operation_flushes(operation, db))
            flush_model(world, state, db);
    for (unsigned i = 0; operation->kind != FLUSH && i < operation->key_count; i++) {
        unsigned key = operation->keys[i];
        world->changed_at[operation->db][key] = world->turn + 1;
        world->gone[operation->db][key] = (struct gone){0};
        if (!operation_apply_to_model(operation, &world->model, &values[key], world->now_ms))
            world_fail(world, "%s of key %u was done, and should have been refused",
                       operation_name(operation), key);
        values[key].since = world->clock_count - 1;
    }
    if (world->reply_count == world->reply_room) {
        world->reply_room = world->reply_room ? world->reply_room * 2 : 16;
        world->replies = memory_resize(world->replies, world->reply_room * sizeof(*world->replies));
    }
    world->replies[world->reply_count++] = (struct reply){world->model.count, client->txn.gate};
}

static void fetched(void *context)
{
    struct client *client = context;
    client->fetching = false;
}

void client_fetch(struct client *client)
{
    client->fetching = true;
    txn_fetch(&client->txn, fetched, client);
}

void client_stop(struct client *client)
{
    txn_end(&client->txn);
    arena_clear(&client->arena);
    client->busy = client->fetching = false;
    client->cold_runs = 0;
}

bool world_expects(struct world *world, enum status status)
{
    switch (status) {
    case STATUS_NOT_INTEGER:
    case STATUS_NOT_FLOAT:
        return true;
    case STATUS_DISK_FULL:
        return world->disk_full || store_disk_full(world->store);
    case STATUS_THROTTLED:
        return !store_has_room(world->store);
    case STATUS_OUT_OF_MEMORY:
        return world->options.eviction != EVICT_NOTHING;
    case STATUS_CORRUPT:
        return world->read_errors;
    case STATUS_IO:
        return world->read_errors || sim_files_halted(world->disk) ||
               sim_tier_is_crashed(world->tier_disk) || !store_has_room(world->store);
    default:
        return false;
    }
}

void client_run(struct client *client)
{
    struct world *world = client->world;
    arena_clear(&client->arena);
    txn_begin(&client->txn, world->now_ms);
    enum status status = run_operation(client);
    if (status == STATUS_OK)
        status = txn_commit(&client->txn);
    world_tell(world, "client %td: %s db %u key %u by %d, run %u: %s", client - world->clients,
               operation_name(&client->operation), client->operation.db, client->operation.keys[0],
               (int)client->operation.by, client->txn.run, status_text(status));
    if (status == STATUS_COLD) {
        if (++client->cold_runs > TXN_RUNS_MAX && client->operation.kind != SCAN)
            world_fail(world, "%s of key %u is cold in its run %u",
                       operation_name(&client->operation), client->operation.keys[0],
                       client->cold_runs);
        client_fetch(client);
        return;
    }
    if (status == STATUS_OK)
        committed(client);
    else if (!world_expects(world, status))
        world_fail(world, "%s of key %u: %s", operation_name(&client->operation),
                   client->operation.keys[0], status_text(status));
    client_stop(client);
}
