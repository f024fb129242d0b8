/* SPDX-License-Identifier: MIT */
/*
 * Settings that redis-server 7.2 has and that mean nothing here: with Redis's types, bounds and
 * defaults, so that its configuration files are read, tools that ask find what they expect, and
 * CONFIG SET refuses what Redis would. What would mean something, and is not there, is refused
 * (option_form_only_default): who asks for replication is not to believe that he has it.
 */
#include "config/option_form.h"
#include "config/options.h"

#define KB              1024LL
#define MB              (1024LL * KB)
#define COUNT_MAX       2147483647LL
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
/* Each ends with its flags, so that "| OPTION_..." can follow. */
#define KEPT             .group = "KEPT FOR COMPATIBILITY", .flags = OPTION_KEPT
#define YES              .type = OPTION_BOOL, .fallback = "yes", KEPT
#define NO               .type = OPTION_BOOL, .fallback = "no", KEPT
#define STRING(value)    .type = OPTION_STRING, .fallback = (value), KEPT
#define WORD(list, word) .type = OPTION_ENUM, .words = (list), .fallback = (word), KEPT
#define BETWEEN(value, from, to)                                                                   \
    .type = OPTION_INTEGER, .fallback = (value), .min = (from), .max = (to), KEPT
#define COUNT(value) BETWEEN(value, 0, COUNT_MAX)
#define LONG(value)  BETWEEN(value, 0, INT64_MAX)
#define SIZE(value, least)                                                                         \
    .type = OPTION_SIZE, .fallback = (value), .min = (least), .max = INT64_MAX, KEPT
#define ABSENT(value) .form = option_form_only_default, STRING(value) | OPTION_IMMUTABLE

static const struct option_word supervised_words[] = {
    {"upstart", 0}, {"systemd", 1}, {"auto", 2}, {"no", 3}, {NULL, 0},
};
static const struct option_word facility_words[] = {
    {"user", 0},   {"local0", 1}, {"local1", 2}, {"local2", 3}, {"local3", 4},
    {"local4", 5}, {"local5", 6}, {"local6", 7}, {"local7", 8}, {NULL, 0},
};
static const struct option_word diskless_words[] = {
    {"disabled", 0},
    {"on-empty-db", 1},
    {"swapdb", 2},
    {NULL, 0},
};
static const struct option_word oom_words[] = {
    {"no", 0}, {"yes", 1}, {"relative", 1}, {"absolute", 2}, {NULL, 0},
};
static const struct option_word pubsub_words[] = {
    {"allchannels", 0},
    {"resetchannels", 1},
    {NULL, 0},
};
static const struct option_word sanitize_words[] = {
    {"no", 0},
    {"yes", 1},
    {"clients", 2},
    {NULL, 0},
};
static const struct option_word endpoint_words[] = {
    {"ip", 0},
    {"hostname", 1},
    {"unknown-endpoint", 2},
    {NULL, 0},
};
static const struct option_word propagation_words[] = {
    {"ignore", 0},
    {"panic", 1},
    {"panic-on-replicas", 2},
    {NULL, 0},
};

static const struct option options[] = {
    /* ---- snapshots and the append-only file -------------------------------------------------- */
    {.name = "save",
     STRING("") | OPTION_WORDS | OPTION_ADDS,
     .form = option_form_save,
     .text = "Snapshots and the append-only file. Here there is one log, always on, and all data\n"
             "is always on disk."},
    {.name = "appendonly", YES},
    {.name = "rdbcompression", YES},
    {.name = "rdbchecksum", YES | OPTION_IMMUTABLE},
    {.name = "rdb-del-sync-files", NO},
    {.name = "rdb-save-incremental-fsync", YES},
    {.name = "stop-writes-on-bgsave-error", YES},
    {.name = "sanitize-dump-payload", WORD(sanitize_words, "no")},
    {.name = "dbfilename", STRING("dump.rdb") | OPTION_PROTECTED},
    {.name = "appendfilename", STRING("appendonly.aof") | OPTION_IMMUTABLE},
    {.name = "appenddirname", STRING("appendonlydir") | OPTION_IMMUTABLE},
    {.name = "no-appendfsync-on-rewrite", NO},
    {.name = "auto-aof-rewrite-percentage", COUNT("100")},
    {.name = "auto-aof-rewrite-min-size", SIZE("64mb", 0)},
    {.name = "aof-load-truncated", YES},
    {.name = "aof-use-rdb-preamble", YES},
    {.name = "aof-timestamp-enabled", NO},
    {.name = "aof-rewrite-incremental-fsync", YES},
    {.name = "aof-disable-auto-gc", NO},
    {.name = "rdb-key-save-delay", BETWEEN("0", -COUNT_MAX - 1, COUNT_MAX) | OPTION_HIDDEN},
    {.name = "key-load-delay", BETWEEN("0", -COUNT_MAX - 1, COUNT_MAX) | OPTION_HIDDEN},
    {.name = "loading-process-events-interval-bytes",
     BETWEEN("2097152", KB, COUNT_MAX) | OPTION_HIDDEN},

    /* ---- memory ------------------------------------------------------------------------------ */
    {.name = "maxmemory-samples",
     BETWEEN("5", 1, COUNT_MAX),
     .text = "How memory is given back. Here removing never takes long, and eviction needs no\n"
             "samples."},
    {.name = "maxmemory-eviction-tenacity", BETWEEN("10", 0, 100)},
    {.name = "maxmemory-clients",
     .type = OPTION_PERCENT,
     .fallback = "0",
     .min = -100,
     .max = INT64_MAX,
     KEPT},
    {.name = "client-query-buffer-limit", SIZE("1gb", MB)},
    {.name = "lazyfree-lazy-eviction", NO},
    {.name = "lazyfree-lazy-expire", NO},
    {.name = "lazyfree-lazy-server-del", NO},
    {.name = "lazyfree-lazy-user-del", NO},
    {.name = "lazyfree-lazy-user-flush", NO},
    {.name = "active-expire-effort", BETWEEN("1", 1, 10)},
    {.name = "activerehashing", YES},
    {.name = "activedefrag", NO},
    {.name = "active-defrag-ignore-bytes", SIZE("100mb", 1)},
    {.name = "active-defrag-threshold-lower", BETWEEN("10", 0, 1000)},
    {.name = "active-defrag-threshold-upper", BETWEEN("100", 0, 1000)},
    {.name = "active-defrag-cycle-min", BETWEEN("1", 1, 99)},
    {.name = "active-defrag-cycle-max", BETWEEN("25", 1, 99)},
    {.name = "active-defrag-max-scan-fields", BETWEEN("1000", 1, INT64_MAX)},
    {.name = "jemalloc-bg-thread", YES},
    {.name = "tracking-table-max-keys", LONG("1000000")},

    /* ---- encodings --------------------------------------------------------------------------- */
    {.name = "hash-max-listpack-entries",
     LONG("512"),
     .alias = "hash-max-ziplist-entries",
     .text = "The bounds of compact encodings. Here a type has one layout."},
    {.name = "hash-max-listpack-value", SIZE("64", 0), .alias = "hash-max-ziplist-value"},
    {.name = "list-max-listpack-size",
     BETWEEN("-2", -COUNT_MAX - 1, COUNT_MAX),
     .alias = "list-max-ziplist-size"},
    {.name = "list-compress-depth", COUNT("0")},
    {.name = "set-max-intset-entries", LONG("512")},
    {.name = "set-max-listpack-entries", LONG("128")},
    {.name = "set-max-listpack-value", SIZE("64", 0)},
    {.name = "zset-max-listpack-entries", LONG("128"), .alias = "zset-max-ziplist-entries"},
    {.name = "zset-max-listpack-value", SIZE("64", 0), .alias = "zset-max-ziplist-value"},
    {.name = "hll-sparse-max-bytes", SIZE("3000", 0)},
    {.name = "stream-node-max-bytes", SIZE("4096", 0)},
    {.name = "stream-node-max-entries", LONG("100")},

    /* ---- events and scripts ------------------------------------------------------------------ */
    {.name = "notify-keyspace-events",
     STRING(""),
     .form = option_form_events,
     .text = "Events, scripts, users. There are none yet."},
    {.name = "busy-reply-threshold", LONG("5000"), .alias = "lua-time-limit"},
    {.name = "lua-enable-deprecated-api", NO | OPTION_IMMUTABLE | OPTION_HIDDEN},
    {.name = "acl-pubsub-default", WORD(pubsub_words, "resetchannels")},
    {.name = "acllog-max-len", LONG("128")},
    {.name = "aclfile", ABSENT("")},
    {.name = "enable-protected-configs", WORD(options_who_words, "no") | OPTION_IMMUTABLE},
    {.name = "enable-module-command", WORD(options_who_words, "no") | OPTION_IMMUTABLE},
    {.name = "propagation-error-behavior", WORD(propagation_words, "ignore")},

    /* ---- replication and cluster ------------------------------------------------------------- */
    {.name = "replicaof",
     .alias = "slaveof",
     ABSENT("") | OPTION_WORDS,
     .text = "Replication and Redis Cluster. Here nodes are equals, and none is a replica of\n"
             "another: see CLUSTER."},
    {.name = "masteruser", .type = OPTION_SECRET, .fallback = "", KEPT},
    {.name = "masterauth", .type = OPTION_SECRET, .fallback = "", KEPT},
    {.name = "replica-serve-stale-data", YES, .alias = "slave-serve-stale-data"},
    {.name = "replica-read-only", YES, .alias = "slave-read-only"},
    {.name = "replica-priority", COUNT("100"), .alias = "slave-priority"},
    {.name = "replica-announced", YES},
    {.name = "replica-announce-ip", STRING(""), .alias = "slave-announce-ip"},
    {.name = "replica-announce-port", BETWEEN("0", 0, 65535), .alias = "slave-announce-port"},
    {.name = "replica-ignore-maxmemory", YES, .alias = "slave-ignore-maxmemory"},
    {.name = "replica-ignore-disk-write-errors", NO},
    {.name = "replica-lazy-flush", NO, .alias = "slave-lazy-flush"},
    {.name = "min-replicas-to-write", COUNT("0"), .alias = "min-slaves-to-write"},
    {.name = "min-replicas-max-lag", COUNT("10"), .alias = "min-slaves-max-lag"},
    {.name = "repl-disable-tcp-nodelay", NO},
    {.name = "repl-diskless-sync", YES},
    {.name = "repl-diskless-sync-delay", COUNT("5")},
    {.name = "repl-diskless-sync-max-replicas", COUNT("0")},
    {.name = "repl-diskless-load", WORD(diskless_words, "disabled")},
    {.name = "repl-backlog-size", SIZE("1mb", 1)},
    {.name = "repl-backlog-ttl", LONG("3600")},
    {.name = "repl-ping-replica-period",
     BETWEEN("10", 1, COUNT_MAX),
     .alias = "repl-ping-slave-period"},
    {.name = "repl-timeout", BETWEEN("60", 1, COUNT_MAX)},
    {.name = "cluster-config-file", STRING("nodes.conf") | OPTION_IMMUTABLE},
    {.name = "cluster-node-timeout", LONG("15000")},
    {.name = "cluster-migration-barrier", COUNT("1")},
    {.name = "cluster-allow-replica-migration", YES},
    {.name = "cluster-replica-validity-factor",
     COUNT("10"),
     .alias = "cluster-slave-validity-factor"},
    {.name = "cluster-replica-no-failover", NO, .alias = "cluster-slave-no-failover"},
    {.name = "cluster-require-full-coverage", YES},
    {.name = "cluster-allow-reads-when-down", NO},
    {.name = "cluster-allow-pubsubshard-when-down", YES},
    {.name = "cluster-link-sendbuf-limit", SIZE("0", 0)},
    {.name = "cluster-announce-ip", STRING("")},
    {.name = "cluster-announce-tls-port", BETWEEN("0", 0, 65535)},
    {.name = "cluster-announce-human-nodename", STRING("")},
    {.name = "cluster-preferred-endpoint-type", WORD(endpoint_words, "ip")},

    /* ---- the process ------------------------------------------------------------------------- */
    {.name = "hz",
     COUNT("10"),
     .text = "The process. It ticks as often as there is work, has one thread for commands, and\n"
             "listens on TCP."},
    {.name = "dynamic-hz", YES},
    {.name = "io-threads", BETWEEN("1", 1, 128) | OPTION_IMMUTABLE},
    {.name = "io-threads-do-reads", NO | OPTION_IMMUTABLE},
    {.name = "max-new-connections-per-cycle", BETWEEN("10", 1, 1000)},
    {.name = "unixsocket", ABSENT("")},
    {.name = "unixsocketperm",
     .type = OPTION_OCTAL,
     .fallback = "0",
     .max = 0777,
     KEPT | OPTION_IMMUTABLE},
    {.name = "bind-source-addr", STRING("")},
    {.name = "socket-mark-id", BETWEEN("0", 0, 4294967295LL) | OPTION_IMMUTABLE},
    {.name = "tls-port", ABSENT("0")},
    {.name = "supervised", WORD(supervised_words, "no") | OPTION_IMMUTABLE},
    {.name = "syslog-enabled", NO | OPTION_IMMUTABLE},
    {.name = "syslog-ident", STRING("redis") | OPTION_IMMUTABLE},
    {.name = "syslog-facility", WORD(facility_words, "local0") | OPTION_IMMUTABLE},
    {.name = "always-show-logo", NO | OPTION_IMMUTABLE},
    {.name = "set-proc-title", YES | OPTION_IMMUTABLE},
    {.name = "proc-title-template", STRING("{title} {listen-addr} {server-mode}")},
    {.name = "locale-collate", STRING("")},
    {.name = "ignore-warnings", STRING("")},
    {.name = "disable-thp", YES | OPTION_IMMUTABLE},
    {.name = "oom-score-adj", WORD(oom_words, "no")},
    {.name = "oom-score-adj-values",
     STRING("0 200 800") | OPTION_WORDS,
     .form = option_form_oom_values},
    {.name = "server_cpulist", STRING("") | OPTION_IMMUTABLE},
    {.name = "bio_cpulist", STRING("") | OPTION_IMMUTABLE},
    {.name = "aof_rewrite_cpulist", STRING("") | OPTION_IMMUTABLE},
    {.name = "bgsave_cpulist", STRING("") | OPTION_IMMUTABLE},
    {.name = "shutdown-on-sigint", STRING("default") | OPTION_WORDS, .form = option_form_stop},
    {.name = "shutdown-on-sigterm", STRING("default") | OPTION_WORDS, .form = option_form_stop},
    {.name = "crash-log-enabled", YES},
    {.name = "crash-memcheck-enabled", YES},
    {.name = "use-exit-on-panic", NO | OPTION_HIDDEN},
    {.name = "enable-debug-assert", NO | OPTION_IMMUTABLE | OPTION_HIDDEN},
    {.name = "watchdog-period", COUNT("0") | OPTION_HIDDEN},
};

const struct option *options_kept_at(unsigned index)
{
    return index < COUNT_OF(options) ? &options[index] : NULL;
}
