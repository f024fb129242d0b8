/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* When and how often entries were asked for: what is known, and what eviction makes of it. */
#include "row/row.h"
#include "store/access.h"
#include "support/small_store.h"

static struct txn_access look(struct small_store *small, const char *key)
{
    struct bytes name = small_name(small, key), row;
    txn_init(&small->txn, small->store, &small->arena);
    txn_begin(&small->txn, small->now_ms);
    small->txn.no_touch = true;
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_OK);
    struct txn_access access = txn_access(&small->txn, name);
    txn_end(&small->txn);
    return access;
}

static void the_idle_time_is_that_since_the_last_access(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small->now_ms += 12345;
    assert_int_equal(look(small, "a").idle_s, 12);
    assert_int_equal(look(small, "a").idle_s, 12); /* looking is none */
    small_expect(small, "a", "1");
    assert_int_equal(look(small, "a").idle_s, 0);
    small->now_ms += 5000;
    small_set(small, "a", "2"); /* of the same size: in its place */
    assert_int_equal(look(small, "a").idle_s, 0);
    small->now_ms += 5000;
    small_set(small, "a", "longer");
    assert_int_equal(look(small, "a").idle_s, 0);
    assert_false(look(small, "a").counts);
}

/* Sealed and changed while it is being sealed: another entry takes its place. */
static void it_outlives_seals(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small->now_ms += 3000;
    small_begin_seal(small);
    assert_int_equal(look(small, "a").idle_s, 3);
    small_run_jobs(small);
    assert_int_equal(look(small, "a").idle_s, 3);
    small->now_ms += 1000;
    assert_int_equal(look(small, "a").idle_s, 4);
}

static void what_comes_from_disk_begins_anew(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small_seal(small);
    small->now_ms += 9000;
    assert_int_equal(look(small, "a").idle_s, 9);
    small_forget(small);
    assert_int_equal(look(small, "a").idle_s, 0);
}

static void restore_says_what_it_was(void **state)
{
    struct small_store *small = *state;
    static const struct {
        int64_t idle_s;
        uint64_t expected;
    } cases[] = {
        {0, 0}, {1000, 1000}, {(1 << 24) - 1, (1 << 24) - 1}, {INT64_MAX, (1 << 24) - 1}, {-1, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes name = small_name(small, "a"), row;
        txn_init(&small->txn, small->store, &small->arena);
        txn_begin(&small->txn, small->now_ms);
        (void)!txn_get(&small->txn, name, &row);
        row = row_encode_common(&small->arena, txn_dot(&small->txn, 0), VALUE_STRING, BYTES("1"),
                                EXPIRY_NEVER);
        txn_stage(&small->txn, name, row);
        txn_set_access(&small->txn, name, cases[i].idle_s, -1);
        assert_int_equal(txn_commit(&small->txn), STATUS_OK);
        txn_end(&small->txn);
        assert_int_equal(look(small, "a").idle_s, cases[i].expected);
    }
    small_set(small, "b", "1"); /* the next transaction says nothing of it */
    small->now_ms += 2000;
    small_set(small, "c", "1");
    assert_int_equal(look(small, "c").idle_s, 0);
}

static void the_counter_grows_ever_more_slowly(void **state)
{
    struct small_store *small = *state;
    store_set_eviction(small->store, EVICT_ALLKEYS_LFU);
    small_set(small, "a", "1");
    assert_true(look(small, "a").counts);
    assert_int_equal(look(small, "a").frequency, 5);
    unsigned after[] = {10, 100, 1000, 10000, 100000}, reached[5];
    for (unsigned i = 0, done = 0; i < 5; i++) {
        for (; done < after[i]; done++)
            small_expect(small, "a", "1");
        reached[i] = look(small, "a").frequency;
    }
    /* Redis's own table of this: about 10, 18 and 49 after 100, 1000, 10000 hits. */
    assert_in_range(reached[0], 5, 9);
    assert_in_range(reached[1], 7, 14);
    assert_in_range(reached[2], 14, 25);
    assert_in_range(reached[3], 40, 60);
    assert_in_range(reached[4], 120, 170);
}

static void it_goes_down_with_the_minutes(void **state)
{
    struct small_store *small = *state;
    const uint64_t minute = 60 * 1000;
    store_set_eviction(small->store, EVICT_VOLATILE_LFU);
    store_set_lfu(small->store, 0, 1); /* grows with each access */
    small_set(small, "a", "1");
    for (unsigned i = 0; i < 95; i++)
        small_expect(small, "a", "1");
    assert_int_equal(look(small, "a").frequency, 100);
    small->now_ms += 10 * minute;
    assert_int_equal(look(small, "a").frequency, 90);
    store_set_lfu(small->store, 0, 5);
    assert_int_equal(look(small, "a").frequency, 98);
    store_set_lfu(small->store, 0, 0); /* never */
    assert_int_equal(look(small, "a").frequency, 100);
    store_set_lfu(small->store, 0, 1);
    small->now_ms += 200 * minute;
    assert_int_equal(look(small, "a").frequency, 0);
    for (unsigned i = 0; i < 300; i++)
        small_expect(small, "a", "1");
    assert_int_equal(look(small, "a").frequency, 255);
}

static unsigned survivors(struct small_store *small, enum eviction_policy policy)
{
    char key[32];
    store_set_eviction(small->store, policy);
    store_set_lfu(small->store, 0, 1);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        small_set(small, key, "value");
    }
    small_seal(small);
    for (unsigned i = 0; i < 20; i++) /* asked for often, but not lately */
        for (unsigned j = 0; j < 60; j++) {
            snprintf(key, sizeof(key), "key%u", i);
            small_expect(small, key, "value");
        }
    for (unsigned i = 0; i < 1000; i++)
        small_entry(small, (snprintf(key, sizeof(key), "key%u", i), key))->visited = 0;
    store_set_rows_bytes(small->store, small->store->table.bytes / 2);
    while (store_is_over(small->store))
        small_turn(small);
    unsigned there = 0;
    for (unsigned i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        there += small_exists(small, key);
    }
    return there;
}

static void under_lfu_what_was_asked_for_often_stays(void **state)
{
    assert_in_range(survivors(*state, EVICT_ALLKEYS_LFU), 17, 20);
}

static void under_lru_it_does_not(void **state)
{
    assert_int_equal(survivors(*state, EVICT_ALLKEYS_LRU), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(the_idle_time_is_that_since_the_last_access),
        SMALL_STORE_TEST(it_outlives_seals),
        SMALL_STORE_TEST(what_comes_from_disk_begins_anew),
        SMALL_STORE_TEST(restore_says_what_it_was),
        SMALL_STORE_TEST(the_counter_grows_ever_more_slowly),
        SMALL_STORE_TEST(it_goes_down_with_the_minutes),
        SMALL_STORE_TEST(under_lfu_what_was_asked_for_often_stays),
        SMALL_STORE_TEST(under_lru_it_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
