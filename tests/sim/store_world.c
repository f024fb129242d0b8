/* SPDX-License-Identifier: MIT */
#include "sim/store_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/random.h"
#include "row/slot.h"
#include "sim/sim_files.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"
#include "sim/store_audit.h"
#include "sim/store_model.h"
#include "store/store.h"
#include "store/txn.h"
#include "type/string.h"

enum {
    LIVES_MAX = 6,
    STEPS_MAX = 160,
    CLIENTS = 3,
    KEYS_PER_OPERATION = 3,
    START_MS = 1000000,
    WAIT_STEPS = 10000, /* for a fetch to end */
};

enum kind { SET, SET_MANY, APPEND, OVERWRITE, INCREMENT, DELETE, EXPIRE, GET, SCAN, FLUSH, KINDS };

static const char *const kind_names[] = {"set",    "set many", "append", "overwrite", "increment",
                                         "delete", "expire",   "get",    "scan",      "flush"};

struct operation {
    enum kind kind;
    uint8_t db;
    unsigned keys[KEYS_PER_OPERATION];
    unsigned key_count;
    struct bytes value;
    uint64_t at_ms;
    uint64_t offset;
    int64_t by;
    bool keep_expiry;
};

/* One client with at most one operation under way. */
struct client {
    struct world *world;
    struct txn txn;
    struct arena arena;
    bool busy, fetching;
    struct operation operation;
};

/* An operation whose reply waits. */
struct reply {
    size_t operation; /* of the model */
    uint64_t gate;
};

struct world {
    uint64_t seed;
    bool trace, failed;
    struct random random;
    uint64_t now_ms;
    struct sim_files *disk;
    struct sim_tier *tier_disk;
    struct sim_workers *workers;
    struct tier *tier;
    struct store *store;
    struct store_options options;
    struct client clients[CLIENTS];
    struct model model;
    size_t acknowledged; /* operations of the model that have been */
    struct reply *replies;
    size_t reply_count, reply_room;
    size_t synced; /* operations of the model below the log's synced position */
    bool disk_full;
    unsigned values;
};

__attribute__((format(printf, 2, 3))) static void tell(struct world *world, const char *format, ...)
{
    if (!world->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("%8llu  ", (unsigned long long)world->now_ms);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void fail(struct world *world, const char *format, ...)
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

static struct bytes key_text(unsigned key, char *out)
{
    /* Some share a slot by their hash tag, one is empty, one is long. */
    if (key == 0)
        return bytes_of("", 0);
    int size =
        key % 3 == 0 ? snprintf(out, 64, "{tag}key-%u", key) : snprintf(out, 64, "key:%u", key);
    return bytes_of(out, (size_t)size);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Unlike any other value of this world, so that nothing can be taken for something else. */
static struct bytes fresh_value(struct world *world)
{
    static const size_t sizes[] = {0, 12, 40, 100, 700, 5000, 16384, 16385, 21000, 40000};
    unsigned which = (unsigned)random_below(&world->random, 20);
    size_t size = sizes[which < 10 ? which % 5 : which - 10];
    char *data = arena_alloc(&world->model.arena, size + 32);
    unsigned mark = ++world->values;
    for (size_t i = 0; i + 8 <= size + 8; i += 8)
        snprintf(data + i, 9, "%04x%04zx", mark & 0xffff, i / 8 & 0xffff);
    return bytes_of(data, size);
}

static struct bytes fresh_number(struct world *world)
{
    char *text = arena_alloc(&world->model.arena, NUMBER_TEXT_MAX);
    int64_t value = (int64_t)random_below(&world->random, 1000) - 500;
    return bytes_of(text, number_format_i64(value, text));
}

static struct operation draw_operation(struct world *world)
{
    static const uint8_t weights[KINDS] = {
        [SET] = 30,    [SET_MANY] = 8, [APPEND] = 8, [OVERWRITE] = 8, [INCREMENT] = 12,
        [DELETE] = 10, [EXPIRE] = 10,  [GET] = 20,   [SCAN] = 4,      [FLUSH] = 1};
    struct random *random = &world->random;
    struct operation operation = {.db = (uint8_t)random_below(random, MODEL_DATABASES),
                                  .key_count = 1};
    unsigned total = 0;
    for (unsigned i = 0; i < KINDS; i++)
        total += weights[i];
    unsigned draw = (unsigned)random_below(random, total);
    while (draw >= weights[operation.kind])
        draw -= weights[operation.kind++];
    if (operation.kind == SET_MANY)
        operation.key_count = KEYS_PER_OPERATION;
    for (unsigned i = 0; i < operation.key_count; i++)
        operation.keys[i] = (unsigned)random_below(random, MODEL_KEYS);
    bool number = operation.kind == SET && random_once_in(random, 3);
    operation.value = number ? fresh_number(world) : fresh_value(world);
    bool forever =
        operation.kind == EXPIRE ? random_once_in(random, 4) : !random_once_in(random, 3);
    operation.at_ms = forever ? EXPIRY_NEVER : world->now_ms + 1 + random_below(random, 3000);
    operation.keep_expiry = random_once_in(random, 6);
    operation.offset = random_below(random, random_once_in(random, 3) ? 30000 : 100);
    operation.by = (int64_t)random_below(random, 200) - 100;
    return operation;
}

/* What the operation does to one key in the model. False: it is to be refused. */
static bool model_apply(struct world *world, const struct operation *operation,
                        struct model_value *value)
{
    struct arena *arena = &world->model.arena;
    bool visible = model_is_visible(value, world->now_ms);
    struct bytes old = visible ? value->value : bytes_of("", 0);
    uint64_t at_ms = visible ? value->at_ms : EXPIRY_NEVER;
    int64_t number = 0;
    switch (operation->kind) {
    case SET:
    case SET_MANY:
        *value = (struct model_value){true, operation->value, operation->at_ms};
        if (operation->keep_expiry && visible)
            value->at_ms = at_ms;
        return true;
    case APPEND:
    case OVERWRITE: {
        if (operation->kind == OVERWRITE && operation->value.size == 0)
            return true;
        size_t offset = operation->kind == APPEND ? old.size : operation->offset;
        size_t end = offset + operation->value.size;
        size_t size = end > old.size ? end : old.size;
        char *data = arena_alloc(arena, size);
        memset(data, 0, size);
        memcpy(data, old.data, old.size);
        memcpy(data + offset, operation->value.data, operation->value.size);
        *value = (struct model_value){true, bytes_of(data, size), at_ms};
        return true;
    }
    case INCREMENT: {
        if (visible && !number_parse_i64(old, &number))
            return false;
        char *text = arena_alloc(arena, NUMBER_TEXT_MAX);
        *value = (struct model_value){
            true, bytes_of(text, number_format_i64(number + operation->by, text)), at_ms};
        return true;
    }
    case DELETE:
        value->exists = false;
        return true;
    case EXPIRE:
        if (visible)
            value->at_ms = operation->at_ms;
        return true;
    default:
        return true;
    }
}

static enum status apply_one(struct client *client, const struct operation *operation,
                             struct cell *cell)
{
    int64_t number;
    uint64_t length;
    switch (operation->kind) {
    case SET:
    case SET_MANY:
        return string_set(cell, operation->value, operation->at_ms, operation->keep_expiry);
    case APPEND:
        return string_append(cell, operation->value, &length);
    case OVERWRITE:
        return operation->value.size == 0
                   ? string_length(cell, &length)
                   : string_overwrite(cell, operation->offset, operation->value, &length);
    case INCREMENT:
        return string_increment(cell, operation->by, &number);
    case DELETE:
        return cell->exists ? cell_delete(cell) : STATUS_OK;
    case EXPIRE:
        return cell->exists ? cell_expire(cell, operation->at_ms) : STATUS_OK;
    default:
        (void)client;
        return STATUS_OK;
    }
}

static void compare(struct world *world, unsigned db, unsigned key, const struct model_value *seen)
{
    const struct model_value *expected = &model_now(&world->model)->values[db][key];
    if (!model_looks_same(expected, seen, world->now_ms))
        fail(world,
             "database %u key %u: %s of %zu bytes until %llu, expected %s of %zu bytes until %llu",
             db, key, seen->exists ? "a value" : "nothing", seen->value.size,
             (unsigned long long)seen->at_ms, expected->exists ? "a value" : "nothing",
             expected->value.size, (unsigned long long)expected->at_ms);
}

static enum status read_key(struct client *client, uint8_t db, unsigned key,
                            struct model_value *out)
{
    char text[64];
    struct cell cell;
    enum status status = cell_find_head(&client->txn, db, key_text(key, text), &cell);
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
        struct scan_page page = {.done = store_slot_keys(world->store, (uint16_t)slot, db) == 0};
        for (uint64_t hash = 0; !page.done; hash = page.next_hash) {
            enum status status = txn_scan(&client->txn, (uint16_t)slot, db, hash, 2, &page);
            if (status != STATUS_OK)
                return status;
            for (size_t i = 0; i < page.count; i++) {
                char text[64];
                unsigned key = 0;
                while (key < MODEL_KEYS && !bytes_equal(key_text(key, text), page.rows[i].key))
                    key++;
                if (key == MODEL_KEYS)
                    fail(world, "a scan returned a key that was never written");
                else
                    counts[key]++;
            }
        }
    }
    return STATUS_OK;
}

static enum status run_scan(struct client *client, const struct operation *operation)
{
    struct world *world = client->world;
    unsigned counts[MODEL_KEYS];
    enum status status = scan_all(client, operation->db, counts);
    uint64_t visible = 0;
    for (unsigned key = 0; status == STATUS_OK && key < MODEL_KEYS; key++) {
        bool expected =
            model_is_visible(&model_now(&world->model)->values[operation->db][key], world->now_ms);
        visible += expected;
        if (counts[key] != expected)
            fail(world, "a scan of database %u returned key %u %u times, expected %u",
                 operation->db, key, counts[key], expected);
    }
    if (status == STATUS_OK && store_keys(world->store, operation->db) < visible)
        fail(world, "database %u counts %llu keys, %llu can be seen", operation->db,
             (unsigned long long)store_keys(world->store, operation->db),
             (unsigned long long)visible);
    return status;
}

static enum status run_operation(struct client *client)
{
    struct world *world = client->world;
    const struct operation *operation = &client->operation;
    if (operation->kind == SCAN)
        return run_scan(client, operation);
    if (operation->kind == FLUSH) {
        txn_flush(&client->txn, operation->keep_expiry ? -1 : operation->db);
        return STATUS_OK;
    }
    for (unsigned i = 0; i < operation->key_count; i++) {
        char text[64];
        struct cell cell;
        struct model_value seen;
        enum status status;
        if (operation->kind == GET) {
            status = read_key(client, operation->db, operation->keys[i], &seen);
            if (status == STATUS_OK)
                compare(world, operation->db, operation->keys[i], &seen);
        } else {
            struct bytes key = key_text(operation->keys[i], text);
            status =
                cell_find_head(&client->txn, operation->db, arena_copy(&client->arena, key), &cell);
            if (status == STATUS_OK)
                status = apply_one(client, operation, &cell);
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- the way of an operation ----------------------------------------------------------------- */

static void flush_model(struct model_state *state, const struct operation *operation)
{
    for (unsigned db = 0; db < MODEL_DATABASES; db++)
        for (unsigned key = 0; key < MODEL_KEYS; key++)
            if (operation->keep_expiry || db == operation->db)
                state->values[db][key].exists = false;
}

static void committed(struct client *client)
{
    struct world *world = client->world;
    const struct operation *operation = &client->operation;
    if (operation->kind == GET || operation->kind == SCAN)
        return;
    struct model_state *state = model_step(&world->model);
    if (operation->kind == FLUSH)
        flush_model(state, operation);
    for (unsigned i = 0; operation->kind != FLUSH && i < operation->key_count; i++)
        if (!model_apply(world, operation, &state->values[operation->db][operation->keys[i]]))
            fail(world, "%s of key %u was done, and should have been refused",
                 kind_names[operation->kind], operation->keys[i]);
    if (client->txn.staged_count == 0 && operation->kind != FLUSH)
        return; /* its reply says nothing of the operations before it */
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

static void client_stop(struct client *client)
{
    txn_end(&client->txn);
    arena_clear(&client->arena);
    client->busy = client->fetching = false;
}

static bool is_expected_refusal(struct world *world, enum status status)
{
    switch (status) {
    case STATUS_NOT_INTEGER:
        return true;
    case STATUS_DISK_FULL:
        return world->disk_full || store_disk_full(world->store);
    case STATUS_THROTTLED:
        return !store_has_room(world->store);
    case STATUS_IO:
        return sim_files_halted(world->disk) || sim_tier_is_crashed(world->tier_disk) ||
               !store_has_room(world->store);
    default:
        return false;
    }
}

static void client_run(struct client *client)
{
    struct world *world = client->world;
    arena_clear(&client->arena);
    txn_begin(&client->txn, world->now_ms);
    enum status status = run_operation(client);
    if (status == STATUS_OK)
        status = txn_commit(&client->txn);
    tell(world, "client %td: %s db %u key %u by %d, run %u: %s", client - world->clients,
         kind_names[client->operation.kind], client->operation.db, client->operation.keys[0],
         (int)client->operation.by, client->txn.run, status_text(status));
    if (status == STATUS_COLD) {
        client->fetching = true;
        txn_fetch(&client->txn, fetched, client);
        return;
    }
    if (status == STATUS_OK)
        committed(client);
    else if (!is_expected_refusal(world, status))
        fail(world, "%s of key %u: %s", kind_names[client->operation.kind],
             client->operation.keys[0], status_text(status));
    client_stop(client);
}

/* ---- the node's life ------------------------------------------------------------------------- */

static void take_replies(struct world *world)
{
    struct store_stats stats;
    size_t kept = 0;
    store_stats(world->store, &stats);
    for (size_t i = 0; i < world->reply_count; i++) {
        struct reply reply = world->replies[i];
        if (reply.gate <= stats.log_synced && reply.operation > world->synced)
            world->synced = reply.operation;
        if (store_gate_passed(world->store, reply.gate) && reply.operation > world->acknowledged)
            world->acknowledged = reply.operation;
        if (reply.gate > stats.log_synced)
            world->replies[kept++] = reply;
    }
    world->reply_count = kept;
}

static void turn_end(struct world *world)
{
    enum status status = store_turn_end(world->store, world->now_ms);
    if (status == STATUS_OK)
        take_replies(world);
    else if (!is_expected_refusal(world, status))
        fail(world, "the turn's end: %s", status_text(status));
}

static bool life_begin(struct world *world)
{
    struct store_recovery recovery;
    struct buffer error = {0};
    world->workers = sim_workers_new(random_next(&world->random));
    world->tier = sim_tier_open(world->tier_disk);
    world->options.files = sim_files_interface(world->disk);
    world->options.tier = world->tier;
    world->options.workers = sim_workers_interface(world->workers);
    world->options.random48 = random_next(&world->random) >> 16;
    world->options.random_seed = random_next(&world->random);
    world->options.now_ms = world->now_ms;
    enum status status = store_open(&world->options, &world->store, &recovery, &error);
    if (status != STATUS_OK)
        fail(world, "opening: %s: %.*s", status_text(status), (int)buffer_size(&error),
             error.block + error.start);
    else
        tell(world, "opened: %llu records, %llu bytes lost, epoch %u",
             (unsigned long long)recovery.log.records, (unsigned long long)recovery.log.lost_bytes,
             store_epoch(world->store));
    buffer_deinit(&error);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &world->clients[i];
        client->world = world;
        client->busy = client->fetching = false;
        arena_init(&client->arena);
        if (status == STATUS_OK)
            txn_init(&client->txn, world->store, &client->arena);
    }
    return status == STATUS_OK;
}

static void clients_stop(struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_stop(&world->clients[i]);
        arena_deinit(&world->clients[i].arena);
    }
}

/* Reads every key, however cold. */
static void read_state(struct world *world, struct model_state *out)
{
    struct client *client = &world->clients[0];
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS && !world->failed; key++) {
            struct model_value *value = &out->values[db][key];
            enum status status;
            do {
                txn_begin(&client->txn, world->now_ms);
                status = read_key(client, (uint8_t)db, key, value);
                if (status == STATUS_COLD) {
                    client->fetching = true;
                    txn_fetch(&client->txn, fetched, client);
                    world->options.workers->ops->drain(world->options.workers);
                }
            } while (status == STATUS_COLD);
            if (status != STATUS_OK)
                fail(world, "database %u key %u after a restart: %s", db, key, status_text(status));
            value->value = arena_copy(&world->model.arena, value->value);
        }
    }
    client_stop(client);
}

static bool is_same_state(const struct model_state *a, const struct model_state *b, uint64_t now_ms)
{
    for (unsigned db = 0; db < MODEL_DATABASES; db++)
        for (unsigned key = 0; key < MODEL_KEYS; key++)
            if (!model_looks_same(&a->values[db][key], &b->values[db][key], now_ms))
                return false;
    return true;
}

static void tell_differences(struct world *world, const struct model_state *expected,
                             const struct model_state *actual)
{
    for (unsigned db = 0; db < MODEL_DATABASES; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            const struct model_value *a = &expected->values[db][key];
            const struct model_value *b = &actual->values[db][key];
            if (model_looks_same(a, b, world->now_ms))
                continue;
            tell(world,
                 "db %u key %u: %s '%.*s' of %zu bytes until %llu; expected %s '%.*s' of %zu until "
                 "%llu",
                 db, key, b->exists ? "there" : "gone",
                 b->value.size < 24 ? (int)b->value.size : 24, b->value.data, b->value.size,
                 (unsigned long long)b->at_ms, a->exists ? "there" : "gone",
                 a->value.size < 24 ? (int)a->value.size : 24, a->value.data, a->value.size,
                 (unsigned long long)a->at_ms);
        }
    }
}

/* What came back is the history up to some operation, none of those that had to last missing. */
static void check_recovered(struct world *world, size_t least)
{
    struct model_state *state = memory_zeroed(sizeof(*state));
    read_state(world, state);
    size_t count = world->model.count;
    while (!world->failed && !is_same_state(&world->model.states[count], state, world->now_ms)) {
        if (count == least) {
            tell_differences(world, &world->model.states[count], state);
            fail(world, "what came back is no state of the history from operation %zu to %zu",
                 least, world->model.count);
            break;
        }
        count--;
    }
    tell(world, "the history goes on from operation %zu of %zu (at least %zu)", count,
         world->model.count, least);
    if (!world->failed)
        model_truncate(&world->model, count);
    memory_free(state);
    world->acknowledged = world->synced = world->model.count;
    world->reply_count = 0;
}

enum end { END_CLEAN, END_CRASH, END_POWER_CUT, ENDS };

/* Ends the process; returns how many operations must have survived. */
static size_t life_end(struct world *world, enum end end)
{
    size_t least = end == END_POWER_CUT ? world->synced : world->acknowledged;
    if (world->options.sync == LOG_SYNC_ALWAYS && least < world->acknowledged)
        fail(world, "acknowledged %zu, synced only %zu", world->acknowledged, world->synced);
    if (end == END_CLEAN && !sim_files_halted(world->disk) &&
        !sim_tier_is_crashed(world->tier_disk)) {
        clients_stop(world);
        size_t all = world->model.count;
        enum status status = store_close(world->store);
        if (status == STATUS_OK)
            least = all;
        else if (status != STATUS_DISK_FULL && !sim_files_halted(world->disk) &&
                 !sim_tier_is_crashed(world->tier_disk))
            fail(world, "a clean stop: %s", status_text(status));
        tell(world, "a clean stop");
    } else {
        sim_workers_crash(world->workers);
        clients_stop(world);
        store_abandon(world->store);
        tell(world, end == END_POWER_CUT ? "a power cut" : "a crash");
    }
    sim_workers_free(world->workers);
    world->tier->ops->free(world->tier);
    if (end == END_POWER_CUT)
        sim_files_power_cut(world->disk);
    else
        sim_files_crash(world->disk);
    sim_files_set_capacity(world->disk, SIM_FILES_UNLIMITED);
    sim_tier_set_full(world->tier_disk, false);
    world->disk_full = false;
    world->store = NULL;
    return least;
}

static void crashed_in_ingest(void *context)
{
    struct world *world = context;
    sim_files_halt_after(world->disk, 0);
}

static void fault(struct world *world)
{
    struct random *random = &world->random;
    switch (random_below(random, 5)) {
    case 0:
        sim_files_halt_after(world->disk, random_below(random, 40));
        break;
    case 1:
        sim_tier_crash_in_ingest(world->tier_disk, (enum sim_tier_crash)random_below(random, 2),
                                 crashed_in_ingest, world);
        break;
    case 2:
        sim_tier_fail_next_ingest(world->tier_disk,
                                  random_once_in(random, 2) ? STATUS_DISK_FULL : STATUS_IO);
        break;
    case 3:
        world->disk_full = true;
        sim_files_set_capacity(world->disk, sim_files_used(world->disk));
        sim_tier_set_full(world->tier_disk, true);
        break;
    default:
        world->disk_full = false;
        sim_files_set_capacity(world->disk, SIM_FILES_UNLIMITED);
        sim_tier_set_full(world->tier_disk, false);
        break;
    }
}

static bool is_dead(const struct world *world)
{
    return world->failed || sim_files_halted(world->disk) ||
           sim_tier_is_crashed(world->tier_disk) || store_failure(world->store) != STATUS_OK;
}

static void step(struct world *world)
{
    struct random *random = &world->random;
    struct workers *workers = world->options.workers;
    struct client *client = &world->clients[random_below(random, CLIENTS)];
    switch (random_below(random, 10)) {
    case 0:
        world->now_ms += random_below(random, 200);
        store_tick(world->store, world->now_ms);
        break;
    case 1:
    case 2:
        turn_end(world);
        break;
    case 3:
    case 4:
        sim_workers_step(world->workers);
        break;
    case 5:
        workers->ops->poll(workers);
        break;
    default:
        if (client->fetching)
            break;
        if (!client->busy)
            client->operation = draw_operation(world);
        client->busy = true;
        client_run(client);
        break;
    }
    if (random_once_in(random, 400))
        fault(world);
}

static void live(struct world *world)
{
    unsigned steps = (unsigned)random_below(&world->random, STEPS_MAX) * 4;
    for (unsigned i = 0; i < steps && !is_dead(world); i++)
        step(world);
    if (!is_dead(world) && !world->disk_full && random_once_in(&world->random, 3)) {
        enum status status = store_seal_now(world->store);
        tell(world, "sealed: %s", status_text(status));
        take_replies(world);
    }
    if (!is_dead(world)) {
        const char *wrong = store_audit(world->store);
        if (wrong)
            fail(world, "%s", wrong);
    }
}

static void draw_options(struct world *world)
{
    struct random *random = &world->random;
    static const uint64_t seals[] = {2000, 20000, 200000, 4000000};
    static const uint64_t budgets[] = {1, 20000, 100000, 100000000};
    world->options.sync = (enum log_sync)random_below(random, 3);
    world->options.seal_bytes = seals[random_below(random, 4)];
    world->options.rows_bytes = budgets[random_below(random, 4)];
    world->options.databases = MODEL_DATABASES;
    world->options.eviction = EVICT_NOTHING;
    sim_tier_set_cold(world->tier_disk, (unsigned)random_below(random, 4));
}

bool store_world_run(uint64_t seed, bool trace)
{
    struct world *world = memory_zeroed(sizeof(*world));
    world->seed = seed;
    world->trace = trace;
    world->random.state = seed;
    world->now_ms = START_MS;
    world->disk = sim_files_new(random_next(&world->random), SIM_FILES_UNLIMITED);
    world->tier_disk = sim_tier_new(random_next(&world->random));
    model_init(&world->model);
    unsigned lives = 1 + (unsigned)random_below(&world->random, LIVES_MAX);
    size_t least = 0;
    for (unsigned life = 0; life < lives && !world->failed; life++) {
        draw_options(world);
        if (!life_begin(world))
            break;
        check_recovered(world, least);
        live(world);
        least = life_end(world, (enum end)random_below(&world->random, ENDS));
        world->now_ms += random_below(&world->random, 1000);
    }
    bool passed = !world->failed;
    model_deinit(&world->model);
    memory_free(world->replies);
    if (passed) { /* after a failure the store may still use them */
        sim_tier_delete(world->tier_disk);
        sim_files_free(world->disk);
    }
    memory_free(world);
    return passed;
}
