/* SPDX-License-Identifier: MIT */
/*
 * A double of the store for what goes between nodes: imports, exports and gates over an array of
 * rows. Imports and exports may wait until the test lets them go on, and may fail; what was written
 * may stay in memory.
 */
#ifndef DOUBLES_FAKE_ROWS_H
#define DOUBLES_FAKE_ROWS_H

#include "base/list.h"
#include "cluster/gossip.h"
#include "store/export.h"
#include "store/import.h"
#include "store/txn.h"

enum { FAKE_NODES_MAX = 8 };

struct fake_kept {
    struct bytes name, row; /* owned */
    uint64_t position;      /* of its last change */
};

struct store {
    struct fake_kept *rows; /* in any order */
    size_t count, room;
    uint64_t position, durable;
    bool sync_held;      /* nothing becomes durable */
    bool waits;          /* imports and exports wait for fake_rows_go_on */
    bool fails;          /* they fail with STATUS_IO */
    size_t most;         /* of an export's page; 0: as asked */
    uint64_t imported;   /* lists of rows */
    uint64_t dated_ms;   /* of store_date_from */
    struct list waiting; /* imports and exports */
};

void fake_rows_init(struct store *store);
void fake_rows_deinit(struct store *store);

/* Merges the row into what is there. STATUS_CORRUPT: it is none. */
enum status fake_rows_put(struct store *store, struct bytes name, struct bytes row);
/* Size 0: there is none. */
struct bytes fake_rows_get(const struct store *store, struct bytes name);

/* What waits by now is done. */
void fake_rows_go_on(struct store *store);
/* The first of it. */
void fake_rows_go_on_once(struct store *store);
/* What was written is durable, unless that is held. */
void fake_rows_turn_end(struct store *store);

/* Who is alive, as one node sees it. */
struct gossip {
    uint64_t down[FAKE_NODES_MAX]; /* 0: nobody */
};

void fake_gossip_set(struct gossip *gossip, uint64_t node, bool up);

#endif
