/* SPDX-License-Identifier: MIT */
/*
 * Layouts as bytes, and what others may send to a member that agrees on them. An input is a byte
 * and:
 *   '0'   a layout
 *   '1'   a layout without its checksum, which is put behind it: it is not to be guessed
 *   '2'   what a member has saved, likewise
 *   else  messages to one of three members that is itself proposing: a type, a sender, a byte whose
 *         lowest bit says whether a good layout of the next version follows the payload, the
 *         payload's size in two bytes, the payload
 */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "cluster/agree.h"
#include "cluster/agree_message.h"
#include "fuzz/fuzz.h"

enum { CLUSTER = 1, VERSION = 5, MEMBERS = 3, TIME_MS = 1000 };

static void put_checksum(struct buffer *bytes)
{
    pack_u64(buffer_reserve(bytes, 8), xxh64(buffer_bytes(bytes)));
    buffer_commit(bytes, 8);
}

/* Member 0 owns all. */
static void make_layout(uint64_t version, uint32_t count, struct layout *out)
{
    struct ring_member members[MEMBERS];
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct ring_member){i, i, i, RING_WEIGHT};
    *out = (struct layout){CLUSTER, version, LAYOUT_STABLE, 1};
    ring_begin(members, count, 1, &out->ring);
}

static void check_sound(const struct ring *ring)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        for (unsigned i = 0; i < ring->copies; i++)
            check(ring->owners[slot][i] < ring->member_count);
}

/* A block of exactly its size: whoever reads further is found out. */
static void check_layout(struct bytes bytes)
{
    struct layout layout;
    struct buffer again = {0};
    char *exact = memory_alloc(bytes.size);
    if (bytes.size)
        memcpy(exact, bytes.data, bytes.size);
    enum status status = layout_decode(bytes_of(exact, bytes.size), &layout);
    check(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    if (status == STATUS_OK) {
        check_sound(&layout.ring);
        check_sound(&layout.next);
        layout_encode(&layout, &again);
        check(bytes_equal(buffer_bytes(&again), bytes));
        layout_deinit(&layout);
        buffer_deinit(&again);
    }
    memory_free(exact);
}

/* ---- a member -------------------------------------------------------------------------------- */

struct member {
    struct agree *agree;
    struct buffer saved;
    uint64_t version;
};

static bool on_send(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    (void)context, (void)node;
    check(type >= MESSAGES_AGREE && type < MESSAGES_AGREE + 16);
    check(payload.size <= MESSAGE_SIZE_MAX);
    return true;
}

static enum status on_save(void *context, struct bytes state)
{
    struct member *member = context;
    buffer_clear(&member->saved, 0);
    buffer_append_bytes(&member->saved, state);
    return STATUS_OK;
}

static void on_chosen(void *context, uint64_t now_ms)
{
    struct member *member = context;
    const struct layout *layout = agree_layout(member->agree);
    check(now_ms >= TIME_MS);
    check(layout->cluster == CLUSTER && layout->version > member->version);
    member->version = layout->version;
}

static enum status open_member(struct member *member, struct bytes state)
{
    struct agree_options options = {
        .outbox = {on_send, member}, .save = on_save, .chosen = on_chosen, .context = member};
    return agree_open(&options, state, &member->agree);
}

static void check_state(struct bytes state)
{
    struct member member = {0};
    enum status status = open_member(&member, state);
    check(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    if (status == STATUS_OK)
        check(state.size == 0 || agree_layout(member.agree) != NULL);
    if (status == STATUS_OK)
        agree_free(member.agree);
}

static void send_message(struct member *member, struct bytes *input, uint64_t now_ms)
{
    unsigned type = MESSAGES_AGREE + fuzz_take_u8(input) % 16;
    uint64_t from = 1 + fuzz_take_u8(input) % MEMBERS; /* the last is none */
    uint8_t how = fuzz_take_u8(input);
    struct buffer payload = {0};
    buffer_append_bytes(&payload, fuzz_take_part(input));
    if (how & 1) {
        struct layout next;
        make_layout(agree_layout(member->agree)->version + 1, MEMBERS, &next);
        layout_encode(&next, &payload);
        layout_deinit(&next);
    }
    enum status status = agree_receive(member->agree, from, type, buffer_bytes(&payload), now_ms);
    check(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    buffer_deinit(&payload);
}

static void check_messages(struct bytes input)
{
    struct member member = {0};
    struct layout layout;
    uint64_t now_ms = TIME_MS;
    check(open_member(&member, BYTES("")) == STATUS_OK);
    make_layout(VERSION, MEMBERS, &layout);
    check(agree_join(member.agree, &layout, now_ms) == STATUS_OK);
    layout_deinit(&layout);
    make_layout(VERSION + 1, MEMBERS - 1, &layout);
    agree_propose(member.agree, &layout, now_ms);
    layout_deinit(&layout);
    while (input.size > 0) {
        send_message(&member, &input, now_ms);
        now_ms += 50;
        agree_tick(member.agree, now_ms);
    }
    agree_free(member.agree);
    struct member again = {.version = member.version};
    check(open_member(&again, buffer_bytes(&member.saved)) == STATUS_OK);
    check(agree_layout(again.agree)->version == member.version);
    agree_free(again.agree);
    buffer_deinit(&member.saved);
}

void fuzz_one(struct bytes input)
{
    struct buffer bytes = {0};
    uint8_t how = fuzz_take_u8(&input);
    buffer_append_bytes(&bytes, input);
    if (how == '1' || how == '2')
        put_checksum(&bytes);
    if (how == '0' || how == '1')
        check_layout(buffer_bytes(&bytes));
    else if (how == '2')
        check_state(buffer_bytes(&bytes));
    else
        check_messages(input);
    buffer_deinit(&bytes);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static void seed_layout(const struct layout *layout, fuzz_seed seed, void *context)
{
    struct buffer bytes = {0};
    buffer_append_u8(&bytes, '0');
    layout_encode(layout, &bytes);
    seed(context, buffer_bytes(&bytes));
    bytes.block[0] = '1';
    buffer_truncate(&bytes, buffer_size(&bytes) - 8);
    seed(context, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
}

static void seed_state(struct member *member, fuzz_seed seed, void *context)
{
    struct buffer bytes = {0};
    buffer_append_u8(&bytes, '2');
    buffer_append_bytes(&bytes, buffer_bytes(&member->saved));
    buffer_truncate(&bytes, buffer_size(&bytes) - 8);
    seed(context, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
}

static void append_message(struct buffer *out, enum agree_message_type type, uint64_t from,
                           bool has_layout, struct agree_message message)
{
    struct buffer payload = {0};
    agree_message_encode(type, &message, &payload);
    buffer_append_u8(out, (uint8_t)(type - MESSAGES_AGREE));
    buffer_append_u8(out, (uint8_t)(from - 1));
    buffer_append_u8(out, has_layout);
    buffer_append_u8(out, (uint8_t)(buffer_size(&payload) >> 8));
    buffer_append_u8(out, (uint8_t)buffer_size(&payload));
    buffer_append_bytes(out, buffer_bytes(&payload));
    buffer_deinit(&payload);
}

static void seed_messages(fuzz_seed seed, void *context)
{
    struct buffer bytes = {0};
    struct agree_message own = {CLUSTER, VERSION + 1, {1, 0}};
    struct agree_message other = {CLUSTER, VERSION + 1, {2, 1}};
    buffer_append_u8(&bytes, 'm');
    append_message(&bytes, AGREE_PROMISED, 1, false, own);
    append_message(&bytes, AGREE_ACCEPTED, 1, false, own);
    own.version++;
    own.ballot.node = 2;
    append_message(&bytes, AGREE_PREPARE, 2, false, own);
    append_message(&bytes, AGREE_ACCEPT, 2, true, own);
    append_message(&bytes, AGREE_CHOSEN, 2, false, own);
    seed(context, buffer_bytes(&bytes));
    buffer_truncate(&bytes, 1);
    append_message(&bytes, AGREE_PREPARE, 1, false, other);
    append_message(&bytes, AGREE_ACCEPT, 1, true, other);
    append_message(&bytes, AGREE_ASK, 1, false, (struct agree_message){0});
    append_message(&bytes, AGREE_ASK, 2, false, (struct agree_message){CLUSTER, VERSION + 2});
    append_message(&bytes, AGREE_LAYOUT, 2, true, other);
    seed(context, buffer_bytes(&bytes));
    buffer_truncate(&bytes, 1);
    own = (struct agree_message){CLUSTER, VERSION + 1, {1, 0}, {9, 2}};
    append_message(&bytes, AGREE_REFUSED, 2, false, own);
    own.ballot.round = 10;
    own.other = (struct ballot){4, 1};
    append_message(&bytes, AGREE_PROMISED, 1, true, own);
    seed(context, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct ring_member members[2] = {{7, 1, 1, RING_WEIGHT}, {8, 2, 2, RING_WEIGHT}};
    struct layout layout, next;
    struct member member = {0};
    layout_first(CLUSTER, members, 1, &layout);
    seed_layout(&layout, seed, context);
    layout_step(&layout, members, 2, &next);
    seed_layout(&next, seed, context);
    check(open_member(&member, BYTES("")) == STATUS_OK);
    check(agree_found(member.agree, &layout, TIME_MS) == STATUS_OK);
    agree_free(member.agree);
    seed_state(&member, seed, context);
    buffer_deinit(&member.saved);
    layout_deinit(&layout);
    layout_deinit(&next);
    make_layout(VERSION, 2, &layout);
    seed_layout(&layout, seed, context);
    layout_deinit(&layout);
    seed_messages(seed, context);
}
