/* SPDX-License-Identifier: MIT */
#include "sim/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"

enum {
    AHEAD_MAX = 1024, /* pieces that may be done while an earlier one isn't */
    READ_SIZE = 4096,
};

struct process {
    pid_t pid;
    int socket; /* numbers go out, results come in */
    int said;   /* a file in memory: its stderr */
    bool busy;
    uint64_t number; /* of the piece that it has */
};

struct finished {
    bool there, died;
    char *result;
    struct buffer said;
};

struct running {
    const struct jobs *jobs;
    struct process *processes;
    struct finished *finished; /* of number modulo AHEAD_MAX */
    uint64_t next, told;       /* the next one to be begun, and to be told */
};

/* False: the other side is gone. */
static bool read_whole(int fd, void *out, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = read(fd, (char *)out + at, size - at);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool write_whole(int fd, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* ---- one process ----------------------------------------------------------------------------- */

static _Noreturn void work(const struct jobs *jobs, int socket)
{
    uint64_t number;
    char *result = memory_alloc(jobs->result_size);
    do {
        if (!read_whole(socket, &number, sizeof(number)))
            _exit(0);
        memset(result, 0, jobs->result_size);
        jobs->run(jobs->context, number, result);
        fflush(stderr);
    } while (write_whole(socket, result, jobs->result_size));
    _exit(0);
}

static void begin(struct running *running, struct process *process)
{
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    process->said = memfd_create("said", 0);
    check(process->said >= 0 && fcntl(process->said, F_SETFL, O_APPEND) == 0);
    fflush(NULL);
    process->pid = fork();
    check(process->pid >= 0);
    if (process->pid == 0) {
        /* Whatever happens to this program, none of its processes stays. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < running->jobs->processes; i++)
            if (running->processes[i].pid > 0)
                close(running->processes[i].socket);
        close(ends[0]);
        dup2(process->said, STDERR_FILENO);
        work(running->jobs, ends[1]);
    }
    close(ends[1]);
    process->socket = ends[0];
    process->busy = false;
}

static void end(struct process *process)
{
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    close(process->socket);
    close(process->said);
    process->pid = 0;
}

static void give(struct running *running, struct process *process)
{
    process->number = running->next++;
    process->busy = true;
    /* Should it be dead, that shows when its result is read. */
    (void)write_whole(process->socket, &process->number, sizeof(process->number));
}

static void take_said(struct process *process, struct buffer *out)
{
    ssize_t size;
    off_t at = 0;
    do {
        size = pread(process->said, buffer_reserve(out, READ_SIZE), READ_SIZE, at);
        if (size > 0)
            buffer_commit(out, (size_t)size);
        at += size;
    } while (size > 0);
    check(ftruncate(process->said, 0) == 0);
}

static void collect(struct running *running, struct process *process)
{
    const struct jobs *jobs = running->jobs;
    struct finished *finished = &running->finished[process->number % AHEAD_MAX];
    *finished = (struct finished){.there = true, .result = memory_zeroed(jobs->result_size)};
    finished->died = !read_whole(process->socket, finished->result, jobs->result_size);
    take_said(process, &finished->said);
    process->busy = false;
    if (!finished->died)
        return;
    memset(finished->result, 0, jobs->result_size);
    end(process);
    begin(running, process);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void give_all(struct running *running)
{
    for (unsigned i = 0; i < running->jobs->processes; i++)
        if (!running->processes[i].busy && running->next < running->jobs->count &&
            running->next < running->told + AHEAD_MAX)
            give(running, &running->processes[i]);
}

static void collect_some(struct running *running)
{
    struct pollfd fds[JOBS_PROCESSES_MAX];
    unsigned count = running->jobs->processes;
    for (unsigned i = 0; i < count; i++) {
        const struct process *process = &running->processes[i];
        fds[i] = (struct pollfd){.fd = process->busy ? process->socket : -1, .events = POLLIN};
    }
    if (poll(fds, count, -1) < 0) {
        check(errno == EINTR);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        if (fds[i].revents != 0)
            collect(running, &running->processes[i]);
}

static void forget(struct finished *finished)
{
    memory_free(finished->result);
    buffer_deinit(&finished->said);
    *finished = (struct finished){0};
}

/* What is finished, up to the first that isn't. False: that is enough. */
static bool tell(struct running *running)
{
    const struct jobs *jobs = running->jobs;
    struct finished *finished;
    bool more = true;
    while (more && (finished = &running->finished[running->told % AHEAD_MAX])->there) {
        more = jobs->take(jobs->context, running->told++, finished->result,
                          buffer_bytes(&finished->said), finished->died);
        forget(finished);
    }
    return more;
}

void jobs_run(const struct jobs *jobs)
{
    struct running running = {.jobs = jobs};
    check(jobs->processes > 0 && jobs->processes <= JOBS_PROCESSES_MAX && jobs->result_size > 0);
    running.processes = memory_zeroed(jobs->processes * sizeof(*running.processes));
    running.finished = memory_zeroed(AHEAD_MAX * sizeof(*running.finished));
    for (unsigned i = 0; i < jobs->processes; i++)
        begin(&running, &running.processes[i]);
    while (running.told < jobs->count && tell(&running) && running.told < jobs->count) {
        give_all(&running);
        collect_some(&running);
    }
    for (unsigned i = 0; i < jobs->processes; i++)
        end(&running.processes[i]);
    for (unsigned i = 0; i < AHEAD_MAX; i++)
        forget(&running.finished[i]);
    memory_free(running.processes);
    memory_free(running.finished);
}
