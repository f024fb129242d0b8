/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* OBJECT, and what counts as an access. */
#include "doubles/talk.h"

#define NOTE                                                                                       \
    " Please note that when switching between policies at runtime LRU and LFU data will take "     \
    "some time to adjust."

static void test_of_no_key(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"OBJECT ENCODING a", "$-1"},
        {"OBJECT FREQ a", "$-1"},
        {"OBJECT IDLETIME a", "$-1"},
        {"OBJECT REFCOUNT a", "$-1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_of_strings(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 12", "+OK"},
        {"OBJECT ENCODING a", "$3\r\nint"},
        {"INCR a", ":13"},
        {"OBJECT ENCODING a", "$3\r\nint"},
        {"SET a text", "+OK"},
        {"OBJECT encoding a", "$6\r\nembstr"},
        {"SETRANGE a 60 x", ":61"},
        {"OBJECT ENCODING a", "$3\r\nraw"},
        {"SETRANGE a 60000 x", ":60001"},
        {"OBJECT ENCODING a", "$3\r\nraw"},
        {"OBJECT REFCOUNT a", ":1"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

/* What tells of a key does not touch it; what reads or writes it does. */
static void test_what_touches(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool touches, in_no_touch_mode;
    } cases[] = {
        {"GET a", true, false},
        {"TOUCH a", true, true},
        {"STRLEN a", true, false},
        {"APPEND a x", true, false},
        {"EXPIRE a 9", true, false},
        {"TTL a", false, false},
        {"PTTL a", false, false},
        {"TYPE a", false, false},
        {"EXISTS a", false, false},
        {"EXPIRETIME a", false, false},
        {"OBJECT ENCODING a", false, false},
        {"OBJECT IDLETIME a", false, false},
    };
    for (int no_touch = 0; no_touch < 2; no_touch++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct talk talk;
            talk_init(&talk, false);
            talk_expect(&talk, "SET a 1", "+OK");
            talk.now_ms += 7000;
            talk.store.no_touch = no_touch;
            (void)talk_say(&talk, cases[i].words);
            bool touched = no_touch ? cases[i].in_no_touch_mode : cases[i].touches;
            talk_expect(&talk, "OBJECT IDLETIME a", touched ? ":0" : ":7");
            talk_deinit(&talk);
        }
    }
}

static void test_the_policy_says_what_is_known(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    talk_expect(&talk, "SET a 1", "+OK");
    talk_expect(&talk, "OBJECT FREQ a",
                "-ERR An LFU maxmemory policy is not selected, access frequency not "
                "tracked." NOTE);
    talk.store.counts = true;
    talk_expect(&talk, "OBJECT FREQ a", ":5");
    talk_expect(&talk, "OBJECT IDLETIME a",
                "-ERR An LFU maxmemory policy is selected, idle time not tracked." NOTE);
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_no_key),
        cmocka_unit_test(test_of_strings),
        cmocka_unit_test(test_what_touches),
        cmocka_unit_test(test_the_policy_says_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
