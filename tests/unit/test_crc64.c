/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/crc64.h"

static void known_values(void **state)
{
    (void)state;
    assert_true(crc64(BYTES("")) == 0);
    assert_true(crc64(BYTES("123456789")) == UINT64_C(0xe9c6d914c4b8d9ca));
}

static void every_bit_counts(void **state)
{
    (void)state;
    char text[64] = "the quick brown fox jumps over the lazy dog";
    uint64_t whole = crc64(bytes_of(text, sizeof(text)));
    for (size_t bit = 0; bit < sizeof(text) * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_true(crc64(bytes_of(text, sizeof(text))) != whole);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(every_bit_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
