/* SPDX-License-Identifier: MIT */
#include "sim/sim_clock.h"

#include "base/check.h"
#include "base/memory.h"

void sim_clock_init(struct sim_clock *clock)
{
    *clock = (struct sim_clock){0};
}

void sim_clock_deinit(struct sim_clock *clock)
{
    memory_free(clock->heap);
}

static bool is_before(const struct sim_timer *a, const struct sim_timer *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void put(struct sim_clock *clock, size_t place, struct sim_timer *timer)
{
    clock->heap[place - 1] = timer;
    timer->place = place;
}

static void rise(struct sim_clock *clock, struct sim_timer *timer)
{
    size_t place = timer->place;
    while (place > 1 && is_before(timer, clock->heap[place / 2 - 1])) {
        put(clock, place, clock->heap[place / 2 - 1]);
        place /= 2;
    }
    put(clock, place, timer);
}

static void sink(struct sim_clock *clock, struct sim_timer *timer)
{
    size_t place = timer->place;
    for (size_t child = place * 2; child <= clock->count; child = place * 2) {
        if (child < clock->count && is_before(clock->heap[child], clock->heap[child - 1]))
            child++;
        if (!is_before(clock->heap[child - 1], timer))
            break;
        put(clock, place, clock->heap[child - 1]);
        place = child;
    }
    put(clock, place, timer);
}

void sim_timer_set(struct sim_clock *clock, struct sim_timer *timer, uint64_t at_us)
{
    timer->at_us = at_us > clock->now_us ? at_us : clock->now_us;
    timer->order = clock->orders++;
    if (timer->place == 0) {
        if (clock->count == clock->room) {
            clock->room = clock->room * 2 + 64;
            clock->heap = memory_resize(clock->heap, clock->room * sizeof(*clock->heap));
        }
        put(clock, ++clock->count, timer);
    }
    rise(clock, timer);
    sink(clock, timer);
}

void sim_timer_advance(struct sim_clock *clock, struct sim_timer *timer, uint64_t at_us)
{
    if (timer->place == 0 || at_us < timer->at_us)
        sim_timer_set(clock, timer, at_us);
}

void sim_timer_cancel(struct sim_clock *clock, struct sim_timer *timer)
{
    if (timer->place == 0)
        return;
    check(clock->heap[timer->place - 1] == timer);
    struct sim_timer *last = clock->heap[--clock->count];
    size_t place = timer->place;
    timer->place = 0;
    if (last == timer)
        return;
    put(clock, place, last);
    rise(clock, last);
    sink(clock, last);
}

bool sim_clock_step(struct sim_clock *clock, uint64_t until_us)
{
    struct sim_timer *next = clock->count > 0 ? clock->heap[0] : NULL;
    if (!next || next->at_us > until_us) {
        if (until_us > clock->now_us)
            clock->now_us = until_us;
        return false;
    }
    clock->now_us = next->at_us;
    sim_timer_cancel(clock, next);
    clock->fired++;
    next->fire(next->context);
    return true;
}
