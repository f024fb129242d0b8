/* SPDX-License-Identifier: MIT */
/* What a node counts about itself, for INFO. Plain counters, on the core thread. */
#ifndef OBSERVE_STATS_H
#define OBSERVE_STATS_H

#include <stdint.h>

struct stats {
    uint64_t started_ms;
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t commands_processed;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t keyspace_hits;
    uint64_t keyspace_misses;
    uint64_t error_replies;
    uint64_t reruns;                 /* of commands whose rows were cold */
    uint64_t acl_denied_auth;
    uint64_t peak_memory;
    /* operations per second, as Redis: sampled each 100 ms over 16 samples */
    uint64_t sample_commands[16], sample_input[16], sample_output[16];
    uint64_t sampled_ms, sampled_commands, sampled_input, sampled_output;
    unsigned sample;
};

/* Each 100 ms. */
void stats_sample(struct stats *stats, uint64_t now_ms);
uint64_t stats_per_second(const uint64_t samples[16]);
/* CONFIG RESETSTAT. */
void stats_reset(struct stats *stats);

#endif
