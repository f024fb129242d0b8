/* SPDX-License-Identifier: MIT */
/* Signs what clients are given to bring back: HMAC-SHA256 (RFC 2104), its first half. The key is
 * derived from a secret that may be used for other things too. */
#ifndef SECURITY_CONTEXT_KEY_H
#define SECURITY_CONTEXT_KEY_H

#include "base/bytes.h"

enum { CONTEXT_KEY_SIZE = 32, CONTEXT_SIGNATURE_SIZE = 16 };

struct context_key {
    unsigned char key[CONTEXT_KEY_SIZE];
};

/* Nodes with the same secret have the same key: what one has signed is good for the others. */
void context_key_init(struct context_key *key, struct bytes secret);

void context_key_sign(const struct context_key *key, struct bytes message,
                      char out[CONTEXT_SIGNATURE_SIZE]);

#endif
