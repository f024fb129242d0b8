/* SPDX-License-Identifier: MIT */
#include "base/number_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { NUMBERS = 512, STEPS = 200 * 1000 };

/* Against an array, with numbers that come and go and meet in the same places. */
static void test_is_what_an_array_is(void **state)
{
    static int values[NUMBERS];
    static bool there[NUMBERS];
    struct random random = {7};
    struct number_map map = {0};
    size_t count = 0;
    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        size_t i = (size_t)random_below(&random, NUMBERS);
        uint64_t number = (uint64_t)i << 32; /* all want few places */
        assert_ptr_equal(number_map_find(&map, number), there[i] ? &values[i] : NULL);
        if (there[i])
            assert_ptr_equal(number_map_remove(&map, number), &values[i]);
        else if (random_below(&random, 4) > 0)
            number_map_add(&map, number, &values[i]);
        else
            continue;
        count = there[i] ? count - 1 : count + 1;
        there[i] = !there[i];
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < NUMBERS; i++)
        assert_ptr_equal(number_map_find(&map, (uint64_t)i << 32), there[i] ? &values[i] : NULL);
    number_map_deinit(&map);
}

static void test_an_empty_one_has_nothing(void **state)
{
    struct number_map map = {0};
    (void)state;
    assert_null(number_map_find(&map, 0));
    assert_null(number_map_remove(&map, 0));
    number_map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_what_an_array_is),
        cmocka_unit_test(test_an_empty_one_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
