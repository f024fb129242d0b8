/* SPDX-License-Identifier: MIT */
/* Strings as a whole: SET and its relatives, GET and its relatives. */
#include "base/mutant.h"
#include "command/set_options.h"
#include "command/tables.h"
#include "row/row.h"
#include "type/string.h"
#include "type/type.h"

/* ---- the whole value ------------------------------------------------------------------------ */

static enum status reply_value(struct request *request, struct cell *head)
{
    if (!head->exists) {
        reply_null(request->reply);
        return STATUS_OK;
    }
    struct bytes value;
    enum status status = string_value(head, &value);
    if (status == STATUS_OK)
        reply_bulk(request->reply, value);
    return status;
}

static enum status find_and_reply(struct request *request, struct cell *head)
{
    enum status status = argument_key_read(request, request->argv[1], head);
    return status == STATUS_OK ? reply_value(request, head) : status;
}

static enum status cmd_get(struct request *request)
{
    struct cell head;
    return find_and_reply(request, &head);
}

static enum status set(struct request *request, struct bytes value,
                       const struct set_options *options)
{
    uint64_t at_ms = EXPIRY_NEVER;
    struct cell head;
    bool holds = false;
    enum status status = STATUS_OK;
    if (options->time.data)
        status = argument_expiry(request, options->time, options->unit, &at_ms);
    if (status == STATUS_OK)
        status = options->get ? argument_key_read(request, request->argv[1], &head)
                              : argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = condition_holds(&head, options->condition, options->compared, &holds);
    if (MUTANT(lock_granted_twice) && options->condition == IF_ABSENT)
        holds = true;
    if (status == STATUS_OK && options->get)
        status = reply_value(request, &head);
    if (status != STATUS_OK)
        return status;
    if (holds)
        status = string_set(&head, value, at_ms, options->keep);
    if (status != STATUS_OK)
        return status;
    if (!options->get && !holds)
        reply_null(request->reply);
    else if (!options->get)
        reply_ok(request->reply);
    return STATUS_OK;
}

static enum status cmd_set(struct request *request)
{
    struct set_options options;
    enum status status = set_options_parse(request, 3, OPTIONS_OF_SET, &options);
    return status == STATUS_OK ? set(request, request->argv[2], &options) : status;
}

static enum status cmd_setex(struct request *request)
{
    struct set_options options = {.time = request->argv[2], .unit = {.seconds = true}};
    return set(request, request->argv[3], &options);
}

static enum status cmd_psetex(struct request *request)
{
    struct set_options options = {.time = request->argv[2], .unit = {.seconds = false}};
    return set(request, request->argv[3], &options);
}

static enum status cmd_getset(struct request *request)
{
    struct set_options options = {.get = true};
    return set(request, request->argv[2], &options);
}

static enum status cmd_setnx(struct request *request)
{
    struct cell head;
    enum status status = argument_key(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    bool sets = !head.exists;
    if (sets)
        status = string_set(&head, request->argv[2], EXPIRY_NEVER, false);
    if (status == STATUS_OK)
        reply_integer(request->reply, sets);
    return status;
}

static enum status cmd_getdel(struct request *request)
{
    struct cell head;
    enum status status = find_and_reply(request, &head);
    if (status == STATUS_OK && head.exists)
        status = cell_delete(&head);
    return status;
}

/* The condition of DELEX on a key that exists, with Redis's errors in Redis's order. */
static enum status delex_holds(struct request *request, struct cell *head, bool *out_holds)
{
    enum condition condition;
    struct bytes compared = request->argv[3];
    if (!bytes_equal(type_of(head), BYTES("string")))
        return request_refuse(request,
                              "ERR Key should be of string type if conditions are specified");
    if (!condition_parse(request->argv[2], &condition))
        return request_refuse(request, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or "
                                       "IFDNE");
    enum status status = condition_check(request, condition, compared);
    return status == STATUS_OK ? condition_holds(head, condition, compared, out_holds) : status;
}

/* DEL of one key, of any type; with a condition, of a string. */
static enum status cmd_delex(struct request *request)
{
    struct cell head;
    bool holds = true;
    if (request->argc != 2 && request->argc != 4)
        return argument_count_wrong(request);
    enum status status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK && head.exists && request->argc == 4)
        status = delex_holds(request, &head, &holds);
    if (status != STATUS_OK)
        return status;
    bool deletes = head.exists && holds;
    if (deletes)
        status = cell_delete(&head);
    if (status == STATUS_OK)
        reply_integer(request->reply, deletes);
    return status;
}

static enum status cmd_digest(struct request *request)
{
    struct cell head;
    struct bytes value;
    char digest[DIGEST_DIGITS + 1];
    enum status status = argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_value(&head, &value);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_null(request->reply);
        return STATUS_OK;
    }
    digest_text(value, digest);
    reply_bulk_text(request->reply, digest);
    return STATUS_OK;
}

static enum status change_expiry(struct request *request, struct cell *head,
                                 const struct set_options *options, uint64_t at_ms)
{
    if (options->persist)
        return head->at_ms == EXPIRY_NEVER ? STATUS_OK : cell_expire(head, EXPIRY_NEVER);
    if (!options->time.data)
        return STATUS_OK;
    return at_ms <= request->now_ms ? cell_delete(head) : cell_expire(head, at_ms);
}

/* The time is only looked at when there is something to expire, as in Redis. */
static enum status cmd_getex(struct request *request)
{
    struct set_options options;
    struct bytes value;
    struct cell head;
    uint64_t at_ms = EXPIRY_NEVER;
    enum status status = set_options_parse(request, 2, OPTIONS_OF_GETEX, &options);
    if (status == STATUS_OK)
        status = argument_key_read(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_null(request->reply);
        return STATUS_OK;
    }
    status = string_value(&head, &value);
    if (status == STATUS_OK && options.time.data)
        status = argument_expiry(request, options.time, options.unit, &at_ms);
    if (status != STATUS_OK)
        return status;
    reply_bulk(request->reply, value);
    return change_expiry(request, &head, &options, at_ms);
}

/* With GET, or where it compares, the old value is looked at. */
static uint32_t set_key_flags(const struct bytes *argv, uint32_t argc)
{
    enum condition condition;
    for (uint32_t i = 3; i < argc; i++) {
        if (bytes_equal_nocase(argv[i], BYTES("get")) || condition_parse(argv[i], &condition))
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    return KEY_OW | KEY_UPDATE;
}

/* clang-format off */
const struct command string_commands[] = {
    {
        .name = "set", .handler = cmd_set, .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1,
        .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS,
        .key_flags_of = set_key_flags,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Sets the string value of a key, ignoring its type. The key is created if it "
                   "doesn't exist.",
        .syntax = "key:key value [condition: NX|XX|IFEQ ifeq-value|IFNE ifne-value|"
                  "IFDEQ ifdeq-digest|IFDNE ifdne-digest] [GET] [expiration: "
                  "EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|"
                  "PXAT unix-time-milliseconds:unix-time|KEEPTTL]",
    },
    {
        .name = "setnx", .handler = cmd_setnx, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_OW | KEY_INSERT,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Set the string value of a key only when the key doesn't exist.",
        .syntax = "key:key value",
    },
    {
        .name = "setex", .handler = cmd_setex, .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_OW | KEY_UPDATE,
        .since = "2.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Sets the string value and expiration time of a key. Creates the key if it "
                   "doesn't exist.",
        .syntax = "key:key seconds:integer value",
    },
    {
        .name = "psetex", .handler = cmd_psetex, .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_OW | KEY_UPDATE,
        .since = "2.6.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Sets both string value and expiration time in milliseconds of a key. The key "
                   "is created if it doesn't exist.",
        .syntax = "key:key milliseconds:integer value",
    },
    {
        .name = "get", .handler = cmd_get, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Returns the string value of a key.",
        .syntax = "key:key",
    },
    {
        .name = "getset", .handler = cmd_getset, .arity = 3,
        .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Returns the previous string value of a key after setting it to a new value.",
        .syntax = "key:key value",
    },
    {
        .name = "getdel", .handler = cmd_getdel, .arity = 2,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_DELETE,
        .since = "6.2.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Returns the string value of a key after deleting the key.",
        .syntax = "key:key",
    },
    {
        .name = "delex", .handler = cmd_delex, .arity = -2,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RM | KEY_DELETE,
        .since = "8.4.0", .group = "string",
        .complexity = "O(1), and O(N) to compare with a value or digest of N bytes.",
        .summary = "Conditionally removes the specified key based on value or digest comparison.",
        .syntax = "key:key [condition: IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|"
                  "IFDNE ifdne-digest]",
    },
    {
        .name = "digest", .handler = cmd_digest, .arity = 2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "8.4.0", .group = "string",
        .complexity = "O(N) where N is the length of the value.",
        .summary = "Returns the XXH3 hash of a string value.",
        .syntax = "key:key",
    },
    {
        .name = "getex", .handler = cmd_getex, .arity = -2,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_STRING,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "6.2.0", .group = "string",
        .complexity = "O(1)",
        .summary = "Returns the string value of a key after setting its expiration time.",
        .syntax = "key:key [expiration: "
                  "EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|"
                  "PXAT unix-time-milliseconds:unix-time|PERSIST]",
    },
    {0},
};
/* clang-format on */
