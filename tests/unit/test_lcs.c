/* SPDX-License-Identifier: MIT */
/* Against the table as it is in textbooks, walked back as Redis does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/lcs.h"
#include "base/random.h"

enum { SIZE_MAX_DRAWN = 300 };

static unsigned table[SIZE_MAX_DRAWN + 1][SIZE_MAX_DRAWN + 1];

static void fill_table(struct bytes a, struct bytes b)
{
    for (size_t i = 0; i <= a.size; i++)
        for (size_t j = 0; j <= b.size; j++) {
            unsigned up = i > 0 ? table[i - 1][j] : 0, left = j > 0 ? table[i][j - 1] : 0;
            if (i == 0 || j == 0)
                table[i][j] = 0;
            else if (a.data[i - 1] == b.data[j - 1])
                table[i][j] = table[i - 1][j - 1] + 1;
            else
                table[i][j] = up > left ? up : left;
        }
}

/* The next pair of equal bytes on the way back. */
static bool step_back(struct bytes a, struct bytes b, size_t *i, size_t *j)
{
    while (*i > 0 && *j > 0) {
        if (a.data[*i - 1] == b.data[*j - 1]) {
            --*i;
            --*j;
            return true;
        }
        if (table[*i - 1][*j] > table[*i][*j - 1])
            --*i;
        else
            --*j;
    }
    return false;
}

static void expect_as_table(struct bytes a, struct bytes b, struct arena *arena)
{
    struct lcs lcs, length;
    size_t i = a.size, j = b.size, sum = 0;
    fill_table(a, b);
    lcs_find(a, b, true, arena, &lcs);
    lcs_find(a, b, false, arena, &length);
    assert_int_equal(lcs.length, table[a.size][b.size]);
    assert_int_equal(length.length, lcs.length);
    assert_int_equal(length.match_count, 0);
    for (uint32_t m = 0; m < lcs.match_count; m++) {
        struct lcs_match match = lcs.matches[m];
        assert_true(match.size > 0);
        for (uint32_t k = match.size; k-- > 0;) {
            assert_true(step_back(a, b, &i, &j));
            assert_int_equal(i, match.a + k);
            assert_int_equal(j, match.b + k);
        }
        if (m > 0) /* else they were one */
            assert_false(match.a + match.size == lcs.matches[m - 1].a &&
                         match.b + match.size == lcs.matches[m - 1].b);
        sum += match.size;
    }
    assert_int_equal(sum, lcs.length);
}

static struct bytes draw(struct random *random, unsigned letters, char *out)
{
    static const size_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 129, 192, SIZE_MAX_DRAWN};
    size_t size = random_once_in(random, 2) ? sizes[random_below(random, 10)]
                                            : random_below(random, SIZE_MAX_DRAWN + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)random_below(random, letters);
    return bytes_of(out, size);
}

static void test_as_the_table(void **state)
{
    (void)state;
    static const unsigned letters[] = {1, 2, 3, 4, 26, 256};
    struct random random = {1};
    struct arena arena;
    char a[SIZE_MAX_DRAWN], b[SIZE_MAX_DRAWN];
    arena_init(&arena);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned of = letters[random_below(&random, 6)];
        struct bytes x = draw(&random, of, a);
        expect_as_table(x, draw(&random, of, b), &arena);
        arena_clear(&arena);
    }
    arena_deinit(&arena);
}

static void test_nothing_in_common(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    expect_as_table(BYTES(""), BYTES(""), &arena);
    expect_as_table(BYTES("abc"), BYTES(""), &arena);
    expect_as_table(BYTES(""), BYTES("abc"), &arena);
    expect_as_table(BYTES("abc"), BYTES("def"), &arena);
    arena_deinit(&arena);
}

/* The shapes that take most memory or time. */
static void test_as_large_as_may_be(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 63, 64, 11585, 1 << 20};
    struct random random = {2};
    struct arena arena;
    arena_init(&arena);
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        size_t a = sizes[k], b = LCS_CELLS_MAX / sizes[k];
        char *text = arena_alloc(&arena, a + b);
        for (size_t i = 0; i < a + b; i++)
            text[i] = (char)random_below(&random, 200);
        struct lcs lcs;
        lcs_find(bytes_of(text, a), bytes_of(text + a, b), true, &arena, &lcs);
        assert_in_range(lcs.length, a < b ? (a + 9) / 10 : b / 10, a < b ? a : b);
        arena_clear(&arena);
    }
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_table),
        cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_as_large_as_may_be),
    };
    return cmocka_run_group_tests_name("lcs", tests, NULL, NULL);
}
