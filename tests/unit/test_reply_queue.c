/* SPDX-License-Identifier: MIT */
/* Replies of one client, some of which wait for other nodes, or for the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/node_world.h"
#include "node/reply_queue.h"

/* A reply that waits. */
struct waiting {
    struct queued_reply reply;
    unsigned *freed, *abandoned;
};

struct story {
    struct world *world;
    struct session *session;
    unsigned freed, abandoned;
};

static struct story begin(void)
{
    struct story story = {.world = world_new()};
    story.session = world_connect(story.world)->session;
    return story;
}

static void end(struct story *story)
{
    queue_abandon(story->session);
    assert_int_equal(story->session->queue_count, 0);
    assert_int_equal(story->session->queue_bytes, 0);
    world_free(story->world);
}

static void free_waiting(struct queued_reply *reply)
{
    struct waiting *waiting = (struct waiting *)(void *)reply;
    assert_true(list_is_empty(&reply->link));
    ++*waiting->freed;
    buffer_deinit(&reply->bytes);
    memory_free(waiting);
}

static void abandon_waiting(struct queued_reply *reply)
{
    struct waiting *waiting = (struct waiting *)(void *)reply;
    assert_null(reply->session);
    ++*waiting->abandoned;
    free_waiting(reply);
}

/* A request has begun, whose reply comes later; what stands in `shut` ones' place is their own. */
static struct queued_reply *wait_for_one(struct story *story, bool shut)
{
    struct waiting *waiting = memory_zeroed(sizeof(*waiting));
    struct buffer *out = queue_out(story->session);
    waiting->freed = &story->freed;
    waiting->abandoned = &story->abandoned;
    waiting->reply.waiting = true;
    waiting->reply.shut = shut;
    waiting->reply.free = free_waiting;
    waiting->reply.abandon = abandon_waiting;
    queue_push(story->session, &waiting->reply, out, buffer_size(out));
    return &waiting->reply;
}

static void arrive(struct queued_reply *reply, const char *text)
{
    buffer_append_bytes(&reply->bytes, bytes_text(text));
    reply->shut = false;
    queue_answered(reply);
}

/* A request is answered at once. */
static void say(struct story *story, const char *text, uint64_t gate)
{
    struct buffer *out = queue_out(story->session);
    buffer_append_bytes(out, bytes_text(text));
    if (out != &story->session->output)
        queue_settle(story->session, out, gate);
}

static void expect_text(struct buffer *buffer, const char *text)
{
    struct bytes bytes = buffer_bytes(buffer);
    assert_int_equal(bytes.size, strlen(text));
    if (bytes.size > 0)
        assert_memory_equal(bytes.data, text, bytes.size);
}

/* The next reply that may go is this. */
static void expect_next(struct story *story, const char *text)
{
    struct queued_reply *reply = queue_take(story->session);
    assert_non_null(reply);
    expect_text(&reply->bytes, text);
    queue_free(reply);
}

static void expect_none(struct story *story)
{
    assert_null(queue_take(story->session));
}

/* Whether the end of the turn will look at it. */
static bool is_noted(struct story *story)
{
    bool noted = !list_is_empty(&story->session->answered);
    list_remove(&story->session->answered);
    return noted;
}

/* ---- order ----------------------------------------------------------------------------------- */

static void nobody_stands_in_the_queue_while_nobody_waits(void **state)
{
    (void)state;
    struct story story = begin();
    say(&story, "+PONG\r\n", 0);
    expect_none(&story);
    assert_false(is_noted(&story));
    expect_text(&story.session->output, "+PONG\r\n");
    end(&story);
}

static void who_is_answered_early_goes_after_those_before(void **state)
{
    (void)state;
    struct story story = begin();
    struct queued_reply *first = wait_for_one(&story, true);
    say(&story, "+second\r\n", 0);
    struct queued_reply *third = wait_for_one(&story, true);
    say(&story, "+fourth\r\n", 0);
    is_noted(&story); /* those who stand behind are looked at too early, once */
    arrive(third, "+third\r\n");
    expect_none(&story);
    assert_false(is_noted(&story));
    arrive(first, "+first\r\n");
    assert_true(is_noted(&story));
    expect_next(&story, "+first\r\n");
    expect_next(&story, "+second\r\n");
    expect_next(&story, "+third\r\n");
    expect_next(&story, "+fourth\r\n");
    expect_none(&story);
    expect_text(&story.session->output, "");
    say(&story, "+fifth\r\n", 0);
    expect_text(&story.session->output, "+fifth\r\n");
    assert_int_equal(story.freed, 2);
    end(&story);
}

/* A write whose own reply is there already, and which others have to confirm. */
static void replies_gather_behind_one_that_is_open(void **state)
{
    (void)state;
    struct story story = begin();
    struct queued_reply *write = wait_for_one(&story, false);
    buffer_append_bytes(&write->bytes, BYTES("+OK\r\n"));
    say(&story, ":1\r\n", 0);
    say(&story, ":2\r\n", 0);
    assert_int_equal(story.session->queue_count, 1);
    expect_none(&story);
    queue_answered(write);
    expect_next(&story, "+OK\r\n:1\r\n:2\r\n");
    end(&story);
}

/* What the handler has written before it turned out that others have to confirm it. */
static void what_was_written_last_comes_into_the_queue_with_it(void **state)
{
    (void)state;
    struct story story = begin();
    struct waiting *waiting = memory_zeroed(sizeof(*waiting));
    *waiting = (struct waiting){{.waiting = true, .free = free_waiting}, &story.freed, NULL};
    struct buffer *out = &story.session->output;
    buffer_append_bytes(out, BYTES("+before\r\n+mine\r\n"));
    queue_push(story.session, &waiting->reply, out, strlen("+before\r\n"));
    expect_text(out, "+before\r\n");
    queue_answered(&waiting->reply);
    expect_next(&story, "+mine\r\n");
    end(&story);
}

static void a_reply_of_its_own_takes_nobody_behind_it(void **state)
{
    (void)state;
    struct story story = begin();
    struct buffer *out = &story.session->output;
    buffer_append_bytes(out, BYTES("+one\r\n"));
    queue_push_plain(story.session, out, 0, 0);
    say(&story, "+two\r\n", 0);
    assert_true(is_noted(&story));
    expect_next(&story, "+one\r\n");
    expect_next(&story, "+two\r\n");
    end(&story);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void what_is_not_durable_yet_may_not_go(void **state)
{
    (void)state;
    struct story story = begin();
    struct buffer *out = &story.session->output;
    buffer_append_bytes(out, BYTES("+written\r\n"));
    queue_push_plain(story.session, out, 0, 7);
    story.world->durable = 6;
    expect_none(&story);
    assert_true(queue_is_gated(story.session));
    story.world->durable = 7;
    expect_next(&story, "+written\r\n");
    assert_false(queue_is_gated(story.session));
    end(&story);
}

/* A reply that stands behind another one, in its bytes, has told of rows that are newer still. */
static void the_latest_gate_of_those_that_go_together_holds(void **state)
{
    (void)state;
    struct story story = begin();
    struct queued_reply *write = wait_for_one(&story, false);
    write->gate = 3;
    say(&story, "+later\r\n", 5);
    say(&story, "+earlier\r\n", 4);
    assert_false(queue_is_gated(story.session));
    queue_answered(write);
    story.world->durable = 4;
    expect_none(&story);
    assert_true(queue_is_gated(story.session));
    story.world->durable = 5;
    expect_next(&story, "+later\r\n+earlier\r\n");
    end(&story);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void what_waits_is_counted_and_no_more_when_it_has_gone(void **state)
{
    (void)state;
    struct story story = begin();
    struct queued_reply *first = wait_for_one(&story, true);
    first->held = 1000;
    say(&story, "+1234567\r\n", 0);
    assert_int_equal(story.session->queue_count, 2);
    assert_int_equal(story.session->queue_bytes, 10);
    first->held = 0;
    arrive(first, "+123\r\n");
    assert_int_equal(story.session->queue_bytes, 16);
    say(&story, "+12\r\n", 0); /* behind the last, in its bytes */
    assert_int_equal(story.session->queue_count, 2);
    assert_int_equal(story.session->queue_bytes, 21);
    expect_next(&story, "+123\r\n");
    assert_int_equal(story.session->queue_count, 1);
    assert_int_equal(story.session->queue_bytes, 15);
    expect_next(&story, "+1234567\r\n+12\r\n");
    assert_int_equal(story.session->queue_count, 0);
    assert_int_equal(story.session->queue_bytes, 0);
    end(&story);
}

static void a_request_under_way_is_counted_with_what_it_holds(void **state)
{
    (void)state;
    struct story story = begin();
    struct waiting *waiting = memory_zeroed(sizeof(*waiting));
    *waiting = (struct waiting){{.waiting = true, .shut = true, .held = 1000, .free = free_waiting},
                                &story.freed,
                                &story.abandoned};
    queue_push(story.session, &waiting->reply, &story.session->output, 0);
    assert_int_equal(story.session->queue_bytes, 1000);
    waiting->reply.held = 0;
    arrive(&waiting->reply, "+OK\r\n");
    assert_int_equal(story.session->queue_bytes, 5);
    end(&story);
}

/* ---- clients that leave ---------------------------------------------------------------------- */

static void who_leaves_abandons_what_it_waits_for(void **state)
{
    (void)state;
    struct story story = begin();
    wait_for_one(&story, true);
    arrive(wait_for_one(&story, true), "+there\r\n");
    say(&story, "+PONG\r\n", 0);
    wait_for_one(&story, true);
    queue_abandon(story.session);
    assert_int_equal(story.abandoned, 2);
    assert_int_equal(story.freed, 3);
    expect_none(&story);
    end(&story);
}

/* It is a part of something that ends later: then it is nobody's reply, and no harm. */
static struct queued_reply *left;

static void keep(struct queued_reply *reply)
{
    left = reply;
}

static void what_is_answered_after_its_client_has_left_is_nobodys(void **state)
{
    (void)state;
    struct story story = begin();
    struct queued_reply *reply = wait_for_one(&story, true);
    reply->abandon = keep;
    queue_abandon(story.session);
    assert_ptr_equal(left, reply);
    assert_null(left->session);
    assert_int_equal(story.freed, 0);
    arrive(left, "+too late\r\n");
    expect_none(&story);
    assert_false(is_noted(&story));
    queue_free(left);
    assert_int_equal(story.freed, 1);
    end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_stands_in_the_queue_while_nobody_waits),
        cmocka_unit_test(who_is_answered_early_goes_after_those_before),
        cmocka_unit_test(replies_gather_behind_one_that_is_open),
        cmocka_unit_test(what_was_written_last_comes_into_the_queue_with_it),
        cmocka_unit_test(a_reply_of_its_own_takes_nobody_behind_it),
        cmocka_unit_test(what_is_not_durable_yet_may_not_go),
        cmocka_unit_test(the_latest_gate_of_those_that_go_together_holds),
        cmocka_unit_test(what_waits_is_counted_and_no_more_when_it_has_gone),
        cmocka_unit_test(a_request_under_way_is_counted_with_what_it_holds),
        cmocka_unit_test(who_leaves_abandons_what_it_waits_for),
        cmocka_unit_test(what_is_answered_after_its_client_has_left_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
