/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "admin/admin.h"
#include "command/tables.h"
#include "session/session.h"

/* clang-format off */
const struct command *const command_tables[] = {
    string_commands,
    bitmap_commands,
    bitfield_commands,
    key_commands,
    expire_commands,
    keyspace_commands,
    connection_commands,
    acl_commands,
    command_commands,
    config_commands,
    debug_commands,
    info_commands,
    lolwut_commands,
    memory_commands,
    replication_commands,
    server_commands,
    cluster_commands,
    module_commands,
    NULL,
};
/* clang-format on */
