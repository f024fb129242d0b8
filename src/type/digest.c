/* SPDX-License-Identifier: MIT */
#include "type/digest.h"

#include "base/pack.h"
#include "base/xxh.h"
#include "type/string.h"
#include "type/type.h"

enum {
    PIECE_SIZE = CHUNK_SIZE, /* so that a chunk is read where it stands */
    STATE_SIZE = 16,
    COLD_PIECES_MAX = 256, /* missed in one run, to be fetched together */
};

/* The bytes so far: each piece is hashed with the hash of those before. */
struct state {
    char bytes[2 * STATE_SIZE]; /* of those before, of the piece */
};

static void put_hash(char *out, struct bytes bytes)
{
    struct xxh128 hash = xxh128(bytes);
    pack_u64(pack_u64(out, hash.high), hash.low);
}

static void add_piece(struct state *state, struct bytes piece)
{
    put_hash(state->bytes + STATE_SIZE, piece);
    put_hash(state->bytes, bytes_of(state->bytes, sizeof(state->bytes)));
}

static void finish(const struct state *state, struct digest *out)
{
    struct bytes bytes = bytes_of(state->bytes, sizeof(state->bytes));
    char hash[STATE_SIZE + sizeof(uint64_t)];
    put_hash(hash, bytes);
    pack_u64(hash + STATE_SIZE, xxh64(bytes));
    memcpy(out->bytes, hash, DIGEST_SIZE);
}

static enum status add_string(struct cell *head, struct state *state, uint64_t *out_size)
{
    uint64_t length;
    unsigned cold = 0;
    enum status status = string_length(head, &length);
    for (uint64_t at = 0; status == STATUS_OK && at < length && cold < COLD_PIECES_MAX;
         at += PIECE_SIZE) {
        struct bytes piece;
        uint64_t size = length - at < PIECE_SIZE ? length - at : PIECE_SIZE;
        status = string_range(head, at, size, &piece);
        if (status == STATUS_OK && cold == 0)
            add_piece(state, piece);
        if (status == STATUS_COLD) {
            cold++;
            status = STATUS_OK;
        }
    }
    *out_size = status == STATUS_OK ? length : 0;
    return status == STATUS_OK && cold > 0 ? STATUS_COLD : status;
}

enum status digest_value(struct cell *head, struct digest *out, uint64_t *out_size)
{
    struct state state = {{0}};
    add_piece(&state, type_of(head));
    enum status status = add_string(head, &state, out_size);
    if (status != STATUS_OK)
        return status;
    add_piece(&state, head->at_ms != EXPIRY_NEVER ? BYTES("expires") : BYTES(""));
    finish(&state, out);
    return STATUS_OK;
}

void digest_add_key(struct digest *whole, uint8_t db, struct bytes key, const struct digest *value)
{
    struct state state = {{0}};
    struct digest digest;
    add_piece(&state, bytes_of(&db, sizeof(db)));
    add_piece(&state, key);
    add_piece(&state, bytes_of(value->bytes, DIGEST_SIZE));
    finish(&state, &digest);
    for (unsigned i = 0; i < DIGEST_SIZE; i++)
        whole->bytes[i] ^= digest.bytes[i];
}
