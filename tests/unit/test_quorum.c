/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/quorum_world.h"
#include "quorum/quorum_codec.h"
#include "row/row.h"

static unsigned sent(struct world *world, unsigned node, enum quorum_message type)
{
    return world->nodes[node].sent[type - MESSAGES_QUORUM];
}

/* ---- writes ---------------------------------------------------------------------------------- */

static void test_a_write_is_done_when_w_owners_have_it(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 3, 1);
    assert_int_equal(world_owners(&world, "k", owners), 3);
    world_write(&world, &write, owners[0], "k");
    world_turn(&world); /* it goes out */
    assert_false(write.is_done);
    world_turn(&world); /* arrives, and is acknowledged */
    world_turn(&world);
    assert_true(write.is_done);
    assert_int_equal(write.status, STATUS_OK);
    assert_int_equal(write.write.needed, 2);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_run(&world, 3000);
    assert_int_equal(buffer_size(&world.nodes[owners[0]].missed), 0);
    struct quorum_stats stats;
    quorum_stats(world.nodes[owners[0]].quorum, &stats);
    assert_int_equal(stats.pending, 0);
    world_deinit(&world);
}

static void test_writes_of_a_turn_share_one_message_for_each_owner(void **state)
{
    struct world world;
    struct world_write writes[20] = {0};
    char key[16];
    (void)state;
    world_init(&world, 3, 1);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        world_write(&world, &writes[i], 0, key);
    }
    world_run(&world, 3);
    for (int i = 0; i < 20; i++)
        assert_true(writes[i].is_done && writes[i].status == STATUS_OK);
    assert_int_equal(sent(&world, 0, QUORUM_REPLICATE), 2);
    assert_int_equal(sent(&world, 1, QUORUM_REPLICATED), 1);
    world_deinit(&world);
}

static void test_nobody_acknowledges_before_it_is_durable(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world.nodes[1].store.sync_held = world.nodes[2].store.sync_held = true;
    world_write(&world, &write, 0, "k");
    world_run(&world, 100);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    assert_false(write.is_done);
    world.nodes[2].store.sync_held = false;
    world_run(&world, 2);
    assert_true(write.is_done);
    world_deinit(&world);
}

static void test_the_coordinator_counts_when_it_is_durable_there(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 2);
    world.nodes[0].store.sync_held = true;
    world_write(&world, &write, 0, "k");
    world_run(&world, 100);
    assert_false(write.is_done);
    world.nodes[0].store.sync_held = false;
    world_turn(&world);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_deinit(&world);
}

static void test_an_owner_that_is_down_is_told_missed(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 2);
    world_write(&world, &write, 0, "k");
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_true(world_told(&world, 0, 2, write.head));
    assert_false(world_told(&world, 0, 1, write.head));
    world_deinit(&world);
}

static void test_a_slow_owner_is_told_missed_after_a_while(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world.held[0][2] = true;
    world_write(&world, &write, 0, "k");
    world_run(&world, QUORUM_KEPT_MS - 10);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_false(world_told(&world, 0, 2, write.head));
    world_run(&world, 20);
    assert_true(world_told(&world, 0, 2, write.head));
    world.held[0][2] = false;
    world_run(&world, 10); /* its late answer is for nobody */
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_deinit(&world);
}

static void test_too_few_in_time(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 0);
    world_write(&world, &write, 0, "k");
    world_run(&world, WORLD_TIMEOUT_MS - 10);
    assert_false(write.is_done);
    world_run(&world, 20);
    assert_true(write.is_done);
    assert_int_equal(write.status, STATUS_ABSENT);
    assert_int_equal(write.write.reached, 1);
    assert_int_equal(write.write.needed, 2);
    assert_true(world_told(&world, 0, 1, write.head) && world_told(&world, 0, 2, write.head));
    world_deinit(&world);
}

static void test_a_link_that_broke_is_sent_on_again(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    write.write.consistency.write = QUORUM_ALL;
    world_write(&world, &write, 0, "k");
    world_turn(&world);
    world_reset_link(&world, 0, 1);
    world_run(&world, QUORUM_RETRY_MS / 2);
    assert_false(write.is_done);
    world_run(&world, QUORUM_RETRY_MS);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_deinit(&world);
}

static void test_another_node_stands_in_for_one_that_is_down(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 4, 1);
    world_owners(&world, "k", owners);
    unsigned stranger = world_stranger(&world, "k");
    world_isolate(&world, owners[1]);
    write.write.consistency.write = QUORUM_ALL;
    world_write(&world, &write, owners[0], "k");
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_true(world_has(&world, stranger, write.head, write.dot));
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    assert_true(world_told(&world, owners[0], owners[1], write.head));
    assert_false(world_told(&world, owners[0], stranger, write.head));
    assert_int_equal(world.nodes[stranger].other_coordinators, 0);
    world_deinit(&world);
}

static void test_strict_quorums_have_no_stand_ins(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 4, 1);
    world_owners(&world, "k", owners);
    quorum_set_numbers(world.nodes[owners[0]].quorum, 2, 3, false);
    world_isolate(&world, owners[1]);
    world_write(&world, &write, owners[0], "k");
    world_run(&world, WORLD_TIMEOUT_MS + 5);
    assert_true(write.is_done && write.status == STATUS_ABSENT);
    assert_int_equal(world_count(&world, write.head, write.dot), 2);
    world_deinit(&world);
}

static void test_another_node_stands_in_for_a_slow_one(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 4, 1);
    world_owners(&world, "k", owners);
    world.held[owners[0]][owners[2]] = true;
    write.write.consistency.write = QUORUM_ALL;
    world_write(&world, &write, owners[0], "k");
    world_run(&world, QUORUM_SPECULATE_MS - 2);
    assert_false(write.is_done);
    world_run(&world, 6);
    assert_true(write.is_done && write.status == STATUS_OK);
    struct quorum_stats stats;
    quorum_stats(world.nodes[owners[0]].quorum, &stats);
    assert_int_equal(stats.speculated, 1);
    assert_int_equal(stats.hinted, 1);
    world.held[owners[0]][owners[2]] = false;
    world_run(&world, 3000); /* it came after all: it has not missed anything */
    assert_false(world_told(&world, owners[0], owners[2], write.head));
    world_deinit(&world);
}

static void test_a_link_lost_on_the_way_brings_a_stand_in_at_once(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 4, 1);
    world_owners(&world, "k", owners);
    write.write.consistency.write = QUORUM_ALL;
    world_write(&world, &write, owners[0], "k");
    world_turn(&world);
    world_cut(&world, owners[0], owners[1]);
    world_run(&world, 3);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_deinit(&world);
}

static void test_a_write_to_many_slots_waits_for_each(void **state)
{
    const char *keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 5, 1);
    write.write.consistency.write = QUORUM_ALL;
    world_write_many(&world, &write, 0, keys, 8);
    world_run(&world, 5);
    assert_true(write.is_done && write.status == STATUS_OK);
    for (int i = 0; i < 8; i++) {
        unsigned owners[RING_COPIES_MAX];
        world_owners(&world, keys[i], owners);
        for (int j = 0; j < 3; j++)
            assert_true(
                fake_rows_get(&world.nodes[owners[j]].store, world_head(&world, keys[i])).size > 0);
    }
    world_deinit(&world);
}

static void test_who_cannot_store_it_does_not_count(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world.nodes[1].store.fails = world.nodes[2].store.fails = true;
    world_write(&world, &write, 0, "k");
    world_run(&world, 50);
    assert_false(write.is_done);
    world.nodes[2].store.fails = false;
    world_run(&world, QUORUM_RETRY_MS + 5);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_run(&world, 3000);
    assert_true(world_told(&world, 0, 1, write.head));
    assert_false(world_told(&world, 0, 2, write.head));
    world_deinit(&world);
}

static void test_how_many_owners_have_all_that_was_written(void **state)
{
    struct world world;
    struct world_write writes[3] = {0};
    struct quorum_mark mark, other;
    unsigned most;
    (void)state;
    world_init(&world, 3, 1);
    struct quorum *quorum = world.nodes[0].quorum;
    quorum_mark_init(&mark);
    quorum_mark_init(&other);
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), QUORUM_MARK_ALL);
    world.held[0][2] = true;
    writes[0].write.mark = writes[1].write.mark = &mark;
    world_write(&world, &writes[0], 0, "a");
    world_write(&world, &writes[1], 0, "b");
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), 0);
    assert_int_equal(most, 2);
    world_run(&world, 10);
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), 1);
    assert_int_equal(most, 2);
    quorum_set_layout(quorum, &world.layout, world.now_ms);
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), 1);
    world.held[0][2] = false;
    world_run(&world, 10);
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), 2);
    world_cut(&world, 0, 2); /* it misses one: for good, as far as this is concerned */
    writes[2].write.mark = &mark;
    world_write(&world, &writes[2], 0, "c");
    world_run(&world, 10);
    world_heal(&world, 0, 2);
    world_run(&world, 10);
    assert_int_equal(quorum_mark_count(quorum, &mark, &most), 1);
    assert_int_equal(most, 1);
    assert_int_equal(quorum_mark_count(quorum, &other, &most), QUORUM_MARK_ALL);
    quorum_mark_deinit(&mark);
    quorum_mark_deinit(&other);
    world_deinit(&world);
}

static void test_a_forgotten_write_goes_on(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_write(&world, &write, 0, "k");
    quorum_write_forget(world.nodes[0].quorum, &write.write);
    world_run(&world, 5);
    assert_false(write.is_done);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_deinit(&world);
}

/* ---- reads ----------------------------------------------------------------------------------- */

static enum status verify(struct world *world, unsigned node, const char *key, bool writes,
                          uint64_t ms)
{
    struct world_verify verify;
    world_verify(world, &verify, node, &key, 1, writes);
    world_run(world, ms);
    assert_true(verify.is_done);
    world_verify_deinit(&verify);
    return verify.status;
}

static void test_equal_copies_need_one_answer(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_write(&world, &write, 0, "k");
    world_run(&world, 5);
    assert_int_equal(verify(&world, 0, "k", false, 3), STATUS_OK);
    assert_int_equal(verify(&world, 0, "none", false, 3), STATUS_OK);
    assert_int_equal(sent(&world, 0, QUORUM_VERIFY), 2);
    assert_int_equal(sent(&world, 0, QUORUM_KEY_ROWS), 0);
    assert_int_equal(sent(&world, 0, QUORUM_REPLICATE), 2);
    world_deinit(&world);
}

static void test_questions_of_a_turn_share_one_message(void **state)
{
    struct world world;
    struct world_verify reads[20];
    (void)state;
    world_init(&world, 3, 1);
    for (int broken = 0; broken < 2; broken++) {
        world.cut[0][2] = broken; /* nobody has said so yet; it is not known to be slower */
        for (int i = 0; i < 20; i++) {
            char key[16];
            snprintf(key, sizeof(key), "key%d", i);
            world_verify(&world, &reads[i], 0, (const char *[]){key}, 1, false);
        }
        world_run(&world, 3);
        for (int i = 0; i < 20; i++) {
            assert_true(reads[i].is_done && reads[i].status == STATUS_OK);
            world_verify_deinit(&reads[i]);
        }
        assert_int_equal(sent(&world, 0, QUORUM_VERIFY), broken ? 3 : 1);
        assert_int_equal(sent(&world, 1, QUORUM_VERIFIED), 1 + broken);
    }
    world_deinit(&world);
}

static void test_a_write_under_way_is_no_difference(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_write(&world, &write, 0, "k");
    assert_int_equal(verify(&world, 0, "k", false, 4), STATUS_OK);
    struct quorum_stats stats;
    quorum_stats(world.nodes[0].quorum, &stats);
    assert_int_equal(stats.differences, 0);
    world_deinit(&world);
}

static void test_what_differs_is_fetched_merged_and_repaired(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, 3, 1);
    struct bytes head = world_head(&world, "k");
    struct dot mine = world_put(&world, 0, "k", "a");
    struct dot other = world_put(&world, 1, "k", "b");
    world_cut(&world, 0, 2);
    assert_int_equal(verify(&world, 0, "k", false, 8), STATUS_OK);
    for (unsigned i = 0; i < 2; i++)
        assert_true(world_has(&world, i, head, mine) && world_has(&world, i, head, other));
    struct quorum_stats stats;
    quorum_stats(world.nodes[0].quorum, &stats);
    assert_int_equal(stats.differences, 1);
    assert_int_equal(stats.repairs, 1);
    world_deinit(&world);
}

static void test_what_this_node_lacks_is_fetched_only(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, 3, 1);
    struct dot other = world_put(&world, 1, "k", "b");
    world_cut(&world, 0, 2);
    assert_int_equal(verify(&world, 0, "k", false, 8), STATUS_OK);
    assert_true(world_has(&world, 0, world_head(&world, "k"), other));
    assert_int_equal(sent(&world, 0, QUORUM_REPLICATE), 0);
    world_deinit(&world);
}

/* Who is asked for rows first can't give them. */
static void fail_the_first(void *context, unsigned from, unsigned to, unsigned type,
                           struct bytes payload)
{
    struct world *world = context;
    (void)from;
    (void)payload;
    if (type != QUORUM_KEY_ROWS)
        return;
    world->nodes[to].store.fails = true;
    world->tap = NULL;
}

static void test_what_one_could_not_give_is_fetched_from_another(void **state)
{
    struct world world;
    const char *key = "k";
    struct world_verify read;
    (void)state;
    world_init(&world, 3, 1);
    struct bytes head = world_head(&world, key);
    struct dot dot = world_put(&world, 1, key, "b");
    struct bytes row = fake_rows_get(&world.nodes[1].store, head);
    assert_int_equal(fake_rows_put(&world.nodes[2].store, head, row), STATUS_OK);
    world.nodes[0].store.waits = true; /* so long that both others have answered */
    world.held[1][0] = world.held[2][0] = true;
    world_verify(&world, &read, 0, &key, 1, false);
    world_run(&world, 2 * QUORUM_SPECULATE_MS);
    world.held[1][0] = world.held[2][0] = false;
    world_run(&world, 2);
    world.nodes[0].store.waits = false;
    world.tap = fail_the_first;
    world.tap_context = &world;
    fake_rows_go_on(&world.nodes[0].store);
    world_run(&world, 20);
    assert_null(world.tap);
    assert_true(read.is_done && read.status == STATUS_OK);
    assert_true(world_has(&world, 0, head, dot));
    world_verify_deinit(&read);
    world_deinit(&world);
}

static void test_long_keys_come_page_by_page(void **state)
{
    struct world world;
    char key[16];
    const char *keys[20];
    static char names[20][16];
    (void)state;
    world_init(&world, 3, 1);
    world_cut(&world, 0, 2);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(key), "key%u", i);
        keys[i] = names[i];
        world_put(&world, i % 2, keys[i], "value");
    }
    world.nodes[0].store.most = world.nodes[1].store.most = 100;
    struct world_verify verify;
    world_verify(&world, &verify, 0, keys, 20, false);
    world_run(&world, 60);
    assert_true(verify.is_done && verify.status == STATUS_OK);
    assert_true(sent(&world, 0, QUORUM_KEY_ROWS) > 3);
    assert_true(sent(&world, 0, QUORUM_REPLICATE) > 3);
    for (unsigned i = 0; i < 20; i++) {
        struct bytes head = world_head(&world, keys[i]);
        assert_true(bytes_equal(fake_rows_get(&world.nodes[0].store, head),
                                fake_rows_get(&world.nodes[1].store, head)));
    }
    world_verify_deinit(&verify);
    world_deinit(&world);
}

/* As long as pages come, all of them together may take longer than any one answer. */
static void test_many_pages_have_their_time(void **state)
{
    struct world world;
    static char names[40][16];
    const char *keys[40];
    (void)state;
    world_init(&world, 3, 1);
    world_cut(&world, 0, 2);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "key%u", i);
        keys[i] = names[i];
        world_put(&world, 1, keys[i], "value");
    }
    world.nodes[1].store.most = 100;
    world.nodes[1].store.waits = true;
    struct world_verify verify;
    world_verify(&world, &verify, 0, keys, 40, false);
    uint64_t begun_ms = world.now_ms;
    while (!verify.is_done && world.now_ms < begun_ms + 10 * WORLD_TIMEOUT_MS) {
        world_run(&world, WORLD_TIMEOUT_MS / 10);
        fake_rows_go_on_once(&world.nodes[1].store);
    }
    assert_true(verify.is_done && verify.status == STATUS_OK);
    assert_true(world.now_ms > begun_ms + WORLD_TIMEOUT_MS);
    world_verify_deinit(&verify);
    world_deinit(&world);
}

static void test_too_few_to_ask(void **state)
{
    struct world world;
    struct world_verify verify;
    const char *key = "k";
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 0);
    world_verify(&world, &verify, 0, &key, 1, false);
    world_run(&world, WORLD_TIMEOUT_MS - 10);
    assert_false(verify.is_done);
    world_run(&world, 20);
    assert_true(verify.is_done);
    assert_int_equal(verify.status, STATUS_ABSENT);
    assert_int_equal(verify.verify.reached, 1);
    assert_int_equal(verify.verify.needed, 2);
    world_verify_deinit(&verify);
    world_deinit(&world);
}

static void test_another_is_asked_where_one_is_slow_or_gone(void **state)
{
    struct world world;
    struct world_verify verify;
    const char *key = "k";
    (void)state;
    world_init(&world, 3, 1);
    world.held[0][1] = true; /* equally quick as far as known: it is asked first */
    world_verify(&world, &verify, 0, &key, 1, false);
    world_run(&world, QUORUM_SPECULATE_MS + 5);
    assert_true(verify.is_done && verify.status == STATUS_OK);
    world_verify_deinit(&verify);
    world_verify(&world, &verify, 0, &key, 1, false);
    world_turn(&world);
    world_cut(&world, 0, 1);
    world_run(&world, 3);
    assert_true(verify.is_done && verify.status == STATUS_OK);
    world_verify_deinit(&verify);
    world_deinit(&world);
}

static void test_a_cold_store_is_waited_for(void **state)
{
    struct world world;
    struct world_verify verify;
    const char *key = "k";
    (void)state;
    world_init(&world, 3, 1);
    struct dot dot = world_put(&world, 1, "k", "b");
    world_cut(&world, 0, 2);
    world.nodes[0].store.waits = world.nodes[1].store.waits = true;
    world_verify(&world, &verify, 0, &key, 1, false);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(verify.is_done,
                         world_has(&world, 0, world_head(&world, "k"), dot) && verify.is_done);
        world_turn(&world);
        fake_rows_go_on(&world.nodes[i % 2].store);
    }
    assert_true(verify.is_done && verify.status == STATUS_OK);
    assert_true(world_has(&world, 0, world_head(&world, "k"), dot));
    world_verify_deinit(&verify);
    world.nodes[0].store.fails = true;
    world_verify(&world, &verify, 0, &key, 1, false);
    world_turn(&world);
    fake_rows_go_on(&world.nodes[0].store);
    world_turn(&world);
    assert_true(verify.is_done);
    assert_int_equal(verify.status, STATUS_IO);
    world_verify_deinit(&verify);
    world_deinit(&world);
}

static void test_a_cancelled_verification_is_silent(void **state)
{
    struct world world;
    struct world_verify verify;
    const char *key = "k";
    (void)state;
    for (unsigned turns = 0; turns < 6; turns++) {
        world_init(&world, 3, 1);
        world_put(&world, 0, "k", "a");
        world_put(&world, 1, "k", "b");
        world_verify(&world, &verify, 0, &key, 1, false);
        world_run(&world, turns);
        quorum_verify_cancel(world.nodes[0].quorum, &verify.verify);
        assert_false(verify.is_done);
        world_run(&world, 20);
        assert_false(verify.is_done);
        world_verify_deinit(&verify);
        world_deinit(&world);
    }
}

/* ---- where and how many ---------------------------------------------------------------------- */

static void test_the_first_owner_that_is_up_coordinates(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    uint64_t node = 0;
    (void)state;
    world_init(&world, 5, 1);
    world_owners(&world, "k", owners);
    uint16_t slot = slot_of_key(BYTES("k"));
    struct quorum *quorum = world.nodes[world_stranger(&world, "k")].quorum;
    assert_false(quorum_may_coordinate(quorum, slot));
    struct gossip *gossip = &world.nodes[world_stranger(&world, "k")].gossip;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(quorum_route(quorum, slot, &node), QUORUM_THERE);
        assert_int_equal(node, world.nodes[owners[i]].node);
        fake_gossip_set(gossip, node, false);
    }
    assert_int_equal(quorum_route(quorum, slot, &node), QUORUM_NOWHERE);
    assert_int_equal(quorum_route(world.nodes[owners[0]].quorum, slot, &node), QUORUM_HERE);
    assert_int_equal(quorum_route(world.nodes[owners[1]].quorum, slot, &node), QUORUM_THERE);
    assert_true(quorum_may_coordinate(world.nodes[owners[1]].quorum, slot));
    world_deinit(&world);
}

static void test_how_many_are_to_be_asked(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, 3, 1);
    struct quorum *quorum = world.nodes[0].quorum;
    struct consistency as_configured = {0, 0}, one = {1, 0}, all = {QUORUM_ALL, 0};
    assert_int_equal(quorum_others_to_ask(quorum, 5, as_configured, false, 0), 1);
    assert_int_equal(quorum_others_to_ask(quorum, 5, one, false, 0), 0);
    assert_int_equal(quorum_others_to_ask(quorum, 5, all, false, 0), 2);
    assert_int_equal(quorum_others_to_ask(quorum, 5, one, true, 0), 0);
    world.nodes[0].agreed = false; /* rule 8: N - W + 1 = 2 */
    assert_int_equal(quorum_others_to_ask(quorum, 5, one, false, 0), 0);
    assert_int_equal(quorum_others_to_ask(quorum, 5, one, true, 0), 1);
    quorum_set_numbers(quorum, 1, 1, true);
    assert_int_equal(quorum_others_to_ask(quorum, 5, as_configured, true, 0), 2);
    quorum_set_numbers(quorum, 1, QUORUM_ALL, true); /* a stand-in may have been one of them */
    assert_int_equal(quorum_others_to_ask(quorum, 5, as_configured, true, 0), 1);
    quorum_set_numbers(quorum, QUORUM_MAJORITY, QUORUM_MAJORITY, true);
    assert_int_equal(quorum_others_to_ask(quorum, 5, as_configured, false, 0), 1);
    world_deinit(&world);
}

static void test_another_coordinator_is_noticed(void **state)
{
    struct world world;
    struct world_write write = {0};
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 3, 1);
    world_owners(&world, "k", owners);
    world_write(&world, &write, owners[0], "k");
    world_run(&world, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world.nodes[i].other_coordinators, 0);
    world_write(&world, &write, owners[1], "k");
    world_run(&world, 4);
    assert_int_equal(world.nodes[owners[0]].other_coordinators, 1);
    assert_int_equal(world.nodes[owners[1]].other_coordinators, 0);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_is_done_when_w_owners_have_it),
        cmocka_unit_test(test_writes_of_a_turn_share_one_message_for_each_owner),
        cmocka_unit_test(test_nobody_acknowledges_before_it_is_durable),
        cmocka_unit_test(test_the_coordinator_counts_when_it_is_durable_there),
        cmocka_unit_test(test_an_owner_that_is_down_is_told_missed),
        cmocka_unit_test(test_a_slow_owner_is_told_missed_after_a_while),
        cmocka_unit_test(test_too_few_in_time),
        cmocka_unit_test(test_a_link_that_broke_is_sent_on_again),
        cmocka_unit_test(test_another_node_stands_in_for_one_that_is_down),
        cmocka_unit_test(test_strict_quorums_have_no_stand_ins),
        cmocka_unit_test(test_another_node_stands_in_for_a_slow_one),
        cmocka_unit_test(test_a_link_lost_on_the_way_brings_a_stand_in_at_once),
        cmocka_unit_test(test_a_write_to_many_slots_waits_for_each),
        cmocka_unit_test(test_who_cannot_store_it_does_not_count),
        cmocka_unit_test(test_how_many_owners_have_all_that_was_written),
        cmocka_unit_test(test_a_forgotten_write_goes_on),
        cmocka_unit_test(test_equal_copies_need_one_answer),
        cmocka_unit_test(test_questions_of_a_turn_share_one_message),
        cmocka_unit_test(test_a_write_under_way_is_no_difference),
        cmocka_unit_test(test_what_differs_is_fetched_merged_and_repaired),
        cmocka_unit_test(test_what_this_node_lacks_is_fetched_only),
        cmocka_unit_test(test_what_one_could_not_give_is_fetched_from_another),
        cmocka_unit_test(test_long_keys_come_page_by_page),
        cmocka_unit_test(test_many_pages_have_their_time),
        cmocka_unit_test(test_too_few_to_ask),
        cmocka_unit_test(test_another_is_asked_where_one_is_slow_or_gone),
        cmocka_unit_test(test_a_cold_store_is_waited_for),
        cmocka_unit_test(test_a_cancelled_verification_is_silent),
        cmocka_unit_test(test_the_first_owner_that_is_up_coordinates),
        cmocka_unit_test(test_how_many_are_to_be_asked),
        cmocka_unit_test(test_another_coordinator_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
