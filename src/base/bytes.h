/* SPDX-License-Identifier: MIT */
/* A borrowed run of bytes: whoever made it keeps the memory alive. May hold NUL and any other byte.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t size;
};

/* A string literal as bytes, without its NUL. */
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct bytes bytes_text(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Lexicographic by unsigned byte, the shorter first: RocksDB's order. Below, equal or above 0. */
int bytes_compare(struct bytes a, struct bytes b);

/* ASCII letters compare without case. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

bool bytes_starts_with(struct bytes text, struct bytes prefix);

#endif
