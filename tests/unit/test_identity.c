/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/xxh.h"
#include "sim/sim_files.h"
#include "store/identity.h"

enum { MARK = 77 };

static enum status take(struct sim_files *disk, uint64_t mark, uint64_t random48,
                        struct identity *out, bool *out_was_clean)
{
    struct buffer error = {0};
    enum status status =
        identity_take(sim_files_interface(disk), mark, random48, out, out_was_clean, &error);
    assert_int_equal(status == STATUS_OK, buffer_size(&error) == 0);
    buffer_deinit(&error);
    return status;
}

static void must_take(struct sim_files *disk, uint64_t mark, uint64_t random48,
                      struct identity *out, bool was_clean)
{
    bool clean = !was_clean;
    assert_int_equal(take(disk, mark, random48, out, &clean), STATUS_OK);
    assert_int_equal(clean, was_clean);
    assert_int_equal(out->clean, false);
    assert_int_equal(out->mark, mark);
}

static void assert_former(const struct identity *identity, uint32_t at, uint64_t node,
                          uint16_t epoch)
{
    assert_true(at < identity->former.count);
    assert_int_equal(identity->former.dots[at].actor, actor_of(node, epoch));
    assert_int_equal(identity->former.dots[at].time, UINT64_MAX);
}

static void test_a_new_directory_is_a_new_node(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity;
    must_take(disk, MARK, 0xffff000000000abc, &identity, false);
    assert_int_equal(identity.node, 0xabc);
    assert_int_equal(identity.epoch, 1);
    assert_int_equal(identity.former.count, 0);
    identity_deinit(&identity);
    sim_files_free(disk);
}

static void test_after_a_clean_stop_who_is_alone_goes_on(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct identity identity, again;
    must_take(disk, MARK, 5, &identity, false);
    assert_int_equal(identity_release(files, &identity, UINT64_MAX), STATUS_OK);
    must_take(disk, MARK, 6, &again, true);
    assert_int_equal(identity_actor(&again), actor_of(5, 1));
    assert_true(again.time == UINT64_MAX);
    identity_deinit(&identity);
    identity_deinit(&again);
    sim_files_free(disk);
}

static void test_without_one_another_epoch_does(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity;
    static const uint16_t epochs[] = {1, 5, 300, 6, 2, UINT16_MAX, 3};
    static const uint64_t draws[] = {5, 5, 300, 5, 1, UINT16_MAX, UINT16_MAX};
    for (unsigned life = 0; life < 7; life++) { /* what is taken already is passed over, and 0 */
        must_take(disk, MARK, draws[life], &identity, false);
        assert_int_equal(identity_actor(&identity), actor_of(5, epochs[life]));
        assert_int_equal(identity.former.count, life);
        identity_deinit(&identity);
    }
    must_take(disk, MARK, 4, &identity, false);
    assert_former(&identity, 0, 5, 1);
    assert_former(&identity, 1, 5, 2);
    assert_former(&identity, 5, 5, 300);
    assert_former(&identity, 6, 5, UINT16_MAX);
    identity_deinit(&identity);
    sim_files_free(disk);
}

static void test_the_epoch_can_be_changed(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity, again;
    must_take(disk, MARK, 5, &identity, false);
    assert_int_equal(identity_new_epoch(sim_files_interface(disk), &identity, 9), STATUS_OK);
    assert_int_equal(identity_actor(&identity), actor_of(5, 9));
    assert_former(&identity, 0, 5, 1);
    must_take(disk, MARK, 9, &again, false);
    assert_int_equal(identity_actor(&again), actor_of(5, 10));
    identity_deinit(&identity);
    identity_deinit(&again);
    sim_files_free(disk);
}

/*
 * Rule 1. A directory is copied after a clean stop, and put back when its node has run for some
 * lives more: others have what it wrote in these, and it knows nothing of them.
 */
static void test_what_was_put_back_is_none_of_those_it_has_forgotten(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct random random = {4711};
    struct identity identity;
    actor_t forgotten[20];
    must_take(disk, MARK, 5, &identity, false);
    assert_int_equal(identity_join(files, &identity, random_next(&random)), STATUS_OK);
    assert_int_equal(identity_release(files, &identity, 9), STATUS_OK);
    struct sim_files *copy = sim_files_copy(disk, 2);
    for (unsigned life = 0; life < 20; life++) {
        identity_deinit(&identity);
        must_take(disk, MARK, random_next(&random), &identity, true);
        forgotten[life] = identity_actor(&identity);
        assert_int_equal(identity_release(files, &identity, 9), STATUS_OK);
    }
    identity_deinit(&identity);
    must_take(copy, MARK, random_next(&random), &identity, true);
    assert_int_equal(identity.node, 5);
    for (unsigned life = 0; life < 20; life++)
        assert_true(identity_actor(&identity) != forgotten[life]);
    identity_deinit(&identity);
    sim_files_free(copy);
    sim_files_free(disk);
}

static void test_after_the_last_epoch_comes_a_new_node(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct identity identity = {.node = 5, .epoch = 1, .mark = MARK}, again;
    identity.former.count = ACTOR_EPOCH_MAX - 2; /* of all but one */
    identity.former.dots = memory_alloc(identity.former.count * sizeof(struct dot));
    for (uint32_t i = 0; i < identity.former.count; i++)
        identity.former.dots[i] = (struct dot){actor_of(5, (uint16_t)(i + 2)), UINT64_MAX};
    assert_int_equal(identity_new_epoch(files, &identity, 77), STATUS_OK);
    assert_int_equal(identity.epoch, ACTOR_EPOCH_MAX);
    assert_int_equal(identity_new_epoch(files, &identity, 77), STATUS_OVERFLOW);
    assert_int_equal(identity_join(files, &identity, 77), STATUS_OVERFLOW);
    must_take(disk, MARK, 5, &again, false);
    assert_int_equal(identity_actor(&again), actor_of(6, 1)); /* 5 was drawn, but has been */
    assert_int_equal(again.former.count, ACTOR_EPOCH_MAX);
    assert_former(&again, 0, 5, 1);
    assert_former(&again, ACTOR_EPOCH_MAX - 1, 5, ACTOR_EPOCH_MAX);
    identity_deinit(&identity);
    identity_deinit(&again);
    sim_files_free(disk);
}

static void test_a_copied_directory_is_a_new_node(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity, copied, again;
    must_take(disk, MARK, 5, &identity, false);
    assert_int_equal(identity_release(sim_files_interface(disk), &identity, 9), STATUS_OK);
    struct sim_files *copy = sim_files_copy(disk, 2);
    must_take(copy, MARK + 1, 3, &copied, false); /* however clean the original was */
    assert_int_equal(identity_actor(&copied), actor_of(3, 1));
    assert_int_equal(copied.former.count, 1);
    assert_former(&copied, 0, 5, 1);
    identity_deinit(&copied);
    must_take(copy, MARK + 1, 0, &again, false);
    assert_int_equal(identity_actor(&again), actor_of(3, 2)); /* 0 is none, 1 it was */
    assert_former(&again, 0, 3, 1);
    assert_former(&again, 1, 5, 1);
    identity_deinit(&again);
    must_take(disk, MARK, 0, &again, true); /* the original goes on */
    assert_int_equal(identity_actor(&again), actor_of(5, 1));
    identity_deinit(&again);
    identity_deinit(&identity);
    sim_files_free(copy);
    sim_files_free(disk);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A directory with something in every line. */
static struct sim_files *full_directory(struct buffer *out_text)
{
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity;
    must_take(disk, MARK, 5, &identity, false);
    identity_deinit(&identity);
    must_take(disk, MARK + 1, 6, &identity, false);
    assert_int_equal(identity_release(sim_files_interface(disk), &identity, 1234567), STATUS_OK);
    identity_deinit(&identity);
    assert_int_equal(files_read_all(sim_files_interface(disk), "identity", 4096, out_text),
                     STATUS_OK);
    return disk;
}

static void expect_refused(struct sim_files *disk, enum status expected)
{
    struct identity identity;
    bool was_clean;
    uint64_t digest = sim_files_digest(disk);
    assert_int_equal(take(disk, MARK + 1, 7, &identity, &was_clean), expected);
    assert_int_equal(digest, sim_files_digest(disk));
}

static void test_every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct sim_files *disk = full_directory(&text);
    for (size_t at = 0; at < buffer_size(&text); at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            sim_files_flip_bit(disk, "identity", at, bit);
            expect_refused(disk, STATUS_CORRUPT);
            sim_files_flip_bit(disk, "identity", at, bit);
        }
    }
    for (size_t size = 0; size < buffer_size(&text); size++) {
        struct bytes cut = bytes_of(buffer_bytes(&text).data, size);
        assert_int_equal(files_replace(sim_files_interface(disk), "identity", cut), STATUS_OK);
        expect_refused(disk, STATUS_CORRUPT);
    }
    buffer_deinit(&text);
    sim_files_free(disk);
}

static void replace_with(struct sim_files *disk, const char *lines)
{
    struct buffer text = {0};
    buffer_printf(&text, "%s", lines);
    uint64_t checksum = xxh64(buffer_bytes(&text));
    buffer_printf(&text, "checksum %016llx\n", (unsigned long long)checksum);
    assert_int_equal(files_replace(sim_files_interface(disk), "identity", buffer_bytes(&text)),
                     STATUS_OK);
    buffer_deinit(&text);
}

static void test_the_file_is_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "format 02\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\n",
        "format 2\nnode 5\nepoch 1\nmark 78\nclean 0\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 0\nmark 78\nclean 0\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 65536\nmark 78\nclean 0\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 2\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 18446744073709551616\n",
        "format 2\nnode 000000000005\nepoch 1\nmark -1\nclean 0\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\nformer 0000000000050001\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\n"
        "former 0000000000070001\nformer 0000000000060001\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\nextra 1\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\ndatabase 0001\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\n"
        "database 0100\ndatabase 0001\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\n"
        "database 0001\ndatabase 10100\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\ndatabase 0000\n",
        "format 2\nepoch 1\nnode 000000000005\nmark 78\nclean 0\ntime 0\n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime \n",
        "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\njoined 0\n",
        "format 3\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\n",
        "format 3\nnode 000000000005\nepoch 1\nmark 78\nclean 0\ntime 0\njoined 2\n",
        "format 3\nnode 000000000005\nepoch 1\nmark 78\nclean 0\njoined 1\ntime 0\n",
        "format 3\nnode 000000000005\nepoch 3\nmark 78\nclean 0\ntime 0\njoined 0\n"
        "former 0000000000050001\n",
        "format 4\nnode 000000000005\nepoch 3\nmark 78\nclean 0\ntime 0\njoined 0\n"
        "former 0000000000050003\n",
        "format 4\nnode 000000000005\nepoch 3\nmark 78\nclean 0\ntime 0\njoined 0\n"
        "former 0000000000050001\nformer 0000000000050001\n",
        "format 4\nnode 000000000005\nepoch 3\nmark 78\nclean 0\ntime 0\njoined 0\n"
        "former 0000000000050000\n",
        "format 4\nnode 000000000005\nepoch 3\nmark 78\nclean 0\ntime 0\njoined 0\n"
        "former 0000000000070001\nformer 0000000000060001\n",
    };
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        replace_with(disk, bad[i]);
        expect_refused(disk, STATUS_CORRUPT);
    }
    replace_with(disk, "format 5\nwhatever comes\n");
    expect_refused(disk, STATUS_VERSION);
    replace_with(disk, "format 2\nnode 000000000005\nepoch 1\nmark 78\nclean 1\ntime 0\n");
    struct identity identity;
    must_take(disk, MARK + 1, 7, &identity, true);
    assert_false(identity.joined); /* that format knew of no others */
    identity_deinit(&identity);
    /* Where epochs were counted, earlier ones went without saying. */
    replace_with(disk, "format 3\nnode 000000000005\nepoch 3\nmark 78\nclean 1\ntime 0\njoined 1\n"
                       "former 0000000000070002\n");
    must_take(disk, MARK + 1, 2, &identity, true);
    assert_int_equal(identity_actor(&identity), actor_of(5, 4));
    assert_int_equal(identity.former.count, 5);
    assert_former(&identity, 0, 5, 1);
    assert_former(&identity, 2, 5, 3);
    assert_former(&identity, 3, 7, 1);
    assert_former(&identity, 4, 7, 2);
    identity_deinit(&identity);
    sim_files_free(disk);
}

/* By clean stops, crashes, and in a copy of the directory: it is for good. Who was alone may have
 * been so when its directory was put back: it begins anew. */
static void test_what_has_joined_stays_so(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct identity identity;
    must_take(disk, MARK, 5, &identity, false);
    assert_false(identity.joined);
    assert_int_equal(identity_join(files, &identity, 8), STATUS_OK);
    assert_int_equal(identity_actor(&identity), actor_of(5, 8));
    assert_former(&identity, 0, 5, 1);
    identity_deinit(&identity);
    must_take(disk, MARK, 5, &identity, false);
    assert_true(identity.joined);
    assert_int_equal(identity_new_epoch(files, &identity, 1), STATUS_OK);
    assert_int_equal(identity_release(files, &identity, 9), STATUS_OK);
    identity_deinit(&identity);
    must_take(disk, MARK, 5, &identity, true);
    assert_true(identity.joined);
    assert_int_equal(identity_actor(&identity), actor_of(5, 6));
    assert_int_equal(identity.time, 9);
    identity_deinit(&identity);
    must_take(disk, MARK + 1, 6, &identity, false);
    assert_true(identity.joined);
    identity_deinit(&identity);
    sim_files_free(disk);
}

static void test_a_join_that_fails_has_not_happened(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct identity identity;
    must_take(disk, MARK, 5, &identity, false);
    sim_files_halt_after(disk, 0);
    assert_int_not_equal(identity_join(sim_files_interface(disk), &identity, 8), STATUS_OK);
    assert_false(identity.joined);
    assert_int_equal(identity_actor(&identity), actor_of(5, 1));
    assert_int_equal(identity.former.count, 0);
    identity_deinit(&identity);
    sim_files_crash(disk);
    must_take(disk, MARK, 5, &identity, false);
    assert_false(identity.joined);
    identity_deinit(&identity);
    sim_files_free(disk);
}

static void expect_databases(const struct identity *identity, uint8_t a, uint8_t b, uint8_t c)
{
    assert_int_equal(identity_database(identity, 0), a);
    assert_int_equal(identity_database(identity, 7), b);
    assert_int_equal(identity_database(identity, 255), c);
    assert_int_equal(identity_database(identity, 1), 1);
}

/* By clean stops, crashes, and in a copy of the directory, whose rows are the same. */
static void test_swapped_databases_stay_so(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    struct files *files = sim_files_interface(disk);
    struct identity identity, again;
    must_take(disk, MARK, 5, &identity, false);
    expect_databases(&identity, 0, 7, 255);
    assert_int_equal(identity_swap_databases(files, &identity, 0, 255), STATUS_OK);
    assert_int_equal(identity_swap_databases(files, &identity, 7, 0), STATUS_OK);
    expect_databases(&identity, 7, 255, 0);
    must_take(disk, MARK, 5, &again, false);
    expect_databases(&again, 7, 255, 0);
    assert_int_equal(identity_release(files, &again, 9), STATUS_OK);
    identity_deinit(&again);
    must_take(disk, MARK + 1, 6, &again, false);
    expect_databases(&again, 7, 255, 0);
    assert_int_equal(identity_swap_databases(files, &again, 0, 7), STATUS_OK);
    assert_int_equal(identity_swap_databases(files, &again, 0, 255), STATUS_OK);
    expect_databases(&again, 0, 7, 255);
    for (unsigned i = 0; i < IDENTITY_DATABASES; i++)
        assert_int_equal(again.moved[i], 0);
    identity_deinit(&identity);
    identity_deinit(&again);
    sim_files_free(disk);
}

static void test_a_swap_that_fails_has_not_happened(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, 430);
    struct files *files = sim_files_interface(disk);
    struct identity identity;
    unsigned done = 0;
    must_take(disk, MARK, 5, &identity, false);
    while (identity_swap_databases(files, &identity, (uint8_t)(2 * done),
                                   (uint8_t)(2 * done + 1)) == STATUS_OK)
        done++;
    assert_in_range(done, 1, 20);
    assert_int_equal(identity_database(&identity, (uint8_t)(2 * done)), 2 * done);
    identity_deinit(&identity);
    sim_files_set_capacity(disk, SIM_FILES_UNLIMITED);
    must_take(disk, MARK, 5, &identity, false);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(identity_database(&identity, (uint8_t)i), i < 2 * done ? i ^ 1 : i);
    identity_deinit(&identity);
    sim_files_free(disk);
}

static void test_a_full_disk_is_told(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, 10);
    struct identity identity;
    bool was_clean;
    assert_int_equal(take(disk, MARK, 7, &identity, &was_clean), STATUS_DISK_FULL);
    sim_files_free(disk);
}

/* ---- crashes --------------------------------------------------------------------------------- */

enum { WORLDS = 3000, LIVES = 12 };

/* One start and perhaps a clean stop, with a crash at any step. */
static void live(struct sim_files *disk, struct random *random, actor_t *used, size_t *used_count,
                 actor_t *released, uint64_t *released_time)
{
    struct identity identity;
    bool was_clean;
    if (random_once_in(random, 2))
        sim_files_halt_after(disk, random_below(random, 14));
    if (take(disk, MARK, random_below(random, 4), &identity, &was_clean) != STATUS_OK)
        return;
    actor_t actor = identity_actor(&identity);
    bool goes_on = was_clean && !identity.joined;
    if (was_clean)
        assert_int_equal(identity.time, *released_time);
    if (goes_on)
        assert_int_equal(actor, *released);
    for (size_t i = 0; i < *used_count && !goes_on; i++)
        assert_true(used[i] != actor); /* an actor never goes on after it may have forgotten */
    used[(*used_count)++] = actor;
    *released = 0;
    struct files *files = sim_files_interface(disk);
    uint64_t draw = random_below(random, 9);
    if (random_once_in(random, 4) &&
        (draw & 1 ? identity_join(files, &identity, draw)
                  : identity_new_epoch(files, &identity, draw)) == STATUS_OK) {
        used[(*used_count)++] = identity_actor(&identity);
    } else if (random_once_in(random, 2)) {
        *released = actor;
        *released_time = random_below(random, 1000);
        (void)!identity_release(files, &identity, *released_time);
    }
    identity_deinit(&identity);
}

static void test_no_actor_lives_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct random random = {seed};
        struct sim_files *disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
        actor_t used[2 * LIVES];
        size_t used_count = 0;
        actor_t released = 0;
        uint64_t released_time = 0;
        for (unsigned i = 0; i < LIVES; i++) {
            live(disk, &random, used, &used_count, &released, &released_time);
            if (random_once_in(&random, 2))
                sim_files_crash(disk);
            else
                sim_files_power_cut(disk);
        }
        sim_files_free(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_directory_is_a_new_node),
        cmocka_unit_test(test_after_a_clean_stop_who_is_alone_goes_on),
        cmocka_unit_test(test_without_one_another_epoch_does),
        cmocka_unit_test(test_the_epoch_can_be_changed),
        cmocka_unit_test(test_what_was_put_back_is_none_of_those_it_has_forgotten),
        cmocka_unit_test(test_after_the_last_epoch_comes_a_new_node),
        cmocka_unit_test(test_a_copied_directory_is_a_new_node),
        cmocka_unit_test(test_every_flipped_bit_is_seen),
        cmocka_unit_test(test_the_file_is_read_strictly),
        cmocka_unit_test(test_what_has_joined_stays_so),
        cmocka_unit_test(test_a_join_that_fails_has_not_happened),
        cmocka_unit_test(test_swapped_databases_stay_so),
        cmocka_unit_test(test_a_swap_that_fails_has_not_happened),
        cmocka_unit_test(test_a_full_disk_is_told),
        cmocka_unit_test(test_no_actor_lives_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
