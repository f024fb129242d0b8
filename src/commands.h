/* SPDX-License-Identifier: MIT */
/* All commands of this server: tables as command_set_new takes them. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "command/command.h"

extern const struct command *const command_tables[];

#endif
