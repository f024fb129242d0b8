/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>

#include "doubles/talk.h"

enum { DRAWS_EACH = 100 };

static void set(struct talk *talk, const char *format, unsigned number, uint64_t px)
{
    char words[64];
    int size = snprintf(words, sizeof(words), "SET ");
    size += snprintf(words + size, sizeof(words) - (size_t)size, format, number);
    if (px > 0)
        snprintf(words + size, sizeof(words) - (size_t)size, " x PX %u", (unsigned)px);
    else
        snprintf(words + size, sizeof(words) - (size_t)size, " x");
    talk_expect(talk, words, "+OK");
}

/* The number in "key12" or "key12{tag}". */
static unsigned draw(struct talk *talk)
{
    const char *reply = talk_say(talk, "RANDOMKEY");
    assert_int_equal(*reply, '$');
    const char *key = strchr(reply, '\n') + 1;
    assert_memory_equal(key, "key", 3);
    return (unsigned)strtoul(key + 3, NULL, 10);
}

/*
 * Chi-square of that many draws over keys that should come equally often, as a number of standard
 * deviations from what chance gives: of 2 million fair tests one is above 5.
 */
static double unfairness(struct talk *talk, unsigned from, unsigned to)
{
    unsigned keys = to - from;
    unsigned *seen = calloc(to, sizeof(*seen));
    for (unsigned i = 0; i < keys * DRAWS_EACH; i++) {
        unsigned key = draw(talk);
        assert_in_range(key, from, to - 1);
        seen[key]++;
    }
    double chi = 0;
    for (unsigned i = from; i < to; i++)
        chi += ((double)seen[i] - DRAWS_EACH) * ((double)seen[i] - DRAWS_EACH) / DRAWS_EACH;
    free(seen);
    double freedom = keys - 1, excess = (chi - freedom) * (chi - freedom) / (2 * freedom);
    return chi > freedom ? excess : 0;
}

enum { DEVIATIONS_SQUARED = 25 };

static void test_an_empty_database_has_none(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"RANDOMKEY", "$-1"}, {"SET a 1", "+OK"},   {"RANDOMKEY", "$1\r\na"},
        {"DEL a", ":1"},      {"RANDOMKEY", "$-1"}, {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_keys_in_many_slots_come_equally_often(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    for (unsigned i = 0; i < 200; i++)
        set(&talk, "key%u", i, 0);
    assert_true(unfairness(&talk, 0, 200) < DEVIATIONS_SQUARED);
    talk_deinit(&talk);
}

/* Most keys in one slot, in many ranges of hashes, the rest alone in theirs. */
static void test_keys_of_a_full_slot_come_no_more_often(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    for (unsigned i = 0; i < 150; i++)
        set(&talk, i < 100 ? "key%u{tag}" : "key%u", i, 0);
    assert_true(unfairness(&talk, 0, 150) < DEVIATIONS_SQUARED);
    talk_deinit(&talk);
}

/* Of what has expired there is as much as of what lives, and in one slot more. */
static void test_expired_keys_take_no_chance_away(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    for (unsigned i = 0; i < 80; i++)
        set(&talk, i % 2 ? "key%u{tag}" : "key%u", i, 10);
    for (unsigned i = 80; i < 160; i++)
        set(&talk, i % 8 ? "key%u" : "key%u{tag}", i, 0);
    talk.now_ms += 1000;
    assert_true(unfairness(&talk, 80, 160) < DEVIATIONS_SQUARED);
    talk_deinit(&talk);
}

static void test_the_last_key_that_lives_is_found(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        for (unsigned i = 0; i < 1200; i++)
            set(&talk, i % 3 ? "key%u" : "key%u{tag}", i, 10);
        set(&talk, "key%u{tag}", 5000, 0);
        talk.now_ms += 1000;
        assert_int_equal(draw(&talk), 5000);
        talk_expect(&talk, "DEL key5000{tag}", ":1");
        talk_expect(&talk, "RANDOMKEY", "$-1");
        talk_deinit(&talk);
    }
}

/* In slices, so that others have their turn. */
static void test_a_long_search_lets_others_run(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    for (unsigned i = 0; i < 25000; i++)
        set(&talk, "key%u{tag}", i, 10);
    talk.now_ms += 1000;
    talk_expect(&talk, "RANDOMKEY", "$-1");
    assert_in_range(talk.slices, 3, 4);
    talk_deinit(&talk);
}

/* From a disk: as many draws at once as may be needed, and the same ones in the next run. */
static void test_cold_draws_are_read_together(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    unsigned runs = 0;
    for (unsigned i = 0; i < 100; i++)
        set(&talk, "key%u", i, 0);
    for (unsigned i = 0; i < 200; i++) {
        (void)draw(&talk);
        runs += talk.runs;
    }
    assert_true(runs < 2 * 200 + 60);
    talk_deinit(&talk);
}

static void test_cold_keys_come_as_often(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    for (unsigned i = 0; i < 40; i++)
        set(&talk, i % 2 ? "key%u{tag}" : "key%u", i, 0);
    assert_true(unfairness(&talk, 0, 40) < DEVIATIONS_SQUARED);
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_database_has_none),
        cmocka_unit_test(test_keys_in_many_slots_come_equally_often),
        cmocka_unit_test(test_keys_of_a_full_slot_come_no_more_often),
        cmocka_unit_test(test_expired_keys_take_no_chance_away),
        cmocka_unit_test(test_the_last_key_that_lives_is_found),
        cmocka_unit_test(test_a_long_search_lets_others_run),
        cmocka_unit_test(test_cold_draws_are_read_together),
        cmocka_unit_test(test_cold_keys_come_as_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
