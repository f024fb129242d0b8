/* SPDX-License-Identifier: MIT */
/* Stories of nodes that are away for longer than the others wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/nodes_world.h"
#include "sync/sync.h"

enum { NODES = 5, REMOVE_AFTER_S = 4, LONG_MS = 40 * 1000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_down_long_is_removed_and_joins_anew),
        cmocka_unit_test(test_the_smaller_part_removes_nobody),
        cmocka_unit_test(test_it_takes_a_majority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
