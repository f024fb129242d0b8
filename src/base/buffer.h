/* SPDX-License-Identifier: MIT */
/* Bytes that grow at the end and are consumed from the front. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdint.h>

#include "base/bytes.h"

struct buffer {
    char *block;  /* NULL until first used */
    size_t start; /* of what is not consumed yet */
    size_t end;
    size_t capacity; /* of block */
};

void buffer_init(struct buffer *buffer); /* or all zeros */
void buffer_deinit(struct buffer *buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* Valid until the next call that changes the buffer. */
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->block + buffer->start, buffer->end - buffer->start);
}

char *buffer_reserve_slow(struct buffer *buffer, size_t size);

/* Room for `size` bytes at the end: write there, then buffer_commit what was written. */
static inline char *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->capacity - buffer->end < size)
        return buffer_reserve_slow(buffer, size);
    return buffer->block + buffer->end;
}

static inline void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->end += size;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->end += size;
}

static inline void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

static inline void buffer_append_u8(struct buffer *buffer, uint8_t byte)
{
    *buffer_reserve(buffer, 1) = (char)byte;
    buffer->end++;
}

void buffer_append_varint(struct buffer *buffer, uint64_t value);

void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the first `size` bytes. */
static inline void buffer_consume(struct buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

/* Forgets what stands after the first `size` bytes. */
void buffer_truncate(struct buffer *buffer, size_t size);

/* Empty; the memory is kept if it is at most `keep` bytes. */
void buffer_clear(struct buffer *buffer, size_t keep);

#endif
