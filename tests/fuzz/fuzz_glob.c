/* SPDX-License-Identifier: MIT */
/*
 * Patterns. An input is two lines, the pattern and the text; a pattern that begins with "(?i)"
 * matches without case. A second matcher, written from base/glob.h's words alone, must agree.
 */
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "fuzz/fuzz.h"

enum { COMPARED_MAX = 200 }; /* bytes of pattern and of text: beyond, it need only end */

struct pattern {
    struct bytes bytes;
    bool nocase;
};

static int folded(const struct pattern *pattern, char byte)
{
    int c = (unsigned char)byte;
    return pattern->nocase && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Where the element at `at` ends. */
static size_t element_end(const struct pattern *pattern, size_t at)
{
    struct bytes p = pattern->bytes;
    if (p.data[at] == '\\' && at + 1 < p.size)
        return at + 2;
    if (p.data[at] != '[')
        return at + 1;
    at++;
    if (at < p.size && p.data[at] == '^')
        at++;
    while (at < p.size && p.data[at] != ']') {
        if (p.data[at] == '\\' && at + 1 < p.size)
            at += 2;
        else if (at + 2 < p.size && p.data[at + 1] == '-')
            at += 3;
        else
            at++;
    }
    return at < p.size ? at + 1 : at;
}

/* Whether the items of a class, from `at` to `end`, have the byte. */
static bool class_has(const struct pattern *pattern, size_t at, size_t end, char byte)
{
    const char *p = pattern->bytes.data;
    int c = folded(pattern, byte);
    while (at < end && p[at] != ']') {
        int first = folded(pattern, p[at]);
        if (p[at] == '\\' && at + 1 < pattern->bytes.size) {
            first = folded(pattern, p[at + 1]);
            at += 2;
        } else if (at + 2 < pattern->bytes.size && p[at + 1] == '-') {
            int last = folded(pattern, p[at + 2]);
            at += 3;
            if ((first <= c && c <= last) || (last <= c && c <= first))
                return true;
            continue;
        } else {
            at++;
        }
        if (first == c)
            return true;
    }
    return false;
}

static bool element_has(const struct pattern *pattern, size_t at, size_t end, char byte)
{
    const char *p = pattern->bytes.data;
    if (p[at] == '?')
        return true;
    if (p[at] == '[') {
        bool negated = at + 1 < pattern->bytes.size && p[at + 1] == '^';
        return class_has(pattern, at + 1 + negated, end, byte) != negated;
    }
    return folded(pattern, p[end - 1]) == folded(pattern, byte);
}

/* By a table: whether the pattern from here on matches the text from there on. */
static bool matches(const struct pattern *pattern, struct bytes text)
{
    static bool table[COMPARED_MAX + 1][COMPARED_MAX + 1];
    size_t size = pattern->bytes.size;
    for (size_t p = size + 1; p-- > 0;) {
        size_t end = p < size ? element_end(pattern, p) : 0;
        for (size_t t = text.size + 1; t-- > 0;) {
            if (p == size)
                table[p][t] = t == text.size;
            else if (pattern->bytes.data[p] == '*')
                table[p][t] = table[p + 1][t] || (t < text.size && table[p][t + 1]);
            else
                table[p][t] = t < text.size && element_has(pattern, p, end, text.data[t]) &&
                              table[end][t + 1];
        }
    }
    return table[0][0];
}

void fuzz_one(struct bytes input)
{
    struct pattern pattern = {.bytes = input};
    const char *line = input.size ? memchr(input.data, '\n', input.size) : NULL;
    struct bytes text = bytes_of(input.data + input.size, 0);
    if (line) {
        pattern.bytes.size = (size_t)(line - input.data);
        text = bytes_of(line + 1, input.size - pattern.bytes.size - 1);
    }
    if (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    pattern.nocase = bytes_starts_with(pattern.bytes, BYTES("(?i)"));
    if (pattern.nocase)
        pattern.bytes = bytes_of(pattern.bytes.data + 4, pattern.bytes.size - 4);
    bool found = glob_match(pattern.bytes, text, pattern.nocase);
    if (pattern.bytes.size <= COMPARED_MAX && text.size <= COMPARED_MAX)
        check(found == matches(&pattern, text));
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const seeds[] = {
        "user:*:name\nuser:17:name",
        "h?llo\nhello",
        "h[ae]llo\nhallo",
        "h[^e]llo\nhbllo",
        "(?i)H[A-C]LLO*\nhbllO world",
        "\\*\\?\\[\n*?[",
        "[]\n]",
        "[a-]\n-",
        "[\\]-z]x\n]x",
        "a*b*c*d*e\nabcdabcdabcdabcde",
        "[z-a]*\\",
    };
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(context, bytes_text(seeds[i]));
}
