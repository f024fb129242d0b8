/* SPDX-License-Identifier: MIT */
#include "store/log_segment.h"

#include <stdio.h>

#include "base/check.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "store/log.h"

enum {
    READ_STEP = 1024 * 1024, /* bytes read from a file at once */
    HEADER_CHECKED = 56,     /* bytes of a segment header before its checksum */
    MAGIC_OFFSET = 8,        /* of the magic in a batch header: its checksum comes first */
    MAGIC_SIZE = 4,
};

static const char segment_magic[] = "SHOALLOG";
static const char batch_magic[] = "ShLb";
static const char segment_prefix[] = "log-";

/* ---- names and headers ---------------------------------------------------------------------- */

void segment_name(uint64_t start, char out_name[SEGMENT_NAME_SIZE])
{
    snprintf(out_name, SEGMENT_NAME_SIZE, "%s%016llx", segment_prefix, (unsigned long long)start);
}

bool segment_name_parse(const char *name, uint64_t *out_start)
{
    if (strlen(name) != SEGMENT_NAME_SIZE - 1)
        return false;
    uint64_t start = 0;
    for (const char *digit = name + sizeof(segment_prefix) - 1; *digit; digit++) {
        unsigned value = *digit <= '9' ? (unsigned)(*digit - '0') : (unsigned)(*digit - 'a' + 10);
        start = start << 4 | (value & 0xf);
    }
    char canonical[SEGMENT_NAME_SIZE];
    segment_name(start, canonical);
    if (strcmp(canonical, name) != 0)
        return false;
    *out_start = start;
    return true;
}

void segment_header_make(uint64_t start, actor_t actor, char out_header[SEGMENT_HEADER_SIZE])
{
    memset(out_header, 0, SEGMENT_HEADER_SIZE);
    memcpy(out_header, segment_magic, 8);
    pack_u32(out_header + 8, LOG_FORMAT);
    pack_u64(out_header + 16, start);
    pack_u64(out_header + 24, actor >> 16);
    pack_u64(out_header + 32, actor & ACTOR_EPOCH_MAX);
    pack_u64(out_header + HEADER_CHECKED, xxh64(bytes_of(out_header, HEADER_CHECKED)));
}

void batch_seal(struct bytes batch, uint32_t records, uint64_t position, uint64_t synced)
{
    char *header = (char *)batch.data;
    memcpy(header + MAGIC_OFFSET, batch_magic, MAGIC_SIZE);
    pack_u32(header + 12, records);
    pack_u64(header + 16, batch.size - BATCH_HEADER_SIZE);
    pack_u64(header + 24, position);
    pack_u64(header + 32, synced);
    pack_u64(header, xxh64(bytes_of(header + MAGIC_OFFSET, batch.size - MAGIC_OFFSET)));
}

void synced_make(uint64_t position, char out[SYNCED_SIZE])
{
    pack_u64(out, position);
    pack_u64(out + 8, xxh64(bytes_of(out, 8)));
}

enum status synced_read(struct files *files, uint64_t *out_position)
{
    struct buffer text = {0};
    enum status status = files_read_all(files, SYNCED_NAME, SYNCED_SIZE, &text);
    struct bytes bytes = buffer_bytes(&text);
    bool valid = status == STATUS_OK && bytes.size == SYNCED_SIZE &&
                 unpack_u64(bytes.data + 8) == xxh64(bytes_of(bytes.data, 8));
    uint64_t position = valid ? unpack_u64(bytes.data) : 0;
    buffer_deinit(&text);
    if (status != STATUS_OK && status != STATUS_ABSENT && status != STATUS_TOO_BIG)
        return STATUS_IO;
    *out_position = position;
    return STATUS_OK;
}

/* ---- the reader ----------------------------------------------------------------------------- */

enum status segment_open(struct files *files, uint64_t start, struct segment_reader *out)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(start, name);
    struct segment_reader reader = {.start = start};
    enum status status = files->ops->open(files, name, FILE_READ, &reader.file);
    if (status != STATUS_OK)
        return status;
    status = reader.file->ops->size(reader.file, &reader.size);
    if (status == STATUS_OK)
        *out = reader;
    else
        reader.file->ops->close(reader.file);
    return status;
}

void segment_close(struct segment_reader *reader)
{
    reader->file->ops->close(reader->file);
    buffer_deinit(&reader->window);
}

static uint64_t bytes_left(const struct segment_reader *reader)
{
    return reader->at < reader->size ? reader->size - reader->at : 0;
}

static void consume(struct segment_reader *reader, size_t size)
{
    buffer_consume(&reader->window, size);
    reader->at += size;
}

static void go_to(struct segment_reader *reader, uint64_t offset)
{
    buffer_clear(&reader->window, SIZE_MAX);
    reader->at = offset;
}

/* The window holds `size` bytes, or all that are left in the file. */
static enum status fill(struct segment_reader *reader, uint64_t size)
{
    uint64_t left = bytes_left(reader);
    if (size > left)
        size = left;
    size_t held = buffer_size(&reader->window);
    if (held >= size)
        return STATUS_OK;
    uint64_t want = size > READ_STEP ? size : READ_STEP;
    if (want > left)
        want = left;
    size_t count;
    char *room = buffer_reserve(&reader->window, want - held);
    enum status status =
        reader->file->ops->read(reader->file, reader->at + held, room, want - held, &count);
    if (status != STATUS_OK)
        return status;
    if (count != want - held)
        return STATUS_IO; /* nobody else changes it: it was that large a moment ago */
    buffer_commit(&reader->window, count);
    return STATUS_OK;
}

static bool all_zeros(struct bytes bytes)
{
    return bytes.size == 0 ||
           (bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.size - 1) == 0);
}

enum status segment_read_header(struct segment_reader *reader, actor_t *out_actor)
{
    go_to(reader, 0);
    enum status status = fill(reader, SEGMENT_HEADER_SIZE);
    if (status != STATUS_OK)
        return status;
    if (buffer_size(&reader->window) < SEGMENT_HEADER_SIZE)
        return STATUS_CORRUPT;
    const char *header = buffer_bytes(&reader->window).data;
    if (memcmp(header, segment_magic, 8) != 0 ||
        unpack_u64(header + HEADER_CHECKED) != xxh64(bytes_of(header, HEADER_CHECKED)))
        return STATUS_CORRUPT;
    if (unpack_u32(header + 8) != LOG_FORMAT)
        return STATUS_VERSION;
    uint64_t node = unpack_u64(header + 24);
    uint64_t epoch = unpack_u64(header + 32);
    if (unpack_u64(header + 16) != reader->start || node >> 48 != 0 || epoch > ACTOR_EPOCH_MAX)
        return STATUS_CORRUPT;
    *out_actor = actor_of(node, (uint16_t)epoch);
    consume(reader, SEGMENT_HEADER_SIZE);
    return STATUS_OK;
}

void segment_seek(struct segment_reader *reader, uint64_t position)
{
    check(position >= reader->start);
    go_to(reader, segment_offset(reader->start, position));
}

/* Whether every record is there and nothing else. */
static bool payload_is_whole(struct bytes payload, uint32_t records)
{
    struct bytes name, row;
    enum status status;
    uint32_t count = 0;
    while ((status = batch_next_record(&payload, &name, &row)) == STATUS_OK)
        count++;
    return status == STATUS_ABSENT && count == records;
}

/* The batch at the window's front, whose header is in the window: STATUS_CORRUPT if it is none. */
static enum status read_batch(struct segment_reader *reader, struct batch *out)
{
    const char *header = buffer_bytes(&reader->window).data;
    struct batch batch = {
        .records = unpack_u32(header + 12),
        .position = unpack_u64(header + 24),
        .synced = unpack_u64(header + 32),
    };
    uint64_t size = unpack_u64(header + 16);
    uint64_t left = bytes_left(reader) - BATCH_HEADER_SIZE;
    if (memcmp(header + MAGIC_OFFSET, batch_magic, MAGIC_SIZE) != 0 || batch.records == 0 ||
        size > LOG_BATCH_MAX || size > left || batch.synced > batch.position ||
        segment_offset(reader->start, batch.position) != reader->at)
        return STATUS_CORRUPT;
    enum status status = fill(reader, BATCH_HEADER_SIZE + size);
    if (status != STATUS_OK)
        return status;
    header = buffer_bytes(&reader->window).data;
    struct bytes checked = bytes_of(header + MAGIC_OFFSET, BATCH_HEADER_SIZE - MAGIC_OFFSET + size);
    batch.payload = bytes_of(header + BATCH_HEADER_SIZE, size);
    if (unpack_u64(header) != xxh64(checked) || !payload_is_whole(batch.payload, batch.records))
        return STATUS_CORRUPT;
    *out = batch;
    return STATUS_OK;
}

enum status segment_next(struct segment_reader *reader, struct batch *out)
{
    enum status status = fill(reader, BATCH_HEADER_SIZE);
    if (status != STATUS_OK)
        return status;
    struct bytes front = buffer_bytes(&reader->window);
    if (front.size > BATCH_HEADER_SIZE)
        front.size = BATCH_HEADER_SIZE;
    if (all_zeros(front))
        return STATUS_ABSENT;
    if (front.size < BATCH_HEADER_SIZE)
        return STATUS_CORRUPT;
    status = read_batch(reader, out);
    if (status == STATUS_OK) /* the payload stays where it is until the window is filled again */
        consume(reader, BATCH_HEADER_SIZE + out->payload.size);
    return status;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* Moves to the next place where a batch header's magic stands: STATUS_ABSENT if there is none. */
static enum status find_magic(struct segment_reader *reader)
{
    while (bytes_left(reader) >= BATCH_HEADER_SIZE) {
        enum status status = fill(reader, BATCH_HEADER_SIZE);
        if (status != STATUS_OK)
            return status;
        struct bytes window = buffer_bytes(&reader->window);
        const char *from = window.data + MAGIC_OFFSET;
        const char *found = memmem(from, window.size - MAGIC_OFFSET, batch_magic, MAGIC_SIZE);
        if (found) {
            consume(reader, (size_t)(found - from));
            return bytes_left(reader) >= BATCH_HEADER_SIZE ? fill(reader, BATCH_HEADER_SIZE)
                                                           : STATUS_ABSENT;
        }
        /* The next magic may begin in the window's last bytes. */
        consume(reader, window.size - MAGIC_OFFSET - (MAGIC_SIZE - 1));
    }
    return STATUS_ABSENT;
}

enum status segment_search(struct segment_reader *reader, struct batch *out)
{
    enum status status;
    while ((status = find_magic(reader)) == STATUS_OK) {
        status = read_batch(reader, out);
        if (status == STATUS_OK)
            consume(reader, BATCH_HEADER_SIZE + out->payload.size);
        if (status != STATUS_CORRUPT)
            return status;
        consume(reader, 1);
    }
    return status;
}

enum status segment_data_end(struct segment_reader *reader, uint64_t from, uint64_t *out_offset)
{
    uint64_t end = from;
    go_to(reader, from);
    while (bytes_left(reader) > 0) {
        enum status status = fill(reader, 1);
        if (status != STATUS_OK)
            return status;
        struct bytes window = buffer_bytes(&reader->window);
        if (!all_zeros(window)) {
            size_t size = window.size;
            while (window.data[size - 1] == 0)
                size--;
            end = reader->at + size;
        }
        consume(reader, window.size);
    }
    *out_offset = end;
    return STATUS_OK;
}

enum status batch_next_record(struct bytes *payload, struct bytes *out_name, struct bytes *out_row)
{
    if (payload->size == 0)
        return STATUS_ABSENT;
    struct unpack in = unpack_begin(*payload);
    uint64_t name_size = unpack_next_varint(&in);
    uint64_t row_size = unpack_next_varint(&in);
    struct bytes name = unpack_bytes(&in, name_size);
    struct bytes row = unpack_bytes(&in, row_size);
    if (in.failed)
        return STATUS_CORRUPT;
    *payload = bytes_of(in.next, (size_t)(in.end - in.next));
    *out_name = name;
    *out_row = row;
    return STATUS_OK;
}
