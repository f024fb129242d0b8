/* SPDX-License-Identifier: MIT */
/* Three whole nodes and their clients: requests that other nodes run, in order, and their errors. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_over_all_nodes_is_answered_in_order),
        cmocka_unit_test(a_malformed_request_is_told_of_last),
        cmocka_unit_test(who_wants_no_replies_gets_none_from_other_nodes_either),
        cmocka_unit_test(who_wants_no_replies_is_let_go_all_the_same),
        cmocka_unit_test(requests_and_replies_may_be_larger_than_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
