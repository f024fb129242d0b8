/* SPDX-License-Identifier: MIT */
/*
 * Real numbers that are the same on every machine: IEEE 754 binary128, in software where the
 * processor has none. Redis calculates with the long double of x86, whose mantissa has 64 bits and
 * whose exponents are binary128's; so what is rounded to 64 bits here gives Redis's replies
 * everywhere.
 */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#include <stdbool.h>

#include "base/bytes.h"

#ifdef __clang__ /* which has the type, but neither its name nor the library's functions */
typedef __float128 real_t;
real_t strtof128(const char *text, char **out_end);
int strfromf128(char *out, size_t size, const char *format, real_t value);
#else
typedef _Float128 real_t;
#endif

enum {
    REAL_PARSED_MAX = 5 * 1024 - 1, /* bytes of a text that may be a number */
    REAL_TEXT_MAX = 5 * 1024,       /* room for any finite one: 4,933 digits and 17 */
    REAL_SIZE = 16,
};

/* Neither infinite nor not a number. */
bool real_is_finite(real_t value);

/*
 * What strtold reads, all of it, without blanks in front: also "1e3", "0x1p-3", "inf", but not
 * "nan"; rounded to 64 bits. False leaves *out_value alone: it is no number, or beyond all numbers,
 * or so near to 0 that it would become 0. Of a text of more than 34 digits the last bit may be
 * wrong, if it lies that near to the middle between two numbers.
 */
bool real_parse(struct bytes text, real_t *out_value);

/* As Redis writes it: 17 digits behind the point, without the zeros at the end, never "-0". Of a
 * finite one. `out` has REAL_TEXT_MAX bytes; no NUL; returns the length. */
unsigned real_format(real_t value, char *out);

/* The nearest number with a mantissa of 64 bits, of two the even one; beyond all: infinite. */
real_t real_round(real_t value);

/* The sum, rounded once, to 64 bits. It may be infinite, or not a number. */
real_t real_add(real_t a, real_t b);

/* The sum of finite numbers, with all 113 bits: never -0, and beyond the last number that has 64
 * bits it is that one, so rounding it gives a finite one. */
real_t real_accumulate(real_t a, real_t b);

/* Its bytes, little-endian: REAL_SIZE of them. */
void real_pack(real_t value, char *out);
real_t real_unpack(const char *in);

#endif
