/* SPDX-License-Identifier: MIT */
/*
 * All but the star match exactly one byte, so going back to the newest star is enough: an older one
 * can gain nothing by taking more. That needs no recursion and at most pattern times text steps.
 */
#include "base/glob.h"

static unsigned char fold(char byte, bool nocase)
{
    unsigned char c = (unsigned char)byte;
    return nocase && c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* One byte against the class behind the '[' at `at`; *out_next is where the pattern goes on. */
static bool class_match(struct bytes pattern, size_t at, char byte, bool nocase, size_t *out_next)
{
    const char *p = pattern.data;
    size_t i = at + 1;
    bool negated = i < pattern.size && p[i] == '^';
    bool found = false;
    unsigned char c = fold(byte, nocase);
    if (negated)
        i++;
    for (; i < pattern.size && p[i] != ']'; i++) {
        if (p[i] == '\\' && i + 1 < pattern.size) {
            i++;
            found |= fold(p[i], nocase) == c;
        } else if (i + 2 < pattern.size && p[i + 1] == '-') {
            unsigned char low = fold(p[i], nocase), high = fold(p[i + 2], nocase);
            found |= low <= high ? low <= c && c <= high : high <= c && c <= low;
            i += 2;
        } else {
            found |= fold(p[i], nocase) == c;
        }
    }
    *out_next = i < pattern.size ? i + 1 : i;
    return found != negated;
}

/* Matches one byte against the element, not a star, at `at`. */
static bool element_match(struct bytes pattern, size_t at, char byte, bool nocase, size_t *out_next)
{
    switch (pattern.data[at]) {
    case '?':
        *out_next = at + 1;
        return true;
    case '[':
        return class_match(pattern, at, byte, nocase, out_next);
    case '\\':
        if (at + 1 < pattern.size)
            at++;
        break;
    }
    *out_next = at + 1;
    return fold(pattern.data[at], nocase) == fold(byte, nocase);
}

bool glob_match(struct bytes pattern, struct bytes text, bool nocase)
{
    size_t p = 0, t = 0;
    size_t star = 0, star_text = 0; /* behind the newest star; the text that it has not taken */
    bool starred = false;
    unsigned stars = 0;
    size_t steps = 0, steps_max = pattern.size + text.size + GLOB_EXTRA_STEPS_MAX;

    while (t < text.size) {
        size_t next = p;
        if (p < pattern.size && pattern.data[p] == '*') {
            stars += !starred || star != p; /* of several in a row only one counts */
            star = ++p;
            star_text = t;
            starred = true;
            if (p == pattern.size)
                return true;
            if (stars > GLOB_STARS_MAX)
                return false;
            continue;
        }
        if (p < pattern.size && element_match(pattern, p, text.data[t], nocase, &next)) {
            steps += next - p;
            p = next;
            t++;
            continue;
        }
        steps += next - p + 1;
        if (!starred || steps > steps_max)
            return false;
        p = star;
        t = ++star_text;
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}
