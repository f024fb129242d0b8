/* SPDX-License-Identifier: MIT */
/* What the seeds of the cluster simulator mean, and how its failing plans are made small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cluster_plan.h"
#include "sim/cluster_world.h"

static void plans_are_within_their_bounds(void **state)
{
    (void)state;
    bool calm = false, seen[FAULT_KINDS] = {false};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct cluster_plan plan;
        cluster_plan_draw(seed, seed % (CLUSTER_NODES_MAX + 1), &plan); /* 0: as it says */
        const struct cluster_settings *settings = &plan.settings;
        assert_in_range(settings->nodes, 1, CLUSTER_NODES_MAX);
        assert_in_range(settings->copies, 1, settings->nodes);
        assert_in_range(settings->read_quorum, 1, settings->copies);
        assert_in_range(settings->write_quorum, 1, settings->copies);
        assert_true(settings->read_quorum + settings->write_quorum > settings->copies);
        assert_in_range(plan.load.clients, 1, CLUSTER_CLIENTS_MAX);
        calm = calm || plan.fault_count == 0;
        for (unsigned i = 0; i < plan.fault_count; i++) {
            const struct cluster_fault *fault = &plan.faults[i];
            seen[fault->kind] = true;
            assert_int_not_equal(fault->nodes, 0);
            assert_true(fault->nodes < 1u << settings->nodes);
            assert_true(fault->at_us < plan.duration_us);
        }
    }
    assert_true(calm);
    for (int kind = 0; kind < FAULT_ALONE; kind++)
        assert_true(seen[kind]);
}

/* Scenes are set where they are asked for, and nowhere else; each is one that sets something. */
static void scenes_are_within_their_bounds(void **state)
{
    (void)state;
    for (int theme = THEMES_DRAWN; theme < THEMES; theme++) {
        assert_int_equal(theme_named(theme_name((enum theme)theme)), theme);
        for (uint64_t seed = 1; seed <= 300; seed++) {
            struct cluster_plan plan, drawn;
            cluster_plan_draw(seed, 0, &drawn);
            assert_true(drawn.theme < THEMES_DRAWN);
            cluster_plan_draw_theme(seed, 0, (enum theme)theme, &plan);
            const struct cluster_settings *settings = &plan.settings;
            unsigned cut = 0;
            assert_int_equal(plan.theme, theme);
            assert_in_range(plan.load.clients, 1, CLUSTER_CLIENTS_MAX);
            assert_true(settings->read_quorum + settings->write_quorum > settings->copies);
            assert_in_range(plan.fault_count, 1, CLUSTER_FAULTS_MAX);
            for (unsigned i = 0; i < plan.fault_count; i++) {
                const struct cluster_fault *fault = &plan.faults[i];
                assert_true(fault->nodes != 0 || fault->trigger != TRIGGER_NONE);
                assert_true(fault->nodes < 1u << settings->nodes);
                assert_true(fault->at_us < plan.duration_us);
                cut |= fault->kind == FAULT_POWER_CUT ? fault->nodes : 0;
            }
            assert_true(settings->sync == LOG_SYNC_ALWAYS ||
                        (unsigned)__builtin_popcount(cut) < settings->write_quorum);
        }
    }
    bool seen[THEMES] = {false};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct cluster_plan plan;
        cluster_plan_draw_theme(seed, 0, theme_named("scenes"), &plan);
        seen[plan.theme] = true;
    }
    for (int theme = THEME_NONE; theme < THEMES; theme++)
        assert_int_equal(seen[theme], theme >= THEMES_DRAWN);
    assert_int_equal(theme_named("nothing of the kind"), THEMES);
}

/* What was acknowledged by W nodes must survive: so many are never cut off at once, unless each
 * acknowledgement has waited for its sync. */
static void power_cuts_spare_one_of_each_quorum(void **state)
{
    (void)state;
    bool several = false;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        struct cluster_plan plan;
        unsigned nodes = 0;
        cluster_plan_draw(seed, 0, &plan);
        for (unsigned i = 0; i < plan.fault_count; i++)
            if (plan.faults[i].kind == FAULT_POWER_CUT)
                nodes |= plan.faults[i].nodes;
        unsigned cut = (unsigned)__builtin_popcount(nodes);
        several = several || cut >= plan.settings.write_quorum;
        assert_true(plan.settings.sync == LOG_SYNC_ALWAYS || cut < plan.settings.write_quorum);
    }
    assert_true(several);
}

static void what_is_dropped_changes_nothing_else(void **state)
{
    (void)state;
    struct cluster_plan whole, part;
    struct buffer text = {0};
    uint64_t seed = 1;
    do
        cluster_plan_draw(seed++, 0, &whole);
    while (whole.fault_count < 5 || whole.load.clients < 3);
    part = whole;
    assert_true(cluster_plan_drop(&part, "f3,f1,c2"));
    assert_true(part.faults[1].dropped && part.faults[3].dropped);
    assert_int_equal(part.idle_clients, 1 << 2);
    cluster_plan_dropped(&part, &text);
    assert_int_equal(buffer_size(&text), 8);
    assert_memory_equal(buffer_bytes(&text).data, "f1,f3,c2", 8);
    part.faults[1].dropped = part.faults[3].dropped = false;
    part.idle_clients = 0;
    assert_memory_equal(&part, &whole, sizeof(part));
    static const char *const wrong[] = {"f", "f99", "c99", "x1", "1", "f1 f2", ","};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(cluster_plan_drop(&part, wrong[i]));
    buffer_deinit(&text);
}

static void checks_fit_the_faults(void **state)
{
    (void)state;
    struct cluster_plan plan = {
        .settings = {.nodes = 5, .copies = 3, .read_quorum = 2, .write_quorum = 2},
        .faults = {{.kind = FAULT_CLOCK, .amount = 3000}, {.kind = FAULT_POWER_CUT}},
    };
    struct check_options calm = cluster_plan_checks(&plan);
    assert_true(calm.strict);
    assert_true(calm.undivided);
    plan.fault_count = 1; /* clocks three seconds before and behind */
    assert_int_equal(cluster_plan_checks(&plan).slack_us, calm.slack_us + 6 * SIM_SECOND);
    assert_true(cluster_plan_checks(&plan).strict);
    assert_false(cluster_plan_checks(&plan).linear);
    plan.faults[0].amount = 900;
    assert_true(cluster_plan_checks(&plan).linear);
    plan.fault_count = 2;
    assert_false(cluster_plan_checks(&plan).strict);
    plan.settings.sync = LOG_SYNC_ALWAYS;
    assert_true(cluster_plan_checks(&plan).strict);
    plan.settings.sloppy = true;
    assert_false(cluster_plan_checks(&plan).strict);
    plan.faults[0].dropped = true;
    assert_int_equal(cluster_plan_checks(&plan).slack_us, calm.slack_us);
}

static void replies_are_taken_whole(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "+OK\r\n", "-ERR no\r\n", ":12\r\n",
        "$-1\r\n", "$0\r\n\r\n",  "$5\r\na\r\nbc\r\n",
        "*-1\r\n", "*0\r\n",      "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
    };
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        size_t size = strlen(replies[i]);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(cluster_reply_size(bytes_of(replies[i], cut)), 0);
        assert_int_equal(cluster_reply_size(bytes_of(replies[i], size)), size);
    }
    assert_true(cluster_reply_size(BYTES("nonsense\r\n")) == SIZE_MAX);
    assert_true(cluster_reply_size(BYTES("$x\r\n")) == SIZE_MAX);
    assert_true(cluster_reply_size(BYTES("*-2\r\n")) == SIZE_MAX);
}

static void errors_say_whether_it_may_have_happened(void **state)
{
    (void)state;
    assert_int_equal(cluster_error_outcome(BYTES("-UNKNOWN it may still appear\r\n")),
                     OUTCOME_UNKNOWN);
    assert_int_equal(cluster_error_outcome(BYTES("-NOQUORUM\r\n")), OUTCOME_REFUSED);
}

/* Whole nodes, without a cluster: the world works, and works the same way again. */
static void a_world_goes_the_same_way_twice(void **state)
{
    (void)state;
    uint64_t crashed = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster_plan plan;
        struct cluster_result first, second;
        cluster_plan_draw(seed, 1, &plan);
        cluster_world_run(&plan, false, &first);
        cluster_world_run(&plan, false, &second);
        assert_true(first.passed);
        assert_true(first.hash == second.hash);
        assert_true(first.counts.acknowledged > 0);
        assert_true(first.counts.final_reads > 0);
        crashed += first.counts.unknown;
    }
    assert_true(crashed > 0); /* faults did something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_within_their_bounds),
        cmocka_unit_test(scenes_are_within_their_bounds),
        cmocka_unit_test(power_cuts_spare_one_of_each_quorum),
        cmocka_unit_test(what_is_dropped_changes_nothing_else),
        cmocka_unit_test(checks_fit_the_faults),
        cmocka_unit_test(replies_are_taken_whole),
        cmocka_unit_test(errors_say_whether_it_may_have_happened),
        cmocka_unit_test(a_world_goes_the_same_way_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
