/* SPDX-License-Identifier: MIT */
/*
 * The cluster as one node sees it at one moment, and as clients of a Redis Cluster are told of it.
 *
 * There, each slot has one master, and a replica belongs to one master. Here a slot has several
 * owners, all alike, and each node owns slots together with all others. What is shown: the first
 * owner of a slot that is up, its coordinator, is its master; all nodes are masters, and none is a
 * replica. So clients go straight to the coordinator; and where they are wrong, whoever they ask
 * passes it on.
 */
#ifndef ADMIN_CLUSTER_VIEW_H
#define ADMIN_CLUSTER_VIEW_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cluster/ring.h"
#include "resp/reply.h"

enum cluster_life { VIEW_UP, VIEW_SUSPECT, VIEW_DOWN };

#define CLUSTER_NOBODY UINT16_MAX

struct view_node {
    uint64_t node;
    const char *host; /* empty: not known yet */
    uint16_t port, bus_port;
    const char *zone;
    enum cluster_life life;
    bool self;
    bool member;       /* of the layout: owns slots, or will, or did until now */
    uint64_t heard_ms; /* when it last answered; 0: never */
    uint32_t reports;  /* others that suspect it */
};

struct cluster_view {
    uint64_t version;           /* of the layout; 0: this node has none yet */
    const char *phase;          /* "stable" */
    unsigned copies;            /* as asked for */
    struct view_node *nodes; /* by number; this one among them */
    uint16_t count;
    unsigned owner_count;                /* of each slot */
    uint16_t (*owners)[RING_COPIES_MAX]; /* who is read from, in the order of preference: indexes
                                              of nodes; NULL: there is no layout */
    uint16_t master[SLOT_COUNT];         /* the first of them that is up, or CLUSTER_NOBODY */
    uint32_t slots_ok, slots_short;      /* all their owners are up; some are */
};

/* Fills in what follows from the rest: master, slots_ok, slots_short. */
void cluster_view_finish(struct cluster_view *view);

/* NULL: there is no such node. */
const struct view_node *cluster_view_node(const struct cluster_view *view, uint64_t node);

/* A run of slots with the same master, from `slot` on: its last slot. */
uint16_t cluster_view_run(const struct cluster_view *view, uint16_t slot);

/* What is sent and received on all links, now. */
struct cluster_traffic {
    uint64_t sent, received; /* messages */
};

/* The texts and replies of the commands of these names. */
void cluster_info(const struct cluster_view *view, struct cluster_traffic traffic,
                  struct buffer *out);
void cluster_nodes(const struct cluster_view *view, struct buffer *out);
void cluster_slots(const struct cluster_view *view, struct reply *reply);
void cluster_shards(const struct cluster_view *view, struct reply *reply);

#endif
