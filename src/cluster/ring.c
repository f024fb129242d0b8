/* SPDX-License-Identifier: MIT */
#include "cluster/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"

/* In the middle of the slot's part of the ring. */
static struct xxh128 place_of_slot(uint16_t slot)
{
    const unsigned shift = 64 - SLOT_BITS; /* all slots make one turn */
    return (struct xxh128){.high = (uint64_t)slot << shift | (uint64_t)1 << (shift - 1)};
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

/* ---- making one ------------------------------------------------------------------------------ */

static int by_place(const struct ring_point *x, const struct ring_point *y)
{
    if (x->at.high != y->at.high)
        return x->at.high < y->at.high ? -1 : 1;
    if (x->at.low != y->at.low)
        return x->at.low < y->at.low ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static uint32_t point_count_of(const struct ring_member *member)
{
    uint32_t count = member->weight * RING_VIRTUAL_NODES / RING_WEIGHT;
    return count > 0 || member->weight == 0 ? count : 1;
}

bool ring_members_fit(const struct ring_member *members, uint32_t count)
{
    uint64_t points = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].weight > RING_WEIGHT_MAX)
            return false;
        points += point_count_of(&members[i]);
    }
    return count <= RING_MEMBERS_MAX && points <= RING_POINTS_MAX;
}

/* Points are hashes and so spread evenly: into about as many buckets as there are, then each of
 * these by insertion. Four times as fast as qsort, and decoding a layout is little else. */
static struct ring_point *sort_points(const struct ring_point *points, uint32_t count)
{
    unsigned shift = 63;
    while (shift > 0 && count >> (64 - shift) > 0)
        shift--;
    uint32_t buckets = 1u << (64 - shift);
    uint32_t *end = memory_zeroed(buckets * sizeof(*end));
    struct ring_point *sorted = memory_alloc(count * sizeof(*sorted));
    for (uint32_t i = 0; i < count; i++)
        end[points[i].at.high >> shift]++;
    for (uint32_t i = 1; i < buckets; i++)
        end[i] += end[i - 1];
    for (uint32_t i = count; i-- > 0;)
        sorted[--end[points[i].at.high >> shift]] = points[i];
    for (uint32_t i = 1; i < count; i++) {
        struct ring_point point = sorted[i];
        uint32_t place = i;
        for (; place > 0 && by_place(&point, &sorted[place - 1]) < 0; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = point;
    }
    memory_free(end);
    return sorted;
}

static void place_points(struct ring *ring)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->member_count; i++)
        count += point_count_of(&ring->members[i]);
    struct ring_point *points = memory_alloc(count * sizeof(*points));
    for (uint32_t i = 0; i < ring->member_count; i++) {
        for (uint32_t j = 0; j < point_count_of(&ring->members[i]); j++) {
            char bytes[12];
            pack_u32(pack_u64(bytes, ring->members[i].node), j);
            points[ring->point_count++] =
                (struct ring_point){xxh128(bytes_of(bytes, sizeof(bytes))), i};
        }
    }
    ring->points = sort_points(points, count);
    memory_free(points);
}

static int by_node(const void *a, const void *b)
{
    const struct ring_member *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

void ring_begin(const struct ring_member *members, uint32_t count, unsigned copies,
                struct ring *out)
{
    check(copies > 0 && copies <= RING_COPIES_MAX);
    check(ring_members_fit(members, count));
    *out = (struct ring){.copies = copies, .member_count = count};
    out->members = memory_alloc(count * sizeof(*members));
    if (count > 0)
        memcpy(out->members, members, count * sizeof(*members));
    qsort(out->members, count, sizeof(*members), by_node);
    for (uint32_t i = 1; i < count; i++)
        check(out->members[i - 1].node < out->members[i].node);
    place_points(out);
    out->owners = memory_zeroed(SLOT_COUNT * sizeof(*out->owners));
}

static void *copy_of(const void *block, size_t size)
{
    void *copy = memory_alloc(size);
    if (size > 0)
        memcpy(copy, block, size);
    return copy;
}

void ring_copy(const struct ring *ring, struct ring *out)
{
    *out = *ring;
    if (ring->owners == NULL)
        return;
    out->members = copy_of(ring->members, ring->member_count * sizeof(*ring->members));
    out->points = copy_of(ring->points, ring->point_count * sizeof(*ring->points));
    out->owners = copy_of(ring->owners, SLOT_COUNT * sizeof(*ring->owners));
}

void ring_deinit(struct ring *ring)
{
    memory_free(ring->members);
    memory_free(ring->points);
    memory_free(ring->owners);
    *ring = (struct ring){0};
}

/* ---- asking it ------------------------------------------------------------------------------- */

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
