/* SPDX-License-Identifier: MIT */
#include "sim/check_versions.h"

#include <stdio.h>

#include "base/memory.h"
#include "row/row.h"

struct versions {
    const struct history *history;
    const struct check_options *options;
    struct cluster_trace *trace;
    struct check_counts *counts;
    const struct history_key *key;
    size_t *writes; /* event numbers, ascending; of deletions too */
    size_t count, words;
    uint64_t *seen; /* `words` for each write: its ghost set, bit by bit */
    uint64_t *view; /* `words`: what a read shows, and what the writers of that had seen */
};

static const struct history_event *event_at(const struct versions *versions, size_t number)
{
    return &versions->history->events[number];
}

static void fail(const struct versions *versions, const char *checker, size_t number, size_t other,
                 const char *what)
{
    const struct history_event *event = event_at(versions, number);
    trace_fail(versions->trace, checker,
               "%s: event %zu, %s%s by c%u at n%u from %.6f to %.6f: %s; event %zu",
               versions->key->name, number + 1, event->final ? "final " : "",
               history_verb_name(event->verb), event->client, event->node + 1,
               (double)event->begun_us / SIM_SECOND, (double)event->ended_us / SIM_SECOND, what,
               other + 1);
}

/* The place of a write; `count`: it is none. */
static size_t place_of(const struct versions *versions, size_t number)
{
    size_t low = 0, high = versions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (versions->writes[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < versions->count && versions->writes[low] == number ? low : versions->count;
}

static bool is_write(const struct history_event *event)
{
    return event->verb == VERB_VC_SET || event->verb == VERB_VC_DEL;
}

static uint64_t *seen_by(const struct versions *versions, size_t place)
{
    return versions->seen + place * versions->words;
}

static bool has(const uint64_t *set, size_t place)
{
    return set[place / 64] >> place % 64 & 1;
}

/* What a read shows, and what the writers of that had seen. */
static void add_read(const struct versions *versions, const struct history_event *read,
                     uint64_t *set)
{
    for (size_t i = read->text; i < read->text_end; i++) {
        size_t place = place_of(versions, versions->history->tokens[i] - 1);
        if (place == versions->count)
            continue;
        set[place / 64] |= (uint64_t)1 << place % 64;
        for (size_t word = 0; word < versions->words; word++)
            set[word] |= seen_by(versions, place)[word];
    }
}

/* In the order of their beginnings: what a context shows was begun before. */
static void build(struct versions *versions)
{
    for (size_t i = versions->key->first; i != SIZE_MAX; i = event_at(versions, i)->next)
        versions->count += is_write(event_at(versions, i));
    versions->words = versions->count / 64 + 1;
    versions->writes = memory_alloc((versions->count + 1) * sizeof(*versions->writes));
    versions->seen =
        memory_zeroed((versions->count + 1) * versions->words * sizeof(*versions->seen));
    versions->view = memory_alloc(versions->words * sizeof(*versions->view));
    size_t count = 0;
    for (size_t i = versions->key->first; i != SIZE_MAX; i = event_at(versions, i)->next)
        if (is_write(event_at(versions, i)))
            versions->writes[count++] = i;
    for (size_t place = 0; place < versions->count; place++) {
        const struct history_event *write = event_at(versions, versions->writes[place]);
        if (write->context > 0)
            add_read(versions, event_at(versions, write->context - 1), seen_by(versions, place));
    }
}

/* One of the values that a read shows. */
static void check_shown(const struct versions *versions, size_t number, size_t at)
{
    const struct history_event *read = event_at(versions, number);
    const uint64_t *tokens = versions->history->tokens;
    size_t shown = tokens[at] - 1, place = place_of(versions, shown);
    const struct history_event *write = event_at(versions, shown);
    if (place == versions->count || write->verb != VERB_VC_SET ||
        write->begun_us > read->ended_us) {
        fail(versions, "A3", number, shown, "nobody has written that");
        return;
    }
    if (write->outcome == OUTCOME_REFUSED)
        fail(versions, "A13", number, shown, "a write that was refused is there");
    if (write->forged)
        fail(versions, "A13", number, shown, "its context is forged");
    for (size_t i = read->text; i < read->text_end; i++) {
        size_t other = place_of(versions, tokens[i] - 1);
        if (i != at && other == place)
            fail(versions, "A2", number, shown, "the value is there twice");
        else if (other < versions->count && has(seen_by(versions, other), place))
            fail(versions, "A2", number, shown, "the value is next to one that had seen it");
    }
}

/* What deletions had seen that may have been done by then is no loss where it is missing, and where
 * they were done before it is not to be there. */
static void check_deleted(const struct versions *versions, size_t number, size_t place)
{
    const struct history_event *read = event_at(versions, number);
    const struct history_event *deletion = event_at(versions, versions->writes[place]);
    if (deletion->verb != VERB_VC_DEL || deletion->outcome == OUTCOME_REFUSED ||
        deletion->begun_us > read->ended_us)
        return;
    bool done = deletion->outcome == OUTCOME_DONE && deletion->ended_us < read->begun_us &&
                !versions->options->reverted;
    for (size_t i = read->text; i < read->text_end; i++) {
        size_t shown = place_of(versions, versions->history->tokens[i] - 1);
        if (done && shown < versions->count && has(seen_by(versions, place), shown) &&
            (read->final || versions->options->strict))
            fail(versions, "A2", number, versions->writes[place],
                 "a value is there that has been deleted by one who had seen it");
    }
    for (size_t word = 0; word < versions->words; word++)
        versions->view[word] |= seen_by(versions, place)[word];
}

static void check_read(const struct versions *versions, size_t number)
{
    const struct history_event *read = event_at(versions, number);
    versions->counts->reads++;
    versions->counts->final_reads += read->final;
    if (read->read == HISTORY_STRANGE) {
        fail(versions, "A3", number, number, "a value that was never written to this key");
        return;
    }
    for (size_t i = read->text; i < read->text_end; i++)
        check_shown(versions, number, i);
    if (versions->options->undivided && read->text_end - read->text > ROW_COLLAPSE_ABOVE)
        fail(versions, "A10", number, number, "there are more values than one coordinator allows");
    memset(versions->view, 0, versions->words * sizeof(*versions->view));
    add_read(versions, read, versions->view);
    for (size_t place = 0; place < versions->count; place++)
        check_deleted(versions, number, place);
    bool stale = false;
    for (size_t place = 0; place < versions->count; place++) {
        const struct history_event *write = event_at(versions, versions->writes[place]);
        if (write->verb != VERB_VC_SET || write->outcome != OUTCOME_DONE ||
            write->ended_us >= read->begun_us || has(versions->view, place))
            continue;
        stale = true;
        if (read->final || versions->options->strict)
            fail(versions, read->final ? "A1" : "A6", number, versions->writes[place],
                 "an acknowledged value is not there, and nobody who had seen it has replaced it");
    }
    versions->counts->stale += stale;
}

void check_versions(const struct history *history, size_t key, const struct check_options *options,
                    struct cluster_trace *trace, struct check_counts *counts)
{
    struct versions versions = {
        .history = history,
        .options = options,
        .trace = trace,
        .counts = counts,
        .key = &history->keys[key],
    };
    build(&versions);
    for (size_t i = versions.key->first; i != SIZE_MAX; i = event_at(&versions, i)->next) {
        const struct history_event *event = event_at(&versions, i);
        if (event->verb == VERB_VC_GET && event->outcome == OUTCOME_DONE)
            check_read(&versions, i);
        else if (event->forged && event->outcome == OUTCOME_DONE)
            fail(&versions, "A13", i, i, "a forged context was taken");
    }
    memory_free(versions.writes);
    memory_free(versions.seen);
    memory_free(versions.view);
}
