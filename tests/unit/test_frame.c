/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "bus/frame.h"

enum { PAYLOAD_MAX = 1000 };

static enum status parse(const struct buffer *in, size_t size, struct frame *out, size_t *out_size)
{
    /* A block of just that size: reading beyond is seen. */
    static char *block;
    memory_free(block);
    block = memory_alloc(size);
    memcpy(block, in->block, size);
    return frame_parse(bytes_of(block, size), PAYLOAD_MAX, out, out_size);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 239, 240, PAYLOAD_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char payload[PAYLOAD_MAX];
        memset(payload, (int)('a' + i), sizeof payload);
        struct buffer out = {0};
        frame_append(&out, (unsigned)(i * 40), bytes_of(payload, sizes[i]));
        buffer_append(&out, "more", 4);
        struct frame frame;
        size_t size;
        assert_int_equal(parse(&out, buffer_size(&out), &frame, &size), STATUS_OK);
        assert_int_equal(size, FRAME_HEADER_SIZE + sizes[i]);
        assert_int_equal(frame.type, i * 40);
        assert_true(bytes_equal(frame.payload, bytes_of(payload, sizes[i])));
        buffer_deinit(&out);
    }
}

/* The bytes as src/bus/README.md draws them. */
static void the_form_stays(void **state)
{
    (void)state;
    struct buffer out = {0};
    frame_append(&out, 0x21, BYTES("hey"));
    char expected[27] = "ShBu\1\0\0\0--------\3\0\0\0\x21\0\0\0hey";
    pack_u64(expected + 8, xxh64(bytes_of(expected + 16, 11)));
    assert_int_equal(buffer_size(&out), sizeof expected);
    assert_memory_equal(out.block, expected, sizeof expected);
    buffer_deinit(&out);
}

static void a_part_of_a_frame_says_how_much_it_needs(void **state)
{
    (void)state;
    struct buffer out = {0};
    frame_append(&out, 1, BYTES("payload"));
    size_t whole = buffer_size(&out);
    for (size_t part = 0; part < whole; part++) {
        struct frame frame;
        size_t size = 0;
        assert_int_equal(parse(&out, part, &frame, &size), STATUS_ABSENT);
        assert_int_equal(size, part < FRAME_HEADER_SIZE ? FRAME_HEADER_SIZE : whole);
    }
    buffer_deinit(&out);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct buffer out = {0};
    frame_append(&out, 1, BYTES("payload"));
    for (size_t bit = 0; bit < 8 * buffer_size(&out); bit++) {
        struct frame frame;
        size_t size;
        out.block[bit / 8] = (char)(out.block[bit / 8] ^ 1 << bit % 8);
        /* A size that has grown waits for bytes, which will not fit the sum. */
        assert_int_not_equal(parse(&out, buffer_size(&out), &frame, &size), STATUS_OK);
        out.block[bit / 8] = (char)(out.block[bit / 8] ^ 1 << bit % 8);
    }
    buffer_deinit(&out);
}

static void nonsense_is_told_as_soon_as_it_is_seen(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct frame frame;
    size_t size;
    char big[PAYLOAD_MAX + 1] = {0};
    frame_append(&out, 1, bytes_of(big, sizeof big));
    assert_int_equal(parse(&out, FRAME_HEADER_SIZE - 1, &frame, &size), STATUS_ABSENT);
    assert_int_equal(parse(&out, FRAME_HEADER_SIZE, &frame, &size), STATUS_TOO_BIG);
    out.block[4] = 2;
    assert_int_equal(parse(&out, 4, &frame, &size), STATUS_ABSENT);
    assert_int_equal(parse(&out, 5, &frame, &size), STATUS_VERSION);
    out.block[1] = 'x';
    assert_int_equal(parse(&out, 1, &frame, &size), STATUS_ABSENT);
    assert_int_equal(parse(&out, 2, &frame, &size), STATUS_CORRUPT);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(the_form_stays),
        cmocka_unit_test(a_part_of_a_frame_says_how_much_it_needs),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(nonsense_is_told_as_soon_as_it_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
