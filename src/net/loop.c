/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include "base/check.h"
#include "base/memory.h"
#include "net/loop_base.h"

struct watch {
    struct event *event;
    void (*ready)(void *context);
    void *context;
};

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    struct loop *loop = context;
    loop->armed_ms = 0;
}

struct loop *loop_new(void)
{
    struct event_config *config = event_config_new();
    check(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct loop *loop = memory_alloc(sizeof(*loop));
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    check(loop->base);
    loop->timer = evtimer_new(loop->base, on_timer, loop);
    check(loop->timer);
    loop->armed_ms = 0;
    return loop;
}

const char *loop_method(const struct loop *loop)
{
    return event_base_get_method(loop->base);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    event_free(loop->timer);
    event_base_free(loop->base);
    memory_free(loop);
}

void loop_run_once(struct loop *loop, uint64_t now_ms, uint64_t deadline_ms)
{
    int result;
    if (deadline_ms <= now_ms) {
        result = event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        check(result >= 0);
        return;
    }
    /* Under load the deadline stays the same over many turns, and so does the timer. */
    if (loop->armed_ms != deadline_ms) {
        uint64_t wait_ms = deadline_ms - now_ms;
        if (wait_ms > LOOP_WAIT_MAX_MS)
            wait_ms = LOOP_WAIT_MAX_MS;
        struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
        result = event_add(loop->timer, &wait);
        check(result == 0);
        loop->armed_ms = deadline_ms;
    }
    result = event_base_loop(loop->base, EVLOOP_ONCE);
    check(result >= 0);
}

static void on_ready(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    struct watch *watch = context;
    watch->ready(watch->context);
}

static struct watch *watch_new(struct loop *loop, int number, short what,
                               void (*ready)(void *context), void *context)
{
    struct watch *watch = memory_alloc(sizeof(*watch));
    watch->ready = ready;
    watch->context = context;
    watch->event = event_new(loop->base, number, what | EV_PERSIST, on_ready, watch);
    check(watch->event);
    int result = event_add(watch->event, NULL);
    check(result == 0);
    return watch;
}

struct watch *loop_watch_readable(struct loop *loop, int descriptor, void (*ready)(void *context),
                                  void *context)
{
    return watch_new(loop, descriptor, EV_READ, ready, context);
}

struct watch *loop_watch_signal(struct loop *loop, int signal, void (*ready)(void *context),
                                void *context)
{
    return watch_new(loop, signal, EV_SIGNAL, ready, context);
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    event_free(watch->event);
    memory_free(watch);
}
