/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "base/xxh.h"
#include "type/dump.h"
#include "type/string.h"

static struct arena arena;

static struct bytes encode(struct bytes string)
{
    struct dump dump = {.type = DUMP_STRING, .string = string};
    return arena_copy(&arena, dump_encode(&dump, &arena));
}

static void a_string_comes_back(void **state)
{
    (void)state;
    char text[40000];
    memset(text, 'x', sizeof(text));
    for (size_t size = 0; size <= sizeof(text); size += size < 20 ? 1 : 9995) {
        struct dump dump;
        struct bytes payload = encode(bytes_of(text, size));
        assert_int_equal(payload.size, size + DUMP_OVERHEAD);
        assert_int_equal(dump_decode(payload, &arena, &dump), STATUS_OK);
        assert_int_equal(dump.type, DUMP_STRING);
        assert_true(bytes_equal(dump.string, bytes_of(text, size)));
    }
    arena_clear(&arena);
}

/* The bytes that stand in files somewhere: they must be readable for ever. */
static void the_format_is_as_drawn(void **state)
{
    (void)state;
    static const char bytes[] = "\0abc\x01\x53";
    struct bytes payload = encode(BYTES("abc"));
    assert_true(bytes_starts_with(payload, BYTES(bytes)));
    assert_true(unpack_u64(payload.data + 6) == xxh64(BYTES(bytes)));
    assert_int_equal(payload.size, 14);
}

static void any_change_is_seen(void **state)
{
    (void)state;
    struct dump dump;
    struct bytes payload = encode(BYTES("some value"));
    char *bytes = (char *)(uintptr_t)payload.data;
    for (size_t bit = 0; bit < payload.size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(dump_decode(payload, &arena, &dump), STATUS_VERSION);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t size = 0; size < payload.size; size++)
        assert_int_equal(dump_decode(bytes_of(bytes, size), &arena, &dump), STATUS_VERSION);
    assert_int_equal(dump_decode(payload, &arena, &dump), STATUS_OK);
    arena_clear(&arena);
}

/* With the right checksum: what is no value is refused all the same. */
static struct bytes sealed(const char *inside, size_t size, unsigned version)
{
    char *payload = arena_alloc(&arena, size + 10);
    memcpy(payload, inside, size);
    payload[size] = (char)version;
    payload[size + 1] = (char)(version >> 8);
    pack_u64(payload + size + 2, xxh64(bytes_of(payload, size + 2)));
    return bytes_of(payload, size + 10);
}

static void what_is_no_value_is_refused(void **state)
{
    (void)state;
    struct dump dump;
    assert_int_equal(dump_decode(sealed("", 0, DUMP_VERSION), &arena, &dump), STATUS_CORRUPT);
    for (unsigned type = 1; type < 256; type++) {
        char inside[] = {(char)type, 'x'};
        assert_int_equal(dump_decode(sealed(inside, 2, DUMP_VERSION), &arena, &dump),
                         STATUS_CORRUPT);
    }
    for (unsigned version = 0; version < 65536; version++) {
        enum status expected = version == DUMP_VERSION ? STATUS_OK : STATUS_VERSION;
        assert_int_equal(dump_decode(sealed("\0x", 2, version), &arena, &dump), expected);
        arena_clear(&arena);
    }
}

static void a_string_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct dump dump;
    size_t size = (size_t)STRING_SIZE_MAX + 2;
    char *inside = memory_zeroed(size);
    assert_int_equal(dump_decode(sealed(inside, size, DUMP_VERSION), &arena, &dump),
                     STATUS_CORRUPT);
    assert_int_equal(dump_decode(sealed(inside, size - 1, DUMP_VERSION), &arena, &dump), STATUS_OK);
    memory_free(inside);
    arena_clear(&arena);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_comes_back),
        cmocka_unit_test(the_format_is_as_drawn),
        cmocka_unit_test(any_change_is_seen),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(a_string_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
