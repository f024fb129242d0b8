/* SPDX-License-Identifier: MIT */
/*
 * Many nodes' gossip in virtual time: links that come up as soon as a node has heard of another,
 * messages that take a while, get lost, or are cut off in one direction. A link keeps its order.
 */
#ifndef SUPPORT_GOSSIP_WORLD_H
#define SUPPORT_GOSSIP_WORLD_H

#include "base/random.h"
#include "cluster/gossip.h"

enum {
    GOSSIP_WORLD_DELAY_MAX = 4000, /* of a message, in ms */
    GOSSIP_WORLD_TYPES = 16,       /* of messages */
};

struct gossip_node {
    struct gossip_world *world;
    struct gossip *gossip; /* NULL: the process is gone */
    uint32_t index;
    uint64_t generation;
    bool paused;      /* SIGSTOP */
    int64_t clock_ms; /* ahead of the world's */
    uint64_t seen_version;
    uint64_t bytes_sent, messages_sent;
};

struct gossip_letter;

struct gossip_world {
    struct gossip_node *nodes;
    uint32_t count;
    struct random random;
    uint64_t now_ms;
    unsigned loss_permille;
    unsigned lost_types; /* bit by bit, messages that never arrive */
    uint64_t delay_min_ms, delay_max_ms;
    /* By [from * count + to]. */
    bool *linked;
    bool *cut;          /* what is said is lost, and nobody is told */
    uint32_t *sessions; /* of the link: what was said in an earlier one is void */
    uint64_t *last_ms;
    struct gossip_letter **buckets; /* by the millisecond of arrival */
    uint64_t bytes_by_type[GOSSIP_WORLD_TYPES], messages_by_type[GOSSIP_WORLD_TYPES];
};

/* All are started, and node 0 is everybody's seed. */
struct gossip_world *gossip_world_new(uint32_t count, uint64_t seed);
void gossip_world_free(struct gossip_world *world);

uint64_t gossip_world_id(uint32_t index); /* its node number; ascending */
uint64_t gossip_world_now(const struct gossip_world *world, uint32_t index); /* its clock */
struct gossip *gossip_world_at(struct gossip_world *world, uint32_t index);
const struct gossip_peer *gossip_world_view(struct gossip_world *world, uint32_t of, uint32_t on);

void gossip_world_run_ms(struct gossip_world *world, uint64_t ms);

/* The process is gone. `loud`: all links to it break at once; else the machine is off the net. */
void gossip_world_kill(struct gossip_world *world, uint32_t index, bool loud);
void gossip_world_start(struct gossip_world *world, uint32_t index, uint32_t seed);

void gossip_world_break(struct gossip_world *world, uint32_t from, uint32_t to); /* and told */
void gossip_world_mend(struct gossip_world *world, uint32_t from, uint32_t to);
void gossip_world_cut(struct gossip_world *world, uint32_t from, uint32_t to, bool cut);
/* Between those before `first_of_second` and the others. */
void gossip_world_partition(struct gossip_world *world, uint32_t first_of_second, bool cut);

/* Everybody who lives: knows all who live, has them for UP, and knows the last that each has said.
 * NULL: so it is; else what is wrong. */
const char *gossip_world_disagreement(struct gossip_world *world);

#endif
