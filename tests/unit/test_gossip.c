/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cluster/detector.h"
#include "cluster/gossip_codec.h"
#include "support/gossip_world.h"

static void expect_agreement(struct gossip_world *world)
{
    const char *wrong = gossip_world_disagreement(world);
    if (wrong)
        fail_msg("%s", wrong);
}

static enum gossip_life life(struct gossip_world *world, uint32_t of, uint32_t on)
{
    const struct gossip_peer *peer = gossip_world_view(world, of, on);
    assert_non_null(peer);
    return peer->life;
}

static void expect_life(struct gossip_world *world, uint32_t on, enum gossip_life expected)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (i != on && world->nodes[i].gossip)
            assert_int_equal(life(world, i, on), expected);
}

static struct gossip_world *world_of(uint32_t count, uint64_t seed)
{
    struct gossip_world *world = gossip_world_new(count, seed);
    gossip_world_run_ms(world, 10000);
    expect_agreement(world);
    return world;
}

/* Runs until all have that view of it; returns how long that took. */
static uint64_t run_until_all(struct gossip_world *world, uint32_t on, enum gossip_life expected,
                              uint64_t limit_ms)
{
    for (uint64_t ms = 0; ms < limit_ms; ms += 10) {
        bool all = true;
        for (uint32_t i = 0; i < world->count && all; i++)
            all = i == on || !world->nodes[i].gossip || life(world, i, on) == expected;
        if (all)
            return ms;
        gossip_world_run_ms(world, 10);
    }
    fail_msg("not within %lu ms", (unsigned long)limit_ms);
    return limit_ms;
}

/* ---- who says what --------------------------------------------------------------------------- */

static void everybody_learns_of_everybody_through_one_seed(void **state)
{
    (void)state;
    struct gossip_world *world = gossip_world_new(20, 1);
    gossip_world_run_ms(world, 10000);
    expect_agreement(world);
    struct gossip *gossip = gossip_world_at(world, 5);
    for (size_t i = 0; i < 19; i++) {
        const struct gossip_peer *peer = gossip_peer_at(gossip, i);
        uint32_t index = (uint32_t)(i < 5 ? i : i + 1);
        char host[32];
        snprintf(host, sizeof(host), "node-%u.example", index);
        assert_int_equal(peer->said.node, gossip_world_id(index));
        assert_string_equal(peer->said.host, host);
        assert_int_equal(peer->said.port, 6379);
        assert_int_equal(peer->said.bus_port, 16379);
        assert_string_equal(peer->said.zone, "a");
        assert_true(gossip_is_up(gossip, gossip_world_id(index)));
    }
    assert_null(gossip_peer_at(gossip, 19));
    assert_null(gossip_peer(gossip, gossip_world_id(5)));
    assert_null(gossip_peer(gossip, 12345));
    assert_true(gossip_is_up(gossip, gossip_world_id(5)));
    assert_false(gossip_is_up(gossip, 12345));
    gossip_world_free(world);
}

static void what_matters_is_everywhere_at_once(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(8, 2);
    struct gossip *gossip = gossip_world_at(world, 3);
    gossip_self(gossip)->layout_version = 17;
    gossip_self(gossip)->leaving = true;
    gossip_changed(gossip);
    gossip_world_run_ms(world, 60); /* no round may have come */
    for (uint32_t i = 0; i < 8; i++)
        if (i != 3) {
            assert_int_equal(gossip_world_view(world, i, 3)->said.layout_version, 17);
            assert_true(gossip_world_view(world, i, 3)->said.leaving);
        }
    gossip_world_free(world);
}

static void all_fields_arrive(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 3);
    struct gossip_self *self = gossip_self(gossip_world_at(world, 1));
    memset(self->host, 'h', sizeof(self->host) - 1);
    memset(self->zone, 'z', sizeof(self->zone) - 1);
    self->port = 65535;
    self->bus_port = 1;
    self->weight = UINT32_MAX;
    self->leaving = true;
    self->cluster = UINT64_MAX;
    self->layout_version = UINT64_MAX - 1;
    self->synced_version = UINT64_MAX - 2;
    self->keys = UINT64_MAX - 3;
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 3000);
    const struct gossip_self *heard = &gossip_world_view(world, 2, 1)->said;
    assert_string_equal(heard->host, self->host);
    assert_string_equal(heard->zone, self->zone);
    assert_int_equal(heard->port, 65535);
    assert_int_equal(heard->bus_port, 1);
    assert_int_equal(heard->weight, UINT32_MAX);
    assert_true(heard->leaving);
    assert_true(heard->cluster == UINT64_MAX && heard->layout_version == UINT64_MAX - 1);
    assert_true(heard->synced_version == UINT64_MAX - 2 && heard->keys == UINT64_MAX - 3);
    gossip_world_free(world);
}

static void what_would_break_lines_does_not_travel(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 3);
    struct gossip_self *self = gossip_self(gossip_world_at(world, 1));
    strncpy(self->host, "a b\nc", sizeof(self->host));
    strncpy(self->zone, "rack\t1 a", sizeof(self->zone));
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 3000);
    assert_string_equal(gossip_world_view(world, 2, 1)->said.host, "a?b?c");
    assert_string_equal(gossip_world_view(world, 2, 1)->said.zone, "rack?1 a");
    uint64_t version = gossip_version(gossip_world_at(world, 1));
    gossip_changed(gossip_world_at(world, 1)); /* it wasn't */
    assert_int_equal(gossip_version(gossip_world_at(world, 1)), version);
    gossip_world_free(world);
}

static void keys_alone_are_no_change(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 4);
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    for (unsigned second = 0; second < 30; second++) {
        gossip_self(gossip_world_at(world, 1))->keys = 1000 + second;
        gossip_changed(gossip_world_at(world, 1));
        gossip_world_run_ms(world, 1000);
    }
    assert_int_equal(gossip_version(gossip_world_at(world, 0)), version);
    assert_true(gossip_world_view(world, 0, 1)->said.keys >= 1010); /* but they get around */
    gossip_self(gossip_world_at(world, 1))->weight = 7;
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 100);
    assert_true(gossip_version(gossip_world_at(world, 0)) > version);
    gossip_world_free(world);
}

static void a_quiet_cluster_says_little(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(20, 5);
    uint64_t digests = world->messages_by_type[GOSSIP_DIGEST % GOSSIP_WORLD_TYPES];
    gossip_world_run_ms(world, 20000);
    assert_int_equal(world->messages_by_type[GOSSIP_DIGEST % GOSSIP_WORLD_TYPES], digests);
    gossip_world_free(world);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void a_broken_link_is_suspicion_at_once_and_death_after_five_seconds(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 6);
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    gossip_world_kill(world, 2, true);
    expect_life(world, 2, GOSSIP_SUSPECT);
    assert_false(gossip_is_up(gossip_world_at(world, 0), gossip_world_id(2)));
    assert_true(gossip_version(gossip_world_at(world, 0)) > version);
    assert_int_equal(gossip_world_view(world, 0, 2)->since_ms, gossip_world_now(world, 0));
    gossip_world_run_ms(world, 4900);
    expect_life(world, 2, GOSSIP_SUSPECT);
    assert_int_equal(gossip_world_view(world, 0, 2)->reports, 3);
    gossip_world_run_ms(world, 300);
    expect_life(world, 2, GOSSIP_DOWN);
    assert_true(gossip_world_now(world, 0) - gossip_world_view(world, 0, 2)->since_ms < 300);
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t j = 0; j < 5; j++)
            if (i != 2 && j != 2 && i != j)
                assert_int_equal(life(world, i, j), GOSSIP_UP);
    gossip_world_free(world);
}

static void a_silent_death_is_found_by_phi(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 7);
    gossip_world_kill(world, 2, false);
    gossip_world_run_ms(world, 1000);
    expect_life(world, 2, GOSSIP_UP);
    assert_true(run_until_all(world, 2, GOSSIP_SUSPECT, 10000) < 3000);
    assert_true(gossip_world_view(world, 0, 2)->phi >= DETECTOR_THRESHOLD);
    uint64_t down_ms = run_until_all(world, 2, GOSSIP_DOWN, 10000);
    assert_in_range(down_ms, 4000, 6000);
    gossip_world_free(world);
}

static void who_answers_again_is_up_again(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 8);
    gossip_world_partition(world, 1, true);
    gossip_world_run_ms(world, 30000);
    expect_life(world, 0, GOSSIP_DOWN);
    gossip_world_partition(world, 1, false);
    assert_true(run_until_all(world, 0, GOSSIP_UP, 5000) < 1500);
    gossip_world_run_ms(world, 2000);
    expect_agreement(world);
    gossip_world_free(world);
}

static void a_link_that_breaks_and_comes_back_is_no_death(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 9);
    gossip_world_break(world, 0, 1);
    assert_int_equal(life(world, 0, 1), GOSSIP_SUSPECT);
    assert_int_equal(life(world, 2, 1), GOSSIP_UP);
    gossip_world_run_ms(world, 200);
    gossip_world_mend(world, 0, 1);
    gossip_world_run_ms(world, 20);
    assert_int_equal(life(world, 0, 1), GOSSIP_UP);
    gossip_world_free(world);
}

/* An answer that was under way when the link broke is no sign of life. */
static void a_late_answer_of_a_dead_node_is_no_life(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 10);
    world->delay_min_ms = world->delay_max_ms = 300;
    gossip_world_run_ms(world, 3000);
    uint64_t heard_ms = gossip_world_view(world, 0, 1)->heard_ms;
    while (gossip_world_view(world, 0, 1)->heard_ms == heard_ms)
        gossip_world_run_ms(world, 1); /* so the next probe is well under way in 900 ms */
    gossip_world_run_ms(world, 700);
    gossip_world_break(world, 0, 1); /* 1 -> 0 still stands */
    gossip_world_run_ms(world, 2000);
    assert_int_equal(life(world, 0, 1), GOSSIP_SUSPECT);
    gossip_world_run_ms(world, 30000);
    assert_int_equal(life(world, 0, 1), GOSSIP_DOWN);
    gossip_world_free(world);
}

/* ---- suspicions that are wrong --------------------------------------------------------------- */

static void a_cut_in_one_direction_is_bridged_by_others(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 11);
    bool was_suspect = false;
    gossip_world_cut(world, 0, 1, true); /* 0 hears 1, but 1 doesn't hear 0 */
    for (unsigned i = 0; i < 600; i++) {
        gossip_world_run_ms(world, 100);
        was_suspect |= life(world, 0, 1) == GOSSIP_SUSPECT;
        assert_int_not_equal(life(world, 0, 1), GOSSIP_DOWN);
        assert_int_not_equal(life(world, 1, 0), GOSSIP_DOWN);
        assert_int_equal(life(world, 2, 1), GOSSIP_UP);
        assert_int_equal(life(world, 3, 0), GOSSIP_UP);
    }
    assert_true(was_suspect);
    /* It cannot be relied on from there: no coming and going between UP and SUSPECT. */
    assert_int_equal(life(world, 0, 1), GOSSIP_SUSPECT);
    uint64_t since_ms = gossip_world_view(world, 0, 1)->since_ms;
    assert_true(gossip_world_now(world, 0) - since_ms > 45000);
    gossip_world_cut(world, 0, 1, false);
    gossip_world_run_ms(world, 1500);
    expect_agreement(world);
    gossip_world_free(world);
}

static void others_word_clears_a_first_suspicion(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 12);
    gossip_world_cut(world, 0, 1, true);
    while (life(world, 0, 1) == GOSSIP_UP)
        gossip_world_run_ms(world, 10);
    gossip_world_run_ms(world, 30); /* there and back, by way of others */
    assert_int_equal(life(world, 0, 1), GOSSIP_UP);
    gossip_world_cut(world, 0, 1, false);
    gossip_world_run_ms(world, 2000);
    expect_agreement(world);
    gossip_world_free(world);
}

/* Nobody is there to ask; but news of the suspicion get around, and so does the refutation. */
static void a_suspect_refutes_with_a_higher_incarnation(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 13);
    struct gossip *suspect = gossip_world_at(world, 1);
    struct buffer report = {0};
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    gossip_put_report(&report, &(struct gossip_report){gossip_world_id(0), gossip_world_id(1),
                                                       gossip_self(suspect)->generation, 0});
    assert_int_equal(gossip_receive(gossip_world_at(world, 2), gossip_world_id(0), GOSSIP_REPORTS,
                                    buffer_bytes(&report), gossip_world_now(world, 2)),
                     STATUS_OK);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 1);
    assert_int_equal(life(world, 2, 1), GOSSIP_UP); /* it believes its own eyes */
    assert_int_equal(gossip_receive(suspect, gossip_world_id(0), GOSSIP_REPORTS,
                                    buffer_bytes(&report), gossip_world_now(world, 1)),
                     STATUS_OK);
    gossip_world_run_ms(world, 60);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    /* The same report once more: it is older than the refutation. */
    assert_int_equal(gossip_receive(gossip_world_at(world, 2), gossip_world_id(0), GOSSIP_REPORTS,
                                    buffer_bytes(&report), gossip_world_now(world, 2)),
                     STATUS_OK);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    assert_int_equal(gossip_version(gossip_world_at(world, 0)), version);
    buffer_deinit(&report);
    gossip_world_free(world);
}

/* What others find out for 0 doesn't reach it: only 1's own word does. */
static void a_refutation_stops_the_way_down(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(6, 14);
    gossip_world_cut(world, 0, 1, true);
    for (uint32_t i = 2; i < 6; i++)
        gossip_world_cut(world, i, 0, true); /* nor hears 0 anybody but 1 */
    while (life(world, 0, 1) == GOSSIP_UP)
        gossip_world_run_ms(world, 10);
    for (unsigned i = 0; i < 200; i++) {
        gossip_world_run_ms(world, 100);
        assert_int_not_equal(life(world, 0, 1), GOSSIP_DOWN);
    }
    assert_int_equal(life(world, 0, 2), GOSSIP_DOWN);
    gossip_world_free(world);
}

static void who_hears_nobody_is_down_for_all(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 15);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 2)
            gossip_world_cut(world, i, 2, true); /* it still says much */
    gossip_world_run_ms(world, 15000);
    expect_life(world, 2, GOSSIP_DOWN);
    gossip_world_free(world);
}

static void a_pause_of_ones_own_is_nobody_elses_silence(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 16);
    uint64_t since_ms = gossip_world_view(world, 2, 0)->since_ms;
    world->nodes[2].paused = true;
    gossip_world_run_ms(world, 20000);
    expect_life(world, 2, GOSSIP_DOWN);
    world->nodes[2].paused = false;
    gossip_stalled(gossip_world_at(world, 2), 20000, gossip_world_now(world, 2));
    for (unsigned i = 0; i < 50; i++) {
        gossip_world_run_ms(world, 100);
        for (uint32_t j = 0; j < 5; j++)
            if (j != 2)
                assert_int_equal(life(world, 2, j), GOSSIP_UP);
    }
    assert_int_equal(gossip_world_view(world, 2, 0)->since_ms, since_ms);
    expect_agreement(world);
    gossip_world_free(world);
}

static void a_pause_that_nobody_tells_of_is_noticed(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 17);
    gossip_world_cut(world, 1, 0, true);
    gossip_world_run_ms(world, 500); /* it may be waiting for an answer */
    world->nodes[0].paused = true;
    gossip_world_run_ms(world, 60000);
    world->nodes[0].paused = false;
    gossip_world_cut(world, 1, 0, false);
    gossip_world_run_ms(world, 1000);
    assert_int_equal(life(world, 0, 1), GOSSIP_UP);
    gossip_world_free(world);
}

static void a_clock_set_back_stops_nothing(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 18);
    world->nodes[0].clock_ms = -3600000;
    gossip_tick(gossip_world_at(world, 0), gossip_world_now(world, 0));
    gossip_world_run_ms(world, 1000);
    gossip_world_kill(world, 1, false);
    gossip_world_run_ms(world, 10000);
    assert_int_equal(life(world, 0, 1), GOSSIP_DOWN);
    gossip_world_free(world);
}

/* ---- lives, one after the other -------------------------------------------------------------- */

static void a_new_life_replaces_the_old_one(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 19);
    gossip_self(gossip_world_at(world, 1))->layout_version = 9;
    gossip_self(gossip_world_at(world, 1))->leaving = true;
    for (unsigned i = 0; i < 20; i++) { /* many versions: a new life's first is above them */
        gossip_self(gossip_world_at(world, 1))->weight++;
        gossip_changed(gossip_world_at(world, 1));
    }
    gossip_world_run_ms(world, 2000);
    expect_agreement(world);
    uint64_t old = gossip_world_view(world, 0, 1)->said.generation;
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 300);
    gossip_world_start(world, 1, 3);
    gossip_world_run_ms(world, 1500);
    expect_agreement(world);
    const struct gossip_self *said = &gossip_world_view(world, 0, 1)->said;
    assert_true(said->generation > old);
    assert_int_equal(said->layout_version, 0);
    assert_int_equal(said->weight, 100);
    assert_false(said->leaving);
    gossip_world_free(world);
}

static void a_life_whose_clock_is_behind_is_heard_too(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 20);
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 1000);
    world->nodes[1].clock_ms = -1000000;
    gossip_world_start(world, 1, 0);
    gossip_self(gossip_world_at(world, 1))->weight = 55;
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 3000);
    expect_agreement(world);
    assert_int_equal(gossip_world_view(world, 2, 1)->said.weight, 55);
    gossip_world_free(world);
}

static void who_is_forgotten_stays_so_for_a_minute(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 21);
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 10000);
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    gossip_forget(gossip_world_at(world, 0), gossip_world_id(1), gossip_world_now(world, 0));
    assert_true(gossip_version(gossip_world_at(world, 0)) > version);
    for (unsigned i = 0; i < 58; i++) {
        gossip_world_run_ms(world, 1000);
        assert_null(gossip_world_view(world, 0, 1)); /* though the others still speak of it */
        assert_non_null(gossip_world_view(world, 2, 1));
    }
    gossip_world_run_ms(world, 15000);
    assert_int_equal(life(world, 0, 1), GOSSIP_DOWN);
    gossip_world_free(world);
}

static void a_forgotten_one_may_begin_a_new_life(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 22);
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 10000);
    for (uint32_t i = 0; i < 4; i++)
        if (i != 1)
            gossip_forget(gossip_world_at(world, i), gossip_world_id(1),
                          gossip_world_now(world, i));
    gossip_world_run_ms(world, 5000);
    assert_null(gossip_world_view(world, 3, 1));
    gossip_world_start(world, 1, 0);
    gossip_world_run_ms(world, 5000);
    expect_agreement(world);
    gossip_world_free(world);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void a_clock_that_is_off_is_known_to_its_owner(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 23);
    world->nodes[3].clock_ms = 300000;
    gossip_stalled(gossip_world_at(world, 3), 300000, gossip_world_now(world, 3));
    gossip_world_run_ms(world, 5000);
    assert_in_range(gossip_clock_offset_ms(gossip_world_at(world, 3)), 299990, 300010);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 3)
            assert_in_range(10 + gossip_clock_offset_ms(gossip_world_at(world, i)), 0, 20);
    world->nodes[3].clock_ms = -300000;
    gossip_world_run_ms(world, 5000);
    assert_in_range(-gossip_clock_offset_ms(gossip_world_at(world, 3)), 299990, 300010);
    gossip_world_free(world);
}

static void half_the_way_is_not_held_against_a_clock(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 24);
    world->delay_min_ms = world->delay_max_ms = 200;
    gossip_world_run_ms(world, 10000);
    assert_in_range(5 + gossip_clock_offset_ms(gossip_world_at(world, 1)), 0, 10);
    gossip_world_free(world);
}

static void who_is_alone_has_no_clock_to_compare_with(void **state)
{
    (void)state;
    struct gossip_world *world = gossip_world_new(1, 25);
    gossip_world_run_ms(world, 10000);
    assert_int_equal(gossip_clock_offset_ms(gossip_world_at(world, 0)), 0);
    gossip_world_free(world);
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void a_partition_heals(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(10, 26);
    gossip_world_partition(world, 4, true);
    gossip_world_run_ms(world, 40000);
    for (uint32_t i = 0; i < 10; i++)
        for (uint32_t j = 0; j < 10; j++)
            if (i != j)
                assert_int_equal(life(world, i, j), (i < 4) == (j < 4) ? GOSSIP_UP : GOSSIP_DOWN);
    gossip_self(gossip_world_at(world, 1))->layout_version = 4;
    gossip_changed(gossip_world_at(world, 1));
    gossip_self(gossip_world_at(world, 8))->weight = 4;
    gossip_changed(gossip_world_at(world, 8));
    gossip_world_run_ms(world, 5000);
    assert_int_equal(gossip_world_view(world, 2, 1)->said.layout_version, 4);
    assert_int_equal(gossip_world_view(world, 9, 1)->said.layout_version, 0);
    gossip_world_partition(world, 4, false);
    gossip_world_run_ms(world, 8000);
    expect_agreement(world);
    gossip_world_free(world);
}

/* Digests and entries of more than one part. */
static void many_nodes_meet_many(void **state)
{
    (void)state;
    enum { MANY = GOSSIP_PEERS_MAX + 10 };
    struct gossip_world *world = world_of(2, 27);
    struct buffer entries = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        struct gossip_entry entry = {.said = {.node = gossip_world_id(1000 + i), .generation = 1},
                                     .version = 3};
        memset(entry.said.host, 'h', 100);
        gossip_put_entry(&entries, &entry);
    }
    assert_int_equal(gossip_receive(gossip_world_at(world, 0), gossip_world_id(1), GOSSIP_ENTRIES,
                                    buffer_bytes(&entries), gossip_world_now(world, 0)),
                     STATUS_OK);
    assert_non_null(gossip_peer_at(gossip_world_at(world, 0), GOSSIP_PEERS_MAX - 1));
    assert_null(gossip_peer_at(gossip_world_at(world, 0), GOSSIP_PEERS_MAX));
    gossip_world_run_ms(world, 5000);
    assert_non_null(gossip_peer_at(gossip_world_at(world, 1), GOSSIP_PEERS_MAX - 1));
    assert_non_null(gossip_world_view(world, 1, 1000 + GOSSIP_PEERS_MAX - 2));
    buffer_deinit(&entries);
    gossip_world_free(world);
}

/* What may happen to a world in a second or so. */
static void disturb(struct gossip_world *world, struct random *chance)
{
    uint32_t a = (uint32_t)random_below(chance, world->count);
    uint32_t b = (uint32_t)random_below(chance, world->count);
    struct gossip *gossip = gossip_world_at(world, a);
    switch (random_below(chance, 9)) {
    case 0:
        if (gossip && !world->nodes[a].paused)
            gossip_world_kill(world, a, random_once_in(chance, 2));
        break;
    case 1:
    case 2:
        if (!gossip && gossip_world_at(world, 0) && a != 0)
            gossip_world_start(world, a, 0);
        break;
    case 3:
        gossip_world_cut(world, a, b, true);
        break;
    case 4:
        gossip_world_cut(world, a, b, false);
        break;
    case 5:
        if (a != b && world->linked[(size_t)a * world->count + b] && !world->nodes[a].paused)
            gossip_world_break(world, a, b);
        break;
    case 6:
        world->nodes[a].paused = gossip && random_once_in(chance, 2);
        break;
    case 7:
        world->delay_max_ms = 1 + random_below(chance, 1000);
        break;
    default:
        if (gossip) {
            gossip_self(gossip)->layout_version++;
            gossip_self(gossip)->keys++;
            gossip_changed(gossip);
        }
    }
}

static void heal(struct gossip_world *world)
{
    world->loss_permille = 0;
    world->delay_min_ms = 1;
    world->delay_max_ms = 20;
    memset(world->cut, 0, (size_t)world->count * world->count * sizeof(*world->cut));
    for (uint32_t i = 0; i < world->count; i++) {
        world->nodes[i].paused = false;
        if (!gossip_world_at(world, i))
            gossip_world_start(world, i, i == 0 ? 1 : 0);
    }
    for (uint32_t i = 0; i < world->count; i++)
        for (uint32_t j = 0; j < world->count; j++)
            if (i != j && (gossip_world_view(world, i, j) || i == 0 || j == 0))
                gossip_world_mend(world, i, j);
}

static void after_any_trouble_all_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random chance = {seed};
        struct gossip_world *world = gossip_world_new(2 + (uint32_t)random_below(&chance, 9), seed);
        world->loss_permille = (unsigned)random_below(&chance, 301);
        world->delay_max_ms = 1 + random_below(&chance, 100);
        for (unsigned i = 0; i < 60; i++) {
            gossip_world_run_ms(world, 1 + random_below(&chance, 2000));
            disturb(world, &chance);
        }
        heal(world);
        gossip_world_run_ms(world, 20000);
        const char *wrong = gossip_world_disagreement(world);
        if (wrong)
            fail_msg("seed %lu: %s", (unsigned long)seed, wrong);
        gossip_world_free(world);
    }
}

/* With messages lost nobody may be given up: at most suspected, for a moment. */
static void loss_alone_kills_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct gossip_world *world = world_of(8, seed);
        world->loss_permille = 300;
        for (unsigned i = 0; i < 1200; i++) {
            gossip_world_run_ms(world, 100);
            for (uint32_t j = 0; j < 8; j++)
                for (uint32_t k = 0; k < 8; k++)
                    if (j != k)
                        assert_int_not_equal(life(world, j, k), GOSSIP_DOWN);
        }
        gossip_world_free(world);
    }
}

static void the_same_seed_makes_the_same_world(void **state)
{
    (void)state;
    uint64_t sums[2] = {0, 0};
    for (unsigned run = 0; run < 2; run++) {
        struct random chance = {5};
        struct gossip_world *world = gossip_world_new(7, 99);
        world->loss_permille = 100;
        for (unsigned i = 0; i < 40; i++) {
            gossip_world_run_ms(world, 500);
            disturb(world, &chance);
        }
        for (uint32_t i = 0; i < 7; i++)
            sums[run] = sums[run] * 31 + world->nodes[i].bytes_sent;
        gossip_world_free(world);
    }
    assert_true(sums[0] == sums[1]);
}

/* ---- what is no message ---------------------------------------------------------------------- */

static void nonsense_is_told_apart(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 28);
    struct gossip *gossip = gossip_world_at(world, 0);
    uint64_t from = gossip_world_id(1), now_ms = gossip_world_now(world, 0);
    static const struct {
        unsigned type;
        struct bytes payload;
        enum status expected;
    } cases[] = {
        {GOSSIP_SUMMARY, {"1234567", 7}, STATUS_CORRUPT},
        {GOSSIP_SUMMARY, {"123456789", 9}, STATUS_CORRUPT},
        {GOSSIP_PROBE, {"\1", 1}, STATUS_CORRUPT},
        {GOSSIP_PROBE, {"\1\1\1", 3}, STATUS_CORRUPT},
        {GOSSIP_ANSWER, {"\1\1", 2}, STATUS_CORRUPT},
        {GOSSIP_ANSWER, {"\1\1\1", 3}, STATUS_OK}, /* to a question of an earlier life */
        {GOSSIP_PROBE_FOR, {"\1abcde", 6}, STATUS_CORRUPT},
        {GOSSIP_PROBED, {"\1abcdef\2", 8}, STATUS_CORRUPT},
        {GOSSIP_DIGEST, {"abcdef\1\1abcdef\1\1", 16}, STATUS_CORRUPT}, /* one node twice */
        {GOSSIP_ASK, {"abcdef\1\1bbcdef\1\1", 16}, STATUS_OK},
        {GOSSIP_ASK, {"abcdeg\1\1abcdef\1\1", 16}, STATUS_CORRUPT}, /* descending */
        {GOSSIP_ENTRIES, {"abcdef\1\1\1\xff", 10}, STATUS_CORRUPT},
        {GOSSIP_REPORTS, {"abcdef", 6}, STATUS_CORRUPT},
        {MESSAGES_GOSSIP + 15, {"what is this?", 13}, STATUS_OK}, /* a newer node's */
        {MESSAGES_AGREE, {"", 0}, STATUS_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (gossip_receive(gossip, from, cases[i].type, cases[i].payload, now_ms) !=
            cases[i].expected)
            fail_msg("case %zu", i);
    assert_int_equal(
        gossip_receive(gossip, gossip_world_id(0), GOSSIP_PROBE, BYTES("\1\1"), now_ms),
        STATUS_CORRUPT);
    gossip_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_learns_of_everybody_through_one_seed),
        cmocka_unit_test(what_matters_is_everywhere_at_once),
        cmocka_unit_test(all_fields_arrive),
        cmocka_unit_test(what_would_break_lines_does_not_travel),
        cmocka_unit_test(keys_alone_are_no_change),
        cmocka_unit_test(a_quiet_cluster_says_little),
        cmocka_unit_test(a_broken_link_is_suspicion_at_once_and_death_after_five_seconds),
        cmocka_unit_test(a_silent_death_is_found_by_phi),
        cmocka_unit_test(who_answers_again_is_up_again),
        cmocka_unit_test(a_link_that_breaks_and_comes_back_is_no_death),
        cmocka_unit_test(a_late_answer_of_a_dead_node_is_no_life),
        cmocka_unit_test(a_cut_in_one_direction_is_bridged_by_others),
        cmocka_unit_test(others_word_clears_a_first_suspicion),
        cmocka_unit_test(a_suspect_refutes_with_a_higher_incarnation),
        cmocka_unit_test(a_refutation_stops_the_way_down),
        cmocka_unit_test(who_hears_nobody_is_down_for_all),
        cmocka_unit_test(a_pause_of_ones_own_is_nobody_elses_silence),
        cmocka_unit_test(a_pause_that_nobody_tells_of_is_noticed),
        cmocka_unit_test(a_clock_set_back_stops_nothing),
        cmocka_unit_test(a_new_life_replaces_the_old_one),
        cmocka_unit_test(a_life_whose_clock_is_behind_is_heard_too),
        cmocka_unit_test(who_is_forgotten_stays_so_for_a_minute),
        cmocka_unit_test(a_forgotten_one_may_begin_a_new_life),
        cmocka_unit_test(a_clock_that_is_off_is_known_to_its_owner),
        cmocka_unit_test(half_the_way_is_not_held_against_a_clock),
        cmocka_unit_test(who_is_alone_has_no_clock_to_compare_with),
        cmocka_unit_test(a_partition_heals),
        cmocka_unit_test(many_nodes_meet_many),
        cmocka_unit_test(after_any_trouble_all_agree),
        cmocka_unit_test(loss_alone_kills_nobody),
        cmocka_unit_test(the_same_seed_makes_the_same_world),
        cmocka_unit_test(nonsense_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
