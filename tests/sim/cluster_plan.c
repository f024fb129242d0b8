/* SPDX-License-Identifier: MIT */
#include "sim/cluster_plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/xxh.h"
#include "quorum/claim.h"
#include "sim/cluster_scene.h"
#include "store/export.h"

enum {
    SLACK_US =
        5 * SIM_MS, /* clocks that agree do so to a millisecond, and time within it is counted */
    CALM_ODDS = 12, /* a world without faults */
    KIND_ODDS = 3,
    MEMBERS_ODDS = 6, /* of a change of members */
    TOGETHER_MAX = 3, /* times that faults come together */
    REMOVE_AFTER_S = 4,
    MAX_ABSENCE_S = 6,
    AWAY_RETURN_US = 2 * SIM_SECOND,
    DRIFT_BEGIN_US = 200 * SIM_SECOND, /* so old is a world at the end of its faults, at most */
};

struct fault_rule {
    const char *name;
    unsigned most; /* in one world */
    uint64_t for_min_ms, for_max_ms;
    uint64_t amount_min, amount_max;
};

static const struct fault_rule rules[FAULT_KINDS] = {
    [FAULT_HALVES] = {"halves", 3, 300, 9000, 0, 0},
    [FAULT_ONE_WAY] = {"one way", 3, 300, 8000, 0, 0},
    [FAULT_ISOLATED] = {"isolated", 4, 200, 12000, 0, 0},
    [FAULT_LINKS] = {"links", 4, 300, 8000, 0, 0},
    [FAULT_FLAPPING] = {"flapping", 2, 2000, 9000, 50, 1500},
    [FAULT_BRIDGE] = {"bridge", 2, 500, 9000, 0, 0},
    [FAULT_RESETS] = {"resets", 2, 500, 9000, 5, 500},
    [FAULT_SLOW_LINKS] = {"slow links", 3, 500, 9000, 5000, 400000},
    [FAULT_CRASH] = {"crash", 5, 50, 9000, 0, 0},
    [FAULT_DEATH] = {"death", 5, 0, 0, 0, 60},
    [FAULT_POWER_CUT] = {"power cut", 4, 50, 9000, 0, 0},
    [FAULT_STOP] = {"stop", 3, 50, 6000, 0, 0},
    [FAULT_PAUSE] = {"pause", 4, 20, 12000, 0, 0},
    [FAULT_CLOCK] = {"clock", 3, 500, 15000, 1, 300000},
    [FAULT_SLOW_DISK] = {"slow disk", 3, 1000, 15000, 2000, 1500000},
    [FAULT_SLOW_PROCESS] = {"slow process", 3, 500, 9000, 1000, 150000},
    [FAULT_FULL_DISK] = {"full disk", 2, 200, 5000, 0, 0},
    [FAULT_CLIENTS_CUT] = {"clients cut off", 3, 300, 9000, 0, 0},
    [FAULT_SLOW_SYNC] = {"slow sync", 1, 0, 0, 1000, 400000},
    [FAULT_DRIFT] = {"drift", 2, 5000, 20000, 10, 5000},
    [FAULT_FAR_CLOCK] = {"far clock", 1, 500, 15000, 0, 0},
    [FAULT_JOIN] = {"join", 1, 0, 0, 0, 0},
    [FAULT_LEAVE] = {"leave", 1, 50, 1000, 0, 0},
    [FAULT_DISK_LOST] = {"disk lost", 1, 50, 9000, 0, 0},
    [FAULT_OLD_DIRECTORY] = {"old directory", 1, 500, 15000, 0, 0},
    [FAULT_AWAY] = {"away", 1, 12000, 30000, 0, 0},
    [FAULT_SLOW_WAYS] = {"slow ways", 1, 500, 9000, 5000, 400000},
};

const char *cluster_fault_name(enum fault_kind kind)
{
    check(kind < FAULT_KINDS);
    return rules[kind].name;
}

static struct random stream(uint64_t seed, uint64_t purpose, uint64_t number)
{
    uint64_t facts[3] = {seed, purpose, number};
    return (struct random){xxh64(bytes_of(facts, sizeof(facts)))};
}

enum purpose {
    DRAW_SETTINGS,
    DRAW_LOAD,
    DRAW_NET,
    DRAW_SWARM,
    DRAW_FAULT,
    DRAW_THEME,
    DRAW_TOGETHER,
    DRAW_SCENE,
};

/* So chosen that the seeds that were kept before there were themes have none, and mean what they
 * did. */
enum { THEME_SALT = 219846 };

static uint64_t between(struct random *random, uint64_t least, uint64_t most)
{
    return least + random_below(random, most - least + 1);
}

/* Small ones as likely as large ones. */
static uint64_t magnitude(struct random *random, uint64_t least, uint64_t most)
{
    uint64_t draw = between(random, least, most);
    unsigned shift = (unsigned)random_below(random, 6);
    draw >>= shift;
    return draw > least ? draw : least;
}

static void draw_settings(struct random *random, unsigned nodes, struct cluster_settings *settings)
{
    static const unsigned sizes[] = {3, 4, 5, 5, 5, 5, 6, 1};
    static const uint64_t seals[] = {2000, 20000, 200000, 4000000};
    unsigned copies = random_once_in(random, 8) ? 5 : 3;
    settings->nodes = nodes ? nodes : sizes[random_below(random, 8)];
    if (nodes)
        (void)random_next(random);
    settings->copies = copies <= settings->nodes ? copies
                       : settings->nodes < 3     ? settings->nodes
                                                 : 3;
    settings->read_quorum = settings->write_quorum = settings->copies / 2 + 1;
    if (random_once_in(random, 6)) {
        settings->write_quorum = 1 + (unsigned)random_below(random, settings->copies);
        settings->read_quorum = settings->copies + 1 - settings->write_quorum;
    }
    settings->sloppy = !random_once_in(random, 3);
    settings->sync = (enum log_sync)random_below(random, 3);
    settings->seal_bytes = seals[random_below(random, 4)];
    settings->quorum_timeout_ms = magnitude(random, 200, 3000);
    settings->cold_odds = (unsigned)random_below(random, 4);
    settings->turn_us = magnitude(random, 10, 2000);
    settings->job_us = magnitude(random, 50, 10000);
}

static void draw_load(struct random *random, unsigned nodes, struct cluster_load *load)
{
    *load = (struct cluster_load){
        .clients = (unsigned)between(random, 3, 7),
        .nodes = nodes,
        .hot_keys = (unsigned)between(random, 1, 4),
        .sums = (unsigned)between(random, 1, 3),
        .own_keys = (unsigned)between(random, 2, 6),
        .expiring_keys = (unsigned)between(random, 1, 3),
        .logs = 1,
        .think_us = magnitude(random, 20 * SIM_MS, 400 * SIM_MS),
        .timeout_us = magnitude(random, 300 * SIM_MS, 6000 * SIM_MS),
        .stay_odds = (unsigned)between(random, 2, 60),
        .padding_max = random_once_in(random, 3) ? (size_t)magnitude(random, 10, 60000) : 0,
        .ttl_ms = magnitude(random, 300, 20000),
    };
    for (int class = 0; class < HISTORY_CLASSES; class ++)
        load->weights[class] =
            random_once_in(random, 5) ? 0 : 1 + (unsigned)random_below(random, 4);
    load->weights[HISTORY_PRIVATE]++;
    load->versions = (unsigned)between(random, 1, 2);
}

static void draw_net(struct random *random, struct sim_net_options *net)
{
    *net = (struct sim_net_options){
        .seed = random_next(random),
        .latency_us = magnitude(random, 20, 3000),
        .jitter_us = magnitude(random, 20, 5000),
        .tail_odds = random_once_in(random, 2) ? 0 : (unsigned)between(random, 5, 200),
        .split_odds = random_once_in(random, 2) ? 0 : (unsigned)between(random, 2, 20),
        .window = (size_t)magnitude(random, 65536, 4000000),
        .reset_us = random_once_in(random, 4) ? 0 : magnitude(random, 500 * SIM_MS, 9 * SIM_SECOND),
    };
}

/* Those whose power may be cut, all through the world: what the others have acknowledged lasts
 * (CORRECTNESS, durability), unless every acknowledgement waits for its sync. */
static unsigned victims(const struct cluster_settings *settings, uint64_t seed)
{
    struct random random = stream(seed, DRAW_SWARM, FAULT_ALONE);
    unsigned all = (1u << settings->nodes) - 1, set = 0;
    if (settings->sync == LOG_SYNC_ALWAYS)
        return all;
    for (unsigned i = 0; i + 1 < settings->write_quorum; i++)
        set |= 1u << random_below(&random, settings->nodes);
    return set;
}

static bool takes_one(enum fault_kind kind)
{
    return kind != FAULT_HALVES && kind != FAULT_ONE_WAY && kind != FAULT_BRIDGE &&
           kind != FAULT_LINKS && kind != FAULT_CRASH && kind != FAULT_POWER_CUT &&
           kind != FAULT_RESETS && kind != FAULT_CLIENTS_CUT && kind != FAULT_SLOW_SYNC;
}

static bool changes_members(enum fault_kind kind)
{
    return kind == FAULT_JOIN || kind == FAULT_LEAVE || kind == FAULT_DISK_LOST ||
           kind == FAULT_OLD_DIRECTORY || kind == FAULT_AWAY;
}

/* All lose what was acknowledged: who was away for too long drops what it has. */
static bool loses_rows(enum fault_kind kind)
{
    return kind == FAULT_DISK_LOST || kind == FAULT_OLD_DIRECTORY || kind == FAULT_AWAY;
}

/* Whether this node may: the first two are the seeds that are to be there, each node goes through
 * one change at most, enough are left for all copies, and what is lost with a disk W nodes had.
 * Where R or W is all copies nobody who has gone can be replaced. */
static bool may_change(const struct cluster_plan *plan, const struct cluster_fault *fault)
{
    const struct cluster_settings *settings = &plan->settings;
    unsigned spare = settings->nodes > settings->copies ? settings->nodes - settings->copies : 0;
    unsigned changes = 0;
    if (fault->nodes < 1u << 2)
        return false;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        enum fault_kind kind = plan->faults[i].kind;
        if (changes_members(kind) && plan->faults[i].nodes == fault->nodes)
            return false;
        changes += changes_members(kind);
        spare -= spare > 0 && (kind == FAULT_JOIN || kind == FAULT_LEAVE || kind == FAULT_AWAY);
    }
    if (fault->kind == FAULT_OLD_DIRECTORY && changes > 0)
        return false; /* it has forgotten what it had promised of a change */
    for (unsigned i = 0; i < plan->fault_count && fault->kind == FAULT_AWAY; i++)
        if (loses_rows(plan->faults[i].kind))
            return false; /* one at a time: what was acknowledged is on W nodes */
    if (fault->kind == FAULT_AWAY && spare == 0)
        return false;
    if (loses_rows(fault->kind))
        return settings->write_quorum > 1 && settings->read_quorum > 1 &&
               (fault->nodes & victims(settings, plan->seed)) != 0;
    return spare > 0;
}

/* One of those that may lose rows. Half of the disks are lost at the end, when what was
 * acknowledged last is nowhere but where it was acknowledged (A11). */
static void choose_loser(const struct cluster_plan *plan, struct random *random,
                         struct cluster_fault *fault)
{
    unsigned set = victims(&plan->settings, plan->seed) & ~3u; /* without the seeds */
    unsigned skip = (unsigned)random_below(random, CLUSTER_NODES_MAX);
    fault->nodes = 0;
    for (unsigned i = 0; set != 0 && i <= skip; i++) {
        fault->nodes = set & -set;
        set &= set - 1;
        if (set == 0)
            set = i < skip ? victims(&plan->settings, plan->seed) & ~3u : 0;
    }
    if (fault->kind == FAULT_DISK_LOST && random_once_in(random, 2))
        fault->at_us = plan->duration_us - 1;
}

static void draw_fault(struct cluster_plan *plan, enum fault_kind kind, unsigned number)
{
    struct random random = stream(plan->seed, DRAW_FAULT, (uint64_t)kind << 32 | number);
    const struct fault_rule *rule = &rules[kind];
    unsigned all = (1u << plan->settings.nodes) - 1;
    struct cluster_fault fault = {
        .kind = kind,
        .at_us = random_below(&random, plan->duration_us),
        .for_us = magnitude(&random, rule->for_min_ms, rule->for_max_ms) * SIM_MS,
        .nodes = (unsigned)random_next(&random) & all,
        .amount = magnitude(&random, rule->amount_min, rule->amount_max),
        .draw = random_next(&random),
    };
    if (takes_one(kind) || fault.nodes == 0)
        fault.nodes = 1u << random_below(&random, plan->settings.nodes);
    if (kind == FAULT_CRASH && random_once_in(&random, 2)) /* mostly one or two */
        fault.nodes = 1u << random_below(&random, plan->settings.nodes);
    if (kind == FAULT_POWER_CUT)
        fault.nodes &= victims(&plan->settings, plan->seed);
    if (kind == FAULT_SLOW_SYNC) {
        fault.at_us = 0;
        fault.for_us = plan->duration_us;
    }
    if (loses_rows(kind))
        choose_loser(plan, &random, &fault);
    if (changes_members(kind) && !may_change(plan, &fault))
        return;
    if (fault.nodes == 0 || plan->fault_count == CLUSTER_FAULTS_MAX)
        return;
    plan->faults[plan->fault_count++] = fault;
}

/* ---- faults that go together ----------------------------------------------------------------- */

void cluster_plan_add(struct cluster_plan *plan, struct random *random, struct cluster_fault fault)
{
    fault.draw = random_next(random);
    if (plan->fault_count < CLUSTER_FAULTS_MAX && (fault.nodes != 0 || fault.trigger) &&
        fault.at_us < plan->duration_us)
        plan->faults[plan->fault_count++] = fault;
}

unsigned cluster_plan_losers(const struct cluster_plan *plan)
{
    return victims(&plan->settings, plan->seed);
}

/* One that is not among `but`; any, where these are all. */
static unsigned draw_node(struct random *random, unsigned nodes, unsigned but)
{
    unsigned node, all = (1u << nodes) - 1;
    if ((but & all) == all)
        but = 0;
    do
        node = 1u << random_below(random, nodes);
    while (node & but);
    return node;
}

/* One comes back over links that are slow and break: what it is sent then may not arrive. */
static void draw_return(struct cluster_plan *plan, struct random *random, unsigned node,
                        uint64_t at_us)
{
    uint64_t for_us = between(random, 1000, 4000) * SIM_MS;
    struct cluster_fault slow = {.kind = FAULT_SLOW_LINKS,
                                 .at_us = at_us,
                                 .for_us = for_us,
                                 .nodes = node,
                                 .amount = between(random, 20, 400) * SIM_MS};
    struct cluster_fault resets = {.kind = FAULT_RESETS,
                                   .at_us = at_us,
                                   .for_us = for_us,
                                   .nodes = node,
                                   .amount = between(random, 5, 300)};
    cluster_plan_add(plan, random, slow);
    if (random_once_in(random, 2))
        cluster_plan_add(plan, random, resets);
}

/* An owner is away while those who may lose what they have not synced do so, or just after: what
 * they had acknowledged has only who stood in for the one that was away. */
static void draw_losses(struct cluster_plan *plan, struct random *random)
{
    unsigned nodes = plan->settings.nodes, losers = victims(&plan->settings, plan->seed);
    uint64_t for_us = between(random, 2000, 6000) * SIM_MS;
    uint64_t at_us = random_below(random, plan->duration_us);
    struct cluster_fault away = {.kind = FAULT_ISOLATED,
                                 .at_us = at_us,
                                 .for_us = for_us,
                                 .nodes = draw_node(random, nodes, losers)};
    struct cluster_fault cut = {.kind = FAULT_POWER_CUT,
                                .at_us = at_us + for_us / 2 + random_below(random, for_us / 2),
                                .for_us = between(random, 50, 2000) * SIM_MS,
                                .nodes = losers};
    if (random_once_in(random, 3)) {
        away.kind = FAULT_FULL_DISK; /* it is there, and can keep nothing */
    } else if (random_once_in(random, 2)) {
        cut.at_us = at_us + for_us + random_below(random, 1500 * SIM_MS);
        draw_return(plan, random, away.nodes, at_us + for_us - 50 * SIM_MS);
    }
    if (random_once_in(random, 4))
        away.nodes = losers; /* what they alone have nobody may have been promised */
    cluster_plan_add(plan, random, away);
    cluster_plan_add(plan, random, cut);
}

/* One misses deletions, and is told of them slowly. */
static void draw_missed(struct cluster_plan *plan, struct random *random)
{
    struct cluster_fault away = {.kind = FAULT_ISOLATED,
                                 .at_us = random_below(random, plan->duration_us),
                                 .for_us = between(random, 500, 4000) * SIM_MS,
                                 .nodes = draw_node(random, plan->settings.nodes, 0)};
    cluster_plan_add(plan, random, away);
    draw_return(plan, random, away.nodes, away.at_us + away.for_us - 50 * SIM_MS);
}

/* Who joins is far away, and another is gone just then. */
static void draw_joining(struct cluster_plan *plan, struct random *random)
{
    unsigned count = plan->fault_count;
    for (unsigned i = 0; i < count; i++) {
        struct cluster_fault fault = plan->faults[i];
        if (fault.kind != FAULT_JOIN && fault.kind != FAULT_LEAVE)
            continue;
        unsigned node =
            fault.kind == FAULT_JOIN ? fault.nodes : draw_node(random, plan->settings.nodes, 0);
        struct cluster_fault slow = {.kind = FAULT_SLOW_LINKS,
                                     .at_us = fault.at_us,
                                     .for_us = between(random, 2000, 8000) * SIM_MS,
                                     .nodes = node,
                                     .amount = between(random, 20, 400) * SIM_MS};
        struct cluster_fault links = {
            .kind = FAULT_LINKS,
            .at_us = fault.at_us + random_below(random, 3 * SIM_SECOND),
            .for_us = between(random, 300, 4000) * SIM_MS,
            .nodes = 1,
        };
        cluster_plan_add(plan, random, slow);
        cluster_plan_add(plan, random, links);
    }
}

/* Two disks have no room, and then the third node is away: what these two could not store they do
 * not have. */
static void draw_full_disks(struct cluster_plan *plan, struct random *random)
{
    unsigned nodes = plan->settings.nodes;
    uint64_t for_us = between(random, 1000, 5000) * SIM_MS;
    uint64_t at_us = random_below(random, plan->duration_us);
    unsigned first = draw_node(random, nodes, 0), second = draw_node(random, nodes, first);
    struct cluster_fault full = {.kind = FAULT_FULL_DISK, .at_us = at_us, .for_us = for_us};
    struct cluster_fault away = {.kind = FAULT_ISOLATED,
                                 .at_us = at_us + for_us / 4 + random_below(random, for_us / 2),
                                 .for_us = between(random, 500, 3000) * SIM_MS,
                                 .nodes = draw_node(random, nodes, first | second)};
    full.nodes = first;
    cluster_plan_add(plan, random, full);
    full.nodes = second;
    cluster_plan_add(plan, random, full);
    cluster_plan_add(plan, random, away);
}

static void draw_together(struct cluster_plan *plan)
{
    struct random random = stream(plan->seed, DRAW_TOGETHER, 0);
    unsigned count = 1 + (unsigned)random_below(&random, TOGETHER_MAX);
    if (plan->theme == THEME_MEMBERS)
        draw_joining(plan, &random);
    for (unsigned i = 0; i < count; i++) {
        if (plan->theme == THEME_HANDOVER)
            draw_losses(plan, &random);
        else if (plan->theme == THEME_STRICT)
            draw_full_disks(plan, &random);
        else if (plan->theme == THEME_DELETIONS)
            draw_missed(plan, &random);
    }
}

/* ---- whole plans ----------------------------------------------------------------------------- */

static void draw_themed(struct cluster_plan *plan, struct random *random)
{
    plan->duration_us = between(random, 4, 12) * SIM_SECOND;
    for (int kind = 0; kind < FAULT_ALONE; kind++) {
        unsigned odds = theme_fault_odds(plan->theme, kind);
        bool exists = odds > 0 && random_once_in(random, odds);
        unsigned count = 1 + (unsigned)random_below(random, rules[kind].most);
        for (unsigned i = 0; exists && i < count; i++)
            draw_fault(plan, (enum fault_kind)kind, i);
    }
    draw_together(plan);
    struct random scene = stream(plan->seed, DRAW_SCENE, 0);
    scene_draw(plan, &scene);
}

/* Who is away is removed within the time of a world that has such a fault, and there is some left
 * for its return. */
static void allow_for_away(struct cluster_plan *plan)
{
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct cluster_fault *fault = &plan->faults[i];
        uint64_t end_us = fault->at_us + fault->for_us + AWAY_RETURN_US;
        if (fault->kind != FAULT_AWAY)
            continue;
        plan->settings.remove_after_s = REMOVE_AFTER_S;
        plan->settings.max_absence_s = fault->draw & 2 ? MAX_ABSENCE_S : 0;
        if (end_us > plan->duration_us)
            plan->duration_us = end_us;
    }
}

void cluster_plan_draw(uint64_t seed, unsigned nodes, struct cluster_plan *plan)
{
    cluster_plan_draw_theme(seed, nodes, THEMES, plan);
}

void cluster_plan_draw_theme(uint64_t seed, unsigned nodes, enum theme theme_given,
                             struct cluster_plan *plan)
{
    *plan = (struct cluster_plan){.seed = seed, .events_max = CLUSTER_EVENTS_MAX};
    struct random settings = stream(seed, DRAW_SETTINGS, 0), load = stream(seed, DRAW_LOAD, 0);
    struct random net = stream(seed, DRAW_NET, 0), swarm = stream(seed, DRAW_SWARM, 0);
    draw_settings(&settings, nodes, &plan->settings);
    draw_load(&load, plan->settings.nodes, &plan->load);
    draw_net(&net, &plan->net);
    struct random theme = stream(seed, DRAW_THEME, THEME_SALT);
    if (nodes != 1)
        plan->theme = theme_draw(&theme);
    if (nodes != 1 && theme_given == THEME_SOME_SCENE)
        plan->theme = (enum theme)(THEMES_DRAWN + seed % (THEMES - THEMES_DRAWN));
    else if (nodes != 1 && theme_given != THEMES)
        plan->theme = theme_given;
    if (plan->theme != THEME_NONE) {
        theme_shape(plan->theme, &theme, nodes, &plan->settings, &plan->load);
        draw_themed(plan, &theme);
        allow_for_away(plan);
        return;
    }
    plan->duration_us = between(&swarm, 5, 20) * SIM_SECOND;
    if (random_once_in(&swarm, CALM_ODDS))
        return;
    for (int kind = 0; kind < FAULT_ALONE; kind++) {
        bool exists = random_once_in(&swarm, changes_members((enum fault_kind)kind) ? MEMBERS_ODDS
                                                                                    : KIND_ODDS);
        unsigned count = 1 + (unsigned)random_below(&swarm, rules[kind].most);
        for (unsigned i = 0; exists && i < count; i++)
            draw_fault(plan, (enum fault_kind)kind, i);
    }
    allow_for_away(plan);
}

struct check_options cluster_plan_checks(const struct cluster_plan *plan)
{
    const struct cluster_settings *settings = &plan->settings;
    struct check_options options = {
        .strict =
            !settings->sloppy && settings->read_quorum + settings->write_quorum > settings->copies,
        .undivided = true,
        .slack_us = SLACK_US,
    };
    uint64_t apart_us = 0;
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct cluster_fault *fault = &plan->faults[i];
        if (fault->dropped)
            continue;
        options.undivided = false;
        if ((fault->kind == FAULT_POWER_CUT && settings->sync != LOG_SYNC_ALWAYS) ||
            loses_rows(fault->kind))
            options.strict = false; /* what one of W has lost a read may miss, until it is synced */
        options.reverted |= fault->kind == FAULT_OLD_DIRECTORY;
        if (fault->kind == FAULT_DRIFT && fault->amount * DRIFT_BEGIN_US / 1000000 > apart_us)
            apart_us = fault->amount * DRIFT_BEGIN_US / 1000000;
        if (fault->kind == FAULT_FAR_CLOCK && STORE_CLOCK_TRUST_MS * SIM_MS > apart_us)
            apart_us = STORE_CLOCK_TRUST_MS * SIM_MS;
        if (fault->kind == FAULT_CLOCK && fault->amount * SIM_MS > apart_us)
            apart_us = fault->amount * SIM_MS;
    }
    options.monotonic = options.strict && 2 * settings->read_quorum > settings->copies;
    /* Who wins a slot dates ahead of the others, but not of clocks that are further ahead. */
    options.linear = options.monotonic && apart_us <= CLAIM_AHEAD_MS / 2 * SIM_MS;
    options.slack_us += 2 * apart_us; /* one may be ahead, the other behind */
    if (settings->nodes == 1)
        options.strict = options.undivided = true;
    return options;
}

void cluster_plan_print(const struct cluster_plan *plan, struct buffer *out)
{
    static const char *const syncs[] = {"no", "everysec", "always"};
    static const char *const triggers[] = {"", "a step of a collection", "rows were sent",
                                           "a newer layout"};
    const struct cluster_settings *settings = &plan->settings;
    buffer_printf(out,
                  "%u nodes, N=%u R=%u W=%u %s, appendfsync %s, %u clients, %.0f s, latency "
                  "%" PRIu64 "+%" PRIu64 " us, theme: %s\n",
                  settings->nodes, settings->copies, settings->read_quorum, settings->write_quorum,
                  settings->sloppy ? "sloppy" : "strict", syncs[settings->sync], plan->load.clients,
                  (double)plan->duration_us / SIM_SECOND, plan->net.latency_us, plan->net.jitter_us,
                  theme_name(plan->theme));
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct cluster_fault *fault = &plan->faults[i];
        if (fault->dropped)
            continue;
        buffer_printf(out, "f%u: %s of", i, cluster_fault_name(fault->kind));
        for (unsigned node = 0; node < settings->nodes; node++)
            if (fault->nodes >> node & 1)
                buffer_printf(out, " n%u", node + 1);
        if (fault->nodes == 0)
            buffer_append_bytes(out, BYTES(" whoever does it"));
        buffer_printf(out, ", from %.3f for %.3f s, %" PRIu64, (double)fault->at_us / SIM_SECOND,
                      (double)fault->for_us / SIM_SECOND, fault->amount);
        if (fault->trigger != TRIGGER_NONE)
            buffer_printf(out, ", %.3f s after %s", (double)fault->after_us / SIM_SECOND,
                          triggers[fault->trigger]);
        buffer_append_bytes(out, BYTES("\n"));
    }
}

bool cluster_plan_drop(struct cluster_plan *plan, const char *text)
{
    while (*text) {
        char kind = *text++, *end;
        unsigned long number = strtoul(text, &end, 10);
        if (end == text || (*end != ',' && *end != 0))
            return false;
        if (kind == 'f' && number < plan->fault_count)
            plan->faults[number].dropped = true;
        else if (kind == 'c' && number < plan->load.clients)
            plan->idle_clients |= 1u << number;
        else
            return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

void cluster_plan_dropped(const struct cluster_plan *plan, struct buffer *out)
{
    const char *between_them = "";
    for (unsigned i = 0; i < plan->fault_count; i++) {
        if (plan->faults[i].dropped) {
            buffer_printf(out, "%sf%u", between_them, i);
            between_them = ",";
        }
    }
    for (unsigned i = 0; i < plan->load.clients; i++) {
        if (plan->idle_clients >> i & 1) {
            buffer_printf(out, "%sc%u", between_them, i);
            between_them = ",";
        }
    }
}
