/* SPDX-License-Identifier: MIT */
/*
 * A row: a small versioned register, the one thing that is stored, sent and merged. It is a dotted
 * version vector set (Preguiça et al. 2012): a version vector and the siblings, each a value with
 * the dot of the write that made it. A row without sibling and without live increments is a
 * tombstone.
 *
 * Merging never chooses (choosing inside a merge is not associative): it keeps each sibling that
 * the other side has too, or has not seen. Reading chooses: the newest dot. Writing collapses: a
 * plain write supersedes all that its coordinator holds.
 *
 * Increments: `added` has per actor a running sum and the time of its last increment; each sibling,
 * and `removed` for deletes, remembers `added` as its writer saw it. value = base + sum(added -
 * remembered). Of two sums of an actor the one with the newer time counts, never the larger: there
 * are decrements. A sum has two parts that never mix, one of integers and one of reals: so integers
 * stay exact whatever reals are added to them. Reals are added in the order of actors, and in one
 * format (base/real.h): the same on every machine.
 *
 * Expiry: dotted entries, kept and superseded like siblings. A plain write makes an entry with its
 * own dot (EXPIRY_NEVER if it sets no time); EXPIRE and PERSIST make one with a dot of their own; a
 * write that keeps the time to live makes none. On reading the longest of the entries counts; no
 * entry: it lives for ever. Expiry only hides: it makes no dot.
 *
 * `stable` below is a vector of events that every owner is known to have, with all that they
 * supersede. What it covers counts as covered by every vector and is left out of stored ones.
 */
#ifndef ROW_ROW_H
#define ROW_ROW_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/real.h"
#include "base/status.h"
#include "row/dot.h"

enum {
    ROW_SIBLINGS_MAX = 4096,    /* and expiry entries, in one encoded row: more is damage */
    ROW_COLLAPSE_ABOVE = 16,    /* siblings: the coordinator's next write collapses more */
    ROW_SIZE_MAX = 1024 * 1024, /* of a name and its row together */
    ROW_COMPACT_OVERHEAD = 24,  /* most bytes over the value in a common row (row_peek) */
};

#define EXPIRY_NEVER UINT64_MAX

enum value_form {
    VALUE_STRING = 0,  /* the bytes are the string */
    VALUE_CHUNKED = 1, /* a long string in chunk rows: packed by type/string.c */
    VALUE_CHUNK = 2,   /* in a chunk row: up to CHUNK_SIZE of the string */
    VALUE_FORMS,       /* how many there are; types to come stand before it */
};

/* A running sum of one actor. */
struct increment {
    actor_t actor;
    uint64_t time;
    __int128 sum; /* of the integers */
    real_t real;  /* of the reals: finite, not -0 */
};

/* Sorted by actor, each once. */
struct increments {
    struct increment *items;
    uint32_t count;
};

struct sibling {
    struct dot dot;
    enum value_form form;
    struct bytes value;
    struct increments remembered;
};

struct expiry {
    struct dot dot;
    uint64_t at_ms; /* Unix time, or EXPIRY_NEVER */
};

/* Decoded. Arrays live in the arena or borrow; one form for one meaning. */
struct row {
    struct vector vector;
    struct sibling *siblings; /* sorted by dot_compare: the newest is the last */
    uint32_t sibling_count;
    struct expiry *expiries; /* sorted by dot_compare */
    uint32_t expiry_count;
    struct increments added;
    struct increments removed;
};

/* ---- bytes ---------------------------------------------------------------------------------- */

/*
 * Decodes any bytes, from a disk or a peer: STATUS_CORRUPT unless they are the one canonical
 * encoding of a row. The row borrows values from `bytes` and arrays from the arena.
 */
MUST_CHECK enum status row_decode(struct bytes bytes, struct arena *arena, struct row *out);

/* The encoding (drawn in row/row_codec.c), built in the arena. Same row, same bytes. */
struct bytes row_encode(const struct row *row, struct arena *arena);

/*
 * Looks at an encoded row without decoding it. True for the common row: one sibling whose dot is
 * the whole vector, no increments, and no expiry entry but the sibling's own. Then the outputs are
 * set; *out_at_ms may be EXPIRY_NEVER.
 */
bool row_peek(struct bytes bytes, struct sibling *out_sibling, uint64_t *out_at_ms);

/* The encoding of such a common row, as row_encode would do it, without the struct. */
struct bytes row_encode_common(struct arena *arena, struct dot dot, enum value_form form,
                               struct bytes value, uint64_t at_ms);

/* ---- merging -------------------------------------------------------------------------------- */

/*
 * The merge: commutative, associative, idempotent. Also where rows contradict each other, and give
 * one dot different values: the greater one stays, in an order that says nothing. `stable` may be
 * NULL; otherwise it covers whatever was left out of either row because it was stable. The output
 * is canonical and borrows from both.
 */
void row_merge(const struct row *a, const struct row *b, const struct vector *stable,
               struct arena *arena, struct row *out);

/*
 * Drops vector entries that `stable` makes superfluous, in place: the canonical form for storing.
 * NULL: as it is.
 */
void row_canonical(struct row *row, const struct vector *stable);

/*
 * Merges encoded rows: *out is one of the inputs where that is the result (the common case, decided
 * without decoding), else built in the arena. STATUS_CORRUPT if either is no row, STATUS_TOO_BIG if
 * both together are more than a row may be.
 */
MUST_CHECK enum status row_merge_bytes(struct bytes old, struct bytes incoming,
                                       const struct vector *stable, struct arena *arena,
                                       struct bytes *out);

/*
 * Per actor the entry with the newer time (of one time the greater sum: there is but one, unless
 * something is broken). The output may be one of the inputs, and may share their
 * items.
 */
void row_join_increments(const struct increments *a, const struct increments *b,
                         struct arena *arena, struct increments *out);

/* ---- events --------------------------------------------------------------------------------- */

/*
 * Each changes `row` as a coordinator that holds it. The dot's time exceeds every time in the row
 * (and in a context). Arrays are never changed but built anew, so rows may share them.
 */

/* A row that nothing has happened to. */
void row_init(struct row *row);

/* The newest time in the row, 0 if there is none: a new dot exceeds it. */
uint64_t row_newest_time(const struct row *row);

/*
 * A plain write: supersedes all siblings. `at_ms` is the expiry it sets; with keep_expiry the
 * entries stay instead.
 */
void row_write(struct row *row, struct dot dot, enum value_form form, struct bytes value,
               uint64_t at_ms, bool keep_expiry, struct arena *arena);

/*
 * VC.SET: supersedes only what `context` covers, also what has not arrived here yet, remembering
 * `remembered`. Both were taken from a row that the client read: its vector, and its `added`. What
 * `stable` covers may be in the vector or not: no owner has a sibling that it would supersede.
 */
void row_write_context(struct row *row, struct dot dot, enum value_form form, struct bytes value,
                       uint64_t at_ms, const struct vector *context,
                       const struct increments *remembered, struct arena *arena);

void row_delete(struct row *row, struct dot dot, struct arena *arena);

/* VC.DEL: deletes only what the context has seen, as above. */
void row_delete_context(struct row *row, struct dot dot, const struct vector *context,
                        const struct increments *remembered, struct arena *arena);

void row_increment(struct row *row, struct dot dot, __int128 by, struct arena *arena);

/* By a finite one. A sum beyond all numbers is the last one. */
void row_increment_real(struct row *row, struct dot dot, real_t by, struct arena *arena);
void row_expire(struct row *row, struct dot dot, uint64_t at_ms, struct arena *arena);

/* ---- reading -------------------------------------------------------------------------------- */

struct row_view {
    bool exists;                   /* there is a sibling, or an increment that no delete had seen */
    const struct sibling *sibling; /* the newest one; NULL for a counter that was never set */
    bool counted;   /* a sum is not 0, or there is no sibling: the value is base + sum + real, no
                       base being 0 */
    __int128 sum;   /* of added - remembered: the integers */
    real_t real;    /* and the reals */
    uint64_t at_ms; /* when it expires, or EXPIRY_NEVER */
};

/* Chooses. Expiry is reported, not judged: the caller compares at_ms with its clock. */
void row_read(const struct row *row, struct row_view *out);

/* The same as if this sibling were the newest. */
void row_read_sibling(const struct row *row, uint32_t index, struct row_view *out);

/*
 * Whether a reader would see anything at that time: it exists and now_ms <= at_ms (as in Redis,
 * at_ms itself still lives).
 */
bool row_is_live(const struct row *row, uint64_t now_ms);

#endif
