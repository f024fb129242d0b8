/* SPDX-License-Identifier: MIT */
/*
 * Virtual time: what is to happen, in order. Timers for the same moment fire in the order in which
 * they were set, so a world has one history only.
 */
#ifndef SIM_SIM_CLOCK_H
#define SIM_SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_MS = 1000, SIM_SECOND = 1000 * 1000 }; /* in microseconds */

/* Embedded in whatever waits; all zeros but for the last two: not set. */
struct sim_timer {
    uint64_t at_us;
    uint64_t order; /* among those of the same moment */
    size_t place;   /* in the heap, from 1; 0: not set */
    void (*fire)(void *context);
    void *context;
};

struct sim_clock {
    uint64_t now_us;
    struct sim_timer **heap; /* the next one first; owned */
    size_t count, room;
    uint64_t orders, fired;
};

void sim_clock_init(struct sim_clock *clock);
void sim_clock_deinit(struct sim_clock *clock);

/* Sets it, or sets it anew. A moment that is over counts as now. */
void sim_timer_set(struct sim_clock *clock, struct sim_timer *timer, uint64_t at_us);
/* Not later than that: sets it only if it is not set to an earlier moment. */
void sim_timer_advance(struct sim_clock *clock, struct sim_timer *timer, uint64_t at_us);
void sim_timer_cancel(struct sim_clock *clock, struct sim_timer *timer);

static inline bool sim_timer_is_set(const struct sim_timer *timer)
{
    return timer->place > 0;
}

/* Fires the next timer that is due by then. False: there is none; it is then. */
bool sim_clock_step(struct sim_clock *clock, uint64_t until_us);

#endif
