/* SPDX-License-Identifier: MIT */
/*
 * Digests of slots, compared with the readers' other owners. A question carries this node's own
 * digests, the answer names those that differ: an idle slot costs ten bytes in ten seconds for each
 * peer, an empty one nothing (who has rows in it asks; who is asked and lacks them asks in turn).
 * One question is under way with each peer.
 *
 * What an answer shows: "equal" says that what this node held when it asked is what the other held
 * when it answered, which is later. Rows only grow, so from then on this node holds all that the
 * other held at a time after the question was asked. Only a question asked after a disagreement
 * says something of it (sync_slot.since). N-W others of the readers and this node are N-W+1: each
 * acknowledged write had W of them, so one of these has it, and then this node. Where W is N it is
 * one other all the same: a stand-in may have acknowledged in place of this node.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "sync/sync_state.h"

/* ---- which slots ----------------------------------------------------------------------------- */

static void add_shared(struct sync *sync, uint64_t node, uint32_t slot, uint32_t end, unsigned bit)
{
    struct sync_peer *peer = sync_peer(sync, node);
    check(peer != NULL);
    if (peer->shared_room - peer->shared_count < end - slot) {
        peer->shared_room = 2 * peer->shared_room + (end - slot);
        peer->shared = memory_resize(peer->shared, peer->shared_room * sizeof(*peer->shared));
    }
    for (; slot < end; slot++)
        peer->shared[peer->shared_count++] = (struct sync_shared){
            .slot = (uint16_t)slot, .bit = (uint8_t)bit, .due_ms = sync->now_ms};
}

static bool is_among(const uint64_t *nodes, unsigned count, uint64_t node)
{
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

/* All slots of a run have the same owners. */
static void set_run(struct sync *sync, uint32_t slot, uint32_t end)
{
    struct sync_slot state = {.since = sync->number};
    uint64_t writers[LAYOUT_OWNERS_MAX];
    struct placement placement;
    unsigned reader_count;
    layout_placement(sync->layout, (uint16_t)slot, &placement);
    const uint64_t *readers = placement_readers(&placement, &reader_count);
    unsigned count = placement_writers(&placement, writers);
    bool owned = is_among(writers, count, sync->options.node);
    state.first = reader_count > 0 && readers[0] == sync->options.node;
    for (unsigned i = 0; owned && i < count; i++) {
        if (writers[i] == sync->options.node || !is_among(readers, reader_count, writers[i]))
            continue;
        state.readers |= (uint16_t)(1u << i);
        add_shared(sync, writers[i], slot, end, i);
    }
    unsigned enough = sync->options.write_quorum;
    if (owned)
        state.needed = (uint8_t)(enough < reader_count ? reader_count - enough : reader_count > 1);
    state.agreed = owned && state.needed == 0;
    for (uint32_t each = slot; each < end; each++)
        sync->slots[each] = state;
    slot_set_put_run(&sync->owned, slot, end, owned);
    slot_set_put_run(&sync->open, slot, end, state.readers != 0);
}

void compare_set_layout(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count; i++) {
        struct sync_peer *peer = sync->peers[i];
        peer->shared_count = 0;
        peer->question = 0;
        peer->asked_count = 0;
        peer->open_ms = 0;
        peer->bulk_part = 0;
        peer->bulk_due_ms = sync->now_ms;
    }
    sync->wanted = sync->gaining = (struct slot_set){0};
    sync->differing = 0;
    for (uint32_t slot = 0, end; slot < SLOT_COUNT; slot = end) {
        end = layout_run_end(sync->layout, slot);
        set_run(sync, slot, end);
    }
}

/* ---- agreement ------------------------------------------------------------------------------- */

static void judge(struct sync_slot *state)
{
    if (!state->agreed && (unsigned)__builtin_popcount(state->equal) >= state->needed)
        state->agreed = true;
}

void compare_note(struct sync *sync, uint16_t slot)
{
    const struct sync_slot *state = &sync->slots[slot];
    uint16_t through = state->gaining ? state->gained_from : state->equal;
    if (state->first)
        through &= state->same; /* for leases, see sync_same_readers */
    slot_set_put(&sync->open, slot, (state->readers & ~through) != 0);
}

void compare_reopen(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count; i++)
        sync->peers[i]->open_ms = 0;
}

static void disagree(struct sync *sync, uint16_t slot)
{
    struct sync_slot *state = &sync->slots[slot];
    state->since = sync->number;
    state->equal = state->same = 0;
    state->agreed = state->needed == 0 && slot_set_has(&sync->owned, slot);
    compare_note(sync, slot);
}

void sync_disagree(struct sync *sync, uint16_t slot)
{
    compare_reopen(sync);
    disagree(sync, slot);
}

uint16_t sync_same_readers(const struct sync *sync, uint16_t slot)
{
    const struct sync_slot *state = &sync->slots[slot];
    bool is_as_then = state->imports == store_slot_imports(sync->options.store, slot);
    return is_as_then ? state->same : 0;
}

void sync_distrust(struct sync *sync, uint64_t node)
{
    struct sync_peer *peer = sync_peer(sync, node);
    if (!peer)
        return;
    peer->distrusted = sync->number;
    peer->open_ms = 0;
    for (uint32_t i = 0; i < peer->shared_count; i++) {
        struct sync_shared *shared = &peer->shared[i];
        struct sync_slot *state = &sync->slots[shared->slot];
        if (state->same != 0) {
            state->same &= (uint16_t) ~(1u << shared->bit);
            compare_note(sync, shared->slot);
        }
        shared->tries = 0;
        shared->due_ms = sync->now_ms;
    }
}

static void want(struct sync *sync, uint16_t slot, uint16_t bits)
{
    if (sync->slots[slot].wanted == bits)
        return;
    sync->slots[slot].wanted = bits;
    slot_set_put(&sync->wanted, slot, bits != 0);
}

static void set_differs(struct sync *sync, struct sync_slot *state, uint16_t bits)
{
    sync->differing += (size_t)(bits != 0) - (size_t)(state->differs != 0);
    state->differs = bits;
}

void compare_node_up(struct sync *sync, struct sync_peer *peer)
{
    if (peer->shared_count > 0)
        compare_reopen(sync);
    peer->open_ms = 0;
    for (uint32_t i = 0; i < peer->shared_count; i++) {
        disagree(sync, peer->shared[i].slot);
        peer->shared[i].tries = 0;
        peer->shared[i].due_ms = sync->now_ms;
    }
    peer->question = 0;
}

void compare_node_down(struct sync *sync, struct sync_peer *peer)
{
    bool any = sync->differing > 0 || slot_set_next(&sync->wanted, 0) < SLOT_COUNT;
    peer->question = 0;
    for (uint32_t i = 0; any && i < peer->shared_count; i++) {
        struct sync_slot *state = &sync->slots[peer->shared[i].slot];
        uint16_t others = (uint16_t) ~(1u << peer->shared[i].bit);
        want(sync, peer->shared[i].slot, state->wanted & others);
        set_differs(sync, state, state->differs & others);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Not equal as far as is known; or to be gained, and not seen equal by one who has this layout. */
static bool is_open(const struct sync_slot *state, const struct sync_shared *shared)
{
    uint16_t through = state->gaining ? state->gained_from : state->equal;
    return (through >> shared->bit & 1) == 0;
}

/* Open, or what a lease asks for is not known of it (sync_same_readers). */
static bool is_unsure(const struct sync *sync, const struct sync_shared *shared)
{
    const struct sync_slot *state = &sync->slots[shared->slot];
    return is_open(state, shared) || (state->first && (state->same >> shared->bit & 1) == 0);
}

static void put_off(const struct sync *sync, struct sync_shared *shared)
{
    unsigned wait = COMPARE_AGAIN_MS << shared->tries;
    if (wait < COMPARE_AGAIN_MAX)
        shared->tries++;
    shared->due_ms = sync->now_ms + wait;
}

/* Of those with whom this node shares slots. */
static bool is_first(const struct sync *sync, const struct sync_peer *peer)
{
    size_t i = 0;
    while (sync->peers[i]->shared_count == 0)
        i++;
    return sync->peers[i] == peer;
}

/* Which of the shared slots are in the next part of a round. */
static void next_part(struct sync *sync, struct sync_peer *peer, uint32_t *out_first,
                      uint32_t *out_end)
{
    *out_first = *out_end = 0;
    if (sync->now_ms < peer->bulk_due_ms)
        return;
    uint64_t count = peer->shared_count;
    *out_first = (uint32_t)(count * peer->bulk_part / COMPARE_PARTS);
    *out_end = (uint32_t)(count * (peer->bulk_part + 1) / COMPARE_PARTS);
    peer->bulk_due_ms = sync->now_ms + COMPARE_ROUND_MS / COMPARE_PARTS;
    if (++peer->bulk_part < COMPARE_PARTS)
        return;
    peer->bulk_part = 0;
    sync->stats.rounds += is_first(sync, peer);
}

static void add_question(struct sync *sync, struct sync_peer *peer, uint32_t index,
                         struct buffer *body)
{
    struct sync_shared *shared = &peer->shared[index];
    sync_add_digest(body, shared->slot, store_slot_digest(sync->options.store, shared->slot));
    peer->asked[peer->asked_count++] = index;
    shared->imports = store_slot_imports(sync->options.store, shared->slot);
    put_off(sync, shared);
}

/* The first of the shared slots from `index` on that is not below `slot`: mostly a near one. */
static uint32_t seek(const struct sync_peer *peer, uint32_t index, uint32_t slot)
{
    uint32_t step = 1, high = index;
    while (high < peer->shared_count && peer->shared[high].slot < slot) {
        index = high + 1;
        high += step;
        step *= 2;
    }
    if (high > peer->shared_count)
        high = peer->shared_count;
    while (index < high) {
        uint32_t middle = (index + high) / 2;
        if (peer->shared[middle].slot < slot)
            index = middle + 1;
        else
            high = middle;
    }
    return index;
}

/* What the next question may be about. */
struct choice {
    uint32_t first, end; /* the part of the round: all that is in use */
    bool all;            /* whether what is open is looked for elsewhere, too */
};

/* The next of the shared slots that is open, or in use and in that part; their count: none. */
static uint32_t next_choice(const struct sync *sync, const struct sync_peer *peer, uint32_t index,
                            struct choice choice)
{
    const struct slot_set *used = store_slots_used(sync->options.store);
    uint32_t last = choice.all ? peer->shared_count : choice.end;
    while (index < last) {
        uint32_t slot = peer->shared[index].slot;
        if (slot_set_has(&sync->open, (uint16_t)slot))
            return index;
        uint32_t open = slot_set_next(&sync->open, slot), in_use = SLOT_COUNT;
        if (index < choice.first)
            in_use = slot_set_next(used, peer->shared[choice.first].slot);
        else if (index < choice.end)
            in_use = slot_set_next(used, slot);
        uint32_t next = open < in_use ? open : in_use;
        if (next == slot)
            return index;
        index = seek(peer, index, next);
    }
    return peer->shared_count;
}

/* The part of the round, and what isn't equal and due. */
static void choose(struct sync *sync, struct sync_peer *peer, struct buffer *body)
{
    struct choice choice = {.all = sync->now_ms >= peer->open_ms};
    uint64_t open_ms = UINT64_MAX;
    next_part(sync, peer, &choice.first, &choice.end);
    uint32_t i = next_choice(sync, peer, choice.all ? 0 : choice.first, choice);
    for (; i < peer->shared_count && peer->asked_count < COMPARE_SLOTS_MAX;) {
        struct sync_shared *shared = &peer->shared[i];
        bool open = is_unsure(sync, shared);
        bool in_part = i >= choice.first && i < choice.end;
        if ((open && shared->due_ms <= sync->now_ms) ||
            (in_part && store_slot_stored(sync->options.store, shared->slot) > 0))
            add_question(sync, peer, i, body);
        if (open && shared->due_ms < open_ms)
            open_ms = shared->due_ms;
        i = next_choice(sync, peer, i + 1, choice);
    }
    if (choice.all)
        peer->open_ms = i < peer->shared_count ? 0 : open_ms;
}

static void ask(struct sync *sync, struct sync_peer *peer)
{
    struct buffer body = {0};
    if (peer->asked == NULL)
        peer->asked = memory_alloc(COMPARE_SLOTS_MAX * sizeof(*peer->asked));
    peer->asked_count = 0;
    choose(sync, peer, &body);
    if (peer->asked_count > 0) {
        struct sync_message message = {.number = ++sync->number, .body = buffer_bytes(&body)};
        bool sent = sync_send(sync, peer->node, SYNC_ASK_DIGESTS, message);
        peer->question = sent ? message.number : 0;
        peer->question_ms = sync->now_ms;
    }
    buffer_deinit(&body);
}

void compare_tick(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count; i++) {
        struct sync_peer *peer = sync->peers[i];
        if (peer->shared_count == 0 || !sync_is_up(sync, peer->node))
            continue;
        if (peer->question != 0 && sync->now_ms < peer->question_ms + COMPARE_ANSWER_MS)
            continue;
        ask(sync, peer);
    }
}

/* ---- answering ------------------------------------------------------------------------------- */

static struct sync_shared *find_shared(struct sync_peer *peer, uint16_t slot)
{
    uint32_t low = 0, high = peer->shared_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (peer->shared[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < peer->shared_count && peer->shared[low].slot == slot ? &peer->shared[low] : NULL;
}

/* The other holds something else: to be asked about, should it be this node that lacks it. */
static void seen_to_differ(struct sync *sync, struct sync_peer *peer, uint16_t slot)
{
    struct sync_shared *shared = peer != NULL ? find_shared(peer, slot) : NULL;
    if (shared == NULL || is_open(&sync->slots[slot], shared))
        return;
    sync->slots[slot].equal &= (uint16_t) ~(1u << shared->bit);
    compare_note(sync, slot);
    shared->due_ms = sync->now_ms;
    peer->open_ms = 0;
}

void compare_answer(struct sync *sync, uint64_t from, const struct sync_message *message)
{
    struct buffer body = {0};
    struct bytes rest = message->body;
    struct sync_peer *peer = sync_peer(sync, from);
    uint16_t slot;
    uint64_t digest;
    while (sync_next_digest(&rest, &slot, &digest)) {
        if (sync_owns(sync, slot) && store_slot_digest(sync->options.store, slot) == digest)
            continue;
        sync_add_slot(&body, slot);
        seen_to_differ(sync, peer, slot);
    }
    struct sync_message answer = {.number = message->number, .body = buffer_bytes(&body)};
    sync_send(sync, from, SYNC_DIFFERING, answer);
    buffer_deinit(&body);
}

/* And has been since that many imports, of this node's slot. */
static void found_same(struct sync *sync, struct sync_shared *shared)
{
    struct sync_slot *state = &sync->slots[shared->slot];
    if (shared->imports != store_slot_imports(sync->options.store, shared->slot))
        return;
    if (state->imports != shared->imports)
        state->same = 0;
    state->imports = shared->imports;
    state->same |= (uint16_t)(1u << shared->bit);
}

static void found_equal(struct sync *sync, const struct sync_peer *peer, struct sync_shared *shared)
{
    struct sync_slot *state = &sync->slots[shared->slot];
    uint16_t bit = (uint16_t)(1u << shared->bit);
    if (state->differs & bit)
        set_differs(sync, state, state->differs & (uint16_t)~bit);
    want(sync, shared->slot, state->wanted & (uint16_t)~bit);
    shared->tries = 0;
    if (peer->question <= state->since)
        return;
    if (peer->question > peer->distrusted)
        found_same(sync, shared);
    state->equal |= bit;
    compare_note(sync, shared->slot);
    judge(state);
}

static void found_unequal(struct sync *sync, struct sync_peer *peer, struct sync_shared *shared)
{
    struct sync_slot *state = &sync->slots[shared->slot];
    uint16_t bit = (uint16_t)(1u << shared->bit);
    state->equal &= (uint16_t)~bit;
    compare_note(sync, shared->slot);
    peer->open_ms = 0;
    if ((state->differs & bit) == 0)
        sync->stats.slots_differed++;
    else if (!state->gaining && !MUTANT(no_anti_entropy))
        want(sync, shared->slot, state->wanted | bit);
    set_differs(sync, state, state->differs | bit);
}

void compare_heard(struct sync *sync, uint64_t from, const struct sync_message *message)
{
    struct sync_peer *peer = sync_peer(sync, from);
    if (peer == NULL || peer->question == 0 || peer->question != message->number)
        return;
    struct bytes rest = message->body;
    uint16_t differing = 0;
    bool more = sync_next_slot(&rest, &differing);
    for (uint32_t i = 0; i < peer->asked_count; i++) {
        struct sync_shared *shared = &peer->shared[peer->asked[i]];
        while (more && differing < shared->slot)
            more = sync_next_slot(&rest, &differing);
        if (more && differing == shared->slot)
            found_unequal(sync, peer, shared);
        else
            found_equal(sync, peer, shared);
        moving_compared(sync, shared->slot, shared->bit, message->version);
    }
    peer->question = 0;
    sync->pulls_due = true;
}

void compare_pulled(struct sync *sync, uint16_t slot, uint64_t node, bool fruitless)
{
    struct sync_slot *state = &sync->slots[slot];
    struct sync_peer *peer = sync_peer(sync, node);
    struct sync_shared *shared = peer != NULL ? find_shared(peer, slot) : NULL;
    if (shared == NULL)
        return;
    want(sync, slot, state->wanted & (uint16_t) ~(1u << shared->bit));
    if (fruitless) {
        state->pull_at_ms = sync->now_ms + PULL_FRUITLESS_MS;
        return;
    }
    /* Was that all? */
    shared->due_ms = sync->now_ms;
    shared->tries = 0;
    peer->open_ms = 0;
}

/* Who is equal to all readers is agreed, and differs from none. */
bool compare_is_quiet(const struct sync *sync)
{
    return slot_set_next(&sync->open, 0) == SLOT_COUNT;
}
