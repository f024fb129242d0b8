/* SPDX-License-Identifier: MIT */
/*
 * The addresses at which clients may come. Opening and accepting are apart: the port is taken
 * early, so that a second process is refused before it has touched anything, and clients wait in
 * the backlog until there is somebody to serve.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"
#include "net/loop.h"

struct listener;

enum {
    LISTENER_ADDRESSES_MAX = 16,
    LISTENER_ACCEPTS_PER_TURN = 64, /* of one address: who is connected already shall not wait */
    LISTENER_PAUSE_MS = 100,        /* when descriptors have run out */
    ADDRESS_TEXT_MAX = 64,
};

struct listener_options {
    /* Blank-separated host names and addresses, IPv4 or IPv6. "*": every IPv4 address, "::*": every
     * IPv6 address. With '-' before it, an address that this machine does not have is passed over.
     */
    const char *addresses;
    uint16_t port; /* 0: one that is free; the same for all addresses */
    int backlog;
    unsigned keepalive_s; /* 0: no keepalive */
};

/* A client that has come. The descriptor does not block; whoever is told owns it. */
struct listener_guest {
    int descriptor;
    bool loopback;                 /* from this machine */
    char remote[ADDRESS_TEXT_MAX]; /* "127.0.0.1:54321", "[::1]:54321" */
    char local[ADDRESS_TEXT_MAX];
};

struct listener_handler {
    void (*accepted)(void *context, const struct listener_guest *guest);
    /* Accepting failed for want of resources (errno's text) and pauses. */
    void (*failed)(void *context, const char *reason);
    void *context;
};

/* Takes all the addresses or none. On failure *out_error says which and why: "127.0.0.1:6379:
 * Address already in use". */
MUST_CHECK enum status listener_open(const struct listener_options *options, struct listener **out,
                                     struct buffer *out_error);

/* Accepts from now on; the handler is copied. */
void listener_start(struct listener *listener, struct loop *loop,
                    const struct listener_handler *handler);

uint16_t listener_port(const struct listener *listener);

/* Closes the addresses. NULL: nothing. */
void listener_free(struct listener *listener);

#endif
