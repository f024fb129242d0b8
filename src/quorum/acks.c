/* SPDX-License-Identifier: MIT */
#include "quorum/acks.h"

#include "base/check.h"
#include "base/mutant.h"
#include "quorum/quorum.h"

static unsigned place_of(struct acks *acks, uint64_t node)
{
    for (unsigned i = 0; i < acks->place_count; i++)
        if (acks->holders[i].node == node)
            return i;
    unsigned place = acks->place_count++;
    check(place < ACKS_PLACES_MAX);
    acks->holders[place] = (struct acks_holder){node, (uint8_t)place, false};
    acks->holder_count = acks->place_count;
    return place;
}

void acks_init(struct acks *acks, const struct acks_owners *owners)
{
    acks->place_count = acks->holder_count = 0;
    acks->old = acks->new = acks->filled = 0;
    for (unsigned i = 0; i < owners->old_count; i++)
        acks->old |= 1u << place_of(acks, owners->old[i]);
    for (unsigned i = 0; i < owners->new_count; i++)
        acks->new |= 1u << place_of(acks, owners->new[i]);
}

struct acks_holder *acks_find(struct acks *acks, uint64_t node)
{
    for (unsigned i = 0; i < acks->holder_count; i++)
        if (acks->holders[i].node == node)
            return &acks->holders[i];
    return NULL;
}

struct acks_holder *acks_stand_in(struct acks *acks, unsigned place, uint64_t node)
{
    check(place < acks->place_count && !acks_find(acks, node));
    if (acks->holder_count == ACKS_HOLDERS_MAX)
        return NULL;
    struct acks_holder *holder = &acks->holders[acks->holder_count++];
    *holder = (struct acks_holder){node, (uint8_t)place, false};
    return holder;
}

/* Whether another has confirmed for the place of this one. */
static bool is_spare(const struct acks *acks, const struct acks_holder *spare)
{
    for (unsigned i = 0; i < acks->holder_count; i++) {
        const struct acks_holder *other = &acks->holders[i];
        if (other != spare && other->place == spare->place && other->confirmed)
            return true;
    }
    return false;
}

bool acks_move_spare(struct acks *acks, unsigned place)
{
    check(!acks_is_filled(acks, place));
    for (unsigned i = acks->place_count; i < acks->holder_count; i++) {
        struct acks_holder *holder = &acks->holders[i];
        if (!holder->confirmed || !is_spare(acks, holder))
            continue;
        holder->place = (uint8_t)place;
        acks->filled |= 1u << place;
        return true;
    }
    return false;
}

bool acks_confirm(struct acks *acks, uint64_t node)
{
    struct acks_holder *holder = acks_find(acks, node);
    if (!holder || holder->confirmed)
        return false;
    holder->confirmed = true;
    acks->filled |= 1u << holder->place;
    if (MUTANT(acknowledgement_counted_twice))
        acks->filled |= acks->filled + 1;
    return true;
}

unsigned acks_needed(unsigned level, unsigned count)
{
    if (level == QUORUM_MAJORITY)
        level = count / 2 + 1;
    return level < count ? level : count;
}

bool acks_enough(const struct acks *acks, unsigned level, unsigned *out_reached,
                 unsigned *out_needed)
{
    unsigned old = (unsigned)__builtin_popcount(acks->filled & acks->old);
    unsigned new = (unsigned)__builtin_popcount(acks->filled & acks->new);
    unsigned old_needed = acks_needed(level, (unsigned)__builtin_popcount(acks->old));
    unsigned new_needed = acks_needed(level, (unsigned)__builtin_popcount(acks->new));
    bool by_new = old >= old_needed && new < new_needed;
    *out_reached = by_new ? new : old;
    *out_needed = by_new ? new_needed : old_needed;
    return old >= old_needed && (new >= new_needed || MUTANT(quorum_of_one_view_in_a_move));
}
