/* SPDX-License-Identifier: MIT */
/*
 * BITFIELD on random strings against the same done bit by bit; and what the conversations with
 * redis-server cannot say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "doubles/talk.h"
#include "type/string.h"

static void test_some_of_all(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"BITFIELD k", "*0"},
        {"BITFIELD_RO k", "*0"},
        {"BITFIELD k GET u8 0", "*1\r\n:0"},
        {"EXISTS k", ":0"},
        {"BITFIELD k SET u8 0 255 INCRBY u8 0 2 GET u4 4", "*3\r\n:0\r\n:1\r\n:1"},
        {"BITFIELD k OVERFLOW FAIL INCRBY u8 0 255 OVERFLOW SAT INCRBY u8 0 255",
         "*2\r\n$-1\r\n:255"},
        {"BITFIELD k SET i5 #2000 -7 GET i5 10000", "*2\r\n:0\r\n:-7"},
        {"STRLEN k", ":1251"},
        {"BITFIELD k OVERFLOW FAIL SET u1 400007 2", "*1\r\n$-1"},
        {"STRLEN k", ":50001"},
        {"BITFIELD k SET i64 131040 -1 SET u16 #12500 65535", "*2\r\n:0\r\n:0"},
        {"BITCOUNT k", ":91"},
        {"BITFIELD_RO k GET i64 131040 GET u63 131041 GET u2 131039",
         "*3\r\n:-1\r\n:9223372036854775807\r\n:1"},
        {"BITFIELD k OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0", "*2\r\n:-1\r\n:-128"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

#define BAD_OFFSET "-ERR bit offset is not an integer or out of range"

/* Where redis-server makes a string longer than it allows, or multiplies beyond 64 bits. */
static void test_limits(void **state)
{
    (void)state;
    static const struct talk_exchange exchanges[] = {
        {"BITFIELD k SET u8 4294967288 7", "*1\r\n:0"},
        {"BITFIELD k GET u8 4294967288 GET u8 4294967295", "*2\r\n:7\r\n:128"},
        {"BITFIELD k SET u8 4294967289 7", BAD_OFFSET},
        {"BITFIELD k SET u8 #536870911 8 GET i64 #67108863", "*2\r\n:7\r\n:8"},
        {"BITFIELD k GET u8 #536870912", BAD_OFFSET},
        {"BITFIELD k GET u4 #4611686018427387904", BAD_OFFSET},
        {"BITFIELD k GET i64 #9223372036854775807", BAD_OFFSET},
        {"BITFIELD k GET i64 #9223372036854775808", BAD_OFFSET},
        {"STRLEN k", ":536870912"},
        {NULL, NULL},
    };
    talk_hold_warm_and_cold(exchanges);
}

/* As many operations as words allow, on a few pages: each page is written once. */
static void test_very_many_operations(void **state)
{
    (void)state;
    enum { COUNT = 20 * 1000, WORDS = 2 + COUNT * 4 };
    struct bytes *argv = memory_alloc(WORDS * sizeof(*argv));
    struct talk talk;
    talk_init(&talk, true);
    argv[0] = BYTES("BITFIELD");
    argv[1] = BYTES("k");
    for (unsigned i = 0; i < COUNT; i++) {
        argv[2 + 4 * i] = BYTES("INCRBY");
        argv[3 + 4 * i] = BYTES("u63");
        argv[4 + 4 * i] = i % 2 ? BYTES("262113") : BYTES("32737"); /* over the borders of pages */
        argv[5 + 4 * i] = BYTES("1");
    }
    struct bytes reply = talk_say_argv(&talk, argv, WORDS);
    assert_int_equal(talk.runs, 2); /* the head is missed; of what is not there no chunk is */
    assert_true(bytes_starts_with(reply, BYTES("*20000\r\n:1\r\n:1\r\n:2\r\n")));
    talk_expect(&talk, "BITFIELD k GET u63 262113 GET u63 32737", "*2\r\n:10000\r\n:10000");
    talk_expect(&talk, "STRLEN k", ":32772");
    talk_deinit(&talk);
    memory_free(argv);
}

/* ---- random ones ---------------------------------------------------------------------------- */

enum { MODEL_MAX = 20 * 1000, STEPS = 60, SEEDS = 8, OPERATIONS_MAX = 8, WORD_MAX = 32 };

struct model {
    char data[MODEL_MAX];
    size_t size;
};

/* One command, as it grows, and what is expected of it. */
struct sentence {
    char words[OPERATIONS_MAX * 6 + 2][WORD_MAX];
    uint32_t count;
    char reply[OPERATIONS_MAX * WORD_MAX];
    unsigned replies;
};

static void word(struct sentence *sentence, const char *text)
{
    snprintf(sentence->words[sentence->count++], WORD_MAX, "%s", text);
}

static void word_number(struct sentence *sentence, long long number)
{
    snprintf(sentence->words[sentence->count++], WORD_MAX, "%lld", number);
}

static void hear(struct sentence *sentence, bool null, __int128 number)
{
    size_t used = strlen(sentence->reply);
    char *at = sentence->reply + used;
    sentence->replies++;
    if (null)
        snprintf(at, sizeof(sentence->reply) - used, "$-1\r\n");
    else
        snprintf(at, sizeof(sentence->reply) - used, ":%lld\r\n", (long long)number);
}

static __int128 model_get(const struct model *model, uint64_t offset, unsigned bits, bool has_sign)
{
    __int128 value = 0;
    for (uint64_t i = offset; i < offset + bits; i++) {
        bool held = i / 8 < model->size;
        value = value * 2 + (held ? (unsigned char)model->data[i / 8] >> (7 - i % 8) & 1 : 0);
    }
    if (has_sign && value >> (bits - 1))
        value -= (__int128)1 << bits;
    return value;
}

static void model_set(struct model *model, uint64_t offset, unsigned bits, __int128 value)
{
    for (unsigned i = 0; i < bits; i++) {
        uint64_t at = offset + bits - 1 - i;
        int mask = 0x80 >> at % 8;
        char *byte = &model->data[at / 8];
        *byte = (char)((value >> i & 1) ? *byte | mask : *byte & ~mask);
    }
}

static void model_grow(struct model *model, uint64_t bits)
{
    size_t size = (size_t)(bits + 7) / 8;
    if (size > model->size) {
        memset(model->data + model->size, 0, size - model->size);
        model->size = size;
    }
}

static uint64_t any_offset(struct random *chance)
{
    static const unsigned borders[] = {4096, 8192, 16384, 0, 12288};
    if (random_once_in(chance, 3))
        return random_below(chance, (MODEL_MAX - 10) * 8);
    uint64_t bit = borders[random_below(chance, 5)] * 8 + random_below(chance, 70);
    return bit > 69 ? bit - 69 : bit;
}

static const char *const overflows[] = {"WRAP", "SAT", "FAIL"};

/* The result of a write under that rule. False: none. */
static bool fit(unsigned bits, bool has_sign, unsigned overflow, __int128 number, __int128 *out)
{
    __int128 low = has_sign ? -((__int128)1 << (bits - 1)) : 0;
    __int128 high = low + ((__int128)1 << bits) - 1;
    *out = number;
    if (number >= low && number <= high)
        return true;
    if (overflow == 1)
        *out = number < low ? low : high;
    if (overflow == 0)
        *out = low + ((number - low) % (high - low + 1) + (high - low + 1)) % (high - low + 1);
    return overflow != 2;
}

/* Lengths come first: a string is as long as the longest write needs before any operation. */
static void any_operation(struct sentence *sentence, struct model *model, struct random *chance,
                          unsigned *overflow)
{
    char type[8];
    bool has_sign = random_below(chance, 2);
    unsigned bits = 1 + (unsigned)random_below(chance, has_sign ? 64 : 63);
    uint64_t offset = any_offset(chance);
    unsigned action = (unsigned)random_below(chance, 3);
    int64_t number = (int64_t)(random_next(chance) >> random_below(chance, 64));
    if (number == INT64_MIN) /* far below saturation is where redis-server errs; not here */
        number++;
    snprintf(type, sizeof(type), "%c%u", has_sign ? 'i' : 'u', bits);
    if (random_once_in(chance, 3)) {
        *overflow = (unsigned)random_below(chance, 3);
        word(sentence, "overflow");
        word(sentence, overflows[*overflow]);
    }
    word(sentence, action == 0 ? "GET" : action == 1 ? "SET" : "INCRBY");
    word(sentence, type);
    word_number(sentence, (long long)offset);
    __int128 old = model_get(model, offset, bits, has_sign);
    if (action == 0) {
        hear(sentence, false, old);
        return;
    }
    __int128 value;
    __int128 wanted = action == 2 ? old + number : has_sign ? number : (__int128)(uint64_t)number;
    word_number(sentence, number);
    model_grow(model, offset + bits);
    bool fits = fit(bits, has_sign, *overflow, wanted, &value);
    hear(sentence, !fits, action == 1 ? old : value);
    if (fits)
        model_set(model, offset, bits, value);
}

static void any_sentence(struct talk *talk, struct model *model, struct random *chance)
{
    struct sentence sentence = {0};
    struct bytes argv[OPERATIONS_MAX * 6 + 2];
    char expected[sizeof(sentence.reply) + WORD_MAX];
    unsigned overflow = 0;
    word(&sentence, "BITFIELD");
    word(&sentence, "k");
    unsigned count = (unsigned)random_below(chance, OPERATIONS_MAX + 1);
    for (unsigned i = 0; i < count; i++)
        any_operation(&sentence, model, chance, &overflow);
    for (uint32_t i = 0; i < sentence.count; i++)
        argv[i] = bytes_text(sentence.words[i]);
    snprintf(expected, sizeof(expected), "*%u\r\n%s", sentence.replies, sentence.reply);
    struct bytes heard = talk_say_argv(talk, argv, sentence.count);
    assert_int_equal(heard.size, strlen(expected));
    assert_memory_equal(heard.data, expected, heard.size);
}

static void test_random_fields(void **state)
{
    (void)state;
    struct model *model = memory_alloc(sizeof(*model));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct random chance = {seed};
        struct talk talk;
        talk_init(&talk, seed % 2);
        model->size = 0;
        if (seed % 4 > 1) { /* begins long */
            model->size = MODEL_MAX;
            for (size_t i = 0; i < MODEL_MAX; i++)
                model->data[i] = (char)random_next(&chance);
            struct bytes set[] = {BYTES("SET"), BYTES("k"), bytes_of(model->data, MODEL_MAX)};
            (void)talk_say_argv(&talk, set, 3);
        }
        for (unsigned step = 0; step < STEPS; step++)
            any_sentence(&talk, model, &chance);
        char begin[32];
        struct bytes get[] = {BYTES("GET"), BYTES("k")};
        int size = snprintf(begin, sizeof(begin), "$%zu\r\n", model->size);
        struct bytes value = talk_say_argv(&talk, get, 2);
        assert_int_equal(value.size, model->size + (size_t)size + 2);
        assert_memory_equal(value.data + size, model->data, model->size);
        talk_deinit(&talk);
    }
    memory_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some_of_all),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_very_many_operations),
        cmocka_unit_test(test_random_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
