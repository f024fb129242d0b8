/* SPDX-License-Identifier: MIT */
/*
 * All links of one node to its peers, without sockets: bytes in, bytes out.
 *
 * A node says what it has to say on links that it has dialed itself, and hears the others on links
 * that they have dialed: two connections for each pair. On a link the dialer sends messages; the
 * other side only greets and acknowledges. One link in each direction at a time: when a node greets
 * on a new one, what it said on the older one and was not yet heard is void (frames are valid only
 * within their link session), and the older one is closed.
 *
 * Nothing but fixed headers and greetings is parsed before both sides have proven that they know
 * the secret (bus/link.h). What is drawn of bytes is in bus/README.md.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/buffer.h"
#include "base/status.h"
#include "bus/outbox.h"

struct bus;
struct bus_link;

enum {
    BUS_PEERS_MAX = 4096,
    /* Not yet sent to one peer: beyond, messages are dropped. The largest string, which a request
     * or a reply may hold, and what else there is meanwhile. */
    BUS_OUTPUT_MAX = 768 * 1024 * 1024,
    BUS_STRANGERS_MAX = 256, /* links that have not proven themselves yet */
    BUS_GREETING_MS = 5000,  /* they have so long, */
    BUS_STRANGER_MS = 1000,  /* or only so long, when there are too many */
    BUS_HOST_MAX = 256,      /* of a host name, with its NUL */
    BUS_MEETS_MAX = 256,     /* addresses of strangers that are dialed at a time */
    BUS_RETRY_MIN_MS = 100,  /* between one try to dial and the next, before jitter */
    BUS_RETRY_MAX_MS = 640,
    BUS_SILENCE_MS = 10000, /* no acknowledgement of what was sent for so long: dialed anew */
    BUS_ACK_MS = 20,        /* messages are acknowledged together: after so long, */
    BUS_ACK_MESSAGES = 64,  /* or when they are so many */
};

struct bus_options {
    uint64_t node;       /* its own number, 48 bits */
    struct bytes secret; /* not needed after bus_new; may be empty */
    uint64_t random[2];  /* chance for nonces */

    /* What the bus tells; none of them is called from a send, and none may free a link. */

    /* A message; the bytes are gone after the call. An error other than STATUS_OK: the peer talks
     * nonsense, its link is closed. */
    enum status (*message)(void *context, uint64_t node, unsigned type, struct bytes payload,
                           uint64_t now_ms);
    /* Messages to this node can be sent now. Those sent before on an older link are void, unless
     * acknowledged (bus_acknowledged). */
    void (*up)(void *context, uint64_t node, uint64_t now_ms);
    /* They can't any more: the connection was refused, reset or closed. Told at each failed try to
     * dial, too. */
    void (*down)(void *context, uint64_t node, uint64_t now_ms);
    /* The link on which that node spoke is gone, or it has greeted on a newer one: what it had said
     * and was not heard is void. May be NULL. */
    void (*unheard)(void *context, uint64_t node, uint64_t now_ms);
    /* Its process has ended, or has closed the links in both directions: its system has said so of
     * each (bus_left), and no newer one is there. It hears nothing of what was said to it before,
     * and what it said and was not heard is void. Told before `down` and `unheard` are of the link
     * that ended last. May be NULL. */
    void (*ended)(void *context, uint64_t node, uint64_t now_ms);
    /* A node that nobody had asked for by number: the one behind an address that was dialed by
     * bus_meet, or one that has dialed this node. `host` is where a meet found it, or empty. */
    void (*met)(void *context, uint64_t node, struct bytes host, uint16_t port, uint64_t now_ms);
    /* A connection is given up for what the other side is or said, for the log: "its cluster-secret
     * is another one". `address`: where it came from or what was dialed. Anybody can make it be
     * called, as often as he likes. May be NULL. */
    void (*refused)(void *context, const char *address, const char *why, uint64_t now_ms);

    /* What the bus asks of the world. The answers are bus_connected or bus_closed, never before the
     * call returns. The host is a name or an address, looked up anew for each try. */
    void (*dial)(void *context, struct bus_link *link, const char *host, uint16_t port);
    /* Closes the connection; bus_closed is the answer. */
    void (*hang_up)(void *context, struct bus_link *link);
    void *context;
};

struct bus *bus_new(const struct bus_options *options);
void bus_free(struct bus *bus); /* all connections are gone */

/* Sends on the link to that node. */
struct outbox bus_outbox(struct bus *bus);

/* ---- whom to talk to ------------------------------------------------------------------------- */

/* Keeps a link to that node, at that address, dialing again and again (100 ms to 1 s apart, with
 * jitter). A new address counts from the next try on. Nothing for this node itself, for an address
 * that is too long, or beyond BUS_PEERS_MAX. */
void bus_want(struct bus *bus, uint64_t node, const char *host, uint16_t port);
void bus_unwant(struct bus *bus, uint64_t node);

/* Finds out who is at that address (CLUSTER MEET, cluster-seeds): dials until it has met somebody,
 * for `ms`; the answer is `met`, or nothing. It may be this node itself: then `met` is told with
 * its own number. The connection is only for that: no link is disturbed, none comes of it. An
 * address that is being dialed for this already is dialed on, until the later end. Nothing beyond
 * BUS_MEETS_MAX. */
void bus_meet(struct bus *bus, const char *host, uint16_t port, uint64_t now_ms, uint64_t ms);

bool bus_is_up(const struct bus *bus, uint64_t node);
/* There is a link on which it speaks. */
bool bus_hears(const struct bus *bus, uint64_t node);

/*
 * How many messages to this node were ever sent, and up to which one they are behind us: heard by
 * it (its acknowledgements come at least each 100 ms), or void because it has greeted on a newer
 * link since. For barriers: what was sent before will not be heard later.
 */
uint64_t bus_sent_count(const struct bus *bus, uint64_t node);
uint64_t bus_settled_count(const struct bus *bus, uint64_t node);

/* ---- connections: for whoever has the sockets ------------------------------------------------ */

/* Somebody has connected to the bus port. NULL: too many strangers have come just now, close it. */
struct bus_link *bus_accepted(struct bus *bus, const char *address, uint64_t now_ms);
void bus_connected(struct bus *bus, struct bus_link *link, uint64_t now_ms);
void bus_receive(struct bus *bus, struct bus_link *link, struct bytes bytes, uint64_t now_ms);
/* It was closed on the other side, by the process there or with its end; bus_closed is to follow.
 * That it can't be reached is no reason to believe that. */
void bus_left(struct bus *bus, struct bus_link *link);
/* The connection is gone, or never came about: frees the link. */
void bus_closed(struct bus *bus, struct bus_link *link, uint64_t now_ms);

/* Each link that has bytes to send and whose last bytes went out whole, once a turn; NULL: no
 * more. bus_output: the bytes; bus_sent: how many of them went. What is left is the caller's to
 * remember: it asks for bus_output again when the socket takes more. */
struct bus_link *bus_next_output(struct bus *bus);
struct bytes bus_output(const struct bus_link *link);
void bus_sent(struct bus *bus, struct bus_link *link, size_t size);

/* Where whoever has the socket keeps what it needs: NULL at first. */
void *bus_connection(const struct bus_link *link);
void bus_set_connection(struct bus_link *link, void *connection);

/* Dialing, greetings that take too long, acknowledgements. */
void bus_tick(struct bus *bus, uint64_t now_ms);
uint64_t bus_deadline_ms(const struct bus *bus);

/* ---- what there is, for CLUSTER LINKS and metrics -------------------------------------------- */

struct bus_link_view {
    uint64_t node;
    bool dialed; /* by this node: it sends on it */
    uint64_t since_ms;
    uint64_t output_bytes; /* not yet sent */
    uint64_t bytes_in, bytes_out, messages_in, messages_out;
};
/* By index 0.. until false: links that have greeted. */
bool bus_link_at(const struct bus *bus, size_t index, struct bus_link_view *out);

#endif
