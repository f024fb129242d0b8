/* SPDX-License-Identifier: MIT */
/*
 * The last commands that took long, newest first, with as much of their arguments as Redis keeps.
 * Secrets are not kept: who runs a command has put "(redacted)" in their place before.
 */
#ifndef OBSERVE_SLOWLOG_H
#define OBSERVE_SLOWLOG_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

enum {
    SLOWLOG_ARGUMENTS_MAX = 32, /* of a command with more the last one says how many more */
    SLOWLOG_ARGUMENT_MAX = 128, /* bytes of one, then how many more */
};

struct slowlog {
    struct list entries; /* newest first */
    uint64_t count;
    uint64_t next_id; /* never reset */
};

struct slowlog_entry {
    struct list link;
    uint64_t id;
    uint64_t time_s; /* Unix time of its end */
    uint64_t duration_us;
    uint32_t argc;
    struct bytes *argv;
    struct bytes address, name; /* of the client; the name empty for none */
};

void slowlog_init(struct slowlog *slowlog);

/* Keeps a copy of the facts (link, id are not looked at), and of all entries the newest `max`. */
void slowlog_add(struct slowlog *slowlog, const struct slowlog_entry *facts, uint64_t max);

/* Forgets all. */
void slowlog_reset(struct slowlog *slowlog);

#endif
