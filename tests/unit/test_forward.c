/* SPDX-License-Identifier: MIT */
/* Whole nodes: what becomes of requests that others are to run, when these stand still, die, or
 * can't be heard. */
#include "node/forward_state.h"
#include "support/forward_story.h"

static void expect_no_answer_within(struct story *story, uint64_t ms)
{
    nodes_run(story->nodes, ms);
    caller_expect(story->caller, "");
}

/* The two that are left say so. */
static void expect_of_both(struct story *story, const char *request, const char *reply)
{
    struct caller *callers[] = {story->caller, story->other};
    for (unsigned i = 0; i < 2; i++) {
        caller_say(callers[i], "%s %s\r\n", request, story->key);
        caller_expect(callers[i], reply);
    }
}

/* ---- a node that stands still ---------------------------------------------------------------- */

static void what_must_not_run_twice_waits_for_who_stands_still(void **state)
{
    (void)state;
    struct story story = begin();
    cluster_node_pause(coordinator(&story));
    caller_say(story.caller, "INCR %s\r\n", story.key);
    expect_no_answer_within(&story, 1000);
    cluster_node_resume(coordinator(&story));
    caller_expect(story.caller, ":1\r\n");
    expect_everywhere(&story, "GET", "$1\r\n1\r\n");
    end(&story);
}

static void what_may_run_twice_goes_elsewhere(void **state)
{
    (void)state;
    struct story story = begin();
    cluster_node_pause(coordinator(&story));
    caller_say(story.caller, "SET %s v\r\nGET %s\r\n", story.key, story.key);
    caller_expect(story.caller, "+OK\r\n$1\r\nv\r\n");
    cluster_node_resume(coordinator(&story));
    nodes_run(story.nodes, 1000);
    expect_everywhere(&story, "GET", "$1\r\nv\r\n");
    end(&story);
}

/* It was passed over, and newer values have followed: what it finds when it goes on is old. */
static void what_went_elsewhere_does_not_run_late(void **state)
{
    (void)state;
    struct story story = begin();
    cluster_node_pause(coordinator(&story));
    caller_say(story.caller, "SET %s old\r\n", story.key);
    caller_expect(story.caller, "+OK\r\n");
    caller_say(story.other, "GET %s\r\n", story.key); /* its node passes it over too */
    caller_expect(story.other, "$3\r\nold\r\n");
    caller_say(story.other, "SET %s new\r\n", story.key);
    caller_expect(story.other, "+OK\r\n");
    cluster_node_resume(coordinator(&story));
    nodes_run(story.nodes, 3000);
    expect_everywhere(&story, "GET", "$3\r\nnew\r\n");
    expect_everywhere(&story, "STRLEN", ":3\r\n");
    end(&story);
}

/* Its links break, which says nothing of what it has in its sockets: before its end is over it may
 * go on, and run it. What its client says next waits for that. */
static void what_it_has_in_its_sockets_may_still_run(void **state)
{
    enum { RESETS = 30 };
    (void)state;
    struct story story = begin();
    nodes_run(story.nodes, 10000); /* its copies are compared: */
    caller_ask(story.caller, "CONSISTENCY R ONE\r\n",
               "+OK\r\n"); /* it asks nobody before it writes */
    cluster_node_pause(coordinator(&story));
    caller_say(story.caller, "SET %s old\r\n", story.key);
    nodes_run(story.nodes, 5);
    for (uint64_t i = 0; i < RESETS; i++)
        sim_net_reset(story.nodes->net, 1, i);
    nodes_run(story.nodes, 20);
    caller_say(story.caller, "SET %s new\r\n", story.key);
    nodes_run(story.nodes, 30);
    cluster_node_resume(coordinator(&story));
    caller_expect(story.caller, "+OK\r\n+OK\r\n");
    nodes_run(story.nodes, 5000);
    expect_everywhere(&story, "GET", "$3\r\nnew\r\n");
    end(&story);
}

static const char unknown[] =
    "-UNKNOWN The node that ran the command has gone: it may have been run or not\r\n";

/* Its client has gone on. What it wrote then must not be undone by what it had said before. */
static void what_its_client_was_told_is_unknown_does_not_run_later(void **state)
{
    (void)state;
    static const char *const requests[] = {"DEL", "INCR", "GETDEL"};
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct story story = begin();
        caller_say(story.caller, "SET %s 1\r\n", story.key);
        caller_expect(story.caller, "+OK\r\n");
        cluster_node_pause(coordinator(&story));
        caller_say(story.caller, "%s %s\r\n", requests[i], story.key);
        caller_expect(story.caller, unknown);
        caller_say(story.caller, "SET %s 20\r\n", story.key);
        caller_expect(story.caller, "+OK\r\n");
        cluster_node_resume(coordinator(&story));
        nodes_run(story.nodes, 3000);
        expect_everywhere(&story, "GET", "$2\r\n20\r\n");
        end(&story);
    }
}

/* That its links break says nothing of when it goes on: until its end has come there nobody knows
 * whether it will run, and nobody says so. What was sent behind it has waited that long, and has
 * all the time that there is to find somebody. */
static void while_it_may_still_run_nobody_says_that_it_is_unknown(void **state)
{
    enum { RESETS = 30 };
    char replies[128];
    (void)state;
    struct story story = begin();
    caller_say(story.caller, "SET %s 1\r\n", story.key);
    caller_expect(story.caller, "+OK\r\n");
    cluster_node_pause(coordinator(&story));
    caller_say(story.caller, "DEL %s\r\n", story.key);
    nodes_run(story.nodes, 5);
    for (uint64_t i = 0; i < RESETS; i++)
        sim_net_reset(story.nodes->net, 1, i);
    nodes_run(story.nodes, 20);
    caller_say(story.caller, "SET %s 20\r\n", story.key);
    expect_no_answer_within(&story, 3000);
    snprintf(replies, sizeof(replies), "%s+OK\r\n", unknown);
    caller_expect(story.caller, replies);
    cluster_node_resume(coordinator(&story));
    nodes_run(story.nodes, 3000);
    expect_everywhere(&story, "GET", "$2\r\n20\r\n");
    end(&story);
}

/* A node that is there, and has stood in the way for longer than a quorum may take. */
static void what_was_refused_late_finds_who_runs_it(void **state)
{
    (void)state;
    struct story story = begin();
    struct caller *operator= caller_new(story.nodes, 1);
    caller_ask(operator, "CLIENT PAUSE 1500\r\n", "+OK\r\n");
    caller_say(story.caller, "SET %s v\r\nDEL %s\r\nSET %s w\r\n", story.key, story.key, story.key);
    expect_no_answer_within(&story, 1200);
    caller_expect(story.caller, "+OK\r\n:1\r\n+OK\r\n");
    expect_everywhere(&story, "GET", "$1\r\nw\r\n");
    end(&story);
}

/* It had little time, and is late by all that there is: it gets that first. */
static void what_was_refused_very_late_is_given_more_time(void **state)
{
    (void)state;
    for (unsigned ms = 4040; ms < 4160; ms += 20) {
        struct story story = begin();
        struct caller *operator= caller_new(story.nodes, 1);
        caller_say(operator, "CLIENT PAUSE %u\r\n", ms);
        caller_expect(operator, "+OK\r\n");
        caller_say(story.caller, "SET %s v\r\n", story.key);
        caller_expect(story.caller, "+OK\r\n");
        end(&story);
    }
}

/* Node 1 has it, and of the two that are asked what became of it node 2 does not answer in time. */
static void what_nobody_can_tell_in_time_is_run_elsewhere_all_the_same(void **state)
{
    (void)state;
    struct story story = begin();
    cluster_node_pause(coordinator(&story));
    cluster_node_pause(&story.nodes->nodes[2]);
    caller_say(story.caller, "SET %s v\r\n", story.key);
    expect_no_answer_within(&story, 1500);
    cluster_node_resume(&story.nodes->nodes[2]);
    caller_expect(story.caller, "+OK\r\n");
    end(&story);
}

/* ---- a node that dies ------------------------------------------------------------------------ */

/* It runs the request, and nobody at `deaf` hears of it; then it dies. */
static void run_and_die(struct story *story, const char *request, unsigned deaf_count,
                        const unsigned deaf[])
{
    for (unsigned i = 0; i < deaf_count; i++)
        sim_net_block(story->nodes->net, 1, deaf[i]);
    caller_say(story->caller, "%s\r\n", request);
    nodes_run(story->nodes, 15);
    assert_int_equal(buffer_size(&story->caller->received), 0);
    cluster_node_crash(coordinator(story));
}

/* It comes back with what it has kept, and all hear each other. */
static void restart(struct story *story, unsigned deaf_count, const unsigned deaf[])
{
    for (unsigned i = 0; i < deaf_count; i++)
        sim_net_unblock(story->nodes->net, 1, deaf[i]);
    cluster_node_start(coordinator(story));
    nodes_run(story->nodes, 5000);
}

static void a_reply_that_was_lost_is_found_at_the_owners(void **state)
{
    static const unsigned deaf[] = {0};
    char request[64];
    (void)state;
    struct story story = begin();
    caller_say(story.caller, "INCRBY %s 40\r\n", story.key);
    caller_expect(story.caller, ":40\r\n");
    snprintf(request, sizeof(request), "INCRBY %s 2", story.key);
    run_and_die(&story, request, 1, deaf);
    caller_expect(story.caller, ":42\r\n");
    restart(&story, 1, deaf);
    expect_everywhere(&story, "GET", "$2\r\n42\r\n");
    end(&story);
}

/* The same node coordinates it, and it has other owners, among them node 0, but not this one. */
static void other_key(struct story *story, unsigned without, char out[NODES_KEY_SIZE])
{
    struct quorum *has = peers_quorum(node_peers(story->nodes->nodes[0].node));
    struct quorum *lacks = peers_quorum(node_peers(story->nodes->nodes[without].node));
    unsigned number = 0;
    uint16_t slot;
    do {
        nodes_key(story->nodes, 1, number++, out);
        slot = slot_of_key(bytes_text(out));
    } while (!quorum_may_coordinate(has, slot) || quorum_may_coordinate(lacks, slot));
}

/* All owners of one key have heard of it, and too few of the other's: its client is not told that
 * both are done. */
static void owners_of_one_key_tell_nothing_of_another(void **state)
{
    static const unsigned deaf[] = {0};
    char request[100], other[NODES_KEY_SIZE];
    (void)state;
    struct story story = begin_with_four();
    other_key(&story, 2, other);
    caller_ask(story.caller, "CONSISTENCY R ONE\r\n", "+OK\r\n"); /* so that it asks nobody first */
    caller_say(story.caller, "MSET %s v %s v\r\n", story.key, other);
    caller_expect(story.caller, "+OK\r\n");
    snprintf(request, sizeof(request), "RENAME %s %s", story.key, other);
    run_and_die(&story, request, 1, deaf);
    caller_expect(story.caller, unknown);
    restart(&story, 1, deaf);
    caller_say(story.other, "EXISTS %s %s\r\n", story.key, other);
    caller_expect(story.other, ":1\r\n");
    end(&story);
}

/* They have no coordinator in common any more: each is to find its own. */
static void keys_of_the_dead_part_ways(void **state)
{
    (void)state;
    for (unsigned without = 2; without < 4; without++) {
        struct story story = begin_with_four();
        char other[NODES_KEY_SIZE];
        other_key(&story, without, other);
        cluster_node_pause(coordinator(&story));
        caller_say(story.caller, "MSET %s v %s w\r\n", story.key, other);
        nodes_run(story.nodes, 5);
        cluster_node_crash(coordinator(&story));
        caller_expect(story.caller, "+OK\r\n");
        caller_say(story.other, "MGET %s %s\r\n", story.key, other);
        caller_expect(story.other, "*2\r\n$1\r\nv\r\n$1\r\nw\r\n");
        end(&story);
    }
}

static void of_what_nobody_has_heard_nobody_can_tell(void **state)
{
    static const unsigned deaf[] = {0, 2};
    char request[64];
    (void)state;
    struct story story = begin();
    caller_ask(story.caller, "CONSISTENCY R ONE\r\n", "+OK\r\n"); /* so that it asks nobody first */
    snprintf(request, sizeof(request), "INCR %s", story.key);
    run_and_die(&story, request, 2, deaf);
    caller_expect(story.caller, unknown);
    caller_say(story.other, "GET %s\r\n", story.key);
    caller_expect(story.other, "$-1\r\n");
    restart(&story, 2, deaf); /* with what it had written */
    expect_everywhere(&story, "GET", "$1\r\n1\r\n");
    end(&story);
}

static void a_plain_write_of_which_nobody_has_heard_is_run_again(void **state)
{
    static const unsigned deaf[] = {0, 2};
    char request[64];
    (void)state;
    struct story story = begin();
    snprintf(request, sizeof(request), "SET %s v", story.key);
    run_and_die(&story, request, 2, deaf);
    caller_expect(story.caller, "+OK\r\n");
    restart(&story, 2, deaf);
    expect_everywhere(&story, "GET", "$1\r\nv\r\n");
    end(&story);
}

/* It has the request, and has not run it. */
static void die_with(struct story *story, const char *request)
{
    cluster_node_pause(coordinator(story));
    caller_say(story->caller, "%s\r\n", request);
    nodes_run(story->nodes, 5);
    cluster_node_crash(coordinator(story));
}

/* The reply, and how long it took to come. */
static uint64_t answer_after_ms(struct story *story, const char *reply)
{
    uint64_t begin_us = story->nodes->clock.now_us;
    caller_await(story->caller, strlen(reply));
    uint64_t ms = (story->nodes->clock.now_us - begin_us) / SIM_MS;
    caller_expect(story->caller, reply);
    return ms;
}

/* What it can't run late any more need not wait, not even for the leases that it held. */
static void a_death_delays_nobody(void **state)
{
    (void)state;
    static const struct {
        const char *words, *set, *mset;
    } settings[] = {
        {"sloppy-quorum yes", "+OK\r\n", "+OK\r\n"},
        {"read-quorum 1 write-quorum 1", "+OK\r\n", "+OK\r\n"},
        /* What may have been run is not run again there. */
        {"sloppy-quorum no",
         "-UNKNOWN The node that ran the command has gone: it may have been run or not\r\n",
         "-UNKNOWN Nodes that ran a part of the command have gone: it may have been run or "
         "not\r\n"},
    };
    char request[128], replies[128], other[NODES_KEY_SIZE];
    for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct story story = begin();
        nodes_key(story.nodes, 2, 0, other);
        for (unsigned node = 0; node < 3; node++) {
            struct caller *caller = caller_new(story.nodes, node);
            caller_say(caller, "CONFIG SET %s\r\n", settings[i].words);
            caller_expect(caller, "+OK\r\n");
        }
        for (unsigned j = 0; j < 20; j++) { /* so that there are leases */
            caller_say(story.caller, "GET %s\r\n", story.key);
            caller_expect(story.caller, "$-1\r\n");
        }
        caller_say(story.caller, "GET %s\r\n", story.key);
        nodes_run(story.nodes, 4);
        snprintf(request, sizeof(request), "SET %s v", story.key);
        die_with(&story, request);
        snprintf(replies, sizeof(replies), "$-1\r\n%s", settings[i].set);
        assert_in_range(answer_after_ms(&story, replies), 0, 20);
        expect_of_both(&story, "GET", settings[i].set[0] == '+' ? "$1\r\nv\r\n" : "$-1\r\n");
        cluster_node_start(coordinator(&story));
        nodes_run(story.nodes, 5000);
        snprintf(request, sizeof(request), "MSET %s w %s w", story.key, other);
        die_with(&story, request);
        assert_in_range(answer_after_ms(&story, settings[i].mset), 0, 20);
        end(&story);
    }
}

/* Rows that it had sent are late: who asks what became of the request hears of them first. */
static void the_last_of_the_dead_is_heard(void **state)
{
    (void)state;
    static const char *const requests[][2] = {{"INCR %s\r\n", ":1\r\n"},
                                              {"SET %s 1\r\n", "+OK\r\n"}};
    for (unsigned i = 0; i < 2; i++) {
        struct story story = begin_with_four();
        caller_ask(story.caller, "CONSISTENCY R ONE\r\n", "+OK\r\n"); /* it asks nobody first */
        for (unsigned node = 2; node < 4; node++)
            sim_net_set_slow(story.nodes->net, 1, node, 40 * 1000);
        caller_say(story.caller, requests[i][0], story.key);
        nodes_run(story.nodes, 15);
        cluster_node_crash(coordinator(&story));
        assert_in_range(answer_after_ms(&story, requests[i][1]), 20, 80);
        caller_say(story.caller, "SET %s 2\r\nGET %s\r\n", story.key, story.key);
        caller_expect(story.caller, "+OK\r\n$1\r\n2\r\n");
        end(&story);
    }
}

/* Each read is answered by what its client wrote just before, whoever runs them. */
static void a_pipeline_stays_in_order_over_a_death(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct story story = begin();
    struct buffer expected = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        caller_say(story.caller, "SET %s %03u\r\nGET %s\r\n", story.key, i, story.key);
        buffer_printf(&expected, "+OK\r\n$3\r\n%03u\r\n", i);
        if (i % 8 == 0)
            nodes_run(story.nodes, 1);
        if (i == COUNT / 2)
            cluster_node_crash(coordinator(&story));
    }
    buffer_append_u8(&expected, 0);
    caller_expect(story.caller, buffer_bytes(&expected).data);
    buffer_deinit(&expected);
    end(&story);
}

/* ---- who may run it -------------------------------------------------------------------------- */

/* With more nodes than copies, most nodes own nothing of a key. */
static void any_node_takes_any_command(void **state)
{
    (void)state;
    enum { NODES = 5, KEYS = 30 };
    struct nodes *nodes = nodes_new(NODES);
    struct caller *callers[NODES];
    for (unsigned node = 0; node < NODES; node++)
        callers[node] = caller_new(nodes, node);
    for (unsigned i = 0; i < KEYS * NODES; i++) {
        char reply[16];
        snprintf(reply, sizeof(reply), ":%u\r\n", i / KEYS + 1);
        caller_say(callers[(i + i / KEYS) % NODES], "INCR n%u\r\n", i % KEYS);
        caller_expect(callers[(i + i / KEYS) % NODES], reply);
    }
    nodes_free(nodes);
}

static void an_error_of_who_runs_it_is_the_clients(void **state)
{
    (void)state;
    struct story story = begin();
    caller_say(story.caller, "SET %s v\r\nINCR %s\r\nGETEX %s PX 0\r\n", story.key, story.key,
               story.key);
    caller_expect(story.caller, "+OK\r\n-ERR value is not an integer or out of range\r\n"
                                "-ERR invalid expire time in 'getex' command\r\n");
    caller_say(story.caller, "CONSISTENCY R ALL W ALL\r\nGET %s\r\n", story.key);
    caller_expect(story.caller, "+OK\r\n$1\r\nv\r\n");
    cluster_node_crash(&story.nodes->nodes[2]);
    caller_say(story.caller, "GET %s\r\n", story.key);
    caller_expect(story.caller, "-NOREPLICAS Not enough good replicas to read: 2 of 3 nodes have "
                                "answered in time\r\n");
    end(&story);
}

/* Another node says two things at once: the first has to wait, the second is nonsense. */
static void nonsense_behind_a_request_harms_nobody(void **state)
{
    (void)state;
    struct story story = begin();
    struct peers *peers = node_peers(coordinator(&story)->node);
    for (uint64_t number = 1; number <= 2; number++) {
        struct buffer message = {0};
        buffer_append_varint(&message, 7); /* client */
        buffer_append_varint(&message, number);
        buffer_append_varint(&message, number);
        buffer_append(&message, "\0\0\0\0\0\0\0", 7);
        buffer_printf(&message, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n*1\r\nkaputt\r\n",
                      strlen(story.key), story.key);
        enum status status =
            forwarder_receive(peers_forwarder(peers), node_id(story.nodes->nodes[0].node),
                              MESSAGE_FORWARD, buffer_bytes(&message), peers_steady_ms(peers));
        assert_int_equal(status, STATUS_OK);
        buffer_deinit(&message);
        nodes_run(story.nodes, 100);
    }
    caller_say(story.caller, "SET %s v\r\n", story.key);
    caller_expect(story.caller, "+OK\r\n");
    end(&story);
}

/* One that this node has no copy of. */
static void key_of_others(struct nodes *nodes, unsigned node, char out[NODES_KEY_SIZE])
{
    const struct quorum *quorum = peers_quorum(node_peers(nodes->nodes[node].node));
    unsigned number = 0;
    do
        snprintf(out, NODES_KEY_SIZE, "k%u", number++);
    while (quorum_may_coordinate(quorum, slot_of_key(bytes_text(out))));
}

static void where_no_owner_is_there_nobody_runs_it(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(4);
    struct caller *caller = caller_new(nodes, 3);
    char key[NODES_KEY_SIZE] = "";
    key_of_others(nodes, 3, key);
    for (unsigned node = 0; node < 3; node++)
        cluster_node_crash(&nodes->nodes[node]);
    nodes_run(nodes, 500);
    caller_say(caller, "GET %s\r\n", key);
    caller_expect(caller, "-CLUSTERDOWN Hash slot not served\r\n");
    nodes_free(nodes);
}

/* The one that had it first stands still, and may have run it. */
static void where_no_owner_is_there_any_more_nobody_knows(void **state)
{
    (void)state;
    struct nodes *nodes = nodes_new(4);
    struct caller *caller = caller_new(nodes, 3);
    char key[NODES_KEY_SIZE] = "";
    key_of_others(nodes, 3, key);
    for (unsigned node = 0; node < 3; node++)
        cluster_node_pause(&nodes->nodes[node]);
    caller_say(caller, "SET %s v\r\n", key);
    caller_expect(caller, unknown);
    caller_say(caller, "SET %s v\r\n", key);
    caller_expect(caller, "-CLUSTERDOWN Hash slot not served\r\n");
    nodes_free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_must_not_run_twice_waits_for_who_stands_still),
        cmocka_unit_test(what_may_run_twice_goes_elsewhere),
        cmocka_unit_test(what_went_elsewhere_does_not_run_late),
        cmocka_unit_test(what_it_has_in_its_sockets_may_still_run),
        cmocka_unit_test(what_its_client_was_told_is_unknown_does_not_run_later),
        cmocka_unit_test(while_it_may_still_run_nobody_says_that_it_is_unknown),
        cmocka_unit_test(what_was_refused_late_finds_who_runs_it),
        cmocka_unit_test(what_was_refused_very_late_is_given_more_time),
        cmocka_unit_test(what_nobody_can_tell_in_time_is_run_elsewhere_all_the_same),
        cmocka_unit_test(a_reply_that_was_lost_is_found_at_the_owners),
        cmocka_unit_test(owners_of_one_key_tell_nothing_of_another),
        cmocka_unit_test(keys_of_the_dead_part_ways),
        cmocka_unit_test(of_what_nobody_has_heard_nobody_can_tell),
        cmocka_unit_test(a_plain_write_of_which_nobody_has_heard_is_run_again),
        cmocka_unit_test(a_death_delays_nobody),
        cmocka_unit_test(the_last_of_the_dead_is_heard),
        cmocka_unit_test(a_pipeline_stays_in_order_over_a_death),
        cmocka_unit_test(any_node_takes_any_command),
        cmocka_unit_test(an_error_of_who_runs_it_is_the_clients),
        cmocka_unit_test(nonsense_behind_a_request_harms_nobody),
        cmocka_unit_test(where_no_owner_is_there_nobody_runs_it),
        cmocka_unit_test(where_no_owner_is_there_any_more_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
