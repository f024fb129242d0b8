/* SPDX-License-Identifier: MIT */
/* Saving a damaged tier: all that can be read is kept, nothing is thrown away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/tier_world.h"

static void repair(struct world *world)
{
    struct buffer error = {0};
    enum status status = tier_rocksdb_repair(world->path, &error);
    print_message("%.*s\n", (int)buffer_size(&error), buffer_bytes(&error).data);
    assert_int_equal(status, STATUS_OK);
    buffer_deinit(&error);
    world->tier = world_open_path(world->path);
}

/* A table that is gone, as after a failed sync of the MANIFEST: refused, and repaired on demand. */
static void test_repairing_without_a_table(void **state)
{
    struct world *world = *state;
    char room[64];
    world_put_many(world, 0, 1, "old");
    world_put_many(world, 0, 2, "new");
    world_put_one(world, world_name_of(room, 9, 0, "lost", 0), "lost");
    world->tier->ops->free(world->tier);
    world_shell("rm $(ls *.sst | tail -1)", world->path);
    world_expect_open_fails(world, STATUS_CORRUPT);
    repair(world);
    for (unsigned i = 0; i < MANY; i += 500)
        for (unsigned odd = 0; odd < 2; odd++)
            world_expect(world, world_many_name(room, i + odd), odd ? "old" : "new");
    world_expect(world, world_name_of(room, 9, 0, "lost", 0), NULL);
    world_put_one(world, world_many_name(room, 1), "newer");
    world_expect(world, world_many_name(room, 1), "newer");
    world_shell("ls ../$(basename $PWD).damaged/*.sst > /dev/null", world->path);
}

/* Blocks at the start, in the middle and at the end are unreadable: all else is saved, and what is
 * saved is whole. */
static void test_repairing_around_damaged_blocks(void **state)
{
    struct world *world = *state;
    char room[64];
    world_put_many(world, 0, 1, "row");
    world_put_one(world, BYTES("\x40mine"), "mine");
    world->tier->ops->free(world->tier);
    world_shell("for at in 100 100000 200000; do printf '\\377\\377' | "
                "dd of=$(ls *.sst | head -1) bs=1 seek=$at conv=notrunc status=none; done",
                world->path);
    repair(world);
    struct buffer out = {0};
    assert_int_equal(world->tier->ops->verify(world->tier, &out), STATUS_OK);
    unsigned saved = 0;
    for (unsigned i = 0; i < MANY; i++) {
        buffer_clear(&out, SIZE_MAX);
        enum status status = world->tier->ops->get(world->tier, world_many_name(room, i), &out);
        saved += status == STATUS_OK && bytes_equal(buffer_bytes(&out), BYTES("row"));
    }
    assert_true(saved < MANY);
    assert_true(saved > MANY * 9 / 10);
    world_expect(world, BYTES("\x40mine"), "mine");
    buffer_deinit(&out);
}

/* Without a MANIFEST nobody knows which table is newer: nothing is touched. */
static void test_repairing_without_a_list_of_tables(void **state)
{
    struct world *world = *state;
    world_put_many(world, 0, 1, "row");
    world->tier->ops->free(world->tier);
    world_shell("mkdir ../$(basename $PWD).kept && mv MANIFEST-* CURRENT ../$(basename $PWD).kept",
                world->path);
    struct buffer error = {0};
    assert_int_equal(tier_rocksdb_repair(world->path, &error), STATUS_CORRUPT);
    assert_true(buffer_size(&error) > 0);
    buffer_deinit(&error);
    world_shell("mv ../$(basename $PWD).kept/* .", world->path);
    world->tier = world_open_path(world->path);
    char room[64];
    world_expect(world, world_many_name(room, 1), "row");
}

int main(void)
{
    struct world world = {.is_model = false};
    const struct CMUnitTest tests[] = {
#define ON(test) cmocka_unit_test_prestate_setup_teardown(test, world_open, world_close, &world)
        ON(test_repairing_without_a_table),
        ON(test_repairing_around_damaged_blocks),
        ON(test_repairing_without_a_list_of_tables),
    };
    return cmocka_run_group_tests_name("tier: repairing", tests, NULL, NULL);
}
