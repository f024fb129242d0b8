/* SPDX-License-Identifier: MIT */
/* Stories of a cluster that changes, told by a gossip that says what the story wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cluster/change.h"

enum { NODES = 8, CLUSTER = 5, FIRST = 10, ME = FIRST };

/* ---- a gossip whose word is the test's ------------------------------------------------------- */

struct gossip {
    struct gossip_self self;
    struct gossip_peer peers[NODES];
    bool heard[NODES]; /* of each peer */
};

struct gossip_self *gossip_self(struct gossip *gossip)
{
    return &gossip->self;
}

const struct gossip_peer *gossip_peer(const struct gossip *gossip, uint64_t node)
{
    for (unsigned i = 0; i < NODES; i++)
        if (gossip->heard[i] && gossip->peers[i].said.node == node)
            return &gossip->peers[i];
    return NULL;
}

const struct gossip_peer *gossip_peer_at(const struct gossip *gossip, size_t index)
{
    for (unsigned i = 0; i < NODES; i++)
        if (gossip->heard[i] && index-- == 0)
            return &gossip->peers[i];
    return NULL;
}

bool gossip_is_up(const struct gossip *gossip, uint64_t node)
{
    const struct gossip_peer *peer = gossip_peer(gossip, node);
    return node == gossip->self.node || (peer != NULL && peer->life == GOSSIP_UP);
}

/* ---- the world of a story -------------------------------------------------------------------- */

struct world {
    struct gossip gossip;
    struct layout layout;
    uint64_t removed[2];
    struct change_options options;
};

/* Node FIRST is this one; the others are peers. */
static struct gossip_self *said_by(struct world *world, uint64_t node)
{
    return node == ME ? &world->gossip.self : &world->gossip.peers[node - FIRST].said;
}

static void introduce(struct world *world, uint64_t node)
{
    struct gossip_self said = {.node = node, .generation = 1, .weight = RING_WEIGHT};
    snprintf(said.host, sizeof(said.host), "host-%u", (unsigned)node);
    snprintf(said.zone, sizeof(said.zone), "zone");
    *said_by(world, node) = said;
    world->gossip.heard[node - FIRST] = node != ME;
}

static void set_life(struct world *world, uint64_t node, enum gossip_life life)
{
    world->gossip.peers[node - FIRST].life = life;
}

/* It says that it has the layout; and that it has taken over all that it gained. */
static void follow(struct world *world, uint64_t node, bool synced)
{
    struct gossip_self *said = said_by(world, node);
    said->cluster = CLUSTER;
    said->layout_version = world->layout.version;
    if (synced)
        said->synced_version = world->layout.version;
}

static void all_follow(struct world *world)
{
    for (uint64_t node = FIRST; node < FIRST + NODES; node++)
        if (layout_is_member(&world->layout, node) &&
            (node == ME || world->gossip.peers[node - FIRST].life != GOSSIP_DOWN))
            follow(world, node, true);
}

static bool advance(struct world *world)
{
    struct layout next;
    if (!change_next(&world->options, &next))
        return false;
    assert_int_equal(next.version, world->layout.version + 1);
    layout_deinit(&world->layout);
    world->layout = next;
    said_by(world, ME)->layout_version = next.version;
    return true;
}

static void expect_no_step(struct world *world)
{
    assert_false(advance(world));
}

static void expect_step(struct world *world, enum layout_phase phase, uint32_t members)
{
    assert_true(advance(world));
    assert_int_equal(world->layout.phase, phase);
    const struct ring *ring = phase == LAYOUT_STABLE ? &world->layout.ring : &world->layout.next;
    assert_int_equal(ring->member_count, members);
}

static void run_change(struct world *world)
{
    all_follow(world);
    while (world->layout.phase != LAYOUT_STABLE) {
        assert_true(advance(world));
        all_follow(world);
    }
}

/* A cluster of this node and the `count - 1` next ones. */
static struct world *world_new(unsigned count)
{
    struct world *world = memory_zeroed(sizeof(*world));
    world->options = (struct change_options){
        .layout = &world->layout,
        .gossip = &world->gossip,
        .node = ME,
        .read_quorum = 2,
        .write_quorum = 2,
        .removed = world->removed,
    };
    introduce(world, ME);
    struct ring_member member = change_member(&world->gossip.self);
    layout_first(CLUSTER, &member, 3, &world->layout);
    for (uint64_t node = FIRST + 1; node < FIRST + count; node++)
        introduce(world, node);
    follow(world, ME, true);
    if (count > 1) {
        expect_step(world, LAYOUT_WRITING_BOTH, count);
        run_change(world);
    }
    return world;
}

static void world_free(struct world *world)
{
    layout_deinit(&world->layout);
    memory_free(world);
}

static void remove_node(struct world *world, uint64_t node)
{
    world->removed[world->options.removed_count++] = node;
}

/* ---- stories --------------------------------------------------------------------------------- */

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    expect_no_step(world);
    set_life(world, FIRST + 1, GOSSIP_DOWN); /* a death changes no ring */
    expect_no_step(world);
    world->gossip.heard[2] = false; /* neither does silence */
    expect_no_step(world);
    world_free(world);
}

/* ---- absence --------------------------------------------------------------------------------- */

/* That one says that the other has been down for longer than it waits. */
static void say_absent(struct world *world, uint64_t node, uint64_t absent)
{
    struct gossip_self *said = said_by(world, node);
    said->absent[said->absent_count++] = absent;
}

static void forgive(struct world *world, uint64_t node)
{
    said_by(world, node)->absent_count = said_by(world, node)->lost = 0;
}

static void test_who_is_away_long_is_removed_on_a_majoritys_word(void **state)
{
    (void)state;
    struct world *world = world_new(5);
    uint64_t gone = FIRST + 4;
    set_life(world, gone, GOSSIP_DOWN);
    say_absent(world, ME, gone);
    say_absent(world, FIRST + 1, gone);
    expect_no_step(world);         /* two of five */
    say_absent(world, gone, gone); /* what it is said to have said itself is no word */
    say_absent(world, FIRST + 2, gone);
    set_life(world, FIRST + 2, GOSSIP_SUSPECT); /* neither is that of one that does not answer, */
    expect_no_step(world);
    set_life(world, FIRST + 2, GOSSIP_UP);
    said_by(world, FIRST + 2)->cluster = CLUSTER + 1; /* nor of one that is elsewhere */
    expect_no_step(world);
    follow(world, FIRST + 2, false);
    forgive(world, ME);
    expect_no_step(world); /* nobody removes whom it hears itself, whatever others say */
    say_absent(world, ME, gone);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_null(ring_member(&world->layout.next, gone));
    run_change(world);
    assert_false(layout_is_member(&world->layout, gone));
    expect_no_step(world);
    set_life(world, gone, GOSSIP_UP); /* it is back, with nothing */
    said_by(world, gone)->cluster = 0;
    for (uint64_t node = FIRST; node < FIRST + 4; node++)
        forgive(world, node);
    expect_step(world, LAYOUT_WRITING_BOTH, 5);
    world_free(world);
}

/* Whoever was a member may still have something to bring, until it says that it has nothing. */
static void test_the_departed_are_kept_until_they_have_nothing(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    uint64_t left = FIRST + 3;
    said_by(world, left)->leaving = true;
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    run_change(world);
    assert_int_equal(world->layout.ring.member_count, 3);
    assert_true(layout_has_departed(&world->layout, left));
    expect_no_step(world);
    follow(world, left, false);
    expect_no_step(world);
    said_by(world, left)->empty_version = world->layout.version - 1;
    expect_no_step(world);
    said_by(world, left)->empty_version = world->layout.version;
    set_life(world, left, GOSSIP_SUSPECT);
    expect_no_step(world);
    set_life(world, left, GOSSIP_UP);
    said_by(world, FIRST + 1)->layout_version--; /* it may still give it something to keep */
    expect_no_step(world);
    follow(world, FIRST + 1, true);
    expect_step(world, LAYOUT_STABLE, 3);
    assert_int_equal(world->layout.departed_count, 0);
    all_follow(world);
    expect_no_step(world);
    world_free(world);
}

static void say_lost(struct world *world, uint64_t node, uint64_t lost)
{
    say_absent(world, node, lost);
    said_by(world, node)->lost |= (uint16_t)(1u << (said_by(world, node)->absent_count - 1));
}

/* Where as many members as copies would not stay it takes the longer absence. */
static void test_who_is_lost_is_removed_and_not_kept(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    uint64_t lost = FIRST + 2;
    set_life(world, lost, GOSSIP_DOWN);
    say_absent(world, ME, lost);
    say_lost(world, FIRST + 1, lost);
    expect_no_step(world);
    forgive(world, ME);
    say_lost(world, ME, lost);
    expect_step(world, LAYOUT_WRITING_BOTH, 2);
    run_change(world);
    assert_true(layout_has_departed(&world->layout, lost));
    forgive(world, FIRST + 1); /* it has forgotten, since it was down itself */
    expect_no_step(world);
    say_lost(world, FIRST + 1, lost);
    expect_step(world, LAYOUT_STABLE, 2);
    assert_int_equal(world->layout.departed_count, 0);
    world_free(world);
}

/* It was to join, and may have been given something to keep before that was given up. */
static void test_who_was_to_join_departs(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    introduce(world, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    all_follow(world);
    set_life(world, FIRST + 3, GOSSIP_DOWN);
    remove_node(world, FIRST + 3);
    expect_step(world, LAYOUT_STABLE, 3);
    assert_true(layout_has_departed(&world->layout, FIRST + 3));
    all_follow(world);
    expect_step(world, LAYOUT_STABLE, 3); /* it is down, and an operator says that it is gone */
    assert_int_equal(world->layout.departed_count, 0);
    world_free(world);
}

static void test_a_strangers_word_does_not_count(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    set_life(world, FIRST + 3, GOSSIP_DOWN);
    for (uint64_t node = FIRST + 4; node < FIRST + 8; node++) {
        introduce(world, node);
        said_by(world, node)->weight = 0;
        follow(world, node, false);
        say_absent(world, node, FIRST + 3);
    }
    say_absent(world, ME, FIRST + 3);
    say_absent(world, FIRST + 1, FIRST + 3);
    expect_no_step(world);
    say_absent(world, FIRST + 2, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 3);
    world_free(world);
}

/* With fewer members than copies nobody would get what the removed one had. */
static void test_as_many_stay_as_there_are_copies(void **state)
{
    (void)state;
    struct world *world = world_new(5);
    set_life(world, FIRST + 3, GOSSIP_DOWN);
    set_life(world, FIRST + 4, GOSSIP_DOWN);
    for (uint64_t node = FIRST; node < FIRST + 3; node++) {
        say_absent(world, node, FIRST + 3);
        say_absent(world, node, FIRST + 4);
    }
    expect_step(world, LAYOUT_WRITING_BOTH, 3);
    run_change(world);
    set_life(world, FIRST + 1, GOSSIP_DOWN);
    for (uint64_t node = FIRST; node < FIRST + 3; node++) {
        forgive(world, node);
        say_absent(world, node, FIRST + 1);
    }
    expect_no_step(world);
    world_free(world);
}

/* It was to take part in a change under way: that goes on without it. */
static void test_a_change_goes_on_without_who_is_away_long(void **state)
{
    (void)state;
    struct world *world = world_new(5);
    introduce(world, FIRST + 5);
    expect_step(world, LAYOUT_WRITING_BOTH, 6);
    all_follow(world);
    set_life(world, FIRST + 5, GOSSIP_DOWN);
    said_by(world, FIRST + 5)->synced_version = 0;
    expect_no_step(world);
    for (uint64_t node = FIRST; node < FIRST + 3; node++)
        say_absent(world, node, FIRST + 5);
    expect_no_step(world); /* three of six */
    say_absent(world, FIRST + 3, FIRST + 5);
    expect_step(world, LAYOUT_STABLE, 5);
    expect_no_step(world);
    world_free(world);
}

static void test_several_join_at_once(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    for (uint64_t node = FIRST + 3; node < FIRST + 8; node++)
        introduce(world, node);
    set_life(world, FIRST + 5, GOSSIP_SUSPECT);
    said_by(world, FIRST + 6)->cluster = CLUSTER + 1;
    said_by(world, FIRST + 7)->leaving = true;
    expect_step(world, LAYOUT_WRITING_BOTH, 5);
    assert_true(layout_is_member(&world->layout, FIRST + 4));
    for (uint64_t node = FIRST + 5; node < FIRST + 8; node++)
        assert_false(layout_is_member(&world->layout, node));
    set_life(world, FIRST + 5, GOSSIP_UP); /* it comes too late for this one */
    all_follow(world);
    expect_step(world, LAYOUT_READING_NEW, 5);
    all_follow(world);
    expect_step(world, LAYOUT_STABLE, 5);
    all_follow(world);
    expect_step(world, LAYOUT_WRITING_BOTH, 6);
    world_free(world);
}

static void test_a_join_waits_for_rows_and_for_all_to_know(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    introduce(world, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    expect_no_step(world);
    follow(world, FIRST + 1, true);
    follow(world, FIRST + 2, true);
    expect_no_step(world);
    follow(world, FIRST + 3, false); /* it has the layout, but not the rows */
    expect_no_step(world);
    follow(world, FIRST + 3, true);
    said_by(world, FIRST + 3)->cluster = CLUSTER + 1; /* the numbers of another cluster */
    expect_no_step(world);
    follow(world, FIRST + 3, true);
    said_by(world, FIRST + 2)->layout_version--;
    expect_no_step(world);
    set_life(world, FIRST + 2, GOSSIP_SUSPECT);
    expect_no_step(world);
    follow(world, FIRST + 2, false); /* who gains nothing needs no rows */
    expect_step(world, LAYOUT_READING_NEW, 4);
    expect_no_step(world);
    follow(world, FIRST + 1, false);
    follow(world, FIRST + 2, false);
    expect_no_step(world);
    follow(world, FIRST + 3, false); /* rows are no condition now */
    expect_step(world, LAYOUT_STABLE, 4);
    world_free(world);
}

static void test_the_dead_are_not_waited_for_but_fences_are(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    introduce(world, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    set_life(world, FIRST + 2, GOSSIP_DOWN);
    set_life(world, FIRST + 1, GOSSIP_DOWN);
    follow(world, FIRST + 1, true); /* it had learned, and then died */
    follow(world, FIRST + 3, true);
    expect_no_step(world); /* one old owner of three is no fence */
    set_life(world, FIRST + 1, GOSSIP_UP);
    expect_step(world, LAYOUT_READING_NEW, 4);
    follow(world, FIRST + 3, true);
    set_life(world, FIRST + 1, GOSSIP_DOWN);
    expect_no_step(world);
    set_life(world, FIRST + 1, GOSSIP_UP);
    follow(world, FIRST + 1, true);
    expect_step(world, LAYOUT_STABLE, 4);
    world_free(world);
}

static void test_a_dead_one_that_gains_is_waited_for(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    introduce(world, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    all_follow(world);
    said_by(world, FIRST + 3)->synced_version--;
    set_life(world, FIRST + 3, GOSSIP_DOWN);
    expect_no_step(world);
    remove_node(world, FIRST + 3); /* until an operator gives it up */
    assert_true(change_is_proposer(&world->options));
    expect_step(world, LAYOUT_STABLE, 3);
    assert_false(layout_is_member(&world->layout, FIRST + 3));
    set_life(world, FIRST + 3, GOSSIP_UP);
    said_by(world, FIRST + 3)->cluster = 0;
    expect_no_step(world); /* nor is it taken in again */
    world_free(world);
}

/* Others know nothing of it, and would begin the change that it holds up again and again. */
static void test_a_removal_goes_on_beside_another_change(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    introduce(world, FIRST + 4);
    said_by(world, FIRST + 1)->leaving = true;
    expect_step(world, LAYOUT_WRITING_BOTH, 5);
    all_follow(world); /* who joins says that it has a cluster now */
    set_life(world, FIRST + 2, GOSSIP_DOWN);
    remove_node(world, FIRST + 2);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_null(ring_member(&world->layout.next, FIRST + 2));
    assert_non_null(ring_member(&world->layout.next, FIRST + 4));
    assert_int_equal(layout_member(&world->layout, FIRST + 1)->weight, 0);
    expect_no_step(world); /* who gains slots in it has to take them over anew */
    run_change(world);
    assert_int_equal(world->layout.ring.member_count, 3);
    assert_false(layout_is_member(&world->layout, FIRST + 2));
    expect_step(world, LAYOUT_STABLE, 3); /* the one that left may bring something, */
    assert_true(layout_has_departed(&world->layout, FIRST + 1));
    assert_false(layout_has_departed(&world->layout, FIRST + 2)); /* the one removed does not */
    all_follow(world);
    expect_no_step(world);
    world_free(world);
}

/* R and W decide how many old owners make a fence: N - min(R, W) + 1. */
static void test_fences_by_quorums(void **state)
{
    (void)state;
    static const struct {
        unsigned read, write, needed;
    } cases[] = {{1, 3, 3}, {3, 1, 3}, {2, 2, 2}, {3, 3, 1}, {7, 7, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct world *world = world_new(3);
        world->options.read_quorum = cases[i].read;
        world->options.write_quorum = cases[i].write;
        introduce(world, FIRST + 3);
        expect_step(world, LAYOUT_WRITING_BOTH, 4);
        all_follow(world);
        set_life(world, FIRST + 2, GOSSIP_DOWN);
        assert_int_equal(advance(world), cases[i].needed <= 2);
        if (cases[i].needed > 2) {
            set_life(world, FIRST + 2, GOSSIP_UP);
            assert_true(advance(world));
        }
        world_free(world);
    }
}

static void test_a_member_leaves(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    said_by(world, FIRST + 1)->leaving = true;
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_int_equal(layout_member(&world->layout, FIRST + 1)->weight, 0);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t owners[RING_COPIES_MAX];
        ring_owners(&world->layout.next, (uint16_t)slot, owners);
        for (unsigned i = 0; i < 3; i++)
            assert_int_not_equal(owners[i], FIRST + 1);
    }
    all_follow(world);
    expect_step(world, LAYOUT_READING_NEW, 4);
    all_follow(world);
    expect_step(world, LAYOUT_STABLE, 3);
    assert_false(layout_is_member(&world->layout, FIRST + 1));
    expect_no_step(world); /* it still says its cluster: it doesn't come back by that */
    world_free(world);
}

static void test_the_last_one_cannot_leave(void **state)
{
    (void)state;
    struct world *world = world_new(2);
    said_by(world, ME)->leaving = true;
    said_by(world, FIRST + 1)->leaving = true;
    expect_no_step(world);
    introduce(world, FIRST + 2); /* but to a new one both may leave their slots */
    expect_step(world, LAYOUT_WRITING_BOTH, 3);
    assert_int_equal(world->layout.next.copies, 1);
    world_free(world);
}

/* With fewer copies R of the owners left may miss what W had: they must sync, though none gains. */
static void test_fewer_copies_are_synced_first(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    said_by(world, FIRST + 1)->leaving = said_by(world, FIRST + 2)->leaving = true;
    expect_step(world, LAYOUT_WRITING_BOTH, 3);
    assert_int_equal(world->layout.next.copies, 1);
    for (uint64_t node = FIRST; node < FIRST + 3; node++)
        follow(world, node, false);
    expect_no_step(world);
    follow(world, ME, true);
    expect_step(world, LAYOUT_READING_NEW, 3);
    world_free(world);
}

static void test_an_operator_removes_a_dead_one(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    set_life(world, FIRST + 3, GOSSIP_DOWN);
    expect_no_step(world);
    remove_node(world, FIRST + 3);
    expect_step(world, LAYOUT_WRITING_BOTH, 3);
    world->gossip.heard[3] = false; /* gossip has forgotten it */
    all_follow(world);
    expect_step(world, LAYOUT_READING_NEW, 3);
    all_follow(world);
    expect_step(world, LAYOUT_STABLE, 3);
    expect_no_step(world);
    world_free(world);
}

/* This node has just started: nobody has told it of a member yet, which may well be alive. */
static void test_who_was_not_heard_of_is_waited_for(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    introduce(world, FIRST + 4);
    expect_step(world, LAYOUT_WRITING_BOTH, 5);
    all_follow(world);
    world->gossip.heard[3] = false;
    expect_no_step(world);
    world->gossip.heard[3] = true;
    expect_step(world, LAYOUT_READING_NEW, 5);
    all_follow(world);
    world->gossip.heard[3] = false;
    expect_no_step(world);
    remove_node(world, FIRST + 3); /* an operator knows better; it goes with the next change */
    expect_step(world, LAYOUT_STABLE, 5);
    all_follow(world);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    world_free(world);
}

static void test_weights_zones_and_hosts_change(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    said_by(world, FIRST + 2)->weight = 2 * RING_WEIGHT;
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_int_equal(layout_member(&world->layout, FIRST + 2)->weight, 2 * RING_WEIGHT);
    said_by(world, FIRST + 1)->zone[0] = 'Z'; /* in the next one */
    run_change(world);
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_int_equal(layout_member(&world->layout, FIRST + 1)->zone, change_place("Zone"));
    run_change(world);
    said_by(world, ME)->host[0] = 'H';
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_int_equal(layout_member(&world->layout, ME)->host, change_place("Host-10"));
    run_change(world);
    said_by(world, FIRST + 3)->weight = UINT32_MAX; /* a peer's word has bounds */
    expect_step(world, LAYOUT_WRITING_BOTH, 4);
    assert_int_equal(layout_member(&world->layout, FIRST + 3)->weight, RING_WEIGHT_MAX);
    world_free(world);
}

static void test_a_member_that_comes_back_is_that_member(void **state)
{
    (void)state;
    struct world *world = world_new(3);
    introduce(world, FIRST + 1); /* without a layout yet: it will be told */
    said_by(world, FIRST + 1)->generation = 2;
    expect_no_step(world);
    assert_int_equal(said_by(world, FIRST + 1)->cluster, 0);
    world_free(world);
}

static void test_hosts(void **state)
{
    (void)state;
    struct gossip_self a = {.node = 1, .host = "10.0.0.1"}, b = {.node = 2, .host = "10.0.0.1"};
    assert_true(change_member(&a).host == change_member(&b).host);
    assert_true(change_member(&a).zone == change_member(&b).zone);
    memcpy(b.host, "10.0.0.2", 9);
    assert_true(change_member(&a).host != change_member(&b).host);
    /* on one machine each is a host of its own, or there could be no copies */
    memcpy(a.host, "127.0.0.1", 10);
    memcpy(b.host, "127.0.0.1", 10);
    assert_true(change_member(&a).host != change_member(&b).host);
    memcpy(b.host, "127.0.0.2", 10);
    uint64_t before = change_member(&b).host;
    memcpy(b.host, "localhost", 10);
    assert_true(change_member(&b).host == before);
}

static void test_who_proposes(void **state)
{
    (void)state;
    struct world *world = world_new(4);
    assert_true(change_is_proposer(&world->options));
    /* as node FIRST + 1 would see it: ME, the first, is its peer */
    world->gossip.peers[0] = (struct gossip_peer){.said = world->gossip.self};
    world->gossip.heard[0] = true;
    world->gossip.self = world->gossip.peers[1].said;
    world->gossip.heard[1] = false;
    world->options.node = FIRST + 1;
    assert_false(change_is_proposer(&world->options));
    set_life(world, FIRST, GOSSIP_SUSPECT);
    assert_true(change_is_proposer(&world->options));
    set_life(world, FIRST, GOSSIP_UP);
    world->gossip.peers[0].said.layout_version--; /* it is behind */
    assert_true(change_is_proposer(&world->options));
    world->gossip.peers[0].said.layout_version++;
    assert_false(change_is_proposer(&world->options));
    remove_node(world, FIRST + 3); /* an operator has told this node */
    assert_true(change_is_proposer(&world->options));
    /* who is no member, or wants to join another cluster, changes nothing */
    struct layout next;
    world->gossip.self.cluster = 0;
    assert_false(change_next(&world->options, &next));
    world->gossip.self.cluster = CLUSTER;
    assert_true(change_next(&world->options, &next));
    layout_deinit(&next);
    world->options.node = FIRST + 7;
    assert_false(change_next(&world->options, &next));
    assert_false(change_is_proposer(&world->options));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_several_join_at_once),
        cmocka_unit_test(test_who_is_away_long_is_removed_on_a_majoritys_word),
        cmocka_unit_test(test_the_departed_are_kept_until_they_have_nothing),
        cmocka_unit_test(test_who_is_lost_is_removed_and_not_kept),
        cmocka_unit_test(test_who_was_to_join_departs),
        cmocka_unit_test(test_a_strangers_word_does_not_count),
        cmocka_unit_test(test_as_many_stay_as_there_are_copies),
        cmocka_unit_test(test_a_change_goes_on_without_who_is_away_long),
        cmocka_unit_test(test_a_join_waits_for_rows_and_for_all_to_know),
        cmocka_unit_test(test_the_dead_are_not_waited_for_but_fences_are),
        cmocka_unit_test(test_a_dead_one_that_gains_is_waited_for),
        cmocka_unit_test(test_a_removal_goes_on_beside_another_change),
        cmocka_unit_test(test_fences_by_quorums),
        cmocka_unit_test(test_a_member_leaves),
        cmocka_unit_test(test_the_last_one_cannot_leave),
        cmocka_unit_test(test_fewer_copies_are_synced_first),
        cmocka_unit_test(test_an_operator_removes_a_dead_one),
        cmocka_unit_test(test_who_was_not_heard_of_is_waited_for),
        cmocka_unit_test(test_weights_zones_and_hosts_change),
        cmocka_unit_test(test_a_member_that_comes_back_is_that_member),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_who_proposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
