/* SPDX-License-Identifier: MIT */
#include "sim/sim_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/xxh.h"

enum { NAME_SIZE = 64 };

/* The bytes of a file. What is reserved or skipped at its end takes no memory. */
struct content {
    char *data;
    size_t filled; /* bytes of data; zeros follow up to size */
    size_t capacity;
    uint64_t size;
};

enum change_kind {
    CHANGE_WRITE,
    CHANGE_TRUNCATE, /* to exactly `at` */
    CHANGE_GROW,     /* to at least `at` */
};

/* One change of a file that was not synced yet. */
struct change {
    enum change_kind kind;
    uint64_t at;
    char *data; /* of a write; owned */
    size_t size;
};

struct inode {
    struct list link;
    struct content now;     /* as processes see it */
    struct content durable; /* what a power cut leaves at least */
    struct change *changes; /* from durable to now, in order */
    size_t changes_count;
    size_t changes_capacity;
    unsigned handles;
    bool marked;
};

struct entry {
    char name[NAME_SIZE];
    struct inode *inode;
};

struct directory {
    struct entry *entries; /* sorted by name */
    size_t count;
    size_t capacity;
};

/* A change of the directory that was not synced yet. Empty names: nothing removed or put. */
struct name_change {
    char removed[NAME_SIZE];
    char put[NAME_SIZE];
    struct inode *inode;
};

struct fault {
    bool armed;
    uint64_t calls;
    enum status status;
};

struct sim_files {
    struct files base;
    struct random random;
    uint64_t capacity;
    uint64_t mark;
    bool locked;
    unsigned life; /* handles of an earlier one are dead */
    struct list inodes;
    struct directory now;
    struct directory durable;
    struct name_change *name_changes;
    size_t name_changes_count;
    size_t name_changes_capacity;
    uint64_t changes;
    uint64_t halt_at;
    bool halted;
    struct fault faults[SIM_FILES_CALLS];
};

struct handle {
    struct file base;
    struct sim_files *disk;
    struct inode *inode;
    unsigned life;
};

static const struct files_ops sim_ops;

static struct sim_files *disk_of(struct files *files)
{
    return (struct sim_files *)files;
}

static struct handle *handle_of(struct file *file)
{
    return (struct handle *)file;
}

/* ---- content --------------------------------------------------------------------------------- */

static void content_write(struct content *content, uint64_t at, const char *data, size_t size)
{
    size_t end = at + size;
    if (end > content->capacity) {
        content->capacity = end * 2;
        content->data = memory_resize(content->data, content->capacity);
    }
    if (at > content->filled)
        memset(content->data + content->filled, 0, at - content->filled);
    if (size > 0)
        memcpy(content->data + at, data, size);
    if (end > content->filled)
        content->filled = end;
    if (end > content->size)
        content->size = end;
}

static void content_apply(struct content *content, const struct change *change)
{
    if (change->kind == CHANGE_WRITE && change->size > 0)
        content_write(content, change->at, change->data, change->size);
    if (change->kind == CHANGE_GROW && change->at > content->size)
        content->size = change->at;
    if (change->kind == CHANGE_TRUNCATE) {
        content->size = change->at;
        if (content->filled > change->at)
            content->filled = change->at;
    }
}

static void content_set(struct content *content, const struct content *from)
{
    content->filled = 0;
    if (from->filled > 0)
        content_write(content, 0, from->data, from->filled);
    content->size = from->size;
}

static size_t content_read(const struct content *content, uint64_t at, char *out, size_t size)
{
    if (at >= content->size)
        return 0;
    if (size > content->size - at)
        size = content->size - at;
    size_t filled = at < content->filled ? content->filled - at : 0;
    if (filled > size)
        filled = size;
    if (filled > 0)
        memcpy(out, content->data + at, filled);
    memset(out + filled, 0, size - filled);
    return size;
}

/* ---- inodes ---------------------------------------------------------------------------------- */

static struct inode *inode_new(struct sim_files *disk)
{
    struct inode *inode = memory_zeroed(sizeof(*inode));
    list_append(&disk->inodes, &inode->link);
    return inode;
}

static void inode_forget_changes(struct inode *inode)
{
    for (size_t i = 0; i < inode->changes_count; i++)
        memory_free(inode->changes[i].data);
    inode->changes_count = 0;
}

static void inode_free(struct inode *inode)
{
    list_remove(&inode->link);
    inode_forget_changes(inode);
    memory_free(inode->changes);
    memory_free(inode->now.data);
    memory_free(inode->durable.data);
    memory_free(inode);
}

static void inode_change(struct inode *inode, enum change_kind kind, uint64_t at, struct bytes data)
{
    if (inode->changes_count == inode->changes_capacity) {
        inode->changes_capacity = inode->changes_capacity * 2 + 8;
        inode->changes =
            memory_resize(inode->changes, inode->changes_capacity * sizeof(*inode->changes));
    }
    struct change change = {kind, at, NULL, data.size};
    if (data.size > 0) {
        change.data = memory_alloc(data.size);
        memcpy(change.data, data.data, data.size);
    }
    inode->changes[inode->changes_count++] = change;
    content_apply(&inode->now, &change);
}

static void inode_sync(struct inode *inode)
{
    for (size_t i = 0; i < inode->changes_count; i++)
        content_apply(&inode->durable, &inode->changes[i]);
    inode_forget_changes(inode);
}

/* ---- directories ----------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static struct entry *directory_find(const struct directory *directory, const char *name)
{
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->entries[i].name, name) == 0)
            return &directory->entries[i];
    return NULL;
}

static void directory_apply(struct directory *directory, const struct name_change *change)
{
    struct entry *old = directory_find(directory, change->removed);
    if (old)
        *old = directory->entries[--directory->count];
    struct entry *entry = change->put[0] ? directory_find(directory, change->put) : NULL;
    if (change->put[0] && !entry) {
        if (directory->count == directory->capacity) {
            directory->capacity = directory->capacity * 2 + 8;
            directory->entries =
                memory_resize(directory->entries, directory->capacity * sizeof(struct entry));
        }
        entry = &directory->entries[directory->count++];
        snprintf(entry->name, NAME_SIZE, "%s", change->put);
    }
    if (entry)
        entry->inode = change->inode;
    if (directory->count > 0)
        qsort(directory->entries, directory->count, sizeof(struct entry), compare_entries);
}

static void change_names(struct sim_files *disk, const char *removed, const char *put,
                         struct inode *inode)
{
    if (disk->name_changes_count == disk->name_changes_capacity) {
        disk->name_changes_capacity = disk->name_changes_capacity * 2 + 8;
        disk->name_changes = memory_resize(disk->name_changes, disk->name_changes_capacity *
                                                                   sizeof(*disk->name_changes));
    }
    check(strlen(removed) < NAME_SIZE && strlen(put) < NAME_SIZE);
    struct name_change *change = &disk->name_changes[disk->name_changes_count++];
    memset(change, 0, sizeof(*change));
    memcpy(change->removed, removed, strlen(removed));
    memcpy(change->put, put, strlen(put));
    change->inode = inode;
    directory_apply(&disk->now, change);
}

static void mark_entries(struct directory *directory)
{
    for (size_t i = 0; i < directory->count; i++)
        directory->entries[i].inode->marked = true;
}

static void mark_reachable(struct sim_files *disk)
{
    for (struct list *link = disk->inodes.next; link != &disk->inodes; link = link->next) {
        struct inode *inode = list_entry(link, struct inode, link);
        inode->marked = inode->handles > 0;
    }
    mark_entries(&disk->now);
}

/* Frees the files that can never be seen again. */
static void collect(struct sim_files *disk)
{
    mark_reachable(disk);
    mark_entries(&disk->durable);
    for (size_t i = 0; i < disk->name_changes_count; i++)
        if (disk->name_changes[i].inode)
            disk->name_changes[i].inode->marked = true;
    for (struct list *link = disk->inodes.next; link != &disk->inodes;) {
        struct inode *inode = list_entry(link, struct inode, link);
        link = link->next;
        if (!inode->marked)
            inode_free(inode);
    }
}

/* ---- faults ---------------------------------------------------------------------------------- */

/*
 * Passed by every call. The status is what it is to return; *out_act says whether it does its work.
 * A process that dies in a change may have done it all the same.
 */
static enum status gate(struct sim_files *disk, enum sim_files_call call, bool changes,
                        bool *out_act)
{
    *out_act = false;
    if (disk->halted)
        return STATUS_IO;
    struct fault *fault = &disk->faults[call];
    if (fault->armed && fault->calls-- == 0) {
        fault->armed = false;
        return fault->status;
    }
    *out_act = true;
    if (changes && disk->changes++ == disk->halt_at) {
        disk->halted = true;
        *out_act = random_once_in(&disk->random, 2);
        return STATUS_IO;
    }
    return STATUS_OK;
}

static enum status file_gate(struct handle *handle, enum sim_files_call call, bool changes,
                             bool *out_act)
{
    if (handle->life != handle->disk->life) {
        *out_act = false;
        return STATUS_IO;
    }
    return gate(handle->disk, call, changes, out_act);
}

static bool has_room(const struct handle *handle, uint64_t end)
{
    if (end <= handle->inode->now.size)
        return true;
    uint64_t more = end - handle->inode->now.size;
    return more <= handle->disk->capacity &&
           sim_files_used(handle->disk) <= handle->disk->capacity - more;
}

/* ---- files_ops ------------------------------------------------------------------------------- */

static enum status sim_open(struct files *files, const char *name, enum file_mode mode,
                            struct file **out)
{
    struct sim_files *disk = disk_of(files);
    struct entry *entry = directory_find(&disk->now, name);
    bool creates = !entry && mode == FILE_WRITE;
    bool act;
    enum status status = gate(disk, SIM_FILES_OPEN, creates, &act);
    if (act && creates)
        change_names(disk, "", name, inode_new(disk));
    if (status != STATUS_OK)
        return status;
    if (!entry && !creates)
        return STATUS_ABSENT;
    struct handle *handle = memory_zeroed(sizeof(*handle));
    handle->base.ops = &sim_ops;
    handle->disk = disk;
    handle->inode = directory_find(&disk->now, name)->inode;
    handle->inode->handles++;
    handle->life = disk->life;
    *out = &handle->base;
    return STATUS_OK;
}

static void sim_close(struct file *file)
{
    handle_of(file)->inode->handles--;
    memory_free(file);
}

static enum status sim_size(struct file *file, uint64_t *out_size)
{
    bool act;
    enum status status = file_gate(handle_of(file), SIM_FILES_READ, false, &act);
    if (status == STATUS_OK)
        *out_size = handle_of(file)->inode->now.size;
    return status;
}

static enum status sim_read(struct file *file, uint64_t at, char *out, size_t size,
                            size_t *out_read)
{
    bool act;
    enum status status = file_gate(handle_of(file), SIM_FILES_READ, false, &act);
    if (status == STATUS_OK)
        *out_read = content_read(&handle_of(file)->inode->now, at, out, size);
    return status;
}

static enum status sim_write(struct file *file, uint64_t at, struct bytes data)
{
    struct handle *handle = handle_of(file);
    bool act;
    enum status status = file_gate(handle, SIM_FILES_WRITE, true, &act);
    if (handle->life != handle->disk->life)
        return status;
    if (status == STATUS_OK && !has_room(handle, at + data.size))
        return STATUS_DISK_FULL;
    if (!act) /* some of it may have got there */
        data.size = (size_t)random_below(&handle->disk->random, data.size + 1);
    if (has_room(handle, at + data.size) && (status == STATUS_OK || data.size > 0))
        inode_change(handle->inode, CHANGE_WRITE, at, data);
    return status;
}

static enum status sim_sync(struct file *file)
{
    bool act;
    enum status status = file_gate(handle_of(file), SIM_FILES_SYNC, true, &act);
    if (act)
        inode_sync(handle_of(file)->inode);
    return status;
}

static enum status sim_reserve(struct file *file, uint64_t size)
{
    struct handle *handle = handle_of(file);
    bool act;
    enum status status = file_gate(handle, SIM_FILES_RESERVE, true, &act);
    if (status == STATUS_OK && !has_room(handle, size))
        return STATUS_DISK_FULL;
    if (act && has_room(handle, size))
        inode_change(handle->inode, CHANGE_GROW, size, BYTES(""));
    return status;
}

static enum status sim_truncate(struct file *file, uint64_t size)
{
    bool act;
    enum status status = file_gate(handle_of(file), SIM_FILES_TRUNCATE, true, &act);
    if (act)
        inode_change(handle_of(file)->inode, CHANGE_TRUNCATE, size, BYTES(""));
    return status;
}

static enum status sim_rename(struct files *files, const char *from, const char *to)
{
    struct sim_files *disk = disk_of(files);
    struct entry *entry = directory_find(&disk->now, from);
    bool act;
    enum status status = gate(disk, SIM_FILES_RENAME, true, &act);
    if (act && entry)
        change_names(disk, from, to, entry->inode);
    return status == STATUS_OK && !entry ? STATUS_ABSENT : status;
}

static enum status sim_remove(struct files *files, const char *name)
{
    struct sim_files *disk = disk_of(files);
    bool exists = directory_find(&disk->now, name) != NULL;
    bool act;
    enum status status = gate(disk, SIM_FILES_REMOVE, true, &act);
    if (act && exists)
        change_names(disk, name, "", NULL);
    return status == STATUS_OK && !exists ? STATUS_ABSENT : status;
}

static enum status sim_sync_directory(struct files *files)
{
    struct sim_files *disk = disk_of(files);
    bool act;
    enum status status = gate(disk, SIM_FILES_SYNC_DIRECTORY, true, &act);
    if (!act)
        return status;
    for (size_t i = 0; i < disk->name_changes_count; i++)
        directory_apply(&disk->durable, &disk->name_changes[i]);
    disk->name_changes_count = 0;
    collect(disk);
    return status;
}

static enum status sim_list(struct files *files, struct buffer *out_names)
{
    struct sim_files *disk = disk_of(files);
    if (disk->halted)
        return STATUS_IO;
    for (size_t i = 0; i < disk->now.count; i++)
        buffer_append(out_names, disk->now.entries[i].name, strlen(disk->now.entries[i].name) + 1);
    return STATUS_OK;
}

static enum status sim_lock(struct files *files, uint64_t *out_mark)
{
    struct sim_files *disk = disk_of(files);
    if (disk->halted)
        return STATUS_IO;
    if (disk->locked)
        return STATUS_LOCKED;
    disk->locked = true;
    *out_mark = disk->mark;
    return STATUS_OK;
}

static void sim_free(struct files *files)
{
    sim_files_free(disk_of(files));
}

static const struct files_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .size = sim_size,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .reserve = sim_reserve,
    .truncate = sim_truncate,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_directory = sim_sync_directory,
    .list = sim_list,
    .lock = sim_lock,
    .free = sim_free,
};

/* ---- the disk -------------------------------------------------------------------------------- */

struct sim_files *sim_files_new(uint64_t seed, uint64_t capacity)
{
    struct sim_files *disk = memory_zeroed(sizeof(*disk));
    disk->base.ops = &sim_ops;
    disk->random.state = seed;
    disk->mark = random_next(&disk->random);
    disk->capacity = capacity;
    disk->halt_at = UINT64_MAX;
    list_init(&disk->inodes);
    return disk;
}

struct files *sim_files_interface(struct sim_files *disk)
{
    return &disk->base;
}

void sim_files_free(struct sim_files *disk)
{
    if (!disk)
        return;
    while (!list_is_empty(&disk->inodes))
        inode_free(list_entry(disk->inodes.next, struct inode, link));
    memory_free(disk->now.entries);
    memory_free(disk->durable.entries);
    memory_free(disk->name_changes);
    memory_free(disk);
}

struct sim_files *sim_files_copy(const struct sim_files *disk, uint64_t seed)
{
    struct sim_files *copy = sim_files_new(seed, disk->capacity);
    for (size_t i = 0; i < disk->now.count; i++) {
        struct inode *inode = inode_new(copy);
        content_set(&inode->now, &disk->now.entries[i].inode->now);
        content_set(&inode->durable, &inode->now);
        change_names(copy, "", disk->now.entries[i].name, inode);
        directory_apply(&copy->durable, &copy->name_changes[i]);
    }
    copy->name_changes_count = 0;
    return copy;
}

void sim_files_put_back(struct sim_files *copy, const struct sim_files *disk)
{
    copy->mark = disk->mark;
}

void sim_files_crash(struct sim_files *disk)
{
    disk->locked = false;
    disk->halted = false;
    disk->halt_at = UINT64_MAX;
    disk->life++;
    memset(disk->faults, 0, sizeof(disk->faults));
}

/* How one power cut treats what was not synced. */
struct cut {
    unsigned keep; /* of 4 changes */
    bool in_order; /* what comes after something lost is lost too */
    bool lost;
};

static struct cut cut_draw(struct sim_files *disk)
{
    struct cut cut = {.keep = (unsigned)random_below(&disk->random, 5)};
    cut.in_order = random_once_in(&disk->random, 2);
    return cut;
}

static bool cut_keeps(struct sim_files *disk, struct cut *cut)
{
    if (cut->in_order && cut->lost)
        return false;
    if (random_below(&disk->random, 4) < cut->keep)
        return true;
    cut->lost = true;
    return false;
}

static void cut_inode(struct sim_files *disk, struct inode *inode)
{
    struct cut cut = cut_draw(disk);
    for (size_t i = 0; i < inode->changes_count; i++) {
        struct change change = inode->changes[i];
        bool was_lost = cut.lost;
        bool kept = cut_keeps(disk, &cut);
        bool may_tear = change.size > 1 && !(cut.in_order && was_lost);
        if (!kept && may_tear && random_once_in(&disk->random, 2)) {
            size_t end = (size_t)random_below(&disk->random, change.size);
            size_t begin = cut.in_order ? 0 : (size_t)random_below(&disk->random, end + 1);
            change.data += begin;
            change.at += begin;
            change.size = end - begin;
            kept = true;
        }
        if (kept)
            content_apply(&inode->durable, &change);
    }
    inode_forget_changes(inode);
    content_set(&inode->now, &inode->durable);
}

void sim_files_power_cut(struct sim_files *disk)
{
    sim_files_crash(disk);
    struct cut cut = cut_draw(disk);
    for (size_t i = 0; i < disk->name_changes_count; i++)
        if (cut_keeps(disk, &cut))
            directory_apply(&disk->durable, &disk->name_changes[i]);
    disk->name_changes_count = 0;
    disk->now.count = 0;
    for (size_t i = 0; i < disk->durable.count; i++) {
        struct name_change change = {.inode = disk->durable.entries[i].inode};
        memcpy(change.put, disk->durable.entries[i].name, NAME_SIZE);
        directory_apply(&disk->now, &change);
    }
    collect(disk);
    for (struct list *link = disk->inodes.next; link != &disk->inodes; link = link->next)
        cut_inode(disk, list_entry(link, struct inode, link));
}

void sim_files_halt_after(struct sim_files *disk, uint64_t changes)
{
    disk->halt_at = disk->changes + changes;
}

bool sim_files_halted(const struct sim_files *disk)
{
    return disk->halted;
}

uint64_t sim_files_changes(const struct sim_files *disk)
{
    return disk->changes;
}

void sim_files_fail(struct sim_files *disk, enum sim_files_call call, uint64_t calls,
                    enum status status)
{
    disk->faults[call] = (struct fault){true, calls, status};
}

void sim_files_set_capacity(struct sim_files *disk, uint64_t capacity)
{
    disk->capacity = capacity;
}

uint64_t sim_files_used(const struct sim_files *disk)
{
    mark_reachable((struct sim_files *)disk);
    uint64_t used = 0;
    for (struct list *link = disk->inodes.next; link != &disk->inodes; link = link->next) {
        const struct inode *inode = list_entry(link, struct inode, link);
        used += inode->marked ? inode->now.size : 0;
    }
    return used;
}

static void flip(struct content *content, uint64_t at, unsigned bit)
{
    if (at >= content->size)
        return;
    char byte;
    content_read(content, at, &byte, 1);
    byte = (char)(byte ^ (1 << bit));
    content_write(content, at, &byte, 1);
}

void sim_files_flip_bit(struct sim_files *disk, const char *name, uint64_t at, unsigned bit)
{
    struct entry *entry = directory_find(&disk->now, name);
    check(entry && at < entry->inode->now.size && bit < 8);
    flip(&entry->inode->now, at, bit);
    flip(&entry->inode->durable, at, bit);
}

uint64_t sim_files_digest(const struct sim_files *disk)
{
    struct buffer text = {0};
    for (size_t i = 0; i < disk->now.count; i++) {
        const struct content *content = &disk->now.entries[i].inode->now;
        size_t filled = content->filled;
        while (filled > 0 && content->data[filled - 1] == 0)
            filled--;
        buffer_printf(&text, "%s %llu %llx\n", disk->now.entries[i].name,
                      (unsigned long long)content->size,
                      (unsigned long long)xxh64(bytes_of(content->data, filled)));
    }
    uint64_t digest = xxh64(buffer_bytes(&text));
    buffer_deinit(&text);
    return digest;
}
