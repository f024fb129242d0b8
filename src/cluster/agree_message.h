/* SPDX-License-Identifier: MIT */
/*
 * What members say to each other about layouts (cluster/agree.h), as bytes; v: a varint, b: a
 * ballot, which is a round, v, and a node, 6 bytes, big-endian:
 *
 *   cluster  8   of the layout that it is about
 *   version  v   the same; 0 0 in ASK: the node has none
 *   ballot   b   of the proposer's try; not in LAYOUT and ASK
 *   other    b   PROMISED: at which the layout was accepted, 0 0: none was
 *                REFUSED: which was promised; in no others
 *   layout       PROMISED, ACCEPT, LAYOUT: its bytes, to the end
 */
#ifndef CLUSTER_AGREE_MESSAGE_H
#define CLUSTER_AGREE_MESSAGE_H

#include "base/buffer.h"
#include "base/pack.h"
#include "bus/message.h"

enum agree_message_type {
    AGREE_PREPARE = MESSAGES_AGREE,
    AGREE_PROMISED,
    AGREE_ACCEPT,
    AGREE_ACCEPTED,
    AGREE_REFUSED,
    AGREE_CHOSEN,
    AGREE_LAYOUT,
    AGREE_ASK,
};

#define BALLOT_ROUND_MAX (1ULL << 48) /* nobody gets there by trying */

/* Round 0: none. */
struct ballot {
    uint64_t round, node;
};

int ballot_compare(struct ballot a, struct ballot b);
void ballot_pack(struct buffer *out, struct ballot ballot);
struct ballot ballot_unpack(struct unpack *in);

struct agree_message {
    uint64_t cluster, version;
    struct ballot ballot, other;
    struct bytes layout;
};

void agree_message_encode(enum agree_message_type type, const struct agree_message *message,
                          struct buffer *out);

/* False: it is none. The layout is borrowed from the payload and not looked at. */
bool agree_message_decode(enum agree_message_type type, struct bytes payload,
                          struct agree_message *out);

#endif
