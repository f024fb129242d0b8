/* SPDX-License-Identifier: MIT */
/*
 * A whole node, its store on simulated disks that make it wait for rows: two clients send what the
 * input says. An input is a byte that seeds the split points and the turns, and the bytes; a form
 * feed in them changes the client that sends. Replies must be whole and well-formed, a client that
 * sent nothing wrong must still be served at the end, and the node must stop cleanly.
 */
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "base/memory.h"
#include "base/random.h"
#include "commands.h"
#include "fuzz/fuzz.h"
#include "node/node.h"
#include "sim/sim_files.h"
#include "sim/sim_tier.h"
#include "sim/sim_workers.h"

enum {
    CLIENTS = 2,
    START_MS = 1700 * 1000 * 1000,
    SEAL_BYTES = 512, /* so that what is written soon stands on the disk */
    MEMORY = 64 * 1024 * 1024,
    DATABASES = 4,         /* a node with fewer is opened sooner */
    BULK_MAX = 256 * 1024, /* no input is to fill the memory of the machine */
    DEPTH_MAX = 64,        /* of a reply */
    SETTLE_TURNS = 10 * 1000,
};

struct world;

struct client {
    struct world *world;
    struct session *session; /* NULL: closed */
    struct buffer heard;
    bool ending;
};

struct world {
    struct sim_files *disk;
    struct sim_workers *workers;
    struct sim_tier *tier_disk;
    struct tier *tier;
    struct config config;
    struct node *node;
    struct random random;
    uint64_t now_ms;
    struct client clients[CLIENTS];
};

/* ---- replies --------------------------------------------------------------------------------- */

/* The line at *text, without its end, which is taken away. False: it is not whole. */
static bool take_line(struct bytes *text, struct bytes *out_line)
{
    const char *end = text->size ? memmem(text->data, text->size, "\r\n", 2) : NULL;
    if (!end)
        return false;
    *out_line = bytes_of(text->data, (size_t)(end - text->data));
    *text = bytes_of(end + 2, text->size - out_line->size - 2);
    return true;
}

static long long number_of(struct bytes line)
{
    char digits[24] = "";
    long long number;
    int used = 0;
    check(line.size > 1 && line.size < sizeof(digits));
    memcpy(digits, line.data + 1, line.size - 1);
    check(sscanf(digits, "%lld%n", &number, &used) == 1 && (size_t)used == line.size - 1);
    return number;
}

/* Takes one whole reply away; false if there is none. What is no reply breaks a check. */
static bool take_reply(struct bytes *text, unsigned depth)
{
    struct bytes line;
    check(depth < DEPTH_MAX);
    if (!take_line(text, &line))
        return false;
    check(line.size > 0);
    char type = line.data[0];
    if (strchr("+-:_,#(", type))
        return memchr(line.data, '\n', line.size) == NULL &&
               memchr(line.data, '\r', line.size) == NULL;
    long long size = number_of(line);
    if (strchr("$=!", type)) {
        if (size == -1)
            return true;
        check(size >= 0);
        if (text->size < (size_t)size + 2)
            return false;
        check(memcmp(text->data + size, "\r\n", 2) == 0);
        *text = bytes_of(text->data + size + 2, text->size - (size_t)size - 2);
        return true;
    }
    check(strchr("*~>%|", type) && size >= -1);
    if (type == '%' || type == '|')
        size *= 2;
    for (; size > 0; size--)
        if (!take_reply(text, depth + 1))
            return false;
    return type == '|' ? take_reply(text, depth) : true;
}

/* All that was heard are whole replies. */
static void check_heard(struct client *client)
{
    struct bytes text = buffer_bytes(&client->heard);
    while (text.size > 0)
        check(take_reply(&text, 0));
    buffer_clear(&client->heard, 0);
}

/* ---- the world ------------------------------------------------------------------------------- */

static void on_close(void *context, struct session *session, bool now)
{
    struct world *world = context;
    (void)now;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (world->clients[i].session == session)
            world->clients[i].ending = true;
}

static void on_cpu_time(void *context, uint64_t *out_system_us, uint64_t *out_user_us)
{
    (void)context;
    *out_system_us = *out_user_us = 0;
}

static void world_open(struct world *world, uint8_t seed)
{
    struct buffer error = {0};
    *world = (struct world){.random = {seed}, .now_ms = START_MS};
    world->disk = sim_files_new(seed, SIM_FILES_UNLIMITED);
    world->workers = sim_workers_new(seed);
    world->tier_disk = sim_tier_new(seed);
    world->tier = sim_tier_open(world->tier_disk);
    config_init(&world->config);
    world->config.seal_bytes = SEAL_BYTES;
    world->config.maxmemory = MEMORY;
    world->config.databases = DATABASES;
    world->config.proto_max_bulk_len = BULK_MAX;
    struct host host = {
        .files = sim_files_interface(world->disk),
        .tier = world->tier,
        .workers = sim_workers_interface(world->workers),
        .random = {seed, seed},
        .process_id = 1,
        .executable = "shoal-server",
        .memory_total = MEMORY,
        .cpu_time = on_cpu_time,
        .close = on_close,
        .context = world,
    };
    check(node_open(&host, &world->config, command_tables, world->now_ms, &world->node, &error) ==
          STATUS_OK);
    buffer_deinit(&error);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world->clients[i].world = world;
        world->clients[i].session =
            node_accepted(world->node, "127.0.0.1:1", "127.0.0.1:6379", world->now_ms);
    }
}

static void client_close(struct client *client)
{
    if (!client->session)
        return;
    node_closed(client->world->node, client->session);
    client->session = NULL;
}

static struct client *client_of(struct world *world, const struct session *session)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (world->clients[i].session == session)
            return &world->clients[i];
    return NULL;
}

/* The end of a turn: storage threads may have worked, time has passed. */
static void turn(struct world *world)
{
    struct session *session;
    struct workers *workers = sim_workers_interface(world->workers);
    if (random_once_in(&world->random, 2))
        sim_workers_step(world->workers);
    workers->ops->poll(workers);
    world->now_ms += random_below(&world->random, 60);
    if (node_deadline_ms(world->node) <= world->now_ms)
        node_tick(world->node, world->now_ms);
    check(node_turn_end(world->node, world->now_ms) == STATUS_OK);
    while ((session = node_next_output(world->node))) {
        struct client *client = client_of(world, session);
        check(client && session->output_free <= buffer_size(&session->output));
        size_t size = session->output_free;
        buffer_append(&client->heard, buffer_bytes(&session->output).data, size);
        node_sent(world->node, session, size);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        if (world->clients[i].ending)
            client_close(&world->clients[i]);
}

static bool is_busy(const struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct session *session = world->clients[i].session;
        if (session && (session->state != SESSION_READY || buffer_size(&session->output) > 0))
            return true;
    }
    return false;
}

/* Until all that was asked is answered. */
static void settle(struct world *world)
{
    turn(world);
    for (unsigned turns = 0; is_busy(world); turns++) {
        check(turns < SETTLE_TURNS);
        turn(world);
    }
}

static void send_pieces(struct world *world, struct client *client, struct bytes bytes)
{
    while (bytes.size > 0 && client->session) {
        size_t size = 1 + random_below(&world->random, 400);
        size = size < bytes.size ? size : bytes.size;
        char *exact = memory_alloc(size); /* whoever reads further is found out */
        memcpy(exact, bytes.data, size);
        node_receive(world->node, client->session, bytes_of(exact, size), world->now_ms);
        memory_free(exact);
        bytes = bytes_of(bytes.data + size, bytes.size - size);
        if (random_once_in(&world->random, 2))
            turn(world);
    }
}

static void world_close(struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_close(&world->clients[i]);
        check_heard(&world->clients[i]);
        buffer_deinit(&world->clients[i].heard);
    }
    check(node_close(world->node) == STATUS_OK);
    world->tier->ops->free(world->tier);
    sim_tier_delete(world->tier_disk);
    sim_workers_free(world->workers);
    sim_files_free(world->disk);
    config_deinit(&world->config);
}

void fuzz_one(struct bytes input)
{
    struct world world;
    struct client *client;
    world_open(&world, fuzz_take_u8(&input));
    client = &world.clients[0];
    while (input.size > 0 && !node_stopping(world.node)) {
        const char *end = memchr(input.data, '\f', input.size);
        size_t size = end ? (size_t)(end - input.data) : input.size;
        send_pieces(&world, client, bytes_of(input.data, size));
        size += end != NULL;
        input = bytes_of(input.data + size, input.size - size);
        client = client == world.clients ? world.clients + 1 : world.clients;
    }
    if (!node_stopping(world.node))
        settle(&world);
    world_close(&world);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    static const char *const talks[] = {
        "a*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "bHELLO 3\r\nCLIENT SETNAME me\r\nCLIENT LIST\r\n\fSET k v EX 10\r\nTTL k\r\n",
        "cCONFIG GET *\r\nCONFIG SET requirepass x\r\n\fGET k\r\nAUTH x\r\nPING\r\n",
        "dMSET a 1 b 2 c 3\r\nKEYS *\r\nSCAN 0 COUNT 1 MATCH ?\r\nFLUSHALL\r\nDBSIZE\r\n",
        "eAPPEND k 12345\r\nSETRANGE k 20000 x\r\nGETRANGE k 19999 -1\r\nINCR n\r\nINCRBY n -2\r\n",
        "fCOMMAND DOCS get\r\nCOMMAND INFO set\r\nCOMMAND GETKEYS mset a 1 b 2\r\nINFO all\r\n",
        "gSELECT 3\r\nSET k v\r\nSELECT 0\r\nEXISTS k k\r\nRESET\r\nECHO \"\\x00\"\r\nQUIT\r\n",
        "hCLIENT KILL ID 2\r\nCLIENT NO-EVICT on\r\nCLIENT REPLY SKIP\r\nGET k\r\nTIME\r\n",
    };
    for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
        seed(context, bytes_text(talks[i]));
    for (unsigned t = 0; command_tables[t]; t++)
        for (const struct command *command = command_tables[t]; command->name; command++) {
            char text[256];
            const char *rest = command->syntax ? command->syntax : "";
            snprintf(text, sizeof(text), "%cSET k 12\r\n%s %.200s\r\n", 'A' + t, command->name,
                     rest);
            seed(context, bytes_text(text));
        }
}
