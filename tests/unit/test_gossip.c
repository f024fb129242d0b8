/* SPDX-License-Identifier: MIT */
#include "support/gossip_story.h"

#include "base/memory.h"
#include "cluster/detector.h"
#include "cluster/gossip_codec.h"

/* ---- who says what --------------------------------------------------------------------------- */

static void everybody_learns_of_everybody_through_one_seed(void **state)
{
    (void)state;
    struct gossip_world *world = gossip_world_new(20, 1);
    gossip_world_run_ms(world, 10000);
    expect_agreement(world);
    struct gossip *gossip = gossip_world_at(world, 5);
    for (size_t i = 0; i < 19; i++) {
        const struct gossip_peer *peer = gossip_peer_at(gossip, i);
        uint32_t index = (uint32_t)(i < 5 ? i : i + 1);
        char host[32];
        snprintf(host, sizeof(host), "node-%u.example", index);
        assert_int_equal(peer->said.node, gossip_world_id(index));
        assert_string_equal(peer->said.host, host);
        assert_int_equal(peer->said.port, 6379);
        assert_int_equal(peer->said.bus_port, 16379);
        assert_string_equal(peer->said.zone, "a");
        assert_true(gossip_is_up(gossip, gossip_world_id(index)));
    }
    assert_null(gossip_peer_at(gossip, 19));
    assert_null(gossip_peer(gossip, gossip_world_id(5)));
    assert_null(gossip_peer(gossip, 12345));
    assert_true(gossip_is_up(gossip, gossip_world_id(5)));
    assert_false(gossip_is_up(gossip, 12345));
    gossip_world_free(world);
}

static void what_matters_is_everywhere_at_once(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(8, 2);
    struct gossip *gossip = gossip_world_at(world, 3);
    gossip_self(gossip)->layout_version = 17;
    gossip_self(gossip)->leaving = true;
    gossip_changed(gossip);
    gossip_world_run_ms(world, 60); /* no round may have come */
    for (uint32_t i = 0; i < 8; i++)
        if (i != 3) {
            assert_int_equal(gossip_world_view(world, i, 3)->said.layout_version, 17);
            assert_true(gossip_world_view(world, i, 3)->said.leaving);
        }
    gossip_world_free(world);
}

/* Their links have stood all the time, so nobody says that they are up again. */
static void halves_that_were_silent_for_a_moment_tell_each_other_of_news(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(4, 23);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            if (i / 2 != j / 2)
                gossip_silent(gossip_world_at(world, i), gossip_world_id(j),
                              gossip_world_now(world, i));
    assert_int_equal(gossip_world_view(world, 0, 2)->life, GOSSIP_SUSPECT);
    gossip_world_run_ms(world, 5000);
    assert_int_equal(gossip_world_view(world, 0, 2)->life, GOSSIP_UP);
    gossip_self(gossip_world_at(world, 0))->synced_version = 7;
    gossip_changed(gossip_world_at(world, 0));
    gossip_world_run_ms(world, 5000);
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(gossip_world_view(world, i, 0)->said.synced_version, 7);
    gossip_world_free(world);
}

static void who_joins_is_known_to_all_at_once(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(20, 35);
    gossip_world_kill(world, 7, true);
    for (uint32_t i = 0; i < 20; i++)
        if (i != 7)
            gossip_forget(gossip_world_at(world, i), gossip_world_id(7),
                          gossip_world_now(world, i));
    gossip_world_run_ms(world, 5000);
    gossip_world_start(world, 7, 3);
    gossip_world_run_ms(world, 130);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(i == 7 || gossip_world_view(world, i, 7));
    gossip_world_free(world);
}

static void all_fields_arrive(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 3);
    struct gossip_self *self = gossip_self(gossip_world_at(world, 1));
    memset(self->host, 'h', sizeof(self->host) - 1);
    memset(self->zone, 'z', sizeof(self->zone) - 1);
    self->port = 65535;
    self->bus_port = 1;
    self->weight = UINT32_MAX;
    self->leaving = true;
    self->cluster = UINT64_MAX;
    self->layout_version = UINT64_MAX - 1;
    self->synced_version = UINT64_MAX - 2;
    self->absent_count = GOSSIP_ABSENT_MAX;
    self->lost = 0x8001;
    self->empty_version = UINT64_MAX;
    for (unsigned i = 0; i < GOSSIP_ABSENT_MAX; i++)
        self->absent[i] = (UINT64_C(1) << 48) - GOSSIP_ABSENT_MAX + i;
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 3000);
    const struct gossip_self *heard = &gossip_world_view(world, 2, 1)->said;
    assert_string_equal(heard->host, self->host);
    assert_string_equal(heard->zone, self->zone);
    assert_int_equal(heard->port, 65535);
    assert_int_equal(heard->bus_port, 1);
    assert_int_equal(heard->weight, UINT32_MAX);
    assert_true(heard->leaving);
    assert_true(heard->cluster == UINT64_MAX && heard->layout_version == UINT64_MAX - 1);
    assert_true(heard->synced_version == UINT64_MAX - 2);
    assert_int_equal(heard->absent_count, GOSSIP_ABSENT_MAX);
    assert_int_equal(heard->lost, 0x8001);
    assert_true(heard->empty_version == UINT64_MAX);
    assert_memory_equal(heard->absent, self->absent, sizeof(self->absent));
    gossip_world_free(world);
}

static void what_would_break_lines_does_not_travel(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 3);
    struct gossip_self *self = gossip_self(gossip_world_at(world, 1));
    strncpy(self->host, "a b\nc", sizeof(self->host));
    strncpy(self->zone, "rack\t1 a", sizeof(self->zone));
    gossip_changed(gossip_world_at(world, 1));
    gossip_world_run_ms(world, 3000);
    assert_string_equal(gossip_world_view(world, 2, 1)->said.host, "a?b?c");
    assert_string_equal(gossip_world_view(world, 2, 1)->said.zone, "rack?1 a");
    uint64_t version = gossip_version(gossip_world_at(world, 1));
    gossip_changed(gossip_world_at(world, 1)); /* it wasn't */
    assert_int_equal(gossip_version(gossip_world_at(world, 1)), version);
    gossip_world_free(world);
}

static void a_quiet_cluster_says_little(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(20, 5);
    uint64_t digests = world->messages_by_type[GOSSIP_DIGEST % GOSSIP_WORLD_TYPES];
    gossip_world_run_ms(world, 20000);
    assert_int_equal(world->messages_by_type[GOSSIP_DIGEST % GOSSIP_WORLD_TYPES], digests);
    gossip_world_free(world);
}

/* Tells `to`, in the name of `from`, what a third one is said to have said. */
static void tell(struct gossip_world *world, uint32_t to, uint32_t from, uint32_t on,
                 uint64_t version, uint32_t weight)
{
    struct buffer entries = {0};
    struct gossip_entry entry = {
        .said = {.node = gossip_world_id(on), .generation = 5, .weight = weight},
        .version = version,
    };
    gossip_put_entry(&entries, &entry);
    assert_int_equal(gossip_receive(gossip_world_at(world, to), gossip_world_id(from),
                                    GOSSIP_ENTRIES, buffer_bytes(&entries),
                                    gossip_world_now(world, to)),
                     STATUS_OK);
    buffer_deinit(&entries);
}

static void older_messages_change_nothing(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 30);
    tell(world, 0, 1, 9, 7, 70);
    uint64_t version = gossip_version(gossip_world_at(world, 0));
    tell(world, 0, 1, 9, 6, 60);
    tell(world, 0, 1, 9, 7, 77);
    assert_int_equal(gossip_world_view(world, 0, 9)->said.weight, 70);
    assert_int_equal(gossip_version(gossip_world_at(world, 0)), version);
    tell(world, 0, 1, 9, 8, 80);
    assert_int_equal(gossip_world_view(world, 0, 9)->said.weight, 80);
    assert_true(gossip_version(gossip_world_at(world, 0)) > version);
    gossip_world_free(world);
}

static void one_exchange_serves_both(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 31);
    tell(world, 0, 1, 8, 1, 80);
    tell(world, 1, 0, 9, 1, 90);
    while (!gossip_world_view(world, 0, 9) && !gossip_world_view(world, 1, 8))
        gossip_world_run_ms(world, 1);
    gossip_world_run_ms(world, 20);
    assert_non_null(gossip_world_view(world, 0, 9));
    assert_non_null(gossip_world_view(world, 1, 8));
    gossip_world_free(world);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void a_clock_that_is_off_is_known_to_its_owner(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 23);
    world->nodes[3].clock_ms = 300000;
    gossip_stalled(gossip_world_at(world, 3), 300000, gossip_world_now(world, 3));
    gossip_world_run_ms(world, 5000);
    assert_in_range(gossip_clock_offset_ms(gossip_world_at(world, 3)), 299990, 300010);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 3)
            assert_in_range(10 + gossip_clock_offset_ms(gossip_world_at(world, i)), 0, 20);
    world->nodes[3].clock_ms = -300000;
    gossip_world_run_ms(world, 5000);
    assert_in_range(-gossip_clock_offset_ms(gossip_world_at(world, 3)), 299990, 300010);
    gossip_world_free(world);
}

/* Before a round has passed: as soon as two have answered. */
static void a_clock_that_is_off_is_known_soon_after_a_start(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(5, 23);
    assert_true(gossip_clock_is_known(gossip_world_at(world, 3)));
    gossip_world_kill(world, 3, true);
    world->nodes[3].clock_ms = 300000;
    gossip_world_start(world, 3, 0);
    assert_false(gossip_clock_is_known(gossip_world_at(world, 3)));
    while (!gossip_clock_is_known(gossip_world_at(world, 3)))
        gossip_world_run_ms(world, 1);
    assert_in_range(gossip_clock_offset_ms(gossip_world_at(world, 3)), 299990, 300010);
    gossip_world_free(world);
}

/* Of two others one is right; who that is can't be told, so it isn't held against oneself. */
static void one_clock_that_is_off_does_not_make_others_doubt(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct gossip_world *world = world_of(3, 34);
        world->nodes[2].clock_ms = i ? 300000 : -300000;
        gossip_stalled(gossip_world_at(world, 2), 300000, gossip_world_now(world, 2));
        gossip_world_run_ms(world, 5000);
        assert_in_range(5 + gossip_clock_offset_ms(gossip_world_at(world, 0)), 0, 10);
        assert_in_range(llabs(gossip_clock_offset_ms(gossip_world_at(world, 2))), 299990, 300010);
        gossip_world_free(world);
    }
}

static void half_the_way_is_not_held_against_a_clock(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(3, 24);
    world->delay_min_ms = world->delay_max_ms = 200;
    gossip_world_run_ms(world, 10000);
    assert_in_range(5 + gossip_clock_offset_ms(gossip_world_at(world, 1)), 0, 10);
    gossip_world_free(world);
}

static void who_is_alone_has_no_clock_to_compare_with(void **state)
{
    (void)state;
    struct gossip_world *world = gossip_world_new(1, 25);
    gossip_world_run_ms(world, 10000);
    assert_int_equal(gossip_clock_offset_ms(gossip_world_at(world, 0)), 0);
    gossip_world_free(world);
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void a_partition_heals(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(10, 26);
    gossip_world_partition(world, 4, true);
    gossip_world_run_ms(world, 40000);
    for (uint32_t i = 0; i < 10; i++)
        for (uint32_t j = 0; j < 10; j++)
            if (i != j)
                assert_int_equal(life(world, i, j), (i < 4) == (j < 4) ? GOSSIP_UP : GOSSIP_DOWN);
    gossip_self(gossip_world_at(world, 1))->layout_version = 4;
    gossip_changed(gossip_world_at(world, 1));
    gossip_self(gossip_world_at(world, 8))->weight = 4;
    gossip_changed(gossip_world_at(world, 8));
    gossip_world_run_ms(world, 5000);
    assert_int_equal(gossip_world_view(world, 2, 1)->said.layout_version, 4);
    assert_int_equal(gossip_world_view(world, 9, 1)->said.layout_version, 0);
    gossip_world_partition(world, 4, false);
    gossip_world_run_ms(world, 8000);
    expect_agreement(world);
    gossip_world_free(world);
}

/* Digests and entries of more than one part. */
static void many_nodes_meet_many(void **state)
{
    (void)state;
    enum { MANY = GOSSIP_PEERS_MAX + 10 };
    struct gossip_world *world = world_of(2, 27);
    struct buffer entries = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        struct gossip_entry entry = {.said = {.node = gossip_world_id(1000 + i), .generation = 1},
                                     .version = 3};
        memset(entry.said.host, 'h', 100);
        gossip_put_entry(&entries, &entry);
    }
    assert_int_equal(gossip_receive(gossip_world_at(world, 0), gossip_world_id(1), GOSSIP_ENTRIES,
                                    buffer_bytes(&entries), gossip_world_now(world, 0)),
                     STATUS_OK);
    assert_non_null(gossip_peer_at(gossip_world_at(world, 0), GOSSIP_PEERS_MAX - 1));
    assert_null(gossip_peer_at(gossip_world_at(world, 0), GOSSIP_PEERS_MAX));
    gossip_world_run_ms(world, 5000);
    assert_non_null(gossip_peer_at(gossip_world_at(world, 1), GOSSIP_PEERS_MAX - 1));
    assert_non_null(gossip_world_view(world, 1, 1000 + GOSSIP_PEERS_MAX - 2));
    buffer_deinit(&entries);
    gossip_world_free(world);
}

/* What may happen to a world in a second or so. */
static void disturb(struct gossip_world *world, struct random *chance)
{
    uint32_t a = (uint32_t)random_below(chance, world->count);
    uint32_t b = (uint32_t)random_below(chance, world->count);
    struct gossip *gossip = gossip_world_at(world, a);
    switch (random_below(chance, 9)) {
    case 0:
        if (gossip && !world->nodes[a].paused)
            gossip_world_kill(world, a, random_once_in(chance, 2));
        break;
    case 1:
    case 2:
        if (!gossip && gossip_world_at(world, 0) && a != 0)
            gossip_world_start(world, a, 0);
        break;
    case 3:
        gossip_world_cut(world, a, b, true);
        break;
    case 4:
        gossip_world_cut(world, a, b, false);
        break;
    case 5:
        if (a != b && world->linked[(size_t)a * world->count + b] && !world->nodes[a].paused)
            gossip_world_break(world, a, b);
        break;
    case 6:
        world->nodes[a].paused = gossip && random_once_in(chance, 2);
        break;
    case 7:
        world->delay_max_ms = 1 + random_below(chance, 1000);
        break;
    default:
        if (gossip) {
            gossip_self(gossip)->layout_version++;
            gossip_changed(gossip);
        }
    }
}

static void heal(struct gossip_world *world)
{
    world->loss_permille = 0;
    world->delay_min_ms = 1;
    world->delay_max_ms = 20;
    memset(world->cut, 0, (size_t)world->count * world->count * sizeof(*world->cut));
    for (uint32_t i = 0; i < world->count; i++) {
        world->nodes[i].paused = false;
        if (!gossip_world_at(world, i))
            gossip_world_start(world, i, i == 0 ? 1 : 0);
    }
    for (uint32_t i = 0; i < world->count; i++)
        for (uint32_t j = 0; j < world->count; j++)
            if (i != j && (gossip_world_view(world, i, j) || i == 0 || j == 0))
                gossip_world_mend(world, i, j);
}

static void after_any_trouble_all_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random chance = {seed};
        struct gossip_world *world = gossip_world_new(2 + (uint32_t)random_below(&chance, 9), seed);
        world->loss_permille = (unsigned)random_below(&chance, 301);
        world->delay_max_ms = 1 + random_below(&chance, 100);
        for (unsigned i = 0; i < 60; i++) {
            gossip_world_run_ms(world, 1 + random_below(&chance, 2000));
            disturb(world, &chance);
        }
        heal(world);
        gossip_world_run_ms(world, 20000);
        const char *wrong = gossip_world_disagreement(world);
        if (wrong)
            fail_msg("seed %lu: %s", (unsigned long)seed, wrong);
        gossip_world_free(world);
    }
}

/* With messages lost nobody may be given up: at most suspected, for a moment. */
static void loss_alone_kills_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct gossip_world *world = world_of(8, seed);
        world->loss_permille = 300;
        for (unsigned i = 0; i < 1200; i++) {
            gossip_world_run_ms(world, 100);
            for (uint32_t j = 0; j < 8; j++)
                for (uint32_t k = 0; k < 8; k++)
                    if (j != k)
                        assert_int_not_equal(life(world, j, k), GOSSIP_DOWN);
        }
        gossip_world_free(world);
    }
}

static void the_same_seed_makes_the_same_world(void **state)
{
    (void)state;
    uint64_t sums[2] = {0, 0};
    for (unsigned run = 0; run < 2; run++) {
        struct random chance = {5};
        struct gossip_world *world = gossip_world_new(7, 99);
        world->loss_permille = 100;
        for (unsigned i = 0; i < 40; i++) {
            gossip_world_run_ms(world, 500);
            disturb(world, &chance);
        }
        for (uint32_t i = 0; i < 7; i++)
            sums[run] = sums[run] * 31 + world->nodes[i].bytes_sent;
        gossip_world_free(world);
    }
    assert_true(sums[0] == sums[1]);
}

/* ---- what is no message ---------------------------------------------------------------------- */

static void nonsense_is_told_apart(void **state)
{
    (void)state;
    struct gossip_world *world = world_of(2, 28);
    struct gossip *gossip = gossip_world_at(world, 0);
    uint64_t from = gossip_world_id(1), now_ms = gossip_world_now(world, 0);
    static const struct {
        unsigned type;
        struct bytes payload;
        enum status expected;
    } cases[] = {
        {GOSSIP_SUMMARY, {"1234567", 7}, STATUS_CORRUPT},
        {GOSSIP_SUMMARY, {"123456789", 9}, STATUS_CORRUPT},
        {GOSSIP_PROBE, {"\1", 1}, STATUS_CORRUPT},
        {GOSSIP_PROBE, {"\1\1\1", 3}, STATUS_CORRUPT},
        {GOSSIP_ANSWER, {"\1\1", 2}, STATUS_CORRUPT},
        {GOSSIP_ANSWER, {"\1\1\1\1\2", 5}, STATUS_CORRUPT},
        {GOSSIP_ANSWER, {"\1\1\1\1\1", 5}, STATUS_OK}, /* to a question of an earlier life */
        {GOSSIP_PROBE_FOR, {"\1abcde", 6}, STATUS_CORRUPT},
        {GOSSIP_PROBED, {"\1abcdef\2", 8}, STATUS_CORRUPT},
        {GOSSIP_DIGEST, {"abcdef\1\1abcdef\1\1", 16}, STATUS_CORRUPT}, /* one node twice */
        {GOSSIP_ASK, {"abcdef\1\1bbcdef\1\1", 16}, STATUS_OK},
        {GOSSIP_ASK, {"abcdeg\1\1abcdef\1\1", 16}, STATUS_CORRUPT}, /* descending */
        {GOSSIP_ENTRIES, {"abcdef\1\1\1\xff", 10}, STATUS_CORRUPT},
        {GOSSIP_REPORTS, {"abcdef", 6}, STATUS_CORRUPT},
        {MESSAGES_GOSSIP + 15, {"what is this?", 13}, STATUS_OK}, /* a newer node's */
        {MESSAGES_AGREE, {"", 0}, STATUS_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (gossip_receive(gossip, from, cases[i].type, cases[i].payload, now_ms) !=
            cases[i].expected)
            fail_msg("case %zu", i);
    assert_int_equal(
        gossip_receive(gossip, gossip_world_id(0), GOSSIP_PROBE, BYTES("\1\1"), now_ms),
        STATUS_CORRUPT);
    gossip_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_learns_of_everybody_through_one_seed),
        cmocka_unit_test(what_matters_is_everywhere_at_once),
        cmocka_unit_test(halves_that_were_silent_for_a_moment_tell_each_other_of_news),
        cmocka_unit_test(who_joins_is_known_to_all_at_once),
        cmocka_unit_test(all_fields_arrive),
        cmocka_unit_test(what_would_break_lines_does_not_travel),
        cmocka_unit_test(a_quiet_cluster_says_little),
        cmocka_unit_test(older_messages_change_nothing),
        cmocka_unit_test(one_exchange_serves_both),
        cmocka_unit_test(a_clock_that_is_off_is_known_to_its_owner),
        cmocka_unit_test(a_clock_that_is_off_is_known_soon_after_a_start),
        cmocka_unit_test(one_clock_that_is_off_does_not_make_others_doubt),
        cmocka_unit_test(half_the_way_is_not_held_against_a_clock),
        cmocka_unit_test(who_is_alone_has_no_clock_to_compare_with),
        cmocka_unit_test(a_partition_heals),
        cmocka_unit_test(many_nodes_meet_many),
        cmocka_unit_test(after_any_trouble_all_agree),
        cmocka_unit_test(loss_alone_kills_nobody),
        cmocka_unit_test(the_same_seed_makes_the_same_world),
        cmocka_unit_test(nonsense_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
