/* SPDX-License-Identifier: MIT */
/* Three whole nodes and their clients: requests that other nodes run, their order, their errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/nodes_world.h"

static struct nodes *begin(struct caller **out_caller)
{
    struct nodes *nodes = nodes_new(3);
    *out_caller = caller_new(nodes, 0);
    return nodes;
}

/* ---- order ----------------------------------------------------------------------------------- */

static void a_pipeline_over_all_nodes_is_answered_in_order(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct buffer expected = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        caller_say(caller, "SET k:%u v%u\r\nGET k:%u\r\n", i, i, i);
        int size = snprintf(NULL, 0, "v%u", i);
        buffer_printf(&expected, "+OK\r\n$%d\r\nv%u\r\n", size, i);
        if (i % 10 == 0) {
            caller_say(caller, "PING\r\nEXISTS k:%u k:%u nosuch\r\nECHO e\r\nGET\r\n", i, i / 2);
            buffer_printf(&expected, "+PONG\r\n:2\r\n$1\r\ne\r\n"
                                     "-ERR wrong number of arguments for 'get' command\r\n");
        }
    }
    buffer_append_u8(&expected, 0);
    caller_expect(caller, buffer_bytes(&expected).data);
    buffer_deinit(&expected);
    nodes_free(nodes);
}

static void a_malformed_request_is_told_of_last(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    for (unsigned node = 0; node < 3; node++) {
        char key[NODES_KEY_SIZE];
        struct caller *other = caller_new(nodes, 0);
        nodes_key(nodes, node, 0, key);
        caller_say(other, "SET %s v\r\nGET %s\r\n*x\r\n", key, key);
        caller_expect(other, "+OK\r\n$1\r\nv\r\n-ERR Protocol error: invalid multibulk length\r\n");
        assert_true(caller_is_cut_off(other));
    }
    nodes_free(nodes);
}

/* ---- clients that want no replies ------------------------------------------------------------ */

static void who_wants_no_replies_gets_none_from_other_nodes_either(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    for (unsigned node = 0; node < 3; node++) {
        char a[NODES_KEY_SIZE], b[NODES_KEY_SIZE];
        nodes_key(nodes, node, 0, a);
        nodes_key(nodes, node, 1, b);
        caller_say(caller, "CLIENT REPLY OFF\r\nSET %s 1\r\nGET %s\r\nSET %s 2\r\n", a, a, b);
        caller_say(caller, "CLIENT REPLY ON\r\nGET %s\r\n", b);
        caller_expect(caller, "+OK\r\n$1\r\n2\r\n");
        caller_say(caller, "GET %s\r\nCLIENT REPLY SKIP\r\nSET %s 3\r\nGET %s\r\n", a, a, a);
        caller_expect(caller, "$1\r\n1\r\n$1\r\n3\r\n");
    }
    nodes_free(nodes);
}

static void who_wants_no_replies_is_let_go_all_the_same(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    for (unsigned node = 0; node < 3; node++) {
        char key[NODES_KEY_SIZE];
        struct caller *other = caller_new(nodes, 0);
        nodes_key(nodes, node, 0, key);
        caller_say(other, "CLIENT REPLY OFF\r\nSET %s v%u\r\nQUIT\r\n", key, node);
        caller_expect(other, "");
        assert_true(caller_is_cut_off(other));
    }
    nodes_free(nodes);
}

/* ---- large ----------------------------------------------------------------------------------- */

static void requests_and_replies_may_be_larger_than_a_message(void **state)
{
    (void)state;
    enum { SIZE = 3 * FORWARD_PART_MAX + 5 };
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    for (unsigned node = 0; node < 3; node++) {
        char key[NODES_KEY_SIZE];
        struct buffer value = {0}, reply = {0};
        nodes_key(nodes, node, 0, key);
        for (unsigned i = 0; i < SIZE; i++)
            buffer_append_u8(&value, (uint8_t)('a' + i % 26));
        caller_say(caller, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%u\r\n", strlen(key), key,
                   (unsigned)SIZE);
        caller_send(caller, buffer_bytes(&value));
        caller_say(caller, "\r\n");
        caller_expect(caller, "+OK\r\n");
        caller_say(caller, "GET %s\r\n", key);
        buffer_printf(&reply, "$%u\r\n", (unsigned)SIZE);
        buffer_append_bytes(&reply, buffer_bytes(&value));
        buffer_append(&reply, "\r\n", 3);
        caller_expect(caller, buffer_bytes(&reply).data);
        buffer_deinit(&value);
        buffer_deinit(&reply);
    }
    nodes_free(nodes);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void an_empty_cluster_answers_for_all_keys(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    caller_ask(caller, "RANDOMKEY\r\n", "$-1\r\n");
    caller_ask(caller, "DBSIZE\r\nKEYS *\r\nFLUSHALL\r\n", ":0\r\n*0\r\n+OK\r\n");
    caller_ask(caller, "MGET a b c\r\nEXISTS a b c\r\n", "*3\r\n$-1\r\n$-1\r\n$-1\r\n:0\r\n");
    caller_ask(caller, "SET k v\r\nRANDOMKEY\r\n", "+OK\r\n$1\r\nk\r\n");
    nodes_free(nodes);
}

static void many_keys_are_asked_for_in_many_parts(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct buffer reply = {0};
    caller_say(caller, "*%u\r\n$4\r\nMSET\r\n", 1 + 2 * COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        caller_say(caller, "$5\r\n%05u\r\n$6\r\nv%05u\r\n", i, i);
    caller_expect(caller, "+OK\r\n");
    buffer_printf(&reply, "*%u\r\n", COUNT);
    caller_say(caller, "*%u\r\n$4\r\nMGET\r\n", 1 + COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        caller_say(caller, "$5\r\n%05u\r\n", i);
        buffer_printf(&reply, "$6\r\nv%05u\r\n", i);
    }
    buffer_append_u8(&reply, 0);
    caller_expect(caller, buffer_bytes(&reply).data);
    buffer_deinit(&reply);
    caller_ask(caller, "SELECT 1\r\nSET a 1\r\nDBSIZE\r\nSELECT 0\r\nDBSIZE\r\n",
               "+OK\r\n+OK\r\n:1\r\n+OK\r\n:5000\r\n");
    caller_ask(caller, "FLUSHALL\r\nDBSIZE\r\nSELECT 1\r\nDBSIZE\r\n",
               "+OK\r\n:0\r\n+OK\r\n:0\r\n");
    nodes_free(nodes);
}

static void other_nodes_forget_clients_that_have_left(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    caller_ask(caller, "MGET a b c d e f g h\r\nDBSIZE\r\n",
               "*8\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n:0\r\n");
    size_t remotes = 0;
    for (unsigned i = 0; i < 3; i++)
        remotes += forwarder_remotes(peers_forwarder(node_peers(nodes->nodes[i].node)));
    assert_int_equal(remotes, 3);
    caller_leave(caller);
    nodes_run(nodes, 100);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(forwarder_remotes(peers_forwarder(node_peers(nodes->nodes[i].node))), 0);
    nodes_free(nodes);
}

/* ---- what a client has chosen ---------------------------------------------------------------- */

static void other_nodes_answer_as_the_client_wants_it(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 1, 0, key);
    caller_say(caller, "SELECT 3\r\nSET %s three\r\nSELECT 0\r\nGET %s\r\n", key, key);
    caller_expect(caller, "+OK\r\n+OK\r\n+OK\r\n$-1\r\n");
    caller_say(caller, "HELLO 3\r\n");
    caller_await(caller, 100);
    buffer_clear(&caller->received, 0);
    caller_say(caller, "GET %s\r\nMGET %s nosuch x\r\n", key, key);
    caller_expect(caller, "_\r\n*3\r\n_\r\n_\r\n_\r\n");
    nodes_free(nodes);
}

static void a_password_is_for_clients_not_for_nodes(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 1, 0, key);
    for (unsigned i = 0; i < 3; i++) {
        struct caller *operator= caller_new(nodes, i);
        caller_ask(operator, "CONFIG SET requirepass secret\r\n", "+OK\r\n");
    }
    struct caller *stranger = caller_new(nodes, 0);
    caller_say(stranger, "SET %s v\r\n", key);
    caller_expect(stranger, "-NOAUTH Authentication required.\r\n");
    caller_say(stranger, "AUTH secret\r\nSET %s v\r\nMGET %s nosuch\r\n", key, key);
    caller_expect(stranger, "+OK\r\n+OK\r\n*2\r\n$1\r\nv\r\n$-1\r\n");
    nodes_free(nodes);
}

/* A line of MONITOR begins with the time. */
static void expect_watched(struct caller *monitor, const char *command)
{
    nodes_run(monitor->nodes, 50);
    caller_await(monitor, strlen(command));
    buffer_append_u8(&monitor->received, 0);
    const char *line = buffer_bytes(&monitor->received).data;
    const char *end = strchr(line, '\n');
    assert_non_null(strstr(line, command));
    assert_true(end && end[1] == 0); /* it is one */
    buffer_clear(&monitor->received, 0);
}

static void who_watches_a_node_sees_what_its_clients_ask(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *monitors[3];
    for (unsigned node = 0; node < 3; node++) {
        monitors[node] = caller_new(nodes, node);
        caller_ask(monitors[node], "MONITOR\r\n", "+OK\r\n");
    }
    for (unsigned node = 0; node < 3; node++) {
        char key[NODES_KEY_SIZE], line[64];
        nodes_key(nodes, node, 0, key);
        caller_say(caller, "SET %s v\r\n", key);
        snprintf(line, sizeof(line), "\"SET\" \"%s\" \"v\"", key);
        expect_watched(monitors[0], line);
    }
    caller_say(caller, "MGET a b c d\r\n");
    expect_watched(monitors[0], "\"MGET\" \"a\" \"b\" \"c\" \"d\"");
    caller_say(caller, "DBSIZE\r\n");
    expect_watched(monitors[0], "\"DBSIZE\"");
    caller_expect(monitors[1], "");
    caller_expect(monitors[2], "");
    nodes_free(nodes);
}

static void a_pause_of_the_node_that_runs_it_holds_a_write(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *other = caller_new(nodes, 1);
    char key[NODES_KEY_SIZE];
    nodes_key(nodes, 1, 0, key);
    caller_ask(other, "CLIENT PAUSE 500 WRITE\r\n", "+OK\r\n");
    caller_say(caller, "SET %s v\r\nGET %s\r\nPING\r\n", key, key);
    caller_expect(caller, "+OK\r\n$1\r\nv\r\n+PONG\r\n");
    caller_ask(other, "CLIENT PAUSE 100000 WRITE\r\n", "+OK\r\n");
    caller_say(caller, "SET %s w\r\n", key);
    nodes_run(nodes, 100);
    caller_leave(caller); /* and what the paused node keeps for it goes too */
    nodes_run(nodes, 100);
    caller_ask(other, "CLIENT UNPAUSE\r\n", "+OK\r\n");
    nodes_free(nodes);
}

/* ---- nodes that go --------------------------------------------------------------------------- */

/* How many of the lines begin so. */
static unsigned lines_with(struct bytes text, const char *prefix)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++)
        if (i == 0 || text.data[i - 1] == '\n')
            count += bytes_starts_with(bytes_of(text.data + i, text.size - i), bytes_text(prefix));
    return count;
}

static unsigned all_lines(struct bytes text)
{
    return lines_with(text, "");
}

static void each_request_has_one_answer_when_nodes_die(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    for (unsigned how = 0; how < 3; how++) {
        struct caller *caller;
        struct nodes *nodes = begin(&caller);
        caller_ask(caller, "SET n 0\r\nSET k v\r\n", "+OK\r\n+OK\r\n");
        for (unsigned i = 0; i < COUNT; i++)
            caller_say(caller, "INCR n%u\r\nSET k%u v\r\nEXISTS k%u k n\r\n", i, i, i);
        if (how == 0)
            cluster_node_crash(&nodes->nodes[2]);
        else if (how == 1)
            cluster_node_stop(&nodes->nodes[2]);
        else
            cluster_node_pause(&nodes->nodes[2]);
        nodes_run(nodes, 8000);
        if (how == 2)
            cluster_node_resume(&nodes->nodes[2]);
        nodes_run(nodes, 8000);
        caller_await(caller, 1);
        nodes_run(nodes, 100);
        caller_say(caller, "PING\r\n");
        nodes_run(nodes, 100);
        caller_await(caller, buffer_size(&caller->received) + 7);
        struct bytes answers = buffer_bytes(&caller->received);
        assert_int_equal(all_lines(answers), 3 * COUNT + 1);
        assert_int_equal(lines_with(answers, ":") + lines_with(answers, "+OK") +
                             lines_with(answers, "-UNKNOWN"),
                         3 * COUNT);
        assert_true(lines_with(answers, "-UNKNOWN") <= COUNT);
        assert_int_equal(lines_with(answers, "+PONG"), 1);
        nodes_free(nodes);
    }
}

static void clients_may_go_while_their_requests_wait(void **state)
{
    (void)state;
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    struct caller *killed = caller_new(nodes, 0), *closed = caller_new(nodes, 0);
    cluster_node_pause(&nodes->nodes[1]);
    cluster_node_pause(&nodes->nodes[2]);
    for (unsigned i = 0; i < 60; i++) {
        caller_say(killed, "SET k%u v\r\nGET k%u\r\nMGET k%u k%u k%u\r\n", i, i, i, i + 1, i + 2);
        caller_say(closed, "GET k%u\r\nINCR n%u\r\nDEL a%u b%u c%u\r\n", i, i, i, i, i);
    }
    nodes_run(nodes, 20);
    caller_say(caller, "CLIENT KILL ID 2\r\nCLIENT LIST\r\n");
    caller_leave(closed);
    nodes_run(nodes, 50);
    cluster_node_resume(&nodes->nodes[1]);
    cluster_node_resume(&nodes->nodes[2]);
    nodes_run(nodes, 3000);
    for (unsigned i = 0; i < 3; i++)
        assert_true(nodes->nodes[i].state == CLUSTER_UP);
    nodes_free(nodes);
}

/* ---- slow links ------------------------------------------------------------------------------ */

enum { SLOW_US = 600 * 1000 };

/* The answer of each node. */
static void expect_everywhere(struct nodes *nodes, const char *text, const char *reply)
{
    nodes_run(nodes, 5000);
    for (unsigned i = 0; i < 3; i++) {
        struct caller *caller = caller_new(nodes, i);
        caller_ask(caller, text, reply);
    }
}

static void what_a_slow_link_brings_late_is_not_run(void **state)
{
    (void)state;
    char key[NODES_KEY_SIZE], get[64];
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    nodes_key(nodes, 1, 0, key);
    sim_net_set_slow(nodes->net, 0, 1, SLOW_US);
    caller_say(caller, "SET %s old\r\n", key);
    caller_await(caller, 5); /* another node has run it */
    caller_expect(caller, "+OK\r\n");
    caller_say(caller, "SET %s new\r\n", key);
    caller_expect(caller, "+OK\r\n");
    sim_net_set_slow(nodes->net, 0, 1, 0);
    snprintf(get, sizeof(get), "GET %s\r\n", key);
    expect_everywhere(nodes, get, "$3\r\nnew\r\n");
    nodes_free(nodes);
}

static void a_link_that_is_always_slow_is_given_more_time(void **state)
{
    (void)state;
    char key[NODES_KEY_SIZE];
    struct caller *caller;
    struct nodes *nodes = begin(&caller);
    nodes_key(nodes, 1, 0, key);
    for (unsigned i = 0; i < 3; i++) { /* no other can do without n2 */
        if (i == 1)
            continue;
        sim_net_set_slow(nodes->net, i, 1, SLOW_US / 4);
        sim_net_set_slow(nodes->net, 1, i, SLOW_US / 4);
    }
    nodes_run(nodes, 3000);
    for (unsigned i = 0; i < 5; i++) {
        caller_say(caller, "SET %s v%u\r\nGET %s\r\n", key, i, key);
        char reply[32];
        snprintf(reply, sizeof(reply), "+OK\r\n$2\r\nv%u\r\n", i);
        caller_expect(caller, reply);
    }
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_over_all_nodes_is_answered_in_order),
        cmocka_unit_test(a_malformed_request_is_told_of_last),
        cmocka_unit_test(who_wants_no_replies_gets_none_from_other_nodes_either),
        cmocka_unit_test(who_wants_no_replies_is_let_go_all_the_same),
        cmocka_unit_test(requests_and_replies_may_be_larger_than_a_message),
        cmocka_unit_test(an_empty_cluster_answers_for_all_keys),
        cmocka_unit_test(many_keys_are_asked_for_in_many_parts),
        cmocka_unit_test(other_nodes_forget_clients_that_have_left),
        cmocka_unit_test(other_nodes_answer_as_the_client_wants_it),
        cmocka_unit_test(a_password_is_for_clients_not_for_nodes),
        cmocka_unit_test(who_watches_a_node_sees_what_its_clients_ask),
        cmocka_unit_test(a_pause_of_the_node_that_runs_it_holds_a_write),
        cmocka_unit_test(each_request_has_one_answer_when_nodes_die),
        cmocka_unit_test(clients_may_go_while_their_requests_wait),
        cmocka_unit_test(what_a_slow_link_brings_late_is_not_run),
        cmocka_unit_test(a_link_that_is_always_slow_is_given_more_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
