/* SPDX-License-Identifier: MIT */
/* Compares secrets so that the time it takes tells nothing about them. */
#ifndef SECURITY_PASSWORD_H
#define SECURITY_PASSWORD_H

#include "base/bytes.h"

/* Whether what was given is the secret: their SHA-256 digests are compared in constant time. */
bool password_matches(struct bytes given, struct bytes secret);

#endif
