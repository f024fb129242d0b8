/* SPDX-License-Identifier: MIT */
/*
 * Versions (VC.GET, VC.SET, VC.DEL): what a writer had seen comes from the values that its client
 * was shown, never from the store's vectors. Such a ghost set of a write holds the values that were
 * next to the context it brought, and the ghost sets of these.
 *
 *   A1, A6  an acknowledged value is neither there nor in the ghost set of one that is, nor of a
 *           deletion
 *   A2      a value stands next to one whose writer had seen it, or twice; or is there again after
 *           a deletion that had seen it, at the end (in strict mode: ever)
 *   A3      a value that nobody has written to that key
 *   A13     a refused write is there; a forged context was taken
 */
#ifndef SIM_CHECK_VERSIONS_H
#define SIM_CHECK_VERSIONS_H

#include "sim/check_history.h"

void check_versions(const struct history *history, size_t key, const struct check_options *options,
                    struct cluster_trace *trace, struct check_counts *counts);

#endif
