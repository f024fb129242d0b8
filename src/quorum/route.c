/* SPDX-License-Identifier: MIT */
/* Where a command runs, and how many must agree before it does. */
#include "base/mutant.h"
#include "quorum/quorum_state.h"

static bool contains(const uint64_t *nodes, unsigned count, uint64_t node)
{
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

enum quorum_route quorum_route(const struct quorum *quorum, uint16_t slot, uint64_t *out_node)
{
    struct placement placement;
    unsigned count;
    layout_placement(quorum->layout, slot, &placement);
    const uint64_t *readers = placement_readers(&placement, &count);
    for (unsigned i = 0; i < count; i++) {
        if (readers[i] == quorum->options.node || MUTANT(anybody_coordinates))
            return QUORUM_HERE;
        if (quorum_is_up(quorum, readers[i])) {
            *out_node = readers[i];
            return QUORUM_THERE;
        }
    }
    return QUORUM_NOWHERE;
}

bool quorum_may_coordinate(const struct quorum *quorum, uint16_t slot)
{
    struct placement placement;
    layout_placement(quorum->layout, slot, &placement);
    return placement_is_owner(&placement, quorum->options.node) || MUTANT(anybody_coordinates);
}

/* As many as have to grant a claim (claim.h), where there is none yet, or as the command asks for.
 */
unsigned quorum_readers_needed(const struct quorum *quorum, uint16_t slot,
                               struct consistency consistency, bool writes, bool agreed,
                               unsigned owners)
{
    unsigned level = consistency.read ? consistency.read : quorum->options.read_quorum;
    unsigned needed = acks_needed(level, owners), claim = claim_needed(quorum, owners);
    if (MUTANT(read_of_one_in_strict_mode) && !writes && !quorum->options.sloppy)
        return 1;
    if (MUTANT(no_read_before_a_write) && writes)
        return 1;
    if (claim > needed && !claim_holds(quorum, slot))
        needed = claim;
    if (!writes || agreed)
        return needed;
    /* Rule 8: so many that one of them has whatever was acknowledged. One more than itself even
     * where all owners acknowledge writes: stand-ins may have done so in place of this one. */
    unsigned write_level = quorum->options.write_quorum;
    unsigned overlap = owners - acks_needed(write_level, owners) + 1;
    if (overlap < 2 && owners > 1)
        overlap = 2;
    if (overlap < claim)
        overlap = claim;
    return overlap > needed ? overlap : needed;
}

unsigned quorum_others_to_ask(struct quorum *quorum, uint16_t slot, struct consistency consistency,
                              bool writes, uint64_t now_ms)
{
    const struct quorum_options *options = &quorum->options;
    struct placement placement;
    unsigned count;
    layout_placement(quorum->layout, slot, &placement);
    const uint64_t *readers = placement_readers(&placement, &count);
    bool agreed = writes && options->is_agreed(options->context, slot);
    unsigned needed = quorum_readers_needed(quorum, slot, consistency, writes, agreed, count);
    unsigned others = needed - (needed > 0 && contains(readers, count, options->node));
    if (others == 0 && placement.phase == LAYOUT_WRITING_BOTH && claim_term(quorum) != 0)
        return 1; /* of those that gain the slot */
    if (others == 0 || !claim_holds(quorum, slot) ||
        !lease_covers(quorum, slot, &placement, others, now_ms))
        return others;
    quorum->stats.reads_local++;
    return 0;
}
