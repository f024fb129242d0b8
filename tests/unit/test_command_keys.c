/* SPDX-License-Identifier: MIT */
/* Where keys stand in requests of commands of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "command/command_keys.h"

enum { WORDS_MAX = 16 };

static const struct key_spec store_specs[] = {
    {.flags = KEY_OW | KEY_UPDATE, .begin = 1, .step = 1},
    {.flags = KEY_RO | KEY_ACCESS, .begin = 2, .counted = true, .first = 1, .step = 1},
    {.flags = 0},
};
static const struct key_spec pairs_specs[] = {
    {.flags = KEY_OW | KEY_UPDATE, .begin = 1, .counted = true, .first = 1, .step = 2},
    {.flags = 0},
};
static const struct key_spec streams_specs[] = {
    {.flags = KEY_RO, .keyword = "STREAMS", .begin = 1, .last = -1, .step = 1, .limit = 2},
    {.flags = 0},
};
static const struct key_spec keyword_specs[] = {
    {.flags = KEY_RO, .begin = 1, .step = 1},
    {.flags = KEY_OW, .keyword = "STORE", .begin = -2, .step = 1},
    {.flags = 0},
};
static const struct key_spec incomplete_specs[] = {
    {.flags = KEY_RO, .begin = 1, .step = 1},
    {.flags = KEY_RO | KEY_INCOMPLETE, .begin = 2, .step = 1},
    {.flags = 0},
};
static const struct key_spec channel_specs[] = {
    {.flags = KEY_NOT_KEY, .begin = 1, .last = -1, .step = 1},
    {.flags = 0},
};

/* "k RO access, l RW" or "invalid" */
static const char *keys_of(const struct command *command, const char *request)
{
    static char text[256];
    char words[256];
    struct bytes argv[WORDS_MAX];
    uint32_t argc = 0;
    struct arena arena;
    struct command_key *keys = NULL;
    size_t count = 0;
    snprintf(words, sizeof words, "%s", request);
    for (char *word = words; word != NULL;) {
        char *end = strchr(word, ' ');
        if (end != NULL)
            *end++ = '\0';
        argv[argc++] = bytes_text(word);
        word = end;
    }
    arena_init(&arena);
    enum status status = command_keys(command, argv, argc, &arena, &keys, &count);
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        assert_true(keys[i].position < argc);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "," : "",
                                 argv[keys[i].position].data);
        for (unsigned bit = 0; command_key_flag_name(bit) != NULL; bit++) {
            if (keys[i].flags & 1U << bit)
                used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                         command_key_flag_name(bit));
        }
    }
    arena_deinit(&arena);
    if (status == STATUS_INVALID)
        return "invalid";
    assert_int_equal(status, STATUS_OK);
    return text;
}

static void ranges_follow_from_the_simple_form(void **state)
{
    (void)state;
    struct command one = {.first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO};
    struct command all = {.first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RM};
    struct command pairs = {.first_key = 1, .last_key = -1, .key_step = 2, .key_flags = KEY_OW};
    struct command but_last = {.first_key = 1, .last_key = -2, .key_step = 1, .key_flags = KEY_RW};
    struct command none = {.name = "none"};
    assert_string_equal(keys_of(&one, "get k"), "k RO");
    assert_string_equal(keys_of(&one, "set k v x"), "k RO");
    assert_string_equal(keys_of(&all, "del a b c"), "a RM,b RM,c RM");
    assert_string_equal(keys_of(&pairs, "mset a 1 b 2"), "a OW,b OW");
    assert_string_equal(keys_of(&pairs, "mset a 1 b"), "a OW,b OW");
    assert_string_equal(keys_of(&but_last, "blpop a b 0"), "a RW,b RW");
    assert_string_equal(keys_of(&none, "ping x"), "");
    assert_string_equal(keys_of(&all, "del"), "invalid");
}

static void several_specifications_add_up(void **state)
{
    (void)state;
    struct command store = {.key_specs = store_specs};
    assert_string_equal(keys_of(&store, "zunionstore d 2 a b"),
                        "d OW update,a RO access,b RO access");
    assert_string_equal(keys_of(&store, "zunionstore d 2 a b WEIGHTS 1 2"),
                        "d OW update,a RO access,b RO access");
    struct command keyword = {.key_specs = keyword_specs};
    assert_string_equal(keys_of(&keyword, "sort k"), "k RO");
    assert_string_equal(keys_of(&keyword, "sort k store d"), "k RO,d OW");
    assert_string_equal(keys_of(&keyword, "sort k STORE d STORE e"), "k RO,e OW");
}

static void counts_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"zunionstore d 3 a b", "zunionstore d 0 a",
                                      "zunionstore d -1 a",  "zunionstore d x a",
                                      "zunionstore d 1",     "zunionstore d 9223372036854775807 a",
                                      "zunionstore d",       "zunionstore d 2147483648 a"};
    struct command store = {.key_specs = store_specs};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(keys_of(&store, bad[i]), "invalid");
    struct command pairs = {.key_specs = pairs_specs};
    assert_string_equal(keys_of(&pairs, "msetex 2 a 1 b 2 EX 5"), "a OW update,b OW update");
    assert_string_equal(keys_of(&pairs, "msetex 3 a 1 b 2"), "invalid");
}

static void keywords_part_what_follows(void **state)
{
    (void)state;
    struct command streams = {.key_specs = streams_specs};
    assert_string_equal(keys_of(&streams, "xread COUNT 2 streams a b 0 0"), "a RO,b RO");
    assert_string_equal(keys_of(&streams, "xread streams a 0"), "a RO");
    assert_string_equal(keys_of(&streams, "xread COUNT 2"), "");
    assert_string_equal(keys_of(&streams, "xread streams"), "invalid");
    assert_string_equal(keys_of(&streams, "xread streams a"), "invalid");
}

static void what_is_no_key_or_unknown(void **state)
{
    (void)state;
    struct command channel = {.key_specs = channel_specs};
    assert_string_equal(keys_of(&channel, "spublish a b"), "");
    struct command incomplete = {.key_specs = incomplete_specs};
    assert_string_equal(keys_of(&incomplete, "sort a b"), "invalid");
}

static uint32_t by_arguments(const struct bytes *argv, uint32_t argc)
{
    (void)argv;
    return argc > 3 ? KEY_RW : KEY_OW;
}

static void flags_may_depend_on_arguments(void **state)
{
    (void)state;
    struct command set = {
        .first_key = 1,
        .last_key = 1,
        .key_step = 1,
        .key_flags = KEY_RW | KEY_VARIABLE_FLAGS,
        .key_flags_of = by_arguments,
    };
    assert_string_equal(keys_of(&set, "set k v"), "k OW");
    assert_string_equal(keys_of(&set, "set k v GET"), "k RW");
}

static void what_moves_is_told(void **state)
{
    (void)state;
    static const struct key_spec fixed[] = {
        {.flags = KEY_RW, .begin = 1, .step = 1},
        {.flags = KEY_OW, .begin = 2, .step = 1},
        {.flags = 0},
    };
    struct command simple = {.first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO};
    struct command two = {.key_specs = fixed, .flags = CMD_WRITE};
    struct command store = {.key_specs = store_specs, .flags = CMD_WRITE};
    struct command streams = {.key_specs = streams_specs};
    struct command incomplete = {.key_specs = incomplete_specs};
    assert_int_equal(command_flags(&simple), 0);
    assert_int_equal(command_flags(&two), CMD_WRITE);
    assert_int_equal(command_flags(&store), CMD_WRITE | CMD_MOVABLE_KEYS);
    assert_int_equal(command_flags(&streams), CMD_MOVABLE_KEYS);
    assert_int_equal(command_flags(&incomplete), CMD_MOVABLE_KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_from_the_simple_form),
        cmocka_unit_test(several_specifications_add_up),
        cmocka_unit_test(counts_are_checked),
        cmocka_unit_test(keywords_part_what_follows),
        cmocka_unit_test(what_is_no_key_or_unknown),
        cmocka_unit_test(flags_may_depend_on_arguments),
        cmocka_unit_test(what_moves_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
