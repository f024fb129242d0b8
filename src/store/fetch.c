/* SPDX-License-Identifier: MIT */
#include "store/fetch.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "store/apply.h"

struct wanted_row {
    struct buffer name;
    struct buffer row;
    enum status status;
};

struct fetch {
    struct job job;
    struct store *store;
    struct txn *txn; /* NULL: abandoned */
    void (*ready)(void *context);
    void *context;
    bool running;
    uint64_t version;        /* store.tier_version when it was submitted */
    struct wanted_row *rows; /* to be read, after those that failed when they were */
    size_t row_count, row_room;
    size_t failed_count;
    struct fetched_page *pages;
    size_t page_count, page_room;
    size_t pages_read; /* the first so many have been */
};

static struct fetch *fetch_of(struct txn *txn)
{
    if (!txn->fetch) {
        txn->fetch = memory_zeroed(sizeof(*txn->fetch));
        txn->fetch->store = txn->store;
        txn->fetch->txn = txn;
    }
    check(!txn->fetch->running);
    return txn->fetch;
}

static void clear_rows(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->row_count; i++) {
        buffer_deinit(&fetch->rows[i].name);
        buffer_deinit(&fetch->rows[i].row);
    }
    fetch->row_count = fetch->failed_count = 0;
}

static void clear_pages(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->page_count; i++)
        buffer_deinit(&fetch->pages[i].rows);
    fetch->page_count = fetch->pages_read = 0;
}

static void fetch_free(struct fetch *fetch)
{
    clear_rows(fetch);
    clear_pages(fetch);
    memory_free(fetch->rows);
    memory_free(fetch->pages);
    memory_free(fetch);
}

void fetch_want_row(struct txn *txn, struct bytes name)
{
    struct fetch *fetch = fetch_of(txn);
    if (fetch->row_count > 0 &&
        bytes_equal(buffer_bytes(&fetch->rows[fetch->row_count - 1].name), name))
        return;
    if (fetch->row_count == fetch->row_room) {
        fetch->row_room = fetch->row_room ? fetch->row_room * 2 : 4;
        fetch->rows = memory_resize(fetch->rows, fetch->row_room * sizeof(*fetch->rows));
    }
    struct wanted_row *row = &fetch->rows[fetch->row_count++];
    *row = (struct wanted_row){.status = STATUS_COLD};
    buffer_append_bytes(&row->name, name);
}

void fetch_want_page(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash, uint64_t limit)
{
    struct fetch *fetch = fetch_of(txn);
    if (fetch->page_count == fetch->page_room) {
        fetch->page_room = fetch->page_room ? fetch->page_room * 2 : 4;
        fetch->pages = memory_resize(fetch->pages, fetch->page_room * sizeof(*fetch->pages));
    }
    fetch->pages[fetch->page_count++] =
        (struct fetched_page){.slot = slot, .db = db, .hash = hash, .limit = limit};
}

enum status fetch_error(const struct txn *txn, struct bytes name)
{
    const struct fetch *fetch = txn->fetch;
    for (size_t i = 0; fetch && i < fetch->failed_count; i++)
        if (bytes_equal(buffer_bytes(&fetch->rows[i].name), name))
            return fetch->rows[i].status;
    return STATUS_OK;
}

const struct fetched_page *fetch_page(const struct txn *txn, uint16_t slot, uint8_t db,
                                      uint64_t hash, uint64_t limit)
{
    const struct fetch *fetch = txn->fetch;
    for (size_t i = 0; fetch && i < fetch->pages_read; i++) {
        const struct fetched_page *page = &fetch->pages[i];
        if (page->slot == slot && page->db == db && page->hash == hash && page->limit == limit &&
            page->version == txn->store->tier_version)
            return page;
    }
    return NULL;
}

void fetch_forget(struct txn *txn)
{
    if (txn->fetch) {
        check(!txn->fetch->running);
        clear_rows(txn->fetch);
        clear_pages(txn->fetch);
    }
}

/* ---- on a storage thread --------------------------------------------------------------------- */

struct page_reading {
    struct fetched_page *page;
    uint64_t count;
    uint64_t last_hash;
};

static enum tier_next collect_head(void *context, struct bytes name, struct bytes row,
                                   struct buffer *seek_to)
{
    struct page_reading *reading = context;
    struct fetched_page *page = reading->page;
    if (!row_key_is_head(name)) { /* past all other rows of its key */
        struct row_key key;
        check(row_key_decode(name, &key));
        size_t to_kind = (size_t)(key.key.data + key.key.size - name.data);
        buffer_append(seek_to, name.data, to_kind);
        buffer_append_u8(seek_to, UINT8_MAX);
        return TIER_SEEK;
    }
    uint64_t hash = row_key_hash_of(name);
    if (reading->count >= page->limit && hash != reading->last_hash) {
        page->done = false;
        page->end = hash;
        return TIER_STOP;
    }
    char sizes[8];
    pack_u32(pack_u32(sizes, (uint32_t)name.size), (uint32_t)row.size);
    buffer_append(&page->rows, sizes, sizeof(sizes));
    buffer_append_bytes(&page->rows, name);
    buffer_append_bytes(&page->rows, row);
    reading->count++;
    reading->last_hash = hash;
    return TIER_NEXT;
}

static void read_page(struct tier *tier, struct fetched_page *page)
{
    char from[ROW_KEY_PREFIX_SIZE];
    char to[4] = {0};
    pack_be(pack_be(pack_be(from, page->slot, 2), page->db, 1), page->hash, 6);
    pack_be(to, ((uint64_t)page->slot << 8 | page->db) + 1, 3);
    struct page_reading reading = {page, 0, UINT64_MAX};
    page->done = true;
    page->end = UINT64_MAX;
    page->status = tier->ops->scan(tier, bytes_of(from, sizeof(from)), bytes_of(to, 3), true,
                                   collect_head, &reading);
}

static void fetch_run(struct job *job)
{
    struct fetch *fetch = list_entry(job, struct fetch, job);
    struct tier *tier = fetch->store->options.tier;
    for (size_t i = fetch->failed_count; i < fetch->row_count; i++) {
        struct wanted_row *row = &fetch->rows[i];
        row->status = tier->ops->get(tier, buffer_bytes(&row->name), &row->row);
    }
    for (size_t i = fetch->pages_read; i < fetch->page_count; i++)
        read_page(tier, &fetch->pages[i]);
}

/* ---- on the core thread ---------------------------------------------------------------------- */

/* True if there is no more to say of it. */
static bool take_row(struct fetch *fetch, struct wanted_row *wanted)
{
    struct store *store = fetch->store;
    struct bytes name = buffer_bytes(&wanted->name);
    struct bytes row = buffer_bytes(&wanted->row);
    struct slot *slot = table_slot(&store->table, name);
    if (fetch->version != store->tier_version || table_find(slot, name))
        return true;
    if (wanted->status == STATUS_ABSENT ||
        (wanted->status == STATUS_OK && apply_is_tier_flushed(slot, row_key_db(name)))) {
        apply_load(store, slot, name, bytes_of("", 0));
        return true;
    }
    if (wanted->status != STATUS_OK)
        return false;
    struct row checked;
    if (row_decode(row, &store->scratch, &checked) == STATUS_OK) {
        apply_load(store, slot, name, row);
        store->stats.cold_reads++;
        return true;
    }
    wanted->status = STATUS_CORRUPT;
    return false;
}

static void fetch_done(struct job *job)
{
    struct fetch *fetch = list_entry(job, struct fetch, job);
    fetch->running = false;
    size_t kept = fetch->failed_count;
    for (size_t i = kept; i < fetch->row_count; i++) {
        struct wanted_row *row = &fetch->rows[i];
        if (fetch->txn && !take_row(fetch, row)) {
            fetch->rows[kept++] = *row;
            continue;
        }
        buffer_deinit(&row->name);
        buffer_deinit(&row->row);
    }
    fetch->row_count = fetch->failed_count = kept;
    arena_clear(&fetch->store->scratch);
    for (size_t i = fetch->pages_read; i < fetch->page_count; i++)
        fetch->pages[i].version = fetch->version;
    fetch->pages_read = fetch->page_count;
    if (!fetch->txn)
        fetch_free(fetch);
    else
        fetch->ready(fetch->context);
}

const struct fetched_page *fetch_page_now(struct txn *txn, uint16_t slot, uint8_t db, uint64_t hash,
                                          uint64_t limit)
{
    fetch_want_page(txn, slot, db, hash, limit);
    struct fetch *fetch = txn->fetch;
    struct fetched_page *page = &fetch->pages[fetch->page_count - 1];
    check(fetch->pages_read == fetch->page_count - 1);
    read_page(fetch->store->options.tier, page);
    page->version = fetch->store->tier_version;
    fetch->pages_read = fetch->page_count;
    return page;
}

/* Those that a seal has overtaken are asked for again. */
static void drop_stale_pages(struct fetch *fetch)
{
    size_t kept = 0;
    for (size_t i = 0; i < fetch->page_count; i++) {
        if (i < fetch->pages_read && fetch->pages[i].version != fetch->version)
            buffer_deinit(&fetch->pages[i].rows);
        else
            fetch->pages[kept++] = fetch->pages[i];
    }
    fetch->pages_read -= fetch->page_count - kept;
    fetch->page_count = kept;
}

void txn_fetch(struct txn *txn, void (*ready)(void *context), void *context)
{
    struct fetch *fetch = fetch_of(txn);
    struct workers *workers = txn->store->options.workers;
    fetch->running = true;
    fetch->ready = ready;
    fetch->context = context;
    fetch->version = txn->store->tier_version;
    drop_stale_pages(fetch);
    fetch->job = (struct job){.run = fetch_run, .done = fetch_done};
    workers->ops->submit(workers, JOB_READ, &fetch->job);
}

void txn_end(struct txn *txn)
{
    struct fetch *fetch = txn->fetch;
    txn->fetch = NULL;
    txn->flush = false;
    if (!fetch)
        return;
    fetch->txn = NULL;
    if (!fetch->running)
        fetch_free(fetch);
}
