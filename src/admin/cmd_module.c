/* SPDX-License-Identifier: MIT */
/* MODULE: none can be loaded. Programs that show a server ask for the list. */
#include "admin/admin.h"

static enum status module_list(struct request *request)
{
    reply_array(request->reply, 0);
    return STATUS_OK;
}

static enum status module_refused(struct request *request)
{
    return request_refuse(request, "ERR MODULE command not allowed. This server has no modules.");
}

static enum status module_help(struct request *request)
{
    static const char *const lines[] = {
        "LIST",
        "    Return a list of loaded modules: always empty.",
        NULL,
    };
    return command_help(request, lines);
}

static const struct command module_subcommands[] = {
    {.name = "list",
     .handler = module_list,
     .arity = 2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of loaded modules",
     .syntax = "",
     .summary = "Returns all loaded modules.",
     .tips = "nondeterministic_output_order"},
    {.name = "load",
     .handler = module_refused,
     .arity = -3,
     .flags = CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "path [arg...]",
     .summary = "Loads a module."},
    {.name = "loadex",
     .handler = module_refused,
     .arity = -3,
     .flags = CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT,
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "path [configs=CONFIG name value]... [ARGS arg...]",
     .summary = "Loads a module using extended parameters."},
    {.name = "unload",
     .handler = module_refused,
     .arity = 3,
     .flags = CMD_NO_ASYNC_LOADING | CMD_ADMIN | CMD_NOSCRIPT,
     .since = "4.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "name",
     .summary = "Unloads a module."},
    {.name = "help",
     .handler = module_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {0},
};

const struct command module_commands[] = {
    {.name = "module",
     .arity = -2,
     .since = "4.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for module commands.",
     .subcommands = module_subcommands},
    {0},
};
