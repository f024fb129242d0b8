/* SPDX-License-Identifier: MIT */
/* CONSISTENCY: how many copies this client's reads and writes are to reach. */
#include "base/number.h"
#include "session/session.h"

static const struct level {
    const char *name;
    uint8_t value;
} levels[] = {
    {"default", 0},
    {"one", 1},
    {"quorum", CONSISTENCY_QUORUM},
    {"all", CONSISTENCY_ALL},
};

enum { LEVELS = sizeof(levels) / sizeof(*levels) };

static enum status parse_level(struct request *request, struct bytes word, uint8_t *out)
{
    int64_t number;
    for (unsigned i = 0; i < LEVELS; i++) {
        if (bytes_equal_nocase(word, bytes_text(levels[i].name))) {
            *out = levels[i].value;
            return STATUS_OK;
        }
    }
    if (!number_parse_i64(word, &number) || number < 1 || number > CONSISTENCY_COPIES_MAX) {
        reply_errorf(request->reply,
                     "ERR '%.*s' is no consistency: a number of copies from 1 to %d, ONE, QUORUM, "
                     "ALL or DEFAULT",
                     request_echoed(word), word.data, CONSISTENCY_COPIES_MAX);
        return STATUS_REPLIED;
    }
    *out = (uint8_t)number;
    return STATUS_OK;
}

static void reply_level(struct reply *reply, uint8_t value)
{
    for (unsigned i = 0; i < LEVELS; i++) {
        if (levels[i].value == value) {
            reply_bulk_text(reply, levels[i].name);
            return;
        }
    }
    reply_bulk_integer(reply, value);
}

static enum status show(struct request *request)
{
    const struct session *session = request->session;
    reply_map(request->reply, 2);
    reply_bulk_text(request->reply, "read");
    reply_level(request->reply, session->consistency.read);
    reply_bulk_text(request->reply, "write");
    reply_level(request->reply, session->consistency.write);
    return STATUS_OK;
}

static enum status consistency(struct request *request)
{
    struct session_consistency chosen = request->session->consistency;
    if (request->argc == 1)
        return show(request);
    for (uint32_t i = 1; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        bool reads = bytes_equal_nocase(word, BYTES("r"));
        if (bytes_equal_nocase(word, BYTES("default"))) {
            chosen = (struct session_consistency){0};
            continue;
        }
        if ((!reads && !bytes_equal_nocase(word, BYTES("w"))) || i + 1 == request->argc)
            return STATUS_SYNTAX;
        enum status status =
            parse_level(request, request->argv[++i], reads ? &chosen.read : &chosen.write);
        if (status != STATUS_OK)
            return status;
    }
    request->session->consistency = chosen;
    reply_ok(request->reply);
    return STATUS_OK;
}

const struct command consistency_commands[] = {
    {.name = "consistency",
     .handler = consistency,
     .arity = -1,
     .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST,
     .categories = CAT_CONNECTION,
     .since = "0.1.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Sets or shows how many copies the reads and writes of this connection are to "
                "reach.",
     .syntax = "[DEFAULT] [R r-copies] [W w-copies]",
     .differs = "Redis has no such command. Copies are a number, ONE, QUORUM, ALL or DEFAULT; "
                "RESET makes them DEFAULT."},
    {0},
};
