/* SPDX-License-Identifier: MIT */
#include "type/dump.h"

#include "base/pack.h"
#include "base/xxh.h"
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

/* What the version and the checksum vouch for. */
static bool open_payload(struct bytes payload, struct bytes *out_inside)
{
    if (payload.size < FOOTER_SIZE)
        return false;
    const char *footer = payload.data + payload.size - FOOTER_SIZE;
    unsigned version = (unsigned char)footer[0] | (unsigned)(unsigned char)footer[1] << 8;
    struct bytes checked = bytes_of(payload.data, payload.size - CHECKSUM_SIZE);
    if (version != DUMP_VERSION || unpack_u64(footer + VERSION_SIZE) != xxh64(checked))
        return false;
    *out_inside = bytes_of(payload.data, payload.size - FOOTER_SIZE);
    return true;
}

enum status dump_decode(struct bytes payload, struct arena *arena, struct dump *out)
{
    struct bytes inside;
    (void)arena; /* a string is borrowed; other types will need it */
    if (!open_payload(payload, &inside))
        return STATUS_VERSION;
    if (inside.size == 0 || inside.data[0] != DUMP_STRING || inside.size - 1 > STRING_SIZE_MAX)
        return STATUS_CORRUPT;
    *out = (struct dump){.type = DUMP_STRING, .string = bytes_of(inside.data + 1, inside.size - 1)};
    return STATUS_OK;
}
