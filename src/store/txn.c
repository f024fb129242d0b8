/* SPDX-License-Identifier: MIT */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/pack.h"
#include "base/xxh.h"
#include "store/access.h"
#include "store/apply.h"
#include "store/derive.h"
#include "store/expiry.h"
#include "store/export.h"
#include "store/fetch.h"

/* What txn_set_access has said. */
struct txn_accessed {
    struct bytes name;
    int64_t idle_s;
    int frequency;
};

enum {
    STAGED_ROOM_MIN = 4,
    INDEX_FROM = 16, /* staged rows are looked for one by one while they are fewer */
};

void txn_init(struct txn *txn, struct store *store, struct arena *arena)
{
    *txn = (struct txn){.store = store, .arena = arena};
}

void txn_begin(struct txn *txn, uint64_t now_ms)
{
    if (txn->cold) {
        txn->run++;
    } else {
        txn->run = 1;
        if (txn->fetch)
            fetch_forget(txn);
    }
    txn->flush = false;
    txn->cold = false;
    txn->now_ms = now_ms;
    txn->no_touch = false;
    txn->accessed = NULL;
    txn->dead = NULL;
    access_set_time(txn->store, now_ms);
    txn->gate = 0;
    txn->staged = NULL;
    txn->staged_count = txn->staged_room = 0;
    txn->index = NULL;
    txn->index_room = 0;
}

/* ---- staged rows ----------------------------------------------------------------------------- */

static void index_add(struct txn *txn, uint32_t place)
{
    uint64_t at = xxh64(txn->staged[place].name) & (txn->index_room - 1);
    while (txn->index[at])
        at = (at + 1) & (txn->index_room - 1);
    txn->index[at] = place + 1;
}

static void index_build(struct txn *txn)
{
    txn->index_room = txn->staged_room * 4;
    txn->index = arena_alloc(txn->arena, txn->index_room * sizeof(*txn->index));
    memset(txn->index, 0, txn->index_room * sizeof(*txn->index));
    for (uint32_t i = 0; i < txn->staged_count; i++)
        index_add(txn, i);
}

/* Most names differ in slot or hash: those are compared without a call. */
static inline bool is_name(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    if (a.size >= sizeof(uint64_t) && unpack_u64(a.data) != unpack_u64(b.data))
        return false;
    return bytes_equal(a, b);
}

static struct txn_row *find_staged(struct txn *txn, struct bytes name)
{
    if (!txn->index) {
        for (uint32_t i = 0; i < txn->staged_count; i++)
            if (is_name(txn->staged[i].name, name))
                return &txn->staged[i];
        return NULL;
    }
    uint64_t at = xxh64(name) & (txn->index_room - 1);
    for (; txn->index[at]; at = (at + 1) & (txn->index_room - 1))
        if (bytes_equal(txn->staged[txn->index[at] - 1].name, name))
            return &txn->staged[txn->index[at] - 1];
    return NULL;
}

/* A head staged anew may drop a long string whose chunks were staged too: they go with it. */
static void drop_staged_chunks(struct txn *txn, struct bytes name, struct bytes old,
                               struct bytes row)
{
    struct chunked_base *dead;
    unsigned count = derive_dead_bases(old, row, txn->arena, &dead);
    for (unsigned i = 0; i < count; i++) {
        struct bytes prefix = row_key_chunk_prefix(txn->arena, name, dead[i].base);
        for (uint32_t j = 0; j < txn->staged_count; j++)
            if (bytes_starts_with(txn->staged[j].name, prefix))
                txn->staged[j].row.size = 0;
    }
}

void txn_stage(struct txn *txn, struct bytes name, struct bytes row)
{
    check(name.size + row.size <= ROW_SIZE_MAX && row.size > 0);
    struct txn_row *staged = find_staged(txn, name);
    if (staged) {
        if (row_key_is_head(name))
            drop_staged_chunks(txn, name, staged->row, row);
        staged->row = row;
        return;
    }
    if (txn->staged_count == txn->staged_room) {
        uint32_t room = txn->staged_room ? txn->staged_room * 2 : STAGED_ROOM_MIN;
        struct txn_row *rows = arena_alloc(txn->arena, room * sizeof(*rows));
        if (txn->staged_count)
            memcpy(rows, txn->staged, txn->staged_count * sizeof(*rows));
        txn->staged = rows;
        txn->staged_room = room;
        if (room > INDEX_FROM)
            index_build(txn);
    }
    txn->staged[txn->staged_count] = (struct txn_row){.name = name, .row = row};
    if (txn->index)
        index_add(txn, txn->staged_count);
    txn->staged_count++;
}

void txn_stage_onto(struct txn *txn, struct bytes name, struct bytes row, struct bytes held)
{
    bool is_first = held.size > 0 && !find_staged(txn, name);
    struct bytes ground = BYTES("");
    if (is_first)
        ground = arena_copy(txn->arena, held);
    txn_stage(txn, name, row);
    if (is_first)
        txn->staged[txn->staged_count - 1].ground = ground;
}

/* See store_set_cluster_time. */
static uint64_t believed_ms(const struct store *store, uint64_t wall_ms)
{
    uint64_t cluster_ms = store->cluster_ms, newest_ms = clock_ms(store->clock.last);
    if (cluster_ms == 0 && store->identity.joined && newest_ms > 0 && newest_ms < wall_ms)
        cluster_ms = newest_ms;
    if (cluster_ms == 0)
        return wall_ms;
    if (wall_ms > cluster_ms + STORE_CLOCK_TRUST_MS)
        return cluster_ms + STORE_CLOCK_TRUST_MS;
    if (wall_ms + STORE_CLOCK_TRUST_MS < cluster_ms)
        return cluster_ms - STORE_CLOCK_TRUST_MS;
    return wall_ms;
}

struct dot txn_dot(struct txn *txn, uint64_t newest)
{
    struct store *store = txn->store;
    if (!MUTANT(dot_below_its_row))
        clock_see(&store->clock, newest);
    uint64_t now_ms = believed_ms(store, txn->now_ms);
    return (struct dot){identity_actor(&store->identity), clock_next(&store->clock, now_ms)};
}

/* The dots of this run exceed theirs; but a time that nobody can have given is not believed. */
void txn_set_dead(struct txn *txn, const struct dead_actors *dead)
{
    uint64_t most_ms = believed_ms(txn->store, txn->now_ms) + 2 * STORE_CLOCK_TRUST_MS;
    txn->dead = dead;
    for (uint32_t i = 0; i < dead->count; i++)
        if (clock_ms(dead->dots[i].time) <= most_ms)
            clock_see(&txn->store->clock, dead->dots[i].time);
}

struct dot store_newest_dot(const struct store *store, uint64_t now_ms)
{
    uint64_t time = believed_ms(store, now_ms) << CLOCK_COUNTER_BITS;
    if (time < store->clock.last)
        time = store->clock.last;
    return (struct dot){identity_actor(&store->identity), time};
}

void store_date_from(struct store *store, uint64_t from_ms, uint64_t ahead_ms)
{
    uint64_t wall_ms = store->now_ms > store->tick_ms ? store->now_ms : store->tick_ms;
    uint64_t now_ms = believed_ms(store, wall_ms);
    bool is_likely = store->clock.last > 0 && now_ms == wall_ms;
    if (store->cluster_ms == 0 && !is_likely) /* each time would be the next one's newest event */
        return;
    if (from_ms > now_ms + STORE_CLOCK_TRUST_MS / 2)
        from_ms = now_ms + STORE_CLOCK_TRUST_MS / 2;
    if (from_ms < now_ms + ahead_ms)
        from_ms = now_ms + ahead_ms;
    clock_see(&store->clock, from_ms << CLOCK_COUNTER_BITS);
}

const struct vector *txn_stable(const struct txn *txn)
{
    return store_stable(txn->store);
}

bool txn_is_joined(const struct txn *txn)
{
    return txn->store->identity.joined;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Not in memory: asks the tier, without touching the disk unless the transaction has run too often.
 */
static enum status get_below(struct txn *txn, struct slot *slot, struct bytes name,
                             struct bytes *out_row)
{
    struct store *store = txn->store;
    struct tier *tier = store->options.tier;
    struct buffer buffer = {0};
    enum status status = fetch_error(txn, name);
    if (status != STATUS_OK)
        return status;
    store->stats.misses++;
    if (txn->run >= TXN_RUNS_MAX) {
        store->stats.blocking_reads++;
        status = tier->ops->get(tier, name, &buffer);
    } else {
        status = tier->ops->get_cached(tier, name, &buffer);
    }
    struct row checked;
    if (status == STATUS_OK)
        status = row_decode(buffer_bytes(&buffer), txn->arena, &checked);
    if (status == STATUS_OK)
        *out_row = entry_row(apply_load(store, slot, name, buffer_bytes(&buffer)));
    buffer_deinit(&buffer);
    if (status == STATUS_COLD) {
        txn->cold = true;
        fetch_want_row(txn, name);
    }
    return status;
}

enum status txn_get(struct txn *txn, struct bytes name, struct bytes *out_row)
{
    struct store *store = txn->store;
    if (txn->staged_count > 0) {
        struct txn_row *staged = find_staged(txn, name);
        if (staged && staged->row.size > 0) {
            *out_row = staged->row;
            return STATUS_OK;
        }
    }
    struct slot *slot = table_slot(&store->table, name);
    if (slot->written > txn->gate)
        txn->gate = slot->written;
    struct entry *entry = table_find(slot, name);
    if (entry && !apply_drop_if_flushed(store, slot, entry)) {
        if (!txn->no_touch)
            access_touch(store, entry);
        store->stats.hits++;
        if (!entry_has_row(entry))
            return STATUS_ABSENT;
        *out_row = entry_row(entry);
        return STATUS_OK;
    }
    if (apply_is_proven_absent(store, name) || apply_is_tier_flushed(slot, row_key_db(name))) {
        store->stats.hits++;
        return STATUS_ABSENT;
    }
    return get_below(txn, slot, name, out_row);
}

void txn_want(struct txn *txn, struct bytes name)
{
    struct bytes row;
    enum status status = txn_get(txn, name, &row);
    (void)status; /* a miss has been noted; any other answer comes again */
}

void txn_saw_expired(struct txn *txn, struct bytes name)
{
    expiry_saw(txn->store, name);
}

struct txn_access txn_access(const struct txn *txn, struct bytes name)
{
    struct store *store = txn->store;
    struct txn_access access = {.counts = store->lfu.on};
    const struct entry *entry = table_find(table_slot(&store->table, name), name);
    if (access.counts)
        access.frequency = entry ? access_frequency(store, entry) : ACCESS_INITIAL;
    else if (entry)
        access.idle_s = access_idle_s(store, entry);
    return access;
}

void txn_set_access(struct txn *txn, struct bytes name, int64_t idle_s, int frequency)
{
    struct txn_accessed *accessed = arena_alloc(txn->arena, sizeof(*accessed));
    *accessed = (struct txn_accessed){name, idle_s, frequency};
    txn->accessed = accessed;
}

uint64_t txn_keys(struct txn *txn, uint8_t db)
{
    txn->gate = log_position(txn->store->log);
    return store_keys(txn->store, db);
}

uint64_t txn_slot_keys(struct txn *txn, uint16_t slot, uint8_t db)
{
    uint64_t written = txn->store->table.slots[slot].written;
    if (written > txn->gate)
        txn->gate = written;
    return store_slot_keys(txn->store, slot, db);
}

/* ---- commit ---------------------------------------------------------------------------------- */

void txn_flush(struct txn *txn, int db)
{
    txn->flush = true;
    txn->flush_dot = txn_dot(txn, 0);
    txn->flush_db = db;
}

/* The record that a (slot, db) is flushed: a row that is nothing but a vector; the stable one is
 * implied. */
static struct bytes cleared_row(struct arena *arena, struct dot dot)
{
    struct row row;
    row_init(&row);
    row.vector = (struct vector){&dot, 1};
    return row_encode(&row, arena);
}

static bool is_flushed_by(const struct txn *txn, unsigned db)
{
    return txn->flush_db < 0 || (unsigned)txn->flush_db == db;
}

static enum status commit_flush(struct txn *txn)
{
    struct store *store = txn->store;
    struct bytes row = cleared_row(txn->arena, txn->flush_dot);
    size_t slots = 0;
    for (unsigned db = 0; db < store->facts.databases; db++)
        for (unsigned slot = 0; is_flushed_by(txn, db) && slot < SLOT_COUNT; slot++)
            slots += facts_look(&store->facts, (uint16_t)slot, (uint8_t)db)->stored > 0;
    enum status status = log_reserve(store->log, slots * (ROW_KEY_CLEARED_SIZE + row.size), slots);
    if (status != STATUS_OK)
        return status;
    store->flushes++;
    for (unsigned db = 0; db < store->facts.databases; db++)
        store->current.changes += is_flushed_by(txn, db) ? store->facts.keys[db] : 0;
    for (unsigned db = 0; db < store->facts.databases; db++) {
        for (unsigned slot = 0; is_flushed_by(txn, db) && slot < SLOT_COUNT; slot++) {
            if (facts_look(&store->facts, (uint16_t)slot, (uint8_t)db)->stored == 0)
                continue;
            log_append(store->log, row_key_cleared(txn->arena, (uint16_t)slot, (uint8_t)db), row);
            apply_cleared(store, (uint16_t)slot, (uint8_t)db);
        }
    }
    return STATUS_OK;
}

/* Changes of keys: one for each head, or for what has changed below one. */
static uint64_t count_changes(const struct txn *txn)
{
    uint64_t heads = 0, rows = 0;
    for (uint32_t i = 0; i < txn->staged_count; i++) {
        bool counts = txn->staged[i].row.size > 0;
        rows += counts;
        heads += counts && row_key_is_head(txn->staged[i].name);
    }
    return heads > 0 ? heads : rows > 0;
}

/* Deleting and flushing make room. */
static bool takes_room(const struct txn *txn)
{
    for (uint32_t i = 0; i < txn->staged_count; i++)
        if (derive_facts(txn->staged[i].row, txn->arena).live)
            return true;
    return false;
}

static enum status refusal(const struct txn *txn)
{
    const struct store *store = txn->store;
    if (store_disk_full(store))
        return STATUS_DISK_FULL;
    if (store->evict_nothing_left && takes_room(txn))
        return STATUS_OUT_OF_MEMORY;
    if (store_has_room(store))
        return STATUS_OK;
    return store->seal.state == SEAL_FAILED ? store->seal.failure : STATUS_THROTTLED;
}

static void set_access(struct store *store, const struct txn_accessed *accessed)
{
    struct entry *entry = table_find(table_slot(&store->table, accessed->name), accessed->name);
    if (entry)
        entry->access = access_of(store, accessed->idle_s, accessed->frequency);
}

enum status txn_commit(struct txn *txn)
{
    struct store *store = txn->store;
    if (__builtin_expect(store->seen.count > 0, 0))
        expiry_collect_seen(store, txn->now_ms);
    if (txn->staged_count == 0 && !txn->flush)
        return STATUS_OK;
    enum status status = refusal(txn);
    if (status != STATUS_OK)
        return status;
    if (txn->flush && store->identity.joined)
        return STATUS_INVALID; /* it leaves no tombstones: other copies would bring all back */
    if (txn->flush) {
        status = commit_flush(txn);
        if (status != STATUS_OK)
            return status;
    }
    size_t bytes = 0;
    for (uint32_t i = 0; i < txn->staged_count; i++)
        bytes += txn->staged[i].name.size + txn->staged[i].row.size;
    status = log_reserve(store->log, bytes, txn->staged_count);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < txn->staged_count; i++) {
        struct txn_row *staged = &txn->staged[i];
        if (staged->row.size == 0)
            continue;
        struct slot *slot = table_slot(&store->table, staged->name);
        log_append(store->log, staged->name, staged->row);
        apply_row(store, slot, table_find(slot, staged->name), staged->name, staged->row);
    }
    if (txn->accessed)
        set_access(store, txn->accessed);
    store->turn_rows += txn->staged_count;
    store->current.changes += count_changes(txn);
    txn->gate = log_position(store->log);
    return STATUS_OK;
}
