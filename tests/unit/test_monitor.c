/* SPDX-License-Identifier: MIT */
/* MONITOR, and the limits of what clients leave unread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/node_world.h"

static struct world *begin(struct peer **out_peer, struct peer **out_monitor)
{
    struct world *world = world_new();
    *out_peer = world_connect(world);
    *out_monitor = world_connect(world);
    peer_ask(*out_monitor, "monitor\r\n", "+OK\r\n");
    return world;
}

/* ---- MONITOR --------------------------------------------------------------------------------- */

static void commands_are_shown_as_they_were_given(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    world->now_ms = 1700000000123;
    peer_send(peer, "*2\r\n$3\r\nGeT\r\n$17\r\na\"\\\n\r\t\a\b\x01 \x7f\x80\xff~z'`\r\n");
    peer_send(peer, "select 3\r\nnosuch\r\nget\r\nget a b\r\n");
    world_turn(world);
    peer_expect(monitor, "+1700000000.123000 [0 127.0.0.1:5001] \"GeT\" "
                         "\"a\\\"\\\\\\n\\r\\t\\a\\b\\x01 \\x7f\\x80\\xff~z'`\"\r\n"
                         "+1700000000.123000 [3 127.0.0.1:5001] \"select\" \"3\"\r\n");
    buffer_clear(&peer->received, 0);
    world_free(world);
}

static void operators_commands_are_not_shown(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    peer_send(peer, "config get port\r\nclient list\r\nmonitor\r\nreset\r\nfail\r\n");
    world_turn(world);
    peer_expect(monitor, "+1000.001000 [0 127.0.0.1:5001] \"reset\"\r\n"
                         "+1000.001000 [0 127.0.0.1:5001] \"fail\"\r\n");
    buffer_clear(&peer->received, 0);
    world_free(world);
}

static void reset_and_quit_end_it(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    assert_false(list_is_empty(&world->admin->sessions->monitors));
    peer_ask(monitor, "monitor\r\n", ""); /* as Redis: once is enough */
    peer_ask(monitor, "reset\r\n", "+RESET\r\n");
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    peer_expect(monitor, "");
    assert_true(list_is_empty(&world->admin->sessions->monitors));
    peer_ask(monitor, "monitor\r\n", "+OK\r\n");
    peer_ask(monitor, "quit\r\n", "+OK\r\n");
    peer_expect_closed(monitor);
    assert_true(list_is_empty(&world->admin->sessions->monitors));
    peer_ask(peer, "monitor\r\n", "+OK\r\n");
    peer_leave(peer);
    assert_true(list_is_empty(&world->admin->sessions->monitors));
    world_free(world);
}

/* Its own commands are answered, then shown; it is not paused; it may ask in several pieces. */
static void a_monitor_may_ask_too(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    peer_ask(monitor, "ping\r\n", "+PONG\r\n+1000.001000 [0 127.0.0.1:5002] \"ping\"\r\n");
    world_row(world, "cold", "x", true);
    peer_send(monitor, "get cold\r\n");
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    peer_expect(monitor, "+1000.002000 [0 127.0.0.1:5001] \"ping\"\r\n");
    world_fetches_done(world);
    world_turn(world);
    peer_expect(monitor, "$1\r\nx\r\n+1000.004000 [0 127.0.0.1:5002] \"get\" \"cold\"\r\n");
    peer_ask(peer, "client pause 1000\r\n", "+OK\r\n");
    peer_ask(monitor, "ping\r\n", "+PONG\r\n+1000.005000 [0 127.0.0.1:5002] \"ping\"\r\n");
    world_free(world);
}

/* What is shown does not wait for the write to be durable, and what waits does not hold it back. */
static void a_command_that_waits_is_shown_once(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    world->throttled = true;
    peer_ask(peer, "set k v\r\n", "");
    world_turns(world, 300);
    peer_expect(monitor, "");
    world->throttled = false;
    world->sync_held = true;
    world_turns(world, 2);
    peer_expect(peer, "");
    buffer_append_u8(&monitor->received, 0);
    assert_non_null(strstr(buffer_bytes(&monitor->received).data, "] \"set\" \"k\" \"v\"\r\n"));
    assert_int_equal(buffer_size(&monitor->received),
                     1 + strlen("+1000.303000 [0 127.0.0.1:5001] \"set\" \"k\" \"v\"\r\n"));
    world->sync_held = false;
    world_turns(world, 2);
    peer_expect(peer, "+OK\r\n");
    buffer_clear(&monitor->received, 0);
    world_free(world);
}

static void replies_turned_off_are_lines_turned_off(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    peer_ask(monitor, "client reply off\r\n", "");
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    peer_expect(monitor, "");
    peer_ask(monitor, "client reply on\r\n",
             "+OK\r\n+1000.003000 [0 127.0.0.1:5002] \"client\" \"reply\" \"on\"\r\n");
    world_free(world);
}

/* ---- what is not read ------------------------------------------------------------------------ */

static void a_monitor_that_does_not_read_is_cut_off(void **state)
{
    (void)state;
    struct peer *peer, *monitor;
    struct world *world = begin(&peer, &monitor);
    struct peer *second = world_connect(world);
    peer_ask(second, "monitor\r\n", "+OK\r\n");
    monitor->reading = false;
    peer_ask(peer, "config set client-output-buffer-limit \"pubsub 100 0 0\"\r\n", "+OK\r\n");
    peer_ask(peer, "ping\r\nping\r\n", "+PONG\r\n+PONG\r\n");
    assert_non_null(monitor->session);
    assert_int_equal(buffer_size(&monitor->session->output), 80);
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    peer_expect_closed(monitor);
    assert_true(monitor->abrupt);
    assert_non_null(second->session);
    buffer_clear(&second->received, 0);
    peer_ask(peer, "ping\r\n", "+PONG\r\n");
    assert_int_equal(world->admin->stats->output_limit_disconnections, 1);
    buffer_clear(&second->received, 0);
    world_free(world);
}

static void the_hard_limit_cuts_off_at_once(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = world_connect(world), *other = world_connect(world);
    peer_ask(other, "config set client-output-buffer-limit \"normal 70 0 0\"\r\n", "+OK\r\n");
    peer_ask(peer, "ping 23456789012345678901234567890123456789012345678901234567890123\r\n",
             "$62\r\n23456789012345678901234567890123456789012345678901234567890123\r\n");
    peer_send(peer, "ping 234567890123456789012345678901234567890123456789012345678901234\r\n");
    world_turn(world);
    peer_expect_closed(peer);
    peer_expect(peer, "");
    peer_ask(other, "ping\r\n", "+PONG\r\n");
    world_free(world);
}

static void the_soft_limit_cuts_off_who_stays_beyond_it(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = world_connect(world), *other = world_connect(world);
    peer_ask(other, "config set client-output-buffer-limit \"normal 0 20 2\"\r\n", "+OK\r\n");
    /* Beyond, but read in time. */
    peer_ask(peer, "ping 12345678901234567890\r\n", "$20\r\n12345678901234567890\r\n");
    assert_int_equal(world->admin->sessions->soft_count, 0);
    peer->reading = false;
    peer_send(peer, "ping 12345678901234567890\r\n");
    world_turn(world);
    assert_int_equal(world->admin->sessions->soft_count, 1);
    world->now_ms += 2000 - 5;
    world_turn(world);
    node_sent(world->node, peer->session, peer->session->output_free);
    assert_int_equal(world->admin->sessions->soft_count, 0);
    peer_send(peer, "ping 12345678901234567890\r\n");
    world->now_ms += 1000;
    world_turn(world);
    assert_non_null(peer->session);
    world->now_ms += 1100; /* nobody says anything: time alone does it */
    world_turns(world, 3);
    peer_expect_closed(peer);
    assert_int_equal(world->admin->sessions->soft_count, 0);
    world_free(world);
}

/* What was to last two seconds has not lasted for years. */
static void a_clock_that_goes_back_cuts_nobody_off(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = world_connect(world), *other = world_connect(world);
    peer_ask(other, "config set client-output-buffer-limit \"normal 0 20 2\"\r\n", "+OK\r\n");
    peer->reading = false;
    peer_send(peer, "ping 12345678901234567890\r\n");
    world_turn(world);
    assert_int_equal(world->admin->sessions->soft_count, 1);
    world->now_ms -= 1000;
    peer_send(peer, "ping\r\n");
    world_turns(world, 3);
    assert_non_null(peer->session);
    assert_false(peer->ending);
    world_free(world);
}

static void limits_are_set_by_class(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = world_connect(world);
    peer_ask(peer, "config set client-output-buffer-limit \"normal 1mb 2kb 3 replica 7 8 9\"\r\n",
             "+OK\r\n");
    peer_ask(peer, "config get client-output-buffer-limit\r\n",
             "*2\r\n$26\r\nclient-output-buffer-limit\r\n$60\r\n"
             "normal 1048576 2048 3 slave 7 8 9 pubsub 33554432 8388608 60\r\n");
    static const char *const wrong[][2] = {
        {"normal 1 2", "Wrong number of arguments in buffer limit configuration."},
        {"strange 1 2 3", "Invalid client class specified in buffer limit configuration."},
        {"pubsub 0 0 0 master 1 2 3",
         "Invalid client class specified in buffer limit configuration."},
        {"pubsub 0 0 0 normal 1 2 -3",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal -1 2 3",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal 1 2 3x",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char request[256], reply[256];
        snprintf(request, sizeof request, "config set client-output-buffer-limit \"%s\"\r\n",
                 wrong[i][0]);
        snprintf(reply, sizeof reply,
                 "-ERR CONFIG SET failed (possibly related to argument "
                 "'client-output-buffer-limit') - %s\r\n",
                 wrong[i][1]);
        peer_ask(peer, request, reply);
        assert_int_equal(world->config.output_limits[CONFIG_CLIENT_PUBSUB].soft_s, 60);
    }
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_shown_as_they_were_given),
        cmocka_unit_test(operators_commands_are_not_shown),
        cmocka_unit_test(reset_and_quit_end_it),
        cmocka_unit_test(a_monitor_may_ask_too),
        cmocka_unit_test(a_command_that_waits_is_shown_once),
        cmocka_unit_test(replies_turned_off_are_lines_turned_off),
        cmocka_unit_test(a_monitor_that_does_not_read_is_cut_off),
        cmocka_unit_test(the_hard_limit_cuts_off_at_once),
        cmocka_unit_test(the_soft_limit_cuts_off_who_stays_beyond_it),
        cmocka_unit_test(a_clock_that_goes_back_cuts_nobody_off),
        cmocka_unit_test(limits_are_set_by_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
