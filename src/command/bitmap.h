/* SPDX-License-Identifier: MIT */
/* What the commands on single bits and those on fields of them share. */
#ifndef COMMAND_BITMAP_H
#define COMMAND_BITMAP_H

#include "command/request.h"

/*
 * The position of a bit, or with `unit` also "#n", n times that many bits: STATUS_REPLIED if it is
 * no number, or no string may be so long.
 */
MUST_CHECK enum status bitmap_offset(struct request *request, struct bytes text, unsigned unit,
                                     uint64_t *out_offset);

enum status bitmap_offset_invalid(struct request *request);

#endif
