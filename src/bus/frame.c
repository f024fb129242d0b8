/* SPDX-License-Identifier: MIT */
#include "bus/frame.h"

#include "base/pack.h"
#include "base/xxh.h"

enum {
    SUM_AT = 8,
    SUMMED_FROM = 16, /* what the checksum covers */
    TYPE_AT = 20,
    PREFIX_SIZE = 8, /* the same in every frame */
};

/* The version first where it stands: whoever speaks another one is told so. */
static const char prefix[PREFIX_SIZE] = {'S', 'h', 'B', 'u', FRAME_VERSION, 0, 0, 0};
enum { MAGIC_SIZE = 4 };

void frame_append(struct buffer *out, unsigned type, struct bytes payload)
{
    char *frame = buffer_reserve(out, FRAME_HEADER_SIZE + payload.size);
    memcpy(frame, prefix, PREFIX_SIZE);
    pack_u32(frame + SUMMED_FROM, (uint32_t)payload.size);
    pack_u32(frame + TYPE_AT, type);
    if (payload.size > 0)
        memcpy(frame + FRAME_HEADER_SIZE, payload.data, payload.size);
    size_t size = FRAME_HEADER_SIZE + payload.size;
    pack_u64(frame + SUM_AT, xxh64(bytes_of(frame + SUMMED_FROM, size - SUMMED_FROM)));
    buffer_commit(out, size);
}

/* Of as many bytes of a header as there are. */
static enum status check_prefix(struct bytes bytes)
{
    size_t size = bytes.size < PREFIX_SIZE ? bytes.size : PREFIX_SIZE;
    size_t magic_size = size < MAGIC_SIZE ? size : MAGIC_SIZE;
    if (memcmp(bytes.data, prefix, magic_size) != 0)
        return STATUS_CORRUPT;
    if (size > MAGIC_SIZE && bytes.data[MAGIC_SIZE] != FRAME_VERSION)
        return STATUS_VERSION;
    return memcmp(bytes.data, prefix, size) == 0 ? STATUS_OK : STATUS_CORRUPT;
}

enum status frame_parse(struct bytes bytes, size_t payload_max, struct frame *out, size_t *out_size)
{
    enum status status = bytes.size > 0 ? check_prefix(bytes) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    *out_size = FRAME_HEADER_SIZE;
    if (bytes.size < FRAME_HEADER_SIZE)
        return STATUS_ABSENT;
    size_t payload_size = unpack_u32(bytes.data + SUMMED_FROM);
    uint32_t type = unpack_u32(bytes.data + TYPE_AT);
    if (type > UINT8_MAX)
        return STATUS_CORRUPT;
    if (payload_size > payload_max)
        return STATUS_TOO_BIG;
    *out_size += payload_size;
    if (bytes.size < *out_size)
        return STATUS_ABSENT;
    struct bytes summed = bytes_of(bytes.data + SUMMED_FROM, *out_size - SUMMED_FROM);
    if (xxh64(summed) != unpack_u64(bytes.data + SUM_AT))
        return STATUS_CORRUPT;
    *out = (struct frame){type, bytes_of(bytes.data + FRAME_HEADER_SIZE, payload_size)};
    return STATUS_OK;
}
