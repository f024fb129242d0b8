/* SPDX-License-Identifier: MIT */
/*
 * Replies that wait for other nodes: a write until enough owners have it, a request that runs
 * elsewhere until its reply comes. A client's later requests go on meanwhile; their replies stand
 * behind in the queue, so all arrive in order. While the queue is empty replies go straight to the
 * session's output.
 */
#ifndef NODE_REPLY_QUEUE_H
#define NODE_REPLY_QUEUE_H

#include "session/session.h"

struct queued_reply {
    struct list link;        /* of session.queue, or alone */
    struct session *session; /* NULL: nobody waits for it any more */
    struct buffer bytes;
    uint64_t gate;   /* of the log, as session.gate */
    uint64_t number; /* of the request, where another node has forwarded it */
    uint8_t refused; /* enum remote_refusal: instead of a reply, it is not run here */
    bool waiting;    /* it may not go yet */
    bool shut;       /* nothing may be written behind it in `bytes` */
    size_t held;     /* bytes of memory that it takes besides `bytes` */
    size_t weight;   /* as counted in session.queue_bytes */
    /* Frees it, and whatever it is a part of. It is in no queue. */
    void (*free)(struct queued_reply *reply);
    /* The client is gone: it ends what it waits for, or frees itself later. NULL: it is freed. */
    void (*abandon)(struct queued_reply *reply);
};

/* Where the next reply is to be written: the session's output, or the last reply of its queue, or a
 * buffer that is empty and of no session. Holds until the queue changes. */
struct buffer *queue_out(struct session *session);

/* The reply just written into `out`, which is not the session's output, has that gate, and now its
 * place in the queue. */
void queue_settle(struct session *session, struct buffer *out, uint64_t gate);

/* Takes a reply in. What was written into `out` from `begin` on goes into it first. */
void queue_push(struct session *session, struct queued_reply *reply, struct buffer *out,
                size_t begin);

/* A reply of its own for those bytes, that waits for nothing but its gate. */
void queue_push_plain(struct session *session, struct buffer *out, size_t begin, uint64_t gate);

/* `waiting` is over. */
void queue_answered(struct queued_reply *reply);

/*
 * The first reply, taken out, if it may go; NULL: there is none, or it may not go yet. To be freed
 * with queue_free.
 */
struct queued_reply *queue_take(struct session *session);
/* The first reply waits for nothing but its gate. */
bool queue_is_gated(const struct session *session);
void queue_free(struct queued_reply *reply);

/* The session ends. */
void queue_abandon(struct session *session);

#endif
