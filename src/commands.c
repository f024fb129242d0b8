/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "admin/admin.h"
#include "command/tables.h"
#include "session/session.h"

/* clang-format off */
const struct command *const command_tables[] = {
    string_commands,
    string_many_commands,
    string_range_commands,
    string_number_commands,
    lcs_commands,
    bitmap_commands,
    bitop_commands,
    bitfield_commands,
    key_commands,
    rename_commands,
    dump_commands,
    object_commands,
    randomkey_commands,
    expire_commands,
    vc_commands,
    keyspace_commands,
    connection_commands,
    consistency_commands,
    acl_commands,
    command_commands,
    config_commands,
    debug_commands,
    info_commands,
    latency_commands,
    lolwut_commands,
    memory_commands,
    monitor_commands,
    replication_commands,
    server_commands,
    slowlog_commands,
    cluster_commands,
    module_commands,
    NULL,
};
/* clang-format on */
