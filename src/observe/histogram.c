/* SPDX-License-Identifier: MIT */
#include "observe/histogram.h"

#include <math.h>

uint64_t histogram_bucket_end(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

static uint64_t bucket_begin(unsigned bucket)
{
    return bucket == 0 ? 0 : histogram_bucket_end(bucket - 1) + 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    double wanted = floor(percent / 100 * (double)histogram->total + 0.5);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return percent > 0 ? histogram_bucket_end(i) : bucket_begin(i);
    }
    return 0;
}

uint64_t histogram_below(const struct histogram *histogram, unsigned bits)
{
    uint64_t count = 0;
    unsigned end = bits < HISTOGRAM_VALUE_BITS ? histogram_bucket((uint64_t)1 << bits)
                                               : (unsigned)HISTOGRAM_BUCKETS;
    for (unsigned i = 0; i < end; i++)
        count += histogram->counts[i];
    return count;
}
