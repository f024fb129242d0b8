/* SPDX-License-Identifier: MIT */
#include "node/gather_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

typedef bool combiner(const struct gather_parts *parts, struct arena *arena, struct reply *reply);

/* Two parts, their keys' positions ended by 0, and what they come to; NULL: no reply. */
static void expect(combiner *combine, const char *a, const char *b, const uint32_t *of_a,
                   const uint32_t *of_b, uint32_t scan_end, const char *expected)
{
    struct arena arena;
    struct buffer out = {0};
    struct reply reply = {&out, 2};
    struct bytes replies[] = {bytes_text(a), bytes_text(b)};
    uint32_t *positions[] = {(uint32_t *)(uintptr_t)of_a, (uint32_t *)(uintptr_t)of_b};
    uint32_t counts[2] = {0};
    for (unsigned i = 0; i < 2; i++)
        while (positions[i] && positions[i][counts[i]])
            counts[i]++;
    struct gather_parts parts = {2, replies, positions, counts, counts[0] + counts[1], scan_end};
    arena_init(&arena);
    assert_int_equal(combine(&parts, &arena, &reply), expected != NULL);
    if (expected) {
        struct bytes got = buffer_bytes(&out);
        assert_int_equal(got.size, strlen(expected));
        assert_memory_equal(got.data, expected, got.size);
    }
    arena_deinit(&arena);
    buffer_deinit(&out);
}

static const uint32_t none[] = {0};

static void test_sums(void **state)
{
    (void)state;
    expect(gather_sum, ":2\r\n", ":40\r\n", none, none, 0, ":42\r\n");
    expect(gather_sum, ":2\r\n", "+OK\r\n", none, none, 0, NULL);
    expect(gather_sum, ":2\r\n", ":4", none, none, 0, NULL);
}

static void test_values_stand_in_the_order_of_their_keys(void **state)
{
    static const uint32_t of_a[] = {1, 3, 0}, of_b[] = {2, 4, 0};
    (void)state;
    expect(gather_values, "*2\r\n$1\r\na\r\n$-1\r\n", "*2\r\n$3\r\nb\r\n\r\n_\r\n", of_a, of_b, 0,
           "*4\r\n$1\r\na\r\n$3\r\nb\r\n\r\n$-1\r\n_\r\n");
    expect(gather_values, "*1\r\n$1\r\na\r\n", "*2\r\n$1\r\nb\r\n$-1\r\n", of_a, of_b, 0, NULL);
    expect(gather_values, "*2\r\n$1\r\na\r\n", "*2\r\n$1\r\nb\r\n$-1\r\n", of_a, of_b, 0, NULL);
    expect(gather_values, "*2\r\n$9\r\na\r\n$-1\r\n", "*2\r\n$1\r\nb\r\n$-1\r\n", of_a, of_b, 0,
           NULL);
}

static void test_all_keys(void **state)
{
    (void)state;
    expect(gather_all, "*1\r\n$1\r\na\r\n", "*0\r\n", none, none, 0, "*1\r\n$1\r\na\r\n");
    expect(gather_all, "*1\r\n$1\r\na\r\n", "*-1\r\n", none, none, 0, NULL);
}

/* Where one node's slots end the next one's begin; only the last one's end is the end. */
static void test_a_scan_goes_on_at_the_next_node(void **state)
{
    (void)state;
    expect(gather_scan, "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", "", none, none, 2,
           "*2\r\n$15\r\n562949953421312\r\n*1\r\n$1\r\na\r\n");
    expect(gather_scan, "*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n", "", none, none, 2,
           "*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n");
    expect(gather_scan, "*2\r\n$1\r\n0\r\n*0\r\n", "", none, none, 16384,
           "*2\r\n$1\r\n0\r\n*0\r\n");
    expect(gather_scan, "*2\r\n$1\r\nx\r\n*0\r\n", "", none, none, 16384, NULL);
    expect(gather_scan, "*3\r\n$1\r\n0\r\n*0\r\n", "", none, none, 16384, NULL);
}

static void test_requests(void **state)
{
    struct buffer out = {0};
    struct bytes words[] = {BYTES("GET"), BYTES("k\r\n")};
    (void)state;
    gather_request(&out, words, 2);
    assert_memory_equal(buffer_bytes(&out).data, "*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n", 22);
    gather_request_with(&out, BYTES("DEL"), BYTES("$1\r\na\r\n"), 1);
    assert_int_equal(buffer_size(&out), 20);
    assert_memory_equal(buffer_bytes(&out).data, "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n", 20);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_values_stand_in_the_order_of_their_keys),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_a_scan_goes_on_at_the_next_node),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
