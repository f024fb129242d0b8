/* SPDX-License-Identifier: MIT */
/* Many strings at once: MGET MSET MSETNX MSETEX. Those that are cold are missed together. */
#include "command/set_options.h"
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
        argument_look_ahead(request, (struct key_arguments){1, request->argc, 1}, i + 1);
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

static enum status set_pairs(struct request *request, struct key_arguments pairs, uint64_t at_ms,
                             bool keep_expiry)
{
    bool cold = false;
    for (uint32_t i = pairs.first; i < pairs.end; i += pairs.step) {
        struct cell head;
        argument_look_ahead(request, pairs, i);
        enum status status = argument_key(request, request->argv[i], &head);
        if (status == STATUS_OK && !cold)
            status = string_set(&head, request->argv[i + 1], at_ms, keep_expiry);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

/* Whether each of the keys exists, or none. One that is otherwise decides, whatever is cold. */
static enum status all_exist(struct request *request, struct key_arguments pairs, bool exist,
                             bool *out_all)
{
    bool cold = false;
    for (uint32_t i = pairs.first; i < pairs.end; i += pairs.step) {
        struct cell head;
        argument_look_ahead(request, pairs, i);
        enum status status = argument_key(request, request->argv[i], &head);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        if (status == STATUS_OK && head.exists != exist) {
            *out_all = false;
            return STATUS_OK;
        }
        cold = cold || status == STATUS_COLD;
    }
    *out_all = true;
    return cold ? STATUS_COLD : STATUS_OK;
}

static enum status cmd_mset(struct request *request)
{
    if (request->argc % 2 == 0)
        return argument_count_wrong(request);
    enum status status =
        set_pairs(request, (struct key_arguments){1, request->argc, 2}, EXPIRY_NEVER, false);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

static enum status cmd_msetnx(struct request *request)
{
    if (request->argc % 2 == 0)
        return argument_count_wrong(request);
    struct key_arguments pairs = {1, request->argc, 2};
    bool sets;
    enum status status = all_exist(request, pairs, false, &sets);
    if (status == STATUS_OK && sets)
        status = set_pairs(request, pairs, EXPIRY_NEVER, false);
    if (status == STATUS_OK)
        reply_integer(request->reply, sets);
    return status;
}

static enum status parse_pairs(struct request *request, struct key_arguments *out)
{
    int64_t count;
    if (argument_integer(request->argv[1], &count) != STATUS_OK || count < 1 || count > INT32_MAX)
        return request_refuse(request, "ERR invalid numkeys value");
    if (count > (request->argc - 2) / 2)
        return request_refuse(request, "ERR wrong number of key-value pairs");
    *out = (struct key_arguments){2, 2 + 2 * (uint32_t)count, 2};
    return STATUS_OK;
}

static enum status cmd_msetex(struct request *request)
{
    struct key_arguments pairs;
    struct set_options options;
    uint64_t at_ms = EXPIRY_NEVER;
    bool sets = true;
    enum status status = parse_pairs(request, &pairs);
    if (status == STATUS_OK)
        status = set_options_parse(request, pairs.end, OPTIONS_OF_MSETEX, &options);
    if (status == STATUS_OK && options.time.data)
        status = argument_expiry(request, options.time, options.unit, &at_ms);
    if (status == STATUS_OK && options.condition != IF_ANYTHING)
        status = all_exist(request, pairs, options.condition == IF_EXISTS, &sets);
    if (status == STATUS_OK && sets)
        status = set_pairs(request, pairs, at_ms, options.keep);
    if (status == STATUS_OK)
        reply_integer(request->reply, sets);
    return status;
}

/* clang-format off */
static const struct key_spec msetex_keys[] = {
    {.flags = KEY_OW | KEY_UPDATE, .begin = 1, .counted = true, .first = 1, .step = 2},
    {0},
};

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
    {
        .name = "msetex", .handler = cmd_msetex, .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .key_specs = msetex_keys,
        .since = "8.4.0", .group = "string",
        .complexity = "O(N) where N is the number of keys to set.",
        .summary = "Atomically sets multiple string keys with a shared expiration in a single "
                   "operation.",
        .syntax = "numkeys:integer (data: key:key value)... [condition: NX|XX] [expiration: "
                  "EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|"
                  "PXAT unix-time-milliseconds:unix-time|KEEPTTL]",
    },
    {0},
};
/* clang-format on */
