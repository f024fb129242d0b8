/* SPDX-License-Identifier: MIT */
/* Nodes that start where none of their seeds is there, with what they have kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "node/addresses.h"
#include "sim/sim_files.h"
#include "support/nodes_world.h"
#include "sync/sync.h"

enum { NODES = 4, C = 2, D = 3 }; /* the first two are the seeds */

static struct files *disk_of(struct nodes *nodes, unsigned node)
{
    return sim_files_interface(nodes->nodes[node].disk);
}

static struct nodes *all_have_died(void)
{
    struct nodes *nodes = nodes_new(NODES);
    for (unsigned node = 0; node < NODES; node++)
        cluster_node_crash(&nodes->nodes[node]);
    return nodes;
}

static bool sees(struct nodes *nodes, unsigned node, unsigned other)
{
    const struct cluster_node *self = &nodes->nodes[node];
    return gossip_is_up(peers_gossip(node_peers(self->node)), nodes->nodes[other].number);
}

/* Whether the two that are no seeds find each other. */
static bool find_each_other(struct nodes *nodes)
{
    cluster_node_start(&nodes->nodes[C]);
    cluster_node_start(&nodes->nodes[D]);
    for (unsigned s = 0; s < 20 && !(sees(nodes, C, D) && sees(nodes, D, C)); s++)
        nodes_run(nodes, 1000);
    return sees(nodes, C, D) && sees(nodes, D, C);
}

static void members_find_each_other_without_seeds(void **state)
{
    (void)state;
    struct nodes *nodes = all_have_died();
    assert_true(find_each_other(nodes));
    nodes_free(nodes);
}

/* One knows enough: it dials the other, which then knows where it is. */
static void one_that_remembers_is_enough(void **state)
{
    (void)state;
    struct nodes *nodes = all_have_died();
    assert_int_equal(disk_of(nodes, C)->ops->remove(disk_of(nodes, C), "peers"), STATUS_OK);
    assert_true(find_each_other(nodes));
    nodes_free(nodes);
}

/* So it is the file that they know each other by. A damaged one is as if there were none. */
static void damaged_files_are_as_if_there_were_none(void **state)
{
    static const struct bytes damages[] = {
        {"", 0},
        {"\x01\xff", 2},              /* half a number */
        {"\x01\x05\x09\x7fn", 5},     /* a host that ends outside of the file */
        {"\x01\x05\x00\x01n", 5},     /* no port */
        {"\x01\x05\x09\x02n\x00", 6}, /* no name */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct nodes *nodes = all_have_died();
        assert_int_equal(files_replace(disk_of(nodes, C), "peers", damages[i]), STATUS_OK);
        assert_int_equal(files_replace(disk_of(nodes, D), "peers", damages[i]), STATUS_OK);
        assert_false(find_each_other(nodes));
        cluster_node_start(&nodes->nodes[0]); /* and a seed helps */
        nodes_run(nodes, 10 * 1000);
        assert_true(sees(nodes, C, D) && sees(nodes, D, C));
        nodes_free(nodes);
    }
}

static void another_form_is_not_read(void **state)
{
    (void)state;
    struct nodes *nodes = all_have_died();
    for (unsigned node = C; node <= D; node++) {
        struct buffer bytes = {0};
        struct files *disk = disk_of(nodes, node);
        assert_int_equal(files_read_all(disk, "peers", 4096, &bytes), STATUS_OK);
        *(char *)(uintptr_t)buffer_bytes(&bytes).data = 2;
        assert_int_equal(files_replace(disk, "peers", buffer_bytes(&bytes)), STATUS_OK);
        buffer_deinit(&bytes);
    }
    assert_false(find_each_other(nodes));
    nodes_free(nodes);
}

/* What one has learned anew is kept anew. */
static void what_was_damaged_is_written_again(void **state)
{
    (void)state;
    struct nodes *nodes = all_have_died();
    assert_int_equal(files_replace(disk_of(nodes, C), "peers", BYTES("\x01\xff")), STATUS_OK);
    for (unsigned node = 0; node < NODES; node++)
        cluster_node_start(&nodes->nodes[node]);
    nodes_run(nodes, 10 * 1000);
    for (unsigned node = 0; node < NODES; node++)
        cluster_node_crash(&nodes->nodes[node]);
    assert_int_equal(disk_of(nodes, D)->ops->remove(disk_of(nodes, D), "peers"), STATUS_OK);
    assert_true(find_each_other(nodes));
    nodes_free(nodes);
}

static bool links_to(struct nodes *nodes, unsigned node, uint64_t number)
{
    return bus_is_up(peers_bus(node_peers(nodes->nodes[node].node)), number);
}

/* All that it has said to that one was heard. */
static bool is_heard_by(struct nodes *nodes, unsigned node, uint64_t number)
{
    const struct bus *bus = peers_bus(node_peers(nodes->nodes[node].node));
    uint64_t sent = bus_sent_count(bus, number);
    return sent > 0 && bus_settled_count(bus, number) == sent;
}

static struct sync_stats sync_of(struct nodes *nodes, unsigned node)
{
    struct sync_stats stats;
    sync_stats(peers_sync(node_peers(nodes->nodes[node].node)), &stats);
    return stats;
}

/* All but D start anew, and dial D where it was. It listens to them, but dies before it has noticed
 * that it must dial them, too, to say who it is. Then it misses a write that C coordinates. */
static struct nodes *one_has_died_unheard(void)
{
    char key[NODES_KEY_SIZE], set[2 * NODES_KEY_SIZE];
    struct nodes *nodes = nodes_new(NODES);
    uint64_t gone = nodes->nodes[D].number;
    for (unsigned node = 0; node < D; node++)
        cluster_node_cut_power(&nodes->nodes[node]);
    for (unsigned node = 0; node < D; node++)
        cluster_node_start(&nodes->nodes[node]);
    for (unsigned ms = 0; ms < 5000 && !is_heard_by(nodes, C, gone); ms++)
        nodes_run(nodes, 1);
    cluster_node_cut_power(&nodes->nodes[D]);
    assert_null(gossip_peer(peers_gossip(node_peers(nodes->nodes[C].node)), gone));
    nodes_run(nodes, 5000);
    struct caller *caller = caller_new(nodes, C);
    for (unsigned i = 0; i < 20 && sync_of(nodes, C).hints_pending == 0; i++) {
        nodes_key(nodes, C, i, key);
        snprintf(set, sizeof(set), "SET %s v\r\n", key);
        caller_ask(caller, set, "+OK\r\n");
        nodes_run(nodes, 2000);
    }
    return nodes;
}

/* Nothing goes over the link with it, so nothing would ever break that. */
static void who_left_without_a_word_is_parted_from(void **state)
{
    (void)state;
    struct nodes *nodes = one_has_died_unheard();
    uint64_t gone = nodes->nodes[D].number;
    assert_true(links_to(nodes, C, gone));
    assert_int_not_equal(sync_of(nodes, C).hints_pending, 0);
    assert_int_equal(peers_forget(node_peers(nodes->nodes[0].node), gone), STATUS_OK);
    nodes_run(nodes, BUS_SILENCE_MS / 2); /* before what was said at the change goes unheard */
    assert_int_equal(peers_layout(node_peers(nodes->nodes[C].node))->ring.member_count, D);
    assert_false(links_to(nodes, C, gone));
    assert_int_equal(sync_of(nodes, C).hints_pending, 0);
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_find_each_other_without_seeds),
        cmocka_unit_test(one_that_remembers_is_enough),
        cmocka_unit_test(damaged_files_are_as_if_there_were_none),
        cmocka_unit_test(another_form_is_not_read),
        cmocka_unit_test(what_was_damaged_is_written_again),
        cmocka_unit_test(who_left_without_a_word_is_parted_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
