/* SPDX-License-Identifier: MIT */
/*
 * The layout: who the members are and who owns which slot, as all members have agreed
 * (cluster/agree.h). Layouts are numbered; each is made from the one before.
 *
 * When members come or go, slots move. A change of owners takes three steps, so that at any time
 * nodes may know either of two neighbouring layouts without harm:
 *
 *   phase         reads          writes (W of each)     next step when
 *   STABLE        old owners     old owners             somebody comes, goes, changes
 *   WRITING_BOTH  old owners     old and new owners     each that gains slots has all of their rows
 *   READING_NEW   new owners     old and new owners     all know it
 *   STABLE        new owners     new owners             (and the old ones give away what is left)
 *
 * STABLE and WRITING_BOTH agree: a write by either is found by the reads of both. So do
 * WRITING_BOTH and READING_NEW, since the new owners have all; and READING_NEW and the STABLE that
 * follows. STABLE and READING_NEW don't: so the next step is taken only when each member that may
 * act has the last one (cluster/change.h), and nodes refuse messages of a layout that is not theirs
 * or its neighbour.
 */
#ifndef CLUSTER_LAYOUT_H
#define CLUSTER_LAYOUT_H

#include "base/buffer.h"
#include "base/status.h"
#include "cluster/ring.h"

enum layout_phase { LAYOUT_STABLE, LAYOUT_WRITING_BOTH, LAYOUT_READING_NEW };

enum { LAYOUT_OWNERS_MAX = 2 * RING_COPIES_MAX };

struct layout {
    uint64_t cluster; /* its number, drawn by its first node; not 0 */
    uint64_t version; /* from 1 */
    enum layout_phase phase;
    unsigned copies;  /* N, as asked for: the rings may have fewer while there are fewer hosts */
    struct ring ring; /* who owns; before a step is through, who did. Owned */
    struct ring next; /* who will; empty in STABLE. Owned */
};

/* The layout of a node that is alone. */
void layout_first(uint64_t cluster, const struct ring_member *member, unsigned copies,
                  struct layout *out);

/* The step after `layout`: the phase that follows; in STABLE, towards a ring of these members,
 * planned from the old one. */
void layout_step(const struct layout *layout, const struct ring_member *members, uint32_t count,
                 struct layout *out);

void layout_copy(const struct layout *layout, struct layout *out);
void layout_deinit(struct layout *layout);

/* The bytes, drawn in layout.c: version and checksum in them. Decoding takes any bytes:
 * STATUS_CORRUPT, STATUS_VERSION. */
void layout_encode(const struct layout *layout, struct buffer *out);
MUST_CHECK enum status layout_decode(struct bytes bytes, struct layout *out);

/* In either of the rings. */
bool layout_is_member(const struct layout *layout, uint64_t node);
const struct ring_member *layout_member(const struct layout *layout, uint64_t node);

/* Who is concerned with a slot, as nodes. */
struct placement {
    enum layout_phase phase;
    unsigned old_count, new_count; /* new_count is 0 in STABLE */
    uint64_t old[RING_COPIES_MAX]; /* in the order of preference */
    uint64_t new[RING_COPIES_MAX];
};
void layout_placement(const struct layout *layout, uint16_t slot, struct placement *out);

/* Who is read from: the first of them is the slot's coordinator while it is up. */
static inline const uint64_t *placement_readers(const struct placement *placement,
                                                unsigned *out_count)
{
    bool new = placement->phase == LAYOUT_READING_NEW;
    *out_count = new ? placement->new_count : placement->old_count;
    return new ? placement->new : placement->old;
}

/* All who are written to: old ones, then the new ones that aren't old. Returns how many. */
unsigned placement_writers(const struct placement *placement, uint64_t out[LAYOUT_OWNERS_MAX]);

bool placement_is_owner(const struct placement *placement, uint64_t node);

#endif
