/* SPDX-License-Identifier: MIT */
#include "type/string.h"

#include "base/check.h"
#include "base/mutant.h"
#include "base/number.h"
#include "row/row.h"
#include "type/string_chunks.h"

enum {
    WIDE_TEXT_MAX = 40, /* a sign and the 39 digits of a 128-bit integer */
    EMBEDDED_MAX = 44,  /* bytes that Redis keeps beside the string's header */
};

static bool is_string(const struct cell *head)
{
    return head->newest.form == VALUE_STRING || head->newest.form == VALUE_CHUNKED;
}

static struct bytes format_wide(__int128 value, struct arena *arena)
{
    char *text = arena_alloc(arena, WIDE_TEXT_MAX);
    if (value >= INT64_MIN && value <= INT64_MAX) {
        _Static_assert((int)WIDE_TEXT_MAX >= (int)NUMBER_TEXT_MAX, "room for any 64-bit integer");
        return bytes_of(text, number_format_i64((int64_t)value, text));
    }
    char *end = text + WIDE_TEXT_MAX;
    char *next = end;
    unsigned __int128 rest = value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    for (; rest > 0; rest /= 10)
        *--next = (char)('0' + (int)(rest % 10));
    if (value < 0)
        *--next = '-';
    return bytes_of(next, (size_t)(end - next));
}

static struct bytes format_real(real_t value, struct arena *arena)
{
    char text[REAL_TEXT_MAX]; /* mostly far shorter, and there may be many of them */
    return arena_copy(arena, bytes_of(text, real_format(value, text)));
}

/* ---- numbers: what the base is, with what was added --------------------------------------- */

/* Wraps: what a peer has summed up may be anything. */
static __int128 add_sum(__int128 base, __int128 sum)
{
    return (__int128)((unsigned __int128)base + (unsigned __int128)sum);
}

/* False if there is a real in it. Beyond 64 bits where concurrent increments took it there. */
static bool wide_integer(const struct cell *head, __int128 *out)
{
    int64_t base;
    if (head->newest.form != VALUE_STRING || !number_parse_i64(head->newest.value, &base))
        return false;
    if (head->counted && head->real != 0)
        return false;
    *out = head->counted ? add_sum(base, head->sum) : base;
    return true;
}

/* With all the bits that there are. */
static bool exact_real(const struct cell *head, real_t *out)
{
    int64_t integer;
    __int128 whole = 0;
    real_t real = 0;
    if (head->newest.form != VALUE_STRING)
        return false;
    if (number_parse_i64(head->newest.value, &integer))
        whole = integer;
    else if (!real_parse(head->newest.value, &real) || !real_is_finite(real))
        return false;
    if (head->counted) {
        whole = add_sum(whole, head->sum);
        real = real_accumulate(real, head->real);
    }
    *out = real_accumulate(real, (real_t)whole);
    return true;
}

/*
 * What a string of the head row's own reads as. Increments do not count on a base that is no
 * number.
 */
static struct bytes inline_text(const struct cell *head)
{
    __int128 integer;
    real_t real;
    if (!head->counted)
        return head->newest.value;
    if (wide_integer(head, &integer))
        return format_wide(integer, head->txn->arena);
    if (exact_real(head, &real))
        return format_real(real_round(real), head->txn->arena);
    return head->newest.value;
}

/* Reads as: chunks (out_is_chunked) or text. */
static enum status look(const struct cell *head, bool *out_is_chunked, struct chunked *out_chunked,
                        struct bytes *out_text)
{
    *out_is_chunked = false;
    if (!head->exists) {
        *out_text = bytes_of("", 0);
        return STATUS_OK;
    }
    if (!is_string(head))
        return STATUS_WRONG_TYPE;
    if (head->newest.form == VALUE_STRING) {
        *out_text = inline_text(head);
        return STATUS_OK;
    }
    *out_is_chunked = true;
    return chunked_unpack(head->newest.value, out_chunked) ? STATUS_OK : STATUS_CORRUPT;
}

enum status string_length(struct cell *head, uint64_t *out_length)
{
    bool is_chunked;
    struct chunked chunked;
    struct bytes text;
    enum status status = look(head, &is_chunked, &chunked, &text);
    if (status != STATUS_OK)
        return status;
    *out_length = is_chunked ? chunked.length : text.size;
    return STATUS_OK;
}

enum status string_value(struct cell *head, struct bytes *out_value)
{
    bool is_chunked;
    struct chunked chunked;
    enum status status = look(head, &is_chunked, &chunked, out_value);
    if (status == STATUS_OK && is_chunked)
        return chunks_read(head, chunked.base, 0, chunked.length, out_value);
    return status;
}

enum status string_range(struct cell *head, uint64_t from, uint64_t size, struct bytes *out_value)
{
    bool is_chunked;
    struct chunked chunked;
    struct bytes text;
    enum status status = look(head, &is_chunked, &chunked, &text);
    if (status != STATUS_OK)
        return status;
    uint64_t length = is_chunked ? chunked.length : text.size;
    check(from <= length && size <= length - from);
    if (is_chunked)
        return chunks_read(head, chunked.base, from, size, out_value);
    *out_value = bytes_of(text.data + from, (size_t)size);
    return STATUS_OK;
}

enum status string_encoding(struct cell *head, struct bytes *out_name)
{
    bool is_chunked;
    struct chunked chunked;
    struct bytes text;
    int64_t integer;
    enum status status = look(head, &is_chunked, &chunked, &text);
    if (status != STATUS_OK)
        return status;
    if (is_chunked || text.size > EMBEDDED_MAX)
        *out_name = BYTES("raw");
    else if (number_parse_i64(text, &integer))
        *out_name = BYTES("int");
    else
        *out_name = BYTES("embstr");
    return STATUS_OK;
}

enum status string_pages(struct cell *head, struct string_pages *out)
{
    struct string_pages pages = {.head = head};
    struct chunked chunked;
    enum status status = look(head, &pages.in_chunks, &chunked, &pages.text);
    if (status != STATUS_OK)
        return status;
    pages.length = pages.text.size;
    if (pages.in_chunks) {
        pages.length = chunked.length;
        pages.base = chunked.base;
        pages.text = chunks_name(head, chunked.base);
    }
    *out = pages;
    return STATUS_OK;
}

enum status string_page(struct string_pages *pages, uint64_t index, struct bytes *out_value)
{
    uint64_t from = index * STRING_PAGE_SIZE;
    *out_value = bytes_of("", 0);
    if (index > STRING_SIZE_MAX / STRING_PAGE_SIZE || from >= pages->length)
        return STATUS_OK;
    if (pages->in_chunks)
        return chunks_look(pages->head, pages->text, (uint32_t)index, out_value);
    size_t rest = (size_t)(pages->length - from);
    *out_value =
        bytes_of(pages->text.data + from, rest < STRING_PAGE_SIZE ? rest : STRING_PAGE_SIZE);
    return STATUS_OK;
}

static enum status write_chunked(struct cell *head, struct dot dot, struct chunked chunked,
                                 uint64_t at_ms, bool keep_expiry)
{
    struct bytes packed = chunked_pack(head->txn->arena, chunked);
    return cell_write(head, dot, VALUE_CHUNKED, packed, at_ms, keep_expiry);
}

/* Each chunk row has the key in its name: a long value under a long key would take far more. */
static bool do_names_fit(const struct cell *head, uint64_t length)
{
    return (length / CHUNK_SIZE + 1) * head->name.size <= STRING_NAMES_MAX;
}

enum status string_set(struct cell *head, struct bytes value, uint64_t at_ms, bool keep_expiry)
{
    if (value.size > STRING_SIZE_MAX || !do_names_fit(head, value.size))
        return STATUS_TOO_BIG;
    struct dot dot = cell_dot(head);
    if (value.size <= STRING_INLINE_MAX)
        return cell_write(head, dot, VALUE_STRING, value, at_ms, keep_expiry);
    chunks_create(head, dot, 0, value);
    return write_chunked(head, dot, (struct chunked){dot, value.size}, at_ms, keep_expiry);
}

enum status string_set_seen(struct cell *head, struct bytes value, uint64_t at_ms,
                            const struct seen *seen)
{
    struct dot dot;
    enum value_form form = VALUE_STRING;
    if (value.size > STRING_SIZE_MAX || !do_names_fit(head, value.size))
        return STATUS_TOO_BIG;
    enum status status = cell_dot_after(head, seen, &dot);
    if (status != STATUS_OK)
        return status;
    if (value.size > STRING_INLINE_MAX) {
        chunks_create(head, dot, 0, value);
        value = chunked_pack(head->txn->arena, (struct chunked){dot, value.size});
        form = VALUE_CHUNKED;
    }
    cell_write_seen(head, dot, form, value, at_ms, seen);
    return STATUS_OK;
}

enum status string_copy(struct cell *from, struct cell *to)
{
    bool is_chunked;
    struct chunked chunked;
    struct bytes text;
    enum status status = look(from, &is_chunked, &chunked, &text);
    if (status != STATUS_OK)
        return status;
    if (!is_chunked && MUTANT(rename_keeps_dots))
        return cell_write(to, from->newest.dot, from->newest.form, text, from->at_ms, false);
    if (!is_chunked)
        return string_set(to, text, from->at_ms, false);
    if (!do_names_fit(to, chunked.length))
        return STATUS_TOO_BIG;
    struct dot dot = cell_dot(to);
    status = chunks_copy(from, chunked, to, dot);
    if (status != STATUS_OK)
        return status;
    return write_chunked(to, dot, (struct chunked){dot, chunked.length}, from->at_ms, false);
}

/* For what stands in the head row: the parts as one. */
static struct bytes assemble(struct arena *arena, uint64_t length, const struct string_part *parts,
                             size_t count)
{
    char *whole = arena_alloc(arena, length);
    memset(whole, 0, length);
    for (size_t i = 0; i < count; i++)
        memcpy(whole + parts[i].offset, parts[i].value.data, parts[i].value.size);
    return bytes_of(whole, (size_t)length);
}

enum status string_set_parts(struct cell *head, uint64_t length, const struct string_part *parts,
                             size_t count, uint64_t at_ms, bool keep_expiry)
{
    if (length <= STRING_INLINE_MAX) {
        struct bytes whole = assemble(head->txn->arena, length, parts, count);
        return string_set(head, whole, at_ms, keep_expiry);
    }
    if (length > STRING_SIZE_MAX || !do_names_fit(head, length))
        return STATUS_TOO_BIG;
    struct dot dot = cell_dot(head);
    for (size_t i = 0; i < count; i++)
        chunks_create(head, dot, parts[i].offset, parts[i].value);
    return write_chunked(head, dot, (struct chunked){dot, length}, at_ms, keep_expiry);
}

/* `old` with `value` over it from `offset` on, and zeros between them. */
static struct bytes join(struct arena *arena, struct bytes old, uint64_t offset, struct bytes value,
                         uint64_t length)
{
    char *joined = arena_alloc(arena, length);
    memcpy(joined, old.data, old.size);
    if (offset > old.size)
        memset(joined + old.size, 0, (size_t)(offset - old.size));
    if (value.size > 0)
        memcpy(joined + offset, value.data, value.size);
    return bytes_of(joined, (size_t)length);
}

/*
 * A string of the head row's own becomes `length` bytes long: sets it anew, without its zeros if
 * they are many.
 */
static enum status overwrite_inline(struct cell *head, struct bytes text, uint64_t offset,
                                    struct bytes value, uint64_t length)
{
    if (length <= STRING_INLINE_MAX || offset <= text.size + CHUNK_SIZE) {
        struct bytes joined = join(head->txn->arena, text, offset, value, length);
        return string_set(head, joined, EXPIRY_NEVER, true);
    }
    struct dot dot = cell_dot(head);
    chunks_create(head, dot, 0, text);
    chunks_create(head, dot, offset, value);
    return write_chunked(head, dot, (struct chunked){dot, length}, EXPIRY_NEVER, true);
}

enum status string_overwrite(struct cell *head, uint64_t offset, struct bytes value,
                             uint64_t *out_length)
{
    bool is_chunked;
    struct chunked chunked;
    struct bytes text;
    enum status status = look(head, &is_chunked, &chunked, &text);
    if (status != STATUS_OK)
        return status;
    if (offset > STRING_SIZE_MAX || value.size > STRING_SIZE_MAX - offset)
        return STATUS_TOO_BIG;
    uint64_t length = is_chunked ? chunked.length : text.size;
    if (length < offset + value.size)
        length = offset + value.size;
    if (!do_names_fit(head, length))
        return STATUS_TOO_BIG;
    if (is_chunked) {
        status = chunks_overwrite(head, chunked.base, offset, value);
        chunked.length = length;
        if (status == STATUS_OK)
            status = write_chunked(head, cell_dot(head), chunked, EXPIRY_NEVER, true);
    } else {
        status = overwrite_inline(head, text, offset, value, length);
    }
    if (status == STATUS_OK)
        *out_length = length;
    return status;
}

enum status string_append(struct cell *head, struct bytes value, uint64_t *out_length)
{
    uint64_t length;
    enum status status = string_length(head, &length);
    if (status != STATUS_OK)
        return status;
    return string_overwrite(head, length, value, out_length);
}

/* As the client sees it. */
static bool visible_integer(const struct cell *head, __int128 *out)
{
    int64_t integer;
    if (wide_integer(head, out))
        return true;
    if (head->newest.form != VALUE_STRING || !number_parse_i64(inline_text(head), &integer))
        return false;
    *out = integer;
    return true;
}

/*
 * What the client is told is what it will read. Sums may come to something else: reals do not reach
 * from 1e30 to 0.1, and "5.0" with nothing added does not read "5". Then it becomes the base; the
 * increment stays one, and counts wherever a concurrent write has not seen it.
 */
static enum status settle(struct cell *head, struct bytes told)
{
    if (bytes_equal(inline_text(head), told))
        return STATUS_OK;
    return string_set(head, told, EXPIRY_NEVER, true);
}

enum status string_increment(struct cell *head, int64_t by, int64_t *out_value)
{
    __int128 value = 0;
    if (head->exists && !is_string(head))
        return STATUS_WRONG_TYPE;
    if (head->exists && !visible_integer(head, &value))
        return STATUS_NOT_INTEGER;
    value = add_sum(value, by);
    if (value < INT64_MIN || value > INT64_MAX)
        return STATUS_OVERFLOW;
    __int128 now;
    enum status status = cell_increment(head, by);
    if (status == STATUS_OK && !(wide_integer(head, &now) && now == value))
        status = settle(head, format_wide(value, head->txn->arena));
    if (status == STATUS_OK)
        *out_value = (int64_t)value;
    return status;
}

/*
 * Redis adds to what the text says and keeps the text of the sum, so the difference between the
 * texts is what is added here.
 */
enum status string_increment_real(struct cell *head, real_t by, struct bytes *out_value)
{
    real_t seen = 0;
    real_t exact = 0;
    real_t told;
    if (head->exists && !is_string(head))
        return STATUS_WRONG_TYPE;
    if (head->exists &&
        (head->newest.form != VALUE_STRING || !real_parse(inline_text(head), &seen)))
        return STATUS_NOT_FLOAT;
    real_t sum = real_add(seen, by);
    if (!real_is_finite(sum))
        return STATUS_NOT_FINITE;
    if (head->exists && !exact_real(head, &exact))
        return STATUS_NOT_FLOAT;
    struct bytes text = format_real(sum, head->txn->arena);
    bool is_number = real_parse(text, &told);
    check(is_number);
    enum status status = cell_increment_real(head, real_accumulate(told, -exact));
    if (status == STATUS_OK)
        status = settle(head, text);
    if (status == STATUS_OK)
        *out_value = text;
    return status;
}
