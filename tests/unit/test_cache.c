/* SPDX-License-Identifier: MIT */
/* SIEVE: what was not asked for again goes first, the oldest of it before the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/cache.h"
#include "support/small_store.h"

/* Ten clean rows, a0 the oldest. */
static void fill(struct small_store *small)
{
    small_set_many(small, "a", 0, 10);
    small_seal(small);
}

/* So many rows are dropped. */
static void drop(struct small_store *small, unsigned rows)
{
    struct store *store = small->store;
    uint64_t before = store->stats.cache_evictions;
    while (store->stats.cache_evictions < before + rows) {
        store->options.rows_bytes = store->table.bytes - 1;
        cache_trim(store, 1);
    }
    store->options.rows_bytes = 1 << 30;
}

static bool is_there(struct small_store *small, unsigned number)
{
    char key[8];
    snprintf(key, sizeof(key), "a%u", number);
    return small_entry(small, key) != NULL;
}

static void test_the_oldest_goes_first(void **state)
{
    struct small_store *small = *state;
    fill(small);
    drop(small, 3);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(is_there(small, i), i >= 3);
    small_audit(small);
}

static void test_what_was_asked_for_stays(void **state)
{
    struct small_store *small = *state;
    fill(small);
    small_expect(small, "a0", "value");
    small_expect(small, "a2", "value");
    drop(small, 3);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(is_there(small, i), i == 0 || i == 2 || i >= 5);
}

/* The hand goes on where it was: a visit counts until it has come round once. */
static void test_the_hand_goes_round(void **state)
{
    struct small_store *small = *state;
    fill(small);
    small_expect(small, "a0", "value");
    drop(small, 9);
    assert_true(is_there(small, 0));
    drop(small, 1);
    assert_false(is_there(small, 0));
    small_expect(small, "a0", "value");
    small_audit(small);
}

/* Also when the entry that it stands at is changed, and so leaves the queue. */
static void test_the_hand_stays_valid(void **state)
{
    struct small_store *small = *state;
    fill(small);
    drop(small, 3); /* it stands at a3 */
    small_set(small, "a3", "longer than before");
    small_delete(small, "a4");
    drop(small, 1);
    assert_true(is_there(small, 3));
    assert_false(is_there(small, 5));
    assert_true(is_there(small, 6));
    small_audit(small);
}

static void test_dirty_rows_are_never_dropped(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "a", 0, 10);
    small_forget(small);
    for (unsigned i = 0; i < 10; i++)
        assert_true(is_there(small, i));
    small_begin_seal(small);
    small_forget(small);
    assert_true(is_there(small, 1));
    small_run_jobs(small);
    small_forget(small);
    assert_false(is_there(small, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_the_oldest_goes_first),
        SMALL_STORE_TEST(test_what_was_asked_for_stays),
        SMALL_STORE_TEST(test_the_hand_goes_round),
        SMALL_STORE_TEST(test_the_hand_stays_valid),
        SMALL_STORE_TEST(test_dirty_rows_are_never_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
