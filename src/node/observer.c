/* SPDX-License-Identifier: MIT */
#include "node/observer.h"

#include <limits.h>

#include "base/memory.h"

enum { NS_PER_MS = 1000 * 1000, NS_PER_US = 1000 };

static void empty_group(struct observer *observer)
{
    observer->group_count = observer->group_names = 0;
    observer->last = &observer->group[0];
    observer->last->number = UINT_MAX; /* no command's */
}

/* Of clients' data. Operators' commands may ask for what is counted here, or forget it. */
static bool is_constant(const struct command *command)
{
    return command->complexity && strncmp(command->complexity, "O(1)", 4) == 0 &&
           ((command->flags & CMD_FAST) || command->first_key > 0);
}

void observer_init(struct observer *observer, const struct config *config, struct stats *stats,
                   const struct command_set *commands, uint64_t (*monotonic_ns)(void *context),
                   void *context)
{
    unsigned count = command_entry_count(commands);
    *observer = (struct observer){
        .config = config,
        .stats = stats,
        .monotonic_ns = monotonic_ns,
        .context = context,
        .constant = memory_zeroed(count * sizeof(bool)),
    };
    for (unsigned i = 0; i < count; i++)
        observer->constant[i] = is_constant(command_entry_at(commands, i)->command);
    empty_group(observer);
    slowlog_init(&observer->slowlog);
    observer_configure(observer);
}

void observer_deinit(struct observer *observer)
{
    slowlog_reset(&observer->slowlog);
    memory_free(observer->constant);
}

static uint64_t nanoseconds(int64_t value, uint64_t unit)
{
    return (uint64_t)value < UINT64_MAX / unit ? (uint64_t)value * unit : UINT64_MAX;
}

void observer_configure(struct observer *observer)
{
    const struct config *config = observer->config;
    observer->notable_ns = UINT64_MAX;
    if (config->slowlog_slower_us >= 0)
        observer->notable_ns = nanoseconds(config->slowlog_slower_us, NS_PER_US);
    if (config->latency_threshold_ms > 0) {
        uint64_t threshold_ns = nanoseconds(config->latency_threshold_ms, NS_PER_MS);
        if (threshold_ns < observer->notable_ns)
            observer->notable_ns = threshold_ns;
    }
    observer->grouping = observer->notable_ns >= NS_PER_MS;
}

/* ---- what took long -------------------------------------------------------------------------- */

void observer_event(struct observer *observer, enum latency_event event, uint64_t now_ms,
                    uint64_t duration_ns)
{
    uint64_t threshold_ms = (uint64_t)observer->config->latency_threshold_ms;
    if (threshold_ms > 0 && duration_ns / NS_PER_MS >= threshold_ms)
        latency_add(&observer->latency, event, now_ms, duration_ns / NS_PER_MS);
}

static void note_event(struct observer *observer, uint32_t flags, uint64_t now_ms,
                       uint64_t latency_ns)
{
    observer_event(observer, flags & CMD_FAST ? LATENCY_FAST_COMMAND : LATENCY_COMMAND, now_ms,
                   latency_ns);
}

static void look_closer(struct observer *observer, const struct session *session,
                        uint64_t latency_ns)
{
    const struct config *config = observer->config;
    const struct request *request = &session->request;
    uint32_t flags = request->command->flags;
    note_event(observer, flags, request->now_ms, latency_ns);
    uint64_t latency_us = latency_ns / NS_PER_US;
    if (config->slowlog_slower_us < 0 || latency_us < (uint64_t)config->slowlog_slower_us ||
        (flags & CMD_SKIP_SLOWLOG))
        return;
    struct slowlog_entry facts = {
        .time_s = request->now_ms / 1000,
        .duration_us = latency_us,
        .argc = request->argc,
        .argv = request->argv,
        .address = bytes_text(session->address),
        .name = bytes_text(session->name ? session->name : ""),
    };
    slowlog_add(&observer->slowlog, &facts, (uint64_t)config->slowlog_max);
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t now_ns(const struct observer *observer)
{
    return observer->monotonic_ns ? observer->monotonic_ns(observer->context) : 0;
}

/* Since the last look at the clock. */
static uint64_t lap(struct observer *observer)
{
    uint64_t now = now_ns(observer), last = observer->last_ns;
    observer->last_ns = now;
    return now - last;
}

/* What a call of the command usually takes; 0: not known yet. */
static double usual_ns(const struct observer *observer, unsigned number)
{
    const struct command_stats *stats = &observer->stats->commands[number];
    return stats->calls > 0 ? (double)stats->busy_ns / (double)stats->calls : 0;
}

/* What the group's calls usually take. False: of some it is not known. */
static bool estimate(const struct observer *observer, double usual[OBSERVER_GROUP_NAMES],
                     double *out_all)
{
    double all = 0;
    bool known = true;
    for (unsigned i = 0; i < observer->group_names; i++) {
        usual[i] = usual_ns(observer, observer->group[i].number);
        all += usual[i] * observer->group[i].count;
        known = known && usual[i] > 0;
    }
    *out_all = all;
    return known;
}

/* The group took so long: each call gets its part. */
static void count_group(struct observer *observer, uint64_t elapsed_ns)
{
    double usual[OBSERVER_GROUP_NAMES], all;
    bool known = observer->group_names > 1 && estimate(observer, usual, &all);
    for (unsigned i = 0; i < observer->group_names; i++) {
        const struct observer_calls *calls = &observer->group[i];
        struct command_stats *stats = &observer->stats->commands[calls->number];
        uint64_t mean_ns = known ? (uint64_t)((double)elapsed_ns * usual[i] / all)
                                 : elapsed_ns / observer->group_count;
        command_stats_add(stats, calls->count, calls->failed, calls->count * mean_ns);
        if (observer->config->latency_tracking)
            command_stats_add_latency(stats, calls->count, mean_ns);
    }
    empty_group(observer);
}

void observer_begin(struct observer *observer)
{
    observer->last_ns = now_ns(observer);
}

void observer_end_group(struct observer *observer, uint64_t now_ms)
{
    uint64_t elapsed_ns = lap(observer);
    if (elapsed_ns >= observer->notable_ns)
        note_event(observer, CMD_FAST, now_ms, elapsed_ns);
    count_group(observer, elapsed_ns);
}

void observer_end(struct observer *observer, uint64_t now_ms)
{
    if (observer->group_count > 0)
        observer_end_group(observer, now_ms);
}

void observer_join_group(struct observer *observer, const struct request *request, bool failed)
{
    unsigned i = 0;
    while (i < observer->group_names && observer->group[i].number != request->number)
        i++;
    if (i == observer->group_names)
        observer->group[observer->group_names++] =
            (struct observer_calls){.number = request->number};
    observer->last = &observer->group[i];
    observer->last->count++;
    observer->last->failed += failed;
    if (++observer->group_count == OBSERVER_GROUP_MAX ||
        (i + 1 == OBSERVER_GROUP_NAMES && observer->last->count == 1))
        observer_end_group(observer, request->now_ms);
}

/* What the last command took. There may be a group before it, which it was expected to join: that
 * is taken for what its calls usually take. */
static uint64_t lap_alone(struct observer *observer)
{
    double usual[OBSERVER_GROUP_NAMES], all;
    uint64_t elapsed_ns = lap(observer), count = observer->group_count;
    if (count == 0)
        return elapsed_ns;
    uint64_t group_ns = elapsed_ns / (count + 1) * count;
    if (estimate(observer, usual, &all) && all < (double)group_ns)
        group_ns = (uint64_t)all;
    count_group(observer, group_ns);
    return elapsed_ns - group_ns;
}

void observer_suspended(struct observer *observer, struct session *session)
{
    uint64_t busy_ns = lap_alone(observer);
    if (session->begun_ns == 0)
        session->begun_ns = observer->last_ns - busy_ns;
    session->busy_ns += busy_ns;
}

void observer_finished_alone(struct observer *observer, struct session *session, bool failed)
{
    struct command_stats *stats = &observer->stats->commands[session->request.number];
    uint64_t busy_ns = lap_alone(observer), latency_ns = busy_ns;
    if (session->begun_ns > 0) { /* it had to wait */
        busy_ns += session->busy_ns;
        latency_ns = observer->last_ns - session->begun_ns;
        session->begun_ns = session->busy_ns = 0;
    }
    command_stats_add(stats, 1, failed, busy_ns);
    if (observer->config->latency_tracking)
        command_stats_add_latency(stats, 1, latency_ns);
    if (latency_ns >= observer->notable_ns)
        look_closer(observer, session, latency_ns);
}

void observer_rejected(struct observer *observer, struct session *session)
{
    observer->stats->commands[session->request.number].rejected++;
    session->begun_ns = session->busy_ns = 0;
}
