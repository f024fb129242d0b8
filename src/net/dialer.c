/* SPDX-License-Identifier: MIT */
#include "net/dialer.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "net/loop_base.h"

enum { THREAD_STACK = 512 * 1024 };

/* A name to be looked up: the thread's while it works on it, else the loop's. */
struct lookup {
    struct list at; /* of resolver.waiting or resolver.ready */
    char host[DIALER_HOST_MAX];
    bool taken;        /* by a thread; guarded by the resolver's mutex */
    struct dial *dial; /* the loop's only. NULL: nobody wants to know any more */
    struct addrinfo *addresses;
    int failure;
};

/* What the threads share with the loop. It lives until the last of them leaves it: a lookup that
 * hangs must not hold up the end of the process. */
struct resolver {
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    struct list waiting, ready;
    unsigned waiting_count;
    unsigned users;
    bool stopping;
    int wake; /* an eventfd */
};

struct dialer {
    struct loop *loop;
    struct resolver *resolver;
    struct watch *watch;
    unsigned dials;
};

struct dial {
    struct dialer *dialer;
    void (*done)(void *context, int descriptor, const char *reason);
    void *context;
    uint16_t port;
    struct lookup *lookup; /* under way, or NULL */
    struct addrinfo *addresses, *next;
    unsigned tries;
    const char *reason;   /* the last failure's */
    struct event step;    /* goes on with the next address, from the loop */
    struct event connect; /* a socket that connects */
    struct event timer;   /* of all */
    int descriptor;       /* -1: none */
};

/* ---- names, on threads -----------------------------------------------------------------------
 */

static void lookup_free(struct lookup *lookup)
{
    if (lookup->addresses)
        freeaddrinfo(lookup->addresses);
    memory_free(lookup);
}

static void free_all(struct list *lookups)
{
    while (!list_is_empty(lookups)) {
        struct lookup *lookup = list_entry(lookups->next, struct lookup, at);
        list_remove(&lookup->at);
        lookup_free(lookup);
    }
}

/* With the mutex held, which is gone afterwards. */
static void resolver_leave(struct resolver *resolver)
{
    bool last = --resolver->users == 0;
    pthread_mutex_unlock(&resolver->mutex);
    if (!last)
        return;
    free_all(&resolver->waiting);
    free_all(&resolver->ready);
    close(resolver->wake);
    pthread_cond_destroy(&resolver->wanted);
    pthread_mutex_destroy(&resolver->mutex);
    memory_free(resolver);
}

static int resolve(const char *host, int flags, struct addrinfo **out)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags,
    };
    *out = NULL;
    return getaddrinfo(host, NULL, &hints, out);
}

static void wake_loop(struct resolver *resolver)
{
    uint64_t one = 1;
    ssize_t written = write(resolver->wake, &one, sizeof(one));
    (void)written; /* it is full only if the loop is to wake already */
}

static void *resolver_thread(void *context)
{
    struct resolver *resolver = context;
    pthread_mutex_lock(&resolver->mutex);
    while (!resolver->stopping) {
        if (list_is_empty(&resolver->waiting)) {
            pthread_cond_wait(&resolver->wanted, &resolver->mutex);
            continue;
        }
        struct lookup *lookup = list_entry(resolver->waiting.next, struct lookup, at);
        list_remove(&lookup->at);
        resolver->waiting_count--;
        lookup->taken = true;
        pthread_mutex_unlock(&resolver->mutex);
        lookup->failure = resolve(lookup->host, 0, &lookup->addresses);
        pthread_mutex_lock(&resolver->mutex);
        list_append(&resolver->ready, &lookup->at);
        wake_loop(resolver);
    }
    resolver_leave(resolver);
    return NULL;
}

/* Signals are the main thread's. */
static void start_thread(struct resolver *resolver)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_t thread;
    int failed = pthread_attr_init(&attributes);
    failed |= pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    failed |= pthread_attr_setstacksize(&attributes, THREAD_STACK);
    failed |= pthread_create(&thread, &attributes, resolver_thread, resolver);
    check(!failed);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct resolver *resolver_new(void)
{
    struct resolver *resolver = memory_zeroed(sizeof(*resolver));
    int failed = pthread_mutex_init(&resolver->mutex, NULL);
    failed |= pthread_cond_init(&resolver->wanted, NULL);
    resolver->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(!failed && resolver->wake >= 0);
    list_init(&resolver->waiting);
    list_init(&resolver->ready);
    resolver->users = 1 + DIALER_THREADS;
    for (unsigned i = 0; i < DIALER_THREADS; i++)
        start_thread(resolver);
    return resolver;
}

/* False: too many wait already. */
static bool ask(struct dial *dial, const char *host)
{
    struct resolver *resolver = dial->dialer->resolver;
    struct lookup *lookup = memory_zeroed(sizeof(*lookup));
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    lookup->dial = dial;
    pthread_mutex_lock(&resolver->mutex);
    bool room = resolver->waiting_count < DIALER_LOOKUPS_MAX;
    if (room) {
        resolver->waiting_count++;
        list_append(&resolver->waiting, &lookup->at);
        pthread_cond_signal(&resolver->wanted);
    }
    pthread_mutex_unlock(&resolver->mutex);
    if (room)
        dial->lookup = lookup;
    else
        memory_free(lookup);
    return room;
}

static void stop_asking(struct dial *dial)
{
    struct resolver *resolver = dial->dialer->resolver;
    struct lookup *lookup = dial->lookup;
    lookup->dial = NULL;
    pthread_mutex_lock(&resolver->mutex);
    bool taken = lookup->taken;
    if (!taken) {
        list_remove(&lookup->at);
        resolver->waiting_count--;
    }
    pthread_mutex_unlock(&resolver->mutex);
    if (!taken)
        memory_free(lookup);
}

/* ---- connecting ------------------------------------------------------------------------------
 */

static struct timeval milliseconds(unsigned ms)
{
    return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

static void dial_free(struct dial *dial)
{
    event_del(&dial->step);
    event_del(&dial->connect);
    event_del(&dial->timer);
    if (dial->lookup)
        stop_asking(dial);
    if (dial->addresses)
        freeaddrinfo(dial->addresses);
    if (dial->descriptor >= 0)
        close(dial->descriptor);
    dial->dialer->dials--;
    memory_free(dial);
}

static void finish(struct dial *dial, int descriptor, const char *reason)
{
    void (*done)(void *, int, const char *) = dial->done;
    void *context = dial->context;
    if (descriptor >= 0)
        dial->descriptor = -1; /* the callee's */
    dial_free(dial);
    done(context, descriptor, reason);
}

static void on_connect(evutil_socket_t descriptor, short what, void *context);

/* Begins with one address: a socket that is connecting, or -1 with errno. */
static int begin(const struct addrinfo *address, uint16_t port)
{
    int descriptor =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0)
        return -1;
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct sockaddr_storage target = {0};
    memcpy(&target, address->ai_addr, address->ai_addrlen);
    if (target.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&target)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&target)->sin_port = htons(port);
    if (connect(descriptor, (struct sockaddr *)&target, address->ai_addrlen) == 0 ||
        errno == EINPROGRESS || errno == EINTR)
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

/* The next address that there is something to wait for at. */
static void try_next(struct dial *dial)
{
    while (dial->next && dial->tries < DIALER_ADDRESSES_MAX) {
        struct addrinfo *address = dial->next;
        dial->next = address->ai_next;
        dial->tries++;
        if (address->ai_family != AF_INET && address->ai_family != AF_INET6)
            continue;
        dial->descriptor = begin(address, dial->port);
        if (dial->descriptor < 0) {
            dial->reason = strerror(errno);
            continue;
        }
        struct timeval wait = milliseconds(dial->next ? DIALER_ADDRESS_MS : DIALER_TIMEOUT_MS);
        int failed = event_assign(&dial->connect, dial->dialer->loop->base, dial->descriptor,
                                  EV_WRITE, on_connect, dial);
        failed |= event_add(&dial->connect, &wait);
        check(!failed);
        return;
    }
    finish(dial, -1, dial->reason);
}

static void on_connect(evutil_socket_t descriptor, short what, void *context)
{
    struct dial *dial = context;
    int error = 0;
    socklen_t size = sizeof(error);
    if (what & EV_TIMEOUT)
        error = ETIMEDOUT;
    else if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0) {
        finish(dial, descriptor, NULL);
        return;
    }
    event_del(&dial->connect);
    close(descriptor);
    dial->descriptor = -1;
    dial->reason = strerror(error);
    try_next(dial);
}

static void on_step(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    try_next(context);
}

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    finish(context, -1, strerror(ETIMEDOUT));
}

static void found(struct dial *dial, struct lookup *lookup)
{
    dial->lookup = NULL;
    dial->addresses = dial->next = lookup->addresses;
    lookup->addresses = NULL;
    dial->reason = lookup->failure ? gai_strerror(lookup->failure) : "no address";
    try_next(dial);
}

static void on_found(void *context)
{
    struct dialer *dialer = context;
    struct resolver *resolver = dialer->resolver;
    struct list ready;
    list_init(&ready);
    uint64_t count;
    ssize_t got = read(resolver->wake, &count, sizeof(count));
    (void)got;
    pthread_mutex_lock(&resolver->mutex);
    list_splice(&ready, &resolver->ready);
    pthread_mutex_unlock(&resolver->mutex);
    while (!list_is_empty(&ready)) {
        struct lookup *lookup = list_entry(ready.next, struct lookup, at);
        list_remove(&lookup->at);
        if (lookup->dial)
            found(lookup->dial, lookup);
        lookup_free(lookup);
    }
}

/* ---- the dialer ------------------------------------------------------------------------------
 */

struct dialer *dialer_new(struct loop *loop)
{
    struct dialer *dialer = memory_zeroed(sizeof(*dialer));
    dialer->loop = loop;
    dialer->resolver = resolver_new();
    dialer->watch = loop_watch_readable(loop, dialer->resolver->wake, on_found, dialer);
    return dialer;
}

void dialer_free(struct dialer *dialer)
{
    if (!dialer)
        return;
    check(dialer->dials == 0);
    watch_free(dialer->watch);
    pthread_mutex_lock(&dialer->resolver->mutex);
    dialer->resolver->stopping = true;
    pthread_cond_broadcast(&dialer->resolver->wanted);
    resolver_leave(dialer->resolver);
    memory_free(dialer);
}

struct dial *dialer_dial(struct dialer *dialer, const char *host, uint16_t port,
                         void (*done)(void *context, int descriptor, const char *reason),
                         void *context)
{
    struct dial *dial = memory_zeroed(sizeof(*dial));
    dial->dialer = dialer;
    dial->done = done;
    dial->context = context;
    dial->port = port;
    dial->descriptor = -1;
    dial->reason = "no address";
    dialer->dials++;
    struct event_base *base = dialer->loop->base;
    struct timeval wait = milliseconds(DIALER_TIMEOUT_MS);
    int failed = evtimer_assign(&dial->step, base, on_step, dial);
    failed |= evtimer_assign(&dial->connect, base, on_step, dial);
    failed |= evtimer_assign(&dial->timer, base, on_timer, dial);
    failed |= event_add(&dial->timer, &wait);
    check(!failed);
    /* An address is no name: nobody has to be asked. */
    bool known = resolve(host, AI_NUMERICHOST, &dial->addresses) == 0;
    dial->next = dial->addresses;
    if (!known)
        dial->reason = "too many names are being looked up";
    if (known || strlen(host) >= DIALER_HOST_MAX || !ask(dial, host))
        event_active(&dial->step, EV_TIMEOUT, 0);
    return dial;
}

void dial_cancel(struct dial *dial)
{
    if (dial)
        dial_free(dial);
}
