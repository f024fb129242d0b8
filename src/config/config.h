/* SPDX-License-Identifier: MIT */
/*
 * The settings of a node. The table in config/options.c says all about each: name as in redis.conf
 * where Redis has one, type, default, bounds, unit, text, whether it may change at run time. From
 * it come the parser of the file and the command line, CONFIG GET/SET/REWRITE, conf/shoal.conf and
 * --help.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"

enum {
    CONFIG_OPTIONS_MAX = 256,
    CONFIG_VALUE_MAX = 4096,       /* bytes of one value */
    CONFIG_FILE_MAX = 1024 * 1024, /* bytes of a configuration file */
    CONFIG_PERCENTILES_MAX = 32,
};

/* Kinds of clients whose output is limited: Redis's. */
enum {
    CONFIG_CLIENT_NORMAL,
    CONFIG_CLIENT_REPLICA,
    CONFIG_CLIENT_PUBSUB, /* who is sent what others did: MONITOR too */
    CONFIG_CLIENT_CLASSES,
};

/* Of what a client has not read yet, in bytes; 0: none. */
struct output_limit {
    uint64_t hard;   /* as much cuts the client off */
    uint64_t soft;   /* as much for longer than soft_s does */
    uint64_t soft_s; /* seconds */
};

/* Who may use a command that is dangerous. */
enum config_who {
    CONFIG_NOBODY,
    CONFIG_EVERYBODY,
    CONFIG_LOCAL, /* who connects from this machine */
};

struct config {
    /* Network */
    char *bind; /* addresses, blank-separated */
    int64_t port;
    int64_t tcp_backlog;
    int64_t tcp_keepalive_s;
    int64_t timeout_s;
    int64_t maxclients;
    int64_t proto_max_bulk_len;
    bool protected_mode;
    struct output_limit output_limits[CONFIG_CLIENT_CLASSES];
    /* Access */
    char *requirepass; /* empty: none. Secret */
    /* Data */
    char *dir;
    int64_t databases;
    int64_t appendfsync;      /* enum log_sync's order: no, everysec, always */
    int64_t maxmemory;        /* 0: three fifths of what the machine has */
    int64_t maxmemory_policy; /* enum eviction_policy's order */
    int64_t lfu_log_factor;   /* of the frequency counters */
    int64_t lfu_decay_time_min;
    int64_t seal_bytes;
    int64_t block_cache_bytes;
    /* The cluster */
    bool cluster_enabled;
    int64_t cluster_port;          /* of the bus; 0: port + 10000 */
    char *cluster_seeds;           /* "host:busport", blank- or comma-separated */
    char *cluster_secret;          /* what nodes prove to know. Secret */
    char *cluster_hostname;        /* how others reach this one; empty: the first of `bind` */
    int64_t cluster_announce_port; /* 0: port; for clients */
    int64_t cluster_announce_bus_port;
    char *zone;
    int64_t weight;                              /* 100: as others */
    int64_t replicas, read_quorum, write_quorum; /* N, R, W */
    bool sloppy_quorum;
    int64_t quorum_timeout_ms;
    int64_t cluster_remove_after_s, max_absence_s; /* 0: never */
    /* The process */
    bool daemonize;
    char *pidfile;
    char *logfile;
    int64_t loglevel;   /* debug, verbose, notice, warning */
    int64_t log_format; /* text, json */
    int64_t shutdown_timeout_s;
    int64_t enable_debug_command; /* enum config_who */
    /* Observation */
    int64_t slowlog_slower_us; /* -1: never */
    int64_t slowlog_max;
    int64_t latency_threshold_ms; /* 0: never */
    bool latency_tracking;
    double latency_percentiles[CONFIG_PERCENTILES_MAX];
    unsigned latency_percentile_count;
    char *kept[CONFIG_OPTIONS_MAX]; /* values of options that mean nothing here, by index */
    char *file;                     /* the configuration file, absolute; NULL: none */
};

void config_init(struct config *config); /* the defaults */
void config_deinit(struct config *config);

/*
 * Reads a configuration file in redis.conf's syntax, which becomes config->file. On a bad line:
 * "FILE:LINE: reason" in out_error, STATUS_INVALID; what stood before that line is set. STATUS_IO
 * if it cannot be read.
 */
MUST_CHECK enum status config_load(struct config *config, const char *path,
                                   struct buffer *out_error);

/*
 * The command line after the program's name: [FILE] [--option value ...], as redis-server takes it.
 * Errors as above.
 */
MUST_CHECK enum status config_arguments(struct config *config, int argc, char *const *argv,
                                        struct buffer *out_error);

/*
 * One setting by name, at run time (CONFIG SET). STATUS_ABSENT: no such setting; STATUS_INVALID
 * with Redis's reason in out_error (also for settings that cannot change at run time).
 */
MUST_CHECK enum status config_set(struct config *config, struct bytes name, struct bytes value,
                                  struct buffer *out_error);

/* Whether clients may change it, to this value: STATUS_INVALID as above. The first thing that
 * config_set asks. */
MUST_CHECK enum status config_may_set(const struct config *config, unsigned index,
                                      struct bytes value, struct buffer *out_error);

/* Whether there may be other nodes. */
bool config_is_clustered(const struct config *config);

/* Settings in the table's order, by index; NULL past the last. An alias is NULL where there is
 * none. */
const char *config_name(unsigned index);
bool config_is_secret(unsigned index);
const char *config_alias(unsigned index);
/* Not one that is only kept because Redis has it. */
bool config_has_effect(unsigned index);
/* Only to be shown to who names it in full. */
bool config_is_hidden(unsigned index);
/* The value as CONFIG GET shows it. Secrets are given too: whoever may ask is decided elsewhere. */
void config_value(const struct config *config, unsigned index, struct buffer *out);

/*
 * Rewrites config->file in place: changed lines replaced, comments kept, new settings appended;
 * `all`: those that have their default too. Atomic. STATUS_ABSENT: there is none; STATUS_IO.
 */
MUST_CHECK enum status config_rewrite(const struct config *config, bool all,
                                      struct buffer *out_error);

/* As latency-tracking-info-percentiles shows one: "99.9", "50". */
void percentile_print(double percentile, struct buffer *out);

/* conf/shoal.conf: each option with its text, unit and default. */
void config_print_reference(struct buffer *out);

#endif
