/* SPDX-License-Identifier: MIT */
#include "security/password.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

bool password_matches(struct bytes given, struct bytes secret)
{
    unsigned char given_digest[SHA256_DIGEST_LENGTH], secret_digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)given.data, given.size, given_digest);
    SHA256((const unsigned char *)secret.data, secret.size, secret_digest);
    return CRYPTO_memcmp(given_digest, secret_digest, sizeof(given_digest)) == 0;
}

void password_hash(struct bytes secret, char out[PASSWORD_HASH_SIZE])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)secret.data, secret.size, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
