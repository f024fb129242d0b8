/* SPDX-License-Identifier: MIT */
/*
 * What Redis's own DUMP gives, so that strings can be brought from there: type and value as in an
 * RDB file of that version. Read only, and of the types only strings: type 0, then one of
 *
 *   00nnnnnn                     and n bytes
 *   01nnnnnn n(1)                the same, 14 bits
 *   0x80 n(4) | 0x81 n(8)        the same, big-endian
 *   0xc0 i(1) | 0xc1 i(2) | 0xc2 i(4)    an integer, little-endian
 *   0xc3 packed size, size       lengths as above; then so many bytes of LZF (Lehmann)
 *
 * LZF: 000nnnnn and n + 1 bytes; or nnnooooo [more n, if n is 7] o(1): n + 2 of the bytes that
 * stand o + 1 before the end of the output, which may reach into themselves.
 */
#ifndef TYPE_DUMP_REDIS_H
#define TYPE_DUMP_REDIS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "type/dump.h"

enum { DUMP_REDIS_VERSION_MAX = 12 };

/*
 * Any bytes, without version and checksum: STATUS_CORRUPT if they are not just one string. Borrows,
 * or takes from the arena no more than the string's size, which is bounded by that of the input.
 */
MUST_CHECK enum status dump_redis_decode(struct bytes inside, struct arena *arena,
                                         struct dump *out);

#endif
