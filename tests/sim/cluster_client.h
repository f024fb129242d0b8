/* SPDX-License-Identifier: MIT */
/*
 * A client of a simulated cluster: connects to a node, asks one thing after the other, and writes
 * into the history what it asked and what it heard. When a reply does not come it goes to another
 * node; what became of the request it does not know.
 *
 * What it asks is drawn from a stream of its own, one place in it for each request, so that no
 * other client and no fault changes what it will ask next.
 */
#ifndef SIM_CLUSTER_CLIENT_H
#define SIM_CLUSTER_CLIENT_H

#include "base/random.h"
#include "sim/cluster_history.h"
#include "sim/cluster_trace.h"
#include "sim/sim_net.h"

enum {
    CLUSTER_CLIENTS_MAX = 12,
    CLUSTER_CLIENT_MACHINE = 10, /* its number in the network: this, and its own */
    CLIENT_KEYS_MAX = 3,         /* of one request: MSET, MGET */
};

/* What clients do. */
struct cluster_load {
    unsigned clients, nodes;
    unsigned hot_keys, sums, versions;      /* that all share */
    unsigned own_keys, expiring_keys, logs; /* of each */
    unsigned weights[HISTORY_CLASSES];      /* how often which kind of key */
    uint64_t think_us;                      /* between two requests, up to twice that */
    uint64_t timeout_us;                    /* for a reply */
    unsigned stay_odds;                     /* once in so many requests it changes its node */
    size_t padding_max;                     /* of values, bytes */
    uint64_t ttl_ms;                        /* of what expires, at most */
    unsigned delete_odds; /* once in so many a writing request deletes instead; 0: as drawn */
};

enum client_state { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_WAITING };

struct cluster_client {
    unsigned index;
    const struct cluster_load *load;
    struct history *history;
    struct sim_net *net;
    struct sim_clock *clock;
    struct cluster_trace *trace;
    uint64_t seed;
    uint64_t requests; /* so far */
    enum client_state state;
    bool running;
    bool auditing; /* reads all keys, each until it has been read */
    size_t audited;
    unsigned node; /* that it talks to */
    struct sim_socket *socket;
    struct sim_timer timer, wake;
    struct buffer input;
    enum history_verb verb; /* of the request under way, and its events */
    size_t events[CLIENT_KEYS_MAX];
    unsigned event_count;
    bool many;             /* MSET, MGET */
    struct buffer context; /* that a VC.GET has given; of this key, and this event */
    size_t context_key, context_event;
};

/* Adds the keys of the load to the history: before the clients. */
void cluster_load_keys(const struct cluster_load *load, struct history *history);

void cluster_client_init(struct cluster_client *client, unsigned index, uint64_t seed,
                         const struct cluster_load *load, struct history *history,
                         struct sim_net *net, struct sim_clock *clock, struct cluster_trace *trace);
void cluster_client_deinit(struct cluster_client *client);

void cluster_client_start(struct cluster_client *client);
/* Sends nothing more; what is under way is waited for. */
void cluster_client_stop(struct cluster_client *client);
bool cluster_client_is_idle(const struct cluster_client *client);

/* Reads every key at that node, as a final read, again and again until there is a reply. */
void cluster_client_audit(struct cluster_client *client, unsigned node);
bool cluster_client_has_audited(const struct cluster_client *client);

/* Takes a whole reply of RESP2 off the text; its size, 0: more is to come. SIZE_MAX: it is none. */
size_t cluster_reply_size(struct bytes text);

/* What an error says of the command that it answers. */
enum history_outcome cluster_error_outcome(struct bytes error);

#endif
