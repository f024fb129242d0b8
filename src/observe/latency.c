/* SPDX-License-Identifier: MIT */
#include "observe/latency.h"

const char *latency_event_name(enum latency_event event)
{
    static const char *const names[] = {
#define LATENCY_NAME(name, text) text,
        LATENCY_EVENTS(LATENCY_NAME)
#undef LATENCY_NAME
    };
    return names[event];
}

bool latency_event_find(struct bytes name, bool nocase, enum latency_event *out_event)
{
    for (unsigned i = 0; i < LATENCY_EVENT_COUNT; i++) {
        struct bytes known = bytes_text(latency_event_name(i));
        if (nocase ? bytes_equal_nocase(name, known) : bytes_equal(name, known)) {
            *out_event = i;
            return true;
        }
    }
    return false;
}

void latency_add(struct latency *latency, enum latency_event event, uint64_t now_ms,
                 uint64_t duration_ms)
{
    struct latency_series *series = &latency->series[event];
    uint32_t duration = duration_ms < UINT32_MAX ? (uint32_t)duration_ms : UINT32_MAX;
    uint32_t time_s = (uint32_t)(now_ms / 1000);
    struct latency_sample *last =
        &series->samples[(series->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    if (duration > series->worst_ms)
        series->worst_ms = duration;
    if (last->time_s == time_s) {
        if (duration > last->milliseconds)
            last->milliseconds = duration;
        return;
    }
    series->samples[series->next] = (struct latency_sample){time_s, duration};
    series->next = (series->next + 1) % LATENCY_SAMPLES;
}

bool latency_sample(const struct latency *latency, enum latency_event event, unsigned index,
                    struct latency_sample *out_sample)
{
    const struct latency_series *series = &latency->series[event];
    bool full = series->samples[series->next].time_s != 0;
    unsigned count = full ? (unsigned)LATENCY_SAMPLES : series->next;
    unsigned first = full ? series->next : 0;
    if (index >= count)
        return false;
    *out_sample = series->samples[(first + index) % LATENCY_SAMPLES];
    return true;
}

bool latency_has(const struct latency *latency, enum latency_event event)
{
    struct latency_sample sample;
    return latency_sample(latency, event, 0, &sample);
}

bool latency_reset(struct latency *latency, enum latency_event event)
{
    bool had = latency_has(latency, event);
    latency->series[event] = (struct latency_series){0};
    return had;
}

struct latency_summary latency_summarize(const struct latency *latency, enum latency_event event,
                                         uint64_t now_ms)
{
    struct latency_summary summary = {.worst_ms = latency->series[event].worst_ms};
    struct latency_sample sample;
    uint64_t sum = 0, distance = 0;
    for (unsigned i = 0; latency_sample(latency, event, i, &sample); i++) {
        uint32_t value = sample.milliseconds;
        if (i == 0) {
            uint64_t now_s = now_ms / 1000;
            summary.least_ms = value;
            summary.period_s = now_s > sample.time_s ? now_s - sample.time_s : 1;
        }
        if (value < summary.least_ms)
            summary.least_ms = value;
        if (value > summary.most_ms)
            summary.most_ms = value;
        sum += value;
        summary.samples++;
    }
    if (summary.samples == 0)
        return summary;
    summary.mean_ms = (uint32_t)(sum / summary.samples);
    for (unsigned i = 0; latency_sample(latency, event, i, &sample); i++) {
        uint32_t value = sample.milliseconds;
        distance += value > summary.mean_ms ? value - summary.mean_ms : summary.mean_ms - value;
    }
    summary.deviation_ms = (uint32_t)(distance / summary.samples);
    return summary;
}
