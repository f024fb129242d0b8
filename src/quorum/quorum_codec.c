/* SPDX-License-Identifier: MIT */
#include "quorum/quorum_codec.h"

static bool at_end(const struct unpack *in)
{
    return !in->failed && in->next == in->end;
}

static struct bytes rest_of(struct unpack *in)
{
    return unpack_bytes(in, (uint64_t)(in->end - in->next));
}

static uint32_t next_u32(struct unpack *in)
{
    struct bytes bytes = unpack_bytes(in, 4);
    return in->failed ? 0 : unpack_u32(bytes.data);
}

static bool next_bool(struct unpack *in)
{
    uint8_t byte = unpack_next_u8(in);
    if (byte > 1)
        in->failed = true;
    return byte == 1;
}

static void append_u64(struct buffer *out, uint64_t value)
{
    pack_u64(buffer_reserve(out, 8), value);
    buffer_commit(out, 8);
}

static void append_u32(struct buffer *out, uint32_t value)
{
    pack_u32(buffer_reserve(out, 4), value);
    buffer_commit(out, 4);
}

static void append_varint(struct buffer *out, uint64_t value)
{
    char *start = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(start, value) - start));
}

void quorum_encode_ask(struct buffer *out, const struct quorum_ask *ask)
{
    append_u64(out, ask->cluster);
    append_u64(out, ask->version);
    append_u64(out, ask->number);
}

bool quorum_decode_ask(struct unpack *in, struct quorum_ask *out)
{
    out->cluster = unpack_next_u64(in);
    out->version = unpack_next_u64(in);
    out->number = unpack_next_u64(in);
    return !in->failed;
}

/* ---- rows ------------------------------------------------------------------------------------ */

void quorum_put_replicate(char *out, const struct quorum_ask *ask, uint64_t term, uint32_t message,
                          size_t rows_size, size_t grounds_size)
{
    out = pack_u64(pack_u64(pack_u64(out, ask->cluster), ask->version), ask->number);
    out = pack_u64(out, term);
    out = pack_u32(pack_u32(out, message), (uint32_t)rows_size);
    pack_u32(out, (uint32_t)grounds_size);
}

bool quorum_decode_replicate(struct unpack *in, struct quorum_replicate *out)
{
    out->term = unpack_next_u64(in);
    out->message = next_u32(in);
    uint32_t size = next_u32(in), grounds_size = next_u32(in);
    out->rows = unpack_bytes(in, size);
    out->grounds = unpack_bytes(in, grounds_size);
    out->requests = rest_of(in);
    struct bytes rest = out->requests;
    struct quorum_request request;
    while (quorum_next_request(&rest, size, &request))
        ;
    return at_end(in) && rest.size == 0;
}

void quorum_encode_request(struct buffer *out, const struct quorum_request *request)
{
    append_varint(out, request->id.origin);
    append_varint(out, request->id.number);
    append_varint(out, request->rows_from);
    append_varint(out, request->rows_size);
    append_varint(out, request->reply.size);
    buffer_append_bytes(out, request->reply);
}

bool quorum_next_request(struct bytes *rest, size_t rows_size, struct quorum_request *out)
{
    struct unpack in = unpack_begin(*rest);
    out->id.origin = unpack_next_varint(&in);
    out->id.number = unpack_next_varint(&in);
    out->rows_from = unpack_next_varint(&in);
    out->rows_size = unpack_next_varint(&in);
    uint64_t size = unpack_next_varint(&in);
    out->reply = unpack_bytes(&in, size);
    if (in.failed || size > QUORUM_REPLY_KEPT_MAX || out->rows_from > rows_size ||
        out->rows_size > rows_size - out->rows_from)
        return false;
    *rest = bytes_of(in.next, (size_t)(in.end - in.next));
    return true;
}

void quorum_encode_ack(struct buffer *out, const struct quorum_ack *ack)
{
    append_u64(out, ack->number);
    append_u32(out, ack->message);
    buffer_append_u8(out, ack->failed);
}

bool quorum_next_ack(struct unpack *in, struct quorum_ack *out)
{
    if (in->next == in->end)
        return false;
    out->number = unpack_next_u64(in);
    out->message = next_u32(in);
    out->failed = next_bool(in);
    return !in->failed;
}

/* ---- digests --------------------------------------------------------------------------------- */

void quorum_encode_head(struct buffer *out, struct bytes name)
{
    append_varint(out, name.size);
    buffer_append_bytes(out, name);
}

bool quorum_next_head(struct bytes *rest, struct bytes *out_name)
{
    struct unpack in = unpack_begin(*rest);
    struct bytes name = unpack_bytes(&in, unpack_next_varint(&in));
    if (in.failed)
        return false;
    *out_name = name;
    *rest = bytes_of(in.next, (size_t)(in.end - in.next));
    return true;
}

size_t quorum_count_heads(struct bytes heads)
{
    size_t count = 0;
    struct bytes name;
    while (heads.size > 0) {
        if (++count > QUORUM_KEYS_MAX || !quorum_next_head(&heads, &name))
            return 0;
    }
    return count;
}

void quorum_encode_question(struct buffer *out, const struct quorum_question *question)
{
    append_u64(out, question->number);
    append_varint(out, question->heads.size);
    buffer_append_bytes(out, question->heads);
}

bool quorum_next_question(struct unpack *in, struct quorum_question *out)
{
    if (in->failed || in->next == in->end)
        return false;
    out->number = unpack_next_u64(in);
    out->heads = unpack_bytes(in, unpack_next_varint(in));
    if (!in->failed && quorum_count_heads(out->heads) == 0)
        in->failed = true;
    return !in->failed;
}

static void append_numbers(struct buffer *out, struct quorum_numbers numbers)
{
    append_varint(out, numbers.count);
    for (size_t i = 0; i < numbers.count; i++)
        append_u64(out, numbers.list[i]);
}

static struct bytes next_numbers(struct unpack *in, uint64_t max)
{
    uint64_t count = unpack_next_varint(in);
    if (count > max)
        in->failed = true;
    return unpack_bytes(in, in->failed ? 0 : count * sizeof(uint64_t));
}

void quorum_encode_verified(struct buffer *out, uint64_t number, bool failed,
                            struct quorum_numbers digests, struct quorum_numbers holders)
{
    append_u64(out, number);
    buffer_append_u8(out, failed);
    append_numbers(out, digests);
    append_numbers(out, holders);
}

bool quorum_next_verified(struct unpack *in, struct quorum_verified *out)
{
    if (in->failed || in->next == in->end)
        return false;
    out->number = unpack_next_u64(in);
    out->failed = next_bool(in);
    out->digests = next_numbers(in, QUORUM_KEYS_MAX);
    out->holders = next_numbers(in, RING_COPIES_MAX);
    return !in->failed;
}

/* ---- rows of keys ---------------------------------------------------------------------------- */

static void append_place(struct buffer *out, struct export_place place)
{
    append_u32(out, place.key);
    append_u32(out, place.base);
    append_u32(out, place.chunk);
}

static struct export_place next_place(struct unpack *in)
{
    struct export_place place;
    place.key = next_u32(in);
    place.base = next_u32(in);
    place.chunk = next_u32(in);
    return place;
}

void quorum_encode_key_rows(struct buffer *out, const struct quorum_ask *ask,
                            struct export_place place, struct bytes heads)
{
    quorum_encode_ask(out, ask);
    append_place(out, place);
    buffer_append_bytes(out, heads);
}

bool quorum_decode_key_rows(struct unpack *in, struct export_place *out_place,
                            struct bytes *out_heads)
{
    *out_place = next_place(in);
    *out_heads = rest_of(in);
    size_t count = quorum_count_heads(*out_heads);
    return at_end(in) && count > 0 && out_place->key < count;
}

void quorum_encode_key_rows_are(struct buffer *out, const struct quorum_key_rows_are *are)
{
    append_u64(out, are->number);
    buffer_append_u8(out, are->failed);
    append_place(out, are->next);
    buffer_append_bytes(out, are->rows);
}

bool quorum_decode_key_rows_are(struct unpack *in, struct quorum_key_rows_are *out)
{
    out->number = unpack_next_u64(in);
    out->failed = next_bool(in);
    out->next = next_place(in);
    out->rows = rest_of(in);
    return at_end(in);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

void quorum_encode_outcome(struct buffer *out, const struct quorum_ask *ask, struct request_id id,
                           uint16_t slot)
{
    quorum_encode_ask(out, ask);
    append_u64(out, id.origin);
    append_u64(out, id.number);
    append_u32(out, slot);
}

bool quorum_decode_outcome(struct unpack *in, struct request_id *out, uint16_t *out_slot)
{
    out->origin = unpack_next_u64(in);
    out->number = unpack_next_u64(in);
    uint32_t slot = next_u32(in);
    *out_slot = (uint16_t)slot;
    return at_end(in) && slot < SLOT_COUNT;
}

void quorum_encode_outcome_is(struct buffer *out, const struct quorum_outcome_is *is)
{
    append_u64(out, is->number);
    buffer_append_u8(out, (uint8_t)is->known);
    append_varint(out, is->reply.size);
    buffer_append_bytes(out, is->reply);
    buffer_append_bytes(out, is->heads);
}

bool quorum_decode_outcome_is(struct unpack *in, struct quorum_outcome_is *out)
{
    out->number = unpack_next_u64(in);
    uint8_t known = unpack_next_u8(in);
    out->known = (enum outcome_known)known;
    uint64_t size = unpack_next_varint(in);
    out->reply = unpack_bytes(in, size);
    out->heads = rest_of(in);
    return at_end(in) && known < OUTCOME_KNOWN_END && size <= QUORUM_REPLY_KEPT_MAX &&
           (out->heads.size == 0 || quorum_count_heads(out->heads) > 0);
}

void quorum_encode_leased(struct buffer *out, const struct quorum_leased *leased)
{
    append_u64(out, leased->number);
    append_u64(out, leased->confirmed);
}

bool quorum_decode_leased(struct unpack *in, struct quorum_leased *out)
{
    out->number = unpack_next_u64(in);
    out->confirmed = unpack_next_u64(in);
    return at_end(in);
}

void quorum_encode_refused(struct buffer *out, const struct quorum_refused *refused)
{
    quorum_encode_ask(out, &refused->ask);
    buffer_append_u8(out, (uint8_t)refused->type);
    append_u64(out, refused->term);
}

bool quorum_decode_refused(struct unpack *in, struct quorum_refused *out)
{
    if (!quorum_decode_ask(in, &out->ask))
        return false;
    out->type = unpack_next_u8(in);
    out->term = unpack_next_u64(in);
    return at_end(in);
}
