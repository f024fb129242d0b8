/* SPDX-License-Identifier: MIT */
/*
 * What requests came to: kept for a minute, so that whoever sent a request to a coordinator that is
 * gone can be told. Bounded in bytes: the oldest go first. Of runs that another one has overtaken,
 * or that may have been, what they have made is kept for longer: as long as networks part.
 */
#ifndef QUORUM_OUTCOMES_H
#define QUORUM_OUTCOMES_H

#include "base/list.h"
#include "quorum/quorum.h"

struct outcome_record {
    struct list link; /* by age */
    struct outcome_record *chain;
    struct request_id id;
    uint64_t kept_ms;
    bool is_kept; /* for longer */
    uint64_t gate;
    uint32_t reply_size, heads_size, dots_size;
    char bytes[]; /* reply, heads, dots */
};

struct outcomes {
    struct list by_age;
    struct outcome_record **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t count;
    size_t bytes, bytes_max;
    struct list kept; /* for longer, by age; in all of the above but by_age */
    size_t kept_bytes;
};

enum { OUTCOMES_KEPT_PART = 8 }; /* of all bytes: what is kept for longer may be so many */

void outcomes_init(struct outcomes *outcomes, size_t bytes_max);
void outcomes_deinit(struct outcomes *outcomes);

/*
 * A request may have several records: rows that came in several batches. `dots`: of a blind write
 * that ran here, for each of the heads the event that it was, actor(8) time(8), time 0 for none;
 * else nothing.
 */
void outcomes_add(struct outcomes *outcomes, struct request_id id, struct bytes reply,
                  struct bytes heads, struct bytes dots, uint64_t gate, uint64_t now_ms);

/* What this request made here (dots) is kept for QUORUM_RUNS_KEPT_MS from now on. */
void outcomes_keep(struct outcomes *outcomes, struct request_id id, uint64_t now_ms);

/* The newest record of that request that is not too old, then (after) the one before
 * it; NULL: none. */
const struct outcome_record *outcomes_find(const struct outcomes *outcomes, struct request_id id,
                                           const struct outcome_record *after, uint64_t now_ms);

static inline struct bytes outcome_reply(const struct outcome_record *record)
{
    return bytes_of(record->bytes, record->reply_size);
}

static inline struct bytes outcome_heads(const struct outcome_record *record)
{
    return bytes_of(record->bytes + record->reply_size, record->heads_size);
}

static inline struct bytes outcome_dots(const struct outcome_record *record)
{
    return bytes_of(record->bytes + record->reply_size + record->heads_size, record->dots_size);
}

#endif
