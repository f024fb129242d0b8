/* SPDX-License-Identifier: MIT */
/*
 * The log's files. An input makes up to three segments and the file `synced`: a byte says how each
 * is made. Checksums are not to be guessed, so batches get right ones where the input asks for it.
 * Whatever stands there: checking changes nothing; what opens is the same when opened again; and
 * --salvage finds at least what opening found.
 */
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/pack.h"
#include "fuzz/fuzz.h"
#include "sim/sim_files.h"
#include "sim/sim_workers.h"
#include "store/log.h"
#include "store/log_segment.h"

enum {
    SEGMENTS_MAX = 3,
    BATCHES_MAX = 8,
    NODE = 7,
    /* Bits of the byte that says how a segment is made. */
    RAW = 1,       /* its bytes are all there is */
    GAP = 2,       /* it begins behind where the last one ended */
    CUT = 4,       /* its last byte is missing */
    BAD_SIZES = 8, /* what the batches' payloads hold is as the input has it */
};

/* ---- making files ---------------------------------------------------------------------------- */

static void write_file(struct files *files, const char *name, struct bytes bytes)
{
    struct file *file;
    check(files->ops->open(files, name, FILE_WRITE, &file) == STATUS_OK);
    check(file->ops->write(file, 0, bytes) == STATUS_OK);
    check(file->ops->sync(file) == STATUS_OK);
    file->ops->close(file);
}

/* A batch of the part's bytes: as records of up to 16 bytes each, or as a payload that claims as
 * many records as its first byte says. */
static void add_batch(struct buffer *segment, struct bytes part, bool bad_sizes, uint64_t position,
                      uint64_t synced)
{
    struct buffer batch = {0};
    uint32_t records = 0;
    memset(buffer_reserve(&batch, BATCH_HEADER_SIZE), 0, BATCH_HEADER_SIZE);
    buffer_commit(&batch, BATCH_HEADER_SIZE);
    if (bad_sizes) {
        records = fuzz_take_u8(&part);
        buffer_append_bytes(&batch, part);
    }
    while (!bad_sizes && part.size > 0) {
        size_t name = 1 + (unsigned char)part.data[0] % 16, row = part.size;
        name = name < part.size ? name : part.size;
        row = row - name < 16 ? row - name : 16;
        char sizes[2 * VARINT_MAX];
        buffer_append(&batch, sizes, (size_t)(pack_varint(pack_varint(sizes, name), row) - sizes));
        buffer_append(&batch, part.data, name + row);
        part = bytes_of(part.data + name + row, part.size - name - row);
        records++;
    }
    batch_seal(buffer_bytes(&batch), records, position, synced);
    buffer_append_bytes(segment, buffer_bytes(&batch));
    buffer_deinit(&batch);
}

/* One segment at `start`. Returns the position behind it. */
static uint64_t add_segment(struct files *files, uint64_t start, struct bytes *input)
{
    char name[SEGMENT_NAME_SIZE], header[SEGMENT_HEADER_SIZE];
    struct buffer segment = {0};
    uint8_t how = fuzz_take_u8(input);
    uint64_t position = start;
    segment_name(start, name);
    if (how & RAW) {
        buffer_append_bytes(&segment, fuzz_take_part(input));
    } else {
        segment_header_make(start, actor_of(NODE, 1), header);
        buffer_append(&segment, header, sizeof(header));
        for (unsigned i = how >> 4; i > 0 && input->size > 0; i--) {
            size_t before = buffer_size(&segment);
            uint8_t synced = fuzz_take_u8(input);
            add_batch(&segment, fuzz_take_part(input), how & BAD_SIZES, position,
                      synced < position ? synced : position);
            position += buffer_size(&segment) - before;
        }
    }
    if (how & CUT && buffer_size(&segment) > 0)
        buffer_truncate(&segment, buffer_size(&segment) - 1);
    write_file(files, name, buffer_bytes(&segment));
    buffer_deinit(&segment);
    return position + (how & GAP ? 1 : 0);
}

static void make_files(struct files *files, struct sim_files *disk, struct bytes input)
{
    uint64_t position = 0;
    char name[SEGMENT_NAME_SIZE];
    uint8_t flips = fuzz_take_u8(&input), synced = fuzz_take_u8(&input);
    uint8_t changes[2 * 4];
    flips = flips % 5;
    for (unsigned i = 0; i < 2u * flips; i++)
        changes[i] = fuzz_take_u8(&input);
    for (unsigned i = 0; i < SEGMENTS_MAX && input.size > 0; i++)
        position = add_segment(files, position, &input);
    if (synced) {
        char text[SYNCED_SIZE];
        synced_make(synced == 255 ? position : synced, text);
        write_file(files, SYNCED_NAME, bytes_of(text, sizeof(text)));
    }
    segment_name(0, name);
    for (unsigned i = 0; i < flips; i++) {
        uint64_t size = 0;
        struct file *file;
        if (files->ops->open(files, name, FILE_READ, &file) != STATUS_OK)
            return;
        check(file->ops->size(file, &size) == STATUS_OK);
        file->ops->close(file);
        if (changes[2 * i] < size)
            sim_files_flip_bit(disk, name, changes[2 * i], changes[2 * i + 1] % 8);
    }
}

/* ---- what must hold -------------------------------------------------------------------------- */

struct heard {
    struct buffer records; /* sizes and bytes */
    uint64_t count;
    struct buffer expected; /* the names that come next, one behind the other */
};

static void expect(void *context, const struct bytes *names, size_t count)
{
    struct heard *heard = context;
    check(count <= LOG_EXPECTED_MAX && buffer_size(&heard->expected) == 0);
    for (size_t i = 0; i < count; i++)
        buffer_append_bytes(&heard->expected, names[i]);
}

static enum status hear(void *context, actor_t actor, struct bytes name, struct bytes row)
{
    struct heard *heard = context;
    (void)actor;
    if (buffer_size(&heard->expected) > 0) {
        check(bytes_starts_with(buffer_bytes(&heard->expected), name));
        buffer_consume(&heard->expected, name.size);
    }
    buffer_printf(&heard->records, "%zu,%zu:", name.size, row.size);
    buffer_append_bytes(&heard->records, name);
    buffer_append_bytes(&heard->records, row);
    heard->count++;
    return STATUS_OK;
}

static enum status open_log(struct files *files, struct workers *workers, struct heard *heard,
                            struct log_recovery *found)
{
    struct log *log;
    struct buffer error = {0};
    struct log_replay replay = {.row = hear, .context = heard, .expect = expect};
    enum status status = log_open(files, workers, 0, found, &log, &error);
    check((status == STATUS_OK) == (buffer_size(&error) == 0));
    if (status == STATUS_OK) {
        check(log_replay(log, &replay, &error) == STATUS_OK);
        check(heard->count == found->records && log_position(log) == found->end);
        check(buffer_size(&heard->expected) == 0);
        log_free(log);
    }
    buffer_deinit(&heard->expected);
    buffer_deinit(&error);
    return status;
}

/* Records come in order, so what opening heard stands somewhere in what is salvaged. */
static void check_salvage(struct files *files, struct heard *salvaged)
{
    struct log_recovery found;
    struct buffer report = {0};
    struct log_replay replay = {.row = hear, .context = salvaged};
    enum status status = log_salvage(files, 0, &replay, &found, &report);
    check(status == STATUS_OK || status == STATUS_VERSION);
    check(status != STATUS_OK || found.records == salvaged->count);
    buffer_deinit(&report);
}

static void check_log(struct files *files, struct sim_files *disk, struct workers *workers)
{
    struct heard salvaged = {0}, first = {0}, second = {0};
    struct log_recovery seen = {0}, found = {0}, again = {0};
    struct buffer report = {0};
    uint64_t before = sim_files_digest(disk);
    enum status verified = log_verify(files, 0, &seen, &report);
    check_salvage(files, &salvaged);
    check(sim_files_digest(disk) == before);
    enum status opened = open_log(files, workers, &first, &found);
    check(opened == verified);
    if (opened == STATUS_OK) {
        struct bytes all = buffer_bytes(&salvaged.records), some = buffer_bytes(&first.records);
        check(some.size == 0 || memmem(all.data, all.size, some.data, some.size) != NULL);
        check(found.records == seen.records && found.end == seen.end);
        check(open_log(files, workers, &second, &again) == STATUS_OK && again.lost_bytes == 0);
        check(again.records == found.records && again.end == found.end);
        check(bytes_equal(some, buffer_bytes(&second.records)));
    } else {
        check(sim_files_digest(disk) == before);
    }
    buffer_deinit(&report);
    buffer_deinit(&salvaged.records);
    buffer_deinit(&first.records);
    buffer_deinit(&second.records);
}

void fuzz_one(struct bytes input)
{
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct sim_workers *workers = sim_workers_new(1);
    make_files(sim_files_interface(disk), disk, input);
    check_log(sim_files_interface(disk), disk, sim_workers_interface(workers));
    sim_workers_free(workers);
    sim_files_free(disk);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    /* flips, synced, then segments: how, and batches: synced, size, bytes */
    seed(context, BYTES("\0\0"));
    seed(context, BYTES("\0\xff\x20\0\0\x05hello\0\0\x1f"
                        "one two three four five six sev"));
    seed(context, BYTES("\0\x01\x10\0\0\x05hello\x12\0\0\x05world\x10\0\0\x03"
                        "abc"));
    seed(context, BYTES("\x01\0\x45\x02\x20\0\0\x05hello\x29\0\x03"
                        "abc"));
    seed(context, BYTES("\0\0\x34\0\0\x05hello\0\0\x01x\0\0\x02yz"));
    seed(context, BYTES("\0\0\x18\0\0\x08\x02\x01\x01kr\x01\x01q"));
    seed(context, BYTES("\0\0\x01\0\x20SHOALLOG\x01\0\0\0\0\0\0\0"));
}
