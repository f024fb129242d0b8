/* SPDX-License-Identifier: MIT */
#include "base/real.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* sign(1) exponent(15) fraction(112) */
typedef unsigned __int128 bits_t;

enum { DROPPED_BITS = 49 }; /* of the fraction: 64 are left, with the one that is not written */

#define SIGN     ((bits_t)1 << 127)
#define INFINITE ((bits_t)0x7fff << 112)
#define LAST     (INFINITE - ((bits_t)1 << DROPPED_BITS)) /* that has 64 bits */

_Static_assert(sizeof(real_t) == REAL_SIZE, "binary128");

static bits_t bits_of(real_t value)
{
    bits_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static real_t of_bits(bits_t bits)
{
    real_t value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

bool real_is_finite(real_t value)
{
    return (bits_of(value) & ~SIGN) < INFINITE;
}

/*
 * As integers, magnitudes stand in the order of the numbers, and next to each other; those too
 * small for a full mantissa lose as many bits as the others. So this is all, and what is rounded
 * beyond the last number is infinite.
 */
real_t real_round(real_t value)
{
    bits_t sign = bits_of(value) & SIGN;
    bits_t size = bits_of(value) & ~SIGN;
    if (!real_is_finite(value))
        return value;
    bits_t odd = size >> DROPPED_BITS & 1;
    size += ((bits_t)1 << (DROPPED_BITS - 1)) - 1 + odd;
    return of_bits(sign | (size >> DROPPED_BITS << DROPPED_BITS));
}

/*
 * Rounding twice, first to 113 bits, would at times be wrong. So the first time what is lost marks
 * the last bit ("rounding to odd", Boldo and Melquiond 2008); what is lost is exact (Knuth's
 * TwoSum).
 */
real_t real_add(real_t a, real_t b)
{
    real_t sum = a + b;
    if (!real_is_finite(sum))
        return sum;
    real_t of_b = sum - a;
    real_t lost = (a - (sum - of_b)) + (b - of_b);
    bits_t bits = bits_of(sum);
    if (lost != 0 && (bits & 1) == 0)
        bits = (lost < 0) == (sum < 0) ? bits + 1 : bits - 1;
    return real_round(of_bits(bits));
}

real_t real_accumulate(real_t a, real_t b)
{
    real_t sum = a + b + 0; /* -0 and 0 are 0 */
    if ((bits_of(sum) & ~SIGN) <= LAST)
        return sum;
    return of_bits((bits_of(sum) & SIGN) | LAST);
}

bool real_parse(struct bytes text, real_t *out_value)
{
    char copy[REAL_PARSED_MAX + 1];
    char *end;
    if (text.size == 0 || text.size > REAL_PARSED_MAX || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    real_t exact = strtof128(copy, &end);
    if (end != copy + text.size || exact != exact)
        return false;
    real_t value = real_round(exact);
    bool is_lost = errno == ERANGE || (exact == 0) != (value == 0) ||
                   real_is_finite(exact) != real_is_finite(value);
    if (is_lost && (value == 0 || !real_is_finite(value))) /* else it has only lost bits */
        return false;
    *out_value = value;
    return true;
}

unsigned real_format(real_t value, char *out)
{
    check(real_is_finite(value));
    int size = strfromf128(out, REAL_TEXT_MAX, "%.17f", value);
    check(size > 0 && size < REAL_TEXT_MAX);
    while (out[size - 1] == '0')
        size--;
    if (out[size - 1] == '.')
        size--;
    if (size == 2 && memcmp(out, "-0", 2) == 0) {
        out[0] = '0';
        size = 1;
    }
    return (unsigned)size;
}

void real_pack(real_t value, char *out)
{
    memcpy(out, &value, REAL_SIZE);
}

real_t real_unpack(const char *in)
{
    real_t value;
    memcpy(&value, in, REAL_SIZE);
    return value;
}
