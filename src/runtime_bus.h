/* SPDX-License-Identifier: MIT */
/*
 * The sockets of a node's bus: listens for other nodes, dials them, brings what they say to the bus
 * and takes to them what it has to say.
 */
#ifndef RUNTIME_BUS_H
#define RUNTIME_BUS_H

#include "bus/bus.h"
#include "config/config.h"
#include "net/loop.h"
#include "observe/journal.h"

struct runtime_bus;

struct runtime_bus_options {
    const struct config *config;
    struct journal *journal;
    struct loop *loop;
    uint64_t (*now_ms)(void *context); /* of this turn */
    void *context;
};

/* Takes the port; `client_port` is what cluster-port goes by when it is 0. Nobody is accepted yet.
 */
MUST_CHECK enum status runtime_bus_open(const struct runtime_bus_options *options,
                                        uint16_t client_port, struct runtime_bus **out,
                                        struct buffer *out_error);

uint16_t runtime_bus_port(const struct runtime_bus *self);

/* Accepts and dials from now on. */
void runtime_bus_start(struct runtime_bus *self, struct bus *bus);

/* host.dial, host.hang_up; they may be called before the start. */
void runtime_bus_dial(struct runtime_bus *self, struct bus_link *link, const char *host,
                      uint16_t port);
void runtime_bus_hang_up(struct runtime_bus *self, struct bus_link *link);

/* In each turn, before its end: tells the bus of the connections that are gone. */
void runtime_bus_close_ended(struct runtime_bus *self);
/* And after it. */
void runtime_bus_send(struct runtime_bus *self);
/* Whether the next turn shall not sleep. */
bool runtime_bus_is_busy(const struct runtime_bus *self);

/* Closes all connections and the port; the bus is not needed any more. */
void runtime_bus_stop(struct runtime_bus *self);
void runtime_bus_free(struct runtime_bus *self); /* NULL: nothing */

#endif
