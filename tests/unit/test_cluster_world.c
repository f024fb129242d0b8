/* SPDX-License-Identifier: MIT */
/* The simulator's cluster world: it ends in any case. (What it finds is in tests/sim/mutants.txt.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cluster_world.h"

enum { SEED = 1, FEW = 2000 };

static void test_the_same_seed_goes_the_same_way(void **state)
{
    (void)state;
    struct cluster_plan plan;
    struct cluster_result result, again;
    cluster_plan_draw(SEED, 0, &plan);
    cluster_world_run(&plan, false, &result);
    cluster_world_run(&plan, false, &again);
    assert_true(result.passed);
    assert_int_equal(result.hash, again.hash);
    assert_int_equal(result.events, again.events);
    assert_true(result.events > FEW && result.events < plan.events_max);
}

static void test_a_world_that_goes_round_is_stopped(void **state)
{
    (void)state;
    struct cluster_plan plan;
    struct cluster_result result;
    cluster_plan_draw(SEED, 0, &plan);
    plan.events_max = FEW;
    cluster_world_run(&plan, false, &result);
    assert_false(result.passed);
    assert_string_equal(result.checker, "A12");
    assert_non_null(strstr(result.failure, "more than 2000 events"));
    assert_int_equal(result.events, FEW + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_seed_goes_the_same_way),
        cmocka_unit_test(test_a_world_that_goes_round_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
