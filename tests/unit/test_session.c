/* SPDX-License-Identifier: MIT */
/* What a client may say of itself and of others: AUTH, HELLO, SELECT, CLIENT... */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "command/command_syntax.h"
#include "doubles/node_world.h"
#include "security/password.h"

#define WRONG  "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define NOAUTH "-NOAUTH Authentication required.\r\n"

static struct world *begin(struct peer **out_peer)
{
    struct world *world = world_new();
    *out_peer = world_connect(world);
    return world;
}

static void passwords_are_compared_whole(void **state)
{
    (void)state;
    assert_true(password_matches(BYTES("secret"), BYTES("secret")));
    assert_false(password_matches(BYTES("secre"), BYTES("secret")));
    assert_false(password_matches(BYTES("secret\0"), BYTES("secret")));
    assert_false(password_matches(BYTES("Secret"), BYTES("secret")));
    assert_false(password_matches(BYTES(""), BYTES("secret")));
}

static void auth_opens_the_door(void **state)
{
    (void)state;
    struct world *world = world_new_with_password("secret");
    struct peer *peer = world_connect(world);
    peer_ask(peer, "PING\r\n", NOAUTH);
    peer_ask(peer, "nosuch\r\n", "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    peer_ask(peer, "get\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    peer_ask(peer, "AUTH wrong\r\n", WRONG);
    peer_ask(peer, "AUTH somebody secret\r\n", WRONG);
    peer_ask(peer, "AUTH a b c\r\n", "-ERR syntax error\r\n");
    assert_int_equal(world->admin->stats->acl_denied_auth, 2);
    peer_ask(peer, "HELLO 3\r\n",
             "-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
             "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
             "select the RESP protocol version at the same time\r\n");
    peer_ask(peer, "AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    peer_ask(peer, "RESET\r\nPING\r\n", "+RESET\r\n" NOAUTH);
    peer_ask(peer, "AUTH default secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    world_free(world);
}

static void without_a_password_auth_says_so(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(
        peer, "AUTH secret\r\n",
        "-ERR AUTH <password> called without any password configured for the default user. Are "
        "you sure your configuration is correct?\r\n");
    peer_ask(peer, "AUTH default anything\r\n", "+OK\r\n");
    peer_ask(peer, "AUTH somebody anything\r\n", WRONG);
    world_free(world);
}

static void hello_chooses_the_protocol(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(
        peer, "HELLO\r\n",
        "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2"
        "\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        "$7\r\nmodules\r\n*0\r\n");
    peer_ask(
        peer, "HELLO 3 SETNAME me\r\nget k\r\n",
        "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:3"
        "\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        "$7\r\nmodules\r\n*0\r\n_\r\n");
    peer_ask(peer, "CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    peer_ask(peer, "HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    peer_ask(peer, "HELLO 1\r\n", "-NOPROTO unsupported protocol version\r\n");
    peer_ask(peer, "HELLO x\r\n", "-ERR Protocol version is not an integer or out of range\r\n");
    peer_ask(peer, "HELLO 99999999999999999999\r\n",
             "-ERR Protocol version is not an integer or out of range\r\n");
    peer_ask(peer, "HELLO 2 nonsense\r\n", "-ERR Syntax error in HELLO option 'nonsense'\r\n");
    peer_ask(peer, "HELLO 2 AUTH default\r\n", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    peer_ask(peer, "HELLO 2 SETNAME \"a b\"\r\n",
             "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    peer_ask(peer, "HELLO 2 AUTH nobody x\r\n", WRONG);
    peer_ask(peer, "get k\r\n", "_\r\n"); /* none of these changed anything */
    peer_ask(peer, "RESET\r\nget k\r\nCLIENT GETNAME\r\n", "+RESET\r\n$-1\r\n$-1\r\n");
    world_free(world);
}

static void hello_may_authenticate(void **state)
{
    (void)state;
    struct world *world = world_new_with_password("secret");
    struct peer *peer = world_connect(world);
    peer_ask(peer, "HELLO 3 AUTH default wrong SETNAME x\r\n", WRONG);
    peer_ask(peer, "PING\r\n", NOAUTH);
    peer_send(peer, "HELLO 3 AUTH default secret SETNAME x\r\n");
    world_turn(world);
    assert_memory_equal(buffer_bytes(&peer->received).data, "%7\r\n", 4);
    buffer_clear(&peer->received, 0);
    peer_ask(peer, "CLIENT GETNAME\r\n", "$1\r\nx\r\n");
    world_free(world);
}

static void select_has_bounds(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "SELECT 15\r\n", "+OK\r\n");
    assert_int_equal(peer->session->db, 15);
    peer_ask(peer, "SELECT 16\r\n", "-ERR DB index is out of range\r\n");
    peer_ask(peer, "SELECT -1\r\n", "-ERR DB index is out of range\r\n");
    peer_ask(peer, "SELECT 1e3\r\n", "-ERR value is not an integer or out of range\r\n");
    peer_ask(peer, "SELECT 4294967296\r\n",
             "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
    assert_int_equal(peer->session->db, 15);
    world_free(world);
}

static void ping_and_echo(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "PING\r\nping hi\r\nPING a b\r\n",
             "+PONG\r\n$2\r\nhi\r\n-ERR wrong number of arguments for 'ping' command\r\n");
    peer_ask(peer, "*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
    world_free(world);
}

static void quit_is_the_last_word(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "PING\r\nQUIT\r\nset k v\r\n", "+PONG\r\n+OK\r\n");
    peer_expect_closed(peer);
    assert_int_equal(world->row_count, 0);
    world_free(world);
}

static void clients_name_themselves(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "client id\r\nclient getname\r\n", ":1\r\n$-1\r\n");
    peer_ask(peer, "client setname me\r\nclient getname\r\n", "+OK\r\n$2\r\nme\r\n");
    peer_ask(peer, "client setname \"a\\nb\"\r\n",
             "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    peer_ask(peer, "client setname \"\"\r\nclient getname\r\n", "+OK\r\n$-1\r\n");
    peer_ask(peer, "client setinfo lib-name py\r\nclient setinfo LIB-VER 1.2\r\n",
             "+OK\r\n+OK\r\n");
    peer_ask(peer, "client setinfo lib-name \"a b\"\r\n",
             "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
    peer_ask(peer, "client setinfo nosuch x\r\n", "-ERR Unrecognized option 'nosuch'\r\n");
    world->now_ms += 5000;
    peer_send(peer, "client info\r\n");
    world_turn(world);
    buffer_append_u8(&peer->received, 0);
    const char *info = buffer_bytes(&peer->received).data;
    assert_non_null(strstr(info,
                           "\r\nid=1 addr=127.0.0.1:5001 laddr=127.0.0.1:6379 fd=-1 name= age=5 "
                           "idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=13 "));
    assert_non_null(strstr(info, " events=r cmd=client|info user=default redir=-1 resp=2 "
                                 "lib-name=py lib-ver=1.2\n\r\n"));
    world_free(world);
}

/* How many lines the last reply has, and forgets it. */
static unsigned lines_of(struct peer *peer)
{
    unsigned lines = 0;
    struct bytes text = buffer_bytes(&peer->received);
    for (size_t i = 0; i + 3 < text.size; i++)
        lines += text.data[i] == '\n' && text.data[i + 1] == 'i' && text.data[i + 2] == 'd';
    buffer_clear(&peer->received, 0);
    return lines;
}

static unsigned lists(struct peer *peer, const char *text)
{
    peer_send(peer, text);
    world_turn(peer->world);
    return lines_of(peer);
}

static void clients_are_listed(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    world_connect(world);
    world_connect(world);
    assert_int_equal(lists(peer, "client list\r\n"), 3);
    assert_int_equal(lists(peer, "client list type normal\r\n"), 3);
    assert_int_equal(lists(peer, "client list type replica\r\n"), 0);
    assert_int_equal(lists(peer, "client list id 2 3 99\r\n"), 2);
    peer_ask(peer, "client list type nosuch\r\n", "-ERR Unknown client type 'nosuch'\r\n");
    peer_ask(peer, "client list id x\r\n", "-ERR Invalid client ID\r\n");
    peer_ask(peer, "client list id\r\n", "-ERR syntax error\r\n");
    peer_ask(peer, "client list nosuch 1\r\n", "-ERR syntax error\r\n");
    world_free(world);
}

static void clients_kill_clients(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *second = world_connect(world);
    peer_ask(peer, "client kill 127.0.0.1:1\r\n", "-ERR No such client\r\n");
    peer_ask(peer, "client kill \"\"\r\n", "-ERR No such client\r\n");
    peer_ask(peer, "client kill 127.0.0.1:5002\r\n", "+OK\r\n");
    peer_expect_closed(second);
    peer_ask(peer, "client kill 127.0.0.1:5001\r\nPING\r\n", "+OK\r\n");
    peer_expect_closed(peer);
    world_free(world);
}

static void clients_kill_by_options(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    struct peer *second = world_connect(world), *third = world_connect(world);
    peer_ask(peer, "client kill id 0\r\n", "-ERR client-id should be greater than 0\r\n");
    peer_ask(peer, "client kill id 2 addr\r\n", "-ERR syntax error\r\n");
    peer_ask(peer, "client kill type x\r\n", "-ERR Unknown client type 'x'\r\n");
    peer_ask(peer, "client kill user x\r\n", "-ERR No such user 'x'\r\n");
    peer_ask(peer, "client kill skipme x\r\n", "-ERR syntax error\r\n");
    peer_ask(peer, "client kill nosuch x\r\n", "-ERR syntax error\r\n");
    peer_ask(peer, "client kill id 99\r\n", ":0\r\n");
    peer_ask(peer, "client kill id 1\r\n", ":0\r\n");
    peer_ask(peer, "client kill type pubsub\r\n", ":0\r\n");
    peer_send(second, "set k v\r\n"); /* its reply is on the way, and is not waited for */
    peer_ask(peer, "client kill addr 127.0.0.1:5002 user default\r\n", ":1\r\n");
    peer_expect_closed(second);
    peer_expect(second, "");
    peer_ask(peer, "client kill laddr 127.0.0.1:6379 skipme no\r\nPING\r\n", ":2\r\n");
    peer_expect_closed(third);
    peer_expect_closed(peer);
    world_free(world);
}

static void replies_may_be_turned_off(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "client reply skip\r\nset k 1\r\nPING\r\n", "+PONG\r\n");
    peer_ask(peer, "client reply off\r\nset k 2\r\nnosuch\r\nclient reply skip\r\n", "");
    peer_ask(peer, "client reply on\r\nget k\r\n", "+OK\r\n$1\r\n2\r\n");
    peer_ask(peer, "client reply skip\r\nclient reply on\r\n", "+OK\r\n");
    peer_ask(peer, "client reply x\r\n", "-ERR syntax error\r\n");
    world_row(world, "cold", "c", true);
    peer_send(peer, "client reply skip\r\nget cold\r\nPING\r\n");
    world_turn(world);
    world_fetches_done(world);
    world_turn(world);
    peer_expect(peer, "+PONG\r\n");
    world_free(world);
}

static void switches(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "client no-evict on\r\nclient no-touch ON\r\n", "+OK\r\n+OK\r\n");
    struct buffer text = {0};
    session_describe(peer->session, world->now_ms, &text);
    buffer_append_u8(&text, 0);
    assert_non_null(strstr(buffer_bytes(&text).data, " flags=eT "));
    buffer_deinit(&text);
    peer_ask(peer, "client no-evict x\r\n", "-ERR syntax error\r\n");
    peer_ask(peer, "RESET\r\n", "+RESET\r\n");
    assert_false(peer->session->no_evict || peer->session->no_touch);
    world_free(world);
}

static void clients_choose_their_consistency(void **state)
{
    (void)state;
    struct peer *peer;
    struct world *world = begin(&peer);
    peer_ask(peer, "CONSISTENCY\r\n",
             "*4\r\n$4\r\nread\r\n$7\r\ndefault\r\n$5\r\nwrite\r\n$7\r\ndefault\r\n");
    peer_ask(peer, "consistency r 2 W all\r\n", "+OK\r\n");
    assert_int_equal(peer->session->consistency.read, 2);
    assert_int_equal(peer->session->consistency.write, CONSISTENCY_ALL);
    peer_ask(peer, "CONSISTENCY\r\n",
             "*4\r\n$4\r\nread\r\n$1\r\n2\r\n$5\r\nwrite\r\n$3\r\nall\r\n");
    peer_ask(peer, "CONSISTENCY W ONE\r\n", "+OK\r\n");
    assert_int_equal(peer->session->consistency.read, 2);
    assert_int_equal(peer->session->consistency.write, 1);
    peer_ask(peer, "CONSISTENCY DEFAULT R QUORUM\r\n", "+OK\r\n");
    assert_int_equal(peer->session->consistency.read, CONSISTENCY_QUORUM);
    assert_int_equal(peer->session->consistency.write, 0);
    peer_ask(peer, "CONSISTENCY R\r\nCONSISTENCY X 1\r\n",
             "-ERR syntax error\r\n-ERR syntax error\r\n");
#define NO_CONSISTENCY(word)                                                                       \
    "-ERR '" word "' is no consistency: a number of copies from 1 to 7, ONE, QUORUM, ALL or "      \
    "DEFAULT\r\n"
    peer_ask(peer, "CONSISTENCY W 3 R 0\r\n", NO_CONSISTENCY("0"));
    peer_ask(peer, "CONSISTENCY R 8\r\n", NO_CONSISTENCY("8"));
    peer_ask(peer, "CONSISTENCY R some\r\n", NO_CONSISTENCY("some"));
    assert_int_equal(peer->session->consistency.read, CONSISTENCY_QUORUM);
    assert_int_equal(peer->session->consistency.write, 0); /* all of it, or nothing */
    peer_ask(peer, "RESET\r\n", "+RESET\r\n");
    assert_int_equal(peer->session->consistency.read, 0);
    world_free(world);
}

static void expect_documented(const struct command *command, struct arena *arena)
{
    struct syntax_argument *first;
    assert_non_null(command->since);
    assert_non_null(command->group);
    assert_non_null(command->complexity);
    assert_non_null(command->summary);
    if (command_syntax_parse(command->syntax, arena, &first) != STATUS_OK)
        fail_msg("syntax of %s: %s", command->name, command->syntax);
}

static void every_command_is_documented(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (const struct command *command = connection_commands; command->name; command++)
        expect_documented(command, &arena);
    for (const struct command *command = client_subcommands; command->name; command++)
        expect_documented(command, &arena);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_compared_whole),
        cmocka_unit_test(auth_opens_the_door),
        cmocka_unit_test(without_a_password_auth_says_so),
        cmocka_unit_test(hello_chooses_the_protocol),
        cmocka_unit_test(hello_may_authenticate),
        cmocka_unit_test(select_has_bounds),
        cmocka_unit_test(ping_and_echo),
        cmocka_unit_test(quit_is_the_last_word),
        cmocka_unit_test(clients_name_themselves),
        cmocka_unit_test(clients_are_listed),
        cmocka_unit_test(clients_kill_clients),
        cmocka_unit_test(clients_kill_by_options),
        cmocka_unit_test(replies_may_be_turned_off),
        cmocka_unit_test(switches),
        cmocka_unit_test(clients_choose_their_consistency),
        cmocka_unit_test(every_command_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
