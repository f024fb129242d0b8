/* SPDX-License-Identifier: MIT */
/* Many strings at once: MGET MSET MSETNX. Those that are cold are missed together. */
#include "command/arguments.h"
#include "command/tables.h"
#include "row/row.h"
#include "type/string.h"

/* Of another type: null, as of an absent one. `data` NULL for null. */
static enum status value_or_null(struct request *request, struct bytes key, struct bytes *out)
{
    struct cell head;
    enum status status = argument_key_read(request, key, &head);
    if (status == STATUS_OK && head.exists)
        status = string_value(&head, out);
    return status == STATUS_WRONG_TYPE ? STATUS_OK : status;
}

static enum status cmd_mget(struct request *request)
{
    uint32_t count = request->argc - 1;
    struct bytes *values = arena_alloc(request->arena, count * sizeof(*values));
    bool cold = false;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = bytes_of(NULL, 0);
        enum status status = value_or_null(request, request->argv[i + 1], &values[i]);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    if (cold)
        return STATUS_COLD;
    reply_array(request->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].data)
            reply_bulk(request->reply, values[i]);
        else
            reply_null(request->reply);
    }
    return STATUS_OK;
}

static enum status set_pairs(struct request *request)
{
    bool cold = false;
    for (uint32_t i = 1; i < request->argc; i += 2) {
        struct cell head;
        enum status status = argument_key(request, request->argv[i], &head);
        if (status == STATUS_OK && !cold)
            status = string_set(&head, request->argv[i + 1], EXPIRY_NEVER, false);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

static enum status cmd_mset(struct request *request)
{
    if (request->argc % 2 == 0)
        return argument_count_wrong(request);
    enum status status = set_pairs(request);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

static enum status any_exists(struct request *request, bool *out_exists)
{
    bool cold = false;
    *out_exists = false;
    for (uint32_t i = 1; i < request->argc; i += 2) {
        struct cell head;
        enum status status = argument_key(request, request->argv[i], &head);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
        *out_exists = *out_exists || (status == STATUS_OK && head.exists);
    }
    return cold && !*out_exists ? STATUS_COLD : STATUS_OK;
}

static enum status cmd_msetnx(struct request *request)
{
    if (request->argc % 2 == 0)
        return argument_count_wrong(request);
    bool exists;
    enum status status = any_exists(request, &exists);
    if (status == STATUS_OK && !exists)
        status = set_pairs(request);
    if (status == STATUS_OK)
        reply_integer(request->reply, !exists);
    return status;
}

/* clang-format off */
const struct command string_many_commands[] = {
    {
        .name = "mget", .handler = cmd_mget, .arity = -2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "1.0.0", .group = "string",
        .complexity = "O(N) where N is the number of keys to retrieve.",
        .summary = "Atomically returns the string values of one or more keys.",
        .syntax = "key:key...",
        .tips = "request_policy:multi_shard",
    },
    {
        .name = "mset", .handler = cmd_mset, .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = -1, .key_step = 2, .key_flags = KEY_OW | KEY_UPDATE,
        .since = "1.0.1", .group = "string",
        .complexity = "O(N) where N is the number of keys to set.",
        .summary = "Atomically creates or modifies the string values of one or more keys.",
        .syntax = "(data: key:key value)...",
        .tips = "request_policy:multi_shard response_policy:all_succeeded",
    },
    {
        .name = "msetnx", .handler = cmd_msetnx, .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = -1, .key_step = 2, .key_flags = KEY_OW | KEY_INSERT,
        .since = "1.0.1", .group = "string",
        .complexity = "O(N) where N is the number of keys to set.",
        .summary = "Atomically modifies the string values of one or more keys only when all keys "
                   "don't exist.",
        .syntax = "(data: key:key value)...",
        .tips = "request_policy:multi_shard response_policy:agg_min",
    },
    {0},
};
/* clang-format on */
