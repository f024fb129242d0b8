/* SPDX-License-Identifier: MIT */
#include "store/meta.h"

#include "base/pack.h"

void meta_expiry_name(struct buffer *out, uint64_t at_ms, struct bytes name)
{
    char *prefix = buffer_reserve(out, META_EXPIRY_PREFIX_SIZE + name.size);
    prefix[0] = (char)META_EXPIRY;
    pack_be(prefix + 1, at_ms, 8);
    memcpy(prefix + META_EXPIRY_PREFIX_SIZE, name.data, name.size);
    buffer_commit(out, META_EXPIRY_PREFIX_SIZE + name.size);
}

bool meta_expiry_decode(struct bytes index_name, uint64_t *out_at_ms, struct bytes *out_name)
{
    if (index_name.size <= META_EXPIRY_PREFIX_SIZE ||
        (unsigned char)index_name.data[0] != META_EXPIRY)
        return false;
    *out_at_ms = unpack_be(index_name.data + 1, 8);
    *out_name = bytes_of(index_name.data + META_EXPIRY_PREFIX_SIZE,
                         index_name.size - META_EXPIRY_PREFIX_SIZE);
    return true;
}

struct bytes meta_seal_name(void)
{
    return BYTES("\xf0seal");
}

void meta_seal_encode(struct buffer *out, uint64_t position)
{
    char *room = buffer_reserve(out, 2 * VARINT_MAX);
    char *end = pack_varint(pack_varint(room, META_FORMAT), position);
    buffer_commit(out, (size_t)(end - room));
}

enum status meta_seal_read(struct tier *tier, uint64_t *out_position)
{
    struct buffer row = {0};
    enum status status = tier->ops->get(tier, meta_seal_name(), &row);
    if (status == STATUS_ABSENT) {
        *out_position = 0;
        status = STATUS_OK;
    } else if (status == STATUS_OK) {
        struct unpack in = unpack_begin(buffer_bytes(&row));
        uint64_t format = unpack_next_varint(&in);
        uint64_t position = unpack_next_varint(&in);
        if (in.failed || in.next != in.end)
            status = STATUS_CORRUPT;
        else if (format != META_FORMAT)
            status = STATUS_VERSION;
        else
            *out_position = position;
    }
    buffer_deinit(&row);
    return status;
}

struct bytes meta_facts_name(char *name, uint8_t db)
{
    memcpy(name,
           "\xf0"
           "facts",
           6);
    name[6] = (char)db;
    return bytes_of(name, META_FACTS_NAME_SIZE);
}
