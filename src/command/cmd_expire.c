/* SPDX-License-Identifier: MIT */
/*
 * When a key expires: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME,
 * PERSIST.
 */
#include "command/arguments.h"
#include "command/tables.h"
#include "row/row.h"

enum { OPTION_SHOWN_MAX = 1024 }; /* bytes of an unknown option in the error that names it */

enum condition {
    IF_NEVER = 1 << 0,   /* NX: only if it would live for ever */
    IF_SET = 1 << 1,     /* XX: only if not */
    IF_GREATER = 1 << 2, /* GT: only to a later time */
    IF_LESS = 1 << 3,    /* LT: only to an earlier time */
};

static enum status parse_conditions(struct request *request, unsigned *out_conditions)
{
    static const struct {
        struct bytes name;
        enum condition condition;
    } options[] = {
        {{"NX", 2}, IF_NEVER}, {{"XX", 2}, IF_SET}, {{"GT", 2}, IF_GREATER}, {{"LT", 2}, IF_LESS}};
    enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };
    unsigned conditions = 0;
    for (uint32_t i = 3; i < request->argc; i++) {
        struct bytes given = request->argv[i];
        unsigned option = 0;
        while (option < OPTION_COUNT && !bytes_equal_nocase(given, options[option].name))
            option++;
        if (option == OPTION_COUNT) {
            int shown = given.size > OPTION_SHOWN_MAX ? OPTION_SHOWN_MAX : (int)given.size;
            reply_errorf(request->reply, "ERR Unsupported option %.*s", shown, given.data);
            return STATUS_REPLIED;
        }
        conditions |= options[option].condition;
    }
    if ((conditions & IF_NEVER) && (conditions & ~(unsigned)IF_NEVER))
        return request_refuse(request, "ERR NX and XX, GT or LT options at the same time are "
                                       "not compatible");
    if ((conditions & IF_GREATER) && (conditions & IF_LESS))
        return request_refuse(request, "ERR GT and LT options at the same time are not "
                                       "compatible");
    *out_conditions = conditions;
    return STATUS_OK;
}

static bool allowed(unsigned conditions, const struct cell *head, int64_t at_ms)
{
    bool never = head->at_ms == EXPIRY_NEVER;
    if ((conditions & IF_NEVER) && !never)
        return false;
    if ((conditions & IF_SET) && never)
        return false;
    if ((conditions & IF_GREATER) && (never || at_ms <= (int64_t)head->at_ms))
        return false;
    if ((conditions & IF_LESS) && !never && at_ms >= (int64_t)head->at_ms)
        return false;
    return true;
}

/* A time that is over deletes at once. */
static enum status expire(struct request *request, struct time_unit unit)
{
    unsigned conditions;
    int64_t at_ms;
    struct cell head;
    enum status status = parse_conditions(request, &conditions);
    if (status == STATUS_OK)
        status = argument_time(request, request->argv[2], unit, &at_ms);
    if (status == STATUS_OK)
        status = argument_key(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    bool expires = head.exists && allowed(conditions, &head, at_ms);
    if (expires && at_ms <= (int64_t)request->now_ms)
        status = cell_delete(&head);
    else if (expires)
        status = cell_expire(&head, (uint64_t)at_ms);
    if (status == STATUS_OK)
        reply_integer(request->reply, expires);
    return status;
}

static enum status cmd_expire(struct request *request)
{
    return expire(request, (struct time_unit){.seconds = true});
}

static enum status cmd_pexpire(struct request *request)
{
    return expire(request, (struct time_unit){.seconds = false});
}

static enum status cmd_expireat(struct request *request)
{
    return expire(request, (struct time_unit){.seconds = true, .absolute = true});
}

static enum status cmd_pexpireat(struct request *request)
{
    return expire(request, (struct time_unit){.seconds = false, .absolute = true});
}

/* -2: no such key. -1: it lives for ever. Seconds are rounded to the nearest. */
static enum status expiry(struct request *request, struct time_unit unit)
{
    struct cell head;
    enum status status = argument_key_peek(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_integer(request->reply, -2);
        return STATUS_OK;
    }
    if (head.at_ms == EXPIRY_NEVER) {
        reply_integer(request->reply, -1);
        return STATUS_OK;
    }
    uint64_t ms = unit.absolute ? head.at_ms : head.at_ms - request->txn->now_ms;
    reply_integer(request->reply, (int64_t)(unit.seconds ? (ms + 500) / 1000 : ms));
    return STATUS_OK;
}

static enum status cmd_ttl(struct request *request)
{
    return expiry(request, (struct time_unit){.seconds = true});
}

static enum status cmd_pttl(struct request *request)
{
    return expiry(request, (struct time_unit){.seconds = false});
}

static enum status cmd_expiretime(struct request *request)
{
    return expiry(request, (struct time_unit){.seconds = true, .absolute = true});
}

static enum status cmd_pexpiretime(struct request *request)
{
    return expiry(request, (struct time_unit){.seconds = false, .absolute = true});
}

static enum status cmd_persist(struct request *request)
{
    struct cell head;
    enum status status = argument_key(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    bool persists = head.exists && head.at_ms != EXPIRY_NEVER;
    if (persists)
        status = cell_expire(&head, EXPIRY_NEVER);
    if (status == STATUS_OK)
        reply_integer(request->reply, persists);
    return status;
}

/* clang-format off */
const struct command expire_commands[] = {
    {
        .name = "expire", .handler = cmd_expire, .arity = -3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "1.0.0", .group = "generic", .complexity = "O(1)",
        .summary = "Sets the expiration time of a key in seconds.",
        .syntax = "key:key seconds:integer [condition: NX|XX|GT|LT]",
    },
    {
        .name = "pexpire", .handler = cmd_pexpire, .arity = -3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "2.6.0", .group = "generic", .complexity = "O(1)",
        .summary = "Sets the expiration time of a key in milliseconds.",
        .syntax = "key:key milliseconds:integer [condition: NX|XX|GT|LT]",
    },
    {
        .name = "expireat", .handler = cmd_expireat, .arity = -3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "1.2.0", .group = "generic", .complexity = "O(1)",
        .summary = "Sets the expiration time of a key to a Unix timestamp.",
        .syntax = "key:key unix-time-seconds:unix-time [condition: NX|XX|GT|LT]",
    },
    {
        .name = "pexpireat", .handler = cmd_pexpireat, .arity = -3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "2.6.0", .group = "generic", .complexity = "O(1)",
        .summary = "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        .syntax = "key:key unix-time-milliseconds:unix-time [condition: NX|XX|GT|LT]",
    },
    {
        .name = "ttl", .handler = cmd_ttl, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "1.0.0", .group = "generic", .complexity = "O(1)",
        .summary = "Returns the expiration time in seconds of a key.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
    },
    {
        .name = "pttl", .handler = cmd_pttl, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.6.0", .group = "generic", .complexity = "O(1)",
        .summary = "Returns the expiration time in milliseconds of a key.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
    },
    {
        .name = "expiretime", .handler = cmd_expiretime, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "7.0.0", .group = "generic", .complexity = "O(1)",
        .summary = "Returns the expiration time of a key as a Unix timestamp.",
        .syntax = "key:key",
    },
    {
        .name = "pexpiretime", .handler = cmd_pexpiretime, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "7.0.0", .group = "generic", .complexity = "O(1)",
        .summary = "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        .syntax = "key:key",
    },
    {
        .name = "persist", .handler = cmd_persist, .arity = 2,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_UPDATE,
        .since = "2.2.0", .group = "generic", .complexity = "O(1)",
        .summary = "Removes the expiration time of a key.",
        .syntax = "key:key",
    },
    {0},
};
/* clang-format on */
