/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    enum { ROUNDS = 100000, PART_MAX = 300, AHEAD_MAX = 20000 };
    struct buffer buffer = {0};
    struct random random = {7};
    uint64_t in = 0, out = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t size = (size_t)(random_next(&random) % PART_MAX);
        if (random_next(&random) % 2 == 0 && in - out < AHEAD_MAX) {
            char *room = buffer_reserve(&buffer, size);
            for (size_t j = 0; j < size; j++)
                room[j] = (char)(in++ * 31 >> 3);
            buffer_commit(&buffer, size);
        } else {
            size = size < buffer_size(&buffer) ? size : buffer_size(&buffer);
            struct bytes bytes = buffer_bytes(&buffer);
            for (size_t j = 0; j < size; j++)
                assert_true(bytes.data[j] == (char)(out++ * 31 >> 3));
            buffer_consume(&buffer, size);
        }
        assert_int_equal(buffer_size(&buffer), in - out);
    }
    assert_true(buffer.capacity <= 8 * AHEAD_MAX);
    buffer_deinit(&buffer);
}

/* A full queue that moves on by little steps: each byte is copied a few times, not once a step. */
static void a_little_room_is_not_worth_moving_much(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024, STEP = 1024, STEPS = 4096 };
    struct buffer buffer = {0};
    buffer_commit(&buffer, (buffer_reserve(&buffer, SIZE), SIZE));
    unsigned moves = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        buffer_consume(&buffer, STEP);
        size_t start = buffer.start;
        const char *block = buffer.block;
        buffer_commit(&buffer, (buffer_reserve(&buffer, STEP), STEP));
        moves += buffer.start != start || buffer.block != block;
    }
    assert_true(moves <= STEPS * STEP / SIZE + 2);
    assert_true(buffer.capacity <= 4 * SIZE);
    buffer_deinit(&buffer);
}

static void an_empty_buffer_begins_again_at_its_front(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append_bytes(&buffer, BYTES("0123456789"));
    buffer_consume(&buffer, 4);
    buffer_truncate(&buffer, 3);
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("456")));
    buffer_consume(&buffer, 3);
    assert_int_equal(buffer.start, 0);
    buffer_printf(&buffer, "%d and %s", 7, "seven");
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("7 and seven")));
    buffer_clear(&buffer, buffer.capacity);
    assert_non_null(buffer.block);
    buffer_clear(&buffer, buffer.capacity - 1);
    assert_null(buffer.block);
    buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(a_little_room_is_not_worth_moving_much),
        cmocka_unit_test(an_empty_buffer_begins_again_at_its_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
