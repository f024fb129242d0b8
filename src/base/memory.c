/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

#ifdef SHOAL_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

static void *must(void *block, size_t size)
{
    if (block)
        return block;
    fprintf(stderr, "shoal: out of memory allocating %zu bytes\n", size);
    abort();
}

void *memory_alloc(size_t size)
{
    return must(malloc(size ? size : 1), size);
}

void *memory_zeroed(size_t size)
{
    return must(calloc(1, size ? size : 1), size);
}

void *memory_resize(void *block, size_t size)
{
    return must(realloc(block, size ? size : 1), size);
}

void memory_free(void *block)
{
    free(block);
}

#ifdef SHOAL_JEMALLOC

size_t memory_real_size(size_t size)
{
    return nallocx(size ? size : 1, 0);
}

struct memory_use memory_use(void)
{
    struct memory_use use = {0};
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    if (mallctl("epoch", &epoch, &size, &epoch, size) != 0)
        return use;
    size = sizeof(use.allocated);
    if (mallctl("stats.allocated", &use.allocated, &size, NULL, 0) != 0)
        use.allocated = 0;
    if (mallctl("stats.active", &use.active, &size, NULL, 0) != 0)
        use.active = 0;
    if (mallctl("stats.resident", &use.resident, &size, NULL, 0) != 0)
        use.resident = 0;
    return use;
}

const char *memory_allocator(void)
{
    return "jemalloc-" JEMALLOC_VERSION;
}

bool memory_report(void (*write)(void *context, const char *text), void *context)
{
    malloc_stats_print(write, context, NULL);
    return true;
}

void memory_purge(void)
{
    char name[64];
    snprintf(name, sizeof(name), "arena.%u.purge", (unsigned)MALLCTL_ARENAS_ALL);
    mallctl(name, NULL, NULL, NULL, 0);
}

#else

size_t memory_real_size(size_t size)
{
    return (size + 15) / 16 * 16 + 16;
}

struct memory_use memory_use(void)
{
    return (struct memory_use){0};
}

const char *memory_allocator(void)
{
    return "libc";
}

bool memory_report(void (*write)(void *context, const char *text), void *context)
{
    (void)write, (void)context;
    return false;
}

void memory_purge(void)
{
}

#endif
