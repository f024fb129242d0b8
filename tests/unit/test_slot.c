/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/slot.h"

/* The CRC by its definition, bit by bit. */
static uint16_t crc16_by_bits(const unsigned char *in, size_t size)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint16_t)(in[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
    }
    return crc;
}

static void test_known_slots(void **state)
{
    (void)state;
    assert_int_equal(crc16_by_bits((const unsigned char *)"123456789", 9), 0x31c3);
    assert_int_equal(slot_of_key(BYTES("123456789")), 0x31c3 % SLOT_COUNT);
    assert_int_equal(slot_of_key(BYTES("foo")), 12182);
    assert_int_equal(slot_of_key(BYTES("bar")), 5061);
    assert_int_equal(slot_of_key(BYTES("")), 0);
}

static void test_every_length(void **state)
{
    (void)state;
    unsigned char key[80];
    struct random random = {1};
    for (size_t size = 0; size <= sizeof(key); size++)
        for (int round = 0; round < 50; round++) {
            for (size_t i = 0; i < size; i++)
                while ((key[i] = (unsigned char)random_next(&random)) == '{')
                    ;
            assert_int_equal(slot_of_key(bytes_of(key, size)),
                             crc16_by_bits(key, size) % SLOT_COUNT);
        }
}

static void expect_same(const char *a, const char *b)
{
    assert_int_equal(slot_of_key(bytes_text(a)), slot_of_key(bytes_text(b)));
}

/* A key whose whole text counts: unlike every part that could be taken for its tag. */
static void expect_whole(const char *key)
{
    assert_int_equal(slot_of_key(bytes_text(key)),
                     crc16_by_bits((const unsigned char *)key, strlen(key)) % SLOT_COUNT);
}

static void test_hash_tags(void **state)
{
    (void)state;
    expect_same("{user1000}.following", "user1000");
    expect_same("{user1000}.followers", "{user1000}.following");
    expect_same("foo{{bar}}zap", "{bar");
    expect_same("foo{bar}{zap}", "bar");
    expect_same("a{b}", "b");
    expect_whole("foo{}{bar}");
    expect_whole("{}");
    expect_whole("foo{bar");
    expect_whole("foo}bar{");
    expect_whole("}{");
    expect_whole("{");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_slots),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_hash_tags),
    };
    return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
