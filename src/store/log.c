/* SPDX-License-Identifier: MIT */
#include "store/log.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pack.h"
#include "store/log_recovery.h"
#include "store/log_segment.h"

enum {
    RECORD_HEAD_MAX = 2 * VARINT_MAX,
    BATCH_KEEP = 4 * 1024 * 1024, /* of the batch's memory, between turns */
};

struct segment {
    struct list link;
    uint64_t start;
    uint64_t end;      /* of an older segment; the current one ends at log->written */
    struct file *file; /* NULL once it is rotated and synced */
};

/* What a storage thread is told, and what it tells. Only it is touched there. */
struct log_sync_task {
    struct job job;
    struct log *log;
    struct files *files;
    struct file **unsynced; /* memory_alloc; oldest first */
    size_t count;
    struct file *synced; /* the file that holds the position */
    uint64_t position;   /* up to which all is synced afterwards */
    bool directory;      /* a file was created since the last sync */
    enum status status;
};

struct log {
    struct files *files;
    struct workers *workers;
    actor_t actor;

    struct buffer batch; /* of this turn: room for the header, then the records */
    uint32_t records;
    uint64_t written;  /* position behind the last batch */
    uint64_t reserved; /* position up to which the current segment's file has room */
    uint64_t synced;

    struct list segments;    /* oldest first; the last one is `current` */
    struct segment *current; /* NULL before log_start */
    struct list removed;     /* while a sync may still use their files */
    struct file *synced_file;
    bool created; /* a segment since the directory was last synced */

    enum log_sync mode;
    bool sync_wanted; /* whatever the mode */
    bool syncing;
    bool failed;
    uint64_t now_ms; /* of the last tick */
    uint64_t sync_started_ms;
    struct log_sync_task task;
};

/* ---- segments ------------------------------------------------------------------------------- */

static struct segment *segment_of(struct list *link)
{
    return list_entry(link, struct segment, link);
}

static void segment_free(struct segment *segment)
{
    if (segment->file)
        segment->file->ops->close(segment->file);
    memory_free(segment);
}

static void segments_free(struct list *segments)
{
    while (!list_is_empty(segments)) {
        struct segment *segment = segment_of(segments->next);
        list_remove(&segment->link);
        segment_free(segment);
    }
}

static struct segment *segment_add(struct log *log, uint64_t start, uint64_t end, struct file *file)
{
    struct segment *segment = memory_zeroed(sizeof(*segment));
    segment->start = start;
    segment->end = end;
    segment->file = file;
    list_append(&log->segments, &segment->link);
    return segment;
}

static enum status write_header(struct file *file, uint64_t start, actor_t actor)
{
    char header[SEGMENT_HEADER_SIZE];
    segment_header_make(start, actor, header);
    enum status status = file->ops->reserve(file, SEGMENT_HEADER_SIZE);
    if (status != STATUS_OK)
        return status;
    return file->ops->write(file, 0, bytes_of(header, sizeof(header)));
}

/*
 * A new current segment at log->written. If that fails, everything is as before; durably so:
 * batches go on in the older segment, and recovery must not meet a file that claims to begin in
 * their midst.
 */
static enum status segment_begin(struct log *log)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(log->written, name);
    struct file *file;
    enum status status = log->files->ops->open(log->files, name, FILE_WRITE, &file);
    if (status != STATUS_OK)
        return status;
    status = write_header(file, log->written, log->actor);
    if (status != STATUS_OK) {
        file->ops->close(file);
        if (log->files->ops->remove(log->files, name) != STATUS_OK ||
            log->files->ops->sync_directory(log->files) != STATUS_OK) {
            log->failed = true;
            return STATUS_IO;
        }
        return status;
    }
    log->current = segment_add(log, log->written, log->written, file);
    log->reserved = log->written;
    log->created = true;
    return STATUS_OK;
}

/* Gives the reserved room of the current segment back. */
static enum status segment_trim(struct log *log)
{
    if (log->reserved == log->written)
        return STATUS_OK;
    struct file *file = log->current->file;
    enum status status =
        file->ops->truncate(file, segment_offset(log->current->start, log->written));
    if (status != STATUS_OK) {
        log->failed = true;
        return STATUS_IO;
    }
    log->reserved = log->written;
    return STATUS_OK;
}

/* ---- a log's life --------------------------------------------------------------------------- */

enum status log_open(struct files *files, struct workers *workers, uint64_t sealed,
                     struct log_recovery *out_recovery, struct log **out, struct buffer *out_error)
{
    struct log_places places;
    enum status status = log_recover(files, sealed, out_recovery, &places, out_error);
    if (status != STATUS_OK)
        return status;
    struct log *log = memory_zeroed(sizeof(*log));
    log->files = files;
    log->workers = workers;
    log->written = log->reserved = sealed;
    log->synced = out_recovery->end;
    log->mode = LOG_SYNC_EVERYSEC;
    list_init(&log->segments);
    list_init(&log->removed);
    for (size_t i = 0; i < places.count; i++)
        segment_add(log, places.items[i].start, places.items[i].end, NULL);
    memory_free(places.items);
    *out = log;
    return STATUS_OK;
}

/* The first segment that is not wholly replayed; NULL at the end. They may go as they are. */
static struct segment *segment_to_replay(struct log *log)
{
    for (struct list *link = log->segments.next; link != &log->segments; link = link->next)
        if (segment_of(link)->end > log->written)
            return segment_of(link);
    return NULL;
}

enum status log_replay(struct log *log, const struct log_replay *replay, struct buffer *out_error)
{
    enum status status = STATUS_OK;
    struct segment *segment;
    while (status == STATUS_OK && (segment = segment_to_replay(log))) {
        struct log_place place = {segment->start, segment->end};
        status = log_replay_place(log->files, place, replay, &log->written, out_error);
    }
    log->reserved = log->written;
    return status;
}

/* It only ever claims too little, so that it has no room on a full disk does no harm. */
static enum status write_synced(struct file *file, uint64_t position)
{
    char text[SYNCED_SIZE];
    synced_make(position, text);
    enum status status = file->ops->write(file, 0, bytes_of(text, sizeof(text)));
    return status == STATUS_DISK_FULL ? STATUS_OK : status;
}

enum status log_start(struct log *log, actor_t actor)
{
    check(!log->current && log->written == log->synced);
    log->actor = actor;
    enum status status = STATUS_OK;
    if (!log->synced_file)
        status = log->files->ops->open(log->files, SYNCED_NAME, FILE_WRITE, &log->synced_file);
    if (status == STATUS_OK)
        status = write_synced(log->synced_file, log->synced);
    return status == STATUS_OK ? segment_begin(log) : status;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    segments_free(&log->segments);
    segments_free(&log->removed);
    if (log->synced_file)
        log->synced_file->ops->close(log->synced_file);
    memory_free(log->task.unsynced);
    buffer_deinit(&log->batch);
    memory_free(log);
}

/* ---- the background sync -------------------------------------------------------------------- */

static void sync_run(struct job *job)
{
    struct log_sync_task *task = list_entry(job, struct log_sync_task, job);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->count && status == STATUS_OK; i++)
        status = task->unsynced[i]->ops->sync(task->unsynced[i]);
    if (status == STATUS_OK && task->directory)
        status = task->files->ops->sync_directory(task->files);
    if (status == STATUS_OK)
        status = write_synced(task->synced, task->position);
    task->status = status;
}

static void sync_prepare(struct log *log)
{
    struct log_sync_task *task = &log->task;
    size_t count = 0;
    for (struct list *link = log->segments.next; link != &log->segments; link = link->next)
        count += segment_of(link)->file != NULL;
    task->unsynced = memory_resize(task->unsynced, count * sizeof(struct file *));
    task->count = 0;
    for (struct list *link = log->segments.next; link != &log->segments; link = link->next)
        if (segment_of(link)->file)
            task->unsynced[task->count++] = segment_of(link)->file;
    task->log = log;
    task->files = log->files;
    task->synced = log->synced_file;
    task->position = log->written;
    task->directory = log->created;
    log->created = false;
    log->sync_started_ms = log->now_ms;
    log->syncing = true;
}

static void sync_finish(struct log *log)
{
    log->syncing = false;
    segments_free(&log->removed);
    if (log->task.status != STATUS_OK) {
        log->failed = true;
        return;
    }
    if (log->task.position > log->synced)
        log->synced = log->task.position;
    for (struct list *link = log->segments.next; link != &log->segments; link = link->next) {
        struct segment *segment = segment_of(link);
        if (segment == log->current || segment->end > log->task.position || !segment->file)
            continue;
        segment->file->ops->close(segment->file);
        segment->file = NULL;
    }
}

static void sync_done(struct job *job);

static void sync_start(struct log *log)
{
    if (log->syncing || log->failed || log->written == log->synced)
        return;
    log->sync_wanted = false;
    sync_prepare(log);
    log->task.job.run = sync_run;
    log->task.job.done = sync_done;
    log->workers->ops->submit(log->workers, JOB_SYNC, &log->task.job);
}

static void sync_done(struct job *job)
{
    struct log *log = list_entry(job, struct log_sync_task, job)->log;
    sync_finish(log);
    if (log->mode == LOG_SYNC_ALWAYS)
        sync_start(log);
}

void log_set_sync(struct log *log, enum log_sync sync)
{
    log->mode = sync;
}

void log_want_sync(struct log *log)
{
    log->sync_wanted = true;
}

void log_tick(struct log *log, uint64_t now_ms)
{
    log->now_ms = now_ms;
    if (log->sync_wanted || log->mode == LOG_SYNC_ALWAYS ||
        (log->mode == LOG_SYNC_EVERYSEC && now_ms - log->sync_started_ms >= LOG_SYNC_EVERY_MS))
        sync_start(log);
}

enum status log_sync_now(struct log *log)
{
    enum status status = log_write(log);
    if (log->syncing)
        log->workers->ops->drain(log->workers);
    if (status == STATUS_OK && !log->failed)
        status = segment_trim(log);
    if (status != STATUS_OK || log->failed)
        return STATUS_IO;
    sync_prepare(log);
    sync_run(&log->task.job);
    sync_finish(log);
    return log->failed ? STATUS_IO : STATUS_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* What the batch takes with this much more in it. */
static inline uint64_t batch_size_with(const struct log *log, size_t size, size_t records)
{
    size_t used = log->records > 0 ? buffer_size(&log->batch) : BATCH_HEADER_SIZE;
    return used + size + records * RECORD_HEAD_MAX;
}

static enum status reserve_more(struct log *log, size_t size, size_t records)
{
    uint64_t batch_size = batch_size_with(log, size, records);
    if (batch_size > LOG_BATCH_MAX) {
        if (log->records == 0)
            return STATUS_TOO_BIG;
        enum status status = log_write(log); /* the turn gets two batches */
        return status == STATUS_OK ? log_reserve(log, size, records) : status;
    }
    uint64_t needed = segment_offset(log->current->start, log->written + batch_size);
    uint64_t step = needed < LOG_RESERVE_FIRST  ? LOG_RESERVE_FIRST
                    : needed < LOG_RESERVE_STEP ? needed
                                                : LOG_RESERVE_STEP;
    uint64_t file_size = (needed + step) / LOG_RESERVE_FIRST * LOG_RESERVE_FIRST;
    struct file *file = log->current->file;
    enum status status = file->ops->reserve(file, file_size);
    if (status == STATUS_OK)
        log->reserved = log->current->start + (file_size - SEGMENT_HEADER_SIZE);
    else if (status != STATUS_DISK_FULL)
        log->failed = true;
    return status;
}

enum status log_reserve(struct log *log, size_t size, size_t records)
{
    uint64_t batch_size = batch_size_with(log, size, records);
    if (batch_size <= log->reserved - log->written && batch_size <= LOG_BATCH_MAX)
        return STATUS_OK;
    return reserve_more(log, size, records);
}

void log_append(struct log *log, struct bytes name, struct bytes row)
{
    if (log->records == 0) {
        buffer_reserve(&log->batch, BATCH_HEADER_SIZE);
        buffer_commit(&log->batch, BATCH_HEADER_SIZE);
    }
    char *begin = buffer_reserve(&log->batch, RECORD_HEAD_MAX + name.size + row.size);
    char *end = pack_varint(begin, name.size);
    end = pack_varint(end, row.size);
    memcpy(end, name.data, name.size);
    end += name.size;
    memcpy(end, row.data, row.size);
    end += row.size;
    buffer_commit(&log->batch, (size_t)(end - begin));
    log->records++;
}

uint64_t log_position(const struct log *log)
{
    return log->written + (log->records > 0 ? buffer_size(&log->batch) : 0);
}

enum status log_write(struct log *log)
{
    if (log->failed)
        return STATUS_IO;
    if (log->records == 0)
        return STATUS_OK;
    struct bytes batch = buffer_bytes(&log->batch);
    check(batch.size <= log->reserved - log->written);
    batch_seal(batch, log->records, log->written, log->synced);
    struct file *file = log->current->file;
    enum status status =
        file->ops->write(file, segment_offset(log->current->start, log->written), batch);
    if (status != STATUS_OK) { /* what stands there now is unknown: nothing may follow it */
        log->failed = true;
        return STATUS_IO;
    }
    log->written += batch.size;
    log->records = 0;
    buffer_clear(&log->batch, BATCH_KEEP);
    if (log->mode == LOG_SYNC_ALWAYS)
        sync_start(log);
    return STATUS_OK;
}

enum status log_rotate(struct log *log)
{
    if (log->failed)
        return STATUS_IO;
    check(log->records == 0);
    if (!log->current)
        return STATUS_OK;
    struct segment *old = log->current;
    if (old->start == log->written)
        return STATUS_OK;                   /* it is new */
    enum status status = segment_trim(log); /* first: the new one may need just that room */
    if (status == STATUS_OK)
        status = segment_begin(log);
    if (status == STATUS_OK)
        old->end = log->written;
    return status;
}

void log_remove_below(struct log *log, uint64_t position)
{
    check(position <= log->written);
    while (!list_is_empty(&log->segments)) {
        struct segment *segment = segment_of(log->segments.next);
        if (segment == log->current || segment->end > position)
            break;
        char name[SEGMENT_NAME_SIZE];
        segment_name(segment->start, name);
        log->files->ops->remove(log->files, name); /* else recovery removes it */
        list_remove(&segment->link);
        if (log->syncing)
            list_append(&log->removed, &segment->link);
        else
            segment_free(segment);
    }
    if (position > log->synced)
        log->synced = position; /* these rows are durable elsewhere */
}

/* ---- facts ---------------------------------------------------------------------------------- */

uint64_t log_written(const struct log *log)
{
    return log->written;
}

uint64_t log_synced(const struct log *log)
{
    return log->synced;
}

bool log_failed(const struct log *log)
{
    return log->failed;
}

uint64_t log_disk_bytes(const struct log *log)
{
    uint64_t bytes = 0;
    for (struct list *link = log->segments.next; link != &log->segments; link = link->next) {
        const struct segment *segment = segment_of(link);
        uint64_t end = segment == log->current ? log->reserved : segment->end;
        bytes += segment_offset(segment->start, end);
    }
    return bytes;
}
