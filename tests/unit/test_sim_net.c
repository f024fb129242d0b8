/* SPDX-License-Identifier: MIT */
/* The simulated network, on which whole clusters are tested: what TCP promises it keeps, and what
 * networks do to it, it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "sim/sim_net.h"

enum { SIDES = 3, PORT = 6379 };

struct side {
    struct sim_socket *accepted[400]; /* and dialed */
    unsigned accepted_count, changes;
};

struct web {
    struct sim_clock clock;
    struct sim_net *net;
    struct side sides[SIDES];
};

static void on_accepted(void *context, struct sim_socket *socket)
{
    struct side *side = context;
    side->accepted[side->accepted_count++] = socket;
}

static void on_changed(void *context, struct sim_socket *socket)
{
    struct side *side = context;
    (void)socket;
    side->changes++;
}

static const struct sim_net_handler handler = {on_accepted, on_changed};

static void web_init(struct web *web, uint64_t seed, uint64_t reset_us)
{
    *web = (struct web){0};
    sim_clock_init(&web->clock);
    struct sim_net_options options = {
        .clock = &web->clock,
        .seed = seed,
        .latency_us = 100,
        .jitter_us = 200,
        .tail_odds = 10,
        .split_odds = 2,
        .window = 1000,
        .reset_us = reset_us,
    };
    web->net = sim_net_new(&options);
    for (unsigned i = 0; i < SIDES; i++)
        sim_net_listen(web->net, i, &handler, &web->sides[i]);
}

static void web_deinit(struct web *web)
{
    sim_net_free(web->net);
    sim_clock_deinit(&web->clock);
}

static void run_ms(struct web *web, uint64_t ms)
{
    uint64_t until_us = web->clock.now_us + ms * SIM_MS;
    while (sim_clock_step(&web->clock, until_us))
        continue;
}

/* From side 0 to side 1. */
static struct sim_socket *connect_sides(struct web *web, struct sim_socket **out_other)
{
    struct sim_socket *socket = sim_net_dial(web->net, 0, 1, PORT, NULL);
    run_ms(web, 50);
    assert_true(sim_socket_is_connected(socket));
    *out_other = web->sides[1].accepted[web->sides[1].accepted_count - 1];
    assert_int_equal(sim_socket_port(*out_other), PORT);
    assert_int_equal(sim_socket_other(*out_other), 0);
    return socket;
}

static void expect_received(struct sim_socket *socket, const char *text)
{
    struct bytes bytes = sim_socket_received(socket);
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
    sim_socket_consume(socket, bytes.size);
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    struct sim_clock clock;
    struct sim_timer timers[50] = {{0}};
    struct random random = {5};
    sim_clock_init(&clock);
    uint64_t last_us = 0;
    unsigned fired = 0;
    for (unsigned i = 0; i < 50; i++) {
        timers[i].fire = memory_free; /* of NULL: nothing */
        sim_timer_set(&clock, &timers[i], random_below(&random, 20));
    }
    for (unsigned i = 0; i < 50; i += 5)
        sim_timer_cancel(&clock, &timers[i]);
    for (unsigned i = 1; i < 50; i += 10)
        sim_timer_set(&clock, &timers[i], 100);
    while (sim_clock_step(&clock, 1000)) {
        assert_true(clock.now_us >= last_us);
        last_us = clock.now_us;
        fired++;
    }
    assert_int_equal(fired, 40);
    assert_int_equal(last_us, 100);
    assert_int_equal(clock.now_us, 1000);
    sim_clock_deinit(&clock);
}

static void test_bytes_arrive_in_order_whatever_the_pieces(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    web_init(&web, 1, 0);
    struct sim_socket *a = connect_sides(&web, &b);
    unsigned char sent = 0, heard = 0;
    for (unsigned i = 0; i < 500; i++) {
        char bytes[100];
        for (unsigned j = 0; j < sizeof(bytes); j++)
            bytes[j] = (char)sent++;
        size_t taken = sim_socket_send(a, bytes_of(bytes, sizeof(bytes)));
        sent = (unsigned char)(sent - (sizeof(bytes) - taken));
        run_ms(&web, 1);
        struct bytes received = sim_socket_received(b);
        for (size_t j = 0; j < received.size; j++)
            assert_int_equal((unsigned char)received.data[j], heard++);
        sim_socket_consume(b, received.size);
    }
    run_ms(&web, 100);
    assert_int_equal((unsigned char)(heard + sim_socket_received(b).size), sent);
    sim_socket_close(a);
    sim_socket_close(b);
    web_deinit(&web);
}

static void test_a_reader_that_sleeps_stops_the_writer(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    char bytes[1500] = {0};
    web_init(&web, 2, 0);
    struct sim_socket *a = connect_sides(&web, &b);
    assert_int_equal(sim_socket_send(a, bytes_of(bytes, sizeof(bytes))), 1000);
    run_ms(&web, 1000);
    assert_int_equal(sim_socket_send(a, bytes_of(bytes, 1)), 0);
    unsigned changes = web.sides[0].changes;
    sim_socket_consume(b, 600);
    run_ms(&web, 100);
    assert_int_equal(web.sides[0].changes, changes + 1); /* there is room */
    assert_int_equal(sim_socket_send(a, bytes_of(bytes, sizeof(bytes))), 600);
    web_deinit(&web);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct web web;
    web_init(&web, 3, 0);
    sim_net_silence(web.net, 1);
    struct sim_socket *a = sim_net_dial(web.net, 0, 1, PORT, NULL);
    run_ms(&web, 50);
    assert_false(sim_socket_is_connected(a));
    assert_true(sim_socket_has_ended(a));
    sim_socket_close(a);
    web_deinit(&web);
}

static void test_a_close_comes_after_what_was_sent(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    web_init(&web, 4, 0);
    struct sim_socket *a = connect_sides(&web, &b);
    assert_int_equal(sim_socket_send(a, BYTES("farewell")), 8);
    sim_socket_close(a);
    run_ms(&web, 50);
    assert_true(sim_socket_has_ended(b));
    expect_received(b, "farewell");
    sim_socket_close(b);
    web_deinit(&web);
}

static void test_a_blocked_way_holds_bytes_until_it_is_free(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    web_init(&web, 5, 0);
    struct sim_socket *a = connect_sides(&web, &b);
    sim_net_block(web.net, 0, 1);
    sim_net_block(web.net, 0, 1);
    assert_int_equal(sim_socket_send(a, BYTES("late")), 4);
    assert_int_equal(sim_socket_send(b, BYTES("the other way is free")), 21);
    run_ms(&web, 60000);
    assert_int_equal(sim_socket_received(b).size, 0);
    expect_received(a, "the other way is free");
    sim_net_unblock(web.net, 0, 1);
    run_ms(&web, 1000);
    assert_int_equal(sim_socket_received(b).size, 0); /* the second fault holds it still */
    sim_net_unblock(web.net, 0, 1);
    run_ms(&web, 50);
    expect_received(b, "late");
    web_deinit(&web);
}

static void test_who_waits_too_long_for_a_way_gives_up(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    web_init(&web, 6, 3 * SIM_SECOND);
    struct sim_socket *a = connect_sides(&web, &b);
    sim_net_block(web.net, 0, 1);
    assert_int_equal(sim_socket_send(a, BYTES("never")), 5);
    run_ms(&web, 2900);
    assert_false(sim_socket_has_ended(a));
    run_ms(&web, 200);
    assert_true(sim_socket_has_ended(a));
    sim_socket_close(a);
    run_ms(&web, 10000);
    assert_false(sim_socket_has_ended(b)); /* nobody could tell it */
    struct sim_socket *again = sim_net_dial(web.net, 0, 1, PORT, NULL);
    run_ms(&web, 3000);
    assert_true(sim_socket_has_ended(again));
    sim_socket_close(again);
    sim_net_unblock(web.net, 0, 1);
    run_ms(&web, 50);
    assert_true(sim_socket_has_ended(b));
    assert_int_equal(sim_socket_received(b).size, 0);
    sim_socket_close(b);
    web_deinit(&web);
}

static void test_a_reset_cuts_what_is_under_way(void **state)
{
    (void)state;
    bool cut = false;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct web web;
        struct sim_socket *b;
        web_init(&web, seed, 0);
        struct sim_socket *a = connect_sides(&web, &b);
        assert_int_equal(sim_socket_send(a, BYTES("one whole message")), 17);
        sim_net_reset(web.net, 1, seed);
        assert_true(sim_socket_has_ended(a));
        assert_true(sim_socket_has_ended(b));
        struct bytes bytes = sim_socket_received(b);
        assert_memory_equal("one whole message", bytes.data, bytes.size);
        cut = cut || (bytes.size > 0 && bytes.size < 17);
        sim_socket_close(a);
        sim_socket_close(b);
        sim_net_reset(web.net, 1, seed); /* there is none left: nothing */
        web_deinit(&web);
    }
    assert_true(cut);
}

static void test_a_machine_without_power_says_nothing(void **state)
{
    (void)state;
    struct web web;
    struct sim_socket *b;
    web_init(&web, 7, 0);
    struct sim_socket *a = connect_sides(&web, &b);
    sim_socket_drop(b);
    sim_net_silence(web.net, 1);
    run_ms(&web, 60000);
    assert_false(sim_socket_has_ended(a));
    assert_int_equal(sim_socket_send(a, BYTES("hello?")), 6);
    run_ms(&web, 60000);
    assert_false(sim_socket_has_ended(a));
    sim_net_listen(web.net, 1, &handler, &web.sides[1]);
    run_ms(&web, 1000);
    assert_true(sim_socket_has_ended(a)); /* it is there again and knows of no such connection */
    sim_socket_close(a);
    web_deinit(&web);
}

/* Dials, sends, closes, resets, blocks at random: nothing leaks, and the same seed goes the same
 * way. */
static uint64_t random_web(uint64_t seed)
{
    struct web web;
    struct random random = {seed};
    web_init(&web, seed, 2 * SIM_SECOND);
    for (unsigned step = 0; step < 300; step++) {
        unsigned from = (unsigned)random_below(&random, SIDES), to = (from + 1) % SIDES;
        struct side *side = &web.sides[from];
        struct sim_socket *socket =
            side->accepted_count ? side->accepted[side->accepted_count - 1] : NULL;
        switch (random_below(&random, 7)) {
        case 0:
            if (side->accepted_count < 6)
                side->accepted[side->accepted_count++] =
                    sim_net_dial(web.net, from, to, PORT, NULL);
            break;
        case 1:
            sim_net_reset(web.net, from, random_next(&random));
            break;
        case 2:
            if (sim_net_is_blocked(web.net, from, to))
                sim_net_unblock(web.net, from, to);
            else
                sim_net_block(web.net, from, to);
            break;
        case 3:
            if (socket && random_once_in(&random, 2))
                sim_socket_close(socket);
            else if (socket)
                sim_socket_drop(socket);
            side->accepted_count -= socket != NULL;
            break;
        default:
            if (socket) {
                sim_socket_consume(socket, sim_socket_received(socket).size);
                sim_socket_send(socket, BYTES("some bytes that may be cut in two"));
            }
            run_ms(&web, random_below(&random, 300));
            break;
        }
    }
    uint64_t hash = sim_net_hash(web.net);
    web_deinit(&web);
    return hash;
}

static void test_the_same_seed_goes_the_same_way(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++)
        assert_true(random_web(seed) == random_web(seed));
    assert_true(random_web(1) != random_web(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_bytes_arrive_in_order_whatever_the_pieces),
        cmocka_unit_test(test_a_reader_that_sleeps_stops_the_writer),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_a_close_comes_after_what_was_sent),
        cmocka_unit_test(test_a_blocked_way_holds_bytes_until_it_is_free),
        cmocka_unit_test(test_who_waits_too_long_for_a_way_gives_up),
        cmocka_unit_test(test_a_reset_cuts_what_is_under_way),
        cmocka_unit_test(test_a_machine_without_power_says_nothing),
        cmocka_unit_test(test_the_same_seed_goes_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
