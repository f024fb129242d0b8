/* SPDX-License-Identifier: MIT */
#include "observe/journal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

enum {
    MESSAGE_MAX = 1024,          /* bytes of a message; what is longer is cut off */
    LINE_KEPT = 8 * MESSAGE_MAX, /* of the memory for a line: each byte may take six */
};

struct journal {
    int fd;
    enum journal_level level;
    enum journal_format format;
    uint64_t (*clock_ms)(void);
    struct buffer line;
};

enum status journal_open(const char *path, enum journal_level level, enum journal_format format,
                         uint64_t (*clock_ms)(void), struct journal **out)
{
    int fd = STDOUT_FILENO;
    if (path[0] != '\0')
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return STATUS_IO;
    struct journal *journal = memory_zeroed(sizeof *journal);
    journal->fd = fd;
    journal->level = level;
    journal->format = format;
    journal->clock_ms = clock_ms;
    *out = journal;
    return STATUS_OK;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fd != STDOUT_FILENO)
        close(journal->fd);
    buffer_deinit(&journal->line);
    memory_free(journal);
}

void journal_set_level(struct journal *journal, enum journal_level level)
{
    journal->level = level;
}

/* "20 Nov 2026 18:00:00.123", local time as in Redis, after the process and its role. */
static void begin_text(uint64_t now_ms, enum journal_level level, struct buffer *out)
{
    static const char marks[] = ".-*#";
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char date[64];
    localtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &parts);
    buffer_printf(out, "%ld:M %s.%03u %c ", (long)getpid(), date, (unsigned)(now_ms % 1000),
                  marks[level]);
}

static void begin_json(uint64_t now_ms, enum journal_level level, struct buffer *out)
{
    static const char *const names[] = {"debug", "verbose", "notice", "warning"};
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char date[64];
    gmtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_printf(out, "{\"time\":\"%s.%03uZ\",\"pid\":%ld,\"level\":\"%s\",\"message\":\"", date,
                  (unsigned)(now_ms % 1000), (long)getpid(), names[level]);
}

static void append_text(struct bytes message, struct buffer *out)
{
    for (size_t i = 0; i < message.size; i++) {
        unsigned char c = (unsigned char)message.data[i];
        if (c == '\n')
            buffer_append(out, "\\n", 2);
        else if (c == '\r')
            buffer_append(out, "\\r", 2);
        else if (c < ' ' || c == 127)
            buffer_printf(out, "\\x%02x", c);
        else
            buffer_append_u8(out, c);
    }
}

/* The size of the UTF-8 sequence, of more than one byte, in front: 0 if it is none. RFC 3629. */
static size_t utf8_size(struct bytes text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.size < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool no_character = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || no_character ? 0 : size;
}

static void append_json(struct bytes message, struct buffer *out)
{
    for (size_t i = 0; i < message.size; i++) {
        unsigned char c = (unsigned char)message.data[i];
        if (c == '"' || c == '\\') {
            buffer_printf(out, "\\%c", c);
        } else if (c < ' ' || c == 127) {
            buffer_printf(out, "\\u%04x", c);
        } else if (c < 128) {
            buffer_append_u8(out, c);
        } else {
            size_t size = utf8_size(bytes_of(message.data + i, message.size - i));
            if (size == 0)
                buffer_printf(out, "\\ufffd");
            else
                buffer_append(out, message.data + i, size);
            i += size == 0 ? 0 : size - 1;
        }
    }
}

void journal_write(struct journal *journal, enum journal_level level, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;
    if (journal == NULL || level < journal->level)
        return;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    struct bytes message = bytes_text(text);
    uint64_t now_ms = journal->clock_ms();
    struct buffer *line = &journal->line;
    buffer_clear(line, LINE_KEPT);
    if (journal->format == JOURNAL_JSON) {
        begin_json(now_ms, level, line);
        append_json(message, line);
        buffer_append(line, "\"}\n", 3);
    } else {
        begin_text(now_ms, level, line);
        append_text(message, line);
        buffer_append_u8(line, '\n');
    }
    /* One write, so that no lines mix. If it fails there is nobody to tell. */
    ssize_t written = write(journal->fd, buffer_bytes(line).data, buffer_size(line));
    (void)written;
}
