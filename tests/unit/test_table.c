/* SPDX-License-Identifier: MIT */
/* The rows in memory: found, replaced, taken out, counted, and in the order of the hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/table.h"

enum { KEYS = 2000 };

struct world {
    struct table table;
    struct arena arena;
    struct slot *slot;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    table_init(&world->table);
    arena_init(&world->arena);
    world->slot = &world->table.slots[slot_of_key(BYTES("{t}"))];
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    table_deinit(&world->table);
    arena_deinit(&world->arena);
    free(world);
    return 0;
}

static struct bytes name_of(struct world *world, unsigned number)
{
    char key[32];
    int size = snprintf(key, sizeof(key), "{t}%u", number);
    return row_key_head(&world->arena, 0, bytes_of(key, (size_t)size));
}

static void insert_all(struct world *world)
{
    for (unsigned i = 0; i < KEYS; i++)
        table_insert(&world->table, world->slot, name_of(world, i), BYTES("row"));
}

static void test_found_until_taken_out(void **state)
{
    struct world *world = *state;
    insert_all(world);
    assert_int_equal(world->table.entries, KEYS);
    for (unsigned i = 0; i < KEYS; i += 2) {
        struct entry *entry = table_find(world->slot, name_of(world, i));
        table_unlink(&world->table, world->slot, entry);
        table_free(&world->table, entry);
    }
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(table_find(world->slot, name_of(world, i)) != NULL, i % 2);
    assert_int_equal(world->slot->entries, KEYS / 2);
}

static void test_replaced_in_its_place(void **state)
{
    struct world *world = *state;
    insert_all(world);
    struct entry *old = table_find(world->slot, name_of(world, 7));
    struct entry *entry = table_replace(&world->table, world->slot, old, BYTES("another"));
    assert_ptr_equal(table_find(world->slot, name_of(world, 7)), entry);
    assert_true(bytes_equal(entry_row(entry), BYTES("another")));
    assert_true(bytes_equal(entry_row(old), BYTES("row")));
    table_free(&world->table, old);
    assert_int_equal(world->table.entries, KEYS);
}

static void expect_order(struct world *world)
{
    uint64_t least = 0;
    uint32_t entries = 0;
    for (size_t bucket = 0; bucket < table_buckets(world->slot); bucket++) {
        uint64_t newest = least;
        assert_true(table_bucket_hash(world->slot, bucket) >= least);
        for (struct entry *entry = *table_chain(world->slot, bucket); entry; entry = entry->next) {
            uint64_t hash = row_key_hash_of(entry_name(entry));
            assert_true(hash >= table_bucket_hash(world->slot, bucket));
            assert_int_equal(table_bucket(world->slot, hash), bucket);
            newest = hash > newest ? hash : newest;
            entries++;
        }
        least = newest;
    }
    assert_int_equal(entries, world->slot->entries);
}

static void test_buckets_are_in_the_order_of_the_hash(void **state)
{
    struct world *world = *state;
    insert_all(world);
    expect_order(world);
}

/* At each step of each growth; and no step of it is long. */
static void test_growth_keeps_the_order(void **state)
{
    struct world *world = *state;
    unsigned growing = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        size_t split = world->slot->growth ? world->slot->growth->split : 0;
        table_insert(&world->table, world->slot, name_of(world, i), BYTES("row"));
        if (world->slot->growth)
            assert_in_range(world->slot->growth->split, split, split + 2);
        growing += world->slot->growth != NULL;
        expect_order(world);
        for (unsigned j = i % 7; j < KEYS; j += 7)
            assert_int_equal(table_find(world->slot, name_of(world, j)) != NULL, j <= i);
    }
    assert_true(growing > KEYS / 8 && growing < KEYS);
}

static void test_buckets_of_a_growth_come_back(void **state)
{
    struct world *world = *state;
    unsigned count = 0;
    while (count < KEYS / 2 || !world->slot->growth)
        table_insert(&world->table, world->slot, name_of(world, count++), BYTES("row"));
    for (unsigned i = 0; i < count; i++) {
        struct entry *entry = table_find(world->slot, name_of(world, i));
        table_unlink(&world->table, world->slot, entry);
        table_free(&world->table, entry);
    }
    assert_non_null(world->slot->growth);
    table_give_back(&world->table, world->slot);
    assert_int_equal(world->table.bytes, 0);
    assert_int_equal(world->table.bucket_bytes, 0);
}

static void test_bytes_come_back(void **state)
{
    struct world *world = *state;
    insert_all(world);
    table_give_back(&world->table, world->slot); /* not empty: nothing happens */
    assert_non_null(table_find(world->slot, name_of(world, 1)));
    for (unsigned i = 0; i < KEYS; i++) {
        struct entry *entry = table_find(world->slot, name_of(world, i));
        table_unlink(&world->table, world->slot, entry);
        table_free(&world->table, entry);
    }
    assert_true(world->table.bytes > 0);
    table_give_back(&world->table, world->slot);
    assert_int_equal(world->table.bytes, 0);
    assert_null(table_find(world->slot, name_of(world, 1)));
    insert_all(world);
    assert_non_null(table_find(world->slot, name_of(world, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_until_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_in_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buckets_are_in_the_order_of_the_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growth_keeps_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buckets_of_a_growth_come_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
