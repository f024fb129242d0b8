/* SPDX-License-Identifier: MIT */
/*
 * Chunks that have come from another node before the head that names them: a long string takes more
 * than one import. When a head comes that names them they are as any; when one comes that has seen
 * the write that made them, and names them no more, or the key is collected, they are dropped: no
 * head ever drops what none has named.
 *
 * Only in memory: what waits while the process ends, and is left behind then, stays in the tier.
 */
#ifndef STORE_ORPHANS_H
#define STORE_ORPHANS_H

#include "store/state.h"

/* A chunk of that base and number is about to be stored; the head does not name it. Of too many
 * long strings the oldest is forgotten. */
void orphans_note(struct store *store, struct bytes head, struct dot base, uint32_t index);

/* The head has become this row, of size 0: it is collected. */
void orphans_settle(struct store *store, struct slot *slot, struct bytes head, struct bytes row);

void orphans_deinit(struct store *store);

#endif
