/* SPDX-License-Identifier: MIT */
#include "cluster/ring.h"

#include <string.h>

#include "base/memory.h"

/* In the middle of the slot's part of the ring. */
static struct xxh128 place_of_slot(uint16_t slot)
{
    _Static_assert(SLOT_COUNT == 1 << 14, "all slots make one turn");
    return (struct xxh128){.high = (uint64_t)slot << 50 | (uint64_t)1 << 49};
}

static bool is_before(struct xxh128 a, struct xxh128 b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

uint32_t ring_point_of_slot(const struct ring_point *points, uint32_t count, uint16_t slot)
{
    struct xxh128 place = place_of_slot(slot);
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(points[middle].at, place))
            low = middle + 1;
        else
            high = middle;
    }
    return low < count ? low : 0;
}

void ring_deinit(struct ring *ring)
{
    memory_free(ring->members);
    memory_free(ring->points);
    memory_free(ring->owners);
    *ring = (struct ring){0};
}

const struct ring_member *ring_member(const struct ring *ring, uint64_t node)
{
    uint32_t low = 0, high = ring->member_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->members[middle].node == node)
            return &ring->members[middle];
        if (ring->members[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void ring_owners(const struct ring *ring, uint16_t slot, uint64_t out[RING_COPIES_MAX])
{
    for (unsigned i = 0; i < ring->copies; i++)
        out[i] = ring->members[ring->owners[slot][i]].node;
}

static bool owns(const struct ring *ring, uint16_t slot, uint32_t member)
{
    for (unsigned i = 0; i < ring->copies; i++)
        if (ring->owners[slot][i] == member)
            return true;
    return false;
}

bool ring_next_stand_in(const struct ring *ring, uint16_t slot, uint32_t *place, bool *seen,
                        uint64_t *out_node)
{
    if (ring->point_count == 0)
        return false;
    uint32_t first = ring_point_of_slot(ring->points, ring->point_count, slot);
    while (*place < ring->point_count) {
        uint32_t member = ring->points[(first + (*place)++) % ring->point_count].member;
        if (seen[member] || owns(ring, slot, member))
            continue;
        seen[member] = true;
        *out_node = ring->members[member].node;
        return true;
    }
    return false;
}
