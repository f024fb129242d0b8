/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "admin/admin.h"
#include "command/tables.h"
#include "session/session.h"

const struct command *const command_tables[] = {
    string_commands,       string_many_commands,
    string_range_commands, string_number_commands,
    lcs_commands,          key_commands,
    expire_commands,       keyspace_commands,
    connection_commands,   command_commands,
    config_commands,       info_commands,
    server_commands,       NULL,
};
