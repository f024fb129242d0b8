/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "quorum/outcomes.h"

static struct request_id id(uint64_t number)
{
    return (struct request_id){5, number};
}

static void test_it_is_known_for_a_minute(void **state)
{
    struct outcomes outcomes;
    (void)state;
    outcomes_init(&outcomes, 1 << 20);
    outcomes_add(&outcomes, id(1), BYTES("+OK"), BYTES("\1a"), BYTES("dots"), 9, 1000);
    const struct outcome_record *record = outcomes_find(&outcomes, id(1), NULL, 1000);
    assert_non_null(record);
    assert_true(bytes_equal(outcome_reply(record), BYTES("+OK")));
    assert_true(bytes_equal(outcome_heads(record), BYTES("\1a")));
    assert_true(bytes_equal(outcome_dots(record), BYTES("dots")));
    assert_int_equal(record->gate, 9);
    assert_null(outcomes_find(&outcomes, id(2), NULL, 1000));
    assert_null(outcomes_find(&outcomes, (struct request_id){6, 1}, NULL, 1000));
    assert_non_null(outcomes_find(&outcomes, id(1), NULL, 1000 + QUORUM_REQUESTS_KEPT_MS));
    assert_null(outcomes_find(&outcomes, id(1), NULL, 1001 + QUORUM_REQUESTS_KEPT_MS));
    outcomes_add(&outcomes, id(2), BYTES(""), BYTES(""), BYTES(""), 9,
                 1001 + QUORUM_REQUESTS_KEPT_MS);
    assert_int_equal(outcomes.count, 1); /* the old one is gone */
    outcomes_deinit(&outcomes);
}

static void test_all_records_of_a_request_are_found(void **state)
{
    struct outcomes outcomes;
    (void)state;
    outcomes_init(&outcomes, 1 << 20);
    for (uint64_t i = 0; i < 1000; i++)
        outcomes_add(&outcomes, id(i / 2), BYTES("r"), i % 2 ? BYTES("\1b") : BYTES("\1a"),
                     BYTES(""), i + 1, 1000);
    for (uint64_t i = 0; i < 500; i++) {
        const struct outcome_record *record = outcomes_find(&outcomes, id(i), NULL, 1000);
        assert_true(record && bytes_equal(outcome_heads(record), BYTES("\1b")));
        record = outcomes_find(&outcomes, id(i), record, 1000);
        assert_true(record && bytes_equal(outcome_heads(record), BYTES("\1a")));
        assert_null(outcomes_find(&outcomes, id(i), record, 1000));
    }
    outcomes_deinit(&outcomes);
}

static void test_the_oldest_make_room(void **state)
{
    enum { MOST = 2000 };
    struct outcomes outcomes;
    static char large[QUORUM_REPLY_KEPT_MAX + 1];
    (void)state;
    outcomes_init(&outcomes, MOST);
    for (uint64_t i = 0; i < 100; i++) {
        outcomes_add(&outcomes, id(i), BYTES("0123456789"), BYTES("\1a"), BYTES(""), 1, 1000);
        assert_true(outcomes.bytes <= MOST);
    }
    assert_null(outcomes_find(&outcomes, id(0), NULL, 1000));
    assert_non_null(outcomes_find(&outcomes, id(99), NULL, 1000));
    outcomes_add(&outcomes, id(100), bytes_of(large, sizeof(large)), BYTES("\1a"), BYTES(""), 1,
                 1000);
    const struct outcome_record *record = outcomes_find(&outcomes, id(100), NULL, 1000);
    assert_true(record && record->reply_size == 0); /* that it was run is known still */
    outcomes_add(&outcomes, id(101), BYTES(""), bytes_of(large, MOST), BYTES(""), 1, 1000);
    assert_null(outcomes_find(&outcomes, id(101), NULL, 1000)); /* beyond all that may be kept */
    outcomes_deinit(&outcomes);
}

/* As long as networks part. */
static void test_what_a_run_has_made_is_kept_for_longer(void **state)
{
    struct outcomes outcomes;
    (void)state;
    outcomes_init(&outcomes, 1 << 20);
    for (uint64_t i = 0; i < 4; i++)
        outcomes_add(&outcomes, id(i), BYTES("r"), BYTES("\1a"), i % 2 ? BYTES("dots") : BYTES(""),
                     1, 1000);
    for (uint64_t i = 0; i < 3; i++)
        outcomes_keep(&outcomes, id(i), 2000);
    outcomes_keep(&outcomes, id(9), 2000); /* nobody knows it */
    uint64_t later_ms = 2000 + QUORUM_RUNS_KEPT_MS;
    outcomes_add(&outcomes, id(100), BYTES("r"), BYTES("\1a"), BYTES(""), 1, later_ms);
    for (uint64_t i = 0; i < 4; i++) /* only what a run of this node has made is worth it */
        assert_int_equal(outcomes_find(&outcomes, id(i), NULL, later_ms) != NULL, i == 1);
    assert_int_equal(outcomes.count, 2);
    assert_null(outcomes_find(&outcomes, id(1), NULL, later_ms + 1));
    outcomes_keep(&outcomes, id(100), later_ms + 1);
    assert_int_equal(outcomes.count, 1);
    outcomes_deinit(&outcomes);
}

/* They take the place of each other, not of what is young. */
static void test_only_so_many_are_kept_for_longer(void **state)
{
    enum { MOST = 80000, COUNT = 300 };
    struct outcomes outcomes;
    unsigned found = 0;
    (void)state;
    outcomes_init(&outcomes, MOST);
    for (uint64_t i = 0; i < COUNT; i++) {
        outcomes_add(&outcomes, id(i), BYTES("r"), BYTES("\1a"), BYTES("dots"), 1, 1000);
        outcomes_keep(&outcomes, id(i), 1000);
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        bool is_found = outcomes_find(&outcomes, id(i), NULL, 1000) != NULL;
        assert_true(is_found || found == 0); /* the newest are */
        found += is_found;
    }
    assert_in_range(found, 50, COUNT - 50);
    assert_in_range(outcomes.kept_bytes, 1, MOST / OUTCOMES_KEPT_PART);
    assert_int_equal(outcomes.bytes, outcomes.kept_bytes);
    outcomes_deinit(&outcomes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_known_for_a_minute),
        cmocka_unit_test(test_all_records_of_a_request_are_found),
        cmocka_unit_test(test_what_a_run_has_made_is_kept_for_longer),
        cmocka_unit_test(test_only_so_many_are_kept_for_longer),
        cmocka_unit_test(test_the_oldest_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
