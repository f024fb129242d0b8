/* SPDX-License-Identifier: MIT */
/*
 * What the files of sync/ share. None of it is for others: they have sync.h.
 *
 * Of each slot there are some bits for each of its owners (struct sync_slot), of each peer the
 * slots that it is compared in. A bit's number is the owner's place in placement_writers.
 */
#ifndef SYNC_SYNC_STATE_H
#define SYNC_SYNC_STATE_H

#include "base/list.h"
#include "base/random.h"
#include "row/slot_set.h"
#include "store/export.h"
#include "store/import.h"
#include "sync/sync.h"
#include "sync/sync_codec.h"

enum {
    SYNC_TICK_MS = 100,
    /* Comparing. */
    COMPARE_ROUND_MS = 10000, /* all slots with all peers */
    COMPARE_PARTS = 10,       /* of a round, one message each */
    COMPARE_AGAIN_MS = 100,   /* what isn't agreed, at first */
    COMPARE_AGAIN_MAX = 1600, /* later: doubled each time up to that */
    COMPARE_SLOTS_MAX = 4096, /* of one question */
    COMPARE_ANSWER_MS = 2000,
    /* Pulling and serving. */
    PULLS_MAX = 16,
    PULLS_TO_GAIN_MAX = 12,
    PULL_FRUITLESS_MS = 5000, /* a slot in which this node lacks nothing, but the other does */
    LIST_KEYS_MAX = 512,
    LIST_BYTES_MAX = 256 * 1024, /* of names; at least one */
    ROWS_BYTES_MAX = 512 * 1024, /* of an export; at least one row */
    PULL_PARTS_MAX = 16384,      /* of one key */
    REQUEST_MS = 10000,          /* without an answer: given up, to begin anew later */
    SERVES_MAX = 512,            /* requests under way: what comes beyond is dropped */
    SERVES_OF_NODE_MAX = 64,
    /* Hints and giving away. */
    HINTS_BYTES_MAX = 1024 * 1024,    /* for one node */
    HINTS_ALL_MAX = 16 * 1024 * 1024, /* for all */
    CARRY_KEYS_MAX = 256,
    CARRY_BYTES_MAX = 64 * 1024, /* of names; at least one */
    CARRIES_MAX = 24,
    GIVINGS_MAX = 4,
    FOREIGN_SCAN_MS = 500,
    GIVE_AGAIN_MS = 1000,
    /* Moving. */
    GAIN_AGAIN_MS = 200,
    /* Collecting. */
    COLLECT_PAUSE_MS = 1000, /* between rounds, if the last one had all that there was */
    COLLECT_KEYS_MAX = 4096,
    COLLECT_OF_SLOT_MAX = 256,
    COLLECT_BYTES_MAX = 256 * 1024, /* of names */
    COLLECT_ROUND_MS = 30000,       /* then the round is void */
    COLLECT_GRACE_MS = 60000,       /* an expired row stays so long: clocks differ by that */
    BARRIER_MS = 60000,             /* a member forgets it then */
};

struct sync_slot {
    uint64_t since;      /* answers to questions up to this one say nothing of the slot now */
    uint64_t pull_at_ms; /* by a pull that finds out what differs: not before */
    uint64_t gain_at_ms; /* gaining: to be tried again */
    uint16_t readers;    /* who is compared with; this node isn't */
    uint16_t equal;   /* of these: found equal since the last disagreement, and not unequal since */
    uint16_t differs; /* found unequal by the last answer */
    uint16_t wanted;  /* found unequal twice: to be pulled from */
    uint8_t needed;   /* others that must be equal: then it is agreed */
    bool agreed;
    bool first;       /* this node is the first of its readers */
    uint16_t same;    /* readers found equal since they were distrusted, since a disagreement, */
    uint64_t imports; /* and since so many imports */
    bool pulling;     /* by one pull at a time */
    bool gaining;
    uint8_t gained_from; /* the first bits are the old owners' */
};

/* A slot that this node compares with a peer. */
struct sync_shared {
    uint16_t slot;
    uint8_t bit;
    uint8_t tries;
    uint64_t due_ms;  /* when it may be asked next */
    uint64_t imports; /* of the slot, when it was asked about */
};

/* Names of heads that a node has missed: each once, in the order in which they were missed. */
struct hints {
    struct buffer queue; /* | size(varint) | name |... */
    size_t count;
    uint64_t *hashes; /* of those in the queue: linear probing, 0 is free */
    size_t room;      /* a power of two, or 0 */
};

struct sync_peer {
    uint64_t node;
    bool up;
    uint64_t durable; /* the last question at which it had synced all that it had written */
    struct sync_shared *shared; /* by slot */
    uint32_t shared_count, shared_room;
    uint64_t question;    /* under way; 0: none */
    uint64_t distrusted;  /* answers to questions up to this one make no slot the same */
    uint64_t question_ms; /* when it was asked */
    uint32_t *asked;      /* numbers in `shared` */
    uint32_t asked_count;
    uint64_t open_ms; /* when one of those not equal may be asked for; UINT64_MAX: all are */
    uint32_t bulk_part;
    uint64_t bulk_due_ms;
    struct hints hints;
    struct hint_batch *hint_batch; /* on its way */
    uint64_t hints_due_ms;
};

struct pull;
struct serve;
struct carry;
struct giving;
struct barrier;
struct collect;

struct sync {
    struct sync_options options;
    struct random random;
    const struct layout *layout; /* NULL: none yet */
    uint64_t layout_set_ms;
    uint64_t now_ms;
    int64_t ahead_ms;         /* of that: the node's time */
    uint64_t number;          /* of the last message that wants an answer */
    struct sync_peer **peers; /* by node */
    size_t peer_count, peer_room;
    struct sync_slot *slots;
    struct buffer loopback; /* to this node itself: | type(1) | size(4) | payload |... */
    struct buffer scratch;
    uint64_t tick_ms;

    struct list pulls, serves, carries, givings, barriers;
    size_t pull_count, serve_count, carry_count, giving_count, barrier_count;
    uint32_t pull_cursor, gain_cursor, give_cursor;
    struct slot_set owned;   /* slots of which this node is a writer */
    struct slot_set open;    /* slots not equal to some reader's; gaining ones: not through */
    struct slot_set wanted;  /* slots with `wanted` */
    struct slot_set gaining; /* slots that are */
    size_t differing;        /* slots with `differs` */
    bool pulls_due;          /* some may begin */
    bool carries_due;        /* some have ended */
    size_t hint_bytes;

    uint64_t scan_ms;       /* of foreign rows: when next; 0: there was none in this layout */
    uint64_t scan_changes;  /* store_slot_changes, then */
    uint64_t foreign;       /* rows, as of the last scan */
    uint64_t *give_at_ms;   /* of each slot: not before */
    uint64_t *given_digest; /* of a slot given to some of its owners, and to which, by their bits */
    uint16_t *given_to;

    size_t to_gain;
    uint64_t gain_gate;
    bool synced_due;    /* `synced` is to be told */
    bool strangers_due; /* some are to be forgotten */

    struct collect *collect;
    struct sync_stats stats;
};

/* ---- sync.c ---------------------------------------------------------------------------------- */

/* NULL: nothing is known of it. */
struct sync_peer *sync_peer(const struct sync *sync, uint64_t node);
bool sync_is_up(const struct sync *sync, uint64_t node);   /* itself, too */
bool sync_is_down(const struct sync *sync, uint64_t node); /* for long: not merely suspected */

/* The fields of the layout are filled in. To this node itself, too: heard at the end of the turn.
 */
bool sync_send(struct sync *sync, uint64_t node, unsigned type, struct sync_message message);

/* The bits of slot's owners, and the nodes behind them. */
unsigned sync_writers(const struct sync *sync, uint16_t slot, uint64_t out[LAYOUT_OWNERS_MAX]);
static inline bool sync_owns(const struct sync *sync, uint16_t slot)
{
    return sync->layout != NULL && slot_set_has(&sync->owned, slot);
}

/* ---- compare.c ------------------------------------------------------------------------------- */

void compare_set_layout(struct sync *sync);
void compare_node_up(struct sync *sync, struct sync_peer *peer);
void compare_node_down(struct sync *sync, struct sync_peer *peer);
void compare_tick(struct sync *sync);
/* After each change of what decides whether the slot is open. */
void compare_note(struct sync *sync, uint16_t slot);
void compare_reopen(struct sync *sync); /* slots that were equal may no longer be */
void compare_answer(struct sync *sync, uint64_t from, const struct sync_message *message);
void compare_heard(struct sync *sync, uint64_t from, const struct sync_message *message);
/* A pull from that owner has ended; it found nothing that this node lacks. */
void compare_pulled(struct sync *sync, uint16_t slot, uint64_t node, bool fruitless);
bool compare_is_quiet(const struct sync *sync);

/* ---- pull.c: from one peer what it has of one slot ------------------------------------------- */

struct pull_result {
    uint64_t node;
    uint16_t slot;
    bool to_gain;
    bool whole;    /* this node holds all that the other held when it was asked */
    uint64_t keys; /* that were pulled */
    uint64_t gate; /* of them all */
};

/* Whether it began. */
bool pull_begin(struct sync *sync, uint16_t slot, uint64_t node, bool to_gain);
void pull_heard(struct sync *sync, uint64_t from, unsigned type,
                const struct sync_message *message);
void pull_drop_node(struct sync *sync, uint64_t node); /* 0: all of them */
void pull_tick(struct sync *sync);                     /* begins some, ends those without answer */

/* ---- answer.c: what others ask for, and what they bring -------------------------------------- */

void serve_heard(struct sync *sync, uint64_t from, unsigned type,
                 const struct sync_message *message);
void serve_drop_node(struct sync *sync, uint64_t node); /* 0: all of them */
void serve_turn_end(struct sync *sync);

/* ---- carry.c: keys brought to one or several nodes ------------------------------------------- */

/* All of the targets have the heads as they are now or were when it began, durably; or not. */
typedef void carry_done(void *context, bool done);

/* Heads with their digests, as a body of SYNC_OFFER, copied. `done` is called later, never before
 * it returns. NULL: not now. */
struct carry *carry_begin(struct sync *sync, const uint64_t *targets, unsigned count,
                          struct bytes listed, carry_done *done, void *context);
void carry_cancel(struct carry *carry); /* without `done` */
void carry_heard(struct sync *sync, uint64_t from, unsigned type,
                 const struct sync_message *message);
void carry_drop_node(struct sync *sync, uint64_t node);
void carry_tick(struct sync *sync);

/* ---- hints.c --------------------------------------------------------------------------------- */

void hints_add(struct sync *sync, struct sync_peer *peer, struct bytes head);
void hints_deinit(struct sync *sync, struct sync_peer *peer);
void hints_drop_batches(struct sync *sync); /* what was on its way is missed again */
void hints_tick(struct sync *sync);
size_t hints_pending(const struct sync_peer *peer);

/* ---- give_away.c ----------------------------------------------------------------------------- */

void give_away_tick(struct sync *sync);
void give_away_drop(struct sync *sync); /* all that is under way */
bool give_away_is_giving(const struct sync *sync, uint16_t slot);
/* Rows of slots that this node does not own, by now: sync->foreign is as old as the last scan. */
uint64_t give_away_count(const struct sync *sync);

/* ---- moving.c -------------------------------------------------------------------------------- */

void moving_set_layout(struct sync *sync);
void moving_tick(struct sync *sync);
void moving_pulled(struct sync *sync, const struct pull_result *result);
/* That owner's answer, and its layout: the slot is equal, or differs now. */
void moving_compared(struct sync *sync, uint16_t slot, unsigned bit, uint64_t version);

/* ---- collect.c: as the coordinator of slots -------------------------------------------------- */

void collect_init(struct sync *sync);
void collect_free(struct sync *sync);
void collect_void(struct sync *sync);
void collect_heard(struct sync *sync, uint64_t from, unsigned type,
                   const struct sync_message *message);
void collect_tick(struct sync *sync);

/* ---- barrier.c: as a member ------------------------------------------------------------------ */

void barrier_heard(struct sync *sync, uint64_t from, const struct sync_message *message);
void barrier_drop_node(struct sync *sync, uint64_t node); /* 0: all of them */
void barrier_poll(struct sync *sync);
/* The slot's foreign rows must stay where they are for now. */
bool barrier_holds(const struct sync *sync, uint16_t slot);
/* Who takes part: the members, and whoever else of the cluster may hold rows. For each the
 * function; false once it has returned false. */
bool barrier_each_node(const struct sync *sync, bool (*each)(void *context, uint64_t node),
                       void *context);

#endif
