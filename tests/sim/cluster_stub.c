/* SPDX-License-Identifier: MIT */
/* Weak: until the cluster's own sources are there, worlds have one node. */
#include "bus/bus.h"
#include "cluster/layout.h"
#include "node/node.h"
#include "quorum/quorum.h"
#include "store/export.h"
#include "sync/sync.h"

#define WEAK __attribute__((weak))

WEAK struct bus *node_bus(struct node *node)
{
    (void)node;
    return NULL;
}

WEAK const struct layout *node_layout(const struct node *node)
{
    (void)node;
    return NULL;
}

WEAK const struct gossip *node_gossip(const struct node *node)
{
    (void)node;
    return NULL;
}

WEAK const struct sync *node_sync(const struct node *node)
{
    (void)node;
    return NULL;
}

WEAK const struct quorum *node_quorum(const struct node *node)
{
    (void)node;
    return NULL;
}

WEAK struct bus_link *bus_accepted(struct bus *bus, const char *address, uint64_t now_ms)
{
    (void)bus, (void)address, (void)now_ms;
    return NULL;
}

WEAK void bus_connected(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    (void)bus, (void)link, (void)now_ms;
}

WEAK void bus_receive(struct bus *bus, struct bus_link *link, struct bytes bytes, uint64_t now_ms)
{
    (void)bus, (void)link, (void)bytes, (void)now_ms;
}

WEAK void bus_closed(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    (void)bus, (void)link, (void)now_ms;
}

WEAK struct bus_link *bus_next_output(struct bus *bus)
{
    (void)bus;
    return NULL;
}

WEAK struct bytes bus_output(const struct bus_link *link)
{
    (void)link;
    return bytes_of(NULL, 0);
}

WEAK void bus_sent(struct bus *bus, struct bus_link *link, size_t size)
{
    (void)bus, (void)link, (void)size;
}

WEAK void *bus_connection(const struct bus_link *link)
{
    (void)link;
    return NULL;
}

WEAK void bus_set_connection(struct bus_link *link, void *connection)
{
    (void)link, (void)connection;
}

WEAK void layout_placement(const struct layout *layout, uint16_t slot, struct placement *out)
{
    (void)layout, (void)slot;
    *out = (struct placement){0};
}

WEAK uint64_t store_slot_digest(const struct store *store, uint16_t slot)
{
    (void)store, (void)slot;
    return 0;
}

WEAK bool sync_is_quiet(const struct sync *sync)
{
    (void)sync;
    return true;
}

WEAK void sync_stats(const struct sync *sync, struct sync_stats *out)
{
    (void)sync;
    *out = (struct sync_stats){0};
}

WEAK void quorum_stats(const struct quorum *quorum, struct quorum_stats *out)
{
    (void)quorum;
    *out = (struct quorum_stats){0};
}
