/* SPDX-License-Identifier: MIT */
#include "support/told_history.h"

static void add(struct history *history, size_t key, const struct told *told)
{
    size_t number = history_begin(history, key, told->verb, told->client, told->begun_ms * SIM_MS);
    struct history_event *event = &history->events[number];
    bool shows = told->verb == VERB_GET || told->verb == VERB_GETSET;
    event->node = told->node;
    event->ended_us = (told->ended_ms ? told->ended_ms : told->begun_ms + 1) * SIM_MS;
    event->outcome = told->ended_ms ? OUTCOME_DONE : OUTCOME_UNKNOWN;
    event->amount = told->amount;
    event->applied = told->reply != 0;
    event->sum = told->reply;
    if (history->keys[key].class == HISTORY_COUNTER)
        event->read = 1;
    else if (shows)
        event->read = told->reply == TOLD_NOTHING ? HISTORY_NIL : (uint64_t)told->reply + 1;
}

const char *told_history_check(enum history_class class, const struct told *told, size_t count,
                               const struct check_options *options, struct check_counts *out)
{
    static char checker[16];
    struct sim_clock clock = {0};
    struct cluster_trace trace = {.clock = &clock};
    struct history history;
    history_init(&history);
    size_t key = history_add_key(&history, class, 0, -1);
    for (size_t i = 0; i < count; i++)
        add(&history, key, &told[i]);
    check_history(&history, options, &trace, out);
    memcpy(checker, trace.checker, sizeof(checker));
    history_deinit(&history);
    return checker;
}
