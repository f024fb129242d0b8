/* SPDX-License-Identifier: MIT */
/* The checkers of the cluster simulator: of each, a history that is right and one that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/check_history.h"

/* Times are in milliseconds; a read says what it saw as the number of an event, from 0. */
struct story {
    struct sim_clock clock;
    struct cluster_trace trace;
    struct history history;
    struct check_options options;
    size_t key;
};

static void story_init(struct story *story, enum history_class class)
{
    *story = (struct story){.options = {.slack_us = 5 * SIM_MS}};
    story->trace.clock = &story->clock;
    history_init(&story->history);
    story->key = history_add_key(&story->history, class, 0, -1);
}

static struct history_event *add(struct story *story, enum history_verb verb, uint64_t begun_ms,
                                 uint64_t ended_ms, enum history_outcome outcome)
{
    size_t number = history_begin(&story->history, story->key, verb, 1, begun_ms * SIM_MS);
    struct history_event *event = &story->history.events[number];
    event->ended_us = ended_ms * SIM_MS;
    event->outcome = outcome;
    event->applied = true;
    return event;
}

static void write_at(struct story *story, enum history_verb verb, uint64_t begun_ms,
                     uint64_t ended_ms)
{
    add(story, verb, begun_ms, ended_ms, OUTCOME_DONE);
}

enum { NOTHING = -1, STRANGE = -2 };

static struct history_event *read_at(struct story *story, uint64_t begun_ms, int saw)
{
    struct history_event *event = add(story, VERB_GET, begun_ms, begun_ms + 1, OUTCOME_DONE);
    event->read = saw == NOTHING   ? HISTORY_NIL
                  : saw == STRANGE ? HISTORY_STRANGE
                                   : (uint64_t)saw + 1;
    return event;
}

static void final_read(struct story *story, uint64_t begun_ms, int saw)
{
    read_at(story, begun_ms, saw)->final = true;
}

/* NULL: all is right. */
static void expect(struct story *story, const char *checker)
{
    struct check_counts counts;
    check_history(&story->history, &story->options, &story->trace, &counts);
    if (checker)
        assert_string_equal(story->trace.checker, checker);
    else
        assert_false(story->trace.failed);
    history_deinit(&story->history);
}

static void the_last_acknowledged_value_is_there(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_PRIVATE);
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_SET, 30, 40);
    final_read(&story, 1000, 1);
    expect(&story, NULL);

    story_init(&story, HISTORY_PRIVATE);
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_SET, 30, 40);
    final_read(&story, 1000, 0);
    expect(&story, "A1");

    story_init(&story, HISTORY_PRIVATE);
    write_at(&story, VERB_SET, 10, 20);
    final_read(&story, 1000, NOTHING);
    expect(&story, "A1");
}

/* Without a reply it may run at any time; who was told so was told that it has run, if ever. */
static void what_was_told_to_be_unknown_deletes_nothing_later(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++)
        for (unsigned late = 0; late < 2; late++) {
            struct story story;
            story_init(&story, HISTORY_REGISTER);
            add(&story, VERB_DEL, 10, 20, OUTCOME_UNKNOWN)->told = told;
            write_at(&story, VERB_SET, late ? 30 : 15, 40);
            final_read(&story, 1000, NOTHING);
            expect(&story, told && late ? "A1" : NULL);
        }
}

static void a_deleted_value_does_not_come_back(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_REGISTER);
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_DEL, 30, 40);
    final_read(&story, 1000, NOTHING);
    expect(&story, NULL);

    story_init(&story, HISTORY_REGISTER);
    story.options.undivided = true;
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_DEL, 30, 40);
    final_read(&story, 1000, 0);
    expect(&story, "A1");

    /* Where nodes may have been cut off from each other it may not have been seen. */
    story_init(&story, HISTORY_REGISTER);
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_DEL, 30, 40);
    final_read(&story, 1000, 0);
    expect(&story, NULL);

    /* One that found nothing has deleted nothing. */
    story_init(&story, HISTORY_REGISTER);
    write_at(&story, VERB_SET, 10, 20);
    add(&story, VERB_DEL, 30, 40, OUTCOME_DONE)->applied = false;
    final_read(&story, 1000, NOTHING);
    expect(&story, "A1");
}

static void what_overlaps_may_be_in_any_order(void **state)
{
    (void)state;
    for (int saw = 0; saw < 2; saw++) {
        struct story story;
        story_init(&story, HISTORY_REGISTER);
        write_at(&story, VERB_SET, 10, 40);
        write_at(&story, VERB_SET, 20, 30);
        final_read(&story, 1000, saw);
        expect(&story, NULL);
    }
}

static void orders_within_the_slack_count_for_nothing(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_REGISTER);
    write_at(&story, VERB_SET, 10, 20);
    write_at(&story, VERB_SET, 24, 30);
    final_read(&story, 1000, 0);
    expect(&story, NULL);
}

static void what_got_no_reply_may_happen_at_any_later_time(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_PRIVATE);
    add(&story, VERB_SET, 10, 20, OUTCOME_UNKNOWN);
    write_at(&story, VERB_SET, 30, 40);
    final_read(&story, 1000, 0);
    expect(&story, NULL);

    story_init(&story, HISTORY_PRIVATE);
    add(&story, VERB_DEL, 10, 20, OUTCOME_PENDING);
    write_at(&story, VERB_SET, 30, 40);
    final_read(&story, 1000, NOTHING);
    expect(&story, NULL);
}

static void values_come_from_somewhere(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_REGISTER);
    write_at(&story, VERB_SET, 10, 20);
    read_at(&story, 30, STRANGE);
    expect(&story, "A3");

    story_init(&story, HISTORY_REGISTER); /* seen before it was asked for */
    write_at(&story, VERB_SET, 100, 200);
    read_at(&story, 30, 0);
    expect(&story, "A3");

    story_init(&story, HISTORY_REGISTER); /* SET NX that was answered with nil */
    write_at(&story, VERB_SET, 10, 20);
    add(&story, VERB_SETNX, 30, 40, OUTCOME_DONE)->applied = false;
    read_at(&story, 50, 1);
    expect(&story, "A3");

    story_init(&story, HISTORY_REGISTER);
    add(&story, VERB_SET, 10, 20, OUTCOME_REFUSED);
    read_at(&story, 30, 0);
    expect(&story, "A13");
}

static void an_old_value_is_an_error_in_strict_mode_only(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        struct story story;
        story_init(&story, HISTORY_REGISTER);
        story.options.strict = strict;
        write_at(&story, VERB_SET, 10, 20);
        write_at(&story, VERB_SET, 30, 40);
        read_at(&story, 50, 0);
        write_at(&story, VERB_SET, 60, 70);
        final_read(&story, 1000, 3);
        expect(&story, strict ? "A6" : NULL);
    }
}

/* In strict mode: SET NX sees what was acknowledged before it, and so does DEL. */
static void conditions_are_judged_by_what_is_there(void **state)
{
    (void)state;
    struct {
        enum history_verb before, verb;
        bool applied;
        const char *checker;
    } cases[] = {
        {VERB_SET, VERB_SETNX, false, NULL}, {VERB_SET, VERB_SETNX, true, "A7"},
        {VERB_DEL, VERB_SETNX, true, NULL},  {VERB_DEL, VERB_SETNX, false, "A7"},
        {VERB_SET, VERB_DEL, true, NULL},    {VERB_SET, VERB_DEL, false, "A7"},
        {VERB_DEL, VERB_DEL, false, NULL},   {VERB_DEL, VERB_DEL, true, "A7"},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        struct story story;
        story_init(&story, HISTORY_REGISTER);
        story.options.strict = i % 2 == 0;
        write_at(&story, VERB_SET, 10, 20);
        write_at(&story, cases[i / 2].before, 30, 40);
        add(&story, cases[i / 2].verb, 50, 60, OUTCOME_DONE)->applied = cases[i / 2].applied;
        expect(&story, story.options.strict ? cases[i / 2].checker : NULL);
    }
}

static void nothing_lives_longer_than_its_time(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_EXPIRING);
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    read_at(&story, 115, 0);
    read_at(&story, 130, NOTHING);
    expect(&story, NULL);

    story_init(&story, HISTORY_EXPIRING);
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    read_at(&story, 130, 0);
    expect(&story, "A9");

    story_init(&story, HISTORY_EXPIRING); /* beside it is what has none */
    add(&story, VERB_SET, 0, 5, OUTCOME_UNKNOWN);
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    read_at(&story, 400, 1);
    expect(&story, NULL);
    story_init(&story, HISTORY_EXPIRING); /* its time was made longer */
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    write_at(&story, VERB_PERSIST, 30, 40);
    final_read(&story, 1000, 0);
    expect(&story, NULL);

    for (int strict = 0; strict < 2; strict++) { /* and shorter, which an old read may not know */
        story_init(&story, HISTORY_EXPIRING);
        story.options.strict = strict;
        write_at(&story, VERB_SET, 10, 20);
        add(&story, VERB_EXPIRE, 30, 40, OUTCOME_DONE)->amount = 50;
        read_at(&story, 100, 0);
        expect(&story, strict ? "A9" : NULL);
    }
    story_init(&story, HISTORY_EXPIRING); /* in the end all know it */
    write_at(&story, VERB_SET, 10, 20);
    add(&story, VERB_EXPIRE, 30, 40, OUTCOME_DONE)->amount = 50;
    final_read(&story, 100, 0);
    expect(&story, "A9");
}

static void what_had_not_been_seen_stands_beside_with_its_time(void **state)
{
    (void)state;
    struct story story;
    for (int strict = 0; strict < 2; strict++) { /* it was with a stand-in */
        story_init(&story, HISTORY_EXPIRING);
        story.options.strict = strict;
        write_at(&story, VERB_SET, 10, 20);
        add(&story, VERB_SET, 50, 60, OUTCOME_DONE)->amount = 100;
        write_at(&story, VERB_EXPIRE, 70, 80);
        story.history.events[2].amount = 50;
        final_read(&story, 1000, 1);
        expect(&story, strict ? "A9" : NULL);
    }

    for (int reverted = 0; reverted < 2; reverted++) { /* it is back as it had been */
        story_init(&story, HISTORY_EXPIRING);
        story.options.reverted = reverted;
        story.options.strict = !reverted;
        add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
        write_at(&story, VERB_PERSIST, 30, 40);
        write_at(&story, VERB_DEL, 50, 60);
        add(&story, VERB_EXPIRE, 70, 80, OUTCOME_DONE)->amount = 50;
        final_read(&story, 1000, 0);
        expect(&story, reverted ? NULL : "A9");

        for (int expires = 0; expires < 2; expires++) { /* or alone, when that has expired */
            story_init(&story, HISTORY_EXPIRING);
            story.options.reverted = reverted;
            write_at(&story, VERB_SET, 10, 20);
            add(&story, VERB_SET, 30, 40, OUTCOME_DONE)->amount = expires ? 100 : 0;
            final_read(&story, 1000, 0);
            expect(&story, reverted && expires ? NULL : "A1");
        }
    }
}

static void nothing_goes_before_its_time(void **state)
{
    (void)state;
    struct story story;
    story_init(&story, HISTORY_EXPIRING);
    story.options.strict = true;
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    read_at(&story, 90, NOTHING);
    expect(&story, "A6");

    story_init(&story, HISTORY_EXPIRING); /* PERSIST had been acknowledged */
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    write_at(&story, VERB_PERSIST, 30, 40);
    final_read(&story, 1000, NOTHING);
    expect(&story, "A1");

    story_init(&story, HISTORY_EXPIRING); /* nobody knows whether it had been */
    add(&story, VERB_SET, 10, 20, OUTCOME_DONE)->amount = 100;
    add(&story, VERB_PERSIST, 30, 40, OUTCOME_UNKNOWN);
    final_read(&story, 1000, NOTHING);
    expect(&story, NULL);
}

static void increment(struct story *story, uint64_t begun_ms, enum history_outcome outcome,
                      int64_t amount, int64_t sum)
{
    struct history_event *event = add(story, VERB_INCRBY, begun_ms, begun_ms + 1, outcome);
    event->amount = amount;
    event->sum = sum;
}

static void sums_are_between_acknowledged_and_attempted(void **state)
{
    (void)state;
    static const struct {
        int64_t sum;
        const char *checker;
    } cases[] = {{2, "A8"}, {3, NULL}, {8, NULL}, {9, "A8"}};
    for (size_t i = 0; i < 4; i++) {
        struct story story;
        story_init(&story, HISTORY_COUNTER);
        increment(&story, 10, OUTCOME_DONE, 3, 3);
        increment(&story, 20, OUTCOME_UNKNOWN, 5, 0);
        increment(&story, 30, OUTCOME_REFUSED, 7, 0);
        struct history_event *read = read_at(&story, 1000, 0);
        read->sum = cases[i].sum;
        read->final = true;
        expect(&story, cases[i].checker);
    }
}

static void see_tokens(struct story *story, uint64_t at_ms, const uint64_t *numbers, size_t count)
{
    struct buffer text = {0};
    for (size_t i = 0; i < count; i++)
        history_value(&story->history, numbers[i], 0, &text);
    struct history_event *read = read_at(story, at_ms, 0);
    read->final = true;
    history_parse_log(&story->history, story->key, buffer_bytes(&text), read);
    buffer_deinit(&text);
}

static void logs_keep_what_was_appended_in_order(void **state)
{
    (void)state;
    static const struct {
        uint64_t numbers[3];
        size_t count;
        bool undivided;
        const char *checker;
    } cases[] = {
        {{0, 1}, 2, true, NULL},     /* */
        {{0, 1}, 2, false, NULL},    /* */
        {{1}, 1, false, NULL},       /* two coordinators: what the last one had not seen */
        {{1}, 1, true, "A1"},        /* */
        {{0}, 1, false, "A1"},       /* the last one is missing */
        {{1, 0}, 2, false, "A2"},    /* */
        {{0, 1, 1}, 3, false, "A2"}, /* */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct story story;
        story_init(&story, HISTORY_LOG);
        story.options.undivided = cases[i].undivided;
        write_at(&story, VERB_APPEND, 10, 20);
        write_at(&story, VERB_APPEND, 30, 40);
        see_tokens(&story, 1000, cases[i].numbers, cases[i].count);
        expect(&story, cases[i].checker);
    }
}

static void a_value_tells_its_key_and_its_event(void **state)
{
    (void)state;
    struct story story;
    struct buffer text = {0};
    story_init(&story, HISTORY_REGISTER);
    size_t other = history_add_key(&story.history, HISTORY_PRIVATE, 3, 1);
    write_at(&story, VERB_SET, 10, 20);
    history_value(&story.history, 0, 40, &text);
    struct bytes bytes = buffer_bytes(&text);
    assert_int_equal(history_parse(&story.history, story.key, bytes), 1);
    assert_true(history_parse(&story.history, other, bytes) == HISTORY_STRANGE);
    for (size_t i = 0; i < bytes.size; i++) {
        ((char *)text.block)[text.start + i] ^= 1;
        assert_true(history_parse(&story.history, story.key, bytes) == HISTORY_STRANGE);
        ((char *)text.block)[text.start + i] ^= 1;
    }
    assert_true(history_parse(&story.history, story.key, BYTES("")) == HISTORY_STRANGE);
    buffer_deinit(&text);
    history_deinit(&story.history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_acknowledged_value_is_there),
        cmocka_unit_test(a_deleted_value_does_not_come_back),
        cmocka_unit_test(what_was_told_to_be_unknown_deletes_nothing_later),
        cmocka_unit_test(what_overlaps_may_be_in_any_order),
        cmocka_unit_test(orders_within_the_slack_count_for_nothing),
        cmocka_unit_test(what_got_no_reply_may_happen_at_any_later_time),
        cmocka_unit_test(values_come_from_somewhere),
        cmocka_unit_test(an_old_value_is_an_error_in_strict_mode_only),
        cmocka_unit_test(conditions_are_judged_by_what_is_there),
        cmocka_unit_test(nothing_lives_longer_than_its_time),
        cmocka_unit_test(what_had_not_been_seen_stands_beside_with_its_time),
        cmocka_unit_test(nothing_goes_before_its_time),
        cmocka_unit_test(sums_are_between_acknowledged_and_attempted),
        cmocka_unit_test(logs_keep_what_was_appended_in_order),
        cmocka_unit_test(a_value_tells_its_key_and_its_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
