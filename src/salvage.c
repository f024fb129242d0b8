/* SPDX-License-Identifier: MIT */
#include "salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "machine.h"
#include "store/identity.h"
#include "store/store.h"

enum {
    SUFFIX_ROOM = 64, /* for what is appended to a directory's path */
    PATH_SIZE = PATH_MAX + 2 * SUFFIX_ROOM,
    COPY_STEP = 1024 * 1024,
    BLOCK_CACHE_BYTES = 32 * 1024 * 1024,
    ROWS_PART = 4, /* rows may take this part of the memory */
    ROWS_BYTES_MIN = 64 * 1024 * 1024,
};

#define IDENTITY_NAME "identity"

struct salvage {
    char from[PATH_MAX];
    char to[PATH_MAX + SUFFIX_ROOM];
    struct files *damaged; /* of `from` */
    struct files *saved;   /* of `to` */
    struct tier *tier;     /* in `to` */
    struct workers *workers;
    struct store *store;
    struct buffer report; /* what was found; after a failure, its reason */
};

static enum status status_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
}

static void path_of(const char *directory, const char *name, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", directory, name);
}

/* ---- the two directories -------------------------------------------------------------------- */

static enum status open_damaged(struct salvage *salvage, const char *directory)
{
    struct stat facts;
    struct buffer *report = &salvage->report;
    if (!realpath(directory, salvage->from) || stat(salvage->from, &facts) != 0 ||
        !S_ISDIR(facts.st_mode) || strlen(salvage->from) > PATH_MAX - SUFFIX_ROOM) {
        buffer_printf(report, "%s: no data directory", directory);
        return STATUS_ABSENT;
    }
    enum status status = files_posix_open(salvage->from, &salvage->damaged, report);
    bool was_here = false;
    if (status == STATUS_OK)
        status = store_was_here(salvage->damaged, &was_here);
    if (status == STATUS_OK && !was_here) {
        buffer_printf(report, "%s: no data directory", directory);
        return STATUS_ABSENT;
    }
    uint64_t mark;
    if (status == STATUS_OK)
        status = salvage->damaged->ops->lock(salvage->damaged, &mark);
    if (status == STATUS_LOCKED)
        buffer_printf(report, "%s: another process uses this data directory", directory);
    return status;
}

static enum status make_new(struct salvage *salvage, const char *directory)
{
    (void)directory;
    snprintf(salvage->to, sizeof(salvage->to), "%s.salvaged", salvage->from);
    if (mkdir(salvage->to, 0750) != 0) {
        buffer_printf(&salvage->report, "%s: cannot be made: %s", salvage->to, strerror(errno));
        return status_of_errno();
    }
    return files_posix_open(salvage->to, &salvage->saved, &salvage->report);
}

/* What the directory was, its new identity knows as former, so that its rows need not say it. */
static enum status bring_identity(struct salvage *salvage, const char *directory)
{
    (void)directory;
    enum status found = identity_check(salvage->damaged);
    if (found == STATUS_OK) {
        struct buffer text = {0};
        enum status status =
            files_read_all(salvage->damaged, IDENTITY_NAME, IDENTITY_SIZE_MAX, &text);
        if (status == STATUS_OK)
            status = files_replace(salvage->saved, IDENTITY_NAME, buffer_bytes(&text));
        buffer_deinit(&text);
        return status;
    }
    if (found == STATUS_VERSION || found == STATUS_IO)
        return found;
    buffer_printf(&salvage->report, "identity: %s, so a new one\n",
                  found == STATUS_ABSENT ? "missing" : "damaged");
    return STATUS_OK;
}

/* ---- the tier ------------------------------------------------------------------------------- */

static enum status write_all(int to, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(to, data, size);
        if (count <= 0)
            return status_of_errno();
        data += count;
        size -= (size_t)count;
    }
    return STATUS_OK;
}

static enum status copy_bytes(int from, int to)
{
    char *block = memory_alloc(COPY_STEP);
    enum status status = STATUS_OK;
    ssize_t count = 0;
    while (status == STATUS_OK && (count = read(from, block, COPY_STEP)) > 0)
        status = write_all(to, block, (size_t)count);
    memory_free(block);
    if (status == STATUS_OK && (count < 0 || fsync(to) != 0))
        status = status_of_errno();
    return status;
}

static enum status copy_file(int from_directory, int to_directory, const char *name)
{
    int from = openat(from_directory, name, O_RDONLY | O_CLOEXEC);
    int to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    enum status status = from >= 0 && to >= 0 ? copy_bytes(from, to) : status_of_errno();
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return status;
}

/* Tables never change, so they are shared; what else makes up the tier is copied. The rest (its
 * text log, its lock) is made anew. */
static enum status bring_file(int from, int to, const char *file)
{
    struct bytes name = bytes_text(file);
    bool is_table = name.size > 4 && name.data[0] >= '0' && name.data[0] <= '9' &&
                    bytes_equal(bytes_of(name.data + name.size - 4, 4), BYTES(".sst"));
    if (is_table && linkat(from, file, to, file, 0) == 0)
        return STATUS_OK;
    bool is_other = bytes_starts_with(name, BYTES("MANIFEST-")) ||
                    bytes_equal(name, BYTES("CURRENT")) || bytes_equal(name, BYTES("IDENTITY"));
    return is_table || is_other ? copy_file(from, to, file) : STATUS_OK;
}

/* STATUS_ABSENT: there is none. */
static enum status bring_tier_files(const char *from_path, const char *to_path)
{
    DIR *from = opendir(from_path);
    if (!from)
        return errno == ENOENT ? STATUS_ABSENT : status_of_errno();
    enum status status = mkdir(to_path, 0750) == 0 ? STATUS_OK : status_of_errno();
    int to = status == STATUS_OK ? open(to_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (status == STATUS_OK && to < 0)
        status = status_of_errno();
    const struct dirent *entry;
    while (status == STATUS_OK && (entry = readdir(from)))
        status = bring_file(dirfd(from), to, entry->d_name);
    if (status == STATUS_OK && fsync(to) != 0)
        status = STATUS_IO;
    if (to >= 0)
        close(to);
    closedir(from);
    return status;
}

static enum status open_tier(struct salvage *salvage, const char *path, bool must_exist,
                             struct buffer *out_error)
{
    struct tier_options options = {
        .block_cache_bytes = BLOCK_CACHE_BYTES, .compaction_threads = 1, .must_exist = must_exist};
    return tier_rocksdb_open(path, &options, &salvage->tier, out_error);
}

static enum status open_and_verify(struct salvage *salvage, const char *path,
                                   struct buffer *out_error)
{
    enum status status = open_tier(salvage, path, true, out_error);
    if (status != STATUS_OK)
        return status;
    status = salvage->tier->ops->verify(salvage->tier, out_error);
    if (status != STATUS_OK) {
        salvage->tier->ops->free(salvage->tier);
        salvage->tier = NULL;
    }
    return status;
}

/* Nothing of it can be read: what was brought of it is set aside, and an empty one begun. */
static enum status begin_empty_tier(struct salvage *salvage, const char *path)
{
    char aside[PATH_SIZE];
    path_of(salvage->to, "tier.damaged", aside);
    if (rename(path, aside) != 0 && errno != ENOENT)
        return status_of_errno();
    buffer_printf(&salvage->report, "tier: LOST, all that stood in it\n");
    return open_tier(salvage, path, false, &salvage->report);
}

static enum status bring_tier(struct salvage *salvage, const char *directory)
{
    (void)directory;
    char from[PATH_SIZE], path[PATH_SIZE];
    path_of(salvage->from, "tier", from);
    path_of(salvage->to, "tier", path);
    struct buffer found = {0}, done = {0};
    enum status status = bring_tier_files(from, path);
    bool is_missing = status == STATUS_ABSENT;
    if (is_missing)
        buffer_printf(&found, "it is missing");
    if (status == STATUS_OK)
        status = open_and_verify(salvage, path, &found);
    if (status == STATUS_CORRUPT || status == STATUS_IO || is_missing) {
        buffer_printf(&salvage->report, "tier: %.*s\n", (int)buffer_size(&found),
                      buffer_size(&found) ? buffer_bytes(&found).data : "it cannot be read");
        status = is_missing ? STATUS_CORRUPT : tier_rocksdb_repair(path, &done);
        if (buffer_size(&done) > 0)
            buffer_printf(&salvage->report, "tier: %.*s\n", (int)buffer_size(&done),
                          buffer_bytes(&done).data);
        if (status == STATUS_OK)
            status = open_tier(salvage, path, true, &salvage->report);
        else if (status == STATUS_CORRUPT)
            status = begin_empty_tier(salvage, path);
    } else if (status != STATUS_OK) {
        buffer_append_bytes(&salvage->report, buffer_bytes(&found));
    }
    buffer_deinit(&found);
    buffer_deinit(&done);
    return status;
}

/* ---- the log -------------------------------------------------------------------------------- */

static enum status open_store(struct salvage *salvage, const char *directory)
{
    (void)directory;
    uint64_t random[2];
    int wake;
    machine_random(random, sizeof(random));
    salvage->workers = workers_threads_new(1, &wake);
    uint64_t rows_bytes = machine_memory() / ROWS_PART;
    struct store_options options = {
        .files = salvage->saved,
        .tier = salvage->tier,
        .workers = salvage->workers,
        .random48 = random[0] & (((uint64_t)1 << 48) - 1),
        .random_seed = random[1],
        .now_ms = machine_clock_ms(),
        .databases = DATABASES_MAX,
        .sync = LOG_SYNC_NO, /* at the end */
        .seal_bytes = STORE_SEAL_BYTES,
        .rows_bytes = rows_bytes > ROWS_BYTES_MIN ? rows_bytes : ROWS_BYTES_MIN,
        .recount = true,
    };
    struct store_recovery recovery;
    return store_open(&options, &salvage->store, &recovery, &salvage->report);
}

static enum status bring_log(struct salvage *salvage, const char *directory)
{
    (void)directory;
    enum status status = store_salvage(salvage->store, salvage->damaged, &salvage->report);
    uint64_t keys = 0;
    for (unsigned db = 0; db < DATABASES_MAX; db++)
        keys += store_keys(salvage->store, (uint8_t)db);
    if (status == STATUS_OK)
        buffer_printf(&salvage->report, "saved: %llu keys\n", (unsigned long long)keys);
    return status;
}

static enum status close_store(struct salvage *salvage, const char *directory)
{
    (void)directory;
    struct store *store = salvage->store;
    salvage->store = NULL;
    return store_close(store);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void close_all(struct salvage *salvage)
{
    if (salvage->store) {
        salvage->workers->ops->drain(salvage->workers);
        store_abandon(salvage->store);
    }
    if (salvage->workers)
        salvage->workers->ops->free(salvage->workers);
    if (salvage->tier)
        salvage->tier->ops->free(salvage->tier);
    if (salvage->saved)
        salvage->saved->ops->free(salvage->saved);
    if (salvage->damaged)
        salvage->damaged->ops->free(salvage->damaged);
}

int salvage(const char *directory)
{
    static enum status (*const steps[])(struct salvage *, const char *) = {
        open_damaged, make_new, bring_identity, bring_tier, open_store, bring_log, close_store,
    };
    struct salvage salvage = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status == STATUS_OK; i++)
        status = steps[i](&salvage, directory);
    close_all(&salvage);
    struct bytes report = buffer_bytes(&salvage.report);
    fwrite(report.size ? report.data : "", 1, report.size, stdout);
    if (status == STATUS_OK)
        printf("%s is as it was. Next: shoal-server --dir %s\n"
               "Where a part of a string over 16 KiB was lost, zeros stand for it.\n",
               salvage.from, salvage.to);
    else
        printf("%s%s: not salvaged: %s\n", report.size ? "\n" : "", directory,
               report.size ? "see above" : status_text(status));
    if (status != STATUS_OK && salvage.saved)
        printf("%s is not complete: remove it before another try\n", salvage.to);
    buffer_deinit(&salvage.report);
    return status == STATUS_OK ? 0 : 1;
}
