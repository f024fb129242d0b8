/* SPDX-License-Identifier: MIT */
/*
 * One node: store, sessions, commands, wired, and driven from outside: bytes in, bytes out, a tick,
 * a deadline. It has no socket, no thread and no clock of its own, so several live in one test
 * process.
 *
 * A turn: node_receive for each session with bytes, the workers' poll, node_tick if its deadline
 * has come, then node_turn_end, which writes the log's batch, and only then names the sessions
 * whose output may be sent. `wall_ms` is what the wall clock shows, wrong as it may be.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "admin/admin.h"
#include "base/memory.h"
#include "bus/bus.h"
#include "config/config.h"
#include "observe/journal.h"
#include "session/session.h"
#include "store/store.h"

struct node;
struct peers;

/* What a node needs from the world. All borrowed. */
struct host {
    struct files *files;
    struct tier *tier;
    struct workers *workers;
    struct journal *journal;
    uint64_t random[2]; /* chance, once */
    char secret[32];    /* of the data directory: what clients can't know */
    int64_t process_id;
    const char *executable;
    uint64_t memory_total; /* of the machine or the control group; 0 unknown */
    const char *system;    /* what it runs on, and how it waits for sockets: for INFO */
    const char *event_method;
    uint16_t port, bus_port; /* that it listens on: the configuration may say 0 */
    /* For INFO and DEBUG SLEEP, see admin.h; each may be NULL. */
    void (*cpu_time)(void *context, uint64_t *out_system_us, uint64_t *out_user_us);
    void (*thread_cpu_time)(void *context, uint64_t *out_system_us, uint64_t *out_user_us);
    uint64_t (*resident)(void *context);
    void (*sleep)(void *context, uint64_t us);
    /* A clock that never goes back, asked once a command. NULL: durations are 0. */
    uint64_t (*monotonic_ns)(void *context);
    /* What the allocator says, from which budgets are made. NULL: it is asked. */
    struct memory_use (*memory_use)(void *context);
    /* Listens as the configuration says now, see admin.h; NULL: it cannot. */
    enum status (*listen)(void *context, struct buffer *out_error);
    /* The session is to be closed: its output is sent, or `now` says not to wait. Told once; the
     * answer is node_closed, not before the call returns. */
    void (*close)(void *context, struct session *session, bool now);
    /* Where a cluster is enabled: see bus_options. The answers go to node_bus. */
    void (*dial)(void *context, struct bus_link *link, const char *host, uint16_t port);
    void (*hang_up)(void *context, struct bus_link *link);
    void *context;
};

MUST_CHECK enum status node_open(const struct host *host, struct config *config,
                                 const struct command *const *tables, uint64_t wall_ms,
                                 struct node **out, struct buffer *out_error);

/* A clean stop. */
MUST_CHECK enum status node_close(struct node *node);

/* A stop as by kill -9, for tests: frees memory, writes nothing. The workers have been stopped, and
 * all connections are gone as far as the node is concerned: none is to be closed any more. */
void node_abandon(struct node *node);

struct session *node_accepted(struct node *node, const char *address, const char *local_address,
                              uint64_t wall_ms);

/* A client was turned away instead. */
void node_rejected(struct node *node);

/* Bytes from a client. All are taken: what is not yet a whole request is kept. */
void node_receive(struct node *node, struct session *session, struct bytes bytes, uint64_t wall_ms);

/* Where to read the next bytes instead, when a large argument is under way: room for *out_size
 * bytes in the session, to be followed by node_received; NULL where there is no such wish. */
char *node_room(struct node *node, struct session *session, size_t *out_size);
void node_received(struct node *node, struct session *session, size_t size, uint64_t wall_ms);

/* The client sends nothing more. What it has sent is answered; then host.close. */
void node_finished(struct node *node, struct session *session);

/* The connection is gone: frees the session. */
void node_closed(struct node *node, struct session *session);

/* The time that it goes by, for all deadlines and durations that clients may see: the wall clock,
 * unless the node has reason to doubt that (cluster/timekeeper.h). */
uint64_t node_time_ms(struct node *node, uint64_t wall_ms);

void node_tick(struct node *node, uint64_t wall_ms);
uint64_t node_deadline_ms(const struct node *node); /* of the wall clock */

/* Ends the turn. An error is final. Afterwards node_next_output gives each session that has
 * something new to send: bytes session->output, the first session->output_free of it; node_sent
 * says how much went out. What did not go out is not named again: whoever has the socket knows. */
MUST_CHECK enum status node_turn_end(struct node *node, uint64_t wall_ms);
struct session *node_next_output(struct node *node);
void node_sent(struct node *node, struct session *session, size_t size);

/* Whether a stop was asked for (SHUTDOWN). */
bool node_stopping(const struct node *node);
void node_stop(struct node *node);

/* Its number, 48 bits: what other nodes know it by. */
uint64_t node_id(const struct node *node);

/* Its store: for checks from outside. */
struct store *node_store(const struct node *node);

/* Its links to other nodes: whoever has the sockets brings what they bring, and after the end of a
 * turn takes what they are to send. NULL: no cluster is enabled. */
struct bus *node_bus(struct node *node);

/* The time that its bus is to be told: of a clock that never goes back, asked anew. Where there is
 * a bus. */
uint64_t node_steady_ms(const struct node *node);

/* What it knows of the others (node/peers.h), for checks from outside; NULL without a cluster. */
struct peers *node_peers(const struct node *node);

/* The bounds of rows in memory, given what the process uses: each 100 ms, from node_tick. */
uint64_t node_rows_budget(const struct node *node);

#endif
