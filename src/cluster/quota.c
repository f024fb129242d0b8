/* SPDX-License-Identifier: MIT */
#include "cluster/quota.h"

/* A share is weight * level / 2^32, within the bounds: the level says how high the water stands. */
enum { LEVEL_SHIFT = 32 };

static uint64_t share_at(const struct quota *quota, uint64_t level)
{
    uint64_t share = (uint64_t)(((unsigned __int128)quota->weight * level) >> LEVEL_SHIFT);
    share = share < quota->most ? share : quota->most;
    return share > quota->least ? share : quota->least;
}

static uint64_t sum_at(const struct quota *quotas, uint32_t count, uint64_t level)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += share_at(&quotas[i], level);
    return sum;
}

/* The highest level at which the shares are not more than `total`. */
static uint64_t find_level(const struct quota *quotas, uint32_t count, uint64_t total)
{
    uint64_t low = 0, high = UINT64_MAX - 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2 + 1;
        if (sum_at(quotas, count, middle) <= total)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* At the next level the sum is above `total`: some of those that then rise may rise now. */
void quota_share(struct quota *quotas, uint32_t count, uint64_t total)
{
    uint64_t level = find_level(quotas, count, total);
    uint64_t sum = sum_at(quotas, count, level);
    for (uint32_t i = 0; i < count; i++) {
        struct quota *quota = &quotas[i];
        quota->share = share_at(quota, level);
        if (sum < total && share_at(quota, level + 1) > quota->share) {
            quota->share++;
            sum++;
        }
    }
}
