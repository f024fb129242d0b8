/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. Nobody else includes it. */
#ifndef QUORUM_QUORUM_STATE_H
#define QUORUM_QUORUM_STATE_H

#include "base/random.h"
#include "quorum/acks.h"
#include "quorum/answer_time.h"
#include "quorum/claim.h"
#include "quorum/lease.h"
#include "quorum/outcomes.h"
#include "quorum/quorum.h"
#include "quorum/quorum_codec.h"
#include "store/export.h"
#include "store/import.h"

enum { BATCH_BUCKETS = 1024, SPARE_BATCHES_MAX = 16, SPARE_PENDINGS_MAX = 4096 };

/* Another node, as it answers. */
struct peer {
    uint64_t node;
    struct answer_time write, read;
    /* To be sent at the end of the turn: */
    struct buffer acks;
    struct buffer questions, answers; /* VERIFY and VERIFIED */
    struct lease lease;
};

/* Slots that have the same owners. */
struct owners_group {
    struct acks_owners owners;
    struct acks_owners readers; /* as `old`; as `new` those that gain the slots, if they are
                                   others and not read from yet */
    bool reads;                 /* this node is one of them */
    uint64_t hash;              /* of owners */
    struct batch *open;         /* that takes rows in this turn; NULL: none yet */
};

/* What a write, in one of its batches, waits for. */
struct part {
    struct list link; /* in the batch's */
    struct pending *pending;
    uint8_t level;
};

/* A write that somebody waits for. */
struct pending {
    struct list link;           /* in quorum.finished, or free */
    struct quorum_write *write; /* NULL: forgotten */
    struct request_id blind;    /* of a request that may run a second time; else 0 */
    unsigned open;              /* parts that are linked to a batch */
    bool finished;
    enum status status;
    struct part first; /* the others are blocks of their own */
};

enum target_state {
    TARGET_NEW,
    TARGET_SENT,
    TARGET_ACKED,
    TARGET_LOST,   /* it is not up, or can't have got it */
    TARGET_FAILED, /* it says that it can't */
};

struct target {
    enum target_state state;
    bool speculated;     /* somebody else was asked because it is slow */
    bool fenced;         /* it has granted the slot to another coordinator: it will never take it */
    uint32_t sent;       /* messages */
    uint32_t acked;      /* messages */
    uint64_t *acked_set; /* of more than one message: bits */
    uint64_t sent_ms;    /* the last of them, or when it was lost */
};

struct batch {
    struct list link;   /* in quorum.open, then quorum.sent */
    struct list gating; /* in quorum.gating, then withheld, until this node has it too */
    struct batch *chain;
    struct owners_group *group; /* of this layout; NULL: none, or of a repair */
    uint64_t number;
    uint64_t work; /* the number of what its rows came out of: its own, or an earlier one */
    uint64_t gate;
    uint64_t term; /* that its rows were written with: claim.h */
    uint64_t begun_ms;
    uint64_t progress_ms; /* somebody has got a message of it */
    uint16_t slot;        /* one of them */
    bool is_repair;       /* for one node, nobody stands in */
    bool is_touched;      /* by the command under way */
    bool is_let_go;       /* its rows are forgotten, owners were told missed */
    bool is_settled;      /* W owners have it, or it is over: its slots were told (lease_settled) */
    struct lease_firsts firsts;
    struct buffer *messages;
    uint32_t message_count, message_room;
    uint32_t total;                  /* messages that it was sent in */
    struct buffer grounds, requests; /* the end of the last message */
    size_t rows_from;                /* in the last message, of the command under way */
    struct list parts;
    struct list marks; /* mark.c */
    struct acks acks;
    struct target targets[ACKS_HOLDERS_MAX]; /* of acks.holders */
};

struct quorum {
    struct quorum_options options;
    const struct layout *layout;
    struct random random;
    uint64_t number; /* of what was asked last */
    uint64_t next_ms;
    uint64_t now_ms; /* as told last */

    struct owners_group **groups; /* of this layout, as they were met */
    uint32_t group_count, group_room;
    uint16_t group_of[SLOT_COUNT]; /* + 1; 0: not looked up yet */
    uint8_t first_of[SLOT_COUNT];  /* the first reader, in the group's readers; if that is known */

    struct list open, sent, gating;
    struct list gating_withheld; /* durable, and not to be counted yet (lease.h) */
    struct batch *buckets[BATCH_BUCKETS];
    struct batch *spare; /* by chain */
    unsigned spare_count;
    size_t kept_bytes;      /* of batches in `sent` */
    struct batch **touched; /* by the command under way */
    uint32_t touched_count, touched_room;
    struct list spare_pendings;
    unsigned spare_pending_count;
    struct list finished; /* pendings whose `done` is to be called */

    struct peer **peers; /* by node */
    uint32_t peer_count, peer_room;

    struct list importing; /* rows of others */
    struct list imported;  /* and not yet durable, in the order of gates */
    struct list withheld;  /* durable, and not to be acknowledged yet (lease.h) */
    size_t importing_bytes;
    struct list serving; /* questions of others */
    unsigned serving_count;

    struct list verifications;           /* under way */
    struct list verify_next;             /* to be begun at the end of the turn */
    struct list verify_withheld;         /* when leases are over */
    struct list verified;                /* whose `done` is to be called */
    bool has_questions, has_answers;     /* some peer's */
    struct round *rounds[BATCH_BUCKETS]; /* verification.h */
    struct list outcomes_asked;
    struct list outcomes_found; /* whose `done` is to be called */
    struct outcomes outcomes;
    struct list covers; /* being stored */

    struct list questions_waiting; /* lease.c */
    size_t questions_waiting_bytes;
    bool leases_wanted;       /* some peer's */
    uint64_t leases_begin_ms; /* before that this process confirms nothing past a first reader */
    uint32_t unsettled[SLOT_COUNT]; /* rows that this node coordinates and that are short of W */

    struct grant grants[SLOT_COUNT]; /* claim.c */
    uint64_t claimed[SLOT_COUNT];    /* the term with which this node has won it */
    uint64_t newest[SLOT_COUNT];     /* the batch that has its last rows */
    uint64_t raised;                 /* this node's term above the least */
    uint64_t claims, handed_over;    /* slots lost, by this node and by any: counts */

    struct buffer scratch, heads, dots;
    struct quorum_stats stats;
};

/* ---- quorum.c -------------------------------------------------------------------------------- */

struct peer *quorum_peer(struct quorum *quorum, uint64_t node);
struct owners_group *quorum_group(struct quorum *quorum, uint16_t slot);
/* The node that coordinates the slot while it is up; 0: nobody owns it. */
uint64_t quorum_first(struct quorum *quorum, uint16_t slot);
/* quorum_tick is to be called by then. */
static inline void quorum_wake(struct quorum *quorum, uint64_t at_ms)
{
    if (at_ms < quorum->next_ms)
        quorum->next_ms = at_ms;
}
/* What an ask of this node begins with; numbers never come again. */
struct quorum_ask quorum_ask_next(struct quorum *quorum);

static inline bool quorum_is_up(const struct quorum *quorum, uint64_t node)
{
    return gossip_is_up(quorum->options.gossip, node);
}

/* The name of the head of the key that this row belongs to; false where it is no name of one. The
 * bytes are in `scratch`, or the name's own. */
bool quorum_head_of(struct bytes name, struct buffer *scratch, struct bytes *out_head);

/* The heads of a list of rows, each once where they stand together, in the form of export.h. Stops
 * at what is no list. Valid until the next call. */
struct bytes quorum_heads_of(struct quorum *quorum, struct bytes rows);

/* The other's layout forbids what it asks for: it is told which one this node has. */
void quorum_refuse(struct quorum *quorum, uint64_t from, unsigned type, uint64_t number);

/* ---- fence.c --------------------------------------------------------------------------------- */

/* Whether what a node of that layout sends may be taken: layout_accepts, of each slot that is
 * concerned. Names that are none are passed over: whoever reads them finds out. */
bool fence_accepts(const struct quorum *quorum, uint64_t version, uint16_t slot);
bool fence_accepts_rows(const struct quorum *quorum, uint64_t version, struct bytes rows);
bool fence_accepts_heads(const struct quorum *quorum, uint64_t version, struct bytes heads);

/* ---- route.c --------------------------------------------------------------------------------- */

/* How many of the owners must agree on a key. */
unsigned quorum_readers_needed(const struct quorum *quorum, uint16_t slot,
                               struct consistency consistency, bool writes, bool agreed,
                               unsigned owners);

/* ---- batch.c --------------------------------------------------------------------------------- */

struct batch *batch_new(struct quorum *quorum, const struct acks_owners *owners, uint16_t slot,
                        uint64_t now_ms);
/* With a ground (size 0: none; store/import.h) it comes to the last message. */
void batch_add_row(struct batch *batch, struct bytes name, struct bytes row, struct bytes ground,
                   bool is_long);
/* The rows of a message, as they are kept. */
struct bytes batch_rows(const struct batch *batch, uint32_t message);
/* Nothing comes to it any more: out it goes. */
void batch_send(struct quorum *quorum, struct batch *batch, uint64_t now_ms);
void batch_add_part(struct batch *batch, struct pending *pending, uint8_t level);
/* That of the number, open or sent; NULL: it is over. */
struct batch *batch_find(struct quorum *quorum, uint64_t number);
void batch_free(struct quorum *quorum, struct batch *batch);

void batches_acked(struct quorum *quorum, struct peer *peer, const struct quorum_ack *ack,
                   uint64_t now_ms);
/* That owner has granted its slots to another one. */
void batches_fenced(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms);
void batches_refused(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms);
void batches_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms);
/* Own rows that have become durable. */
void batches_gates(struct quorum *quorum, uint64_t now_ms);
void batches_tick(struct quorum *quorum, uint64_t now_ms);

/* ---- mark.c ---------------------------------------------------------------------------------- */

void batch_mark(struct batch *batch, struct quorum_mark *mark);
void batch_unmark(const struct quorum *quorum, struct batch *batch);
void batch_move_marks(struct batch *from, struct batch *const *to, uint32_t count);

/* ---- write.c --------------------------------------------------------------------------------- */

struct pending *pending_new(struct quorum *quorum, struct quorum_write *write);
/* A part of it came to this; the part is gone. */
void pending_part_done(struct quorum *quorum, struct part *part, enum status status,
                       unsigned reached, unsigned needed);
void writes_send(struct quorum *quorum, uint64_t now_ms);
void writes_finish(struct quorum *quorum);
/* Owners have changed: what waits goes to those of now, from the start. */
void writes_move(struct quorum *quorum, uint64_t now_ms);
/* These rows to that node, and to no other. `rows` are one message; `work` is the number of what
 * they came out of. */
void write_to_node(struct quorum *quorum, struct bytes rows, uint64_t node, uint64_t work,
                   struct quorum_write *write, uint64_t now_ms);

/* ---- replica.c ------------------------------------------------------------------------------- */

MUST_CHECK enum status replica_replicate(struct quorum *quorum, uint64_t from,
                                         const struct quorum_ask *ask, struct unpack *in,
                                         uint64_t now_ms);
/* What has become durable is acknowledged. */
void replica_gates(struct quorum *quorum);
/* A new layout: what is being stored was sent in an older one, and is not acknowledged. */
void replica_fence(struct quorum *quorum);
void replica_deinit(struct quorum *quorum);

/* ---- serve.c: questions of others ------------------------------------------------------------ */

/* `accepted`: the sender's layout is one that this node takes part in, as far as slots allow. */
MUST_CHECK enum status serve_verify(struct quorum *quorum, uint64_t from,
                                    const struct quorum_ask *ask, bool accepted,
                                    struct bytes payload, uint64_t now_ms);
/* The answers of this turn go out. */
void serve_send(struct quorum *quorum);
MUST_CHECK enum status serve_key_rows(struct quorum *quorum, uint64_t from,
                                      const struct quorum_ask *ask, struct unpack *in,
                                      uint64_t now_ms);
MUST_CHECK enum status serve_outcome(struct quorum *quorum, uint64_t from,
                                     const struct quorum_ask *ask, struct bytes payload,
                                     uint64_t now_ms);
/* What this node knows of a request. `heads` is empty at first, and lent to `is`. That it has it
 * durably confirms it (lease.h). */
void outcomes_look_up(struct quorum *quorum, struct request_id id, struct quorum_outcome_is *is,
                      struct buffer *heads, uint64_t now_ms);
void serve_deinit(struct quorum *quorum);

/* ---- verification.c -------------------------------------------------------------------------- */

void verifications_begin(struct quorum *quorum, uint64_t now_ms);
/* The questions of this turn go out. */
void verifications_send(struct quorum *quorum);
void verifications_finish(struct quorum *quorum);
void verifications_verified(struct quorum *quorum, struct peer *peer,
                            const struct quorum_verified *verified, uint64_t now_ms);
void verifications_rows(struct quorum *quorum, struct peer *peer,
                        const struct quorum_key_rows_are *are, uint64_t now_ms);
void verifications_refused(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms);
void verifications_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms);
void verifications_tick(struct quorum *quorum, uint64_t now_ms);
void verifications_restart(struct quorum *quorum, uint64_t now_ms);
/* None that began before the mark has rows under way. */
bool verifications_ended(const struct quorum *quorum, uint64_t mark);
void verifications_deinit(struct quorum *quorum);

/* ---- outcome.c ------------------------------------------------------------------------------- */

void outcomes_answered(struct quorum *quorum, struct peer *peer, const struct quorum_outcome_is *is,
                       uint64_t now_ms);
bool outcomes_rows(struct quorum *quorum, struct peer *peer, const struct quorum_key_rows_are *are,
                   uint64_t now_ms);
void outcomes_lost(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms);
void outcomes_tick(struct quorum *quorum, uint64_t now_ms);
void outcomes_finish(struct quorum *quorum);
void outcomes_restart(struct quorum *quorum, uint64_t now_ms);
bool outcomes_ended(const struct quorum *quorum, uint64_t mark);
void outcomes_asked_deinit(struct quorum *quorum);

/* ---- cover.c --------------------------------------------------------------------------------- */

/* Of the rows that plain writes have made: for each of the heads (quorum_heads_of these rows) the
 * event that its row is; in the form of outcomes.h. Valid until the next call. */
struct bytes cover_dots_of(struct quorum *quorum, struct bytes rows, struct bytes heads);
/* None that began before the mark is under way. */
bool covers_ended(const struct quorum *quorum, uint64_t mark);
void covers_deinit(struct quorum *quorum);

#endif
