/* SPDX-License-Identifier: MIT */
#include "row/row_list.h"

#include "base/pack.h"

void row_list_append(struct buffer *list, struct bytes name, struct bytes row)
{
    char *start = buffer_reserve(list, 2 * VARINT_MAX + name.size + row.size);
    char *out = pack_varint(pack_varint(start, name.size), row.size);
    if (name.size > 0)
        memcpy(out, name.data, name.size);
    out += name.size;
    if (row.size > 0)
        memcpy(out, row.data, row.size);
    buffer_commit(list, (size_t)(out - start) + row.size);
}

bool row_list_next(struct bytes *rest, struct bytes *out_name, struct bytes *out_row)
{
    struct unpack in = unpack_begin(*rest);
    uint64_t name_size = unpack_next_varint(&in);
    uint64_t row_size = unpack_next_varint(&in);
    struct bytes name = unpack_bytes(&in, name_size);
    struct bytes row = unpack_bytes(&in, row_size);
    if (in.failed)
        return false;
    *out_name = name;
    *out_row = row;
    *rest = bytes_of(in.next, (size_t)(in.end - in.next));
    return true;
}
