/* SPDX-License-Identifier: MIT */
/* WAIT, asked of whole nodes: how many other owners have all that a client has written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/nodes_world.h"

enum { NODES = 3 };

static struct nodes *begin(struct caller **out_caller)
{
    struct nodes *nodes = nodes_new(NODES);
    *out_caller = caller_new(nodes, 0);
    return nodes;
}

/* A write at each node: the number-th. */
static void write_everywhere(struct caller *caller, unsigned number)
{
    char replies[64];
    for (unsigned node = 0; node < NODES; node++) {
        char key[NODES_KEY_SIZE];
        nodes_key(caller->nodes, node, 0, key);
        caller_say(caller, "INCR %s\r\n", key);
    }
    snprintf(replies, sizeof(replies), ":%u\r\n:%u\r\n:%u\r\n", number, number, number);
    caller_expect(caller, replies);
}

static void who_has_written_nothing_need_not_wait(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    caller_ask(caller, "WAIT 2 0\r\nWAIT 0 0\r\nWAIT 7 100\r\n", ":2\r\n:2\r\n:2\r\n");
    caller_ask(caller, "WAIT x 0\r\nWAIT 1 -1\r\nWAIT 1\r\n",
               "-ERR value is not an integer or out of range\r\n"
               "-ERR timeout is negative\r\n"
               "-ERR wrong number of arguments for 'wait' command\r\n");
    nodes_free(nodes);
}

/* W is 2: a write is answered when one other owner has it. */
static void all_owners_are_waited_for_whoever_ran_the_writes(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_everywhere(caller, 1);
    caller_ask(caller, "WAIT 2 0\r\n", ":2\r\n");
    caller_ask(caller, "MSET a 1 b 2 c 3 d 4 e 5\r\nWAIT 2 0\r\n", "+OK\r\n:2\r\n");
    nodes_free(nodes);
}

static void write_while_one_stands_still(struct caller *caller)
{
    char key[NODES_KEY_SIZE];
    nodes_key(caller->nodes, 1, 0, key);
    cluster_node_pause(&caller->nodes->nodes[2]);
    caller_say(caller, "INCR %s\r\n", key);
    caller_await(caller, strlen(":1\r\n"));
    buffer_clear(&caller->received, 0);
}

static void an_owner_counts_as_soon_as_it_has_it(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_while_one_stands_still(caller);
    caller_say(caller, "WAIT 1 0\r\nWAIT 2 20\r\n");
    caller_await(caller, strlen(":1\r\n:1\r\n"));
    buffer_clear(&caller->received, 0);
    caller_say(caller, "WAIT 2 0\r\n"); /* as long as it takes */
    nodes_run(nodes, 20);
    assert_int_equal(buffer_size(&caller->received), 0);
    cluster_node_resume(&nodes->nodes[2]);
    caller_expect(caller, ":2\r\n");
    nodes_free(nodes);
}

/* It will be told of the write some time: who waited for it might wait for ever. And what was sent
 * just before is waited for, though another node has not run it yet. */
static void an_owner_that_has_missed_it_is_not_waited_for(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 1, 0, key);
    cluster_node_pause(&nodes->nodes[2]);
    caller_say(caller, "INCR %s\r\nWAIT 2 0\r\n", key);
    caller_expect(caller, ":1\r\n:1\r\n");
    nodes_free(nodes);
}

static void keys_on_several_nodes_are_writes_of_each(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    char a[NODES_KEY_SIZE], b[NODES_KEY_SIZE];
    nodes_key(nodes, 0, 0, a);
    nodes_key(nodes, 1, 0, b);
    cluster_node_pause(&nodes->nodes[2]);
    caller_say(caller, "MSET %s 1 %s 2\r\nWAIT 2 0\r\n", a, b);
    caller_expect(caller, "+OK\r\n:1\r\n");
    nodes_free(nodes);
}

/* Behind it in the pipeline nothing runs. */
static void what_comes_behind_waits_too(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *other = caller_new(nodes, 1);
    cluster_node_pause(&nodes->nodes[2]);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 0, 0, key);
    caller_say(caller, "INCR %s\r\nWAIT 2 200\r\nINCR %s\r\n", key, key);
    nodes_run(nodes, 50);
    caller_say(other, "CONSISTENCY R ONE\r\nGET %s\r\n", key);
    caller_expect(other, "+OK\r\n$1\r\n1\r\n");
    caller_expect(caller, ":1\r\n:1\r\n:2\r\n");
    nodes_free(nodes);
}

/* It may have gone with writes that nobody else has; nobody is left who could tell. */
static void what_a_dead_node_ran_nobody_has_for_certain(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_everywhere(caller, 1);
    cluster_node_crash(&nodes->nodes[1]);
    nodes_run(nodes, 500);
    caller_ask(caller, "WAIT 2 100\r\n", ":0\r\n");
    nodes_free(nodes);
}

/* What it has said while it lived still holds; of what it ran since it has said nothing. */
static void what_was_confirmed_stays_confirmed(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_everywhere(caller, 1);
    caller_ask(caller, "WAIT 2 0\r\n", ":2\r\n");
    cluster_node_crash(&nodes->nodes[1]);
    nodes_run(nodes, 500);
    caller_ask(caller, "WAIT 2 100\r\n", ":2\r\n");
    cluster_node_start(&nodes->nodes[1]);
    nodes_run(nodes, 5000);
    write_everywhere(caller, 2);
    cluster_node_crash(&nodes->nodes[1]);
    nodes_run(nodes, 500);
    caller_ask(caller, "WAIT 2 100\r\n", ":0\r\n");
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_written_nothing_need_not_wait),
        cmocka_unit_test(all_owners_are_waited_for_whoever_ran_the_writes),
        cmocka_unit_test(an_owner_counts_as_soon_as_it_has_it),
        cmocka_unit_test(an_owner_that_has_missed_it_is_not_waited_for),
        cmocka_unit_test(keys_on_several_nodes_are_writes_of_each),
        cmocka_unit_test(what_comes_behind_waits_too),
        cmocka_unit_test(what_a_dead_node_ran_nobody_has_for_certain),
        cmocka_unit_test(what_was_confirmed_stays_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
