/* SPDX-License-Identifier: MIT */
#include "doubles/fake_txn.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "row/row.h"
#include "store/store.h"

static struct bytes keep(struct bytes bytes)
{
    char *copy = memory_alloc(bytes.size);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static void drop(struct bytes bytes)
{
    memory_free((void *)(uintptr_t)bytes.data);
}

void fake_store_init(struct store *store)
{
    *store = (struct store){.actor = actor_of(7, 1)};
    store->stable.dots = store->stable_dots;
    for (unsigned db = 0; db < FAKE_DATABASES; db++)
        store->databases[db] = (uint8_t)db;
}

static void forget(struct store *store)
{
    for (size_t i = 0; i < store->known_count; i++)
        drop(store->known[i]);
    store->known_count = store->fetched = 0;
}

void fake_store_deinit(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        drop(store->rows[i].name);
        drop(store->rows[i].row);
    }
    forget(store);
    memory_free(store->rows);
    memory_free(store->known);
}

/* Where the name stands or would stand. */
static size_t position(const struct store *store, struct bytes name)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(store->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct store *store, size_t at, struct bytes name)
{
    return at < store->count && bytes_equal(store->rows[at].name, name);
}

static bool is_row_live(struct bytes bytes, uint64_t now_ms)
{
    struct arena arena;
    struct row row;
    arena_init(&arena);
    bool live = row_decode(bytes, &arena, &row) == STATUS_OK && row_is_live(&row, now_ms);
    arena_deinit(&arena);
    return live;
}

static void count_key(struct store *store, struct bytes name, struct bytes row, uint32_t by)
{
    if (row_key_is_head(name) && is_row_live(row, 0))
        store->keys[row_key_db(name)][row_key_slot(name)] += by;
}

void fake_store_put(struct store *store, struct bytes name, struct bytes row)
{
    size_t at = position(store, name);
    if (stands_at(store, at, name)) {
        struct fake_row *old = &store->rows[at];
        count_key(store, name, old->row, (uint32_t)-1);
        drop(old->row);
        old->row = keep(row);
    } else {
        if (store->count == store->room) {
            store->room = store->room ? 2 * store->room : 64;
            store->rows = memory_resize(store->rows, store->room * sizeof(*store->rows));
        }
        memmove(&store->rows[at + 1], &store->rows[at], (store->count - at) * sizeof(*store->rows));
        store->rows[at] = (struct fake_row){keep(name), keep(row)};
        store->count++;
    }
    count_key(store, name, row, 1);
}

struct bytes fake_store_row(const struct store *store, struct bytes name)
{
    size_t at = position(store, name);
    return stands_at(store, at, name) ? store->rows[at].row : bytes_of("", 0);
}

/* ---- transactions --------------------------------------------------------------------------- */

void fake_txn_begin(struct txn *txn, struct store *store, struct arena *arena, uint64_t now_ms)
{
    *txn = (struct txn){.store = store, .arena = arena, .now_ms = now_ms};
    forget(store);
}

void fake_txn_run(struct txn *txn)
{
    txn->store->touched = NULL;
    txn->store->touched_end = &txn->store->touched;
    txn->run++;
    txn->no_touch = txn->store->no_touch;
    memset(txn->store->flushed, 0, sizeof(txn->store->flushed));
    txn->store->run_began = clock_next(&txn->store->clock, txn->now_ms);
}

size_t fake_txn_fetch(struct txn *txn)
{
    size_t missed = txn->store->known_count - txn->store->fetched;
    txn->store->fetched = txn->store->known_count;
    return missed;
}

/* Names of one key's chunks differ at their ends, behind a key that may be long. */
static bool same_name(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || a.data[a.size - 1] == b.data[b.size - 1]) &&
           bytes_equal(a, b);
}

static bool is_missed(struct store *store, struct bytes name)
{
    for (size_t i = 0; i < store->known_count; i++)
        if (same_name(store->known[i], name))
            return i >= store->fetched;
    if (store->known_count == store->known_room) {
        store->known_room = store->known_room ? 2 * store->known_room : 64;
        store->known = memory_resize(store->known, store->known_room * sizeof(*store->known));
    }
    store->known[store->known_count++] = keep(name);
    return true;
}

static struct fake_touch *touched(struct txn *txn, struct bytes name)
{
    for (struct fake_touch *row = txn->store->touched; row; row = row->next)
        if (same_name(row->name, name))
            return row;
    return NULL;
}

static struct fake_touch *touch(struct txn *txn, struct bytes name)
{
    struct fake_touch *row = touched(txn, name);
    if (row)
        return row;
    row = arena_alloc(txn->arena, sizeof(*row));
    *row =
        (struct fake_touch){.name = arena_copy(txn->arena, name), /* the caller may make it over */
                            .held = fake_store_row(txn->store, name)};
    size_t at = position(txn->store, name);
    if (!txn->no_touch && stands_at(txn->store, at, name))
        txn->store->rows[at].accessed_ms = txn->now_ms;
    *txn->store->touched_end = row;
    txn->store->touched_end = &row->next;
    return row;
}

enum status txn_get(struct txn *txn, struct bytes name, struct bytes *out_row)
{
    if (txn->store->fails)
        return txn->store->fails;
    struct fake_touch *row = touched(txn, name);
    if (!row && txn->store->cold && is_missed(txn->store, name))
        return STATUS_COLD;
    if (!row)
        row = touch(txn, name);
    *out_row = row->staged.size > 0 ? row->staged : row->held;
    return out_row->size > 0 ? STATUS_OK : STATUS_ABSENT;
}

void txn_want(struct txn *txn, struct bytes name)
{
    if (txn->store->cold)
        (void)is_missed(txn->store, name);
}

void txn_stage(struct txn *txn, struct bytes name, struct bytes bytes)
{
    struct row row;
    struct row_key key;
    check(row_key_decode(name, &key));
    bool is_new = key.kind == ROW_CHUNK && key.base.actor == txn->store->actor &&
                  key.base.time > txn->store->run_began;
    check(touched(txn, name) || is_new);
    check(name.size + bytes.size <= ROW_SIZE_MAX);
    check(row_decode(bytes, txn->arena, &row) == STATUS_OK);
    touch(txn, name)->staged = bytes;
}

void txn_stage_onto(struct txn *txn, struct bytes name, struct bytes row, struct bytes held)
{
    (void)held;
    txn_stage(txn, name, row);
}

struct dot txn_dot(struct txn *txn, uint64_t newest)
{
    clock_see(&txn->store->clock, newest);
    return (struct dot){txn->store->actor, clock_next(&txn->store->clock, txn->now_ms)};
}

const struct vector *txn_stable(const struct txn *txn)
{
    return &txn->store->stable;
}

bool txn_is_joined(const struct txn *txn)
{
    (void)txn;
    return false;
}

enum status txn_scan(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, size_t limit,
                     struct scan_page *out)
{
    struct store *store = txn->store;
    char prefix[ROW_KEY_PREFIX_SIZE];
    char *db_at = pack_be(prefix, slot, 2);
    *db_at = (char)db;
    pack_be(db_at + 1, hash, 6);
    if (store->cold && is_missed(store, bytes_of(prefix, sizeof(prefix))))
        return STATUS_COLD;
    size_t at = position(store, bytes_of(prefix, sizeof(prefix)));
    size_t looked = 0;
    uint64_t last = 0;
    *out = (struct scan_page){.done = true};
    out->rows = arena_alloc(txn->arena, store->count * sizeof(*out->rows));
    for (; at < store->count; at++) {
        struct fake_row *row = &store->rows[at];
        struct row_key key;
        check(row_key_decode(row->name, &key));
        if (key.slot != slot || key.db != db)
            break;
        if (key.kind != ROW_HEAD)
            continue;
        if (looked >= limit && key.hash != last) {
            out->done = false;
            out->next_hash = key.hash;
            break;
        }
        looked++;
        last = key.hash;
        if (is_row_live(row->row, txn->now_ms))
            out->rows[out->count++] = (struct scan_row){key.key, row->row};
    }
    return STATUS_OK;
}

void txn_saw_expired(struct txn *txn, struct bytes name)
{
    check(row_key_is_head(name));
    txn->store->saw_expired++;
}

struct txn_access txn_access(const struct txn *txn, struct bytes name)
{
    struct txn_access access = {.counts = txn->store->counts};
    struct store *store = txn->store;
    size_t at = position(store, name);
    check(stands_at(store, at, name));
    if (store->counts)
        access.frequency = store->rows[at].frequency;
    else
        access.idle_s = (txn->now_ms - store->rows[at].accessed_ms) / 1000;
    return access;
}

void txn_set_access(struct txn *txn, struct bytes name, int64_t idle_s, int frequency)
{
    struct fake_touch *row = touched(txn, name);
    check(row && row->staged.size > 0);
    row->sets_access = true;
    row->idle_s = idle_s;
    row->frequency = frequency;
}

void txn_flush(struct txn *txn, int db)
{
    for (int i = 0; i < FAKE_DATABASES; i++)
        if (db < 0 || db == i)
            txn->store->flushed[i] = true;
}

static void put_touched(struct txn *txn, const struct fake_touch *row)
{
    struct store *store = txn->store;
    size_t before = store->count;
    fake_store_put(store, row->name, row->staged);
    struct fake_row *held = &store->rows[position(store, row->name)];
    if (store->count > before || row->sets_access) {
        held->accessed_ms = txn->now_ms;
        held->frequency = 5;
    }
    if (row->sets_access && row->idle_s >= 0)
        held->accessed_ms -= (uint64_t)row->idle_s * 1000;
    if (row->sets_access && row->frequency >= 0)
        held->frequency = (unsigned)row->frequency;
}

void fake_txn_commit(struct txn *txn)
{
    struct store *store = txn->store;
    size_t kept = 0;
    for (size_t i = 0; i < store->count; i++) {
        struct fake_row *row = &store->rows[i];
        if (store->flushed[row_key_db(row->name)]) {
            count_key(store, row->name, row->row, (uint32_t)-1);
            drop(row->name);
            drop(row->row);
        } else {
            store->rows[kept++] = *row;
        }
    }
    store->count = kept;
    for (struct fake_touch *row = txn->store->touched; row; row = row->next)
        if (row->staged.size > 0)
            put_touched(txn, row);
}

uint8_t store_database(const struct store *store, uint8_t index)
{
    return store->databases[index];
}

enum status store_swap_databases(struct store *store, uint8_t a, uint8_t b)
{
    uint8_t was_a = store->databases[a];
    if (store->fails)
        return store->fails;
    store->databases[a] = store->databases[b];
    store->databases[b] = was_a;
    return STATUS_OK;
}

uint16_t store_slot_at(const struct store *store, uint8_t db, uint64_t rank)
{
    unsigned slot = 0;
    for (; rank >= store->keys[db][slot]; slot++)
        rank -= store->keys[db][slot];
    return (uint16_t)slot;
}

uint64_t store_slot_keys(const struct store *store, uint16_t slot, uint8_t db)
{
    return store->keys[db][slot];
}

uint64_t txn_keys(struct txn *txn, uint8_t db)
{
    return store_keys(txn->store, db);
}

uint64_t txn_slot_keys(struct txn *txn, uint16_t slot, uint8_t db)
{
    return store_slot_keys(txn->store, slot, db);
}

uint64_t store_keys(const struct store *store, uint8_t db)
{
    uint64_t keys = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        keys += store->keys[db][slot];
    return keys;
}

void store_expect(const struct store *store, const struct bytes *keys, size_t count)
{
    if (store->expected)
        *store->expected += count;
    check(count > 0 && count <= STORE_EXPECTED_MAX);
    for (size_t i = 0; i < count; i++) /* can be read */
        check(keys[i].size == 0 || memchr(keys[i].data, keys[i].data[0], keys[i].size));
}
