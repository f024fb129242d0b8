/* SPDX-License-Identifier: MIT */
/*
 * One client: what it has sent and not been answered, what it chose (database, protocol, name), the command it is in the
 * midst of. Knows no socket: bytes come in through `input`, go out through `output`.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/list.h"
#include "command/request.h"
#include "observe/stats.h"
#include "resp/reply.h"
#include "resp/request.h"

enum session_state {
    SESSION_READY,     /* its next request may be taken */
    SESSION_FETCHING,  /* its request waits for rows from disk */
    SESSION_YIELDED,   /* its request goes on in a later turn */
    SESSION_THROTTLED, /* its request waits until the store has room */
    SESSION_CLOSING,   /* no more requests; closed when its output is sent */
};

struct session {
    struct list link;             /* of sessions.all */
    struct list waiting;          /* of the node's list for its state, or alone */
    struct sessions *sessions;
    uint64_t id;
    enum session_state state;
    uint8_t db;
    uint8_t resp;                 /* 2 or 3 */
    bool authenticated;
    bool reply_off, reply_skip;   /* CLIENT REPLY (later) */
    bool no_evict, no_touch;
    char *name, *library, *library_version; /* owned, NULL for none */
    char address[64], local_address[64];    /* "127.0.0.1:54321" */
    uint64_t created_ms, active_ms;
    const struct command *last_command, *last_parent;
    uint64_t commands, bytes_in, bytes_out;

    struct buffer input;          /* received, not yet consumed */
    struct request_parser parser;
    struct arena arena;           /* of the request under way */
    struct txn txn;
    struct progress progress;
    struct request request;
    struct reply reply;

    struct buffer output;         /* replies; may be sent up to output_free */
    size_t output_free;           /* bytes of output whose gate has passed */
    uint64_t gate;                /* of the bytes after output_free */
    bool output_pending;          /* on the node's list of sessions with new output */
    void *connection;             /* whose: net's */
};

/* All clients of a node. */
struct sessions {
    struct list all;
    uint64_t count;
    uint64_t next_id;
    struct store *store;
    const struct command_set *commands;
    struct stats *stats;
    struct admin *admin;
    struct random random;
    unsigned databases;
    const char *const *password;  /* where the configuration holds it; empty: none */
    const int64_t *bulk_size_max;
};

struct session *session_new(struct sessions *sessions, const char *address, const char *local_address,
                            uint64_t now_ms);
void session_free(struct session *session);

/* By id, NULL for none. */
struct session *session_by_id(struct sessions *sessions, uint64_t id);

/* One line of CLIENT LIST, with Redis's fields, ended by '\n'. */
void session_describe(const struct session *session, uint64_t now_ms, struct buffer *out);

/* The commands of this folder: AUTH HELLO SELECT QUIT RESET PING ECHO CLIENT... */
extern const struct command connection_commands[];

#endif
