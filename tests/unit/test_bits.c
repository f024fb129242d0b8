/* SPDX-License-Identifier: MIT */
/* Against the same done bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/memory.h"
#include "base/random.h"

enum {
    SIZE_MAX_TESTED = 300, /* bytes */
    ROUNDS = 20 * 1000,
    GUARD = 8, /* bytes before and behind what is changed */
};

static struct random chance;

static uint64_t below(uint64_t end)
{
    return random_below(&chance, end);
}

/* With runs of all ones and of all zeros, and a block of just that size, so that whoever reads
 * beyond it is found. */
static char *any_bytes(size_t size)
{
    char *data = memory_alloc(size > 0 ? size : 1);
    uint64_t kind = 0;
    for (size_t i = 0; i < size; i++) {
        if (i == 0 || below(20) == 0)
            kind = below(3);
        data[i] = (char)(kind == 0 ? 0 : kind == 1 ? 0xff : below(256));
    }
    return data;
}

static bool bit_at(const char *data, uint64_t position)
{
    return (unsigned char)data[position / 8] & (0x80 >> position % 8);
}

static struct bit_span any_span(size_t size)
{
    uint64_t a = below(size * 8 + 1);
    uint64_t b = below(4) == 0 ? a + below(10) : below(size * 8 + 1);
    if (b > size * 8)
        b = size * 8;
    return a < b ? (struct bit_span){a, b} : (struct bit_span){b, a};
}

static void test_count_and_find(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t size = below(4) == 0 ? below(20) : below(SIZE_MAX_TESTED);
        char *data = any_bytes(size);
        struct bytes bytes = bytes_of(data, size);
        struct bit_span span = any_span(size);
        uint64_t count = 0;
        uint64_t first[2] = {span.end, span.end};
        for (uint64_t i = span.end; i > span.first; i--) {
            count += bit_at(data, i - 1);
            first[bit_at(data, i - 1)] = i - 1;
            assert_int_equal(bits_test(bytes, i - 1), bit_at(data, i - 1));
        }
        assert_int_equal(bits_count(bytes, span), count);
        assert_int_equal(bits_find(bytes, span, false), first[0]);
        assert_int_equal(bits_find(bytes, span, true), first[1]);
        memory_free(data);
    }
}

static void test_whole_pages(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    char *data = memory_alloc(PAGE);
    struct bit_span whole = {0, PAGE * 8};
    struct bytes bytes = bytes_of(data, PAGE);
    memset(data, 0, PAGE);
    assert_int_equal(bits_count(bytes, whole), 0);
    assert_int_equal(bits_find(bytes, whole, true), PAGE * 8);
    data[PAGE - 1] = 1;
    assert_int_equal(bits_find(bytes, whole, true), PAGE * 8 - 1);
    memset(data, 0xff, PAGE);
    assert_int_equal(bits_count(bytes, whole), PAGE * 8);
    assert_int_equal(bits_find(bytes, whole, false), PAGE * 8);
    memory_free(data);
}

static void test_many_at_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t size = below(SIZE_MAX_TESTED);
        unsigned operation = (unsigned)below(5);
        char *in = any_bytes(size);
        char *out = any_bytes(size + 2 * GUARD);
        char *expected = memory_alloc(size + 2 * GUARD);
        memcpy(expected, out, size + 2 * GUARD);
        for (size_t i = 0; i < size; i++) {
            char a = out[GUARD + i];
            char results[] = {(char)(a & in[i]), (char)(a | in[i]), (char)(a ^ in[i]),
                              (char)(a & ~in[i]), (char)~a};
            expected[GUARD + i] = results[operation];
        }
        void (*const operations[])(char *, const char *, size_t) = {bits_and, bits_or, bits_xor,
                                                                    bits_and_not};
        if (operation < 4)
            operations[operation](out + GUARD, in, size);
        else
            bits_not(out + GUARD, size);
        assert_memory_equal(out, expected, size + 2 * GUARD);
        memory_free(in);
        memory_free(out);
        memory_free(expected);
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

static struct bit_field any_field(size_t size)
{
    bool has_sign = below(2);
    unsigned bits = 1 + (unsigned)below(has_sign ? 64 : 63);
    return (struct bit_field){below(size * 8 - bits + 1), bits, has_sign};
}

static int64_t any_number(void)
{
    uint64_t number = random_next(&chance) >> below(64);
    static const int64_t limits[] = {INT64_MAX, INT64_MIN, 0, -1, 1, INT64_MAX - 1, INT64_MIN + 1};
    if (below(5) == 0)
        return limits[below(sizeof(limits) / sizeof(limits[0]))];
    return (int64_t)(below(2) ? number : -number);
}

static int64_t naive_get(const char *data, struct bit_field field)
{
    __int128 value = 0;
    for (unsigned i = 0; i < field.size; i++)
        value = value * 2 + bit_at(data, field.offset + i);
    if (field.has_sign && value >= (__int128)1 << (field.size - 1))
        value -= (__int128)1 << field.size;
    return (int64_t)value;
}

static void test_get_and_set(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t size = 8 + below(12);
        char *data = any_bytes(size);
        char *expected = memory_alloc(size);
        struct bit_field field = any_field(size);
        int64_t value = any_number();
        assert_true(bit_field_get(data, field) == naive_get(data, field));
        memcpy(expected, data, size);
        for (unsigned i = 0; i < field.size; i++) {
            uint64_t at = field.offset + i;
            char mask = (char)(0x80 >> at % 8);
            bool bit = (uint64_t)value >> (field.size - 1 - i) & 1;
            expected[at / 8] = (char)(bit ? expected[at / 8] | mask : expected[at / 8] & ~mask);
        }
        bit_field_set(data, field, value);
        assert_memory_equal(data, expected, size);
        memory_free(data);
        memory_free(expected);
    }
}

/* By going round until it fits. */
static void test_overflow(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct bit_field field = any_field(16);
        __int128 range = (__int128)1 << field.size;
        __int128 low = field.has_sign ? -range / 2 : 0;
        __int128 high = low + range - 1;
        __int128 number = (__int128)any_number() + (below(2) ? any_number() : 0);
        __int128 wrapped = (number - low) % range;
        wrapped = low + (wrapped < 0 ? wrapped + range : wrapped);
        bool fits = number >= low && number <= high;
        int64_t value = 77;
        assert_true(bit_field_fit(field, number, BIT_OVERFLOW_WRAP, &value));
        assert_true(value == wrapped);
        assert_true(bit_field_fit(field, number, BIT_OVERFLOW_SATURATE, &value));
        assert_true(value == (number < low ? low : number > high ? high : number));
        value = 77;
        assert_int_equal(bit_field_fit(field, number, BIT_OVERFLOW_FAIL, &value), fits);
        assert_true(value == (fits ? number : 77));
    }
}

static void test_the_drawing(void **state)
{
    (void)state;
    char data[2] = {0};
    bit_field_set(data, (struct bit_field){.offset = 7, .size = 5}, 23);
    assert_memory_equal(data, "\x01\x70", 2);
}

int main(void)
{
    chance.state = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_and_find), cmocka_unit_test(test_whole_pages),
        cmocka_unit_test(test_many_at_once),   cmocka_unit_test(test_get_and_set),
        cmocka_unit_test(test_overflow),       cmocka_unit_test(test_the_drawing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
