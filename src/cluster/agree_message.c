/* SPDX-License-Identifier: MIT */
#include "cluster/agree_message.h"

enum { NODE_SIZE = 6 };

enum part { BALLOT = 1, OTHER = 2, LAYOUT = 4 };

static const unsigned parts[] = {
    [AGREE_PREPARE - MESSAGES_AGREE] = BALLOT,
    [AGREE_PROMISED - MESSAGES_AGREE] = BALLOT | OTHER | LAYOUT,
    [AGREE_ACCEPT - MESSAGES_AGREE] = BALLOT | LAYOUT,
    [AGREE_ACCEPTED - MESSAGES_AGREE] = BALLOT,
    [AGREE_REFUSED - MESSAGES_AGREE] = BALLOT | OTHER,
    [AGREE_CHOSEN - MESSAGES_AGREE] = BALLOT,
    [AGREE_LAYOUT - MESSAGES_AGREE] = LAYOUT,
    [AGREE_ASK - MESSAGES_AGREE] = 0,
};

int ballot_compare(struct ballot a, struct ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return a.node < b.node ? -1 : a.node > b.node;
}

static void put_varint(struct buffer *out, uint64_t value)
{
    char *begin = buffer_reserve(out, VARINT_MAX);
    buffer_commit(out, (size_t)(pack_varint(begin, value) - begin));
}

void ballot_pack(struct buffer *out, struct ballot ballot)
{
    put_varint(out, ballot.round);
    pack_be(buffer_reserve(out, NODE_SIZE), ballot.node, NODE_SIZE);
    buffer_commit(out, NODE_SIZE);
}

struct ballot ballot_unpack(struct unpack *in)
{
    struct ballot ballot = {.round = unpack_next_varint(in)};
    struct bytes node = unpack_bytes(in, NODE_SIZE);
    ballot.node = in->failed ? 0 : unpack_be(node.data, NODE_SIZE);
    in->failed |= ballot.round > BALLOT_ROUND_MAX || (ballot.round == 0 && ballot.node != 0);
    return ballot;
}

void agree_message_encode(enum agree_message_type type, const struct agree_message *message,
                          struct buffer *out)
{
    unsigned has = parts[type - MESSAGES_AGREE];
    pack_u64(buffer_reserve(out, sizeof(message->cluster)), message->cluster);
    buffer_commit(out, sizeof(message->cluster));
    put_varint(out, message->version);
    if (has & BALLOT)
        ballot_pack(out, message->ballot);
    if (has & OTHER)
        ballot_pack(out, message->other);
    if (has & LAYOUT)
        buffer_append_bytes(out, message->layout);
}

bool agree_message_decode(enum agree_message_type type, struct bytes payload,
                          struct agree_message *out)
{
    unsigned has = parts[type - MESSAGES_AGREE];
    struct unpack in = unpack_begin(payload);
    *out = (struct agree_message){0};
    out->cluster = unpack_next_u64(&in);
    out->version = unpack_next_varint(&in);
    if (has & BALLOT) {
        out->ballot = ballot_unpack(&in);
        in.failed |= out->ballot.round == 0;
    }
    if (has & OTHER)
        out->other = ballot_unpack(&in);
    if (has & LAYOUT)
        out->layout = unpack_bytes(&in, (uint64_t)(in.end - in.next));
    bool has_none = out->cluster == 0 && out->version == 0;
    in.failed |= in.next != in.end;
    in.failed |= has_none ? type != AGREE_ASK : out->cluster == 0 || out->version == 0;
    return !in.failed;
}
