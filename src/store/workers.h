/* SPDX-License-Identifier: MIT */
/*
 * The storage threads: what blocks runs there, so the core never does. Everything outside a job's
 * `run` stays on the core thread. A simulator implements the same interface and runs jobs when its
 * virtual clock says so.
 */
#ifndef STORE_WORKERS_H
#define STORE_WORKERS_H

#include <stdint.h>

#include "base/list.h"
#include "base/status.h"

enum job_class {
    JOB_SYNC,       /* log syncs: one thread of its own */
    JOB_READ,       /* cold reads: a few threads */
    JOB_BACKGROUND, /* sealing, purging, checkpoints: one thread at low priority */
    JOB_CLASSES,
};

/* Embedded in the caller's struct, which lives until `done` has been called. */
struct job {
    void (*run)(struct job *job);  /* on a storage thread; touches nothing that the core may change
                                      meanwhile */
    void (*done)(struct job *job); /* on the core thread, later; may submit and may free the job */
    struct list link;              /* of the workers */
    enum job_class class;          /* the workers', as is the next */
    uint64_t run_ns;               /* that `run` took */
};

struct workers;

struct workers_ops {
    void (*submit)(struct workers *workers, enum job_class class, struct job *job);
    /* Calls `done` of the jobs that have run; returns how many. The core calls it each turn. */
    unsigned (*poll)(struct workers *workers);
    /* Waits until every submitted job has run and its `done` was called. */
    void (*drain)(struct workers *workers);
    void (*free)(struct workers *workers); /* drained before */
    /* The longest `run` of the class since it was last asked, in nanoseconds. NULL: not known. */
    uint64_t (*take_slowest)(struct workers *workers, enum job_class class);
};

struct workers {
    const struct workers_ops *ops;
};

/* Real threads. *out_wake_fd becomes readable when `poll` has something to do, and is cleared by
 * it. */
struct workers *workers_threads_new(unsigned read_threads, int *out_wake_fd);

#endif
