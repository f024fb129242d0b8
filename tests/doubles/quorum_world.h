/* SPDX-License-Identifier: MIT */
/*
 * A few nodes' quorums in one process, over doubles of the store and of gossip: messages take time,
 * links break, owners are down.
 */
#ifndef DOUBLES_QUORUM_WORLD_H
#define DOUBLES_QUORUM_WORLD_H

#include "base/random.h"
#include "doubles/fake_rows.h"
#include "quorum/quorum.h"

enum { WORLD_NODES_MAX = 5, WORLD_TIMEOUT_MS = 1000, WORLD_CLUSTER = 77 };

struct world_node {
    struct world *world;
    unsigned index;
    uint64_t node;
    struct store store;
    struct gossip gossip;
    struct quorum *quorum;
    uint64_t clock;     /* of its dots */
    bool agreed;        /* all its slots */
    uint16_t same;      /* readers with which all its slots are the same, */
    uint16_t same_slot; /* in the order of this one's owners */
    unsigned distrusted;
    bool stopped;         /* it hears nothing and does nothing, for now */
    struct buffer missed; /* what it was told: node(8) name size(8) name */
    unsigned other_coordinators, other_layouts;
    unsigned sent[16]; /* messages, by type */
};

struct world {
    uint64_t now_ms;
    struct random random;
    unsigned count;
    unsigned copies;
    struct world_node nodes[WORLD_NODES_MAX];
    struct layout layout;
    struct list links[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* messages on their way */
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];
    bool held[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* they do not arrive for now */
    uint64_t slowest_ms;                         /* a message takes 1 ms to so many */
    /* NULL, or who hears all that is sent. */
    void (*tap)(void *context, unsigned from, unsigned to, unsigned type, struct bytes payload);
    void *tap_context;
    struct arena arena;
};

/* `count` nodes, all of them members; R = W = 2 of 3 copies. */
void world_init(struct world *world, unsigned count, uint64_t seed);
/* The same with a layout that was made before, of as many nodes. */
void world_init_like(struct world *world, const struct world *other, uint64_t seed);
void world_deinit(struct world *world);

void world_turn(struct world *world);
void world_run(struct world *world, uint64_t ms);

/* What is on its way is lost; both hear that their link is gone. */
void world_reset_link(struct world *world, unsigned a, unsigned b);
/* What is on its way from a to b comes so many times: the bus does not do that. */
void world_repeat(struct world *world, unsigned a, unsigned b, unsigned times);
/* And stays gone. */
void world_cut(struct world *world, unsigned a, unsigned b);
void world_heal(struct world *world, unsigned a, unsigned b);
void world_isolate(struct world *world, unsigned node);

/* Its process ends, at once, and another begins with the same rows. Nobody waits any more. */
void world_restart(struct world *world, unsigned node);

/* The name of a key's head, and its owners by index, the coordinator first. */
struct bytes world_head(struct world *world, const char *key);
unsigned world_owners(struct world *world, const char *key, unsigned out[RING_COPIES_MAX]);
/* The index of a node that owns it not; fails where all do. */
unsigned world_stranger(struct world *world, const char *key);

struct world_write {
    struct quorum_write write;
    bool is_done;
    enum status status;
    unsigned coordinator;
    struct bytes head;
    struct dot dot;
};

/* For a write that the test hands over itself. */
void world_write_init(struct world_write *write, unsigned node);
/* Writes keys at that node: of any slots. */
void world_write(struct world *world, struct world_write *write, unsigned node, const char *key);
void world_write_many(struct world *world, struct world_write *write, unsigned node,
                      const char *const *keys, unsigned count);
/* A row that only this node has. */
struct dot world_put(struct world *world, unsigned node, const char *key, const char *value);

struct world_verify {
    struct quorum_verify verify;
    struct buffer heads;
    bool is_done;
    enum status status;
};
void world_verify(struct world *world, struct world_verify *verify, unsigned node,
                  const char *const *keys, unsigned count, bool writes);
void world_verify_deinit(struct world_verify *verify);

/* Whether the node's row has seen the event. */
bool world_has(struct world *world, unsigned node, struct bytes head, struct dot dot);
unsigned world_count(struct world *world, struct bytes head, struct dot dot);
/* Whether `node` was told that `owner` has missed it. */
bool world_told(struct world *world, unsigned node, unsigned owner, struct bytes head);

#endif
