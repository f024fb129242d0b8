/* SPDX-License-Identifier: MIT */
/* Histories by hand, for tests of checkers: a table of what clients did to one key. */
#ifndef SUPPORT_TOLD_HISTORY_H
#define SUPPORT_TOLD_HISTORY_H

#include "sim/check_history.h"

enum { TOLD_NOTHING = -1 };

struct told {
    unsigned client, node;
    enum history_verb verb;
    uint64_t begun_ms, ended_ms; /* 0: no reply ever comes */
    int64_t reply; /* the place in the table of who wrote what it shows, or TOLD_NOTHING; a sum; of
                      what has a condition whether it held */
    int64_t amount;
};

/* Runs all checkers. The one that says something; an empty text: none does. The text is the
 * caller's to copy before the next call. */
const char *told_history_check(enum history_class class, const struct told *told, size_t count,
                               const struct check_options *options, struct check_counts *out);

#endif
