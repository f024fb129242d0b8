/* SPDX-License-Identifier: MIT */
/*
 * Three whole nodes with clients whose requests are under way, and a member that says anything
 * about requests: each message is a byte (from, to, and whether time passes after it), its type, a
 * part.
 * Whatever was said, all nodes live, serve their clients, and forget what was asked of them.
 *
 * The nodes stay from input to input: it takes long to form a cluster.
 */
#include <stdio.h>

#include "base/pack.h"
#include "fuzz/fuzz.h"
#include "node/forward_state.h"
#include "row/row.h"
#include "row/row_key.h"
#include "row/row_list.h"
#include "support/nodes_world.h"

enum { NODES = 3, MESSAGES_MAX = 64, CHECK_EACH = 16, RUN_MS = 3 };

struct work {
    struct nodes *nodes;
    struct caller *askers[NODES];
    struct caller *callers[NODES];
    unsigned inputs;
};

static struct work *begin(void)
{
    static struct work work;
    if (work.nodes)
        return &work;
    work.nodes = nodes_new(NODES);
    for (unsigned i = 0; i < NODES; i++) {
        work.askers[i] = caller_new(work.nodes, i);
        work.callers[i] = caller_new(work.nodes, i);
    }
    return &work;
}

static struct forwarder *forwarder_of(const struct work *work, unsigned node)
{
    return peers_forwarder(node_peers(work->nodes->nodes[node].node));
}

static void ask(struct work *work)
{
    for (unsigned i = 0; i < NODES; i++)
        caller_say(work->askers[i], "SET a 1\r\nGET b\r\nMGET a b c\r\n");
}

static void check_served(struct work *work)
{
    for (unsigned i = 0; i < NODES; i++) {
        buffer_clear(&work->askers[i]->received, 0);
        caller_say(work->callers[i], "PING\r\n");
    }
    for (unsigned i = 0; i < NODES; i++) {
        struct caller *caller = work->callers[i];
        check(work->nodes->nodes[i].state == CLUSTER_UP && work->nodes->nodes[i].lives == 1);
        caller_await(caller, 7);
        check(bytes_equal(buffer_bytes(&caller->received), BYTES("+PONG\r\n")));
        buffer_clear(&caller->received, 0);
    }
}

/* Nobody has asked but through that link. */
static void forget(struct work *work)
{
    for (unsigned to = 0; to < NODES; to++)
        for (unsigned from = 0; from < NODES; from++)
            if (from != to)
                forwarder_origin_lost(forwarder_of(work, to),
                                      node_id(work->nodes->nodes[from].node),
                                      peers_steady_ms(node_peers(work->nodes->nodes[to].node)));
}

void fuzz_one(struct bytes input)
{
    struct work *work = begin();
    ask(work);
    for (int i = 0; i < MESSAGES_MAX && input.size > 0; i++) {
        uint8_t who = fuzz_take_u8(&input), type = fuzz_take_u8(&input);
        unsigned to = who % NODES, from = who / NODES % NODES;
        struct bytes payload = fuzz_take_part(&input);
        if (from == to)
            continue;
        enum status status =
            forwarder_receive(forwarder_of(work, to), node_id(work->nodes->nodes[from].node),
                              MESSAGES_NODE + type % 16, payload,
                              peers_steady_ms(node_peers(work->nodes->nodes[to].node)));
        check(status == STATUS_OK || status == STATUS_CORRUPT);
        if (who & 0x80)
            nodes_run(work->nodes, 1);
    }
    nodes_run(work->nodes, RUN_MS);
    forget(work);
    if (work->inputs++ % CHECK_EACH == 0)
        check_served(work);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static void say(struct buffer *out, uint8_t who, uint8_t type, struct bytes payload)
{
    buffer_append_u8(out, who);
    buffer_append_u8(out, type);
    buffer_append_u8(out, (uint8_t)(payload.size >> 8));
    buffer_append_u8(out, (uint8_t)payload.size);
    buffer_append_bytes(out, payload);
}

static void say_request(struct buffer *out, uint8_t who, uint64_t number, uint8_t flags,
                        const char *request)
{
    struct buffer payload = {0};
    buffer_append_varint(&payload, 7);
    buffer_append_varint(&payload, number);
    buffer_append_varint(&payload, number / 2);
    buffer_append_u8(&payload, flags);
    for (unsigned i = 0; i < 3; i++)
        buffer_append_u8(&payload, 0);
    buffer_append_varint(&payload, number % 2 ? UINT64_MAX : 0);
    buffer_append_u8(&payload, (uint8_t)(number % (DEAD_ACTORS_MAX + 1)));
    for (uint64_t i = 0; i < number % (DEAD_ACTORS_MAX + 1); i++) {
        buffer_append_varint(&payload, actor_of(9, (uint16_t)i));
        buffer_append_varint(&payload, i % 2 ? UINT64_MAX : number);
    }
    if (flags & FORWARD_SLOTS)
        for (unsigned i = 0; i < FORWARD_SLOTS_SIZE; i++)
            buffer_append_u8(&payload, 0xff);
    buffer_append_bytes(&payload, bytes_text(request));
    say(out, who, MESSAGE_FORWARD - MESSAGES_NODE, buffer_bytes(&payload));
    buffer_deinit(&payload);
}

/* All that is said of a request that has run twice. Node 0: what another one has made, to whoever
 * has the client. */
static void say_cover(struct buffer *out, uint8_t who, uint64_t first, uint64_t node,
                      const char *key)
{
    struct buffer payload = {0};
    struct arena arena;
    struct row row;
    struct dot dot = {actor_of(node ? node : 1, 1), 1};
    arena_init(&arena);
    row_init(&row);
    row.vector = (struct vector){&dot, 1};
    buffer_append_varint(&payload, first);
    say(out, who, MESSAGE_KEEP - MESSAGES_NODE, buffer_bytes(&payload));
    say(out, who, MESSAGE_OVERTAKEN - MESSAGES_NODE, buffer_bytes(&payload));
    if (node != 0)
        buffer_append_varint(&payload, node);
    struct bytes head = row_key_head(&arena, 0, bytes_text(key));
    row_list_append(&payload, head, row_encode(&row, &arena));
    say(out, who, (node ? MESSAGE_COVER : MESSAGE_MADE) - MESSAGES_NODE, buffer_bytes(&payload));
    arena_deinit(&arena);
    buffer_deinit(&payload);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const requests[] = {
        "SET k v\r\n",          "GET k\r\n",       "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "MGET a b c d e\r\n",   "KEYS *\r\n",      "SCAN 0\r\n",
        "SHUTDOWN\r\n",         "QUIT\r\n",        "MONITOR\r\n",
        "*1\r\n$4\r\nGE",       "*x\r\n",          "CONFIG SET databases 0\r\n",
        "GET a\r\nGET b\r\n",   "POST / HTTP\r\n", "FLUSHALL\r\n",
        "CLIENT REPLY OFF\r\n",
    };
    struct buffer out = {0};
    for (uint8_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        buffer_clear(&out, SIZE_MAX);
        say_request(&out, 0x83, i, i % 2 ? FORWARD_RESP3 : 0, requests[i]);
        say_request(&out, 0x83, 20, FORWARD_SLOTS | FORWARD_TWICE, requests[i]);
        say_request(&out, 3, 21, FORWARD_MORE, requests[i]);
        say_request(&out, 3, 21, FORWARD_CONTINUED, requests[i]);
        say(&out, 3, MESSAGE_CLIENT_GONE - MESSAGES_NODE, BYTES("\7"));
        say(&out, 3, MESSAGE_CLOCK - MESSAGES_NODE, BYTES("\377\377\177\7\377\377\377\177"));
        say(&out, 3, MESSAGE_FORWARDED - MESSAGES_NODE, BYTES("\7\0+OK\r\n"));
        seed(context, buffer_bytes(&out));
    }
    buffer_clear(&out, SIZE_MAX);
    say_request(&out, 0x83, 20, FORWARD_TWICE, requests[0]);
    say_cover(&out, 0x83, 10, 0, "k");
    for (unsigned i = 0; i < NODES; i++)
        say_cover(&out, 0x83, 10, node_id(begin()->nodes->nodes[i].node), "k");
    seed(context, buffer_bytes(&out));
    buffer_deinit(&out);
}
