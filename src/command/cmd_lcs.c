/* SPDX-License-Identifier: MIT */
/* LCS. */
#include "base/lcs.h"
#include "command/arguments.h"
#include "command/tables.h"
#include "type/string.h"

enum { REDIS_CELL_SIZE = 4 }; /* bytes of one in Redis's table, which its limit speaks of */

struct options {
    bool length;       /* LEN */
    bool indexes;      /* IDX */
    bool match_length; /* WITHMATCHLEN */
    int64_t size_min;  /* MINMATCHLEN */
};

static enum status parse_options(const struct request *request, struct options *out)
{
    struct options options = {0};
    for (uint32_t i = 3; i < request->argc; i++) {
        struct bytes option = request->argv[i];
        if (bytes_equal_nocase(option, BYTES("IDX"))) {
            options.indexes = true;
        } else if (bytes_equal_nocase(option, BYTES("LEN"))) {
            options.length = true;
        } else if (bytes_equal_nocase(option, BYTES("WITHMATCHLEN"))) {
            options.match_length = true;
        } else if (bytes_equal_nocase(option, BYTES("MINMATCHLEN")) && i + 1 < request->argc) {
            enum status status = argument_integer(request->argv[++i], &options.size_min);
            if (status != STATUS_OK)
                return status;
        } else {
            return STATUS_SYNTAX;
        }
    }
    *out = options;
    return STATUS_OK;
}

/* Both heads are asked for before either is given up on. */
static enum status find_both(struct request *request, struct cell heads[2], uint64_t sizes[2])
{
    bool cold = false;
    for (unsigned i = 0; i < 2; i++) {
        enum status status = argument_key_read(request, request->argv[1 + i], &heads[i]);
        if (status == STATUS_OK)
            status = string_length(&heads[i], &sizes[i]);
        if (status == STATUS_WRONG_TYPE)
            return request_refuse(request, "ERR The specified keys must contain string values");
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

static enum status read_both(struct cell heads[2], struct bytes values[2])
{
    enum status first = string_value(&heads[0], &values[0]);
    if (first != STATUS_OK && first != STATUS_COLD)
        return first;
    enum status second = string_value(&heads[1], &values[1]);
    return second == STATUS_OK ? first : second;
}

static enum status check_sizes(struct request *request, const uint64_t sizes[2])
{
    uint64_t cells = (sizes[0] + 1) * (sizes[1] + 1); /* of strings: it fits 64 bits */
    if (cells > (uint64_t)*request->bulk_size_max / REDIS_CELL_SIZE || cells > LCS_CELLS_MAX)
        return request_refuse(request, "ERR Insufficient memory, transient memory for LCS "
                                       "exceeds proto-max-bulk-len");
    return STATUS_OK;
}

static void reply_range(struct reply *reply, uint32_t from, uint32_t size)
{
    reply_array(reply, 2);
    reply_integer(reply, from);
    reply_integer(reply, (int64_t)from + size - 1);
}

static void reply_indexes(struct reply *reply, const struct lcs *lcs, const struct options *options)
{
    size_t count = 0;
    for (uint32_t i = 0; i < lcs->match_count; i++)
        count += lcs->matches[i].size >= options->size_min;
    reply_map(reply, 2);
    reply_bulk_text(reply, "matches");
    reply_array(reply, count);
    for (uint32_t i = 0; i < lcs->match_count; i++) {
        const struct lcs_match *match = &lcs->matches[i];
        if (match->size < options->size_min)
            continue;
        reply_array(reply, options->match_length ? 3 : 2);
        reply_range(reply, match->a, match->size);
        reply_range(reply, match->b, match->size);
        if (options->match_length)
            reply_integer(reply, match->size);
    }
    reply_bulk_text(reply, "len");
    reply_integer(reply, lcs->length);
}

static struct bytes common_text(const struct lcs *lcs, struct bytes a, struct arena *arena)
{
    char *text = arena_alloc(arena, lcs->length);
    size_t size = 0;
    for (uint32_t i = lcs->match_count; i-- > 0;) {
        memcpy(text + size, a.data + lcs->matches[i].a, lcs->matches[i].size);
        size += lcs->matches[i].size;
    }
    return bytes_of(text, size);
}

static enum status cmd_lcs(struct request *request)
{
    struct cell heads[2];
    uint64_t sizes[2];
    struct bytes values[2];
    struct options options;
    struct lcs lcs;
    enum status status = find_both(request, heads, sizes);
    if (status == STATUS_OK)
        status = parse_options(request, &options);
    if (status == STATUS_OK && options.length && options.indexes)
        return request_refuse(request, "ERR If you want both the length and indexes, please "
                                       "just use IDX.");
    if (status == STATUS_OK)
        status = check_sizes(request, sizes);
    if (status == STATUS_OK)
        status = read_both(heads, values);
    if (status != STATUS_OK)
        return status;
    lcs_find(values[0], values[1], !options.length, request->arena, &lcs);
    if (options.indexes)
        reply_indexes(request->reply, &lcs, &options);
    else if (options.length)
        reply_integer(request->reply, lcs.length);
    else
        reply_bulk(request->reply, common_text(&lcs, values[0], request->arena));
    return STATUS_OK;
}

/* clang-format off */
const struct command lcs_commands[] = {
    {
        .name = "lcs", .handler = cmd_lcs, .arity = -3,
        .flags = CMD_READONLY, .categories = CAT_STRING,
        .first_key = 1, .last_key = 2, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "7.0.0", .group = "string",
        .complexity = "O(N*M) where N and M are the lengths of the two values; a step takes 64 "
                      "bytes at once.",
        .summary = "Finds the longest common substring.",
        .syntax = "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] "
                  "[WITHMATCHLEN]",
    },
    {0},
};
/* clang-format on */
