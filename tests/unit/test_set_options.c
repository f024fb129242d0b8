/* SPDX-License-Identifier: MIT */
/*
 * Comparing before setting and deleting, as Redis 8.4 does. The redis-server that conversations are
 * held with knows nothing of it.
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

#define SYNTAX        "-ERR syntax error"
#define WRONG_TYPE    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define NO_DIGEST     "-ERR digest must be exactly 16 hexadecimal characters"
#define NO_STRING     "-ERR Key should be of string type if conditions are specified"
#define NO_CONDITION  "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"
#define DIGEST_OF_ABC "78af5f94892f3950" /* XXH3, as its authors' program has it */
#define DIGEST_OF_NIL "2d06800538d394c2"

static void test_set_if_equal(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1 IFEQ 1", "$-1"},
        {"EXISTS a", ":0"},
        {"SET a 1 IFEQ ''", "$-1"},
        {"SET a 1", "+OK"},
        {"SET a 2 IFEQ 2", "$-1"},
        {"SET a 2 IFEQ 11", "$-1"},
        {"GET a", "$1\r\n1"},
        {"SET a 2 ifeq 1", "+OK"},
        {"GET a", "$1\r\n2"},
        {"SET a 3 IFEQ 1 GET", "$1\r\n2"},
        {"GET a", "$1\r\n2"},
        {"SET a 3 GET IFEQ 2 EX 10", "$1\r\n2"},
        {"GET a", "$1\r\n3"},
        {"PTTL a", ":10000"},
        {"SET a 4 IFEQ 3 KEEPTTL", "+OK"},
        {"PTTL a", ":10000"},
        {"SET a 5 IFEQ x KEEPTTL", "$-1"},
        {"PTTL a", ":10000"},
        {"SET b 1 IFEQ 1 GET", "$-1"},
        {"EXISTS b", ":0"},
        {"SET a ifeq IFEQ 4", "+OK"},
        {"SET a 10 IFEQ ifeq", "+OK"},
        {"INCR a", ":11"},
        {"SET a 0 IFEQ 10", "$-1"},
        {"SET a 0 IFEQ 11", "+OK"},
        {"INCRBYFLOAT a 0.5", "$3\r\n0.5"},
        {"SET a 0 IFEQ 0.5", "+OK"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_set_if_not_equal(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1 IFNE 1", "+OK"},
        {"SET a 2 IFNE 1", "$-1"},
        {"SET a 2 IFNE 2", "+OK"},
        {"GET a", "$1\r\n2"},
        {"SET a 3 IFNE 2 GET", "$1\r\n2"},
        {"GET a", "$1\r\n2"},
        {"SET b 3 IFNE 2 GET", "$-1"},
        {"GET b", "$1\r\n3"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_by_digest(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"DIGEST a", "$-1"},
        {"SET a x IFDEQ " DIGEST_OF_NIL, "$-1"},
        {"EXISTS a", ":0"},
        {"SET a abc IFDNE " DIGEST_OF_NIL, "+OK"},
        {"DIGEST a", "$16\r\n" DIGEST_OF_ABC},
        {"SET a x IFDNE " DIGEST_OF_ABC, "$-1"},
        {"SET a x IFDEQ 78AF5F94892F3951", "$-1"},
        {"SET a '' IFDEQ 78AF5F94892F3950", "+OK"},
        {"DIGEST a", "$16\r\n" DIGEST_OF_NIL},
        {"SET a x IFDNE " DIGEST_OF_ABC " GET", "$0\r\n"},
        {"GET a", "$1\r\nx"},
        {"SET a x IFDEQ 78af5f94892f395", NO_DIGEST},
        {"SET a x IFDEQ 078af5f94892f3950", NO_DIGEST},
        {"SET a x IFDEQ 78af5f94892f395g", "$-1"}, /* of the right length: equals none */
        {"SET a x IFDNE ''", NO_DIGEST},
        {"DELEX nosuch IFDEQ x", ":0"},
        {"DELEX nosuch NX x", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_one_condition_only(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1 IFEQ", SYNTAX},
        {"SET a 1 IFEQ 1 NX", SYNTAX},
        {"SET a 1 NX IFEQ 1", SYNTAX},
        {"SET a 1 XX IFNE 1", SYNTAX},
        {"SET a 1 IFEQ 1 IFNE 1", SYNTAX},
        {"SET a 1 IFEQ 1 IFEQ 1", SYNTAX},
        {"SET a 1 IFDEQ " DIGEST_OF_ABC " IFDNE " DIGEST_OF_ABC, SYNTAX},
        {"SET a 1 IFDEQ x nonsense", SYNTAX},
        {"GETEX a IFEQ 1", SYNTAX},
        {"MSETEX 1 a 1 IFEQ 1", SYNTAX},
        {"EXISTS a", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_delex(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"DELEX a", ":0"},
        {"DELEX a IFEQ 1", ":0"},
        {"DELEX a IFNE 1", ":0"},
        {"DELEX a IFDNE " DIGEST_OF_ABC, ":0"},
        {"SET a 1", "+OK"},
        {"DELEX a", ":1"},
        {"EXISTS a", ":0"},
        {"SET a abc", "+OK"},
        {"DELEX a IFEQ ab", ":0"},
        {"DELEX a IFNE abc", ":0"},
        {"DELEX a IFDEQ " DIGEST_OF_NIL, ":0"},
        {"DELEX a IFDNE " DIGEST_OF_ABC, ":0"},
        {"EXISTS a", ":1"},
        {"DELEX a ifeq abc", ":1"},
        {"SET a abc", "+OK"},
        {"DELEX a IFNE x", ":1"},
        {"SET a abc", "+OK"},
        {"DELEX a IFDEQ " DIGEST_OF_ABC, ":1"},
        {"SET a abc", "+OK"},
        {"DELEX a IFDNE " DIGEST_OF_NIL, ":1"},
        {"EXISTS a", ":0"},
        {"SET a abc", "+OK"},
        {"DELEX a NX 1", NO_CONDITION},
        {"DELEX a IFDEQ x", NO_DIGEST},
        {"DELEX a IFEQ", "-ERR wrong number of arguments for 'delex' command"},
        {"DELEX a IFEQ 1 2", "-ERR wrong number of arguments for 'delex' command"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

/* What has expired is absent. */
static void test_expired(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    talk_expect(&talk, "SET a 1 PX 10", "+OK");
    talk_expect(&talk, "SET b 1 PX 10", "+OK");
    talk.now_ms += 11;
    talk_expect(&talk, "SET a 2 IFEQ 1", "$-1");
    talk_expect(&talk, "DELEX a IFEQ 1", ":0");
    talk_expect(&talk, "DIGEST a", "$-1");
    talk_expect(&talk, "SET b 2 IFNE 1", "+OK");
    talk_expect(&talk, "PTTL b", ":-1");
    talk_deinit(&talk);
}

/* Another type is compared with nothing, and deleted without a condition. */
static void test_other_types(void **state)
{
    (void)state;
    static const char *const comparing[] = {"SET a 1 IFEQ 1", "SET a 1 IFNE 1",
                                            "SET a 1 IFDEQ " DIGEST_OF_ABC,
                                            "SET a 1 IFDNE " DIGEST_OF_ABC, "DIGEST a"};
    struct talk talk;
    talk_init(&talk, false);
    struct bytes name = row_key_head(&talk.arena, 0, BYTES("a"));
    struct dot dot = {actor_of(1, 1), 5};
    struct bytes row =
        row_encode_common(&talk.arena, dot, VALUE_CHUNK, BYTES("no string"), EXPIRY_NEVER);
    fake_store_put(&talk.store, name, row);
    for (size_t i = 0; i < sizeof(comparing) / sizeof(comparing[0]); i++)
        talk_expect(&talk, comparing[i], WRONG_TYPE);
    talk_expect(&talk, "DELEX a IFEQ 1", NO_STRING);
    talk_expect(&talk, "DELEX a NX 1", NO_STRING);
    talk_expect(&talk, "DELEX a", ":1");
    talk_deinit(&talk);
}

/* Of a long one only the length is read, where that says enough. */
static void test_long_values(void **state)
{
    (void)state;
    enum { SIZE = 100 * 1000 };
    struct talk talk;
    char *text = memory_alloc(SIZE + 1);
    memset(text, 'x', SIZE + 1);
    talk_init(&talk, true);
    struct bytes set[] = {BYTES("SET"), BYTES("a"), bytes_of(text, SIZE)};
    assert_true(bytes_equal(talk_say_argv(&talk, set, 3), BYTES("+OK\r\n")));
    struct bytes compare[] = {BYTES("SET"), BYTES("a"), BYTES("1"), BYTES("IFEQ"),
                              bytes_of(text, SIZE + 1)};
    assert_true(bytes_equal(talk_say_argv(&talk, compare, 5), BYTES("$-1\r\n")));
    assert_int_equal(talk.runs, 2); /* the head was missed, its chunks were not asked for */
    compare[4].size = SIZE;
    text[SIZE - 1] = 'y';
    assert_true(bytes_equal(talk_say_argv(&talk, compare, 5), BYTES("$-1\r\n")));
    text[SIZE - 1] = 'x';
    assert_true(bytes_equal(talk_say_argv(&talk, compare, 5), BYTES("+OK\r\n")));
    talk_expect(&talk, "GET a", "$1\r\n1");
    memory_free(text);
    talk_deinit(&talk);
}

static void test_msetex(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"MSETEX 2 a 1 b 2", ":1"},
        {"MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2"},
        {"PTTL a", ":-1"},
        {"MSETEX 2 a 3 c 4 NX", ":0"},
        {"MSETEX 2 c 3 a 4 NX", ":0"},
        {"EXISTS c", ":0"},
        {"MSETEX 2 a 3 c 4 XX", ":0"},
        {"MSETEX 2 c 3 a 4 XX", ":0"},
        {"MGET a c", "*2\r\n$1\r\n1\r\n$-1"},
        {"MSETEX 2 a 3 b 4 xx ex 10", ":1"},
        {"MGET a b", "*2\r\n$1\r\n3\r\n$1\r\n4"},
        {"PTTL a", ":10000"},
        {"MSETEX 1 a 5 KEEPTTL", ":1"},
        {"PTTL a", ":10000"},
        {"MSETEX 2 a 5 d 6 KEEPTTL", ":1"},
        {"PTTL a", ":10000"},
        {"PTTL d", ":-1"},
        {"MSETEX 1 a 5", ":1"},
        {"PTTL a", ":-1"},
        {"MSETEX 2 e 1 f 2 PX 500 NX", ":1"},
        {"PTTL f", ":500"},
        {"MSETEX 2 g 1 g 2 NX", ":1"},
        {"GET g", "$1\r\n2"},
        {"MSETEX 1 a 5 PXAT 2000000", ":1"},
        {"PTTL a", ":1000000"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_msetex_refusals(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"MSETEX 0 a 1", "-ERR invalid numkeys value"},
        {"MSETEX -1 a 1", "-ERR invalid numkeys value"},
        {"MSETEX x a 1", "-ERR invalid numkeys value"},
        {"MSETEX 2147483648 a 1", "-ERR invalid numkeys value"},
        {"MSETEX 9223372036854775808 a 1", "-ERR invalid numkeys value"},
        {"MSETEX 2 a 1", "-ERR wrong number of key-value pairs"},
        {"MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs"},
        {"MSETEX 2147483647 a 1", "-ERR wrong number of key-value pairs"},
        {"MSETEX 1 a 1 b 2", SYNTAX},
        {"MSETEX 1 a 1 NX XX", SYNTAX},
        {"MSETEX 1 a 1 GET", SYNTAX},
        {"MSETEX 1 a 1 PERSIST", SYNTAX},
        {"MSETEX 1 a 1 EX", SYNTAX},
        {"MSETEX 1 a 1 EX 1 KEEPTTL", SYNTAX},
        {"MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command"},
        {"MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range"},
        {"EXISTS a", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_if_equal), cmocka_unit_test(test_set_if_not_equal),
        cmocka_unit_test(test_by_digest),    cmocka_unit_test(test_one_condition_only),
        cmocka_unit_test(test_delex),        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_other_types),  cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_msetex),       cmocka_unit_test(test_msetex_refusals),
    };
    return cmocka_run_group_tests_name("set_options", tests, NULL, NULL);
}
