/* SPDX-License-Identifier: MIT */
#include "base/lcs.h"

#include <string.h>

#include "base/check.h"

enum { WORD_BITS = 64, BYTE_VALUES = 256 };

/* Where each byte value of `a` stands in `b`: a row of bits for each. */
struct places {
    uint64_t *rows;
    size_t words; /* of a row */
    uint16_t row_of[BYTE_VALUES];
};

enum { NO_ROW = UINT16_MAX };

/* The table: rows of `width` bits, one after the other without a gap. */
struct table {
    uint64_t *words; /* NULL: not kept */
    uint64_t size;   /* bits */
};

static uint64_t *zeroed_words(struct arena *arena, uint64_t count)
{
    uint64_t *words = arena_alloc(arena, count * sizeof(*words));
    memset(words, 0, count * sizeof(*words));
    return words;
}

static void find_places(struct bytes a, struct bytes b, struct arena *arena, struct places *out)
{
    unsigned rows = 0;
    memset(out->row_of, 0xff, sizeof(out->row_of));
    for (size_t i = 0; i < a.size && rows < BYTE_VALUES; i++) {
        uint16_t *row = &out->row_of[(unsigned char)a.data[i]];
        if (*row == NO_ROW)
            *row = (uint16_t)rows++;
    }
    out->words = (b.size + WORD_BITS - 1) / WORD_BITS;
    out->rows = zeroed_words(arena, rows * out->words);
    for (size_t j = 0; j < b.size; j++) {
        uint16_t row = out->row_of[(unsigned char)b.data[j]];
        if (row != NO_ROW)
            out->rows[row * out->words + j / WORD_BITS] |= UINT64_C(1) << j % WORD_BITS;
    }
}

/* Only the lowest `count` bits are set, if any. */
static void append_bits(struct table *table, uint64_t bits, unsigned count)
{
    unsigned offset = table->size % WORD_BITS;
    uint64_t *word = &table->words[table->size / WORD_BITS];
    *word |= bits << offset;
    if (offset + count > WORD_BITS)
        word[1] |= bits >> (WORD_BITS - offset);
    table->size += count;
}

static bool bit_at(const struct table *table, uint64_t place)
{
    return table->words[place / WORD_BITS] >> place % WORD_BITS & 1;
}

/*
 * `flat` says where the length does not grow: from one row to the next, a carry takes each growth
 * to the first match behind the one before it. Behind the last byte of `b` it stays flat.
 */
static void next_row(uint64_t *flat, const uint64_t *matches, size_t width, struct table *table)
{
    uint64_t carry = 0;
    for (size_t w = 0; w * WORD_BITS < width; w++) {
        uint64_t old = flat[w];
        unsigned __int128 sum = (unsigned __int128)old + (old & matches[w]) + carry;
        carry = (uint64_t)(sum >> WORD_BITS);
        flat[w] = (uint64_t)sum | (old & ~matches[w]);
        size_t left = width - w * WORD_BITS;
        if (table->words)
            append_bits(table, ~flat[w], left < WORD_BITS ? (unsigned)left : WORD_BITS);
    }
}

static void walk_back(struct bytes a, struct bytes b, const struct table *table, struct lcs *out)
{
    size_t i = a.size, j = b.size;
    bool in_match = false;
    while (i > 0 && j > 0) {
        if (a.data[i - 1] != b.data[j - 1]) {
            if (bit_at(table, (i - 1) * b.size + (j - 1)))
                i--;
            else
                j--;
            in_match = false;
            continue;
        }
        i--;
        j--;
        if (!in_match)
            out->matches[out->match_count++] = (struct lcs_match){.size = 0};
        struct lcs_match *match = &out->matches[out->match_count - 1];
        *match = (struct lcs_match){(uint32_t)i, (uint32_t)j, match->size + 1};
        in_match = true;
    }
}

void lcs_find(struct bytes a, struct bytes b, bool with_matches, struct arena *arena,
              struct lcs *out)
{
    *out = (struct lcs){0};
    if (a.size == 0 || b.size == 0)
        return;
    check(a.size <= LCS_CELLS_MAX / b.size);
    struct places places;
    struct table table = {0};
    find_places(a, b, arena, &places);
    if (with_matches)
        table.words = zeroed_words(arena, (uint64_t)a.size * b.size / WORD_BITS + 1);
    uint64_t *flat = arena_alloc(arena, places.words * sizeof(*flat));
    memset(flat, 0xff, places.words * sizeof(*flat));
    for (size_t i = 0; i < a.size; i++)
        next_row(flat, &places.rows[places.row_of[(unsigned char)a.data[i]] * places.words], b.size,
                 &table);
    for (size_t w = 0; w < places.words; w++)
        out->length += (uint32_t)__builtin_popcountll(~flat[w]);
    if (!with_matches)
        return;
    out->matches = arena_alloc(arena, out->length * sizeof(*out->matches));
    walk_back(a, b, &table, out);
}
