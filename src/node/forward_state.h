/* SPDX-License-Identifier: MIT */
/* The insides of forward.c, where requests come from, and remote.c, where they run. */
#ifndef NODE_FORWARD_STATE_H
#define NODE_FORWARD_STATE_H

#include "base/number_map.h"
#include "node/forward.h"

enum {
    MESSAGE_FORWARD = MESSAGES_NODE,
    MESSAGE_FORWARDED,
    MESSAGE_CLIENT_GONE,
    MESSAGE_CLOCK,
    MESSAGE_LAST_OF,
    MESSAGE_LAST_HEARD,
    MESSAGE_KEEP,
    MESSAGE_OVERTAKEN,
    MESSAGE_MADE,
    MESSAGE_COVER,
};

enum forward_flag {
    FORWARD_MORE = 1,
    FORWARD_RESP3 = 2,
    FORWARD_SLOTS = 4,
    FORWARD_REFUSED = 8,
    FORWARD_UNTIL = 16,
    FORWARD_CONTINUED = 32,
    FORWARD_LATE = 64,  /* of FORWARDED, */
    FORWARD_TWICE = 64, /* of FORWARD */
    FORWARD_AGAIN = 128,
};

/* What another node's steady clock says at least. */
struct far_clock {
    int64_t ahead_ms; /* of this node's, when it was heard last: */
    uint64_t heard_ms;
    struct dot actor; /* as forward.actor */
};

struct forwarder {
    struct forwarder_options options;
    struct number_map by_number; /* forwards */
    struct list all;             /* the same, in order */
    struct number_map held;      /* by client: how many of its are sent to nobody now */
    size_t unsettled;            /* of them, that were sent to nobody now, */
    uint64_t due_ms;             /* and when they are to be looked at; 0: in the next turn */
    uint64_t next_number;
    struct number_map clocks;  /* far_clock, of others */
    uint64_t silence_ms;       /* the next look at who does not answer */
    uint64_t clock_ms;         /* when others are told the clock next */
    struct number_map origins; /* nodes that have clients whose requests run here */
    struct list busy;          /* remotes with requests that have not run: */
    size_t expected;           /* so many of the next are told to the store */
    size_t remote_count;
    struct list farewells; /* farewell.c: what this node waits for, */
    struct list questions; /* and what others do */
    size_t question_count;
    struct number_map overtaken; /* overtaken.c: requests that have run twice, by `first` */
    struct list overtaken_by_age;
    uint64_t overtaken_ms; /* when somebody is asked about them next */
    struct buffer scratch;
};

/* A request of that node's client, or a part of one. */
struct remote_call {
    uint64_t client, number, first, until_ms;
    uint16_t epoch;
    uint8_t flags, db;
    struct consistency consistency;
    struct dead_actors dead;
    const void *slots; /* FORWARD_SLOTS_SIZE bytes, or NULL */
    struct bytes bytes;
};

/* This node's, now. */
static inline uint64_t forward_clock_ms(const struct forwarder *forwarder)
{
    const struct dispatch_cluster *cluster = &forwarder->options.dispatch->cluster;
    return cluster->clock_ms(cluster->clock_context);
}

void forward_tell_clock(struct forwarder *forwarder, uint64_t node);
/* False: it can't. */
bool remote_take(struct forwarder *forwarder, uint64_t origin, const struct remote_call *call);
void remote_refuse(struct forwarder *forwarder, uint64_t origin, uint64_t number);
void remote_client_gone(struct forwarder *forwarder, uint64_t origin, uint64_t client);
void remote_origin_gone(struct forwarder *forwarder, uint64_t origin);
void remote_turn(struct forwarder *forwarder);

/* What another node, or this one, has answered. */
void forward_answer(struct forwarder *forwarder, uint64_t number, uint8_t flags, struct bytes reply,
                    uint64_t now_ms);

/* ---- forward.c, for farewell.c --------------------------------------------------------------- */

/* All others have heard the last of that node. */
void forward_last_heard(struct forwarder *forwarder, uint64_t node, uint64_t now_ms);

/* ---- farewell.c ------------------------------------------------------------------------------ */

/* That node's process has ended: all others are asked whether they have heard the last of it. */
void farewell_begin(struct forwarder *forwarder, uint64_t node, uint64_t now_ms);
void farewell_asked(struct forwarder *forwarder, uint64_t from, uint64_t node, uint64_t number,
                    uint64_t now_ms);
void farewell_heard(struct forwarder *forwarder, uint64_t from, uint64_t number);
/* Who is asked does not answer. */
void farewell_node_lost(struct forwarder *forwarder, uint64_t node);
/* Nothing of it comes any more on the link that there was. */
void farewell_unheard(struct forwarder *forwarder, uint64_t node);
void farewells_turn(struct forwarder *forwarder, uint64_t now_ms);
bool farewells_are_due(const struct forwarder *forwarder);
void farewells_deinit(struct forwarder *forwarder);

/* ---- overtaken.c ----------------------------------------------------------------------------- */

/* Its node may have run it; it is going to be run elsewhere. */
void overtaken_run(struct forwarder *forwarder, struct forward *forward);
/* Its node has run it, after others that may have. */
void overtaken_add(struct forwarder *forwarder, const struct forward *forward, uint64_t now_ms);
/* A link of that node, or to it, is gone: questions and answers on it are, too. */
void overtaken_link_lost(struct forwarder *forwarder, uint64_t node);
void overtaken_turn(struct forwarder *forwarder, uint64_t now_ms);
void overtaken_deinit(struct forwarder *forwarder);

void overtaken_keep(struct forwarder *forwarder, uint64_t from, uint64_t first, uint64_t now_ms);
void overtaken_asked(struct forwarder *forwarder, uint64_t from, uint64_t first, uint64_t now_ms);
MUST_CHECK enum status overtaken_made(struct forwarder *forwarder, uint64_t from, uint64_t first,
                                      struct bytes rows, uint64_t now_ms);
MUST_CHECK enum status overtaken_cover(struct forwarder *forwarder, uint64_t from, uint64_t first,
                                       uint64_t node, struct bytes rows, uint64_t now_ms);

#endif
