/* SPDX-License-Identifier: MIT */
#include "base/xxh.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t xxh64(struct bytes bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

struct xxh128 xxh128(struct bytes bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.size);
    return (struct xxh128){hash.high64, hash.low64};
}
