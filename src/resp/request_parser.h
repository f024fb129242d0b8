/* SPDX-License-Identifier: MIT */
/*
 * Takes requests out of a stream of bytes: arrays of bulk strings, and inline commands with Redis's
 * quoting. Resumable at every byte, linear in the bytes whatever the split points; arguments borrow
 * from the bytes given.
 */
#ifndef RESP_REQUEST_PARSER_H
#define RESP_REQUEST_PARSER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"

struct request_limits {
    uint64_t arguments;   /* before AUTH 10, then 1024 * 1024 */
    uint64_t bulk_size;   /* before AUTH 16 KiB, then proto-max-bulk-len */
    uint64_t inline_size; /* 64 KiB: of an inline command, and of a header's line */
    bool authenticated;   /* chooses between Redis's wordings */
};

enum request_result {
    REQUEST_INCOMPLETE, /* needs more bytes */
    REQUEST_READY,     /* argc may be 0: an empty line or "*0", to be passed over without a reply */
    REQUEST_MALFORMED, /* `error` is to be replied, then the connection closed */
};

struct request_span {
    size_t begin;
    size_t size;
};

/* What is known of the request at the front of the stream, kept between calls. All zeros before the
 * first. */
struct request_parser {
    struct bytes
        *argv; /* of a READY request, in the arena: borrowed from the bytes given, or the arena */
    uint32_t argc;
    uint32_t remaining;         /* arguments still to come; 0 at the front of a request */
    size_t parsed;              /* bytes of the request that are understood */
    size_t searched;            /* bytes behind them that do not end the line being read */
    int64_t bulk;               /* size of the argument being read, -1 before its header was read */
    struct request_span *spans; /* owned: where in the stream the arguments so far stand */
    uint32_t found;             /* spans in use */
    uint32_t room;
    char error[64]; /* of a MALFORMED request: "ERR Protocol error: ..." */
};

void request_parser_deinit(struct request_parser *parser);

/*
 * `stream` begins with the request that is being parsed; on later calls it holds at least the same
 * bytes (perhaps elsewhere in memory) and more behind. READY: *out_used bytes belong to the
 * request: drop them before the next call, when the arguments are no longer needed. The arena holds
 * argv; it may be cleared after INCOMPLETE.
 */
enum request_result request_parse(struct request_parser *parser, struct bytes stream,
                                  const struct request_limits *limits, struct arena *arena,
                                  size_t *out_used);

/*
 * A look ahead, of no effect: whether `stream` begins with a whole request of the plainest form (an
 * array of a few arguments, the first of them a command's name) that has a second argument, most
 * likely a key; that argument, and the request's size.
 */
bool request_peek(struct bytes stream, struct bytes *out_key, size_t *out_size);

/* How many bytes more than `have` the argument being read needs: to read them at once where they
 * are to stand. 0: unknown. */
size_t request_wants(const struct request_parser *parser, size_t have);

#endif
