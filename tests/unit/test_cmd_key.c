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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_databases_are_apart),
        cmocka_unit_test(test_errors_of_the_store_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
