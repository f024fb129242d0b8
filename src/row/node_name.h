/* SPDX-License-Identifier: MIT */
/*
 * A node's name, as clients of a Redis Cluster know nodes: 40 hexadecimal digits. The first 12 are
 * its number, the rest follow from it (XXH3-128), so that a name with a digit wrong is nobody's.
 */
#ifndef ROW_NODE_NAME_H
#define ROW_NODE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    NODE_NAME_DIGITS = 40,
    NODE_NAME_SIZE = NODE_NAME_DIGITS + 1, /* with its NUL */
};

void node_name(uint64_t node, char out[NODE_NAME_SIZE]);

/* The node of that name, in digits of either case. False: it is no node's. */
bool node_name_parse(struct bytes name, uint64_t *out_node);

#endif
