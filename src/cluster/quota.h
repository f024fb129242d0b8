/* SPDX-License-Identifier: MIT */
/*
 * Fair shares of a whole number of things: in proportion to weights, within bounds. What the bounds
 * give to one or withhold from it the others share, again by their weights (water filling).
 */
#ifndef CLUSTER_QUOTA_H
#define CLUSTER_QUOTA_H

#include <stdint.h>

struct quota {
    uint32_t weight; /* 0: no more than `least` */
    uint64_t least;
    uint64_t most;  /* below 2^32 */
    uint64_t share; /* the result */
};

/*
 * Shares that sum up to `total`, or as near to it as the bounds allow; each is less than one from
 * what it would be in fractions. Of equals the first ones in the array get the odd ones.
 */
void quota_share(struct quota *quotas, uint32_t count, uint64_t total);

#endif
