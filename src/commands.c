/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "admin/admin.h"
#include "command/tables.h"
#include "session/session.h"

const struct command *const command_tables[] = {
    string_commands, key_commands, connection_commands, admin_commands, NULL,
};
