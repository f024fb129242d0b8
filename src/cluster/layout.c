/* SPDX-License-Identifier: MIT */
#include "cluster/layout.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"

/* ---- steps ----------------------------------------------------------------------------------- */

void layout_first(uint64_t cluster, const struct ring_member *member, unsigned copies,
                  struct layout *out)
{
    check(cluster != 0 && member->weight > 0);
    *out = (struct layout){.cluster = cluster, .version = 1, .copies = copies};
    ring_plan(NULL, member, 1, copies, &out->ring);
}

/* The same ring without those who own nothing any more. */
static void settle(const struct ring *ring, struct ring *out)
{
    struct ring_member *members = memory_alloc(ring->member_count * sizeof(*members));
    uint16_t *place = memory_alloc(ring->member_count * sizeof(*place));
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->member_count; i++) {
        place[i] = (uint16_t)count;
        if (ring->members[i].weight > 0)
            members[count++] = ring->members[i];
    }
    ring_begin(members, count, ring->copies, out);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        for (unsigned i = 0; i < ring->copies; i++)
            out->owners[slot][i] = place[ring->owners[slot][i]];
    memory_free(members);
    memory_free(place);
}

/* Whoever has departed before, or is no member any more. */
static void take_departed(const struct layout *before, struct layout *out)
{
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    uint32_t count = layout_nodes(before, nodes), i = 0, j = 0;
    uint32_t room = count + before->departed_count;
    check(room <= LAYOUT_DEPARTED_MAX);
    out->departed = memory_alloc((room + 1) * sizeof(*out->departed));
    while (i < count || j < before->departed_count) {
        uint64_t a = i < count ? nodes[i] : UINT64_MAX;
        uint64_t b = j < before->departed_count ? before->departed[j] : UINT64_MAX;
        uint64_t node = a < b ? a : b;
        if (!layout_is_member(out, node))
            out->departed[out->departed_count++] = node;
        i += a <= b;
        j += b <= a;
    }
    memory_free(nodes);
}

void layout_step(const struct layout *layout, const struct ring_member *members, uint32_t count,
                 struct layout *out)
{
    *out = (struct layout){
        .cluster = layout->cluster, .version = layout->version + 1, .copies = layout->copies};
    switch (layout->phase) {
    case LAYOUT_STABLE:
        out->phase = LAYOUT_WRITING_BOTH;
        ring_copy(&layout->ring, &out->ring);
        ring_plan(&layout->ring, members, count, layout->copies, &out->next);
        check(out->next.copies > 0);
        break;
    case LAYOUT_WRITING_BOTH:
        out->phase = LAYOUT_READING_NEW;
        ring_copy(&layout->ring, &out->ring);
        ring_copy(&layout->next, &out->next);
        break;
    case LAYOUT_READING_NEW:
        out->phase = LAYOUT_STABLE;
        settle(&layout->next, &out->ring);
        break;
    }
    take_departed(layout, out);
}

void layout_step_aside(const struct layout *layout, const struct ring_member *members,
                       uint32_t count, struct layout *out)
{
    check(layout->phase == LAYOUT_WRITING_BOTH);
    *out = (struct layout){.cluster = layout->cluster,
                           .version = layout->version + 1,
                           .phase = LAYOUT_WRITING_BOTH,
                           .copies = layout->copies};
    ring_copy(&layout->ring, &out->ring);
    ring_plan(&layout->ring, members, count, layout->copies, &out->next);
    check(out->next.copies > 0);
    take_departed(layout, out);
}

void layout_step_back(const struct layout *layout, struct layout *out)
{
    check(layout->phase == LAYOUT_WRITING_BOTH);
    *out = (struct layout){
        .cluster = layout->cluster, .version = layout->version + 1, .copies = layout->copies};
    ring_copy(&layout->ring, &out->ring);
    take_departed(layout, out);
}

static void copy_departed(const uint64_t *departed, uint32_t count, struct layout *out)
{
    out->departed = memory_alloc((count + 1) * sizeof(*departed));
    out->departed_count = count;
    for (uint32_t i = 0; i < count; i++)
        out->departed[i] = departed[i];
}

void layout_step_settled(const struct layout *layout, const uint64_t *departed, uint32_t count,
                         struct layout *out)
{
    check(layout->phase == LAYOUT_STABLE);
    *out = (struct layout){
        .cluster = layout->cluster, .version = layout->version + 1, .copies = layout->copies};
    ring_copy(&layout->ring, &out->ring);
    copy_departed(departed, count, out);
}

void layout_copy(const struct layout *layout, struct layout *out)
{
    *out = *layout;
    ring_copy(&layout->ring, &out->ring);
    ring_copy(&layout->next, &out->next);
    copy_departed(layout->departed, layout->departed_count, out);
}

void layout_deinit(struct layout *layout)
{
    ring_deinit(&layout->ring);
    ring_deinit(&layout->next);
    memory_free(layout->departed);
    *layout = (struct layout){0};
}

/* ---- members --------------------------------------------------------------------------------- */

const struct ring_member *layout_member(const struct layout *layout, uint64_t node)
{
    const struct ring_member *member = ring_member(&layout->next, node);
    return member != NULL ? member : ring_member(&layout->ring, node);
}

bool layout_is_member(const struct layout *layout, uint64_t node)
{
    return layout_member(layout, node) != NULL;
}

bool layout_has_departed(const struct layout *layout, uint64_t node)
{
    uint32_t low = 0, high = layout->departed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (layout->departed[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < layout->departed_count && layout->departed[low] == node;
}

bool layout_may_bring(const struct layout *layout, uint64_t node, uint64_t version)
{
    return MUTANT(anybody_brings_rows) || version > layout->version ||
           layout_is_member(layout, node) || layout_has_departed(layout, node);
}

uint32_t layout_nodes(const struct layout *layout, uint64_t out[LAYOUT_NODES_MAX])
{
    const struct ring *ring = &layout->ring, *next = &layout->next;
    uint32_t count = 0;
    for (uint32_t i = 0, j = 0; i < ring->member_count || j < next->member_count;) {
        uint64_t a = i < ring->member_count ? ring->members[i].node : UINT64_MAX;
        uint64_t b = j < next->member_count ? next->members[j].node : UINT64_MAX;
        out[count++] = a < b ? a : b;
        i += a <= b;
        j += b <= a;
    }
    return count;
}

/* ---- placements ------------------------------------------------------------------------------ */

void layout_placement(const struct layout *layout, uint16_t slot, struct placement *out)
{
    *out = (struct placement){.phase = layout->phase, .old_count = layout->ring.copies};
    ring_owners(&layout->ring, slot, out->old);
    if (layout->phase == LAYOUT_STABLE)
        return;
    out->new_count = layout->next.copies;
    ring_owners(&layout->next, slot, out->new);
}

uint32_t layout_run_end(const struct layout *layout, uint32_t slot)
{
    bool stable = layout->phase == LAYOUT_STABLE;
    uint32_t end = slot + 1;
    while (end < SLOT_COUNT && ring_is_alike(&layout->ring, slot, end) &&
           (stable || ring_is_alike(&layout->next, slot, end)))
        end++;
    return end;
}

static bool is_among(const uint64_t *nodes, unsigned count, uint64_t node)
{
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

unsigned placement_writers(const struct placement *placement, uint64_t out[LAYOUT_OWNERS_MAX])
{
    unsigned count = placement->old_count;
    memcpy(out, placement->old, count * sizeof(*out));
    for (unsigned i = 0; i < placement->new_count; i++)
        if (!is_among(placement->old, placement->old_count, placement->new[i]))
            out[count++] = placement->new[i];
    return count;
}

bool placement_is_owner(const struct placement *placement, uint64_t node)
{
    return is_among(placement->old, placement->old_count, node) ||
           is_among(placement->new, placement->new_count, node);
}

bool placement_moves(const struct placement *placement)
{
    uint64_t writers[LAYOUT_OWNERS_MAX];
    return placement->phase != LAYOUT_STABLE &&
           (placement->new_count != placement->old_count ||
            placement_writers(placement, writers) != placement->old_count);
}

bool placement_gains(const struct placement *placement, uint64_t node)
{
    return is_among(placement->new, placement->new_count, node) &&
           (placement->new_count < placement->old_count ||
            !is_among(placement->old, placement->old_count, node));
}

bool layout_accepts(const struct layout *layout, uint16_t slot, uint64_t version)
{
    struct placement placement;
    if (MUTANT(messages_of_any_layout) || version == layout->version ||
        version == layout->version + 1)
        return true;
    if (version + 1 != layout->version)
        return false;
    layout_placement(layout, slot, &placement);
    return !placement_moves(&placement);
}
