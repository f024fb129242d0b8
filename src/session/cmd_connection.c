/* SPDX-License-Identifier: MIT */
/* The commands by which a client says who it is and how it wants to be spoken to. */
#include "base/number.h"
#include "command/arguments.h"
#include "session/session.h"

#define WRONG_PASSWORD "WRONGPASS invalid username-password pair or user is disabled."

static enum status auth(struct request *request)
{
    struct session *session = request->session;
    struct bytes user = request->argc == 3 ? request->argv[1] : BYTES("default");
    struct bytes password = request->argv[request->argc - 1];
    for (uint32_t i = 1; i < request->argc; i++)
        request_redact(request, i);
    if (request->argc > 3)
        return STATUS_SYNTAX;
    if (request->argc == 2 && **session->sessions->password == '\0')
        return request_refuse(
            request, "ERR AUTH <password> called without any password configured for the default "
                     "user. Are you sure your configuration is correct?");
    if (!session_authenticate(session, user, password))
        return request_refuse(request, WRONG_PASSWORD);
    reply_ok(request->reply);
    return STATUS_OK;
}

struct hello {
    int64_t resp; /* 0: not said */
    bool has_auth, has_name;
    struct bytes user, password, name;
};

/* Whatever AUTH is followed by, in place or not. */
static void hello_redact(struct request *request)
{
    for (uint32_t i = 2; i < request->argc; i++) {
        if (!bytes_equal_nocase(request->argv[i], BYTES("auth")))
            continue;
        for (unsigned secrets = 2; secrets > 0 && i + 1 < request->argc; secrets--)
            request_redact(request, ++i);
    }
}

static enum status hello_parse(struct request *request, struct hello *out_hello)
{
    struct hello hello = {0};
    if (request->argc > 1) {
        if (!number_parse_i64(request->argv[1], &hello.resp))
            return request_refuse(request,
                                  "ERR Protocol version is not an integer or out of range");
        if (hello.resp < 2 || hello.resp > 3)
            return request_refuse(request, "NOPROTO unsupported protocol version");
    }
    for (uint32_t i = 2; i < request->argc; i++) {
        const struct bytes *option = &request->argv[i];
        uint32_t more = request->argc - 1 - i;
        if (bytes_equal_nocase(*option, BYTES("auth")) && more >= 2) {
            hello.has_auth = true;
            hello.user = option[1];
            hello.password = option[2];
            i += 2;
        } else if (bytes_equal_nocase(*option, BYTES("setname")) && more >= 1) {
            if (!session_is_label(option[1]))
                return request_refuse(request,
                                      "ERR Client names cannot contain spaces, newlines or special "
                                      "characters.");
            hello.has_name = true;
            hello.name = option[1];
            i++;
        } else {
            reply_errorf(request->reply, "ERR Syntax error in HELLO option '%.*s'",
                         request_echoed(*option), option->data);
            return STATUS_REPLIED;
        }
    }
    *out_hello = hello;
    return STATUS_OK;
}

static enum status hello(struct request *request)
{
    struct session *session = request->session;
    struct hello hello = {0};
    enum status status = hello_parse(request, &hello);
    hello_redact(request);
    if (status != STATUS_OK)
        return status;
    if (hello.has_auth && !session_authenticate(session, hello.user, hello.password))
        return request_refuse(request, WRONG_PASSWORD);
    if (session_needs_auth(session))
        return request_refuse(
            request, "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                     "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                     "client and select the RESP protocol version at the same time");
    if (hello.has_name)
        session_set_label(&session->name, hello.name);
    if (hello.resp)
        session_set_resp(session, (uint8_t)hello.resp);
    struct reply *reply = request->reply;
    reply_map(reply, 7);
    reply_bulk_text(reply, "server");
    reply_bulk_text(reply, "redis");
    reply_bulk_text(reply, "version");
    reply_bulk_text(reply, SHOAL_REDIS_VERSION);
    reply_bulk_text(reply, "proto");
    reply_integer(reply, reply->resp);
    reply_bulk_text(reply, "id");
    reply_integer(reply, (int64_t)session->id);
    reply_bulk_text(reply, "mode");
    reply_bulk_text(reply, session->sessions->clustered ? "cluster" : "standalone");
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, "master");
    reply_bulk_text(reply, "modules");
    reply_array(reply, 0);
    return STATUS_OK;
}

static enum status select_database(struct request *request)
{
    uint8_t index;
    enum status status = argument_database(request, request->argv[1], &index);
    if (status != STATUS_OK)
        return status;
    request->session->db = index;
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status quit(struct request *request)
{
    reply_ok(request->reply);
    session_close(request->session);
    return STATUS_OK;
}

static enum status reset(struct request *request)
{
    session_reset(request->session);
    reply_simple(request->reply, BYTES("RESET"));
    return STATUS_OK;
}

static enum status ping(struct request *request)
{
    if (request->argc > 2)
        return request_refuse(request, "ERR wrong number of arguments for 'ping' command");
    if (request->argc == 2)
        reply_bulk(request->reply, request->argv[1]);
    else
        reply_simple(request->reply, BYTES("PONG"));
    return STATUS_OK;
}

static enum status echo(struct request *request)
{
    reply_bulk(request->reply, request->argv[1]);
    return STATUS_OK;
}

#define ANY_TIME (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY)

const struct command connection_commands[] = {
    {.name = "auth",
     .handler = auth,
     .arity = -2,
     .flags = ANY_TIME,
     .categories = CAT_CONNECTION,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(N) where N is the number of passwords defined for the user",
     .summary = "Authenticates the connection.",
     .syntax = "[username] password"},
    {.name = "client",
     .arity = -2,
     .since = "2.4.0",
     .group = "connection",
     .complexity = "Depends on subcommand.",
     .summary = "A container for client connection commands.",
     .syntax = "",
     .subcommands = client_subcommands},
    {.name = "echo",
     .handler = echo,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .categories = CAT_CONNECTION,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Returns the given string.",
     .syntax = "message"},
    {.name = "hello",
     .handler = hello,
     .arity = -1,
     .flags = ANY_TIME,
     .categories = CAT_CONNECTION,
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Handshakes with the Redis server.",
     .syntax = "[protover:integer [AUTH username password] [SETNAME clientname]]"},
    {.name = "ping",
     .handler = ping,
     .arity = -1,
     .flags = CMD_FAST,
     .categories = CAT_CONNECTION,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Returns the server's liveliness response.",
     .syntax = "[message]",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "quit",
     .handler = quit,
     .arity = -1,
     .flags = ANY_TIME,
     .categories = CAT_CONNECTION,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Closes the connection.",
     .syntax = ""},
    {.name = "reset",
     .handler = reset,
     .arity = 1,
     .flags = ANY_TIME,
     .categories = CAT_CONNECTION,
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Resets the connection.",
     .syntax = ""},
    {.name = "select",
     .handler = select_database,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .categories = CAT_CONNECTION,
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Changes the selected database.",
     .syntax = "index:integer"},
    {0},
};
