/* SPDX-License-Identifier: MIT */
/*
 * The notation in which the command table writes down arguments, and the tree that COMMAND DOCS
 * makes of it.
 *
 *   key:key value      values, of a type (string where none is given)
 *   NX                 a token that stands alone: any word that does not begin with a small letter
 *   nx=NX              the same, named: without a name it is the token in small letters
 *   EX seconds:integer a token in front of a value: one argument
 *   [...]              optional
 *   (...)              a group: what a token in front or "..." behind speaks of
 *   a|b                inside of [ ] or ( ): one of these
 *   a...               once or several times; a blank may stand before the dots
 *   [GET pattern]...   several times, with the token each time
 *   [LIMIT offset n]   a token in front of several values, first in its brackets: speaks of all
 *   (data: a b)        a name for the group, with a blank after the colon; without it, the token's
 *                      or those of its members, joined
 *
 * Types: key string integer double unix-time pattern.
 */
#ifndef COMMAND_COMMAND_SYNTAX_H
#define COMMAND_COMMAND_SYNTAX_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

enum { SYNTAX_DEPTH_MAX = 8 };

/* One argument, in Redis's terms. */
struct syntax_argument {
    struct bytes name;
    struct bytes type;  /* "key" and so on, or "pure-token", "oneof", "block" */
    struct bytes token; /* size 0: none */
    bool optional;
    bool multiple;
    bool multiple_token;
    struct syntax_argument *arguments; /* of a oneof or a block: the first */
    struct syntax_argument *next;
};

/* The first of the arguments, NULL: there are none. In the arena, with parts of `syntax`.
 * STATUS_SYNTAX. */
MUST_CHECK enum status command_syntax_parse(const char *syntax, struct arena *arena,
                                            struct syntax_argument **out_first);

#endif
