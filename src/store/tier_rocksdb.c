/* SPDX-License-Identifier: MIT */
/*
 * The ordered tier on RocksDB. Nothing is ever put: whole tables, built beside the database's own
 * files as ingest-<number>.sst, are linked into it, so its log and memtable stay empty. What
 * RocksDB's C interface cannot do (leave an error state) is done by opening the database anew;
 * hence the lock.
 *
 * Durability: SstFileWriter syncs a table when it is finished, ingestion syncs the directory and
 * the MANIFEST.
 */
#include "store/tier.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "base/check.h"
#include "base/memory.h"
#include "row/row_key.h"

enum {
    BLOCK_SIZE = 8 * 1024,
    BLOOM_BITS = 10, /* per name, and as many again per prefix of it: 1 % false positives */
    LEVELS = 7,
    TABLE_SIZE = 64 * 1024 * 1024, /* of compacted tables; a sealed generation is about as large */
    LEVEL_BASE_SIZE = 512 * 1024 * 1024,
    LEVEL0_COMPACTION_TABLES = 4,
    LEVEL0_TABLES_MAX = 40, /* above, ingestion waits for compaction: each costs each read a look */
    INGEST_WAIT_MS_MAX = 10 * 1000, /* for that, per table */
    INGEST_WAIT_STEP_MS = 20,
    MEMTABLE_SIZE = 64 * 1024, /* unused: the least that RocksDB accepts */
    MANIFEST_SIZE_MAX = 4 * 1024 * 1024,
    LOG_FILE_SIZE_MAX = 1024 * 1024, /* RocksDB's own text log */
    LOG_FILES_MAX = 3,
    LOG_LEVEL_WARN = 2,
    SYNC_STEP = 1024 * 1024, /* of compaction's output: steps to the disk, no burst */
    BULK_READAHEAD = 1024 * 1024,
    CHECKSUM_XXH3 = 4,
    FORMAT_VERSION = 5,
    READ_TIER_BLOCK_CACHE = 1,
    RESUME_ROOM = 4 * 1024 * 1024, /* that must be free to open the database anew */
    PATH_SIZE_MAX = 4096,
    TABLE_FILE_NAME_MAX = 40,
};

#define TABLE_FILE_PREFIX "ingest-"

struct tier_rocksdb {
    struct tier tier;
    char *path;
    rocksdb_cache_t *cache;
    rocksdb_options_t *options;       /* of the database */
    rocksdb_options_t *table_options; /* of tables to be ingested: not compressed */
    rocksdb_readoptions_t *read;
    rocksdb_readoptions_t *read_cached;

    pthread_rwlock_t lock; /* held for writing only while `db` is replaced */
    rocksdb_t *db;
    bool read_only; /* it could not be opened for writing again: reads go on */

    uint64_t tables_begun;
    bool table_open;
    atomic_bool ingest_failed;
    atomic_ullong errors_accepted; /* RocksDB's background errors that no longer count */
};

struct tier_table {
    struct tier_rocksdb *tier;
    rocksdb_sstfilewriter_t *writer;
    enum status status; /* the first failure: all later calls return it */
    bool empty;
    char path[PATH_SIZE_MAX];
};

static struct tier_rocksdb *rocksdb_of(struct tier *tier)
{
    return (struct tier_rocksdb *)(void *)((char *)tier - offsetof(struct tier_rocksdb, tier));
}

/* ---- RocksDB's errors ----------------------------------------------------------------------- */

/* RocksDB's C interface gives texts only: this is the one place that reads them. Frees the text. */
static enum status status_of_error(char *error, struct buffer *out_error)
{
    static const struct {
        const char *text;
        enum status status;
    } known[] = {
        {"No space left", STATUS_DISK_FULL},  {"quota exceeded", STATUS_DISK_FULL},
        {"lock file", STATUS_LOCKED},         {"lock hold by", STATUS_LOCKED},
        {"newer version", STATUS_VERSION},    {"Corruption", STATUS_CORRUPT},
        {"Invalid argument", STATUS_INVALID},
    };
    if (!error)
        return STATUS_OK;
    enum status status = STATUS_IO;
    if (bytes_starts_with(bytes_text(error), BYTES("Result incomplete"))) {
        status = STATUS_COLD;
    } else {
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (strstr(error, known[i].text)) {
                status = known[i].status;
                break;
            }
        }
    }
    if (out_error)
        buffer_append_bytes(out_error, bytes_text(error));
    rocksdb_free(error);
    return status;
}

static uint64_t property_int(rocksdb_t *db, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int(db, name, &value) == 0 ? value : 0;
}

static uint64_t level_tables(rocksdb_t *db, unsigned level)
{
    char name[48];
    snprintf(name, sizeof(name), "rocksdb.num-files-at-level%u", level);
    char *text = rocksdb_property_value(db, name);
    uint64_t tables = text ? strtoull(text, NULL, 10) : 0;
    rocksdb_free(text);
    return tables;
}

/* Under the lock. A full disk during compaction is forgiven by RocksDB itself once there is room;
 * it doesn't say when, so the state lasts until an ingestion succeeds or `resume`. */
static bool is_stopped(struct tier_rocksdb *self)
{
    return self->read_only || atomic_load(&self->ingest_failed) ||
           property_int(self->db, "rocksdb.background-errors") >
               atomic_load(&self->errors_accepted);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Under the lock. One copy: from RocksDB's block to the buffer. */
static enum status get_with(struct tier_rocksdb *self, const rocksdb_readoptions_t *options,
                            struct bytes name, struct buffer *out_row)
{
    char *error = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(self->db, options, name.data, name.size, &error);
    if (error)
        return status_of_error(error, NULL);
    if (!slice)
        return STATUS_ABSENT;
    size_t size;
    const char *data = rocksdb_pinnableslice_value(slice, &size);
    enum status status = STATUS_OK;
    /* No row is empty. In the cache tier RocksDB answers so what it didn't look up: "may exist". */
    if (size == 0)
        status = options == self->read_cached ? STATUS_COLD : STATUS_CORRUPT;
    else
        buffer_append(out_row, data, size);
    rocksdb_pinnableslice_destroy(slice);
    return status;
}

static enum status tier_get(struct tier *tier, struct bytes name, struct buffer *out_row)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    pthread_rwlock_rdlock(&self->lock);
    enum status status = get_with(self, self->read, name, out_row);
    pthread_rwlock_unlock(&self->lock);
    return status;
}

static enum status tier_get_cached(struct tier *tier, struct bytes name, struct buffer *out_row)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    if (pthread_rwlock_tryrdlock(&self->lock) != 0)
        return STATUS_COLD; /* being opened anew: the core does not wait for that */
    enum status status = get_with(self, self->read_cached, name, out_row);
    pthread_rwlock_unlock(&self->lock);
    return status;
}

/* Within one prefix the Bloom filters of prefixes may be asked; across several they would hide
 * rows. */
static bool is_one_prefix(struct bytes from, struct bytes to)
{
    return from.size >= ROW_KEY_PREFIX_SIZE && to.size >= ROW_KEY_PREFIX_SIZE &&
           memcmp(from.data, to.data, ROW_KEY_PREFIX_SIZE) == 0;
}

/* Visits from `from` on; the iterator ends at its upper bound. */
static enum status visit_rows(rocksdb_iterator_t *iterator, struct bytes from, tier_visit *visit,
                              void *context)
{
    struct buffer seek_to = {0};
    rocksdb_iter_seek(iterator, from.data, from.size);
    while (rocksdb_iter_valid(iterator)) {
        struct bytes name, row;
        name.data = rocksdb_iter_key(iterator, &name.size);
        row.data = rocksdb_iter_value(iterator, &row.size);
        enum tier_next next = visit(context, name, row, &seek_to);
        if (next == TIER_STOP)
            break;
        if (next == TIER_NEXT) {
            rocksdb_iter_next(iterator);
            continue;
        }
        struct bytes target = buffer_bytes(&seek_to);
        check(bytes_compare(target, name) > 0);
        rocksdb_iter_seek(iterator, target.data, target.size);
        buffer_clear(&seek_to, SIZE_MAX);
    }
    buffer_deinit(&seek_to);
    char *error = NULL;
    rocksdb_iter_get_error(iterator, &error);
    return status_of_error(error, NULL);
}

static enum status tier_scan(struct tier *tier, struct bytes from, struct bytes to, bool bulk,
                             tier_visit *visit, void *context)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    if (bytes_compare(from, to) >= 0)
        return STATUS_OK;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(options, to.data, to.size);
    rocksdb_readoptions_set_total_order_seek(options, !is_one_prefix(from, to));
    rocksdb_readoptions_set_background_purge_on_iterator_cleanup(options, 1);
    if (bulk) {
        rocksdb_readoptions_set_fill_cache(options, 0);
        rocksdb_readoptions_set_readahead_size(options, BULK_READAHEAD);
    }
    pthread_rwlock_rdlock(&self->lock);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(self->db, options);
    enum status status = visit_rows(iterator, from, visit, context);
    rocksdb_iter_destroy(iterator);
    pthread_rwlock_unlock(&self->lock);
    rocksdb_readoptions_destroy(options);
    return status;
}

static enum status tier_verify(struct tier *tier, struct buffer *out_error)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(options, 1);
    rocksdb_readoptions_set_total_order_seek(options, 1);
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_readahead_size(options, BULK_READAHEAD);
    /* What a range deletion hides is to be read too. */
    rocksdb_readoptions_set_ignore_range_deletions(options, 1);
    pthread_rwlock_rdlock(&self->lock);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(self->db, options);
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);)
        rocksdb_iter_next(iterator);
    char *error = NULL;
    rocksdb_iter_get_error(iterator, &error);
    rocksdb_iter_destroy(iterator);
    pthread_rwlock_unlock(&self->lock);
    rocksdb_readoptions_destroy(options);
    return status_of_error(error, out_error);
}

/* ---- a table -------------------------------------------------------------------------------- */

static void table_free(struct tier_table *table)
{
    if (table->writer)
        rocksdb_sstfilewriter_destroy(table->writer);
    (void)unlink(table->path); /* not there if it was ingested; remove_leftovers meets what stays */
    table->tier->table_open = false;
    memory_free(table);
}

static enum status tier_table_begin(struct tier *tier, struct tier_table **out)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    check(!self->table_open);
    self->table_open = true;
    struct tier_table *table = memory_zeroed(sizeof(*table));
    table->tier = self;
    table->empty = true;
    snprintf(table->path, sizeof(table->path), "%s/" TABLE_FILE_PREFIX "%llu.sst", self->path,
             (unsigned long long)++self->tables_begun);

    rocksdb_envoptions_t *env_options = rocksdb_envoptions_create();
    table->writer = rocksdb_sstfilewriter_create(env_options, self->table_options);
    rocksdb_envoptions_destroy(env_options);
    char *error = NULL;
    rocksdb_sstfilewriter_open(table->writer, table->path, &error);
    enum status status = status_of_error(error, NULL);
    if (status != STATUS_OK) {
        table_free(table);
        return status;
    }
    *out = table;
    return STATUS_OK;
}

static enum status table_after(struct tier_table *table, char *error)
{
    table->empty = false;
    table->status = status_of_error(error, NULL);
    return table->status;
}

static enum status tier_table_put(struct tier_table *table, struct bytes name, struct bytes row)
{
    if (table->status != STATUS_OK)
        return table->status;
    check(row.size > 0);
    char *error = NULL;
    rocksdb_sstfilewriter_put(table->writer, name.data, name.size, row.data, row.size, &error);
    return table_after(table, error);
}

static enum status tier_table_delete(struct tier_table *table, struct bytes name)
{
    if (table->status != STATUS_OK)
        return table->status;
    char *error = NULL;
    rocksdb_sstfilewriter_delete(table->writer, name.data, name.size, &error);
    return table_after(table, error);
}

static enum status tier_table_delete_range(struct tier_table *table, struct bytes from,
                                           struct bytes to)
{
    if (table->status != STATUS_OK || bytes_compare(from, to) >= 0)
        return table->status;
    char *error = NULL;
    rocksdb_sstfilewriter_delete_range(table->writer, from.data, from.size, to.data, to.size,
                                       &error);
    return table_after(table, error);
}

/* Compaction that has fallen far behind slows ingestion down, never stops it. RocksDB itself would
 * let level 0 grow. */
static void await_compaction(struct tier_rocksdb *self)
{
    const struct timespec step = {.tv_nsec = INGEST_WAIT_STEP_MS * 1000 * 1000L};
    for (unsigned waited = 0; waited < INGEST_WAIT_MS_MAX; waited += INGEST_WAIT_STEP_MS) {
        pthread_rwlock_rdlock(&self->lock);
        bool wait = !is_stopped(self) && level_tables(self->db, 0) >= LEVEL0_TABLES_MAX;
        pthread_rwlock_unlock(&self->lock);
        if (!wait)
            return;
        nanosleep(&step, NULL);
    }
}

static enum status ingest_file(struct tier_rocksdb *self, const char *path)
{
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
    rocksdb_ingestexternalfileoptions_set_allow_global_seqno(options, 1);
    rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(options, 0); /* nothing to flush */
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(options, 1);
    char *error = NULL;
    pthread_rwlock_rdlock(&self->lock);
    enum status status = STATUS_IO;
    if (!self->read_only) {
        rocksdb_ingest_external_file(self->db, &path, 1, options, &error);
        status = status_of_error(error, NULL);
    }
    atomic_store(&self->ingest_failed, status != STATUS_OK);
    if (status == STATUS_OK)
        atomic_store(&self->errors_accepted, property_int(self->db, "rocksdb.background-errors"));
    pthread_rwlock_unlock(&self->lock);
    rocksdb_ingestexternalfileoptions_destroy(options);
    return status;
}

static enum status tier_table_ingest(struct tier_table *table)
{
    enum status status = table->status;
    if (status == STATUS_OK && !table->empty) {
        char *error = NULL;
        rocksdb_sstfilewriter_finish(table->writer, &error);
        status = status_of_error(error, NULL);
        if (status == STATUS_OK) {
            await_compaction(table->tier);
            status = ingest_file(table->tier, table->path);
        }
    }
    table_free(table);
    return status;
}

static void tier_table_abandon(struct tier_table *table)
{
    table_free(table);
}

/* ---- the rest of the interface -------------------------------------------------------------- */

static enum status tier_checkpoint(struct tier *tier, const char *path)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    pthread_rwlock_rdlock(&self->lock);
    char *error = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(self->db, &error);
    if (checkpoint) {
        rocksdb_checkpoint_create(checkpoint, path, 0, &error);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    pthread_rwlock_unlock(&self->lock);
    return status_of_error(error, NULL);
}

static void tier_stats(struct tier *tier, struct tier_stats *out)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    pthread_rwlock_rdlock(&self->lock);
    *out = (struct tier_stats){
        .disk_bytes = property_int(self->db, "rocksdb.live-sst-files-size"),
        .memory_bytes = rocksdb_cache_get_usage(self->cache) +
                        property_int(self->db, "rocksdb.estimate-table-readers-mem"),
        .pending_compaction_bytes =
            property_int(self->db, "rocksdb.estimate-pending-compaction-bytes"),
        .stopped_by_error = is_stopped(self),
    };
    for (unsigned level = 0; level < LEVELS; level++)
        out->tables += level_tables(self->db, level);
    pthread_rwlock_unlock(&self->lock);
}

/* Whether there is room to open the database anew. Asked before it is closed. */
static enum status probe_room(struct tier_rocksdb *self)
{
    char path[PATH_SIZE_MAX];
    snprintf(path, sizeof(path), "%s/" TABLE_FILE_PREFIX "probe", self->path);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, RESUME_ROOM);
    if (fd >= 0)
        close(fd);
    (void)unlink(path);
    if (error == 0)
        return STATUS_OK;
    return error == ENOSPC || error == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
}

/*
 * Opens the database anew. Reads never end for that: it is first opened for reading beside the old
 * one, which stays where that fails (a MANIFEST whose sync failed may name a table that RocksDB has
 * removed), and serves where opening for writing fails; then `resume` may be tried again.
 */
static enum status tier_resume(struct tier *tier)
{
    struct tier_rocksdb *self = rocksdb_of(tier);
    pthread_rwlock_rdlock(&self->lock);
    bool stopped = is_stopped(self);
    pthread_rwlock_unlock(&self->lock);
    if (!stopped)
        return STATUS_OK;
    enum status status = probe_room(self);
    if (status != STATUS_OK)
        return status;
    char *error = NULL;
    rocksdb_t *reader = rocksdb_open_for_read_only(self->options, self->path, 0, &error);
    status = status_of_error(error, NULL);
    if (status != STATUS_OK)
        return status;

    pthread_rwlock_wrlock(&self->lock);
    rocksdb_close(self->db);
    error = NULL;
    rocksdb_t *writer = rocksdb_open(self->options, self->path, &error);
    status = status_of_error(error, NULL);
    self->read_only = writer == NULL;
    self->db = writer ? writer : reader;
    atomic_store(&self->ingest_failed, false);
    atomic_store(&self->errors_accepted, 0);
    pthread_rwlock_unlock(&self->lock);
    if (writer)
        rocksdb_close(reader);
    return status;
}

static void close_all(struct tier_rocksdb *self)
{
    if (self->db)
        rocksdb_close(self->db);
    rocksdb_readoptions_destroy(self->read);
    rocksdb_readoptions_destroy(self->read_cached);
    rocksdb_options_destroy(self->options);
    rocksdb_options_destroy(self->table_options);
    rocksdb_cache_destroy(self->cache);
    pthread_rwlock_destroy(&self->lock);
    memory_free(self->path);
    memory_free(self);
}

static void tier_free(struct tier *tier)
{
    if (!tier)
        return;
    struct tier_rocksdb *self = rocksdb_of(tier);
    check(!self->table_open);
    close_all(self);
}

/* ---- options -------------------------------------------------------------------------------- */

/*
 * How a table's file is laid out. Indexes and filters stay outside the block cache: they are then
 * always in memory, so a name that is not stored is known absent without the disk, and what they
 * take is counted by tier_stats.
 */
static rocksdb_block_based_table_options_t *block_options(rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *block = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(block, cache);
    rocksdb_block_based_options_set_block_size(block, BLOCK_SIZE);
    rocksdb_block_based_options_set_format_version(block, FORMAT_VERSION);
    rocksdb_block_based_options_set_checksum(block, CHECKSUM_XXH3);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(block, 0);
    rocksdb_block_based_options_set_filter_policy(block,
                                                  rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
    rocksdb_block_based_options_set_whole_key_filtering(block, 1);
    return block;
}

static rocksdb_options_t *options_of_tables(rocksdb_cache_t *cache)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *block = block_options(cache);
    rocksdb_options_set_block_based_table_factory(options, block);
    rocksdb_block_based_options_destroy(block);
    rocksdb_options_set_prefix_extractor(
        options, rocksdb_slicetransform_create_fixed_prefix(ROW_KEY_PREFIX_SIZE));
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    return options;
}

/* Leveled, for bursts of tables that overlap each other wholly, on machines where CPU is what is
 * scarce. */
static rocksdb_options_t *options_of_database(rocksdb_cache_t *cache, unsigned compaction_threads)
{
    static const int compression[LEVELS] = {rocksdb_no_compression,  rocksdb_lz4_compression,
                                            rocksdb_lz4_compression, rocksdb_lz4_compression,
                                            rocksdb_lz4_compression, rocksdb_lz4_compression,
                                            rocksdb_lz4_compression};
    rocksdb_options_t *options = options_of_tables(cache);
    rocksdb_options_set_create_if_missing(options, 1);
    /* A table that is not open makes a read of the cache tier answer an empty value for a name that
     * exists. */
    rocksdb_options_set_max_open_files(options, -1);

    rocksdb_options_set_compaction_style(options, rocksdb_level_compaction);
    rocksdb_options_set_num_levels(options, LEVELS);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_max_bytes_for_level_base(options, LEVEL_BASE_SIZE);
    rocksdb_options_set_target_file_size_base(options, TABLE_SIZE);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, LEVEL0_COMPACTION_TABLES);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, LEVEL0_TABLES_MAX);
    rocksdb_options_set_level0_stop_writes_trigger(options, 2 * LEVEL0_TABLES_MAX);
    rocksdb_options_set_compression_per_level(options, compression, LEVELS);
    rocksdb_options_set_max_background_compactions(options, (int)compaction_threads);
    rocksdb_options_set_max_background_flushes(options, 1);
    rocksdb_options_set_bytes_per_sync(options, SYNC_STEP);

    rocksdb_options_set_write_buffer_size(options, MEMTABLE_SIZE);
    rocksdb_options_set_max_manifest_file_size(options, MANIFEST_SIZE_MAX);
    rocksdb_options_set_max_log_file_size(options, LOG_FILE_SIZE_MAX);
    rocksdb_options_set_keep_log_file_num(options, LOG_FILES_MAX);
    rocksdb_options_set_info_log_level(options, LOG_LEVEL_WARN);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    return options;
}

/* RocksDB's C interface has no setter for this one. */
static rocksdb_options_t *options_of_salvage(rocksdb_options_t *options)
{
    rocksdb_options_t *salvage = rocksdb_options_create();
    char *error = NULL;
    rocksdb_get_options_from_string(options, "best_efforts_recovery=true", salvage, &error);
    check(!error);
    rocksdb_options_destroy(options);
    return salvage;
}

/* The threads are the process's: compaction gives way to commands, to sealing and to the log. */
static void lower_compaction_priority(void)
{
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_env_lower_thread_pool_cpu_priority(env);
    rocksdb_env_lower_thread_pool_io_priority(env);
    rocksdb_env_destroy(env);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The number of a log of RocksDB ("000004.log"); 0 for any other file. */
static unsigned long long log_number(const char *name)
{
    char *end;
    unsigned long long number = strtoull(name, &end, 10);
    return strcmp(end, ".log") == 0 ? number : 0;
}

/* What a crash left of tables being built; and the empty logs of earlier openings, which RocksDB
 * would keep for ever, since nothing is ever flushed. */
static void remove_leftovers(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    unsigned long long newest = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)))
        if (log_number(entry->d_name) > newest)
            newest = log_number(entry->d_name);
    rewinddir(directory);
    while ((entry = readdir(directory))) {
        unsigned long long number = log_number(entry->d_name);
        struct stat file;
        bool old_log = number > 0 && number < newest &&
                       fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && file.st_size == 0;
        if (old_log || bytes_starts_with(bytes_text(entry->d_name), BYTES(TABLE_FILE_PREFIX)))
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
}

/* `resume` goes before new readers: else, with cold reads coming all the time, it would never come.
 */
static void lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

static const struct tier_ops rocksdb_ops = {
    .get = tier_get,
    .get_cached = tier_get_cached,
    .scan = tier_scan,
    .table_begin = tier_table_begin,
    .table_put = tier_table_put,
    .table_delete = tier_table_delete,
    .table_delete_range = tier_table_delete_range,
    .table_ingest = tier_table_ingest,
    .table_abandon = tier_table_abandon,
    .checkpoint = tier_checkpoint,
    .verify = tier_verify,
    .resume = tier_resume,
    .stats = tier_stats,
    .free = tier_free,
};

static rocksdb_t *open_database(const struct tier_rocksdb *self, const struct tier_options *options,
                                char **out_error)
{
    if (options->read_only)
        return rocksdb_open_for_read_only(self->options, self->path, 0, out_error);
    rocksdb_options_set_create_if_missing(self->options, !options->must_exist);
    return rocksdb_open(self->options, self->path, out_error);
}

/* What RocksDB has for a mistake in its options is here a file that was there before. */
static enum status open_status(enum status status, const struct tier_options *options)
{
    bool is_gone = status == STATUS_INVALID && (options->must_exist || options->read_only);
    return is_gone ? STATUS_CORRUPT : status;
}

enum status tier_rocksdb_open(const char *path, const struct tier_options *options,
                              struct tier **out, struct buffer *out_error)
{
    if (strlen(path) > PATH_SIZE_MAX - TABLE_FILE_NAME_MAX) {
        buffer_printf(out_error, "the path %.64s... is too long", path);
        return STATUS_TOO_BIG;
    }
    struct tier_rocksdb *self = memory_zeroed(sizeof(*self));
    self->tier.ops = &rocksdb_ops;
    self->path = memory_alloc(strlen(path) + 1);
    memcpy(self->path, path, strlen(path) + 1);
    lock_init(&self->lock);
    self->cache = rocksdb_cache_create_lru(options->block_cache_bytes);
    self->options = options_of_database(self->cache, options->compaction_threads);
    if (options->salvage)
        self->options = options_of_salvage(self->options);
    self->table_options = options_of_tables(self->cache);
    self->read = rocksdb_readoptions_create();
    self->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(self->read_cached, READ_TIER_BLOCK_CACHE);
    lower_compaction_priority();

    char *error = NULL;
    self->db = open_database(self, options, &error);
    self->read_only = options->read_only;
    enum status status = open_status(status_of_error(error, out_error), options);
    if (status != STATUS_OK) {
        close_all(self);
        return status;
    }
    if (!options->read_only)
        remove_leftovers(path); /* only now that nobody else can be building one */
    *out = &self->tier;
    return STATUS_OK;
}
