/* SPDX-License-Identifier: MIT */
/*
 * A node among others: its bus, gossip, agreement, quorum, sync and forwarding, wired. It decides
 * when a node founds a cluster, joins one, or proposes a layout, and tells each part what another
 * has found out.
 */
#ifndef NODE_PEERS_H
#define NODE_PEERS_H

#include "bus/bus.h"
#include "cluster/gossip.h"
#include "cluster/layout.h"
#include "config/config.h"
#include "node/dispatch.h"
#include "node/node.h"
#include "observe/journal.h"

struct peers;

enum {
    PEERS_TICK_MS = 50,
    PEERS_MEET_MS = 1000,   /* how long a seed is tried, before all are tried anew */
    PEERS_FOUND_MS = 3000,  /* a first seed looks so long for a cluster that is there already */
    PEERS_STALL_MS = 150,   /* a turn that took longer stood still: ticks are closer */
    PEERS_SILENCE_MS = 250, /* a peer that acknowledges nothing for so long is passed over */
    PEERS_REMOVED_MAX = 64, /* members that an operator has removed, remembered */
};

struct peers_options {
    const struct host *host;
    const struct config *config;
    struct store *store;
    struct dispatch *dispatch;
    unsigned command_count; /* for dispatch.cluster.kinds */
};

/* Errors, with a reason in out_error: what it kept of the cluster (the file `cluster`) is damaged,
 * or of a newer version; an address that is none. */
MUST_CHECK enum status peers_open(const struct peers_options *options, uint64_t now_ms,
                                  struct peers **out, struct buffer *out_error);

/* All links are closed, all sessions gone. */
void peers_close(struct peers *peers);

struct bus *peers_bus(struct peers *peers);

/*
 * The time of all that nodes do together: milliseconds of a clock that never goes back, which began
 * as the wall clock's when the node did. A wall clock that jumps would leave deadlines hours away.
 * The links' too: what is told to peers_bus takes this time.
 */
uint64_t peers_steady_ms(const struct peers *peers);

/* Before anything runs that has arrived in this turn: has the process stood still? */
void peers_wake(struct peers *peers);

/* The time that the node goes by, given what the wall clock shows: cluster/timekeeper.h. */
uint64_t peers_time_ms(struct peers *peers, uint64_t wall_ms);

/* After the dispatch has resumed, and after store_turn_end. */
void peers_turn_begin(struct peers *peers, uint64_t time_ms);
void peers_turn_end(struct peers *peers);
void peers_tick(struct peers *peers);
/* Of peers_time_ms. */
uint64_t peers_deadline_ms(const struct peers *peers);

/* A failure after which the process must end. */
enum status peers_failure(const struct peers *peers);

/* Settings that may change at run time have. */
void peers_configure(struct peers *peers);

/* For CLUSTER. */
const struct layout *peers_layout(const struct peers *peers);
struct gossip *peers_gossip(const struct peers *peers);
struct quorum *peers_quorum(const struct peers *peers);
struct forwarder *peers_forwarder(const struct peers *peers);
struct sync *peers_sync(const struct peers *peers);
uint64_t peers_node(const struct peers *peers);
void peers_meet(struct peers *peers, const char *host, uint16_t bus_port);
/* Removes a member for good. STATUS_ABSENT: nobody knows it; STATUS_INVALID: it is this node, or
 * too many were removed lately. */
enum status peers_forget(struct peers *peers, uint64_t node);

#endif
