/* SPDX-License-Identifier: MIT */
/*
 * Integers as bytes. Big-endian where the bytes are compared (keys), little-endian elsewhere,
 * varints (LEB128: seven bits a byte, the lowest first, the top bit says that more follow) for what
 * is mostly small.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

enum { VARINT_MAX = 10 }; /* bytes that a varint takes at most */

static inline char *pack_be(char *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        out[i] = (char)(value >> (8 * (size - 1 - i)));
    return out + size;
}

static inline uint64_t unpack_be(const char *in, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

static inline char *pack_u32(char *out, uint32_t value)
{
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static inline uint32_t unpack_u32(const char *in)
{
    uint32_t value;
    memcpy(&value, in, sizeof(value));
    return value;
}

static inline char *pack_u64(char *out, uint64_t value)
{
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static inline uint64_t unpack_u64(const char *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof(value));
    return value;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian machines only");

static inline char *pack_varint(char *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (char)value;
    return out;
}

static inline unsigned varint_size(uint64_t value)
{
    unsigned size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

/* A reader that never passes the end: after the first failure all reads give 0 and `failed` stays
 * set. */
struct unpack {
    const char *next;
    const char *end;
    bool failed;
};

static inline struct unpack unpack_begin(struct bytes bytes)
{
    return (struct unpack){bytes.data, bytes.data + bytes.size, false};
}

static inline struct bytes unpack_bytes(struct unpack *in, uint64_t size)
{
    if (in->failed || (uint64_t)(in->end - in->next) < size) {
        in->failed = true;
        return bytes_of("", 0);
    }
    struct bytes bytes = bytes_of(in->next, (size_t)size);
    in->next += size;
    return bytes;
}

static inline uint8_t unpack_next_u8(struct unpack *in)
{
    struct bytes bytes = unpack_bytes(in, 1);
    return in->failed ? 0 : (uint8_t)bytes.data[0];
}

static inline uint64_t unpack_next_u64(struct unpack *in)
{
    struct bytes bytes = unpack_bytes(in, 8);
    return in->failed ? 0 : unpack_u64(bytes.data);
}

/* Refuses what is longer than needed or than 64 bits: one value has one form. */
static inline uint64_t unpack_next_varint(struct unpack *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = unpack_next_u8(in);
        if (in->failed || (shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    in->failed = true;
    return 0;
}

#endif
