/* SPDX-License-Identifier: MIT */
/*
 * Which layout should come next, by what gossip tells: who wants to join, who leaves, whose address
 * or weight has changed, and whether a step of the change under way is through. Pure. Each member
 * may ask; the first one that is up proposes, the others wait for it a while.
 *
 * One change at a time; all who want something when it begins are in it.
 *
 *   STABLE        whoever is up and has no cluster joins, unless it leaves or has no weight; who
 *                 leaves gets weight 0; who was removed is left out. Never without any weight left.
 *                 Removed is whom an operator has removed, or who is absent: this node and others,
 *                 together a majority of the members, say that they hold it for down for longer
 *                 than they wait (gossip_self.absent). But so that at least as many stay as there
 *                 are to be copies: with fewer nothing would be healed by it. Whom they hold for
 *                 lost goes in any case.
 *                 And without a change of members: of the departed those are forgotten who say that
 *                 they hold nothing, whom a majority holds for lost, or an operator has removed, as
 *                 far as they are down.
 *   WRITING_BOTH  on, when each member that isn't down says that it has this layout; of the old
 *                 owners of each slot that moves max(n-W+1, n-R+1) do (n: as many as there are, R
 *                 and W at most these); and each new owner that gains slots has synced them.
 *                 Aside, when one of those who are to be members is removed: without it,
 *                 with whoever else wants something by now; back, if nothing is left to be done. It
 *                 may be that nobody else will ever bring this change on.
 *   READING_NEW   on, when each member that isn't down says that it has this layout, and so many of
 *                 the old owners of each slot that moves. There is no way back.
 *
 * What makes these conditions enough is said in cluster/layout.h. Down is what this node believes:
 * a wrong belief does no harm, since it is the owners counted who refuse those that are behind. A
 * member that nobody has told of is not taken for down, but if it is being removed.
 */
#ifndef CLUSTER_CHANGE_H
#define CLUSTER_CHANGE_H

#include "cluster/gossip.h"
#include "cluster/layout.h"

struct change_options {
    const struct layout *layout; /* this node's: where it is no member there is nothing to do */
    struct gossip *gossip;       /* only read */
    uint64_t node;
    unsigned read_quorum, write_quorum; /* R and W: what a fence must meet */
    const uint64_t *removed;            /* members that an operator has removed (CLUSTER FORGET) */
    size_t removed_count;
};

/* Whether there is a step to propose now, and which: to be freed with layout_deinit. */
bool change_next(const struct change_options *options, struct layout *out);

/* Whether it is this node's turn to propose: the member of the least number that is up and has this
 * layout. So it is where an operator has removed a member: nobody else may know. */
bool change_is_proposer(const struct change_options *options);

/* The same number for the same zone or host name: ring_member's. */
uint64_t change_place(const char *text);

/* What a node says of itself as a ring's member. The host is the name or address that it is reached
 * at; but nodes reached at a loopback address are all on one machine, whatever they do, and each
 * counts as a host of its own. */
struct ring_member change_member(const struct gossip_self *said);

#endif
