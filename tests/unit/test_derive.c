/* SPDX-License-Identifier: MIT */
/* What the store reads out of a row: liveness, expiry, the long strings that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "row/chunked.h"
#include "store/derive.h"

static const struct dot FIRST = {1 << 16, 10}, SECOND = {1 << 16, 20};

static struct bytes long_row(struct arena *arena, struct dot dot, struct dot base, uint64_t length)
{
    struct bytes packed = chunked_pack(arena, (struct chunked){base, length});
    return row_encode_common(arena, dot, VALUE_CHUNKED, packed, EXPIRY_NEVER);
}

static void test_facts_of_a_row(void **state)
{
    struct arena arena;
    struct row row;
    (void)state;
    arena_init(&arena);
    struct bytes common = row_encode_common(&arena, FIRST, VALUE_STRING, BYTES("v"), 77);
    assert_true(derive_facts(common, &arena).live);
    assert_int_equal(derive_facts(common, &arena).at_ms, 77);
    assert_int_equal(row_decode(common, &arena, &row), STATUS_OK);
    row_expire(&row, SECOND, 99, &arena);
    assert_int_equal(derive_facts(row_encode(&row, &arena), &arena).at_ms, 99);
    row_delete(&row, (struct dot){1 << 16, 30}, &arena);
    assert_false(derive_facts(row_encode(&row, &arena), &arena).live);
    assert_int_equal(derive_facts(row_encode(&row, &arena), &arena).at_ms, EXPIRY_NEVER);
    assert_false(derive_facts(BYTES(""), &arena).live);
    row_init(&row);
    row_increment(&row, FIRST, 5, &arena);
    assert_true(derive_facts(row_encode(&row, &arena), &arena).live);
    arena_deinit(&arena);
}

static void test_dead_bases(void **state)
{
    struct arena arena;
    struct chunked_base *bases;
    (void)state;
    arena_init(&arena);
    struct bytes old = long_row(&arena, FIRST, FIRST, CHUNK_SIZE * 3 + 1);
    struct bytes same = long_row(&arena, SECOND, FIRST, CHUNK_SIZE * 5);
    struct bytes other = long_row(&arena, SECOND, SECOND, 1);
    struct bytes plain = row_encode_common(&arena, SECOND, VALUE_STRING, BYTES("v"), 1);
    assert_int_equal(derive_dead_bases(old, same, &arena, &bases), 0);
    assert_int_equal(derive_dead_bases(plain, other, &arena, &bases), 0);
    assert_int_equal(derive_dead_bases(BYTES(""), other, &arena, &bases), 0);
    assert_int_equal(derive_dead_bases(old, other, &arena, &bases), 1);
    assert_true(dot_equal(bases[0].base, FIRST));
    assert_int_equal(bases[0].chunks, 4);
    assert_int_equal(derive_dead_bases(old, plain, &arena, &bases), 1);
    assert_int_equal(derive_dead_bases(old, BYTES(""), &arena, &bases), 1);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_of_a_row),
        cmocka_unit_test(test_dead_bases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
