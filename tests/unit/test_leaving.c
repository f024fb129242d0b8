/* SPDX-License-Identifier: MIT */
/* Nodes that leave by their own wish, with rows that they have still to give away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/nodes_world.h"
#include "sync/sync.h"

enum { NODES = 4, A = 0, D = 3, KEYS = 40, DOWN_MS = 20 * 1000, LONG_MS = 60 * 1000 };

static const struct layout *layout_of(struct nodes *nodes, unsigned node)
{
    return peers_layout(node_peers(nodes->nodes[node].node));
}

static struct sync_stats sync_of(struct nodes *nodes, unsigned node)
{
    struct sync_stats stats;
    sync_stats(peers_sync(node_peers(nodes->nodes[node].node)), &stats);
    return stats;
}

static uint64_t all_collectable(struct nodes *nodes)
{
    uint64_t rows = 0;
    for (unsigned node = 0; node < D; node++)
        rows += sync_of(nodes, node).collectable;
    return rows;
}

static void each_key(struct caller *caller, const char *format, const char *reply)
{
    char text[64];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(text, sizeof(text), format, i);
        caller_ask(caller, text, reply);
    }
}

static void set_cut(struct nodes *nodes, unsigned node, bool cut)
{
    for (unsigned other = 0; other < NODES; other++) {
        if (other == node)
            continue;
        (cut ? sim_net_block : sim_net_unblock)(nodes->net, node, other);
        (cut ? sim_net_block : sim_net_unblock)(nodes->net, other, node);
    }
}

/* D leaves, and is cut off when it has left the layout and still holds rows. */
static struct nodes *one_is_cut_off_while_it_leaves(struct caller **out_caller)
{
    struct nodes *nodes = nodes_new(NODES);
    *out_caller = caller_new(nodes, A);
    each_key(*out_caller, "SET k%u v\r\n", "+OK\r\n");
    cluster_node_stop(&nodes->nodes[D]);
    nodes_run(nodes, 1000);
    nodes->nodes[D].leaving = true;
    cluster_node_start(&nodes->nodes[D]);
    for (unsigned i = 0; i < 60000 && layout_of(nodes, A)->ring.member_count == NODES; i++)
        nodes_run(nodes, 1);
    for (unsigned i = 0; i < 60000 && layout_of(nodes, A)->phase != LAYOUT_STABLE; i++)
        nodes_run(nodes, 1);
    set_cut(nodes, D, true);
    nodes_run(nodes, DOWN_MS);
    assert_int_equal(layout_of(nodes, A)->ring.member_count, D);
    assert_int_not_equal(sync_of(nodes, D).foreign, 0);
    return nodes;
}

/* What it holds is older than a deletion that it does not know of. */
static void nothing_deleted_meanwhile_comes_back(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = one_is_cut_off_while_it_leaves(&caller);
    each_key(caller, "DEL k%u\r\n", ":1\r\n");
    nodes_run(nodes, LONG_MS);
    assert_int_not_equal(all_collectable(nodes), 0);
    set_cut(nodes, D, false);
    nodes_run(nodes, LONG_MS);
    assert_int_equal(sync_of(nodes, D).foreign, 0);
    each_key(caller, "GET k%u\r\n", "$-1\r\n");
    assert_int_equal(all_collectable(nodes), 0);
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_deleted_meanwhile_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
