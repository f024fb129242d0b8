/* SPDX-License-Identifier: MIT */
/*
 * Up to four buses, joined by pipes of bytes: what one end sends comes out at the other in pieces of
 * any size, as late as the test wants, until the pipe is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "bus/bus.h"
#include "bus/frame.h"

enum { HOSTS = 4, HEARD_MAX = 4096, STEP_MS = 7 };

struct world;

/* What a bus was told, as a text: "up 2; down 2; 2: 5 hello; met 3 at b:1". */
struct host {
    struct world *world;
    struct bus *bus;
    uint64_t node;
    bool listening;
    bool slow; /* its socket takes a few bytes at a time */
    struct buffer told;
    uint64_t heard[HOSTS + 1]; /* the last number of each node's stream */
    enum status reply;         /* to messages */
    unsigned dials;
};

/* A connection. Ends: 0 the dialer's, 1 the acceptor's. */
struct pipe {
    struct list at;
    struct host *host[2];
    struct bus_link *link[2]; /* NULL: that end is closed */
    bool connected;
    bool closing[2];         /* asked for by that end */
    struct buffer moving[2]; /* towards that end */
};

struct world {
    struct host hosts[HOSTS + 1]; /* by number; 0 is nobody */
    struct list pipes;
    struct random random;
    uint64_t now_ms;
    bool frozen; /* bytes stay in the pipes */
};

static struct pipe *pipe_of(const struct bus_link *link)
{
    return bus_connection(link);
}

static unsigned end_of(const struct pipe *pipe, const struct bus_link *link)
{
    return pipe->link[1] == link;
}

/* ---- what the bus tells and asks -------------------------------------------------------------
 */

static enum status on_message(void *context, uint64_t node, unsigned type, struct bytes payload,
                              uint64_t now_ms)
{
    struct host *host = context;
    assert_int_equal(now_ms, host->world->now_ms);
    if (type == 0x4f) { /* of a stream: they come in order, none twice */
        uint64_t number = unpack_u64(payload.data);
        assert_true(number > host->heard[node]);
        host->heard[node] = number;
        return STATUS_OK;
    }
    buffer_printf(&host->told, "%llu: %u %.*s; ", (unsigned long long)node, type, (int)payload.size,
                  payload.data);
    return host->reply;
}

static void on_up(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct host *host = context;
    assert_true(bus_is_up(host->bus, node));
    assert_int_equal(bus_sent_count(host->bus, node), bus_settled_count(host->bus, node));
    buffer_printf(&host->told, "up %llu; ", (unsigned long long)node);
}

static void on_down(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct host *host = context;
    assert_false(bus_is_up(host->bus, node));
    buffer_printf(&host->told, "down %llu; ", (unsigned long long)node);
}

static void on_met(void *context, uint64_t node, struct bytes name, uint16_t port, uint64_t now_ms)
{
    (void)now_ms;
    struct host *host = context;
    buffer_printf(&host->told, "met %llu", (unsigned long long)node);
    if (name.size > 0)
        buffer_printf(&host->told, " at %.*s:%u", (int)name.size, name.data, port);
    buffer_printf(&host->told, "; ");
}

static void on_refused(void *context, const char *address, enum status why, uint64_t now_ms)
{
    (void)now_ms;
    struct host *host = context;
    buffer_printf(&host->told, "refused %s: %s; ", address, status_text(why));
}

/* The host's name is its number, the port is 1; others are not there. */
static void on_dial(void *context, struct bus_link *link, const char *name, uint16_t port)
{
    struct host *host = context;
    struct pipe *pipe = memory_zeroed(sizeof(*pipe));
    pipe->host[0] = host;
    pipe->link[0] = link;
    unsigned number = port == 1 ? (unsigned)(name[0] - '0') : 0;
    pipe->host[1] = &host->world->hosts[number <= HOSTS ? number : 0];
    list_append(&host->world->pipes, &pipe->at);
    bus_set_connection(link, pipe);
    host->dials++;
}

static void on_hang_up(void *context, struct bus_link *link)
{
    (void)context;
    struct pipe *pipe = pipe_of(link);
    pipe->closing[end_of(pipe, link)] = true;
}

/* ---- the world -------------------------------------------------------------------------------
 */

static void start(struct world *world, unsigned number, uint64_t node, const char *secret)
{
    struct host *host = &world->hosts[number];
    host->world = world;
    host->node = node;
    host->listening = true;
    host->bus = bus_new(&(struct bus_options){
        .node = node,
        .secret = bytes_text(secret),
        .random = {random_next(&world->random), number},
        .message = on_message,
        .up = on_up,
        .down = on_down,
        .met = on_met,
        .refused = on_refused,
        .dial = on_dial,
        .hang_up = on_hang_up,
        .context = host,
    });
}

static void close_end(struct pipe *pipe, unsigned end)
{
    struct bus_link *link = pipe->link[end];
    pipe->link[end] = NULL;
    if (link)
        bus_closed(pipe->host[end]->bus, link, pipe->host[end]->world->now_ms);
}

static void pipe_free(struct pipe *pipe)
{
    list_remove(&pipe->at);
    buffer_deinit(&pipe->moving[0]);
    buffer_deinit(&pipe->moving[1]);
    memory_free(pipe);
}

/* The other end finds out when what came before is read, or at once when the bytes are lost. */
static void cut(struct pipe *pipe)
{
    close_end(pipe, 0);
    close_end(pipe, 1);
    pipe_free(pipe);
}

static void stop(struct world *world, unsigned number)
{
    struct host *host = &world->hosts[number];
    if (!host->bus)
        return;
    for (struct list *at = world->pipes.next, *next; at != &world->pipes; at = next) {
        next = at->next;
        struct pipe *pipe = list_entry(at, struct pipe, at);
        if (pipe->host[0] == host || pipe->host[1] == host)
            cut(pipe);
    }
    bus_free(host->bus);
    host->bus = NULL;
    host->listening = false;
    buffer_clear(&host->told, 0);
    memset(host->heard, 0, sizeof host->heard);
    for (unsigned i = 1; i <= HOSTS; i++)
        world->hosts[i].heard[host->node <= HOSTS ? host->node : 0] = 0;
}

static void connect_pipe(struct pipe *pipe)
{
    struct host *target = pipe->host[1];
    struct world *world = pipe->host[0]->world;
    if (target->bus && target->listening) {
        char address[16];
        snprintf(address, sizeof address, "from %llu", (unsigned long long)pipe->host[0]->node);
        pipe->link[1] = bus_accepted(target->bus, address, world->now_ms);
    }
    if (!pipe->link[1]) {
        cut(pipe);
        return;
    }
    bus_set_connection(pipe->link[1], pipe);
    pipe->connected = true;
    bus_connected(pipe->host[0]->bus, pipe->link[0], world->now_ms);
}

/* Some of the bytes on their way to that end. */
static void deliver(struct pipe *pipe, unsigned end)
{
    struct world *world = pipe->host[0]->world;
    struct buffer *moving = &pipe->moving[end];
    if (buffer_size(moving) == 0)
        return;
    size_t size = 1 + random_below(&world->random, buffer_size(moving));
    if (random_once_in(&world->random, 3) && size > 20)
        size = 1 + random_below(&world->random, 20);
    struct bytes part = bytes_of(buffer_bytes(moving).data, size);
    char *copy = memory_alloc(size);
    memcpy(copy, part.data, size);
    buffer_consume(moving, size);
    if (pipe->link[end])
        bus_receive(pipe->host[end]->bus, pipe->link[end], bytes_of(copy, size), world->now_ms);
    memory_free(copy);
}

static void step_pipe(struct pipe *pipe)
{
    if (pipe->closing[0] || (!pipe->link[0] && buffer_size(&pipe->moving[1]) == 0) ||
        pipe->closing[1] ||
        (pipe->connected && !pipe->link[1] && buffer_size(&pipe->moving[0]) == 0)) {
        cut(pipe);
        return;
    }
    if (!pipe->connected) {
        connect_pipe(pipe);
        return;
    }
    if (pipe->host[0]->world->frozen)
        return;
    deliver(pipe, 0);
    deliver(pipe, 1);
}

static void send_outputs(struct host *host)
{
    struct bus_link *link;
    while ((link = bus_next_output(host->bus))) {
        struct pipe *pipe = pipe_of(link);
        unsigned end = end_of(pipe, link);
        while (bus_output(link).size > 0) {
            struct bytes output = bus_output(link);
            size_t size = host->slow && output.size > 10 ? 10 : output.size;
            buffer_append(&pipe->moving[!end], output.data, size);
            bus_sent(host->bus, link, size);
        }
    }
}

static void turn(struct world *world)
{
    for (struct list *at = world->pipes.next, *next; at != &world->pipes; at = next) {
        next = at->next;
        step_pipe(list_entry(at, struct pipe, at));
    }
    for (unsigned i = 1; i <= HOSTS; i++) {
        struct host *host = &world->hosts[i];
        if (!host->bus)
            continue;
        if (bus_deadline_ms(host->bus) <= world->now_ms)
            bus_tick(host->bus, world->now_ms);
        send_outputs(host);
    }
}

static void run_for_ms(struct world *world, uint64_t ms)
{
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; world->now_ms += STEP_MS)
        turn(world);
}

static int setup(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.random.state = 11;
    world.now_ms = 1000000;
    list_init(&world.pipes);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (unsigned i = 1; i <= HOSTS; i++)
        stop(world, i);
    for (unsigned i = 0; i <= HOSTS; i++)
        buffer_deinit(&world->hosts[i].told);
    while (!list_is_empty(&world->pipes))
        cut(list_entry(world->pipes.next, struct pipe, at));
    return 0;
}

static void expect_told(struct host *host, const char *expected)
{
    buffer_append_u8(&host->told, '\0');
    assert_string_equal(buffer_bytes(&host->told).data, expected);
    buffer_clear(&host->told, 0);
}

/* It has heard that, among others. */
static void expect_among_told(struct host *host, const char *expected)
{
    buffer_append_u8(&host->told, '\0');
    const char *text = buffer_bytes(&host->told).data;
    if (!strstr(text, expected))
        fail_msg("not \"%s\": %s", expected, text);
    buffer_clear(&host->told, 0);
}

static bool say(struct host *from, uint64_t to, unsigned type, const char *text)
{
    struct outbox outbox = bus_outbox(from->bus);
    return outbox_send(&outbox, to, type, bytes_text(text));
}

static void want(struct host *host, uint64_t node)
{
    char name[2] = {(char)('0' + node), '\0'};
    bus_want(host->bus, node, name, 1);
}

/* Two that talk in both directions. */
static void start_two(struct world *world)
{
    start(world, 1, 1, "secret");
    start(world, 2, 2, "secret");
    want(&world->hosts[1], 2);
    want(&world->hosts[2], 1);
    run_for_ms(world, 1000);
    expect_told(&world->hosts[1], "up 2; ");
    expect_told(&world->hosts[2], "up 1; ");
}

/* The pipe that host 1 has dialed. */
static struct pipe *pipe_from(struct world *world, unsigned number)
{
    for (struct list *at = world->pipes.next; at != &world->pipes; at = at->next) {
        struct pipe *pipe = list_entry(at, struct pipe, at);
        if (pipe->host[0] == &world->hosts[number])
            return pipe;
    }
    fail_msg("no pipe");
    return NULL;
}

/* ---- stories ---------------------------------------------------------------------------------
 */

static void two_nodes_talk(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start_two(world);
    assert_true(say(one, 2, 5, "hello"));
    assert_true(say(one, 2, 6, "again"));
    assert_true(say(two, 1, 7, "hello, too"));
    assert_int_equal(bus_sent_count(one->bus, 2), 2);
    assert_int_equal(bus_settled_count(one->bus, 2), 0);
    run_for_ms(world, 1000);
    expect_told(two, "1: 5 hello; 1: 6 again; ");
    expect_told(one, "2: 7 hello, too; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 2);
    assert_int_equal(bus_settled_count(two->bus, 1), 1);
    assert_false(say(one, 3, 5, "nobody"));
    assert_int_equal(bus_sent_count(one->bus, 3), 0);
}

static void links_can_be_seen(void **state)
{
    struct world *world = *state;
    start_two(world);
    say(&world->hosts[1], 2, 5, "hello");
    run_for_ms(world, 1000);
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
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    struct bus_link_view before, after;
    bus_link_at(one->bus, 0, &before);
    for (unsigned i = 0; i < 60; i++)
        say(one, 2, 5, "x");
    run_for_ms(world, 500);
    assert_int_equal(bus_settled_count(one->bus, 2), 60);
    bus_link_at(one->bus, 0, &after);
    /* In a few frames of 32 bytes, not in sixty. */
    assert_true(after.bytes_in - before.bytes_in <= 20 * 32);
}

static void who_is_not_there_is_dialed_again(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start(world, 1, 1, "secret");
    want(one, 2);
    run_for_ms(world, 60000);
    assert_true(one->dials > 60 && one->dials < 150);
    expect_among_told(one, "down 2; down 2; ");
    start(world, 2, 2, "secret");
    run_for_ms(world, 1500);
    expect_among_told(one, "up 2; ");
    expect_told(&world->hosts[2], "met 1; ");
}

static void who_is_no_longer_wanted_is_left_alone(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    unsigned dials = one->dials;
    bus_unwant(one->bus, 2);
    assert_false(bus_is_up(one->bus, 2));
    assert_false(say(one, 2, 5, "x"));
    run_for_ms(world, 5000);
    expect_told(one, "");
    assert_int_equal(one->dials, dials);
    assert_true(say(&world->hosts[2], 1, 5, "still here"));
    run_for_ms(world, 500);
    expect_told(one, "2: 5 still here; ");
    want(one, 2);
    run_for_ms(world, 500);
    expect_told(one, "up 2; ");
}

static void a_new_address_counts_from_the_next_try_on(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "secret");
    start(world, 3, 2, "secret"); /* node 2 lives in another place */
    bus_want(world->hosts[1].bus, 2, "2", 1);
    run_for_ms(world, 3000);
    expect_among_told(&world->hosts[1], "down 2; ");
    bus_want(world->hosts[1].bus, 2, "3", 1);
    run_for_ms(world, 1500);
    expect_among_told(&world->hosts[1], "up 2; ");
}

static void another_secret_opens_nothing(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "secret");
    start(world, 2, 2, "another");
    want(&world->hosts[1], 2);
    run_for_ms(world, 500);
    expect_among_told(&world->hosts[1], "refused 2:1: not valid; down 2; ");
    expect_among_told(&world->hosts[2], "refused from 1: not valid; ");
    assert_false(bus_is_up(world->hosts[1].bus, 2));
    struct bus_link_view view;
    assert_false(bus_link_at(world->hosts[2].bus, 0, &view));
}

static void an_empty_secret_is_one_too(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "");
    start(world, 2, 2, "");
    start(world, 3, 3, "secret");
    want(&world->hosts[1], 2);
    want(&world->hosts[1], 3);
    run_for_ms(world, 500);
    assert_true(bus_is_up(world->hosts[1].bus, 2));
    assert_false(bus_is_up(world->hosts[1].bus, 3));
}

static void meeting_tells_who_is_there_and_disturbs_nobody(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start(world, 1, 1, "secret");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    run_for_ms(world, 1000);
    start(world, 2, 2, "secret");
    run_for_ms(world, 1500);
    expect_told(one, "met 2 at 2:1; ");
    expect_told(two, "");
    want(one, 2);
    run_for_ms(world, 500);
    expect_told(one, "up 2; ");
    expect_told(two, "met 1; ");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    run_for_ms(world, 500);
    say(one, 2, 5, "the same link");
    run_for_ms(world, 500);
    expect_told(one, "met 2 at 2:1; ");
    expect_told(two, "1: 5 the same link; ");
    assert_true(list_entry(world->pipes.next, struct pipe, at)->at.next == &world->pipes);
}

static void meeting_nobody_ends(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start(world, 1, 1, "secret");
    bus_meet(one->bus, "2", 1, world->now_ms, 3000);
    bus_meet(one->bus, "2", 1, world->now_ms, 2000); /* the same, until the later end */
    run_for_ms(world, 4000);
    unsigned dials = one->dials;
    assert_true(dials > 3 && dials < 15);
    start(world, 2, 2, "secret");
    run_for_ms(world, 3000);
    assert_int_equal(one->dials, dials);
    expect_told(one, "");
}

static void a_node_notices_that_it_has_met_itself(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "secret");
    bus_meet(world->hosts[1].bus, "1", 1, world->now_ms, 3000);
    run_for_ms(world, 1000);
    expect_told(&world->hosts[1], "met 1 at 1:1; ");
    assert_int_equal(world->hosts[1].dials, 1);
    bus_want(world->hosts[1].bus, 1, "1", 1); /* no link to itself */
    run_for_ms(world, 1000);
    expect_told(&world->hosts[1], "");
}

/* A copied data directory: two processes that say they are the same node. */
static void another_node_with_the_own_number_is_refused(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "secret");
    start(world, 2, 1, "secret");
    bus_meet(world->hosts[1].bus, "2", 1, world->now_ms, 300);
    run_for_ms(world, 2000);
    expect_among_told(&world->hosts[2], "refused from 1: not valid; ");
    buffer_append_u8(&world->hosts[1].told, '\0');
    assert_null(strstr(buffer_bytes(&world->hosts[1].told).data, "met"));
}

static void another_node_than_the_wanted_one_is_no_link(void **state)
{
    struct world *world = *state;
    start(world, 1, 1, "secret");
    start(world, 2, 3, "secret"); /* who lives there now */
    bus_want(world->hosts[1].bus, 2, "2", 1);
    run_for_ms(world, 150);
    expect_among_told(&world->hosts[1], "refused 2:1: not valid; down 2; ");
}

static void what_was_not_acknowledged_is_settled_by_the_next_greeting(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    say(one, 2, 5, "heard");
    run_for_ms(world, 500);
    world->frozen = true;
    say(one, 2, 5, "lost");
    say(one, 2, 5, "lost, too");
    turn(world);
    cut(pipe_from(world, 1));
    expect_told(one, "down 2; ");
    assert_false(say(one, 2, 5, "not sent"));
    assert_int_equal(bus_sent_count(one->bus, 2), 3);
    assert_int_equal(bus_settled_count(one->bus, 2), 1);
    world->frozen = false;
    run_for_ms(world, 1000);
    expect_told(one, "up 2; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 3);
    say(one, 2, 5, "on the new link");
    assert_int_equal(bus_settled_count(one->bus, 2), 3);
    run_for_ms(world, 500);
    expect_told(&world->hosts[2], "1: 5 heard; 1: 5 on the new link; ");
    assert_int_equal(bus_settled_count(one->bus, 2), 4);
}

/* The dialer has given up a link of which the other side has yet to read. */
static void the_newest_greeting_wins_over_what_is_unread(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start_two(world);
    world->frozen = true;
    say(one, 2, 5, "void");
    turn(world);
    struct pipe *old = pipe_from(world, 1);
    assert_true(buffer_size(&old->moving[1]) > 0);
    struct buffer unread = {0};
    buffer_append_bytes(&unread, buffer_bytes(&old->moving[1]));
    /* Only the dialer knows that it is gone. */
    struct bus_link *end = old->link[1];
    close_end(old, 0);
    buffer_clear(&old->moving[1], 0);
    list_remove(&old->at);
    world->frozen = false;
    run_for_ms(world, 1000);
    expect_told(one, "down 2; up 2; ");
    assert_true(old->closing[1]);
    assert_int_equal(bus_settled_count(one->bus, 2), 1);
    bus_receive(two->bus, end, buffer_bytes(&unread), world->now_ms);
    expect_told(two, "");
    close_end(old, 1);
    buffer_deinit(&unread);
    list_append(&world->pipes, &old->at);
    cut(old);
}

/* Even if what is unread is the proof itself: the link that was begun later counts. */
static void a_late_proof_does_not_take_a_newer_links_place(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start(world, 1, 1, "secret");
    start(world, 2, 2, "secret");
    want(one, 2);
    turn(world); /* dials */
    turn(world); /* connects; HELLO is on its way */
    struct pipe *old = pipe_from(world, 1);
    while (buffer_size(&old->moving[1]) > 0 || buffer_size(&old->moving[0]) > 0) {
        deliver(old, 1);
        send_outputs(two);
        deliver(old, 0);
    }
    send_outputs(one); /* PROOF */
    struct buffer unread = {0};
    buffer_append_bytes(&unread, buffer_bytes(&old->moving[1]));
    assert_int_equal(buffer_size(&unread), FRAME_HEADER_SIZE + 32);
    struct bus_link *end = old->link[1];
    close_end(old, 0);
    list_remove(&old->at);
    run_for_ms(world, 1000);
    assert_true(bus_is_up(one->bus, 2));
    assert_true(old->closing[1]);
    bus_receive(two->bus, end, buffer_bytes(&unread), world->now_ms);
    say(one, 2, 5, "heard");
    run_for_ms(world, 200);
    expect_told(two, "met 1; 1: 5 heard; ");
    close_end(old, 1);
    buffer_deinit(&unread);
    list_append(&world->pipes, &old->at);
    cut(old);
}

/* Both begun, the older one proven first: the newer one takes its place in time. */
static void a_newer_greeting_under_way_is_not_dropped(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start(world, 1, 1, "secret");
    start(world, 2, 2, "secret");
    start(world, 3, 1, "secret"); /* node 1, started anew */
    want(one, 2);
    turn(world);
    turn(world);
    want(&world->hosts[3], 2);
    turn(world);
    turn(world);
    struct pipe *older = pipe_from(world, 1), *newer = pipe_from(world, 3);
    while (buffer_size(&older->moving[1]) > 0)
        deliver(older, 1);
    while (buffer_size(&newer->moving[1]) > 0)
        deliver(newer, 1);
    world->frozen = true; /* but for this one */
    for (unsigned i = 0; i < 100; i++) {
        deliver(older, i % 2);
        turn(world);
    }
    expect_told(one, "up 2; ");
    assert_false(newer->closing[1]);
    world->frozen = false;
    run_for_ms(world, 100);
    assert_true(bus_is_up(world->hosts[3].bus, 2));
    assert_int_equal(world->hosts[3].dials, 1);
    expect_told(two, "met 1; met 1; ");
}

static void what_could_not_be_acknowledged_is_later(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start_two(world);
    say(one, 2, 5, "first");
    struct pipe *pipe = pipe_from(world, 1);
    assert_ptr_equal(bus_next_output(one->bus), pipe->link[0]);
    struct bytes first = bus_output(pipe->link[0]);
    bus_receive(two->bus, pipe->link[1], first, world->now_ms);
    bus_sent(one->bus, pipe->link[0], first.size);
    world->now_ms += BUS_ACK_MS;
    bus_tick(two->bus, world->now_ms);
    struct bus_link *link = bus_next_output(two->bus); /* the socket takes nothing of it */
    assert_ptr_equal(link, pipe->link[1]);
    for (unsigned i = 0; i < 1000; i++)
        say(one, 2, 5, "more");
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
    run_for_ms(world, 100);
    assert_int_equal(bus_settled_count(one->bus, 2), 1001);
}

static void who_hangs_up_has_nothing_to_send(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    say(one, 2, 5, "x");
    bus_unwant(one->bus, 2);
    assert_null(bus_next_output(one->bus));
}

static void strangers_are_few_and_have_little_time(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    static struct pipe pipes[BUS_STRANGERS_MAX];
    for (unsigned i = 0; i < BUS_STRANGERS_MAX; i++) {
        memset(&pipes[i], 0, sizeof pipes[i]);
        pipes[i].link[1] = bus_accepted(one->bus, "stranger", world->now_ms);
        assert_non_null(pipes[i].link[1]);
        bus_set_connection(pipes[i].link[1], &pipes[i]);
    }
    assert_null(bus_accepted(one->bus, "stranger", world->now_ms));
    run_for_ms(world, BUS_GREETING_MS - 100);
    assert_false(pipes[0].closing[1]);
    say(&world->hosts[2], 1, 5, "friends are heard");
    run_for_ms(world, 200);
    expect_told(one, "2: 5 friends are heard; ");
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
    struct world *world = *state;
    struct host *one = &world->hosts[1], *two = &world->hosts[2];
    start_two(world);
    two->reply = STATUS_CORRUPT;
    say(one, 2, 5, "what");
    say(one, 2, 5, "more"); /* not heard any more */
    run_for_ms(world, 50);
    two->reply = STATUS_OK;
    run_for_ms(world, 1000);
    expect_told(two, "1: 5 what; refused from 1: stored data is damaged; ");
    expect_told(one, "down 2; up 2; ");
    buffer_append(&pipe_from(world, 1)->moving[1], "rubbish", 7);
    run_for_ms(world, 1000);
    expect_told(two, "refused from 1: stored data is damaged; ");
    expect_told(one, "down 2; up 2; ");
}

/* Its machine has lost its power: nothing comes any more, not even a reset. */
static void silence_ends_a_link(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    run_for_ms(world, 30000); /* nothing to say is no silence */
    expect_told(one, "");
    world->frozen = true;
    say(one, 2, 5, "are you there");
    run_for_ms(world, BUS_SILENCE_MS - 500);
    expect_told(one, "");
    run_for_ms(world, 3000);
    expect_told(one, "down 2; ");
    run_for_ms(world, 20000); /* it is dialed, and does not greet */
    expect_among_told(one, "down 2; down 2; ");
    world->frozen = false;
    run_for_ms(world, BUS_GREETING_MS + 1000);
    expect_among_told(one, "up 2; ");
}

static void a_clock_that_goes_back_delays_nothing(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start(world, 1, 1, "secret");
    want(one, 2);
    run_for_ms(world, 3000);
    world->now_ms -= 500000;
    bus_tick(one->bus, world->now_ms);
    unsigned dials = one->dials;
    run_for_ms(world, 2000);
    assert_true(one->dials > dials);
    start(world, 2, 2, "secret");
    run_for_ms(world, 1500);
    expect_among_told(one, "up 2; ");
}

static void what_waits_to_be_sent_is_bounded(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start_two(world);
    struct outbox outbox = bus_outbox(one->bus);
    char *block = memory_zeroed(MESSAGE_SIZE_MAX);
    unsigned count = 0;
    while (outbox_send(&outbox, 2, 5, bytes_of(block, MESSAGE_SIZE_MAX)))
        count++;
    assert_int_equal(count, BUS_OUTPUT_MAX / MESSAGE_SIZE_MAX - 1);
    assert_int_equal(bus_sent_count(one->bus, 2), count);
    memory_free(block);
    cut(pipe_from(world, 1)); /* without sending all that */
    run_for_ms(world, 1000);
    assert_int_equal(bus_settled_count(one->bus, 2), count);
}

static void there_is_room_for_so_many_peers(void **state)
{
    struct world *world = *state;
    struct host *one = &world->hosts[1];
    start(world, 1, 1, "secret");
    for (uint64_t node = 2; node < BUS_PEERS_MAX + 2; node++)
        bus_want(one->bus, node, "2", 1);
    bus_want(one->bus, 90000, "2", 1); /* no room */
    turn(world);
    assert_int_equal(one->dials, BUS_PEERS_MAX);
    bus_unwant(one->bus, 77);
    turn(world);
    bus_want(one->bus, 90000, "2", 1); /* in its place */
    turn(world);
    assert_int_equal(one->dials, BUS_PEERS_MAX + 1);
}

/* ---- a random world --------------------------------------------------------------------------
 */

/* Streams of numbers from each to each, over links that break, with nodes that start anew. Each
 * stream comes in order and nothing twice (on_message), whatever was settled was heard or is never
 * heard, and in the end all are up and all is settled. */
static void whatever_breaks_the_order_is_kept(void **state)
{
    struct world *world = *state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        teardown(state);
        setup(state);
        world->random.state = seed;
        for (unsigned i = 1; i <= HOSTS; i++)
            start(world, i, i, "secret");
        uint64_t next = 0, said[HOSTS + 1][HOSTS + 1] = {{0}};
        for (unsigned round = 0; round < 3000; round++) {
            unsigned from = 1 + (unsigned)random_below(&world->random, HOSTS);
            unsigned to = 1 + (unsigned)random_below(&world->random, HOSTS);
            struct host *host = &world->hosts[from];
            if (from != to)
                want(host, to);
            char number[8];
            pack_u64(number, ++next);
            struct outbox outbox = bus_outbox(host->bus);
            if (from != to && outbox_send(&outbox, to, 0x4f, bytes_of(number, 8)))
                said[from][to] = next;
            host->slow = random_once_in(&world->random, 2);
            if (random_once_in(&world->random, 50) && !list_is_empty(&world->pipes))
                cut(list_entry(world->pipes.next, struct pipe, at));
            if (random_once_in(&world->random, 400)) {
                stop(world, from);
                start(world, from, from, "secret");
            }
            turn(world);
            world->now_ms += random_below(&world->random, 20);
        }
        for (unsigned i = 1; i <= HOSTS; i++) {
            for (unsigned j = 1; j <= HOSTS; j++)
                if (i != j)
                    want(&world->hosts[i], j);
        }
        run_for_ms(world, 3000);
        for (unsigned i = 1; i <= HOSTS; i++) {
            for (unsigned j = 1; j <= HOSTS; j++) {
                struct bus *bus = world->hosts[i].bus;
                if (i == j)
                    continue;
                assert_true(bus_is_up(bus, j));
                assert_int_equal(bus_settled_count(bus, j), bus_sent_count(bus, j));
                assert_true(world->hosts[j].heard[i] <= said[i][j]);
            }
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
