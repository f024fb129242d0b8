/* SPDX-License-Identifier: MIT */
/* Events, reading, and merges worth a story of their own; test_row_merge.c has the random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "row/row.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

enum { A = 1, B = 2, C = 3 };

static const struct vector nothing_seen;
static const struct increments nothing_added;

static struct row fresh(void)
{
    struct row row;
    row_init(&row);
    return row;
}

static void set(struct row *row, actor_t actor, uint64_t time, const char *value, uint64_t at_ms)
{
    row_write(row, (struct dot){actor, time}, VALUE_STRING, bytes_text(value), at_ms, false,
              &arena);
}

static void set_keeping(struct row *row, actor_t actor, uint64_t time, const char *value)
{
    row_write(row, (struct dot){actor, time}, VALUE_STRING, bytes_text(value), 1, true, &arena);
}

static void add(struct row *row, actor_t actor, uint64_t time, int by)
{
    row_increment(row, (struct dot){actor, time}, by, &arena);
}

static void add_real(struct row *row, actor_t actor, uint64_t time, real_t by)
{
    row_increment_real(row, (struct dot){actor, time}, by, &arena);
}

static struct row merge(const struct row *a, const struct row *b, const struct vector *stable)
{
    struct row out;
    row_merge(a, b, stable, &arena, &out);
    return out;
}

static struct row_view read(const struct row *row)
{
    struct row_view view;
    row_read(row, &view);
    return view;
}

static void expect_newest(const struct row *row, const char *value)
{
    struct row_view view = read(row);
    assert_non_null(view.sibling);
    assert_true(bytes_equal(view.sibling->value, bytes_text(value)));
}

/* The row as bytes, through row_merge_bytes and row_merge alike. */
static struct bytes merge_bytes(struct bytes a, struct bytes b, const struct vector *stable)
{
    struct row x, y;
    struct bytes out;
    assert_int_equal(row_merge_bytes(a, b, stable, &arena, &out), STATUS_OK);
    assert_int_equal(row_decode(a, &arena, &x), STATUS_OK);
    assert_int_equal(row_decode(b, &arena, &y), STATUS_OK);
    struct row merged = merge(&x, &y, stable);
    assert_true(bytes_equal(out, row_encode(&merged, &arena)));
    return out;
}

static struct bytes common(actor_t actor, uint64_t time, const char *value)
{
    return row_encode_common(&arena, (struct dot){actor, time}, VALUE_STRING, bytes_text(value),
                             EXPIRY_NEVER);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void test_nothing_is_absent(void **state)
{
    (void)state;
    struct row row = fresh();
    struct row_view view = read(&row);
    assert_false(view.exists);
    assert_null(view.sibling);
    assert_true(view.counted);
    assert_true(view.sum == 0);
    assert_int_equal(view.at_ms, EXPIRY_NEVER);
    assert_false(row_is_live(&row, 0));
    assert_int_equal(row_newest_time(&row), 0);
}

static void test_write_then_delete(void **state)
{
    (void)state;
    struct row row = fresh();
    set(&row, A, 1, "one", EXPIRY_NEVER);
    set(&row, B, 2, "two", EXPIRY_NEVER);
    assert_int_equal(row.sibling_count, 1);
    expect_newest(&row, "two");
    assert_false(read(&row).counted);
    assert_true(row_is_live(&row, UINT64_MAX));
    row_delete(&row, (struct dot){A, 3}, &arena);
    assert_false(read(&row).exists);
    assert_int_equal(row.expiry_count, 0);
    assert_int_equal(row_newest_time(&row), 3);
}

static void test_counter_without_base(void **state)
{
    (void)state;
    struct row row = fresh();
    add(&row, A, 1, 5);
    add(&row, A, 2, -5);
    struct row_view view = read(&row);
    assert_true(view.exists); /* a counter at 0 is there */
    assert_true(view.counted);
    assert_true(view.sum == 0);
    add(&row, B, 3, 7);
    assert_true(read(&row).sum == 7);
    assert_int_equal(row.added.count, 2);
    row_delete(&row, (struct dot){A, 4}, &arena);
    assert_false(read(&row).exists);
    assert_true(read(&row).sum == 0);
    add(&row, A, 5, 1);
    assert_true(read(&row).exists);
    assert_true(read(&row).sum == 1);
}

static void test_counter_on_a_base(void **state)
{
    (void)state;
    struct row row = fresh();
    add(&row, A, 1, 5);
    set(&row, A, 2, "10", EXPIRY_NEVER);
    assert_false(read(&row).counted);
    add(&row, A, 3, 3);
    assert_true(read(&row).counted);
    assert_true(read(&row).sum == 3);
    expect_newest(&row, "10");
    add(&row, B, 4, -3);
    assert_false(read(&row).counted); /* base + 0 is the base */
}

static void test_sums_wrap_without_harm(void **state)
{
    (void)state;
    __int128 most = (__int128)(~(unsigned __int128)0 >> 1);
    struct row row = fresh();
    row_increment(&row, (struct dot){A, 1}, most, &arena);
    set(&row, A, 2, "0", EXPIRY_NEVER);
    add(&row, A, 3, 2);
    assert_true(read(&row).sum == 2);
}

/* ---- expiry --------------------------------------------------------------------------------- */

static void test_expiry_is_set_kept_and_dropped(void **state)
{
    (void)state;
    struct row row = fresh();
    set(&row, A, 1, "v", 1000);
    assert_int_equal(read(&row).at_ms, 1000);
    assert_true(row_is_live(&row, 1000));
    assert_false(row_is_live(&row, 1001));
    set_keeping(&row, A, 2, "w");
    assert_int_equal(read(&row).at_ms, 1000);
    add(&row, A, 3, 1);
    assert_int_equal(read(&row).at_ms, 1000);
    row_expire(&row, (struct dot){A, 4}, 500, &arena);
    assert_int_equal(read(&row).at_ms, 500);
    assert_int_equal(row.expiry_count, 1);
    row_expire(&row, (struct dot){A, 5}, EXPIRY_NEVER, &arena);
    assert_int_equal(read(&row).at_ms, EXPIRY_NEVER);
    set(&row, A, 6, "x", 0);
    assert_int_equal(read(&row).at_ms, 0);
    assert_false(row_is_live(&row, 1));
    set(&row, A, 7, "x", EXPIRY_NEVER);
    assert_int_equal(read(&row).at_ms, EXPIRY_NEVER);
}

static void test_of_concurrent_expiries_the_longest_counts(void **state)
{
    (void)state;
    struct row a = fresh();
    set(&a, A, 1, "v", EXPIRY_NEVER);
    struct row b = a;
    row_expire(&a, (struct dot){A, 2}, 1000, &arena);
    row_expire(&b, (struct dot){B, 3}, 500, &arena);
    struct row both = merge(&a, &b, NULL);
    assert_int_equal(both.expiry_count, 2);
    assert_int_equal(read(&both).at_ms, 1000);
    row_expire(&both, (struct dot){B, 4}, 10, &arena);
    both = merge(&both, &a, NULL);
    assert_int_equal(read(&both).at_ms, 10);
}

/* ---- reals ---------------------------------------------------------------------------------- */

static void test_integers_and_reals_stand_apart(void **state)
{
    (void)state;
    struct row row = fresh();
    row_increment(&row, (struct dot){A, 1}, (__int128)1 << 100, &arena);
    add_real(&row, A, 2, 0.25);
    add(&row, A, 3, 1);
    assert_int_equal(row.added.count, 1);
    assert_true(read(&row).sum == ((__int128)1 << 100) + 1);
    assert_true(read(&row).real == 0.25);
    set(&row, A, 4, "10", EXPIRY_NEVER);
    assert_false(read(&row).counted);
    add_real(&row, A, 5, 0.5);
    assert_true(read(&row).counted);
    assert_true(read(&row).sum == 0);
    assert_true(read(&row).real == 0.5);
    add_real(&row, A, 6, -0.5);
    assert_false(read(&row).counted);
    row_delete(&row, (struct dot){A, 7}, &arena);
    assert_false(read(&row).exists);
    assert_true(read(&row).real == 0);
}

/* Reals that are added in another order may come to another sum. */
static void test_reals_are_summed_in_the_order_of_actors(void **state)
{
    (void)state;
    struct row a = fresh(), b = fresh(), c = fresh();
    add_real(&c, C, 1, 0.5);
    add_real(&a, A, 2, 1e40);
    add_real(&b, B, 3, -1e40);
    struct row ca = merge(&c, &a, NULL), all = merge(&ca, &b, NULL);
    assert_true(read(&all).real == 0.5);
    struct row bc = merge(&b, &c, NULL);
    all = merge(&bc, &a, NULL);
    assert_true(read(&all).real == 0.5);
    struct row other = fresh();
    add_real(&other, A, 1, 1e40);
    add_real(&other, B, 2, 0.5);
    add_real(&other, C, 3, -1e40);
    assert_true(read(&other).real == 0);
}

/* Two owners count apart; one of them has seen a value set in between. */
static void test_mixed_increments_of_several_actors(void **state)
{
    (void)state;
    struct row a = fresh();
    set(&a, A, 1, "10", EXPIRY_NEVER);
    struct row b = a;
    add(&a, A, 2, 3);
    add_real(&b, B, 3, 0.5);
    add(&b, B, 4, 4);
    struct row c = merge(&a, &b, NULL);
    assert_true(read(&c).sum == 7);
    assert_true(read(&c).real == 0.5);
    set(&c, C, 5, "1", EXPIRY_NEVER);
    add_real(&b, B, 6, 0.25);
    add_real(&a, A, 7, -2);
    struct row all = merge(&c, &b, NULL);
    all = merge(&a, &all, NULL);
    expect_newest(&all, "1");
    assert_true(read(&all).sum == 0);
    assert_true(read(&all).real == -1.75);
}

/* What a peer sends may be anything finite: the view is finite too. */
static void test_reals_beyond_all_numbers(void **state)
{
    (void)state;
    struct row row = fresh();
    real_t last;
    assert_true(real_parse(BYTES("1.18973149535723176502e4932"), &last));
    for (uint64_t i = 0; i < 3; i++)
        add_real(&row, A, 1 + i, last);
    add_real(&row, B, 9, last);
    assert_true(real_is_finite(row.added.items[0].real));
    assert_true(real_is_finite(read(&row).real));
    assert_true(read(&row).real >= last);
    add_real(&row, C, 10, -last);
    assert_true(read(&row).real == 0);
}

/* ---- contexts ------------------------------------------------------------------------------- */

static void test_context_supersedes_what_it_saw(void **state)
{
    (void)state;
    struct row a = fresh(), b = fresh();
    set(&a, A, 1, "a", 1000);
    set(&b, B, 2, "b", 2000);
    struct row both = merge(&a, &b, NULL);
    assert_int_equal(both.sibling_count, 2);
    row_write_context(&both, (struct dot){A, 3}, VALUE_STRING, BYTES("c"), 10, &a.vector, &a.added,
                      &arena);
    assert_int_equal(both.sibling_count, 2);
    expect_newest(&both, "c");
    assert_true(bytes_equal(both.siblings[0].value, BYTES("b")));
    assert_int_equal(read(&both).at_ms, 2000);
    row_write_context(&both, (struct dot){A, 4}, VALUE_STRING, BYTES("d"), 10, &nothing_seen,
                      &nothing_added, &arena);
    assert_int_equal(both.sibling_count, 3);
}

/* The client had read elsewhere what this coordinator does not hold yet. */
static void test_context_also_supersedes_what_is_yet_to_come(void **state)
{
    (void)state;
    struct row a = fresh(), b = fresh();
    set(&b, B, 1, "old", EXPIRY_NEVER);
    add(&b, B, 2, 5);
    row_write_context(&a, (struct dot){A, 3}, VALUE_STRING, BYTES("new"), EXPIRY_NEVER, &b.vector,
                      &b.added, &arena);
    struct row both = merge(&a, &b, NULL);
    assert_int_equal(both.sibling_count, 1);
    expect_newest(&both, "new");
    assert_false(read(&both).counted);
    assert_int_equal(both.expiry_count, 1);
}

/* ---- merging -------------------------------------------------------------------------------- */

static void test_concurrent_increment_survives_a_delete(void **state)
{
    (void)state;
    struct row a = fresh();
    add(&a, A, 1, 5);
    struct row b = a;
    row_delete(&a, (struct dot){A, 2}, &arena);
    add(&b, B, 3, 2);
    struct row both = merge(&a, &b, NULL);
    assert_true(read(&both).exists);
    assert_true(read(&both).sum == 2);
}

static void test_decrement_is_not_lost(void **state)
{
    (void)state;
    struct row a = fresh();
    add(&a, A, 1, 5);
    struct row before = a;
    add(&a, A, 2, -3);
    struct row both = merge(&a, &before, NULL);
    assert_true(read(&both).sum == 2);
}

static void test_common_rows_merge_without_decoding(void **state)
{
    (void)state;
    struct bytes old = common(A, 1, "old"), new = common(A, 2, "new"), other = common(B, 3, "b");
    assert_ptr_equal(merge_bytes(old, new, NULL).data, new.data);
    assert_ptr_equal(merge_bytes(new, old, NULL).data, new.data);
    assert_ptr_equal(merge_bytes(new, new, NULL).data, new.data);
    struct bytes both = merge_bytes(new, other, NULL);
    assert_ptr_equal(merge_bytes(both, other, NULL).data, both.data);
    assert_ptr_equal(merge_bytes(old, both, NULL).data, both.data);
    struct row row;
    assert_int_equal(row_decode(both, &arena, &row), STATUS_OK);
    assert_int_equal(row.sibling_count, 2);
}

static void test_stable_counts_as_seen_by_all(void **state)
{
    (void)state;
    struct dot dots[] = {{A, 5}};
    struct vector stable = {dots, 1};
    struct bytes seen = common(A, 5, "seen"), unseen = common(A, 6, "unseen"),
                 other = common(B, 3, "b");
    assert_ptr_equal(merge_bytes(seen, other, &stable).data, other.data);
    assert_ptr_equal(merge_bytes(other, seen, &stable).data, other.data);
    struct row row;
    assert_int_equal(row_decode(merge_bytes(other, unseen, &stable), &arena, &row), STATUS_OK);
    assert_int_equal(row.sibling_count, 2);
}

/* Cannot happen under the rules of collection, see row_merge.c: but never are both lost. */
static void test_stable_rows_that_differ(void **state)
{
    (void)state;
    struct dot dots[] = {{A, 9}, {B, 9}};
    struct vector stable = {dots, 2};
    struct bytes a = common(A, 5, "a"), b = common(B, 6, "b"), newer = common(A, 7, "newer");
    assert_ptr_equal(merge_bytes(a, b, &stable).data, b.data);
    assert_ptr_equal(merge_bytes(b, a, &stable).data, b.data);
    assert_ptr_equal(merge_bytes(newer, b, &stable).data, newer.data);
    assert_ptr_equal(merge_bytes(a, newer, &stable).data, newer.data);
}

static void test_canonical_keeps_the_common_row(void **state)
{
    (void)state;
    struct dot dots[] = {{A, 9}};
    struct vector stable = {dots, 1};
    struct row row = fresh();
    set(&row, A, 5, "old", EXPIRY_NEVER);
    set(&row, B, 6, "new", EXPIRY_NEVER);
    row_canonical(&row, NULL);
    assert_int_equal(row.vector.count, 2);
    row_canonical(&row, &stable);
    assert_int_equal(row.vector.count, 1);
    assert_true(bytes_equal(row_encode(&row, &arena), common(B, 6, "new")));
    dots[0] = (struct dot){B, 9};
    row_canonical(&row, &stable);
    assert_true(bytes_equal(row_encode(&row, &arena), common(B, 6, "new")));
    row_delete(&row, (struct dot){B, 7}, &arena);
    row_canonical(&row, &stable);
    assert_int_equal(row.vector.count, 0);
}

static void test_no_row_is_refused(void **state)
{
    (void)state;
    struct bytes row = common(A, 1, "v"), out = {0};
    assert_int_equal(row_merge_bytes(row, BYTES(""), NULL, &arena, &out), STATUS_CORRUPT);
    assert_int_equal(row_merge_bytes(BYTES("garbage"), row, NULL, &arena, &out), STATUS_CORRUPT);
    assert_null(out.data);
}

static void test_events_share_nothing_that_changes(void **state)
{
    (void)state;
    struct row row = fresh();
    add(&row, A, 1, 5);
    set(&row, A, 2, "v", 1000);
    struct bytes before = row_encode(&row, &arena);
    struct row copy = row;
    add(&copy, A, 3, 1);
    row_expire(&copy, (struct dot){A, 4}, 1, &arena);
    set_keeping(&copy, B, 5, "w");
    row_delete(&copy, (struct dot){A, 6}, &arena);
    assert_true(bytes_equal(row_encode(&row, &arena), before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_absent),
        cmocka_unit_test(test_write_then_delete),
        cmocka_unit_test(test_counter_without_base),
        cmocka_unit_test(test_counter_on_a_base),
        cmocka_unit_test(test_sums_wrap_without_harm),
        cmocka_unit_test(test_expiry_is_set_kept_and_dropped),
        cmocka_unit_test(test_of_concurrent_expiries_the_longest_counts),
        cmocka_unit_test(test_integers_and_reals_stand_apart),
        cmocka_unit_test(test_reals_are_summed_in_the_order_of_actors),
        cmocka_unit_test(test_mixed_increments_of_several_actors),
        cmocka_unit_test(test_reals_beyond_all_numbers),
        cmocka_unit_test(test_context_supersedes_what_it_saw),
        cmocka_unit_test(test_context_also_supersedes_what_is_yet_to_come),
        cmocka_unit_test(test_concurrent_increment_survives_a_delete),
        cmocka_unit_test(test_decrement_is_not_lost),
        cmocka_unit_test(test_common_rows_merge_without_decoding),
        cmocka_unit_test(test_stable_counts_as_seen_by_all),
        cmocka_unit_test(test_stable_rows_that_differ),
        cmocka_unit_test(test_canonical_keeps_the_common_row),
        cmocka_unit_test(test_no_row_is_refused),
        cmocka_unit_test(test_events_share_nothing_that_changes),
    };
    return cmocka_run_group_tests_name("row", tests, setup, teardown);
}
