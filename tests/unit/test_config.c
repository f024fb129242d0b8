/* SPDX-License-Identifier: MIT */
/* With --print: conf/shoal.conf on standard output, to write it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/options.h"
#include "config/seeds.h"
#include "observe/journal.h"
#include "store/store.h"

struct fixture {
    struct config config;
    struct buffer error;
    char path[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    config_init(&f->config);
    snprintf(f->path, sizeof f->path, "/tmp/test_config.XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    config_deinit(&f->config);
    buffer_deinit(&f->error);
    unlink(f->path);
    free(f);
    return 0;
}

static void write_file(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static char *read_file(const char *path)
{
    static char text[64 * 1024];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* What out_error holds, which is emptied. */
static const char *take_error(struct fixture *f)
{
    static char text[1024];
    struct bytes bytes = buffer_bytes(&f->error);
    assert_true(bytes.size < sizeof text);
    memcpy(text, bytes.data != NULL ? bytes.data : "", bytes.size);
    text[bytes.size] = '\0';
    buffer_clear(&f->error, 0);
    return text;
}

static const char *value(const struct fixture *f, const char *name)
{
    static char text[1024];
    struct buffer out = {0};
    const struct option *option = options_find(bytes_text(name));
    assert_non_null(option);
    option_value(option, &f->config, &out);
    snprintf(text, sizeof text, "%.*s", (int)buffer_size(&out), buffer_bytes(&out).data);
    buffer_deinit(&out);
    return text;
}

static void expect_set(struct fixture *f, const char *name, const char *text, const char *reason)
{
    enum status status = config_set(&f->config, bytes_text(name), bytes_text(text), &f->error);
    assert_int_equal(status, reason != NULL ? STATUS_INVALID : STATUS_OK);
    assert_string_equal(take_error(f), reason != NULL ? reason : "");
}

static void load(struct fixture *f, const char *text)
{
    write_file(f, text);
    if (config_load(&f->config, f->path, &f->error) != STATUS_OK)
        fail_msg("%s", take_error(f));
}

static void the_defaults_are_redis_s(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(f->config.bind, "127.0.0.1 -::1");
    assert_int_equal(f->config.port, 6379);
    assert_true(f->config.protected_mode);
    assert_int_equal(f->config.proto_max_bulk_len, 512 * 1024 * 1024);
    assert_int_equal(f->config.seal_bytes, STORE_SEAL_BYTES);
    assert_string_equal(f->config.requirepass, "");
    assert_null(f->config.file);
    assert_string_equal(value(f, "save"), "");
    assert_string_equal(value(f, "appendonly"), "yes");
}

/* The table cannot include what its numbers stand for. */
static void the_words_stand_for_the_enums(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *word;
        int64_t value;
    } cases[] = {
        {"appendfsync", "no", LOG_SYNC_NO},
        {"appendfsync", "everysec", LOG_SYNC_EVERYSEC},
        {"appendfsync", "ALWAYS", LOG_SYNC_ALWAYS},
        {"maxmemory-policy", "noeviction", EVICT_NOTHING},
        {"maxmemory-policy", "allkeys-lru", EVICT_ALLKEYS_LRU},
        {"maxmemory-policy", "allkeys-lfu", EVICT_ALLKEYS_LFU},
        {"maxmemory-policy", "allkeys-random", EVICT_ALLKEYS_RANDOM},
        {"maxmemory-policy", "volatile-lru", EVICT_VOLATILE_LRU},
        {"maxmemory-policy", "volatile-lfu", EVICT_VOLATILE_LFU},
        {"maxmemory-policy", "volatile-random", EVICT_VOLATILE_RANDOM},
        {"maxmemory-policy", "volatile-ttl", EVICT_VOLATILE_TTL},
        {"loglevel", "debug", JOURNAL_DEBUG},
        {"loglevel", "verbose", JOURNAL_VERBOSE},
        {"loglevel", "notice", JOURNAL_NOTICE},
        {"loglevel", "warning", JOURNAL_WARNING},
        {"log-format", "text", JOURNAL_TEXT},
        {"log-format", "json", JOURNAL_JSON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct option *option = options_find(bytes_text(cases[i].name));
        assert_int_equal(option_set(option, &f->config, bytes_text(cases[i].word), &f->error),
                         STATUS_OK);
        int64_t *at = (int64_t *)((char *)&f->config + option->offset);
        assert_int_equal(*at, cases[i].value);
    }
    assert_int_equal(options_find(BYTES("databases"))->max, DATABASES_MAX);
}

static void a_setting_changes_or_says_why_not(void **state)
{
    struct fixture *f = *state;
    expect_set(f, "timeout", "5", NULL);
    expect_set(f, "TimeOut", "-1", "argument must be between 0 and 2147483647 inclusive");
    expect_set(f, "timeout", "5s", "argument couldn't be parsed into an integer");
    assert_int_equal(f->config.timeout_s, 5);
    expect_set(f, "protected-mode", "NO", NULL);
    assert_false(f->config.protected_mode);
    expect_set(f, "protected-mode", "2", "argument must be 'yes' or 'no'");
    expect_set(f, "maxmemory", "1gb", NULL);
    assert_string_equal(value(f, "maxmemory"), "1073741824");
    expect_set(f, "maxmemory", "x", "argument must be a memory value");
    expect_set(f, "appendfsync", "sometimes",
               "argument(s) must be one of the following: everysec, always, no");
    expect_set(f, "databases", "17", "can't set immutable config");
    expect_set(f, "dir", "/tmp", "can't set protected config");
    expect_set(f, "slowlog-max-len", "7", NULL);
    assert_string_equal(value(f, "slowlog-max-len"), "7");
    expect_set(f, "slowlog-max-len", "many", "argument couldn't be parsed into an integer");
    assert_int_equal(config_set(&f->config, BYTES("nothing"), BYTES("1"), &f->error),
                     STATUS_ABSENT);
}

static void a_kept_setting_has_redis_s_form(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *text, *value, *reason;
    } cases[] = {
        {"save", "900 1 300 10", "900 1 300 10", NULL},
        {"save", "900 1  300 10", NULL, "Invalid save parameters"},
        {"save", " 900 1", NULL, "Invalid save parameters"},
        {"save", "", "", NULL},
        {"save", "900", NULL, "Invalid save parameters"},
        {"save", "0 1", NULL, "Invalid save parameters"},
        {"save", "1 -1", NULL, "Invalid save parameters"},
        {"notify-keyspace-events", "KEA", "AKE", NULL},
        {"notify-keyspace-events", "Kdtexzhsl$g", "AK", NULL},
        {"notify-keyspace-events", "mxE", "xEm", NULL},
        {"notify-keyspace-events", "nA", "A", NULL},
        {"notify-keyspace-events", "Kn", "nK", NULL},
        {"notify-keyspace-events", "q", NULL,
         "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
        {"oom-score-adj-values", "1 2 -3", "1 2 -3", NULL},
        {"oom-score-adj-values", "1 2", NULL, "wrong number of arguments"},
        {"oom-score-adj-values", "1 2 2001", NULL,
         "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
        {"shutdown-on-sigint", "force NOW nosave", "nosave now force", NULL},
        {"shutdown-on-sigint", "default", "default", NULL},
        {"shutdown-on-sigint", "save nosave", NULL,
         "shutdown options SAVE and NOSAVE can't be used simultaneously"},
        {"shutdown-on-sigint", "save later", NULL,
         "argument(s) must be one of the following: default, save, nosave, now, force"},
        {"maxmemory-clients", "5%", "5%", NULL},
        {"maxmemory-clients", "1mb", "1048576", NULL},
        {"maxmemory-clients", "200%", NULL, "percentage argument must be less or equal to 100"},
        {"maxmemory-clients", "-1%", NULL, "argument must be a memory or percent value"},
        {"client-query-buffer-limit", "1", NULL,
         "argument must be between 1048576 and 9223372036854775807 inclusive"},
        {"hash-max-ziplist-entries", "7", "7", NULL},
        {"hash-max-listpack-entries", "8", "8", NULL},
        {"dbfilename", "other.rdb", NULL, "can't set protected config"},
        {"daemonize", "no", NULL, "can't set immutable config"},
        {"port", "6379", "6379", NULL},
        {"port", "6380", "6380", NULL},
        {"seal-bytes", "1mb", NULL, "can't set immutable config"},
        {"seal-bytes", "67108864", "67108864", NULL}, /* it is that */
        {"port", "65536", NULL, "argument must be between 0 and 65535 inclusive"},
        {"seal-bytes", "64mb", NULL, "can't set immutable config"},
        {"seal-bytes", "67108864", "67108864", NULL}, /* it is that */
        {"replicaof", "", NULL, "can't set immutable config"},
        {"cluster-enabled", "no", NULL, "can't set immutable config"},
        {"cluster-announce-port", "0", "0", NULL},
        {"cluster-announce-port", "1", NULL, "can't set immutable config"},
        {"cluster-secret", "x", NULL, "can't set immutable config"},
        {"weight", "101", NULL, "can't set immutable config"},
        {"read-quorum", "3", "3", NULL},
        {"write-quorum", "8", NULL, "argument must be between 1 and 7 inclusive"},
        {"sloppy-quorum", "no", "no", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_set(f, cases[i].name, cases[i].text, cases[i].reason);
        if (cases[i].value != NULL)
            assert_string_equal(value(f, cases[i].name), cases[i].value);
    }
    assert_string_equal(value(f, "hash-max-ziplist-entries"), "8");
    unsigned with_effect = 0;
    for (unsigned i = 0; config_name(i) != NULL; i++) {
        with_effect += config_has_effect(i);
        assert_int_equal(config_has_effect(i), !(options_at(i)->flags & OPTION_KEPT));
    }
    assert_true(with_effect > 20 && with_effect < 60);
}

/* Who asks for what is not there is not to believe that it is. */
static void what_is_not_there_is_refused_at_start(void **state)
{
    struct fixture *f = *state;
    write_file(f, "unixsocketperm 700\nreplicaof \"\"\ncluster-enabled no\ntls-port 0\n");
    assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_OK);
    assert_string_equal(value(f, "unixsocketperm"), "700");
    static const char *const lines[] = {"replicaof 127.0.0.1 6379", "slaveof 127.0.0.1 6379",
                                        "tls-port 6379", "aclfile /etc/users", "unixsocket /run/x"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        write_file(f, lines[i]);
        assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_INVALID);
        assert_non_null(strstr(take_error(f), ":1: not supported by this server"));
    }
}

/* A line of a file, which is taken or refused. */
static void expect_line(struct fixture *f, const char *name, const char *text, bool good)
{
    char line[512];
    snprintf(line, sizeof line, "%s %s\n", name, text);
    write_file(f, line);
    enum status status = config_load(&f->config, f->path, &f->error);
    if ((status == STATUS_OK) != good)
        fail_msg("%s %s: %s", name, text, status_text(status));
    if (good)
        assert_string_equal(value(f, name), text);
    take_error(f);
}

static void addresses_and_names_have_a_form(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *text;
        bool good;
    } cases[] = {
        {"cluster-seeds", "a:1", true},
        {"cluster-seeds", "10.0.0.1:17000 [::1]:17000,b-2.example:65535", true},
        {"cluster-seeds", "a", false},
        {"cluster-seeds", "a:0", false},
        {"cluster-seeds", "a:65536", false},
        {"cluster-seeds", "a:1,:2", false},
        {"cluster-seeds", "::1:17000", false},
        {"cluster-seeds", "[a]:1", false},
        {"cluster-seeds", "a/b:1", false},
        {"cluster-announce-hostname", "node-1.example", true},
        {"cluster-announce-hostname", "fe80::1", true},
        {"cluster-announce-hostname", "node_1", false},
        {"zone", "rack_7.b-1", true},
        {"zone", "rack:7", false},
        {"zone", "a234567890123456789012345678901234567890123456789012345678901234", false},
        {"replicas", "7", true},
        {"replicas", "0", false},
        {"weight", "10001", false},
    };
    assert_false(config_is_clustered(&f->config));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_line(f, cases[i].name, cases[i].text, cases[i].good);
    assert_true(config_is_clustered(&f->config));
    load(f, "cluster-seeds \"\"\n");
    assert_false(config_is_clustered(&f->config));
    load(f, "cluster-enabled yes\n");
    assert_true(config_is_clustered(&f->config));
}

static void seeds_are_read_one_by_one(void **state)
{
    (void)state;
    struct bytes rest = BYTES(" a:1,  [::1]:2,");
    char host[SEED_HOST_MAX];
    uint16_t port;
    assert_int_equal(seed_next(&rest, host, &port), STATUS_OK);
    assert_string_equal(host, "a");
    assert_int_equal(port, 1);
    assert_int_equal(seed_next(&rest, host, &port), STATUS_OK);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 2);
    assert_int_equal(seed_next(&rest, host, &port), STATUS_ABSENT);
}

static void a_value_from_outside_is_bounded(void **state)
{
    struct fixture *f = *state;
    static char large[CONFIG_VALUE_MAX + 2];
    memset(large, 'x', sizeof large - 1);
    expect_set(f, "requirepass", large, "argument is longer than 4096 bytes");
    large[CONFIG_VALUE_MAX] = '\0';
    expect_set(f, "requirepass", large, NULL);
    assert_int_equal(config_set(&f->config, BYTES("requirepass"), BYTES("a\0b"), &f->error),
                     STATUS_INVALID);
    assert_string_equal(take_error(f), "argument must not hold a zero byte");
    assert_string_equal(f->config.requirepass, large);
}

static void a_file_is_read_as_redis_reads_it(void **state)
{
    struct fixture *f = *state;
    load(f, "# a comment\n"
            "\n"
            "   PORT\t7000  \r\n"
            "bind 10.0.0.1 ::1\n"
            "requirepass \"a b\\x21\\n\\\"\\q\"\n"
            "dir '/tmp/it\\'s here'\n"
            "maxmemory 64mb\n"
            "timeout 1\n"
            "timeout 2\n"
            "save 900 1\n"
            "save \"\"\n"
            "save 300 10\n"
            "save 60 10000\n"
            "logfile \"\"");
    assert_int_equal(f->config.port, 7000);
    assert_string_equal(f->config.bind, "10.0.0.1 ::1");
    assert_string_equal(f->config.requirepass, "a b!\n\"q");
    assert_string_equal(f->config.dir, "/tmp/it's here");
    assert_int_equal(f->config.maxmemory, 64 << 20);
    assert_int_equal(f->config.timeout_s, 2);
    assert_string_equal(value(f, "save"), "300 10 60 10000");
    assert_string_equal(f->config.logfile, "");
    assert_string_equal(f->config.file, f->path);
}

static void a_bad_line_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"port 1\nport x\n", ":2: argument couldn't be parsed into an integer"},
        {"\n\nnothing 1", ":3: unknown option 'nothing'"},
        {"port\n", ":1: wrong number of values for 'port'"},
        {"port 1 2\n", ":1: wrong number of values for 'port'"},
        {"dir \"/tmp\n", ":1: unbalanced quotes"},
        {"dir \"/tmp\"x\n", ":1: unbalanced quotes"},
        {"dir '/tmp\\'\n", ":1: unbalanced quotes"},
        {"dir \"\\", ":1: unbalanced quotes"},
        {"\"", ":1: unbalanced quotes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        write_file(f, cases[i].text);
        assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_INVALID);
        snprintf(expected, sizeof expected, "%s%s", f->path, cases[i].reason);
        assert_string_equal(take_error(f), expected);
    }
    assert_int_equal(config_load(&f->config, "/nowhere/shoal.conf", &f->error), STATUS_IO);
    assert_string_equal(take_error(f), "/nowhere/shoal.conf: No such file or directory");
    assert_int_equal(config_load(&f->config, "/tmp", &f->error), STATUS_IO);
    assert_string_equal(take_error(f), "/tmp: Is a directory");
}

static enum status arguments(struct fixture *f, const char *a, const char *b, const char *c,
                             const char *d, const char *e)
{
    const char *texts[] = {a, b, c, d, e};
    char *argv[5];
    int argc = 0;
    while (argc < 5 && texts[argc] != NULL) {
        argv[argc] = strdup(texts[argc]);
        argc++;
    }
    enum status status = config_arguments(&f->config, argc, argv, &f->error);
    while (argc > 0)
        free(argv[--argc]);
    return status;
}

static void the_command_line_counts_over_the_file(void **state)
{
    struct fixture *f = *state;
    write_file(f, "port 1\ntimeout 1\n");
    assert_int_equal(arguments(f, f->path, "--port", "2", "--port", "3"), STATUS_OK);
    assert_int_equal(f->config.port, 3);
    assert_int_equal(f->config.timeout_s, 1);
    assert_int_equal(arguments(f, "--bind", "10.0.0.1", "-::1", "--save", ""), STATUS_OK);
    assert_string_equal(f->config.bind, "10.0.0.1 -::1");

    assert_int_equal(arguments(f, "--nothing", "1", NULL, NULL, NULL), STATUS_INVALID);
    assert_string_equal(take_error(f), "--nothing: unknown option");
    assert_int_equal(arguments(f, "--port", "--timeout", "1", NULL, NULL), STATUS_INVALID);
    assert_string_equal(take_error(f), "--port: wrong number of values");
    assert_int_equal(arguments(f, "--port", "x", NULL, NULL, NULL), STATUS_INVALID);
    assert_string_equal(take_error(f), "--port: argument couldn't be parsed into an integer");
    assert_int_equal(arguments(f, f->path, "more", NULL, NULL, NULL), STATUS_INVALID);
    assert_string_equal(take_error(f), "more: an option is expected, which begins with --");
}

static void rewriting_keeps_what_people_wrote(void **state)
{
    struct fixture *f = *state;
    load(f, "# mine\n"
            "port 7000\n"
            "\n"
            "  timeout   1   \n"
            "# between\n"
            "timeout 2\n"
            "save 900 1\n"
            "save 60 5\n"
            "maxmemory 1024mb");
    assert_int_equal(chmod(f->path, 0640), 0);
    expect_set(f, "timeout", "9", NULL);
    expect_set(f, "requirepass", "pass word\n#\"", NULL);
    expect_set(f, "proto-max-bulk-len", "64mb", NULL);
    const char *expected = "# mine\n"
                           "port 7000\n"
                           "\n"
                           "timeout 9\n"
                           "# between\n"
                           "save 900 1 60 5\n"
                           "maxmemory 1024mb\n"
                           "# Written by CONFIG REWRITE\n"
                           "proto-max-bulk-len 64mb\n"
                           "requirepass \"pass word\\x0a#\\\"\"\n";
    struct stat now;
    for (int i = 0; i < 2; i++) { /* the second time nothing is to be done */
        assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_OK);
        assert_string_equal(read_file(f->path), expected);
    }
    assert_int_equal(stat(f->path, &now), 0);
    assert_int_equal(now.st_mode & 0777, 0640);

    config_deinit(&f->config);
    config_init(&f->config);
    assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_OK);
    assert_string_equal(f->config.requirepass, "pass word\n#\"");
    expect_set(f, "timeout", "0", NULL); /* a default, but the file says otherwise */
    assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_OK);
    assert_non_null(strstr(read_file(f->path), "\ntimeout 0\n"));
    assert_null(strstr(read_file(f->path), "\nmaxclients"));
    assert_int_equal(config_rewrite(&f->config, true, &f->error), STATUS_OK);
    assert_non_null(strstr(read_file(f->path), "\nmaxclients 10000\n"));
    assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_OK);
}

static void blanks_within_a_value_stay(void **state)
{
    struct fixture *f = *state;
    load(f, "bind 127.0.0.1 \"\" ::1\n");
    assert_string_equal(value(f, "bind"), "127.0.0.1  ::1");
    expect_set(f, "timeout", "5", NULL);
    assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_OK);
    config_deinit(&f->config);
    config_init(&f->config);
    assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_OK);
    assert_string_equal(value(f, "bind"), "127.0.0.1  ::1");
}

static void a_value_cannot_write_another_line(void **state)
{
    struct fixture *f = *state;
    load(f, "");
    expect_set(f, "proc-title-template", "1 2\nport 1", NULL);
    assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_OK);
    assert_string_equal(read_file(f->path),
                        "# Written by CONFIG REWRITE\nproc-title-template \"1 2\\x0aport 1\"\n");
}

static void rewriting_needs_a_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_ABSENT);
    assert_string_equal(take_error(f), "The server is running without a config file");
    load(f, "");
    unlink(f->path);
    assert_int_equal(config_rewrite(&f->config, false, &f->error), STATUS_IO);
}

static void the_reference_is_the_table(void **state)
{
    struct fixture *f = *state;
    struct buffer out = {0};
    config_print_reference(&out);
    buffer_append_u8(&out, '\0');
    if (strcmp(read_file("conf/shoal.conf"), out.block) != 0)
        fail_msg("conf/shoal.conf differs: write it anew with test_config --print");
    write_file(f, out.block);
    expect_set(f, "timeout", "9", NULL);
    assert_int_equal(config_load(&f->config, f->path, &f->error), STATUS_OK);
    struct fixture defaults = {0};
    config_init(&defaults.config);
    for (unsigned i = 0; options_at(i) != NULL; i++) {
        char expected[1024];
        snprintf(expected, sizeof expected, "%s", value(&defaults, options_at(i)->name));
        assert_string_equal(value(f, options_at(i)->name), expected);
    }
    config_deinit(&defaults.config);
    buffer_deinit(&out);
}

static void print_reference(void)
{
    struct buffer out = {0};
    config_print_reference(&out);
    fwrite(out.block, 1, buffer_size(&out), stdout);
    buffer_deinit(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_defaults_are_redis_s, setup, teardown),
        cmocka_unit_test_setup_teardown(the_words_stand_for_the_enums, setup, teardown),
        cmocka_unit_test_setup_teardown(a_setting_changes_or_says_why_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kept_setting_has_redis_s_form, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_refused_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_and_names_have_a_form, setup, teardown),
        cmocka_unit_test_setup_teardown(seeds_are_read_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_from_outside_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_read_as_redis_reads_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_line_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(the_command_line_counts_over_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(rewriting_keeps_what_people_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(blanks_within_a_value_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_cannot_write_another_line, setup, teardown),
        cmocka_unit_test_setup_teardown(rewriting_needs_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reference_is_the_table, setup, teardown),
    };
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_reference();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
