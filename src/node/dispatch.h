/* SPDX-License-Identifier: MIT */
/*
 * Takes requests out of what clients have sent, runs them, and keeps their replies in order and
 * behind their gates. The hot path: a request that is whole in the bytes received is parsed, run
 * and answered without being copied.
 *
 * A request that must wait (for rows from disk, for its next slice, for room in the store) stays at
 * the front of its session's input; when its turn comes again it is parsed again and run from the
 * start. The session's other requests wait behind it, other sessions go on.
 */
#ifndef NODE_DISPATCH_H
#define NODE_DISPATCH_H

#include "node/observer.h"
#include "observe/journal.h"
#include "session/session.h"

enum {
    DISPATCH_REQUESTS_MAX = 1024,  /* of one session, before others have their turn */
    DISPATCH_RETRY_MAX = 1024,     /* throttled sessions that try again at a tick */
    DISPATCH_ROOM_MIN = 32 * 1024, /* an argument's missing bytes that are worth reading in place */
    DISPATCH_ROOM_MAX = 1024 * 1024,         /* at a time */
    DISPATCH_ARGUMENTS_MAX = 1024 * 1024,    /* of a request */
    DISPATCH_INLINE_MAX = 64 * 1024,         /* bytes of an inline request */
    DISPATCH_INPUT_MAX = 1024 * 1024 * 1024, /* not yet run: beyond, the client is cut off */
    /* Not yet sent: beyond, no further request is taken. But what comes is still read, for many
     * clients send a whole pipeline before they read the first reply. */
    DISPATCH_OUTPUT_PAUSE = 4 * 1024 * 1024,
    /* The same before AUTH. */
    DISPATCH_STRANGER_ARGUMENTS_MAX = 10,
    DISPATCH_STRANGER_BULK_MAX = 16 * 1024,
    DISPATCH_STRANGER_INPUT_MAX = 1024 * 1024,
    DISPATCH_STRANGER_OUTPUT_PAUSE = 1024,
    /* Replies that wait for other nodes: beyond, no further request is taken. */
    DISPATCH_QUEUE_PAUSE = 1024,
};

struct quorum;
struct forwarder;
struct sync;

/* Where commands run, when there are several nodes: see routing.h. */
struct dispatch_cluster {
    bool enabled; /* else this node is all there is, and knows it */
    /* NULL: no other member, all keys are here; while `served`. */
    struct quorum *quorum;
    struct forwarder *forwarder;
    struct sync *sync;
    uint64_t node; /* this one */
    /* A clock that never goes back, for what waits for other nodes; and what it last said. */
    uint64_t (*clock_ms)(void *context);
    void *clock_context;
    uint64_t steady_ms;
    uint64_t routes; /* grows when a slot may have another coordinator than before */
    bool served;     /* false: it belongs to no cluster yet, and answers for no key */
    uint8_t *kinds;  /* enum gather_kind + 1, by command number; 0: not known yet. Owned */
};

struct dispatch {
    struct sessions *sessions;
    struct list throttled; /* sessions that wait for room in the store */
    struct list output;    /* sessions with new output, not yet given by dispatch_next_output */
    struct list gated;     /* sessions whose gate had not passed in this turn */
    struct observer *observer;
    const struct config *config;
    struct journal *journal;
    uint64_t now_ms;         /* of the turn */
    uint64_t output_watched; /* no output limit is below */
    bool monitors_shown;     /* monitors have new output, that is not yet given out */
    struct arena arena;      /* lent to the session whose requests run */
    bool memory_exhausted;   /* refuse commands that need memory */
    struct dispatch_cluster cluster;
    struct bytes request; /* that runs, as it was sent, */
    struct bytes ahead;   /* and what its client has sent behind it */
};

/* The journal may be NULL. */
void dispatch_init(struct dispatch *dispatch, struct sessions *sessions, struct observer *observer,
                   const struct config *config, struct journal *journal);
void dispatch_deinit(struct dispatch *dispatch); /* no session is left */

/* client-output-buffer-limit has changed. */
void dispatch_configure(struct dispatch *dispatch);

/* See node.h. */
void dispatch_receive(struct dispatch *dispatch, struct session *session, struct bytes bytes,
                      uint64_t now_ms);
char *dispatch_room(struct session *session, size_t *out_size);
void dispatch_received(struct dispatch *dispatch, struct session *session, size_t size,
                       uint64_t now_ms);
void dispatch_finished(struct dispatch *dispatch, struct session *session);

/* Before session_free: what its requests wait for on other nodes is forgotten. */
void dispatch_closed(struct dispatch *dispatch, struct session *session);

/* Runs again the sessions that have become ready since. */
void dispatch_resume(struct dispatch *dispatch, uint64_t now_ms);

/* At most `limit` throttled sessions try again in the next dispatch_resume. */
void dispatch_retry_throttled(struct dispatch *dispatch, size_t limit);

/* What time brings: the end of a pause; that clients have not read their output for too long. */
void dispatch_tick(struct dispatch *dispatch, uint64_t now_ms);

/* A turn has ended: what waits for its gate is looked at again by dispatch_next_output. */
void dispatch_turn_end(struct dispatch *dispatch);
struct session *dispatch_next_output(struct dispatch *dispatch);
void dispatch_sent(struct dispatch *dispatch, struct session *session, size_t size);

#endif
