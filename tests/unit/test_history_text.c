/* SPDX-License-Identifier: MIT */
/* Histories as text: checkers see in them what must not be, and what is no history is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/history_text.h"

/* The checker that fails, "" for none. */
static void expect(const char *text, const char *checker)
{
    struct sim_clock clock = {0};
    struct cluster_trace trace = {.clock = &clock};
    struct history history;
    struct check_options options;
    struct check_counts counts;
    struct history_fault fault;
    history_init(&history);
    if (!history_text_read(bytes_text(text), &history, &options, &fault))
        fail_msg("line %zu: %s", fault.line, fault.what);
    check_history(&history, &options, &trace, &counts);
    assert_string_equal(trace.checker, checker);
    history_deinit(&history);
}

/* `last`: what is read in the end. */
static void expect_with(const char *head, const char *story, const char *last, const char *checker)
{
    struct buffer text = {0};
    buffer_printf(&text, "history 1 %s\n%s%s\n%c", head, story, last, '\0');
    expect(buffer_bytes(&text).data, checker);
    buffer_deinit(&text);
}

static void a_lost_write_is_seen(void **state)
{
    (void)state;
    const char *story =
        "1 c0 n1 10000 20000 done SET own:0:7 1@own:0:7; = OK\n"
        "2 c0 n1 30000 40000 done SET own:0:7 2@own:0:7;abc = OK\n"
        "# 45000 node 1 is killed\n"
        "3 c0 n2 50000 60000 unknown SET own:0:7 3@own:0:7; = ConnectionError\n"
        "4 c0 n2 70000 70100 refused SET own:0:7 4@own:0:7; = NOREPLICAS Not enough\n";
    const char *slack = "slack_us=5000";
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = 2@own:0:7;abc", "");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = 3@own:0:7;", "");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = 1@own:0:7;", "A1");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = nil", "A1");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = 4@own:0:7;", "A13");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = 2@own:0:8;", "A3");
    expect_with(slack, story, "5 c6 n1 99000 99100 final GET own:0:7 = \"\"", "A3");
    expect_with(slack, story, "5 c6 n1 99000 99100 done GET own:0:7 = 1@own:0:7;", "");
    expect_with("strict slack_us=5000", story, "5 c6 n1 99000 99100 done GET own:0:7 = 1@own:0:7;",
                "A6");
}

static void what_comes_back_is_seen(void **state)
{
    (void)state;
    const char *story = "1 c0 n1 10000 11000 done VC.SET ver:0 1@ver:0; - = OK\n"
                        "2 c1 n2 20000 21000 done VC.SET ver:0 2@ver:0; - = OK\n"
                        "3 c1 n2 30000 31000 done VC.GET ver:0 = 1@ver:0; 2@ver:0;\n"
                        "4 c1 n3 40000 41000 done VC.SET ver:0 4@ver:0; @3 = OK\n"
                        "5 c0 n1 42000 43000 done VC.SET ver:0 5@ver:0; - = OK\n"
                        "6 c0 n1 44000 45000 refused VC.SET ver:0 6@ver:0; !3 = ERR invalid\n"
                        "7 c1 n1 46000 47000 done VC.GET ver:0 = 4@ver:0; 5@ver:0;\n";
    expect_with("", story, "8 c6 n1 99000 99100 final VC.GET ver:0 = 5@ver:0; 4@ver:0;", "");
    expect_with("", story, "8 c6 n1 99000 99100 done VC.GET ver:0 = 1@ver:0; 4@ver:0;", "A2");
    expect_with("", story, "8 c6 n1 99000 99100 final VC.GET ver:0 = 4@ver:0;", "A1");
    expect_with("", story, "8 c6 n1 99000 99100 final VC.GET ver:0 =", "A1");
    expect_with("", story, "8 c6 n1 99000 99100 done VC.GET ver:0 = 4@ver:0; 6@ver:0;", "A13");
    expect_with("", story, "8 c0 n1 90000 91000 done VC.SET ver:0 8@ver:0; !7 = OK", "A13");
}

static void what_was_deleted_does_not_come_back(void **state)
{
    (void)state;
    const char *story = "1 c0 n1 10000 11000 done VC.SET ver:3 1@ver:3; - = OK\n"
                        "2 c0 n1 20000 21000 done VC.GET ver:3 = 1@ver:3;\n"
                        "3 c0 n1 30000 31000 done VC.DEL ver:3 @2 = 1\n";
    expect_with("", story, "4 c6 n1 99000 99100 final VC.GET ver:3 =", "");
    expect_with("", story, "4 c6 n1 99000 99100 final VC.GET ver:3 = 1@ver:3;", "A2");
}

static void a_wrong_counter_is_seen(void **state)
{
    (void)state;
    const char *story = "1 c0 n1 10000 11000 done INCRBY sum:2 5 = 5\n"
                        "2 c1 n2 12000 13000 done INCRBY sum:2 -2 = 3\n"
                        "3 c1 n2 14000 90000 unknown INCRBY sum:2 4\n";
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = 3", "");
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = 7", "");
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = 2", "A8");
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = 8", "A8");
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = nil", "A8");
    expect_with("", story, "4 c6 n1 99000 99100 final GET sum:2 = 3x", "A3");
}

static void a_lock_given_twice_is_seen(void **state)
{
    (void)state;
    const char *story = "1 c0 n1 10000 11000 done SET hot:1 1@hot:1; NX = OK\n";
    const char *second = "2 c1 n2 20000 21000 done SET hot:1 2@hot:1; NX = OK";
    expect_with("strict", story, second, "A7");
    expect_with("undivided", story, second, "A7");
    expect_with("strict", story, "2 c1 n2 20000 21000 done SET hot:1 2@hot:1; NX = nil", "");
    /* While nodes fail that is so: without strict mode nothing else is promised. */
    expect_with("", story, second, "");
}

static void logs_and_times_are_understood(void **state)
{
    (void)state;
    const char *log = "1 c0 n1 1000 2000 done APPEND log:0:0 1@log:0:0; = 10\n"
                      "2 c0 n1 3000 4000 done APPEND log:0:0 2@log:0:0; = 20\n";
    const char *timed = "1 c0 n1 1000 2000 done SET ttl:0:0 1@ttl:0:0; PX 50 = OK\n"
                        "2 c0 n1 3000 4000 done PEXPIRE ttl:0:0 30 = 1\n";
    expect_with("", log, "3 c1 n1 9000 9100 final GET log:0:0 = 1@log:0:0;2@log:0:0;", "");
    expect_with("", log, "3 c1 n1 9000 9100 final GET log:0:0 = 1@log:0:0;", "A1");
    expect_with("", log, "3 c1 n1 9000 9100 done GET log:0:0 = 2@log:0:0;1@log:0:0;", "A2");
    expect_with("", timed, "3 c1 n1 30000 31000 final GET ttl:0:0 = 1@ttl:0:0;", "");
    expect_with("", timed, "3 c1 n1 35000 36000 final GET ttl:0:0 = 1@ttl:0:0;", "A9");
    expect_with("", timed, "3 c1 n1 35000 36000 final GET ttl:0:0 = nil", "");
    expect_with("", timed, "3 c1 n1 20000 21000 final GET ttl:0:0 = nil", "A1");
}

/* Of what overlaps, a reader may be first in the text. */
static void a_read_may_show_what_began_after_it(void **state)
{
    (void)state;
    expect("history 1\n"
           "1 c0 n1 1000 5000 done GET hot:0 = 2@hot:0;\n"
           "2 c1 n1 2000 4000 done SET hot:0 2@hot:0; = OK\n",
           "");
    expect("history 1\n"
           "1 c0 n1 1000 1500 done GET hot:0 = 2@hot:0;\n"
           "2 c1 n1 2000 4000 done SET hot:0 2@hot:0; = OK\n",
           "A3");
}

static void what_is_no_history_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        {"", 1},
        {"history 2\n", 1},
        {"history 1 lenient\n", 1},
        {"history 1 slack_us=-1\n", 1},
        {"history 1\n2 c0 n1 1 2 done GET hot:0 = nil\n", 2},
        {"history 1\n\n# a remark\n1 c0 n1 2 1 done GET hot:0 = nil\n", 4},
        {"history 1\n1 c0 n1 5 6 done GET hot:0 = nil\n2 c0 n1 4 6 done GET hot:0 = nil\n", 3},
        {"history 1\n1 c0 n0 1 2 done GET hot:0 = nil\n", 2},
        {"history 1\n1 0 n1 1 2 done GET hot:0 = nil\n", 2},
        {"history 1\n1 c0 n1 1 2 pending GET hot:0 = nil\n", 2},
        {"history 1\n1 c0 n1 1 2 done\n", 2},
        {"history 1\n1 c0 n1 1 2 done GET\n", 2},
        {"history 1\n1 c0 n1 1 2 done GET cold:0 = nil\n", 2},
        {"history 1\n1 c0 n1 1 2 done GET hot:00 = nil\n", 2},
        {"history 1\n1 c0 n1 1 2 done GET hot:0\n", 2},
        {"history 1\n1 c0 n1 1 2 done GET hot:0 = a b\n", 2},
        {"history 1\n1 c0 n1 1 2 done FLUSH hot:0 = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done SETNX hot:0 1@hot:0; = 1\n", 2},
        {"history 1\n1 c0 n1 1 2 done SET hot:0 = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done SET hot:0 2@hot:0; = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done SET hot:0 1@hot:1; = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done SET hot:0 1@hot:0; PX 0 = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done SET hot:0 1@hot:0; NX = 1\n", 2},
        {"history 1\n1 c0 n1 1 2 done DEL hot:0 = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done VC.SET ver:0 1@ver:0; = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done VC.SET ver:0 1@ver:0; @1 = OK\n", 2},
        {"history 1\n1 c0 n1 1 2 done VC.GET ver:1 =\n"
         "2 c0 n1 3 4 done VC.SET ver:0 2@ver:0; @1 = OK\n",
         3},
        {"history 1\n1 c0 n1 1 2 done VC.DEL ver:0  = 0\n", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct history history;
        struct check_options options;
        struct history_fault fault;
        history_init(&history);
        if (history_text_read(bytes_text(cases[i].text), &history, &options, &fault))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(fault.line, cases[i].line);
        history_deinit(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_write_is_seen),
        cmocka_unit_test(what_comes_back_is_seen),
        cmocka_unit_test(what_was_deleted_does_not_come_back),
        cmocka_unit_test(a_wrong_counter_is_seen),
        cmocka_unit_test(a_lock_given_twice_is_seen),
        cmocka_unit_test(logs_and_times_are_understood),
        cmocka_unit_test(a_read_may_show_what_began_after_it),
        cmocka_unit_test(what_is_no_history_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
