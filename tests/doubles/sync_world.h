/* SPDX-License-Identifier: MIT */
/*
 * Several nodes' sync in one process, each on a fake store, with a network that delays messages and
 * breaks links, and a simple coordinator of writes in the place of quorum/. Time is the world's;
 * one seed, one history. What was acknowledged is remembered here, never taken from the nodes.
 */
#ifndef DOUBLES_SYNC_WORLD_H
#define DOUBLES_SYNC_WORLD_H

#include "doubles/fake_copies.h"
#include "sync/sync.h"

enum {
    WORLD_NODES_MAX = 6,
    WORLD_KEYS = 24,
    WORLD_COPIES = 3,
    WORLD_QUORUM = 2,
    WORLD_LAYOUTS_MAX = 40,
};

struct world_letter;
struct world_write;
struct world;

struct gossip {
    struct world *world;
    unsigned self;
    struct gossip_peer peers[WORLD_NODES_MAX];
    uint64_t lost_ms[WORLD_NODES_MAX]; /* when it was last heard of */
};

struct world_node {
    struct world *world;
    uint64_t number;
    struct store store;
    struct gossip gossip;
    struct sync *sync; /* NULL: it is down, or not there yet */
    uint64_t generation;
    uint64_t layout; /* the version that it has; 0: none */
    uint64_t synced;
    uint64_t others; /* messages of other layouts that it was told of */
};

/* From one node to another. */
struct world_link {
    bool up, cut; /* cut: it does not come up again by itself */
    uint64_t up_ms;
    uint64_t sent, settled;
    struct world_letter *first, **last;
};

struct world {
    struct random random;
    uint64_t now_ms;
    unsigned count;
    struct world_node nodes[WORLD_NODES_MAX];
    struct world_link links[WORLD_NODES_MAX][WORLD_NODES_MAX];
    struct layout layouts[WORLD_LAYOUTS_MAX]; /* by version */
    uint64_t layout;                          /* the newest */
    struct list writes, writes_over;
    uint64_t writes_begun;
    uint64_t number; /* of the last write */
    /* Of each key the newest write that was acknowledged, or has left a node because all owners had
     * it; and the newest that was a delete or expires. */
    uint64_t acknowledged[WORLD_KEYS], hides[WORLD_KEYS];
    bool sloppy;
    unsigned delay_ms;     /* of a message, at most */
    unsigned resets;       /* one of so many messages breaks its link; 0: none */
    uint64_t silent;       /* this node's PUSHED do not arrive; 0: none */
    bool holds_answers;    /* PUSHED and WANTED do not arrive */
    bool holds_rows;       /* nor do ROWS */
    uint64_t types[0x100]; /* messages that have arrived, of each kind */
};

void world_init(struct world *world, uint64_t seed, unsigned count);
void world_deinit(struct world *world);

void world_step(struct world *world); /* 20 ms */
void world_run(struct world *world, uint64_t ms);

void world_start(struct world *world, unsigned node);
void world_crash(struct world *world, unsigned node);
/* No link between the two, either way, until it is mended. */
void world_cut(struct world *world, unsigned a, unsigned b);
void world_mend(struct world *world);

/* The next layout: in STABLE one of the first `members` nodes. False: not yet. */
bool world_next_layout(struct world *world, const bool members[WORLD_NODES_MAX]);

struct bytes world_key(unsigned key);
uint16_t world_slot(unsigned key);
struct placement world_placement(const struct world *world, unsigned key);

/* A write at the first owner that is up, sent to the others. `dead`: a delete. */
void world_write(struct world *world, unsigned key, bool dead, uint64_t expires_ms);
/* Puts it on one node alone, as if that were all that had arrived. */
void world_put(struct world *world, unsigned node, unsigned key, uint64_t number, bool dead);
uint64_t world_number(const struct world *world, unsigned node, unsigned key); /* 0: none */

bool world_is_quiet(const struct world *world);
/* Until it is quiet; fails if it takes longer. */
void world_converge(struct world *world, uint64_t most_ms);

/* Owners hold the same, others nothing, no acknowledged write is lost, nothing has come back. */
void world_check(const struct world *world);

#endif
