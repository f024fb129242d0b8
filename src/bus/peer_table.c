/* SPDX-License-Identifier: MIT */
#include "bus/peer_table.h"

#include "base/memory.h"

enum { CAPACITY_MIN = 16 };

void peer_table_deinit(struct peer_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        memory_free(table->peers[i]);
    memory_free(table->peers);
}

/* Where it stands, or is to stand. */
static size_t index_of(const struct peer_table *table, uint64_t node)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->peers[middle]->node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct peer *peer_find(const struct peer_table *table, uint64_t node)
{
    size_t i = index_of(table, node);
    return i < table->count && table->peers[i]->node == node ? table->peers[i] : NULL;
}

static bool forget_one(struct peer_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct peer *peer = table->peers[i];
        if (peer->wanted || peer->in || peer->out)
            continue;
        memory_free(peer);
        table->count--;
        memmove(table->peers + i, table->peers + i + 1, (table->count - i) * sizeof(struct peer *));
        return true;
    }
    return false;
}

struct peer *peer_take(struct peer_table *table, uint64_t node)
{
    struct peer *peer = peer_find(table, node);
    if (peer || (table->count == BUS_PEERS_MAX && !forget_one(table)))
        return peer;
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : CAPACITY_MIN;
        table->peers = memory_resize(table->peers, table->capacity * sizeof(struct peer *));
    }
    size_t i = index_of(table, node);
    memmove(table->peers + i + 1, table->peers + i, (table->count - i) * sizeof(struct peer *));
    table->count++;
    table->peers[i] = peer = memory_zeroed(sizeof(*peer));
    peer->node = node;
    peer->wait_ms = BUS_RETRY_MIN_MS;
    return peer;
}
