/* SPDX-License-Identifier: MIT */
/*
 * One simulated machine with one node on it: a disk, a tier, storage threads, a wall clock that may
 * be wrong, and a process that runs a whole node (node/node.h) as runtime.c would: turn by turn,
 * with sockets of the simulated network in the place of real ones.
 */
#ifndef SIM_CLUSTER_NODE_H
#define SIM_CLUSTER_NODE_H

#include "base/list.h"
#include "base/random.h"
#include "config/config.h"
#include "node/node.h"
#include "sim/cluster_trace.h"
#include "sim/sim_files.h"
#include "sim/sim_net.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"

enum {
    CLUSTER_NODES_MAX = 9,
    CLUSTER_PORT = 6379,
    CLUSTER_BUS_PORT = 16379,
};

/* As all nodes of a world are configured. */
struct cluster_settings {
    unsigned nodes;
    unsigned copies, read_quorum, write_quorum; /* N, R, W */
    bool sloppy;
    enum log_sync sync;
    uint64_t seal_bytes;
    uint64_t quorum_timeout_ms;
    unsigned remove_after_s, max_absence_s; /* 0: never */
    unsigned cold_odds;                     /* sim_tier_set_cold */
    uint64_t turn_us;                       /* a process takes up to so long to wake */
    uint64_t job_us;                        /* a storage thread up to so long for a job */
};

struct cluster_node;

/* Who looks on, for checks. All between turns, but `dying` when a node has ended itself. */
struct node_watch {
    void (*dying)(void *context, struct cluster_node *node, bool power_lost);
    /* It is another one now, or has lost something while nobody ran. */
    void (*disk_changed)(void *context, struct cluster_node *node);
    void (*started)(void *context, struct cluster_node *node);
    /* At the end of a turn: what it has written is written, and nothing has left it yet. Here the
     * node may crash. */
    void (*turned)(void *context, struct cluster_node *node);
    /* A first part of a reply has left it; `receiver` owns the client's socket. */
    void (*replied)(void *context, struct cluster_node *node, const void *receiver,
                    struct bytes reply);
};

enum cluster_state { CLUSTER_DOWN, CLUSTER_UP, CLUSTER_PAUSED };

struct cluster_node {
    /* The machine. */
    unsigned index; /* its number in the network too; its name is n1, n2, ... */
    const struct cluster_settings *settings;
    struct sim_clock *clock;
    struct sim_net *net;
    struct cluster_trace *trace;
    const struct node_watch *watch; /* NULL: nobody */
    void *watch_context;
    struct random random;
    struct sim_files *disk;
    struct sim_tier *tier_disk;
    struct sim_files *old_disk; /* a copy of both, to be put back; NULL: there is none */
    struct sim_tier *old_tier_disk;
    int64_t offset_ms; /* of its wall clock */
    int64_t drift_ppm;
    uint64_t slow_job_us, slow_turn_us; /* faults: added to what jobs and turns take */
    uint64_t slow_sync_us;              /* the same of jobs, in the whole run */
    bool absent;                        /* nobody has started it yet */
    bool leaving;                       /* it is configured to own nothing */
    uint64_t number;                    /* of the node that ran last; 0: none has */
    uint64_t lost;                      /* of the node that has gone with its disk; 0: none */
    bool awaits_forgetting;             /* of that one, before it starts */
    /* The process. */
    enum cluster_state state;
    unsigned lives;
    bool may_restart;   /* who dies by itself starts again after a while */
    unsigned held_down; /* faults that keep it down */
    struct config config;
    struct tier *tier;
    struct sim_workers *workers;
    struct node *node;
    struct list links;  /* its sockets: struct node_link */
    struct list ready;  /* of these, to be looked at in the next turn */
    struct list ending; /* of these, to be closed */
    struct sim_timer turn, job, restart;
};

void cluster_node_init(struct cluster_node *node, unsigned index, uint64_t seed,
                       const struct cluster_settings *settings, struct sim_net *net,
                       struct sim_clock *clock, struct cluster_trace *trace);
void cluster_node_deinit(struct cluster_node *node);

/* Milliseconds of Unix time, as this machine has it. */
uint64_t cluster_node_wall_ms(const struct cluster_node *node);
/* The clock jumps. */
void cluster_node_set_offset(struct cluster_node *node, int64_t offset_ms);

/* The process starts: on this disk, as it is. Nothing if it runs. */
void cluster_node_start(struct cluster_node *node);
/* kill -9; its sockets are closed by the system. */
void cluster_node_crash(struct cluster_node *node);
/* What was not synced may be lost, and nobody is told. */
void cluster_node_cut_power(struct cluster_node *node);
/* The disk is lost, with the process: the next one begins with an empty directory. */
void cluster_node_lose_disk(struct cluster_node *node);
/* The directory is copied as it is; then the process ends, and the copy is put in its place: where
 * it came from, or as another directory, which is another node's. */
void cluster_node_copy_disk(struct cluster_node *node);
void cluster_node_put_back_disk(struct cluster_node *node, bool elsewhere);
/* SIGTERM. */
void cluster_node_stop(struct cluster_node *node);
/* SIGSTOP and SIGCONT. */
void cluster_node_pause(struct cluster_node *node);
void cluster_node_resume(struct cluster_node *node);

/* Whether its disk has died under it: what it has done last has had no effect. */
bool cluster_node_is_disk_dead(const struct cluster_node *node);

/* The store of a process that runs, for checks. */
struct store *cluster_node_store(const struct cluster_node *node);

#endif
