/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/xxh.h"
#include "support/agree_world.h"

enum { CLUSTER = AGREE_WORLD_CLUSTER, EVENTS = 300 };

/* ---- stories --------------------------------------------------------------------------------- */

static void test_a_node_alone_agrees_with_itself(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_new(1, 1);
    assert_null(agree_world_layout(world, 0));
    agree_world_found(world, 0, CLUSTER);
    assert_int_equal(agree_world_version(world, 0), 1);
    struct ring_member member = agree_node_member(0);
    struct layout next;
    member.weight = 2 * RING_WEIGHT;
    layout_step(agree_world_layout(world, 0), &member, 1, &next);
    agree_propose(world->nodes[0].agree, &next, world->now_ms);
    layout_deinit(&next);
    assert_int_equal(agree_world_version(world, 0), 2);
    assert_false(agree_is_proposing(world->nodes[0].agree));
    assert_int_equal(world->nodes[0].chosen, 2);
    agree_node_crash(&world->nodes[0]);
    agree_node_start(&world->nodes[0]);
    assert_int_equal(agree_world_version(world, 0), 2);
    assert_int_equal(agree_world_layout(world, 0)->phase, LAYOUT_WRITING_BOTH);
    agree_world_free(world);
}

static void test_nodes_are_taken_in_and_learn_so(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_new(5, 2);
    agree_world_found(world, 0, CLUSTER);
    agree_world_propose(world, 0, 0, 5);
    assert_int_equal(agree_world_version(world, 0), 2); /* it alone decides on that one */
    agree_world_run_ms(world, 200);
    agree_world_expect_all_at(world, 2);
    agree_world_propose(world, 3, 0, 0); /* but anybody may propose the next */
    agree_world_run_ms(world, 200);
    agree_world_expect_all_at(world, 3);
    for (unsigned i = 0; i < 5; i++)
        assert_false(agree_is_proposing(world->nodes[i].agree));
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], 4); /* to those without one */
    agree_world_free(world);
}

static void test_a_minority_decides_nothing(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(5, 3);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 2; j < 5; j++)
            world->cut[i][j] = world->cut[j][i] = true;
    agree_world_propose(world, 0, 0, 4);
    agree_world_run_ms(world, 5000);
    assert_int_equal(agree_world_version(world, 0), 4);
    assert_true(agree_is_proposing(world->nodes[0].agree));
    agree_world_propose(world, 4, 1, 5);
    agree_world_run_ms(world, 5000);
    assert_int_equal(agree_world_version(world, 4), 5);
    assert_int_equal(agree_world_version(world, 0), 4);
    memset(world->cut, 0, sizeof(world->cut));
    agree_world_run_ms(world, 5000); /* the minority learns of it; its own proposal is void */
    agree_world_expect_all_at(world, 5);
    assert_null(ring_member(&agree_world_layout(world, 0)->next, agree_node_number(0)));
    assert_false(agree_is_proposing(world->nodes[0].agree));
    agree_world_free(world);
}

static void test_a_proposal_that_nobody_answers_is_dropped(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 4);
    agree_node_crash(&world->nodes[1]);
    agree_node_crash(&world->nodes[2]);
    agree_world_propose(world, 0, 0, 2);
    agree_world_run_ms(world, 200000);
    assert_false(agree_is_proposing(world->nodes[0].agree));
    assert_true(agree_deadline_ms(world->nodes[0].agree) == UINT64_MAX);
    agree_world_free(world);
}

/* Accepted by a majority, but the proposer dies before it hears so: it is chosen all the same. */
static void test_what_a_majority_has_accepted_is_chosen(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 5);
    world->dropped = 1u << (AGREE_ACCEPTED - MESSAGES_AGREE);
    world->cut[0][1] = true;
    agree_world_propose(world, 0, 0, 2);
    agree_world_run_ms(world, 300);
    agree_world_expect_all_at(world, 4);
    agree_node_crash(&world->nodes[0]);
    agree_node_crash(&world->nodes[2]); /* what it has accepted it remembers */
    agree_node_start(&world->nodes[2]);
    world->dropped = 0;
    agree_world_propose(world, 1, 1, 3);
    agree_world_run_ms(world, 3000);
    assert_int_equal(agree_world_version(world, 1), 5);
    assert_non_null(ring_member(&agree_world_layout(world, 1)->next, agree_node_number(0)));
    assert_null(ring_member(&agree_world_layout(world, 1)->next, agree_node_number(2)));
    agree_node_start(&world->nodes[0]);
    agree_world_run_ms(world, 1000);
    agree_world_expect_all_at(world, 5);
    agree_world_free(world);
}

/* The only one that has accepted is away: another layout is chosen, and it learns that one. */
static void test_what_a_minority_has_accepted_may_be_lost(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 9);
    world->dropped = 1u << (AGREE_ACCEPT - MESSAGES_AGREE);
    agree_world_propose(world, 0, 0, 2); /* it accepts that itself */
    agree_world_run_ms(world, 300);
    agree_node_crash(&world->nodes[0]);
    world->dropped = 0;
    agree_world_propose(world, 1, 1, 3);
    agree_world_run_ms(world, 3000);
    assert_int_equal(agree_world_version(world, 1), 5);
    assert_null(ring_member(&agree_world_layout(world, 1)->next, agree_node_number(0)));
    agree_node_start(&world->nodes[0]);
    agree_world_run_ms(world, 1000);
    agree_world_expect_all_at(world, 5);
    agree_world_free(world);
}

static void test_a_later_proposal_takes_the_place(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 21);
    world->dropped = 1u << (AGREE_PROMISED - MESSAGES_AGREE);
    agree_world_propose(world, 0, 0, 2);
    agree_world_run_ms(world, 300);
    agree_world_propose(world, 0, 1, 3);
    world->dropped = 0;
    agree_world_run_ms(world, 3000);
    agree_world_expect_all_at(world, 5);
    assert_null(ring_member(&agree_world_layout(world, 0)->next, agree_node_number(0)));
    agree_world_free(world);
}

/* Two halves propose different layouts at once, again and again, while links come and go. */
static void expect_one_winner(uint64_t seed)
{
    struct agree_world *world = agree_world_joined(3 + (unsigned)(seed % 5), seed);
    for (unsigned round = 0; round < 5; round++) {
        uint64_t version = agree_world_version(world, 0) + 1;
        for (unsigned i = 0; i < world->count; i++)
            agree_world_propose(world, i, i % 2, world->count - 1);
        agree_world_run_ms(world, 20000);
        agree_world_expect_all_at(world, version);
    }
    agree_world_free(world);
}

static void test_of_many_proposals_one_wins(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++)
        expect_one_winner(seed);
}

static void test_who_was_removed_learns_so(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(4, 6);
    agree_node_crash(&world->nodes[3]);
    for (unsigned i = 0; i < 3; i++)
        agree_world_propose(world, 0, 0, 3), agree_world_run_ms(world, 1000);
    assert_int_equal(agree_world_version(world, 0), 7);
    assert_false(layout_is_member(agree_world_layout(world, 0), agree_node_number(3)));
    agree_node_start(&world->nodes[3]);
    agree_world_propose(world, 3, 0, 4); /* it knows no better */
    agree_world_run_ms(world, 2000);
    agree_world_expect_all_at(world, 7);
    assert_false(agree_is_proposing(world->nodes[3].agree));
    agree_world_free(world);
}

static void test_a_node_alone_joins_who_has_taken_it_in(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_new(3, 7);
    agree_world_found(world, 0, CLUSTER);
    agree_world_found(world, 2, CLUSTER + 1);
    agree_world_propose(world, 0, 0, 2);
    agree_world_run_ms(world, 500);
    assert_int_equal(agree_world_layout(world, 2)->cluster, CLUSTER + 1); /* nobody has asked it */
    agree_world_propose(world, 0, 0, 0), agree_world_run_ms(world, 500);
    agree_world_propose(world, 0, 0, 0), agree_world_run_ms(world, 500);
    agree_world_propose(world, 0, 0, 3), agree_world_run_ms(world, 500);
    assert_int_equal(agree_world_layout(world, 2)->cluster, CLUSTER);
    agree_world_expect_all_at(world, 5);
    agree_world_free(world);
}

static void test_a_disk_that_fails_silences_the_node(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 8);
    world->nodes[1].disk_fails = world->nodes[2].disk_fails = true;
    struct agree_message prepare = {CLUSTER, 5, {1, agree_node_number(0)}};
    struct buffer payload = {0};
    agree_message_encode(AGREE_PREPARE, &prepare, &payload);
    unsigned before = world->sent[AGREE_PROMISED - MESSAGES_AGREE];
    assert_int_equal(agree_receive(world->nodes[1].agree, agree_node_number(0), AGREE_PREPARE,
                                   buffer_bytes(&payload), world->now_ms),
                     STATUS_IO);
    assert_int_equal(world->sent[AGREE_PROMISED - MESSAGES_AGREE], before);
    assert_int_equal(agree_receive(world->nodes[1].agree, agree_node_number(0), AGREE_PREPARE,
                                   buffer_bytes(&payload), world->now_ms),
                     STATUS_IO);
    buffer_deinit(&payload);
    agree_world_free(world);
}

static void test_a_state_that_is_damaged_is_none(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 22);
    struct buffer *disk = &world->nodes[0].disk;
    struct agree_options options = {.node = agree_node_number(0)};
    struct agree *agree;
    for (size_t at = 0; at < buffer_size(disk); at += 1 + at / 16) {
        char *byte = disk->block + disk->start + at;
        *byte ^= 0x10;
        assert_int_equal(agree_open(&options, buffer_bytes(disk), &agree), STATUS_CORRUPT);
        *byte ^= 0x10;
        assert_int_equal(
            agree_open(&options, bytes_of(buffer_bytes(disk).data, at + (at == 0)), &agree),
            STATUS_CORRUPT);
    }
    agree_world_free(world);
}

static void test_layouts_are_not_said_too_often(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 23);
    unsigned before = world->sent[AGREE_LAYOUT - MESSAGES_AGREE];
    struct agree *agree = world->nodes[0].agree;
    for (unsigned i = 0; i < 100; i++)
        agree_heard_version(agree, agree_node_number(1), CLUSTER, 2, world->now_ms);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 1);
    agree_heard_version(agree, agree_node_number(2), CLUSTER, 2, world->now_ms);
    agree_heard_version(agree, agree_node_number(1), CLUSTER, 2, world->now_ms + AGREE_SPEAK_MS);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 3);
    agree_heard_version(agree, agree_node_number(1), CLUSTER + 1, 2, world->now_ms + 1000);
    agree_heard_version(agree, agree_node_number(5), 0, 0, world->now_ms + 1000); /* no member */
    agree_heard_version(agree, agree_node_number(1), CLUSTER, 4, world->now_ms + 1000);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 3);
    agree_world_free(world);
}

static enum status receive(struct agree_world *world, unsigned from, enum agree_message_type type,
                           struct agree_message message)
{
    struct buffer payload = {0};
    agree_message_encode(type, &message, &payload);
    enum status status = agree_receive(world->nodes[0].agree, agree_node_number(from), type,
                                       buffer_bytes(&payload), world->now_ms);
    buffer_deinit(&payload);
    return status;
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 24);
    struct agree_message message = {CLUSTER, 5, {3, agree_node_number(1)}};
    struct agree *agree = world->nodes[0].agree;
    /* a ballot of somebody else */
    assert_int_equal(receive(world, 2, AGREE_PREPARE, message), STATUS_CORRUPT);
    assert_int_equal(receive(world, 2, AGREE_ACCEPT, message), STATUS_CORRUPT);
    /* what was accepted is no layout, or not of that version */
    assert_int_equal(receive(world, 1, AGREE_ACCEPT, message), STATUS_CORRUPT);
    struct buffer bytes = {0};
    layout_encode(agree_layout(agree), &bytes);
    message.layout = buffer_bytes(&bytes);
    assert_int_equal(receive(world, 1, AGREE_ACCEPT, message), STATUS_CORRUPT);
    /* a promise that says it accepted at its own ballot, or at one but nothing */
    message.other = message.ballot;
    assert_int_equal(receive(world, 1, AGREE_PROMISED, message), STATUS_CORRUPT);
    message.other.round--;
    message.layout = BYTES("");
    assert_int_equal(receive(world, 1, AGREE_PROMISED, message), STATUS_CORRUPT);
    /* refused by a lower ballot */
    assert_int_equal(receive(world, 1, AGREE_REFUSED, message), STATUS_CORRUPT);
    /* a layout that isn't the one it is said to be */
    message.layout = buffer_bytes(&bytes);
    assert_int_equal(receive(world, 1, AGREE_LAYOUT, message), STATUS_CORRUPT);
    assert_int_equal(
        agree_receive(agree, agree_node_number(1), AGREE_ASK, BYTES("12345678"), world->now_ms),
        STATUS_CORRUPT);
    /* what a newer program says, and what is late, is passed over */
    assert_int_equal(
        agree_receive(agree, agree_node_number(1), AGREE_ASK + 1, BYTES("?"), world->now_ms),
        STATUS_OK);
    message.layout = BYTES("");
    assert_int_equal(receive(world, 1, AGREE_ACCEPTED, message), STATUS_OK);
    assert_int_equal(agree_world_version(world, 0), 4);
    buffer_deinit(&bytes);
    agree_world_free(world);
}

static void test_a_promise_outlives_a_crash(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 25);
    struct agree_message high = {CLUSTER, 5, {7, agree_node_number(2)}}, low = {CLUSTER, 5};
    struct ring_member members[2] = {agree_node_member(0), agree_node_member(1)};
    struct buffer bytes = {0};
    struct layout next;
    layout_step(agree_world_layout(world, 0), members, 2, &next);
    layout_encode(&next, &bytes);
    low.ballot = (struct ballot){6, agree_node_number(1)};
    low.layout = buffer_bytes(&bytes);
    assert_int_equal(receive(world, 2, AGREE_PREPARE, high), STATUS_OK);
    agree_node_bounce(&world->nodes[0]);
    unsigned refused = world->sent[AGREE_REFUSED - MESSAGES_AGREE];
    unsigned accepted = world->sent[AGREE_ACCEPTED - MESSAGES_AGREE];
    assert_int_equal(receive(world, 1, AGREE_ACCEPT, low), STATUS_OK);
    assert_int_equal(world->sent[AGREE_REFUSED - MESSAGES_AGREE], refused + 1);
    assert_int_equal(world->sent[AGREE_ACCEPTED - MESSAGES_AGREE], accepted);
    layout_deinit(&next);
    buffer_deinit(&bytes);
    agree_world_free(world);
}

/* The first try is forgotten, but not its number: who accepts one would count for the other. */
static void test_a_proposer_uses_no_ballot_twice(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 26);
    world->dropped = ~0u;
    agree_world_propose(world, 0, 0, 2);
    struct ballot before = world->nodes[0].prepare.ballot;
    assert_int_equal(before.node, agree_node_number(0));
    agree_node_bounce(&world->nodes[0]);
    agree_world_propose(world, 0, 1, 3);
    assert_true(ballot_compare(world->nodes[0].prepare.ballot, before) > 0);
    agree_world_free(world);
}

/* The proposer is one of those who had accepted, and doesn't know of the other one. */
static void test_what_a_proposer_has_accepted_itself_outlives_a_crash(void **state)
{
    (void)state;
    struct agree_world *world = agree_world_joined(3, 27);
    world->dropped = 1u << (AGREE_ACCEPTED - MESSAGES_AGREE);
    world->cut[0][1] = true;
    agree_world_propose(world, 0, 0, 2);
    agree_world_run_ms(world, 300);
    agree_node_bounce(&world->nodes[0]);
    agree_node_crash(&world->nodes[2]);
    world->dropped = 0;
    world->cut[0][1] = false;
    agree_world_propose(world, 1, 1, 3);
    agree_world_run_ms(world, 3000);
    assert_int_equal(agree_world_version(world, 1), 5);
    assert_non_null(ring_member(&agree_world_layout(world, 1)->next, agree_node_number(0)));
    agree_world_free(world);
}

/* Node 0 of five proposes at a ballot above 9; nothing that it says arrives. */
static struct agree_world *world_with_a_proposer(uint64_t seed, struct agree_message *out_try)
{
    struct agree_world *world = agree_world_joined(5, seed);
    struct agree_message other = {CLUSTER, 5, {9, agree_node_number(1)}};
    world->dropped = ~0u;
    assert_int_equal(receive(world, 1, AGREE_PREPARE, other), STATUS_OK);
    agree_world_propose(world, 0, 0, 4);
    *out_try = world->nodes[0].prepare;
    assert_true(out_try->ballot.round > 9);
    return world;
}

/* Of what is said to be accepted the highest ballot counts, whoever speaks first. */
static void test_the_highest_accepted_is_proposed(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct agree_message try;
        struct agree_world *world = world_with_a_proposer(28, &try);
        struct buffer bytes[2] = {0};
        for (unsigned i = 0; i < 2; i++) {
            struct ring_member members[2] = {agree_node_member(i), agree_node_member(i + 1)};
            struct layout next;
            layout_step(agree_world_layout(world, 0), members, 2, &next);
            layout_encode(&next, &bytes[i]);
            layout_deinit(&next);
        }
        for (unsigned i = 0; i < 2; i++) {
            unsigned high = i == order;
            try.other = (struct ballot){high ? 5 : 3, agree_node_number(4)};
            try.layout = buffer_bytes(&bytes[high]);
            assert_int_equal(receive(world, 1 + i, AGREE_PROMISED, try), STATUS_OK);
        }
        assert_int_equal(world->nodes[0].tried_round, try.ballot.round);
        assert_true(world->nodes[0].tried_hash == xxh64(buffer_bytes(&bytes[1])));
        buffer_deinit(&bytes[0]);
        buffer_deinit(&bytes[1]);
        agree_world_free(world);
    }
}

static void test_each_counts_once(void **state)
{
    (void)state;
    struct agree_message try;
    struct agree_world *world = world_with_a_proposer(29, &try);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(receive(world, 1, AGREE_PROMISED, try), STATUS_OK);
    assert_int_equal(world->nodes[0].tried_version, 4); /* of the next it has asked nobody yet */
    assert_int_equal(receive(world, 2, AGREE_PROMISED, try), STATUS_OK);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(receive(world, 1, AGREE_ACCEPTED, try), STATUS_OK);
    assert_int_equal(receive(world, 6, AGREE_ACCEPTED, try), STATUS_OK); /* no member */
    assert_int_equal(agree_world_version(world, 0), 4);
    assert_int_equal(receive(world, 2, AGREE_ACCEPTED, try), STATUS_OK);
    assert_int_equal(agree_world_version(world, 0), 5);
    agree_world_free(world);
}

static void test_a_proposer_keeps_its_promise_to_another(void **state)
{
    (void)state;
    struct agree_message try;
    struct agree_world *world = world_with_a_proposer(30, &try);
    struct agree_message higher = {CLUSTER, 5, {99, agree_node_number(4)}};
    assert_int_equal(receive(world, 4, AGREE_PREPARE, higher), STATUS_OK);
    assert_int_equal(receive(world, 1, AGREE_PROMISED, try), STATUS_OK);
    assert_int_equal(receive(world, 2, AGREE_PROMISED, try), STATUS_OK);
    assert_int_equal(receive(world, 1, AGREE_ACCEPTED, try), STATUS_OK);
    assert_int_equal(receive(world, 2, AGREE_ACCEPTED, try), STATUS_OK);
    assert_int_equal(agree_world_version(world, 0), 4); /* two of five: it is none of them */
    assert_int_equal(receive(world, 3, AGREE_ACCEPTED, try), STATUS_OK);
    assert_int_equal(agree_world_version(world, 0), 5);
    agree_world_free(world);
}

/* ---- random worlds --------------------------------------------------------------------------- */

/* One that no other proposal is like: agreement doesn't look at phases. */
static void propose_anything(struct agree_world *world, unsigned index)
{
    struct agree *agree = world->nodes[index].agree;
    if (agree == NULL || agree_layout(agree) == NULL)
        return;
    const struct layout *layout = agree_layout(agree);
    struct layout next = {layout->cluster, layout->version + 1, LAYOUT_STABLE, 1};
    struct ring_member members[AGREE_WORLD_NODES_MAX];
    unsigned first = (unsigned)random_below(&world->random, world->count);
    unsigned count = 1 + (unsigned)random_below(&world->random, world->count);
    for (unsigned i = 0; i < count; i++)
        members[i] = agree_node_member((first + i) % world->count);
    members[0].zone = ++world->proposals;
    ring_begin(members, count, 1, &next.ring);
    agree_propose(agree, &next, world->now_ms);
    layout_deinit(&next);
}

static void something_happens(struct agree_world *world)
{
    unsigned one = (unsigned)random_below(&world->random, world->count);
    unsigned other = (unsigned)random_below(&world->random, world->count);
    struct agree_node *node = &world->nodes[one];
    switch (random_below(&world->random, 16)) {
    case 0:
        if (node->agree != NULL && random_once_in(&world->random, 2))
            agree_node_crash(node);
        break;
    case 1:
    case 2:
        if (node->agree == NULL)
            agree_node_start(node);
        break;
    case 3:
        world->cut[one][other] = random_once_in(&world->random, 2);
        break;
    case 4:
        memset(world->cut, 0, sizeof(world->cut));
        break;
    case 5:
    case 6:
    case 7: /* it forgets what it has not saved, and nobody else notices */
        if (node->agree != NULL)
            agree_node_bounce(node);
        break;
    default:
        propose_anything(world, one);
        if (random_once_in(&world->random, 2))
            propose_anything(world, other);
    }
}

static void heal(struct agree_world *world)
{
    world->loss = world->repeats = 0;
    memset(world->cut, 0, sizeof(world->cut));
    for (unsigned i = 0; i < world->count; i++)
        if (world->nodes[i].agree == NULL)
            agree_node_start(&world->nodes[i]);
}

/* All that belong to it have the newest. */
static void expect_healed(const struct agree_world *world, uint64_t version)
{
    for (unsigned i = 0; i < world->count; i++)
        if (agree_world_layout(world, i) != NULL) /* else it was never taken in */
            assert_int_equal(agree_world_version(world, i), version);
}

static uint64_t run_random_world(uint64_t seed)
{
    static const unsigned delays_ms[] = {5, 40, 600};
    struct random draw = {seed};
    struct agree_world *world = agree_world_new(3 + (unsigned)random_below(&draw, 5), seed);
    agree_world_found(world, 0, CLUSTER);
    world->loss = random_once_in(&draw, 3) ? 0 : 3 + (unsigned)random_below(&draw, 20);
    world->repeats = random_once_in(&draw, 2) ? 0 : 5;
    world->delay_max_ms = delays_ms[random_below(&draw, 3)];
    for (unsigned i = 0; i < EVENTS; i++) {
        something_happens(world);
        agree_world_run_ms(world, random_below(&draw, world->delay_max_ms / 2 + 60));
    }
    heal(world);
    agree_world_run_ms(world, 60000); /* proposals under way end, all learn */
    uint64_t newest = 0;
    for (unsigned i = 0; i < world->count; i++)
        newest = agree_world_version(world, i) > newest ? agree_world_version(world, i) : newest;
    expect_healed(world, newest);
    for (unsigned i = 0; i < world->count; i++)
        propose_anything(world, i);
    agree_world_run_ms(world, 20000); /* and they still get on */
    expect_healed(world, newest + 1);
    agree_world_free(world);
    return newest;
}

static void test_random_worlds(void **state)
{
    (void)state;
    const char *first = getenv("SEED"), *count = getenv("SEEDS");
    uint64_t begin = first ? strtoull(first, NULL, 10) : 1000;
    uint64_t seeds = count ? strtoull(count, NULL, 10) : 30;
    uint64_t versions = 0;
    for (uint64_t seed = begin; seed < begin + seeds; seed++) {
        if (first)
            printf("# seed %lu\n", (unsigned long)seed);
        versions += run_random_world(seed);
    }
    printf("# %lu worlds, %.1f layouts each\n", (unsigned long)seeds,
           (double)versions / (double)seeds);
    assert_true(versions > 6 * seeds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_alone_agrees_with_itself),
        cmocka_unit_test(test_nodes_are_taken_in_and_learn_so),
        cmocka_unit_test(test_a_minority_decides_nothing),
        cmocka_unit_test(test_a_proposal_that_nobody_answers_is_dropped),
        cmocka_unit_test(test_what_a_majority_has_accepted_is_chosen),
        cmocka_unit_test(test_what_a_minority_has_accepted_may_be_lost),
        cmocka_unit_test(test_a_later_proposal_takes_the_place),
        cmocka_unit_test(test_of_many_proposals_one_wins),
        cmocka_unit_test(test_who_was_removed_learns_so),
        cmocka_unit_test(test_a_node_alone_joins_who_has_taken_it_in),
        cmocka_unit_test(test_a_disk_that_fails_silences_the_node),
        cmocka_unit_test(test_a_state_that_is_damaged_is_none),
        cmocka_unit_test(test_layouts_are_not_said_too_often),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_a_promise_outlives_a_crash),
        cmocka_unit_test(test_a_proposer_uses_no_ballot_twice),
        cmocka_unit_test(test_what_a_proposer_has_accepted_itself_outlives_a_crash),
        cmocka_unit_test(test_the_highest_accepted_is_proposed),
        cmocka_unit_test(test_each_counts_once),
        cmocka_unit_test(test_a_proposer_keeps_its_promise_to_another),
        cmocka_unit_test(test_random_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
