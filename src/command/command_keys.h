/* SPDX-License-Identifier: MIT */
/* Which arguments of a request are its keys, by what the command's table says. */
#ifndef COMMAND_COMMAND_KEYS_H
#define COMMAND_COMMAND_KEYS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "command/command.h"

struct command_key {
    uint32_t position; /* in argv */
    uint32_t flags;    /* enum key_flag */
};

/*
 * The keys of a request whose number of arguments is right for the command; in the arena.
 * STATUS_INVALID: the arguments are not what the table says (a number of keys that is none, or is
 * too large), or the keys cannot be known from it.
 */
MUST_CHECK enum status command_keys(const struct command *command, const struct bytes *argv,
                                    uint32_t argc, struct arena *arena,
                                    struct command_key **out_keys, size_t *out_count);

#endif
