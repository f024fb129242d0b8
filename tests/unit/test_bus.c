/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "bus/frame.h"
#include "support/bus_world.h"

/* ---- stories ---------------------------------------------------------------------------------
 */

static void two_nodes_talk(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start_two(world);
    assert_true(bus_host_say(one, 2, 5, "hello"));
    assert_true(bus_host_say(one, 2, 6, "again"));
    assert_true(bus_host_say(two, 1, 7, "hello, too"));
    assert_int_equal(bus_sent_count(one->bus, 2), 2);
    assert_int_equal(bus_settled_count(one->bus, 2), 0);
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(two, "1: 5 hello; 1: 6 again; ");
    bus_host_expect_told(one, "2: 7 hello, too; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 2);
    assert_int_equal(bus_settled_count(two->bus, 1), 1);
    assert_false(bus_host_say(one, 3, 5, "nobody"));
    assert_int_equal(bus_sent_count(one->bus, 3), 0);
}

static void links_can_be_seen(void **state)
{
    struct bus_world *world = *state;
    bus_world_start_two(world);
    bus_host_say(&world->hosts[1], 2, 5, "hello");
    bus_world_run_for_ms(world, 1000);
    struct bus_link_view view;
    assert_true(bus_link_at(world->hosts[1].bus, 0, &view));
    assert_true(view.dialed);
    assert_int_equal(view.node, 2);
    assert_int_equal(view.messages_out, 1);
    assert_int_equal(view.messages_in, 0);
    uint64_t out = view.bytes_out;
    assert_true(bus_link_at(world->hosts[1].bus, 1, &view));
    assert_false(view.dialed);
    assert_false(bus_link_at(world->hosts[1].bus, 2, &view));
    assert_true(bus_link_at(world->hosts[2].bus, 1, &view));
    assert_int_equal(view.bytes_in, out);
    assert_int_equal(view.messages_in, 1);
}

static void acknowledgements_come_together(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    struct bus_link_view before, after;
    bus_link_at(one->bus, 0, &before);
    for (unsigned i = 0; i < 60; i++)
        bus_host_say(one, 2, 5, "x");
    bus_world_run_for_ms(world, 500);
    assert_int_equal(bus_settled_count(one->bus, 2), 60);
    bus_link_at(one->bus, 0, &after);
    /* In a few frames of 32 bytes, not in sixty. */
    assert_true(after.bytes_in - before.bytes_in <= 20 * 32);
}

static void who_is_not_there_is_dialed_again(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start(world, 1, 1, "secret");
    bus_host_want(one, 2);
    bus_world_run_for_ms(world, 60000);
    assert_true(one->dials > 60 && one->dials < 150);
    bus_host_expect_among_told(one, "down 2; down 2; ");
    bus_world_start(world, 2, 2, "secret");
    bus_world_run_for_ms(world, 1500);
    bus_host_expect_among_told(one, "up 2; ");
    bus_host_expect_told(&world->hosts[2], "met 1; ");
}

static void who_is_no_longer_wanted_is_left_alone(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    unsigned dials = one->dials;
    bus_unwant(one->bus, 2);
    assert_false(bus_is_up(one->bus, 2));
    assert_false(bus_host_say(one, 2, 5, "x"));
    bus_world_run_for_ms(world, 5000);
    bus_host_expect_told(one, "");
    assert_int_equal(one->dials, dials);
    assert_true(bus_host_say(&world->hosts[2], 1, 5, "still here"));
    bus_world_run_for_ms(world, 500);
    bus_host_expect_told(one, "2: 5 still here; ");
    bus_host_want(one, 2);
    bus_world_run_for_ms(world, 500);
    bus_host_expect_told(one, "up 2; ");
}

static void a_new_address_counts_from_the_next_try_on(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 3, 2, "secret"); /* node 2 lives in another place */
    bus_want(world->hosts[1].bus, 2, "2", 1);
    bus_world_run_for_ms(world, 3000);
    bus_host_expect_among_told(&world->hosts[1], "down 2; ");
    bus_want(world->hosts[1].bus, 2, "3", 1);
    bus_world_run_for_ms(world, 1500);
    bus_host_expect_among_told(&world->hosts[1], "up 2; ");
}

static void another_secret_opens_nothing(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 2, "another");
    bus_host_want(&world->hosts[1], 2);
    bus_world_run_for_ms(world, 500);
    bus_host_expect_among_told(&world->hosts[1],
                               "refused 2:1: it did not accept this node: has it the same "
                               "cluster-secret?; down 2; ");
    bus_host_expect_among_told(&world->hosts[2],
                               "refused from 1: its cluster-secret is another one; ");
    assert_false(bus_is_up(world->hosts[1].bus, 2));
    struct bus_link_view view;
    assert_false(bus_link_at(world->hosts[2].bus, 0, &view));
}

static void an_empty_secret_is_one_too(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "");
    bus_world_start(world, 2, 2, "");
    bus_world_start(world, 3, 3, "secret");
    bus_host_want(&world->hosts[1], 2);
    bus_host_want(&world->hosts[1], 3);
    bus_world_run_for_ms(world, 500);
    assert_true(bus_is_up(world->hosts[1].bus, 2));
    assert_false(bus_is_up(world->hosts[1].bus, 3));
}

static void meeting_tells_who_is_there_and_disturbs_nobody(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start(world, 1, 1, "secret");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    bus_world_run_for_ms(world, 1000);
    bus_world_start(world, 2, 2, "secret");
    bus_world_run_for_ms(world, 1500);
    bus_host_expect_told(one, "met 2 at 2:1; ");
    bus_host_expect_told(two, "");
    bus_host_want(one, 2);
    bus_world_run_for_ms(world, 500);
    bus_host_expect_told(one, "up 2; ");
    bus_host_expect_told(two, "met 1; ");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    bus_world_run_for_ms(world, 500);
    bus_host_say(one, 2, 5, "the same link");
    bus_world_run_for_ms(world, 500);
    bus_host_expect_told(one, "met 2 at 2:1; ");
    bus_host_expect_told(two, "1: 5 the same link; ");
    assert_true(list_entry(world->pipes.next, struct bus_pipe, at)->at.next == &world->pipes);
}

static void meeting_nobody_ends(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start(world, 1, 1, "secret");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    bus_meet(one->bus, "2", 1, world->now_ms, 2000); /* the same, until the later end */
    bus_world_run_for_ms(world, 4000);
    unsigned dials = one->dials;
    assert_true(dials > 3 && dials < 15);
    bus_world_start(world, 2, 2, "secret");
    bus_world_run_for_ms(world, 3000);
    assert_int_equal(one->dials, dials);
    bus_host_expect_told(one, "");
}

static void a_node_notices_that_it_has_met_itself(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "secret");
    bus_meet(world->hosts[1].bus, "1", 1, world->now_ms, 3000);
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(&world->hosts[1], "met 1 at 1:1; ");
    assert_int_equal(world->hosts[1].dials, 1);
    bus_want(world->hosts[1].bus, 1, "1", 1); /* no link to itself */
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(&world->hosts[1], "");
}

/* A copied data directory: two processes that say they are the same node. */
static void another_node_with_the_own_number_is_refused(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 1, "secret");
    bus_meet(world->hosts[1].bus, "2", 1, world->now_ms, 300);
    bus_world_run_for_ms(world, 2000);
    bus_host_expect_among_told(&world->hosts[2],
                               "refused from 1: it has the number of this node: is its data "
                               "directory a copy?; ");
    buffer_append_u8(&world->hosts[1].told, '\0');
    assert_null(strstr(buffer_bytes(&world->hosts[1].told).data, "met"));
}

static void another_node_than_the_wanted_one_is_no_link(void **state)
{
    struct bus_world *world = *state;
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 3, "secret"); /* who lives there now */
    bus_want(world->hosts[1].bus, 2, "2", 1);
    bus_world_run_for_ms(world, 150);
    bus_host_expect_among_told(&world->hosts[1],
                               "refused 2:1: it is another node than the one that was there; "
                               "down 2; ");
}

static void what_was_not_acknowledged_is_settled_by_the_next_greeting(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    bus_host_say(one, 2, 5, "heard");
    bus_world_run_for_ms(world, 500);
    world->frozen = true;
    bus_host_say(one, 2, 5, "lost");
    bus_host_say(one, 2, 5, "lost, too");
    bus_world_turn(world);
    bus_pipe_cut(bus_world_pipe_from(world, 1));
    bus_host_expect_told(one, "down 2; ");
    assert_false(bus_host_say(one, 2, 5, "not sent"));
    assert_int_equal(bus_sent_count(one->bus, 2), 3);
    assert_int_equal(bus_settled_count(one->bus, 2), 1);
    world->frozen = false;
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(one, "up 2; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 3);
    bus_host_say(one, 2, 5, "on the new link");
    assert_int_equal(bus_settled_count(one->bus, 2), 3);
    bus_world_run_for_ms(world, 500);
    bus_host_expect_told(&world->hosts[2], "1: 5 heard; 1: 5 on the new link; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 4);
}

/* Its system says so, of both directions. A link that only broke says nothing. */
static void who_has_left_in_both_directions_has_ended(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    for (unsigned how = 0; how < 4; how++) { /* bit 0: it dialed first; bit 1: one only broke */
        bus_world_start_two(world);
        struct bus_pipe *first = bus_world_pipe_from(world, how & 1 ? 2 : 1);
        struct bus_pipe *last = bus_world_pipe_from(world, how & 1 ? 1 : 2);
        assert_true(bus_hears(one->bus, 2));
        bus_pipe_leave(first, first->host[1] == &world->hosts[2]);
        bus_host_expect_told(one, how & 1 ? "" : "down 2; ");
        if (how & 2)
            bus_pipe_cut(last);
        else
            bus_pipe_leave(last, last->host[1] == &world->hosts[2]);
        bus_host_expect_told(one, how == 0   ? "ended 2; "
                                  : how == 1 ? "ended 2; down 2; "
                                  : how == 2 ? ""
                                             : "down 2; ");
        assert_false(bus_hears(one->bus, 2));
        bus_world_stop(world, 1);
        bus_world_stop(world, 2);
    }
}

/* What is there is a newer process, or the old one that has closed one link and opened another. */
static void who_has_come_back_meanwhile_has_not_ended(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    bus_pipe_leave(bus_world_pipe_from(world, 1), 1);
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(one, "down 2; up 2; ");
    bus_pipe_leave(bus_world_pipe_from(world, 2), 0);
    bus_host_expect_told(one, "");
    bus_world_run_for_ms(world, 1000);
    assert_true(bus_hears(one->bus, 2));
    bus_host_expect_told(one, "");
}

/* The dialer has given up a link of which the other side has yet to read. */
static void the_newest_greeting_wins_over_what_is_unread(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start_two(world);
    world->frozen = true;
    bus_host_say(one, 2, 5, "void");
    bus_world_turn(world);
    struct bus_pipe *old = bus_world_pipe_from(world, 1);
    assert_true(buffer_size(&old->moving[1]) > 0);
    struct buffer unread = {0};
    buffer_append_bytes(&unread, buffer_bytes(&old->moving[1]));
    /* Only the dialer knows that it is gone. */
    struct bus_link *end = old->link[1];
    bus_pipe_close_end(old, 0);
    buffer_clear(&old->moving[1], 0);
    list_remove(&old->at);
    world->frozen = false;
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(one, "down 2; up 2; ");
    assert_true(old->closing[1]);
    assert_int_equal(bus_settled_count(one->bus, 2), 1);
    bus_receive(two->bus, end, buffer_bytes(&unread), world->now_ms);
    bus_host_expect_told(two, "");
    bus_pipe_close_end(old, 1);
    buffer_deinit(&unread);
    list_append(&world->pipes, &old->at);
    bus_pipe_cut(old);
}

/* Even if what is unread is the proof itself: the link that was begun later counts. */
static void a_late_proof_does_not_take_a_newer_links_place(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 2, "secret");
    bus_host_want(one, 2);
    bus_world_turn(world); /* dials */
    bus_world_turn(world); /* connects; HELLO is on its way */
    struct bus_pipe *old = bus_world_pipe_from(world, 1);
    while (buffer_size(&old->moving[1]) > 0 || buffer_size(&old->moving[0]) > 0) {
        bus_pipe_deliver(old, 1);
        bus_host_send_outputs(two);
        bus_pipe_deliver(old, 0);
    }
    bus_host_send_outputs(one); /* PROOF */
    struct buffer unread = {0};
    buffer_append_bytes(&unread, buffer_bytes(&old->moving[1]));
    assert_int_equal(buffer_size(&unread), FRAME_HEADER_SIZE + 32);
    struct bus_link *end = old->link[1];
    bus_pipe_close_end(old, 0);
    list_remove(&old->at);
    bus_world_run_for_ms(world, 1000);
    assert_true(bus_is_up(one->bus, 2));
    assert_true(old->closing[1]);
    bus_receive(two->bus, end, buffer_bytes(&unread), world->now_ms);
    bus_host_say(one, 2, 5, "heard");
    bus_world_run_for_ms(world, 200);
    bus_host_expect_told(two, "met 1; 1: 5 heard; ");
    bus_pipe_close_end(old, 1);
    buffer_deinit(&unread);
    list_append(&world->pipes, &old->at);
    bus_pipe_cut(old);
}

/* Both begun, the older one proven first: the newer one takes its place in time. */
static void a_newer_greeting_under_way_is_not_dropped(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 2, "secret");
    bus_world_start(world, 3, 1, "secret"); /* node 1, started anew */
    bus_host_want(one, 2);
    bus_world_turn(world);
    bus_world_turn(world);
    bus_host_want(&world->hosts[3], 2);
    bus_world_turn(world);
    bus_world_turn(world);
    struct bus_pipe *older = bus_world_pipe_from(world, 1), *newer = bus_world_pipe_from(world, 3);
    while (buffer_size(&older->moving[1]) > 0)
        bus_pipe_deliver(older, 1);
    while (buffer_size(&newer->moving[1]) > 0)
        bus_pipe_deliver(newer, 1);
    world->frozen = true; /* but for this one */
    for (unsigned i = 0; i < 100; i++) {
        bus_pipe_deliver(older, i % 2);
        bus_world_turn(world);
    }
    bus_host_expect_told(one, "up 2; ");
    assert_false(newer->closing[1]);
    world->frozen = false;
    bus_world_run_for_ms(world, 100);
    assert_true(bus_is_up(world->hosts[3].bus, 2));
    assert_int_equal(world->hosts[3].dials, 1);
    bus_host_expect_told(two, "met 1; met 1; ");
}

static void what_could_not_be_acknowledged_is_later(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start_two(world);
    bus_host_say(one, 2, 5, "first");
    struct bus_pipe *pipe = bus_world_pipe_from(world, 1);
    assert_ptr_equal(bus_next_output(one->bus), pipe->link[0]);
    struct bytes first = bus_output(pipe->link[0]);
    bus_receive(two->bus, pipe->link[1], first, world->now_ms);
    bus_sent(one->bus, pipe->link[0], first.size);
    world->now_ms += BUS_ACK_MS;
    bus_tick(two->bus, world->now_ms);
    struct bus_link *link = bus_next_output(two->bus); /* the socket takes nothing of it */
    assert_ptr_equal(link, pipe->link[1]);
    for (unsigned i = 0; i < 1000; i++)
        bus_host_say(one, 2, 5, "more");
    assert_ptr_equal(bus_next_output(one->bus), pipe->link[0]);
    struct bytes more = bus_output(pipe->link[0]);
    size_t before = bus_output(link).size;
    bus_receive(two->bus, pipe->link[1], more, world->now_ms);
    bus_sent(one->bus, pipe->link[0], more.size);
    world->now_ms += BUS_ACK_MS;
    bus_tick(two->bus, world->now_ms);
    assert_null(bus_next_output(two->bus));
    assert_int_equal(bus_output(link).size, before); /* it does not grow */
    bus_receive(one->bus, pipe->link[0], bus_output(link), world->now_ms);
    assert_int_equal(bus_settled_count(one->bus, 2), 1);
    bus_sent(two->bus, link, before);
    bus_world_run_for_ms(world, 100);
    assert_int_equal(bus_settled_count(one->bus, 2), 1001);
}

static void who_hangs_up_has_nothing_to_send(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    bus_host_say(one, 2, 5, "x");
    bus_unwant(one->bus, 2);
    assert_null(bus_next_output(one->bus));
}

static void strangers_are_few_and_have_little_time(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    static struct bus_pipe pipes[BUS_STRANGERS_MAX];
    for (unsigned i = 0; i < BUS_STRANGERS_MAX; i++) {
        memset(&pipes[i], 0, sizeof pipes[i]);
        pipes[i].link[1] = bus_accepted(one->bus, "stranger", world->now_ms);
        assert_non_null(pipes[i].link[1]);
        bus_set_connection(pipes[i].link[1], &pipes[i]);
    }
    assert_null(bus_accepted(one->bus, "stranger", world->now_ms));
    assert_false(pipes[0].closing[1]);
    /* Who has had some time makes room for who comes now. */
    bus_world_run_for_ms(world, BUS_STRANGER_MS);
    struct bus_pipe late = {.link[1] = bus_accepted(one->bus, "stranger", world->now_ms)};
    assert_non_null(late.link[1]);
    bus_set_connection(late.link[1], &late);
    assert_true(pipes[0].closing[1]);
    bus_closed(one->bus, late.link[1], world->now_ms);
    bus_world_run_for_ms(world, BUS_GREETING_MS - BUS_STRANGER_MS - 100);
    assert_false(pipes[1].closing[1]);
    bus_host_say(&world->hosts[2], 1, 5, "friends are heard");
    bus_world_run_for_ms(world, 200);
    bus_host_expect_told(one, "2: 5 friends are heard; ");
    for (unsigned i = 0; i < BUS_STRANGERS_MAX; i++) {
        assert_true(pipes[i].closing[1]);
        bus_closed(one->bus, pipes[i].link[1], world->now_ms);
    }
    pipes[0].link[1] = bus_accepted(one->bus, "stranger", world->now_ms);
    assert_non_null(pipes[0].link[1]);
    bus_closed(one->bus, pipes[0].link[1], world->now_ms);
}

static void who_talks_nonsense_is_cut_off(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1], *two = &world->hosts[2];
    bus_world_start_two(world);
    two->reply = STATUS_CORRUPT;
    bus_host_say(one, 2, 5, "what");
    bus_host_say(one, 2, 5, "more"); /* not heard any more */
    bus_world_run_for_ms(world, 50);
    two->reply = STATUS_OK;
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(two, "1: 5 what; refused from 1: its message makes no sense; ");
    bus_host_expect_told(one, "down 2; up 2; ");
    buffer_append(&bus_world_pipe_from(world, 1)->moving[1], "rubbish", 7);
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(two, "refused from 1: it does not speak as a node does; ");
    bus_host_expect_told(one, "down 2; up 2; ");
}

/* Its machine has lost its power: nothing comes any more, not even a reset. */
static void silence_ends_a_link(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    bus_world_run_for_ms(world, 30000); /* nothing to say is no silence */
    bus_host_expect_told(one, "");
    world->frozen = true;
    bus_host_say(one, 2, 5, "are you there");
    bus_world_run_for_ms(world, BUS_SILENCE_MS - 500);
    bus_host_expect_told(one, "");
    bus_world_run_for_ms(world, 3000);
    bus_host_expect_told(one, "down 2; ");
    bus_world_run_for_ms(world, 20000); /* it is dialed, and does not greet */
    bus_host_expect_among_told(one, "down 2; down 2; ");
    world->frozen = false;
    bus_world_run_for_ms(world, BUS_GREETING_MS + 1000);
    bus_host_expect_among_told(one, "up 2; ");
}

static void a_clock_that_goes_back_delays_nothing(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start(world, 1, 1, "secret");
    bus_host_want(one, 2);
    bus_world_run_for_ms(world, 3000);
    world->now_ms -= 500000;
    bus_tick(one->bus, world->now_ms);
    unsigned dials = one->dials;
    bus_world_run_for_ms(world, 2000);
    assert_true(one->dials > dials);
    bus_world_start(world, 2, 2, "secret");
    bus_world_run_for_ms(world, 1500);
    bus_host_expect_among_told(one, "up 2; ");
}

static void what_waits_to_be_sent_is_bounded(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start_two(world);
    struct outbox outbox = bus_outbox(one->bus);
    char *block = memory_zeroed(MESSAGE_SIZE_MAX);
    unsigned count = 0;
    while (outbox_send(&outbox, 2, 5, bytes_of(block, MESSAGE_SIZE_MAX)))
        count++;
    assert_int_equal(count, BUS_OUTPUT_MAX / MESSAGE_SIZE_MAX - 1);
    assert_int_equal(bus_sent_count(one->bus, 2), count);
    memory_free(block);
    bus_pipe_cut(bus_world_pipe_from(world, 1)); /* without sending all that */
    bus_world_run_for_ms(world, 1000);
    assert_int_equal(bus_settled_count(one->bus, 2), count);
}

static void there_is_room_for_so_many_peers(void **state)
{
    struct bus_world *world = *state;
    struct bus_host *one = &world->hosts[1];
    bus_world_start(world, 1, 1, "secret");
    for (uint64_t node = 2; node < BUS_PEERS_MAX + 2; node++)
        bus_want(one->bus, node, "2", 1);
    bus_want(one->bus, 90000, "2", 1); /* no room */
    bus_world_turn(world);
    assert_int_equal(one->dials, BUS_PEERS_MAX);
    bus_unwant(one->bus, 77);
    bus_world_turn(world);
    bus_want(one->bus, 90000, "2", 1); /* in its place */
    bus_world_turn(world);
    assert_int_equal(one->dials, BUS_PEERS_MAX + 1);
}

/* ---- a random world --------------------------------------------------------------------------
 */

/* One of the connections is cut: for both at once, or what the dialer has sent is still read. */
static void break_something(struct bus_world *world)
{
    struct list *at = world->pipes.next;
    for (uint64_t skip = random_below(&world->random, 12); skip > 0 && at != &world->pipes; skip--)
        at = at->next;
    if (at == &world->pipes)
        return;
    struct bus_pipe *pipe = list_entry(at, struct bus_pipe, at);
    if (random_once_in(&world->random, 2))
        bus_pipe_cut(pipe);
    else if (pipe->connected && pipe->link[0])
        bus_pipe_close_end(pipe, 0);
}

static void get_stuck(struct bus_world *world)
{
    for (struct list *at = world->pipes.next; at != &world->pipes; at = at->next)
        list_entry(at, struct bus_pipe, at)->stuck = random_once_in(&world->random, 4);
}

static void talk_for(struct bus_world *world, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        unsigned from = 1 + (unsigned)random_below(&world->random, HOSTS);
        unsigned to = 1 + (unsigned)random_below(&world->random, HOSTS);
        if (from != to) {
            bus_host_want(&world->hosts[from], to);
            bus_host_say_next(&world->hosts[from], to);
        }
        world->hosts[from].slow = random_once_in(&world->random, 2);
        if (random_once_in(&world->random, 20))
            get_stuck(world);
        if (random_once_in(&world->random, 30))
            break_something(world);
        if (from != to && random_once_in(&world->random, 200))
            bus_unwant(world->hosts[from].bus, to);
        if (random_once_in(&world->random, 400)) {
            bus_world_stop(world, from);
            bus_world_start(world, from, from, "secret");
        }
        bus_world_turn(world);
        world->now_ms += random_below(&world->random, 20);
    }
}

/* Streams from each to each, over links that break or get stuck, with nodes that start anew: no
 * message comes twice, too early, or after its sender takes it for settled (bus_world.c); in the
 * end all are up and all is settled. */
static void whatever_breaks_the_order_is_kept(void **state)
{
    struct bus_world *world = *state;
    uint64_t heard = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        bus_world_teardown(state);
        bus_world_setup(state);
        world->random.state = seed;
        for (unsigned i = 1; i <= HOSTS; i++)
            bus_world_start(world, i, i, "secret");
        talk_for(world, 3000);
        for (struct list *at = world->pipes.next; at != &world->pipes; at = at->next)
            list_entry(at, struct bus_pipe, at)->stuck = false;
        for (unsigned pair = 0; pair < HOSTS * HOSTS; pair++) {
            if (pair / HOSTS != pair % HOSTS)
                bus_host_want(&world->hosts[1 + pair / HOSTS], 1 + pair % HOSTS);
        }
        bus_world_run_for_ms(world, BUS_GREETING_MS + 3000);
        for (unsigned pair = 0; pair < HOSTS * HOSTS; pair++) {
            struct bus *bus = world->hosts[1 + pair / HOSTS].bus;
            unsigned other = 1 + pair % HOSTS;
            if (pair / HOSTS == pair % HOSTS)
                continue;
            assert_true(bus_is_up(bus, other));
            assert_int_equal(bus_settled_count(bus, other), bus_sent_count(bus, other));
        }
        for (unsigned i = 1; i <= HOSTS; i++)
            heard += world->hosts[i].heard_total;
    }
    assert_true(heard > 30000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bus_world_setup, bus_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_talk),
        TEST(links_can_be_seen),
        TEST(acknowledgements_come_together),
        TEST(who_is_not_there_is_dialed_again),
        TEST(who_is_no_longer_wanted_is_left_alone),
        TEST(a_new_address_counts_from_the_next_try_on),
        TEST(another_secret_opens_nothing),
        TEST(an_empty_secret_is_one_too),
        TEST(meeting_tells_who_is_there_and_disturbs_nobody),
        TEST(meeting_nobody_ends),
        TEST(a_node_notices_that_it_has_met_itself),
        TEST(another_node_with_the_own_number_is_refused),
        TEST(another_node_than_the_wanted_one_is_no_link),
        TEST(what_was_not_acknowledged_is_settled_by_the_next_greeting),
        TEST(who_has_left_in_both_directions_has_ended),
        TEST(who_has_come_back_meanwhile_has_not_ended),
        TEST(the_newest_greeting_wins_over_what_is_unread),
        TEST(a_late_proof_does_not_take_a_newer_links_place),
        TEST(a_newer_greeting_under_way_is_not_dropped),
        TEST(what_could_not_be_acknowledged_is_later),
        TEST(who_hangs_up_has_nothing_to_send),
        TEST(strangers_are_few_and_have_little_time),
        TEST(who_talks_nonsense_is_cut_off),
        TEST(silence_ends_a_link),
        TEST(a_clock_that_goes_back_delays_nothing),
        TEST(what_waits_to_be_sent_is_bounded),
        TEST(there_is_room_for_so_many_peers),
        TEST(whatever_breaks_the_order_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
