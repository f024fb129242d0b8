/* SPDX-License-Identifier: MIT */
/*
 * Rows for other nodes: what a key consists of, and what a slot consists of. Tombstones and expired
 * rows too: to copies they are rows like others. What is cold is read on a storage thread. What
 * comes into memory so counts as not asked for, and is the first to leave it; lists leave nothing.
 */
#ifndef STORE_EXPORT_H
#define STORE_EXPORT_H

#include "base/buffer.h"
#include "row/slot_set.h"
#include "store/store.h"

struct export;

/* ---- keys, by the names of their heads ------------------------------------------------------- */

enum {
    EXPORT_HEADS_MAX = 64 * 1024, /* in one list of names */
    EXPORT_LOOKS_MAX = 4096,      /* rows not found, for one page: chunks may be absent */
};

/* Within a long string an export may be cut; 0, 0, 0: at the beginning. */
struct export_place {
    uint32_t key;   /* the number of the head in the list */
    uint32_t base;  /* which of the long strings that it names: as export_rows has given it */
    uint32_t chunk; /* the number of the next chunk */
};

/*
 * STATUS_OK: `rows` is a row list of what was asked for, from `place` on: of each key its chunks
 * and then its head; nothing of a key that does not exist. `next.key` is the number of heads when
 * all is there. STATUS_IO, STATUS_CORRUPT. The bytes are gone after the call.
 *
 * A head comes only after all chunks of what it names then: should it name other long strings when
 * an export goes on within one of them, the key begins anew.
 */
typedef void export_rows_done(void *context, enum status status, struct bytes rows,
                              struct export_place next);

/* `heads`: names one after the other, each | size(varint) | name |, copied; STATUS_CORRUPT if they
 * are not, or too many. At least one row, then as many as fit into `most` bytes; none, perhaps,
 * where there was little to be found (EXPORT_LOOKS_MAX): `next` says where to go on. `done` is
 * called once, perhaps before this returns: then NULL is returned. */
struct export *export_rows(struct store *store, struct bytes heads, struct export_place place,
                           size_t most, uint64_t now_ms, export_rows_done *done, void *context);

/* ---- digests --------------------------------------------------------------------------------- */

/*
 * The digest of a key is that of its head row, name and bytes; what changes a chunk changes the
 * head with it (type/string.c). Of an absent one it is 0. The digest of a slot is the sum of those
 * of its keys, tombstones included; kept with each change.
 */
uint64_t export_digest(struct bytes name, struct bytes row);
uint64_t store_slot_digest(const struct store *store, uint16_t slot);

/* STATUS_OK: `digests` has one for each head asked for, in its order. */
typedef void export_digests_done(void *context, enum status status, const uint64_t *digests,
                                 size_t count);
struct export *export_digests(struct store *store, struct bytes heads, uint64_t now_ms,
                              export_digests_done *done, void *context);

/* ---- a slot's keys --------------------------------------------------------------------------- */

struct export_listed {
    uint64_t digest;
    struct bytes name; /* of the head */
};

/*
 * Lists the heads of a slot in the order of their names, those after `after` (empty: from the
 * first on; else a head's name, that need not exist), at most `most` of them. `done` as above; the
 * list is gone after the call. `end`: there are none after these.
 */
typedef void export_listed_done(void *context, enum status status,
                                const struct export_listed *listed, size_t count, bool end);
struct export *export_list(struct store *store, uint16_t slot, struct bytes after, size_t most,
                           uint64_t now_ms, export_listed_done *done, void *context);

/* It is not to call `done` any more. NULL: nothing. */
void export_cancel(struct export *export);

/* The store ends: those that wait are gone, `done` is not called. For store.c. */
void export_deinit(struct store *store);
/* See store_copies_ended. */
bool export_ended(const struct store *store, uint64_t mark);

/* ---- giving away ----------------------------------------------------------------------------- */

/* How many heads the slot has, tombstones included. */
uint64_t store_slot_stored(const struct store *store, uint16_t slot);
/* Grows with each import that has changed a row of the slot. */
uint64_t store_slot_imports(const struct store *store, uint16_t slot);
/* Those slots that have any. */
const struct slot_set *store_slots_used(const struct store *store);
/* Grows with each change of that number, or of a digest, in any slot. */
uint64_t store_slot_changes(const struct store *store);

/*
 * Removes the key from this store, and leaves nothing behind: others own it and have it. Only if
 * the head is what `digest` says still; a record in the log. STATUS_ABSENT: it is not. STATUS_COLD:
 * the head is not in memory, and was not looked at; read it first (export_digests).
 */
MUST_CHECK enum status store_give_away(struct store *store, struct bytes head, uint64_t digest);

/* ---- being one of several -------------------------------------------------------------------- */

/*
 * From now on, and for good, this directory is one copy among several: tombstones and expired rows
 * stay until all owners have confirmed them (sync/), and nothing counts as stable any more. Nothing
 * is flushed (txn_flush), and only what an evictor allows is evicted. Recorded durably before it
 * returns. Until then it is the only owner, as in store/apply.h.
 *
 * Seals, then reads all that there is, to sum digests: at once in a new directory, long in a large
 * one. An error: it has not joined; but after STATUS_IO the process must end (store_failure).
 */
MUST_CHECK enum status store_join(struct store *store);
bool store_is_joined(const struct store *store);

/*
 * Eviction where there are other copies: a key is evicted, for good, by a tombstone, which the
 * other owners must be given. Without an evictor nothing is.
 */
struct txn;
struct store_evictor {
    /* Whether keys of the slot are this node's to evict. */
    bool (*may_evict)(void *context, uint16_t slot);
    /* The tombstone has just been committed: txn->staged, txn->gate. In store_turn_end and
     * store_tick. */
    void (*evicted)(void *context, const struct txn *txn);
    void *context;
};
void store_set_evictor(struct store *store, const struct store_evictor *evictor);

/*
 * What time it is by the cluster's word (the median of its clocks), each turn. Events are dated by
 * the wall clock, but no further from this than STORE_CLOCK_TRUST_MS: a clock that is wrong, or
 * jumps, would make rows that nobody else accepts (rule 12). 0: nobody has said; then no further
 * ahead of the newest event that this node knows.
 */
enum { STORE_CLOCK_TRUST_MS = 10 * 1000 };
void store_set_cluster_time(struct store *store, uint64_t now_ms);

/* Whose events this store's are now, and a time that none of them exceeds yet. */
struct dot store_newest_dot(const struct store *store, uint64_t now_ms);
/* Its next events are not dated before that time, as far as it is believed, nor less than so much
 * after what time it is now; if that is known, or the clock agrees with the newest event. */
void store_date_from(struct store *store, uint64_t from_ms, uint64_t ahead_ms);

/* What has been written so far, as a gate (store_gate_passed). */
uint64_t store_gate_now(const struct store *store);

/* Whether the log is synced up to the gate, whatever appendfsync says; if not, a sync begins, or is
 * under way. */
bool store_gate_synced(struct store *store, uint64_t gate);

/*
 * For barriers: a mark of all imports and exports begun so far, and whether all those that had
 * begun at a mark have ended (called `done`, or were cancelled): no bytes of them are left.
 */
uint64_t store_copies_mark(const struct store *store);
bool store_copies_ended(const struct store *store, uint64_t mark);

/*
 * Heads that are to be collected: tombstones, and rows expired before `before_ms`, of the slot, in
 * any order; those in memory, at most `most`. Each is told with its digest. What only the tier has
 * of them a search of its index brings into memory by and by (store/expiry.h). Of a slot with very
 * many keys one call sees a part, the next one another. `found` changes nothing in the store.
 */
typedef void store_collectable(void *context, struct bytes name, uint64_t digest);
void store_find_collectable(struct store *store, uint16_t slot, uint64_t before_ms, size_t most,
                            store_collectable *found, void *context);

/* How many rows wait for collection: tombstones and, as the last search of the index has found,
 * what has expired. */
uint64_t store_collectable_count(const struct store *store);

#endif
