/* SPDX-License-Identifier: MIT */
#include "support/bus_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"

static struct bus_pipe *bus_pipe_of(const struct bus_link *link)
{
    return bus_connection(link);
}

static unsigned end_of(const struct bus_pipe *pipe, const struct bus_link *link)
{
    return pipe->link[1] == link;
}

/* ---- what the bus tells and asks -------------------------------------------------------------
 */

static enum status on_message(void *context, uint64_t node, unsigned type, struct bytes payload,
                              uint64_t now_ms)
{
    struct bus_host *host = context;
    assert_int_equal(now_ms, host->world->now_ms);
    if (type == BUS_HOST_STREAM) {
        uint64_t count = unpack_u64(payload.data);
        assert_true(count > host->heard[node]); /* in order, none twice */
        /* What its sender takes for settled does not come any more. */
        assert_true(count > bus_settled_count(host->world->hosts[node].bus, host->node));
        host->heard[node] = count;
        host->heard_total++;
        return STATUS_OK;
    }
    buffer_printf(&host->told, "%llu: %u %.*s; ", (unsigned long long)node, type, (int)payload.size,
                  payload.data);
    return host->reply;
}

static void on_up(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct bus_host *host = context;
    assert_true(bus_is_up(host->bus, node));
    assert_int_equal(bus_sent_count(host->bus, node), bus_settled_count(host->bus, node));
    buffer_printf(&host->told, "up %llu; ", (unsigned long long)node);
}

static void on_down(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct bus_host *host = context;
    assert_false(bus_is_up(host->bus, node));
    buffer_printf(&host->told, "down %llu; ", (unsigned long long)node);
}

static void on_ended(void *context, uint64_t node, uint64_t now_ms)
{
    (void)now_ms;
    struct bus_host *host = context;
    assert_false(bus_hears(host->bus, node));
    assert_false(bus_is_up(host->bus, node));
    buffer_printf(&host->told, "ended %llu; ", (unsigned long long)node);
}

static void on_met(void *context, uint64_t node, struct bytes name, uint16_t port, uint64_t now_ms)
{
    (void)now_ms;
    struct bus_host *host = context;
    buffer_printf(&host->told, "met %llu", (unsigned long long)node);
    if (name.size > 0)
        buffer_printf(&host->told, " at %.*s:%u", (int)name.size, name.data, port);
    buffer_printf(&host->told, "; ");
}

static void on_refused(void *context, const char *address, const char *why, uint64_t now_ms)
{
    (void)now_ms;
    struct bus_host *host = context;
    buffer_printf(&host->told, "refused %s: %s; ", address, why);
}

/* The host's name is its number, the port is 1; others are not there. */
static void on_dial(void *context, struct bus_link *link, const char *name, uint16_t port)
{
    struct bus_host *host = context;
    struct bus_pipe *pipe = memory_zeroed(sizeof(*pipe));
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
    struct bus_pipe *pipe = bus_pipe_of(link);
    pipe->closing[end_of(pipe, link)] = true;
}

/* ---- the world -------------------------------------------------------------------------------
 */

void bus_world_start(struct bus_world *world, unsigned number, uint64_t node, const char *secret)
{
    struct bus_host *host = &world->hosts[number];
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
        .ended = on_ended,
        .met = on_met,
        .refused = on_refused,
        .dial = on_dial,
        .hang_up = on_hang_up,
        .context = host,
    });
}

void bus_pipe_close_end(struct bus_pipe *pipe, unsigned end)
{
    struct bus_link *link = pipe->link[end];
    pipe->link[end] = NULL;
    if (link)
        bus_closed(pipe->host[end]->bus, link, pipe->host[end]->world->now_ms);
}

static void bus_pipe_free(struct bus_pipe *pipe)
{
    list_remove(&pipe->at);
    buffer_deinit(&pipe->moving[0]);
    buffer_deinit(&pipe->moving[1]);
    memory_free(pipe);
}

void bus_pipe_leave(struct bus_pipe *pipe, unsigned end)
{
    bus_pipe_close_end(pipe, end);
    if (pipe->link[!end])
        bus_left(pipe->host[!end]->bus, pipe->link[!end]);
    bus_pipe_close_end(pipe, !end);
    bus_pipe_free(pipe);
}

/* The other end finds out when what came before is read, or at once when the bytes are lost. */
void bus_pipe_cut(struct bus_pipe *pipe)
{
    bus_pipe_close_end(pipe, 0);
    bus_pipe_close_end(pipe, 1);
    bus_pipe_free(pipe);
}

void bus_world_stop(struct bus_world *world, unsigned number)
{
    struct bus_host *host = &world->hosts[number];
    if (!host->bus)
        return;
    for (struct list *at = world->pipes.next, *next; at != &world->pipes; at = next) {
        next = at->next;
        struct bus_pipe *pipe = list_entry(at, struct bus_pipe, at);
        if (pipe->host[0] == host || pipe->host[1] == host)
            bus_pipe_cut(pipe);
    }
    bus_free(host->bus);
    host->bus = NULL;
    host->listening = false;
    buffer_clear(&host->told, 0);
    memset(host->heard, 0, sizeof host->heard);
    for (unsigned i = 1; i <= HOSTS; i++)
        world->hosts[i].heard[host->node <= HOSTS ? host->node : 0] = 0;
}

static void connect_pipe(struct bus_pipe *pipe)
{
    struct bus_host *target = pipe->host[1];
    struct bus_world *world = pipe->host[0]->world;
    if (target->bus && target->listening) {
        char address[16];
        snprintf(address, sizeof address, "from %llu", (unsigned long long)pipe->host[0]->node);
        pipe->link[1] = bus_accepted(target->bus, address, world->now_ms);
    }
    if (!pipe->link[1]) {
        bus_pipe_cut(pipe);
        return;
    }
    bus_set_connection(pipe->link[1], pipe);
    pipe->connected = true;
    bus_connected(pipe->host[0]->bus, pipe->link[0], world->now_ms);
}

/* Some of the bytes on their way to that end. */
void bus_pipe_deliver(struct bus_pipe *pipe, unsigned end)
{
    struct bus_world *world = pipe->host[0]->world;
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

static void step_pipe(struct bus_pipe *pipe)
{
    if (pipe->closing[0] || (!pipe->link[0] && buffer_size(&pipe->moving[1]) == 0) ||
        pipe->closing[1] ||
        (pipe->connected && !pipe->link[1] && buffer_size(&pipe->moving[0]) == 0)) {
        bus_pipe_cut(pipe);
        return;
    }
    if (!pipe->connected) {
        connect_pipe(pipe);
        return;
    }
    if (pipe->host[0]->world->frozen || pipe->stuck)
        return;
    bus_pipe_deliver(pipe, 0);
    bus_pipe_deliver(pipe, 1);
}

void bus_host_send_outputs(struct bus_host *host)
{
    struct bus_link *link;
    while ((link = bus_next_output(host->bus))) {
        struct bus_pipe *pipe = bus_pipe_of(link);
        unsigned end = end_of(pipe, link);
        while (bus_output(link).size > 0) {
            struct bytes output = bus_output(link);
            size_t size = host->slow && output.size > 10 ? 10 : output.size;
            buffer_append(&pipe->moving[!end], output.data, size);
            bus_sent(host->bus, link, size);
        }
    }
}

void bus_world_turn(struct bus_world *world)
{
    for (struct list *at = world->pipes.next, *next; at != &world->pipes; at = next) {
        next = at->next;
        step_pipe(list_entry(at, struct bus_pipe, at));
    }
    for (unsigned i = 1; i <= HOSTS; i++) {
        struct bus_host *host = &world->hosts[i];
        if (!host->bus)
            continue;
        if (bus_deadline_ms(host->bus) <= world->now_ms)
            bus_tick(host->bus, world->now_ms);
        bus_host_send_outputs(host);
    }
}

void bus_world_run_for_ms(struct bus_world *world, uint64_t ms)
{
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; world->now_ms += STEP_MS)
        bus_world_turn(world);
}

int bus_world_setup(void **state)
{
    static struct bus_world world;
    memset(&world, 0, sizeof world);
    world.random.state = 11;
    world.now_ms = 1000000;
    list_init(&world.pipes);
    *state = &world;
    return 0;
}

int bus_world_teardown(void **state)
{
    struct bus_world *world = *state;
    for (unsigned i = 1; i <= HOSTS; i++)
        bus_world_stop(world, i);
    for (unsigned i = 0; i <= HOSTS; i++)
        buffer_deinit(&world->hosts[i].told);
    while (!list_is_empty(&world->pipes))
        bus_pipe_cut(list_entry(world->pipes.next, struct bus_pipe, at));
    return 0;
}

void bus_host_expect_told(struct bus_host *host, const char *expected)
{
    buffer_append_u8(&host->told, '\0');
    assert_string_equal(buffer_bytes(&host->told).data, expected);
    buffer_clear(&host->told, 0);
}

/* It has heard that, among others. */
void bus_host_expect_among_told(struct bus_host *host, const char *expected)
{
    buffer_append_u8(&host->told, '\0');
    const char *text = buffer_bytes(&host->told).data;
    if (!strstr(text, expected))
        fail_msg("not \"%s\": %s", expected, text);
    buffer_clear(&host->told, 0);
}

bool bus_host_say(struct bus_host *from, uint64_t to, unsigned type, const char *text)
{
    struct outbox outbox = bus_outbox(from->bus);
    return outbox_send(&outbox, to, type, bytes_text(text));
}

void bus_host_want(struct bus_host *host, uint64_t node)
{
    char name[2] = {(char)('0' + node), '\0'};
    bus_want(host->bus, node, name, 1);
}

/* Two that talk in both directions. */
void bus_world_start_two(struct bus_world *world)
{
    bus_world_start(world, 1, 1, "secret");
    bus_world_start(world, 2, 2, "secret");
    bus_host_want(&world->hosts[1], 2);
    bus_host_want(&world->hosts[2], 1);
    bus_world_run_for_ms(world, 1000);
    bus_host_expect_told(&world->hosts[1], "up 2; ");
    bus_host_expect_told(&world->hosts[2], "up 1; ");
}

/* The pipe that host 1 has dialed. */
struct bus_pipe *bus_world_pipe_from(struct bus_world *world, unsigned number)
{
    for (struct list *at = world->pipes.next; at != &world->pipes; at = at->next) {
        struct bus_pipe *pipe = list_entry(at, struct bus_pipe, at);
        if (pipe->host[0] == &world->hosts[number])
            return pipe;
    }
    fail_msg("no pipe");
    return NULL;
}

void bus_host_say_next(struct bus_host *from, uint64_t to)
{
    char count[8];
    pack_u64(count, bus_sent_count(from->bus, to) + 1);
    struct outbox outbox = bus_outbox(from->bus);
    outbox_send(&outbox, to, BUS_HOST_STREAM, bytes_of(count, sizeof count));
}
