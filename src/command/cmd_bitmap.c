/* SPDX-License-Identifier: MIT */
/* Bitmaps: SETBIT, GETBIT, BITCOUNT, BITPOS. */
#include "command/bitmap.h"

#include "base/bits.h"
#include "base/number.h"
#include "command/arguments.h"
#include "command/bitmap_walk.h"
#include "command/tables.h"

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
    enum status status = string_page(pages, offset / BITMAP_PAGE_BITS, &page);
    if (status != STATUS_OK)
        return status;
    uint64_t within = offset % BITMAP_PAGE_BITS;
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
    enum status status = string_page(pages, offset / BITMAP_PAGE_BITS, &page);
    if (status != STATUS_OK)
        return status;
    uint64_t at = offset % BITMAP_PAGE_BITS / 8;
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

/* What of a page's span the page has bytes for; behind that are zeros. */
static struct bit_span span_held(struct bytes page, struct bit_span span)
{
    uint64_t held = page.size * (uint64_t)8;
    return (struct bit_span){span.first < held ? span.first : held,
                             span.end < held ? span.end : held};
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
    struct bitmap_walk walk = bitmap_walk_begin(request, pages, 1, span);
    uint64_t count = request->progress->count;
    for (; bitmap_walk_goes_on(&walk); bitmap_walk_next(&walk, 1)) {
        struct bytes page;
        enum status status = bitmap_walk_look(&walk, pages, &page);
        if (status != STATUS_OK)
            return status;
        if (walk.misses == 0)
            count += bits_count(page, span_held(page, bitmap_walk_span(&walk)));
    }
    if (!bitmap_walk_is_over(&walk)) {
        enum status status = bitmap_walk_rests(&walk);
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
    struct bitmap_walk walk = bitmap_walk_begin(request, pages, 1, span);
    for (; bitmap_walk_goes_on(&walk); bitmap_walk_next(&walk, 1)) {
        struct bytes page;
        enum status status = bitmap_walk_look(&walk, pages, &page);
        if (status != STATUS_OK)
            return status;
        if (walk.misses > 0)
            continue;
        struct bit_span here = bitmap_walk_span(&walk);
        uint64_t found = find_on_page(page, here, bit);
        if (found < here.end) {
            reply_integer(request->reply, (int64_t)(walk.page * BITMAP_PAGE_BITS + found));
            return STATUS_OK;
        }
    }
    if (!bitmap_walk_is_over(&walk))
        return bitmap_walk_rests(&walk);
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
    {0},
};
/* clang-format on */
