/* SPDX-License-Identifier: MIT */
/*
 * The simulator. Two kinds of worlds: `store`, one node's store on a disk that crashes
 * (store_world.h), and `cluster`, whole nodes on simulated machines (cluster_world.h).
 *
 *   shoal-sim [--first FILE] --seeds N [--from SEED] [--world W]   the seeds in a file, then N more
 *   shoal-sim [--world W] [--drop TEXT] SEED                       one, with all that happens
 *   shoal-sim --shrink SEED                                        what of a failing world it needs
 *
 *   --theme NAME   every world has that theme (cluster_theme.h), whatever its seed says;
 *   --failures N   is enough of them; --nodes N in each cluster, 1: a node without one;
 *   --mutant NAME  with that planted bug, in KIND=mutant builds (base/mutant.h)
 *
 * Without --world seeds run in both. Now and then a world is run twice: it must go the same way.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mutant.h"
#include "sim/cluster_world.h"
#include "sim/store_world.h"

enum { TWICE_EVERY = 50, LINE_MAX_SIZE = 256, SHRINK_TRIES = 400 };

enum world { WORLD_STORE, WORLD_CLUSTER, WORLDS, WORLD_ANY = WORLDS };

static const char *const world_names[WORLDS] = {"store", "cluster"};

struct arguments {
    const char *program, *first, *drop;
    unsigned long long seeds, from, seed;
    unsigned long long failures_max; /* after so many nothing more is run; 0: all is */
    bool one, shrink;
    unsigned nodes; /* of a cluster; 0: as its seed says */
    enum world world;
    enum theme theme; /* THEMES: as its seed says */
};

struct tally {
    unsigned long long passed, failed;
    struct check_counts counts;
    struct copies_counts copies;
    unsigned long long events, virtual_s;
};

#ifdef SHOAL_JEMALLOC
/* Worlds come and go: what one gives back the next takes, in few large pages. */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:1,dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";
#endif

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
    fprintf(stderr,
            "usage: shoal-sim [--first FILE] --seeds N [--from SEED] [--world store|cluster]\n"
            "       shoal-sim [--world store|cluster] [--drop f1,c2] SEED\n"
            "       shoal-sim --shrink SEED\n");
    return 2;
}

/* False: the text names no world, or drops what is not there. */
static bool plan_of(const struct arguments *arguments, unsigned long long seed,
                    struct cluster_plan *plan)
{
    cluster_plan_draw_theme(seed, arguments->nodes, arguments->theme, plan);
    return !arguments->drop || cluster_plan_drop(plan, arguments->drop);
}

static bool run_cluster(const struct arguments *arguments, unsigned long long seed, bool told,
                        uint64_t *out_hash, struct tally *tally)
{
    struct cluster_plan plan;
    struct cluster_result result;
    if (!plan_of(arguments, seed, &plan))
        return false;
    cluster_world_run(&plan, told, &result);
    *out_hash = result.hash;
    if (!result.passed)
        fprintf(stderr, "seed %llu: %s: %s\n", seed, result.checker, result.failure);
    tally->events += result.events;
    tally->virtual_s += result.virtual_us / SIM_SECOND;
    tally->counts.acknowledged += result.counts.acknowledged;
    tally->counts.unknown += result.counts.unknown;
    tally->counts.refused += result.counts.refused;
    tally->counts.reads += result.counts.reads;
    tally->counts.stale += result.counts.stale;
    tally->counts.session_reads += result.counts.session_reads;
    tally->counts.steps_back += result.counts.steps_back;
    tally->counts.steps_back_staying += result.counts.steps_back_staying;
    tally->counts.linear_keys += result.counts.linear_keys;
    tally->counts.linear_given_up += result.counts.linear_given_up;
    tally->copies.rows_kept += result.copies.rows_kept;
    tally->copies.durable += result.copies.durable;
    tally->copies.unjudged += result.copies.unjudged;
    tally->copies.merged += result.copies.merged;
    return result.passed;
}

static bool run_world(const struct arguments *arguments, enum world world, unsigned long long seed,
                      bool told, uint64_t *out_hash, struct tally *tally)
{
    if (world == WORLD_STORE)
        return store_world_run(seed, told, out_hash);
    return run_cluster(arguments, seed, told, out_hash, tally);
}

/* The options that say which plan a seed has. */
static void write_options(const struct arguments *arguments, char *out, size_t size)
{
    int used = 0;
    if (arguments->nodes)
        used = snprintf(out, size, " --nodes %u", arguments->nodes);
    if (arguments->theme != THEMES)
        snprintf(out + used, size - (size_t)used, " --theme %s", theme_name(arguments->theme));
}

static void run(const struct arguments *arguments, enum world world, unsigned long long seed,
                bool twice, struct tally *tally)
{
    uint64_t hash, again;
    char options[64] = "";
    write_options(arguments, options, sizeof(options));
    snprintf(replay, sizeof(replay), "replay: %s --world %s%s%s%s %llu\n", arguments->program,
             world_names[world], options, arguments->drop ? " --drop " : "",
             arguments->drop ? arguments->drop : "", seed);
    bool passed = run_world(arguments, world, seed, false, &hash, tally);
    if (passed && twice &&
        (!run_world(arguments, world, seed, false, &again, tally) || again != hash)) {
        fprintf(stderr, "seed %llu: it went another way the second time\n", seed);
        passed = false;
    }
    tally->passed += passed;
    tally->failed += !passed;
    if (!passed)
        fputs(replay, stderr);
}

static void run_seed(const struct arguments *arguments, enum world world, unsigned long long seed,
                     bool twice, struct tally *tally)
{
    for (int each = 0; each < WORLDS; each++)
        if (world == WORLD_ANY || world == (enum world)each)
            run(arguments, (enum world)each, seed, twice, tally);
}

static bool world_of(const char *name, enum world *out)
{
    for (int world = 0; world < WORLDS; world++) {
        if (strncmp(name, world_names[world], strlen(world_names[world])) == 0) {
            *out = (enum world)world;
            return true;
        }
    }
    return false;
}

/* A theme's name; what follows it. */
static const char *take_theme(const char *text, enum theme *out)
{
    char name[32] = "";
    size_t size = strcspn(text, " ");
    if (size < sizeof(name))
        memcpy(name, text, size);
    *out = theme_named(name);
    return text + size;
}

/* The seeds that a file names, "[WORLD[:THEME]] SEED why": one at the start of each line that has
 * one. */
static bool run_file(const struct arguments *arguments, struct tally *tally)
{
    struct arguments of_line = *arguments;
    char line[LINE_MAX_SIZE], *end;
    FILE *file = fopen(arguments->first, "r");
    if (!file) {
        perror(arguments->first);
        return false;
    }
    while (fgets(line, sizeof(line), file)) {
        enum world world = WORLD_STORE;
        const char *number = world_of(line, &world) ? line + strlen(world_names[world]) : line;
        of_line.theme = THEMES;
        if (*number == ':')
            number = take_theme(number + 1, &of_line.theme);
        unsigned long long seed = strtoull(number, &end, 10);
        if (end != number && (arguments->world == WORLD_ANY || arguments->world == world))
            run(&of_line, world, seed, true, tally);
    }
    fclose(file);
    return true;
}

/* One world, told; a cluster's plan first. */
static int replay_one(const struct arguments *arguments)
{
    struct tally tally = {0};
    uint64_t hash = 0;
    enum world world = arguments->world == WORLD_ANY ? WORLD_CLUSTER : arguments->world;
    if (world == WORLD_CLUSTER) {
        struct cluster_plan plan;
        struct buffer text = {0};
        if (!plan_of(arguments, arguments->seed, &plan))
            return usage();
        cluster_plan_print(&plan, &text);
        printf("%.*s", (int)buffer_size(&text), buffer_bytes(&text).data);
        buffer_deinit(&text);
    }
    bool passed = run_world(arguments, world, arguments->seed, true, &hash, &tally);
    printf("%s, hash %016llx\n", passed ? "passed" : "failed", (unsigned long long)hash);
    return passed ? 0 : 1;
}

static int shrink(const struct arguments *arguments)
{
    struct cluster_plan plan;
    struct cluster_result result;
    struct buffer text = {0}, dropped = {0};
    char options[64] = "";
    if (!plan_of(arguments, arguments->seed, &plan))
        return usage();
    write_options(arguments, options, sizeof(options));
    cluster_world_shrink(&plan, SHRINK_TRIES);
    cluster_world_run(&plan, false, &result);
    cluster_plan_print(&plan, &text);
    cluster_plan_dropped(&plan, &dropped);
    printf("%.*s", (int)buffer_size(&text), buffer_bytes(&text).data);
    if (result.passed)
        printf("it passes\n");
    else
        printf("%s: %s\nreplay: %s --world cluster%s --drop %.*s %llu\n", result.checker,
               result.failure, arguments->program, options, (int)buffer_size(&dropped),
               buffer_bytes(&dropped).data, arguments->seed);
    buffer_deinit(&text);
    buffer_deinit(&dropped);
    return result.passed ? 0 : 1;
}

static bool take_argument(struct arguments *arguments, const char *name, const char *value)
{
    if (strcmp(name, "--seeds") == 0)
        arguments->seeds = strtoull(value, NULL, 10);
    else if (strcmp(name, "--from") == 0)
        arguments->from = strtoull(value, NULL, 10);
    else if (strcmp(name, "--first") == 0)
        arguments->first = value;
    else if (strcmp(name, "--drop") == 0)
        arguments->drop = value;
    else if (strcmp(name, "--failures") == 0)
        arguments->failures_max = strtoull(value, NULL, 10);
#ifdef SHOAL_MUTANTS
    else if (strcmp(name, "--mutant") == 0)
        mutant_chosen = value;
#endif
    else if (strcmp(name, "--theme") == 0)
        return (arguments->theme = theme_named(value)) != THEMES;
    else if (strcmp(name, "--nodes") == 0)
        arguments->nodes = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--world") == 0)
        return world_of(value, &arguments->world);
    else if (strcmp(name, "--shrink") == 0) {
        arguments->seed = strtoull(value, NULL, 10);
        arguments->shrink = true;
    } else
        return false;
    return true;
}

static bool take_arguments(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            arguments->seed = strtoull(argv[i], NULL, 10);
            arguments->one = true;
        } else if (i + 1 == argc || !take_argument(arguments, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    return arguments->one || arguments->shrink || arguments->seeds > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .program = argv[0], .from = 1, .world = WORLD_ANY, .theme = THEMES};
    struct tally tally = {0};
    if (!take_arguments(&arguments, argc, argv) || arguments.nodes > CLUSTER_NODES_MAX)
        return usage();
    if (arguments.shrink)
        return shrink(&arguments);
    if (arguments.one)
        return replay_one(&arguments);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (arguments.first && !run_file(&arguments, &tally))
        return 2;
    bool enough = false;
    for (unsigned long long i = 0; i < arguments.seeds && !enough; i++) {
        run_seed(&arguments, arguments.world, arguments.from + i,
                 (arguments.from + i) % TWICE_EVERY == 0, &tally);
        enough = arguments.failures_max && tally.failed >= arguments.failures_max;
    }
    const struct check_counts *counts = &tally.counts;
    printf("clusters: %llu s, %llu events; writes: %llu acknowledged, %llu unknown, %llu refused; "
           "%llu reads, %llu of them old\n",
           tally.virtual_s, tally.events, (unsigned long long)counts->acknowledged,
           (unsigned long long)counts->unknown, (unsigned long long)counts->refused,
           (unsigned long long)counts->reads, (unsigned long long)counts->stale);
    printf(
        "sessions: %llu reads, %llu steps back, %llu of these at the same node; linear: %llu keys, "
        "%llu given up\n",
        (unsigned long long)counts->session_reads, (unsigned long long)counts->steps_back,
        (unsigned long long)counts->steps_back_staying, (unsigned long long)counts->linear_keys,
        (unsigned long long)counts->linear_given_up);
    printf("copies: %llu rows kept over a restart; %llu acknowledged values found on W nodes, %llu "
           "nowhere to be judged; %llu merges\n",
           (unsigned long long)tally.copies.rows_kept, (unsigned long long)tally.copies.durable,
           (unsigned long long)tally.copies.unjudged, (unsigned long long)tally.copies.merged);
    printf("simulation: %llu passed, %llu failed\n", tally.passed, tally.failed);
    return tally.failed > 0;
}
