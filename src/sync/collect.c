/* SPDX-License-Identifier: MIT */
/*
 * Collection of tombstones and expired rows (rule 4), by the first owner of their slots. One round
 * at a time, over as many keys as fit:
 *
 *   PROPOSED  every owner confirms which of the heads it holds exactly so, on its disk
 *   STEP_1,   every member, and whoever else may hold rows, passes the barrier (barrier.c): no
 *   STEP_2    older copy of them is anywhere
 *   then      every owner is told to collect them, and does where a head is still as it was
 *
 * Nobody's answer is waited for at the end: an owner that does not hear it keeps the head, and the
 * others get it back from that one. If anybody is away, starts anew or has another layout, the
 * round is void; so it is by any doubt.
 */
#include "base/bits.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "sync/sync_state.h"

enum { FIND_SLOTS = 1024 /* of one tick */ };

enum collect_state { COLLECT_IDLE, COLLECT_PROPOSED, COLLECT_STEP_1, COLLECT_STEP_2 };

struct collect_node {
    uint64_t node, generation;
    bool waiting;
};

struct collect {
    enum collect_state state;
    uint64_t number;
    uint64_t deadline_ms;
    uint64_t next_ms;
    uint32_t cursor, looked; /* for slots */
    struct buffer listed;
    uint32_t count;
    bool is_full;                      /* there is more to collect */
    uint8_t missing[COLLECT_KEYS_MAX]; /* owners that have not confirmed it */
    struct collect_node *nodes;
    size_t node_count, node_room;
};

void collect_init(struct sync *sync)
{
    sync->collect = memory_zeroed(sizeof(*sync->collect));
}

void collect_free(struct sync *sync)
{
    buffer_deinit(&sync->collect->listed);
    memory_free(sync->collect->nodes);
    memory_free(sync->collect);
}

/* Members need not wait for the next step. */
static void tell_over(struct sync *sync)
{
    struct collect *collect = sync->collect;
    for (size_t i = 0; i < collect->node_count; i++)
        sync_send(sync, collect->nodes[i].node, SYNC_BARRIER,
                  (struct sync_message){.number = collect->number});
}

void collect_void(struct sync *sync)
{
    struct collect *collect = sync->collect;
    if (sync->layout != NULL &&
        (collect->state == COLLECT_STEP_1 || collect->state == COLLECT_STEP_2))
        tell_over(sync);
    collect->state = COLLECT_IDLE;
    collect->next_ms = sync->now_ms + COLLECT_PAUSE_MS;
    collect->count = 0;
    collect->looked = 0;
    buffer_clear(&collect->listed, COLLECT_BYTES_MAX);
}

/* ---- who takes part -------------------------------------------------------------------------- */

static uint64_t generation_of(const struct sync *sync, uint64_t node)
{
    const struct gossip_peer *peer = gossip_peer(sync->options.gossip, node);
    return peer ? peer->said.generation : 0;
}

static bool add_node(void *context, uint64_t node)
{
    struct sync *sync = context;
    struct collect *collect = sync->collect;
    if (collect->node_count == collect->node_room) {
        collect->node_room = collect->node_room ? 2 * collect->node_room : 8;
        collect->nodes =
            memory_resize(collect->nodes, collect->node_room * sizeof(*collect->nodes));
    }
    collect->nodes[collect->node_count++] =
        (struct collect_node){.node = node, .generation = generation_of(sync, node)};
    return sync_is_up(sync, node);
}

static struct collect_node *find_node(struct collect *collect, uint64_t node)
{
    for (size_t i = 0; i < collect->node_count; i++)
        if (collect->nodes[i].node == node)
            return &collect->nodes[i];
    return NULL;
}

static bool is_as_before(void *context, uint64_t node)
{
    struct sync *sync = context;
    const struct collect_node *known = find_node(sync->collect, node);
    return known != NULL && known->generation == generation_of(sync, node) &&
           sync_is_up(sync, node);
}

/* All who take part do so still, and nobody else. */
static bool round_holds(struct sync *sync)
{
    return barrier_each_node(sync, is_as_before, sync);
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool owns(const struct sync *sync, uint64_t node, uint16_t slot)
{
    uint64_t writers[LAYOUT_OWNERS_MAX];
    unsigned count = sync_writers(sync, slot, writers);
    for (unsigned i = 0; i < count; i++)
        if (writers[i] == node)
            return true;
    return false;
}

/* Those of the heads that the node owns; false: none, or it could not be sent. */
static bool send_heads(struct sync *sync, uint64_t node, unsigned type)
{
    struct collect *collect = sync->collect;
    struct bytes rest = buffer_bytes(&collect->listed), name;
    struct buffer body = {0};
    uint64_t digest;
    while (sync_next_listed(&rest, &digest, &name))
        if (owns(sync, node, row_key_slot(name)))
            sync_add_listed(&body, digest, name);
    struct sync_message message = {.number = collect->number, .body = buffer_bytes(&body)};
    bool sent = message.body.size > 0 && sync_send(sync, node, type, message);
    buffer_deinit(&body);
    return sent;
}

static void propose(struct sync *sync)
{
    struct collect *collect = sync->collect;
    struct bytes rest = buffer_bytes(&collect->listed), name;
    uint64_t digest, writers[LAYOUT_OWNERS_MAX];
    for (uint32_t i = 0; sync_next_listed(&rest, &digest, &name); i++)
        collect->missing[i] = (uint8_t)sync_writers(sync, row_key_slot(name), writers);
    collect->state = COLLECT_PROPOSED;
    sync->stats.collect_steps++;
    collect->number = ++sync->number;
    collect->deadline_ms = sync->now_ms + COLLECT_ROUND_MS;
    for (size_t i = 0; i < collect->node_count; i++)
        collect->nodes[i].waiting = send_heads(sync, collect->nodes[i].node, SYNC_PROPOSE);
}

static void begin_step(struct sync *sync, uint8_t step)
{
    struct collect *collect = sync->collect;
    struct bytes rest = buffer_bytes(&collect->listed), name;
    struct buffer body = {0};
    char slots[SLOT_COUNT / 8] = {0};
    struct bit_span span = {0, SLOT_COUNT};
    uint64_t digest;
    while (sync_next_listed(&rest, &digest, &name))
        slots[row_key_slot(name) / 8] |= (char)(0x80 >> row_key_slot(name) % 8);
    while ((span.first = bits_find(bytes_of(slots, sizeof(slots)), span, true)) < SLOT_COUNT)
        sync_add_slot(&body, (uint16_t)span.first++);
    collect->state = step == SYNC_STEP_1 ? COLLECT_STEP_1 : COLLECT_STEP_2;
    sync->stats.collect_steps++;
    struct sync_message message = {
        .number = collect->number, .flags = step, .body = buffer_bytes(&body)};
    for (size_t i = 0; i < collect->node_count; i++) {
        collect->nodes[i].waiting = true;
        /* One that can't be told is waited for in vain. */
        sync_send(sync, collect->nodes[i].node, SYNC_BARRIER, message);
    }
    buffer_deinit(&body);
}

/* ---- confirmations --------------------------------------------------------------------------- */

static void take_confirmed(struct sync *sync, uint64_t node, struct bytes indices)
{
    struct collect *collect = sync->collect;
    struct bytes rest = buffer_bytes(&collect->listed), name;
    uint32_t confirmed = 0, number = 0;
    uint64_t digest;
    bool more = sync_next_index(&indices, &confirmed);
    for (uint32_t i = 0; more && sync_next_listed(&rest, &digest, &name); i++) {
        if (!owns(sync, node, row_key_slot(name)))
            continue;
        if (confirmed == number++) {
            collect->missing[i]--;
            more = sync_next_index(&indices, &confirmed);
        }
    }
}

/* What not all owners have confirmed stays. */
static void keep_confirmed(struct collect *collect)
{
    struct buffer kept = {0};
    struct bytes rest = buffer_bytes(&collect->listed), name;
    uint64_t digest;
    uint32_t count = 0;
    for (uint32_t i = 0; sync_next_listed(&rest, &digest, &name); i++)
        if (collect->missing[i] == 0 || MUTANT(collection_agreed_from_memory)) {
            sync_add_listed(&kept, digest, name);
            count++;
        }
    buffer_deinit(&collect->listed);
    collect->listed = kept;
    collect->count = count;
}

static void all_answered(struct sync *sync)
{
    struct collect *collect = sync->collect;
    if (!round_holds(sync)) {
        collect_void(sync);
        return;
    }
    switch (collect->state) {
    case COLLECT_PROPOSED:
        keep_confirmed(collect);
        if (collect->count > 0)
            begin_step(sync, SYNC_STEP_1);
        else
            collect_void(sync);
        break;
    case COLLECT_STEP_1:
        begin_step(sync, SYNC_STEP_2);
        break;
    default:
        check(collect->state == COLLECT_STEP_2);
        sync->stats.collect_steps++;
        for (size_t i = 0; i < collect->node_count; i++)
            send_heads(sync, collect->nodes[i].node, SYNC_COLLECT);
        collect->state = COLLECT_IDLE;
        collect_void(sync);
        if (collect->is_full)
            collect->next_ms = sync->now_ms;
    }
}

void collect_heard(struct sync *sync, uint64_t from, unsigned type,
                   const struct sync_message *message)
{
    struct collect *collect = sync->collect;
    struct collect_node *node = find_node(collect, from);
    if (collect->state == COLLECT_IDLE || message->number != collect->number || node == NULL ||
        !node->waiting || message->version != sync->layout->version)
        return;
    uint8_t step = collect->state == COLLECT_STEP_1 ? SYNC_STEP_1 : SYNC_STEP_2;
    if (type == SYNC_CONFIRM && collect->state == COLLECT_PROPOSED) {
        take_confirmed(sync, from, message->body);
    } else if (type == SYNC_PASSED && collect->state != COLLECT_PROPOSED) {
        if (message->flags & SYNC_REFUSED) {
            collect_void(sync);
            return;
        }
        if (message->flags != step)
            return;
    } else {
        return;
    }
    node->waiting = false;
    for (size_t i = 0; i < collect->node_count; i++)
        if (collect->nodes[i].waiting)
            return;
    all_answered(sync);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void found(void *context, struct bytes name, uint64_t digest)
{
    struct collect *collect = context;
    if (collect->count == COLLECT_KEYS_MAX)
        return;
    sync_add_listed(&collect->listed, digest, name);
    collect->count++;
}

static bool is_full(const struct collect *collect)
{
    return collect->count + COLLECT_OF_SLOT_MAX > COLLECT_KEYS_MAX ||
           buffer_size(&collect->listed) >= COLLECT_BYTES_MAX;
}

/* Looks at some more slots; true: the list is full, or all slots have been looked at. */
static bool find_more(struct sync *sync)
{
    struct collect *collect = sync->collect;
    uint64_t time_ms = sync->now_ms + (uint64_t)sync->ahead_ms;
    uint64_t before_ms = time_ms > COLLECT_GRACE_MS ? time_ms - COLLECT_GRACE_MS : 0;
    for (unsigned i = 0; i < FIND_SLOTS && collect->looked < SLOT_COUNT; i++) {
        if (is_full(collect))
            return true;
        uint16_t slot = (uint16_t)(collect->cursor++ % SLOT_COUNT);
        struct placement placement;
        unsigned count;
        collect->looked++;
        if (!slot_set_has(store_slots_used(sync->options.store), slot))
            continue;
        layout_placement(sync->layout, slot, &placement);
        const uint64_t *readers = placement_readers(&placement, &count);
        if (count > 0 && readers[0] == sync->options.node)
            store_find_collectable(sync->options.store, slot, before_ms, COLLECT_OF_SLOT_MAX, found,
                                   collect);
    }
    return collect->looked == SLOT_COUNT;
}

static void begin_round(struct sync *sync)
{
    struct collect *collect = sync->collect;
    collect->node_count = 0;
    collect->is_full = is_full(collect);
    if (MUTANT(tombstone_collected_by_one)) {
        struct bytes rest = buffer_bytes(&collect->listed), name;
        uint64_t digest;
        while (sync_next_listed(&rest, &digest, &name))
            sync->stats.collected +=
                store_give_away(sync->options.store, name, digest) == STATUS_OK;
    }
    if (collect->count > 0 && barrier_each_node(sync, add_node, sync))
        propose(sync);
    else
        collect_void(sync);
}

/* A planted bug: each owner for itself, once in a while. */
static void collect_by_the_clock(struct sync *sync)
{
    struct collect *collect = sync->collect;
    struct bytes rest, name;
    uint64_t digest;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_set_has(&sync->owned, (uint16_t)slot))
            store_find_collectable(sync->options.store, (uint16_t)slot, 0, COLLECT_OF_SLOT_MAX,
                                   found, collect);
    rest = buffer_bytes(&collect->listed);
    while (sync_next_listed(&rest, &digest, &name))
        sync->stats.collected += store_give_away(sync->options.store, name, digest) == STATUS_OK;
    collect_void(sync);
}

void collect_tick(struct sync *sync)
{
    struct collect *collect = sync->collect;
    if (MUTANT(tombstone_by_a_local_clock)) {
        if (sync->now_ms >= collect->next_ms)
            collect_by_the_clock(sync);
        return;
    }
    if (collect->state != COLLECT_IDLE) {
        if (sync->now_ms >= collect->deadline_ms || !round_holds(sync))
            collect_void(sync);
        return;
    }
    if (sync->now_ms < collect->next_ms || store_collectable_count(sync->options.store) == 0)
        return;
    if (find_more(sync))
        begin_round(sync);
}
