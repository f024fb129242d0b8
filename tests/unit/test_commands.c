/* SPDX-License-Identifier: MIT */
/*
 * What must hold of every command that the server has, whatever file its table is in. With
 * --differs: what differs from Redis, a line each, for docs/commands.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "command/command_syntax.h"
#include "commands.h"

static void for_each(void (*look)(const struct command *parent, const struct command *command))
{
    for (const struct command *const *table = command_tables; *table; table++) {
        for (const struct command *command = *table; command->name; command++) {
            look(NULL, command);
            for (const struct command *sub = command->subcommands; sub && sub->name; sub++)
                look(command, sub);
        }
    }
}

/* How many words one argument takes at least. */
static int least_words(const struct syntax_argument *argument)
{
    int words = argument->token.size > 0;
    if (argument->optional)
        return 0;
    if (!argument->arguments)
        return bytes_equal(argument->type, BYTES("pure-token")) ? 1 : words + 1;
    bool one = bytes_equal(argument->type, BYTES("oneof"));
    int least = 0;
    for (const struct syntax_argument *a = argument->arguments; a; a = a->next) {
        int takes = least_words(a);
        if (!one)
            least += takes;
        else if (a == argument->arguments || takes < least)
            least = takes;
    }
    return words + least;
}

static void expect_syntax(const struct command *parent, const struct command *command)
{
    struct arena arena;
    struct syntax_argument *first;
    arena_init(&arena);
    assert_non_null(command->syntax);
    if (command_syntax_parse(command->syntax, &arena, &first) != STATUS_OK)
        fail_msg("%s: \"%s\" is not understood", command->name, command->syntax);
    int words = 0;
    for (const struct syntax_argument *argument = first; argument; argument = argument->next)
        words += least_words(argument);
    int arity = command->arity < 0 ? -command->arity : command->arity;
    int own_words = parent || !command->handler ? 2 : 1;
    if (arity != own_words + words)
        fail_msg("%s: arity %d, but \"%s\"", command->name, command->arity, command->syntax);
    arena_deinit(&arena);
}

static void test_each_syntax_is_understood(void **state)
{
    (void)state;
    for_each(expect_syntax);
}

static void expect_documented(const struct command *parent, const struct command *command)
{
    (void)parent;
    assert_true(command->handler || command->subcommands);
    assert_true(command->arity != 0);
    assert_non_null(command->since);
    assert_non_null(command->group);
    assert_non_null(command->complexity);
    assert_non_null(command->summary);
    size_t size = strlen(command->summary);
    assert_true(size > 0 && command->summary[size - 1] == '.');
}

static void test_each_is_documented(void **state)
{
    (void)state;
    for_each(expect_documented);
}

/* Lower case; a tip with a value has just one colon. */
static void expect_tips(const struct command *parent, const struct command *command)
{
    (void)parent;
    const char *tips = command->tips ? command->tips : "";
    for (const char *at = tips; *at; at++)
        assert_true((*at >= 'a' && *at <= 'z') || *at == '_' || *at == ':' || *at == ' ');
    size_t size = strlen(tips);
    assert_true(size == 0 || (tips[0] != ' ' && tips[size - 1] != ' '));
    assert_null(strstr(tips, "  "));
}

static void test_tips_are_words(void **state)
{
    (void)state;
    for_each(expect_tips);
}

static void print_difference(const struct command *parent, const struct command *command)
{
    char name[COMMAND_FULL_NAME_SIZE];
    command_full_name(parent, command, name, sizeof(name));
    if (command->differs)
        printf("%s\t%s\n", name, command->differs);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--differs") == 0) {
        for_each(print_difference);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_syntax_is_understood),
        cmocka_unit_test(test_each_is_documented),
        cmocka_unit_test(test_tips_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
