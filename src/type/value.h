/* SPDX-License-Identifier: MIT */
/*
 * The whole value of a key, whatever its type: read at once, set at once, or copied to another key.
 * Each type has an entry in the table of value.c.
 */
#ifndef TYPE_VALUE_H
#define TYPE_VALUE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "type/cell.h"
#include "type/dump.h"

/*
 * All calls take heads from cell_find_head, of keys that exist unless said otherwise. Each may
 * return STATUS_COLD, STATUS_IO, STATUS_CORRUPT besides what is said.
 */

/* What a reader sees: borrowed from the rows where that is possible, else in the arena. */
MUST_CHECK enum status value_read(struct cell *head, struct dump *out);

/*
 * Sets the value of a key that need not exist; whatever it was is gone. `at_ms`: when it expires,
 * or EXPIRY_NEVER. The bytes live as long as the transaction. STATUS_TOO_BIG.
 */
MUST_CHECK enum status value_write(struct cell *head, const struct dump *value, uint64_t at_ms);

/*
 * Makes `to`, the head of another key in the same transaction, what `from` is, with its time to
 * live; whatever `to` was is gone, and it need not exist. `from` stays. Rows are written anew,
 * under dots of their own (rule 5: a dot is one event of one row), and hold what a reader saw:
 * siblings become one, increments a plain number. STATUS_TOO_BIG.
 */
MUST_CHECK enum status value_copy(struct cell *from, struct cell *to);

/* How Redis would keep it, for OBJECT ENCODING: "int", "embstr". */
MUST_CHECK enum status value_encoding(struct cell *head, struct bytes *out_name);

#endif
