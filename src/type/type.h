/* SPDX-License-Identifier: MIT */
/* The types of keys, by the value in the head row. A new type adds its forms to the table. */
#ifndef TYPE_TYPE_H
#define TYPE_TYPE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "type/cell.h"

/* "string" and so on; "none" of what does not exist. */
struct bytes type_of(const struct cell *head);

/* Of a head row that exists: STATUS_CORRUPT. */
MUST_CHECK enum status type_of_row(struct bytes row, struct arena *arena, struct bytes *out_type);

#endif
