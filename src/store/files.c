/* SPDX-License-Identifier: MIT */
#include "store/files.h"

#include <stdio.h>

#include "base/check.h"

enum { NAME_MAX_SIZE = 128 }; /* of a file that is replaced, with its ending */

static enum status read_into(struct file *file, size_t size_max, struct buffer *out)
{
    uint64_t size;
    enum status status = file->ops->size(file, &size);
    if (status != STATUS_OK)
        return status;
    if (size > size_max)
        return STATUS_TOO_BIG;
    size_t count;
    status = file->ops->read(file, 0, buffer_reserve(out, size), size, &count);
    if (status == STATUS_OK)
        buffer_commit(out, count);
    return status;
}

enum status files_read_all(struct files *files, const char *name, size_t size_max,
                           struct buffer *out)
{
    struct file *file;
    enum status status = files->ops->open(files, name, FILE_READ, &file);
    if (status != STATUS_OK)
        return status;
    status = read_into(file, size_max, out);
    file->ops->close(file);
    return status;
}

static enum status write_durably(struct files *files, const char *name, struct bytes data)
{
    struct file *file;
    enum status status = files->ops->open(files, name, FILE_WRITE, &file);
    if (status != STATUS_OK)
        return status;
    status = file->ops->truncate(file, 0); /* a former try may have left something */
    if (status == STATUS_OK)
        status = file->ops->write(file, 0, data);
    if (status == STATUS_OK)
        status = file->ops->sync(file);
    file->ops->close(file);
    return status;
}

enum status files_replace(struct files *files, const char *name, struct bytes data)
{
    char new_name[NAME_MAX_SIZE];
    int size = snprintf(new_name, sizeof(new_name), "%s.new", name);
    check(size > 0 && (size_t)size < sizeof(new_name));
    enum status status = write_durably(files, new_name, data);
    if (status == STATUS_OK)
        status = files->ops->rename(files, new_name, name);
    if (status == STATUS_OK)
        return files->ops->sync_directory(files);
    files->ops->remove(files, new_name); /* as good as it gets: the next try begins afresh */
    return status;
}
