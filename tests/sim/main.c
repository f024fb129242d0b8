/* SPDX-License-Identifier: MIT */
/*
 * The simulator: shoal-sim --seeds N [--from SEED] runs N worlds, shoal-sim SEED one of them with a
 * trace of all that happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/store_world.h"

static int usage(void)
{
    fprintf(stderr, "usage: shoal-sim --seeds N [--from SEED] | shoal-sim SEED\n");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned long long seeds = 0, from = 1, failed = 0;
    if (argc == 2 && argv[1][0] != '-')
        return store_world_run(strtoull(argv[1], NULL, 10), true) ? 0 : 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[i + 1], NULL, 10);
        else
            return usage();
    }
    if (seeds == 0 || argc % 2 == 0)
        return usage();
    for (unsigned long long seed = from; seed < from + seeds; seed++) {
        if (store_world_run(seed, false))
            continue;
        failed++;
        fprintf(stderr, "replay: %s %llu\n", argv[0], seed);
    }
    printf("simulation: %llu passed, %llu failed\n", seeds - failed, failed);
    return failed > 0;
}
