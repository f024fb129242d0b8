/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "net/loop_base.h"

struct door {
    struct listener *listener;
    struct event *readable;
    int descriptor;
};

struct listener {
    struct door doors[LISTENER_ADDRESSES_MAX];
    unsigned count;
    uint16_t port;
    struct event *pause;
    struct listener_handler handler;
};

/* ---- opening ----------------------------------------------------------------------------------
 */

static bool set(int descriptor, int level, int option, int value)
{
    return setsockopt(descriptor, level, option, &value, sizeof(value)) == 0;
}

/* Set on what listens, Linux passes these on to what it accepts: no system calls for each client.
 */
static bool set_options(int descriptor, int family, unsigned keepalive_s)
{
    bool done = set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
                set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    if (family == AF_INET6)
        done = done && set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (keepalive_s > 0) {
        int probe_s = keepalive_s < 3 ? 1 : (int)keepalive_s / 3;
        done = done && set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
               set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s) &&
               set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, probe_s) &&
               set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }
    return done;
}

/* A listening socket, or -1 with errno. */
static int listen_at(const struct addrinfo *address, const struct listener_options *options)
{
    int descriptor =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0)
        return -1;
    if (set_options(descriptor, address->ai_family, options->keepalive_s) &&
        bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(descriptor, options->backlog) == 0)
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static uint16_t port_of(int descriptor)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int result = getsockname(descriptor, (struct sockaddr *)&address, &size);
    check(result == 0);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* As in Redis: what the machine lacks altogether, not what is taken. */
static bool is_unavailable(int error)
{
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT ||
           error == ENOPROTOOPT || error == EPFNOSUPPORT || error == ESOCKTNOSUPPORT;
}

static enum status refuse(struct buffer *out_error, const char *host, uint16_t port,
                          const char *reason)
{
    const char *format = strchr(host, ':') ? "[%s]:%u: %s" : "%s:%u: %s";
    buffer_printf(out_error, format, host, port, reason);
    return STATUS_IO;
}

static enum status open_host(struct listener *listener, const struct listener_options *options,
                             const char *host, struct buffer *out_error)
{
    bool optional = host[0] == '-';
    host += optional;
    bool any4 = strcmp(host, "*") == 0, any6 = strcmp(host, "::*") == 0;
    struct addrinfo hints = {
        .ai_family = any4   ? AF_INET
                     : any6 ? AF_INET6
                            : AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    char service[8];
    snprintf(service, sizeof(service), "%u", listener->port);
    struct addrinfo *addresses;
    int failure = getaddrinfo(any4 || any6 ? NULL : host, service, &hints, &addresses);
    if (failure)
        return optional ? STATUS_OK
                        : refuse(out_error, host, listener->port, gai_strerror(failure));
    enum status status = STATUS_OK;
    for (struct addrinfo *at = addresses; at && status == STATUS_OK; at = at->ai_next) {
        if (listener->count == LISTENER_ADDRESSES_MAX) {
            status = refuse(out_error, host, listener->port, "too many addresses");
            break;
        }
        int descriptor = listen_at(at, options);
        if (descriptor < 0) {
            if (!optional || !is_unavailable(errno))
                status = refuse(out_error, host, listener->port, strerror(errno));
            continue;
        }
        listener->doors[listener->count++] = (struct door){listener, NULL, descriptor};
        listener->port = port_of(descriptor);
    }
    freeaddrinfo(addresses);
    return status;
}

enum status listener_open(const struct listener_options *options, struct listener **out,
                          struct buffer *out_error)
{
    struct listener *listener = memory_zeroed(sizeof(*listener));
    listener->port = options->port;
    enum status status = STATUS_OK;
    const char *at = options->addresses;
    while (status == STATUS_OK && *(at += strspn(at, " \t"))) {
        size_t size = strcspn(at, " \t");
        char host[256];
        snprintf(host, sizeof(host), "%.*s", (int)size, at);
        status = open_host(listener, options, host, out_error);
        at += size;
    }
    if (status == STATUS_OK && listener->count == 0)
        status = refuse(out_error, options->addresses, options->port, "no address to listen at");
    if (status != STATUS_OK) {
        listener_free(listener);
        return status;
    }
    *out = listener;
    return STATUS_OK;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

/* ---- accepting --------------------------------------------------------------------------------
 */

static void describe(const struct sockaddr_storage *address, char out[ADDRESS_TEXT_MAX],
                     bool *out_loopback)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(six->sin6_port));
        *out_loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(four->sin_port));
        *out_loopback = ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
}

static void listen_to_all(struct listener *listener, bool listening)
{
    for (unsigned i = 0; i < listener->count; i++) {
        struct event *readable = listener->doors[i].readable;
        int result = listening ? event_add(readable, NULL) : event_del(readable);
        check(result == 0);
    }
}

/* Who waits in the backlog would wake the loop at once, again and again. */
static void pause_accepting(struct listener *listener, int error)
{
    listen_to_all(listener, false);
    struct timeval wait = {0, LISTENER_PAUSE_MS * 1000};
    int result = event_add(listener->pause, &wait);
    check(result == 0);
    listener->handler.failed(listener->handler.context, strerror(error));
}

static void on_pause_over(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    listen_to_all(context, true);
}

static void on_guest(evutil_socket_t descriptor, short what, void *context)
{
    (void)what;
    struct listener *listener = ((struct door *)context)->listener;
    for (unsigned i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage remote = {0}, local = {0};
        socklen_t size = sizeof(remote);
        struct listener_guest guest;
        guest.descriptor =
            accept4(descriptor, (struct sockaddr *)&remote, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (guest.descriptor < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(listener, errno);
            /* Else nobody is left, or this one is gone already; if others wait, the next turn sees
             * them. */
            return;
        }
        size = sizeof(local);
        bool ignored;
        getsockname(guest.descriptor, (struct sockaddr *)&local, &size);
        describe(&local, guest.local, &ignored);
        describe(&remote, guest.remote, &guest.loopback);
        listener->handler.accepted(listener->handler.context, &guest);
    }
}

void listener_start(struct listener *listener, struct loop *loop,
                    const struct listener_handler *handler)
{
    listener->handler = *handler;
    listener->pause = evtimer_new(loop->base, on_pause_over, listener);
    check(listener->pause);
    for (unsigned i = 0; i < listener->count; i++) {
        struct door *door = &listener->doors[i];
        door->readable =
            event_new(loop->base, door->descriptor, EV_READ | EV_PERSIST, on_guest, door);
        check(door->readable);
    }
    listen_to_all(listener, true);
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    for (unsigned i = 0; i < listener->count; i++) {
        if (listener->doors[i].readable)
            event_free(listener->doors[i].readable);
        close(listener->doors[i].descriptor);
    }
    if (listener->pause)
        event_free(listener->pause);
    memory_free(listener);
}
