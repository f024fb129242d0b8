/* SPDX-License-Identifier: MIT */
/* store_check and store_salvage on a simulated disk: what is whole is kept, nothing comes back,
 * nothing is invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "sim/sim_files.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"
#include "sim/store_audit.h"
#include "store/identity.h"
#include "store/store.h"
#include "store/txn.h"
#include "type/string.h"

enum {
    KEYS = 40,
    SEEDS = 200,
    NOW_MS = 1000000,
    BATCH_HEADER = 40,
    SEGMENT_HEADER = 64,
};

struct world {
    struct random random;
    struct sim_files *disk, *saved;
    struct sim_tier *tier_disk;
    struct sim_workers *workers;
    struct tier *tier;
    struct store *store;
    struct arena arena;
    struct txn txn;
    struct buffer report;
    unsigned writes[KEYS]; /* so many values were written; the last one holds, or ... */
    bool deleted[KEYS];    /* ... it was deleted afterwards */
};

/* ---- a node ---------------------------------------------------------------------------------- */

static enum status node_start(struct world *world, struct sim_files *disk, bool recount)
{
    world->workers = sim_workers_new(random_next(&world->random));
    world->tier = sim_tier_open(world->tier_disk);
    struct store_options options = {
        .files = sim_files_interface(disk),
        .tier = world->tier,
        .workers = sim_workers_interface(world->workers),
        .random48 = random_next(&world->random) >> 16,
        .now_ms = NOW_MS,
        .databases = 2,
        .sync = LOG_SYNC_ALWAYS,
        .seal_bytes = STORE_SEAL_BYTES,
        .rows_bytes = 100 * 1024 * 1024,
        .recount = recount,
    };
    struct store_recovery recovery;
    enum status status = store_open(&options, &world->store, &recovery, &world->report);
    if (status == STATUS_OK) {
        arena_init(&world->arena);
        txn_init(&world->txn, world->store, &world->arena);
    } else {
        sim_workers_free(world->workers);
        world->tier->ops->free(world->tier);
    }
    return status;
}

static void turn(struct world *world)
{
    struct workers *workers = sim_workers_interface(world->workers);
    assert_int_equal(store_turn_end(world->store, NOW_MS), STATUS_OK);
    workers->ops->drain(workers); /* a sync */
}

/* By a crash: what was written stays. */
static void node_end(struct world *world, struct sim_files *disk, bool clean)
{
    txn_end(&world->txn);
    arena_deinit(&world->arena);
    if (clean)
        assert_int_equal(store_close(world->store), STATUS_OK);
    else
        store_abandon(world->store);
    sim_workers_free(world->workers);
    world->tier->ops->free(world->tier);
    sim_files_crash(disk);
}

static struct bytes key_of(unsigned key, char room[32])
{
    return bytes_of(room, (size_t)snprintf(room, 32, "key:%u", key));
}

static struct cell find(struct world *world, unsigned key)
{
    char room[32];
    struct cell cell;
    arena_clear(&world->arena);
    txn_begin(&world->txn, NOW_MS);
    struct bytes name = arena_copy(&world->arena, key_of(key, room));
    assert_int_equal(cell_find_head(&world->txn, 0, name, &cell), STATUS_OK);
    return cell;
}

static void commit(struct world *world)
{
    assert_int_equal(txn_commit(&world->txn), STATUS_OK);
    turn(world);
}

/* "7/3": the third value of key 7. */
static void put(struct world *world, unsigned key)
{
    char value[32];
    struct cell cell = find(world, key);
    int size = snprintf(value, sizeof(value), "%u/%u", key, ++world->writes[key]);
    assert_int_equal(string_set(&cell, bytes_of(value, (size_t)size), EXPIRY_NEVER, false),
                     STATUS_OK);
    commit(world);
    world->deleted[key] = false;
}

static void delete (struct world *world, unsigned key)
{
    struct cell cell = find(world, key);
    if (!cell.exists)
        return;
    assert_int_equal(cell_delete(&cell), STATUS_OK);
    commit(world);
    world->deleted[key] = true;
}

static void flush(struct world *world)
{
    arena_clear(&world->arena);
    txn_begin(&world->txn, NOW_MS);
    txn_flush(&world->txn, 0);
    commit(world);
    for (unsigned key = 0; key < KEYS; key++)
        world->deleted[key] = true;
}

/* The number of the value that it holds; 0: none. */
static unsigned held(struct world *world, unsigned key)
{
    struct cell cell = find(world, key);
    struct bytes value;
    char text[32];
    if (!cell.exists)
        return 0;
    assert_int_equal(string_value(&cell, &value), STATUS_OK);
    assert_true(value.size < sizeof(text));
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    unsigned of, number;
    assert_int_equal(sscanf(text, "%u/%u", &of, &number), 2);
    assert_int_equal(of, key);
    assert_in_range(number, 1, world->writes[key]);
    return number;
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* The name of the n-th segment, from the newest. */
static bool segment_name(struct world *world, unsigned n, char out[64])
{
    struct files *files = sim_files_interface(world->disk);
    struct buffer names = {0};
    char found[64][64];
    unsigned count = 0;
    assert_int_equal(files->ops->list(files, &names), STATUS_OK);
    struct bytes list = buffer_bytes(&names);
    for (size_t at = 0; at < list.size; at += strlen(list.data + at) + 1)
        if (bytes_starts_with(bytes_text(list.data + at), BYTES("log-")) && count < 64)
            snprintf(found[count++], 64, "%s", list.data + at);
    buffer_deinit(&names);
    if (n >= count)
        return false;
    memcpy(out, found[count - 1 - n], 64);
    return true;
}

static void flip_in_segment(struct world *world, unsigned n, uint64_t at)
{
    char name[64];
    assert_true(segment_name(world, n, name));
    sim_files_flip_bit(world->disk, name, at, 3);
}

static void expect_checked(struct world *world, enum status expected)
{
    struct files *files = sim_files_interface(world->disk);
    uint64_t before = sim_files_digest(world->disk);
    struct tier *tier = sim_tier_open(world->tier_disk);
    buffer_clear(&world->report, SIZE_MAX);
    enum status status = store_check(files, tier, &world->report);
    if (status != expected)
        print_message("%.*s\n", (int)buffer_size(&world->report),
                      buffer_bytes(&world->report).data);
    assert_int_equal(status, expected);
    tier->ops->free(tier);
    sim_files_crash(world->disk);
    assert_int_equal(sim_files_digest(world->disk), before);
}

static bool report_has(struct world *world, const char *words)
{
    struct bytes text = buffer_bytes(&world->report);
    return memmem(text.data, text.size, words, strlen(words)) != NULL;
}

/* As salvage.c does it, on the same tier. The node runs afterwards. */
static void salvage(struct world *world)
{
    struct files *damaged = sim_files_interface(world->disk);
    world->saved = sim_files_new(random_next(&world->random), SIM_FILES_UNLIMITED);
    struct files *saved = sim_files_interface(world->saved);
    uint64_t before = sim_files_digest(world->disk);
    struct buffer identity = {0};
    if (identity_check(damaged) == STATUS_OK) {
        assert_int_equal(files_read_all(damaged, "identity", 65536, &identity), STATUS_OK);
        assert_int_equal(files_replace(saved, "identity", buffer_bytes(&identity)), STATUS_OK);
    }
    buffer_deinit(&identity);
    buffer_clear(&world->report, SIZE_MAX);
    assert_int_equal(node_start(world, world->saved, true), STATUS_OK);
    assert_int_equal(store_salvage(world->store, damaged, &world->report), STATUS_OK);
    assert_int_equal(sim_files_digest(world->disk), before);
    assert_null(store_audit(world->store, 0));
}

/* Once more, as a node that starts on what was saved. */
static void restart_saved(struct world *world)
{
    node_end(world, world->saved, true);
    assert_int_equal(node_start(world, world->saved, false), STATUS_OK);
}

static void expect_all_but(struct world *world, unsigned lost)
{
    for (unsigned key = 0; key < KEYS; key++)
        if (key != lost)
            assert_int_equal(held(world, key), world->deleted[key] ? 0 : world->writes[key]);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->random.state = 7;
    world->disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    world->tier_disk = sim_tier_new(1);
    sim_tier_set_cold(world->tier_disk, SIM_TIER_NEVER_COLD);
    assert_int_equal(node_start(world, world->disk, false), STATUS_OK);
    *state = world;
    return 0;
}

/* The node that runs is on `saved` if there is one. */
static int teardown(void **state)
{
    struct world *world = *state;
    if (world->store)
        node_end(world, world->saved ? world->saved : world->disk, false);
    sim_tier_delete(world->tier_disk);
    sim_files_free(world->disk);
    if (world->saved)
        sim_files_free(world->saved);
    buffer_deinit(&world->report);
    free(world);
    return 0;
}

static void crash(struct world *world)
{
    node_end(world, world->disk, false);
    world->store = NULL;
}

static void restart(struct world *world)
{
    node_end(world, world->disk, false);
    assert_int_equal(node_start(world, world->disk, false), STATUS_OK);
}

static void put_all(struct world *world)
{
    for (unsigned key = 0; key < KEYS; key++)
        put(world, key);
}

/* ---- the stories ----------------------------------------------------------------------------- */

static void test_what_is_whole_is_kept_whole(void **state)
{
    struct world *world = *state;
    put_all(world);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    for (unsigned key = 0; key < KEYS; key += 2)
        put(world, key);
    for (unsigned key = 0; key < KEYS; key += 3)
        delete (world, key);
    crash(world);
    expect_checked(world, STATUS_OK);
    salvage(world);
    expect_all_but(world, KEYS);
    restart_saved(world);
    expect_all_but(world, KEYS);
}

static void test_a_damaged_batch_alone_is_lost(void **state)
{
    struct world *world = *state;
    put_all(world);
    crash(world);
    flip_in_segment(world, 0, SEGMENT_HEADER + BATCH_HEADER + 5);
    expect_checked(world, STATUS_CORRUPT);
    assert_int_equal(node_start(world, world->disk, false), STATUS_CORRUPT);
    sim_files_crash(world->disk);
    salvage(world);
    assert_true(report_has(world, "damaged from offset 64"));
    assert_int_equal(held(world, 0), 0);
    expect_all_but(world, 0);
    restart_saved(world);
    expect_all_but(world, 0);
}

/* Also by a later epoch, and where the segment does not say by whom. */
static void test_what_was_deleted_stays_so(void **state)
{
    struct world *world = *state;
    put_all(world);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    put_all(world);
    restart(world);
    for (unsigned key = 0; key < KEYS; key += 2)
        delete (world, key);
    crash(world);
    flip_in_segment(world, 0, 25);
    expect_checked(world, STATUS_CORRUPT);
    salvage(world);
    expect_all_but(world, KEYS);
    restart_saved(world);
    expect_all_but(world, KEYS);
}

static void test_what_was_flushed_stays_so(void **state)
{
    struct world *world = *state;
    put_all(world);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    put_all(world);
    restart(world);
    flush(world);
    put(world, 3);
    crash(world);
    flip_in_segment(world, 0, 25);
    salvage(world);
    expect_all_but(world, KEYS);
    assert_int_equal(store_keys(world->store, 0), 1);
}

static void expect_without_identity(struct world *world)
{
    expect_checked(world, STATUS_CORRUPT);
    assert_int_equal(node_start(world, world->disk, false), STATUS_CORRUPT);
    sim_files_crash(world->disk);
    salvage(world);
    expect_all_but(world, KEYS);
    restart_saved(world);
    expect_all_but(world, KEYS);
}

static void delete_in_a_later_epoch(struct world *world)
{
    put_all(world);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    restart(world);
    for (unsigned key = 0; key < KEYS; key += 2)
        delete (world, key);
    crash(world);
}

static void test_without_its_identity(void **state)
{
    struct world *world = *state;
    struct files *files = sim_files_interface(world->disk);
    delete_in_a_later_epoch(world);
    assert_int_equal(files->ops->remove(files, "identity"), STATUS_OK);
    expect_without_identity(world);
}

static void test_with_a_damaged_identity(void **state)
{
    struct world *world = *state;
    delete_in_a_later_epoch(world);
    sim_files_flip_bit(world->disk, "identity", 17, 0);
    expect_without_identity(world);
}

static void test_a_missing_segment_is_told(void **state)
{
    struct world *world = *state;
    char name[64];
    struct files *files = sim_files_interface(world->disk);
    for (unsigned key = 0; key < KEYS / 2; key++)
        put(world, key);
    restart(world);
    for (unsigned key = KEYS / 2; key < KEYS; key++)
        put(world, key);
    crash(world);
    assert_true(segment_name(world, 0, name));
    assert_int_equal(files->ops->remove(files, name), STATUS_OK);
    expect_checked(world, STATUS_CORRUPT);
    salvage(world);
    assert_true(report_has(world, "missing: positions"));
    for (unsigned key = 0; key < KEYS; key++)
        assert_int_equal(held(world, key), key < KEYS / 2);
}

/* `synced` may be torn by a power cut, so it is no damage; it tells less, no more. */
static void test_a_damaged_note_of_what_is_synced(void **state)
{
    struct world *world = *state;
    put_all(world);
    crash(world);
    sim_files_flip_bit(world->disk, "synced", 2, 1);
    expect_checked(world, STATUS_OK);
    assert_int_equal(node_start(world, world->disk, false), STATUS_OK);
    expect_all_but(world, KEYS);
}

/* An older state of the tier, whose log is gone: to be told before it is opened for writing. */
static void test_an_older_tier_does_not_fit(void **state)
{
    struct world *world = *state;
    struct files *files = sim_files_interface(world->disk);
    struct sim_tier *older = sim_tier_new(1);
    put_all(world);
    assert_int_equal(store_seal_now(world->store), STATUS_OK);
    put_all(world);
    crash(world);
    struct tier *tiers[] = {sim_tier_open(world->tier_disk), sim_tier_open(older)};
    assert_int_equal(store_check_fit(files, tiers[0], &world->report), STATUS_OK);
    assert_int_equal(store_check_fit(files, tiers[1], &world->report), STATUS_CORRUPT);
    assert_true(report_has(world, "neither in the ordered tier nor in a segment"));
    char name[64];
    while (segment_name(world, 0, name))
        assert_int_equal(files->ops->remove(files, name), STATUS_OK);
    assert_int_equal(store_check_fit(files, tiers[1], &world->report), STATUS_CORRUPT);
    tiers[0]->ops->free(tiers[0]);
    tiers[1]->ops->free(tiers[1]);
    sim_tier_delete(older);
}

/* ---- any damage ------------------------------------------------------------------------------ */

static void live_at_random(struct world *world)
{
    for (unsigned step = 0; step < 120; step++) {
        unsigned key = (unsigned)random_below(&world->random, KEYS);
        switch (random_below(&world->random, 12)) {
        case 0:
            assert_int_equal(store_seal_now(world->store), STATUS_OK);
            break;
        case 1:
            restart(world);
            break;
        case 2:
        case 3:
            delete (world, key);
            break;
        default:
            put(world, key);
        }
    }
}

static void flip_anywhere(struct world *world)
{
    struct files *files = sim_files_interface(world->disk);
    struct buffer names = {0};
    assert_int_equal(files->ops->list(files, &names), STATUS_OK);
    struct bytes list = buffer_bytes(&names);
    for (size_t at = 0; at < list.size; at += strlen(list.data + at) + 1) {
        struct file *file;
        uint64_t size;
        if (random_once_in(&world->random, 2) ||
            files->ops->open(files, list.data + at, FILE_READ, &file) != STATUS_OK)
            continue;
        assert_int_equal(file->ops->size(file, &size), STATUS_OK);
        file->ops->close(file);
        if (size > 8192) /* the rest is zeros that were reserved */
            size = 8192;
        if (size > 0)
            sim_files_flip_bit(world->disk, list.data + at, random_below(&world->random, size),
                               (unsigned)random_below(&world->random, 8));
    }
    buffer_deinit(&names);
}

/* held() fails for what was never written; what a directory holds that was saved is whole. */
static void test_any_flipped_bits(void **state)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        if (seed > 0) {
            teardown(state);
            setup(state);
        }
        struct world *world = *state;
        world->random.state = seed;
        live_at_random(world);
        crash(world);
        expect_checked(world, STATUS_OK);
        flip_anywhere(world);
        salvage(world);
        unsigned keys = 0;
        for (unsigned key = 0; key < KEYS; key++)
            keys += held(world, key) > 0;
        assert_int_equal(store_keys(world->store, 0), keys);
        restart_saved(world);
        assert_int_equal(store_keys(world->store, 0), keys);
        assert_null(store_audit(world->store, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ON(test_what_is_whole_is_kept_whole), ON(test_a_damaged_batch_alone_is_lost),
        ON(test_what_was_deleted_stays_so),   ON(test_what_was_flushed_stays_so),
        ON(test_without_its_identity),        ON(test_with_a_damaged_identity),
        ON(test_a_missing_segment_is_told),   ON(test_a_damaged_note_of_what_is_synced),
        ON(test_an_older_tier_does_not_fit),  ON(test_any_flipped_bits),
    };
    return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}
