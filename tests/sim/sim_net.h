/* SPDX-License-Identifier: MIT */
/*
 * A network of machines with connections between them, as TCP gives them: streams of bytes, in
 * order, in pieces of any size, with a latency that has a heavy tail and a bounded number of bytes
 * under way.
 *
 *     struct sim_net *net = sim_net_new(&options);
 *     sim_net_listen(net, 1, &handler, node);            machine 1 has a process that listens
 *     struct sim_socket *socket = sim_net_dial(net, 0, 1, 6379, owner);
 *     sim_net_block(net, 0, 1);                          nothing gets from 0 to 1 any more
 *
 * Where a way is blocked bytes wait; after options.reset_us the sender gives up, and its connection
 * ends; the other side is told when the way is free again. A process that does not read keeps what
 * has arrived in its sockets. Deterministic from the seed.
 */
#ifndef SIM_SIM_NET_H
#define SIM_SIM_NET_H

#include "base/buffer.h"
#include "sim/sim_clock.h"

struct sim_net;
struct sim_socket;

enum {
    SIM_NET_MACHINES_MAX = 24,
};

struct sim_net_options {
    struct sim_clock *clock;
    uint64_t seed;
    uint64_t latency_us; /* at least */
    uint64_t jitter_us;  /* evenly, in addition */
    unsigned tail_odds;  /* once in so many pieces, and in each of them again, ten times the jitter
                            more; 0: never */
    unsigned split_odds; /* a piece is cut in two once in so many; 0: never */
    size_t window;       /* bytes of a direction that are not read yet, at most */
    uint64_t reset_us;   /* waiting for a blocked way so long ends a connection; 0: never does */
};

/* What the process on a machine is told: to be noted, and looked at later; nothing of this
 * interface is called from there. Its sockets are its own: it closes each of them. */
struct sim_net_handler {
    /* Somebody has connected. */
    void (*accepted)(void *context, struct sim_socket *socket);
    /* Look at the socket: it is connected now, has bytes, has room, or has ended. */
    void (*changed)(void *context, struct sim_socket *socket);
};

struct sim_net *sim_net_new(const struct sim_net_options *options);
void sim_net_free(struct sim_net *net); /* all sockets are closed */

/* ---- processes ------------------------------------------------------------------------------- */

/* From now on connections to this machine are accepted. */
void sim_net_listen(struct sim_net *net, unsigned machine, const struct sim_net_handler *handler,
                    void *context);
/* No more: they are refused. Its sockets are to be closed, or dropped, before. */
void sim_net_silence(struct sim_net *net, unsigned machine);

/* Begins to connect; the answer is `changed`: connected, or ended. */
struct sim_socket *sim_net_dial(struct sim_net *net, unsigned from, unsigned to, uint16_t port,
                                void *owner);

unsigned sim_socket_machine(const struct sim_socket *socket);
unsigned sim_socket_other(const struct sim_socket *socket); /* the other side's machine */
/* Who has the other side's socket; NULL: nobody has it any more. */
void *sim_socket_other_owner(const struct sim_socket *socket);
uint16_t sim_socket_port(const struct sim_socket *socket); /* that was dialed */
bool sim_socket_is_connected(const struct sim_socket *socket);
/* Nothing more comes after what can be read now, and nothing can be sent. */
bool sim_socket_has_ended(const struct sim_socket *socket);
/* And the other side's process has closed it, or is no more: its machine says so. */
bool sim_socket_was_closed(const struct sim_socket *socket);

void *sim_socket_owner(const struct sim_socket *socket);
void sim_socket_set_owner(struct sim_socket *socket, void *owner);

/* How much of it was taken. If not all: `changed` will tell that there is room. */
size_t sim_socket_send(struct sim_socket *socket, struct bytes bytes);

/* What has arrived; sim_socket_consume forgets the first of it. */
struct bytes sim_socket_received(const struct sim_socket *socket);
void sim_socket_consume(struct sim_socket *socket, size_t size);

/* Frees it. What was sent arrives; then the other side's ends. */
void sim_socket_close(struct sim_socket *socket);
/* The machine has lost power: frees it, and nobody tells the other side, which finds out when it
 * sends something and the machine is there again. */
void sim_socket_drop(struct sim_socket *socket);

/* ---- faults ---------------------------------------------------------------------------------- */

/* Counted: what two faults block is free when both have ended. */
void sim_net_block(struct sim_net *net, unsigned from, unsigned to);
void sim_net_unblock(struct sim_net *net, unsigned from, unsigned to);
bool sim_net_is_blocked(const struct sim_net *net, unsigned from, unsigned to);

/* So much is added to the latency of this way. */
void sim_net_set_slow(struct sim_net *net, unsigned from, unsigned to, uint64_t extra_us);

/* Resets one connection that begins or ends on this machine, chosen by the draw: of what is under
 * way some first bytes arrive, perhaps in the middle of a message. */
void sim_net_reset(struct sim_net *net, unsigned machine, uint64_t draw);

/* Of all that was delivered, to whom and when. */
uint64_t sim_net_hash(const struct sim_net *net);

struct sim_net_stats {
    uint64_t connections, refused, resets;
    uint64_t pieces, bytes; /* delivered */
};
struct sim_net_stats sim_net_stats(const struct sim_net *net);

#endif
