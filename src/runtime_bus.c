/* SPDX-License-Identifier: MIT */
#include "runtime_bus.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "net/connection.h"
#include "net/dialer.h"
#include "net/listener.h"

enum {
    PORT_OFFSET = 10000,        /* from the clients' port to the other nodes', as in Redis */
    COMPLAINTS_EACH_MS = 10000, /* of strangers: anybody can cause them */
};

struct runtime_bus {
    struct runtime_bus_options options;
    struct bus *bus;
    struct listener *listener;
    struct dialer *dialer;
    struct list wires;
    struct list writable;  /* wires whose sockets take bytes again */
    struct list ending;    /* wires to be closed */
    uint64_t complaint_ms; /* the next one is not before */
};

/* What carries a link: nothing yet, a dial, a connection. */
struct wire {
    struct list at;       /* of wires or ending */
    struct list writable; /* of the owner's, or alone */
    struct runtime_bus *owner;
    struct bus_link *link;
    struct connection *connection;
    struct dial *dial;
    bool full; /* the socket takes nothing until wire_writable */
    bool ending;
};

static uint64_t now_ms(const struct runtime_bus *self)
{
    return self->options.now_ms(self->options.context);
}

static bool may_complain(struct runtime_bus *self)
{
    uint64_t now = now_ms(self);
    if (now < self->complaint_ms && self->complaint_ms - now <= COMPLAINTS_EACH_MS)
        return false;
    self->complaint_ms = now + COMPLAINTS_EACH_MS;
    return true;
}

/* ---- wires -----------------------------------------------------------------------------------
 */

static struct wire *wire_new(struct runtime_bus *self, struct bus_link *link)
{
    struct wire *wire = memory_zeroed(sizeof(*wire));
    wire->owner = self;
    wire->link = link;
    list_append(&self->wires, &wire->at);
    list_init(&wire->writable);
    bus_set_connection(link, wire);
    return wire;
}

static void wire_end(struct wire *wire)
{
    if (wire->ending)
        return;
    wire->ending = true;
    if (wire->connection)
        connection_set_reading(wire->connection, false);
    list_remove(&wire->at);
    list_append(&wire->owner->ending, &wire->at);
}

/* The other side has ended it, perhaps: its system says so. */
static void wire_broken(void *peer)
{
    struct wire *wire = peer;
    if (connection_was_reset(wire->connection))
        bus_left(wire->owner->bus, wire->link);
    wire_end(wire);
}

static void wire_finished(void *peer)
{
    struct wire *wire = peer;
    bus_left(wire->owner->bus, wire->link);
    wire_end(wire);
}

static void wire_close(struct wire *wire)
{
    struct runtime_bus *self = wire->owner;
    struct bus_link *link = wire->link;
    list_remove(&wire->at);
    list_remove(&wire->writable);
    dial_cancel(wire->dial);
    connection_free(wire->connection);
    memory_free(wire);
    bus_closed(self->bus, link, now_ms(self));
}

static void wire_send(struct wire *wire)
{
    if (wire->full || wire->ending)
        return;
    size_t sent;
    enum connection_sent result = connection_send(wire->connection, bus_output(wire->link), &sent);
    if (sent > 0)
        bus_sent(wire->owner->bus, wire->link, sent);
    wire->full = result == CONNECTION_FULL;
    if (result == CONNECTION_BROKEN)
        wire_broken(wire);
}

static void wire_received(void *peer, struct bytes bytes)
{
    struct wire *wire = peer;
    bus_receive(wire->owner->bus, wire->link, bytes, now_ms(wire->owner));
}

static char *wire_room(void *peer, size_t *out_size)
{
    (void)peer;
    (void)out_size;
    return NULL;
}

static void wire_filled(void *peer, size_t size)
{
    (void)peer;
    check(size == 0); /* there was no room */
}

/* Sent at the end of the turn: what has been added in it tells of what is not in the log before. */
static void wire_writable(void *peer)
{
    struct wire *wire = peer;
    wire->full = false;
    list_append(&wire->owner->writable, &wire->writable);
}

static const struct connection_handler wire_handler = {
    wire_received, wire_room, wire_filled, wire_writable, wire_finished, wire_broken,
};

static void wire_connect(struct wire *wire, int descriptor)
{
    wire->connection = connection_new(wire->owner->options.loop, descriptor, &wire_handler, wire);
}

/* ---- dialing ---------------------------------------------------------------------------------
 */

static void dial_done(void *context, int descriptor, const char *reason)
{
    struct wire *wire = context;
    struct runtime_bus *self = wire->owner;
    wire->dial = NULL;
    if (descriptor < 0) {
        journal_write(self->options.journal, JOURNAL_DEBUG, "Cannot connect to another node: %s",
                      reason);
        wire_end(wire);
        return;
    }
    wire_connect(wire, descriptor);
    bus_connected(self->bus, wire->link, now_ms(self));
}

void runtime_bus_dial(struct runtime_bus *self, struct bus_link *link, const char *host,
                      uint16_t port)
{
    struct wire *wire = wire_new(self, link);
    wire->dial = dialer_dial(self->dialer, host, port, dial_done, wire);
}

void runtime_bus_hang_up(struct runtime_bus *self, struct bus_link *link)
{
    (void)self;
    wire_end(bus_connection(link));
}

/* ---- accepting -------------------------------------------------------------------------------
 */

static void guest_accepted(void *context, const struct listener_guest *guest)
{
    struct runtime_bus *self = context;
    struct journal *journal = self->options.journal;
    bool stranger = self->options.config->cluster_secret[0] == '\0' && !guest->loopback;
    struct bus_link *link = stranger ? NULL : bus_accepted(self->bus, guest->remote, now_ms(self));
    if (link) {
        wire_connect(wire_new(self, link), guest->descriptor);
        return;
    }
    connection_refuse(guest->descriptor, BYTES(""));
    if (may_complain(self))
        journal_write(journal, JOURNAL_WARNING,
                      stranger ? "Refused %s as another node: without a cluster-secret only nodes "
                                 "on this machine are let in"
                               : "Refused %s as another node: too many have connected and not said "
                                 "who they are",
                      guest->remote);
}

static void guest_failed(void *context, const char *reason)
{
    struct runtime_bus *self = context;
    journal_write(self->options.journal, JOURNAL_WARNING,
                  "Accepting a connection of another node failed: %s", reason);
}

/* ---- the turn --------------------------------------------------------------------------------
 */

void runtime_bus_close_ended(struct runtime_bus *self)
{
    /* What the bus does about it may end others: they have their turn. */
    struct list ended;
    list_init(&ended);
    list_splice(&ended, &self->ending);
    while (!list_is_empty(&ended))
        wire_close(list_entry(ended.next, struct wire, at));
}

void runtime_bus_send(struct runtime_bus *self)
{
    while (!list_is_empty(&self->writable)) {
        struct wire *wire = list_entry(self->writable.next, struct wire, writable);
        list_remove(&wire->writable);
        wire_send(wire);
    }
    /* After that, for what has gone may have made others ready. */
    struct bus_link *link;
    while (self->bus && (link = bus_next_output(self->bus)))
        wire_send(bus_connection(link));
}

bool runtime_bus_is_busy(const struct runtime_bus *self)
{
    return !list_is_empty(&self->ending);
}

/* ---- start and stop --------------------------------------------------------------------------
 */

enum status runtime_bus_open(const struct runtime_bus_options *options, uint16_t client_port,
                             struct runtime_bus **out, struct buffer *out_error)
{
    const struct config *config = options->config;
    int64_t port = config->cluster_port;
    if (port == 0 && config->port != 0)
        port = client_port + PORT_OFFSET;
    if (port > UINT16_MAX) {
        buffer_printf(out_error, "port + %d is no port: cluster-port must be set", PORT_OFFSET);
        return STATUS_INVALID;
    }
    struct listener_options listen = {
        .addresses = config->bind,
        .port = (uint16_t)port,
        .backlog = (int)config->tcp_backlog,
        .keepalive_s = (unsigned)config->tcp_keepalive_s,
    };
    struct listener *listener;
    enum status status = listener_open(&listen, &listener, out_error);
    if (status != STATUS_OK)
        return status;
    struct runtime_bus *self = memory_zeroed(sizeof(*self));
    self->options = *options;
    self->listener = listener;
    self->dialer = dialer_new(options->loop);
    list_init(&self->wires);
    list_init(&self->ending);
    list_init(&self->writable);
    *out = self;
    return STATUS_OK;
}

uint16_t runtime_bus_port(const struct runtime_bus *self)
{
    return listener_port(self->listener);
}

void runtime_bus_start(struct runtime_bus *self, struct bus *bus)
{
    self->bus = bus;
    struct listener_handler guests = {guest_accepted, guest_failed, self};
    listener_start(self->listener, self->options.loop, &guests);
    journal_write(self->options.journal, JOURNAL_NOTICE, "Ready for other nodes on port %u of: %s",
                  listener_port(self->listener), self->options.config->bind);
    if (self->options.config->cluster_secret[0] == '\0')
        journal_write(self->options.journal, JOURNAL_WARNING,
                      "No cluster-secret is set: only nodes on this machine are let in");
}

void runtime_bus_stop(struct runtime_bus *self)
{
    listener_free(self->listener);
    self->listener = NULL;
    while (!list_is_empty(&self->wires))
        wire_end(list_entry(self->wires.next, struct wire, at));
    while (!list_is_empty(&self->ending))
        runtime_bus_close_ended(self);
    self->bus = NULL;
}

void runtime_bus_free(struct runtime_bus *self)
{
    if (!self)
        return;
    listener_free(self->listener);
    dialer_free(self->dialer);
    memory_free(self);
}
