/* SPDX-License-Identifier: MIT */
/* Clocks that are wrong, of whole nodes: what becomes of keys that expire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/timekeeper.h"
#include "row/slot.h"
#include "store/export.h"
#include "store/state.h"
#include "support/gossip_world.h"
#include "support/nodes_world.h"
#include "sync/sync.h"

enum { HOUR_MS = 3600 * 1000, SLACK_MS = 100 };
static const int64_t years_ms = INT64_C(10) * 365 * 24 * HOUR_MS;

static struct cluster_node *node_of(struct nodes *nodes, unsigned node)
{
    return &nodes->nodes[node];
}

/* How far the time that a node goes by is ahead of the world's. */
static int64_t lead(struct nodes *nodes, unsigned node)
{
    struct cluster_node *of = node_of(nodes, node);
    uint64_t wall_ms = cluster_node_wall_ms(of);
    return (int64_t)(node_time_ms(of->node, wall_ms) - wall_ms) + of->offset_ms;
}

static void expect_lead(struct nodes *nodes, unsigned node, int64_t lead_ms)
{
    assert_true(llabs(lead(nodes, node) - lead_ms) < SLACK_MS);
}

static void jump(struct nodes *nodes, unsigned node, int64_t lead_ms)
{
    cluster_node_set_offset(node_of(nodes, node), lead_ms);
}

/* Its process ends and starts again; the others have seen both. */
static void restart(struct nodes *nodes, unsigned node)
{
    cluster_node_stop(node_of(nodes, node));
    nodes_run(nodes, 1000);
    cluster_node_start(node_of(nodes, node));
}

static const char *ask_of(const char *format, const char *key)
{
    static char text[256];
    snprintf(text, sizeof(text), format, key);
    return text;
}

/* ---- one of three ---------------------------------------------------------------------------- */

static void a_clock_that_jumps_ahead_hides_nothing(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    struct caller *caller = caller_new(nodes, 0);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 0, 0, key);
    caller_ask(caller, ask_of("SET %s v EX 600\r\n", key), "+OK\r\n");
    jump(nodes, 0, years_ms);
    caller_ask(caller, ask_of("GET %s\r\n", key), "$1\r\nv\r\n");
    nodes_run(nodes, 2 * TIMEKEEPER_ALONE_MS);
    caller_ask(caller, ask_of("GET %s\r\n", key), "$1\r\nv\r\n");
    jump(nodes, 0, 0);
    caller_ask(caller, ask_of("GET %s\r\n", key), "$1\r\nv\r\n");
    nodes_free(nodes);
}

static void a_deadline_that_is_set_just_after_a_jump_is_right(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct nodes *nodes = nodes_new(3);
        struct caller *caller = caller_new(nodes, 0);
        char key[NODES_KEY_SIZE];
        nodes_key(nodes, 0, 0, key);
        jump(nodes, 0, sign * years_ms);
        caller_ask(caller, ask_of("SET %s v PX 1000\r\n", key), "+OK\r\n");
        jump(nodes, 0, 0);
        caller_ask(caller, ask_of("GET %s\r\n", key), "$1\r\nv\r\n");
        nodes_run(nodes, 1000);
        caller_ask(caller, ask_of("GET %s\r\n", key), "$-1\r\n");
        nodes_free(nodes);
    }
}

static void a_node_that_starts_with_a_wrong_clock_goes_by_the_others(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct nodes *nodes = nodes_new(3);
        struct caller *caller = caller_new(nodes, 1);
        char key[NODES_KEY_SIZE];
        nodes_key(nodes, 0, 0, key);
        jump(nodes, 0, sign * years_ms);
        restart(nodes, 0);
        nodes_run(nodes, 2000);
        expect_lead(nodes, 0, 0);
        caller_ask(caller, ask_of("SET %s v PX 1000\r\n", key), "+OK\r\n");
        caller_ask(caller, ask_of("GET %s\r\n", key), "$1\r\nv\r\n");
        nodes_run(nodes, 1000);
        caller_ask(caller, ask_of("GET %s\r\n", key), "$-1\r\n");
        jump(nodes, 0, 0);
        nodes_run(nodes, 100);
        expect_lead(nodes, 0, 0);
        nodes_free(nodes);
    }
}

/* What its peers last said goes on to count. */
static void who_is_cut_off_does_not_believe_a_jump_either(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    for (unsigned other = 1; other < 3; other++) {
        sim_net_block(nodes->net, 0, other);
        sim_net_block(nodes->net, other, 0);
    }
    nodes_run(nodes, 10000);
    jump(nodes, 0, HOUR_MS);
    nodes_run(nodes, 2 * TIMEKEEPER_ALONE_MS);
    expect_lead(nodes, 0, 0);
    nodes_free(nodes);
}

static void a_small_step_is_followed(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    jump(nodes, 0, TIMEKEEPER_OFF_MS / 2);
    expect_lead(nodes, 0, TIMEKEEPER_OFF_MS / 2);
    nodes_run(nodes, 3000);
    expect_lead(nodes, 0, TIMEKEEPER_OFF_MS / 2);
    nodes_free(nodes);
}

/* ---- when it is the wall clock that is right ------------------------------------------------- */

static void what_most_clocks_say_is_believed(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    jump(nodes, 0, HOUR_MS);
    nodes_run(nodes, 3000);
    expect_lead(nodes, 0, 0);
    jump(nodes, 1, HOUR_MS);
    nodes_run(nodes, 5000);
    for (unsigned i = 0; i < 3; i++) /* also the one whose clock was not set */
        expect_lead(nodes, i, HOUR_MS);
    jump(nodes, 2, HOUR_MS);
    nodes_run(nodes, 3000);
    for (unsigned i = 0; i < 3; i++)
        expect_lead(nodes, i, HOUR_MS);
    nodes_free(nodes);
}

/* Started with a wrong clock, which is set right later: it agrees with what others go by. */
static void a_wrong_clock_that_is_set_is_believed_at_once(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    jump(nodes, 0, -years_ms);
    restart(nodes, 0);
    nodes_run(nodes, 2000);
    jump(nodes, 0, TIMEKEEPER_OFF_MS / 2);
    expect_lead(nodes, 0, TIMEKEEPER_OFF_MS / 2);
    nodes_free(nodes);
}

/* ---- two, and one ---------------------------------------------------------------------------- */

static void of_two_the_one_whose_clock_jumps_is_wrong(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(2);
    jump(nodes, 1, years_ms);
    nodes_run(nodes, 5000);
    expect_lead(nodes, 0, 0);
    expect_lead(nodes, 1, 0);
    restart(nodes, 1); /* and so is the one that has just been started */
    nodes_run(nodes, 5000);
    expect_lead(nodes, 0, 0);
    expect_lead(nodes, 1, 0);
    nodes_free(nodes);
}

static void of_two_that_start_together_the_one_behind_is_believed(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(2);
    cluster_node_stop(node_of(nodes, 0));
    cluster_node_stop(node_of(nodes, 1));
    jump(nodes, 1, years_ms);
    cluster_node_start(node_of(nodes, 0));
    cluster_node_start(node_of(nodes, 1));
    nodes_run(nodes, 5000);
    expect_lead(nodes, 0, 0);
    expect_lead(nodes, 1, 0);
    nodes_free(nodes);
}

static void who_is_alone_believes_what_lasts(void **state)
{
    (void)state;
    struct gossip_world *world = gossip_world_new(1, 1);
    const struct gossip *gossip = gossip_world_at(world, 0);
    struct timekeeper keeper = {0};
    uint64_t start_ms = 1000000, now_ms = start_ms;
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms), now_ms);
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms + HOUR_MS), now_ms);
    now_ms += TIMEKEEPER_ALONE_MS - 1;
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms + HOUR_MS), now_ms);
    start_ms = now_ms; /* another jump: anew */
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms + 3 * HOUR_MS), now_ms);
    now_ms = start_ms + TIMEKEEPER_ALONE_MS - 1;
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms + 3 * HOUR_MS), now_ms);
    now_ms = start_ms + TIMEKEEPER_ALONE_MS;
    assert_int_equal(timekeeper_time(&keeper, gossip, 1, now_ms, now_ms + 3 * HOUR_MS),
                     now_ms + 3 * HOUR_MS);
    gossip_world_free(world);
}

/* Of two, one starts with a wrong clock. The other dates nothing by what it says at first, but
 * writes as soon as both are there. */
static void who_has_just_started_does_not_tell_the_date(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct nodes *nodes = nodes_new(2);
        struct caller *caller = caller_new(nodes, 0);
        char key[NODES_KEY_SIZE];
        nodes_key(nodes, 0, 0, key);
        caller_ask(caller, ask_of("SET %s v\r\n", key), "+OK\r\n");
        jump(nodes, 1, sign * years_ms);
        restart(nodes, 1);
        for (int i = 0; i < 1000; i++) {
            caller_say(caller, "SET %s v%d\r\n", key, i);
            nodes_run(nodes, 2);
            const struct store *store = cluster_node_store(node_of(nodes, 0));
            int64_t ahead_ms =
                (int64_t)(clock_ms(store->clock.last) - cluster_node_wall_ms(node_of(nodes, 0)));
            assert_true(llabs(ahead_ms) < TIMEKEEPER_OFF_MS);
        }
        struct caller *other = caller_new(nodes, 1);
        caller_ask(other, ask_of("CONSISTENCY R ONE\r\nGET %s\r\n", key), "+OK\r\n$4\r\nv999\r\n");
        nodes_free(nodes);
    }
}

/* ---- what goes on meanwhile ------------------------------------------------------------------ */

/* It coordinates the keys, and so proposes what is to go: what has expired goes with tombstones, a
 * minute later. */
static void what_has_expired_is_collected_by_the_right_time(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct nodes *nodes = nodes_new(3);
        struct caller *caller = caller_new(nodes, 1);
        char key[NODES_KEY_SIZE], other[NODES_KEY_SIZE];
        nodes_key(nodes, 0, 0, key);
        nodes_key(nodes, 0, 1, other);
        jump(nodes, 0, sign * years_ms);
        restart(nodes, 0);
        nodes_run(nodes, 2000);
        caller_ask(caller, ask_of("SET %s v PX 1000\r\n", key), "+OK\r\n");
        for (unsigned i = 0; i < 2; i++) {
            struct store *store = cluster_node_store(node_of(nodes, 1));
            nodes_run(nodes, 40 * 1000);
            caller_ask(caller, ask_of("SET %s v\r\n", other), "+OK\r\n");
            caller_ask(caller, ask_of("DEL %s\r\n", other), ":1\r\n");
            nodes_run(nodes, 10 * 1000);
            assert_int_equal(store_slot_stored(store, slot_of_key(bytes_text(other))), 0);
            assert_int_equal(store_slot_stored(store, slot_of_key(bytes_text(key))), i == 0);
        }
        nodes_free(nodes);
    }
}

/* Waits end, ticks come: deadlines are told as of the wall clock. */
static void a_node_that_doubts_its_clock_works_as_others(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct nodes *nodes = nodes_new(3);
        struct caller *caller = caller_new(nodes, 0);
        jump(nodes, 0, sign * years_ms);
        nodes_run(nodes, 1000);
        struct cluster_node *node = node_of(nodes, 0);
        uint64_t wall_ms = cluster_node_wall_ms(node), due_ms = node_deadline_ms(node->node);
        assert_in_range(due_ms, wall_ms - 1000, wall_ms + 1000);
        caller_say(caller, "INFO quorum\r\n");
        caller_await(caller, 500);
        nodes_run(nodes, 100);
        buffer_append_u8(&caller->received, 0);
        assert_non_null(strstr(buffer_bytes(&caller->received).data, "clock_doubted:1\r\n"));
        buffer_clear(&caller->received, SIZE_MAX);
        caller_say(caller, "CLIENT PAUSE 500\r\nPING\r\n");
        caller_expect(caller, "+OK\r\n+PONG\r\n");
        nodes_free(nodes);
    }
}

static void set_cut(struct nodes *nodes, unsigned a, unsigned b, bool cut)
{
    (cut ? sim_net_block : sim_net_unblock)(nodes->net, a, b);
    (cut ? sim_net_block : sim_net_unblock)(nodes->net, b, a);
}

static bool is_quiet(struct nodes *nodes, unsigned node)
{
    return sync_is_quiet(peers_sync(node_peers(node_of(nodes, node)->node)));
}

/* It has seen no event, and only one of the others can tell it the time. What it dated by its clock
 * nobody would ever take from it. */
static void the_first_event_of_one_with_a_far_clock_is_taken_by_others(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(4);
    char key[NODES_KEY_SIZE];
    cluster_node_cut_power(node_of(nodes, 0));
    jump(nodes, 0, years_ms);
    set_cut(nodes, 0, 2, true);
    set_cut(nodes, 0, 3, true);
    cluster_node_start(node_of(nodes, 0));
    nodes_run(nodes, 3000);
    struct caller *caller = caller_new(nodes, 0);
    nodes_key(nodes, 0, 0, key);
    caller_ask(caller, ask_of("SET %s v\r\n", key), "+OK\r\n");
    set_cut(nodes, 0, 2, false);
    set_cut(nodes, 0, 3, false);
    nodes_run(nodes, 20 * 1000);
    for (unsigned node = 0; node < 4; node++)
        assert_true(is_quiet(nodes, node));
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_jumps_ahead_hides_nothing),
        cmocka_unit_test(a_deadline_that_is_set_just_after_a_jump_is_right),
        cmocka_unit_test(a_node_that_starts_with_a_wrong_clock_goes_by_the_others),
        cmocka_unit_test(who_is_cut_off_does_not_believe_a_jump_either),
        cmocka_unit_test(a_small_step_is_followed),
        cmocka_unit_test(what_most_clocks_say_is_believed),
        cmocka_unit_test(a_wrong_clock_that_is_set_is_believed_at_once),
        cmocka_unit_test(of_two_the_one_whose_clock_jumps_is_wrong),
        cmocka_unit_test(of_two_that_start_together_the_one_behind_is_believed),
        cmocka_unit_test(who_is_alone_believes_what_lasts),
        cmocka_unit_test(who_has_just_started_does_not_tell_the_date),
        cmocka_unit_test(what_has_expired_is_collected_by_the_right_time),
        cmocka_unit_test(a_node_that_doubts_its_clock_works_as_others),
        cmocka_unit_test(the_first_event_of_one_with_a_far_clock_is_taken_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
