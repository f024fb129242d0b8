/* SPDX-License-Identifier: MIT */
/*
 * How much memory the rows may take, so that the whole process stays within `maxmemory`: what is
 * left when the tier, its block cache, the clients' buffers and a tenth have been taken off,
 * corrected by what the allocator says it holds. Rows are dropped from memory, not lost: they are
 * on disk.
 */
#ifndef NODE_BUDGET_H
#define NODE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_ROWS_MIN = 4 * 1024 * 1024,
    BUDGET_UNKNOWN_MACHINE =
        1024 * 1024 * 1024, /* the limit where the machine's memory is not known */
};

struct budget {
    uint64_t limit;      /* of the process */
    uint64_t correction; /* taken off because the process held more than thought */
    uint64_t rows;       /* what rows may take */
    bool exhausted;      /* rows can give nothing more, and they and the clients take too much */
};

/* What was measured. */
struct budget_use {
    uint64_t resident; /* by the allocator; 0 where it does not tell */
    uint64_t tier;     /* block cache, indexes, filters: what they take, or may come to take */
    uint64_t buffers;  /* of clients */
    uint64_t rows;
};

/* `maxmemory` 0: three fifths of `memory_total`, which is 0 where it is not known. */
void budget_init(struct budget *budget, uint64_t maxmemory, uint64_t memory_total);

/* What the tier's block cache may take: as configured, at most an eighth of the limit. */
uint64_t budget_block_cache(uint64_t configured, uint64_t maxmemory, uint64_t memory_total);

/* Another maxmemory; the correction is learned again. */
void budget_set_limit(struct budget *budget, uint64_t maxmemory, uint64_t memory_total);

/* Each 100 ms: moves `rows` by a small step. */
void budget_update(struct budget *budget, const struct budget_use *use);

#endif
