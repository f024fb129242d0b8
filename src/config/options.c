/* SPDX-License-Identifier: MIT */
#include "config/options.h"

#include "config/option_form.h"
#include "config/option_words.h"

#define KB              1024LL
#define MB              (1024LL * KB)
#define GB              (1024LL * MB)
#define COUNT_MAX       2147483647LL
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define FIELD(name)     .offset = offsetof(struct config, name)

/* The values are those of the enums that the fields name; the order is Redis's, in its errors. */
static const struct option_word sync_words[] = {
    {"everysec", 1},
    {"always", 2},
    {"no", 0},
    {NULL, 0},
};
static const struct option_word eviction_words[] = {
    {"volatile-lru", 4},   {"volatile-lfu", 5}, {"volatile-random", 6},
    {"volatile-ttl", 7},   {"allkeys-lru", 1},  {"allkeys-lfu", 2},
    {"allkeys-random", 3}, {"noeviction", 0},   {NULL, 0},
};
static const struct option_word level_words[] = {
    {"debug", 0}, {"verbose", 1}, {"notice", 2}, {"warning", 3}, {NULL, 0},
};
static const struct option_word format_words[] = {
    {"text", 0},
    {"json", 1},
    {NULL, 0},
};

const struct option_word options_who_words[] = {
    {"no", CONFIG_NOBODY},
    {"yes", CONFIG_EVERYBODY},
    {"local", CONFIG_LOCAL},
    {NULL, 0},
};

static const struct option options[] = {
    /* ---- network ----------------------------------------------------------------------------- */
    {.name = "bind",
     .group = "NETWORK",
     .type = OPTION_STRING,
     FIELD(bind),
     .flags = OPTION_WORDS,
     .fallback = "127.0.0.1 -::1",
     .text = "The addresses to listen on, separated by blanks. One with a '-' in front may be\n"
             "unavailable; any other that is not ends the start. '*' stands for all IPv4\n"
             "addresses, '::*' for all IPv6 ones."},
    {.name = "port",
     .group = "NETWORK",
     .type = OPTION_INTEGER,
     FIELD(port),
     .fallback = "6379",
     .min = 0,
     .max = 65535,
     .text = "The TCP port for clients. 0: one that is free, which the log names."},
    {.name = "protected-mode",
     .group = "NETWORK",
     .type = OPTION_BOOL,
     FIELD(protected_mode),
     .fallback = "yes",
     .text = "While there is no password, refuses clients that do not come from this machine."},
    {.name = "tcp-backlog",
     .group = "NETWORK",
     .type = OPTION_INTEGER,
     FIELD(tcp_backlog),
     .flags = OPTION_IMMUTABLE,
     .fallback = "511",
     .min = 0,
     .max = COUNT_MAX,
     .unit = "connections",
     .text = "Connections that may wait to be accepted. The kernel's net.core.somaxconn bounds\n"
             "it too."},
    {.name = "tcp-keepalive",
     .group = "NETWORK",
     .type = OPTION_INTEGER,
     FIELD(tcp_keepalive_s),
     .fallback = "300",
     .min = 0,
     .max = COUNT_MAX,
     .unit = "seconds",
     .text = "How often TCP asks whether a silent client is still there. 0: never."},
    {.name = "timeout",
     .group = "NETWORK",
     .type = OPTION_INTEGER,
     FIELD(timeout_s),
     .fallback = "0",
     .min = 0,
     .max = COUNT_MAX,
     .unit = "seconds",
     .text = "Closes connections that were idle for so long. 0: never."},
    {.name = "maxclients",
     .group = "NETWORK",
     .type = OPTION_INTEGER,
     FIELD(maxclients),
     .fallback = "10000",
     .min = 1,
     .max = 1000 * 1000,
     .unit = "connections",
     .text = "Clients connected at a time; further ones get an error and are closed. The limit\n"
             "on open files of the process bounds it too."},
    {.name = "proto-max-bulk-len",
     .group = "NETWORK",
     .type = OPTION_SIZE,
     FIELD(proto_max_bulk_len),
     .fallback = "512mb",
     .min = MB,
     .max = 512 * MB,
     .unit = "bytes",
     .text = "The largest argument of a command, and so the largest string."},

    {.name = "client-output-buffer-limit",
     .group = "NETWORK",
     .type = OPTION_OWN,
     .flags = OPTION_WORDS,
     .fallback = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
     .set = output_limits_set,
     .print = output_limits_print,
     .text = "Closes clients that do not read what they are sent: a class of clients, then a\n"
             "hard limit, a soft limit, and for how many seconds it may be exceeded. 0: none.\n"
             "pubsub is for all who are sent what others did, MONITOR too. slave means nothing\n"
             "here."},

    /* ---- security ---------------------------------------------------------------------------- */
    {.name = "requirepass",
     .group = "SECURITY",
     .type = OPTION_SECRET,
     FIELD(requirepass),
     .fallback = "",
     .text = "The password that clients must give with AUTH or HELLO before anything else.\n"
             "Empty: none."},

    /* ---- data -------------------------------------------------------------------------------- */
    {.name = "dir",
     .group = "DATA",
     .type = OPTION_STRING,
     FIELD(dir),
     .flags = OPTION_PROTECTED,
     .fallback = "./data",
     .text = "The data directory, made if it is not there. One process at a time may use it."},
    {.name = "databases",
     .group = "DATA",
     .type = OPTION_INTEGER,
     FIELD(databases),
     .flags = OPTION_IMMUTABLE,
     .fallback = "16",
     .min = 1,
     .max = 256,
     .text = "How many databases SELECT can choose from: 0 to databases - 1."},
    {.name = "appendfsync",
     .group = "DATA",
     .type = OPTION_ENUM,
     FIELD(appendfsync),
     .fallback = "everysec",
     .words = sync_words,
     .text = "When a write is safe from a power cut. always: before it is acknowledged.\n"
             "everysec: within a second. no: when the system writes it. A crash of this process\n"
             "alone loses no acknowledged write in any of them."},
    {.name = "maxmemory",
     .group = "DATA",
     .type = OPTION_SIZE,
     FIELD(maxmemory),
     .fallback = "0",
     .min = 0,
     .max = INT64_MAX,
     .unit = "bytes",
     .text = "What the process may use. Data may be far larger: rows that were not used lately\n"
             "are read from disk when they are needed. 0: 60 % of the machine's memory, or of\n"
             "its control group's."},
    {.name = "maxmemory-policy",
     .group = "DATA",
     .type = OPTION_ENUM,
     FIELD(maxmemory_policy),
     .fallback = "noeviction",
     .words = eviction_words,
     .text = "noeviction keeps all data. The others make a cache: at maxmemory keys are removed\n"
             "for good, any key (allkeys-...) or one that expires (volatile-...), in memory and\n"
             "on disk."},
    {.name = "lfu-log-factor",
     .group = "DATA",
     .type = OPTION_INTEGER,
     FIELD(lfu_log_factor),
     .fallback = "10",
     .min = 0,
     .max = COUNT_MAX,
     .text = "How slowly the frequency that OBJECT FREQ tells grows with the uses of a key."},
    {.name = "lfu-decay-time",
     .group = "DATA",
     .type = OPTION_INTEGER,
     FIELD(lfu_decay_time_min),
     .fallback = "1",
     .min = 0,
     .max = COUNT_MAX,
     .unit = "minutes",
     .text = "How long a key is not used until its frequency falls by one. 0: it does not."},
    {.name = "seal-bytes",
     .group = "DATA",
     .type = OPTION_SIZE,
     FIELD(seal_bytes),
     .flags = OPTION_FIXED,
     .fallback = "64mb",
     .min = MB,
     .max = 16 * GB,
     .unit = "bytes",
     .text = "Changed rows gathered in memory before they are sorted and moved from the log into\n"
             "the ordered files. More means fewer, larger files and a longer replay at start."},
    {.name = "block-cache-bytes",
     .group = "DATA",
     .type = OPTION_SIZE,
     FIELD(block_cache_bytes),
     .flags = OPTION_FIXED,
     .fallback = "64mb",
     .min = MB,
     .max = 1024 * GB,
     .unit = "bytes",
     .text = "Memory for blocks of the ordered files that were read lately; at most an eighth "
             "of\nmaxmemory."},

    /* ---- cluster ----------------------------------------------------------------------------- */
    {.name = "cluster-enabled",
     .group = "CLUSTER",
     .type = OPTION_BOOL,
     FIELD(cluster_enabled),
     .flags = OPTION_IMMUTABLE,
     .fallback = "no",
     .text = "Listens to other nodes, to form a cluster with them (CLUSTER MEET, or\n"
             "cluster-seeds, which means yes). no: this node is alone and waits for nobody."},
    {.name = "cluster-port",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(cluster_port),
     .flags = OPTION_IMMUTABLE,
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .text = "The TCP port for other nodes, at the addresses of bind. 0: port + 10000."},
    {.name = "cluster-seeds",
     .group = "CLUSTER",
     .type = OPTION_STRING,
     FIELD(cluster_seeds),
     .flags = OPTION_FIXED | OPTION_WORDS,
     .fallback = "",
     .form = option_form_seeds,
     .text = "Where to find the cluster at first: HOST:PORT of some of its nodes, the port being\n"
             "theirs for nodes, with blanks or commas between. The same list will do for all\n"
             "nodes: the first in it founds the cluster, the others join it. A node that is a\n"
             "member remembers the others and needs the list no more."},
    {.name = "cluster-secret",
     .group = "CLUSTER",
     .type = OPTION_SECRET,
     FIELD(cluster_secret),
     .flags = OPTION_FIXED,
     .fallback = "",
     .text = "What nodes prove to each other to know, the same on all of them; long and random.\n"
             "It keeps others out, it does not encrypt. Empty: only nodes on this machine are\n"
             "let in."},
    {.name = "cluster-announce-hostname",
     .group = "CLUSTER",
     .type = OPTION_STRING,
     FIELD(cluster_hostname),
     .flags = OPTION_FIXED,
     .fallback = "",
     .form = option_form_host,
     .text = "The name or address by which other nodes and clients reach this one. Empty: the\n"
             "first address of bind."},
    {.name = "cluster-announce-port",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(cluster_announce_port),
     .flags = OPTION_FIXED,
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .text = "The port by which clients reach this node, if it is another than port, behind\n"
             "something that translates addresses. 0: port."},
    {.name = "cluster-announce-bus-port",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(cluster_announce_bus_port),
     .flags = OPTION_FIXED,
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .text = "The port by which other nodes reach this one. 0: as cluster-port says."},
    {.name = "zone",
     .group = "CLUSTER",
     .type = OPTION_STRING,
     FIELD(zone),
     .flags = OPTION_FIXED,
     .fallback = "",
     .form = option_form_zone,
     .text = "What may fail together with this node: a name for its rack, room or site. Copies of\n"
             "a key go to nodes of different zones where there are enough."},
    {.name = "weight",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(weight),
     .flags = OPTION_FIXED,
     .fallback = "100",
     .min = 0,
     .max = 10000,
     .text = "How much of the data this node takes, compared with the others. 0: none; it gives\n"
             "away what it has and only passes requests on."},
    {.name = "replicas",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(replicas),
     .flags = OPTION_FIXED,
     .fallback = "3",
     .min = 1,
     .max = 7,
     .unit = "nodes",
     .text = "How many nodes hold each key. It counts where the cluster is founded."},
    {.name = "read-quorum",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(read_quorum),
     .fallback = "2",
     .min = 1,
     .max = 7,
     .unit = "nodes",
     .text = "How many of them must agree on a key before it is read. Together with write-quorum\n"
             "more than replicas: a read sees every write that was acknowledged before."},
    {.name = "write-quorum",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(write_quorum),
     .fallback = "2",
     .min = 1,
     .max = 7,
     .unit = "nodes",
     .text = "How many nodes must have a write before it is acknowledged."},
    {.name = "sloppy-quorum",
     .group = "CLUSTER",
     .type = OPTION_BOOL,
     FIELD(sloppy_quorum),
     .fallback = "yes",
     .text = "While nodes are down, others keep what is written for them, and it counts. no:\n"
             "only the nodes that hold a key count, and writes fail when too many are down."},
    {.name = "quorum-timeout",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(quorum_timeout_ms),
     .flags = OPTION_FIXED,
     .fallback = "1000",
     .min = 10,
     .max = 600 * 1000,
     .unit = "milliseconds",
     .text = "How long a command waits for other nodes before it fails."},
    {.name = "cluster-remove-after",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(cluster_remove_after_s),
     .fallback = "0",
     .min = 0,
     .max = 10 * 365 * 24 * 3600,
     .unit = "seconds",
     .text = "A member that a majority of the members hold for down so long is removed: its slots\n"
             "get other owners, which copy them from those that there are. Only while as many\n"
             "members stay as a key has copies. When it comes back it hands over what it has, and\n"
             "joins anew. 0: never, an operator does (CLUSTER FORGET)."},
    {.name = "max-absence",
     .group = "CLUSTER",
     .type = OPTION_INTEGER,
     FIELD(max_absence_s),
     .fallback = "0",
     .min = 0,
     .max = 10 * 365 * 24 * 3600,
     .unit = "seconds",
     .text =
         "What is deleted leaves the disks when all members have it so. One that a majority of\n"
         "the members hold for down so long is not waited for any more: it is removed, however\n"
         "few stay, and when it comes back it drops what it has, and joins anew. 0: it is\n"
         "waited for without end."},

    /* ---- process ----------------------------------------------------------------------------- */
    {.name = "daemonize",
     .group = "PROCESS",
     .type = OPTION_BOOL,
     FIELD(daemonize),
     .flags = OPTION_IMMUTABLE,
     .fallback = "no",
     .text = "Goes into the background. Not needed under systemd."},
    {.name = "pidfile",
     .group = "PROCESS",
     .type = OPTION_STRING,
     FIELD(pidfile),
     .flags = OPTION_IMMUTABLE,
     .fallback = "",
     .text = "The file that holds the process id while it runs. Empty: none."},
    {.name = "logfile",
     .group = "PROCESS",
     .type = OPTION_STRING,
     FIELD(logfile),
     .flags = OPTION_IMMUTABLE,
     .fallback = "",
     .text = "The file that messages are appended to. Empty: standard output."},
    {.name = "loglevel",
     .group = "PROCESS",
     .type = OPTION_ENUM,
     FIELD(loglevel),
     .fallback = "notice",
     .words = level_words,
     .text = "The least severe messages that are written."},
    {.name = "log-format",
     .group = "PROCESS",
     .type = OPTION_ENUM,
     FIELD(log_format),
     .flags = OPTION_FIXED,
     .fallback = "text",
     .words = format_words,
     .text = "text: lines as redis-server writes them. json: one object a line."},
    {.name = "shutdown-timeout",
     .group = "PROCESS",
     .type = OPTION_INTEGER,
     FIELD(shutdown_timeout_s),
     .fallback = "10",
     .min = 0,
     .max = COUNT_MAX,
     .unit = "seconds",
     .text = "How long a stop waits for replies on their way to clients."},
    {.name = "enable-debug-command",
     .group = "PROCESS",
     .type = OPTION_ENUM,
     FIELD(enable_debug_command),
     .flags = OPTION_IMMUTABLE,
     .fallback = "no",
     .words = options_who_words,
     .text = "Who may use DEBUG, which can stop the server for a while and fill it: nobody,\n"
             "everybody, or clients that connect from this machine (local)."},

    /* ---- observation ------------------------------------------------------------------------- */
    {.name = "slowlog-log-slower-than",
     .group = "OBSERVATION",
     .type = OPTION_INTEGER,
     FIELD(slowlog_slower_us),
     .fallback = "10000",
     .min = -1,
     .max = INT64_MAX,
     .unit = "microseconds",
     .text = "SLOWLOG remembers commands that took at least so long, reading from disk included.\n"
             "0: all. -1: none."},
    {.name = "slowlog-max-len",
     .group = "OBSERVATION",
     .type = OPTION_INTEGER,
     FIELD(slowlog_max),
     .fallback = "128",
     .min = 0,
     .max = INT64_MAX,
     .unit = "commands",
     .text = "How many commands SLOWLOG remembers: the last ones."},
    {.name = "latency-monitor-threshold",
     .group = "OBSERVATION",
     .type = OPTION_INTEGER,
     FIELD(latency_threshold_ms),
     .fallback = "0",
     .min = 0,
     .max = INT64_MAX,
     .unit = "milliseconds",
     .text = "LATENCY remembers what took at least so long. 0: nothing."},
    {.name = "latency-tracking",
     .group = "OBSERVATION",
     .type = OPTION_BOOL,
     FIELD(latency_tracking),
     .fallback = "yes",
     .text = "Counts how long the calls of each command took, for INFO latencystats and\n"
             "LATENCY HISTOGRAM."},
    {.name = "latency-tracking-info-percentiles",
     .group = "OBSERVATION",
     .type = OPTION_OWN,
     .flags = OPTION_WORDS,
     .fallback = "50 99 99.9",
     .set = percentiles_set,
     .print = percentiles_print,
     .text = "What INFO latencystats shows of them."},
};

const struct option *options_at(unsigned index)
{
    if (index < COUNT_OF(options))
        return &options[index];
    return options_kept_at(index - COUNT_OF(options));
}

static bool is_here(const struct option *option)
{
    uintptr_t at = (uintptr_t)option;
    return at >= (uintptr_t)options && at < (uintptr_t)(options + COUNT_OF(options));
}

unsigned options_index(const struct option *option)
{
    if (!is_here(option))
        return COUNT_OF(options) + (unsigned)(option - options_kept_at(0));
    return (unsigned)(option - options);
}

static bool is_named(const struct option *option, struct bytes name)
{
    return bytes_equal_nocase(name, bytes_text(option->name)) ||
           (option->alias != NULL && bytes_equal_nocase(name, bytes_text(option->alias)));
}

const struct option *options_find(struct bytes name)
{
    const struct option *option;
    for (unsigned i = 0; (option = options_at(i)) != NULL; i++) {
        if (is_named(option, name))
            return option;
    }
    return NULL;
}
