/* SPDX-License-Identifier: MIT */
/* The directory's secret, and what is signed with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "security/context_key.h"
#include "sim/sim_files.h"
#include "store/secret.h"

static const char drawn[SECRET_SIZE] = "0123456789abcdef0123456789abcde";
static const char other[SECRET_SIZE] = "something else";

static void must_take(struct sim_files *disk, const char *draws, const char *expected)
{
    char out[SECRET_SIZE];
    assert_int_equal(secret_take(sim_files_interface(disk), draws, out), STATUS_OK);
    assert_memory_equal(out, expected, SECRET_SIZE);
}

static void test_a_directory_keeps_its_secret(void **state)
{
    (void)state;
    struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
    must_take(disk, drawn, drawn);
    sim_files_power_cut(disk);
    must_take(disk, other, drawn);
    sim_files_free(disk);
}

static void test_what_is_no_secret_is_replaced(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "00\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct sim_files *disk = sim_files_new(1, SIM_FILES_UNLIMITED);
        assert_int_equal(files_replace(sim_files_interface(disk), "secret", bytes_text(texts[i])),
                         STATUS_OK);
        must_take(disk, drawn, drawn);
        sim_files_power_cut(disk);
        must_take(disk, other, drawn);
        sim_files_free(disk);
    }
}

/* Whenever the power goes, what was taken once is what is taken later. */
static void test_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_files *disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
        char out[SECRET_SIZE];
        sim_files_halt_after(disk, seed % 8);
        bool taken = secret_take(sim_files_interface(disk), drawn, out) == STATUS_OK;
        sim_files_power_cut(disk);
        char again[SECRET_SIZE];
        assert_int_equal(secret_take(sim_files_interface(disk), other, again), STATUS_OK);
        if (taken)
            assert_memory_equal(again, drawn, SECRET_SIZE);
        sim_files_free(disk);
    }
}

static void test_a_signature_depends_on_all(void **state)
{
    (void)state;
    struct context_key one, same, two, none;
    char a[CONTEXT_SIGNATURE_SIZE], b[CONTEXT_SIGNATURE_SIZE];
    context_key_init(&one, BYTES("secret"));
    context_key_init(&same, BYTES("secret"));
    context_key_init(&two, BYTES("Secret"));
    context_key_init(&none, bytes_of(NULL, 0));
    context_key_sign(&one, BYTES("message"), a);
    context_key_sign(&same, BYTES("message"), b);
    assert_memory_equal(a, b, sizeof(a));
    context_key_sign(&two, BYTES("message"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    context_key_sign(&none, BYTES("message"), b);
    assert_memory_not_equal(a, b, sizeof(a));
    context_key_sign(&one, BYTES("massage"), b);
    assert_memory_not_equal(a, b, sizeof(a));
}

/* By another program: HMAC-SHA256 of "message" with the key that is HMAC-SHA256 of the purpose. */
static void test_a_signature_known(void **state)
{
    (void)state;
    struct context_key key;
    char signature[CONTEXT_SIGNATURE_SIZE], text[2 * CONTEXT_SIGNATURE_SIZE + 1];
    context_key_init(&key, BYTES("secret"));
    context_key_sign(&key, BYTES("message"), signature);
    for (unsigned i = 0; i < sizeof(signature); i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)signature[i]);
    assert_string_equal(text, "6dbb2243877471d6026072e83e57b94a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_directory_keeps_its_secret),
        cmocka_unit_test(test_what_is_no_secret_is_replaced),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_a_signature_depends_on_all),
        cmocka_unit_test(test_a_signature_known),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
