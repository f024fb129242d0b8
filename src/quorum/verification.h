/* SPDX-License-Identifier: MIT */
/*
 * Whether owners agree on keys. Keys of the same owners make a round, and a round goes:
 *
 *   ASKING     digests of enough owners, and this node's as of when they were asked
 *   LOOKING    where they differ: this node's again, rows may have arrived meanwhile
 *   FETCHING   the rows of keys that differ still, from those who differ; merged here
 *   CHECKING   this node's digests once more: who differs from these lacks something
 *   REPAIRING  and is sent the rows
 *
 * An owner that is lost on the way is replaced by another: back to ASKING. Private to the folder.
 */
#ifndef QUORUM_VERIFICATION_H
#define QUORUM_VERIFICATION_H

#include "quorum/quorum_state.h"

enum round_stage { ROUND_ASKING, ROUND_LOOKING, ROUND_FETCHING, ROUND_CHECKING, ROUND_REPAIRING };

enum asked_state { ASKED_NOT_YET, ASKED, ASKED_ANSWERED, ASKED_LOST };

/* Another owner. */
struct asked {
    struct round *round;
    uint64_t node;
    enum asked_state state;
    bool is_reader, gains; /* it is read from now, or will be: struct round */
    bool is_slow;          /* another was asked as well */
    bool is_awaited; /* it may be coordinating: if it was asked, its answer is needed (claim.h) */
    uint64_t sent_ms;
    uint64_t *digests; /* of each key, then whether it differs: NULL before it has answered */
    struct mend *mend; /* rows on their way from it, or to it; NULL: none */
};

/*
 * In strict mode what a read shows is with so many of those that gain the slot, too, that whoever
 * reads from them next (READING_NEW) finds it: writes bring it to W of them (layout.h), but not
 * what a write left behind that was told -UNKNOWN, and that is then found at old owners.
 */
struct round {
    struct round *chain; /* by number */
    struct list link;    /* in the verification's */
    struct verification *verification;
    uint64_t number;
    enum round_stage stage;
    struct bytes heads; /* the caller's, or in `own_heads` */
    struct buffer own_heads;
    size_t count;
    uint64_t *own; /* digests; NULL: not known yet */
    struct export *look;
    const struct owners_group *group;
    unsigned needed;     /* others that are read from, */
    unsigned needed_new; /* and that gain the slot */
    bool is_owner;       /* this node: it counts too */
    bool is_claim;       /* so many grant what it claims (claim.h), */
    bool is_new_claim;   /* and this node does not have all of it yet */
    bool is_busy;        /* rows are being asked for, one owner after the other */
    bool has_gap;        /* rows did not come: another may have the same */
    unsigned asked_count;
    struct asked asked[2 * RING_COPIES_MAX];
};

struct verification {
    struct list link;
    struct quorum *quorum;
    struct quorum_verify *verify;
    struct list rounds;
    uint64_t deadline_ms; /* later with each page of rows that is through */
    enum status status;   /* when it has ended */
    uint64_t claims;      /* the count, when it began, */
    uint64_t begun_ms;    /* at this time */
};

/* Whether what the one that was asked has told of this key differs from what is held here. */
static inline bool *asked_differs(const struct asked *asked)
{
    return (bool *)(void *)(asked->digests + asked->round->count);
}

/* The next thing that is to be done, and can be. The round may be gone afterwards. */
void round_step(struct round *round);
void round_end(struct round *round, enum status status);
/* It is no longer reckoned with. */
void asked_lose(struct asked *asked);

/* ---- repair.c -------------------------------------------------------------------------------- */

/* Fetches from each what differs. False: there is nothing to fetch. */
bool round_fetch(struct round *round);
/* Sends to each what it lacks. False: there is nothing to send. */
bool round_repair(struct round *round);
/* Whether rows are on their way. */
bool round_mends(const struct round *round);
void mend_rows(struct asked *asked, const struct quorum_key_rows_are *are);
bool mend_is_fetch(const struct asked *asked);
void mend_free(struct asked *asked);

#endif
