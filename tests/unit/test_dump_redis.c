/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/crc64.h"
#include "base/memory.h"
#include "base/pack.h"
#include "type/dump_redis.h"
#include "type/string.h"

static struct arena arena;

/* As redis-server 7.0 gave them. */
static void dumps_of_a_redis(void **state)
{
    (void)state;
    static const struct {
        struct bytes payload;
        const char *string;
        size_t repeated;
    } cases[] = {
        {BYTES("\0\0\n\0]\x9b\\@\x0f\x7f\xa2\xda"), "", 1},
        {BYTES("\0\x03"
               "bar\n\0\xe6\xbeI`\xee"
               "f\xfd\x17"),
         "bar", 1},
        {BYTES("\0\xc0\x07\n\0t\xcdH\xa2\x83\xab\xce\x92"), "7", 1},
        {BYTES("\0\xc1\x7f\xff\n\0\x17`\x82(T\x80\x84\x80"), "-129", 1},
        {BYTES("\0\xc2p\x11\x01\0\n\0\x01\xa4\x08\xfe\x95"
               "0\x95\xa5"),
         "70000", 1},
        {BYTES("\0\xc3\t@d\x01"
               "aa\xe0W\0\x01"
               "aa\n\0\xe8\xa3\xb5\x07\xb0m\xf2q"),
         "a", 100},
        {BYTES("\0\xc3\x13"
               "A@\x08"
               "abcdefgha\xe0\xff\x07\xe1$\x07\x01gh\n\0v(\xfd"
               "E\xfe"
               "3\x9d\x11"),
         "abcdefgh", 40},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dump dump;
        size_t size = strlen(cases[i].string);
        assert_int_equal(dump_decode(cases[i].payload, &arena, &dump), STATUS_OK);
        assert_int_equal(dump.string.size, size * cases[i].repeated);
        for (size_t at = 0; at < dump.string.size; at += size)
            assert_memory_equal(dump.string.data + at, cases[i].string, size);
        arena_clear(&arena);
    }
}

static enum status decode(struct bytes inside, struct dump *out)
{
    /* In a block of its own, so that a sanitizer sees what reads past it. */
    char *copy = memory_alloc(inside.size);
    memcpy(copy, inside.data, inside.size);
    enum status status = dump_redis_decode(bytes_of(copy, inside.size), &arena, out);
    if (status == STATUS_OK)
        out->string = arena_copy(&arena, out->string);
    memory_free(copy);
    return status;
}

static void expect(struct bytes inside, const char *string)
{
    struct dump dump;
    assert_int_equal(decode(inside, &dump), STATUS_OK);
    assert_true(bytes_equal(dump.string, bytes_text(string)));
}

static void each_form_of_a_string(void **state)
{
    (void)state;
    expect(BYTES("\0\x40\x03"
                 "abc"),
           "abc");
    expect(BYTES("\0\x80\0\0\0\x03"
                 "abc"),
           "abc");
    expect(BYTES("\0\x81\0\0\0\0\0\0\0\x03"
                 "abc"),
           "abc");
    expect(BYTES("\0\xc0\x80"), "-128");
    expect(BYTES("\0\xc1\0\x80"), "-32768");
    expect(BYTES("\0\xc2\0\0\0\x80"), "-2147483648");
    expect(BYTES("\0\xc2\xff\xff\xff\x7f"), "2147483647");
    expect(BYTES("\0\xc3\x04\x06\0a\x60\0"), "aaaaaa");
    expect(BYTES("\0\xc3\x05\x0a\0a\xe0\0\0"), "aaaaaaaaaa");
}

static void what_is_no_string_is_refused(void **state)
{
    (void)state;
    static const struct bytes bad[] = {
        BYTES(""),
        BYTES("\0"),
        BYTES("\x01\x01x"),                              /* a list */
        BYTES("\0\x03xx"),                               /* too short */
        BYTES("\0\x01xx"),                               /* too long */
        BYTES("\0\x82\0\0\0\0\0\0\0\x01x"),              /* no such length */
        BYTES("\0\x81\xff\xff\xff\xff\xff\xff\xff\xf7"), /* beyond all bounds */
        BYTES("\0\xc0"),
        BYTES("\0\xc1x"),
        BYTES("\0\xc2xxx"),
        BYTES("\0\xc4x"),                                 /* no such encoding */
        BYTES("\0\xc3"),                                  /* LZF: */
        BYTES("\0\xc3\x02\x02\0a"),                       /* gives less than it says */
        BYTES("\0\xc3\x02\0\0a"),                         /* gives more */
        BYTES("\0\xc3\x04\x06\0a\x60\x01"),               /* before the beginning */
        BYTES("\0\xc3\x03\x06\0a\x60"),                   /* ends within */
        BYTES("\0\xc3\x01\x06\x05"),                      /* ends within a literal */
        BYTES("\0\xc3\xc0\x06\0a\x60\0"),                 /* an integer for a length */
        BYTES("\0\xc3\x04\x80\x1f\xff\xff\xff\0a\x60\0"), /* a bomb */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dump dump;
        if (decode(bad[i], &dump) != STATUS_CORRUPT)
            fail_msg("case %zu", i);
    }
}

static void versions_to_come_are_refused(void **state)
{
    (void)state;
    for (unsigned version = 0; version < 256; version++) {
        char payload[] = "\0\x03xyz\0\0........";
        struct dump dump;
        payload[5] = (char)version;
        pack_u64(payload + 7, crc64(bytes_of(payload, 7)));
        assert_int_equal(dump_decode(bytes_of(payload, 15), &arena, &dump),
                         version <= DUMP_REDIS_VERSION_MAX ? STATUS_OK : STATUS_VERSION);
    }
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumps_of_a_redis),
        cmocka_unit_test(each_form_of_a_string),
        cmocka_unit_test(what_is_no_string_is_refused),
        cmocka_unit_test(versions_to_come_are_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
