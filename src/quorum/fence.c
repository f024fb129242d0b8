/* SPDX-License-Identifier: MIT */
/* What is taken of nodes that have another layout: on this the proof in cluster/layout.h rests. */
#include "quorum/quorum_state.h"
#include "row/row_list.h"

bool fence_accepts(const struct quorum *quorum, uint64_t version, uint16_t slot)
{
    return layout_accepts(quorum->layout, slot, version);
}

/* A name that may be none. Many of one slot stand together: `*last` was accepted. */
static bool accepts_name(const struct quorum *quorum, uint64_t version, struct bytes name,
                         unsigned *last)
{
    if (name.size < ROW_KEY_CLEARED_SIZE || row_key_slot(name) >= SLOT_COUNT ||
        row_key_slot(name) == *last)
        return true;
    *last = row_key_slot(name);
    return fence_accepts(quorum, version, row_key_slot(name));
}

bool fence_accepts_rows(const struct quorum *quorum, uint64_t version, struct bytes rows)
{
    struct bytes name, row;
    unsigned last = SLOT_COUNT;
    bool accepted = true;
    if (version == quorum->layout->version)
        return true;
    while (accepted && row_list_next(&rows, &name, &row))
        accepted = accepts_name(quorum, version, name, &last);
    return accepted;
}

bool fence_accepts_heads(const struct quorum *quorum, uint64_t version, struct bytes heads)
{
    struct bytes name;
    unsigned last = SLOT_COUNT;
    bool accepted = true;
    if (version == quorum->layout->version)
        return true;
    while (accepted && heads.size > 0 && quorum_next_head(&heads, &name))
        accepted = accepts_name(quorum, version, name, &last);
    return accepted;
}
