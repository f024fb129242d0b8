/* SPDX-License-Identifier: MIT */
/*
 * The log: every changed row, appended once per turn of the loop as one batch, before anybody is
 * told. It is made of segments, files named log-<start position, 16 hex digits>; a position is a
 * count of bytes since the log's first batch, headers of segments not counted. A segment is rotated
 * when its rows are sealed, and removed when they are in the ordered tier.
 *
 *   segment header (64 bytes)
 *     | magic "SHOALLOG" | format(4) | zero(4) | start position(8) | node(8) | epoch(8) | zero(16)
 *     | checksum(8) of the 56 bytes before |
 *   batch header (40 bytes)
 *     | checksum(8) of all that follows | magic(4) | records(4) | size(8) of the records
 *     | position(8) of this header | synced(8): the position known durable when this was written |
 *   record
 *     | name size(varint) | row size(varint) | name | row |
 *     row size 0 (LOG_COLLECTED): the key of that head had expired and was removed
 *
 * All little-endian; checksums are XXH3-64. Room is reserved ahead (files_ops.reserve), so a full
 * disk is met before a write is accepted, never after: log_reserve says so. A segment ends at zeros
 * or at the end of its file.
 *
 * The file `synced` holds the position last synced, written (not synced) after each sync, so it
 * never claims too much. Damage at or after the highest synced position known (that file, or any
 * valid later batch header found by searching) is a lost tail: cut off. Damage before it is
 * corruption: refused, nothing changed. (Rule 6. RocksDB's default recovery dropped 336 of 3,001
 * synced writes after one flipped bit.)
 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include "base/buffer.h"
#include "base/status.h"
#include "row/dot.h"
#include "store/files.h"
#include "store/workers.h"

enum log_sync {
    LOG_SYNC_NO,       /* the system decides */
    LOG_SYNC_EVERYSEC, /* once a second, in the background */
    LOG_SYNC_ALWAYS,   /* as soon as something is written; group commit */
};

enum {
    LOG_FORMAT = 2,
    LOG_BATCH_MAX = 1024 * 1024 * 1024,  /* bytes of one batch */
    LOG_RESERVE_FIRST = 64 * 1024,       /* reserved at first in a segment, doubling up to... */
    LOG_RESERVE_STEP = 16 * 1024 * 1024, /* ...this much at a time */
    LOG_SYNC_EVERY_MS = 1000,            /* LOG_SYNC_EVERYSEC */
};

#define LOG_COLLECTED bytes_of("", 0)

struct log;

enum { LOG_EXPECTED_MAX = 16 };

struct log_replay {
    /* Called for each record in order. `actor` wrote it. An error stops the replay and is returned.
     */
    enum status (*row)(void *context, actor_t actor, struct bytes name, struct bytes row);
    void *context;
    /* Records of these names come next, at most LOG_EXPECTED_MAX; may be NULL. */
    void (*expect)(void *context, const struct bytes *names, size_t count);
    /* A batch is replayed whole, and log_position says so; may be NULL. What stands before may be
     * removed (log_remove_below). */
    void (*batch)(void *context);
};

struct log_recovery {
    uint64_t records;
    uint64_t batches;
    uint64_t lost_bytes; /* of a lost tail, 0 for none */
    uint64_t end;        /* position after the last good batch */
};

/*
 * Opens the log: checks what stands at or after `sealed`, and makes it durable without what is
 * lost: its tail, and segments wholly below `sealed`, are removed. STATUS_CORRUPT (nothing
 * changed), STATUS_VERSION, STATUS_IO, with a reason in out_error. Then log_replay, then log_start.
 */
MUST_CHECK enum status log_open(struct files *files, struct workers *workers, uint64_t sealed,
                                struct log_recovery *out_recovery, struct log **out,
                                struct buffer *out_error);

/* Replays what log_open found. log_position goes with it, from `sealed` on. What a callback says;
 * STATUS_IO; STATUS_CORRUPT for what cannot be read any more; with a reason in out_error. */
MUST_CHECK enum status log_replay(struct log *log, const struct log_replay *replay,
                                  struct buffer *out_error);

/* Opens a new segment for the actor. STATUS_DISK_FULL, STATUS_IO. */
MUST_CHECK enum status log_start(struct log *log, actor_t actor);

/* Drained and synced before, unless the process is to crash. */
void log_free(struct log *log);

/*
 * Room for `size` more bytes of names and rows in `records` records. STATUS_DISK_FULL if there is
 * none: the next call tries again. STATUS_TOO_BIG for what no batch can hold; STATUS_IO. To be
 * called before log_append, and the records appended before it is called again: reservations do not
 * add up.
 */
MUST_CHECK enum status log_reserve(struct log *log, size_t size, size_t records);

/* Adds a record to the batch of this turn. Cannot fail after log_reserve. */
void log_append(struct log *log, struct bytes name, struct bytes row);

/* The position after what has been appended so far: a reply that waits for it waits for all of
 * that. */
uint64_t log_position(const struct log *log);

/* Ends the turn: one write. STATUS_IO is final: the process must end. Nothing to write: STATUS_OK.
 */
MUST_CHECK enum status log_write(struct log *log);

/* Positions up to which everything is written, and synced. */
uint64_t log_written(const struct log *log);
uint64_t log_synced(const struct log *log);

void log_set_sync(struct log *log, enum log_sync sync);

/* The next log_tick starts a sync, whatever the mode, or the first one after the sync under way. */
void log_want_sync(struct log *log);

/* Starts a sync in the background if the mode and the clock ask for one and none is under way. Each
 * turn. */
void log_tick(struct log *log, uint64_t now_ms);

/* A background sync has failed: final, the process must end. */
bool log_failed(const struct log *log);

/* Begins a new segment; everything appended before is in older ones. To be called after log_write.
 * During the replay there is none to begin: STATUS_OK. */
MUST_CHECK enum status log_rotate(struct log *log);

/* Removes the segments that end at or before the position. */
void log_remove_below(struct log *log, uint64_t position);

/* Syncs everything, waiting for it. For a stop. */
MUST_CHECK enum status log_sync_now(struct log *log);

uint64_t log_disk_bytes(const struct log *log);

/* Reads every segment and checks it without changing anything; what is damaged goes to out_report
 * as text lines. */
MUST_CHECK enum status log_verify(struct files *files, uint64_t sealed,
                                  struct log_recovery *out_recovery, struct buffer *out_report);

/* Whether the log goes on where the tier ends, by its files' names alone: STATUS_CORRUPT if what
 * stood between is gone, with a reason in out_error; STATUS_IO. */
MUST_CHECK enum status log_check_begin(struct files *files, uint64_t sealed,
                                       struct buffer *out_error);

/* Like log_replay, but goes on after damage: whatever batch is whole is replayed. Changes
 * nothing. */
MUST_CHECK enum status log_salvage(struct files *files, uint64_t sealed,
                                   const struct log_replay *replay,
                                   struct log_recovery *out_recovery, struct buffer *out_report);

#endif
