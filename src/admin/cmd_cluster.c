/* SPDX-License-Identifier: MIT */
/*
 * What clients of a Redis Cluster ask. Where no cluster is enabled they hear it in the words by
 * which they know a server that stands alone. Where one is, they are told of it as
 * admin/cluster_view.h says; and what only a cluster with leaders needs, and slots that somebody
 * has to place, is refused with the reason.
 */
#include "admin/admin.h"
#include "base/number.h"
#include "row/node_name.h"

#define SUBCOMMAND(word, does, words, has_flags, from, order, text, notation, hints)               \
    {                                                                                              \
        .name = (word), .handler = (does), .arity = (words), .flags = (has_flags),                 \
        .since = (from), .group = "cluster", .complexity = (order), .summary = (text),             \
        .syntax = (notation), .tips = (hints)                                                      \
    }

#define OF_THE_MOMENT "nondeterministic_output"
#define PER_NODE      "O(N) where N is the total number of cluster nodes"

enum { CHANGES = CMD_ADMIN | CMD_STALE | CMD_NO_ASYNC_LOADING };

enum {
    SLOT_KEYS_MAX = 10000,  /* of a GETKEYSINSLOT, whatever its count says */
    SLOT_PAGES_MAX = 1000,  /* that it looks at, where keys were deleted */
    BUS_PORT_ABOVE = 10000, /* the port of clients, unless it is said */
};

static enum status no_cluster(struct request *request)
{
    return request_refuse(request, "ERR This instance has cluster support disabled");
}

/* Runs it where a cluster is enabled. */
static enum status in_cluster(struct request *request,
                              enum status (*run)(struct request *request,
                                                 const struct admin_cluster *cluster))
{
    const struct admin_cluster *cluster = request->admin->cluster;
    return cluster ? run(request, cluster) : no_cluster(request);
}

#define IN_CLUSTER(name)                                                                           \
    static enum status cmd_##name(struct request *request)                                         \
    {                                                                                              \
        return in_cluster(request, name);                                                          \
    }

static void survey(struct request *request, const struct admin_cluster *cluster,
                   struct cluster_view *out)
{
    cluster->survey(cluster->context, request->arena, out);
}

/* ---- what there is --------------------------------------------------------------------------- */

static struct cluster_traffic traffic_of(const struct admin_cluster *cluster)
{
    struct cluster_traffic traffic = {0};
    struct admin_link link;
    for (size_t i = 0; cluster->link_at(cluster->context, i, &link); i++) {
        traffic.sent += link.messages_out;
        traffic.received += link.messages_in;
    }
    return traffic;
}

static enum status reply_lines(struct request *request, struct buffer *lines)
{
    reply_verbatim(request->reply, "txt", buffer_bytes(lines));
    buffer_deinit(lines);
    return STATUS_OK;
}

static enum status info(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    struct buffer lines = {0};
    survey(request, cluster, &view);
    cluster_info(&view, traffic_of(cluster), &lines);
    return reply_lines(request, &lines);
}
IN_CLUSTER(info)

static enum status nodes(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    struct buffer lines = {0};
    survey(request, cluster, &view);
    cluster_nodes(&view, &lines);
    return reply_lines(request, &lines);
}
IN_CLUSTER(nodes)

static enum status slots(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    survey(request, cluster, &view);
    cluster_slots(&view, request->reply);
    return STATUS_OK;
}
IN_CLUSTER(slots)

static enum status shards(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    survey(request, cluster, &view);
    cluster_shards(&view, request->reply);
    return STATUS_OK;
}
IN_CLUSTER(shards)

/* Also the id of its shard: it is alone in it. */
static enum status my_id(struct request *request, const struct admin_cluster *cluster)
{
    char name[NODE_NAME_SIZE];
    node_name(cluster->node, name);
    reply_bulk_text(request->reply, name);
    return STATUS_OK;
}
IN_CLUSTER(my_id)

static enum status links(struct request *request, const struct admin_cluster *cluster)
{
    struct admin_link link;
    char name[NODE_NAME_SIZE];
    size_t count = 0;
    while (cluster->link_at(cluster->context, count, &link))
        count++;
    struct reply *reply = request->reply;
    reply_array(reply, count);
    for (size_t i = 0; i < count && cluster->link_at(cluster->context, i, &link); i++) {
        node_name(link.node, name);
        reply_map(reply, 6);
        reply_bulk_text(reply, "direction");
        reply_bulk_text(reply, link.dialed ? "to" : "from");
        reply_bulk_text(reply, "node");
        reply_bulk_text(reply, name);
        reply_bulk_text(reply, "create-time");
        reply_integer(reply, (int64_t)link.since_ms);
        reply_bulk_text(reply, "events");
        reply_bulk_text(reply, link.output_bytes > 0 ? "rw" : "r");
        reply_bulk_text(reply, "send-buffer-allocated");
        reply_integer(reply, (int64_t)link.output_bytes);
        reply_bulk_text(reply, "send-buffer-used");
        reply_integer(reply, (int64_t)link.output_bytes);
    }
    return STATUS_OK;
}
IN_CLUSTER(links)

/* ---- slots and their keys, as this node holds them ------------------------------------------- */

static enum status key_slot(struct request *request, const struct admin_cluster *cluster)
{
    (void)cluster;
    reply_integer(request->reply, slot_of_key(request->argv[2]));
    return STATUS_OK;
}
IN_CLUSTER(key_slot)

static enum status count_keys(struct request *request, const struct admin_cluster *cluster)
{
    int64_t slot;
    (void)cluster;
    if (!number_parse_i64(request->argv[2], &slot))
        return STATUS_NOT_INTEGER;
    if (slot < 0 || slot >= SLOT_COUNT)
        return request_refuse(request, "ERR Invalid slot");
    uint64_t keys = txn_slot_keys(request->txn, (uint16_t)slot, request->db);
    reply_integer(request->reply, (int64_t)keys);
    return STATUS_OK;
}
IN_CLUSTER(count_keys)

/* Keys of the slot, page by page: in the arena. */
static enum status collect_keys(struct request *request, uint16_t slot, size_t most,
                                struct bytes *out, size_t *out_count)
{
    struct scan_page page = {0};
    size_t count = 0;
    for (unsigned pages = 0; count < most && !page.done && pages < SLOT_PAGES_MAX; pages++) {
        enum status status =
            txn_scan(request->txn, slot, request->db, page.next_hash, most - count, &page);
        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < page.count && count < most; i++)
            out[count++] = page.rows[i].key;
    }
    *out_count = count;
    return STATUS_OK;
}

static enum status get_keys(struct request *request, const struct admin_cluster *cluster)
{
    int64_t slot, most;
    size_t count;
    (void)cluster;
    if (!number_parse_i64(request->argv[2], &slot) || !number_parse_i64(request->argv[3], &most))
        return STATUS_NOT_INTEGER;
    if (slot < 0 || slot >= SLOT_COUNT || most < 0)
        return request_refuse(request, "ERR Invalid slot or number of keys");
    if (most > SLOT_KEYS_MAX)
        most = SLOT_KEYS_MAX;
    struct bytes *keys = arena_alloc(request->arena, (size_t)most * sizeof(*keys));
    enum status status = collect_keys(request, (uint16_t)slot, (size_t)most, keys, &count);
    if (status != STATUS_OK)
        return status;
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk(request->reply, keys[i]);
    return STATUS_OK;
}
IN_CLUSTER(get_keys)

/* ---- other nodes ----------------------------------------------------------------------------- */

static enum status find_node(struct request *request, const struct cluster_view *view,
                             const struct view_node **out)
{
    struct bytes name = request->argv[2];
    uint64_t node;
    *out = node_name_parse(name, &node) ? cluster_view_node(view, node) : NULL;
    if (*out)
        return STATUS_OK;
    reply_errorf(request->reply, "ERR Unknown node %.*s", request_echoed(name), name.data);
    return STATUS_REPLIED;
}

/* Nobody is a replica of another. */
static enum status replicas(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    const struct view_node *node;
    survey(request, cluster, &view);
    enum status status = find_node(request, &view, &node);
    if (status == STATUS_OK)
        reply_array(request->reply, 0);
    return status;
}
IN_CLUSTER(replicas)

static enum status failure_reports(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    const struct view_node *node;
    survey(request, cluster, &view);
    enum status status = find_node(request, &view, &node);
    if (status == STATUS_OK)
        reply_integer(request->reply, node->reports);
    return status;
}
IN_CLUSTER(failure_reports)

static bool is_port(int64_t port)
{
    return port > 0 && port <= UINT16_MAX;
}

static enum status refuse_port(struct request *request, const char *which, struct bytes port)
{
    reply_errorf(request->reply, "ERR Invalid %s port specified: %.*s", which, request_echoed(port),
                 port.data);
    return STATUS_REPLIED;
}

/* A name or an address: what it stands for is found out when it is dialed. */
static bool is_host(struct bytes host)
{
    for (size_t i = 0; i < host.size; i++)
        if ((unsigned char)host.data[i] <= ' ' || (unsigned char)host.data[i] >= 0x7f)
            return false;
    return host.size > 0 && host.size <= 255;
}

static enum status meet(struct request *request, const struct admin_cluster *cluster)
{
    char host[256];
    struct bytes *argv = request->argv;
    int64_t port, bus_port;
    if (request->argc > 5)
        return command_refuse_usage(request);
    if (!number_parse_i64(argv[3], &port) || !is_port(port))
        return refuse_port(request, "base", argv[3]);
    bus_port = port + BUS_PORT_ABOVE;
    if (request->argc == 5 && (!number_parse_i64(argv[4], &bus_port) || !is_port(bus_port)))
        return refuse_port(request, "bus", argv[4]);
    if (!is_host(argv[2]) || !is_port(bus_port)) {
        reply_errorf(request->reply, "ERR Invalid node address specified: %.*s:%.*s",
                     request_echoed(argv[2]), argv[2].data, request_echoed(argv[3]), argv[3].data);
        return STATUS_REPLIED;
    }
    memcpy(host, argv[2].data, argv[2].size);
    host[argv[2].size] = '\0';
    cluster->meet(cluster->context, host, (uint16_t)port, (uint16_t)bus_port);
    reply_ok(request->reply);
    return STATUS_OK;
}
IN_CLUSTER(meet)

static enum status forget(struct request *request, const struct admin_cluster *cluster)
{
    struct cluster_view view;
    const struct view_node *node;
    survey(request, cluster, &view);
    enum status status = find_node(request, &view, &node);
    if (status != STATUS_OK)
        return status;
    if (node->self)
        return request_refuse(request, "ERR I tried hard but I can't forget myself...");
    status = cluster->forget(cluster->context, node->node);
    if (status != STATUS_OK)
        return request_refuse(request,
                              "ERR This node cannot be forgotten now: slots are moving, or "
                              "it would be missed");
    reply_ok(request->reply);
    return STATUS_OK;
}
IN_CLUSTER(forget)

/* ---- what is of no use ----------------------------------------------------------------------- */

static const struct refusal {
    const char *subcommand;
    const char *why;
} refusals[] = {
    {"failover", "ERR There is no failover here: each owner of a slot takes its writes"},
    {"replicate",
     "ERR There are no replicas here: each slot has several owners, all alike, as many "
     "as the setting replicas says"},
    {"reset", "ERR A node leaves its cluster when another one is told to CLUSTER FORGET it"},
    {"bumpepoch", "ERR There are no epochs here: what has changed is agreed upon by all nodes"},
    {"set-config-epoch", "ERR There are no epochs here: what has changed is agreed upon by all "
                         "nodes"},
};

static enum status refused(struct request *request, const struct admin_cluster *cluster)
{
    (void)cluster;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
        if (strcmp(request->command->name, refusals[i].subcommand) == 0)
            return request_refuse(request, refusals[i].why);
    return request_refuse(request, "ERR Slots are placed by the cluster itself: each node has its "
                                   "share, by its weight");
}
IN_CLUSTER(refused)

/* The layout is saved before it counts; what READONLY and ASKING allow, everybody may do. */
static enum status granted(struct request *request, const struct admin_cluster *cluster)
{
    (void)cluster;
    reply_ok(request->reply);
    return STATUS_OK;
}
IN_CLUSTER(granted)

static enum status help(struct request *request, const struct admin_cluster *cluster)
{
    static const char *const lines[] = {
        "COUNT-FAILURE-REPORTS <node-id>",
        "    Return how many other nodes suspect this one.",
        "COUNTKEYSINSLOT <slot>",
        "    Return the number of keys in <slot> that this node holds.",
        "FORGET <node-id>",
        "    Remove a node from the cluster, for good.",
        "GETKEYSINSLOT <slot> <count>",
        "    Return key names that this node stores in a slot.",
        "INFO",
        "    Return information about the cluster.",
        "KEYSLOT <key>",
        "    Return the hash slot for <key>.",
        "LINKS",
        "    Return information about all connections to and from other nodes.",
        "MEET <host> <port> [<bus-port>]",
        "    Connect nodes into a working cluster.",
        "MYID",
        "    Return the node id.",
        "MYSHARDID",
        "    Return the node's shard id: it is the node's own.",
        "NODES",
        "    Return the nodes, and which slots each of them coordinates. Output format:",
        "    <id> <host:port@bus-port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
        "REPLICAS <node-id>",
        "    Return nothing: each slot has several owners, all alike.",
        "SHARDS",
        "    Return information about slot range mappings and the nodes associated with them.",
        "SLOTS",
        "    Return information about slot range mappings, each a start, an end, a node.",
        NULL,
    };
    (void)cluster;
    return command_help(request, lines);
}
IN_CLUSTER(help)

static const struct command cluster_subcommands[] = {
    SUBCOMMAND("info", cmd_info, 2, CMD_STALE, "3.0.0", "O(1)",
               "Returns information about the state of a node.", "", OF_THE_MOMENT),
    SUBCOMMAND("nodes", cmd_nodes, 2, CMD_STALE, "3.0.0", PER_NODE,
               "Returns the cluster configuration for a node.", "", OF_THE_MOMENT),
    SUBCOMMAND("slots", cmd_slots, 2, CMD_STALE, "3.0.0", PER_NODE,
               "Returns the mapping of cluster slots to nodes.", "", OF_THE_MOMENT),
    SUBCOMMAND("shards", cmd_shards, 2, CMD_STALE, "7.0.0", PER_NODE,
               "Returns the mapping of cluster slots to shards.", "", OF_THE_MOMENT),
    SUBCOMMAND("myid", cmd_my_id, 2, CMD_STALE, "3.0.0", "O(1)", "Returns the ID of a node.", "",
               NULL),
    SUBCOMMAND("myshardid", cmd_my_id, 2, CMD_STALE, "7.2.0", "O(1)",
               "Returns the shard ID of a node.", "", OF_THE_MOMENT),
    SUBCOMMAND("keyslot", cmd_key_slot, 3, CMD_STALE, "3.0.0",
               "O(N) where N is the number of bytes in the key", "Returns the hash slot for a key.",
               "key:string", NULL),
    SUBCOMMAND("countkeysinslot", cmd_count_keys, 3, CMD_STALE, "3.0.0", "O(1)",
               "Returns the number of keys in a hash slot.", "slot:integer", NULL),
    SUBCOMMAND("getkeysinslot", cmd_get_keys, 4, CMD_STALE, "3.0.0",
               "O(log(N)) where N is the number of requested keys",
               "Returns the key names in a hash slot.", "slot:integer count:integer",
               OF_THE_MOMENT),
    SUBCOMMAND("links", cmd_links, 2, CMD_STALE, "7.0.0", PER_NODE,
               "Returns a list of all TCP links to and from peer nodes.", "", OF_THE_MOMENT),
    SUBCOMMAND("replicas", cmd_replicas, 3, CMD_ADMIN | CMD_STALE, "5.0.0", "O(1)",
               "Lists the replica nodes of a master node.", "node-id", OF_THE_MOMENT),
    SUBCOMMAND("slaves", cmd_replicas, 3, CMD_ADMIN | CMD_STALE, "3.0.0", "O(1)",
               "Lists the replica nodes of a master node.", "node-id", OF_THE_MOMENT),
    SUBCOMMAND("count-failure-reports", cmd_failure_reports, 3, CMD_ADMIN | CMD_STALE, "3.0.0",
               "O(N) where N is the number of failure reports",
               "Returns the number of active failure reports for a node.", "node-id",
               OF_THE_MOMENT),
    SUBCOMMAND("addslots", cmd_refused, -3, CHANGES, "3.0.0",
               "O(N) where N is the total number of hash slot arguments",
               "Assigns new hash slots to a node.", "slot:integer ...", NULL),
    SUBCOMMAND("addslotsrange", cmd_refused, -4, CHANGES, "7.0.0",
               "O(N) where N is the number of slots in the ranges",
               "Assigns new hash slot ranges to a node.",
               "(start-slot_end-slot: start-slot:integer end-slot:integer)...", NULL),
    SUBCOMMAND("bumpepoch", cmd_refused, 2, CHANGES, "3.0.0", "O(1)",
               "Advances the cluster config epoch.", "", OF_THE_MOMENT),
    SUBCOMMAND("delslots", cmd_refused, -3, CHANGES, "3.0.0",
               "O(N) where N is the total number of hash slot arguments",
               "Sets hash slots as unbound for a node.", "slot:integer ...", NULL),
    SUBCOMMAND("delslotsrange", cmd_refused, -4, CHANGES, "7.0.0",
               "O(N) where N is the number of slots in the ranges",
               "Sets hash slot ranges as unbound for a node.",
               "(start-slot_end-slot: start-slot:integer end-slot:integer)...", NULL),
    SUBCOMMAND("failover", cmd_refused, -2, CHANGES, "3.0.0", "O(1)",
               "Forces a replica to perform a manual failover of its master.",
               "[options: FORCE|TAKEOVER]", NULL),
    SUBCOMMAND("flushslots", cmd_refused, 2, CHANGES, "3.0.0", "O(1)",
               "Deletes all slots information from a node.", "", NULL),
    SUBCOMMAND("forget", cmd_forget, 3, CHANGES, "3.0.0", "O(1)",
               "Removes a node from the nodes table.", "node-id", NULL),
    SUBCOMMAND("meet", cmd_meet, -4, CHANGES, "3.0.0", "O(1)",
               "Forces a node to handshake with another node.",
               "ip port:integer [cluster_bus_port:integer]", NULL),
    SUBCOMMAND("replicate", cmd_refused, 3, CHANGES, "3.0.0", "O(1)",
               "Configures a node as a replica of a master node.", "node-id", NULL),
    SUBCOMMAND("reset", cmd_refused, -2, CMD_ADMIN | CMD_STALE | CMD_NOSCRIPT, "3.0.0",
               "O(N) where N is the number of known nodes", "Resets a node.",
               "[hard_soft: HARD|SOFT]", NULL),
    SUBCOMMAND("saveconfig", cmd_granted, 2, CHANGES, "3.0.0", "O(1)",
               "Forces a node to save the cluster configuration to disk.", "", NULL),
    SUBCOMMAND("set-config-epoch", cmd_refused, 3, CHANGES, "3.0.0", "O(1)",
               "Sets the configuration epoch for a new node.", "config-epoch:integer", NULL),
    SUBCOMMAND("setslot", cmd_refused, -4, CHANGES, "3.0.0", "O(1)", "Binds a hash slot to a node.",
               "slot:integer (subcommand: IMPORTING node-id|MIGRATING node-id|NODE node-id|STABLE)",
               NULL),
    SUBCOMMAND("help", cmd_help, 2, CMD_LOADING | CMD_STALE, "5.0.0", "O(1)",
               "Returns helpful text about the different subcommands.", "", NULL),
    {0},
};

const struct command cluster_commands[] = {
    {.name = "asking",
     .handler = cmd_granted,
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
     .handler = cmd_granted,
     .arity = 1,
     .flags = CMD_FAST | CMD_LOADING | CMD_STALE,
     .categories = CAT_CONNECTION,
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Enables read-only queries for a connection to a cluster replica node."},
    {.name = "readwrite",
     .handler = cmd_granted,
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
