/* SPDX-License-Identifier: MIT */
/*
 * Linearizability of one key (Herlihy, Wing 1990): whether there is an order of its operations,
 * one after the other, each between its beginning and its end, in which every reply is right. An
 * operation without a reply may come anywhere after its beginning, or never.
 *
 * The search is Wing and Gong's (1993), with Lowe's memory of what was already tried (2017): a
 * state, and the set of operations done. What fits and changes nothing is done at once: no other
 * order can be better. Of operations without a reply that do the same only the first is tried.
 *
 *   A7  there is no such order: SET NX, GETSET, DEL, INCRBY and what reads show
 */
#ifndef SIM_CHECK_LINEAR_H
#define SIM_CHECK_LINEAR_H

#include "sim/check_history.h"

enum {
    LINEAR_OPERATIONS_MAX = 4096, /* of a key with more nothing is said */
    LINEAR_STEPS_MAX = 200000,    /* of one search: then it is given up */
};

/* Of a register or a counter, without times to live. Keys that were searched, and those that were
 * given up, are counted. */
void check_linear(const struct history *history, size_t key, struct cluster_trace *trace,
                  struct check_counts *counts);

#endif
