/* SPDX-License-Identifier: MIT */
/* Rows for other nodes, digests, giving away, and what waits for collection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "row/row_list.h"
#include "row/slot.h"
#include "store/state.h"
#include "store/verify.h"
#include "support/small_copies.h"
#include "type/string.h"

static int open_joined(void **state)
{
    *state = small_new_joined(0xa);
    return 0;
}

static int close_joined(void **state)
{
    small_free(*state);
    return 0;
}

#define JOINED_TEST(test) cmocka_unit_test_setup_teardown(test, open_joined, close_joined)

static void add_head(struct small_store *small, struct buffer *heads, const char *key)
{
    struct bytes name = small_name(small, key);
    char *room = buffer_reserve(heads, VARINT_MAX);
    buffer_commit(heads, (size_t)(pack_varint(room, name.size) - room));
    buffer_append_bytes(heads, name);
}

static unsigned count_rows(struct bytes list)
{
    struct bytes name, row;
    unsigned count = 0;
    while (row_list_next(&list, &name, &row))
        count++;
    assert_int_equal(list.size, 0);
    return count;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_pages(void **state)
{
    struct small_store *small = *state;
    struct small_exported out = {0};
    struct export_place place = {0};
    unsigned pages = 0;
    small_set(small, "one", "1");
    small_set_size(small, "long", 10 * CHUNK_SIZE);
    small_set(small, "two", "2");
    small_seal(small);
    small_forget(small);
    add_head(small, &out.heads, "one");
    add_head(small, &out.heads, "nothing");
    add_head(small, &out.heads, "long");
    add_head(small, &out.heads, "two");
    for (; place.key < 4; pages++) {
        size_t before = buffer_size(&out.rows);
        small_export(small, buffer_bytes(&out.heads), place, 2 * CHUNK_SIZE, &out);
        assert_in_range(buffer_size(&out.rows) - before, 1, 2 * CHUNK_SIZE);
        place = out.next;
    }
    assert_in_range(pages, 6, 12);
    assert_int_equal(count_rows(buffer_bytes(&out.rows)), 13);
    struct small_store *other = small_new_joined(0xb);
    small_import(other, buffer_bytes(&out.rows));
    small_expect_same(small, other);
    small_free(other);
    small_exported_deinit(&out);
}

/* One row at least, however small the page is to be. */
static void test_the_smallest_pages(void **state)
{
    struct small_store *small = *state;
    struct small_exported out = {0};
    struct export_place place = {0};
    unsigned pages = 0;
    small_set_size(small, "long", 5 * CHUNK_SIZE);
    small_set(small, "two", "2");
    add_head(small, &out.heads, "long");
    add_head(small, &out.heads, "two");
    for (; place.key < 2; pages++) {
        small_export(small, buffer_bytes(&out.heads), place, 0, &out);
        place = out.next;
    }
    assert_int_equal(pages, 7);
    assert_int_equal(count_rows(buffer_bytes(&out.rows)), 7);
    small_exported_deinit(&out);
}

/* Between two pages the string becomes another one: the head would name chunks that never came. */
static void test_a_string_that_changes_between_pages_begins_anew(void **state)
{
    struct small_store *small = *state;
    struct small_store *other = small_new_joined(0xb);
    struct small_exported out = {0};
    struct export_place place = {0};
    small_set_size(small, "long", 10 * CHUNK_SIZE);
    add_head(small, &out.heads, "long");
    for (unsigned page = 0; page < 3; page++) {
        small_export(small, buffer_bytes(&out.heads), place, 2 * CHUNK_SIZE, &out);
        place = out.next;
    }
    assert_int_equal(place.key, 0);
    small_set_size(small, "long", 12 * CHUNK_SIZE);
    while (place.key < 1) {
        small_export(small, buffer_bytes(&out.heads), place, 2 * CHUNK_SIZE, &out);
        place = out.next;
    }
    small_import(other, buffer_bytes(&out.rows));
    small_expect_same(small, other);
    small_free(other);
    small_exported_deinit(&out);
}

static void rows_refused(void *context, enum status status, struct bytes rows,
                         struct export_place next)
{
    (void)rows, (void)next;
    *(enum status *)context = status;
}

static void digests_refused(void *context, enum status status, const uint64_t *digests,
                            size_t count)
{
    (void)digests, (void)count;
    *(enum status *)context = status;
}

static void test_names_are_checked(void **state)
{
    struct small_store *small = *state;
    struct buffer heads = {0};
    small->db = 4; /* one more than there are */
    add_head(small, &heads, "k");
    small->db = 0;
    const struct bytes bad[] = {
        BYTES("\x01"),        BYTES("\x05short"), BYTES("\x00"), BYTES("\x03\x00\x00\x00"),
        buffer_bytes(&heads),
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum status status = STATUS_OK;
        assert_null(export_rows(small->store, bad[i], (struct export_place){0}, 100, small->now_ms,
                                rows_refused, &status));
        assert_int_equal(status, STATUS_CORRUPT);
    }
    buffer_deinit(&heads);
}

static void test_a_cancelled_one_is_not_told(void **state)
{
    struct small_store *small = *state;
    struct small_exported out = {0};
    enum status status = STATUS_OK;
    small_set(small, "k", "v");
    small_seal(small);
    small_forget(small);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_ALWAYS_COLD);
    add_head(small, &out.heads, "k");
    struct export *export =
        export_rows(small->store, buffer_bytes(&out.heads), (struct export_place){0}, 100,
                    small->now_ms, rows_refused, &status);
    assert_non_null(export);
    export_cancel(export);
    status = STATUS_YIELD;
    small_run_jobs(small);
    assert_int_equal(status, STATUS_YIELD);
    small_exported_deinit(&out);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Of memory and tier, all databases, tombstones and what has expired: in order, each once. */
static void test_a_slot_is_listed(void **state)
{
    struct small_store *small = *state;
    char key[32];
    unsigned written = 0;
    for (uint8_t db = 0; db < 4; db += 3) {
        small->db = db;
        for (unsigned i = 0; i < 40; i++, written++) {
            snprintf(key, sizeof(key), "{s}%u", i);
            if (i == 10)
                small_seal(small);
            if (i == 20)
                small_forget(small);
            small_set_until(small, key, "v", i % 7 == 0 ? small->now_ms + 1 : EXPIRY_NEVER);
            if (i % 5 == 0)
                small_delete(small, key);
        }
    }
    small->now_ms += 1000;
    uint16_t slot = slot_of_key(BYTES("{s}"));
    assert_int_equal(store_slot_stored(small->store, slot), written);
    for (size_t most = 1; most < 100; most += 13) {
        struct small_exported out = {0};
        struct buffer after = {0};
        unsigned count = 0;
        do {
            small_list(small, slot, buffer_bytes(&after), most, &out);
            if (out.count > 0) {
                assert_true(bytes_compare(out.last, buffer_bytes(&after)) > 0);
                buffer_clear(&after, SIZE_MAX);
                buffer_append_bytes(&after, out.last);
            }
            assert_true(out.count <= most);
            assert_true(out.end || out.count == most);
            count += out.count;
        } while (!out.end);
        assert_int_equal(count, written);
        buffer_deinit(&after);
        small_exported_deinit(&out);
    }
    small->db = 0;
}

static void test_an_empty_slot_has_an_empty_list(void **state)
{
    struct small_exported out = {0};
    small_list(*state, 77, bytes_of("", 0), 10, &out);
    assert_true(out.end);
    assert_int_equal(out.count, 0);
    small_exported_deinit(&out);
}

/* ---- digests --------------------------------------------------------------------------------- */

static uint64_t slot_digest(struct small_store *small, const char *key)
{
    return store_slot_digest(small->store, slot_of_key(bytes_text(key)));
}

static void test_digests_say_whether_rows_differ(void **state)
{
    struct small_store *small = *state;
    assert_int_equal(small_digest(small, "k"), 0);
    small_set(small, "k", "one");
    uint64_t first = small_digest(small, "k");
    assert_true(first != 0 && first == slot_digest(small, "k"));
    small_set(small, "k", "one"); /* another event */
    assert_true(small_digest(small, "k") != first);
    small_delete(small, "k");
    uint64_t dead = small_digest(small, "k");
    assert_true(dead != 0 && dead == slot_digest(small, "k"));
    small_seal(small);
    small_forget(small);
    assert_true(small_digest(small, "k") == dead);
    small_crash(small);
    small_start(small);
    assert_true(small_digest(small, "k") == dead && slot_digest(small, "k") == dead);
}

struct many {
    const uint64_t *expected;
    size_t count;
    bool done;
};

static void many_done(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct many *many = context;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(count, many->count);
    for (size_t i = 0; i < count; i++)
        assert_true(digests[i] == many->expected[i]);
    many->done = true;
}

/* More than are read at once, and more than memory holds: none is waited for. */
static void test_many_cold_digests(void **state)
{
    enum { MANY = 10000 };
    struct small_store *small = *state;
    struct buffer heads = {0};
    struct many many = {.count = MANY};
    struct store_stats stats;
    uint64_t *expected = memory_zeroed(MANY * sizeof(*expected));
    char key[16];
    many.expected = expected;
    small_set_many(small, "k", 0, MANY - 1); /* the last one does not exist */
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        arena_clear(&small->arena);
        add_head(small, &heads, key);
        struct entry *entry = small_entry(small, key);
        if (entry)
            expected[i] = export_digest(entry_name(entry), entry_row(entry));
    }
    small_seal(small);
    small_forget(small);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_ALWAYS_COLD);
    export_digests(small->store, buffer_bytes(&heads), small->now_ms, many_done, &many);
    while (!many.done) {
        small_run_jobs(small);
        small_forget(small);
    }
    store_stats(small->store, &stats);
    assert_int_equal(stats.blocking_reads, 0);
    buffer_deinit(&heads);
    memory_free(expected);
}

static void test_what_cannot_be_read_is_told(void **state)
{
    struct small_store *small = *state;
    struct buffer heads = {0};
    struct small_exported out = {0};
    enum status status = STATUS_OK;
    small_set(small, "k", "v");
    small_set(small, "other", "v");
    small_seal(small);
    small_forget(small);
    sim_tier_set_cold(small->tier_disk, SIM_TIER_ALWAYS_COLD);
    add_head(small, &heads, "k");
    add_head(small, &heads, "other");
    sim_tier_fail_read(small->tier_disk, small_name(small, "k"), STATUS_IO);
    export_rows(small->store, buffer_bytes(&heads), (struct export_place){0}, 100, small->now_ms,
                rows_refused, &status);
    small_run_jobs(small);
    assert_int_equal(status, STATUS_IO);
    status = STATUS_OK;
    export_digests(small->store, buffer_bytes(&heads), small->now_ms, digests_refused, &status);
    small_run_jobs(small);
    assert_int_equal(status, STATUS_IO);
    sim_tier_fail_read(small->tier_disk, small_name(small, "k"), STATUS_OK);
    buffer_deinit(&heads);
    small_exported_deinit(&out);
}

/* What changes a chunk changes the head. */
static void test_a_changed_chunk_changes_the_digest(void **state)
{
    struct small_store *small = *state;
    struct cell cell;
    uint64_t length;
    small_set_size(small, "long", 50000);
    uint64_t before = small_digest(small, "long");
    arena_clear(&small->arena);
    txn_begin(&small->txn, small->now_ms);
    assert_int_equal(cell_find_head(&small->txn, 0, BYTES("long"), &cell), STATUS_OK);
    assert_int_equal(string_overwrite(&cell, 20000, BYTES("y"), &length), STATUS_OK);
    assert_int_equal(txn_commit(&small->txn), STATUS_OK);
    assert_int_equal(length, 50000);
    assert_true(small_digest(small, "long") != before);
}

static void test_expiring_and_time_change_none(void **state)
{
    struct small_store *small = *state;
    small_set_until(small, "k", "v", small->now_ms + 10);
    uint64_t digest = slot_digest(small, "k");
    small_turn(small);
    small_tick_for(small, 2000);
    small_expect(small, "k", NULL);
    small_seal(small);
    small_tick_for(small, 2000);
    assert_true(slot_digest(small, "k") == digest);
    small_expect_keys(small, 1); /* until all owners agree */
    small_audit(small);
}

static void test_damage_of_a_digest_is_seen(void **state)
{
    struct small_store *small = *state;
    struct buffer report = {0};
    small_set(small, "k", "v");
    small_seal(small);
    facts_of(&small->store->facts, slot_of_key(BYTES("k")), 0)->digest++;
    small_set(small, "other", "v");
    small_seal(small);
    facts_of(&small->store->facts, slot_of_key(BYTES("k")), 0)->digest--;
    small_stop(small);
    small->tier = sim_tier_open(small->tier_disk);
    assert_int_equal(store_check(sim_files_interface(small->disk), small->tier, &report),
                     STATUS_CORRUPT);
    small->tier->ops->free(small->tier);
    sim_files_crash(small->disk);
    buffer_append_u8(&report, 0);
    assert_non_null(strstr(buffer_bytes(&report).data, "their digests differ"));
    buffer_deinit(&report);
    small->options.recount = true; /* as --salvage does */
    small_start(small);
    small_seal(small);
    small_audit(small);
}

/* ---- giving away ----------------------------------------------------------------------------- */

static void test_what_is_given_away_is_gone(void **state)
{
    struct small_store *small = *state;
    small_set_size(small, "long", 50000);
    small_set(small, "{long}2", "stays");
    small_seal(small);
    small_forget(small);
    struct bytes name = small_name(small, "long");
    assert_int_equal(store_give_away(small->store, name, 1), STATUS_COLD);
    uint64_t digest = small_digest(small, "long");
    name = small_name(small, "long");
    assert_int_equal(store_give_away(small->store, name, digest + 1), STATUS_ABSENT);
    assert_int_equal(store_give_away(small->store, name, digest), STATUS_OK);
    assert_int_equal(store_give_away(small->store, name, digest), STATUS_ABSENT);
    assert_int_equal(small_digest(small, "long"), 0);
    assert_int_equal(store_slot_stored(small->store, slot_of_key(BYTES("long"))), 1);
    small_expect(small, "long", NULL);
    small_turn(small);
    small_crash(small);
    small_start(small);
    small_expect(small, "long", NULL);
    small_expect(small, "{long}2", "stays");
    small_seal(small);
    small_tick_for(small, 100);
    small_audit(small);
    assert_int_equal(store_give_away(small->store, BYTES("nonsense"), 1), STATUS_ABSENT);
}

/* A long string of which the head never came: its chunks go with the key. */
static void test_chunks_without_a_head_go_with_the_key(void **state)
{
    struct small_store *small = *state;
    struct small_store *other = small_new_joined(0xb);
    struct small_exported out = {0};
    small_set(small, "long", "short");
    small_set_size(other, "long", 50000);
    add_head(other, &out.heads, "long");
    small_export(other, buffer_bytes(&out.heads), (struct export_place){0}, 3 * CHUNK_SIZE, &out);
    assert_int_equal(out.next.key, 0);
    small_import(small, buffer_bytes(&out.rows));
    small_expect(small, "long", "short");
    small_delete(small, "long");
    uint64_t digest = small_digest(small, "long");
    assert_int_equal(store_give_away(small->store, small_name(small, "long"), digest), STATUS_OK);
    assert_int_equal(small->store->table.slots[slot_of_key(BYTES("long"))].entries, 0);
    small_seal(small);
    small_audit(small);
    small_exported_deinit(&out);
    small_free(other);
}

/* ---- collection ------------------------------------------------------------------------------ */

static void count_found(void *context, struct bytes name, uint64_t digest)
{
    (void)name, (void)digest;
    ++*(unsigned *)context;
}

static unsigned collectable(struct small_store *small, const char *key, uint64_t before_ms)
{
    unsigned found = 0;
    store_find_collectable(small->store, slot_of_key(bytes_text(key)), before_ms, 100, count_found,
                           &found);
    return found;
}

static void test_what_is_to_be_collected_is_found(void **state)
{
    struct small_store *small = *state;
    small_set(small, "{s}lives", "v");
    small_set_until(small, "{s}expires", "v", small->now_ms + 1000);
    small_set(small, "{s}dead", "v");
    assert_int_equal(collectable(small, "{s}", small->now_ms), 0);
    small_delete(small, "{s}dead");
    assert_int_equal(collectable(small, "{s}", small->now_ms), 1);
    assert_int_equal(collectable(small, "{s}", small->now_ms + 2000), 1); /* readers see it yet */
    assert_int_equal(collectable(small, "{t}", small->now_ms + 2000), 0);
    assert_int_equal(store_collectable_count(small->store), 1);
    small_turn(small);
    small_seal(small);
    small_stop(small);
    small_start(small); /* the tier has all of it */
    assert_int_equal(store_collectable_count(small->store), 1);
    assert_int_equal(collectable(small, "{s}", small->now_ms + 2000), 0);
    small_tick_for(small, 3000);
    assert_int_equal(collectable(small, "{s}", small->now_ms), 2);
    assert_int_equal(store_collectable_count(small->store), 2);
    small_expect_keys(small, 2);
    small_expect(small, "{s}lives", "v");
    small_audit(small);
    uint64_t digest = small_digest(small, "{s}dead");
    assert_int_equal(store_give_away(small->store, small_name(small, "{s}dead"), digest),
                     STATUS_OK);
    digest = small_digest(small, "{s}expires");
    assert_int_equal(store_give_away(small->store, small_name(small, "{s}expires"), digest),
                     STATUS_OK);
    small_expect_keys(small, 1);
    small_seal(small);
    small_tick_for(small, 100);
    small_audit(small);
    assert_int_equal(small_index_rows(small), 0);
    assert_int_equal(collectable(small, "{s}", small->now_ms), 0);
}

/* ---- joining --------------------------------------------------------------------------------- */

/* What it held before counts as any; what it had collected is not there. */
static void test_a_store_joins(void **state)
{
    struct small_store *small = *state;
    struct small_store *other = small_new_joined(0xb);
    small_set_many(small, "k", 0, 50);
    small_set_size(small, "long", 50000);
    small_delete(small, "k7");
    small_set_until(small, "e", "v", small->now_ms + 1000000);
    small_seal(small);
    small_forget(small);
    small_set_many(small, "k", 40, 60);
    small_delete(small, "k8");
    assert_false(store_is_joined(small->store));
    assert_int_equal(store_slot_digest(small->store, slot_of_key(BYTES("k1"))), 0);
    assert_int_equal(store_join(small->store), STATUS_OK);
    assert_true(store_is_joined(small->store));
    assert_int_equal(store_collectable_count(small->store), 0);
    small_copy_all(small, other);
    small_expect_same(small, other);
    small_expect_keys(other, 60);
    small_crash(small); /* before the digests were stored */
    small_start(small);
    assert_true(store_is_joined(small->store));
    small_expect_same(small, other);
    small_delete(small, "k1");
    small_seal(small);
    small_stop(small);
    small_start(small);
    assert_int_equal(store_collectable_count(small->store), 1);
    small_tick_for(small, 100);
    small_audit(small);
    small_free(other);
}

static void test_a_joined_store_evicts_and_flushes_nothing_by_itself(void **state)
{
    struct small_store *small = *state;
    small_set_many(small, "k", 0, 100);
    small_turn(small);
    store_set_eviction(small->store, EVICT_ALLKEYS_LRU);
    store_set_rows_bytes(small->store, 0);
    small_turn(small);
    small_tick_for(small, 300);
    store_set_rows_bytes(small->store, 1 << 30);
    small_tick_for(small, 300);
    small_set(small, "more", "v");
    small_expect_keys(small, 101);
    txn_begin(&small->txn, small->now_ms);
    txn_flush(&small->txn, 0);
    assert_int_equal(txn_commit(&small->txn), STATUS_INVALID);
    small_expect_keys(small, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOINED_TEST(test_pages),
        JOINED_TEST(test_the_smallest_pages),
        JOINED_TEST(test_a_string_that_changes_between_pages_begins_anew),
        JOINED_TEST(test_names_are_checked),
        JOINED_TEST(test_a_cancelled_one_is_not_told),
        JOINED_TEST(test_a_slot_is_listed),
        JOINED_TEST(test_an_empty_slot_has_an_empty_list),
        JOINED_TEST(test_digests_say_whether_rows_differ),
        JOINED_TEST(test_many_cold_digests),
        JOINED_TEST(test_what_cannot_be_read_is_told),
        JOINED_TEST(test_a_changed_chunk_changes_the_digest),
        JOINED_TEST(test_expiring_and_time_change_none),
        JOINED_TEST(test_damage_of_a_digest_is_seen),
        JOINED_TEST(test_what_is_given_away_is_gone),
        JOINED_TEST(test_chunks_without_a_head_go_with_the_key),
        JOINED_TEST(test_what_is_to_be_collected_is_found),
        SMALL_STORE_TEST(test_a_store_joins),
        JOINED_TEST(test_a_joined_store_evicts_and_flushes_nothing_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
