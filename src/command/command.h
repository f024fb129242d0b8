/* SPDX-License-Identifier: MIT */
/*
 * What a command is: one entry of a table says everything about it. A new command is one function
 * and one entry in the table of its file; commands.c lists the tables. COMMAND, COMMAND DOCS, ACL,
 * routing, docs/commands.md: all read it.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct request;

/* Redis's command flags: their names for COMMAND INFO are in command/command.c. */
enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,
    CMD_STALE = 1 << 8,
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_MOVABLE_KEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
};

/*
 * ACL categories. Derived as in Redis, so not to be given: read, write (from the flags of commands
 * with keys), fast or slow, admin and dangerous (from CMD_ADMIN), pubsub, blocking.
 */
enum command_category {
    CAT_KEYSPACE = 1 << 0,
    CAT_READ = 1 << 1,
    CAT_WRITE = 1 << 2,
    CAT_SET = 1 << 3,
    CAT_SORTEDSET = 1 << 4,
    CAT_LIST = 1 << 5,
    CAT_HASH = 1 << 6,
    CAT_STRING = 1 << 7,
    CAT_BITMAP = 1 << 8,
    CAT_HYPERLOGLOG = 1 << 9,
    CAT_GEO = 1 << 10,
    CAT_STREAM = 1 << 11,
    CAT_PUBSUB = 1 << 12,
    CAT_ADMIN = 1 << 13,
    CAT_FAST = 1 << 14,
    CAT_SLOW = 1 << 15,
    CAT_BLOCKING = 1 << 16,
    CAT_DANGEROUS = 1 << 17,
    CAT_CONNECTION = 1 << 18,
    CAT_TRANSACTION = 1 << 19,
    CAT_SCRIPTING = 1 << 20,
};

/* What is done to a command's keys: Redis's key specification flags. */
enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,    /* looks like a key for routing, and is none */
    KEY_INCOMPLETE = 1 << 9, /* there may be more keys than these */
    KEY_VARIABLE_FLAGS = 1 << 10,
};

/*
 * Where keys stand, as Redis's key specifications: from a position on, or behind a keyword; a range
 * of arguments, or a number and then so many keys. What most commands need follows from first_key,
 * last_key, key_step and key_flags below; others have a table of these, ended by flags 0:
 *
 *   RENAME key newkey        {.flags = ..., .begin = 1, .step = 1}, {.flags = ..., .begin = 2, ...}
 *   ZUNIONSTORE dest n key.. {.flags = ..., .begin = 1, .step = 1},
 *                            {.flags = ..., .begin = 2, .counted = true, .first = 1, .step = 1}
 *   MSETEX n key value ...   {.flags = ..., .begin = 1, .counted = true, .first = 1, .step = 2}
 *   XREAD ... STREAMS k.. id.. {.flags = ..., .keyword = "STREAMS", .begin = 1, .last = -1,
 *                            .step = 1, .limit = 2}
 */
struct key_spec {
    uint32_t flags;      /* enum key_flag */
    const char *keyword; /* the keys begin behind this word; NULL: at `begin` */
    int8_t begin; /* with a keyword: where its search starts; negative: from the end, backwards */
    int8_t last;  /* the last key, counted from the first; negative: from the end of arguments */
    int8_t limit; /* with last -1: the keys are the first of so many equal parts; 0: all of it */
    bool counted; /* instead: their number stands at the beginning, */
    int8_t first; /* and the first key so far behind it */
    int8_t step;
};

struct command {
    const char *name; /* lower case, of a subcommand its own word; NULL ends a table */
    enum status (*handler)(struct request *request); /* NULL: it has subcommands only */
    int16_t arity;  /* with the name; negative: at least so many; of a subcommand with both words */
    uint32_t flags; /* enum command_flag */
    uint32_t categories; /* enum command_category */
    int8_t first_key;    /* position of the first key, 0 for none */
    int8_t last_key;     /* negative: from the end */
    int8_t key_step;
    uint32_t key_flags;               /* enum key_flag */
    const struct key_spec *key_specs; /* instead, for where keys stand; first_key, last_key and
                                         key_step then are what Redis tells old clients */
    bool keys_optional;               /* it may be called without a key, as EVAL */
    /* With KEY_VARIABLE_FLAGS: the flags of its keys with these arguments. NULL: key_flags. */
    uint32_t (*key_flags_of)(const struct bytes *argv, uint32_t argc);
    const char *since; /* Redis version */
    const char *group; /* "string", "generic", "connection", "server", ... */
    const char *complexity;
    const char *summary;
    /*
     * The arguments, in the notation of the Redis documentation, from which COMMAND DOCS derives
     * its tree: UPPER is a token, lower[:type] a value named so, [optional], (one|of), "..."
     * repeats the one before. Types: key, string (default), integer, double, unix-time, pattern.
     * "key:key value [NX|XX] [EX seconds:integer|KEEPTTL]". All of it: command_syntax.h.
     */
    const char *syntax;
    const char *tips;                  /* Redis's command tips, blank-separated; NULL: none */
    const char *differs;               /* from Redis 7.2, in words for users; NULL: in nothing */
    const struct command *subcommands; /* a table, or NULL */
};

/* All commands: an array of tables, ended by NULL. */
struct command_set;

struct command_set *command_set_new(const struct command *const *tables);
void command_set_free(struct command_set *set);

/*
 * By name without case, NULL if there is none. With subcommands: the subcommand's entry,
 * *out_parent the command's; for an unknown subcommand NULL with *out_parent set. `subcommand` is
 * the second word; its data is NULL if there is none: then the command itself is found, and
 * *out_parent is NULL. It may have no handler, but then its arity demands the second word.
 */
const struct command *command_find(const struct command_set *set, struct bytes name,
                                   struct bytes subcommand, const struct command **out_parent);

/*
 * The same, with its number: the commands and subcommands of a set are numbered from 0, as the
 * tables have them, each subcommand behind its command. So what is kept of each fits in an array.
 */
const struct command *command_find_numbered(const struct command_set *set, struct bytes name,
                                            struct bytes subcommand,
                                            const struct command **out_parent,
                                            unsigned *out_number);

struct command_entry {
    const struct command *command;
    const struct command *parent; /* of a subcommand, else NULL */
};
/* By number; NULL past the last. */
const struct command_entry *command_entry_at(const struct command_set *set, unsigned number);
unsigned command_entry_count(const struct command_set *set);

/* For going through all: index 0.. until NULL, in the order of the tables. */
const struct command *command_at(const struct command_set *set, unsigned index);
unsigned command_count(const struct command_set *set);

/*
 * The command's specifications, whichever way they are given: `index` 0.. until NULL. `scratch` is
 * room for one.
 */
const struct key_spec *command_key_spec(const struct command *command, unsigned index,
                                        struct key_spec *scratch);

/* The flags, given and derived (CMD_MOVABLE_KEYS). */
uint32_t command_flags(const struct command *command);

/* The categories, given and derived. */
uint32_t command_categories(const struct command *command);

/* Redis's names, by the number of the bit; NULL past the last. */
const char *command_flag_name(unsigned bit);
const char *command_category_name(unsigned bit);
const char *command_key_flag_name(unsigned bit);

enum {
    COMMAND_NAME_MAX = 32,                             /* bytes of one word of a name */
    COMMAND_FULL_NAME_SIZE = 2 * COMMAND_NAME_MAX + 2, /* with a '|' and the NUL */
};

/*
 * "set", or "client|id" with its parent given: into out, NUL-terminated; it is cut off if there is
 * no room.
 */
void command_full_name(const struct command *parent, const struct command *command, char *out,
                       size_t out_size);

#endif
