/* SPDX-License-Identifier: MIT */
#include "resp/request_parser.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"

enum {
    SPANS_FIRST = 8,
    SPANS_KEPT = 1024, /* between requests */
    PEEK_ARGUMENTS_MAX = 8,
    PEEK_DIGITS_MAX = 6,
    PEEK_KEY_MAX = 256,
};

/* "*3\r\n" or "$5\r\n" */
struct header {
    char type;
    bool valid; /* the number is one */
    int64_t number;
};

void request_parser_deinit(struct request_parser *parser)
{
    memory_free(parser->spans);
    *parser = (struct request_parser){0};
}

static enum request_result malformed(struct request_parser *parser, const char *reason)
{
    snprintf(parser->error, sizeof(parser->error), "ERR Protocol error: %s", reason);
    return REQUEST_MALFORMED;
}

/*
 * The line that begins at parser->parsed, up to a byte `mark`. Each byte is looked at once, however
 * often this is called. Whether a line is too long must not depend on how it was split, so what
 * stands behind the limit is not looked at.
 */
static enum request_result find_line(struct request_parser *parser, struct bytes stream, char mark,
                                     const struct request_limits *limits, const char *too_big,
                                     struct bytes *out_line)
{
    const char *line = stream.data + parser->parsed;
    size_t have = stream.size - parser->parsed;
    size_t within = have > limits->inline_size ? (size_t)limits->inline_size + 1 : have;
    size_t searched = parser->searched;
    const char *end = within > searched ? memchr(line + searched, mark, within - searched) : NULL;
    if (!end) {
        if (have > limits->inline_size)
            return malformed(parser, too_big);
        parser->searched = within;
        return REQUEST_INCOMPLETE;
    }
    *out_line = bytes_of(line, (size_t)(end - line));
    return REQUEST_READY;
}

/* Any header, also one that is incomplete or wrong. As in Redis, the byte after CR is skipped
 * unseen. */
static enum request_result read_header_slow(struct request_parser *parser, struct bytes stream,
                                            const struct request_limits *limits,
                                            const char *too_big, struct header *out_header)
{
    struct bytes line;
    enum request_result result = find_line(parser, stream, '\r', limits, too_big, &line);
    if (result != REQUEST_READY)
        return result;
    parser->searched = line.size;
    if (stream.size - parser->parsed < line.size + 2)
        return REQUEST_INCOMPLETE;
    parser->searched = 0;
    parser->parsed += line.size + 2;
    struct header header = {.type = line.size > 0 ? line.data[0] : '\r'};
    if (line.size > 1)
        header.valid = number_parse_i64(bytes_of(line.data + 1, line.size - 1), &header.number);
    *out_header = header;
    return REQUEST_READY;
}

/* Headers with one to nine digits, as nearly all are, without a search. */
static inline enum request_result read_header(struct request_parser *parser, struct bytes stream,
                                              const struct request_limits *limits,
                                              const char *too_big, struct header *out_header)
{
    const char *at = stream.data + parser->parsed;
    size_t have = stream.size - parser->parsed;
    size_t stop = have < 10 ? have : 10;
    uint32_t number = 0;
    size_t i = 1;
    for (; i < stop && (unsigned char)(at[i] - '0') < 10; i++)
        number = number * 10 + (unsigned char)(at[i] - '0');
    if (i == 1 || have < i + 2 || at[i] != '\r' || (at[1] == '0' && i > 2))
        return read_header_slow(parser, stream, limits, too_big, out_header);
    parser->searched = 0;
    parser->parsed += i + 2;
    *out_header = (struct header){at[0], true, number};
    return REQUEST_READY;
}

static enum request_result read_count(struct request_parser *parser, struct bytes stream,
                                      const struct request_limits *limits)
{
    struct header header;
    enum request_result result =
        read_header(parser, stream, limits, "too big mbulk count string", &header);
    if (result != REQUEST_READY)
        return result;
    bool too_many = header.number > 0 && (uint64_t)header.number > limits->arguments;
    if (!header.valid || header.number > INT32_MAX || (too_many && limits->authenticated))
        return malformed(parser, "invalid multibulk length");
    if (too_many)
        return malformed(parser, "unauthenticated multibulk length");
    parser->remaining = header.number > 0 ? (uint32_t)header.number : 0;
    parser->bulk = -1;
    return REQUEST_READY;
}

static enum request_result read_bulk_size(struct request_parser *parser, struct bytes stream,
                                          const struct request_limits *limits)
{
    struct header header;
    enum request_result result =
        read_header(parser, stream, limits, "too big bulk count string", &header);
    if (result != REQUEST_READY)
        return result;
    if (header.type != '$') {
        char reason[] = "expected '$', got '?'";
        reason[sizeof(reason) - 3] = header.type;
        return malformed(parser, reason);
    }
    bool too_big = header.number > 0 && (uint64_t)header.number > limits->bulk_size;
    if (!header.valid || header.number < 0 || (too_big && limits->authenticated))
        return malformed(parser, "invalid bulk length");
    if (too_big)
        return malformed(parser, "unauthenticated bulk length");
    parser->bulk = header.number;
    return REQUEST_READY;
}

static void add_span(struct request_parser *parser)
{
    if (parser->found == parser->room) {
        parser->room = parser->room ? parser->room * 2 : SPANS_FIRST;
        parser->spans = memory_resize(parser->spans, parser->room * sizeof(*parser->spans));
    }
    parser->spans[parser->found++] = (struct request_span){parser->parsed, (size_t)parser->bulk};
}

/* The request is whole: its arguments are spans of the stream. */
static enum request_result finish(struct request_parser *parser, struct bytes stream,
                                  struct arena *arena, size_t *out_used)
{
    struct bytes *argv = arena_alloc(arena, parser->found * sizeof(*argv));
    for (uint32_t i = 0; i < parser->found; i++)
        argv[i] = bytes_of(stream.data + parser->spans[i].begin, parser->spans[i].size);
    parser->argv = argv;
    parser->argc = parser->found;
    *out_used = parser->parsed;
    parser->found = 0;
    parser->parsed = 0;
    if (parser->room > SPANS_KEPT) {
        memory_free(parser->spans);
        parser->spans = NULL;
        parser->room = 0;
    }
    return REQUEST_READY;
}

/* ---- inline commands ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What follows a backslash in double quotes: *out_char, and how many bytes it took. */
static size_t unescape(const char *at, const char *end, char *out_char)
{
    static const char letters[] = "nrtba", controls[] = "\n\r\t\b\a";
    if (end - at >= 3 && at[0] == 'x' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        *out_char = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
        return 3;
    }
    const char *letter = memchr(letters, at[0], sizeof(letters) - 1);
    *out_char = letter ? controls[letter - letters] : at[0];
    return 1;
}

/* From behind the opening quote to behind the closing one, which a blank or the end must follow:
 * else NULL. */
static const char *copy_quoted(const char *at, const char *end, char quote, char **out)
{
    while (at < end && *at != quote) {
        char c = *at++;
        if (c == '\\' && quote == '"' && at < end)
            at += unescape(at, end, &c);
        else if (c == '\\' && quote == '\'' && at < end && *at == '\'')
            c = *at++;
        *(*out)++ = c;
    }
    if (at == end || (at + 1 < end && !is_blank(at[1])))
        return NULL;
    return at + 1;
}

/* One argument, which begins at `at`; NULL for unbalanced quotes. Ends at what Redis ends it: not
 * every blank does. */
static const char *copy_argument(const char *at, const char *end, char **out)
{
    while (at < end && *at != ' ' && *at != '\n' && *at != '\r' && *at != '\t') {
        if (*at == '"' || *at == '\'')
            return copy_quoted(at + 1, end, *at, out);
        *(*out)++ = *at++;
    }
    return at;
}

static enum request_result split_line(struct request_parser *parser, struct bytes line,
                                      const struct request_limits *limits, struct arena *arena)
{
    /* Each argument but the last takes two bytes at least. */
    struct bytes *argv = arena_alloc(arena, (line.size / 2 + 1) * sizeof(*argv));
    char *out = arena_alloc(arena, line.size);
    const char *at = line.data, *end = line.data + line.size;
    uint32_t argc = 0;
    for (;;) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end)
            break;
        if (argc == limits->arguments)
            return malformed(parser, limits->authenticated ? "invalid multibulk length"
                                                           : "unauthenticated multibulk length");
        char *begin = out;
        at = copy_argument(at, end, &out);
        if (!at)
            return malformed(parser, "unbalanced quotes in request");
        argv[argc++] = bytes_of(begin, (size_t)(out - begin));
    }
    parser->argv = argv;
    parser->argc = argc;
    return REQUEST_READY;
}

static enum request_result parse_inline(struct request_parser *parser, struct bytes stream,
                                        const struct request_limits *limits, struct arena *arena,
                                        size_t *out_used)
{
    struct bytes line;
    enum request_result result =
        find_line(parser, stream, '\n', limits, "too big inline request", &line);
    if (result != REQUEST_READY)
        return result;
    size_t used = line.size + 1;
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    parser->searched = 0;
    result = split_line(parser, line, limits, arena);
    if (result == REQUEST_READY)
        *out_used = used;
    return result;
}

/* ---- both ---- */

enum request_result request_parse(struct request_parser *parser, struct bytes stream,
                                  const struct request_limits *limits, struct arena *arena,
                                  size_t *out_used)
{
    enum request_result result;
    if (parser->remaining == 0) {
        if (stream.size == 0)
            return REQUEST_INCOMPLETE;
        if (stream.data[0] != '*')
            return parse_inline(parser, stream, limits, arena, out_used);
        result = read_count(parser, stream, limits);
        if (result != REQUEST_READY)
            return result;
    }
    while (parser->remaining > 0) {
        if (parser->bulk < 0) {
            result = read_bulk_size(parser, stream, limits);
            if (result != REQUEST_READY)
                return result;
        }
        if (stream.size - parser->parsed < (uint64_t)parser->bulk + 2)
            return REQUEST_INCOMPLETE;
        add_span(parser);
        parser->parsed += (size_t)parser->bulk + 2;
        parser->bulk = -1;
        parser->remaining--;
    }
    return finish(parser, stream, arena, out_used);
}

/* "$12\r\n": what follows, NULL if it is not that. */
static const char *peek_header(const char *at, const char *end, char type, size_t *out_number)
{
    if (at == end || *at++ != type)
        return NULL;
    size_t number = 0;
    const char *digits = at;
    for (; at < end && (unsigned char)(*at - '0') < 10 && at - digits < PEEK_DIGITS_MAX; at++)
        number = number * 10 + (unsigned char)(*at - '0');
    if (at == digits || end - at < 2 || *at != '\r' || (*digits == '0' && at - digits > 1))
        return NULL;
    *out_number = number;
    return at + 2;
}

bool request_peek(struct bytes stream, struct bytes *out_key, size_t *out_size)
{
    const char *end = stream.data + stream.size;
    struct bytes key = {0};
    size_t count, size;
    const char *at = peek_header(stream.data, end, '*', &count);
    if (!at || count < 2 || count > PEEK_ARGUMENTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        at = peek_header(at, end, '$', &size);
        if (!at || (size_t)(end - at) < size + 2)
            return false;
        if (i == 1)
            key = bytes_of(at, size);
        at += size + 2;
    }
    if (key.size == 0 || key.size > PEEK_KEY_MAX)
        return false;
    *out_key = key;
    *out_size = (size_t)(at - stream.data);
    return true;
}

size_t request_wants(const struct request_parser *parser, size_t have)
{
    if (parser->remaining == 0 || parser->bulk < 0)
        return 0;
    size_t end = parser->parsed + (size_t)parser->bulk + 2;
    return end > have ? end - have : 0;
}
