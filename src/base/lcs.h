/* SPDX-License-Identifier: MIT */
/*
 * The longest common subsequence of two strings. Of those that are as long, the one that is found
 * from the ends on: where the last bytes differ, the last of `a` is given up only if what is left
 * is longer than without the last of `b`.
 *
 * Bits stand for the cells of the usual table, and 64 of them are one step (Hyyrö, "Bit-parallel
 * LCS-length computation revisited", 2004). A row's bit j says whether the length grows with byte j
 * of `b`: all that going back through the table asks.
 */
#ifndef BASE_LCS_H
#define BASE_LCS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

/* Cells (the product of the sizes) that may be asked for: some 10 ms and 32 MiB, or less than a
 * second where one of the strings is shorter than a word has bits. */
#define LCS_CELLS_MAX (UINT64_C(1) << 27)

/* A run of bytes that both have. */
struct lcs_match {
    uint32_t a, b; /* where it begins */
    uint32_t size;
};

struct lcs {
    uint32_t length;
    struct lcs_match *matches; /* the last first; none unless asked for */
    uint32_t match_count;
};

/* Of at most LCS_CELLS_MAX cells. What it needs, and gives, is in the arena. */
void lcs_find(struct bytes a, struct bytes b, bool with_matches, struct arena *arena,
              struct lcs *out);

#endif
