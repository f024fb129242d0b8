/* SPDX-License-Identifier: MIT */
/* The tables of commands in this folder, one for each file; commands.c lists all tables there are.
 */
#ifndef COMMAND_TABLES_H
#define COMMAND_TABLES_H

#include "command/command.h"

extern const struct command string_commands[];
extern const struct command key_commands[];

#endif
