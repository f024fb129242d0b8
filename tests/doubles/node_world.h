/* SPDX-License-Identifier: MIT */
/*
 * A node over a store of the test's own, and its clients: conversations. The store is an array of
 * rows; a row may be cold (missed until fetched), commits may be throttled or refused, and what was
 * written may wait for a sync. The commands of its own table say what they do: get k, set k v, both
 * k k, slow n, fail.
 */
#ifndef DOUBLES_NODE_WORLD_H
#define DOUBLES_NODE_WORLD_H

#include "node/node.h"

enum { WORLD_PEERS_MAX = 8, WORLD_ROWS_MAX = 64 };

struct world_row {
    struct bytes name, row; /* owned */
    bool cold;
    uint64_t gate;
};

struct peer {
    struct world *world;
    struct session *session; /* NULL: closed */
    struct buffer received;
    bool reading;        /* takes what the node has to send */
    bool ending, abrupt; /* the node asked to close */
};

struct world {
    struct files files; /* only an address: how store_open finds the world */
    struct workers workers;
    struct config config;
    struct node *node;
    struct admin *admin;
    uint64_t now_ms;
    uint64_t now_ns; /* of the clock that measures: only the command `spend` moves it */
    struct peer peers[WORLD_PEERS_MAX];
    unsigned peer_count;

    struct world_row rows[WORLD_ROWS_MAX];
    size_t row_count;
    bool throttled, disk_full, turn_fails;
    bool sync_held;  /* writes do not become durable */
    bool paused;     /* as told by store_set_paused */
    uint8_t swapped; /* what SWAPDB has done to the numbers of databases: they are xored with it */
    bool delays_wanted;
    struct store_delays delays; /* for store_take_delays */
    uint64_t slowest_ns;        /* for the workers' take_slowest, of each class */
    uint64_t position, durable;
    uint64_t rows_bytes; /* as told by store_set_rows_bytes */
    enum log_sync sync;
    struct list fetches;   /* under way */
    unsigned transactions; /* begun and not ended */
    unsigned fetch_count;  /* in all */
};

struct world *world_new(void);
struct world *world_new_with_password(const char *password);

/* Checks that nothing was left behind: no transaction, no fetch. */
void world_free(struct world *world);

struct peer *world_connect(struct world *world);
void world_row(struct world *world, const char *key, const char *value, bool cold);

/* What was fetched is there; a tick if it is due; the end of a turn; replies go out, connections
 * close. */
void world_turn(struct world *world);
void world_turns(struct world *world, unsigned count);

/* Fetches do not end with a turn but with this. */
void world_fetches_done(struct world *world);

void peer_send(struct peer *peer, const char *text);
void peer_send_bytes(struct peer *peer, struct bytes bytes);
void peer_leave(struct peer *peer);

/* What has arrived is exactly this; forgotten afterwards. */
#define peer_expect(peer, text) peer_expect_at(peer, text, __FILE__, __LINE__)
void peer_expect_at(struct peer *peer, const char *text, const char *file, int line);

/* Sends, ends the turn, expects. */
#define peer_ask(peer, text, reply) peer_ask_at(peer, text, reply, __FILE__, __LINE__)
void peer_ask_at(struct peer *peer, const char *text, const char *reply, const char *file,
                 int line);

/* The connection was closed; what was to be sent has arrived before, unless abrupt. */
#define peer_expect_closed(peer) assert_null((peer)->session)

#endif
