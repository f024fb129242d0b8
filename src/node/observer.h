/* SPDX-License-Identifier: MIT */
/*
 * What is kept of each command once it has run: counts and times, SLOWLOG, LATENCY.
 *
 * A command's latency runs from its first run to its reply, its waiting for rows from disk and for
 * room included; its busy time is what the core thread worked for it.
 *
 * Reading the clock costs a tenth of a GET. So it is read once a command, each beginning when the
 * one before ends; and of a pipeline's commands that cannot take long (the table says O(1), and
 * little was taken and given) up to OBSERVER_GROUP_MAX share one reading, each with a part as its
 * command usually takes. A group that took long is an event for LATENCY, but which of them it was
 * is not known to SLOWLOG. With a threshold below a millisecond there are no groups.
 */
#ifndef NODE_OBSERVER_H
#define NODE_OBSERVER_H

#include "config/config.h"
#include "observe/latency.h"
#include "observe/slowlog.h"
#include "session/session.h"

enum {
    OBSERVER_GROUP_MAX = 32,
    OBSERVER_GROUP_NAMES = 4,    /* different commands in a group */
    OBSERVER_BRIEF_BYTES = 1024, /* of a request, of a reply: beyond, a command is timed alone */
};

/* The calls of one command in the group under way. */
struct observer_calls {
    unsigned number;
    unsigned count, failed;
};

struct observer {
    const struct config *config;
    struct stats *stats;
    uint64_t (*monotonic_ns)(void *context); /* NULL: time stands still */
    void *context;
    uint64_t last_ns;    /* when the command before ended, or these requests came */
    uint64_t notable_ns; /* what took as long is looked at closer */
    bool *constant;      /* by number: commands that cannot take long */
    bool grouping;
    bool brief; /* the request that is to run is small, and others follow */
    bool joins; /* and its command cannot take long: it is to join the group */
    unsigned group_count, group_names;
    struct observer_calls *last; /* of the group: the command that joined last */
    struct observer_calls group[OBSERVER_GROUP_NAMES];
    struct slowlog slowlog;
    struct latency latency;
};

void observer_init(struct observer *observer, const struct config *config, struct stats *stats,
                   const struct command_set *commands, uint64_t (*monotonic_ns)(void *context),
                   void *context);
void observer_deinit(struct observer *observer);

/* A threshold in the configuration has changed. */
void observer_configure(struct observer *observer);

/* Requests are going to be run; all that could be were. */
void observer_begin(struct observer *observer);
void observer_end(struct observer *observer, uint64_t now_ms);

void observer_end_group(struct observer *observer, uint64_t now_ms);

/* The request is going to run. */
static inline void observer_run(struct observer *observer, const struct request *request)
{
    observer->joins = observer->brief && observer->grouping && observer->constant[request->number];
    if (observer->group_count > 0 && !observer->joins)
        observer_end_group(observer, request->now_ms);
}

/* It has run, and must run again later. */
void observer_suspended(struct observer *observer, struct session *session);

void observer_join_group(struct observer *observer, const struct request *request, bool failed);
void observer_finished_alone(struct observer *observer, struct session *session, bool failed);

/* It is over, its reply of so many bytes written. */
static inline void observer_finished(struct observer *observer, struct session *session,
                                     bool failed, size_t reply_bytes)
{
    struct observer_calls *last = observer->last;
    if (!observer->joins || reply_bytes > OBSERVER_BRIEF_BYTES || session->begun_ns > 0) {
        observer_finished_alone(observer, session, failed);
    } else if (last->number == session->request.number &&
               observer->group_count < OBSERVER_GROUP_MAX - 1) {
        observer->group_count++;
        last->count++;
        last->failed += failed;
    } else {
        observer_join_group(observer, &session->request, failed);
    }
}

/* A request was refused before it ran. */
void observer_rejected(struct observer *observer, struct session *session);

/* An event other than a command took so long. */
void observer_event(struct observer *observer, enum latency_event event, uint64_t now_ms,
                    uint64_t duration_ns);

#endif
