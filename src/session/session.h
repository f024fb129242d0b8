/* SPDX-License-Identifier: MIT */
/*
 * One client: what it has sent and not been answered, what it chose (database, protocol, name), the
 * command it is in the midst of. Knows no socket: bytes come in through `input`, go out through
 * `output`.
 *
 * The output is in three parts. The first may be sent. The second waits for one gate (a position of
 * the log, see store_gate_passed), the rest for another: what is written while the second waits
 * never makes it wait longer.
 *
 *   output:  | free to be sent | waits for gate | waits for gate_rest |
 *                    output_free        output_gated
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/list.h"
#include "command/request.h"
#include "observe/stats.h"
#include "resp/reply.h"
#include "resp/request_parser.h"
#include "store/store.h"

/* The Redis whose commands and words these are: clients ask for it. */
#define SHOAL_REDIS_VERSION "7.2.0"

enum {
    SESSION_BUFFER_KEPT = 16 * 1024, /* of an empty buffer's memory */
    SESSION_ADDRESS_MAX = 64,
};

enum session_state {
    SESSION_READY,     /* its next request may be taken */
    SESSION_FETCHING,  /* its request waits for rows from disk, or to be run again with them */
    SESSION_YIELDED,   /* its request, or a long pipeline, goes on in a later turn */
    SESSION_THROTTLED, /* its request waits until the store has room */
    SESSION_POSTPONED, /* its request waits for the end of CLIENT PAUSE */
    SESSION_AWAITING,  /* its request waits for what other nodes answer */
    SESSION_CLOSING,   /* no more requests; closed when its output is sent */
};

/* What CLIENT PAUSE holds back. */
enum pause {
    PAUSE_NONE,
    PAUSE_WRITES,
    PAUSE_ALL,
};

/* How many owners a client's reads and writes are to reach: a number up to CONSISTENCY_COPIES_MAX,
 * or a level; 0: as configured. (quorum/ has the same numbers.) */
enum {
    CONSISTENCY_COPIES_MAX = 7,
    CONSISTENCY_QUORUM = 254,
    CONSISTENCY_ALL = 255,
};

struct session_consistency {
    uint8_t read, write;
};

struct session {
    struct list link;       /* of sessions.all */
    struct list waiting;    /* of the list for its state, or alone */
    struct list sending;    /* of the list of sessions with new output, or alone */
    struct list monitoring; /* of sessions.monitors, or alone: it is in MONITOR mode */
    struct list queue;      /* replies that wait for other nodes: node/reply_queue.h */
    struct list answered;   /* of sessions.answered, or alone: the first of them may go */
    struct sessions *sessions;
    uint64_t id;
    enum session_state state;
    uint8_t db;
    bool authenticated;               /* says AUTH; see session_needs_auth */
    bool reply_off;                   /* CLIENT REPLY OFF */
    bool reply_skip, reply_skip_next; /* CLIENT REPLY SKIP: this command's, the next one's */
    bool no_evict, no_touch;
    struct session_consistency consistency;
    /* Its request waits, and will run again: in the database that it came for, whatever SWAPDB has
     * made of its number since, and within the limits of that time. */
    bool held;
    bool forwards;            /* requests of it went to other nodes: */
    unsigned forwards_open;   /* so many are not answered yet, and were sent when */
    uint64_t forwards_routes; /* dispatch_cluster.routes was this */
    uint8_t refused;          /* the request is not to be run here: enum remote_refusal */
    bool ran_in_part;         /* its request: by nodes that have gone, as far as is known */
    struct dead_actors dead;  /* of these, those whose processes have ended */
    bool finished;            /* sends nothing more: closed once all is answered */
    bool killed;              /* SESSION_CLOSING, without waiting for the output */
    bool close_told;          /* whoever has the connection was asked to close it */
    bool paused;              /* takes no requests until more output is sent */
    char *name, *library, *library_version; /* owned, NULL for none */
    char address[SESSION_ADDRESS_MAX], local_address[SESSION_ADDRESS_MAX]; /* "127.0.0.1:54321" */
    uint64_t created_ms, active_ms;
    const struct command *last_command, *last_parent;
    uint64_t commands, bytes_in, bytes_out;

    struct buffer input; /* received, not yet consumed */
    size_t passing;      /* bytes whose requests are being run, that are not in input */
    struct request_parser parser;
    struct arena
        arena; /* of the request under way: lent by the dispatch, kept while the request waits */
    struct txn txn;       /* begun while a request runs, and in SESSION_FETCHING */
    uint64_t claims;      /* quorum_claims, when its request was found to run here; 0: it was not */
    bool shows_unsettled; /* and rows that were not with W owners yet may be in its reply */
    struct progress progress;
    struct request request;
    struct reply reply;

    struct buffer output; /* replies */
    size_t output_free;   /* bytes of output that may be sent */
    size_t output_gated;  /* bytes up to here wait for `gate` */
    uint64_t gate;
    uint64_t gate_rest;     /* of the bytes behind */
    uint64_t gate_request;  /* of the request under way, in all its runs */
    uint64_t buffer_bytes;  /* what its buffers take, as last counted in sessions.buffer_bytes */
    uint64_t soft_since_ms; /* its output is beyond the soft limit; 0: it is not */
    uint64_t begun_ns;      /* when its request first ran, if it had to wait since; else 0 */
    uint64_t busy_ns;       /* that the earlier runs of its request took */
    unsigned queue_count;   /* replies in the queue */
    size_t queue_bytes;     /* that they take */
    struct read_check *read_check; /* node/read_check.h; NULL: none was needed yet */
    struct gather *gather; /* its request's parts run on several nodes: node/gather.h; else NULL */
    struct wait *wait;     /* what it has written, for WAIT: node/wait.h; NULL: nothing yet */
    uint64_t request_number; /* of a remote's request, where it came from */
    struct remote *remote; /* it runs what another node has forwarded: node/forward.h; else NULL */
    void *connection;      /* whose: net's */
};

/* All clients of a node. */
struct sessions {
    struct list all;
    struct list resumed;   /* to be run again: what they waited for is there */
    struct list closing;   /* to be closed, after their output or at once */
    struct list postponed; /* by a pause */
    struct list monitors;
    struct list answered;  /* that have a reply in their queue that may go, perhaps */
    struct buffer scratch; /* empty but while a request runs: see node/reply_queue.h */
    enum pause pause;      /* see session/pause.h */
    uint64_t pause_until_ms;
    uint64_t blocked_count; /* whose request waits for others to act: today, for a pause's end */
    uint64_t soft_count;    /* with more output than the soft limit */
    uint64_t count;
    uint64_t next_id;
    uint64_t buffer_bytes; /* that input, output and queue of all take */
    struct store *store;
    const struct command_set *commands;
    struct stats *stats;
    struct admin *admin;
    struct random random;
    unsigned databases;
    char *const *password; /* where the configuration holds it; empty: none */
    const int64_t *bulk_size_max;
    struct signer signer; /* for VC.GET's contexts */
    bool clustered;       /* a cluster is enabled: HELLO says so */
};

void sessions_init(struct sessions *sessions);

struct session *session_new(struct sessions *sessions, const char *address,
                            const char *local_address, uint64_t now_ms);

/* One that is no client's: it runs what another node has forwarded, and may do all that a client
 * may. Not among sessions.all. */
struct session *session_new_remote(struct sessions *sessions, struct remote *remote,
                                   uint64_t now_ms);

/* In any state: what it waited for is forgotten. */
void session_free(struct session *session);

/* By id, NULL for none. */
struct session *session_by_id(struct sessions *sessions, uint64_t id);

/* A password is set and this client has not given it. */
static inline bool session_needs_auth(const struct session *session)
{
    return !session->authenticated && **session->sessions->password;
}

/* The password, if one is set, and who may use it: the one user is "default". Counts a refusal. */
bool session_authenticate(struct session *session, struct bytes user, struct bytes password);

/* As after accepting: database 0, RESP2, no name, not authenticated if there is a password
 * (RESET). */
void session_reset(struct session *session);

void session_set_resp(struct session *session, uint8_t resp);

/* Takes no more requests; to be closed when its output is sent. Also from its own command. */
void session_close(struct session *session);

/* To be closed without waiting for anything. Not from its own command. */
void session_kill(struct session *session);

/* Counts what its buffers take. */
void session_account(struct session *session);

/* What it has not read exceeds the soft limit, since now, or does no longer. */
void session_set_over_soft(struct session *session, bool over, uint64_t now_ms);

/* Some of its output has waited long enough: the bytes that may be sent now. */
size_t session_release_output(struct session *session);

/* One line of CLIENT LIST, with Redis's fields, ended by '\n'. */
void session_describe(const struct session *session, uint64_t now_ms, struct buffer *out);

/* A client's name, or its library's: printable ASCII without blanks. */
bool session_is_label(struct bytes text);

/* Replaces an owned label; empty: none. */
void session_set_label(char **label, struct bytes text);

/* The commands of this folder: AUTH HELLO SELECT QUIT RESET PING ECHO CLIENT... */
extern const struct command connection_commands[];

/* cmd_consistency.c: CONSISTENCY. */
extern const struct command consistency_commands[];

/* cmd_monitor.c: MONITOR. */
extern const struct command monitor_commands[];

/* The subcommands of CLIENT. */
extern const struct command client_subcommands[];

#endif
