/* SPDX-License-Identifier: MIT */
/*
 * The merge as a property, on random histories: a few replicas of one row with all events,
 * contexts, crashes that lose the newest events (the replica goes on as a new actor), and merges in
 * any order. Beside each row goes a ghost: the set of events that it has truly seen. An oracle says
 * from ghosts alone, never from the rows' vectors, what must be read. In half of the histories what
 * all replicas hold becomes stable and is dropped from the rows.
 *
 * test_row_merge [SEED]   replays the one history that a failure names
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/clock.h"
#include "row/row.h"

enum {
    HISTORIES = 20000,
    STEPS = 40,
    HAPPENINGS_MAX = 64, /* bits in a ghost */
    REPLICAS_MAX = 4,
    ACTORS_MAX = REPLICAS_MAX + STEPS,
    CONTEXTS = 4,
    VALUE_SIZE = 4,
};

typedef uint64_t ghost_t; /* bit i: has seen happening i */

enum kind {
    WRITE,
    WRITE_KEEP,
    WRITE_CONTEXT,
    DELETE,
    DELETE_CONTEXT,
    INCREMENT,
    INCREMENT_REAL,
    EXPIRE
};

struct happening {
    enum kind kind;
    struct dot dot;
    ghost_t seen;         /* by whoever did it: what it supersedes or remembers */
    ghost_t seen_entries; /* of expiry: what it supersedes */
    enum value_form form;
    char value[VALUE_SIZE];
    int by; /* of reals, eighths: so that any order gives the same sum */
    uint64_t at_ms;
};

struct replica {
    actor_t actor;
    struct clock clock;
    struct bytes row;
    ghost_t ghost;
    struct bytes saved_row; /* what a crash goes back to */
    ghost_t saved_ghost;
};

struct context {
    struct vector vector;
    struct increments added;
    ghost_t ghost;
};

struct world {
    uint64_t seed;
    struct random random;
    struct arena arena;
    struct replica replicas[REPLICAS_MAX];
    unsigned replica_count;
    struct happening happenings[HAPPENINGS_MAX];
    unsigned happening_count;
    struct context contexts[CONTEXTS]; /* the first stays empty: "I have seen nothing" */
    bool stabilizes;
    struct dot stable_dots[ACTORS_MAX];
    struct vector stable;
    ghost_t stable_ghost;
};

#define expect(world, condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("history %llu, line %d: %s; replay: test_row_merge %llu",                     \
                     (unsigned long long)(world)->seed, __LINE__, #condition,                      \
                     (unsigned long long)(world)->seed);                                           \
    } while (0)

static uint64_t draw(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

static struct row decoded(struct world *world, struct bytes bytes)
{
    struct row row;
    expect(world, row_decode(bytes, &world->arena, &row) == STATUS_OK);
    return row;
}

/* The encoding, after a round trip. */
static struct bytes encoded(struct world *world, const struct row *row)
{
    struct bytes bytes = row_encode(row, &world->arena);
    struct row again = decoded(world, bytes);
    row_canonical(&again, NULL);
    expect(world, bytes_equal(row_encode(&again, &world->arena), bytes));
    return bytes;
}

static struct bytes canonical(struct world *world, struct bytes bytes)
{
    struct row row = decoded(world, bytes);
    row_canonical(&row, &world->stable);
    return encoded(world, &row);
}

static struct bytes merged(struct world *world, struct bytes x, struct bytes y)
{
    struct row a = decoded(world, x), b = decoded(world, y), row;
    row_merge(&a, &b, &world->stable, &world->arena, &row);
    return encoded(world, &row);
}

/* ---- the oracle ----------------------------------------------------------------------------- */

static bool is_write(enum kind kind)
{
    return kind == WRITE || kind == WRITE_KEEP || kind == WRITE_CONTEXT;
}

static bool is_delete(enum kind kind)
{
    return kind == DELETE || kind == DELETE_CONTEXT;
}

static bool has_context(enum kind kind)
{
    return kind == WRITE_CONTEXT || kind == DELETE_CONTEXT;
}

static bool supersedes_siblings(enum kind kind)
{
    return is_write(kind) || is_delete(kind);
}

static bool sets_expiry(enum kind kind)
{
    return kind == WRITE || kind == WRITE_CONTEXT || kind == EXPIRE;
}

static bool supersedes_expiry(enum kind kind)
{
    return sets_expiry(kind) || is_delete(kind);
}

/* The known happenings of the one sort that none of the other sort had seen. */
static ghost_t left_of(const struct world *world, ghost_t known, bool (*made)(enum kind),
                       bool (*supersedes)(enum kind))
{
    ghost_t left = 0, superseded = 0;
    for (unsigned i = 0; i < world->happening_count; i++) {
        const struct happening *happening = &world->happenings[i];
        if (!(known >> i & 1))
            continue;
        if (made(happening->kind))
            left |= (ghost_t)1 << i;
        if (supersedes(happening->kind))
            superseded |= made == sets_expiry ? happening->seen_entries : happening->seen;
    }
    return left & ~superseded;
}

static const struct happening *newest_of(const struct world *world, ghost_t set)
{
    const struct happening *newest = NULL;
    for (unsigned i = 0; i < world->happening_count; i++)
        if ((set >> i & 1) && (!newest || dot_compare(world->happenings[i].dot, newest->dot) > 0))
            newest = &world->happenings[i];
    return newest;
}

static bool is_increment(enum kind kind)
{
    return kind == INCREMENT || kind == INCREMENT_REAL;
}

static struct row_view oracle(const struct world *world, ghost_t known,
                              const struct happening **out_newest)
{
    const struct happening *newest =
        newest_of(world, left_of(world, known, is_write, supersedes_siblings));
    ghost_t unseen =
        newest ? known & ~newest->seen : left_of(world, known, is_increment, is_delete);
    struct row_view view = {.at_ms = 0};
    for (unsigned i = 0; i < world->happening_count; i++)
        if ((unseen >> i & 1) && is_increment(world->happenings[i].kind)) {
            if (world->happenings[i].kind == INCREMENT)
                view.sum += world->happenings[i].by;
            else
                view.real += world->happenings[i].by / 8.0;
            view.exists = true;
        }
    view.exists = view.exists || newest;
    view.counted = !newest || view.sum != 0 || view.real != 0;
    ghost_t entries = left_of(world, known, sets_expiry, supersedes_expiry);
    for (unsigned i = 0; i < world->happening_count; i++)
        if ((entries >> i & 1) && world->happenings[i].at_ms > view.at_ms)
            view.at_ms = world->happenings[i].at_ms;
    if (!entries)
        view.at_ms = EXPIRY_NEVER;
    *out_newest = newest;
    return view;
}

static const struct happening *happening_of(struct world *world, ghost_t set, struct dot dot)
{
    for (unsigned i = 0; i < world->happening_count; i++)
        if ((set >> i & 1) && dot_equal(world->happenings[i].dot, dot))
            return &world->happenings[i];
    expect(world, !"a dot that should not be there");
    return NULL;
}

static bool is_sibling_of(const struct sibling *sibling, const struct happening *happening)
{
    return dot_equal(sibling->dot, happening->dot) && sibling->form == happening->form &&
           bytes_equal(sibling->value, bytes_of(happening->value, VALUE_SIZE));
}

static void expect_reads(struct world *world, struct bytes bytes, ghost_t known)
{
    struct row row = decoded(world, bytes);
    ghost_t siblings = left_of(world, known, is_write, supersedes_siblings);
    expect(world, row.sibling_count == (unsigned)__builtin_popcountll(siblings));
    for (unsigned i = 0; i < row.sibling_count; i++)
        expect(world,
               is_sibling_of(&row.siblings[i], happening_of(world, siblings, row.siblings[i].dot)));
    ghost_t entries = left_of(world, known, sets_expiry, supersedes_expiry);
    expect(world, row.expiry_count == (unsigned)__builtin_popcountll(entries));
    for (unsigned i = 0; i < row.expiry_count; i++)
        expect(world,
               row.expiries[i].at_ms == happening_of(world, entries, row.expiries[i].dot)->at_ms);
    const struct happening *newest;
    struct row_view view, wanted = oracle(world, known, &newest);
    row_read(&row, &view);
    expect(world, view.exists == wanted.exists);
    expect(world, view.sum == wanted.sum);
    expect(world, view.real == wanted.real);
    expect(world, view.counted == wanted.counted);
    expect(world, view.at_ms == wanted.at_ms);
    expect(world, !view.sibling == !newest);
    expect(world, !newest || is_sibling_of(view.sibling, newest));
}

/* ---- what happens --------------------------------------------------------------------------- */

/* Where a delete leaves nothing, it also ends the times that were set for what it had not seen. */
static void see_orphans(struct world *world, struct replica *replica, struct happening *delete)
{
    const struct happening *newest;
    if (!oracle(world, replica->ghost, &newest).exists)
        delete->seen_entries = replica->ghost;
}

static struct happening *new_happening(struct world *world, struct replica *replica, enum kind kind,
                                       const struct row *row, const struct context *context)
{
    static const uint64_t times[] = {EXPIRY_NEVER, 0, 1, 1000, 2000};
    clock_see(&replica->clock, row_newest_time(row));
    for (uint32_t i = 0; i < context->vector.count; i++)
        clock_see(&replica->clock, context->vector.dots[i].time);
    uint64_t time = clock_next(&replica->clock, 0);
    if (draw(world, 2))
        time = clock_next(&replica->clock, 0);
    unsigned index = world->happening_count++;
    struct happening *happening = &world->happenings[index];
    *happening = (struct happening){
        .kind = kind,
        .dot = {replica->actor, time},
        .seen = has_context(kind) ? context->ghost : replica->ghost,
        .form = (enum value_form)draw(world, VALUE_FORMS),
        .by = (int)draw(world, 9) - 4,
        .at_ms = times[draw(world, sizeof(times) / sizeof(times[0]))],
    };
    snprintf(happening->value, VALUE_SIZE, "v%02u", index);
    happening->seen_entries = happening->seen;
    replica->ghost |= happening->seen | (ghost_t)1 << index;
    return happening;
}

static void happen(struct world *world, struct replica *replica, enum kind kind)
{
    struct arena *arena = &world->arena;
    const struct context *context = &world->contexts[has_context(kind) ? draw(world, CONTEXTS) : 0];
    struct row row = decoded(world, replica->row);
    struct happening *now = new_happening(world, replica, kind, &row, context);
    struct bytes value = bytes_of(now->value, VALUE_SIZE);
    if (kind == WRITE || kind == WRITE_KEEP)
        row_write(&row, now->dot, now->form, value, now->at_ms, kind == WRITE_KEEP, arena);
    else if (kind == WRITE_CONTEXT)
        row_write_context(&row, now->dot, now->form, value, now->at_ms, &context->vector,
                          &context->added, arena);
    else if (kind == DELETE_CONTEXT)
        row_delete_context(&row, now->dot, &context->vector, &context->added, arena);
    else if (kind == DELETE)
        row_delete(&row, now->dot, arena);
    else if (kind == INCREMENT)
        row_increment(&row, now->dot, now->by, arena);
    else if (kind == INCREMENT_REAL)
        row_increment_real(&row, now->dot, now->by / 8.0, arena);
    else
        row_expire(&row, now->dot, now->at_ms, arena);
    if (kind == DELETE_CONTEXT)
        see_orphans(world, replica, now);
    replica->row = encoded(world, &row);
}

static void learn(struct world *world, struct replica *replica, const struct replica *from)
{
    struct bytes bytes;
    expect(world, row_merge_bytes(replica->row, from->row, &world->stable, &world->arena, &bytes) ==
                      STATUS_OK);
    expect(world, bytes_equal(bytes, merged(world, replica->row, from->row)));
    if (bytes_equal(bytes, replica->row))
        expect(world, bytes.data == replica->row.data);
    replica->row = bytes;
    replica->ghost |= from->ghost;
}

/* VC.GET: what a client then has seen. What is stable need not be in it: no sibling stands for it.
 */
static void take_context(struct world *world, const struct replica *replica)
{
    struct context *context = &world->contexts[1 + draw(world, CONTEXTS - 1)];
    struct row row = decoded(world, replica->row);
    uint32_t most = row.vector.count + world->stable.count;
    context->vector.dots = arena_alloc(&world->arena, most * sizeof(struct dot));
    if (draw(world, 2))
        vector_join(&row.vector, &world->stable, &context->vector);
    else
        vector_join(&row.vector, &(struct vector){0}, &context->vector);
    context->added = row.added;
    context->ghost = replica->ghost;
}

/* Back to what was saved; as a new actor, because it may have forgotten events of its own. */
static void crash(struct world *world, struct replica *replica)
{
    if (world->stable_ghost & ~replica->saved_ghost)
        return; /* stable is only what all hold durably */
    replica->row = replica->saved_row;
    replica->ghost = replica->saved_ghost;
    replica->actor++;
}

static void save(struct replica *replica)
{
    replica->saved_row = replica->row;
    replica->saved_ghost = replica->ghost;
}

/* What all replicas hold becomes stable. */
static void stabilize(struct world *world)
{
    ghost_t all = ~(ghost_t)0;
    for (unsigned i = 0; i < world->replica_count; i++)
        all &= world->replicas[i].ghost;
    for (unsigned i = 0; i < world->happening_count; i++) {
        if (!(all >> i & 1))
            continue;
        struct vector old = {world->stable_dots, world->stable.count};
        struct dot joined[ACTORS_MAX];
        struct vector join = {joined, 0};
        vector_join(&old, &(struct vector){&world->happenings[i].dot, 1}, &join);
        memcpy(world->stable_dots, joined, join.count * sizeof(joined[0]));
        world->stable.count = join.count;
    }
    world->stable_ghost = all;
}

static void step(struct world *world)
{
    struct replica *replica = &world->replicas[draw(world, world->replica_count)];
    unsigned chance = (unsigned)draw(world, 100);
    if (chance < 10)
        happen(world, replica, INCREMENT);
    else if (chance < 18)
        happen(world, replica, INCREMENT_REAL);
    else if (chance < 28)
        happen(world, replica, WRITE);
    else if (chance < 33)
        happen(world, replica, WRITE_KEEP);
    else if (chance < 40)
        happen(world, replica, WRITE_CONTEXT);
    else if (chance < 43)
        happen(world, replica, DELETE_CONTEXT);
    else if (chance < 50)
        happen(world, replica, DELETE);
    else if (chance < 57)
        happen(world, replica, EXPIRE);
    else if (chance < 65)
        take_context(world, replica);
    else if (chance < 68)
        save(replica);
    else if (chance < 71)
        crash(world, replica);
    else if (chance < 76 && world->stabilizes)
        stabilize(world);
    else if (chance < 80 && world->stabilizes)
        replica->row = canonical(world, replica->row);
    else
        learn(world, replica, &world->replicas[draw(world, world->replica_count)]);
    expect_reads(world, replica->row, replica->ghost);
}

/* ---- what must hold ------------------------------------------------------------------------- */

static void expect_order_does_not_matter(struct world *world)
{
    const struct replica *replicas = world->replicas;
    for (unsigned i = 0; i < world->replica_count; i++) {
        struct bytes a = replicas[i].row;
        expect(world, bytes_equal(merged(world, a, a), canonical(world, a)));
        for (unsigned j = 0; j < world->replica_count; j++) {
            struct bytes b = replicas[j].row, ab = merged(world, a, b);
            expect(world, bytes_equal(ab, merged(world, b, a)));
            expect(world, bytes_equal(ab, merged(world, ab, a)));
            for (unsigned k = 0; k < world->replica_count; k++) {
                struct bytes c = replicas[k].row;
                expect(world,
                       bytes_equal(merged(world, ab, c), merged(world, a, merged(world, b, c))));
            }
        }
    }
}

static bool holds(const struct row *row, struct dot dot)
{
    for (unsigned i = 0; i < row->sibling_count; i++)
        if (dot_equal(row->siblings[i].dot, dot))
            return true;
    for (unsigned i = 0; i < row->expiry_count; i++)
        if (dot_equal(row->expiries[i].dot, dot))
            return true;
    return false;
}

/*
 * All learn all; then everything is stable, and vectors hold only what siblings and entries need.
 */
static void expect_converges(struct world *world)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < world->replica_count; i++)
            for (unsigned j = 0; j < world->replica_count; j++)
                learn(world, &world->replicas[i], &world->replicas[j]);
    struct replica *first = &world->replicas[0];
    for (unsigned i = 0; i < world->replica_count; i++)
        expect(world, bytes_equal(world->replicas[i].row, first->row));
    expect_reads(world, first->row, first->ghost);
    stabilize(world);
    struct bytes bytes = canonical(world, first->row);
    expect_reads(world, bytes, first->ghost);
    struct row row = decoded(world, bytes);
    for (unsigned i = 0; i < row.vector.count; i++)
        expect(world, holds(&row, row.vector.dots[i]));
}

static void run_history(struct world *world, uint64_t seed)
{
    struct arena arena = world->arena;
    arena_clear(&arena);
    *world = (struct world){.seed = seed, .random = {seed}, .arena = arena};
    world->stable.dots = world->stable_dots;
    world->replica_count = 3 + (unsigned)draw(world, 2);
    world->stabilizes = draw(world, 2);
    struct row nothing;
    row_init(&nothing);
    for (unsigned i = 0; i < world->replica_count; i++) {
        world->replicas[i] =
            (struct replica){.actor = actor_of(i + 1, 0), .row = encoded(world, &nothing)};
        save(&world->replicas[i]);
    }
    for (unsigned i = 0; i < STEPS; i++)
        step(world);
    expect_order_does_not_matter(world);
    expect_converges(world);
}

static uint64_t first_seed = 1;
static uint64_t last_seed = HISTORIES;

static void test_histories(void **state)
{
    (void)state;
    static struct world world;
    arena_init(&world.arena);
    for (uint64_t seed = first_seed; seed <= last_seed; seed++)
        run_history(&world, seed);
    arena_deinit(&world.arena);
}

/* ---- terms ----------------------------------------------------------------------------------- */

static struct row written(struct arena *arena, const struct row *before, struct dot dot,
                          uint64_t term, const char *value)
{
    struct row row = *before;
    row_write(&row, dot, VALUE_STRING, bytes_text(value), EXPIRY_NEVER, false, arena);
    if (term > 0)
        row_set_term(&row, term, arena);
    return row;
}

static void expect_merge(struct arena *arena, const struct row *a, const struct row *b,
                         const char *const *values, uint32_t count)
{
    for (int turned = 0; turned < 2; turned++) {
        struct bytes out;
        struct row row;
        struct bytes first = row_encode(turned ? b : a, arena);
        struct bytes second = row_encode(turned ? a : b, arena);
        assert_int_equal(row_merge_bytes(first, second, NULL, arena, &out), STATUS_OK);
        assert_int_equal(row_decode(out, arena, &row), STATUS_OK);
        assert_int_equal(row.sibling_count, count);
        for (uint32_t i = 0; i < count; i++)
            assert_true(bytes_equal(row.siblings[i].value, bytes_text(values[i])));
    }
}

/* Of one term as ever; of two the later row, though the other one's dot is newer; without a term a
 * row says nothing of others. */
static void test_of_two_terms_the_later_one_stays(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena);
    struct row none, base, cut_off, next, of_one_term, without, deleted;
    row_init(&none);
    base = written(&arena, &none, (struct dot){actor_of(1, 1), 1000}, 5, "base");
    cut_off = written(&arena, &base, (struct dot){actor_of(1, 1), 3000}, 5, "cut off");
    next = written(&arena, &base, (struct dot){actor_of(2, 1), 2000}, 6, "next");
    of_one_term = written(&arena, &base, (struct dot){actor_of(2, 1), 2000}, 5, "other");
    without = written(&arena, &none, (struct dot){actor_of(3, 1), 1500}, 0, "without");
    assert_int_equal(row_term(&next), 6);
    assert_int_equal(row_newest_time(&next), 2000);
    expect_merge(&arena, &cut_off, &next, (const char *[]){"next"}, 1);
    expect_merge(&arena, &cut_off, &of_one_term, (const char *[]){"other", "cut off"}, 2);
    expect_merge(&arena, &next, &without, (const char *[]){"without", "next"}, 2);
    deleted = base;
    row_delete(&deleted, (struct dot){actor_of(2, 1), 2000}, &arena);
    row_set_term(&deleted, 7, &arena);
    expect_merge(&arena, &cut_off, &deleted, NULL, 0);
    row_set_term(&deleted, 6, &arena); /* it never goes back */
    assert_int_equal(row_term(&deleted), 7);
    arena_deinit(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = last_seed = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories),
                                       cmocka_unit_test(test_of_two_terms_the_later_one_stays)};
    return cmocka_run_group_tests_name("row_merge", tests, NULL, NULL);
}
