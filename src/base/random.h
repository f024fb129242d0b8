/* SPDX-License-Identifier: MIT */
/* Chance from a seed (SplitMix64, Steele et al. 2014): the same seed, the same draws. Not for
 * secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From 0 to limit-1, evenly; limit > 0. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * limit) >> 64);
}

/* True once in `odds` draws. */
static inline bool random_once_in(struct random *random, uint64_t odds)
{
    return random_below(random, odds) == 0;
}

#endif
