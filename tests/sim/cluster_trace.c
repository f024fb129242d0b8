/* SPDX-License-Identifier: MIT */
#include "sim/cluster_trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/xxh.h"

enum { LINE_MAX_SIZE = 600 };

static void take(struct cluster_trace *trace, const char *line, size_t size)
{
    uint64_t facts[3] = {trace->hash, trace->clock->now_us, xxh64(bytes_of(line, size))};
    trace->hash = xxh64(bytes_of(facts, sizeof(facts)));
    if (trace->told)
        printf("%11.6f %.*s\n", (double)trace->clock->now_us / SIM_SECOND, (int)size, line);
}

static size_t size_of(int printed, size_t room)
{
    return printed < 0 ? 0 : (size_t)printed < room ? (size_t)printed : room - 1;
}

void trace_tell(struct cluster_trace *trace, const char *format, ...)
{
    char line[LINE_MAX_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    take(trace, line, size_of(size, sizeof(line)));
}

void trace_mix(struct cluster_trace *trace, uint64_t fact)
{
    uint64_t facts[2] = {trace->hash, fact};
    trace->hash = xxh64(bytes_of(facts, sizeof(facts)));
}

void trace_fail(struct cluster_trace *trace, const char *checker, const char *format, ...)
{
    char line[CLUSTER_FAILURE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    trace_tell(trace, "FAILED %s: %s", checker, line);
    if (trace->failed)
        return;
    trace->failed = true;
    snprintf(trace->checker, sizeof(trace->checker), "%s", checker);
    snprintf(trace->failure, sizeof(trace->failure), "%s", line);
}
