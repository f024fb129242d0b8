/* SPDX-License-Identifier: MIT */
/*
 * Up to four buses, joined by pipes of bytes: what one end sends comes out at the other in pieces
 * of any size, as late as the test wants, until the pipe is cut.
 */
#ifndef SUPPORT_BUS_WORLD_H
#define SUPPORT_BUS_WORLD_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/random.h"
#include "bus/bus.h"

enum {
    HOSTS = 4,
    STEP_MS = 7,
    BUS_HOST_STREAM = 0x4f, /* the type of messages that only say which one they are */
};

struct bus_world;

/* What a bus was told, as a text: "up 2; down 2; 2: 5 hello; met 3 at b:1". */
struct bus_host {
    struct bus_world *world;
    struct bus *bus;
    uint64_t node;
    bool listening;
    bool slow; /* its socket takes a few bytes at a time */
    struct buffer told;
    uint64_t heard[HOSTS + 1]; /* the last one of each node's stream */
    uint64_t heard_total;
    enum status reply; /* to messages */
    unsigned dials;
};

/* A connection. Ends: 0 the dialer's, 1 the acceptor's. */
struct bus_pipe {
    struct list at;
    struct bus_host *host[2];
    struct bus_link *link[2]; /* NULL: that end is closed */
    bool connected;
    bool closing[2];         /* asked for by that end */
    struct buffer moving[2]; /* towards that end */
    bool stuck;              /* they do not move for now */
};

struct bus_world {
    struct bus_host hosts[HOSTS + 1]; /* by number; 0 is nobody */
    struct list pipes;
    struct random random;
    uint64_t now_ms;
    bool frozen; /* bytes stay in the pipes */
};

/* A bus at that place, as that node. */
void bus_world_start(struct bus_world *world, unsigned number, uint64_t node, const char *secret);

/* Its connections are cut; all that it knows is gone. */
void bus_world_stop(struct bus_world *world, unsigned number);

/* Some bytes come out of each pipe; what is due happens; time stands still. */
void bus_world_turn(struct bus_world *world);
void bus_world_run_for_ms(struct bus_world *world, uint64_t ms);

/* Of cmocka. */
int bus_world_setup(void **state);
int bus_world_teardown(void **state);

/* Nodes 1 and 2, up in both directions. */
void bus_world_start_two(struct bus_world *world);

/* The first pipe that this host has dialed. */
struct bus_pipe *bus_world_pipe_from(struct bus_world *world, unsigned number);

/* Only this end knows. */
void bus_pipe_close_end(struct bus_pipe *pipe, unsigned end);

/* Both ends are told at once, what is on its way is lost. */
void bus_pipe_cut(struct bus_pipe *pipe);

/* That end's process closes it, and its system tells the other: all that was sent has come. */
void bus_pipe_leave(struct bus_pipe *pipe, unsigned end);

/* Some of the bytes on their way to that end. */
void bus_pipe_deliver(struct bus_pipe *pipe, unsigned end);

/* Into its pipes. */
void bus_host_send_outputs(struct bus_host *host);

/* What it was told since the last time: just that, or that among other things. */
void bus_host_expect_told(struct bus_host *host, const char *expected);
void bus_host_expect_among_told(struct bus_host *host, const char *expected);
bool bus_host_say(struct bus_host *from, uint64_t to, unsigned type, const char *text);
void bus_host_want(struct bus_host *host, uint64_t node);

/* The next one of a stream, whose order and count are checked where it is heard. */
void bus_host_say_next(struct bus_host *from, uint64_t to);

#endif
