/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/slot_set.h"

enum { WORLDS = 200 };

/* A set, and the same as a table: mostly few slots, sometimes many. */
struct both {
    struct slot_set set;
    bool has[SLOT_COUNT];
    unsigned count;
};

static void put(struct both *both, uint16_t slot, bool in)
{
    both->count += (unsigned)in - (unsigned)both->has[slot];
    both->has[slot] = in;
    slot_set_put(&both->set, slot, in);
}

static void draw(struct both *both, struct random *random)
{
    *both = (struct both){0};
    uint64_t puts = 1 + random_below(random, random_once_in(random, 4) ? 30000 : 20);
    for (uint64_t i = 0; i < puts; i++)
        put(both, (uint16_t)random_below(random, SLOT_COUNT), !random_once_in(random, 4));
}

static uint32_t next_of(const struct both *both, uint32_t slot)
{
    while (slot < SLOT_COUNT && !both->has[slot])
        slot++;
    return slot;
}

static void test_an_empty_set_has_no_slot(void **state)
{
    (void)state;
    struct slot_set set = {0};
    uint32_t cursor = 77, passed = 0;
    assert_int_equal(slot_set_next(&set, 0), SLOT_COUNT);
    assert_int_equal(slot_set_walk(&set, &cursor, &passed), SLOT_COUNT);
    assert_int_equal(cursor, 77);
}

static void test_the_ends(void **state)
{
    (void)state;
    struct slot_set set = {0};
    slot_set_put(&set, SLOT_COUNT - 1, true);
    assert_int_equal(slot_set_next(&set, 0), SLOT_COUNT - 1);
    assert_int_equal(slot_set_next(&set, SLOT_COUNT - 1), SLOT_COUNT - 1);
    assert_int_equal(slot_set_next(&set, SLOT_COUNT), SLOT_COUNT);
    slot_set_put(&set, 0, true);
    assert_int_equal(slot_set_next(&set, 0), 0);
    assert_int_equal(slot_set_next(&set, 1), SLOT_COUNT - 1);
}

static void test_the_next_is_the_first_from_there_on(void **state)
{
    (void)state;
    struct random random = {1};
    struct both both;
    for (int world = 0; world < WORLDS; world++) {
        draw(&both, &random);
        for (uint32_t slot = 0; slot < SLOT_COUNT;
             slot += 1 + (uint32_t)random_below(&random, 99)) {
            assert_int_equal(slot_set_has(&both.set, (uint16_t)slot), both.has[slot]);
            assert_int_equal(slot_set_next(&both.set, slot), next_of(&both, slot));
        }
    }
}

static void test_a_walk_passes_each_once_and_ends_where_it_began(void **state)
{
    (void)state;
    struct random random = {2};
    struct both both;
    for (int world = 0; world < WORLDS; world++) {
        draw(&both, &random);
        uint32_t begin = (uint32_t)random_below(&random, SLOT_COUNT), cursor = begin, passed = 0;
        uint32_t expected = begin, slot;
        unsigned count = 0;
        for (; (slot = slot_set_walk(&both.set, &cursor, &passed)) < SLOT_COUNT; count++) {
            expected = next_of(&both, expected);
            if (expected == SLOT_COUNT)
                expected = next_of(&both, 0);
            assert_int_equal(slot, expected);
            expected = (expected + 1) % SLOT_COUNT;
            assert_int_equal(cursor, expected);
        }
        assert_int_equal(count, both.count);
        assert_int_equal(cursor, begin);
    }
}

/* Who walks may take out what it has come upon, and leave off: the next walk goes on from there. */
static void test_a_walk_may_take_out_and_leave_off(void **state)
{
    (void)state;
    struct slot_set set = {0};
    uint32_t cursor = 0, passed = 0;
    for (uint16_t slot = 10; slot < 14; slot++)
        slot_set_put(&set, slot, true);
    for (uint16_t slot = 10; slot < 12; slot++) {
        assert_int_equal(slot_set_walk(&set, &cursor, &passed), slot);
        slot_set_put(&set, slot, false);
    }
    passed = 0;
    assert_int_equal(slot_set_walk(&set, &cursor, &passed), 12);
    assert_int_equal(slot_set_walk(&set, &cursor, &passed), 13);
    assert_int_equal(slot_set_walk(&set, &cursor, &passed), SLOT_COUNT);
}

/* In one word, over several, of whole ones, all slots, none. */
static void test_runs_go_in_and_out(void **state)
{
    (void)state;
    struct random random = {5};
    struct slot_set set = {0};
    static bool has[SLOT_COUNT];
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t most = random_once_in(&random, 2) ? 200 : SLOT_COUNT + 1;
        uint32_t slot = (uint32_t)random_below(&random, SLOT_COUNT);
        uint32_t end = slot + (uint32_t)random_below(&random, most);
        bool in = random_once_in(&random, 2);
        end = end < SLOT_COUNT ? end : SLOT_COUNT;
        slot_set_put_run(&set, slot, end, in);
        for (uint32_t each = slot; each < end; each++)
            has[each] = in;
        for (uint32_t each = 0; i % 50 == 0 && each < SLOT_COUNT; each++)
            assert_int_equal(slot_set_has(&set, (uint16_t)each), has[each]);
    }
    slot_set_put_run(&set, 0, SLOT_COUNT, true);
    slot_set_put_run(&set, 1, SLOT_COUNT, false);
    assert_int_equal(slot_set_next(&set, 0), 0);
    assert_int_equal(slot_set_next(&set, 1), SLOT_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_set_has_no_slot),
        cmocka_unit_test(test_the_ends),
        cmocka_unit_test(test_runs_go_in_and_out),
        cmocka_unit_test(test_the_next_is_the_first_from_there_on),
        cmocka_unit_test(test_a_walk_passes_each_once_and_ends_where_it_began),
        cmocka_unit_test(test_a_walk_may_take_out_and_leave_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
