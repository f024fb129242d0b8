/* SPDX-License-Identifier: MIT */
/* A generation's heap of expiries, its notes and its weight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "store/generation.h"

static void test_the_earliest_comes_first(void **state)
{
    struct due_heap heap = {0};
    struct random random = {1};
    uint64_t sum = 0, last = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct due due = {random_below(&random, 300), i};
        sum += due.place;
        due_push(&heap, due);
        if (i % 3 == 0)
            sum -= due_pop(&heap).place;
    }
    while (heap.count > 0) {
        struct due due = due_pop(&heap);
        assert_true(due.at_ms >= last);
        last = due.at_ms;
        sum -= due.place;
    }
    assert_int_equal(sum, 0); /* each once */
    memory_free(heap.items);
}

static void test_notes_come_back_in_order(void **state)
{
    static const struct bytes notes[] = {{"one", 3}, {"", 0}, {"\0three", 6}};
    struct buffer buffer = {0};
    struct bytes note;
    size_t at = 0;
    (void)state;
    assert_false(generation_next_note(&buffer, &at, &note));
    for (unsigned i = 0; i < 3; i++)
        generation_note(&buffer, notes[i]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(generation_next_note(&buffer, &at, &note));
        assert_true(bytes_equal(note, notes[i]));
    }
    assert_false(generation_next_note(&buffer, &at, &note));
    buffer_deinit(&buffer);
}

/* Else expiries set over and over would take memory that nobody limits. */
static void test_notes_and_expiries_weigh(void **state)
{
    struct generation generation;
    (void)state;
    generation_init(&generation, 1, 0);
    assert_int_equal(generation_weight(&generation), 0);
    for (unsigned i = 0; i < 1000; i++)
        due_push(&generation.due, (struct due){i, i});
    assert_true(generation_weight(&generation) >= 1000 * sizeof(struct due));
    uint64_t before = generation_weight(&generation);
    for (unsigned i = 0; i < 1000; i++)
        generation_note(&generation.index_deletes, BYTES("a name"));
    assert_true(generation_weight(&generation) >= before + 6000);
    generation_deinit(&generation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_earliest_comes_first),
        cmocka_unit_test(test_notes_come_back_in_order),
        cmocka_unit_test(test_notes_and_expiries_weigh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
