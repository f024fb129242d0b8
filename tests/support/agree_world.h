/* SPDX-License-Identifier: MIT */
/*
 * Worlds of a few nodes that agree on layouts, with messages that are lost, late and in no order
 * between links, nodes that crash and come back with what they had saved, and links that are cut.
 * It checks all the time that nobody ever has another layout of the same version than somebody
 * else, or an older one than before, and that no ballot stands for two layouts.
 */
#ifndef SUPPORT_AGREE_WORLD_H
#define SUPPORT_AGREE_WORLD_H

#include "base/buffer.h"
#include "base/random.h"
#include "cluster/agree.h"
#include "cluster/agree_message.h"

enum {
    AGREE_WORLD_NODES_MAX = 7,
    AGREE_WORLD_MAIL_MAX = 4096,
    AGREE_WORLD_VERSIONS_MAX = 4096,
    AGREE_WORLD_CLUSTER = 77, /* whose layouts are compared */
};

struct agree_mail {
    unsigned from, to;
    unsigned type;
    uint64_t due_ms;
    struct buffer payload;
};

struct agree_world;

struct agree_node {
    struct agree_world *world;
    unsigned index;
    struct agree *agree; /* NULL: it is down */
    struct buffer disk;
    bool disk_fails;
    unsigned chosen;  /* how often it was told */
    uint64_t version; /* that it had then: never an older one */
    /* The last try that it has sent, and what it asked to accept: one ballot, one layout. */
    uint64_t tried_version, tried_round, tried_hash;
    struct agree_message prepare; /* the last one */
};

struct agree_world {
    struct random random;
    uint64_t now_ms;
    unsigned count;
    struct agree_node nodes[AGREE_WORLD_NODES_MAX];
    struct agree_mail mail[AGREE_WORLD_MAIL_MAX];
    unsigned mail_count;
    bool cut[AGREE_WORLD_NODES_MAX][AGREE_WORLD_NODES_MAX];
    unsigned dropped; /* a bit for each type of message */
    unsigned loss;    /* once in so many, 0: never */
    unsigned repeats; /* the same; the bus never does, but no harm may come of it */
    unsigned delay_max_ms;
    uint64_t hash_of
        [AGREE_WORLD_VERSIONS_MAX]; /* of the layout of each version that somebody has learned */
    unsigned starts;
    uint64_t proposals;
    unsigned sent[8]; /* of each type */
};

/* Nodes without a layout, that have heard nothing. */
struct agree_world *agree_world_new(unsigned count, uint64_t seed);
/* A cluster of all nodes, in STABLE: version 4. */
struct agree_world *agree_world_joined(unsigned count, uint64_t seed);
void agree_world_free(struct agree_world *world);

uint64_t agree_node_number(unsigned index);
struct ring_member agree_node_member(unsigned index);

void agree_node_start(struct agree_node *node);
/* What is on the way to it is lost, and some of what it has sent. */
void agree_node_crash(struct agree_node *node);
/* It forgets what it has not saved, and nobody else notices. */
void agree_node_bounce(struct agree_node *node);

/* NULL, 0: it has none. */
const struct layout *agree_world_layout(const struct agree_world *world, unsigned index);
uint64_t agree_world_version(const struct agree_world *world, unsigned index);

void agree_world_found(struct agree_world *world, unsigned index, uint64_t cluster);
/* That node proposes the step after its layout; in STABLE, to a ring of the nodes from `from` to
 * below `to`. */
void agree_world_propose(struct agree_world *world, unsigned index, unsigned from, unsigned to);

/* Messages arrive, nodes tick and hear by gossip of each other's layouts. */
void agree_world_run_ms(struct agree_world *world, uint64_t ms);

void agree_world_expect_all_at(const struct agree_world *world, uint64_t version);

#endif
