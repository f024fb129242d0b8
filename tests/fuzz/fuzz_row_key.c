/* SPDX-License-Identifier: MIT */
/*
 * Names of rows. An input is a byte and bytes: with '0' these are a name; else a user's key (its
 * size in two bytes first), whose name gets the rest as changes: pairs of a place and a byte to be
 * put there. A name's hash is not to be guessed, so only names made of keys come far.
 */
#include <string.h>

#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "row/row_key.h"

static struct bytes encode(struct arena *arena, const struct row_key *key)
{
    if (key->kind == ROW_CLEARED)
        return row_key_cleared(arena, key->slot, key->db);
    struct bytes head = row_key_head(arena, key->db, key->key);
    return key->kind == ROW_HEAD ? head : row_key_chunk(arena, head, key->base, key->index);
}

static void check_name(struct arena *arena, struct bytes name)
{
    struct row_key key;
    if (!row_key_decode(name, &key)) {
        row_key_is_head(name); /* a cheap look, but not at more than there is */
        return;
    }
    check(bytes_equal(encode(arena, &key), name));
    check(row_key_slot(name) == key.slot && row_key_db(name) == key.db);
    check(row_key_is_head(name) == (key.kind == ROW_HEAD));
    if (key.kind == ROW_CLEARED)
        return;
    check(row_key_hash_of(name) == key.hash && row_key_hash(key.key) == key.hash);
    if (key.kind == ROW_CHUNK) {
        check(key.base.time != 0);
        struct bytes head = row_key_head(arena, key.db, key.key);
        check(bytes_starts_with(name, row_key_chunk_prefix(arena, head, key.base)));
        check(bytes_compare(head, name) < 0);
    }
}

/* A copy of exactly the name's size: whoever reads further is found out. */
static void check_copy(struct arena *arena, struct bytes name)
{
    char *copy = memory_alloc(name.size);
    if (name.size)
        memcpy(copy, name.data, name.size);
    check_name(arena, bytes_of(copy, name.size));
    memory_free(copy);
}

static void check_changed(struct arena *arena, struct bytes name, struct bytes changes)
{
    char *changed = (char *)arena_copy(arena, name).data;
    check_copy(arena, name);
    while (changes.size >= 2) {
        size_t at = fuzz_take_u8(&changes) % name.size;
        changed[at] = (char)fuzz_take_u8(&changes);
        check_copy(arena, bytes_of(changed, name.size));
        check_copy(arena, bytes_of(changed, at));
    }
}

void fuzz_one(struct bytes input)
{
    struct arena arena;
    arena_init(&arena);
    uint8_t how = fuzz_take_u8(&input);
    if (how == '0') {
        check_copy(&arena, input);
    } else {
        struct bytes key = fuzz_take_part(&input);
        struct bytes head = row_key_head(&arena, how % 16, key);
        struct dot base = {how, fuzz_take_u8(&input)};
        check_changed(&arena, head, input);
        check_changed(&arena, row_key_chunk(&arena, head, base, how), input);
    }
    arena_deinit(&arena);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    seed(context, BYTES("0\x3f\xff\x01"));
    seed(context, BYTES("0\x40\x00\x01"));
    seed(context, BYTES("1\x00\x03key\x01\x00\x3f\x09\x04"));
    seed(context, BYTES("7\x00\x0buser{17}:ab\x01\x0e\x01\x15\x00"));
    seed(context, BYTES("9\x00\x00\x01\x0a\xff"));
}
