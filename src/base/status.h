/* SPDX-License-Identifier: MIT */
/* The outcome of whatever can fail. One list; a text for operators and logs with each. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define STATUS_LIST(X)                                                                             \
    X(OK, "ok")                                                                                    \
    X(ABSENT, "no such thing")                                                                     \
    /* The way of a command: none of these reaches a client. */                                    \
    X(COLD, "not in memory: to be read from disk, then run again")                                 \
    X(YIELD, "more to do: to be run again in a later turn")                                        \
    X(THROTTLED, "memory for unsaved rows is full: to be run again when some is saved")            \
    X(PAUSED, "clients are paused: to be run when they no longer are")                             \
    X(AWAITING, "other nodes are asked first: to be run when they have answered")                  \
    X(FORWARDED, "it is no longer to run here: other nodes have, or will")                         \
    /* The store. */                                                                               \
    X(DISK_FULL, "no space left on the disk")                                                      \
    X(OUT_OF_MEMORY, "memory limit reached")                                                       \
    X(IO, "the disk reported an error")                                                            \
    X(CORRUPT, "stored data is damaged")                                                           \
    X(LOCKED, "in use by another process")                                                         \
    X(VERSION, "written in a format that this program does not know")                              \
    X(INVALID, "not valid")                                                                        \
    X(TOO_BIG, "too big")                                                                          \
    /* What a client may have got wrong: session/ has Redis's words for them. */                   \
    X(WRONG_TYPE, "holds another kind of value")                                                   \
    X(SYNTAX, "syntax error")                                                                      \
    X(NOT_INTEGER, "not an integer or out of range")                                               \
    X(NOT_FLOAT, "not a valid float")                                                              \
    X(OVERFLOW, "increment or decrement would overflow")                                           \
    X(NOT_FINITE, "increment would produce NaN or Infinity")                                       \
    X(REPLIED, "an error reply is already written")

enum status {
#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

/* A result that must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Never NULL. */
const char *status_text(enum status status);

#endif
