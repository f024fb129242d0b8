/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a log segment (the format is drawn in log.h): making and reading headers and
 * batches. Internal to the log: log.c writes with it, log_recovery.c reads with it.
 */
#ifndef STORE_LOG_SEGMENT_H
#define STORE_LOG_SEGMENT_H

#include "base/buffer.h"
#include "base/status.h"
#include "row/dot.h"
#include "store/files.h"

enum {
    SEGMENT_HEADER_SIZE = 64,
    BATCH_HEADER_SIZE = 40,
    SEGMENT_NAME_SIZE = 4 + 16 + 1, /* with its NUL */
    SYNCED_SIZE = 16,
};

#define SYNCED_NAME "synced"

/* ---- names and headers ---------------------------------------------------------------------- */

void segment_name(uint64_t start, char out_name[SEGMENT_NAME_SIZE]);

/* False if it is no name of a segment. */
bool segment_name_parse(const char *name, uint64_t *out_start);

/* Where a position stands in its segment's file. */
static inline uint64_t segment_offset(uint64_t start, uint64_t position)
{
    return SEGMENT_HEADER_SIZE + (position - start);
}

void segment_header_make(uint64_t start, actor_t actor, char out_header[SEGMENT_HEADER_SIZE]);

/* Completes a batch whose first BATCH_HEADER_SIZE bytes are free for its header. */
void batch_seal(struct bytes batch, uint32_t records, uint64_t position, uint64_t synced);

/* What stands in the file `synced`: a position and its checksum. */
void synced_make(uint64_t position, char out[SYNCED_SIZE]);

/*
 * 0 if the file is absent or not valid: it is written but not synced, so that is no damage.
 * STATUS_IO.
 */
MUST_CHECK enum status synced_read(struct files *files, uint64_t *out_position);

/* ---- reading -------------------------------------------------------------------------------- */

struct batch {
    uint32_t records;
    uint64_t position;
    uint64_t synced;
    struct bytes payload; /* valid until the reader is used again */
};

struct segment_reader {
    struct file *file;
    uint64_t start;       /* position of the first batch, by the file's name */
    uint64_t size;        /* of the file */
    uint64_t at;          /* offset in the file of the window's first byte */
    struct buffer window; /* what was read and not consumed */
};

/* STATUS_ABSENT, STATUS_IO. */
MUST_CHECK enum status segment_open(struct files *files, uint64_t start,
                                    struct segment_reader *out);
void segment_close(struct segment_reader *reader);

/*
 * STATUS_CORRUPT: damaged or cut off; STATUS_VERSION; STATUS_IO. The reader stands at the first
 * batch afterwards.
 */
MUST_CHECK enum status segment_read_header(struct segment_reader *reader, actor_t *out_actor);

/* Goes to a position at or after the segment's start. */
void segment_seek(struct segment_reader *reader, uint64_t position);

/*
 * The batch where the reader stands, which moves behind it. Else the reader stays: STATUS_ABSENT:
 * zeros or the end of the file; STATUS_CORRUPT: neither that nor a whole batch of this position;
 * STATUS_IO.
 */
MUST_CHECK enum status segment_next(struct segment_reader *reader, struct batch *out);

/*
 * The next whole batch anywhere behind where the reader stands; the reader moves behind it. A batch
 * carries its position, which must fit the place, so stale bytes are none. STATUS_ABSENT if there
 * is none; STATUS_IO.
 */
MUST_CHECK enum status segment_search(struct segment_reader *reader, struct batch *out);

/* The offset behind the last byte of the file that is not zero, at least `from`. */
MUST_CHECK enum status segment_data_end(struct segment_reader *reader, uint64_t from,
                                        uint64_t *out_offset);

/* The next record of a batch's payload. STATUS_ABSENT at its end, STATUS_CORRUPT. */
MUST_CHECK enum status batch_next_record(struct bytes *payload, struct bytes *out_name,
                                         struct bytes *out_row);

#endif
