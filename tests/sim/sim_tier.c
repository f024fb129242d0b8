/* SPDX-License-Identifier: MIT */
#include "sim/sim_tier.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"

/* One row, or in a table a deletion (row_size 0). */
struct sim_row {
    size_t name_size;
    size_t row_size;
    char bytes[]; /* name, row */
};

/* Sorted by name, each once; owns the rows. */
struct sim_rows {
    struct sim_row **items;
    size_t count;
    size_t capacity;
};

struct sim_range {
    struct bytes from; /* both owned */
    struct bytes to;
};

struct tier_table {
    struct sim_tier *disk;
    struct sim_rows rows;
    struct sim_range *ranges;
    size_t range_count;
};

struct sim_checkpoint {
    struct list link;
    struct sim_tier *disk;
    char path[];
};

struct sim_tier {
    struct tier tier; /* the handle: there is one at a time */
    bool open;
    bool crashed;
    struct sim_rows rows;
    struct tier_table *table; /* being built */
    uint64_t ingests;
    struct random random;
    unsigned cold_odds;
    struct list checkpoints;

    enum status fail_ingest;
    bool full;
    bool stopped;
    struct bytes fail_name; /* owned */
    enum status fail_read;
    bool crash_armed;
    enum sim_tier_crash crash_keeps;
    void (*crash_called)(void *context);
    void *crash_context;
};

static struct sim_tier *disk_of(struct tier *tier)
{
    struct sim_tier *disk =
        (struct sim_tier *)(void *)((char *)tier - offsetof(struct sim_tier, tier));
    check(disk->open);
    return disk;
}

static struct bytes bytes_owned(struct bytes bytes)
{
    char *copy = memory_alloc(bytes.size);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static void bytes_free(struct bytes bytes)
{
    memory_free((void *)(uintptr_t)bytes.data);
}

/* ---- sorted rows ----------------------------------------------------------------------------- */

static struct bytes row_name(const struct sim_row *row)
{
    return bytes_of(row->bytes, row->name_size);
}

static struct bytes row_bytes(const struct sim_row *row)
{
    return bytes_of(row->bytes + row->name_size, row->row_size);
}

static struct sim_row *row_new(struct bytes name, struct bytes bytes)
{
    struct sim_row *row = memory_alloc(sizeof(*row) + name.size + bytes.size);
    row->name_size = name.size;
    row->row_size = bytes.size;
    if (name.size > 0)
        memcpy(row->bytes, name.data, name.size);
    if (bytes.size > 0)
        memcpy(row->bytes + name.size, bytes.data, bytes.size);
    return row;
}

static void rows_append(struct sim_rows *rows, struct sim_row *row)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? rows->capacity * 2 : 64;
        rows->items = memory_resize(rows->items, rows->capacity * sizeof(rows->items[0]));
    }
    rows->items[rows->count++] = row;
}

static void rows_deinit(struct sim_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        memory_free(rows->items[i]);
    memory_free(rows->items);
    *rows = (struct sim_rows){0};
}

/* The index of the first row whose name is at or above this one. */
static size_t rows_find(const struct sim_rows *rows, struct bytes name)
{
    size_t low = 0, high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(row_name(rows->items[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_in_range(const struct tier_table *table, struct bytes name)
{
    for (size_t i = 0; i < table->range_count; i++)
        if (bytes_compare(name, table->ranges[i].from) >= 0 &&
            bytes_compare(name, table->ranges[i].to) < 0)
            return true;
    return false;
}

/* Old rows less what the table deletes or replaces, and the table's. Takes the rows of both. */
static void rows_merge(struct sim_rows *old, struct tier_table *table)
{
    struct sim_rows merged = {0};
    size_t i = 0, j = 0;
    while (i < old->count || j < table->rows.count) {
        struct sim_row *a = i < old->count ? old->items[i] : NULL;
        struct sim_row *b = j < table->rows.count ? table->rows.items[j] : NULL;
        int order = !a ? 1 : !b ? -1 : bytes_compare(row_name(a), row_name(b));
        if (order <= 0) {
            i++;
            if (order == 0 || is_in_range(table, row_name(a)))
                memory_free(a);
            else
                rows_append(&merged, a);
        }
        if (order >= 0) {
            j++;
            if (b->row_size == 0)
                memory_free(b);
            else
                rows_append(&merged, b);
        }
    }
    memory_free(old->items);
    memory_free(table->rows.items);
    table->rows = (struct sim_rows){0};
    *old = merged;
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum status read_failure(const struct sim_tier *disk, struct bytes name)
{
    if (disk->crashed)
        return STATUS_IO;
    if (disk->fail_read != STATUS_OK && bytes_equal(name, disk->fail_name))
        return disk->fail_read;
    return STATUS_OK;
}

static enum status sim_get(struct tier *tier, struct bytes name, struct buffer *out_row)
{
    struct sim_tier *disk = disk_of(tier);
    enum status status = read_failure(disk, name);
    if (status != STATUS_OK)
        return status;
    size_t at = rows_find(&disk->rows, name);
    if (at == disk->rows.count || !bytes_equal(row_name(disk->rows.items[at]), name))
        return STATUS_ABSENT;
    buffer_append_bytes(out_row, row_bytes(disk->rows.items[at]));
    return STATUS_OK;
}

static enum status sim_get_cached(struct tier *tier, struct bytes name, struct buffer *out_row)
{
    struct sim_tier *disk = disk_of(tier);
    if (!disk->crashed && disk->cold_odds != SIM_TIER_NEVER_COLD &&
        random_once_in(&disk->random, disk->cold_odds))
        return STATUS_COLD;
    return sim_get(tier, name, out_row);
}

static enum status sim_scan(struct tier *tier, struct bytes from, struct bytes to, bool bulk,
                            tier_visit *visit, void *context)
{
    (void)bulk;
    struct sim_tier *disk = disk_of(tier);
    struct buffer seek_to = {0};
    enum status status = disk->crashed ? STATUS_IO : STATUS_OK;
    size_t at = rows_find(&disk->rows, from);
    while (status == STATUS_OK && at < disk->rows.count) {
        const struct sim_row *row = disk->rows.items[at];
        if (bytes_compare(row_name(row), to) >= 0)
            break;
        status = read_failure(disk, row_name(row));
        if (status != STATUS_OK)
            break;
        enum tier_next next = visit(context, row_name(row), row_bytes(row), &seek_to);
        if (next == TIER_STOP)
            break;
        at++;
        if (next == TIER_SEEK) {
            check(bytes_compare(buffer_bytes(&seek_to), row_name(row)) > 0);
            at = rows_find(&disk->rows, buffer_bytes(&seek_to));
            buffer_clear(&seek_to, SIZE_MAX);
        }
    }
    buffer_deinit(&seek_to);
    return status;
}

static enum status sim_verify(struct tier *tier, struct buffer *out_error)
{
    struct sim_tier *disk = disk_of(tier);
    enum status status = disk->crashed ? STATUS_IO : disk->fail_read;
    if (status != STATUS_OK)
        buffer_append_bytes(out_error, bytes_text(status_text(status)));
    return status;
}

/* ---- a table --------------------------------------------------------------------------------- */

static void table_free(struct tier_table *table)
{
    check(table->disk->table == table);
    table->disk->table = NULL;
    rows_deinit(&table->rows);
    for (size_t i = 0; i < table->range_count; i++) {
        bytes_free(table->ranges[i].from);
        bytes_free(table->ranges[i].to);
    }
    memory_free(table->ranges);
    memory_free(table);
}

static enum status sim_table_begin(struct tier *tier, struct tier_table **out)
{
    struct sim_tier *disk = disk_of(tier);
    check(!disk->table);
    if (disk->crashed)
        return STATUS_IO;
    disk->table = memory_zeroed(sizeof(*disk->table));
    disk->table->disk = disk;
    *out = disk->table;
    return STATUS_OK;
}

static enum status table_add(struct tier_table *table, struct sim_row *row)
{
    struct sim_rows *rows = &table->rows;
    check(rows->count == 0 ||
          bytes_compare(row_name(rows->items[rows->count - 1]), row_name(row)) < 0);
    rows_append(rows, row);
    return table->disk->crashed ? STATUS_IO : STATUS_OK;
}

static enum status sim_table_put(struct tier_table *table, struct bytes name, struct bytes row)
{
    check(row.size > 0);
    return table_add(table, row_new(name, row));
}

static enum status sim_table_delete(struct tier_table *table, struct bytes name)
{
    return table_add(table, row_new(name, bytes_of(NULL, 0)));
}

static enum status sim_table_delete_range(struct tier_table *table, struct bytes from,
                                          struct bytes to)
{
    table->ranges =
        memory_resize(table->ranges, (table->range_count + 1) * sizeof(table->ranges[0]));
    table->ranges[table->range_count++] = (struct sim_range){bytes_owned(from), bytes_owned(to)};
    return table->disk->crashed ? STATUS_IO : STATUS_OK;
}

static enum status ingest(struct tier_table *table)
{
    struct sim_tier *disk = table->disk;
    enum status status = disk->fail_ingest;
    disk->fail_ingest = STATUS_OK;
    if (disk->crashed)
        return STATUS_IO;
    if (table->rows.count + table->range_count == 0)
        return STATUS_OK;
    if (status == STATUS_OK && disk->full)
        status = STATUS_DISK_FULL;
    disk->stopped = status != STATUS_OK;
    if (status != STATUS_OK)
        return status;

    bool crash = disk->crash_armed;
    if (!crash || disk->crash_keeps == SIM_TIER_ALL_KEPT) {
        rows_merge(&disk->rows, table);
        disk->ingests++;
    }
    if (!crash)
        return STATUS_OK;
    sim_tier_crash(disk);
    disk->crash_called(disk->crash_context);
    return STATUS_IO;
}

static enum status sim_table_ingest(struct tier_table *table)
{
    enum status status = ingest(table);
    table_free(table);
    return status;
}

static void sim_table_abandon(struct tier_table *table)
{
    table_free(table);
}

/* ---- the rest of the interface --------------------------------------------------------------- */

static enum status sim_checkpoint(struct tier *tier, const char *path)
{
    struct sim_tier *disk = disk_of(tier);
    if (disk->crashed)
        return STATUS_IO;
    size_t size = strlen(path) + 1;
    struct sim_checkpoint *checkpoint = memory_alloc(sizeof(*checkpoint) + size);
    memcpy(checkpoint->path, path, size);
    checkpoint->disk = sim_tier_new(random_next(&disk->random));
    for (size_t i = 0; i < disk->rows.count; i++) {
        const struct sim_row *row = disk->rows.items[i];
        rows_append(&checkpoint->disk->rows, row_new(row_name(row), row_bytes(row)));
    }
    list_append(&disk->checkpoints, &checkpoint->link);
    return STATUS_OK;
}

static enum status sim_resume(struct tier *tier)
{
    struct sim_tier *disk = disk_of(tier);
    if (disk->crashed)
        return STATUS_IO;
    if (disk->stopped && disk->full)
        return STATUS_DISK_FULL;
    disk->stopped = false;
    return STATUS_OK;
}

static void sim_stats(struct tier *tier, struct tier_stats *out)
{
    struct sim_tier *disk = disk_of(tier);
    *out = (struct tier_stats){.tables = disk->rows.count > 0, .stopped_by_error = disk->stopped};
    for (size_t i = 0; i < disk->rows.count; i++)
        out->disk_bytes += disk->rows.items[i]->name_size + disk->rows.items[i]->row_size;
}

static void sim_free(struct tier *tier)
{
    if (!tier)
        return;
    struct sim_tier *disk = disk_of(tier);
    check(!disk->table);
    disk->open = false;
}

static const struct tier_ops sim_ops = {
    .get = sim_get,
    .get_cached = sim_get_cached,
    .scan = sim_scan,
    .table_begin = sim_table_begin,
    .table_put = sim_table_put,
    .table_delete = sim_table_delete,
    .table_delete_range = sim_table_delete_range,
    .table_ingest = sim_table_ingest,
    .table_abandon = sim_table_abandon,
    .checkpoint = sim_checkpoint,
    .verify = sim_verify,
    .resume = sim_resume,
    .stats = sim_stats,
    .free = sim_free,
};

/* ---- the disk -------------------------------------------------------------------------------- */

struct sim_tier *sim_tier_new(uint64_t seed)
{
    struct sim_tier *disk = memory_zeroed(sizeof(*disk));
    disk->tier.ops = &sim_ops;
    disk->random.state = seed;
    disk->cold_odds = SIM_TIER_COLD_ODDS;
    disk->fail_name = bytes_owned(BYTES(""));
    list_init(&disk->checkpoints);
    return disk;
}

void sim_tier_delete(struct sim_tier *disk)
{
    if (!disk)
        return;
    check(!disk->open);
    while (!list_is_empty(&disk->checkpoints)) {
        struct sim_checkpoint *checkpoint =
            list_entry(disk->checkpoints.next, struct sim_checkpoint, link);
        list_remove(&checkpoint->link);
        sim_tier_delete(checkpoint->disk);
        memory_free(checkpoint);
    }
    rows_deinit(&disk->rows);
    bytes_free(disk->fail_name);
    memory_free(disk);
}

struct tier *sim_tier_open(struct sim_tier *disk)
{
    check(!disk->open);
    disk->open = true;
    disk->crashed = false;
    disk->stopped = false;
    return &disk->tier;
}

void sim_tier_set_cold(struct sim_tier *disk, unsigned odds)
{
    disk->cold_odds = odds;
}

void sim_tier_fail_next_ingest(struct sim_tier *disk, enum status status)
{
    disk->fail_ingest = status;
}

void sim_tier_set_full(struct sim_tier *disk, bool full)
{
    disk->full = full;
}

void sim_tier_fail_read(struct sim_tier *disk, struct bytes name, enum status status)
{
    bytes_free(disk->fail_name);
    disk->fail_name = bytes_owned(name);
    disk->fail_read = status;
}

void sim_tier_fail_some_read(struct sim_tier *disk, uint64_t draw, enum status status)
{
    if (disk->rows.count > 0)
        sim_tier_fail_read(disk, row_name(disk->rows.items[draw % disk->rows.count]), status);
}

void sim_tier_crash_in_ingest(struct sim_tier *disk, enum sim_tier_crash what,
                              void (*crashed)(void *context), void *context)
{
    disk->crash_armed = true;
    disk->crash_keeps = what;
    disk->crash_called = crashed;
    disk->crash_context = context;
}

void sim_tier_crash(struct sim_tier *disk)
{
    disk->crashed = true;
    disk->crash_armed = false;
}

bool sim_tier_is_crashed(const struct sim_tier *disk)
{
    return disk->crashed;
}

uint64_t sim_tier_rows(const struct sim_tier *disk)
{
    return disk->rows.count;
}

uint64_t sim_tier_ingests(const struct sim_tier *disk)
{
    return disk->ingests;
}

struct sim_tier *sim_tier_copy(const struct sim_tier *disk, uint64_t seed)
{
    struct sim_tier *copy = sim_tier_new(seed);
    for (size_t i = 0; i < disk->rows.count; i++) {
        const struct sim_row *row = disk->rows.items[i];
        rows_append(&copy->rows, row_new(row_name(row), row_bytes(row)));
    }
    copy->cold_odds = disk->cold_odds;
    return copy;
}

struct sim_tier *sim_tier_take_checkpoint(struct sim_tier *disk, const char *path)
{
    for (struct list *link = disk->checkpoints.next; link != &disk->checkpoints;
         link = link->next) {
        struct sim_checkpoint *checkpoint = list_entry(link, struct sim_checkpoint, link);
        if (strcmp(checkpoint->path, path) != 0)
            continue;
        struct sim_tier *copy = checkpoint->disk;
        list_remove(&checkpoint->link);
        memory_free(checkpoint);
        return copy;
    }
    return NULL;
}
