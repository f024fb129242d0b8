/* SPDX-License-Identifier: MIT */
/* What is known of a key besides its value: OBJECT. None of it counts as an access. */
#include "command/arguments.h"
#include "command/tables.h"
#include "type/value.h"

#define POLICY_NOTE                                                                                \
    " Please note that when switching between policies at runtime LRU and LFU data will take "     \
    "some time to adjust."

/* Replies nil where there is no such key. */
static enum status find(struct request *request, struct cell *out, bool *out_found)
{
    enum status status = argument_key_peek(request, request->argv[2], out);
    *out_found = status == STATUS_OK && out->exists;
    if (status == STATUS_OK && !out->exists)
        reply_null(request->reply);
    return status;
}

static enum status object_encoding(struct request *request)
{
    struct cell head;
    struct bytes name;
    bool found;
    enum status status = find(request, &head, &found);
    if (!found)
        return status;
    status = value_encoding(&head, &name);
    if (status == STATUS_OK)
        reply_bulk(request->reply, name);
    return status;
}

static enum status object_freq(struct request *request)
{
    struct cell head;
    bool found;
    enum status status = find(request, &head, &found);
    if (!found)
        return status;
    struct txn_access access = txn_access(request->txn, head.name);
    if (!access.counts) {
        reply_error(request->reply, BYTES("ERR An LFU maxmemory policy is not selected, access "
                                          "frequency not tracked." POLICY_NOTE));
        return STATUS_REPLIED;
    }
    reply_integer(request->reply, access.frequency);
    return STATUS_OK;
}

static enum status object_idletime(struct request *request)
{
    struct cell head;
    bool found;
    enum status status = find(request, &head, &found);
    if (!found)
        return status;
    struct txn_access access = txn_access(request->txn, head.name);
    if (access.counts) {
        reply_error(request->reply, BYTES("ERR An LFU maxmemory policy is selected, idle time not "
                                          "tracked." POLICY_NOTE));
        return STATUS_REPLIED;
    }
    reply_integer(request->reply, (int64_t)access.idle_s);
    return STATUS_OK;
}

/* No two keys share a value. */
static enum status object_refcount(struct request *request)
{
    struct cell head;
    bool found;
    enum status status = find(request, &head, &found);
    if (found)
        reply_integer(request->reply, 1);
    return status;
}

static enum status object_help(struct request *request)
{
    static const char *const lines[] = {
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        NULL,
    };
    return command_help(request, lines);
}

/* clang-format off */
static const struct command object_subcommands[] = {
    {
        .name = "encoding", .handler = object_encoding, .arity = 3,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE,
        .first_key = 2, .last_key = 2, .key_step = 1, .key_flags = KEY_RO,
        .since = "2.2.3", .group = "generic",
        .complexity = "O(1)",
        .summary = "Returns the internal encoding that Redis would keep the value in.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = "Tells what a Redis would say of the value had it just been set.",
    },
    {
        .name = "freq", .handler = object_freq, .arity = 3,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE,
        .first_key = 2, .last_key = 2, .key_step = 1, .key_flags = KEY_RO,
        .since = "4.0.0", .group = "generic",
        .complexity = "O(1)",
        .summary = "Returns the logarithmic access frequency counter of a key.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = "A key that is read from disk begins as a new one.",
    },
    {
        .name = "help", .handler = object_help, .arity = 2,
        .flags = CMD_LOADING | CMD_STALE, .categories = CAT_KEYSPACE,
        .since = "6.2.0", .group = "generic",
        .complexity = "O(1)",
        .summary = "Returns helpful text about the different subcommands.",
        .syntax = "",
    },
    {
        .name = "idletime", .handler = object_idletime, .arity = 3,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE,
        .first_key = 2, .last_key = 2, .key_step = 1, .key_flags = KEY_RO,
        .since = "2.2.3", .group = "generic",
        .complexity = "O(1)",
        .summary = "Returns the time since the last access to a key.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = "A key that is read from disk begins at 0.",
    },
    {
        .name = "refcount", .handler = object_refcount, .arity = 3,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE,
        .first_key = 2, .last_key = 2, .key_step = 1, .key_flags = KEY_RO,
        .since = "2.2.3", .group = "generic",
        .complexity = "O(1)",
        .summary = "Returns the reference count of a value: always 1.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = "Always 1: keys share no values.",
    },
    {0},
};

const struct command object_commands[] = {
    {
        .name = "object", .arity = -2,
        .since = "2.2.3", .group = "generic",
        .complexity = "Depends on subcommand.",
        .summary = "A container for object introspection commands.",
        .syntax = "",
        .subcommands = object_subcommands,
    },
    {0},
};
/* clang-format on */
