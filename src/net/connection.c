/* SPDX-License-Identifier: MIT */
#include "net/connection.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "net/loop_base.h"

struct connection {
    struct event read;  /* persistent: no system call for each request */
    struct event write; /* added only while the socket is full */
    struct loop *loop;
    const struct connection_handler *handler;
    void *peer;
    int descriptor;
    bool reading;
    bool reset;
};

static bool is_passing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void note_error(struct connection *connection, int error)
{
    connection->reset = connection->reset || error == ECONNRESET || error == EPIPE;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
    (void)what;
    struct connection *connection = context;
    const struct connection_handler *handler = connection->handler;
    size_t size = 0;
    char *room = handler->room(connection->peer, &size);
    bool direct = room != NULL;
    if (!direct) {
        room = connection->loop->scratch;
        size = LOOP_SCRATCH;
    }
    ssize_t got = recv(descriptor, room, size, 0);
    if (got > 0 && direct) {
        handler->filled(connection->peer, (size_t)got);
    } else if (got > 0) {
        handler->received(connection->peer, bytes_of(room, (size_t)got));
    } else if (got == 0) {
        connection_set_reading(connection, false);
        handler->finished(connection->peer);
    } else if (!is_passing(errno)) {
        note_error(connection, errno);
        connection_set_reading(connection, false);
        handler->broken(connection->peer);
    }
}

static void on_writable(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    struct connection *connection = context;
    connection->handler->writable(connection->peer);
}

struct connection *connection_new(struct loop *loop, int descriptor,
                                  const struct connection_handler *handler, void *peer)
{
    struct connection *connection = memory_alloc(sizeof(*connection));
    connection->loop = loop;
    connection->handler = handler;
    connection->peer = peer;
    connection->descriptor = descriptor;
    connection->reading = connection->reset = false;
    int failed = event_assign(&connection->read, loop->base, descriptor, EV_READ | EV_PERSIST,
                              on_readable, connection);
    failed |=
        event_assign(&connection->write, loop->base, descriptor, EV_WRITE, on_writable, connection);
    check(!failed);
    connection_set_reading(connection, true);
    return connection;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    event_del(&connection->read);
    event_del(&connection->write);
    close(connection->descriptor);
    memory_free(connection);
}

enum connection_sent connection_send(struct connection *connection, struct bytes bytes,
                                     size_t *out_size)
{
    *out_size = 0;
    if (bytes.size == 0)
        return CONNECTION_SENT;
    ssize_t sent = send(connection->descriptor, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent < 0 && !is_passing(errno)) {
        note_error(connection, errno);
        return CONNECTION_BROKEN;
    }
    if (sent > 0)
        *out_size = (size_t)sent;
    if (*out_size == bytes.size)
        return CONNECTION_SENT;
    int result = event_add(&connection->write, NULL);
    check(result == 0);
    return CONNECTION_FULL;
}

bool connection_was_reset(const struct connection *connection)
{
    return connection->reset;
}

void connection_set_reading(struct connection *connection, bool reading)
{
    if (connection->reading == reading)
        return;
    int result = reading ? event_add(&connection->read, NULL) : event_del(&connection->read);
    check(result == 0);
    connection->reading = reading;
}

void connection_refuse(int descriptor, struct bytes why)
{
    /* It is new, so its buffer takes the little that there is to say. */
    ssize_t sent = send(descriptor, why.data, why.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    close(descriptor);
}
