/* SPDX-License-Identifier: MIT */
/* The options of SET and of what has some of them: when it is done, how long the value lives. */
#ifndef COMMAND_SET_OPTIONS_H
#define COMMAND_SET_OPTIONS_H

#include "command/arguments.h"

enum condition {
    IF_ANYTHING,
    IF_ABSENT,           /* NX */
    IF_EXISTS,           /* XX */
    IF_EQUAL,            /* IFEQ value: not of an absent key */
    IF_NOT_EQUAL,        /* IFNE value: an absent key equals nothing */
    IF_DIGEST_EQUAL,     /* IFDEQ digest: as IFEQ, by what DIGEST says of the value */
    IF_DIGEST_NOT_EQUAL, /* IFDNE digest */
};

struct set_options {
    enum condition condition;
    struct bytes compared; /* value or digest */
    bool get;              /* GET */
    bool keep;             /* KEEPTTL */
    bool persist;          /* PERSIST */
    struct bytes time;     /* of EX, PX, EXAT, PXAT; NULL if none is given */
    struct time_unit unit;
};

enum options_of { OPTIONS_OF_SET, OPTIONS_OF_GETEX, OPTIONS_OF_MSETEX, OPTIONS_OF_VC_SET };

/* The arguments from `first` on. STATUS_SYNTAX; a digest that is none is replied. */
MUST_CHECK enum status set_options_parse(const struct request *request, uint32_t first,
                                         enum options_of of, struct set_options *out);

/*
 * The word of a condition that compares: false if it is another word. Its argument is checked by
 * condition_check.
 */
bool condition_parse(struct bytes word, enum condition *out);
MUST_CHECK enum status condition_check(const struct request *request, enum condition condition,
                                       struct bytes compared);

/*
 * Whether it holds of the key. What compares reads strings only, and no more of a long one than its
 * length where that is another: STATUS_WRONG_TYPE, and what reading gives.
 */
MUST_CHECK enum status condition_holds(struct cell *head, enum condition condition,
                                       struct bytes compared, bool *out_holds);

enum { DIGEST_DIGITS = 16 };

/* What DIGEST says of a value: its XXH3-64, in hexadecimal. */
void digest_text(struct bytes value, char out[DIGEST_DIGITS + 1]);

#endif
