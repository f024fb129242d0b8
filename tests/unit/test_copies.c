/* SPDX-License-Identifier: MIT */
/*
 * Three stores that are copies of each other, in random histories: clients write to any of them,
 * keys and slots are copied from one to another in any order, slots are given away and regained,
 * tombstones collected once all have them, and processes end, cleanly or not. Then all is copied
 * round: all hold the same rows, byte for byte, and sum to the same digests.
 *
 * test_copies [SEED]   replays the one history that a failure names
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/slot.h"
#include "store/state.h"
#include "support/small_copies.h"

enum { HISTORIES = 60, STEPS = 250, COPIES = 3, KEYS = 10, LONG_SIZE = 40000 };

struct world {
    uint64_t seed;
    struct random random;
    struct small_store *copies[COPIES];
    bool gone[KEYS]; /* collected everywhere, and not written since */
};

/* Some of one slot, one of a slot's own. */
static const char *const keys[KEYS] = {"a", "b", "c", "{s}1", "{s}2", "{s}3", "n", "x", "y", "z"};

static uint64_t draw(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

static struct small_store *any(struct world *world)
{
    return world->copies[draw(world, COPIES)];
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void write_key(struct world *world)
{
    struct small_store *copy = any(world);
    unsigned number = (unsigned)draw(world, KEYS);
    const char *key = keys[number];
    char value[16];
    snprintf(value, sizeof(value), "%u", (unsigned)draw(world, 1000));
    world->gone[number] = false;
    switch (draw(world, 6)) {
    case 0:
        small_set_until(copy, key, value, copy->now_ms + draw(world, 2000));
        break;
    case 1:
        small_set_size(copy, key, draw(world, LONG_SIZE));
        break;
    case 2:
        small_set(copy, "n", value);
        small_increment(copy, "n", (int64_t)draw(world, 100) - 50);
        world->gone[6] = false;
        break;
    case 3:
    case 4:
        small_delete(copy, key);
        break;
    default:
        small_set(copy, key, value);
    }
}

static void restart(struct world *world)
{
    struct small_store *copy = any(world);
    if (draw(world, 2))
        small_stop(copy);
    else
        small_crash(copy);
    small_start(copy);
}

static void copy_some(struct world *world)
{
    struct small_store *from = any(world), *to = any(world);
    const char *key = keys[draw(world, KEYS)];
    if (draw(world, 2))
        small_copy_key(from, to, key);
    else
        small_copy_slot(from, to, slot_of_key(bytes_text(key)), 1 + draw(world, 3));
}

/* Another one has it, durably, before it goes here. */
static void give_away(struct world *world)
{
    struct small_store *from = any(world), *to = any(world);
    const char *key = keys[draw(world, KEYS)];
    if (from == to)
        return;
    uint64_t digest = small_digest(from, key);
    small_copy_key(from, to, key);
    small_turn(to);
    if (digest == 0)
        return;
    enum status status = store_give_away(from->store, small_name(from, key), digest);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(small_digest(from, key), 0);
}

struct collecting {
    struct world *world;
    struct buffer names; /* notes */
};

static void note_name(void *context, struct bytes name, uint64_t digest)
{
    struct collecting *collecting = context;
    (void)digest;
    generation_note(&collecting->names, name);
}

/* As sync/ does: what all hold, durably, all remove. */
static void collect(struct world *world)
{
    unsigned number = (unsigned)draw(world, KEYS);
    const char *key = keys[number];
    struct collecting collecting = {world, {0}};
    struct small_store *first = any(world);
    uint64_t digest = small_digest(first, key);
    store_find_collectable(first->store, slot_of_key(bytes_text(key)), 0, 100, note_name,
                           &collecting);
    struct bytes name;
    bool found = false;
    for (size_t at = 0; generation_next_note(&collecting.names, &at, &name);)
        found |= bytes_equal(name, small_name(first, key));
    buffer_deinit(&collecting.names);
    for (unsigned i = 0; i < COPIES; i++)
        found &= small_digest(world->copies[i], key) == digest;
    if (!found)
        return;
    for (unsigned i = 0; i < COPIES; i++)
        small_turn(world->copies[i]);
    for (unsigned i = 0; i < COPIES; i++)
        assert_int_equal(
            store_give_away(world->copies[i]->store, small_name(world->copies[i], key), digest),
            STATUS_OK);
    world->gone[number] = true;
}

static void step(struct world *world)
{
    struct small_store *copy = any(world);
    switch (draw(world, 12)) {
    case 0:
        restart(world);
        break;
    case 1:
        small_seal(copy);
        break;
    case 2:
        small_seal(copy);
        small_forget(copy);
        break;
    case 3:
        small_tick_for(copy, 100 * draw(world, 5));
        break;
    case 4:
        give_away(world);
        break;
    case 5:
        collect(world);
        break;
    case 6:
    case 7:
    case 8:
        copy_some(world);
        break;
    default:
        write_key(world);
    }
    if (draw(world, 2))
        small_turn(copy);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void converge(struct world *world)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < COPIES; i++)
            small_copy_all(world->copies[i], world->copies[(i + 1) % COPIES]);
    for (unsigned i = 1; i < COPIES; i++)
        small_expect_same(world->copies[0], world->copies[i]);
    for (unsigned i = 0; i < COPIES; i++)
        for (unsigned key = 0; key < KEYS; key++)
            if (world->gone[key] && small_exists(world->copies[i], keys[key]))
                fail_msg("%s has come back", keys[key]);
}

static void run_history(uint64_t seed)
{
    struct world world = {.seed = seed, .random = {seed}};
    for (unsigned i = 0; i < COPIES; i++)
        world.copies[i] = small_new_joined(0xa + i);
    for (unsigned i = 0; i < STEPS; i++)
        step(&world);
    converge(&world);
    for (unsigned i = 0; i < COPIES; i++) {
        small_crash(world.copies[i]);
        small_start(world.copies[i]);
    }
    converge(&world);
    for (unsigned i = 0; i < COPIES; i++) {
        small_seal(world.copies[i]);
        small_tick_for(world.copies[i], 100);
        small_audit(world.copies[i]);
        small_stop(world.copies[i]);
        small_start(world.copies[i]);
    }
    converge(&world);
    for (unsigned i = 0; i < COPIES; i++)
        small_free(world.copies[i]);
}

static uint64_t only_seed;

static void test_they_end_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES && only_seed == 0; seed++) {
        print_message("history %llu\n", (unsigned long long)seed);
        run_history(seed);
    }
    if (only_seed > 0)
        run_history(only_seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_end_the_same),
    };
    only_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
