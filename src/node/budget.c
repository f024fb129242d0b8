/* SPDX-License-Identifier: MIT */
#include "node/budget.h"

enum {
    RESERVE_PART = 10,    /* a tenth for all that is not counted */
    STEP_MIN_PART = 1024, /* parts of the limit that the correction moves by in one update */
    STEP_MAX_PART = 64,
    EXCESS_PART = 8,
    BLOCK_CACHE_PART = 8,
    SLACK_PART = 16, /* resident so far below the limit gives memory back to the rows */
};

static uint64_t less(uint64_t from, uint64_t amount)
{
    return from > amount ? from - amount : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void budget_init(struct budget *budget, uint64_t maxmemory, uint64_t memory_total)
{
    *budget = (struct budget){0};
    budget_set_limit(budget, maxmemory, memory_total);
}

static uint64_t limit_of(uint64_t maxmemory, uint64_t memory_total)
{
    if (maxmemory > 0)
        return maxmemory;
    return memory_total ? memory_total / 5 * 3 : BUDGET_UNKNOWN_MACHINE;
}

uint64_t budget_block_cache(uint64_t configured, uint64_t maxmemory, uint64_t memory_total)
{
    return smaller(configured, limit_of(maxmemory, memory_total) / BLOCK_CACHE_PART);
}

void budget_set_limit(struct budget *budget, uint64_t maxmemory, uint64_t memory_total)
{
    budget->limit = limit_of(maxmemory, memory_total);
    budget->correction = 0;
    budget->exhausted = false;
    budget->rows = larger(budget->limit - budget->limit / RESERVE_PART, BUDGET_ROWS_MIN);
}

/* Too much: what rows really take must shrink, by a part of the excess. Well below: a step back. */
static uint64_t corrected(const struct budget *budget, const struct budget_use *use,
                          uint64_t planned)
{
    uint64_t step_min = budget->limit / STEP_MIN_PART;
    if (use->resident > budget->limit) {
        uint64_t step = larger((use->resident - budget->limit) / EXCESS_PART, step_min);
        step = smaller(step, budget->limit / STEP_MAX_PART);
        uint64_t unused = less(less(planned, budget->correction), use->rows);
        return smaller(budget->correction + unused + step, less(planned, BUDGET_ROWS_MIN));
    }
    if (use->resident < budget->limit - budget->limit / SLACK_PART)
        return less(budget->correction, step_min);
    return budget->correction;
}

void budget_update(struct budget *budget, const struct budget_use *use)
{
    uint64_t planned = budget->limit - budget->limit / RESERVE_PART;
    planned = less(planned, use->tier + use->buffers);
    budget->correction = corrected(budget, use, planned);
    budget->rows = larger(less(planned, budget->correction), BUDGET_ROWS_MIN);
    budget->exhausted = budget->rows == BUDGET_ROWS_MIN && use->rows + use->buffers > budget->limit;
}
