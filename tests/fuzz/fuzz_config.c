/* SPDX-License-Identifier: MIT */
/*
 * Configuration files. What loads must be rewritten to what loads to the same, and be rewritten to
 * itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "config/config.h"
#include "fuzz/fuzz.h"

/* In memory, for each rewriting syncs its file. */
static char directory[] = "/dev/shm/fuzz-config-XXXXXX";
static char path[sizeof(directory) + 8];

static void tidy_up(void)
{
    unlink(path);
    rmdir(directory);
}

static void find_a_place(void)
{
    if (path[0])
        return;
    check(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/file", directory);
    atexit(tidy_up);
}

static void write_file(struct bytes text)
{
    FILE *file = fopen(path, "wb");
    check(file && fwrite(text.data, 1, text.size, file) == text.size && fclose(file) == 0);
}

static void read_file(struct buffer *out)
{
    char block[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    check(file != NULL);
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(out, block, got);
    check(fclose(file) == 0);
}

static bool load(struct config *config)
{
    struct buffer error = {0};
    config_init(config);
    enum status status = config_load(config, path, &error);
    check(status == STATUS_OK || status == STATUS_INVALID);
    check((status == STATUS_OK) == (buffer_size(&error) == 0));
    if (status == STATUS_INVALID)
        check(bytes_starts_with(buffer_bytes(&error), bytes_text(path)));
    buffer_deinit(&error);
    return status == STATUS_OK;
}

static void rewrite(const struct config *config, bool all, struct buffer *out_text)
{
    struct buffer error = {0};
    check(config_rewrite(config, all, &error) == STATUS_OK && buffer_size(&error) == 0);
    read_file(out_text);
    buffer_deinit(&error);
}

static void check_equal(const struct config *a, const struct config *b)
{
    for (unsigned i = 0; config_name(i); i++) {
        struct buffer of_a = {0}, of_b = {0};
        config_value(a, i, &of_a);
        config_value(b, i, &of_b);
        check(bytes_equal(buffer_bytes(&of_a), buffer_bytes(&of_b)));
        buffer_deinit(&of_a);
        buffer_deinit(&of_b);
    }
}

/* Rewritten once it says the same; rewritten twice it stays. `config` was loaded from the file. */
static void check_rewriting(const struct config *config, bool all)
{
    struct config again;
    struct buffer once = {0}, twice = {0};
    rewrite(config, all, &once);
    check(load(&again));
    check_equal(config, &again);
    rewrite(&again, all, &twice);
    check(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    buffer_deinit(&once);
    buffer_deinit(&twice);
    config_deinit(&again);
}

void fuzz_one(struct bytes input)
{
    struct config config;
    find_a_place();
    write_file(input);
    if (load(&config)) {
        check_rewriting(&config, false);
        check_rewriting(&config, true);
    }
    config_deinit(&config);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const seeds[] = {
        "# nothing\n\nport 7000\n",
        "bind 127.0.0.1 ::1\nrequirepass \"a \\x41\\n\\\"b\"\ndir './it\\'s'\n",
        "maxmemory 64mb\nmaxmemory-policy allkeys-lru\nappendfsync always\n",
        "save 900 1\nsave 300 10\nsave \"\"\nsave 60 1\n",
        "PORT 7000\nport 7001\nloglevel debug\nlog-format json\n# Written by CONFIG REWRITE\n",
        "client-output-buffer-limit normal 0 0 0\nhz 10\n",
        "timeout -1\n",
        "slave-priority 5\nreplica-priority 6\nhash-max-ziplist-value 1kb\n",
        "notify-keyspace-events KEA\nshutdown-on-sigterm save now\nmaxmemory-clients 5%\n",
        "oom-score-adj-values 1 -2 300\nunixsocketperm 700\nreplicaof \"\"\ntls-port 0\n",
        "nosuch 1\n",
        "requirepass \"open\n",
    };
    struct buffer reference = {0};
    config_print_reference(&reference);
    seed(context, buffer_bytes(&reference));
    buffer_deinit(&reference);
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(context, bytes_text(seeds[i]));
}
