/* SPDX-License-Identifier: MIT */
/*
 * Long strings: cut into chunks of CHUNK_SIZE, each a row of its own, named by the head's name, a
 * base and its index. The base is the dot of the write that made the string long, so a new value
 * never meets the chunks of an old one; those are dropped by the store when no head names their
 * base. A chunk that was never written, and what a chunk lacks to its full size, is zeros. What the
 * head row holds instead of the value is in row/chunked.h.
 */
#ifndef TYPE_STRING_CHUNKS_H
#define TYPE_STRING_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "row/chunked.h"
#include "type/cell.h"

/* A name that is chunks_look's, for as many chunks of the base as it likes. */
struct bytes chunks_name(struct cell *head, struct dot base);

/*
 * What this chunk holds, borrowed; nothing if there is none. The name is made over: a long walk
 * needs one, where the key may be long, and chunks many.
 */
MUST_CHECK enum status chunks_look(struct cell *head, struct bytes name, uint32_t index,
                                   struct bytes *out_value);

/*
 * The `size` bytes from `from` on: borrowed from a row if one chunk has them all, else assembled in
 * the arena.
 */
MUST_CHECK enum status chunks_read(struct cell *head, struct dot base, uint64_t from, uint64_t size,
                                   struct bytes *out_value);

/*
 * Stages the chunks with these bytes from `offset` on, under a base that was drawn in this run: so
 * none exists yet. Two calls for one base do not touch the same chunk.
 */
void chunks_create(struct cell *head, struct dot base, uint64_t offset, struct bytes value);

/*
 * Stages the chunks of `from` as those of another key, under a base that was drawn in this run. Of
 * those that are absent none is made.
 */
MUST_CHECK enum status chunks_copy(struct cell *from, struct chunked chunked, struct cell *to,
                                   struct dot base);

/* Changes the bytes from `offset` on. Looks at each chunk that it touches, and at no other. */
MUST_CHECK enum status chunks_overwrite(struct cell *head, struct dot base, uint64_t offset,
                                        struct bytes value);

#endif
