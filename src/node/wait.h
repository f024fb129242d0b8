/* SPDX-License-Identifier: MIT */
/*
 * WAIT, with several nodes: how many owners besides the coordinator have all that this client has
 * written, each as durable as it acknowledges; of its writes that which the fewest have.
 *
 * Each node knows this of the writes that it has coordinated for the client (quorum_mark). The node
 * that has the client asks those to which it has sent writes, again at each tick until enough
 * owners have all, or the time is over, or it is certain that there won't be enough: an owner that
 * has missed a write is told of it later, but does not count any more; and of writes that a node
 * has forgotten nobody can tell, so that nobody counts. While a node is not there, what it has said
 * last counts, if it has written nothing since.
 *
 * WAITAOF: the same, of what is synced, at the nodes that have coordinated and at other owners.
 * When others have acknowledged they are asked to sync, whatever appendfsync says. Where slots have
 * different owners, of those who acknowledged all nodes are taken off that have not said yet that
 * they have synced: perhaps too few are counted, never too many.
 */
#ifndef NODE_WAIT_H
#define NODE_WAIT_H

#include "node/dispatch.h"
#include "quorum/quorum.h"

struct wait;

/* For the session's next write at this node. */
struct quorum_mark *wait_mark(struct session *session);

/* That node has run a write of this client: its request of that number. */
void wait_wrote_at(struct session *session, uint64_t node, uint64_t number);

/* As routing_route; STATUS_OK: its arguments are wrong, the handler says how. */
enum status wait_route(struct dispatch *dispatch, struct session *session);

/* The session ends. */
void wait_end(struct session *session);

#endif
