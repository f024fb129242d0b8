/* SPDX-License-Identifier: MIT */
/*
 * Waits for what the world does to descriptors, signals and time, and calls back for it. One
 * thread. What belongs to a turn (many callbacks, then one end) is the caller's: loop_run_once,
 * then its own work, again and again.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdint.h>

struct loop;
struct watch;

enum {
    LOOP_WAIT_MAX_MS =
        1000, /* the longest sleep, so that nothing depends on a deadline being right */
};

struct loop *loop_new(void);

/* Everything that watches through it is freed before. */
void loop_free(struct loop *loop);

/*
 * Sleeps until something happens or `deadline_ms` comes, of the clock that says `now_ms`; not at
 * all if it has come already. Then calls back for all that has happened.
 */
void loop_run_once(struct loop *loop, uint64_t now_ms, uint64_t deadline_ms);

/* Calls `ready` in each turn in which the descriptor can be read. */
struct watch *loop_watch_readable(struct loop *loop, int descriptor, void (*ready)(void *context),
                                  void *context);

/* Calls `ready` in the turn after the signal came. Once freed, the signal does again what it did
 * before. */
struct watch *loop_watch_signal(struct loop *loop, int signal, void (*ready)(void *context),
                                void *context);

void watch_free(struct watch *watch);

/* How it waits: "epoll". */
const char *loop_method(const struct loop *loop);

#endif
