/* SPDX-License-Identifier: MIT */
/*
 * Each conversation is held twice: with all rows in memory, and with each row missed first. The
 * replies are Redis's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/talk.h"
#include "row/row.h"
#include "store/store.h"

#define NOT_INTEGER       "-ERR value is not an integer or out of range"
#define SYNTAX            "-ERR syntax error"
#define TOO_LONG          "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
#define BAD_TIME(command) "-ERR invalid expire time in '" command "' command"

static void test_set_and_get(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"GET a", "$-1"},
        {"SET a 1", "+OK"},
        {"GET a", "$1\r\n1"},
        {"SET a 2 nx", "$-1"},
        {"SET b 2 NX", "+OK"},
        {"SET c 3 XX", "$-1"},
        {"SET b 3 xx", "+OK"},
        {"GET b", "$1\r\n3"},
        {"SET b 4 GET", "$1\r\n3"},
        {"SET b 5 NX GET", "$1\r\n4"},
        {"GET b", "$1\r\n4"},
        {"SET d 5 NX GET", "$-1"},
        {"GET d", "$1\r\n5"},
        {"SET e 5 XX GET", "$-1"},
        {"GET e", "$-1"},
        {"SET e '' get GET", "$-1"},
        {"GET e", "$0\r\n"},
        {"SET a b NX XX", SYNTAX},
        {"SET a b NX NX", "$-1"},
        {"SET a b PERSIST", SYNTAX},
        {"SET a b nonsense", SYNTAX},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_set_with_expiry(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1 EX 10", "+OK"},
        {"PTTL a", ":10000"},
        {"SET a 1 KEEPTTL", "+OK"},
        {"PTTL a", ":10000"},
        {"SET a 1 GET KEEPTTL XX", "$1\r\n1"},
        {"PTTL a", ":10000"},
        {"SET a 1", "+OK"},
        {"PTTL a", ":-1"},
        {"SET a 1 px 1500", "+OK"},
        {"PTTL a", ":1500"},
        {"SET a 1 PXAT 9223372036854775807", "+OK"},
        {"PEXPIRETIME a", ":9223372036854775807"},
        {"SET a 1 EXAT 2000000", "+OK"},
        {"EXPIRETIME a", ":2000000"},
        {"SET a b EX 10 EX 20", "+OK"},
        {"PTTL a", ":20000"},
        {"SET a b EX 10 PX 20", SYNTAX},
        {"SET a b EX", SYNTAX},
        {"SET a b EX 10 KEEPTTL", SYNTAX},
        {"SET a b KEEPTTL EX 10", SYNTAX},
        {"SET a b EX x", NOT_INTEGER},
        {"SET a b EX x NX XX", SYNTAX},
        {"SET a b EX 1.5", NOT_INTEGER},
        {"SET a b EX ''", NOT_INTEGER},
        {"SET a b EX 0x10", NOT_INTEGER},
        {"SET a b EX 99999999999999999999", NOT_INTEGER},
        {"SET a b EX 0", BAD_TIME("set")},
        {"SET a b PX -1", BAD_TIME("set")},
        {"SET a b PXAT -9223372036854775808", BAD_TIME("set")},
        {"SET a b EXAT 0", BAD_TIME("set")},
        {"SET a b EX 9223372036854775807", BAD_TIME("set")},
        {"SET a b EXAT 9223372036854775807", BAD_TIME("set")},
        {"SET a b PX 9223372036854775807", BAD_TIME("set")},
        {"SETEX a 100 c", "+OK"},
        {"TTL a", ":100"},
        {"SETEX a 0 c", BAD_TIME("setex")},
        {"SETEX a x c", NOT_INTEGER},
        {"PSETEX a 100 c", "+OK"},
        {"PTTL a", ":100"},
        {"PSETEX a -1 c", BAD_TIME("psetex")},
        {"SET a gone PXAT 1", "+OK"}, /* sets what has expired already */
        {"GET a", "$-1"},
        {"SET a back KEEPTTL", "+OK"},
        {"PTTL a", ":-1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_relatives_of_set_and_get(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SETNX a 1", ":1"},
        {"SETNX a 2", ":0"},
        {"GETSET a 3", "$1\r\n1"},
        {"GETSET b 3", "$-1"},
        {"GETDEL b", "$1\r\n3"},
        {"GETDEL b", "$-1"},
        {"EXISTS b", ":0"},
        {"GETEX b EX 0", "$-1"},
        {"GETEX a", "$1\r\n3"},
        {"GETEX a EX 10", "$1\r\n3"},
        {"TTL a", ":10"},
        {"GETEX a", "$1\r\n3"},
        {"TTL a", ":10"},
        {"GETEX a PERSIST", "$1\r\n3"},
        {"TTL a", ":-1"},
        {"GETEX a PERSIST", "$1\r\n3"},
        {"GETEX a PXAT 5000000", "$1\r\n3"},
        {"PEXPIRETIME a", ":5000000"},
        {"GETEX a EX 0", BAD_TIME("getex")},
        {"GETEX a PERSIST EX 10", SYNTAX},
        {"GETEX a EX 10 PERSIST", SYNTAX},
        {"GETEX a KEEPTTL", SYNTAX},
        {"GETEX a NX", SYNTAX},
        {"GETEX a GET", SYNTAX},
        {"GETEX a EXAT 1", "$1\r\n3"},
        {"EXISTS a", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_many_at_once(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"MSET a 1 b 2 a 3", "+OK"},
        {"MGET a b c a", "*4\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3"},
        {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"},
        {"MSETNX c 1 a 1", ":0"},
        {"EXISTS c", ":0"},
        {"MSETNX c 1 d 1 c 2", ":1"},
        {"MGET c d", "*2\r\n$1\r\n2\r\n$1\r\n1"},
        {"MSETNX c 1 d", "-ERR wrong number of arguments for 'msetnx' command"},
        {"SET a 1 PX 5", "+OK"},
        {"MSET a 2", "+OK"},
        {"TTL a", ":-1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_parts(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"STRLEN a", ":0"},
        {"APPEND a ''", ":0"},
        {"EXISTS a", ":1"},
        {"APPEND a Hello", ":5"},
        {"APPEND a World", ":10"},
        {"STRLEN a", ":10"},
        {"GETRANGE a 0 -1", "$10\r\nHelloWorld"},
        {"GETRANGE a 3 5", "$3\r\nloW"},
        {"GETRANGE a -3 -1", "$3\r\nrld"},
        {"GETRANGE a -1 -3", "$0\r\n"},
        {"GETRANGE a 5 3", "$0\r\n"},
        {"GETRANGE a 9 100", "$1\r\nd"},
        {"GETRANGE a 10 100", "$0\r\n"},
        {"GETRANGE a -100 1", "$2\r\nHe"},
        {"GETRANGE a -100 -99", "$1\r\nH"},
        {"GETRANGE a -9223372036854775808 9223372036854775807", "$10\r\nHelloWorld"},
        {"GETRANGE none 0 -1", "$0\r\n"},
        {"GETRANGE a x 1", NOT_INTEGER},
        {"GETRANGE a 1 9223372036854775808", NOT_INTEGER},
        {"SUBSTR a 0 1", "$2\r\nHe"},
        {"SETRANGE a 5 -", ":10"},
        {"GET a", "$10\r\nHello-orld"},
        {"SETRANGE a 9 xyz", ":12"},
        {"GET a", "$12\r\nHello-orlxyz"},
        {"SETRANGE a 1 ''", ":12"},
        {"SETRANGE none 1 ''", ":0"},
        {"EXISTS none", ":0"},
        {"SETRANGE none 536870912 ''", ":0"},
        {"SETRANGE a -1 x", "-ERR offset is out of range"},
        {"SETRANGE a x x", NOT_INTEGER},
        {"SETRANGE a 536870912 x", TOO_LONG},
        {"SETRANGE a 9223372036854775807 x", TOO_LONG},
        {"SETRANGE none 536870911 xx", TOO_LONG},
        {"SET a abc EX 10", "+OK"},
        {"APPEND a d", ":4"},
        {"SETRANGE a 0 A", ":4"},
        {"TTL a", ":10"},
        {"GET a", "$4\r\nAbcd"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_setrange_fills_with_zeros(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "SETRANGE a 3 x", ":4");
    struct bytes get[] = {BYTES("GET"), BYTES("a")};
    assert_true(bytes_equal(talk_say_argv(&talk, get, 2), BYTES("$4\r\n\0\0\0x\r\n")));
    talk_deinit(&talk);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"INCR a", ":1"},
        {"INCRBY a 41", ":42"},
        {"GET a", "$2\r\n42"},
        {"STRLEN a", ":2"},
        {"DECR a", ":41"},
        {"DECRBY a 50", ":-9"},
        {"GETRANGE a 0 0", "$1\r\n-"},
        {"APPEND a 0", ":3"},
        {"INCR a", ":-89"},
        {"SET a 10", "+OK"},
        {"INCR a", ":11"},
        {"INCRBY a -11", ":0"},
        {"GET a", "$1\r\n0"},
        {"INCRBY a 0", ":0"},
        {"SET a 9223372036854775806", "+OK"},
        {"INCR a", ":9223372036854775807"},
        {"INCR a", "-ERR increment or decrement would overflow"},
        {"GET a", "$19\r\n9223372036854775807"},
        {"SET a -9223372036854775808", "+OK"},
        {"DECR a", "-ERR increment or decrement would overflow"},
        {"INCRBY a -1", "-ERR increment or decrement would overflow"},
        {"DECRBY a -9223372036854775808", "-ERR decrement would overflow"},
        {"DECRBY a -9223372036854775807", ":-1"},
        {"INCRBY a x", NOT_INTEGER},
        {"INCRBY a 1e3", NOT_INTEGER},
        {"INCRBY a 9223372036854775808", NOT_INTEGER},
        {"SET a x", "+OK"},
        {"INCR a", NOT_INTEGER},
        {"SET a ''", "+OK"},
        {"INCR a", NOT_INTEGER},
        {"SET a 01", "+OK"},
        {"INCR a", NOT_INTEGER},
        {"SET a 9223372036854775808", "+OK"},
        {"INCR a", NOT_INTEGER},
        {"SET b 5 EX 10", "+OK"},
        {"INCR b", ":6"},
        {"TTL b", ":10"},
        {"DEL b", ":1"},
        {"INCR b", ":1"},
        {"TTL b", ":-1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_expired_is_absent(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "MSET c 41 d 41 e 41 f 41", "+OK");
        const char *expire[] = {"SET a old PX 10", "SET b 41 PX 10", "PEXPIRE c 10",
                                "PEXPIRE d 10",    "PEXPIRE e 10",   "PEXPIRE f 10"};
        for (size_t i = 0; i < sizeof(expire) / sizeof(expire[0]); i++)
            (void)talk_say(&talk, expire[i]);
        talk.now_ms += 10;
        talk_expect(&talk, "GET a", "$3\r\nold");
        talk.now_ms += 1;
        static const struct talk_exchange exchanges[] = {
            {"MGET a b c", "*3\r\n$-1\r\n$-1\r\n$-1"},
            {"INCR b", ":1"},
            {"TTL b", ":-1"},
            {"INCR c", ":1"},
            {"GET c", "$1\r\n1"},
            {"TTL c", ":-1"},
            {"APPEND d new", ":3"},
            {"TTL d", ":-1"},
            {"SET e new KEEPTTL", "+OK"},
            {"TTL e", ":-1"},
            {"SETNX f new", ":1"},
            {"INCR f", NOT_INTEGER},
            {"STRLEN a", ":0"},
            {"GETDEL a", "$-1"},
            {NULL, NULL},
        };
        talk_hold(&talk, exchanges);
        talk_deinit(&talk);
    }
}

/* A row of another type, as nothing makes one yet. */
static void put_other_type(struct talk *talk, const char *key)
{
    struct dot dot = {actor_of(9, 1), 1};
    struct bytes name = row_key_head(&talk->arena, 0, bytes_text(key));
    fake_store_put(&talk->store, name,
                   row_encode_common(&talk->arena, dot, VALUE_CHUNK, BYTES("other"), EXPIRY_NEVER));
}

#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value"

static void test_other_types(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"GET other", WRONG_TYPE},
        {"STRLEN other", WRONG_TYPE},
        {"APPEND other x", WRONG_TYPE},
        {"SETRANGE other 0 x", WRONG_TYPE},
        {"SETRANGE other 0 ''", WRONG_TYPE},
        {"GETRANGE other 0 1", WRONG_TYPE},
        {"INCR other", WRONG_TYPE},
        {"GETSET other x", WRONG_TYPE},
        {"GETDEL other", WRONG_TYPE},
        {"GETEX other EX 0", WRONG_TYPE},
        {"SET other x GET", WRONG_TYPE},
        {"SET other x NX GET", WRONG_TYPE},
        {"SETNX other x", ":0"},
        {"MGET other", "*1\r\n$-1"},
        {"SET other x", "+OK"},
        {"GET other", "$1\r\nx"},
        {NULL, NULL},
    };
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        put_other_type(&talk, "other");
        talk_hold(&talk, exchanges);
        talk_deinit(&talk);
    }
}

static void test_misses_are_fetched_together(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "MSET a 1 b 2 c 3 d 4", "+OK");
    assert_int_equal(talk.runs, 2);
    (void)talk_say(&talk, "MGET a b c d e f");
    assert_int_equal(talk.runs, 2);
    talk_expect(&talk, "MSETNX e 1 f 1 a 1", ":0");
    assert_int_equal(talk.runs, 2);
    talk_expect(&talk, "DEL a b c d", ":4");
    assert_int_equal(talk.runs, 2);
    talk_deinit(&talk);
}

/* A value of any size goes through the commands as it is: in the head row, and in chunks. */
static void test_long_values(void **state)
{
    (void)state;
    enum { SIZE = 100 * 1000, TEXT = SIZE + 32 };
    char *value = memory_alloc(SIZE);
    char *expected = memory_alloc(TEXT);
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (char)(i * 7 + i / 4096);
    struct talk talk;
    talk_init(&talk, true);
    struct bytes set[] = {BYTES("SET"), BYTES("long"), bytes_of(value, SIZE)};
    struct bytes get[] = {BYTES("GET"), BYTES("long")};
    assert_true(bytes_equal(talk_say_argv(&talk, set, 3), BYTES("+OK\r\n")));
    talk_expect(&talk, "APPEND long !", ":100001");
    talk_expect(&talk, "INCR long", NOT_INTEGER);
    talk_expect(&talk, "STRLEN long", ":100001");
    talk_expect(&talk, "SETRANGE long 4095 ab", ":100001");
    talk_expect(&talk, "GETRANGE long 4095 4096", "$2\r\nab");
    memcpy(value + 4095, "ab", 2);
    int head = snprintf(expected, TEXT, "$%d\r\n", SIZE + 1);
    memcpy(expected + head, value, SIZE);
    memcpy(expected + head + SIZE, "!\r\n", 3);
    struct bytes whole = bytes_of(expected, (size_t)head + SIZE + 3);
    assert_true(bytes_equal(talk_say_argv(&talk, get, 2), whole));
    assert_int_equal(talk.runs, 3); /* the head, then all chunks together */
    talk_expect(&talk, "TYPE long", "+string");
    talk_expect(&talk, "SET long short", "+OK");
    talk_expect(&talk, "GET long", "$5\r\nshort");
    talk_deinit(&talk);
    memory_free(value);
    memory_free(expected);
}

static void test_keys_too_long(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    char *key = memory_zeroed(KEY_SIZE_MAX + 1);
    struct bytes error = BYTES("-ERR key is too long (at most 524288 bytes)\r\n");
    struct bytes argv[] = {BYTES("MGET"), BYTES("a"), bytes_of(key, KEY_SIZE_MAX + 1)};
    assert_true(bytes_equal(talk_say_argv(&talk, argv, 3), error));
    argv[0] = BYTES("DEL");
    assert_true(bytes_equal(talk_say_argv(&talk, argv, 3), error));
    struct bytes set[] = {BYTES("SET"), bytes_of(key, KEY_SIZE_MAX + 1), BYTES("x")};
    assert_true(bytes_equal(talk_say_argv(&talk, set, 3), error));
    set[1].size = KEY_SIZE_MAX;
    assert_true(bytes_equal(talk_say_argv(&talk, set, 3), BYTES("+OK\r\n")));
    memory_free(key);
    talk_deinit(&talk);
}

/* Each key once, and none where there is only one: of that the pipeline has told. */
static void test_many_keys_are_looked_ahead_at(void **state)
{
    (void)state;
    enum { MANY = 50 };
    static const struct {
        const char *name;
        uint32_t values, before; /* for each key; words before the first */
    } commands[] = {
        {"MGET", 0, 0}, {"EXISTS", 0, 0}, {"DEL", 0, 0}, {"MSET", 1, 0}, {"MSETEX", 1, 1}};
    uint64_t expected = 0;
    struct bytes argv[2 * MANY + 2];
    struct talk talk;
    talk_init(&talk, false);
    talk.store.expected = &expected;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        for (uint32_t count = 1; count <= MANY; count++) {
            char numkeys[8];
            uint32_t argc = 0;
            argv[argc++] = bytes_text(commands[i].name);
            snprintf(numkeys, sizeof(numkeys), "%u", count);
            if (commands[i].before)
                argv[argc++] = bytes_text(numkeys);
            for (uint32_t k = 0; k < count * (1 + commands[i].values); k++)
                argv[argc++] = BYTES("k");
            expected = 0;
            talk_say_argv(&talk, argv, argc);
            /* The last one alone is not worth it. */
            assert_int_equal(expected, count % STORE_EXPECTED_MAX == 1 ? count - 1 : count);
        }
    }
    talk_deinit(&talk);
}

static void test_errors_of_the_store_pass_through(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "GET a",          "SET a 1",    "MGET a b",       "MSET a 1", "MSETNX a 1",
        "INCR a",         "APPEND a x", "SETRANGE a 1 x", "STRLEN a", "GETEX a EX 1",
        "GETRANGE a 0 1", "GETDEL a",   "SETNX a 1"};
    struct talk talk;
    talk_init(&talk, false);
    talk.store.fails = STATUS_IO;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        talk_expect(&talk, commands[i], "-ERR the disk reported an error");
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_get),
        cmocka_unit_test(test_set_with_expiry),
        cmocka_unit_test(test_relatives_of_set_and_get),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_setrange_fills_with_zeros),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_expired_is_absent),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_misses_are_fetched_together),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_keys_too_long),
        cmocka_unit_test(test_many_keys_are_looked_ahead_at),
        cmocka_unit_test(test_errors_of_the_store_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
