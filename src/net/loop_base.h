/* SPDX-License-Identifier: MIT */
/* What the files of net/ share of a loop: libevent is known here only. */
#ifndef NET_LOOP_BASE_H
#define NET_LOOP_BASE_H

#include <event2/event.h>

#include "net/loop.h"

enum { LOOP_SCRATCH = 64 * 1024 };

struct loop {
    struct event_base *base;
    struct event *timer;
    uint64_t armed_ms;          /* the deadline that the timer stands for, 0 for none */
    char scratch[LOOP_SCRATCH]; /* where a connection reads; free again when its callback returns */
};

#endif
