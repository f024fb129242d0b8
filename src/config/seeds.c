/* SPDX-License-Identifier: MIT */
#include "config/seeds.h"

#include "base/number.h"

static bool is_between(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

static struct bytes take_word(struct bytes *rest)
{
    size_t from = 0, to;
    while (from < rest->size && is_between(rest->data[from]))
        from++;
    for (to = from; to < rest->size && !is_between(rest->data[to]);)
        to++;
    struct bytes word = bytes_of(rest->data + from, to - from);
    *rest = bytes_of(rest->data + to, rest->size - to);
    return word;
}

bool seed_is_host(struct bytes host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != ':')
            return false;
    }
    return host.size > 0 && host.size < SEED_HOST_MAX;
}

/* Without the brackets of an IPv6 address, which has colons; nothing else has. */
static bool take_host(struct bytes *host)
{
    bool bracketed = host->size >= 2 && host->data[0] == '[' && host->data[host->size - 1] == ']';
    if (bracketed)
        *host = bytes_of(host->data + 1, host->size - 2);
    bool colons = host->size > 0 && memchr(host->data, ':', host->size) != NULL;
    return seed_is_host(*host) && colons == bracketed;
}

enum status seed_next(struct bytes *rest, char out_host[SEED_HOST_MAX], uint16_t *out_port)
{
    struct bytes word = take_word(rest);
    if (word.size == 0)
        return STATUS_ABSENT;
    const char *colon = memrchr(word.data, ':', word.size);
    if (colon == NULL)
        return STATUS_INVALID;
    struct bytes host = bytes_of(word.data, (size_t)(colon - word.data));
    struct bytes digits = bytes_of(colon + 1, word.size - host.size - 1);
    int64_t port;
    if (!number_parse_i64(digits, &port) || port < 1 || port > UINT16_MAX || !take_host(&host))
        return STATUS_INVALID;
    memcpy(out_host, host.data, host.size);
    out_host[host.size] = '\0';
    *out_port = (uint16_t)port;
    return STATUS_OK;
}
