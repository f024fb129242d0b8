/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doubles/quorum_world.h"
#include "quorum/quorum_codec.h"

struct outcome {
    struct quorum_outcome outcome;
    bool is_done;
    enum status status;
    char reply[16];
};

static void told(struct quorum_outcome *outcome, enum status status, struct bytes reply)
{
    struct outcome *self = outcome->context;
    assert_false(self->is_done);
    self->is_done = true;
    self->status = status;
    snprintf(self->reply, sizeof(self->reply), "%.*s", (int)reply.size, reply.data);
}

static void ask(struct world *world, struct outcome *outcome, unsigned node, const char *key,
                uint64_t number)
{
    *outcome = (struct outcome){.outcome = {.id = {99, number},
                                            .slot = slot_of_key(bytes_text(key)),
                                            .done = told,
                                            .context = outcome}};
    quorum_ask_outcome(world->nodes[node].quorum, &outcome->outcome, world->now_ms);
}

static void write_with_id(struct world *world, struct world_write *write, unsigned node,
                          const char *key, uint64_t number)
{
    write->write.id = (struct request_id){99, number};
    write->write.reply = BYTES("+OK");
    world_write(world, write, node, key);
}

static void test_what_became_of_a_request_that_was_run(void **state)
{
    struct world world;
    struct world_write write = {0};
    struct outcome outcome;
    (void)state;
    world_init(&world, 3, 1);
    write_with_id(&world, &write, 0, "k", 7);
    world_run(&world, 4);
    world_isolate(&world, 0);
    ask(&world, &outcome, 1, "k", 7);
    world_run(&world, 4);
    assert_true(outcome.is_done);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_string_equal(outcome.reply, "+OK");
    ask(&world, &outcome, 1, "k", 8);
    world_run(&world, 4);
    assert_true(outcome.is_done);
    assert_int_equal(outcome.status, STATUS_ABSENT);
    world_run(&world, QUORUM_REQUESTS_KEPT_MS);
    ask(&world, &outcome, 1, "k", 7);
    world_run(&world, 4);
    assert_true(outcome.is_done);
    assert_int_equal(outcome.status, STATUS_ABSENT);
    world_deinit(&world);
}

static void test_a_request_that_one_owner_has_heard_of_is_given_to_others(void **state)
{
    for (unsigned asker = 1; asker <= 2; asker++) {
        struct world world;
        struct world_write write = {0};
        struct outcome outcome;
        (void)state;
        world_init(&world, 3, 1);
        world.held[0][2] = true;
        write_with_id(&world, &write, 0, "k", 7);
        world_run(&world, 4);
        world_isolate(&world, 0);
        world.held[0][2] = false;
        assert_false(world_has(&world, 2, write.head, write.dot));
        ask(&world, &outcome, asker, "k", 7);
        world_run(&world, QUORUM_RETRY_MS + 10);
        assert_true(outcome.is_done);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_string_equal(outcome.reply, "+OK");
        assert_true(world_has(&world, 2, write.head, write.dot));
        world_deinit(&world);
    }
}

static unsigned rows_sent(const struct world *world, unsigned node)
{
    return world->nodes[node].sent[QUORUM_REPLICATE - MESSAGES_QUORUM];
}

/* Node 0 has forgotten it, and what node 2 sends it is slow. Meanwhile node 1 is lost, from which
 * the rows are, and is back: node 0 is sent them twice. */
static void test_who_gives_the_rows_is_lost_while_they_are_on_their_way(void **state)
{
    for (int is_cancelled = 0; is_cancelled <= 1; is_cancelled++) {
        struct world world;
        struct world_write write = {0};
        struct outcome outcome;
        (void)state;
        world_init(&world, 3, 1);
        world.held[0][2] = true;
        write_with_id(&world, &write, 0, "k", 7);
        world_run(&world, 4);
        world_restart(&world, 0);
        ask(&world, &outcome, 2, "k", 7);
        world_run(&world, 4);
        assert_false(world_has(&world, 2, write.head, write.dot));
        world.held[0][2] = false; /* it says that it does not know */
        world.held[2][0] = true;
        world_run(&world, 4);
        assert_int_equal(rows_sent(&world, 2), 1);
        world_reset_link(&world, 1, 2);
        world_run(&world, QUORUM_RETRY_MS + 4);
        assert_int_equal(rows_sent(&world, 2), 2);
        assert_false(outcome.is_done);
        if (is_cancelled)
            quorum_outcome_cancel(world.nodes[2].quorum, &outcome.outcome);
        world.held[2][0] = false;
        world_run(&world, WORLD_TIMEOUT_MS / 2);
        assert_int_equal(outcome.is_done, !is_cancelled);
        if (!is_cancelled)
            assert_string_equal(outcome.reply, "+OK");
        world_deinit(&world);
    }
}

static unsigned pages_asked(const struct world *world, unsigned node)
{
    return world->nodes[node].sent[QUORUM_KEY_ROWS - MESSAGES_QUORUM];
}

/* Of two keys on two pages the second page is late. When all begins anew an owner is there that was
 * not at first: the late page is not its first one. */
static void test_a_page_that_comes_late_is_not_taken_for_another(void **state)
{
    static const char *const keys[] = {"{k}1", "{k}2"};
    struct world world;
    struct world_write write = {.write = {.id = {99, 7}, .reply = BYTES("+OK")}};
    struct outcome outcome;
    unsigned owners[RING_COPIES_MAX];
    (void)state;
    world_init(&world, 5, 1);
    assert_int_equal(world_owners(&world, "{k}", owners), 3);
    unsigned first = owners[0], source = owners[1], late = owners[2];
    unsigned asker = world_stranger(&world, "{k}");
    world.held[first][late] = true;
    world_write_many(&world, &write, first, keys, 2);
    world_run(&world, 4);
    world_restart(&world, first);
    world_cut(&world, asker, late);
    world.nodes[source].store.most = 1;
    ask(&world, &outcome, asker, "{k}", 7);
    while (pages_asked(&world, asker) < 2)
        world_turn(&world);
    world.held[source][asker] = true;
    world_heal(&world, asker, late);
    while (pages_asked(&world, asker) < 3)
        world_turn(&world);
    assert_int_equal(fake_rows_get(&world.nodes[late].store, write.head).size, 0);
    world.held[source][asker] = false;
    world_run(&world, 4);
    world_run(&world, QUORUM_RETRY_MS);
    assert_true(outcome.is_done);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_true(fake_rows_get(&world.nodes[late].store, world_head(&world, keys[0])).size > 0);
    assert_true(fake_rows_get(&world.nodes[late].store, world_head(&world, keys[1])).size > 0);
    world_deinit(&world);
}

static void test_nobody_can_tell(void **state)
{
    struct world world;
    struct outcome outcome;
    (void)state;
    world_init(&world, 3, 1);
    world_isolate(&world, 0);
    ask(&world, &outcome, 0, "k", 7);
    world_run(&world, WORLD_TIMEOUT_MS - 10);
    assert_false(outcome.is_done);
    world_run(&world, 20 + QUORUM_RETRY_MS);
    assert_true(outcome.is_done);
    assert_int_equal(outcome.status, STATUS_INVALID);
    ask(&world, &outcome, 0, "k", 7);
    quorum_outcome_cancel(world.nodes[0].quorum, &outcome.outcome);
    world_run(&world, 2000);
    assert_false(outcome.is_done);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_became_of_a_request_that_was_run),
        cmocka_unit_test(test_a_request_that_one_owner_has_heard_of_is_given_to_others),
        cmocka_unit_test(test_who_gives_the_rows_is_lost_while_they_are_on_their_way),
        cmocka_unit_test(test_a_page_that_comes_late_is_not_taken_for_another),
        cmocka_unit_test(test_nobody_can_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
