/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/fake_txn.h"
#include "row/chunked.h"
#include "type/string.h"
#include "type/value.h"

enum { LONG = 50000 };

struct world {
    struct store store;
    struct arena arena;
    struct txn txn;
};

static int begin(void **state)
{
    static struct world world;
    fake_store_init(&world.store);
    arena_init(&world.arena);
    fake_txn_begin(&world.txn, &world.store, &world.arena, 1000);
    fake_txn_run(&world.txn);
    *state = &world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    fake_store_deinit(&world->store);
    arena_deinit(&world->arena);
    return 0;
}

static struct cell find(struct world *world, const char *key)
{
    struct cell head;
    assert_int_equal(cell_find_head(&world->txn, 0, bytes_text(key), &head), STATUS_OK);
    return head;
}

/* Ends the transaction and begins the next. */
static void commit(struct world *world)
{
    fake_txn_commit(&world->txn);
    fake_txn_begin(&world->txn, &world->store, &world->arena, 1000);
    fake_txn_run(&world->txn);
}

static void set(struct world *world, const char *key, struct bytes value)
{
    struct cell head = find(world, key);
    assert_int_equal(string_set(&head, value, EXPIRY_NEVER, false), STATUS_OK);
    commit(world);
}

static struct bytes long_value(struct world *world)
{
    char *value = arena_alloc(&world->arena, LONG);
    for (size_t i = 0; i < LONG; i++)
        value[i] = (char)(i * 7 >> 3);
    return bytes_of(value, LONG);
}

/* Rule 5: a dot is one event of one row. */
static void a_copy_has_dots_of_its_own(void **state)
{
    struct world *world = *state;
    set(world, "from", BYTES("value"));
    struct cell from = find(world, "from"), to = find(world, "to");
    struct dot old = from.newest.dot;
    assert_int_equal(value_copy(&from, &to), STATUS_OK);
    assert_true(to.newest.dot.time > old.time);
    assert_true(dot_equal(find(world, "from").newest.dot, old));
}

static void a_long_copy_has_chunks_of_its_own(void **state)
{
    struct world *world = *state;
    struct bytes value = long_value(world), read;
    set(world, "from", value);
    struct cell from = find(world, "from"), to = find(world, "to");
    struct chunked of_from, of_to;
    assert_int_equal(value_copy(&from, &to), STATUS_OK);
    commit(world);
    from = find(world, "from");
    to = find(world, "to");
    assert_true(chunked_unpack(from.newest.value, &of_from));
    assert_true(chunked_unpack(to.newest.value, &of_to));
    assert_true(of_to.base.time > of_from.base.time);
    assert_int_equal(of_to.length, LONG);
    for (uint32_t i = 0; i * CHUNK_SIZE < LONG; i++) {
        struct cell a, b;
        struct bytes name = row_key_chunk(&world->arena, from.name, of_from.base, i);
        assert_int_equal(cell_find(&world->txn, name, &a), STATUS_OK);
        name = row_key_chunk(&world->arena, to.name, of_to.base, i);
        assert_int_equal(cell_find(&world->txn, name, &b), STATUS_OK);
        assert_true(a.exists && b.exists && !dot_equal(a.newest.dot, b.newest.dot));
    }
    assert_int_equal(string_value(&to, &read), STATUS_OK);
    assert_true(bytes_equal(read, value));
}

static void holes_are_not_copied(void **state)
{
    struct world *world = *state;
    uint64_t length;
    struct cell from = find(world, "from"), to = find(world, "to");
    assert_int_equal(string_overwrite(&from, 64 * CHUNK_SIZE, BYTES("end"), &length), STATUS_OK);
    commit(world);
    size_t before = world->store.count;
    from = find(world, "from");
    to = find(world, "to");
    assert_int_equal(value_copy(&from, &to), STATUS_OK);
    commit(world);
    assert_int_equal(world->store.count, before + 2); /* a head and one chunk */
}

/* Concurrent writes and increments of other actors: the copy is what a reader saw, and no more. */
static void siblings_and_increments_become_one_value(void **state)
{
    struct world *world = *state;
    struct row a, b, merged;
    struct dot first = {actor_of(1, 1), 10}, second = {actor_of(2, 1), 20};
    row_init(&a);
    row_init(&b);
    row_write(&a, first, VALUE_STRING, BYTES("old"), EXPIRY_NEVER, false, &world->arena);
    row_write(&b, second, VALUE_STRING, BYTES("40"), 5000, false, &world->arena);
    row_increment(&b, (struct dot){actor_of(3, 1), 30}, 2, &world->arena);
    row_merge(&a, &b, NULL, &world->arena, &merged);
    struct bytes name = row_key_head(&world->arena, 0, BYTES("from"));
    fake_store_put(&world->store, name, row_encode(&merged, &world->arena));

    struct cell from = find(world, "from"), to = find(world, "to");
    assert_int_equal(value_copy(&from, &to), STATUS_OK);
    struct sibling sibling;
    uint64_t at_ms;
    assert_true(row_peek(to.held, &sibling, &at_ms));
    assert_true(bytes_equal(sibling.value, BYTES("42")));
    assert_int_equal(at_ms, find(world, "from").at_ms);
}

/* Each chunk has the key in its name: under a long name a long string would take far more. */
static void a_name_too_long_for_so_many_chunks(void **state)
{
    struct world *world = *state;
    uint64_t length;
    char *key = arena_alloc(&world->arena, KEY_SIZE_MAX);
    memset(key, 'k', KEY_SIZE_MAX);
    struct cell from = find(world, "from"), to;
    assert_int_equal(string_overwrite(&from, 100 << 20, BYTES("end"), &length), STATUS_OK);
    commit(world);
    from = find(world, "from");
    assert_int_equal(cell_find_head(&world->txn, 0, bytes_of(key, KEY_SIZE_MAX), &to), STATUS_OK);
    assert_int_equal(value_copy(&from, &to), STATUS_TOO_BIG);
}

static void a_value_is_read_and_written_whole(void **state)
{
    struct world *world = *state;
    struct bytes value = long_value(world);
    struct dump dump;
    set(world, "from", value);
    struct cell from = find(world, "from"), to = find(world, "to");
    assert_int_equal(value_read(&from, &dump), STATUS_OK);
    assert_true(bytes_equal(dump.string, value));
    assert_int_equal(value_write(&to, &dump, 7777), STATUS_OK);
    assert_int_equal(to.at_ms, 7777);
    assert_int_equal(value_read(&to, &dump), STATUS_OK);
    assert_true(bytes_equal(dump.string, value));
}

static void encodings(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *value, *encoding;
    } cases[] = {
        {"1", "int"},
        {"-9223372036854775808", "int"},
        {"9223372036854775808", "embstr"},
        {"01", "embstr"},
        {"", "embstr"},
        {"12345678901234567890123456789012345678901234", "embstr"},
        {"123456789012345678901234567890123456789012345", "raw"},
    };
    struct bytes name;
    struct cell head;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set(world, "key", bytes_text(cases[i].value));
        head = find(world, "key");
        assert_int_equal(value_encoding(&head, &name), STATUS_OK);
        assert_true(bytes_equal(name, bytes_text(cases[i].encoding)));
    }
    set(world, "key", long_value(world));
    head = find(world, "key");
    assert_int_equal(value_encoding(&head, &name), STATUS_OK);
    assert_true(bytes_equal(name, BYTES("raw")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_has_dots_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(a_long_copy_has_chunks_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(holes_are_not_copied, begin, end),
        cmocka_unit_test_setup_teardown(siblings_and_increments_become_one_value, begin, end),
        cmocka_unit_test_setup_teardown(a_name_too_long_for_so_many_chunks, begin, end),
        cmocka_unit_test_setup_teardown(a_value_is_read_and_written_whole, begin, end),
        cmocka_unit_test_setup_teardown(encodings, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
