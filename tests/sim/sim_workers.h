/* SPDX-License-Identifier: MIT */
/*
 * Storage threads without threads: a job runs when the test says so, and its `done` is called when
 * the test polls, so anything may happen in between. Deterministic from a seed.
 */
#ifndef SIM_WORKERS_H
#define SIM_WORKERS_H

#include <stdint.h>

#include "store/workers.h"

struct sim_workers;

struct sim_workers *sim_workers_new(uint64_t seed);
struct workers *sim_workers_interface(struct sim_workers *workers);

/* What is still waiting is forgotten. Also the interface's `free`. */
void sim_workers_free(struct sim_workers *workers);

/*
 * Runs one waiting job: the first of a class drawn by the seed; of cold reads, which have several
 * threads, any. Its `done` is called by the next poll or drain. False if none waits.
 */
bool sim_workers_step(struct sim_workers *workers);

/* From now on the news of a job that has run comes late: each poll misses it once in `odds` (0:
 * never), as where a thread is held up between the two. */
void sim_workers_set_late(struct sim_workers *workers, unsigned odds);

/* Jobs that wait to run, and jobs that have run and wait for `done`. */
unsigned sim_workers_waiting(const struct sim_workers *workers);
unsigned sim_workers_ran(const struct sim_workers *workers);

/*
 * The process crashes: no job runs any more, no `done` is called. To be called before the jobs'
 * memory is freed.
 */
void sim_workers_crash(struct sim_workers *workers);

#endif
