/* SPDX-License-Identifier: MIT */
/* How much memory a key takes: for MEMORY USAGE. A type whose keys have more than a head row adds
 * its rows to it. */
#ifndef TYPE_FOOTPRINT_H
#define TYPE_FOOTPRINT_H

#include <stdint.h>

#include "base/status.h"
#include "type/cell.h"

/*
 * Of a key that exists, whose head it is: bytes of its rows with what the table adds to each, as if
 * all were in memory. Of further rows at most `samples`, evenly spread, are looked at, and the rest
 * is taken to be like them; 0: all are. STATUS_COLD, STATUS_IO, STATUS_CORRUPT.
 */
MUST_CHECK enum status footprint(struct cell *head, uint64_t samples, uint64_t *out_bytes);

#endif
