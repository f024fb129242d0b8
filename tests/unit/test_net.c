/* SPDX-License-Identifier: MIT */
/* A server that echoes, over loopback, with clients that are plain blocking sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop.h"

enum {
    PEERS_MAX = 8,
    TURNS_MAX = 100000, /* a test that waits for longer has failed */
};

struct server;

struct peer {
    struct server *server;
    struct connection *connection;
    struct buffer output;
    char *room; /* offered for the next bytes, if not NULL */
    size_t room_size;
    size_t filled;
    size_t received;
    unsigned writable;
    bool full;
    bool finished;
    bool broken;
    bool silent; /* counts only */
};

struct server {
    struct loop *loop;
    struct listener *listener;
    struct peer peers[PEERS_MAX];
    unsigned count;
    struct listener_guest guest; /* the last one */
    unsigned failures;           /* to accept */
};

static void peer_send(struct peer *peer)
{
    size_t sent;
    enum connection_sent result =
        connection_send(peer->connection, buffer_bytes(&peer->output), &sent);
    buffer_consume(&peer->output, sent);
    peer->full = result == CONNECTION_FULL;
    assert_int_equal(result == CONNECTION_SENT, buffer_size(&peer->output) == 0);
}

static void on_received(void *context, struct bytes bytes)
{
    struct peer *peer = context;
    peer->received += bytes.size;
    if (peer->silent)
        return;
    buffer_append_bytes(&peer->output, bytes);
    if (!peer->full)
        peer_send(peer);
}

static char *on_room(void *context, size_t *out_size)
{
    struct peer *peer = context;
    *out_size = peer->room_size;
    return peer->room;
}

static void on_filled(void *context, size_t size)
{
    struct peer *peer = context;
    peer->filled += size;
    peer->room += size;
    peer->room_size -= size;
    if (peer->room_size == 0)
        peer->room = NULL;
}

static void on_writable(void *context)
{
    struct peer *peer = context;
    peer->writable++;
    peer_send(peer);
}

static void on_finished(void *context)
{
    struct peer *peer = context;
    assert_false(peer->finished || peer->broken);
    peer->finished = true;
}

static void on_broken(void *context)
{
    struct peer *peer = context;
    assert_false(peer->broken);
    peer->broken = true;
}

static const struct connection_handler handler = {
    on_received, on_room, on_filled, on_writable, on_finished, on_broken,
};

static void on_accepted(void *context, const struct listener_guest *guest)
{
    struct server *server = context;
    server->guest = *guest;
    if (server->count == PEERS_MAX) {
        connection_refuse(guest->descriptor, BYTES("full\r\n"));
        return;
    }
    struct peer *peer = &server->peers[server->count++];
    *peer = (struct peer){.server = server};
    peer->connection = connection_new(server->loop, guest->descriptor, &handler, peer);
}

static void on_failed(void *context, const char *reason)
{
    (void)reason;
    struct server *server = context;
    server->failures++;
}

static void server_init(struct server *server, const char *addresses)
{
    *server = (struct server){.loop = loop_new()};
    struct listener_options options = {addresses, 0, 16, 300};
    struct buffer error = {0};
    assert_int_equal(listener_open(&options, &server->listener, &error), STATUS_OK);
    struct listener_handler guests = {on_accepted, on_failed, server};
    listener_start(server->listener, server->loop, &guests);
}

static void server_deinit(struct server *server)
{
    for (unsigned i = 0; i < server->count; i++) {
        connection_free(server->peers[i].connection);
        buffer_deinit(&server->peers[i].output);
    }
    listener_free(server->listener);
    loop_free(server->loop);
}

/* Turns until the condition holds. */
#define run_until(server, condition)                                                               \
    do {                                                                                           \
        unsigned turns_ = 0;                                                                       \
        while (!(condition)) {                                                                     \
            assert_true(turns_++ < TURNS_MAX);                                                     \
            loop_run_once((server)->loop, 1, 3);                                                   \
        }                                                                                          \
    } while (0)

static void run_turns(struct server *server, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        loop_run_once(server->loop, 1, 0);
}

static int client_open(const struct server *server)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(listener_port(server->listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

static void client_write(int client, struct bytes bytes)
{
    assert_int_equal(send(client, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

static void client_expect(int client, struct bytes bytes)
{
    char got[256];
    assert_true(bytes.size <= sizeof(got));
    assert_int_equal(recv(client, got, bytes.size, MSG_WAITALL), bytes.size);
    assert_memory_equal(got, bytes.data, bytes.size);
}

static void bytes_come_back(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int one = client_open(&server), two = client_open(&server);
    run_until(&server, server.count == 2);
    assert_true(server.guest.loopback);
    assert_memory_equal(server.guest.remote, "127.0.0.1:", 10);
    client_write(one, BYTES("first"));
    client_write(two, BYTES("second"));
    run_until(&server, server.peers[0].received == 5 && server.peers[1].received == 6);
    client_expect(one, BYTES("first"));
    client_expect(two, BYTES("second"));
    close(one);
    run_until(&server, server.peers[0].finished);
    run_turns(&server, 3); /* and not called again */
    assert_false(server.peers[1].finished);
    close(two);
    server_deinit(&server);
}

static void large_arguments_are_read_in_place(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    run_until(&server, server.count == 1);
    struct peer *peer = &server.peers[0];
    char place[8] = {0};
    peer->room = place;
    peer->room_size = sizeof(place);
    client_write(client, BYTES("12345678echo"));
    run_until(&server, peer->received == 4);
    assert_int_equal(peer->filled, 8);
    assert_memory_equal(place, "12345678", 8);
    client_expect(client, BYTES("echo"));
    close(client);
    server_deinit(&server);
}

/* A client that does not read: what it is owed goes out in parts, whole, when it does. */
static void a_full_socket_goes_on_later(void **state)
{
    (void)state;
    enum { SIZE = 32 * 1024 * 1024 };
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    run_until(&server, server.count == 1);
    struct peer *peer = &server.peers[0];
    char *room = buffer_reserve(&peer->output, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        room[i] = (char)(i * 31 >> 8);
    buffer_commit(&peer->output, SIZE);
    peer_send(peer);
    assert_true(peer->full);
    run_turns(&server, 3);
    assert_int_equal(peer->writable, 0);
    char *got = memory_alloc(SIZE);
    size_t size = 0;
    fcntl(client, F_SETFL, O_NONBLOCK);
    for (unsigned turns = 0; size < SIZE && turns < TURNS_MAX; turns++) {
        ssize_t part = recv(client, got + size, SIZE - size, 0);
        if (part > 0)
            size += (size_t)part;
        loop_run_once(server.loop, 1, 3);
    }
    assert_int_equal(size, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        assert_true(got[i] == (char)(i * 31 >> 8));
    assert_true(peer->writable > 0);
    memory_free(got);
    close(client);
    server_deinit(&server);
}

static void reading_stops_and_goes_on(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    run_until(&server, server.count == 1);
    connection_set_reading(server.peers[0].connection, false);
    client_write(client, BYTES("wait"));
    run_turns(&server, 10);
    assert_int_equal(server.peers[0].received, 0);
    connection_set_reading(server.peers[0].connection, true);
    run_until(&server, server.peers[0].received == 4);
    client_expect(client, BYTES("wait"));
    close(client);
    server_deinit(&server);
}

/* "printf 'PING\r\n' | nc -N" */
static void who_has_finished_still_hears(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    run_until(&server, server.count == 1);
    client_write(client, BYTES("last words"));
    shutdown(client, SHUT_WR);
    run_until(&server, server.peers[0].finished);
    assert_false(server.peers[0].broken);
    buffer_append_bytes(&server.peers[0].output, BYTES("later"));
    peer_send(&server.peers[0]);
    client_expect(client, BYTES("last wordslater"));
    close(client);
    server_deinit(&server);
}

static void sending_to_who_is_gone_is_no_signal(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    run_until(&server, server.count == 1);
    struct linger reset = {1, 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client);
    run_until(&server, server.peers[0].broken);
    size_t sent = 1;
    struct connection *connection = server.peers[0].connection;
    assert_true(connection_was_reset(connection));
    assert_int_equal(connection_send(connection, BYTES("x"), &sent), CONNECTION_BROKEN);
    assert_int_equal(sent, 0);
    assert_true(connection_was_reset(connection));
    server_deinit(&server);
}

static void who_is_too_many_hears_why(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int clients[PEERS_MAX + 1];
    for (unsigned i = 0; i <= PEERS_MAX; i++)
        clients[i] = client_open(&server);
    run_until(&server, server.count == PEERS_MAX);
    run_turns(&server, 3);
    client_expect(clients[PEERS_MAX], BYTES("full\r\n"));
    char byte;
    assert_int_equal(recv(clients[PEERS_MAX], &byte, 1, 0), 0);
    for (unsigned i = 0; i <= PEERS_MAX; i++)
        close(clients[i]);
    server_deinit(&server);
}

static void expect_refused(const char *addresses, uint16_t port, const char *why)
{
    struct listener_options options = {addresses, port, 16, 0};
    struct listener *listener = NULL;
    struct buffer error = {0}, want = {0};
    assert_int_equal(listener_open(&options, &listener, &error), STATUS_IO);
    assert_null(listener);
    buffer_printf(&want, why, port);
    struct bytes text = buffer_bytes(&error);
    if (!bytes_equal(text, buffer_bytes(&want)))
        fail_msg("said '%.*s'", (int)text.size, text.data);
    buffer_deinit(&error);
    buffer_deinit(&want);
}

static void addresses(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, " 127.0.0.1\t -::1  -192.0.2.1 ");
    uint16_t port = listener_port(server.listener);
    assert_true(port > 0);
    expect_refused("127.0.0.1", port, "127.0.0.1:%u: Address already in use");
    expect_refused("-127.0.0.1", port, "127.0.0.1:%u: Address already in use");
    expect_refused("*", port, "*:%u: Address already in use");
    expect_refused("192.0.2.1", 0, "192.0.2.1:%u: Cannot assign requested address");
    expect_refused(" ", 0, " :%u: no address to listen at");
    server_deinit(&server);
    server_init(&server, "* -::*");
    close(client_open(&server));
    run_until(&server, server.count == 1);
    server_deinit(&server);
}

/* Without descriptors the loop must not spin; with descriptors again, who waited is served. */
static void descriptors_run_out(void **state)
{
    (void)state;
    struct server server;
    server_init(&server, "127.0.0.1");
    int client = client_open(&server);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_until(&server, server.failures == 1);
    run_turns(&server, 100);
    assert_int_equal(server.failures, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    run_until(&server, server.count == 1);
    client_write(client, BYTES("here"));
    run_until(&server, server.peers[0].received == 4);
    close(client);
    server_deinit(&server);
}

static void count_call(void *context)
{
    ++*(unsigned *)context;
}

static void signals_and_descriptors_wake(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    unsigned signals = 0, wakes = 0;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct watch *signalled = loop_watch_signal(loop, SIGUSR1, count_call, &signals);
    struct watch *readable = loop_watch_readable(loop, ends[0], count_call, &wakes);
    loop_run_once(loop, 5, 5);
    assert_int_equal(signals + wakes, 0);
    raise(SIGUSR1);
    loop_run_once(loop, 0, UINT64_MAX);
    assert_int_equal(signals, 1);
    assert_int_equal(write(ends[1], "", 1), 1);
    loop_run_once(loop, 0, UINT64_MAX);
    assert_int_equal(wakes, 1);
    watch_free(signalled);
    watch_free(readable);
    close(ends[0]);
    close(ends[1]);
    loop_run_once(loop, 100, 102); /* returns without any event */
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(large_arguments_are_read_in_place),
        cmocka_unit_test(a_full_socket_goes_on_later),
        cmocka_unit_test(reading_stops_and_goes_on),
        cmocka_unit_test(who_has_finished_still_hears),
        cmocka_unit_test(sending_to_who_is_gone_is_no_signal),
        cmocka_unit_test(who_is_too_many_hears_why),
        cmocka_unit_test(addresses),
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(signals_and_descriptors_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
