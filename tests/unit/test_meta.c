/* SPDX-License-Identifier: MIT */
/* The store's own rows in the tier: their names, their order, what is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "row/slot.h"
#include "sim/sim_tier.h"
#include "store/meta.h"

static void test_index_names_sort_by_time(void **state)
{
    struct buffer early = {0}, late = {0};
    struct bytes name;
    uint64_t at_ms;
    (void)state;
    meta_expiry_name(&early, 255, BYTES("zzz"));
    meta_expiry_name(&late, 256, BYTES("aaa"));
    assert_true(bytes_compare(buffer_bytes(&early), buffer_bytes(&late)) < 0);
    assert_true(meta_expiry_decode(buffer_bytes(&late), &at_ms, &name));
    assert_int_equal(at_ms, 256);
    assert_true(bytes_equal(name, BYTES("aaa")));
    assert_false(meta_expiry_decode(bytes_of(buffer_bytes(&late).data, 9), &at_ms, &name));
    assert_false(meta_expiry_decode(BYTES("\x7f-12345678-name"), &at_ms, &name));
    buffer_deinit(&early);
    buffer_deinit(&late);
}

static void test_own_rows_stand_behind_all_others(void **state)
{
    static const unsigned char past_slots = SLOT_COUNT >> 8;
    char facts[META_FACTS_NAME_SIZE], more[META_FACTS_NAME_SIZE];
    struct buffer index = {0};
    (void)state;
    meta_expiry_name(&index, UINT64_MAX - 1, BYTES("name"));
    assert_true(bytes_compare(bytes_of(&past_slots, 1), buffer_bytes(&index)) < 0);
    assert_true(bytes_compare(buffer_bytes(&index), meta_facts_name(facts, 0)) < 0);
    assert_true(bytes_compare(meta_facts_name(facts, 1), meta_facts_name(more, 255)) < 0);
    assert_true(bytes_compare(meta_facts_name(more, 255), meta_seal_name()) < 0);
    buffer_deinit(&index);
}

static void test_the_seal_is_read(void **state)
{
    static const struct {
        struct bytes row;
        enum status status;
    } cases[] = {
        {{"\x01\x2a", 2}, STATUS_OK},      {{"\x02\x2a", 2}, STATUS_VERSION},
        {{"\x01", 1}, STATUS_CORRUPT},     {{"\x01\x2a\x00", 3}, STATUS_CORRUPT},
        {{"\x01\xff", 2}, STATUS_CORRUPT},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_tier *disk = sim_tier_new(1);
        struct tier *tier = sim_tier_open(disk);
        struct tier_table *table;
        uint64_t position = 1;
        assert_int_equal(meta_seal_read(tier, &position), STATUS_OK);
        assert_int_equal(position, 0); /* empty */
        assert_int_equal(tier->ops->table_begin(tier, &table), STATUS_OK);
        assert_int_equal(tier->ops->table_put(table, meta_seal_name(), cases[i].row), STATUS_OK);
        assert_int_equal(tier->ops->table_ingest(table), STATUS_OK);
        assert_int_equal(meta_seal_read(tier, &position), cases[i].status);
        assert_int_equal(position, cases[i].status == STATUS_OK ? 42 : 0);
        tier->ops->free(tier);
        sim_tier_delete(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_names_sort_by_time),
        cmocka_unit_test(test_own_rows_stand_behind_all_others),
        cmocka_unit_test(test_the_seal_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
