/* SPDX-License-Identifier: MIT */
/* How many owners have all that somebody has written. */
#include "base/memory.h"
#include "quorum/quorum_state.h"

/* A batch that has some of it. */
struct mark_part {
    struct list in_mark, in_batch;
    struct quorum_mark *mark;
    const struct batch *batch;
};

void quorum_mark_init(struct quorum_mark *mark)
{
    list_init(&mark->parts);
    mark->least = QUORUM_MARK_ALL;
    mark->owners = (struct quorum_owners){.any = true};
}

static void part_free(struct mark_part *part)
{
    list_remove(&part->in_mark);
    list_remove(&part->in_batch);
    memory_free(part);
}

void quorum_mark_deinit(struct quorum_mark *mark)
{
    while (!list_is_empty(&mark->parts))
        part_free(list_entry(mark->parts.next, struct mark_part, in_mark));
}

/* Commands of one client stand together: one part for all of them. */
void batch_mark(struct batch *batch, struct quorum_mark *mark)
{
    if (!list_is_empty(&batch->marks) &&
        list_entry(batch->marks.prev, struct mark_part, in_batch)->mark == mark)
        return;
    struct mark_part *part = memory_alloc(sizeof(*part));
    *part = (struct mark_part){.mark = mark, .batch = batch};
    list_init(&part->in_mark);
    list_init(&part->in_batch);
    list_append(&mark->parts, &part->in_mark);
    list_append(&batch->marks, &part->in_batch);
}

/* Owners other than this node, of the ring that is read: all of them, or those who have it. */
static unsigned count_others(const struct quorum *quorum, const struct batch *batch, bool all)
{
    unsigned count = 0;
    for (unsigned i = 0; i < batch->acks.place_count; i++) {
        const struct acks_holder *holder = &batch->acks.holders[i];
        count += (batch->acks.old >> i & 1) && holder->node != quorum->options.node &&
                 (all || holder->confirmed);
    }
    return count;
}

/* Those that have it. */
static struct quorum_owners owners_of(const struct quorum *quorum, const struct batch *batch)
{
    struct quorum_owners owners = {0};
    for (unsigned i = 0; i < batch->acks.place_count && owners.count < RING_COPIES_MAX; i++) {
        const struct acks_holder *holder = &batch->acks.holders[i];
        if ((batch->acks.old >> i & 1) && holder->node != quorum->options.node && holder->confirmed)
            owners.nodes[owners.count++] = holder->node;
    }
    return owners;
}

static void keep_common(struct quorum_owners *owners, const struct quorum_owners *others)
{
    struct quorum_owners both = {0};
    for (unsigned i = 0; i < owners->count; i++)
        for (unsigned j = 0; j < others->count; j++)
            if (owners->nodes[i] == others->nodes[j])
                both.nodes[both.count++] = owners->nodes[i];
    *owners = owners->any ? *others : both;
}

struct quorum_owners quorum_mark_owners(const struct quorum *quorum, const struct quorum_mark *mark)
{
    struct quorum_owners owners = mark->owners;
    const struct list *link = mark->parts.next;
    for (; link != &mark->parts; link = link->next) {
        struct quorum_owners have =
            owners_of(quorum, list_entry(link, struct mark_part, in_mark)->batch);
        keep_common(&owners, &have);
    }
    return owners;
}

/* No more of them will confirm: what it has come to is remembered. */
void batch_unmark(const struct quorum *quorum, struct batch *batch)
{
    if (list_is_empty(&batch->marks))
        return;
    unsigned count = count_others(quorum, batch, false);
    struct quorum_owners owners = owners_of(quorum, batch);
    while (!list_is_empty(&batch->marks)) {
        struct mark_part *part = list_entry(batch->marks.next, struct mark_part, in_batch);
        part->mark->least = count < part->mark->least ? count : part->mark->least;
        keep_common(&part->mark->owners, &owners);
        part_free(part);
    }
}

void batch_move_marks(struct batch *from, struct batch *const *to, uint32_t count)
{
    while (!list_is_empty(&from->marks)) {
        struct mark_part *part = list_entry(from->marks.next, struct mark_part, in_batch);
        for (uint32_t i = 0; i < count; i++)
            batch_mark(to[i], part->mark);
        part_free(part);
    }
}

unsigned quorum_mark_count(const struct quorum *quorum, const struct quorum_mark *mark,
                           unsigned *out_most)
{
    unsigned least = mark->least, most = mark->least;
    const struct list *link = mark->parts.next;
    for (; link != &mark->parts; link = link->next) {
        const struct batch *batch = list_entry(link, struct mark_part, in_mark)->batch;
        unsigned now = count_others(quorum, batch, false), all = count_others(quorum, batch, true);
        least = now < least ? now : least;
        most = all < most ? all : most;
    }
    *out_most = most;
    return least;
}

unsigned quorum_other_owners(const struct quorum *quorum)
{
    return quorum->layout && quorum->layout->ring.copies > 0 ? quorum->layout->ring.copies - 1 : 0;
}
