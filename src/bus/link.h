/* SPDX-License-Identifier: MIT */
/*
 * One connection between two nodes, without the socket: bytes in, news and bytes out.
 *
 *   dialer                                  acceptor
 *     HELLO      number, versions, nonce  ->
 *                                         <-  CHALLENGE  number, versions, nonce
 *     PROOF      that it knows the secret ->
 *                                         <-  WELCOME    the same, and: this link counts now
 *     messages                            ->
 *                                         <-  ACK        how many it has heard
 *
 * A proof is the HMAC of the role and of both greetings, so it holds for these two nodes, these two
 * nonces and this direction only: what somebody else has recorded is worth nothing. The dialer
 * proves itself first: who just knocks learns nothing to try secrets on. Frames after it are not
 * signed: the network between nodes is trusted not to forge, not to be private.
 *
 * Before a side has seen the other's proof it reads greetings, of their exact size, and nothing
 * else. The bytes are drawn in bus/README.md.
 */
#ifndef BUS_LINK_H
#define BUS_LINK_H

#include "base/buffer.h"
#include "base/status.h"
#include "security/hmac.h"

enum {
    LINK_VERSION_MIN = 1, /* of the protocol: what messages there are, and what they mean */
    LINK_VERSION_MAX = 1,
    LINK_NONCE_SIZE = 16,
    LINK_GREETING_SIZE = 32,
    LINK_NODE_BITS = 48,
};

/* What it is dialed for. */
enum link_purpose {
    LINK_SESSION,      /* to send messages: older links from this node are void */
    LINK_INTRODUCTION, /* to learn who is there; then it is closed */
};

enum link_state {
    LINK_AWAITS_HELLO,     /* acceptor */
    LINK_AWAITS_CHALLENGE, /* dialer */
    LINK_AWAITS_PROOF,     /* acceptor */
    LINK_AWAITS_WELCOME,   /* dialer */
    LINK_OPEN,
    LINK_BROKEN,
};

struct link {
    enum link_state state;
    bool dialer;
    enum link_purpose purpose;
    unsigned version;    /* that both speak, once both have greeted */
    uint64_t node;       /* this one */
    uint64_t peer;       /* 0: not said yet. Not proven before it is open */
    const char *key;     /* HMAC_SIZE bytes, borrowed */
    struct buffer input; /* a frame that is not whole yet */
    struct buffer output;
    /* HELLO and CHALLENGE, as they went over the wire. */
    char greetings[2][LINK_GREETING_SIZE];
    uint64_t sent, heard;  /* messages */
    uint64_t acknowledged; /* of them: by the other side, or to it */
};

/* The key that stands for a secret. */
void link_key(struct bytes secret, char out[HMAC_SIZE]);

/* Begins to greet. `peer`: who is to be there, or 0 for anybody. A nonce is used once, ever. */
void link_dial(struct link *link, enum link_purpose purpose, uint64_t node, uint64_t peer,
               const char *key, const char nonce[LINK_NONCE_SIZE]);
void link_accept(struct link *link, uint64_t node, const char *key,
                 const char nonce[LINK_NONCE_SIZE]);
void link_deinit(struct link *link);

enum link_event {
    LINK_QUIET,        /* all bytes are taken, nothing more has happened */
    LINK_CLAIMED,      /* acceptor: the other side says who it is; not proven */
    LINK_GREETED,      /* both sides have proven themselves: it is open */
    LINK_HEARD,        /* acceptor: a message */
    LINK_ACKNOWLEDGED, /* dialer: link->acknowledged has grown */
    LINK_FAILED,       /* to be closed; says nothing more */
};

struct link_news {
    unsigned type;        /* of a message */
    struct bytes payload; /* until the next call */
    enum status why;    /* it failed: VERSION, INVALID (who it is, or no proof), TOO_BIG, CORRUPT */
    const char *reason; /* the same for people: what the other side did */
};

/* Takes bytes from the front of *in until something has happened; to be called again until it is
 * LINK_QUIET or LINK_FAILED. */
enum link_event link_next(struct link *link, struct bytes *in, struct link_news *out);

/* Dialer, open, for a session. */
void link_send(struct link *link, unsigned type, struct bytes payload);

/* Acceptor: says how many it has heard, if that is new. */
void link_acknowledge(struct link *link);

/* The nonce that the dialer has sent, or is said to have sent. */
const char *link_dialer_nonce(const struct link *link);

#endif
