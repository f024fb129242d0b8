/* SPDX-License-Identifier: MIT */
/* Pages of heads over memory and tier together: each live key once, whatever happens in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/state.h"
#include "support/small_store.h"

enum { KEYS = 300 };

static const char KEY[] = "{slot}%u";

struct scan {
    unsigned counts[2 * KEYS]; /* by the number in the key */
    unsigned pages, most;
    uint64_t hash;
    bool done;
};

static void ready(void *context)
{
    *(bool *)context = true;
}

static uint16_t slot_number(void)
{
    return slot_of_key(BYTES("{slot}"));
}

/* One page, with as many runs as it takes; they overlap with whatever jobs wait. */
static void next_page(struct small_store *small, struct scan *scan, size_t limit)
{
    struct scan_page page;
    enum status status;
    arena_clear(&small->arena);
    for (;;) {
        bool is_ready = false;
        txn_begin(&small->txn, small->now_ms);
        status = txn_scan(&small->txn, slot_number(), small->db, scan->hash, limit, &page);
        if (status != STATUS_COLD)
            break;
        txn_fetch(&small->txn, ready, &is_ready);
        small_run_jobs(small);
        assert_true(is_ready);
    }
    assert_int_equal(status, STATUS_OK);
    for (size_t i = 0; i < page.count; i++) {
        char number[16] = {0};
        assert_in_range(page.rows[i].key.size, 7, 12);
        memcpy(number, page.rows[i].key.data + 6, page.rows[i].key.size - 6);
        unsigned long at = strtoul(number, NULL, 10);
        assert_in_range(at, 0, 2 * KEYS - 1);
        scan->counts[at]++;
    }
    scan->pages++;
    scan->most = page.count > scan->most ? (unsigned)page.count : scan->most;
    scan->done = page.done;
    assert_true(page.done || page.next_hash > scan->hash);
    scan->hash = page.next_hash;
}

static void scan_all(struct small_store *small, struct scan *scan, size_t limit)
{
    *scan = (struct scan){0};
    while (!scan->done)
        next_page(small, scan, limit);
}

static void expect_counts(const struct scan *scan, unsigned from, unsigned to, unsigned step,
                          unsigned expected)
{
    for (unsigned i = from; i < to; i += step)
        if (scan->counts[i] != expected)
            fail_msg("key %u came %u times, not %u", i, scan->counts[i], expected);
}

static void set_one(struct small_store *small, unsigned number, uint64_t at_ms)
{
    char key[32];
    snprintf(key, sizeof(key), KEY, number);
    small_set_until(small, key, "value", at_ms);
}

static void delete_one(struct small_store *small, unsigned number)
{
    char key[32];
    snprintf(key, sizeof(key), KEY, number);
    small_delete(small, key);
}

static void test_each_key_once_from_memory(void **state)
{
    struct small_store *small = *state;
    struct scan scan;
    small_set_many(small, "{slot}", 0, KEYS);
    scan_all(small, &scan, 10);
    expect_counts(&scan, 0, KEYS, 1, 1);
    assert_in_range(scan.pages, 10, 30);
}

static void test_each_key_once_from_the_tier(void **state)
{
    struct small_store *small = *state;
    struct scan scan;
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    scan_all(small, &scan, 10);
    expect_counts(&scan, 0, KEYS, 1, 1);
    assert_int_equal(scan.most, 10);
    assert_int_equal(scan.pages, KEYS / 10);
    assert_int_equal(small->store->table.entries, 0); /* a scan fills no cache */
}

static void test_memory_hides_the_tier(void **state)
{
    struct small_store *small = *state;
    struct scan scan;
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    for (unsigned i = 0; i < KEYS; i += 3)
        delete_one(small, i);
    for (unsigned i = 1; i < KEYS; i += 3)
        set_one(small, i, small->now_ms + 100);
    for (unsigned i = KEYS; i < KEYS + 50; i++)
        set_one(small, i, EXPIRY_NEVER);
    small->now_ms += 101;
    scan_all(small, &scan, 7);
    expect_counts(&scan, 0, KEYS, 3, 0);
    expect_counts(&scan, 1, KEYS, 3, 0);
    expect_counts(&scan, 2, KEYS, 3, 1);
    expect_counts(&scan, KEYS, KEYS + 50, 1, 1);
    small_begin_seal(small);
    scan_all(small, &scan, 7);
    expect_counts(&scan, 0, KEYS, 3, 0);
    expect_counts(&scan, 2, KEYS, 3, 1);
}

static void test_a_flush_hides_the_tier(void **state)
{
    struct small_store *small = *state;
    struct scan scan;
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    small_flush(small);
    set_one(small, 5, EXPIRY_NEVER);
    scan_all(small, &scan, 7);
    expect_counts(&scan, 0, 5, 1, 0);
    expect_counts(&scan, 5, 6, 1, 1);
    expect_counts(&scan, 6, KEYS, 1, 0);
}

/* What is there all the time comes exactly once, though all else changes and is sealed. */
static void test_changes_between_pages(void **state)
{
    struct small_store *small = *state;
    struct scan scan = {0};
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    for (unsigned page = 0; !scan.done; page++) {
        next_page(small, &scan, 5);
        delete_one(small, page * 2 + 1);
        set_one(small, KEYS + page, EXPIRY_NEVER);
        if (page % 3 == 0)
            small_seal(small);
        if (page % 4 == 0)
            small_forget(small);
    }
    expect_counts(&scan, 0, KEYS, 2, 1);
    for (unsigned i = 0; i < 2 * KEYS; i++)
        assert_true(scan.counts[i] <= 1);
    small_audit(small);
}

/* A page never ends between keys of one hash. */
static void test_a_large_limit_is_one_page(void **state)
{
    struct small_store *small = *state;
    struct scan scan;
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    small_set_many(small, "{slot}", KEYS, KEYS + 100);
    scan_all(small, &scan, 100000);
    assert_int_equal(scan.pages, 1);
    expect_counts(&scan, 0, KEYS + 100, 1, 1);
}

/* Seals that end while a page is read make it stale; not for ever. */
static void test_seals_do_not_keep_a_scan_from_its_end(void **state)
{
    struct small_store *small = *state;
    struct scan_page page;
    enum status status = STATUS_COLD;
    unsigned runs = 0;
    struct arena arena;
    struct txn slow;
    small_set_many(small, "{slot}", 0, KEYS);
    small_seal(small);
    small_forget(small);
    arena_init(&arena);
    txn_init(&slow, small->store, &arena);
    while (runs++ < 20) {
        bool is_ready = false;
        txn_begin(&slow, small->now_ms);
        status = txn_scan(&slow, slot_number(), 0, 0, 10, &page);
        if (status != STATUS_COLD)
            break;
        txn_fetch(&slow, ready, &is_ready);
        small_set(small, "other", "value");
        small_seal(small);
        assert_true(is_ready);
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(runs, TXN_RUNS_MAX);
    assert_int_equal(page.count, 10);
    txn_end(&slow);
    arena_deinit(&arena);
}

/* Who is told that a slot is empty waits for what emptied it. */
static void test_an_empty_slot_has_a_gate(void **state)
{
    struct small_store *small = *state;
    store_set_sync(small->store, LOG_SYNC_ALWAYS);
    small_set(small, "{slot}1", "value");
    small_turn(small);
    small_run_jobs(small);
    small_delete(small, "{slot}1");
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(txn_slot_keys(&small->txn, slot_number(), small->db), 0);
    assert_false(store_gate_passed(small->store, small->txn.gate));
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(txn_keys(&small->txn, small->db), 0);
    assert_false(store_gate_passed(small->store, small->txn.gate));
    small_turn(small);
    small_run_jobs(small);
    assert_true(store_gate_passed(small->store, small->txn.gate));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_each_key_once_from_memory),
        SMALL_STORE_TEST(test_each_key_once_from_the_tier),
        SMALL_STORE_TEST(test_memory_hides_the_tier),
        SMALL_STORE_TEST(test_a_flush_hides_the_tier),
        SMALL_STORE_TEST(test_changes_between_pages),
        SMALL_STORE_TEST(test_a_large_limit_is_one_page),
        SMALL_STORE_TEST(test_seals_do_not_keep_a_scan_from_its_end),
        SMALL_STORE_TEST(test_an_empty_slot_has_a_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
