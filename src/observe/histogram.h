/* SPDX-License-Identifier: MIT */
/*
 * How long things took, in nanoseconds: counts in buckets whose width grows with the value, so that
 * each is known to 1/32. As in HdrHistogram (Tene), without its range to be chosen: up to 32 each
 * value has its own bucket, above it each power of two has 32 of them.
 */
#ifndef OBSERVE_HISTOGRAM_H
#define OBSERVE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 5,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_VALUE_BITS = 37, /* 137 s; what is longer counts as that */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

/* The bucket that counts a value, and the largest value that it counts. */
static inline unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    if (value >> HISTOGRAM_VALUE_BITS)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}
uint64_t histogram_bucket_end(unsigned bucket);

static inline void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count)
{
    histogram->total += count;
    histogram->counts[histogram_bucket(value)] += count;
}

/* The value that so many percent of all are at or below, to the end of its bucket; at 0 percent the
 * smallest. 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* How many are below 2 to the power of `bits`, at least HISTOGRAM_STEP_BITS. */
uint64_t histogram_below(const struct histogram *histogram, unsigned bits);

#endif
