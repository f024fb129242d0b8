/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "doubles/fake_txn.h"
#include "type/string.h"
#include "type/string_chunks.h"

enum {
    MODEL_MAX = 200 * 1000,
    SEEDS = 8,
    STEPS = 250,
    BIG = 100 * 1000,
};

struct world {
    struct store store;
    struct arena arena;
    struct txn txn;
    struct cell head;
    uint64_t now_ms;
    unsigned runs;
};

static void world_init(struct world *world, bool cold)
{
    *world = (struct world){.now_ms = 1000};
    fake_store_init(&world->store);
    world->store.cold = cold;
    arena_init(&world->arena);
}

static void world_deinit(struct world *world)
{
    fake_store_deinit(&world->store);
    arena_deinit(&world->arena);
}

/* Does `step` on world->head until nothing is cold, and commits. */
static enum status in_txn(struct world *world, enum status (*step)(struct world *, void *),
                          void *argument)
{
    enum status status;
    arena_clear(&world->arena);
    fake_txn_begin(&world->txn, &world->store, &world->arena, world->now_ms);
    world->runs = 0;
    do {
        fake_txn_run(&world->txn);
        status = cell_find_head(&world->txn, 0, BYTES("key"), &world->head);
        if (status == STATUS_OK)
            status = step(world, argument);
        world->runs++;
    } while (status == STATUS_COLD && fake_txn_fetch(&world->txn) > 0);
    if (status == STATUS_OK)
        fake_txn_commit(&world->txn);
    return status;
}

/* A change, or what to look at. */
struct step {
    struct bytes value;
    uint64_t offset;
    uint64_t size;
    uint64_t at_ms;
    bool keep;
    int64_t by;
    real_t real_by;
    uint64_t length;
    int64_t sum;
    char *copy; /* of what was read; `length` bytes */
};

static enum status set(struct world *world, void *argument)
{
    struct step *step = argument;
    return string_set(&world->head, step->value, step->at_ms, step->keep);
}

static enum status append(struct world *world, void *argument)
{
    struct step *step = argument;
    return string_append(&world->head, step->value, &step->length);
}

static enum status overwrite(struct world *world, void *argument)
{
    struct step *step = argument;
    return string_overwrite(&world->head, step->offset, step->value, &step->length);
}

static enum status increment_real(struct world *world, void *argument)
{
    struct step *step = argument;
    struct bytes text;
    enum status status = string_increment_real(&world->head, step->real_by, &text);
    if (status == STATUS_OK && step->copy) {
        memcpy(step->copy, text.data, text.size);
        step->copy[text.size] = '\0';
    }
    return status;
}

static enum status increment(struct world *world, void *argument)
{
    struct step *step = argument;
    return string_increment(&world->head, step->by, &step->sum);
}

static enum status read_range(struct world *world, void *argument)
{
    struct step *step = argument;
    struct bytes range;
    enum status status = string_range(&world->head, step->offset, step->size, &range);
    if (status == STATUS_OK) {
        assert_int_equal(range.size, step->size);
        memcpy(step->copy, range.data, range.size);
    }
    return status;
}

static enum status read_value(struct world *world, void *argument)
{
    struct step *step = argument;
    struct bytes value;
    enum status status = string_value(&world->head, &value);
    if (status != STATUS_OK)
        return status;
    status = string_length(&world->head, &step->length);
    assert_int_equal(value.size, step->length);
    memcpy(step->copy, value.data, value.size);
    return status;
}

static enum status delete (struct world *world, void *argument) {
    (void)argument; return world->head.exists ? cell_delete(&world->head) : STATUS_OK;
}

static enum status expire(struct world *world, void *argument)
{
    struct step *step = argument;
    return world->head.exists ? cell_expire(&world->head, step->at_ms) : STATUS_OK;
}

/* ---- random changes against a plain model --------------------------------------------------- */

struct model {
    char *data;
    size_t size;
    bool exists;
    uint64_t at_ms;
};

static void model_reset(struct model *model, bool exists)
{
    model->size = 0;
    model->exists = exists;
    model->at_ms = EXPIRY_NEVER;
}

static void model_overwrite(struct model *model, uint64_t offset, struct bytes value)
{
    model->exists = true;
    if (offset > model->size)
        memset(model->data + model->size, 0, offset - model->size);
    memcpy(model->data + offset, value.data, value.size);
    if (offset + value.size > model->size)
        model->size = offset + value.size;
}

static size_t random_size(struct random *random)
{
    switch (random_below(random, 4)) {
    case 0:
        return random_below(random, 20);
    case 1:
        return STRING_INLINE_MAX - 2 + random_below(random, 5);
    case 2:
        return CHUNK_SIZE * random_below(random, 8) + random_below(random, 3);
    default:
        return random_below(random, 40 * 1000);
    }
}

static void random_change(struct world *world, struct model *model, struct random *random,
                          const char *noise)
{
    struct step step = {.at_ms = EXPIRY_NEVER};
    step.value = bytes_of(noise + random_below(random, 1000), random_size(random));
    uint64_t what = random_below(random, 10);
    if (what < 2) {
        step.keep = random_once_in(random, 2);
        step.at_ms = random_once_in(random, 2) ? EXPIRY_NEVER : world->now_ms + 50;
        assert_int_equal(in_txn(world, set, &step), STATUS_OK);
        uint64_t at_ms = step.keep && model->exists ? model->at_ms : step.at_ms;
        model_reset(model, true);
        model_overwrite(model, 0, step.value);
        model->at_ms = at_ms;
    } else if (what < 5) {
        if (model->size + step.value.size > MODEL_MAX)
            return;
        assert_int_equal(in_txn(world, append, &step), STATUS_OK);
        model_overwrite(model, model->size, step.value);
        assert_int_equal(step.length, model->size);
    } else if (what < 8) {
        step.offset = random_below(random, model->size + 10 * 1000);
        if (step.offset + step.value.size > MODEL_MAX || step.value.size == 0)
            return;
        assert_int_equal(in_txn(world, overwrite, &step), STATUS_OK);
        model_overwrite(model, step.offset, step.value);
        assert_int_equal(step.length, model->size);
    } else if (what < 9) {
        step.at_ms = random_once_in(random, 2) ? EXPIRY_NEVER : world->now_ms + 50;
        assert_int_equal(in_txn(world, expire, &step), STATUS_OK);
        if (model->exists)
            model->at_ms = step.at_ms;
    } else if (random_once_in(random, 4)) {
        assert_int_equal(in_txn(world, delete, &step), STATUS_OK);
        model_reset(model, false);
    }
}

static void expect_same(struct world *world, const struct model *model, struct random *random,
                        char *copy)
{
    struct step step = {.copy = copy};
    assert_int_equal(in_txn(world, read_value, &step), STATUS_OK);
    assert_int_equal(step.length, model->size);
    assert_true(memcmp(copy, model->data, model->size) == 0);
    assert_int_equal(world->head.exists, model->exists);
    if (model->exists)
        assert_true(world->head.at_ms == model->at_ms);
    step.offset = random_below(random, model->size + 1);
    step.size = random_below(random, model->size - step.offset + 1);
    if (random_once_in(random, 2) && step.size > 100)
        step.size = 100;
    assert_int_equal(in_txn(world, read_range, &step), STATUS_OK);
    assert_true(memcmp(copy, model->data + step.offset, step.size) == 0);
}

static void test_random_changes(void **state)
{
    (void)state;
    char *noise = memory_alloc(MODEL_MAX);
    char *copy = memory_alloc(MODEL_MAX);
    struct model model = {.data = memory_alloc(MODEL_MAX)};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random random = {seed};
        struct world world;
        world_init(&world, seed % 2);
        model_reset(&model, false);
        for (size_t i = 0; i < MODEL_MAX; i++)
            noise[i] = (char)random_next(&random);
        for (unsigned i = 0; i < STEPS; i++) {
            random_change(&world, &model, &random, noise);
            world.now_ms += random_below(&random, 20);
            if (model.exists && model.at_ms < world.now_ms)
                model_reset(&model, false);
            expect_same(&world, &model, &random, copy);
        }
        world_deinit(&world);
    }
    memory_free(noise);
    memory_free(copy);
    memory_free(model.data);
}

/* ---- what is written ------------------------------------------------------------------------ */

static unsigned staged_rows(const struct world *world)
{
    unsigned count = 0;
    for (struct fake_touch *row = world->store.touched; row; row = row->next)
        count += row->staged.size > 0;
    return count;
}

static void set_big(struct world *world, size_t size)
{
    char *value = memory_alloc(size);
    memset(value, 'v', size);
    struct step step = {.value = bytes_of(value, size), .at_ms = EXPIRY_NEVER};
    assert_int_equal(in_txn(world, set, &step), STATUS_OK);
    memory_free(value);
}

static void test_inline_up_to_the_limit(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    set_big(&world, STRING_INLINE_MAX);
    assert_int_equal(staged_rows(&world), 1);
    set_big(&world, STRING_INLINE_MAX + 1);
    assert_int_equal(staged_rows(&world), 1 + STRING_INLINE_MAX / CHUNK_SIZE + 1);
    world_deinit(&world);
}

static void test_a_change_writes_only_what_it_touches(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true);
    set_big(&world, BIG);
    struct step step = {.value = BYTES("xy"), .offset = 50 * 1000};
    assert_int_equal(in_txn(&world, overwrite, &step), STATUS_OK);
    assert_int_equal(staged_rows(&world), 2);
    assert_int_equal(world.runs, 3);
    step.offset = 5 * CHUNK_SIZE - 1;
    assert_int_equal(in_txn(&world, overwrite, &step), STATUS_OK);
    assert_int_equal(staged_rows(&world), 3);
    assert_int_equal(world.runs, 3); /* both chunks missed together */
    assert_int_equal(in_txn(&world, append, &step), STATUS_OK);
    assert_int_equal(staged_rows(&world), 2);
    world_deinit(&world);
}

static void test_reading_a_part_reads_its_chunks(void **state)
{
    (void)state;
    char copy[10];
    struct world world;
    world_init(&world, true);
    set_big(&world, BIG);
    struct step step = {.offset = 2 * CHUNK_SIZE - 5, .size = 10, .copy = copy};
    assert_int_equal(in_txn(&world, read_range, &step), STATUS_OK);
    assert_int_equal(world.store.known_count, 3);
    world_deinit(&world);
}

static void test_sparse(void **state)
{
    (void)state;
    char copy[8];
    struct world world;
    world_init(&world, true);
    struct step step = {.value = BYTES("end"), .offset = STRING_SIZE_MAX - 3, .copy = copy};
    assert_int_equal(in_txn(&world, overwrite, &step), STATUS_OK);
    assert_int_equal(step.length, STRING_SIZE_MAX);
    assert_int_equal(staged_rows(&world), 2);
    step.offset -= 3;
    step.size = 6;
    assert_int_equal(in_txn(&world, read_range, &step), STATUS_OK);
    assert_true(memcmp(copy, "\0\0\0end", 6) == 0);
    step.offset = 1000 * 1000;
    assert_int_equal(in_txn(&world, read_range, &step), STATUS_OK);
    assert_true(memcmp(copy, "\0\0\0\0\0\0", 6) == 0);
    assert_int_equal(in_txn(&world, append, &step), STATUS_TOO_BIG);
    step.offset = UINT64_MAX;
    assert_int_equal(in_txn(&world, overwrite, &step), STATUS_TOO_BIG);
    step.value.size = (size_t)STRING_SIZE_MAX + 1;
    assert_int_equal(in_txn(&world, set, &step), STATUS_TOO_BIG);
    world_deinit(&world);
}

/* ---- integers ------------------------------------------------------------------------------- */

static void put_row(struct world *world, const struct row *row)
{
    fake_store_put(&world->store, row_key_head(&world->arena, 0, BYTES("key")),
                   row_encode(row, &world->arena));
}

static void expect_text(struct world *world, const char *text)
{
    char copy[64] = {0};
    struct step step = {.copy = copy};
    assert_int_equal(in_txn(world, read_value, &step), STATUS_OK);
    assert_string_equal(copy, text);
}

/* Two nodes count apart from each other: together it is more than 64 bits hold. */
static void test_concurrent_increments(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    struct row row;
    row_init(&row);
    row_increment(&row, (struct dot){actor_of(1, 1), 5}, INT64_MAX, &world.arena);
    row_increment(&row, (struct dot){actor_of(2, 1), 6}, INT64_MAX, &world.arena);
    put_row(&world, &row);
    expect_text(&world, "18446744073709551614");
    struct step step = {.by = -1};
    assert_int_equal(in_txn(&world, increment, &step), STATUS_OVERFLOW);
    step.by = INT64_MIN;
    assert_int_equal(in_txn(&world, increment, &step), STATUS_OK);
    assert_true(step.sum == INT64_MAX - 1);
    row_init(&row);
    row_increment(&row, (struct dot){actor_of(1, 1), 5}, 2 * (__int128)INT64_MIN - 2, &world.arena);
    put_row(&world, &row);
    expect_text(&world, "-18446744073709551618");
    world_deinit(&world);
}

/* A peer's sum may be anything that fits: nothing overflows. */
static void test_sums_at_their_limits(void **state)
{
    (void)state;
    __int128 most = (__int128)(~(unsigned __int128)0 >> 1);
    struct world world;
    world_init(&world, false);
    for (int sign = 1; sign >= -1; sign -= 2) {
        struct row row;
        row_init(&row);
        row_write(&row, (struct dot){actor_of(1, 1), 4}, VALUE_STRING,
                  sign > 0 ? BYTES("9223372036854775807") : BYTES("-9223372036854775808"),
                  EXPIRY_NEVER, false, &world.arena);
        row_increment(&row, (struct dot){actor_of(1, 1), 5}, sign > 0 ? most : -most - 1,
                      &world.arena);
        row_increment_real(&row, (struct dot){actor_of(2, 1), 6}, sign > 0 ? 0.0 : 0.5,
                           &world.arena);
        put_row(&world, &row);
        struct step step = {.by = sign > 0 ? INT64_MAX : INT64_MIN, .real_by = 1};
        assert_int_not_equal(in_txn(&world, increment, &step), STATUS_OK);
        assert_int_equal(in_txn(&world, increment_real, &step), STATUS_OK);
    }
    world_deinit(&world);
}

/* A word written while another node counted: the word counts. */
static void test_increments_on_a_word(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    struct row row;
    row_init(&row);
    row_write(&row, (struct dot){actor_of(1, 1), 5}, VALUE_STRING, BYTES("word"), EXPIRY_NEVER,
              false, &world.arena);
    row_increment(&row, (struct dot){actor_of(2, 1), 6}, 1, &world.arena);
    put_row(&world, &row);
    expect_text(&world, "word");
    struct step step = {.by = 1, .value = BYTES("s")};
    assert_int_equal(in_txn(&world, increment, &step), STATUS_NOT_INTEGER);
    assert_int_equal(in_txn(&world, append, &step), STATUS_OK);
    expect_text(&world, "words");
    world_deinit(&world);
}

/* ---- reals ---------------------------------------------------------------------------------- */

static void expect_increment_real(struct world *world, real_t by, const char *text)
{
    char copy[REAL_TEXT_MAX];
    struct step step = {.real_by = by, .copy = copy};
    assert_int_equal(in_txn(world, increment_real, &step), STATUS_OK);
    assert_string_equal(copy, text);
    expect_text(world, text);
}

/* Three nodes have counted apart, on a base that the third one has set without seeing them. */
static void test_concurrent_reals(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    struct row row;
    row_init(&row);
    row_increment_real(&row, (struct dot){actor_of(2, 1), 5}, 0.5, &world.arena);
    row_increment(&row, (struct dot){actor_of(2, 1), 6}, 3, &world.arena);
    row_increment_real(&row, (struct dot){actor_of(3, 1), 7}, 0.25, &world.arena);
    row_write_context(&row, (struct dot){actor_of(4, 1), 8}, VALUE_STRING, BYTES("1.5"),
                      EXPIRY_NEVER, &(struct vector){0}, &(struct increments){0}, &world.arena);
    put_row(&world, &row);
    expect_text(&world, "5.25");
    expect_increment_real(&world, -0.25, "5");
    struct step step = {.by = 1};
    assert_int_equal(in_txn(&world, increment, &step), STATUS_OK);
    assert_true(step.sum == 6);
    expect_text(&world, "6");
    expect_increment_real(&world, 0.125, "6.125");
    assert_int_equal(in_txn(&world, increment, &step), STATUS_NOT_INTEGER);
    world_deinit(&world);
}

/* However large an actor's sum has become, its integers stay exact. */
static void test_reals_leave_integers_exact(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    struct row row;
    row_init(&row);
    row_increment(&row, (struct dot){actor_of(1, 1), 5}, (__int128)1 << 120, &world.arena);
    row_write(&row, (struct dot){actor_of(1, 1), 6}, VALUE_STRING, BYTES("9007199254740993"),
              EXPIRY_NEVER, false, &world.arena);
    put_row(&world, &row);
    expect_increment_real(&world, 0.125, "9007199254740993.125");
    expect_increment_real(&world, -0.125, "9007199254740993");
    struct step step = {.by = 2};
    assert_int_equal(in_txn(&world, increment, &step), STATUS_OK);
    expect_text(&world, "9007199254740995");
    world_deinit(&world);
}

/*
 * What sums of reals cannot hold becomes the base; what another node has added meanwhile counts
 * on top.
 */
static void test_what_is_told_counts(void **state)
{
    (void)state;
    struct world world;
    struct arena arena;
    struct row other, row, merged;
    world_init(&world, false);
    arena_init(&arena);
    struct step step = {.value = BYTES("0x1p120"), .at_ms = 5000};
    assert_int_equal(in_txn(&world, set, &step), STATUS_OK);
    expect_increment_real(&world, -0x1p120, "0");
    struct bytes name = row_key_head(&arena, 0, BYTES("key"));
    struct bytes held = arena_copy(&arena, fake_store_row(&world.store, name));
    assert_int_equal(row_decode(held, &arena, &other), STATUS_OK);
    row_increment_real(&other, (struct dot){actor_of(9, 1), row_newest_time(&other) + 100}, 0.5,
                       &arena);
    expect_increment_real(&world, 0.125, "0.125");
    held = fake_store_row(&world.store, name);
    assert_int_equal(row_decode(held, &arena, &row), STATUS_OK);
    assert_true(bytes_equal(row.siblings[0].value, BYTES("0.125")));
    assert_int_equal(row.expiries[0].at_ms, 5000);
    row_merge(&row, &other, NULL, &arena, &merged);
    put_row(&world, &merged);
    expect_text(&world, "0.625");
    arena_deinit(&arena);
    world_deinit(&world);
}

/* A peer's row may come to anything: it is read, and a client may go on from there. */
static void test_reals_at_the_end_of_numbers(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false);
    real_t last;
    assert_true(real_parse(BYTES("1.18973149535723176502e4932"), &last));
    struct row row;
    row_init(&row);
    row_increment_real(&row, (struct dot){actor_of(1, 1), 5}, last, &world.arena);
    row_increment_real(&row, (struct dot){actor_of(2, 1), 6}, last, &world.arena);
    put_row(&world, &row);
    struct step step = {.real_by = last};
    assert_int_equal(in_txn(&world, increment_real, &step), STATUS_NOT_FINITE);
    expect_increment_real(&world, -last, "0");
    expect_increment_real(&world, 0.25, "0.25");
    world_deinit(&world);
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* Puts the pages together. */
static enum status read_pages(struct world *world, void *argument)
{
    struct step *step = argument;
    struct string_pages pages;
    enum status status = string_pages(&world->head, &pages);
    if (status != STATUS_OK)
        return status;
    step->length = pages.length;
    memset(step->copy, 0, MODEL_MAX);
    bool cold = false;
    for (uint64_t i = 0; i * STRING_PAGE_SIZE < step->size; i++) {
        struct bytes page;
        status = string_page(&pages, i, &page);
        cold = cold || status == STATUS_COLD;
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        if (status != STATUS_OK)
            continue;
        assert_true(page.size <= STRING_PAGE_SIZE);
        assert_true(page.size == 0 || i * STRING_PAGE_SIZE + page.size <= pages.length);
        memcpy(step->copy + i * STRING_PAGE_SIZE, page.data, page.size);
    }
    struct bytes far_behind = BYTES("?");
    assert_int_equal(string_page(&pages, UINT64_MAX, &far_behind), STATUS_OK);
    assert_int_equal(far_behind.size, 0);
    return cold ? STATUS_COLD : STATUS_OK;
}

static const char *const filling = "0123456789abcdef";

static enum status set_parts(struct world *world, void *argument)
{
    struct step *step = argument;
    struct string_part parts[] = {
        {0, bytes_of(filling, 10)},
        {STRING_PAGE_SIZE, bytes_of(filling, 3)},
        {step->size - 2, bytes_of(filling, 2)},
    };
    return string_set_parts(&world->head, step->size, parts, 3, step->at_ms, step->keep);
}

static void test_pages_and_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {4099, 8192, 8193, 16383, 16384, 16385, 20000, BIG};
    char *copy = memory_alloc(MODEL_MAX);
    char *expected = memory_alloc(MODEL_MAX);
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct world world;
        struct step step = {.size = sizes[i / 2], .copy = copy, .at_ms = 5000};
        world_init(&world, i % 2);
        memset(expected, 0, MODEL_MAX);
        memcpy(expected, filling, 10);
        memcpy(expected + STRING_PAGE_SIZE, filling, 3);
        memcpy(expected + step.size - 2, filling, 2);
        assert_int_equal(in_txn(&world, set_parts, &step), STATUS_OK);
        step.at_ms = EXPIRY_NEVER;
        step.keep = true;
        assert_int_equal(in_txn(&world, set_parts, &step), STATUS_OK);
        assert_int_equal(world.head.at_ms, 5000);
        assert_int_equal(in_txn(&world, read_pages, &step), STATUS_OK);
        assert_true(world.runs <= 3);
        assert_int_equal(step.length, step.size);
        assert_memory_equal(copy, expected, step.size);
        assert_int_equal(in_txn(&world, read_value, &step), STATUS_OK);
        assert_int_equal(step.length, step.size);
        assert_memory_equal(copy, expected, step.size);
        world_deinit(&world);
    }
    memory_free(copy);
    memory_free(expected);
}

/* A key of half a megabyte has room for a few thousand chunks, not for a hundred thousand. */
static enum status far_under_a_long_key(struct world *world, void *argument)
{
    struct step *step = argument;
    char *key = arena_alloc(&world->arena, KEY_SIZE_MAX);
    memset(key, 'k', KEY_SIZE_MAX);
    enum status status = cell_find_head(&world->txn, 0, bytes_of(key, KEY_SIZE_MAX), &world->head);
    if (status != STATUS_OK)
        return status;
    return string_overwrite(&world->head, step->offset, BYTES("x"), &step->length);
}

static void test_long_keys_have_shorter_strings(void **state)
{
    (void)state;
    struct world world;
    struct step step = {.offset = 8 * 1000 * 1000};
    world_init(&world, true);
    assert_int_equal(in_txn(&world, far_under_a_long_key, &step), STATUS_OK);
    step.offset = 9 * 1000 * 1000;
    assert_int_equal(in_txn(&world, far_under_a_long_key, &step), STATUS_TOO_BIG);
    world_deinit(&world);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void put_head(struct world *world, struct bytes chunked)
{
    struct dot dot = {actor_of(1, 1), 5};
    struct bytes row = row_encode_common(&world->arena, dot, VALUE_CHUNKED, chunked, EXPIRY_NEVER);
    fake_store_put(&world->store, row_key_head(&world->arena, 0, BYTES("key")), row);
}

static void test_damaged(void **state)
{
    (void)state;
    char copy[64];
    struct dot dot = {actor_of(1, 1), 5};
    struct step step = {.value = BYTES("x"), .copy = copy};
    struct world world;
    world_init(&world, false);
    static const struct bytes damaged[] = {
        {"", 0},
        {"0123456789abcdef", 16},                     /* no length */
        {"0123456789abcdef\x01!", 18},                /* something behind it */
        {"0123456789abcdef\x81\x80\x80\x80\x02", 21}, /* one byte too long */
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        put_head(&world, damaged[i]);
        assert_int_equal(in_txn(&world, read_value, &step), STATUS_CORRUPT);
        assert_int_equal(in_txn(&world, overwrite, &step), STATUS_CORRUPT);
        assert_int_equal(in_txn(&world, append, &step), STATUS_CORRUPT);
    }
    struct bytes head = row_key_head(&world.arena, 0, BYTES("key"));
    put_head(&world, chunked_pack(&world.arena, (struct chunked){dot, 10}));
    fake_store_put(&world.store, row_key_chunk(&world.arena, head, dot, 0),
                   row_encode_common(&world.arena, dot, VALUE_STRING, BYTES("?"), EXPIRY_NEVER));
    assert_int_equal(in_txn(&world, read_value, &step), STATUS_CORRUPT);
    assert_int_equal(in_txn(&world, overwrite, &step), STATUS_CORRUPT);
    world_deinit(&world);
}

static void test_chunked_packs(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct chunked in = {{actor_of(77, 3), (uint64_t)1 << 60}, STRING_SIZE_MAX};
    struct chunked out;
    assert_true(chunked_unpack(chunked_pack(&arena, in), &out));
    assert_true(dot_equal(in.base, out.base));
    assert_int_equal(in.length, out.length);
    in.length++;
    assert_false(chunked_unpack(chunked_pack(&arena, in), &out));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_inline_up_to_the_limit),
        cmocka_unit_test(test_a_change_writes_only_what_it_touches),
        cmocka_unit_test(test_reading_a_part_reads_its_chunks),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_concurrent_increments),
        cmocka_unit_test(test_sums_at_their_limits),
        cmocka_unit_test(test_increments_on_a_word),
        cmocka_unit_test(test_concurrent_reals),
        cmocka_unit_test(test_reals_leave_integers_exact),
        cmocka_unit_test(test_what_is_told_counts),
        cmocka_unit_test(test_reals_at_the_end_of_numbers),
        cmocka_unit_test(test_pages_and_parts),
        cmocka_unit_test(test_long_keys_have_shorter_strings),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_chunked_packs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
