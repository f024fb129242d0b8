/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/sync_world.h"
#include "sync/sync_codec.h"

static const bool first_three[WORLD_NODES_MAX] = {true, true, true};

/* ---- what the stories say -------------------------------------------------------------------- */

/* So many nodes, of which the first three are members. */
static struct world *three_of(unsigned count, uint64_t seed)
{
    struct world *world = memory_alloc(sizeof(*world));
    world_init(world, seed, count);
    assert_true(world_next_layout(world, first_three));
    for (unsigned i = 0; i < count; i++)
        world_start(world, i);
    return world;
}

static struct world *three(void)
{
    struct world *world = three_of(3, 1);
    world_converge(world, 10000);
    return world;
}

static void end(struct world *world)
{
    world_deinit(world);
    memory_free(world);
}

static struct sync_stats stats_of(const struct world *world, unsigned node)
{
    struct sync_stats stats;
    sync_stats(world->nodes[node].sync, &stats);
    return stats;
}

static uint64_t all_pulled(const struct world *world)
{
    uint64_t keys = 0;
    for (unsigned i = 0; i < world->count; i++)
        keys += world->nodes[i].sync ? stats_of(world, i).keys_pulled : 0;
    return keys;
}

static bool is_agreed(const struct world *world, unsigned node, unsigned key)
{
    return sync_is_agreed(world->nodes[node].sync, world_slot(key));
}

static void miss(struct world *world, unsigned node, unsigned owner, unsigned key)
{
    struct arena arena;
    struct buffer heads = {0};
    arena_init(&arena);
    sync_add_name(&heads, row_key_head(&arena, 0, world_key(key)));
    sync_missed(world->nodes[node].sync, owner + 1, world_slot(key), buffer_bytes(&heads));
    buffer_deinit(&heads);
    arena_deinit(&arena);
}

/* ---- comparing and pulling ------------------------------------------------------------------- */

static void owners_pull_what_they_lack(void **state)
{
    (void)state;
    struct world *world = three();
    world_put(world, 0, 0, 10, false);
    world_put(world, 1, 1, 11, false);
    world_put(world, 1, 0, 12, false);
    world_run(world, 12000); /* a round of comparing */
    world_converge(world, 5000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(world_number(world, i, 0), 12);
        assert_int_equal(world_number(world, i, 1), 11);
    }
    uint64_t pulled = all_pulled(world);
    world_run(world, 25000);
    assert_int_equal(all_pulled(world), pulled);
    assert_true(stats_of(world, 0).rounds >= 2);
    end(world);
}

static void only_what_differs_is_pulled(void **state)
{
    (void)state;
    struct world *world = three();
    for (unsigned i = 0; i < 3; i++)
        world_put(world, i, 2, 5, false);
    struct fake_head tall = {.number = 6, .chunks = 9};
    world->nodes[0].store.page = world->nodes[1].store.page = 2;
    fake_copies_put(&world->nodes[0].store, world_key(3), tall);
    sync_disagree(world->nodes[1].sync, world_slot(3));
    world_run(world, 2000);
    assert_int_equal(world_number(world, 1, 3), 6);
    assert_int_equal(stats_of(world, 1).keys_pulled, 1);
    end(world);
}

static void a_slot_is_agreed_when_one_other_is_equal(void **state)
{
    (void)state;
    struct world *world = three();
    assert_true(is_agreed(world, 0, 4));
    sync_disagree(world->nodes[0].sync, world_slot(4));
    assert_false(is_agreed(world, 0, 4));
    world_cut(world, 0, 1);
    world_run(world, 1000);
    assert_true(is_agreed(world, 0, 4)); /* N-W = 1: the third is enough */
    world_cut(world, 0, 2);
    sync_disagree(world->nodes[0].sync, world_slot(4));
    world_run(world, 3000);
    assert_false(is_agreed(world, 0, 4));
    world_mend(world);
    world_run(world, 2000);
    assert_true(is_agreed(world, 0, 4));
    end(world);
}

static void an_answer_to_an_older_question_agrees_nothing(void **state)
{
    (void)state;
    struct world *world = three();
    uint64_t asked = world->links[0][1].sent, heard;
    sync_disagree(world->nodes[0].sync, world_slot(4));
    while (world->links[0][1].sent == asked)
        world_step(world);
    /* The question is under way. */
    sync_disagree(world->nodes[0].sync, world_slot(4));
    heard = world->types[SYNC_DIFFERING];
    while (world->types[SYNC_DIFFERING] < heard + 2)
        world_step(world);
    assert_false(is_agreed(world, 0, 4));
    world_run(world, 1000);
    assert_true(is_agreed(world, 0, 4));
    end(world);
}

static void who_comes_back_must_agree_again(void **state)
{
    (void)state;
    struct world *world = three();
    world_crash(world, 1);
    world_put(world, 0, 5, 9, false);
    world_run(world, 7000);
    world_start(world, 1);
    assert_false(is_agreed(world, 1, 5));
    world_converge(world, 10000);
    assert_int_equal(world_number(world, 1, 5), 9);
    assert_int_equal(world_number(world, 2, 5), 9);
    assert_true(is_agreed(world, 1, 5));
    end(world);
}

/* ---- hints ----------------------------------------------------------------------------------- */

static void a_hint_is_kept_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct world *world = three();
    world_cut(world, 0, 1);
    world_put(world, 0, 6, 20, false);
    miss(world, 0, 1, 6);
    miss(world, 0, 1, 6);
    assert_int_equal(stats_of(world, 0).hints_pending, 1);
    world->holds_answers = true;
    world_mend(world);
    world_run(world, 3000);
    assert_int_equal(stats_of(world, 0).hints_pending, 1);
    world_cut(world, 0, 1);
    world_run(world, 1000);
    assert_int_equal(stats_of(world, 0).hints_pending, 1);
    world->holds_answers = false;
    world_mend(world);
    world_run(world, 3000);
    assert_int_equal(stats_of(world, 0).hints_pending, 0);
    assert_int_equal(world_number(world, 1, 6), 20);
    end(world);
}

static void hints_have_bounds(void **state)
{
    (void)state;
    enum { MANY = 400, LONG = 4096 };
    struct world *world = three();
    struct arena arena;
    struct buffer heads = {0};
    char key[LONG] = {0};
    arena_init(&arena);
    world_cut(world, 0, 1);
    for (unsigned i = 0; i < MANY; i++) {
        memcpy(key, &i, sizeof(i));
        struct bytes name = row_key_head(&arena, 0, bytes_of(key, LONG));
        buffer_clear(&heads, 0);
        sync_add_name(&heads, name);
        sync_missed(world->nodes[0].sync, 2, row_key_slot(name), buffer_bytes(&heads));
    }
    assert_in_range(stats_of(world, 0).hints_pending, 200, 300); /* in 1 MiB */
    world_mend(world);
    world_run(world, 10000);
    assert_int_equal(stats_of(world, 0).hints_pending, 0);
    buffer_deinit(&heads);
    arena_deinit(&arena);
    end(world);
}

/* ---- giving away ----------------------------------------------------------------------------- */

/* Four members: each slot has one of them that does not own it. */
static struct world *four(void)
{
    static const bool members[WORLD_NODES_MAX] = {true, true, true, true};
    struct world *world = memory_alloc(sizeof(*world));
    world_init(world, 3, 4);
    assert_true(world_next_layout(world, members));
    for (unsigned i = 0; i < 4; i++)
        world_start(world, i);
    world_converge(world, 10000);
    return world;
}

static unsigned stranger_of(const struct world *world, unsigned key)
{
    struct placement placement = world_placement(world, key);
    for (unsigned i = 0; i < 4; i++)
        if (!placement_is_owner(&placement, i + 1))
            return i;
    fail();
    return 0;
}

static void foreign_rows_leave_when_all_owners_have_them(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 7);
    unsigned owner = (unsigned)world_placement(world, 7).old[1] - 1;
    world_cut(world, stranger, owner);
    world_put(world, stranger, 7, 30, false);
    world_run(world, 4000); /* suspected: nobody is given anything yet */
    assert_int_equal(world_number(world, stranger, 7), 30);
    world_run(world, 4000); /* down: the others have it by now, but it stays */
    assert_int_equal(world_number(world, world_placement(world, 7).old[0] - 1, 7), 30);
    assert_int_equal(world_number(world, world_placement(world, 7).old[2] - 1, 7), 30);
    assert_int_equal(world_number(world, stranger, 7), 30);
    assert_int_equal(stats_of(world, stranger).foreign, 1);
    world_mend(world);
    world_converge(world, 10000);
    assert_int_equal(world_number(world, stranger, 7), 0);
    world_check(world);
    end(world);
}

/* It is not known of by looking now and then, so that who looks in between believes all is done. */
static void a_foreign_row_is_told_of_at_once(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 7);
    assert_true(sync_is_quiet(world->nodes[stranger].sync));
    world_put(world, stranger, 7, 30, false);
    assert_int_equal(stats_of(world, stranger).foreign, 1);
    assert_false(sync_is_quiet(world->nodes[stranger].sync));
    world_converge(world, 10000);
    assert_int_equal(stats_of(world, stranger).foreign, 0);
    end(world);
}

static void without_acknowledgement_nothing_leaves(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 7);
    world->holds_answers = true;
    world_put(world, stranger, 7, 30, false);
    world_run(world, 3000);
    assert_int_equal(world_number(world, stranger, 7), 30);
    world->holds_answers = false;
    world_converge(world, 30000);
    assert_int_equal(world_number(world, stranger, 7), 0);
    world_check(world);
    end(world);
}

static void each_owner_must_acknowledge(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 7);
    world->silent = world_placement(world, 7).old[2];
    world_put(world, stranger, 7, 30, false);
    world_run(world, 3000);
    assert_int_equal(world_number(world, world_placement(world, 7).old[0] - 1, 7), 30);
    assert_int_equal(world_number(world, stranger, 7), 30);
    world->silent = 0;
    world_converge(world, 30000);
    assert_int_equal(world_number(world, stranger, 7), 0);
    world_check(world);
    end(world);
}

static void what_has_changed_meanwhile_stays(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 7);
    world->nodes[stranger].store.cold = 1;
    world_put(world, stranger, 7, 30, false);
    for (unsigned i = 0; i < 40; i++) {
        world_put(world, stranger, 7, 31 + i, false);
        world_step(world);
    }
    world_converge(world, 10000);
    assert_int_equal(world_number(world, world_placement(world, 7).old[0] - 1, 7), 70);
    world_check(world);
    end(world);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void who_gains_slots_pulls_them_first(void **state)
{
    (void)state;
    static const bool members[WORLD_NODES_MAX] = {true, true, true, true};
    struct world *world = three_of(4, 5);
    world_converge(world, 10000);
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        world_write(world, key, false, 0);
    world_converge(world, 10000);
    assert_true(world_next_layout(world, members));
    assert_int_not_equal(world->nodes[3].synced, 2);
    while (world->nodes[3].synced != 2)
        world_step(world);
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        struct placement placement = world_placement(world, key);
        if (placement_is_owner(&placement, 4))
            assert_int_equal(world_number(world, 3, key), world->acknowledged[key]);
    }
    while (world->layouts[world->layout].phase != LAYOUT_STABLE) {
        world_run(world, 2000);
        world_next_layout(world, members);
    }
    world_converge(world, 30000);
    world_check(world);
    end(world);
}

static void old_owners_that_are_suspected_are_waited_for(void **state)
{
    (void)state;
    static const bool members[WORLD_NODES_MAX] = {true, true, true, true};
    struct world *world = three_of(4, 6);
    world_converge(world, 10000);
    assert_true(world_next_layout(world, members));
    world_cut(world, 3, 0);
    world_run(world, 4000);
    assert_int_not_equal(world->nodes[3].synced, 2);
    world_run(world, 6000); /* down: the other two are N-W+1 */
    assert_int_equal(world->nodes[3].synced, 2);
    world_crash(world, 3);
    world_start(world, 3);
    world_cut(world, 3, 1); /* one is not enough */
    world_run(world, 12000);
    assert_int_not_equal(world->nodes[3].synced, 2);
    world_mend(world);
    world_run(world, 5000);
    assert_int_equal(world->nodes[3].synced, 2);
    end(world);
}

static void another_layout_is_refused_and_told(void **state)
{
    (void)state;
    struct world *world = three();
    struct buffer payload = {0};
    struct sync *sync = world->nodes[0].sync;
    struct sync_message message = {.cluster = 77, .version = 3, .number = 1};
    uint64_t before = world->links[0][1].sent;
    sync_encode(SYNC_ASK_LIST, &message, &payload);
    assert_int_equal(sync_receive(sync, 2, SYNC_ASK_LIST, buffer_bytes(&payload), world->now_ms),
                     STATUS_OK);
    assert_int_equal(world->links[0][1].sent, before);
    assert_int_equal(world->nodes[0].others, 1);
    buffer_clear(&payload, 0);
    message.version = 2;
    sync_encode(SYNC_ASK_LIST, &message, &payload);
    assert_int_equal(sync_receive(sync, 2, SYNC_ASK_LIST, buffer_bytes(&payload), world->now_ms),
                     STATUS_OK);
    assert_int_equal(world->links[0][1].sent, before + 1);
    assert_int_equal(world->nodes[0].others, 2);
    buffer_deinit(&payload);
    end(world);
}

/* ---- collection ------------------------------------------------------------------------------ */

static void tombstones_leave_all_owners(void **state)
{
    (void)state;
    struct world *world = four();
    for (unsigned i = 0; i < 4; i++)
        world->nodes[i].store.cold = 1;
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        world_write(world, key, false, 0);
    world_converge(world, 10000);
    for (unsigned key = 0; key < WORLD_KEYS; key += 2)
        world_write(world, key, true, 0);
    world_converge(world, 10000);
    world_run(world, 15000);
    world_converge(world, 10000);
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        for (unsigned i = 0; i < 4; i++)
            assert_true(key % 2 == 1 || world_number(world, i, key) == 0);
    uint64_t collected = 0;
    for (unsigned i = 0; i < 4; i++)
        collected += stats_of(world, i).collected;
    assert_int_equal(collected, WORLD_KEYS / 2 * WORLD_COPIES);
    world_check(world);
    end(world);
}

static void while_a_member_is_away_tombstones_stay(void **state)
{
    (void)state;
    struct world *world = four();
    world_write(world, 8, true, 0);
    world_converge(world, 1000);
    unsigned stranger = stranger_of(world, 8);
    unsigned owner = (unsigned)world_placement(world, 8).old[0] - 1;
    world_crash(world, stranger);
    world_run(world, 20000);
    assert_int_not_equal(world_number(world, owner, 8), 0);
    assert_int_equal(stats_of(world, owner).collectable, 1);
    world_start(world, stranger);
    world_run(world, 15000);
    assert_int_equal(world_number(world, owner, 8), 0);
    end(world);
}

/* ---- what others have synced ----------------------------------------------------------------- */

static void who_is_asked_syncs_before_it_says_so(void **state)
{
    (void)state;
    struct world *world = four();
    uint64_t positions[4];
    world_crash(world, 3);
    world_run(world, 1000);
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        for (unsigned i = 0; i < 3; i++)
            world_put(world, i, key, 50, false);
    for (unsigned i = 1; i < 3; i++)
        positions[i] = world->nodes[i].store.position;
    struct sync *sync = world->nodes[0].sync;
    uint64_t question = sync_ask_durable(sync);
    assert_int_equal(sync_durable_missing(sync, question), 3);
    for (unsigned ms = 0; ms < 10000 && sync_durable_missing(sync, question) > 1; ms++) {
        world_run(world, 1);
        for (unsigned i = 1; i < 3; i++)
            assert_true(!sync_is_durable(sync, world->nodes[i].number, question) ||
                        world->nodes[i].store.synced >= positions[i]);
    }
    assert_int_equal(sync_durable_missing(sync, question), 1);
    assert_false(sync_is_durable(sync, world->nodes[3].number, question));
    assert_false(sync_is_durable(sync, world->nodes[1].number, question + 1));
    world_start(world, 3);
    end(world);
}

static void a_stale_copy_elsewhere_forbids_it(void **state)
{
    (void)state;
    struct world *world = four();
    unsigned stranger = stranger_of(world, 8);
    unsigned owner = (unsigned)world_placement(world, 8).old[0] - 1;
    world_put(world, stranger, 8, 40, false); /* a hint that nobody has got yet */
    world->holds_answers = true;              /* nor gets acknowledged */
    for (unsigned i = 0; i < 4; i++)
        if (i != stranger)
            world_put(world, i, 8, 41, true);
    world_run(world, 20000);
    assert_int_equal(world_number(world, owner, 8), 41);
    world->holds_answers = false;
    world_run(world, 60000);
    world_converge(world, 10000);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_number(world, i, 8), 0);
    end(world);
}

/* One of the owners has not heard of the deletion: the others are not enough. */
static void what_one_owner_lacks_stays(void **state)
{
    (void)state;
    struct world *world = three();
    world_put(world, 2, 8, 40, false);
    world->holds_rows = true; /* nor can it be told */
    for (unsigned i = 0; i < 2; i++)
        world_put(world, i, 8, 41, true);
    world_run(world, 20000);
    assert_int_equal(world_number(world, 0, 8), 41);
    assert_int_equal(world_number(world, 1, 8), 41);
    world->holds_rows = false;
    world_run(world, 60000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_number(world, i, 8), 0);
    end(world);
}

static void nothing_more(void *context, enum status status, uint64_t gate)
{
    (void)context, (void)gate;
    assert_int_equal(status, STATUS_OK);
}

/* An older copy is still on its way into a store: it would be back when it is there. */
static void a_stale_copy_that_is_being_taken_forbids_it(void **state)
{
    (void)state;
    struct world *world = three();
    struct store *store = &world->nodes[1].store;
    struct buffer rows = {0};
    world_put(world, 1, 8, 40, false);
    fake_copies_rows(store, world_key(8), &rows);
    store->slow = 1;
    assert_non_null(import_rows(store, buffer_bytes(&rows), world->now_ms, nothing_more, NULL));
    store->slow = 0;
    store->holds = true;
    for (unsigned i = 0; i < 3; i++)
        world_put(world, i, 8, 41, true);
    world_run(world, 20000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_number(world, i, 8), 41);
    store->holds = false;
    world_run(world, 60000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_number(world, i, 8), 0);
    buffer_deinit(&rows);
    end(world);
}

static void expired_rows_stay_a_minute(void **state)
{
    (void)state;
    struct world *world = three();
    uint64_t at_ms = world->now_ms + 5000;
    world_write(world, 9, false, at_ms);
    world_run(world, 50000);
    assert_int_not_equal(world_number(world, 0, 9), 0);
    world_run(world, 30000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_number(world, i, 9), 0);
    end(world);
}

/* ---- any bytes ------------------------------------------------------------------------------- */

static void whatever_a_peer_says_is_survived(void **state)
{
    (void)state;
    struct world *world = four();
    struct random random = {99};
    for (unsigned i = 0; i < 20000; i++) {
        unsigned type = MESSAGES_SYNC + (unsigned)random_below(&random, 16), to = i % 4;
        char bytes[64];
        size_t size = random_below(&random, sizeof(bytes));
        for (size_t k = 0; k < size; k++)
            bytes[k] = (char)(random_once_in(&random, 3) ? random_next(&random) : 0);
        if (size >= 9 && random_once_in(&random, 2))
            memcpy(bytes, "\x4d\0\0\0\0\0\0\0\1", 9); /* our cluster and layout */
        struct sync *sync = world->nodes[to].sync;
        enum status status =
            sync_receive(sync, (to + 1) % 4 + 1, type, bytes_of(bytes, size), world->now_ms);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        if (i % 100 == 0)
            world_step(world);
    }
    world_run(world, 20000);
    world_converge(world, 60000);
    end(world);
}

/* ---- random worlds --------------------------------------------------------------------------- */

static void draw_world(struct world *world)
{
    struct random *random = &world->random;
    world->sloppy = random_once_in(random, 2);
    world->delay_ms = (unsigned)random_below(random, 200);
    world->resets = random_once_in(random, 2) ? 0 : 50 + (unsigned)random_below(random, 500);
    bool always = random_once_in(random, 2);
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        struct store *store = &world->nodes[i].store;
        store->always = always;
        store->slow = (unsigned)random_below(random, 4);
        store->fails = random_once_in(random, 3) ? 30 : 0;
        store->cold = (unsigned)random_below(random, 3);
        store->page = (unsigned)random_below(random, 4);
    }
}

static unsigned alive(const struct world *world)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->count; i++)
        count += world->nodes[i].sync != NULL;
    return count;
}

/* Something happens, or nothing. */
static void disturb(struct world *world, bool members[WORLD_NODES_MAX])
{
    struct random *random = &world->random;
    unsigned node = (unsigned)random_below(random, world->count);
    unsigned other = (unsigned)random_below(random, world->count);
    switch (random_below(random, 40)) {
    case 0:
        if (world->nodes[node].sync != NULL && alive(world) + 1 >= world->count)
            world_crash(world, node);
        break;
    case 1:
    case 2:
        if (world->nodes[node].sync == NULL)
            world_start(world, node);
        break;
    case 3:
        if (node != other)
            world_cut(world, node, other);
        break;
    case 4:
        world_mend(world);
        break;
    case 5:
        if (world->layouts[world->layout].phase == LAYOUT_STABLE && random_once_in(random, 4)) {
            unsigned count = 0;
            members[node] = !members[node];
            for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
                count += members[i];
            if (count < 3)
                members[node] = true;
        }
        break;
    case 6: /* a long pause */
        world_run(world, random_below(random, 15000));
        break;
    default:
        break;
    }
}

static bool wants_change(const struct world *world, const bool members[WORLD_NODES_MAX])
{
    const struct layout *layout = &world->layouts[world->layout];
    if (layout->phase != LAYOUT_STABLE)
        return true;
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
        if (layout_is_member(layout, i + 1) != members[i])
            return true;
    return false;
}

static void heal(struct world *world, const bool members[WORLD_NODES_MAX])
{
    world_mend(world);
    world->resets = 0;
    for (unsigned i = 0; i < world->count; i++) {
        world->nodes[i].store.fails = 0;
        if (world->nodes[i].sync == NULL)
            world_start(world, i);
    }
    for (unsigned i = 0; i < 200 && wants_change(world, members); i++) {
        world_run(world, 1000);
        if (world->layout + 1 < WORLD_LAYOUTS_MAX && wants_change(world, members))
            world_next_layout(world, members);
    }
    world_run(world, 12000);
    world_converge(world, 300000);
}

static void run_world(uint64_t seed)
{
    struct world *world = memory_alloc(sizeof(*world));
    bool members[WORLD_NODES_MAX] = {true, true, true};
    struct random *random = &world->random;
    world_init(world, seed, 4 + (unsigned)(seed % 3));
    draw_world(world);
    members[3] = random_once_in(random, 2);
    assert_true(world_next_layout(world, members));
    for (unsigned i = 0; i < world->count; i++)
        world_start(world, i);
    unsigned steps = 500 + (unsigned)random_below(random, 2500);
    for (unsigned i = 0; i < steps; i++) {
        unsigned key = (unsigned)random_below(random, WORLD_KEYS);
        if (random_once_in(random, 3))
            world_write(world, key, random_once_in(random, 2),
                        random_once_in(random, 10) ? world->now_ms + 1000 : 0);
        disturb(world, members);
        if (wants_change(world, members) && random_once_in(random, 20))
            world_next_layout(world, members);
        world_step(world);
    }
    heal(world, members);
    world_check(world);
    uint64_t pulled = all_pulled(world);
    world_run(world, 25000);
    world_check(world);
    assert_int_equal(all_pulled(world), pulled);
    /* What is dead goes in the end. */
    world_run(world, 90000);
    world_check(world);
    for (unsigned i = 0; i < world->count; i++)
        assert_int_equal(stats_of(world, i).collectable, 0);
    end(world);
}

static void random_worlds_converge(void **state)
{
    (void)state;
    const char *first = getenv("FIRST"), *seeds = getenv("SEEDS");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 5;
    for (uint64_t seed = from; seed < from + count; seed++) {
        if (first || seeds)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run_world(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_pull_what_they_lack),
        cmocka_unit_test(only_what_differs_is_pulled),
        cmocka_unit_test(a_slot_is_agreed_when_one_other_is_equal),
        cmocka_unit_test(an_answer_to_an_older_question_agrees_nothing),
        cmocka_unit_test(who_comes_back_must_agree_again),
        cmocka_unit_test(a_hint_is_kept_until_it_is_acknowledged),
        cmocka_unit_test(hints_have_bounds),
        cmocka_unit_test(foreign_rows_leave_when_all_owners_have_them),
        cmocka_unit_test(a_foreign_row_is_told_of_at_once),
        cmocka_unit_test(without_acknowledgement_nothing_leaves),
        cmocka_unit_test(each_owner_must_acknowledge),
        cmocka_unit_test(what_has_changed_meanwhile_stays),
        cmocka_unit_test(who_gains_slots_pulls_them_first),
        cmocka_unit_test(old_owners_that_are_suspected_are_waited_for),
        cmocka_unit_test(another_layout_is_refused_and_told),
        cmocka_unit_test(tombstones_leave_all_owners),
        cmocka_unit_test(while_a_member_is_away_tombstones_stay),
        cmocka_unit_test(who_is_asked_syncs_before_it_says_so),
        cmocka_unit_test(a_stale_copy_elsewhere_forbids_it),
        cmocka_unit_test(what_one_owner_lacks_stays),
        cmocka_unit_test(a_stale_copy_that_is_being_taken_forbids_it),
        cmocka_unit_test(expired_rows_stay_a_minute),
        cmocka_unit_test(whatever_a_peer_says_is_survived),
        cmocka_unit_test(random_worlds_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
