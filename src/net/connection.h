/* SPDX-License-Identifier: MIT */
/*
 * One TCP connection: hands over what comes in, sends what it is given. It keeps no bytes itself:
 * reading goes through the loop's scratch memory or straight to where the peer has room, and what
 * the socket does not take stays with the caller until it is told that there is room again.
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include <stdbool.h>

#include "base/bytes.h"
#include "net/loop.h"

struct connection;

/* Called from loop_run_once, at most one read for each turn and connection. `peer` is the caller's.
 */
struct connection_handler {
    /* Bytes have come. They are gone after the call. */
    void (*received)(void *peer, struct bytes bytes);
    /* Where the next bytes should go instead: room for *out_size bytes, of which `filled` says how
     * many were used. NULL: nowhere in particular. */
    char *(*room)(void *peer, size_t *out_size);
    void (*filled)(void *peer, size_t size);
    /* The socket takes bytes again, after a connection_send that was CONNECTION_FULL. */
    void (*writable)(void *peer);
    /* The other side sends nothing more; it may still read, or be gone altogether, which sending
     * will show. */
    void (*finished)(void *peer);
    /* The connection is broken: nothing comes any more; connection_free is still due. */
    void (*broken)(void *peer);
};

/* Takes over a non-blocking socket and begins to read. */
struct connection *connection_new(struct loop *loop, int descriptor,
                                  const struct connection_handler *handler, void *peer);

/* Closes the socket. Not from a callback of the same connection. */
void connection_free(struct connection *connection);

enum connection_sent {
    CONNECTION_SENT,   /* all of it */
    CONNECTION_FULL,   /* a part or nothing: `writable` will be called */
    CONNECTION_BROKEN, /* nothing will be sent any more */
};

/* *out_size: how many of the bytes the socket took. */
enum connection_sent connection_send(struct connection *connection, struct bytes bytes,
                                     size_t *out_size);

/* It was the other side that broke it: its system has no such connection any more. */
bool connection_was_reset(const struct connection *connection);

/* Stops reading, so that the other side must wait, or goes on. */
void connection_set_reading(struct connection *connection, bool reading);

/* Says why and closes a socket that never became a connection. */
void connection_refuse(int descriptor, struct bytes why);

#endif
