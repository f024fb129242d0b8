/* SPDX-License-Identifier: MIT */
/* The store's insides, for the files of this folder only. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/arena.h"
#include "base/random.h"
#include "row/clock.h"
#include "row/row.h"
#include "store/export.h"
#include "store/facts.h"
#include "store/generation.h"
#include "store/identity.h"
#include "store/store.h"
#include "store/table.h"
#include "store/txn.h"

enum {
    EXPIRED_SEEN_MAX = 256, /* in one command; others are found as all are */
    ORPHANS_MAX = 64,       /* long strings whose head has not come yet */
};

/* See store/orphans.h. */
struct orphan {
    struct buffer head;
    struct dot base;
    uint32_t chunks; /* those that have come have indexes below this */
};

enum seal_state {
    SEAL_IDLE,
    SEAL_RUNNING, /* a job is under way */
    SEAL_FAILED,  /* to be tried again at seal.retry_ms */
};

struct store {
    struct store_options options;
    struct identity identity;
    struct log *log;
    struct clock clock;
    struct table table;
    struct facts facts;
    struct random random;
    struct arena scratch; /* of one call */
    enum status failure;  /* final */

    uint64_t cluster_ms; /* store_set_cluster_time */
    uint64_t now_ms; /* of the last transaction, and its seconds, in the bits of entry.access: */
    uint32_t now_s;
    struct {
        bool on; /* the policy is LFU */
        unsigned log_factor, decay_minutes;
    } lfu;

    uint32_t flushes; /* so far: what stands in an entry tells which flushes it outlived */
    struct generation current;
    struct generation sealing; /* meaningful unless SEAL_IDLE */
    struct {
        enum seal_state state;
        enum status failure; /* of the last try */
        uint64_t retry_ms;
        uint64_t begun_ms; /* the one under way */
        bool wanted;       /* one is to begin, however little there is, at the end of a turn */
        struct seal_job *job;
    } seal;
    uint64_t tier_version; /* of what the core knows of the tier: grows with each seal that ended */
    struct entry *
        *detached; /* out of the table, still on the list of the generation being sealed */
    size_t detached_count, detached_room;
    struct entry **
        garbage; /* detached and collected ones of a generation that was sealed: freed bit by bit */
    size_t garbage_count, garbage_room;

    uint64_t doomed_bytes; /* of collected and detached entries: free when their seal has ended */
    uint64_t turn_rows;    /* committed in this turn */

    struct list cache; /* clean entries: SIEVE's queue, the newest at the end */
    struct list
        *hand; /* of SIEVE: the next to look at; the queue's head when it is to start anew */

    uint64_t tick_ms; /* of the last tick */
    bool active_expiry;
    bool paused;
    bool delays_wanted;
    struct store_delays delays;
    struct expiry_job *expiry; /* the search of the tier's index */
    struct {
        uint64_t places[EXPIRED_SEEN_MAX]; /* slot << 48 | hash */
        unsigned count;
    } seen; /* expired keys that commands have come upon */
    struct {
        unsigned slot;    /* the purge of flushed rows goes on here, */
        uint64_t hash;    /* at the bucket of this hash */
        unsigned pending; /* (slot, db)s with something to purge */
    } purge;
    struct store_evictor evictor;
    bool evict_nothing_left; /* the policy found no key to evict: writes are refused */

    struct store_stats stats; /* the counters of it */

    struct {
        struct list waiting;  /* for room, or for rows from the tier */
        struct import *spare; /* kept for the next one */
        uint64_t bytes;       /* that those that wait hold */
    } imports;
    struct {
        struct orphan items[ORPHANS_MAX]; /* the oldest first */
        unsigned count;
    } orphans;
    struct list exports;      /* that wait for rows from the tier */
    uint64_t copies_begun;    /* imports and exports that had to wait, so far */
    uint64_t expired_waiting; /* joined: what the last search of the index has found */
};

/* NULL: nothing counts as stable, there are other copies. */
static inline const struct vector *store_stable(const struct store *store)
{
    return store->identity.joined ? NULL : &store->identity.former;
}

/* What can leave memory as soon as it is sealed: no key need be evicted for its sake. */
static inline uint64_t store_leaving_bytes(const struct store *store)
{
    uint64_t sealing = store->seal.state != SEAL_IDLE ? store->sealing.dead_bytes : 0;
    return store->doomed_bytes + store->current.dead_bytes + sealing;
}

/* Whether an eviction policy has work. */
static inline bool store_is_over(const struct store *store)
{
    return store->table.bytes > store->options.rows_bytes + store_leaving_bytes(store);
}

/* An entry that the generation being sealed owns: nothing that the seal reads may change. */
static inline bool store_is_frozen(const struct store *store, const struct entry *entry)
{
    return store->seal.state != SEAL_IDLE && entry->generation == store->sealing.number;
}

static inline bool store_is_dirty(const struct store *store, const struct entry *entry)
{
    return entry->generation == store->current.number;
}

#endif
