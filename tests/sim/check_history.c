/* SPDX-License-Identifier: MIT */
#include "sim/check_history.h"

#include <inttypes.h>
#include <stdio.h>

#include "sim/check_linear.h"
#include "sim/check_sessions.h"
#include "sim/check_versions.h"

enum { NEVER_US = 0 };

struct checking {
    const struct history *history;
    const struct check_options *options;
    struct cluster_trace *trace;
    struct check_counts *counts;
    const struct history_key *key;
};

static const struct history_event *event_of(const struct checking *checking, size_t number)
{
    return number == SIZE_MAX ? NULL : &checking->history->events[number];
}

#define for_each_event(checking, event)                                                            \
    for (const struct history_event *event = event_of(checking, (checking)->key->first); event;    \
         event = event_of(checking, event->next))

static size_t number_of(const struct checking *checking, const struct history_event *event)
{
    return (size_t)(event - checking->history->events);
}

static void fail(const struct checking *checking, const char *checker,
                 const struct history_event *read, const struct history_event *other,
                 const char *what)
{
    char about[120] = "";
    if (other)
        snprintf(about, sizeof(about), "; event %zu: %s by c%u, %s, from %.6f to %.6f",
                 number_of(checking, other) + 1, history_verb_name(other->verb), other->client,
                 history_outcome_name(other->outcome), (double)other->begun_us / SIM_SECOND,
                 (double)other->ended_us / SIM_SECOND);
    trace_fail(
        checking->trace, checker, "%s: event %zu, %s%s by c%u at n%u from %.6f to %.6f: %s%s",
        checking->key->name, number_of(checking, read) + 1, read->final ? "final " : "",
        history_verb_name(read->verb), read->client, read->node + 1,
        (double)read->begun_us / SIM_SECOND, (double)read->ended_us / SIM_SECOND, what, about);
}

/* Its effect was complete before the other event began, by any clock. A deletion takes away what it
 * finds when it runs, and who is told that nobody knows is told that it does not begin any more. */
static bool was_before(const struct checking *checking, const struct history_event *event,
                       const struct history_event *other)
{
    bool has_run = history_has_applied(event) || (event->verb == VERB_DEL && event->told);
    return has_run && event->ended_us + checking->options->slack_us < other->begun_us;
}

static bool sets_value(const struct history_event *event)
{
    return event->verb == VERB_SET || event->verb == VERB_SETNX || event->verb == VERB_GETSET ||
           event->verb == VERB_DEL;
}

static bool changes_time(const struct history_event *event)
{
    return event->verb == VERB_EXPIRE || event->verb == VERB_PERSIST;
}

/* Whether a deletion may have taken away what the event wrote. */
static bool may_be_deleted(const struct checking *checking, const struct history_event *written,
                           const struct history_event *read)
{
    for_each_event(checking, event)
    {
        if (event->verb == VERB_DEL && history_may_apply(event) &&
            event->begun_us <= read->ended_us && !was_before(checking, event, written))
            return true;
    }
    return false;
}

/* From when on what the event wrote may be hidden: 0, never. Until when it may be seen: UINT64_MAX,
 * for ever. */
static uint64_t hidden_from_us(const struct checking *checking, const struct history_event *event)
{
    uint64_t ttl_us = (uint64_t)event->amount * SIM_MS, slack_us = checking->options->slack_us;
    bool limited = event->amount > 0 && event->verb != VERB_PERSIST;
    if (!limited)
        return NEVER_US;
    uint64_t at_us = event->begun_us + ttl_us;
    return at_us > slack_us ? at_us - slack_us : 1;
}

static uint64_t seen_until_us(const struct checking *checking, const struct history_event *event)
{
    bool limited = event->amount > 0 && event->verb != VERB_PERSIST;
    if (!limited || event->outcome != OUTCOME_DONE)
        return UINT64_MAX;
    return event->ended_us + (uint64_t)event->amount * SIM_MS + checking->options->slack_us;
}

static bool must_be_current(const struct checking *checking, const struct history_event *read)
{
    return read->final || checking->options->strict;
}

/* Whether another time has certainly been given since to what then was there, and `read` must know:
 * one that may show an old value may show it with its old time. */
static bool time_is_replaced(const struct checking *checking, const struct history_event *setting,
                             const struct history_event *read)
{
    if ((!must_be_current(checking, read) && !checking->options->undivided) ||
        checking->options->reverted)
        return false;
    for_each_event(checking, event)
    {
        if (changes_time(event) && history_has_applied(event) && event->ended_us < read->begun_us &&
            was_before(checking, setting, event))
            return true;
    }
    return false;
}

/* Whether what `written` wrote may have expired when it was read. */
static bool may_be_hidden(const struct checking *checking, const struct history_event *written,
                          const struct history_event *read)
{
    for_each_event(checking, event)
    {
        bool sets = event == written || event->verb == VERB_EXPIRE;
        if (!sets || !history_may_apply(event) || event->begun_us > read->ended_us)
            continue;
        if (event != written && was_before(checking, event, written))
            continue;
        uint64_t from_us = hidden_from_us(checking, event);
        if (from_us != NEVER_US && from_us <= read->ended_us &&
            !time_is_replaced(checking, event, read))
            return true;
    }
    return false;
}

/* Whether who writes has seen what was acknowledged before. Else it may still be with a stand-in,
 * or come back later from an old directory. */
static bool sees_all(const struct checking *checking)
{
    return checking->options->strict || checking->options->undivided;
}

/* Who wrote a value after `written` (NULL: the key's beginning) was done, and was done before
 * `read` began: then what `written` wrote is not to be seen any more. */
static const struct history_event *overwriter(const struct checking *checking,
                                              const struct history_event *written,
                                              const struct history_event *read)
{
    for_each_event(checking, event)
    {
        if (!sets_value(event) || !history_has_applied(event) || event->ended_us >= read->begun_us)
            continue;
        /* Whoever deletes what it has not seen has deleted nothing; and where it has deleted only
         * what had come later, that hides it no more. */
        if (written && !sees_all(checking) &&
            (event->verb == VERB_DEL || may_be_deleted(checking, event, read)))
            continue;
        /* What has expired is deleted, too, and then hides nothing that comes back. */
        if (written && checking->options->reverted && may_be_hidden(checking, event, read))
            continue;
        if (!written || was_before(checking, written, event))
            return event;
    }
    return NULL;
}

/* A value may be there beside what others wrote later without having seen it. What reads choose is
 * one of the values; of the times that they came with the longest counts. */
static bool may_stand_beside(const struct checking *checking, const struct history_event *event)
{
    return sets_value(event) && event->verb != VERB_DEL &&
           (event->outcome == OUTCOME_UNKNOWN || !sees_all(checking));
}

/* Whether what `written` wrote may still have been alive. */
static bool may_be_seen(const struct checking *checking, const struct history_event *written,
                        const struct history_event *read)
{
    for_each_event(checking, event)
    {
        bool sets = event == written || changes_time(event) || may_stand_beside(checking, event);
        if (!sets || !history_may_apply(event) || event->begun_us > read->ended_us)
            continue;
        bool was_seen = event == written || sees_all(checking);
        if (event != written && was_seen && was_before(checking, event, written))
            continue;
        if (seen_until_us(checking, event) >= read->begun_us &&
            !(was_seen && time_is_replaced(checking, event, read)))
            return true;
    }
    return false;
}

static const char *currency_checker(const struct history_event *read)
{
    if (read->verb == VERB_SETNX || read->verb == VERB_DEL)
        return "A7";
    return read->final ? "A1" : "A6";
}

static void found_old(const struct checking *checking, const struct history_event *read,
                      const struct history_event *lost)
{
    checking->counts->stale++;
    if (must_be_current(checking, read))
        fail(checking, currency_checker(read), read, lost,
             read->read == HISTORY_NIL ? "there is nothing, though a write was acknowledged before"
                                       : "the value is older than a write that was acknowledged "
                                         "before");
}

static void check_value(const struct checking *checking, const struct history_event *read)
{
    const struct history_event *written = &checking->history->events[read->read - 1];
    if (written->outcome == OUTCOME_REFUSED) {
        fail(checking, "A13", read, written, "a write that was refused is there");
        return;
    }
    if (!sets_value(written) || written->verb == VERB_DEL || !history_may_apply(written) ||
        written->begun_us > read->ended_us) {
        fail(checking, "A3", read, written, "nobody has written that");
        return;
    }
    if (!may_be_seen(checking, written, read)) {
        fail(checking, "A9", read, written, "the value is there after its time");
        return;
    }
    const struct history_event *lost = overwriter(checking, written, read);
    if (lost)
        found_old(checking, read, lost);
}

/* Nothing is there: because it is the beginning, or was deleted, or has expired. */
static void check_nothing(const struct checking *checking, const struct history_event *read)
{
    const struct history_event *lost = overwriter(checking, NULL, read);
    if (!lost)
        return;
    for_each_event(checking, event)
    {
        if (!sets_value(event) || !history_may_apply(event) || event->begun_us > read->ended_us ||
            overwriter(checking, event, read))
            continue;
        if (event->verb == VERB_DEL || may_be_hidden(checking, event, read))
            return;
    }
    found_old(checking, read, lost);
}

static void check_read(const struct checking *checking, const struct history_event *read)
{
    checking->counts->reads++;
    checking->counts->final_reads += read->final;
    if (read->read == HISTORY_STRANGE)
        fail(checking, "A3", read, NULL, "a value that was never written to this key");
    else if (read->read == HISTORY_NIL)
        check_nothing(checking, read);
    else
        check_value(checking, read);
}

/* Whoever found something: a value must be possible that nothing has replaced. */
static void check_something(const struct checking *checking, const struct history_event *read)
{
    for_each_event(checking, event)
    {
        if (event != read && sets_value(event) && event->verb != VERB_DEL &&
            history_may_apply(event) && event->begun_us <= read->ended_us &&
            may_be_seen(checking, event, read) && !overwriter(checking, event, read))
            return;
    }
    checking->counts->stale++;
    if (must_be_current(checking, read))
        fail(checking, currency_checker(read), read, NULL, "it found what had been deleted before");
}

/* What has a condition tells by its reply whether there was something. */
static void check_condition(const struct checking *checking, const struct history_event *event)
{
    bool found = event->verb == VERB_SETNX ? !event->applied : event->applied;
    if (found)
        check_something(checking, event);
    else
        check_nothing(checking, event);
}

static void check_register(const struct checking *checking)
{
    for_each_event(checking, event)
    {
        if (event->outcome != OUTCOME_DONE)
            continue;
        if (event->verb == VERB_GET || event->verb == VERB_GETSET)
            check_read(checking, event);
        else if (event->verb == VERB_SETNX || event->verb == VERB_DEL)
            check_condition(checking, event);
    }
}

/* ---- counters -------------------------------------------------------------------------------- */

struct range {
    int64_t least, most;
};

static void may_add(struct range *range, int64_t amount)
{
    range->least += amount < 0 ? amount : 0;
    range->most += amount > 0 ? amount : 0;
}

static bool is_within(const struct range *range, int64_t sum)
{
    return sum >= range->least && sum <= range->most;
}

static void check_sum(const struct checking *checking, const struct history_event *read)
{
    struct range any = {0}, current = {0}; /* `current`: with all that was acknowledged before */
    checking->counts->reads++;
    checking->counts->final_reads += read->final;
    for_each_event(checking, event)
    {
        if (event->verb != VERB_INCRBY || !history_may_apply(event) ||
            event->begun_us > read->ended_us)
            continue;
        may_add(&any, event->amount);
        if (event == read || (history_has_applied(event) && event->ended_us < read->begun_us)) {
            current.least += event->amount;
            current.most += event->amount;
        } else {
            may_add(&current, event->amount);
        }
    }
    checking->counts->stale += !is_within(&current, read->sum);
    const struct range *expected = must_be_current(checking, read) ? &current : &any;
    char what[120];
    snprintf(what, sizeof(what),
             "the sum is %" PRId64 ", between %" PRId64 " and %" PRId64 " was to be expected",
             read->sum, expected->least, expected->most);
    if (!is_within(expected, read->sum))
        fail(checking, "A8", read, NULL, what);
}

static void check_counter(const struct checking *checking)
{
    for_each_event(checking, event)
    {
        if (event->outcome != OUTCOME_DONE)
            continue;
        if (event->read == HISTORY_STRANGE)
            fail(checking, "A3", event, NULL, "not a number");
        else
            check_sum(checking, event);
    }
}

/* ---- logs ------------------------------------------------------------------------------------ */

static bool has_token(const struct checking *checking, const struct history_event *read,
                      size_t number)
{
    for (size_t i = read->text; i < read->text_end; i++)
        if (checking->history->tokens[i] == number + 1)
            return true;
    return false;
}

/* Each at most once, and those of which both replies are known in the order of their writing. */
static void check_tokens(const struct checking *checking, const struct history_event *read)
{
    const struct history *history = checking->history;
    for (size_t i = read->text; i < read->text_end; i++) {
        const struct history_event *written = &history->events[history->tokens[i] - 1];
        if (written->outcome == OUTCOME_REFUSED)
            fail(checking, "A13", read, written, "a write that was refused is there");
        else if (written->verb != VERB_APPEND || written->begun_us > read->ended_us)
            fail(checking, "A3", read, written, "nobody has appended that");
        for (size_t j = read->text; j < i; j++) {
            const struct history_event *before = &history->events[history->tokens[j] - 1];
            if (before == written)
                fail(checking, "A2", read, written, "appended once, and there twice");
            else if (was_before(checking, written, before))
                fail(checking, "A2", read, written, "appended before what stands before it");
        }
    }
}

/* The last token that was acknowledged is there, or one of which nobody knows; where there was only
 * one coordinator at a time, all that were. */
static void check_log_read(const struct checking *checking, const struct history_event *read)
{
    const struct history_event *last = NULL;
    bool other = false;
    checking->counts->reads++;
    checking->counts->final_reads += read->final;
    if (read->read == HISTORY_STRANGE) {
        fail(checking, "A3", read, NULL, "a text that was never written to this key");
        return;
    }
    check_tokens(checking, read);
    for_each_event(checking, event)
    {
        if (event->verb != VERB_APPEND || event->begun_us > read->ended_us)
            continue;
        bool there = has_token(checking, read, number_of(checking, event));
        bool certain = history_has_applied(event) && event->ended_us < read->begun_us;
        bool keeps_all = checking->options->undivided || checking->options->linear;
        if (certain && !there && keeps_all && must_be_current(checking, read))
            fail(checking, currency_checker(read), read, event, "an acknowledged part is missing");
        if (certain)
            last = event;
        else if (there)
            other = true;
    }
    if (!last || other || has_token(checking, read, number_of(checking, last)))
        return;
    bool seen_within_slack = false;
    for_each_event(checking, event)
    {
        seen_within_slack |= event->verb == VERB_APPEND && event != last &&
                             has_token(checking, read, number_of(checking, event)) &&
                             !was_before(checking, event, last);
    }
    checking->counts->stale++;
    if (!seen_within_slack && must_be_current(checking, read))
        fail(checking, currency_checker(read), read, last, "the last acknowledged part is missing");
}

static void check_log(const struct checking *checking)
{
    for_each_event(checking, event)
    {
        if (event->verb == VERB_GET && event->outcome == OUTCOME_DONE)
            check_log_read(checking, event);
    }
}

/* Whether an order of all operations is promised: while there is one coordinator. */
static bool is_linear(const struct checking *checking)
{
    enum history_class class = checking->key->class;
    return (checking->options->undivided || checking->options->linear) &&
           (class == HISTORY_REGISTER || class == HISTORY_PRIVATE || class == HISTORY_COUNTER);
}

void check_history(const struct history *history, const struct check_options *options,
                   struct cluster_trace *trace, struct check_counts *out_counts)
{
    *out_counts = (struct check_counts){0};
    struct checking checking = {
        .history = history, .options = options, .trace = trace, .counts = out_counts};
    for (size_t i = 0; i < history->event_count; i++) {
        const struct history_event *event = &history->events[i];
        if (!history_writes(event->verb))
            continue;
        out_counts->acknowledged += event->outcome == OUTCOME_DONE;
        out_counts->refused += event->outcome == OUTCOME_REFUSED;
        out_counts->unknown +=
            event->outcome == OUTCOME_UNKNOWN || event->outcome == OUTCOME_PENDING;
    }
    for (size_t i = 0; i < history->key_count; i++) {
        checking.key = &history->keys[i];
        switch (checking.key->class) {
        case HISTORY_COUNTER:
            check_counter(&checking);
            break;
        case HISTORY_LOG:
            check_log(&checking);
            break;
        case HISTORY_VERSIONS:
            check_versions(history, i, options, trace, out_counts);
            break;
        default:
            check_register(&checking);
            check_sessions(history, i, options, trace, out_counts);
            break;
        }
        if (is_linear(&checking))
            check_linear(history, i, trace, out_counts);
    }
}
