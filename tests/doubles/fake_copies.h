/* SPDX-License-Identifier: MIT */
/*
 * A double of the store as one copy among several: import.h, export.h and the gates over one sorted
 * array. Its rows are simpler than real ones: each has a number, and the greater one wins.
 *
 *   head   | number(8) | expires at, in ms(8; 0: never) | dead(1) | chunks(1) | padding |
 *   chunk  | number(8) |                          base dot: actor 1, time the number of its head
 *
 * It may be slow, cold or failing; a crash takes what was not synced. It checks what is promised to
 * it: the chunks that a head names are there before it.
 */
#ifndef DOUBLES_FAKE_COPIES_H
#define DOUBLES_FAKE_COPIES_H

#include "base/list.h"
#include "base/random.h"
#include "row/slot.h"
#include "store/export.h"
#include "store/import.h"

struct fake_head {
    uint64_t number;
    uint64_t at_ms; /* 0: never */
    bool dead;
    uint8_t chunks;
    uint8_t padding;
};

struct fake_copy {
    struct bytes name, row; /* owned */
    bool warm;
};

struct fake_undo {
    uint64_t position;
    struct bytes name, row; /* row of size 0: there was none */
};

struct store {
    struct fake_copy *rows; /* sorted by name */
    size_t count, room;
    uint64_t digests[SLOT_COUNT];
    uint32_t stored[SLOT_COUNT];
    struct slot_set used;   /* of these not 0 */
    struct fake_undo *undo; /* of what is not synced */
    size_t undo_count, undo_room;
    uint64_t position, synced;
    struct random random;
    struct list jobs; /* imports and exports under way */
    uint64_t jobs_begun;
    uint64_t now_ms;

    bool always;    /* passed means synced */
    unsigned slow;  /* one of so many jobs waits; 0: none */
    bool holds;     /* what waits goes on waiting */
    unsigned fails; /* one of so many jobs fails; 0: none */
    unsigned cold;  /* one of so many rows is cold when it is to be given away; 0: none */
    unsigned page;  /* rows of an export, at most; 0: as many as fit */
    /* Told of each head that store_give_away removes. */
    void (*gave)(void *context, struct bytes key, uint64_t number);
    void *context;
};

void fake_copies_init(struct store *store, uint64_t seed);
void fake_copies_deinit(struct store *store);

/* A key's head, and as many chunks as it names. Returns the gate. */
uint64_t fake_copies_put(struct store *store, struct bytes key, struct fake_head head);
/* False: there is none. */
bool fake_copies_get(const struct store *store, struct bytes key, struct fake_head *out);
/* All rows of a key as a row list. */
void fake_copies_rows(const struct store *store, struct bytes key, struct buffer *out);

/* Some of what waits ends; the log may be synced. */
void fake_copies_run(struct store *store, uint64_t now_ms);
void fake_copies_sync(struct store *store);
/* All jobs are gone without `done`, and what is not synced. */
void fake_copies_crash(struct store *store);

#endif
