/* SPDX-License-Identifier: MIT */
#include "support/agree_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/xxh.h"

enum { STEP_MS = 10 };

uint64_t agree_node_number(unsigned index)
{
    return 100 + index;
}

/* ---- the ports of a node --------------------------------------------------------------------- */

static void post(struct agree_world *world, unsigned from, unsigned to, unsigned type,
                 struct bytes payload)
{
    if (world->mail_count == AGREE_WORLD_MAIL_MAX)
        return;
    struct agree_mail *mail = &world->mail[world->mail_count++];
    *mail = (struct agree_mail){from, to, type};
    mail->due_ms = world->now_ms + random_below(&world->random, world->delay_max_ms + 1);
    for (unsigned i = 0; i + 1 < world->mail_count; i++) /* in order on each link */
        if (world->mail[i].from == from && world->mail[i].to == to &&
            world->mail[i].due_ms > mail->due_ms)
            mail->due_ms = world->mail[i].due_ms;
    buffer_append_bytes(&mail->payload, payload);
}

static void expect_one_layout_a_ballot(struct agree_node *node, struct bytes payload)
{
    struct agree_message accept;
    assert_true(agree_message_decode(AGREE_ACCEPT, payload, &accept));
    assert_int_equal(accept.ballot.node, agree_node_number(node->index));
    uint64_t hash = xxh64(accept.layout);
    if (accept.version == node->tried_version && accept.ballot.round == node->tried_round)
        assert_true(hash == node->tried_hash);
    node->tried_version = accept.version;
    node->tried_round = accept.ballot.round;
    node->tried_hash = hash;
}

static bool on_send(void *context, uint64_t to, unsigned type, struct bytes payload)
{
    struct agree_node *node = context;
    struct agree_world *world = node->world;
    unsigned target = (unsigned)(to - agree_node_number(0));
    assert_in_range(to, agree_node_number(0), agree_node_number(AGREE_WORLD_NODES_MAX - 1));
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
    struct agree_node *node = context;
    if (node->disk_fails)
        return STATUS_IO;
    buffer_clear(&node->disk, 0);
    buffer_append_bytes(&node->disk, state);
    return STATUS_OK;
}

/* The one rule: nobody ever has another layout of the same version. */
static void expect_the_same_as_others(struct agree_world *world, const struct layout *layout)
{
    struct buffer bytes = {0};
    layout_encode(layout, &bytes);
    uint64_t hash = xxh64(buffer_bytes(&bytes));
    buffer_deinit(&bytes);
    assert_in_range(layout->version, 1, AGREE_WORLD_VERSIONS_MAX - 1);
    if (world->hash_of[layout->version] == 0)
        world->hash_of[layout->version] = hash;
    assert_true(world->hash_of[layout->version] == hash);
}

static void on_chosen(void *context, uint64_t now_ms)
{
    struct agree_node *node = context;
    assert_true(now_ms == node->world->now_ms);
    node->chosen++;
    const struct layout *layout = node->agree != NULL ? agree_layout(node->agree) : NULL;
    if (layout == NULL || layout->cluster != AGREE_WORLD_CLUSTER)
        return;
    expect_the_same_as_others(node->world, layout);
    assert_true(layout->version > node->version);
    node->version = layout->version;
}

/* ---- what happens ---------------------------------------------------------------------------- */

void agree_node_start(struct agree_node *node)
{
    struct agree_options options = {
        .node = agree_node_number(node->index),
        .random = ++node->world->starts,
        .outbox = {on_send, node},
        .save = on_save,
        .chosen = on_chosen,
        .context = node,
    };
    assert_int_equal(agree_open(&options, buffer_bytes(&node->disk), &node->agree), STATUS_OK);
}

void agree_node_crash(struct agree_node *node)
{
    struct agree_world *world = node->world;
    agree_free(node->agree);
    node->agree = NULL;
    for (unsigned i = 0; i < world->mail_count;) {
        struct agree_mail *mail = &world->mail[i];
        if (mail->to != node->index && (mail->from != node->index || i % 2)) {
            i++;
            continue;
        }
        buffer_deinit(&mail->payload);
        *mail = world->mail[--world->mail_count];
    }
}

void agree_node_bounce(struct agree_node *node)
{
    agree_free(node->agree);
    agree_node_start(node);
}

struct agree_world *agree_world_new(unsigned count, uint64_t seed)
{
    struct agree_world *world = memory_zeroed(sizeof(*world));
    world->random = (struct random){seed};
    world->count = count;
    world->now_ms = 1000;
    world->delay_max_ms = 5;
    for (unsigned i = 0; i < count; i++) {
        world->nodes[i].world = world;
        world->nodes[i].index = i;
        agree_node_start(&world->nodes[i]);
    }
    return world;
}

void agree_world_free(struct agree_world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        agree_free(world->nodes[i].agree);
        buffer_deinit(&world->nodes[i].disk);
    }
    for (unsigned i = 0; i < world->mail_count; i++)
        buffer_deinit(&world->mail[i].payload);
    memory_free(world);
}

struct ring_member agree_node_member(unsigned index)
{
    return (struct ring_member){agree_node_number(index), 1, index, RING_WEIGHT};
}

const struct layout *agree_world_layout(const struct agree_world *world, unsigned index)
{
    return agree_layout(world->nodes[index].agree);
}

uint64_t agree_world_version(const struct agree_world *world, unsigned index)
{
    const struct layout *layout = agree_world_layout(world, index);
    return layout != NULL ? layout->version : 0;
}

void agree_world_found(struct agree_world *world, unsigned index, uint64_t cluster)
{
    struct layout first;
    struct ring_member member = agree_node_member(index);
    layout_first(cluster, &member, 3, &first);
    assert_int_equal(agree_found(world->nodes[index].agree, &first, world->now_ms), STATUS_OK);
    layout_deinit(&first);
}

/* The step after the node's layout; in STABLE, to a ring of those nodes. */
void agree_world_propose(struct agree_world *world, unsigned index, unsigned from, unsigned to)
{
    struct agree *agree = world->nodes[index].agree;
    struct ring_member members[AGREE_WORLD_NODES_MAX];
    struct layout next;
    for (unsigned i = from; i < to; i++)
        members[i - from] = agree_node_member(i);
    layout_step(agree_layout(agree), members, to - from, &next);
    agree_propose(agree, &next, world->now_ms);
    layout_deinit(&next);
}

/* What gossip does in a real node: each hears of each other's layout now and then. */
static void gossip(struct agree_world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        unsigned other = (unsigned)random_below(&world->random, world->count);
        struct agree_node *node = &world->nodes[i];
        if (other == i || node->agree == NULL || world->nodes[other].agree == NULL ||
            world->cut[other][i])
            continue;
        const struct layout *layout = agree_world_layout(world, other);
        agree_heard_version(node->agree, agree_node_number(other), layout ? layout->cluster : 0,
                            layout ? layout->version : 0, world->now_ms);
    }
}

static void deliver(struct agree_world *world)
{
    for (unsigned i = 0; i < world->mail_count;) {
        struct agree_mail mail = world->mail[i];
        if (mail.due_ms > world->now_ms) {
            i++;
            continue;
        }
        world->mail_count--;
        memmove(&world->mail[i], &world->mail[i + 1],
                (world->mail_count - i) * sizeof(struct agree_mail));
        struct agree *agree = world->nodes[mail.to].agree;
        if (agree != NULL)
            assert_int_equal(agree_receive(agree, agree_node_number(mail.from), mail.type,
                                           buffer_bytes(&mail.payload), world->now_ms),
                             STATUS_OK);
        buffer_deinit(&mail.payload);
    }
}

void agree_world_run_ms(struct agree_world *world, uint64_t ms)
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

void agree_world_expect_all_at(const struct agree_world *world, uint64_t version)
{
    for (unsigned i = 0; i < world->count; i++)
        assert_int_equal(agree_world_version(world, i), version);
}

/* A cluster of all nodes, in STABLE: version 4. */
struct agree_world *agree_world_joined(unsigned count, uint64_t seed)
{
    struct agree_world *world = agree_world_new(count, seed);
    agree_world_found(world, 0, AGREE_WORLD_CLUSTER);
    while (agree_world_version(world, 0) < 4)
        agree_world_propose(world, 0, 0, count), agree_world_run_ms(world, 1000);
    agree_world_expect_all_at(world, 4);
    return world;
}
