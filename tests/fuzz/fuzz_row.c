/* SPDX-License-Identifier: MIT */
/*
 * Rows: decoding, encoding, merging. An input that begins with 'r' holds two rows (each its size in
 * two bytes, then its bytes) and a stable vector (bytes: an actor and a time in turn); any other is
 * a history of three copies of a row, three bytes a step, and then what of the first copy's bytes
 * is changed.
 */
#include <string.h>

#include "base/memory.h"
#include "base/pack.h"
#include "fuzz/fuzz.h"
#include "row/row.h"

enum { COPIES = 3, STEPS_MAX = 200, STABLE_MAX = 8 };

/* ---- one row --------------------------------------------------------------------------------- */

/* The common row in the general form, which is for all others: one row has one encoding. */
static void check_refused(const struct sibling *sibling, uint64_t at_ms, struct arena *arena)
{
    enum { AROUND = 128 };
    struct row row;
    char *start = arena_alloc(arena, sibling->value.size + AROUND), *out = start;
    struct dot dot = sibling->dot;
    *out++ = 0;
    *out++ = 1;
    out = pack_u64(pack_u64(out, dot.actor), dot.time);
    *out++ = 1;
    out = pack_u64(pack_u64(out, dot.actor), dot.time);
    *out++ = (char)sibling->form;
    *out++ = 0;
    out = pack_varint(out, sibling->value.size);
    memcpy(out, sibling->value.data, sibling->value.size);
    out += sibling->value.size;
    *out++ = 1;
    out = pack_varint(pack_u64(pack_u64(out, dot.actor), dot.time), at_ms + 1);
    *out++ = 0;
    *out++ = 0;
    check(row_decode(bytes_of(start, (size_t)(out - start)), arena, &row) == STATUS_CORRUPT);
}

static void check_peek(struct bytes bytes, bool decoded, const struct row *row, struct arena *arena)
{
    struct sibling sibling;
    uint64_t at_ms;
    bool common = bytes.size > 0 && (bytes.data[0] & 0x80) != 0;
    bool peeked = row_peek(bytes, &sibling, &at_ms);
    check(peeked == (common && decoded));
    if (!peeked)
        return;
    check(row->sibling_count == 1 && row->expiry_count == 1 && row->vector.count == 1);
    check(dot_equal(sibling.dot, row->siblings[0].dot) && sibling.form == row->siblings[0].form);
    check(bytes_equal(sibling.value, row->siblings[0].value));
    check(at_ms == row->expiries[0].at_ms);
    check_refused(&sibling, at_ms, arena);
}

/* What decodes is the one encoding of what it means. */
static bool decode(struct bytes bytes, struct arena *arena, struct row *out)
{
    bool decoded = row_decode(bytes, arena, out) == STATUS_OK;
    check_peek(bytes, decoded, out, arena);
    if (!decoded)
        return false;
    struct row_view view;
    check(bytes_equal(row_encode(out, arena), bytes));
    row_read(out, &view);
    check(row_is_live(out, 0) == view.exists);
    check(view.sibling == NULL || view.sibling == &out->siblings[out->sibling_count - 1]);
    return true;
}

/* A copy of exactly that size: whoever reads further is found out. */
static void check_copy(struct bytes bytes, struct arena *arena)
{
    struct row row;
    char *copy = memory_alloc(bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    decode(bytes_of(copy, bytes.size), arena, &row);
    memory_free(copy);
}

/* ---- two rows -------------------------------------------------------------------------------- */

static bool increments_contradict(const struct increments *a, const struct increments *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++)
            if (a->items[i].actor == b->items[j].actor && a->items[i].time == b->items[j].time &&
                a->items[i].sum != b->items[j].sum)
                return true;
    return false;
}

static bool increments_equal(const struct increments *a, const struct increments *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->items[i].actor != b->items[i].actor || a->items[i].time != b->items[i].time ||
            a->items[i].sum != b->items[i].sum)
            return false;
    return true;
}

/* Whether an actor says one thing in one row and another in the other: no history does (rule 1).
 * What they merge to is promised only where nothing is stable. */
static bool contradict(const struct row *a, const struct row *b)
{
    for (uint32_t i = 0; i < a->sibling_count; i++)
        for (uint32_t j = 0; j < b->sibling_count; j++) {
            const struct sibling *x = &a->siblings[i], *y = &b->siblings[j];
            if (dot_equal(x->dot, y->dot) &&
                !(x->form == y->form && bytes_equal(x->value, y->value) &&
                  increments_equal(&x->remembered, &y->remembered)))
                return true;
        }
    for (uint32_t i = 0; i < a->expiry_count; i++)
        for (uint32_t j = 0; j < b->expiry_count; j++)
            if (dot_equal(a->expiries[i].dot, b->expiries[j].dot) &&
                a->expiries[i].at_ms != b->expiries[j].at_ms)
                return true;
    return increments_contradict(&a->added, &b->added) ||
           increments_contradict(&a->removed, &b->removed);
}

static enum status merge(struct bytes a, struct bytes b, const struct vector *stable,
                         struct arena *arena, struct bytes *out)
{
    struct row row;
    enum status status = row_merge_bytes(a, b, stable, arena, out);
    check(status == STATUS_OK || status == STATUS_TOO_BIG);
    if (status == STATUS_OK)
        check(decode(*out, arena, &row));
    return status;
}

/* The quick ways of row_merge_bytes come to the same as decoding, merging, encoding. */
static void check_merge(struct bytes a, struct bytes b, const struct vector *stable,
                        struct arena *arena)
{
    struct row row_a, row_b, merged;
    struct bytes ab, ba, again;
    if (!decode(a, arena, &row_a) || !decode(b, arena, &row_b) ||
        (stable && contradict(&row_a, &row_b)))
        return;
    row_merge(&row_a, &row_b, stable, arena, &merged);
    enum status status = merge(a, b, stable, arena, &ab);
    check(merge(b, a, stable, arena, &ba) == status);
    if (status != STATUS_OK)
        return;
    check(bytes_equal(ab, ba));
    check(bytes_equal(row_encode(&merged, arena), ab));
    check(merge(ab, b, stable, arena, &again) == STATUS_OK && bytes_equal(again, ab));
    check(merge(a, ab, stable, arena, &again) == STATUS_OK && bytes_equal(again, ab));
    check(merge(ab, ab, stable, arena, &again) == STATUS_OK && bytes_equal(again, ab));
}

static void check_two(struct bytes input, struct arena *arena)
{
    struct row row;
    struct dot dots[STABLE_MAX];
    struct vector stable = {dots, 0};
    struct bytes a = fuzz_take_part(&input);
    struct bytes b = fuzz_take_part(&input);
    check_copy(a, arena);
    check_copy(b, arena);
    struct bytes garbage;
    if (row_decode(a, arena, &row) != STATUS_OK && row_decode(b, arena, &row) != STATUS_OK)
        check(row_merge_bytes(a, b, NULL, arena, &garbage) == STATUS_CORRUPT);
    check_merge(a, a, NULL, arena);
    check_merge(a, b, NULL, arena);
    while (input.size >= 2 && stable.count < STABLE_MAX) {
        struct dot dot = {fuzz_take_u8(&input), fuzz_take_u8(&input)};
        if (dot.time > 0 && (stable.count == 0 || dots[stable.count - 1].actor < dot.actor))
            dots[stable.count++] = dot;
    }
    check_merge(a, b, &stable, arena);
}

/* ---- histories ------------------------------------------------------------------------------- */

struct world {
    struct arena *arena;
    struct row copies[COPIES];
    uint64_t now;
};

static void step(struct world *world, uint8_t what, uint8_t argument, uint8_t value)
{
    static const char text[] = "0123456789";
    struct row *row = &world->copies[what % COPIES];
    actor_t actor = 1 + what % COPIES;
    struct dot dot = {actor, ++world->now};
    uint64_t at_ms = argument & 1 ? value : EXPIRY_NEVER;
    struct bytes bytes = bytes_of(text, value % sizeof(text));
    struct row other;
    switch (what / COPIES % 6) {
    case 0:
        row_write(row, dot, argument % VALUE_FORMS, bytes, at_ms, argument & 0x80, world->arena);
        break;
    case 1:
        row_delete(row, dot, world->arena);
        break;
    case 2:
        row_increment(row, dot, (int8_t)value * ((__int128)1 << (argument % 100)), world->arena);
        break;
    case 3:
        row_expire(row, dot, at_ms, world->arena);
        break;
    case 4: { /* with what another copy holds as its context */
        const struct row *seen = &world->copies[value % COPIES];
        row_write_context(row, dot, VALUE_STRING, bytes, at_ms, &seen->vector, &seen->added,
                          world->arena);
        break;
    }
    default:
        other = world->copies[value % COPIES];
        row_merge(row, &other, NULL, world->arena, row);
    }
}

static void check_histories(struct bytes input, struct arena *arena)
{
    struct world world = {.arena = arena};
    struct bytes encoded[COPIES], left, right, rest;
    struct row row;
    for (unsigned i = 0; i < COPIES; i++)
        row_init(&world.copies[i]);
    struct bytes steps = fuzz_take_part(&input);
    for (unsigned i = 0; steps.size >= 3 && i < STEPS_MAX; i++) {
        uint8_t what = fuzz_take_u8(&steps), argument = fuzz_take_u8(&steps);
        step(&world, what, argument, fuzz_take_u8(&steps));
        check(decode(row_encode(&world.copies[what % COPIES], arena), arena, &row));
    }
    for (unsigned i = 0; i < COPIES; i++)
        encoded[i] = row_encode(&world.copies[i], arena);
    for (unsigned i = 0; i < COPIES; i++)
        check_merge(encoded[i], encoded[(i + 1) % COPIES], NULL, arena);
    check(merge(encoded[0], encoded[1], NULL, arena, &left) == STATUS_OK);
    check(merge(left, encoded[2], NULL, arena, &left) == STATUS_OK);
    check(merge(encoded[1], encoded[2], NULL, arena, &right) == STATUS_OK);
    check(merge(encoded[0], right, NULL, arena, &right) == STATUS_OK);
    check(bytes_equal(left, right));
    rest = arena_copy(arena, left);
    while (input.size >= 2) {
        size_t at = fuzz_take_u8(&input) % rest.size;
        ((char *)rest.data)[at] ^= (char)fuzz_take_u8(&input);
        check_copy(rest, arena);
        check_copy(bytes_of(rest.data, at), arena);
        check_merge(rest, encoded[0], NULL, arena);
    }
}

void fuzz_one(struct bytes input)
{
    struct arena arena;
    arena_init(&arena);
    if (fuzz_take_u8(&input) == 'r')
        check_two(input, &arena);
    else
        check_histories(input, &arena);
    arena_deinit(&arena);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static char *add_part(char *out, struct bytes part)
{
    *out++ = (char)(part.size >> 8);
    *out++ = (char)part.size;
    memcpy(out, part.data, part.size);
    return out + part.size;
}

/* The rows that a history comes to, two by two. */
static void seed_rows(fuzz_seed seed, void *context, struct bytes steps)
{
    static const char stable[] = {1, 2, 2, 3};
    struct arena arena;
    arena_init(&arena);
    struct world world = {.arena = &arena};
    for (unsigned i = 0; i < COPIES; i++)
        row_init(&world.copies[i]);
    while (steps.size >= 3) {
        uint8_t what = fuzz_take_u8(&steps), argument = fuzz_take_u8(&steps);
        step(&world, what, argument, fuzz_take_u8(&steps));
    }
    struct bytes a = row_encode(&world.copies[0], &arena);
    struct bytes b = row_encode(&world.copies[1], &arena);
    char *input = arena_alloc(&arena, 5 + a.size + b.size + sizeof(stable));
    input[0] = 'r';
    char *out = add_part(add_part(input + 1, a), b);
    seed(context, bytes_of(input, (size_t)(out - input)));
    memcpy(out, stable, sizeof(stable));
    seed(context, bytes_of(input, (size_t)(out - input) + sizeof(stable)));
    arena_deinit(&arena);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    /* What is done, to which copy; the rest of a step says how. */
    enum { WRITE = 0, DELETE = 3, INCREMENT = 6, EXPIRE = 9, CONTEXT = 12, MERGE = 15 };
    static const char histories[][15] = {
        {WRITE, 0, 3, WRITE + 1, 1, 9},
        {WRITE, 0, 3, MERGE + 1, 0, 0, EXPIRE, 1, 20, DELETE + 1, 0, 0, WRITE + 2, 0x80, 5},
        {INCREMENT, 0, 5, INCREMENT + 1, 90, -7, MERGE, 0, 1, WRITE, 0, 2, INCREMENT, 3, 1},
        {WRITE, 1, 3, CONTEXT + 1, 0, 0, WRITE + 2, 0, 4, MERGE, 0, 2, EXPIRE, 0, 0},
        {DELETE, 0, 0, INCREMENT + 1, 0, 1, MERGE, 0, 1, DELETE, 0, 0, WRITE + 1, 2, 8},
    };
    for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++) {
        char input[3 + sizeof(histories[0]) + 4] = {'h', 0, sizeof(histories[0])};
        memcpy(input + 3, histories[i], sizeof(histories[0]));
        memcpy(input + 3 + sizeof(histories[0]), "\x01\x01\x11\x80", 4);
        seed(context, bytes_of(input, sizeof(input)));
        seed_rows(seed, context, bytes_of(histories[i], sizeof(histories[0])));
    }
}
