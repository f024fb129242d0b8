/* SPDX-License-Identifier: MIT */
/*
 * A member's part in a collection (collect.c): to prove that it holds no copy of rows of some slots
 * but as an owner, and that none it has sent is on its way. Two steps, the second one begun when
 * all members have passed the first. Each step:
 *
 *   begins     nothing foreign is here of these slots, and until the end of the round none that
 *              comes is given away
 *   DRAINING   all imports and exports, and what quorum/ had under way, have ended that had begun
 *   SETTLING   all that had been sent by then is behind us at every peer
 *   SYNCING    still nothing foreign is here, and the log says so on the disk
 *
 * Why that is enough: call a copy old if it lacks what all owners have confirmed. Owners' stores
 * held none when the first step began, foreign stores none either, and what comes to them stays
 * there. So only exports, writes and messages begun before hold old copies, and after the first
 * step of all members these have ended or arrived: old copies are at most in imports under way. The
 * second step ends these, and finds what they left where it is foreign. In owners' stores they were
 * merged with what is newer.
 */
#include "base/bits.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "sync/sync_state.h"

enum barrier_state { BARRIER_DRAINING, BARRIER_SETTLING, BARRIER_SYNCING, BARRIER_PASSED };

struct barrier_sent {
    uint64_t node, count;
};

struct barrier {
    struct list link;
    struct sync *sync;
    uint64_t node; /* the coordinator */
    uint64_t number;
    uint8_t step;
    enum barrier_state state;
    uint64_t until_ms;
    uint64_t copies, work; /* marks */
    struct barrier_sent *sent;
    size_t sent_count, sent_room;
    uint64_t gate;
    char slots[SLOT_COUNT / 8]; /* bits */
};

static void barrier_free(struct barrier *barrier)
{
    list_remove(&barrier->link);
    barrier->sync->barrier_count--;
    memory_free(barrier->sent);
    memory_free(barrier);
}

static void say(struct sync *sync, uint64_t node, uint64_t number, uint8_t flags)
{
    sync_send(sync, node, SYNC_PASSED, (struct sync_message){.number = number, .flags = flags});
}

static void refuse(struct barrier *barrier)
{
    say(barrier->sync, barrier->node, barrier->number, barrier->step | SYNC_REFUSED);
    barrier_free(barrier);
}

static bool holds_foreign(const struct barrier *barrier)
{
    if (MUTANT(hint_holders_not_asked_at_collection))
        return false;
    const struct sync *sync = barrier->sync;
    struct bytes bits = bytes_of(barrier->slots, sizeof(barrier->slots));
    struct bit_span span = {0, SLOT_COUNT};
    while ((span.first = bits_find(bits, span, true)) < SLOT_COUNT) {
        uint16_t slot = (uint16_t)span.first++;
        if (!slot_set_has(&sync->owned, slot) &&
            (store_slot_stored(sync->options.store, slot) > 0 || give_away_is_giving(sync, slot)))
            return true;
    }
    return false;
}

/* ---- who takes part -------------------------------------------------------------------------- */

static bool each_member(const struct ring *ring, const struct ring *before,
                        bool (*each)(void *context, uint64_t node), void *context)
{
    for (uint32_t i = 0; i < ring->member_count; i++) {
        uint64_t node = ring->members[i].node;
        if ((before == NULL || ring_member(before, node) == NULL) && !each(context, node))
            return false;
    }
    return true;
}

/* The departed may still hold rows, until they have given them all away. */
bool barrier_each_node(const struct sync *sync, bool (*each)(void *context, uint64_t node),
                       void *context)
{
    const struct layout *layout = sync->layout;
    if (!each_member(&layout->ring, NULL, each, context) ||
        !each_member(&layout->next, &layout->ring, each, context))
        return false;
    for (uint32_t i = 0; i < layout->departed_count && !MUTANT(departed_not_waited_for); i++)
        if (!each(context, layout->departed[i]))
            return false;
    return true;
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void begin_step(struct barrier *barrier, uint8_t step)
{
    const struct sync_options *options = &barrier->sync->options;
    barrier->step = step;
    barrier->state = BARRIER_DRAINING;
    barrier->copies = store_copies_mark(options->store);
    barrier->work = options->work_begun ? options->work_begun(options->context) : 0;
    if (holds_foreign(barrier))
        refuse(barrier);
}

static bool is_drained(const struct barrier *barrier)
{
    if (MUTANT(copies_under_way_not_waited_for))
        return true;
    const struct sync_options *options = &barrier->sync->options;
    if (!store_copies_ended(options->store, barrier->copies))
        return false;
    return options->work_ended == NULL || options->work_ended(options->context, barrier->work);
}

static bool note_sent(void *context, uint64_t node)
{
    struct barrier *barrier = context;
    const struct sync_options *options = &barrier->sync->options;
    if (node == options->node)
        return true;
    if (barrier->sent_count == barrier->sent_room) {
        barrier->sent_room = barrier->sent_room ? 2 * barrier->sent_room : 8;
        barrier->sent = memory_resize(barrier->sent, barrier->sent_room * sizeof(*barrier->sent));
    }
    barrier->sent[barrier->sent_count++] =
        (struct barrier_sent){node, options->sent_count(options->context, node)};
    return true;
}

static bool is_settled(const struct barrier *barrier)
{
    if (MUTANT(messages_under_way_not_waited_for))
        return true;
    const struct sync_options *options = &barrier->sync->options;
    for (size_t i = 0; i < barrier->sent_count; i++) {
        const struct barrier_sent *sent = &barrier->sent[i];
        if (options->settled_count(options->context, sent->node) < sent->count)
            return false;
    }
    return true;
}

static void passed(struct barrier *barrier)
{
    if (holds_foreign(barrier)) {
        refuse(barrier);
        return;
    }
    say(barrier->sync, barrier->node, barrier->number, barrier->step);
    barrier->state = BARRIER_PASSED;
    if (barrier->step == SYNC_STEP_2)
        barrier_free(barrier);
}

/* As far as it gets now. */
static void go_on(struct barrier *barrier)
{
    struct sync *sync = barrier->sync;
    if (barrier->state == BARRIER_DRAINING) {
        if (!is_drained(barrier))
            return;
        barrier->sent_count = 0;
        barrier_each_node(sync, note_sent, barrier);
        barrier->state = BARRIER_SETTLING;
    }
    if (barrier->state == BARRIER_SETTLING) {
        if (!is_settled(barrier))
            return;
        barrier->gate = store_gate_now(sync->options.store);
        barrier->state = BARRIER_SYNCING;
    }
    if (barrier->state == BARRIER_SYNCING && store_gate_synced(sync->options.store, barrier->gate))
        passed(barrier);
}

/* ---- events ---------------------------------------------------------------------------------- */

static struct barrier *find(const struct sync *sync, uint64_t node)
{
    for (struct list *at = sync->barriers.next; at != &sync->barriers; at = at->next)
        if (list_entry(at, struct barrier, link)->node == node)
            return list_entry(at, struct barrier, link);
    return NULL;
}

static void step_1(struct sync *sync, uint64_t from, const struct sync_message *message)
{
    struct bytes rest = message->body;
    uint16_t slot;
    struct barrier *barrier = memory_zeroed(sizeof(*barrier));
    barrier->sync = sync;
    barrier->node = from;
    barrier->number = message->number;
    barrier->until_ms = sync->now_ms + BARRIER_MS;
    while (sync_next_slot(&rest, &slot))
        barrier->slots[slot / 8] |= (char)(0x80 >> slot % 8);
    list_append(&sync->barriers, &barrier->link);
    sync->barrier_count++;
    begin_step(barrier, SYNC_STEP_1);
}

void barrier_heard(struct sync *sync, uint64_t from, const struct sync_message *message)
{
    struct barrier *barrier = find(sync, from);
    if (message->version != sync->layout->version || !layout_is_member(sync->layout, from))
        return;
    bool second = message->flags == SYNC_STEP_2;
    bool fits = barrier != NULL && barrier->number == message->number &&
                barrier->state == BARRIER_PASSED && barrier->step == SYNC_STEP_1;
    if (second && fits) {
        begin_step(barrier, SYNC_STEP_2);
        return;
    }
    if (barrier != NULL)
        barrier_free(barrier);
    if (second)
        say(sync, from, message->number, SYNC_STEP_2 | SYNC_REFUSED);
    else if (message->flags == SYNC_STEP_1)
        step_1(sync, from, message);
}

void barrier_drop_node(struct sync *sync, uint64_t node)
{
    for (struct list *at = sync->barriers.next, *next; at != &sync->barriers; at = next) {
        struct barrier *barrier = list_entry(at, struct barrier, link);
        next = at->next;
        if (node == 0 || barrier->node == node)
            barrier_free(barrier);
    }
}

void barrier_poll(struct sync *sync)
{
    for (struct list *at = sync->barriers.next, *next; at != &sync->barriers; at = next) {
        struct barrier *barrier = list_entry(at, struct barrier, link);
        next = at->next;
        if (sync->now_ms >= barrier->until_ms)
            barrier_free(barrier);
        else if (barrier->state != BARRIER_PASSED)
            go_on(barrier);
    }
}

bool barrier_holds(const struct sync *sync, uint16_t slot)
{
    for (struct list *at = sync->barriers.next; at != &sync->barriers; at = at->next) {
        const struct barrier *barrier = list_entry(at, struct barrier, link);
        if (bits_test(bytes_of(barrier->slots, sizeof(barrier->slots)), slot))
            return true;
    }
    return false;
}
