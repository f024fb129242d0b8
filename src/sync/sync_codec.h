/* SPDX-License-Identifier: MIT */
/*
 * What sync says to its peers. All messages are made of the same fields, in this order; the table
 * in sync_codec.c says which kind has which.
 *
 *   | cluster(8) | version(varint) | number(varint) |            in all: the sender's layout, and
 *                                                                what the message belongs to
 *   | flags(1) | slot(2) | digest(8) | key, base, chunk(varints: a place in an export) |
 *   | body |                                                     to the end
 *
 * Bodies are lists of one kind of entry:
 *
 *   slots      | slot(2) |...                   ascending
 *   digests    | slot(2) | digest(8) |...       ascending by slot
 *   names      | size(varint) | name |...       of heads
 *   listed     | digest(8) | size(varint) | name |...
 *   indices    | index(varint) |...             ascending: numbers of entries of another list
 *   rows       a row list (row/row_list.h)
 *   after      one name of a head, or nothing
 *
 * Numbers are little-endian. Decoding takes any bytes and accepts one form of each message.
 */
#ifndef SYNC_SYNC_CODEC_H
#define SYNC_SYNC_CODEC_H

#include "base/buffer.h"
#include "base/status.h"
#include "bus/message.h"
#include "store/export.h"

enum sync_type {
    /* Comparing: these are my digests; which of them differ from yours? */
    SYNC_ASK_DIGESTS = MESSAGES_SYNC, /* digests */
    SYNC_DIFFERING,                   /* slots: those of the question that differ */
    /* Pulling. */
    SYNC_ASK_LIST, /* slot, digest (of its own), after */
    SYNC_LISTED,   /* flags, listed */
    SYNC_ASK_ROWS, /* slot, place, names */
    SYNC_ROWS,     /* place (the next), rows */
    SYNC_FAILED,   /* what was asked for can't be had from here, now */
    /* Giving: these are yours; which of them do you lack? */
    SYNC_OFFER,  /* listed */
    SYNC_WANTED, /* flags, indices; the others it has, durably */
    SYNC_PUSH,   /* rows */
    SYNC_PUSHED, /* flags; it has them, durably */
    /* Collecting. */
    SYNC_PROPOSE, /* listed */
    SYNC_CONFIRM, /* indices: those that it holds exactly so, synced */
    SYNC_BARRIER, /* flags (the step: 1, 2; 0: the round is over), slots */
    SYNC_PASSED,  /* flags */
    SYNC_COLLECT, /* listed */
};

enum {
    SYNC_END = 1,     /* LISTED: there are none after these */
    SYNC_EQUAL = 2,   /* LISTED: the slot's digest is the one of the question, so nothing is said */
    SYNC_REFUSED = 4, /* WANTED, PUSHED: it doesn't own them; PASSED: no */
    SYNC_STEP_1 = 1,  /* BARRIER, PASSED */
    SYNC_STEP_2 = 2,
};

struct sync_message {
    uint64_t cluster, version; /* the sender's layout */
    uint64_t number;
    uint8_t flags;
    uint16_t slot;
    uint64_t digest;
    struct export_place place;
    struct bytes body; /* borrowed; checked, so that the walks below get to its end */
};

/* Whatever its kind has no field for is left out. */
void sync_encode(unsigned type, const struct sync_message *message, struct buffer *out);
MUST_CHECK enum status sync_decode(unsigned type, struct bytes payload, struct sync_message *out);

/* ---- bodies ---------------------------------------------------------------------------------- */

void sync_add_slot(struct buffer *body, uint16_t slot);
void sync_add_digest(struct buffer *body, uint16_t slot, uint64_t digest);
void sync_add_name(struct buffer *body, struct bytes name);
void sync_add_listed(struct buffer *body, uint64_t digest, struct bytes name);
void sync_add_index(struct buffer *body, uint32_t index);

/* Each takes one entry off; false: there is none, or what is there is none. */
bool sync_next_slot(struct bytes *body, uint16_t *out_slot);
bool sync_next_digest(struct bytes *body, uint16_t *out_slot, uint64_t *out_digest);
bool sync_next_name(struct bytes *body, struct bytes *out_name);
bool sync_next_listed(struct bytes *body, uint64_t *out_digest, struct bytes *out_name);
bool sync_next_index(struct bytes *body, uint32_t *out_index);

#endif
