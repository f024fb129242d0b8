/* SPDX-License-Identifier: MIT */
/* One contract, two disks: each test runs on a real directory and on the simulated one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/sim_files.h"
#include "store/files.h"

static char root[] = "/tmp/test_files.XXXXXX";

static struct files *open_real(const char *path)
{
    struct files *files;
    struct buffer error = {0};
    assert_int_equal(files_posix_open(path, &files, &error), STATUS_OK);
    assert_int_equal(buffer_size(&error), 0);
    return files;
}

/* A directory of its own for each test, two levels deep: both are made. */
static int setup_real(void **state)
{
    static unsigned number;
    char path[64];
    snprintf(path, sizeof(path), "%s/%u/data", root, number++);
    *state = open_real(path);
    return 0;
}

static int setup_sim(void **state)
{
    *state = sim_files_interface(sim_files_new(1, SIM_FILES_UNLIMITED));
    return 0;
}

static int teardown(void **state)
{
    struct files *files = *state;
    files->ops->free(files);
    return 0;
}

static struct file *open_file(struct files *files, const char *name)
{
    struct file *file;
    assert_int_equal(files->ops->open(files, name, FILE_WRITE, &file), STATUS_OK);
    return file;
}

static uint64_t size_of(struct file *file)
{
    uint64_t size;
    assert_int_equal(file->ops->size(file, &size), STATUS_OK);
    return size;
}

static void expect_content(struct file *file, uint64_t at, size_t size, struct bytes expected)
{
    char room[64];
    size_t count;
    assert_int_equal(file->ops->read(file, at, room, size, &count), STATUS_OK);
    assert_true(bytes_equal(bytes_of(room, count), expected));
}

static void test_what_is_written_is_read(void **state)
{
    struct files *files = *state;
    struct file *file = open_file(files, "a");
    assert_int_equal(file->ops->write(file, 0, BYTES("hello")), STATUS_OK);
    assert_int_equal(file->ops->write(file, 8, BYTES("world")), STATUS_OK);
    assert_int_equal(file->ops->write(file, 1, BYTES("a")), STATUS_OK);
    assert_int_equal(size_of(file), 13);
    expect_content(file, 0, 13, BYTES("hallo\0\0\0world"));
    expect_content(file, 10, 20, BYTES("rld"));
    expect_content(file, 13, 20, BYTES(""));
    expect_content(file, 50, 20, BYTES(""));
    assert_int_equal(file->ops->sync(file), STATUS_OK);
    file->ops->close(file);
    assert_int_equal(files->ops->open(files, "a", FILE_READ, &file), STATUS_OK);
    expect_content(file, 8, 5, BYTES("world"));
    file->ops->close(file);
}

static void test_reserved_room_is_zeros(void **state)
{
    struct files *files = *state;
    struct file *file = open_file(files, "a");
    assert_int_equal(file->ops->write(file, 0, BYTES("abc")), STATUS_OK);
    assert_int_equal(file->ops->reserve(file, 100 * 1000), STATUS_OK);
    assert_int_equal(size_of(file), 100 * 1000);
    expect_content(file, 0, 5, BYTES("abc\0\0"));
    assert_int_equal(file->ops->reserve(file, 10), STATUS_OK); /* never less */
    assert_int_equal(size_of(file), 100 * 1000);
    assert_int_equal(file->ops->truncate(file, 2), STATUS_OK);
    assert_int_equal(file->ops->reserve(file, 4), STATUS_OK);
    expect_content(file, 0, 10, BYTES("ab\0\0"));
    file->ops->close(file);
}

static void test_names(void **state)
{
    struct files *files = *state;
    struct file *file;
    assert_int_equal(files->ops->open(files, "absent", FILE_READ, &file), STATUS_ABSENT);
    assert_int_equal(files->ops->remove(files, "absent"), STATUS_ABSENT);
    assert_int_equal(files->ops->rename(files, "absent", "b"), STATUS_ABSENT);
    static const char *const names[] = {"c", "a", "d", "b"};
    for (unsigned i = 0; i < 4; i++) {
        file = open_file(files, names[i]);
        assert_int_equal(file->ops->write(file, 0, bytes_text(names[i])), STATUS_OK);
        file->ops->close(file);
    }
    assert_int_equal(files->ops->rename(files, "a", "d"), STATUS_OK); /* replaces it */
    assert_int_equal(files->ops->remove(files, "b"), STATUS_OK);
    assert_int_equal(files->ops->sync_directory(files), STATUS_OK);
    struct buffer list = {0};
    assert_int_equal(files->ops->list(files, &list), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&list), BYTES("c\0d\0")));
    buffer_deinit(&list);
    file = open_file(files, "d");
    expect_content(file, 0, 10, BYTES("a"));
    file->ops->close(file);
}

static void test_a_removed_file_can_be_used_while_open(void **state)
{
    struct files *files = *state;
    struct file *file = open_file(files, "a");
    assert_int_equal(files->ops->remove(files, "a"), STATUS_OK);
    assert_int_equal(files->ops->sync_directory(files), STATUS_OK);
    assert_int_equal(file->ops->write(file, 0, BYTES("still")), STATUS_OK);
    assert_int_equal(file->ops->sync(file), STATUS_OK);
    expect_content(file, 0, 5, BYTES("still"));
    file->ops->close(file);
}

static void test_read_all_and_replace(void **state)
{
    struct files *files = *state;
    struct buffer text = {0};
    buffer_append_bytes(&text, BYTES("so: "));
    assert_int_equal(files_read_all(files, "a", 10, &text), STATUS_ABSENT);
    assert_int_equal(files_replace(files, "a", BYTES("0123456789")), STATUS_OK);
    assert_int_equal(files_read_all(files, "a", 9, &text), STATUS_TOO_BIG);
    assert_int_equal(files_read_all(files, "a", 10, &text), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&text), BYTES("so: 0123456789")));
    assert_int_equal(files_replace(files, "a", BYTES("new")), STATUS_OK);
    buffer_clear(&text, 0);
    assert_int_equal(files_read_all(files, "a", 10, &text), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&text), BYTES("new")));
    buffer_clear(&text, 0);
    assert_int_equal(files->ops->list(files, &text), STATUS_OK);
    assert_true(bytes_equal(buffer_bytes(&text), BYTES("a\0")));
    buffer_deinit(&text);
}

/* ---- the real one ---------------------------------------------------------------------------- */

static void test_one_process_at_a_time(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "%s/locked", root);
    struct files *first = open_real(path);
    struct files *second = open_real(path);
    uint64_t mark, same_mark, untouched = 7;
    assert_int_equal(first->ops->lock(first, &mark), STATUS_OK);
    assert_int_equal(second->ops->lock(second, &untouched), STATUS_LOCKED);
    assert_int_equal(untouched, 7);
    first->ops->free(first);
    assert_int_equal(second->ops->lock(second, &same_mark), STATUS_OK);
    assert_int_equal(mark, same_mark);
    second->ops->free(second);
}

static void test_a_copy_has_another_mark(void **state)
{
    (void)state;
    char from[64], to[64], command[256];
    snprintf(from, sizeof(from), "%s/original", root);
    snprintf(to, sizeof(to), "%s/copy", root);
    uint64_t mark, copied_mark;
    struct files *files = open_real(from);
    assert_int_equal(files->ops->lock(files, &mark), STATUS_OK);
    snprintf(command, sizeof(command), "cp -a %s %s", from, to);
    assert_int_equal(system(command), 0);
    struct files *copy = open_real(to);
    assert_int_equal(copy->ops->lock(copy, &copied_mark), STATUS_OK);
    assert_true(mark != copied_mark);
    copy->ops->free(copy);
    files->ops->free(files);
}

static void test_a_bad_directory_is_told(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "%s/plain", root);
    int descriptor = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(descriptor >= 0);
    close(descriptor);
    struct files *files = NULL;
    struct buffer error = {0};
    assert_int_equal(files_posix_open(path, &files, &error), STATUS_IO);
    assert_null(files);
    assert_non_null(memmem(error.block, error.end, path, strlen(path)));
    buffer_deinit(&error);
    snprintf(path, sizeof(path), "%s/plain/below", root);
    assert_int_equal(files_posix_open(path, &files, &error), STATUS_IO);
    assert_null(files);
    buffer_deinit(&error);
}

static void test_the_directory_is_private(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "%s/private", root);
    struct files *files = open_real(path);
    struct stat stat_of_it;
    assert_int_equal(stat(path, &stat_of_it), 0);
    assert_int_equal(stat_of_it.st_mode & 07, 0);
    files->ops->free(files);
}

/* ---- the simulated one ----------------------------------------------------------------------- */

/* Writes an old text durably and a new one not, then cuts the power: what is left? */
static void after_power_cut(uint64_t seed, struct buffer *out_text)
{
    struct sim_files *disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct file *file = open_file(files, "a");
    assert_int_equal(file->ops->write(file, 0, BYTES("old old old")), STATUS_OK);
    assert_int_equal(file->ops->sync(file), STATUS_OK);
    assert_int_equal(files->ops->sync_directory(files), STATUS_OK);
    assert_int_equal(file->ops->write(file, 0, BYTES("NEW NEW NEW")), STATUS_OK);
    sim_files_power_cut(disk);
    assert_int_equal(file->ops->write(file, 0, BYTES("dead")), STATUS_IO);
    file->ops->close(file);
    assert_int_equal(files_read_all(files, "a", 100, out_text), STATUS_OK);
    sim_files_free(disk);
}

static void test_a_power_cut_keeps_loses_and_tears(void **state)
{
    (void)state;
    unsigned kept = 0, lost = 0, torn = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct buffer text = {0}, again = {0};
        after_power_cut(seed, &text);
        after_power_cut(seed, &again);
        assert_true(bytes_equal(buffer_bytes(&text), buffer_bytes(&again))); /* deterministic */
        bool is_new = bytes_equal(buffer_bytes(&text), BYTES("NEW NEW NEW"));
        bool is_old = bytes_equal(buffer_bytes(&text), BYTES("old old old"));
        kept += is_new;
        lost += is_old;
        torn += !is_new && !is_old;
        buffer_deinit(&text);
        buffer_deinit(&again);
    }
    assert_true(kept > 20 && lost > 20 && torn > 20);
}

static void test_replace_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    unsigned olds = 0, news = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct sim_files *disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
        struct files *files = sim_files_interface(disk);
        assert_int_equal(files_replace(files, "a", BYTES("old")), STATUS_OK);
        sim_files_halt_after(disk, seed % 8);
        enum status status = files_replace(files, "a", BYTES("new"));
        sim_files_power_cut(disk);
        struct buffer text = {0};
        assert_int_equal(files_read_all(files, "a", 100, &text), STATUS_OK);
        bool is_new = bytes_equal(buffer_bytes(&text), BYTES("new"));
        assert_true(is_new || bytes_equal(buffer_bytes(&text), BYTES("old")));
        assert_true(is_new || status != STATUS_OK);
        olds += !is_new;
        news += is_new && status != STATUS_OK;
        buffer_deinit(&text);
        sim_files_free(disk);
    }
    assert_true(olds > 50 && news > 5);
}

static void test_a_full_disk_has_room_for_what_was_reserved(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, 100);
    struct file *file = open_file(sim_files_interface(disk), "a");
    assert_int_equal(file->ops->reserve(file, 101), STATUS_DISK_FULL);
    assert_int_equal(file->ops->reserve(file, 90), STATUS_OK);
    struct file *other = open_file(sim_files_interface(disk), "b");
    assert_int_equal(other->ops->write(other, 0, BYTES("12345678901")), STATUS_DISK_FULL);
    assert_int_equal(other->ops->write(other, 0, BYTES("1234567890")), STATUS_OK);
    assert_int_equal(file->ops->write(file, 80, BYTES("1234567890")), STATUS_OK);
    assert_int_equal(file->ops->truncate(file, 0), STATUS_OK);
    assert_int_equal(sim_files_used(disk), 10);
    file->ops->close(file);
    other->ops->close(other);
    sim_files_free(disk);
}

#define ON_BOTH(test)                                                                              \
    {#test " (real)", test, setup_real, teardown, NULL},                                           \
    {                                                                                              \
#test " (simulated)", test, setup_sim, teardown, NULL                                      \
    }

int main(void)
{
    if (!mkdtemp(root))
        return 1;
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_what_is_written_is_read),
        ON_BOTH(test_reserved_room_is_zeros),
        ON_BOTH(test_names),
        ON_BOTH(test_a_removed_file_can_be_used_while_open),
        ON_BOTH(test_read_all_and_replace),
        cmocka_unit_test(test_one_process_at_a_time),
        cmocka_unit_test(test_a_copy_has_another_mark),
        cmocka_unit_test(test_a_bad_directory_is_told),
        cmocka_unit_test(test_the_directory_is_private),
        cmocka_unit_test(test_a_power_cut_keeps_loses_and_tears),
        cmocka_unit_test(test_replace_leaves_the_old_or_the_new),
        cmocka_unit_test(test_a_full_disk_has_room_for_what_was_reserved),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command) == 0 ? failed : 1;
}
