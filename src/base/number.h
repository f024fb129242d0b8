/* SPDX-License-Identifier: MIT */
/* Numbers as text, as strict as Redis is: no spaces, no plus sign, no leading zeros, nothing after
 * the number. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

#include "base/bytes.h"

enum { NUMBER_TEXT_MAX = 32 }; /* room for any 64-bit integer as text */

/* A decimal 64-bit integer in its one canonical form ("-0" and "007" are none). False leaves
 * *out_value alone. */
bool number_parse_i64(struct bytes text, int64_t *out_value);

/* The canonical decimal form; returns its length; no NUL. `out` has NUMBER_TEXT_MAX bytes. */
unsigned number_format_i64(int64_t value, char *out);

/* A size with Redis's units: "64mb" = 64 * 1024 * 1024, "1k" = 1000, "1kb" = 1024, "5b", "7". */
bool number_parse_size(struct bytes text, uint64_t *out_size);

#endif
