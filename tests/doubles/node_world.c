/* SPDX-License-Identifier: MIT */
#include "doubles/node_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/number.h"
#include "store/export.h"

struct store {
    struct world world;
};

struct fetch {
    struct list link; /* of world.fetches while under way */
    struct world *world;
    bool under_way;
    size_t missed[WORLD_ROWS_MAX];      /* rows by number */
    struct bytes names[WORLD_ROWS_MAX]; /* theirs, in the arena, which has to live until then */
    size_t missed_count, known_count;
    void (*ready)(void *context);
    void *context;
};

static struct world *world_of(const struct txn *txn)
{
    return &txn->store->world;
}

/* ---- transactions ---------------------------------------------------------------------------- */

void txn_init(struct txn *txn, struct store *store, struct arena *arena)
{
    *txn = (struct txn){.store = store, .arena = arena};
    store->world.transactions++;
}

void txn_begin(struct txn *txn, uint64_t now_ms)
{
    txn->now_ms = now_ms;
    txn->staged = NULL;
    txn->staged_count = 0;
    txn->gate = 0;
    txn->run++;
    assert_true(txn->run <= TXN_RUNS_MAX);
    if (txn->fetch)
        assert_false(txn->fetch->under_way);
}

void txn_fetch(struct txn *txn, void (*ready)(void *context), void *context)
{
    struct fetch *fetch = txn->fetch;
    assert_true(fetch && fetch->missed_count > fetch->known_count);
    fetch->ready = ready;
    fetch->context = context;
    fetch->under_way = true;
    world_of(txn)->fetch_count++;
    list_append(&world_of(txn)->fetches, &fetch->link);
}

void txn_end(struct txn *txn)
{
    assert_true(world_of(txn)->transactions > 0);
    world_of(txn)->transactions--;
    if (txn->fetch)
        list_remove(&txn->fetch->link);
    memory_free(txn->fetch);
    txn->fetch = NULL;
}

static struct world_row *find_row(struct world *world, struct bytes name)
{
    for (size_t i = 0; i < world->row_count; i++)
        if (bytes_equal(world->rows[i].name, name))
            return &world->rows[i];
    return NULL;
}

static bool is_known(const struct fetch *fetch, size_t row, size_t count)
{
    for (size_t i = 0; fetch && i < count; i++)
        if (fetch->missed[i] == row)
            return true;
    return false;
}

void txn_want(struct txn *txn, struct bytes name)
{
    struct world *world = world_of(txn);
    struct world_row *row = find_row(world, name);
    size_t number = (size_t)(row - world->rows);
    if (!row || !row->cold)
        return;
    if (!txn->fetch) {
        txn->fetch = memory_zeroed(sizeof(*txn->fetch));
        txn->fetch->world = world;
        list_init(&txn->fetch->link);
    }
    if (is_known(txn->fetch, number, txn->fetch->missed_count))
        return;
    txn->fetch->names[txn->fetch->missed_count] = arena_copy(txn->arena, name);
    txn->fetch->missed[txn->fetch->missed_count++] = number;
}

enum status txn_get(struct txn *txn, struct bytes name, struct bytes *out_row)
{
    struct world *world = world_of(txn);
    struct world_row *row = find_row(world, name);
    if (!row)
        return STATUS_ABSENT;
    size_t number = (size_t)(row - world->rows);
    if (row->cold && (!txn->fetch || !is_known(txn->fetch, number, txn->fetch->known_count))) {
        txn_want(txn, name);
        return STATUS_COLD;
    }
    if (row->gate > world->durable && row->gate > txn->gate)
        txn->gate = row->gate;
    *out_row = row->row;
    return STATUS_OK;
}

void txn_stage(struct txn *txn, struct bytes name, struct bytes row)
{
    if (!txn->staged)
        txn->staged = arena_alloc(txn->arena, WORLD_ROWS_MAX * sizeof(*txn->staged));
    assert_true(txn->staged_count < WORLD_ROWS_MAX);
    txn->staged[txn->staged_count++] = (struct txn_row){.name = name, .row = row};
}

void txn_stage_onto(struct txn *txn, struct bytes name, struct bytes row, struct bytes held)
{
    (void)held;
    txn_stage(txn, name, row);
}

static struct bytes copy(struct bytes bytes)
{
    char *data = memory_alloc(bytes.size);
    if (bytes.size > 0)
        memcpy(data, bytes.data, bytes.size);
    return bytes_of(data, bytes.size);
}

static struct world_row *put(struct world *world, struct bytes name, struct bytes value)
{
    struct world_row *row = find_row(world, name);
    if (!row) {
        assert_true(world->row_count < WORLD_ROWS_MAX);
        row = &world->rows[world->row_count++];
        *row = (struct world_row){.name = copy(name)};
    }
    memory_free((void *)row->row.data);
    row->row = copy(value);
    return row;
}

enum status txn_commit(struct txn *txn)
{
    struct world *world = world_of(txn);
    if (txn->staged_count == 0)
        return STATUS_OK;
    if (world->disk_full)
        return STATUS_DISK_FULL;
    if (world->throttled)
        return STATUS_THROTTLED;
    world->position++;
    for (uint32_t i = 0; i < txn->staged_count; i++) {
        struct world_row *held = put(world, txn->staged[i].name, txn->staged[i].row);
        held->gate = world->position;
        held->cold = false;
    }
    txn->gate = world->position;
    return STATUS_OK;
}

struct dot txn_dot(struct txn *txn, uint64_t newest)
{
    (void)txn;
    return (struct dot){.time = newest + 1};
}

void txn_set_dead(struct txn *txn, const struct dead_actors *dead)
{
    txn->dead = dead;
}

const struct vector *txn_stable(const struct txn *txn)
{
    (void)txn;
    return NULL;
}

bool txn_is_joined(const struct txn *txn)
{
    (void)txn;
    return false;
}

enum status txn_scan(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, size_t limit,
                     struct scan_page *out)
{
    (void)txn, (void)slot, (void)db, (void)hash, (void)limit;
    *out = (struct scan_page){.done = true};
    return STATUS_OK;
}

void txn_flush(struct txn *txn, int db)
{
    (void)txn, (void)db;
}

/* ---- the store ------------------------------------------------------------------------------- */

enum status store_open(const struct store_options *options, struct store **out,
                       struct store_recovery *out_recovery, struct buffer *out_error)
{
    (void)out_error;
    *out = (struct store *)(void *)list_entry(options->files, struct world, files);
    (*out)->world.rows_bytes = options->rows_bytes;
    (*out)->world.sync = options->sync;
    *out_recovery = (struct store_recovery){.new_directory = true};
    return STATUS_OK;
}

enum status store_close(struct store *store)
{
    (void)store;
    return STATUS_OK;
}

void store_abandon(struct store *store)
{
    (void)store;
}

enum status store_turn_end(struct store *store, uint64_t now_ms)
{
    (void)now_ms;
    if (store->world.turn_fails)
        return STATUS_IO;
    if (!store->world.sync_held)
        store->world.durable = store->world.position;
    return STATUS_OK;
}

void store_tick(struct store *store, uint64_t now_ms)
{
    (void)store, (void)now_ms;
}

uint64_t store_deadline_ms(const struct store *store)
{
    (void)store;
    return UINT64_MAX;
}

void store_expect(const struct store *store, const struct bytes *keys, size_t count)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        assert_non_null(memchr(keys[i].data, keys[i].data[0], keys[i].size)); /* can be read */
}

bool store_gate_passed(const struct store *store, uint64_t gate)
{
    return gate <= store->world.durable;
}

struct dot store_newest_dot(const struct store *store, uint64_t now_ms)
{
    (void)store;
    return (struct dot){.time = now_ms};
}

void store_date_from(struct store *store, uint64_t from_ms, uint64_t ahead_ms)
{
    (void)store;
    (void)from_ms;
    (void)ahead_ms;
}

uint64_t store_gate_now(const struct store *store)
{
    return store->world.durable;
}

bool store_gate_synced(struct store *store, uint64_t gate)
{
    return gate <= store->world.durable;
}

bool store_has_room(const struct store *store)
{
    return !store->world.throttled;
}

enum status store_failure(const struct store *store)
{
    (void)store;
    return STATUS_OK;
}

bool store_disk_full(const struct store *store)
{
    return store->world.disk_full;
}

void store_set_sync(struct store *store, enum log_sync sync)
{
    store->world.sync = sync;
}

void store_set_rows_bytes(struct store *store, uint64_t bytes)
{
    store->world.rows_bytes = bytes;
}

void store_set_eviction(struct store *store, enum eviction_policy policy)
{
    (void)store, (void)policy;
}

void txn_saw_expired(struct txn *txn, struct bytes name)
{
    (void)txn, (void)name;
}

void store_set_lfu(struct store *store, unsigned log_factor, unsigned decay_minutes)
{
    (void)store, (void)log_factor, (void)decay_minutes;
}

void store_set_active_expiry(struct store *store, bool active)
{
    (void)store, (void)active;
}

void store_set_paused(struct store *store, bool paused)
{
    store->world.paused = paused;
}

void store_want_delays(struct store *store, bool wanted)
{
    store->world.delays_wanted = wanted;
}

struct store_delays store_take_delays(struct store *store)
{
    struct store_delays delays = store->world.delays;
    store->world.delays = (struct store_delays){0};
    return delays;
}

enum status store_seal_now(struct store *store)
{
    (void)store;
    return STATUS_OK;
}

uint8_t store_database(const struct store *store, uint8_t index)
{
    return index ^ store->world.swapped;
}

uint64_t store_keys(const struct store *store, uint8_t db)
{
    return db == 0 ? store->world.row_count : 0;
}

uint64_t store_keys_with_expiry(const struct store *store, uint8_t db)
{
    (void)store, (void)db;
    return 0;
}

uint64_t store_average_ttl(struct store *store, uint8_t db, uint64_t now_ms)
{
    (void)store, (void)db, (void)now_ms;
    return 0;
}

uint64_t store_slot_keys(const struct store *store, uint16_t slot, uint8_t db)
{
    (void)store, (void)slot, (void)db;
    return 0;
}

uint64_t txn_keys(struct txn *txn, uint8_t db)
{
    return store_keys(txn->store, db);
}

uint64_t txn_slot_keys(struct txn *txn, uint16_t slot, uint8_t db)
{
    return store_slot_keys(txn->store, slot, db);
}

uint64_t store_node(const struct store *store)
{
    (void)store;
    return 7;
}

uint16_t store_epoch(const struct store *store)
{
    (void)store;
    return 1;
}

void store_stats(const struct store *store, struct store_stats *out)
{
    *out = (struct store_stats){.rows = store->world.row_count};
}

enum status store_check(struct files *files, struct tier *tier, struct buffer *out_report)
{
    (void)files, (void)tier, (void)out_report;
    return STATUS_OK;
}

/* ---- the commands ---------------------------------------------------------------------------- */

static enum status get(struct request *request)
{
    struct bytes row;
    enum status status = txn_get(request->txn, request->argv[1], &row);
    request->hits++; /* in each run: only the last one may count */
    if (status == STATUS_ABSENT)
        reply_null(request->reply);
    else if (status == STATUS_OK)
        reply_bulk(request->reply, row);
    else
        return status;
    return STATUS_OK;
}

static enum status set(struct request *request)
{
    struct bytes row;
    enum status status = txn_get(request->txn, request->argv[1], &row);
    if (status != STATUS_OK && status != STATUS_ABSENT)
        return status;
    txn_stage(request->txn, request->argv[1], request->argv[2]);
    reply_ok(request->reply);
    return STATUS_OK;
}

/* Two rows; begins its reply before it knows that it can. The second is missed only when the
 * first is there. */
static enum status both(struct request *request)
{
    reply_array(request->reply, 2);
    for (unsigned i = 1; i <= 2; i++) {
        struct bytes row;
        enum status status = txn_get(request->txn, request->argv[i], &row);
        if (status != STATUS_OK)
            return status;
        reply_bulk(request->reply, row);
    }
    return STATUS_OK;
}

/* Yields n times; its first slice reads the row "seen". */
static enum status slow(struct request *request)
{
    int64_t slices;
    struct bytes row;
    if (!number_parse_i64(request->argv[1], &slices))
        return STATUS_NOT_INTEGER;
    if (request->progress->position == 0)
        (void)!txn_get(request->txn, BYTES("seen"), &row);
    reply_integer(request->reply, (int64_t)request->progress->count);
    if ((int64_t)request->progress->position++ < slices) {
        request->progress->count += 10;
        buffer_append_bytes(&request->progress->done, BYTES("gathered"));
        return STATUS_YIELD;
    }
    return STATUS_OK;
}

static enum status fail_midway(struct request *request)
{
    reply_array(request->reply, 1000);
    txn_stage(request->txn, BYTES("failed"), BYTES("but stored"));
    return STATUS_WRONG_TYPE;
}

/* Takes so many microseconds, and then reads a row. */
static enum status spend(struct request *request)
{
    int64_t duration_us;
    struct bytes row;
    if (!number_parse_i64(request->argv[1], &duration_us))
        return STATUS_NOT_INTEGER;
    world_of(request->txn)->now_ns += (uint64_t)duration_us * 1000;
    enum status status = txn_get(request->txn, request->argv[2], &row);
    if (status != STATUS_OK && status != STATUS_ABSENT)
        return status;
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status stop(struct request *request)
{
    request->session->sessions->admin->shutdown(request->admin->context, true, false);
    return STATUS_REPLIED;
}

static const struct command world_commands[] = {
    {.name = "get",
     .handler = get,
     .arity = 2,
     .flags = CMD_READONLY | CMD_FAST,
     .complexity = "O(1)"},
    {.name = "set", .handler = set, .arity = 3, .flags = CMD_WRITE | CMD_DENYOOM},
    {.name = "both", .handler = both, .arity = 3, .flags = CMD_READONLY},
    {.name = "spend",
     .handler = spend,
     .arity = 3,
     .flags = CMD_READONLY | CMD_FAST,
     .complexity = "O(1)"},
    {.name = "slow", .handler = slow, .arity = 2, .flags = CMD_READONLY},
    {.name = "fail", .handler = fail_midway, .arity = 1, .flags = CMD_READONLY},
    {.name = "stop", .handler = stop, .arity = 1, .flags = CMD_ADMIN},
    {.name = NULL},
};

/* ---- the world ------------------------------------------------------------------------------- */

static void close_peer(void *context, struct session *session, bool now)
{
    (void)context;
    struct peer *peer = session->connection;
    assert_ptr_equal(peer->session, session);
    assert_false(peer->ending);
    if (!now)
        assert_int_equal(buffer_size(&session->output), 0);
    peer->ending = true;
    peer->abrupt = now;
}

static uint64_t measured_ns(void *context)
{
    struct world *world = context;
    return world->now_ns;
}

struct world *world_new_with_password(const char *password)
{
    static const struct command *const tables[] = {
        connection_commands, consistency_commands, monitor_commands,
        config_commands,     info_commands,        slowlog_commands,
        latency_commands,    world_commands,       NULL,
    };
    struct store *store = memory_zeroed(sizeof(*store));
    struct world *world = &store->world;
    struct buffer error = {0};
    list_init(&world->fetches);
    world->now_ms = 1000 * 1000;
    world->now_ns = 1000 * 1000 * 1000;
    config_init(&world->config);
    assert_int_equal(config_set(&world->config, BYTES("requirepass"), bytes_text(password), &error),
                     STATUS_OK);
    struct host host = {
        .files = &world->files,
        .workers = &world->workers,
        .random = {1, 2},
        .memory_total = (uint64_t)8 << 30,
        .monotonic_ns = measured_ns,
        .close = close_peer,
        .context = world,
    };
    assert_int_equal(node_open(&host, &world->config, tables, world->now_ms, &world->node, &error),
                     STATUS_OK);
    return world;
}

struct world *world_new(void)
{
    return world_new_with_password("");
}

void world_free(struct world *world)
{
    for (unsigned i = 0; i < world->peer_count; i++)
        peer_leave(&world->peers[i]);
    assert_int_equal(node_close(world->node), STATUS_OK);
    assert_int_equal(world->transactions, 0);
    assert_true(list_is_empty(&world->fetches));
    for (unsigned i = 0; i < world->peer_count; i++)
        buffer_deinit(&world->peers[i].received);
    for (size_t i = 0; i < world->row_count; i++) {
        memory_free((void *)world->rows[i].name.data);
        memory_free((void *)world->rows[i].row.data);
    }
    config_deinit(&world->config);
    memory_free((struct store *)(void *)world);
}

struct peer *world_connect(struct world *world)
{
    assert_true(world->peer_count < WORLD_PEERS_MAX);
    struct peer *peer = &world->peers[world->peer_count++];
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%u", 5000 + world->peer_count);
    peer->world = world;
    peer->reading = true;
    peer->session = node_accepted(world->node, address, "127.0.0.1:6379", world->now_ms);
    peer->session->connection = peer;
    world->admin = peer->session->sessions->admin;
    return peer;
}

void world_row(struct world *world, const char *key, const char *value, bool cold)
{
    put(world, bytes_text(key), bytes_text(value))->cold = cold;
}

void world_fetches_done(struct world *world)
{
    while (!list_is_empty(&world->fetches)) {
        struct fetch *fetch = list_entry(world->fetches.next, struct fetch, link);
        list_remove(&fetch->link);
        fetch->under_way = false;
        for (size_t i = fetch->known_count; i < fetch->missed_count; i++)
            assert_true(bytes_equal(fetch->names[i], world->rows[fetch->missed[i]].name));
        fetch->known_count = fetch->missed_count;
        fetch->ready(fetch->context);
    }
}

static void send_output(struct peer *peer)
{
    struct session *session = peer->session;
    size_t size = session->output_free;
    buffer_append(&peer->received, buffer_bytes(&session->output).data, size);
    node_sent(peer->world->node, session, size);
}

void world_turn(struct world *world)
{
    world->now_ms++;
    if (world->now_ms >= node_deadline_ms(world->node))
        node_tick(world->node, world->now_ms);
    assert_int_equal(node_turn_end(world->node, world->now_ms), STATUS_OK);
    struct session *session;
    while ((session = node_next_output(world->node))) {
        assert_true(session->output_free > 0);
        struct peer *peer = session->connection;
        if (peer->reading)
            send_output(peer);
    }
    for (unsigned i = 0; i < world->peer_count; i++)
        if (world->peers[i].ending && world->peers[i].session)
            peer_leave(&world->peers[i]);
}

void world_turns(struct world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        world_turn(world);
}

void peer_send_bytes(struct peer *peer, struct bytes bytes)
{
    /* Exactly these bytes, in memory that is gone afterwards: who keeps a pointer is found out. */
    struct bytes lent = copy(bytes);
    node_receive(peer->world->node, peer->session, lent, peer->world->now_ms);
    memory_free((void *)lent.data);
}

void peer_send(struct peer *peer, const char *text)
{
    peer_send_bytes(peer, bytes_text(text));
}

void peer_leave(struct peer *peer)
{
    if (peer->session)
        node_closed(peer->world->node, peer->session);
    peer->session = NULL;
}

void peer_expect_at(struct peer *peer, const char *text, const char *file, int line)
{
    buffer_append_u8(&peer->received, 0);
    const char *received = buffer_bytes(&peer->received).data;
    if (strcmp(received, text) != 0) {
        print_error("received: %s\nexpected: %s\n", received, text);
        _fail(file, line);
    }
    buffer_clear(&peer->received, 0);
}

void peer_ask_at(struct peer *peer, const char *text, const char *reply, const char *file, int line)
{
    peer_send(peer, text);
    world_turn(peer->world);
    peer_expect_at(peer, reply, file, line);
}
