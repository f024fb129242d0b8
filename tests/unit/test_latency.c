/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/latency.h"

static void the_worst_of_a_second_counts(void **state)
{
    (void)state;
    static struct latency latency;
    struct latency_sample sample;
    latency = (struct latency){0};
    assert_false(latency_has(&latency, LATENCY_SEAL));
    latency_add(&latency, LATENCY_SEAL, 5000, 30);
    latency_add(&latency, LATENCY_SEAL, 5999, 20);
    latency_add(&latency, LATENCY_SEAL, 5999, 40);
    latency_add(&latency, LATENCY_SEAL, 6000, 10);
    assert_true(latency_sample(&latency, LATENCY_SEAL, 0, &sample));
    assert_int_equal(sample.time_s, 5);
    assert_int_equal(sample.milliseconds, 40);
    assert_true(latency_sample(&latency, LATENCY_SEAL, 1, &sample));
    assert_int_equal(sample.time_s, 6);
    assert_int_equal(sample.milliseconds, 10);
    assert_false(latency_sample(&latency, LATENCY_SEAL, 2, &sample));
    assert_false(latency_has(&latency, LATENCY_COMMAND));
    assert_true(latency_reset(&latency, LATENCY_SEAL));
    assert_false(latency_reset(&latency, LATENCY_SEAL));
}

static void only_the_last_are_kept(void **state)
{
    (void)state;
    static struct latency latency;
    struct latency_sample sample;
    latency = (struct latency){0};
    for (unsigned i = 1; i <= 2 * LATENCY_SAMPLES + 3; i++) {
        latency_add(&latency, LATENCY_COMMAND, i * 1000, i == 1 ? 5000 : i);
        unsigned kept = i < LATENCY_SAMPLES ? i : LATENCY_SAMPLES;
        assert_true(latency_sample(&latency, LATENCY_COMMAND, kept - 1, &sample));
        assert_int_equal(sample.time_s, i);
        assert_true(latency_sample(&latency, LATENCY_COMMAND, 0, &sample));
        assert_int_equal(sample.time_s, i - kept + 1);
        assert_false(latency_sample(&latency, LATENCY_COMMAND, kept, &sample));
    }
    assert_int_equal(latency.series[LATENCY_COMMAND].worst_ms, 5000);
}

static void a_summary_is_of_the_samples(void **state)
{
    (void)state;
    static struct latency latency;
    latency = (struct latency){0};
    struct latency_summary summary = latency_summarize(&latency, LATENCY_COMMAND, 1000);
    assert_int_equal(summary.samples, 0);
    latency_add(&latency, LATENCY_COMMAND, 10000, 100);
    latency_add(&latency, LATENCY_COMMAND, 20000, 200);
    latency_add(&latency, LATENCY_COMMAND, 30000, 600);
    summary = latency_summarize(&latency, LATENCY_COMMAND, 40000);
    assert_int_equal(summary.samples, 3);
    assert_int_equal(summary.least_ms, 100);
    assert_int_equal(summary.most_ms, 600);
    assert_int_equal(summary.mean_ms, 300);
    assert_int_equal(summary.deviation_ms, 200);
    assert_int_equal(summary.period_s, 30);
    assert_int_equal(summary.worst_ms, 600);
    assert_int_equal(latency_summarize(&latency, LATENCY_COMMAND, 9000).period_s, 1);
}

static void events_have_names(void **state)
{
    (void)state;
    enum latency_event event;
    for (unsigned i = 0; i < LATENCY_EVENT_COUNT; i++) {
        assert_true(latency_event_find(bytes_text(latency_event_name(i)), false, &event));
        assert_int_equal(event, i);
    }
    assert_false(latency_event_find(BYTES("Command"), false, &event));
    assert_true(latency_event_find(BYTES("Command"), true, &event));
    assert_false(latency_event_find(BYTES(""), true, &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_of_a_second_counts),
        cmocka_unit_test(only_the_last_are_kept),
        cmocka_unit_test(a_summary_is_of_the_samples),
        cmocka_unit_test(events_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
