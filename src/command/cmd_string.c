/* SPDX-License-Identifier: MIT */
/* Strings: SET and its relatives, GET and its relatives, many at once, parts, integers. */
#include "command/arguments.h"
#include "command/tables.h"
#include "row/row.h"
#include "type/string.h"

/* ---- SET and GETEX: their options ----------------------------------------------------------- */

struct options {
    bool if_absent;    /* NX */
    bool if_exists;    /* XX */
    bool get;          /* GET */
    bool keep;         /* KEEPTTL */
    bool persist;      /* PERSIST */
    struct bytes time; /* of EX, PX, EXAT, PXAT; NULL if none is given */
    struct time_unit unit;
};

enum options_of { OPTIONS_OF_SET, OPTIONS_OF_GETEX };

static bool time_option(struct bytes name, struct time_unit *out)
{
    if (bytes_equal_nocase(name, BYTES("EX")))
        *out = (struct time_unit){.seconds = true};
    else if (bytes_equal_nocase(name, BYTES("PX")))
        *out = (struct time_unit){.seconds = false};
    else if (bytes_equal_nocase(name, BYTES("EXAT")))
        *out = (struct time_unit){.seconds = true, .absolute = true};
    else if (bytes_equal_nocase(name, BYTES("PXAT")))
        *out = (struct time_unit){.seconds = false, .absolute = true};
    else
        return false;
    return true;
}

/* One option that is only a word. As in Redis, a word may come twice. */
static bool word_option(struct bytes name, enum options_of of, struct options *options)
{
    bool set = of == OPTIONS_OF_SET;
    if (set && bytes_equal_nocase(name, BYTES("NX")) && !options->if_exists)
        options->if_absent = true;
    else if (set && bytes_equal_nocase(name, BYTES("XX")) && !options->if_absent)
        options->if_exists = true;
    else if (set && bytes_equal_nocase(name, BYTES("GET")))
        options->get = true;
    else if (set && bytes_equal_nocase(name, BYTES("KEEPTTL")) && !options->time.data)
        options->keep = true;
    else if (!set && bytes_equal_nocase(name, BYTES("PERSIST")) && !options->time.data)
        options->persist = true;
    else
        return false;
    return true;
}

static enum status parse_options(const struct request *request, uint32_t first, enum options_of of,
                                 struct options *out)
{
    struct options options = {0};
    for (uint32_t i = first; i < request->argc; i++) {
        struct time_unit unit;
        if (!time_option(request->argv[i], &unit)) {
            if (!word_option(request->argv[i], of, &options))
                return STATUS_SYNTAX;
            continue;
        }
        bool other_unit = options.time.data && (options.unit.seconds != unit.seconds ||
                                                options.unit.absolute != unit.absolute);
        if (options.keep || options.persist || other_unit || i + 1 == request->argc)
            return STATUS_SYNTAX;
        options.time = request->argv[++i];
        options.unit = unit;
    }
    *out = options;
    return STATUS_OK;
}

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

static enum status set(struct request *request, struct bytes value, const struct options *options)
{
    uint64_t at_ms = EXPIRY_NEVER;
    struct cell head;
    enum status status = STATUS_OK;
    if (options->time.data)
        status = argument_expiry(request, options->time, options->unit, &at_ms);
    if (status == STATUS_OK)
        status = options->get ? argument_key_read(request, request->argv[1], &head)
                              : argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK && options->get)
        status = reply_value(request, &head);
    if (status != STATUS_OK)
        return status;
    bool refused = head.exists ? options->if_absent : options->if_exists;
    if (!refused)
        status = string_set(&head, value, at_ms, options->keep);
    if (status != STATUS_OK)
        return status;
    if (!options->get && refused)
        reply_null(request->reply);
    else if (!options->get)
        reply_ok(request->reply);
    return STATUS_OK;
}

static enum status cmd_set(struct request *request)
{
    struct options options;
    enum status status = parse_options(request, 3, OPTIONS_OF_SET, &options);
    return status == STATUS_OK ? set(request, request->argv[2], &options) : status;
}

static enum status cmd_setex(struct request *request)
{
    struct options options = {.time = request->argv[2], .unit = {.seconds = true}};
    return set(request, request->argv[3], &options);
}

static enum status cmd_psetex(struct request *request)
{
    struct options options = {.time = request->argv[2], .unit = {.seconds = false}};
    return set(request, request->argv[3], &options);
}

static enum status cmd_getset(struct request *request)
{
    struct options options = {.get = true};
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

static enum status change_expiry(struct request *request, struct cell *head,
                                 const struct options *options, uint64_t at_ms)
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
    struct options options;
    struct bytes value;
    struct cell head;
    uint64_t at_ms = EXPIRY_NEVER;
    enum status status = parse_options(request, 2, OPTIONS_OF_GETEX, &options);
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

/* ---- many at once: those that are cold are missed together ---------------------------------- */

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

/* ---- parts ---------------------------------------------------------------------------------- */

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
    if (offset < 0) {
        reply_error(request->reply, BYTES("ERR offset is out of range"));
        return STATUS_REPLIED;
    }
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

/* ---- integers ------------------------------------------------------------------------------- */

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
    if (by == INT64_MIN) {
        reply_error(request->reply, BYTES("ERR decrement would overflow"));
        return STATUS_REPLIED;
    }
    return add(request, -by);
}

/* With GET the old value is looked at. */
static uint32_t set_key_flags(const struct bytes *argv, uint32_t argc)
{
    for (uint32_t i = 3; i < argc; i++) {
        if (bytes_equal_nocase(argv[i], BYTES("get")))
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
        .syntax = "key:key value [condition: NX|XX] [GET] [expiration: "
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
    {0},
};
/* clang-format on */
