/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "observe/histogram.h"

static void buckets_have_no_gaps(void **state)
{
    (void)state;
    uint64_t begin = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t end = histogram_bucket_end(i);
        assert_int_equal(histogram_bucket(begin), i);
        assert_int_equal(histogram_bucket(end), i);
        assert_true((end - begin) * HISTOGRAM_STEPS <= begin || end == begin);
        begin = end + 1;
    }
    assert_int_equal(begin, (uint64_t)1 << HISTOGRAM_VALUE_BITS);
    assert_int_equal(histogram_bucket(begin), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void percentiles_are_right_to_a_part_in_32(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static uint64_t values[COUNT];
    struct random random = {7};
    for (unsigned round = 0; round < 50; round++) {
        struct histogram *histogram = memory_zeroed(sizeof *histogram);
        for (unsigned i = 0; i < COUNT; i++) {
            values[i] = random_next(&random) >> (28 + random_below(&random, 36));
            histogram_add(histogram, values[i], 1);
        }
        qsort(values, COUNT, sizeof *values, by_value);
        static const double percents[] = {0.1, 1, 50, 90, 99, 99.9, 100};
        for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++) {
            uint64_t exact = values[(unsigned)(percents[i] * COUNT / 100 + 0.5) - 1];
            uint64_t found = histogram_percentile(histogram, percents[i]);
            assert_true(found >= exact && found - exact <= exact / HISTOGRAM_STEPS);
        }
        uint64_t least = histogram_percentile(histogram, 0);
        assert_true(least <= values[0] && values[0] - least <= values[0] / HISTOGRAM_STEPS);
        for (unsigned bits = 5; bits < 40; bits++) {
            uint64_t below = 0;
            for (unsigned i = 0; i < COUNT; i++)
                below += values[i] < (uint64_t)1 << bits;
            assert_int_equal(histogram_below(histogram, bits), below);
        }
        memory_free(histogram);
    }
}

static void an_empty_one_has_nothing(void **state)
{
    (void)state;
    struct histogram *histogram = memory_zeroed(sizeof *histogram);
    assert_int_equal(histogram_percentile(histogram, 50), 0);
    assert_int_equal(histogram_percentile(histogram, 0), 0);
    assert_int_equal(histogram_below(histogram, 64), 0);
    histogram_add(histogram, UINT64_MAX, 3);
    assert_int_equal(histogram_below(histogram, 36), 0);
    assert_int_equal(histogram_below(histogram, 37), 3);
    assert_int_equal(histogram_percentile(histogram, 50), ((uint64_t)1 << 37) - 1);
    memory_free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_have_no_gaps),
        cmocka_unit_test(percentiles_are_right_to_a_part_in_32),
        cmocka_unit_test(an_empty_one_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
