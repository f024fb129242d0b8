/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "quorum/acks.h"
#include "quorum/quorum.h"

static unsigned reached, needed;

static struct acks acks_of(unsigned old, unsigned new, unsigned shared)
{
    struct acks_owners owners = {.old_count = (uint8_t)old, .new_count = (uint8_t) new};
    struct acks acks;
    for (unsigned i = 0; i < old; i++)
        owners.old[i] = 1 + i;
    for (unsigned i = 0; i < new; i++)
        owners.new[i] = 1 + old - shared + i;
    acks_init(&acks, &owners);
    return acks;
}

static bool enough(const struct acks *acks, unsigned level)
{
    return acks_enough(acks, level, &reached, &needed);
}

static void test_w_of_the_owners(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 0, 0);
    assert_false(enough(&acks, 1));
    assert_true(acks_confirm(&acks, 2));
    assert_true(enough(&acks, 1));
    assert_false(enough(&acks, 2));
    assert_int_equal(reached, 1);
    assert_int_equal(needed, 2);
    assert_true(acks_confirm(&acks, 3));
    assert_true(enough(&acks, 2));
    assert_true(enough(&acks, QUORUM_MAJORITY));
    assert_false(enough(&acks, QUORUM_ALL));
    assert_true(acks_confirm(&acks, 1));
    assert_true(enough(&acks, QUORUM_ALL));
    assert_true(enough(&acks, 7)); /* more than there are */
    assert_int_equal(needed, 3);
}

static void test_nobody_counts_twice(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 0, 0);
    assert_true(acks_confirm(&acks, 2));
    assert_false(acks_confirm(&acks, 2));
    assert_false(acks_confirm(&acks, 9)); /* nobody has asked it */
    assert_false(enough(&acks, 2));
}

static void test_a_stand_in_counts_once_for_its_owner(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 0, 0);
    assert_non_null(acks_stand_in(&acks, 0, 8));
    assert_non_null(acks_stand_in(&acks, 0, 9));
    assert_true(acks_confirm(&acks, 8));
    assert_true(acks_confirm(&acks, 9));
    assert_true(enough(&acks, 1));
    assert_false(enough(&acks, 2));
    assert_true(acks_is_filled(&acks, 0) && !acks_is_filled(&acks, 1));
}

static void test_a_late_owner_takes_its_own_place(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 0, 0);
    acks_stand_in(&acks, 0, 8);
    assert_false(acks_move_spare(&acks, 1));
    acks_confirm(&acks, 8);
    assert_false(acks_move_spare(&acks, 1)); /* it is needed where it is */
    acks_confirm(&acks, 1);
    assert_false(enough(&acks, 2));
    assert_true(acks_move_spare(&acks, 1)); /* and is free for another */
    assert_true(enough(&acks, 2));
    assert_false(acks_move_spare(&acks, 2));
}

static void test_w_of_old_and_w_of_new_owners(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 3, 2); /* 1 2 3, then 2 3 4 */
    assert_int_equal(acks.place_count, 4);
    acks_confirm(&acks, 1);
    acks_confirm(&acks, 2);
    assert_false(enough(&acks, 2));
    assert_int_equal(reached, 1); /* of the new ones */
    acks_confirm(&acks, 4);
    assert_true(enough(&acks, 2));
    acks = acks_of(3, 3, 0);
    for (uint64_t node = 4; node <= 6; node++)
        acks_confirm(&acks, node);
    assert_false(enough(&acks, 1));
    assert_int_equal(reached, 0);
}

static void test_holders_are_bounded(void **state)
{
    (void)state;
    struct acks acks = acks_of(3, 0, 0);
    unsigned count = 3;
    while (acks_stand_in(&acks, count % 3, 100 + count))
        count++;
    assert_int_equal(count, ACKS_HOLDERS_MAX);
}

/* Whatever comes in whatever order: as many as are said to have it are as many different nodes. */
static void test_random_orders(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct random random = {seed};
        unsigned old = 1 + (unsigned)random_below(&random, 7), new = 0, shared = 0;
        if (random_once_in(&random, 2)) {
            new = 1 + (unsigned)random_below(&random, 7);
            shared = (unsigned)random_below(&random, 1 + (old < new ? old : new));
        }
        struct acks acks = acks_of(old, new, shared);
        unsigned confirmed = 0;
        bool has[200] = {false};
        for (int step = 0; step < 40; step++) {
            uint64_t node = 1 + random_below(&random, 40);
            unsigned place = (unsigned)random_below(&random, acks.place_count);
            if (random_once_in(&random, 3) && node > 14 && !acks_find(&acks, node))
                acks_stand_in(&acks, place, node);
            else if (random_once_in(&random, 3) && !acks_is_filled(&acks, place))
                acks_move_spare(&acks, place);
            else if (acks_confirm(&acks, node)) {
                assert_false(has[node]);
                has[node] = true;
                confirmed++;
            }
            assert_true((unsigned)__builtin_popcount(acks.filled) <= confirmed);
            for (unsigned i = 0; i < acks.place_count; i++)
                assert_true(!acks.holders[i].confirmed || acks_is_filled(&acks, i));
            unsigned w = 1 + (unsigned)random_below(&random, old);
            if (enough(&acks, w))
                assert_true(confirmed >= w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_w_of_the_owners),
        cmocka_unit_test(test_nobody_counts_twice),
        cmocka_unit_test(test_a_stand_in_counts_once_for_its_owner),
        cmocka_unit_test(test_a_late_owner_takes_its_own_place),
        cmocka_unit_test(test_w_of_old_and_w_of_new_owners),
        cmocka_unit_test(test_holders_are_bounded),
        cmocka_unit_test(test_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
