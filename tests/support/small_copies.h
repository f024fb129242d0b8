/* SPDX-License-Identifier: MIT */
/*
 * Small stores that are copies of each other, by hand: what one exports another imports. Each call
 * waits until its end, and checks that it succeeds.
 */
#ifndef SUPPORT_SMALL_COPIES_H
#define SUPPORT_SMALL_COPIES_H

#include "store/export.h"
#include "store/import.h"
#include "support/small_store.h"

/* A store that has joined others. */
struct small_store *small_new_joined(uint64_t node);

/* What came out of the last call of each kind. */
struct small_exported {
    enum status status;
    bool done;
    struct buffer rows;       /* a row list */
    struct export_place next; /* where it goes on */
    uint64_t digest;          /* of the one head that was asked for */
    struct buffer heads;      /* of a list: names as export_rows takes them */
    size_t count;             /* of them */
    struct bytes last;        /* of them */
    bool end;
};

void small_exported_deinit(struct small_exported *exported);

/* One page of the heads' rows, of at most that size, appended to out->rows. */
void small_export(struct small_store *from, struct bytes heads, struct export_place place,
                  size_t most, struct small_exported *out);
/* All that there is of one key: a row list, in the buffer. */
void small_export_key(struct small_store *from, const char *key, struct buffer *out_rows);
uint64_t small_digest(struct small_store *from, const char *key);
void small_list(struct small_store *from, uint16_t slot, struct bytes after, size_t most,
                struct small_exported *out);

enum status small_try_import(struct small_store *to, struct bytes rows, uint64_t *out_gate);
void small_import(struct small_store *to, struct bytes rows);

/* All rows of a key, of a slot, of all. */
void small_copy_key(struct small_store *from, struct small_store *to, const char *key);
void small_copy_slot(struct small_store *from, struct small_store *to, uint16_t slot, size_t most);
void small_copy_all(struct small_store *from, struct small_store *to);

/* Both hold the same rows, and say so. */
void small_expect_same(struct small_store *a, struct small_store *b);

/* The row of a key's head, as bytes; size 0: there is none. In the arena of the store. */
struct bytes small_row(struct small_store *small, const char *key);

#endif
