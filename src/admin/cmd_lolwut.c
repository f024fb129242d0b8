/* SPDX-License-Identifier: MIT */
/* LOLWUT: a shoal, drawn anew each time, and the version. */
#include "admin/admin.h"
#include "base/number.h"
#include "session/session.h"

enum {
    WIDTH = 60,
    HEIGHT = 9,
    FISH_LEAST = 6,
    FISH_MORE = 8,
    BUBBLES_MORE = 12,
};

struct sea {
    char cells[HEIGHT][WIDTH];
};

/* Whether nothing is there, nor right beside it. */
static bool is_free(const struct sea *sea, size_t row, size_t column, size_t size)
{
    size_t from = column > 0 ? column - 1 : 0;
    size_t to = column + size < WIDTH ? column + size : WIDTH - 1;
    for (size_t i = from; i <= to; i++) {
        if (sea->cells[row][i] != ' ')
            return false;
    }
    return true;
}

static void place(struct sea *sea, struct random *random, const char *figure)
{
    size_t size = strlen(figure);
    size_t row = (size_t)random_below(random, HEIGHT);
    size_t column = (size_t)random_below(random, WIDTH - size);
    if (is_free(sea, row, column, size))
        memcpy(&sea->cells[row][column], figure, size);
}

/* All swim the same way, as fish of a shoal do. */
static void draw(struct sea *sea, struct random *random)
{
    static const char *const fish[2][4] = {
        {"><>", "><(('>", "><((((\">", ">=>"},
        {"<><", "<'))><", "<\"))))><", "<=<"},
    };
    uint64_t way = random_below(random, 2);
    uint64_t count = FISH_LEAST + random_below(random, FISH_MORE);
    uint64_t bubbles = random_below(random, BUBBLES_MORE);
    memset(sea, ' ', sizeof *sea);
    for (uint64_t i = 0; i < count; i++)
        place(sea, random, fish[way][random_below(random, 4)]);
    for (uint64_t i = 0; i < bubbles; i++)
        place(sea, random, random_below(random, 2) == 0 ? "o" : ".");
}

static enum status cmd_lolwut(struct request *request)
{
    struct sea sea;
    struct buffer text = {0};
    int64_t version; /* of the picture: here there is one */
    if (request->argc >= 3 && bytes_equal_nocase(request->argv[1], BYTES("version")) &&
        !number_parse_i64(request->argv[2], &version))
        return STATUS_NOT_INTEGER;
    draw(&sea, request->random);
    for (size_t row = 0; row < HEIGHT; row++) {
        size_t size = WIDTH;
        while (size > 0 && sea.cells[row][size - 1] == ' ')
            size--;
        buffer_printf(&text, "%.*s\n", (int)size, sea.cells[row]);
    }
    buffer_printf(&text, "\nRedis ver. " SHOAL_REDIS_VERSION "\n");
    reply_verbatim(request->reply, "txt", buffer_bytes(&text));
    buffer_deinit(&text);
    return STATUS_OK;
}

const struct command lolwut_commands[] = {
    {.name = "lolwut",
     .handler = cmd_lolwut,
     .arity = -1,
     .flags = CMD_READONLY | CMD_FAST,
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)",
     .syntax = "[VERSION version:integer]",
     .summary = "Displays computer art and the Redis version.",
     .differs = "One picture for all versions: fish."},
    {0},
};
