/* SPDX-License-Identifier: MIT */
/*
 * Which layout should come next, by what gossip tells: who wants to join, who leaves, whose address
 * or weight has changed, and whether a step of the change under way is through. Pure. Each member
 * may ask; the first one that is up proposes, the others wait for it a while.
 */
#ifndef CLUSTER_CHANGE_H
#define CLUSTER_CHANGE_H

#include "cluster/gossip.h"
#include "cluster/layout.h"

struct change_options {
    const struct layout *layout; /* this node's: it is a member */
    const struct gossip *gossip;
    uint64_t node;
    unsigned read_quorum, write_quorum; /* R and W: what a fence must meet */
    const uint64_t *removed;            /* members that an operator has removed (CLUSTER FORGET) */
    size_t removed_count;
};

/* Whether there is a step to propose now, and which: to be freed with layout_deinit. */
bool change_next(const struct change_options *options, struct layout *out);

/* Whether it is this node's turn to propose: the member of the least number that is up. */
bool change_is_proposer(const struct change_options *options);

/* The same number for the same zone or host name: ring_member's. */
uint64_t change_place(const char *text);

#endif
