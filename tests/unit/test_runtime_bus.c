/* SPDX-License-Identifier: MIT */
/* Two buses in one loop, over real sockets on this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/dialer.h"
#include "runtime_bus.h"

enum { TURNS_MAX = 200000 }; /* a test that waits for longer has failed */

struct side {
    struct config config;
    struct runtime_bus *sockets;
    struct bus *bus;
    uint64_t peer; /* the last one that it was told of */
    unsigned ups, downs, ends, mets, messages, refusals;
    uint64_t bytes; /* in messages */
};

struct world {
    struct loop *loop;
    struct journal *journal;
    struct side sides[2];
};

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_of_turn(void *context)
{
    (void)context;
    return clock_ms();
}

static enum status on_message(void *context, uint64_t node, unsigned type, struct bytes payload,
                              uint64_t now_ms)
{
    (void)type;
    (void)now_ms;
    struct side *side = context;
    side->peer = node;
    side->messages++;
    side->bytes += payload.size;
    return STATUS_OK;
}

static void on_up(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct side *side = context;
    side->peer = node;
    side->ups++;
}

static void on_down(void *context, uint64_t node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    struct side *side = context;
    side->downs++;
}

static void on_ended(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct side *side = context;
    side->peer = node;
    side->ends++;
}

static void on_met(void *context, uint64_t node, struct bytes host, uint16_t port, uint64_t now_ms)
{
    (void)host;
    (void)port;
    (void)now_ms;
    struct side *side = context;
    side->peer = node;
    side->mets++;
}

static void on_refused(void *context, const char *address, const char *why, uint64_t now_ms)
{
    (void)address;
    (void)why;
    (void)now_ms;
    struct side *side = context;
    side->refusals++;
}

static void on_dial(void *context, struct bus_link *link, const char *host, uint16_t port)
{
    struct side *side = context;
    runtime_bus_dial(side->sockets, link, host, port);
}

static void on_hang_up(void *context, struct bus_link *link)
{
    struct side *side = context;
    runtime_bus_hang_up(side->sockets, link);
}

static void set(struct side *side, const char *name, const char *value)
{
    char text[64], option[64];
    snprintf(option, sizeof option, "--%s", name);
    snprintf(text, sizeof text, "%s", value);
    char *arguments[] = {option, text};
    struct buffer error = {0};
    assert_int_equal(config_arguments(&side->config, 2, arguments, &error), STATUS_OK);
    buffer_deinit(&error);
}

static void start(struct world *world, unsigned index, const char *secret)
{
    struct side *side = &world->sides[index];
    config_init(&side->config);
    set(side, "bind", "127.0.0.1");
    set(side, "port", "0");
    set(side, "cluster-secret", secret);
    struct runtime_bus_options options = {
        .config = &side->config,
        .journal = world->journal,
        .loop = world->loop,
        .now_ms = now_of_turn,
    };
    struct buffer error = {0};
    assert_int_equal(runtime_bus_open(&options, 0, &side->sockets, &error), STATUS_OK);
    side->bus = bus_new(&(struct bus_options){
        .node = index + 1,
        .secret = bytes_text(secret),
        .random = {index, 7},
        .message = on_message,
        .up = on_up,
        .down = on_down,
        .ended = on_ended,
        .met = on_met,
        .refused = on_refused,
        .dial = on_dial,
        .hang_up = on_hang_up,
        .context = side,
    });
    runtime_bus_start(side->sockets, side->bus);
}

static void stop(struct world *world, unsigned index)
{
    struct side *side = &world->sides[index];
    if (!side->sockets)
        return;
    runtime_bus_stop(side->sockets);
    runtime_bus_free(side->sockets);
    bus_free(side->bus);
    config_deinit(&side->config);
    memset(side, 0, sizeof *side);
}

static void turn(struct world *world)
{
    uint64_t deadline_ms = clock_ms() + 100;
    bool busy = false;
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &world->sides[i];
        if (!side->bus)
            continue;
        if (bus_deadline_ms(side->bus) < deadline_ms)
            deadline_ms = bus_deadline_ms(side->bus);
        busy = busy || runtime_bus_is_busy(side->sockets);
    }
    loop_run_once(world->loop, clock_ms(), busy ? 0 : deadline_ms);
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &world->sides[i];
        if (!side->bus)
            continue;
        if (bus_deadline_ms(side->bus) <= clock_ms())
            bus_tick(side->bus, clock_ms());
        runtime_bus_close_ended(side->sockets);
        runtime_bus_send(side->sockets);
    }
}

#define RUN_UNTIL(world, what)                                                                     \
    for (unsigned turns_ = 0; !(what); turns_++) {                                                 \
        assert_true(turns_ < TURNS_MAX);                                                           \
        turn(world);                                                                               \
    }

static int setup(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.loop = loop_new();
    assert_int_equal(
        journal_open("/dev/null", JOURNAL_WARNING, JOURNAL_TEXT, clock_ms, &world.journal),
        STATUS_OK);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    stop(world, 0);
    stop(world, 1);
    journal_close(world->journal);
    loop_free(world->loop);
    return 0;
}

static void two_nodes_talk_over_sockets(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0], *two = &world->sides[1];
    start(world, 0, "secret");
    start(world, 1, "secret");
    bus_want(one->bus, 2, "127.0.0.1", runtime_bus_port(two->sockets));
    RUN_UNTIL(world, one->ups == 1);
    struct outbox outbox = bus_outbox(one->bus);
    /* More than any socket's buffer takes. */
    enum { COUNT = 20, SIZE = 1024 * 1024 };
    char *block = memory_zeroed(SIZE);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(outbox_send(&outbox, 2, 5, bytes_of(block, SIZE)));
    memory_free(block);
    RUN_UNTIL(world, bus_settled_count(one->bus, 2) == COUNT);
    assert_int_equal(two->messages, COUNT);
    assert_int_equal(two->bytes, COUNT * SIZE);
    assert_int_equal(two->peer, 1);
}

static void a_name_is_looked_up(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0], *two = &world->sides[1];
    start(world, 0, "secret");
    start(world, 1, "secret");
    bus_meet(one->bus, "localhost", runtime_bus_port(two->sockets), clock_ms(), 30000);
    RUN_UNTIL(world, one->mets == 1);
    assert_int_equal(one->peer, 2);
}

static void who_goes_and_comes_back_is_found_again(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0], *two = &world->sides[1];
    start(world, 0, "secret");
    start(world, 1, "secret");
    bus_want(one->bus, 2, "127.0.0.1", runtime_bus_port(two->sockets));
    RUN_UNTIL(world, one->ups == 1);
    stop(world, 1);
    RUN_UNTIL(world, one->downs >= 3); /* the link, and two dials that were refused */
    assert_false(bus_is_up(one->bus, 2));
    start(world, 1, "secret");
    bus_want(one->bus, 2, "127.0.0.1", runtime_bus_port(two->sockets));
    RUN_UNTIL(world, one->ups == 2);
}

static void another_secret_is_refused(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0], *two = &world->sides[1];
    start(world, 0, "secret");
    start(world, 1, "another");
    bus_want(one->bus, 2, "127.0.0.1", runtime_bus_port(two->sockets));
    RUN_UNTIL(world, one->refusals > 0 && two->refusals > 0);
    assert_int_equal(one->ups + two->ups, 0);
}

/* What knocks is hung up on, and costs nothing for long. */
static void rubbish_is_hung_up_on(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0];
    start(world, 0, "secret");
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in target = {.sin_family = AF_INET,
                                 .sin_port = htons(runtime_bus_port(one->sockets)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(client, (struct sockaddr *)&target, sizeof target), 0);
    assert_int_equal(send(client, "GET / HTTP/1.1\r\n", 16, 0), 16);
    char byte;
    ssize_t got = -1;
    RUN_UNTIL(world, (got = recv(client, &byte, 1, MSG_DONTWAIT)) == 0 ||
                         (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK));
    assert_true(got <= 0);
    assert_int_equal(one->refusals, 1);
    close(client);
}

static void a_port_is_taken_once(void **state)
{
    struct world *world = *state;
    struct side *one = &world->sides[0], *two = &world->sides[1];
    start(world, 0, "secret");
    config_init(&two->config);
    set(two, "bind", "127.0.0.1");
    char port[8];
    snprintf(port, sizeof port, "%u", runtime_bus_port(one->sockets));
    set(two, "cluster-port", port);
    struct runtime_bus_options options = {&two->config, world->journal, world->loop, now_of_turn,
                                          NULL};
    struct buffer error = {0};
    struct runtime_bus *sockets;
    assert_int_equal(runtime_bus_open(&options, 6379, &sockets, &error), STATUS_IO);
    buffer_append_u8(&error, '\0');
    assert_non_null(strstr(buffer_bytes(&error).data, "Address already in use"));
    buffer_clear(&error, 0);
    set(two, "cluster-port", "0");
    set(two, "port", "60000");
    assert_int_equal(runtime_bus_open(&options, 60000, &sockets, &error), STATUS_INVALID);
    buffer_deinit(&error);
    config_deinit(&two->config);
}

/* ---- the dialer alone ------------------------------------------------------------------------
 */

struct answer {
    unsigned count;
    int descriptor;
    char reason[128];
};

static void on_done(void *context, int descriptor, const char *reason)
{
    struct answer *answer = context;
    answer->count++;
    answer->descriptor = descriptor;
    snprintf(answer->reason, sizeof answer->reason, "%s", reason ? reason : "");
}

static void a_dial_that_fails_says_why(void **state)
{
    struct world *world = *state;
    struct dialer *dialer = dialer_new(world->loop);
    struct answer closed = {0}, nowhere = {0}, unknown = {0}, long_name = {0};
    /* A port that was free a moment ago. */
    start(world, 0, "secret");
    uint16_t port = runtime_bus_port(world->sides[0].sockets);
    stop(world, 0);
    char name[DIALER_HOST_MAX + 1];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    dialer_dial(dialer, "127.0.0.1", port, on_done, &closed);
    dialer_dial(dialer, "0.0.0.0.0", port, on_done, &nowhere);
    dialer_dial(dialer, "no-such-host.invalid", port, on_done, &unknown);
    dialer_dial(dialer, name, port, on_done, &long_name);
    assert_int_equal(closed.count + nowhere.count + unknown.count + long_name.count, 0);
    RUN_UNTIL(world, closed.count + nowhere.count + unknown.count + long_name.count == 4);
    assert_string_equal(closed.reason, "Connection refused");
    assert_int_equal(closed.descriptor, -1);
    assert_int_equal(nowhere.descriptor, -1);
    assert_int_equal(unknown.descriptor, -1);
    assert_true(unknown.reason[0] != '\0');
    assert_int_equal(long_name.descriptor, -1);
    dialer_free(dialer);
}

static void what_is_cancelled_is_never_done(void **state)
{
    struct world *world = *state;
    struct dialer *dialer = dialer_new(world->loop);
    struct answer answer = {0}, last = {0};
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    for (unsigned i = 0; i < 300; i++) {
        struct dial *dial = dialer_dial(dialer, hosts[i % 3], 9, on_done, &answer);
        if (i % 7 == 0)
            loop_run_once(world->loop, clock_ms(), 0);
        if (answer.count == 0)
            dial_cancel(dial);
        answer.count = 0;
    }
    dialer_dial(dialer, "localhost", 9, on_done, &last);
    RUN_UNTIL(world, last.count == 1);
    assert_int_equal(answer.count, 0);
    dialer_free(dialer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_talk_over_sockets),
        TEST(a_name_is_looked_up),
        TEST(who_goes_and_comes_back_is_found_again),
        TEST(another_secret_is_refused),
        TEST(rubbish_is_hung_up_on),
        TEST(a_port_is_taken_once),
        TEST(a_dial_that_fails_says_why),
        TEST(what_is_cancelled_is_never_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
