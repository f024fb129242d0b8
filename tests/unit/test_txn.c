/* SPDX-License-Identifier: MIT */
/* Transactions: what is staged, what is missed and fetched, what is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "row/chunked.h"
#include "store/export.h"
#include "store/state.h"
#include "support/small_copies.h"
#include "support/small_store.h"

static struct bytes name_of(struct small_store *small, const char *format, unsigned number)
{
    char key[32];
    snprintf(key, sizeof(key), format, number);
    return small_name(small, key);
}

static struct bytes row_of(struct small_store *small, const char *value)
{
    return row_encode_common(&small->arena, txn_dot(&small->txn, 0), VALUE_STRING,
                             bytes_text(value), EXPIRY_NEVER);
}

static void expect_row(struct small_store *small, struct bytes name, struct bytes expected)
{
    struct bytes row;
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_OK);
    assert_true(bytes_equal(row, expected));
}

static void test_staged_rows_are_seen_at_once(void **state)
{
    struct small_store *small = *state;
    struct bytes row;
    txn_begin(&small->txn, small->now_ms);
    struct bytes name = name_of(small, "key%u", 1);
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_ABSENT);
    struct bytes one = row_of(small, "one"), two = row_of(small, "two");
    txn_stage(&small->txn, name, one);
    expect_row(small, name, one);
    txn_stage(&small->txn, name, two);
    expect_row(small, name, two);
    assert_int_equal(small->txn.staged_count, 1);
    assert_int_equal(txn_commit(&small->txn), STATUS_OK);
    small_expect(small, "key1", "two");
}

/* Past the number from which they are found by an index. */
static void test_many_staged_rows(void **state)
{
    struct small_store *small = *state;
    struct bytes names[100], rows[100];
    txn_begin(&small->txn, small->now_ms);
    for (unsigned i = 0; i < 100; i++) {
        names[i] = name_of(small, "key%u", i);
        rows[i] = row_of(small, "old");
        txn_stage(&small->txn, names[i], rows[i]);
        expect_row(small, names[0], rows[0]);
        expect_row(small, names[i], rows[i]);
    }
    for (unsigned i = 0; i < 100; i += 3) {
        rows[i] = row_of(small, "new");
        txn_stage(&small->txn, names[i], rows[i]);
    }
    assert_int_equal(small->txn.staged_count, 100);
    for (unsigned i = 0; i < 100; i++)
        expect_row(small, names[i], rows[i]);
    assert_int_equal(txn_commit(&small->txn), STATUS_OK);
    small_expect_keys(small, 100);
    small_audit(small);
}

static void test_a_run_that_begins_anew_forgets_what_was_staged(void **state)
{
    struct small_store *small = *state;
    struct bytes row;
    txn_begin(&small->txn, small->now_ms);
    struct bytes name = name_of(small, "key%u", 1);
    txn_stage(&small->txn, name, row_of(small, "one"));
    txn_flush(&small->txn, -1);
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_ABSENT);
    assert_int_equal(txn_commit(&small->txn), STATUS_OK);
    assert_int_equal(log_position(small->store->log), 0);
}

static void test_events_are_dated_ahead(void **state)
{
    struct small_store *small = *state;
    struct txn *txn = &small->txn;
    txn_begin(txn, small->now_ms);
    assert_int_equal(store_turn_end(small->store, small->now_ms), STATUS_OK);
    store_date_from(small->store, small->now_ms + 3000, 2000); /* nothing to judge its clock by */
    assert_true(small->store->clock.last == 0);
    store_set_cluster_time(small->store, small->now_ms);
    store_date_from(small->store, small->now_ms - 1, 2000);
    assert_true(clock_ms(txn_dot(txn, 0).time) == small->now_ms + 2000);
    store_date_from(small->store, small->now_ms + 3000, 2000);
    assert_true(clock_ms(txn_dot(txn, 0).time) == small->now_ms + 3000);
    store_date_from(small->store, UINT64_MAX, 2000); /* nobody can have said that */
    assert_true(clock_ms(txn_dot(txn, 0).time) < small->now_ms + STORE_CLOCK_TRUST_MS);
    txn_begin(txn, small->now_ms + STORE_CLOCK_TRUST_MS);
    assert_true(clock_ms(txn_dot(txn, 0).time) == small->now_ms + STORE_CLOCK_TRUST_MS);
}

/* Nobody has confirmed its clock yet: it is enough that it agrees with the newest event. */
static void test_events_are_dated_ahead_of_a_likely_clock(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct small_store *small = small_new_joined(1);
        struct txn *txn = &small->txn;
        uint64_t wall_ms = small->now_ms + (wrong ? 3600 * 1000 : 1000);
        txn_begin(txn, small->now_ms);
        (void)txn_dot(txn, small->now_ms << CLOCK_COUNTER_BITS);
        txn_begin(txn, wall_ms);
        assert_int_equal(store_turn_end(small->store, wall_ms), STATUS_OK);
        for (int i = 0; i < 9; i++)
            store_date_from(small->store, wall_ms, 2000);
        assert_true(clock_ms(txn_dot(txn, 0).time) ==
                    (wrong ? small->now_ms + STORE_CLOCK_TRUST_MS : wall_ms + 2000));
        small_free(small);
    }
}

/* The clock of who has died may have been ahead; what no clock can have shown is not believed. */
static void test_dots_exceed_what_the_dead_gave(void **state)
{
    struct small_store *small = *state;
    struct txn *txn = &small->txn;
    uint64_t ahead = (small->now_ms + STORE_CLOCK_TRUST_MS) << CLOCK_COUNTER_BITS;
    struct dead_actors dead = {{{actor_of(3, 1), ahead}, {actor_of(3, 2), UINT64_MAX}}, 2};
    txn_begin(txn, small->now_ms);
    assert_true(txn_dot(txn, 0).time < ahead);
    txn_set_dead(txn, &dead);
    assert_true(txn_dot(txn, 0).time == ahead + 1);
    struct dot expected = {identity_actor(&small->store->identity), ahead + 1};
    assert_true(dot_equal(store_newest_dot(small->store, small->now_ms), expected));
    txn_begin(txn, small->now_ms);
    assert_null(txn->dead);
}

/* A long string staged, then overwritten in the same transaction: its chunks are not stored. */
static void test_a_head_staged_anew_drops_the_chunks(void **state)
{
    struct small_store *small = *state;
    struct txn *txn = &small->txn;
    txn_begin(txn, small->now_ms);
    struct bytes name = name_of(small, "key%u", 1);
    struct dot base = txn_dot(txn, 0);
    struct bytes chunk = row_key_chunk(&small->arena, name, base, 0);
    struct bytes packed = chunked_pack(&small->arena, (struct chunked){base, 20000});
    struct bytes row;
    txn_stage(txn, chunk, row_of(small, "chunk"));
    txn_stage(txn, name,
              row_encode_common(&small->arena, base, VALUE_CHUNKED, packed, EXPIRY_NEVER));
    txn_stage(txn, name, row_of(small, "short"));
    assert_int_equal(txn_get(txn, chunk, &row), STATUS_ABSENT);
    assert_int_equal(txn_commit(txn), STATUS_OK);
    assert_int_equal(small->store->table.entries, 1);
    small_expect(small, "key1", "short");
}

/* ---- what is not in memory ------------------------------------------------------------------- */

static void make_cold(struct small_store *small, unsigned keys)
{
    small_set_many(small, "key", 0, keys);
    small_seal(small);
    small_forget(small);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_ALWAYS_COLD);
}

static void ready(void *context)
{
    ++*(unsigned *)context;
}

static void want_cold(struct small_store *small, struct bytes name)
{
    struct bytes row;
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_COLD);
}

static void test_misses_are_fetched_together(void **state)
{
    struct small_store *small = *state;
    struct bytes row;
    unsigned is_ready = 0;
    make_cold(small, 10);
    txn_begin(&small->txn, small->now_ms);
    for (unsigned i = 0; i < 12; i++)
        txn_want(&small->txn, name_of(small, "key%u", i));
    assert_true(small->txn.cold);
    txn_fetch(&small->txn, ready, &is_ready);
    assert_int_equal(sim_workers_waiting(small->workers), 1);
    small_run_jobs(small);
    assert_int_equal(is_ready, 1);
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(small->txn.run, 2);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(txn_get(&small->txn, name_of(small, "key%u", i), &row),
                         i < 10 ? STATUS_OK : STATUS_ABSENT);
    assert_false(small->txn.cold);
    small_audit(small);
}

/* Another command changed the row while it was read. */
static void test_a_change_meanwhile_is_not_undone(void **state)
{
    struct small_store *small = *state;
    struct arena arena;
    struct txn slow;
    unsigned is_ready = 0;
    struct bytes row;
    make_cold(small, 2);
    arena_init(&arena);
    struct bytes changed = row_key_head(&arena, 0, BYTES("key0"));
    struct bytes deleted = row_key_head(&arena, 0, BYTES("key1"));
    txn_init(&slow, small->store, &arena);
    txn_begin(&slow, small->now_ms);
    txn_want(&slow, changed);
    txn_want(&slow, deleted);
    txn_fetch(&slow, ready, &is_ready);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_NEVER_COLD);
    sim_workers_step(small->workers); /* read, not yet taken */
    small_set(small, "key0", "new");
    small_delete(small, "key1");
    small_seal(small);
    small_tick_for(small, 200);
    small_forget(small);
    assert_int_equal(is_ready, 1);
    assert_null(small_entry(small, "key0"));
    assert_null(small_entry(small, "key1"));
    txn_begin(&slow, small->now_ms);
    assert_int_equal(txn_get(&slow, deleted, &row), STATUS_ABSENT);
    txn_end(&slow);
    arena_deinit(&arena);
    small_expect(small, "key0", "new");
    small_expect(small, "key1", NULL);
    small_audit(small);
}

static void test_a_flush_meanwhile_is_not_undone(void **state)
{
    struct small_store *small = *state;
    struct arena arena;
    struct txn slow;
    unsigned is_ready = 0;
    make_cold(small, 2);
    arena_init(&arena);
    txn_init(&slow, small->store, &arena);
    txn_begin(&slow, small->now_ms);
    txn_want(&slow, row_key_head(&arena, 0, BYTES("key0")));
    txn_fetch(&slow, ready, &is_ready);
    sim_workers_step(small->workers);
    small_flush(small);
    small_run_jobs(small);
    assert_int_equal(is_ready, 1);
    small_expect(small, "key0", NULL);
    small_expect_keys(small, 0);
    txn_end(&slow);
    arena_deinit(&arena);
    small_audit(small);
}

static void test_an_abandoned_fetch_tells_nobody(void **state)
{
    struct small_store *small = *state;
    unsigned is_ready = 0;
    make_cold(small, 1);
    txn_begin(&small->txn, small->now_ms);
    want_cold(small, name_of(small, "key%u", 0));
    txn_fetch(&small->txn, ready, &is_ready);
    txn_end(&small->txn);
    small_run_jobs(small);
    assert_int_equal(is_ready, 0);
    txn_init(&small->txn, small->store, &small->arena);
    small_expect(small, "key0", "value");
}

/* An unreadable row is an error of that row, each time it is asked for. */
static void test_a_row_that_cannot_be_read(void **state)
{
    struct small_store *small = *state;
    struct bytes row;
    unsigned is_ready = 0;
    make_cold(small, 2);
    txn_begin(&small->txn, small->now_ms);
    struct bytes bad = name_of(small, "key%u", 0), good = name_of(small, "key%u", 1);
    sim_tier_fail_read(small->tier_disk, bad, STATUS_CORRUPT);
    txn_want(&small->txn, bad);
    txn_want(&small->txn, good);
    txn_fetch(&small->txn, ready, &is_ready);
    small_run_jobs(small);
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(txn_get(&small->txn, bad, &row), STATUS_CORRUPT);
    assert_int_equal(txn_get(&small->txn, good, &row), STATUS_OK);
    sim_tier_fail_read(small->tier_disk, bad, STATUS_OK);
    txn_begin(&small->txn, small->now_ms); /* the next command */
    small_expect(small, "key0", "value");
}

/* Rows that are dropped before the next run cannot keep a command waiting for ever. */
static void test_after_some_runs_reading_blocks(void **state)
{
    struct small_store *small = *state;
    struct bytes row;
    make_cold(small, 1);
    struct bytes name = name_of(small, "key%u", 0);
    for (unsigned run = 1; run < TXN_RUNS_MAX; run++) {
        unsigned is_ready = 0;
        txn_begin(&small->txn, small->now_ms);
        want_cold(small, name);
        txn_fetch(&small->txn, ready, &is_ready);
        small_run_jobs(small);
        small_forget(small);
    }
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(txn_get(&small->txn, name, &row), STATUS_OK);
    assert_int_equal(small->store->stats.blocking_reads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_staged_rows_are_seen_at_once),
        SMALL_STORE_TEST(test_many_staged_rows),
        SMALL_STORE_TEST(test_a_run_that_begins_anew_forgets_what_was_staged),
        SMALL_STORE_TEST(test_events_are_dated_ahead),
        cmocka_unit_test(test_events_are_dated_ahead_of_a_likely_clock),
        SMALL_STORE_TEST(test_dots_exceed_what_the_dead_gave),
        SMALL_STORE_TEST(test_a_head_staged_anew_drops_the_chunks),
        SMALL_STORE_TEST(test_misses_are_fetched_together),
        SMALL_STORE_TEST(test_a_change_meanwhile_is_not_undone),
        SMALL_STORE_TEST(test_a_flush_meanwhile_is_not_undone),
        SMALL_STORE_TEST(test_an_abandoned_fetch_tells_nobody),
        SMALL_STORE_TEST(test_a_row_that_cannot_be_read),
        SMALL_STORE_TEST(test_after_some_runs_reading_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
