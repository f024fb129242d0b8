/* SPDX-License-Identifier: MIT */
/* Sync's messages: the first byte is the kind, the rest its payload. What decodes is the one form
 * of what it means. */
#include "fuzz/fuzz.h"
#include "row/row_list.h"
#include "sync/sync_codec.h"

enum { KINDS = SYNC_COLLECT - MESSAGES_SYNC + 1 };

void fuzz_one(struct bytes input)
{
    struct sync_message message;
    struct buffer again = {0};
    unsigned type = MESSAGES_SYNC + fuzz_take_u8(&input) % KINDS;
    enum status status = sync_decode(type, input, &message);
    check(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status == STATUS_OK) {
        sync_encode(type, &message, &again);
        check(bytes_equal(buffer_bytes(&again), input));
    }
    buffer_deinit(&again);
}

static void seed_one(fuzz_seed seed, void *context, unsigned type, struct bytes body)
{
    struct buffer input = {0};
    struct sync_message message = {.cluster = 1, .version = 2, .number = 300, .body = body};
    buffer_append_u8(&input, (uint8_t)(type - MESSAGES_SYNC));
    sync_encode(type, &message, &input);
    seed(context, buffer_bytes(&input));
    buffer_deinit(&input);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct arena arena;
    struct buffer slots = {0}, digests = {0}, names = {0}, listed = {0}, indices = {0}, rows = {0};
    arena_init(&arena);
    struct bytes name = row_key_head(&arena, 0, BYTES("key"));
    sync_add_slot(&slots, 1);
    sync_add_slot(&slots, 16383);
    sync_add_digest(&digests, 1, 77);
    sync_add_name(&names, name);
    sync_add_listed(&listed, 77, name);
    sync_add_index(&indices, 5);
    sync_add_index(&indices, 500);
    row_list_append(&rows, name, BYTES("row"));
    for (unsigned type = MESSAGES_SYNC; type < MESSAGES_SYNC + KINDS; type++) {
        seed_one(seed, context, type, bytes_of("", 0));
        seed_one(seed, context, type, buffer_bytes(&slots));
        seed_one(seed, context, type, buffer_bytes(&digests));
        seed_one(seed, context, type, buffer_bytes(&names));
        seed_one(seed, context, type, buffer_bytes(&listed));
        seed_one(seed, context, type, buffer_bytes(&indices));
        seed_one(seed, context, type, buffer_bytes(&rows));
        seed_one(seed, context, type, name);
    }
    buffer_deinit(&slots);
    buffer_deinit(&digests);
    buffer_deinit(&names);
    buffer_deinit(&listed);
    buffer_deinit(&indices);
    buffer_deinit(&rows);
    arena_deinit(&arena);
}
