/* SPDX-License-Identifier: MIT */
/*
 * A set of slots, a bit each. Most things are true of few slots: who looks for those goes through
 * 256 words instead of 16384 slots.
 *
 *   for (uint32_t slot = 0; (slot = slot_set_next(&set, slot)) < SLOT_COUNT; slot++)
 */
#ifndef ROW_SLOT_SET_H
#define ROW_SLOT_SET_H

#include <stdbool.h>

#include "row/slot.h"

enum { SLOT_SET_WORDS = SLOT_COUNT / 64 };

struct slot_set {
    uint64_t words[SLOT_SET_WORDS]; /* all zeros: none */
};

static inline bool slot_set_has(const struct slot_set *set, uint16_t slot)
{
    return set->words[slot / 64] >> slot % 64 & 1;
}

static inline void slot_set_put(struct slot_set *set, uint16_t slot, bool in)
{
    uint64_t bit = (uint64_t)1 << slot % 64;
    if (in)
        set->words[slot / 64] |= bit;
    else
        set->words[slot / 64] &= ~bit;
}

/* All slots from `slot` to before `end`. */
static inline void slot_set_put_run(struct slot_set *set, uint32_t slot, uint32_t end, bool in)
{
    for (; slot < end && slot % 64 != 0; slot++)
        slot_set_put(set, (uint16_t)slot, in);
    for (; slot + 64 <= end; slot += 64)
        set->words[slot / 64] = in ? UINT64_MAX : 0;
    for (; slot < end; slot++)
        slot_set_put(set, (uint16_t)slot, in);
}

/* The first slot in it from `slot` on; SLOT_COUNT: there is none. */
static inline uint32_t slot_set_next(const struct slot_set *set, uint32_t slot)
{
    if (slot >= SLOT_COUNT)
        return SLOT_COUNT;
    uint64_t word = set->words[slot / 64] >> slot % 64 << slot % 64;
    for (slot /= 64; word == 0 && ++slot < SLOT_SET_WORDS;)
        word = set->words[slot];
    return word == 0 ? SLOT_COUNT : slot * 64 + (uint32_t)__builtin_ctzll(word);
}

/*
 * Once around from `*cursor`, which goes behind the slot that is returned. SLOT_COUNT: all have
 * been passed, and the cursor is where it was. `*passed` is 0 at first and then the walk's own.
 */
static inline uint32_t slot_set_walk(const struct slot_set *set, uint32_t *cursor, uint32_t *passed)
{
    uint32_t slot = slot_set_next(set, *cursor), step = SLOT_COUNT + 1;
    if (slot == SLOT_COUNT)
        slot = slot_set_next(set, 0);
    if (slot < SLOT_COUNT)
        step = (slot - *cursor) % SLOT_COUNT + 1;
    if (*passed + step > SLOT_COUNT) {
        *cursor = (*cursor - *passed) % SLOT_COUNT;
        *passed = SLOT_COUNT;
        return SLOT_COUNT;
    }
    *passed += step;
    *cursor = (slot + 1) % SLOT_COUNT;
    return slot;
}

#endif
