/* SPDX-License-Identifier: MIT */
/* Going through a whole data directory: for --check and --salvage. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/facts.h"

/*
 * Counts what the tier holds; sums its digests where facts->digests says so. A row or a name that
 * is damaged is left out, and said in the report; STATUS_CORRUPT then, STATUS_IO if the tier cannot
 * be read to its end: the facts are of what could be read.
 */
MUST_CHECK enum status verify_count(struct tier *tier, struct facts *facts, struct buffer *report);

#endif
