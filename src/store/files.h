/* SPDX-License-Identifier: MIT */
/*
 * Files of one data directory, as the store needs them: real ones (files_posix) or a simulator's,
 * which crash, tear and flip bits. Names are relative to the directory and hold no '/'. Calls
 * block; they are safe on any thread as long as one file is not changed by two at once (file_sync
 * may run beside file_write). Errors: STATUS_ABSENT (no such file), STATUS_DISK_FULL, STATUS_IO,
 * STATUS_LOCKED.
 */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "base/buffer.h"
#include "base/status.h"

struct files;
struct file;

enum file_mode {
    FILE_READ,  /* must exist */
    FILE_WRITE, /* read and write; created if absent */
};

struct files_ops {
    enum status (*open)(struct files *files, const char *name, enum file_mode mode,
                        struct file **out);
    void (*close)(struct file *file);
    enum status (*size)(struct file *file, uint64_t *out_size);
    /* Fewer than `size` bytes only at the end of the file: *out_read says how many. */
    enum status (*read)(struct file *file, uint64_t at, char *out, size_t size, size_t *out_read);
    /* All of it or an error; after one, what stands there is unknown. */
    enum status (*write)(struct file *file, uint64_t at, struct bytes data);
    /* The data, and the size, survive a power cut when this returned STATUS_OK. */
    enum status (*sync)(struct file *file);
    /* The file is at least so large (zeros at its end) and writing below that cannot fail for want
     * of space. */
    enum status (*reserve)(struct file *file, uint64_t size);
    enum status (*truncate)(struct file *file, uint64_t size);
    enum status (*rename)(struct files *files, const char *from, const char *to);
    enum status (*remove)(struct files *files, const char *name);
    /* Creations, renames and removals so far survive a power cut. */
    enum status (*sync_directory)(struct files *files);
    /* Appends each name and a NUL. Sorted. */
    enum status (*list)(struct files *files, struct buffer *out_names);
    /* Takes the directory for this process until closed: STATUS_LOCKED if another has it. *out_mark
     * is a number that a copy of the directory would not have (the lock file's inode). Taken
     * already by the same `files`: the same mark. */
    enum status (*lock)(struct files *files, uint64_t *out_mark);
    void (*free)(struct files *files);
};

/* What implements the interface begins with these. */
struct files {
    const struct files_ops *ops;
};
struct file {
    const struct files_ops *ops;
};

/* A real directory, created (with its parents) if absent. On failure *out_error says what and why,
 * for a person. */
MUST_CHECK enum status files_posix_open(const char *path, struct files **out,
                                        struct buffer *out_error);

/* The whole of a small file, at most `size_max` bytes: STATUS_TOO_BIG beyond. */
MUST_CHECK enum status files_read_all(struct files *files, const char *name, size_t size_max,
                                      struct buffer *out);

/* Replaces a small file so that a crash leaves the old or the new one: writes NAME.new, syncs,
 * renames, syncs. */
MUST_CHECK enum status files_replace(struct files *files, const char *name, struct bytes data);

#endif
