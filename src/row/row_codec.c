/* SPDX-License-Identifier: MIT */
/*
 * A row as bytes. All numbers little-endian; a varint is base/pack.h's; a list is its count
 * (varint), then its items.
 *
 * The common row: one sibling, whose dot is the whole vector, no increments, no expiry entry but
 * the sibling's own:
 *
 *   | 1 | e | form(6 bits) | actor(8) | time(8) | at_ms(varint), only if e | value, up to the end
 *
 *   e: the own entry has a time. Without e it is EXPIRY_NEVER; no entry at all is another row, of
 *   the general form.
 *
 * Any other row:
 *
 *   | 0(1) | vector | siblings | expiries | added | removed |
 *
 *   vector       list of actor(8) time(8)
 *   siblings     list of actor(8) time(8) form(1) remembered | size(varint) value
 *   expiries     list of actor(8) time(8) at_ms + 1 (varint; 0 is EXPIRY_NEVER)
 *   added, removed, remembered: increments
 *   increments   list of actor(8) time(8) | r | length(7 bits) | sum(length) | real(16), only if r
 *
 *   sum: two's complement, no longer than needed; 0 takes no byte
 *   real: binary128, finite and not 0 (0 is to have no r)
 *
 * One row has one encoding: lists stand in the order that row.h says, each item once; the general
 * form never holds a common row; no event has time 0; the vector covers each sibling and expiry
 * entry. Decoding refuses the rest.
 */
#include "base/check.h"
#include "base/pack.h"
#include "row/row.h"

enum {
    FLAG_COMMON = 0x80,
    FLAG_EXPIRES = 0x40,
    FORM_MASK = 0x3f,
    GENERAL = 0,

    DOT_SIZE = 16,
    COMMON_SIZE = 1 + DOT_SIZE, /* without at_ms and value */
    FLAG_REAL = 0x80,
    SUM_SIZE_MAX = 16,
    COUNT_SIZE_MAX = 5,

    /* Least and most bytes of an item. */
    INCREMENT_SIZE = DOT_SIZE + 1,
    INCREMENT_SIZE_MAX = INCREMENT_SIZE + SUM_SIZE_MAX + REAL_SIZE,
    SIBLING_SIZE = DOT_SIZE + 3,
    SIBLING_SIZE_MAX = DOT_SIZE + 1 + 2 * COUNT_SIZE_MAX, /* without remembered and value */
    EXPIRY_SIZE = DOT_SIZE + 1,
    EXPIRY_SIZE_MAX = DOT_SIZE + VARINT_MAX,
};

_Static_assert(VALUE_FORMS <= FORM_MASK + 1, "a form fits into the first byte");
_Static_assert(COMMON_SIZE + 7 <= ROW_COMPACT_OVERHEAD, "with a time before the year 19000");

/* ---- encoding ------------------------------------------------------------------------------- */

static char *pack_dot(char *out, struct dot dot)
{
    return pack_u64(pack_u64(out, dot.actor), dot.time);
}

static __int128 sign_extend(unsigned __int128 value, unsigned size)
{
    unsigned unused = 8 * (SUM_SIZE_MAX - size);
    return size == 0 ? 0 : (__int128)(value << unused) >> unused;
}

static unsigned sum_size(__int128 sum)
{
    unsigned size = 0;
    while (sign_extend((unsigned __int128)sum, size) != sum)
        size++;
    return size;
}

static char *pack_increments(char *out, const struct increments *increments)
{
    out = pack_varint(out, increments->count);
    for (uint32_t i = 0; i < increments->count; i++) {
        const struct increment *item = &increments->items[i];
        unsigned size = sum_size(item->sum);
        out = pack_dot(out, (struct dot){item->actor, item->time});
        *out++ = (char)(size | (item->real != 0 ? FLAG_REAL : 0));
        memcpy(out, &item->sum, size);
        out += size;
        if (item->real != 0) {
            real_pack(item->real, out);
            out += REAL_SIZE;
        }
    }
    return out;
}

static char *pack_sibling(char *out, const struct sibling *sibling)
{
    out = pack_dot(out, sibling->dot);
    *out++ = (char)sibling->form;
    out = pack_increments(out, &sibling->remembered);
    out = pack_varint(out, sibling->value.size);
    if (sibling->value.size)
        memcpy(out, sibling->value.data, sibling->value.size);
    return out + sibling->value.size;
}

static bool is_common(const struct row *row)
{
    return row->vector.count == 1 && row->sibling_count == 1 && row->expiry_count == 1 &&
           row->added.count == 0 && row->removed.count == 0 &&
           row->siblings[0].remembered.count == 0 &&
           dot_equal(row->siblings[0].dot, row->vector.dots[0]) &&
           dot_equal(row->expiries[0].dot, row->vector.dots[0]);
}

static size_t general_size_max(const struct row *row)
{
    uint64_t increments = (uint64_t)row->added.count + row->removed.count;
    size_t size = 1 + 5 * COUNT_SIZE_MAX + (size_t)row->vector.count * DOT_SIZE +
                  (size_t)row->expiry_count * EXPIRY_SIZE_MAX;
    for (uint32_t i = 0; i < row->sibling_count; i++) {
        increments += row->siblings[i].remembered.count;
        size += SIBLING_SIZE_MAX + row->siblings[i].value.size;
    }
    return size + increments * INCREMENT_SIZE_MAX;
}

struct bytes row_encode(const struct row *row, struct arena *arena)
{
    if (is_common(row))
        return row_encode_common(arena, row->siblings[0].dot, row->siblings[0].form,
                                 row->siblings[0].value, row->expiries[0].at_ms);
    char *start = arena_alloc(arena, general_size_max(row));
    char *out = start;
    *out++ = GENERAL;
    out = pack_varint(out, row->vector.count);
    for (uint32_t i = 0; i < row->vector.count; i++)
        out = pack_dot(out, row->vector.dots[i]);
    out = pack_varint(out, row->sibling_count);
    for (uint32_t i = 0; i < row->sibling_count; i++)
        out = pack_sibling(out, &row->siblings[i]);
    out = pack_varint(out, row->expiry_count);
    for (uint32_t i = 0; i < row->expiry_count; i++) {
        out = pack_dot(out, row->expiries[i].dot);
        out = pack_varint(out, row->expiries[i].at_ms + 1);
    }
    out = pack_increments(out, &row->added);
    out = pack_increments(out, &row->removed);
    return bytes_of(start, (size_t)(out - start));
}

struct bytes row_encode_common(struct arena *arena, struct dot dot, enum value_form form,
                               struct bytes value, uint64_t at_ms)
{
    check(dot.time != 0 && form < VALUE_FORMS);
    char *start = arena_alloc(arena, COMMON_SIZE + VARINT_MAX + value.size);
    start[0] = (char)(FLAG_COMMON | (at_ms != EXPIRY_NEVER ? FLAG_EXPIRES : 0) | form);
    char *out = pack_dot(start + 1, dot);
    if (at_ms != EXPIRY_NEVER)
        out = pack_varint(out, at_ms);
    if (value.size)
        memcpy(out, value.data, value.size);
    return bytes_of(start, (size_t)(out - start) + value.size);
}

/* ---- decoding ------------------------------------------------------------------------------- */

bool row_peek(struct bytes bytes, struct sibling *out_sibling, uint64_t *out_at_ms)
{
    if (bytes.size < COMMON_SIZE || bytes.size > ROW_SIZE_MAX)
        return false;
    unsigned first = (unsigned char)bytes.data[0];
    struct dot dot = {unpack_u64(bytes.data + 1), unpack_u64(bytes.data + 9)};
    if (!(first & FLAG_COMMON) || (first & FORM_MASK) >= VALUE_FORMS || dot.time == 0)
        return false;
    struct unpack in = {bytes.data + COMMON_SIZE, bytes.data + bytes.size, false};
    uint64_t at_ms = EXPIRY_NEVER;
    if (first & FLAG_EXPIRES) {
        at_ms = unpack_next_varint(&in);
        if (in.failed || at_ms == EXPIRY_NEVER)
            return false;
    }
    *out_sibling = (struct sibling){.dot = dot, .form = first & FORM_MASK};
    out_sibling->value = bytes_of(in.next, (size_t)(in.end - in.next));
    *out_at_ms = at_ms;
    return true;
}

static enum status decode_common(struct bytes bytes, struct arena *arena, struct row *out)
{
    struct common_row {
        struct dot vector;
        struct sibling sibling;
        struct expiry expiry;
    } *common = arena_alloc(arena, sizeof(*common));
    uint64_t at_ms;
    if (!row_peek(bytes, &common->sibling, &at_ms))
        return STATUS_CORRUPT;
    common->vector = common->sibling.dot;
    common->expiry = (struct expiry){common->sibling.dot, at_ms};
    *out = (struct row){
        .vector = {&common->vector, 1},
        .siblings = &common->sibling,
        .sibling_count = 1,
        .expiries = &common->expiry,
        .expiry_count = 1,
    };
    return STATUS_OK;
}

/*
 * The count of a list, which its items' bytes bound: no more is ever allocated than the input is
 * worth.
 */
static uint32_t next_count(struct unpack *in, size_t item_size, uint64_t limit)
{
    uint64_t count = unpack_next_varint(in);
    if (in->failed || count > limit || count > (uint64_t)(in->end - in->next) / item_size) {
        in->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

static struct dot next_dot(struct unpack *in)
{
    struct dot dot;
    dot.actor = unpack_next_u64(in);
    dot.time = unpack_next_u64(in);
    if (dot.time == 0)
        in->failed = true;
    return dot;
}

static void decode_vector(struct unpack *in, struct arena *arena, struct vector *out)
{
    out->count = next_count(in, DOT_SIZE, ROW_SIZE_MAX);
    out->dots = arena_alloc(arena, out->count * sizeof(*out->dots));
    for (uint32_t i = 0; i < out->count; i++) {
        out->dots[i] = next_dot(in);
        if (i > 0 && out->dots[i].actor <= out->dots[i - 1].actor)
            in->failed = true;
    }
}

static __int128 next_sum(struct unpack *in, unsigned size)
{
    struct bytes bytes = unpack_bytes(in, size);
    unsigned __int128 value = 0;
    if (in->failed || size > SUM_SIZE_MAX) {
        in->failed = true;
        return 0;
    }
    memcpy(&value, bytes.data, size);
    __int128 sum = sign_extend(value, size);
    if (sum_size(sum) != size)
        in->failed = true;
    return sum;
}

static real_t next_real(struct unpack *in)
{
    struct bytes bytes = unpack_bytes(in, REAL_SIZE);
    real_t real = in->failed ? 0 : real_unpack(bytes.data);
    if (!real_is_finite(real) || real == 0)
        in->failed = true;
    return real;
}

static struct increment next_increment(struct unpack *in)
{
    struct dot dot = next_dot(in);
    struct increment increment = {.actor = dot.actor, .time = dot.time};
    unsigned parts = unpack_next_u8(in);
    increment.sum = next_sum(in, parts & ~(unsigned)FLAG_REAL);
    if (parts & FLAG_REAL)
        increment.real = next_real(in);
    return increment;
}

static void decode_increments(struct unpack *in, struct arena *arena, struct increments *out)
{
    *out = (struct increments){NULL, next_count(in, INCREMENT_SIZE, ROW_SIZE_MAX)};
    if (out->count)
        out->items = arena_alloc(arena, out->count * sizeof(*out->items));
    for (uint32_t i = 0; i < out->count; i++) {
        out->items[i] = next_increment(in);
        if (i > 0 && out->items[i].actor <= out->items[i - 1].actor)
            in->failed = true;
    }
}

static void decode_siblings(struct unpack *in, struct arena *arena, struct row *row)
{
    row->sibling_count = next_count(in, SIBLING_SIZE, ROW_SIBLINGS_MAX);
    row->siblings = arena_alloc(arena, row->sibling_count * sizeof(*row->siblings));
    for (uint32_t i = 0; i < row->sibling_count && !in->failed; i++) {
        struct sibling *sibling = &row->siblings[i];
        sibling->dot = next_dot(in);
        unsigned form = unpack_next_u8(in);
        sibling->form = form;
        decode_increments(in, arena, &sibling->remembered);
        sibling->value = unpack_bytes(in, unpack_next_varint(in));
        if (form >= VALUE_FORMS || !vector_covers(&row->vector, sibling->dot) ||
            (i > 0 && dot_compare(sibling[-1].dot, sibling->dot) >= 0))
            in->failed = true;
    }
}

static void decode_expiries(struct unpack *in, struct arena *arena, struct row *row)
{
    row->expiry_count = next_count(in, EXPIRY_SIZE, ROW_SIBLINGS_MAX);
    row->expiries = arena_alloc(arena, row->expiry_count * sizeof(*row->expiries));
    for (uint32_t i = 0; i < row->expiry_count && !in->failed; i++) {
        struct expiry *expiry = &row->expiries[i];
        expiry->dot = next_dot(in);
        expiry->at_ms = unpack_next_varint(in) - 1;
        if (!vector_covers(&row->vector, expiry->dot) ||
            (i > 0 && dot_compare(expiry[-1].dot, expiry->dot) >= 0))
            in->failed = true;
    }
}

enum status row_decode(struct bytes bytes, struct arena *arena, struct row *out)
{
    if (bytes.size == 0 || bytes.size > ROW_SIZE_MAX)
        return STATUS_CORRUPT;
    if ((unsigned char)bytes.data[0] & FLAG_COMMON)
        return decode_common(bytes, arena, out);
    struct unpack in = unpack_begin(bytes);
    struct row row;
    if (unpack_next_u8(&in) != GENERAL)
        return STATUS_CORRUPT;
    decode_vector(&in, arena, &row.vector);
    decode_siblings(&in, arena, &row);
    decode_expiries(&in, arena, &row);
    decode_increments(&in, arena, &row.added);
    decode_increments(&in, arena, &row.removed);
    if (in.failed || in.next != in.end || is_common(&row))
        return STATUS_CORRUPT;
    *out = row;
    return STATUS_OK;
}
