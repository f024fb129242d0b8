/* SPDX-License-Identifier: MIT */
/*
 * The store on real threads and RocksDB: seals, cold reads and searches for what has expired run
 * beside the core's writes. To be run as `make KIND=tsan unit/test_store_threads`, with
 * TSAN_OPTIONS=suppressions=tests/tsan.supp; elsewhere it checks the values only.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "sim/store_audit.h"
#include "store/store.h"
#include "store/txn.h"
#include "type/string.h"

enum {
    KEYS = 3000,
    STEPS = 20000,
    CLIENTS = 4,
    PER_TURN = 16,
    TURNS_PER_WAIT = 3,
    VALUE_SIZE = 600
};

struct client {
    struct arena arena;
    struct txn txn;
    bool waiting;
    unsigned key;
    bool writes;
};

struct world {
    char path[64];
    int wake_fd;
    uint64_t now_ms;
    struct files *files;
    struct tier *tier;
    struct workers *workers;
    struct store *store;
    struct client clients[CLIENTS];
    unsigned versions[KEYS]; /* of the value that was written last; 0: deleted, or expires */
    uint64_t reads;
};

static void open_store(struct world *world)
{
    const struct tier_options of_tier = {.block_cache_bytes = 64 * 1024, .compaction_threads = 1};
    struct store_options options = {.random48 = 7,
                                    .random_seed = 1,
                                    .now_ms = world->now_ms,
                                    .databases = 1,
                                    .sync = LOG_SYNC_ALWAYS,
                                    .seal_bytes = 32 * 1024,
                                    .rows_bytes = 1024 * 1024};
    struct store_recovery recovery;
    struct buffer error = {0};
    char data[80];
    assert_int_equal(files_posix_open(world->path, &world->files, &error), STATUS_OK);
    snprintf(data, sizeof(data), "%s/tier", world->path);
    assert_int_equal(tier_rocksdb_open(data, &of_tier, &world->tier, &error), STATUS_OK);
    world->workers = workers_threads_new(2, &world->wake_fd);
    options.files = world->files;
    options.tier = world->tier;
    options.workers = world->workers;
    assert_int_equal(store_open(&options, &world->store, &recovery, &error), STATUS_OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        arena_init(&world->clients[i].arena);
        txn_init(&world->clients[i].txn, world->store, &world->clients[i].arena);
    }
    buffer_deinit(&error);
}

static void close_store(struct world *world)
{
    world->workers->ops->drain(world->workers);
    for (unsigned i = 0; i < CLIENTS; i++) {
        txn_end(&world->clients[i].txn);
        arena_deinit(&world->clients[i].arena);
    }
    assert_int_equal(store_close(world->store), STATUS_OK);
    world->workers->ops->free(world->workers);
    world->tier->ops->free(world->tier);
    world->files->ops->free(world->files);
}

static void ready(void *context)
{
    ((struct client *)context)->waiting = false;
}

static struct bytes value_of(struct arena *arena, unsigned version)
{
    char *value = arena_alloc(arena, VALUE_SIZE);
    memset(value, 'a' + version % 26, VALUE_SIZE);
    snprintf(value, VALUE_SIZE, "%u", version);
    return bytes_of(value, VALUE_SIZE);
}

static enum status write_key(struct world *world, struct client *client, struct cell *cell,
                             unsigned version)
{
    if (version % 11 == 0)
        return cell->exists ? cell_delete(cell) : STATUS_OK;
    uint64_t at_ms = version % 7 ? EXPIRY_NEVER : world->now_ms + 50;
    return string_set(cell, value_of(&client->arena, version), at_ms, false);
}

static void check_value(struct world *world, struct client *client, struct cell *cell)
{
    unsigned version = world->versions[client->key];
    struct bytes value;
    world->reads++;
    if (version > 0 && version % 11 && version % 7)
        assert_true(cell->exists);
    if (!cell->exists)
        return;
    assert_int_equal(string_value(cell, &value), STATUS_OK);
    assert_true(bytes_equal(value, value_of(&client->arena, version)));
}

static void run(struct world *world, struct client *client, unsigned version)
{
    struct cell cell;
    char key[32];
    arena_clear(&client->arena);
    txn_begin(&client->txn, world->now_ms);
    int size = snprintf(key, sizeof(key), "key%u", client->key);
    struct bytes name = arena_copy(&client->arena, bytes_of(key, (size_t)size));
    enum status status = cell_find_head(&client->txn, 0, name, &cell);
    if (status == STATUS_OK && client->writes)
        status = write_key(world, client, &cell, version);
    else if (status == STATUS_OK)
        check_value(world, client, &cell);
    if (status == STATUS_OK)
        status = txn_commit(&client->txn);
    if (status == STATUS_COLD) {
        client->waiting = true;
        txn_fetch(&client->txn, ready, client);
        return;
    }
    if (status == STATUS_THROTTLED)
        world->workers->ops->drain(world->workers);
    else
        assert_int_equal(status, STATUS_OK);
    if (status == STATUS_OK && client->writes)
        world->versions[client->key] = version;
}

static void turn(struct world *world)
{
    world->workers->ops->poll(world->workers);
    world->now_ms += 5;
    store_tick(world->store, world->now_ms);
    assert_int_equal(store_turn_end(world->store, world->now_ms), STATUS_OK);
}

static void test_core_and_threads(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct random random = {42};
    char command[128];
    (void)state;
    snprintf(world->path, sizeof(world->path), "/tmp/test_store_threads.XXXXXX");
    assert_non_null(mkdtemp(world->path));
    world->now_ms = 1000000;
    open_store(world);
    for (unsigned step = 1; step <= STEPS; step++) {
        struct client *client = &world->clients[step % CLIENTS];
        if (step == STEPS / 2) {
            close_store(world);
            open_store(world);
            world->now_ms += 1000;
        }
        if (!client->waiting) {
            if (!client->txn.cold) { /* else the same command runs again */
                client->key = (unsigned)random_below(&random, KEYS);
                client->writes = random_once_in(&random, 2);
            }
            run(world, client, step);
        }
        if (step % PER_TURN == 0)
            turn(world);
        if (step % (PER_TURN * TURNS_PER_WAIT) == 0) /* else the core is done before they are */
            world->workers->ops->drain(world->workers);
    }
    struct store_stats stats;
    store_stats(world->store, &stats);
    print_message("%llu seals, %llu cold reads, %llu expired, %llu reads\n",
                  (unsigned long long)stats.seals, (unsigned long long)stats.cold_reads,
                  (unsigned long long)stats.expired_keys, (unsigned long long)world->reads);
    assert_true(stats.seals > 5 && stats.cold_reads > 10 && stats.expired_keys > 10);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    assert_null(store_audit(world->store, 0));
    close_store(world);
    snprintf(command, sizeof(command), "rm -rf '%s'", world->path);
    assert_int_equal(system(command), 0);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_core_and_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
