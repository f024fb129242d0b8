/* SPDX-License-Identifier: MIT */
/* Counts per slot and database: their sums, and their way through the tier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/sim_tier.h"
#include "store/facts.h"
#include "store/meta.h"

static void test_sums(void **state)
{
    struct facts facts;
    (void)state;
    facts_init(&facts, 2);
    facts_count(&facts, 5, 1, 3, 2);
    facts_count(&facts, SLOT_COUNT - 1, 1, 4, 0);
    facts_count(&facts, 5, 1, -1, -1);
    assert_int_equal(facts.keys[1], 6);
    assert_int_equal(facts.expiring[1], 1);
    assert_int_equal(facts_look(&facts, 5, 1)->keys, 2);
    assert_int_equal(facts_look(&facts, 5, 0)->keys, 0);
    assert_int_equal(facts_look(&facts, 5, 200)->keys, 0);
    facts_clear(&facts, 5, 1);
    assert_int_equal(facts.keys[1], 4);
    assert_int_equal(facts.expiring[1], 0);
    facts_deinit(&facts);
}

/* Each rank below the sum names the slot that a count through all slots would. */
static void test_slots_by_rank(void **state)
{
    static const uint16_t slots[] = {0, 1, FACTS_BLOCK - 1, FACTS_BLOCK, 5000, SLOT_COUNT - 1};
    enum { SLOTS = sizeof(slots) / sizeof(slots[0]) };
    struct facts facts;
    (void)state;
    facts_init(&facts, 2);
    facts_count(&facts, 77, 0, 9, 0); /* another database's count is another */
    for (unsigned i = 0; i < SLOTS; i++)
        facts_count(&facts, slots[i], 1, (int)i + 1, 0);
    facts_count(&facts, 2000, 1, 4, 0);
    facts_clear(&facts, 2000, 1);
    facts_count(&facts, 5000, 1, -1, 0);
    uint64_t rank = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        for (unsigned key = 0; key < i + 1 - (slots[i] == 5000); key++)
            assert_int_equal(facts_slot_at(&facts, 1, rank++), slots[i]);
    assert_int_equal(rank, facts.keys[1]);
    facts_deinit(&facts);
}

static void store_row(struct tier *tier, uint8_t db, struct bytes row)
{
    char name[META_FACTS_NAME_SIZE];
    struct tier_table *table;
    assert_int_equal(tier->ops->table_begin(tier, &table), STATUS_OK);
    assert_int_equal(tier->ops->table_put(table, meta_facts_name(name, db), row), STATUS_OK);
    assert_int_equal(tier->ops->table_ingest(table), STATUS_OK);
}

static void test_read_as_written(void **state)
{
    struct sim_tier *disk = sim_tier_new(1);
    struct tier *tier = sim_tier_open(disk);
    struct facts facts, read;
    struct buffer row = {0};
    (void)state;
    facts_init(&facts, 3);
    facts_count(&facts, 0, 2, 7, 1);
    facts_count(&facts, 9000, 2, 1000, 1000);
    facts_encode(&facts, 2, &row);
    store_row(tier, 2, buffer_bytes(&row));
    facts_init(&read, 3);
    assert_int_equal(facts_read(&read, tier), STATUS_OK);
    assert_int_equal(read.keys[2], 1007);
    assert_int_equal(facts_slot_at(&read, 2, 6), 0);
    assert_int_equal(facts_slot_at(&read, 2, 7), 9000);
    assert_int_equal(read.expiring[2], 1001);
    assert_int_equal(facts_look(&read, 0, 2)->stored, 7);
    assert_int_equal(facts_look(&read, 9000, 2)->stored, 1000);
    assert_int_equal(facts_look(&read, 9000, 2)->resident, 0);
    facts_deinit(&read);
    facts_init(&read, 2); /* the configuration has become too small for the data */
    assert_int_equal(facts_read(&read, tier), STATUS_INVALID);
    facts_deinit(&read);
    facts_deinit(&facts);
    buffer_deinit(&row);
    tier->ops->free(tier);
    sim_tier_delete(disk);
}

static void test_damage_is_told(void **state)
{
    static const struct {
        struct bytes row;
        enum status status;
    } cases[] = {
        {{"\x03\x00\x01\x00\x01", 5}, STATUS_VERSION},
        {{"\x01\x00\x01", 3}, STATUS_CORRUPT},
        {{"\x01\x00\x01\x02\x01", 5}, STATUS_CORRUPT},         /* more expire than there are */
        {{"\x01\x00\x02\x00\x01", 5}, STATUS_CORRUPT},         /* more keys than rows */
        {{"\x01\x80\x80\x01\x01\x00\x01", 7}, STATUS_CORRUPT}, /* no such slot */
        {{"\x01", 1}, STATUS_OK},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_tier *disk = sim_tier_new(1);
        struct tier *tier = sim_tier_open(disk);
        struct facts facts;
        store_row(tier, 0, cases[i].row);
        facts_init(&facts, 1);
        assert_int_equal(facts_read(&facts, tier), cases[i].status);
        facts_deinit(&facts);
        tier->ops->free(tier);
        sim_tier_delete(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_slots_by_rank),
        cmocka_unit_test(test_read_as_written),
        cmocka_unit_test(test_damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
