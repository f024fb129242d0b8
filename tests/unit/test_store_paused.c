/* SPDX-License-Identifier: MIT */
/* While a store is paused (CLIENT PAUSE) it removes nothing by itself; afterwards it makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/state.h"
#include "support/small_store.h"

/* In memory, by the heap. */
static void test_what_expires_is_hidden_and_stays(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    store_set_paused(small->store, true);
    small_tick_for(small, 2000);
    small_expect_keys(small, 1);
    assert_int_equal(small->store->stats.expired_keys, 0);
    assert_non_null(small_entry(small, "a"));
    store_set_paused(small->store, false);
    small_tick_for(small, 100);
    small_expect_keys(small, 0);
    assert_int_equal(small->store->stats.expired_keys, 1);
    small_audit(small);
}

/* By a command that comes upon it. */
static void test_what_is_seen_to_have_expired_stays(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    store_set_active_expiry(small->store, false);
    small_tick_for(small, 2000);
    store_set_paused(small->store, true);
    assert_false(small_exists(small, "a"));
    small_set(small, "b", "2"); /* commits */
    small_expect_keys(small, 2);
    store_set_paused(small->store, false);
    assert_false(small_exists(small, "a"));
    small_set(small, "b", "3");
    small_expect_keys(small, 1);
    small_audit(small);
}

/* In the tier, by a search that was under way when the pause began. */
static void test_what_a_search_finds_is_looked_for_again(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_seal(small);
    small_stop(small);
    small->now_ms += 5000;
    small_start(small);
    store_tick(small->store, small->now_ms);
    assert_true(sim_workers_waiting(small->workers) > 0);
    store_set_paused(small->store, true);
    small_run_jobs(small);
    small_tick_for(small, 2000);
    small_expect_keys(small, 1);
    store_set_paused(small->store, false);
    small_tick_for(small, 2000);
    small_expect_keys(small, 0);
    small_audit(small);
}

static void test_what_is_too_much_stays_too(void **state)
{
    enum { KEYS = 500 };
    struct small_store *small = *state;
    small_set_many(small, "key", 0, KEYS);
    small_seal(small);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_paused(small->store, true);
    store_set_rows_bytes(small->store, small->store->table.bytes / 2);
    small_tick_for(small, 1000);
    small_expect_keys(small, KEYS);
    /* Clean rows may leave memory all the same. */
    assert_true(small->store->table.bytes <= small->store->options.rows_bytes);
    small_expect(small, "key7", "value");
    store_set_rows_bytes(small->store, small->store->table.bytes / 2);
    store_set_paused(small->store, false);
    small_tick_for(small, 100);
    assert_true(store_keys(small->store, 0) < KEYS);
    small_audit(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_what_expires_is_hidden_and_stays),
        SMALL_STORE_TEST(test_what_is_seen_to_have_expired_stays),
        SMALL_STORE_TEST(test_what_a_search_finds_is_looked_for_again),
        SMALL_STORE_TEST(test_what_is_too_much_stays_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
