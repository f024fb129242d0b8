/* SPDX-License-Identifier: MIT */
/* What has expired is collected, wherever it stands, whatever the clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/meta.h"
#include "store/state.h"
#include "support/small_store.h"

static void test_collected_in_memory(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_set_until(small, "b", "1", small->now_ms + 3000);
    small_set(small, "c", "1");
    small_tick_for(small, 1000);
    small_expect_keys(small, 3); /* it lives through its last millisecond */
    small_tick_for(small, 100);
    small_expect_keys(small, 2);
    assert_null(small_entry(small, "a"));
    small_tick_for(small, 3000);
    small_expect_keys(small, 1);
    assert_int_equal(store_keys_with_expiry(small->store, 0), 0);
    assert_int_equal(small->store->stats.expired_keys, 2);
    small_audit(small);
}

/* What a command comes upon is gone with it, however slow the removal of all that is due. */
static void test_what_is_seen_is_collected_at_once(void **state)
{
    struct small_store *small = *state;
    char key[32];
    store_set_active_expiry(small->store, false);
    for (unsigned i = 0; i < EXPIRED_SEEN_MAX + 10; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        small_set_until(small, key, "1", small->now_ms + 1000);
    }
    small_set(small, "other", "1");
    small_seal(small);
    small->now_ms += 1001;
    small_tick_for(small, 1000);
    small_expect_keys(small, EXPIRED_SEEN_MAX + 11);
    txn_begin(&small->txn, small->now_ms);
    for (unsigned i = 0; i < EXPIRED_SEEN_MAX + 10; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        txn_saw_expired(&small->txn, small_name(small, key));
    }
    txn_saw_expired(&small->txn, small_name(small, "other")); /* has not */
    assert_int_equal(txn_commit(&small->txn), STATUS_OK);
    small_expect_keys(small, 11);
    small_turn(small);
    small_expect(small, "other", "1");
    assert_int_equal(small->store->stats.expired_keys, EXPIRED_SEEN_MAX);
    small_audit(small);
    small_crash(small);
    small_start(small);
    small_expect_keys(small, 11);
    small_audit(small);
}

/* A write to what has expired: it is collected, then written. */
static void test_what_is_seen_and_written(void **state)
{
    struct small_store *small = *state;
    store_set_active_expiry(small->store, false);
    for (int sealed = 0; sealed < 2; sealed++) {
        small_set_until(small, "a", "1", small->now_ms + 1000);
        if (sealed)
            small_seal(small);
        small->now_ms += 1001;
        struct bytes row, name;
        txn_begin(&small->txn, small->now_ms);
        name = small_name(small, "a");
        assert_int_equal(txn_get(&small->txn, name, &row), STATUS_OK);
        txn_saw_expired(&small->txn, name);
        row = row_encode_common(&small->arena, txn_dot(&small->txn, 0), VALUE_STRING, BYTES("new"),
                                EXPIRY_NEVER);
        txn_stage(&small->txn, name, row);
        assert_int_equal(txn_commit(&small->txn), STATUS_OK);
        small_turn(small);
        small_expect(small, "a", "new");
        small_expect_keys(small, 1);
        assert_int_equal(store_keys_with_expiry(small->store, 0), 0);
        small_audit(small);
        small_crash(small);
        small_start(small);
        store_set_active_expiry(small->store, false);
        small_expect(small, "a", "new");
        small_audit(small);
    }
}

static void test_what_was_changed_is_judged_anew(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "longer", "1", small->now_ms + 1000);
    small_set_until(small, "longer", "1", small->now_ms + 5000);
    small_set_until(small, "shorter", "1", small->now_ms + 5000);
    small_set_until(small, "shorter", "1", small->now_ms + 1000);
    small_set_until(small, "forever", "1", small->now_ms + 1000);
    small_set(small, "forever", "1");
    small_tick_for(small, 2000);
    small_expect(small, "longer", "1");
    small_expect(small, "forever", "1");
    small_expect_keys(small, 2);
    small_audit(small);
}

/* By the index: nothing of it is in memory. */
static void test_collected_after_a_restart(void **state)
{
    struct small_store *small = *state;
    char key[32];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        small_set_until(small, key, "1", small->now_ms + 1000 + i % 7);
    }
    small_set_until(small, "later", "1", small->now_ms + 60000);
    small_seal(small);
    assert_int_equal(small_index_rows(small), 3001);
    small_stop(small);
    small->now_ms += 5000;
    small_start(small);
    small_expect_keys(small, 3001);
    small_tick_for(small, 1000);
    small_expect_keys(small, 1);
    small_seal(small);
    small_tick_for(small, 200);
    assert_int_equal(small_index_rows(small), 1);
    small_audit(small);
}

/* Its generation was sealed, and the row forgotten, before it came due. */
static void test_collected_from_the_tier(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_seal(small);
    small_forget(small);
    small_tick_for(small, 1300);
    small_expect_keys(small, 0);
    small_seal(small);
    assert_int_equal(small_index_rows(small), 0);
    small_audit(small);
}

/* More came due than one tick collects; then their seal ended, and memory was short. */
static void test_collected_though_forgotten_when_due(void **state)
{
    struct small_store *small = *state;
    char key[32];
    for (unsigned i = 0; i < 6000; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        small_set_until(small, key, "1", small->now_ms + 150);
    }
    small_tick_for(small, 100);
    small_begin_seal(small);
    small->now_ms += 100;
    store_tick(small->store, small->now_ms);
    assert_in_range(store_keys(small->store, 0), 1, 5999);
    small_run_jobs(small);
    small_forget(small);
    small_tick_for(small, 2000);
    small_expect_keys(small, 0);
    small_audit(small);
}

/* Nobody looked for a while, the seal went on, and the row is not in memory any more. */
static void test_what_nobody_looked_for_is_found_later(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "early", "1", small->now_ms + 100);
    small_tick_for(small, 500); /* the index has been searched up to here */
    small_set_until(small, "a", "1", small->now_ms + 100);
    store_set_active_expiry(small->store, false);
    uint64_t searched = small->now_ms;
    small_tick_for(small, 500);
    small_seal(small);
    small_forget(small);
    assert_null(small_entry(small, "a"));
    store_set_active_expiry(small->store, true);
    small_tick_for(small, 1000);
    small_expect_keys(small, 0);
    assert_true(searched < small->now_ms);
}

static void test_the_clock_goes_back(void **state)
{
    struct small_store *small = *state;
    small_tick_for(small, 10000);
    small->now_ms -= 9000;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_set_until(small, "b", "1", small->now_ms + 1000);
    small_seal(small);
    small_forget(small);
    small_expect(small, "a", "1");
    small_tick_for(small, 500);
    small_expect_keys(small, 2);
    small_tick_for(small, 1500);
    small_expect_keys(small, 0);
}

/* It goes back for the moment in which a seal ends, then on as if nothing had been. */
static void test_the_clock_goes_back_for_a_moment(void **state)
{
    struct small_store *small = *state;
    small_set(small, "x", "1");
    small_tick_for(small, 1000);
    small_set_until(small, "a", "1", small->now_ms - 150);
    small_begin_seal(small);
    store_set_active_expiry(small->store, false); /* as when there is no room for a search */
    small->now_ms -= 200;
    store_tick(small->store, small->now_ms);
    small_run_jobs(small);
    small_forget(small);
    store_set_active_expiry(small->store, true);
    small->now_ms += 200;
    small_tick_for(small, 1000);
    small_expect_keys(small, 1);
}

/* And comes back before the next search would be due: that one must not wait for its interval. */
static void test_the_clock_is_seen_going_back_without_a_search(void **state)
{
    struct small_store *small = *state;
    small_tick_for(small, 1000);
    small->now_ms -= 400;
    small_set_until(small, "a", "1", small->now_ms + 100);
    store_set_active_expiry(small->store, false); /* as when there is no room for a search */
    store_tick(small->store, small->now_ms);
    small_seal(small);
    small_forget(small);
    store_set_active_expiry(small->store, true);
    small->now_ms += 450;
    store_tick(small->store, small->now_ms);
    small_run_jobs(small);
    small_expect_keys(small, 0);
}

/* A search that began on the later clock does not take what was written on the earlier one. */
static void test_a_search_is_overtaken_by_the_clock(void **state)
{
    struct small_store *small = *state;
    uint64_t at_ms = small->now_ms + 1000;
    small_set_until(small, "a", "1", at_ms);
    small_seal(small);
    small_forget(small);
    small->now_ms = at_ms + 1;
    store_tick(small->store, small->now_ms); /* a search is to be run */
    small->now_ms = at_ms - 500;
    small_set_until(small, "a", "2", at_ms);
    small_turn(small);
    small_run_jobs(small);
    small_expect(small, "a", "2");
    small_tick_for(small, 1000);
    small_expect_keys(small, 0);
    small_audit(small);
}

static void expect_gone_after_a_crash(struct small_store *small, uint64_t at_ms)
{
    small_tick_for(small, 2000);
    small_expect_keys(small, 0);
    small_crash(small);
    small->now_ms = at_ms - 500;
    small_start(small);
    small_expect(small, "a", NULL);
    small_expect_keys(small, 0);
    assert_int_equal(store_keys_with_expiry(small->store, 0), 0);
    small_audit(small);
    small_seal(small);
    small_expect(small, "a", NULL);
    small_audit(small);
}

static void test_collected_for_good(void **state)
{
    struct small_store *small = *state;
    uint64_t at_ms = small->now_ms + 1000;
    small_set_until(small, "a", "1", at_ms);
    expect_gone_after_a_crash(small, at_ms);
    small_set_until(small, "a", "2", at_ms);
    small_expect(small, "a", "2");
}

static void test_collected_from_the_tier_for_good(void **state)
{
    struct small_store *small = *state;
    uint64_t at_ms = small->now_ms + 1000;
    small_set_until(small, "a", "1", at_ms);
    small_seal(small);
    small_forget(small);
    expect_gone_after_a_crash(small, at_ms);
}

/* What has replaced it since is not taken with it. */
static void test_set_again_after_collection(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_tick_for(small, 1500);
    small_expect_keys(small, 0);
    small_set(small, "a", "2");
    small_turn(small);
    small_crash(small);
    small_start(small);
    small_expect(small, "a", "2");
    small_audit(small);
}

/* Who is told that it is gone, by a clock on which it is not over, waits for the log. */
static void test_a_reply_waits_for_the_collection(void **state)
{
    struct small_store *small = *state;
    store_set_sync(small->store, LOG_SYNC_ALWAYS);
    small_set_until(small, "a", "1", small->now_ms + 50);
    small_turn(small);
    small_run_jobs(small);
    store_tick(small->store, small->now_ms + 100);
    small_expect(small, "a", NULL);
    assert_false(store_gate_passed(small->store, small->txn.gate));
    small_turn(small);
    small_run_jobs(small);
    assert_true(store_gate_passed(small->store, small->txn.gate));
}

/* Nothing is lost of what there was no room for. */
static void test_a_full_disk_puts_collecting_off(void **state)
{
    struct small_store *small = *state;
    char key[32];
    for (unsigned i = 0; i < 6000; i++) {
        snprintf(key, sizeof(key), "a-key-of-some-length-%u", i);
        small_set_until(small, key, "1", small->now_ms + 1000);
        if (i == 2999)
            small_seal(small);
    }
    small_turn(small);
    small_crash(small); /* a new segment, with little room */
    small_start(small);
    small_forget(small);
    sim_files_set_capacity(small->disk, sim_files_used(small->disk));
    small_tick_for(small, 3000);
    assert_in_range(store_keys(small->store, 0), 1, 6000);
    sim_files_set_capacity(small->disk, SIM_FILES_UNLIMITED);
    small_tick_for(small, 3000);
    small_expect_keys(small, 0);
    small_audit(small);
}

/* A disk that fails to read once does not leave keys behind for ever. */
static void test_a_failed_search_is_repeated(void **state)
{
    struct small_store *small = *state;
    struct buffer index_name = {0};
    small_set_until(small, "a", "1", small->now_ms + 1000);
    small_set_until(small, "b", "1", small->now_ms + 1001);
    small_seal(small);
    small_forget(small);
    meta_expiry_name(&index_name, small->now_ms + 1000, small_name(small, "a"));
    sim_tier_fail_read(small->tier_disk, buffer_bytes(&index_name), STATUS_IO);
    small_tick_for(small, 1500);
    small_expect_keys(small, 2);
    sim_tier_fail_read(small->tier_disk, buffer_bytes(&index_name), STATUS_OK);
    small_tick_for(small, 1500); /* it waits a while before it does */
    small_expect_keys(small, 0);
    buffer_deinit(&index_name);
}

static void test_collected_while_sealed(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "a", "1", small->now_ms + 100);
    small_begin_seal(small);
    small->now_ms += 200;
    store_tick(small->store, small->now_ms);
    small_expect_keys(small, 0);
    small_expect(small, "a", NULL);
    small_set(small, "a", "2");
    small_run_jobs(small);
    small_audit(small);
    small_seal(small);
    small_tick_for(small, 200);
    small_forget(small);
    small_expect(small, "a", "2");
    assert_int_equal(small_index_rows(small), 0);
    small_audit(small);
}

/* The same time again must not lose its index row, a changed one not keep the old. */
static void test_the_index_follows_changes(void **state)
{
    struct small_store *small = *state;
    uint64_t at_ms = small->now_ms + 100000;
    small_set_until(small, "same", "1", at_ms);
    small_set_until(small, "moved", "1", at_ms);
    small_set_until(small, "back", "1", at_ms);
    small_set_until(small, "gone", "1", at_ms);
    small_seal(small);
    assert_int_equal(small_index_rows(small), 4);
    small_set_until(small, "same", "2", at_ms);
    small_set_until(small, "moved", "2", at_ms + 1);
    small_set_until(small, "back", "2", at_ms + 1);
    small_set_until(small, "back", "3", at_ms);
    small_delete(small, "gone");
    small_seal(small);
    assert_int_equal(small_index_rows(small), 3);
    small_audit(small);
}

static void test_how_long_keys_live_is_guessed(void **state)
{
    struct small_store *small = *state;
    char key[32];
    assert_int_equal(store_average_ttl(small->store, 0, small->now_ms), 0);
    small_set_many(small, "forever", 0, 500);
    assert_int_equal(store_average_ttl(small->store, 0, small->now_ms), 0);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        small_set_until(small, key, "1", small->now_ms + 50000 + i % 2 * 10000);
    }
    small->db = 1;
    small_set_until(small, "b", "1", small->now_ms + 7);
    small->db = 0;
    uint64_t guess = store_average_ttl(small->store, 0, small->now_ms);
    assert_true(guess > 52000 && guess < 58000);
    assert_int_equal(store_average_ttl(small->store, 1, small->now_ms), 7);
    assert_int_equal(store_average_ttl(small->store, 1, small->now_ms + 8), 0);
    guess = store_average_ttl(small->store, 0, small->now_ms + 10000);
    assert_true(guess > 42000 && guess < 48000);
    small_flush(small);
    assert_int_equal(store_average_ttl(small->store, 0, small->now_ms), 0);
    small_seal(small); /* what is not in memory is not seen */
    small_forget(small);
    small->db = 1;
    assert_int_equal(store_average_ttl(small->store, 1, small->now_ms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_collected_in_memory),
        SMALL_STORE_TEST(test_what_is_seen_is_collected_at_once),
        SMALL_STORE_TEST(test_what_is_seen_and_written),
        SMALL_STORE_TEST(test_what_was_changed_is_judged_anew),
        SMALL_STORE_TEST(test_collected_after_a_restart),
        SMALL_STORE_TEST(test_collected_from_the_tier),
        SMALL_STORE_TEST(test_collected_though_forgotten_when_due),
        SMALL_STORE_TEST(test_what_nobody_looked_for_is_found_later),
        SMALL_STORE_TEST(test_the_clock_goes_back),
        SMALL_STORE_TEST(test_the_clock_goes_back_for_a_moment),
        SMALL_STORE_TEST(test_the_clock_is_seen_going_back_without_a_search),
        SMALL_STORE_TEST(test_a_search_is_overtaken_by_the_clock),
        SMALL_STORE_TEST(test_collected_for_good),
        SMALL_STORE_TEST(test_collected_from_the_tier_for_good),
        SMALL_STORE_TEST(test_set_again_after_collection),
        SMALL_STORE_TEST(test_a_reply_waits_for_the_collection),
        SMALL_STORE_TEST(test_a_full_disk_puts_collecting_off),
        SMALL_STORE_TEST(test_a_failed_search_is_repeated),
        SMALL_STORE_TEST(test_collected_while_sealed),
        SMALL_STORE_TEST(test_the_index_follows_changes),
        SMALL_STORE_TEST(test_how_long_keys_live_is_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
