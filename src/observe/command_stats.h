/* SPDX-License-Identifier: MIT */
/* What is counted of one command: INFO commandstats and latencystats, LATENCY HISTOGRAM. */
#ifndef OBSERVE_COMMAND_STATS_H
#define OBSERVE_COMMAND_STATS_H

#include <stdbool.h>

#include "observe/histogram.h"

struct command_stats {
    uint64_t calls;
    uint64_t busy_ns;          /* that the core thread has worked for it, in all runs */
    uint64_t rejected;         /* refused before it ran */
    uint64_t failed;           /* ran, and answered with an error */
    struct histogram *latency; /* from its first run to its reply; NULL: none was measured */
};

/* Calls that are over, `failed` of them with an error. */
static inline void command_stats_add(struct command_stats *stats, uint64_t calls, uint64_t failed,
                                     uint64_t busy_ns)
{
    stats->calls += calls;
    stats->failed += failed;
    stats->busy_ns += busy_ns;
}

void command_stats_make_histogram(struct command_stats *stats);

static inline void command_stats_add_latency(struct command_stats *stats, uint64_t calls,
                                             uint64_t latency_ns)
{
    if (!stats->latency)
        command_stats_make_histogram(stats);
    histogram_add(stats->latency, latency_ns, calls);
}

void command_stats_reset(struct command_stats *stats);

#endif
