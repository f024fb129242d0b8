/* SPDX-License-Identifier: MIT */
/* CLIENT: what a client may ask and say of itself and of the others. */
#include "base/number.h"
#include "session/pause.h"

/* `format` has one "%.*s". */
__attribute__((format(printf, 2, 0))) static enum status
refuse_value(struct request *request, const char *format, struct bytes value)
{
    reply_errorf(request->reply, format, request_echoed(value), value.data);
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
        return request_refuse(
            request, "ERR Client names cannot contain spaces, newlines or special characters.");
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
            return request_refuse(request, "ERR Invalid client ID");
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
    uint64_t created_before_ms; /* 0: whenever */
};

/* Of Redis 7.4. */
static enum status parse_max_age(struct request *request, struct bytes value,
                                 struct kill_filter *filter)
{
    int64_t age_s;
    if (!number_parse_i64(value, &age_s))
        return request_refuse(request, "ERR maxage is not an integer or out of range");
    if (age_s <= 0)
        return request_refuse(request, "ERR maxage should be greater than 0");
    uint64_t now_s = request->now_ms / 1000;
    filter->created_before_ms = (uint64_t)age_s < now_s ? (now_s - (uint64_t)age_s + 1) * 1000 : 1;
    return STATUS_OK;
}

static enum status parse_kill_option(struct request *request, struct bytes option,
                                     struct bytes value, struct kill_filter *filter)
{
    if (bytes_equal_nocase(option, BYTES("id"))) {
        int64_t id;
        if (!number_parse_i64(value, &id) || id < 1)
            return request_refuse(request, "ERR client-id should be greater than 0");
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
    } else if (bytes_equal_nocase(option, BYTES("maxage"))) {
        return parse_max_age(request, value, filter);
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
    if (filter->created_before_ms && session->created_ms >= filter->created_before_ms)
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
            return request_refuse(request, "ERR No such client");
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

/* ---- pausing --------------------------------------------------------------------------------- */

static enum status client_pause(struct request *request)
{
    enum pause kind = PAUSE_ALL;
    int64_t timeout_ms;
    if (request->argc > 4)
        return command_refuse_usage(request);
    if (request->argc == 4) {
        if (bytes_equal_nocase(request->argv[3], BYTES("write")))
            kind = PAUSE_WRITES;
        else if (!bytes_equal_nocase(request->argv[3], BYTES("all")))
            return request_refuse(request, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
    if (!number_parse_i64(request->argv[2], &timeout_ms))
        return request_refuse(request, "ERR timeout is not an integer or out of range");
    if (timeout_ms < 0)
        return request_refuse(request, "ERR timeout is negative");
    if (timeout_ms > INT64_MAX - (int64_t)request->now_ms)
        return request_refuse(request, "ERR timeout is out of range");
    if (timeout_ms > 0)
        pause_begin(request->session->sessions, kind, request->now_ms + (uint64_t)timeout_ms);
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_unpause(struct request *request)
{
    pause_end(request->session->sessions);
    reply_ok(request->reply);
    return STATUS_OK;
}

/* No command blocks, and who waits for the end of a pause is not let out by this, as in Redis. */
static enum status client_unblock(struct request *request)
{
    int64_t id;
    if (request->argc > 4)
        return command_refuse_usage(request);
    if (request->argc == 4 && !bytes_equal_nocase(request->argv[3], BYTES("timeout")) &&
        !bytes_equal_nocase(request->argv[3], BYTES("error")))
        return request_refuse(request, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    if (!number_parse_i64(request->argv[2], &id))
        return STATUS_NOT_INTEGER;
    reply_integer(request->reply, 0);
    return STATUS_OK;
}

/* ---- tracking: never on ---------------------------------------------------------------------- */

static enum status client_caching(struct request *request)
{
    return request_refuse(request,
                          "ERR CLIENT CACHING can be called only when the client is in tracking "
                          "mode with OPTIN or OPTOUT mode enabled");
}

static enum status client_getredir(struct request *request)
{
    reply_integer(request->reply, -1);
    return STATUS_OK;
}

static bool is_tracking_option(struct bytes word)
{
    static const char *const options[] = {"bcast", "optin", "optout", "noloop"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (bytes_equal_nocase(word, bytes_text(options[i])))
            return true;
    return false;
}

static enum status client_tracking(struct request *request)
{
    for (uint32_t i = 3; i < request->argc; i++) {
        struct bytes word = request->argv[i];
        bool has_value = i + 1 < request->argc;
        int64_t id;
        if (bytes_equal_nocase(word, BYTES("redirect")) && has_value) {
            if (!number_parse_i64(request->argv[++i], &id))
                return STATUS_NOT_INTEGER;
            if (!session_by_id(request->session->sessions, (uint64_t)id))
                return request_refuse(request,
                                      "ERR The client ID you want redirect to does not exist");
        } else if (bytes_equal_nocase(word, BYTES("prefix")) && has_value) {
            i++;
        } else if (!is_tracking_option(word)) {
            return STATUS_SYNTAX;
        }
    }
    bool on;
    if (!parse_switch(request->argv[2], &on))
        return STATUS_SYNTAX;
    if (on)
        return request_refuse(request, "ERR client side caching is not supported by this server");
    reply_ok(request->reply);
    return STATUS_OK;
}

static enum status client_trackinginfo(struct request *request)
{
    struct reply *reply = request->reply;
    reply_map(reply, 3);
    reply_bulk_text(reply, "flags");
    reply_set(reply, 1);
    reply_bulk_text(reply, "off");
    reply_bulk_text(reply, "redirect");
    reply_integer(reply, -1);
    reply_bulk_text(reply, "prefixes");
    reply_array(reply, 0);
    return STATUS_OK;
}

static enum status client_help(struct request *request)
{
    static const char *const lines[] = {
        "CACHING (YES|NO)",
        "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
        "GETREDIR",
        "    Return the client ID we are redirecting to when tracking is enabled.",
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
        "    * MAXAGE <maxage>",
        "      Kill connections older than the specified age, in seconds.",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "    * ID <client-id> [<client-id> [...]]",
        "      Return clients of specified IDs only.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "SETINFO <option> <value>",
        "    Set client meta attr. Options are:",
        "    * LIB-NAME: the client lib name.",
        "    * LIB-VER: the client lib version.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Unblock the specified blocked client.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Control server assisted client side caching.",
        "TRACKINGINFO",
        "    Report tracking status for the current connection.",
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
    SUBCOMMAND("caching", client_caching, 3, CMD_NOSCRIPT, "6.0.0", "O(1)",
               "Instructs the server whether to track the keys in the next request.", "(YES|NO)",
               NULL),
    SUBCOMMAND("getname", client_getname, 2, CMD_NOSCRIPT, "2.6.9", "O(1)",
               "Returns the name of the connection.", "", NULL),
    SUBCOMMAND("getredir", client_getredir, 2, CMD_NOSCRIPT, "6.0.0", "O(1)",
               "Returns the client ID to which the connection's tracking notifications are "
               "redirected.",
               "", NULL),
    SUBCOMMAND("help", client_help, 2, 0, "5.0.0", "O(1)",
               "Returns helpful text about the different subcommands.", "", NULL),
    SUBCOMMAND("id", client_id, 2, CMD_NOSCRIPT, "5.0.0", "O(1)",
               "Returns the unique client ID of the connection.", "", NULL),
    SUBCOMMAND("info", client_info, 2, CMD_NOSCRIPT, "6.2.0", "O(1)",
               "Returns information about the connection.", "", "nondeterministic_output"),
    SUBCOMMAND("kill", client_kill, -3, CMD_ADMIN | CMD_NOSCRIPT, "2.4.0", ALL_CLIENTS,
               "Terminates open connections.",
               "(ip-port|(ID client-id:integer|TYPE (NORMAL|MASTER|SLAVE|REPLICA|PUBSUB)|"
               "USER username|ADDR ip-port|LADDR ip-port|SKIPME (YES|NO)|"
               "MAXAGE maxage:integer)...)",
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
    SUBCOMMAND("pause", client_pause, -3, CMD_ADMIN | CMD_NOSCRIPT, "2.9.50", "O(1)",
               "Suspends commands processing.", "timeout:integer [WRITE|ALL]", NULL),
    SUBCOMMAND("reply", client_reply, 3, CMD_NOSCRIPT, "3.2.0", "O(1)",
               "Instructs the server whether to reply to commands.", "(ON|OFF|SKIP)", NULL),
    SUBCOMMAND("setinfo", client_setinfo, 4, CMD_NOSCRIPT, "7.2.0", "O(1)",
               "Sets information specific to the client or connection.",
               "(LIB-NAME libname|LIB-VER libver)", ON_ALL_NODES),
    SUBCOMMAND("setname", client_setname, 3, CMD_NOSCRIPT, "2.6.9", "O(1)",
               "Sets the connection name.", "connection-name", ON_ALL_NODES),
    {.name = "tracking",
     .handler = client_tracking,
     .arity = -3,
     .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
     .categories = CAT_CONNECTION,
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .summary = "Controls server-assisted client-side caching for the connection.",
     .syntax = "(ON|OFF) [REDIRECT client-id:integer] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] "
               "[NOLOOP]",
     .differs = "ON is refused: there is no client-side caching."},
    SUBCOMMAND("trackinginfo", client_trackinginfo, 2, CMD_NOSCRIPT, "6.2.0", "O(1)",
               "Returns information about server-assisted client-side caching for the connection.",
               "", NULL),
    SUBCOMMAND("unblock", client_unblock, -3, CMD_ADMIN | CMD_NOSCRIPT, "5.0.0", "O(1)",
               "Unblocks a client blocked by a blocking command from a different connection.",
               "client-id:integer [TIMEOUT|ERROR]", NULL),
    SUBCOMMAND("unpause", client_unpause, 2, CMD_ADMIN | CMD_NOSCRIPT, "6.2.0",
               "O(N) where N is the number of paused clients",
               "Resumes processing commands from paused clients.", "", NULL),
    {0},
};
