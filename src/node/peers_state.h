/* SPDX-License-Identifier: MIT */
/* The insides of peers.c, which wires a node with others, and of membership.c, which says when it
 * founds a cluster, joins one, or proposes a layout. */
#ifndef NODE_PEERS_STATE_H
#define NODE_PEERS_STATE_H

#include "cluster/agree.h"
#include "cluster/timekeeper.h"
#include "node/addresses.h"
#include "node/peers.h"
#include "quorum/quorum.h"
#include "sync/sync.h"

enum { PEERS_SEEDS_MAX = 64 };

struct seed {
    char host[BUS_HOST_MAX];
    uint16_t port;
};

/* What was last told of a peer's life. */
struct peer {
    uint64_t node;
    bool up;
    uint64_t settled;    /* messages that it had acknowledged, when that last changed: */
    uint64_t settled_ms; /* or when there was nothing to acknowledge */
};

struct peers {
    struct peers_options options;
    uint64_t node;
    struct bus *bus;
    struct gossip *gossip;
    struct agree *agree;
    struct quorum *quorum;
    struct sync *sync;
    struct forwarder *forwarder;
    struct seed seeds[PEERS_SEEDS_MAX];
    size_t seed_count;
    bool founder;       /* the first seed is this node */
    uint64_t opened_ms; /* the wall clock then, */
    uint64_t opened_ns; /* and the one that never goes back */
    struct timekeeper timekeeper;
    int64_t ahead_ms; /* how far the node's time is before the steady clock, in this turn */
    uint64_t met_ms;  /* when the seeds were last dialed */
    uint64_t refusal_told_ms;
    uint64_t tick_ms;        /* the next one */
    uint64_t turned_ns;      /* the last turn, of the clock that never goes back */
    uint64_t gossip_version; /* that was acted on */
    uint64_t layout_version;
    bool empty;          /* it holds no rows, as of the last tick, */
    uint64_t empty_gate; /* since that position of the log */
    bool joining;        /* layouts named it as one to come, and none as one of the ring yet */
    uint64_t addresses_version; /* of both together, whose addresses are kept */
    struct addresses addresses;
    struct peer *known; /* by node */
    size_t known_count;
    uint64_t removed[PEERS_REMOVED_MAX];
    size_t removed_count;
    enum status failure;
};

/* The process must end, for this. */
static inline void peers_fail(struct peers *peers, enum status status)
{
    if (peers->failure == STATUS_OK)
        peers->failure = status;
}

/* It is down, and another node answers where it was: it is not to be dialed there. */
bool membership_is_replaced(const struct peers *peers, const struct gossip_peer *peer);

/* Each tick: a node that belongs to no cluster looks for one, or founds one; who is alone joins a
 * larger one; and if it is this node's turn the next layout is proposed. */
void membership_tick(struct peers *peers, uint64_t now_ms);

#endif
