/* SPDX-License-Identifier: MIT */
/* Takes flushed rows out of memory, bit by bit: nobody sees them any more. */
#ifndef STORE_PURGE_H
#define STORE_PURGE_H

#include "store/state.h"

/* Looks at about so many entries. True if there is more to do. */
bool purge_tick(struct store *store, unsigned most);

#endif
