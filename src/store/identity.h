/* SPDX-License-Identifier: MIT */
/*
 * Who this data directory is: the node's number and its epoch, in the file `identity`. An actor
 * that may have forgotten some of its own events must not go on (rule 1): so every start that does
 * not follow a clean stop takes a new epoch, and a directory that was copied takes a new node
 * number; recorded durably before they are used.
 *
 * One copy among several (`joined`) takes a new epoch after a clean stop too: nobody can tell
 * whether the directory was put back meanwhile to what it was at some earlier stop, and others have
 * what it wrote since. Such a one has also forgotten which epochs it took since. So epochs are not
 * counted, but drawn from all that this directory doesn't know of: that it takes one once more
 * happens in one of 65535 cases, for each start that it has forgotten.
 *
 * The file is text, one "name value" a line, the last line its checksum:
 *   format 4 | node <12 hex digits> | epoch <n> | mark <n> | clean <0|1> | time <n> | joined <0|1>
 *   | former <actor in 16 hex digits>... | database <4 hex digits>...
 *
 * Formats 2 and 3 are read as well. In them epochs were counted: a former line stands for all
 * earlier ones of its node too, and those of the present node go without saying. Format 2 has no
 * line `joined`, and means 0.
 *
 * A database line says what SWAPDB has done: under the number that clients give (the first two
 * digits) there is that one of the store's (the last two). Where both are the same there is no
 * line.
 */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include "base/buffer.h"
#include "base/status.h"
#include "row/dot.h"
#include "store/files.h"

enum {
    IDENTITY_DATABASES = 256,
    IDENTITY_SIZE_MAX = 4 * 1024 * 1024, /* of the file */
};

struct identity {
    uint64_t node; /* 48 bits */
    uint16_t epoch;
    uint64_t mark; /* see files_ops.lock: another number means that the directory is a copy */
    bool clean;    /* the last stop was clean: who is alone goes on from `time` */
    uint64_t time; /* the newest hybrid time given, at the last clean stop */
    bool joined;   /* the directory is one copy among several: see store_join */
    struct vector former; /* actors that this directory was before, each with time UINT64_MAX: the
                             stable vector of a sole owner. Owned (memory_alloc). */
    uint8_t moved[IDENTITY_DATABASES]; /* see identity_database: 0 where SWAPDB never was */
};

static inline actor_t identity_actor(const struct identity *identity)
{
    return actor_of(identity->node, identity->epoch);
}

/* Which of the store's databases has the number that clients give. */
static inline uint8_t identity_database(const struct identity *identity, uint8_t number)
{
    return number ^ identity->moved[number];
}

/*
 * Reads the identity and decides who to be: a new node for a new directory or a copied one; the
 * same actor where it is alone and has stopped cleanly; else the same node in another epoch (a new
 * node if there is none left). Numbers and epochs are drawn from `random48`. Writes the decision
 * durably (clean 0) before it returns. STATUS_CORRUPT, STATUS_VERSION, STATUS_IO, STATUS_DISK_FULL
 * with a reason in out_error.
 */
MUST_CHECK enum status identity_take(struct files *files, uint64_t mark, uint64_t random48,
                                     struct identity *out, bool *out_was_clean,
                                     struct buffer *out_error);

/* The stop is clean: everything is durable, and the newest time given is `time`. */
MUST_CHECK enum status identity_release(struct files *files, struct identity *identity,
                                        uint64_t time);

/*
 * From now on another epoch of the same node, drawn from `random`, durably. After an error
 * (STATUS_OVERFLOW: there is none) the process must end.
 */
MUST_CHECK enum status identity_new_epoch(struct files *files, struct identity *identity,
                                          uint64_t random);

/*
 * SWAPDB: each of the two, as clients count them, is the other from now on, durably. On an error it
 * is as before; but after STATUS_IO nobody knows what the disk has, and the process must end.
 */
MUST_CHECK enum status identity_swap_databases(struct files *files, struct identity *identity,
                                               uint8_t a, uint8_t b);

/* From now on, and for good, one copy among several, in another epoch: what this directory was put
 * back to may have been alone. Durably; errors as above, and STATUS_OVERFLOW. */
MUST_CHECK enum status identity_join(struct files *files, struct identity *identity,
                                     uint64_t random);

/* Whether the file is there and whole: STATUS_OK, STATUS_ABSENT, STATUS_CORRUPT, STATUS_VERSION,
 * STATUS_IO. Changes nothing. */
MUST_CHECK enum status identity_check(struct files *files);

void identity_deinit(struct identity *identity);

#endif
