/* SPDX-License-Identifier: MIT */
/*
 * Random worlds: three to five nodes that write and read, on links that break, hold messages and
 * come back, with stores that are cold, slow to sync, or fail. Whatever happens:
 *
 *   a write that is done is with W nodes, durably
 *   an owner that lacks it in the end was told missed
 *   a read that is done: what R owners held when it began is here, and what was here is there
 *   everybody who waits is told, once
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/quorum_world.h"
#include "row/row.h"

enum { WRITES = 60, VERIFIES = 30, KEYS = 4, TURNS = 600 };

struct read {
    struct world_verify verify;
    unsigned coordinator;
    struct bytes head;
    struct bytes held[WORLD_NODES_MAX]; /* when it began; in the world's arena */
    bool begun, checked;
};

struct play {
    struct world world;
    struct random random;
    uint64_t seed;
    struct world_write writes[WRITES];
    bool write_checked[WRITES];
    unsigned level[WRITES];
    unsigned write_count;
    struct read reads[VERIFIES];
    unsigned read_count;
    char keys[WRITES + KEYS][16];
    unsigned reads_ok, writes_ok;
};

static const char *shared_key(struct play *play)
{
    return play->keys[WRITES + random_below(&play->random, KEYS)];
}

/* ---- what is done ---------------------------------------------------------------------------- */

static unsigned coordinator_of(struct play *play, const char *key)
{
    unsigned owners[RING_COPIES_MAX], count = world_owners(&play->world, key, owners);
    unsigned at =
        random_once_in(&play->random, 4) ? (unsigned)random_below(&play->random, count) : 0;
    return owners[at];
}

static void begin_write(struct play *play)
{
    unsigned i = play->write_count++;
    struct world_write *write = &play->writes[i];
    static const uint8_t levels[] = {0, 0, 0, 1, 3, QUORUM_ALL, QUORUM_MAJORITY};
    write->write.consistency.write = levels[random_below(&play->random, 7)];
    unsigned level = write->write.consistency.write;
    play->level[i] = level == 0 || level == QUORUM_MAJORITY ? 2 : level == QUORUM_ALL ? 3 : level;
    write->write.id = (struct request_id){7, i};
    write->write.reply = BYTES("+OK");
    snprintf(play->keys[i], sizeof(play->keys[i]), "key%u", i);
    world_write(&play->world, write, coordinator_of(play, play->keys[i]), play->keys[i]);
}

static struct bytes held(struct play *play, unsigned node, struct bytes head)
{
    struct bytes row = fake_rows_get(&play->world.nodes[node].store, head);
    return row.size > 0 ? arena_copy(&play->world.arena, row) : row;
}

static void begin_read(struct play *play)
{
    struct read *read = &play->reads[play->read_count++];
    const char *key = shared_key(play);
    read->coordinator = coordinator_of(play, key);
    read->head = world_head(&play->world, key);
    read->begun = true;
    for (unsigned i = 0; i < play->world.count; i++)
        read->held[i] = held(play, i, read->head);
    world_verify(&play->world, &read->verify, read->coordinator, &key, 1,
                 random_once_in(&play->random, 2));
}

/* A copy goes its own way. */
static void differ(struct play *play)
{
    const char *key = shared_key(play);
    unsigned owners[RING_COPIES_MAX], count = world_owners(&play->world, key, owners);
    world_put(&play->world, owners[random_below(&play->random, count)], key, "v");
}

static void disturb(struct play *play)
{
    struct world *world = &play->world;
    unsigned a = (unsigned)random_below(&play->random, world->count);
    unsigned b = (a + 1 + (unsigned)random_below(&play->random, world->count - 1)) % world->count;
    struct store *store = &world->nodes[a].store;
    switch (random_below(&play->random, 8)) {
    case 0:
        world_reset_link(world, a, b);
        break;
    case 1:
        if (!world->cut[a][b])
            world_cut(world, a, b);
        break;
    case 2:
        if (world->cut[a][b])
            world_heal(world, a, b);
        break;
    case 3:
        world->held[a][b] = !world->held[a][b];
        break;
    case 4:
        store->sync_held = !store->sync_held;
        break;
    case 5:
        store->waits = !store->waits;
        break;
    case 6:
        store->fails = random_once_in(&play->random, 3);
        break;
    case 7:
        world->nodes[a].agreed = !world->nodes[a].agreed;
        break;
    }
}

static void calm(struct play *play)
{
    struct world *world = &play->world;
    for (unsigned a = 0; a < world->count; a++) {
        struct store *store = &world->nodes[a].store;
        store->sync_held = store->waits = store->fails = false;
        for (unsigned b = 0; b < world->count; b++) {
            world->held[a][b] = false;
            if (a < b && world->cut[a][b])
                world_heal(world, a, b);
        }
    }
}

/* ---- what must hold -------------------------------------------------------------------------- */

static bool is_durable(struct world *world, unsigned node, struct bytes head)
{
    const struct store *store = &world->nodes[node].store;
    for (size_t i = 0; i < store->count; i++)
        if (bytes_equal(store->rows[i].name, head))
            return store->rows[i].position <= store->durable;
    return false;
}

static void check_write(struct play *play, unsigned i)
{
    struct world_write *write = &play->writes[i];
    if (play->write_checked[i] || !write->is_done)
        return;
    play->write_checked[i] = true;
    if (write->status != STATUS_OK) {
        assert_int_equal(write->status, STATUS_ABSENT);
        assert_true(write->write.reached < write->write.needed);
        return;
    }
    play->writes_ok++;
    unsigned holders = 0;
    for (unsigned node = 0; node < play->world.count; node++)
        holders += world_has(&play->world, node, write->head, write->dot) &&
                   is_durable(&play->world, node, write->head);
    if (holders < play->level[i])
        fail_msg("seed %lu: write %u is done with %u holders", (unsigned long)play->seed, i,
                 holders);
}

/* Whether `row` shows all that `other` does. */
static bool shows(struct play *play, struct bytes row, struct bytes other)
{
    struct row a, b;
    if (other.size == 0)
        return true;
    if (row.size == 0)
        return false;
    assert_int_equal(row_decode(row, &play->world.arena, &a), STATUS_OK);
    assert_int_equal(row_decode(other, &play->world.arena, &b), STATUS_OK);
    return vector_covers_all(&a.vector, &b.vector);
}

static void check_read(struct play *play, struct read *read)
{
    if (read->checked || !read->verify.is_done)
        return;
    read->checked = true;
    if (read->verify.status != STATUS_OK) {
        assert_true(read->verify.status == STATUS_ABSENT || read->verify.status == STATUS_IO);
        return;
    }
    play->reads_ok++;
    struct bytes mine = held(play, read->coordinator, read->head);
    unsigned heard = 0, hold = 0;
    for (unsigned i = 0; i < play->world.count; i++) {
        heard += shows(play, mine, read->held[i]);
        hold += shows(play, held(play, i, read->head), read->held[read->coordinator]);
    }
    unsigned others = play->world.count - 3; /* that own it not: all hold, vacuously or not */
    if (heard < 2 + others || hold < 2)
        fail_msg("seed %lu: %u heard, %u hold", (unsigned long)play->seed, heard, hold);
}

static void check_missed(struct play *play, unsigned i)
{
    struct world_write *write = &play->writes[i];
    unsigned owners[RING_COPIES_MAX], count = world_owners(&play->world, play->keys[i], owners);
    for (unsigned j = 0; j < count; j++)
        if (!world_has(&play->world, owners[j], write->head, write->dot) &&
            !world_told(&play->world, write->coordinator, owners[j], write->head))
            fail_msg("seed %lu: write %u: owner %u lacks it, nobody was told",
                     (unsigned long)play->seed, i, owners[j]);
}

static void check_all(struct play *play)
{
    for (unsigned i = 0; i < play->write_count; i++)
        check_write(play, i);
    for (unsigned i = 0; i < play->read_count; i++)
        check_read(play, &play->reads[i]);
}

static void turn(struct play *play)
{
    for (unsigned i = 0; i < play->world.count; i++)
        if (random_once_in(&play->random, 3))
            fake_rows_go_on(&play->world.nodes[i].store);
    world_turn(&play->world);
    check_all(play);
}

static void begin_something(struct play *play)
{
    if (play->write_count < WRITES && random_once_in(&play->random, 6))
        begin_write(play);
    if (play->read_count < VERIFIES && random_once_in(&play->random, 15))
        begin_read(play);
    if (random_once_in(&play->random, 30))
        differ(play);
}

static void run_play(struct play *play, uint64_t seed)
{
    *play = (struct play){.seed = seed, .random = {seed}};
    world_init(&play->world, 3 + (unsigned)(seed % 3), seed);
    play->world.slowest_ms = 1 + random_below(&play->random, 8);
    for (unsigned i = 0; i < KEYS; i++)
        snprintf(play->keys[WRITES + i], sizeof(play->keys[0]), "shared%u", i);
    for (int i = 0; i < TURNS; i++) {
        begin_something(play);
        if (random_once_in(&play->random, 25))
            disturb(play);
        turn(play);
    }
    calm(play);
    for (int i = 0; i < 3 * WORLD_TIMEOUT_MS + QUORUM_KEPT_MS; i++)
        turn(play);
    for (unsigned i = 0; i < play->write_count; i++) {
        assert_true(play->writes[i].is_done);
        check_missed(play, i);
    }
    for (unsigned i = 0; i < play->read_count; i++) {
        assert_true(play->reads[i].verify.is_done);
        world_verify_deinit(&play->reads[i].verify);
    }
    for (unsigned i = 0; i < play->world.count; i++) {
        struct quorum_stats stats;
        quorum_stats(play->world.nodes[i].quorum, &stats);
        assert_int_equal(stats.pending, 0);
    }
    world_deinit(&play->world);
}

static void test_random_worlds(void **state)
{
    const char *seeds = getenv("SEEDS"), *first = getenv("FIRST");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 40;
    unsigned reads_ok = 0, writes_ok = 0;
    (void)state;
    struct play *play = memory_alloc(sizeof(*play));
    for (uint64_t seed = from; seed < from + count; seed++) {
        run_play(play, seed);
        reads_ok += play->reads_ok;
        writes_ok += play->writes_ok;
    }
    memory_free(play);
    assert_true(writes_ok > count * 10 && reads_ok > count * 5); /* it is not all failures */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
