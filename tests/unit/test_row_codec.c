/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "row/row.h"

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

/*
 * Decodes from a block of its own, so that reading past it is seen by a sanitizer; accepted bytes
 * must encode the same.
 */
static enum status decode(struct bytes bytes)
{
    char *block = memory_alloc(bytes.size);
    memcpy(block, bytes.data, bytes.size);
    struct bytes copy = bytes_of(block, bytes.size);
    struct row row;
    struct sibling sibling;
    uint64_t at_ms;
    enum status status = row_decode(copy, &arena, &row);
    bool common = row_peek(copy, &sibling, &at_ms);
    if (status == STATUS_OK) {
        assert_true(bytes_equal(row_encode(&row, &arena), copy));
        row_is_live(&row, 0);
        assert_true(row_newest_time(&row) > 0 || row.vector.count == 0);
        assert_int_equal(common, (block[0] & 0x80) != 0);
    } else {
        assert_false(common);
    }
    memory_free(block);
    return status;
}

static struct row decoded(struct bytes bytes)
{
    struct row row;
    assert_int_equal(row_decode(bytes, &arena, &row), STATUS_OK);
    return row;
}

static const struct dot dot = {0x1122334455667788, 0x99aabbccddeeff01};

#define DOT "\x88\x77\x66\x55\x44\x33\x22\x11\x01\xff\xee\xdd\xcc\xbb\xaa\x99"

static struct row row_of(uint64_t at_ms, bool keep_expiry)
{
    struct row row;
    row_init(&row);
    row_write(&row, dot, VALUE_CHUNKED, BYTES("value"), at_ms, keep_expiry, &arena);
    return row;
}

static void expect_bytes(const struct row *row, struct bytes wanted)
{
    struct bytes bytes = row_encode(row, &arena);
    assert_int_equal(bytes.size, wanted.size);
    assert_memory_equal(bytes.data, wanted.data, wanted.size);
    assert_int_equal(decode(bytes), STATUS_OK);
}

/* The format on disk: these bytes do not change. */
static void test_common_bytes(void **state)
{
    (void)state;
    struct row row = row_of(EXPIRY_NEVER, false);
    expect_bytes(&row, BYTES("\x81" DOT "value"));
    row = row_of(300, false);
    expect_bytes(&row, BYTES("\xc1" DOT "\xac\x02value"));
    row = row_of(0, false);
    expect_bytes(&row, BYTES("\xc1" DOT "\0value"));
}

/* No entry at all reads like EXPIRY_NEVER, and is another row. */
static void test_no_entry_is_not_never(void **state)
{
    (void)state;
    struct row row = row_of(0, true);
    assert_int_equal(row.expiry_count, 0);
    expect_bytes(&row, BYTES("\0\1" DOT "\1" DOT "\1\0\5value\0\0\0"));
    struct row again = decoded(row_encode(&row, &arena));
    assert_int_equal(again.expiry_count, 0);
    row = row_of(EXPIRY_NEVER, false);
    again = decoded(row_encode(&row, &arena));
    assert_int_equal(again.expiry_count, 1);
    assert_int_equal(again.expiries[0].at_ms, EXPIRY_NEVER);
}

static void test_general_bytes(void **state)
{
    (void)state;
    struct row row;
    row_init(&row);
    expect_bytes(&row, BYTES("\0\0\0\0\0\0"));
    row_increment(&row, (struct dot){1, 1}, -1, &arena);
    row_increment(&row, (struct dot){2, 2}, 255, &arena);
#define ACTOR(actor) actor "\0\0\0\0\0\0\0"
#define TIME(time)   time "\0\0\0\0\0\0\0"
#define ADDED        "\2" ACTOR("\1") TIME("\1") "\1\xff" ACTOR("\2") TIME("\2") "\2\xff\0"
    expect_bytes(&row, BYTES("\0"
                             "\2" ACTOR("\1") TIME("\1") ACTOR("\2") TIME("\2") "\0\0" ADDED "\0"));
    row_delete(&row, (struct dot){1, 3}, &arena);
    expect_bytes(&row,
                 BYTES("\0"
                       "\2" ACTOR("\1") TIME("\3") ACTOR("\2") TIME("\2") "\0\0" ADDED ADDED));
    row_write(&row, (struct dot){1, 4}, VALUE_STRING, BYTES("v"), EXPIRY_NEVER, false, &arena);
    expect_bytes(&row,
                 BYTES("\0"
                       "\2" ACTOR("\1") TIME("\4") ACTOR("\2") TIME("\2") /* vector */
                       "\1" ACTOR("\1") TIME("\4") "\0" ADDED "\1v"       /* siblings */
                                                   "\1" ACTOR("\1")
                                                       TIME("\4") "\0" ADDED ADDED)); /* expiries */
}

static void test_bytes_of_reals(void **state)
{
    (void)state;
#define EIGHTH "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xfc\x3f"
    struct row row;
    row_init(&row);
    row_increment_real(&row, (struct dot){1, 1}, 0.125, &arena);
    expect_bytes(&row, BYTES("\0\1" ACTOR("\1") TIME("\1") "\0\0\1" ACTOR("\1")
                                 TIME("\1") "\x80" EIGHTH "\0"));
    row_increment(&row, (struct dot){1, 2}, 7, &arena);
    expect_bytes(&row, BYTES("\0\1" ACTOR("\1") TIME("\2") "\0\0\1" ACTOR("\1")
                                 TIME("\2") "\x81\7" EIGHTH "\0"));
    row_increment_real(&row, (struct dot){1, 3}, -0.125, &arena);
    expect_bytes(&row,
                 BYTES("\0\1" ACTOR("\1") TIME("\3") "\0\0\1" ACTOR("\1") TIME("\3") "\1\7\0"));
    row_increment_real(&row, (struct dot){1, 4}, 1e-40, &arena);
    struct row again = decoded(row_encode(&row, &arena));
    assert_true(again.added.items[0].real == (real_t)1e-40);
    assert_true(again.added.items[0].sum == 7);
}

static void test_sums_of_all_sizes(void **state)
{
    (void)state;
    for (int bit = 0; bit < 127; bit++)
        for (int minus = -1; minus <= 1; minus++) {
            __int128 by = ((__int128)1 << bit) + minus;
            for (int sign = 0; sign < 2; sign++, by = -by) {
                struct row row;
                row_init(&row);
                row_increment(&row, dot, by, &arena);
                struct bytes bytes = row_encode(&row, &arena);
                assert_int_equal(decode(bytes), STATUS_OK);
                assert_true(decoded(bytes).added.items[0].sum == by);
            }
        }
    arena_clear(&arena);
}

static void test_expiries_of_all_sizes(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++)
        for (int minus = -2; minus <= 1; minus++) {
            uint64_t at_ms = (UINT64_C(1) << bit) + (uint64_t)minus, peeked;
            struct sibling sibling;
            struct row row = row_of(at_ms, false);
            struct bytes bytes = row_encode(&row, &arena);
            assert_int_equal(decode(bytes), STATUS_OK);
            assert_true(row_peek(bytes, &sibling, &peeked));
            assert_int_equal(peeked, at_ms);
            row_expire(&row, (struct dot){1, dot.time + 1}, at_ms, &arena);
            bytes = row_encode(&row, &arena);
            assert_int_equal(decode(bytes), STATUS_OK);
            assert_int_equal(decoded(bytes).expiries[0].at_ms, at_ms);
        }
}

static void test_common_takes_few_bytes(void **state)
{
    (void)state;
    uint64_t far_ms = UINT64_C(1) << 48; /* the year 10889 */
    struct bytes never = row_encode_common(&arena, dot, VALUE_STRING, BYTES(""), EXPIRY_NEVER);
    struct bytes expires = row_encode_common(&arena, dot, VALUE_STRING, BYTES(""), far_ms);
    assert_true(never.size <= 17);
    assert_true(expires.size <= ROW_COMPACT_OVERHEAD);
}

static void test_peek(void **state)
{
    (void)state;
    uint64_t at_ms;
    struct sibling sibling;
    struct row row = row_of(12345, false);
    struct bytes bytes = row_encode_common(&arena, dot, VALUE_CHUNKED, BYTES("value"), 12345);
    assert_true(bytes_equal(bytes, row_encode(&row, &arena)));
    assert_true(row_peek(bytes, &sibling, &at_ms));
    assert_true(dot_equal(sibling.dot, dot));
    assert_int_equal(sibling.form, VALUE_CHUNKED);
    assert_true(bytes_equal(sibling.value, BYTES("value")));
    assert_int_equal(sibling.remembered.count, 0);
    assert_int_equal(at_ms, 12345);
    row_expire(&row, (struct dot){dot.actor, dot.time + 1}, 1, &arena);
    assert_false(row_peek(row_encode(&row, &arena), &sibling, &at_ms));
    row = row_of(0, true);
    assert_false(row_peek(row_encode(&row, &arena), &sibling, &at_ms));
}

#define DOUBLE_0 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* all of a real but its last two bytes */

static void test_refuses_what_is_no_row(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct bytes bytes;
    } cases[] = {
        {"empty", {"", 0}},
        {"unknown form", BYTES("\x83" DOT)},
        {"unknown general layout", BYTES("\1\0\0\0\0\0")},
        {"no event", BYTES("\x80" ACTOR("\1") TIME("\0"))},
        {"cut off", BYTES("\x80" ACTOR("\1") "\1\0\0\0\0\0\0")},
        {"time cut off", BYTES("\xc0" DOT "\x80")},
        {"time too long", BYTES("\xc0" DOT "\x80\x00")},
        {"never with a time", BYTES("\xc0" DOT "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
        {"more after it", BYTES("\0\0\0\0\0\0\0")},
        {"common in the general form", BYTES("\0\1" DOT "\1" DOT "\0\0\0\1" DOT "\0\0\0")},
        {"unknown form", BYTES("\0\1" DOT "\1" DOT "\3\0\0\0\0\0")},
        {"vector unsorted", BYTES("\0\2" ACTOR("\2") TIME("\1") ACTOR("\1") TIME("\1") "\0\0\0\0")},
        {"actor twice", BYTES("\0\2" ACTOR("\1") TIME("\1") ACTOR("\1") TIME("\2") "\0\0\0\0")},
        {"vector with time 0", BYTES("\0\1" ACTOR("\1") TIME("\0") "\0\0\0\0")},
        {"sibling above the vector", BYTES("\0\0\1" DOT "\0\0\0\0\0\0")},
        {"sibling with time 0", BYTES("\0\0\1" ACTOR("\1") TIME("\0") "\0\0\0\0\0\0")},
        {"entry above the vector", BYTES("\0\0\0\1" DOT "\0\0\0")},
        {"sibling twice", BYTES("\0\1" DOT "\2" DOT "\0\0\0" DOT "\0\0\0\0\0\0")},
        {"entry twice", BYTES("\0\1" DOT "\0\2" DOT "\0" DOT "\0\0\0")},
        {"increments unsorted", BYTES("\0\0\0\0\2" DOT "\0" DOT "\0\0")},
        {"sum too long", BYTES("\0\0\0\0\1" DOT "\1\0\0")},
        {"negative sum too long", BYTES("\0\0\0\0\1" DOT "\2\xff\xff\0")},
        {"sum of 17 bytes", BYTES("\0\0\0\0\1" DOT "\x11" DOT "\1\0")},
        {"sum of 17 bytes beside a real", BYTES("\0\0\0\0\1" DOT "\x91" EIGHTH "\1" EIGHTH "\0")},
        {"real 0", BYTES("\0\0\0\0\1" DOT "\x80" DOUBLE_0 "\0\0"
                         "\0")},
        {"real -0", BYTES("\0\0\0\0\1" DOT "\x80" DOUBLE_0 "\0\x80"
                          "\0")},
        {"real infinite", BYTES("\0\0\0\0\1" DOT "\x80" DOUBLE_0 "\xff\x7f"
                                "\0")},
        {"real -infinite", BYTES("\0\0\0\0\1" DOT "\x80" DOUBLE_0 "\xff\xff"
                                 "\0")},
        {"real no number", BYTES("\0\0\0\0\1" DOT "\x80"
                                 "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\x7f"
                                 "\0")},
        {"real cut off", BYTES("\0\0\0\0\1" DOT "\x80" DOUBLE_0)},
        {"count beyond the end", BYTES("\0\xff\xff\xff\xff\x0f\0\0\0\0")},
        {"value beyond the end", BYTES("\0\1" DOT "\1" DOT "\0\0\xff\xff\xff\xff\x0f\0\0\0")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (decode(cases[i].bytes) != STATUS_CORRUPT)
            fail_msg("accepted: %s (case %zu)", cases[i].why, i);
}

static void test_refuses_what_is_too_big(void **state)
{
    (void)state;
    char *value = arena_alloc(&arena, ROW_SIZE_MAX);
    memset(value, 'x', ROW_SIZE_MAX);
    size_t most = ROW_SIZE_MAX - 17;
    struct bytes bytes =
        row_encode_common(&arena, dot, VALUE_STRING, bytes_of(value, most), EXPIRY_NEVER);
    assert_int_equal(decode(bytes), STATUS_OK);
    bytes = row_encode_common(&arena, dot, VALUE_STRING, bytes_of(value, most + 1), EXPIRY_NEVER);
    assert_int_equal(decode(bytes), STATUS_CORRUPT);
    struct row row;
    row_init(&row);
    row_write(&row, dot, VALUE_STRING, bytes_of(value, most), 0, true, &arena);
    assert_int_equal(decode(row_encode(&row, &arena)), STATUS_CORRUPT);
    arena_clear(&arena);
}

/* Siblings of many actors, one each. */
static struct row crowd(uint32_t count, actor_t first_actor)
{
    struct dot *dots = arena_alloc(&arena, count * sizeof(*dots));
    struct sibling *siblings = arena_alloc(&arena, count * sizeof(*siblings));
    for (uint32_t i = 0; i < count; i++) {
        dots[i] = (struct dot){first_actor + i, 1};
        siblings[i] = (struct sibling){.dot = dots[i], .value = BYTES("v")};
    }
    return (struct row){.vector = {dots, count}, .siblings = siblings, .sibling_count = count};
}

static void test_siblings_are_bounded(void **state)
{
    (void)state;
    struct row row = crowd(ROW_SIBLINGS_MAX, 1);
    struct bytes bytes = row_encode(&row, &arena), merged = {0};
    assert_int_equal(decode(bytes), STATUS_OK);
    struct row more = crowd(1, ROW_SIBLINGS_MAX + 1);
    struct bytes one = row_encode(&more, &arena);
    assert_int_equal(row_merge_bytes(bytes, one, NULL, &arena, &merged), STATUS_TOO_BIG);
    assert_null(merged.data);
    row = crowd(ROW_SIBLINGS_MAX + 1, 1);
    assert_int_equal(decode(row_encode(&row, &arena)), STATUS_CORRUPT);
    arena_clear(&arena);
}

/* ---- any bytes ------------------------------------------------------------------------------ */

/* A row with some of everything. */
static struct row draw_row(struct random *random)
{
    struct row row;
    row_init(&row);
    unsigned events = 1 + (unsigned)random_below(random, 6);
    for (unsigned i = 1; i <= events; i++) {
        struct dot next = {random_below(random, 3), i};
        uint64_t at_ms = random_once_in(random, 2) ? EXPIRY_NEVER : random_below(random, 500);
        struct dot context_dot = {random_below(random, 3), 1 + random_below(random, i)};
        struct vector context = {&context_dot, i > 1};
        switch (random_below(random, 7)) {
        case 0:
        case 1:
            row_write_context(&row, next, VALUE_STRING, BYTES("sibling"), at_ms, &context,
                              &row.added, &arena);
            break;
        case 2:
            row_increment(&row, next, (int64_t)random_next(random), &arena);
            break;
        case 5:
            row_increment_real(&row, next, (real_t)random_next(random) / 3, &arena);
            break;
        case 3:
            row_expire(&row, next, at_ms, &arena);
            break;
        case 4:
            row_delete(&row, next, &arena);
            break;
        default:
            row_write(&row, next, VALUE_CHUNK, BYTES("value"), at_ms, random_once_in(random, 2),
                      &arena);
        }
    }
    return row;
}

/* Damages a copy: a few bytes changed, some inserted or taken out, the end cut off. */
static struct bytes mutate(struct random *random, struct bytes bytes)
{
    char *copy = arena_alloc(&arena, bytes.size + 8);
    size_t size = bytes.size;
    memcpy(copy, bytes.data, size);
    for (uint64_t i = random_below(random, 4); i > 0 && size > 0; i--) {
        size_t at = random_below(random, size);
        switch (random_below(random, 5)) {
        case 0:
            copy[at] = (char)random_next(random);
            break;
        case 1:
            copy[at] = (char)(copy[at] ^ 1 << random_below(random, 8));
            break;
        case 2:
            memmove(copy + at, copy + at + 1, size - at - 1);
            size--;
            break;
        case 3:
            memmove(copy + at + 1, copy + at, size - at);
            copy[at] = (char)random_below(random, 4);
            size++;
            break;
        default:
            if (random_once_in(random, 4))
                size = at;
        }
    }
    return bytes_of(copy, size);
}

static void test_survives_any_bytes(void **state)
{
    (void)state;
    enum { ROUNDS = 100000 };
    struct random random = {1};
    unsigned refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct row row = draw_row(&random), other = draw_row(&random);
        struct bytes bytes = row_encode(&row, &arena), out;
        assert_int_equal(decode(bytes), STATUS_OK);
        struct bytes damaged = mutate(&random, bytes);
        refused += decode(damaged) == STATUS_CORRUPT;
        if (row_merge_bytes(damaged, row_encode(&other, &arena), NULL, &arena, &out) == STATUS_OK)
            assert_int_equal(decode(out), STATUS_OK);
        arena_clear(&arena);
    }
    assert_in_range(refused, ROUNDS / 4, ROUNDS - ROUNDS / 4);
}

static void test_survives_noise(void **state)
{
    (void)state;
    struct random random = {2};
    char noise[64];
    for (int round = 0; round < 200000; round++) {
        size_t size = random_below(&random, sizeof(noise) + 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = (char)(random_once_in(&random, 3) ? random_next(&random)
                                                         : random_below(&random, 3));
        decode(bytes_of(noise, size));
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_common_bytes),
        cmocka_unit_test(test_no_entry_is_not_never),
        cmocka_unit_test(test_general_bytes),
        cmocka_unit_test(test_bytes_of_reals),
        cmocka_unit_test(test_sums_of_all_sizes),
        cmocka_unit_test(test_expiries_of_all_sizes),
        cmocka_unit_test(test_common_takes_few_bytes),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_refuses_what_is_no_row),
        cmocka_unit_test(test_refuses_what_is_too_big),
        cmocka_unit_test(test_siblings_are_bounded),
        cmocka_unit_test(test_survives_any_bytes),
        cmocka_unit_test(test_survives_noise),
    };
    return cmocka_run_group_tests_name("row_codec", tests, setup, teardown);
}
