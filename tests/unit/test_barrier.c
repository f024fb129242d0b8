/* SPDX-License-Identifier: MIT */
/* Who is waited for before what was deleted is collected: stories of whole nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/layout.h"
#include "store/export.h"
#include "support/nodes_world.h"

enum { LEAVER = 3, COUNT = 4, MANY_MS = 20000, LOOK_MS = 20 };

static const struct layout *layout_at(struct nodes *nodes, unsigned node)
{
    return peers_layout(node_peers(nodes->nodes[node].node));
}

static uint64_t collectable(struct nodes *nodes)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < LEAVER; i++)
        count += store_collectable_count(cluster_node_store(&nodes->nodes[i]));
    return count;
}

static void set_cut_off(struct nodes *nodes, unsigned node, bool cut)
{
    for (unsigned i = 0; i < nodes->count; i++) {
        if (i == node)
            continue;
        (cut ? sim_net_block : sim_net_unblock)(nodes->net, i, node);
        (cut ? sim_net_block : sim_net_unblock)(nodes->net, node, i);
    }
}

/* It stops, and starts as one that is to own nothing. */
static void begin_to_leave(struct nodes *nodes, unsigned node)
{
    cluster_node_stop(&nodes->nodes[node]);
    nodes->nodes[node].leaving = true;
    cluster_node_start(&nodes->nodes[node]);
    for (unsigned i = 0; i < MANY_MS / LOOK_MS && layout_at(nodes, 0)->phase == LAYOUT_STABLE; i++)
        nodes_run(nodes, LOOK_MS);
    assert_int_not_equal(layout_at(nodes, 0)->phase, LAYOUT_STABLE);
}

/* It has copies of everything from before, and is no member when it comes back with them. */
static void what_one_who_left_may_still_hold_is_not_collected(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(COUNT);
    struct caller *caller = caller_new(nodes, 0);
    for (unsigned i = 0; i < 40; i++) {
        caller_say(caller, "SET k%u v\r\n", i);
        caller_expect(caller, "+OK\r\n");
    }
    begin_to_leave(nodes, LEAVER);
    set_cut_off(nodes, LEAVER, true);
    nodes_run(nodes, MANY_MS);
    assert_int_equal(layout_at(nodes, 0)->phase, LAYOUT_STABLE);
    assert_false(layout_is_member(layout_at(nodes, 0), node_id(nodes->nodes[LEAVER].node)));
    for (unsigned i = 0; i < 40; i++) {
        caller_say(caller, "DEL k%u\r\n", i);
        caller_expect(caller, ":1\r\n");
    }
    nodes_run(nodes, MANY_MS);
    assert_int_equal(collectable(nodes), 3 * 40);

    set_cut_off(nodes, LEAVER, false);
    nodes_run(nodes, MANY_MS);
    assert_int_equal(collectable(nodes), 0);
    for (unsigned i = 0; i < 40; i++) {
        caller_say(caller, "GET k%u\r\n", i);
        caller_expect(caller, "$-1\r\n");
    }
    nodes_free(nodes);
}

/* Nobody is told but one node, and the others remember the dead one for as long as they live. */
static void who_was_removed_is_not_waited_for(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(COUNT);
    struct caller *caller = caller_new(nodes, 0);
    for (unsigned i = 0; i < 10; i++) {
        caller_say(caller, "SET k%u v\r\n", i);
        caller_expect(caller, "+OK\r\n");
    }
    nodes_run(nodes, MANY_MS); /* it has said that it holds something */
    uint64_t gone = nodes->nodes[LEAVER].number;
    cluster_node_cut_power(&nodes->nodes[LEAVER]);
    assert_int_equal(peers_forget(node_peers(nodes->nodes[0].node), gone), STATUS_OK);
    nodes_run(nodes, 5 * MANY_MS); /* longer than the one forgets it */
    assert_false(layout_is_member(layout_at(nodes, 0), gone));
    assert_non_null(gossip_peer(peers_gossip(node_peers(nodes->nodes[0].node)), gone));
    for (unsigned i = 0; i < 10; i++) {
        caller_say(caller, "DEL k%u\r\n", i);
        caller_expect(caller, ":1\r\n");
    }
    nodes_run(nodes, MANY_MS);
    assert_int_equal(collectable(nodes), 0);
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_who_left_may_still_hold_is_not_collected),
        cmocka_unit_test(who_was_removed_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
