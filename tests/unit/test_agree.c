/* SPDX-License-Identifier: MIT */
/*
 * Worlds of a few nodes that agree on layouts, with messages that are lost, late and in no order
 * between links, nodes that crash and come back with what they had saved, and links that are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/xxh.h"
#include "cluster/agree.h"
#include "cluster/agree_message.h"

enum {
    NODES_MAX = 7,
    MAIL_MAX = 4096,
    VERSIONS_MAX = 4096,
    CLUSTER = 77,
    STEP_MS = 10,
    EVENTS = 300
};

struct mail {
    unsigned from, to;
    unsigned type;
    uint64_t due_ms;
    struct buffer payload;
};

struct world;

struct node {
    struct world *world;
    unsigned index;
    struct agree *agree; /* NULL: it is down */
    struct buffer disk;
    bool disk_fails;
    unsigned chosen;  /* how often it was told */
    uint64_t version; /* that it had then: never an older one */
    /* The last try that it has sent, and what it asked to accept: one ballot, one layout. */
    uint64_t tried_version, tried_round, tried_hash;
    struct agree_message prepare; /* the last one */
};

struct world {
    struct random random;
    uint64_t now_ms;
    unsigned count;
    struct node nodes[NODES_MAX];
    struct mail mail[MAIL_MAX];
    unsigned mail_count;
    bool cut[NODES_MAX][NODES_MAX];
    unsigned dropped; /* a bit for each type of message */
    unsigned loss;    /* once in so many, 0: never */
    unsigned repeats; /* the same; the bus never does, but no harm may come of it */
    unsigned delay_max_ms;
    uint64_t hash_of[VERSIONS_MAX]; /* of the layout of each version that somebody has learned */
    unsigned starts;
    uint64_t proposals;
    unsigned sent[8]; /* of each type */
};

static uint64_t number_of(unsigned index)
{
    return 100 + index;
}

/* ---- the ports of a node --------------------------------------------------------------------- */

static void post(struct world *world, unsigned from, unsigned to, unsigned type,
                 struct bytes payload)
{
    if (world->mail_count == MAIL_MAX)
        return;
    struct mail *mail = &world->mail[world->mail_count++];
    *mail = (struct mail){from, to, type};
    mail->due_ms = world->now_ms + random_below(&world->random, world->delay_max_ms + 1);
    for (unsigned i = 0; i + 1 < world->mail_count; i++) /* in order on each link */
        if (world->mail[i].from == from && world->mail[i].to == to &&
            world->mail[i].due_ms > mail->due_ms)
            mail->due_ms = world->mail[i].due_ms;
    buffer_append_bytes(&mail->payload, payload);
}

static void expect_one_layout_a_ballot(struct node *node, struct bytes payload)
{
    struct agree_message accept;
    assert_true(agree_message_decode(AGREE_ACCEPT, payload, &accept));
    assert_int_equal(accept.ballot.node, number_of(node->index));
    uint64_t hash = xxh64(accept.layout);
    if (accept.version == node->tried_version && accept.ballot.round == node->tried_round)
        assert_true(hash == node->tried_hash);
    node->tried_version = accept.version;
    node->tried_round = accept.ballot.round;
    node->tried_hash = hash;
}

static bool on_send(void *context, uint64_t to, unsigned type, struct bytes payload)
{
    struct node *node = context;
    struct world *world = node->world;
    unsigned target = (unsigned)(to - number_of(0));
    assert_in_range(to, number_of(0), number_of(NODES_MAX - 1));
    assert_true(payload.size <= MESSAGE_SIZE_MAX);
    world->sent[type - MESSAGES_AGREE]++;
    if (type == AGREE_PREPARE)
        assert_true(agree_message_decode(type, payload, &node->prepare));
    if (type == AGREE_ACCEPT)
        expect_one_layout_a_ballot(node, payload);
    if (world->cut[node->index][target] || world->dropped >> (type - MESSAGES_AGREE) & 1 ||
        (world->loss != 0 && random_once_in(&world->random, world->loss)))
        return random_once_in(&world->random, 2);
    post(world, node->index, target, type, payload);
    if (world->repeats != 0 && random_once_in(&world->random, world->repeats))
        post(world, node->index, target, type, payload);
    return true;
}

static enum status on_save(void *context, struct bytes state)
{
    struct node *node = context;
    if (node->disk_fails)
        return STATUS_IO;
    buffer_clear(&node->disk, 0);
    buffer_append_bytes(&node->disk, state);
    return STATUS_OK;
}

/* The one rule: nobody ever has another layout of the same version. */
static void expect_the_same_as_others(struct world *world, const struct layout *layout)
{
    struct buffer bytes = {0};
    layout_encode(layout, &bytes);
    uint64_t hash = xxh64(buffer_bytes(&bytes));
    buffer_deinit(&bytes);
    assert_in_range(layout->version, 1, VERSIONS_MAX - 1);
    if (world->hash_of[layout->version] == 0)
        world->hash_of[layout->version] = hash;
    assert_true(world->hash_of[layout->version] == hash);
}

static void on_chosen(void *context, uint64_t now_ms)
{
    struct node *node = context;
    assert_true(now_ms == node->world->now_ms);
    node->chosen++;
    const struct layout *layout = node->agree != NULL ? agree_layout(node->agree) : NULL;
    if (layout == NULL || layout->cluster != CLUSTER)
        return;
    expect_the_same_as_others(node->world, layout);
    assert_true(layout->version > node->version);
    node->version = layout->version;
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void node_start(struct node *node)
{
    struct agree_options options = {
        .node = number_of(node->index),
        .random = ++node->world->starts,
        .outbox = {on_send, node},
        .save = on_save,
        .chosen = on_chosen,
        .context = node,
    };
    assert_int_equal(agree_open(&options, buffer_bytes(&node->disk), &node->agree), STATUS_OK);
}

static void node_crash(struct node *node)
{
    struct world *world = node->world;
    agree_free(node->agree);
    node->agree = NULL;
    for (unsigned i = 0; i < world->mail_count;) {
        struct mail *mail = &world->mail[i];
        if (mail->to != node->index && (mail->from != node->index || i % 2)) {
            i++;
            continue;
        }
        buffer_deinit(&mail->payload);
        *mail = world->mail[--world->mail_count];
    }
}

static struct world *world_new(unsigned count, uint64_t seed)
{
    struct world *world = memory_zeroed(sizeof(*world));
    world->random = (struct random){seed};
    world->count = count;
    world->now_ms = 1000;
    world->delay_max_ms = 5;
    for (unsigned i = 0; i < count; i++) {
        world->nodes[i].world = world;
        world->nodes[i].index = i;
        node_start(&world->nodes[i]);
    }
    return world;
}

static void world_free(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        agree_free(world->nodes[i].agree);
        buffer_deinit(&world->nodes[i].disk);
    }
    for (unsigned i = 0; i < world->mail_count; i++)
        buffer_deinit(&world->mail[i].payload);
    memory_free(world);
}

static struct ring_member member_of(unsigned index)
{
    return (struct ring_member){number_of(index), 1, index, RING_WEIGHT};
}

static const struct layout *layout_of(const struct world *world, unsigned index)
{
    return agree_layout(world->nodes[index].agree);
}

static uint64_t version_of(const struct world *world, unsigned index)
{
    const struct layout *layout = layout_of(world, index);
    return layout != NULL ? layout->version : 0;
}

static void found(struct world *world, unsigned index, uint64_t cluster)
{
    struct layout first;
    struct ring_member member = member_of(index);
    layout_first(cluster, &member, 3, &first);
    assert_int_equal(agree_found(world->nodes[index].agree, &first, world->now_ms), STATUS_OK);
    layout_deinit(&first);
}

/* The step after the node's layout; in STABLE, to a ring of those nodes. */
static void propose(struct world *world, unsigned index, unsigned from, unsigned to)
{
    struct agree *agree = world->nodes[index].agree;
    struct ring_member members[NODES_MAX];
    struct layout next;
    for (unsigned i = from; i < to; i++)
        members[i - from] = member_of(i);
    layout_step(agree_layout(agree), members, to - from, &next);
    agree_propose(agree, &next, world->now_ms);
    layout_deinit(&next);
}

/* What gossip does in a real node: each hears of each other's layout now and then. */
static void gossip(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        unsigned other = (unsigned)random_below(&world->random, world->count);
        struct node *node = &world->nodes[i];
        if (other == i || node->agree == NULL || world->nodes[other].agree == NULL ||
            world->cut[other][i])
            continue;
        const struct layout *layout = layout_of(world, other);
        agree_heard_version(node->agree, number_of(other), layout ? layout->cluster : 0,
                            layout ? layout->version : 0, world->now_ms);
    }
}

static void deliver(struct world *world)
{
    for (unsigned i = 0; i < world->mail_count;) {
        struct mail mail = world->mail[i];
        if (mail.due_ms > world->now_ms) {
            i++;
            continue;
        }
        world->mail_count--;
        memmove(&world->mail[i], &world->mail[i + 1],
                (world->mail_count - i) * sizeof(struct mail));
        struct agree *agree = world->nodes[mail.to].agree;
        if (agree != NULL)
            assert_int_equal(agree_receive(agree, number_of(mail.from), mail.type,
                                           buffer_bytes(&mail.payload), world->now_ms),
                             STATUS_OK);
        buffer_deinit(&mail.payload);
    }
}

static void run_for_ms(struct world *world, uint64_t ms)
{
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; world->now_ms += STEP_MS) {
        deliver(world);
        for (unsigned i = 0; i < world->count; i++)
            if (world->nodes[i].agree != NULL)
                agree_tick(world->nodes[i].agree, world->now_ms);
        if (world->now_ms % 50 == 0)
            gossip(world);
    }
}

static void expect_all_at(const struct world *world, uint64_t version)
{
    for (unsigned i = 0; i < world->count; i++)
        assert_int_equal(version_of(world, i), version);
}

/* A cluster of all nodes, in STABLE: version 4. */
static struct world *world_joined(unsigned count, uint64_t seed)
{
    struct world *world = world_new(count, seed);
    found(world, 0, CLUSTER);
    while (version_of(world, 0) < 4)
        propose(world, 0, 0, count), run_for_ms(world, 1000);
    expect_all_at(world, 4);
    return world;
}

/* ---- stories --------------------------------------------------------------------------------- */

static void test_a_node_alone_agrees_with_itself(void **state)
{
    (void)state;
    struct world *world = world_new(1, 1);
    assert_null(layout_of(world, 0));
    found(world, 0, CLUSTER);
    assert_int_equal(version_of(world, 0), 1);
    struct ring_member member = member_of(0);
    struct layout next;
    member.weight = 2 * RING_WEIGHT;
    layout_step(layout_of(world, 0), &member, 1, &next);
    agree_propose(world->nodes[0].agree, &next, world->now_ms);
    layout_deinit(&next);
    assert_int_equal(version_of(world, 0), 2);
    assert_false(agree_is_proposing(world->nodes[0].agree));
    assert_int_equal(world->nodes[0].chosen, 2);
    node_crash(&world->nodes[0]);
    node_start(&world->nodes[0]);
    assert_int_equal(version_of(world, 0), 2);
    assert_int_equal(layout_of(world, 0)->phase, LAYOUT_WRITING_BOTH);
    world_free(world);
}

static void test_nodes_are_taken_in_and_learn_so(void **state)
{
    (void)state;
    struct world *world = world_new(5, 2);
    found(world, 0, CLUSTER);
    propose(world, 0, 0, 5);
    assert_int_equal(version_of(world, 0), 2); /* it alone decides on that one */
    run_for_ms(world, 200);
    expect_all_at(world, 2);
    propose(world, 3, 0, 0); /* but anybody may propose the next */
    run_for_ms(world, 200);
    expect_all_at(world, 3);
    for (unsigned i = 0; i < 5; i++)
        assert_false(agree_is_proposing(world->nodes[i].agree));
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], 4); /* to those without one */
    world_free(world);
}

static void test_a_minority_decides_nothing(void **state)
{
    (void)state;
    struct world *world = world_joined(5, 3);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 2; j < 5; j++)
            world->cut[i][j] = world->cut[j][i] = true;
    propose(world, 0, 0, 4);
    run_for_ms(world, 5000);
    assert_int_equal(version_of(world, 0), 4);
    assert_true(agree_is_proposing(world->nodes[0].agree));
    propose(world, 4, 1, 5);
    run_for_ms(world, 5000);
    assert_int_equal(version_of(world, 4), 5);
    assert_int_equal(version_of(world, 0), 4);
    memset(world->cut, 0, sizeof(world->cut));
    run_for_ms(world, 5000); /* the minority learns of it; its own proposal is void */
    expect_all_at(world, 5);
    assert_null(ring_member(&layout_of(world, 0)->next, number_of(0)));
    assert_false(agree_is_proposing(world->nodes[0].agree));
    world_free(world);
}

static void test_a_proposal_that_nobody_answers_is_dropped(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 4);
    node_crash(&world->nodes[1]);
    node_crash(&world->nodes[2]);
    propose(world, 0, 0, 2);
    run_for_ms(world, 200000);
    assert_false(agree_is_proposing(world->nodes[0].agree));
    assert_true(agree_deadline_ms(world->nodes[0].agree) == UINT64_MAX);
    world_free(world);
}

/* Accepted by a majority, but the proposer dies before it hears so: it is chosen all the same. */
static void test_what_a_majority_has_accepted_is_chosen(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 5);
    world->dropped = 1u << (AGREE_ACCEPTED - MESSAGES_AGREE);
    world->cut[0][1] = true;
    propose(world, 0, 0, 2);
    run_for_ms(world, 300);
    expect_all_at(world, 4);
    node_crash(&world->nodes[0]);
    node_crash(&world->nodes[2]); /* what it has accepted it remembers */
    node_start(&world->nodes[2]);
    world->dropped = 0;
    propose(world, 1, 1, 3);
    run_for_ms(world, 3000);
    assert_int_equal(version_of(world, 1), 5);
    assert_non_null(ring_member(&layout_of(world, 1)->next, number_of(0)));
    assert_null(ring_member(&layout_of(world, 1)->next, number_of(2)));
    node_start(&world->nodes[0]);
    run_for_ms(world, 1000);
    expect_all_at(world, 5);
    world_free(world);
}

/* The only one that has accepted is away: another layout is chosen, and it learns that one. */
static void test_what_a_minority_has_accepted_may_be_lost(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 9);
    world->dropped = 1u << (AGREE_ACCEPT - MESSAGES_AGREE);
    propose(world, 0, 0, 2); /* it accepts that itself */
    run_for_ms(world, 300);
    node_crash(&world->nodes[0]);
    world->dropped = 0;
    propose(world, 1, 1, 3);
    run_for_ms(world, 3000);
    assert_int_equal(version_of(world, 1), 5);
    assert_null(ring_member(&layout_of(world, 1)->next, number_of(0)));
    node_start(&world->nodes[0]);
    run_for_ms(world, 1000);
    expect_all_at(world, 5);
    world_free(world);
}

static void test_a_later_proposal_takes_the_place(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 21);
    world->dropped = 1u << (AGREE_PROMISED - MESSAGES_AGREE);
    propose(world, 0, 0, 2);
    run_for_ms(world, 300);
    propose(world, 0, 1, 3);
    world->dropped = 0;
    run_for_ms(world, 3000);
    expect_all_at(world, 5);
    assert_null(ring_member(&layout_of(world, 0)->next, number_of(0)));
    world_free(world);
}

/* Two halves propose different layouts at once, again and again, while links come and go. */
static void expect_one_winner(uint64_t seed)
{
    struct world *world = world_joined(3 + (unsigned)(seed % 5), seed);
    for (unsigned round = 0; round < 5; round++) {
        uint64_t version = version_of(world, 0) + 1;
        for (unsigned i = 0; i < world->count; i++)
            propose(world, i, i % 2, world->count - 1);
        run_for_ms(world, 20000);
        expect_all_at(world, version);
    }
    world_free(world);
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
    struct world *world = world_joined(4, 6);
    node_crash(&world->nodes[3]);
    for (unsigned i = 0; i < 3; i++)
        propose(world, 0, 0, 3), run_for_ms(world, 1000);
    assert_int_equal(version_of(world, 0), 7);
    assert_false(layout_is_member(layout_of(world, 0), number_of(3)));
    node_start(&world->nodes[3]);
    propose(world, 3, 0, 4); /* it knows no better */
    run_for_ms(world, 2000);
    expect_all_at(world, 7);
    assert_false(agree_is_proposing(world->nodes[3].agree));
    world_free(world);
}

static void test_a_node_alone_joins_who_has_taken_it_in(void **state)
{
    (void)state;
    struct world *world = world_new(3, 7);
    found(world, 0, CLUSTER);
    found(world, 2, CLUSTER + 1);
    propose(world, 0, 0, 2);
    run_for_ms(world, 500);
    assert_int_equal(layout_of(world, 2)->cluster, CLUSTER + 1); /* nobody has asked it */
    propose(world, 0, 0, 0), run_for_ms(world, 500);
    propose(world, 0, 0, 0), run_for_ms(world, 500);
    propose(world, 0, 0, 3), run_for_ms(world, 500);
    assert_int_equal(layout_of(world, 2)->cluster, CLUSTER);
    expect_all_at(world, 5);
    world_free(world);
}

static void test_a_disk_that_fails_silences_the_node(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 8);
    world->nodes[1].disk_fails = world->nodes[2].disk_fails = true;
    struct agree_message prepare = {CLUSTER, 5, {1, number_of(0)}};
    struct buffer payload = {0};
    agree_message_encode(AGREE_PREPARE, &prepare, &payload);
    unsigned before = world->sent[AGREE_PROMISED - MESSAGES_AGREE];
    assert_int_equal(agree_receive(world->nodes[1].agree, number_of(0), AGREE_PREPARE,
                                   buffer_bytes(&payload), world->now_ms),
                     STATUS_IO);
    assert_int_equal(world->sent[AGREE_PROMISED - MESSAGES_AGREE], before);
    assert_int_equal(agree_receive(world->nodes[1].agree, number_of(0), AGREE_PREPARE,
                                   buffer_bytes(&payload), world->now_ms),
                     STATUS_IO);
    buffer_deinit(&payload);
    world_free(world);
}

static void test_a_state_that_is_damaged_is_none(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 22);
    struct buffer *disk = &world->nodes[0].disk;
    struct agree_options options = {.node = number_of(0)};
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
    world_free(world);
}

static void test_layouts_are_not_said_too_often(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 23);
    unsigned before = world->sent[AGREE_LAYOUT - MESSAGES_AGREE];
    struct agree *agree = world->nodes[0].agree;
    for (unsigned i = 0; i < 100; i++)
        agree_heard_version(agree, number_of(1), CLUSTER, 2, world->now_ms);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 1);
    agree_heard_version(agree, number_of(2), CLUSTER, 2, world->now_ms);
    agree_heard_version(agree, number_of(1), CLUSTER, 2, world->now_ms + AGREE_SPEAK_MS);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 3);
    agree_heard_version(agree, number_of(1), CLUSTER + 1, 2, world->now_ms + 1000);
    agree_heard_version(agree, number_of(5), 0, 0, world->now_ms + 1000); /* no member */
    agree_heard_version(agree, number_of(1), CLUSTER, 4, world->now_ms + 1000);
    assert_int_equal(world->sent[AGREE_LAYOUT - MESSAGES_AGREE], before + 3);
    world_free(world);
}

static enum status receive(struct world *world, unsigned from, enum agree_message_type type,
                           struct agree_message message)
{
    struct buffer payload = {0};
    agree_message_encode(type, &message, &payload);
    enum status status = agree_receive(world->nodes[0].agree, number_of(from), type,
                                       buffer_bytes(&payload), world->now_ms);
    buffer_deinit(&payload);
    return status;
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 24);
    struct agree_message message = {CLUSTER, 5, {3, number_of(1)}};
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
        agree_receive(agree, number_of(1), AGREE_ASK, BYTES("12345678"), world->now_ms),
        STATUS_CORRUPT);
    /* what a newer program says, and what is late, is passed over */
    assert_int_equal(agree_receive(agree, number_of(1), AGREE_ASK + 1, BYTES("?"), world->now_ms),
                     STATUS_OK);
    message.layout = BYTES("");
    assert_int_equal(receive(world, 1, AGREE_ACCEPTED, message), STATUS_OK);
    assert_int_equal(version_of(world, 0), 4);
    buffer_deinit(&bytes);
    world_free(world);
}

static void bounce(struct node *node)
{
    agree_free(node->agree);
    node_start(node);
}

static void test_a_promise_outlives_a_crash(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 25);
    struct agree_message high = {CLUSTER, 5, {7, number_of(2)}}, low = {CLUSTER, 5};
    struct ring_member members[2] = {member_of(0), member_of(1)};
    struct buffer bytes = {0};
    struct layout next;
    layout_step(layout_of(world, 0), members, 2, &next);
    layout_encode(&next, &bytes);
    low.ballot = (struct ballot){6, number_of(1)};
    low.layout = buffer_bytes(&bytes);
    assert_int_equal(receive(world, 2, AGREE_PREPARE, high), STATUS_OK);
    bounce(&world->nodes[0]);
    unsigned refused = world->sent[AGREE_REFUSED - MESSAGES_AGREE];
    unsigned accepted = world->sent[AGREE_ACCEPTED - MESSAGES_AGREE];
    assert_int_equal(receive(world, 1, AGREE_ACCEPT, low), STATUS_OK);
    assert_int_equal(world->sent[AGREE_REFUSED - MESSAGES_AGREE], refused + 1);
    assert_int_equal(world->sent[AGREE_ACCEPTED - MESSAGES_AGREE], accepted);
    layout_deinit(&next);
    buffer_deinit(&bytes);
    world_free(world);
}

/* The first try is forgotten, but not its number: else ACCEPTED of one would count for the other. */
static void test_a_proposer_uses_no_ballot_twice(void **state)
{
    (void)state;
    struct world *world = world_joined(3, 26);
    world->dropped = ~0u;
    propose(world, 0, 0, 2);
    struct ballot before = world->nodes[0].prepare.ballot;
    assert_int_equal(before.node, number_of(0));
    bounce(&world->nodes[0]);
    propose(world, 0, 1, 3);
    assert_true(ballot_compare(world->nodes[0].prepare.ballot, before) > 0);
    world_free(world);
}

/* ---- random worlds --------------------------------------------------------------------------- */

/* One that no other proposal is like: agreement doesn't look at phases. */
static void propose_anything(struct world *world, unsigned index)
{
    struct agree *agree = world->nodes[index].agree;
    if (agree == NULL || agree_layout(agree) == NULL)
        return;
    const struct layout *layout = agree_layout(agree);
    struct layout next = {layout->cluster, layout->version + 1, LAYOUT_STABLE, 1};
    struct ring_member members[NODES_MAX];
    unsigned first = (unsigned)random_below(&world->random, world->count);
    unsigned count = 1 + (unsigned)random_below(&world->random, world->count);
    for (unsigned i = 0; i < count; i++)
        members[i] = member_of((first + i) % world->count);
    members[0].zone = ++world->proposals;
    ring_begin(members, count, 1, &next.ring);
    agree_propose(agree, &next, world->now_ms);
    layout_deinit(&next);
}

static void something_happens(struct world *world)
{
    unsigned one = (unsigned)random_below(&world->random, world->count);
    unsigned other = (unsigned)random_below(&world->random, world->count);
    struct node *node = &world->nodes[one];
    switch (random_below(&world->random, 16)) {
    case 0:
        if (node->agree != NULL && random_once_in(&world->random, 2))
            node_crash(node);
        break;
    case 1:
    case 2:
        if (node->agree == NULL)
            node_start(node);
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
            bounce(node);
        break;
    default:
        propose_anything(world, one);
        if (random_once_in(&world->random, 2))
            propose_anything(world, other);
    }
}

static void heal(struct world *world)
{
    world->loss = world->repeats = 0;
    memset(world->cut, 0, sizeof(world->cut));
    for (unsigned i = 0; i < world->count; i++)
        if (world->nodes[i].agree == NULL)
            node_start(&world->nodes[i]);
}

/* All that belong to it have the newest. */
static void expect_healed(const struct world *world, uint64_t version)
{
    for (unsigned i = 0; i < world->count; i++)
        if (layout_of(world, i) != NULL) /* else it was never taken in */
            assert_int_equal(version_of(world, i), version);
}

static uint64_t run_random_world(uint64_t seed)
{
    static const unsigned delays_ms[] = {5, 40, 600};
    struct random draw = {seed};
    struct world *world = world_new(3 + (unsigned)random_below(&draw, 5), seed);
    found(world, 0, CLUSTER);
    world->loss = random_once_in(&draw, 3) ? 0 : 3 + (unsigned)random_below(&draw, 20);
    world->repeats = random_once_in(&draw, 2) ? 0 : 5;
    world->delay_max_ms = delays_ms[random_below(&draw, 3)];
    for (unsigned i = 0; i < EVENTS; i++) {
        something_happens(world);
        run_for_ms(world, random_below(&draw, world->delay_max_ms / 2 + 60));
    }
    heal(world);
    run_for_ms(world, 60000); /* proposals under way end, all learn */
    uint64_t newest = 0;
    for (unsigned i = 0; i < world->count; i++)
        newest = version_of(world, i) > newest ? version_of(world, i) : newest;
    expect_healed(world, newest);
    for (unsigned i = 0; i < world->count; i++)
        propose_anything(world, i);
    run_for_ms(world, 20000); /* and they still get on */
    expect_healed(world, newest + 1);
    world_free(world);
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
        cmocka_unit_test(test_random_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
