/* SPDX-License-Identifier: MIT */
/*
 * One read or write over N copies: where a command is to run, what must agree before it runs, who
 * must have its rows before its reply goes out.
 *
 * The coordinator of a slot is the first of its owners that is up (Dynamo: DeCandia et al. 2007).
 * It runs the command on its own store; rows, never commands, go to the other owners. An owner that
 * is down, or slow, is replaced by the next node of the ring (sloppy quorum), which keeps the rows
 * and gives them to the owners later: rows of a slot that a node does not own are its hints, so a
 * hint is as durable as any row and never expires (sync/).
 *
 * Pure, on the store: messages, time and finished imports in; messages and calls of `done` out.
 */
#ifndef QUORUM_QUORUM_H
#define QUORUM_QUORUM_H

#include "base/list.h"
#include "bus/outbox.h"
#include "cluster/gossip.h"
#include "cluster/layout.h"
#include "store/store.h"
#include "store/txn.h"

struct quorum;

enum {
    QUORUM_ALL = 255,         /* a level: all owners */
    QUORUM_MAJORITY = 254,    /* more than half of N */
    QUORUM_SPECULATE_MS = 20, /* at least, before another node is asked in a slow one's place */
    QUORUM_KEYS_MAX = 1024,   /* of one verification */
    QUORUM_REQUESTS_KEPT_MS = 60000,
    QUORUM_RUNS_KEPT_MS = 3600 * 1000, /* what a run has made that may have been overtaken */
    QUORUM_REPLY_KEPT_MAX = 4096,      /* bytes of a reply that is kept for a retry */
    QUORUM_KEPT_MS = 2000, /* so long an owner may take to answer before it has missed it */
    QUORUM_RETRY_MS = 100, /* before an owner that was lost is sent to again */
    QUORUM_MESSAGE_BYTES = 1024 * 1024, /* a message is full with so many, and goes out alone */
    QUORUM_MESSAGE_MS = 50,     /* that each further message of a long write may take more */
    QUORUM_MESSAGES_AHEAD = 32, /* of one long write, not yet acknowledged by a node */
    QUORUM_KEPT_BYTES = 256 * 1024 * 1024,      /* of writes that an owner has not answered */
    QUORUM_IMPORTING_BYTES = 256 * 1024 * 1024, /* of rows that wait to be stored, of others */
    QUORUM_SERVING_MAX = 16384,                 /* questions of others that wait for the disk */
    QUORUM_OUTCOMES_BYTES = 64 * 1024 * 1024,   /* of requests that are remembered */
};

struct quorum_options {
    uint64_t node;
    uint64_t random;
    struct store *store;
    const struct gossip *gossip;
    struct outbox outbox;
    unsigned read_quorum, write_quorum; /* R, W: 1.. or a level above */
    bool sloppy;
    uint64_t floor;      /* wall time in ms at the start: claim.h */
    uint64_t timeout_ms; /* for a quorum; of what is long, without any progress */
    /* An owner has not confirmed these rows, and is not known to have them: to be told again later
     * (sync_missed). `heads` as in export.h. */
    void (*missed)(void *context, uint64_t node, uint16_t slot, struct bytes heads);
    /* Whether this node's copy of the slot has been compared with enough others since it may have
     * missed something (sync_is_agreed). */
    bool (*is_agreed)(void *context, uint16_t slot);
    /* With which readers it was found the same (sync_same_readers). NULL: with none, ever; then no
     * lease is of use. And: that node's copies are to be compared anew (sync_distrust). */
    uint16_t (*same_readers)(void *context, uint16_t slot);
    void (*distrust)(void *context, uint64_t node);
    /* Another node has coordinated writes of this slot, or one of this node's has not reached W:
     * sync_disagree. */
    void (*other_coordinator)(void *context, uint16_t slot);
    /* A message came from a node that has another layout than this one: agree_heard_version. */
    void (*other_layout)(void *context, uint64_t node, uint64_t cluster, uint64_t version);
    void *context;
};

struct quorum *quorum_new(const struct quorum_options *options);
void quorum_free(struct quorum *quorum); /* nobody waits any more */

/* Also at the start, before anything else. Borrowed until the next call. */
void quorum_set_layout(struct quorum *quorum, const struct layout *layout, uint64_t now_ms);
/* CONFIG SET of the three. */
void quorum_set_numbers(struct quorum *quorum, unsigned read_quorum, unsigned write_quorum,
                        bool sloppy);

/* ---- where to run ---------------------------------------------------------------------------- */

enum quorum_route {
    QUORUM_HERE,
    QUORUM_THERE,   /* at *out_node */
    QUORUM_NOWHERE, /* no owner is up */
};
enum quorum_route quorum_route(const struct quorum *quorum, uint16_t slot, uint64_t *out_node);

/* Whether what is written to both has the same owners: who has heard of a part has heard of all. */
bool quorum_same_owners(struct quorum *quorum, uint16_t a, uint16_t b);

/* Whether this node may coordinate it at all: it is an owner. */
bool quorum_may_coordinate(const struct quorum *quorum, uint16_t slot);

/* Whether one node at a time coordinates a slot (claim.h), as in strict mode. And a count, not 0,
 * that grows whenever this node may have lost a slot: what was asked for a command before that does
 * not hold for it. */
bool quorum_is_exclusive(const struct quorum *quorum);
uint64_t quorum_claims(const struct quorum *quorum);
/* This process has stood still so long until now. */
void quorum_stood_still(struct quorum *quorum, uint64_t gone_ms, uint64_t now_ms);

/* What a client chose (CONSISTENCY); 0: as configured. */
struct consistency {
    uint8_t read, write;
};

/* ---- before a command runs ------------------------------------------------------------------- */

/*
 * How many other owners must agree with this node about a key before a command that reads it runs:
 * R - 1; for a command that writes as many as rule 8 asks for, where this node may have missed
 * something. 0: it may run at once, as it may where leases stand for the answers (lease.h): for
 * these the clock was looked at after the command had come in.
 */
unsigned quorum_others_to_ask(struct quorum *quorum, uint16_t slot, struct consistency consistency,
                              bool writes, uint64_t now_ms);

/* Keys that must agree. Embedded in the caller's; stays until `done`. */
struct quorum_verify {
    struct bytes heads; /* names, each | size(varint) | name |; at most QUORUM_KEYS_MAX; the
                           caller's own */
    size_t count;
    struct consistency consistency;
    bool writes;
    /* STATUS_OK: this node holds, of each key, all that enough owners held when it was asked, and
     * they do too. STATUS_ABSENT: too few owners answered in time; STATUS_IO... : of the own
     * store. Not called from within quorum_verify. */
    void (*done)(struct quorum_verify *verify, enum status status);
    void *context;
    uint64_t claims;          /* quorum_claims, of when others were asked */
    unsigned reached, needed; /* owners, this node among them: for the error's text */
    struct list link;         /* quorum's, as is the next */
    void *state;
};
void quorum_verify(struct quorum *quorum, struct quorum_verify *verify, uint64_t now_ms);
void quorum_verify_cancel(struct quorum *quorum, struct quorum_verify *verify);

/* ---- after it has committed ------------------------------------------------------------------ */

/* The request that made a write: for whoever has to find out what became of it. 0, 0: none. */
struct request_id {
    uint64_t origin; /* the node that has the client */
    uint64_t number; /* of that node's, never again */
};

/* Owners besides this node. */
struct quorum_owners {
    bool any; /* nothing was written that one could lack */
    unsigned count;
    uint64_t nodes[RING_COPIES_MAX];
};

/* What somebody writes here, as far as owners are concerned (WAIT). Embedded in the caller's. */
struct quorum_mark {
    struct list parts;           /* of it that owners may still confirm */
    unsigned least;              /* owners that have one of the others, */
    struct quorum_owners owners; /* and those that have all of these */
};
enum { QUORUM_MARK_ALL = 0x7fffffff }; /* of a mark that nothing was written with */
void quorum_mark_init(struct quorum_mark *mark);
void quorum_mark_deinit(struct quorum_mark *mark);

/*
 * How many owners, besides this node, have all writes of the mark, each as durable as it
 * acknowledges; of owners that differ from write to write the fewest. Who has missed a write
 * counts no more: *out_most is what the count may come to at most.
 */
unsigned quorum_mark_count(const struct quorum *quorum, const struct quorum_mark *mark,
                           unsigned *out_most);
/* The owners that have all writes of the mark: of writes to several slots those that own all. */
struct quorum_owners quorum_mark_owners(const struct quorum *quorum,
                                        const struct quorum_mark *mark);
/* How many owners a slot has besides one. */
unsigned quorum_other_owners(const struct quorum *quorum);

/* A write that must be acknowledged. Embedded in the caller's; stays until `done`. */
struct quorum_write {
    struct consistency consistency;
    struct request_id id;
    bool is_blind;            /* the request may run a second time: quorum_made */
    struct quorum_mark *mark; /* that it counts for; NULL: none. Until quorum_mark_deinit */
    struct bytes reply; /* kept with the id by the owners, if it is not too large; borrowed during
                           quorum_write only */
    /* STATUS_OK: W owners or hint holders of each slot have it. STATUS_ABSENT: too few in time; it
     * may still appear. Not called from within quorum_write. */
    void (*done)(struct quorum_write *write, enum status status);
    void *context;
    unsigned reached, needed; /* of the slot that had the fewest */
    struct list link;         /* quorum's, as is the next */
    void *state;
};

/* The rows that this transaction has just committed (txn->staged; txn->gate) go out at the end of
 * the turn, with all others of the turn for the same owners. */
void quorum_write(struct quorum *quorum, const struct txn *txn, struct quorum_write *write,
                  uint64_t now_ms);
/*
 * In strict mode, of a command that has run and written nothing: rows of the slots of its keys that
 * are not with W owners yet may be in its reply. Whether there are any; and `done` as above, when W
 * have what this node has written to them last.
 */
bool quorum_is_unsettled(const struct quorum *quorum, uint16_t slot);
void quorum_settle(struct quorum *quorum, const uint16_t *slots, size_t count,
                   struct quorum_write *write);
/* Nobody waits for it any more; the write goes on. */
void quorum_write_forget(struct quorum *quorum, struct quorum_write *write);

/* ---- what became of a request ---------------------------------------------------------------- */

/*
 * For a request whose coordinator is gone: asks the owners of the slot (rule 9). Of a request that
 * wrote to several slots this tells of the one asked for only.
 */
struct quorum_outcome {
    struct request_id id;
    uint16_t slot;
    uint64_t dead; /* who had it, if that process has ended: it need not say that it does not know
                      it; else 0 */
    /* STATUS_OK: it was run; `reply` is what it came to (empty: it was too large to be kept), its
     * rows are with W owners now.
     * STATUS_ABSENT: none of enough owners knows it. STATUS_INVALID: nobody can tell. */
    void (*done)(struct quorum_outcome *outcome, enum status status, struct bytes reply);
    void *context;
    struct list link; /* quorum's, as is the next */
    void *state;
};
void quorum_ask_outcome(struct quorum *quorum, struct quorum_outcome *outcome, uint64_t now_ms);
void quorum_outcome_cancel(struct quorum *quorum, struct quorum_outcome *outcome);

/*
 * A blind write may run a second time elsewhere, when nobody knows of its first run, which may be
 * in the log of a node that is cut off. Later writes have seen the second run only; the first would
 * stand beside them for ever. So it is covered, where the second is: a row that has seen the second
 * run is made to have seen the first one too.
 *
 * What a request that ran here has made: for each of its keys a row that is nothing but that it has
 * seen this run's event. Nothing: it did not run here, could not run twice, or is forgotten.
 */
void quorum_made(struct quorum *quorum, struct request_id id, struct buffer *rows, uint64_t now_ms);
/*
 * It may be a while until the other node can be asked: what this node has made of the request is
 * kept for QUORUM_RUNS_KEPT_MS, as is that of a run which has not reached W.
 */
void quorum_keep_made(struct quorum *quorum, struct request_id id, uint64_t now_ms);
/*
 * It has run here too; `rows` are what it has made at that other node, as quorum_made gives them.
 * They are merged with those rows that have seen this node's run, and owners are sent them. What
 * has not seen it stays as it is: so no copy ever loses the one without having the other, or what
 * has followed it. STATUS_CORRUPT: they are no such rows.
 */
MUST_CHECK enum status quorum_cover(struct quorum *quorum, struct request_id id, uint64_t node,
                                    struct bytes rows, uint64_t now_ms);

/* ---- events ---------------------------------------------------------------------------------- */

/* A message of the family MESSAGES_QUORUM. STATUS_CORRUPT: it is none. */
MUST_CHECK enum status quorum_receive(struct quorum *quorum, uint64_t from, unsigned type,
                                      struct bytes payload, uint64_t now_ms);

/* A link to that node is gone, or a node's life has changed: what was sent to it is tried
 * elsewhere at once. */
void quorum_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms);

/* Its process has ended: it counts on nothing any more that it was promised (lease.h). */
void quorum_node_ended(struct quorum *quorum, uint64_t node, uint64_t now_ms);

/* Rows of that node have come and are not yet in the store: nothing is known of their requests. */
bool quorum_is_storing(const struct quorum *quorum, uint64_t node);

/* The end of a turn, after store_turn_end and before outputs are gathered: batches go out,
 * positions of the log that have become durable are acknowledged, `done`s are called. */
void quorum_turn_end(struct quorum *quorum, uint64_t now_ms);

void quorum_tick(struct quorum *quorum, uint64_t now_ms);
uint64_t quorum_deadline_ms(const struct quorum *quorum);

/*
 * For the barriers of collection (sync.h): a mark of all that has begun and holds copies of rows
 * outside of the store, or is about to get some, and may still send or import them: writes and
 * repairs that somebody has not acknowledged, rows fetched for a read or an outcome. Whether all
 * that had begun at a mark has ended.
 */
uint64_t quorum_work_begun(const struct quorum *quorum);
bool quorum_work_ended(const struct quorum *quorum, uint64_t mark);

/* Until then this node has promised leases in the layouts that it had: before that it is not to say
 * that it has another one. */
uint64_t quorum_leases_end_ms(const struct quorum *quorum);

struct quorum_stats {
    uint64_t writes, writes_failed, reads_verified, reads_failed;
    uint64_t reads_local;          /* keys of commands for which a lease stood */
    uint64_t leases, leases_given; /* promises got and given */
    uint64_t withheld;             /* what had to wait for a promise to end */
    uint64_t differences, repairs; /* keys that differed, and were repaired, on reading */
    uint64_t hinted, speculated;   /* writes given to a node that stands in */
    uint64_t batches_out, batches_in, rows_out, rows_in;
    uint64_t refused_layout; /* messages of another layout */
    uint64_t refused_terms;  /* messages of one who coordinates no longer */
    uint64_t pending;        /* now */
};
void quorum_stats(const struct quorum *quorum, struct quorum_stats *out);

#endif
