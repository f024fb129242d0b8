/* SPDX-License-Identifier: MIT */
/*
 * Digests of what clients see, for DEBUG DIGEST: of a value, whatever its type and however it is
 * stored. They tell whether two states are the same, on this server; Redis's are others. A type
 * adds how its values are read in pieces.
 */
#ifndef TYPE_DIGEST_H
#define TYPE_DIGEST_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "type/cell.h"

enum { DIGEST_SIZE = 20 };

struct digest {
    unsigned char bytes[DIGEST_SIZE];
};

/*
 * Of a key that exists: of its type, its value, and whether it expires. *out_size: how many bytes
 * were read for it. STATUS_COLD, STATUS_IO, STATUS_CORRUPT.
 */
MUST_CHECK enum status digest_value(struct cell *head, struct digest *out, uint64_t *out_size);

/* Adds a key with its value's digest to that of a whole: in whatever order keys are added, the
 * outcome is the same. */
void digest_add_key(struct digest *whole, uint8_t db, struct bytes key, const struct digest *value);

#endif
