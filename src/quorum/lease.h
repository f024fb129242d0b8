/* SPDX-License-Identifier: MIT */
/*
 * Leases: promises by which the coordinator of a slot may read without asking (Gray and Cheriton
 * 1989). An owner G promises a node H, for LEASE_MS: of the slots of which H is the first reader, G
 * confirms nothing to anybody else. To confirm is whatever makes a write or a read count: the
 * acknowledgement of rows, G's own copy of a write or a read that G itself coordinates, the answer
 * to VERIFY and to OUTCOME. What is asked meanwhile waits until the promise has run out (it is
 * never refused), and H gets no other promise of G for LEASE_REST_MS: a wrong H stops nobody for
 * longer than LEASE_MS.
 *
 * One promise is for a pair of nodes and a layout that is STABLE; both have the same. H asks while
 * it reads (LEASE), at most every LEASE_RENEW_MS, those who have answered VERIFY well within the
 * time of a promise; G answers (LEASED), if H is up as far as G knows.
 *
 * A command of H that reads a slot runs at once, R - 1 others need not be asked, if
 *  1. H is the slot's first reader;
 *  2. no write of the slot that H has coordinated is short of W owners. One that ended short of
 *     them makes the slot disagreed with, until copies have been compared;
 *  3. R - 1 of its other readers have promised, the promise holds, and the slot was found the same
 *     with each (sync_same_readers) after the promise before which G had confirmed anything to
 *     others for the last time. LEASED has the count of G's confirmations to others, of the slots
 *     of which H is the first; where the count has grown the owner is distrusted: its slots are to
 *     be compared again. So a gap between two promises does no harm by itself.
 *
 * Why that is right (rule 15, R+W > N). Say C has coordinated a write, not H, and it was
 * acknowledged before the command came. W owners have confirmed it, one of them is H or a G of
 * these R - 1. H: then its copy has it. G: it did so before its promise began, and it is counted,
 * so H was told of it by then, and has found its copy the same as that of G, which had the rows
 * before it confirmed, by a question that was asked after that. So H has it. What another
 * coordinator C shows by a read was confirmed by R, one of whom is H or G: the same. And what H
 * shows stays: rows that came from elsewhere were the same at R, its own are at W.
 * Where stand-ins acknowledge (sloppy) a read may miss what only they have, as without leases.
 *
 * Time. Each counts by its own steady clock, that goes on while the process stands still. H counts
 * LEASE_HELD_MS from before it asked, G LEASE_MS from after it heard that: the fifth that lies
 * between is for clocks that run unequally and for rounding. H looks at the clock after the
 * command's bytes were read: a process that stood still finds its promise to be over.
 * H gives up what it holds of G as soon as it closes a link with G, or G seems to be down. So where
 * H has closed both, by itself or by its end (bus.h, `ended`), G's promise is over at once.
 * An owner that starts does not know what it has promised: for LEASE_MS it confirms as if it had
 * promised all. A layout that changes ends H's promises; those that G gave go on, and only when
 * they are over G says that it has the next layout (quorum_leases_end_ms): before that nobody gets
 * a step further, to where other nodes would be written to or another one is the first.
 */
#ifndef QUORUM_LEASE_H
#define QUORUM_LEASE_H

#include "base/bytes.h"
#include "cluster/layout.h"

enum {
    LEASE_MS = 50,        /* that an owner promises: a death delays others by that at most */
    LEASE_HELD_MS = 40,   /* that its holder counts on */
    LEASE_RENEW_MS = 15,  /* between two requests */
    LEASE_RETRY_MS = 100, /* where no answer came, or none in time */
    LEASE_REST_MS = 1000,
    LEASE_WAITING_BYTES = 16 * 1024 * 1024, /* of questions that wait; more are dropped */
};

struct quorum;
struct quorum_ask;
struct quorum_leased;
struct peer;

/* Between this node and another. */
struct lease {
    /* Its promise to this node. */
    uint64_t number, asked_ms; /* of the request that was sent last */
    bool is_asked;             /* it is not answered yet */
    uint64_t ask_ms;           /* the next one: not before */
    uint64_t held_ms;          /* this node counts on it until then */
    uint64_t confirmed;        /* its count, as told with the promise */
    bool is_known;             /* `confirmed` is */
    bool is_wanted;            /* by a read of this turn */
    /* This node's promise to it. */
    uint64_t promised_ms;   /* until then */
    uint64_t rest_ms;       /* no other before */
    uint64_t confirmations; /* to others, since this process began */
};

/* To whom something may not be confirmed past: first readers, other than the one who coordinates,
 * of the slots that it is about. */
struct lease_firsts {
    uint8_t count; /* more than there is room for: anybody's */
    uint64_t nodes[RING_COPIES_MAX];
};

/* ---- who counts on it ------------------------------------------------------------------------ */

/* Whether this node may read the slot alone, as if `others` had answered. Where a promise is to be
 * asked for, it is, at the end of the turn. */
bool lease_covers(struct quorum *quorum, uint16_t slot, const struct placement *placement,
                  unsigned others, uint64_t now_ms);
void leases_ask(struct quorum *quorum, uint64_t now_ms);
void lease_heard(struct quorum *quorum, struct peer *peer, const struct quorum_leased *leased);

/* Rows of a slot that this node coordinates are short of W owners, and are no longer. */
void lease_unsettled(struct quorum *quorum, uint16_t slot);
void lease_settled(struct quorum *quorum, uint16_t slot);

/* ---- who promises ---------------------------------------------------------------------------- */

MUST_CHECK enum status lease_asked(struct quorum *quorum, uint64_t from,
                                   const struct quorum_ask *ask, uint64_t now_ms);

/* Adds the slot's first reader, if that is another than `coordinator`, and this node is a reader
 * too. */
void lease_add_first(struct quorum *quorum, struct lease_firsts *firsts, uint16_t slot,
                     uint64_t coordinator);
void lease_add_firsts_of(struct quorum *quorum, struct lease_firsts *firsts, struct bytes heads,
                         uint64_t coordinator);
/* Before something is confirmed: whether it has to wait. Then quorum_tick is called in time. */
bool lease_forbids(struct quorum *quorum, const struct lease_firsts *firsts);
uint64_t lease_until_ms(const struct quorum *quorum, const struct lease_firsts *firsts);
/* It is confirmed now. */
void lease_count(struct quorum *quorum, const struct lease_firsts *firsts);

/* A question that asks to confirm something: whether it has to wait. Then it is kept, and comes
 * again (quorum_receive); else it is counted. */
bool lease_holds_back(struct quorum *quorum, const struct lease_firsts *firsts, uint64_t from,
                      unsigned type, struct bytes payload);
/* Those that have waited come again. */
void leases_release(struct quorum *quorum, uint64_t now_ms);

/* ---- life ------------------------------------------------------------------------------------ */

/* There is a layout, perhaps the first. */
void leases_set_layout(struct quorum *quorum, bool is_first, uint64_t now_ms);
/* What that node has promised counts no more; what it was promised does not, for it has ended. */
void leases_node_down(struct quorum *quorum, uint64_t node);
void leases_node_ended(struct quorum *quorum, uint64_t node);
void leases_deinit(struct quorum *quorum);

#endif
