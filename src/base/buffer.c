/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"

enum { CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_deinit(struct buffer *buffer)
{
    memory_free(buffer->block);
    *buffer = (struct buffer){0};
}

char *buffer_reserve_slow(struct buffer *buffer, size_t size)
{
    size_t used = buffer_size(buffer);
    /* Moving is paid for by what was consumed since the last time: linear in all the bytes. */
    if (buffer->start >= used && buffer->start > 0) {
        memmove(buffer->block, buffer->block + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
    }
    if (buffer->capacity - buffer->end < size) {
        size_t capacity = buffer->capacity * 2;
        if (capacity < CAPACITY_MIN)
            capacity = CAPACITY_MIN;
        if (capacity < buffer->end + size)
            capacity = buffer->end + size;
        buffer->block = memory_resize(buffer->block, capacity);
        buffer->capacity = capacity;
    }
    return buffer->block + buffer->end;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(size >= 0);
    char *room = buffer_reserve(buffer, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(room, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer_commit(buffer, (size_t)size);
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    check(size <= buffer_size(buffer));
    buffer->end = buffer->start + size;
}

void buffer_clear(struct buffer *buffer, size_t keep)
{
    if (buffer->capacity > keep)
        buffer_deinit(buffer);
    buffer->start = buffer->end = 0;
}

void buffer_append_varint(struct buffer *buffer, uint64_t value)
{
    char *begin = buffer_reserve(buffer, VARINT_MAX);
    buffer->end += (size_t)(pack_varint(begin, value) - begin);
}
