/* SPDX-License-Identifier: MIT */
/*
 * What a head's sibling of VALUE_CHUNKED holds instead of the string: the dot that its chunk rows
 * are named by, and the string's length. Bytes: base actor(8) base time(8) length(varint).
 */
#ifndef ROW_CHUNKED_H
#define ROW_CHUNKED_H

#include "base/arena.h"
#include "base/pack.h"
#include "row/dot.h"

enum {
    /* So that a chunk's row and name, of a key that is not long, fill a block of 4 KiB of the
     * allocator: with 4 KiB of the string alone it would take one of 5. */
    CHUNK_SIZE = 4 * 1024 - 128,
    CHUNKED_SIZE_MAX = 16 + VARINT_MAX,     /* packed */
    CHUNKED_LENGTH_MAX = 512 * 1024 * 1024, /* of a string: more is refused as damaged */
};

struct chunked {
    struct dot base;
    uint64_t length;
};

static inline struct bytes chunked_pack(struct arena *arena, struct chunked chunked)
{
    char *packed = arena_alloc(arena, CHUNKED_SIZE_MAX);
    char *end = pack_u64(pack_u64(packed, chunked.base.actor), chunked.base.time);
    end = pack_varint(end, chunked.length);
    return bytes_of(packed, (size_t)(end - packed));
}

/* False for bytes that are none. */
static inline bool chunked_unpack(struct bytes value, struct chunked *out)
{
    struct unpack in = unpack_begin(value);
    struct chunked chunked;
    chunked.base.actor = unpack_next_u64(&in);
    chunked.base.time = unpack_next_u64(&in);
    chunked.length = unpack_next_varint(&in);
    if (in.failed || in.next != in.end || chunked.length > CHUNKED_LENGTH_MAX)
        return false;
    *out = chunked;
    return true;
}

#endif
