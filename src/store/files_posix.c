/* SPDX-License-Identifier: MIT */
/* The files of a real directory. All names are relative to one descriptor, so the directory may be
 * moved. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/files.h"

enum {
    DIRECTORY_MODE = 0750,
    FILE_MODE = 0640,
    NO_DESCRIPTOR = -1,
};

struct posix_files {
    struct files base;
    int directory;
    int lock; /* NO_DESCRIPTOR while not taken */
};

struct posix_file {
    struct file base;
    int descriptor;
};

static struct posix_files *posix_files(struct files *files)
{
    return (struct posix_files *)files;
}

static int descriptor_of(struct file *file)
{
    return ((struct posix_file *)file)->descriptor;
}

static enum status status_of_errno(int error)
{
    switch (error) {
    case ENOENT:
        return STATUS_ABSENT;
    case ENOSPC:
    case EDQUOT:
        return STATUS_DISK_FULL;
    default:
        return STATUS_IO;
    }
}

static enum status status_of(int result)
{
    return result == 0 ? STATUS_OK : status_of_errno(errno);
}

/* ---- one file ------------------------------------------------------------------------------- */

static void posix_close(struct file *file)
{
    close(descriptor_of(file)); /* what had to be durable was synced: an error says nothing new */
    memory_free(file);
}

static enum status posix_size(struct file *file, uint64_t *out_size)
{
    struct stat stat;
    if (fstat(descriptor_of(file), &stat) != 0)
        return status_of_errno(errno);
    *out_size = (uint64_t)stat.st_size;
    return STATUS_OK;
}

static enum status posix_read(struct file *file, uint64_t at, char *out, size_t size,
                              size_t *out_read)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(descriptor_of(file), out + done, size - done, (off_t)(at + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return status_of_errno(errno);
        if (count == 0)
            break;
        done += (size_t)count;
    }
    *out_read = done;
    return STATUS_OK;
}

static enum status posix_write(struct file *file, uint64_t at, struct bytes data)
{
    size_t done = 0;
    while (done < data.size) {
        ssize_t count =
            pwrite(descriptor_of(file), data.data + done, data.size - done, (off_t)(at + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return status_of_errno(errno);
        if (count == 0)
            return STATUS_IO;
        done += (size_t)count;
    }
    return STATUS_OK;
}

/* Not tried again after an error: the kernel may have dropped the pages, and a second try would
 * lie. */
static enum status posix_sync(struct file *file)
{
    return status_of(fdatasync(descriptor_of(file)));
}

static enum status posix_truncate(struct file *file, uint64_t size)
{
    int result;
    do
        result = ftruncate(descriptor_of(file), (off_t)size);
    while (result != 0 && errno == EINTR);
    return status_of(result);
}

static enum status posix_reserve(struct file *file, uint64_t size)
{
    uint64_t old_size;
    enum status status = posix_size(file, &old_size);
    if (status != STATUS_OK)
        return status;
    int result;
    do
        result = fallocate(descriptor_of(file), 0, 0, (off_t)size);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return STATUS_OK;
    if (errno == EOPNOTSUPP) /* a file system without it: large enough, though space isn't sure */
        return size > old_size ? posix_truncate(file, size) : STATUS_OK;
    status = status_of_errno(errno);
    /* It may have taken the last blocks before it failed: somebody else needs them to make room. */
    uint64_t new_size;
    if (posix_size(file, &new_size) == STATUS_OK && new_size > old_size &&
        posix_truncate(file, old_size) != STATUS_OK)
        return STATUS_IO;
    return status;
}

/* ---- the directory -------------------------------------------------------------------------- */

static enum status posix_open(struct files *files, const char *name, enum file_mode mode,
                              struct file **out)
{
    int flags = mode == FILE_READ ? O_RDONLY : O_RDWR | O_CREAT;
    int descriptor = openat(posix_files(files)->directory, name, flags | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0)
        return status_of_errno(errno);
    struct posix_file *file = memory_zeroed(sizeof(*file));
    file->base.ops = files->ops;
    file->descriptor = descriptor;
    *out = &file->base;
    return STATUS_OK;
}

static enum status posix_rename(struct files *files, const char *from, const char *to)
{
    int directory = posix_files(files)->directory;
    return status_of(renameat(directory, from, directory, to));
}

static enum status posix_remove(struct files *files, const char *name)
{
    return status_of(unlinkat(posix_files(files)->directory, name, 0));
}

static enum status posix_sync_directory(struct files *files)
{
    return status_of(fsync(posix_files(files)->directory));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names as they come, each with its NUL. */
static enum status read_names(struct posix_files *files, struct buffer *out_names,
                              size_t *out_count)
{
    /* A description of its own: the place in a directory is shared by duplicates. */
    int descriptor = openat(files->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return status_of_errno(errno);
    DIR *directory = fdopendir(descriptor);
    if (!directory) {
        close(descriptor);
        return STATUS_IO;
    }
    size_t count = 0;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        buffer_append(out_names, entry->d_name, strlen(entry->d_name) + 1);
        count++;
    }
    enum status status = errno == 0 ? STATUS_OK : STATUS_IO;
    closedir(directory);
    *out_count = count;
    return status;
}

static enum status posix_list(struct files *files, struct buffer *out_names)
{
    struct buffer unsorted = {0};
    size_t count = 0;
    enum status status = read_names(posix_files(files), &unsorted, &count);
    if (status == STATUS_OK && count > 0) {
        const char **names = memory_alloc(count * sizeof(*names));
        const char *next = buffer_bytes(&unsorted).data;
        for (size_t i = 0; i < count; i++, next += strlen(next) + 1)
            names[i] = next;
        qsort(names, count, sizeof(*names), compare_names);
        for (size_t i = 0; i < count; i++)
            buffer_append(out_names, names[i], strlen(names[i]) + 1);
        memory_free(names);
    }
    buffer_deinit(&unsorted);
    return status;
}

/* The file LOCK is made once and never replaced, so its inode tells the directory from its copies.
 */
static enum status posix_lock(struct files *files, uint64_t *out_mark)
{
    struct posix_files *self = posix_files(files);
    bool again = self->lock != NO_DESCRIPTOR;
    int descriptor = self->lock;
    if (!again)
        descriptor = openat(self->directory, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0)
        return status_of_errno(errno);
    enum status status = STATUS_OK;
    struct stat stat;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? STATUS_LOCKED : STATUS_IO;
    else if (fstat(descriptor, &stat) != 0)
        status = STATUS_IO;
    else
        status = posix_sync_directory(files); /* else a power cut makes us look like a copy */
    if (status != STATUS_OK) {
        if (!again)
            close(descriptor);
        return status;
    }
    self->lock = descriptor;
    *out_mark = (uint64_t)stat.st_ino;
    return STATUS_OK;
}

static void posix_free(struct files *files)
{
    if (!files)
        return;
    struct posix_files *self = posix_files(files);
    if (self->lock != NO_DESCRIPTOR)
        close(self->lock);
    close(self->directory);
    memory_free(self);
}

static const struct files_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .size = posix_size,
    .read = posix_read,
    .write = posix_write,
    .sync = posix_sync,
    .reserve = posix_reserve,
    .truncate = posix_truncate,
    .rename = posix_rename,
    .remove = posix_remove,
    .sync_directory = posix_sync_directory,
    .list = posix_list,
    .lock = posix_lock,
    .free = posix_free,
};

/* A new directory survives a power cut only if the one above knows it durably. Cuts the path. False
 * with errno. */
static bool sync_above(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    const char *above = !slash ? "." : slash == path ? "/" : path;
    int descriptor = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool synced = fsync(descriptor) == 0;
    close(descriptor);
    return synced;
}

/* Makes the directory and what is missing above it. False with errno. */
static bool make_directories(const char *path)
{
    size_t size = strlen(path);
    char *prefix = memory_alloc(size + 1);
    bool made = true;
    for (size_t i = 1; i <= size && made; i++) {
        if (i < size && path[i] != '/')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        if (mkdir(prefix, DIRECTORY_MODE) == 0)
            made = sync_above(prefix);
        else
            made = errno == EEXIST;
    }
    int error = errno;
    memory_free(prefix);
    errno = error;
    return made;
}

static enum status open_failed(const char *path, const char *what, struct buffer *out_error)
{
    enum status status = status_of_errno(errno);
    buffer_printf(out_error, "%s '%s': %s", what, path, strerror(errno));
    return status == STATUS_ABSENT ? STATUS_IO : status;
}

enum status files_posix_open(const char *path, struct files **out, struct buffer *out_error)
{
    if (!make_directories(path))
        return open_failed(path, "cannot create the directory", out_error);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return open_failed(path, "cannot open the directory", out_error);
    struct posix_files *files = memory_zeroed(sizeof(*files));
    files->base.ops = &posix_ops;
    files->directory = directory;
    files->lock = NO_DESCRIPTOR;
    *out = &files->base;
    return STATUS_OK;
}
