/* SPDX-License-Identifier: MIT */
/*
 * Random worlds for the log: several lives on one disk, each ended by a crash, a power cut, an
 * error or a flipped bit at any step. The world remembers every record that it gave to the log and
 * what the log said of it; after each start the replay must be just that. Fails with the seed;
 * `test_log_recovery SEED` tells that world's story.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/pack.h"
#include "base/random.h"
#include "sim/sim_files.h"
#include "sim/sim_workers.h"
#include "store/log.h"
#include "store/log_segment.h"

enum {
    WORLDS = 10000,
    LIVES_MAX = 6,
    STEPS_MAX = 60,
    RECORDS_MAX = 20000,
    NODE = 0xabc,
};

struct record {
    uint64_t number;    /* unique; name and row come from it */
    uint64_t batch_end; /* position behind its batch; 0 while not written */
    actor_t actor;
};

/* What happened in all worlds together: a test in which nothing happens proves nothing. */
struct seen {
    unsigned starts, records, lost_tails, corruptions, flipped_tails, harmless_flips;
    unsigned died_starting, died_living, errors, full_disks, removed_segments;
};

struct world {
    uint64_t seed;
    struct random random;
    bool trace;
    struct sim_files *disk;
    struct files *files;
    struct sim_workers *workers;
    struct log *log; /* NULL while no process runs */
    uint64_t now_ms;
    uint16_t epoch;

    struct record *records; /* those that may be in the log, in order */
    size_t count;
    size_t written; /* of them: given to log_write */
    uint64_t numbers;
    uint64_t sealed;       /* position that the ordered tier holds */
    uint64_t must_written; /* position that survives a process crash */
    uint64_t must_synced;  /* position that survives a power cut */

    size_t next;    /* of the records: expected in the replay */
    bool salvaging; /* records may be skipped, and have no actor */
    size_t replayed;
    struct seen *seen;
};

#define story(world, ...)                                                                          \
    do {                                                                                           \
        if ((world)->trace) {                                                                      \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

#define expect(world, condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("seed %" PRIu64 ": ", (world)->seed);                                           \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static uint64_t draw(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

/* ---- records --------------------------------------------------------------------------------- */

/*
 * A client's value may well be a whole batch, with a bold claim: only its place shows that it is
 * none of the log's.
 */
static void make_forged_batch(uint64_t number, struct buffer *out_row)
{
    static const char payload[] = "\1\1xy";
    char batch[BATCH_HEADER_SIZE + sizeof(payload) - 1];
    memcpy(batch + BATCH_HEADER_SIZE, payload, sizeof(payload) - 1);
    batch_seal(bytes_of(batch, sizeof(batch)), 1, number << 32, number << 32);
    buffer_append(out_row, batch, sizeof(batch));
}

/*
 * Sizes around everything that matters: empty rows, batches, the first reservations, the reader's
 * window.
 */
static void make_record(uint64_t number, struct buffer *out_name, struct buffer *out_row)
{
    struct random random = {number * 0x1234567};
    buffer_printf(out_name, "record %" PRIu64, number);
    if (random_once_in(&random, 10))
        make_forged_batch(number, out_row);
    uint64_t size = random_below(&random, 200);
    if (random_once_in(&random, 30))
        size = random_below(&random, 100 * 1000);
    if (random_once_in(&random, 2000))
        size = random_below(&random, 3 * 1024 * 1024);
    char *row = buffer_reserve(out_row, size + 8);
    for (uint64_t i = 0; i < size; i += 8)
        pack_u64(row + i, random_once_in(&random, 3) ? 0 : random_next(&random));
    buffer_commit(out_row, size);
}

static bool is_record(uint64_t number, struct bytes name, struct bytes row)
{
    struct buffer expected_name = {0}, expected_row = {0};
    make_record(number, &expected_name, &expected_row);
    bool same = bytes_equal(buffer_bytes(&expected_name), name) &&
                bytes_equal(buffer_bytes(&expected_row), row);
    buffer_deinit(&expected_name);
    buffer_deinit(&expected_row);
    return same;
}

/* The first record behind a position. */
static size_t index_behind(const struct world *world, uint64_t position)
{
    size_t index = 0;
    while (index < world->written && world->records[index].batch_end <= position)
        index++;
    return index;
}

/* Where the batch that holds a position begins. */
static uint64_t batch_begin(const struct world *world, uint64_t position)
{
    size_t index = index_behind(world, position);
    return index == 0 ? 0 : world->records[index - 1].batch_end;
}

static enum status on_row(void *context, actor_t actor, struct bytes name, struct bytes row)
{
    struct world *world = context;
    while (world->salvaging && world->next < world->written &&
           !is_record(world->records[world->next].number, name, row))
        world->next++;
    expect(world, world->next < world->written, "replayed a record too many: %.*s", (int)name.size,
           name.data);
    const struct record *record = &world->records[world->next++];
    world->replayed++;
    expect(world, is_record(record->number, name, row), "replayed %.*s instead of %" PRIu64,
           (int)name.size, name.data, record->number);
    expect(world, actor == record->actor || (world->salvaging && actor == 0),
           "record %" PRIu64 " has a wrong actor", record->number);
    return STATUS_OK;
}

/* ---- a start --------------------------------------------------------------------------------- */

static void check_replay(struct world *world, const struct log_recovery *recovery)
{
    size_t first = index_behind(world, world->sealed);
    size_t must = index_behind(world, world->must_written);
    expect(world, world->next >= must, "lost records: %zu of %zu replayed", world->next, must);
    uint64_t end = world->next > first ? world->records[world->next - 1].batch_end : world->sealed;
    expect(world, world->next == world->written || world->records[world->next].batch_end != end,
           "half a batch was replayed");
    expect(world, recovery->end == end, "the log ends at %" PRIu64 ", not %" PRIu64, recovery->end,
           end);
    expect(world, recovery->records == world->next - first, "counts %" PRIu64 " records",
           recovery->records);
    world->seen->starts++;
    world->seen->records += (unsigned)recovery->records;
    world->seen->lost_tails += recovery->lost_bytes > 0;
    story(world,
          "  %" PRIu64 " records in %" PRIu64 " batches up to %" PRIu64 ", %" PRIu64 " bytes lost",
          recovery->records, recovery->batches, recovery->end, recovery->lost_bytes);
}

static enum status verify(struct world *world)
{
    struct log_recovery recovery;
    struct buffer report = {0};
    uint64_t digest = sim_files_digest(world->disk);
    enum status status = log_verify(world->files, world->sealed, &recovery, &report);
    expect(world, digest == sim_files_digest(world->disk), "log_verify changed something");
    story(world, "verify: %s %.*s", status_text(status), (int)buffer_size(&report),
          buffer_size(&report) ? buffer_bytes(&report).data : "");
    expect(world, status != STATUS_CORRUPT || buffer_size(&report) > 0, "no report");
    buffer_deinit(&report);
    return status;
}

/*
 * Opens the log and checks what it says. STATUS_OK: the world goes on with it; else nothing has
 * changed.
 */
static enum status open_log(struct world *world)
{
    struct log_replay replay = {.row = on_row, .context = world};
    struct log_recovery recovery;
    struct buffer error = {0};
    world->next = index_behind(world, world->sealed);
    uint64_t digest = sim_files_digest(world->disk);
    enum status status = log_open(world->files, sim_workers_interface(world->workers),
                                  world->sealed, &recovery, &world->log, &error);
    if (status == STATUS_OK)
        status = log_replay(world->log, &replay, &error);
    story(world, "open: %s %.*s", status_text(status), (int)buffer_size(&error),
          buffer_size(&error) ? buffer_bytes(&error).data : "");
    expect(world, (status == STATUS_OK) == (buffer_size(&error) == 0), "an error and its reason");
    buffer_deinit(&error);
    if (status == STATUS_CORRUPT)
        expect(world, digest == sim_files_digest(world->disk), "a damaged log was changed");
    if (status != STATUS_OK)
        return status;
    check_replay(world, &recovery);
    expect(world, log_synced(world->log) == recovery.end, "what was replayed is not synced");
    world->count = world->written = world->next;
    world->must_written = world->must_synced = recovery.end;
    return status;
}

/* ---- one life -------------------------------------------------------------------------------- */

static void observe(struct world *world)
{
    uint64_t synced = log_synced(world->log);
    expect(world, synced >= world->must_synced, "the synced position went back");
    expect(world, synced <= log_written(world->log), "synced what is not written");
    world->must_synced = synced;
    world->must_written = log_written(world->log);
}

static bool step_append(struct world *world)
{
    struct buffer name = {0}, row = {0};
    uint64_t number = ++world->numbers;
    make_record(number, &name, &row);
    size_t size = buffer_size(&name) + buffer_size(&row);
    enum status status = log_reserve(world->log, size, 1);
    if (status == STATUS_OK && world->count < RECORDS_MAX) {
        log_append(world->log, buffer_bytes(&name), buffer_bytes(&row));
        world->records[world->count++] = (struct record){number, 0, actor_of(NODE, world->epoch)};
        story(world, "append %" PRIu64 " of %zu bytes", number, size);
    }
    buffer_deinit(&name);
    buffer_deinit(&row);
    expect(world, status == STATUS_OK || status == STATUS_DISK_FULL || log_failed(world->log),
           "reserving: %s", status_text(status));
    world->seen->full_disks += status == STATUS_DISK_FULL;
    return status == STATUS_OK || status == STATUS_DISK_FULL;
}

static bool step_write(struct world *world)
{
    uint64_t end = log_position(world->log);
    for (size_t i = world->written; i < world->count; i++)
        world->records[i].batch_end = end;
    world->written = world->count;
    enum status status = log_write(world->log);
    story(world, "write up to %" PRIu64 ": %s", end, status_text(status));
    expect(world, status != STATUS_OK || log_written(world->log) == end, "a wrong position");
    return status == STATUS_OK;
}

static bool step_rotate(struct world *world)
{
    if (!step_write(world))
        return false;
    enum status status = log_rotate(world->log);
    story(world, "rotate at %" PRIu64 ": %s", log_written(world->log), status_text(status));
    if (status == STATUS_OK && draw(world, 2) == 0) {
        world->sealed = log_written(world->log);
        story(world, "sealed up to %" PRIu64, world->sealed);
    }
    return status == STATUS_OK || status == STATUS_DISK_FULL;
}

static bool step_stop(struct world *world)
{
    if (!step_write(world))
        return false;
    enum status status = log_sync_now(world->log);
    story(world, "sync now: %s", status_text(status));
    expect(world, status != STATUS_OK || log_synced(world->log) == log_written(world->log),
           "not all is synced");
    return status == STATUS_OK;
}

/* False: the process must end. */
static bool step(struct world *world)
{
    struct workers *workers = sim_workers_interface(world->workers);
    switch (draw(world, 16)) {
    case 0:
        return step_rotate(world);
    case 1: {
        uint64_t before = log_disk_bytes(world->log);
        log_remove_below(world->log, world->sealed);
        world->seen->removed_segments += log_disk_bytes(world->log) < before;
        story(world, "removed below %" PRIu64, world->sealed);
        return true;
    }
    case 2:
        log_set_sync(world->log, (enum log_sync)draw(world, 3));
        return true;
    case 3:
    case 4:
        world->now_ms += draw(world, 1500);
        log_tick(world->log, world->now_ms);
        return true;
    case 5:
    case 6:
        if (sim_workers_step(world->workers))
            story(world, "a sync has run");
        return true;
    case 7:
    case 8:
        if (workers->ops->poll(workers) > 0)
            story(world, "a sync is done: up to %" PRIu64, log_synced(world->log));
        return !log_failed(world->log);
    case 9:
        return draw(world, 4) != 0 || step_stop(world);
    case 10:
    case 11:
    case 12:
        return step_write(world);
    default:
        for (uint64_t more = draw(world, 5); more > 0; more--)
            if (!step_append(world))
                return false;
        return step_append(world);
    }
}

static void plan_faults(struct world *world)
{
    static const enum status errors[] = {STATUS_IO, STATUS_DISK_FULL};
    switch (draw(world, 6)) {
    case 0:
    case 1: {
        uint64_t changes = draw(world, 60);
        sim_files_halt_after(world->disk, changes);
        story(world, "(dies after %" PRIu64 " changes)", changes);
        break;
    }
    case 2: {
        enum sim_files_call call = (enum sim_files_call)draw(world, SIM_FILES_CALLS);
        uint64_t calls = draw(world, 20);
        enum status status = errors[draw(world, 2)];
        sim_files_fail(world->disk, call, calls, status);
        story(world, "(call %d fails after %" PRIu64 ": %s)", (int)call, calls,
              status_text(status));
        break;
    }
    default:
        break;
    }
}

static void end_process(struct world *world)
{
    bool halted = sim_files_halted(world->disk);
    world->seen->died_starting += halted && !world->log;
    world->seen->died_living += halted && world->log;
    world->seen->errors += !halted && world->log && log_failed(world->log);
    sim_workers_crash(world->workers);
    log_free(world->log);
    world->log = NULL;
    for (size_t i = world->written; i < world->count; i++)
        world->records[i].batch_end = 0;
    world->count = world->written; /* what was only in memory is gone */
    if (draw(world, 2) == 0) {
        story(world, "--- crash");
        sim_files_crash(world->disk);
    } else {
        story(world, "--- power cut");
        sim_files_power_cut(world->disk);
        world->must_written = world->must_synced;
    }
}

/* ---- a flipped bit --------------------------------------------------------------------------- */

struct flip {
    char name[SEGMENT_NAME_SIZE];
    uint64_t at;
    unsigned bit;
    uint64_t damage; /* position at which the log breaks off */
    bool harmless;   /* in what is not needed any more */
};

static uint64_t file_size(struct world *world, const char *name)
{
    struct file *file;
    uint64_t size = 0;
    expect(world, world->files->ops->open(world->files, name, FILE_READ, &file) == STATUS_OK,
           "open");
    expect(world, file->ops->size(file, &size) == STATUS_OK, "size");
    file->ops->close(file);
    return size;
}

/* Draws a segment and a place in it. False if there is no segment. */
static bool flip_draw(struct world *world, struct flip *out)
{
    uint64_t starts[256];
    size_t count = 0;
    struct buffer names = {0};
    expect(world, world->files->ops->list(world->files, &names) == STATUS_OK, "list");
    struct bytes list = buffer_bytes(&names);
    for (size_t at = 0; at < list.size && count < 256; at += strlen(list.data + at) + 1)
        count += segment_name_parse(list.data + at, &starts[count]);
    buffer_deinit(&names);
    if (count == 0)
        return false;
    size_t chosen = (size_t)draw(world, count);
    uint64_t start = starts[chosen];
    segment_name(start, out->name);
    uint64_t size = file_size(world, out->name);
    uint64_t written = world->must_written > start ? world->must_written - start : 0;
    uint64_t range = draw(world, 4) == 0 ? size : SEGMENT_HEADER_SIZE + written;
    if (range > size)
        range = size;
    if (range == 0)
        return false;
    out->at = draw(world, range);
    if (draw(world, 8) == 0)
        out->at = draw(world, range < SEGMENT_HEADER_SIZE ? range : SEGMENT_HEADER_SIZE);
    out->bit = (unsigned)draw(world, 8);
    bool in_header = out->at < SEGMENT_HEADER_SIZE;
    uint64_t position = in_header ? start : start + out->at - SEGMENT_HEADER_SIZE;
    uint64_t begin = batch_begin(world, position);
    out->damage = begin > start ? begin : start;
    if (out->damage < world->sealed)
        out->damage = world->sealed;
    uint64_t limit = chosen + 1 < count ? starts[chosen + 1] : UINT64_MAX;
    bool needed = in_header || (position >= world->sealed && position < limit);
    out->harmless = !needed || limit <= world->sealed;
    return true;
}

/* All but the batch that holds the flipped bit can be saved. */
static void check_salvage(struct world *world, const struct flip *flip)
{
    struct log_replay replay = {.row = on_row, .context = world};
    struct log_recovery recovery;
    struct buffer report = {0};
    size_t first = index_behind(world, world->sealed);
    size_t lost = 0;
    if (flip->at >= SEGMENT_HEADER_SIZE)
        for (size_t i = index_behind(world, flip->damage); i < world->written; i++)
            lost += world->records[i].batch_end ==
                    world->records[index_behind(world, flip->damage)].batch_end;
    world->next = first;
    world->replayed = 0;
    world->salvaging = true;
    uint64_t digest = sim_files_digest(world->disk);
    expect(world,
           log_salvage(world->files, world->sealed, &replay, &recovery, &report) == STATUS_OK,
           "salvage");
    world->salvaging = false;
    expect(world, digest == sim_files_digest(world->disk), "log_salvage changed something");
    size_t must = index_behind(world, world->must_written);
    expect(world, world->replayed + first + lost >= must, "salvaged only %zu of %zu, %zu lost",
           world->replayed, must - first, lost);
    buffer_deinit(&report);
}

/*
 * Damage below what is known to be durable is told, and nothing is changed; any other is a lost
 * tail.
 */
static void flip_and_open(struct world *world)
{
    struct flip flip;
    uint64_t known = 0;
    if (!flip_draw(world, &flip))
        return;
    expect(world, synced_read(world->files, &known) == STATUS_OK, "synced");
    sim_files_flip_bit(world->disk, flip.name, flip.at, flip.bit);
    story(world, "bit %u of %s at %" PRIu64 " flips; damage at %" PRIu64 ", durable up to %" PRIu64,
          flip.bit, flip.name, flip.at, flip.damage, known);
    uint64_t must = world->must_written;
    if (!flip.harmless && world->must_written > flip.damage)
        world->must_written = flip.damage;
    enum status verified = verify(world);
    enum status status = open_log(world);
    expect(world, verified == status, "verify says %s", status_text(verified));
    expect(world, status == STATUS_OK || status == STATUS_CORRUPT, "%s", status_text(status));
    if (!flip.harmless && flip.damage < known)
        expect(world, status == STATUS_CORRUPT, "damage of durable data was not told");
    if (flip.harmless || (flip.damage >= known && flip.damage >= world->must_synced))
        expect(world, status == STATUS_OK, "a lost tail was taken for damage");
    if (status == STATUS_OK) {
        world->seen->harmless_flips += flip.harmless;
        world->seen->flipped_tails += !flip.harmless;
        log_free(world->log);
        world->log = NULL;
        return;
    }
    world->seen->corruptions++;
    world->must_written = must;
    check_salvage(world, &flip);
    sim_files_flip_bit(world->disk, flip.name, flip.at, flip.bit);
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void live(struct world *world)
{
    plan_faults(world);
    enum status status = open_log(world);
    expect(world, status != STATUS_CORRUPT, "undamaged, but taken for damaged");
    if (status != STATUS_OK)
        return;
    world->epoch++;
    if (log_start(world->log, actor_of(NODE, world->epoch)) != STATUS_OK)
        return;
    log_set_sync(world->log, (enum log_sync)draw(world, 3));
    uint64_t steps = draw(world, STEPS_MAX);
    bool alive = true;
    for (uint64_t i = 0; i < steps && alive; i++) {
        alive = step(world);
        observe(world);
    }
}

static void run_world(uint64_t seed, bool trace, struct seen *seen)
{
    struct world world = {.seed = seed, .random = {seed}, .trace = trace, .seen = seen};
    uint64_t capacity = SIM_FILES_UNLIMITED;
    if (draw(&world, 4) == 0)
        capacity = draw(&world, 600 * 1000);
    world.disk = sim_files_new(random_next(&world.random), capacity);
    world.files = sim_files_interface(world.disk);
    world.workers = sim_workers_new(random_next(&world.random));
    world.records = memory_alloc(RECORDS_MAX * sizeof(*world.records));
    uint64_t lives = 1 + draw(&world, LIVES_MAX);
    for (uint64_t i = 0; i < lives; i++) {
        live(&world);
        end_process(&world);
        if (draw(&world, 3) == 0)
            flip_and_open(&world);
    }
    sim_files_set_capacity(world.disk, SIM_FILES_UNLIMITED);
    enum status verified = verify(&world);
    expect(&world, verified == STATUS_OK, "verify: %s", status_text(verified));
    expect(&world, open_log(&world) == STATUS_OK, "the last start");
    log_free(world.log);
    sim_workers_free(world.workers);
    sim_files_free(world.disk);
    memory_free(world.records);
}

static void test_random_worlds(void **state)
{
    (void)state;
    struct seen seen = {0};
    for (uint64_t seed = 1; seed <= WORLDS; seed++)
        run_world(seed, false, &seen);
    printf("%u starts, %u records replayed, %u lost tails; bits flipped: %u damage, %u tail, "
           "%u harmless; died %u starting, %u living; %u errors, %u full disks, %u removals\n",
           seen.starts, seen.records, seen.lost_tails, seen.corruptions, seen.flipped_tails,
           seen.harmless_flips, seen.died_starting, seen.died_living, seen.errors, seen.full_disks,
           seen.removed_segments);
    assert_true(seen.lost_tails > 0 && seen.corruptions > 0 && seen.flipped_tails > 0 &&
                seen.harmless_flips > 0 && seen.died_starting > 0 && seen.died_living > 0 &&
                seen.errors > 0 && seen.full_disks > 0 && seen.removed_segments > 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        struct seen seen = {0};
        run_world(strtoull(argv[1], NULL, 10), true, &seen);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
