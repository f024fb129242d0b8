/* SPDX-License-Identifier: MIT */
/*
 * What a transaction missed, read from the tier on a storage thread. Rows found, and the proof that
 * there are none, come into the table as clean entries; pages of a scan stay with the transaction.
 * What was read while a seal ended may be stale, is dropped, and will be missed again.
 */
#ifndef STORE_FETCH_H
#define STORE_FETCH_H

#include "store/state.h"

/* A page of heads of a (slot, db), as the tier had them. */
struct fetched_page {
    uint16_t slot;
    uint8_t db;
    bool done;        /* there are none after these */
    uint64_t hash;    /* it begins here */
    uint64_t limit;   /* as asked for */
    uint64_t end;     /* complete below this hash */
    uint64_t version; /* store.tier_version */
    enum status status;
    struct buffer rows; /* name size(4) row size(4) name row, in order */
};

/* Notes a miss; asking twice costs one read. */
void fetch_want_row(struct txn *txn, struct bytes name);
void fetch_want_page(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, uint64_t limit);

/* The error that the last reading of this row met: STATUS_OK if none. */
enum status fetch_error(const struct txn *txn, struct bytes name);

/* What was read, NULL if it must be asked for (again). */
const struct fetched_page *fetch_page(const struct txn *txn, uint16_t slot, uint8_t db,
                                      uint64_t hash, uint64_t limit);

/* The same, read now, blocking: for when a command has run too often. */
const struct fetched_page *fetch_page_now(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash,
                                          uint64_t limit);

/* Forgets the pages: the command goes on elsewhere. */
void fetch_forget(struct txn *txn);

#endif
