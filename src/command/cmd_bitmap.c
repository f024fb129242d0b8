/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.
 *
 * The last three walk over strings page by page, for a slice of SLICE_PAGES in one run; then others
 * have their turn. So what fits a slice is read as of one moment. Of what is longer, each page is
 * read as of some moment while the command ran. But never a page of a string that was set anew
 * or deleted in between: then the walk begins again, and the third time it takes no rest.
 *
 * A slice that is not in memory is a quarter of that, and a quarter again whenever memory could not
 * even hold it until the command ran again.
 */
#include "command/bitmap.h"

#include "base/bits.h"
#include "base/number.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "command/arguments.h"
#include "command/tables.h"
#include "type/string.h"

enum {
    PAGE_BITS = STRING_PAGE_SIZE * 8,
    SLICE_PAGES = 64 * 1024 * 1024 / STRING_PAGE_SIZE,
    SLICE_NAMES_MAX = 64 * 1024 * 1024, /* bytes of the names of the rows that a slice asks for */
    QUARTERS_MAX = 4,
    RESTARTS_MAX = 2,
};

/* ---- single bits ---------------------------------------------------------------------------- */

enum status bitmap_offset_invalid(struct request *request)
{
    return request_refuse(request, "ERR bit offset is not an integer or out of range");
}

enum status bitmap_offset(struct request *request, struct bytes text, unsigned unit,
                          uint64_t *out_offset)
{
    int64_t offset;
    bool counts_units = unit > 0 && text.size > 0 && text.data[0] == '#';
    if (counts_units)
        text = bytes_of(text.data + 1, text.size - 1);
    if (!number_parse_i64(text, &offset))
        return bitmap_offset_invalid(request);
    if (counts_units && __builtin_mul_overflow(offset, (int64_t)unit, &offset))
        return bitmap_offset_invalid(request);
    if (offset < 0 || offset / 8 >= *request->bulk_size_max)
        return bitmap_offset_invalid(request);
    *out_offset = (uint64_t)offset;
    return STATUS_OK;
}

static enum status read_bit(struct string_pages *pages, uint64_t offset, bool *out_bit)
{
    struct bytes page;
    enum status status = string_page(pages, offset / PAGE_BITS, &page);
    if (status != STATUS_OK)
        return status;
    uint64_t within = offset % PAGE_BITS;
    *out_bit = within / 8 < page.size && bits_test(page, within);
    return STATUS_OK;
}

static enum status cmd_getbit(struct request *request)
{
    uint64_t offset;
    struct cell head;
    struct string_pages pages;
    bool bit;
    enum status status = bitmap_offset(request, request->argv[2], 0, &offset);
    if (status == STATUS_OK)
        status = argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_pages(&head, &pages);
    if (status == STATUS_OK)
        status = read_bit(&pages, offset, &bit);
    if (status == STATUS_OK)
        reply_integer(request->reply, bit);
    return status;
}

static enum status write_bit(struct string_pages *pages, uint64_t offset, bool bit)
{
    struct bytes page;
    enum status status = string_page(pages, offset / PAGE_BITS, &page);
    if (status != STATUS_OK)
        return status;
    uint64_t at = offset % PAGE_BITS / 8;
    uint64_t length;
    char byte = at < page.size ? page.data[at] : 0;
    bit_field_set(&byte, (struct bit_field){.offset = offset % 8, .size = 1}, bit);
    return string_overwrite(pages->head, offset / 8, bytes_of(&byte, 1), &length);
}

static enum status parse_bit(struct request *request, bool *out_bit)
{
    int64_t bit;
    if (number_parse_i64(request->argv[3], &bit) && (bit == 0 || bit == 1)) {
        *out_bit = bit;
        return STATUS_OK;
    }
    return request_refuse(request, "ERR bit is not an integer or out of range");
}

/* What is so already is not written. */
static enum status cmd_setbit(struct request *request)
{
    uint64_t offset;
    struct cell head;
    struct string_pages pages;
    bool bit;
    bool old;
    enum status status = bitmap_offset(request, request->argv[2], 0, &offset);
    if (status == STATUS_OK)
        status = parse_bit(request, &bit);
    if (status == STATUS_OK)
        status = argument_key(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_pages(&head, &pages);
    if (status == STATUS_OK)
        status = read_bit(&pages, offset, &old);
    if (status == STATUS_OK && (bit != old || offset / 8 >= pages.length))
        status = write_bit(&pages, offset, bit);
    if (status == STATUS_OK)
        reply_integer(request->reply, old);
    return status;
}

/* ---- walks ---------------------------------------------------------------------------------- */

/* What a walk keeps between its slices, in progress->done, besides where it is. */
struct walk_state {
    uint64_t identity; /* of the strings that it began with */
    struct bit_span span;
    uint32_t restarts;
    uint32_t quarters; /* how often the slice was cut down */
};

struct walk {
    struct request *request;
    struct walk_state state;
    uint64_t page; /* where it is */
    uint64_t end;  /* before this page */
    uint64_t left; /* pages that this run may still look at */
    uint64_t misses;
    uint64_t misses_max;
};

/* Another one when any of them was set anew, or deleted. */
static uint64_t identity_of(const struct string_pages *strings, uint32_t count, struct arena *arena)
{
    uint64_t *parts = arena_alloc(arena, count * 2 * sizeof(*parts));
    for (uint32_t i = 0; i < count; i++) {
        parts[2 * i] = strings[i].in_chunks ? strings[i].base.actor : 0;
        parts[2 * i + 1] = strings[i].in_chunks ? strings[i].base.time : 0;
    }
    return xxh64(bytes_of(parts, count * 2 * sizeof(*parts)));
}

/* Long names make short slices. */
static uint64_t slice_pages(const struct string_pages *strings, uint32_t count)
{
    uint64_t names = 0;
    for (uint32_t i = 0; i < count; i++)
        names += strings[i].head->name.size;
    uint64_t pages = SLICE_NAMES_MAX / names * count;
    return pages < SLICE_PAGES ? pages : SLICE_PAGES;
}

/* At the begin of progress->done, whatever stands behind it. */
static void write_state(struct progress *progress, const struct walk_state *state)
{
    if (buffer_size(&progress->done) == 0)
        buffer_append(&progress->done, state, sizeof(*state));
    else
        memcpy((char *)buffer_bytes(&progress->done).data, state, sizeof(*state));
}

/*
 * Begins a walk over the span of these strings, or goes on with it: then the span is the one that
 * it began with.
 */
static struct walk walk_begin(struct request *request, const struct string_pages *strings,
                              uint32_t count, struct bit_span span)
{
    struct progress *progress = request->progress;
    struct walk walk = {.request = request, .page = span.first / PAGE_BITS};
    walk.state = (struct walk_state){.span = span};
    walk.state.identity = identity_of(strings, count, request->arena);
    if (buffer_size(&progress->done) > 0) {
        struct walk_state begun;
        memcpy(&begun, buffer_bytes(&progress->done).data, sizeof(begun));
        if (begun.identity == walk.state.identity) {
            walk.state = begun;
            walk.page = progress->position;
        } else {
            walk.state.restarts = begun.restarts + 1;
            progress->position = walk.page;
            progress->count = 0;
            buffer_truncate(&progress->done, 0);
            write_state(progress, &walk.state);
        }
    }
    bool rests = walk.state.restarts < RESTARTS_MAX;
    uint64_t pages = slice_pages(strings, count);
    walk.end = (walk.state.span.end + PAGE_BITS - 1) / PAGE_BITS;
    walk.left = rests ? (pages >> 2 * walk.state.quarters) + 1 : UINT64_MAX;
    walk.misses_max = rests ? (pages >> 2) + 1 : UINT64_MAX;
    return walk;
}

/* Whether this run looks at another page. */
static bool walk_goes_on(const struct walk *walk)
{
    return walk->page < walk->end && walk->left > 0 && walk->misses < walk->misses_max;
}

/*
 * The page of one of the strings. STATUS_COLD is only counted: the run goes on, to ask for all that
 * it needs at once, but nothing that it finds counts any more.
 */
static enum status walk_look(struct walk *walk, struct string_pages *string, struct bytes *out_page)
{
    enum status status = string_page(string, walk->page, out_page);
    if (status != STATUS_COLD)
        return status;
    walk->misses++;
    *out_page = bytes_of("", 0);
    return STATUS_OK;
}

static void walk_next(struct walk *walk, uint64_t looked)
{
    walk->page++;
    walk->left -= looked < walk->left ? looked : walk->left;
}

static bool walk_is_over(const struct walk *walk)
{
    return walk->page == walk->end && walk->misses == 0;
}

/*
 * For the handler to return when the walk is not over. With STATUS_YIELD what this run has found is
 * to be kept. The last run changes no progress: it may be run again, if a commit has to wait.
 */
static enum status walk_rests(struct walk *walk)
{
    struct progress *progress = walk->request->progress;
    struct walk_state *state = &walk->state;
    bool misses = walk->misses > 0;
    if (!misses)
        progress->position = walk->page;
    else if (buffer_size(&progress->done) == 0)
        progress->position = state->span.first / PAGE_BITS;
    if (misses && state->quarters < QUARTERS_MAX)
        state->quarters++;
    write_state(progress, state);
    return misses ? STATUS_COLD : STATUS_YIELD;
}

/* What of the walk's span is on its page, counted from the page's begin. */
static struct bit_span span_on_page(const struct walk *walk)
{
    uint64_t begin = walk->page * PAGE_BITS;
    struct bit_span span = walk->state.span;
    span.first = span.first > begin ? span.first - begin : 0;
    span.end = span.end - begin < PAGE_BITS ? span.end - begin : PAGE_BITS;
    return span;
}

/* What of a page's span the page has bytes for; behind that are zeros. */
static struct bit_span span_held(struct bytes page, struct bit_span span)
{
    uint64_t held = page.size * (uint64_t)8;
    return (struct bit_span){span.first < held ? span.first : held,
                             span.end < held ? span.end : held};
}

/* ---- a range of a string, as BITCOUNT and BITPOS take it ------------------------------------- */

static enum status parse_unit(struct bytes text, bool *out_in_bits)
{
    *out_in_bits = bytes_equal_nocase(text, BYTES("BIT"));
    return *out_in_bits || bytes_equal_nocase(text, BYTES("BYTE")) ? STATUS_OK : STATUS_SYNTAX;
}

/* From `start` to `end`, both included, negative ones from the end; the span may be empty. */
static struct bit_span span_of(int64_t start, int64_t end, bool in_bits, uint64_t length)
{
    int64_t bits = in_bits ? 1 : 8;
    int64_t total = (int64_t)length * 8 / bits;
    if (start < 0)
        start = start + total > 0 ? start + total : 0;
    if (end < 0)
        end = end + total > 0 ? end + total : 0;
    if (end >= total)
        end = total - 1;
    if (start > end)
        return (struct bit_span){0, 0};
    return (struct bit_span){(uint64_t)(start * bits), (uint64_t)((end + 1) * bits)};
}

/* ---- BITCOUNT ------------------------------------------------------------------------------- */

static enum status parse_count_span(const struct request *request, uint64_t length,
                                    struct bit_span *out_span)
{
    int64_t start = 0;
    int64_t end = -1;
    bool in_bits = false;
    if (request->argc == 3 || request->argc > 5)
        return STATUS_SYNTAX;
    if (request->argc > 3) {
        enum status status = argument_integer(request->argv[2], &start);
        if (status == STATUS_OK)
            status = argument_integer(request->argv[3], &end);
        if (status != STATUS_OK)
            return status;
        if (start < 0 && end < 0 && start > end) { /* before the unit is looked at, as in Redis */
            *out_span = (struct bit_span){0, 0};
            return STATUS_OK;
        }
    }
    if (request->argc == 5) {
        enum status status = parse_unit(request->argv[4], &in_bits);
        if (status != STATUS_OK)
            return status;
    }
    *out_span = span_of(start, end, in_bits, length);
    return STATUS_OK;
}

static enum status count_on(struct request *request, struct string_pages *pages,
                            struct bit_span span)
{
    struct walk walk = walk_begin(request, pages, 1, span);
    uint64_t count = request->progress->count;
    for (; walk_goes_on(&walk); walk_next(&walk, 1)) {
        struct bytes page;
        enum status status = walk_look(&walk, pages, &page);
        if (status != STATUS_OK)
            return status;
        if (walk.misses == 0)
            count += bits_count(page, span_held(page, span_on_page(&walk)));
    }
    if (!walk_is_over(&walk)) {
        enum status status = walk_rests(&walk);
        if (status == STATUS_YIELD)
            request->progress->count = count;
        return status;
    }
    reply_integer(request->reply, (int64_t)count);
    return STATUS_OK;
}

/* As in Redis 7.2, the arguments are not looked at when there is no key. */
static enum status cmd_bitcount(struct request *request)
{
    struct cell head;
    struct string_pages pages;
    struct bit_span span;
    enum status status = argument_key_read(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) {
        reply_integer(request->reply, 0);
        return STATUS_OK;
    }
    status = string_pages(&head, &pages);
    if (status == STATUS_OK)
        status = parse_count_span(request, pages.length, &span);
    return status == STATUS_OK ? count_on(request, &pages, span) : status;
}

/* ---- BITPOS --------------------------------------------------------------------------------- */

static enum status parse_position_span(const struct request *request, uint64_t length,
                                       struct bit_span *out_span)
{
    int64_t start = 0;
    int64_t end = -1;
    bool in_bits = false;
    enum status status = STATUS_OK;
    if (request->argc > 6)
        return STATUS_SYNTAX;
    if (request->argc > 3)
        status = argument_integer(request->argv[3], &start);
    if (status == STATUS_OK && request->argc == 6)
        status = parse_unit(request->argv[5], &in_bits);
    if (status == STATUS_OK && request->argc > 4)
        status = argument_integer(request->argv[4], &end);
    if (status == STATUS_OK)
        *out_span = span_of(start, end, in_bits, length);
    return status;
}

/* The first such bit of the span on a page; the span's end if there is none. */
static uint64_t find_on_page(struct bytes page, struct bit_span span, bool bit)
{
    struct bit_span held = span_held(page, span);
    uint64_t found = bits_find(page, held, bit);
    if (found < held.end || bit)
        return found < held.end ? found : span.end;
    return span.first > held.end ? span.first : held.end; /* the zeros behind what it holds */
}

static enum status find_on(struct request *request, struct string_pages *pages,
                           struct bit_span span, bool bit)
{
    struct walk walk = walk_begin(request, pages, 1, span);
    for (; walk_goes_on(&walk); walk_next(&walk, 1)) {
        struct bytes page;
        enum status status = walk_look(&walk, pages, &page);
        if (status != STATUS_OK)
            return status;
        if (walk.misses > 0)
            continue;
        struct bit_span here = span_on_page(&walk);
        uint64_t found = find_on_page(page, here, bit);
        if (found < here.end) {
            reply_integer(request->reply, (int64_t)(walk.page * PAGE_BITS + found));
            return STATUS_OK;
        }
    }
    if (!walk_is_over(&walk))
        return walk_rests(&walk);
    /* Behind a string that is looked at to its end there are clear bits. */
    bool found_behind = !bit && request->argc < 5;
    reply_integer(request->reply, found_behind ? (int64_t)walk.state.span.end : -1);
    return STATUS_OK;
}

static enum status cmd_bitpos(struct request *request)
{
    int64_t bit;
    struct cell head;
    struct string_pages pages;
    struct bit_span span;
    enum status status = argument_integer(request->argv[2], &bit);
    if (status != STATUS_OK)
        return status;
    if (bit != 0 && bit != 1)
        return request_refuse(request, "ERR The bit argument must be 1 or 0.");
    status = argument_key_read(request, request->argv[1], &head);
    if (status != STATUS_OK)
        return status;
    if (!head.exists) { /* as in Redis 7.2, the range is not looked at */
        reply_integer(request->reply, bit ? -1 : 0);
        return STATUS_OK;
    }
    status = string_pages(&head, &pages);
    if (status == STATUS_OK)
        status = parse_position_span(request, pages.length, &span);
    if (status != STATUS_OK)
        return status;
    if (span.first == span.end) {
        reply_integer(request->reply, -1);
        return STATUS_OK;
    }
    return find_on(request, &pages, span, bit);
}

/* ---- BITOP ---------------------------------------------------------------------------------- */

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

static struct result result_begin(const struct walk *walk, enum operation operation)
{
    struct arena *arena = walk->request->arena;
    struct result result = {.operation = operation, .length = walk->state.span.end / 8};
    result.parts = arena_alloc(arena, walk->end * sizeof(*result.parts));
    result.page = arena_alloc(arena, STRING_PAGE_SIZE);
    return result;
}

/* What the slices before have kept, and this run's. */
static struct result result_whole(const struct walk *walk, const struct result *last)
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
static void take_page(const struct walk *walk, const struct bytes *in, uint32_t count,
                      struct result *result)
{
    bool held = result->operation == OP_NOT;
    for (uint32_t i = 0; i < count; i++)
        held = held || in[i].size > 0;
    if (!held)
        return;
    struct bit_span whole = {0, PAGE_BITS};
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
    struct walk walk = walk_begin(request, sources, count, span);
    struct result result = result_begin(&walk, operation);
    struct bytes *in = arena_alloc(request->arena, count * sizeof(*in));
    enum status status = STATUS_OK;
    for (; walk_goes_on(&walk); walk_next(&walk, count)) {
        for (uint32_t i = 0; status == STATUS_OK && i < count; i++)
            status = walk_look(&walk, &sources[i], &in[i]);
        if (status != STATUS_OK)
            return status;
        if (walk.misses == 0)
            take_page(&walk, in, count, &result);
    }
    if (!walk_is_over(&walk)) {
        status = walk_rests(&walk);
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
const struct command bitmap_commands[] = {
    {
        .name = "setbit", .handler = cmd_setbit, .arity = 4,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "2.2.0", .group = "bitmap",
        .complexity = "O(1)",
        .summary = "Sets or clears the bit at offset of the string value. Creates the key if it "
                   "doesn't exist.",
        .syntax = "key:key offset:integer value:integer",
    },
    {
        .name = "getbit", .handler = cmd_getbit, .arity = 3,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.2.0", .group = "bitmap",
        .complexity = "O(1)",
        .summary = "Returns a bit value by offset.",
        .syntax = "key:key offset:integer",
    },
    {
        .name = "bitcount", .handler = cmd_bitcount, .arity = -2,
        .flags = CMD_READONLY, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.6.0", .group = "bitmap",
        .complexity = "O(N) with N being the length of the range",
        .summary = "Counts the number of set bits (population counting) in a string.",
        .syntax = "key:key [(range: start:integer end:integer [(unit: BYTE|BIT)])]",
        .differs = "Of more than 64 MB it works in pieces, and other commands go on "
                   "between them: what is written meanwhile may count or not.",
    },
    {
        .name = "bitpos", .handler = cmd_bitpos, .arity = -3,
        .flags = CMD_READONLY, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "2.8.7", .group = "bitmap",
        .complexity = "O(N) with N being the distance from start to the bit that is found",
        .summary = "Finds the first set (1) or clear (0) bit in a string.",
        .syntax = "key:key bit:integer "
                  "[(range: start:integer [(end-unit-block: end:integer [(unit: BYTE|BIT)])])]",
        .differs = "As BITCOUNT.",
    },
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
