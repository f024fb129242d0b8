/* SPDX-License-Identifier: MIT */
#include "cluster/change.h"
#include "node/peers_state.h"
#include "store/export.h"

static void found(struct peers *peers, uint64_t now_ms)
{
    const struct config *config = peers->options.config;
    const struct gossip_self *self = gossip_self(peers->gossip);
    struct ring_member member = change_member(self);
    struct layout layout;
    uint64_t cluster = (peers->options.host->random[1] ^ now_ms) & (((uint64_t)1 << 48) - 1);
    layout_first(cluster > 0 ? cluster : 1, &member, (unsigned)config->replicas, &layout);
    enum status status = agree_found(peers->agree, &layout, now_ms);
    if (status != STATUS_OK)
        peers_fail(peers, status);
    layout_deinit(&layout);
}

/* Has somebody else a cluster? */
static bool knows_cluster(const struct peers *peers)
{
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(peers->gossip, i)); i++)
        if (peer->said.cluster != 0)
            return true;
    return false;
}

static void seek_cluster(struct peers *peers, uint64_t now_ms)
{
    bool others = peers->seed_count > peers->founder;
    bool alone = peers->founder && peers->seed_count <= 1;
    if (peers->founder && !knows_cluster(peers) && !agree_layout(peers->agree) &&
        (alone || now_ms >= peers->opened_ms + PEERS_FOUND_MS)) {
        found(peers, now_ms);
        return;
    }
    if (!others || gossip_peer_at(peers->gossip, 0) || now_ms < peers->met_ms + PEERS_MEET_MS)
        return;
    peers->met_ms = now_ms;
    for (size_t i = peers->founder; i < peers->seed_count; i++)
        bus_meet(peers->bus, peers->seeds[i].host, peers->seeds[i].port, now_ms, PEERS_MEET_MS);
}

/* This node is alone in its cluster, and there is another one: the one with more members stays, of
 * two of a size that of the smaller number. Its own layout is void when the other's takes it in. */
static void yield_to_larger(struct peers *peers)
{
    const struct layout *layout = agree_layout(peers->agree);
    struct gossip_self *self = gossip_self(peers->gossip);
    if (!layout || layout->ring.member_count > 1 || layout->phase != LAYOUT_STABLE ||
        self->cluster == 0)
        return;
    const struct gossip_peer *peer;
    for (size_t i = 0; (peer = gossip_peer_at(peers->gossip, i)); i++) {
        uint64_t other = peer->said.cluster;
        if (other == 0 || other == layout->cluster)
            continue;
        size_t members = 0;
        const struct gossip_peer *same;
        for (size_t j = 0; (same = gossip_peer_at(peers->gossip, j)); j++)
            members += same->said.cluster == other;
        if (members > 1 || other < layout->cluster) {
            self->cluster = 0;
            gossip_changed(peers->gossip);
            return;
        }
    }
}

static void propose(struct peers *peers, uint64_t now_ms)
{
    const struct layout *layout = agree_layout(peers->agree);
    if (!layout || gossip_self(peers->gossip)->cluster == 0 || agree_is_proposing(peers->agree) ||
        !layout_is_member(layout, peers->node))
        return;
    struct change_options options = {
        .layout = layout,
        .gossip = peers->gossip,
        .node = peers->node,
        .read_quorum = (unsigned)peers->options.config->read_quorum,
        .write_quorum = (unsigned)peers->options.config->write_quorum,
        .removed = peers->removed,
        .removed_count = peers->removed_count,
    };
    struct layout next;
    if (!change_is_proposer(&options) || !change_next(&options, &next))
        return;
    agree_propose(peers->agree, &next, now_ms);
    layout_deinit(&next);
}

/* Whether it is down for so many seconds; 0: one that nobody waits for so long. */
static bool is_down_for(const struct gossip_peer *peer, int64_t seconds, uint64_t now_ms)
{
    return seconds > 0 && peer->life == GOSSIP_DOWN &&
           now_ms >= peer->since_ms + 1000 * (uint64_t)seconds;
}

/* Members, and departed ones, that are down for longer than this node waits: it says so, and if a
 * majority does they are removed, or not waited for any more. */
static void tell_absent(struct peers *peers, uint64_t now_ms)
{
    const struct config *config = peers->options.config;
    const struct layout *layout = agree_layout(peers->agree);
    struct gossip_self *self = gossip_self(peers->gossip), before = *self;
    const struct gossip_peer *peer;
    self->absent_count = self->lost = 0;
    memset(self->absent, 0, sizeof(self->absent));
    for (size_t i = 0; layout && (peer = gossip_peer_at(peers->gossip, i)); i++) {
        bool member = layout_is_member(layout, peer->said.node);
        bool lost = is_down_for(peer, config->max_absence_s, now_ms);
        bool absent = lost || is_down_for(peer, config->cluster_remove_after_s, now_ms);
        if (!absent || (!member && !layout_has_departed(layout, peer->said.node)) ||
            self->absent_count == GOSSIP_ABSENT_MAX)
            continue;
        self->lost |= (uint16_t)(lost << self->absent_count);
        self->absent[self->absent_count++] = peer->said.node;
    }
    if (self->absent_count != before.absent_count || self->lost != before.lost ||
        memcmp(self->absent, before.absent, sizeof(before.absent)) != 0)
        gossip_changed(peers->gossip);
}

bool membership_is_replaced(const struct peers *peers, const struct gossip_peer *peer)
{
    const struct gossip_peer *other;
    if (peer->life != GOSSIP_DOWN)
        return false;
    for (size_t i = 0; (other = gossip_peer_at(peers->gossip, i)); i++)
        if (other->life == GOSSIP_UP && other->said.bus_port == peer->said.bus_port &&
            strcmp(other->said.host, peer->said.host) == 0)
            return true;
    const struct gossip_self *self = gossip_self(peers->gossip);
    return self->bus_port == peer->said.bus_port && strcmp(self->host, peer->said.host) == 0;
}

/* And the disk says so: no power cut brings anything back. */
static bool holds_nothing_durably(struct peers *peers)
{
    if (slot_set_next(store_slots_used(peers->options.store), 0) < SLOT_COUNT) {
        peers->empty = false;
        return false;
    }
    if (!peers->empty)
        peers->empty_gate = store_gate_now(peers->options.store);
    peers->empty = true;
    return store_gate_synced(peers->options.store, peers->empty_gate);
}

/*
 * It is no member of the layout that it has, and has nothing that could be old: it was to join, and
 * was restarted, or the change was taken back, before it did; or it was removed. It says so, and
 * asks again, as one of no cluster.
 */
static void ask_again(struct peers *peers)
{
    const struct layout *layout = agree_layout(peers->agree);
    struct gossip_self *self = gossip_self(peers->gossip);
    if (!layout || layout->phase != LAYOUT_STABLE || layout_is_member(layout, peers->node) ||
        !holds_nothing_durably(peers))
        return;
    bool asks = self->cluster != 0 && !self->leaving;
    if (!asks && self->empty_version == layout->version)
        return;
    self->empty_version = layout->version;
    if (asks)
        self->cluster = 0;
    gossip_changed(peers->gossip);
}

void membership_tick(struct peers *peers, uint64_t now_ms)
{
    seek_cluster(peers, now_ms);
    yield_to_larger(peers);
    ask_again(peers);
    tell_absent(peers, now_ms);
    propose(peers, now_ms);
}
