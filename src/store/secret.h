/* SPDX-License-Identifier: MIT */
/* A secret that goes with a data directory, in the file `secret`: 64 hexadecimal digits and a
 * newline. */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

#include "store/files.h"

enum { SECRET_SIZE = 32 };

/*
 * The directory's secret; where there is none, or what is there is none, it is made of `drawn`, and
 * is durable when this returns. STATUS_IO, STATUS_DISK_FULL.
 */
MUST_CHECK enum status secret_take(struct files *files, const char drawn[SECRET_SIZE],
                                   char out[SECRET_SIZE]);

#endif
