/* SPDX-License-Identifier: MIT */
/*
 * ACL, as far as clients ask at their start: there is one user, "default", who may do everything,
 * with the password of `requirepass` or without one.
 */
#include "admin/admin.h"
#include "security/password.h"

static struct bytes password_of(const struct request *request)
{
    return bytes_text(request->admin->config->requirepass);
}

static enum status acl_whoami(struct request *request)
{
    reply_bulk_text(request->reply, "default");
    return STATUS_OK;
}

static enum status acl_users(struct request *request)
{
    reply_array(request->reply, 1);
    reply_bulk_text(request->reply, "default");
    return STATUS_OK;
}

static enum status acl_list(struct request *request)
{
    char hash[PASSWORD_HASH_SIZE];
    struct buffer line = {0};
    struct bytes password = password_of(request);
    buffer_printf(&line, "user default on ");
    if (password.size > 0) {
        password_hash(password, hash);
        buffer_printf(&line, "#%s ~* &* +@all", hash);
    } else {
        buffer_printf(&line, "nopass ~* &* +@all");
    }
    reply_array(request->reply, 1);
    reply_bulk(request->reply, buffer_bytes(&line));
    buffer_deinit(&line);
    return STATUS_OK;
}

static void reply_pair(struct reply *reply, const char *name, const char *value)
{
    reply_bulk_text(reply, name);
    reply_bulk_text(reply, value);
}

static enum status acl_getuser(struct request *request)
{
    char hash[PASSWORD_HASH_SIZE];
    struct reply *reply = request->reply;
    struct bytes password = password_of(request);
    bool nopass = password.size == 0;
    if (!bytes_equal(request->argv[2], BYTES("default"))) {
        reply_null(reply);
        return STATUS_OK;
    }
    reply_map(reply, 6);
    reply_bulk_text(reply, "flags");
    reply_set(reply, nopass ? 2 : 1);
    reply_bulk_text(reply, "on");
    if (nopass)
        reply_bulk_text(reply, "nopass");
    reply_bulk_text(reply, "passwords");
    reply_array(reply, nopass ? 0 : 1);
    if (!nopass) {
        password_hash(password, hash);
        reply_bulk_text(reply, hash);
    }
    reply_pair(reply, "commands", "+@all");
    reply_pair(reply, "keys", "~*");
    reply_pair(reply, "channels", "&*");
    reply_bulk_text(reply, "selectors");
    reply_array(reply, 0);
    return STATUS_OK;
}

/* ---- CAT ------------------------------------------------------------------------------------- */

/* Of a command with its subcommands; the names go to `reply`, which may be NULL to count them. */
static size_t list_category(const struct command *parent, const struct command *command,
                            uint32_t category, struct reply *reply)
{
    char name[COMMAND_FULL_NAME_SIZE];
    size_t count = (command_categories(command) & category) != 0;
    if (count > 0 && reply != NULL) {
        command_full_name(parent, command, name, sizeof name);
        reply_bulk_text(reply, name);
    }
    const struct command *sub = command->subcommands;
    for (; sub != NULL && sub->name != NULL; sub++)
        count += list_category(command, sub, category, reply);
    return count;
}

static enum status reply_category(struct request *request, uint32_t category)
{
    size_t count = 0;
    for (unsigned i = 0; i < command_count(request->commands); i++)
        count += list_category(NULL, command_at(request->commands, i), category, NULL);
    reply_array(request->reply, count);
    for (unsigned i = 0; i < command_count(request->commands); i++)
        list_category(NULL, command_at(request->commands, i), category, request->reply);
    return STATUS_OK;
}

static enum status acl_cat(struct request *request)
{
    unsigned count = 0;
    if (request->argc > 3)
        return command_refuse_usage(request);
    for (; command_category_name(count) != NULL; count++) {
        struct bytes name = bytes_text(command_category_name(count));
        if (request->argc == 3 && bytes_equal_nocase(request->argv[2], name))
            return reply_category(request, 1U << count);
    }
    if (request->argc == 3) {
        reply_errorf(request->reply, "ERR Unknown category '%.*s'",
                     request_echoed(request->argv[2]), request->argv[2].data);
        return STATUS_REPLIED;
    }
    reply_array(request->reply, count);
    for (unsigned i = 0; i < count; i++)
        reply_bulk_text(request->reply, command_category_name(i));
    return STATUS_OK;
}

static enum status acl_help(struct request *request)
{
    static const char *const lines[] = {
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "GETUSER <username>",
        "    Get the user's details.",
        "LIST",
        "    Show users details in config file format.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
        NULL,
    };
    return command_help(request, lines);
}

#define ANY_TIME (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const struct command acl_subcommands[] = {
    {.name = "cat",
     .handler = acl_cat,
     .arity = -2,
     .flags = ANY_TIME,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1) since the categories and commands are a fixed set.",
     .syntax = "[categoryname]",
     .summary = "Lists the ACL categories, or the commands inside a category."},
    {.name = "getuser",
     .handler = acl_getuser,
     .arity = 3,
     .flags = ANY_TIME | CMD_ADMIN,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "username",
     .summary = "Lists the ACL rules of a user."},
    {.name = "help",
     .handler = acl_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {.name = "list",
     .handler = acl_list,
     .arity = 2,
     .flags = ANY_TIME | CMD_ADMIN,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Dumps the effective rules in ACL file format."},
    {.name = "users",
     .handler = acl_users,
     .arity = 2,
     .flags = ANY_TIME | CMD_ADMIN,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Lists all ACL users."},
    {.name = "whoami",
     .handler = acl_whoami,
     .arity = 2,
     .flags = ANY_TIME,
     .since = "6.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns the authenticated username of the current connection."},
    {0},
};

const struct command acl_commands[] = {
    {.name = "acl",
     .arity = -2,
     .since = "6.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for Access List Control commands.",
     .differs = "One user, \"default\", who may do all; others cannot be made.",
     .subcommands = acl_subcommands},
    {0},
};
