/* SPDX-License-Identifier: MIT */
/* The 16384 slots, exactly Redis Cluster's, so that cluster-aware clients route themselves. */
#ifndef ROW_SLOT_H
#define ROW_SLOT_H

#include <stdint.h>

#include "base/bytes.h"

/* Fewer only in the simulator's KIND=hunt: what its worlds cost are mostly empty slots. */
#ifndef SHOAL_SLOT_BITS
#define SHOAL_SLOT_BITS 14
#endif

enum { SLOT_BITS = SHOAL_SLOT_BITS, SLOT_COUNT = 1 << SLOT_BITS };

/*
 * CRC16 (XMODEM) of the key's hash tag, modulo 16384. The hash tag is what stands between the first
 * '{' and the first '}' after it, if that is not empty; else it is the whole key.
 */
uint16_t slot_of_key(struct bytes key);

#endif
