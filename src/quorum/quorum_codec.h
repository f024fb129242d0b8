/* SPDX-License-Identifier: MIT */
/*
 * What quorums say to each other, as bytes. Little-endian; sizes of what is mostly small are
 * varints; `heads` are names, each | size(varint) | name |.
 *
 *   asks begin with       cluster(8) version(8) number(8)
 *
 *   REPLICATE             ask, term(8) message(4) rows size(4) grounds size(4), then rows,
 *                         grounds, requests
 *     a request           origin(varint) number(varint) rows from(varint) rows size(varint)
 *                         reply size(varint) reply
 *   REPLICATED            several of: number(8) message(4) failed(1)
 *   VERIFY                ask (its number is a term), several of: number(8) heads size(varint)
 *                         heads
 *   VERIFIED              several of: number(8) failed(1) count(varint) digests(8 each)
 *                         count(varint) holders(8 each)
 *   KEY_ROWS              ask, key(4) base(4) chunk(4) heads
 *   KEY_ROWS_ARE          number(8) failed(1) key(4) base(4) chunk(4) rows
 *   OUTCOME               ask, origin(8) number(8) slot(4)
 *   OUTCOME_IS            number(8) known(1) reply size(varint) reply heads
 *   LEASE                 ask
 *   LEASED                number(8) confirmed(8)
 *   REFUSED               cluster(8) version(8) number(8) type(1) term(8; 0: by the layout)
 *
 * A request's rows are those of `rows` from that byte on. Decoding takes any bytes: false where
 * they are not exactly one message; what is decoded borrows. Rows and names are not looked into.
 */
#ifndef QUORUM_QUORUM_CODEC_H
#define QUORUM_QUORUM_CODEC_H

#include "base/buffer.h"
#include "base/pack.h"
#include "bus/message.h"
#include "quorum/quorum.h"
#include "store/export.h"

enum quorum_message {
    QUORUM_REPLICATE = MESSAGES_QUORUM,
    QUORUM_REPLICATED,
    QUORUM_VERIFY,
    QUORUM_VERIFIED,
    QUORUM_KEY_ROWS,
    QUORUM_KEY_ROWS_ARE,
    QUORUM_OUTCOME,
    QUORUM_OUTCOME_IS,
    QUORUM_REFUSED,
    QUORUM_LEASE,
    QUORUM_LEASED,
    QUORUM_MESSAGES_END,
};

enum {
    QUORUM_ASK_SIZE = 24,
    QUORUM_REPLICATE_SIZE = QUORUM_ASK_SIZE + 20, /* before the rows */
    QUORUM_ACK_SIZE = 13,
};

struct quorum_ask {
    uint64_t cluster, version; /* of the sender's layout */
    uint64_t number;           /* the sender's, for the answer */
};

bool quorum_decode_ask(struct unpack *in, struct quorum_ask *out);

/* What stands before the rows, into QUORUM_REPLICATE_SIZE bytes that were left free for it. */
void quorum_put_replicate(char *out, const struct quorum_ask *ask, uint64_t term, uint32_t message,
                          size_t rows_size, size_t grounds_size);

struct quorum_replicate {
    uint64_t term; /* claim.h */
    uint32_t message;
    struct bytes rows;
    struct bytes grounds; /* store/import.h */
    struct bytes requests;
};
bool quorum_decode_replicate(struct unpack *in, struct quorum_replicate *out);

struct quorum_request {
    struct request_id id;
    uint64_t rows_from, rows_size; /* in the rows of the message: within them */
    struct bytes reply;
};
void quorum_encode_request(struct buffer *out, const struct quorum_request *request);
/* Takes the first off `rest`; false: none is left, or (with bytes left) they are none. */
bool quorum_next_request(struct bytes *rest, size_t rows_size, struct quorum_request *out);

struct quorum_ack {
    uint64_t number;
    uint32_t message;
    bool failed;
};
void quorum_encode_ack(struct buffer *out, const struct quorum_ack *ack);
bool quorum_next_ack(struct unpack *in, struct quorum_ack *out);

void quorum_encode_ask(struct buffer *out, const struct quorum_ask *ask);

/* Of VERIFY: keys of one round. */
struct quorum_question {
    uint64_t number;
    struct bytes heads;
};
void quorum_encode_question(struct buffer *out, const struct quorum_question *question);
/* False: there is none left, or (with in->failed) it is none. */
bool quorum_next_question(struct unpack *in, struct quorum_question *out);

/* Of VERIFY and others: how many there are, or 0 where they are none, or too many. */
size_t quorum_count_heads(struct bytes heads);
bool quorum_next_head(struct bytes *rest, struct bytes *out_name);
void quorum_encode_head(struct buffer *out, struct bytes name);

struct quorum_verified {
    uint64_t number;
    bool failed;
    struct bytes digests; /* 8 bytes each */
    struct bytes holders; /* nodes, 8 bytes each: claim.h */
};
struct quorum_numbers {
    const uint64_t *list;
    size_t count;
};
void quorum_encode_verified(struct buffer *out, uint64_t number, bool failed,
                            struct quorum_numbers digests, struct quorum_numbers holders);
/* As quorum_next_question. */
bool quorum_next_verified(struct unpack *in, struct quorum_verified *out);

void quorum_encode_key_rows(struct buffer *out, const struct quorum_ask *ask,
                            struct export_place place, struct bytes heads);
bool quorum_decode_key_rows(struct unpack *in, struct export_place *out_place,
                            struct bytes *out_heads);

struct quorum_key_rows_are {
    uint64_t number;
    bool failed;
    struct export_place next;
    struct bytes rows;
};
void quorum_encode_key_rows_are(struct buffer *out, const struct quorum_key_rows_are *are);
bool quorum_decode_key_rows_are(struct unpack *in, struct quorum_key_rows_are *out);

void quorum_encode_outcome(struct buffer *out, const struct quorum_ask *ask, struct request_id id,
                           uint16_t slot);
bool quorum_decode_outcome(struct unpack *in, struct request_id *out, uint16_t *out_slot);

enum outcome_known {
    OUTCOME_UNKNOWN,
    OUTCOME_KNOWN,   /* its rows are stored */
    OUTCOME_DURABLE, /* and as durable as an acknowledgement says */
    OUTCOME_KNOWN_END,
};
struct quorum_outcome_is {
    uint64_t number;
    enum outcome_known known;
    struct bytes reply;
    struct bytes heads; /* what the request has changed; may be empty */
};
void quorum_encode_outcome_is(struct buffer *out, const struct quorum_outcome_is *is);
bool quorum_decode_outcome_is(struct unpack *in, struct quorum_outcome_is *out);

struct quorum_leased { /* lease.h */
    uint64_t number;
    uint64_t confirmed;
};
void quorum_encode_leased(struct buffer *out, const struct quorum_leased *leased);
bool quorum_decode_leased(struct unpack *in, struct quorum_leased *out);

struct quorum_refused {
    struct quorum_ask ask; /* the layout of the one who refuses, the number of what it refused */
    unsigned type;
    uint64_t term; /* that another one was granted; 0: the layout forbids it */
};
void quorum_encode_refused(struct buffer *out, const struct quorum_refused *refused);
bool quorum_decode_refused(struct unpack *in, struct quorum_refused *out);

#endif
