/* SPDX-License-Identifier: MIT */
/* Parts of strings: STRLEN APPEND GETRANGE SUBSTR SETRANGE. */
#include "command/arguments.h"
#include "command/tables.h"
#include "type/string.h"

static enum status cmd_strlen(struct request *request)
{
    struct cell head;
    uint64_t length;
    enum status status = argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_length(&head, &length);
    if (status == STATUS_OK)
        reply_integer(request->reply, (int64_t)length);
    return status;
}

static enum status cmd_append(struct request *request)
{
    struct cell head;
    uint64_t length;
    enum status status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_append(&head, request->argv[2], &length);
    if (status == STATUS_OK && length > (uint64_t)*request->bulk_size_max)
        return STATUS_TOO_BIG;
    if (status == STATUS_OK)
        reply_integer(request->reply, (int64_t)length);
    return status;
}

static enum status cmd_setrange(struct request *request)
{
    struct cell head;
    int64_t offset;
    uint64_t length;
    struct bytes value = request->argv[3];
    enum status status = argument_integer(request->argv[2], &offset);
    if (status != STATUS_OK)
        return status;
    if (offset < 0)
        return request_refuse(request, "ERR offset is out of range");
    status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_length(&head, &length);
    bool changes = value.size > 0; /* else it makes no key either */
    if (status == STATUS_OK && changes &&
        (uint64_t)offset + value.size > (uint64_t)*request->bulk_size_max)
        return STATUS_TOO_BIG;
    if (status == STATUS_OK && changes)
        status = string_overwrite(&head, (uint64_t)offset, value, &length);
    if (status == STATUS_OK)
        reply_integer(request->reply, (int64_t)length);
    return status;
}

/*
 * From `start` to `end`, both included, negative ones from the end: as Redis clamps them. False if
 * that is nothing.
 */
static bool clamp_range(int64_t start, int64_t end, int64_t length, uint64_t *out_from,
                        uint64_t *out_size)
{
    if (start < 0 && end < 0 && start > end)
        return false;
    if (start < 0)
        start = start + length > 0 ? start + length : 0;
    if (end < 0)
        end = end + length > 0 ? end + length : 0;
    if (end >= length)
        end = length - 1;
    if (start > end)
        return false;
    *out_from = (uint64_t)start;
    *out_size = (uint64_t)(end - start + 1);
    return true;
}

static enum status cmd_getrange(struct request *request)
{
    int64_t start;
    int64_t end;
    struct cell head;
    uint64_t length;
    enum status status = argument_integer(request->argv[2], &start);
    if (status == STATUS_OK)
        status = argument_integer(request->argv[3], &end);
    if (status == STATUS_OK)
        status = argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_length(&head, &length);
    if (status != STATUS_OK)
        return status;
    uint64_t from;
    uint64_t size;
    struct bytes value = bytes_of("", 0);
    if (clamp_range(start, end, (int64_t)length, &from, &size))
        status = string_range(&head, from, size, &value);
    if (status == STATUS_OK)
        reply_bulk(request->reply, value);
    return status;
}

/* clang-format off */
const struct command string_range_commands[] = {
    {
        .name = "strlen", .handler = cmd_strlen, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO,
        .since = "2.2.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Returns the length of a string value.",
        .syntax = "key:key",
    },
    {
        .name = "append", .handler = cmd_append, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_INSERT,
        .since = "2.0.0", .group = "string",
        .complexity = "O(N) where N is the length of the appended value, and at most 16 KiB of "
                      "the present one.",
        .summary = "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        .syntax = "key:key value",
    },
    {
        .name = "getrange", .handler = cmd_getrange, .arity = 4,
        .flags = CMD_READONLY, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.4.0", .group = "string",
        .complexity = "O(N) where N is the length of the returned string.",
        .summary = "Returns a substring of the string stored at a key.",
        .syntax = "key:key start:integer end:integer",
    },
    {
        .name = "substr", .handler = cmd_getrange, .arity = 4,
        .flags = CMD_READONLY, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "1.0.0", .group = "string",
        .complexity = "O(N) where N is the length of the returned string.",
        .summary = "Returns a substring from a string value.",
        .syntax = "key:key start:integer end:integer",
    },
    {
        .name = "setrange", .handler = cmd_setrange, .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "2.2.0", .group = "string",
        .complexity = "O(N) where N is the length of the value argument, and at most 16 KiB of "
                      "the present one.",
        .summary = "Overwrites a part of a string value with another by an offset. Creates the "
                   "key if it doesn't exist.",
        .syntax = "key:key offset:integer value",
    },
    {0},
};
/* clang-format on */
