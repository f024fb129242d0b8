/* SPDX-License-Identifier: MIT */
/*
 * Heads that owners have missed, by what the coordinator knows: each is brought to its owner as
 * soon as that is up, as it is by then. A head leaves this memory only when its owner has
 * acknowledged it. Names beyond the bounds are forgotten, as all are at a restart: comparing
 * digests finds out as well, only later.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/xxh.h"
#include "sync/sync_state.h"

enum { HINTS_ROOM_MIN = 64, HINTS_AGAIN_MS = 500, HINTS_KEPT = 4096 };

struct hint_batch {
    struct sync *sync;
    struct sync_peer *peer;
    struct buffer names; /* missed again if it fails */
    uint32_t count;
    struct export *export;
    struct carry *carry;
    struct buffer listed;
    bool within, finished;
    enum status status;
};

/* ---- the set --------------------------------------------------------------------------------- */

static uint64_t hash_of(struct bytes name)
{
    uint64_t hash = xxh64(name);
    return hash ? hash : 1;
}

static size_t place_of(const struct hints *hints, uint64_t hash)
{
    size_t place = hash & (hints->room - 1);
    while (hints->hashes[place] != 0 && hints->hashes[place] != hash)
        place = (place + 1) & (hints->room - 1);
    return place;
}

static void grow(struct hints *hints)
{
    struct hints old = *hints;
    hints->room = old.room ? 2 * old.room : HINTS_ROOM_MIN;
    hints->hashes = memory_zeroed(hints->room * sizeof(*hints->hashes));
    for (size_t i = 0; i < old.room; i++)
        if (old.hashes[i] != 0)
            hints->hashes[place_of(hints, old.hashes[i])] = old.hashes[i];
    memory_free(old.hashes);
}

/* Those behind it move up, so that no probe ends early (Knuth 6.4, algorithm R). */
static void take_out(struct hints *hints, uint64_t hash)
{
    size_t mask = hints->room - 1, hole = place_of(hints, hash);
    if (hints->hashes[hole] == 0)
        return;
    for (size_t at = (hole + 1) & mask; hints->hashes[at] != 0; at = (at + 1) & mask) {
        size_t home = hints->hashes[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        hints->hashes[hole] = hints->hashes[at];
        hole = at;
    }
    hints->hashes[hole] = 0;
}

void hints_add(struct sync *sync, struct sync_peer *peer, struct bytes head)
{
    struct hints *hints = &peer->hints;
    uint64_t hash = hash_of(head);
    if (2 * (hints->count + 1) > hints->room)
        grow(hints);
    size_t place = place_of(hints, hash), before = buffer_size(&hints->queue);
    /* Another name of the same hash is left to comparing. */
    if (hints->hashes[place] != 0 || before + head.size > HINTS_BYTES_MAX ||
        sync->hint_bytes + head.size > HINTS_ALL_MAX)
        return;
    hints->hashes[place] = hash;
    hints->count++;
    sync_add_name(&hints->queue, head);
    sync->hint_bytes += buffer_size(&hints->queue) - before;
}

size_t hints_pending(const struct sync_peer *peer)
{
    return peer->hints.count + (peer->hint_batch ? peer->hint_batch->count : 0);
}

/* ---- a batch --------------------------------------------------------------------------------- */

static void batch_free(struct hint_batch *batch)
{
    batch->peer->hint_batch = NULL;
    export_cancel(batch->export);
    carry_cancel(batch->carry);
    buffer_deinit(&batch->names);
    buffer_deinit(&batch->listed);
    memory_free(batch);
}

static void batch_failed(struct hint_batch *batch)
{
    struct bytes rest = buffer_bytes(&batch->names), name;
    while (sync_next_name(&rest, &name))
        hints_add(batch->sync, batch->peer, name);
    batch->peer->hints_due_ms = batch->sync->now_ms + HINTS_AGAIN_MS;
    batch_free(batch);
}

static void brought(void *context, bool done)
{
    struct hint_batch *batch = context;
    batch->carry = NULL;
    if (done)
        batch_free(batch);
    else
        batch_failed(batch);
}

static void batch_carry(struct hint_batch *batch)
{
    if (batch->status != STATUS_OK) {
        batch_failed(batch);
        return;
    }
    if (buffer_size(&batch->listed) == 0) {
        batch_free(batch);
        return;
    }
    batch->carry = carry_begin(batch->sync, &batch->peer->node, 1, buffer_bytes(&batch->listed),
                               brought, batch);
    if (batch->carry == NULL)
        batch_failed(batch);
}

static void batch_digests(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct hint_batch *batch = context;
    struct bytes rest = buffer_bytes(&batch->names), name;
    batch->export = NULL;
    batch->finished = true;
    batch->status = status;
    for (size_t i = 0; status == STATUS_OK && i < count && sync_next_name(&rest, &name); i++)
        if (digests[i] != 0)
            sync_add_listed(&batch->listed, digests[i], name);
    if (!batch->within)
        batch_carry(batch);
}

/* Takes names from the front. Those of slots that the node no longer owns are not for it. */
static void take_names(struct hint_batch *batch)
{
    struct sync *sync = batch->sync;
    struct hints *hints = &batch->peer->hints;
    struct bytes name;
    while (hints->count > 0 && batch->count < CARRY_KEYS_MAX &&
           buffer_size(&batch->names) < CARRY_BYTES_MAX) {
        uint64_t writers[LAYOUT_OWNERS_MAX];
        struct bytes rest = buffer_bytes(&hints->queue);
        size_t before = rest.size;
        check(sync_next_name(&rest, &name));
        unsigned count = sync_writers(sync, row_key_slot(name), writers);
        for (unsigned i = 0; i < count; i++)
            if (writers[i] == batch->peer->node) {
                sync_add_name(&batch->names, name);
                batch->count++;
            }
        take_out(hints, hash_of(name));
        hints->count--;
        sync->hint_bytes -= before - rest.size;
        buffer_consume(&hints->queue, before - rest.size);
    }
    if (hints->count == 0)
        buffer_clear(&hints->queue, HINTS_KEPT);
}

static void batch_begin(struct sync *sync, struct sync_peer *peer)
{
    struct hint_batch *batch = memory_zeroed(sizeof(*batch));
    batch->sync = sync;
    batch->peer = peer;
    peer->hint_batch = batch;
    take_names(batch);
    if (batch->count == 0) {
        batch_free(batch);
        return;
    }
    batch->within = true;
    batch->export = export_digests(sync->options.store, buffer_bytes(&batch->names), sync->now_ms,
                                   batch_digests, batch);
    batch->within = false;
    if (batch->finished) {
        batch->export = NULL;
        batch_carry(batch);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

void hints_drop_batches(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count; i++)
        if (sync->peers[i]->hint_batch != NULL)
            batch_failed(sync->peers[i]->hint_batch);
}

void hints_deinit(struct sync *sync, struct sync_peer *peer)
{
    if (peer->hint_batch != NULL)
        batch_free(peer->hint_batch);
    sync->hint_bytes -= buffer_size(&peer->hints.queue);
    buffer_deinit(&peer->hints.queue);
    memory_free(peer->hints.hashes);
}

void hints_tick(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count; i++) {
        struct sync_peer *peer = sync->peers[i];
        if (peer->hints.count > 0 && peer->hint_batch == NULL &&
            sync->now_ms >= peer->hints_due_ms && sync_is_up(sync, peer->node))
            batch_begin(sync, peer);
    }
}
