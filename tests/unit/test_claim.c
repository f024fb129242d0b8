/* SPDX-License-Identifier: MIT */
/*
 * Claims: in strict mode a slot has one coordinator at a time. Stories, and random worlds in which
 * nodes that are cut off, slow and started anew race for locks: of each lock only one is told that
 * it has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doubles/quorum_world.h"
#include "quorum/claim.h"
#include "quorum/lease.h"
#include "quorum/quorum_codec.h"
#include "row/slot.h"

#define KEY "k"

enum { PATIENCE_MS = 200, WORLDS = 300, LOCKS = 12, RACE_MS = 40 };

static uint64_t term(struct world *world, unsigned node, const char *key)
{
    const struct quorum *quorum = world->nodes[node].quorum;
    return claim_holds(quorum, slot_of_key(bytes_text(key))) ? claim_term(quorum) : 0;
}

static void be_strict(struct world *world, unsigned node)
{
    quorum_set_numbers(world->nodes[node].quorum, 2, 2, false);
}

/* Three owners; W = R = 2 of them, nobody stands in. */
static void begin(struct world *world, unsigned owners[RING_COPIES_MAX])
{
    world_init(world, 3, 1);
    world_owners(world, KEY, owners);
    for (unsigned i = 0; i < 3; i++)
        be_strict(world, i);
}

/* What a new coordinator does before its first write. */
static enum status ask(struct world *world, unsigned node, const char *key)
{
    struct world_verify verify;
    world_verify(world, &verify, node, &key, 1, true);
    for (unsigned i = 0; i < WORLD_TIMEOUT_MS + PATIENCE_MS && !verify.is_done; i++)
        world_turn(world);
    assert_true(verify.is_done);
    world_verify_deinit(&verify);
    return verify.status;
}

static void test_a_slot_is_claimed_with_the_first_question(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write write = {0};
    (void)state;
    begin(&world, owners);
    assert_int_equal(term(&world, owners[0], KEY), 0);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    uint64_t first = term(&world, owners[0], KEY);
    assert_true(first > 0);
    world_write(&world, &write, owners[0], KEY);
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    assert_int_equal(term(&world, owners[0], KEY), first);
    assert_int_equal(term(&world, owners[1], KEY), 0);
    world_deinit(&world);
}

static void test_where_others_stand_in_nobody_claims(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, 3, 1);
    assert_int_equal(ask(&world, 0, KEY), STATUS_OK);
    assert_int_equal(term(&world, 0, KEY), 0);
    world_deinit(&world);
}

/* Its rows are on their way when another one claims the slot, and finds nothing. */
static void test_a_write_that_comes_after_the_next_claim_is_refused(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write late = {0}, next = {0};
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world.held[owners[0]][owners[1]] = world.held[owners[0]][owners[2]] = true;
    world_write(&world, &late, owners[0], KEY);
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    assert_false(world_has(&world, owners[1], late.head, late.dot));
    world_write(&world, &next, owners[1], KEY);
    world.held[owners[0]][owners[1]] = world.held[owners[0]][owners[2]] = false;
    world_run(&world, 5);
    assert_true(next.is_done && next.status == STATUS_OK);
    assert_true(late.is_done && late.status == STATUS_ABSENT); /* at once: it is hopeless */
    assert_int_equal(term(&world, owners[0], KEY), 0);
    world_deinit(&world);
}

/* It had come, but waited for the disk. */
static void test_a_write_that_is_stored_after_the_next_claim_is_not_acknowledged(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write late = {0};
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world_cut(&world, owners[0], owners[1]);
    world.nodes[owners[2]].store.waits = true;
    world_write(&world, &late, owners[0], KEY);
    world_run(&world, 3);
    world_cut(&world, owners[0], owners[2]);
    world.nodes[owners[2]].store.waits = false;
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    assert_false(world_has(&world, owners[1], late.head, late.dot));
    world_heal(&world, owners[0], owners[2]);
    fake_rows_go_on(&world.nodes[owners[2]].store);
    world_run(&world, WORLD_TIMEOUT_MS + PATIENCE_MS);
    assert_true(late.is_done);
    assert_int_equal(late.status, STATUS_ABSENT);
    world_deinit(&world);
}

static void test_a_claim_has_read_what_was_acknowledged(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write write = {0};
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world_cut(&world, owners[0], owners[1]);
    world_write(&world, &write, owners[0], KEY);
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_OK);
    world_isolate(&world, owners[0]);
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    assert_true(world_has(&world, owners[1], write.head, write.dot));
    world_deinit(&world);
}

static void test_who_has_lost_a_slot_claims_it_with_a_later_term(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    uint64_t last = 0;
    (void)state;
    begin(&world, owners);
    world_isolate(&world, owners[2]); /* so each has to ask the other */
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(ask(&world, owners[i % 2], KEY), STATUS_OK);
        assert_true(term(&world, owners[i % 2], KEY) > last);
        assert_int_equal(term(&world, owners[(i + 1) % 2], KEY), 0);
        last = term(&world, owners[i % 2], KEY);
    }
    world_deinit(&world);
}

/* Only it knows what it has under way: it is waited for, though enough have granted. */
static void test_who_has_the_slot_is_asked_for_what_it_has_under_way(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write last = {0};
    struct world_verify next;
    const char *key = KEY;
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world_run(&world, PATIENCE_MS);
    world_cut(&world, owners[0], owners[2]);
    world.held[owners[0]][owners[1]] = true;
    world_write(&world, &last, owners[0], KEY);
    world_verify(&world, &next, owners[1], &key, 1, true);
    world_run(&world, PATIENCE_MS);
    assert_false(next.is_done);
    world.held[owners[0]][owners[1]] = false;
    world_run(&world, LEASE_MS);
    assert_true(next.is_done && next.status == STATUS_OK);
    assert_true(world_has(&world, owners[1], last.head, last.dot));
    world_verify_deinit(&next);
    world_deinit(&world);
}

/* It is silent, and not known to be away. */
static void test_who_has_the_slot_is_not_waited_for_for_ever(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world.held[owners[0]][owners[1]] = true;
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    world_deinit(&world);
}

/* What the last one could not tell is not to be shown in place of what the next one is granted. */
static void test_who_wins_a_slot_has_the_later_dates(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    uint64_t first = world.nodes[owners[0]].store.dated_ms;
    assert_true(first > term(&world, owners[0], KEY));
    assert_int_equal(world.nodes[owners[1]].store.dated_ms, 0);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    assert_int_equal(world.nodes[owners[0]].store.dated_ms, first); /* it had it */
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    assert_true(world.nodes[owners[1]].store.dated_ms > first);
    assert_true(term(&world, owners[1], KEY) >= world.now_ms - PATIENCE_MS);
    world_deinit(&world);
}

static void test_who_stood_still_has_no_slot(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    begin(&world, owners);
    struct quorum *quorum = world.nodes[owners[0]].quorum;
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    quorum_stood_still(quorum, CLAIM_STALL_MS - 1, world.now_ms);
    assert_true(term(&world, owners[0], KEY) > 0);
    quorum_stood_still(quorum, CLAIM_STALL_MS, world.now_ms);
    assert_int_equal(term(&world, owners[0], KEY), 0);
    world_deinit(&world);
}

/* What was asked before says nothing about a slot that was lost since. */
static void test_losing_a_slot_is_counted(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    begin(&world, owners);
    world_isolate(&world, owners[2]);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    uint64_t claims = quorum_claims(world.nodes[owners[0]].quorum);
    assert_int_equal(ask(&world, owners[1], KEY), STATUS_OK);
    assert_true(quorum_claims(world.nodes[owners[0]].quorum) > claims);
    world_deinit(&world);
}

/* It does not know whom it has granted what. */
static void test_an_owner_that_starts_refuses_earlier_terms(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write write = {0}, again = {0};
    (void)state;
    begin(&world, owners);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world_run(&world, PATIENCE_MS);
    for (unsigned i = 1; i < 3; i++) {
        world_restart(&world, owners[i]);
        be_strict(&world, owners[i]);
    }
    world_write(&world, &write, owners[0], KEY);
    world_run(&world, 4);
    assert_true(write.is_done && write.status == STATUS_ABSENT);
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    world_write(&world, &again, owners[0], KEY);
    world_run(&world, LEASE_MS);
    assert_true(again.is_done && again.status == STATUS_OK);
    world_deinit(&world);
}

/* Of a value that only its coordinator has nobody is told before W have it. */
static void test_what_is_short_of_w_is_waited_for(void **state)
{
    struct world world;
    unsigned owners[RING_COPIES_MAX];
    struct world_write write = {0}, shown = {0};
    uint16_t slot = slot_of_key(BYTES(KEY));
    (void)state;
    begin(&world, owners);
    struct quorum *quorum = world.nodes[owners[0]].quorum;
    assert_int_equal(ask(&world, owners[0], KEY), STATUS_OK);
    assert_false(quorum_is_unsettled(quorum, slot));
    world.held[owners[0]][owners[1]] = world.held[owners[0]][owners[2]] = true;
    world_write(&world, &write, owners[0], KEY);
    assert_true(quorum_is_unsettled(quorum, slot));
    world_write_init(&shown, owners[0]);
    quorum_settle(quorum, &slot, 1, &shown.write);
    world_run(&world, 10);
    assert_false(shown.is_done);
    world.held[owners[0]][owners[1]] = false;
    world_run(&world, 3);
    assert_true(shown.is_done && shown.status == STATUS_OK);
    assert_false(quorum_is_unsettled(quorum, slot));
    world_deinit(&world);
}

/* ---- random worlds --------------------------------------------------------------------------- */

/* A node that wants the lock: SET key NX. */
struct racer {
    struct world_verify verify;
    struct world_write write;
    bool asks, writes;
};

static void race_step(struct world *world, struct racer *racer, unsigned node, const char *key)
{
    struct quorum *quorum = world->nodes[node].quorum;
    if (racer->writes || !racer->asks || !racer->verify.is_done)
        return;
    racer->asks = false;
    bool may = racer->verify.status == STATUS_OK &&
               racer->verify.verify.claims == quorum_claims(quorum) && term(world, node, key) > 0;
    world_verify_deinit(&racer->verify);
    if (!may || fake_rows_get(&world->nodes[node].store, world_head(world, key)).size > 0)
        return;
    world_write(world, &racer->write, node, key);
    racer->writes = true;
}

static void disturb(struct world *world, struct random *random)
{
    unsigned a = (unsigned)random_below(random, 3), b = (a + 1 + random_below(random, 2)) % 3;
    switch (random_below(random, 6)) {
    case 0:
        world->held[a][b] = !world->held[a][b];
        break;
    case 1:
        if (world->cut[a][b])
            world_heal(world, a, b);
        else
            world_cut(world, a, b);
        break;
    case 2:
        world->nodes[a].store.waits = !world->nodes[a].store.waits;
        fake_rows_go_on(&world->nodes[a].store);
        break;
    default:
        break;
    }
}

static void calm_down(struct world *world)
{
    for (unsigned a = 0; a < 3; a++) {
        world->nodes[a].store.waits = false;
        fake_rows_go_on(&world->nodes[a].store);
        for (unsigned b = 0; b < 3; b++) {
            world->held[a][b] = false;
            if (a != b && world->cut[a][b])
                world_heal(world, a, b);
        }
    }
}

/* How many were told that they have it. */
static unsigned race(struct world *world, struct random *random, const char *key)
{
    struct racer racers[3] = {0};
    unsigned have = 0;
    for (unsigned ms = 0; ms < RACE_MS + WORLD_TIMEOUT_MS + PATIENCE_MS; ms++) {
        unsigned node = (unsigned)random_below(random, 3);
        struct racer *racer = &racers[node];
        if (ms < RACE_MS && random_once_in(random, 3))
            disturb(world, random);
        if (ms == RACE_MS)
            calm_down(world);
        if (ms < RACE_MS && !racer->asks && !racer->writes) {
            world_verify(world, &racer->verify, node, &key, 1, true);
            racer->asks = true;
        }
        world_turn(world);
        for (unsigned i = 0; i < 3; i++)
            race_step(world, &racers[i], i, key);
    }
    for (unsigned i = 0; i < 3; i++)
        have += racers[i].writes && racers[i].write.is_done && racers[i].write.status == STATUS_OK;
    return have;
}

static void test_a_lock_is_granted_once(void **state)
{
    unsigned granted = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct world world;
        struct random random = {seed};
        char key[16];
        unsigned owners[RING_COPIES_MAX];
        begin(&world, owners);
        for (unsigned i = 0; i < LOCKS; i++) {
            snprintf(key, sizeof(key), "lock%u", i);
            unsigned have = race(&world, &random, key);
            if (have > 1)
                print_error("seed %llu, %s\n", (unsigned long long)seed, key);
            assert_true(have <= 1);
            granted += have;
        }
        world_deinit(&world);
    }
    assert_true(granted > WORLDS * LOCKS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slot_is_claimed_with_the_first_question),
        cmocka_unit_test(test_where_others_stand_in_nobody_claims),
        cmocka_unit_test(test_a_write_that_comes_after_the_next_claim_is_refused),
        cmocka_unit_test(test_a_write_that_is_stored_after_the_next_claim_is_not_acknowledged),
        cmocka_unit_test(test_a_claim_has_read_what_was_acknowledged),
        cmocka_unit_test(test_who_has_lost_a_slot_claims_it_with_a_later_term),
        cmocka_unit_test(test_who_has_the_slot_is_asked_for_what_it_has_under_way),
        cmocka_unit_test(test_who_has_the_slot_is_not_waited_for_for_ever),
        cmocka_unit_test(test_who_wins_a_slot_has_the_later_dates),
        cmocka_unit_test(test_who_stood_still_has_no_slot),
        cmocka_unit_test(test_losing_a_slot_is_counted),
        cmocka_unit_test(test_an_owner_that_starts_refuses_earlier_terms),
        cmocka_unit_test(test_what_is_short_of_w_is_waited_for),
        cmocka_unit_test(test_a_lock_is_granted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
