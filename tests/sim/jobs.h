/* SPDX-License-Identifier: MIT */
/*
 * Numbered pieces of work, each done by one of several processes, what came of them told in the
 * order of their numbers: as if they had been done one after the other. What a piece writes to
 * stderr goes with its result. A piece whose process dies has failed, and is told as that; another
 * process takes that one's place.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { JOBS_PROCESSES_MAX = 256 };

struct jobs {
    unsigned processes; /* at least 1 */
    uint64_t count;     /* of pieces, numbered from 0 */
    size_t result_size; /* of each, at least 1 */
    void *context;      /* of both functions */
    /* In one of the processes: fills in the result, all zeros before. */
    void (*run)(void *context, uint64_t number, void *result);
    /* In the caller's process, with what the piece had to say. `died`: the result is zeros. False:
     * that is enough, of the other pieces nothing is told. */
    bool (*take)(void *context, uint64_t number, const void *result, struct bytes said, bool died);
};

void jobs_run(const struct jobs *jobs);

#endif
