/* SPDX-License-Identifier: MIT */
#include "node/peers_admin.h"

#include <inttypes.h>

#include "admin/cluster_survey.h"
#include "node/forward.h"
#include "quorum/quorum.h"
#include "sync/sync.h"

static void survey(void *context, struct arena *arena, struct cluster_view *out)
{
    struct peers *peers = context;
    cluster_survey(peers_layout(peers), peers_gossip(peers), arena, out);
}

static bool link_at(void *context, size_t index, struct admin_link *out)
{
    struct peers *peers = context;
    struct bus_link_view view;
    if (!bus_link_at(peers_bus(peers), index, &view))
        return false;
    *out = (struct admin_link){
        .node = view.node,
        .dialed = view.dialed,
        .since_ms = view.since_ms,
        .output_bytes = view.output_bytes,
        .messages_in = view.messages_in,
        .messages_out = view.messages_out,
    };
    return true;
}

static void meet(void *context, const char *host, uint16_t port, uint16_t bus_port)
{
    (void)port;
    peers_meet(context, host, bus_port);
}

static enum status forget(void *context, uint64_t node)
{
    return peers_forget(context, node);
}

struct line {
    const char *name;
    uint64_t value;
};

static void print(struct buffer *out, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s:%" PRIu64 "\r\n", lines[i].name, lines[i].value);
}

static void describe(void *context, struct buffer *out)
{
    const struct peers *peers = context;
    struct quorum_stats quorum;
    struct sync_stats sync;
    quorum_stats(peers_quorum(peers), &quorum);
    sync_stats(peers_sync(peers), &sync);
    const struct line lines[] = {
        {"quorum_writes", quorum.writes},
        {"quorum_writes_failed", quorum.writes_failed},
        {"quorum_reads_verified", quorum.reads_verified},
        {"quorum_reads_failed", quorum.reads_failed},
        {"quorum_reads_local", quorum.reads_local},
        {"quorum_leases", quorum.leases},
        {"quorum_leases_given", quorum.leases_given},
        {"quorum_withheld", quorum.withheld},
        {"quorum_differences", quorum.differences},
        {"quorum_repairs", quorum.repairs},
        {"quorum_hinted", quorum.hinted},
        {"quorum_speculated", quorum.speculated},
        {"quorum_batches_out", quorum.batches_out},
        {"quorum_batches_in", quorum.batches_in},
        {"quorum_rows_out", quorum.rows_out},
        {"quorum_rows_in", quorum.rows_in},
        {"quorum_refused_layout", quorum.refused_layout},
        {"quorum_pending", quorum.pending},
        {"forward_sessions", forwarder_remotes(peers_forwarder(peers))},
        {"sync_rounds", sync.rounds},
        {"sync_slots_differed", sync.slots_differed},
        {"sync_slots_unequal", sync.slots_unequal},
        {"sync_keys_pulled", sync.keys_pulled},
        {"sync_keys_sent", sync.keys_sent},
        {"sync_hints_pending", sync.hints_pending},
        {"sync_foreign_rows", sync.foreign},
        {"sync_slots_to_gain", sync.slots_to_gain},
        {"sync_collected", sync.collected},
        {"sync_collectable", sync.collectable},
    };
    print(out, lines, sizeof(lines) / sizeof(lines[0]));
}

void peers_admin(struct peers *peers, struct admin_cluster *out)
{
    *out = (struct admin_cluster){
        .node = peers_node(peers),
        .survey = survey,
        .link_at = link_at,
        .meet = meet,
        .forget = forget,
        .describe = describe,
        .context = peers,
    };
}
