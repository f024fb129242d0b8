/* SPDX-License-Identifier: MIT */
#include "security/context_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

enum { DIGEST_SIZE = 32 };

static void hmac(const void *key, size_t key_size, struct bytes message,
                 unsigned char out[DIGEST_SIZE])
{
    unsigned size = 0;
    const unsigned char *done = HMAC(EVP_sha256(), key, (int)key_size,
                                     (const unsigned char *)message.data, message.size, out, &size);
    check(done != NULL && size == DIGEST_SIZE);
}

void context_key_init(struct context_key *key, struct bytes secret)
{
    _Static_assert((int)CONTEXT_KEY_SIZE == (int)DIGEST_SIZE, "a key is a digest");
    hmac(secret.size > 0 ? secret.data : "", secret.size, BYTES("shoal: contexts of clients"),
         key->key);
}

void context_key_sign(const struct context_key *key, struct bytes message,
                      char out[CONTEXT_SIGNATURE_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    hmac(key->key, sizeof(key->key), message, digest);
    memcpy(out, digest, CONTEXT_SIGNATURE_SIZE);
}
