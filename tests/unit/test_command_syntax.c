/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "command/command_syntax.h"

/* A tree as text: "name:type" with TOKEN= in front, ? for optional, + for multiple, ++ for
 * multiple_token, members in {}. */
static void print(const struct syntax_argument *first, struct buffer *out)
{
    for (const struct syntax_argument *a = first; a != NULL; a = a->next) {
        if (a != first)
            buffer_append_u8(out, ' ');
        if (a->token.size > 0)
            buffer_printf(out, "%.*s=", (int)a->token.size, a->token.data);
        buffer_printf(out, "%.*s:%.*s%s%s%s", (int)a->name.size, a->name.data, (int)a->type.size,
                      a->type.data, a->optional ? "?" : "", a->multiple ? "+" : "",
                      a->multiple_token ? "+" : "");
        if (a->arguments != NULL) {
            buffer_append_u8(out, '{');
            print(a->arguments, out);
            buffer_append_u8(out, '}');
        }
    }
}

static void expect(const char *syntax, const char *tree)
{
    struct arena arena;
    struct buffer out = {0};
    struct syntax_argument *first = NULL;
    arena_init(&arena);
    if (command_syntax_parse(syntax, &arena, &first) != STATUS_OK)
        fail_msg("\"%s\" is not understood", syntax);
    print(first, &out);
    buffer_append_u8(&out, '\0');
    assert_string_equal(out.block, tree);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

static void values_and_tokens(void **state)
{
    (void)state;
    expect("", "");
    expect("key:key value", "key:key value:string");
    expect("NX", "NX=nx:pure-token");
    expect("exactly==", "==exactly:pure-token");
    expect("EX seconds:integer", "EX=seconds:integer");
    expect("key:key [GET]", "key:key GET=get:pure-token?");
    expect("NX yes=Y", "NX=nx:pure-token Y=yes:pure-token");
}

static void choices_and_blocks(void **state)
{
    (void)state;
    expect("[NX|XX]", "nx-xx:oneof?{NX=nx:pure-token XX=xx:pure-token}");
    expect("[condition: NX|XX]", "condition:oneof?{NX=nx:pure-token XX=xx:pure-token}");
    expect("[EX seconds:integer|KEEPTTL]",
           "seconds-keepttl:oneof?{EX=seconds:integer KEEPTTL=keepttl:pure-token}");
    expect("[a b]", "a-b:block?{a:string b:string}");
    expect("(a b|c)", "a-b-c:oneof{a-b:block{a:string b:string} c:string}");
    expect("BY (FLOAT|INT)", "BY=by:oneof{FLOAT=float:pure-token INT=int:pure-token}");
    expect("[LIMIT (offset:integer count:integer)]",
           "LIMIT=limit:block?{offset:integer count:integer}");
    expect("[LIMIT offset:integer count:integer]",
           "LIMIT=limit:block?{offset:integer count:integer}");
    expect("LIMIT offset count", "LIMIT=offset:string count:string");
    expect("[protover:integer [AUTH username password] [SETNAME clientname]]",
           "protover-auth-clientname:block?{protover:integer "
           "AUTH=auth:block?{username:string password:string} SETNAME=clientname:string?}");
    expect("[equal==|approximately=~] threshold",
           "equal-approximately:oneof?{==equal:pure-token ~=approximately:pure-token} "
           "threshold:string");
}

static void repetition(void **state)
{
    (void)state;
    expect("key:key...", "key:key+");
    expect("key:key ...", "key:key+");
    expect("[section...]", "section:string?+");
    expect("(data: key:key value)...", "data:block+{key:key value:string}");
    expect("[GET pattern:pattern]...", "GET=pattern:pattern?++");
    expect("[GET pattern:pattern...]", "GET=pattern:pattern?+");
    expect("[ID id:integer ...] x", "ID=id:integer?+ x:string");
    expect("(ip-port|(ID id:integer|ADDR ip-port) ...)",
           "ip-port-id-ip-port:oneof{ip-port:string "
           "id-ip-port:oneof+{ID=id:integer ADDR=ip-port:string}}");
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[",  "[a", "(a]", "a]",  "a|b",  "[]",   "[a|]",      "a:nothing",
        "a:", "a=", "...", "[a)", "(|a)", "a b)", "EX (PX a)", "[[[[[[[[[a]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct arena arena;
        struct syntax_argument *first = NULL;
        arena_init(&arena);
        if (command_syntax_parse(wrong[i], &arena, &first) != STATUS_SYNTAX)
            fail_msg("\"%s\" is taken", wrong[i]);
        assert_null(first);
        arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_tokens),
        cmocka_unit_test(choices_and_blocks),
        cmocka_unit_test(repetition),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
