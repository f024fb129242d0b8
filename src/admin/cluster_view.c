/* SPDX-License-Identifier: MIT */
#include "admin/cluster_view.h"

#include <inttypes.h>

#include "row/node_name.h"

void cluster_view_finish(struct cluster_view *view)
{
    view->slots_ok = view->slots_short = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        unsigned up = 0;
        view->master[slot] = CLUSTER_NOBODY;
        for (unsigned i = view->owners ? view->owner_count : 0; i-- > 0;) {
            uint16_t owner = view->owners[slot][i];
            if (view->nodes[owner].life != VIEW_UP)
                continue;
            view->master[slot] = owner;
            up++;
        }
        view->slots_ok += up > 0 && up == view->owner_count;
        view->slots_short += up > 0 && up < view->owner_count;
    }
}

const struct view_node *cluster_view_node(const struct cluster_view *view, uint64_t node)
{
    uint16_t low = 0, high = view->count;
    while (low < high) {
        uint16_t middle = (uint16_t)(low + (high - low) / 2);
        if (view->nodes[middle].node == node)
            return &view->nodes[middle];
        if (view->nodes[middle].node < node)
            low = (uint16_t)(middle + 1);
        else
            high = middle;
    }
    return NULL;
}

uint16_t cluster_view_run(const struct cluster_view *view, uint16_t slot)
{
    uint16_t last = slot;
    while (last + 1 < SLOT_COUNT && view->master[last + 1] == view->master[slot])
        last++;
    return last;
}

/* ---- CLUSTER INFO ---------------------------------------------------------------------------- */

/* How many are a master of some slot. */
static unsigned count_masters(const struct cluster_view *view)
{
    unsigned masters = 0;
    for (uint16_t i = 0; i < view->count; i++) {
        bool leads = false;
        for (uint32_t slot = 0; !leads && slot < SLOT_COUNT; slot++)
            leads = view->master[slot] == i;
        masters += leads;
    }
    return masters;
}

static unsigned count_members(const struct cluster_view *view)
{
    unsigned members = 0;
    for (uint16_t i = 0; i < view->count; i++)
        members += view->nodes[i].member;
    return members;
}

void cluster_info(const struct cluster_view *view, struct cluster_traffic traffic,
                  struct buffer *out)
{
    unsigned assigned = view->owners && view->owner_count > 0 ? SLOT_COUNT : 0;
    unsigned served = view->slots_ok + view->slots_short;
    buffer_printf(out, "cluster_state:%s\r\n", served == SLOT_COUNT ? "ok" : "fail");
    buffer_printf(out, "cluster_slots_assigned:%u\r\n", assigned);
    buffer_printf(out, "cluster_slots_ok:%u\r\n", view->slots_ok);
    buffer_printf(out, "cluster_slots_pfail:%u\r\n", view->slots_short);
    buffer_printf(out, "cluster_slots_fail:%u\r\n", assigned - served);
    buffer_printf(out, "cluster_known_nodes:%u\r\n", view->count);
    buffer_printf(out, "cluster_size:%u\r\n", count_masters(view));
    buffer_printf(out, "cluster_current_epoch:%" PRIu64 "\r\n", view->version);
    buffer_printf(out, "cluster_my_epoch:%" PRIu64 "\r\n", view->version);
    buffer_printf(out, "cluster_stats_messages_sent:%" PRIu64 "\r\n", traffic.sent);
    buffer_printf(out, "cluster_stats_messages_received:%" PRIu64 "\r\n", traffic.received);
    buffer_printf(out, "total_cluster_links_buffer_limit_exceeded:0\r\n");
    buffer_printf(out, "cluster_members:%u\r\n", count_members(view));
    buffer_printf(out, "cluster_copies:%u\r\n", view->copies);
    buffer_printf(out, "cluster_layout_phase:%s\r\n", view->phase);
}

/* ---- CLUSTER NODES --------------------------------------------------------------------------- */

static void print_flags(const struct view_node *node, struct buffer *out)
{
    static const char *const lives[] = {
        [VIEW_UP] = "", [VIEW_SUSPECT] = ",fail?", [VIEW_DOWN] = ",fail"};
    buffer_printf(out, "%smaster%s%s", node->self ? "myself," : "", lives[node->life],
                  node->host[0] == '\0' && !node->self ? ",noaddr" : "");
}

void cluster_nodes(const struct cluster_view *view, struct buffer *out)
{
    char name[NODE_NAME_SIZE];
    for (uint16_t i = 0; i < view->count; i++) {
        const struct view_node *node = &view->nodes[i];
        node_name(node->node, name);
        buffer_printf(out, "%s %s:%u@%u ", name, node->host, node->port, node->bus_port);
        print_flags(node, out);
        buffer_printf(out, " - 0 %" PRIu64 " %" PRIu64 " %s", node->heard_ms, view->version,
                      node->life == VIEW_UP ? "connected" : "disconnected");
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            if (view->master[slot] != i)
                continue;
            uint16_t last = cluster_view_run(view, (uint16_t)slot);
            buffer_printf(out, last > slot ? " %u-%u" : " %u", slot, last);
            slot = last;
        }
        buffer_append(out, "\n", 1);
    }
}

/* ---- CLUSTER SLOTS, CLUSTER SHARDS ----------------------------------------------------------- */

void cluster_slots(const struct cluster_view *view, struct reply *reply)
{
    char name[NODE_NAME_SIZE];
    size_t runs = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        runs += view->master[slot] != CLUSTER_NOBODY;
        slot = cluster_view_run(view, (uint16_t)slot);
    }
    reply_array(reply, runs);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t last = cluster_view_run(view, (uint16_t)slot);
        if (view->master[slot] != CLUSTER_NOBODY) {
            const struct view_node *node = &view->nodes[view->master[slot]];
            node_name(node->node, name);
            reply_array(reply, 3);
            reply_integer(reply, slot);
            reply_integer(reply, last);
            reply_array(reply, 4);
            reply_bulk_text(reply, node->host);
            reply_integer(reply, node->port);
            reply_bulk_text(reply, name);
            reply_map(reply, 0);
        }
        slot = last;
    }
}

static void reply_text_pair(struct reply *reply, const char *name, const char *text)
{
    reply_bulk_text(reply, name);
    reply_bulk_text(reply, text);
}

static void reply_shard_node(const struct view_node *node, struct reply *reply)
{
    static const char *const healths[] = {
        [VIEW_UP] = "online", [VIEW_SUSPECT] = "online", [VIEW_DOWN] = "failed"};
    char name[NODE_NAME_SIZE];
    node_name(node->node, name);
    reply_map(reply, 7);
    reply_text_pair(reply, "id", name);
    reply_bulk_text(reply, "port");
    reply_integer(reply, node->port);
    reply_text_pair(reply, "ip", node->host);
    reply_text_pair(reply, "endpoint", node->host);
    reply_text_pair(reply, "role", "master");
    reply_bulk_text(reply, "replication-offset");
    reply_integer(reply, 0);
    reply_text_pair(reply, "health", healths[node->life]);
}

void cluster_shards(const struct cluster_view *view, struct reply *reply)
{
    reply_array(reply, view->count);
    for (uint16_t i = 0; i < view->count; i++) {
        size_t runs = 0;
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
            runs += view->master[slot] == i && (slot == 0 || view->master[slot - 1] != i);
        reply_map(reply, 2);
        reply_bulk_text(reply, "slots");
        reply_array(reply, 2 * runs);
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            if (view->master[slot] != i)
                continue;
            reply_integer(reply, slot);
            slot = cluster_view_run(view, (uint16_t)slot);
            reply_integer(reply, slot);
        }
        reply_bulk_text(reply, "nodes");
        reply_array(reply, 1);
        reply_shard_node(&view->nodes[i], reply);
    }
}
