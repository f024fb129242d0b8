/* SPDX-License-Identifier: MIT */
/* CONFIG: what the settings are, and to change them. */
#include "admin/admin.h"
#include "base/check.h"
#include "base/glob.h"

static void report_reason(struct request *request, struct bytes name, struct bytes reason)
{
    reply_errorf(request->reply,
                 "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                 (int)name.size, name.data, (int)reason.size, reason.data);
}

/* ---- GET ------------------------------------------------------------------------------------- */

/* The name as the client knows it: its own word, or ours where that is a pattern. NULL: not asked
 * for. */
static struct bytes asked_as(const struct request *request, const char *text, bool hidden)
{
    struct bytes name = bytes_text(text);
    for (uint32_t i = 2; i < request->argc; i++) {
        if (bytes_equal_nocase(request->argv[i], name))
            return request->argv[i];
        if (!hidden && glob_match(request->argv[i], name, true))
            return name;
    }
    return bytes_of(NULL, 0);
}

/* Name or alias of a setting, and under which of its words it was asked for. */
struct asked {
    struct bytes as;
    unsigned index;
};

static size_t find_asked(const struct request *request, struct asked *out)
{
    size_t count = 0;
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        const char *const names[] = {config_name(i), config_alias(i)};
        for (unsigned k = 0; k < 2 && names[k] != NULL; k++) {
            out[count] = (struct asked){asked_as(request, names[k], config_is_hidden(i)), i};
            count += out[count].as.data != NULL;
        }
    }
    return count;
}

static enum status config_get(struct request *request)
{
    struct asked asked[2 * CONFIG_OPTIONS_MAX];
    size_t count = find_asked(request, asked);
    struct buffer value = {0};
    reply_map(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&value, CONFIG_VALUE_MAX);
        config_value(request->admin->config, asked[i].index, &value);
        bool hide = config_is_secret(asked[i].index) && buffer_size(&value) > 0;
        reply_bulk(request->reply, asked[i].as);
        reply_bulk(request->reply, hide ? BYTES("(redacted)") : buffer_bytes(&value));
    }
    buffer_deinit(&value);
    return STATUS_OK;
}

/* ---- SET ------------------------------------------------------------------------------------- */

/* One pair: the setting by index and the name that it goes by here, its value before. */
struct change {
    unsigned index;
    const char *name;
    struct bytes old;
};

static bool find_change(struct bytes name, struct change *out)
{
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        const char *const names[] = {config_name(i), config_alias(i)};
        for (unsigned k = 0; k < 2 && names[k] != NULL; k++) {
            if (bytes_equal_nocase(name, bytes_text(names[k]))) {
                *out = (struct change){.index = i, .name = names[k]};
                return true;
            }
        }
    }
    return false;
}

/* The pair is one that may be set, and no earlier one names the same. */
static enum status check_pair(struct request *request, struct bytes *pair,
                              const struct change *changes, struct change *change)
{
    struct buffer reason = {0};
    if (!find_change(pair[0], change)) {
        reply_errorf(request->reply,
                     "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                     request_echoed(pair[0]), pair[0].data);
        return STATUS_REPLIED;
    }
    enum status status = config_may_set(request->admin->config, change->index, pair[1], &reason);
    for (const struct change *other = changes; status == STATUS_OK && other < change; other++) {
        if (other->name != change->name)
            continue;
        buffer_printf(&reason, "duplicate parameter");
        status = STATUS_REPLIED;
    }
    if (status != STATUS_OK)
        report_reason(request, pair[0], buffer_bytes(&reason));
    buffer_deinit(&reason);
    return status == STATUS_OK ? STATUS_OK : STATUS_REPLIED;
}

/* All pairs may be set: `changes` then holds them, with the values of now. */
static enum status find_changes(struct request *request, struct change *changes)
{
    for (uint32_t i = 2; i < request->argc; i += 2) {
        struct change *change = &changes[(i - 2) / 2];
        enum status status = check_pair(request, &request->argv[i], changes, change);
        if (status != STATUS_OK)
            return status;
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
            config_set(config, bytes_text(changes[i].name), changes[i].old, &error);
        check(status == STATUS_OK);
    }
    buffer_deinit(&error);
}

/* Sets what `changes` names. On a failure nothing is changed, and the error is replied. */
static enum status set_all(struct request *request, const struct change *changes, uint32_t count)
{
    struct config *config = request->admin->config;
    struct buffer error = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct bytes value = request->argv[2 * i + 3];
        status = config_set(config, bytes_text(changes[i].name), value, &error);
        if (status != STATUS_OK) {
            report_reason(request, bytes_text(changes[i].name), buffer_bytes(&error));
            undo(config, changes, i);
        }
    }
    buffer_deinit(&error);
    return status == STATUS_OK ? STATUS_OK : STATUS_REPLIED;
}

/* The one change that can fail when it takes effect: then all is undone. */
static enum status listen_if_changed(struct request *request, const struct change *changes,
                                     uint32_t count)
{
    struct admin *admin = request->admin;
    struct buffer error = {0};
    const char *name = NULL;
    for (uint32_t i = 0; i < count && name == NULL; i++) {
        if (strcmp(changes[i].name, "port") == 0 || strcmp(changes[i].name, "bind") == 0)
            name = changes[i].name;
    }
    if (name == NULL || admin->listen == NULL)
        return STATUS_OK;
    enum status status = admin->listen(admin->context, &error);
    if (status != STATUS_OK) {
        report_reason(request, bytes_text(name),
                      strcmp(name, "port") == 0
                          ? BYTES("Unable to listen on this port. Check server logs.")
                          : BYTES("Failed to bind to specified addresses."));
        undo(admin->config, changes, count);
        if (admin->listen(admin->context, &error) != STATUS_OK)
            journal_write(admin->journal, JOURNAL_WARNING, "No client can connect any more");
        status = STATUS_REPLIED;
    }
    buffer_deinit(&error);
    return status;
}

static enum status config_set_pairs(struct request *request)
{
    struct admin *admin = request->admin;
    uint32_t count = (request->argc - 2) / 2;
    if (request->argc % 2 != 0)
        return STATUS_SYNTAX;
    if (count > 2 * CONFIG_OPTIONS_MAX)
        return STATUS_SYNTAX; /* some must be there twice */
    struct change changes[2 * CONFIG_OPTIONS_MAX];
    enum status status = find_changes(request, changes);
    if (status == STATUS_OK)
        status = set_all(request, changes, count);
    if (status == STATUS_OK)
        status = listen_if_changed(request, changes, count);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count && admin->config_changed != NULL; i++)
        admin->config_changed(admin->context, config_name(changes[i].index));
    reply_ok(request->reply);
    return STATUS_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static enum status config_rewrite_file(struct request *request)
{
    struct buffer error = {0};
    enum status status = config_rewrite(request->admin->config, false, &error);
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

/* A name that is none too: it may be that of a secret, misspelt. */
static bool is_secret(struct bytes name)
{
    for (unsigned i = 0; config_name(i) != NULL; i++)
        if (bytes_equal_nocase(name, bytes_text(config_name(i))))
            return config_is_secret(i);
    return true;
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
     .summary = "Returns the effective values of configuration parameters.",
     .differs = "A password is shown as (redacted)."},
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
     .differs =
         "File names, directories and what conf/shoal.conf calls fixed at start cannot change.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {0},
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
    {0},
};
