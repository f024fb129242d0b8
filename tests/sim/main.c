/* SPDX-License-Identifier: MIT */
/*
 * The simulator: shoal-sim [--first FILE] --seeds N [--from SEED] runs the worlds of the seeds in a
 * file, then N more; shoal-sim SEED runs one of them with a trace of all that happens. Now and then
 * a world is run twice: it must go the same way.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/store_world.h"

enum { TWICE_EVERY = 50, LINE_MAX_SIZE = 256 };

struct tally {
    unsigned long long passed, failed;
};

/* For the signal handler: the command that replays the world that is running. */
static char replay[LINE_MAX_SIZE];

static void on_abort(int signal_number)
{
    size_t size = strlen(replay);
    if (write(STDERR_FILENO, replay, size) < 0)
        _exit(1);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int usage(void)
{
    fprintf(stderr, "usage: shoal-sim [--first FILE] --seeds N [--from SEED] | shoal-sim SEED\n");
    return 2;
}

static void run(const char *program, unsigned long long seed, bool twice, struct tally *tally)
{
    uint64_t hash, again;
    snprintf(replay, sizeof(replay), "replay: %s %llu\n", program, seed);
    bool passed = store_world_run(seed, false, &hash);
    if (passed && twice && (!store_world_run(seed, false, &again) || again != hash)) {
        fprintf(stderr, "seed %llu: it went another way the second time\n", seed);
        passed = false;
    }
    tally->passed += passed;
    tally->failed += !passed;
    if (!passed)
        fputs(replay, stderr);
}

/* The seeds that a file names, one at the start of each line that has one. */
static bool run_file(const char *program, const char *path, struct tally *tally)
{
    char line[LINE_MAX_SIZE], *end;
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    while (fgets(line, sizeof(line), file)) {
        unsigned long long seed = strtoull(line, &end, 10);
        if (end != line)
            run(program, seed, true, tally);
    }
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    unsigned long long seeds = 0, from = 1;
    const char *first = NULL;
    struct tally tally = {0};
    uint64_t hash;
    if (argc == 2 && argv[1][0] != '-')
        return store_world_run(strtoull(argv[1], NULL, 10), true, &hash) ? 0 : 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0)
            first = argv[i + 1];
        else
            return usage();
    }
    if (seeds == 0 || argc % 2 == 0)
        return usage();
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (first && !run_file(argv[0], first, &tally))
        return 2;
    for (unsigned long long seed = from; seed < from + seeds; seed++)
        run(argv[0], seed, seed % TWICE_EVERY == 0, &tally);
    printf("simulation: %llu passed, %llu failed\n", tally.passed, tally.failed);
    return tally.failed > 0;
}
