/* SPDX-License-Identifier: MIT */
/* Stories of nodes that are away for longer than the others wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/nodes_world.h"
#include "sync/sync.h"

enum { NODES = 5, REMOVE_AFTER_S = 4, MAX_ABSENCE_S = 8, LONG_MS = 40 * 1000 };

static struct nodes *impatient_nodes(void)
{
    struct nodes *nodes = nodes_new(NODES);
    nodes->settings.remove_after_s = REMOVE_AFTER_S; /* of those that start again */
    for (unsigned i = 0; i < NODES; i++)
        nodes->nodes[i].config.cluster_remove_after_s = REMOVE_AFTER_S;
    return nodes;
}

static const struct layout *layout_of(struct nodes *nodes, unsigned node)
{
    return peers_layout(node_peers(nodes->nodes[node].node));
}

static void expect_members(struct nodes *nodes, unsigned node, unsigned count)
{
    assert_int_equal(layout_of(nodes, node)->phase, LAYOUT_STABLE);
    assert_int_equal(layout_of(nodes, node)->ring.member_count, count);
}

static void cut_off(struct nodes *nodes, unsigned first, bool cut)
{
    for (unsigned from = 0; from < NODES; from++)
        for (unsigned to = 0; to < NODES; to++)
            if ((from >= first) != (to >= first))
                (cut ? sim_net_block : sim_net_unblock)(nodes->net, from, to);
}

static uint64_t collected(struct nodes *nodes, unsigned node)
{
    struct sync_stats stats;
    sync_stats(peers_sync(node_peers(nodes->nodes[node].node)), &stats);
    return stats.collected;
}

/* A node is away for longer than it takes to be removed; meanwhile a key is deleted. */
static void delete_while_away(struct nodes *nodes, char key[NODES_KEY_SIZE])
{
    struct caller *caller = caller_new(nodes, 0);
    nodes_key(nodes, 4, 0, key);
    caller_say(caller, "SET %s old\r\n", key);
    caller_expect(caller, "+OK\r\n");
    nodes_run(nodes, 1000);
    nodes->nodes[4].held_down++;
    cluster_node_crash(&nodes->nodes[4]);
    nodes_run(nodes, 1000);
    caller_say(caller, "DEL %s\r\n", key);
    caller_expect(caller, ":1\r\n");
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 0, 4);
}

/* It is a member again, and the key is as it should be, wherever one asks. */
static void come_back(struct nodes *nodes, const char *key, const char *reply)
{
    nodes->nodes[4].held_down--;
    cluster_node_start(&nodes->nodes[4]);
    nodes_run(nodes, LONG_MS);
    for (unsigned i = 0; i < NODES; i++)
        expect_members(nodes, i, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        struct caller *caller = caller_new(nodes, i);
        caller_say(caller, "GET %s\r\n", key);
        caller_expect(caller, reply);
    }
}

static void expect_rest(struct nodes *nodes)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct sync_stats stats;
        sync_stats(peers_sync(node_peers(nodes->nodes[i].node)), &stats);
        assert_int_equal(stats.foreign, 0);
        assert_int_equal(stats.slots_unequal, 0);
        assert_int_equal(stats.slots_to_gain, 0);
    }
}

static void test_who_is_down_long_is_removed_and_joins_anew(void **state)
{
    (void)state;
    struct nodes *nodes = impatient_nodes();
    struct caller *caller = caller_new(nodes, 0);
    struct cluster_node *gone = &nodes->nodes[4];
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 4, 0, key);
    caller_say(caller, "SET %s one\r\n", key);
    caller_expect(caller, "+OK\r\n");
    gone->held_down++;
    cluster_node_crash(gone);
    nodes_run(nodes, 1000 * REMOVE_AFTER_S);
    expect_members(nodes, 0, NODES); /* it must be down for so long first */
    nodes_run(nodes, LONG_MS);
    for (unsigned i = 0; i < 4; i++)
        expect_members(nodes, i, 4);
    caller_say(caller, "GET %s\r\n", key);
    caller_expect(caller, "$3\r\none\r\n");
    caller_say(caller, "SET %s two\r\n", key);
    caller_expect(caller, "+OK\r\n");
    gone->held_down--;
    cluster_node_start(gone);
    nodes_run(nodes, LONG_MS);
    for (unsigned i = 0; i < NODES; i++)
        expect_members(nodes, i, NODES);
    expect_rest(nodes);
    struct caller *other = caller_new(nodes, 4);
    caller_say(other, "GET %s\r\n", key);
    caller_expect(other, "$3\r\ntwo\r\n");
    nodes_free(nodes);
}

/* Two of five go on alone, with what they own and for each other; the three others remove them, and
 * not the other way round. It lasts until they are back: what only the two have acknowledged would
 * be lost, so nobody takes over slots of both. */
static void test_the_smaller_part_removes_nobody(void **state)
{
    (void)state;
    struct nodes *nodes = impatient_nodes();
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 3, 0, key);
    uint64_t version = layout_of(nodes, 3)->version;
    cut_off(nodes, 3, true);
    nodes_run(nodes, LONG_MS);
    assert_int_equal(layout_of(nodes, 0)->phase, LAYOUT_WRITING_BOTH);
    assert_int_equal(layout_of(nodes, 0)->next.member_count, 3);
    assert_int_equal(layout_of(nodes, 3)->version, version);
    assert_int_equal(layout_of(nodes, 4)->version, version);
    struct caller *caller = caller_new(nodes, 3);
    caller_say(caller, "SET %s kept\r\n", key);
    caller_expect(caller, "+OK\r\n");
    cut_off(nodes, 3, false);
    nodes_run(nodes, 2 * LONG_MS);
    for (unsigned i = 0; i < NODES; i++)
        expect_members(nodes, i, NODES);
    expect_rest(nodes);
    struct caller *other = caller_new(nodes, 0);
    caller_say(other, "GET %s\r\n", key);
    caller_expect(other, "$4\r\nkept\r\n");
    nodes_free(nodes);
}

/* Two of five that wait no longer are not enough; three are. */
static void test_it_takes_a_majority(void **state)
{
    (void)state;
    struct nodes *nodes = impatient_nodes();
    nodes->nodes[0].config.cluster_remove_after_s = 1;
    for (unsigned i = 1; i < NODES; i++)
        nodes->nodes[i].config.cluster_remove_after_s = i < 2 ? 1 : 0;
    nodes->nodes[4].held_down++;
    cluster_node_crash(&nodes->nodes[4]);
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 0, NODES);
    nodes->nodes[2].config.cluster_remove_after_s = 1;
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 0, 4);
    nodes_free(nodes);
}

static void test_collection_waits_for_who_was_removed(void **state)
{
    (void)state;
    struct nodes *nodes = impatient_nodes();
    char key[NODES_KEY_SIZE];
    delete_while_away(nodes, key);
    assert_true(layout_has_departed(layout_of(nodes, 0), nodes->nodes[4].number));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(collected(nodes, i), 0);
    come_back(nodes, key, "$-1\r\n");
    assert_int_equal(layout_of(nodes, 0)->departed_count, 0);
    assert_true(collected(nodes, 0) + collected(nodes, 1) > 0);
    expect_rest(nodes);
    nodes_free(nodes);
}

/* But not for ever: then what the one brings back may be older than what has been collected. */
static void test_who_is_away_too_long_brings_nothing_back(void **state)
{
    (void)state;
    struct nodes *nodes = impatient_nodes();
    char key[NODES_KEY_SIZE];
    nodes->settings.max_absence_s = MAX_ABSENCE_S;
    for (unsigned i = 0; i < NODES; i++)
        nodes->nodes[i].config.max_absence_s = MAX_ABSENCE_S;
    delete_while_away(nodes, key);
    assert_false(layout_has_departed(layout_of(nodes, 0), nodes->nodes[4].number));
    assert_true(collected(nodes, 0) + collected(nodes, 1) + collected(nodes, 2) > 0);
    come_back(nodes, key, "$-1\r\n");
    expect_rest(nodes);
    nodes_free(nodes);
}

/* With as many members as copies nobody is removed but for that. */
static void test_three_wait_no_longer_than_they_are_told(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(3);
    for (unsigned i = 0; i < 3; i++)
        nodes->nodes[i].config.cluster_remove_after_s = REMOVE_AFTER_S;
    nodes->nodes[2].held_down++;
    cluster_node_crash(&nodes->nodes[2]);
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 0, 3);
    for (unsigned i = 0; i < 3; i++)
        nodes->nodes[i].config.max_absence_s = MAX_ABSENCE_S;
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 0, 2);
    assert_int_equal(layout_of(nodes, 0)->departed_count, 0);
    nodes->nodes[2].held_down--;
    cluster_node_start(&nodes->nodes[2]);
    nodes_run(nodes, LONG_MS);
    expect_members(nodes, 2, 3);
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_down_long_is_removed_and_joins_anew),
        cmocka_unit_test(test_the_smaller_part_removes_nobody),
        cmocka_unit_test(test_it_takes_a_majority),
        cmocka_unit_test(test_collection_waits_for_who_was_removed),
        cmocka_unit_test(test_who_is_away_too_long_brings_nothing_back),
        cmocka_unit_test(test_three_wait_no_longer_than_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
