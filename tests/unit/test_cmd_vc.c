/* SPDX-License-Identifier: MIT */
/*
 * Versions in the client's hand. Conversations; then random worlds of two stores that exchange
 * their rows, clients that hold contexts, and what each of these has seen, in sets of events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "doubles/talk.h"
#include "row/row.h"

#define INVALID "-ERR invalid context"
#define TOO_MANY                                                                                   \
    "-ERR too many concurrent values: read them with VC.GET, and write with its context"

enum { CONTEXT_MAX = 4096, REPLY_MAX = 256 * 1024 };

/* ---- reading replies ------------------------------------------------------------------------- */

/* The bulk string at *at, which moves behind it. */
static struct bytes next_bulk(const char **at)
{
    char *end;
    assert_int_equal(**at, '$');
    size_t size = strtoul(*at + 1, &end, 10);
    struct bytes bulk = bytes_of(end + 2, size);
    *at = end + 2 + size + 2;
    return bulk;
}

/* VC.GET: the context, as text; returns how many values there are, *out_rest stands at them. */
static unsigned get(struct talk *talk, const char *key, char context[CONTEXT_MAX],
                    const char **out_rest)
{
    char words[64];
    snprintf(words, sizeof(words), "VC.GET %s", key);
    const char *at = talk_say(talk, words);
    assert_int_equal(*at, '*');
    unsigned count = (unsigned)strtoul(at + 1, NULL, 10);
    at = strchr(at, '\n') + 1;
    struct bytes bulk = next_bulk(&at);
    assert_true(bulk.size < CONTEXT_MAX);
    memcpy(context, bulk.data, bulk.size);
    context[bulk.size] = '\0';
    *out_rest = at;
    return count - 1;
}

static void expect_values(struct talk *talk, const char *key, const char *wanted)
{
    char context[CONTEXT_MAX], found[1024] = "";
    const char *rest;
    unsigned count = get(talk, key, context, &rest);
    for (unsigned i = 0; i < count; i++) {
        struct bytes value = next_bulk(&rest);
        size_t size = strlen(found);
        snprintf(found + size, sizeof(found) - size, "%s%.*s", i > 0 ? " " : "", (int)value.size,
                 value.data);
    }
    assert_string_equal(found, wanted);
}

/* Says `words`, with "@" in the place of the context. */
static const char *say(struct talk *talk, const char *words, const char *context)
{
    static char whole[2 * CONTEXT_MAX];
    const char *at = strchr(words, '@');
    snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(at - words), words, *context ? context : "''",
             at + 1);
    return talk_say(talk, whole);
}

static void context_of(struct talk *talk, const char *key, char context[CONTEXT_MAX])
{
    const char *rest;
    (void)get(talk, key, context, &rest);
}

/* Each story twice: with rows in memory, and with each missed first. */
static void warm_and_cold(void (*story)(struct talk *talk))
{
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        story(&talk);
        talk_deinit(&talk);
    }
}

/* ---- stories --------------------------------------------------------------------------------- */

static void replace_what_was_seen(struct talk *talk)
{
    char first[CONTEXT_MAX], both[CONTEXT_MAX];
    talk_expect(talk, "VC.GET k", "*1\r\n$0\r\n");
    talk_expect(talk, "VC.SET k a ''", "+OK");
    context_of(talk, "k", first);
    assert_string_equal(say(talk, "VC.SET k b @", first), "+OK\r\n");
    expect_values(talk, "k", "b");
    assert_string_equal(say(talk, "VC.SET k c @", first), "+OK\r\n"); /* had not seen b */
    expect_values(talk, "k", "b c");
    talk_expect(talk, "GET k", "$1\r\nc");
    talk_expect(talk, "VC.SET k d ''", "+OK");
    expect_values(talk, "k", "b c d");
    context_of(talk, "k", both);
    assert_string_equal(say(talk, "VC.SET k e @", both), "+OK\r\n");
    expect_values(talk, "k", "e");
    talk_expect(talk, "SET k f", "+OK");
    expect_values(talk, "k", "f");
}

static void test_replaces_what_was_seen(void **state)
{
    (void)state;
    warm_and_cold(replace_what_was_seen);
}

static void delete_what_was_seen(struct talk *talk)
{
    char context[CONTEXT_MAX], all[CONTEXT_MAX];
    talk_expect(talk, "VC.DEL k ''", ":0");
    talk_expect(talk, "VC.SET k a ''", "+OK");
    talk_expect(talk, "VC.SET k b ''", "+OK");
    context_of(talk, "k", context);
    talk_expect(talk, "VC.SET k c ''", "+OK");
    talk_expect(talk, "VC.DEL k ''", ":0");
    assert_string_equal(say(talk, "VC.DEL k @", context), ":2\r\n");
    expect_values(talk, "k", "c");
    assert_string_equal(say(talk, "VC.DEL k @", context), ":0\r\n");
    context_of(talk, "k", all);
    assert_string_equal(say(talk, "VC.DEL k @", all), ":1\r\n");
    talk_expect(talk, "EXISTS k", ":0");
    context_of(talk, "k", all); /* it is known to have been deleted */
    assert_true(strlen(all) > 0);
    expect_values(talk, "k", "");
}

static void test_deletes_what_was_seen(void **state)
{
    (void)state;
    warm_and_cold(delete_what_was_seen);
}

static void count(struct talk *talk)
{
    char context[CONTEXT_MAX], later[CONTEXT_MAX];
    talk_expect(talk, "INCRBY n 5", ":5");
    expect_values(talk, "n", "5");
    context_of(talk, "n", context);
    talk_expect(talk, "INCRBY n 2", ":7");
    assert_string_equal(say(talk, "VC.SET n 100 @", context), "+OK\r\n");
    talk_expect(talk, "GET n", "$3\r\n102"); /* the 2 had not been seen */
    talk_expect(talk, "VC.SET n 200 ''", "+OK");
    expect_values(talk, "n", "102 207"); /* nothing had been seen by this one */
    context_of(talk, "n", later);
    talk_expect(talk, "INCR n", ":208");
    assert_string_equal(say(talk, "VC.DEL n @", later), ":2\r\n");
    talk_expect(talk, "GET n", "$1\r\n1");
    assert_string_equal(say(talk, "VC.DEL n @", later), ":0\r\n");
    context_of(talk, "n", later);
    assert_string_equal(say(talk, "VC.DEL n @", later), ":1\r\n");
    talk_expect(talk, "EXISTS n", ":0");
}

static void test_increments_count_unless_seen(void **state)
{
    (void)state;
    warm_and_cold(count);
}

static void live_for_a_time(struct talk *talk)
{
    char context[CONTEXT_MAX];
    talk_expect(talk, "VC.SET k a '' EX 10", "+OK");
    talk_expect(talk, "PTTL k", ":10000");
    talk_expect(talk, "VC.SET k b '' PX 500", "+OK");
    talk_expect(talk, "PTTL k", ":10000"); /* of concurrent ones the longer */
    context_of(talk, "k", context);
    assert_string_equal(say(talk, "VC.SET k c @ KEEPTTL", context), "+OK\r\n");
    talk_expect(talk, "PTTL k", ":10000");
    talk->now_ms += 10001;
    expect_values(talk, "k", "");
    talk_expect(talk, "VC.SET k d ''", "+OK"); /* c does not come back beside it */
    expect_values(talk, "k", "d");
    talk_expect(talk, "PTTL k", ":-1");
    talk_expect(talk, "VC.SET k e '' PXAT 2000000", "+OK");
    talk_expect(talk, "VC.SET x e '' EXAT 2000", "+OK");
    talk_expect(talk, "PEXPIRETIME x", ":2000000");
}

static void test_values_live_for_a_time(void **state)
{
    (void)state;
    warm_and_cold(live_for_a_time);
}

/* A time that was set for what is gone does not count for what comes. */
static void test_a_delete_ends_times_too(void **state)
{
    (void)state;
    struct talk talk;
    char context[CONTEXT_MAX];
    talk_init(&talk, false);
    talk_expect(&talk, "VC.SET k a ''", "+OK");
    context_of(&talk, "k", context);
    talk_expect(&talk, "PEXPIRE k 50000", ":1");
    assert_string_equal(say(&talk, "VC.DEL k @", context), ":1\r\n");
    talk_expect(&talk, "VC.SET k b '' PX 100", "+OK");
    talk_expect(&talk, "PTTL k", ":100");
    talk_deinit(&talk);
}

static void refuse(struct talk *talk)
{
    char context[CONTEXT_MAX], other[CONTEXT_MAX];
    talk_expect(talk, "VC.SET k a ''", "+OK");
    talk_expect(talk, "SET other a", "+OK");
    context_of(talk, "k", context);
    context_of(talk, "other", other);
    assert_string_equal(say(talk, "VC.SET k b @", other), INVALID "\r\n");
    assert_string_equal(say(talk, "VC.DEL k @", other), INVALID "\r\n");
    talk->db = 1;
    assert_string_equal(say(talk, "VC.SET k b @", context), INVALID "\r\n");
    talk->db = 0;
    talk_expect(talk, "VC.SET k b nonsense", INVALID);
    talk_expect(talk, "VC.SET k b 00", INVALID);
    talk_expect(talk, "VC.SET k b 000102030405060708090a0b0c0d0e0f", INVALID);
    talk_expect(talk, "VC.SET k b 000102030405060708090a0b0c0d0e0f00", INVALID);
    for (size_t i = 0; context[i]; i++) { /* each digit counts */
        char was = context[i];
        context[i] = was == '0' ? '1' : '0';
        assert_string_equal(say(talk, "VC.SET k b @", context), INVALID "\r\n");
        context[i] = 'A'; /* one text for one context */
        assert_string_equal(say(talk, "VC.SET k b @", context), INVALID "\r\n");
        context[i] = was;
    }
    context[strlen(context) - 1] = '\0';
    assert_string_equal(say(talk, "VC.SET k b @", context), INVALID "\r\n");
    talk_expect(talk, "VC.SET k b '' NX", "-ERR syntax error");
    talk_expect(talk, "VC.SET k b '' GET", "-ERR syntax error");
    talk_expect(talk, "VC.SET k b '' EX 1 KEEPTTL", "-ERR syntax error");
    talk_expect(talk, "VC.SET k b '' EX 0", "-ERR invalid expire time in 'vc.set' command");
    talk_expect(talk, "VC.SET k b '' EX x", "-ERR value is not an integer or out of range");
    expect_values(talk, "k", "a");
}

static void test_what_nobody_said_is_refused(void **state)
{
    (void)state;
    warm_and_cold(refuse);
}

static void test_concurrent_values_are_bounded(void **state)
{
    (void)state;
    struct talk talk;
    char context[CONTEXT_MAX];
    talk_init(&talk, false);
    for (int i = 0; i < ROW_COLLAPSE_ABOVE; i++)
        talk_expect(&talk, "VC.SET k v ''", "+OK");
    talk_expect(&talk, "VC.SET k v ''", TOO_MANY);
    context_of(&talk, "k", context);
    assert_string_equal(say(&talk, "VC.SET k all @", context), "+OK\r\n");
    expect_values(&talk, "k", "all");
    talk_deinit(&talk);
}

static struct bytes say_large(struct talk *talk, char fill, size_t size, const char *context)
{
    char *value = memory_alloc(size);
    memset(value, fill, size);
    struct bytes argv[] = {BYTES("VC.SET"), BYTES("k"), bytes_of(value, size), bytes_text(context)};
    struct bytes reply = talk_say_argv(talk, argv, 4);
    memory_free(value);
    return reply;
}

static void expect_filled(struct bytes value, char fill, size_t size)
{
    assert_int_equal(value.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(value.data[i], fill);
}

static void be_long(struct talk *talk)
{
    char context[CONTEXT_MAX];
    const char *rest;
    assert_true(bytes_equal(say_large(talk, 'a', 50000, ""), BYTES("+OK\r\n")));
    assert_true(bytes_equal(say_large(talk, 'b', 20000, ""), BYTES("+OK\r\n")));
    talk_expect(talk, "VC.SET k c ''", "+OK");
    assert_int_equal(get(talk, "k", context, &rest), 3);
    expect_filled(next_bulk(&rest), 'a', 50000);
    expect_filled(next_bulk(&rest), 'b', 20000);
    expect_filled(next_bulk(&rest), 'c', 1);
    assert_true(bytes_equal(say_large(talk, 'd', 30000, context), BYTES("+OK\r\n")));
    assert_int_equal(get(talk, "k", context, &rest), 1);
    expect_filled(next_bulk(&rest), 'd', 30000);
    talk_expect(talk, "STRLEN k", ":30000");
}

static void test_values_may_be_long(void **state)
{
    (void)state;
    warm_and_cold(be_long);
}

static void test_the_clock(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    talk_expect(&talk, "VC.CLOCK k", "*0");
    talk.store.actor = actor_of(0x123456789abc, 7);
    talk_expect(&talk, "SET k a", "+OK");
    const char *clock = talk_say(&talk, "VC.CLOCK k");
    assert_non_null(strstr(clock, "$40\r\n123456789abc"));
    assert_non_null(strstr(clock, "$5\r\nepoch\r\n:7\r\n"));
    assert_non_null(strstr(clock, "$7\r\ntime-ms\r\n:1000000\r\n"));
    talk.store.actor = actor_of(0x123456789abc, 8);
    talk_expect(&talk, "VC.SET k b ''", "+OK");
    clock = talk_say(&talk, "VC.CLOCK k");
    assert_memory_equal(clock, "*2\r\n", 4);
    talk_deinit(&talk);
}

/* ---- random worlds --------------------------------------------------------------------------- */

enum { WORLDS = 3000, STEPS = 40, EVENTS_MAX = 64, STORES = 2, CONTEXTS = 4 };

typedef uint64_t ghost_t; /* bit i: event i */

enum kind { SET, DELETE, ADD };

struct event {
    enum kind kind;
    ghost_t seen;
    int value; /* or what is added */
};

struct world {
    uint64_t seed;
    struct random random;
    struct talk talks[STORES];
    ghost_t known[STORES];
    struct event events[EVENTS_MAX];
    unsigned event_count;
    struct {
        char text[CONTEXT_MAX];
        ghost_t ghost;
    } contexts[CONTEXTS]; /* the first stays empty */
};

static uint64_t first_seed = 1, last_seed = WORLDS;

static uint64_t draw(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

/* What the known deletes and sets had seen is gone. */
static ghost_t superseded(const struct world *world, ghost_t known)
{
    ghost_t gone = 0;
    for (unsigned i = 0; i < world->event_count; i++)
        if ((known >> i & 1) && world->events[i].kind != ADD)
            gone |= world->events[i].seen;
    return gone;
}

static long sum_of(const struct world *world, ghost_t adds)
{
    long sum = 0;
    for (unsigned i = 0; i < world->event_count; i++)
        if ((adds >> i & 1) && world->events[i].kind == ADD)
            sum += world->events[i].value;
    return sum;
}

/* The values that a client is to see, in no order; returns how many. */
static unsigned oracle(const struct world *world, ghost_t known, long out[EVENTS_MAX])
{
    unsigned count = 0;
    ghost_t gone = superseded(world, known), deleted = 0;
    bool added = false;
    for (unsigned i = 0; i < world->event_count; i++) {
        const struct event *event = &world->events[i];
        if (!(known >> i & 1))
            continue;
        if (event->kind == SET && !(gone >> i & 1))
            out[count++] = event->value + sum_of(world, known & ~event->seen);
        if (event->kind == DELETE)
            deleted |= event->seen;
    }
    for (unsigned i = 0; i < world->event_count; i++)
        added |= (known & ~deleted) >> i & 1 && world->events[i].kind == ADD;
    if (count == 0 && added)
        out[count++] = sum_of(world, known & ~deleted);
    return count;
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return x < y ? -1 : x > y;
}

static void expect_as_known(struct world *world, unsigned store)
{
    char context[CONTEXT_MAX];
    const char *rest;
    long wanted[EVENTS_MAX], found[EVENTS_MAX];
    unsigned wanted_count = oracle(world, world->known[store], wanted);
    unsigned count = get(&world->talks[store], "k", context, &rest);
    if (count != wanted_count)
        fail_msg("world %llu: %u values, not %u; replay: test_cmd_vc %llu",
                 (unsigned long long)world->seed, count, wanted_count,
                 (unsigned long long)world->seed);
    for (unsigned i = 0; i < count; i++)
        found[i] = strtol(next_bulk(&rest).data, NULL, 10);
    qsort(wanted, count, sizeof(long), by_size);
    qsort(found, count, sizeof(long), by_size);
    for (unsigned i = 0; i < count; i++)
        if (found[i] != wanted[i])
            fail_msg("world %llu: %ld, not %ld; replay: test_cmd_vc %llu",
                     (unsigned long long)world->seed, found[i], wanted[i],
                     (unsigned long long)world->seed);
}

static void happen(struct world *world, unsigned store, enum kind kind, const char *words,
                   ghost_t seen, const char *context)
{
    char said[2 * CONTEXT_MAX];
    unsigned index = world->event_count++;
    int value = kind == ADD ? (int)draw(world, 9) - 4 : 1000 * (int)(index + 1);
    world->events[index] = (struct event){kind, seen, value};
    if (kind == DELETE)
        snprintf(said, sizeof(said), words, context);
    else
        snprintf(said, sizeof(said), words, value, context);
    world->known[store] |= seen | (ghost_t)1 << index;
    assert_int_not_equal(*talk_say(&world->talks[store], said), '-');
}

/* The row of one store goes to the other, which merges it. */
static void learn(struct world *world, unsigned to, unsigned from)
{
    struct arena arena;
    arena_init(&arena);
    struct bytes name = row_key_head(&arena, 0, BYTES("k")), merged;
    struct store *target = &world->talks[to].store;
    struct bytes theirs = fake_store_row(&world->talks[from].store, name);
    struct bytes ours = fake_store_row(target, name);
    if (theirs.size > 0) {
        merged = theirs;
        if (ours.size > 0)
            assert_int_equal(row_merge_bytes(ours, theirs, NULL, &arena, &merged), STATUS_OK);
        fake_store_put(target, name, arena_copy(&arena, merged));
        clock_see(&target->clock, world->talks[from].store.clock.last);
        world->known[to] |= world->known[from];
    }
    arena_deinit(&arena);
}

static void step(struct world *world)
{
    unsigned store = (unsigned)draw(world, STORES), chance = (unsigned)draw(world, 100);
    unsigned with = (unsigned)draw(world, CONTEXTS);
    const char *context = *world->contexts[with].text ? world->contexts[with].text : "''";
    ghost_t known = world->known[store];
    world->talks[store].now_ms += draw(world, 3);
    if (chance < 15)
        happen(world, store, SET, "SET k %d", known, "");
    else if (chance < 22)
        happen(world, store, DELETE, "DEL k%s", known, "");
    else if (chance < 37)
        happen(world, store, ADD, "INCRBY k %d", 0, "");
    else if (chance < 57)
        happen(world, store, SET, "VC.SET k %d %s", world->contexts[with].ghost, context);
    else if (chance < 67)
        happen(world, store, DELETE, "VC.DEL k %s", world->contexts[with].ghost, context);
    else if (chance < 85 && with > 0) {
        context_of(&world->talks[store], "k", world->contexts[with].text);
        world->contexts[with].ghost = known;
    } else
        learn(world, store, 1 - store);
    expect_as_known(world, store);
}

static void run_world(uint64_t seed)
{
    static struct world world;
    world = (struct world){.seed = seed, .random = {seed}};
    for (unsigned i = 0; i < STORES; i++) {
        talk_init(&world.talks[i], draw(&world, 4) == 0);
        world.talks[i].store.actor = actor_of(i + 1, 0);
        world.talks[i].store.stable.count = 0; /* several owners: nothing is known to be stable */
    }
    for (unsigned i = 0; i < STEPS; i++)
        step(&world);
    for (unsigned i = 0; i < 2; i++) {
        learn(&world, i, 1 - i);
        expect_as_known(&world, i);
    }
    for (unsigned i = 0; i < STORES; i++)
        talk_deinit(&world.talks[i]);
}

static void test_random_worlds(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++)
        run_world(seed);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = last_seed = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaces_what_was_seen),
        cmocka_unit_test(test_deletes_what_was_seen),
        cmocka_unit_test(test_increments_count_unless_seen),
        cmocka_unit_test(test_values_live_for_a_time),
        cmocka_unit_test(test_a_delete_ends_times_too),
        cmocka_unit_test(test_what_nobody_said_is_refused),
        cmocka_unit_test(test_concurrent_values_are_bounded),
        cmocka_unit_test(test_values_may_be_long),
        cmocka_unit_test(test_the_clock),
        cmocka_unit_test(test_random_worlds),
    };
    return cmocka_run_group_tests_name("cmd_vc", tests, NULL, NULL);
}
