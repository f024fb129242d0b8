/* SPDX-License-Identifier: MIT */
/* A request that has run at two nodes: the second run covers the first, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doubles/quorum_world.h"
#include "row/row_list.h"

enum { ORIGIN = 99 };

/* Node 0 runs it and is cut off; then another one of the three. */
struct story {
    struct world world;
    struct world_write first, second;
    struct buffer made;
};

static void run_at(struct story *story, struct world_write *write, unsigned node, const char *key)
{
    write->write.id = (struct request_id){ORIGIN, 7};
    write->write.reply = BYTES("+OK");
    write->write.is_blind = true;
    world_write(&story->world, write, node, key);
    world_run(&story->world, 4);
}

static void ask_what_it_made(struct story *story, unsigned node, uint64_t number)
{
    struct request_id id = {ORIGIN, number};
    buffer_clear(&story->made, 0);
    quorum_made(story->world.nodes[node].quorum, id, &story->made, story->world.now_ms);
}

static void begin(struct story *story)
{
    *story = (struct story){0};
    world_init(&story->world, 3, 1);
    world_isolate(&story->world, 0);
    run_at(story, &story->first, 0, "k");
    run_at(story, &story->second, 1, "k");
}

static void end(struct story *story)
{
    world_run(&story->world, 2 * WORLD_TIMEOUT_MS); /* the first is given up */
    buffer_deinit(&story->made);
    world_deinit(&story->world);
}

static enum status cover(struct story *story, unsigned node, uint64_t number, unsigned first,
                         struct bytes rows)
{
    struct world *world = &story->world;
    struct request_id id = {ORIGIN, number};
    return quorum_cover(world->nodes[node].quorum, id, world->nodes[first].node, rows,
                        world->now_ms);
}

static void cover_with_made(struct story *story, unsigned node, uint64_t number)
{
    struct bytes rows = buffer_bytes(&story->made);
    assert_int_equal(cover(story, node, number, 0, rows), STATUS_OK);
}

static bool is_covered(struct story *story, unsigned node)
{
    return world_has(&story->world, node, story->first.head, story->first.dot);
}

static void test_the_second_run_covers_the_first(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    ask_what_it_made(&story, 0, 7);
    assert_false(is_covered(&story, 1));
    cover_with_made(&story, 1, 7);
    assert_true(is_covered(&story, 1));
    assert_true(world_has(&story.world, 1, story.second.head, story.second.dot));
    for (unsigned owner = 0; owner < 3; owner += 2)
        assert_true(world_told(&story.world, 1, owner, story.first.head));
    end(&story);
}

/* Node 2 has the second run's rows too, but has not run it. */
static void test_only_where_the_second_ran(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    assert_true(world_has(&story.world, 2, story.second.head, story.second.dot));
    ask_what_it_made(&story, 2, 7);
    assert_int_equal(buffer_size(&story.made), 0);
    ask_what_it_made(&story, 0, 7);
    cover_with_made(&story, 2, 7);
    assert_false(is_covered(&story, 2));
    cover_with_made(&story, 1, 8); /* another request */
    assert_false(is_covered(&story, 1));
    end(&story);
}

/* It may have lost its last second, or have given the row away. */
static void test_only_over_a_row_that_has_seen_the_second(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    fake_rows_deinit(&story.world.nodes[1].store);
    fake_rows_init(&story.world.nodes[1].store);
    ask_what_it_made(&story, 0, 7);
    cover_with_made(&story, 1, 7);
    assert_false(is_covered(&story, 1));
    assert_int_equal(fake_rows_get(&story.world.nodes[1].store, story.first.head).size, 0);
    end(&story);
}

/* What it has written since is not what the request has made. */
static void test_what_followed_the_first_is_not_covered(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    struct dot later = world_put(&story.world, 0, "k", "later");
    ask_what_it_made(&story, 0, 7);
    cover_with_made(&story, 1, 7);
    assert_true(is_covered(&story, 1));
    assert_false(world_has(&story.world, 1, story.first.head, later));
    end(&story);
}

static void test_what_may_not_run_twice_is_not_told(void **state)
{
    struct story story;
    struct world_write other = {0};
    (void)state;
    begin(&story);
    other.write.id = (struct request_id){ORIGIN, 8};
    world_write(&story.world, &other, 0, "k");
    ask_what_it_made(&story, 0, 8);
    assert_int_equal(buffer_size(&story.made), 0);
    ask_what_it_made(&story, 0, 9); /* never heard of */
    assert_int_equal(buffer_size(&story.made), 0);
    end(&story);
}

/* What has not reached W may have been overtaken; who has overtaken it is told so. */
static void test_how_long_it_is_known_what_a_run_has_made(void **state)
{
    struct story story;
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        begin(&story);
        if (told)
            quorum_keep_made(story.world.nodes[1].quorum, (struct request_id){ORIGIN, 7},
                             story.world.now_ms);
        world_run(&story.world, QUORUM_REQUESTS_KEPT_MS + 10);
        ask_what_it_made(&story, 1, 7);
        assert_int_equal(buffer_size(&story.made) > 0, told);
        ask_what_it_made(&story, 0, 7);
        assert_true(buffer_size(&story.made) > 0);
        cover_with_made(&story, 1, 7);
        assert_int_equal(is_covered(&story, 1), told);
        story.world.now_ms += QUORUM_RUNS_KEPT_MS;
        ask_what_it_made(&story, 0, 7);
        assert_int_equal(buffer_size(&story.made), 0);
        end(&story);
    }
}

static void test_of_several_keys_each_is_covered(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    struct story story = {0};
    struct world_write *writes[] = {&story.first, &story.second};
    (void)state;
    world_init(&story.world, 3, 1);
    world_isolate(&story.world, 0);
    for (unsigned node = 0; node < 2; node++) {
        writes[node]->write.id = (struct request_id){ORIGIN, 7};
        writes[node]->write.is_blind = true;
        world_write_many(&story.world, writes[node], node, keys, 5);
        world_run(&story.world, 4);
    }
    ask_what_it_made(&story, 0, 7);
    cover_with_made(&story, 1, 7);
    for (unsigned i = 0; i < 5; i++) {
        struct bytes head = world_head(&story.world, keys[i]);
        struct dot dot = {story.first.dot.actor, 1};
        assert_true(world_has(&story.world, 1, head, dot));
        assert_true(world_told(&story.world, 1, 0, head));
    }
    assert_true(is_covered(&story, 1));
    end(&story);
}

static void test_what_is_no_cover_is_refused(void **state)
{
    struct story story;
    struct arena arena;
    struct row row;
    (void)state;
    begin(&story);
    arena_init(&arena);
    struct buffer rows = {0};
    struct bytes value = fake_rows_get(&story.world.nodes[0].store, story.first.head);
    row_list_append(&rows, story.first.head, value); /* it has a value */
    assert_int_equal(cover(&story, 1, 7, 0, buffer_bytes(&rows)), STATUS_CORRUPT);
    ask_what_it_made(&story, 0, 7); /* of another node */
    assert_int_equal(cover(&story, 1, 7, 2, buffer_bytes(&story.made)), STATUS_CORRUPT);
    struct bytes cut = buffer_bytes(&story.made);
    cut.size--;
    assert_int_equal(cover(&story, 1, 7, 0, cut), STATUS_CORRUPT);
    row_init(&row);
    buffer_clear(&rows, 0);
    row_list_append(&rows, story.first.head, row_encode(&row, &arena)); /* it has seen nothing */
    assert_int_equal(cover(&story, 1, 7, 0, buffer_bytes(&rows)), STATUS_CORRUPT);
    assert_false(is_covered(&story, 1));
    buffer_deinit(&rows);
    arena_deinit(&arena);
    end(&story);
}

/* It waits for the disk, and this node ends. */
static void test_one_that_waits_ends_with_the_node(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    struct world_node *second = &story.world.nodes[1];
    ask_what_it_made(&story, 0, 7);
    second->store.waits = true;
    uint64_t mark = quorum_work_begun(second->quorum);
    cover_with_made(&story, 1, 7);
    assert_true(quorum_work_ended(second->quorum, mark));
    assert_false(quorum_work_ended(second->quorum, mark + 1));
    assert_false(is_covered(&story, 1));
    fake_rows_go_on(&second->store);
    assert_true(is_covered(&story, 1));
    assert_true(quorum_work_ended(second->quorum, mark + 1));
    second->store.waits = true;
    cover_with_made(&story, 1, 7);
    end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_run_covers_the_first),
        cmocka_unit_test(test_only_where_the_second_ran),
        cmocka_unit_test(test_only_over_a_row_that_has_seen_the_second),
        cmocka_unit_test(test_what_followed_the_first_is_not_covered),
        cmocka_unit_test(test_what_may_not_run_twice_is_not_told),
        cmocka_unit_test(test_how_long_it_is_known_what_a_run_has_made),
        cmocka_unit_test(test_of_several_keys_each_is_covered),
        cmocka_unit_test(test_what_is_no_cover_is_refused),
        cmocka_unit_test(test_one_that_waits_ends_with_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
