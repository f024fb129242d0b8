/* SPDX-License-Identifier: MIT */
/* SHUTDOWN and TIME. */
#include "admin/admin.h"

static enum status cmd_shutdown(struct request *request)
{
    bool save = false, nosave = false, now = false, abort = false;
    for (uint32_t i = 1; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        if (bytes_equal_nocase(word, BYTES("save")))
            save = true;
        else if (bytes_equal_nocase(word, BYTES("nosave")))
            nosave = true;
        else if (bytes_equal_nocase(word, BYTES("now")))
            now = true;
        else if (bytes_equal_nocase(word, BYTES("abort")))
            abort = true;
        else if (!bytes_equal_nocase(word, BYTES("force"))) /* no error here keeps it from ending */
            return STATUS_SYNTAX;
    }
    if ((save && nosave) || (abort && request->argc > 2))
        return STATUS_SYNTAX;
    if (abort) {
        /* A stop once begun takes no more requests. */
        reply_error(request->reply, BYTES("ERR No shutdown in progress."));
        return STATUS_REPLIED;
    }
    /* No reply: clients know by the closed connection that it went well, as with Redis. */
    request->admin->shutdown(request->admin->context, save, now);
    return STATUS_OK;
}

static enum status cmd_time(struct request *request)
{
    reply_array(request->reply, 2);
    reply_bulk_integer(request->reply, (int64_t)(request->now_ms / 1000));
    reply_bulk_integer(request->reply, (int64_t)(request->now_ms % 1000 * 1000));
    return STATUS_OK;
}

const struct command server_commands[] = {
    {.name = "shutdown",
     .handler = cmd_shutdown,
     .arity = -1,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI | CMD_ALLOW_BUSY,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(N) when saving, where N is the number of rows not yet sealed, else O(1)",
     .syntax = "[save-selector: NOSAVE|SAVE] [NOW] [FORCE] [ABORT]",
     .summary = "Synchronously saves the database(s) to disk and shuts down the server."},
    {.name = "time",
     .handler = cmd_time,
     .arity = 1,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .since = "2.6.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns the server time.",
     .tips = "nondeterministic_output"},
    {.name = NULL},
};
