/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "admin/admin.h"
#include "command/tables.h"
#include "session/session.h"

const struct command *const command_tables[] = {
    string_commands,     key_commands,
    rename_commands,     dump_commands,
    object_commands,     randomkey_commands,
    expire_commands,     keyspace_commands,
    connection_commands, command_commands,
    config_commands,     info_commands,
    server_commands,     NULL,
};
