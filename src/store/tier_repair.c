/* SPDX-License-Identifier: MIT */
/*
 * Saving a damaged tier. RocksDB's own repair is of no use here: it throws away every ingested
 * table (it misses the name of their column family) and calls that success. So: RocksDB recovers,
 * on a copy made of hard links, the last state in its MANIFEST whose tables are all there; each row
 * of it that can be read goes into a new tier; the new one and the old one change places. A damaged
 * block ends a scan: where reading can go on is found by steps that double, then by halving.
 */
#include "store/tier.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pack.h"

enum {
    TABLE_BYTES = 64 * 1024 * 1024,
    CACHE_BYTES = 8 * 1024 * 1024,
    LEAP_SIZE = 8, /* of a name's first bytes, as a number: slot, database, most of the hash */
    PATH_SIZE_MAX = 4096,
    PATH_SUFFIX_MAX = 400, /* room for a suffix and a file's name */
    SET_ASIDE_MAX = 1000,
};

/* Above every name. */
#define BEYOND BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")

struct copy {
    struct tier *from;
    struct tier *to;
    struct tier_table *table;
    size_t table_bytes;
    enum status status; /* of writing */
    struct buffer last; /* the last name that was read */
    uint64_t rows;
    uint64_t damaged_places;
};

/* ---- directories ---------------------------------------------------------------------------- */

static enum status status_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
}

/* A flat directory; not being there is fine. */
static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)))
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    (void)rmdir(path);
}

static bool is_table(struct bytes name)
{
    struct bytes suffix = BYTES(".sst");
    return name.size > suffix.size && name.data[0] >= '0' && name.data[0] <= '9' &&
           memcmp(name.data + name.size - suffix.size, suffix.data, suffix.size) == 0;
}

/* What makes up the database: its log is empty, and all else is made anew. */
static bool is_of_database(struct bytes name)
{
    return is_table(name) || bytes_starts_with(name, BYTES("MANIFEST-")) ||
           bytes_equal(name, BYTES("CURRENT")) || bytes_equal(name, BYTES("IDENTITY"));
}

/* RocksDB never changes a file that it finds (it writes a new MANIFEST), so links are as good as
 * copies. */
static enum status link_database(const char *path, const char *to, uint64_t *out_tables)
{
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? STATUS_ABSENT : status_of_errno();
    enum status status = mkdir(to, 0700) == 0 ? STATUS_OK : status_of_errno();
    int to_fd = status == STATUS_OK ? open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    uint64_t tables = 0;
    const struct dirent *entry;
    while (status == STATUS_OK && (entry = readdir(directory))) {
        struct bytes name = bytes_text(entry->d_name);
        tables += is_table(name);
        if (is_of_database(name) &&
            linkat(dirfd(directory), entry->d_name, to_fd, entry->d_name, 0) != 0)
            status = status_of_errno();
    }
    if (to_fd >= 0)
        close(to_fd);
    closedir(directory);
    *out_tables = tables;
    return status;
}

/* The repaired tier and the damaged one change places at once; then the damaged one takes its
 * lasting name. */
static enum status exchange(const char *path, const char *repaired, struct buffer *out_error)
{
    char aside[PATH_SIZE_MAX];
    struct stat unused;
    unsigned number = 1;
    do {
        snprintf(aside, sizeof(aside), number == 1 ? "%s.damaged" : "%s.damaged.%u", path, number);
    } while (lstat(aside, &unused) == 0 && ++number < SET_ASIDE_MAX);
    if (renameat2(AT_FDCWD, repaired, AT_FDCWD, path, RENAME_EXCHANGE) != 0 ||
        renameat2(AT_FDCWD, repaired, AT_FDCWD, aside, RENAME_NOREPLACE) != 0)
        return status_of_errno();
    char parent[PATH_SIZE_MAX];
    snprintf(parent, sizeof(parent), "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    buffer_printf(out_error, "; what it was is in %s", aside);
    return synced ? STATUS_OK : STATUS_IO;
}

/* ---- copying -------------------------------------------------------------------------------- */

static void copy_flush(struct copy *copy)
{
    enum status status = copy->to->ops->table_ingest(copy->table);
    copy->table = NULL;
    if (copy->status == STATUS_OK)
        copy->status = status;
}

static enum tier_next copy_row(void *context, struct bytes name, struct bytes row,
                               struct buffer *seek_to)
{
    (void)seek_to;
    struct copy *copy = context;
    if (!copy->table) {
        copy->status = copy->to->ops->table_begin(copy->to, &copy->table);
        copy->table_bytes = 0;
        if (copy->status != STATUS_OK)
            return TIER_STOP;
    }
    copy->status = copy->to->ops->table_put(copy->table, name, row);
    copy->table_bytes += name.size + row.size;
    copy->rows++;
    buffer_clear(&copy->last, SIZE_MAX);
    buffer_append_bytes(&copy->last, name);
    if (copy->status == STATUS_OK && copy->table_bytes >= TABLE_BYTES)
        copy_flush(copy);
    return copy->status == STATUS_OK ? TIER_NEXT : TIER_STOP;
}

static enum tier_next stop_at_once(void *context, struct bytes name, struct bytes row,
                                   struct buffer *seek_to)
{
    (void)context, (void)name, (void)row, (void)seek_to;
    return TIER_STOP;
}

static bool can_read_at(struct copy *copy, uint64_t at)
{
    char name[LEAP_SIZE];
    pack_be(name, at, LEAP_SIZE);
    return copy->from->ops->scan(copy->from, bytes_of(name, LEAP_SIZE), BEYOND, true, stop_at_once,
                                 NULL) == STATUS_OK;
}

/* Sets `last` to the first place after the damage where reading goes on. False: there is none. */
static bool copy_leap(struct copy *copy)
{
    char head[LEAP_SIZE] = {0};
    struct bytes last = buffer_bytes(&copy->last);
    if (last.size > 0)
        memcpy(head, last.data, last.size < LEAP_SIZE ? last.size : LEAP_SIZE);
    copy->damaged_places++;

    uint64_t bad = unpack_be(head, LEAP_SIZE), good;
    for (uint64_t step = 1;; step *= 2) {
        if (step == 0 || __builtin_add_overflow(bad, step, &good))
            return false;
        if (can_read_at(copy, good))
            break;
        bad = good;
    }
    while (good - bad > 1) {
        uint64_t middle = bad + (good - bad) / 2;
        if (can_read_at(copy, middle))
            good = middle;
        else
            bad = middle;
    }
    pack_be(head, good, LEAP_SIZE);
    buffer_clear(&copy->last, SIZE_MAX);
    buffer_append(&copy->last, head, LEAP_SIZE);
    return true;
}

static enum status copy_all(struct copy *copy)
{
    enum status status;
    do {
        struct buffer from = {0}; /* `last` changes during the scan */
        buffer_append_bytes(&from, buffer_bytes(&copy->last));
        status =
            copy->from->ops->scan(copy->from, buffer_bytes(&from), BEYOND, true, copy_row, copy);
        buffer_deinit(&from);
    } while (copy->status == STATUS_OK && status != STATUS_OK && copy_leap(copy));
    if (copy->table)
        copy_flush(copy);
    return copy->status;
}

/* ---- repairing ------------------------------------------------------------------------------ */

static enum status copy_between(const char *source, uint64_t tables, const char *repaired,
                                struct buffer *out_error)
{
    struct tier_options options = {
        .block_cache_bytes = CACHE_BYTES, .compaction_threads = 1, .salvage = true};
    struct copy copy = {0};
    enum status status = tier_rocksdb_open(source, &options, &copy.from, out_error);
    if (status != STATUS_OK)
        return status;
    struct tier_stats stats;
    copy.from->ops->stats(copy.from, &stats);
    if (stats.tables == 0 && tables > 0) {
        buffer_printf(out_error, "the list of its %llu tables is lost", (unsigned long long)tables);
        copy.from->ops->free(copy.from);
        return STATUS_CORRUPT;
    }
    options.salvage = false;
    status = tier_rocksdb_open(repaired, &options, &copy.to, out_error);
    if (status == STATUS_OK) {
        status = copy_all(&copy);
        copy.to->ops->free(copy.to);
    }
    copy.from->ops->free(copy.from);
    buffer_deinit(&copy.last);
    if (status == STATUS_OK)
        buffer_printf(out_error, "%llu rows saved, %llu damaged places left out",
                      (unsigned long long)copy.rows, (unsigned long long)copy.damaged_places);
    return status;
}

enum status tier_rocksdb_repair(const char *path, struct buffer *out_error)
{
    char source[PATH_SIZE_MAX], repaired[PATH_SIZE_MAX];
    if (strlen(path) > PATH_SIZE_MAX - PATH_SUFFIX_MAX) {
        buffer_printf(out_error, "the path %.64s... is too long", path);
        return STATUS_TOO_BIG;
    }
    snprintf(source, sizeof(source), "%s.source", path);
    snprintf(repaired, sizeof(repaired), "%s.repaired", path);
    remove_directory(source); /* of an earlier attempt */
    remove_directory(repaired);
    uint64_t tables = 0;
    enum status status = link_database(path, source, &tables);
    if (status == STATUS_OK)
        status = copy_between(source, tables, repaired, out_error);
    if (status == STATUS_OK)
        status = exchange(path, repaired, out_error);
    remove_directory(source);
    remove_directory(repaired);
    return status;
}
