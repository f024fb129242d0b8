/* SPDX-License-Identifier: MIT */
/*
 * Redis's patterns, for KEYS, SCAN, CONFIG GET, PSUBSCRIBE:
 *   *    any bytes, also none    [abc]   one of these      [a-z]  one of a range, in any order
 *   ?    any one byte            [^abc]  none of these     \x     the byte x itself
 * An unclosed [ runs to the pattern's end, and "[a-]" is one: its range ends at the "]". A \ at the
 * very end stands for itself.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/bytes.h"

/*
 * What a match may cost beyond one pass over pattern and text, in bytes looked at: a pattern of
 * many stars can ask for more, and then counts as not matching. Far above what any sensible one
 * needs.
 */
enum {
    GLOB_EXTRA_STEPS_MAX = 1 << 20,
    GLOB_STARS_MAX =
        1000, /* before the last one: with more it counts as not matching, in Redis too */
};

/* Whether all of `text` matches. With nocase ASCII letters match without case. */
bool glob_match(struct bytes pattern, struct bytes text, bool nocase);

#endif
