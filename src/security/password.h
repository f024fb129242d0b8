/* SPDX-License-Identifier: MIT */
/* Compares secrets so that the time it takes tells nothing about them. */
#ifndef SECURITY_PASSWORD_H
#define SECURITY_PASSWORD_H

#include "base/bytes.h"

/* Whether what was given is the secret: their SHA-256 digests are compared in constant time. */
bool password_matches(struct bytes given, struct bytes secret);

enum { PASSWORD_HASH_SIZE = 65 };

/* Its SHA-256 digest in hex, as ACL LIST shows it; NUL-terminated. */
void password_hash(struct bytes secret, char out[PASSWORD_HASH_SIZE]);

#endif
