/* SPDX-License-Identifier: MIT */
/* Histories that some order explains, and such that none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/check_linear.h"
#include "support/told_history.h"

static const struct check_options all = {.undivided = true, .slack_us = 100000 * SIM_MS};
static const struct check_options nothing_promised = {.slack_us = 100000 * SIM_MS};

static void expect(enum history_class class, const struct told *told, size_t count,
                   const struct check_options *options, const char *checker)
{
    struct check_counts counts;
    assert_string_equal(told_history_check(class, told, count, options, &counts), checker);
    assert_int_equal(counts.linear_given_up, 0);
}

#define EXPECT(class, told, options, checker)                                                      \
    expect(class, told, sizeof(told) / sizeof((told)[0]), &(options), checker)

static void only_one_gets_the_lock(void **state)
{
    (void)state;
    struct told race[] = {
        {1, 0, VERB_SETNX, 10, 30, true},
        {2, 1, VERB_SETNX, 20, 40, false},
    };
    EXPECT(HISTORY_REGISTER, race, all, "");
    race[1].reply = true;
    EXPECT(HISTORY_REGISTER, race, all, "A7");
    EXPECT(HISTORY_REGISTER, race, nothing_promised, "");
    race[1].reply = race[0].reply = false; /* nobody has it, and it was refused to both */
    EXPECT(HISTORY_REGISTER, race, all, "A7");
}

static void a_lock_that_was_given_back_is_free(void **state)
{
    (void)state;
    struct told told[] = {
        {1, 0, VERB_SETNX, 10, 20, true},
        {1, 0, VERB_DEL, 30, 40, true},
        {2, 1, VERB_SETNX, 35, 50, true},
    };
    EXPECT(HISTORY_REGISTER, told, all, "");
    told[1].begun_ms = 51; /* not yet given back */
    told[1].ended_ms = 60;
    EXPECT(HISTORY_REGISTER, told, all, "A7");
}

static void each_value_is_taken_from_one_that_follows_it(void **state)
{
    (void)state;
    struct told told[] = {
        {1, 0, VERB_SET, 10, 20, true},
        {2, 0, VERB_GETSET, 30, 60, 0},
        {3, 0, VERB_GETSET, 30, 60, 1},
        {4, 0, VERB_GETSET, 30, 60, 2},
    };
    EXPECT(HISTORY_REGISTER, told, all, "");
    told[3].reply = 1; /* taken twice */
    EXPECT(HISTORY_REGISTER, told, all, "A7");
    told[3].reply = TOLD_NOTHING;
    EXPECT(HISTORY_REGISTER, told, all, "A7");
}

static void what_got_no_reply_explains_what_is_seen(void **state)
{
    (void)state;
    struct told told[] = {
        {1, 0, VERB_SETNX, 10, 20, true},
        {2, 0, VERB_DEL, 15, 0},
        {3, 0, VERB_DEL, 15, 0},
        {1, 0, VERB_SETNX, 500, 510, true},
        {1, 0, VERB_SETNX, 600, 610, true},
    };
    EXPECT(HISTORY_REGISTER, told, all, "");
    told[2].begun_ms = 700; /* only one that may have happened in time */
    EXPECT(HISTORY_REGISTER, told, all, "A7");
}

static void reads_have_a_place_in_the_order(void **state)
{
    (void)state;
    struct told told[] = {
        {1, 0, VERB_SET, 10, 100, true},
        {2, 0, VERB_GET, 20, 30, 0},
        {3, 0, VERB_GET, 40, 50, 0},
    };
    EXPECT(HISTORY_REGISTER, told, all, "");
    told[2].reply = TOLD_NOTHING; /* seen, and then not seen: a regular register, no atomic one */
    EXPECT(HISTORY_REGISTER, told, all, "A7");
}

static void each_increment_has_its_own_sum(void **state)
{
    (void)state;
    struct told told[] = {
        {1, 0, VERB_INCRBY, 10, 40, 7, 5},
        {2, 0, VERB_INCRBY, 10, 40, 2, 2},
        {3, 0, VERB_INCRBY, 10, 0, 0, -1},
        {1, 0, VERB_GET, 50, 60, 6, 0},
    };
    EXPECT(HISTORY_COUNTER, told, all, "");
    told[0].reply = 5; /* neither had seen the other */
    told[3].reply = 7;
    EXPECT(HISTORY_COUNTER, told, all, "A7");
}

/* Many at once, of which each would have to be tried in all orders: remembering what was tried, and
 * doing what changes nothing at once, keeps it short. */
static void a_crowd_is_searched_in_time(void **state)
{
    (void)state;
    enum { CROWD = 60, WINNER = 31 };
    struct told told[CROWD + 1];
    struct check_counts counts;
    for (unsigned i = 0; i < CROWD; i++) {
        told[i] = (struct told){i, 0, VERB_SETNX, 10, 100, i == WINNER};
        if (i % 3 == 0)
            told[i] = (struct told){i, 0, VERB_SET, 10, 0};
    }
    told[CROWD] = (struct told){1, 0, VERB_GET, 200, 210, WINNER};
    assert_string_equal(told_history_check(HISTORY_REGISTER, told, CROWD + 1, &all, &counts), "");
    assert_int_equal(counts.linear_keys, 1);
    told[1].reply = true;
    assert_string_equal(told_history_check(HISTORY_REGISTER, told, CROWD + 1, &all, &counts), "A7");
    assert_int_equal(counts.linear_keys, 1);
}

/* A search without end is given up, and counted: it says nothing. */
static void what_takes_too_long_is_given_up(void **state)
{
    (void)state;
    enum { CROWD = 48 };
    struct told told[CROWD];
    struct check_counts counts;
    /* Which of them together make an odd number? None: all are even. */
    for (unsigned i = 0; i < CROWD; i++)
        told[i] = (struct told){i, 0, VERB_INCRBY, 10, 0, 0, 2 << i % 24};
    told[CROWD - 1] = (struct told){1, 0, VERB_INCRBY, 10, 100, 4000, 1};
    (void)told_history_check(HISTORY_COUNTER, told, CROWD, &all, &counts);
    assert_int_equal(counts.linear_keys, 0);
    assert_int_equal(counts.linear_given_up, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_gets_the_lock),
        cmocka_unit_test(a_lock_that_was_given_back_is_free),
        cmocka_unit_test(each_value_is_taken_from_one_that_follows_it),
        cmocka_unit_test(what_got_no_reply_explains_what_is_seen),
        cmocka_unit_test(reads_have_a_place_in_the_order),
        cmocka_unit_test(each_increment_has_its_own_sum),
        cmocka_unit_test(a_crowd_is_searched_in_time),
        cmocka_unit_test(what_takes_too_long_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
