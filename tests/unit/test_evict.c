/* SPDX-License-Identifier: MIT */
/* Evicting for good: which keys go, how many, and that memory stays within its budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/evict.h"
#include "store/state.h"
#include "support/small_copies.h"

enum { KEYS = 2000 };

/* Keys, half of them expiring, all clean; then the budget is a little too small. */
static void fill(struct small_store *small, enum eviction_policy policy)
{
    char key[32];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "%s%u", i % 2 ? "expiring" : "staying", i);
        small_set_until(small, key, "value", i % 2 ? small->now_ms + 1000000 + i : EXPIRY_NEVER);
    }
    small_seal(small);
    store_set_eviction(small->store, policy);
}

static unsigned count(struct small_store *small, const char *prefix, unsigned from, unsigned to)
{
    char key[32];
    unsigned there = 0;
    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%s%u", prefix, i);
        there += small_exists(small, key);
    }
    return there;
}

/* So many bytes over. */
static void squeeze(struct small_store *small, uint64_t bytes)
{
    store_set_rows_bytes(small->store, small->store->table.bytes - bytes);
    small_turn(small);
}

static void test_nothing_is_evicted_under_noeviction(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_NOTHING);
    store_set_rows_bytes(small->store, 1);
    small_turn(small);
    small_expect_keys(small, KEYS);
    assert_int_equal(count(small, "staying", 0, KEYS) + count(small, "expiring", 0, KEYS), KEYS);
}

static void test_volatile_policies_spare_what_stays(void **state)
{
    static const enum eviction_policy policies[] = {EVICT_VOLATILE_LRU, EVICT_VOLATILE_LFU,
                                                    EVICT_VOLATILE_RANDOM, EVICT_VOLATILE_TTL};
    struct small_store *small = *state;
    for (unsigned i = 0; i < 4; i++) {
        fill(small, policies[i]);
        squeeze(small, 3000);
        assert_true(store_keys(small->store, 0) < KEYS);
        assert_int_equal(count(small, "staying", 0, KEYS), KEYS / 2);
        small_audit(small);
        store_set_eviction(small->store, EVICT_NOTHING);
        store_set_rows_bytes(small->store, 1 << 30);
    }
}

static void test_what_is_used_stays(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_ALLKEYS_LRU);
    assert_int_equal(count(small, "staying", 0, 200), 100);
    squeeze(small, 2000);
    assert_true(small->store->stats.evicted_keys > 0);
    assert_int_equal(count(small, "staying", 0, 200), 100);
}

/* Though all old keys were read, and a new one never: it was just written. */
static void test_the_newest_key_is_not_the_victim(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_ALLKEYS_LRU);
    count(small, "staying", 0, KEYS);
    count(small, "expiring", 0, KEYS);
    small_set(small, "new", "value");
    squeeze(small, 100);
    assert_true(small->store->stats.evicted_keys > 0);
    small_expect(small, "new", "value");
}

static void test_random_policies_evict(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_ALLKEYS_RANDOM);
    squeeze(small, 3000);
    assert_true(small->store->stats.evicted_keys > 0);
    small_audit(small);
}

/* Of those that changed lately. */
static void test_the_shortest_time_to_live_goes_first(void **state)
{
    struct small_store *small = *state;
    store_set_eviction(small->store, EVICT_VOLATILE_TTL);
    small_set_until(small, "later", "value", small->now_ms + 5000);
    small_set_until(small, "soon", "value", small->now_ms + 1000);
    small_set_until(small, "latest", "value", small->now_ms + 9000);
    squeeze(small, 1);
    small_expect(small, "soon", NULL);
    small_expect(small, "later", "value");
    small_expect(small, "latest", "value");
}

/* What could not be deleted for want of room in the log still expires in time. */
static void test_a_refused_eviction_forgets_no_expiry(void **state)
{
    struct small_store *small = *state;
    store_set_eviction(small->store, EVICT_VOLATILE_TTL);
    small_set_until(small, "soon", "value", small->now_ms + 1000);
    sim_files_set_capacity(small->disk, sim_files_used(small->disk));
    while (small_try_set(small, "forever", "a value that takes some room in the log") == STATUS_OK)
        ;
    squeeze(small, 1);
    assert_int_equal(small->store->stats.evicted_keys, 0);
    sim_files_set_capacity(small->disk, SIM_FILES_UNLIMITED);
    store_set_eviction(small->store, EVICT_NOTHING);
    store_set_rows_bytes(small->store, UINT64_MAX); /* no seal: the index cannot help */
    small_tick_for(small, 2000);
    small_expect_keys(small, 1);
}

/* However much a turn writes: what it adds, it evicts. */
static void test_memory_stays_bounded_under_a_flood(void **state)
{
    struct small_store *small = *state;
    const uint64_t budget = 4 << 20;
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, budget);
    small->store->options.seal_bytes = 256 * 1024;
    uint64_t most = 0;
    for (unsigned turn = 0; turn < 100; turn++) {
        char key[32];
        for (unsigned i = 0; i < 1000; i++) {
            snprintf(key, sizeof(key), "key%u", turn * 1000 + i);
            while (small_try_set(small, key, "value") == STATUS_THROTTLED) {
                small_run_jobs(small);
                small_turn(small);
            }
        }
        small_turn(small);
        small_tick_for(small, 100);
        if (small->store->table.bytes > most)
            most = small->store->table.bytes;
    }
    assert_in_range(most, budget / 2, budget + budget / 4);
    assert_true(store_keys(small->store, 0) > 10000);
    small_audit(small);
}

/* What only remembers that a key does not exist is dropped before any key is. */
static void test_proofs_of_absence_do_not_fill_memory(void **state)
{
    struct small_store *small = *state;
    char key[32];
    small_set_many(small, "key", 0, 100);
    small_seal(small);
    small_forget(small);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_ALWAYS_COLD);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, 1 << 20);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        assert_true(i % 2 || small_exists(small, key));
    }
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "absent%u", i);
        assert_false(small_exists(small, key));
        if (i % 10 == 0)
            small_turn(small);
    }
    small_tick_for(small, 500);
    assert_true(small->store->table.bytes <= 1 << 20);
    assert_true(small->store->stats.evicted_keys < 5);
    assert_false(small->store->evict_nothing_left);
}

/* What is deleted is freed only when its seal has ended: till then it must not cost other keys. */
static void test_what_waits_for_its_seal_costs_no_more_keys(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_ALLKEYS_LRU);
    uint64_t least = small->store->table.bytes - 20000;
    store_set_rows_bytes(small->store, least);
    for (unsigned i = 0; i < 50; i++)
        small_turn(small);
    small_seal(small);
    small_tick_for(small, 200);
    assert_true(small->store->table.bytes <= least);
    assert_in_range(store_keys(small->store, 0), KEYS - 300, KEYS - 100);
}

static void test_the_keys_evicted_stay_away_after_a_crash(void **state)
{
    struct small_store *small = *state;
    fill(small, EVICT_ALLKEYS_LRU);
    squeeze(small, 3000);
    uint64_t keys = store_keys(small->store, 0);
    small_crash(small);
    small_start(small);
    small_expect_keys(small, keys);
    assert_int_equal(count(small, "staying", 0, KEYS) + count(small, "expiring", 0, KEYS), keys);
    small_audit(small);
}

/* Nothing may be evicted: what makes room is not refused, what takes some is. */
static void test_deleting_is_possible_when_nothing_can_be_evicted(void **state)
{
    struct small_store *small = *state;
    store_set_eviction(small->store, EVICT_VOLATILE_LRU);
    small_set_many(small, "key", 0, 100);
    small->store->evict_nothing_left = true; /* as the last turn found */
    assert_int_equal(small_try_set(small, "new", "value"), STATUS_OUT_OF_MEMORY);
    small->store->evict_nothing_left = true;
    small_delete(small, "key1");
    small->store->evict_nothing_left = true;
    small_flush(small);
    small_expect_keys(small, 0);
}

/* ---- one copy among several ------------------------------------------------------------------ */

/* The keys of half of the slots are this node's to evict. */
struct coordinator {
    struct small_store *small;
    unsigned evicted;
};

static bool is_own(uint16_t slot)
{
    return slot % 2 == 0;
}

static bool may_evict(void *context, uint16_t slot)
{
    (void)context;
    return is_own(slot);
}

static void evicted(void *context, const struct txn *txn)
{
    struct coordinator *coordinator = context;
    struct row row;
    assert_int_equal(txn->staged_count, 1);
    assert_true(is_own(row_key_slot(txn->staged[0].name)));
    assert_int_equal(row_decode(txn->staged[0].row, txn->arena, &row), STATUS_OK);
    assert_int_equal(row.sibling_count, 0);
    assert_true(txn->gate > 0);
    coordinator->evicted++;
}

static struct small_store *coordinate(struct coordinator *coordinator)
{
    struct small_store *small = small_new_joined(0x123456789abc);
    *coordinator = (struct coordinator){small, 0};
    struct store_evictor evictor = {may_evict, evicted, coordinator};
    store_set_evictor(small->store, &evictor);
    return small;
}

static unsigned count_own(struct small_store *small, unsigned from, unsigned to, bool own)
{
    char key[32];
    unsigned there = 0;
    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        if (is_own(row_key_slot(small_name(small, key))) == own)
            there += small_exists(small, key);
    }
    return there;
}

static void test_of_several_copies_the_coordinator_evicts(void **state)
{
    (void)state;
    struct coordinator coordinator;
    struct small_store *small = coordinate(&coordinator);
    small_set_many(small, "key", 0, KEYS);
    small_seal(small);
    unsigned own = count_own(small, 0, KEYS, true);
    store_forget(small->store);
    for (unsigned i = 0; i < 2; i++) /* all of them are in memory, and none has been visited */
        count_own(small, 0, KEYS, i);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, small->store->table.bytes / 2);
    small_tick_for(small, 1000);
    small_seal(small);
    small_tick_for(small, 1000);
    assert_true(small->store->table.bytes <= small->store->options.rows_bytes);
    assert_true(coordinator.evicted > 100);
    assert_int_equal(small->store->stats.evicted_keys, coordinator.evicted);
    small_audit(small);
    store_set_eviction(small->store, EVICT_NOTHING);
    assert_int_equal(count_own(small, 0, KEYS, true), own - coordinator.evicted);
    assert_int_equal(count_own(small, 0, KEYS, false), KEYS - own);
    small_free(small);
}

/* Nobody has told it yet what it coordinates. */
static void test_without_an_evictor_rows_only_leave_memory(void **state)
{
    (void)state;
    struct small_store *small = small_new_joined(0x123456789abc);
    small_set_many(small, "key", 0, KEYS);
    small_seal(small);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, 100000);
    small_tick_for(small, 1000);
    assert_true(small->store->table.entries < KEYS);
    assert_false(small->store->evict_nothing_left);
    small_expect_keys(small, KEYS);
    small_free(small);
}

/* A tombstone takes as much memory as a short value: others must not be evicted for its sake. */
static void test_tombstones_that_wait_for_their_seal_cost_no_more_keys(void **state)
{
    (void)state;
    struct coordinator coordinator;
    struct small_store *small = coordinate(&coordinator);
    small_set_many(small, "key", 0, KEYS);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, small->store->table.bytes - 5000);
    for (unsigned i = 0; i < 50; i++)
        small_turn(small);
    assert_in_range(coordinator.evicted, 20, 100);
    small_audit(small);
    store_set_rows_bytes(small->store, 1 << 30);
    small_set_many(small, "key", 0, KEYS / 2); /* some of them anew, */
    small_audit(small);
    small_begin_seal(small);
    small_audit(small);
    small_set_many(small, "key", 0, KEYS); /* others while they are being sealed */
    small_audit(small);
    small_run_jobs(small);
    small_audit(small);
    small_free(small);
}

static void test_memory_of_copies_stays_bounded_under_a_flood(void **state)
{
    (void)state;
    struct coordinator coordinator;
    struct small_store *small = coordinate(&coordinator);
    const uint64_t budget = 4 << 20;
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, budget);
    small->store->options.seal_bytes = 256 * 1024;
    uint64_t most = 0;
    for (unsigned turn = 0; turn < 100; turn++) {
        char key[32];
        for (unsigned i = 0; i < 1000; i++) {
            snprintf(key, sizeof(key), "key%u", turn * 1000 + i);
            enum status status;
            while ((status = small_try_set(small, key, "value")) == STATUS_THROTTLED) {
                small_run_jobs(small);
                small_turn(small);
            }
            assert_int_equal(status, STATUS_OK);
        }
        small_turn(small);
        small_tick_for(small, 100);
        if (small->store->table.bytes > most)
            most = small->store->table.bytes;
    }
    assert_in_range(most, budget / 2, budget + budget / 4);
    assert_true(coordinator.evicted > 10000);
    small_audit(small);
    small_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_nothing_is_evicted_under_noeviction),
        SMALL_STORE_TEST(test_volatile_policies_spare_what_stays),
        SMALL_STORE_TEST(test_what_is_used_stays),
        SMALL_STORE_TEST(test_the_newest_key_is_not_the_victim),
        SMALL_STORE_TEST(test_random_policies_evict),
        SMALL_STORE_TEST(test_the_shortest_time_to_live_goes_first),
        SMALL_STORE_TEST(test_a_refused_eviction_forgets_no_expiry),
        SMALL_STORE_TEST(test_memory_stays_bounded_under_a_flood),
        SMALL_STORE_TEST(test_proofs_of_absence_do_not_fill_memory),
        SMALL_STORE_TEST(test_what_waits_for_its_seal_costs_no_more_keys),
        SMALL_STORE_TEST(test_the_keys_evicted_stay_away_after_a_crash),
        SMALL_STORE_TEST(test_deleting_is_possible_when_nothing_can_be_evicted),
        cmocka_unit_test(test_of_several_copies_the_coordinator_evicts),
        cmocka_unit_test(test_without_an_evictor_rows_only_leave_memory),
        cmocka_unit_test(test_tombstones_that_wait_for_their_seal_cost_no_more_keys),
        cmocka_unit_test(test_memory_of_copies_stays_bounded_under_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
