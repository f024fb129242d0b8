/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/talk.h"

static void test_keys(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"DEL a", ":0"},
        {"EXISTS a", ":0"},
        {"TYPE a", "+none"},
        {"MSET a 1 b 2 c 3", "+OK"},
        {"INCR n", ":1"},
        {"EXISTS a b none a", ":3"},
        {"TOUCH a b none a", ":3"},
        {"TYPE a", "+string"},
        {"TYPE n", "+string"},
        {"DEL a none a", ":1"},
        {"UNLINK b n", ":2"},
        {"EXISTS a b c n", ":1"},
        {"TYPE n", "+none"},
        {"GET a", "$-1"},
        {"SET a again", "+OK"},
        {"GET a", "$5\r\nagain"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_databases_are_apart(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "SET a 1", "+OK");
    talk.db = 1;
    talk_expect(&talk, "EXISTS a", ":0");
    talk_expect(&talk, "SET a 2", "+OK");
    talk_expect(&talk, "DEL a", ":1");
    talk.db = 0;
    talk_expect(&talk, "GET a", "$1\r\n1");
    talk_deinit(&talk);
}

static void test_errors_of_the_store_pass_through(void **state)
{
    (void)state;
    static const char *const commands[] = {"DEL a b", "EXISTS a",   "TOUCH a",  "TYPE a",
                                           "TTL a",   "EXPIRE a 1", "PERSIST a"};
    struct talk talk;
    talk_init(&talk, false);
    talk.store.fails = STATUS_CORRUPT;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        talk_expect(&talk, commands[i], "-ERR stored data is damaged");
    talk_deinit(&talk);
}

/* Those that read the value are counted, once for each key; those that only write it are not. */
static void test_reads_hit_or_miss(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint32_t hits, misses;
    } cases[] = {
        {"GET a", 1, 0},       {"GET x", 0, 1},          {"MGET a x a", 2, 1},
        {"STRLEN a", 1, 0},    {"GETRANGE x 0 1", 0, 1}, {"EXISTS a a x", 2, 1},
        {"TOUCH a x", 1, 1},   {"TYPE a", 1, 0},         {"TTL a", 1, 0},
        {"PTTL x", 0, 1},      {"GETSET a 2", 1, 0},     {"SET a 2 GET", 1, 0},
        {"GETEX a", 1, 0},     {"SET a 2", 0, 0},        {"MSET a 2 b 2", 0, 0},
        {"APPEND a 2", 0, 0},  {"INCR a", 0, 0},         {"SETRANGE a 1 2", 0, 0},
        {"EXPIRE a 10", 0, 0}, {"PERSIST a", 0, 0},      {"SETNX a 1", 0, 0},
        {"DEL b x", 0, 0},     {"GETDEL a", 1, 0},       {"SCAN 0", 0, 0},
    };
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "SET a 1", "+OK");
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            (void)talk_say(&talk, cases[i].words);
            if (talk.hits != cases[i].hits || talk.misses != cases[i].misses)
                fail_msg("%s: %u hits, %u misses", cases[i].words, talk.hits, talk.misses);
        }
        talk_deinit(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_databases_are_apart),
        cmocka_unit_test(test_reads_hit_or_miss),
        cmocka_unit_test(test_errors_of_the_store_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
