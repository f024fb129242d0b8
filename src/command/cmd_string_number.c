/* SPDX-License-Identifier: MIT */
/* Strings that are numbers: INCR DECR INCRBY DECRBY INCRBYFLOAT. */
#include "command/arguments.h"
#include "command/tables.h"
#include "type/string.h"

static enum status add(struct request *request, int64_t by)
{
    struct cell head;
    int64_t value;
    enum status status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_increment(&head, by, &value);
    if (status == STATUS_OK)
        reply_integer(request->reply, value);
    return status;
}

static enum status cmd_incr(struct request *request)
{
    return add(request, 1);
}

static enum status cmd_decr(struct request *request)
{
    return add(request, -1);
}

static enum status cmd_incrby(struct request *request)
{
    int64_t by;
    enum status status = argument_integer(request->argv[2], &by);
    return status == STATUS_OK ? add(request, by) : status;
}

static enum status cmd_decrby(struct request *request)
{
    int64_t by;
    enum status status = argument_integer(request->argv[2], &by);
    if (status != STATUS_OK)
        return status;
    if (by == INT64_MIN)
        return request_refuse(request, "ERR decrement would overflow");
    return add(request, -by);
}

/* As Redis looks at what it is given: at the key's type first. */
static enum status cmd_incrbyfloat(struct request *request)
{
    struct cell head;
    struct bytes value;
    uint64_t length;
    real_t by;
    enum status status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK && argument_real(request->argv[2], &by) != STATUS_OK) {
        status = string_length(&head, &length);
        return status == STATUS_OK ? STATUS_NOT_FLOAT : status;
    }
    if (status == STATUS_OK)
        status = string_increment_real(&head, by, &value);
    if (status == STATUS_OK)
        reply_bulk(request->reply, value);
    return status;
}

/* clang-format off */
const struct command string_number_commands[] = {
    {
        .name = "incr", .handler = cmd_incr, .arity = 2,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Increments the integer value of a key by one. Uses 0 as initial value if the "
                   "key doesn't exist.",
        .syntax = "key:key",
    },
    {
        .name = "decr", .handler = cmd_decr, .arity = 2,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Decrements the integer value of a key by one. Uses 0 as initial value if the "
                   "key doesn't exist.",
        .syntax = "key:key",
    },
    {
        .name = "incrby", .handler = cmd_incrby, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Increments the integer value of a key by a number. Uses 0 as initial value if "
                   "the key doesn't exist.",
        .syntax = "key:key increment:integer",
    },
    {
        .name = "decrby", .handler = cmd_decrby, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Decrements a number from the integer value of a key. Uses 0 as initial value "
                   "if the key doesn't exist.",
        .syntax = "key:key decrement:integer",
    },
    {
        .name = "incrbyfloat", .handler = cmd_incrbyfloat, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "2.6.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Increment the floating point value of a key by a number. Uses 0 as initial "
                   "value if the key doesn't exist.",
        .syntax = "key:key increment:double",
    },
    {0},
};
/* clang-format on */
