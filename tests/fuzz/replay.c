/* SPDX-License-Identifier: MIT */
/*
 * fuzz_<what> [FILE|DIRECTORY...]: runs the target on its seeds and those files, then on
 * CHANGES simple changes of them, drawn from a fixed seed. fuzz_<what> --seeds DIRECTORY writes the
 * seeds as files, for libFuzzer. A broken input is left in the file that the last line names.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "fuzz/fuzz.h"

enum { CHANGES = 5000, INPUTS_MAX = 4096, NAME_SIZE_MAX = 1024, SIZE_MAX_CHANGED = 1 << 16 };

struct inputs {
    struct buffer items[INPUTS_MAX];
    unsigned count;
};

/* For the signal handler: what is being run. */
static struct bytes running;
static char left_in[NAME_SIZE_MAX];

static void on_abort(int signal_number)
{
    FILE *file = fopen(left_in, "wb");
    if (file) {
        fwrite(running.data, 1, running.size, file);
        fclose(file);
    }
    fprintf(stderr, "the input is in %s\n", left_in);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run(struct bytes input)
{
    char *exact = memory_alloc(input.size); /* whoever reads further is found out */
    if (input.size)
        memcpy(exact, input.data, input.size);
    running = bytes_of(exact, input.size);
    fuzz_one(running);
    memory_free(exact);
}

static void add(void *context, struct bytes input)
{
    struct inputs *inputs = context;
    check(inputs->count < INPUTS_MAX);
    buffer_append_bytes(&inputs->items[inputs->count++], input);
}

static bool add_file(struct inputs *inputs, const char *path)
{
    char block[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    add(inputs, BYTES(""));
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(&inputs->items[inputs->count - 1], block, got);
    bool good = !ferror(file);
    fclose(file);
    return good;
}

static bool add_path(struct inputs *inputs, const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOTDIR && add_file(inputs, path);
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(directory));) {
        char name[NAME_SIZE_MAX];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            good = add_file(inputs, name);
    }
    closedir(directory);
    return good;
}

static int by_content(const void *a, const void *b)
{
    return bytes_compare(buffer_bytes(a), buffer_bytes(b));
}

/* One change: a byte, a bit, a piece taken out, doubled, or put in from another input. */
static void change(struct random *random, const struct inputs *inputs, struct buffer *input)
{
    struct bytes other = buffer_bytes(&inputs->items[random_below(random, inputs->count)]);
    struct bytes old = buffer_bytes(input);
    size_t at = random_below(random, old.size + 1);
    size_t size = random_below(random, old.size - at + 1);
    size_t from = random_below(random, other.size + 1);
    struct buffer next = {0};
    buffer_append(&next, old.data, at);
    switch (random_below(random, 6)) {
    case 0: /* cut off */
        break;
    case 1: /* a piece is missing */
        buffer_append(&next, old.data + at + size, old.size - at - size);
        break;
    case 2: /* a piece stands twice */
        buffer_append(&next, old.data + at, size);
        buffer_append(&next, old.data + at, old.size - at);
        break;
    case 3: /* goes on like another */
        buffer_append(&next, other.data + from, other.size - from);
        break;
    default: /* a few bytes are others */
        buffer_append(&next, old.data + at, old.size - at);
        for (size_t i = at; i < old.size && i < at + 1 + random_below(random, 3); i++)
            next.block[next.start + i] ^=
                (char)(random_once_in(random, 2) ? random_next(random)
                                                 : 1u << random_below(random, 8));
    }
    buffer_deinit(input);
    *input = next;
}

static void run_changed(const struct inputs *inputs)
{
    struct random random = {1};
    for (unsigned i = 0; i < CHANGES; i++) {
        struct buffer input = {0};
        buffer_append_bytes(&input,
                            buffer_bytes(&inputs->items[random_below(&random, inputs->count)]));
        if (buffer_size(&input) <= SIZE_MAX_CHANGED)
            for (uint64_t changes = 1 + random_below(&random, 4); changes > 0; changes--)
                change(&random, inputs, &input);
        run(buffer_bytes(&input));
        buffer_deinit(&input);
    }
}

static bool write_seeds(const struct inputs *inputs, const char *directory)
{
    bool good = true;
    for (unsigned i = 0; i < inputs->count && good; i++) {
        char name[NAME_SIZE_MAX];
        snprintf(name, sizeof(name), "%s/seed-%03u", directory, i);
        FILE *file = fopen(name, "wb");
        struct bytes input = buffer_bytes(&inputs->items[i]);
        good = file && fwrite(input.data, 1, input.size, file) == input.size;
        if (file && fclose(file) != 0)
            good = false;
    }
    return good;
}

int main(int argc, char **argv)
{
    struct inputs *inputs = memory_zeroed(sizeof(*inputs));
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    bool good = true, only_seeds = argc == 3 && strcmp(argv[1], "--seeds") == 0;
    fuzz_seeds(add, inputs);
    if (only_seeds)
        good = write_seeds(inputs, argv[2]);
    for (int i = 1; i < argc && good && !only_seeds; i++)
        if (!(good = add_path(inputs, argv[i])))
            perror(argv[i]);
    if (good && !only_seeds && inputs->count > 0) {
        snprintf(left_in, sizeof(left_in), "%s.broken", argv[0]);
        signal(SIGABRT, on_abort);
        qsort(inputs->items, inputs->count, sizeof(inputs->items[0]), by_content);
        for (unsigned i = 0; i < inputs->count; i++)
            run(buffer_bytes(&inputs->items[i]));
        run_changed(inputs);
        printf("ok %s: %u inputs, %d changed ones\n", program, inputs->count, CHANGES);
    }
    for (unsigned i = 0; i < inputs->count; i++)
        buffer_deinit(&inputs->items[i]);
    memory_free(inputs);
    return good ? 0 : 1;
}
