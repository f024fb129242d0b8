/* SPDX-License-Identifier: MIT */
/*
 * A conversation with command handlers over the double of a store: a test says commands and hears
 * replies as they go to a client. What drives handlers in the server is done here in the smallest
 * form: arity, runs after a miss, slices, commit.
 */
#ifndef DOUBLES_TALK_H
#define DOUBLES_TALK_H

#include "command/request.h"
#include "doubles/fake_txn.h"

enum { TALK_START_MS = 1000 * 1000 };

struct talk {
    struct store store;
    struct arena arena;
    struct buffer reply;
    struct random random;
    uint64_t now_ms;
    uint8_t db;            /* as clients count them */
    unsigned runs;         /* of the last command */
    unsigned slices;       /* of the last command */
    uint32_t hits, misses; /* of the last command, in its last run */
    /* NULL, or what happens before a command goes on with its next slice: others may be said. */
    void (*meanwhile)(struct talk *talk);
};

void talk_init(struct talk *talk, bool cold);
void talk_deinit(struct talk *talk);

/* Words between spaces. Returns the reply's bytes as text, valid until the next call. */
const char *talk_say(struct talk *talk, const char *words);

/* The same for any bytes. */
struct bytes talk_say_argv(struct talk *talk, struct bytes *argv, uint32_t argc);

/* Says it and expects this reply, without the last CR LF: "+OK", "$3\r\nabc". */
#define talk_expect(talk, words, reply) talk_expect_at(talk, words, reply, __FILE__, __LINE__)
void talk_expect_at(struct talk *talk, const char *words, const char *reply, const char *file,
                    int line);

/* What is said and what is heard; `words` NULL ends a conversation. */
struct talk_exchange {
    const char *words;
    const char *reply;
};

void talk_hold(struct talk *talk, const struct talk_exchange *exchanges);

/* Twice, each time anew: with all rows in memory, and with each row missed first. */
void talk_hold_warm_and_cold(const struct talk_exchange *exchanges);

#endif
