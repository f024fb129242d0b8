/* SPDX-License-Identifier: MIT */
/*
 * Memory with a request's lifetime: allocate at will, free all at once. The first block is kept
 * across clears, so a common request allocates nothing.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first; the last one is kept by arena_clear */
    char *next;
    char *end;
};

void arena_init(struct arena *arena);
void arena_deinit(struct arena *arena);

/* All that was allocated is gone. */
void arena_clear(struct arena *arena);

void *arena_alloc_slow(struct arena *arena, size_t size);

/* Under AddressSanitizer each allocation is a block of its own and of exactly its size, so that it
 * sees whoever goes beyond, or comes after arena_clear. */
enum {
#if defined(__SANITIZE_ADDRESS__)
    ARENA_EXACT = 1,
#elif defined(__clang__)
    ARENA_EXACT = __has_feature(address_sanitizer),
#else
    ARENA_EXACT = 0,
#endif
};

/* Aligned to 16 bytes, not zeroed. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    if (ARENA_EXACT)
        return arena_alloc_slow(arena, size);
    size = (size + 15) & ~(size_t)15;
    if ((size_t)(arena->end - arena->next) < size)
        return arena_alloc_slow(arena, size);
    void *block = arena->next;
    arena->next += size;
    return block;
}

/* A copy that lives as long as the arena's. */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);

#endif
