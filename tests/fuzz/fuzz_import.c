/* SPDX-License-Identifier: MIT */
/*
 * Rows from a peer that may send anything: an input is parts (a size in two bytes, then the bytes),
 * each a row list that a store imports. Whatever came of it, the store is sound, another one that
 * imports all that it exports holds the same as it does after a restart.
 */
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "row/row_list.h"
#include "store/state.h"
#include "support/small_copies.h"
#include "type/string.h"

enum { LISTS_MAX = 8, NODE_A = 0xa, NODE_B = 0xb };

void fuzz_one(struct bytes input)
{
    struct small_store *a = small_new_joined(NODE_A), *b = small_new_joined(NODE_B);
    small_set(a, "k", "held");
    small_set_size(a, "long", 20000);
    for (unsigned i = 0; i < LISTS_MAX && input.size > 0; i++) {
        enum status status = small_try_import(a, fuzz_take_part(&input), NULL);
        check(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_INVALID ||
              status == STATUS_TOO_BIG);
        small_audit(a);
        if (i == LISTS_MAX / 2) {
            small_seal(a);
            small_forget(a);
        }
    }
    small_copy_all(a, b);
    small_turn(a);
    small_crash(a);
    small_start(a);
    small_expect_same(a, b);
    small_free(a);
    small_free(b);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static void add_part(struct buffer *input, struct bytes part)
{
    buffer_append_u8(input, (uint8_t)(part.size >> 8));
    buffer_append_u8(input, (uint8_t)part.size);
    buffer_append_bytes(input, part);
}

/* What another store has made of some keys. */
void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const keys[] = {"k", "long", "n", "dead"};
    struct small_store *other = small_new_joined(0xc);
    struct buffer all = {0};
    small_set_until(other, "k", "other", other->now_ms + 5);
    small_set_size(other, "long", 18000);
    small_increment(other, "n", 7);
    small_set(other, "dead", "x");
    small_delete(other, "dead");
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct buffer rows = {0}, input = {0};
        small_export_key(other, keys[i], &rows);
        add_part(&input, buffer_bytes(&rows));
        add_part(&all, buffer_bytes(&rows));
        seed(context, buffer_bytes(&input));
        buffer_deinit(&rows);
        buffer_deinit(&input);
    }
    seed(context, buffer_bytes(&all));
    buffer_deinit(&all);
    small_free(other);
}
