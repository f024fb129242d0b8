/* SPDX-License-Identifier: MIT */
/*
 * The node as operators see it: what INFO, CONFIG, COMMAND and SHUTDOWN work on. Filled in by
 * node/.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "command/request.h"
#include "config/config.h"
#include "observe/latency.h"
#include "observe/slowlog.h"
#include "observe/stats.h"
#include "store/store.h"

struct sessions;

struct admin {
    struct config *config;
    struct store *store;
    struct stats *stats;
    struct sessions *sessions;
    const struct command_set *commands;
    struct slowlog *slowlog;
    struct latency *latency;
    int64_t process_id;
    char run_id[41]; /* 40 hex digits */
    const char *executable;
    uint64_t memory_total; /* of the machine or the control group, bytes; 0: unknown */
    uint64_t memory_limit; /* what maxmemory comes to, bytes; 0: unknown */
    /*
     * What a change of the setting means: told after config->... has changed. NULL: nothing to do.
     */
    void (*config_changed)(void *context, const char *name);
    /*
     * Asks for a stop: the process ends after this turn. `save` seals first; `now`: does not wait
     * for clients.
     */
    void (*shutdown)(void *context, bool save, bool now);
    /* CPU time of the process, for INFO: microseconds. */
    void (*cpu_time)(void *context, uint64_t *out_system_us, uint64_t *out_user_us);
    void *context;
};

/* info_commands.c: the sections of INFO about commands, those that were called. */
void info_commandstats(const struct request *request, struct buffer *out);
void info_latencystats(const struct request *request, struct buffer *out);

/* The tables of commands, one for each file of handlers. */
extern const struct command command_commands[]; /* cmd_command.c: COMMAND */
extern const struct command config_commands[];  /* cmd_config.c: CONFIG */
extern const struct command info_commands[];    /* cmd_info.c: INFO */
extern const struct command latency_commands[]; /* cmd_latency.c: LATENCY */
extern const struct command slowlog_commands[]; /* cmd_slowlog.c: SLOWLOG */
extern const struct command server_commands[];  /* cmd_server.c: SHUTDOWN, TIME */

#endif
