/* SPDX-License-Identifier: MIT */
/*
 * Copies that come to agree in time. Four things, one mechanism: list what there is, send what the
 * other lacks.
 *
 *   anti-entropy   owners of a slot compare its digest all the time; where it differs they compare
 *                  lists of keys, and each pulls what it lacks
 *   hints          an owner that missed writes while it was away is sent them as soon as it is back
 *   moving         an owner to be pulls the slots that it gains from those who own them
 *   giving away    rows of slots that this node does not own (kept for an owner that was down, or
 *                  its own before slots moved) go to all owners, and when all have acknowledged
 *                  them leave this node
 *
 * and collection: tombstones and expired rows leave all owners together, by the proof of rule 4
 * (docs/architecture.md).
 *
 * Pure, on the store: messages, time and finished imports and exports in; messages out.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "bus/outbox.h"
#include "cluster/gossip.h"
#include "cluster/layout.h"
#include "store/store.h"

struct sync;

struct sync_options {
    uint64_t node;
    uint64_t random;
    struct store *store;
    const struct gossip *gossip;
    struct outbox outbox;
    unsigned read_quorum, write_quorum; /* as numbers; what counts as enough owners */
    /* For the barrier of collection: bus_sent_count and bus_settled_count. */
    uint64_t (*sent_count)(void *context, uint64_t node);
    uint64_t (*settled_count)(void *context, uint64_t node);
    /*
     * For the same barrier: what other modules of this node have under way that holds copies of
     * rows outside of the store (quorum/: writes that may still be sent to somebody). A mark of all
     * that has begun, and whether all that had begun at a mark has ended. NULL: there is nothing.
     */
    uint64_t (*work_begun)(void *context);
    bool (*work_ended)(void *context, uint64_t mark);
    /* This node has all that it gained in the layout of this version, durably: gossip is to say so.
     * Told at the end of a turn or in a tick. */
    void (*synced)(void *context, uint64_t version);
    /* A message came of another cluster or layout (agree_heard_version). One layout apart it was
     * taken all the same, else dropped. */
    void (*other_layout)(void *context, uint64_t node, uint64_t cluster, uint64_t version);
    void *context;
};

struct sync *sync_new(const struct sync_options *options);
void sync_free(struct sync *sync);

/* Also at the start, before anything else. Borrowed until the next call. */
void sync_set_layout(struct sync *sync, const struct layout *layout, uint64_t now_ms);

/* R and W have changed (CONFIG SET): what was found equal with enough owners is found anew. */
void sync_set_numbers(struct sync *sync, unsigned read_quorum, unsigned write_quorum,
                      uint64_t now_ms);

/* How far the time that the node goes by is ahead of `now_ms`: what has expired is told by it. */
void sync_set_time(struct sync *sync, int64_t ahead_ms);

/* That owner has not confirmed rows of these heads (export.h): it is sent them when it is up. Kept
 * in memory, in bounds; beyond them, and after a restart, anti-entropy finds out. */
void sync_missed(struct sync *sync, uint64_t node, uint16_t slot, struct bytes heads);

/* Whether this node's copy of the slot has been found equal to those of so many other owners that
 * together they hold every acknowledged write, since sync_disagree: at the start no slot has. */
bool sync_is_agreed(const struct sync *sync, uint16_t slot);
void sync_disagree(struct sync *sync, uint16_t slot);

/*
 * For leases (quorum/lease.h): which readers this node's copy of the slot was found equal with, by
 * a question that was asked after the last sync_distrust of that reader and sync_disagree of the
 * slot, and after rows of it last came from elsewhere. Bits, in the order of placement_writers.
 */
uint16_t sync_same_readers(const struct sync *sync, uint16_t slot);
/* That node may have acknowledged what this one has never seen. */
void sync_distrust(struct sync *sync, uint64_t node);

/* A message of the family MESSAGES_SYNC. STATUS_CORRUPT: it is none. */
MUST_CHECK enum status sync_receive(struct sync *sync, uint64_t from, unsigned type,
                                    struct bytes payload, uint64_t now_ms);

/* A node can be reached again, or no longer. */
void sync_node_up(struct sync *sync, uint64_t node, uint64_t now_ms);
void sync_node_down(struct sync *sync, uint64_t node, uint64_t now_ms);

/* After store_turn_end: acknowledges what has become durable. */
void sync_turn_end(struct sync *sync, uint64_t now_ms);
void sync_tick(struct sync *sync, uint64_t now_ms);
uint64_t sync_deadline_ms(const struct sync *sync);

/*
 * For WAITAOF: asks all other members to sync what they have written by the time that they hear it;
 * what they had acknowledged before is then synced. The number of the question; how many of them
 * have not said so, of this question or a later one; whether one has.
 */
uint64_t sync_ask_durable(struct sync *sync);
unsigned sync_durable_missing(const struct sync *sync, uint64_t question);
bool sync_is_durable(const struct sync *sync, uint64_t node, uint64_t question);

struct sync_stats {
    uint64_t rounds;         /* of comparing digests with all peers */
    uint64_t slots_differed; /* in all, and now: */
    uint64_t slots_unequal;
    uint64_t keys_pulled, keys_sent;
    uint64_t hints_pending; /* keys that some owner has missed, as far as known */
    uint64_t foreign;       /* rows of slots that this node does not own, now */
    uint64_t slots_to_gain; /* still, in the change under way */
    uint64_t collected;     /* tombstones and expired rows */
    uint64_t collect_steps; /* of rounds of collection that this node has begun */
    uint64_t collectable;   /* that wait */
};
void sync_stats(const struct sync *sync, struct sync_stats *out);

/* Nothing is left to do, as far as this node can see: for tests. */
bool sync_is_quiet(const struct sync *sync);

#endif
