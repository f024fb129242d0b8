/* SPDX-License-Identifier: MIT */
/* Long strings, what barriers wait for, and layouts that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/quorum_world.h"
#include "quorum/quorum_codec.h"
#include "row/chunked.h"
#include "row/row.h"

static unsigned sent(struct world *world, unsigned node, enum quorum_message type)
{
    return world->nodes[node].sent[type - MESSAGES_QUORUM];
}

/* ---- long strings ---------------------------------------------------------------------------- */

enum { LONG_MESSAGES = 5, CHUNKS = LONG_MESSAGES * QUORUM_MESSAGE_BYTES / (64 * 1024) };

/* A long string: its chunks in many messages, its head after them. */
static void write_long(struct world *world, struct world_write *write, const char *key)
{
    static struct txn_row staged[CHUNKS + 1];
    static char piece[64 * 1024];
    struct txn txn = {.staged = staged, .staged_count = CHUNKS + 1};
    struct world_node *node = &world->nodes[0];
    write->head = world_head(world, key);
    write->dot = (struct dot){actor_of(node->node, 1), ++node->clock};
    for (unsigned i = 0; i <= CHUNKS; i++) {
        struct bytes value = i == 0 ? BYTES("head") : bytes_of(piece, sizeof(piece));
        staged[i].name =
            i == 0 ? write->head : row_key_chunk(&world->arena, write->head, write->dot, i);
        staged[i].row =
            row_encode_common(&world->arena, write->dot, VALUE_STRING, value, EXPIRY_NEVER);
        assert_int_equal(fake_rows_put(&node->store, staged[i].name, staged[i].row), STATUS_OK);
    }
    txn.gate = node->store.position;
    world_write_init(write, 0);
    quorum_write(node->quorum, &txn, &write->write, world->now_ms);
}

static void test_a_long_write_ends_with_its_head(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    write_long(&world, &write, "long");
    world.nodes[1].store.waits = true;
    world_run(&world, 3);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_true(sent(&world, 0, QUORUM_REPLICATE) >= 2 * LONG_MESSAGES);
    assert_int_equal(world.nodes[2].store.count, CHUNKS + 1);
    assert_true(bytes_equal(world.nodes[2].store.rows[CHUNKS].name, write.head));
    world_cut(&world, 0, 1); /* what the other lacks is the key, once */
    world_run(&world, 5);
    assert_true(world_told(&world, 0, 1, write.head));
    assert_int_equal(buffer_size(&world.nodes[0].missed), 8 + 8 + write.head.size);
    world_deinit(&world);
}

static void test_a_long_write_has_longer_time(void **state)
{
    struct world world;
    struct world_write write = {0}, other = {0};
    (void)state;
    world_init(&world, 3, 1);
    world.nodes[1].store.waits = world.nodes[2].store.waits = true;
    write_long(&world, &write, "long");
    world_turn(&world);
    world_write(&world, &other, 0, "short");
    world_run(&world, WORLD_TIMEOUT_MS + 2 * QUORUM_MESSAGE_MS);
    assert_true(other.is_done && other.status == STATUS_ABSENT);
    assert_false(write.is_done);
    world_run(&world, LONG_MESSAGES * QUORUM_MESSAGE_MS);
    assert_true(write.is_done && write.status == STATUS_ABSENT);
    world_deinit(&world);
}

static void test_one_message_of_many_is_not_all(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 2);
    world.nodes[1].store.waits = true;
    write_long(&world, &write, "long");
    world_run(&world, 3);
    fake_rows_go_on_once(&world.nodes[1].store);
    world_turn(&world);
    world_repeat(&world, 1, 0, 3 * LONG_MESSAGES); /* said again and again, it is one still */
    world_run(&world, 5);
    assert_false(write.is_done);
    fake_rows_go_on(&world.nodes[1].store);
    world_run(&world, 3);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_deinit(&world);
}

/* Writes to a long string that was there before: a chunk, and the head, which stands on what the
 * coordinator's was. */
static void write_onto(struct world *world, struct world_write *write, const char *key,
                       struct dot base, uint32_t chunk)
{
    struct world_node *node = &world->nodes[0];
    struct txn_row staged[2];
    struct txn txn = {.staged = staged, .staged_count = 2, .arena = &world->arena};
    memset(staged, 0, sizeof(staged));
    write->head = world_head(world, key);
    write->dot = (struct dot){actor_of(node->node, 1), ++node->clock};
    if (base.time == 0)
        base = write->dot;
    staged[0].name = row_key_chunk(&world->arena, write->head, base, chunk);
    staged[1].name = write->head;
    for (int i = 0; i < 2; i++) {
        struct bytes value =
            i == 0 ? BYTES("chunk") : chunked_pack(&world->arena, (struct chunked){base, 9999});
        enum value_form form = i == 0 ? VALUE_CHUNK : VALUE_CHUNKED;
        staged[i].row = row_encode_common(&world->arena, write->dot, form, value, EXPIRY_NEVER);
        if (i == 1)
            staged[i].ground = arena_copy(&world->arena, fake_rows_get(&node->store, write->head));
        assert_int_equal(fake_rows_put(&node->store, staged[i].name, staged[i].row), STATUS_OK);
    }
    txn.gate = node->store.position;
    world_write_init(write, 0);
    quorum_write(node->quorum, &txn, &write->write, world->now_ms);
}

static void test_a_head_does_not_come_where_earlier_chunks_are_missing(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    world_cut(&world, 0, 2);
    write_onto(&world, &write, "long", (struct dot){0, 0}, 0);
    world_run(&world, 10);
    assert_true(write.is_done && write.status == STATUS_OK);
    struct dot base = write.dot;
    world_heal(&world, 0, 2); /* it has missed the first chunk */
    for (unsigned layout = 0; layout < 2; layout++) {
        for (uint32_t chunk = 1; chunk <= 2; chunk++) {
            write_onto(&world, &write, "long", base, chunk);
            if (layout == 1) { /* and is asked again */
                world_turn(&world);
                quorum_set_layout(world.nodes[0].quorum, &world.layout, world.now_ms);
            }
            world_run(&world, 10);
            assert_true(write.is_done && write.status == STATUS_OK);
            assert_true(world_has(&world, 1, write.head, write.dot));
            assert_int_equal(fake_rows_get(&world.nodes[2].store, write.head).size, 0);
            struct bytes name = row_key_chunk(&world.arena, write.head, base, chunk);
            assert_true(fake_rows_get(&world.nodes[2].store, name).size > 0);
        }
        world_run(&world, QUORUM_KEPT_MS + 10);
    }
    assert_true(world_told(&world, 0, 2, write.head));
    struct world_write anew = {0}; /* all is in it; and what follows comes with it */
    write_onto(&world, &anew, "long", (struct dot){0, 0}, 0);
    write_onto(&world, &write, "long", anew.dot, 1);
    world_run(&world, 10);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_deinit(&world);
}

/* ---- what barriers wait for ------------------------------------------------------------------ */

static void test_a_barrier_waits_for_what_is_kept_for_an_owner(void **state)
{
    struct world world;
    struct world_write write = {0}, later = {0};
    (void)state;
    world_init(&world, 3, 1);
    struct quorum *quorum = world.nodes[0].quorum;
    assert_true(quorum_work_ended(quorum, quorum_work_begun(quorum)));
    world.held[0][2] = true;
    world_write(&world, &write, 0, "k");
    uint64_t mark = quorum_work_begun(quorum);
    assert_false(quorum_work_ended(quorum, mark)); /* it has not been sent */
    world_run(&world, 10);
    assert_true(write.is_done);
    assert_false(quorum_work_ended(quorum, mark)); /* it may be sent again */
    world.held[0][2] = false;
    world.held[0][1] = true;
    world_write(&world, &later, 0, "k2");
    world_run(&world, 10);
    assert_true(quorum_work_ended(quorum, mark));
    assert_false(quorum_work_ended(quorum, quorum_work_begun(quorum)));
    world_run(&world, QUORUM_KEPT_MS + 10);
    assert_true(quorum_work_ended(quorum, quorum_work_begun(quorum)));
    world_deinit(&world);
}

static void test_a_barrier_waits_for_repairs(void **state)
{
    struct world world;
    struct world_verify read;
    const char *key = "k";
    (void)state;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        world_init(&world, 3, 1);
        struct quorum *quorum = world.nodes[0].quorum;
        world_cut(&world, 0, 2);
        world_put(&world, 0, "k", "a");
        world_put(&world, 1, "k", "b");
        world.nodes[0].store.waits = true;
        world_verify(&world, &read, 0, &key, 1, false);
        while (sent(&world, 1, QUORUM_KEY_ROWS_ARE) == 0) {
            world_turn(&world);
            if (sent(&world, 1, QUORUM_KEY_ROWS_ARE) == 0)
                fake_rows_go_on(&world.nodes[0].store);
        }
        uint64_t mark = quorum_work_begun(quorum);
        world_turn(&world);
        assert_false(quorum_work_ended(quorum, mark)); /* fetched, and not stored */
        world.held[0][1] = true;
        world.nodes[0].store.waits = false;
        fake_rows_go_on(&world.nodes[0].store);
        world_turn(&world); /* and now they are on their way to the other */
        assert_int_equal(sent(&world, 0, QUORUM_REPLICATE), 1);
        assert_false(quorum_work_ended(quorum, mark));
        if (cancelled)
            quorum_verify_cancel(quorum, &read.verify);
        assert_false(quorum_work_ended(quorum, mark)); /* whoever waits for it */
        world.held[0][1] = false;
        world_run(&world, 4);
        assert_int_equal(read.is_done, !cancelled);
        assert_true(quorum_work_ended(quorum, mark));
        world_verify_deinit(&read);
        world_deinit(&world);
    }
}

/* ---- layouts --------------------------------------------------------------------------------- */

static void test_a_node_of_another_layout_refuses(void **state)
{
    struct world world;
    struct world_write write = {0};
    (void)state;
    world_init(&world, 3, 1);
    struct layout newer;
    layout_copy(&world.layout, &newer);
    newer.version += 2;
    quorum_set_layout(world.nodes[1].quorum, &newer, world.now_ms);
    world_write(&world, &write, 0, "k");
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_int_equal(world_count(&world, write.head, write.dot), 2);
    assert_true(world.nodes[0].other_layouts > 0 && world.nodes[1].other_layouts > 0);
    assert_true(world_told(&world, 0, 1, write.head));
    newer.version = world.layout.version + 1; /* a neighbour takes part */
    world_write(&world, &write, 0, "k2");
    world_run(&world, 4);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    world_deinit(&world);
    layout_deinit(&newer);
}

/* The next layout after the world's: the last member goes. */
static void begin_change(struct world *world, struct layout *both)
{
    struct ring_member members[WORLD_NODES_MAX];
    unsigned count = world->layout.ring.member_count - 1;
    memcpy(members, world->layout.ring.members, count * sizeof(*members));
    layout_step(&world->layout, members, count, both);
}

/* The next key of a slot that moves in that layout, or stays. */
static const char *find_key(const struct layout *both, bool moves)
{
    static char key[16];
    static int number;
    struct placement placement;
    do {
        snprintf(key, sizeof(key), "key%d", number++);
        layout_placement(both, slot_of_key(bytes_text(key)), &placement);
    } while (placement_moves(&placement) != moves);
    return key;
}

static void test_while_slots_move_w_of_both_are_needed(void **state)
{
    struct world world;
    struct world_write write = {0};
    struct layout both;
    (void)state;
    world_init(&world, 5, 1);
    begin_change(&world, &both);
    for (int i = 0; i < 5; i++) {
        const char *key = find_key(&both, true);
        unsigned owners[RING_COPIES_MAX];
        struct placement placement;
        world_owners(&world, key, owners);
        layout_placement(&both, slot_of_key(bytes_text(key)), &placement);
        world_write(&world, &write, owners[0], key); /* under way when the layout comes */
        world_turn(&world);
        for (unsigned j = 0; j < 5; j++)
            quorum_set_layout(world.nodes[j].quorum, &both, world.now_ms);
        world_run(&world, 10 + QUORUM_RETRY_MS);
        assert_true(write.is_done && write.status == STATUS_OK);
        for (unsigned j = 0; j < 5; j++) {
            assert_int_equal(world_has(&world, j, write.head, write.dot),
                             placement_is_owner(&placement, world.nodes[j].node));
            quorum_set_layout(world.nodes[j].quorum, &world.layout, world.now_ms);
        }
    }
    world_deinit(&world);
    layout_deinit(&both);
}

/* A write that was told -UNKNOWN has left it with old owners. Those who are read from next have to
 * know what a read has shown. */
static void test_while_slots_move_a_read_brings_what_it_shows_to_both(void **state)
{
    struct world world;
    struct layout both;
    (void)state;
    world_init(&world, 5, 1);
    begin_change(&world, &both);
    for (unsigned i = 0; i < 5; i++) {
        quorum_set_layout(world.nodes[i].quorum, &both, world.now_ms);
        quorum_set_numbers(world.nodes[i].quorum, 2, 2, false);
    }
    for (int i = 0; i < 10; i++) {
        const char *key = find_key(&both, true);
        unsigned owners[RING_COPIES_MAX], have = 0;
        struct placement placement;
        struct world_verify read;
        world_owners(&world, key, owners);
        layout_placement(&both, slot_of_key(bytes_text(key)), &placement);
        struct dot dot = world_put(&world, owners[0], key, "v");
        struct bytes row = fake_rows_get(&world.nodes[owners[0]].store, world_head(&world, key));
        unsigned other = owners[0] == 4 ? owners[1] : 4; /* 4 is the one that goes */
        assert_int_equal(fake_rows_put(&world.nodes[other].store, world_head(&world, key), row), 0);
        world_verify(&world, &read, owners[0], &key, 1, false);
        world_run(&world, WORLD_TIMEOUT_MS);
        assert_true(read.is_done && read.status == STATUS_OK);
        for (unsigned j = 0; j < 5; j++)
            for (unsigned k = 0; k < placement.new_count; k++)
                have += placement.new[k] ==
                        world.nodes[j].node &&world_has(&world, j, world_head(&world, key), dot);
        assert_true(have >= 2);
        world_verify_deinit(&read);
    }
    world_deinit(&world);
    layout_deinit(&both);
}

/* All but the coordinator know that slots move. */
static void know_change(struct world *world, const struct layout *both, unsigned coordinator)
{
    for (unsigned i = 0; i < world->count; i++)
        if (i != coordinator)
            quorum_set_layout(world->nodes[i].quorum, both, world->now_ms);
}

static void test_where_slots_move_writes_of_the_layout_before_are_refused(void **state)
{
    struct world world;
    struct world_write write = {0}, other = {0};
    struct layout both;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 5, 1);
    begin_change(&world, &both);
    const char *key = find_key(&both, true);
    world_owners(&world, key, owners);
    know_change(&world, &both, owners[0]);
    world_write(&world, &write, owners[0], key);
    world_run(&world, 2 * QUORUM_RETRY_MS);
    assert_false(write.is_done);
    assert_int_equal(world_count(&world, write.head, write.dot), 1);
    assert_true(world.nodes[owners[0]].other_layouts > 0);
    quorum_set_layout(world.nodes[owners[0]].quorum, &both, world.now_ms);
    world_run(&world, 10); /* who has it now knows that it is to be with the new owners too */
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_true(world_count(&world, write.head, write.dot) >= 3);

    key = find_key(&both, false);
    world_owners(&world, key, owners);
    for (unsigned i = 0; i < 5; i++)
        quorum_set_layout(world.nodes[i].quorum, &both, world.now_ms);
    quorum_set_layout(world.nodes[owners[0]].quorum, &world.layout, world.now_ms);
    world_write(&world, &other, owners[0], key);
    world_run(&world, 10);
    assert_true(other.is_done && other.status == STATUS_OK);
    assert_int_equal(world_count(&world, other.head, other.dot), 3);
    world_deinit(&world);
    layout_deinit(&both);
}

static void test_one_slot_that_moves_has_the_whole_message_refused(void **state)
{
    struct world world;
    struct world_write writes[3] = {0};
    struct ring_member members[WORLD_NODES_MAX];
    struct layout both;
    (void)state;
    world_init(&world, 3, 1); /* each owns all; somebody comes */
    memcpy(members, world.layout.ring.members, 3 * sizeof(*members));
    members[3] = (struct ring_member){UINT64_C(1) << 40, 9, 9, RING_WEIGHT};
    layout_step(&world.layout, members, 4, &both);
    know_change(&world, &both, 0);
    world_write(&world, &writes[0], 0, find_key(&both, false));
    world_write(&world, &writes[1], 0, find_key(&both, true));
    world_run(&world, 2 * QUORUM_RETRY_MS);
    assert_int_equal(sent(&world, 1, QUORUM_REFUSED), sent(&world, 0, QUORUM_REPLICATE) / 2);
    assert_false(writes[0].is_done || writes[1].is_done);
    world_write(&world, &writes[2], 0, find_key(&both, false));
    world_run(&world, 4);
    assert_true(writes[2].is_done && writes[2].status == STATUS_OK);
    world_deinit(&world);
    layout_deinit(&both);
}

static void test_where_slots_move_questions_of_the_layout_before_are_refused(void **state)
{
    struct world world;
    struct world_verify read;
    struct layout both;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 5, 1);
    begin_change(&world, &both);
    for (int moves = 0; moves < 2; moves++) {
        const char *key = find_key(&both, moves == 1);
        world_owners(&world, key, owners);
        know_change(&world, &both, owners[0]);
        quorum_set_layout(world.nodes[owners[0]].quorum, &world.layout, world.now_ms);
        world_verify(&world, &read, owners[0], &key, 1, false);
        world_run(&world, 10);
        assert_int_equal(read.is_done, !moves);
        quorum_set_layout(world.nodes[owners[0]].quorum, &both, world.now_ms);
        world_run(&world, 10);
        assert_true(read.is_done && read.status == STATUS_OK);
        world_verify_deinit(&read);
    }
    world_deinit(&world);
    layout_deinit(&both);
}

static void test_what_is_stored_after_slots_move_is_not_acknowledged(void **state)
{
    struct world world;
    struct world_write write = {0};
    struct layout both;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 5, 1);
    begin_change(&world, &both);
    const char *key = find_key(&both, true);
    world_owners(&world, key, owners);
    for (unsigned i = 1; i < 3; i++)
        world.nodes[owners[i]].store.waits = true;
    quorum_set_numbers(world.nodes[owners[0]].quorum, 2, 2, false);
    world_write(&world, &write, owners[0], key);
    world_run(&world, 4); /* it is there, and waits for the store */
    know_change(&world, &both, owners[0]);
    for (unsigned i = 1; i < 3; i++)
        fake_rows_go_on(&world.nodes[owners[i]].store);
    world_run(&world, 4);
    assert_int_equal(world_count(&world, write.head, write.dot), 3);
    assert_false(write.is_done);
    for (unsigned i = 1; i < 3; i++)
        world.nodes[owners[i]].store.waits = false;
    quorum_set_layout(world.nodes[owners[0]].quorum, &both, world.now_ms);
    world_run(&world, 10);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_deinit(&world);
    layout_deinit(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_write_ends_with_its_head),
        cmocka_unit_test(test_a_long_write_has_longer_time),
        cmocka_unit_test(test_one_message_of_many_is_not_all),
        cmocka_unit_test(test_a_head_does_not_come_where_earlier_chunks_are_missing),
        cmocka_unit_test(test_a_barrier_waits_for_what_is_kept_for_an_owner),
        cmocka_unit_test(test_a_barrier_waits_for_repairs),
        cmocka_unit_test(test_a_node_of_another_layout_refuses),
        cmocka_unit_test(test_while_slots_move_w_of_both_are_needed),
        cmocka_unit_test(test_while_slots_move_a_read_brings_what_it_shows_to_both),
        cmocka_unit_test(test_where_slots_move_writes_of_the_layout_before_are_refused),
        cmocka_unit_test(test_one_slot_that_moves_has_the_whole_message_refused),
        cmocka_unit_test(test_where_slots_move_questions_of_the_layout_before_are_refused),
        cmocka_unit_test(test_what_is_stored_after_slots_move_is_not_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
