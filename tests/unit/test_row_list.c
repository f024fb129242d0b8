/* SPDX-License-Identifier: MIT */
/* Rows on their way between nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "row/row_list.h"

static void test_they_come_out_as_they_went_in(void **state)
{
    static const char big[100000];
    static const struct bytes parts[] = {{"", 0}, {"a", 1}, {"\0\xff", 2}, {big, sizeof(big)}};
    enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
    struct buffer list = {0};
    struct bytes name, row;
    (void)state;
    for (unsigned i = 0; i < PARTS; i++)
        for (unsigned j = 0; j < PARTS; j++)
            row_list_append(&list, parts[i], parts[j]);
    struct bytes rest = buffer_bytes(&list);
    for (unsigned i = 0; i < PARTS; i++) {
        for (unsigned j = 0; j < PARTS; j++) {
            assert_true(row_list_next(&rest, &name, &row));
            assert_true(bytes_equal(name, parts[i]));
            assert_true(bytes_equal(row, parts[j]));
        }
    }
    assert_int_equal(rest.size, 0);
    assert_false(row_list_next(&rest, &name, &row));
    buffer_deinit(&list);
}

/* Whatever is cut off, and sizes that lie, are seen; and nothing is taken then. */
static void test_what_is_no_list_is_refused(void **state)
{
    static const struct bytes bad[] = {
        {"\x01", 1},
        {"\x01\x01", 2},
        {"\x01\x01k", 3},
        {"\x02\x01k", 3},
        {"\x81\x00\x01kr", 5},                                  /* a size that is too long */
        {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01kr", 13}, /* 2^64 - 1 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01kr", 13}, /* the same */
        {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fkr", 13}, /* more than 64 bits */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes rest = bad[i], name = {NULL, 7}, row = {NULL, 7};
        assert_false(row_list_next(&rest, &name, &row));
        assert_ptr_equal(rest.data, bad[i].data);
        assert_int_equal(rest.size, bad[i].size);
        assert_int_equal(name.size + row.size, 14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_come_out_as_they_went_in),
        cmocka_unit_test(test_what_is_no_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
