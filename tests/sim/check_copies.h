/* SPDX-License-Identifier: MIT */
/*
 * What stands in the stores themselves, of all keys of the history.
 *
 *   A11      what was as durable as a node acknowledges it is there when it runs again: after
 *            kill -9 all that was written, after a power cut all that was synced
 *   durable  when a reply that acknowledges a value leaves a node, W nodes have it, as durable as
 *            appendfsync says: it, or what has replaced it
 *   merge    rows of a key, as nodes hold them at one moment, merge to the same in any order
 *   count    a slot's digest and its number of rows are those of its rows
 */
#ifndef SIM_CHECK_COPIES_H
#define SIM_CHECK_COPIES_H

#include "base/arena.h"
#include "sim/cluster_history.h"
#include "sim/cluster_node.h"

struct copies_counts {
    uint64_t rows_kept;         /* over a restart */
    uint64_t durable, unjudged; /* values: found on W nodes; of which that cannot be told, as they
                                   were replaced everywhere by then, or in the turn of their run */
    uint64_t merged;
};

/* An event of a store that shows the value of an event of the history which nobody has answered
 * yet: one may be run twice, and then there are two. */
struct copies_run {
    size_t event;
    struct dot dot;
    uint64_t at[CLUSTER_NODES_MAX]; /* how far a node's log was when it first showed it */
};

struct copies {
    const struct cluster_settings *settings;
    const struct history *history;
    struct cluster_node *nodes;
    struct sim_clock *clock;
    struct cluster_trace *trace;
    struct random random;
    struct sim_timer timer;
    struct buffer kept[CLUSTER_NODES_MAX]; /* of who is down: a row list of what must be there */
    uint64_t unsure_us[CLUSTER_NODES_MAX]; /* when one last lost what it may have acknowledged */
    struct copies_run *runs;
    size_t run_count, run_room;
    size_t pending_from; /* earlier events of the history are not pending */
    struct arena arena;
    struct copies_counts counts;
};

/* Watches all nodes of the world, and looks at them now and then. */
void copies_init(struct copies *copies, uint64_t seed, const struct cluster_settings *settings,
                 const struct history *history, struct cluster_node *nodes, struct sim_clock *clock,
                 struct cluster_trace *trace);
void copies_deinit(struct copies *copies);

/* Merges, and counts: at once. */
void copies_look(struct copies *copies);

#endif
