/* SPDX-License-Identifier: MIT */
/* What stands in stores: a node with a client, and what would be said if it were otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "row/clock.h"
#include "row/row_list.h"
#include "sim/check_copies.h"
#include "sim/cluster_client.h"
#include "store/export.h"
#include "store/import.h"
#include "store/state.h"

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
    uint64_t later; /* log that a slot gets behind what is written when a turn ends */
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

/* ---- a value, and a delete that has not seen it ---------------------------------------------- */

static void ignore(void *context, enum status status, uint64_t gate)
{
    (void)context, (void)gate;
    assert_int_equal(status, STATUS_OK);
}

/* A row of the last key arrives, and the turn in which it does ends. */
static void import(struct story *story, const struct row *row)
{
    struct arena arena;
    struct buffer rows = {0};
    arena_init(&arena);
    struct bytes name =
        row_key_head(&arena, 0, bytes_text(story->history.keys[story->history.key_count - 1].name));
    row_list_append(&rows, name, row_encode(row, &arena));
    assert_null(import_rows(cluster_node_store(&story->nodes[0]), buffer_bytes(&rows),
                            cluster_node_wall_ms(&story->nodes[0]), ignore, NULL));
    cluster_node_store(&story->nodes[0])->table.slots[row_key_slot(name)].written += story->later;
    const struct log *log = cluster_node_store(&story->nodes[0])->log;
    uint64_t written = log_written(log);
    cluster_node_set_offset(&story->nodes[0], 0); /* it wakes */
    while (log_written(log) == written)
        sim_clock_step(&story->clock, UINT64_MAX);
    assert_true(log_synced(log) < log_written(log));
    buffer_deinit(&rows);
    arena_deinit(&arena);
}

/* The client has asked for a SET of a new key; what it writes arrives. */
static struct dot begin_set(struct story *story)
{
    struct arena arena;
    struct row row;
    struct buffer value = {0};
    struct dot dot = {7, cluster_node_wall_ms(&story->nodes[0]) << CLOCK_COUNTER_BITS};
    size_t key = history_add_key(&story->history, HISTORY_PRIVATE, 100, 0);
    story->client.events[0] = history_begin(&story->history, key, VERB_SET, 0, story->clock.now_us);
    story->client.event_count = 1;
    story->client.verb = VERB_SET;
    history_value(&story->history, story->client.events[0], 0, &value);
    arena_init(&arena);
    row_init(&row);
    row_write(&row, dot, VALUE_STRING, buffer_bytes(&value), EXPIRY_NEVER, false, &arena);
    import(story, &row);
    arena_deinit(&arena);
    buffer_deinit(&value);
    return dot;
}

static void acknowledge(struct story *story)
{
    story->client.state = CLIENT_WAITING;
    story->nodes[0].watch->replied(story->nodes[0].watch_context, &story->nodes[0], &story->client,
                                   BYTES("+OK\r\n"));
    story->client.state = CLIENT_IDLE;
}

static void a_value_that_is_not_synced_is_not_to_be_acknowledged(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    make_it_quiet(story);
    begin_set(story);
    acknowledge(story);
    story_end(story, "durable");
}

static void what_its_slot_gets_after_the_turn_makes_a_value_no_less_durable(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    make_it_quiet(story);
    story->later = 60;
    begin_set(story);
    run_for(story, SIM_SECOND);
    acknowledge(story);
    story_end(story, "");
}

/* It may have been run again elsewhere, if another write has hidden that at once. */
static void what_was_run_twice_may_have_one_run_that_nobody_has_seen(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool sloppy = i & 1, other = i & 2;
        struct story *story = story_new(LOG_SYNC_ALWAYS);
        make_it_quiet(story);
        story->settings.sloppy = sloppy;
        begin_set(story);
        uint64_t unjudged = story->copies.counts.unjudged;
        size_t key = story->history.events[story->client.events[0]].key;
        if (other)
            history_begin(&story->history, key, VERB_SET, 1, story->clock.now_us);
        acknowledge(story);
        assert_int_equal(story->copies.counts.unjudged, unjudged + (sloppy && other));
        story_end(story, sloppy && other ? "" : "durable");
    }
}

/* A sole owner keeps no tombstone. */
static void what_was_deleted_before_it_is_acknowledged_was_durable(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    make_it_quiet(story);
    struct dot dot = begin_set(story);
    run_for(story, SIM_SECOND);
    struct arena arena;
    struct row row;
    arena_init(&arena);
    row_init(&row);
    row_write(&row, dot, VALUE_STRING, BYTES("?"), EXPIRY_NEVER, false, &arena);
    row_delete(&row, (struct dot){7, dot.time + 1}, &arena);
    import(story, &row);
    arena_deinit(&arena);
    run_for(story, 5 * SIM_SECOND);
    acknowledge(story);
    story_end(story, "");
}

/* It is synced, and then a delete of the same time, which had not seen it, is not yet. */
static void what_arrives_beside_a_value_makes_it_no_less_durable(void **state)
{
    (void)state;
    struct story *story = story_new(LOG_SYNC_ALWAYS);
    make_it_quiet(story);
    assert_int_equal(store_join(cluster_node_store(&story->nodes[0])), STATUS_OK);
    uint64_t durable = story->copies.counts.durable;
    struct dot dot = begin_set(story);
    run_for(story, SIM_SECOND);
    struct arena arena;
    struct row row;
    arena_init(&arena);
    row_init(&row);
    row_delete(&row, (struct dot){8, dot.time}, &arena);
    import(story, &row);
    arena_deinit(&arena);
    acknowledge(story);
    assert_int_equal(story->copies.counts.durable, durable + 1);
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
        cmocka_unit_test(a_value_that_is_not_synced_is_not_to_be_acknowledged),
        cmocka_unit_test(what_its_slot_gets_after_the_turn_makes_a_value_no_less_durable),
        cmocka_unit_test(what_was_run_twice_may_have_one_run_that_nobody_has_seen),
        cmocka_unit_test(what_was_deleted_before_it_is_acknowledged_was_durable),
        cmocka_unit_test(what_arrives_beside_a_value_makes_it_no_less_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
