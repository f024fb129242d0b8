/* SPDX-License-Identifier: MIT */
/* cluster-seeds: addresses "host:port", "[::1]:port" for IPv6, with blanks or commas between. */
#ifndef CONFIG_SEEDS_H
#define CONFIG_SEEDS_H

#include "base/bytes.h"
#include "base/status.h"

enum { SEED_HOST_MAX = 256 }; /* with its NUL */

/* Takes the next one from the front of *rest. STATUS_ABSENT: there is no more; STATUS_INVALID. */
MUST_CHECK enum status seed_next(struct bytes *rest, char out_host[SEED_HOST_MAX],
                                 uint16_t *out_port);

/* What a host's name or address may look like: letters, digits, '-', '.', and ':' for IPv6. */
bool seed_is_host(struct bytes host);

#endif
