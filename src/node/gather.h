/* SPDX-License-Identifier: MIT */
/*
 * Commands whose keys are on several nodes, and those about all keys: each node runs a part, and
 * the replies become one. A part is a request as a client could send it, with the slots that it is
 * to answer for, so each slot is answered for once, whatever the nodes believe of each other. Not
 * atomic across nodes.
 *
 *   DEL UNLINK EXISTS TOUCH      the sum
 *   MGET                         values in the order of the keys
 *   MSET                         OK when all are
 *   DBSIZE                       the sum
 *   KEYS                         all of them
 *   SCAN                         one part: the slots from the cursor's on that one node answers for
 *   RANDOMKEY                    one part, of a node drawn by its number of keys; if it has none,
 *                                another one
 *   FLUSHDB FLUSHALL             each node's keys are scanned and deleted
 *
 * The session waits. If a node is lost, all begins anew with those that are there.
 */
#ifndef NODE_GATHER_H
#define NODE_GATHER_H

#include "node/forward.h"

enum gather_kind {
    GATHER_NONE, /* not of these: it has no keys, or they must be on one node */
    GATHER_SUM,
    GATHER_VALUES,
    GATHER_OK,
    GATHER_WAIT,         /* not here: node/wait.h */
    GATHER_DATABASE_SUM, /* from here on: about all keys */
    GATHER_DATABASE_KEYS,
    GATHER_SCAN,
    GATHER_RANDOM,
    GATHER_FLUSH,
};

enum gather_kind gather_kind_of(const struct command *command);

struct gather;

/* A key of the request, and the node that its slot's commands run on. */
struct gather_key {
    uint32_t position;
    uint64_t node;
};

/*
 * The request has parts: STATUS_AWAITING, it waits in SESSION_AWAITING. When it runs again
 * (session->gather is set) gather_finish writes its reply: STATUS_OK, STATUS_REPLIED, or
 * STATUS_AWAITING again, if it had to begin anew: then the caller routes it anew, through these.
 */
enum status gather_keys(struct forwarder *forwarder, struct session *session,
                        const struct gather_key *keys, size_t count, uint64_t now_ms);
enum status gather_database(struct forwarder *forwarder, struct session *session, uint64_t now_ms);
enum status gather_finish(struct session *session);

/* The session ends. */
void gather_end(struct session *session);

#endif
