/* SPDX-License-Identifier: MIT */
/*
 * What the conversations with redis-server do not say: the operations of BITOP that it does not
 * know, which rows are looked at and written, walks in slices, and random bitmaps against the same
 * done bit by bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/random.h"
#include "doubles/talk.h"
#include "type/string.h"

#define SYNTAX     "-ERR syntax error"
#define BAD_OFFSET "-ERR bit offset is not an integer or out of range"

static void test_single_bits(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"GETBIT k 100", ":0"},
        {"EXISTS k", ":0"},
        {"SETBIT k 100 0", ":0"},
        {"STRLEN k", ":13"},
        {"SETBIT k 100 1", ":0"},
        {"SETBIT k 100 1", ":1"},
        {"GETBIT k 100", ":1"},
        {"GETBIT k 99", ":0"},
        {"SETBIT k 131072 1", ":0"},
        {"STRLEN k", ":16385"},
        {"GETBIT k 131072", ":1"},
        {"GETBIT k 100", ":1"},
        {"SETBIT k 4294967295 1", ":0"},
        {"STRLEN k", ":536870912"},
        {"GETBIT k 4294967295", ":1"},
        {"SETBIT k 4294967296 1", BAD_OFFSET},
        {"GETBIT k 4294967296", BAD_OFFSET},
        {"SETBIT k -1 1", BAD_OFFSET},
        {"SETBIT k 1 2", "-ERR bit is not an integer or out of range"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

static void test_operations_of_later_versions(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SET a 3", "+OK"}, /* 0011 0011 */
        {"SET b U", "+OK"}, /* 0101 0101 */
        {"SET c f", "+OK"}, /* 0110 0110 */
        {"BITOP DIFF d a b", ":1"},
        {"GET d", "$1\r\n\""}, /* 0010 0010 */
        {"BITOP diff1 d a b", ":1"},
        {"GET d", "$1\r\nD"}, /* 0100 0100 */
        {"BITOP DIFF d a b c", ":1"},
        {"BITCOUNT d", ":0"},
        {"BITOP DIFF1 d a b c", ":1"},
        {"GET d", "$1\r\nD"},
        {"BITOP ANDOR d a b c", ":1"},
        {"GET d", "$1\r\n3"},
        {"BITOP ANDOR d a b", ":1"},
        {"BITCOUNT d", ":2"},
        {"BITOP ONE d a b c", ":1"},
        {"BITCOUNT d", ":0"}, /* each bit is in two of them, or in none */
        {"BITOP one d a b", ":1"},
        {"GET d", "$1\r\nf"},
        {"BITOP ONE d a", ":1"},
        {"GET d", "$1\r\n3"},
        {"BITOP ONE d a a a", ":1"},
        {"BITCOUNT d", ":0"},
        {"SET long UUU", "+OK"},
        {"BITOP DIFF d a long", ":3"},
        {"BITCOUNT d", ":2"},
        {"BITOP DIFF1 d a long none", ":3"},
        {"BITCOUNT d", ":10"},
        {"BITOP ANDOR d long none a", ":3"},
        {"BITCOUNT d", ":2"},
        {"BITOP DIFF d none none", ":0"},
        {"EXISTS d", ":0"},
        {"BITOP DIFF d a", "-ERR BITOP DIFF must be called with at least two source keys."},
        {"BITOP diff1 d a", "-ERR BITOP DIFF1 must be called with at least two source keys."},
        {"BITOP ANDOR d a", "-ERR BITOP ANDOR must be called with at least two source keys."},
        {"BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key."},
        {"BITOP NAND d a b", SYNTAX},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value"

/* A row of another type, as nothing makes one yet. */
static void put_other_type(struct talk *talk)
{
    struct dot dot = {actor_of(9, 1), 1};
    struct bytes name = row_key_head(&talk->arena, 0, BYTES("other"));
    fake_store_put(&talk->store, name,
                   row_encode_common(&talk->arena, dot, VALUE_CHUNK, BYTES("x"), EXPIRY_NEVER));
}

static void test_other_types(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"SETBIT other 0 1", WRONG_TYPE},
        {"SETBIT other x 1", BAD_OFFSET},
        {"GETBIT other 0", WRONG_TYPE},
        {"BITCOUNT other", WRONG_TYPE},
        {"BITCOUNT other x 1", WRONG_TYPE},
        {"BITPOS other 1", WRONG_TYPE},
        {"BITPOS other 2", "-ERR The bit argument must be 1 or 0."},
        {"BITFIELD other", WRONG_TYPE},
        {"BITFIELD other GET u8 0", WRONG_TYPE},
        {"BITFIELD other SET u8 0 1", WRONG_TYPE},
        {"BITFIELD_RO other SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"},
        {"SET a x", "+OK"},
        {"BITOP AND d a other", WRONG_TYPE},
        {"BITOP AND other none none", ":0"},
        {"EXISTS other", ":0"},
        {NULL, NULL},
    };
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        talk_init(&talk, cold);
        put_other_type(&talk);
        talk_hold(&talk, exchanges);
        put_other_type(&talk);
        talk_expect(&talk, "BITOP OR other a none", ":1");
        talk_expect(&talk, "GET other", "$1\r\nx");
        talk_deinit(&talk);
    }
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* All rows as they are, in one number. */
static uint64_t sum_of_rows(const struct store *store)
{
    uint64_t sum = store->count;
    for (size_t i = 0; i < store->count; i++)
        for (size_t j = 0; j < store->rows[i].row.size; j++)
            sum = sum * 31 + (unsigned char)store->rows[i].row.data[j];
    return sum;
}

static void test_what_is_so_already_is_not_written(void **state)
{
    (void)state;
    static const char *const idle[] = {
        "SETBIT k 100 1",
        "SETBIT k 99 0",
        "SETBIT k 1000000 1",
        "SETBIT k 999999 0",
        "SETBIT k 500000 0",
        "BITFIELD k SET u1 100 1",
        "BITFIELD k SET u8 500 0",
        "BITFIELD k INCRBY u8 500 0 GET u8 1",
        "BITFIELD k",
        "BITFIELD k OVERFLOW FAIL INCRBY u1 100 1",
    };
    struct talk talk;
    talk_init(&talk, false);
    talk_expect(&talk, "SETBIT k 100 1", ":0");
    talk_expect(&talk, "SETBIT k 1000000 1", ":0");
    for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
        uint64_t before = sum_of_rows(&talk.store);
        (void)talk_say(&talk, idle[i]);
        assert_true(sum_of_rows(&talk.store) == before);
    }
    uint64_t before = sum_of_rows(&talk.store);
    talk_expect(&talk, "SETBIT k 99 1", ":0");
    assert_true(sum_of_rows(&talk.store) != before);
    talk_deinit(&talk);
}

/* A command on a bit of a long string asks for its head and one chunk. */
static void test_one_chunk_is_looked_at(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "GETBIT k 700000",
        "SETBIT k 700000 1",
        "SETBIT k 700000 1",
        "BITFIELD k GET u8 700000",
        "BITFIELD k INCRBY u8 700000 1",
    };
    char value[100 * 1000];
    struct talk talk;
    talk_init(&talk, true);
    memset(value, 'x', sizeof(value));
    struct bytes set[] = {BYTES("SET"), BYTES("k"), bytes_of(value, sizeof(value))};
    (void)talk_say_argv(&talk, set, 3);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        (void)talk_say(&talk, commands[i]);
        assert_int_equal(talk.store.known_count, 2);
        assert_int_equal(talk.runs, 3);
    }
    size_t rows = talk.store.count;
    talk_expect(&talk, "SETBIT k 80000000 1", ":0");
    assert_int_equal(talk.store.count, rows + 1);
    talk_deinit(&talk);
}

/* All that a walk misses is read together. */
static void test_misses_are_fetched_together(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, true);
    talk_expect(&talk, "SETBIT a 999999 1", ":0");
    talk_expect(&talk, "SETBIT b 999999 1", ":0");
    talk_expect(&talk, "BITCOUNT a", ":1");
    assert_int_equal(talk.runs, 3);
    talk_expect(&talk, "BITPOS a 1", ":999999");
    assert_int_equal(talk.runs, 3);
    talk_expect(&talk, "BITOP AND d a b", ":125000");
    assert_int_equal(talk.runs, 3);
    talk_expect(&talk, "BITFIELD d GET u1 0 GET u1 999999 GET u8 500000", "*3\r\n:0\r\n:1\r\n:0");
    assert_int_equal(talk.runs, 3);
    talk_deinit(&talk);
}

static void test_zeros_take_no_rows(void **state)
{
    (void)state;
    struct talk talk;
    talk_init(&talk, false);
    talk_expect(&talk, "SETBIT a 7999999 1", ":0");
    talk_expect(&talk, "SETBIT a 0 1", ":0");
    assert_int_equal(talk.store.count, 3);
    talk_expect(&talk, "BITOP OR d a none", ":1000000");
    assert_int_equal(talk.store.count, 6);
    talk_expect(&talk, "BITOP XOR e a d", ":1000000");
    assert_int_equal(talk.store.count, 7);
    talk_expect(&talk, "BITCOUNT e", ":0");
    talk_expect(&talk, "STRLEN e", ":1000000");
    talk_expect(&talk, "BITOP NOT e e", ":1000000");
    talk_expect(&talk, "BITCOUNT e", ":8000000");
    talk_deinit(&talk);
}

/* ---- slices --------------------------------------------------------------------------------- */

/*
 * Long names make short slices, of 128 pages: so a test of several is small.
 */
enum {
    KEY_LONG = KEY_SIZE_MAX - 1,
    SLICE_BYTES = 128 * STRING_PAGE_SIZE,
    SLICE_BITS = SLICE_BYTES * 8
};

static char key_a[KEY_LONG], key_b[KEY_LONG];

/* A command whose "A" and "B" are long keys. */
static struct bytes say_long(struct talk *talk, const char *words)
{
    struct bytes argv[16];
    uint32_t argc = 0;
    char text[128];
    snprintf(text, sizeof(text), "%s", words);
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        struct bytes argument = bytes_text(word);
        if (strcmp(word, "A") == 0)
            argument = bytes_of(key_a, KEY_LONG);
        else if (strcmp(word, "B") == 0)
            argument = bytes_of(key_b, KEY_LONG);
        argv[argc++] = argument;
    }
    return talk_say_argv(talk, argv, argc);
}

static void expect_long(struct talk *talk, const char *words, int64_t number)
{
    char expected[64];
    snprintf(expected, sizeof(expected), ":%lld\r\n", (long long)number);
    struct bytes reply = say_long(talk, words);
    if (!bytes_equal(reply, bytes_text(expected)))
        print_error("%s: %.*s\n", words, (int)reply.size, reply.data);
    assert_true(bytes_equal(reply, bytes_text(expected)));
}

static void set_long(struct talk *talk, const char *key, int64_t bit)
{
    char words[64];
    snprintf(words, sizeof(words), "SETBIT %s %lld 1", key, (long long)bit);
    expect_long(talk, words, 0);
}

static void begin_long(struct talk *talk, bool cold)
{
    memset(key_a, 'a', sizeof(key_a));
    memset(key_b, 'b', sizeof(key_b));
    talk_init(talk, cold);
    set_long(talk, "A", 3);
    set_long(talk, "A", SLICE_BITS + 5);
    set_long(talk, "A", 3 * SLICE_BITS - 1);
}

static void test_walks_in_slices(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        struct talk talk;
        begin_long(&talk, cold);
        expect_long(&talk, "BITCOUNT A", 3);
        assert_true(cold ? talk.slices > 3 : talk.slices == 3);
        expect_long(&talk, "BITPOS A 1 1", SLICE_BITS + 5);
        assert_true(cold ? talk.slices > 2 : talk.slices == 2);
        char words[64];
        snprintf(words, sizeof(words), "BITPOS A 1 %d", SLICE_BYTES + 1);
        expect_long(&talk, words, 3 * SLICE_BITS - 1);
        snprintf(words, sizeof(words), "BITPOS A 1 1 %d", SLICE_BYTES);
        expect_long(&talk, words, SLICE_BITS + 5);
        set_long(&talk, "B", SLICE_BITS / 2);
        set_long(&talk, "B", SLICE_BITS + 5);
        expect_long(&talk, "BITOP XOR d A B", 3 * SLICE_BITS / 8);
        assert_true(cold ? talk.slices > 6 : talk.slices == 6);
        expect_long(&talk, "BITCOUNT d", 3);
        expect_long(&talk, "BITPOS d 1 1", SLICE_BITS / 2);
        expect_long(&talk, "BITOP AND B A B", 3 * SLICE_BITS / 8);
        expect_long(&talk, "BITCOUNT B", 1);
        expect_long(&talk, "BITPOS B 1", SLICE_BITS + 5);
        talk_deinit(&talk);
    }
}

static void set_behind(struct talk *talk)
{
    unsigned slice = talk->slices;
    set_long(talk, "A", 2 * SLICE_BITS + slice);
    set_long(talk, "A", 3 * SLICE_BITS + slice);
}

/* Bits set meanwhile may count; what the string has grown by does not. */
static void test_bits_set_between_slices(void **state)
{
    (void)state;
    struct talk talk;
    begin_long(&talk, false);
    talk.meanwhile = set_behind;
    expect_long(&talk, "BITCOUNT A", 5);
    assert_int_equal(talk.slices, 3);
    talk.meanwhile = NULL;
    expect_long(&talk, "BITCOUNT A", 7);
    talk_deinit(&talk);
}

static void replace(struct talk *talk)
{
    expect_long(talk, "DEL A", 1);
    set_long(talk, "A", 7);
    set_long(talk, "A", 2 * SLICE_BITS + 1);
}

/* The walk begins again, and the third time it takes no rest. */
static void test_a_string_set_anew_between_slices(void **state)
{
    (void)state;
    struct talk talk;
    begin_long(&talk, true);
    talk.meanwhile = replace;
    expect_long(&talk, "BITCOUNT A", 2);
    assert_int_equal(talk.slices, 3);
    talk.meanwhile = replace;
    expect_long(&talk, "BITOP OR d A none", 2 * SLICE_BITS / 8 + 1);
    talk.meanwhile = NULL;
    expect_long(&talk, "BITCOUNT d", 2);
    expect_long(&talk, "BITPOS d 1", 7);
    talk_deinit(&talk);
}

static void delete_it(struct talk *talk)
{
    (void)say_long(talk, "DEL A");
}

static void test_a_string_deleted_between_slices(void **state)
{
    (void)state;
    struct talk talk;
    begin_long(&talk, false);
    talk.meanwhile = delete_it;
    expect_long(&talk, "BITCOUNT A", 0);
    talk_deinit(&talk);
    begin_long(&talk, false);
    talk.meanwhile = delete_it;
    expect_long(&talk, "BITOP NOT d A", 0);
    talk.meanwhile = NULL;
    expect_long(&talk, "EXISTS d", 0);
    talk_deinit(&talk);
}

/* ---- random bitmaps against the same done bit by bit ----------------------------------------- */

enum { KEYS = 3, MODEL_MAX = 40 * 1000, STEPS = 150, SEEDS = 6 };

struct model {
    char *data[KEYS];
    size_t size[KEYS];
};

static const char *const key_names[KEYS] = {"a", "b", "c"};

static bool model_bit(const struct model *model, unsigned key, uint64_t bit)
{
    return bit / 8 < model->size[key] &&
           ((unsigned char)model->data[key][bit / 8] & (0x80 >> bit % 8));
}

static int64_t ask(struct talk *talk, const char *words)
{
    int64_t number;
    const char *reply = talk_say(talk, words);
    assert_int_equal(reply[0], ':');
    assert_true(number_parse_i64(bytes_of(reply + 1, strlen(reply) - 3), &number));
    return number;
}

static uint64_t any_bit(struct random *chance)
{
    static const unsigned borders[] = {4096, 8192, 16384, 20480, 0, 39000};
    uint64_t byte = borders[random_below(chance, 6)] + random_below(chance, 5);
    if (random_once_in(chance, 3))
        byte = random_below(chance, MODEL_MAX);
    byte -= byte >= 2 ? 2 : 0;
    return byte * 8 + random_below(chance, 8);
}

static void set_step(struct talk *talk, struct model *model, unsigned key, struct random *chance)
{
    char words[64];
    uint64_t bit = any_bit(chance);
    bool value = random_below(chance, 2);
    snprintf(words, sizeof(words), "SETBIT %s %llu %d", key_names[key], (unsigned long long)bit,
             value);
    assert_int_equal(ask(talk, words), model_bit(model, key, bit));
    if (model->size[key] < bit / 8 + 1) {
        memset(model->data[key] + model->size[key], 0, bit / 8 + 1 - model->size[key]);
        model->size[key] = bit / 8 + 1;
    }
    char mask = (char)(0x80 >> bit % 8);
    char *byte = &model->data[key][bit / 8];
    *byte = (char)(value ? *byte | mask : *byte & ~mask);
}

static void fill_step(struct talk *talk, struct model *model, unsigned key, struct random *chance)
{
    static const char fills[] = {0, (char)0xff, (char)0xa5};
    size_t size = any_bit(chance) / 8;
    memset(model->data[key], fills[random_below(chance, 3)], size);
    model->size[key] = size;
    struct bytes set[] = {BYTES("SET"), bytes_text(key_names[key]),
                          bytes_of(model->data[key], size)};
    assert_true(bytes_equal(talk_say_argv(talk, set, 3), BYTES("+OK\r\n")));
}

static void look_step(struct talk *talk, struct model *model, unsigned key, struct random *chance)
{
    char words[96];
    uint64_t bits = (uint64_t)model->size[key] * 8;
    uint64_t first = any_bit(chance);
    uint64_t last = random_below(chance, 2) ? first + random_below(chance, 100) : any_bit(chance);
    int64_t count = 0;
    int64_t found[2] = {-1, -1};
    for (uint64_t i = last + 1; i-- > first;) {
        if (i >= bits)
            continue;
        bool bit = model_bit(model, key, i);
        count += bit;
        found[bit] = (int64_t)i;
    }
    unsigned long long from = first, to = last;
    snprintf(words, sizeof(words), "BITCOUNT %s %llu %llu BIT", key_names[key], from, to);
    assert_int_equal(ask(talk, words), count);
    for (int bit = 0; bits > 0 && bit < 2; bit++) { /* else it may be absent: all clear */
        snprintf(words, sizeof(words), "BITPOS %s %d %llu %llu BIT", key_names[key], bit, from, to);
        assert_int_equal(ask(talk, words), found[bit]);
    }
}

enum { OPERATIONS = 8 };

static const char *const operation_names[OPERATIONS] = {"AND",  "OR",    "XOR",   "NOT",
                                                        "DIFF", "DIFF1", "ANDOR", "ONE"};

/* From all of the first, and how many of the others have the bit. */
static bool model_result(unsigned operation, bool first, unsigned others, unsigned other_count)
{
    switch (operation) {
    case 0:
        return first && others == other_count;
    case 1:
        return first || others > 0;
    case 2:
        return (first + others) % 2;
    case 3:
        return !first;
    case 4:
        return first && others == 0;
    case 5:
        return !first && others > 0;
    case 6:
        return first && others > 0;
    default:
        return first + others == 1;
    }
}

static void combine_step(struct talk *talk, struct model *model, unsigned to, struct random *chance)
{
    char words[64];
    unsigned operation = (unsigned)random_below(chance, OPERATIONS);
    unsigned sources[4];
    unsigned count = operation == 3 ? 1 : 2 + (unsigned)random_below(chance, 3);
    size_t size = 0;
    int used =
        snprintf(words, sizeof(words), "BITOP %s %s", operation_names[operation], key_names[to]);
    for (unsigned i = 0; i < count; i++) {
        sources[i] = (unsigned)random_below(chance, KEYS);
        used += snprintf(words + used, sizeof(words) - (size_t)used, " %s", key_names[sources[i]]);
        if (size < model->size[sources[i]])
            size = model->size[sources[i]];
    }
    assert_int_equal(ask(talk, words), size);
    char *result = memory_zeroed(MODEL_MAX);
    for (uint64_t bit = 0; bit < size * 8; bit++) {
        unsigned others = 0;
        for (unsigned i = 1; i < count; i++)
            others += model_bit(model, sources[i], bit);
        if (model_result(operation, model_bit(model, sources[0], bit), others, count - 1))
            result[bit / 8] = (char)(result[bit / 8] | 0x80 >> bit % 8);
    }
    memory_free(model->data[to]);
    model->data[to] = result;
    model->size[to] = size;
}

static void expect_values(struct talk *talk, const struct model *model)
{
    for (unsigned key = 0; key < KEYS; key++) {
        char begin[32];
        struct bytes get[] = {BYTES("GET"), bytes_text(key_names[key])};
        int size = snprintf(begin, sizeof(begin), "$%zu\r\n", model->size[key]);
        struct bytes reply = talk_say_argv(talk, get, 2);
        if (bytes_equal(reply, BYTES("$-1\r\n")) && model->size[key] == 0)
            continue;
        assert_int_equal(reply.size, model->size[key] + (size_t)size + 2);
        assert_memory_equal(reply.data, begin, (size_t)size);
        assert_memory_equal(reply.data + size, model->data[key], model->size[key]);
    }
}

static void test_random_bitmaps(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random chance = {seed};
        struct talk talk;
        struct model model = {0};
        talk_init(&talk, seed % 2);
        for (unsigned key = 0; key < KEYS; key++)
            model.data[key] = memory_zeroed(MODEL_MAX);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned key = (unsigned)random_below(&chance, KEYS);
            unsigned kind = (unsigned)random_below(&chance, 10);
            if (kind < 4)
                set_step(&talk, &model, key, &chance);
            else if (kind < 5)
                fill_step(&talk, &model, key, &chance);
            else if (kind < 8)
                look_step(&talk, &model, key, &chance);
            else
                combine_step(&talk, &model, key, &chance);
        }
        expect_values(&talk, &model);
        for (unsigned key = 0; key < KEYS; key++)
            memory_free(model.data[key]);
        talk_deinit(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_bits),
        cmocka_unit_test(test_operations_of_later_versions),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_what_is_so_already_is_not_written),
        cmocka_unit_test(test_one_chunk_is_looked_at),
        cmocka_unit_test(test_misses_are_fetched_together),
        cmocka_unit_test(test_zeros_take_no_rows),
        cmocka_unit_test(test_walks_in_slices),
        cmocka_unit_test(test_bits_set_between_slices),
        cmocka_unit_test(test_a_string_set_anew_between_slices),
        cmocka_unit_test(test_a_string_deleted_between_slices),
        cmocka_unit_test(test_random_bitmaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
