/* SPDX-License-Identifier: MIT */
#include "store/log_recovery.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/memory.h"
#include "store/log_segment.h"

/* One pass over the segments. */
struct scan {
    struct files *files;
    uint64_t sealed;
    const struct log_replay *replay; /* of a salvage; NULL: only checked */
    struct buffer *text;             /* why it failed, or a report */

    uint64_t *starts; /* of all segments, ascending */
    size_t count;
    size_t first; /* the segments before it are wholly below `sealed` */

    struct log_recovery found; /* so far; .end is where the log goes on */
    uint64_t synced;           /* the highest position that anything says is durable */
    struct log_places places;

    size_t stopped_in;   /* the segment in which the log ends, or which does not fit */
    uint64_t stopped_at; /* offset in its file */
    const char *reason;  /* NULL: it ends as it should */
};

static enum status scan_init(struct scan *scan)
{
    struct buffer names = {0};
    enum status status = scan->files->ops->list(scan->files, &names);
    if (status == STATUS_OK)
        status = synced_read(scan->files, &scan->synced);
    struct bytes list = buffer_bytes(&names);
    size_t names_max = list.size / SEGMENT_NAME_SIZE;
    scan->starts = memory_alloc(names_max * sizeof(*scan->starts));
    scan->places.items = memory_alloc(names_max * sizeof(*scan->places.items));
    for (size_t at = 0; status == STATUS_OK && at < list.size; at += strlen(list.data + at) + 1)
        if (segment_name_parse(list.data + at, &scan->starts[scan->count]))
            scan->count++; /* sorted by name is sorted by position */
    buffer_deinit(&names);
    while (scan->first + 1 < scan->count && scan->starts[scan->first + 1] <= scan->sealed)
        scan->first++;
    scan->found.end = scan->sealed;
    return status;
}

static void scan_deinit(struct scan *scan)
{
    memory_free(scan->starts);
    memory_free(scan->places.items);
}

/* Record by record, so many told of ahead. */
static enum status replay_records(const struct log_replay *replay, actor_t actor,
                                  struct bytes payload)
{
    struct bytes names[LOG_EXPECTED_MAX], rows[LOG_EXPECTED_MAX];
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        size_t count = 0;
        while (count < LOG_EXPECTED_MAX &&
               (status = batch_next_record(&payload, &names[count], &rows[count])) == STATUS_OK)
            count++;
        if (replay->expect)
            replay->expect(replay->context, names, count);
        for (size_t i = 0; i < count; i++) {
            enum status taken = replay->row(replay->context, actor, names[i], rows[i]);
            if (taken != STATUS_OK)
                return taken;
        }
    }
    return status == STATUS_ABSENT ? STATUS_OK : status;
}

static enum status replay_batch(const struct log_replay *replay, actor_t actor,
                                const struct batch *batch, struct buffer *text)
{
    enum status status = replay_records(replay, actor, batch->payload);
    if (status != STATUS_OK)
        buffer_printf(text, "a record of the log batch at position %" PRIu64 ": %s",
                      batch->position, status_text(status));
    return status;
}

static void count_batch(struct scan *scan, const struct batch *batch)
{
    scan->found.records += batch->records;
    scan->found.batches++;
    if (batch->synced > scan->synced)
        scan->synced = batch->synced;
}

static enum status read_failed(struct buffer *text, uint64_t start, enum status status)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(start, name);
    if (status == STATUS_VERSION)
        buffer_printf(text, "%s: %s", name, status_text(status));
    else
        buffer_printf(text, "%s: cannot be read: %s", name, status_text(status));
    return status == STATUS_VERSION ? status : STATUS_IO;
}

static enum status disk_failed(struct scan *scan, uint64_t start, enum status status)
{
    return read_failed(scan->text, start, status);
}

/* ---- the unbroken part ---------------------------------------------------------------------- */

/*
 * Reads what stands at found.end and after in this segment. Where it breaks off: STATUS_CORRUPT
 * with a reason.
 */
static enum status scan_batches(struct scan *scan, struct segment_reader *reader)
{
    uint64_t start = reader->start;
    actor_t actor;
    enum status status = segment_read_header(reader, &actor);
    if (status == STATUS_CORRUPT)
        scan->reason = "the segment's header is damaged";
    else if (status != STATUS_OK)
        return disk_failed(scan, start, status);
    if (status != STATUS_OK)
        return status;
    segment_seek(reader, scan->found.end);
    struct batch batch;
    while ((status = segment_next(reader, &batch)) == STATUS_OK) {
        count_batch(scan, &batch);
        scan->found.end += BATCH_HEADER_SIZE + batch.payload.size;
    }
    if (status == STATUS_ABSENT)
        return STATUS_OK;
    if (status != STATUS_CORRUPT)
        return disk_failed(scan, start, status);
    scan->reason = "a damaged batch";
    return status;
}

static enum status scan_segment(struct scan *scan, size_t index)
{
    uint64_t start = scan->starts[index];
    bool spans_sealed = index == scan->first && start < scan->sealed;
    if (start != scan->found.end && !spans_sealed) {
        scan->reason = start > scan->found.end ? "a segment is missing" : "segments overlap";
        scan->stopped_at = 0;
        return STATUS_CORRUPT;
    }
    struct segment_reader reader;
    enum status status = segment_open(scan->files, start, &reader);
    if (status != STATUS_OK)
        return disk_failed(scan, start, status);
    status = scan_batches(scan, &reader);
    scan->stopped_at = reader.at;
    segment_close(&reader);
    /* One without batches, or with none that is still needed, is not kept. */
    if (scan->found.end > start && scan->found.end > scan->sealed)
        scan->places.items[scan->places.count++] = (struct log_place){start, scan->found.end};
    return status;
}

/* ---- what stands behind it ------------------------------------------------------------------ */

/* What whole batches here say of how far the log was durable; and how many bytes would be lost. */
static enum status search_segment(struct scan *scan, size_t index)
{
    uint64_t start = scan->starts[index];
    uint64_t from = start < scan->found.end ? scan->found.end : start;
    struct segment_reader reader;
    enum status status = segment_open(scan->files, start, &reader);
    if (status != STATUS_OK)
        return disk_failed(scan, start, status);
    segment_seek(&reader, from);
    struct batch batch;
    while ((status = segment_search(&reader, &batch)) == STATUS_OK)
        if (batch.synced > scan->synced)
            scan->synced = batch.synced;
    uint64_t data_end = 0;
    if (status == STATUS_ABSENT)
        status = segment_data_end(&reader, segment_offset(start, from), &data_end);
    segment_close(&reader);
    if (status != STATUS_OK)
        return disk_failed(scan, start, status);
    scan->found.lost_bytes += data_end - segment_offset(start, from);
    return STATUS_OK;
}

static enum status damage_found(struct scan *scan)
{
    char name[SEGMENT_NAME_SIZE] = "the log";
    if (scan->count > 0)
        segment_name(scan->starts[scan->stopped_in], name);
    buffer_printf(scan->text,
                  "%s, offset %" PRIu64 ": %s at position %" PRIu64
                  ", but the log was durable up to position %" PRIu64,
                  name, scan->stopped_at, scan->reason ? scan->reason : "the log ends",
                  scan->found.end, scan->synced);
    return STATUS_CORRUPT;
}

/* As far as it is unbroken. */
static enum status scan_forward(struct scan *scan)
{
    for (size_t i = scan->first; i < scan->count; i++) {
        scan->stopped_in = i;
        enum status status = scan_segment(scan, i);
        if (status == STATUS_CORRUPT && scan->reason)
            return STATUS_OK; /* to be judged */
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/*
 * Reads the unbroken part and judges what stands behind it: STATUS_OK with lost_bytes, or
 * STATUS_CORRUPT.
 */
static enum status scan_run(struct scan *scan)
{
    enum status status = scan_init(scan);
    if (status != STATUS_OK) {
        buffer_printf(scan->text, "the log's directory cannot be read: %s", status_text(status));
        return status;
    }
    status = scan_forward(scan);
    /* If a segment is missing, the one before it may have ended too early. */
    size_t from = scan->stopped_in > scan->first ? scan->stopped_in - 1 : scan->first;
    for (size_t i = from; i < scan->count && status == STATUS_OK; i++)
        status = search_segment(scan, i);
    if (status == STATUS_OK && scan->synced > scan->found.end)
        return damage_found(scan);
    return status;
}

/* ---- making it so --------------------------------------------------------------------------- */

static bool is_kept(const struct log_places *places, uint64_t start)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i].start == start)
            return true;
    return false;
}

static enum status cut_segment(struct files *files, const struct log_place *place)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(place->start, name);
    struct file *file;
    enum status status = files->ops->open(files, name, FILE_WRITE, &file);
    if (status != STATUS_OK)
        return status;
    uint64_t size;
    uint64_t end = segment_offset(place->start, place->end);
    status = file->ops->size(file, &size);
    if (status == STATUS_OK && size > end)
        status = file->ops->truncate(file, end);
    if (status == STATUS_OK)
        status = file->ops->sync(file);
    file->ops->close(file);
    return status;
}

/*
 * Before anything is cut off, no claim of more may be on its way to the disk: one that comes back
 * after a power cut would make the shorter log look damaged.
 */
static enum status pin_synced(struct scan *scan)
{
    struct file *file;
    enum status status = scan->files->ops->open(scan->files, SYNCED_NAME, FILE_READ, &file);
    if (status != STATUS_OK)
        return status == STATUS_ABSENT ? STATUS_OK : status;
    file->ops->close(file);
    status = scan->files->ops->open(scan->files, SYNCED_NAME, FILE_WRITE, &file);
    if (status != STATUS_OK)
        return status;
    char text[SYNCED_SIZE];
    synced_make(scan->synced, text);
    status = file->ops->write(file, 0, bytes_of(text, sizeof(text)));
    if (status == STATUS_DISK_FULL)
        status = file->ops->truncate(file, 0);
    if (status == STATUS_OK)
        status = file->ops->sync(file);
    file->ops->close(file);
    return status;
}

/*
 * What is replayed will be shown to clients, so it becomes durable first. The lost segments go
 * before the tail of the last good one, the newest first: a crash on the way leaves a lost tail
 * again, never a gap that looks like damage.
 */
static enum status make_it_so(struct scan *scan)
{
    enum status status = scan->found.lost_bytes > 0 ? pin_synced(scan) : STATUS_OK;
    for (size_t i = scan->count; i > 0 && status == STATUS_OK; i--) {
        if (is_kept(&scan->places, scan->starts[i - 1]))
            continue;
        char name[SEGMENT_NAME_SIZE];
        segment_name(scan->starts[i - 1], name);
        status = scan->files->ops->remove(scan->files, name);
    }
    if (status == STATUS_OK)
        status = scan->files->ops->sync_directory(scan->files);
    for (size_t i = 0; i < scan->places.count && status == STATUS_OK; i++)
        status = cut_segment(scan->files, &scan->places.items[i]);
    if (status == STATUS_OK)
        return status;
    buffer_printf(scan->text, "the log cannot be tidied up: %s", status_text(status));
    return status == STATUS_DISK_FULL ? status : STATUS_IO;
}

enum status log_recover(struct files *files, uint64_t sealed, struct log_recovery *out_recovery,
                        struct log_places *out_places, struct buffer *out_error)
{
    struct scan scan = {.files = files, .sealed = sealed, .text = out_error};
    enum status status = scan_run(&scan);
    if (status == STATUS_OK)
        status = make_it_so(&scan);
    if (status == STATUS_OK) {
        *out_recovery = scan.found;
        *out_places = scan.places;
        scan.places.items = NULL;
    }
    scan_deinit(&scan);
    return status;
}

/* ---- replaying ------------------------------------------------------------------------------ */

static enum status replay_to(struct segment_reader *reader, uint64_t end,
                             const struct log_replay *replay, uint64_t *position,
                             struct buffer *text)
{
    uint64_t start = reader->start;
    actor_t actor;
    struct batch batch;
    enum status status = segment_read_header(reader, &actor);
    if (status == STATUS_OK)
        segment_seek(reader, *position > start ? *position : start);
    while (status == STATUS_OK && *position < end) {
        status = segment_next(reader, &batch);
        if (status != STATUS_OK)
            break;
        status = replay_batch(replay, actor, &batch, text);
        if (status != STATUS_OK)
            return status;
        *position += BATCH_HEADER_SIZE + batch.payload.size;
        if (replay->batch)
            replay->batch(replay->context);
    }
    /* It was whole a moment ago. */
    return status == STATUS_OK ? status : read_failed(text, start, status);
}

enum status log_replay_place(struct files *files, struct log_place place,
                             const struct log_replay *replay, uint64_t *position,
                             struct buffer *out_error)
{
    struct segment_reader reader;
    enum status status = segment_open(files, place.start, &reader);
    if (status != STATUS_OK)
        return read_failed(out_error, place.start, status);
    status = replay_to(&reader, place.end, replay, position, out_error);
    segment_close(&reader);
    return status;
}

enum status log_check_begin(struct files *files, uint64_t sealed, struct buffer *out_error)
{
    struct scan scan = {.files = files, .sealed = sealed};
    enum status status = scan_init(&scan);
    uint64_t begin = scan.count > 0 ? scan.starts[scan.first] : scan.synced;
    if (status != STATUS_OK) {
        buffer_printf(out_error, "the log's directory cannot be read: %s", status_text(status));
    } else if (begin > sealed) {
        buffer_printf(out_error,
                      "positions %" PRIu64 " to %" PRIu64
                      " of the log are neither in the ordered tier nor in a segment",
                      sealed, begin);
        status = STATUS_CORRUPT;
    }
    scan_deinit(&scan);
    return status;
}

/* ---- for a damaged directory ---------------------------------------------------------------- */

static void report_hole(struct scan *scan, uint64_t start, uint64_t from, uint64_t to)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(start, name);
    buffer_printf(scan->text, "%s: damaged from offset %" PRIu64 " to %" PRIu64 "\n", name, from,
                  to);
    scan->found.lost_bytes += to - from;
}

/*
 * Goes to the next whole batch wherever it stands, reporting what was skipped. STATUS_ABSENT at the
 * end.
 */
static enum status salvage_next(struct scan *scan, struct segment_reader *reader,
                                struct batch *out_batch)
{
    uint64_t from = reader->at;
    enum status status = segment_next(reader, out_batch);
    if (status != STATUS_ABSENT && status != STATUS_CORRUPT)
        return status;
    status = segment_search(reader, out_batch);
    if (status == STATUS_OK) {
        report_hole(scan, reader->start, from, segment_offset(reader->start, out_batch->position));
    } else if (status == STATUS_ABSENT) {
        uint64_t data_end;
        enum status read = segment_data_end(reader, from, &data_end);
        if (read != STATUS_OK)
            return read;
        if (data_end > from)
            report_hole(scan, reader->start, from, data_end);
    }
    return status;
}

static enum status salvage_segment(struct scan *scan, size_t index)
{
    uint64_t start = scan->starts[index];
    struct segment_reader reader;
    enum status status = segment_open(scan->files, start, &reader);
    if (status != STATUS_OK)
        return disk_failed(scan, start, status);
    actor_t actor = 0; /* nobody's, where the header does not say */
    status = segment_read_header(&reader, &actor);
    if (status == STATUS_CORRUPT)
        report_hole(scan, start, 0, SEGMENT_HEADER_SIZE);
    if (status == STATUS_OK || status == STATUS_CORRUPT) {
        segment_seek(&reader, start < scan->sealed ? scan->sealed : start);
        struct batch batch;
        while ((status = salvage_next(scan, &reader, &batch)) == STATUS_OK) {
            scan->found.end = batch.position + BATCH_HEADER_SIZE + batch.payload.size;
            count_batch(scan, &batch);
            if (scan->replay)
                status = replay_batch(scan->replay, actor, &batch, scan->text);
            if (status != STATUS_OK)
                break;
        }
    }
    segment_close(&reader);
    return status == STATUS_ABSENT ? STATUS_OK : status;
}

static void report_missing(struct scan *scan, uint64_t from, uint64_t to)
{
    if (to > from)
        buffer_printf(scan->text, "missing: positions %" PRIu64 " to %" PRIu64 " of the log\n",
                      from, to);
}

enum status log_salvage(struct files *files, uint64_t sealed, const struct log_replay *replay,
                        struct log_recovery *out_recovery, struct buffer *out_report)
{
    struct scan scan = {.files = files, .sealed = sealed, .replay = replay, .text = out_report};
    enum status status = scan_init(&scan);
    for (size_t i = scan.first; i < scan.count && status == STATUS_OK; i++) {
        report_missing(&scan, scan.found.end, scan.starts[i]);
        status = salvage_segment(&scan, i);
    }
    if (status == STATUS_OK) {
        report_missing(&scan, scan.found.end, scan.synced);
        *out_recovery = scan.found;
    }
    scan_deinit(&scan);
    return status;
}

enum status log_verify(struct files *files, uint64_t sealed, struct log_recovery *out_recovery,
                       struct buffer *out_report)
{
    struct scan scan = {.files = files, .sealed = sealed, .text = out_report};
    enum status status = scan_run(&scan);
    if (status == STATUS_OK || status == STATUS_CORRUPT)
        *out_recovery = scan.found;
    if (buffer_size(out_report) > 0)
        buffer_append_u8(out_report, '\n');
    if (status == STATUS_OK && scan.found.lost_bytes > 0)
        buffer_printf(out_report,
                      "the log ends at position %" PRIu64 ", followed by a lost tail of %" PRIu64
                      " bytes that were never durable\n",
                      scan.found.end, scan.found.lost_bytes);
    if (status == STATUS_CORRUPT) { /* and everything else that is damaged */
        struct log_recovery rest;
        enum status read = log_salvage(files, sealed, NULL, &rest, out_report);
        if (read != STATUS_OK)
            status = read;
    }
    scan_deinit(&scan);
    return status;
}
