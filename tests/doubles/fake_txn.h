/* SPDX-License-Identifier: MIT */
/*
 * A double of the store: txn_* and the counts of store.h over one sorted array. It can be cold:
 * then each row and each page of a scan is first missed and must be fetched, as if it stood on a
 * disk. It checks what handlers owe to a transaction: a row is looked at before it is staged, a
 * staged row is canonical and fits.
 */
#ifndef DOUBLES_FAKE_TXN_H
#define DOUBLES_FAKE_TXN_H

#include "row/clock.h"
#include "row/slot.h"
#include "store/txn.h"

enum { FAKE_DATABASES = 4 };

struct fake_row {
    struct bytes name; /* both owned */
    struct bytes row;
    uint64_t accessed_ms; /* what was looked at, without txn.no_touch */
    unsigned frequency;
};

/* One row touched by the transaction under way. */
struct fake_touch {
    struct fake_touch *next; /* in the order of touching */
    struct bytes name;
    struct bytes held;
    struct bytes staged; /* size 0: no change */
    bool sets_access;    /* txn_set_access was called, with these */
    int64_t idle_s;
    int frequency;
};

struct store {
    struct fake_touch *touched; /* in the transaction's arena */
    struct fake_touch **touched_end;
    struct fake_row *rows; /* sorted by name */
    size_t count, room;
    uint32_t keys[FAKE_DATABASES][SLOT_COUNT];
    struct clock clock;
    actor_t actor;
    struct dot stable_dots[1];
    struct vector stable;

    bool cold;           /* what was not fetched in this transaction is missed */
    struct bytes *known; /* names and pages that were fetched or are missed; owned */
    size_t fetched, known_count, known_room;
    bool flushed[FAKE_DATABASES];      /* staged */
    uint64_t run_began;                /* the clock at that time */
    bool counts;                       /* as under an LFU policy */
    unsigned saw_expired;              /* how often it was told */
    bool no_touch;                     /* as after CLIENT NO-TOUCH ON */
    uint8_t databases[FAKE_DATABASES]; /* as of store_database */
    enum status fails;                 /* what txn_get gives, STATUS_OK for what is there */
    uint64_t *expected;                /* keys that store_expect was told of; NULL: not counted */
};

void fake_store_init(struct store *store);
void fake_store_deinit(struct store *store);

/* Puts a row there, whatever was there before. */
void fake_store_put(struct store *store, struct bytes name, struct bytes row);

/* The row of that name, size 0 if there is none. */
struct bytes fake_store_row(const struct store *store, struct bytes name);

/* A new transaction, and each further run of it. */
void fake_txn_begin(struct txn *txn, struct store *store, struct arena *arena, uint64_t now_ms);
void fake_txn_run(struct txn *txn);

/* All that was missed is there from the next run on. Returns how much that is. */
size_t fake_txn_fetch(struct txn *txn);

void fake_txn_commit(struct txn *txn);

#endif
