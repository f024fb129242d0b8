/* SPDX-License-Identifier: MIT */
/*
 * Sessions (Terry et al. 1994) over registers: of what one client was shown, or wrote itself, it
 * is not to lose sight: monotonic reads, read your writes. Real time alone decides, as in
 * check_history.h: a reply is a step back if what it shows was over before that began.
 *
 *   A5  a step back, where sessions are promised: in strict mode (monotonic reads only where 2R > N
 *       too), and where nothing ever goes wrong. Elsewhere it is counted, and how often the client
 *       had stayed at its node.
 */
#ifndef SIM_CHECK_SESSIONS_H
#define SIM_CHECK_SESSIONS_H

#include "sim/check_history.h"

void check_sessions(const struct history *history, size_t key, const struct check_options *options,
                    struct cluster_trace *trace, struct check_counts *counts);

#endif
