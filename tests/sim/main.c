/* SPDX-License-Identifier: MIT */
/*
 * The simulator. Two kinds of worlds: `store`, one node's store on a disk that crashes
 * (store_world.h), and `cluster`, whole nodes on simulated machines (cluster_world.h).
 *
 *   shoal-sim [--first FILE] --seeds N [--from SEED] [--world W]   the seeds in a file, then N more
 *   shoal-sim [--world W] [--drop TEXT] SEED                       one, with all that happens
 *   shoal-sim --shrink SEED                                        what of a failing world it needs
 *
 *   --jobs N       in so many processes, the same output in the same order (sim/jobs.h);
 *   --theme NAME   runs only those of the seeds whose world has it (cluster_theme.h);
 *   --failures N   is enough of them; --nodes N in each cluster, 1: a node without one;
 *   --mutant NAME  with that planted bug, in KIND=mutant builds (base/mutant.h)
 *
 * KIND=hunt builds have 512 slots instead of 16384: another world of each seed, in a third of the
 * time. So many seeds are run there; what slots in their thousands do, lists of them in parts and
 * quotas, is for the other builds.
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
#include "sim/jobs.h"
#include "sim/store_world.h"

enum { TWICE_EVERY = 50, LINE_MAX_SIZE = 256, SHRINK_TRIES = 400, FIRST_MAX = 1000 };

enum world { WORLD_STORE, WORLD_CLUSTER, WORLDS, WORLD_ANY = WORLDS };

static const char *const world_names[WORLDS] = {"store", "cluster"};

struct arguments {
    const char *program, *first, *drop;
    unsigned long long seeds, from, seed;
    unsigned long long failures_max; /* after so many nothing more is told; 0: all is */
    unsigned jobs;
    bool one, shrink;
    unsigned nodes; /* of a cluster; 0: as its seed says */
    enum world world;
    const char *theme; /* NULL: any */
};

/* Of one run, or of all. */
struct tally {
    unsigned long long passed, failed;
    struct check_counts counts;
    struct copies_counts copies;
    unsigned long long events, virtual_s;
};

/* What a file of seeds names, and then a range of them. */
struct runs {
    const struct arguments *arguments;
    struct {
        enum world world;
        unsigned long long seed;
    } first[FIRST_MAX];
    size_t first_count;
    struct tally tally;
};

#ifdef SHOAL_MUTANTS
const char *mutant_chosen;
#endif

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
            "                 [--jobs N] [--theme NAME] [--failures N] [--nodes N]\n"
            "       shoal-sim [--world store|cluster] [--drop f1,c2] SEED\n"
            "       shoal-sim --shrink SEED\n");
    return 2;
}

/* False: the text names no world, or drops what is not there. */
static bool plan_of(const struct arguments *arguments, unsigned long long seed,
                    struct cluster_plan *plan)
{
    cluster_plan_draw(seed, arguments->nodes, plan);
    return !arguments->drop || cluster_plan_drop(plan, arguments->drop);
}

static void add_counts(struct check_counts *to, const struct check_counts *counts)
{
    to->acknowledged += counts->acknowledged;
    to->unknown += counts->unknown;
    to->refused += counts->refused;
    to->reads += counts->reads;
    to->stale += counts->stale;
    to->session_reads += counts->session_reads;
    to->steps_back += counts->steps_back;
    to->steps_back_staying += counts->steps_back_staying;
    to->linear_keys += counts->linear_keys;
    to->linear_given_up += counts->linear_given_up;
}

static void add_copies(struct copies_counts *to, const struct copies_counts *counts)
{
    to->rows_kept += counts->rows_kept;
    to->durable += counts->durable;
    to->unjudged += counts->unjudged;
    to->merged += counts->merged;
}

static void add_tally(struct tally *to, const struct tally *tally)
{
    to->passed += tally->passed;
    to->failed += tally->failed;
    to->events += tally->events;
    to->virtual_s += tally->virtual_s;
    add_counts(&to->counts, &tally->counts);
    add_copies(&to->copies, &tally->copies);
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
    add_counts(&tally->counts, &result.counts);
    add_copies(&tally->copies, &result.copies);
    return result.passed;
}

static bool run_world(const struct arguments *arguments, enum world world, unsigned long long seed,
                      bool told, uint64_t *out_hash, struct tally *tally)
{
    if (world == WORLD_STORE)
        return store_world_run(seed, told, out_hash);
    return run_cluster(arguments, seed, told, out_hash, tally);
}

static void run(const struct arguments *arguments, enum world world, unsigned long long seed,
                bool twice, struct tally *tally)
{
    uint64_t hash, again;
    char nodes[24] = "";
    if (arguments->nodes)
        snprintf(nodes, sizeof(nodes), " --nodes %u", arguments->nodes);
    snprintf(replay, sizeof(replay), "replay: %s --world %s%s%s%s %llu\n", arguments->program,
             world_names[world], nodes, arguments->drop ? " --drop " : "",
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

static bool has_theme(const struct arguments *arguments, unsigned long long seed)
{
    struct cluster_plan plan;
    if (!arguments->theme)
        return true;
    cluster_plan_draw(seed, arguments->nodes, &plan);
    return strcmp(theme_name(plan.theme), arguments->theme) == 0;
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

/* The seeds that a file names, "[WORLD] SEED why": one at the start of each line that has one. */
static bool read_file(struct runs *runs)
{
    const struct arguments *arguments = runs->arguments;
    char line[LINE_MAX_SIZE], *end;
    FILE *file = fopen(arguments->first, "r");
    if (!file) {
        perror(arguments->first);
        return false;
    }
    while (fgets(line, sizeof(line), file) && runs->first_count < FIRST_MAX) {
        enum world world = WORLD_STORE;
        const char *number = world_of(line, &world) ? line + strlen(world_names[world]) : line;
        unsigned long long seed = strtoull(number, &end, 10);
        if (end == number || (arguments->world != WORLD_ANY && arguments->world != world))
            continue;
        runs->first[runs->first_count].world = world;
        runs->first[runs->first_count++].seed = seed;
    }
    fclose(file);
    return true;
}

static unsigned worlds_of(const struct arguments *arguments)
{
    return arguments->world == WORLD_ANY ? WORLDS : 1;
}

/* The run of that number: first the file's, then each seed's, in each of its worlds. */
static unsigned long long seed_of(const struct runs *runs, uint64_t number, enum world *out_world)
{
    const struct arguments *arguments = runs->arguments;
    unsigned worlds = worlds_of(arguments);
    if (number < runs->first_count) {
        *out_world = runs->first[number].world;
        return runs->first[number].seed;
    }
    number -= runs->first_count;
    *out_world = worlds == 1 ? arguments->world : (enum world)(number % worlds);
    return arguments->from + number / worlds;
}

static void run_number(void *context, uint64_t number, void *result)
{
    const struct runs *runs = context;
    enum world world;
    unsigned long long seed = seed_of(runs, number, &world);
    bool named = number < runs->first_count;
    if (named || has_theme(runs->arguments, seed))
        run(runs->arguments, world, seed, named || seed % TWICE_EVERY == 0, result);
}

static bool take_result(void *context, uint64_t number, const void *result, struct bytes said,
                        bool died)
{
    struct runs *runs = context;
    enum world world;
    if (died)
        fprintf(stderr, "seed %llu ends its process:\n", seed_of(runs, number, &world));
    fwrite(said.data, 1, said.size, stderr);
    add_tally(&runs->tally, result);
    runs->tally.failed += died;
    unsigned long long enough = runs->arguments->failures_max;
    return !enough || runs->tally.failed < enough;
}

static void print_tally(const struct tally *tally)
{
    const struct check_counts *counts = &tally->counts;
    const struct copies_counts *copies = &tally->copies;
    printf("clusters: %llu s, %llu events; writes: %llu acknowledged, %llu unknown, %llu refused; "
           "%llu reads, %llu of them old\n",
           tally->virtual_s, tally->events, (unsigned long long)counts->acknowledged,
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
           (unsigned long long)copies->rows_kept, (unsigned long long)copies->durable,
           (unsigned long long)copies->unjudged, (unsigned long long)copies->merged);
    printf("simulation: %llu passed, %llu failed\n", tally->passed, tally->failed);
}

/* All of them. */
static int run_all(const struct arguments *arguments)
{
    static struct runs runs;
    runs.arguments = arguments;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (arguments->first && !read_file(&runs))
        return 2;
    struct jobs jobs = {.processes = arguments->jobs,
                        .count = runs.first_count + arguments->seeds * worlds_of(arguments),
                        .result_size = sizeof(struct tally),
                        .context = &runs,
                        .run = run_number,
                        .take = take_result};
    jobs_run(&jobs);
    print_tally(&runs.tally);
    return runs.tally.failed > 0;
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
    if (!plan_of(arguments, arguments->seed, &plan))
        return usage();
    cluster_world_shrink(&plan, SHRINK_TRIES);
    cluster_world_run(&plan, false, &result);
    cluster_plan_print(&plan, &text);
    cluster_plan_dropped(&plan, &dropped);
    printf("%.*s", (int)buffer_size(&text), buffer_bytes(&text).data);
    if (result.passed)
        printf("it passes\n");
    else
        printf("%s: %s\nreplay: %s --world cluster --drop %.*s %llu\n", result.checker,
               result.failure, arguments->program, (int)buffer_size(&dropped),
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
        arguments->theme = value;
    else if (strcmp(name, "--nodes") == 0)
        arguments->nodes = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--jobs") == 0)
        arguments->jobs = (unsigned)strtoul(value, NULL, 10);
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
    struct arguments arguments = {.program = argv[0], .from = 1, .world = WORLD_ANY, .jobs = 1};
    if (!take_arguments(&arguments, argc, argv) || arguments.nodes > CLUSTER_NODES_MAX ||
        arguments.jobs < 1 || arguments.jobs > JOBS_PROCESSES_MAX)
        return usage();
    if (arguments.shrink)
        return shrink(&arguments);
    if (arguments.one)
        return replay_one(&arguments);
    return run_all(&arguments);
}
