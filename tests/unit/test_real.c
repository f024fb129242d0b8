/* SPDX-License-Identifier: MIT */
/* Where the machine's long double is that of x86, it says what is right. */
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/real.h"

static real_t parsed(const char *text)
{
    real_t value = 0;
    if (!real_parse(bytes_text(text), &value))
        fail_msg("no number: %s", text);
    return value;
}

static void expect_format(real_t value, const char *wanted)
{
    char text[REAL_TEXT_MAX + 1];
    text[real_format(value, text)] = '\0';
    assert_string_equal(text, wanted);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"1", "1"},
        {"-1", "-1"},
        {"+1", "1"},
        {"3.0e3", "3000"},
        {"10.5", "10.5"},
        {"0.1", "0.1"},
        {".5", "0.5"},
        {"5.", "5"},
        {"0x10", "16"},
        {"0X1P-3", "0.125"},
        {"100", "100"},
        {"1e-17", "0.00000000000000001"},
        {"1e-18", "0"},
        {"-1e-20", "0"},
        {"1e-4940", "0"},
        {"123456789012345678901234567890", "123456789012345678899921813504"},
        {"18446744073709551617", "18446744073709551616"}, /* 64 bits of mantissa */
        {"18446744073709551615", "18446744073709551615"},
        {"9223372036854775807", "9223372036854775807"},
        {"1.00000000000000000000000000000000000000000000001", "1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_format(parsed(cases[i][0]), cases[i][1]);
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    static const struct bytes cases[] = {{"", 0},          BYTES(" 1"),
                                         BYTES("1 "),      BYTES("\t1"),
                                         BYTES("1\n"),     BYTES("1\0"),
                                         BYTES("\0"),      BYTES("nan"),
                                         BYTES("-nan"),    BYTES("NAN(1)"),
                                         BYTES("1,5"),     BYTES("0x"),
                                         BYTES("1e"),      BYTES("e3"),
                                         BYTES("--1"),     BYTES("1e5000"),
                                         BYTES("-1e5000"), BYTES("1e-5000"),
                                         BYTES("infinit"), BYTES("."),
                                         BYTES("1e4933"),  BYTES("1.18973149535723176508576e4932")};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        real_t value = 7;
        if (real_parse(cases[i], &value))
            fail_msg("a number: case %zu", i);
        assert_true(value == 7);
    }
    char digits[REAL_PARSED_MAX + 1];
    real_t value;
    memset(digits, '0', sizeof(digits));
    assert_true(real_parse(bytes_of(digits, REAL_PARSED_MAX), &value));
    assert_false(real_parse(bytes_of(digits, REAL_PARSED_MAX + 1), &value));
}

static void test_the_infinite(void **state)
{
    (void)state;
    assert_false(real_is_finite(parsed("inf")));
    assert_false(real_is_finite(parsed("-Infinity")));
    assert_false(real_is_finite(real_add(parsed("inf"), parsed("-inf"))));
    real_t last = parsed("1.18973149535723176502126385303e4932");
    assert_true(real_is_finite(last));
    assert_false(real_is_finite(real_add(last, last)));
    assert_true(real_is_finite(real_add(last, -last)));
    assert_true(real_accumulate(last, last) == last);
    assert_true(real_accumulate(-last, -last) == -last);
    assert_true(real_accumulate(last, 1) == last);
    assert_true(real_round(real_accumulate(last, parsed("1e4920"))) == last);
    char text[REAL_TEXT_MAX];
    assert_int_equal(real_format(-real_accumulate(last, last), text), 4934);
}

static void test_never_minus_zero(void **state)
{
    (void)state;
    char zero[REAL_SIZE] = {0}, bytes[REAL_SIZE];
    real_pack(real_accumulate(parsed("-0"), parsed("-0")), bytes);
    assert_memory_equal(bytes, zero, REAL_SIZE);
    real_pack(real_accumulate(parsed("-1.5"), parsed("1.5")), bytes);
    assert_memory_equal(bytes, zero, REAL_SIZE);
}

static void test_bytes(void **state)
{
    (void)state;
    char bytes[REAL_SIZE];
    real_pack(-1.5, bytes);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\xff\xbf", REAL_SIZE);
    assert_true(real_unpack(bytes) == -1.5);
}

/* 2^64 + 1 lies in the middle; what decides stands behind 113 bits. */
static void test_a_sum_is_rounded_once(void **state)
{
    (void)state;
    real_t large = parsed("18446744073709551616");
    expect_format(real_add(large, 1), "18446744073709551616");
    expect_format(real_add(large, parsed("1.000000000000001")), "18446744073709551618");
    expect_format(real_add(large, parsed("0x1.000000000000001p0")), "18446744073709551618");
    expect_format(real_add(-large, parsed("-0x1.000000000000001p0")), "-18446744073709551618");
    expect_format(real_add(large, parsed("0x0.ffffffffffffffffp0")), "18446744073709551616");
    expect_format(real_add(large + 2, 1), "18446744073709551620");
    expect_format(real_add(large + 2, parsed("0x0.ffffffffffffffffp0")), "18446744073709551618");
}

#if LDBL_MANT_DIG == 64

/* A text that is mostly a number, of any size. */
static void draw_text(struct random *random, char *out, size_t room)
{
    static const char odd[] = "0123456789.eE+-xXpPinfa \n";
    size_t size = 0;
    if (random_once_in(random, 3))
        out[size++] = '-';
    if (random_once_in(random, 10)) {
        size +=
            (size_t)snprintf(out + size, room - size, "0x%llx.%llxp%d",
                             (unsigned long long)random_next(random) >> random_below(random, 64),
                             (unsigned long long)random_next(random) >> random_below(random, 64),
                             (int)random_below(random, 200) - 100);
    } else {
        for (uint64_t i = 1 + random_below(random, 21); i > 0; i--)
            out[size++] = (char)('0' + random_below(random, 10));
        if (random_once_in(random, 2)) {
            out[size++] = '.';
            for (uint64_t i = random_below(random, 12); i > 0; i--)
                out[size++] = (char)('0' + random_below(random, 10));
        }
        if (random_once_in(random, 4)) {
            int most = random_once_in(random, 4) ? 4960 : 20;
            size += (size_t)snprintf(out + size, room - size, "e%d",
                                     (int)random_below(random, 2 * (uint64_t)most) - most);
        }
    }
    if (random_once_in(random, 20))
        out[random_below(random, size)] = odd[random_below(random, sizeof(odd) - 1)];
    out[size] = '\0';
}

/* What Redis takes for a number. */
static bool redis_parses(const char *text, long double *out)
{
    char *end;
    errno = 0;
    *out = strtold(text, &end);
    return *text && !isspace((unsigned char)*text) && *end == '\0' && !isnan(*out) &&
           !(errno == ERANGE && (isinf(*out) || *out == 0));
}

static void expect_same(real_t value, long double wanted, const char *text)
{
    char ours[REAL_TEXT_MAX + 1], theirs[REAL_TEXT_MAX];
    if (value != (real_t)wanted)
        fail_msg("another number: %s", text);
    ours[real_format(value, ours)] = '\0';
    snprintf(theirs, sizeof(theirs), "%.17Lf", wanted);
    if (strncmp(ours, theirs, strlen(ours)) != 0 && strcmp(ours, "0") != 0)
        fail_msg("%s is written %s, not %s", text, ours, theirs);
}

static void test_is_as_on_x86(void **state)
{
    (void)state;
    enum { ROUNDS = 200000 };
    struct random random = {3};
    char a_text[128], b_text[128];
    unsigned numbers = 0;
    for (int round = 0; round < ROUNDS; round++) {
        real_t a, b;
        long double x, y;
        draw_text(&random, a_text, sizeof(a_text));
        draw_text(&random, b_text, sizeof(b_text));
        if (real_parse(bytes_text(a_text), &a) != redis_parses(a_text, &x))
            fail_msg("a number or not: %s", a_text);
        if (!real_parse(bytes_text(b_text), &b) || !redis_parses(b_text, &y) ||
            !redis_parses(a_text, &x) || isinf(x) || isinf(y))
            continue;
        numbers++;
        expect_same(a, x, a_text);
        if (!isinf(x + y))
            expect_same(real_add(a, b), x + y, b_text);
        assert_int_equal(real_is_finite(real_add(a, b)), !isinf(x + y));
    }
    assert_true(numbers > ROUNDS / 2);
}

/* Mantissas of any bits, at distances where both matter. */
static void test_sums_are_as_on_x86(void **state)
{
    (void)state;
    struct random random = {4};
    for (int round = 0; round < 1000000; round++) {
        long double x = ldexpl((long double)random_next(&random), 0);
        long double y = ldexpl((long double)(random_next(&random) >> random_below(&random, 64)),
                               -(int)random_below(&random, 80));
        if (random_once_in(&random, 2))
            y = -y;
        if (real_add((real_t)x, (real_t)y) != (real_t)(x + y))
            fail_msg("%La + %La", x, y);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_the_infinite),
        cmocka_unit_test(test_never_minus_zero),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_a_sum_is_rounded_once),
#if LDBL_MANT_DIG == 64
        cmocka_unit_test(test_is_as_on_x86),
        cmocka_unit_test(test_sums_are_as_on_x86),
#endif
    };
    return cmocka_run_group_tests_name("real", tests, NULL, NULL);
}
