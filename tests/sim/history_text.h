/* SPDX-License-Identifier: MIT */
/*
 * Histories as text: so the checkers judge what clients of real processes saw, and a history can be
 * kept, read, and written by hand.
 *
 *     history 1 slack_us=5000 strict
 *     1 c0 n1 1200 1900 done SET hot:0 1@hot:0; = OK
 *     2 c1 n2 1300 9000 unknown INCRBY sum:0 3
 *     3 c1 n2 9100 9400 done VC.GET ver:0 =
 *     4 c1 n2 9500 9900 done VC.SET ver:0 4@ver:0; @3 = OK
 *     # all is healed
 *     5 c0 n3 10000 10300 final GET hot:0 = 1@hot:0;
 *
 * The first line has the number of the format and what of check_options is not 0. Each other line
 * is one operation, numbered from 1 in the order of their beginnings, its words parted by a space,
 * or a remark:
 *
 *     NUMBER CLIENT NODE BEGUN ENDED OUTCOME COMMAND KEY ARGUMENT... [= REPLY...]
 *
 * BEGUN and ENDED are microseconds of one clock; without a reply, ENDED is when the client gave up.
 * OUTCOME is `done`, `unknown`, `refused` (cluster_history.h), or `final`: done, after all was
 * healed. What stands behind `=` counts only where something was done: `nil`, or the reply's words;
 * VC.GET's without the context.
 *
 * Commands are those of history_verb_name as a client says them: SET with `NX` or `PX ms` behind
 * its value instead of SETNX. Keys and values are those of cluster_history.h. The context of VC.SET
 * and VC.DEL is `-`, none, or `@N`: what VC.GET number N has given; `!N`: that, but forged.
 */
#ifndef SIM_HISTORY_TEXT_H
#define SIM_HISTORY_TEXT_H

#include "sim/check_history.h"

struct history_fault {
    size_t line; /* from 1 */
    const char *what;
};

/* Into a history that is empty. False: it is no such text, and of the history nothing is to be
 * used. */
bool history_text_read(struct bytes text, struct history *history, struct check_options *options,
                       struct history_fault *out_fault);

#endif
