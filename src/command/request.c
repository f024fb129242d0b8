/* SPDX-License-Identifier: MIT */
#include "command/request.h"

#include <ctype.h>
#include <stdio.h>

#include "base/check.h"

struct bytes command_error_text(enum status status)
{
    switch (status) {
    case STATUS_ABSENT:
        return BYTES("ERR no such key");
    case STATUS_DISK_FULL:
        return BYTES("MISCONF Errors writing to the log: No space left on device. Commands that "
                     "may change data are refused until there is room; reading goes on.");
    case STATUS_OUT_OF_MEMORY:
        return BYTES("OOM command not allowed when used memory > 'maxmemory'.");
    case STATUS_IO:
        return BYTES("ERR the disk reported an error");
    case STATUS_CORRUPT:
        return BYTES("ERR stored data is damaged");
    case STATUS_LOCKED:
        return BYTES("ERR in use by another process");
    case STATUS_VERSION:
        return BYTES("ERR written in a format that this program does not know");
    case STATUS_INVALID:
        return BYTES("ERR invalid argument");
    case STATUS_TOO_BIG:
        return BYTES("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    case STATUS_WRONG_TYPE:
        return BYTES("WRONGTYPE Operation against a key holding the wrong kind of value");
    case STATUS_SYNTAX:
        return BYTES("ERR syntax error");
    case STATUS_NOT_INTEGER:
        return BYTES("ERR value is not an integer or out of range");
    case STATUS_NOT_FLOAT:
        return BYTES("ERR value is not a valid float");
    case STATUS_OVERFLOW:
        return BYTES("ERR increment or decrement would overflow");
    case STATUS_NOT_FINITE:
        return BYTES("ERR increment would produce NaN or Infinity");
    case STATUS_OK:
    case STATUS_COLD:
    case STATUS_YIELD:
    case STATUS_THROTTLED:
    case STATUS_PAUSED:
    case STATUS_AWAITING:
    case STATUS_FORWARDED:
    case STATUS_REPLIED:
        break;
    }
    check(!"a status that is no error");
    return BYTES("ERR");
}

/* The command's own name, of a subcommand its parent's, as Redis's texts have it. */
static void print_upper(const struct request *request, char out[COMMAND_NAME_MAX + 1])
{
    const char *name = request->parent != NULL ? request->parent->name : request->command->name;
    for (; *name != '\0'; name++)
        *out++ = (char)toupper((unsigned char)*name);
    *out = '\0';
}

enum status command_help(struct request *request, const char *const *lines)
{
    char name[COMMAND_NAME_MAX + 1], title[COMMAND_NAME_MAX + 64];
    size_t count = 0;
    while (lines[count] != NULL)
        count++;
    print_upper(request, name);
    snprintf(title, sizeof title,
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    reply_array(request->reply, count + 3);
    reply_simple(request->reply, bytes_text(title));
    for (size_t i = 0; i < count; i++)
        reply_simple(request->reply, bytes_text(lines[i]));
    reply_simple(request->reply, BYTES("HELP"));
    reply_simple(request->reply, BYTES("    Prints this help."));
    return STATUS_OK;
}

enum status command_refuse_usage(struct request *request)
{
    char name[COMMAND_NAME_MAX + 1];
    struct bytes word = request->argv[1];
    print_upper(request, name);
    reply_errorf(request->reply,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
                 request_echoed(word), word.data, name);
    return STATUS_REPLIED;
}
