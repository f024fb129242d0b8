/* SPDX-License-Identifier: MIT */
/*
 * Who has acknowledged: W of the owners, and while slots move W of those to come. Each owner is a
 * place. A place is filled by its owner, or by a node that stands in for it. Whoever holds the rows
 * counts for one place only, and a place counts once; an owner that answers late takes its own
 * place, and who stood in for it may stand in for another.
 */
#ifndef QUORUM_ACKS_H
#define QUORUM_ACKS_H

#include "cluster/layout.h"

enum {
    ACKS_PLACES_MAX = LAYOUT_OWNERS_MAX,
    ACKS_HOLDERS_MAX = 2 * ACKS_PLACES_MAX, /* so each may have one that stands in, on average */
};

struct acks_holder {
    uint64_t node;
    uint8_t place;  /* that it fills: its own number, if it is an owner */
    bool confirmed; /* it has the rows */
};

struct acks {
    uint8_t place_count; /* the first of the holders are the owners, in the order of places */
    uint8_t holder_count;
    uint32_t old, new; /* places of the ring, of the ring to come: bits */
    uint32_t filled;   /* places of which a holder has confirmed */
    struct acks_holder holders[ACKS_HOLDERS_MAX];
};

/* What the slots of a batch have in common. Sorted, so that it can be compared. */
struct acks_owners {
    uint8_t old_count, new_count; /* new_count is 0 where nothing moves */
    uint64_t old[RING_COPIES_MAX], new[RING_COPIES_MAX];
};

void acks_init(struct acks *acks, const struct acks_owners *owners);

/* The holder that this node is, NULL if it is none. */
struct acks_holder *acks_find(struct acks *acks, uint64_t node);

/*
 * Adds a node, which is no holder yet, that is to stand in at this place. NULL: there are too many
 * holders.
 */
struct acks_holder *acks_stand_in(struct acks *acks, unsigned place, uint64_t node);

/* One that has confirmed and whose place is filled without it moves to this empty place. False:
 * there is none. */
bool acks_move_spare(struct acks *acks, unsigned place);

/* That node has the rows. False: it is no holder, or had said so before. */
bool acks_confirm(struct acks *acks, uint64_t node);

static inline bool acks_is_filled(const struct acks *acks, unsigned place)
{
    return acks->filled >> place & 1;
}

/* `level` as in quorum.h, 0 not among them: how many of `count` owners that is. */
unsigned acks_needed(unsigned level, unsigned count);

/* Whether enough have it, and the numbers of the ring that is further from it. */
bool acks_enough(const struct acks *acks, unsigned level, unsigned *out_reached,
                 unsigned *out_needed);

#endif
