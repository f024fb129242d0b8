/* SPDX-License-Identifier: MIT */
/* The log's contract, piece by piece. What crashes do to it: test_log_recovery.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/xxh.h"
#include "sim/sim_files.h"
#include "sim/sim_workers.h"
#include "store/log.h"
#include "store/log_segment.h"

#define ACTOR actor_of(0xabc, 3)

struct fixture {
    struct sim_files *disk;
    struct files *files;
    struct sim_workers *sim;
    struct workers *workers;
    struct log *log;
    struct log_recovery recovery;
    struct buffer replayed; /* "actor:name=row " of each record */
    struct buffer error;
};

static enum status on_row(void *context, actor_t actor, struct bytes name, struct bytes row)
{
    struct buffer *out = context;
    if (bytes_equal(row, BYTES("refuse")))
        return STATUS_INVALID;
    buffer_printf(out, "%llx:%.*s=%.*s ", (unsigned long long)actor, (int)name.size, name.data,
                  (int)row.size, row.data);
    return STATUS_OK;
}

static enum status open_at(struct fixture *f, uint64_t sealed)
{
    struct log_replay replay = {.row = on_row, .context = &f->replayed};
    buffer_clear(&f->replayed, 0);
    buffer_clear(&f->error, 0);
    enum status status = log_open(f->files, f->workers, sealed, &f->recovery, &f->log, &f->error);
    return status == STATUS_OK ? log_replay(f->log, &replay, &f->error) : status;
}

static void start(struct fixture *f)
{
    assert_int_equal(open_at(f, 0), STATUS_OK);
    assert_int_equal(log_start(f->log, ACTOR), STATUS_OK);
}

/* Ends the process as kill -9 would. */
static void crash(struct fixture *f)
{
    sim_workers_crash(f->sim);
    log_free(f->log);
    f->log = NULL;
    sim_files_crash(f->disk);
}

static void setup_seeded(struct fixture *f, uint64_t seed, uint64_t capacity)
{
    memset(f, 0, sizeof(*f));
    f->disk = sim_files_new(seed, capacity);
    f->files = sim_files_interface(f->disk);
    f->sim = sim_workers_new(1);
    f->workers = sim_workers_interface(f->sim);
    start(f);
}

static void setup_with(struct fixture *f, uint64_t capacity)
{
    setup_seeded(f, 1, capacity);
}

static void teardown(struct fixture *f)
{
    crash(f);
    sim_workers_free(f->sim);
    sim_files_free(f->disk);
    buffer_deinit(&f->replayed);
    buffer_deinit(&f->error);
}

static void append(struct fixture *f, const char *name, const char *row)
{
    assert_int_equal(log_reserve(f->log, strlen(name) + strlen(row), 1), STATUS_OK);
    log_append(f->log, bytes_text(name), bytes_text(row));
}

static void put(struct fixture *f, const char *name, const char *row)
{
    append(f, name, row);
    assert_int_equal(log_write(f->log), STATUS_OK);
}

/* A sync has run on its thread, and the core has heard of it. */
static void finish_sync(struct fixture *f)
{
    assert_true(sim_workers_step(f->sim));
    assert_int_equal(f->workers->ops->poll(f->workers), 1);
}

static void expect_replayed(struct fixture *f, const char *expected)
{
    assert_true(bytes_equal(buffer_bytes(&f->replayed), bytes_text(expected)));
}

static bool error_has(struct fixture *f, const char *text)
{
    struct bytes error = buffer_bytes(&f->error);
    return memmem(error.data, error.size, text, strlen(text)) != NULL;
}

static unsigned count_segments(struct fixture *f)
{
    struct buffer names = {0};
    unsigned count = 0;
    uint64_t position;
    assert_int_equal(f->files->ops->list(f->files, &names), STATUS_OK);
    for (size_t at = 0; at < names.end; at += strlen(names.block + at) + 1)
        count += segment_name_parse(names.block + at, &position);
    buffer_deinit(&names);
    return count;
}

/* ---- writing and reading --------------------------------------------------------------------- */

static void test_records_come_back_in_order(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    append(&f, "a", "1");
    append(&f, "b", "");
    assert_int_equal(log_written(f.log), 0);
    uint64_t position = log_position(f.log);
    assert_int_equal(position, 40 + 4 + 3);
    assert_int_equal(log_write(f.log), STATUS_OK);
    assert_int_equal(log_written(f.log), position);
    assert_int_equal(log_position(f.log), position);
    assert_int_equal(log_write(f.log), STATUS_OK); /* nothing to write */
    assert_int_equal(log_written(f.log), position);
    put(&f, "a", "2");
    append(&f, "c", "never written");
    crash(&f);
    assert_int_equal(open_at(&f, 0), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:b= abc0003:a=2 ");
    assert_int_equal(f.recovery.records, 3);
    assert_int_equal(f.recovery.batches, 2);
    assert_int_equal(f.recovery.lost_bytes, 0);
    assert_int_equal(log_start(f.log, actor_of(0xabc, 4)), STATUS_OK);
    put(&f, "d", "4");
    crash(&f);
    assert_int_equal(open_at(&f, 0), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:b= abc0003:a=2 abc0004:d=4 ");
    teardown(&f);
}

static void test_a_large_batch_is_read_in_pieces(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    enum { SIZE = 40 * 1000 * 1000 };
    char *row = memory_zeroed(SIZE);
    assert_int_equal(log_reserve(f.log, 1 + SIZE, 1), STATUS_OK);
    log_append(f.log, BYTES("a"), bytes_of(row, SIZE));
    memory_free(row);
    put(&f, "b", "2");
    crash(&f);
    struct log_recovery recovery;
    struct buffer report = {0};
    assert_int_equal(log_verify(f.files, 0, &recovery, &report), STATUS_OK);
    assert_int_equal(recovery.records, 2);
    assert_int_equal(buffer_size(&report), 0);
    teardown(&f);
}

static void test_a_record_that_is_refused_ends_the_replay(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    put(&f, "b", "refuse");
    put(&f, "c", "3");
    crash(&f);
    assert_int_equal(open_at(&f, 0), STATUS_INVALID);
    assert_true(error_has(&f, "position 44"));
    expect_replayed(&f, "abc0003:a=1 ");
    assert_int_equal(log_position(f.log), 44); /* behind the last batch that was taken */
    crash(&f);
    struct log_recovery recovery;
    struct buffer report = {0};
    assert_int_equal(log_verify(f.files, 0, &recovery, &report), STATUS_OK);
    assert_int_equal(recovery.records, 3); /* they are all still there */
    buffer_deinit(&report);
    teardown(&f);
}

struct trimmer {
    struct fixture *f;
    unsigned batches;
};

static enum status take_row(void *context, actor_t actor, struct bytes name, struct bytes row)
{
    return on_row(&((struct trimmer *)context)->f->replayed, actor, name, row);
}

static void trim_log(void *context)
{
    struct trimmer *trimmer = context;
    trimmer->batches++;
    log_remove_below(trimmer->f->log, log_position(trimmer->f->log));
}

/* As when they are sealed while the replay goes on. */
static void test_segments_may_go_while_they_are_replayed(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    put(&f, "b", "2");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "c", "3");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "d", "4");
    crash(&f);
    struct trimmer trimmer = {&f, 0};
    struct log_replay replay = {.row = take_row, .context = &trimmer, .batch = trim_log};
    assert_int_equal(log_open(f.files, f.workers, 0, &f.recovery, &f.log, &f.error), STATUS_OK);
    assert_int_equal(count_segments(&f), 3);
    assert_int_equal(log_position(f.log), 0);
    assert_int_equal(log_replay(f.log, &replay, &f.error), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:b=2 abc0003:c=3 abc0003:d=4 ");
    assert_int_equal(trimmer.batches, 4);
    assert_int_equal(count_segments(&f), 0);
    assert_int_equal(log_position(f.log), f.recovery.end);
    assert_int_equal(log_start(f.log, ACTOR), STATUS_OK);
    put(&f, "e", "5");
    crash(&f);
    assert_int_equal(open_at(&f, 4 * 44), STATUS_OK);
    expect_replayed(&f, "abc0003:e=5 ");
    teardown(&f);
}

static void test_what_no_batch_can_hold_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    assert_int_equal(log_reserve(f.log, LOG_BATCH_MAX, 1), STATUS_TOO_BIG);
    append(&f, "a", "1");
    uint64_t position = log_position(f.log);
    assert_int_equal(log_reserve(f.log, LOG_BATCH_MAX - 62, 1), STATUS_OK);
    assert_int_equal(log_written(f.log), position); /* what was there went first */
    put(&f, "b", "2");
    teardown(&f);
}

/* ---- syncing --------------------------------------------------------------------------------- */

static void test_everysec_syncs_once_a_second(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_set_sync(f.log, LOG_SYNC_EVERYSEC);
    log_tick(f.log, 5000);
    assert_int_equal(sim_workers_waiting(f.sim), 0); /* nothing to sync */
    put(&f, "a", "1");
    log_tick(f.log, 5001);
    finish_sync(&f);
    assert_int_equal(log_synced(f.log), log_written(f.log));
    put(&f, "a", "2");
    log_tick(f.log, 6000);
    assert_int_equal(sim_workers_waiting(f.sim), 0);
    log_tick(f.log, 6001);
    log_tick(f.log, 9001);
    assert_int_equal(sim_workers_waiting(f.sim), 1); /* one at a time */
    put(&f, "a", "3");
    finish_sync(&f);
    assert_true(log_synced(f.log) < log_written(f.log));
    teardown(&f);
}

static void test_always_commits_in_groups(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_set_sync(f.log, LOG_SYNC_ALWAYS);
    put(&f, "a", "1");
    uint64_t first = log_written(f.log);
    assert_int_equal(sim_workers_waiting(f.sim), 1);
    put(&f, "b", "2");
    put(&f, "c", "3");
    assert_int_equal(sim_workers_waiting(f.sim), 1);
    finish_sync(&f);
    assert_int_equal(log_synced(f.log), first); /* what it had promised, not what it met */
    assert_int_equal(sim_workers_waiting(f.sim), 1);
    finish_sync(&f);
    assert_int_equal(log_synced(f.log), log_written(f.log));
    assert_int_equal(sim_workers_waiting(f.sim), 0);
    teardown(&f);
}

static void test_no_leaves_it_to_the_system(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_set_sync(f.log, LOG_SYNC_NO);
    put(&f, "a", "1");
    log_tick(f.log, 1000 * 1000);
    assert_int_equal(sim_workers_waiting(f.sim), 0);
    assert_int_equal(log_sync_now(f.log), STATUS_OK);
    assert_int_equal(log_synced(f.log), log_written(f.log));
    teardown(&f);
}

static void test_a_failed_sync_is_final(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_set_sync(f.log, LOG_SYNC_ALWAYS);
    sim_files_fail(f.disk, SIM_FILES_SYNC, 0, STATUS_IO);
    put(&f, "a", "1");
    assert_false(log_failed(f.log));
    finish_sync(&f);
    assert_true(log_failed(f.log));
    assert_int_equal(log_synced(f.log), 0);
    assert_int_equal(sim_workers_waiting(f.sim), 0); /* not tried again */
    append(&f, "a", "2");
    assert_int_equal(log_write(f.log), STATUS_IO);
    assert_int_equal(log_rotate(f.log) == STATUS_OK, false);
    assert_int_equal(log_sync_now(f.log), STATUS_IO);
    teardown(&f);
}

static void test_a_failed_write_is_final(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    append(&f, "a", "1");
    sim_files_fail(f.disk, SIM_FILES_WRITE, 0, STATUS_DISK_FULL);
    assert_int_equal(log_write(f.log), STATUS_IO);
    assert_true(log_failed(f.log));
    assert_int_equal(log_write(f.log), STATUS_IO);
    teardown(&f);
}

/* ---- segments and room ----------------------------------------------------------------------- */

static void test_segments_come_and_go(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    assert_int_equal(log_rotate(f.log), STATUS_OK); /* nothing in it: it stays */
    assert_int_equal(count_segments(&f), 1);
    put(&f, "a", "1");
    uint64_t sealed = log_written(f.log);
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    assert_int_equal(log_disk_bytes(f.log), 64 + sealed + 64); /* the reserved room is given back */
    put(&f, "b", "2");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "c", "3");
    log_remove_below(f.log, sealed - 1);
    assert_int_equal(count_segments(&f), 3);
    log_remove_below(f.log, sealed);
    assert_int_equal(count_segments(&f), 2);
    assert_int_equal(log_synced(f.log), sealed); /* by the ordered tier */
    crash(&f);
    assert_int_equal(open_at(&f, sealed), STATUS_OK);
    expect_replayed(&f, "abc0003:b=2 abc0003:c=3 ");
    teardown(&f);
}

static void test_a_segment_may_go_while_it_is_synced(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_set_sync(f.log, LOG_SYNC_ALWAYS);
    put(&f, "a", "1");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    log_remove_below(f.log, log_written(f.log));
    assert_int_equal(count_segments(&f), 1);
    finish_sync(&f);
    put(&f, "b", "2");
    finish_sync(&f);
    crash(&f);
    assert_int_equal(open_at(&f, 44), STATUS_OK);
    expect_replayed(&f, "abc0003:b=2 ");
    teardown(&f);
}

static void test_a_full_disk_is_met_before_a_write_is_accepted(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 100 * 1000);
    unsigned records = 0;
    while (log_reserve(f.log, 1001, 1) == STATUS_OK) {
        log_append(f.log, BYTES("a"), bytes_of((char[1000]){0}, 1000));
        assert_int_equal(log_write(f.log), STATUS_OK);
        records++;
    }
    assert_true(records > 50 && records < 100);
    assert_int_equal(log_reserve(f.log, 1001, 1), STATUS_DISK_FULL);
    assert_false(log_failed(f.log));
    assert_int_equal(log_rotate(f.log), STATUS_OK); /* the unused room is enough for a new one */
    log_remove_below(f.log, log_written(f.log));
    assert_int_equal(log_reserve(f.log, 1001, 1), STATUS_OK); /* by itself */
    teardown(&f);
}

static void test_a_rotation_without_room_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    sim_files_fail(f.disk, SIM_FILES_RESERVE, 0, STATUS_DISK_FULL);
    assert_int_equal(log_rotate(f.log), STATUS_DISK_FULL);
    assert_int_equal(count_segments(&f), 1);
    put(&f, "b", "2");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "c", "3");
    crash(&f);
    assert_int_equal(open_at(&f, 0), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:b=2 abc0003:c=3 ");
    teardown(&f);
}

/*
 * The file that it began may come back after a power cut, and must not stand in the way of what was
 * written since.
 */
static void test_a_rotation_without_room_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture f;
        setup_seeded(&f, seed, SIM_FILES_UNLIMITED);
        put(&f, "a", "1");
        assert_int_equal(log_sync_now(f.log), STATUS_OK);
        sim_files_fail(f.disk, SIM_FILES_RESERVE, 0, STATUS_DISK_FULL);
        assert_int_equal(log_rotate(f.log), STATUS_DISK_FULL);
        put(&f, "b", "2");
        assert_int_equal(log_sync_now(f.log), STATUS_OK);
        crash(&f);
        sim_files_power_cut(f.disk);
        assert_int_equal(open_at(&f, 0), STATUS_OK);
        expect_replayed(&f, "abc0003:a=1 abc0003:b=2 ");
        teardown(&f);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void test_damage_is_told_and_what_is_whole_is_saved(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    put(&f, "b", "2");
    put(&f, "c", "3");
    assert_int_equal(log_sync_now(f.log), STATUS_OK);
    crash(&f);
    sim_files_flip_bit(f.disk, "log-0000000000000000", 64 + 44 + 42, 0); /* in the second batch */
    assert_int_equal(open_at(&f, 0), STATUS_CORRUPT);
    assert_true(error_has(&f, "log-0000000000000000, offset 108: a damaged batch"));
    assert_true(error_has(&f, "position 44"));
    struct log_recovery recovery;
    struct buffer report = {0};
    assert_int_equal(log_verify(f.files, 0, &recovery, &report), STATUS_CORRUPT);
    assert_non_null(memmem(report.block, report.end, "damaged from offset 108 to 152", 30));
    buffer_clear(&report, 0);
    buffer_clear(&f.replayed, 0);
    struct log_replay replay = {.row = on_row, .context = &f.replayed};
    assert_int_equal(log_salvage(f.files, 0, &replay, &recovery, &report), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:c=3 ");
    assert_int_equal(recovery.records, 2);
    assert_int_equal(recovery.lost_bytes, 44);
    buffer_deinit(&report);
    teardown(&f);
}

/*
 * A claim that was on its way to the disk when a tail was cut off must not come back and turn it
 * into damage.
 */
static void test_an_old_claim_does_not_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture f;
        setup_seeded(&f, seed, SIM_FILES_UNLIMITED);
        put(&f, "a", "1");
        put(&f, "b", "2");
        char claim[SYNCED_SIZE], nothing[SYNCED_SIZE] = {0};
        synced_make(log_written(f.log), claim);
        struct file *file;
        assert_int_equal(f.files->ops->open(f.files, SYNCED_NAME, FILE_WRITE, &file), STATUS_OK);
        assert_int_equal(file->ops->write(file, 0, bytes_of(claim, SYNCED_SIZE)), STATUS_OK);
        assert_int_equal(file->ops->write(file, 0, bytes_of(nothing, SYNCED_SIZE)), STATUS_OK);
        file->ops->close(file);
        crash(&f);
        sim_files_flip_bit(f.disk, "log-0000000000000000", 64 + 44 + 42, 0);
        assert_int_equal(open_at(&f, 0), STATUS_OK);
        expect_replayed(&f, "abc0003:a=1 ");
        assert_int_equal(f.recovery.lost_bytes, 44);
        crash(&f);
        sim_files_power_cut(f.disk);
        assert_int_equal(open_at(&f, 0), STATUS_OK);
        expect_replayed(&f, "abc0003:a=1 ");
        teardown(&f);
    }
}

static void test_a_missing_segment_is_told(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "b", "2");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    assert_int_equal(log_sync_now(f.log), STATUS_OK);
    put(&f, "c", "3");
    crash(&f);
    assert_int_equal(f.files->ops->remove(f.files, "log-000000000000002c"), STATUS_OK);
    assert_int_equal(f.files->ops->remove(f.files, SYNCED_NAME), STATUS_OK);
    assert_int_equal(open_at(&f, 0), STATUS_CORRUPT); /* a later batch knows */
    assert_true(error_has(&f, "a segment is missing at position 44"));
    teardown(&f);
}

static void test_another_format_is_told(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    put(&f, "a", "1");
    crash(&f);
    char header[SEGMENT_HEADER_SIZE];
    struct file *file;
    segment_header_make(0, ACTOR, header);
    header[8] = 9;
    uint64_t checksum = xxh64(bytes_of(header, 56));
    memcpy(header + 56, &checksum, 8);
    assert_int_equal(f.files->ops->open(f.files, "log-0000000000000000", FILE_WRITE, &file),
                     STATUS_OK);
    assert_int_equal(file->ops->write(file, 0, bytes_of(header, sizeof(header))), STATUS_OK);
    file->ops->close(file);
    assert_int_equal(open_at(&f, 0), STATUS_VERSION);
    teardown(&f);
}

static void test_a_real_directory(void **state)
{
    (void)state;
    char path[] = "/tmp/test_log.XXXXXX";
    assert_non_null(mkdtemp(path));
    struct fixture f;
    setup_with(&f, SIM_FILES_UNLIMITED);
    log_free(f.log);
    assert_int_equal(files_posix_open(path, &f.files, &f.error), STATUS_OK);
    start(&f);
    put(&f, "a", "1");
    assert_int_equal(log_rotate(f.log), STATUS_OK);
    put(&f, "b", "2");
    assert_int_equal(log_sync_now(f.log), STATUS_OK);
    put(&f, "c", "3");
    log_free(f.log);
    assert_int_equal(open_at(&f, 0), STATUS_OK);
    expect_replayed(&f, "abc0003:a=1 abc0003:b=2 abc0003:c=3 ");
    log_free(f.log);
    f.log = NULL;
    f.files->ops->free(f.files);
    teardown(&f);
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back_in_order),
        cmocka_unit_test(test_a_large_batch_is_read_in_pieces),
        cmocka_unit_test(test_a_record_that_is_refused_ends_the_replay),
        cmocka_unit_test(test_segments_may_go_while_they_are_replayed),
        cmocka_unit_test(test_what_no_batch_can_hold_is_refused),
        cmocka_unit_test(test_everysec_syncs_once_a_second),
        cmocka_unit_test(test_always_commits_in_groups),
        cmocka_unit_test(test_no_leaves_it_to_the_system),
        cmocka_unit_test(test_a_failed_sync_is_final),
        cmocka_unit_test(test_a_failed_write_is_final),
        cmocka_unit_test(test_segments_come_and_go),
        cmocka_unit_test(test_a_segment_may_go_while_it_is_synced),
        cmocka_unit_test(test_a_full_disk_is_met_before_a_write_is_accepted),
        cmocka_unit_test(test_a_rotation_without_room_changes_nothing),
        cmocka_unit_test(test_a_rotation_without_room_leaves_nothing),
        cmocka_unit_test(test_damage_is_told_and_what_is_whole_is_saved),
        cmocka_unit_test(test_an_old_claim_does_not_come_back),
        cmocka_unit_test(test_a_missing_segment_is_told),
        cmocka_unit_test(test_another_format_is_told),
        cmocka_unit_test(test_a_real_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
