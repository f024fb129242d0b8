/* SPDX-License-Identifier: MIT */
#include "observe/stats.h"

#include "base/memory.h"

void stats_init(struct stats *stats, uint64_t now_ms, unsigned command_count)
{
    *stats = (struct stats){
        .started_ms = now_ms,
        .commands = memory_zeroed(command_count * sizeof(struct command_stats)),
        .command_count = command_count,
    };
}

static void reset_commands(struct stats *stats)
{
    for (unsigned i = 0; i < stats->command_count; i++)
        command_stats_reset(&stats->commands[i]);
}

void stats_deinit(struct stats *stats)
{
    reset_commands(stats);
    memory_free(stats->commands);
}

static uint64_t rate(uint64_t count, uint64_t elapsed_ms)
{
    return count * 1000 / elapsed_ms;
}

void stats_sample(struct stats *stats, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > stats->sampled_ms ? now_ms - stats->sampled_ms : 0;
    if (stats->sampled_ms != 0 && elapsed_ms > 0) {
        unsigned i = stats->sample;
        stats->sample_commands[i] =
            rate(stats->commands_processed - stats->sampled_commands, elapsed_ms);
        stats->sample_input[i] = rate(stats->input_bytes - stats->sampled_input, elapsed_ms);
        stats->sample_output[i] = rate(stats->output_bytes - stats->sampled_output, elapsed_ms);
        stats->sample = (i + 1) % STATS_SAMPLES;
    }
    stats->sampled_ms = now_ms;
    stats->sampled_commands = stats->commands_processed;
    stats->sampled_input = stats->input_bytes;
    stats->sampled_output = stats->output_bytes;
}

uint64_t stats_per_second(const uint64_t samples[STATS_SAMPLES])
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < STATS_SAMPLES; i++)
        sum += samples[i];
    return sum / STATS_SAMPLES;
}

void stats_error(struct stats *stats, struct bytes text)
{
    size_t size = 0;
    while (size < text.size && size < STATS_ERROR_NAME_MAX - 1 && text.data[size] > ' ' &&
           text.data[size] != ':')
        size++;
    stats->error_replies++;
    if (size == 0)
        return;
    for (unsigned i = 0; i < STATS_ERRORS_MAX; i++) {
        struct stats_error *error = &stats->errors[i];
        if (error->name[0] == '\0')
            memcpy(error->name, text.data, size);
        if (bytes_equal(bytes_text(error->name), bytes_of(text.data, size))) {
            error->count++;
            return;
        }
    }
}

void stats_reset(struct stats *stats)
{
    reset_commands(stats);
    *stats = (struct stats){
        .started_ms = stats->started_ms,
        .peak_memory = stats->peak_memory,
        .commands = stats->commands,
        .command_count = stats->command_count,
    };
}
