/* SPDX-License-Identifier: MIT */
/*
 * The node as operators see it: what INFO, CONFIG, COMMAND and SHUTDOWN work on. Filled in by
 * node/.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/cluster_view.h"
#include "command/request.h"
#include "config/config.h"
#include "observe/journal.h"
#include "observe/latency.h"
#include "observe/slowlog.h"
#include "observe/stats.h"
#include "store/store.h"

struct sessions;

enum { ADMIN_ID_SIZE = 41 };

/* A connection to another node, for CLUSTER LINKS. */
struct admin_link {
    uint64_t node;
    bool dialed; /* by this node, which sends on it; on the others it hears */
    uint64_t since_ms;
    uint64_t output_bytes; /* not yet sent */
    uint64_t messages_in, messages_out;
};

/* What the commands of a cluster work on. */
struct admin_cluster {
    uint64_t node;
    /* See cluster_survey.h. */
    void (*survey)(void *context, struct arena *arena, struct cluster_view *out);
    /* By index 0.. until false. */
    bool (*link_at)(void *context, size_t index, struct admin_link *out);
    /* Begins to find out who is at that address, and to join. */
    void (*meet)(void *context, const char *host, uint16_t port, uint16_t bus_port);
    /* Removes another node for good. STATUS_ABSENT: nobody knows it; STATUS_INVALID: not now. */
    enum status (*forget)(void *context, uint64_t node);
    /* Appends lines "name:value" for INFO: what quorums and copies are doing. */
    void (*describe)(void *context, struct buffer *out);
    void *context;
};

struct admin {
    struct config *config;
    struct store *store;
    struct stats *stats;
    struct sessions *sessions;
    struct journal *journal;
    const struct command_set *commands;
    const struct admin_cluster *cluster; /* NULL: none is enabled */
    struct slowlog *slowlog;
    struct latency *latency;
    int64_t process_id;
    char run_id[ADMIN_ID_SIZE];         /* 40 hex digits */
    char replication_id[ADMIN_ID_SIZE]; /* the same */
    const char *system;                 /* what it runs on */
    const char *event_method;           /* "epoll" */
    const char *executable;
    uint64_t memory_total; /* of the machine or the control group, bytes; 0: unknown */
    uint64_t memory_limit; /* what maxmemory comes to, bytes; 0: unknown */
    uint64_t memory_start; /* what it took when it had opened its data, bytes */
    /*
     * What a change of the setting means: told after config->... has changed. NULL: nothing to do.
     */
    void (*config_changed)(void *context, const char *name);
    /*
     * Listens where `bind` and `port` of the configuration say now. On a failure clients may come
     * nowhere until it is called again, with what was before. NULL: these cannot change.
     */
    enum status (*listen)(void *context, struct buffer *out_error);
    /*
     * Asks for a stop: the process ends after this turn. `save` seals first; `now`: does not wait
     * for clients.
     */
    void (*shutdown)(void *context, bool save, bool now);
    /* CPU time of the process, and of the core thread, for INFO: microseconds. */
    void (*cpu_time)(void *context, uint64_t *out_system_us, uint64_t *out_user_us);
    void (*thread_cpu_time)(void *context, uint64_t *out_system_us, uint64_t *out_user_us);
    /* Physical memory of the process, bytes; 0: unknown. */
    uint64_t (*resident)(void *context);
    /* Stops the core thread for so long (DEBUG SLEEP). */
    void (*sleep)(void *context, uint64_t us);
    void *context;
};

/* info_commands.c: the sections of INFO about commands, those that were called. */
void info_commandstats(const struct request *request, struct buffer *out);
void info_latencystats(const struct request *request, struct buffer *out);

/* Draws such an id. */
void admin_draw_id(struct random *random, char *out_id);

/* The tables of commands, one for each file of handlers. */
extern const struct command acl_commands[];
extern const struct command cluster_commands[];
extern const struct command command_commands[];
extern const struct command config_commands[];
extern const struct command debug_commands[];
extern const struct command info_commands[];
extern const struct command latency_commands[];
extern const struct command lolwut_commands[];
extern const struct command memory_commands[];
extern const struct command module_commands[];
extern const struct command replication_commands[]; /* ROLE, REPLICAOF, WAIT... */
extern const struct command slowlog_commands[];
extern const struct command server_commands[]; /* SHUTDOWN, TIME, SAVE... */

#endif
