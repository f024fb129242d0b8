/* SPDX-License-Identifier: MIT */
/* CONFIG: what the settings are, and to change them. */
#include "admin/admin.h"
#include "base/check.h"
#include "base/glob.h"

static void report_reason(struct request *request, const char *name, struct bytes reason)
{
    reply_errorf(request->reply, "ERR CONFIG SET failed (possibly related to argument '%s') - %.*s",
                 name, (int)reason.size, reason.data);
}

/* ---- GET ------------------------------------------------------------------------------------- */

/* The name as the client knows it: its own word, or ours where that is a pattern. NULL: not asked
 * for. */
static struct bytes asked_as(const struct request *request, struct bytes name)
{
    for (uint32_t i = 2; i < request->argc; i++) {
        if (bytes_equal_nocase(request->argv[i], name))
            return request->argv[i];
        if (glob_match(request->argv[i], name, true))
            return name;
    }
    return bytes_of(NULL, 0);
}

static enum status config_get(struct request *request)
{
    const char *name;
    struct bytes asked[CONFIG_OPTIONS_MAX];
    size_t count = 0;
    struct buffer value = {0};
    for (unsigned i = 0; (name = config_name(i)) != NULL; i++) {
        asked[i] = asked_as(request, bytes_text(name));
        count += asked[i].data != NULL;
    }
    reply_map(request->reply, count);
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        if (!asked[i].data)
            continue;
        buffer_clear(&value, CONFIG_VALUE_MAX);
        config_value(request->admin->config, i, &value);
        reply_bulk(request->reply, asked[i]);
        reply_bulk(request->reply, buffer_bytes(&value));
    }
    buffer_deinit(&value);
    return STATUS_OK;
}

/* ---- SET ------------------------------------------------------------------------------------- */

/* One pair: the setting by index, its value before. */
struct change {
    unsigned index;
    struct bytes old;
};

static bool find_index(struct bytes name, unsigned *out_index)
{
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        if (bytes_equal_nocase(name, bytes_text(config_name(i)))) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

/* Every name is known and there once: `changes` then holds them, with the values of now. */
static enum status find_changes(struct request *request, struct change *changes)
{
    bool given[CONFIG_OPTIONS_MAX] = {false};
    for (uint32_t i = 2; i < request->argc; i += 2) {
        struct change *change = &changes[(i - 2) / 2];
        struct bytes name = request->argv[i];
        if (!find_index(name, &change->index)) {
            reply_errorf(request->reply,
                         "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                         (int)(name.size < 128 ? name.size : 128), name.data);
            return STATUS_REPLIED;
        }
        if (given[change->index]) {
            report_reason(request, config_name(change->index), BYTES("duplicate parameter"));
            return STATUS_REPLIED;
        }
        given[change->index] = true;
        struct buffer old = {0};
        config_value(request->admin->config, change->index, &old);
        change->old = arena_copy(request->arena, buffer_bytes(&old));
        buffer_deinit(&old);
    }
    return STATUS_OK;
}

static void undo(struct config *config, const struct change *changes, uint32_t count)
{
    struct buffer error = {0};
    for (uint32_t i = 0; i < count; i++) {
        enum status status =
            config_set(config, bytes_text(config_name(changes[i].index)), changes[i].old, &error);
        check(status == STATUS_OK);
    }
    buffer_deinit(&error);
}

static enum status config_set_pairs(struct request *request)
{
    struct config *config = request->admin->config;
    uint32_t count = (request->argc - 2) / 2;
    if (request->argc % 2 != 0)
        return STATUS_SYNTAX;
    if (count > CONFIG_OPTIONS_MAX)
        return STATUS_SYNTAX; /* some must be there twice */
    struct change changes[CONFIG_OPTIONS_MAX];
    enum status status = find_changes(request, changes);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        struct buffer error = {0};
        const char *name = config_name(changes[i].index);
        status = config_set(config, bytes_text(name), request->argv[2 * i + 3], &error);
        if (status != STATUS_OK) {
            report_reason(request, name, buffer_bytes(&error));
            undo(config, changes, i);
        }
        buffer_deinit(&error);
        if (status != STATUS_OK)
            return STATUS_REPLIED;
    }
    struct admin *admin = request->admin;
    for (uint32_t i = 0; i < count && admin->config_changed != NULL; i++)
        admin->config_changed(admin->context, config_name(changes[i].index));
    reply_ok(request->reply);
    return STATUS_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static enum status config_rewrite_file(struct request *request)
{
    struct buffer error = {0};
    enum status status = config_rewrite(request->admin->config, &error);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    else
        reply_errorf(request->reply, "ERR %.*s", (int)buffer_size(&error),
                     buffer_bytes(&error).data);
    buffer_deinit(&error);
    return status == STATUS_OK ? STATUS_OK : STATUS_REPLIED;
}

static enum status config_resetstat(struct request *request)
{
    stats_reset(request->admin->stats);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status config_help(struct request *request)
{
    static const char *const lines[] = {
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
        NULL,
    };
    return command_help(request, lines);
}

static bool is_secret(struct bytes name)
{
    for (unsigned i = 0; config_name(i) != NULL; i++)
        if (bytes_equal_nocase(name, bytes_text(config_name(i))))
            return config_is_secret(i);
    return false;
}

/* Neither SLOWLOG nor MONITOR is to show what a secret was set to, well or not. */
static enum status config_set_quietly(struct request *request)
{
    enum status status = config_set_pairs(request);
    for (uint32_t i = 2; i + 1 < request->argc; i += 2)
        if (is_secret(request->argv[i]))
            request_redact(request, i + 1);
    return status;
}

#define CONFIG_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define PARAMETERS   "O(N) when N is the number of configuration parameters provided"

static const struct command config_subcommands[] = {
    {.name = "get",
     .handler = config_get,
     .arity = -3,
     .flags = CONFIG_FLAGS,
     .since = "2.0.0",
     .group = "server",
     .complexity = PARAMETERS,
     .syntax = "parameter...",
     .summary = "Returns the effective values of configuration parameters."},
    {.name = "help",
     .handler = config_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {.name = "resetstat",
     .handler = config_resetstat,
     .arity = 2,
     .flags = CONFIG_FLAGS,
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Resets the server's statistics."},
    {.name = "rewrite",
     .handler = config_rewrite_file,
     .arity = 2,
     .flags = CONFIG_FLAGS,
     .since = "2.8.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Persists the effective configuration to file."},
    {.name = "set",
     .handler = config_set_quietly,
     .arity = -4,
     .flags = CONFIG_FLAGS,
     .since = "2.0.0",
     .group = "server",
     .complexity = PARAMETERS,
     .syntax = "(data: parameter value)...",
     .summary = "Sets configuration parameters in-flight.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {.name = NULL},
};

const struct command config_commands[] = {
    {.name = "config",
     .arity = -2,
     .since = "2.0.0",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for server configuration commands.",
     .subcommands = config_subcommands},
    {.name = NULL},
};
