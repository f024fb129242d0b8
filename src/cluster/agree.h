/* SPDX-License-Identifier: MIT */
/*
 * How members agree on the next layout: for each version a single decree of Paxos (Lamport 1998)
 * among the members of the layout before it; a majority of them chooses. Proposals are rare and
 * come mostly from one node, so there is no leader to be elected. Whoever learns a layout passes it
 * on to whoever is behind.
 *
 *   proposer                            members of layout v
 *   PREPARE v+1, ballot            ->   promise, durably, to accept nothing below that ballot
 *                                  <-   PROMISED, with what was accepted below it, and its ballot
 *   of a majority: ACCEPT the one  ->   accept, durably, if no higher ballot was promised
 *   accepted at the highest ballot,
 *   or what is to be proposed      <-   ACCEPTED
 *   of a majority: chosen; CHOSEN  ->   learn what was accepted at that ballot; who has it not asks
 *
 * Why two different layouts of one version are never both learned, by induction over versions: all
 * who have layout v have the same one, so all count the same members.
 *  - Ballots are (round, node), and a proposer promises its own, durably, before it says it: no
 *    ballot is used twice, be it after a crash, and so none for two layouts.
 *  - If a majority has accepted a layout at ballot b, each majority that promises a higher ballot
 *    has one of them in it, which promised after it had accepted (it would else have refused b),
 *    and remembers: so what is proposed at the next higher ballot is that layout, and so on.
 *  - A member promises and accepts for v+1 only while v is its layout. When it knows v+1 (or a
 *    later one) what it had promised is void, and forgotten: it has no part in v+1 any more, and
 *    answers with the layout. Knowing is durable as promising is, so it never has a part again.
 *  - A member that is behind, and is asked about a version that isn't its next one, promises
 *    nothing; it asks for the layout first. A node that was just taken in has no part in versions
 *    before it has the layout that took it in. A member of v that is none of v+1 learns so from any
 *    that knows v+1, and has no part from then on.
 *  - A new data directory is a new node: a member never forgets but by a newer layout.
 *  - A node joins another cluster only where nobody counts its promises: from none, from one in
 *    which it is alone, or no member.
 *
 * What a proposer that crashes leaves is either accepted by a majority, and the next proposer finds
 * and finishes it; or by fewer, and then that may happen or not, but once at most.
 *
 * Pure, but for `save`: what an acceptor has promised is durable before it is said.
 */
#ifndef CLUSTER_AGREE_H
#define CLUSTER_AGREE_H

#include "bus/outbox.h"
#include "cluster/layout.h"

struct agree;

enum {
    AGREE_TRY_MS = 500,   /* for a majority to answer; then, and when refused, a while of chance */
    AGREE_TRIES_MAX = 20, /* of a proposal, which is then dropped: who still wants it says so */
    AGREE_SPEAK_MS = 100, /* between two layouts, or two questions, to a node */
    AGREE_SPOKEN_MAX = 512, /* nodes that such is said to in that time */
};

struct agree_options {
    uint64_t node;
    uint64_t random; /* a seed, for the time between tries */
    struct outbox outbox;
    /* Keeps what agree_open is to be given at the next start, durably, before it returns. An error
     * is final: the process must end; nothing is said any more. */
    enum status (*save)(void *context, struct bytes state);
    /* agree_layout has changed, whoever has made it: a newer layout was chosen, or the node founds
     * or joins a cluster. Everything of this file may be called from it. */
    void (*chosen)(void *context, uint64_t now_ms);
    void *context;
};

/* `state` is what was last saved; empty: a node that never was in a cluster. STATUS_CORRUPT,
 * STATUS_VERSION. */
MUST_CHECK enum status agree_open(const struct agree_options *options, struct bytes state,
                                  struct agree **out);
void agree_free(struct agree *agree);

/* The newest layout that this node has, until the next one; NULL: it belongs to no cluster yet. */
const struct layout *agree_layout(const struct agree *agree);

/* Begins a cluster of its own. It has no layout. */
MUST_CHECK enum status agree_found(struct agree *agree, const struct layout *first,
                                   uint64_t now_ms);

/*
 * Takes another cluster's layout in the place of its own (or of none): this node was alone and
 * joins it. What it had promised in its own is void.
 *
 * agree_receive does so by itself when a layout comes in which this node is a member, and it has
 * none, or one in which it is alone or no member: nobody takes in a node that has not asked for it,
 * by gossiping that it has no cluster.
 */
MUST_CHECK enum status agree_join(struct agree *agree, const struct layout *layout,
                                  uint64_t now_ms);

/*
 * Proposes this layout, whose version is the next. One proposal at a time: a later one takes the
 * place of one that was not chosen yet. Another one may be chosen in its place. Where this node is
 * the only member it is chosen when the call returns; where it is none nothing happens.
 */
void agree_propose(struct agree *agree, const struct layout *next, uint64_t now_ms);
bool agree_is_proposing(const struct agree *agree);

/* A message of the family MESSAGES_AGREE. STATUS_CORRUPT: it is none. What save says. */
MUST_CHECK enum status agree_receive(struct agree *agree, uint64_t from, unsigned type,
                                     struct bytes payload, uint64_t now_ms);
void agree_tick(struct agree *agree, uint64_t now_ms);
uint64_t agree_deadline_ms(const struct agree *agree); /* UINT64_MAX: none */

/* That node has, or asks in a message of, another layout: it is sent ours if it is behind (in our
 * cluster; or in none, and a member of ours), or asked for its own if we are. At most once each
 * AGREE_SPEAK_MS for each node. */
void agree_heard_version(struct agree *agree, uint64_t node, uint64_t cluster, uint64_t version,
                         uint64_t now_ms);

#endif
