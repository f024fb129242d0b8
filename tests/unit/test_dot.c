/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/clock.h"
#include "row/dot.h"

static void test_dots_are_ordered_by_time_then_actor(void **state)
{
    (void)state;
    struct dot dot = {5, 100};
    assert_true(dot_compare(dot, (struct dot){1, 101}) < 0);
    assert_true(dot_compare(dot, (struct dot){9, 99}) > 0);
    assert_true(dot_compare(dot, (struct dot){6, 100}) < 0);
    assert_true(dot_compare(dot, (struct dot){4, 100}) > 0);
    assert_true(dot_compare(dot, dot) == 0);
    assert_true(dot_compare((struct dot){1, 0}, (struct dot){0, UINT64_MAX}) < 0);
    assert_int_equal(actor_of(0x123456789abc, 0xdef0), 0x123456789abcdef0);
}

static void test_vector_covers(void **state)
{
    (void)state;
    struct dot dots[] = {{2, 10}, {4, 20}, {6, 30}};
    struct vector vector = {dots, 3}, empty = {NULL, 0};
    assert_int_equal(vector_time(&vector, 2), 10);
    assert_int_equal(vector_time(&vector, 4), 20);
    assert_int_equal(vector_time(&vector, 6), 30);
    for (actor_t actor = 1; actor <= 7; actor += 2)
        assert_int_equal(vector_time(&vector, actor), 0);
    assert_true(vector_covers(&vector, (struct dot){4, 20}));
    assert_true(vector_covers(&vector, (struct dot){4, 1}));
    assert_false(vector_covers(&vector, (struct dot){4, 21}));
    assert_false(vector_covers(&empty, (struct dot){4, 1}));
    assert_true(vector_covers_all(&vector, &empty));
    assert_true(vector_covers_all(&vector, &vector));
    assert_false(vector_covers_all(&empty, &vector));
    struct dot other[] = {{2, 10}, {6, 31}};
    assert_false(vector_covers_all(&vector, &(struct vector){other, 2}));
    other[1].time = 29;
    assert_true(vector_covers_all(&vector, &(struct vector){other, 2}));
}

enum { ACTORS = 8 };

/* Over actors 1 to ACTORS, about half of them. */
static void draw_vector(struct random *random, struct vector *out)
{
    out->count = 0;
    for (actor_t actor = 1; actor <= ACTORS; actor++)
        if (random_once_in(random, 2))
            out->dots[out->count++] = (struct dot){actor, 1 + random_below(random, 9)};
}

static void test_join_takes_the_newer(void **state)
{
    (void)state;
    struct random random = {1};
    struct dot a_dots[ACTORS], b_dots[ACTORS], join_dots[2 * ACTORS];
    struct vector a = {a_dots, 0}, b = {b_dots, 0}, join = {join_dots, 0};
    for (int round = 0; round < 2000; round++) {
        draw_vector(&random, &a);
        draw_vector(&random, &b);
        vector_join(&a, &b, &join);
        uint32_t count = 0;
        for (actor_t actor = 1; actor <= ACTORS; actor++) {
            uint64_t x = vector_time(&a, actor), y = vector_time(&b, actor);
            assert_int_equal(vector_time(&join, actor), x > y ? x : y);
            count += x || y;
        }
        assert_int_equal(join.count, count);
        for (uint32_t i = 1; i < join.count; i++)
            assert_true(join.dots[i - 1].actor < join.dots[i].actor);
    }
}

static void test_dead_actors_are_a_vector(void **state)
{
    (void)state;
    struct dead_actors dead = {.count = 0};
    dead_actors_add(&dead, (struct dot){5, 10});
    dead_actors_add(&dead, (struct dot){7, 20});
    dead_actors_add(&dead, (struct dot){5, 8});
    dead_actors_add(&dead, (struct dot){7, 21});
    dead_actors_add(&dead, (struct dot){2, 30});
    dead_actors_add(&dead, (struct dot){4, 40}); /* one too many */
    dead_actors_add(&dead, (struct dot){2, 31});
    static const struct dot expected[] = {{2, 31}, {5, 10}, {7, 21}};
    assert_int_equal(dead.count, DEAD_ACTORS_MAX);
    for (unsigned i = 0; i < DEAD_ACTORS_MAX; i++)
        assert_true(dot_equal(dead.dots[i], expected[i]));
}

static void test_clock_only_grows(void **state)
{
    (void)state;
    struct clock clock = {0};
    uint64_t first = clock_next(&clock, 1000);
    assert_int_equal(clock_ms(first), 1000);
    assert_int_equal(first, UINT64_C(1000) << CLOCK_COUNTER_BITS);
    assert_int_equal(clock_next(&clock, 1000), first + 1);
    assert_int_equal(clock_next(&clock, 900), first + 2);
    clock_see(&clock, first);
    assert_int_equal(clock_next(&clock, 1000), first + 3);
    uint64_t ahead = UINT64_C(2000) << CLOCK_COUNTER_BITS | 7;
    clock_see(&clock, ahead);
    assert_int_equal(clock_next(&clock, 1001), ahead + 1);
    assert_int_equal(clock_ms(clock_next(&clock, 3000)), 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dots_are_ordered_by_time_then_actor),
        cmocka_unit_test(test_vector_covers),
        cmocka_unit_test(test_join_takes_the_newer),
        cmocka_unit_test(test_dead_actors_are_a_vector),
        cmocka_unit_test(test_clock_only_grows),
    };
    return cmocka_run_group_tests_name("dot", tests, NULL, NULL);
}
