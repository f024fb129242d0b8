/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* RENAME, RENAMENX, COPY, MOVE, SWAPDB: what a client sees. */
#include "doubles/talk.h"

static void test_rename(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"RENAME a b", "-ERR no such key"},
        {"RENAMENX a b", "-ERR no such key"},
        {"RENAME a a", "-ERR no such key"},
        {"MSET a 1 b 2", "+OK"},
        {"RENAMENX a b", ":0"},
        {"MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2"},
        {"RENAME a b", "+OK"},
        {"MGET a b", "*2\r\n$-1\r\n$1\r\n1"},
        {"RENAMENX b c", ":1"},
        {"RENAME c c", "+OK"},
        {"RENAMENX c c", ":0"},
        {"DBSIZE", ":1"},
        {"GET c", "$1\r\n1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_copy(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"COPY a b", ":0"},
        {"COPY a a", "-ERR source and destination objects are the same"},
        {"COPY a a DB 0", "-ERR source and destination objects are the same"},
        {"COPY a b DB", "-ERR syntax error"},
        {"COPY a b DB 1 FOO", "-ERR syntax error"},
        {"COPY a b DB x", "-ERR value is not an integer or out of range"},
        {"COPY a b DB 4", "-ERR DB index is out of range"},
        {"COPY a b DB -1", "-ERR DB index is out of range"},
        {"COPY a b DB 9999999999", "-ERR value is out of range, value must between -2147483648 "
                                   "and 2147483647"},
        {"SET a 1", "+OK"},
        {"COPY a b", ":1"},
        {"SET a 2", "+OK"},
        {"COPY a b", ":0"},
        {"GET b", "$1\r\n1"},
        {"COPY a b REPLACE", ":1"},
        {"GET b", "$1\r\n2"},
        {"COPY a a DB 3", ":1"},
        {"COPY a a db 3", ":0"},
        {"DBSIZE", ":2"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_move(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "MOVE a 0", "-ERR source and destination objects are the same");
        talk_expect(&talk, "MOVE a 1", ":0");
        talk_expect(&talk, "MOVE a 1x", "-ERR value is not an integer or out of range");
        talk_expect(&talk, "MOVE a 4", "-ERR DB index is out of range");
        talk_expect(&talk, "SET a 1 PX 500", "+OK");
        talk_expect(&talk, "MOVE a 1", ":1");
        talk_expect(&talk, "EXISTS a", ":0");
        talk_expect(&talk, "SET a 2", "+OK");
        talk_expect(&talk, "MOVE a 1", ":0");
        talk.db = 1;
        talk_expect(&talk, "GET a", "$1\r\n1");
        talk_expect(&talk, "PTTL a", ":500");
        talk_deinit(&talk);
    }
}

static void test_the_time_to_live_goes_with_it(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1 PX 500", "+OK"}, {"SET b 2", "+OK"},         {"COPY a c", ":1"},
        {"PTTL c", ":500"},        {"RENAME a b", "+OK"},      {"PTTL b", ":500"},
        {"SET a 3", "+OK"},        {"COPY a c REPLACE", ":1"}, {"PTTL c", ":-1"},
        {"RENAME a b", "+OK"},     {"PTTL b", ":-1"},          {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_an_expired_key_is_none(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "SET a 1 PX 5", "+OK");
        talk_expect(&talk, "SET b 2 PX 5", "+OK");
        talk_expect(&talk, "SET c 3", "+OK");
        talk.now_ms += 6;
        talk_expect(&talk, "RENAME a c", "-ERR no such key");
        talk_expect(&talk, "COPY a c REPLACE", ":0");
        talk_expect(&talk, "RENAMENX c b", ":1");
        talk_expect(&talk, "GET b", "$1\r\n3");
        talk_expect(&talk, "PTTL b", ":-1");
        talk_deinit(&talk);
    }
}

/* What was increments is a number, and counts on. */
static void test_an_integer(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"INCRBY n 5", ":5"}, {"INCR n", ":6"},      {"COPY n m", ":1"},   {"INCR n", ":7"},
        {"INCR m", ":7"},     {"RENAME n m", "+OK"}, {"INCR m", ":8"},     {"GET m", "$1\r\n8"},
        {"INCR n", ":1"},     {"RENAME n m", "+OK"}, {"GET m", "$1\r\n1"}, {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

/* Chunks are written anew, and holes stay holes. */
static void test_a_long_string(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SETRANGE a 100000 end", ":100003"},
        {"SETRANGE a 50000 middle", ":100003"},
        {"COPY a b", ":1"},
        {"SETRANGE a 50000 MIDDLE", ":100003"},
        {"STRLEN b", ":100003"},
        {"GETRANGE b 50000 50005", "$6\r\nmiddle"},
        {"RENAME a b", "+OK"},
        {"GETRANGE b 50000 50005", "$6\r\nMIDDLE"},
        {"GETRANGE b 100000 100002", "$3\r\nend"},
        {"GET a", "$-1"},
        {"SET c short", "+OK"},
        {"RENAME c b", "+OK"},
        {"GET b", "$5\r\nshort"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_both_keys_are_missed_together(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "MSET a 1 b 2", "+OK");
    talk_expect(&talk, "RENAME a b", "+OK");
    assert_int_equal(talk.runs, 2);
    talk_expect(&talk, "COPY b a", ":1");
    assert_int_equal(talk.runs, 2);
    talk_deinit(&talk);
}

static void test_swapdb(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "SWAPDB x 1", "-ERR invalid first DB index");
        talk_expect(&talk, "SWAPDB 0 99999999999", "-ERR invalid second DB index");
        talk_expect(&talk, "SWAPDB 0 4", "-ERR DB index is out of range");
        talk_expect(&talk, "SWAPDB -1 0", "-ERR DB index is out of range");
        talk_expect(&talk, "SET a zero", "+OK");
        talk.db = 1;
        talk_expect(&talk, "MSET a one b one", "+OK");
        talk_expect(&talk, "SWAPDB 0 1", "+OK");
        talk_expect(&talk, "DBSIZE", ":1");
        talk_expect(&talk, "GET a", "$4\r\nzero");
        talk_expect(&talk, "COPY a c DB 0", ":1");
        talk_expect(&talk, "COPY a a DB 1", "-ERR source and destination objects are the same");
        talk_expect(&talk, "MOVE a 2", ":1");
        talk_expect(&talk, "FLUSHDB", "+OK");
        talk.db = 0;
        talk_expect(&talk, "MGET a b c", "*3\r\n$3\r\none\r\n$3\r\none\r\n$4\r\nzero");
        talk_expect(&talk, "SWAPDB 2 0", "+OK");
        talk_expect(&talk, "KEYS *", "*1\r\n$1\r\na");
        talk_expect(&talk, "SWAPDB 0 0", "+OK");
        talk_expect(&talk, "GET a", "$4\r\nzero");
        talk.db = 2;
        talk_expect(&talk, "DBSIZE", ":3");
        talk_deinit(&talk);
    }
}

static void test_errors_of_the_store_pass_through(void **state)
{
    (void)state;
    static const char *const commands[] = {"RENAME a b", "COPY a b", "MOVE a 1", "SWAPDB 0 1"};
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
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_the_time_to_live_goes_with_it),
        cmocka_unit_test(test_an_expired_key_is_none),
        cmocka_unit_test(test_an_integer),
        cmocka_unit_test(test_a_long_string),
        cmocka_unit_test(test_both_keys_are_missed_together),
        cmocka_unit_test(test_swapdb),
        cmocka_unit_test(test_errors_of_the_store_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
