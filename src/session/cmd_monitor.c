/* SPDX-License-Identifier: MIT */
#include "session/session.h"

/* Who watches already gets no second reply, as in Redis. */
static enum status cmd_monitor(struct request *request)
{
    struct session *session = request->session;
    if (!list_is_empty(&session->monitoring))
        return STATUS_OK;
    list_append(&session->sessions->monitors, &session->monitoring);
    reply_ok(request->reply);
    return STATUS_OK;
}

const struct command monitor_commands[] = {
    {.name = "monitor",
     .handler = cmd_monitor,
     .arity = 1,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1), then O(N) for each command run, where N is the number of such clients",
     .syntax = "",
     .summary = "Listens for all requests received by the server in real-time.",
     .differs = "Times are to the millisecond. Who does not read is cut off by the limit of class "
                "pubsub of client-output-buffer-limit."},
    {0},
};
