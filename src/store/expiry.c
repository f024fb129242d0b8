/* SPDX-License-Identifier: MIT */
#include "store/expiry.h"

#include "base/check.h"
#include "base/memory.h"
#include "store/apply.h"
#include "store/derive.h"
#include "store/meta.h"

enum {
    DUE_PER_TICK = 4000,
    FOUND_MAX = 1000,
    SEARCH_INTERVAL_MS = 100,
    SEARCH_RETRY_MS = 1000, /* after an error of reading */
    /* Where there are other copies a search only shows what waits for them: */
    COPIES_INTERVAL_MS = 1000,        /* what has come due since, */
    COPIES_AGAIN_MS = 5 * 60 * 1000,  /* and all: memory may have dropped some of it, */
    COPIES_TOMBSTONES_MS = 20 * 1000, /* sooner while there are tombstones */
    NOTES_KEEP = 64 * 1024,
    SAMPLE_SLOT = 32, /* entries looked at to guess how long keys live: of a slot, */
    SAMPLE_MAX = 512, /* in all */
};

/* One search of the index; its results are index names, rows and what stands between. */
struct expiry_job {
    struct job job;
    struct store *store;
    bool running;
    uint64_t version;     /* store.tier_version when it was submitted */
    uint64_t searched_ms; /* the clock then */
    uint64_t next_ms;     /* when to search again */
    uint64_t now_ms;      /* the clock, as last told */
    bool anew;            /* it has gone back since the last search began */
    struct buffer from;   /* the search goes on here */
    struct buffer names;  /* notes: what was found in the index */
    struct buffer found;  /* notes: each of these, then its head row, empty if there is none */
    unsigned count;
    enum status status;
    uint64_t first_ms; /* joined: when it last began at the first */
    uint64_t expired;  /* joined: keys found since it did */
};

void expiry_init(struct store *store)
{
    store->expiry = memory_zeroed(sizeof(*store->expiry));
    store->expiry->store = store;
}

void expiry_deinit(struct store *store)
{
    buffer_deinit(&store->expiry->from);
    buffer_deinit(&store->expiry->names);
    buffer_deinit(&store->expiry->found);
    memory_free(store->expiry);
}

/* ---- in memory ------------------------------------------------------------------------------- */

/*
 * The log says so first: it must not come back with a restart, should the clock then be behind.
 * STATUS_OK: it was collected, and other entries of its bucket may be gone with it, its chunks.
 * STATUS_ABSENT: it has not expired. An error: the log has no room.
 */
static enum status collect_if_expired(struct store *store, struct slot *slot, struct entry *entry,
                                      uint64_t now_ms)
{
    struct bytes name = entry_name(entry);
    if (!entry_has_row(entry))
        return STATUS_ABSENT;
    struct row_facts facts = derive_facts(entry_row(entry), &store->scratch);
    arena_clear(&store->scratch);
    if (facts.at_ms >= now_ms) /* it lives through its last millisecond */
        return STATUS_ABSENT;
    enum status status = log_reserve(store->log, name.size, 1);
    if (status != STATUS_OK)
        return status;
    log_append(store->log, name, LOG_COLLECTED);
    slot->written = log_position(store->log);
    apply_collect(store, slot, entry);
    store->stats.expired_keys++;
    return STATUS_OK;
}

static struct entry *first_at(const struct slot *slot, uint64_t hash)
{
    return slot->buckets ? *table_chain(slot, table_bucket(slot, hash)) : NULL;
}

static enum status collect_at(struct store *store, uint64_t place, uint64_t now_ms)
{
    struct slot *slot = &store->table.slots[place >> ROW_KEY_HASH_BITS];
    uint64_t hash = place & 0xffffffffffff;
    struct entry *next;
    for (struct entry *entry = first_at(slot, hash); entry; entry = next) {
        next = entry->next;
        if (!entry->is_head || row_key_hash_of(entry_name(entry)) != hash ||
            apply_drop_if_flushed(store, slot, entry))
            continue;
        enum status status = collect_if_expired(store, slot, entry, now_ms);
        if (status == STATUS_OK)
            next = first_at(slot, hash);
        else if (status != STATUS_ABSENT)
            return status;
    }
    return STATUS_OK;
}

void expiry_saw(struct store *store, struct bytes name)
{
    if (store->seen.count == EXPIRED_SEEN_MAX || store->paused || store->identity.joined)
        return;
    store->seen.places[store->seen.count++] =
        (uint64_t)row_key_slot(name) << ROW_KEY_HASH_BITS | row_key_hash_of(name);
}

/* What the log has no room for is found again by the heap or the index. */
void expiry_collect_seen(struct store *store, uint64_t now_ms)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < store->seen.count && status == STATUS_OK && !store->paused; i++)
        status = collect_at(store, store->seen.places[i], now_ms);
    store->seen.count = 0;
}

/* What the log has no room for stays in the heap. */
static bool tick_heap(struct store *store, struct due_heap *heap, uint64_t now_ms, unsigned *most)
{
    while (heap->count > 0 && heap->items[0].at_ms < now_ms) {
        if ((*most)-- == 0 || collect_at(store, heap->items[0].place, now_ms) != STATUS_OK)
            return true;
        due_pop(heap);
    }
    return false;
}

/* ---- in the tier ----------------------------------------------------------------------------- */

static enum tier_next note_index_row(void *context, struct bytes name, struct bytes row,
                                     struct buffer *seek_to)
{
    struct expiry_job *search = context;
    (void)row;
    (void)seek_to;
    buffer_clear(&search->from, SIZE_MAX);
    buffer_append_bytes(&search->from, name);
    if (search->count == FOUND_MAX)
        return TIER_STOP;
    generation_note(&search->names, name);
    search->count++;
    return TIER_NEXT;
}

/* The head rows that the index names: a visitor may not ask the tier itself. */
static void read_heads(struct expiry_job *search)
{
    struct tier *tier = search->store->options.tier;
    struct bytes index_name, name;
    uint64_t at_ms;
    for (size_t at = 0; generation_next_note(&search->names, &at, &index_name);) {
        struct buffer row = {0};
        enum status status = STATUS_ABSENT;
        if (meta_expiry_decode(index_name, &at_ms, &name))
            status = tier->ops->get(tier, name, &row);
        if (status == STATUS_OK || status == STATUS_ABSENT) {
            generation_note(&search->found, index_name);
            generation_note(&search->found, buffer_bytes(&row));
        } else {
            search->status = status;
        }
        buffer_deinit(&row);
    }
    buffer_clear(&search->names, NOTES_KEEP);
}

static void search_run(struct job *job)
{
    struct expiry_job *search = list_entry(job, struct expiry_job, job);
    struct buffer from = {0}, to = {0};
    struct tier *tier = search->store->options.tier;
    buffer_append_bytes(&from, buffer_bytes(&search->from));
    if (buffer_size(&from) == 0)
        meta_expiry_name(&from, 0, bytes_of("", 0));
    meta_expiry_name(&to, search->searched_ms, bytes_of("", 0));
    search->status = tier->ops->scan(tier, buffer_bytes(&from), buffer_bytes(&to), false,
                                     note_index_row, search);
    if (search->status == STATUS_OK && search->count < FOUND_MAX) { /* seen all up to the end */
        buffer_clear(&search->from, SIZE_MAX);
        buffer_append_bytes(&search->from, buffer_bytes(&to));
    }
    read_heads(search);
    buffer_deinit(&from);
    buffer_deinit(&to);
}

/* An index row came due: the key may have expired, or changed since. An error: to be seen again. */
static enum status take_found(struct store *store, struct bytes index_name, struct bytes row,
                              uint64_t now_ms)
{
    uint64_t at_ms;
    struct bytes name;
    struct row checked;
    struct row_key key;
    if (!meta_expiry_decode(index_name, &at_ms, &name) || !row_key_decode(name, &key))
        return STATUS_OK;
    struct slot *slot = table_slot(&store->table, name);
    struct entry *entry = table_find(slot, name);
    if (entry && apply_drop_if_flushed(store, slot, entry))
        entry = NULL;
    if (!entry && row.size > 0 && row_decode(row, &store->scratch, &checked) == STATUS_OK &&
        !apply_is_tier_flushed(slot, key.db))
        entry = apply_load(store, slot, name, row);
    bool is_of_tier = entry && entry_has_row(entry) && !store_is_dirty(store, entry);
    struct row_facts facts = {0};
    if (is_of_tier)
        facts = derive_facts(entry_row(entry), &store->scratch);
    bool stale = !is_of_tier || facts.due_ms != at_ms;
    if (stale)
        generation_note(&store->current.index_deletes, index_name);
    arena_clear(&store->scratch);
    if (store->identity.joined) { /* it is in memory now, where it can be asked for */
        store->expiry->expired += !stale && facts.live;
        return STATUS_OK;
    }
    enum status status = entry ? collect_if_expired(store, slot, entry, now_ms) : STATUS_OK;
    return status == STATUS_ABSENT ? STATUS_OK : status;
}

/* Joined: there is no more that is due. */
static void all_found(struct store *store)
{
    struct expiry_job *search = store->expiry;
    store->expired_waiting = search->expired;
    search->next_ms = search->searched_ms + COPIES_INTERVAL_MS;
    uint64_t interval_ms = store->facts.tombstones > 0 ? COPIES_TOMBSTONES_MS : COPIES_AGAIN_MS;
    if (search->searched_ms < search->first_ms + interval_ms)
        return;
    buffer_clear(&search->from, SIZE_MAX);
    search->first_ms = search->searched_ms;
}

static void search_done(struct job *job)
{
    struct expiry_job *search = list_entry(job, struct expiry_job, job);
    struct store *store = search->store;
    struct bytes index_name, row;
    /* What was written since the clock went back lives on. */
    uint64_t until_ms = search->now_ms < search->searched_ms ? search->now_ms : search->searched_ms;
    search->running = false;
    if (search->version == store->tier_version && !store->paused) {
        for (size_t at = 0; generation_next_note(&search->found, &at, &index_name);) {
            check(generation_next_note(&search->found, &at, &row));
            enum status status = take_found(store, index_name, row, until_ms);
            if (status != STATUS_OK)
                search->status = status;
        }
        if (search->count == FOUND_MAX)
            search->next_ms = 0;
        else if (store->identity.joined)
            all_found(store);
    } else {
        buffer_clear(&search->from, SIZE_MAX); /* what was found may change: from the start */
    }
    if (search->status != STATUS_OK) { /* what could not be read is to be seen later */
        buffer_clear(&search->from, SIZE_MAX);
        search->next_ms = search->searched_ms + SEARCH_RETRY_MS;
    }
    buffer_clear(&search->found, NOTES_KEEP);
}

static void search_begin(struct store *store, uint64_t now_ms)
{
    struct expiry_job *search = store->expiry;
    if (search->running || !store_has_room(store) || (now_ms < search->next_ms && !search->anew))
        return;
    if (search->anew) /* what it skipped is to be seen */
        buffer_clear(&search->from, SIZE_MAX);
    if (buffer_size(&search->from) == 0)
        search->expired = 0;
    search->anew = false;
    search->running = true;
    search->searched_ms = now_ms;
    search->next_ms = now_ms + SEARCH_INTERVAL_MS;
    search->version = store->tier_version;
    search->count = 0;
    search->job = (struct job){.run = search_run, .done = search_done};
    store->options.workers->ops->submit(store->options.workers, JOB_READ, &search->job);
}

void expiry_sealed(struct store *store, uint64_t at_ms)
{
    struct expiry_job *search = store->expiry;
    if (!search->running && at_ms < search->searched_ms) /* a running one starts anew by itself */
        buffer_clear(&search->from, SIZE_MAX);
}

void expiry_clock(struct store *store, uint64_t now_ms)
{
    struct expiry_job *search = store->expiry;
    search->anew |= now_ms < search->now_ms;
    search->now_ms = now_ms;
}

bool expiry_tick(struct store *store, uint64_t now_ms)
{
    unsigned most = DUE_PER_TICK;
    bool more = false;
    expiry_clock(store, now_ms);
    if (!store->active_expiry || store->paused)
        return false;
    if (store->seal.state != SEAL_IDLE)
        more = tick_heap(store, &store->sealing.due, now_ms, &most);
    if (!more) /* both are empty where there are other copies */
        more = tick_heap(store, &store->current.due, now_ms, &most);
    search_begin(store, now_ms);
    return more;
}

/* ---- how long keys live ---------------------------------------------------------------------- */

struct sample {
    uint8_t db;
    uint64_t now_ms;
    uint64_t looked, found;
    __uint128_t sum_ms;
};

static void sample_entry(struct store *store, const struct slot *slot, const struct entry *entry,
                         struct sample *sample)
{
    sample->looked++;
    if (!entry->is_head || !entry_has_row(entry) || apply_is_flushed(slot, entry) ||
        row_key_db(entry_name(entry)) != sample->db)
        return;
    uint64_t at_ms = derive_facts(entry_row(entry), &store->scratch).at_ms;
    arena_clear(&store->scratch);
    if (at_ms == EXPIRY_NEVER)
        return;
    sample->found++;
    sample->sum_ms += at_ms > sample->now_ms ? at_ms - sample->now_ms : 0;
}

/* Some of the slot's entries, from a bucket that chance chooses. */
static void sample_slot(struct store *store, const struct slot *slot, struct sample *sample)
{
    size_t buckets = table_buckets(slot);
    size_t from = buckets > 0 ? random_below(&store->random, buckets) : 0;
    uint64_t most = sample->looked + SAMPLE_SLOT;
    for (size_t i = 0; i < buckets && sample->looked < most; i++) {
        sample->looked++; /* an empty bucket costs, too */
        const struct entry *entry = *table_chain(slot, (from + i) % buckets);
        for (; entry != NULL; entry = entry->next)
            sample_entry(store, slot, entry, sample);
    }
}

uint64_t store_average_ttl(struct store *store, uint8_t db, uint64_t now_ms)
{
    struct sample sample = {.db = db, .now_ms = now_ms};
    if (store_keys_with_expiry(store, db) == 0)
        return 0;
    unsigned first = (unsigned)random_below(&store->random, SLOT_COUNT);
    for (unsigned i = 0; i < SLOT_COUNT && sample.looked < SAMPLE_MAX; i++) {
        uint16_t slot = (uint16_t)((first + i) % SLOT_COUNT);
        if (facts_look(&store->facts, slot, db)->expiring > 0)
            sample_slot(store, &store->table.slots[slot], &sample);
    }
    return sample.found > 0 ? (uint64_t)(sample.sum_ms / sample.found) : 0;
}
