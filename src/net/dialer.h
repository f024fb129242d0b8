/* SPDX-License-Identifier: MIT */
/*
 * Connections to others, by name: nothing of it blocks the loop. Names are looked up on threads of
 * their own, for the system's resolver has no other way; then the addresses are tried in turn.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "net/loop.h"

struct dialer;
struct dial;

enum {
    DIALER_THREADS = 2,        /* a name that takes its time does not hold up all others */
    DIALER_LOOKUPS_MAX = 1024, /* names that wait for them */
    DIALER_TIMEOUT_MS = 5000,  /* of all, the lookup included */
    DIALER_ADDRESS_MS = 1500,  /* of one address, while there are others to try */
    DIALER_ADDRESSES_MAX = 8,  /* that are tried */
    DIALER_HOST_MAX = 256,     /* of a name, with its NUL */
};

struct dialer *dialer_new(struct loop *loop);

/* All dials are over or cancelled. Does not wait for a lookup that is under way. */
void dialer_free(struct dialer *dialer);

/*
 * Begins to connect. `done` is called once, from loop_run_once: with a connected socket that does
 * not block and that is the callee's, or with -1 and why not. The dial is then over.
 */
struct dial *dialer_dial(struct dialer *dialer, const char *host, uint16_t port,
                         void (*done)(void *context, int descriptor, const char *reason),
                         void *context);

/* No `done` comes any more. */
void dial_cancel(struct dial *dial);

#endif
