/* SPDX-License-Identifier: MIT */
/*
 * Streams of requests. An input is a byte that says which limits hold ('0' to '3'), one that seeds
 * the split points, and the stream. Whatever the splits, the same requests must come out.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "resp/request_parser.h"

static const struct request_limits limit_sets[] = {
    {1024 * 1024, 512 * 1024 * 1024, 64 * 1024, true},
    {10, 16 * 1024, 64 * 1024, false},
    {3, 20, 24, true},
    {3, 20, 24, false},
};

/* What has been read of a stream. */
struct reading {
    const struct request_limits *limits;
    struct request_parser parser;
    struct arena arena;
    struct buffer text; /* a request a line, each argument with its size */
    size_t used;
    size_t not_before; /* no request can be whole with fewer bytes of the stream */
    bool broken;
};

static void write_request(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->parser.argc; i++) {
        struct bytes argument = reading->parser.argv[i];
        buffer_printf(&reading->text, "%zu:", argument.size);
        buffer_append_bytes(&reading->text, argument);
    }
    buffer_append_u8(&reading->text, '\n');
}

/* What the look ahead says must be what the parser finds. */
static void check_peek(struct reading *reading, struct bytes stream, bool peeked, struct bytes key,
                       enum request_result result, size_t used, size_t peeked_size)
{
    bool within = reading->limits->arguments >= 10 && reading->limits->bulk_size >= stream.size;
    if (!peeked || !within)
        return;
    check(result == REQUEST_READY && used == peeked_size);
    check(reading->parser.argc >= 2 && bytes_equal(reading->parser.argv[1], key));
}

/* Runs the parser once on what stands from reading->used up to `end`. */
static enum request_result parse_once(struct reading *reading, struct bytes stream, size_t end)
{
    size_t size = end - reading->used, used = SIZE_MAX, peeked_size = 0;
    char *block = memory_alloc(size); /* another place each time, and not a byte more */
    if (size)
        memcpy(block, stream.data + reading->used, size);
    struct bytes key = {0};
    bool peeked = request_peek(bytes_of(block, size), &key, &peeked_size);
    enum request_result result = request_parse(&reading->parser, bytes_of(block, size),
                                               reading->limits, &reading->arena, &used);
    check_peek(reading, bytes_of(block, size), peeked, key, result, used, peeked_size);
    if (result == REQUEST_READY) {
        check(used > 0 && used <= size && end >= reading->not_before);
        write_request(reading);
        reading->used += used;
        reading->not_before = 0;
    } else if (result == REQUEST_INCOMPLETE) {
        size_t wants = request_wants(&reading->parser, size);
        if (end + wants > reading->not_before)
            reading->not_before = end + wants;
    } else {
        check(memchr(reading->parser.error, '\0', sizeof(reading->parser.error)) != NULL);
        buffer_append_bytes(&reading->text, bytes_text(reading->parser.error));
        reading->broken = true;
    }
    memory_free(block);
    arena_clear(&reading->arena);
    return result;
}

static void read_up_to(struct reading *reading, struct bytes stream, size_t end)
{
    while (!reading->broken && parse_once(reading, stream, end) == REQUEST_READY)
        continue;
}

static void reading_begin(struct reading *reading, const struct request_limits *limits)
{
    *reading = (struct reading){.limits = limits};
    arena_init(&reading->arena);
}

static void reading_end(struct reading *reading)
{
    request_parser_deinit(&reading->parser);
    arena_deinit(&reading->arena);
    buffer_deinit(&reading->text);
}

void fuzz_one(struct bytes input)
{
    enum { STEP_MAX = 40 };
    const struct request_limits *limits = &limit_sets[fuzz_take_u8(&input) & 3];
    struct random random = {fuzz_take_u8(&input)};
    uint64_t step_max = 1 + random_below(&random, STEP_MAX);
    struct reading whole, pieces;
    reading_begin(&whole, limits);
    reading_begin(&pieces, limits);
    read_up_to(&whole, input, input.size);
    for (size_t end = 0; end < input.size; end += 1 + random_below(&random, step_max))
        read_up_to(&pieces, input, end);
    read_up_to(&pieces, input, input.size);
    check(whole.broken == pieces.broken && whole.used == pieces.used);
    check(bytes_equal(buffer_bytes(&whole.text), buffer_bytes(&pieces.text)));
    reading_end(&whole);
    reading_end(&pieces);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const seeds[] = {
        "0a*1\r\n$4\r\nPING\r\n",
        "0b*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "0cPING\r\n\r\n*0\r\n*-1\r\nset \"a \\x41\\n\" 'b\\'c'\n",
        "1d*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\nPING a b c d e f g h i j k\r\n",
        "1e*11\r\n",
        "2f*1\r\n$20\r\n01234567890123456789\r\n*2\r\n$21\r\n",
        "2g01234567890123456789012\r\n*000000000000000000001\r\n",
        "3h*4\r\n",
        "0i*1\rx$1\ryzab*1\r\n$1\r\nc\r\n",
        "0j*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$0\r\n\r\n$0\r\n",
        "0k*1\r\n$536870912\r\nabc",
        "0l*2147483648\r\n",
    };
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(context, bytes_text(seeds[i]));
}
