/* SPDX-License-Identifier: MIT */
/*
 * What a seed means: how many nodes, how they and the network are set, what clients do, and what
 * goes wrong. A swarm (Groce et al. 2012): each seed first draws which kinds of faults exist in its
 * world and how strong they are. Each fault is drawn from a stream of its own, so that one that is
 * left out changes no other: that is how a failing plan is made small. Half of the seeds have a
 * theme besides (cluster_theme.h).
 */
#ifndef SIM_CLUSTER_PLAN_H
#define SIM_CLUSTER_PLAN_H

#include "sim/check_history.h"
#include "sim/cluster_client.h"
#include "sim/cluster_node.h"
#include "sim/cluster_theme.h"

enum fault_kind {
    FAULT_HALVES,     /* nobody of one half hears anybody of the other */
    FAULT_ONE_WAY,    /* one half hears the other, but not the other way round */
    FAULT_ISOLATED,   /* one node alone */
    FAULT_LINKS,      /* some links, each way by itself */
    FAULT_FLAPPING,   /* one node is alone, and is not, and is */
    FAULT_BRIDGE,     /* two halves that have one node in common */
    FAULT_RESETS,     /* connections, again and again */
    FAULT_SLOW_LINKS, /* to and from one node */
    FAULT_CRASH,      /* of some processes at once */
    FAULT_DEATH,      /* of a process in the middle of a change of its disk */
    FAULT_POWER_CUT,  /* of some machines at once */
    FAULT_STOP,       /* cleanly, and a new start */
    FAULT_PAUSE,      /* of a process */
    FAULT_CLOCK,      /* one jumps, and jumps back */
    FAULT_SLOW_DISK,
    FAULT_SLOW_PROCESS,
    FAULT_FULL_DISK,
    FAULT_CLIENTS_CUT,   /* some clients do not reach some nodes */
    FAULT_SLOW_SYNC,     /* storage threads of some nodes, in the whole run */
    FAULT_DRIFT,         /* a clock that is too fast or too slow */
    FAULT_FAR_CLOCK,     /* one clock is ten years ahead */
    FAULT_JOIN,          /* a node that is no member at first */
    FAULT_LEAVE,         /* a node stops, and comes back with weight 0 */
    FAULT_DISK_LOST,     /* a node comes back with an empty directory; its old self is forgotten */
    FAULT_OLD_DIRECTORY, /* a node's is put back as it was some time before */
    FAULT_AWAY,          /* a node is down, or cut off, until it is removed; and comes back */
    FAULT_ALONE,         /* so many kinds can be drawn by themselves; scenes have these, too: */
    FAULT_SLOW_WAYS = FAULT_ALONE, /* some links, each way by itself */
    FAULT_KINDS,
};

/* What a fault of a scene may wait for: from its time on, looked for now and then. */
enum fault_trigger {
    TRIGGER_NONE,
    TRIGGER_COLLECTION, /* a step of a collection begins */
    TRIGGER_SENT,       /* a node has sent others rows that it does not own */
    TRIGGER_LAYOUT,     /* a node has a newer layout */
    TRIGGERS,
};

enum {
    CLUSTER_FAULTS_MAX = 48,
    CLUSTER_EVENTS_MAX = 3000000, /* of a world: busy ones have 170,000 */
};

struct cluster_fault {
    enum fault_kind kind;
    uint64_t at_us, for_us;
    unsigned nodes; /* a set, bit by bit */
    enum fault_trigger trigger;
    uint64_t after_us; /* what it has waited for; `nodes` 0: it strikes the node that did it */
    uint64_t amount;   /* microseconds, milliseconds, changes: as the kind has it */
    uint64_t draw;     /* for what is decided when it happens */
    bool dropped;      /* it does not happen */
};

struct cluster_plan {
    uint64_t seed;
    enum theme theme;
    struct cluster_settings settings;
    struct cluster_load load;
    struct sim_net_options net; /* but for the clock */
    uint64_t duration_us;       /* of load and faults */
    struct cluster_fault faults[CLUSTER_FAULTS_MAX];
    unsigned fault_count;
    uint64_t events_max;   /* a world that has more goes in circles */
    unsigned idle_clients; /* a set: they do nothing, for shrinking */
};

/* `nodes` 0: as many as the seed says. One node is a node without a cluster, and has no theme. */
void cluster_plan_draw(uint64_t seed, unsigned nodes, struct cluster_plan *plan);
/* The same of a world with that theme, whatever the seed says. */
void cluster_plan_draw_theme(uint64_t seed, unsigned nodes, enum theme theme,
                             struct cluster_plan *plan);

/* Another fault: not if there are too many, or it would come too late. */
void cluster_plan_add(struct cluster_plan *plan, struct random *random, struct cluster_fault fault);

/* Those whose power may be cut, all through the world. */
unsigned cluster_plan_losers(const struct cluster_plan *plan);

/* What may be checked in this world, whatever was dropped. */
struct check_options cluster_plan_checks(const struct cluster_plan *plan);

const char *cluster_fault_name(enum fault_kind kind);

/* A line for each thing that is not dropped. */
void cluster_plan_print(const struct cluster_plan *plan, struct buffer *out);

/* Drops what a text names: "f3,c1": the third fault, client 1. False: it is no such text. */
bool cluster_plan_drop(struct cluster_plan *plan, const char *text);
/* The text that drops what is dropped; empty: nothing is. */
void cluster_plan_dropped(const struct cluster_plan *plan, struct buffer *out);

#endif
