/* SPDX-License-Identifier: MIT */
#include "security/password.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

bool password_matches(struct bytes given, struct bytes secret)
{
    unsigned char given_digest[SHA256_DIGEST_LENGTH], secret_digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)given.data, given.size, given_digest);
    SHA256((const unsigned char *)secret.data, secret.size, secret_digest);
    return CRYPTO_memcmp(given_digest, secret_digest, sizeof(given_digest)) == 0;
}
