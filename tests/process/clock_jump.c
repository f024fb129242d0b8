/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a server (LD_PRELOAD): its wall clock is wrong by as many nanoseconds as stand,
 * as a native int64_t, in the file CLOCK_JUMP_FILE, which may change at any time. The monotonic
 * clock stays right. libfaketime does not get along with jemalloc.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

static const volatile int64_t *wrong_by_ns;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_JUMP_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof(*wrong_by_ns), PROT_READ, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED)
        wrong_by_ns = memory;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result || !wrong_by_ns || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return result;
    int64_t ns = (int64_t)out->tv_sec * NS_PER_S + out->tv_nsec + *wrong_by_ns;
    out->tv_sec = ns / NS_PER_S;
    out->tv_nsec = ns % NS_PER_S;
    return 0;
}
