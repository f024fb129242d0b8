/* SPDX-License-Identifier: MIT */
#include "row/row_key.h"

#include "base/check.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "row/slot.h"

enum {
    SLOT_SIZE = 2,
    HASH_AT = ROW_KEY_CLEARED_SIZE,
    HASH_SIZE = 6,
    BASE_SIZE = 16,
    INDEX_SIZE = 4,
};

_Static_assert(HASH_AT + HASH_SIZE == ROW_KEY_PREFIX_SIZE, "the prefix is slot, db, hash");
_Static_assert(BASE_SIZE + INDEX_SIZE == ROW_KEY_CHUNK_SUBKEY_SIZE, "a chunk is base, index");

uint64_t row_key_hash(struct bytes key)
{
    return xxh64(key) >> 16;
}

struct bytes row_key_head(struct arena *arena, uint8_t db, struct bytes key)
{
    check(key.size <= KEY_SIZE_MAX);
    char *name = arena_alloc(arena, ROW_KEY_PREFIX_SIZE + VARINT_MAX + key.size + 1);
    char *out = pack_be(name, slot_of_key(key), SLOT_SIZE);
    *out++ = (char)db;
    out = pack_be(out, row_key_hash(key), HASH_SIZE);
    out = pack_varint(out, key.size);
    if (key.size)
        memcpy(out, key.data, key.size);
    out += key.size;
    *out++ = ROW_HEAD;
    return bytes_of(name, (size_t)(out - name));
}

/* The name up to the base, with room for an index after it. */
static char *pack_base(struct arena *arena, struct bytes head, struct dot base, char **out_name)
{
    check(row_key_is_head(head));
    *out_name = arena_alloc(arena, head.size + ROW_KEY_CHUNK_SUBKEY_SIZE);
    memcpy(*out_name, head.data, head.size);
    char *out = *out_name + head.size;
    out[-1] = ROW_CHUNK;
    return pack_be(pack_be(out, base.actor, 8), base.time, 8);
}

struct bytes row_key_chunk(struct arena *arena, struct bytes head, struct dot base, uint32_t index)
{
    char *name;
    char *out = pack_be(pack_base(arena, head, base, &name), index, INDEX_SIZE);
    return bytes_of(name, (size_t)(out - name));
}

void row_key_chunk_change(struct bytes name, uint32_t index)
{
    check(name.size > ROW_KEY_CHUNK_SUBKEY_SIZE);
    pack_be((char *)name.data + name.size - INDEX_SIZE, index, INDEX_SIZE);
}

struct bytes row_key_chunk_prefix(struct arena *arena, struct bytes head, struct dot base)
{
    char *name;
    char *out = pack_base(arena, head, base, &name);
    return bytes_of(name, (size_t)(out - name));
}

struct bytes row_key_cleared(struct arena *arena, uint16_t slot, uint8_t db)
{
    check(slot < SLOT_COUNT);
    char *name = arena_alloc(arena, ROW_KEY_CLEARED_SIZE);
    *pack_be(name, slot, SLOT_SIZE) = (char)db;
    return bytes_of(name, ROW_KEY_CLEARED_SIZE);
}

/* What stands between prefix and subkey. */
static bool decode_key(struct unpack *in, struct row_key *key)
{
    uint64_t size = unpack_next_varint(in);
    key->key = unpack_bytes(in, size);
    key->kind = unpack_next_u8(in);
    return !in->failed && size <= KEY_SIZE_MAX && key->slot == slot_of_key(key->key) &&
           key->hash == row_key_hash(key->key);
}

bool row_key_decode(struct bytes name, struct row_key *out)
{
    if (name.size < ROW_KEY_CLEARED_SIZE || row_key_slot(name) >= SLOT_COUNT)
        return false;
    struct row_key key = {.slot = row_key_slot(name), .db = row_key_db(name), .key = BYTES("")};
    if (name.size == ROW_KEY_CLEARED_SIZE) {
        key.kind = ROW_CLEARED;
        *out = key;
        return true;
    }
    if (name.size < ROW_KEY_PREFIX_SIZE)
        return false;
    key.hash = row_key_hash_of(name);
    struct unpack in = unpack_begin(name);
    unpack_bytes(&in, ROW_KEY_PREFIX_SIZE);
    if (!decode_key(&in, &key))
        return false;
    size_t rest = (size_t)(in.end - in.next);
    if (key.kind == ROW_CHUNK && rest == ROW_KEY_CHUNK_SUBKEY_SIZE) {
        key.base = (struct dot){unpack_be(in.next, 8), unpack_be(in.next + 8, 8)};
        key.index = (uint32_t)unpack_be(in.next + BASE_SIZE, INDEX_SIZE);
        if (key.base.time == 0)
            return false;
    } else if (key.kind != ROW_HEAD || rest != 0) {
        return false;
    }
    *out = key;
    return true;
}

uint64_t row_key_hash_of(struct bytes name)
{
    return unpack_be(name.data + HASH_AT, HASH_SIZE);
}

bool row_key_is_head(struct bytes name)
{
    if (name.size <= ROW_KEY_PREFIX_SIZE)
        return false;
    struct unpack in = unpack_begin(name);
    in.next += ROW_KEY_PREFIX_SIZE;
    uint64_t size = unpack_next_varint(&in);
    return (uint64_t)(in.end - in.next) == size + 1 && in.end[-1] == ROW_HEAD;
}
