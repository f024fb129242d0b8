/* SPDX-License-Identifier: MIT */
/* Proof that one knows a secret, without telling it: HMAC-SHA256 (RFC 2104). */
#ifndef SECURITY_HMAC_H
#define SECURITY_HMAC_H

#include "base/bytes.h"

enum { HMAC_SIZE = 32 };

void hmac_sha256(struct bytes key, struct bytes text, char out[HMAC_SIZE]);

/* In constant time. */
bool hmac_equal(const char *a, const char *b);

#endif
