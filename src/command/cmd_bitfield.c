/* SPDX-License-Identifier: MIT */
/*
 * Fields of bits: BITFIELD, BITFIELD_RO. All operations are parsed first, then the pages of the
 * string that they touch are looked at together, then they are done on copies of these, and in the
 * end each page that has changed is written, once.
 */
#include <stdlib.h>

#include "base/bits.h"
#include "base/number.h"
#include "command/arguments.h"
#include "command/bitmap.h"
#include "command/tables.h"
#include "type/string.h"

enum { FIRST_WORD = 2 }; /* place of the first operation's name among the arguments */

enum action { ACTION_GET, ACTION_SET, ACTION_INCRBY };

struct operation {
    enum action action;
    enum bit_overflow overflow;
    struct bit_field field;
    int64_t number; /* to be set, or added */
};

struct operations {
    struct operation *items;
    size_t count;
    bool writes;
    uint64_t length; /* that the writing ones need, in bytes */
};

/* ---- parsing -------------------------------------------------------------------------------- */

/* "u8" or "i64". What stands behind a NUL is not looked at, as in Redis. */
static enum status parse_encoding(struct request *request, struct bytes text, struct bit_field *out)
{
    int64_t size;
    bool has_sign = text.size > 0 && text.data[0] == 'i';
    bool valid = has_sign || (text.size > 0 && text.data[0] == 'u');
    if (valid) {
        struct bytes digits = bytes_of(text.data + 1, strnlen(text.data + 1, text.size - 1));
        valid = number_parse_i64(digits, &size) && size >= 1 && size <= (has_sign ? 64 : 63);
    }
    if (!valid)
        return request_refuse(request,
                              "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                              "is not supported but i64 is.");
    *out = (struct bit_field){.size = (unsigned)size, .has_sign = has_sign};
    return STATUS_OK;
}

static enum status parse_overflow(struct request *request, struct bytes text,
                                  enum bit_overflow *out)
{
    if (bytes_equal_nocase(text, BYTES("WRAP"))) {
        *out = BIT_OVERFLOW_WRAP;
    } else if (bytes_equal_nocase(text, BYTES("SAT"))) {
        *out = BIT_OVERFLOW_SATURATE;
    } else if (bytes_equal_nocase(text, BYTES("FAIL"))) {
        *out = BIT_OVERFLOW_FAIL;
    } else {
        return request_refuse(request, "ERR Invalid OVERFLOW type specified");
    }
    return STATUS_OK;
}

/* Its name, and how many words it has with it. */
static bool parse_action(struct bytes name, uint32_t words, enum action *out, uint32_t *out_words)
{
    if (bytes_equal_nocase(name, BYTES("GET")))
        *out = ACTION_GET;
    else if (bytes_equal_nocase(name, BYTES("SET")))
        *out = ACTION_SET;
    else if (bytes_equal_nocase(name, BYTES("INCRBY")))
        *out = ACTION_INCRBY;
    else
        return false;
    *out_words = *out == ACTION_GET ? 3 : 4;
    return words >= *out_words;
}

/* An operation with all its words, from `words` on. */
static enum status parse_operation(struct request *request, const struct bytes *words,
                                   struct operation *out)
{
    enum status status = parse_encoding(request, words[1], &out->field);
    if (status == STATUS_OK)
        status = bitmap_offset(request, words[2], out->field.size, &out->field.offset);
    if (status == STATUS_OK && out->action != ACTION_GET)
        status = argument_integer(words[3], &out->number);
    return status;
}

static uint64_t end_of(struct bit_field field)
{
    return (field.offset + field.size + 7) / 8;
}

static enum status parse_operations(struct request *request, struct operations *out)
{
    struct operations operations = {0};
    enum bit_overflow overflow = BIT_OVERFLOW_WRAP;
    uint32_t words;
    operations.items = arena_alloc(request->arena, request->argc / 3 * sizeof(*operations.items));
    for (uint32_t i = FIRST_WORD; i < request->argc; i += words) {
        struct operation operation = {.overflow = overflow};
        const struct bytes *rest = request->argv + i;
        enum status status = STATUS_SYNTAX;
        if (parse_action(rest[0], request->argc - i, &operation.action, &words)) {
            status = parse_operation(request, rest, &operation);
            operations.items[operations.count++] = operation;
        } else if (bytes_equal_nocase(rest[0], BYTES("OVERFLOW")) && request->argc - i >= 2) {
            status = parse_overflow(request, rest[1], &overflow);
            words = 2;
            operation.action = ACTION_GET; /* writes nothing */
        }
        if (status != STATUS_OK)
            return status;
        if (operation.action != ACTION_GET) {
            operations.writes = true;
            if (operations.length < end_of(operation.field))
                operations.length = end_of(operation.field);
        }
    }
    *out = operations;
    return STATUS_OK;
}

/* ---- pages ---------------------------------------------------------------------------------- */

struct page {
    uint64_t index;
    struct bytes held;
    char *copy;      /* of all of it; NULL while nothing was changed */
    size_t from, to; /* what was changed of it */
};

/* The pages that the operations touch, in order, each once. */
struct pages {
    struct page *items;
    size_t count;
    struct arena *arena;
};

static int compare_pages(const void *left, const void *right)
{
    uint64_t a = ((const struct page *)left)->index;
    uint64_t b = ((const struct page *)right)->index;
    return (a > b) - (a < b);
}

static void note_page(struct pages *pages, uint64_t index)
{
    if (pages->count == 0 || pages->items[pages->count - 1].index != index)
        pages->items[pages->count++] = (struct page){.index = index};
}

static struct pages pages_of(const struct operations *operations, struct arena *arena)
{
    struct pages pages = {.arena = arena};
    pages.items = arena_alloc(arena, operations->count * 2 * sizeof(*pages.items));
    for (size_t i = 0; i < operations->count; i++) {
        struct bit_field field = operations->items[i].field;
        note_page(&pages, field.offset / 8 / STRING_PAGE_SIZE);
        note_page(&pages, (end_of(field) - 1) / STRING_PAGE_SIZE);
    }
    size_t noted = pages.count;
    qsort(pages.items, noted, sizeof(*pages.items), compare_pages);
    pages.count = 0;
    for (size_t i = 0; i < noted; i++)
        note_page(&pages, pages.items[i].index);
    return pages;
}

static enum status read_pages(struct string_pages *string, struct pages *pages)
{
    bool cold = false;
    for (size_t i = 0; i < pages->count; i++) {
        struct page *page = &pages->items[i];
        enum status status = string_page(string, page->index, &page->held);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    return cold ? STATUS_COLD : STATUS_OK;
}

static struct page *page_at(const struct pages *pages, uint64_t index)
{
    struct page wanted = {.index = index};
    return bsearch(&wanted, pages->items, pages->count, sizeof(wanted), compare_pages);
}

/* What of the bytes from `offset` on, `size` of them, is on the page that `offset` is on. */
static size_t size_on_page(uint64_t offset, size_t size)
{
    size_t rest = STRING_PAGE_SIZE - (size_t)(offset % STRING_PAGE_SIZE);
    return size < rest ? size : rest;
}

static void read_bytes(const struct pages *pages, uint64_t offset, size_t size, char *out)
{
    memset(out, 0, size);
    for (size_t done = 0, step; done < size; done += step) {
        const struct page *page = page_at(pages, (offset + done) / STRING_PAGE_SIZE);
        size_t at = (size_t)((offset + done) % STRING_PAGE_SIZE);
        step = size_on_page(offset + done, size - done);
        struct bytes held = page->copy ? bytes_of(page->copy, STRING_PAGE_SIZE) : page->held;
        if (at < held.size)
            memcpy(out + done, held.data + at, step < held.size - at ? step : held.size - at);
    }
}

static void write_bytes(const struct pages *pages, uint64_t offset, size_t size, const char *in)
{
    for (size_t done = 0, step; done < size; done += step) {
        struct page *page = page_at(pages, (offset + done) / STRING_PAGE_SIZE);
        size_t at = (size_t)((offset + done) % STRING_PAGE_SIZE);
        step = size_on_page(offset + done, size - done);
        if (!page->copy) {
            page->copy = arena_alloc(pages->arena, STRING_PAGE_SIZE);
            memcpy(page->copy, page->held.data, page->held.size);
            memset(page->copy + page->held.size, 0, STRING_PAGE_SIZE - page->held.size);
            page->from = at;
            page->to = at;
        }
        memcpy(page->copy + at, in + done, step);
        page->from = page->from < at ? page->from : at;
        page->to = page->to > at + step ? page->to : at + step;
    }
}

/* Of a string in chunks: each changed page at once; and when it has become longer, its length. */
static enum status write_chunks(struct string_pages *string, const struct pages *pages,
                                uint64_t length)
{
    bool cold = false;
    for (size_t i = 0; i < pages->count; i++) {
        const struct page *page = &pages->items[i];
        if (!page->copy)
            continue;
        uint64_t offset = page->index * STRING_PAGE_SIZE + page->from;
        struct bytes changed = bytes_of(page->copy + page->from, page->to - page->from);
        enum status status = string_overwrite(string->head, offset, changed, &string->length);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        cold = cold || status == STATUS_COLD;
    }
    if (cold)
        return STATUS_COLD;
    if (length <= string->length)
        return STATUS_OK;
    return string_overwrite(string->head, length - 1, BYTES("\0"), &string->length);
}

/*
 * Of a string in its head row: all of it, whether it stays there or not. It must not be written in
 * several steps: after the first it might stand in chunks, of a base that is new in each run, and
 * these would be asked for, and missed, again and again.
 */
static enum status write_whole(struct string_pages *string, const struct pages *pages,
                               uint64_t length)
{
    uint64_t held = (string->length + STRING_PAGE_SIZE - 1) / STRING_PAGE_SIZE;
    struct string_part *parts = arena_alloc(pages->arena, (pages->count + held) * sizeof(*parts));
    size_t count = 0;
    size_t next = 0;
    for (uint64_t index = 0; index < held || next < pages->count; index++) {
        const struct page *page = next < pages->count ? &pages->items[next] : NULL;
        if (page && (page->index == index || index >= held)) {
            index = page->index;
            next++;
        } else {
            page = NULL;
        }
        struct string_part part = {.offset = index * STRING_PAGE_SIZE};
        enum status status = string_page(string, index, &part.value);
        if (status != STATUS_OK)
            return status;
        if (page && page->copy)
            part.value =
                bytes_of(page->copy, page->to > page->held.size ? page->to : page->held.size);
        if (part.value.size > 0)
            parts[count++] = part;
    }
    return string_set_parts(string->head, length, parts, count, EXPIRY_NEVER, true);
}

static enum status write_pages(struct string_pages *string, const struct pages *pages,
                               uint64_t length)
{
    bool changes = length > string->length;
    for (size_t i = 0; i < pages->count; i++)
        changes = changes || pages->items[i].copy;
    if (!changes)
        return STATUS_OK;
    if (string->in_chunks)
        return write_chunks(string, pages, length);
    return write_whole(string, pages, length > string->length ? length : string->length);
}

/* ---- doing ---------------------------------------------------------------------------------- */

/* What the field becomes. False: nothing, as it would overflow. */
static bool new_value(const struct operation *operation, int64_t old, int64_t *out)
{
    struct bit_field field = operation->field;
    __int128 number = operation->number;
    if (operation->action == ACTION_INCRBY)
        number += old;
    else if (!field.has_sign)
        number = (uint64_t)operation->number; /* a negative one is a very large one */
    return bit_field_fit(field, number, operation->overflow, out);
}

static void operate(struct request *request, const struct operation *operation,
                    const struct pages *pages)
{
    char bytes[BIT_FIELD_SPREAD_MAX];
    struct bit_field field = operation->field;
    uint64_t offset = field.offset / 8;
    size_t size = (size_t)(end_of(field) - offset);
    read_bytes(pages, offset, size, bytes);
    field.offset %= 8;
    int64_t old = bit_field_get(bytes, field);
    int64_t value;
    if (operation->action == ACTION_GET) {
        reply_integer(request->reply, old);
    } else if (new_value(operation, old, &value)) {
        reply_integer(request->reply, operation->action == ACTION_SET ? old : value);
        bit_field_set(bytes, field, value);
        if (value != old)
            write_bytes(pages, offset, size, bytes);
    } else {
        reply_null(request->reply);
    }
}

static enum status operate_all(struct request *request, const struct operations *operations)
{
    struct cell head;
    struct string_pages string;
    struct pages pages = pages_of(operations, request->arena);
    enum status status = operations->writes ? argument_key(request, request->argv[1], &head)
                                            : argument_key_read(request, request->argv[1], &head);
    if (status == STATUS_OK)
        status = string_pages(&head, &string);
    if (status == STATUS_OK)
        status = read_pages(&string, &pages);
    if (status != STATUS_OK)
        return status;
    reply_array(request->reply, operations->count);
    for (size_t i = 0; i < operations->count; i++)
        operate(request, &operations->items[i], &pages);
    return write_pages(&string, &pages, operations->length);
}

static enum status cmd_bitfield(struct request *request)
{
    struct operations operations;
    enum status status = parse_operations(request, &operations);
    if (status != STATUS_OK)
        return status;
    if (operations.length > (uint64_t)*request->bulk_size_max)
        return bitmap_offset_invalid(request);
    return operate_all(request, &operations);
}

static enum status cmd_bitfield_ro(struct request *request)
{
    struct operations operations;
    enum status status = parse_operations(request, &operations);
    if (status != STATUS_OK)
        return status;
    if (operations.writes)
        return request_refuse(request, "ERR BITFIELD_RO only supports the GET subcommand");
    return operate_all(request, &operations);
}

/* Whether all is GET: what is not understood may write. */
static uint32_t bitfield_key_flags(const struct bytes *argv, uint32_t argc)
{
    uint32_t i = 2;
    while (i < argc) {
        uint32_t words = bytes_equal_nocase(argv[i], BYTES("get"))        ? 3
                         : bytes_equal_nocase(argv[i], BYTES("overflow")) ? 2
                                                                          : 0;
        if (words == 0 || argc - i < words)
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        i += words;
    }
    return KEY_RO | KEY_ACCESS;
}

/* clang-format off */
const struct command bitfield_commands[] = {
    {
        .name = "bitfield", .handler = cmd_bitfield, .arity = -2,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1,
        .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS,
        .key_flags_of = bitfield_key_flags,
        .since = "3.2.0", .group = "bitmap",
        .complexity = "O(1) for each subcommand specified",
        .summary = "Performs arbitrary bitfield integer operations on strings.",
        .syntax = "key:key [(operation: GET (get-block: encoding offset:integer)|"
                  "(write: [OVERFLOW (overflow-block: WRAP|SAT|FAIL)] "
                  "(write-operation: SET (set-block: encoding offset:integer value:integer)|"
                  "INCRBY (increment-block: encoding offset:integer increment:integer))))...]",
    },
    {
        .name = "bitfield_ro", .handler = cmd_bitfield_ro, .arity = -2,
        .flags = CMD_READONLY | CMD_FAST, .categories = CAT_BITMAP,
        .first_key = 1, .last_key = 1, .key_step = 1, .key_flags = KEY_RO | KEY_ACCESS,
        .since = "6.0.0", .group = "bitmap",
        .complexity = "O(1) for each subcommand specified",
        .summary = "Performs arbitrary read-only bitfield integer operations on strings.",
        .syntax = "key:key [GET (get-block: encoding offset:integer)]...",
    },
    {0},
};
/* clang-format on */
