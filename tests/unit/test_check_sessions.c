/* SPDX-License-Identifier: MIT */
/* What one client must go on seeing. Writes overlap, so that no other checker minds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/told_history.h"

static const struct check_options strict = {.strict = true, .slack_us = 5 * SIM_MS};
static const struct check_options monotonic = {
    .strict = true, .monotonic = true, .slack_us = 5 * SIM_MS};
static const struct check_options sloppy = {.slack_us = 5 * SIM_MS};

static const char *check_told(const struct told *told, size_t count,
                              const struct check_options *options, struct check_counts *counts)
{
    return told_history_check(HISTORY_REGISTER, told, count, options, counts);
}

static void what_was_shown_once_is_shown_again(void **state)
{
    (void)state;
    struct check_counts counts;
    struct told told[] = {
        {1, 0, VERB_SET, 10, 20, true}, /* */
        {1, 0, VERB_SET, 30, 0, true},  /* under way for ever */
        {2, 1, VERB_GET, 40, 50, 1},    /* */
        {2, 1, VERB_GET, 60, 70, 1},
    };
    assert_string_equal(check_told(told, 4, &monotonic, &counts), "");
    assert_int_equal(counts.session_reads, 1);
    assert_int_equal(counts.steps_back, 0);

    told[3].reply = 0;
    assert_string_equal(check_told(told, 4, &sloppy, &counts), "");
    assert_int_equal(counts.steps_back, 1);
    assert_int_equal(counts.steps_back_staying, 1);
    told[3].node = 2;
    assert_string_equal(check_told(told, 4, &strict, &counts), "");
    assert_int_equal(counts.steps_back, 1);
    assert_int_equal(counts.steps_back_staying, 0);
    assert_string_not_equal(check_told(told, 4, &monotonic, &counts), "");

    told[3].client = 3; /* another one may not have seen it yet */
    assert_string_equal(check_told(told, 4, &sloppy, &counts), "");
    assert_int_equal(counts.steps_back, 0);
}

static void a_client_reads_what_it_wrote(void **state)
{
    (void)state;
    struct check_counts counts;
    struct told told[] = {
        {2, 0, VERB_SET, 10, 20, true},
        {1, 0, VERB_SET, 30, 40, true},
        {1, 1, VERB_GET, 50, 60, 1},
    };
    assert_string_equal(check_told(told, 3, &strict, &counts), "");
    assert_int_equal(counts.steps_back, 0);
    told[2].reply = 0;
    assert_string_equal(check_told(told, 3, &sloppy, &counts), "");
    assert_int_equal(counts.steps_back, 1);
    assert_string_not_equal(check_told(told, 3, &strict, &counts), "");
    told[2].reply = TOLD_NOTHING;
    assert_string_equal(check_told(told, 3, &sloppy, &counts), "");
    assert_int_equal(counts.steps_back, 1);
}

static void what_may_have_been_deleted_may_be_gone(void **state)
{
    (void)state;
    struct check_counts counts;
    struct told told[] = {
        {1, 0, VERB_SET, 30, 40, true},
        {2, 0, VERB_DEL, 35, 0, true},
        {1, 1, VERB_GET, 50, 60, TOLD_NOTHING},
        {1, 1, VERB_GET, 70, 80, TOLD_NOTHING},
    };
    assert_string_equal(check_told(told, 4, &monotonic, &counts), "");
    assert_int_equal(counts.steps_back, 0);
    told[1].ended_ms = 38; /* its own DEL: then nothing is known any more */
    told[1].client = 1;
    told[1].begun_ms = 41;
    told[1].ended_ms = 45;
    assert_string_equal(check_told(told, 4, &monotonic, &counts), "");
    assert_int_equal(counts.steps_back, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_shown_once_is_shown_again),
        cmocka_unit_test(a_client_reads_what_it_wrote),
        cmocka_unit_test(what_may_have_been_deleted_may_be_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
