/* SPDX-License-Identifier: MIT */
#include "store/secret.h"

#include <stdio.h>

#define FILE_NAME "secret"

enum { FILE_SIZE = 2 * SECRET_SIZE + 1 };

/* -1: it is none. */
static int digit_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool parse(struct bytes text, char out[SECRET_SIZE])
{
    if (text.size != FILE_SIZE || text.data[FILE_SIZE - 1] != '\n')
        return false;
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (char)(high << 4 | low);
    }
    return true;
}

static enum status make(struct files *files, const char secret[SECRET_SIZE])
{
    char text[FILE_SIZE + 1];
    for (size_t i = 0; i < SECRET_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)secret[i]);
    text[FILE_SIZE - 1] = '\n';
    return files_replace(files, FILE_NAME, bytes_of(text, FILE_SIZE));
}

enum status secret_take(struct files *files, const char drawn[SECRET_SIZE], char out[SECRET_SIZE])
{
    struct buffer text = {0};
    char found[SECRET_SIZE];
    enum status status = files_read_all(files, FILE_NAME, FILE_SIZE, &text);
    bool valid = status == STATUS_OK && parse(buffer_bytes(&text), found);
    buffer_deinit(&text);
    if (valid) {
        memcpy(out, found, SECRET_SIZE);
        return STATUS_OK;
    }
    if (status != STATUS_OK && status != STATUS_ABSENT && status != STATUS_TOO_BIG)
        return status;
    status = make(files, drawn);
    if (status == STATUS_OK)
        memcpy(out, drawn, SECRET_SIZE);
    return status;
}
