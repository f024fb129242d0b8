/* SPDX-License-Identifier: MIT */
/* Conversations with a node over a store of the test's own: order, waiting, gates, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/node_world.h"
#include "node/dispatch.h"

static struct world *begin(struct peer **out_peer)
{
    struct world *world = world_new();
    *out_peer = world_connect(world);
    return world;
}

/* ---- pipelines ------------------------------------------------------------------------------- */

static void a_pipeline_may_be_split_at_every_byte(void **state)
{
    (void)state;
    static const char pipeline[] =
        "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n"
        "PING \"hello \\x41\"\r\n\r\n*0\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
        "nosuch\r\nQUIT\r\nPING\r\n";
    for (size_t split = 0; split < sizeof(pipeline); split++) {
        struct peer *peer;
        struct world *world = begin(&peer);
        peer_send_bytes(peer, bytes_of(pipeline, split));
        if (split % 2)
            world_turn(world);
        if (peer->session)
            peer_send_bytes(peer, bytes_of(pipeline + split, sizeof(pipeline) - 1 - split));
        world_turn(world);
        peer_expect(peer, "+PONG\r\n+OK\r\n$7\r\nhello A\r\n$1\r\nv\r\n"
                          "-ERR unknown command 'nosuch', with args beginning with: \r\n+OK\r\n");
        peer_expect_closed(peer);
        world_free(world);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    const char *text = "*3\r\n$3\r\nset\r\n$1\r\na\r\n$2\r\nbc\r\n*2\r\n$3\r\nget\r\n$1\r\na\r\n";
    for (; *text; text++)
        peer_send_bytes(peer, bytes_of(text, 1));
    world_turn(world);
    peer_expect(peer, "+OK\r\n$2\r\nbc\r\n");
    world_free(world);
}

static void a_long_pipeline_is_answered_in_turns(void **state)
{
    (void)state;
    enum { COUNT = 100 * 1000, PIECE = 60 * 1000 + 1 };
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    struct buffer text = {0};
    for (unsigned i = 0; i < COUNT; i++)
        buffer_append_bytes(&text, BYTES("*1\r\n$4\r\nPING\r\n"));
    while (buffer_size(&text) > 0) {
        size_t size = buffer_size(&text) < PIECE ? buffer_size(&text) : PIECE;
        peer_send_bytes(peer, bytes_of(buffer_bytes(&text).data, size));
        buffer_consume(&text, size);
    }
    buffer_deinit(&text);
    peer_ask(other, "PING\r\n", "+PONG\r\n");
    assert_true(buffer_size(&peer->received) < (size_t)COUNT * 7);
    for (unsigned i = 0; i < COUNT / DISPATCH_REQUESTS_MAX + 1; i++) {
        world_turn(world);
        if (buffer_size(&peer->received) < (size_t)COUNT * 7)
            assert_true(node_deadline_ms(world->node) == 0 &&
                        peer->session->state == SESSION_YIELDED);
    }
    assert_int_equal(buffer_size(&peer->received), (size_t)COUNT * 7);
    for (size_t i = 0; i < COUNT; i++)
        assert_memory_equal(buffer_bytes(&peer->received).data + 7 * i, "+PONG\r\n", 7);
    assert_int_not_equal(node_deadline_ms(world->node), 0);
    world_free(world);
}

static void a_large_argument_is_read_where_it_stays(void **state)
{
    (void)state;
    enum { SIZE = 3 * 1024 * 1024 };
    struct peer *peer;
    struct world *world = begin(&peer);
    size_t room;
    assert_null(node_room(world->node, peer->session, &room));
    peer_send(peer, "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$3145728\r\nxxx");
    size_t left = SIZE + 2 - 3;
    for (char *at; (at = node_room(world->node, peer->session, &room));) {
        assert_true(room <= left);
        memset(at, 'x', room);
        if (room == left)
            memcpy(at + room - 2, "\r\n", 2);
        node_received(world->node, peer->session, room, world->now_ms);
        left -= room;
    }
    struct buffer tail = {0};
    for (; left > 2; left--)
        buffer_append_u8(&tail, 'x');
    if (left > 0)
        buffer_append_bytes(&tail, BYTES("\r\n"));
    peer_send_bytes(peer, buffer_bytes(&tail));
    buffer_deinit(&tail);
    world_turn(world);
    peer_expect(peer, "+OK\r\n");
    assert_int_equal(world->rows[0].row.size, SIZE);
    assert_true(peer->session->input.capacity <= SESSION_BUFFER_KEPT);
    world_free(world);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void errors_have_redis_words(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "foo a b\r\n",
             "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
    peer_ask(peer, "*1\r\n$3\r\na\rb\r\n",
             "-ERR unknown command 'a b', with args beginning with: \r\n");
    peer_ask(peer, "get\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    peer_ask(peer, "GET a b\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    peer_ask(peer, "client\r\n", "-ERR wrong number of arguments for 'client' command\r\n");
    peer_ask(peer, "Client iD x\r\n", "-ERR wrong number of arguments for 'client|id' command\r\n");
    peer_ask(peer, "client nosuch\r\n", "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.\r\n");
    peer_ask(peer, "client \"\"\r\n", "-ERR unknown subcommand ''. Try CLIENT HELP.\r\n");
    /* What a failing handler wrote and staged is dropped. */
    peer_ask(peer, "fail\r\nget failed\r\n",
             "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$-1\r\n");
    world_free(world);
}

static void a_clients_words_in_errors_are_cut(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct buffer text = {0}, reply = {0};
    char word[201];
    memset(word, 'w', sizeof(word) - 1);
    word[200] = '\0';
    buffer_printf(&text, "%s %.100s %s last\r\n", word, word, word);
    buffer_printf(
        &reply, "-ERR unknown command '%.128s', with args beginning with: '%.100s' '%.25s' \r\n%c",
        word, word, word, 0);
    peer_send_bytes(peer, buffer_bytes(&text));
    world_turn(world);
    peer_expect(peer, buffer_bytes(&reply).data);
    buffer_deinit(&text);
    buffer_deinit(&reply);
    world_free(world);
}

static void a_malformed_request_ends_its_connection_only(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    peer_send(peer, "PING\r\n*1\r\n!4\r\nPING\r\nPING\r\n");
    peer_send(peer, "PING\r\n");
    peer_ask(other, "PING\r\n", "+PONG\r\n");
    peer_expect(peer, "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    peer_expect_closed(peer);
    world_free(world);
}

static void who_speaks_http_is_cut_off(void **state)
{
    (void)state;
    static const char *const lines[] = {"POST / HTTP/1.1\r\n", "Host: here\r\n",
                                        "PING\r\nhost: here\r\nPING\r\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct peer *peer;
        struct world *world = begin(&peer);
        struct peer *other = world_connect(world);
        peer_ask(peer, lines[i], "");
        peer_expect_closed(peer);
        peer_ask(other, "PING\r\n", "+PONG\r\n");
        world_free(world);
    }
}

static void errors_are_counted_by_name(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    const struct stats *stats = world->admin->stats;
    peer_send(peer, "nosuch\r\nget\r\nfail\r\nPING\r\n*1\r\n!\r\n");
    world_turn(world);
    peer_expect_closed(peer);
    assert_int_equal(stats->error_replies, 4);
    assert_string_equal(stats->errors[0].name, "ERR");
    assert_int_equal(stats->errors[0].count, 3);
    assert_string_equal(stats->errors[1].name, "WRONGTYPE");
    assert_int_equal(stats->errors[1].count, 1);
    node_rejected(world->node);
    assert_int_equal(stats->connections_rejected, 1);
    world_free(world);
}

static void a_key_is_looked_up_once_however_often_it_runs(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_row(world, "cold", "c", true);
    peer_ask(peer, "get cold\r\n", "");
    assert_int_equal(world->admin->stats->keyspace_hits, 0);
    world_fetches_done(world);
    world_turn(world);
    peer_expect(peer, "$1\r\nc\r\n");
    assert_int_equal(world->admin->stats->keyspace_hits, 1);
    assert_int_equal(world->admin->stats->keyspace_misses, 0);
    world_free(world);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void a_cold_row_keeps_the_order(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    world_row(world, "warm", "w", false);
    world_row(world, "cold", "c", true);
    peer_send(peer, "get warm\r\n*2\r\n$3\r\nget\r\n$4\r\ncold\r\nset cold new\r\nget cold\r\nPI");
    peer_send(other, "get warm\r\n");
    world_turn(world);
    peer_expect(peer, "$1\r\nw\r\n");
    peer_expect(other, "$1\r\nw\r\n");
    peer_send(peer, "NG\r\n"); /* moves the input while its request waits */
    world_turns(world, 3);
    peer_expect(peer, "");
    world_fetches_done(world);
    world_turn(world);
    /* SET misses the row again: the double forgets what it fetched with each transaction. */
    peer_expect(peer, "$1\r\nc\r\n");
    world_fetches_done(world);
    world_turn(world);
    peer_expect(peer, "+OK\r\n$3\r\nnew\r\n+PONG\r\n");
    assert_int_equal(world->fetch_count, 2);
    assert_int_equal(world->admin->stats->reruns, 2);
    world_free(world);
}

static void a_request_may_miss_again_on_its_next_run(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_row(world, "a", "1", true);
    world_row(world, "b", "2", true);
    peer_send(peer, "both a b\r\nPING\r\n");
    for (unsigned i = 0; i < 2; i++) {
        world_turn(world);
        peer_expect(peer, "");
        world_fetches_done(world);
    }
    world_turn(world);
    peer_expect(peer, "*2\r\n$1\r\n1\r\n$1\r\n2\r\n+PONG\r\n");
    world_free(world);
}

static void a_client_may_go_away_while_it_waits(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_row(world, "cold", "c", true);
    struct peer *ready = world_connect(world), *yielded = world_connect(world);
    struct peer *throttled = world_connect(world), *killed = world_connect(world);
    world->throttled = true;
    peer_send(peer, "get cold\r\n");
    peer_send(ready, "get cold\r\n");
    peer_send(yielded, "slow 100\r\n");
    peer_send(throttled, "set k v\r\n");
    peer_send(killed, "get cold\r\n");
    struct peer *killer = world_connect(world);
    peer_ask(killer, "client kill id 5\r\n", ":1\r\n");
    peer_expect_closed(killed);
    peer_leave(peer);
    world_fetches_done(world);
    peer_leave(ready); /* fetched, and not yet run again */
    peer_leave(yielded);
    peer_leave(throttled);
    world->throttled = false;
    world_turns(world, 3);
    peer_ask(killer, "get k\r\n", "$-1\r\n");
    world_free(world);
}

static void a_long_request_is_run_in_slices(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *other = world_connect(world);
    peer_send(peer, "slow 3\r\nslow 0\r\nPING\r\n");
    peer_ask(other, "PING\r\n", "+PONG\r\n");
    peer_expect(peer, "");
    assert_int_equal(node_deadline_ms(world->node), 0);
    world_turns(world, 3);
    peer_expect(peer, ":30\r\n:0\r\n+PONG\r\n");
    assert_int_not_equal(node_deadline_ms(world->node), 0);
    world_free(world);
}

static void a_throttled_write_waits_for_room(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *reader = world_connect(world);
    world->throttled = true;
    peer_send(peer, "PING\r\nset k v\r\nget k\r\n");
    world_turns(world, 300); /* ticks let it try in vain */
    peer_expect(peer, "+PONG\r\n");
    peer_ask(reader, "get k\r\n", "$-1\r\n");
    world->throttled = false;
    world_turn(world);
    peer_expect(peer, "+OK\r\n$1\r\nv\r\n");
    world_free(world);
}

static void a_full_disk_refuses_writes_only(void **state)
{
    (void)state;
    static const char misconf[] = "-MISCONF Errors writing to the log: No space left on device. "
                                  "Commands that may change data "
                                  "are refused until there is room; reading goes on.\r\n";
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *throttled = world_connect(world);
    world_row(world, "k", "v", false);
    world->throttled = true;
    peer_send(throttled, "set k w\r\n");
    world_turn(world);
    world->disk_full = true;
    peer_ask(peer, "set k w\r\n", misconf);
    peer_ask(peer, "get k\r\n", "$1\r\nv\r\n");
    world_turns(world, 200);
    peer_expect(throttled, misconf); /* it needn't wait for room that will not come */
    world->disk_full = world->throttled = false;
    peer_ask(peer, "set k w\r\nget k\r\n", "+OK\r\n$1\r\nw\r\n");
    world_free(world);
}

/* ---- gates ----------------------------------------------------------------------------------- */

static void a_reply_waits_until_its_write_is_durable(void **state)
{
    (void)state;
    struct peer *writer;
    struct world *world = begin(&writer);
    struct peer *reader = world_connect(world);
    world_row(world, "other", "o", false);
    world->sync_held = true;
    peer_ask(writer, "PING\r\n", "+PONG\r\n");
    peer_ask(writer, "set k v\r\nPING\r\n", "");
    peer_ask(reader, "get other\r\n", "$1\r\no\r\n");
    peer_ask(reader, "get k\r\n", ""); /* would tell of a write that may be lost */
    peer_ask(reader, "get other\r\n", "");
    world_turns(world, 3);
    peer_expect(writer, "");
    world->durable = 1;
    world_turn(world);
    peer_expect(writer, "+OK\r\n+PONG\r\n");
    peer_expect(reader, "$1\r\nv\r\n$1\r\no\r\n");
    world_free(world);
}

static void later_writes_do_not_hold_earlier_replies_back(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world->sync_held = true;
    peer_ask(peer, "set k 1\r\n", "");
    peer_ask(peer, "set k 2\r\n", "");
    peer_ask(peer, "set k 3\r\n", "");
    world->durable = 1;
    peer_ask(peer, "set k 4\r\n", "+OK\r\n");
    world->durable = 3;
    world_turn(world);
    peer_expect(peer, "");
    world->durable = 4;
    world_turn(world);
    peer_expect(peer, "+OK\r\n+OK\r\n+OK\r\n");
    world_free(world);
}

static void a_sliced_reply_waits_for_what_any_slice_saw(void **state)
{
    (void)state;
    struct peer *writer;
    struct world *world = begin(&writer);
    struct peer *reader = world_connect(world);
    world->sync_held = true;
    peer_ask(writer, "set seen v\r\n", "");
    peer_ask(reader, "PING\r\nslow 2\r\n", "+PONG\r\n"); /* its first slice reads `seen` */
    world_turns(world, 5);
    peer_expect(reader, "");
    world->sync_held = false;
    world_turn(world);
    peer_expect(writer, "+OK\r\n");
    peer_expect(reader, ":20\r\n");
    world_free(world);
}

static void a_connection_stays_until_its_last_reply_is_out(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world->sync_held = true;
    peer_ask(peer, "set k v\r\nquit\r\n", "");
    assert_non_null(peer->session);
    world->sync_held = false;
    world_turn(world);
    peer_expect(peer, "+OK\r\n+OK\r\n");
    peer_expect_closed(peer);
    world_free(world);
}

static void a_failed_turn_is_final(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_send(peer, "set k v\r\n");
    world->turn_fails = true;
    assert_int_equal(node_turn_end(world->node, world->now_ms), STATUS_IO);
    world_free(world);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void put_large(struct world *world, size_t size)
{
    char *value = memory_alloc(size + 1);
    memset(value, 'v', size);
    value[size] = '\0';
    world_row(world, "large", value, false);
    memory_free(value);
}

static void send_many(struct peer *peer, const char *request, size_t count)
{
    struct buffer pipeline = {0};
    for (size_t i = 0; i < count; i++)
        buffer_append_bytes(&pipeline, bytes_text(request));
    peer_send_bytes(peer, buffer_bytes(&pipeline));
    buffer_deinit(&pipeline);
}

/* All in one piece, so that nothing but the dispatch itself can stop in time. */
static void who_does_not_read_is_not_served_on(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024, COUNT = 20 };
    struct peer *peer;
    struct world *world = begin(&peer);
    put_large(world, SIZE);
    peer->reading = false;
    send_many(peer, "get large\r\n", COUNT);
    world_turns(world, 3);
    size_t waiting = buffer_size(&peer->session->output);
    assert_true(waiting > DISPATCH_OUTPUT_PAUSE && waiting < DISPATCH_OUTPUT_PAUSE + 2 * SIZE);
    for (unsigned i = 0; i < COUNT; i++) {
        buffer_append_bytes(&peer->received, buffer_bytes(&peer->session->output));
        node_sent(world->node, peer->session, peer->session->output_free);
        world_turn(world);
        assert_true(buffer_size(&peer->session->output) < DISPATCH_OUTPUT_PAUSE + 2 * SIZE);
    }
    assert_int_equal(buffer_size(&peer->received), COUNT * (SIZE + 12));
    world_free(world);
}

/* Many clients send all they have before they read the first reply. */
static void who_does_not_read_yet_may_still_send(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024, ROUNDS = 50, COUNT = 100 };
    struct peer *peer;
    struct world *world = begin(&peer);
    put_large(world, SIZE);
    peer->reading = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        send_many(peer, "get large\r\n", COUNT);
        world_turn(world);
    }
    assert_non_null(peer->session);
    assert_int_equal(peer->session->state, SESSION_READY);
    size_t received = 0;
    while (received < (size_t)ROUNDS * COUNT * (SIZE + 10)) {
        size_t size = peer->session->output_free;
        assert_true(size > 0);
        received += size;
        node_sent(world->node, peer->session, size);
        world_turn(world);
    }
    assert_int_equal(received, (size_t)ROUNDS * COUNT * (SIZE + 10));
    world_free(world);
}

static void who_has_finished_is_answered_first(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_row(world, "k", "v", true);
    peer_send(peer, "get k\r\nslow 3\r\nPING\r\nget ");
    node_finished(world->node, peer->session);
    world_turn(world);
    peer_expect(peer, "");
    world_fetches_done(world);
    world_turns(world, 10);
    peer_expect(peer, "$1\r\nv\r\n:30\r\n+PONG\r\n");
    peer_expect_closed(peer);
    world_free(world);
}

static void who_has_finished_and_does_not_read_is_answered_too(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024, COUNT = 20 };
    struct peer *peer;
    struct world *world = begin(&peer);
    put_large(world, SIZE);
    peer->reading = false;
    send_many(peer, "get large\r\n", COUNT);
    node_finished(world->node, peer->session);
    size_t received = 0;
    for (world_turn(world); peer->session; world_turn(world)) {
        received += peer->session->output_free;
        node_sent(world->node, peer->session, peer->session->output_free);
    }
    assert_int_equal(received, COUNT * (SIZE + 12));
    peer_expect_closed(peer);
    world_free(world);
}

static void who_has_finished_and_asked_nothing_is_closed(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    node_finished(world->node, peer->session);
    world_turn(world);
    peer_expect_closed(peer);
    world_free(world);
}

static void before_auth_little_is_accepted(void **state)
{
    (void)state;
    struct world *world = world_new_with_password("secret");
    struct peer *many = world_connect(world), *large = world_connect(world);
    struct peer *much = world_connect(world), *slow_reader = world_connect(world);
    peer_ask(many, "*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
    peer_expect_closed(many);
    peer_ask(large, "*2\r\n$4\r\nAUTH\r\n$16385\r\n",
             "-ERR Protocol error: unauthenticated bulk length\r\n");
    peer_expect_closed(large);

    slow_reader->reading = false;
    for (unsigned i = 0; i < 1000; i++)
        peer_send(slow_reader, "GET k\r\n");
    assert_true(buffer_size(&slow_reader->session->output) < 2 * DISPATCH_STRANGER_OUTPUT_PAUSE);
    char *text = memory_alloc(DISPATCH_STRANGER_INPUT_MAX);
    memset(text, '\n', DISPATCH_STRANGER_INPUT_MAX);
    peer_send_bytes(slow_reader, bytes_of(text, DISPATCH_STRANGER_INPUT_MAX));
    memory_free(text);
    world_turn(world);
    peer_expect_closed(slow_reader);

    /* A pipeline of any length is answered to the end nevertheless. */
    for (unsigned i = 0; i < 100; i++)
        peer_send(much, "GET k\r\n");
    world_turns(world, 10);
    assert_int_equal(buffer_size(&much->received),
                     100 * strlen("-NOAUTH Authentication required.\r\n"));
    buffer_clear(&much->received, 0);
    peer_ask(much,
             "AUTH secret\r\n*11\r\n$3\r\nget\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"
             "$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$1\r\n0\r\n",
             "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n");
    world_free(world);
}

static void buffers_are_counted(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    const struct sessions *sessions = peer->session->sessions;
    peer_send(peer, "*2\r\n$3\r\nget\r\n$100\r\nxxxxx");
    assert_int_equal(sessions->buffer_bytes, peer->session->input.capacity);
    assert_int_not_equal(sessions->buffer_bytes, 0);
    peer_leave(peer);
    assert_int_equal(sessions->buffer_bytes, 0);
    world_free(world);
}

static void without_memory_writes_are_refused(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct buffer error = {0};
    world_row(world, "k", "v", false);
    assert_int_equal(config_set(&world->config, BYTES("maxmemory"), BYTES("1"), &error), STATUS_OK);
    world->admin->config_changed(world->admin->context, "maxmemory");
    peer_ask(peer, "get k\r\n", "$1\r\nv\r\n"); /* its buffers are what is too much */
    peer_ask(peer, "set k w\r\nget k\r\n",
             "-OOM command not allowed when used memory > 'maxmemory'.\r\n$1\r\nv\r\n");
    assert_int_equal(config_set(&world->config, BYTES("maxmemory"), BYTES("0"), &error), STATUS_OK);
    world->admin->config_changed(world->admin->context, "maxmemory");
    peer_ask(peer, "set k w\r\n", "+OK\r\n");
    world_free(world);
}

static void settings_take_effect(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct admin *admin = world->admin;
    struct buffer error = {0};
    world_turn(world);
    uint64_t before = node_rows_budget(world->node);
    assert_int_equal(world->rows_bytes, before);
    assert_int_equal(config_set(admin->config, BYTES("maxmemory"), BYTES("100mb"), &error),
                     STATUS_OK);
    admin->config_changed(admin->context, "maxmemory");
    world_turn(world);
    assert_int_equal(world->rows_bytes, node_rows_budget(world->node));
    assert_true(world->rows_bytes < before && world->rows_bytes < 100 * 1024 * 1024);
    assert_int_equal(config_set(admin->config, BYTES("appendfsync"), BYTES("always"), &error),
                     STATUS_OK);
    admin->config_changed(admin->context, "appendfsync");
    assert_int_equal(world->sync, LOG_SYNC_ALWAYS);
    assert_false(node_stopping(world->node));
    peer_send(peer, "stop\r\n");
    assert_true(node_stopping(world->node));
    world_free(world);
}

/* It would go on with another's keys. */
static void a_request_under_way_stays_in_its_database(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_send(peer, "slow 2\r\n");
    assert_int_equal(peer->session->request.db, 0);
    world->swapped = 1;
    world_turn(world);
    assert_int_equal(peer->session->state, SESSION_YIELDED);
    assert_int_equal(peer->session->request.db, 0);
    world_turns(world, 2);
    peer_expect(peer, ":20\r\n");
    assert_int_equal(peer->session->request.db, 0);
    peer_ask(peer, "slow 0\r\n", ":0\r\n");
    assert_int_equal(peer->session->request.db, 1);
    world_free(world);
}

/* What waits was within the limits when it came. */
static void a_lower_limit_is_for_what_comes(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_send(peer, "*2\r\n$4\r\nslow\r\n$1\r\n2\r\n");
    world->config.proto_max_bulk_len = 3;
    world_turn(world);
    assert_int_equal(peer->session->state, SESSION_YIELDED);
    world_turns(world, 2);
    peer_expect(peer, ":20\r\n");
    peer_ask(peer, "*2\r\n$4\r\nslow\r\n$1\r\n0\r\n",
             "-ERR Protocol error: invalid bulk length\r\n");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_limit_is_for_what_comes),
        cmocka_unit_test(a_pipeline_may_be_split_at_every_byte),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_long_pipeline_is_answered_in_turns),
        cmocka_unit_test(a_large_argument_is_read_where_it_stays),
        cmocka_unit_test(errors_have_redis_words),
        cmocka_unit_test(a_clients_words_in_errors_are_cut),
        cmocka_unit_test(a_malformed_request_ends_its_connection_only),
        cmocka_unit_test(who_speaks_http_is_cut_off),
        cmocka_unit_test(errors_are_counted_by_name),
        cmocka_unit_test(a_key_is_looked_up_once_however_often_it_runs),
        cmocka_unit_test(a_cold_row_keeps_the_order),
        cmocka_unit_test(a_request_may_miss_again_on_its_next_run),
        cmocka_unit_test(a_client_may_go_away_while_it_waits),
        cmocka_unit_test(a_long_request_is_run_in_slices),
        cmocka_unit_test(a_throttled_write_waits_for_room),
        cmocka_unit_test(a_full_disk_refuses_writes_only),
        cmocka_unit_test(a_reply_waits_until_its_write_is_durable),
        cmocka_unit_test(later_writes_do_not_hold_earlier_replies_back),
        cmocka_unit_test(a_sliced_reply_waits_for_what_any_slice_saw),
        cmocka_unit_test(a_connection_stays_until_its_last_reply_is_out),
        cmocka_unit_test(a_failed_turn_is_final),
        cmocka_unit_test(who_does_not_read_is_not_served_on),
        cmocka_unit_test(who_does_not_read_yet_may_still_send),
        cmocka_unit_test(who_has_finished_is_answered_first),
        cmocka_unit_test(who_has_finished_and_does_not_read_is_answered_too),
        cmocka_unit_test(who_has_finished_and_asked_nothing_is_closed),
        cmocka_unit_test(before_auth_little_is_accepted),
        cmocka_unit_test(buffers_are_counted),
        cmocka_unit_test(without_memory_writes_are_refused),
        cmocka_unit_test(settings_take_effect),
        cmocka_unit_test(a_request_under_way_stays_in_its_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
