/* SPDX-License-Identifier: MIT */
/* Sealing: the tier holds the whole state afterwards, and what changes meanwhile is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/meta.h"
#include "store/state.h"
#include "support/small_store.h"

/* Rows of users in the tier, chunks too. */
static enum tier_next count_row(void *context, struct bytes name, struct bytes row,
                                struct buffer *seek_to)
{
    (void)name;
    (void)row;
    (void)seek_to;
    ++*(unsigned *)context;
    return TIER_NEXT;
}

static unsigned tier_rows(struct small_store *small)
{
    static const char to = (char)(SLOT_COUNT >> 8);
    unsigned rows = 0;
    assert_int_equal(small->tier->ops->scan(small->tier, bytes_of("", 0), bytes_of(&to, 1), true,
                                            count_row, &rows),
                     STATUS_OK);
    return rows;
}

static void test_all_rows_are_in_the_tier(void **state)
{
    struct small_store *small = *state;
    uint64_t position;
    small_set_many(small, "key", 0, 100);
    small_seal(small);
    assert_int_equal(tier_rows(small), 100);
    assert_int_equal(meta_seal_read(small->tier, &position), STATUS_OK);
    assert_int_equal(position, log_position(small->store->log));
    small_forget(small);
    assert_null(small_entry(small, "key7"));
    small_expect(small, "key7", "value");
    small_audit(small);
}

static void test_deleted_rows_leave_the_tier(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "key", 0, 10);
    small_seal(small);
    small_delete(small, "key1");
    small_set(small, "never sealed", "value");
    small_delete(small, "never sealed");
    small_expect_keys(small, 9);
    small_seal(small);
    assert_int_equal(tier_rows(small), 9);
    small_tick_for(small, 100);
    assert_null(small_entry(small, "key1"));
    small_expect(small, "key1", NULL);
    small_audit(small);
}

static void test_changes_during_a_seal(void **state)
{
    struct small_store *small = *state;
    small_set(small, "changed", "old");
    small_set(small, "deleted", "old");
    small_set(small, "revived", "old");
    small_begin_seal(small);
    small_set(small, "changed", "new");
    small_delete(small, "deleted");
    small_delete(small, "revived");
    small_set(small, "revived", "new");
    small_set(small, "added", "new");
    small_run_jobs(small);
    small_audit(small);
    small_expect(small, "changed", "new");
    small_expect(small, "deleted", NULL);
    small_turn(small);
    small_crash(small);
    small_start(small);
    small_expect(small, "changed", "new");
    small_expect(small, "deleted", NULL);
    small_expect(small, "revived", "new");
    small_expect(small, "added", "new");
    small_expect_keys(small, 3);
    small_seal(small);
    assert_int_equal(tier_rows(small), 3);
    small_audit(small);
}

/* The tombstone's entry is on its way out when the key comes back. */
static void test_written_while_its_deletion_is_sealed(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small_seal(small);
    small_delete(small, "a");
    small_begin_seal(small);
    small_set(small, "a", "2");
    small_run_jobs(small);
    small_expect(small, "a", "2");
    small_delete(small, "a");
    small_seal(small);
    small_set(small, "a", "3"); /* not freed yet */
    small_tick_for(small, 100);
    small_expect(small, "a", "3");
    small_audit(small);
    small_seal(small);
    small_tick_for(small, 100);
    small_forget(small);
    small_expect(small, "a", "3");
    assert_int_equal(tier_rows(small), 1);
    small_audit(small);
}

static void test_chunks_that_nobody_names_leave_the_tier(void **state)
{
    struct small_store *small = *state;
    small_set_size(small, "long", 100000);
    small_seal(small);
    assert_in_range(tier_rows(small), 20, 30);
    small_set(small, "long", "short");
    small_seal(small);
    assert_int_equal(tier_rows(small), 1);
    small_set_size(small, "long", 100000);
    small_begin_seal(small);
    small_set_size(small, "long", 50000);
    small_run_jobs(small);
    small_seal(small);
    assert_in_range(tier_rows(small), 12, 15);
    small_delete(small, "long");
    small_seal(small);
    assert_int_equal(tier_rows(small), 0);
    small_tick_for(small, 200);
    assert_int_equal(small->store->table.entries, 0);
    small_audit(small);
}

static void test_facts_are_those_of_its_beginning(void **state)
{
    struct small_store *small = *state;
    struct facts facts;
    small_set_until(small, "a", "1", small->now_ms + 9000);
    small_set(small, "b", "1");
    small_begin_seal(small);
    small_set(small, "c", "1");
    small_delete(small, "a");
    small_run_jobs(small);
    facts_init(&facts, 4);
    assert_int_equal(facts_read(&facts, small->tier), STATUS_OK);
    assert_int_equal(facts.keys[0], 2);
    assert_int_equal(facts.expiring[0], 1);
    facts_deinit(&facts);
    small_expect_keys(small, 2);
}

/* No room: nothing is lost, writes are refused, and it goes on by itself. */
static void test_a_failed_seal_is_tried_again(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "key", 0, 10);
    sim_tier_set_full(small->tier_disk, true);
    small_begin_seal(small);
    small_run_jobs(small);
    assert_true(store_disk_full(small->store));
    assert_int_equal(small_try_set(small, "more", "1"), STATUS_DISK_FULL);
    small_expect(small, "key1", "value");
    sim_tier_set_full(small->tier_disk, false);
    small_tick_for(small, 1500);
    assert_false(store_disk_full(small->store));
    assert_int_equal(tier_rows(small), 10);
    small_set(small, "more", "1");
    small_audit(small);
}

/* Also when the clock went back by an hour in between. */
static void test_a_failed_seal_does_not_wait_for_the_clock(void **state)
{
    struct small_store *small = *state;
    small->now_ms += 3600 * 1000;
    store_tick(small->store, small->now_ms);
    small_set_many(small, "key", 0, 10);
    sim_tier_fail_next_ingest(small->tier_disk, STATUS_DISK_FULL);
    small_begin_seal(small);
    small_run_jobs(small);
    assert_true(store_disk_full(small->store));
    small->now_ms -= 3600 * 1000;
    small_tick_for(small, 1500);
    assert_false(store_disk_full(small->store));
}

/* A tier that cannot be written for another reason: an error, not endless waiting. */
static void test_a_tier_that_fails_for_good(void **state)
{
    struct small_store *small = *state;
    enum status status = STATUS_OK;
    small_set_many(small, "key", 0, 100);
    store_set_rows_bytes(small->store, 1000);
    sim_tier_fail_next_ingest(small->tier_disk, STATUS_IO);
    small_begin_seal(small);
    small_run_jobs(small);
    for (unsigned i = 0; i < 100 && status == STATUS_OK; i++)
        status = small_try_set(small, "more", "value");
    assert_int_equal(status, STATUS_IO);
    small_tick_for(small, 1500);
    small_set(small, "more", "value");
}

static struct store_stats stats_of(struct small_store *small)
{
    struct store_stats stats;
    store_stats(small->store, &stats);
    return stats;
}

static void test_changes_are_counted_until_sealed(void **state)
{
    struct small_store *small = *state;
    assert_int_equal(stats_of(small).changes, 0);
    small_set(small, "a", "1");
    small_set(small, "a", "1");
    small_expect(small, "a", "1");
    small_set_size(small, "long", 100 * 1000); /* many rows, one key */
    assert_int_equal(stats_of(small).changes, 3);
    small_begin_seal(small);
    small_delete(small, "a");
    assert_int_equal(stats_of(small).changes, 4);
    small_run_jobs(small);
    assert_int_equal(stats_of(small).changes, 1);
    small_flush(small);
    assert_int_equal(stats_of(small).changes, 2);
    small_seal(small);
    assert_int_equal(stats_of(small).changes, 0);
    small_set(small, "a", "1");
    small_crash(small);
    small_start(small);
    assert_int_equal(stats_of(small).changes, 0); /* since the start */
}

static void test_a_seal_can_be_asked_for(void **state)
{
    struct small_store *small = *state;
    uint64_t opened_ms = small->now_ms;
    small_set(small, "a", "1");
    assert_int_equal(stats_of(small).sealed_ms, opened_ms);
    small_tick_for(small, 500);
    store_seal_soon(small->store);
    assert_true(stats_of(small).sealing);
    assert_int_equal(stats_of(small).seals, 0);
    small_turn(small);             /* it begins */
    store_seal_soon(small->store); /* another, after it */
    small_set(small, "b", "1");
    small_turn(small);
    assert_int_equal(stats_of(small).seals, 0);
    small_run_jobs(small);
    assert_int_equal(stats_of(small).seals, 1);
    assert_int_equal(stats_of(small).changes, 1);
    assert_true(stats_of(small).sealing);
    small_tick_for(small, 300);
    assert_int_equal(stats_of(small).seals, 2);
    assert_int_equal(stats_of(small).changes, 0);
    assert_false(stats_of(small).sealing);
    uint64_t sealed_ms = stats_of(small).sealed_ms;
    assert_true(sealed_ms >= opened_ms + 500);
    small_tick_for(small, 500); /* with nothing to seal all is sealed as of now */
    store_seal_soon(small->store);
    small_turn(small);
    assert_true(stats_of(small).sealed_ms > sealed_ms);
    assert_int_equal(stats_of(small).seals, 2);
    assert_false(stats_of(small).sealing);
}

/* A long log is sealed while it is replayed: what is in memory stays bounded, and the next start
 * has little to replay. */
static void test_replay_seals(void **state)
{
    struct small_store *small = *state;
    enum { TURNS = 100, KEYS = 50, SEAL_BYTES = 64 * 1024 };
    char key[32];
    for (unsigned turn = 0; turn < TURNS; turn++) {
        small_set_many(small, "key", turn * KEYS, (turn + 1) * KEYS);
        snprintf(key, sizeof(key), "key%u", turn * KEYS);
        small_delete(small, key);
        if (turn % 10 == 0)
            small_set_size(small, "long", 20000 + turn * 1000);
        if (turn == TURNS / 2)
            small_flush(small);
        small_turn(small);
    }
    assert_int_equal(small->store->stats.seals, 0);
    uint64_t end = log_position(small->store->log);
    uint64_t begin = 0;
    for (unsigned start = 0; start < 2;
         start++) { /* the second goes on where the first has sealed */
        small_crash(small);
        small->options.seal_bytes = SEAL_BYTES;
        small->options.rows_bytes = 8 * SEAL_BYTES;
        small_start(small);
        assert_int_equal(log_position(small->store->log), end);
        struct store_stats stats;
        store_stats(small->store, &stats);
        assert_in_range(stats.dirty_bytes, 0, 5 * SEAL_BYTES); /* of a dozen of them */
        assert_true(small->store->current.log_begin > 0 &&
                    small->store->current.log_begin >= begin);
        begin = small->store->current.log_begin;
        small_run_jobs(small);
        small_expect_keys(small, (TURNS / 2 - 1) * (KEYS - 1) + 1);
        small_expect(small, "key4000", NULL);
        small_expect(small, "key4001", "value");
        small_expect(small, "key2", NULL);
        small_audit(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_all_rows_are_in_the_tier),
        SMALL_STORE_TEST(test_deleted_rows_leave_the_tier),
        SMALL_STORE_TEST(test_changes_during_a_seal),
        SMALL_STORE_TEST(test_written_while_its_deletion_is_sealed),
        SMALL_STORE_TEST(test_chunks_that_nobody_names_leave_the_tier),
        SMALL_STORE_TEST(test_facts_are_those_of_its_beginning),
        SMALL_STORE_TEST(test_a_failed_seal_is_tried_again),
        SMALL_STORE_TEST(test_a_failed_seal_does_not_wait_for_the_clock),
        SMALL_STORE_TEST(test_a_tier_that_fails_for_good),
        SMALL_STORE_TEST(test_changes_are_counted_until_sealed),
        SMALL_STORE_TEST(test_a_seal_can_be_asked_for),
        SMALL_STORE_TEST(test_replay_seals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
