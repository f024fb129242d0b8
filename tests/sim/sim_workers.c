/* SPDX-License-Identifier: MIT */
#include "sim/sim_workers.h"

#include "base/memory.h"
#include "base/random.h"

struct sim_workers {
    struct workers base;
    struct random random;
    struct list waiting[JOB_CLASSES];
    struct list ran;
    unsigned late_odds;
};

static struct sim_workers *self_of(struct workers *workers)
{
    return (struct sim_workers *)workers;
}

static unsigned length_of(const struct list *head)
{
    unsigned length = 0;
    for (const struct list *link = head->next; link != head; link = link->next)
        length++;
    return length;
}

static void sim_submit(struct workers *workers, enum job_class class, struct job *job)
{
    list_append(&self_of(workers)->waiting[class], &job->link);
}

/* Those that have run by now; what their `done` submits has not. */
static unsigned sim_poll(struct workers *workers)
{
    struct sim_workers *self = self_of(workers);
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &self->ran);
    unsigned count = 0;
    while (!list_is_empty(&batch)) {
        struct job *job = list_entry(batch.next, struct job, link);
        list_remove(&job->link);
        if (self->late_odds && random_once_in(&self->random, self->late_odds)) {
            list_append(&self->ran, &job->link);
            continue;
        }
        job->done(job);
        count++;
    }
    return count;
}

static void sim_drain(struct workers *workers)
{
    struct sim_workers *self = self_of(workers);
    while (sim_workers_step(self) || sim_poll(workers) > 0 || !list_is_empty(&self->ran))
        continue;
}

static void sim_free(struct workers *workers)
{
    sim_workers_free(self_of(workers));
}

static const struct workers_ops sim_ops = {
    .submit = sim_submit,
    .poll = sim_poll,
    .drain = sim_drain,
    .free = sim_free,
};

struct sim_workers *sim_workers_new(uint64_t seed)
{
    struct sim_workers *workers = memory_zeroed(sizeof(*workers));
    workers->base.ops = &sim_ops;
    workers->random.state = seed;
    for (unsigned class = 0; class < JOB_CLASSES; class ++)
        list_init(&workers->waiting[class]);
    list_init(&workers->ran);
    return workers;
}

struct workers *sim_workers_interface(struct sim_workers *workers)
{
    return &workers->base;
}

void sim_workers_free(struct sim_workers *workers)
{
    memory_free(workers);
}

bool sim_workers_step(struct sim_workers *workers)
{
    unsigned first = (unsigned)random_below(&workers->random, JOB_CLASSES);
    for (unsigned i = 0; i < JOB_CLASSES; i++) {
        enum job_class class = (first + i) % JOB_CLASSES;
        struct list *waiting = &workers->waiting[class];
        if (list_is_empty(waiting))
            continue;
        struct list *link = waiting->next;
        uint64_t skip = class == JOB_READ ? random_below(&workers->random, length_of(waiting)) : 0;
        while (skip-- > 0)
            link = link->next;
        struct job *job = list_entry(link, struct job, link);
        list_remove(&job->link);
        job->run(job);
        list_append(&workers->ran, &job->link);
        return true;
    }
    return false;
}

void sim_workers_set_late(struct sim_workers *workers, unsigned odds)
{
    workers->late_odds = odds;
}

unsigned sim_workers_waiting(const struct sim_workers *workers)
{
    unsigned count = 0;
    for (unsigned class = 0; class < JOB_CLASSES; class ++)
        count += length_of(&workers->waiting[class]);
    return count;
}

unsigned sim_workers_ran(const struct sim_workers *workers)
{
    return length_of(&workers->ran);
}

void sim_workers_crash(struct sim_workers *workers)
{
    for (unsigned class = 0; class < JOB_CLASSES; class ++)
        list_init(&workers->waiting[class]);
    list_init(&workers->ran);
}
