/* SPDX-License-Identifier: MIT */
/* A flush: dead at once, everywhere, whatever is under way, and what comes after it lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/state.h"
#include "support/small_store.h"

static void test_all_that_was_there_is_gone_at_once(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "sealed", 0, 100);
    small_seal(small);
    small_forget(small);
    small_set_many(small, "dirty", 0, 100);
    small_expect_keys(small, 200);
    small_flush(small);
    small_expect_keys(small, 0);
    small_expect(small, "sealed7", NULL);
    small_expect(small, "dirty7", NULL);
    small_audit(small);
    small_seal(small);
    small_tick_for(small, 1000);
    assert_int_equal(small->store->table.entries, 0);
    small_audit(small);
    small_expect(small, "sealed7", NULL);
}

static void test_what_is_written_after_it_lives(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "old");
    small_set(small, "b", "old");
    small_seal(small);
    small_flush(small);
    small_set(small, "a", "new");
    small_expect(small, "a", "new");
    small_seal(small);
    small_tick_for(small, 500);
    small_forget(small);
    small_expect(small, "a", "new");
    small_expect(small, "b", NULL);
    small_expect_keys(small, 1);
    small_audit(small);
}

static void test_during_a_seal(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "sealing");
    small_set(small, "b", "sealing");
    small_begin_seal(small);
    small_flush(small);
    small_set(small, "a", "new");
    small_expect(small, "b", NULL);
    small_tick_for(small, 100); /* purges, and ends the seal */
    small_audit(small);
    small_expect(small, "b", NULL);
    small_expect(small, "a", "new");
    small_seal(small);
    small_tick_for(small, 500);
    small_forget(small);
    small_expect(small, "b", NULL);
    small_expect(small, "a", "new");
    small_audit(small);
}

static void test_twice_in_one_generation(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small_flush(small);
    small_set(small, "a", "2");
    small_set(small, "b", "2");
    small_flush(small);
    small_set(small, "b", "3");
    small_expect(small, "a", NULL);
    small_seal(small);
    small_audit(small);
    small_forget(small);
    small_expect(small, "a", NULL);
    small_expect(small, "b", "3");
    small_expect_keys(small, 1);
}

static void test_is_replayed(void **state)
{
    struct small_store *small = *state;
    small_set(small, "a", "1");
    small_set(small, "sealed", "1");
    small_seal(small);
    small_flush(small);
    small_set(small, "b", "2");
    small_turn(small);
    small_crash(small);
    small_start(small);
    small_expect(small, "sealed", NULL);
    small_expect(small, "b", "2");
    small_flush(small);
    small_set(small, "c", "3");
    small_turn(small);
    small_crash(small);
    small_start(small);
    small_expect_keys(small, 1);
    small_seal(small);
    small_tick_for(small, 500);
    small_audit(small);
    small_forget(small);
    small_expect(small, "b", NULL);
    small_expect(small, "c", "3");
}

static void test_other_databases_stay(void **state)
{
    struct small_store *small = *state;
    small_set(small, "k", "0");
    small->db = 1;
    small_set(small, "k", "1");
    small_seal(small);
    small_flush(small);
    small_expect(small, "k", NULL);
    small->db = 0;
    small_expect(small, "k", "0");
    small_seal(small);
    small_forget(small);
    small_expect(small, "k", "0");
    small_expect_keys(small, 1);
}

/* A slot with very many keys is purged in pieces too, also if it is flushed anew in between. */
static void test_purging_a_large_slot_is_bounded(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "{tag}", 0, 70000);
    small_flush(small);
    uint64_t before = small->store->table.entries;
    store_tick(small->store, small->now_ms);
    assert_in_range(before - small->store->table.entries, 1, 30000);
    small_set_many(small, "{tag}", 0, 10);
    small_flush(small);
    small_set(small, "{tag}1", "new");
    small_tick_for(small, 1000);
    assert_int_equal(small->store->table.entries, 1);
    small_expect(small, "{tag}1", "new");
    small_expect(small, "{tag}2", NULL);
    small_audit(small);
}

/* What stood in the table costs nothing any more. */
static void test_gives_memory_back(void **state)
{
    struct small_store *small = *state;
    uint64_t before = small->store->table.bytes;
    small_set_many(small, "{tag}", 0, 20000);
    small_set_many(small, "key", 0, 20000);
    small_flush(small);
    small_tick_for(small, 2000);
    assert_int_equal(small->store->table.bytes, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SMALL_STORE_TEST(test_all_that_was_there_is_gone_at_once),
        SMALL_STORE_TEST(test_what_is_written_after_it_lives),
        SMALL_STORE_TEST(test_during_a_seal),
        SMALL_STORE_TEST(test_twice_in_one_generation),
        SMALL_STORE_TEST(test_is_replayed),
        SMALL_STORE_TEST(test_other_databases_stay),
        SMALL_STORE_TEST(test_purging_a_large_slot_is_bounded),
        SMALL_STORE_TEST(test_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
