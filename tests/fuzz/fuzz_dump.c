/* SPDX-License-Identifier: MIT */
/*
 * What RESTORE is given. An input is a byte and a payload: with '0' as it is; with another, version
 * and checksum are put behind it, for they are not to be guessed: with '1' our own, else those of a
 * Redis of version 1 to 12. What decodes is encoded to what decodes to the same.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/crc64.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "fuzz/fuzz.h"
#include "type/dump.h"
#include "type/dump_redis.h"
#include "type/string.h"

enum { VERSION_SIZE = 2, CHECKSUM_SIZE = 8 };

static void check_same(const struct dump *dump, struct arena *arena)
{
    struct dump again;
    struct bytes payload = dump_encode(dump, arena);
    check(payload.size == dump->string.size + DUMP_OVERHEAD);
    check(dump_decode(payload, arena, &again) == STATUS_OK);
    check(again.type == dump->type && bytes_equal(again.string, dump->string));
    ((char *)payload.data)[payload.size / 2] ^= 1;
    check(dump_decode(payload, arena, &again) != STATUS_OK);
}

/* A block of exactly its size: whoever reads further is found out. */
static enum status decode(struct bytes payload, struct arena *arena)
{
    struct dump dump;
    char *exact = memory_alloc(payload.size);
    if (payload.size)
        memcpy(exact, payload.data, payload.size);
    enum status status = dump_decode(bytes_of(exact, payload.size), arena, &dump);
    check(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    if (status == STATUS_OK) {
        check(dump.string.size <= STRING_SIZE_MAX);
        check_same(&dump, arena);
    }
    memory_free(exact);
    return status;
}

static void add_footer(struct buffer *payload, uint8_t how)
{
    unsigned version = how == '1' ? DUMP_VERSION : 1 + how % DUMP_REDIS_VERSION_MAX;
    char footer[VERSION_SIZE + CHECKSUM_SIZE] = {(char)version, (char)(version >> 8)};
    buffer_append(payload, footer, VERSION_SIZE);
    struct bytes checked = buffer_bytes(payload);
    pack_u64(footer, how == '1' ? xxh64(checked) : crc64(checked));
    buffer_append(payload, footer, CHECKSUM_SIZE);
}

void fuzz_one(struct bytes input)
{
    struct arena arena;
    struct buffer payload = {0};
    arena_init(&arena);
    uint8_t how = fuzz_take_u8(&input);
    buffer_append_bytes(&payload, input);
    if (how != '0') {
        add_footer(&payload, how);
        check(decode(buffer_bytes(&payload), &arena) != STATUS_VERSION);
    } else {
        decode(buffer_bytes(&payload), &arena);
    }
    buffer_deinit(&payload);
    arena_deinit(&arena);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct arena arena;
    struct dump dump = {DUMP_STRING, BYTES("a string")};
    arena_init(&arena);
    struct bytes payload = dump_encode(&dump, &arena);
    char *input = arena_alloc(&arena, 1 + payload.size);
    input[0] = '0';
    memcpy(input + 1, payload.data, payload.size);
    seed(context, bytes_of(input, 1 + payload.size));
    arena_deinit(&arena);
    seed(context, BYTES("1\x00own"));
    seed(context, BYTES("1\x01own"));
    /* Of a Redis: lengths of each size, integers, LZF: "aaaaaaaaaaaa", and back into itself. */
    seed(context, BYTES("9\x00\x05hello"));
    seed(context, BYTES("9\x00\x40\x03"
                        "abc"));
    seed(context, BYTES("9\x00\x80\x00\x00\x00\x02"
                        "ab"));
    seed(context, BYTES("9\x00\x81\x00\x00\x00\x00\x00\x00\x00\x02"
                        "ab"));
    seed(context, BYTES("9\x00\xc0\x85"));
    seed(context, BYTES("9\x00\xc1\x39\x30"));
    seed(context, BYTES("9\x00\xc2\x15\xcd\x5b\x07"));
    seed(context, BYTES("9\x00\xc3\x05\x0c\x00"
                        "a\xe0\x02\x00"));
    seed(context, BYTES("9\x00\xc3\x09\x08\x01"
                        "ab\x20\x01\x01"
                        "cd"));
    seed(context, BYTES("9\x0a\x01\x01"));
}
