/* SPDX-License-Identifier: MIT */
/* CLIENT: what a client may ask and say of itself and of the others. */
#include "base/number.h"
#include "session/session.h"

enum { ECHOED_MAX = 128 }; /* of an argument in an error */

static enum status refuse(struct request *request, const char *text)
{
    reply_error(request->reply, bytes_text(text));
    return STATUS_REPLIED;
}

/* `format` has one "%.*s". */
__attribute__((format(printf, 2, 0))) static enum status
refuse_value(struct request *request, const char *format, struct bytes value)
{
    int size = value.size < ECHOED_MAX ? (int)value.size : ECHOED_MAX;
    reply_errorf(request->reply, format, size, value.data);
    return STATUS_REPLIED;
}

static enum status client_id(struct request *request)
{
    reply_integer(request->reply, (int64_t)request->session->id);
    return STATUS_OK;
}

static enum status client_setname(struct request *request)
{
    if (!session_is_label(request->argv[2]))
        return refuse(request,
                      "ERR Client names cannot contain spaces, newlines or special characters.");
    session_set_label(&request->session->name, request->argv[2]);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_getname(struct request *request)
{
    if (request->session->name)
        reply_bulk_text(request->reply, request->session->name);
    else
        reply_null(request->reply);
    return STATUS_OK;
}

static enum status client_setinfo(struct request *request)
{
    struct session *session = request->session;
    struct bytes option = request->argv[2];
    char **label;
    if (bytes_equal_nocase(option, BYTES("lib-name")))
        label = &session->library;
    else if (bytes_equal_nocase(option, BYTES("lib-ver")))
        label = &session->library_version;
    else
        return refuse_value(request, "ERR Unrecognized option '%.*s'", option);
    if (!session_is_label(request->argv[3]))
        return refuse_value(
            request, "ERR %.*s cannot contain spaces, newlines or special characters.", option);
    session_set_label(label, request->argv[3]);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_info(struct request *request)
{
    struct buffer text = {0};
    session_describe(request->session, request->now_ms, &text);
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

/* ---- which clients --------------------------------------------------------------------------- */

/* Redis's kinds of clients. All are normal ones here: copies of the data have no client
 * connection. */
static bool parse_type(struct bytes name, bool *out_is_normal)
{
    static const char *const others[] = {"slave", "replica", "pubsub", "master"};
    if (bytes_equal_nocase(name, BYTES("normal"))) {
        *out_is_normal = true;
        return true;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (bytes_equal_nocase(name, bytes_text(others[i]))) {
            *out_is_normal = false;
            return true;
        }
    }
    return false;
}

static enum status list_by_id(struct request *request, struct buffer *text)
{
    for (uint32_t i = 3; i < request->argc; i++) {
        int64_t id;
        if (!number_parse_i64(request->argv[i], &id))
            return refuse(request, "ERR Invalid client ID");
        struct session *session = session_by_id(request->session->sessions, (uint64_t)id);
        if (session)
            session_describe(session, request->now_ms, text);
    }
    return STATUS_OK;
}

static enum status list_all(struct request *request, struct buffer *text)
{
    struct sessions *sessions = request->session->sessions;
    for (struct list *link = sessions->all.next; link != &sessions->all; link = link->next)
        session_describe(list_entry(link, struct session, link), request->now_ms, text);
    return STATUS_OK;
}

static enum status list_chosen(struct request *request, struct buffer *text)
{
    struct bytes option = request->argc > 2 ? request->argv[2] : BYTES("");
    if (request->argc == 2)
        return list_all(request, text);
    if (request->argc == 4 && bytes_equal_nocase(option, BYTES("type"))) {
        bool is_normal;
        if (!parse_type(request->argv[3], &is_normal))
            return refuse_value(request, "ERR Unknown client type '%.*s'", request->argv[3]);
        return is_normal ? list_all(request, text) : STATUS_OK;
    }
    if (request->argc > 3 && bytes_equal_nocase(option, BYTES("id")))
        return list_by_id(request, text);
    return STATUS_SYNTAX;
}

static enum status client_list(struct request *request)
{
    struct buffer text = {0};
    enum status status = list_chosen(request, &text);
    if (status == STATUS_OK)
        reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return status;
}

struct kill_filter {
    uint64_t id;                         /* 0: any */
    struct bytes address, local_address; /* empty: any */
    bool nobody;                         /* of a type that no client has */
    bool skip_me;
};

static enum status parse_kill_option(struct request *request, struct bytes option,
                                     struct bytes value, struct kill_filter *filter)
{
    if (bytes_equal_nocase(option, BYTES("id"))) {
        int64_t id;
        if (!number_parse_i64(value, &id) || id < 1)
            return refuse(request, "ERR client-id should be greater than 0");
        filter->id = (uint64_t)id;
    } else if (bytes_equal_nocase(option, BYTES("type"))) {
        bool is_normal;
        if (!parse_type(value, &is_normal))
            return refuse_value(request, "ERR Unknown client type '%.*s'", value);
        filter->nobody = !is_normal;
    } else if (bytes_equal_nocase(option, BYTES("addr"))) {
        filter->address = value;
    } else if (bytes_equal_nocase(option, BYTES("laddr"))) {
        filter->local_address = value;
    } else if (bytes_equal_nocase(option, BYTES("user"))) {
        if (!bytes_equal(value, BYTES("default")))
            return refuse_value(request, "ERR No such user '%.*s'", value);
    } else if (bytes_equal_nocase(option, BYTES("skipme"))) {
        if (!bytes_equal_nocase(value, BYTES("yes")) && !bytes_equal_nocase(value, BYTES("no")))
            return STATUS_SYNTAX;
        filter->skip_me = bytes_equal_nocase(value, BYTES("yes"));
    } else {
        return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

static bool is_meant(const struct session *session, const struct session *asker,
                     const struct kill_filter *filter)
{
    struct bytes address = bytes_text(session->address);
    struct bytes local_address = bytes_text(session->local_address);
    if (filter->nobody || session->killed || (session == asker && filter->skip_me))
        return false;
    if (filter->id && session->id != filter->id)
        return false;
    if (filter->address.size && !bytes_equal(filter->address, address))
        return false;
    return filter->local_address.size == 0 || bytes_equal(filter->local_address, local_address);
}

/* The asker gets its reply first. */
static int64_t kill_meant(struct session *asker, const struct kill_filter *filter)
{
    struct sessions *sessions = asker->sessions;
    int64_t killed = 0;
    for (struct list *link = sessions->all.next; link != &sessions->all; link = link->next) {
        struct session *session = list_entry(link, struct session, link);
        if (!is_meant(session, asker, filter))
            continue;
        if (session == asker)
            session_close(session);
        else
            session_kill(session);
        killed++;
    }
    return killed;
}

/* CLIENT KILL addr:port, or CLIENT KILL option value ... */
static enum status client_kill(struct request *request)
{
    if (request->argc == 3) {
        struct kill_filter filter = {.address = request->argv[2]};
        if (filter.address.size == 0 || kill_meant(request->session, &filter) == 0)
            return refuse(request, "ERR No such client");
        reply_ok(request->reply);
        return STATUS_OK;
    }
    struct kill_filter filter = {.skip_me = true};
    for (uint32_t i = 2; i < request->argc; i += 2) {
        if (i + 1 == request->argc)
            return STATUS_SYNTAX;
        enum status status =
            parse_kill_option(request, request->argv[i], request->argv[i + 1], &filter);
        if (status != STATUS_OK)
            return status;
    }
    reply_integer(request->reply, kill_meant(request->session, &filter));
    return STATUS_OK;
}

/* ---- switches -------------------------------------------------------------------------------- */

static bool parse_switch(struct bytes word, bool *out_on)
{
    bool on = bytes_equal_nocase(word, BYTES("on"));
    if (!on && !bytes_equal_nocase(word, BYTES("off")))
        return false;
    *out_on = on;
    return true;
}

/* What is off or skipped, this command's reply too, the dispatch drops. */
static enum status client_reply(struct request *request)
{
    struct session *session = request->session;
    bool on;
    if (parse_switch(request->argv[2], &on)) {
        session->reply_off = !on;
        session->reply_skip = false;
    } else if (bytes_equal_nocase(request->argv[2], BYTES("skip"))) {
        session->reply_skip = session->reply_skip_next = !session->reply_off;
    } else {
        return STATUS_SYNTAX;
    }
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_no_evict(struct request *request)
{
    if (!parse_switch(request->argv[2], &request->session->no_evict))
        return STATUS_SYNTAX;
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_no_touch(struct request *request)
{
    if (!parse_switch(request->argv[2], &request->session->no_touch))
        return STATUS_SYNTAX;
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_help(struct request *request)
{
    static const char *const lines[] = {
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR <ip:port>",
        "      Kill connections made from the specified address",
        "    * LADDR <ip:port>",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "    * ID <client-id>",
        "      Kill connections by client id.",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "    * ID <client-id> [<client-id> [...]]",
        "      Return clients of specified IDs only.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "SETINFO <option> <value>",
        "    Set client meta attr. Options are:",
        "    * LIB-NAME: the client lib name.",
        "    * LIB-VER: the client lib version.",
        "NO-EVICT (ON|OFF)",
        "    Protect current client connection from eviction.",
        "NO-TOUCH (ON|OFF)",
        "    Will not touch LRU/LFU stats when this mode is on.",
        NULL,
    };
    return command_help(request, lines);
}

#define SUBCOMMAND(word, function, words, more_flags, from, order, text, notation, hints)          \
    {                                                                                              \
        .name = (word), .handler = (function), .arity = (words),                                   \
        .flags = CMD_LOADING | CMD_STALE | (more_flags), .categories = CAT_CONNECTION,             \
        .since = (from), .group = "connection", .complexity = (order), .summary = (text),          \
        .syntax = (notation), .tips = (hints)                                                      \
    }

#define ON_ALL_NODES "request_policy:all_nodes response_policy:all_succeeded"
#define ALL_CLIENTS  "O(N) where N is the number of client connections"

const struct command client_subcommands[] = {
    SUBCOMMAND("getname", client_getname, 2, CMD_NOSCRIPT, "2.6.9", "O(1)",
               "Returns the name of the connection.", "", NULL),
    SUBCOMMAND("help", client_help, 2, 0, "5.0.0", "O(1)",
               "Returns helpful text about the different subcommands.", "", NULL),
    SUBCOMMAND("id", client_id, 2, CMD_NOSCRIPT, "5.0.0", "O(1)",
               "Returns the unique client ID of the connection.", "", NULL),
    SUBCOMMAND("info", client_info, 2, CMD_NOSCRIPT, "6.2.0", "O(1)",
               "Returns information about the connection.", "", "nondeterministic_output"),
    SUBCOMMAND("kill", client_kill, -3, CMD_ADMIN | CMD_NOSCRIPT, "2.4.0", ALL_CLIENTS,
               "Terminates open connections.",
               "(ip-port|(ID client-id:integer|TYPE (NORMAL|MASTER|SLAVE|REPLICA|PUBSUB)|"
               "USER username|ADDR ip-port|LADDR ip-port|SKIPME (YES|NO))...)",
               NULL),
    SUBCOMMAND("list", client_list, -2, CMD_ADMIN | CMD_NOSCRIPT, "2.4.0", ALL_CLIENTS,
               "Lists open connections.",
               "[TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID client-id:integer...]",
               "nondeterministic_output"),
    SUBCOMMAND("no-evict", client_no_evict, 3, CMD_ADMIN | CMD_NOSCRIPT, "7.0.0", "O(1)",
               "Sets the client eviction mode of the connection.", "(ON|OFF)", NULL),
    SUBCOMMAND("no-touch", client_no_touch, 3, CMD_NOSCRIPT, "7.2.0", "O(1)",
               "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
               "(ON|OFF)", NULL),
    SUBCOMMAND("reply", client_reply, 3, CMD_NOSCRIPT, "3.2.0", "O(1)",
               "Instructs the server whether to reply to commands.", "(ON|OFF|SKIP)", NULL),
    SUBCOMMAND("setinfo", client_setinfo, 4, CMD_NOSCRIPT, "7.2.0", "O(1)",
               "Sets information specific to the client or connection.",
               "(LIB-NAME libname|LIB-VER libver)", ON_ALL_NODES),
    SUBCOMMAND("setname", client_setname, 3, CMD_NOSCRIPT, "2.6.9", "O(1)",
               "Sets the connection name.", "connection-name", ON_ALL_NODES),
    {.name = NULL},
};
