/* SPDX-License-Identifier: MIT */
/* What the store needs to know of a row's inside: whether it is live, when it expires, which chunks
 * it names. */
#ifndef STORE_DERIVE_H
#define STORE_DERIVE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "row/row.h"

struct row_facts {
    bool live;       /* not a tombstone; an expired row is live */
    bool chunked;    /* it names a long string */
    uint64_t at_ms;  /* EXPIRY_NEVER where it does not expire */
    uint64_t due_ms; /* when it is to be looked at, to be collected: at_ms or, of a tombstone, when
                        it was made. What the expiry index says */
};

/* Rows in the store are well-formed: they were checked when they came in. An empty one is not live.
 */
struct row_facts derive_facts(struct bytes row, struct arena *arena);

/* A long string that the row names. */
struct chunked_base {
    struct dot base;
    uint32_t chunks; /* it has at most so many: indexes below this */
};

/* The long strings that `old` names and `new` does not; either may be empty. In the arena; returns
 * how many. */
unsigned derive_dead_bases(struct bytes old, struct bytes new, struct arena *arena,
                           struct chunked_base **out_bases);

#endif
