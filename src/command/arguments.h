/* SPDX-License-Identifier: MIT */
/*
 * Arguments that many commands share: keys, integers, times, with Redis's error texts. What fails
 * returns the status that the handler returns in turn; STATUS_REPLIED where the text is of its own.
 * So nothing may be in the reply before.
 */
#ifndef COMMAND_ARGUMENTS_H
#define COMMAND_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/real.h"
#include "base/status.h"
#include "command/request.h"
#include "type/cell.h"

/*
 * The head row of a key, as cell_find_head: the key may be of any size, and too long is an error.
 */
MUST_CHECK enum status argument_key(struct request *request, struct bytes key, struct cell *out);

/* Arguments that are keys, `step` apart. */
struct key_arguments {
    uint32_t first, end, step;
};

/*
 * For the loop over many keys, when it comes to argument `at`: has the processor load what memory
 * holds of the next ones, from time to time.
 */
void argument_look_ahead(struct request *request, struct key_arguments keys, uint32_t at);

/*
 * As argument_key, for a command that reads the key's value: counted as a hit or a miss of the
 * keyspace.
 */
MUST_CHECK enum status argument_key_read(struct request *request, struct bytes key,
                                         struct cell *out);

/* The same, but it does not count as an access: of what is not about the value (see OBJECT). */
MUST_CHECK enum status argument_key_peek(struct request *request, struct bytes key,
                                         struct cell *out);

/* The first two in another database than the request's, as the store counts them (request.db). */
MUST_CHECK enum status argument_key_in(struct request *request, uint8_t db, struct bytes key,
                                       struct cell *out);
MUST_CHECK enum status argument_key_read_in(struct request *request, uint8_t db, struct bytes key,
                                            struct cell *out);

/* The number of a database, as clients count them: see store_database. */
MUST_CHECK enum status argument_database(struct request *request, struct bytes text,
                                         uint8_t *out_index);

/* STATUS_NOT_INTEGER. */
MUST_CHECK enum status argument_integer(struct bytes text, int64_t *out_value);

/* A real, which may be infinite: STATUS_NOT_FLOAT. */
MUST_CHECK enum status argument_real(struct bytes text, real_t *out_value);

/* How a command gives a time. */
struct time_unit {
    bool seconds;  /* else milliseconds */
    bool absolute; /* Unix time; else from now on */
};

/* A time as EXPIRE has it, in Unix milliseconds: it may be past, or even negative. */
MUST_CHECK enum status argument_time(struct request *request, struct bytes text,
                                     struct time_unit unit, int64_t *out_ms);

/* A time that must be above 0, as SET's EX has it. */
MUST_CHECK enum status argument_expiry(struct request *request, struct bytes text,
                                       struct time_unit unit, uint64_t *out_at_ms);

/* Replies that the command got a wrong number of arguments. */
enum status argument_count_wrong(struct request *request);

#endif
