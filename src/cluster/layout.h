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
 * Why that loses nothing. S, B, N, T are four layouts in a row: STABLE, WRITING_BOTH, READING_NEW,
 * STABLE; n owners before, n' after, R and W at most these.
 *  - S and B read the old owners, both write W of them: what one has written the other finds. So it
 *    is with N and T and the new ones.
 *  - B and N: B writes W of the new owners, where N reads. What was written in S, N finds, since
 *    each new owner that gains the slot (placement_gains) has pulled it from n-W+1 old ones, after
 *    these had B: since then they have refused writes of S (layout_accepts), so each that got W had
 *    got one of them before. R new owners that all were old ones meet W of the old ones, R+W>n.
 *  - S and N don't agree, and needn't: N is proposed when n-W+1 of the old owners of each slot that
 *    moves have B (cluster/change.h). They refuse S, so no write of S gets W any more, be there
 *    nodes that nobody can reach and that have not heard of B.
 *  - S and B don't agree with T, which doesn't write to the old owners: T is proposed when n-R+1 of
 *    them have N. They refuse S and B, so no read of these gets R any more.
 *  - Back from B to S, or aside to another B, is safe at any time: all read the old owners, and
 *    write them; who gains slots in the other B begins anew.
 *  - T and the WRITING_BOTH after it: as S and B; N and that one as well, N reads and writes the
 *    owners that it does.
 * A node never goes back to an older layout (cluster/agree.h: it is durable before it is used), so
 * what it refuses it refuses for good. Whatever node crashes between two steps: the step that a
 * majority has chosen stays, another member goes on from there.
 */
#ifndef CLUSTER_LAYOUT_H
#define CLUSTER_LAYOUT_H

#include "base/buffer.h"
#include "base/status.h"
#include "cluster/ring.h"

enum layout_phase { LAYOUT_STABLE, LAYOUT_WRITING_BOTH, LAYOUT_READING_NEW };

enum {
    LAYOUT_OWNERS_MAX = 2 * RING_COPIES_MAX,
    LAYOUT_NODES_MAX = 2 * RING_MEMBERS_MAX, /* in both rings */
    LAYOUT_DEPARTED_MAX = 4 * RING_MEMBERS_MAX,
    LAYOUT_SIZE_MAX = 1024 * 1024, /* of its bytes: well above what there can be */
};

struct layout {
    uint64_t cluster; /* its number, drawn by its first node; not 0 */
    uint64_t version; /* from 1 */
    enum layout_phase phase;
    unsigned copies;  /* N, as asked for: the rings may have fewer while there are fewer hosts */
    struct ring ring; /* who owns; before a step is through, who did. Owned */
    struct ring next; /* who will; empty in STABLE. Owned */
    /*
     * Nodes that have been members, or were to be, and may still hold rows that others lack: what
     * they kept for owners that were away, or acknowledged while they were cut off. They bring
     * these to the owners, and collection waits for them as for members (sync/barrier.c). Who is
     * neither here nor a member brings nothing: what it has may have been collected meanwhile.
     */
    uint64_t *departed; /* ascending. Owned (memory_alloc) */
    uint32_t departed_count;
};

/* The layout of a node that is alone. */
void layout_first(uint64_t cluster, const struct ring_member *member, unsigned copies,
                  struct layout *out);

/*
 * The step after `layout`: the phase that follows; in STABLE, towards a ring of these members,
 * planned from the old one: some of them have a weight, and ring_members_fit. Members of weight 0
 * are members until the next STABLE, which is without them. Whoever is no member any more in a
 * layout that follows has departed.
 */
void layout_step(const struct layout *layout, const struct ring_member *members, uint32_t count,
                 struct layout *out);

/* From WRITING_BOTH to another WRITING_BOTH, of the same old owners and towards these members. */
void layout_step_aside(const struct layout *layout, const struct ring_member *members,
                       uint32_t count, struct layout *out);

/* Back from WRITING_BOTH to the STABLE of the old owners, as the layout that follows. */
void layout_step_back(const struct layout *layout, struct layout *out);

/* The same STABLE layout, as the one that follows: only these of the departed are left. */
void layout_step_settled(const struct layout *layout, const uint64_t *departed, uint32_t count,
                         struct layout *out);

void layout_copy(const struct layout *layout, struct layout *out);
void layout_deinit(struct layout *layout);

/* The bytes, drawn in layout.c: version and checksum in them; one layout has one form. Decoding
 * takes any bytes: STATUS_CORRUPT, STATUS_VERSION. */
void layout_encode(const struct layout *layout, struct buffer *out);
MUST_CHECK enum status layout_decode(struct bytes bytes, struct layout *out);

/* In either of the rings; as the next one has it, if it does. */
bool layout_is_member(const struct layout *layout, uint64_t node);
const struct ring_member *layout_member(const struct layout *layout, uint64_t node);

/* No member, but one that may bring what it has. */
bool layout_has_departed(const struct layout *layout, uint64_t node);

/*
 * Whether rows that a node brings are taken here, of which it says that it has layout `version`.
 * One that has a newer one may be a member that this node doesn't know yet.
 */
bool layout_may_bring(const struct layout *layout, uint64_t node, uint64_t version);

/* All members' nodes, ascending; returns how many. */
uint32_t layout_nodes(const struct layout *layout, uint64_t out[LAYOUT_NODES_MAX]);

/*
 * Whether a node that has this layout may take part in what one that has layout `version` of the
 * cluster does with that slot. Its own version; the next one, of which this node just doesn't know
 * yet; the one before, but while the slot moves: that is what makes a fence of the owners that have
 * a layout (above). Who is refused is told the layout (agree_heard_version) and tries again.
 */
bool layout_accepts(const struct layout *layout, uint16_t slot, uint64_t version);

/* Who is concerned with a slot, as nodes. */
struct placement {
    enum layout_phase phase;
    unsigned old_count, new_count; /* new_count is 0 in STABLE */
    uint64_t old[RING_COPIES_MAX]; /* in the order of preference */
    uint64_t new[RING_COPIES_MAX];
};
void layout_placement(const struct layout *layout, uint16_t slot, struct placement *out);

/* The first slot behind this one that is not placed just as it is; SLOT_COUNT: all are. Neighbours
 * often are: who asks about all slots goes from run to run. */
uint32_t layout_run_end(const struct layout *layout, uint32_t slot);

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

/* Whether other nodes own it afterwards than before. Another order alone is no move. */
bool placement_moves(const struct placement *placement);

/* Whether this new owner must have taken over the slot's rows before anybody reads the new ones: it
 * is no old owner; or there are fewer than before, so that R of them may miss what W had. */
bool placement_gains(const struct placement *placement, uint64_t node);

#endif
