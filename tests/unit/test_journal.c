/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/journal.h"

static char path[64];

static uint64_t fixed_clock(void)
{
    return 1795198800123; /* 20 November 2026, 18:20:00.123 UTC */
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/test_journal.XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    setenv("TZ", "UTC", 1);
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static const char *written(void)
{
    static char text[64 * 1024];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static struct journal *open_journal(enum journal_format format)
{
    struct journal *journal = NULL;
    assert_int_equal(journal_open(path, JOURNAL_NOTICE, format, fixed_clock, &journal), STATUS_OK);
    return journal;
}

static void lines_look_like_redis_s(void **state)
{
    (void)state;
    char expected[256];
    struct journal *journal = open_journal(JOURNAL_TEXT);
    journal_write(journal, JOURNAL_NOTICE, "Port %d: %s", 6379, "listening");
    journal_write(journal, JOURNAL_WARNING, "a\r\nb\x01\x7f\tc");
    journal_close(journal);
    snprintf(expected, sizeof expected,
             "%ld:M 20 Nov 2026 18:20:00.123 * Port 6379: listening\n"
             "%ld:M 20 Nov 2026 18:20:00.123 # a\\r\\nb\\x01\\x7f\\x09c\n",
             (long)getpid(), (long)getpid());
    assert_string_equal(written(), expected);
}

static void an_object_a_line_is_valid_json(void **state)
{
    (void)state;
    char expected[512];
    struct journal *journal = open_journal(JOURNAL_JSON);
    journal_write(journal, JOURNAL_WARNING,
                  "\"a\\\" \n\x01 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 | \xff \xc3 \xe0\x80\x80 "
                  "\xed\xa0\x80 \xc0\x80 \xe2\x82");
    journal_close(journal);
    snprintf(expected, sizeof expected,
             "{\"time\":\"2026-11-20T18:20:00.123Z\",\"pid\":%ld,\"level\":\"warning\","
             "\"message\":\"\\\"a\\\\\\\" \\u000a\\u0001 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 | "
             "\\ufffd \\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd "
             "\\ufffd\\ufffd\"}\n",
             (long)getpid());
    assert_string_equal(written(), expected);
}

static void less_severe_messages_are_left_out(void **state)
{
    (void)state;
    struct journal *journal = open_journal(JOURNAL_TEXT);
    journal_write(journal, JOURNAL_DEBUG, "one");
    journal_write(journal, JOURNAL_VERBOSE, "two");
    assert_string_equal(written(), "");
    journal_set_level(journal, JOURNAL_DEBUG);
    journal_write(journal, JOURNAL_DEBUG, "three");
    assert_non_null(strstr(written(), " . three\n"));
    journal_close(journal);
    journal_write(NULL, JOURNAL_WARNING, "nowhere");
    journal_close(NULL);
}

static void a_file_is_appended_to_and_a_long_message_cut(void **state)
{
    (void)state;
    static char large[5000];
    memset(large, '\n', sizeof large - 1);
    struct journal *journal = open_journal(JOURNAL_JSON);
    journal_write(journal, JOURNAL_NOTICE, "%s", large);
    journal_close(journal);
    size_t size = strlen(written());
    assert_in_range(size, 1023 * 6, 1023 * 6 + 200);
    journal = open_journal(JOURNAL_TEXT);
    journal_write(journal, JOURNAL_NOTICE, "more");
    journal_close(journal);
    assert_string_equal(written() + strlen(written()) - 5, "more\n");
    assert_true(strlen(written()) > size);
}

static void a_file_that_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct journal *journal = NULL;
    assert_int_equal(
        journal_open("/nowhere/log", JOURNAL_NOTICE, JOURNAL_TEXT, fixed_clock, &journal),
        STATUS_IO);
    assert_null(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_look_like_redis_s, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_a_line_is_valid_json, setup, teardown),
        cmocka_unit_test_setup_teardown(less_severe_messages_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_appended_to_and_a_long_message_cut, setup,
                                        teardown),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
