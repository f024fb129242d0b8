/* SPDX-License-Identifier: MIT */
/*
 * What clients of a Redis Cluster ask. There is no cluster here: they hear it in the words by which
 * they know a server that stands alone.
 */
#include "admin/admin.h"

#define SUBCOMMAND(word, words, has_flags, from, order, text, notation, hints)                     \
    {                                                                                              \
        .name = (word), .handler = no_cluster, .arity = (words), .flags = (has_flags),             \
        .since = (from), .group = "cluster", .complexity = (order), .summary = (text),             \
        .syntax = (notation), .tips = (hints)                                                      \
    }

#define OF_THE_MOMENT "nondeterministic_output"
#define PER_NODE      "O(N) where N is the total number of cluster nodes"

enum { CHANGES = CMD_ADMIN | CMD_STALE | CMD_NO_ASYNC_LOADING };

static enum status no_cluster(struct request *request)
{
    return request_refuse(request, "ERR This instance has cluster support disabled");
}

static const struct command cluster_subcommands[] = {
    SUBCOMMAND("info", 2, CMD_STALE, "3.0.0", "O(1)",
               "Returns information about the state of a node.", "", OF_THE_MOMENT),
    SUBCOMMAND("nodes", 2, CMD_STALE, "3.0.0", PER_NODE,
               "Returns the cluster configuration for a node.", "", OF_THE_MOMENT),
    SUBCOMMAND("slots", 2, CMD_STALE, "3.0.0", PER_NODE,
               "Returns the mapping of cluster slots to nodes.", "", OF_THE_MOMENT),
    SUBCOMMAND("shards", 2, CMD_STALE, "7.0.0", PER_NODE,
               "Returns the mapping of cluster slots to shards.", "", OF_THE_MOMENT),
    SUBCOMMAND("myid", 2, CMD_STALE, "3.0.0", "O(1)", "Returns the ID of a node.", "", NULL),
    SUBCOMMAND("myshardid", 2, CMD_STALE, "7.2.0", "O(1)", "Returns the shard ID of a node.", "",
               OF_THE_MOMENT),
    SUBCOMMAND("keyslot", 3, CMD_STALE, "3.0.0", "O(N) where N is the number of bytes in the key",
               "Returns the hash slot for a key.", "key:string", NULL),
    SUBCOMMAND("countkeysinslot", 3, CMD_STALE, "3.0.0", "O(1)",
               "Returns the number of keys in a hash slot.", "slot:integer", NULL),
    SUBCOMMAND(
        "getkeysinslot", 4, CMD_STALE, "3.0.0", "O(log(N)) where N is the number of requested keys",
        "Returns the key names in a hash slot.", "slot:integer count:integer", OF_THE_MOMENT),
    SUBCOMMAND("links", 2, CMD_STALE, "7.0.0", PER_NODE,
               "Returns a list of all TCP links to and from peer nodes.", "", OF_THE_MOMENT),
    SUBCOMMAND("replicas", 3, CMD_ADMIN | CMD_STALE, "5.0.0", "O(1)",
               "Lists the replica nodes of a master node.", "node-id", OF_THE_MOMENT),
    SUBCOMMAND("slaves", 3, CMD_ADMIN | CMD_STALE, "3.0.0", "O(1)",
               "Lists the replica nodes of a master node.", "node-id", OF_THE_MOMENT),
    SUBCOMMAND("count-failure-reports", 3, CMD_ADMIN | CMD_STALE, "3.0.0",
               "O(N) where N is the number of failure reports",
               "Returns the number of active failure reports for a node.", "node-id",
               OF_THE_MOMENT),
    SUBCOMMAND("addslots", -3, CHANGES, "3.0.0",
               "O(N) where N is the total number of hash slot arguments",
               "Assigns new hash slots to a node.", "slot:integer ...", NULL),
    SUBCOMMAND("addslotsrange", -4, CHANGES, "7.0.0",
               "O(N) where N is the number of slots in the ranges",
               "Assigns new hash slot ranges to a node.",
               "(start-slot_end-slot: start-slot:integer end-slot:integer)...", NULL),
    SUBCOMMAND("bumpepoch", 2, CHANGES, "3.0.0", "O(1)", "Advances the cluster config epoch.", "",
               OF_THE_MOMENT),
    SUBCOMMAND("delslots", -3, CHANGES, "3.0.0",
               "O(N) where N is the total number of hash slot arguments",
               "Sets hash slots as unbound for a node.", "slot:integer ...", NULL),
    SUBCOMMAND("delslotsrange", -4, CHANGES, "7.0.0",
               "O(N) where N is the number of slots in the ranges",
               "Sets hash slot ranges as unbound for a node.",
               "(start-slot_end-slot: start-slot:integer end-slot:integer)...", NULL),
    SUBCOMMAND("failover", -2, CHANGES, "3.0.0", "O(1)",
               "Forces a replica to perform a manual failover of its master.",
               "[options: FORCE|TAKEOVER]", NULL),
    SUBCOMMAND("flushslots", 2, CHANGES, "3.0.0", "O(1)",
               "Deletes all slots information from a node.", "", NULL),
    SUBCOMMAND("forget", 3, CHANGES, "3.0.0", "O(1)", "Removes a node from the nodes table.",
               "node-id", NULL),
    SUBCOMMAND("meet", -4, CHANGES, "3.0.0", "O(1)",
               "Forces a node to handshake with another node.",
               "ip port:integer [cluster_bus_port:integer]", NULL),
    SUBCOMMAND("replicate", 3, CHANGES, "3.0.0", "O(1)",
               "Configures a node as a replica of a master node.", "node-id", NULL),
    SUBCOMMAND("reset", -2, CMD_ADMIN | CMD_STALE | CMD_NOSCRIPT, "3.0.0",
               "O(N) where N is the number of known nodes", "Resets a node.",
               "[hard_soft: HARD|SOFT]", NULL),
    SUBCOMMAND("saveconfig", 2, CHANGES, "3.0.0", "O(1)",
               "Forces a node to save the cluster configuration to disk.", "", NULL),
    SUBCOMMAND("set-config-epoch", 3, CHANGES, "3.0.0", "O(1)",
               "Sets the configuration epoch for a new node.", "config-epoch:integer", NULL),
    SUBCOMMAND("setslot", -4, CHANGES, "3.0.0", "O(1)", "Binds a hash slot to a node.",
               "slot:integer (subcommand: IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE)",
               NULL),
    SUBCOMMAND("help", 2, CMD_LOADING | CMD_STALE, "5.0.0", "O(1)",
               "Returns helpful text about the different subcommands.", "", NULL),
    {0},
};

const struct command cluster_commands[] = {
    {.name = "asking",
     .handler = no_cluster,
     .arity = 1,
     .flags = CMD_FAST,
     .categories = CAT_CONNECTION,
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Signals that a cluster client is following an -ASK redirect."},
    {.name = "cluster",
     .arity = -2,
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for Redis Cluster commands.",
     .subcommands = cluster_subcommands},
    {.name = "readonly",
     .handler = no_cluster,
     .arity = 1,
     .flags = CMD_FAST | CMD_LOADING | CMD_STALE,
     .categories = CAT_CONNECTION,
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Enables read-only queries for a connection to a cluster replica node."},
    {.name = "readwrite",
     .handler = no_cluster,
     .arity = 1,
     .flags = CMD_FAST | CMD_LOADING | CMD_STALE,
     .categories = CAT_CONNECTION,
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Enables read-write queries for a connection to a cluster replica node."},
    {0},
};
