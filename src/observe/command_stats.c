/* SPDX-License-Identifier: MIT */
#include "observe/command_stats.h"

#include "base/memory.h"

void command_stats_make_histogram(struct command_stats *stats)
{
    stats->latency = memory_zeroed(sizeof(*stats->latency));
}

void command_stats_reset(struct command_stats *stats)
{
    memory_free(stats->latency);
    *stats = (struct command_stats){0};
}
