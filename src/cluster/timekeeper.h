/* SPDX-License-Identifier: MIT */
/*
 * What time a node goes by, when it sets and judges deadlines of keys: its wall clock, as long as
 * that can be believed (rule 12). What hides a key, or keeps it, must not be one wrong clock.
 *
 * The wall clock is doubted when it jumps against a clock that never goes back (the steady one), or
 * is off the median of what peers go by; each time by more than TIMEKEEPER_OFF_MS. Smaller steps
 * are followed. While it is doubted time goes on by the steady clock, from where it was; where even
 * that is off the peers' median, as after a start with a wrong clock, it is the median. The wall
 * clock is believed again when
 *
 *   - it agrees with this node's time again: the jump is undone;
 *   - it agrees with the peers' median: it was this node's time that was wrong (it was started with
 *     a wrong clock that has been set since; the machine slept, and the steady clock stood);
 *   - most of the cluster's wall clocks agree with it: all were set, or all machines slept;
 *   - nobody else is in the cluster, and it has gone on evenly since for TIMEKEEPER_ALONE_MS.
 *
 * So no single clock moves the time of a node that is up, nor does one in a minority. A node that
 * starts has nothing but its wall clock, until the first peer tells: it is not `sure`, follows
 * those that are, and its own word counts only among others that are not either. Of two nodes that
 * contradict each other, and are both not sure, the one that is behind is right: what expires too
 * late is not lost. Two that are sure stay each with its own.
 *
 * Pure: clocks come in. What peers have told stands in gossip.
 */
#ifndef CLUSTER_TIMEKEEPER_H
#define CLUSTER_TIMEKEEPER_H

#include "cluster/gossip.h"

enum {
    TIMEKEEPER_OFF_MS = 60 * 1000,
    TIMEKEEPER_ALONE_MS = 60 * 1000,
};

/* Begins as all zeros. */
struct timekeeper {
    bool begun;
    bool sure;         /* others have confirmed this node's time, or there is nobody else */
    bool doubts;       /* the wall clock is not believed */
    int64_t ahead_ms;  /* this node's time, before the steady clock */
    int64_t jumped_ms; /* where the wall clock stands before it, while doubted, */
    uint64_t since_ms; /* evenly since this time of the steady clock */
};

/*
 * The time, given what the two clocks show. `members`: of the cluster's layout; 0: it belongs to
 * none yet. Asked before anything is done by the time, and again when peers may have told more.
 */
uint64_t timekeeper_time(struct timekeeper *keeper, const struct gossip *gossip, size_t members,
                         uint64_t steady_ms, uint64_t wall_ms);

/*
 * The median of the times that peers go by; but `time_ms`, this node's own, which is as of now,
 * where the two contradict each other, since that has been judged: the only peer there is may have
 * started with a wrong clock, and not have heard of a right one yet.
 */
uint64_t timekeeper_median(const struct gossip *gossip, uint64_t steady_ms, uint64_t time_ms);

/* What others are to be told (gossip_set_clock): as of the last time asked for. */
struct gossip_clock timekeeper_says(const struct timekeeper *keeper, uint64_t steady_ms,
                                    uint64_t wall_ms);

#endif
