/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* DUMP and RESTORE: what a client sees. */
#include "doubles/talk.h"
#include "type/dump.h"

/* RESTORE key ttl PAYLOAD options: a payload has any bytes. */
static const char *restore(struct talk *talk, const char *key, const char *ttl,
                           struct bytes payload, const char *options)
{
    static char reply[256];
    struct bytes argv[16] = {BYTES("RESTORE"), bytes_text(key), bytes_text(ttl), payload};
    uint32_t argc = 4;
    while (*options) {
        size_t size = strcspn(options, " ");
        argv[argc++] = bytes_of(options, size);
        options += size + (options[size] == ' ');
    }
    struct bytes heard = talk_say_argv(talk, argv, argc);
    assert_true(heard.size > 2 && heard.size < sizeof(reply));
    memcpy(reply, heard.data, heard.size - 2);
    reply[heard.size - 2] = '\0';
    return reply;
}

static struct bytes dump(struct talk *talk, const char *key, char *out, size_t room)
{
    struct bytes argv[] = {BYTES("DUMP"), bytes_text(key)};
    struct bytes heard = talk_say_argv(talk, argv, 2);
    const char *payload = memchr(heard.data, '\n', heard.size);
    assert_non_null(payload);
    size_t size = heard.size - (size_t)(payload + 1 - heard.data) - 2;
    assert_true(size <= room);
    memcpy(out, payload + 1, size);
    return bytes_of(out, size);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static char room[200000];
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        talk_expect(&talk, "DUMP a", "$-1");
        talk_expect(&talk, "SET a value PX 500", "+OK");
        struct bytes payload = dump(&talk, "a", room, sizeof(room));
        assert_string_equal(restore(&talk, "a", "0", payload, ""),
                            "-BUSYKEY Target key name already exists.");
        assert_string_equal(restore(&talk, "b", "0", payload, ""), "+OK");
        talk_expect(&talk, "GET b", "$5\r\nvalue");
        talk_expect(&talk, "PTTL b", ":-1");
        assert_string_equal(restore(&talk, "b", "700", payload, "replace"), "+OK");
        talk_expect(&talk, "PTTL b", ":700");
        assert_string_equal(restore(&talk, "b", "1000900", payload, "absttl REPLACE"), "+OK");
        talk_expect(&talk, "PTTL b", ":900");
        assert_string_equal(restore(&talk, "b", "0", payload, "ABSTTL REPLACE"), "+OK");
        talk_expect(&talk, "PTTL b", ":-1");
        talk_expect(&talk, "SETRANGE long 100000 end", ":100003");
        payload = dump(&talk, "long", room, sizeof(room));
        assert_string_equal(restore(&talk, "c", "0", payload, ""), "+OK");
        talk_expect(&talk, "STRLEN c", ":100003");
        talk_expect(&talk, "GETRANGE c 100000 -1", "$3\r\nend");
        talk_deinit(&talk);
    }
}

/* A time that is over: there was such a key, for no time. */
static void test_a_time_that_is_over(void **state)
{
    (void)state;
    char room[64];
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "MSET a value b old", "+OK");
    struct bytes payload = dump(&talk, "a", room, sizeof(room));
    assert_string_equal(restore(&talk, "b", "999999", payload, "ABSTTL REPLACE"), "+OK");
    talk_expect(&talk, "EXISTS b", ":0");
    assert_string_equal(restore(&talk, "b", "1000000", payload, "ABSTTL"), "+OK");
    talk_expect(&talk, "EXISTS b", ":0");
    assert_string_equal(restore(&talk, "b", "9223372036854775807", payload, ""),
                        "-ERR invalid expire time in 'restore' command");
    talk_deinit(&talk);
}

/* The first of several errors is Redis's. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *key, *ttl, *payload, *options, *reply;
    } cases[] = {
        {"a", "0", "x", "FOO", "-ERR syntax error"},
        {"a", "0", "x", "IDLETIME", "-ERR syntax error"},
        {"a", "0", "x", "IDLETIME x", "-ERR value is not an integer or out of range"},
        {"a", "0", "x", "IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0"},
        {"a", "0", "x", "FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255"},
        {"a", "0", "x", "FREQ -1", "-ERR Invalid FREQ value, must be >= 0 and <= 255"},
        {"a", "0", "x", "FREQ 1 IDLETIME 1", "-ERR syntax error"},
        {"a", "0", "x", "IDLETIME 1 FREQ 1", "-ERR syntax error"},
        {"a", "x", "x", "", "-BUSYKEY Target key name already exists."},
        {"b", "x", "x", "", "-ERR value is not an integer or out of range"},
        {"a", "-1", "x", "REPLACE", "-ERR Invalid TTL value, must be >= 0"},
        {"b", "0", "", "", "-ERR DUMP payload version or checksum are wrong"},
        {"b", "0", "garbage of some length", "", "-ERR DUMP payload version or checksum are wrong"},
    };
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "SET a 1", "+OK");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(restore(&talk, cases[i].key, cases[i].ttl, bytes_text(cases[i].payload),
                                    cases[i].options),
                            cases[i].reply);
    struct bytes list = BYTES("\x01\x01x\n\0\x19\x06\xdf\xd1\x80\xa6\x63\xd1");
    assert_string_equal(restore(&talk, "b", "0", list, ""),
                        "-ERR DUMP payload version or checksum are wrong");
    talk_expect(&talk, "DBSIZE", ":1");
    talk_deinit(&talk);
}

static void test_what_is_whole_and_no_value(void **state)
{
    (void)state;
    struct talk talk;
    struct arena arena;
    arena_init(&arena);
    talk_init(&talk, false);
    struct dump nothing = {.type = 77};
    assert_string_equal(restore(&talk, "b", "0", dump_encode(&nothing, &arena), ""),
                        "-ERR Bad data format");
    arena_deinit(&arena);
    talk_deinit(&talk);
}

static void test_access(void **state)
{
    (void)state;
    char room[64];
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "SET a value", "+OK");
    struct bytes payload = dump(&talk, "a", room, sizeof(room));
    assert_string_equal(restore(&talk, "b", "0", payload, "IDLETIME 1000"), "+OK");
    talk_expect(&talk, "OBJECT IDLETIME b", ":1000");
    talk.store.counts = true;
    assert_string_equal(restore(&talk, "b", "0", payload, "FREQ 100 REPLACE"), "+OK");
    talk_expect(&talk, "OBJECT FREQ b", ":100");
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_a_time_that_is_over),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_what_is_whole_and_no_value),
        cmocka_unit_test(test_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
