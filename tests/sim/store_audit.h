/* SPDX-License-Identifier: MIT */
/*
 * Recomputes what the store derives: lists, counts, bytes, the tier's facts, chunks and expiry
 * index.
 */
#ifndef SIM_STORE_AUDIT_H
#define SIM_STORE_AUDIT_H

#include "store/store.h"

/*
 * NULL if all is well, else what is wrong; a static text. Between turns only. Of what expired
 * before `purged_ms` nothing is to be left in the index (0: it may be).
 */
const char *store_audit(struct store *store, uint64_t purged_ms);

#endif
