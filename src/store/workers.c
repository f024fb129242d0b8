/* SPDX-License-Identifier: MIT */
#include "store/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"

enum {
    READ_THREADS_MAX = 64,
    /* Above the process's: sealing yields to commands, but must not starve: dirty memory waits. */
    BACKGROUND_NICE = 5,
};

/* The threads of one class and the jobs that they have not taken yet. */
struct pool {
    struct workers_threads *owner;
    enum job_class class;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list jobs; /* under lock */
    bool stopping;    /* under lock */
    unsigned threads;
    pthread_t thread[READ_THREADS_MAX];
};

struct workers_threads {
    struct workers workers;
    struct pool pools[JOB_CLASSES];
    uint64_t slowest_ns[JOB_CLASSES]; /* the core's */
    uint64_t pending;                 /* submitted, `done` not called yet; the core's */

    pthread_mutex_t ran_lock;
    struct list ran; /* jobs whose `done` is due; under ran_lock */
    int wake_fd;     /* readable exactly while `ran` is not empty; changed under ran_lock */
};

static struct workers_threads *threads_of(struct workers *workers)
{
    return list_entry(workers, struct workers_threads, workers);
}

/* Hands a job back; wakes the core unless it has been woken and has not polled yet. */
static void hand_back(struct workers_threads *self, struct job *job)
{
    pthread_mutex_lock(&self->ran_lock);
    bool wake = list_is_empty(&self->ran);
    list_append(&self->ran, &job->link);
    if (wake) {
        uint64_t one = 1;
        check(write(self->wake_fd, &one, sizeof(one)) == sizeof(one));
    }
    pthread_mutex_unlock(&self->ran_lock);
}

static void thread_prepare(const struct pool *pool)
{
    static const char *const names[JOB_CLASSES] = {
        [JOB_SYNC] = "shoal-sync", [JOB_READ] = "shoal-read", [JOB_BACKGROUND] = "shoal-seal"};
    pthread_setname_np(pthread_self(), names[pool->class]);
    /* On Linux niceness belongs to the thread, and 0 means the calling one. Refused: then it runs
     * as the others do. */
    if (pool->class == JOB_BACKGROUND)
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + BACKGROUND_NICE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *thread_main(void *argument)
{
    struct pool *pool = argument;
    thread_prepare(pool);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (list_is_empty(&pool->jobs) && !pool->stopping)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (list_is_empty(&pool->jobs))
            break;
        struct job *job = list_entry(pool->jobs.next, struct job, link);
        list_remove(&job->link);
        pthread_mutex_unlock(&pool->lock);
        uint64_t begin_ns = now_ns();
        job->run(job);
        job->run_ns = now_ns() - begin_ns;
        job->class = pool->class;
        hand_back(pool->owner, job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void pool_start(struct pool *pool, struct workers_threads *owner, enum job_class class,
                       unsigned threads)
{
    pool->owner = owner;
    pool->class = class;
    pool->threads = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    list_init(&pool->jobs);
    for (unsigned i = 0; i < threads; i++)
        check(pthread_create(&pool->thread[i], NULL, thread_main, pool) == 0);
}

static void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    check(list_is_empty(&pool->jobs));
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++)
        check(pthread_join(pool->thread[i], NULL) == 0);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

static void threads_submit(struct workers *workers, enum job_class class, struct job *job)
{
    struct workers_threads *self = threads_of(workers);
    struct pool *pool = &self->pools[class];
    self->pending++;
    pthread_mutex_lock(&pool->lock);
    list_append(&pool->jobs, &job->link);
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static unsigned threads_poll(struct workers *workers)
{
    struct workers_threads *self = threads_of(workers);
    if (self->pending == 0)
        return 0;

    struct list ran;
    list_init(&ran);
    pthread_mutex_lock(&self->ran_lock);
    if (!list_is_empty(&self->ran)) {
        uint64_t count;
        check(read(self->wake_fd, &count, sizeof(count)) == sizeof(count));
        list_splice(&ran, &self->ran);
    }
    pthread_mutex_unlock(&self->ran_lock);

    unsigned called = 0;
    while (!list_is_empty(&ran)) {
        struct job *job = list_entry(ran.next, struct job, link);
        list_remove(&job->link);
        if (job->run_ns > self->slowest_ns[job->class])
            self->slowest_ns[job->class] = job->run_ns;
        self->pending--;
        called++;
        job->done(job);
    }
    return called;
}

static void threads_drain(struct workers *workers)
{
    struct workers_threads *self = threads_of(workers);
    while (self->pending > 0) {
        if (threads_poll(workers) > 0)
            continue;
        struct pollfd wake = {.fd = self->wake_fd, .events = POLLIN};
        check(poll(&wake, 1, -1) >= 0 || errno == EINTR);
    }
}

static uint64_t threads_take_slowest(struct workers *workers, enum job_class class)
{
    struct workers_threads *self = threads_of(workers);
    uint64_t slowest_ns = self->slowest_ns[class];
    self->slowest_ns[class] = 0;
    return slowest_ns;
}

static void threads_free(struct workers *workers)
{
    if (!workers)
        return;
    struct workers_threads *self = threads_of(workers);
    check(self->pending == 0);
    for (unsigned class = 0; class < JOB_CLASSES; class ++)
        pool_stop(&self->pools[class]);
    pthread_mutex_destroy(&self->ran_lock);
    close(self->wake_fd);
    memory_free(self);
}

struct workers *workers_threads_new(unsigned read_threads, int *out_wake_fd)
{
    static const struct workers_ops ops = {threads_submit, threads_poll, threads_drain,
                                           threads_free, threads_take_slowest};
    check(read_threads >= 1 && read_threads <= READ_THREADS_MAX);
    struct workers_threads *self = memory_zeroed(sizeof(*self));
    self->workers.ops = &ops;
    pthread_mutex_init(&self->ran_lock, NULL);
    list_init(&self->ran);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(self->wake_fd >= 0);

    /* The process's signals are the main thread's: the new threads inherit a mask that blocks them
     * all. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pool_start(&self->pools[JOB_SYNC], self, JOB_SYNC, 1);
    pool_start(&self->pools[JOB_READ], self, JOB_READ, read_threads);
    pool_start(&self->pools[JOB_BACKGROUND], self, JOB_BACKGROUND, 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    *out_wake_fd = self->wake_fd;
    return &self->workers;
}
