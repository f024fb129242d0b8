/* SPDX-License-Identifier: MIT */
/* Keys of any type: DEL UNLINK EXISTS TOUCH TYPE. */
#include "command/arguments.h"
#include "command/tables.h"
#include "type/type.h"

/*
 * Counts the keys that exist, one named twice twice, unless `change` deletes it. All that are cold
 * are missed together.
 */
static enum status count_keys(struct request *request, enum status (*change)(struct cell *head))
{
    int64_t count = 0;
    bool cold = false;
    for (uint32_t i = 1; i < request->argc; i++) {
        struct cell head;
        argument_look_ahead(request, (struct key_arguments){1, request->argc, 1}, i);
        enum status status = change ? argument_key(request, request->argv[i], &head)
                                    : argument_key_read(request, request->argv[i], &head);
        if (status == STATUS_COLD) {
            cold = true;
            continue;
        }
        if (status == STATUS_OK && head.exists) {
            count++;
            if (change)
                status = change(&head);
        }
        if (status != STATUS_OK)
            return status;
    }
    if (cold)
        return STATUS_COLD;
    reply_integer(request->reply, count);
    return STATUS_OK;
}

static enum status cmd_del(struct request *request)
{
    return count_keys(request, cell_delete);
}

static enum status cmd_exists(struct request *request)
{
    request->txn->no_touch = true;
    return count_keys(request, NULL);
}

/* Reading is what touches: of a client in the mode NO-TOUCH, too. */
static enum status cmd_touch(struct request *request)
{
    request->txn->no_touch = false;
    return count_keys(request, NULL);
}

static enum status cmd_type(struct request *request)
{
    struct cell head;
    enum status status = argument_key_peek(request, request->argv[1], &head);
    if (status == STATUS_OK)
        reply_simple(request->reply, type_of(&head));
    return status;
}

/* clang-format off */
const struct command key_commands[] = {
    {
        .name = "del", .handler = cmd_del, .arity = -2,
        .flags = CMD_WRITE, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RM | KEY_DELETE,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) where N is the number of keys that will be removed. Each takes one "
                      "write, whatever its type and size.",
        .summary = "Deletes one or more keys.",
        .syntax = "key:key...",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "unlink", .handler = cmd_del, .arity = -2,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RM | KEY_DELETE,
        .since = "4.0.0", .group = "generic",
        .complexity = "O(1) for each key removed regardless of its size. Its memory is reclaimed "
                      "in the background.",
        .summary = "Asynchronously deletes one or more keys.",
        .syntax = "key:key...",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "exists", .handler = cmd_exists, .arity = -2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RO,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) where N is the number of keys to check.",
        .summary = "Determines whether one or more keys exist.",
        .syntax = "key:key...",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "touch", .handler = cmd_touch, .arity = -2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = -1, .key_step = 1, .key_flags = KEY_RO,
        .since = "3.2.1", .group = "generic",
        .complexity = "O(N) where N is the number of keys that will be touched.",
        .summary = "Returns the number of existing keys out of those specified after updating the "
                   "time they were last accessed.",
        .syntax = "key:key...",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "type", .handler = cmd_type, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(1)",
        .summary = "Determines the type of value stored at a key.",
        .syntax = "key:key",
    },
    {0},
};
/* clang-format on */
