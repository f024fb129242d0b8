/* SPDX-License-Identifier: MIT */
/*
 * One command on its way: what a handler gets. A handler validates its arguments, works on
 * request->txn, writes exactly one reply to request->reply and returns STATUS_OK; or it returns a
 * status and what it wrote is dropped:
 *   STATUS_COLD      passed on from the store: it will run again
 *   STATUS_YIELD     it has worked long enough; `progress` holds how far it got; it will run again
 *                    in a later turn
 *   any error        replied in Redis's words (command_error_text), or with reply_error and
 *                    STATUS_REPLIED where they differ
 * Writes happen by staging rows; they are committed after the handler returned STATUS_OK, and only
 * then is the reply kept. A handler has no other effects, so it may run many times; those that
 * change the session or the server (CONFIG SET, CLIENT KILL) do so on a run that cannot be cold.
 */
#ifndef COMMAND_REQUEST_H
#define COMMAND_REQUEST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/random.h"
#include "base/status.h"
#include "command/command.h"
#include "resp/reply.h"
#include "store/txn.h"

struct session;
struct admin;

/* What a long command keeps between its slices; freed by whoever drives the request. */
struct progress {
    uint64_t position;
    uint64_t count;
    struct buffer done; /* replies gathered so far */
};

enum { SIGNATURE_SIZE = 16 };

/* Signs what clients are given to bring back, so that none of them can make it up. */
struct signer {
    void (*sign)(void *context, struct bytes message, char out[SIGNATURE_SIZE]);
    void *context;
};

struct request {
    const struct command *command;
    const struct command *parent; /* of a subcommand, else NULL */
    unsigned number;              /* the command's, of its set */
    struct bytes *argv;           /* argv[0] is the command's name */
    uint32_t argc;
    uint8_t db; /* the store's number of it: see store_database */
    unsigned databases;
    struct reply *reply;
    struct txn *txn;
    struct arena *arena; /* freed after the reply */
    uint64_t now_ms;     /* wall time: one value for the whole command */
    struct progress *progress;
    struct random *random;
    const struct command_set *commands;
    struct session *session;      /* who asks: for the handlers in session/ */
    struct admin *admin;          /* the node as operators see it: for the handlers in admin/ */
    const int64_t *bulk_size_max; /* proto-max-bulk-len: what a string may grow to, too */
    const struct signer *signer;
    uint32_t hits, misses; /* keys of this run that were looked up to be read */
    /* For commands about a whole database: the slots that this node is to answer for, a bit each;
     * others answer for the others. NULL: all. */
    const uint64_t *slots;
};

static inline bool request_answers_for(const struct request *request, uint32_t slot)
{
    return !request->slots || (request->slots[slot / 64] >> slot % 64 & 1);
}

/* The argument is a secret, and has been used: it is not to be seen in MONITOR and SLOWLOG. Also
 * before an error is returned. */
static inline void request_redact(struct request *request, uint32_t index)
{
    request->argv[index] = BYTES("(redacted)");
}

/* Redis's words for a status that is an error: "ERR syntax error". */
struct bytes command_error_text(enum status status);

enum { REQUEST_ECHOED_MAX = 128 };

/* How much of a client's word an error shows, for "%.*s": a reply before AUTH stays small. */
static inline int request_echoed(struct bytes word)
{
    return word.size < REQUEST_ECHOED_MAX ? (int)word.size : REQUEST_ECHOED_MAX;
}

/* The error's text, where it is the handler's own: STATUS_REPLIED. */
static inline enum status request_refuse(const struct request *request, const char *text)
{
    reply_error(request->reply, bytes_text(text));
    return STATUS_REPLIED;
}

/*
 * HELP of a command with subcommands: its title, `lines` up to NULL, and HELP itself, as Redis
 * shows them.
 */
enum status command_help(struct request *request, const char *const *lines);

/* A subcommand was given more arguments than it takes: STATUS_REPLIED, in Redis's words. */
enum status command_refuse_usage(struct request *request);

#endif
