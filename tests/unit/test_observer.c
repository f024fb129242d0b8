/* SPDX-License-Identifier: MIT */
/* What is kept of commands: counts, times, SLOWLOG, LATENCY. The clock stands still but for the
 * command spend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "doubles/node_world.h"
#include "node/observer.h"

static struct world *begin(struct peer **out_peer)
{
    struct world *world = world_new();
    *out_peer = world_connect(world);
    return world;
}

/* A line of INFO, without its name. */
static const char *info(struct peer *peer, const char *section, const char *name)
{
    static char line[256];
    char request[64], found[64];
    snprintf(request, sizeof request, "INFO %s\r\n", section);
    peer_send(peer, request);
    world_turn(peer->world);
    buffer_append_u8(&peer->received, 0);
    snprintf(found, sizeof found, "\n%s:", name);
    const char *at = strstr(buffer_bytes(&peer->received).data, found);
    line[0] = '\0';
    if (at)
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at + strlen(found), "\r"),
                 at + strlen(found));
    buffer_clear(&peer->received, 0);
    return line;
}

#define expect_info(peer, section, name, text) assert_string_equal(info(peer, section, name), text)

/* ---- counts and times ------------------------------------------------------------------------ */

static void calls_are_counted_and_timed(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "spend 5000 k\r\n", "+OK\r\n");
    peer_ask(peer, "spend 3000 k\r\n", "+OK\r\n");
    peer_ask(peer, "spend x k\r\n", "-ERR value is not an integer or out of range\r\n");
    peer_ask(peer, "spend 1\r\n", "-ERR wrong number of arguments for 'spend' command\r\n");
    peer_ask(peer, "client id\r\n", ":1\r\n");
    peer_ask(peer, "client\r\n", "-ERR wrong number of arguments for 'client' command\r\n");
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=3,usec=8000,usec_per_call=2666.67,rejected_calls=1,failed_calls=1");
    expect_info(peer, "all", "cmdstat_client|id",
                "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0");
    expect_info(peer, "commandstats", "cmdstat_client",
                "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0");
    expect_info(peer, "commandstats", "cmdstat_get", "");
    expect_info(peer, "default", "cmdstat_spend", "");
    peer_ask(peer, "config resetstat\r\n", "+OK\r\n");
    expect_info(peer, "commandstats", "cmdstat_spend", "");
    expect_info(peer, "commandstats", "cmdstat_config|resetstat",
                "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0");
    world_free(world);
}

static void commands_of_a_pipeline_share_a_look_at_the_clock(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct buffer large = {0};
    for (unsigned i = 0; i < 3 * OBSERVER_BRIEF_BYTES; i++)
        buffer_append_u8(&large, 'x');
    buffer_append_u8(&large, 0);
    world_row(world, "large", buffer_bytes(&large).data, false);
    buffer_deinit(&large);
    /* Four together; slow is not one of those that do, and what is last is timed alone. */
    peer_send(peer, "spend 100 k\r\nspend 500 k\r\nspend 100 k\r\nspend x k\r\n"
                    "slow 0\r\nspend 300 k\r\nspend 1000 k\r\n");
    world_turn(world);
    buffer_clear(&peer->received, 0);
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=6,usec=2000,usec_per_call=333.33,rejected_calls=0,failed_calls=1");
    expect_info(peer, "commandstats", "cmdstat_slow",
                "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0");
    peer_ask(peer, "latency histogram spend\r\n",
             "*2\r\n$5\r\nspend\r\n*4\r\n$5\r\ncalls\r\n:6\r\n$14\r\nhistogram_usec\r\n"
             "*6\r\n:262\r\n:4\r\n:524\r\n:5\r\n:1048\r\n:6\r\n");
    /* A large reply behind them: they are taken for what they usually take, the rest is its own. */
    peer_send(peer, "spend 100 k\r\nget large\r\nget k\r\n");
    world_turn(world);
    buffer_clear(&peer->received, 0);
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=7,usec=2050,usec_per_call=292.86,rejected_calls=0,failed_calls=1");
    expect_info(peer, "commandstats", "cmdstat_get",
                "calls=2,usec=50,usec_per_call=25.00,rejected_calls=0,failed_calls=0");
    world_free(world);
}

/* However they came: who asks hears of all before, and of nothing before the last reset. */
static void who_asks_within_a_pipeline_hears_of_all(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_send(peer, "spend 1 k\r\nspend 1 k\r\ninfo commandstats\r\nspend 1 k\r\nspend 1 k\r\n"
                    "config resetstat\r\nspend 1 k\r\nspend 1 k\r\nspend 1 k\r\nping\r\n");
    world_turn(world);
    buffer_append_u8(&peer->received, 0);
    assert_non_null(strstr(buffer_bytes(&peer->received).data, "cmdstat_spend:calls=2,usec=2,"));
    buffer_clear(&peer->received, 0);
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=3,usec=3,usec_per_call=1.00,rejected_calls=0,failed_calls=0");
    world_free(world);
}

static void different_commands_share_by_what_they_usually_take(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_row(world, "k", "v", false);
    peer_ask(peer, "spend 300 k\r\n", "+OK\r\n");
    /* Of get nothing is known: equal parts. From then on two parts to one. */
    peer_ask(peer, "spend 200 k\r\nget k\r\nslow 0\r\n", "+OK\r\n$1\r\nv\r\n:0\r\n");
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=2,usec=400,usec_per_call=200.00,rejected_calls=0,failed_calls=0");
    expect_info(peer, "commandstats", "cmdstat_get",
                "calls=1,usec=100,usec_per_call=100.00,rejected_calls=0,failed_calls=0");
    peer_ask(peer, "spend 300 k\r\nget k\r\nslow 0\r\n", "+OK\r\n$1\r\nv\r\n:0\r\n");
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=3,usec=600,usec_per_call=200.00,rejected_calls=0,failed_calls=0");
    expect_info(peer, "commandstats", "cmdstat_get",
                "calls=2,usec=200,usec_per_call=100.00,rejected_calls=0,failed_calls=0");
    world_free(world);
}

static void a_long_pipeline_loses_no_call(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    unsigned calls = 0;
    for (unsigned count = 1; count < 3 * OBSERVER_GROUP_MAX; count += 7) {
        struct buffer text = {0};
        for (unsigned i = 0; i < count; i++)
            buffer_append_bytes(&text, BYTES("spend 10 k\r\n"));
        buffer_append_bytes(&text, BYTES("spe")); /* the next has not come yet */
        peer_send_bytes(peer, buffer_bytes(&text));
        peer_send(peer, "nd 10 k\r\n");
        buffer_deinit(&text);
        calls += count + 1;
    }
    world_turn(world);
    buffer_clear(&peer->received, 0);
    char expected[128];
    snprintf(expected, sizeof expected,
             "calls=%u,usec=%u,usec_per_call=10.00,rejected_calls=0,failed_calls=0", calls,
             10 * calls);
    expect_info(peer, "commandstats", "cmdstat_spend", expected);
    world_free(world);
}

static void waiting_is_latency_but_not_work(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    world_row(world, "cold", "x", true);
    peer_send(peer, "spend 2000 cold\r\n");
    peer_ask(other, "spend 40000 k\r\n", "+OK\r\n");
    world_fetches_done(world);
    world_turn(world);
    peer_expect(peer, "+OK\r\n");
    expect_info(peer, "commandstats", "cmdstat_spend",
                "calls=2,usec=44000,usec_per_call=22000.00,rejected_calls=0,failed_calls=0");
    peer_ask(peer, "slowlog len\r\n", ":2\r\n");
    /* 2 + 40 + 2 ms */
    peer_send(peer, "slowlog get 1\r\n");
    world_turn(world);
    buffer_append_u8(&peer->received, 0);
    assert_non_null(strstr(buffer_bytes(&peer->received).data, "\r\n:44000\r\n*3\r\n"));
    buffer_clear(&peer->received, 0);
    world_free(world);
}

static void latencystats_has_the_percentiles_asked_for(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "spend 1 k\r\n", "+OK\r\n");
    peer_ask(peer, "spend 3 k\r\n", "+OK\r\n");
    expect_info(peer, "latencystats", "latency_percentiles_usec_spend",
                "p50=1.007,p99=3.007,p99.9=3.007");
    peer_ask(peer, "config set latency-tracking-info-percentiles \"0.0 50.0 100.0\"\r\n",
             "+OK\r\n");
    expect_info(peer, "latencystats", "latency_percentiles_usec_spend",
                "p0=0.992,p50=1.007,p100=3.007");
    peer_ask(peer, "config set latency-tracking-info-percentiles \"\"\r\n", "+OK\r\n");
    expect_info(peer, "latencystats", "latency_percentiles_usec_spend", "");
    peer_ask(peer, "config set latency-tracking no\r\n", "+OK\r\n");
    peer_ask(peer, "spend 3 k\r\n", "+OK\r\n");
    expect_info(peer, "latencystats", "latency_percentiles_usec_client|id", "");
    peer_ask(peer, "latency histogram SPEND nosuch\r\n",
             "*2\r\n$5\r\nspend\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n"
             "*4\r\n:1\r\n:1\r\n:4\r\n:2\r\n");
    peer_ask(peer, "latency histogram nosuch\r\n", "*0\r\n");
    world_free(world);
}

/* ---- SLOWLOG --------------------------------------------------------------------------------- */

static void slow_commands_are_remembered(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "client setname conny\r\n", "+OK\r\n");
    peer_ask(peer, "spend 9999 k\r\n", "+OK\r\n");
    peer_ask(peer, "spend 10000 k\r\n", "+OK\r\n");
    peer_ask(peer, "slowlog get\r\n",
             "*1\r\n*6\r\n:0\r\n:1000\r\n:10000\r\n*3\r\n$5\r\nspend\r\n$5\r\n10000\r\n$1\r\nk\r\n"
             "$14\r\n127.0.0.1:5001\r\n$5\r\nconny\r\n");
    peer_ask(peer, "slowlog get 0\r\n", "*0\r\n");
    peer_ask(peer, "slowlog get -2\r\n", "-ERR count should be greater than or equal to -1\r\n");
    peer_ask(peer, "slowlog get x\r\n", "-ERR count should be greater than or equal to -1\r\n");
    peer_ask(peer, "slowlog get 1 2\r\n",
             "-ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP."
             "\r\n");
    peer_ask(peer, "slowlog reset\r\n", "+OK\r\n");
    peer_ask(peer, "slowlog len\r\n", ":0\r\n");
    peer_ask(peer, "config set slowlog-log-slower-than -1\r\n", "+OK\r\n");
    peer_ask(peer, "spend 99999999 k\r\n", "+OK\r\n");
    peer_ask(peer, "slowlog len\r\n", ":0\r\n");
    world_free(world);
}

static void with_a_threshold_of_0_every_command_is_remembered(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "config set slowlog-log-slower-than 0 slowlog-max-len 5\r\n", "+OK\r\n");
    peer_ask(peer, "slowlog reset\r\n", "+OK\r\n");
    peer_ask(peer, "ping\r\nping\r\nping\r\n", "+PONG\r\n+PONG\r\n+PONG\r\n");
    peer_ask(peer, "slowlog len\r\n", ":4\r\n"); /* slowlog reset is one */
    peer_ask(peer, "ping\r\nping\r\nping\r\n", "+PONG\r\n+PONG\r\n+PONG\r\n");
    peer_ask(peer, "slowlog len\r\n", ":5\r\n");
    world_free(world);
}

/* What SLOWLOG and MONITOR show of commands with secrets. */
static void secrets_are_not_remembered(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "auth hunter2\r\n",
        "auth nobody hunter2\r\n",
        "auth default hunter2 hunter2\r\n",
        "hello 3 auth default hunter2\r\n",
        "hello 2 setname x auth nobody hunter2\r\n",
        "hello 2 auth hunter2\r\n",
        "config set requirepass hunter2\r\n",
        "config set timeout 5 REQUIREPASS hunter2 nosuch hunter2\r\n",
        "config set requirepass hunter2 timeout x\r\n",
        "hello 2 auth default hunter2 nosuch\r\n",
    };
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *monitor = world_connect(world);
    peer_ask(monitor, "monitor\r\n", "+OK\r\n");
    peer_ask(peer, "config set slowlog-log-slower-than 0\r\n", "+OK\r\n");
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        peer_send(peer, lines[i]);
        world_turn(world);
    }
    buffer_clear(&peer->received, 0);
    peer_send(peer, "slowlog get -1\r\n");
    world_turn(world);
    buffer_append_u8(&peer->received, 0);
    buffer_append_u8(&monitor->received, 0);
    const char *slowlog = buffer_bytes(&peer->received).data;
    const char *shown = buffer_bytes(&monitor->received).data;
    assert_null(strstr(slowlog, "hunter2"));
    assert_null(strstr(shown, "hunter2"));
    assert_int_equal(strncmp(slowlog, "*11\r\n", 5), 0);
    assert_non_null(strstr(slowlog, "requirepass\r\n$10\r\n(redacted)\r\n"));
    assert_non_null(strstr(slowlog, "$6\r\nnosuch\r\n$10\r\n(redacted)\r\n"));
    assert_non_null(strstr(shown, "\"auth\" \"(redacted)\" \"(redacted)\"\r\n"));
    assert_non_null(strstr(shown, "\"setname\" \"x\" \"auth\" \"(redacted)\" \"(redacted)\"\r\n"));
    buffer_clear(&peer->received, 0);
    buffer_clear(&monitor->received, 0);
    world_free(world);
}

/* ---- LATENCY --------------------------------------------------------------------------------- */

static void events_are_remembered_beyond_the_threshold(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "spend 50000 k\r\n", "+OK\r\n");
    peer_ask(peer, "latency latest\r\n", "*0\r\n");
    peer_ask(peer, "latency graph fast-command\r\n",
             "-ERR No samples available for event 'fast-command'\r\n");
    peer_ask(peer, "config set latency-monitor-threshold 20\r\n", "+OK\r\n");
    peer_ask(peer, "spend 19999 k\r\n", "+OK\r\n");
    peer_ask(peer, "latency latest\r\n", "*0\r\n");
    peer_ask(peer, "spend 20000 k\r\n", "+OK\r\n");
    world->now_ms += 1000;
    /* A group: no single one took so long, but together they held the thread up. */
    peer_ask(peer, "spend 15000 k\r\nspend 15000 k\r\nping\r\n", "+OK\r\n+OK\r\n+PONG\r\n");
    peer_ask(peer, "latency latest\r\n",
             "*1\r\n*4\r\n$12\r\nfast-command\r\n:1001\r\n:30\r\n:30\r\n");
    peer_ask(peer, "latency history fast-command\r\n",
             "*2\r\n*2\r\n:1000\r\n:20\r\n*2\r\n:1001\r\n:30\r\n");
    peer_ask(peer, "latency history nosuch\r\n", "*0\r\n");
    peer_ask(peer, "latency reset nosuch Fast-Command\r\n", ":1\r\n");
    peer_ask(peer, "latency reset\r\n", ":0\r\n");
    peer_ask(peer, "latency latest\r\n", "*0\r\n");
    world_free(world);
}

static uint64_t take_slowest(struct workers *workers, enum job_class class)
{
    struct world *world = list_entry(workers, struct world, workers);
    return world->slowest_ns * (class == JOB_SYNC);
}

static void the_store_s_delays_are_events_too(void **state)
{
    (void)state;
    static const struct workers_ops ops = {.take_slowest = take_slowest};
    struct peer *peer;
    struct world *world = begin(&peer);
    assert_false(world->delays_wanted);
    world->workers.ops = &ops;
    peer_ask(peer, "config set latency-monitor-threshold 5\r\n", "+OK\r\n");
    assert_true(world->delays_wanted);
    world->delays = (struct store_delays){6000000, 4999999, 7000000};
    world->slowest_ns = 8999999;
    world->now_ms += 100;
    world_turn(world);
    world->slowest_ns = 0;
    peer_ask(peer, "latency latest\r\n",
             "*3\r\n*4\r\n$12\r\nexpire-cycle\r\n:1000\r\n:6\r\n:6\r\n"
             "*4\r\n$9\r\nlog-write\r\n:1000\r\n:7\r\n:7\r\n"
             "*4\r\n$8\r\nlog-sync\r\n:1000\r\n:8\r\n:8\r\n");
    peer_ask(peer, "config set latency-monitor-threshold 0\r\n", "+OK\r\n");
    assert_false(world->delays_wanted);
    world_free(world);
}

static void latency_draws_and_advises(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_send(peer, "latency doctor\r\n");
    world_turn(world);
    buffer_append_u8(&peer->received, 0);
    assert_non_null(strstr(buffer_bytes(&peer->received).data, "latency-monitor-threshold"));
    buffer_clear(&peer->received, 0);
    peer_ask(peer, "config set latency-monitor-threshold 1\r\n", "+OK\r\n");
    static const char *const lines[] = {"spend 1000 k\r\n", "spend 12000 k\r\n",
                                        "spend 6000 k\r\n"};
    for (unsigned i = 0; i < 3; i++) {
        peer_ask(peer, lines[i], "+OK\r\n");
        world->now_ms += 1000 * (1 + 99 * i);
    }
    peer_ask(peer, "latency graph fast-command\r\n",
             "$164\r\n"
             "fast-command - high 12 ms, low 1 ms (all time high 12 ms)\n"
             "----------------------------------------------------------------------------"
             "----\n"
             " # \n | \n |#\n_||\n"
             "\n"
             "543\nmmm\n\r\n");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_and_timed),
        cmocka_unit_test(commands_of_a_pipeline_share_a_look_at_the_clock),
        cmocka_unit_test(who_asks_within_a_pipeline_hears_of_all),
        cmocka_unit_test(different_commands_share_by_what_they_usually_take),
        cmocka_unit_test(a_long_pipeline_loses_no_call),
        cmocka_unit_test(waiting_is_latency_but_not_work),
        cmocka_unit_test(latencystats_has_the_percentiles_asked_for),
        cmocka_unit_test(slow_commands_are_remembered),
        cmocka_unit_test(with_a_threshold_of_0_every_command_is_remembered),
        cmocka_unit_test(secrets_are_not_remembered),
        cmocka_unit_test(events_are_remembered_beyond_the_threshold),
        cmocka_unit_test(the_store_s_delays_are_events_too),
        cmocka_unit_test(latency_draws_and_advises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
