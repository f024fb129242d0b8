/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "row/row_key.h"
#include "row/slot.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static const struct dot base = {0x1122334455667788, 0x99aabbccddeeff00};

static void test_head(void **state)
{
    (void)state;
    struct bytes name = row_key_head(&arena, 3, BYTES("foo"));
    struct row_key key;
    assert_true(row_key_decode(name, &key));
    assert_int_equal(name.size, ROW_KEY_PREFIX_SIZE + 1 + 3 + 1);
    assert_memory_equal(name.data, "\x2f\x96\x03", 3); /* slot 12182, db 3 */
    assert_memory_equal(name.data + ROW_KEY_PREFIX_SIZE, "\003foo\0", 5);
    assert_int_equal(key.slot, 12182);
    assert_int_equal(key.db, 3);
    assert_int_equal(key.hash, row_key_hash(BYTES("foo")));
    assert_true(bytes_equal(key.key, BYTES("foo")));
    assert_int_equal(key.kind, ROW_HEAD);
    assert_int_equal(row_key_slot(name), key.slot);
    assert_int_equal(row_key_db(name), key.db);
    assert_int_equal(row_key_hash_of(name), key.hash);
    assert_true(row_key_is_head(name));
    assert_true(row_key_hash(BYTES("foo")) < UINT64_C(1) << 48);
}

static void test_chunk(void **state)
{
    (void)state;
    struct bytes head = row_key_head(&arena, 0, BYTES("foo"));
    struct bytes name = row_key_chunk(&arena, head, base, 0x01020304);
    struct bytes prefix = row_key_chunk_prefix(&arena, head, base);
    struct row_key key;
    assert_true(row_key_decode(name, &key));
    assert_int_equal(key.kind, ROW_CHUNK);
    assert_true(bytes_equal(key.key, BYTES("foo")));
    assert_true(dot_equal(key.base, base));
    assert_int_equal(key.index, 0x01020304);
    assert_int_equal(name.size, head.size + ROW_KEY_CHUNK_SUBKEY_SIZE);
    assert_memory_equal(name.data + head.size,
                        "\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00\1\2\3\4",
                        ROW_KEY_CHUNK_SUBKEY_SIZE);
    assert_true(bytes_starts_with(name, prefix));
    assert_int_equal(prefix.size + 4, name.size);
    assert_false(row_key_is_head(name));
    assert_int_equal(row_key_hash_of(name), row_key_hash_of(head));
    assert_true(row_key_is_head(head));
    row_key_chunk_change(name, 5);
    assert_true(bytes_equal(name, row_key_chunk(&arena, head, base, 5)));
}

static void test_order_is_head_then_chunks(void **state)
{
    (void)state;
    struct bytes head = row_key_head(&arena, 0, BYTES("foo"));
    struct bytes first = row_key_chunk(&arena, head, base, 0);
    struct bytes later = row_key_chunk(&arena, head, base, 256);
    struct bytes cleared = row_key_cleared(&arena, row_key_slot(head), 0);
    assert_true(bytes_compare(head, first) < 0);
    assert_true(bytes_compare(first, later) < 0);
    assert_true(bytes_compare(cleared, head) < 0);
}

static void test_cleared(void **state)
{
    (void)state;
    struct bytes name = row_key_cleared(&arena, 16383, 15);
    struct row_key key;
    assert_int_equal(name.size, ROW_KEY_CLEARED_SIZE);
    assert_true(row_key_decode(name, &key));
    assert_int_equal(key.kind, ROW_CLEARED);
    assert_int_equal(key.slot, 16383);
    assert_int_equal(key.db, 15);
    assert_int_equal(key.key.size, 0);
    assert_false(row_key_is_head(name));
    assert_false(row_key_decode(BYTES("\x40\0\0"), &key));
    assert_true(row_key_decode(BYTES("\x3f\xff\0"), &key));
}

static void test_keys_of_all_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, KEY_SIZE_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *text = arena_alloc(&arena, sizes[i]);
        memset(text, 'x', sizes[i]);
        struct bytes name = row_key_head(&arena, 0, bytes_of(text, sizes[i]));
        struct row_key key;
        assert_true(row_key_decode(name, &key));
        assert_true(bytes_equal(key.key, bytes_of(text, sizes[i])));
        assert_true(row_key_is_head(name));
        assert_false(row_key_is_head(row_key_chunk(&arena, name, base, 0)));
    }
}

/* The bytes in a block of their own, so that reading past them is seen by a sanitizer. */
static bool decodes(const char *data, size_t size)
{
    char *block = memory_alloc(size);
    memcpy(block, data, size);
    struct row_key key;
    bool decoded = row_key_decode(bytes_of(block, size), &key);
    row_key_is_head(bytes_of(block, size));
    memory_free(block);
    return decoded;
}

static void test_nothing_else_is_a_name(void **state)
{
    (void)state;
    struct bytes head = row_key_head(&arena, 0, BYTES("foo"));
    struct bytes chunk = row_key_chunk(&arena, head, base, 1);
    struct bytes names[] = {head, chunk};
    for (int which = 0; which < 2; which++) {
        size_t size = names[which].size;
        char *name = arena_alloc(&arena, size + 1);
        memcpy(name, names[which].data, size);
        name[size] = 0;
        assert_false(decodes(name, size + 1));
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(decodes(name, cut), cut == ROW_KEY_CLEARED_SIZE);
        for (size_t i = 0; i < head.size; i++)
            for (int flip = 1; flip < 256 && i != 2; flip++) { /* 2: any db is one */
                name[i] = (char)(names[which].data[i] ^ flip);
                assert_false(decodes(name, size));
                name[i] = names[which].data[i];
            }
    }
    struct bytes timeless = row_key_chunk(&arena, head, (struct dot){1, 0}, 0);
    assert_false(decodes(timeless.data, timeless.size));
    assert_false(row_key_is_head(bytes_of(chunk.data, head.size))); /* a chunk, cut off */
}

static void test_length_in_one_form_only(void **state)
{
    (void)state;
    struct bytes head = row_key_head(&arena, 0, BYTES("foo"));
    char name[32];
    memcpy(name, head.data, ROW_KEY_PREFIX_SIZE);
    memcpy(name + ROW_KEY_PREFIX_SIZE, "\x83\x00", 2);
    memcpy(name + ROW_KEY_PREFIX_SIZE + 2, "foo\0", 4);
    assert_false(decodes(name, head.size + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_chunk),
        cmocka_unit_test(test_order_is_head_then_chunks),
        cmocka_unit_test(test_cleared),
        cmocka_unit_test(test_keys_of_all_sizes),
        cmocka_unit_test(test_nothing_else_is_a_name),
        cmocka_unit_test(test_length_in_one_form_only),
    };
    return cmocka_run_group_tests_name("row_key", tests, setup, teardown);
}
