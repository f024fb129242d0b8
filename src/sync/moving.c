/* SPDX-License-Identifier: MIT */
/*
 * Slots that this node gains are pulled from their old owners: from all that are up, and from so
 * many (N-W+1) that together they hold every acknowledged write. Each must know this layout when it
 * is asked: from then on it refuses writes of the layout before (layout_accepts), so no such write
 * that it has not told of reaches its quorum by it. An old owner that is down is left out.
 *
 * Digests are compared first (compare.c): a slot that is equal need not be pulled.
 */
#include "base/mutant.h"
#include "sync/sync_state.h"

void moving_set_layout(struct sync *sync)
{
    sync->to_gain = 0;
    sync->gain_gate = 0;
    sync->synced_due = true;
    if (sync->layout->phase != LAYOUT_WRITING_BOTH)
        return;
    for (uint32_t slot = 0, end; slot < SLOT_COUNT; slot = end) {
        struct placement placement;
        layout_placement(sync->layout, (uint16_t)slot, &placement);
        end = layout_run_end(sync->layout, slot);
        if (!placement_gains(&placement, sync->options.node))
            continue;
        sync->to_gain += end - slot;
        for (uint32_t each = slot; each < end; each++) {
            sync->slots[each].gaining = true;
            slot_set_put(&sync->gaining, (uint16_t)each, true);
            compare_note(sync, (uint16_t)each);
        }
    }
}

static void gained(struct sync *sync, uint16_t slot)
{
    sync->slots[slot].gaining = false;
    slot_set_put(&sync->gaining, slot, false);
    compare_note(sync, slot);
    compare_reopen(sync);
    sync->to_gain--;
}

/* Through, or one more pull, or to be looked at again. */
static void gain(struct sync *sync, uint16_t slot)
{
    struct sync_slot *state = &sync->slots[slot];
    struct placement placement;
    unsigned pulled = 0, missing = 0;
    layout_placement(sync->layout, slot, &placement);
    unsigned write = sync->options.write_quorum, old = placement.old_count;
    unsigned enough = write < old ? old - write + 1 : 1;
    if (enough > old)
        enough = old;
    for (unsigned i = 0; i < old; i++) {
        if (placement.old[i] == sync->options.node || (state->gained_from >> i & 1) != 0)
            pulled++;
        else if ((state->differs >> i & 1) != 0 && pull_begin(sync, slot, placement.old[i], true))
            return;
        else
            missing += !sync_is_down(sync, placement.old[i]);
    }
    state->gain_at_ms = sync->now_ms + GAIN_AGAIN_MS;
    if ((missing == 0 && pulled >= enough) || MUTANT(slot_gained_without_rows))
        gained(sync, slot);
}

void moving_tick(struct sync *sync)
{
    uint32_t slot, passed = 0;
    while (sync->pull_count < PULLS_TO_GAIN_MAX &&
           (slot = slot_set_walk(&sync->gaining, &sync->gain_cursor, &passed)) < SLOT_COUNT) {
        const struct sync_slot *state = &sync->slots[slot];
        if (!state->pulling && sync->now_ms >= state->gain_at_ms)
            gain(sync, (uint16_t)slot);
    }
}

void moving_compared(struct sync *sync, uint16_t slot, unsigned bit, uint64_t version)
{
    struct sync_slot *state = &sync->slots[slot];
    if (!state->gaining)
        return;
    state->gain_at_ms = sync->now_ms;
    sync->pulls_due = true;
    if ((state->differs >> bit & 1) != 0 || version < sync->layout->version)
        return;
    uint64_t gate = store_gate_now(sync->options.store);
    if (gate > sync->gain_gate)
        sync->gain_gate = gate;
    state->gained_from |= (uint8_t)(1u << bit);
    compare_note(sync, slot);
}

void moving_pulled(struct sync *sync, const struct pull_result *result)
{
    struct sync_slot *state = &sync->slots[result->slot];
    struct placement placement;
    layout_placement(sync->layout, result->slot, &placement);
    if (result->gate > sync->gain_gate)
        sync->gain_gate = result->gate;
    state->gain_at_ms = sync->now_ms + (result->whole ? 0 : GAIN_AGAIN_MS);
    sync->pulls_due = true;
    for (unsigned i = 0; i < placement.old_count; i++)
        if (placement.old[i] == result->node && result->whole)
            state->gained_from |= (uint8_t)(1u << i);
    compare_note(sync, result->slot);
}
