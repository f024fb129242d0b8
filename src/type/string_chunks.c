/* SPDX-License-Identifier: MIT */
#include "type/string_chunks.h"

#include "row/row.h"
#include "row/row_key.h"
#include "type/string.h"

/* The part of one chunk that a range of the string covers. */
struct piece {
    uint32_t index; /* of the chunk */
    size_t start;   /* within the chunk */
    size_t size;
};

static struct piece piece_at(uint64_t offset, uint64_t end)
{
    size_t start = (size_t)(offset % CHUNK_SIZE);
    uint64_t size = CHUNK_SIZE - start;
    if (size > end - offset)
        size = end - offset;
    return (struct piece){(uint32_t)(offset / CHUNK_SIZE), start, (size_t)size};
}

static struct bytes chunk_name(struct cell *head, struct dot base, uint32_t index)
{
    return row_key_chunk(head->txn->arena, head->name, base, index);
}

static enum status chunk_find(struct cell *head, struct bytes name, struct cell *out)
{
    enum status status = cell_find(head->txn, name, out);
    if (status != STATUS_OK)
        return status;
    if (!out->exists) {
        out->newest.value = bytes_of("", 0);
        return STATUS_OK;
    }
    bool valid = out->newest.form == VALUE_CHUNK && out->newest.value.size <= CHUNK_SIZE;
    return valid ? STATUS_OK : STATUS_CORRUPT;
}

struct bytes chunks_name(struct cell *head, struct dot base)
{
    return chunk_name(head, base, 0);
}

enum status chunks_look(struct cell *head, struct bytes name, uint32_t index,
                        struct bytes *out_value)
{
    struct cell chunk;
    row_key_chunk_change(name, index);
    enum status status = chunk_find(head, name, &chunk);
    if (status == STATUS_OK)
        *out_value = chunk.newest.value;
    return status;
}

/* What the chunk has at this place: fewer bytes than the piece's where the rest is zeros. */
static struct bytes chunk_slice(struct bytes chunk, struct piece piece)
{
    if (chunk.size <= piece.start)
        return bytes_of("", 0);
    size_t rest = chunk.size - piece.start;
    return bytes_of(chunk.data + piece.start, rest < piece.size ? rest : piece.size);
}

static void copy_filled(char *out, size_t size, struct bytes bytes)
{
    memcpy(out, bytes.data, bytes.size);
    memset(out + bytes.size, 0, size - bytes.size);
}

enum status chunks_read(struct cell *head, struct dot base, uint64_t from, uint64_t size,
                        struct bytes *out_value)
{
    uint64_t end = from + size;
    char *whole = arena_alloc(head->txn->arena, size);
    struct bytes name = chunks_name(head, base);
    bool cold = false;
    for (uint64_t offset = from; offset < end;) {
        struct piece piece = piece_at(offset, end);
        struct bytes chunk;
        enum status status = chunks_look(head, name, piece.index, &chunk);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
        if (!cold) {
            struct bytes slice = chunk_slice(chunk, piece);
            if (slice.size == size) {
                *out_value = slice;
                return STATUS_OK;
            }
            copy_filled(whole + (offset - from), piece.size, slice);
        }
        offset += piece.size;
    }
    if (cold)
        return STATUS_COLD;
    *out_value = bytes_of(whole, size);
    return STATUS_OK;
}

/* The chunk's new bytes: the old ones with `value` laid over them from `start` on. */
static struct bytes overlay(struct arena *arena, struct bytes old, size_t start, struct bytes value)
{
    if (start == 0 && value.size >= old.size)
        return value;
    size_t end = start + value.size;
    size_t size = old.size > end ? old.size : end;
    char *chunk = arena_alloc(arena, size);
    copy_filled(chunk, size, old);
    memcpy(chunk + start, value.data, value.size);
    return bytes_of(chunk, size);
}

static void stage_new(struct cell *head, struct dot base, uint32_t index, struct bytes chunk)
{
    struct txn *txn = head->txn;
    struct bytes row =
        row_encode_common(txn->arena, txn_dot(txn, 0), VALUE_CHUNK, chunk, EXPIRY_NEVER);
    txn_stage(txn, chunk_name(head, base, index), row);
}

void chunks_create(struct cell *head, struct dot base, uint64_t offset, struct bytes value)
{
    for (size_t done = 0; done < value.size;) {
        struct piece piece = piece_at(offset + done, offset + value.size);
        struct bytes chunk = overlay(head->txn->arena, bytes_of("", 0), piece.start,
                                     bytes_of(value.data + done, piece.size));
        stage_new(head, base, piece.index, chunk);
        done += piece.size;
    }
}

enum status chunks_copy(struct cell *from, struct chunked chunked, struct cell *to, struct dot base)
{
    bool cold = false;
    struct bytes name = chunks_name(from, chunked.base);
    for (uint64_t offset = 0; offset < chunked.length; offset += CHUNK_SIZE) {
        uint32_t index = (uint32_t)(offset / CHUNK_SIZE);
        struct bytes chunk;
        enum status status = chunks_look(from, name, index, &chunk);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
        if (!cold && chunk.size > 0)
            stage_new(to, base, index, chunk);
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

enum status chunks_overwrite(struct cell *head, struct dot base, uint64_t offset,
                             struct bytes value)
{
    bool cold = false;
    for (size_t done = 0; done < value.size;) {
        struct piece piece = piece_at(offset + done, offset + value.size);
        struct cell chunk;
        enum status status = chunk_find(head, chunk_name(head, base, piece.index), &chunk);
        if (status == STATUS_OK && !cold) {
            struct bytes changed = overlay(head->txn->arena, chunk.newest.value, piece.start,
                                           bytes_of(value.data + done, piece.size));
            status =
                cell_write(&chunk, cell_dot(&chunk), VALUE_CHUNK, changed, EXPIRY_NEVER, false);
        }
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
        done += piece.size;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}
