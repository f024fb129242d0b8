/* SPDX-License-Identifier: MIT */
#include "sim/cluster_world.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/xxh.h"
#include "cluster/layout.h"
#include "node/forward.h"
#include "node/peers.h"
#include "quorum/quorum.h"
#include "row/slot.h"
#include "sim/check_copies.h"
#include "sim/cluster_faults.h"
#include "store/export.h"
#include "sync/sync.h"

enum {
    FORMING_US = 120 * SIM_SECOND,
    CLIENTS_END_US = 30 * SIM_SECOND,
    /* After healing, until nothing is left to do: also where most clocks were ahead by minutes, and
     * what they have dated has to wait. */
    REST_US = 480 * SIM_SECOND,
    AUDIT_US = 60 * SIM_SECOND,   /* to read every key at every node */
    LOOK_US = 250 * SIM_MS,       /* between two looks whether something is so */
    ROUNDS_US = 120 * SIM_SECOND, /* for two rounds of anti-entropy */
    ROUNDS = 2,
    SHRINK_SAME = 16, /* characters of two failures that count as the same one */
};

struct cluster_world {
    const struct cluster_plan *plan;
    struct sim_clock clock;
    struct cluster_trace trace;
    struct sim_net *net;
    struct history history;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
    struct cluster_client clients[CLUSTER_CLIENTS_MAX];
    struct cluster_faults faults;
    struct copies copies;
    char why[CLUSTER_FAILURE_MAX]; /* what a condition still waits for */
};

static uint64_t seed_of(const struct cluster_world *world, uint64_t purpose, uint64_t number)
{
    uint64_t facts[3] = {world->plan->seed, purpose + 1000, number};
    return xxh64(bytes_of(facts, sizeof(facts)));
}

static void run_for(struct cluster_world *world, uint64_t us)
{
    uint64_t until_us = world->clock.now_us + us;
    while (!world->trace.failed && sim_clock_step(&world->clock, until_us))
        if (world->clock.fired > world->plan->events_max)
            trace_fail(&world->trace, "A12", "more than %" PRIu64 " events: something goes round",
                       world->plan->events_max);
}

/* Until the condition holds; false if it doesn't in time. */
static bool run_until(struct cluster_world *world, bool (*condition)(struct cluster_world *),
                      uint64_t most_us)
{
    uint64_t until_us = world->clock.now_us + most_us;
    while (!world->trace.failed && !condition(world)) {
        if (world->clock.now_us >= until_us)
            return false;
        run_for(world, LOOK_US);
    }
    return !world->trace.failed;
}

/* ---- what the cluster is like ---------------------------------------------------------------- */

/* Whether it is to be a member. */
static bool is_wanted(const struct cluster_node *node)
{
    return !node->absent && !node->leaving;
}

static unsigned count_wanted(const struct cluster_world *world)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        count += is_wanted(&world->nodes[i]);
    return count;
}

static bool is_member_of_all(struct cluster_world *world, const struct cluster_node *node,
                             const struct layout *first)
{
    static const char *const phases[] = {"stable", "writing both", "reading new"};
    const struct layout *layout = peers_layout(node_peers(node->node));
    if (!layout) {
        snprintf(world->why, sizeof(world->why), "n%u has no layout", node->index + 1);
        return false;
    }
    snprintf(world->why, sizeof(world->why),
             "n%u has layout %" PRIu64 " of cluster %" PRIx64 ", %s, with %u members",
             node->index + 1, layout->version, layout->cluster, phases[layout->phase],
             layout->ring.member_count);
    return layout->phase == LAYOUT_STABLE && first && layout->version == first->version &&
           layout->cluster == first->cluster && layout->ring.member_count == count_wanted(world);
}

static bool is_formed(struct cluster_world *world)
{
    unsigned count = world->plan->settings.nodes;
    for (unsigned i = 0; i < count; i++) {
        snprintf(world->why, sizeof(world->why), "n%u is down", i + 1);
        if (world->nodes[i].state != CLUSTER_UP && !world->nodes[i].absent)
            return false;
    }
    for (unsigned i = 0; i < count && count > 1; i++) {
        const struct layout *first = peers_layout(node_peers(world->nodes[0].node));
        if (is_wanted(&world->nodes[i]) && !is_member_of_all(world, &world->nodes[i], first))
            return false;
    }
    return true;
}

static bool clients_are_idle(struct cluster_world *world)
{
    for (unsigned i = 0; i < world->plan->load.clients; i++)
        if (!cluster_client_is_idle(&world->clients[i]))
            return false;
    return true;
}

static struct cluster_node *node_of(struct cluster_world *world, uint64_t number)
{
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        if (world->nodes[i].node && node_id(world->nodes[i].node) == number)
            return &world->nodes[i];
    return NULL;
}

static bool slot_is_equal(struct cluster_world *world, uint16_t slot)
{
    struct placement placement;
    layout_placement(peers_layout(node_peers(world->nodes[0].node)), slot, &placement);
    uint64_t digest = 0;
    for (unsigned i = 0; i < placement.old_count; i++) {
        struct cluster_node *owner = node_of(world, placement.old[i]);
        if (!owner)
            return false;
        uint64_t its = store_slot_digest(cluster_node_store(owner), slot);
        if (i > 0 && its != digest) {
            snprintf(world->why, sizeof(world->why), "the owners of slot %u differ, n%u from n%u",
                     slot, owner->index + 1, node_of(world, placement.old[0])->index + 1);
            return false;
        }
        digest = its;
    }
    return true;
}

static bool owners_are_equal(struct cluster_world *world)
{
    for (size_t i = 0; i < world->history.key_count; i++)
        if (!slot_is_equal(world, slot_of_key(bytes_text(world->history.keys[i].name))))
            return false;
    return true;
}

static bool nothing_is_left(struct cluster_world *world)
{
    for (unsigned i = 0; i < world->plan->settings.nodes; i++) {
        const struct peers *peers = node_peers(world->nodes[i].node);
        struct sync_stats sync;
        struct quorum_stats quorum;
        size_t overtaken = forwarder_overtaken(peers_forwarder(peers));
        sync_stats(peers_sync(peers), &sync);
        quorum_stats(peers_quorum(peers), &quorum);
        snprintf(world->why, sizeof(world->why),
                 "n%u has %" PRIu64 " hints, %" PRIu64 " foreign rows, %" PRIu64
                 " unequal slots, %" PRIu64 " slots to gain, %" PRIu64 " pending requests, %zu "
                 "overtaken",
                 i + 1, sync.hints_pending, sync.foreign, sync.slots_unequal, sync.slots_to_gain,
                 quorum.pending, overtaken);
        if (sync.foreign)
            return false;
        if (is_wanted(&world->nodes[i]) && (!sync_is_quiet(peers_sync(peers)) || quorum.pending ||
                                            sync.hints_pending || overtaken))
            return false;
    }
    return true;
}

static bool is_at_rest(struct cluster_world *world)
{
    if (!is_formed(world))
        return false;
    if (world->plan->settings.nodes == 1)
        return true;
    return nothing_is_left(world) && owners_are_equal(world);
}

/* The sum over all nodes of rounds, and of what they found to repair. */
static void count_rounds(struct cluster_world *world, uint64_t *out_least, uint64_t *out_repairs)
{
    *out_least = UINT64_MAX;
    *out_repairs = 0;
    for (unsigned i = 0; i < world->plan->settings.nodes; i++) {
        struct sync_stats sync;
        if (!is_wanted(&world->nodes[i]))
            continue;
        sync_stats(peers_sync(node_peers(world->nodes[i].node)), &sync);
        *out_least = sync.rounds < *out_least ? sync.rounds : *out_least;
        *out_repairs += sync.keys_pulled + sync.keys_sent;
    }
}

static const char *name_of(struct cluster_world *world, uint64_t number)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"};
    const struct cluster_node *node = node_of(world, number);
    return node ? names[node->index] : "nobody";
}

/* What each node knows, for whoever reads the trace. */
static void tell_node(struct cluster_world *world, const struct cluster_node *node)
{
    static const char *const lives[] = {"up", "suspect", "down"};
    struct peers *peers = node_peers(node->node);
    struct gossip *gossip = peers_gossip(peers);
    struct sync_stats sync;
    const struct gossip_self *self = gossip_self(gossip);
    (void)is_member_of_all(world, node, NULL);
    sync_stats(peers_sync(peers), &sync);
    trace_tell(&world->trace,
               "%s; says layout %" PRIu64 ", synced %" PRIu64 "; %" PRIu64
               " slots to gain, %" PRIu64 " foreign rows, %" PRIu64 " hints, %s",
               world->why, self->layout_version, self->synced_version, sync.slots_to_gain,
               sync.foreign, sync.hints_pending,
               sync_is_quiet(peers_sync(peers)) ? "quiet" : "busy");
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(gossip, i)); i++)
        trace_tell(&world->trace,
                   "    it holds %s for %s; heard layout %" PRIu64 ", synced %" PRIu64,
                   peer->said.host, lives[peer->life], peer->said.layout_version,
                   peer->said.synced_version);
    struct bus_link_view link;
    for (size_t i = 0; bus_link_at(peers_bus(peers), i, &link); i++)
        trace_tell(&world->trace,
                   "    link %s %s: %" PRIu64 " bytes wait, %" PRIu64 " in, %" PRIu64
                   " out; messages %" PRIu64 " in, %" PRIu64 " out",
                   link.dialed ? "to" : "from", name_of(world, link.node), link.output_bytes,
                   link.bytes_in, link.bytes_out, link.messages_in, link.messages_out);
}

static void tell_all(struct cluster_world *world)
{
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        if (world->nodes[i].node && node_peers(world->nodes[i].node))
            tell_node(world, &world->nodes[i]);
}

/* ---- the parts of a world's life ------------------------------------------------------------- */

static void form(struct cluster_world *world)
{
    cluster_faults_plan(world->plan, world->nodes);
    for (unsigned i = 0; i < world->plan->settings.nodes; i++) {
        world->nodes[i].may_restart = true;
        cluster_node_start(&world->nodes[i]);
    }
    if (!run_until(world, is_formed, FORMING_US))
        trace_fail(&world->trace, "A12", "no cluster is formed in %u s: %s",
                   FORMING_US / SIM_SECOND, world->why);
    trace_tell(&world->trace, "the cluster is formed");
}

static void work(struct cluster_world *world)
{
    const struct cluster_plan *plan = world->plan;
    cluster_faults_start(&world->faults, plan, world->nodes, world->net, &world->clock,
                         &world->trace);
    for (unsigned i = 0; i < plan->load.clients; i++)
        if (!(plan->idle_clients >> i & 1))
            cluster_client_start(&world->clients[i]);
    run_for(world, plan->duration_us);
    for (unsigned i = 0; i < plan->load.clients; i++)
        cluster_client_stop(&world->clients[i]);
    cluster_faults_heal(&world->faults);
    trace_tell(&world->trace, "all is healed");
    if (!run_until(world, clients_are_idle, CLIENTS_END_US) && !world->trace.failed)
        trace_fail(&world->trace, "A12", "a client waits without end");
}

static void rest(struct cluster_world *world)
{
    if (!run_until(world, is_at_rest, REST_US) && !world->trace.failed)
        trace_fail(&world->trace, "A4", "the cluster does not come to rest in %u s: %s",
                   REST_US / SIM_SECOND, world->why);
    else
        trace_tell(&world->trace, "the cluster is at rest");
}

static bool has_audited(struct cluster_world *world)
{
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        if (is_wanted(&world->nodes[i]) && !cluster_client_has_audited(&world->clients[i]))
            return false;
    return true;
}

/* Every key is read at every node. */
static void audit(struct cluster_world *world)
{
    for (unsigned i = 0; i < CLUSTER_CLIENTS_MAX; i++)
        cluster_client_deinit(&world->clients[i]);
    for (unsigned i = 0; i < CLUSTER_CLIENTS_MAX; i++)
        cluster_client_init(&world->clients[i], i, seed_of(world, 3, i), &world->plan->load,
                            &world->history, world->net, &world->clock, &world->trace);
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        if (is_wanted(&world->nodes[i]))
            cluster_client_audit(&world->clients[i], i);
    if (!run_until(world, has_audited, AUDIT_US) && !world->trace.failed)
        trace_fail(&world->trace, "A12", "not every key can be read at every node within %u s",
                   AUDIT_US / SIM_SECOND);
}

/* Two more rounds of anti-entropy find nothing to repair. */
static void go_round(struct cluster_world *world)
{
    uint64_t rounds, rounds_before, repairs, repairs_before;
    if (world->plan->settings.nodes == 1)
        return;
    count_rounds(world, &rounds_before, &repairs_before);
    uint64_t until_us = world->clock.now_us + ROUNDS_US;
    do {
        run_for(world, LOOK_US);
        count_rounds(world, &rounds, &repairs);
    } while (!world->trace.failed && rounds < rounds_before + ROUNDS &&
             world->clock.now_us < until_us);
    if (world->trace.failed)
        return;
    if (rounds < rounds_before + ROUNDS)
        trace_fail(&world->trace, "A4", "anti-entropy stands still");
    if (repairs != repairs_before)
        trace_fail(&world->trace, "A4",
                   "%" PRIu64 " keys were repaired after the cluster was at "
                   "rest",
                   repairs - repairs_before);
    if (!owners_are_equal(world))
        trace_fail(&world->trace, "A4", "after two rounds: %s", world->why);
    copies_look(&world->copies);
}

/* A directory on another disk than its node has written it to is a copy, while that node may still
 * run: who starts with it is another one. */
static void copy(struct cluster_world *world)
{
    struct cluster_node *node = &world->nodes[world->plan->seed % world->plan->settings.nodes];
    uint64_t number = node->number;
    if (world->trace.failed || node->state != CLUSTER_UP)
        return;
    cluster_node_copy_disk(node);
    cluster_node_put_back_disk(node, true);
    if (node->state == CLUSTER_UP && node->number == number)
        trace_fail(&world->trace, "copy", "n%u's directory was copied, and there are two of it",
                   node->index + 1);
}

static void world_init(struct cluster_world *world, const struct cluster_plan *plan, bool told)
{
    *world = (struct cluster_world){.plan = plan};
    sim_clock_init(&world->clock);
    world->trace.clock = &world->clock;
    world->trace.told = told;
    history_init(&world->history);
    struct sim_net_options net = plan->net;
    net.clock = &world->clock;
    world->net = sim_net_new(&net);
    cluster_load_keys(&plan->load, &world->history);
    for (unsigned i = 0; i < plan->settings.nodes; i++)
        cluster_node_init(&world->nodes[i], i, seed_of(world, 1, i), &plan->settings, world->net,
                          &world->clock, &world->trace);
    for (unsigned i = 0; i < CLUSTER_CLIENTS_MAX; i++)
        cluster_client_init(&world->clients[i], i, seed_of(world, 2, i), &plan->load,
                            &world->history, world->net, &world->clock, &world->trace);
    copies_init(&world->copies, seed_of(world, 4, 0), &plan->settings, &world->history,
                world->nodes, &world->clock, &world->trace);
}

static void world_deinit(struct cluster_world *world)
{
    for (unsigned i = 0; i < CLUSTER_CLIENTS_MAX; i++)
        cluster_client_deinit(&world->clients[i]);
    copies_deinit(&world->copies);
    for (unsigned i = 0; i < world->plan->settings.nodes; i++)
        cluster_node_deinit(&world->nodes[i]);
    sim_net_free(world->net);
    history_deinit(&world->history);
    sim_clock_deinit(&world->clock);
}

void cluster_world_run(const struct cluster_plan *plan, bool told, struct cluster_result *out)
{
    struct cluster_world *world = memory_alloc(sizeof(*world));
    struct check_options checks = cluster_plan_checks(plan);
    void (*const parts[])(struct cluster_world *) = {form, work, rest, audit, go_round, copy};
    *out = (struct cluster_result){0};
    world_init(world, plan, told);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !world->trace.failed; i++)
        parts[i](world);
    if (told && world->trace.failed)
        tell_all(world);
    check_history(&world->history, &checks, &world->trace, &out->counts);
    out->copies = world->copies.counts;
    out->passed = !world->trace.failed;
    trace_mix(&world->trace, sim_net_hash(world->net));
    out->hash = world->trace.hash;
    memcpy(out->checker, world->trace.checker, sizeof(out->checker));
    memcpy(out->failure, world->trace.failure, sizeof(out->failure));
    out->virtual_us = world->clock.now_us;
    out->events = world->clock.fired;
    out->net = sim_net_stats(world->net);
    world_deinit(world);
    memory_free(world);
}

struct shrinking {
    struct cluster_result first; /* what is to be kept */
    unsigned tries;
};

/* The same checker says it, and begins to say the same. */
static bool still_fails(const struct cluster_plan *plan, struct shrinking *shrinking)
{
    struct cluster_result result;
    if (shrinking->tries == 0)
        return false;
    shrinking->tries--;
    cluster_world_run(plan, false, &result);
    /* The others begin with the name of a key, which differs from run to run. */
    bool same_words = strcmp(result.checker, "A4") == 0 || strcmp(result.checker, "A12") == 0;
    return !result.passed && strcmp(result.checker, shrinking->first.checker) == 0 &&
           (!same_words || strncmp(result.failure, shrinking->first.failure, SHRINK_SAME) == 0);
}

/* All that can be dropped, in halves first: most of it is needless. */
static void drop_range(struct cluster_plan *plan, unsigned begin, unsigned end,
                       struct shrinking *shrinking)
{
    struct cluster_plan smaller = *plan;
    for (unsigned i = begin; i < end; i++) {
        if (i < plan->fault_count)
            smaller.faults[i].dropped = true;
        else
            smaller.idle_clients |= 1u << (i - plan->fault_count);
    }
    if (still_fails(&smaller, shrinking)) {
        *plan = smaller;
    } else if (end - begin > 1) {
        unsigned middle = begin + (end - begin) / 2;
        drop_range(plan, begin, middle, shrinking);
        drop_range(plan, middle, end, shrinking);
    }
}

void cluster_world_shrink(struct cluster_plan *plan, unsigned tries)
{
    unsigned total = plan->fault_count + plan->load.clients;
    struct shrinking shrinking = {.tries = tries};
    cluster_world_run(plan, false, &shrinking.first);
    for (unsigned pass = 0; pass < 2 && !shrinking.first.passed; pass++)
        drop_range(plan, 0, total, &shrinking);
}
