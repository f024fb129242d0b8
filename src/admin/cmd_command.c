/* SPDX-License-Identifier: MIT */
/* COMMAND: what the table of commands says, in the shapes of Redis 7. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/glob.h"
#include "command/command_keys.h"
#include "command/command_syntax.h"

typedef const char *(*bit_name)(unsigned bit);

/* A set of the names of the bits that are set. */
static void reply_names(struct reply *reply, uint32_t bits, bit_name name, const char *before)
{
    reply_set(reply, (size_t)__builtin_popcount(bits));
    for (unsigned i = 0; i < 32; i++) {
        char text[64];
        if (!(bits & 1U << i))
            continue;
        snprintf(text, sizeof text, "%s%s", before, name(i));
        reply_simple(reply, bytes_text(text));
    }
}

/* By "name" or "name|subcommand". */
static const struct command *find_full(const struct request *request, struct bytes name,
                                       const struct command **out_parent)
{
    struct bytes subcommand = {0};
    const char *bar = name.size > 0 ? memchr(name.data, '|', name.size) : NULL;
    if (bar != NULL) {
        size_t size = (size_t)(bar - name.data);
        subcommand = bytes_of(bar + 1, name.size - size - 1);
        name.size = size;
    }
    const struct command *command = command_find(request->commands, name, subcommand, out_parent);
    if (command != NULL && bar != NULL && *out_parent == NULL)
        return NULL; /* it has no subcommands */
    return command;
}

static size_t count_subcommands(const struct command *command)
{
    size_t count = 0;
    const struct command *sub = command->subcommands;
    while (sub != NULL && sub[count].name != NULL)
        count++;
    return count;
}

/* ---- INFO ------------------------------------------------------------------------------------ */

static void reply_tips(struct reply *reply, const char *tips)
{
    size_t count = 0;
    for (const char *at = tips; at != NULL && *at != '\0'; at += strspn(at, " ")) {
        at += strcspn(at, " ");
        count++;
    }
    reply_set(reply, count);
    for (const char *at = tips; at != NULL && *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        reply_bulk(reply, bytes_of(at, size));
        at += size;
    }
}

static void reply_pair_integer(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_text(reply, name);
    reply_integer(reply, value);
}

static void reply_pair_text(struct reply *reply, const char *name, const char *value)
{
    reply_bulk_text(reply, name);
    reply_bulk_text(reply, value);
}

static void reply_begin_search(struct reply *reply, const struct key_spec *spec)
{
    bool keyword = spec->keyword != NULL;
    reply_bulk_text(reply, "begin_search");
    reply_map(reply, 2);
    reply_pair_text(reply, "type", keyword ? "keyword" : "index");
    reply_bulk_text(reply, "spec");
    reply_map(reply, keyword ? 2 : 1);
    if (keyword)
        reply_pair_text(reply, "keyword", spec->keyword);
    reply_pair_integer(reply, keyword ? "startfrom" : "index", spec->begin);
}

static void reply_find_keys(struct reply *reply, const struct key_spec *spec)
{
    reply_bulk_text(reply, "find_keys");
    reply_map(reply, 2);
    reply_pair_text(reply, "type", spec->counted ? "keynum" : "range");
    reply_bulk_text(reply, "spec");
    reply_map(reply, 3);
    if (spec->counted) {
        reply_pair_integer(reply, "keynumidx", 0);
        reply_pair_integer(reply, "firstkey", spec->first);
        reply_pair_integer(reply, "keystep", spec->step);
    } else {
        reply_pair_integer(reply, "lastkey", spec->last);
        reply_pair_integer(reply, "keystep", spec->step);
        reply_pair_integer(reply, "limit", spec->limit);
    }
}

static unsigned count_specs(const struct command *command)
{
    struct key_spec scratch;
    unsigned count = 0;
    while (command_key_spec(command, count, &scratch) != NULL)
        count++;
    return count;
}

/* Where the keys stand, in the newer form. */
static void reply_key_specifications(struct reply *reply, const struct command *command)
{
    struct key_spec scratch;
    const struct key_spec *spec;
    reply_set(reply, count_specs(command));
    for (unsigned i = 0; (spec = command_key_spec(command, i, &scratch)) != NULL; i++) {
        reply_map(reply, 3);
        reply_bulk_text(reply, "flags");
        reply_names(reply, spec->flags, command_key_flag_name, "");
        reply_begin_search(reply, spec);
        reply_find_keys(reply, spec);
    }
}

static void reply_info(struct reply *reply, const struct command *parent,
                       const struct command *command)
{
    char name[COMMAND_FULL_NAME_SIZE];
    size_t subcommands = count_subcommands(command);
    command_full_name(parent, command, name, sizeof name);
    reply_array(reply, 10);
    reply_bulk_text(reply, name);
    reply_integer(reply, command->arity);
    reply_names(reply, command_flags(command), command_flag_name, "");
    reply_integer(reply, command->first_key);
    reply_integer(reply, command->last_key);
    reply_integer(reply, command->key_step);
    reply_names(reply, command_categories(command), command_category_name, "@");
    reply_tips(reply, command->tips);
    reply_key_specifications(reply, command);
    if (subcommands == 0)
        reply_set(reply, 0); /* an array where there are some, in Redis */
    else
        reply_array(reply, subcommands);
    for (size_t i = 0; i < subcommands; i++)
        reply_info(reply, command, &command->subcommands[i]);
}

static enum status command_all(struct request *request)
{
    reply_array(request->reply, command_count(request->commands));
    for (unsigned i = 0; i < command_count(request->commands); i++)
        reply_info(request->reply, NULL, command_at(request->commands, i));
    return STATUS_OK;
}

static enum status command_info(struct request *request)
{
    if (request->argc == 2)
        return command_all(request);
    reply_array(request->reply, request->argc - 2);
    for (uint32_t i = 2; i < request->argc; i++) {
        const struct command *parent;
        const struct command *command = find_full(request, request->argv[i], &parent);
        if (command != NULL)
            reply_info(request->reply, parent, command);
        else
            reply_null(request->reply);
    }
    return STATUS_OK;
}

/* ---- DOCS ------------------------------------------------------------------------------------ */

static void reply_pair(struct reply *reply, const char *name, struct bytes value)
{
    reply_bulk_text(reply, name);
    reply_bulk(reply, value);
}

/*
 * Which specification an argument that is a key belongs to: they stand in the order of the
 * arguments, and the last one counts for all further keys.
 */
struct spec_counter {
    int64_t next, last;
};

static int64_t take_spec(struct spec_counter *specs)
{
    return specs->next < specs->last ? specs->next++ : specs->last;
}

static void reply_arguments(struct reply *reply, const struct syntax_argument *first,
                            struct spec_counter *specs);

static void reply_argument(struct reply *reply, const struct syntax_argument *argument,
                           struct spec_counter *specs)
{
    bool is_key = bytes_equal(argument->type, BYTES("key"));
    bool is_shown = argument->arguments == NULL;
    size_t flags = (size_t)argument->optional + argument->multiple + argument->multiple_token;
    reply_map(reply, 2 + (size_t)is_shown + is_key + (argument->token.size > 0) + (flags > 0) +
                         (argument->arguments != NULL));
    reply_pair(reply, "name", argument->name);
    reply_pair(reply, "type", argument->type);
    if (is_shown)
        reply_pair(reply, "display_text", argument->name);
    if (is_key)
        reply_pair_integer(reply, "key_spec_index", take_spec(specs));
    if (argument->token.size > 0)
        reply_pair(reply, "token", argument->token);
    if (flags > 0) {
        reply_bulk_text(reply, "flags");
        reply_set(reply, flags);
        if (argument->optional)
            reply_simple(reply, BYTES("optional"));
        if (argument->multiple)
            reply_simple(reply, BYTES("multiple"));
        if (argument->multiple_token)
            reply_simple(reply, BYTES("multiple_token"));
    }
    if (argument->arguments != NULL) {
        reply_bulk_text(reply, "arguments");
        reply_arguments(reply, argument->arguments, specs);
    }
}

static void reply_arguments(struct reply *reply, const struct syntax_argument *first,
                            struct spec_counter *specs)
{
    size_t count = 0;
    for (const struct syntax_argument *a = first; a != NULL; a = a->next)
        count++;
    reply_array(reply, count);
    for (const struct syntax_argument *a = first; a != NULL; a = a->next)
        reply_argument(reply, a, specs);
}

/* The name and the map of one command. */
static void reply_docs(struct reply *reply, struct arena *arena, const struct command *parent,
                       const struct command *command)
{
    char name[COMMAND_FULL_NAME_SIZE];
    size_t subcommands = count_subcommands(command);
    struct syntax_argument *arguments = NULL;
    enum status status = STATUS_OK;
    if (command->syntax != NULL)
        status = command_syntax_parse(command->syntax, arena, &arguments);
    if (status != STATUS_OK)
        arguments = NULL; /* a slip in the table is a test's to find: nobody's reply fails for it */
    command_full_name(parent, command, name, sizeof name);
    reply_bulk_text(reply, name);
    reply_map(reply, 4 + (size_t)(arguments != NULL) + (subcommands > 0));
    reply_pair(reply, "summary", bytes_text(command->summary));
    reply_pair(reply, "since", bytes_text(command->since));
    reply_pair(reply, "group", bytes_text(command->group));
    reply_pair(reply, "complexity", bytes_text(command->complexity));
    if (arguments != NULL) {
        struct spec_counter specs = {.last = count_specs(command) - 1};
        reply_bulk_text(reply, "arguments");
        reply_arguments(reply, arguments, &specs);
    }
    if (subcommands > 0) {
        reply_bulk_text(reply, "subcommands");
        reply_map(reply, subcommands);
        for (size_t i = 0; i < subcommands; i++)
            reply_docs(reply, arena, command, &command->subcommands[i]);
    }
}

static enum status command_docs(struct request *request)
{
    const struct command *parent;
    size_t known = 0;
    if (request->argc == 2) {
        reply_map(request->reply, command_count(request->commands));
        for (unsigned i = 0; i < command_count(request->commands); i++)
            reply_docs(request->reply, request->arena, NULL, command_at(request->commands, i));
        return STATUS_OK;
    }
    for (uint32_t i = 2; i < request->argc; i++)
        known += find_full(request, request->argv[i], &parent) != NULL;
    reply_map(request->reply, known);
    for (uint32_t i = 2; i < request->argc; i++) {
        const struct command *command = find_full(request, request->argv[i], &parent);
        if (command != NULL)
            reply_docs(request->reply, request->arena, parent, command);
    }
    return STATUS_OK;
}

/* ---- LIST ------------------------------------------------------------------------------------ */

struct filter {
    bool (*wants)(const struct filter *filter, const struct command *command, const char *name);
    struct bytes text;
    uint32_t category;
};

static bool wants_any(const struct filter *filter, const struct command *command, const char *name)
{
    (void)filter, (void)command, (void)name;
    return true;
}

/* There are no modules. */
static bool wants_module(const struct filter *filter, const struct command *command,
                         const char *name)
{
    (void)filter, (void)command, (void)name;
    return false;
}

static bool wants_category(const struct filter *filter, const struct command *command,
                           const char *name)
{
    (void)name;
    return (command_categories(command) & filter->category) != 0;
}

static bool wants_pattern(const struct filter *filter, const struct command *command,
                          const char *name)
{
    (void)command;
    return glob_match(filter->text, bytes_text(name), true);
}

/* With subcommands. The names go to `reply`, which may be NULL to count them only. */
static size_t list_names(const struct filter *filter, const struct command *parent,
                         const struct command *command, struct reply *reply)
{
    char name[COMMAND_FULL_NAME_SIZE];
    command_full_name(parent, command, name, sizeof name);
    size_t count = filter->wants(filter, command, name);
    if (count > 0 && reply != NULL)
        reply_bulk_text(reply, name);
    for (size_t i = 0; i < count_subcommands(command); i++)
        count += list_names(filter, command, &command->subcommands[i], reply);
    return count;
}

static enum status parse_filter(const struct request *request, struct filter *out)
{
    *out = (struct filter){.wants = wants_any};
    if (request->argc == 2)
        return STATUS_OK;
    if (request->argc != 5 || !bytes_equal_nocase(request->argv[2], BYTES("filterby")))
        return STATUS_SYNTAX;
    struct bytes kind = request->argv[3];
    out->text = request->argv[4];
    if (bytes_equal_nocase(kind, BYTES("module"))) {
        out->wants = wants_module;
    } else if (bytes_equal_nocase(kind, BYTES("pattern"))) {
        out->wants = wants_pattern;
    } else if (bytes_equal_nocase(kind, BYTES("aclcat"))) {
        out->wants = wants_category;
        for (unsigned i = 0; command_category_name(i) != NULL; i++) {
            if (bytes_equal_nocase(out->text, bytes_text(command_category_name(i))))
                out->category = 1U << i;
        }
    } else {
        return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

static enum status command_list(struct request *request)
{
    struct filter filter;
    size_t count = 0;
    enum status status = parse_filter(request, &filter);
    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; i < command_count(request->commands); i++)
        count += list_names(&filter, NULL, command_at(request->commands, i), NULL);
    reply_array(request->reply, count);
    for (unsigned i = 0; i < command_count(request->commands); i++)
        list_names(&filter, NULL, command_at(request->commands, i), request->reply);
    return STATUS_OK;
}

/* ---- GETKEYS --------------------------------------------------------------------------------- */

/* Of the command that stands behind COMMAND GETKEYS. */
static enum status reply_keys(struct request *request, bool with_flags)
{
    const struct command *parent;
    int argc = (int)request->argc - 2;
    struct bytes *argv = request->argv + 2;
    struct bytes second = argc > 1 ? argv[1] : (struct bytes){0};
    const struct command *command = command_find(request->commands, argv[0], second, &parent);
    if (command == NULL)
        return request_refuse(request, "ERR Invalid command specified");
    if (count_specs(command) == 0)
        return request_refuse(request, "ERR The command has no key arguments");
    if (command->arity >= 0 ? argc != command->arity : argc < -command->arity)
        return request_refuse(request, "ERR Invalid number of arguments specified for command");
    struct command_key *keys = NULL;
    size_t count = 0;
    enum status status = command_keys(command, argv, (uint32_t)argc, request->arena, &keys, &count);
    if ((status != STATUS_OK || count == 0) && !command->keys_optional)
        return request_refuse(request, "ERR Invalid arguments specified for command");
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        if (with_flags)
            reply_array(request->reply, 2);
        reply_bulk(request->reply, argv[keys[i].position]);
        if (with_flags)
            reply_names(request->reply, keys[i].flags, command_key_flag_name, "");
    }
    return STATUS_OK;
}

static enum status command_getkeys(struct request *request)
{
    return reply_keys(request, false);
}

static enum status command_getkeysandflags(struct request *request)
{
    return reply_keys(request, true);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static enum status command_count_all(struct request *request)
{
    reply_integer(request->reply, command_count(request->commands));
    return STATUS_OK;
}

static enum status command_help_text(struct request *request)
{
    static const char *const lines[] = {
        "(no subcommand)",
        "    Return details about all Redis commands.",
        "COUNT",
        "    Return the total number of commands in this Redis server.",
        "LIST",
        "    Return a list of all commands in this Redis server.",
        "INFO [<command-name> ...]",
        "    Return details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "GETKEYS <full-command>",
        "    Return the keys from a full Redis command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys and the access flags from a full Redis command.",
        NULL,
    };
    return command_help(request, lines);
}

#define ANY_TIME (CMD_LOADING | CMD_STALE)
#define LOOK_UP  "O(N) where N is the number of commands to look up"
#define ALL      "O(N) where N is the total number of Redis commands"
#define WORDS    "O(N) where N is the number of arguments to the command"

#define IN_ANY_ORDER "nondeterministic_output_order"

#define SUBCOMMAND(word, function, words, from, order, hints, text, notation)                      \
    {                                                                                              \
        .name = (word), .handler = (function), .arity = (words), .flags = ANY_TIME,                \
        .categories = CAT_CONNECTION, .since = (from), .group = "server", .complexity = (order),   \
        .tips = (hints), .summary = (text), .syntax = (notation)                                   \
    }

static const struct command command_subcommands[] = {
    SUBCOMMAND("count", command_count_all, 2, "2.8.13", "O(1)", NULL,
               "Returns a count of commands.", ""),
    SUBCOMMAND("docs", command_docs, -2, "7.0.0", LOOK_UP, IN_ANY_ORDER,
               "Returns documentary information about one, multiple or all commands.",
               "[command-name...]"),
    SUBCOMMAND("getkeys", command_getkeys, -3, "2.8.13", WORDS, NULL,
               "Extracts the key names from an arbitrary command.", "command [arg...]"),
    SUBCOMMAND("getkeysandflags", command_getkeysandflags, -3, "7.0.0", WORDS, NULL,
               "Extracts the key names and access flags for an arbitrary command.",
               "command [arg...]"),
    SUBCOMMAND("help", command_help_text, 2, "5.0.0", "O(1)", NULL,
               "Returns helpful text about the different subcommands.", ""),
    SUBCOMMAND("info", command_info, -2, "2.8.13", LOOK_UP, IN_ANY_ORDER,
               "Returns information about one, multiple or all commands.", "[command-name...]"),
    SUBCOMMAND("list", command_list, -2, "7.0.0", ALL, IN_ANY_ORDER,
               "Returns a list of command names.",
               "[FILTERBY (MODULE module-name|ACLCAT category|PATTERN pattern:pattern)]"),
    {0},
};

const struct command command_commands[] = {
    {.name = "command",
     .handler = command_all,
     .arity = -1,
     .flags = ANY_TIME,
     .categories = CAT_CONNECTION,
     .since = "2.8.13",
     .group = "server",
     .complexity = ALL,
     .summary = "Returns detailed information about all commands.",
     .syntax = "",
     .tips = IN_ANY_ORDER,
     .subcommands = command_subcommands},
    {0},
};
