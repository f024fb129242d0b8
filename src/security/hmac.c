/* SPDX-License-Identifier: MIT */
#include "security/hmac.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

void hmac_sha256(struct bytes key, struct bytes text, char out[HMAC_SIZE])
{
    unsigned size = HMAC_SIZE;
    check(key.size <= INT_MAX);
    /* An empty key is one, too, but OpenSSL takes NULL for "as before". */
    const unsigned char *done =
        HMAC(EVP_sha256(), key.size ? key.data : "", (int)key.size,
             (const unsigned char *)text.data, text.size, (unsigned char *)out, &size);
    check(done && size == HMAC_SIZE);
}

bool hmac_equal(const char *a, const char *b)
{
    return CRYPTO_memcmp(a, b, HMAC_SIZE) == 0;
}
