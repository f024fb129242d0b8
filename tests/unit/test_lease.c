/* SPDX-License-Identifier: MIT */
/*
 * Leases: when the first reader of a slot may read alone. Stories, and random worlds in which it is
 * asked again and again whether it may, while others coordinate too, are cut off, stand still and
 * are started anew: if it may, it has every write that was acknowledged before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/quorum_world.h"
#include "quorum/lease.h"
#include "quorum/quorum_codec.h"
#include "row/slot.h"

#define KEY "k"

/* Of the key's slot: who is the first, and the two others. */
struct three {
    struct world world;
    unsigned first, second, third;
    uint16_t slot;
};

static void three_init(struct three *three)
{
    unsigned owners[RING_COPIES_MAX];
    world_init(&three->world, 3, 1);
    world_owners(&three->world, KEY, owners);
    three->first = owners[0];
    three->second = owners[1];
    three->third = owners[2];
    three->slot = slot_of_key(BYTES(KEY));
    for (unsigned i = 0; i < 3; i++)
        three->world.nodes[i].same_slot = three->slot;
    for (unsigned i = 0; i < 2; i++) { /* so the first knows that they answer fast */
        struct world_verify verify;
        const char *key = KEY;
        world_verify(&three->world, &verify, three->first, &key, 1, false);
        world_run(&three->world, 3);
        assert_true(verify.is_done && verify.status == STATUS_OK);
        world_verify_deinit(&verify);
    }
}

/* How many others it has to ask before it reads. */
static unsigned others_of(struct world *world, unsigned node, uint16_t slot)
{
    struct consistency as_configured = {0, 0};
    return quorum_others_to_ask(world->nodes[node].quorum, slot, as_configured, false,
                                world->now_ms);
}

static unsigned others(struct three *three)
{
    return others_of(&three->world, three->first, three->slot);
}

static void compare(struct three *three)
{
    three->world.nodes[three->first].same = 1 << 1 | 1 << 2;
}

/* Two have promised, and have been found the same. */
static void three_promised(struct three *three)
{
    three_init(three);
    assert_int_equal(others(three), 1);
    world_run(&three->world, 3);
    compare(three);
    assert_int_equal(others(three), 0);
}

static unsigned distrusted(const struct three *three)
{
    return three->world.nodes[three->first].distrusted;
}

/* ---- who counts on it ------------------------------------------------------------------------ */

static void test_with_a_promise_and_equal_copies_nobody_is_asked(void **state)
{
    struct three three;
    (void)state;
    three_init(&three);
    compare(&three);
    assert_int_equal(others(&three), 1); /* nobody has promised */
    world_run(&three.world, 3);
    assert_int_equal(distrusted(&three), 2);
    assert_int_equal(others(&three), 1); /* they are to be compared since */
    compare(&three);
    assert_int_equal(others(&three), 0);
    struct consistency all = {QUORUM_ALL, 0};
    struct quorum *quorum = three.world.nodes[three.first].quorum;
    assert_int_equal(quorum_others_to_ask(quorum, three.slot, all, false, three.world.now_ms), 0);
    three.world.nodes[three.first].same = 1 << 2;
    assert_int_equal(quorum_others_to_ask(quorum, three.slot, all, false, three.world.now_ms), 2);
    assert_int_equal(others(&three), 0); /* one of them is enough */
    world_deinit(&three.world);
}

static void test_only_the_first_reader_reads_alone(void **state)
{
    struct three three;
    (void)state;
    three_promised(&three);
    three.world.nodes[three.second].same = 0xffff;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(others_of(&three.world, three.second, three.slot), 1);
        world_turn(&three.world);
    }
    world_deinit(&three.world);
}

static void test_while_it_reads_one_promise_follows_the_other(void **state)
{
    struct three three;
    (void)state;
    three_promised(&three);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(others(&three), 0);
        world_turn(&three.world);
    }
    struct quorum_stats stats;
    quorum_stats(three.world.nodes[three.second].quorum, &stats);
    assert_in_range(stats.leases_given, 300 / (LEASE_RENEW_MS + 4), 300 / LEASE_RENEW_MS + 2);
    assert_int_equal(distrusted(&three), 2);
    world_run(&three.world, LEASE_HELD_MS);
    assert_int_equal(others(&three), 1); /* it had read nothing */
    world_run(&three.world, 3);
    assert_int_equal(others(&three), 0); /* and nothing was confirmed meanwhile */
    world_deinit(&three.world);
}

static void test_a_promise_counts_from_when_it_was_asked_for(void **state)
{
    struct three three;
    (void)state;
    three_init(&three);
    unsigned first = three.first;
    three.world.held[three.second][first] = three.world.held[three.third][first] = true;
    assert_int_equal(others(&three), 1);
    world_run(&three.world, LEASE_HELD_MS);
    three.world.held[three.second][first] = three.world.held[three.third][first] = false;
    world_turn(&three.world);
    compare(&three);
    assert_int_equal(others(&three), 1);
    world_deinit(&three.world);
}

static void test_a_node_that_stood_still_counts_on_nothing(void **state)
{
    struct three three;
    (void)state;
    three_promised(&three);
    three.world.nodes[three.first].stopped = true;
    world_run(&three.world, LEASE_HELD_MS);
    three.world.nodes[three.first].stopped = false;
    assert_int_equal(others(&three), 1);
    world_deinit(&three.world);
}

static void test_own_rows_that_w_owners_lack_are_not_shown(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    three_promised(&three);
    struct store *second = &three.world.nodes[three.second].store;
    struct store *third = &three.world.nodes[three.third].store;
    second->sync_held = third->sync_held = true;
    world_write(&three.world, &write, three.first, KEY);
    world_run(&three.world, 4);
    assert_int_equal(others(&three), 1);
    second->sync_held = false;
    world_run(&three.world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_int_equal(others(&three), 0);
    third->sync_held = false;
    world_deinit(&three.world);
}

static void test_a_write_that_failed_is_to_be_compared(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    three_init(&three);
    quorum_set_numbers(three.world.nodes[three.first].quorum, 2, 2, false);
    world_isolate(&three.world, three.first);
    world_write(&three.world, &write, three.first, KEY);
    world_run(&three.world, WORLD_TIMEOUT_MS + QUORUM_KEPT_MS);
    assert_true(write.is_done && write.status != STATUS_OK);
    assert_int_equal(three.world.nodes[three.first].other_coordinators, 1);
    world_deinit(&three.world);
}

static void test_another_layout_ends_it(void **state)
{
    struct three three;
    struct layout writing, stable;
    (void)state;
    three_promised(&three);
    layout_step(&three.world.layout, three.world.layout.ring.members, 3, &writing);
    layout_step_back(&writing, &stable);
    quorum_set_layout(three.world.nodes[three.first].quorum, &writing, three.world.now_ms);
    assert_int_equal(others(&three), 1);
    quorum_set_layout(three.world.nodes[three.first].quorum, &stable, three.world.now_ms);
    assert_int_equal(others(&three), 1);
    world_run(&three.world, 10);
    compare(&three);
    assert_int_equal(others(&three), 1); /* they have another one */
    for (unsigned i = 0; i < 3; i++)
        quorum_set_layout(three.world.nodes[i].quorum, &stable, three.world.now_ms);
    for (unsigned i = 0; i < LEASE_RETRY_MS + 3; i++) {
        others(&three);
        world_turn(&three.world);
    }
    compare(&three);
    assert_int_equal(others(&three), 0);
    world_deinit(&three.world);
    layout_deinit(&writing);
    layout_deinit(&stable);
}

/* ---- who promises ---------------------------------------------------------------------------- */

/* The first has just asked, and is cut off: until when the others keep their word. */
static uint64_t cut_off(struct three *three)
{
    three_promised(three);
    world_run(&three->world, LEASE_RENEW_MS);
    assert_int_equal(others(three), 0);
    world_run(&three->world, 2);
    uint64_t until_ms = quorum_leases_end_ms(three->world.nodes[three->second].quorum);
    assert_in_range(until_ms, three->world.now_ms + LEASE_MS - 2, three->world.now_ms + LEASE_MS);
    world_isolate(&three->world, three->first);
    return until_ms;
}

static void test_another_coordinator_waits_for_the_end(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    uint64_t until_ms = cut_off(&three);
    world_write(&three.world, &write, three.second, KEY);
    while (!write.is_done && three.world.now_ms < until_ms + LEASE_MS)
        world_turn(&three.world);
    assert_int_equal(write.status, STATUS_OK);
    assert_in_range(three.world.now_ms, until_ms, until_ms + 3);
    world_deinit(&three.world);
}

/* It would be enough if one of them forgot it: of the two that are left both are needed. */
static void test_neither_acknowledges_past_it(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    uint64_t until_ms = cut_off(&three);
    world_write(&three.world, &write, three.second, KEY);
    while (three.world.now_ms < until_ms - 1)
        world_turn(&three.world);
    assert_int_equal(three.world.nodes[three.third].sent[QUORUM_REPLICATED - QUORUM_REPLICATE], 0);
    assert_false(write.is_done);
    world_deinit(&three.world);
}

static void test_who_reads_past_it_waits_too(void **state)
{
    struct three three;
    struct world_verify verify;
    const char *key = KEY;
    (void)state;
    uint64_t until_ms = cut_off(&three);
    world_verify(&three.world, &verify, three.second, &key, 1, false);
    while (!verify.is_done && three.world.now_ms < until_ms + LEASE_MS)
        world_turn(&three.world);
    assert_int_equal(verify.status, STATUS_OK);
    assert_in_range(three.world.now_ms, until_ms, until_ms + 3);
    world_verify_deinit(&verify);
    world_deinit(&three.world);
}

/* Nobody counts on a promise to who has ended. */
static void test_a_death_ends_it(void **state)
{
    struct three three;
    struct world_write write = {0};
    struct world_verify verify;
    const char *key = KEY;
    (void)state;
    cut_off(&three);
    uint64_t begin_ms = three.world.now_ms;
    world_write(&three.world, &write, three.second, KEY);
    world_verify(&three.world, &verify, three.second, &key, 1, false);
    world_run(&three.world, 5);
    assert_false(write.is_done || verify.is_done);
    uint64_t dead = three.world.nodes[three.first].node;
    quorum_node_ended(three.world.nodes[three.second].quorum, dead, three.world.now_ms);
    quorum_node_ended(three.world.nodes[three.third].quorum, dead, three.world.now_ms);
    world_run(&three.world, 5);
    assert_true(write.is_done && verify.is_done);
    assert_int_equal(write.status, STATUS_OK);
    assert_int_equal(verify.status, STATUS_OK);
    assert_in_range(three.world.now_ms, begin_ms, begin_ms + LEASE_MS / 2);
    world_verify_deinit(&verify);
    world_deinit(&three.world);
}

/* For they may take it for dead, and nobody tells it. */
static void test_who_has_lost_its_link_to_others_counts_on_nothing(void **state)
{
    struct three three;
    (void)state;
    three_promised(&three);
    assert_int_equal(others(&three), 0);
    world_cut(&three.world, three.first, three.second);
    world_cut(&three.world, three.first, three.third);
    assert_int_equal(others(&three), 1);
    world_deinit(&three.world);
}

/* The one that coordinates has promised nothing, but the one that it asks. */
static void test_who_is_asked_waits(void **state)
{
    struct three three;
    struct world_verify verify;
    const char *key = KEY;
    (void)state;
    three_init(&three);
    world_cut(&three.world, three.first, three.second);
    assert_int_equal(others(&three), 1);
    world_run(&three.world, 3);
    three.world.nodes[three.first].same = 1 << 2;
    assert_int_equal(others(&three), 0);
    uint64_t begin_ms = three.world.now_ms;
    world_verify(&three.world, &verify, three.second, &key, 1, false);
    while (!verify.is_done && three.world.now_ms < begin_ms + 2 * LEASE_MS) {
        world_turn(&three.world);
        if (!verify.is_done)
            others(&three);
    }
    assert_int_equal(verify.status, STATUS_OK);
    assert_in_range(three.world.now_ms, begin_ms + LEASE_MS - 5, begin_ms + LEASE_MS + 5);
    assert_int_equal(others(&three), 1); /* nor is it promised again at once */
    world_verify_deinit(&verify);
    world_deinit(&three.world);
}

static void test_what_was_confirmed_meanwhile_is_counted(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    cut_off(&three);
    world_write(&three.world, &write, three.second, KEY);
    world_run(&three.world, LEASE_MS + 5);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_heal(&three.world, three.first, three.second);
    world_heal(&three.world, three.first, three.third);
    unsigned before = distrusted(&three);
    for (unsigned i = 0; i < LEASE_REST_MS + LEASE_RETRY_MS; i++) {
        assert_true(others(&three) == 1 || distrusted(&three) > before);
        world_turn(&three.world);
    }
    assert_int_equal(distrusted(&three), before + 2);
    compare(&three);
    assert_int_equal(others(&three), 0);
    world_deinit(&three.world);
}

static void test_who_starts_keeps_what_it_may_have_promised(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    cut_off(&three);
    world_restart(&three.world, three.second);
    world_restart(&three.world, three.third);
    uint64_t begin_ms = three.world.now_ms;
    world_write(&three.world, &write, three.second, KEY);
    while (!write.is_done)
        world_turn(&three.world);
    assert_int_equal(write.status, STATUS_OK);
    assert_in_range(three.world.now_ms, begin_ms + LEASE_MS, begin_ms + LEASE_MS + 3);
    world_deinit(&three.world);
}

/* What it asks is withheld, and then there is nobody whom it could ask. */
static void test_who_starts_alone_has_others_to_ask_later(void **state)
{
    struct three three;
    struct world_verify verify;
    const char *key = KEY;
    (void)state;
    three_init(&three);
    world_isolate(&three.world, three.second);
    world_restart(&three.world, three.second);
    world_verify(&three.world, &verify, three.second, &key, 1, false);
    world_run(&three.world, LEASE_MS + 5);
    assert_false(verify.is_done);
    world_heal(&three.world, three.second, three.third);
    world_run(&three.world, 2 * QUORUM_SPECULATE_MS);
    assert_true(verify.is_done);
    assert_int_equal(verify.status, STATUS_OK);
    world_verify_deinit(&verify);
    world_deinit(&three.world);
}

static void test_the_holder_itself_is_not_held_up(void **state)
{
    struct three three;
    struct world_write write = {0};
    (void)state;
    three_promised(&three);
    world_write(&three.world, &write, three.first, KEY);
    world_run(&three.world, 3);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_int_equal(others(&three), 0);
    world_deinit(&three.world);
}

/* ---- random worlds --------------------------------------------------------------------------- */

enum { SEEDS = 200, TURNS = 3000, WRITES = 150, VERIFIES = 300 };

struct play {
    struct world world;
    struct random random;
    struct world_write writes[WRITES];
    bool is_lost[WRITES]; /* its coordinator has been started anew: nobody is told */
    unsigned write_count;
    unsigned owners[RING_COPIES_MAX];
    uint16_t slot;
    unsigned alone, asked; /* reads */
    struct world_verify verifies[VERIFIES];
    unsigned verify_count;
};

static const char *const play_keys[] = {"a{k}", "b{k}", "c{k}"};

static bool are_same(struct play *play, unsigned a, unsigned b)
{
    for (unsigned i = 0; i < 3; i++) {
        struct bytes head = world_head(&play->world, play_keys[i]);
        if (!bytes_equal(fake_rows_get(&play->world.nodes[a].store, head),
                         fake_rows_get(&play->world.nodes[b].store, head)))
            return false;
    }
    return true;
}

/* What sync/ does: a copy is compared, and found the same, or merged. */
static void play_compare(struct play *play)
{
    struct world *world = &play->world;
    unsigned at = 1 + (unsigned)random_below(&play->random, 2);
    unsigned first = play->owners[0], other = play->owners[at];
    if (world->cut[first][other] || world->nodes[first].stopped || world->nodes[other].stopped)
        return;
    for (unsigned i = 0; i < 3; i++) {
        struct bytes head = world_head(world, play_keys[i]);
        struct bytes row = fake_rows_get(&world->nodes[other].store, head);
        if (row.size > 0 && fake_rows_put(&world->nodes[first].store, head,
                                          arena_copy(&world->arena, row)) != STATUS_OK)
            fail();
    }
    if (are_same(play, first, other))
        world->nodes[first].same |= (uint16_t)(1u << at);
}

static void play_write(struct play *play)
{
    struct world *world = &play->world;
    /* Who writes past a promise stops the next ones for a while. */
    unsigned at = random_once_in(&play->random, 20) ? (unsigned)random_below(&play->random, 3) : 0;
    unsigned owner = play->owners[at];
    if (play->write_count == WRITES || world->nodes[owner].stopped)
        return;
    world_write(world, &play->writes[play->write_count++], owner,
                play_keys[random_below(&play->random, 3)]);
}

static void play_restart(struct play *play, unsigned node)
{
    play->world.nodes[node].stopped = false;
    for (unsigned i = 0; i < play->write_count; i++)
        play->is_lost[i] = play->is_lost[i] || play->writes[i].coordinator == node;
    world_restart(&play->world, node);
}

static void play_calm(struct world *world)
{
    for (unsigned a = 0; a < 3; a++) {
        world->nodes[a].stopped = world->nodes[a].store.sync_held = false;
        for (unsigned b = 0; b < 3; b++) {
            world->held[a][b] = false;
            if (a < b && world->cut[a][b])
                world_heal(world, a, b);
        }
    }
}

static void play_disturb(struct play *play)
{
    struct world *world = &play->world;
    if (random_once_in(&play->random, 3))
        play_calm(world);
    unsigned a = (unsigned)random_below(&play->random, 3);
    unsigned b = (a + 1 + (unsigned)random_below(&play->random, 2)) % 3;
    switch (random_below(&play->random, 7)) {
    case 0:
        world_reset_link(world, a, b);
        break;
    case 1:
        if (!world->cut[a][b])
            world_cut(world, a, b);
        break;
    case 2:
        if (world->cut[a][b])
            world_heal(world, a, b);
        break;
    case 3:
        world->held[a][b] = !world->held[a][b];
        break;
    case 4:
        world->nodes[a].store.sync_held = !world->nodes[a].store.sync_held;
        break;
    case 5:
        world->nodes[a].stopped = !world->nodes[a].stopped;
        break;
    case 6:
        play_restart(play, a);
        break;
    }
}

/* Rule 15. */
static void play_read(struct play *play)
{
    struct world *world = &play->world;
    if (world->nodes[play->owners[0]].stopped)
        return;
    if (others_of(world, play->owners[0], play->slot) > 0) {
        if (play->verify_count < VERIFIES && random_once_in(&play->random, 3))
            world_verify(world, &play->verifies[play->verify_count++], play->owners[0],
                         &play_keys[0], 1, false);
        play->asked++;
        return;
    }
    play->alone++;
    for (unsigned i = 0; i < play->write_count; i++) {
        const struct world_write *write = &play->writes[i];
        if (write->is_done && write->status == STATUS_OK &&
            !world_has(world, play->owners[0], write->head, write->dot))
            fail_msg("write %u was acknowledged, and is not seen", i);
    }
}

static void play_seed(uint64_t seed, unsigned *alone, unsigned *asked)
{
    struct play *play = memory_zeroed(sizeof(*play));
    struct world *world = &play->world;
    play->random.state = seed;
    world_init(world, 3, seed);
    world->slowest_ms = 1 + random_below(&play->random, 5);
    world_owners(world, "{k}", play->owners);
    play->slot = slot_of_key(BYTES("{k}"));
    uint64_t calm = 50 + random_below(&play->random, 1000);
    for (unsigned i = 0; i < 3; i++) {
        world->nodes[i].same_slot = play->slot;
        quorum_set_numbers(world->nodes[i].quorum, 2, 2, false);
    }
    for (unsigned turn = 0; turn < TURNS; turn++) {
        world_turn(world);
        if (random_once_in(&play->random, calm))
            play_disturb(play);
        if (random_once_in(&play->random, 20))
            play_write(play);
        if (random_once_in(&play->random, 10))
            play_compare(play);
        play_read(play);
    }
    *alone += play->alone;
    *asked += play->asked;
    world_deinit(world);
    for (unsigned i = 0; i < play->verify_count; i++)
        world_verify_deinit(&play->verifies[i]);
    memory_free(play);
}

static void test_whoever_reads_alone_has_what_was_acknowledged(void **state)
{
    unsigned alone = 0, asked = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play_seed(seed, &alone, &asked);
    assert_true(alone > SEEDS * TURNS / 20 && asked > SEEDS * TURNS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_a_promise_and_equal_copies_nobody_is_asked),
        cmocka_unit_test(test_only_the_first_reader_reads_alone),
        cmocka_unit_test(test_while_it_reads_one_promise_follows_the_other),
        cmocka_unit_test(test_a_promise_counts_from_when_it_was_asked_for),
        cmocka_unit_test(test_a_node_that_stood_still_counts_on_nothing),
        cmocka_unit_test(test_own_rows_that_w_owners_lack_are_not_shown),
        cmocka_unit_test(test_a_write_that_failed_is_to_be_compared),
        cmocka_unit_test(test_another_layout_ends_it),
        cmocka_unit_test(test_another_coordinator_waits_for_the_end),
        cmocka_unit_test(test_neither_acknowledges_past_it),
        cmocka_unit_test(test_who_reads_past_it_waits_too),
        cmocka_unit_test(test_a_death_ends_it),
        cmocka_unit_test(test_who_has_lost_its_link_to_others_counts_on_nothing),
        cmocka_unit_test(test_who_is_asked_waits),
        cmocka_unit_test(test_what_was_confirmed_meanwhile_is_counted),
        cmocka_unit_test(test_who_starts_keeps_what_it_may_have_promised),
        cmocka_unit_test(test_who_starts_alone_has_others_to_ask_later),
        cmocka_unit_test(test_the_holder_itself_is_not_held_up),
        cmocka_unit_test(test_whoever_reads_alone_has_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
