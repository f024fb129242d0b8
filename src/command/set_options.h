/* SPDX-License-Identifier: MIT */
/* The options of SET and of what has some of them: when it is done, and how long the value lives. */
#ifndef COMMAND_SET_OPTIONS_H
#define COMMAND_SET_OPTIONS_H

#include "command/arguments.h"

struct set_options {
    bool if_absent;    /* NX */
    bool if_exists;    /* XX */
    bool get;          /* GET */
    bool keep;         /* KEEPTTL */
    bool persist;      /* PERSIST */
    struct bytes time; /* of EX, PX, EXAT, PXAT; NULL if none is given */
    struct time_unit unit;
};

enum options_of { OPTIONS_OF_SET, OPTIONS_OF_GETEX };

/* The arguments from `first` on. STATUS_SYNTAX. */
MUST_CHECK enum status set_options_parse(const struct request *request, uint32_t first,
                                         enum options_of of, struct set_options *out);

#endif
