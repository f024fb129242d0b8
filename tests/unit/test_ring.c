/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "cluster/ring.h"

enum { COPIES = 3, MEMBERS_MAX = 1100 };

/* ---- clusters -------------------------------------------------------------------------------- */

/* Each on a host of its own, in `zones` zones in turn. */
static void make_members(struct ring_member *members, uint32_t count, uint32_t zones)
{
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct ring_member){
            .node = (i + 1) * 0x9e3779b97f4aULL % (1ULL << 48),
            .zone = i % zones,
            .host = i,
            .weight = RING_WEIGHT,
        };
}

static void loads_of(const struct ring *ring, uint32_t *copies, uint32_t *leads)
{
    memset(copies, 0, ring->member_count * sizeof(*copies));
    memset(leads, 0, ring->member_count * sizeof(*leads));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        leads[ring->owners[slot][0]]++;
        for (unsigned i = 0; i < ring->copies; i++)
            copies[ring->owners[slot][i]]++;
    }
}

/* The fullest member, in shares of its weight. */
static double fullest(const struct ring *ring, const uint32_t *loads, double total)
{
    double weights = 0, most = 0;
    for (uint32_t i = 0; i < ring->member_count; i++)
        weights += ring->members[i].weight;
    for (uint32_t i = 0; i < ring->member_count; i++) {
        double fair = total * ring->members[i].weight / weights;
        if (fair > 0 && loads[i] / fair > most)
            most = loads[i] / fair;
    }
    return most;
}

/* Copies that a ring has and the one before had not. */
static uint32_t moves(const struct ring *old, const struct ring *ring)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t before[RING_COPIES_MAX], after[RING_COPIES_MAX];
        ring_owners(old, (uint16_t)slot, before);
        ring_owners(ring, (uint16_t)slot, after);
        for (unsigned i = 0; i < ring->copies; i++) {
            bool had = false;
            for (unsigned j = 0; j < old->copies; j++)
                had |= before[j] == after[i];
            count += !had;
        }
    }
    return count;
}

static void expect_sound(const struct ring *ring)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        for (unsigned i = 0; i < ring->copies; i++) {
            const struct ring_member *member = &ring->members[ring->owners[slot][i]];
            assert_true(member->weight > 0);
            for (unsigned j = 0; j < i; j++) {
                const struct ring_member *other = &ring->members[ring->owners[slot][j]];
                assert_true(member->host != other->host);
            }
        }
}

static uint32_t zones_of_slot(const struct ring *ring, uint32_t slot)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < ring->copies; i++) {
        bool is_new = true;
        for (unsigned j = 0; j < i; j++)
            is_new &= ring->members[ring->owners[slot][i]].zone !=
                      ring->members[ring->owners[slot][j]].zone;
        count += is_new;
    }
    return count;
}

static void expect_same(const struct ring *a, const struct ring *b)
{
    assert_int_equal(a->copies, b->copies);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t x[RING_COPIES_MAX], y[RING_COPIES_MAX];
        ring_owners(a, (uint16_t)slot, x);
        ring_owners(b, (uint16_t)slot, y);
        assert_memory_equal(x, y, a->copies * sizeof(*x));
    }
}

static void expect_balanced(const struct ring *ring, const char *what)
{
    uint32_t copies[MEMBERS_MAX], leads[MEMBERS_MAX];
    loads_of(ring, copies, leads);
    double copy = fullest(ring, copies, (double)SLOT_COUNT * ring->copies);
    double lead = fullest(ring, leads, SLOT_COUNT);
    printf("# %s, %u members: fullest %.3f of its share of copies, %.3f of leads\n", what,
           ring->member_count, copy, lead);
    assert_true(copy <= 1.1);
    assert_true(lead <= 1.1);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const uint32_t sizes[] = {3, 5, 10, 100, 1000};

static void test_balance_and_movement(void **state)
{
    (void)state;
    struct ring_member members[MEMBERS_MAX];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint32_t size = sizes[i];
        struct ring ring, joined, left;
        make_members(members, size + 1, size + 1);
        ring_plan(NULL, members, size, COPIES, &ring);
        expect_sound(&ring);
        expect_balanced(&ring, "first");

        ring_plan(&ring, members, size + 1, COPIES, &joined);
        expect_sound(&joined);
        expect_balanced(&joined, "one joined");
        double least = (double)SLOT_COUNT * COPIES / (size + 1);
        printf("#   moved %.3f of the least\n", moves(&ring, &joined) / least);
        assert_true(moves(&ring, &joined) <= 1.1 * least);

        /* the one in the middle leaves again */
        uint32_t copies[MEMBERS_MAX], leads[MEMBERS_MAX];
        loads_of(&joined, copies, leads);
        uint64_t leaver = members[size / 2].node;
        least = copies[ring_member(&joined, leaver) - joined.members];
        members[size / 2] = members[size];
        ring_plan(&joined, members, size, COPIES, &left);
        expect_sound(&left);
        expect_balanced(&left, "one left");
        assert_null(ring_member(&left, leaver));
        printf("#   moved %.3f of the least\n", moves(&joined, &left) / least);
        assert_true(moves(&joined, &left) <= 1.1 * least);
        ring_deinit(&ring);
        ring_deinit(&joined);
        ring_deinit(&left);
    }
}

static void test_one_by_one_to_a_hundred(void **state)
{
    (void)state;
    struct ring_member members[101];
    struct ring ring, next;
    make_members(members, 101, 4);
    ring_plan(NULL, members, 1, COPIES, &ring);
    for (uint32_t size = 2; size <= 100; size++) {
        ring_plan(&ring, members, size, COPIES, &next);
        expect_sound(&next);
        ring_deinit(&ring);
        ring = next;
        assert_int_equal(ring.copies, size < COPIES ? size : COPIES);
    }
    expect_balanced(&ring, "one by one");
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        assert_int_equal(zones_of_slot(&ring, slot), COPIES);
    ring_deinit(&ring);
}

static void test_order_of_members_says_nothing(void **state)
{
    (void)state;
    struct ring_member members[20], other[20];
    struct ring a, b, next_a, next_b;
    make_members(members, 20, 3);
    for (uint32_t i = 0; i < 20; i++)
        other[i] = members[(i * 7 + 3) % 20];
    ring_plan(NULL, members, 20, COPIES, &a);
    ring_plan(NULL, other, 20, COPIES, &b);
    expect_same(&a, &b);
    members[4].weight = other[0].weight = 0;
    for (uint32_t i = 0; i < 20; i++)
        other[i].weight = other[i].node == members[4].node ? 0 : RING_WEIGHT;
    ring_plan(&a, members, 20, COPIES, &next_a);
    ring_plan(&b, other, 20, COPIES, &next_b);
    expect_same(&next_a, &next_b);
    ring_deinit(&a);
    ring_deinit(&b);
    ring_deinit(&next_a);
    ring_deinit(&next_b);
}

static void test_nothing_moves_without_a_change(void **state)
{
    (void)state;
    struct ring_member members[50];
    struct ring ring, again;
    make_members(members, 50, 3);
    ring_plan(NULL, members, 50, COPIES, &ring);
    ring_plan(&ring, members, 50, COPIES, &again);
    expect_same(&ring, &again);
    ring_deinit(&ring);
    ring_deinit(&again);
}

static void test_weights(void **state)
{
    (void)state;
    struct ring_member members[10];
    struct ring ring, heavier;
    make_members(members, 10, 10);
    for (uint32_t i = 0; i < 10; i++)
        members[i].weight = RING_WEIGHT / 2 + i % 3 * RING_WEIGHT;
    ring_plan(NULL, members, 10, COPIES, &ring);
    expect_sound(&ring);
    expect_balanced(&ring, "of several weights");
    members[0].weight *= 3;
    ring_plan(&ring, members, 10, COPIES, &heavier);
    expect_sound(&heavier);
    expect_balanced(&heavier, "one heavier");
    ring_deinit(&ring);
    ring_deinit(&heavier);
}

static void test_a_member_of_weight_0_gives_all_away(void **state)
{
    (void)state;
    struct ring_member members[6];
    struct ring ring, next;
    make_members(members, 6, 3);
    ring_plan(NULL, members, 6, COPIES, &ring);
    for (uint32_t i = 0; i < 6; i++)
        members[i].weight = i == 2 ? 0 : RING_WEIGHT;
    ring_plan(&ring, members, 6, COPIES, &next);
    expect_sound(&next);
    ring_deinit(&ring);
    for (uint32_t i = 0; i < 6; i++)
        members[i].weight = 0;
    ring_plan(&next, members, 6, COPIES, &ring);
    assert_int_equal(ring.copies, 0);
    ring_deinit(&ring);
    ring_deinit(&next);
}

static void test_a_join_moves_within_its_zone(void **state)
{
    (void)state;
    struct ring_member members[13];
    struct ring ring, joined;
    uint32_t copies[13], leads[13];
    make_members(members, 13, 3);
    ring_plan(NULL, members, 12, COPIES, &ring);
    ring_plan(&ring, members, 13, COPIES, &joined);
    expect_sound(&joined);
    loads_of(&joined, copies, leads);
    uint32_t least = copies[ring_member(&joined, members[12].node) - joined.members];
    assert_in_range(least, SLOT_COUNT / 5, SLOT_COUNT / 5 + 1);
    assert_true(moves(&ring, &joined) <= 1.1 * least);
    ring_deinit(&ring);
    ring_deinit(&joined);
}

/* Zones of 1, 3 and 5 nodes, for three copies: each zone holds one of each slot. */
static void test_zones_come_before_balance(void **state)
{
    (void)state;
    struct ring_member members[9];
    struct ring ring;
    uint32_t copies[9], leads[9];
    make_members(members, 9, 9);
    for (uint32_t i = 0; i < 9; i++)
        members[i].zone = i == 0 ? 1 : i < 4 ? 2 : 3;
    ring_plan(NULL, members, 9, COPIES, &ring);
    expect_sound(&ring);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        assert_int_equal(zones_of_slot(&ring, slot), 3);
    loads_of(&ring, copies, leads);
    assert_int_equal(copies[ring_member(&ring, members[0].node) - ring.members], SLOT_COUNT);
    for (uint32_t i = 1; i < 9; i++) {
        uint32_t load = copies[ring_member(&ring, members[i].node) - ring.members];
        uint32_t fair = SLOT_COUNT / (i < 4 ? 3 : 5);
        assert_in_range(load, fair, fair + 1);
    }
    ring_deinit(&ring);
}

/* Two zones for three copies: two here, one there, and no node above its share. */
static void test_fewer_zones_than_copies(void **state)
{
    (void)state;
    struct ring_member members[8];
    struct ring ring;
    make_members(members, 8, 2);
    ring_plan(NULL, members, 8, COPIES, &ring);
    expect_sound(&ring);
    expect_balanced(&ring, "in two zones");
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        assert_int_equal(zones_of_slot(&ring, slot), 2);
    ring_deinit(&ring);
}

static void test_no_two_copies_on_a_host(void **state)
{
    (void)state;
    struct ring_member members[12];
    struct ring ring;
    make_members(members, 12, 1);
    for (uint32_t i = 0; i < 12; i++)
        members[i].host = i / 4; /* four nodes on each of three hosts */
    ring_plan(NULL, members, 12, 5, &ring);
    assert_int_equal(ring.copies, 3);
    expect_sound(&ring);
    expect_balanced(&ring, "on three hosts");
    ring_deinit(&ring);
}

static void test_stand_ins(void **state)
{
    (void)state;
    struct ring_member members[10];
    struct ring ring;
    make_members(members, 10, 3);
    ring_plan(NULL, members, 10, COPIES, &ring);
    uint32_t named[10] = {0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint64_t owners[RING_COPIES_MAX], node;
        bool seen[10] = {false};
        uint32_t place = 0, count = 0;
        ring_owners(&ring, (uint16_t)slot, owners);
        while (ring_next_stand_in(&ring, (uint16_t)slot, &place, seen, &node)) {
            for (unsigned i = 0; i < ring.copies; i++)
                assert_true(owners[i] != node);
            if (count++ == 0)
                named[ring_member(&ring, node) - ring.members]++;
        }
        assert_int_equal(count, 10 - COPIES);
    }
    for (uint32_t i = 0; i < 10; i++) /* what a dead node leaves falls on many */
        assert_in_range(named[i], SLOT_COUNT / 20, SLOT_COUNT / 5);
    ring_deinit(&ring);
}

/* Any changes, one after the other. */
static void test_at_random(void **state)
{
    (void)state;
    struct random random = {7};
    for (unsigned world = 0; world < 6; world++) {
        struct ring_member members[40];
        struct ring ring = {0}, next;
        uint32_t zones = 1 + (uint32_t)random_below(&random, 5);
        unsigned copies = 1 + (unsigned)random_below(&random, 5);
        uint32_t count = 1 + (uint32_t)random_below(&random, 20);
        make_members(members, 40, zones);
        ring_plan(NULL, members, count, copies, &ring);
        for (unsigned step = 0; step < 10; step++) {
            switch (random_below(&random, 3)) {
            case 0:
                count += count < 40;
                break;
            case 1:
                if (count > 1) {
                    struct ring_member leaver = members[0];
                    members[0] = members[--count];
                    members[count] = leaver;
                }
                break;
            default:
                members[random_below(&random, count)].weight =
                    (uint32_t)random_below(&random, 3) * RING_WEIGHT;
            }
            ring_plan(&ring, members, count, copies, &next);
            expect_sound(&next);
            ring_deinit(&ring);
            ring = next;
        }
        ring_deinit(&ring);
    }
}

/* What clients of a Redis Cluster load: a range of slots for each change of the first owner. */
static uint32_t ranges_of(const struct ring *ring)
{
    uint32_t ranges = 1;
    for (uint32_t slot = 1; slot < SLOT_COUNT; slot++)
        ranges += ring->owners[slot][0] != ring->owners[slot - 1][0];
    return ranges;
}

static void test_neighbours_prefer_the_same(void **state)
{
    (void)state;
    struct ring_member members[10];
    struct ring one, three, ten, nine;
    make_members(members, 10, 1);
    ring_plan(NULL, members, 1, COPIES, &one);
    ring_plan(&one, members, 3, COPIES, &three);
    ring_plan(&three, members, 10, COPIES, &ten);
    ring_plan(&ten, members, 9, COPIES, &nine);
    printf("# ranges of 3 members %u, of 10 %u, of 9 %u\n", ranges_of(&three), ranges_of(&ten),
           ranges_of(&nine));
    assert_true(ranges_of(&three) <= 3 * RING_VIRTUAL_NODES);
    assert_true(ranges_of(&ten) <= 10 * RING_VIRTUAL_NODES);
    assert_true(ranges_of(&nine) <= 10 * RING_VIRTUAL_NODES);
    ring_deinit(&one);
    ring_deinit(&three);
    ring_deinit(&ten);
    ring_deinit(&nine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance_and_movement),
        cmocka_unit_test(test_neighbours_prefer_the_same),
        cmocka_unit_test(test_one_by_one_to_a_hundred),
        cmocka_unit_test(test_order_of_members_says_nothing),
        cmocka_unit_test(test_nothing_moves_without_a_change),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_a_member_of_weight_0_gives_all_away),
        cmocka_unit_test(test_a_join_moves_within_its_zone),
        cmocka_unit_test(test_zones_come_before_balance),
        cmocka_unit_test(test_fewer_zones_than_copies),
        cmocka_unit_test(test_no_two_copies_on_a_host),
        cmocka_unit_test(test_stand_ins),
        cmocka_unit_test(test_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
