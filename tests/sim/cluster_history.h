/* SPDX-License-Identifier: MIT */
/*
 * What clients of a cluster did and were told, as they saw it: keys, and of each key the events on
 * it. Written by the clients, read by the checkers; nothing in it comes from the store.
 *
 * Each value that is ever written is unlike all others: it is the number of the event that writes
 * it, with the key in it, so a value tells where it comes from.
 */
#ifndef SIM_CLUSTER_HISTORY_H
#define SIM_CLUSTER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

enum history_class {
    HISTORY_REGISTER, /* SET, GETSET, DEL, SET NX by anybody */
    HISTORY_PRIVATE,  /* the same by one client, one after the other */
    HISTORY_EXPIRING, /* the same with a time to live, EXPIRE and PERSIST */
    HISTORY_COUNTER,  /* INCRBY by anybody */
    HISTORY_LOG,      /* APPEND by one client */
    HISTORY_VERSIONS, /* VC.GET, VC.SET and VC.DEL by anybody */
    HISTORY_CLASSES,
};

struct history_key {
    enum history_class class;
    unsigned number;    /* among those of its class */
    int owner;          /* the only client that writes it; -1: anybody */
    char name[32];      /* CLASS:NUMBER, or CLASS:OWNER:NUMBER */
    size_t first, last; /* its events, linked by `next`; SIZE_MAX: none */
};

enum history_verb {
    VERB_GET,
    VERB_SET,
    VERB_SETNX,
    VERB_GETSET,
    VERB_DEL,
    VERB_EXPIRE,  /* PEXPIRE */
    VERB_PERSIST, /* */
    VERB_INCRBY,
    VERB_APPEND,
    VERB_VC_GET,
    VERB_VC_SET,
    VERB_VC_DEL,
    HISTORY_VERBS,
};

enum history_outcome {
    OUTCOME_PENDING, /* no reply yet; at the end: never one */
    OUTCOME_DONE,    /* the reply says what happened */
    OUTCOME_UNKNOWN, /* no reply, or one that says that it may have happened or may still */
    OUTCOME_REFUSED, /* an error that says that it did not and will not */
};

enum { HISTORY_NIL = 0 }; /* as a value; the values of events are their numbers plus one */

struct history_event {
    size_t key;
    size_t next; /* on the same key; SIZE_MAX: none */
    enum history_verb verb;
    unsigned client, node; /* who asked whom */
    uint64_t begun_us, ended_us;
    enum history_outcome outcome;
    int64_t amount; /* of INCRBY: how much; SET and EXPIRE: the time to live in ms, 0 none */
    size_t context; /* VC_SET, VC_DEL: the VC_GET whose context it brings, plus one; 0: none */
    bool forged;    /* the context is not as it was given */
    bool final;     /* a read after all is healed: it must see everything */
    bool told;      /* unknown: a reply said so, and it has not begun since */
    bool applied;   /* done: SETNX has set, EXPIRE, PERSIST and DEL have found something */
    uint64_t read;  /* GET, GETSET: the value's number, or HISTORY_NIL; of a value that is none
                         that was ever written: HISTORY_STRANGE */
    int64_t sum;    /* INCRBY, GET of a counter: what was replied */
    size_t text;    /* GET of a log: its tokens in history->tokens, until `text_end`; VC_GET: all
                       values that are there */
    size_t text_end;
};

#define HISTORY_STRANGE UINT64_MAX

struct history {
    struct history_key *keys;
    size_t key_count, key_room;
    struct history_event *events;
    size_t event_count, event_room;
    uint64_t *tokens; /* of logs that were read */
    size_t token_count, token_room;
};

void history_init(struct history *history);
void history_deinit(struct history *history);

size_t history_add_key(struct history *history, enum history_class class, unsigned number,
                       int owner);

/* A new event, PENDING; its number. */
size_t history_begin(struct history *history, size_t key, enum history_verb verb, unsigned client,
                     uint64_t now_us);

bool history_writes(enum history_verb verb);
/* Whether the event may have changed its key, or still may. */
bool history_may_apply(const struct history_event *event);
/* Whether it has: its reply says so. */
bool history_has_applied(const struct history_event *event);

/* The text of the value that event number `event` writes, `padding` bytes longer. */
void history_value(const struct history *history, size_t event, size_t padding, struct buffer *out);
/* What such a text is, read at that key: its number, HISTORY_STRANGE if it is no value of it. */
uint64_t history_parse(const struct history *history, size_t key, struct bytes text);
/* One more of the values that an event has read. */
void history_add_token(struct history *history, uint64_t token);
/* The same of a log: its tokens. */
void history_parse_log(struct history *history, size_t key, struct bytes text,
                       struct history_event *out);

const char *history_class_name(enum history_class class); /* with which its keys' names begin */
const char *history_verb_name(enum history_verb verb);
const char *history_outcome_name(enum history_outcome outcome);

#endif
