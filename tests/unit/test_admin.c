/* SPDX-License-Identifier: MIT */
/* What operators say and hear, over a store that only has figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "session/session.h"

/* ---- the store's figures --------------------------------------------------------------------- */

void store_stats(const struct store *store, struct store_stats *out)
{
    (void)store;
    *out = (struct store_stats){.rows = 7, .expired_keys = 3, .log_bytes = 4096};
}

/* SWAPDB has been here. */
uint8_t store_database(const struct store *store, uint8_t index)
{
    (void)store;
    return index == 2 ? 3 : index == 3 ? 2 : index;
}

uint64_t store_keys(const struct store *store, uint8_t db)
{
    (void)store;
    return db == 2 ? 5 : 0;
}

uint64_t store_keys_with_expiry(const struct store *store, uint8_t db)
{
    (void)store;
    return db == 2 ? 1 : 0;
}

bool store_disk_full(const struct store *store)
{
    (void)store;
    return true;
}

uint64_t store_node(const struct store *store)
{
    (void)store;
    return 0xabcdef;
}

uint16_t store_epoch(const struct store *store)
{
    (void)store;
    return 9;
}

/* ---- a conversation -------------------------------------------------------------------------- */

static enum status cmd_nothing(struct request *request)
{
    (void)request;
    return STATUS_OK;
}

static const struct command data_commands[] = {
    {.name = "mset",
     .handler = cmd_nothing,
     .arity = -3,
     .flags = CMD_WRITE | CMD_DENYOOM,
     .categories = CAT_STRING,
     .first_key = 1,
     .last_key = -1,
     .key_step = 2,
     .key_flags = KEY_OW | KEY_UPDATE,
     .since = "1.0.1",
     .group = "string",
     .complexity = "O(N)",
     .summary = "Sets.",
     .syntax = "(data: key:key value)... [NX]",
     .tips = "one two"},
    {.name = "get",
     .handler = cmd_nothing,
     .arity = 2,
     .flags = CMD_READONLY,
     .first_key = 1,
     .last_key = 1,
     .key_step = 1,
     .key_flags = KEY_RO,
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Gets.",
     .syntax = "key:key"},
    {.name = NULL},
};

static const struct command *const tables[] = {
    data_commands, command_commands, config_commands, info_commands, server_commands, NULL,
};

struct fixture {
    struct config config;
    struct stats stats;
    struct sessions sessions;
    struct admin admin;
    struct command_set *commands;
    struct arena arena;
    struct buffer out;
    struct reply reply;
    char told[128]; /* what the node was told */
};

static void hear_change(void *context, const char *name)
{
    struct fixture *f = context;
    size_t size = strlen(f->told);
    snprintf(f->told + size, sizeof f->told - size, "%s ", name);
}

static void hear_shutdown(void *context, bool save, bool now)
{
    struct fixture *f = context;
    snprintf(f->told, sizeof f->told, "shutdown %d %d", save, now);
}

static void fixed_cpu(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    (void)context;
    *out_system_us = 1500000;
    *out_user_us = 1;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    *f = (struct fixture){0};
    config_init(&f->config);
    arena_init(&f->arena);
    f->commands = command_set_new(tables);
    f->reply = (struct reply){.out = &f->out, .resp = 2};
    f->sessions.count = 4;
    f->stats.started_ms = 1000;
    f->admin = (struct admin){.config = &f->config,
                              .stats = &f->stats,
                              .sessions = &f->sessions,
                              .commands = f->commands,
                              .process_id = 42,
                              .run_id = "0123abcd",
                              .config_changed = hear_change,
                              .shutdown = hear_shutdown,
                              .cpu_time = fixed_cpu,
                              .context = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    config_deinit(&f->config);
    arena_deinit(&f->arena);
    command_set_free(f->commands);
    buffer_deinit(&f->out);
    return 0;
}

/* Words between blanks; '' is an empty one. Each CR LF of the reply is given as one blank. */
static const char *say(struct fixture *f, const char *words)
{
    static char text[64 * 1024];
    char copy[512], *rest = copy;
    struct bytes argv[16];
    struct request request = {.argv = argv,
                              .databases = 16,
                              .reply = &f->reply,
                              .arena = &f->arena,
                              .now_ms = 61500,
                              .commands = f->commands,
                              .admin = &f->admin};
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[request.argc++] = bytes_text(strcmp(word, "''") == 0 ? "" : word);
    struct bytes second = request.argc > 1 ? argv[1] : (struct bytes){0};
    request.command = command_find(f->commands, argv[0], second, &request.parent);
    assert_non_null(request.command);
    buffer_clear(&f->out, 0);
    arena_clear(&f->arena);
    enum status status = request.command->handler(&request);
    if (status != STATUS_OK && status != STATUS_REPLIED) {
        assert_int_equal(buffer_size(&f->out), 0);
        reply_error(&f->reply, command_error_text(status));
    }
    size_t size = 0;
    struct bytes out = buffer_bytes(&f->out);
    for (size_t i = 0; i < out.size; i++) {
        if (out.data[i] == '\r')
            text[size++] = ' ';
        else if (out.data[i] != '\n')
            text[size++] = out.data[i];
    }
    text[size > 0 ? size - 1 : 0] = '\0';
    return text;
}

#define CONFIG_FAILED "-ERR CONFIG SET failed (possibly related to argument "

/* ---- CONFIG ---------------------------------------------------------------------------------- */

static void config_get_takes_several_patterns(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "config get TIMEOUT"), "*2 $7 TIMEOUT $1 0");
    assert_string_equal(say(f, "config get TIME*"), "*2 $7 timeout $1 0");
    assert_string_equal(say(f, "config get port tcp-k* po*"),
                        "*4 $4 port $4 6379 $13 tcp-keepalive $3 300");
    assert_string_equal(say(f, "config get nothing"), "*0");
    assert_string_equal(say(f, "config get save"), "*2 $4 save $0 ");
    f->reply.resp = 3;
    assert_string_equal(say(f, "config get timeout"), "%1 $7 timeout $1 0");
}

static void config_set_changes_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "config set timeout 5 MAXCLIENTS 7 requirepass x"), "+OK");
    assert_string_equal(f->told, "timeout maxclients requirepass ");
    f->told[0] = '\0';
    assert_string_equal(say(f, "config set timeout 6 requirepass y maxclients 0"), CONFIG_FAILED
                        "'maxclients') - argument must be between 1 and 1000000 inclusive");
    assert_string_equal(say(f, "config set timeout 6 nothing 1"),
                        "-ERR Unknown option or number of arguments for CONFIG SET - 'nothing'");
    assert_string_equal(say(f, "config set timeout 6 Timeout 7"),
                        CONFIG_FAILED "'timeout') - duplicate parameter");
    assert_string_equal(say(f, "config set timeout 6 port 1"),
                        CONFIG_FAILED "'port') - can't set immutable config");
    assert_string_equal(say(f, "config set timeout 6 requirepass"), "-ERR syntax error");
    assert_int_equal(f->config.timeout_s, 5);
    assert_int_equal(f->config.maxclients, 7);
    assert_string_equal(f->config.requirepass, "x");
    assert_string_equal(f->told, "");
}

static void config_tells_what_it_cannot(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "config rewrite"),
                        "-ERR The server is running without a config file");
    f->stats.commands_processed = 5;
    assert_string_equal(say(f, "config resetstat"), "+OK");
    assert_int_equal(f->stats.commands_processed, 0);
    assert_non_null(strstr(say(f, "config help"), "*11 +CONFIG <subcommand> "));
}

/* ---- COMMAND --------------------------------------------------------------------------------- */

static void command_info_has_redis_s_shape(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "command info MSET nothing"),
                        "*2 *10 $4 mset :-3 *2 +write +denyoom :1 :-1 :2 "
                        "*3 +@write +@string +@slow *2 $3 one $3 two "
                        "*1 *6 $5 flags *2 +OW +update "
                        "$12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 "
                        "$9 find_keys *4 $4 type $5 range "
                        "$4 spec *6 $7 lastkey :-1 $7 keystep :2 $5 limit :0 *0 $-1");
    assert_non_null(strstr(say(f, "command info get"), " :1 :1 :1 "));
    assert_non_null(strstr(say(f, "command info get"), "$7 lastkey :0 $7 keystep :1 "));
    assert_string_equal(say(f, "command getkeys get a"), "*1 $1 a");
    f->reply.resp = 3;
    assert_string_equal(say(f, "command info config|get"),
                        "*1 *10 $10 config|get :-3 ~4 +admin +noscript +loading +stale "
                        ":0 :0 :0 ~3 +@admin +@slow +@dangerous ~0 ~0 ~0");
    assert_string_equal(say(f, "command info mset|get"), "*1 _");
    assert_non_null(strstr(say(f, "command info config"), "~0 ~0 *5 *10 $10 config|get"));
    assert_string_equal(say(f, "command count"), ":7");
    assert_int_equal(strncmp(say(f, "command"), "*7 *10 $4 mset", 14), 0);
    assert_int_equal(strncmp(say(f, "command info"), "*7 *10 $4 mset", 14), 0);
}

static void command_docs_has_redis_s_shape(void **state)
{
    struct fixture *f = *state;
    f->reply.resp = 3;
    assert_string_equal(
        say(f, "command docs nothing mset"),
        "%1 $4 mset %5 $7 summary $5 Sets. $5 since $5 1.0.1 $5 group $6 string "
        "$10 complexity $4 O(N) $9 arguments *2 "
        "%4 $4 name $4 data $4 type $5 block $5 flags ~1 +multiple $9 arguments *2 "
        "%4 $4 name $3 key $4 type $3 key $12 display_text $3 key $14 key_spec_index :0 "
        "%3 $4 name $5 value $4 type $6 string $12 display_text $5 value "
        "%5 $4 name $2 nx $4 type $10 pure-token $12 display_text $2 nx $5 token $2 NX "
        "$5 flags ~1 +optional");
    assert_non_null(strstr(say(f, "command docs config"), "$11 subcommands %5 $10 config|get %5"));
    assert_int_equal(strncmp(say(f, "command docs"), "%7 $4 mset", 10), 0);
}

static void command_list_filters(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "command list filterby pattern C*G|GE?"), "*1 $10 config|get");
    assert_string_equal(say(f, "command list filterby aclcat string"), "*1 $4 mset");
    assert_string_equal(say(f, "command list filterby aclcat nothing"), "*0");
    assert_string_equal(say(f, "command list filterby module x"), "*0");
    assert_string_equal(say(f, "command list filterby x y"), "-ERR syntax error");
    assert_string_equal(say(f, "command list x"), "-ERR syntax error");
    assert_int_equal(strncmp(say(f, "command list"), "*19 $4 mset", 11), 0);
}

static void command_getkeys_finds_keys(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "command getkeys mset a 1 b 2"), "*2 $1 a $1 b");
    assert_string_equal(say(f, "command getkeysandflags mset a 1"), "*1 *2 $1 a *2 +OW +update");
    assert_string_equal(say(f, "command getkeys nothing a"), "-ERR Invalid command specified");
    assert_string_equal(say(f, "command getkeys config get a"),
                        "-ERR The command has no key arguments");
    assert_string_equal(say(f, "command getkeys mset a"),
                        "-ERR Invalid number of arguments specified for command");
}

/* Each notation in the tables of this folder is understood. */
static void every_syntax_parses(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(say(f, "command docs info"), "$7 section"));
    assert_non_null(strstr(say(f, "command docs shutdown"), "$13 save-selector"));
    assert_non_null(strstr(say(f, "command docs command|list"), "$5 token $8 FILTERBY"));
    assert_non_null(strstr(say(f, "command docs config|set"), "$4 data"));
    assert_non_null(strstr(say(f, "command docs command|getkeys"), "$3 arg"));
}

/* ---- INFO, SHUTDOWN, TIME -------------------------------------------------------------------- */

static void info_gives_the_sections_asked_for(void **state)
{
    struct fixture *f = *state;
    stats_error(&f->stats, BYTES("ERR x"));
    assert_string_equal(say(f, "info KEYSPACE errorstats"),
                        "$83 # Errorstats errorstat_ERR:count=1  "
                        "# Keyspace db3:keys=5,expires=1,avg_ttl=0 ");
    assert_string_equal(say(f, "info nothing"), "$0 ");
    f->reply.resp = 3;
    assert_string_equal(say(f, "info cluster"), "=34 txt:# Cluster cluster_enabled:0 ");
    assert_non_null(strstr(say(f, "info server"), " uptime_in_seconds:60 "));
    assert_non_null(strstr(say(f, "info server"), " process_id:42 run_id:0123abcd "));
    assert_non_null(strstr(say(f, "info clients"), " connected_clients:4 "));
    assert_non_null(strstr(say(f, "info stats"), " expired_keys:3 "));
    assert_non_null(strstr(say(f, "info persistence"), " aof_last_write_status:err "));
    assert_non_null(strstr(say(f, "info cpu"), " used_cpu_sys:1.500000 used_cpu_user:0.000001 "));
    assert_non_null(strstr(say(f, "info memory"), " maxmemory_policy:noeviction "));
    assert_non_null(strstr(say(f, "info shoal"), " node:000000abcdef epoch:9 "));
    static const char *const all[] = {"info", "info default", "info ALL", "info everything"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *text = say(f, all[i]);
        assert_non_null(strstr(text, "# Server redis_version:7.2.0 "));
        assert_non_null(strstr(text, "  # Shoal "));
    }
}

static void shutdown_asks_the_node_and_does_not_reply(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "shutdown"), "");
    assert_string_equal(f->told, "shutdown 0 0");
    assert_string_equal(say(f, "shutdown SAVE now force"), "");
    assert_string_equal(f->told, "shutdown 1 1");
    f->told[0] = '\0';
    assert_string_equal(say(f, "shutdown nosave save"), "-ERR syntax error");
    assert_string_equal(say(f, "shutdown nothing"), "-ERR syntax error");
    assert_string_equal(say(f, "shutdown abort now"), "-ERR syntax error");
    assert_string_equal(say(f, "shutdown abort"), "-ERR No shutdown in progress.");
    assert_string_equal(f->told, "");
}

static void time_is_in_microseconds(void **state)
{
    assert_string_equal(say(*state, "time"), "*2 $2 61 $6 500000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(config_get_takes_several_patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(config_set_changes_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(config_tells_what_it_cannot, setup, teardown),
        cmocka_unit_test_setup_teardown(command_info_has_redis_s_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(command_docs_has_redis_s_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(command_list_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(command_getkeys_finds_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(every_syntax_parses, setup, teardown),
        cmocka_unit_test_setup_teardown(info_gives_the_sections_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(shutdown_asks_the_node_and_does_not_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_in_microseconds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
