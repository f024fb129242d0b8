/* SPDX-License-Identifier: MIT */
/* DEBUG and MEMORY, over a real store on a simulated disk: with rows in memory, and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "session/session.h"
#include "store/table.h"
#include "support/small_store.h"

enum { WORDS_MAX = 16, SLICES_MAX = 1000 };

struct fixture {
    struct small_store *small;
    struct config config;
    struct sessions sessions;
    struct session session;
    struct stats stats;
    struct admin admin;
    struct random random;
    struct buffer out;
    uint64_t slept_us;
    unsigned slices; /* of the last command */
    uint8_t resp;
};

static void hear_sleep(void *context, uint64_t us)
{
    ((struct fixture *)context)->slept_us = us;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    void *small;
    small_store_open(&small);
    *f = (struct fixture){.small = small, .resp = 2};
    config_init(&f->config);
    f->config.databases = 4;
    f->config.enable_debug_command = CONFIG_EVERYBODY;
    snprintf(f->session.address, sizeof f->session.address, "127.0.0.1:5000");
    f->admin = (struct admin){.config = &f->config,
                              .sessions = &f->sessions,
                              .stats = &f->stats,
                              .sleep = hear_sleep,
                              .context = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *small = f->small;
    config_deinit(&f->config);
    buffer_deinit(&f->out);
    return small_store_close(&small);
}

static void ready(void *context)
{
    *(bool *)context = true;
}

static void fetch(struct small_store *small)
{
    bool is_ready = false;
    txn_fetch(&small->txn, ready, &is_ready);
    while (!is_ready)
        small_run_jobs(small);
}

/* Runs until it neither misses nor yields, and commits. */
static enum status drive(struct fixture *f, struct request *request)
{
    struct small_store *small = f->small;
    for (f->slices = 1; f->slices < SLICES_MAX;) {
        buffer_clear(&f->out, SIZE_MAX);
        arena_clear(&small->arena);
        txn_begin(&small->txn, small->now_ms);
        enum status status = request->command->handler(request);
        if (status == STATUS_COLD)
            fetch(small);
        else if (status == STATUS_YIELD)
            f->slices++;
        else
            return status == STATUS_OK ? txn_commit(&small->txn) : status;
    }
    fail_msg("it does not end");
    return STATUS_OK;
}

/* Words between blanks; '' is an empty one. Each CR LF of the reply is given as one blank. */
static const char *say(struct fixture *f, const char *words)
{
    static char text[16 * 1024];
    static const struct command *const tables[] = {debug_commands, memory_commands, NULL};
    struct small_store *small = f->small;
    struct command_set *commands = command_set_new(tables);
    struct reply reply = {&f->out, f->resp};
    struct progress progress = {0};
    char copy[256], *rest = copy;
    struct bytes argv[WORDS_MAX];
    f->admin.store = small->store;
    struct request request = {.argv = argv,
                              .db = small->db,
                              .databases = 4,
                              .reply = &reply,
                              .txn = &small->txn,
                              .arena = &small->arena,
                              .now_ms = small->now_ms,
                              .progress = &progress,
                              .random = &f->random,
                              .commands = commands,
                              .session = &f->session,
                              .admin = &f->admin};
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[request.argc++] = bytes_text(strcmp(word, "''") == 0 ? "" : word);
    request.command = command_find(commands, argv[0], argv[1], &request.parent);
    assert_non_null(request.command);
    enum status status = drive(f, &request);
    if (status != STATUS_OK && status != STATUS_REPLIED) {
        buffer_clear(&f->out, SIZE_MAX);
        reply_error(&reply, command_error_text(status));
    }
    size_t size = 0;
    struct bytes out = buffer_bytes(&f->out);
    for (size_t i = 0; i < out.size && size < sizeof text; i++) {
        if (out.data[i] != '\n')
            text[size++] = out.data[i] == '\r' ? ' ' : out.data[i];
    }
    text[size > 0 ? size - 1 : 0] = '\0';
    buffer_deinit(&progress.done);
    command_set_free(commands);
    small_turn(small);
    return text;
}

static uint64_t number(const char *reply)
{
    unsigned long long value;
    assert_int_equal(sscanf(reply, ":%llu", &value), 1);
    return value;
}

static void sealed_and_forgotten(struct fixture *f)
{
    small_seal(f->small);
    small_forget(f->small);
}

/* ---- who may --------------------------------------------------------------------------------- */

static void it_is_for_those_who_are_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum config_who who;
        const char *address;
        bool allowed;
    } cases[] = {
        {CONFIG_NOBODY, "127.0.0.1:1", false}, {CONFIG_EVERYBODY, "10.0.0.1:1", true},
        {CONFIG_LOCAL, "127.0.0.1:1", true},   {CONFIG_LOCAL, "127.5.0.1:1", true},
        {CONFIG_LOCAL, "[::1]:1", true},       {CONFIG_LOCAL, "10.0.0.1:1", false},
        {CONFIG_LOCAL, "[::10]:1", false},     {CONFIG_LOCAL, "[fe80::1]:1", false},
        {CONFIG_LOCAL, "1127.0.0.1:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f->config.enable_debug_command = cases[i].who;
        snprintf(f->session.address, sizeof f->session.address, "%s", cases[i].address);
        const char *reply = say(f, "debug sleep 0");
        if (cases[i].allowed)
            assert_string_equal(reply, "+OK");
        else
            assert_int_equal(strncmp(reply, "-ERR DEBUG command not allowed. If the ", 39), 0);
    }
}

static void what_is_not_there_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "debug SEGFAULT"),
                        "-ERR DEBUG segfault is not supported by this server");
    assert_string_equal(say(f, "debug jmap"), "-ERR DEBUG jmap is not supported by this server");
    assert_string_equal(say(f, "debug nothing"), "-ERR unknown subcommand or wrong number of "
                                                 "arguments for 'nothing'. Try DEBUG HELP.");
    assert_string_equal(say(f, "debug sleep"), "-ERR unknown subcommand or wrong number of "
                                               "arguments for 'sleep'. Try DEBUG HELP.");
}

static void sleeping_is_bounded(void **state)
{
    struct fixture *f = *state;
    static const char *const none[] = {"debug sleep -1", "debug sleep x", "debug sleep nan",
                                       "debug sleep ''"};
    assert_string_equal(say(f, "debug sleep 1.5"), "+OK");
    assert_int_equal(f->slept_us, 1500000);
    f->slept_us = 0;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_string_equal(say(f, none[i]), "+OK");
    assert_string_equal(say(f, "debug sleep 301"), "-ERR at most 300 seconds");
    assert_string_equal(say(f, "debug sleep 1e300"), "-ERR at most 300 seconds");
    assert_int_equal(f->slept_us, 0);
}

static void protocol_shows_each_type(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *type, *resp2, *resp3;
    } cases[] = {
        {"double", "$5 3.141", ",3.141"},
        {"bignum", "$37 1234567999999999999999999999999999999",
         "(1234567999999999999999999999999999999"},
        {"attrib", "$39 Some real reply following the attribute",
         "|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real reply following the attribute"},
        {"push", "-ERR RESP2 is not supported by this command",
         ">2 $16 server-cpu-usage :42 $40 Some real reply following the push reply"},
        {"map", "*6 :0 :0 :1 :1 :2 :0", "%3 :0 #f :1 #t :2 #f"},
        {"null", "$-1", "_"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[64];
        snprintf(words, sizeof words, "debug protocol %s", cases[i].type);
        f->resp = 2;
        assert_string_equal(say(f, words), cases[i].resp2);
        f->resp = 3;
        assert_string_equal(say(f, words), cases[i].resp3);
    }
}

/* ---- data ------------------------------------------------------------------------------------ */

static void populate_makes_keys_that_are_not_there(void **state)
{
    struct fixture *f = *state;
    small_set(f->small, "key:1", "mine");
    sealed_and_forgotten(f);
    assert_string_equal(say(f, "debug populate 3"), "+OK");
    small_expect(f->small, "key:0", "value:0");
    small_expect(f->small, "key:1", "mine");
    small_expect(f->small, "key:2", "value:2");
    assert_string_equal(say(f, "debug populate 1 other 3"), "+OK");
    small_expect(f->small, "other:0", "val");
    small_expect_keys(f->small, 4);
    assert_string_equal(say(f, "debug populate 0"), "+OK");
    assert_string_equal(say(f, "debug populate 9999999999"),
                        "-ERR too many keys or bytes for one command");
    assert_string_equal(say(f, "debug populate 1000000 k 1000000"),
                        "-ERR too many keys or bytes for one command");
    assert_string_equal(say(f, "debug populate 1 k 9223372036854775807"),
                        "-ERR too many keys or bytes for one command");
    small_expect_keys(f->small, 4);
    small_audit(f->small);
}

/* A digest is of what clients see, however it is stored. */
static void a_digest_tells_states_apart(void **state)
{
    struct fixture *f = *state;
    char first[64], long_one[64];
    struct small_store *small = f->small;
    assert_string_equal(say(f, "debug digest"), "+0000000000000000000000000000000000000000");
    small_set(small, "a", "1");
    small_set_until(small, "b", "2", small->now_ms + 10000);
    small_set_size(small, "long", 100 * 1000);
    snprintf(first, sizeof first, "%s", say(f, "debug digest"));
    assert_int_equal(strlen(first), 41);
    snprintf(long_one, sizeof long_one, "%s", say(f, "debug digest-value long"));

    sealed_and_forgotten(f); /* the same from disk */
    assert_string_equal(say(f, "debug digest"), first);
    sealed_and_forgotten(f);
    assert_string_equal(say(f, "debug digest-value long"), long_one);

    small_set(small, "a", "2");
    assert_string_not_equal(say(f, "debug digest"), first);
    small_set(small, "a", "1");
    assert_string_equal(say(f, "debug digest"), first);
    small_increment(small, "c", 7);
    assert_string_not_equal(say(f, "debug digest"), first);
    small_delete(small, "c");
    small_set(small, "b", "2"); /* lives for ever now */
    assert_string_not_equal(say(f, "debug digest"), first);
    small_set_until(small, "b", "2", small->now_ms + 20000);
    assert_string_equal(say(f, "debug digest"), first);

    small->db = 2;
    small_set(small, "a", "1");
    assert_string_not_equal(say(f, "debug digest"), first);
    small->db = 0;
    assert_string_equal(say(f, "debug digest-value nothing"),
                        "*1 +0000000000000000000000000000000000000000");
    assert_string_equal(say(f, "debug digest-value"), "*0");
}

/* The digest is of what clients see. */
static void swapped_databases_digest_otherwise(void **state)
{
    struct fixture *f = *state;
    char first[64];
    small_set(f->small, "a", "1");
    snprintf(first, sizeof first, "%s", say(f, "debug digest"));
    assert_int_equal(store_swap_databases(f->small->store, 0, 2), STATUS_OK);
    assert_string_not_equal(say(f, "debug digest"), first);
    f->small->db = 0;
    small_delete(f->small, "a");
    f->small->db = 2; /* the store's, which clients call 0 */
    small_set(f->small, "a", "1");
    assert_string_equal(say(f, "debug digest"), first);
    f->small->db = 0;
}

static void expect_with(const char *text, const char *begin, const char *end)
{
    size_t size = strlen(begin);
    assert_int_equal(strncmp(text, begin, size), 0);
    assert_string_equal(text + size, end);
}

static void an_object_is_told_in_a_line(void **state)
{
    struct fixture *f = *state;
    char expected[128];
    small_set(f->small, "a", "12");
    small_set_size(f->small, "long", 100 * 1000);
    f->small->now_ms += 7000;
    sealed_and_forgotten(f); /* what is read from disk was never asked for */
    snprintf(expected, sizeof expected,
             "+Value at:0x0 refcount:1 encoding:int serializedlength:2 lru:%u lru_seconds_idle:",
             (unsigned)(f->small->now_ms / 1000 % (1 << 24)));
    expect_with(say(f, "debug object a"), expected, "0");
    f->small->now_ms += 7000;
    expect_with(say(f, "debug object a"), expected, "7");
    assert_non_null(strstr(say(f, "debug object long"), "encoding:raw serializedlength:100000 "));
    assert_string_equal(say(f, "debug object absent"), "-ERR no such key");
}

static void an_increment_digests_as_its_number(void **state)
{
    struct fixture *f = *state;
    char first[64];
    small_increment(f->small, "a", 12);
    snprintf(first, sizeof first, "%s", say(f, "debug digest-value a"));
    small_set(f->small, "a", "12");
    assert_string_equal(say(f, "debug digest-value a"), first);
}

static void digest_works_in_slices(void **state)
{
    struct fixture *f = *state;
    char first[64];
    small_set_many(f->small, "key", 0, 10000);
    snprintf(first, sizeof first, "%s", say(f, "debug digest"));
    assert_true(f->slices > 1);
    sealed_and_forgotten(f);
    assert_string_equal(say(f, "debug digest"), first);
    small_delete(f->small, "key9999");
    assert_string_not_equal(say(f, "debug digest"), first);
}

static void reload_seals_and_forgets(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    small_set(f->small, "a", "1");
    assert_string_equal(say(f, "debug reload nothing"),
                        "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    store_stats(f->small->store, &stats);
    assert_int_equal(stats.dirty_rows, 1);
    assert_string_equal(say(f, "debug reload NOSAVE"), "+OK");
    store_stats(f->small->store, &stats);
    assert_int_equal(stats.dirty_rows, 0);
    assert_null(small_entry(f->small, "a"));
    small_set(f->small, "a", "2");
    assert_string_equal(say(f, "debug loadaof"), "+OK");
    store_stats(f->small->store, &stats);
    assert_int_equal(stats.dirty_rows, 0);
    small_expect(f->small, "a", "2");
}

static void active_expiry_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(say(f, "debug set-active-expire 0"), "+OK");
    small_set_until(f->small, "a", "1", f->small->now_ms + 100);
    small_tick_for(f->small, 1000);
    small_expect_keys(f->small, 1);
    small_expect(f->small, "a", NULL);
    assert_string_equal(say(f, "debug set-active-expire 1"), "+OK");
    small_tick_for(f->small, 1000);
    small_expect_keys(f->small, 0);
}

/* ---- MEMORY ---------------------------------------------------------------------------------- */

static void usage_is_what_the_entry_takes(void **state)
{
    struct fixture *f = *state;
    small_set(f->small, "a", "1");
    uint64_t bytes = number(say(f, "memory usage a"));
    uint64_t entry = entry_bytes(small_entry(f->small, "a"));
    assert_true(bytes >= entry && bytes <= entry + sizeof(void *));
    sealed_and_forgotten(f);
    assert_int_equal(number(say(f, "memory usage a")), bytes);
    assert_string_equal(say(f, "memory usage nothing"), "$-1");
    assert_string_equal(say(f, "memory usage a samples -1"), "-ERR syntax error");
    assert_string_equal(say(f, "memory usage a samples x"),
                        "-ERR value is not an integer or out of range");
    assert_string_equal(say(f, "memory usage a samples"), "-ERR syntax error");
}

static void usage_counts_chunks(void **state)
{
    struct fixture *f = *state;
    struct store_stats before, after;
    store_stats(f->small->store, &before);
    small_set_size(f->small, "long", 1000 * 1000);
    store_stats(f->small->store, &after);
    uint64_t taken = after.rows_bytes - before.rows_bytes;
    uint64_t all = number(say(f, "memory usage long samples 0"));
    assert_true(all > taken * 9 / 10 && all < taken * 11 / 10);
    uint64_t guessed = number(say(f, "memory usage long"));
    assert_true(guessed > taken * 9 / 10 && guessed < taken * 11 / 10);
    sealed_and_forgotten(f);
    guessed = number(say(f, "memory usage long samples 3"));
    assert_true(guessed > taken * 9 / 10 && guessed < taken * 11 / 10);
    assert_int_equal(number(say(f, "memory usage long samples 0")), all);
}

static void stats_has_redis_s_names(void **state)
{
    struct fixture *f = *state;
    small_set_many(f->small, "key", 0, 10);
    const char *text = say(f, "memory stats");
    assert_int_equal(strncmp(text, "*58 $14 peak.allocated :", 24), 0);
    assert_non_null(strstr(text, " $10 keys.count :10 "));
    assert_non_null(strstr(text, " $13 dataset.bytes :"));
    assert_non_null(strstr(text, " $19 fragmentation.bytes :"));
    unsigned words = 0; /* as many as it says */
    for (const char *at = text; *at != '\0'; at++)
        words += *at == '$' && at[1] >= '0' && at[1] <= '9';
    assert_int_equal(words, 29 + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_for_those_who_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(sleeping_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(protocol_shows_each_type, setup, teardown),
        cmocka_unit_test_setup_teardown(populate_makes_keys_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_digest_tells_states_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(swapped_databases_digest_otherwise, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_is_told_in_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(an_increment_digests_as_its_number, setup, teardown),
        cmocka_unit_test_setup_teardown(digest_works_in_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(reload_seals_and_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(active_expiry_can_be_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(usage_is_what_the_entry_takes, setup, teardown),
        cmocka_unit_test_setup_teardown(usage_counts_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(stats_has_redis_s_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
