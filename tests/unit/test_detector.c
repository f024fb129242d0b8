/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "cluster/detector.h"

/* After how long a silence the threshold is passed. */
static uint64_t patience_ms(const struct detector *detector)
{
    uint64_t waiting_ms = 0;
    while (detector_phi(detector, waiting_ms) < DETECTOR_THRESHOLD)
        waiting_ms++;
    return waiting_ms;
}

static void phi_is_what_the_normal_distribution_says(void **state)
{
    (void)state;
    struct detector detector = {0};
    for (unsigned i = 0; i < DETECTOR_WINDOW; i++)
        detector_add(&detector, i % 2 ? 1500 : 500); /* mean 1000, deviation 500 */
    assert_float_equal(detector_phi(&detector, 1000), 0.30103, 0.0001); /* half of them are later */
    assert_float_equal(detector_phi(&detector, 1500), 0.79955, 0.0001); /* 0.158655 */
    assert_float_equal(detector_phi(&detector, 2500), 2.86966, 0.0001); /* 0.00134990 */
}

static void phi_only_rises_and_has_an_end(void **state)
{
    (void)state;
    struct detector detector = {0};
    struct random random = {1};
    double last = 0;
    for (unsigned i = 0; i < 100; i++)
        detector_add(&detector, random_below(&random, 300));
    for (uint64_t waiting_ms = 0; waiting_ms < 100000; waiting_ms += 10) {
        double phi = detector_phi(&detector, waiting_ms);
        assert_true(phi >= last && phi <= DETECTOR_PHI_MAX);
        last = phi;
    }
    assert_true(last == DETECTOR_PHI_MAX);
}

static void regular_answers_leave_time_for_a_lost_one(void **state)
{
    (void)state;
    struct detector detector = {0};
    assert_in_range(patience_ms(&detector), 1900, 2050); /* who knows nothing is patient, too */
    for (unsigned i = 0; i < 1000; i++)
        detector_add(&detector, 1);
    assert_in_range(patience_ms(&detector), 1900, 2050);
}

static void irregular_answers_make_it_patient_but_not_for_ever(void **state)
{
    (void)state;
    struct detector regular = {0}, lossy = {0}, wild = {0};
    for (unsigned i = 0; i < DETECTOR_WINDOW; i++) {
        detector_add(&regular, 100);
        detector_add(&lossy, i % 4 == 0 ? 2000 : 100);
        detector_add(&wild, i % 2 ? 1000000 : 0);
    }
    assert_true(patience_ms(&lossy) > 2 * patience_ms(&regular));
    assert_in_range(patience_ms(&wild), DETECTOR_WAIT_MAX_MS, 12000);
}

static void what_is_long_ago_is_forgotten(void **state)
{
    (void)state;
    struct detector detector = {0}, fresh = {0};
    for (unsigned i = 0; i < 500; i++)
        detector_add(&detector, 4000 * (i % 2));
    for (unsigned i = 0; i < DETECTOR_WINDOW; i++) {
        detector_add(&detector, 20 + i);
        detector_add(&fresh, 20 + i);
    }
    assert_int_equal(patience_ms(&detector), patience_ms(&fresh));
    assert_int_equal(detector.sum, fresh.sum);
    assert_int_equal(detector.squares, fresh.squares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phi_is_what_the_normal_distribution_says),
        cmocka_unit_test(phi_only_rises_and_has_an_end),
        cmocka_unit_test(regular_answers_leave_time_for_a_lost_one),
        cmocka_unit_test(irregular_answers_make_it_patient_but_not_for_ever),
        cmocka_unit_test(what_is_long_ago_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
