/* SPDX-License-Identifier: MIT */
/*
 * How long a node usually takes to answer: a moving average and its deviation, as TCP's of round
 * trips (Jacobson 1988). Who takes longer than the average and four deviations is slow.
 */
#ifndef QUORUM_ANSWER_TIME_H
#define QUORUM_ANSWER_TIME_H

#include <stdbool.h>
#include <stdint.h>

enum { ANSWER_TIME_MAX_MS = 60000 };

struct answer_time {
    uint32_t mean8;      /* milliseconds, times 8 */
    uint32_t deviation4; /* times 4 */
    bool known;
};

static inline void answer_time_add(struct answer_time *time, uint64_t ms)
{
    uint32_t sample = ms < ANSWER_TIME_MAX_MS ? (uint32_t)ms : ANSWER_TIME_MAX_MS;
    if (!time->known) {
        *time = (struct answer_time){8 * sample, 2 * sample, true};
        return;
    }
    uint32_t mean = time->mean8 / 8;
    uint32_t apart = sample > mean ? sample - mean : mean - sample;
    time->mean8 += sample - mean;
    time->deviation4 += apart - time->deviation4 / 4;
}

/* It is slow when it takes longer: `least` or more, and `most` at most. */
static inline uint64_t answer_time_patience(const struct answer_time *time, uint64_t least,
                                            uint64_t most)
{
    uint64_t ms = time->mean8 / 8 + time->deviation4;
    return ms < least ? least : ms > most ? most : ms;
}

#endif
