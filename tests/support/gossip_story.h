/* SPDX-License-Identifier: MIT */
/* Words for stories of gossip: what is to be seen in a world. For tests with cmocka. */
#ifndef SUPPORT_GOSSIP_STORY_H
#define SUPPORT_GOSSIP_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/gossip_world.h"

static inline void expect_agreement(struct gossip_world *world)
{
    const char *wrong = gossip_world_disagreement(world);
    if (wrong)
        fail_msg("%s", wrong);
}

static inline enum gossip_life life(struct gossip_world *world, uint32_t of, uint32_t on)
{
    const struct gossip_peer *peer = gossip_world_view(world, of, on);
    assert_non_null(peer);
    return peer->life;
}

static inline void expect_life(struct gossip_world *world, uint32_t on, enum gossip_life expected)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (i != on && world->nodes[i].gossip)
            assert_int_equal(life(world, i, on), expected);
}

static inline struct gossip_world *world_of(uint32_t count, uint64_t seed)
{
    struct gossip_world *world = gossip_world_new(count, seed);
    gossip_world_run_ms(world, 10000);
    expect_agreement(world);
    return world;
}

/* Runs until all have that view of it; returns how long that took. */
static inline uint64_t run_until_all(struct gossip_world *world, uint32_t on,
                                     enum gossip_life expected, uint64_t limit_ms)
{
    for (uint64_t ms = 0; ms < limit_ms; ms += 10) {
        bool all = true;
        for (uint32_t i = 0; i < world->count && all; i++)
            all = i == on || !world->nodes[i].gossip || life(world, i, on) == expected;
        if (all)
            return ms;
        gossip_world_run_ms(world, 10);
    }
    fail_msg("not within %lu ms", (unsigned long)limit_ms);
    return limit_ms;
}

#endif
