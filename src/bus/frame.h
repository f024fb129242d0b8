/* SPDX-License-Identifier: MIT */
/*
 * How bytes between nodes are cut into frames: a header of fixed size, then the payload. A checksum
 * covers all of it, for TCP's is weak; it does not tell friend from foe.
 *
 *   offset  size
 *        0     4  'S' 'h' 'B' 'u'
 *        4     1  version of this form: 1
 *        5     3  zeros
 *        8     8  XXH3-64 of all that follows, from offset 16 to the end of the payload
 *       16     4  size of the payload
 *       20     1  type: bus/message.h's below 0xf0, the link's own from there on
 *       21     3  zeros
 *       24        payload
 *
 * Integers are little-endian.
 */
#ifndef BUS_FRAME_H
#define BUS_FRAME_H

#include "base/buffer.h"
#include "base/status.h"

enum {
    FRAME_HEADER_SIZE = 24,
    FRAME_VERSION = 1,
};

struct frame {
    unsigned type;
    struct bytes payload; /* within the bytes that were parsed */
};

void frame_append(struct buffer *out, unsigned type, struct bytes payload);

/*
 * The frame that `bytes` begin with; *out_size: how many of them it takes. STATUS_ABSENT: it is not
 * whole yet, and cannot be with less than *out_size bytes. STATUS_VERSION: of a form that this
 * program does not know. STATUS_TOO_BIG: its payload is more than `payload_max`, told as soon as
 * the header is there. STATUS_CORRUPT: no frame.
 */
MUST_CHECK enum status frame_parse(struct bytes bytes, size_t payload_max, struct frame *out,
                                   size_t *out_size);

#endif
