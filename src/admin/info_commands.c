/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "admin/admin.h"

static void name_of(const struct request *request, unsigned number,
                    char out[COMMAND_FULL_NAME_SIZE])
{
    const struct command_entry *entry = command_entry_at(request->commands, number);
    command_full_name(entry->parent, entry->command, out, COMMAND_FULL_NAME_SIZE);
}

void info_commandstats(const struct request *request, struct buffer *out)
{
    const struct stats *stats = request->admin->stats;
    for (unsigned i = 0; i < stats->command_count; i++) {
        const struct command_stats *command = &stats->commands[i];
        char name[COMMAND_FULL_NAME_SIZE];
        if (command->calls == 0 && command->rejected == 0)
            continue;
        name_of(request, i, name);
        double busy_us = (double)command->busy_ns / 1000;
        buffer_printf(out,
                      "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64
                      ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
                      name, command->calls, command->busy_ns / 1000,
                      command->calls > 0 ? busy_us / (double)command->calls : 0.0,
                      command->rejected, command->failed);
    }
}

void info_latencystats(const struct request *request, struct buffer *out)
{
    const struct stats *stats = request->admin->stats;
    const struct config *config = request->admin->config;
    for (unsigned i = 0; config->latency_tracking && i < stats->command_count; i++) {
        const struct histogram *latency = stats->commands[i].latency;
        char name[COMMAND_FULL_NAME_SIZE];
        if (!latency)
            continue;
        name_of(request, i, name);
        buffer_printf(out, "latency_percentiles_usec_%s:", name);
        for (unsigned j = 0; j < config->latency_percentile_count; j++) {
            double percentile = config->latency_percentiles[j];
            buffer_printf(out, j == 0 ? "p" : ",p");
            percentile_print(percentile, out);
            buffer_printf(out, "=%.3f", (double)histogram_percentile(latency, percentile) / 1000);
        }
        buffer_printf(out, "\r\n");
    }
}
