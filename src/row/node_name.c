/* SPDX-License-Identifier: MIT */
#include "row/node_name.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/pack.h"
#include "base/xxh.h"

enum { NUMBER_DIGITS = 12, NUMBER_BYTES = NUMBER_DIGITS / 2 };

void node_name(uint64_t node, char out[NODE_NAME_SIZE])
{
    char number[NUMBER_BYTES], digits[2 * sizeof(struct xxh128) + 1];
    check(node >> (8 * NUMBER_BYTES) == 0);
    pack_be(number, node, sizeof(number));
    struct xxh128 hash = xxh128(bytes_of(number, sizeof(number)));
    snprintf(digits, sizeof(digits), "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    snprintf(out, NODE_NAME_SIZE, "%012" PRIx64 "%.*s", node, NODE_NAME_DIGITS - NUMBER_DIGITS,
             digits);
}

bool node_name_parse(struct bytes name, uint64_t *out_node)
{
    char whole[NODE_NAME_SIZE];
    uint64_t node = 0;
    if (name.size != NODE_NAME_DIGITS)
        return false;
    for (unsigned i = 0; i < NUMBER_DIGITS; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c >= '0' && c <= '9')
            node = node << 4 | (c - (unsigned)'0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            node = node << 4 | ((c | 0x20) - (unsigned)'a' + 10);
        else
            return false;
    }
    node_name(node, whole);
    if (!bytes_equal_nocase(name, bytes_of(whole, NODE_NAME_DIGITS)))
        return false;
    *out_node = node;
    return true;
}
