/* SPDX-License-Identifier: MIT */
/*
 * Bits in runs of bytes, numbered as Redis does: bit 0 is the highest of the first byte, bit 8 the
 * highest of the second.
 *
 *   byte     |       0       |       1       |
 *   bit      |0 1 2 3 4 5 6 7|8 9 ...
 *   a field of 5 bits at offset 7 that holds 23 (10111):
 *            |0 0 0 0 0 0 0 1|0 1 1 1 0 0 0 0|
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Positions in bits: from `first` on, before `end`. */
struct bit_span {
    uint64_t first;
    uint64_t end; /* at least `first` */
};

/* How many of the span are set. The span is within the bytes. */
uint64_t bits_count(struct bytes bytes, struct bit_span span);

/* The first of the span that is set, or clear; its end if there is none. It is within the bytes. */
uint64_t bits_find(struct bytes bytes, struct bit_span span, bool set);

static inline bool bits_test(struct bytes bytes, uint64_t position)
{
    return (unsigned char)bytes.data[position / 8] >> (7 - position % 8) & 1;
}

/* ---- many at once: `size` bytes at `out` become what the operation makes of them and `in` ---- */

void bits_and(char *out, const char *in, size_t size);
void bits_or(char *out, const char *in, size_t size);
void bits_xor(char *out, const char *in, size_t size);
void bits_and_not(char *out, const char *in, size_t size); /* clears those that are set in `in` */
void bits_not(char *out, size_t size);

/* ---- fields: integers of 1 to 64 bits at any position ---------------------------------------- */

struct bit_field {
    uint64_t offset; /* its highest bit */
    unsigned size;   /* in bits, 1 to 64; without a sign, at most 63 */
    bool has_sign;   /* two's complement */
};

enum { BIT_FIELD_SPREAD_MAX = 9 }; /* bytes that a field touches at most */

int64_t bit_field_get(const char *data, struct bit_field field);

/* The lowest bits of the value. */
void bit_field_set(char *data, struct bit_field field, int64_t value);

/* What becomes of a number that is no value of the field. */
enum bit_overflow {
    BIT_OVERFLOW_WRAP,     /* its lowest bits */
    BIT_OVERFLOW_SATURATE, /* the nearest value */
    BIT_OVERFLOW_FAIL,     /* nothing */
};

/* A number as a value of the field. False: it is none, and with BIT_OVERFLOW_FAIL. */
bool bit_field_fit(struct bit_field field, __int128 number, enum bit_overflow overflow,
                   int64_t *out_value);

#endif
