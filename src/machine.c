/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

uint64_t machine_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t machine_monotonic_ns(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void machine_random(void *out, unsigned size)
{
    /* Whole up to 256 bytes, and never short of randomness once the system has booted. */
    check(size <= 256);
    ssize_t got = getrandom(out, size, 0);
    check(got == (ssize_t)size);
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void cpu_time_of(int who, uint64_t *out_system_us, uint64_t *out_user_us)
{
    struct rusage usage = {0};
    getrusage(who, &usage);
    *out_system_us = microseconds(usage.ru_stime);
    *out_user_us = microseconds(usage.ru_utime);
}

void machine_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    (void)context;
    cpu_time_of(RUSAGE_SELF, out_system_us, out_user_us);
}

void machine_thread_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    (void)context;
    cpu_time_of(RUSAGE_THREAD, out_system_us, out_user_us);
}

void machine_sleep(void *context, uint64_t us)
{
    (void)context;
    struct timespec left = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000};
    while (nanosleep(&left, &left) != 0)
        continue; /* a signal */
}

const char *machine_system(void)
{
    static char text[256];
    struct utsname name;
    if (text[0] == 0 && uname(&name) == 0)
        snprintf(text, sizeof(text), "%.80s %.80s %.80s", name.sysname, name.release, name.machine);
    return text;
}

uint64_t machine_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t allowed = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (allowed < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        allowed = limit.rlim_max;
    return allowed;
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The number in a file; UINT64_MAX where there is none ("max", or no such file). */
static uint64_t limit_in(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    unsigned long long limit = 0;
    int found = fscanf(file, "%llu", &limit);
    fclose(file);
    return found == 1 ? limit : UINT64_MAX;
}

/* The least limit of a group and of those that it is in: `group` is cut off from its end. */
static uint64_t limit_of_group(const char *root, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[PATH_MAX];
        int size = snprintf(path, sizeof(path), "%s%s/%s", root, group, file);
        if (size > 0 && (size_t)size < sizeof(path))
            least = smaller(least, limit_in(path));
        char *parent = strrchr(group, '/');
        if (!parent)
            return least;
        *parent = 0;
    }
}

/* The lines of /proc/self/cgroup are "hierarchy:controllers:/group"; version 2 names no
 * controllers. */
static uint64_t limit_of_groups(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return UINT64_MAX;
    uint64_t least = UINT64_MAX;
    char line[PATH_MAX];
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        if (controllers[1] == 0)
            least = smaller(least, limit_of_group("/sys/fs/cgroup", group, "memory.max"));
        else if (strstr(controllers, "memory"))
            least = smaller(
                least, limit_of_group("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
    fclose(file);
    return least;
}

uint64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    uint64_t installed =
        pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_MAX;
    uint64_t limit = smaller(installed, limit_of_groups());
    return limit == UINT64_MAX ? 0 : limit;
}

uint64_t machine_resident(void *context)
{
    (void)context;
    unsigned long long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int got = fscanf(file, "%llu %llu", &size, &pages);
    fclose(file);
    return got == 2 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
