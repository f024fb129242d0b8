/* SPDX-License-Identifier: MIT */
/*
 * What the process tells its operator: one line an event, text ("<pid>:M 20 Nov 2026 18:00:00.123 *
 * message", as redis-server writes) or JSON ({"time": ..., "level": ..., "message": ...}). To
 * standard output or a file. Never a secret, never a value. Written by session/, node/ and above
 * only, once per event; lower folders return a status.
 */
#ifndef OBSERVE_JOURNAL_H
#define OBSERVE_JOURNAL_H

#include <stdint.h>

#include "base/status.h"

enum journal_level {
    JOURNAL_DEBUG,
    JOURNAL_VERBOSE,
    JOURNAL_NOTICE,
    JOURNAL_WARNING,
};

enum journal_format {
    JOURNAL_TEXT,
    JOURNAL_JSON,
};

struct journal;

/* `path` empty: standard output. The clock is asked for each line: milliseconds of Unix time. */
MUST_CHECK enum status journal_open(const char *path, enum journal_level level,
                                    enum journal_format format, uint64_t (*clock_ms)(void),
                                    struct journal **out);
void journal_close(struct journal *journal);
void journal_set_level(struct journal *journal, enum journal_level level);

/* With journal NULL: nothing. CR, LF and other control bytes are written escaped. */
void journal_write(struct journal *journal, enum journal_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
