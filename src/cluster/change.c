/* SPDX-License-Identifier: MIT */
#include "cluster/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/mutant.h"
#include "base/pack.h"
#include "base/xxh.h"

/* ---- what is said ---------------------------------------------------------------------------- */

uint64_t change_place(const char *text)
{
    return xxh64(bytes_text(text));
}

static bool is_loopback(const char *host)
{
    struct bytes text = bytes_text(host);
    return bytes_starts_with(text, BYTES("127.")) || bytes_equal(text, BYTES("::1")) ||
           bytes_equal_nocase(text, BYTES("localhost"));
}

struct ring_member change_member(const struct gossip_self *said)
{
    char number[8];
    pack_u64(number, said->node);
    return (struct ring_member){
        .node = said->node,
        .zone = change_place(said->zone),
        .host = is_loopback(said->host) ? xxh64(bytes_of(number, sizeof(number)))
                                        : change_place(said->host),
        .weight = said->leaving                    ? 0
                  : said->weight < RING_WEIGHT_MAX ? said->weight
                                                   : RING_WEIGHT_MAX,
    };
}

/* NULL: nothing was heard of it. */
static const struct gossip_self *what_says(const struct change_options *options, uint64_t node)
{
    if (node == options->node)
        return gossip_self(options->gossip);
    const struct gossip_peer *peer = gossip_peer(options->gossip, node);
    return peer != NULL ? &peer->said : NULL;
}

/* Those who will be members as things stand. */
static const struct ring *last_ring(const struct layout *layout)
{
    return layout->phase == LAYOUT_STABLE ? &layout->ring : &layout->next;
}

static bool says_absent(const struct gossip_self *said, uint64_t node, bool lost)
{
    for (unsigned i = 0; i < said->absent_count; i++)
        if (said->absent[i] == node)
            return !lost || said->lost >> i & 1;
    return false;
}

/* Of those who have agreed last. Who does not answer has no say, whatever it said before. */
static bool says_majority(const struct change_options *options, uint64_t node, bool lost)
{
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    uint32_t count = layout_nodes(options->layout, nodes), saying = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct gossip_self *said = what_says(options, nodes[i]);
        saying += said != NULL && said->cluster == options->layout->cluster &&
                  gossip_is_up(options->gossip, nodes[i]) && says_absent(said, node, lost);
    }
    memory_free(nodes);
    return 2 * saying > count;
}

/* Whether it is to be removed since it is down for long: the first of them, as long as enough are
 * left. */
static bool is_absent(const struct change_options *options, uint64_t node)
{
    const struct gossip_self *self = gossip_self(options->gossip);
    const struct ring *ring = last_ring(options->layout);
    uint32_t left = ring->member_count;
    for (unsigned i = 0; i < self->absent_count; i++) {
        uint64_t absent = self->absent[i];
        if (ring_member(ring, absent) == NULL || !says_majority(options, absent, false))
            continue;
        bool goes = left > options->layout->copies || says_majority(options, absent, true);
        left -= goes;
        if (absent == node)
            return goes;
    }
    return false;
}

static bool is_removed(const struct change_options *options, uint64_t node)
{
    for (size_t i = 0; i < options->removed_count; i++)
        if (options->removed[i] == node)
            return true;
    return is_absent(options, node);
}

/* Of a member that gossip was told to forget nothing is heard; it isn't waited for. */
static bool is_down(const struct change_options *options, uint64_t node)
{
    if (node == options->node)
        return false;
    const struct gossip_peer *peer = gossip_peer(options->gossip, node);
    if (peer == NULL)
        return is_removed(options, node) || ring_member(&options->layout->next, node) == NULL;
    return peer->life == GOSSIP_DOWN;
}

/* It has this layout, durably, or a later one. */
static bool has_layout(const struct change_options *options, uint64_t node)
{
    const struct layout *layout = options->layout;
    const struct gossip_self *said = what_says(options, node);
    if (node == options->node)
        return true;
    return said != NULL && said->cluster == layout->cluster &&
           said->layout_version >= layout->version;
}

static bool has_synced(const struct change_options *options, uint64_t node)
{
    const struct layout *layout = options->layout;
    const struct gossip_self *said = what_says(options, node);
    return said != NULL && said->cluster == layout->cluster &&
           said->synced_version >= layout->version;
}

/* ---- a change of members --------------------------------------------------------------------- */

static bool wants_to_join(const struct change_options *options, const struct gossip_peer *peer)
{
    const struct gossip_self *said = &peer->said;
    return peer->life == GOSSIP_UP && said->cluster == 0 && !said->leaving && said->weight > 0 &&
           !layout_is_member(options->layout, said->node) && !is_removed(options, said->node);
}

static bool is_same(const struct ring_member *a, const struct ring_member *b)
{
    return a->node == b->node && a->zone == b->zone && a->host == b->host && a->weight == b->weight;
}

static int by_node(const void *a, const void *b)
{
    const struct ring_member *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

static bool are_members(const struct ring *ring, const struct ring_member *members, uint32_t count)
{
    bool same = ring->member_count == count;
    for (uint32_t i = 0; i < count && same; i++)
        same = is_same(&ring->members[i], &members[i]);
    return same;
}

/* Whom the next ring should have, ascending; whether that is another one than the ring is, and can
 * be. */
static bool list_members(const struct change_options *options,
                         struct ring_member members[RING_MEMBERS_MAX], uint32_t *out_count)
{
    const struct ring *ring = last_ring(options->layout);
    const struct gossip_peer *peer;
    uint32_t count = 0, weights = 0;
    for (uint32_t i = 0; i < ring->member_count; i++) {
        const struct ring_member *member = &ring->members[i];
        const struct gossip_self *said = what_says(options, member->node);
        if (is_removed(options, member->node))
            continue;
        members[count] = said != NULL ? change_member(said) : *member;
        weights += members[count++].weight;
    }
    for (size_t i = 0; (peer = gossip_peer_at(options->gossip, i)) != NULL; i++) {
        if (!wants_to_join(options, peer) || count == RING_MEMBERS_MAX)
            continue;
        members[count] = change_member(&peer->said);
        if (!ring_members_fit(members, count + 1))
            continue;
        weights += members[count++].weight;
    }
    qsort(members, count, sizeof(*members), by_node);
    *out_count = count;
    return weights > 0 && ring_members_fit(members, count) &&
           !are_members(&options->layout->ring, members, count);
}

static bool is_down(const struct change_options *options, uint64_t node);

/* That one has nothing to bring any more, or is not waited for. */
static bool is_settled(const struct change_options *options, uint64_t node)
{
    const struct layout *layout = options->layout;
    const struct gossip_self *said = what_says(options, node);
    if (is_removed(options, node) && is_down(options, node))
        return true;
    if (says_absent(gossip_self(options->gossip), node, true) && says_majority(options, node, true))
        return true;
    return said != NULL && gossip_is_up(options->gossip, node) &&
           (said->cluster == layout->cluster || said->cluster == 0) &&
           said->empty_version >= layout->version;
}

static bool all_have_layout(const struct change_options *options);

/* Of the departed those who are settled, when nobody acts in a layout in which they were members:
 * nobody gives them rows any more. */
static bool forget_departed(const struct change_options *options, struct layout *out)
{
    const struct layout *layout = options->layout;
    uint64_t *kept = memory_alloc((layout->departed_count + 1) * sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; i < layout->departed_count; i++)
        if (!is_settled(options, layout->departed[i]))
            kept[count++] = layout->departed[i];
    bool changes = count < layout->departed_count && all_have_layout(options);
    if (changes)
        layout_step_settled(layout, kept, count, out);
    memory_free(kept);
    return changes;
}

static bool begin_change(const struct change_options *options, struct layout *out)
{
    if (options->layout->departed_count > RING_MEMBERS_MAX)
        return false; /* some are to be settled first */
    struct ring_member *members = memory_alloc(RING_MEMBERS_MAX * sizeof(*members));
    uint32_t count;
    bool changes = list_members(options, members, &count);
    if (changes)
        layout_step(options->layout, members, count, out);
    memory_free(members);
    return changes;
}

/* Another change in the place of the one under way, or none. */
static void begin_anew(const struct change_options *options, struct layout *out)
{
    struct ring_member *members = memory_alloc(RING_MEMBERS_MAX * sizeof(*members));
    uint32_t count;
    if (list_members(options, members, &count) &&
        options->layout->departed_count <= RING_MEMBERS_MAX)
        layout_step_aside(options->layout, members, count, out);
    else
        layout_step_back(options->layout, out);
    memory_free(members);
}

/* ---- its steps ------------------------------------------------------------------------------- */

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* So many of `count` owners that whoever does without them has neither W nor R. */
static unsigned fence_of(const struct change_options *options, unsigned count)
{
    return count + 1 - smaller(smaller(options->read_quorum, options->write_quorum), count);
}

static bool all_have_layout(const struct change_options *options)
{
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    uint32_t count = layout_nodes(options->layout, nodes);
    bool all = true;
    for (uint32_t i = 0; i < count && all; i++)
        all = is_down(options, nodes[i]) || has_layout(options, nodes[i]);
    memory_free(nodes);
    return all;
}

/* Of each member of a ring whether `says` holds. */
static bool *each_member(const struct change_options *options, const struct ring *ring,
                         bool (*says)(const struct change_options *options, uint64_t node))
{
    bool *answers = memory_alloc(ring->member_count * sizeof(*answers));
    for (uint32_t i = 0; i < ring->member_count; i++)
        answers[i] = says(options, ring->members[i].node);
    return answers;
}

/* An operator has said that it is gone, here or to whoever proposed the change: it does not leave
 * by its own word. */
static bool is_gone(const struct change_options *options, uint64_t node)
{
    const struct gossip_peer *peer = gossip_peer(options->gossip, node);
    return is_down(options, node) && ring_member(&options->layout->next, node) == NULL &&
           (is_removed(options, node) || peer == NULL || !peer->said.leaving);
}

/* It will not act in the old layout. Of one that does not answer an operator's word is as good:
 * where R is 1 all old owners are needed, and a lost one would hold the change up for ever. */
static bool counts(const struct change_options *options, uint64_t node)
{
    if (is_gone(options, node))
        return true;
    return !is_down(options, node) && has_layout(options, node);
}

static bool is_ready(const struct change_options *options, uint16_t slot, const bool *fenced,
                     const bool *synced)
{
    const struct layout *layout = options->layout;
    struct placement placement;
    unsigned count = 0;
    layout_placement(layout, slot, &placement);
    if (!placement_moves(&placement))
        return true;
    for (unsigned i = 0; i < placement.old_count; i++)
        count += fenced[layout->ring.owners[slot][i]];
    if (count < fence_of(options, placement.old_count))
        return false;
    for (unsigned i = 0; i < placement.new_count && layout->phase == LAYOUT_WRITING_BOTH; i++)
        if (placement_gains(&placement, placement.new[i]) && !MUTANT(change_goes_on_unsynced) &&
            !synced[layout->next.owners[slot][i]])
            return false;
    return true;
}

static bool is_through(const struct change_options *options)
{
    if (!MUTANT(change_goes_on_without_the_old_owners) && !all_have_layout(options))
        return false;
    bool *fenced = each_member(options, &options->layout->ring, counts);
    bool *synced = each_member(options, &options->layout->next, has_synced);
    bool through = true;
    for (uint32_t slot = 0; slot < SLOT_COUNT && through;) {
        through = is_ready(options, (uint16_t)slot, fenced, synced);
        slot = layout_run_end(options->layout, slot);
    }
    memory_free(fenced);
    memory_free(synced);
    return through;
}

/* Whether somebody who is to be a member afterwards is removed. */
static bool loses_member(const struct change_options *options)
{
    const struct ring *ring = last_ring(options->layout);
    for (uint32_t i = 0; i < ring->member_count; i++)
        if (is_removed(options, ring->members[i].node))
            return true;
    return false;
}

/* Whether an operator has said so of one, here. */
static bool has_removed(const struct change_options *options)
{
    for (size_t i = 0; i < options->removed_count; i++)
        if (ring_member(last_ring(options->layout), options->removed[i]) != NULL ||
            layout_has_departed(options->layout, options->removed[i]))
            return true;
    return false;
}

bool change_next(const struct change_options *options, struct layout *out)
{
    const struct layout *layout = options->layout;
    if (!layout_is_member(layout, options->node) ||
        gossip_self(options->gossip)->cluster != layout->cluster)
        return false;
    if (layout->phase == LAYOUT_STABLE)
        return begin_change(options, out) || forget_departed(options, out);
    if (layout->phase == LAYOUT_WRITING_BOTH && loses_member(options)) {
        begin_anew(options, out);
        return true;
    }
    if (!is_through(options))
        return false;
    layout_step(layout, NULL, 0, out);
    return true;
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

bool change_is_proposer(const struct change_options *options)
{
    const struct layout *layout = options->layout;
    if (!layout_is_member(layout, options->node))
        return false;
    if (has_removed(options))
        return true;
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    layout_nodes(layout, nodes);
    uint32_t first = 0;
    while (nodes[first] != options->node &&
           !(gossip_is_up(options->gossip, nodes[first]) && has_layout(options, nodes[first])))
        first++;
    bool is_first = nodes[first] == options->node;
    memory_free(nodes);
    return is_first;
}
