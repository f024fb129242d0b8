/* SPDX-License-Identifier: MIT */
/*
 * Allocation. Out of memory ends the process: work is refused at admission instead, where a client
 * can be told. The allocator is jemalloc, and RocksDB's allocations go through it too, so
 * memory_use() speaks for the process.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Never NULL; of size 0 too. Freed with memory_free. */
void *memory_alloc(size_t size);
void *memory_zeroed(size_t size);
void *memory_resize(void *block, size_t size);
void memory_free(void *block);

/* Bytes that the allocator really uses for a block of this size: what budgets must count. */
size_t memory_real_size(size_t size);

struct memory_use {
    size_t allocated; /* bytes in live blocks */
    size_t active;    /* bytes of the pages that they stand in */
    size_t resident;  /* bytes of physical memory held by the allocator */
};

/* As of now: costs some microseconds, for a tick, not for a command. Zeros where the allocator is
 * not jemalloc. */
struct memory_use memory_use(void);

/* Its name and version. */
const char *memory_allocator(void);

/* What the allocator says of itself, as text for its developers, in parts. False: it says nothing.
 */
bool memory_report(void (*write)(void *context, const char *text), void *context);

/* Gives free pages back to the system. */
void memory_purge(void);

#endif
