/* SPDX-License-Identifier: MIT */
/* What stands in stores: a node with a client, and what would be said if it were otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "row/row_list.h"
#include "sim/check_copies.h"
#include "sim/cluster_client.h"

struct story {
    struct sim_clock clock;
    struct cluster_trace trace;
    struct sim_net *net;
    struct history history;
    struct cluster_settings settings;
    struct cluster_load load;
    struct cluster_node nodes[3]; /* of which the first runs */
    struct cluster_client client;
    struct copies copies;
};

static void run_for(struct story *story, uint64_t us)
{
    uint64_t until_us = story->clock.now_us + us;
    while (sim_clock_step(&story->clock, until_us))
        continue;
}

static struct story *story_new(enum log_sync sync)
{
    struct story *story = test_calloc(1, sizeof(*story));
    sim_clock_init(&story->clock);
    story->trace.clock = &story->clock;
    history_init(&story->history);
    story->net = sim_net_new(&(struct sim_net_options){
        .clock = &story->clock, .seed = 1, .latency_us = 100, .window = 1 << 20});
    story->settings = (struct cluster_settings){.nodes = 1,
                                                .copies = 1,
                                                .read_quorum = 1,
                                                .write_quorum = 1,
                                                .sync = sync,
                                                .seal_bytes = 4000000,
                                                .turn_us = 20,
                                                .job_us = 100};
    story->load = (struct cluster_load){.clients = 1,
                                        .nodes = 1,
                                        .own_keys = 3,
                                        .weights = {[HISTORY_PRIVATE] = 1},
                                        .think_us = 20 * SIM_MS,
                                        .timeout_us = SIM_SECOND,
                                        .stay_odds = 2};
    cluster_load_keys(&story->load, &story->history);
    for (unsigned i = 0; i < 3; i++)
        cluster_node_init(&story->nodes[i], i, i, &story->settings, story->net, &story->clock,
                          &story->trace);
    cluster_client_init(&story->client, 0, 1, &story->load, &story->history, story->net,
                        &story->clock, &story->trace);
    copies_init(&story->copies, 1, &story->settings, &story->history, story->nodes, &story->clock,
                &story->trace);
    cluster_node_start(&story->nodes[0]);
    cluster_client_start(&story->client);
    run_for(story, 3 * SIM_SECOND);
    return story;
}

/* An empty text: all was right. */
static void story_end(struct story *story, const char *checker)
{
    assert_string_equal(story->trace.checker, checker);
    cluster_client_deinit(&story->client);
    story->settings.nodes = 1;
    copies_deinit(&story->copies);
    for (unsigned i = 0; i < 3; i++)
        cluster_node_deinit(&story->nodes[i]);
    sim_net_free(story->net);
    history_deinit(&story->history);
    sim_clock_deinit(&story->clock);
    test_free(story);
}

/* The client has stopped: the row of its first key is what it is. */
static void make_it_quiet(struct story *story)
{
    cluster_client_stop(&story->client);
    run_for(story, SIM_SECOND);
}

static void what_was_written_outlives_the_process(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_NO);
    for (int i = 0; i < 3; i++) {
        cluster_node_crash(&story->nodes[0]);
        cluster_node_start(&story->nodes[0]);
        run_for(story, SIM_SECOND);
    }
    assert_true(story->copies.counts.rows_kept > 0);
    story_end(story, "");
}

static void what_was_synced_outlives_a_power_cut(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    make_it_quiet(story);
    cluster_node_cut_power(&story->nodes[0]);
    cluster_node_start(&story->nodes[0]);
    assert_true(story->copies.counts.rows_kept > 0);
    story_end(story, "");
}

/* The disk is put back to what it was, and nobody has told: kept is what came later. */
static void what_is_missing_after_a_restart_is_found(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    struct buffer later = {0};
    cluster_node_copy_disk(&story->nodes[0]);
    run_for(story, 3 * SIM_SECOND);
    cluster_node_crash(&story->nodes[0]);
    buffer_append_bytes(&later, buffer_bytes(&story->copies.kept[0]));
    story->nodes[0].held_down = 1; /* to be started below */
    cluster_node_put_back_disk(&story->nodes[0], false);
    story->nodes[0].held_down = 0;
    assert_string_equal(story->trace.checker, "");
    buffer_append_bytes(&story->copies.kept[0], buffer_bytes(&later));
    buffer_deinit(&later);
    cluster_node_start(&story->nodes[0]);
    story_end(story, "A11");
}

static void an_acknowledged_value_is_on_as_many_nodes_as_it_must(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    assert_true(story->copies.counts.durable > 5);
    assert_string_equal(story->trace.checker, "");
    story->settings.nodes = 3; /* the two that nobody has started have nothing */
    story->settings.write_quorum = 2;
    story->nodes[1].absent = story->nodes[2].absent = true;
    run_for(story, SIM_SECOND);
    story_end(story, "durable");
}

static void a_node_that_has_lost_something_may_have_had_it(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    story->settings.nodes = 2;
    story->settings.write_quorum = 2;
    story->nodes[1].absent = true;
    story->copies.unsure_us[1] = story->clock.now_us + SIM_SECOND;
    run_for(story, SIM_SECOND / 2);
    assert_true(story->copies.counts.durable > 5);
    story_end(story, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_outlives_the_process),
        cmocka_unit_test(what_was_synced_outlives_a_power_cut),
        cmocka_unit_test(what_is_missing_after_a_restart_is_found),
        cmocka_unit_test(an_acknowledged_value_is_on_as_many_nodes_as_it_must),
        cmocka_unit_test(a_node_that_has_lost_something_may_have_had_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
