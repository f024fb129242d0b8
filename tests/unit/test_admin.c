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
#include "store/export.h"

/* ---- the store's figures --------------------------------------------------------------------- */

static bool seal_asked; /* store_seal_soon was called */
static enum status seal_status;

void store_stats(const struct store *store, struct store_stats *out)
{
    (void)store;
    *out = (struct store_stats){
        .rows = 7,
        .rows_bytes = 1000,
        .expired_keys = 3,
        .log_bytes = 4096,
        .changes = 12,
        .sealing = seal_asked,
        .sealed_ms = 5500,
        .seal_ms = 3000,
        .seals = 2,
        .seal_failed = true,
    };
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

uint64_t store_gate_now(const struct store *store)
{
    (void)store;
    return 0;
}

bool store_gate_synced(struct store *store, uint64_t gate)
{
    (void)store;
    return gate == 0;
}

bool store_disk_full(const struct store *store)
{
    (void)store;
    return true;
}

uint64_t store_average_ttl(struct store *store, uint8_t db, uint64_t now_ms)
{
    (void)store;
    return db == 2 ? now_ms / 2 : 0;
}

enum status store_seal_now(struct store *store)
{
    (void)store;
    return seal_status;
}

void store_seal_soon(struct store *store)
{
    (void)store;
    seal_asked = true;
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
    data_commands, command_commands, config_commands,      info_commands, server_commands,
    acl_commands,  lolwut_commands,  replication_commands, NULL,
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
    struct random random;
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

static bool cannot_listen;

static enum status hear_listen(void *context, struct buffer *out_error)
{
    struct fixture *f = context;
    size_t size = strlen(f->told);
    snprintf(f->told + size, sizeof f->told - size, "listen:%d ", (int)f->config.port);
    buffer_printf(out_error, "in use");
    return cannot_listen && f->config.port != 6379 ? STATUS_IO : STATUS_OK;
}

static int setup(void **state)
{
    seal_asked = cannot_listen = false;
    seal_status = STATUS_OK;
    static struct fixture fixture;
    struct fixture *f = &fixture;
    *f = (struct fixture){0};
    config_init(&f->config);
    arena_init(&f->arena);
    f->commands = command_set_new(tables);
    f->reply = (struct reply){.out = &f->out, .resp = 2};
    list_init(&f->sessions.all);
    f->sessions.count = 4;
    f->stats.started_ms = 1000;
    f->admin = (struct admin){.config = &f->config,
                              .stats = &f->stats,
                              .sessions = &f->sessions,
                              .commands = f->commands,
                              .process_id = 42,
                              .run_id = "0123abcd",
                              .config_changed = hear_change,
                              .listen = hear_listen,
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
                              .random = &f->random,
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
    assert_string_equal(say(f, "config get *of"), "*4 $9 replicaof $0  $7 slaveof $0 ");
    assert_string_equal(say(f, "config get *-load-delay"), "*0"); /* hidden */
    assert_string_equal(say(f, "config get Key-load-delay"), "*2 $14 Key-load-delay $1 0");
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
                        CONFIG_FAILED "'Timeout') - duplicate parameter");
    assert_string_equal(say(f, "config set timeout 6x databases 1"),
                        CONFIG_FAILED "'databases') - can't set immutable config");
    assert_string_equal(say(f, "config set timeout 6x slave-priority 1 dbfilename x"),
                        CONFIG_FAILED "'dbfilename') - can't set protected config");
    assert_string_equal(say(f, "config set timeout 6 requirepass"), "-ERR syntax error");
    assert_int_equal(f->config.timeout_s, 5);
    assert_int_equal(f->config.maxclients, 7);
    assert_string_equal(f->config.requirepass, "x");
    assert_string_equal(f->told, "");
}

static void config_set_port_listens_there_or_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "config set timeout 5 port 7000"), "+OK");
    assert_string_equal(f->told, "listen:7000 timeout port ");
    assert_string_equal(say(f, "config set port 6379"), "+OK");
    f->told[0] = '\0';
    cannot_listen = true;
    assert_string_equal(say(f, "config set timeout 6 port 7000 maxclients 9"), CONFIG_FAILED
                        "'port') - Unable to listen on this port. Check server logs.");
    assert_string_equal(f->told, "listen:7000 listen:6379 ");
    assert_int_equal(f->config.timeout_s, 5);
    assert_int_equal(f->config.port, 6379);
    assert_int_equal(f->config.maxclients, 10000);
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
    assert_string_equal(say(f, "command count"), ":20");
    assert_int_equal(strncmp(say(f, "command"), "*20 *10 $4 mset", 15), 0);
    assert_int_equal(strncmp(say(f, "command info"), "*20 *10 $4 mset", 15), 0);
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
    assert_int_equal(strncmp(say(f, "command docs"), "%20 $4 mset", 11), 0);
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
    assert_int_equal(strncmp(say(f, "command list"), "*38 $4 mset", 11), 0);
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

static void describe_quorum(void *context, struct buffer *out)
{
    (void)context;
    buffer_printf(out, "quorum_writes:7\r\n");
}

static void info_tells_of_a_cluster(void **state)
{
    struct fixture *f = *state;
    struct admin_cluster cluster = {.describe = describe_quorum};
    f->reply.resp = 3;
    assert_string_equal(say(f, "info quorum"), "=4 txt:");
    f->admin.cluster = &cluster;
    assert_string_equal(say(f, "info cluster"), "=34 txt:# Cluster cluster_enabled:1 ");
    assert_string_equal(say(f, "info quorum"), "=31 txt:# Quorum quorum_writes:7 ");
    assert_non_null(strstr(say(f, "info server"), " redis_mode:cluster "));
}

static void info_gives_the_sections_asked_for(void **state)
{
    struct fixture *f = *state;
    stats_error(&f->stats, BYTES("ERR x"));
    assert_string_equal(say(f, "info KEYSPACE errorstats"),
                        "$87 # Errorstats errorstat_ERR:count=1  "
                        "# Keyspace db3:keys=5,expires=1,avg_ttl=30750 ");
    assert_string_equal(say(f, "info nothing"), "$0 ");
    f->reply.resp = 3;
    assert_string_equal(say(f, "info cluster"), "=34 txt:# Cluster cluster_enabled:0 ");
    assert_non_null(strstr(say(f, "info server"), " uptime_in_seconds:60 "));
    assert_non_null(
        strstr(say(f, "info server"), " process_id:42 process_supervised:no run_id:0123abcd "));
    assert_non_null(strstr(say(f, "info clients"), " connected_clients:4 "));
    assert_non_null(strstr(say(f, "info stats"), " expired_keys:3 "));
    assert_non_null(strstr(say(f, "info persistence"), " aof_last_write_status:err "));
    assert_non_null(strstr(say(f, "info persistence"), " rdb_changes_since_last_save:12 "
                                                       "rdb_bgsave_in_progress:0 "
                                                       "rdb_last_save_time:5 "
                                                       "rdb_last_bgsave_status:err "
                                                       "rdb_last_bgsave_time_sec:3 "
                                                       "rdb_current_bgsave_time_sec:-1 "
                                                       "rdb_saves:2 "));
    seal_asked = true;
    assert_non_null(strstr(say(f, "info persistence"), " rdb_bgsave_in_progress:1 "));
    assert_non_null(strstr(say(f, "info persistence"), " rdb_current_bgsave_time_sec:3 "));
    assert_non_null(strstr(say(f, "info memory"), " used_memory_dataset:1000 "));
    assert_non_null(strstr(say(f, "info replication"), "# Replication role:master "));
    assert_non_null(strstr(say(f, "info server"), "listener0:name=tcp,bind=127.0.0.1,bind=-::1,"
                                                  "port=6379"));
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

static void saving_seals(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "save"), "+OK");
    seal_status = STATUS_DISK_FULL;
    assert_int_equal(strncmp(say(f, "save"), "-MISCONF ", 9), 0);
    assert_false(seal_asked);
    assert_string_equal(say(f, "bgsave now"), "-ERR syntax error");
    assert_string_equal(say(f, "bgsave"), "+Background saving started");
    assert_true(seal_asked);
    assert_string_equal(say(f, "bgsave"), "-ERR Background save already in progress");
    assert_string_equal(say(f, "bgsave SCHEDULE"), "+Background saving scheduled");
    assert_string_equal(say(f, "bgrewriteaof"), "+Background append only file rewriting scheduled");
    seal_asked = false;
    assert_string_equal(say(f, "bgrewriteaof"), "+Background append only file rewriting started");
    assert_true(seal_asked);
    assert_string_equal(say(f, "lastsave"), ":5");
}

/* ---- ROLE, REPLICAOF, WAIT, ACL, LOLWUT ------------------------------------------------------ */

static void it_is_a_master_without_replicas(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "role"), "*3 $6 master :0 *0");
    assert_string_equal(say(f, "replicaof NO one"), "+OK");
    assert_string_equal(say(f, "slaveof no one"), "+OK");
    assert_string_equal(say(f, "replicaof localhost x"), "-ERR Invalid master port");
    assert_string_equal(say(f, "replicaof localhost 65536"), "-ERR Invalid master port");
    assert_string_equal(say(f, "replicaof localhost 6379"), "-ERR This server cannot be a replica");
    assert_string_equal(say(f, "wait 1 0"), ":0");
    assert_string_equal(say(f, "wait x 0"), "-ERR value is not an integer or out of range");
    assert_string_equal(say(f, "wait 1 x"), "-ERR timeout is not an integer or out of range");
    assert_string_equal(say(f, "wait 1 -1"), "-ERR timeout is negative");
    assert_string_equal(say(f, "wait 1 9223372036854775807"), "-ERR timeout is out of range");
    assert_int_equal(strncmp(say(f, "psync ? -1"), "-ERR ", 5), 0);
}

static void there_is_one_user(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "acl whoami"), "$7 default");
    assert_string_equal(say(f, "acl users"), "*1 $7 default");
    assert_string_equal(say(f, "acl list"), "*1 $34 user default on nopass ~* &* +@all");
    assert_string_equal(say(f, "acl getuser other"), "$-1");
    assert_non_null(strstr(say(f, "acl getuser default"), "*12 $5 flags *2 $2 on $6 nopass"));
    assert_string_equal(say(f, "config set requirepass sesame"), "+OK");
    assert_string_equal(say(f, "acl list"),
                        "*1 $93 user default on "
                        "#d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272 "
                        "~* &* +@all");
    assert_non_null(strstr(say(f, "acl getuser default"), "*12 $5 flags *1 $2 on $9 passwords *1"));
    assert_string_equal(say(f, "acl cat STRING"), "*1 $4 mset");
    assert_string_equal(say(f, "acl cat nothing"), "-ERR Unknown category 'nothing'");
    assert_int_equal(strncmp(say(f, "acl cat"), "*21 $8 keyspace", 15), 0);
    assert_int_equal(strncmp(say(f, "acl cat a b"), "-ERR unknown subcommand or", 26), 0);
}

static void lolwut_shows_the_version(void **state)
{
    struct fixture *f = *state;
    f->random.state = 5;
    const char *text = say(f, "lolwut");
    assert_non_null(strstr(text, "<"));
    assert_non_null(strstr(text, "Redis ver. 7.2.0"));
    char first[2048];
    snprintf(first, sizeof first, "%s", text);
    assert_string_not_equal(say(f, "lolwut version 6"), first); /* another one */
    assert_string_equal(say(f, "lolwut version x"), "-ERR value is not an integer or out of range");
    f->reply.resp = 3;
    assert_non_null(strstr(say(f, "lolwut"), " txt:"));
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
        cmocka_unit_test_setup_teardown(config_set_port_listens_there_or_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(config_tells_what_it_cannot, setup, teardown),
        cmocka_unit_test_setup_teardown(command_info_has_redis_s_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(command_docs_has_redis_s_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(command_list_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(command_getkeys_finds_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(every_syntax_parses, setup, teardown),
        cmocka_unit_test_setup_teardown(info_gives_the_sections_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(info_tells_of_a_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(shutdown_asks_the_node_and_does_not_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(saving_seals, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_a_master_without_replicas, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_one_user, setup, teardown),
        cmocka_unit_test_setup_teardown(lolwut_shows_the_version, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_in_microseconds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
