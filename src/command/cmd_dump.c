/* SPDX-License-Identifier: MIT */
/* A key's value as bytes, and back: DUMP, RESTORE. */
#include "command/arguments.h"
#include "command/tables.h"
#include "row/row.h"
#include "type/dump.h"
#include "type/value.h"

enum { FREQUENCY_MAX = 255 };

static enum status cmd_dump(struct request *request)
{
    struct cell head;
    struct dump dump;
    enum status status = argument_key_read(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_null(request->reply);
        return STATUS_OK;
    }
    status = value_read(&head, &dump);
    if (status == STATUS_OK)
        reply_bulk(request->reply, dump_encode(&dump, request->arena));
    return status;
}

struct restore {
    bool replaces;
    bool absolute;
    int64_t idle_s; /* -1: not said; so the frequency */
    int64_t frequency;
};

/* One of IDLETIME and FREQ: not both. */
static enum status parse_access(struct request *request, uint32_t at, struct restore *restore)
{
    struct bytes option = request->argv[at];
    struct bytes value = request->argv[at + 1];
    bool is_idle = bytes_equal_nocase(option, BYTES("IDLETIME")) && restore->frequency < 0;
    bool is_frequency = bytes_equal_nocase(option, BYTES("FREQ")) && restore->idle_s < 0;
    if (!is_idle && !is_frequency)
        return STATUS_SYNTAX;
    enum status status = argument_integer(value, is_idle ? &restore->idle_s : &restore->frequency);
    if (status != STATUS_OK)
        return status;
    if (is_idle && restore->idle_s < 0)
        return request_refuse(request, "ERR Invalid IDLETIME value, must be >= 0");
    if (is_frequency && (restore->frequency < 0 || restore->frequency > FREQUENCY_MAX))
        return request_refuse(request, "ERR Invalid FREQ value, must be >= 0 and <= 255");
    return STATUS_OK;
}

static enum status parse_restore(struct request *request, struct restore *out)
{
    *out = (struct restore){.idle_s = -1, .frequency = -1};
    for (uint32_t i = 4; i < request->argc; i++) {
        enum status status = STATUS_OK;
        if (bytes_equal_nocase(request->argv[i], BYTES("REPLACE")))
            out->replaces = true;
        else if (bytes_equal_nocase(request->argv[i], BYTES("ABSTTL")))
            out->absolute = true;
        else if (i + 1 == request->argc)
            status = STATUS_SYNTAX;
        else
            status = parse_access(request, i++, out);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* 0: for ever. */
static enum status parse_life(struct request *request, bool absolute, uint64_t *out_at_ms)
{
    int64_t given, ms;
    enum status status = argument_integer(request->argv[2], &given);
    if (status != STATUS_OK)
        return status;
    if (given < 0)
        return request_refuse(request, "ERR Invalid TTL value, must be >= 0");
    status =
        argument_time(request, request->argv[2], (struct time_unit){.absolute = absolute}, &ms);
    if (status == STATUS_OK)
        *out_at_ms = given == 0 ? EXPIRY_NEVER : (uint64_t)ms;
    return status;
}

static enum status decode(struct request *request, struct dump *out)
{
    enum status status = dump_decode(request->argv[3], request->arena, out);
    if (status == STATUS_VERSION)
        return request_refuse(request, "ERR DUMP payload version or checksum are wrong");
    if (status == STATUS_CORRUPT)
        return request_refuse(request, "ERR Bad data format");
    return status;
}

/* In Redis's order: which of several errors is told. */
static enum status cmd_restore(struct request *request)
{
    struct restore restore;
    struct cell head;
    struct dump dump;
    uint64_t at_ms;
    enum status status = parse_restore(request, &restore);
    if (status == STATUS_OK)
        status = argument_key(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (head.exists && !restore.replaces)
        return request_refuse(request, "BUSYKEY Target key name already exists.");
    status = parse_life(request, restore.absolute, &at_ms);
    if (status == STATUS_OK)
        status = decode(request, &dump);
    if (status != STATUS_OK)
        return status;
    if (at_ms <= request->now_ms) {
        status = head.exists ? cell_delete(&head) : STATUS_OK;
    } else {
        status = value_write(&head, &dump, at_ms);
        txn_set_access(request->txn, head.name, restore.idle_s, (int)restore.frequency);
    }
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

/* clang-format off */
const struct command dump_commands[] = {
    {
        .name = "dump", .handler = cmd_dump, .arity = 2,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.6.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value.",
        .summary = "Returns a serialized representation of the value stored at a key.",
        .syntax = "key:key",
        .tips = "nondeterministic_output",
        .differs = "The bytes are of Shoal's own format: a Redis does not take them.",
    },
    {
        .name = "restore", .handler = cmd_restore, .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_KEYSPACE | CAT_DANGEROUS,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_OW | KEY_UPDATE,
        .since = "2.6.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value.",
        .summary = "Creates a key from the serialized representation of a value.",
        .syntax = "key:key ttl:integer serialized-value [REPLACE] [ABSTTL] "
                  "[IDLETIME seconds:integer] [FREQ frequency:integer]",
        .differs = "Takes what Shoal has dumped, and strings that a Redis has. A time beyond 64 "
                   "bits of milliseconds is refused.",
    },
    {0},
};
/* clang-format on */
