/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/slowlog.h"

static const struct slowlog_entry *at(const struct slowlog *slowlog, unsigned index)
{
    const struct list *link = slowlog->entries.next;
    while (index-- > 0)
        link = link->next;
    return list_entry(link, struct slowlog_entry, link);
}

static void expect(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

static void the_newest_stand_first(void **state)
{
    (void)state;
    struct slowlog slowlog;
    slowlog_init(&slowlog);
    for (unsigned i = 0; i < 5; i++) {
        char word[8];
        snprintf(word, sizeof word, "w%u", i);
        struct bytes argv[] = {BYTES("echo"), bytes_text(word)};
        slowlog_add(&slowlog,
                    &(struct slowlog_entry){.time_s = 100 + i,
                                            .duration_us = i,
                                            .argc = 2,
                                            .argv = argv,
                                            .address = BYTES("1.2.3.4:5"),
                                            .name = BYTES("")},
                    3);
    }
    assert_int_equal(slowlog.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        char word[8];
        snprintf(word, sizeof word, "w%u", 4 - i);
        assert_int_equal(at(&slowlog, i)->id, 4 - i);
        assert_int_equal(at(&slowlog, i)->time_s, 104 - i);
        assert_int_equal(at(&slowlog, i)->duration_us, 4 - i);
        expect(at(&slowlog, i)->argv[0], "echo");
        expect(at(&slowlog, i)->argv[1], word);
        expect(at(&slowlog, i)->address, "1.2.3.4:5");
        expect(at(&slowlog, i)->name, "");
    }
    slowlog_reset(&slowlog);
    assert_int_equal(slowlog.count, 0);
    struct bytes one = BYTES("x");
    slowlog_add(&slowlog, &(struct slowlog_entry){.argc = 1, .argv = &one}, 3);
    assert_int_equal(at(&slowlog, 0)->id, 5);
    slowlog_add(&slowlog, &(struct slowlog_entry){.argc = 1, .argv = &one}, 0);
    assert_int_equal(slowlog.count, 0);
}

/* Every count of arguments and every size about the limits. */
static void what_is_much_is_cut(void **state)
{
    (void)state;
    struct slowlog slowlog;
    char large[2 * SLOWLOG_ARGUMENT_MAX], text[2 * SLOWLOG_ARGUMENT_MAX + 64];
    struct bytes argv[2 * SLOWLOG_ARGUMENTS_MAX];
    memset(large, 'A', sizeof large);
    slowlog_init(&slowlog);
    for (unsigned argc = 1; argc <= 2 * SLOWLOG_ARGUMENTS_MAX; argc++) {
        for (unsigned size = 0; size <= sizeof large; size += size < 126 || size > 130 ? 42 : 1) {
            for (unsigned i = 0; i < argc; i++)
                argv[i] = bytes_of(large, size);
            slowlog_add(&slowlog, &(struct slowlog_entry){.argc = argc, .argv = argv}, 1);
            const struct slowlog_entry *entry = at(&slowlog, 0);
            unsigned whole = argc <= SLOWLOG_ARGUMENTS_MAX ? argc : SLOWLOG_ARGUMENTS_MAX - 1;
            assert_int_equal(entry->argc, whole + (argc > whole));
            if (size <= SLOWLOG_ARGUMENT_MAX)
                snprintf(text, sizeof text, "%.*s", (int)size, large);
            else
                snprintf(text, sizeof text, "%.*s... (%u more bytes)", SLOWLOG_ARGUMENT_MAX, large,
                         size - SLOWLOG_ARGUMENT_MAX);
            for (unsigned i = 0; i < whole; i++)
                expect(entry->argv[i], text);
            snprintf(text, sizeof text, "... (%u more arguments)", argc - whole);
            if (argc > whole)
                expect(entry->argv[whole], text);
        }
    }
    slowlog_reset(&slowlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stand_first),
        cmocka_unit_test(what_is_much_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
