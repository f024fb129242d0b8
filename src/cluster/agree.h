/* SPDX-License-Identifier: MIT */
/*
 * How members agree on the next layout: for each version a single decree of Paxos (Lamport 1998)
 * among the members of the layout before it; a majority of them chooses. Proposals are rare and
 * come mostly from one node, so there is no leader to be elected. Whoever learns a layout passes it
 * on to whoever is behind.
 *
 * Pure, but for `save`: what an acceptor has promised is durable before it is said.
 */
#ifndef CLUSTER_AGREE_H
#define CLUSTER_AGREE_H

#include "bus/outbox.h"
#include "cluster/layout.h"

struct agree;

struct agree_options {
    uint64_t node;
    uint64_t random; /* a seed, for the time between tries */
    struct outbox outbox;
    /* Keeps what agree_open is to be given at the next start, durably, before it returns. An error
     * is final: the process must end. */
    enum status (*save)(void *context, struct bytes state);
    /* A newer layout was chosen: agree_layout has changed. */
    void (*chosen)(void *context, uint64_t now_ms);
    void *context;
};

/* `state` is what was last saved; empty: a node that never was in a cluster. STATUS_CORRUPT,
 * STATUS_VERSION. */
MUST_CHECK enum status agree_open(const struct agree_options *options, struct bytes state,
                                  struct agree **out);
void agree_free(struct agree *agree);

/* The newest layout that this node has; NULL: it belongs to no cluster yet. */
const struct layout *agree_layout(const struct agree *agree);

/* Begins a cluster of its own. It has no layout. */
MUST_CHECK enum status agree_found(struct agree *agree, const struct layout *first,
                                   uint64_t now_ms);

/* Takes another cluster's layout in the place of its own (or of none): this node was alone and
 * joins it. What it had promised in its own is void. */
MUST_CHECK enum status agree_join(struct agree *agree, const struct layout *layout,
                                  uint64_t now_ms);

/* Proposes this layout, whose version is the next. One proposal at a time: a later one takes the
 * place of one that was not chosen yet. Another one may be chosen in its place. */
void agree_propose(struct agree *agree, const struct layout *next, uint64_t now_ms);
bool agree_is_proposing(const struct agree *agree);

/* A message of the family MESSAGES_AGREE. STATUS_CORRUPT: it is none. What save says. */
MUST_CHECK enum status agree_receive(struct agree *agree, uint64_t from, unsigned type,
                                     struct bytes payload, uint64_t now_ms);
void agree_tick(struct agree *agree, uint64_t now_ms);
uint64_t agree_deadline_ms(const struct agree *agree);

/* That node has, or asks in a message of, another layout: it is sent ours if it is behind (in our
 * cluster, or in none), or asked for its own if we are. At most once each 100 ms for each node. */
void agree_heard_version(struct agree *agree, uint64_t node, uint64_t cluster, uint64_t version,
                         uint64_t now_ms);

#endif
