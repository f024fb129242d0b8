/* SPDX-License-Identifier: MIT */
/* A key under another name or in another database: RENAME, RENAMENX, COPY, MOVE. */
#include "command/arguments.h"
#include "command/tables.h"
#include "store/store.h"
#include "type/value.h"

/* One key is to be what another is. */
struct transfer {
    struct bytes key, new_key;
    uint8_t db, new_db;
    bool replaces; /* what the new key was */
    bool keeps;    /* the old key stays */
};

/* Looks for both before it gives up on the first that is cold. */
static enum status find_both(struct request *request, const struct transfer *transfer,
                             struct cell *out_from, struct cell *out_to)
{
    enum status from = transfer->keeps
                           ? argument_key_read_in(request, transfer->db, transfer->key, out_from)
                           : argument_key_in(request, transfer->db, transfer->key, out_from);
    if (from != STATUS_OK && from != STATUS_COLD)
        return from;
    if (from == STATUS_OK && !out_from->exists)
        return STATUS_OK;
    enum status to = argument_key_in(request, transfer->new_db, transfer->new_key, out_to);
    return from != STATUS_OK ? from : to;
}

/* *out_found: there is such a key. *out_done: and its value has come to the new one. */
static enum status run(struct request *request, const struct transfer *transfer, bool *out_found,
                       bool *out_done)
{
    struct cell from, to;
    *out_done = false;
    enum status status = find_both(request, transfer, &from, &to);
    if (status != STATUS_OK)
        return status;
    *out_found = from.exists;
    if (!from.exists || bytes_equal(from.name, to.name) || (to.exists && !transfer->replaces))
        return STATUS_OK;
    status = value_copy(&from, &to);
    if (status == STATUS_OK && !transfer->keeps)
        status = cell_delete(&from);
    *out_done = status == STATUS_OK;
    return status;
}

static enum status rename_key(struct request *request, bool replaces, bool *out_done)
{
    struct transfer transfer = {
        .key = request->argv[1],
        .new_key = request->argv[2],
        .db = request->db,
        .new_db = request->db,
        .replaces = replaces,
    };
    bool found;
    enum status status = run(request, &transfer, &found, out_done);
    return status == STATUS_OK && !found ? STATUS_ABSENT : status;
}

static enum status cmd_rename(struct request *request)
{
    bool done;
    enum status status = rename_key(request, true, &done);
    if (status == STATUS_OK)
        reply_ok(request->reply); /* also where both names are the same */
    return status;
}

static enum status cmd_renamenx(struct request *request)
{
    bool done;
    enum status status = rename_key(request, false, &done);
    if (status == STATUS_OK)
        reply_integer(request->reply, done);
    return status;
}

/* COPY and MOVE: 1 or 0, whatever kept it from being done. */
static enum status run_counted(struct request *request, const struct transfer *transfer)
{
    bool found, done;
    if (transfer->db == transfer->new_db && bytes_equal(transfer->key, transfer->new_key))
        return request_refuse(request, "ERR source and destination objects are the same");
    enum status status = run(request, transfer, &found, &done);
    if (status == STATUS_OK)
        reply_integer(request->reply, done);
    return status;
}

static enum status argument_new_db(struct request *request, struct bytes text, uint8_t *out_db)
{
    uint8_t index;
    enum status status = argument_database(request, text, &index);
    if (status == STATUS_OK)
        *out_db = store_database(request->txn->store, index);
    return status;
}

static enum status cmd_copy(struct request *request)
{
    struct transfer transfer = {
        .key = request->argv[1],
        .new_key = request->argv[2],
        .db = request->db,
        .new_db = request->db,
        .keeps = true,
    };
    for (uint32_t i = 3; i < request->argc; i++) {
        if (bytes_equal_nocase(request->argv[i], BYTES("REPLACE"))) {
            transfer.replaces = true;
        } else if (bytes_equal_nocase(request->argv[i], BYTES("DB")) && i + 1 < request->argc) {
            enum status status = argument_new_db(request, request->argv[++i], &transfer.new_db);
            if (status != STATUS_OK)
                return status;
        } else {
            return STATUS_SYNTAX;
        }
    }
    return run_counted(request, &transfer);
}

static enum status cmd_move(struct request *request)
{
    struct transfer transfer = {
        .key = request->argv[1],
        .new_key = request->argv[1],
        .db = request->db,
    };
    enum status status = argument_new_db(request, request->argv[2], &transfer.new_db);
    if (status != STATUS_OK)
        return status;
    return run_counted(request, &transfer);
}

static const struct key_spec rename_keys[] = {
    {.flags = KEY_RW | KEY_ACCESS | KEY_DELETE, .begin = 1, .step = 1},
    {.flags = KEY_OW | KEY_UPDATE, .begin = 2, .step = 1},
    {0},
};
static const struct key_spec renamenx_keys[] = {
    {.flags = KEY_RW | KEY_ACCESS | KEY_DELETE, .begin = 1, .step = 1},
    {.flags = KEY_OW | KEY_INSERT, .begin = 2, .step = 1},
    {0},
};
static const struct key_spec copy_keys[] = {
    {.flags = KEY_RO | KEY_ACCESS, .begin = 1, .step = 1},
    {.flags = KEY_OW | KEY_UPDATE, .begin = 2, .step = 1},
    {0},
};

/* clang-format off */
const struct command rename_commands[] = {
    {
        .name = "rename", .handler = cmd_rename, .arity = 3,
        .flags = CMD_WRITE, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 2, .key_step = 1, .key_specs = rename_keys,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value: it is written anew under the new "
                      "name.",
        .summary = "Renames a key and overwrites the destination.",
        .syntax = "key:key newkey:key",
    },
    {
        .name = "renamenx", .handler = cmd_renamenx, .arity = 3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 2, .key_step = 1, .key_specs = renamenx_keys,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value: it is written anew under the new "
                      "name.",
        .summary = "Renames a key only when the target key name doesn't exist.",
        .syntax = "key:key newkey:key",
    },
    {
        .name = "copy", .handler = cmd_copy, .arity = -3,
        .flags = CMD_WRITE | CMD_DENYOOM, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 2, .key_step = 1, .key_specs = copy_keys,
        .since = "6.2.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value.",
        .summary = "Copies the value of a key to a new key.",
        .syntax = "source:key destination:key [DB destination-db:integer] [REPLACE]",
    },
    {
        .name = "move", .handler = cmd_move, .arity = 3,
        .flags = CMD_WRITE | CMD_FAST, .categories = CAT_KEYSPACE,
        .first_key = 1, .last_key = 1, .key_step = 1,
        .key_flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(N) where N is the size of the value: it is written anew in the other "
                      "database.",
        .summary = "Moves a key to another database.",
        .syntax = "key:key db:integer",
    },
    {0},
};
/* clang-format on */
