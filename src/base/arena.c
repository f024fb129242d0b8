/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/memory.h"

enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t size; /* of data */
    _Alignas(16) char data[];
};

static void use(struct arena *arena, struct arena_block *block)
{
    arena->next = block->data;
    arena->end = block->data + block->size;
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = memory_alloc(sizeof(*block) + size);
    block->older = NULL;
    block->size = size;
    return block;
}

void arena_init(struct arena *arena)
{
    arena->blocks = block_new(BLOCK_SIZE);
    use(arena, arena->blocks);
}

static void free_newer(struct arena *arena)
{
    while (arena->blocks->older) {
        struct arena_block *newest = arena->blocks;
        arena->blocks = newest->older;
        memory_free(newest);
    }
}

void arena_deinit(struct arena *arena)
{
    free_newer(arena);
    memory_free(arena->blocks);
    *arena = (struct arena){0};
}

void arena_clear(struct arena *arena)
{
    free_newer(arena);
    use(arena, arena->blocks);
}

void *arena_alloc_slow(struct arena *arena, size_t size)
{
    struct arena_block *block = block_new(ARENA_EXACT || size > BLOCK_SIZE / 2 ? size : BLOCK_SIZE);
    block->older = arena->blocks;
    arena->blocks = block;
    use(arena, block);
    arena->next += size;
    return block->data;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    char *copy = arena_alloc(arena, bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}
