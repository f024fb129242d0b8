/* SPDX-License-Identifier: MIT */
/* All keys of a database: SCAN, KEYS, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB. */
#include <limits.h>

#include "base/glob.h"
#include "command/arguments.h"
#include "command/tables.h"
#include "row/slot.h"
#include "store/store.h"
#include "type/type.h"

enum {
    SCAN_COUNT_DEFAULT = 10,
    SCAN_COUNT_MAX = 10000, /* heads that one run looks at, whatever COUNT says */
};

/* ---- a walk over a database, in the order of slot and hash ---------------------------------- */

/* Which keys are taken: all where `data` is NULL. */
struct filter {
    struct bytes pattern;
    struct bytes type;
};

struct walk {
    struct request *request;
    struct filter filter;
    uint32_t slot; /* where it goes on; SLOT_COUNT: it is over */
    uint64_t hash;
    uint64_t taken; /* keys, as bulk strings in request->progress->done */
};

/* A cursor is where to go on; 0 is the start, and the end. */
static void walk_from(struct walk *walk, uint64_t cursor)
{
    walk->slot = (uint32_t)(cursor >> ROW_KEY_HASH_BITS);
    walk->hash = cursor & ROW_KEY_HASH_MASK;
    if (walk->slot > SLOT_COUNT)
        walk->slot = SLOT_COUNT;
}

static uint64_t walk_cursor(const struct walk *walk)
{
    return walk->slot == SLOT_COUNT ? 0 : (uint64_t)walk->slot << ROW_KEY_HASH_BITS | walk->hash;
}

static uint64_t slot_keys(const struct walk *walk)
{
    return txn_slot_keys(walk->request->txn, (uint16_t)walk->slot, walk->request->db);
}

static void skip_empty_slots(struct walk *walk)
{
    while (walk->slot < SLOT_COUNT &&
           (!request_answers_for(walk->request, walk->slot) || slot_keys(walk) == 0)) {
        walk->slot++;
        walk->hash = 0;
    }
}

static enum status take(struct walk *walk, const struct scan_row *row)
{
    const struct filter *filter = &walk->filter;
    if (filter->pattern.data && !glob_match(filter->pattern, row->key, false))
        return STATUS_OK;
    if (filter->type.data) {
        struct bytes type;
        enum status status = type_of_row(row->row, walk->request->arena, &type);
        if (status != STATUS_OK)
            return status;
        if (!bytes_equal_nocase(type, filter->type))
            return STATUS_OK;
    }
    struct reply taken = {&walk->request->progress->done, walk->request->reply->resp};
    reply_bulk(&taken, row->key);
    walk->taken++;
    return STATUS_OK;
}

/*
 * Looks at `limit` heads of the slot, and goes on behind them. An empty page is work too: it counts
 * as one head.
 */
static enum status walk_slot(struct walk *walk, uint64_t limit, uint64_t *looked)
{
    struct scan_page page;
    enum status status = txn_scan(walk->request->txn, (uint16_t)walk->slot, walk->request->db,
                                  walk->hash, (size_t)limit, &page);
    if (status == STATUS_COLD) {
        /* As if it had been there, so that what comes after it is missed together with it. */
        uint64_t keys = slot_keys(walk);
        page = (struct scan_page){.count = keys < limit ? keys : limit, .done = true};
    } else if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; status == STATUS_OK && i < page.count; i++)
        status = take(walk, &page.rows[i]);
    if (page.done) {
        walk->slot++;
        walk->hash = 0;
        *looked += page.count > 0 ? page.count : 1;
    } else {
        walk->hash = page.next_hash;
        *looked += limit;
    }
    return status;
}

/*
 * Goes on until `limit` heads have been looked at, or it is over. When it fails it has taken
 * nothing.
 */
static enum status walk_on(struct walk *walk, uint64_t limit)
{
    struct buffer *done = &walk->request->progress->done;
    size_t before = buffer_size(done);
    bool cold = false;
    enum status status = STATUS_OK;
    uint64_t looked = 0;
    skip_empty_slots(walk);
    while (looked < limit && walk->slot < SLOT_COUNT) {
        status = walk_slot(walk, limit - looked, &looked);
        if (status != STATUS_OK && status != STATUS_COLD)
            break;
        cold = cold || status == STATUS_COLD;
        skip_empty_slots(walk);
    }
    if (cold && status == STATUS_OK)
        status = STATUS_COLD;
    if (status != STATUS_OK)
        buffer_truncate(done, before);
    return status;
}

/* ---- commands ------------------------------------------------------------------------------- */

/*
 * Any number, written as strtoul takes it: with a sign, with zeros in front, up to a NUL, or empty.
 * One that no walk has given is harmless.
 */
static enum status parse_cursor(struct request *request, uint64_t *out_cursor)
{
    struct bytes given = request->argv[1];
    struct bytes text = bytes_of(given.data, strnlen(given.data, given.size));
    bool negative = text.size > 0 && text.data[0] == '-';
    bool valid = true;
    uint64_t cursor = 0;
    for (size_t i = negative || (text.size > 0 && text.data[0] == '+'); i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        valid = valid && digit < 10 && !__builtin_mul_overflow(cursor, 10, &cursor) &&
                !__builtin_add_overflow(cursor, digit, &cursor);
    }
    if (!valid || (text.size == 1 && text.data[0] < '0'))
        return request_refuse(request, "ERR invalid cursor");
    *out_cursor = negative ? -cursor : cursor;
    return STATUS_OK;
}

static enum status parse_scan(struct request *request, struct filter *out_filter,
                              int64_t *out_count)
{
    for (uint32_t i = 2; i < request->argc; i += 2) {
        if (i + 1 == request->argc)
            return STATUS_SYNTAX;
        struct bytes option = request->argv[i];
        struct bytes value = request->argv[i + 1];
        if (bytes_equal_nocase(option, BYTES("COUNT"))) {
            enum status status = argument_integer(value, out_count);
            if (status != STATUS_OK)
                return status;
            if (*out_count < 1)
                return STATUS_SYNTAX;
        } else if (bytes_equal_nocase(option, BYTES("MATCH"))) {
            out_filter->pattern = value;
        } else if (bytes_equal_nocase(option, BYTES("TYPE"))) {
            out_filter->type = value;
        } else {
            return STATUS_SYNTAX;
        }
    }
    return STATUS_OK;
}

static enum status cmd_scan(struct request *request)
{
    uint64_t cursor;
    int64_t count = SCAN_COUNT_DEFAULT;
    struct walk walk = {.request = request};
    enum status status = parse_cursor(request, &cursor);
    if (status == STATUS_OK)
        status = parse_scan(request, &walk.filter, &count);
    if (status != STATUS_OK)
        return status;
    walk_from(&walk, cursor);
    status = walk_on(&walk, count < SCAN_COUNT_MAX ? (uint64_t)count : SCAN_COUNT_MAX);
    if (status != STATUS_OK)
        return status;
    reply_array(request->reply, 2);
    reply_bulk_integer(request->reply, (int64_t)walk_cursor(&walk));
    reply_array(request->reply, walk.taken);
    buffer_append_bytes(request->reply->out, buffer_bytes(&request->progress->done));
    return STATUS_OK;
}

/* In slices, so that other commands have their turn between them. */
static enum status cmd_keys(struct request *request)
{
    struct progress *progress = request->progress;
    struct walk walk = {.request = request, .filter.pattern = request->argv[1]};
    walk_from(&walk, progress->position);
    enum status status = walk_on(&walk, SCAN_COUNT_MAX);
    if (status != STATUS_OK)
        return status;
    progress->count += walk.taken;
    progress->position = walk_cursor(&walk);
    if (progress->position != 0)
        return STATUS_YIELD;
    reply_array(request->reply, progress->count);
    buffer_append_bytes(request->reply->out, buffer_bytes(&progress->done));
    return STATUS_OK;
}

static enum status cmd_dbsize(struct request *request)
{
    uint64_t keys = txn_keys(request->txn, request->db);
    if (request->slots) {
        keys = 0;
        for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
            if (request_answers_for(request, slot))
                keys += txn_slot_keys(request->txn, slot, request->db);
    }
    reply_integer(request->reply, (int64_t)keys);
    return STATUS_OK;
}

/* SYNC or ASYNC: it takes no time either way. */
static enum status flush(struct request *request, int db)
{
    bool known = request->argc == 1 ||
                 (request->argc == 2 && (bytes_equal_nocase(request->argv[1], BYTES("SYNC")) ||
                                         bytes_equal_nocase(request->argv[1], BYTES("ASYNC"))));
    if (!known)
        return STATUS_SYNTAX;
    txn_flush(request->txn, db);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status cmd_flushdb(struct request *request)
{
    return flush(request, request->db);
}

static enum status cmd_flushall(struct request *request)
{
    return flush(request, -1);
}

/* Redis's words for each of them, where it is no number at all. */
static enum status parse_swapped(struct request *request, struct bytes text, const char *error,
                                 int *out)
{
    int64_t index;
    if (argument_integer(text, &index) != STATUS_OK || index < INT_MIN || index > INT_MAX)
        return request_refuse(request, error);
    *out = (int)index;
    return STATUS_OK;
}

/* It has taken effect, durably, when this returns: nothing in it may be cold. */
static enum status cmd_swapdb(struct request *request)
{
    int a, b;
    int databases = (int)request->databases;
    enum status status = parse_swapped(request, request->argv[1], "ERR invalid first DB index", &a);
    if (status == STATUS_OK)
        status = parse_swapped(request, request->argv[2], "ERR invalid second DB index", &b);
    if (status != STATUS_OK)
        return status;
    if (a < 0 || a >= databases || b < 0 || b >= databases)
        return request_refuse(request, "ERR DB index is out of range");
    status = store_swap_databases(request->txn->store, (uint8_t)a, (uint8_t)b);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

/* clang-format off */
const struct command keyspace_commands[] = {
    {
        .name = "scan", .handler = cmd_scan, .arity = -2,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE | CAT_READ,
        .since = "2.8.0", .group = "generic",
        .complexity = "O(1) for every call. O(N) for a complete iteration, including enough "
                      "command calls for the cursor to return back to 0. N is the number of "
                      "elements inside the collection.",
        .summary = "Iterates over the key names in the database.",
        .syntax = "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]",
        .tips = "nondeterministic_output request_policy:special response_policy:special",
        .differs = "One call looks at 10000 keys at most, whatever COUNT says. A cursor "
                   "is still good after a restart.",
    },
    {
        .name = "keys", .handler = cmd_keys, .arity = 2,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE | CAT_READ | CAT_DANGEROUS,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) with N being the number of keys in the database, under the assumption "
                      "that the key names in the database and the given pattern have limited "
                      "length.",
        .summary = "Returns all key names that match a pattern.",
        .syntax = "pattern:pattern",
        .tips = "request_policy:all_shards nondeterministic_output_order",
        .differs = "Other commands go on while it works: what is changed meanwhile may "
                   "be in it or not.",
    },
    {
        .name = "dbsize", .handler = cmd_dbsize, .arity = 1,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_KEYSPACE | CAT_READ,
        .since = "1.0.0", .group = "server",
        .complexity = "O(1)",
        .summary = "Returns the number of keys in the database.",
        .syntax = "",
        .tips = "request_policy:all_shards response_policy:agg_sum",
    },
    {
        .name = "flushdb", .handler = cmd_flushdb, .arity = -1,
        .flags = CMD_WRITE, .categories = CAT_KEYSPACE | CAT_WRITE | CAT_DANGEROUS,
        .since = "1.0.0", .group = "server",
        .complexity = "O(1). The disk space is reclaimed in the background.",
        .summary = "Remove all keys from the current database.",
        .syntax = "[flush-type: ASYNC|SYNC]",
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .differs = "Takes no time, SYNC or ASYNC; memory and disk come free in the "
                   "background.",
    },
    {
        .name = "flushall", .handler = cmd_flushall, .arity = -1,
        .flags = CMD_WRITE, .categories = CAT_KEYSPACE | CAT_WRITE | CAT_DANGEROUS,
        .since = "1.0.0", .group = "server",
        .complexity = "O(1). The disk space is reclaimed in the background.",
        .summary = "Removes all keys from all databases.",
        .syntax = "[flush-type: ASYNC|SYNC]",
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .differs = "As FLUSHDB.",
    },
    {
        .name = "swapdb", .handler = cmd_swapdb, .arity = 3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE | CAT_WRITE | CAT_DANGEROUS,
        .since = "4.0.0", .group = "server",
        .complexity = "O(1). It waits for the disk.",
        .summary = "Swaps two databases.",
        .syntax = "index1:integer index2:integer",
    },
    {0},
};
/* clang-format on */
