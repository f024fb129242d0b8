/* SPDX-License-Identifier: MIT */
/*
 * Who owns what: the 16384 slots on nodes, each slot on N of them.
 *
 * The ring is the space of XXH3-128. Each member puts virtual nodes on it, 128 times its weight,
 * and the slots stand on it in the order of their numbers, evenly. Clockwise from there stand the
 * members in the order in which the slot prefers them (Karger et al. 1997; Dynamo's fixed
 * partitions, DeCandia et al. 2007). Neighbours mostly prefer the same ones: so the table of slots
 * that each client of a Redis Cluster loads has few ranges.
 *
 * Taking the first N as owners would be balanced badly: with 1,000 members the fullest owns 1.5
 * times its share. A bound on the load (Mirrokni et al. 2018) mends that, but then who joins moves
 * 1.7 times what it must. So owners are remembered: a ring is planned from the one before it. Each
 * member has a quota of copies; whoever is within it keeps what it has; only what is over it, or
 * has lost its owner, moves, to the first member clockwise that is below its quota.
 *
 * So a ring is a function of the ring before and of the members, and all who agree on these agree
 * on the ring.
 *
 * Copies of a slot are on different hosts always, and spread over zones as evenly as the hosts
 * allow. That comes before balance: a zone's members share what their zone must hold.
 */
#ifndef CLUSTER_RING_H
#define CLUSTER_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/xxh.h"
#include "row/slot.h"

enum {
    RING_COPIES_MAX = 7,
    RING_MEMBERS_MAX = 4096,
    RING_VIRTUAL_NODES = 128, /* of a member of weight RING_WEIGHT */
    RING_WEIGHT = 100,
    RING_WEIGHT_MAX = 100 * RING_WEIGHT,
    RING_POINTS_MAX = 1 << 22, /* virtual nodes of all members: 8 times those of the most members */
};

struct ring_member {
    uint64_t node;   /* 48 bits */
    uint64_t zone;   /* any number: the same means the same zone */
    uint64_t host;   /* the same */
    uint32_t weight; /* RING_WEIGHT is a node as others; 0: owns nothing (it leaves) */
};

struct ring_point {
    struct xxh128 at;
    uint32_t member;
};

struct ring {
    unsigned copies;             /* of each slot: as asked for, at most the hosts that there are */
    struct ring_member *members; /* by node; owned */
    uint32_t member_count;
    struct ring_point *points; /* by place; owned */
    uint32_t point_count;
    uint16_t (
        *owners)[RING_COPIES_MAX]; /* of each slot, `copies` of them, then 0: in members; owned */
};

/*
 * Plans the ring of these members, in any order, each node once: after `old`, or the first one with
 * `old` NULL. `copies` from 1 to RING_COPIES_MAX. Members of weight 0 alone own nothing: a ring
 * without copies. About 0.1 s for 1,000 members.
 */
void ring_plan(const struct ring *old, const struct ring_member *members, uint32_t count,
               unsigned copies, struct ring *out);

/* Whether a ring can be made of them: so many, of such weights. */
bool ring_members_fit(const struct ring_member *members, uint32_t count);

/* A ring of these members, each node once, that nobody has planned: its owners are yet to be
 * written (at first all are member 0). */
void ring_begin(const struct ring_member *members, uint32_t count, unsigned copies,
                struct ring *out);

/* Of an empty one, all zeros, too. */
void ring_copy(const struct ring *ring, struct ring *out);
void ring_deinit(struct ring *ring);

/* The member of that node, NULL if there is none. */
const struct ring_member *ring_member(const struct ring *ring, uint64_t node);

/* The nodes that own the slot, the first one its coordinator: ring->copies of them. */
void ring_owners(const struct ring *ring, uint16_t slot, uint64_t out[RING_COPIES_MAX]);

/* Whether both slots have the same owners, in the same order. */
static inline bool ring_is_alike(const struct ring *ring, uint32_t slot, uint32_t other)
{
    return memcmp(ring->owners[slot], ring->owners[other], sizeof(ring->owners[slot])) == 0;
}

/*
 * Goes through the members that do not own the slot, in the order in which they stand in for owners
 * that are down. `*place` is 0 at first and afterwards the walk's own. False: there are no more.
 * Each is named once if `seen`, of ring->member_count, is false throughout at first.
 */
bool ring_next_stand_in(const struct ring *ring, uint16_t slot, uint32_t *place, bool *seen,
                        uint64_t *out_node);

/* The point at or after the slot's place, in an array of points sorted by place. */
uint32_t ring_point_of_slot(const struct ring_point *points, uint32_t count, uint16_t slot);

#endif
