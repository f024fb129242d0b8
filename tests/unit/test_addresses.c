/* SPDX-License-Identifier: MIT */
/* Nodes that start where none of their seeds is there, with what they have kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "node/addresses.h"
#include "sim/sim_files.h"
#include "support/nodes_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_find_each_other_without_seeds),
        cmocka_unit_test(one_that_remembers_is_enough),
        cmocka_unit_test(damaged_files_are_as_if_there_were_none),
        cmocka_unit_test(another_form_is_not_read),
        cmocka_unit_test(what_was_damaged_is_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
