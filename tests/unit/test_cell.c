/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/fake_txn.h"
#include "type/cell.h"

enum { NOW_MS = 1000 };

struct scene {
    struct store store;
    struct arena arena;
    struct txn txn;
    struct bytes name;
};

static void begin(struct scene *scene)
{
    fake_txn_begin(&scene->txn, &scene->store, &scene->arena, NOW_MS);
    fake_txn_run(&scene->txn);
}

static int set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene){0};
    fake_store_init(&scene.store);
    arena_init(&scene.arena);
    scene.name = row_key_head(&scene.arena, 0, BYTES("key"));
    begin(&scene);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    fake_store_deinit(&scene->store);
    arena_deinit(&scene->arena);
    return 0;
}

static void put_common(struct scene *scene, struct dot dot, const char *value, uint64_t at_ms)
{
    fake_store_put(&scene->store, scene->name,
                   row_encode_common(&scene->arena, dot, VALUE_STRING, bytes_text(value), at_ms));
}

static struct cell find(struct scene *scene)
{
    struct cell cell;
    assert_int_equal(cell_find(&scene->txn, scene->name, &cell), STATUS_OK);
    return cell;
}

static void expect_reads(const struct cell *cell, const char *value, uint64_t at_ms)
{
    assert_true(cell->exists);
    assert_true(bytes_equal(cell->newest.value, bytes_text(value)));
    assert_true(cell->at_ms == at_ms);
}

/* Writes through the cell, and in full through the row: the bytes must be the same. */
static void expect_write_as_of_row(struct scene *scene, uint64_t at_ms, bool keep_expiry)
{
    struct cell cell = find(scene);
    struct row row;
    row_init(&row);
    if (cell.held.size > 0)
        assert_int_equal(row_decode(cell.held, &scene->arena, &row), STATUS_OK);
    struct dot dot = cell_dot(&cell);
    row_write(&row, dot, VALUE_STRING, BYTES("new"), at_ms, keep_expiry, &scene->arena);
    row_canonical(&row, txn_stable(&scene->txn));
    struct bytes expected = row_encode(&row, &scene->arena);
    assert_int_equal(cell_write(&cell, dot, VALUE_STRING, BYTES("new"), at_ms, keep_expiry),
                     STATUS_OK);
    assert_true(bytes_equal(cell.held, expected));
    cell = find(scene);
    expect_reads(&cell, "new", keep_expiry ? cell.at_ms : at_ms);
    fake_txn_commit(&scene->txn);
}

static void test_absent(void **state)
{
    struct cell cell = find(*state);
    assert_false(cell.exists);
    assert_false(cell.expired);
    expect_write_as_of_row(*state, EXPIRY_NEVER, false);
}

static void test_write_over_own(void **state)
{
    struct scene *scene = *state;
    put_common(scene, (struct dot){scene->store.actor, 5}, "old", 9999);
    struct cell cell = find(scene);
    expect_reads(&cell, "old", 9999);
    expect_write_as_of_row(scene, 8888, false);
    expect_write_as_of_row(scene, EXPIRY_NEVER, false);
    expect_write_as_of_row(scene, EXPIRY_NEVER, true);
    expect_write_as_of_row(scene, 7777, false);
}

/* The other actor's event stays in the vector until it is stable. */
static void test_write_over_anothers(void **state)
{
    struct scene *scene = *state;
    struct dot other = {actor_of(3, 1), 5};
    put_common(scene, other, "old", EXPIRY_NEVER);
    expect_write_as_of_row(scene, EXPIRY_NEVER, false);
    struct sibling sibling;
    uint64_t at_ms;
    assert_false(row_peek(fake_store_row(&scene->store, scene->name), &sibling, &at_ms));

    put_common(scene, other, "old", EXPIRY_NEVER);
    scene->store.stable_dots[0] = other;
    scene->store.stable.count = 1;
    begin(scene);
    expect_write_as_of_row(scene, EXPIRY_NEVER, false);
    assert_true(row_peek(fake_store_row(&scene->store, scene->name), &sibling, &at_ms));
}

/* It has seen what dead actors did before it, though nobody has told of that; and keeps what it
 * knew of them. */
static void test_write_after_deaths(void **state)
{
    struct scene *scene = *state;
    actor_t here = scene->store.actor, first = actor_of(3, 7), second = actor_of(3, 9);
    struct dead_actors dead = {{{first, 0}, {second, UINT64_MAX}}, 2};
    const char *const held[] = {NULL, "old"};
    for (unsigned i = 0; i < 2; i++) {
        struct row row, lost, merged;
        if (held[i])
            put_common(scene, (struct dot){second, 5}, held[i], EXPIRY_NEVER);
        begin(scene);
        scene->txn.dead = &dead;
        struct cell cell = find(scene);
        struct dot dot = cell_dot(&cell);
        assert_int_equal(cell_write(&cell, dot, VALUE_STRING, BYTES("new"), 9999, false),
                         STATUS_OK);
        expect_reads(&cell, "new", 9999);
        fake_txn_commit(&scene->txn);
        struct bytes bytes = fake_store_row(&scene->store, scene->name);
        assert_int_equal(row_decode(bytes, &scene->arena, &row), STATUS_OK);
        assert_int_equal(row.vector.count, 3);
        assert_true(vector_time(&row.vector, here) == dot.time);
        assert_true(vector_time(&row.vector, first) == dot.time - 1);
        assert_true(vector_time(&row.vector, second) == dot.time - 1);
        row_init(&lost);
        row_write(&lost, (struct dot){first, dot.time - 1}, VALUE_STRING, BYTES("lost"),
                  EXPIRY_NEVER, false, &scene->arena);
        row_merge(&row, &lost, NULL, &scene->arena, &merged);
        assert_true(bytes_equal(row_encode(&merged, &scene->arena), bytes));
    }
}

static void test_dot_exceeds_the_row(void **state)
{
    struct scene *scene = *state;
    uint64_t far = (uint64_t)1 << 62;
    put_common(scene, (struct dot){actor_of(3, 1), far}, "old", EXPIRY_NEVER);
    struct cell cell = find(scene);
    assert_true(cell_dot(&cell).time > far);
}

static void test_keep_expiry(void **state)
{
    struct scene *scene = *state;
    put_common(scene, (struct dot){scene->store.actor, 5}, "old", 9999);
    struct cell cell = find(scene);
    assert_int_equal(
        cell_write(&cell, cell_dot(&cell), VALUE_STRING, BYTES("new"), EXPIRY_NEVER, true),
        STATUS_OK);
    expect_reads(&cell, "new", 9999);
    assert_int_equal(cell_expire(&cell, 8888), STATUS_OK);
    expect_reads(&cell, "new", 8888);
    assert_int_equal(cell_expire(&cell, EXPIRY_NEVER), STATUS_OK);
    cell = find(scene);
    expect_reads(&cell, "new", EXPIRY_NEVER);
}

static void test_expired(void **state)
{
    struct scene *scene = *state;
    put_common(scene, (struct dot){scene->store.actor, 5}, "old", NOW_MS);
    struct cell cell = find(scene);
    assert_true(cell.exists);
    put_common(scene, (struct dot){scene->store.actor, 5}, "41", NOW_MS - 1);
    begin(scene);
    cell = find(scene);
    assert_false(cell.exists);
    assert_true(cell.expired);
    assert_int_equal(cell_increment(&cell, 7), STATUS_OK);
    expect_reads(&cell, "0", EXPIRY_NEVER);
    assert_true(cell.counted && cell.sum == 7);
}

/* Of concurrent writes the newest reads; a write here covers both. */
static void test_siblings(void **state)
{
    struct scene *scene = *state;
    struct arena *arena = &scene->arena;
    struct dot older = {actor_of(4, 1), 5};
    struct dot newer = {actor_of(3, 1), 6};
    struct bytes both;
    assert_int_equal(
        row_merge_bytes(row_encode_common(arena, older, VALUE_STRING, BYTES("older"), 9999),
                        row_encode_common(arena, newer, VALUE_STRING, BYTES("newer"), 8888), NULL,
                        arena, &both),
        STATUS_OK);
    fake_store_put(&scene->store, scene->name, both);
    struct cell cell = find(scene);
    expect_reads(&cell, "newer", 9999);
    expect_write_as_of_row(scene, EXPIRY_NEVER, false);
    struct row row;
    assert_int_equal(row_decode(fake_store_row(&scene->store, scene->name), arena, &row),
                     STATUS_OK);
    assert_int_equal(row.sibling_count, 1);
}

static void test_delete(void **state)
{
    struct scene *scene = *state;
    put_common(scene, (struct dot){scene->store.actor, 5}, "old", 9999);
    struct cell cell = find(scene);
    assert_int_equal(cell_delete(&cell), STATUS_OK);
    assert_false(cell.exists);
    fake_txn_commit(&scene->txn);
    begin(scene);
    cell = find(scene);
    assert_false(cell.exists);
    assert_false(cell.expired);
    assert_true(cell.held.size > 0);
    expect_write_as_of_row(scene, EXPIRY_NEVER, false);
}

static void test_damage(void **state)
{
    struct scene *scene = *state;
    struct cell cell;
    fake_store_put(&scene->store, scene->name, BYTES("\xff\xff\xff"));
    assert_int_equal(cell_find(&scene->txn, scene->name, &cell), STATUS_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_absent),
        TEST(test_write_over_own),
        TEST(test_write_over_anothers),
        TEST(test_write_after_deaths),
        TEST(test_dot_exceeds_the_row),
        TEST(test_keep_expiry),
        TEST(test_expired),
        TEST(test_siblings),
        TEST(test_delete),
        TEST(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
