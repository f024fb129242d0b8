/* SPDX-License-Identifier: MIT */
#include "sim/cluster_faults.h"

#include "base/check.h"
#include "cluster/layout.h"
#include "node/peers.h"
#include "sync/sync.h"

enum {
    OPERATOR_US = 5 * SIM_SECOND,
    FAR_YEARS = 10,
    SIGHT_US = SIM_MS / 2,
    AT_ONCE_ODDS = 4,
    ELSEWHERE_ODDS = 4,
};

static const int64_t year_ms = INT64_C(365) * 24 * 3600 * 1000;

static bool has(const struct cluster_trouble *trouble, unsigned node)
{
    return trouble->nodes >> node & 1;
}

/* ---- links ----------------------------------------------------------------------------------- */

/* Whether the fault cuts the way between these two. */
static bool cuts(const struct cluster_trouble *trouble, unsigned from, unsigned to)
{
    const struct cluster_fault *fault = trouble->fault;
    bool apart = has(trouble, from) != has(trouble, to);
    unsigned bridge = (unsigned)(fault->draw % trouble->faults->plan->settings.nodes);
    switch (fault->kind) {
    case FAULT_HALVES:
    case FAULT_ISOLATED:
    case FAULT_FLAPPING:
        return apart;
    case FAULT_AWAY:
        return apart && fault->draw & 1;
    case FAULT_ONE_WAY:
        return has(trouble, from) && !has(trouble, to);
    case FAULT_LINKS:
        return fault->draw >> ((from * 8 + to) % 63) & 1;
    case FAULT_BRIDGE:
        return apart && from != bridge && to != bridge;
    default:
        return false;
    }
}

static void set_cut(struct cluster_trouble *trouble, bool cut)
{
    unsigned nodes = trouble->faults->plan->settings.nodes;
    struct sim_net *net = trouble->faults->net;
    if (trouble->cut == cut)
        return;
    trouble->cut = cut;
    for (unsigned from = 0; from < nodes; from++) {
        for (unsigned to = 0; to < nodes; to++) {
            if (from == to || !cuts(trouble, from, to))
                continue;
            if (cut)
                sim_net_block(net, from, to);
            else
                sim_net_unblock(net, from, to);
        }
    }
}

static void set_slow(struct cluster_trouble *trouble, uint64_t extra_us)
{
    unsigned nodes = trouble->faults->plan->settings.nodes;
    for (unsigned from = 0; from < nodes; from++) {
        for (unsigned to = 0; to < nodes; to++) {
            if (has(trouble, from) || has(trouble, to))
                sim_net_set_slow(trouble->faults->net, from, to, extra_us);
        }
    }
}

/* Of those of the set one in two, drawn. */
static void set_ways_slow(struct cluster_trouble *trouble, uint64_t extra_us)
{
    unsigned nodes = trouble->faults->plan->settings.nodes;
    for (unsigned from = 0; from < nodes; from++)
        for (unsigned to = 0; to < nodes; to++)
            if (from != to && has(trouble, from) && has(trouble, to) &&
                trouble->fault->draw >> ((from * 8 + to) % 63) & 1)
                sim_net_set_slow(trouble->faults->net, from, to, extra_us);
}

static void set_clients_cut(struct cluster_trouble *trouble, bool cut)
{
    struct sim_net *net = trouble->faults->net;
    for (unsigned i = 0; i < trouble->faults->plan->load.clients; i++) {
        unsigned client = CLUSTER_CLIENT_MACHINE + i;
        for (unsigned node = 0; node < trouble->faults->plan->settings.nodes; node++) {
            if (!has(trouble, node) || !(trouble->fault->draw >> i & 1))
                continue;
            (cut ? sim_net_block : sim_net_unblock)(net, client, node);
            (cut ? sim_net_block : sim_net_unblock)(net, node, client);
        }
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* While it runs; or after a clean stop, when nothing says that it is not as the node left it. */
static void copy_directory(const struct cluster_fault *fault, struct cluster_node *node)
{
    if (node->state == CLUSTER_DOWN)
        return;
    if (fault->draw & 1)
        cluster_node_stop(node);
    cluster_node_copy_disk(node);
    cluster_node_start(node);
}

/* It dies; or it is cut off, as the links are. */
static void go_away(const struct cluster_fault *fault, struct cluster_node *node)
{
    if (fault->draw & 1)
        return;
    node->held_down++;
    cluster_node_crash(node);
}

static void begin_at(struct cluster_trouble *trouble, struct cluster_node *node)
{
    const struct cluster_fault *fault = trouble->fault;
    switch (fault->kind) {
    case FAULT_CRASH:
        node->held_down++;
        cluster_node_crash(node);
        break;
    case FAULT_AWAY:
        go_away(fault, node);
        break;
    case FAULT_POWER_CUT:
        node->held_down++;
        cluster_node_cut_power(node);
        break;
    case FAULT_STOP:
        node->held_down++;
        cluster_node_stop(node);
        break;
    case FAULT_DEATH:
        sim_files_halt_after(node->disk, fault->amount);
        break;
    case FAULT_PAUSE:
        cluster_node_pause(node);
        break;
    case FAULT_CLOCK:
        cluster_node_set_offset(node,
                                fault->draw & 1 ? (int64_t)fault->amount : -(int64_t)fault->amount);
        break;
    case FAULT_SLOW_DISK:
        node->slow_job_us = fault->amount;
        break;
    case FAULT_SLOW_PROCESS:
        node->slow_turn_us = fault->amount;
        break;
    case FAULT_FULL_DISK:
        sim_files_set_capacity(node->disk, sim_files_used(node->disk));
        sim_tier_set_full(node->tier_disk, true);
        break;
    case FAULT_SLOW_SYNC:
        node->slow_sync_us = fault->amount;
        break;
    case FAULT_DRIFT:
        node->drift_ppm = fault->draw & 1 ? (int64_t)fault->amount : -(int64_t)fault->amount;
        break;
    case FAULT_FAR_CLOCK:
        cluster_node_set_offset(node, FAR_YEARS * year_ms);
        break;
    case FAULT_JOIN:
        node->absent = false;
        cluster_node_start(node);
        break;
    case FAULT_LEAVE:
        cluster_node_resume(node); /* who stands still hears no signal */
        node->held_down++;
        cluster_node_stop(node);
        node->leaving = true;
        break;
    case FAULT_OLD_DIRECTORY:
        copy_directory(fault, node);
        break;
    case FAULT_DISK_LOST:
        node->held_down++;
        cluster_node_lose_disk(node);
        break;
    default:
        break;
    }
}

static void end_at(struct cluster_trouble *trouble, struct cluster_node *node)
{
    switch (trouble->fault->kind) {
    case FAULT_CRASH:
    case FAULT_POWER_CUT:
    case FAULT_STOP:
    case FAULT_LEAVE:
        check(node->held_down > 0);
        node->held_down--;
        cluster_node_start(node);
        break;
    case FAULT_AWAY:
        node->held_down -= !(trouble->fault->draw & 1);
        cluster_node_start(node);
        break;
    case FAULT_PAUSE:
        cluster_node_resume(node);
        break;
    case FAULT_DISK_LOST:
        node->held_down--;
        node->awaits_forgetting = trouble->fault->draw % AT_ONCE_ODDS != 0;
        cluster_node_start(node);
        break;
    case FAULT_OLD_DIRECTORY:
        /* On another disk it is another node, which is no member of the layout that it has. */
        cluster_node_put_back_disk(node, trouble->fault->draw % ELSEWHERE_ODDS == 0);
        break;
    case FAULT_DRIFT:
        node->drift_ppm = 0;
        break;
    case FAULT_SLOW_SYNC:
        node->slow_sync_us = 0;
        break;
    case FAULT_CLOCK:
    case FAULT_FAR_CLOCK:
        cluster_node_set_offset(node, 0);
        break;
    case FAULT_SLOW_DISK:
        node->slow_job_us = 0;
        break;
    case FAULT_SLOW_PROCESS:
        node->slow_turn_us = 0;
        break;
    case FAULT_FULL_DISK:
        sim_files_set_capacity(node->disk, SIM_FILES_UNLIMITED);
        sim_tier_set_full(node->tier_disk, false);
        break;
    default:
        break;
    }
}

static void at_each_node(struct cluster_trouble *trouble,
                         void (*what)(struct cluster_trouble *, struct cluster_node *))
{
    for (unsigned i = 0; i < trouble->faults->plan->settings.nodes; i++)
        if (has(trouble, i))
            what(trouble, &trouble->faults->nodes[i]);
}

/* ---- in time --------------------------------------------------------------------------------- */

static void tell(struct cluster_trouble *trouble, const char *what)
{
    unsigned number = (unsigned)(trouble->fault - trouble->faults->plan->faults);
    trace_tell(trouble->faults->trace, "fault f%u, %s, %s", number,
               cluster_fault_name(trouble->fault->kind), what);
}

static void begin(struct cluster_trouble *trouble)
{
    trouble->begun = true;
    trouble->end_us = trouble->faults->clock->now_us + trouble->fault->for_us;
    tell(trouble, "begins");
    set_cut(trouble, true);
    if (trouble->fault->kind == FAULT_SLOW_LINKS)
        set_slow(trouble, trouble->fault->amount);
    if (trouble->fault->kind == FAULT_SLOW_WAYS)
        set_ways_slow(trouble, trouble->fault->amount);
    if (trouble->fault->kind == FAULT_CLIENTS_CUT)
        set_clients_cut(trouble, true);
    at_each_node(trouble, begin_at);
}

static void end(struct cluster_trouble *trouble)
{
    trouble->ended = true;
    sim_timer_cancel(trouble->faults->clock, &trouble->timer);
    tell(trouble, "ends");
    set_cut(trouble, false);
    if (trouble->fault->kind == FAULT_SLOW_LINKS)
        set_slow(trouble, 0);
    if (trouble->fault->kind == FAULT_SLOW_WAYS)
        set_ways_slow(trouble, 0);
    if (trouble->fault->kind == FAULT_CLIENTS_CUT)
        set_clients_cut(trouble, false);
    at_each_node(trouble, end_at);
}

/* What happens again and again. */
static void beat(struct cluster_trouble *trouble)
{
    unsigned nodes = trouble->faults->plan->settings.nodes;
    if (trouble->fault->kind == FAULT_FLAPPING)
        set_cut(trouble, !trouble->cut);
    else if (trouble->fault->kind == FAULT_RESETS)
        sim_net_reset(trouble->faults->net, (unsigned)random_below(&trouble->random, nodes),
                      random_next(&trouble->random));
}

static void on_timer(void *context)
{
    struct cluster_trouble *trouble = context;
    const struct cluster_fault *fault = trouble->fault;
    uint64_t now_us = trouble->faults->clock->now_us, next_us;
    if (fault->trigger != TRIGGER_NONE && !trouble->lies_in_wait) {
        trouble->lies_in_wait = true;
        sim_timer_advance(trouble->faults->clock, &trouble->faults->sight, now_us + SIGHT_US);
        return;
    }
    if (!trouble->begun)
        begin(trouble);
    else if (now_us >= trouble->end_us)
        end(trouble);
    else
        beat(trouble);
    if (trouble->ended)
        return;
    next_us = trouble->end_us;
    if (fault->kind == FAULT_FLAPPING || fault->kind == FAULT_RESETS)
        next_us = now_us + fault->amount * SIM_MS / 2 +
                  random_below(&trouble->random, fault->amount * SIM_MS);
    if (next_us > trouble->end_us)
        next_us = trouble->end_us;
    sim_timer_set(trouble->faults->clock, &trouble->timer, next_us);
}

/* ---- what faults wait for -------------------------------------------------------------------- */

/* Counts of what a node has done, since its process began. */
static struct cluster_seen what_is_seen(const struct cluster_node *node)
{
    struct peers *peers = node->node ? node_peers(node->node) : NULL;
    const struct layout *layout = peers ? peers_layout(peers) : NULL;
    struct sync_stats stats;
    if (!layout)
        return (struct cluster_seen){{0}};
    sync_stats(peers_sync(peers), &stats);
    return (struct cluster_seen){{
        [TRIGGER_COLLECTION] = stats.collect_steps,
        [TRIGGER_SENT] = stats.foreign ? stats.keys_sent : 0,
        [TRIGGER_LAYOUT] = layout->version,
    }};
}

/* True: some still wait. */
static bool strike(struct cluster_faults *faults, unsigned node, enum fault_trigger trigger)
{
    bool waiting = false;
    for (unsigned i = 0; i < faults->plan->fault_count; i++) {
        struct cluster_trouble *trouble = &faults->troubles[i];
        if (!trouble->lies_in_wait || trouble->begun || sim_timer_is_set(&trouble->timer))
            continue;
        if (trouble->fault->trigger != trigger) {
            waiting = true;
            continue;
        }
        if (trouble->nodes == 0)
            trouble->nodes = 1u << node;
        sim_timer_set(faults->clock, &trouble->timer,
                      faults->clock->now_us + trouble->fault->after_us);
    }
    return waiting;
}

static void look(void *context)
{
    struct cluster_faults *faults = context;
    bool waiting = strike(faults, 0, TRIGGER_NONE);
    for (unsigned i = 0; i < faults->plan->settings.nodes; i++) {
        struct cluster_seen seen = what_is_seen(&faults->nodes[i]), before = faults->seen[i];
        faults->seen[i] = seen;
        for (int trigger = TRIGGER_NONE + 1; trigger < TRIGGERS && waiting; trigger++)
            if (seen.counts[trigger] > before.counts[trigger] && before.counts[trigger] > 0)
                strike(faults, i, (enum fault_trigger)trigger);
    }
    if (waiting)
        sim_timer_set(faults->clock, &faults->sight, faults->clock->now_us + SIGHT_US);
}

/* ---- whoever looks after it ------------------------------------------------------------------ */

/* A node that is up and has it in its layout; NULL: it is forgotten, or nobody is up. */
static struct cluster_node *who_remembers(struct cluster_faults *faults, uint64_t number,
                                          bool *out_any_up)
{
    *out_any_up = false;
    for (unsigned i = 0; i < faults->plan->settings.nodes; i++) {
        struct cluster_node *node = &faults->nodes[i];
        struct peers *peers = node->state == CLUSTER_UP ? node_peers(node->node) : NULL;
        const struct layout *layout = peers ? peers_layout(peers) : NULL;
        *out_any_up |= layout != NULL;
        if (layout && (layout_is_member(layout, number) || layout_has_departed(layout, number)))
            return node;
    }
    return NULL;
}

/* Whoever has gone for good is forgotten: by an operator, who says it to a node that still has it
 * in its layout, and mostly starts the node anew only then. */
static void operate(void *context)
{
    struct cluster_faults *faults = context;
    sim_timer_set(faults->clock, &faults->operator, faults->clock->now_us + OPERATOR_US);
    for (unsigned i = 0; i < faults->plan->settings.nodes; i++) {
        struct cluster_node *gone = &faults->nodes[i], *told;
        bool any_up;
        if (!gone->lost)
            continue;
        told = who_remembers(faults, gone->lost, &any_up);
        if (told) {
            trace_tell(faults->trace, "n%u is told to forget what n%u was", told->index + 1, i + 1);
            (void)peers_forget(node_peers(told->node), gone->lost);
        } else if (any_up) {
            gone->awaits_forgetting = false;
            cluster_node_start(gone);
        }
    }
}

void cluster_faults_plan(const struct cluster_plan *plan, struct cluster_node *nodes)
{
    for (unsigned i = 0; i < plan->fault_count; i++)
        for (unsigned j = 0; j < plan->settings.nodes; j++)
            if (plan->faults[i].kind == FAULT_JOIN && !plan->faults[i].dropped &&
                plan->faults[i].nodes >> j & 1)
                nodes[j].absent = true;
}

void cluster_faults_start(struct cluster_faults *faults, const struct cluster_plan *plan,
                          struct cluster_node *nodes, struct sim_net *net, struct sim_clock *clock,
                          struct cluster_trace *trace)
{
    *faults = (struct cluster_faults){
        .plan = plan,
        .nodes = nodes,
        .net = net,
        .clock = clock,
        .trace = trace,
        .operator= {.fire = operate, .context = faults},
        .sight = {.fire = look, .context = faults},
    };
    for (unsigned i = 0; i < plan->fault_count; i++) {
        struct cluster_trouble *trouble = &faults->troubles[i];
        *trouble = (struct cluster_trouble){
            .faults = faults,
            .fault = &plan->faults[i],
            .nodes = plan->faults[i].nodes,
            .random = {plan->faults[i].draw},
            .timer = {.fire = on_timer, .context = trouble},
        };
        if (plan->faults[i].kind == FAULT_DISK_LOST || plan->faults[i].kind == FAULT_OLD_DIRECTORY)
            sim_timer_set(clock, &faults->operator, clock->now_us + OPERATOR_US);
        if (!plan->faults[i].dropped)
            sim_timer_set(clock, &trouble->timer, clock->now_us + plan->faults[i].at_us);
    }
}

void cluster_faults_heal(struct cluster_faults *faults)
{
    sim_timer_cancel(faults->clock, &faults->sight);
    for (unsigned i = 0; i < faults->plan->fault_count; i++) {
        struct cluster_trouble *trouble = &faults->troubles[i];
        sim_timer_cancel(faults->clock, &trouble->timer);
        if (trouble->begun && !trouble->ended)
            end(trouble);
    }
    for (unsigned i = 0; i < faults->plan->settings.nodes; i++) {
        struct cluster_node *node = &faults->nodes[i];
        node->absent = false;
        sim_files_halt_after(node->disk, UINT64_MAX);
        if (!sim_files_halted(node->disk))
            cluster_node_start(node);
    }
}
