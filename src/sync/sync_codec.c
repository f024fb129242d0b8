/* SPDX-License-Identifier: MIT */
#include "sync/sync_codec.h"

#include "base/check.h"
#include "base/pack.h"
#include "row/row_key.h"
#include "row/row_list.h"
#include "row/slot.h"

enum field { FLAGS = 1, SLOT = 2, DIGEST = 4, PLACE = 8 };

enum body {
    BODY_NONE,
    BODY_SLOTS,
    BODY_DIGESTS,
    BODY_NAMES,
    BODY_LISTED,
    BODY_INDICES,
    BODY_ROWS,
    BODY_AFTER,
};

static const struct form {
    uint8_t fields;
    uint8_t flags; /* that may be set */
    uint8_t body;
} forms[] = {
    [SYNC_ASK_DIGESTS - MESSAGES_SYNC] = {0, 0, BODY_DIGESTS},
    [SYNC_DIFFERING - MESSAGES_SYNC] = {0, 0, BODY_SLOTS},
    [SYNC_ASK_LIST - MESSAGES_SYNC] = {SLOT | DIGEST, 0, BODY_AFTER},
    [SYNC_LISTED - MESSAGES_SYNC] = {FLAGS, SYNC_END | SYNC_EQUAL, BODY_LISTED},
    [SYNC_ASK_ROWS - MESSAGES_SYNC] = {SLOT | PLACE, 0, BODY_NAMES},
    [SYNC_ROWS - MESSAGES_SYNC] = {PLACE, 0, BODY_ROWS},
    [SYNC_FAILED - MESSAGES_SYNC] = {0, 0, BODY_NONE},
    [SYNC_OFFER - MESSAGES_SYNC] = {0, 0, BODY_LISTED},
    [SYNC_WANTED - MESSAGES_SYNC] = {FLAGS, SYNC_REFUSED, BODY_INDICES},
    [SYNC_PUSH - MESSAGES_SYNC] = {0, 0, BODY_ROWS},
    [SYNC_PUSHED - MESSAGES_SYNC] = {FLAGS, SYNC_REFUSED, BODY_NONE},
    [SYNC_PROPOSE - MESSAGES_SYNC] = {0, 0, BODY_LISTED},
    [SYNC_CONFIRM - MESSAGES_SYNC] = {0, 0, BODY_INDICES},
    [SYNC_BARRIER - MESSAGES_SYNC] = {FLAGS, SYNC_STEP_1 | SYNC_STEP_2, BODY_SLOTS},
    [SYNC_PASSED - MESSAGES_SYNC] = {FLAGS, SYNC_STEP_1 | SYNC_STEP_2 | SYNC_REFUSED, BODY_NONE},
    [SYNC_COLLECT - MESSAGES_SYNC] = {0, 0, BODY_LISTED},
};

/* ---- entries --------------------------------------------------------------------------------- */

void sync_add_slot(struct buffer *body, uint16_t slot)
{
    buffer_append(body, &slot, sizeof(slot));
}

void sync_add_digest(struct buffer *body, uint16_t slot, uint64_t digest)
{
    sync_add_slot(body, slot);
    buffer_append(body, &digest, sizeof(digest));
}

static void add_varint(struct buffer *out, uint64_t value)
{
    char *at = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(at, value) - at));
}

void sync_add_name(struct buffer *body, struct bytes name)
{
    add_varint(body, name.size);
    buffer_append_bytes(body, name);
}

void sync_add_listed(struct buffer *body, uint64_t digest, struct bytes name)
{
    buffer_append(body, &digest, sizeof(digest));
    sync_add_name(body, name);
}

void sync_add_index(struct buffer *body, uint32_t index)
{
    add_varint(body, index);
}

static bool is_head(struct bytes name)
{
    struct row_key key;
    return row_key_decode(name, &key) && key.kind == ROW_HEAD;
}

static uint16_t unpack_slot(struct unpack *in)
{
    struct bytes bytes = unpack_bytes(in, sizeof(uint16_t));
    uint16_t slot = 0;
    if (!in->failed)
        memcpy(&slot, bytes.data, sizeof(slot));
    in->failed = in->failed || slot >= SLOT_COUNT;
    return slot;
}

static struct bytes unpack_name(struct unpack *in)
{
    struct bytes name = unpack_bytes(in, unpack_next_varint(in));
    in->failed = in->failed || !is_head(name);
    return name;
}

/* What is left is the body, if the entry was one. */
static bool took(struct bytes *body, const struct unpack *in)
{
    if (in->failed)
        return false;
    *body = bytes_of(in->next, (size_t)(in->end - in->next));
    return true;
}

bool sync_next_slot(struct bytes *body, uint16_t *out_slot)
{
    struct unpack in = unpack_begin(*body);
    uint16_t slot = unpack_slot(&in);
    if (!took(body, &in))
        return false;
    *out_slot = slot;
    return true;
}

bool sync_next_digest(struct bytes *body, uint16_t *out_slot, uint64_t *out_digest)
{
    uint16_t slot;
    if (body->size < sizeof(slot) + sizeof(*out_digest))
        return false;
    memcpy(&slot, body->data, sizeof(slot));
    if (slot >= SLOT_COUNT)
        return false;
    *out_slot = slot;
    memcpy(out_digest, body->data + sizeof(slot), sizeof(*out_digest));
    size_t size = sizeof(slot) + sizeof(*out_digest);
    *body = bytes_of(body->data + size, body->size - size);
    return true;
}

bool sync_next_name(struct bytes *body, struct bytes *out_name)
{
    struct unpack in = unpack_begin(*body);
    struct bytes name = unpack_name(&in);
    if (!took(body, &in))
        return false;
    *out_name = name;
    return true;
}

bool sync_next_listed(struct bytes *body, uint64_t *out_digest, struct bytes *out_name)
{
    struct unpack in = unpack_begin(*body);
    uint64_t digest = unpack_next_u64(&in);
    struct bytes name = unpack_name(&in);
    if (!took(body, &in))
        return false;
    *out_digest = digest;
    *out_name = name;
    return true;
}

bool sync_next_index(struct bytes *body, uint32_t *out_index)
{
    struct unpack in = unpack_begin(*body);
    uint64_t index = unpack_next_varint(&in);
    if (index > UINT32_MAX || !took(body, &in))
        return false;
    *out_index = (uint32_t)index;
    return true;
}

/* ---- whole bodies ---------------------------------------------------------------------------- */

static bool take_row(struct bytes *body)
{
    struct bytes name, row;
    struct row_key key;
    return row_list_next(body, &name, &row) && row_key_decode(name, &key);
}

/* Takes an entry; those that ascend do so strictly, `*last` being the one before, plus 1. */
static bool take_entry(enum body kind, struct bytes *body, uint64_t *last)
{
    uint16_t slot;
    uint32_t index;
    uint64_t digest, value;
    struct bytes name;
    switch (kind) {
    case BODY_SLOTS:
        if (!sync_next_slot(body, &slot))
            return false;
        value = slot;
        break;
    case BODY_DIGESTS:
        if (!sync_next_digest(body, &slot, &digest))
            return false;
        value = slot;
        break;
    case BODY_INDICES:
        if (!sync_next_index(body, &index))
            return false;
        value = index;
        break;
    case BODY_NAMES:
        return sync_next_name(body, &name);
    case BODY_LISTED:
        return sync_next_listed(body, &digest, &name);
    case BODY_ROWS:
        return take_row(body);
    default:
        return false;
    }
    bool ascends = value >= *last;
    *last = value + 1;
    return ascends;
}

static bool body_is_good(enum body kind, struct bytes body)
{
    uint64_t last = 0;
    if (kind == BODY_AFTER)
        return body.size == 0 || is_head(body);
    while (body.size > 0)
        if (!take_entry(kind, &body, &last))
            return false;
    return true;
}

/* ---- messages -------------------------------------------------------------------------------- */

void sync_encode(unsigned type, const struct sync_message *message, struct buffer *out)
{
    check(message_family(type) == MESSAGES_SYNC);
    const struct form *form = &forms[type - MESSAGES_SYNC];
    buffer_append(out, &message->cluster, sizeof(message->cluster));
    add_varint(out, message->version);
    add_varint(out, message->number);
    if (form->fields & FLAGS)
        buffer_append_u8(out, message->flags);
    if (form->fields & SLOT)
        sync_add_slot(out, message->slot);
    if (form->fields & DIGEST)
        buffer_append(out, &message->digest, sizeof(message->digest));
    if (form->fields & PLACE) {
        add_varint(out, message->place.key);
        add_varint(out, message->place.base);
        add_varint(out, message->place.chunk);
    }
    buffer_append_bytes(out, message->body);
}

static uint32_t unpack_u32_varint(struct unpack *in)
{
    uint64_t value = unpack_next_varint(in);
    in->failed = in->failed || value > UINT32_MAX;
    return (uint32_t)value;
}

enum status sync_decode(unsigned type, struct bytes payload, struct sync_message *out)
{
    struct unpack in = unpack_begin(payload);
    struct sync_message message = {0};
    if (message_family(type) != MESSAGES_SYNC || payload.size > MESSAGE_SIZE_MAX)
        return STATUS_CORRUPT;
    const struct form *form = &forms[type - MESSAGES_SYNC];
    message.cluster = unpack_next_u64(&in);
    message.version = unpack_next_varint(&in);
    message.number = unpack_next_varint(&in);
    if (form->fields & FLAGS)
        message.flags = unpack_next_u8(&in);
    if (form->fields & SLOT)
        message.slot = unpack_slot(&in);
    if (form->fields & DIGEST)
        message.digest = unpack_next_u64(&in);
    if (form->fields & PLACE) {
        message.place.key = unpack_u32_varint(&in);
        message.place.base = unpack_u32_varint(&in);
        message.place.chunk = unpack_u32_varint(&in);
    }
    if (in.failed || (message.flags & ~form->flags) != 0)
        return STATUS_CORRUPT;
    message.body = bytes_of(in.next, (size_t)(in.end - in.next));
    if (!body_is_good((enum body)form->body, message.body))
        return STATUS_CORRUPT;
    *out = message;
    return STATUS_OK;
}
