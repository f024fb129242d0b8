/* SPDX-License-Identifier: MIT */
/*
 * The simulator. Two kinds of worlds: `store`, one node's store on a disk that crashes
 * (store_world.h), and `cluster`, whole nodes on simulated machines (cluster_world.h).
 *
 *   shoal-sim [--first FILE] --seeds N [--from SEED] [--world W]   the seeds in a file, then N more
 *   shoal-sim [--world W] [--drop TEXT] SEED                       one, with all that happens
 *   shoal-sim --shrink SEED                                        what of a failing world it needs
 *   shoal-sim --check FILE                                         a history (history_text.h)
 *
 *   --jobs N       in so many processes, the same output in the same order (sim/jobs.h);
 *   --theme NAME   every world has that theme (cluster_theme.h), whatever its seed says;
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
#include "sim/history_text.h"
#include "sim/jobs.h"
#include "sim/store_world.h"

enum {
    TWICE_EVERY = 50,
    LINE_MAX_SIZE = 256,
    SHRINK_TRIES = 400,
    FIRST_MAX = 1000,
    READ_SIZE = 1 << 16
};

enum world { WORLD_STORE, WORLD_CLUSTER, WORLDS, WORLD_ANY = WORLDS };

static const char *const world_names[WORLDS] = {"store", "cluster"};

struct arguments {
    const char *program, *first, *drop, *check;
    unsigned long long seeds, from, seed;
    unsigned long long failures_max; /* after so many nothing more is told; 0: all is */
    unsigned jobs;
    bool one, shrink;
    unsigned nodes; /* of a cluster; 0: as its seed says */
    enum world world;
    enum theme theme; /* THEMES: as its seed says */
};

/* Of one run, or of all. */
struct tally {
    unsigned long long passed, failed;
    struct check_counts counts;
    struct copies_counts copies;
    unsigned long long events, virtual_s;
};

/* Which world a run is of. */
struct run_id {
    enum world world;
    enum theme theme;
    unsigned long long seed;
};

/* What such a file names, and then a range of seeds. */
struct runs {
    const struct arguments *arguments;
    struct run_id first[FIRST_MAX];
    size_t first_count;
    struct tally tally;
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
            "                 [--jobs N] [--theme NAME] [--failures N] [--nodes N]\n"
            "       shoal-sim [--world store|cluster] [--drop f1,c2] SEED\n"
            "       shoal-sim --shrink SEED\n"
            "       shoal-sim --check FILE\n");
    return 2;
}

/* False: the text names no world, or drops what is not there. */
static bool plan_of(const struct arguments *arguments, unsigned long long seed,
                    struct cluster_plan *plan)
{
    cluster_plan_draw_theme(seed, arguments->nodes, arguments->theme, plan);
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
static bool read_seeds(struct runs *runs)
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
        enum theme theme = THEMES;
        if (*number == ':')
            number = take_theme(number + 1, &theme);
        unsigned long long seed = strtoull(number, &end, 10);
        if (end == number || (arguments->world != WORLD_ANY && arguments->world != world))
            continue;
        runs->first[runs->first_count++] = (struct run_id){world, theme, seed};
    }
    fclose(file);
    return true;
}

static unsigned worlds_of(const struct arguments *arguments)
{
    return arguments->world == WORLD_ANY ? WORLDS : 1;
}

/* The run of that number: first the file's, then each seed's, in each of its worlds. */
static struct run_id run_id(const struct runs *runs, uint64_t number)
{
    const struct arguments *arguments = runs->arguments;
    unsigned worlds = worlds_of(arguments);
    if (number < runs->first_count)
        return runs->first[number];
    number -= runs->first_count;
    enum world world = worlds == 1 ? arguments->world : (enum world)(number % worlds);
    return (struct run_id){world, arguments->theme, arguments->from + number / worlds};
}

static void run_number(void *context, uint64_t number, void *result)
{
    const struct runs *runs = context;
    struct run_id id = run_id(runs, number);
    struct arguments arguments = *runs->arguments;
    arguments.theme = id.theme;
    run(&arguments, id.world, id.seed, number < runs->first_count || id.seed % TWICE_EVERY == 0,
        result);
}

static bool take_result(void *context, uint64_t number, const void *result, struct bytes said,
                        bool died)
{
    struct runs *runs = context;
    if (died)
        fprintf(stderr, "seed %llu ends its process:\n", run_id(runs, number).seed);
    fwrite(said.data, 1, said.size, stderr);
    add_tally(&runs->tally, result);
    runs->tally.failed += died;
    unsigned long long enough = runs->arguments->failures_max;
    return !enough || runs->tally.failed < enough;
}

static void print_counts(const struct check_counts *counts)
{
    printf("writes: %llu acknowledged, %llu unknown, %llu refused; %llu reads, %llu of them old\n",
           (unsigned long long)counts->acknowledged, (unsigned long long)counts->unknown,
           (unsigned long long)counts->refused, (unsigned long long)counts->reads,
           (unsigned long long)counts->stale);
    printf(
        "sessions: %llu reads, %llu steps back, %llu of these at the same node; linear: %llu keys, "
        "%llu given up\n",
        (unsigned long long)counts->session_reads, (unsigned long long)counts->steps_back,
        (unsigned long long)counts->steps_back_staying, (unsigned long long)counts->linear_keys,
        (unsigned long long)counts->linear_given_up);
}

static void print_tally(const struct tally *tally)
{
    const struct copies_counts *copies = &tally->copies;
    printf("clusters: %llu s, %llu events; ", tally->virtual_s, tally->events);
    print_counts(&tally->counts);
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
    if (arguments->first && !read_seeds(&runs))
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

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "r");
    size_t size = 1;
    while (file && size > 0) {
        size = fread(buffer_reserve(out, READ_SIZE), 1, READ_SIZE, file);
        buffer_commit(out, size);
    }
    bool good = file && !ferror(file);
    if (!good)
        perror(path);
    if (file)
        fclose(file);
    return good;
}

/* What clients of real processes saw: all that is wrong with it. */
static int check_file(const char *path)
{
    struct sim_clock clock = {0};
    struct cluster_trace trace = {.clock = &clock, .told = true};
    struct history history;
    struct check_options options;
    struct check_counts counts;
    struct history_fault fault;
    struct buffer text = {0};
    int status = 2;
    history_init(&history);
    if (read_file(path, &text)) {
        if (!history_text_read(buffer_bytes(&text), &history, &options, &fault)) {
            fprintf(stderr, "%s:%zu: %s\n", path, fault.line, fault.what);
        } else {
            check_history(&history, &options, &trace, &counts);
            printf("%zu operations on %zu keys; ", history.event_count, history.key_count);
            print_counts(&counts);
            printf("history: %s\n", trace.failed ? "failed" : "passed");
            status = trace.failed;
        }
    }
    history_deinit(&history);
    buffer_deinit(&text);
    return status;
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
    else if (strcmp(name, "--check") == 0)
        arguments->check = value;
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
    return arguments->one || arguments->shrink || arguments->check || arguments->seeds > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .program = argv[0], .from = 1, .world = WORLD_ANY, .theme = THEMES, .jobs = 1};
    if (!take_arguments(&arguments, argc, argv) || arguments.nodes > CLUSTER_NODES_MAX ||
        arguments.jobs < 1 || arguments.jobs > JOBS_PROCESSES_MAX)
        return usage();
    if (arguments.check)
        return check_file(arguments.check);
    if (arguments.shrink)
        return shrink(&arguments);
    if (arguments.one)
        return replay_one(&arguments);
    return run_all(&arguments);
}
