/* SPDX-License-Identifier: MIT */
#include "admin/cluster_survey.h"

#include "base/check.h"

static struct view_node node_of(const struct gossip_self *said)
{
    return (struct view_node){
        .node = said->node,
        .host = said->host,
        .port = said->port,
        .bus_port = said->bus_port,
        .zone = said->zone,
    };
}

/* A place for the node, in the order of numbers: those behind it move on. */
static struct view_node *insert(struct cluster_view *view, struct view_node node)
{
    uint16_t at = view->count++;
    for (; at > 0 && view->nodes[at - 1].node > node.node; at--)
        view->nodes[at] = view->nodes[at - 1];
    view->nodes[at] = node;
    return &view->nodes[at];
}

static enum cluster_life life_of(const struct gossip_peer *peer)
{
    return peer->life == GOSSIP_UP        ? VIEW_UP
           : peer->life == GOSSIP_SUSPECT ? VIEW_SUSPECT
                                          : VIEW_DOWN;
}

static void add_known(struct cluster_view *view, const struct layout *layout, struct gossip *gossip)
{
    const struct gossip_peer *peer;
    struct view_node self = node_of(gossip_self(gossip));
    for (size_t i = 0; (peer = gossip_peer_at(gossip, i)) != NULL; i++) {
        struct view_node node = node_of(&peer->said);
        node.life = life_of(peer);
        node.heard_ms = peer->heard_ms;
        node.reports = peer->reports;
        node.member = layout && layout_is_member(layout, node.node);
        insert(view, node);
    }
    self.self = true;
    self.member = layout && layout_is_member(layout, self.node);
    insert(view, self);
}

/* Members that have not been heard of since this node started. */
static void add_unheard(struct cluster_view *view, const struct ring *ring)
{
    for (uint32_t i = 0; i < ring->member_count; i++) {
        uint64_t node = ring->members[i].node;
        if (!cluster_view_node(view, node))
            insert(view,
                   (struct view_node){
                       .node = node, .host = "", .zone = "", .life = VIEW_DOWN, .member = true});
    }
}

static void take_owners(struct cluster_view *view, const struct layout *layout, struct arena *arena)
{
    struct placement placement;
    view->owners = arena_alloc(arena, SLOT_COUNT * sizeof(*view->owners));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        layout_placement(layout, (uint16_t)slot, &placement);
        const uint64_t *readers = placement_readers(&placement, &view->owner_count);
        for (unsigned i = 0; i < view->owner_count; i++) {
            const struct view_node *node = cluster_view_node(view, readers[i]);
            check(node != NULL); /* an owner is a member */
            view->owners[slot][i] = (uint16_t)(node - view->nodes);
        }
    }
}

void cluster_survey(const struct layout *layout, struct gossip *gossip, struct arena *arena,
                    struct cluster_view *out)
{
    static const char *const phases[] = {[LAYOUT_STABLE] = "stable",
                                         [LAYOUT_WRITING_BOTH] = "writing-both",
                                         [LAYOUT_READING_NEW] = "reading-new"};
    size_t most = 1;
    while (gossip_peer_at(gossip, most - 1) != NULL)
        most++;
    if (layout)
        most += layout->ring.member_count + layout->next.member_count;
    *out = (struct cluster_view){.phase = "none"};
    out->nodes = arena_alloc(arena, most * sizeof(*out->nodes));
    add_known(out, layout, gossip);
    if (layout) {
        out->version = layout->version;
        out->phase = phases[layout->phase];
        out->copies = layout->copies;
        add_unheard(out, &layout->ring);
        add_unheard(out, &layout->next);
        take_owners(out, layout, arena);
    }
    cluster_view_finish(out);
}
