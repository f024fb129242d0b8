/* SPDX-License-Identifier: MIT */
/* CLIENT PAUSE: who waits, in which order, until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/node_world.h"

static struct world *begin(struct peer **out_peer)
{
    struct world *world = world_new();
    *out_peer = world_connect(world);
    return world;
}

static uint64_t blocked(const struct world *world)
{
    return world->admin->sessions->blocked_count;
}

static bool has_line(struct peer *asker, const char *request, const char *text)
{
    peer_send(asker, request);
    world_turn(asker->world);
    buffer_append_u8(&asker->received, 0);
    bool found = strstr(buffer_bytes(&asker->received).data, text) != NULL;
    buffer_clear(&asker->received, 0);
    return found;
}

static void writes_wait_and_reads_pass(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *writer = world_connect(world);
    peer_ask(peer, "client pause 60000 write\r\n", "+OK\r\n");
    assert_true(world->paused);
    peer_ask(peer, "get k\r\nset k\r\nping\r\n",
             "$-1\r\n-ERR wrong number of arguments for 'set' command\r\n+PONG\r\n");
    assert_int_equal(blocked(world), 0);
    /* What follows a command that waits waits too. */
    peer_ask(writer, "get k\r\nset k v\r\nget k\r\nset k w\r\n", "$-1\r\n");
    assert_int_equal(blocked(world), 1);
    assert_true(has_line(peer, "client list\r\n", " flags=b "));
    assert_true(has_line(peer, "info clients\r\n", "\r\nblocked_clients:1\r\n"));
    peer_send(writer, "get k\r\n");
    world_turns(world, 3);
    peer_expect(writer, "");
    peer_ask(peer, "get k\r\n", "$-1\r\n");
    peer_ask(peer, "client unblock 2\r\n", ":0\r\n");
    peer_ask(peer, "client unpause\r\n", "+OK\r\n");
    world_turn(world);
    peer_expect(writer, "+OK\r\n$1\r\nv\r\n+OK\r\n$1\r\nw\r\n");
    assert_int_equal(blocked(world), 0);
    assert_false(world->paused);
    assert_false(has_line(peer, "client list\r\n", " flags=b "));
    world_free(world);
}

static void all_wait_until_the_time_is_over(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    peer_ask(peer, "client pause 500\r\n", "+OK\r\n");
    assert_true(node_deadline_ms(world->node) <= world->now_ms + 500);
    peer_ask(other, "ping\r\n", "");
    peer_ask(peer, "client unpause\r\n", "");
    world->now_ms += 490;
    world_turn(world);
    peer_expect(other, "");
    assert_int_equal(blocked(world), 2);
    world->now_ms += 10;
    world_turns(world, 2);
    peer_expect(other, "+PONG\r\n");
    peer_expect(peer, "+OK\r\n");
    assert_int_equal(blocked(world), 0);
    world_free(world);
}

static void the_longer_and_the_stricter_pause_counts(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *writer = world_connect(world);
    peer_ask(peer, "client pause 1000 write\r\nclient pause 10 write\r\n", "+OK\r\n+OK\r\n");
    world->now_ms += 500;
    world_turn(world);
    peer_ask(writer, "set k v\r\n", "");
    peer_ask(peer, "ping\r\nclient pause 1 all\r\n", "+PONG\r\n+OK\r\n");
    world->now_ms += 100;
    peer_ask(peer, "ping\r\n", "");
    world->now_ms += 400;
    world_turns(world, 2);
    peer_expect(peer, "+PONG\r\n");
    peer_expect(writer, "+OK\r\n");
    peer_ask(peer, "client pause 0\r\nping\r\n", "+OK\r\n+PONG\r\n");
    /* A monitor is not paused: it can try to make the pause milder. */
    peer_ask(writer, "monitor\r\n", "+OK\r\n");
    peer_ask(peer, "client pause 1000 all\r\n", "+OK\r\n");
    peer_ask(writer, "client pause 5 write\r\n", "+OK\r\n");
    peer_ask(peer, "get k\r\n", "");
    peer_send(writer, "client unpause\r\n");
    world_turns(world, 2);
    peer_expect(peer, "$1\r\nv\r\n");
    buffer_clear(&writer->received, 0);
    world_free(world);
}

static void who_waited_first_goes_first(void **state)
{
    (void)state;
    enum { WRITERS = 5 };
    struct peer *peer, *writers[WRITERS];
    struct world *world = begin(&peer);
    peer_ask(peer, "client pause 60000 write\r\n", "+OK\r\n");
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = world_connect(world);
    for (unsigned i = 0; i < WRITERS; i++) {
        char request[64];
        snprintf(request, sizeof request, "set k v%u\r\nget k\r\n", i * 2 % WRITERS);
        peer_ask(writers[i * 2 % WRITERS], request, "");
    }
    assert_int_equal(blocked(world), WRITERS);
    peer_ask(peer, "client unpause\r\n", "+OK\r\n");
    world_turn(world);
    for (unsigned i = 0; i < WRITERS; i++) {
        char reply[64];
        snprintf(reply, sizeof reply, "+OK\r\n$2\r\nv%u\r\n", i);
        peer_expect(writers[i], reply);
    }
    peer_ask(peer, "get k\r\n", "$2\r\nv3\r\n"); /* 0 2 4 1 3 */
    world_free(world);
}

/* However a client ends that waits, nothing is left behind, and its command is not run. */
static void who_waits_may_be_killed_or_leave(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *killed = world_connect(world), *left = world_connect(world);
    struct peer *stays = world_connect(world), *late = world_connect(world);
    peer_ask(peer, "client pause 60000 write\r\n", "+OK\r\n");
    peer_ask(killed, "set killed x\r\n", "");
    peer_ask(left, "set left x\r\n", "");
    peer_ask(stays, "set stays x\r\n", "");
    peer_ask(late, "set late x\r\n", "");
    assert_int_equal(blocked(world), 4);
    peer_ask(peer, "client kill id 2\r\n", ":1\r\n");
    peer_expect_closed(killed);
    peer_leave(left);
    assert_int_equal(blocked(world), 2);
    /* Killed by one that was let out before it, in the same turn. */
    peer_send(peer, "client unpause\r\nclient kill id 5\r\n");
    assert_int_equal(blocked(world), 0);
    world_turns(world, 2);
    peer_expect(peer, "+OK\r\n:1\r\n");
    peer_expect_closed(late);
    peer_expect(stays, "+OK\r\n");
    peer_ask(peer, "get killed\r\nget left\r\nget late\r\nget stays\r\n",
             "$-1\r\n$-1\r\n$-1\r\n$1\r\nx\r\n");
    assert_int_equal(blocked(world), 0);
    /* And at the node's own end. */
    peer_ask(peer, "client pause 60000 write\r\n", "+OK\r\n");
    peer_ask(stays, "set k v\r\n", "");
    world_free(world);
}

static void who_has_sent_all_is_answered_after_the_pause(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *writer = world_connect(world);
    peer_ask(peer, "client pause 60000 write\r\n", "+OK\r\n");
    peer_send(writer, "set k v\r\n");
    node_finished(world->node, writer->session);
    world_turns(world, 2);
    assert_non_null(writer->session);
    peer_ask(peer, "client unpause\r\n", "+OK\r\n");
    world_turn(world);
    peer_expect(writer, "+OK\r\n");
    peer_expect_closed(writer);
    world_free(world);
}

/* What has begun goes on; what waits for room in the store waits then for the pause's end. */
static void a_request_under_way_is_not_paused(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *writer = world_connect(world), *throttled = world_connect(world);
    world_row(world, "cold", "x", true);
    world->throttled = true;
    peer_ask(throttled, "set k v\r\n", "");
    world->throttled = false;
    peer_send(writer, "set cold y\r\n");
    peer_send(peer, "client pause 60000 write\r\n");
    world_fetches_done(world);
    world_turns(world, 2);
    peer_expect(peer, "+OK\r\n");
    peer_expect(writer, "+OK\r\n");
    peer_expect(throttled, "");
    assert_int_equal(blocked(world), 1);
    peer_ask(peer, "client unpause\r\n", "+OK\r\n");
    world_turn(world);
    peer_expect(throttled, "+OK\r\n");
    world_free(world);
}

static void a_pause_has_checked_arguments(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "client pause x\r\n", "-ERR timeout is not an integer or out of range\r\n");
    peer_ask(peer, "client pause -1\r\n", "-ERR timeout is negative\r\n");
    peer_ask(peer, "client pause 9223372036854775807\r\n", "-ERR timeout is out of range\r\n");
    peer_ask(peer, "client pause 9223372036854775808\r\n",
             "-ERR timeout is not an integer or out of range\r\n");
    peer_ask(peer, "client pause 1 some\r\n", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
    peer_ask(peer, "client pause 1 all x\r\n",
             "-ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP."
             "\r\n");
    peer_ask(peer, "client unblock x\r\n", "-ERR value is not an integer or out of range\r\n");
    peer_ask(peer, "client unblock 1 why\r\n",
             "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
    peer_ask(peer, "client unpause\r\nping\r\n", "+OK\r\n+PONG\r\n");
    world_free(world);
}

/* Else what is done at ticks, the sync of the log among it, would rest until the clock is where it
 * was. */
static void a_clock_that_goes_back_keeps_no_tick_waiting(void **state)
{
    enum { TICK_MS = 100 };
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_turns(world, 2);
    world->now_ms -= 1000;
    world_turns(world, 2);
    assert_true(node_deadline_ms(world->node) <= world->now_ms + TICK_MS);
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_wait_and_reads_pass),
        cmocka_unit_test(all_wait_until_the_time_is_over),
        cmocka_unit_test(the_longer_and_the_stricter_pause_counts),
        cmocka_unit_test(who_waited_first_goes_first),
        cmocka_unit_test(who_waits_may_be_killed_or_leave),
        cmocka_unit_test(who_has_sent_all_is_answered_after_the_pause),
        cmocka_unit_test(a_request_under_way_is_not_paused),
        cmocka_unit_test(a_clock_that_goes_back_keeps_no_tick_waiting),
        cmocka_unit_test(a_pause_has_checked_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
