/* SPDX-License-Identifier: MIT */
/*
 * The tables of commands, one for each file of handlers; commands.c lists those that the server
 * has.
 */
#ifndef COMMAND_TABLES_H
#define COMMAND_TABLES_H

#include "command/command.h"

extern const struct command string_commands[];
extern const struct command string_many_commands[];
extern const struct command string_range_commands[];
extern const struct command string_number_commands[];
extern const struct command lcs_commands[];
extern const struct command key_commands[];
extern const struct command rename_commands[];
extern const struct command dump_commands[];
extern const struct command object_commands[];
extern const struct command randomkey_commands[];
extern const struct command expire_commands[];
extern const struct command vc_commands[]; /* VC.GET, VC.SET... */
extern const struct command bitmap_commands[];
extern const struct command bitop_commands[];
extern const struct command bitfield_commands[];
extern const struct command keyspace_commands[];

#endif
