/* SPDX-License-Identifier: MIT */
#include "support/gossip_story.h"

#include "base/memory.h"
#include "cluster/detector.h"
#include "cluster/gossip_codec.h"

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

/* How long it was dead says nothing of how soon it answers when it lives. */
static void a_long_death_is_no_reason_for_patience(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 33);
    for (unsigned i = 0; i < 5; i++) {
        gossip_world_partition(world, 1, true);
        gossip_world_run_ms(world, 20000);
        gossip_world_partition(world, 1, false);
        gossip_world_run_ms(world, 3000);
        expect_agreement(world);
    }
    gossip_world_kill(world, 0, false);
    assert_true(run_until_all(world, 0, GOSSIP_SUSPECT, 10000) < 3500);
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

/* Messages of these types are lost from now on. */
static void lose(struct gossip_world *world, enum gossip_message a, enum gossip_message b)
{
    world->lost_types = 1u << (a % GOSSIP_WORLD_TYPES) | 1u << (b % GOSSIP_WORLD_TYPES);
}

static void probes_through_others_clear_a_first_suspicion(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 12);
    gossip_world_cut(world, 0, 1, true);
    lose(world, GOSSIP_REPORTS, GOSSIP_NEWS); /* no refutation */
    while (life(world, 0, 1) == GOSSIP_UP)
        gossip_world_run_ms(world, 10);
    gossip_world_run_ms(world, 30); /* there and back, by way of others */
    assert_int_equal(life(world, 0, 1), GOSSIP_UP);
    for (unsigned i = 0; i < 300; i++) { /* and keep it from death */
        gossip_world_run_ms(world, 100);
        assert_int_not_equal(life(world, 0, 1), GOSSIP_DOWN);
    }
    world->lost_types = 0;
    gossip_world_cut(world, 0, 1, false);
    gossip_world_run_ms(world, 2000);
    expect_agreement(world);
    gossip_world_free(world);
}

static enum status report(struct gossip_world *world, uint32_t to, uint32_t on,
                          uint64_t incarnation)
{
    struct buffer report = {0};
    uint64_t generation = gossip_self(gossip_world_at(world, on))->generation;
    gossip_put_report(&report, &(struct gossip_report){gossip_world_id(0), gossip_world_id(on),
                                                       generation, incarnation});
    enum status status =
        gossip_receive(gossip_world_at(world, to), gossip_world_id(0), GOSSIP_REPORTS,
                       buffer_bytes(&report), gossip_world_now(world, to));
    buffer_deinit(&report);
    return status;
}

static void a_suspect_refutes_with_a_higher_incarnation(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 13);
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    assert_int_equal(report(world, 2, 1, 0), STATUS_OK);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 1);
    assert_int_equal(life(world, 2, 1), GOSSIP_UP); /* it believes its own eyes */
    assert_int_equal(report(world, 1, 1, 0), STATUS_OK);
    gossip_world_run_ms(world, 60);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    assert_int_equal(report(world, 2, 1, 0), STATUS_OK); /* older than the refutation */
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    assert_int_equal(gossip_version(gossip_world_at(world, 0)), version);
    gossip_world_free(world);
}

static void what_was_refuted_in_an_earlier_life_says_nothing(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 29);
    assert_int_equal(report(world, 1, 1, 10), STATUS_OK); /* it is at 11 now */
    gossip_world_run_ms(world, 2000);
    assert_int_equal(report(world, 2, 1, 10), STATUS_OK);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 100);
    gossip_world_start(world, 1, 0);
    gossip_world_run_ms(world, 3000);
    expect_agreement(world);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 0);
    assert_int_equal(report(world, 2, 1, 0), STATUS_OK);
    assert_int_equal(gossip_world_view(world, 2, 1)->reports, 1);
    gossip_world_free(world);
}

/* What others find out for 0 doesn't reach it: only 1's own word does. */
static void a_refutation_stops_the_way_down(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(6, 14);
    gossip_world_cut(world, 0, 1, true);
    lose(world, GOSSIP_PROBE_FOR, GOSSIP_PROBED);
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
    for (uint32_t i = 0; i < 5; i++)
        gossip_world_cut(world, i, 2, i != 2);
    gossip_world_run_ms(world, 1100); /* so it waits for answers of all */
    for (uint32_t i = 0; i < 5; i++)
        gossip_world_cut(world, i, 2, false);
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
    gossip_world_run_ms(world, 1100); /* so it waits for an answer */
    uint64_t since_ms = gossip_world_view(world, 0, 1)->since_ms;
    world->nodes[0].paused = true;
    gossip_world_run_ms(world, 60000);
    world->nodes[0].paused = false;
    gossip_world_cut(world, 1, 0, false);
    gossip_world_run_ms(world, 3000);
    assert_int_equal(life(world, 0, 1), GOSSIP_UP); /* all the time */
    assert_int_equal(gossip_world_view(world, 0, 1)->since_ms, since_ms);
    gossip_world_free(world);
}

/* Who has troubles of his own is slower to give others up. */
static void who_stood_still_is_patient(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 32);
    gossip_stalled(gossip_world_at(world, 0), 3000, gossip_world_now(world, 0));
    gossip_world_run_ms(world, GOSSIP_INTERVAL_MS);
    gossip_world_kill(world, 1, true);
    gossip_world_run_ms(world, 9500);
    assert_int_equal(life(world, 2, 1), GOSSIP_DOWN);
    assert_int_equal(life(world, 0, 1), GOSSIP_SUSPECT);
    gossip_world_run_ms(world, 1000);
    assert_int_equal(life(world, 0, 1), GOSSIP_DOWN);
    gossip_world_kill(world, 2, true); /* it has recovered long since */
    gossip_world_run_ms(world, 5500);
    assert_int_equal(life(world, 0, 2), GOSSIP_DOWN);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_link_is_suspicion_at_once_and_death_after_five_seconds),
        cmocka_unit_test(a_silent_death_is_found_by_phi),
        cmocka_unit_test(who_answers_again_is_up_again),
        cmocka_unit_test(a_long_death_is_no_reason_for_patience),
        cmocka_unit_test(a_link_that_breaks_and_comes_back_is_no_death),
        cmocka_unit_test(a_late_answer_of_a_dead_node_is_no_life),
        cmocka_unit_test(a_cut_in_one_direction_is_bridged_by_others),
        cmocka_unit_test(probes_through_others_clear_a_first_suspicion),
        cmocka_unit_test(a_suspect_refutes_with_a_higher_incarnation),
        cmocka_unit_test(what_was_refuted_in_an_earlier_life_says_nothing),
        cmocka_unit_test(a_refutation_stops_the_way_down),
        cmocka_unit_test(who_hears_nobody_is_down_for_all),
        cmocka_unit_test(a_pause_of_ones_own_is_nobody_elses_silence),
        cmocka_unit_test(a_pause_that_nobody_tells_of_is_noticed),
        cmocka_unit_test(who_stood_still_is_patient),
        cmocka_unit_test(a_clock_set_back_stops_nothing),
        cmocka_unit_test(a_new_life_replaces_the_old_one),
        cmocka_unit_test(a_life_whose_clock_is_behind_is_heard_too),
        cmocka_unit_test(who_is_forgotten_stays_so_for_a_minute),
        cmocka_unit_test(a_forgotten_one_may_begin_a_new_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
