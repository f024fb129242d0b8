/* SPDX-License-Identifier: MIT */
#include "sim/sim_net.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/xxh.h"

enum {
    TAIL_TIMES = 10,
    TAIL_DEPTH_MAX = 5,
    ORPHAN_RETRY_US = 200 * SIM_MS,
    DIAL_TIMEOUT_US = 2 * SIM_SECOND,
};

enum segment_kind {
    SEGMENT_DIAL, /* of the dialer: may I? */
    SEGMENT_OPEN, /* you may */
    SEGMENT_DATA,
    SEGMENT_END,      /* it is closed, or was refused */
    SEGMENT_GIVEN_UP, /* the other side's machine has ended it, whatever its process does */
};

struct segment {
    struct list link;
    enum segment_kind kind;
    uint64_t at_us;
    size_t size;
    char data[];
};

struct sim_socket {
    struct list link; /* of net->sockets */
    struct sim_net *net;
    uint64_t number;
    unsigned machine, other;
    uint16_t port;
    struct sim_socket *peer; /* NULL: closed there, or lost */
    bool hidden;             /* the machine does not know of it: not yet accepted, or refused */
    bool connected, ended;
    bool closed;       /* ended by the other side's process */
    bool orphan;       /* the other side's machine has lost power, and does not know it any more */
    bool wants_room;   /* to be told that there is some */
    struct list wire;  /* on its way to this socket, in order */
    size_t wire_bytes; /* of data in it */
    uint64_t stuck_us; /* since when the first of it waits for the way; 0: it does not */
    struct sim_timer arrival;
    struct buffer inbox;
    void *owner;
};

struct machine {
    const struct sim_net_handler *handler; /* NULL: nobody listens */
    void *context;
};

struct sim_net {
    struct sim_net_options options;
    struct random random;
    struct machine machines[SIM_NET_MACHINES_MAX];
    unsigned blocked[SIM_NET_MACHINES_MAX][SIM_NET_MACHINES_MAX];
    uint64_t slow_us[SIM_NET_MACHINES_MAX][SIM_NET_MACHINES_MAX];
    struct list sockets; /* in the order of their numbers */
    uint64_t sockets_made;
    uint64_t hash;
    struct sim_net_stats stats;
};

static uint64_t now_us(const struct sim_net *net)
{
    return net->options.clock->now_us;
}

static uint64_t draw_latency(struct sim_net *net, unsigned from, unsigned to)
{
    const struct sim_net_options *options = &net->options;
    uint64_t jitter = options->jitter_us + 1;
    uint64_t latency = options->latency_us + random_below(&net->random, jitter);
    for (unsigned depth = 0; options->tail_odds && depth < TAIL_DEPTH_MAX &&
                             random_once_in(&net->random, options->tail_odds);
         depth++)
        latency += random_below(&net->random, jitter * TAIL_TIMES);
    return latency + net->slow_us[from][to];
}

static void tell(struct sim_socket *socket)
{
    struct machine *machine = &socket->net->machines[socket->machine];
    if (!socket->hidden && machine->handler)
        machine->handler->changed(machine->context, socket);
}

/* ---- the wire -------------------------------------------------------------------------------- */

static struct segment *first_of(struct sim_socket *socket)
{
    return list_entry(socket->wire.next, struct segment, link);
}

static void arm(struct sim_socket *socket)
{
    if (!list_is_empty(&socket->wire) && !socket->stuck_us)
        sim_timer_set(socket->net->options.clock, &socket->arrival, first_of(socket)->at_us);
}

/* Puts something on the way to the socket, behind what is on it. */
static void put(struct sim_socket *to, enum segment_kind kind, struct bytes data)
{
    struct sim_net *net = to->net;
    struct segment *segment = memory_alloc(sizeof(*segment) + data.size);
    bool first = list_is_empty(&to->wire);
    segment->kind = kind;
    segment->size = data.size;
    if (data.size > 0)
        memcpy(segment->data, data.data, data.size);
    segment->at_us = now_us(net) + draw_latency(net, to->other, to->machine);
    if (!first) {
        uint64_t before_us = list_entry(to->wire.prev, struct segment, link)->at_us;
        segment->at_us = segment->at_us > before_us ? segment->at_us : before_us;
    }
    list_append(&to->wire, &segment->link);
    to->wire_bytes += data.size;
    if (first)
        arm(to);
}

static void drop_first(struct sim_socket *socket)
{
    struct segment *segment = first_of(socket);
    list_remove(&segment->link);
    socket->wire_bytes -= segment->size;
    memory_free(segment);
}

static void drop_wire(struct sim_socket *socket)
{
    while (!list_is_empty(&socket->wire))
        drop_first(socket);
    socket->stuck_us = 0;
    sim_timer_cancel(socket->net->options.clock, &socket->arrival);
}

static void end(struct sim_socket *socket)
{
    socket->ended = true;
    drop_wire(socket);
    tell(socket);
}

static void destroy(struct sim_socket *socket)
{
    drop_wire(socket);
    buffer_deinit(&socket->inbox);
    list_remove(&socket->link);
    memory_free(socket);
}

/* Gone from this side: the other side's hears of it, if it is told. */
static void forsake(struct sim_socket *socket, bool told)
{
    struct sim_socket *peer = socket->peer;
    if (peer) {
        peer->peer = NULL;
        if (peer->hidden)
            destroy(peer);
        else if (told && !peer->ended)
            put(peer, SEGMENT_END, bytes_of(NULL, 0));
        else
            peer->orphan = true;
    }
    destroy(socket);
}

static void deliver_dial(struct sim_socket *socket)
{
    struct sim_net *net = socket->net;
    struct machine *machine = &net->machines[socket->machine];
    if (!machine->handler) {
        net->stats.refused++;
        struct sim_socket *dialer = socket->peer;
        dialer->peer = NULL;
        put(dialer, SEGMENT_END, bytes_of(NULL, 0));
        destroy(socket);
        return;
    }
    net->stats.connections++;
    socket->hidden = false;
    socket->connected = true;
    put(socket->peer, SEGMENT_OPEN, bytes_of(NULL, 0));
    machine->handler->accepted(machine->context, socket);
}

static void mix(struct sim_net *net, const struct sim_socket *socket, const struct segment *segment)
{
    uint64_t facts[5] = {now_us(net), socket->number, (uint64_t)segment->kind, net->hash,
                         xxh64(bytes_of(segment->data, segment->size))};
    net->hash = xxh64(bytes_of(facts, sizeof(facts)));
    net->stats.pieces++;
    net->stats.bytes += segment->size;
}

/* The first segment has come to its machine. */
static void deliver(struct sim_socket *socket)
{
    struct segment *segment = first_of(socket);
    enum segment_kind kind = segment->kind;
    mix(socket->net, socket, segment);
    if (kind == SEGMENT_DATA)
        buffer_append(&socket->inbox, segment->data, segment->size);
    drop_first(socket);
    arm(socket);
    if (kind == SEGMENT_DIAL) {
        deliver_dial(socket);
    } else if (kind == SEGMENT_END || kind == SEGMENT_GIVEN_UP) {
        socket->closed = kind == SEGMENT_END;
        end(socket);
    } else {
        socket->connected = true;
        tell(socket);
    }
}

/* It has waited too long for the way: whoever sent gives up. */
static void give_up(struct sim_socket *socket)
{
    struct sim_socket *sender = socket->peer;
    struct sim_net *net = socket->net;
    net->stats.resets++;
    drop_wire(socket);
    if (!sender) { /* that had closed it already */
        socket->orphan = true;
        return;
    }
    sender->peer = NULL;
    socket->peer = NULL;
    if (socket->hidden) {
        destroy(socket);
    } else {
        put(socket, SEGMENT_GIVEN_UP, bytes_of(NULL, 0)); /* waits for the way too */
    }
    end(sender);
}

/* Whoever it speaks to has forgotten it: it finds out when that machine is there to tell. */
static void find_orphaned(struct sim_socket *socket)
{
    struct sim_net *net = socket->net;
    bool there = net->machines[socket->other].handler &&
                 !net->blocked[socket->other][socket->machine] &&
                 !net->blocked[socket->machine][socket->other];
    uint64_t waited_us = now_us(net) - socket->stuck_us;
    socket->closed = there;
    if (there || (net->options.reset_us && waited_us >= net->options.reset_us))
        end(socket);
    else
        sim_timer_set(net->options.clock, &socket->arrival, now_us(net) + ORPHAN_RETRY_US);
}

static void on_arrival(void *context)
{
    struct sim_socket *socket = context;
    struct sim_net *net = socket->net;
    if (list_is_empty(&socket->wire)) {
        find_orphaned(socket);
        return;
    }
    if (!net->blocked[socket->other][socket->machine]) {
        socket->stuck_us = 0;
        deliver(socket);
        return;
    }
    uint64_t patience_us = net->options.reset_us;
    if (first_of(socket)->kind == SEGMENT_DIAL)
        patience_us = DIAL_TIMEOUT_US;
    if (!socket->stuck_us)
        socket->stuck_us = now_us(net);
    if (!patience_us || !socket->peer)
        return; /* sim_net_unblock wakes it */
    if (now_us(net) - socket->stuck_us >= patience_us)
        give_up(socket);
    else
        sim_timer_set(net->options.clock, &socket->arrival, socket->stuck_us + patience_us);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static struct sim_socket *socket_new(struct sim_net *net, unsigned machine, unsigned other,
                                     uint16_t port)
{
    check(machine < SIM_NET_MACHINES_MAX && other < SIM_NET_MACHINES_MAX);
    struct sim_socket *socket = memory_zeroed(sizeof(*socket));
    socket->net = net;
    socket->number = ++net->sockets_made;
    socket->machine = machine;
    socket->other = other;
    socket->port = port;
    socket->arrival.fire = on_arrival;
    socket->arrival.context = socket;
    list_init(&socket->wire);
    list_append(&net->sockets, &socket->link);
    return socket;
}

struct sim_socket *sim_net_dial(struct sim_net *net, unsigned from, unsigned to, uint16_t port,
                                void *owner)
{
    struct sim_socket *dialer = socket_new(net, from, to, port);
    struct sim_socket *other = socket_new(net, to, from, port);
    dialer->owner = owner;
    dialer->peer = other;
    other->peer = dialer;
    other->hidden = true;
    put(other, SEGMENT_DIAL, bytes_of(NULL, 0));
    return dialer;
}

unsigned sim_socket_machine(const struct sim_socket *socket)
{
    return socket->machine;
}

unsigned sim_socket_other(const struct sim_socket *socket)
{
    return socket->other;
}

void *sim_socket_other_owner(const struct sim_socket *socket)
{
    return socket->peer ? socket->peer->owner : NULL;
}

uint16_t sim_socket_port(const struct sim_socket *socket)
{
    return socket->port;
}

bool sim_socket_is_connected(const struct sim_socket *socket)
{
    return socket->connected;
}

bool sim_socket_has_ended(const struct sim_socket *socket)
{
    return socket->ended;
}

bool sim_socket_was_closed(const struct sim_socket *socket)
{
    return socket->ended && socket->closed;
}

void *sim_socket_owner(const struct sim_socket *socket)
{
    return socket->owner;
}

void sim_socket_set_owner(struct sim_socket *socket, void *owner)
{
    socket->owner = owner;
}

static size_t room_of(const struct sim_socket *socket)
{
    const struct sim_socket *peer = socket->peer;
    size_t unread = peer ? peer->wire_bytes + buffer_size(&peer->inbox) : 0;
    return unread < socket->net->options.window ? socket->net->options.window - unread : 0;
}

size_t sim_socket_send(struct sim_socket *socket, struct bytes bytes)
{
    struct sim_net *net = socket->net;
    if (!socket->connected || socket->ended || bytes.size == 0)
        return 0;
    if (socket->orphan || !socket->peer) { /* goes nowhere */
        if (socket->orphan && list_is_empty(&socket->wire) && !sim_timer_is_set(&socket->arrival)) {
            socket->stuck_us = now_us(net);
            sim_timer_set(net->options.clock, &socket->arrival, now_us(net) + ORPHAN_RETRY_US);
        }
        return bytes.size;
    }
    size_t room = room_of(socket), size = bytes.size < room ? bytes.size : room;
    socket->wants_room = size < bytes.size;
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = size - at;
        if (piece > 1 && net->options.split_odds &&
            random_once_in(&net->random, net->options.split_odds))
            piece = 1 + random_below(&net->random, piece - 1);
        put(socket->peer, SEGMENT_DATA, bytes_of(bytes.data + at, piece));
    }
    return size;
}

struct bytes sim_socket_received(const struct sim_socket *socket)
{
    return buffer_bytes(&socket->inbox);
}

void sim_socket_consume(struct sim_socket *socket, size_t size)
{
    check(size <= buffer_size(&socket->inbox));
    if (size == 0)
        return;
    buffer_consume(&socket->inbox, size);
    struct sim_socket *peer = socket->peer;
    if (!peer || !peer->wants_room || peer->ended)
        return;
    /* As an empty piece: told in its turn, not from within this call. */
    peer->wants_room = false;
    put(peer, SEGMENT_DATA, bytes_of(NULL, 0));
}

void sim_socket_close(struct sim_socket *socket)
{
    forsake(socket, true);
}

void sim_socket_drop(struct sim_socket *socket)
{
    forsake(socket, false);
}

/* ---- the network ----------------------------------------------------------------------------- */

struct sim_net *sim_net_new(const struct sim_net_options *options)
{
    struct sim_net *net = memory_zeroed(sizeof(*net));
    net->options = *options;
    net->random.state = options->seed;
    list_init(&net->sockets);
    return net;
}

void sim_net_free(struct sim_net *net)
{
    if (!net)
        return;
    while (!list_is_empty(&net->sockets))
        destroy(list_entry(net->sockets.next, struct sim_socket, link));
    memory_free(net);
}

void sim_net_listen(struct sim_net *net, unsigned machine, const struct sim_net_handler *handler,
                    void *context)
{
    check(machine < SIM_NET_MACHINES_MAX);
    net->machines[machine] = (struct machine){handler, context};
}

void sim_net_silence(struct sim_net *net, unsigned machine)
{
    net->machines[machine] = (struct machine){0};
}

void sim_net_block(struct sim_net *net, unsigned from, unsigned to)
{
    net->blocked[from][to]++;
}

void sim_net_unblock(struct sim_net *net, unsigned from, unsigned to)
{
    check(net->blocked[from][to] > 0);
    if (--net->blocked[from][to] > 0)
        return;
    for (struct list *at = net->sockets.next; at != &net->sockets; at = at->next) {
        struct sim_socket *socket = list_entry(at, struct sim_socket, link);
        if (socket->machine != to || socket->other != from || !socket->stuck_us ||
            list_is_empty(&socket->wire))
            continue;
        socket->stuck_us = 0;
        sim_timer_set(net->options.clock, &socket->arrival,
                      now_us(net) + draw_latency(net, from, to));
    }
}

bool sim_net_is_blocked(const struct sim_net *net, unsigned from, unsigned to)
{
    return net->blocked[from][to] > 0;
}

void sim_net_set_slow(struct sim_net *net, unsigned from, unsigned to, uint64_t extra_us)
{
    net->slow_us[from][to] = extra_us;
}

/* Some first bytes of what is on the way, and then the end. */
static void cut(struct sim_net *net, struct sim_socket *socket)
{
    size_t kept = random_below(&net->random, socket->wire_bytes + 1);
    while (!list_is_empty(&socket->wire)) {
        struct segment *segment = first_of(socket);
        size_t size = segment->size < kept ? segment->size : kept;
        buffer_append(&socket->inbox, segment->data, size);
        kept -= size;
        drop_first(socket);
    }
    end(socket);
}

void sim_net_reset(struct sim_net *net, unsigned machine, uint64_t draw)
{
    unsigned count = 0;
    struct sim_socket *chosen = NULL;
    for (unsigned pass = 0; pass < 2 && !chosen; pass++) {
        uint64_t skip = count ? draw % count : 0;
        for (struct list *at = net->sockets.next; at != &net->sockets; at = at->next) {
            struct sim_socket *socket = list_entry(at, struct sim_socket, link);
            bool fits = socket->machine == machine && socket->peer && socket->connected &&
                        socket->peer->connected && !socket->ended && !socket->peer->ended;
            if (!fits)
                continue;
            if (pass == 1 && skip-- == 0)
                chosen = socket;
            count += pass == 0;
        }
    }
    if (!chosen)
        return;
    struct sim_socket *peer = chosen->peer;
    net->stats.resets++;
    chosen->peer = peer->peer = NULL;
    cut(net, chosen);
    cut(net, peer);
}

uint64_t sim_net_hash(const struct sim_net *net)
{
    return net->hash;
}

struct sim_net_stats sim_net_stats(const struct sim_net *net)
{
    return net->stats;
}
