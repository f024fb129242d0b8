/* SPDX-License-Identifier: MIT */
/*
 * A session's requests wait until other owners have agreed about their keys (quorum_verify). One
 * question is for all the keys of a pipeline that has arrived: it holds for the requests that had
 * come when it was asked.
 */
#ifndef NODE_READ_CHECK_H
#define NODE_READ_CHECK_H

#include "quorum/quorum.h"
#include "session/session.h"

struct read_check;

enum { READ_CHECK_AHEAD = 64 }; /* requests of a pipeline that are looked at */

struct read_check_key {
    struct bytes head; /* the name of its head row */
    unsigned others;   /* owners that must agree, besides this one; 0: none */
};

/*
 * Whether the request may run: STATUS_OK; STATUS_AWAITING: it waits, in SESSION_AWAITING, and is
 * resumed when there is an answer. STATUS_REPLIED: too few owners answered, as is replied. `ahead`
 * are the bytes of the client that come behind this request, which has `size`.
 */
enum status read_check_ask(struct quorum *quorum, struct session *session,
                           const struct read_check_key *keys, size_t count, size_t size,
                           struct bytes ahead, uint64_t now_ms);

/* Bytes of the client are done with. */
void read_check_consumed(struct session *session, size_t size);

void read_check_end(struct quorum *quorum, struct session *session);

#endif
