/* SPDX-License-Identifier: MIT */
/*
 * Where the other members of the layout were last: kept in the file `peers`, so that a node which
 * starts finds them also where none of its seeds is there. Only hints: a file that is damaged or
 * missing is as if nothing were known, and gossip corrects what has changed.
 *
 *   peers   | 1 | then of each: node(varint) bus port(varint) size of host(varint) host
 */
#ifndef NODE_ADDRESSES_H
#define NODE_ADDRESSES_H

#include "bus/bus.h"
#include "cluster/gossip.h"
#include "cluster/layout.h"
#include "store/files.h"

/* All zeros is an empty one. */
struct addresses {
    struct address *items;
    size_t count;
    struct buffer written; /* what the file holds */
};

/* Reads them, and has the bus dial those that are members. */
void addresses_load(struct addresses *addresses, struct files *files, const struct layout *layout,
                    uint64_t own_node, struct bus *bus);
void addresses_deinit(struct addresses *addresses);

/* Drops one that is no member any more; false: all are. */
bool addresses_drop(struct addresses *addresses, const struct layout *layout, uint64_t *out_node);

/* Keeps what gossip says of members; what it has not heard of yet stays. Writes the file where
 * something has changed; when that fails, the next call tries again. */
void addresses_keep(struct addresses *addresses, struct files *files, const struct layout *layout,
                    const struct gossip *gossip);

#endif
