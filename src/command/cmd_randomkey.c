/* SPDX-License-Identifier: MIT */
/*
 * RANDOMKEY: every key that lives has the same chance, whatever its slot, and wherever it stands.
 *
 * A slot is drawn by its count of keys, and a place in it. Where its keys are many, its hashes are
 * cut into ranges of some keys each, and a place in one of them is drawn, of more places than there
 * are keys in all but one range of many millions: so each key has the same chance, in a full slot
 * and in one with a single key. A place that holds none, or one whose key has expired, is no
 * answer; all is drawn again. No draw reads more than a range.
 */
#include "command/arguments.h"
#include "command/tables.h"
#include "row/slot.h"
#include "store/store.h"

enum {
    RANGE_KEYS = 128, /* at most so many keys in a range, on average */
    PLACES = 3,       /* for PLACES_OF keys: a range of more keys than places hides the rest */
    PLACES_OF = 2,
    DRAWS_MAX = 128,      /* after so many, nearly all must have expired: look for any */
    DRAWS_MISSED = 8,     /* draws that are read from disk together */
    SEARCH_HEADS = 10000, /* that one run of the search looks at, about */
    SEARCH_PAGE = 1000,
};

/* Part of a slot. */
struct range {
    uint16_t slot;
    uint64_t from, end; /* hashes */
};

/* The key at that place of the range, counting those that live; data NULL: there is none. */
static enum status key_at(struct request *request, struct range range, uint64_t place,
                          struct bytes *out_key)
{
    *out_key = bytes_of(NULL, 0);
    while (range.from < range.end) {
        struct scan_page page;
        enum status status =
            txn_scan(request->txn, range.slot, request->db, range.from, (size_t)place + 1, &page);
        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < page.count; i++, place--) {
            if (row_key_hash(page.rows[i].key) >= range.end)
                return STATUS_OK;
            if (place == 0) {
                *out_key = page.rows[i].key;
                return STATUS_OK;
            }
        }
        if (page.done)
            break;
        range.from = page.next_hash;
    }
    return STATUS_OK;
}

static uint64_t range_begin(uint64_t range, uint64_t ranges)
{
    return (uint64_t)(((unsigned __int128)range << ROW_KEY_HASH_BITS) / ranges);
}

/* One draw; the database has keys. Leaves the key as it is, without data, if there is none. */
static enum status draw(struct request *request, struct random *random, struct bytes *out_key)
{
    const struct store *store = request->txn->store;
    uint64_t rank = random_below(random, store_keys(store, request->db));
    uint16_t slot = store_slot_at(store, request->db, rank);
    if (!request_answers_for(request, slot))
        return STATUS_OK;
    uint64_t keys = store_slot_keys(store, slot, request->db);
    uint64_t ranges = (keys + RANGE_KEYS - 1) / RANGE_KEYS;
    uint64_t place = random_below(random, PLACES * keys) / PLACES_OF;
    uint64_t range = place % ranges;
    if (ranges == 1 && place >= keys)
        return STATUS_OK;
    struct range drawn = {slot, range_begin(range, ranges), range_begin(range + 1, ranges)};
    return key_at(request, drawn, place / ranges, out_key);
}

/*
 * Draws until there is a key, or no more sense in it. The same draws in each run: what the last one
 * missed is what this one asks for. A key is no answer while an earlier draw is cold: what is in
 * memory would come too often.
 */
static enum status draw_any(struct request *request, struct bytes *out_key)
{
    struct random random = {request->progress->count};
    unsigned missed = 0;
    *out_key = bytes_of(NULL, 0);
    for (unsigned i = 0; i < DRAWS_MAX && missed < DRAWS_MISSED && !out_key->data; i++) {
        enum status status = draw(request, &random, out_key);
        if (status != STATUS_OK && status != STATUS_COLD)
            return status;
        missed += status == STATUS_COLD;
    }
    return missed > 0 ? STATUS_COLD : STATUS_OK;
}

/* The first key that lives, from some slot on, all around. In slices: `position` is slots done + 1,
 * and the hash where it goes on. */
static enum status search(struct request *request, struct bytes *out_key)
{
    struct progress *progress = request->progress;
    size_t looked = 0;
    *out_key = bytes_of(NULL, 0);
    for (;;) {
        uint64_t done = (progress->position >> ROW_KEY_HASH_BITS) - 1;
        uint16_t slot = (uint16_t)((progress->count + done) % SLOT_COUNT);
        struct scan_page page = {.done = true};
        if (done == SLOT_COUNT)
            return STATUS_OK;
        if (looked >= SEARCH_HEADS)
            return STATUS_YIELD;
        uint64_t keys = store_slot_keys(request->txn->store, slot, request->db);
        if (keys > 0 && request_answers_for(request, slot)) {
            enum status status =
                txn_scan(request->txn, slot, request->db, progress->position & ROW_KEY_HASH_MASK,
                         SEARCH_PAGE, &page);
            if (status != STATUS_OK)
                return status;
            looked += keys < SEARCH_PAGE ? keys : SEARCH_PAGE;
        }
        if (page.count > 0) {
            *out_key = page.rows[0].key;
            return STATUS_OK;
        }
        progress->position = page.done ? (done + 2) << ROW_KEY_HASH_BITS
                                       : (done + 1) << ROW_KEY_HASH_BITS | page.next_hash;
    }
}

static enum status cmd_randomkey(struct request *request)
{
    struct progress *progress = request->progress;
    struct bytes key = bytes_of(NULL, 0);
    enum status status = STATUS_OK;
    if (progress->count == 0)
        progress->count = random_next(request->random) | 1;
    if (progress->position == 0 && txn_keys(request->txn, request->db) > 0)
        status = draw_any(request, &key);
    if (status == STATUS_OK && !key.data && txn_keys(request->txn, request->db) > 0) {
        if (progress->position == 0)
            progress->position = (uint64_t)1 << ROW_KEY_HASH_BITS;
        status = search(request, &key);
    }
    if (status != STATUS_OK)
        return status;
    if (key.data)
        reply_bulk(request->reply, key);
    else
        reply_null(request->reply);
    return STATUS_OK;
}

/* clang-format off */
const struct command randomkey_commands[] = {
    {
        .name = "randomkey", .handler = cmd_randomkey, .arity = 1,
        .flags = CMD_READONLY, .categories = CAT_KEYSPACE | CAT_READ,
        .since = "1.0.0", .group = "generic",
        .complexity = "O(1), O(N) where nearly all of the N keys have expired and are not removed "
                      "yet.",
        .summary = "Returns a random key name from the database.",
        .syntax = "",
        .tips = "request_policy:all_shards nondeterministic_output",
    },
    {0},
};
/* clang-format on */
