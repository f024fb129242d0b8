/* SPDX-License-Identifier: MIT */
/* Whole nodes: blind writes that were run twice, and what is left of the first run. */
#include "store/state.h"
#include "support/forward_story.h"

/* ---- a node that is cut off ------------------------------------------------------------------ */

static void cut_off(struct story *story, bool cut)
{
    void (*change)(struct sim_net *, unsigned, unsigned) = cut ? sim_net_block : sim_net_unblock;
    for (unsigned node = 0; node < story->nodes->count; node++) {
        if (node == 1)
            continue;
        change(story->nodes->net, 1, node);
        change(story->nodes->net, node, 1);
    }
}

/* How many values that node shows of the key. */
static long values_at(struct story *story, unsigned node)
{
    struct caller *caller = caller_new(story->nodes, node);
    caller_say(caller, "VC.GET %s\r\n", story->key);
    caller_await(caller, strlen("*2\r\n"));
    buffer_append_u8(&caller->received, 0);
    const char *reply = buffer_bytes(&caller->received).data;
    long values = reply[0] == '*' ? strtol(reply + 1, NULL, 10) - 1 : -1;
    caller_leave(caller);
    story->nodes->caller_count--;
    buffer_deinit(&caller->received);
    buffer_deinit(&caller->unsent);
    return values;
}

static void expect_values_everywhere(struct story *story, long values)
{
    for (unsigned node = 0; node < 3; node++)
        assert_int_equal(values_at(story, node), values);
}

/* The coordinator runs it, and nobody hears of that. */
static void run_unheard(struct story *story, struct bytes request)
{
    nodes_run(story->nodes, 10000);                                /* its copies are compared: */
    caller_ask(story->caller, "CONSISTENCY R ONE\r\n", "+OK\r\n"); /* it asks nobody first */
    for (unsigned node = 0; node < story->nodes->count; node++)
        if (node != 1)
            sim_net_block(story->nodes->net, 1, node);
    caller_send(story->caller, request);
    nodes_run(story->nodes, 15);
    assert_int_equal(buffer_size(&story->caller->received), 0);
}

static void run_unheard_with_key(struct story *story, const char *format)
{
    char request[NODES_KEY_SIZE + 32];
    int size = snprintf(request, sizeof(request), format, story->key);
    assert_in_range(size, 0, sizeof(request) - 1);
    run_unheard(story, bytes_of(request, (size_t)size));
}

/* So it runs again elsewhere. */
static void be_cut_off(struct story *story)
{
    for (unsigned node = 0; node < story->nodes->count; node++)
        if (node != 1)
            sim_net_unblock(story->nodes->net, 1, node);
    cut_off(story, true);
    caller_expect(story->caller, "+OK\r\n");
    nodes_run(story->nodes, 1000); /* all know that it is cut off */
}

static void heal(struct story *story)
{
    cut_off(story, false);
    nodes_run(story->nodes, 10000);
}

static void what_followed_the_second_run_stands_alone(void **state)
{
    static const char *const requests[] = {"SET %s old\r\n", "SETEX %s 1000 old\r\n",
                                           "MSET %s old\r\n"};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct story story = begin();
        run_unheard_with_key(&story, requests[i]);
        be_cut_off(&story);
        caller_say(story.other, "SET %s new\r\n", story.key);
        caller_expect(story.other, "+OK\r\n");
        heal(&story);
        expect_everywhere(&story, "GET", "$3\r\nnew\r\n");
        expect_everywhere(&story, "TTL", ":-1\r\n");
        expect_values_everywhere(&story, 1);
        end(&story);
    }
}

/* Longer than requests are known to the owners. */
static void a_long_cut_is_no_other(void **state)
{
    (void)state;
    struct story story = begin();
    run_unheard_with_key(&story, "SET %s old\r\n");
    be_cut_off(&story);
    caller_say(story.other, "SET %s new\r\n", story.key);
    caller_expect(story.other, "+OK\r\n");
    nodes_run(story.nodes, 3 * QUORUM_REQUESTS_KEPT_MS);
    heal(&story);
    expect_everywhere(&story, "GET", "$3\r\nnew\r\n");
    expect_values_everywhere(&story, 1);
    end(&story);
}

/* It stands still when it has run it and has told nobody. */
static void a_first_run_is_covered_when_its_node_goes_on(void **state)
{
    (void)state;
    struct story story = begin();
    run_unheard_with_key(&story, "SET %s old\r\n");
    cluster_node_pause(coordinator(&story));
    caller_expect(story.caller, "+OK\r\n");
    nodes_run(story.nodes, 1000);
    caller_say(story.other, "DEL %s\r\n", story.key);
    caller_expect(story.other, ":1\r\n");
    for (unsigned node = 0; node < 3; node += 2)
        sim_net_unblock(story.nodes->net, 1, node);
    cluster_node_resume(coordinator(&story));
    nodes_run(story.nodes, 5000);
    expect_everywhere(&story, "GET", "$-1\r\n");
    end(&story);
}

/* Who has the client, who ran it first, and who ran it last are three nodes; the value stands in
 * rows of its own. */
static void the_origin_tells_who_ran_it_last(void **state)
{
    enum { LONG = 40000 };
    (void)state;
    struct story story = begin_with_four();
    struct buffer request = {0};
    buffer_printf(&request, "SET %s %0*d\r\n", story.key, LONG, 1);
    run_unheard(&story, buffer_bytes(&request));
    be_cut_off(&story);
    heal(&story);
    expect_values_everywhere(&story, 1);
    expect_everywhere(&story, "STRLEN", ":40000\r\n");
    buffer_deinit(&request);
    end(&story);
}

static void a_first_run_does_not_outlive_a_delete(void **state)
{
    (void)state;
    struct story story = begin();
    run_unheard_with_key(&story, "SET %s old\r\n");
    be_cut_off(&story);
    caller_say(story.other, "DEL %s\r\n", story.key);
    caller_expect(story.other, ":1\r\n");
    heal(&story);
    expect_everywhere(&story, "GET", "$-1\r\n");
    end(&story);
}

/* Nobody has written since: the one value is there once. */
static void two_runs_leave_one_value(void **state)
{
    (void)state;
    struct story story = begin();
    run_unheard_with_key(&story, "SET %s once\r\n");
    be_cut_off(&story);
    heal(&story);
    expect_everywhere(&story, "GET", "$4\r\nonce\r\n");
    expect_values_everywhere(&story, 1);
    end(&story);
}

/* Whoever is with the one that is cut off has seen the first run, and written after it. */
static void what_followed_the_first_run_is_kept(void **state)
{
    (void)state;
    struct story story = begin();
    struct caller *there = caller_new(story.nodes, 1);
    caller_ask(there, "CONSISTENCY R ONE W ONE\r\n", "+OK\r\n");
    run_unheard_with_key(&story, "SET %s old\r\n");
    caller_say(there, "APPEND %s er\r\n", story.key);
    nodes_run(story.nodes, 5);
    be_cut_off(&story);
    caller_expect(there, ":5\r\n");
    caller_say(story.other, "SET %s new\r\n", story.key);
    caller_expect(story.other, "+OK\r\n");
    heal(&story);
    expect_values_everywhere(&story, 2);
    end(&story);
}

/* ---- a node that dies with what it has just written to its log ------------------------------- */

/* It runs it, as its last deed. */
static void run_and_die_unheard(struct story *story, struct bytes request)
{
    nodes_run(story->nodes, 10000); /* its copies are compared */
    nodes_die_with(story->nodes, 1, story->key);
    caller_send(story->caller, request);
    caller_expect(story->caller, "+OK\r\n");
    assert_int_equal(coordinator(story)->state, CLUSTER_DOWN);
}

static void run_with_key_and_die_unheard(struct story *story, const char *format)
{
    char request[NODES_KEY_SIZE + 32];
    snprintf(request, sizeof(request), format, story->key);
    run_and_die_unheard(story, bytes_text(request));
}

static void come_back(struct story *story)
{
    cluster_node_start(coordinator(story));
    nodes_run(story->nodes, 10000);
}

static void say_elsewhere(struct story *story, const char *format, const char *reply)
{
    char request[NODES_KEY_SIZE + 32];
    snprintf(request, sizeof(request), format, story->key);
    caller_ask(story->other, request, reply);
}

static void what_followed_a_death_stands_alone(void **state)
{
    static const char *const requests[] = {"SET %s old\r\n", "SET %s old PX 900000\r\n",
                                           "SETEX %s 1000 old\r\n", "PSETEX %s 900000 old\r\n",
                                           "MSET %s old\r\n"};
    (void)state;
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct story story = begin();
        run_with_key_and_die_unheard(&story, requests[i]);
        say_elsewhere(&story, "SET %s new\r\n", "+OK\r\n");
        come_back(&story);
        expect_everywhere(&story, "GET", "$3\r\nnew\r\n");
        expect_everywhere(&story, "TTL", ":-1\r\n");
        expect_values_everywhere(&story, 1);
        end(&story);
    }
}

static void a_delete_or_a_time_to_live_outlives_a_return(void **state)
{
    (void)state;
    struct story story = begin();
    run_with_key_and_die_unheard(&story, "SET %s old\r\n");
    say_elsewhere(&story, "DEL %s\r\n", ":1\r\n");
    come_back(&story);
    expect_everywhere(&story, "GET", "$-1\r\n");
    end(&story);
    story = begin();
    run_with_key_and_die_unheard(&story, "SET %s old\r\n");
    say_elsewhere(&story, "SET %s new PX 5000\r\n", "+OK\r\n");
    come_back(&story);
    expect_everywhere(&story, "GET", "$-1\r\n");
    end(&story);
}

/* Nobody has been told yet as whom it goes on. */
static void it_does_not_matter_that_it_has_just_become_another_actor(void **state)
{
    (void)state;
    struct story story = begin();
    nodes_run(story.nodes, 10000);
    struct store *store = cluster_node_store(coordinator(&story));
    uint16_t epoch = store_epoch(store);
    assert_int_equal(identity_new_epoch(store->options.files, &store->identity, epoch + 1), 0);
    assert_int_not_equal(store_epoch(store), epoch);
    nodes_die_with(story.nodes, 1, story.key);
    say_elsewhere(&story, "SET %s old\r\n", "+OK\r\n");
    assert_int_equal(coordinator(&story)->state, CLUSTER_DOWN);
    say_elsewhere(&story, "DEL %s\r\n", ":1\r\n");
    come_back(&story);
    expect_everywhere(&story, "GET", "$-1\r\n");
    end(&story);
}

/* Its last event may be of a time that others' clocks come to only later. */
static void it_does_not_matter_whose_clock_is_ahead(void **state)
{
    (void)state;
    for (int64_t ahead_ms = -4000; ahead_ms <= 4000; ahead_ms += 8000) {
        struct story story = begin();
        cluster_node_set_offset(coordinator(&story), ahead_ms);
        run_with_key_and_die_unheard(&story, "SET %s old\r\n");
        say_elsewhere(&story, "DEL %s\r\n", ":1\r\n");
        come_back(&story);
        expect_everywhere(&story, "GET", "$-1\r\n");
        end(&story);
    }
}

/* In rows of its own. Who has the client is no owner. */
static void a_long_value_is_there_once(void **state)
{
    enum { LONG = 40000 };
    (void)state;
    struct story story = begin_with_four();
    struct buffer request = {0};
    buffer_printf(&request, "SET %s %0*d\r\n", story.key, LONG, 1);
    run_and_die_unheard(&story, buffer_bytes(&request));
    come_back(&story);
    expect_values_everywhere(&story, 1);
    expect_everywhere(&story, "STRLEN", ":40000\r\n");
    say_elsewhere(&story, "APPEND %s x\r\n", ":40001\r\n");
    expect_everywhere(&story, "STRLEN", ":40001\r\n");
    buffer_deinit(&request);
    end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_followed_the_second_run_stands_alone),
        cmocka_unit_test(a_long_cut_is_no_other),
        cmocka_unit_test(a_first_run_is_covered_when_its_node_goes_on),
        cmocka_unit_test(the_origin_tells_who_ran_it_last),
        cmocka_unit_test(a_first_run_does_not_outlive_a_delete),
        cmocka_unit_test(two_runs_leave_one_value),
        cmocka_unit_test(what_followed_the_first_run_is_kept),
        cmocka_unit_test(what_followed_a_death_stands_alone),
        cmocka_unit_test(a_delete_or_a_time_to_live_outlives_a_return),
        cmocka_unit_test(it_does_not_matter_that_it_has_just_become_another_actor),
        cmocka_unit_test(it_does_not_matter_whose_clock_is_ahead),
        cmocka_unit_test(a_long_value_is_there_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
