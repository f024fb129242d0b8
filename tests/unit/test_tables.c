/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "command/command_syntax.h"
#include "command/tables.h"
#include "doubles/talk.h"

static const struct command *const tables[] = {
    string_commands, string_many_commands, string_range_commands, string_number_commands,
    lcs_commands,    bitmap_commands,      bitop_commands,        bitfield_commands,
    key_commands,    expire_commands,      keyspace_commands};
enum { TABLE_COUNT = sizeof(tables) / sizeof(tables[0]) };

static void expect_whole(const struct command *command)
{
    assert_non_null(command->handler);
    assert_true(command->arity != 0);
    assert_non_null(command->since);
    assert_non_null(command->group);
    assert_non_null(command->complexity);
    assert_non_null(command->summary);
    bool writes = command->flags & CMD_WRITE;
    bool reads = command->flags & CMD_READONLY;
    assert_true(writes != reads);
}

/* Each place where keys stand: one kind of access, and a way to the next key. */
static void expect_key_specs(const struct command *command)
{
    struct key_spec scratch;
    const struct key_spec *spec;
    for (unsigned i = 0; (spec = command_key_spec(command, i, &scratch)) != NULL; i++) {
        uint32_t access = spec->flags & (KEY_RO | KEY_RW | KEY_OW | KEY_RM);
        assert_int_equal(__builtin_popcount(access), 1);
        assert_true(spec->step >= 1);
        assert_true(spec->begin != 0);
        assert_true(spec->counted ? spec->first >= 1 : spec->first == 0);
        assert_true(!(spec->flags & KEY_VARIABLE_FLAGS) || command->key_flags_of != NULL);
    }
}

/* What is said of the keys agrees with itself, and with the arity. */
static void expect_keys(const struct command *command)
{
    expect_key_specs(command);
    if (command->key_specs != NULL)
        assert_int_equal(command->key_flags, 0);
    if (command->first_key == 0) {
        assert_int_equal(command->last_key, 0);
        assert_int_equal(command->key_step, 0);
        assert_int_equal(command->key_flags, 0);
        return;
    }
    assert_true(command->key_step >= 1);
    assert_true((command->key_flags != 0) != (command->key_specs != NULL));
    int least = command->arity < 0 ? -command->arity : command->arity;
    assert_true(command->last_key == -1 || command->last_key >= command->first_key);
    assert_true(command->last_key > 0 ? command->last_key < least : command->arity < 0);
}

static void expect_syntax(const struct command *command)
{
    struct arena arena;
    struct syntax_argument *first;
    arena_init(&arena);
    assert_int_equal(command_syntax_parse(command->syntax, &arena, &first), STATUS_OK);
    int least = 1;
    for (struct syntax_argument *argument = first; argument; argument = argument->next) {
        if (argument->optional)
            continue;
        least++;
        if (bytes_equal(argument->type, BYTES("block")))
            for (struct syntax_argument *next = argument->arguments->next; next; next = next->next)
                least++;
    }
    int arity = command->arity;
    assert_int_equal(least, arity < 0 ? -arity : arity);
    arena_deinit(&arena);
}

static void test_each_entry_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *command = tables[i]; command->name; command++) {
            expect_whole(command);
            expect_keys(command);
            expect_syntax(command);
        }
    }
}

static unsigned entries_named(const char *name)
{
    unsigned count = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (const struct command *command = tables[i]; command->name; command++)
            count += strcmp(command->name, name) == 0;
    return count;
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (const struct command *command = tables[i]; command->name; command++)
            assert_int_equal(entries_named(command->name), 1);
}

/* With as few arguments as it takes: one reply, that ends as replies do. */
static void test_each_replies(void **state)
{
    (void)state;
    enum { ARGUMENTS_MAX = 8 };
    struct talk talk;
    talk_init(&talk, true);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *command = tables[i]; command->name; command++) {
            struct bytes argv[ARGUMENTS_MAX] = {bytes_text(command->name)};
            int argc = command->arity < 0 ? -command->arity : command->arity;
            assert_true(argc <= ARGUMENTS_MAX);
            for (int j = 1; j < argc; j++)
                argv[j] = BYTES("1");
            struct bytes reply = talk_say_argv(&talk, argv, (uint32_t)argc);
            assert_true(reply.size >= 4 && memchr("+-:$*", reply.data[0], 5));
            assert_memory_equal(reply.data + reply.size - 2, "\r\n", 2);
        }
    }
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_entry_is_whole),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_each_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
