/* SPDX-License-Identifier: MIT */
/*
 * The ordered tier: the same tests against RocksDB and against the simulator's model; after them, what only a real
 * disk can show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "row/row_key.h"
#include "sim/sim_tier.h"
#include "store/tier.h"

/* An implementation, and a fresh tier of it for each test. */
struct world {
    bool is_model;
    struct tier *tier;
    struct sim_tier *disk;
    char path[64];
};

static struct tier *open_path(const char *path)
{
    const struct tier_options options = {.block_cache_bytes = 8 * 1024 * 1024,
                                         .compaction_threads = 1};
    struct buffer error = {0};
    struct tier *tier = NULL;
    enum status status = tier_rocksdb_open(path, &options, &tier, &error);
    if (status != STATUS_OK)
        print_error("%.*s\n", (int)buffer_size(&error), buffer_bytes(&error).data);
    assert_int_equal(status, STATUS_OK);
    buffer_deinit(&error);
    return tier;
}

static void remove_tree(const char *path)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s' '%s.copy'", path, path);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    struct world *world = *state;
    if (world->is_model) {
        world->disk = sim_tier_new(1);
        world->tier = sim_tier_open(world->disk);
        return 0;
    }
    snprintf(world->path, sizeof(world->path), "/tmp/test_tier.XXXXXX");
    if (!mkdtemp(world->path))
        return -1;
    world->tier = open_path(world->path);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    world->tier->ops->free(world->tier);
    if (world->is_model)
        sim_tier_delete(world->disk);
    else
        remove_tree(world->path);
    return 0;
}

static void reopen(struct world *world)
{
    world->tier->ops->free(world->tier);
    world->tier = world->is_model ? sim_tier_open(world->disk) : open_path(world->path);
}

/* ---- words of the tests --------------------------------------------------------------------------------------------- */

/* The name of a row as row_key.h draws it; its bytes live in `room`. */
static struct bytes name_of(char room[64], unsigned slot, unsigned hash, const char *key,
                            uint8_t kind)
{
    char *end = pack_be(room, slot, 2);
    *end++ = 0;
    end = pack_be(end, hash, 6);
    end = pack_varint(end, strlen(key));
    memcpy(end, key, strlen(key));
    end += strlen(key);
    *end++ = (char)kind;
    return bytes_of(room, (size_t)(end - room));
}

static struct tier_table *begin(struct world *world)
{
    struct tier_table *table = NULL;
    assert_int_equal(world->tier->ops->table_begin(world->tier, &table), STATUS_OK);
    return table;
}

static void put(struct world *world, struct tier_table *table, struct bytes name, const char *row)
{
    assert_int_equal(world->tier->ops->table_put(table, name, bytes_text(row)), STATUS_OK);
}

static void ingest(struct world *world, struct tier_table *table)
{
    assert_int_equal(world->tier->ops->table_ingest(table), STATUS_OK);
}

static void put_one(struct world *world, struct bytes name, const char *row)
{
    struct tier_table *table = begin(world);
    put(world, table, name, row);
    ingest(world, table);
}

/* A NULL row: the name is absent. What get_cached says must agree, unless it is cold. */
static void expect(struct world *world, struct bytes name, const char *row)
{
    struct buffer out = {0};
    enum status status = world->tier->ops->get_cached(world->tier, name, &out);
    if (status != STATUS_COLD) {
        assert_int_equal(status, row ? STATUS_OK : STATUS_ABSENT);
        assert_true(bytes_equal(buffer_bytes(&out), bytes_text(row ? row : "")));
    } else {
        assert_int_equal(buffer_size(&out), 0);
    }
    buffer_clear(&out, SIZE_MAX);
    buffer_append(&out, "before ", 7);
    status = world->tier->ops->get(world->tier, name, &out);
    assert_int_equal(status, row ? STATUS_OK : STATUS_ABSENT);
    buffer_consume(&out, 7);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_text(row ? row : "")));
    buffer_deinit(&out);
}

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

/* ---- both implementations ------------------------------------------------------------------------------------------- */

static void test_a_newer_table_wins(void **state)
{
    struct world *world = *state;
    char a[64], b[64], c[64];
    struct bytes name_a = name_of(a, 1, 10, "a", 0), name_b = name_of(b, 1, 20, "b", 0),
                 name_c = name_of(c, 2, 5, "c", 0);
    expect(world, name_a, NULL);
    struct tier_table *table = begin(world);
    put(world, table, name_a, "a1");
    put(world, table, name_b, "b1");
    expect(world, name_a, NULL); /* not yet */
    ingest(world, table);
    expect(world, name_a, "a1");
    expect(world, name_b, "b1");
    expect(world, name_c, NULL);

    table = begin(world);
    assert_int_equal(world->tier->ops->table_delete(table, name_a), STATUS_OK);
    put(world, table, name_b, "b2");
    put(world, table, name_c, "c2");
    ingest(world, table);
    reopen(world);
    expect(world, name_a, NULL);
    expect(world, name_b, "b2");
    expect(world, name_c, "c2");
    put_one(world, name_a, "a3");
    expect(world, name_a, "a3");
}

static void test_an_abandoned_or_empty_table_changes_nothing(void **state)
{
    struct world *world = *state;
    char a[64];
    struct bytes name = name_of(a, 1, 10, "a", 0);
    put_one(world, name, "a1");
    struct tier_table *table = begin(world);
    put(world, table, name, "a2");
    world->tier->ops->table_abandon(table);
    expect(world, name, "a1");
    ingest(world, begin(world));
    expect(world, name, "a1");
    table = begin(world);
    assert_int_equal(world->tier->ops->table_delete_range(table, name, name), STATUS_OK);
    ingest(world, table);
    expect(world, name, "a1");
}

/* Deleted is what older tables hold, never what the same table puts: before, within or after the call. */
static void test_a_range_deletes_only_older_rows(void **state)
{
    struct world *world = *state;
    char room[8][64], low[64], high[64];
    struct bytes name[8];
    struct tier_table *table = begin(world);
    for (unsigned i = 0; i < 8; i++) {
        name[i] = name_of(room[i], 1, i, "k", 0);
        put(world, table, name[i], "old");
    }
    ingest(world, table);

    table = begin(world);
    put(world, table, name[2], "new");
    struct bytes from = name_of(low, 1, 1, "", 0), to = name_of(high, 1, 5, "", 0);
    assert_int_equal(world->tier->ops->table_delete_range(table, from, to), STATUS_OK);
    put(world, table, name[4], "new");
    assert_int_equal(world->tier->ops->table_delete_range(table, name[3], name[4]), STATUS_OK);
    put(world, table, name[7], "new");
    ingest(world, table);
    for (int round = 0; round < 2; round++) {
        expect(world, name[0], "old");
        expect(world, name[1], NULL);
        expect(world, name[2], "new");
        expect(world, name[3], NULL);
        expect(world, name[4], "new");
        expect(world, name[5], "old");
        expect_scan(world, BYTES("\0"), BYTES("\x40"), "old new new old old new ");
        reopen(world);
    }

    /* A table may hold nothing but ranges. */
    table = begin(world);
    assert_int_equal(world->tier->ops->table_delete_range(table, BYTES("\0"), BYTES("\x01")),
                     STATUS_OK);
    ingest(world, table);
    expect_scan(world, BYTES("\0"), BYTES("\x40"), "");
    put_one(world, name[3], "again");
    expect(world, name[3], "again");
}

/* Names shorter than the Bloom prefix, and the store's own, which are no rows' names. */
static void test_short_names_and_the_stores_own(void **state)
{
    struct world *world = *state;
    char a[64], b[64];
    const struct bytes names[] = {
        BYTES("\0"),
        BYTES("\0\x01\0"),
        name_of(a, 1, 7, "x", 0),
        name_of(b, 1, 7, "x", 1),
        BYTES("\0\x02\x05"),
        BYTES("\x40"),
        BYTES("\x41position"),
        BYTES("\x41position-of-the-log"),
        BYTES("\xff\xff"),
    };
    static const char *const rows[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    struct tier_table *table = begin(world);
    for (unsigned i = 0; i < COUNT; i++)
        put(world, table, names[i], rows[i]);
    ingest(world, table);
    put_one(world, BYTES("\0\x01\x01"), "1a");
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++)
            expect(world, names[i], rows[i]);
        expect(world, BYTES("\0\x01"), NULL);
        expect(world, BYTES("\x41positio"), NULL);
        expect_scan(world, BYTES(""), BYTES("\xff\xff\xff"), "0 1 2 3 1a 4 5 6 7 8 ");
        expect_scan(world, BYTES("\0\x01\0"), BYTES("\0\x01\x01"), "1 2 3 ");
        expect_scan(world, names[2], names[3], "2 "); /* within one prefix */
        expect_scan(world, BYTES("\x41position"), BYTES("\x41position-z"), "6 7 ");
        reopen(world);
    }
    table = begin(world);
    for (unsigned i = 0; i < COUNT; i += 2)
        assert_int_equal(world->tier->ops->table_delete(table, names[i]), STATUS_OK);
    ingest(world, table);
    expect_scan(world, BYTES(""), BYTES("\xff\xff\xff"), "1 3 1a 5 7 ");
}

static void test_a_scan_stops_and_seeks(void **state)
{
    struct world *world = *state;
    static const char *const rows[] = {"0", "1", "2", "3", "4", "5"};
    char room[6][64], target[64];
    struct bytes name[6];
    for (unsigned i = 0; i < 6; i++) {
        name[i] = name_of(room[i], i / 2, 100 + i, "key", 0);
        put_one(world, name[i], rows[i]);
    }
    struct bytes all_to = BYTES("\x40");
    expect_scan(world, name[1], name[4], "1 2 3 ");
    expect_scan(world, name[4], name[4], "");
    expect_scan(world, name[4], name[1], "");

    struct walk stop = {.stop_at = "2"};
    assert_int_equal(world->tier->ops->scan(world->tier, name[0], all_to, false, walk_visit, &stop),
                     STATUS_OK);
    assert_string_equal(stop.rows, "0 1 2 ");

    struct walk seek = {.seek_at = "1", .seek_to = name_of(target, 1, 103, "", 0)};
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
    return name_of(room, 1 + number / 100, number / 5, "key", (uint8_t)(number % 5));
}

static void random_table(struct world *world, struct random *random, unsigned round,
                         char expected[NAMES][16])
{
    char a[64], b[64];
    struct tier_table *table = begin(world);
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
            put(world, table, name, expected[n]);
        }
    }
    ingest(world, table);
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
            reopen(world);
        char a[64], b[64];
        for (unsigned n = 0; n < NAMES; n++)
            expect(world, random_world_name(a, n), expected[n][0] ? expected[n] : NULL);
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
    struct bytes name = name_of(a, 3, 3, "k", 0);
    put_one(world, name, "then");
    snprintf(path, sizeof(path), "%s.copy", world->path);
    assert_int_equal(world->tier->ops->checkpoint(world->tier, path), STATUS_OK);
    put_one(world, name, "now");

    struct world copy = {.is_model = world->is_model};
    if (world->is_model)
        copy.disk = sim_tier_take_checkpoint(world->disk, path);
    copy.tier = world->is_model ? sim_tier_open(copy.disk) : open_path(path);
    expect(&copy, name, "then");
    expect(world, name, "now");
    copy.tier->ops->free(copy.tier);
    sim_tier_delete(copy.disk);
}

static void test_a_running_tier_needs_no_resuming(void **state)
{
    struct world *world = *state;
    char a[64];
    put_one(world, name_of(a, 1, 1, "k", 0), "row");
    struct tier_stats stats;
    world->tier->ops->stats(world->tier, &stats);
    assert_false(stats.stopped_by_error);
    assert_int_equal(stats.tables, 1);
    assert_true(stats.disk_bytes > 0);
    assert_int_equal(world->tier->ops->resume(world->tier), STATUS_OK);
    expect(world, name_of(a, 1, 1, "k", 0), "row");
}

/* ---- main ----------------------------------------------------------------------------------------------------------- */

#define ON(world, test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, &(world))

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
    return run_both(&model, "tier: the model") + run_both(&rocksdb, "tier: RocksDB");
}
