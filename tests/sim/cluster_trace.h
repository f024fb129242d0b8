/* SPDX-License-Identifier: MIT */
/*
 * What happens in a cluster world: told line by line where somebody wants to read it, and hashed in
 * any case: the same seed, the same hash. The first failure is kept.
 */
#ifndef SIM_CLUSTER_TRACE_H
#define SIM_CLUSTER_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim_clock.h"

enum { CLUSTER_FAILURE_MAX = 400 };

struct cluster_trace {
    const struct sim_clock *clock;
    bool told;
    uint64_t hash;
    bool failed;
    char checker[16];                  /* which one failed: "A1" */
    char failure[CLUSTER_FAILURE_MAX]; /* how */
};

/* One line, with the time in seconds. */
void trace_tell(struct cluster_trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Only hashed. */
void trace_mix(struct cluster_trace *trace, uint64_t fact);

/* Something that must not be. */
void trace_fail(struct cluster_trace *trace, const char *checker, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
