/* SPDX-License-Identifier: MIT */
#include "node/gather_reply.h"

#include "base/number.h"
#include "row/row_key.h"
#include "row/slot.h"

/* ---- requests -------------------------------------------------------------------------------- */

void gather_request_begin(struct buffer *out, size_t count)
{
    buffer_clear(out, out->capacity);
    buffer_printf(out, "*%zu\r\n", count);
}

void gather_request_word(struct buffer *out, struct bytes word)
{
    buffer_printf(out, "$%zu\r\n", word.size);
    buffer_append_bytes(out, word);
    buffer_append(out, "\r\n", 2);
}

void gather_request(struct buffer *out, const struct bytes *words, size_t count)
{
    gather_request_begin(out, count);
    for (size_t i = 0; i < count; i++)
        gather_request_word(out, words[i]);
}

void gather_request_with(struct buffer *out, struct bytes name, struct bytes bulks, size_t count)
{
    gather_request_begin(out, 1 + count);
    gather_request_word(out, name);
    buffer_append_bytes(out, bulks);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A line "<type><number>\r\n" off the front. */
static bool read_number(struct bytes *rest, char type, int64_t *out)
{
    const char *end = rest->size > 0 ? memchr(rest->data, '\r', rest->size) : NULL;
    if (!end || rest->data[0] != type || (size_t)(end - rest->data) + 2 > rest->size)
        return false;
    struct bytes digits = bytes_of(rest->data + 1, (size_t)(end - rest->data) - 1);
    size_t used = digits.size + 3;
    *rest = bytes_of(rest->data + used, rest->size - used);
    return number_parse_i64(digits, out);
}

/* A bulk string, or a null, off the front: as it stands, and what it says. */
static bool read_bulk(struct bytes *rest, struct bytes *out_raw, struct bytes *out_value)
{
    const char *begin = rest->data;
    int64_t size;
    *out_value = bytes_of(NULL, 0);
    if (rest->size >= 3 && begin[0] == '_') {
        *rest = bytes_of(begin + 3, rest->size - 3);
        *out_raw = bytes_of(begin, 3);
        return true;
    }
    if (!read_number(rest, '$', &size) || size < -1)
        return false;
    if (size >= 0) {
        if ((uint64_t)size + 2 > rest->size)
            return false;
        *out_value = bytes_of(rest->data, (size_t)size);
        *rest = bytes_of(rest->data + size + 2, rest->size - (size_t)size - 2);
    }
    *out_raw = bytes_of(begin, (size_t)(rest->data - begin));
    return true;
}

bool gather_read_scan(struct bytes reply, struct gather_scan *out)
{
    int64_t count;
    struct bytes raw, cursor;
    uint64_t number = 0;
    if (!read_number(&reply, '*', &count) || count != 2 || !read_bulk(&reply, &raw, &cursor) ||
        !cursor.data || cursor.size == 0)
        return false;
    for (size_t i = 0; i < cursor.size; i++) {
        if (cursor.data[i] < '0' || cursor.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(cursor.data[i] - '0');
    }
    if (!read_number(&reply, '*', &count) || count < 0)
        return false;
    *out = (struct gather_scan){number, (size_t)count, reply};
    return true;
}

/* ---- combining ------------------------------------------------------------------------------- */

bool gather_sum(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    int64_t sum = 0, number;
    (void)arena;
    for (uint32_t i = 0; i < parts->count; i++) {
        struct bytes rest = parts->replies[i];
        if (!read_number(&rest, ':', &number))
            return false;
        if (__builtin_add_overflow(sum, number, &sum))
            return false;
    }
    reply_integer(reply, sum);
    return true;
}

/* A key stands in the request at its position; the first one at 1. */
bool gather_values(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    struct bytes *values = arena_alloc(arena, parts->key_count * sizeof(*values));
    struct bytes value;
    for (uint32_t i = 0; i < parts->count; i++) {
        struct bytes rest = parts->replies[i];
        int64_t count;
        if (!read_number(&rest, '*', &count) || count != parts->counts[i])
            return false;
        for (int64_t j = 0; j < count; j++) {
            if (!read_bulk(&rest, &values[parts->positions[i][j] - 1], &value))
                return false;
        }
    }
    reply_array(reply, parts->key_count);
    for (uint32_t i = 0; i < parts->key_count; i++)
        buffer_append_bytes(reply->out, values[i]);
    return true;
}

bool gather_first(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    (void)arena;
    buffer_append_bytes(reply->out, parts->replies[0]);
    return true;
}

bool gather_all(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    int64_t sum = 0, count;
    (void)arena;
    for (uint32_t i = 0; i < parts->count; i++) {
        struct bytes rest = parts->replies[i];
        if (!read_number(&rest, '*', &count) || count < 0)
            return false;
        if (__builtin_add_overflow(sum, count, &sum))
            return false;
    }
    reply_array(reply, (size_t)sum);
    for (uint32_t i = 0; i < parts->count; i++) {
        struct bytes rest = parts->replies[i];
        if (read_number(&rest, '*', &count))
            buffer_append_bytes(reply->out, rest);
    }
    return true;
}

/* Where the part's slots end the next node's begin. */
bool gather_scan(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    struct gather_scan scan;
    (void)arena;
    if (!gather_read_scan(parts->replies[0], &scan))
        return false;
    if (scan.cursor == 0 && parts->scan_end < SLOT_COUNT)
        scan.cursor = (uint64_t)parts->scan_end << ROW_KEY_HASH_BITS;
    reply_array(reply, 2);
    reply_bulk_integer(reply, (int64_t)scan.cursor);
    reply_array(reply, scan.count);
    buffer_append_bytes(reply->out, scan.elements);
    return true;
}

bool gather_ok(const struct gather_parts *parts, struct arena *arena, struct reply *reply)
{
    (void)parts;
    (void)arena;
    reply_ok(reply);
    return true;
}
