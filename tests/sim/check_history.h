/* SPDX-License-Identifier: MIT */
/*
 * The checkers: what a history of a cluster's clients must not show, whatever went wrong meanwhile.
 *
 * Real time alone decides what came before what: an event was before another if its reply had come
 * when the other began. What overlaps may have happened in either order, and what got no reply may
 * happen at any later time; but what is told to be unknown does not begin any more, and a deletion
 * takes away nothing that was begun after that. So there is no false alarm, whichever node did
 * what; but where clocks are wrong, or apart by some milliseconds, the newest of several values
 * that had not seen each other may be the one that was written first: `slack_us` is how far the
 * times of two nodes may be apart, and orders within it count for nothing.
 *
 *   A1, A2  a final read shows a value that had been overwritten, or nothing where there was
 *           something: an acknowledged write is lost, or something has come back
 *   A3      a value that nobody has written to that key, or a write that never was to be
 *   A2      a version next to one whose writer had seen it (check_versions.h)
 *   A5      a client sees less than before (check_sessions.h)
 *   A6      in strict mode: the same as A1 for each read
 *   A7      no order of the operations explains all replies (check_linear.h): in strict mode, and
 *           where there is one coordinator; a condition that judges by less than was acknowledged
 *           before: SET NX, DEL
 *   A8      a counter below what was acknowledged (at the end; in strict mode always) or above what
 *           was attempted
 *   A9      a value after its time, or gone before it
 *   A10     more versions than there may be (check_versions.h)
 *   A13     a write that was refused is there, or one whose context is forged was not refused
 */
#ifndef SIM_CHECK_HISTORY_H
#define SIM_CHECK_HISTORY_H

#include "sim/cluster_history.h"
#include "sim/cluster_trace.h"

struct check_options {
    bool strict;       /* R + W > N and no stand-ins, and clocks that agree */
    bool monotonic;    /* strict, and what one read has shown the next one shows */
    bool linear;       /* the same: operations of a key have an order */
    bool undivided;    /* no two coordinators ever at once: a log keeps all of its tokens */
    bool reverted;     /* a directory was put back as it had been: with it comes what was deleted
                          since, or has expired, and of which all others have collected the
                          tombstone */
    uint64_t slack_us; /* see above */
};

struct check_counts {
    uint64_t reads, final_reads;
    uint64_t stale; /* reads that a strict store would not have given */
    uint64_t session_reads, steps_back, steps_back_staying; /* A5: of these, at the same node */
    uint64_t linear_keys, linear_given_up;                  /* A7 */
    uint64_t unknown;                                       /* writes of which nobody knows */
    uint64_t acknowledged, refused;
};

/* Says the first failure to the trace. */
void check_history(const struct history *history, const struct check_options *options,
                   struct cluster_trace *trace, struct check_counts *out_counts);

#endif
