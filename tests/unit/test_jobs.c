/* SPDX-License-Identifier: MIT */
/* Pieces of work in several processes: what comes of them is as if one process had done them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "sim/jobs.h"

enum { PIECES = 3000, LETHAL = 97, LONG = 1000, TALKS_EVERY = 10, LINES = 1000, ENOUGH = 50 };

struct story {
    uint64_t told, died, enough;
    struct buffer said;
};

struct piece {
    uint64_t square, process;
};

/* The first takes its time: many others are finished before it. */
static void run(void *context, uint64_t number, void *result)
{
    (void)context;
    struct piece *piece = result;
    if (number == 0)
        usleep(LONG);
    if (number % TALKS_EVERY == 0)
        fprintf(stderr, "piece %d\n", (int)number);
    if (number % LETHAL == LETHAL - 1)
        raise(SIGKILL);
    piece->square = number * number;
    piece->process = (uint64_t)getpid();
}

static bool take(void *context, uint64_t number, const void *result, struct bytes said, bool died)
{
    struct story *story = context;
    const struct piece *piece = result;
    assert_int_equal(number, story->told);
    assert_int_equal(died, number % LETHAL == LETHAL - 1);
    assert_int_equal(piece->square, died ? 0 : number * number);
    assert_int_not_equal(piece->process, getpid());
    buffer_append_bytes(&story->said, said);
    story->died += died;
    return ++story->told != story->enough;
}

static void work(struct story *story, unsigned processes, uint64_t count)
{
    struct jobs jobs = {.processes = processes,
                        .count = count,
                        .result_size = sizeof(struct piece),
                        .context = story,
                        .run = run,
                        .take = take};
    jobs_run(&jobs);
}

static void test_all_is_told_in_order_whoever_dies(void **state)
{
    (void)state;
    for (unsigned processes = 1; processes <= 5; processes += 2) {
        struct story story = {0};
        struct buffer expected = {0};
        char line[24];
        work(&story, processes, PIECES);
        assert_int_equal(story.told, PIECES);
        assert_int_equal(story.died, PIECES / LETHAL);
        for (int number = 0; number < PIECES; number += TALKS_EVERY)
            buffer_append(&expected, line,
                          (size_t)snprintf(line, sizeof(line), "piece %d\n", number));
        assert_int_equal(buffer_size(&story.said), buffer_size(&expected));
        assert_memory_equal(buffer_bytes(&story.said).data, buffer_bytes(&expected).data,
                            buffer_size(&expected));
        buffer_deinit(&expected);
        buffer_deinit(&story.said);
    }
}

static void test_it_ends_when_that_is_enough(void **state)
{
    (void)state;
    struct story story = {.enough = ENOUGH};
    work(&story, 3, UINT64_MAX);
    assert_int_equal(story.told, ENOUGH);
    buffer_deinit(&story.said);
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct story story = {0};
    work(&story, 2, 0);
    assert_int_equal(story.told, 0);
}

/* More than a pipe or a buffer holds. */
static void talk(void *context, uint64_t number, void *result)
{
    (void)context;
    (void)number;
    for (int i = 0; i < LINES; i++)
        fprintf(stderr, "a line of thirty-two characters.\n");
    *(char *)result = 1;
}

static bool listen(void *context, uint64_t number, const void *result, struct bytes said, bool died)
{
    (void)context;
    (void)number;
    assert_false(died);
    assert_int_equal(*(const char *)result, 1);
    assert_int_equal(said.size, LINES * 33);
    return true;
}

static void test_one_may_say_much(void **state)
{
    (void)state;
    struct jobs jobs = {.processes = 2, .count = 20, .result_size = 1, .run = talk, .take = listen};
    jobs_run(&jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_told_in_order_whoever_dies),
        cmocka_unit_test(test_it_ends_when_that_is_enough),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_one_may_say_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
