/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/glob.h"
#include "base/memory.h"

struct example {
    const char *pattern;
    const char *text;
    bool matches;
};

static void expect(const struct example *examples, size_t count, bool nocase)
{
    for (size_t i = 0; i < count; i++) {
        const struct example *e = &examples[i];
        if (glob_match(bytes_text(e->pattern), bytes_text(e->text), nocase) != e->matches)
            fail_msg("\"%s\" on \"%s\": not %d", e->pattern, e->text, e->matches);
    }
}

static void each_element_matches_as_in_redis(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abcd", "abc", false},
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"?", "", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "", true},
        {"***x", "x", true},
        {"*?", "", false},
        {"*?", "a", true},
        {"h*llo", "hllo", true},
        {"h*llo", "heeello", true},
        {"a*b*c", "aXbXbc", true},
        {"a*b*c", "aXbXbd", false},
        {"*abab", "abaabab", true},
        {"*a", "b", false},
        {"a*", "ba", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"[a-c]", "b", true},
        {"[c-a]", "b", true},
        {"[a-c]", "d", false},
        {"[^a-c]", "d", true},
        {"[a-]", "-", false},
        {"[\\]]", "]", true},
        {"[\\-a]", "-", true},
        {"[a-]", "^", true},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"[^", "a", true},
        {"[", "[", false},
        {"[ab", "b", true},
        {"[ab", "c", false},
        {"[ab", "bc", false},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\?x", "?x", true},
        {"a\\", "a\\", true},
        {"\\\\", "\\", true},
        {"*[0-9]x", "ab12x", true},
        {"ABC", "abc", false},
        {"user:*:name", "user:12:name", true},
        {"user:*:name", "user:12:nam", false},
        {"*]", "a]", true},
    };
    expect(examples, sizeof examples / sizeof *examples, false);
}

static void case_is_ignored_where_asked(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"ABC", "abc", true}, {"abc", "ABC", true}, {"[A-C]x", "bX", true}, {"[^a]", "A", false},
        {"\\A", "a", true},   {"*X", "yx", true},   {"@", "`", false},
    };
    expect(examples, sizeof examples / sizeof *examples, true);
}

static void any_byte_may_stand_anywhere(void **state)
{
    (void)state;
    assert_true(glob_match(bytes_of("a\0*\xff", 4), bytes_of("a\0\0\n\xff", 5), false));
    assert_true(glob_match(bytes_of("[\x80-\xff]", 5), bytes_of("\xc3", 1), false));
    assert_false(glob_match(bytes_of("a\0b", 3), bytes_of("a\0c", 3), false));
}

/* Without the bound this is 10^12 steps. */
static void an_exploding_pattern_ends(void **state)
{
    (void)state;
    enum { SIZE = 1000 * 1000 };
    char *text = memory_alloc(SIZE), *pattern = memory_alloc(SIZE);
    memset(text, 'a', SIZE);
    memset(pattern, 'a', SIZE);
    pattern[0] = '*';
    pattern[SIZE / 2] = 'b';
    assert_false(glob_match(bytes_of(pattern, SIZE), bytes_of(text, SIZE), false));
    for (size_t i = 0; i < 1000; i++)
        memcpy(pattern + 2 * i, "a*", 2);
    pattern[1999] = 'b';
    assert_false(glob_match(bytes_of(pattern, 2000), bytes_of(text, SIZE), false));
    memory_free(text);
    memory_free(pattern);
}

static void a_long_plain_pattern_is_within_the_bound(void **state)
{
    (void)state;
    enum { SIZE = 8 * 1024 * 1024 };
    char *text = memory_alloc(SIZE);
    memset(text, 'a', SIZE);
    assert_true(glob_match(bytes_of(text, SIZE), bytes_of(text, SIZE), false));
    assert_true(glob_match(BYTES("*a"), bytes_of(text, 500 * 1000), false));
    memory_free(text);
}

/* As Redis, whose matcher goes one call deeper for each. */
static void a_thousand_stars_are_the_most(void **state)
{
    (void)state;
    enum { STARS = 1000, SIZE = 2 * (STARS + 2) };
    char pattern[SIZE], text[SIZE];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < SIZE; i += 2)
        memcpy(pattern + i, "*?", 2);
    assert_true(glob_match(bytes_of(pattern, 2 * STARS), bytes_of(text, SIZE), false));
    assert_true(glob_match(bytes_of(pattern, 2 * STARS + 1), bytes_of(text, SIZE), false));
    assert_false(glob_match(bytes_of(pattern, 2 * STARS + 2), bytes_of(text, SIZE), false));
    memset(pattern, '*', SIZE - 1); /* in a row they are one */
    pattern[SIZE - 1] = 'a';
    assert_true(glob_match(bytes_of(pattern, SIZE), bytes_of(text, SIZE), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_matches_as_in_redis),
        cmocka_unit_test(case_is_ignored_where_asked),
        cmocka_unit_test(any_byte_may_stand_anywhere),
        cmocka_unit_test(an_exploding_pattern_ends),
        cmocka_unit_test(a_thousand_stars_are_the_most),
        cmocka_unit_test(a_long_plain_pattern_is_within_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
