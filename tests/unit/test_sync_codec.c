/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "row/row_key.h"
#include "row/row_list.h"
#include "sync/sync_codec.h"

enum { FIRST = SYNC_ASK_DIGESTS, LAST = SYNC_COLLECT };

static void add_body(unsigned type, struct arena *arena, struct buffer *body)
{
    struct bytes a = row_key_head(arena, 0, BYTES("a")), b = row_key_head(arena, 1, BYTES("b"));
    switch ((enum sync_type)type) {
    case SYNC_ASK_DIGESTS:
        sync_add_digest(body, 3, 5);
        sync_add_digest(body, 16383, UINT64_MAX);
        break;
    case SYNC_DIFFERING:
    case SYNC_BARRIER:
        sync_add_slot(body, 0);
        sync_add_slot(body, 16383);
        break;
    case SYNC_ASK_LIST:
        buffer_append_bytes(body, a);
        break;
    case SYNC_ASK_ROWS:
        sync_add_name(body, a);
        sync_add_name(body, b);
        break;
    case SYNC_ROWS:
    case SYNC_PUSH:
        row_list_append(body, row_key_chunk(arena, a, (struct dot){1, 2}, 3), BYTES("chunk"));
        row_list_append(body, a, BYTES("head"));
        break;
    case SYNC_WANTED:
    case SYNC_CONFIRM:
        sync_add_index(body, 0);
        sync_add_index(body, 300);
        break;
    case SYNC_FAILED:
    case SYNC_PUSHED:
    case SYNC_PASSED:
        break;
    default:
        sync_add_listed(body, 7, a);
        sync_add_listed(body, 8, b);
    }
}

static void encode_some(unsigned type, struct arena *arena, struct buffer *out)
{
    struct buffer body = {0};
    add_body(type, arena, &body);
    struct sync_message message = {
        .cluster = 77,
        .version = 300,
        .number = 1000000,
        .flags = 0,
        .slot = 16383,
        .digest = 99,
        .place = {1, 2, 3},
        .body = buffer_bytes(&body),
    };
    sync_encode(type, &message, out);
    buffer_deinit(&body);
}

static enum status decode(unsigned type, struct bytes payload)
{
    struct sync_message message;
    return sync_decode(type, payload, &message);
}

/* A payload of that kind with this body. */
static enum status decode_body(unsigned type, struct buffer *body)
{
    struct buffer payload = {0};
    struct sync_message message = {.body = buffer_bytes(body)};
    sync_encode(type, &message, &payload);
    enum status status = decode(type, buffer_bytes(&payload));
    buffer_deinit(&payload);
    buffer_clear(body, 0);
    return status;
}

static void each_kind_comes_back_as_it_was(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (unsigned type = FIRST; type <= LAST; type++) {
        struct buffer payload = {0}, again = {0};
        struct sync_message message;
        encode_some(type, &arena, &payload);
        assert_int_equal(sync_decode(type, buffer_bytes(&payload), &message), STATUS_OK);
        assert_int_equal(message.cluster, 77);
        assert_int_equal(message.version, 300);
        assert_int_equal(message.number, 1000000);
        sync_encode(type, &message, &again);
        assert_true(bytes_equal(buffer_bytes(&payload), buffer_bytes(&again)));
        buffer_deinit(&payload);
        buffer_deinit(&again);
    }
    arena_deinit(&arena);
}

static void cut_messages_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (unsigned type = FIRST; type <= LAST; type++) {
        struct buffer payload = {0}, again = {0};
        struct sync_message message;
        encode_some(type, &arena, &payload);
        for (size_t size = 0; size < buffer_size(&payload); size++) {
            struct bytes cut = bytes_of(buffer_bytes(&payload).data, size);
            if (sync_decode(type, cut, &message) != STATUS_OK)
                continue;
            /* Only where an entry ends. */
            buffer_clear(&again, 0);
            sync_encode(type, &message, &again);
            assert_true(bytes_equal(cut, buffer_bytes(&again)));
        }
        assert_int_equal(decode(type, bytes_of(buffer_bytes(&payload).data, 9)), STATUS_CORRUPT);
        buffer_deinit(&payload);
        buffer_deinit(&again);
    }
    arena_deinit(&arena);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    struct buffer body = {0};
    struct arena arena;
    arena_init(&arena);
    struct bytes head = row_key_head(&arena, 0, BYTES("a"));
    struct bytes chunk = row_key_chunk(&arena, head, (struct dot){1, 2}, 3);
    sync_add_slot(&body, 5);
    sync_add_slot(&body, 5);
    assert_int_equal(decode_body(SYNC_DIFFERING, &body), STATUS_CORRUPT);
    sync_add_slot(&body, 16384);
    assert_int_equal(decode_body(SYNC_DIFFERING, &body), STATUS_CORRUPT);
    sync_add_digest(&body, 6, 1);
    sync_add_digest(&body, 5, 1);
    assert_int_equal(decode_body(SYNC_ASK_DIGESTS, &body), STATUS_CORRUPT);
    sync_add_index(&body, 2);
    sync_add_index(&body, 1);
    assert_int_equal(decode_body(SYNC_WANTED, &body), STATUS_CORRUPT);
    sync_add_name(&body, chunk);
    assert_int_equal(decode_body(SYNC_ASK_ROWS, &body), STATUS_CORRUPT);
    sync_add_listed(&body, 1, BYTES("nonsense"));
    assert_int_equal(decode_body(SYNC_OFFER, &body), STATUS_CORRUPT);
    row_list_append(&body, BYTES("nonsense"), BYTES("row"));
    assert_int_equal(decode_body(SYNC_PUSH, &body), STATUS_CORRUPT);
    buffer_append_bytes(&body, chunk);
    assert_int_equal(decode_body(SYNC_ASK_LIST, &body), STATUS_CORRUPT);
    buffer_append_u8(&body, 0);
    assert_int_equal(decode_body(SYNC_FAILED, &body), STATUS_CORRUPT);
    sync_add_name(&body, head);
    assert_int_equal(decode_body(SYNC_ASK_ROWS, &body), STATUS_OK);
    buffer_deinit(&body);
    arena_deinit(&arena);
}

static void unknown_flags_and_kinds_are_refused(void **state)
{
    (void)state;
    struct buffer payload = {0};
    struct sync_message message = {.flags = SYNC_END};
    sync_encode(SYNC_PUSHED, &message, &payload);
    assert_int_equal(decode(SYNC_PUSHED, buffer_bytes(&payload)), STATUS_CORRUPT);
    assert_int_equal(decode(SYNC_LISTED, buffer_bytes(&payload)), STATUS_OK);
    assert_int_equal(decode(MESSAGES_NODE, buffer_bytes(&payload)), STATUS_CORRUPT);
    assert_int_equal(decode(MESSAGES_QUORUM, buffer_bytes(&payload)), STATUS_CORRUPT);
    buffer_deinit(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_comes_back_as_it_was),
        cmocka_unit_test(cut_messages_are_refused),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(unknown_flags_and_kinds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
