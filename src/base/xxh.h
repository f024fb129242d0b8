/* SPDX-License-Identifier: MIT */
/* XXH3 (Collet), the one hash of Shoal: placement, tables, checksums. Not for secrets. */
#ifndef BASE_XXH_H
#define BASE_XXH_H

#include <stdint.h>

#include "base/bytes.h"

struct xxh128 {
    uint64_t high;
    uint64_t low;
};

uint64_t xxh64(struct bytes bytes);
struct xxh128 xxh128(struct bytes bytes);

#endif
