/* SPDX-License-Identifier: MIT */
/* Rows that come from other nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "row/row_list.h"
#include "store/state.h"
#include "support/small_copies.h"
#include "type/cell.h"
#include "type/string.h"

struct pair {
    struct small_store *a, *b;
};

static int open_pair(void **state)
{
    struct pair *pair = test_malloc(sizeof(*pair));
    pair->a = small_new_joined(0xa);
    pair->b = small_new_joined(0xb);
    *state = pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;
    small_free(pair->a);
    small_free(pair->b);
    test_free(pair);
    return 0;
}

#define PAIR_TEST(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

static void test_a_key_comes_over(void **state)
{
    struct pair *pair = *state;
    small_set(pair->a, "k", "one");
    small_copy_key(pair->a, pair->b, "k");
    small_expect(pair->b, "k", "one");
    small_expect_keys(pair->b, 1);
    small_expect_same(pair->a, pair->b);
    small_audit(pair->b);
}

static void test_a_deletion_comes_over_and_stays(void **state)
{
    struct pair *pair = *state;
    small_set(pair->a, "k", "one");
    small_copy_key(pair->a, pair->b, "k");
    struct buffer old = {0};
    small_export_key(pair->b, "k", &old);
    small_delete(pair->a, "k");
    small_copy_key(pair->a, pair->b, "k");
    small_expect(pair->b, "k", NULL);
    small_expect_keys(pair->b, 0);
    small_import(pair->b, buffer_bytes(&old)); /* late: it brings nothing back */
    small_import(pair->a, buffer_bytes(&old));
    small_seal(pair->a);
    small_forget(pair->a);
    small_import(pair->a, buffer_bytes(&old));
    small_expect(pair->a, "k", NULL);
    small_expect_same(pair->a, pair->b);
    assert_int_equal(store_collectable_count(pair->b->store), 1);
    buffer_deinit(&old);
}

static void test_concurrent_writes_are_both_kept(void **state)
{
    struct pair *pair = *state;
    struct arena *arena = &pair->a->arena;
    struct row row;
    small_set(pair->a, "k", "one");
    small_set(pair->b, "k", "two");
    small_copy_key(pair->a, pair->b, "k");
    small_copy_key(pair->b, pair->a, "k");
    small_expect_same(pair->a, pair->b);
    assert_int_equal(row_decode(small_row(pair->a, "k"), arena, &row), STATUS_OK);
    assert_int_equal(row.sibling_count, 2);
    small_set(pair->b, "k", "three");
    small_copy_key(pair->b, pair->a, "k");
    small_expect(pair->a, "k", "three");
    assert_int_equal(row_decode(small_row(pair->a, "k"), arena, &row), STATUS_OK);
    assert_int_equal(row.sibling_count, 1);
}

static void test_increments_add_up(void **state)
{
    struct pair *pair = *state;
    small_increment(pair->a, "n", 5);
    small_increment(pair->b, "n", 30);
    small_copy_key(pair->a, pair->b, "n");
    small_increment(pair->b, "n", 100);
    small_copy_key(pair->b, pair->a, "n");
    small_copy_key(pair->b, pair->a, "n");
    small_expect(pair->a, "n", "135");
    small_expect_same(pair->a, pair->b);
}

static void test_a_long_string_comes_over(void **state)
{
    struct pair *pair = *state;
    small_set_size(pair->a, "long", 50000);
    small_copy_key(pair->a, pair->b, "long");
    small_expect_same(pair->a, pair->b);
    small_seal(pair->b);
    small_audit(pair->b);
    small_set_size(pair->a, "long", 20000);
    small_copy_key(pair->a, pair->b, "long");
    small_expect_same(pair->a, pair->b);
    small_seal(pair->b);
    small_audit(pair->b); /* the chunks of the old one are gone */
}

/* Chunks of a string that the head here has left behind: nobody would ever remove them. */
static void test_late_chunks_are_passed_over(void **state)
{
    struct pair *pair = *state;
    struct buffer old = {0};
    uint16_t epoch = store_epoch(pair->b->store);
    small_set_size(pair->a, "long", 50000);
    small_copy_key(pair->a, pair->b, "long");
    small_export_key(pair->a, "long", &old);
    small_set(pair->b, "long", "short");
    small_import(pair->b, buffer_bytes(&old));
    small_expect(pair->b, "long", "short");
    small_seal(pair->b);
    small_audit(pair->b);
    assert_int_equal(store_epoch(pair->b->store), epoch);
    buffer_deinit(&old);
}

/* What a write to the end of a string has staged, and the ground of its head. */
static void append(struct small_store *small, const char *key, struct buffer *rows,
                   struct buffer *grounds)
{
    struct txn txn;
    struct cell head;
    uint64_t length;
    buffer_clear(rows, SIZE_MAX);
    buffer_clear(grounds, SIZE_MAX);
    txn_init(&txn, small->store, &small->arena);
    txn_begin(&txn, ++small->now_ms);
    assert_int_equal(cell_find_head(&txn, 0, bytes_text(key), &head), STATUS_OK);
    assert_int_equal(string_append(&head, BYTES("end"), &length), STATUS_OK);
    assert_int_equal(txn_commit(&txn), STATUS_OK);
    assert_int_equal(txn.staged_count, 2);
    for (int i = 0; i < 2; i++) {
        if (txn.staged[i].ground.size > 0)
            import_add_ground(grounds, buffer_size(rows), txn.staged[i].ground);
        row_list_append(rows, txn.staged[i].name, txn.staged[i].row);
    }
    txn_end(&txn);
    assert_true(buffer_size(grounds) > 0);
}

struct ended {
    bool done;
    enum status status;
};

static void take_status(void *context, enum status status, uint64_t gate)
{
    (void)gate;
    *(struct ended *)context = (struct ended){true, status};
}

static enum status import_onto(struct small_store *to, struct buffer *rows, struct buffer *grounds)
{
    struct ended told = {0};
    import_rows_onto(to->store, buffer_bytes(rows), buffer_bytes(grounds), to->now_ms, take_status,
                     &told);
    for (int i = 0; i < 10 && !told.done; i++)
        small_run_jobs(to);
    assert_true(told.done);
    return told.status;
}

static void test_a_head_waits_for_the_chunks_before(void **state)
{
    struct pair *pair = *state;
    struct buffer rows = {0}, grounds = {0}, first = {0}, first_grounds = {0};
    small_set_size(pair->a, "long", 50000);
    append(pair->a, "long", &rows, &grounds);
    assert_int_equal(import_onto(pair->b, &rows, &grounds), STATUS_ABSENT);
    small_expect(pair->b, "long", NULL);
    small_copy_key(pair->a, pair->b, "long");
    append(pair->a, "long", &first, &first_grounds);
    append(pair->a, "long", &rows, &grounds);
    small_seal(pair->b);
    small_forget(pair->b); /* what is held is cold: it is read to find out */
    assert_int_equal(import_onto(pair->b, &rows, &grounds), STATUS_ABSENT);
    assert_int_equal(import_onto(pair->b, &first, &first_grounds), STATUS_OK);
    assert_int_equal(import_onto(pair->b, &rows, &grounds), STATUS_OK);
    small_expect_same(pair->a, pair->b);
    assert_int_equal(import_onto(pair->b, &rows, &grounds), STATUS_OK); /* again */
    assert_int_equal(import_onto(pair->b, &rows, &first_grounds),
                     STATUS_CORRUPT); /* no row there */
    buffer_append(&grounds, "more", 4);
    assert_int_equal(import_onto(pair->b, &rows, &grounds), STATUS_CORRUPT);
    struct buffer *all[] = {&rows, &grounds, &first, &first_grounds};
    for (int i = 0; i < 4; i++)
        buffer_deinit(all[i]);
}

static void test_what_is_cold_is_read_first(void **state)
{
    struct pair *pair = *state;
    small_set(pair->b, "k", "of b");
    small_seal(pair->b);
    small_forget(pair->b);
    assert_null(small_entry(pair->b, "k"));
    small_set(pair->a, "k", "of a");
    sim_tier_set_cold(pair->b->tier_disk, SIM_TIER_ALWAYS_COLD);
    small_copy_key(pair->a, pair->b, "k");
    small_copy_key(pair->b, pair->a, "k");
    small_expect_same(pair->a, pair->b);
}

static void test_the_gate_is_that_of_what_is_held(void **state)
{
    struct pair *pair = *state;
    struct buffer rows = {0};
    uint64_t first, again;
    small_set(pair->a, "k", "one");
    small_export_key(pair->a, "k", &rows);
    assert_int_equal(small_try_import(pair->b, buffer_bytes(&rows), &first), STATUS_OK);
    assert_false(store_gate_passed(pair->b->store, first));
    assert_int_equal(small_try_import(pair->b, buffer_bytes(&rows), &again), STATUS_OK);
    assert_int_equal(first, again);
    small_turn(pair->b);
    assert_true(store_gate_passed(pair->b->store, first));
    buffer_deinit(&rows);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void expect_refused(struct small_store *to, struct bytes name, struct bytes row,
                           enum status status)
{
    struct buffer rows = {0};
    struct arena *arena = &to->arena;
    struct dot dot = {0xc0001, to->now_ms << CLOCK_COUNTER_BITS};
    struct bytes good = row_key_head(arena, 0, BYTES("good"));
    row_list_append(&rows, good,
                    row_encode_common(arena, dot, VALUE_STRING, BYTES("x"), EXPIRY_NEVER));
    row_list_append(&rows, name, row);
    assert_int_equal(small_try_import(to, buffer_bytes(&rows), NULL), status);
    small_expect(to, "good", NULL); /* nothing of it was stored */
    buffer_deinit(&rows);
}

static void test_bad_rows_are_refused(void **state)
{
    struct small_store *b = ((struct pair *)*state)->b;
    struct arena arena;
    arena_init(&arena);
    uint64_t now = b->now_ms << CLOCK_COUNTER_BITS;
    uint64_t ahead = (b->now_ms + IMPORT_AHEAD_MS + 1) << CLOCK_COUNTER_BITS;
    struct bytes row =
        row_encode_common(&arena, (struct dot){7, now}, VALUE_STRING, BYTES("v"), EXPIRY_NEVER);
    struct bytes late =
        row_encode_common(&arena, (struct dot){7, ahead}, VALUE_STRING, BYTES("v"), EXPIRY_NEVER);
    struct bytes name = row_key_head(&arena, 0, BYTES("k"));
    expect_refused(b, name, late, STATUS_INVALID);
    expect_refused(b, row_key_head(&arena, 4, BYTES("k")), row, STATUS_INVALID);
    expect_refused(b, row_key_cleared(&arena, 9, 0), row, STATUS_CORRUPT);
    expect_refused(b, name, bytes_of(row.data, 10), STATUS_CORRUPT);
    expect_refused(b, name, bytes_of("", 0), STATUS_CORRUPT);
    expect_refused(b, bytes_of(name.data, name.size - 1), row, STATUS_CORRUPT);
    expect_refused(b, BYTES("\xf0seal"), row, STATUS_CORRUPT);
    assert_int_equal(small_try_import(b, BYTES("\x05"), NULL), STATUS_CORRUPT);
    assert_int_equal(small_try_import(b, BYTES("\x05\x05more"), NULL), STATUS_CORRUPT);
    assert_int_equal(small_try_import(b, bytes_of("", 0), NULL), STATUS_OK);
    arena_deinit(&arena);
}

static enum status import_dated(struct small_store *to, uint64_t ms)
{
    struct buffer rows = {0};
    struct dot dot = {7, ms << CLOCK_COUNTER_BITS};
    row_list_append(&rows, row_key_head(&to->arena, 0, BYTES("k")),
                    row_encode_common(&to->arena, dot, VALUE_STRING, BYTES("v"), EXPIRY_NEVER));
    enum status status = small_try_import(to, buffer_bytes(&rows), NULL);
    buffer_deinit(&rows);
    return status;
}

/* A node starts with a clock that is behind, which is set then, while of the others too few are
 * there to tell the time; what rows come with goes on by the clock of its start. */
static void test_a_clock_that_was_behind_at_the_start_refuses_nothing_for_long(void **state)
{
    struct small_store *b = ((struct pair *)*state)->b;
    uint64_t right_ms = b->now_ms + 5 * IMPORT_AHEAD_MS;
    assert_int_equal(import_dated(b, right_ms), STATUS_INVALID);
    store_tick(b->store, right_ms);
    assert_int_equal(import_dated(b, right_ms), STATUS_OK);
    assert_int_equal(import_dated(b, right_ms + IMPORT_AHEAD_MS + 1), STATUS_INVALID);
    store_set_cluster_time(b->store, right_ms + 1); /* whoever tells it knows better */
    assert_int_equal(import_dated(b, right_ms + IMPORT_AHEAD_MS + 1), STATUS_OK);
    assert_int_equal(import_dated(b, right_ms + IMPORT_AHEAD_MS + 2), STATUS_INVALID);
}

/* ---- rule 1 ---------------------------------------------------------------------------------- */

/* B shows A a write of A's that A has lost without noticing: a power cut that its mark survived. */
static void test_what_the_actor_has_forgotten_ends_it(void **state)
{
    struct pair *pair = *state;
    struct buffer rows = {0};
    small_set(pair->b, "other", "x");
    uint16_t epoch = store_epoch(pair->a->store), after;
    actor_t actor = actor_of(store_node(pair->a->store), epoch);
    struct dot lost = {actor, (pair->a->now_ms + 5) << CLOCK_COUNTER_BITS};
    row_list_append(
        &rows, small_name(pair->a, "k"),
        row_encode_common(&pair->a->arena, lost, VALUE_STRING, BYTES("v5"), EXPIRY_NEVER));
    small_import(pair->a, buffer_bytes(&rows));
    after = store_epoch(pair->a->store);
    assert_int_not_equal(after, epoch);
    small_import(pair->a, buffer_bytes(&rows));
    assert_int_equal(store_epoch(pair->a->store), after);
    struct store_stats stats;
    store_stats(pair->a->store, &stats);
    assert_int_equal(stats.epochs_taken, 1);
    small_expect(pair->a, "k", "v5");
    small_set(pair->a, "k", "v10");
    small_import(pair->b, buffer_bytes(&rows));
    small_copy_key(pair->a, pair->b, "k");
    small_expect(pair->b, "k", "v10");
    small_crash(pair->a); /* the epoch was durable: no actor comes twice */
    small_start(pair->a);
    assert_int_not_equal(store_epoch(pair->a->store), epoch);
    assert_int_not_equal(store_epoch(pair->a->store), after);
    buffer_deinit(&rows);
}

static void test_own_rows_that_are_held_change_nothing(void **state)
{
    struct pair *pair = *state;
    uint16_t epoch = store_epoch(pair->a->store);
    small_set(pair->a, "k", "one");
    small_copy_key(pair->a, pair->b, "k");
    small_set(pair->a, "k", "two");
    small_copy_key(pair->b, pair->a, "k");
    small_copy_key(pair->a, pair->b, "k");
    small_copy_key(pair->b, pair->a, "k");
    assert_int_equal(store_epoch(pair->a->store), epoch);
    small_expect(pair->a, "k", "two");
}

/* What it costs that each start takes an epoch: an entry in the rows that are changed in it, with
 * what it counts in a counter's; nothing in all others. */
static void test_a_start_adds_an_entry_to_what_is_changed_after_it(void **state)
{
    enum { STARTS = 10, DOT = 16, SUM = 2 };
    struct pair *pair = *state;
    small_set(pair->a, "text", "x");
    small_set(pair->a, "quiet", "x");
    small_increment(pair->a, "sum", 5);
    size_t quiet = small_row(pair->a, "quiet").size, text = 0, sum = 0;
    for (unsigned i = 0; i < STARTS; i++) {
        small_stop(pair->a);
        small_start(pair->a);
        small_set(pair->a, "text", "x");
        small_set(pair->a, "text", "x");
        small_increment(pair->a, "sum", 5);
        small_increment(pair->a, "sum", 5);
        size_t text_before = text, sum_before = sum;
        text = small_row(pair->a, "text").size;
        sum = small_row(pair->a, "sum").size;
        if (i > 0) {
            assert_int_equal(text - text_before, DOT);
            assert_int_equal(sum - sum_before, DOT + DOT + SUM);
        }
        assert_int_equal(small_row(pair->a, "quiet").size, quiet);
    }
}

/* ---- room ------------------------------------------------------------------------------------ */

struct told {
    unsigned times;
    enum status status;
};

static void tell(void *context, enum status status, uint64_t gate)
{
    struct told *told = context;
    (void)gate;
    told->times++;
    told->status = status;
}

static void test_without_room_it_waits(void **state)
{
    struct pair *pair = *state;
    struct small_store *b = pair->b;
    struct buffer rows = {0};
    struct told told = {0}, gone = {0};
    small_set(pair->a, "k", "one");
    small_export_key(pair->a, "k", &rows);
    small_set(b, "x", "y");
    small_begin_seal(b);
    store_set_rows_bytes(b->store, 0);
    assert_false(store_has_room(b->store));
    assert_non_null(import_rows(b->store, buffer_bytes(&rows), b->now_ms, tell, &told));
    struct import *cancelled = import_rows(b->store, buffer_bytes(&rows), b->now_ms, tell, &gone);
    buffer_deinit(&rows); /* it has its own */
    import_retry(b->store, b->now_ms);
    assert_int_equal(told.times, 0);
    import_cancel(cancelled);
    small_run_jobs(b);
    assert_true(store_has_room(b->store));
    import_retry(b->store, b->now_ms);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, STATUS_OK);
    assert_int_equal(gone.times, 0);
    small_expect(b, "k", "one");
}

static void test_too_much_waiting_is_refused(void **state)
{
    struct pair *pair = *state;
    struct small_store *b = pair->b;
    struct buffer rows = {0};
    struct told told = {0};
    struct arena arena;
    arena_init(&arena);
    char *big = arena_alloc(&arena, 1000000);
    memset(big, 'x', 1000000);
    small_set(b, "x", "y");
    small_begin_seal(b);
    store_set_rows_bytes(b->store, 0);
    small_set(pair->a, "k", "one");
    struct dot dot = {7, 7};
    row_list_append(
        &rows, small_name(b, "k"),
        row_encode_common(&arena, dot, VALUE_STRING, bytes_of(big, 1000000), EXPIRY_NEVER));
    unsigned waiting = 0;
    while (import_rows(b->store, buffer_bytes(&rows), b->now_ms, tell, &told))
        waiting++;
    assert_in_range(waiting, 10, IMPORT_BYTES_MAX / buffer_size(&rows));
    assert_true(b->store->imports.bytes <= IMPORT_BYTES_MAX);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, STATUS_THROTTLED);
    small_run_jobs(b);
    import_retry(b->store, b->now_ms);
    assert_int_equal(told.times, waiting + 1);
    buffer_deinit(&rows);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_a_key_comes_over),
        PAIR_TEST(test_a_deletion_comes_over_and_stays),
        PAIR_TEST(test_concurrent_writes_are_both_kept),
        PAIR_TEST(test_increments_add_up),
        PAIR_TEST(test_a_long_string_comes_over),
        PAIR_TEST(test_a_head_waits_for_the_chunks_before),
        PAIR_TEST(test_late_chunks_are_passed_over),
        PAIR_TEST(test_what_is_cold_is_read_first),
        PAIR_TEST(test_the_gate_is_that_of_what_is_held),
        PAIR_TEST(test_bad_rows_are_refused),
        PAIR_TEST(test_a_clock_that_was_behind_at_the_start_refuses_nothing_for_long),
        PAIR_TEST(test_what_the_actor_has_forgotten_ends_it),
        PAIR_TEST(test_own_rows_that_are_held_change_nothing),
        PAIR_TEST(test_a_start_adds_an_entry_to_what_is_changed_after_it),
        PAIR_TEST(test_without_room_it_waits),
        PAIR_TEST(test_too_much_waiting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
