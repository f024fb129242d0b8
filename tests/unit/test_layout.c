/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "base/xxh.h"
#include "cluster/layout.h"

enum { MEMBERS_MAX = 1001, CLUSTER = 9 };

/* ---- clusters -------------------------------------------------------------------------------- */

static uint64_t number_of(uint32_t index)
{
    return (index + 1) * 0x9e3779b97f4aULL % (1ULL << 48);
}

static void make_members(struct ring_member *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct ring_member){number_of(i), i % 3, i, RING_WEIGHT};
}

/* The layout becomes the one that follows. */
static void step(struct layout *layout, const struct ring_member *members, uint32_t count)
{
    struct layout next;
    layout_step(layout, members, count, &next);
    layout_deinit(layout);
    *layout = next;
}

/* In STABLE, of so many members. */
static void make_layout(uint32_t count, unsigned copies, struct layout *out)
{
    struct ring_member members[MEMBERS_MAX];
    make_members(members, count);
    layout_first(CLUSTER, members, copies, out);
    for (unsigned i = 0; i < 3; i++)
        step(out, members, count);
}

static void expect_same_ring(const struct ring *a, const struct ring *b)
{
    assert_int_equal(a->copies, b->copies);
    assert_int_equal(a->member_count, b->member_count);
    assert_int_equal(a->point_count, b->point_count);
    for (uint32_t i = 0; i < a->member_count; i++) {
        assert_int_equal(a->members[i].node, b->members[i].node);
        assert_int_equal(a->members[i].zone, b->members[i].zone);
        assert_int_equal(a->members[i].host, b->members[i].host);
        assert_int_equal(a->members[i].weight, b->members[i].weight);
    }
    if (a->owners == NULL)
        return;
    for (uint32_t i = 0; i < a->point_count; i++) {
        assert_true(a->points[i].at.high == b->points[i].at.high);
        assert_true(a->points[i].at.low == b->points[i].at.low);
        assert_true(a->points[i].member == b->points[i].member);
    }
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        assert_memory_equal(a->owners[slot], b->owners[slot], a->copies * sizeof(uint16_t));
}

static size_t expect_round_trip(const struct layout *layout)
{
    struct buffer bytes = {0}, again = {0};
    struct layout decoded;
    layout_encode(layout, &bytes);
    assert_int_equal(layout_decode(buffer_bytes(&bytes), &decoded), STATUS_OK);
    assert_int_equal(decoded.cluster, layout->cluster);
    assert_int_equal(decoded.version, layout->version);
    assert_int_equal(decoded.phase, layout->phase);
    assert_int_equal(decoded.copies, layout->copies);
    expect_same_ring(&decoded.ring, &layout->ring);
    expect_same_ring(&decoded.next, &layout->next);
    layout_encode(&decoded, &again);
    assert_true(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)));
    size_t size = buffer_size(&bytes);
    buffer_deinit(&bytes);
    buffer_deinit(&again);
    layout_deinit(&decoded);
    return size;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void test_three_steps(void **state)
{
    (void)state;
    struct ring_member members[4];
    struct layout layout;
    make_members(members, 4);
    layout_first(CLUSTER, members, 3, &layout);
    assert_int_equal(layout.version, 1);
    assert_int_equal(layout.ring.copies, 1);
    step(&layout, members, 4);
    assert_int_equal(layout.version, 2);
    assert_int_equal(layout.phase, LAYOUT_WRITING_BOTH);
    assert_int_equal(layout.ring.member_count, 1);
    assert_int_equal(layout.next.member_count, 4);
    assert_int_equal(layout.next.copies, 3);
    step(&layout, NULL, 0);
    assert_int_equal(layout.version, 3);
    assert_int_equal(layout.phase, LAYOUT_READING_NEW);
    assert_int_equal(layout.ring.member_count, 1);
    step(&layout, NULL, 0);
    assert_int_equal(layout.version, 4);
    assert_int_equal(layout.phase, LAYOUT_STABLE);
    assert_int_equal(layout.ring.member_count, 4);
    assert_int_equal(layout.next.member_count, 0);
    layout_deinit(&layout);
}

static void test_who_leaves_is_a_member_until_the_end(void **state)
{
    (void)state;
    struct ring_member members[5];
    struct layout layout;
    make_layout(5, 3, &layout);
    make_members(members, 5);
    members[1].weight = 0;
    step(&layout, members, 5);
    assert_int_equal(layout_member(&layout, members[1].node)->weight, 0);
    step(&layout, NULL, 0);
    assert_true(layout_is_member(&layout, members[1].node));
    struct layout before;
    layout_copy(&layout, &before);
    step(&layout, NULL, 0);
    assert_false(layout_is_member(&layout, members[1].node));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) { /* the owners are the planned ones */
        uint64_t planned[RING_COPIES_MAX], owners[RING_COPIES_MAX];
        ring_owners(&before.next, (uint16_t)slot, planned);
        ring_owners(&layout.ring, (uint16_t)slot, owners);
        assert_memory_equal(planned, owners, 3 * sizeof(*owners));
    }
    layout_deinit(&before);
    layout_deinit(&layout);
}

static void test_a_step_back(void **state)
{
    (void)state;
    struct ring_member members[4];
    struct layout layout, back;
    make_layout(3, 3, &layout);
    make_members(members, 4);
    step(&layout, members, 4);
    layout_step_back(&layout, &back);
    assert_int_equal(back.version, layout.version + 1);
    assert_int_equal(back.phase, LAYOUT_STABLE);
    expect_same_ring(&back.ring, &layout.ring);
    expect_round_trip(&back);
    layout_deinit(&layout);
    layout_deinit(&back);
}

static void test_a_step_aside(void **state)
{
    (void)state;
    struct ring_member members[5];
    struct layout layout, aside, planned;
    make_layout(3, 3, &layout);
    make_members(members, 5);
    layout_step(&layout, members + 1, 4, &planned);
    step(&layout, members, 4);
    layout_step_aside(&layout, members + 1, 4, &aside);
    assert_int_equal(aside.version, layout.version + 1);
    assert_int_equal(aside.phase, LAYOUT_WRITING_BOTH);
    expect_same_ring(&aside.ring, &layout.ring);
    expect_same_ring(&aside.next, &planned.next); /* as if nothing had been begun */
    expect_round_trip(&aside);
    layout_deinit(&layout);
    layout_deinit(&aside);
    layout_deinit(&planned);
}

static void test_nodes_of_both_rings(void **state)
{
    (void)state;
    struct ring_member members[5];
    struct layout layout;
    uint64_t *nodes = memory_alloc(LAYOUT_NODES_MAX * sizeof(*nodes));
    make_layout(4, 3, &layout);
    make_members(members, 5);
    assert_int_equal(layout_nodes(&layout, nodes), 4);
    step(&layout, members + 1, 4); /* the first goes, the last comes */
    assert_int_equal(layout_nodes(&layout, nodes), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(layout_is_member(&layout, nodes[i]));
        assert_true(i == 0 || nodes[i - 1] < nodes[i]);
    }
    assert_false(layout_is_member(&layout, 1));
    layout_deinit(&layout);
    memory_free(nodes);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void test_round_trips(void **state)
{
    (void)state;
    struct random random = {3};
    for (unsigned world = 0; world < 10; world++) {
        struct ring_member members[30];
        struct layout layout;
        make_members(members, 30);
        layout_first(CLUSTER + world, members, 1 + world % RING_COPIES_MAX, &layout);
        expect_round_trip(&layout);
        for (unsigned i = 0; i < 9; i++) {
            uint32_t first = (uint32_t)random_below(&random, 10);
            uint32_t count = 2 + (uint32_t)random_below(&random, 19);
            members[first].weight = 1 + (uint32_t)random_below(&random, 300);
            members[first + 1].weight = 0;
            members[first + count - 1].host = random_below(&random, 40);
            step(&layout, members + first, count);
            expect_round_trip(&layout);
        }
        layout_deinit(&layout);
    }
}

static enum status decode_status(struct bytes bytes)
{
    struct layout layout;
    enum status status = layout_decode(bytes, &layout);
    if (status == STATUS_OK)
        layout_deinit(&layout);
    return status;
}

static void test_damage_is_found(void **state)
{
    (void)state;
    struct ring_member members[4];
    struct layout layout;
    struct buffer bytes = {0};
    make_layout(3, 3, &layout);
    make_members(members, 4);
    step(&layout, members, 4);
    layout_encode(&layout, &bytes);
    struct bytes whole = buffer_bytes(&bytes);
    for (size_t i = 0; i < whole.size; i += 1 + i / 32) {
        ((char *)whole.data)[i] ^= 4;
        assert_int_equal(decode_status(whole), STATUS_CORRUPT);
        ((char *)whole.data)[i] ^= 4;
        assert_int_equal(decode_status(bytes_of(whole.data, i)), STATUS_CORRUPT);
    }
    assert_int_equal(decode_status(whole), STATUS_OK);
    buffer_append_u8(&bytes, 0);
    assert_int_equal(decode_status(buffer_bytes(&bytes)), STATUS_CORRUPT);
    buffer_deinit(&bytes);
    layout_deinit(&layout);
}

/* As if whoever wrote it had meant it so: a change, and a checksum that fits. */
static enum status decode_changed(const struct layout *layout, size_t at, uint8_t value)
{
    struct buffer bytes = {0};
    layout_encode(layout, &bytes);
    struct bytes whole = buffer_bytes(&bytes);
    char *data = (char *)whole.data;
    data[at] = (char)value;
    pack_u64(data + whole.size - 8, xxh64(bytes_of(data, whole.size - 8)));
    enum status status = decode_status(whole);
    buffer_deinit(&bytes);
    return status;
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct layout layout;
    enum { FORMAT, PHASE, COPIES, RING_COPIES, NEXT_COPIES, CLUSTER_AT, VERSION = 13, COUNT };
    enum { FIRST = 15, MEMBER = 6 + 1 + 8 + 8 + 1, DEPARTED = FIRST + 3 * MEMBER };
    enum { OWNERS = DEPARTED + 1 };
    make_layout(3, 3, &layout);
    uint64_t cluster = layout.cluster;
    assert_int_equal(decode_changed(&layout, PHASE, LAYOUT_STABLE), STATUS_OK);
    assert_int_equal(decode_changed(&layout, FORMAT, 3), STATUS_VERSION);
    assert_int_equal(decode_changed(&layout, FORMAT, 0), STATUS_VERSION);
    assert_int_equal(decode_changed(&layout, DEPARTED, 1), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, DEPARTED, 255), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, PHASE, LAYOUT_WRITING_BOTH), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, PHASE, 3), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, COPIES, 4), STATUS_OK);
    assert_int_equal(decode_changed(&layout, COPIES, 2), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, COPIES, RING_COPIES_MAX + 1), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, RING_COPIES, 0), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, RING_COPIES, 2), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, NEXT_COPIES, 1), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, CLUSTER_AT, 0), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, VERSION, 0), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, COUNT, 2), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, COUNT, 255), STATUS_CORRUPT);
    /* members in another order; in no ring; in a next that isn't there */
    assert_int_equal(decode_changed(&layout, FIRST, 0xff), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, FIRST + 6, 0), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, FIRST + 6, 3), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, FIRST + 6, 7), STATUS_CORRUPT);
    /* an owner of no weight */
    assert_int_equal(decode_changed(&layout, FIRST + MEMBER - 1, 0), STATUS_CORRUPT);
    /* owners: 0 0 0, and one that there isn't */
    assert_int_equal(decode_changed(&layout, OWNERS, 0), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&layout, OWNERS, 0xe4), STATUS_CORRUPT);
    /* the cluster's number is any but 0, the version another */
    assert_int_equal(decode_changed(&layout, CLUSTER_AT, (uint8_t)(cluster + 1)), STATUS_OK);
    assert_int_equal(decode_changed(&layout, VERSION, 5), STATUS_OK);
    layout_deinit(&layout);
}

static enum status decode_departed(struct layout *layout, const uint64_t *departed, uint32_t count)
{
    struct buffer bytes = {0};
    uint64_t *before = layout->departed;
    layout->departed = memory_alloc((count + 1) * sizeof(*departed));
    memcpy(layout->departed, departed, count * sizeof(*departed));
    layout->departed_count = count;
    memory_free(before);
    layout_encode(layout, &bytes);
    enum status status = decode_status(buffer_bytes(&bytes));
    buffer_deinit(&bytes);
    return status;
}

static void test_the_departed_are_told(void **state)
{
    (void)state;
    struct layout layout, decoded;
    struct buffer bytes = {0};
    make_layout(3, 3, &layout);
    uint64_t member = layout.ring.members[1].node, last = UINT64_C(0xfffffffffffe);
    assert_int_equal(decode_departed(&layout, (uint64_t[]){last, last}, 2), STATUS_CORRUPT);
    assert_int_equal(decode_departed(&layout, (uint64_t[]){last, last - 1}, 2), STATUS_CORRUPT);
    assert_int_equal(decode_departed(&layout, (uint64_t[]){member, last}, 2), STATUS_CORRUPT);
    assert_int_equal(decode_departed(&layout, (uint64_t[]){last - 1, last}, 2), STATUS_OK);
    layout_encode(&layout, &bytes);
    assert_int_equal(layout_decode(buffer_bytes(&bytes), &decoded), STATUS_OK);
    assert_true(layout_has_departed(&decoded, last) && layout_has_departed(&decoded, last - 1));
    assert_false(layout_has_departed(&decoded, last - 2) || layout_has_departed(&decoded, member));
    assert_true(layout_may_bring(&decoded, last, decoded.version - 1));
    assert_true(layout_may_bring(&decoded, member, decoded.version));
    assert_false(layout_may_bring(&decoded, last - 2, decoded.version));
    assert_false(layout_may_bring(&decoded, last - 2, decoded.version - 1));
    assert_true(layout_may_bring(&decoded, last - 2, decoded.version + 1)); /* it may have come */
    layout_deinit(&decoded);
    layout_deinit(&layout);
    buffer_deinit(&bytes);
}

/* They were not told in format 1, which is still read. */
static void test_the_format_before_is_read(void **state)
{
    (void)state;
    enum { DEPARTED = 15 + 3 * (6 + 1 + 8 + 8 + 1) };
    struct layout layout, decoded;
    struct buffer bytes = {0}, old = {0};
    make_layout(3, 3, &layout);
    layout_encode(&layout, &bytes);
    struct bytes whole = buffer_bytes(&bytes);
    char checksum[8];
    buffer_append_u8(&old, 1);
    buffer_append(&old, whole.data + 1, DEPARTED - 1);
    buffer_append(&old, whole.data + DEPARTED + 1, whole.size - DEPARTED - 1 - 8);
    pack_u64(checksum, xxh64(buffer_bytes(&old)));
    buffer_append(&old, checksum, sizeof(checksum));
    assert_int_equal(layout_decode(buffer_bytes(&old), &decoded), STATUS_OK);
    assert_int_equal(decoded.departed_count, 0);
    assert_int_equal(decoded.ring.member_count, 3);
    layout_deinit(&decoded);
    layout_deinit(&layout);
    buffer_deinit(&bytes);
    buffer_deinit(&old);
}

static void test_changes_with_a_good_checksum(void **state)
{
    (void)state;
    struct random random = {8};
    struct ring_member members[5];
    struct layout layout;
    struct buffer bytes = {0};
    make_layout(4, 3, &layout);
    make_members(members, 5);
    step(&layout, members + 1, 4);
    layout_encode(&layout, &bytes);
    size_t size = buffer_size(&bytes);
    for (unsigned i = 0; i < 300; i++) {
        struct layout decoded;
        struct buffer changed = {0}, again = {0};
        buffer_append_bytes(&changed, buffer_bytes(&bytes));
        char *data = changed.block;
        size_t head = 15 + 5 * 24;
        size_t at = random_once_in(&random, 2) ? random_below(&random, head)
                                               : head + random_below(&random, size - 8 - head);
        data[at] = (char)(data[at] ^ 1 << random_below(&random, 8));
        pack_u64(data + size - 8, xxh64(bytes_of(data, size - 8)));
        if (layout_decode(buffer_bytes(&changed), &decoded) == STATUS_OK) {
            layout_encode(&decoded, &again); /* one layout has one form */
            assert_true(bytes_equal(buffer_bytes(&changed), buffer_bytes(&again)));
            layout_deinit(&decoded);
        }
        buffer_deinit(&changed);
        buffer_deinit(&again);
    }
    buffer_deinit(&bytes);
    layout_deinit(&layout);
}

static double seconds_since(struct timespec begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) * 1e-9;
}

static void tell_costs(const char *what, const struct layout *layout)
{
    struct timespec begin;
    struct buffer bytes = {0};
    struct layout decoded;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    layout_encode(layout, &bytes);
    double encoded = seconds_since(begin);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(layout_decode(buffer_bytes(&bytes), &decoded), STATUS_OK);
    double all = seconds_since(begin);
    printf("# %u members, %s: %zu bytes, encoded in %.1f ms, decoded in %.1f ms\n",
           layout->ring.member_count, what, buffer_size(&bytes), 1e3 * encoded, 1e3 * all);
    assert_true(buffer_size(&bytes) < 200 * 1024);
    layout_deinit(&decoded);
    buffer_deinit(&bytes);
}

static void test_a_thousand_members(void **state)
{
    (void)state;
    struct ring_member members[MEMBERS_MAX];
    struct layout layout;
    make_members(members, 1001);
    make_layout(1000, 3, &layout);
    tell_costs("stable", &layout);
    expect_round_trip(&layout);
    step(&layout, members, 1001);
    tell_costs("one joins", &layout);
    expect_round_trip(&layout);
    layout_deinit(&layout);
}

/* ---- who is concerned ------------------------------------------------------------------------ */

static bool is_among(const uint64_t *nodes, unsigned count, uint64_t node)
{
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

static void test_placements(void **state)
{
    (void)state;
    static const struct {
        unsigned readers; /* 0: the old ones */
        unsigned count;   /* of writers at most */
    } expected[] = {{0, 3}, {0, 6}, {1, 6}};
    struct ring_member members[6];
    struct layout layout;
    make_layout(5, 3, &layout);
    make_members(members, 6);
    for (unsigned phase = 0; phase < 3; phase++) {
        unsigned moving = 0;
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            struct placement placement;
            uint64_t writers[LAYOUT_OWNERS_MAX];
            unsigned reader_count;
            layout_placement(&layout, (uint16_t)slot, &placement);
            assert_int_equal(placement.phase, phase);
            assert_int_equal(placement.new_count, phase == 0 ? 0 : 3);
            const uint64_t *readers = placement_readers(&placement, &reader_count);
            assert_int_equal(reader_count, 3);
            assert_ptr_equal(readers, expected[phase].readers ? placement.new : placement.old);
            unsigned count = placement_writers(&placement, writers);
            assert_in_range(count, 3, expected[phase].count);
            for (unsigned i = 0; i < count; i++) {
                assert_true(placement_is_owner(&placement, writers[i]));
                assert_false(is_among(writers, i, writers[i]));
            }
            for (unsigned i = 0; i < 3; i++) {
                assert_true(is_among(writers, count, placement.old[i]));
                assert_true(phase == 0 || is_among(writers, count, placement.new[i]));
            }
            assert_false(placement_is_owner(&placement, 1));
            assert_int_equal(placement_moves(&placement), count > 3);
            for (unsigned i = 0; i < count; i++)
                assert_int_equal(placement_gains(&placement, writers[i]), i >= 3);
            bool moves = placement_moves(&placement);
            assert_true(layout_accepts(&layout, (uint16_t)slot, layout.version));
            assert_true(layout_accepts(&layout, (uint16_t)slot, layout.version + 1));
            assert_int_equal(layout_accepts(&layout, (uint16_t)slot, layout.version - 1), !moves);
            assert_false(layout_accepts(&layout, (uint16_t)slot, layout.version + 2));
            assert_false(layout_accepts(&layout, (uint16_t)slot, layout.version - 2));
            moving += moves;
        }
        assert_true(phase == 0 ? moving == 0 : moving > 0 && moving < SLOT_COUNT);
        step(&layout, members, 6);
    }
    layout_deinit(&layout);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Whether any `read` of the readers meet any `written` of the writers: those who have a write but
 * for as many of them as may lack it. */
static bool always_meet(const uint64_t *readers, unsigned reader_count, unsigned read,
                        const uint64_t *writers, unsigned writer_count, unsigned written)
{
    unsigned common = 0;
    for (unsigned i = 0; i < reader_count; i++)
        common += is_among(writers, writer_count, readers[i]);
    unsigned outside = writer_count - common; /* so many writes may miss all readers */
    unsigned least = written > outside ? written - outside : 0;
    return read > reader_count - least;
}

/* By those who have not pulled the slot: who gained it has, and so has all that was written. */
static bool finds_before(const struct placement *placement, unsigned read, unsigned written)
{
    uint64_t kept[RING_COPIES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < placement->new_count; i++)
        if (!placement_gains(placement, placement->new[i]))
            kept[count++] = placement->new[i];
    return count < read ||
           always_meet(kept, count, read, placement->old, placement->old_count, written);
}

/* A pull from n-W+1 of the old owners, and a fence of so many, meet each write and each read. */
static bool are_placed_alike(const struct layout *layout, uint32_t slot, uint32_t other)
{
    struct placement a, b;
    layout_placement(layout, (uint16_t)slot, &a);
    layout_placement(layout, (uint16_t)other, &b);
    bool same = a.old_count == b.old_count && a.new_count == b.new_count;
    for (unsigned i = 0; i < a.old_count && same; i++)
        same = a.old[i] == b.old[i];
    for (unsigned i = 0; i < a.new_count && same; i++)
        same = a.new[i] == b.new[i];
    return same;
}

/* In each phase: while slots move, those of a run have the same next owners, too. */
static void test_a_run_is_placed_alike_and_the_next_is_not(void **state)
{
    (void)state;
    struct ring_member members[6];
    struct layout layout;
    make_layout(5, 3, &layout);
    make_members(members, 6);
    for (unsigned phase = 0; phase < 3; phase++) {
        for (uint32_t slot = 0, end; slot < SLOT_COUNT; slot = end) {
            end = layout_run_end(&layout, slot);
            assert_true(end > slot && end <= SLOT_COUNT);
            for (uint32_t each = slot + 1; each < end; each++)
                assert_true(are_placed_alike(&layout, slot, each));
            assert_true(end == SLOT_COUNT || !are_placed_alike(&layout, slot, end));
        }
        step(&layout, members, 6);
    }
    layout_deinit(&layout);
}

static void expect_fences(const struct placement *placement, unsigned read, unsigned write)
{
    const uint64_t *old = placement->old;
    unsigned n = placement->old_count, r = smaller(read, n), w = smaller(write, n);
    assert_true(always_meet(old, n, n - w + 1, old, n, w));
    assert_true(always_meet(old, n, n - r + 1, old, n, r));
}

static void expect_neighbours_agree(const struct placement *placement, unsigned read,
                                    unsigned write)
{
    const uint64_t *old = placement->old, *new = placement->new;
    unsigned n = placement->old_count, m = placement->new_count;
    /* STABLE and WRITING_BOTH, either way; and READING_NEW's writes by the old reads */
    assert_true(always_meet(old, n, smaller(read, n), old, n, smaller(write, n)));
    /* READING_NEW and the STABLE after it read what WRITING_BOTH and they write */
    assert_true(always_meet(new, m, smaller(read, m), new, m, smaller(write, m)));
    /* READING_NEW reads what the STABLE before has written */
    assert_true(finds_before(placement, smaller(read, m), smaller(write, n)));
    expect_fences(placement, read, write);
}

/* Any changes of members, any N, R and W of R + W > N. */
static void test_reads_find_writes_of_the_phases_beside(void **state)
{
    (void)state;
    struct random random = {5};
    for (unsigned world = 0; world < 40; world++) {
        struct ring_member members[12];
        struct layout layout;
        unsigned copies = 1 + (unsigned)random_below(&random, RING_COPIES_MAX);
        unsigned read = 1 + (unsigned)random_below(&random, copies);
        unsigned write = copies - read + 1 + (unsigned)random_below(&random, read);
        assert_true(read + write > copies && write <= copies);
        make_members(members, 12);
        layout_first(CLUSTER, members, copies, &layout);
        for (unsigned change = 0; change < 4; change++) {
            uint32_t first = (uint32_t)random_below(&random, 8);
            uint32_t count = 1 + (uint32_t)random_below(&random, 12 - first);
            step(&layout, members + first, count);
            for (uint32_t slot = 0; slot < SLOT_COUNT; slot += 7) {
                struct placement placement;
                layout_placement(&layout, (uint16_t)slot, &placement);
                expect_neighbours_agree(&placement, read, write);
            }
            step(&layout, NULL, 0);
            step(&layout, NULL, 0);
        }
        layout_deinit(&layout);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_steps),
        cmocka_unit_test(test_who_leaves_is_a_member_until_the_end),
        cmocka_unit_test(test_a_step_back),
        cmocka_unit_test(test_a_step_aside),
        cmocka_unit_test(test_nodes_of_both_rings),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
        cmocka_unit_test(test_the_departed_are_told),
        cmocka_unit_test(test_the_format_before_is_read),
        cmocka_unit_test(test_changes_with_a_good_checksum),
        cmocka_unit_test(test_a_thousand_members),
        cmocka_unit_test(test_placements),
        cmocka_unit_test(test_a_run_is_placed_alike_and_the_next_is_not),
        cmocka_unit_test(test_reads_find_writes_of_the_phases_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
