/* SPDX-License-Identifier: MIT */
/* The nodes that a bus knows of, by number. */
#ifndef BUS_PEER_TABLE_H
#define BUS_PEER_TABLE_H

#include "bus/bus.h"

/* A node that is wanted, or that has a link, or had one: its counts are kept while there is room.
 */
struct peer {
    uint64_t node;
    bool wanted;
    char host[BUS_HOST_MAX];
    uint16_t port;
    struct bus_link *out, *in; /* dialed, perhaps not open yet; accepted and open */
    bool left_out,
        left_in; /* the last of them that was open was closed over there, none is since */
    uint64_t sent, settled;
    uint64_t try_ms; /* when to dial, if `out` is NULL */
    uint64_t wait_ms;
};

struct peer_table {
    struct peer **peers; /* by number */
    size_t count, capacity;
};

void peer_table_deinit(struct peer_table *table);

struct peer *peer_find(const struct peer_table *table, uint64_t node);

/* Its entry, made if there is none, instead of one that is of no use any more if there are
 * BUS_PEERS_MAX. NULL: all of them are in use. Entries stay where they are. */
struct peer *peer_take(struct peer_table *table, uint64_t node);

#endif
