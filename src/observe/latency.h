/* SPDX-License-Identifier: MIT */
/*
 * What kept the core thread, or what it waited for, longer than latency-monitor-threshold: per kind
 * of event the worst of each second, the last 160 of them, as LATENCY shows it.
 */
#ifndef OBSERVE_LATENCY_H
#define OBSERVE_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

enum { LATENCY_SAMPLES = 160 };

/* Redis's where it has the like; ours are explained by LATENCY DOCTOR. */
#define LATENCY_EVENTS(X)                                                                          \
    X(COMMAND, "command")               /* from its first run to its reply */                      \
    X(FAST_COMMAND, "fast-command")     /* the same of those that the table calls fast */          \
    X(EXPIRE_CYCLE, "expire-cycle")     /* removing keys whose time is over */                     \
    X(EVICTION_CYCLE, "eviction-cycle") /* making room: one look at the budget */                  \
    X(LOG_WRITE, "log-write")           /* the turn's batch into the log's file */                 \
    X(LOG_SYNC, "log-sync")             /* until the disk has it: on a storage thread */           \
    X(COLD_READ, "cold-read")           /* one reading of rows from disk: on a storage thread */   \
    X(SEAL, "seal") /* changed rows become a table: on a storage thread, at low priority */

enum latency_event {
#define LATENCY_ENUM(name, text) LATENCY_##name,
    LATENCY_EVENTS(LATENCY_ENUM)
#undef LATENCY_ENUM
        LATENCY_EVENT_COUNT,
};

struct latency_sample {
    uint32_t time_s; /* Unix time; 0: none */
    uint32_t milliseconds;
};

struct latency_series {
    struct latency_sample samples[LATENCY_SAMPLES]; /* a ring */
    unsigned next;
    uint32_t worst_ms; /* of all, the forgotten ones too */
};

struct latency {
    struct latency_series series[LATENCY_EVENT_COUNT];
};

const char *latency_event_name(enum latency_event event);

/* By name: as it is, or with `nocase`. False: there is no such event. */
bool latency_event_find(struct bytes name, bool nocase, enum latency_event *out_event);

void latency_add(struct latency *latency, enum latency_event event, uint64_t now_ms,
                 uint64_t duration_ms);

/* Whether there is any sample. */
bool latency_has(const struct latency *latency, enum latency_event event);

/* From the oldest, index 0.., to the newest; false past the end. */
bool latency_sample(const struct latency *latency, enum latency_event event, unsigned index,
                    struct latency_sample *out_sample);

/* Forgets the event's samples; true if there were any. */
bool latency_reset(struct latency *latency, enum latency_event event);

/* What the samples of an event come to. */
struct latency_summary {
    unsigned samples;
    uint32_t least_ms, mean_ms, most_ms;
    uint32_t deviation_ms; /* mean distance from the mean */
    uint32_t worst_ms;
    uint64_t period_s; /* since the oldest; at least 1 */
};
struct latency_summary latency_summarize(const struct latency *latency, enum latency_event event,
                                         uint64_t now_ms);

#endif
