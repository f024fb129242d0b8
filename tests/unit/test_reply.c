/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "resp/reply.h"

/* Compares what was written since the last call. */
static void expect(struct reply *reply, const char *text)
{
    struct bytes written = buffer_bytes(reply->out);
    if (!bytes_equal(written, bytes_text(text)))
        fail_msg("wrote '%.*s' instead of '%s'", (int)written.size, written.data, text);
    buffer_clear(reply->out, 0);
}

static void strings_and_errors(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct reply reply = {&out, 2};
    reply_ok(&reply);
    expect(&reply, "+OK\r\n");
    reply_simple(&reply, BYTES("PONG"));
    expect(&reply, "+PONG\r\n");
    reply_simple(&reply, BYTES(""));
    expect(&reply, "+\r\n");
    reply_ok(&reply);
    reply_error(&reply, BYTES("ERR a\r\nb"));
    expect(&reply, "+OK\r\n-ERR a  b\r\n");
    reply_errorf(&reply, "ERR %d of '%s'", 7, "x\ny");
    expect(&reply, "-ERR 7 of 'x y'\r\n");
    buffer_deinit(&out);
}

static void a_long_error_is_whole(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct reply reply = {&out, 2};
    char text[600];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    reply_errorf(&reply, "%s", text);
    assert_int_equal(buffer_size(&out), sizeof(text) - 1 + 3);
    buffer_deinit(&out);
}

static void integers(void **state)
{
    static const struct {
        int64_t value;
        const char *text, *bulk;
    } cases[] = {
        {0, ":0\r\n", "$1\r\n0\r\n"},
        {9, ":9\r\n", "$1\r\n9\r\n"},
        {10, ":10\r\n", "$2\r\n10\r\n"},
        {99, ":99\r\n", "$2\r\n99\r\n"},
        {100, ":100\r\n", "$3\r\n100\r\n"},
        {-1, ":-1\r\n", "$2\r\n-1\r\n"},
        {INT64_MAX, ":9223372036854775807\r\n", "$19\r\n9223372036854775807\r\n"},
        {INT64_MIN, ":-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"},
    };
    (void)state;
    struct buffer out = {0};
    struct reply reply = {&out, 3};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_integer(&reply, cases[i].value);
        expect(&reply, cases[i].text);
        reply_bulk_integer(&reply, cases[i].value);
        expect(&reply, cases[i].bulk);
    }
    buffer_deinit(&out);
}

static void bulks_of_every_size(void **state)
{
    (void)state;
    struct buffer out = {0}, want = {0};
    struct reply reply = {&out, 2};
    char data[1100];
    memset(data, 'd', sizeof(data));
    for (size_t size = 0; size < sizeof(data); size++) {
        buffer_clear(&out, 0); /* exact rooms, for the sanitizer */
        buffer_clear(&want, 0);
        reply_bulk(&reply, bytes_of(data, size));
        buffer_printf(&want, "$%zu\r\n%.*s\r\n", size, (int)size, data);
        assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&want)));
    }
    buffer_clear(&out, 0);
    reply_bulk(&reply, bytes_of("a\0\r\nb", 5));
    assert_memory_equal(out.block, "$5\r\na\0\r\nb\r\n", 11);
    buffer_clear(&out, 0);
    reply_bulk_text(&reply, "text");
    expect(&reply, "$4\r\ntext\r\n");
    buffer_deinit(&want);
    buffer_deinit(&out);
}

static void doubles(void **state)
{
    static const struct {
        double value;
        const char *resp2, *resp3;
    } cases[] = {
        {3.5, "$3\r\n3.5\r\n", ",3.5\r\n"},
        {10, "$2\r\n10\r\n", ",10\r\n"},
        {0.1, "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"},
        {-1e300, "$24\r\n-1.0000000000000001e+300\r\n", ",-1.0000000000000001e+300\r\n"},
        {INFINITY, "$3\r\ninf\r\n", ",inf\r\n"},
        {-INFINITY, "$4\r\n-inf\r\n", ",-inf\r\n"},
        {NAN, "$3\r\nnan\r\n", ",nan\r\n"},
        {-NAN, "$3\r\nnan\r\n", ",nan\r\n"},
    };
    (void)state;
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply two = {&out, 2}, three = {&out, 3};
        reply_double(&two, cases[i].value);
        expect(&two, cases[i].resp2);
        reply_double(&three, cases[i].value);
        expect(&three, cases[i].resp3);
    }
    buffer_deinit(&out);
}

/* One of each thing that differs between the protocols. */
static void write_all(struct reply *reply)
{
    reply_null(reply);
    reply_null_array(reply);
    reply_bool(reply, true);
    reply_bool(reply, false);
    reply_array(reply, 12);
    reply_map(reply, 6);
    reply_set(reply, 123);
    reply_push(reply, 2);
    reply_verbatim(reply, "txt", BYTES("hello"));
}

static void protocols_differ(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct reply two = {&out, 2}, three = {&out, 3};
    write_all(&two);
    expect(&two, "$-1\r\n*-1\r\n:1\r\n:0\r\n*12\r\n*12\r\n*123\r\n*2\r\n$5\r\nhello\r\n");
    write_all(&three);
    expect(&three, "_\r\n_\r\n#t\r\n#f\r\n*12\r\n%6\r\n~123\r\n>2\r\n=9\r\ntxt:hello\r\n");
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_and_errors),
        cmocka_unit_test(a_long_error_is_whole),
        cmocka_unit_test(integers),
        cmocka_unit_test(bulks_of_every_size),
        cmocka_unit_test(doubles),
        cmocka_unit_test(protocols_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
