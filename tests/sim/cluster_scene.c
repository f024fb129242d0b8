/* SPDX-License-Identifier: MIT */
#include "sim/cluster_scene.h"

#include "sim/cluster_plan.h"

enum {
    ACTS_MAX = 3, /* times that a scene is played in one world */
    JUST_BEFORE_US = 50 * SIM_MS,
};

static uint64_t between_ms(struct random *random, uint64_t least, uint64_t most)
{
    return (least + random_below(random, most - least + 1)) * SIM_MS;
}

/* Small ones as likely as large ones. */
static uint64_t magnitude_ms(struct random *random, uint64_t least, uint64_t most)
{
    uint64_t draw = between_ms(random, least, most) >> random_below(random, 6);
    return draw > least * SIM_MS ? draw : least * SIM_MS;
}

static unsigned all_nodes(const struct cluster_plan *plan)
{
    return (1u << plan->settings.nodes) - 1;
}

static unsigned one_node(const struct cluster_plan *plan, struct random *random, unsigned but)
{
    unsigned node;
    do
        node = 1u << random_below(random, plan->settings.nodes);
    while (node & but);
    return node;
}

static uint64_t any_time(const struct cluster_plan *plan, struct random *random)
{
    return random_below(random, plan->duration_us);
}

/* Some ways are slow for long: what goes there is overtaken by what goes round. */
static void add_slow_ways(struct cluster_plan *plan, struct random *random, uint64_t most_ms)
{
    cluster_plan_add(plan, random,
                     (struct cluster_fault){.kind = FAULT_SLOW_WAYS,
                                            .at_us = any_time(plan, random) / 2,
                                            .for_us = between_ms(random, 3000, 15000),
                                            .nodes = all_nodes(plan),
                                            .amount = magnitude_ms(random, 10, most_ms)});
}

static void add_return(struct cluster_plan *plan, struct random *random, unsigned node,
                       uint64_t at_us)
{
    cluster_plan_add(
        plan, random,
        (struct cluster_fault){.kind = FAULT_SLOW_LINKS,
                               .at_us = at_us > JUST_BEFORE_US ? at_us - JUST_BEFORE_US : 0,
                               .for_us = between_ms(random, 1000, 5000),
                               .nodes = node,
                               .amount = magnitude_ms(random, 20, 600)});
}

/* ---- scenes ---------------------------------------------------------------------------------- */

/* Whoever confirms a tombstone must have it on its disk: its power goes while it is collected, or
 * just after. */
static void draw_swept(struct cluster_plan *plan, struct random *random)
{
    for (unsigned i = 0; i < ACTS_MAX; i++)
        cluster_plan_add(plan, random,
                         (struct cluster_fault){.kind = FAULT_POWER_CUT,
                                                .at_us = any_time(plan, random),
                                                .for_us = between_ms(random, 50, 1000),
                                                .nodes = cluster_plan_losers(plan),
                                                .trigger = TRIGGER_COLLECTION,
                                                .after_us = magnitude_ms(random, 1, 300)});
    if (random_once_in(random, 3))
        add_slow_ways(plan, random, 100);
}

/* Two nodes coordinate the same keys, since not everybody reaches the first; what one of them sends
 * is slow. Or it is read from slow disks. */
static void draw_late(struct cluster_plan *plan, struct random *random)
{
    unsigned cuts = 1 + (unsigned)random_below(random, ACTS_MAX);
    for (unsigned i = 0; i < 2; i++)
        add_slow_ways(plan, random, 900);
    for (unsigned i = 0; i < cuts; i++)
        cluster_plan_add(plan, random,
                         (struct cluster_fault){.kind = FAULT_LINKS,
                                                .at_us = any_time(plan, random),
                                                .for_us = magnitude_ms(random, 100, 3000),
                                                .nodes = all_nodes(plan)});
    for (unsigned i = 0; i < 2 && random_once_in(random, 2); i++)
        cluster_plan_add(plan, random,
                         (struct cluster_fault){.kind = FAULT_SLOW_DISK,
                                                .at_us = any_time(plan, random) / 2,
                                                .for_us = between_ms(random, 2000, 10000),
                                                .nodes = one_node(plan, random, 0),
                                                .amount = magnitude_ms(random, 5, 800)});
}

/* One is away, and others keep for it what is written; then one of those is, and does not hear that
 * it is deleted. When both are back everybody collects, and everybody brings what was missed. Who
 * knew what was missed may have died. */
static void draw_missed(struct cluster_plan *plan, struct random *random)
{
    unsigned acts = 1 + (unsigned)random_below(random, ACTS_MAX);
    plan->duration_us += 4 * SIM_SECOND;
    for (unsigned i = 0; i < acts; i++) {
        unsigned first = one_node(plan, random, 0), second = one_node(plan, random, first);
        uint64_t at_us = any_time(plan, random), first_us = between_ms(random, 400, 3000);
        uint64_t second_us = between_ms(random, 400, 3000);
        uint64_t back_us = at_us + first_us + second_us;
        struct cluster_fault away = {
            .kind = FAULT_ISOLATED, .at_us = at_us, .for_us = first_us, .nodes = first};
        struct cluster_fault other = {.kind = FAULT_ISOLATED,
                                      .at_us = at_us + first_us - between_ms(random, 0, 200),
                                      .for_us = second_us,
                                      .nodes = second};
        struct cluster_fault dies = {.kind = FAULT_CRASH,
                                     .at_us = back_us - between_ms(random, 0, 400),
                                     .for_us = between_ms(random, 50, 300),
                                     .nodes = one_node(plan, random, second)};
        cluster_plan_add(plan, random, away);
        cluster_plan_add(plan, random, other);
        if (random_once_in(random, 2))
            cluster_plan_add(plan, random, dies);
        if (random_once_in(random, 2))
            add_return(plan, random, random_once_in(random, 2) ? first : second, back_us);
    }
}

/* One is away; those who may lose what they have not synced do so; and who has kept it for the one
 * that is back is cut off, or dies, just when it has sent it. */
static void draw_pushed(struct cluster_plan *plan, struct random *random)
{
    unsigned losers = cluster_plan_losers(plan);
    unsigned acts = 1 + (unsigned)random_below(random, ACTS_MAX);
    for (unsigned i = 0; i < acts; i++) {
        uint64_t at_us = any_time(plan, random), for_us = between_ms(random, 800, 4000);
        uint64_t cut_us = at_us + for_us / 2 + random_below(random, for_us / 2);
        struct cluster_fault away = {.kind = FAULT_ISOLATED,
                                     .at_us = at_us,
                                     .for_us = for_us,
                                     .nodes = one_node(plan, random, losers)};
        if (random_once_in(random, 2)) /* several */
            away.nodes |= all_nodes(plan) & ~losers & (unsigned)random_next(random);
        struct cluster_fault cut = {.kind = FAULT_POWER_CUT,
                                    .at_us = cut_us,
                                    .for_us = at_us + for_us - cut_us + between_ms(random, 0, 300),
                                    .nodes = losers};
        struct cluster_fault gone = {.kind =
                                         random_once_in(random, 4) ? FAULT_CRASH : FAULT_ISOLATED,
                                     .at_us = at_us + for_us - between_ms(random, 0, 300),
                                     .for_us = between_ms(random, 2000, 12000),
                                     .trigger = TRIGGER_SENT,
                                     .after_us = magnitude_ms(random, 0, 50)};
        cluster_plan_add(plan, random, away);
        cluster_plan_add(plan, random, cut);
        cluster_plan_add(plan, random, gone);
        add_return(plan, random, all_nodes(plan), at_us + for_us);
    }
}

static void add_changes(struct cluster_plan *plan, struct random *random)
{
    static const enum fault_kind kinds[] = {FAULT_JOIN, FAULT_LEAVE};
    uint64_t at_us = between_ms(random, 500, 2500);
    unsigned first = 1 + (unsigned)random_below(random, 2), nodes = 0;
    for (unsigned i = 0; i < 2; i++) {
        unsigned node = one_node(plan, random, 3 | nodes); /* the first two are the seeds */
        nodes |= node;
        if (plan->settings.nodes - 1 > plan->settings.copies || i + 1 == first)
            cluster_plan_add(plan, random,
                             (struct cluster_fault){.kind = kinds[(i + first) % 2],
                                                    .at_us = at_us,
                                                    .for_us = between_ms(random, 50, 500),
                                                    .nodes = node});
        at_us += magnitude_ms(random, 1, 3000);
    }
}

/* Slots move over slow ways, and at a step somebody is gone for a moment. */
static void draw_moving(struct cluster_plan *plan, struct random *random)
{
    unsigned acts = (unsigned)random_below(random, ACTS_MAX + 1);
    add_changes(plan, random);
    add_slow_ways(plan, random, 900);
    plan->faults[plan->fault_count - 1].at_us = 0;
    for (unsigned i = 0; i < acts; i++)
        cluster_plan_add(
            plan, random,
            (struct cluster_fault){.kind = random_once_in(random, 2) ? FAULT_CRASH : FAULT_ISOLATED,
                                   .at_us = any_time(plan, random) / 2,
                                   .for_us = magnitude_ms(random, 50, 3000),
                                   .nodes = one_node(plan, random, 0),
                                   .trigger = TRIGGER_LAYOUT,
                                   .after_us = magnitude_ms(random, 1, 1000)});
}

/* One is away while the others go on without it, its clients stay, and then it is back. */
static void draw_behind(struct cluster_plan *plan, struct random *random)
{
    plan->duration_us = between_ms(random, 11000, 15000);
    add_changes(plan, random);
    cluster_plan_add(plan, random,
                     (struct cluster_fault){.kind = FAULT_ISOLATED,
                                            .for_us = between_ms(random, 6000, 11000),
                                            .nodes = one_node(plan, random, 0),
                                            .trigger = TRIGGER_LAYOUT,
                                            .after_us = magnitude_ms(random, 0, 200)});
    add_slow_ways(plan, random, 400);
}

/* What one alone has is shown, and then that one is gone again. */
static void draw_flapping(struct cluster_plan *plan, struct random *random)
{
    unsigned node = one_node(plan, random, 0);
    unsigned acts = 2 + (unsigned)random_below(random, ACTS_MAX);
    for (unsigned i = 0; i < acts; i++)
        cluster_plan_add(plan, random,
                         (struct cluster_fault){.kind = FAULT_ISOLATED,
                                                .at_us = any_time(plan, random),
                                                .for_us = magnitude_ms(random, 50, 3000),
                                                .nodes = random_once_in(random, 3)
                                                             ? one_node(plan, random, 0)
                                                             : node});
    cluster_plan_add(plan, random,
                     (struct cluster_fault){.kind = FAULT_FLAPPING,
                                            .at_us = any_time(plan, random) / 2,
                                            .for_us = between_ms(random, 2000, 9000),
                                            .nodes = node,
                                            .amount = magnitude_ms(random, 50, 1500) / SIM_MS});
    for (unsigned i = 0; i < acts; i++)
        cluster_plan_add(plan, random,
                         (struct cluster_fault){.kind = FAULT_CRASH,
                                                .at_us = any_time(plan, random),
                                                .for_us = magnitude_ms(random, 50, 1000),
                                                .nodes = node});
    if (random_once_in(random, 2))
        add_slow_ways(plan, random, 100);
}

void scene_draw(struct cluster_plan *plan, struct random *random)
{
    static void (*const scenes[THEMES])(struct cluster_plan *, struct random *) = {
        [THEME_SWEPT] = draw_swept,       [THEME_LATE] = draw_late,
        [THEME_MISSED] = draw_missed,     [THEME_PUSHED] = draw_pushed,
        [THEME_MOVING] = draw_moving,     [THEME_BEHIND] = draw_behind,
        [THEME_FLAPPING] = draw_flapping,
    };
    if (scenes[plan->theme])
        scenes[plan->theme](plan, random);
}
