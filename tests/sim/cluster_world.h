/* SPDX-License-Identifier: MIT */
/*
 * Whole nodes on simulated machines, joined by a simulated network, in virtual time: a cluster is
 * formed, clients work, things go wrong (cluster_plan.h); then all is healed, and the cluster must
 * come to rest: all owners equal, nothing left to do, every key readable at every node. What the
 * clients saw is checked by check_history.h.
 *
 *   A4   owners are equal within a bound after all was healed, hold no hints, and stay equal
 *        through two more rounds of anti-entropy without a repair
 *   A12  every key can be read at every node within a bound; and the world ends: what goes round
 *        and round is stopped after so many events
 */
#ifndef SIM_CLUSTER_WORLD_H
#define SIM_CLUSTER_WORLD_H

#include "sim/check_copies.h"
#include "sim/cluster_plan.h"

struct cluster_result {
    bool passed;
    uint64_t hash; /* of all that happened */
    char checker[16];
    char failure[CLUSTER_FAILURE_MAX];
    struct check_counts counts;
    struct copies_counts copies;
    uint64_t virtual_us, events; /* how long it took, and how many timers fired */
    struct sim_net_stats net;
};

/* Runs the world of that plan. With `told` every step is printed. */
void cluster_world_run(const struct cluster_plan *plan, bool told, struct cluster_result *out);

/* The plan of a world that fails, as small as it fails still: faults and clients that it does not
 * need are dropped. Only the same kind of failure counts. `tries`: at most so many worlds are run.
 */
void cluster_world_shrink(struct cluster_plan *plan, unsigned tries);

#endif
