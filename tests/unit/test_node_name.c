/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "row/node_name.h"

static void test_a_name_is_the_nodes(void **state)
{
    (void)state;
    struct random random = {1};
    for (int i = 0; i < 10000; i++) {
        char name[NODE_NAME_SIZE];
        uint64_t node = random_next(&random) >> (16 + random_below(&random, 48)), found;
        node_name(node, name);
        assert_int_equal(strlen(name), NODE_NAME_DIGITS);
        assert_int_equal(strspn(name, "0123456789abcdef"), NODE_NAME_DIGITS);
        assert_true(node_name_parse(bytes_text(name), &found));
        assert_int_equal(found, node);
        for (char *at = name; *at; at++)
            if (*at >= 'a')
                *at = (char)(*at - 'a' + 'A');
        assert_true(node_name_parse(bytes_text(name), &found));
    }
}

static void test_other_words_are_nobodys(void **state)
{
    (void)state;
    char name[NODE_NAME_SIZE + 1];
    uint64_t found = 7;
    node_name(0x123456789abc, name);
    assert_memory_equal(name, "123456789abc", 12);
    for (unsigned i = 0; i < NODE_NAME_DIGITS; i++) {
        char was = name[i];
        name[i] = was == '0' ? '1' : '0';
        assert_false(node_name_parse(bytes_text(name), &found));
        name[i] = (char)(was & 0x1f); /* not a digit that looks like it */
        assert_false(node_name_parse(bytes_of(name, NODE_NAME_DIGITS), &found));
        name[i] = was;
    }
    assert_false(node_name_parse(bytes_of(name, NODE_NAME_DIGITS - 1), &found));
    name[NODE_NAME_DIGITS] = '0';
    assert_false(node_name_parse(bytes_of(name, NODE_NAME_DIGITS + 1), &found));
    assert_false(node_name_parse(BYTES(""), &found));
    assert_int_equal(found, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_the_nodes),
        cmocka_unit_test(test_other_words_are_nobodys),
    };
    return cmocka_run_group_tests_name("node_name", tests, NULL, NULL);
}
