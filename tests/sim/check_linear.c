/* SPDX-License-Identifier: MIT */
#include "sim/check_linear.h"

#include "base/memory.h"
#include "base/xxh.h"

#define NEVER UINT64_MAX
enum { NOTHING = 0, TRIED_FIRST = 1024 }; /* a register without a value; the table's room */

struct operation {
    size_t number; /* of the event */
    uint64_t begun_us, ended_us;
    bool certain;  /* there was a reply */
    uint64_t kind; /* of those without reply: who would do the same */
};

/* One operation that was done; `next`: what to try in its place, SIZE_MAX: nothing. */
struct step {
    size_t operation, next;
    uint64_t before; /* the state */
};

struct linear {
    const struct history *history;
    const struct history_key *key;
    struct operation *operations; /* in the order of their beginnings */
    size_t count, words, first;   /* all before `first` are done */
    size_t certain_left;
    uint64_t *done; /* a set */
    uint64_t state; /* the value's number, or a sum */
    struct step *steps;
    size_t step_count;
    uint64_t *tried; /* hashes, 0 for none: a table with open addressing */
    size_t tried_count, tried_room;
    size_t stuck; /* the operation that nobody could do, where most were done */
    size_t most;
};

static const struct history_event *event_of(const struct linear *linear, size_t at)
{
    return &linear->history->events[linear->operations[at].number];
}

static bool is_done(const struct linear *linear, size_t at)
{
    return linear->done[at / 64] >> at % 64 & 1;
}

/* ---- what an operation does ------------------------------------------------------------------ */

static bool add_to_sum(const struct history_event *event, bool certain, uint64_t *state)
{
    int64_t sum = (int64_t)*state;
    if (event->verb == VERB_GET)
        return sum == event->sum;
    sum += event->amount;
    *state = (uint64_t)sum;
    return !certain || sum == event->sum;
}

/* Whether it may be done in that state, which becomes what it leaves behind. */
static bool apply(const struct linear *linear, size_t at, uint64_t *state)
{
    const struct history_event *event = event_of(linear, at);
    bool certain = linear->operations[at].certain, there = *state != NOTHING;
    uint64_t value = linear->operations[at].number + 1, before = *state;
    if (linear->key->class == HISTORY_COUNTER)
        return add_to_sum(event, certain, state);
    switch (event->verb) {
    case VERB_GET:
        return *state == event->read;
    case VERB_GETSET:
        *state = value;
        return !certain || before == event->read;
    case VERB_SETNX:
        *state = there ? *state : value;
        return !certain || event->applied == !there;
    case VERB_DEL:
        *state = NOTHING;
        return !certain || event->applied == there;
    default:
        *state = value;
        return true;
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool counts(const struct history_event *event)
{
    return event->outcome == OUTCOME_DONE || history_may_apply(event);
}

/* Whether any reply shows what that event wrote. */
static bool is_seen(const struct linear *linear, size_t number)
{
    const struct history_event *events = linear->history->events;
    for (size_t i = linear->key->first; i != SIZE_MAX; i = events[i].next)
        if (events[i].outcome == OUTCOME_DONE && events[i].read == number + 1)
            return true;
    return false;
}

/* 0: nobody does the same. */
static uint64_t kind_of(const struct linear *linear, size_t number)
{
    const struct history_event *event = &linear->history->events[number];
    if (linear->key->class == HISTORY_COUNTER)
        return (uint64_t)event->amount;
    if (event->verb == VERB_DEL || !is_seen(linear, number))
        return (uint64_t)event->verb + 1;
    return 0;
}

static void add_operation(struct linear *linear, size_t number, bool certain)
{
    const struct history_event *event = &linear->history->events[number];
    linear->operations[linear->count++] = (struct operation){
        .number = number,
        .begun_us = event->begun_us,
        .ended_us = certain ? event->ended_us : NEVER,
        .certain = certain,
        .kind = certain ? 0 : kind_of(linear, number),
    };
    linear->certain_left += certain;
}

static void take_operations(struct linear *linear)
{
    const struct history_event *events = linear->history->events;
    size_t room = 0;
    for (size_t i = linear->key->first; i != SIZE_MAX; i = events[i].next)
        room++;
    linear->operations = memory_alloc((room + 1) * sizeof(*linear->operations));
    for (size_t i = linear->key->first; i != SIZE_MAX; i = events[i].next)
        if (counts(&events[i]))
            add_operation(linear, i, events[i].outcome == OUTCOME_DONE);
    linear->words = linear->count / 64 + 1;
}

/* ---- the search ------------------------------------------------------------------------------ */

/* No operation that began later can be the next one: another had ended by then. */
static uint64_t first_end(const struct linear *linear)
{
    uint64_t end_us = NEVER;
    for (size_t i = linear->first; i < linear->count; i++) {
        if (linear->operations[i].begun_us > end_us)
            break;
        if (!is_done(linear, i) && linear->operations[i].ended_us < end_us)
            end_us = linear->operations[i].ended_us;
    }
    return end_us;
}

static void do_operation(struct linear *linear, size_t at, uint64_t state, size_t next)
{
    linear->steps[linear->step_count++] =
        (struct step){.operation = at, .next = next, .before = linear->state};
    linear->done[at / 64] |= (uint64_t)1 << at % 64;
    linear->certain_left -= linear->operations[at].certain;
    linear->state = state;
    while (linear->first < linear->count && is_done(linear, linear->first))
        linear->first++;
}

static struct step undo_operation(struct linear *linear)
{
    struct step step = linear->steps[--linear->step_count];
    linear->done[step.operation / 64] &= ~((uint64_t)1 << step.operation % 64);
    linear->certain_left += linear->operations[step.operation].certain;
    linear->state = step.before;
    if (step.operation < linear->first)
        linear->first = step.operation;
    return step;
}

/* All that fit and change nothing. */
static void do_idle_ones(struct linear *linear)
{
    bool more = true;
    while (more) {
        uint64_t end_us = first_end(linear);
        more = false;
        for (size_t i = linear->first; i < linear->count && !more; i++) {
            uint64_t state = linear->state;
            if (linear->operations[i].begun_us > end_us)
                break;
            if (is_done(linear, i) || !linear->operations[i].certain || !apply(linear, i, &state) ||
                state != linear->state)
                continue;
            do_operation(linear, i, state, SIZE_MAX);
            more = true;
        }
    }
}

/* Whether an operation before that one is left which would do the same. */
static bool is_repetition(const struct linear *linear, size_t at)
{
    for (size_t i = linear->first; linear->operations[at].kind != 0 && i < at; i++)
        if (!is_done(linear, i) && linear->operations[i].kind == linear->operations[at].kind)
            return true;
    return false;
}

/* The next one to try, from place `from` on: first those with a reply, then those without. */
static bool do_next(struct linear *linear, size_t from)
{
    uint64_t end_us = first_end(linear);
    for (size_t place = from; place < 2 * linear->count; place++) {
        size_t at = place % linear->count;
        uint64_t state = linear->state;
        if (linear->operations[at].begun_us > end_us) {
            if (place >= linear->count)
                return false;
            place = linear->count - 1; /* on to those without */
            continue;
        }
        bool unsure = place >= linear->count;
        if (is_done(linear, at) || linear->operations[at].certain == unsure ||
            (unsure && is_repetition(linear, at)) || !apply(linear, at, &state))
            continue;
        do_operation(linear, at, state, place + 1);
        return true;
    }
    return false;
}

/* Its place in the table, or the free one where it would be. */
static uint64_t *place_of(uint64_t *tried, size_t room, uint64_t hash)
{
    size_t at = hash & (room - 1);
    while (tried[at] != 0 && tried[at] != hash)
        at = (at + 1) & (room - 1);
    return &tried[at];
}

static void grow_tried(struct linear *linear)
{
    size_t room = linear->tried_room ? linear->tried_room * 2 : TRIED_FIRST;
    uint64_t *tried = memory_zeroed(room * sizeof(*tried));
    for (size_t i = 0; i < linear->tried_room; i++)
        if (linear->tried[i] != 0)
            *place_of(tried, room, linear->tried[i]) = linear->tried[i];
    memory_free(linear->tried);
    linear->tried = tried;
    linear->tried_room = room;
}

/* Whether these operations were done before, and led to this state. */
static bool was_tried(struct linear *linear)
{
    uint64_t facts[2] = {linear->state, 0};
    facts[1] = xxh64(bytes_of((const char *)linear->done, linear->words * sizeof(uint64_t)));
    uint64_t hash = xxh64(bytes_of((const char *)facts, sizeof(facts))) | 1;
    if (2 * linear->tried_count >= linear->tried_room)
        grow_tried(linear);
    uint64_t *place = place_of(linear->tried, linear->tried_room, hash);
    if (*place == hash)
        return true;
    *place = hash;
    linear->tried_count++;
    return false;
}

/* Where the search has come furthest, the one that had to be next. */
static void note_stuck(struct linear *linear)
{
    uint64_t end_us = first_end(linear);
    if (linear->step_count < linear->most)
        return;
    linear->most = linear->step_count;
    for (size_t i = linear->first; i < linear->count; i++)
        if (!is_done(linear, i) && linear->operations[i].ended_us == end_us)
            linear->stuck = i;
}

enum verdict { IN_ORDER, IN_NO_ORDER, GIVEN_UP };

/* Back to the last step in whose place another one can be taken. */
static bool go_back(struct linear *linear)
{
    while (linear->step_count > 0) {
        struct step step = undo_operation(linear);
        if (step.next != SIZE_MAX && do_next(linear, step.next))
            return true;
    }
    return false;
}

static enum verdict search(struct linear *linear)
{
    for (size_t steps = 0; steps < LINEAR_STEPS_MAX; steps++) {
        do_idle_ones(linear);
        if (linear->certain_left == 0)
            return IN_ORDER;
        if (!was_tried(linear) && do_next(linear, 0))
            continue;
        note_stuck(linear);
        if (!go_back(linear))
            return IN_NO_ORDER;
    }
    return GIVEN_UP;
}

static void tell(const struct linear *linear, struct cluster_trace *trace)
{
    const struct operation *operation = &linear->operations[linear->stuck];
    const struct history_event *event = event_of(linear, linear->stuck);
    trace_fail(trace, "A7",
               "%s: no order of %zu operations explains all replies, at most %zu of them: event "
               "%zu, %s by c%u at n%u from %.6f to %.6f",
               linear->key->name, linear->count, linear->most, operation->number + 1,
               history_verb_name(event->verb), event->client, event->node + 1,
               (double)event->begun_us / SIM_SECOND, (double)event->ended_us / SIM_SECOND);
}

void check_linear(const struct history *history, size_t key, struct cluster_trace *trace,
                  struct check_counts *counts)
{
    struct linear linear = {.history = history, .key = &history->keys[key]};
    enum verdict verdict = GIVEN_UP;
    take_operations(&linear);
    linear.done = memory_zeroed(linear.words * sizeof(*linear.done));
    linear.steps = memory_alloc((linear.count + 1) * sizeof(*linear.steps));
    if (linear.count <= LINEAR_OPERATIONS_MAX)
        verdict = search(&linear);
    counts->linear_keys += verdict != GIVEN_UP;
    counts->linear_given_up += verdict == GIVEN_UP;
    if (verdict == IN_NO_ORDER)
        tell(&linear, trace);
    memory_free(linear.operations);
    memory_free(linear.done);
    memory_free(linear.steps);
    memory_free(linear.tried);
}
