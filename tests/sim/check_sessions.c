/* SPDX-License-Identifier: MIT */
#include "sim/check_sessions.h"

enum { CLIENTS_MAX = 16 };

/* What a client knows to have been there: an event that has set a value. */
struct session_view {
    const struct history_event *known; /* NULL: nothing */
    bool own;                          /* it has written it */
    unsigned node;                     /* that it talked to then */
};

struct sessions {
    const struct history *history;
    const struct history_key *key;
    const struct check_options *options;
    struct cluster_trace *trace;
    struct check_counts *counts;
    struct session_view views[CLIENTS_MAX];
};

static size_t number_of(const struct sessions *sessions, const struct history_event *event)
{
    return (size_t)(event - sessions->history->events) + 1;
}

static bool was_before(const struct sessions *sessions, const struct history_event *event,
                       const struct history_event *other)
{
    return history_has_applied(event) &&
           event->ended_us + sessions->options->slack_us < other->begun_us;
}

/* Whether what `known` set may have been gone when it was read: deleted, or expired. */
static bool may_be_gone(const struct sessions *sessions, const struct history_event *known,
                        const struct history_event *read)
{
    const struct history_event *events = sessions->history->events;
    if (sessions->key->class == HISTORY_EXPIRING)
        return true;
    for (size_t i = sessions->key->first; i != SIZE_MAX; i = events[i].next)
        if (events[i].verb == VERB_DEL && history_may_apply(&events[i]) &&
            events[i].begun_us <= read->ended_us && !was_before(sessions, &events[i], known))
            return true;
    return false;
}

static void step_back(const struct sessions *sessions, const struct session_view *view,
                      const struct history_event *read)
{
    const struct check_options *options = sessions->options;
    bool promised = options->undivided || options->monotonic || (view->own && options->strict);
    sessions->counts->steps_back++;
    sessions->counts->steps_back_staying += view->node == read->node;
    if (promised)
        trace_fail(sessions->trace, "A5",
                   "%s: event %zu, %s by c%u at n%u from %.6f to %.6f: the client had %s event %zu",
                   sessions->key->name, number_of(sessions, read), history_verb_name(read->verb),
                   read->client, read->node + 1, (double)read->begun_us / SIM_SECOND,
                   (double)read->ended_us / SIM_SECOND, view->own ? "written" : "been shown",
                   number_of(sessions, view->known));
}

static void see(struct sessions *sessions, struct session_view *view,
                const struct history_event *read)
{
    const struct history_event *shown = NULL;
    sessions->counts->session_reads += view->known != NULL;
    if (read->read == HISTORY_STRANGE)
        return;
    if (read->read != HISTORY_NIL)
        shown = &sessions->history->events[read->read - 1];
    if (view->known && read->begun_us > view->known->begun_us &&
        (shown ? was_before(sessions, shown, view->known)
               : !may_be_gone(sessions, view->known, read))) {
        step_back(sessions, view, read);
        return;
    }
    if (shown != view->known)
        *view = (struct session_view){.known = shown};
    view->node = read->node;
}

static bool sets_value(const struct history_event *event)
{
    return event->verb == VERB_SET || event->verb == VERB_SETNX || event->verb == VERB_GETSET;
}

static void follow(struct sessions *sessions, const struct history_event *event)
{
    struct session_view *view = &sessions->views[event->client % CLIENTS_MAX];
    if (event->final || event->outcome != OUTCOME_DONE)
        return;
    if (event->verb == VERB_GET || event->verb == VERB_GETSET)
        see(sessions, view, event);
    if (sets_value(event) && history_has_applied(event))
        *view = (struct session_view){.known = event, .own = true, .node = event->node};
    else if (event->verb == VERB_DEL)
        view->known = NULL;
}

void check_sessions(const struct history *history, size_t key, const struct check_options *options,
                    struct cluster_trace *trace, struct check_counts *counts)
{
    struct sessions sessions = {
        .history = history,
        .key = &history->keys[key],
        .options = options,
        .trace = trace,
        .counts = counts,
    };
    for (size_t i = sessions.key->first; i != SIZE_MAX; i = history->events[i].next)
        follow(&sessions, &history->events[i]);
}
