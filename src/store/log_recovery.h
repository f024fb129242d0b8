/* SPDX-License-Identifier: MIT */
/*
 * Reading a log back and judging its damage (rule 6). Internal to the log.
 */
#ifndef STORE_LOG_RECOVERY_H
#define STORE_LOG_RECOVERY_H

#include "store/log.h"

/* A segment that is kept: it holds whole batches from `start` to `end`, and nothing behind. */
struct log_place {
    uint64_t start;
    uint64_t end;
};

struct log_places {
    struct log_place *items; /* ascending; memory_alloc */
    size_t count;
};

/*
 * Judges, and then makes the directory what it should be: a lost tail cut off, segments that are
 * not needed removed, the rest synced. Errors as log_open.
 */
MUST_CHECK enum status log_recover(struct files *files, uint64_t sealed,
                                   struct log_recovery *out_recovery, struct log_places *out_places,
                                   struct buffer *out_error);

/* Replays of such a segment what stands at or after *position, which moves with it. Errors as
 * log_replay. */
MUST_CHECK enum status log_replay_place(struct files *files, struct log_place place,
                                        const struct log_replay *replay, uint64_t *position,
                                        struct buffer *out_error);

#endif
