/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/budget.h"

#define MB ((uint64_t)1024 * 1024)

static void the_limit_comes_from_the_setting_or_the_machine(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 500 * MB, 8000 * MB);
    assert_int_equal(budget.limit, 500 * MB);
    assert_int_equal(budget.rows, 450 * MB);
    budget_init(&budget, 0, 1000 * MB);
    assert_int_equal(budget.limit, 600 * MB);
    budget_init(&budget, 0, 0);
    assert_int_equal(budget.limit, 1024 * MB);
    budget_init(&budget, 1, 0);
    assert_int_equal(budget.rows, BUDGET_ROWS_MIN);
}

static void others_are_taken_off(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 1000 * MB, 0);
    struct budget_use use = {.resident = 200 * MB, .tier = 100 * MB, .buffers = 50 * MB};
    budget_update(&budget, &use);
    assert_int_equal(budget.rows, 750 * MB);
    use.buffers = 5000 * MB;
    budget_update(&budget, &use);
    assert_int_equal(budget.rows, BUDGET_ROWS_MIN);
    assert_true(budget.exhausted);
    use.buffers = 900 * MB;
    budget_update(&budget, &use);
    assert_int_equal(budget.rows, BUDGET_ROWS_MIN);
    assert_false(budget.exhausted);
}

/* A process whose rows take a third more than they are thought to. */
static void the_allocator_has_the_last_word(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 1000 * MB, 0);
    struct budget_use use = {.tier = 100 * MB};
    uint64_t highest = 0, held = 0;
    for (unsigned i = 0; i < 2000; i++) {
        /* Rows fill what they may, and give back slowly. */
        if (use.rows < budget.rows)
            use.rows = budget.rows;
        else
            use.rows -= (use.rows - budget.rows) / 4;
        held = use.tier + use.rows + use.rows / 3;
        use.resident = held;
        if (i > 100 && held > highest)
            highest = held;
        budget_update(&budget, &use);
        assert_false(budget.exhausted);
    }
    assert_true(highest < 1020 * MB);
    assert_true(held > 900 * MB);
    /* The surplus is gone: rows come back to their share. */
    use.rows = 100 * MB;
    use.resident = 300 * MB;
    for (unsigned i = 0; i < 2000; i++)
        budget_update(&budget, &use);
    assert_int_equal(budget.rows, 800 * MB);
}

static void without_figures_nothing_is_corrected(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 1000 * MB, 0);
    struct budget_use use = {.rows = 2000 * MB};
    for (unsigned i = 0; i < 100; i++)
        budget_update(&budget, &use);
    assert_int_equal(budget.rows, 900 * MB);
    assert_false(budget.exhausted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_comes_from_the_setting_or_the_machine),
        cmocka_unit_test(others_are_taken_off),
        cmocka_unit_test(the_allocator_has_the_last_word),
        cmocka_unit_test(without_figures_nothing_is_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
