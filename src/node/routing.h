/* SPDX-License-Identifier: MIT */
/*
 * Where a request runs, when there are several nodes: here, if this node coordinates the slots of
 * its keys, and when other owners have agreed about them; at another node; in parts at several.
 */
#ifndef NODE_ROUTING_H
#define NODE_ROUTING_H

#include "node/dispatch.h"

/*
 * STATUS_OK: it is to run here, now. STATUS_FORWARDED: other nodes run it, and its reply has its
 * place in the queue; or they have, and it is written; or this node refuses (session->refused).
 * STATUS_AWAITING: it waits, and will run again. STATUS_REPLIED: an error is written.
 */
enum status routing_route(struct dispatch *dispatch, struct session *session);

/* It was to run here, waited for something else, and may not coordinate its slots any more: it is to
 * be routed anew. */
bool routing_is_stale(const struct dispatch *dispatch, const struct session *session);

/* It came from another node, and its time is over (remote_is_late): it does not run. */
enum status routing_refuse_late(struct session *session);

/* Its transaction has committed rows, and its reply stands in `out` from `begin` on: other owners
 * must have them first. */
void routing_replicate(struct dispatch *dispatch, struct session *session, struct buffer *out,
                       size_t begin);
/* It has written nothing, but may show what others have just written (session->shows_unsettled):
 * that must be with W owners first. */
void routing_settle(struct dispatch *dispatch, struct session *session, struct buffer *out,
                    size_t begin);

#endif
