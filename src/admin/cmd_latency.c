/* SPDX-License-Identifier: MIT */
/* LATENCY: what took long, when, and how long the calls of each command take. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/admin.h"

enum {
    FIRST_BITS = 10, /* the first bucket of LATENCY HISTOGRAM: below 1024 ns */
    GRAPH_COLUMNS = 80,
    GRAPH_ROWS = 4,
    GRAPH_STEPS = 3, /* marks a row: _ o # */
    AGE_MAX = 24,
};

static enum status latency_latest(struct request *request)
{
    const struct latency *latency = request->admin->latency;
    size_t count = 0;
    for (unsigned event = 0; event < LATENCY_EVENT_COUNT; event++)
        count += latency_has(latency, event);
    reply_array(request->reply, count);
    for (unsigned event = 0; event < LATENCY_EVENT_COUNT; event++) {
        struct latency_sample sample;
        unsigned i = 0;
        while (latency_sample(latency, event, i, &sample))
            i++;
        if (i == 0)
            continue;
        reply_array(request->reply, 4);
        reply_bulk_text(request->reply, latency_event_name(event));
        reply_integer(request->reply, sample.time_s);
        reply_integer(request->reply, sample.milliseconds);
        reply_integer(request->reply, latency->series[event].worst_ms);
    }
    return STATUS_OK;
}

static enum status latency_history(struct request *request)
{
    const struct latency *latency = request->admin->latency;
    enum latency_event event;
    struct latency_sample sample;
    unsigned count = 0;
    if (!latency_event_find(request->argv[2], false, &event)) {
        reply_array(request->reply, 0);
        return STATUS_OK;
    }
    while (latency_sample(latency, event, count, &sample))
        count++;
    reply_array(request->reply, count);
    for (unsigned i = 0; latency_sample(latency, event, i, &sample); i++) {
        reply_array(request->reply, 2);
        reply_integer(request->reply, sample.time_s);
        reply_integer(request->reply, sample.milliseconds);
    }
    return STATUS_OK;
}

static enum status latency_forget(struct request *request)
{
    struct latency *latency = request->admin->latency;
    enum latency_event event;
    int64_t count = 0;
    for (unsigned i = 0; request->argc == 2 && i < LATENCY_EVENT_COUNT; i++)
        count += latency_reset(latency, i);
    for (uint32_t i = 2; i < request->argc; i++)
        if (latency_event_find(request->argv[i], true, &event))
            count += latency_reset(latency, event);
    reply_integer(request->reply, count);
    return STATUS_OK;
}

/* ---- GRAPH ----------------------------------------------------------------------------------- */

/* "12s", "3m", "5h", "2d". */
static void print_age(uint64_t age_s, char out[AGE_MAX])
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{24 * 3600, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    unsigned unit = 0;
    while (unit < 3 && age_s < units[unit].seconds)
        unit++;
    snprintf(out, AGE_MAX, "%" PRIu64 "%c", age_s / units[unit].seconds, units[unit].letter);
}

/* What a column shows in a row, 0 the lowest. */
static char mark(uint32_t value, const struct latency_summary *range, unsigned row)
{
    unsigned height = 0;
    if (range->most_ms > range->least_ms)
        height = (unsigned)((uint64_t)(value - range->least_ms) * (GRAPH_ROWS * GRAPH_STEPS - 1) /
                            (range->most_ms - range->least_ms));
    if (height / GRAPH_STEPS == row)
        return "_o#"[height % GRAPH_STEPS];
    return height / GRAPH_STEPS > row ? '|' : ' ';
}

/* Columns first..end: the marks, then below each its age, downwards. */
static void draw(const struct latency *latency, enum latency_event event, unsigned first,
                 unsigned end, uint64_t now_ms, struct buffer *out)
{
    struct latency_summary range = latency_summarize(latency, event, now_ms);
    struct latency_sample sample;
    for (unsigned row = GRAPH_ROWS; row-- > 0;) {
        for (unsigned i = first; i < end && latency_sample(latency, event, i, &sample); i++)
            buffer_append_u8(out, (uint8_t)mark(sample.milliseconds, &range, row));
        buffer_append_u8(out, '\n');
    }
    buffer_append_u8(out, '\n');
    bool more = true;
    for (size_t line = 0; more && line < AGE_MAX; line++) {
        more = false;
        for (unsigned i = first; i < end && latency_sample(latency, event, i, &sample); i++) {
            char age[AGE_MAX];
            uint64_t now_s = now_ms / 1000;
            print_age(now_s > sample.time_s ? now_s - sample.time_s : 0, age);
            buffer_append_u8(out, line < strlen(age) ? (uint8_t)age[line] : ' ');
            more = more || line + 1 < strlen(age);
        }
        buffer_append_u8(out, '\n');
    }
}

static enum status latency_graph(struct request *request)
{
    const struct latency *latency = request->admin->latency;
    struct bytes name = request->argv[2];
    enum latency_event event;
    if (!latency_event_find(name, false, &event) || !latency_has(latency, event)) {
        reply_errorf(request->reply, "ERR No samples available for event '%.*s'",
                     request_echoed(name), name.data);
        return STATUS_REPLIED;
    }
    struct latency_summary summary = latency_summarize(latency, event, request->now_ms);
    struct buffer text = {0};
    buffer_printf(&text,
                  "%s - high %" PRIu32 " ms, low %" PRIu32 " ms (all time high %" PRIu32 " ms)\n",
                  latency_event_name(event), summary.most_ms, summary.least_ms, summary.worst_ms);
    for (unsigned i = 0; i < GRAPH_COLUMNS; i++)
        buffer_append_u8(&text, '-');
    buffer_append_u8(&text, '\n');
    for (unsigned first = 0; first < summary.samples; first += GRAPH_COLUMNS)
        draw(latency, event, first, first + GRAPH_COLUMNS, request->now_ms, &text);
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

/* ---- DOCTOR ---------------------------------------------------------------------------------- */

/* What an event means, and what can be done about it. */
static const char *const advice[LATENCY_EVENT_COUNT] = {
    [LATENCY_COMMAND] =
        "Commands that do much, like KEYS, or that had to read from disk. SLOWLOG GET names them; "
        "row_misses and cold_reads in INFO shoal tell whether the data that is used fits in "
        "maxmemory.",
    [LATENCY_FAST_COMMAND] =
        "Commands that do little by themselves: they had to read from disk (see cold_reads in INFO "
        "shoal), or this process did not get the processor. Look at the load of the machine.",
    [LATENCY_EXPIRE_CYCLE] = "Many keys expire at the same time. Spread their times.",
    [LATENCY_EVICTION_CYCLE] =
        "Keys are evicted because maxmemory is reached. It goes on while more is written than "
        "fits.",
    [LATENCY_LOG_WRITE] =
        "The system is slow in taking writes to the log: its disk is busy, or its memory short.",
    [LATENCY_LOG_SYNC] =
        "The disk is slow in making the log durable. Commands wait for it with appendfsync always "
        "only; a faster disk helps, or appendfsync everysec.",
    [LATENCY_COLD_READ] =
        "The disk is slow in reading rows that are not in memory. A faster disk helps, or a larger "
        "maxmemory.",
    [LATENCY_SEAL] = "Moving changed rows into the ordered files takes long, as it may: commands "
                     "wait for it only "
                     "when more is written meanwhile than there is room for in memory.",
};

static void print_diagnosis(const struct request *request, enum latency_event event,
                            unsigned number, struct buffer *out)
{
    struct latency_summary summary =
        latency_summarize(request->admin->latency, event, request->now_ms);
    buffer_printf(out,
                  "%u. %s: %u latency spikes (average %" PRIu32 "ms, mean deviation %" PRIu32
                  "ms, period %.2f sec). Worst all time event %" PRIu32 "ms.\n   %s\n",
                  number, latency_event_name(event), summary.samples, summary.mean_ms,
                  summary.deviation_ms, (double)summary.period_s / summary.samples,
                  summary.worst_ms, advice[event]);
}

static enum status latency_doctor(struct request *request)
{
    const struct admin *admin = request->admin;
    struct buffer text = {0};
    unsigned count = 0;
    for (unsigned event = 0; event < LATENCY_EVENT_COUNT; event++)
        if (latency_has(admin->latency, event))
            print_diagnosis(request, event, ++count, &text);
    if (count == 0 && admin->config->latency_threshold_ms == 0)
        buffer_printf(&text,
                      "Latency monitoring is off. CONFIG SET latency-monitor-threshold "
                      "<milliseconds> turns it on: what takes at least so long is remembered.\n");
    else if (count == 0)
        buffer_printf(&text, "No latency spike was observed so far.\n");
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

/* ---- HISTOGRAM ------------------------------------------------------------------------------- */

static size_t count_steps(const struct histogram *histogram)
{
    size_t steps = 0;
    uint64_t before = 0;
    for (unsigned bits = FIRST_BITS; before < histogram->total; bits++) {
        uint64_t below = histogram_below(histogram, bits);
        steps += below > before;
        before = below;
    }
    return steps;
}

/* Calls, and for each power of two of 1.024 microseconds how many of them took less, where that
 * adds any. */
static void reply_histogram(struct reply *reply, const struct histogram *histogram)
{
    reply_map(reply, 2);
    reply_bulk_text(reply, "calls");
    reply_integer(reply, (int64_t)histogram->total);
    reply_bulk_text(reply, "histogram_usec");
    reply_map(reply, count_steps(histogram));
    uint64_t before = 0;
    for (unsigned bits = FIRST_BITS; before < histogram->total; bits++) {
        uint64_t below = histogram_below(histogram, bits);
        if (below > before) {
            reply_integer(reply, ((int64_t)1 << bits) / 1000);
            reply_integer(reply, (int64_t)below);
        }
        before = below;
    }
}

/* Whether the words ask for this command: by its name, or by its parent's. Without words, yes. */
static bool is_asked(const struct request *request, const struct command_entry *entry)
{
    char name[COMMAND_FULL_NAME_SIZE];
    command_full_name(entry->parent, entry->command, name, sizeof(name));
    for (uint32_t i = 2; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        if (bytes_equal_nocase(word, bytes_text(name)) ||
            (entry->parent && bytes_equal_nocase(word, bytes_text(entry->parent->name))))
            return true;
    }
    return request->argc == 2;
}

static enum status latency_histogram(struct request *request)
{
    const struct stats *stats = request->admin->stats;
    size_t count = 0;
    bool *asked = arena_alloc(request->arena, stats->command_count * sizeof(*asked));
    for (unsigned i = 0; i < stats->command_count; i++) {
        asked[i] =
            stats->commands[i].latency && is_asked(request, command_entry_at(request->commands, i));
        count += asked[i];
    }
    reply_map(request->reply, count);
    for (unsigned i = 0; i < stats->command_count; i++) {
        char name[COMMAND_FULL_NAME_SIZE];
        const struct command_entry *entry = command_entry_at(request->commands, i);
        if (!asked[i])
            continue;
        command_full_name(entry->parent, entry->command, name, sizeof(name));
        reply_bulk_text(request->reply, name);
        reply_histogram(request->reply, stats->commands[i].latency);
    }
    return STATUS_OK;
}

static enum status latency_help(struct request *request)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the "
        "specified command names.",
        "    If no commands are specified then all histograms are replied.",
        NULL,
    };
    return command_help(request, lines);
}

#define SUBCOMMAND(word, function, words, order, notation, text, difference)                       \
    {                                                                                              \
        .name = (word), .handler = (function), .arity = (words),                                   \
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, .since = "2.8.13",            \
        .group = "server", .complexity = (order), .syntax = (notation), .summary = (text),         \
        .tips = "nondeterministic_output request_policy:all_nodes response_policy:special",        \
        .differs = (difference)                                                                    \
    }

static const struct command latency_subcommands[] = {
    SUBCOMMAND("doctor", latency_doctor, 2, "O(1)", "",
               "Returns a human-readable latency analysis report.", "It speaks of this server."),
    SUBCOMMAND("graph", latency_graph, 3, "O(1)", "event", "Returns a latency graph for an event.",
               NULL),
    {.name = "help",
     .handler = latency_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {.name = "histogram",
     .handler = latency_histogram,
     .arity = -2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of commands with latency information being "
                   "retrieved.",
     .syntax = "[command...]",
     .summary = "Returns the cumulative distribution of latencies of a subset or all commands.",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special",
     .differs = "Waiting for rows from disk counts. Short commands of a pipeline are timed "
                "together, up to 32, each with the part that its command usually takes."},
    SUBCOMMAND("history", latency_history, 3, "O(1)", "event",
               "Returns timestamp-latency samples for an event.", NULL),
    SUBCOMMAND("latest", latency_latest, 2, "O(1)", "",
               "Returns the latest latency samples for all events.",
               "Events: command, fast-command, expire-cycle, eviction-cycle, and this server's own "
               "log-write, log-sync, cold-read, seal."),
    {.name = "reset",
     .handler = latency_forget,
     .arity = -2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "[event...]",
     .summary = "Resets the latency data for one or more events.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {0},
};

const struct command latency_commands[] = {
    {.name = "latency",
     .arity = -2,
     .since = "2.8.13",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for latency diagnostics commands.",
     .subcommands = latency_subcommands},
    {0},
};
