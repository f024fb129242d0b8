/* SPDX-License-Identifier: MIT */
/* The storage threads: order, where what runs, the wake, draining. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/workers.h"

enum { JOBS = 5000, NICE_MAX = 19 };

struct world {
    struct workers *workers;
    int wake_fd;
    pthread_t core;
    unsigned ran
        [JOBS]; /* numbers of jobs in the order in which they ran; of one class with one thread */
    atomic_uint ran_count;
    unsigned done_count;
};

struct probe {
    struct job job;
    struct world *world;
    unsigned number;
    enum job_class class;
    unsigned again; /* times that `done` submits it anew */
    int nice;
    bool gated; /* runs only once `open` is set */
    atomic_bool *open;
};

static void probe_run(struct job *job)
{
    struct probe *probe = list_entry(job, struct probe, job);
    assert_false(pthread_equal(pthread_self(), probe->world->core));
    while (probe->gated && !atomic_load(probe->open))
        usleep(100);
    probe->nice = getpriority(PRIO_PROCESS, 0);
    unsigned at = atomic_fetch_add(&probe->world->ran_count, 1);
    if (probe->class != JOB_READ)
        probe->world->ran[at] = probe->number;
}

static void probe_done(struct job *job)
{
    struct probe *probe = list_entry(job, struct probe, job);
    struct world *world = probe->world;
    assert_true(pthread_equal(pthread_self(), world->core));
    world->done_count++;
    if (probe->again > 0) {
        probe->again--;
        world->workers->ops->submit(world->workers, probe->class, &probe->job);
    }
}

static struct probe probe_of(struct world *world, enum job_class class, unsigned number)
{
    return (struct probe){.job = {.run = probe_run, .done = probe_done},
                          .world = world,
                          .number = number,
                          .class = class};
}

static int setup(void **state)
{
    static struct world world;
    world = (struct world){.core = pthread_self()};
    world.workers = workers_threads_new(2, &world.wake_fd);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    world->workers->ops->free(world->workers);
    return 0;
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void test_one_class_runs_in_order(void **state)
{
    struct world *world = *state;
    static struct probe probes[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        probes[i] = probe_of(world, JOB_BACKGROUND, i);
        world->workers->ops->submit(world->workers, JOB_BACKGROUND, &probes[i].job);
        if (i % 100 == 0)
            world->workers->ops->poll(world->workers);
    }
    world->workers->ops->drain(world->workers);
    assert_int_equal(world->done_count, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(world->ran[i], i);
}

static void test_every_read_runs_once(void **state)
{
    struct world *world = *state;
    static struct probe probes[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        probes[i] = probe_of(world, JOB_READ, i);
        world->workers->ops->submit(world->workers, JOB_READ, &probes[i].job);
    }
    world->workers->ops->drain(world->workers);
    assert_int_equal(atomic_load(&world->ran_count), JOBS);
    assert_int_equal(world->done_count, JOBS);
}

static void test_the_wake_is_readable_while_something_is_due(void **state)
{
    struct world *world = *state;
    struct workers *workers = world->workers;
    assert_false(readable(world->wake_fd));
    assert_int_equal(workers->ops->poll(workers), 0);

    struct probe first = probe_of(world, JOB_SYNC, 0), second = probe_of(world, JOB_SYNC, 1);
    workers->ops->submit(workers, JOB_SYNC, &first.job);
    workers->ops->submit(workers, JOB_SYNC, &second.job);
    unsigned called = 0;
    while (called < 2) {
        struct pollfd wake = {.fd = world->wake_fd, .events = POLLIN};
        assert_int_equal(poll(&wake, 1, -1), 1);
        unsigned now = workers->ops->poll(workers);
        assert_true(now > 0);
        called += now;
    }
    assert_false(readable(world->wake_fd));
    assert_int_equal(workers->ops->poll(workers), 0);
}

/* A class that is stuck holds up no other. */
static void test_classes_do_not_wait_for_each_other(void **state)
{
    struct world *world = *state;
    struct workers *workers = world->workers;
    atomic_bool open = false;
    struct probe stuck = probe_of(world, JOB_BACKGROUND, 0);
    stuck.gated = true;
    stuck.open = &open;
    struct probe sync = probe_of(world, JOB_SYNC, 1), read = probe_of(world, JOB_READ, 2);
    workers->ops->submit(workers, JOB_BACKGROUND, &stuck.job);
    workers->ops->submit(workers, JOB_SYNC, &sync.job);
    workers->ops->submit(workers, JOB_READ, &read.job);
    while (world->done_count < 2)
        workers->ops->poll(workers);
    atomic_store(&open, true);
    workers->ops->drain(workers);
    assert_int_equal(world->done_count, 3);
    assert_true(stuck.nice > sync.nice || sync.nice == NICE_MAX);
    assert_int_equal(sync.nice, read.nice);
}

static void test_draining_includes_what_done_submits(void **state)
{
    struct world *world = *state;
    struct probe probes[JOB_CLASSES];
    for (unsigned i = 0; i < JOB_CLASSES; i++) {
        probes[i] = probe_of(world, (enum job_class)i, i);
        probes[i].again = 100;
        world->workers->ops->submit(world->workers, probes[i].class, &probes[i].job);
    }
    world->workers->ops->drain(world->workers);
    assert_int_equal(world->done_count, 101 * JOB_CLASSES);
    assert_false(readable(world->wake_fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_class_runs_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_read_runs_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_wake_is_readable_while_something_is_due, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_classes_do_not_wait_for_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_draining_includes_what_done_submits, setup, teardown),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
