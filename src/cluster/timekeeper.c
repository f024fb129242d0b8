/* SPDX-License-Identifier: MIT */
#include "cluster/timekeeper.h"

#include <stdlib.h>

static bool is_near(int64_t a_ms, int64_t b_ms)
{
    return llabs(a_ms - b_ms) <= TIMEKEEPER_OFF_MS;
}

static void believe(struct timekeeper *keeper, int64_t wall_ms)
{
    keeper->ahead_ms = wall_ms;
    keeper->doubts = false;
}

static void doubt(struct timekeeper *keeper, int64_t wall_ms, uint64_t steady_ms)
{
    if (!keeper->doubts || !is_near(wall_ms, keeper->jumped_ms)) {
        keeper->jumped_ms = wall_ms;
        keeper->since_ms = steady_ms;
    }
    keeper->doubts = true;
}

static void decide_alone(struct timekeeper *keeper, int64_t wall_ms, uint64_t steady_ms)
{
    keeper->sure = true;
    if (is_near(wall_ms, keeper->ahead_ms)) {
        believe(keeper, wall_ms);
        return;
    }
    doubt(keeper, wall_ms, steady_ms);
    if (steady_ms - keeper->since_ms >= TIMEKEEPER_ALONE_MS)
        believe(keeper, wall_ms);
}

static bool most_walls_agree(const struct gossip *gossip, size_t members, uint64_t wall_ms)
{
    size_t all = gossip_peer_count(gossip) + 1;
    if (all < members)
        all = members;
    return 2 * (gossip_walls_near(gossip, wall_ms, TIMEKEEPER_OFF_MS) + 1) > all;
}

/* Whether this node takes the median of others for its own, which contradicts it. */
static bool yields(const struct timekeeper *keeper, size_t voters, bool they_are_sure,
                   int64_t median_ms)
{
    if (they_are_sure)
        return !keeper->sure || voters > 1;
    return !keeper->sure && (voters > 1 || median_ms < keeper->ahead_ms);
}

/* All times are as ahead of the steady clock. */
static void decide(struct timekeeper *keeper, const struct gossip *gossip, size_t members,
                   int64_t wall_ms, uint64_t steady_ms)
{
    bool they_are_sure;
    size_t voters = gossip_clock_voters(gossip, &they_are_sure);
    int64_t median_ms = -gossip_clock_offset_ms(gossip);
    if (voters > 0 && (is_near(wall_ms, median_ms) ||
                       most_walls_agree(gossip, members, steady_ms + (uint64_t)wall_ms))) {
        keeper->sure = true;
        believe(keeper, wall_ms);
        return;
    }
    bool contradicts = voters > 0 && !is_near(keeper->ahead_ms, median_ms);
    if (contradicts && yields(keeper, voters, they_are_sure, median_ms)) {
        keeper->ahead_ms = median_ms;
        keeper->sure |= they_are_sure;
    } else if ((voters == 0 || contradicts) && is_near(wall_ms, keeper->ahead_ms)) {
        believe(keeper, wall_ms);
        return;
    }
    doubt(keeper, wall_ms, steady_ms);
}

uint64_t timekeeper_time(struct timekeeper *keeper, const struct gossip *gossip, size_t members,
                         uint64_t steady_ms, uint64_t wall_ms)
{
    int64_t ahead_ms = (int64_t)(wall_ms - steady_ms);
    if (!keeper->begun) {
        keeper->begun = true;
        keeper->ahead_ms = ahead_ms;
    }
    if (members == 1)
        decide_alone(keeper, ahead_ms, steady_ms);
    else
        decide(keeper, gossip, members, ahead_ms, steady_ms);
    return steady_ms + (uint64_t)keeper->ahead_ms;
}

uint64_t timekeeper_median(const struct gossip *gossip, uint64_t steady_ms, uint64_t time_ms)
{
    uint64_t median_ms = steady_ms - (uint64_t)gossip_clock_offset_ms(gossip);
    return is_near((int64_t)median_ms, (int64_t)time_ms) ? median_ms : time_ms;
}

struct gossip_clock timekeeper_says(const struct timekeeper *keeper, uint64_t steady_ms,
                                    uint64_t wall_ms)
{
    return (struct gossip_clock){
        .time_ms = keeper->ahead_ms,
        .wall_ms = (int64_t)(wall_ms - steady_ms),
        .sure = keeper->sure,
    };
}
