/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "resp/request_parser.h"

static const struct request_limits open_limits = {1024 * 1024, 512 * 1024 * 1024, 64 * 1024, true};
static const struct request_limits before_auth = {10, 16 * 1024, 64 * 1024, false};

/*
 * Feeds `stream` in pieces which end at the given points and at its end, each time from a fresh
 * block of exactly that size, as one that has moved; writes what comes out as text: each argument
 * in brackets, a request a line.
 */
struct reader {
    const struct request_limits *limits;
    struct request_parser parser;
    struct arena arena;
    struct buffer text;
    size_t used; /* bytes of the stream that belong to finished requests */
    bool broken;
};

static void reader_init(struct reader *reader, const struct request_limits *limits)
{
    *reader = (struct reader){.limits = limits};
    arena_init(&reader->arena);
}

static void reader_deinit(struct reader *reader)
{
    request_parser_deinit(&reader->parser);
    arena_deinit(&reader->arena);
    buffer_deinit(&reader->text);
}

static void write_request(struct reader *reader)
{
    const struct request_parser *parser = &reader->parser;
    for (uint32_t i = 0; i < parser->argc; i++) {
        buffer_append_u8(&reader->text, '[');
        buffer_append_bytes(&reader->text, parser->argv[i]);
        buffer_append_u8(&reader->text, ']');
    }
    buffer_append_u8(&reader->text, '\n');
}

/* Everything up to `end` has arrived. */
static void feed(struct reader *reader, struct bytes stream, size_t end)
{
    while (!reader->broken) {
        size_t size = end - reader->used;
        char *block = memory_alloc(size);
        if (size)
            memcpy(block, stream.data + reader->used, size);
        size_t used = 0;
        enum request_result result = request_parse(&reader->parser, bytes_of(block, size),
                                                   reader->limits, &reader->arena, &used);
        if (result == REQUEST_READY)
            write_request(reader);
        memory_free(block);
        arena_clear(&reader->arena);
        if (result == REQUEST_INCOMPLETE)
            return;
        if (result == REQUEST_MALFORMED) {
            buffer_append_bytes(&reader->text, bytes_text(reader->parser.error));
            reader->broken = true;
            return;
        }
        assert_true(used > 0 && used <= size);
        reader->used += used;
    }
}

static void expect_text(struct reader *reader, struct bytes want, const char *how)
{
    struct bytes text = buffer_bytes(&reader->text);
    if (!bytes_equal(text, want))
        fail_msg("%s: read\n%.*s\ninstead of\n%.*s", how, (int)text.size, text.data, (int)want.size,
                 want.data);
    reader_deinit(reader);
}

/* Whole, split in two at every point, and byte by byte: always the same. */
static void expect_bytes(struct bytes stream, struct bytes want,
                         const struct request_limits *limits)
{
    struct reader reader;
    reader_init(&reader, limits);
    feed(&reader, stream, stream.size);
    expect_text(&reader, want, "whole");
    for (size_t split = 0; split < stream.size; split++) {
        reader_init(&reader, limits);
        feed(&reader, stream, split);
        feed(&reader, stream, stream.size);
        expect_text(&reader, want, "in two");
    }
    reader_init(&reader, limits);
    for (size_t end = 0; end <= stream.size; end++)
        feed(&reader, stream, end);
    expect_text(&reader, want, "by bytes");
}

static void expect(const char *stream, const char *want)
{
    expect_bytes(bytes_text(stream), bytes_text(want), &open_limits);
}

static void expect_unauthenticated(const char *stream, const char *want)
{
    expect_bytes(bytes_text(stream), bytes_text(want), &before_auth);
}

static void arrays(void **state)
{
    (void)state;
    expect("*1\r\n$4\r\nPING\r\n", "[PING]\n");
    expect("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
           "[SET][k][]\n[GET][k]\n");
    expect("*1\r\n$10\r\n0123456789\r\n*1\r\n$1\r\n\n\r\n", "[0123456789]\n[\n]\n");
    expect("*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"
           "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n$1\r\nl\r\n",
           "[a][b][c][d][e][f][g][h][i][j][k][l]\n");
    expect_bytes(bytes_of("*1\r\n$7\r\na\0\r\n*$b\r\n", 17), bytes_of("[a\0\r\n*$b]\n", 10),
                 &open_limits);
}

static void nothing_asked_is_passed_over(void **state)
{
    (void)state;
    expect("*0\r\n*-1\r\n*-7\r\n\r\n\n   \r\n*1\r\n$1\r\nx\r\n", "\n\n\n\n\n\n[x]\n");
}

static void array_errors(void **state)
{
    (void)state;
    const char *count = "ERR Protocol error: invalid multibulk length";
    expect("*\r\n", count);
    expect("*x\r\n", count);
    expect("*03\r\n", count);
    expect("*+3\r\n", count);
    expect("* 3\r\n", count);
    expect("*3 \r\n", count);
    expect("*1048577\r\n", count);
    expect("*2147483648\r\n", count);
    expect("*9223372036854775808\r\n", count);
    expect("*99999999999999999999999\r\n", count);
    const char *size = "ERR Protocol error: invalid bulk length";
    expect("*1\r\n$\r\n", size);
    expect("*1\r\n$-1\r\n", size);
    expect("*1\r\n$-0\r\n", size);
    expect("*1\r\n$00\r\n", size);
    expect("*1\r\n$abc\r\n", size);
    expect("*1\r\n$536870913\r\n", size);
    expect("*1\r\n$18446744073709551615\r\n", size);
    expect("*2\r\n$1\r\na\r\n$1x\r\n", size);
    expect("*1\r\n1\r\n", "ERR Protocol error: expected '$', got '1'");
    expect("*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'");
    expect("*1\r\n\r\n", "ERR Protocol error: expected '$', got '\r'");
    /* As Redis: the two bytes behind an argument and the one behind CR are skipped, whatever they
     * are. */
    expect("*1\rx$1\ryzab*1\r\n$1\r\nc\r\n", "[z]\n[c]\n");
}

static void limits_before_auth(void **state)
{
    (void)state;
    expect_unauthenticated("*10\r\n", "");
    expect_unauthenticated("*11\r\n", "ERR Protocol error: unauthenticated multibulk length");
    expect_unauthenticated("*2147483648\r\n", "ERR Protocol error: invalid multibulk length");
    expect_unauthenticated("*1\r\n$16384\r\n", "");
    expect_unauthenticated("*1\r\n$16385\r\n", "ERR Protocol error: unauthenticated bulk length");
    expect_unauthenticated("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length");
    expect_unauthenticated("a b c d e f g h i j\r\n", "[a][b][c][d][e][f][g][h][i][j]\n");
    expect_unauthenticated("a b c d e f g h i j k\r\n",
                           "ERR Protocol error: unauthenticated multibulk length");
}

static void inline_commands(void **state)
{
    (void)state;
    expect("PING\r\n", "[PING]\n");
    expect("PING\nPING\r\n", "[PING]\n[PING]\n");
    expect("  set  key\tvalue \r\n", "[set][key][value]\n");
    expect("a\vb \fc\r\n", "[a\vb][c]\n");
    expect("set \"a b\" 'c d'\r\n", "[set][a b][c d]\n");
    expect("\"\" '' \"\"\r\n", "[][][]\n");
    expect("x\"y z\"\r\n", "[xy z]\n");
    expect("\"\\x41\\x4g\\n\\r\\t\\b\\a\\q\\\\\\\"\"\r\n", "[Ax4g\n\r\t\b\aq\\\"]\n");
    expect("'a\\'b\\n'\r\n", "[a'b\\n]\n");
    expect("a\\x41\r\n", "[a\\x41]\n");
    expect("$1\r\n", "[$1]\n");
}

static void unbalanced_quotes(void **state)
{
    (void)state;
    const char *error = "ERR Protocol error: unbalanced quotes in request";
    expect("\"\r\n", error);
    expect("'abc\r\n", error);
    expect("\"abc\"d\r\n", error);
    expect("'abc''d'\r\n", error);
    expect("\"abc\\\"\r\n", error);
    expect("\"abc\\\r\n", error);
    expect("ok\r\nset \"k\r\n", "[ok]\nERR Protocol error: unbalanced quotes in request");
}

/* At the limit, one beyond, and whether or not the line's end has come. */
static void lines_that_are_too_long(void **state)
{
    (void)state;
    struct request_limits limits = open_limits;
    limits.inline_size = 20;
    expect_bytes(BYTES("12345678901234567890\n"), BYTES("[12345678901234567890]\n"), &limits);
    struct bytes too_big = BYTES("ERR Protocol error: too big inline request");
    expect_bytes(BYTES("123456789012345678901\n"), too_big, &limits);
    expect_bytes(BYTES("123456789012345678901"), too_big, &limits);
    struct bytes count = BYTES("ERR Protocol error: too big mbulk count string");
    expect_bytes(BYTES("*00000000000000000000"), count, &limits);
    expect_bytes(BYTES("*00000000000000000000\r\n"), count, &limits);
    struct bytes invalid = BYTES("ERR Protocol error: invalid multibulk length");
    expect_bytes(BYTES("*0000000000000000000\r\n"), invalid, &limits);
    struct bytes size = BYTES("ERR Protocol error: too big bulk count string");
    expect_bytes(BYTES("*1\r\n$00000000000000000000"), size, &limits);
    expect_bytes(BYTES("*1\r\nxxxxxxxxxxxxxxxxxxxxx"), size, &limits);
}

static void many_arguments(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct buffer stream = {0}, want = {0};
    for (unsigned request = 0; request < 2; request++) {
        buffer_printf(&stream, "*%d\r\n", COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
            buffer_printf(&stream, "$%d\r\n%u\r\n", snprintf(NULL, 0, "%u", i), i);
            buffer_printf(&want, "[%u]", i);
        }
        buffer_append_u8(&want, '\n');
    }
    struct reader reader;
    reader_init(&reader, &open_limits);
    for (size_t end = 0; end < buffer_size(&stream); end += 997)
        feed(&reader, buffer_bytes(&stream), end);
    feed(&reader, buffer_bytes(&stream), buffer_size(&stream));
    expect_text(&reader, buffer_bytes(&want), "in pieces");
    buffer_deinit(&stream);
    buffer_deinit(&want);
}

static void wants_what_the_argument_lacks(void **state)
{
    (void)state;
    struct reader reader;
    reader_init(&reader, &open_limits);
    struct bytes stream = BYTES("*2\r\n$3\r\nSET\r\n$1000\r\nabc");
    assert_int_equal(request_wants(&reader.parser, 0), 0);
    feed(&reader, stream, 6);
    assert_int_equal(request_wants(&reader.parser, 6), 0);
    feed(&reader, stream, stream.size);
    assert_int_equal(request_wants(&reader.parser, stream.size), 1000 + 2 - 3);
    reader_deinit(&reader);
}

/* A request a byte at a time costs each byte once: what was searched and understood is not looked
 * at again. */
static void resuming_does_not_look_back(void **state)
{
    (void)state;
    struct reader reader;
    reader_init(&reader, &open_limits);
    size_t used;
    char stream[] = "*2\r\n$3\r\nGET\r\n$5\r\nkey.. and a line";
    struct bytes part = bytes_of(stream, 17); /* up to "$5\r\n" */
    assert_int_equal(request_parse(&reader.parser, part, &open_limits, &reader.arena, &used),
                     REQUEST_INCOMPLETE);
    memset(stream, '#', 8); /* headers that were read: "GET" itself stays */
    memset(stream + 13, '#', 4);
    memcpy(stream + 17, "abcde\r\n", 7);
    part.size = 24;
    assert_int_equal(request_parse(&reader.parser, part, &open_limits, &reader.arena, &used),
                     REQUEST_READY);
    assert_int_equal(reader.parser.argc, 2);
    reader_deinit(&reader);
}

static void expect_peek(const char *stream, const char *key, const char *rest)
{
    struct bytes found;
    size_t size;
    char *exact = memory_alloc(strlen(stream)); /* whoever reads further is found out */
    memcpy(exact, stream, strlen(stream));
    bool peeked = request_peek(bytes_of(exact, strlen(stream)), &found, &size);
    assert_int_equal(peeked, key != NULL);
    if (key) {
        assert_true(bytes_equal(found, bytes_text(key)));
        assert_string_equal(stream + size, rest);
    }
    memory_free(exact);
}

static void a_look_ahead_finds_plain_keys(void **state)
{
    (void)state;
    expect_peek("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "k", "");
    expect_peek("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n*2", "key", "*2");
    const char *others[] = {
        "",
        "*",
        "*2",
        "*2\r",
        "*2\r\n",
        "GET k\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "*9\r\n$3\r\nDEL\r\n",
        "*-1\r\n",
        "*2\r\n$3\r\nGET\r\n$01\r\nk\r\n",
        "*2\r\n:3\r\nGET\r\n$1\r\nk\r\n",
        "*2\r\n$3\r\nGET\r\n$-1\r\n",
        "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
        "*2\r\n$3\r\nGET\r\n$1\r\nk\r",
        "*2\r\n$3\r\nGET\r\n$9999999\r\nk\r\n",
        "*2\r\n$3\r\nGET\r\n$999999999999999999999\r\nk\r\n",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        expect_peek(others[i], NULL, NULL);
}

/* Bytes that look like the protocol, cut anywhere: no split changes what is read. */
static void random_bytes(void **state)
{
    (void)state;
    static const char *const words[] = {"*",  "$",  "\r\n", "1",   "3",           "0",
                                        "-1", "\"", "'",    "\\x", " ",           "\n",
                                        "\r", "ab", "GET",  "9",   "*2\r\n$1\r\n"};
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    struct random random = {2026};
    for (unsigned round = 0; round < 3000; round++) {
        struct buffer stream = {0};
        for (uint64_t i = random_below(&random, 40); i > 0; i--) {
            buffer_append_bytes(&stream, bytes_text(words[random_below(&random, WORDS)]));
            if (random_once_in(&random, 20))
                buffer_append_u8(&stream, (uint8_t)random_next(&random));
        }
        struct reader whole, pieces;
        reader_init(&whole, &open_limits);
        feed(&whole, buffer_bytes(&stream), buffer_size(&stream));
        reader_init(&pieces, &open_limits);
        for (size_t end = 0; end < buffer_size(&stream); end += 1 + random_below(&random, 4))
            feed(&pieces, buffer_bytes(&stream), end);
        feed(&pieces, buffer_bytes(&stream), buffer_size(&stream));
        expect_text(&pieces, buffer_bytes(&whole.text), "random");
        reader_deinit(&whole);
        buffer_deinit(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(nothing_asked_is_passed_over),
        cmocka_unit_test(array_errors),
        cmocka_unit_test(limits_before_auth),
        cmocka_unit_test(inline_commands),
        cmocka_unit_test(unbalanced_quotes),
        cmocka_unit_test(lines_that_are_too_long),
        cmocka_unit_test(many_arguments),
        cmocka_unit_test(wants_what_the_argument_lacks),
        cmocka_unit_test(resuming_does_not_look_back),
        cmocka_unit_test(a_look_ahead_finds_plain_keys),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
