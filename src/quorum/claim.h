/* SPDX-License-Identifier: MIT */
/*
 * Claims: in strict mode (no stand-ins, R + W > N) a slot has one coordinator at a time, so that
 * what clients are told of one key is linearizable: `SET lock token NX` is a lock. As ballots are
 * in Paxos (Lamport 1998): a number, the term, that only grows; owners refuse older ones.
 *
 * A node claims a slot with its term before it runs the first command there. The claim is no
 * message of its own: it is in the VERIFY that a new coordinator sends anyway (rule 8), of any key
 * of the slot. Each owner that answers has granted it; with max(N - W + 1, N - R + 1, N / 2 + 1) of
 * them, itself among them, the claim is won. Each REPLICATE and VERIFY carries the term; an owner
 * that has granted the slot to another one since refuses it, and says by which term. Nobody is
 * asked more, or waits longer, while one node goes on coordinating.
 *
 * Why one at a time. A write was acknowledged by W owners, a claim granted by enough that one of
 * them is among these W. Had it acknowledged first, the claim has read the write there: the answer
 * to VERIFY was given after the grant. Had it granted first, it has not acknowledged. What a read
 * has shown R owners had, one of which has granted as well. And two claims have an owner in common,
 * so of two nodes that both believe to coordinate one gets nothing confirmed.
 *
 * Of its own writes a node has the rows before anybody has acknowledged them, and who loses a slot
 * has some under way. So that nobody misses them: who grants a claim says to whom it had granted
 * the slot before (claim_holders), and if that one is up it is asked, too, and waited for a while.
 * It grants, runs nothing more in the slot, and tells what it has of the keys that are asked for.
 *
 * What was refused or cut off stays behind in some copy, and may come back much later, merged as
 * ever; its client was told -UNKNOWN. So that it comes once, what a node may have run is never run
 * again elsewhere, also if it is blind (forward.h). And so that it is not shown in place of what
 * the next coordinators were granted, these have the later dates. Rows have no term, but dates
 * follow it: a term that has to be raised is raised to the milliseconds of a clock (the steady one,
 * as it was set at the start), and who wins a slot dates all its next events CLAIM_AHEAD_MS after
 * its term and after when it asked, and half of that after its wall clock. Whoever had the slot has
 * asked before, with a lower term, and dates by its clock otherwise; it runs nothing long after it
 * was cut off, as it confirms with another owner, or has its promise of LEASE_MS, before each
 * command, and begins anew when it has stood still. Dates are a node's, not a slot's, and one that
 * has seen what another one dated ahead is ahead as well: so what counts is when any slot was won
 * last, and where clocks are apart, the order holds if that was longer ago than they are apart.
 * Terms decide nothing else in the merge: what an owner had granted and lost with its last unsynced
 * second is still there, if W had it.
 *
 * The first reader's leases hold: who has promised one grants nothing to others before it is over
 * (VERIFY waits). So a death delays a slot's commands by LEASE_MS and a round trip.
 *
 * Grants are kept in memory. An owner that starts has forgotten what it has granted: it grants
 * nothing that is not above its wall clock at the start, and all terms come from such floors. So
 * clocks count where an owner restarts while the slot's coordinator changes: its own is not to be
 * behind that of an owner that had started before.
 */
#ifndef QUORUM_CLAIM_H
#define QUORUM_CLAIM_H

#include "base/bytes.h"
#include "quorum/quorum.h"

struct quorum;

enum {
    CLAIM_AHEAD_MS = 2000,
    CLAIM_STALL_MS = 250, /* who stood still for so long has lost what it had won */
};

enum { GRANT_OTHERS = 2 };

/* To whom an owner has granted a slot. All zero: to nobody since it started. */
struct grant {
    uint64_t term;
    uint64_t node;
    uint64_t since;                /* its first term since another one had the slot */
    uint64_t others[GRANT_OTHERS]; /* had it before, the last first, and `node` has sent no rows
                                      since; 0: nobody */
};

/* So many owners must grant a claim, with the claimant; 0: nobody claims. */
unsigned claim_needed(const struct quorum *quorum, unsigned owners);

/* ---- who claims ------------------------------------------------------------------------------ */

/* What it says it claims with; 0: it does not. */
uint64_t claim_term(const struct quorum *quorum);
/* Whether this node may coordinate the slot: nobody claims, or it has won, and has granted the slot
 * to nobody else since. */
bool claim_holds(const struct quorum *quorum, uint16_t slot);
/* This node is about to ask others of these keys: as an owner it grants itself their slots. */
void claim_begin(struct quorum *quorum, struct bytes heads);
/* Enough have granted these keys' slots, with the term of now; they were asked at `begun_ms`. */
void claim_won(struct quorum *quorum, struct bytes heads, uint64_t begun_ms);
/* Somebody has granted another one that term. */
void claim_lost(struct quorum *quorum, uint64_t term);
/* Nothing that was won counts any more: what this node asks is asked with a later term. */
void claims_begin_anew(struct quorum *quorum);

/* ---- who grants ------------------------------------------------------------------------------ */

/* Grants the keys' slots to the node, or refuses: then *out_slot is one that another one has. */
bool claim_grants(struct quorum *quorum, uint64_t node, uint64_t term, struct bytes heads,
                  uint16_t *out_slot);
/* Whether rows that the node sends may be acknowledged: then their slots are granted, too. */
bool claim_allows(struct quorum *quorum, uint64_t node, uint64_t term, struct bytes rows,
                  uint16_t *out_slot);
/* Who else may be coordinating one of these keys' slots, as far as this owner knows. How many. */
unsigned claim_holders(const struct quorum *quorum, uint64_t claimant, struct bytes heads,
                       uint64_t out_nodes[RING_COPIES_MAX]);
void claim_refuse(struct quorum *quorum, uint64_t to, unsigned type, uint64_t number,
                  uint16_t slot);

#endif
