/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "commands.h"
#include "config/config.h"
#include "runtime.h"
#include "salvage.h"
#include "store/store.h"

/* ---- the background ---------------------------------------------------------------------------
 */

/* What is to happen once the node serves. */
struct start {
    const struct config *config;
    int parent;  /* a daemon's: where its parent hears that it serves; else -1 */
    bool served; /* so the pid file is ours */
};

static void write_pidfile(const char *path)
{
    FILE *file = fopen(path, "we");
    if (!file || fprintf(file, "%d\n", (int)getpid()) < 0)
        fprintf(stderr, "shoal-server: %s: the pid file cannot be written\n", path);
    if (file)
        fclose(file);
}

static void started(void *context)
{
    struct start *start = context;
    start->served = true;
    if (start->config->pidfile[0])
        write_pidfile(start->config->pidfile);
    if (start->parent < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int standard = 0; null >= 0 && standard <= 2; standard++)
        dup2(null, standard);
    close(null);
    ssize_t written = write(start->parent, "", 1);
    (void)written;
    close(start->parent);
}

/*
 * Goes on in a child without a terminal; the parent waits until the child serves, and says with its
 * exit code how that went: so a port in use is seen by whoever typed the command. Before any thread
 * is started.
 */
static void daemonize(int *out_parent)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("shoal-server: pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child < 0) {
        perror("shoal-server: fork");
        exit(1);
    }
    if (child > 0) {
        close(ends[1]);
        char byte;
        exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(ends[0]);
    setsid();
    *out_parent = ends[1];
}

/* ---- what can be asked for --------------------------------------------------------------------
 */

static int fail(const struct buffer *reason)
{
    struct bytes text = buffer_bytes(reason);
    fprintf(stderr, "shoal-server: %.*s\n", (int)text.size, text.data);
    return 1;
}

static int print_help(void)
{
    printf("Shoal: a Redis-protocol store. Usage:\n\n"
           "  shoal-server [FILE] [--option value ...]   run a node, settings from FILE, then "
           "options\n"
           "  shoal-server --check DIR                   verify a data directory; nothing else "
           "uses it\n"
           "  shoal-server --salvage DIR                 save what can be saved of a damaged one "
           "into DIR.salvaged\n"
           "  shoal-server --version\n"
           "  shoal-server --help\n\n"
           "Options, with their defaults; FILE has the same names, without the dashes:\n\n");
    struct config config;
    config_init(&config);
    const char *name;
    for (unsigned i = 0; (name = config_name(i)); i++) {
        if (!config_has_effect(i))
            continue;
        struct buffer value = {0};
        config_value(&config, i, &value);
        struct bytes text = buffer_bytes(&value);
        printf("  --%-28s %.*s\n", name, (int)text.size, text.size ? text.data : "");
        buffer_deinit(&value);
    }
    config_deinit(&config);
    printf("\nThe other settings of redis-server are taken, without effect; CONFIG GET * shows "
           "them.\n");
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static enum status check_open(const char *directory, struct files **out_files,
                              struct buffer *report)
{
    bool was_here = false;
    enum status status = STATUS_OK;
    if (is_directory(directory)) /* else it would be made */
        status = files_posix_open(directory, out_files, report);
    if (status == STATUS_OK && *out_files)
        status = store_was_here(*out_files, &was_here);
    if (status == STATUS_OK && !was_here)
        status = STATUS_ABSENT;
    uint64_t mark;
    if (status == STATUS_OK)
        status = (*out_files)->ops->lock(*out_files, &mark);
    return status;
}

/* Read only: what is not changed cannot be made worse. NULL if it cannot be opened: the report says
 * why. */
static struct tier *check_open_tier(const char *directory, struct buffer *report)
{
    char path[PATH_MAX];
    struct tier *tier = NULL;
    struct tier_options options = {.compaction_threads = 1, .read_only = true};
    int size = snprintf(path, sizeof(path), "%s/tier", directory);
    struct buffer reason = {0};
    if (size < 0 || (size_t)size >= sizeof(path) || !is_directory(path)) {
        buffer_printf(report, "tier: it is missing\n");
    } else if (tier_rocksdb_open(path, &options, &tier, &reason) != STATUS_OK) {
        struct bytes text = buffer_bytes(&reason);
        buffer_printf(report, "tier: %.*s\n", (int)text.size, text.size ? text.data : "");
    }
    buffer_deinit(&reason);
    return tier;
}

static int check_directory(const char *directory)
{
    struct files *files = NULL;
    struct tier *tier = NULL;
    struct buffer report = {0};
    enum status status = check_open(directory, &files, &report);
    if (status == STATUS_OK) {
        tier = check_open_tier(directory, &report);
        status = store_check(files, tier, &report);
    }
    struct bytes text = buffer_bytes(&report);
    fwrite(text.size ? text.data : "", 1, text.size, stdout);
    if (status == STATUS_ABSENT)
        printf("%s: no data directory\n", directory);
    else
        printf("%s: %s\n", directory, status_text(status));
    if (status == STATUS_CORRUPT)
        printf("What can be saved goes to a new directory with: shoal-server --salvage %s\n",
               directory);
    if (tier)
        tier->ops->free(tier);
    if (files)
        files->ops->free(files);
    buffer_deinit(&report);
    return status == STATUS_OK ? 0 : 1;
}

static int run(int argc, char **argv)
{
    struct config config;
    struct buffer error = {0};
    config_init(&config);
    int code;
    if (config_arguments(&config, argc - 1, argv + 1, &error) != STATUS_OK) {
        code = fail(&error);
    } else {
        char executable[PATH_MAX] = "";
        ssize_t size = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
        executable[size > 0 ? size : 0] = 0;
        struct start start = {&config, -1, false};
        if (config.daemonize)
            daemonize(&start.parent);
        struct runtime_options options = {&config, command_tables, executable, started, &start};
        code = runtime_run(&options);
        if (start.served && config.pidfile[0])
            unlink(config.pidfile);
    }
    buffer_deinit(&error);
    config_deinit(&config);
    return code;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--version") == 0 || strcmp(first, "-v") == 0) {
        printf("Shoal server v=%s\n", SHOAL_VERSION);
        return 0;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return print_help();
    if (strcmp(first, "--check") == 0 && argc == 3)
        return check_directory(argv[2]);
    if (strcmp(first, "--salvage") == 0 && argc == 3)
        return salvage(argv[2]);
    return run(argc, argv);
}
