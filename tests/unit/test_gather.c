/* SPDX-License-Identifier: MIT */
/* Three whole nodes: commands on keys of several of them, and on all keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/nodes_world.h"

enum { NODES = 3 };

static struct nodes *begin(struct caller **out_caller)
{
    struct nodes *nodes = nodes_new(NODES);
    *out_caller = caller_new(nodes, 0);
    return nodes;
}

/* A key of each node, and what its commands look like. */
struct keys {
    char of[NODES][NODES_KEY_SIZE];
};

static struct keys a_key_of_each(struct nodes *nodes)
{
    struct keys keys;
    for (unsigned node = 0; node < NODES; node++)
        nodes_key(nodes, node, 0, keys.of[node]);
    return keys;
}

/* ---- several keys ---------------------------------------------------------------------------- */

static void a_key_that_is_named_twice_counts_twice(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    caller_say(caller, "MSET %s 1 %s 2 %s 3 %s 4\r\n", k.of[0], k.of[1], k.of[0], k.of[2]);
    caller_say(caller, "MGET %s %s %s %s\r\n", k.of[2], k.of[0], k.of[1], k.of[0]);
    caller_expect(caller, "+OK\r\n*4\r\n$1\r\n4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n3\r\n");
    caller_say(caller, "EXISTS %s %s %s %s\r\n", k.of[0], k.of[0], k.of[1], k.of[2]);
    caller_say(caller, "TOUCH %s %s nosuch\r\n", k.of[1], k.of[2]);
    caller_say(caller, "UNLINK %s %s %s nosuch\r\n", k.of[0], k.of[1], k.of[0]);
    caller_say(caller, "DEL %s %s\r\n", k.of[1], k.of[2]);
    caller_expect(caller, ":4\r\n:2\r\n:2\r\n:1\r\n");
    nodes_free(nodes);
}

static void errors_are_those_of_a_node_alone(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    caller_say(caller, "MSET %s 1 %s\r\n", k.of[0], k.of[1]);
    caller_expect(caller, "-ERR wrong number of arguments for 'mset' command\r\n");
    caller_say(caller, "RENAME %s %s\r\nMSETNX %s 1 %s 2\r\n", k.of[0], k.of[1], k.of[1], k.of[2]);
    caller_expect(caller, "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
                          "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
    caller_ask(caller, "FLUSHALL NOW\r\nFLUSHDB ASYNC x\r\n",
               "-ERR syntax error\r\n-ERR syntax error\r\n");
    caller_ask(caller, "SCAN nowhere\r\nSCAN 0 COUNT 0\r\nSCAN 0 COUNT many\r\n",
               "-ERR invalid cursor\r\n-ERR syntax error\r\n"
               "-ERR value is not an integer or out of range\r\n");
    nodes_free(nodes);
}

/* Keys on one other node, of several slots, are still one request of that node's. */
static void keys_of_one_node_are_one_part(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    char a[NODES_KEY_SIZE], b[NODES_KEY_SIZE];
    nodes_key(nodes, 1, 0, a);
    nodes_key(nodes, 1, 1, b);
    caller_say(caller, "MSETNX %s 1 %s 2\r\nMGET %s %s\r\n", a, b, b, a);
    caller_expect(caller, ":1\r\n*2\r\n$1\r\n2\r\n$1\r\n1\r\n");
    nodes_free(nodes);
}

/* ---- a node that refuses its part ------------------------------------------------------------ */

static void has_no_memory(struct nodes *nodes, unsigned node)
{
    struct caller *operator= caller_new(nodes, node);
    caller_ask(operator, "CONFIG SET maxmemory 1\r\n", "+OK\r\n");
    nodes_run(nodes, 1000);
}

static void what_some_nodes_refused_others_have_run(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    has_no_memory(nodes, 1);
    caller_say(caller, "MSET %s a %s b\r\n", k.of[1], k.of[2]);
    caller_expect(caller,
                  "-UNKNOWN A part of the command was refused, others may have been run\r\n");
    caller_say(caller, "MGET %s %s\r\n", k.of[1], k.of[2]);
    caller_expect(caller, "*2\r\n$-1\r\n$1\r\nb\r\n");
    nodes_free(nodes);
}

static void what_all_nodes_refused_nobody_has_run(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    has_no_memory(nodes, 1);
    has_no_memory(nodes, 2);
    caller_say(caller, "MSET %s a %s b\r\n", k.of[1], k.of[2]);
    caller_expect(caller, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    caller_say(caller, "MGET %s %s\r\n", k.of[1], k.of[2]);
    caller_expect(caller, "*2\r\n$-1\r\n$-1\r\n");
    nodes_free(nodes);
}

/* ---- all keys -------------------------------------------------------------------------------- */

enum { KEYS = 400 };

static void write_keys(struct caller *caller)
{
    for (unsigned i = 0; i < KEYS; i++)
        caller_say(caller, "SET k%03u v\r\n", i);
    caller_await(caller, KEYS * strlen("+OK\r\n"));
    buffer_clear(&caller->received, 0);
}

/* Reads a reply of SCAN, counts its keys, and gives the cursor. */
static uint64_t take_scan(struct caller *caller, unsigned seen[KEYS])
{
    nodes_run(caller->nodes, 20);
    caller_await(caller, strlen("*2\r\n$1\r\n0\r\n*0\r\n"));
    buffer_append_u8(&caller->received, 0);
    const char *text = buffer_bytes(&caller->received).data;
    assert_true(strncmp(text, "*2\r\n$", 5) == 0);
    text = strchr(text + 5, '\n') + 1;
    uint64_t cursor = strtoull(text, NULL, 10);
    for (text = strstr(text, "*"); (text = strstr(text, "\nk")); text++) {
        unsigned number = (unsigned)strtoul(text + 2, NULL, 10);
        assert_true(number < KEYS);
        seen[number]++;
    }
    buffer_clear(&caller->received, 0);
    return cursor;
}

static void expect_each_once(const unsigned seen[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], 1);
}

/* Each page is asked of the next node: a cursor is good on all. */
static void a_scan_that_wanders_finds_each_key_once(void **state)
{
    (void)state;
    struct caller *callers[NODES];
    struct nodes *nodes = begin(&callers[0]);
    unsigned seen[KEYS] = {0}, page = 0;
    uint64_t cursor = 0;
    write_keys(callers[0]);
    callers[1] = caller_new(nodes, 1);
    callers[2] = caller_new(nodes, 2);
    do {
        struct caller *caller = callers[page++ % NODES];
        caller_say(caller, "SCAN %llu COUNT 50\r\n", (unsigned long long)cursor);
        cursor = take_scan(caller, seen);
    } while (cursor != 0);
    assert_true(page > 3);
    expect_each_once(seen);
    nodes_free(nodes);
}

static void a_scan_goes_on_when_a_node_dies(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    unsigned seen[KEYS] = {0}, page = 0;
    uint64_t cursor = 0;
    write_keys(caller);
    nodes_run(nodes, 1000);
    do {
        if (page++ == 2)
            cluster_node_crash(&nodes->nodes[2]);
        caller_say(caller, "SCAN %llu COUNT 20\r\n", (unsigned long long)cursor);
        cursor = take_scan(caller, seen);
    } while (cursor != 0);
    assert_true(page > 3);
    expect_each_once(seen);
    nodes_free(nodes);
}

static void all_keys_are_told_once_though_each_is_on_three_nodes(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_keys(caller);
    for (unsigned node = 0; node < NODES; node++) {
        struct caller *other = caller_new(nodes, node);
        caller_ask(other, "DBSIZE\r\n", ":400\r\n");
        caller_ask(other, "KEYS k00[7]\r\n", "*1\r\n$4\r\nk007\r\n");
        caller_ask(other, "KEYS nosuch*\r\n", "*0\r\n");
    }
    caller_ask(caller, "SELECT 1\r\nDBSIZE\r\nKEYS *\r\n", "+OK\r\n:0\r\n*0\r\n");
    nodes_free(nodes);
}

/* One that drew only from its own keys, or from the first node's, would not find some. */
static void any_key_may_be_drawn_and_the_only_one_is(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    for (unsigned node = 0; node < NODES; node++) {
        char reply[80];
        snprintf(reply, sizeof(reply), "+OK\r\n$%zu\r\n%s\r\n:1\r\n", strlen(k.of[node]),
                 k.of[node]);
        caller_say(caller, "SET %s v\r\nRANDOMKEY\r\nDEL %s\r\n", k.of[node], k.of[node]);
        caller_expect(caller, reply);
    }
    caller_say(caller, "MSET %s 0 %s 1 %s 2\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "+OK\r\n");
    unsigned drawn[NODES] = {0};
    for (unsigned i = 0; i < 60; i++) {
        caller_say(caller, "RANDOMKEY\r\n");
        caller_await(caller, strlen("$5\r\n\r\n") + strlen("key:0"));
        nodes_run(nodes, 5);
        buffer_append_u8(&caller->received, 0);
        for (unsigned node = 0; node < NODES; node++)
            drawn[node] += strstr(buffer_bytes(&caller->received).data, k.of[node]) != NULL;
        buffer_clear(&caller->received, 0);
    }
    assert_int_equal(drawn[0] + drawn[1] + drawn[2], 60);
    for (unsigned node = 0; node < NODES; node++)
        assert_true(drawn[node] > 0);
    nodes_free(nodes);
}

/* ---- flushing -------------------------------------------------------------------------------- */

/* More keys than are deleted at once; other databases stay. */
static void a_database_is_flushed_on_all_nodes(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    caller_ask(caller, "SET stays v\r\nSELECT 15\r\n", "+OK\r\n+OK\r\n");
    caller_say(caller, "*%u\r\n$4\r\nMSET\r\n", 1 + 2 * COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        caller_say(caller, "$5\r\n%05u\r\n$1\r\nv\r\n", i);
    caller_expect(caller, "+OK\r\n");
    caller_ask(caller, "DBSIZE\r\nFLUSHDB\r\nDBSIZE\r\n", ":3000\r\n+OK\r\n:0\r\n");
    for (unsigned node = 0; node < NODES; node++) {
        struct caller *other = caller_new(nodes, node);
        caller_ask(other, "DBSIZE\r\nGET stays\r\nSELECT 15\r\nKEYS *\r\n",
                   ":1\r\n$1\r\nv\r\n+OK\r\n*0\r\n");
    }
    nodes_free(nodes);
}

static void all_is_flushed_though_a_node_dies_meanwhile(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    write_keys(caller);
    nodes_run(nodes, 1000);
    caller_say(caller, "FLUSHALL\r\n");
    cluster_node_crash(&nodes->nodes[1]);
    caller_expect(caller, "+OK\r\n");
    caller_ask(caller, "DBSIZE\r\n", ":0\r\n");
    cluster_node_start(&nodes->nodes[1]);
    nodes_run(nodes, 10 * 1000); /* what it has kept does not come back */
    for (unsigned node = 0; node < NODES; node++) {
        struct caller *other = caller_new(nodes, node);
        caller_ask(other, "DBSIZE\r\n", ":0\r\n");
    }
    nodes_free(nodes);
}

/* ---- nodes that go --------------------------------------------------------------------------- */

/* Asked of node 0 while node 1 stands still, which then dies: the parts of others are there. */
static void ask_and_kill(struct caller *caller, struct nodes *nodes)
{
    nodes_run(nodes, 30);
    assert_int_equal(buffer_size(&caller->received), 0);
    cluster_node_crash(&nodes->nodes[1]);
}

static void what_reads_begins_anew_with_those_that_are_left(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    caller_say(caller, "MSET %s a %s b %s c\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "+OK\r\n");
    nodes_run(nodes, 1000);
    cluster_node_pause(&nodes->nodes[1]);
    caller_say(caller, "MGET %s %s %s\r\nEXISTS %s %s %s nosuch\r\nDBSIZE\r\n", k.of[0], k.of[1],
               k.of[2], k.of[0], k.of[1], k.of[2]);
    ask_and_kill(caller, nodes);
    caller_expect(caller, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n:3\r\n:3\r\n");
    nodes_free(nodes);
}

/* A second run would find the keys gone that the first has deleted. */
static void a_count_of_deletions_is_not_begun_anew(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    caller_say(caller, "MSET %s a %s b %s c\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "+OK\r\n");
    nodes_run(nodes, 1000);
    cluster_node_pause(&nodes->nodes[1]);
    caller_say(caller, "DEL %s %s %s\r\n", k.of[0], k.of[1], k.of[2]);
    ask_and_kill(caller, nodes);
    caller_expect(caller, "-UNKNOWN Nodes that ran a part of the command have gone: it may have "
                          "been run or not\r\n");
    caller_say(caller, "MGET %s %s\r\n", k.of[0], k.of[2]);
    caller_expect(caller, "*2\r\n$-1\r\n$-1\r\n");
    nodes_free(nodes);
}

/* The same values once more come to the same. */
static void what_sets_begins_anew(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    cluster_node_pause(&nodes->nodes[1]);
    caller_say(caller, "MSET %s a %s b %s c\r\n", k.of[0], k.of[1], k.of[2]);
    ask_and_kill(caller, nodes);
    caller_expect(caller, "+OK\r\n");
    caller_say(caller, "MGET %s %s %s\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    nodes_free(nodes);
}

/* It has run its part, and dies before anybody hears of that: what it has in its log is older. */
static void a_part_of_the_dead_does_not_outlive_a_delete(void **state)
{
    (void)state;
    for (unsigned second = 0; second < NODES; second += 2) {
        struct caller *caller;
        struct nodes *nodes = begin(&caller);
        struct keys k = a_key_of_each(nodes);
        nodes_run(nodes, 10 * 1000);
        nodes_die_with(nodes, 1, k.of[1]);
        caller_say(caller, "MSET %s a %s b\r\n", k.of[1], k.of[second]);
        caller_expect(caller, "+OK\r\n");
        assert_int_equal(nodes->nodes[1].state, CLUSTER_DOWN);
        caller_say(caller, "DEL %s\r\n", k.of[1]);
        caller_expect(caller, ":1\r\n");
        cluster_node_start(&nodes->nodes[1]);
        nodes_run(nodes, 10 * 1000);
        caller_say(caller, "MGET %s %s\r\n", k.of[1], k.of[second]);
        caller_expect(caller, "*2\r\n$-1\r\n$1\r\nb\r\n");
        nodes_free(nodes);
    }
}

/* Node 2 has its part, and may run it: what its client says next would be overtaken. */
static void what_others_may_still_run_is_waited_for(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *operator= caller_new(nodes, 2);
    struct keys k = a_key_of_each(nodes);
    caller_ask(operator, "CLIENT PAUSE 600\r\n", "+OK\r\n");
    cluster_node_pause(&nodes->nodes[1]);
    caller_say(caller, "DEL %s %s %s\r\n", k.of[0], k.of[1], k.of[2]);
    ask_and_kill(caller, nodes);
    nodes_run(nodes, 350);
    caller_expect(caller, "");
    caller_expect(caller, "-UNKNOWN Nodes that ran a part of the command have gone: it may have "
                          "been run or not\r\n");
    nodes_free(nodes);
}

/* Node 1 is there and does not answer, for much longer than a quorum may take. */
static void what_was_lost_late_begins_anew_too(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *operator= caller_new(nodes, 1);
    struct keys k = a_key_of_each(nodes);
    caller_ask(operator, "CLIENT PAUSE 5000\r\n", "+OK\r\n");
    caller_say(caller, "MSET %s a %s b %s c\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "+OK\r\n");
    caller_ask(operator, "CLIENT PAUSE 5000\r\n", "+OK\r\n");
    caller_say(caller, "MGET %s %s %s\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    nodes_free(nodes);
}

static void a_node_left_alone_says_that_it_is_too_few(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct keys k = a_key_of_each(nodes);
    cluster_node_crash(&nodes->nodes[1]);
    cluster_node_crash(&nodes->nodes[2]);
    nodes_run(nodes, 1000);
    caller_say(caller, "MGET %s %s %s\r\n", k.of[0], k.of[1], k.of[2]);
    caller_expect(caller, "-NOREPLICAS Not enough good replicas to read: 1 of 2 nodes have "
                          "answered in time\r\n");
    caller_say(caller, "CONSISTENCY R ONE W ONE\r\nMGET %s %s\r\nEXISTS %s\r\n", k.of[0], k.of[2],
               k.of[1]);
    caller_expect(caller, "+OK\r\n*2\r\n$-1\r\n$-1\r\n:0\r\n");
    nodes_free(nodes);
}

static void who_leaves_in_the_midst_leaves_nothing_behind(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *leaver = caller_new(nodes, 0);
    cluster_node_pause(&nodes->nodes[1]);
    caller_say(leaver, "MGET a b c d e f\r\nFLUSHALL\r\n");
    nodes_run(nodes, 50);
    caller_leave(leaver);
    nodes_run(nodes, 50);
    cluster_node_resume(&nodes->nodes[1]);
    nodes_run(nodes, 1000);
    caller_ask(caller, "SET k v\r\nDBSIZE\r\n", "+OK\r\n:1\r\n");
    caller_leave(caller);
    nodes_run(nodes, 1000);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(forwarder_remotes(peers_forwarder(node_peers(nodes->nodes[i].node))), 0);
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_named_twice_counts_twice),
        cmocka_unit_test(errors_are_those_of_a_node_alone),
        cmocka_unit_test(keys_of_one_node_are_one_part),
        cmocka_unit_test(what_some_nodes_refused_others_have_run),
        cmocka_unit_test(what_all_nodes_refused_nobody_has_run),
        cmocka_unit_test(a_scan_that_wanders_finds_each_key_once),
        cmocka_unit_test(a_scan_goes_on_when_a_node_dies),
        cmocka_unit_test(all_keys_are_told_once_though_each_is_on_three_nodes),
        cmocka_unit_test(any_key_may_be_drawn_and_the_only_one_is),
        cmocka_unit_test(a_database_is_flushed_on_all_nodes),
        cmocka_unit_test(all_is_flushed_though_a_node_dies_meanwhile),
        cmocka_unit_test(what_reads_begins_anew_with_those_that_are_left),
        cmocka_unit_test(a_count_of_deletions_is_not_begun_anew),
        cmocka_unit_test(what_sets_begins_anew),
        cmocka_unit_test(a_part_of_the_dead_does_not_outlive_a_delete),
        cmocka_unit_test(what_others_may_still_run_is_waited_for),
        cmocka_unit_test(what_was_lost_late_begins_anew_too),
        cmocka_unit_test(a_node_left_alone_says_that_it_is_too_few),
        cmocka_unit_test(who_leaves_in_the_midst_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
