/* SPDX-License-Identifier: MIT */
/*
 * Whole nodes that are a cluster, in one process and in virtual time, and clients that talk to
 * them: for stories. Nothing goes wrong by itself.
 *
 *     struct nodes *nodes = nodes_new(3);
 *     struct caller *caller = caller_new(nodes, 0);
 *     caller_ask(caller, "SET k v\r\n", "+OK\r\n");
 */
#ifndef SUPPORT_NODES_WORLD_H
#define SUPPORT_NODES_WORLD_H

#include "node/forward.h"
#include "node/peers.h"
#include "sim/cluster_node.h"

enum { NODES_CALLERS_MAX = 8, NODES_KEY_SIZE = 32 };

struct caller {
    struct nodes *nodes;
    struct sim_socket *socket;
    struct buffer unsent, received;
};

struct nodes {
    struct sim_clock clock;
    struct cluster_trace trace;
    struct cluster_settings settings;
    struct sim_net *net;
    unsigned count;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
    struct caller callers[NODES_CALLERS_MAX];
    unsigned caller_count;
    uint16_t fatal_slot; /* nodes_die_with */
};

/* With the cluster formed. All nodes own all slots, if they are at most three. */
struct nodes *nodes_new(unsigned count);
void nodes_free(struct nodes *nodes);
void nodes_run(struct nodes *nodes, uint64_t ms);

/* A key that this node coordinates: the number-th of them. */
void nodes_key(struct nodes *nodes, unsigned node, unsigned number, char out[NODES_KEY_SIZE]);

/* That node dies when it has written the key, which is not there yet, to its log: nothing of that
 * turn has left it. */
void nodes_die_with(struct nodes *nodes, unsigned node, const char *key);

/* A client of that node. */
struct caller *caller_new(struct nodes *nodes, unsigned node);
void caller_send(struct caller *caller, struct bytes bytes);
void caller_say(struct caller *caller, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends nothing more, and reads nothing. */
void caller_leave(struct caller *caller);
/* The other side has closed the connection. */
bool caller_is_cut_off(const struct caller *caller);

/* Exactly this arrives, before 10 s are over, and nothing more in 50 ms; then it is forgotten. */
#define caller_expect(caller, text) caller_expect_at(caller, text, __FILE__, __LINE__)
void caller_expect_at(struct caller *caller, const char *text, const char *file, int line);

#define caller_ask(caller, text, reply)                                                            \
    do {                                                                                           \
        caller_say(caller, "%s", text);                                                            \
        caller_expect(caller, reply);                                                              \
    } while (0)

/* Waits until so many bytes have arrived; fails after 10 s. */
void caller_await(struct caller *caller, size_t size);

#endif
