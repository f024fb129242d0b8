/* SPDX-License-Identifier: MIT */
#include "type/dump_redis.h"

#include "base/number.h"
#include "base/pack.h"
#include "type/string.h"

enum {
    TYPE_STRING = 0,
    /* The two upper bits of a first byte, and what the lower ones say with them. */
    SHORT = 0,
    MEDIUM = 1,
    LONG = 2,
    ENCODED = 3,
    LOW_BITS = 0x3f,
    LONG_32 = 0,
    LONG_64 = 1,
    INT_8 = 0,
    INT_16 = 1,
    INT_32 = 2,
    PACKED = 3,
    LZF_LITERAL_MAX = 32,
    LZF_LENGTH_MAX = 7,
    LZF_RATIO_MAX = 88, /* 264 bytes from 3 */
};

/* ---- LZF ------------------------------------------------------------------------------------- */

struct output {
    char *data;
    size_t size, room;
};

static bool put_literal(struct output *out, struct bytes bytes)
{
    if (bytes.size > out->room - out->size)
        return false;
    memcpy(out->data + out->size, bytes.data, bytes.size);
    out->size += bytes.size;
    return true;
}

static bool put_again(struct output *out, size_t back, size_t size)
{
    if (back > out->size || size > out->room - out->size)
        return false;
    for (; size > 0; size--, out->size++)
        out->data[out->size] = out->data[out->size - back];
    return true;
}

/* To the last byte of both. */
static bool unpack_lzf(struct bytes packed, struct output *out)
{
    struct unpack in = unpack_begin(packed);
    while (in.next < in.end) {
        unsigned control = unpack_next_u8(&in);
        bool valid;
        if (control < LZF_LITERAL_MAX) {
            valid = put_literal(out, unpack_bytes(&in, control + 1));
        } else {
            size_t size = control >> 5;
            if (size == LZF_LENGTH_MAX)
                size += unpack_next_u8(&in);
            size_t back = (control & 0x1f) << 8 | unpack_next_u8(&in);
            valid = put_again(out, back + 1, size + 2);
        }
        if (!valid || in.failed)
            return false;
    }
    return out->size == out->room;
}

/* ---- a string -------------------------------------------------------------------------------- */

static uint64_t next_be(struct unpack *in, unsigned size)
{
    struct bytes bytes = unpack_bytes(in, size);
    return in->failed ? 0 : unpack_be(bytes.data, size);
}

/* A length behind its first byte, which is not ENCODED. */
static uint64_t next_length(struct unpack *in, uint8_t first)
{
    unsigned low = first & LOW_BITS;
    switch (first >> 6) {
    case SHORT:
        return low;
    case MEDIUM:
        return low << 8 | unpack_next_u8(in);
    case LONG:
        if (low == LONG_32)
            return next_be(in, 4);
        if (low == LONG_64)
            return next_be(in, 8);
    }
    in->failed = true;
    return 0;
}

static struct bytes next_integer(struct unpack *in, unsigned encoding, struct arena *arena)
{
    char *text = arena_alloc(arena, NUMBER_TEXT_MAX);
    uint32_t raw = 0;
    unsigned size = 1u << encoding;
    struct bytes bytes = unpack_bytes(in, size);
    memcpy(&raw, bytes.data, bytes.size);
    int64_t value = encoding == INT_8    ? (int8_t)raw
                    : encoding == INT_16 ? (int16_t)raw
                                         : (int32_t)raw;
    return bytes_of(text, number_format_i64(value, text));
}

static struct bytes next_packed(struct unpack *in, struct arena *arena)
{
    uint64_t packed_size = next_length(in, unpack_next_u8(in));
    uint64_t size = next_length(in, unpack_next_u8(in));
    struct bytes packed = unpack_bytes(in, packed_size);
    /* Before memory is taken for it: it must be possible. */
    if (in->failed || size > STRING_SIZE_MAX || size / LZF_RATIO_MAX > packed.size) {
        in->failed = true;
        return bytes_of("", 0);
    }
    struct output out = {.data = arena_alloc(arena, (size_t)size), .room = (size_t)size};
    if (!unpack_lzf(packed, &out))
        in->failed = true;
    return bytes_of(out.data, out.size);
}

enum status dump_redis_decode(struct bytes inside, struct arena *arena, struct dump *out)
{
    struct unpack in = unpack_begin(inside);
    struct bytes string;
    if (unpack_next_u8(&in) != TYPE_STRING)
        return STATUS_CORRUPT;
    uint8_t first = unpack_next_u8(&in);
    unsigned low = first & LOW_BITS;
    if (first >> 6 != ENCODED)
        string = unpack_bytes(&in, next_length(&in, first));
    else if (low <= INT_32)
        string = next_integer(&in, low, arena);
    else if (low == PACKED)
        string = next_packed(&in, arena);
    else
        return STATUS_CORRUPT;
    if (in.failed || in.next != in.end || string.size > STRING_SIZE_MAX)
        return STATUS_CORRUPT;
    *out = (struct dump){.type = DUMP_STRING, .string = string};
    return STATUS_OK;
}
