/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/stats.h"

static void the_rate_is_the_mean_of_sixteen_samples(void **state)
{
    (void)state;
    struct stats stats = {0};
    uint64_t now = 1000;
    stats.commands_processed = 500; /* before the first sample: no rate is known */
    stats_sample(&stats, now);
    assert_int_equal(stats_per_second(stats.sample_commands), 0);
    for (int i = 0; i < 8; i++) {
        stats.commands_processed += 10;
        stats.input_bytes += 200;
        stats.output_bytes += 50;
        stats_sample(&stats, now += 100);
    }
    assert_int_equal(stats_per_second(stats.sample_commands), 50);
    for (int i = 0; i < 8; i++) {
        stats.commands_processed += 10;
        stats.input_bytes += 200;
        stats.output_bytes += 50;
        stats_sample(&stats, now += 100);
    }
    assert_int_equal(stats_per_second(stats.sample_commands), 100);
    assert_int_equal(stats_per_second(stats.sample_input), 2000);
    assert_int_equal(stats_per_second(stats.sample_output), 500);
    for (int i = 0; i < 16; i++)
        stats_sample(&stats, now += 100);
    assert_int_equal(stats_per_second(stats.sample_commands), 0);
}

static void a_clock_that_stands_or_goes_back_is_no_sample(void **state)
{
    (void)state;
    struct stats stats = {0};
    stats_sample(&stats, 1000);
    stats.commands_processed = 100;
    stats_sample(&stats, 1000);
    stats_sample(&stats, 500);
    assert_int_equal(stats_per_second(stats.sample_commands), 0);
    stats.commands_processed += 16;
    stats_sample(&stats, 1500);
    assert_int_equal(stats_per_second(stats.sample_commands), 1);
}

static void errors_count_by_their_first_word(void **state)
{
    (void)state;
    struct stats stats = {0};
    stats_error(&stats, BYTES("ERR syntax error"));
    stats_error(&stats, BYTES("WRONGTYPE Operation"));
    stats_error(&stats, BYTES("ERR"));
    stats_error(&stats, BYTES("ERROR x"));
    stats_error(&stats, BYTES(""));
    assert_int_equal(stats.error_replies, 5);
    assert_string_equal(stats.errors[0].name, "ERR");
    assert_int_equal(stats.errors[0].count, 2);
    assert_string_equal(stats.errors[1].name, "WRONGTYPE");
    assert_int_equal(stats.errors[2].count, 1);
    assert_string_equal(stats.errors[3].name, "");
}

static void kinds_of_errors_are_bounded(void **state)
{
    (void)state;
    struct stats stats = {0};
    for (int i = 0; i < 2 * STATS_ERRORS_MAX; i++) {
        char text[64];
        snprintf(text, sizeof text, "E%d-which-has-a-long-long-long-long-name and more", i);
        stats_error(&stats, bytes_text(text));
    }
    assert_int_equal(stats.error_replies, 2 * STATS_ERRORS_MAX);
    assert_string_equal(stats.errors[0].name, "E0-which-has-a-long-long-long-l");
    assert_int_equal(stats.errors[STATS_ERRORS_MAX - 1].count, 1);
}

static void a_reset_keeps_what_is_no_count(void **state)
{
    (void)state;
    struct stats stats = {.started_ms = 7, .peak_memory = 8, .commands_processed = 9};
    stats_error(&stats, BYTES("ERR x"));
    stats_reset(&stats);
    assert_int_equal(stats.started_ms, 7);
    assert_int_equal(stats.peak_memory, 8);
    assert_int_equal(stats.commands_processed, 0);
    assert_string_equal(stats.errors[0].name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_the_mean_of_sixteen_samples),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_is_no_sample),
        cmocka_unit_test(errors_count_by_their_first_word),
        cmocka_unit_test(kinds_of_errors_are_bounded),
        cmocka_unit_test(a_reset_keeps_what_is_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
