/* SPDX-License-Identifier: MIT */
#include "base/bits.h"

#include "base/check.h"

enum { WORD_SIZE = 8 };

static uint64_t load(const char *data)
{
    uint64_t word;
    memcpy(&word, data, WORD_SIZE);
    return word;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Four sums, so that none waits for another. */
static inline __attribute__((always_inline)) uint64_t count_words(const char *data, size_t words)
{
    uint64_t sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= words; i += 4)
        for (size_t j = 0; j < 4; j++)
            sums[j] += (unsigned)__builtin_popcountll(load(data + (i + j) * WORD_SIZE));
    for (; i < words; i++)
        sums[0] += (unsigned)__builtin_popcountll(load(data + i * WORD_SIZE));
    return sums[0] + sums[1] + sums[2] + sums[3];
}

#ifdef __x86_64__
/* An instruction that all but the oldest have; what is built for all of them is 4 times slower. */
__attribute__((target("popcnt"))) static uint64_t count_fast(const char *data, size_t words)
{
    return count_words(data, words);
}
#endif

static uint64_t count_bytes(const char *data, size_t size)
{
    size_t words = size / WORD_SIZE;
    uint64_t last = 0;
    if (size % WORD_SIZE > 0)
        memcpy(&last, data + words * WORD_SIZE, size % WORD_SIZE);
    uint64_t count = (unsigned)__builtin_popcountll(last);
#ifdef __x86_64__
    if (__builtin_cpu_supports("popcnt"))
        return count + count_fast(data, words);
#endif
    return count + count_words(data, words);
}

/* Of a byte the bits from `first` on, and those before `end`. */
static unsigned from_bit(uint64_t first)
{
    return 0xffU >> first % 8;
}

static unsigned before_bit(uint64_t end)
{
    return 0xffU & ~(0xffU >> end % 8);
}

uint64_t bits_count(struct bytes bytes, struct bit_span span)
{
    check(span.first <= span.end && span.end <= bytes.size * (uint64_t)8);
    const unsigned char *data = (const unsigned char *)bytes.data;
    uint64_t first = span.first / 8;
    uint64_t last = span.end / 8; /* the byte that the span ends in, or before */
    unsigned head = from_bit(span.first);
    unsigned tail = before_bit(span.end);
    if (first == last)
        return tail == 0 ? 0 : (unsigned)__builtin_popcount(data[first] & head & tail);
    uint64_t count = (unsigned)__builtin_popcount(data[first] & head);
    if (tail != 0)
        count += (unsigned)__builtin_popcount(data[last] & tail);
    return count + count_bytes(bytes.data + first + 1, (size_t)(last - first - 1));
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The first byte from `from` on that is not all `same`, or `end`. */
static uint64_t skip_bytes(const char *data, uint64_t from, uint64_t end, unsigned char same)
{
    uint64_t word = same ? UINT64_MAX : 0;
    while (from + WORD_SIZE <= end && load(data + from) == word)
        from += WORD_SIZE;
    while (from < end && (unsigned char)data[from] == same)
        from++;
    return from;
}

uint64_t bits_find(struct bytes bytes, struct bit_span span, bool set)
{
    check(span.first <= span.end && span.end <= bytes.size * (uint64_t)8);
    unsigned char same = set ? 0 : 0xff;
    uint64_t byte = span.first / 8;
    if (span.first == span.end)
        return span.end;
    unsigned wanted = ((unsigned char)bytes.data[byte] ^ same) & from_bit(span.first);
    if (wanted == 0) {
        byte = skip_bytes(bytes.data, byte + 1, (span.end + 7) / 8, same);
        if (byte * 8 >= span.end)
            return span.end;
        wanted = (unsigned char)bytes.data[byte] ^ same;
    }
    uint64_t found = byte * 8 + (unsigned)__builtin_clz(wanted) - (sizeof(wanted) - 1) * 8;
    return found < span.end ? found : span.end;
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* As the compiler has vectors for it: two registers of SSE2, one of AVX2. */
typedef uint64_t vector __attribute__((vector_size(32), aligned(1), may_alias));

#define COMBINE(out, in, size, operation)                                                          \
    do {                                                                                           \
        size_t at = 0;                                                                             \
        for (; at + sizeof(vector) <= (size); at += sizeof(vector))                                \
            *(vector *)((out) + at) operation *(const vector *)((in) + at);                        \
        for (; at < (size); at++)                                                                  \
            (out)[at] operation(in)[at];                                                           \
    } while (0)

void bits_and(char *out, const char *in, size_t size)
{
    COMBINE(out, in, size, &=);
}

void bits_or(char *out, const char *in, size_t size)
{
    COMBINE(out, in, size, |=);
}

void bits_xor(char *out, const char *in, size_t size)
{
    COMBINE(out, in, size, ^=);
}

void bits_and_not(char *out, const char *in, size_t size)
{
    COMBINE(out, in, size, &= ~);
}

void bits_not(char *out, size_t size)
{
    COMBINE(out, out, size, = ~);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static uint64_t mask_of(struct bit_field field)
{
    return UINT64_MAX >> (64 - field.size);
}

/* The bytes that the field touches as one number, and how many bits of it come behind the field. */
static unsigned __int128 load_field(const unsigned char *data, struct bit_field field,
                                    unsigned *out_bytes, unsigned *out_behind)
{
    check(field.size >= 1 && field.size <= 64);
    unsigned bits = (unsigned)(field.offset % 8) + field.size;
    unsigned __int128 number = 0;
    *out_bytes = (bits + 7) / 8;
    *out_behind = *out_bytes * 8 - bits;
    for (unsigned i = 0; i < *out_bytes; i++)
        number = number << 8 | data[i];
    return number;
}

static int64_t with_sign(uint64_t bits, struct bit_field field)
{
    bool negative = field.has_sign && bits >> (field.size - 1) & 1;
    return (int64_t)(negative ? bits | ~mask_of(field) : bits);
}

int64_t bit_field_get(const char *data, struct bit_field field)
{
    unsigned bytes;
    unsigned behind;
    unsigned __int128 number =
        load_field((const unsigned char *)data + field.offset / 8, field, &bytes, &behind);
    return with_sign((uint64_t)(number >> behind) & mask_of(field), field);
}

void bit_field_set(char *data, struct bit_field field, int64_t value)
{
    unsigned bytes;
    unsigned behind;
    unsigned char *at = (unsigned char *)data + field.offset / 8;
    unsigned __int128 number = load_field(at, field, &bytes, &behind);
    unsigned __int128 mask = mask_of(field);
    number = (number & ~(mask << behind)) | ((uint64_t)value & mask) << behind;
    for (unsigned i = bytes; i > 0; i--) {
        at[i - 1] = (unsigned char)number;
        number >>= 8;
    }
}

bool bit_field_fit(struct bit_field field, __int128 number, enum bit_overflow overflow,
                   int64_t *out_value)
{
    check(field.size >= 1 && field.size <= (field.has_sign ? 64 : 63));
    int64_t high = (int64_t)(mask_of(field) >> field.has_sign);
    int64_t low = field.has_sign ? -high - 1 : 0;
    if (number >= low && number <= high) {
        *out_value = (int64_t)number;
        return true;
    }
    if (overflow == BIT_OVERFLOW_SATURATE)
        *out_value = number < low ? low : high;
    else if (overflow == BIT_OVERFLOW_WRAP)
        *out_value = with_sign((uint64_t)number & mask_of(field), field);
    return overflow != BIT_OVERFLOW_FAIL;
}
