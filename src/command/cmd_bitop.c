/* SPDX-License-Identifier: MIT */
/* BITOP: a walk over all its sources at once. */
#include "base/bits.h"
#include "base/pack.h"
#include "command/arguments.h"
#include "command/bitmap_walk.h"
#include "command/tables.h"

enum operation { OP_AND, OP_OR, OP_XOR, OP_NOT, OP_DIFF, OP_DIFF1, OP_ANDOR, OP_ONE, OP_COUNT };

static const struct operation_facts {
    const char *name;
    uint32_t sources_min;
    uint32_t sources_max;
} operations[] = {
    [OP_AND] = {"AND", 1, UINT32_MAX},     [OP_OR] = {"OR", 1, UINT32_MAX},
    [OP_XOR] = {"XOR", 1, UINT32_MAX},     [OP_NOT] = {"NOT", 1, 1},
    [OP_DIFF] = {"DIFF", 2, UINT32_MAX},   [OP_DIFF1] = {"DIFF1", 2, UINT32_MAX},
    [OP_ANDOR] = {"ANDOR", 2, UINT32_MAX}, [OP_ONE] = {"ONE", 1, UINT32_MAX},
};

enum { FIRST_SOURCE = 3 }; /* place among the arguments */

static enum status parse_operation(struct request *request, enum operation *out)
{
    enum operation operation = OP_AND;
    while (operation < OP_COUNT &&
           !bytes_equal_nocase(request->argv[1], bytes_text(operations[operation].name)))
        operation++;
    if (operation == OP_COUNT)
        return STATUS_SYNTAX;
    const struct operation_facts *facts = &operations[operation];
    uint32_t sources = request->argc - FIRST_SOURCE;
    if (sources >= facts->sources_min && sources <= facts->sources_max) {
        *out = operation;
        return STATUS_OK;
    }
    reply_errorf(request->reply, "ERR BITOP %s must be called with %s.", facts->name,
                 sources > facts->sources_max ? "a single source key" : "at least two source keys");
    return STATUS_REPLIED;
}

/* `out` and a page that may hold less than all of it. */
static void and_page(char *out, struct bytes in)
{
    bits_and(out, in.data, in.size);
    memset(out + in.size, 0, STRING_PAGE_SIZE - in.size);
}

static void or_pages(char *out, const struct bytes *in, uint32_t count)
{
    memset(out, 0, STRING_PAGE_SIZE);
    for (uint32_t i = 0; i < count; i++)
        bits_or(out, in[i].data, in[i].size);
}

/* What exactly one of them has: each or, without what was there already. */
static void one_of_pages(char *out, const struct bytes *in, uint32_t count)
{
    char again[STRING_PAGE_SIZE] = {0};
    memset(out, 0, STRING_PAGE_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        char both[STRING_PAGE_SIZE];
        memcpy(both, out, in[i].size);
        bits_and(both, in[i].data, in[i].size);
        bits_or(again, both, in[i].size);
        bits_or(out, in[i].data, in[i].size);
    }
    bits_and_not(out, again, STRING_PAGE_SIZE);
}

/* One page of the result from that page of each source. */
static void combine(enum operation operation, const struct bytes *in, uint32_t count, char *out)
{
    if (operation == OP_ONE) {
        one_of_pages(out, in, count);
        return;
    }
    bool of_others = operation == OP_DIFF || operation == OP_DIFF1 || operation == OP_ANDOR;
    if (of_others || operation == OP_OR)
        or_pages(out, in + of_others, count - of_others);
    else
        or_pages(out, in, 1);
    for (uint32_t i = 1; operation == OP_AND && i < count; i++)
        and_page(out, in[i]);
    for (uint32_t i = 1; operation == OP_XOR && i < count; i++)
        bits_xor(out, in[i].data, in[i].size);
    if (operation == OP_NOT || operation == OP_DIFF)
        bits_not(out, STRING_PAGE_SIZE);
    if (operation == OP_DIFF || operation == OP_ANDOR)
        and_page(out, in[0]);
    if (operation == OP_DIFF1)
        bits_and_not(out, in[0].data, in[0].size);
}

/* The result as far as this run has it: pages that are not all zeros. */
struct result {
    enum operation operation;
    uint64_t length;
    struct string_part *parts;
    size_t count;
    char *page; /* for the next one */
};

/* What the slices before have left in progress->done: an offset and a page, again and again. */
enum { KEPT_SIZE = 8 + STRING_PAGE_SIZE };

static void keep_result(struct request *request, const struct result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct string_part *part = &result->parts[i];
        char *kept = buffer_reserve(&request->progress->done, KEPT_SIZE);
        memcpy(pack_u64(kept, part->offset), part->value.data, part->value.size);
        buffer_commit(&request->progress->done, KEPT_SIZE);
    }
}

static void add_part(struct result *result, uint64_t offset, const char *page)
{
    uint64_t rest = result->length - offset;
    size_t size = rest < STRING_PAGE_SIZE ? (size_t)rest : STRING_PAGE_SIZE;
    result->parts[result->count++] = (struct string_part){offset, bytes_of(page, size)};
}

static struct result result_begin(const struct bitmap_walk *walk, enum operation operation)
{
    struct arena *arena = walk->request->arena;
    struct result result = {.operation = operation, .length = walk->state.span.end / 8};
    result.parts = arena_alloc(arena, walk->end * sizeof(*result.parts));
    result.page = arena_alloc(arena, STRING_PAGE_SIZE);
    return result;
}

/* What the slices before have kept, and this run's. */
static struct result result_whole(const struct bitmap_walk *walk, const struct result *last)
{
    struct bytes kept = buffer_bytes(&walk->request->progress->done);
    struct result whole = result_begin(walk, last->operation);
    for (size_t at = sizeof(walk->state); at < kept.size; at += KEPT_SIZE)
        add_part(&whole, unpack_u64(kept.data + at), kept.data + at + 8);
    for (size_t i = 0; i < last->count; i++)
        whole.parts[whole.count++] = last->parts[i];
    return whole;
}

/* The walk's page of the result, from that page of the sources. */
static void take_page(const struct bitmap_walk *walk, const struct bytes *in, uint32_t count,
                      struct result *result)
{
    bool held = result->operation == OP_NOT;
    for (uint32_t i = 0; i < count; i++)
        held = held || in[i].size > 0;
    if (!held)
        return;
    struct bit_span whole = {0, BITMAP_PAGE_BITS};
    combine(result->operation, in, count, result->page);
    if (bits_find(bytes_of(result->page, STRING_PAGE_SIZE), whole, true) == whole.end)
        return;
    add_part(result, walk->page * STRING_PAGE_SIZE, result->page);
    result->page = arena_alloc(walk->request->arena, STRING_PAGE_SIZE);
}

static enum status combine_on(struct request *request, struct cell *destination,
                              enum operation operation, struct string_pages *sources,
                              uint32_t count)
{
    struct bit_span span = {0, 0};
    for (uint32_t i = 0; i < count; i++)
        if (span.end < sources[i].length * 8)
            span.end = sources[i].length * 8;
    struct bitmap_walk walk = bitmap_walk_begin(request, sources, count, span);
    struct result result = result_begin(&walk, operation);
    struct bytes *in = arena_alloc(request->arena, count * sizeof(*in));
    enum status status = STATUS_OK;
    for (; bitmap_walk_goes_on(&walk); bitmap_walk_next(&walk, count)) {
        for (uint32_t i = 0; status == STATUS_OK && i < count; i++)
            status = bitmap_walk_look(&walk, &sources[i], &in[i]);
        if (status != STATUS_OK)
            return status;
        if (walk.misses == 0)
            take_page(&walk, in, count, &result);
    }
    if (!bitmap_walk_is_over(&walk)) {
        status = bitmap_walk_rests(&walk);
        if (status == STATUS_YIELD)
            keep_result(request, &result);
        return status;
    }
    result = result_whole(&walk, &result);
    if (result.length > 0)
        status = string_set_parts(destination, result.length, result.parts, result.count,
                                  EXPIRY_NEVER, false);
    else if (destination->exists)
        status = cell_delete(destination);
    if (status == STATUS_OK)
        reply_integer(request->reply, (int64_t)result.length);
    return status;
}

static enum status cmd_bitop(struct request *request)
{
    enum operation operation;
    struct cell destination;
    uint32_t count = request->argc - FIRST_SOURCE;
    struct cell *heads = arena_alloc(request->arena, count * sizeof(*heads));
    struct string_pages *sources = arena_alloc(request->arena, count * sizeof(*sources));
    enum status status = parse_operation(request, &operation);
    if (status != STATUS_OK)
        return status;
    status = argument_key(request, request->argv[2], &destination);
    bool cold = status == STATUS_COLD;
    if (status != STATUS_OK && !cold)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        status = argument_key_read(request, request->argv[FIRST_SOURCE + i], &heads[i]);
        if (status == STATUS_OK)
            status = string_pages(&heads[i], &sources[i]);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    if (cold)
        return STATUS_COLD;
    return combine_on(request, &destination, operation, sources, count);
}

static const struct key_spec bitop_keys[] = {
    {.flags = KEY_OW | KEY_UPDATE, .begin = 2, .step = 1},
    {.flags = KEY_RO | KEY_ACCESS, .begin = 3, .last = -1, .step = 1},
    {.flags = 0},
};

/* clang-format off */
const struct command bitop_commands[] = {
    {
        .name = "bitop", .handler = cmd_bitop, .arity = -4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_BITMAP,
        .first_key = 2, .last_key = -1, .key_step = 1, .key_specs = bitop_keys,
        .since = "2.6.0", .group = "bitmap",
        .complexity = "O(N) with N being the sum of the lengths of the source strings",
        .summary = "Performs bitwise operations on multiple strings, and stores the result.",
        .syntax = "(operation: AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE) destkey:key key:key...",
        .differs = "As BITCOUNT. DIFF, DIFF1, ANDOR and ONE are those of Redis 8.2.",
    },
    {0},
};
/* clang-format on */
