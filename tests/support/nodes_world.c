/* SPDX-License-Identifier: MIT */
#include "support/nodes_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cluster/layout.h"
#include "quorum/quorum.h"
#include "row/slot.h"
#include "store/export.h"

enum {
    CALLERS_MACHINE = CLUSTER_NODES_MAX,
    FORMING_MS = 60 * 1000,
    EXPECT_MS = 10 * 1000,
    QUIET_MS = 50,
    LOOK_MS = 5,
};

void nodes_run(struct nodes *nodes, uint64_t ms)
{
    uint64_t until_us = nodes->clock.now_us + ms * SIM_MS;
    while (sim_clock_step(&nodes->clock, until_us))
        continue;
    if (nodes->trace.failed)
        fail_msg("%s", nodes->trace.failure);
}

static bool is_formed(const struct nodes *nodes)
{
    for (unsigned i = 0; i < nodes->count; i++) {
        const struct layout *layout = peers_layout(node_peers(nodes->nodes[i].node));
        if (!layout || layout->phase != LAYOUT_STABLE || layout->ring.member_count != nodes->count)
            return false;
    }
    return true;
}

/* ---- callers --------------------------------------------------------------------------------- */

static void push(struct caller *caller)
{
    size_t sent = sim_socket_send(caller->socket, buffer_bytes(&caller->unsent));
    buffer_consume(&caller->unsent, sent);
}

static void changed(void *context, struct sim_socket *socket)
{
    (void)context, (void)socket; /* they are looked at again and again */
}

static void look(struct nodes *nodes)
{
    for (unsigned i = 0; i < nodes->caller_count; i++) {
        struct caller *caller = &nodes->callers[i];
        if (!caller->socket)
            continue;
        struct bytes bytes = sim_socket_received(caller->socket);
        buffer_append_bytes(&caller->received, bytes);
        sim_socket_consume(caller->socket, bytes.size);
        if (sim_socket_is_connected(caller->socket) && !sim_socket_has_ended(caller->socket))
            push(caller);
    }
}

struct caller *caller_new(struct nodes *nodes, unsigned node)
{
    assert_true(nodes->caller_count < NODES_CALLERS_MAX);
    struct caller *caller = &nodes->callers[nodes->caller_count++];
    caller->nodes = nodes;
    caller->socket = sim_net_dial(nodes->net, CALLERS_MACHINE, node, CLUSTER_PORT, caller);
    nodes_run(nodes, QUIET_MS);
    assert_true(sim_socket_is_connected(caller->socket));
    return caller;
}

void caller_send(struct caller *caller, struct bytes bytes)
{
    buffer_append_bytes(&caller->unsent, bytes);
    push(caller);
}

void caller_say(struct caller *caller, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < sizeof(text));
    caller_send(caller, bytes_of(text, (size_t)size));
}

void caller_leave(struct caller *caller)
{
    sim_socket_close(caller->socket);
    caller->socket = NULL;
}

bool caller_is_cut_off(const struct caller *caller)
{
    return sim_socket_has_ended(caller->socket);
}

static void run_and_look(struct nodes *nodes)
{
    nodes_run(nodes, LOOK_MS);
    look(nodes);
}

void caller_await(struct caller *caller, size_t size)
{
    for (unsigned ms = 0; buffer_size(&caller->received) < size; ms += LOOK_MS) {
        assert_true(ms < EXPECT_MS);
        run_and_look(caller->nodes);
    }
}

void caller_expect_at(struct caller *caller, const char *text, const char *file, int line)
{
    struct bytes expected = bytes_text(text);
    for (unsigned ms = 0; ms < EXPECT_MS && buffer_size(&caller->received) < expected.size;
         ms += LOOK_MS)
        run_and_look(caller->nodes);
    for (unsigned ms = 0; ms < QUIET_MS; ms += LOOK_MS)
        run_and_look(caller->nodes);
    struct bytes received = buffer_bytes(&caller->received);
    if (!bytes_equal(received, expected)) {
        print_error("received: %.*s\nexpected: %s\n", (int)received.size, received.data, text);
        _fail(file, line);
    }
    buffer_clear(&caller->received, 0);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct nodes *nodes_new(unsigned count)
{
    static const struct sim_net_handler handler = {.changed = changed};
    struct nodes *nodes = memory_zeroed(sizeof(*nodes));
    nodes->count = count;
    nodes->settings = (struct cluster_settings){
        .nodes = count,
        .copies = 3,
        .read_quorum = 2,
        .write_quorum = 2,
        .sloppy = true,
        .seal_bytes = 64 * 1024 * 1024,
        .quorum_timeout_ms = 1000,
        .turn_us = 20,
        .job_us = 20,
    };
    sim_clock_init(&nodes->clock);
    nodes->trace.clock = &nodes->clock;
    struct sim_net_options net = {.clock = &nodes->clock,
                                  .seed = 1,
                                  .latency_us = 100,
                                  .jitter_us = 20,
                                  .window = 4 * 1024 * 1024};
    nodes->net = sim_net_new(&net);
    sim_net_listen(nodes->net, CALLERS_MACHINE, &handler, nodes);
    for (unsigned i = 0; i < count; i++) {
        cluster_node_init(&nodes->nodes[i], i, i + 1, &nodes->settings, nodes->net, &nodes->clock,
                          &nodes->trace);
        cluster_node_start(&nodes->nodes[i]);
    }
    for (unsigned ms = 0; !is_formed(nodes); ms += 100) {
        assert_true(ms < FORMING_MS);
        nodes_run(nodes, 100);
    }
    nodes_run(nodes, 2000); /* until all slots are agreed */
    return nodes;
}

void nodes_free(struct nodes *nodes)
{
    for (unsigned i = 0; i < nodes->caller_count; i++) {
        if (nodes->callers[i].socket)
            sim_socket_close(nodes->callers[i].socket);
        buffer_deinit(&nodes->callers[i].unsent);
        buffer_deinit(&nodes->callers[i].received);
    }
    for (unsigned i = 0; i < nodes->count; i++)
        cluster_node_deinit(&nodes->nodes[i]);
    sim_net_silence(nodes->net, CALLERS_MACHINE);
    sim_net_free(nodes->net);
    sim_clock_deinit(&nodes->clock);
    memory_free(nodes);
}

void nodes_key(struct nodes *nodes, unsigned node, unsigned number, char out[NODES_KEY_SIZE])
{
    const struct quorum *quorum = peers_quorum(node_peers(nodes->nodes[node].node));
    uint64_t other;
    for (unsigned i = 0;; i++) {
        snprintf(out, NODES_KEY_SIZE, "key:%u", i);
        if (quorum_route(quorum, slot_of_key(bytes_text(out)), &other) == QUORUM_HERE &&
            number-- == 0)
            return;
    }
}

static void die_if_it_has_written(void *context, struct cluster_node *node)
{
    const struct nodes *nodes = context;
    if (store_slot_stored(node_store(node->node), nodes->fatal_slot) == 0)
        return;
    node->watch = NULL;
    cluster_node_crash(node);
}

static void has_replied(void *context, struct cluster_node *node, const void *receiver,
                        struct bytes reply)
{
    (void)context;
    (void)node;
    (void)receiver;
    (void)reply;
}

void nodes_die_with(struct nodes *nodes, unsigned node, const char *key)
{
    static const struct node_watch watch = {
        .turned = die_if_it_has_written,
        .replied = has_replied,
    };
    nodes->fatal_slot = slot_of_key(bytes_text(key));
    nodes->nodes[node].watch = &watch;
    nodes->nodes[node].watch_context = nodes;
}
