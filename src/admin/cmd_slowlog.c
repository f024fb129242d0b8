/* SPDX-License-Identifier: MIT */
/* SLOWLOG: the last commands that took long. */
#include "admin/admin.h"
#include "base/number.h"

enum { COUNT_DEFAULT = 10 };

static void reply_entry(struct reply *reply, const struct slowlog_entry *entry)
{
    reply_array(reply, 6);
    reply_integer(reply, (int64_t)entry->id);
    reply_integer(reply, (int64_t)entry->time_s);
    reply_integer(reply, (int64_t)entry->duration_us);
    reply_array(reply, entry->argc);
    for (uint32_t i = 0; i < entry->argc; i++)
        reply_bulk(reply, entry->argv[i]);
    reply_bulk(reply, entry->address);
    reply_bulk(reply, entry->name);
}

static enum status slowlog_get(struct request *request)
{
    const struct slowlog *slowlog = request->admin->slowlog;
    int64_t wanted = COUNT_DEFAULT;
    if (request->argc > 3)
        return command_refuse_usage(request);
    if (request->argc == 3 && (!number_parse_i64(request->argv[2], &wanted) || wanted < -1))
        return request_refuse(request, "ERR count should be greater than or equal to -1");
    uint64_t count = slowlog->count;
    if (wanted >= 0 && (uint64_t)wanted < count)
        count = (uint64_t)wanted;
    reply_array(request->reply, count);
    const struct list *at = slowlog->entries.next;
    for (; count > 0; count--, at = at->next)
        reply_entry(request->reply, list_entry(at, struct slowlog_entry, link));
    return STATUS_OK;
}

static enum status slowlog_len(struct request *request)
{
    reply_integer(request->reply, (int64_t)request->admin->slowlog->count);
    return STATUS_OK;
}

static enum status slowlog_forget(struct request *request)
{
    slowlog_reset(request->admin->slowlog);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status slowlog_help(struct request *request)
{
    static const char *const lines[] = {
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
        NULL,
    };
    return command_help(request, lines);
}

#define FLAGS (CMD_ADMIN | CMD_LOADING | CMD_STALE)

static const struct command slowlog_subcommands[] = {
    {.name = "get",
     .handler = slowlog_get,
     .arity = -2,
     .flags = FLAGS,
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(N) where N is the number of entries returned",
     .syntax = "[count:integer]",
     .summary = "Returns the slow log's entries.",
     .tips = "request_policy:all_nodes nondeterministic_output",
     .differs = "A duration includes the waiting for rows from disk. Short commands of a pipeline "
                "are timed together: of them only those after which nothing more had come are "
                "seen, unless slowlog-log-slower-than is below 1000."},
    {.name = "help",
     .handler = slowlog_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .since = "6.2.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns helpful text about the different subcommands."},
    {.name = "len",
     .handler = slowlog_len,
     .arity = 2,
     .flags = FLAGS,
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns the number of entries in the slow log.",
     .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {.name = "reset",
     .handler = slowlog_forget,
     .arity = 2,
     .flags = FLAGS,
     .since = "2.2.12",
     .group = "server",
     .complexity = "O(N) where N is the number of entries in the slowlog",
     .syntax = "",
     .summary = "Clears all entries from the slow log.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {0},
};

const struct command slowlog_commands[] = {
    {.name = "slowlog",
     .arity = -2,
     .since = "2.2.12",
     .group = "server",
     .complexity = "Depends on subcommand.",
     .syntax = "",
     .summary = "A container for slow log commands.",
     .subcommands = slowlog_subcommands},
    {0},
};
