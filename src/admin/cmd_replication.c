/* SPDX-License-Identifier: MIT */
/*
 * What Redis's replication commands say of a node that has no replicas and is none: clients and
 * tools ask it at their start. What would need a replica is refused.
 */
#include "admin/admin.h"
#include "base/number.h"
#include "store/export.h"

static enum status cmd_role(struct request *request)
{
    reply_array(request->reply, 3);
    reply_bulk_text(request->reply, "master");
    reply_integer(request->reply, 0);
    reply_array(request->reply, 0);
    return STATUS_OK;
}

static enum status cmd_replicaof(struct request *request)
{
    int64_t port;
    if (bytes_equal_nocase(request->argv[1], BYTES("no")) &&
        bytes_equal_nocase(request->argv[2], BYTES("one"))) {
        reply_ok(request->reply);
        return STATUS_OK;
    }
    if (!number_parse_i64(request->argv[2], &port) || port < 0 || port > 65535)
        return request_refuse(request, "ERR Invalid master port");
    return request_refuse(request, "ERR This server cannot be a replica");
}

/* A node alone: with several nodes node/wait.c answers. There
 * are no replicas, and there will be none while it waits: the answer is known at once. */
static enum status cmd_wait(struct request *request)
{
    int64_t replicas, timeout;
    if (!number_parse_i64(request->argv[1], &replicas))
        return STATUS_NOT_INTEGER;
    if (!number_parse_i64(request->argv[2], &timeout))
        return request_refuse(request, "ERR timeout is not an integer or out of range");
    if (timeout < 0)
        return request_refuse(request, "ERR timeout is negative");
    if (timeout > INT64_MAX - (int64_t)request->now_ms)
        return request_refuse(request, "ERR timeout is out of range");
    reply_integer(request->reply, 0);
    return STATUS_OK;
}

/* Until when it waits, kept over its runs. */
static uint64_t deadline_of(struct request *request, int64_t timeout)
{
    struct progress *progress = request->progress;
    if (progress->count == 0)
        progress->count = timeout > 0 ? request->now_ms + (uint64_t)timeout : UINT64_MAX;
    return progress->count;
}

/* A node alone: it waits until all that it has written by now is synced, whatever appendfsync says.
 * There are no replicas. With several nodes node/wait.c answers. */
static enum status cmd_waitaof(struct request *request)
{
    struct store *store = request->admin->store;
    int64_t local, replicas, timeout;
    if (!number_parse_i64(request->argv[1], &local))
        return STATUS_NOT_INTEGER;
    if (local < 0 || local > 1)
        return request_refuse(request, "ERR value is out of range, value must between 0 and 1");
    if (!number_parse_i64(request->argv[2], &replicas))
        return STATUS_NOT_INTEGER;
    if (replicas < 0)
        return request_refuse(request, "ERR value is out of range, must be positive");
    if (!number_parse_i64(request->argv[3], &timeout))
        return request_refuse(request, "ERR timeout is not an integer or out of range");
    if (timeout < 0)
        return request_refuse(request, "ERR timeout is negative");
    if (timeout > INT64_MAX - (int64_t)request->now_ms)
        return request_refuse(request, "ERR timeout is out of range");
    uint64_t deadline_ms = deadline_of(request, timeout);
    if (request->progress->position == 0)
        request->progress->position = store_gate_now(store);
    bool synced = store_gate_synced(store, request->progress->position);
    if (local == 1 && !synced && request->now_ms < deadline_ms)
        return STATUS_THROTTLED;
    reply_array(request->reply, 2);
    reply_integer(request->reply, synced);
    reply_integer(request->reply, 0);
    return STATUS_OK;
}

static enum status cmd_sync(struct request *request)
{
    return request_refuse(request, "ERR This server does not replicate to Redis");
}

#define REPLICA_FLAGS  (CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING)
#define SYNC_FLAGS     (CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI)
#define REPLICA_SYNTAX "(args: (host-port: host port:integer)|(no-one: NO ONE))"

const struct command replication_commands[] = {
    {.name = "psync",
     .handler = cmd_sync,
     .arity = -3,
     .flags = SYNC_FLAGS,
     .since = "2.8.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "replicationid offset:integer",
     .summary = "An internal command used in replication.",
     .differs = "Refused, as SYNC: nothing replicates to a Redis."},
    {.name = "replicaof",
     .handler = cmd_replicaof,
     .arity = 3,
     .flags = REPLICA_FLAGS,
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = REPLICA_SYNTAX,
     .summary = "Configures a server as replica of another, or promotes it to a master.",
     .differs = "Only NO ONE; a host is refused. SLAVEOF too."},
    {.name = "role",
     .handler = cmd_role,
     .arity = 1,
     .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST,
     .categories = CAT_ADMIN | CAT_DANGEROUS,
     .since = "2.8.12",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns the replication role."},
    {.name = "slaveof",
     .handler = cmd_replicaof,
     .arity = 3,
     .flags = REPLICA_FLAGS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = REPLICA_SYNTAX,
     .summary = "Sets a Redis server as a replica of another, or promotes it to being a master."},
    {.name = "sync",
     .handler = cmd_sync,
     .arity = 1,
     .flags = SYNC_FLAGS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "An internal command used in replication."},
    {.name = "wait",
     .handler = cmd_wait,
     .arity = 3,
     .flags = CMD_NOSCRIPT,
     .categories = CAT_CONNECTION,
     .since = "3.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .syntax = "numreplicas:integer timeout:integer",
     .summary = "Blocks until the asynchronous replication of all preceding write commands sent by "
                "the connection is completed.",
     .tips = "request_policy:all_shards response_policy:agg_min",
     .differs = "Replicas are the keys' owners besides the coordinator. A write counts when "
                "it is there as durably as appendfsync says. An owner that was away when it was "
                "written counts no more for this connection, and where a node that coordinated "
                "writes of it has gone nobody does; if there can't be enough, the answer does "
                "not wait. A node alone answers 0."},
    {.name = "waitaof",
     .handler = cmd_waitaof,
     .arity = 4,
     .flags = CMD_NOSCRIPT,
     .categories = CAT_CONNECTION,
     .since = "7.2.0",
     .group = "generic",
     .complexity = "O(1)",
     .syntax = "numlocal:integer numreplicas:integer timeout:integer",
     .summary =
         "Blocks until all of the preceding write commands sent by the connection are written "
         "to the append-only file of the master and/or replicas.",
     .tips = "request_policy:all_shards response_policy:agg_min",
     .differs = "Local are the nodes that coordinated the writes, replicas the keys' other owners, "
                "as of WAIT. Nodes that are asked sync, whatever appendfsync says. With more nodes "
                "than owners too few replicas may be counted while any node is away."},
    {0},
};
