/* SPDX-License-Identifier: MIT */
/* What a plan's faults do to nodes and network: each begins, perhaps beats, and ends. */
#ifndef SIM_CLUSTER_FAULTS_H
#define SIM_CLUSTER_FAULTS_H

#include "sim/cluster_plan.h"

struct cluster_faults;

/* One that is being carried out. */
struct cluster_trouble {
    struct cluster_faults *faults;
    const struct cluster_fault *fault;
    unsigned nodes; /* that it strikes */
    struct sim_timer timer;
    bool lies_in_wait, begun, ended;
    bool cut; /* links are blocked now */
    uint64_t end_us;
    struct random random;
};

/* How often a node has done what faults wait for. */
struct cluster_seen {
    uint64_t counts[TRIGGERS];
};

struct cluster_faults {
    const struct cluster_plan *plan;
    struct cluster_node *nodes;
    struct sim_net *net;
    struct sim_clock *clock;
    struct cluster_trace *trace;
    struct cluster_trouble troubles[CLUSTER_FAULTS_MAX];
    struct sim_timer operator; /* looks after nodes whose disks are lost */
    struct sim_timer sight;    /* for faults that lie in wait */
    struct cluster_seen seen[CLUSTER_NODES_MAX];
};

/* Before any node starts: who is not to, at first. */
void cluster_faults_plan(const struct cluster_plan *plan, struct cluster_node *nodes);

/* They begin at their times, counted from now. */
void cluster_faults_start(struct cluster_faults *faults, const struct cluster_plan *plan,
                          struct cluster_node *nodes, struct sim_net *net, struct sim_clock *clock,
                          struct cluster_trace *trace);

/* All is healed: every way is free, every disk has room and is fast, every clock is right, every
 * process runs. */
void cluster_faults_heal(struct cluster_faults *faults);

#endif
