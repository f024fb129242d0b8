/* SPDX-License-Identifier: MIT */
#include "resp/reply.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

enum { HEADER_MAX = 1 + NUMBER_TEXT_MAX + 2 }; /* type, number, CR LF */

static inline char *put_line_end(char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

/* "$5\r\n": returns what follows. Most numbers have one digit or two. */
static inline char *put_header(char *at, char type, int64_t number)
{
    *at++ = type;
    if (number >= 0 && number < 10) {
        *at++ = (char)('0' + number);
    } else if (number >= 10 && number < 100) {
        *at++ = (char)('0' + number / 10);
        *at++ = (char)('0' + number % 10);
    } else {
        at += number_format_i64(number, at);
    }
    return put_line_end(at);
}

static inline void append_header(struct reply *reply, char type, int64_t number)
{
    char *at = buffer_reserve(reply->out, HEADER_MAX);
    buffer_commit(reply->out, (size_t)(put_header(at, type, number) - at));
}

static void append_line(struct reply *reply, char type, struct bytes text)
{
    char *at = buffer_reserve(reply->out, text.size + 3);
    *at = type;
    if (text.size > 0)
        memcpy(at + 1, text.data, text.size);
    put_line_end(at + 1 + text.size);
    buffer_commit(reply->out, text.size + 3);
}

void reply_simple(struct reply *reply, struct bytes text)
{
    append_line(reply, '+', text);
}

void reply_ok(struct reply *reply)
{
    buffer_append(reply->out, "+OK\r\n", 5);
}

void reply_error(struct reply *reply, struct bytes text)
{
    append_line(reply, '-', text);
    char *line = reply->out->block + reply->out->end - 2 - text.size;
    for (size_t i = 0; i < text.size; i++)
        if (line[i] == '\r' || line[i] == '\n')
            line[i] = ' ';
}

void reply_errorf(struct reply *reply, const char *format, ...)
{
    char fixed[256];
    char *text = fixed;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(fixed, sizeof(fixed), format, arguments);
    va_end(arguments);
    struct buffer longer = {0};
    if (size >= (int)sizeof(fixed)) {
        text = buffer_reserve(&longer, (size_t)size + 1);
        va_start(arguments, format);
        vsnprintf(text, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == '\n'))
        size--;
    reply_error(reply, bytes_of(text, size > 0 ? (size_t)size : 0));
    buffer_deinit(&longer);
}

void reply_integer(struct reply *reply, int64_t value)
{
    append_header(reply, ':', value);
}

void reply_bulk(struct reply *reply, struct bytes value)
{
    char *begin = buffer_reserve(reply->out, HEADER_MAX + value.size + 2);
    char *at = put_header(begin, '$', (int64_t)value.size);
    if (value.size > 0)
        memcpy(at, value.data, value.size);
    at = put_line_end(at + value.size);
    buffer_commit(reply->out, (size_t)(at - begin));
}

void reply_bulk_text(struct reply *reply, const char *text)
{
    reply_bulk(reply, bytes_text(text));
}

void reply_bulk_integer(struct reply *reply, int64_t value)
{
    char text[NUMBER_TEXT_MAX];
    reply_bulk(reply, bytes_of(text, number_format_i64(value, text)));
}

void reply_null(struct reply *reply)
{
    if (reply->resp == 2)
        buffer_append(reply->out, "$-1\r\n", 5);
    else
        buffer_append(reply->out, "_\r\n", 3);
}

void reply_null_array(struct reply *reply)
{
    if (reply->resp == 2)
        buffer_append(reply->out, "*-1\r\n", 5);
    else
        buffer_append(reply->out, "_\r\n", 3);
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->resp == 2)
        append_header(reply, ':', value);
    else
        append_line(reply, '#', value ? BYTES("t") : BYTES("f"));
}

void reply_double(struct reply *reply, double value)
{
    char text[64];
    int size;
    if (isnan(value)) /* printf would show its sign */
        size = snprintf(text, sizeof(text), "nan");
    else
        size = snprintf(text, sizeof(text), "%.17g", value);
    if (reply->resp == 2)
        reply_bulk(reply, bytes_of(text, (size_t)size));
    else
        append_line(reply, ',', bytes_of(text, (size_t)size));
}

void reply_array(struct reply *reply, size_t count)
{
    append_header(reply, '*', (int64_t)count);
}

void reply_map(struct reply *reply, size_t pairs)
{
    if (reply->resp == 2)
        append_header(reply, '*', (int64_t)(pairs * 2));
    else
        append_header(reply, '%', (int64_t)pairs);
}

void reply_set(struct reply *reply, size_t count)
{
    append_header(reply, reply->resp == 2 ? '*' : '~', (int64_t)count);
}

void reply_push(struct reply *reply, size_t count)
{
    append_header(reply, reply->resp == 2 ? '*' : '>', (int64_t)count);
}

void reply_big_number(struct reply *reply, struct bytes digits)
{
    if (reply->resp == 2)
        reply_bulk(reply, digits);
    else
        append_line(reply, '(', digits);
}

void reply_attribute(struct reply *reply, size_t pairs)
{
    append_header(reply, '|', (int64_t)pairs);
}

void reply_verbatim(struct reply *reply, const char *format3, struct bytes text)
{
    if (reply->resp == 2) {
        reply_bulk(reply, text);
        return;
    }
    append_header(reply, '=', (int64_t)text.size + 4);
    buffer_append(reply->out, format3, 3);
    buffer_append(reply->out, ":", 1);
    buffer_append_bytes(reply->out, text);
    buffer_append(reply->out, "\r\n", 2);
}
