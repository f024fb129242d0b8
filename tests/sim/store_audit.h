/* SPDX-License-Identifier: MIT */
/* Recomputes what the store derives: lists, counts, bytes, the tier's facts. */
#ifndef SIM_STORE_AUDIT_H
#define SIM_STORE_AUDIT_H

#include "store/store.h"

/* NULL if all is well, else what is wrong; a static text. Between turns only. */
const char *store_audit(struct store *store);

#endif
