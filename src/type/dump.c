/* SPDX-License-Identifier: MIT */
#include "type/dump.h"

#include "base/crc64.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "type/dump_redis.h"
#include "type/string.h"

enum {
    VERSION_SIZE = 2,
    CHECKSUM_SIZE = 8,
    FOOTER_SIZE = VERSION_SIZE + CHECKSUM_SIZE,
};

struct bytes dump_encode(const struct dump *dump, struct arena *arena)
{
    size_t size = DUMP_OVERHEAD + dump->string.size;
    char *payload = arena_alloc(arena, size);
    char *end = payload;
    *end++ = (char)dump->type;
    if (dump->string.size > 0)
        memcpy(end, dump->string.data, dump->string.size);
    end += dump->string.size;
    *end++ = (char)(DUMP_VERSION & 0xff);
    *end++ = (char)(DUMP_VERSION >> 8);
    pack_u64(end, xxh64(bytes_of(payload, size - CHECKSUM_SIZE)));
    return bytes_of(payload, size);
}

static enum status decode_own(struct bytes inside, struct dump *out)
{
    if (inside.size == 0 || inside.data[0] != DUMP_STRING || inside.size - 1 > STRING_SIZE_MAX)
        return STATUS_CORRUPT;
    *out = (struct dump){.type = DUMP_STRING, .string = bytes_of(inside.data + 1, inside.size - 1)};
    return STATUS_OK;
}

enum status dump_decode(struct bytes payload, struct arena *arena, struct dump *out)
{
    if (payload.size < FOOTER_SIZE)
        return STATUS_VERSION;
    struct bytes inside = bytes_of(payload.data, payload.size - FOOTER_SIZE);
    struct bytes checked = bytes_of(payload.data, payload.size - CHECKSUM_SIZE);
    const char *footer = payload.data + inside.size;
    unsigned version = (unsigned char)footer[0] | (unsigned)(unsigned char)footer[1] << 8;
    uint64_t checksum = unpack_u64(footer + VERSION_SIZE);
    if (version == DUMP_VERSION && checksum == xxh64(checked))
        return decode_own(inside, out);
    if (version <= DUMP_REDIS_VERSION_MAX && checksum == crc64(checked))
        return dump_redis_decode(inside, arena, out);
    return STATUS_VERSION;
}
