/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "command/request.h"

static enum status nothing(struct request *request)
{
    (void)request;
    return STATUS_OK;
}

static const struct command config_subcommands[] = {
    {.name = "get", .handler = nothing, .arity = -3, .flags = CMD_ADMIN},
    {.name = "set", .handler = nothing, .arity = -4, .flags = CMD_ADMIN},
    {.name = NULL},
};
static const struct command command_subcommands[] = {
    {.name = "get", .handler = nothing, .arity = -3},
    {.name = NULL},
};
static const struct command first_table[] = {
    {.name = "get", .handler = nothing, .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING},
    {.name = "set", .handler = nothing, .flags = CMD_WRITE, .categories = CAT_STRING},
    {.name = NULL},
};
static const struct command second_table[] = {
    {.name = "config", .arity = -2, .subcommands = config_subcommands},
    {.name = "command", .handler = nothing, .arity = -1, .subcommands = command_subcommands},
    {.name = NULL},
};
static const struct command *const tables[] = {first_table, second_table, NULL};

static const struct command *find(const struct command_set *set, const char *name,
                                  const char *subcommand, const struct command **out_parent)
{
    struct bytes second = {0};
    if (subcommand != NULL)
        second = bytes_text(subcommand);
    return command_find(set, bytes_text(name), second, out_parent);
}

static void a_command_is_found_by_name_without_case(void **state)
{
    (void)state;
    struct command_set *set = command_set_new(tables);
    const struct command *parent = first_table;
    assert_ptr_equal(find(set, "get", NULL, &parent), &first_table[0]);
    assert_null(parent);
    assert_ptr_equal(find(set, "SeT", "x", &parent), &first_table[1]);
    assert_null(parent);
    assert_null(find(set, "", NULL, &parent));
    assert_null(find(set, "ge", NULL, &parent));
    assert_null(find(set, "gett", NULL, &parent));
    assert_null(find(set, "config|get", NULL, &parent));
    assert_null(find(set, "gE\x54\x20", NULL, &parent));
    assert_null(command_find(set, BYTES("get\0"), (struct bytes){0}, &parent));
    static char large[100000];
    assert_null(command_find(set, bytes_of(large, sizeof large), (struct bytes){0}, &parent));
    command_set_free(set);
    command_set_free(NULL);
}

static void a_subcommand_is_found_under_its_command(void **state)
{
    (void)state;
    struct command_set *set = command_set_new(tables);
    const struct command *parent = NULL;
    assert_ptr_equal(find(set, "CONFIG", "GET", &parent), &config_subcommands[0]);
    assert_ptr_equal(parent, &second_table[0]);
    assert_ptr_equal(find(set, "command", "get", &parent), &command_subcommands[0]);
    assert_ptr_equal(parent, &second_table[1]);

    assert_ptr_equal(find(set, "config", NULL, &parent), &second_table[0]);
    assert_null(parent);
    assert_null(find(set, "config", "nothing", &parent));
    assert_ptr_equal(parent, &second_table[0]);
    assert_null(find(set, "config", "", &parent));
    assert_ptr_equal(parent, &second_table[0]);
    assert_null(find(set, "command", "set", &parent));
    command_set_free(set);
}

static void commands_come_in_the_tables_order(void **state)
{
    (void)state;
    struct command_set *set = command_set_new(tables);
    static const char *const names[] = {"get", "set", "config", "command"};
    assert_int_equal(command_count(set), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(command_at(set, i)->name, names[i]);
    assert_null(command_at(set, 4));
    command_set_free(set);
}

static void hundreds_of_commands_find_themselves(void **state)
{
    (void)state;
    static struct command many[401];
    static char names[400][24];
    for (int i = 0; i < 400; i++) {
        snprintf(names[i], sizeof names[i], "command%d", i);
        many[i] = (struct command){.name = names[i], .handler = nothing};
    }
    const struct command *const lists[] = {many, NULL};
    struct command_set *set = command_set_new(lists);
    const struct command *parent;
    for (int i = 0; i < 400; i++)
        assert_ptr_equal(find(set, names[i], NULL, &parent), &many[i]);
    assert_null(find(set, "command400", NULL, &parent));
    command_set_free(set);
}

static void categories_follow_from_flags(void **state)
{
    (void)state;
    assert_int_equal(command_categories(&first_table[0]), CAT_STRING | CAT_READ | CAT_FAST);
    assert_int_equal(command_categories(&first_table[1]), CAT_STRING | CAT_WRITE | CAT_SLOW);
    assert_int_equal(command_categories(&config_subcommands[0]),
                     CAT_ADMIN | CAT_DANGEROUS | CAT_SLOW);
    struct command blocking = {.flags = CMD_WRITE | CMD_BLOCKING | CMD_PUBSUB};
    assert_int_equal(command_categories(&blocking),
                     CAT_WRITE | CAT_BLOCKING | CAT_PUBSUB | CAT_SLOW);
    struct command script = {.flags = CMD_READONLY, .categories = CAT_SCRIPTING};
    assert_int_equal(command_categories(&script), CAT_SCRIPTING | CAT_SLOW);
}

static unsigned bit_of(uint32_t flag)
{
    return (unsigned)__builtin_ctz(flag);
}

static void flags_have_redis_s_names(void **state)
{
    (void)state;
    assert_string_equal(command_flag_name(bit_of(CMD_WRITE)), "write");
    assert_string_equal(command_flag_name(bit_of(CMD_NO_AUTH)), "no_auth");
    assert_string_equal(command_flag_name(bit_of(CMD_ALLOW_BUSY)), "allow_busy");
    assert_null(command_flag_name(bit_of(CMD_ALLOW_BUSY) + 1));
    assert_string_equal(command_category_name(bit_of(CAT_KEYSPACE)), "keyspace");
    assert_string_equal(command_category_name(bit_of(CAT_PUBSUB)), "pubsub");
    assert_string_equal(command_category_name(bit_of(CAT_SCRIPTING)), "scripting");
    assert_null(command_category_name(bit_of(CAT_SCRIPTING) + 1));
    assert_string_equal(command_key_flag_name(bit_of(KEY_RO)), "RO");
    assert_string_equal(command_key_flag_name(bit_of(KEY_VARIABLE_FLAGS)), "variable_flags");
    assert_null(command_key_flag_name(bit_of(KEY_VARIABLE_FLAGS) + 1));
}

static void a_full_name_fits_or_is_cut(void **state)
{
    (void)state;
    char name[COMMAND_FULL_NAME_SIZE], small[4];
    command_full_name(NULL, &first_table[0], name, sizeof name);
    assert_string_equal(name, "get");
    command_full_name(&second_table[0], &config_subcommands[0], name, sizeof name);
    assert_string_equal(name, "config|get");
    command_full_name(&second_table[0], &config_subcommands[0], small, sizeof small);
    assert_string_equal(small, "con");
}

static void each_error_has_redis_s_words(void **state)
{
    (void)state;
    static const char *const errors[] = {
        [STATUS_WRONG_TYPE] = "WRONGTYPE Operation against a key holding the wrong kind of value",
        [STATUS_SYNTAX] = "ERR syntax error",
        [STATUS_NOT_INTEGER] = "ERR value is not an integer or out of range",
        [STATUS_NOT_FLOAT] = "ERR value is not a valid float",
        [STATUS_NOT_FINITE] = "ERR increment would produce NaN or Infinity",
        [STATUS_OVERFLOW] = "ERR increment or decrement would overflow",
        [STATUS_OUT_OF_MEMORY] = "OOM command not allowed when used memory > 'maxmemory'.",
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i] != NULL)
            assert_true(bytes_equal(command_error_text((enum status)i), bytes_text(errors[i])));
    }
    assert_true(command_error_text(STATUS_DISK_FULL).size > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_found_by_name_without_case),
        cmocka_unit_test(a_subcommand_is_found_under_its_command),
        cmocka_unit_test(commands_come_in_the_tables_order),
        cmocka_unit_test(hundreds_of_commands_find_themselves),
        cmocka_unit_test(categories_follow_from_flags),
        cmocka_unit_test(flags_have_redis_s_names),
        cmocka_unit_test(a_full_name_fits_or_is_cut),
        cmocka_unit_test(each_error_has_redis_s_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
