/* SPDX-License-Identifier: MIT */
/*
 * A layout as bytes. Integers little-endian; v: a varint.
 *
 *   format    1   FORMAT
 *   phase     1
 *   copies    1   as asked for
 *   copies    1   of the ring
 *   copies    1   of the next; 0 in STABLE
 *   cluster   8
 *   version   v
 *   members   v   how many, in either ring; then for each, ascending:
 *     node    6   big-endian
 *     where   1   IN_RING | IN_NEXT | CHANGES: in both, but the next has it otherwise
 *     zone    8
 *     host    8
 *     weight  v
 *     zone, host, weight once more if it CHANGES: as the next has it
 *   departed  v   how many, then the nodes of 6 bytes, ascending; not in format 1: none
 *   owners        of the ring's slots, each an index in its members: as many bits as the last index
 *                 needs, the lowest first, packed; the last byte is filled up with zeros
 *   runs          but in STABLE, until all slots are told: a pair of
 *     same    v   how many slots that the next gives to the same nodes, in the same order
 *     other   v   how many it does not, then
 *   owners        of those others: as above, in the next's members
 *   checksum  8   XXH3-64 of all before
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "cluster/layout.h"

enum {
    FORMAT = 2,
    FORMAT_BEFORE_DEPARTED = 1,
    CHECKSUM_SIZE = 8,
    NODE_SIZE = 6,
    MEMBER_SIZE_MIN = NODE_SIZE + 1 + 16 + 1
};
enum { IN_RING = 1, IN_NEXT = 2, CHANGES = 4 };

#define NOBODY UINT32_MAX

/* ---- bits ------------------------------------------------------------------------------------ */

struct bits {
    uint64_t held;
    unsigned count; /* of them, below 8 between calls */
};

/* Of an index among so many. */
static unsigned index_width(uint32_t count)
{
    unsigned width = 0;
    while (width < 32 && (count - 1) >> width != 0)
        width++;
    return width;
}

static void put_bits(struct bits *bits, struct buffer *out, uint32_t value, unsigned width)
{
    bits->held |= (uint64_t)value << bits->count;
    bits->count += width;
    while (bits->count >= 8) {
        buffer_append_u8(out, (uint8_t)bits->held);
        bits->held >>= 8;
        bits->count -= 8;
    }
}

static void end_bits(const struct bits *bits, struct buffer *out)
{
    if (bits->count > 0)
        buffer_append_u8(out, (uint8_t)bits->held);
}

static uint32_t take_bits(struct bits *bits, struct unpack *in, unsigned width)
{
    while (bits->count < width) {
        bits->held |= (uint64_t)unpack_next_u8(in) << bits->count;
        bits->count += 8;
    }
    uint32_t value = (uint32_t)(bits->held & ((1ULL << width) - 1));
    bits->held >>= width;
    bits->count -= width;
    return value;
}

/* ---- encoding -------------------------------------------------------------------------------- */

static void put_varint(struct buffer *out, uint64_t value)
{
    char *begin = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(begin, value) - begin));
}

static void put_u64(struct buffer *out, uint64_t value)
{
    pack_u64(buffer_reserve(out, sizeof(value)), value);
    buffer_commit(out, sizeof(value));
}

static void put_place(struct buffer *out, const struct ring_member *member)
{
    put_u64(out, member->zone);
    put_u64(out, member->host);
    put_varint(out, member->weight);
}

static bool is_same_place(const struct ring_member *a, const struct ring_member *b)
{
    return a->zone == b->zone && a->host == b->host && a->weight == b->weight;
}

static void put_members(const struct layout *layout, struct buffer *out)
{
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    uint32_t count = layout_nodes(layout, nodes);
    put_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_member *member = ring_member(&layout->ring, nodes[i]);
        const struct ring_member *next = ring_member(&layout->next, nodes[i]);
        bool changes = member != NULL && next != NULL && !is_same_place(member, next);
        pack_be(buffer_reserve(out, NODE_SIZE), nodes[i], NODE_SIZE);
        buffer_commit(out, NODE_SIZE);
        buffer_append_u8(out, (uint8_t)((member != NULL ? IN_RING : 0) |
                                        (next != NULL ? IN_NEXT : 0) | (changes ? CHANGES : 0)));
        put_place(out, member != NULL ? member : next);
        if (changes)
            put_place(out, next);
    }
    memory_free(nodes);
}

static void put_departed(const struct layout *layout, struct buffer *out)
{
    put_varint(out, layout->departed_count);
    for (uint32_t i = 0; i < layout->departed_count; i++) {
        pack_be(buffer_reserve(out, NODE_SIZE), layout->departed[i], NODE_SIZE);
        buffer_commit(out, NODE_SIZE);
    }
}

/* Where each member of `from` is among those of `to`; NOBODY: it isn't. */
static uint32_t *map_members(const struct ring *from, const struct ring *to)
{
    uint32_t *map = memory_alloc(from->member_count * sizeof(*map));
    for (uint32_t i = 0; i < from->member_count; i++) {
        const struct ring_member *member = ring_member(to, from->members[i].node);
        map[i] = member != NULL ? (uint32_t)(member - to->members) : NOBODY;
    }
    return map;
}

static bool is_same_slot(const struct layout *layout, const uint32_t *map, uint32_t slot)
{
    const struct ring *ring = &layout->ring, *next = &layout->next;
    if (ring->copies != next->copies)
        return false;
    for (unsigned i = 0; i < ring->copies; i++)
        if (map[ring->owners[slot][i]] != next->owners[slot][i])
            return false;
    return true;
}

static void put_slot(struct bits *bits, const struct ring *ring, uint32_t slot, struct buffer *out)
{
    unsigned width = index_width(ring->member_count);
    for (unsigned i = 0; i < ring->copies; i++)
        put_bits(bits, out, ring->owners[slot][i], width);
}

static void put_next(const struct layout *layout, struct buffer *out)
{
    uint32_t *map = map_members(&layout->ring, &layout->next);
    bool *same = memory_alloc(SLOT_COUNT * sizeof(*same));
    struct bits bits = {0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        same[slot] = is_same_slot(layout, map, slot);
    for (uint32_t slot = 0, begin; slot < SLOT_COUNT;) {
        for (begin = slot; slot < SLOT_COUNT && same[slot];)
            slot++;
        put_varint(out, slot - begin);
        for (begin = slot; slot < SLOT_COUNT && !same[slot];)
            slot++;
        put_varint(out, slot - begin);
    }
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if (!same[slot])
            put_slot(&bits, &layout->next, slot, out);
    end_bits(&bits, out);
    memory_free(map);
    memory_free(same);
}

void layout_encode(const struct layout *layout, struct buffer *out)
{
    size_t start = buffer_size(out);
    struct bits bits = {0};
    buffer_append_u8(out, FORMAT);
    buffer_append_u8(out, (uint8_t)layout->phase);
    buffer_append_u8(out, (uint8_t)layout->copies);
    buffer_append_u8(out, (uint8_t)layout->ring.copies);
    buffer_append_u8(out, (uint8_t)layout->next.copies);
    put_u64(out, layout->cluster);
    put_varint(out, layout->version);
    put_members(layout, out);
    put_departed(layout, out);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        put_slot(&bits, &layout->ring, slot, out);
    end_bits(&bits, out);
    if (layout->phase != LAYOUT_STABLE)
        put_next(layout, out);
    struct bytes bytes = buffer_bytes(out);
    put_u64(out, xxh64(bytes_of(bytes.data + start, bytes.size - start)));
    check(buffer_size(out) - start <= LAYOUT_SIZE_MAX);
}

/* ---- decoding -------------------------------------------------------------------------------- */

struct members {
    struct ring_member *ring, *next;
    uint32_t ring_count, next_count;
};

static void take_place(struct unpack *in, struct ring_member *member)
{
    member->zone = unpack_next_u64(in);
    member->host = unpack_next_u64(in);
    uint64_t weight = unpack_next_varint(in);
    in->failed |= weight > RING_WEIGHT_MAX;
    member->weight = (uint32_t)weight;
}

static void take_member(struct unpack *in, uint64_t after, struct members *out, uint64_t *out_node)
{
    struct bytes node = unpack_bytes(in, NODE_SIZE);
    struct ring_member member = {.node = in->failed ? 0 : unpack_be(node.data, NODE_SIZE)};
    uint8_t where = unpack_next_u8(in);
    take_place(in, &member);
    struct ring_member next = member;
    if (where & CHANGES) {
        take_place(in, &next);
        in->failed |= where != (IN_RING | IN_NEXT | CHANGES) || is_same_place(&member, &next);
    }
    in->failed |= where == 0 || where > (IN_RING | IN_NEXT | CHANGES);
    in->failed |= after != UINT64_MAX && member.node <= after;
    if (where & IN_RING)
        out->ring[out->ring_count++] = member;
    if (where & IN_NEXT)
        out->next[out->next_count++] = next;
    *out_node = member.node;
}

/* Those of both rings, and the rings without owners. */
static void take_members(struct unpack *in, unsigned ring_copies, unsigned next_copies,
                         struct layout *out)
{
    uint64_t count = unpack_next_varint(in), node = UINT64_MAX;
    if (in->failed || count > (size_t)(in->end - in->next) / MEMBER_SIZE_MIN) {
        in->failed = true;
        return;
    }
    struct members members = {memory_alloc(count * sizeof(*members.ring)),
                              memory_alloc(count * sizeof(*members.next))};
    for (uint64_t i = 0; i < count && !in->failed; i++)
        take_member(in, node, &members, &node);
    in->failed |= members.ring_count < ring_copies || members.next_count < next_copies ||
                  (next_copies == 0 && members.next_count > 0) ||
                  !ring_members_fit(members.ring, members.ring_count) ||
                  !ring_members_fit(members.next, members.next_count);
    if (!in->failed)
        ring_begin(members.ring, members.ring_count, ring_copies, &out->ring);
    if (!in->failed && next_copies > 0)
        ring_begin(members.next, members.next_count, next_copies, &out->next);
    memory_free(members.ring);
    memory_free(members.next);
}

/* Ascending, none of them a member. */
static void take_departed(struct unpack *in, struct layout *out)
{
    uint64_t count = unpack_next_varint(in);
    if (in->failed || count > LAYOUT_DEPARTED_MAX ||
        count > (size_t)(in->end - in->next) / NODE_SIZE) {
        in->failed = true;
        return;
    }
    out->departed = memory_alloc((count + 1) * sizeof(*out->departed));
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        uint64_t node = unpack_be(unpack_bytes(in, NODE_SIZE).data, NODE_SIZE);
        in->failed |= (i > 0 && node <= out->departed[i - 1]) || layout_is_member(out, node);
        out->departed[out->departed_count++] = node;
    }
}

/* Owners are members that may own something, each once. */
static bool is_sound(const struct ring *ring, uint32_t slot)
{
    const uint16_t *owners = ring->owners[slot];
    for (unsigned i = 0; i < ring->copies; i++) {
        if (owners[i] >= ring->member_count || ring->members[owners[i]].weight == 0)
            return false;
        for (unsigned j = 0; j < i; j++)
            if (owners[i] == owners[j])
                return false;
    }
    return true;
}

/* The owners of slots, one after another. Mostly they are those of the slot before. */
struct taking {
    struct unpack *in;
    struct ring *ring;
    struct bits bits;
    unsigned width;
    uint32_t last; /* slot */
};

static struct taking begin_taking(struct unpack *in, struct ring *ring)
{
    return (struct taking){
        .in = in, .ring = ring, .width = index_width(ring->member_count), .last = NOBODY};
}

static void take_slot(struct taking *taking, uint32_t slot)
{
    struct ring *ring = taking->ring;
    for (unsigned i = 0; i < ring->copies; i++)
        ring->owners[slot][i] = (uint16_t)take_bits(&taking->bits, taking->in, taking->width);
    if (taking->last == NOBODY || !ring_is_alike(ring, taking->last, slot))
        taking->in->failed |= !is_sound(ring, slot);
    taking->last = slot;
}

/* Which slots the next ring gives to the same nodes. */
static void take_runs(struct unpack *in, bool same[SLOT_COUNT])
{
    for (uint32_t slot = 0; slot < SLOT_COUNT && !in->failed;) {
        uint64_t alike = unpack_next_varint(in), other = unpack_next_varint(in);
        bool is_last = alike == SLOT_COUNT - slot;
        if (alike > SLOT_COUNT - slot || other > SLOT_COUNT - slot - alike ||
            (alike == 0 && slot > 0) || (other == 0 && !is_last)) {
            in->failed = true;
            return;
        }
        for (uint64_t i = 0; i < alike + other; i++)
            same[slot + i] = i < alike;
        slot += (uint32_t)(alike + other);
    }
}

static void take_next(struct unpack *in, struct layout *out)
{
    struct ring *ring = &out->ring, *next = &out->next;
    uint32_t *map = map_members(ring, next);
    bool *same = memory_zeroed(SLOT_COUNT * sizeof(*same));
    struct taking taking = begin_taking(in, next);
    take_runs(in, same);
    for (uint32_t slot = 0; slot < SLOT_COUNT && !in->failed; slot++) {
        if (!same[slot]) {
            take_slot(&taking, slot);
            in->failed |= is_same_slot(out, map, slot); /* then it would have been said so */
            continue;
        }
        if (slot > 0 && same[slot - 1] && ring_is_alike(ring, slot - 1, slot)) {
            memcpy(next->owners[slot], next->owners[slot - 1], sizeof(next->owners[slot]));
            continue;
        }
        in->failed |= ring->copies != next->copies;
        for (unsigned i = 0; i < ring->copies && !in->failed; i++) {
            uint32_t owner = map[ring->owners[slot][i]];
            in->failed |= owner == NOBODY;
            next->owners[slot][i] = (uint16_t)owner;
        }
        in->failed |= !is_sound(next, slot);
    }
    in->failed |= taking.bits.held != 0;
    memory_free(map);
    memory_free(same);
}

static void take_layout(struct unpack *in, unsigned format, struct layout *out)
{
    out->phase = (enum layout_phase)unpack_next_u8(in);
    out->copies = unpack_next_u8(in);
    unsigned ring_copies = unpack_next_u8(in), next_copies = unpack_next_u8(in);
    out->cluster = unpack_next_u64(in);
    out->version = unpack_next_varint(in);
    if (out->phase > LAYOUT_READING_NEW || out->copies > RING_COPIES_MAX || ring_copies == 0 ||
        ring_copies > out->copies || next_copies > out->copies ||
        (next_copies == 0) != (out->phase == LAYOUT_STABLE) || out->cluster == 0 ||
        out->version == 0) {
        in->failed = true;
        return;
    }
    take_members(in, ring_copies, next_copies, out);
    if (!in->failed && format > FORMAT_BEFORE_DEPARTED)
        take_departed(in, out);
    struct taking taking = begin_taking(in, &out->ring);
    for (uint32_t slot = 0; slot < SLOT_COUNT && !in->failed; slot++)
        take_slot(&taking, slot);
    in->failed |= taking.bits.held != 0;
    if (!in->failed && out->phase != LAYOUT_STABLE)
        take_next(in, out);
    in->failed |= in->next != in->end;
}

enum status layout_decode(struct bytes bytes, struct layout *out)
{
    if (bytes.size <= CHECKSUM_SIZE || bytes.size > LAYOUT_SIZE_MAX)
        return STATUS_CORRUPT;
    struct bytes checked = bytes_of(bytes.data, bytes.size - CHECKSUM_SIZE);
    if (xxh64(checked) != unpack_u64(bytes.data + checked.size))
        return STATUS_CORRUPT;
    struct unpack in = unpack_begin(checked);
    unsigned format = unpack_next_u8(&in);
    if (format != FORMAT && format != FORMAT_BEFORE_DEPARTED)
        return STATUS_VERSION;
    struct layout layout = {0};
    take_layout(&in, format, &layout);
    if (in.failed) {
        layout_deinit(&layout);
        return STATUS_CORRUPT;
    }
    *out = layout;
    return STATUS_OK;
}
