/* SPDX-License-Identifier: MIT */
#include "sync/sync.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "sync/sync_state.h"

enum { LOOPBACK_HEAD = 5, SCRATCH_KEPT = 64 * 1024 };

/* ---- life ------------------------------------------------------------------------------------ */

struct sync *sync_new(const struct sync_options *options)
{
    struct sync *sync = memory_zeroed(sizeof(*sync));
    sync->options = *options;
    sync->random.state = options->random;
    sync->slots = memory_zeroed(SLOT_COUNT * sizeof(*sync->slots));
    sync->give_at_ms = memory_zeroed(SLOT_COUNT * sizeof(*sync->give_at_ms));
    sync->given_digest = memory_zeroed(SLOT_COUNT * sizeof(*sync->given_digest));
    sync->given_to = memory_zeroed(SLOT_COUNT * sizeof(*sync->given_to));
    list_init(&sync->pulls);
    list_init(&sync->serves);
    list_init(&sync->carries);
    list_init(&sync->givings);
    list_init(&sync->barriers);
    collect_init(sync);
    return sync;
}

static void peer_free(struct sync *sync, struct sync_peer *peer)
{
    hints_deinit(sync, peer);
    memory_free(peer->shared);
    memory_free(peer->asked);
    memory_free(peer);
}

void sync_free(struct sync *sync)
{
    if (sync == NULL)
        return;
    collect_free(sync);
    barrier_drop_node(sync, 0);
    give_away_drop(sync);
    hints_drop_batches(sync);
    pull_drop_node(sync, 0);
    serve_drop_node(sync, 0);
    for (size_t i = 0; i < sync->peer_count; i++)
        peer_free(sync, sync->peers[i]);
    memory_free(sync->peers);
    memory_free(sync->slots);
    memory_free(sync->give_at_ms);
    memory_free(sync->given_digest);
    memory_free(sync->given_to);
    buffer_deinit(&sync->loopback);
    buffer_deinit(&sync->scratch);
    memory_free(sync);
}

/* ---- peers ----------------------------------------------------------------------------------- */

/* The place of that node among the peers, or where it would be. */
static size_t peer_place(const struct sync *sync, uint64_t node)
{
    size_t low = 0, high = sync->peer_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sync->peers[middle]->node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sync_peer *sync_peer(const struct sync *sync, uint64_t node)
{
    size_t place = peer_place(sync, node);
    if (place == sync->peer_count || sync->peers[place]->node != node)
        return NULL;
    return sync->peers[place];
}

static struct sync_peer *peer_need(struct sync *sync, uint64_t node)
{
    size_t place = peer_place(sync, node);
    if (place < sync->peer_count && sync->peers[place]->node == node)
        return sync->peers[place];
    if (sync->peer_count == sync->peer_room) {
        sync->peer_room = sync->peer_room ? 2 * sync->peer_room : 8;
        sync->peers = memory_resize(sync->peers, sync->peer_room * sizeof(struct sync_peer *));
    }
    memmove(sync->peers + place + 1, sync->peers + place,
            (sync->peer_count - place) * sizeof(struct sync_peer *));
    struct sync_peer *peer = memory_zeroed(sizeof(*peer));
    peer->node = node;
    sync->peers[place] = peer;
    sync->peer_count++;
    return peer;
}

static void need_members(struct sync *sync, const struct ring *ring)
{
    for (uint32_t i = 0; i < ring->member_count; i++)
        if (ring->members[i].node != sync->options.node)
            peer_need(sync, ring->members[i].node);
}

/* Those that can't be reached and are no members are forgotten. */
static void forget_strangers(struct sync *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < sync->peer_count; i++) {
        struct sync_peer *peer = sync->peers[i];
        if (peer->up || layout_is_member(sync->layout, peer->node))
            sync->peers[kept++] = peer;
        else
            peer_free(sync, peer);
    }
    sync->peer_count = kept;
    sync->strangers_due = false;
}

bool sync_is_up(const struct sync *sync, uint64_t node)
{
    if (node == sync->options.node)
        return true;
    const struct sync_peer *peer = sync_peer(sync, node);
    return peer != NULL && peer->up && gossip_is_up(sync->options.gossip, node);
}

bool sync_is_down(const struct sync *sync, uint64_t node)
{
    const struct gossip_peer *peer = gossip_peer(sync->options.gossip, node);
    return node != sync->options.node && (peer == NULL || peer->life == GOSSIP_DOWN);
}

/* ---- layout ---------------------------------------------------------------------------------- */

void sync_set_numbers(struct sync *sync, unsigned read_quorum, unsigned write_quorum,
                      uint64_t now_ms)
{
    sync->options.read_quorum = read_quorum;
    sync->options.write_quorum = write_quorum;
    if (sync->layout)
        sync_set_layout(sync, sync->layout, now_ms);
}

void sync_set_layout(struct sync *sync, const struct layout *layout, uint64_t now_ms)
{
    sync->now_ms = now_ms;
    sync->layout_set_ms = now_ms;
    sync->layout = layout;
    collect_void(sync);
    barrier_drop_node(sync, 0);
    give_away_drop(sync);
    hints_drop_batches(sync);
    pull_drop_node(sync, 0);
    if (layout == NULL)
        return;
    need_members(sync, &layout->ring);
    need_members(sync, &layout->next);
    forget_strangers(sync);
    memset(sync->given_to, 0, SLOT_COUNT * sizeof(*sync->given_to));
    memset(sync->give_at_ms, 0, SLOT_COUNT * sizeof(*sync->give_at_ms));
    sync->scan_ms = 0;
    sync->tick_ms = 0;
    compare_set_layout(sync);
    moving_set_layout(sync);
}

unsigned sync_writers(const struct sync *sync, uint16_t slot, uint64_t out[LAYOUT_OWNERS_MAX])
{
    struct placement placement;
    layout_placement(sync->layout, slot, &placement);
    return placement_writers(&placement, out);
}

/* ---- messages -------------------------------------------------------------------------------- */

bool sync_send(struct sync *sync, uint64_t node, unsigned type, struct sync_message message)
{
    struct buffer payload = {0};
    message.cluster = sync->layout->cluster;
    message.version = sync->layout->version;
    sync_encode(type, &message, &payload);
    struct bytes bytes = buffer_bytes(&payload);
    bool sent = bytes.size <= MESSAGE_SIZE_MAX;
    if (node == sync->options.node) {
        char size[4];
        pack_u32(size, (uint32_t)bytes.size);
        buffer_append_u8(&sync->loopback, (uint8_t)type);
        buffer_append(&sync->loopback, size, sizeof(size));
        buffer_append_bytes(&sync->loopback, bytes);
    } else if (sent) {
        sent = outbox_send(&sync->options.outbox, node, type, bytes);
    }
    buffer_deinit(&payload);
    return sent;
}

/* Whether it is of this layout or its neighbour. */
static bool is_near(struct sync *sync, uint64_t from, const struct sync_message *message)
{
    uint64_t cluster = sync->layout ? sync->layout->cluster : 0;
    uint64_t version = sync->layout ? sync->layout->version : 0;
    if (message->cluster == cluster && message->version == version)
        return true;
    if (sync->options.other_layout != NULL)
        sync->options.other_layout(sync->options.context, from, message->cluster, message->version);
    uint64_t apart =
        message->version > version ? message->version - version : version - message->version;
    return sync->layout != NULL && message->cluster == cluster && apart <= 1;
}

/* Whoever confirms has synced what it had written when it was asked. */
static void heard_durable(struct sync *sync, uint64_t from, uint64_t number)
{
    struct sync_peer *peer = sync_peer(sync, from);
    if (peer != NULL && number > peer->durable && number <= sync->number)
        peer->durable = number;
}

static void dispatch(struct sync *sync, uint64_t from, unsigned type,
                     const struct sync_message *message)
{
    switch ((enum sync_type)type) {
    case SYNC_ASK_DIGESTS:
        compare_answer(sync, from, message);
        break;
    case SYNC_DIFFERING:
        compare_heard(sync, from, message);
        break;
    case SYNC_LISTED:
    case SYNC_ROWS:
    case SYNC_FAILED:
        pull_heard(sync, from, type, message);
        break;
    case SYNC_ASK_LIST:
    case SYNC_ASK_ROWS:
    case SYNC_OFFER:
    case SYNC_PUSH:
    case SYNC_PROPOSE:
    case SYNC_COLLECT:
        serve_heard(sync, from, type, message);
        break;
    case SYNC_WANTED:
    case SYNC_PUSHED:
        carry_heard(sync, from, type, message);
        break;
    case SYNC_CONFIRM:
        heard_durable(sync, from, message->number);
        collect_heard(sync, from, type, message);
        break;
    case SYNC_PASSED:
        collect_heard(sync, from, type, message);
        break;
    case SYNC_BARRIER:
        barrier_heard(sync, from, message);
        break;
    }
}

enum status sync_receive(struct sync *sync, uint64_t from, unsigned type, struct bytes payload,
                         uint64_t now_ms)
{
    struct sync_message message;
    enum status status = sync_decode(type, payload, &message);
    if (status != STATUS_OK)
        return status;
    sync->now_ms = now_ms;
    if (is_near(sync, from, &message))
        dispatch(sync, from, type, &message);
    return STATUS_OK;
}

/* What this node has said to itself. */
static void hear_loopback(struct sync *sync)
{
    struct buffer heard = sync->loopback;
    sync->loopback = (struct buffer){0};
    while (buffer_size(&heard) > 0) {
        struct bytes bytes = buffer_bytes(&heard);
        uint32_t size = unpack_u32(bytes.data + 1);
        struct bytes payload = bytes_of(bytes.data + LOOPBACK_HEAD, size);
        enum status status =
            sync_receive(sync, sync->options.node, (uint8_t)bytes.data[0], payload, sync->now_ms);
        check(status == STATUS_OK);
        buffer_consume(&heard, LOOPBACK_HEAD + size);
    }
    buffer_deinit(&heard);
}

/* ---- events ---------------------------------------------------------------------------------- */

void sync_node_up(struct sync *sync, uint64_t node, uint64_t now_ms)
{
    sync->now_ms = now_ms;
    if (node == sync->options.node)
        return;
    struct sync_peer *peer = peer_need(sync, node);
    peer->up = true;
    peer->hints_due_ms = now_ms;
    if (sync->layout == NULL)
        return;
    compare_node_up(sync, peer);
    sync->tick_ms = now_ms;
}

void sync_node_down(struct sync *sync, uint64_t node, uint64_t now_ms)
{
    sync->now_ms = now_ms;
    struct sync_peer *peer = sync_peer(sync, node);
    if (peer == NULL)
        return;
    peer->up = false;
    collect_void(sync);
    barrier_drop_node(sync, node);
    carry_drop_node(sync, node);
    pull_drop_node(sync, node);
    compare_node_down(sync, peer);
    sync->strangers_due = true; /* it may have left the layout while it could be reached */
}

void sync_missed(struct sync *sync, uint64_t node, uint16_t slot, struct bytes heads)
{
    struct bytes name;
    struct sync_peer *peer = sync_peer(sync, node);
    if (peer == NULL || slot >= SLOT_COUNT)
        return;
    while (sync_next_name(&heads, &name))
        hints_add(sync, peer, name);
}

static void tell_synced(struct sync *sync)
{
    if (!sync->synced_due || sync->to_gain > 0 ||
        !store_gate_passed(sync->options.store, sync->gain_gate))
        return;
    sync->synced_due = false;
    if (sync->options.synced != NULL)
        sync->options.synced(sync->options.context, sync->layout->version);
}

/* What has ended makes room for the next. */
static void end_carries(struct sync *sync)
{
    carry_tick(sync);
    hints_tick(sync);
    give_away_tick(sync);
}

void sync_turn_end(struct sync *sync, uint64_t now_ms)
{
    sync->now_ms = now_ms;
    if (sync->layout == NULL)
        return;
    hear_loopback(sync);
    serve_turn_end(sync);
    if (sync->pulls_due)
        pull_tick(sync);
    if (sync->carries_due)
        end_carries(sync);
    barrier_poll(sync);
    tell_synced(sync);
}

void sync_tick(struct sync *sync, uint64_t now_ms)
{
    sync->now_ms = now_ms;
    if (sync->layout == NULL)
        return;
    hear_loopback(sync);
    if (now_ms < sync->tick_ms)
        return;
    sync->tick_ms = now_ms + SYNC_TICK_MS;
    if (sync->strangers_due)
        forget_strangers(sync);
    compare_tick(sync);
    pull_tick(sync);
    end_carries(sync);
    serve_turn_end(sync);
    barrier_poll(sync);
    collect_tick(sync);
    tell_synced(sync);
}

uint64_t sync_deadline_ms(const struct sync *sync)
{
    if (sync->layout == NULL)
        return UINT64_MAX;
    return buffer_size(&sync->loopback) > 0 ? sync->now_ms : sync->tick_ms;
}

/* ---- what others have synced ----------------------------------------------------------------- */

/* A proposal to collect nothing. */
uint64_t sync_ask_durable(struct sync *sync)
{
    uint64_t question = ++sync->number;
    for (size_t i = 0; sync->layout != NULL && i < sync->peer_count; i++)
        if (layout_is_member(sync->layout, sync->peers[i]->node))
            sync_send(sync, sync->peers[i]->node, SYNC_PROPOSE,
                      (struct sync_message){.number = question});
    return question;
}

unsigned sync_durable_missing(const struct sync *sync, uint64_t question)
{
    unsigned missing = 0;
    for (size_t i = 0; sync->layout != NULL && i < sync->peer_count; i++)
        missing += layout_is_member(sync->layout, sync->peers[i]->node) &&
                   sync->peers[i]->durable < question;
    return missing;
}

bool sync_is_durable(const struct sync *sync, uint64_t node, uint64_t question)
{
    const struct sync_peer *peer = sync_peer(sync, node);
    return peer != NULL && peer->durable >= question;
}

/* ---- what there is --------------------------------------------------------------------------- */

void sync_set_time(struct sync *sync, int64_t ahead_ms)
{
    sync->ahead_ms = ahead_ms;
}

bool sync_is_agreed(const struct sync *sync, uint16_t slot)
{
    return sync_owns(sync, slot) && sync->slots[slot].agreed;
}

static uint64_t count_hints(const struct sync *sync)
{
    uint64_t count = 0;
    for (size_t i = 0; i < sync->peer_count; i++)
        count += hints_pending(sync->peers[i]);
    return count;
}

void sync_stats(const struct sync *sync, struct sync_stats *out)
{
    *out = sync->stats;
    out->slots_unequal = sync->differing;
    out->hints_pending = count_hints(sync);
    out->foreign = sync->layout ? give_away_count(sync) : 0;
    out->slots_to_gain = sync->to_gain;
    out->collectable = store_collectable_count(sync->options.store);
}

bool sync_is_quiet(const struct sync *sync)
{
    if (sync->layout == NULL || sync->scan_ms == 0 || sync->synced_due)
        return false;
    if (sync->pull_count + sync->serve_count + sync->carry_count + sync->giving_count > 0)
        return false;
    return give_away_count(sync) == 0 && sync->to_gain == 0 && count_hints(sync) == 0 &&
           compare_is_quiet(sync);
}
