/* SPDX-License-Identifier: MIT */
/* SHUTDOWN and TIME; SAVE and its kin, which seal. */
#include "admin/admin.h"

/* ---- saving ---------------------------------------------------------------------------------- */

/*
 * All data is on disk before anyone asks. What SAVE adds is that it stands in the ordered files,
 * so that the next start replays no log: what a snapshot is to Redis.
 */
static enum status cmd_save(struct request *request)
{
    enum status status = store_seal_now(request->admin->store);
    if (status == STATUS_OK)
        reply_ok(request->reply);
    return status;
}

static bool is_sealing(const struct request *request)
{
    struct store_stats store;
    store_stats(request->admin->store, &store);
    return store.sealing > 0;
}

static enum status cmd_bgsave(struct request *request)
{
    bool schedule = request->argc == 2 && bytes_equal_nocase(request->argv[1], BYTES("schedule"));
    if (request->argc > 1 && !schedule)
        return STATUS_SYNTAX;
    bool busy = is_sealing(request);
    if (busy && !schedule)
        return request_refuse(request, "ERR Background save already in progress");
    store_seal_soon(request->admin->store);
    reply_simple(request->reply,
                 busy ? BYTES("Background saving scheduled") : BYTES("Background saving started"));
    return STATUS_OK;
}

/* A seal ends the log that is older. */
static enum status cmd_bgrewriteaof(struct request *request)
{
    bool busy = is_sealing(request);
    store_seal_soon(request->admin->store);
    reply_simple(request->reply, busy ? BYTES("Background append only file rewriting scheduled")
                                      : BYTES("Background append only file rewriting started"));
    return STATUS_OK;
}

static enum status cmd_lastsave(struct request *request)
{
    struct store_stats store;
    store_stats(request->admin->store, &store);
    reply_integer(request->reply, (int64_t)(store.sealed_ms / 1000));
    return STATUS_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

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
    if (abort) /* a stop once begun takes no more requests */
        return request_refuse(request, "ERR No shutdown in progress.");
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

#define SAVE_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING)

const struct command server_commands[] = {
    {.name = "bgrewriteaof",
     .handler = cmd_bgrewriteaof,
     .arity = 1,
     .flags = SAVE_FLAGS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Asynchronously rewrites the append-only file to disk."},
    {.name = "bgsave",
     .handler = cmd_bgsave,
     .arity = -1,
     .flags = SAVE_FLAGS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "[SCHEDULE]",
     .summary = "Asynchronously saves the database(s) to disk.",
     .differs = "Begins a seal, see SAVE; BGREWRITEAOF too."},
    {.name = "lastsave",
     .handler = cmd_lastsave,
     .arity = 1,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .categories = CAT_ADMIN | CAT_DANGEROUS,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "",
     .summary = "Returns the Unix timestamp of the last successful save to disk.",
     .tips = "nondeterministic_output"},
    {.name = "save",
     .handler = cmd_save,
     .arity = 1,
     .flags = SAVE_FLAGS | CMD_NO_MULTI,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(N log N) where N is the number of rows not yet sealed",
     .syntax = "",
     .summary = "Synchronously saves the database(s) to disk.",
     .differs =
         "Data is on disk without it. It seals: what stands in the log goes into the ordered "
         "files, so that the next start replays nothing. While another seal is under way it "
         "waits for it."},
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
    {0},
};
