/* SPDX-License-Identifier: MIT */
/*
 * What DUMP gives and RESTORE takes: the value of one key, of whatever type, as bytes that go
 * through files and other nodes. No expiry, no dots: whoever restores it makes a new event of it.
 *
 *   type(1) body... version(2) checksum(8)           little-endian
 *
 *   type      DUMP_STRING: the body is the string
 *   version   0x5300 + 1: so no version of Redis's format, which ends alike
 *   checksum  XXH3-64 of all before it
 *
 * Strings that a Redis has dumped are taken too: see dump_redis.h.
 *
 * A client may send any bytes: all are judged, by the checksum, then by what they mean.
 */
#ifndef TYPE_DUMP_H
#define TYPE_DUMP_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

enum {
    DUMP_VERSION = 0x5301,
    DUMP_OVERHEAD = 1 + 2 + 8, /* bytes around a string */
};

enum dump_type {
    DUMP_STRING = 0,
};

/* A value, taken apart. */
struct dump {
    enum dump_type type;
    struct bytes string; /* DUMP_STRING */
};

/* The bytes, in the arena. */
struct bytes dump_encode(const struct dump *dump, struct arena *arena);

/*
 * Any bytes: STATUS_VERSION if the version is unknown or the checksum wrong, STATUS_CORRUPT if what
 * they protect is no value. The output borrows from the payload, or lives in the arena; what the
 * arena takes is bounded by the value's own limits.
 */
MUST_CHECK enum status dump_decode(struct bytes payload, struct arena *arena, struct dump *out);

#endif
