/* SPDX-License-Identifier: MIT */
/*
 * Rows on their way between nodes: one after the other, as in the log.
 *
 *   record  | name size(varint) | row size(varint) | name | row |
 */
#ifndef ROW_ROW_LIST_H
#define ROW_ROW_LIST_H

#include "base/buffer.h"
#include "base/bytes.h"

void row_list_append(struct buffer *list, struct bytes name, struct bytes row);

/* Takes the first record off any bytes; false: there is none, or (with bytes left) they are no such
 * list. Name and row borrow, and are not looked into. */
bool row_list_next(struct bytes *rest, struct bytes *out_name, struct bytes *out_row);

#endif
