/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/seeds.h"
#include "node/forward.h"
#include "node/peers_state.h"
#include "store/export.h"
#include "store/import.h"

enum {
    STATE_SIZE_MAX = 16 * 1024 * 1024, /* of the file `cluster` */
    SLEEP_MAX_MS = 1000,               /* of whoever drives the node, between two turns */
    REFUSALS_TOLD_MS = 5000,
    NUMBER_SHIFT = 20, /* numbers of requests begin at the clock, shifted: see forward.h */
};

/* ---- eviction -------------------------------------------------------------------------------- */

static bool may_evict(void *context, uint16_t slot)
{
    const struct peers *peers = context;
    uint64_t other;
    return quorum_route(peers->quorum, slot, &other) == QUORUM_HERE;
}

/* A write like any, which nobody waits for. It need not ask others first (rule 8): it covers what
 * this node holds, and what it has not seen stays. */
static void evicted(void *context, const struct txn *txn)
{
    const struct peers *peers = context;
    struct quorum_write write = {0};
    quorum_write(peers->quorum, txn, &write, peers->options.dispatch->cluster.steady_ms);
    quorum_write_forget(peers->quorum, &write);
}

/* ---- what the layout says -------------------------------------------------------------------- */

static size_t member_count(const struct layout *layout)
{
    return layout->phase == LAYOUT_STABLE || layout->next.member_count < layout->ring.member_count
               ? layout->ring.member_count
               : layout->next.member_count;
}

/* Several members: the store is one copy among several from now on. */
static void share(struct peers *peers)
{
    if (!store_is_joined(peers->options.store)) {
        enum status status = store_join(peers->options.store);
        if (status != STATUS_OK)
            peers_fail(peers, status);
    }
    peers->options.dispatch->cluster.quorum = peers->quorum;
    peers->options.dispatch->cluster.forwarder = peers->forwarder;
    peers->options.dispatch->cluster.sync = peers->sync;
}

/* That it has the layout, when what it has promised in earlier ones is over (quorum/lease.h). */
static void tell_layout(struct peers *peers, uint64_t now_ms)
{
    struct gossip_self *self = gossip_self(peers->gossip);
    if (self->layout_version == peers->layout_version ||
        now_ms < quorum_leases_end_ms(peers->quorum))
        return;
    self->layout_version = peers->layout_version;
    gossip_changed(peers->gossip);
}

static void adopt_layout(struct peers *peers, uint64_t now_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    struct dispatch_cluster *cluster = &peers->options.dispatch->cluster;
    if (!layout)
        return;
    struct gossip_self *self = gossip_self(peers->gossip);
    bool member = layout_is_member(layout, peers->node);
    peers->joining = !ring_member(&layout->ring, peers->node) && (member || peers->joining);
    /* The change that was to take it in was given up: it asks again, as one of no cluster. */
    uint64_t cluster_now = member || !peers->joining ? layout->cluster : 0;
    if (self->cluster != cluster_now)
        self->layout_version = 0; /* of another cluster */
    self->cluster = cluster_now;
    gossip_changed(peers->gossip);
    if (member_count(layout) > 1 || !member)
        share(peers);
    quorum_set_layout(peers->quorum, layout, now_ms);
    sync_set_layout(peers->sync, layout, now_ms);
    store_set_evictor(peers->options.store, &(struct store_evictor){may_evict, evicted, peers});
    cluster->served = true;
    cluster->routes++;
    peers->layout_version = layout->version;
    tell_layout(peers, now_ms);
    journal_write(peers->options.host->journal, JOURNAL_NOTICE,
                  "Cluster %012" PRIx64 ": layout %" PRIu64 " with %zu members%s", layout->cluster,
                  layout->version, member_count(layout),
                  layout->phase == LAYOUT_WRITING_BOTH  ? ", slots are moving"
                  : layout->phase == LAYOUT_READING_NEW ? ", slots have moved"
                                                        : "");
}

/* ---- callbacks of the parts ------------------------------------------------------------------ */

static enum status bus_message(void *context, uint64_t node, unsigned type, struct bytes payload,
                               uint64_t now_ms)
{
    struct peers *peers = context;
    switch (message_family(type)) {
    case MESSAGES_GOSSIP:
        return gossip_receive(peers->gossip, node, type, payload, now_ms);
    case MESSAGES_AGREE:
        return agree_receive(peers->agree, node, type, payload, now_ms);
    case MESSAGES_QUORUM:
        return quorum_receive(peers->quorum, node, type, payload, now_ms);
    case MESSAGES_SYNC:
        return sync_receive(peers->sync, node, type, payload, now_ms);
    case MESSAGES_NODE:
        return forwarder_receive(peers->forwarder, node, type, payload, now_ms);
    }
    return STATUS_OK; /* a newer node may say more */
}

static void bus_up(void *context, uint64_t node, uint64_t now_ms)
{
    struct peers *peers = context;
    forwarder_node_up(peers->forwarder, node);
    gossip_link_up(peers->gossip, node, now_ms);
    sync_node_up(peers->sync, node, now_ms);
}

static void bus_down(void *context, uint64_t node, uint64_t now_ms)
{
    struct peers *peers = context;
    gossip_link_down(peers->gossip, node, now_ms);
    quorum_node_down(peers->quorum, node, now_ms);
    sync_node_down(peers->sync, node, now_ms);
    forwarder_node_lost(peers->forwarder, node, true, now_ms);
}

static void bus_ended(void *context, uint64_t node, uint64_t now_ms)
{
    struct peers *peers = context;
    quorum_node_ended(peers->quorum, node, now_ms);
    forwarder_node_ended(peers->forwarder, node, now_ms);
}

static void bus_unheard(void *context, uint64_t node, uint64_t now_ms)
{
    struct peers *peers = context;
    forwarder_origin_lost(peers->forwarder, node, now_ms);
}

static void bus_met(void *context, uint64_t node, struct bytes host, uint16_t port, uint64_t now_ms)
{
    struct peers *peers = context;
    char name[BUS_HOST_MAX];
    (void)now_ms;
    if (node == peers->node || host.size == 0 || host.size >= sizeof(name))
        return;
    memcpy(name, host.data, host.size);
    name[host.size] = '\0';
    if (!gossip_peer(peers->gossip, node)) /* else it has told its address itself */
        bus_want(peers->bus, node, name, port);
}

/* Anybody can make it be called: the log says so now and then. */
static void bus_refused(void *context, const char *address, const char *why, uint64_t now_ms)
{
    struct peers *peers = context;
    if (now_ms < peers->refusal_told_ms + REFUSALS_TOLD_MS)
        return;
    peers->refusal_told_ms = now_ms;
    journal_write(peers->options.host->journal, JOURNAL_WARNING, "A link with %s is refused: %s",
                  address, why);
}

static void dial(void *context, struct bus_link *link, const char *host, uint16_t port)
{
    struct peers *peers = context;
    peers->options.host->dial(peers->options.host->context, link, host, port);
}

static void hang_up(void *context, struct bus_link *link)
{
    struct peers *peers = context;
    peers->options.host->hang_up(peers->options.host->context, link);
}

static enum status save_agreement(void *context, struct bytes state)
{
    struct peers *peers = context;
    enum status status = files_replace(peers->options.host->files, "cluster", state);
    if (status != STATUS_OK)
        peers_fail(peers, status);
    return status;
}

static void layout_chosen(void *context, uint64_t now_ms)
{
    adopt_layout(context, now_ms);
}

static void missed(void *context, uint64_t node, uint16_t slot, struct bytes heads)
{
    struct peers *peers = context;
    sync_missed(peers->sync, node, slot, heads);
}

static bool is_agreed(void *context, uint16_t slot)
{
    struct peers *peers = context;
    return sync_is_agreed(peers->sync, slot);
}

static uint16_t same_readers(void *context, uint16_t slot)
{
    struct peers *peers = context;
    return sync_same_readers(peers->sync, slot);
}

static void distrust(void *context, uint64_t node)
{
    struct peers *peers = context;
    sync_distrust(peers->sync, node);
}

static void other_coordinator(void *context, uint16_t slot)
{
    struct peers *peers = context;
    sync_disagree(peers->sync, slot);
}

static void other_layout(void *context, uint64_t node, uint64_t cluster, uint64_t version)
{
    struct peers *peers = context;
    agree_heard_version(peers->agree, node, cluster, version,
                        peers->options.dispatch->cluster.steady_ms);
}

static uint64_t sent_count(void *context, uint64_t node)
{
    struct peers *peers = context;
    return bus_sent_count(peers->bus, node);
}

static uint64_t settled_count(void *context, uint64_t node)
{
    struct peers *peers = context;
    return bus_settled_count(peers->bus, node);
}

static uint64_t work_begun(void *context)
{
    struct peers *peers = context;
    return quorum_work_begun(peers->quorum);
}

static bool work_ended(void *context, uint64_t mark)
{
    struct peers *peers = context;
    return quorum_work_ended(peers->quorum, mark);
}

static void synced(void *context, uint64_t version)
{
    struct peers *peers = context;
    gossip_self(peers->gossip)->synced_version = version;
    gossip_changed(peers->gossip);
}

/* ---- opening --------------------------------------------------------------------------------- */

static const char *own_host(const struct config *config, char *scratch, size_t size)
{
    if (config->cluster_hostname[0])
        return config->cluster_hostname;
    size_t length = strcspn(config->bind, " ");
    bool any = length == 0 || config->bind[0] == '*' || config->bind[0] == ':';
    if (any || strncmp(config->bind, "0.0.0.0", length) == 0)
        return "127.0.0.1";
    if (length >= size)
        length = size - 1;
    memcpy(scratch, config->bind, length);
    scratch[length] = '\0';
    return scratch;
}

static void describe_self(const struct peers *peers, uint64_t now_ms, struct gossip_self *out)
{
    const struct config *config = peers->options.config;
    char scratch[BUS_HOST_MAX];
    *out = (struct gossip_self){.node = peers->node, .generation = now_ms};
    snprintf(out->host, sizeof(out->host), "%s", own_host(config, scratch, sizeof(scratch)));
    snprintf(out->zone, sizeof(out->zone), "%s", config->zone);
    out->port =
        (uint16_t)(config->cluster_announce_port ? config->cluster_announce_port : config->port);
    out->bus_port = (uint16_t)(config->cluster_announce_bus_port ? config->cluster_announce_bus_port
                                                                 : peers->options.host->bus_port);
    out->weight = (uint32_t)config->weight;
    out->leaving = config->weight == 0;
}

/* What stands there was checked when it was read; too many are not. */
static enum status parse_seeds(struct peers *peers, struct buffer *out_error)
{
    _Static_assert((int)SEED_HOST_MAX <= (int)BUS_HOST_MAX, "a host fits");
    struct bytes rest = bytes_text(peers->options.config->cluster_seeds);
    for (; peers->seed_count < PEERS_SEEDS_MAX; peers->seed_count++) {
        struct seed *seed = &peers->seeds[peers->seed_count];
        enum status status = seed_next(&rest, seed->host, &seed->port);
        if (status == STATUS_ABSENT)
            return STATUS_OK;
        if (status != STATUS_OK)
            break;
    }
    buffer_printf(out_error, "cluster-seeds: more than %d, or one that is not host:port",
                  PEERS_SEEDS_MAX);
    return STATUS_INVALID;
}

/* How many others a slot is compared with before it counts as agreed: by W. What reads have shown
 * in strict mode is with R. */
static unsigned compared_quorum(const struct config *config)
{
    bool fewer = !config->sloppy_quorum && config->read_quorum < config->write_quorum;
    return (unsigned)(fewer ? config->read_quorum : config->write_quorum);
}

static void open_data(struct peers *peers)
{
    const struct peers_options *options = &peers->options;
    const struct config *config = options->config;
    struct quorum_options quorum = {
        .node = peers->node,
        .random = options->host->random[0] ^ 1,
        .store = options->store,
        .gossip = peers->gossip,
        .outbox = bus_outbox(peers->bus),
        .read_quorum = (unsigned)config->read_quorum,
        .write_quorum = (unsigned)config->write_quorum,
        .sloppy = config->sloppy_quorum,
        .floor = peers->opened_ms,
        .timeout_ms = (uint64_t)config->quorum_timeout_ms,
        .missed = missed,
        .is_agreed = is_agreed,
        .same_readers = same_readers,
        .distrust = distrust,
        .other_coordinator = other_coordinator,
        .other_layout = other_layout,
        .context = peers,
    };
    peers->quorum = quorum_new(&quorum);
    struct sync_options sync = {
        .node = peers->node,
        .random = options->host->random[1] ^ 2,
        .store = options->store,
        .gossip = peers->gossip,
        .outbox = bus_outbox(peers->bus),
        .read_quorum = (unsigned)config->read_quorum,
        .write_quorum = compared_quorum(config),
        .sent_count = sent_count,
        .settled_count = settled_count,
        .work_begun = work_begun,
        .work_ended = work_ended,
        .synced = synced,
        .other_layout = other_layout,
        .context = peers,
    };
    peers->sync = sync_new(&sync);
}

static uint64_t clock_ms(void *context)
{
    return peers_steady_ms(context);
}

static bool hears(void *context, uint64_t node)
{
    const struct peers *peers = context;
    return bus_hears(peers->bus, node);
}

static void open_forwarder(struct peers *peers, uint64_t now_ms)
{
    const struct peers_options *options = &peers->options;
    struct forwarder_options forwarder = {
        .node = peers->node,
        .first_number = now_ms << NUMBER_SHIFT,
        .quorum = peers->quorum,
        .gossip = peers->gossip,
        .dispatch = options->dispatch,
        .outbox = bus_outbox(peers->bus),
        .timeout_ms = (uint64_t)options->config->quorum_timeout_ms,
        .hears = hears,
        .context = peers,
    };
    peers->forwarder = forwarder_new(&forwarder);
    options->dispatch->cluster = (struct dispatch_cluster){
        .enabled = true,
        .clock_ms = clock_ms,
        .clock_context = peers,
        .steady_ms = now_ms,
        .node = peers->node,
        .kinds = memory_zeroed(options->command_count),
    };
}

static enum status open_agreement(struct peers *peers, struct buffer *out_error)
{
    struct agree_options options = {
        .node = peers->node,
        .random = peers->options.host->random[1] ^ 3,
        .outbox = bus_outbox(peers->bus),
        .save = save_agreement,
        .chosen = layout_chosen,
        .context = peers,
    };
    struct buffer state = {0};
    enum status status =
        files_read_all(peers->options.host->files, "cluster", STATE_SIZE_MAX, &state);
    if (status == STATUS_ABSENT)
        status = STATUS_OK;
    if (status == STATUS_OK)
        status = agree_open(&options, buffer_bytes(&state), &peers->agree);
    buffer_deinit(&state);
    if (status != STATUS_OK)
        buffer_printf(out_error, "the file 'cluster': %s", status_text(status));
    return status;
}

/* A directory that is a copy, or was made anew, is another node: what it had agreed to as the one
 * that it was is not its own. */
enum status peers_open(const struct peers_options *options, uint64_t now_ms, struct peers **out,
                       struct buffer *out_error)
{
    struct peers *peers = memory_zeroed(sizeof(*peers));
    peers->options = *options;
    peers->node = store_node(options->store);
    peers->opened_ms = now_ms;
    peers->opened_ns = options->host->monotonic_ns(options->host->context);
    struct bus_options bus = {
        .node = peers->node,
        .secret = bytes_text(options->config->cluster_secret),
        .random = {options->host->random[0], options->host->random[1]},
        .message = bus_message,
        .up = bus_up,
        .down = bus_down,
        .unheard = bus_unheard,
        .ended = bus_ended,
        .met = bus_met,
        .refused = bus_refused,
        .dial = dial,
        .hang_up = hang_up,
        .context = peers,
    };
    peers->bus = bus_new(&bus);
    struct gossip_options gossip = {.random = options->host->random[0] ^ 4,
                                    .outbox = bus_outbox(peers->bus)};
    describe_self(peers, now_ms, &gossip.self);
    peers->gossip = gossip_new(&gossip, now_ms);
    enum status status = parse_seeds(peers, out_error);
    if (status == STATUS_OK)
        status = open_agreement(peers, out_error);
    if (status != STATUS_OK) {
        peers_close(peers);
        return status;
    }
    open_data(peers);
    open_forwarder(peers, now_ms);
    peers->founder =
        peers->seed_count == 0 || (peers->seeds[0].port == gossip.self.bus_port &&
                                   strcmp(peers->seeds[0].host, gossip.self.host) == 0);
    adopt_layout(peers, now_ms);
    addresses_load(&peers->addresses, options->host->files, agree_layout(peers->agree), peers->node,
                   peers->bus);
    *out = peers;
    return STATUS_OK;
}

void peers_close(struct peers *peers)
{
    if (!peers)
        return;
    forwarder_free(peers->forwarder);
    if (peers->sync)
        sync_free(peers->sync);
    if (peers->quorum)
        quorum_free(peers->quorum);
    if (peers->agree)
        agree_free(peers->agree);
    gossip_free(peers->gossip);
    bus_free(peers->bus);
    addresses_deinit(&peers->addresses);
    memory_free(peers->known);
    memory_free(peers);
}

/* ---- what gossip says ------------------------------------------------------------------------ */

static struct peer *known_peer(struct peers *peers, uint64_t node)
{
    for (size_t i = 0; i < peers->known_count; i++)
        if (peers->known[i].node == node)
            return &peers->known[i];
    peers->known = memory_resize(peers->known, (peers->known_count + 1) * sizeof(*peers->known));
    struct peer *peer = &peers->known[peers->known_count++];
    *peer = (struct peer){.node = node};
    return peer;
}

/*
 * Acknowledgements come by themselves while a node's loop turns, so their absence tells sooner than
 * missed probes that it stands still, or that nothing reaches it. It is passed over until it
 * answers again.
 */
static void watch_silence(struct peers *peers, uint64_t node, uint64_t now_ms)
{
    struct peer *peer = known_peer(peers, node);
    uint64_t settled = bus_settled_count(peers->bus, node);
    bool idle = settled == bus_sent_count(peers->bus, node);
    if (idle || settled != peer->settled || now_ms < peer->settled_ms) {
        peer->settled = settled;
        peer->settled_ms = now_ms;
    } else if (peer->up && now_ms > peer->settled_ms + PEERS_SILENCE_MS &&
               now_ms > peer->settled_ms + PEERS_SILENCE_MS +
                            forwarder_patience_ms(peers->forwarder, node)) {
        peer->settled_ms = now_ms;
        gossip_silent(peers->gossip, node, now_ms);
    }
}

static void follow_life(struct peers *peers, const struct gossip_peer *peer, uint64_t now_ms)
{
    uint64_t node = peer->said.node;
    bool up = peer->life == GOSSIP_UP;
    struct peer *known = known_peer(peers, node);
    if (up == known->up)
        return;
    known->up = up;
    peers->options.dispatch->cluster.routes++;
    if (up && bus_is_up(peers->bus, node)) {
        sync_node_up(peers->sync, node, now_ms);
    } else if (!up) {
        quorum_node_down(peers->quorum, node, now_ms);
        sync_node_down(peers->sync, node, now_ms);
        forwarder_node_lost(peers->forwarder, node, false, now_ms);
    }
    journal_write(peers->options.host->journal, JOURNAL_NOTICE, "Node %012" PRIx64 " (%s:%u) %s",
                  node, peer->said.host, peer->said.port, up ? "is there" : "does not answer");
}

/* Whoever wants to join us is only told of a layout when it is a member. */
static void follow_version(struct peers *peers, const struct gossip_peer *peer, uint64_t now_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    if (peer->said.cluster == 0 && (!layout || !layout_is_member(layout, peer->said.node)))
        return;
    agree_heard_version(peers->agree, peer->said.node, peer->said.cluster,
                        peer->said.layout_version, now_ms);
}

/* It is dialed no more, and what was for it is over. */
static void part_from(struct peers *peers, uint64_t node, uint64_t now_ms)
{
    bool was_up = bus_is_up(peers->bus, node);
    bus_unwant(peers->bus, node); /* which does not tell that it is down */
    if (was_up)
        bus_down(peers, node, now_ms);
}

static void follow_gossip(struct peers *peers, uint64_t now_ms)
{
    const struct gossip_peer *peer;
    uint64_t version = gossip_version(peers->gossip);
    bool changed = version != peers->gossip_version;
    peers->gossip_version = version;
    for (size_t i = 0; (peer = gossip_peer_at(peers->gossip, i)); i++) {
        if (changed) {
            if (membership_is_replaced(peers, peer))
                part_from(peers, peer->said.node, now_ms);
            else
                bus_want(peers->bus, peer->said.node, peer->said.host, peer->said.bus_port);
            follow_life(peers, peer, now_ms);
        }
        if (peer->life == GOSSIP_UP)
            follow_version(peers, peer, now_ms);
        watch_silence(peers, peer->said.node, now_ms);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

void peers_wake(struct peers *peers)
{
    uint64_t now_ms = peers_steady_ms(peers);
    const struct host *host = peers->options.host;
    uint64_t now_ns = host->monotonic_ns(host->context);
    uint64_t gone_ms = peers->turned_ns ? (now_ns - peers->turned_ns) / 1000000 : 0;
    peers->turned_ns = now_ns;
    if (gone_ms <= PEERS_STALL_MS)
        return;
    gossip_stalled(peers->gossip, gone_ms, now_ms);
    quorum_stood_still(peers->quorum, gone_ms, now_ms);
    for (size_t i = 0; i < peers->known_count; i++) /* what they said meanwhile was not heard */
        peers->known[i].settled_ms = now_ms;
}

uint64_t peers_steady_ms(const struct peers *peers)
{
    const struct host *host = peers->options.host;
    return peers->opened_ms + (host->monotonic_ns(host->context) - peers->opened_ns) / 1000000;
}

uint64_t peers_time_ms(struct peers *peers, uint64_t wall_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    struct timekeeper *keeper = &peers->timekeeper;
    uint64_t now_ms = peers_steady_ms(peers);
    bool doubted = keeper->doubts;
    uint64_t time_ms =
        timekeeper_time(keeper, peers->gossip, layout ? member_count(layout) : 0, now_ms, wall_ms);
    struct gossip_clock clock = timekeeper_says(keeper, now_ms, wall_ms);
    gossip_set_clock(peers->gossip, &clock);
    if (keeper->doubts && !doubted)
        journal_write(peers->options.host->journal, JOURNAL_WARNING,
                      "The clock is off by %" PRId64 " s and not believed: time goes on without it",
                      (int64_t)(wall_ms - time_ms) / 1000);
    else if (doubted && !keeper->doubts)
        journal_write(peers->options.host->journal, JOURNAL_NOTICE, "The clock is believed again");
    return time_ms;
}

/* For the store; 0: nobody has said yet. */
static uint64_t cluster_time(const struct peers *peers, uint64_t now_ms, uint64_t time_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    if (layout && member_count(layout) <= 1)
        return time_ms;
    /* One that is heard of before the others have said they are there is not all that there are. */
    bool first = layout && member_count(layout) > 2 && !gossip_peer_at(peers->gossip, 1);
    if (first || !gossip_clock_is_known(peers->gossip))
        return 0;
    return timekeeper_median(peers->gossip, now_ms, time_ms);
}

void peers_turn_begin(struct peers *peers, uint64_t time_ms)
{
    uint64_t now_ms = peers_steady_ms(peers);
    peers->ahead_ms = (int64_t)(time_ms - now_ms);
    sync_set_time(peers->sync, peers->ahead_ms);
    peers->options.dispatch->cluster.steady_ms = now_ms;
    store_set_cluster_time(peers->options.store, cluster_time(peers, now_ms, time_ms));
    if (gossip_version(peers->gossip) != peers->gossip_version)
        follow_gossip(peers, now_ms);
    forwarder_turn(peers->forwarder, now_ms);
}

void peers_turn_end(struct peers *peers)
{
    uint64_t now_ms = peers->options.dispatch->cluster.steady_ms;
    quorum_turn_end(peers->quorum, now_ms);
    sync_turn_end(peers->sync, now_ms);
}

/* Whoever has just learned of a change of layout has other members. Of one that has left gossip may
 * have never heard: it was only dialed where it was last. If it has died silently, nothing would
 * ever be said on that link, and so nothing end it. */
static void keep_addresses(struct peers *peers, uint64_t now_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    uint64_t version = gossip_version(peers->gossip) + peers->layout_version, gone;
    if (!layout || version == peers->addresses_version)
        return;
    peers->addresses_version = version;
    while (addresses_drop(&peers->addresses, layout, &gone))
        if (!gossip_peer(peers->gossip, gone))
            part_from(peers, gone, now_ms);
    addresses_keep(&peers->addresses, peers->options.host->files, layout, peers->gossip);
}

void peers_tick(struct peers *peers)
{
    uint64_t now_ms = peers_steady_ms(peers);
    peers->options.dispatch->cluster.steady_ms = now_ms;
    bus_tick(peers->bus, now_ms);
    gossip_tick(peers->gossip, now_ms);
    agree_tick(peers->agree, now_ms);
    quorum_tick(peers->quorum, now_ms);
    sync_tick(peers->sync, now_ms);
    tell_layout(peers, now_ms);
    if (now_ms < peers->tick_ms)
        return;
    peers->tick_ms = now_ms + PEERS_TICK_MS;
    keep_addresses(peers, now_ms);
    import_retry(peers->options.store, now_ms);
    follow_gossip(peers, now_ms);
    membership_tick(peers, now_ms);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t peers_deadline_ms(const struct peers *peers)
{
    uint64_t deadline_ms = least(peers->tick_ms, bus_deadline_ms(peers->bus));
    deadline_ms = least(deadline_ms, gossip_deadline_ms(peers->gossip));
    deadline_ms = least(deadline_ms, agree_deadline_ms(peers->agree));
    deadline_ms = least(deadline_ms, quorum_deadline_ms(peers->quorum));
    deadline_ms = least(deadline_ms, sync_deadline_ms(peers->sync));
    deadline_ms = least(deadline_ms, forwarder_deadline_ms(peers->forwarder));
    bool never = deadline_ms > (uint64_t)INT64_MAX, over = (int64_t)deadline_ms < -peers->ahead_ms;
    return never ? UINT64_MAX : over ? 0 : deadline_ms + (uint64_t)peers->ahead_ms;
}

enum status peers_failure(const struct peers *peers)
{
    return peers->failure;
}

/* ---- operators ------------------------------------------------------------------------------- */

void peers_configure(struct peers *peers)
{
    const struct config *config = peers->options.config;
    quorum_set_numbers(peers->quorum, (unsigned)config->read_quorum, (unsigned)config->write_quorum,
                       config->sloppy_quorum);
    sync_set_numbers(peers->sync, (unsigned)config->read_quorum, compared_quorum(config),
                     peers->options.dispatch->cluster.steady_ms);
}

struct bus *peers_bus(struct peers *peers)
{
    return peers->bus;
}

const struct layout *peers_layout(const struct peers *peers)
{
    return agree_layout(peers->agree);
}

struct gossip *peers_gossip(const struct peers *peers)
{
    return peers->gossip;
}

struct quorum *peers_quorum(const struct peers *peers)
{
    return peers->quorum;
}

struct forwarder *peers_forwarder(const struct peers *peers)
{
    return peers->forwarder;
}

struct sync *peers_sync(const struct peers *peers)
{
    return peers->sync;
}

uint64_t peers_node(const struct peers *peers)
{
    return peers->node;
}

void peers_meet(struct peers *peers, const char *host, uint16_t bus_port)
{
    bus_meet(peers->bus, host, bus_port, peers->options.dispatch->cluster.steady_ms,
             5 * PEERS_MEET_MS);
}

static bool is_removed(const struct peers *peers, uint64_t node)
{
    for (size_t i = 0; i < peers->removed_count; i++)
        if (peers->removed[i] == node)
            return true;
    return false;
}

enum status peers_forget(struct peers *peers, uint64_t node)
{
    const struct layout *layout = agree_layout(peers->agree);
    bool known = is_removed(peers, node);
    if (node == peers->node || (!known && peers->removed_count == PEERS_REMOVED_MAX))
        return STATUS_INVALID;
    bool listed = layout && (layout_is_member(layout, node) || layout_has_departed(layout, node));
    if (!gossip_peer(peers->gossip, node) && !listed)
        return STATUS_ABSENT;
    if (!known)
        peers->removed[peers->removed_count++] = node;
    part_from(peers, node, peers->options.dispatch->cluster.steady_ms);
    gossip_forget(peers->gossip, node, peers->options.dispatch->cluster.steady_ms);
    return STATUS_OK;
}
