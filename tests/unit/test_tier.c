/* SPDX-License-Identifier: MIT */
/*
 * The ordered tier: the same tests against RocksDB and against the simulator's model; after them,
 * what only a real disk can show.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "base/pack.h"
#include "base/random.h"
#include "support/tier_world.h"

/* Collects rows as text, "row row ...", and does what is asked for at the row named. */
struct walk {
    char rows[4096];
    const char *stop_at; /* a row */
    const char *seek_at; /* a row */
    struct bytes seek_to;
};

static enum tier_next walk_visit(void *context, struct bytes name, struct bytes row,
                                 struct buffer *seek_to)
{
    struct walk *walk = context;
    assert_true(name.size > 0);
    size_t used = strlen(walk->rows);
    assert_true(used + row.size + 2 < sizeof(walk->rows));
    memcpy(walk->rows + used, row.data, row.size);
    memcpy(walk->rows + used + row.size, " ", 2);
    if (walk->stop_at && bytes_equal(row, bytes_text(walk->stop_at)))
        return TIER_STOP;
    if (walk->seek_at && bytes_equal(row, bytes_text(walk->seek_at))) {
        buffer_append_bytes(seek_to, walk->seek_to);
        return TIER_SEEK;
    }
    return TIER_NEXT;
}

static void expect_scan(struct world *world, struct bytes from, struct bytes to, const char *rows)
{
    for (int bulk = 0; bulk < 2; bulk++) {
        struct walk walk = {0};
        assert_int_equal(world->tier->ops->scan(world->tier, from, to, bulk, walk_visit, &walk),
                         STATUS_OK);
        assert_string_equal(walk.rows, rows);
    }
}

/* ---- both implementations -------------------------------------------------------------------- */

static void test_a_newer_table_wins(void **state)
{
    struct world *world = *state;
    char a[64], b[64], c[64];
    struct bytes name_a = world_name_of(a, 1, 10, "a", 0), name_b = world_name_of(b, 1, 20, "b", 0),
                 name_c = world_name_of(c, 2, 5, "c", 0);
    world_expect(world, name_a, NULL);
    struct tier_table *table = world_begin(world);
    world_put(world, table, name_a, "a1");
    world_put(world, table, name_b, "b1");
    world_expect(world, name_a, NULL); /* not yet */
    world_ingest(world, table);
    world_expect(world, name_a, "a1");
    world_expect(world, name_b, "b1");
    world_expect(world, name_c, NULL);

    table = world_begin(world);
    assert_int_equal(world->tier->ops->table_delete(table, name_a), STATUS_OK);
    world_put(world, table, name_b, "b2");
    world_put(world, table, name_c, "c2");
    world_ingest(world, table);
    world_reopen(world);
    world_expect(world, name_a, NULL);
    world_expect(world, name_b, "b2");
    world_expect(world, name_c, "c2");
    world_put_one(world, name_a, "a3");
    world_expect(world, name_a, "a3");
}

static void test_an_abandoned_or_empty_table_changes_nothing(void **state)
{
    struct world *world = *state;
    char a[64];
    struct bytes name = world_name_of(a, 1, 10, "a", 0);
    world_put_one(world, name, "a1");
    struct tier_table *table = world_begin(world);
    world_put(world, table, name, "a2");
    world->tier->ops->table_abandon(table);
    world_expect(world, name, "a1");
    world_ingest(world, world_begin(world));
    world_expect(world, name, "a1");
    table = world_begin(world);
    assert_int_equal(world->tier->ops->table_delete_range(table, name, name), STATUS_OK);
    world_ingest(world, table);
    world_expect(world, name, "a1");
}

/* Deleted is what older tables hold, never what the same table puts: before, within or after the
 * call. */
static void test_a_range_deletes_only_older_rows(void **state)
{
    struct world *world = *state;
    char room[8][64], low[64], high[64];
    struct bytes name[8];
    struct tier_table *table = world_begin(world);
    for (unsigned i = 0; i < 8; i++) {
        name[i] = world_name_of(room[i], 1, i, "k", 0);
        world_put(world, table, name[i], "old");
    }
    world_ingest(world, table);

    table = world_begin(world);
    world_put(world, table, name[2], "new");
    struct bytes from = world_name_of(low, 1, 1, "", 0), to = world_name_of(high, 1, 5, "", 0);
    assert_int_equal(world->tier->ops->table_delete_range(table, from, to), STATUS_OK);
    world_put(world, table, name[4], "new");
    assert_int_equal(world->tier->ops->table_delete_range(table, name[3], name[4]), STATUS_OK);
    world_put(world, table, name[7], "new");
    world_ingest(world, table);
    for (int round = 0; round < 2; round++) {
        world_expect(world, name[0], "old");
        world_expect(world, name[1], NULL);
        world_expect(world, name[2], "new");
        world_expect(world, name[3], NULL);
        world_expect(world, name[4], "new");
        world_expect(world, name[5], "old");
        expect_scan(world, BYTES("\0"), BYTES("\x40"), "old new new old old new ");
        world_reopen(world);
    }

    /* A table may hold nothing but ranges. */
    table = world_begin(world);
    assert_int_equal(world->tier->ops->table_delete_range(table, BYTES("\0"), BYTES("\x01")),
                     STATUS_OK);
    world_ingest(world, table);
    expect_scan(world, BYTES("\0"), BYTES("\x40"), "");
    world_put_one(world, name[3], "again");
    world_expect(world, name[3], "again");
}

/* Names shorter than the Bloom prefix, and the store's own, which are no rows' names. */
static void test_short_names_and_the_stores_own(void **state)
{
    struct world *world = *state;
    char a[64], b[64];
    const struct bytes names[] = {
        BYTES("\0"),
        BYTES("\0\x01\0"),
        world_name_of(a, 1, 7, "x", 0),
        world_name_of(b, 1, 7, "x", 1),
        BYTES("\0\x02\x05"),
        BYTES("\x40"),
        BYTES("\x41position"),
        BYTES("\x41position-of-the-log"),
        BYTES("\xff\xff"),
    };
    static const char *const rows[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    struct tier_table *table = world_begin(world);
    for (unsigned i = 0; i < COUNT; i++)
        world_put(world, table, names[i], rows[i]);
    world_ingest(world, table);
    world_put_one(world, BYTES("\0\x01\x01"), "1a");
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++)
            world_expect(world, names[i], rows[i]);
        world_expect(world, BYTES("\0\x01"), NULL);
        world_expect(world, BYTES("\x41positio"), NULL);
        expect_scan(world, BYTES(""), BYTES("\xff\xff\xff"), "0 1 2 3 1a 4 5 6 7 8 ");
        expect_scan(world, BYTES("\0\x01\0"), BYTES("\0\x01\x01"), "1 2 3 ");
        expect_scan(world, names[2], names[3], "2 "); /* within one prefix */
        expect_scan(world, BYTES("\x41position"), BYTES("\x41position-z"), "6 7 ");
        world_reopen(world);
    }
    table = world_begin(world);
    for (unsigned i = 0; i < COUNT; i += 2)
        assert_int_equal(world->tier->ops->table_delete(table, names[i]), STATUS_OK);
    world_ingest(world, table);
    expect_scan(world, BYTES(""), BYTES("\xff\xff\xff"), "1 3 1a 5 7 ");
}

static void test_a_scan_stops_and_seeks(void **state)
{
    struct world *world = *state;
    static const char *const rows[] = {"0", "1", "2", "3", "4", "5"};
    char room[6][64], target[64];
    struct bytes name[6];
    for (unsigned i = 0; i < 6; i++) {
        name[i] = world_name_of(room[i], i / 2, 100 + i, "key", 0);
        world_put_one(world, name[i], rows[i]);
    }
    struct bytes all_to = BYTES("\x40");
    expect_scan(world, name[1], name[4], "1 2 3 ");
    expect_scan(world, name[4], name[4], "");
    expect_scan(world, name[4], name[1], "");

    struct walk stop = {.stop_at = "2"};
    assert_int_equal(world->tier->ops->scan(world->tier, name[0], all_to, false, walk_visit, &stop),
                     STATUS_OK);
    assert_string_equal(stop.rows, "0 1 2 ");

    struct walk seek = {.seek_at = "1", .seek_to = world_name_of(target, 1, 103, "", 0)};
    assert_int_equal(world->tier->ops->scan(world->tier, name[0], all_to, true, walk_visit, &seek),
                     STATUS_OK);
    assert_string_equal(seek.rows, "0 1 3 4 5 ");

    struct walk past = {.seek_at = "1", .seek_to = BYTES("\x50")};
    assert_int_equal(world->tier->ops->scan(world->tier, name[0], all_to, false, walk_visit, &past),
                     STATUS_OK);
    assert_string_equal(past.rows, "0 1 ");
}

/* Random tables against an array that says what must be there. */
enum { NAMES = 300, ROUNDS = 60 };

static struct bytes random_world_name(char room[64], unsigned number)
{
    /* Sorted by number: short names, keys of several rows, the store's own. */
    if (number < NAMES / 10) {
        pack_be(room, number, 3);
        return bytes_of(room, 3);
    }
    if (number >= NAMES - NAMES / 10) {
        room[0] = 0x41;
        pack_be(room + 1, number, 2);
        return bytes_of(room, 3);
    }
    return world_name_of(room, 1 + number / 100, number / 5, "key", (uint8_t)(number % 5));
}

static void random_table(struct world *world, struct random *random, unsigned round,
                         char expected[NAMES][16])
{
    char a[64], b[64];
    struct tier_table *table = world_begin(world);
    unsigned ranges = (unsigned)random_below(random, 3);
    for (unsigned i = 0; i < ranges; i++) {
        unsigned from = (unsigned)random_below(random, NAMES);
        unsigned to = from + (unsigned)random_below(random, NAMES - from);
        assert_int_equal(world->tier->ops->table_delete_range(table, random_world_name(a, from),
                                                              random_world_name(b, to)),
                         STATUS_OK);
        for (unsigned n = from; n < to; n++)
            expected[n][0] = 0;
    }
    for (unsigned n = 0; n < NAMES; n++) {
        unsigned draw = (unsigned)random_below(random, 10);
        struct bytes name = random_world_name(a, n);
        if (draw == 0) {
            assert_int_equal(world->tier->ops->table_delete(table, name), STATUS_OK);
            expected[n][0] = 0;
        } else if (draw < 3) {
            snprintf(expected[n], 16, "%u.%u", round, n);
            world_put(world, table, name, expected[n]);
        }
    }
    world_ingest(world, table);
}

static void test_random_tables(void **state)
{
    struct world *world = *state;
    struct random random = {.state = 42};
    static char expected[NAMES][16];
    memset(expected, 0, sizeof(expected));
    for (unsigned round = 0; round < ROUNDS; round++) {
        random_table(world, &random, round, expected);
        if (round % 10 == 9)
            world_reopen(world);
        char a[64], b[64];
        for (unsigned n = 0; n < NAMES; n++)
            world_expect(world, random_world_name(a, n), expected[n][0] ? expected[n] : NULL);
        unsigned from = (unsigned)random_below(&random, NAMES);
        unsigned to = from + (unsigned)random_below(&random, NAMES - from);
        struct buffer rows = {0};
        for (unsigned n = from; n < to; n++)
            if (expected[n][0])
                buffer_printf(&rows, "%s ", expected[n]);
        buffer_append_u8(&rows, 0);
        expect_scan(world, random_world_name(a, from), random_world_name(b, to),
                    buffer_bytes(&rows).data);
        buffer_deinit(&rows);
    }
    struct buffer error = {0};
    assert_int_equal(world->tier->ops->verify(world->tier, &error), STATUS_OK);
    buffer_deinit(&error);
}

static void test_a_checkpoint_is_a_copy(void **state)
{
    struct world *world = *state;
    char a[64], path[80];
    struct bytes name = world_name_of(a, 3, 3, "k", 0);
    world_put_one(world, name, "then");
    snprintf(path, sizeof(path), "%s.copy", world->path);
    assert_int_equal(world->tier->ops->checkpoint(world->tier, path), STATUS_OK);
    world_put_one(world, name, "now");

    struct world copy = {.is_model = world->is_model};
    if (world->is_model)
        copy.disk = sim_tier_take_checkpoint(world->disk, path);
    copy.tier = world->is_model ? sim_tier_open(copy.disk) : world_open_path(path);
    world_expect(&copy, name, "then");
    world_expect(world, name, "now");
    copy.tier->ops->free(copy.tier);
    sim_tier_delete(copy.disk);
}

static void test_a_running_tier_needs_no_resuming(void **state)
{
    struct world *world = *state;
    char a[64];
    world_put_one(world, world_name_of(a, 1, 1, "k", 0), "row");
    struct tier_stats stats;
    world->tier->ops->stats(world->tier, &stats);
    assert_false(stats.stopped_by_error);
    assert_int_equal(stats.tables, 1);
    assert_true(stats.disk_bytes > 0);
    assert_int_equal(world->tier->ops->resume(world->tier), STATUS_OK);
    world_expect(world, world_name_of(a, 1, 1, "k", 0), "row");
}

/* ---- the model's own ------------------------------------------------------------------------- */

static void count_call(void *context)
{
    (*(unsigned *)context)++;
}

static enum status ingest_one(struct world *world, struct bytes name, const char *row)
{
    struct tier_table *table = world_begin(world);
    world_put(world, table, name, row);
    return world->tier->ops->table_ingest(table);
}

static void test_a_crash_in_ingesting_keeps_all_or_nothing(void **state)
{
    struct world *world = *state;
    for (int what = SIM_TIER_NOTHING_KEPT; what <= SIM_TIER_ALL_KEPT; what++) {
        unsigned calls = 0;
        world_put_one(world, BYTES("a"), "1");
        world_put_one(world, BYTES("b"), "1");
        sim_tier_crash_in_ingest(world->disk, (enum sim_tier_crash)what, count_call, &calls);
        struct tier_table *table = world_begin(world);
        world_put(world, table, BYTES("a"), "2");
        assert_int_equal(world->tier->ops->table_delete(table, BYTES("b")), STATUS_OK);
        assert_int_equal(world->tier->ops->table_ingest(table), STATUS_IO);
        assert_int_equal(calls, 1);
        assert_true(sim_tier_is_crashed(world->disk));
        struct buffer out = {0};
        assert_int_equal(world->tier->ops->get(world->tier, BYTES("a"), &out), STATUS_IO);
        assert_int_equal(world->tier->ops->table_begin(world->tier, &table), STATUS_IO);
        world_reopen(world);
        world_expect(world, BYTES("a"), what == SIM_TIER_ALL_KEPT ? "2" : "1");
        world_expect(world, BYTES("b"), what == SIM_TIER_ALL_KEPT ? NULL : "1");
    }
}

static void test_failures_on_demand(void **state)
{
    struct world *world = *state;
    world_put_one(world, BYTES("a"), "1");
    sim_tier_fail_next_ingest(world->disk, STATUS_IO);
    assert_int_equal(ingest_one(world, BYTES("a"), "2"), STATUS_IO);
    world_expect(world, BYTES("a"), "1");

    sim_tier_set_full(world->disk, true);
    assert_int_equal(ingest_one(world, BYTES("a"), "2"), STATUS_DISK_FULL);
    assert_int_equal(world->tier->ops->resume(world->tier), STATUS_DISK_FULL);
    struct tier_stats stats;
    world->tier->ops->stats(world->tier, &stats);
    assert_true(stats.stopped_by_error);
    sim_tier_set_full(world->disk, false);
    assert_int_equal(world->tier->ops->resume(world->tier), STATUS_OK);
    world_put_one(world, BYTES("a"), "2");

    struct buffer out = {0};
    struct walk walk = {0};
    sim_tier_set_cold(world->disk, SIM_TIER_NEVER_COLD);
    sim_tier_fail_read(world->disk, BYTES("a"), STATUS_CORRUPT);
    assert_int_equal(world->tier->ops->get(world->tier, BYTES("a"), &out), STATUS_CORRUPT);
    assert_int_equal(world->tier->ops->get_cached(world->tier, BYTES("a"), &out), STATUS_CORRUPT);
    assert_int_equal(
        world->tier->ops->scan(world->tier, BYTES("a"), BYTES("b"), true, walk_visit, &walk),
        STATUS_CORRUPT);
    sim_tier_fail_read(world->disk, BYTES("a"), STATUS_OK);
    world_expect(world, BYTES("a"), "2");
    sim_tier_set_cold(world->disk, SIM_TIER_ALWAYS_COLD);
    assert_int_equal(world->tier->ops->get_cached(world->tier, BYTES("a"), &out), STATUS_COLD);
    assert_int_equal(sim_tier_rows(world->disk), 1);
    assert_int_equal(sim_tier_ingests(world->disk), 2);
}

/* ---- RocksDB's own --------------------------------------------------------------------------- */

/* What get_cached cannot know is cold, never an empty row and never absent; absence is mostly
 * known. */
static void test_a_cold_row_is_told_from_an_absent_one(void **state)
{
    struct world *world = *state;
    char room[64];
    world_put_many(world, 0, 2, "row");
    world_reopen(world);
    unsigned cold = 0, absent = 0;
    struct buffer out = {0};
    for (unsigned i = 0; i < MANY; i++) {
        enum status status =
            world->tier->ops->get_cached(world->tier, world_many_name(room, i), &out);
        assert_int_equal(buffer_size(&out), 0);
        assert_true(status == STATUS_COLD || (status == STATUS_ABSENT && i % 2 == 1));
        cold += status == STATUS_COLD && i % 2 == 0;
        absent += status == STATUS_ABSENT;
    }
    assert_int_equal(cold, MANY / 2);
    assert_true(absent > MANY / 2 * 95 / 100);

    struct bytes name = world_many_name(room, 0);
    assert_int_equal(world->tier->ops->get(world->tier, name, &out), STATUS_OK);
    buffer_clear(&out, SIZE_MAX);
    assert_int_equal(world->tier->ops->get_cached(world->tier, name, &out), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES("row")));
    buffer_deinit(&out);
}

static void test_a_bulk_scan_leaves_the_cache_alone(void **state)
{
    struct world *world = *state;
    world_put_many(world, 0, 1, "row");
    world_reopen(world);
    struct walk walk = {.stop_at = "none"};
    struct tier_stats before, after;
    world->tier->ops->stats(world->tier, &before);
    /* Enough rows for some blocks, few enough for the walk's text. */
    char a[64], b[64];
    struct bytes from = world_name_of(a, 1, 0, "", 0),
                 to = world_name_of(b, 1, 900 * (UINT32_MAX / MANY), "", 0);
    assert_int_equal(world->tier->ops->scan(world->tier, from, to, true, walk_visit, &walk),
                     STATUS_OK);
    world->tier->ops->stats(world->tier, &after);
    assert_int_equal(before.memory_bytes, after.memory_bytes);
    walk.rows[0] = 0;
    assert_int_equal(world->tier->ops->scan(world->tier, from, to, false, walk_visit, &walk),
                     STATUS_OK);
    world->tier->ops->stats(world->tier, &after);
    assert_true(after.memory_bytes > before.memory_bytes);
}

static void test_what_a_crash_left_of_a_table_is_removed(void **state)
{
    struct world *world = *state;
    world_shell("echo half > ingest-7.sst", world->path);
    world_put_one(world, BYTES("a"), "1");
    world_reopen(world);
    world_expect(world, BYTES("a"), "1");
    world_reopen(world);
    world_shell("! ls | grep ingest", world->path);
    world_shell("test $(ls *.log | wc -l) = 1", world->path);
}

static void test_one_process_at_a_time(void **state)
{
    struct world *world = *state;
    world_expect_open_fails(world, STATUS_LOCKED);
    world_put_one(world, BYTES("a"), "1");
}

/* Damage within a block is met when it is read; the rest stays readable. */
static void test_a_flipped_bit_is_found(void **state)
{
    struct world *world = *state;
    char room[64];
    world_put_many(world, 0, 1, "row");
    world->tier->ops->free(world->tier);
    world_shell("printf '\\377\\377' | dd of=$(ls *.sst) bs=1 seek=1000 conv=notrunc status=none",
                world->path);
    world->tier = world_open_path(world->path);
    struct buffer out = {0};
    assert_int_equal(world->tier->ops->verify(world->tier, &out), STATUS_CORRUPT);
    assert_true(buffer_size(&out) > 0);
    buffer_clear(&out, SIZE_MAX);
    assert_int_equal(world->tier->ops->get(world->tier, world_many_name(room, 1), &out),
                     STATUS_CORRUPT);
    struct walk walk = {0};
    assert_int_equal(
        world->tier->ops->scan(world->tier, BYTES("\0"), BYTES("\x40"), false, walk_visit, &walk),
        STATUS_CORRUPT);
    assert_int_equal(buffer_size(&out), 0);
    world_expect(world, world_many_name(room, MANY - 1), "row");
    buffer_deinit(&out);
}

/* On a file system of its own, 24 MB, which only this process sees. Needs the right to mount. */
static void test_a_full_disk_refuses_and_recovers(void **state)
{
    struct world *world = *state;
    char room[64], small[1000];
    world->tier->ops->free(world->tier);
    bool mounted = unshare(CLONE_NEWNS) == 0 &&
                   mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("none", world->path, "tmpfs", 0, "size=24m") == 0;
    world->tier = world_open_path(world->path);
    if (!mounted)
        skip();

    memset(small, 'x', sizeof(small) - 1);
    small[sizeof(small) - 1] = 0;
    world_put_many(world, 0, 10, small); /* 2 MB */
    world_shell("head -c 64m /dev/zero > ballast 2>/dev/null || true", world->path);
    struct tier_table *table = world_begin(world);
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < MANY && status == STATUS_OK; i += 10)
        status = world->tier->ops->table_put(table, world_name_of(room, 2, i, "key", 0),
                                             bytes_text(small));
    status = world->tier->ops->table_ingest(table);
    assert_int_equal(status, STATUS_DISK_FULL);
    world_expect(world, world_many_name(room, 10), small);
    world_expect(world, world_name_of(room, 2, 10, "key", 0), NULL);

    world_shell("rm ballast", world->path);
    assert_int_equal(world->tier->ops->resume(world->tier), STATUS_OK);
    world_put_one(world, world_name_of(room, 2, 10, "key", 0), "after");
    world_expect(world, world_name_of(room, 2, 10, "key", 0), "after");
    struct tier_stats stats;
    world->tier->ops->stats(world->tier, &stats);
    assert_false(stats.stopped_by_error);

    world->tier->ops->free(world->tier);
    assert_int_equal(umount(world->path), 0);
    world->tier = world_open_path(world->path);
}

/* ---- main ------------------------------------------------------------------------------------ */

#define ON(world, test)                                                                            \
    cmocka_unit_test_prestate_setup_teardown(test, world_open, world_close, &(world))

static int run_both(struct world *world, const char *name)
{
    const struct CMUnitTest tests[] = {
        ON(*world, test_a_newer_table_wins),
        ON(*world, test_an_abandoned_or_empty_table_changes_nothing),
        ON(*world, test_a_range_deletes_only_older_rows),
        ON(*world, test_short_names_and_the_stores_own),
        ON(*world, test_a_scan_stops_and_seeks),
        ON(*world, test_random_tables),
        ON(*world, test_a_checkpoint_is_a_copy),
        ON(*world, test_a_running_tier_needs_no_resuming),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    struct world rocksdb = {.is_model = false}, model = {.is_model = true};
    const struct CMUnitTest of_model[] = {
        ON(model, test_a_crash_in_ingesting_keeps_all_or_nothing),
        ON(model, test_failures_on_demand),
    };
    const struct CMUnitTest of_rocksdb[] = {
        ON(rocksdb, test_a_cold_row_is_told_from_an_absent_one),
        ON(rocksdb, test_a_bulk_scan_leaves_the_cache_alone),
        ON(rocksdb, test_what_a_crash_left_of_a_table_is_removed),
        ON(rocksdb, test_one_process_at_a_time),
        ON(rocksdb, test_a_flipped_bit_is_found),
        ON(rocksdb, test_a_full_disk_refuses_and_recovers),
    };
    return run_both(&model, "tier: the model") + run_both(&rocksdb, "tier: RocksDB") +
           cmocka_run_group_tests_name("tier: the model's own", of_model, NULL, NULL) +
           cmocka_run_group_tests_name("tier: RocksDB's own", of_rocksdb, NULL, NULL);
}
