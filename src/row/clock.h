/* SPDX-License-Identifier: MIT */
/*
 * A hybrid logical clock (Kulkarni et al. 2014): close to wall time, always ahead of every time it
 * gave or was shown.
 */
#ifndef ROW_CLOCK_H
#define ROW_CLOCK_H

#include <stdint.h>

enum { CLOCK_COUNTER_BITS = 20 };

struct clock {
    uint64_t last; /* the newest time given or seen */
};

/* The time of a new event: above all given and seen. `now_ms` is wall time. */
static inline uint64_t clock_next(struct clock *clock, uint64_t now_ms)
{
    uint64_t wall = now_ms << CLOCK_COUNTER_BITS;
    clock->last = wall > clock->last ? wall : clock->last + 1;
    return clock->last;
}

/* Someone else's event was seen. */
static inline void clock_see(struct clock *clock, uint64_t time)
{
    if (time > clock->last)
        clock->last = time;
}

static inline uint64_t clock_ms(uint64_t time)
{
    return time >> CLOCK_COUNTER_BITS;
}

#endif
