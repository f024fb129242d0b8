/* SPDX-License-Identifier: MIT */
/* What a node counts about itself, for INFO. Plain counters, on the core thread. */
#ifndef OBSERVE_STATS_H
#define OBSERVE_STATS_H

#include <stdint.h>

#include "base/bytes.h"
#include "observe/command_stats.h"

enum {
    STATS_SAMPLES = 16,
    STATS_ERRORS_MAX = 128, /* kinds of error told apart, as in Redis */
    STATS_ERROR_NAME_MAX = 32,
};

/* Error replies by their first word: "ERR", "WRONGTYPE". */
struct stats_error {
    char name[STATS_ERROR_NAME_MAX];
    uint64_t count;
};

struct stats {
    uint64_t started_ms;
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t commands_processed;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t reads, writes; /* of sockets */
    uint64_t keyspace_hits;
    uint64_t keyspace_misses;
    uint64_t error_replies;
    uint64_t reruns; /* of commands whose rows were cold */
    uint64_t acl_denied_auth;
    uint64_t output_limit_disconnections;
    uint64_t peak_memory;
    /* operations per second, as Redis: sampled each 100 ms over 16 samples */
    uint64_t sample_commands[STATS_SAMPLES];
    uint64_t sample_input[STATS_SAMPLES];
    uint64_t sample_output[STATS_SAMPLES];
    uint64_t sampled_ms, sampled_commands, sampled_input, sampled_output;
    unsigned sample;
    struct stats_error errors[STATS_ERRORS_MAX]; /* as they came; an empty name ends them */
    struct command_stats *commands;              /* by the commands' numbers, owned */
    unsigned command_count;
};

void stats_init(struct stats *stats, uint64_t now_ms, unsigned command_count);
void stats_deinit(struct stats *stats);

/* Counts an error reply by its text, "ERR syntax error". */
void stats_error(struct stats *stats, struct bytes text);

/* Each 100 ms. */
void stats_sample(struct stats *stats, uint64_t now_ms);
uint64_t stats_per_second(const uint64_t samples[STATS_SAMPLES]);
/* CONFIG RESETSTAT: all but when the process started and the most memory it used. */
void stats_reset(struct stats *stats);

#endif
