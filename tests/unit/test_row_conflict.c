/* SPDX-License-Identifier: MIT */
/*
 * Rows that contradict each other: one dot with different values, one increment with different
 * sums, as damage or a forger makes them. Whatever the order, the merge gives the same bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/row.h"

enum { ROUNDS = 5000, ACTORS = 3, TIMES = 3 };

struct scene {
    struct random random;
    struct arena arena;
};

static uint64_t draw(struct scene *scene, uint64_t limit)
{
    return random_below(&scene->random, limit);
}

static struct increments random_increments(struct scene *scene)
{
    struct increments out = {arena_alloc(&scene->arena, ACTORS * sizeof(*out.items)), 0};
    for (actor_t actor = 1; actor <= ACTORS; actor++)
        if (draw(scene, 3) == 0)
            out.items[out.count++] =
                (struct increment){actor, 1 + draw(scene, TIMES), (__int128)draw(scene, 3) - 1,
                                   (real_t)draw(scene, 2)};
    return out;
}

static struct bytes random_value(struct scene *scene)
{
    static const char *const values[] = {"", "a", "b", "bb"};
    return bytes_text(values[draw(scene, 4)]);
}

/* Its siblings and expiry entries are of few dots: those of two rows meet. */
static struct bytes random_row(struct scene *scene)
{
    struct arena *arena = &scene->arena;
    struct row row = {0};
    row.vector.dots = arena_alloc(arena, ACTORS * sizeof(*row.vector.dots));
    row.siblings = arena_alloc(arena, ACTORS * TIMES * sizeof(*row.siblings));
    row.expiries = arena_alloc(arena, ACTORS * TIMES * sizeof(*row.expiries));
    for (actor_t actor = 1; actor <= ACTORS; actor++)
        if (draw(scene, 2) == 0)
            row.vector.dots[row.vector.count++] = (struct dot){actor, 1 + draw(scene, TIMES)};
    for (uint64_t time = 1; time <= TIMES; time++) {
        for (actor_t actor = 1; actor <= ACTORS; actor++) {
            struct dot dot = {actor, time};
            if (!vector_covers(&row.vector, dot))
                continue;
            if (draw(scene, 2) == 0)
                row.siblings[row.sibling_count++] = (struct sibling){
                    dot, draw(scene, VALUE_FORMS), random_value(scene), random_increments(scene)};
            if (draw(scene, 2) == 0)
                row.expiries[row.expiry_count++] =
                    (struct expiry){dot, draw(scene, 4) ? draw(scene, 3) : EXPIRY_NEVER};
        }
    }
    row.added = random_increments(scene);
    row.removed = random_increments(scene);
    return row_encode(&row, arena);
}

static struct bytes random_common(struct scene *scene)
{
    struct dot dot = {1 + draw(scene, 2), 1 + draw(scene, 2)};
    return row_encode_common(&scene->arena, dot, VALUE_STRING, random_value(scene),
                             draw(scene, 2) ? EXPIRY_NEVER : draw(scene, 2));
}

static struct bytes merged(struct scene *scene, struct bytes a, struct bytes b)
{
    struct bytes out;
    struct row x, y, row;
    assert_int_equal(row_merge_bytes(a, b, NULL, &scene->arena, &out), STATUS_OK);
    assert_int_equal(row_decode(a, &scene->arena, &x), STATUS_OK);
    assert_int_equal(row_decode(b, &scene->arena, &y), STATUS_OK);
    row_merge(&x, &y, NULL, &scene->arena, &row);
    assert_true(bytes_equal(row_encode(&row, &scene->arena), out));
    return out;
}

static void check_merge(struct scene *scene, struct bytes a, struct bytes b, struct bytes c)
{
    assert_true(bytes_equal(merged(scene, a, a), a));
    assert_true(bytes_equal(merged(scene, a, b), merged(scene, b, a)));
    struct bytes left = merged(scene, merged(scene, a, b), c);
    assert_true(bytes_equal(left, merged(scene, a, merged(scene, b, c))));
    assert_true(bytes_equal(left, merged(scene, merged(scene, c, a), b)));
    assert_true(bytes_equal(left, merged(scene, left, b)));
}

static void test_any_order_gives_the_same(void **state)
{
    struct scene scene = {.random = {1}};
    (void)state;
    arena_init(&scene.arena);
    for (unsigned i = 0; i < ROUNDS; i++) {
        check_merge(&scene, random_row(&scene), random_row(&scene), random_row(&scene));
        check_merge(&scene, random_common(&scene), random_common(&scene), random_common(&scene));
        check_merge(&scene, random_common(&scene), random_row(&scene), random_common(&scene));
        arena_clear(&scene.arena);
    }
    arena_deinit(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
