/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/talk.h"

#define NOT_INTEGER       "-ERR value is not an integer or out of range"
#define BAD_TIME(command) "-ERR invalid expire time in '" command "' command"

static void test_expire_and_ttl(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"TTL a", ":-2"},
        {"PTTL a", ":-2"},
        {"EXPIRETIME a", ":-2"},
        {"PEXPIRETIME a", ":-2"},
        {"EXPIRE a 10", ":0"},
        {"SET a 1", "+OK"},
        {"TTL a", ":-1"},
        {"PTTL a", ":-1"},
        {"EXPIRETIME a", ":-1"},
        {"PEXPIRETIME a", ":-1"},
        {"EXPIRE a 10", ":1"},
        {"PTTL a", ":10000"},
        {"GET a", "$1\r\n1"},
        {"PEXPIRE a 1499", ":1"},
        {"TTL a", ":1"},
        {"PEXPIRE a 1500", ":1"},
        {"TTL a", ":2"},
        {"PTTL a", ":1500"},
        {"PEXPIRE a 499", ":1"},
        {"TTL a", ":0"},
        {"PERSIST a", ":1"},
        {"PERSIST a", ":0"},
        {"PERSIST none", ":0"},
        {"TTL a", ":-1"},
        {"SET a 2 EX 5", "+OK"},
        {"PERSIST a", ":1"},
        {"TTL a", ":-1"},
        {"GET a", "$1\r\n2"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

/* The clock stands at TALK_START_MS: 1000 s. */
static void test_absolute_times(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1", "+OK"},
        {"EXPIREAT a 1020", ":1"},
        {"TTL a", ":20"},
        {"EXPIRETIME a", ":1020"},
        {"PEXPIREAT a 1020499", ":1"},
        {"EXPIRETIME a", ":1020"},
        {"PEXPIRETIME a", ":1020499"},
        {"PEXPIREAT a 1020500", ":1"},
        {"EXPIRETIME a", ":1021"},
        {"EXPIREAT a 1000", ":1"},
        {"EXISTS a", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_past_deletes(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"MSET a 1 b 1 c 1 d 1 e 1", "+OK"},
        {"EXPIRE a 0", ":1"},
        {"EXPIRE b -1", ":1"},
        {"PEXPIRE c -9223372036854775808", ":1"},
        {"EXPIREAT d 0", ":1"},
        {"PEXPIREAT e -9223372036854775808", ":1"},
        {"EXISTS a b c d e", ":0"},
        {"EXPIRE a 10", ":0"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1", "+OK"},
        {"EXPIRE a 10 XX", ":0"},
        {"EXPIRE a 10 GT", ":0"},
        {"EXPIRE a 10 NX", ":1"},
        {"EXPIRE a 20 nx", ":0"},
        {"EXPIRE a 20 xx", ":1"},
        {"EXPIRE a 10 gt", ":0"},
        {"EXPIRE a 20 GT", ":0"},
        {"EXPIRE a 30 GT", ":1"},
        {"EXPIRE a 30 LT", ":0"},
        {"EXPIRE a 40 LT", ":0"},
        {"EXPIRE a 20 LT", ":1"},
        {"EXPIRE a 30 XX GT", ":1"},
        {"EXPIRE a 30 XX XX GT", ":0"},
        {"TTL a", ":30"},
        {"PERSIST a", ":1"},
        {"EXPIRE a 30 XX LT", ":0"},
        {"EXPIRE a -1 GT", ":0"},
        {"EXPIRE a -1 LT", ":1"},
        {"EXISTS a", ":0"},
        {"SET a 1 PXAT 9223372036854775807", "+OK"},
        {"PEXPIREAT a 9223372036854775807 GT", ":0"},
        {"PEXPIREAT a 9223372036854775806 LT", ":1"},
        {"PEXPIREAT a 9223372036854775807 GT", ":1"},
        {"PEXPIRETIME a", ":9223372036854775807"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 1", "+OK"},
        {"EXPIRE a 1 FOO", "-ERR Unsupported option FOO"},
        {"EXPIRE a 1 NX FOO", "-ERR Unsupported option FOO"},
        {"EXPIRE a x NX FOO", "-ERR Unsupported option FOO"},
        {"EXPIRE a 1 NX XX",
         "-ERR NX and XX, GT or LT options at the same time are not compatible"},
        {"EXPIRE a x NX GT",
         "-ERR NX and XX, GT or LT options at the same time are not compatible"},
        {"EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible"},
        {"EXPIRE a 1 GT XX LT", "-ERR GT and LT options at the same time are not compatible"},
        {"EXPIRE a x", NOT_INTEGER},
        {"EXPIRE a ''", NOT_INTEGER},
        {"EXPIRE a 1.0", NOT_INTEGER},
        {"EXPIRE a 9223372036854775808", NOT_INTEGER},
        {"EXPIRE a 9223372036854775807", BAD_TIME("expire")},
        {"EXPIRE a 9223372036854775", BAD_TIME("expire")},
        {"EXPIRE a -9223372036854775808", BAD_TIME("expire")},
        {"EXPIRE none 9223372036854775807", BAD_TIME("expire")},
        {"PEXPIRE a 9223372036854775807", BAD_TIME("pexpire")},
        {"EXPIREAT a 9223372036854775807", BAD_TIME("expireat")},
        {"EXPIREAT a -9223372036854775", ":1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_time_passes(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "SET a 1", "+OK");
        talk_expect(&talk, "PEXPIRE a 1000", ":1");
        talk.now_ms += 1000; /* the last millisecond counts, as in Redis */
        talk_expect(&talk, "PTTL a", ":0");
        talk_expect(&talk, "EXISTS a", ":1");
        talk.now_ms += 1;
        talk_expect(&talk, "PTTL a", ":-2");
        talk_expect(&talk, "EXISTS a", ":0");
        talk_expect(&talk, "TYPE a", "+none");
        talk_expect(&talk, "PERSIST a", ":0");
        talk_expect(&talk, "EXPIRE a 10", ":0");
        talk_expect(&talk, "DEL a", ":0");
        talk_expect(&talk, "GET a", "$-1");
        talk_deinit(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expire_and_ttl), cmocka_unit_test(test_absolute_times),
        cmocka_unit_test(test_past_deletes),   cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_time_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
