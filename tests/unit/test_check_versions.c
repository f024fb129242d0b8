/* SPDX-License-Identifier: MIT */
/* Versions: what may stand next to what, and what may be missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "row/row.h"
#include "sim/check_versions.h"

struct story {
    struct sim_clock clock;
    struct cluster_trace trace;
    struct history history;
    struct check_options options;
    size_t key;
    uint64_t now_us;
};

static void story_init(struct story *story)
{
    *story = (struct story){.options = {.slack_us = 5 * SIM_MS}};
    story->trace.clock = &story->clock;
    history_init(&story->history);
    story->key = history_add_key(&story->history, HISTORY_VERSIONS, 0, -1);
}

static struct history_event *add(struct story *story, enum history_verb verb)
{
    story->now_us += 20 * SIM_MS;
    size_t number = history_begin(&story->history, story->key, verb, 1, story->now_us);
    struct history_event *event = &story->history.events[number];
    event->ended_us = story->now_us + 10 * SIM_MS;
    event->outcome = OUTCOME_DONE;
    return event;
}

static size_t number_of(const struct story *story, const struct history_event *event)
{
    return (size_t)(event - story->history.events) + 1;
}

/* With the context that a read gave; 0: with none. */
static size_t set_version(struct story *story, size_t context)
{
    struct history_event *event = add(story, VERB_VC_SET);
    event->context = context;
    return number_of(story, event);
}

static size_t see_many(struct story *story, const size_t *numbers, size_t count)
{
    struct history_event *event = add(story, VERB_VC_GET);
    event->text = story->history.token_count;
    event->read = count > 0 ? 1 : HISTORY_NIL;
    for (size_t i = 0; i < count; i++)
        history_add_token(&story->history, numbers[i]);
    event->text_end = story->history.token_count;
    return number_of(story, event);
}

static size_t see(struct story *story, size_t first, size_t second)
{
    return see_many(story, (size_t[]){first, second}, (first > 0) + (second > 0));
}

static void make_final(struct story *story, size_t read)
{
    story->history.events[read - 1].final = true;
}

/* An empty text: all is right. */
static void expect(struct story *story, const char *checker)
{
    struct check_counts counts;
    check_history(&story->history, &story->options, &story->trace, &counts);
    assert_string_equal(story->trace.checker, checker);
    history_deinit(&story->history);
}

static void who_has_not_seen_another_stands_next_to_it(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    size_t first = set_version(&story, 0), second = set_version(&story, 0);
    make_final(&story, see(&story, first, second));
    expect(&story, "");

    story_init(&story);
    first = set_version(&story, 0);
    second = set_version(&story, see(&story, first, 0));
    make_final(&story, see(&story, first, second));
    expect(&story, "A2");
}

static void nobody_is_there_twice(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    size_t first = set_version(&story, 0);
    (void)see(&story, first, first);
    expect(&story, "A2");
}

static void what_was_acknowledged_is_there_or_was_seen(void **state)
{
    (void)state;
    for (int seen = 0; seen < 2; seen++) {
        struct story story;
        story_init(&story);
        size_t first = set_version(&story, 0);
        size_t read = see(&story, first, 0);
        size_t second = set_version(&story, seen ? read : 0);
        make_final(&story, see(&story, second, 0));
        expect(&story, seen ? "" : "A1");
    }
}

static void a_context_has_seen_what_those_had_seen_that_it_shows(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    size_t first = set_version(&story, 0);
    size_t second = set_version(&story, see(&story, first, 0));
    size_t third = set_version(&story, see(&story, second, 0));
    make_final(&story, see(&story, third, 0));
    expect(&story, "");

    story_init(&story);
    first = set_version(&story, 0);
    second = set_version(&story, see(&story, first, 0));
    third = set_version(&story, see(&story, second, 0));
    make_final(&story, see(&story, first, third));
    expect(&story, "A2");
}

static void what_was_deleted_stays_away(void **state)
{
    (void)state;
    for (int back = 0; back < 3; back++) { /* but where an old directory has brought it */
        struct story story;
        story_init(&story);
        story.options.reverted = back == 2;
        size_t first = set_version(&story, 0);
        size_t read = see(&story, first, 0);
        add(&story, VERB_VC_DEL)->context = read;
        make_final(&story, see(&story, back ? first : 0, 0));
        expect(&story, back == 1 ? "A2" : "");
    }
}

static void nothing_is_there_that_was_refused_or_forged(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    size_t first = set_version(&story, 0);
    story.history.events[first - 1].outcome = OUTCOME_REFUSED;
    (void)see(&story, first, 0);
    expect(&story, "A13");

    story_init(&story);
    first = set_version(&story, 0);
    story.history.events[first - 1].forged = true;
    expect(&story, "A13");

    story_init(&story);
    first = see(&story, 0, 0);
    (void)see(&story, first, 0); /* a read writes nothing */
    expect(&story, "A3");
}

static void one_coordinator_allows_so_many(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct story story;
        size_t numbers[ROW_COLLAPSE_ABOVE + 1];
        story_init(&story);
        story.options.undivided = true;
        for (unsigned i = 0; i < ROW_COLLAPSE_ABOVE + more; i++)
            numbers[i] = set_version(&story, 0);
        (void)see_many(&story, numbers, ROW_COLLAPSE_ABOVE + more);
        expect(&story, more ? "A10" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_not_seen_another_stands_next_to_it),
        cmocka_unit_test(nobody_is_there_twice),
        cmocka_unit_test(what_was_acknowledged_is_there_or_was_seen),
        cmocka_unit_test(a_context_has_seen_what_those_had_seen_that_it_shows),
        cmocka_unit_test(what_was_deleted_stays_away),
        cmocka_unit_test(nothing_is_there_that_was_refused_or_forged),
        cmocka_unit_test(one_coordinator_allows_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
