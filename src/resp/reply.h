/* SPDX-License-Identifier: MIT */
/*
 * Writes replies, in RESP2 or RESP3 as the client chose: a map is a flat array in RESP2, a double a
 * bulk string, and so on, as Redis 7.2 does. Nothing is checked against nesting: who opens an array
 * of n writes n elements.
 */
#ifndef RESP_REPLY_H
#define RESP_REPLY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/bytes.h"

struct reply {
    struct buffer *out;
    uint8_t resp; /* 2 or 3 */
};

void reply_simple(struct reply *reply, struct bytes text); /* +OK */
void reply_ok(struct reply *reply);
/* -ERR ...: the text begins with its code. CR and LF in it become spaces; at the end of a formatted
 * one they are left out. */
void reply_error(struct reply *reply, struct bytes text);
void reply_errorf(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct bytes value);
void reply_bulk_text(struct reply *reply, const char *text);
void reply_bulk_integer(struct reply *reply, int64_t value); /* as a bulk string */
void reply_null(struct reply *reply);                        /* $-1 or _ */
void reply_null_array(struct reply *reply);                  /* *-1 or _ */
void reply_bool(struct reply *reply, bool value);            /* :1 or #t */
void reply_double(struct reply *reply, double value);        /* 17 digits, inf, -inf, nan */
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pairs); /* then key, value, key, value... */
void reply_set(struct reply *reply, size_t count);
void reply_push(struct reply *reply, size_t count);
/* An integer of any size, in decimal digits: a bulk string in RESP2. */
void reply_big_number(struct reply *reply, struct bytes digits);
/* Then so many pairs, and the reply that they speak of. Not in RESP2, which has none. */
void reply_attribute(struct reply *reply, size_t pairs);
void reply_verbatim(struct reply *reply, const char *format3, struct bytes text); /* "txt", "mkd" */

#endif
