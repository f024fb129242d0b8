/* SPDX-License-Identifier: MIT */
#include "support/gossip_world.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

enum { BUCKETS = 8192 };

#define EPOCH_MS UINT64_C(1700000000000)

struct gossip_letter {
    struct gossip_letter *next;
    uint32_t from, to;
    uint32_t session;
    unsigned type;
    size_t size;
    char payload[];
};

uint64_t gossip_world_id(uint32_t index)
{
    return UINT64_C(0x100000000) * (index + 1) + 7;
}

static uint32_t index_of(uint64_t node)
{
    return (uint32_t)(node / UINT64_C(0x100000000)) - 1;
}

uint64_t gossip_world_now(const struct gossip_world *world, uint32_t index)
{
    return (uint64_t)((int64_t)(EPOCH_MS + world->now_ms) + world->nodes[index].clock_ms);
}

struct gossip *gossip_world_at(struct gossip_world *world, uint32_t index)
{
    return world->nodes[index].gossip;
}

const struct gossip_peer *gossip_world_view(struct gossip_world *world, uint32_t of, uint32_t on)
{
    return gossip_peer(world->nodes[of].gossip, gossip_world_id(on));
}

/* ---- the net --------------------------------------------------------------------------------- */

static size_t link_of(const struct gossip_world *world, uint32_t from, uint32_t to)
{
    return (size_t)from * world->count + to;
}

static void post(struct gossip_world *world, struct gossip_letter *letter, uint64_t at_ms)
{
    struct gossip_letter **end = &world->buckets[at_ms % BUCKETS];
    check(at_ms > world->now_ms && at_ms < world->now_ms + BUCKETS);
    /* The head points to the last, which points to the first: appended in constant time. */
    if (*end) {
        letter->next = (*end)->next;
        (*end)->next = letter;
    } else {
        letter->next = letter;
    }
    *end = letter;
}

static bool send(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    struct gossip_node *from = context;
    struct gossip_world *world = from->world;
    uint32_t to = index_of(node);
    check(payload.size <= MESSAGE_SIZE_MAX && message_family(type) == MESSAGES_GOSSIP);
    if (to >= world->count || !world->linked[link_of(world, from->index, to)])
        return false;
    from->bytes_sent += payload.size;
    from->messages_sent++;
    world->bytes_by_type[type % GOSSIP_WORLD_TYPES] += payload.size;
    world->messages_by_type[type % GOSSIP_WORLD_TYPES]++;
    if (world->cut[link_of(world, from->index, to)] ||
        (world->lost_types >> type % GOSSIP_WORLD_TYPES & 1) != 0 ||
        random_below(&world->random, 1000) < world->loss_permille)
        return true;
    struct gossip_letter *letter = memory_alloc(sizeof(*letter) + payload.size);
    *letter = (struct gossip_letter){NULL, from->index,
                                     to,   world->sessions[link_of(world, from->index, to)],
                                     type, payload.size};
    if (payload.size)
        memcpy(letter->payload, payload.data, payload.size);
    uint64_t at_ms = world->now_ms + world->delay_min_ms +
                     random_below(&world->random, world->delay_max_ms - world->delay_min_ms + 1);
    uint64_t *last_ms = &world->last_ms[link_of(world, from->index, to)];
    if (at_ms < *last_ms)
        at_ms = *last_ms;
    *last_ms = at_ms;
    post(world, letter, at_ms);
    return true;
}

static void deliver(struct gossip_world *world, struct gossip_letter *letter)
{
    struct gossip_node *to = &world->nodes[letter->to];
    if (to->gossip && to->paused) {
        uint64_t *last_ms = &world->last_ms[link_of(world, letter->from, letter->to)];
        uint64_t at_ms = world->now_ms + 50;
        *last_ms = at_ms > *last_ms ? at_ms : *last_ms;
        post(world, letter, at_ms);
        return;
    }
    if (to->gossip && letter->session == world->sessions[link_of(world, letter->from, letter->to)])
        check(gossip_receive(to->gossip, gossip_world_id(letter->from), letter->type,
                             bytes_of(letter->payload, letter->size),
                             gossip_world_now(world, letter->to)) == STATUS_OK);
    memory_free(letter);
}

static void deliver_due(struct gossip_world *world)
{
    struct gossip_letter *last = world->buckets[world->now_ms % BUCKETS];
    world->buckets[world->now_ms % BUCKETS] = NULL;
    if (!last)
        return;
    struct gossip_letter *letter = last->next;
    last->next = NULL;
    while (letter) {
        struct gossip_letter *next = letter->next;
        deliver(world, letter);
        letter = next;
    }
}

/* ---- links ----------------------------------------------------------------------------------- */

void gossip_world_mend(struct gossip_world *world, uint32_t from, uint32_t to)
{
    if (to >= world->count || from == to || !world->nodes[from].gossip ||
        !world->nodes[to].gossip || world->linked[link_of(world, from, to)])
        return;
    world->linked[link_of(world, from, to)] = true;
    gossip_link_up(world->nodes[from].gossip, gossip_world_id(to), gossip_world_now(world, from));
}

void gossip_world_break(struct gossip_world *world, uint32_t from, uint32_t to)
{
    world->linked[link_of(world, from, to)] = false;
    world->sessions[link_of(world, from, to)]++;
    if (world->nodes[from].gossip)
        gossip_link_down(world->nodes[from].gossip, gossip_world_id(to),
                         gossip_world_now(world, from));
}

/* Whom it has heard of it dials, as node/ does. */
static void dial_new(struct gossip_world *world, struct gossip_node *node)
{
    const struct gossip_peer *peer;
    uint64_t version = gossip_version(node->gossip);
    if (version == node->seen_version)
        return;
    node->seen_version = version;
    for (size_t i = 0; (peer = gossip_peer_at(node->gossip, i)) != NULL; i++)
        if (peer->heard_ms == 0)
            gossip_world_mend(world, node->index, index_of(peer->said.node));
}

void gossip_world_cut(struct gossip_world *world, uint32_t from, uint32_t to, bool cut)
{
    world->cut[link_of(world, from, to)] = cut;
}

void gossip_world_partition(struct gossip_world *world, uint32_t first_of_second, bool cut)
{
    for (uint32_t i = 0; i < first_of_second; i++)
        for (uint32_t j = first_of_second; j < world->count; j++) {
            gossip_world_cut(world, i, j, cut);
            gossip_world_cut(world, j, i, cut);
        }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

void gossip_world_start(struct gossip_world *world, uint32_t index, uint32_t seed)
{
    struct gossip_node *node = &world->nodes[index];
    check(!node->gossip);
    node->generation = gossip_world_now(world, index);
    struct gossip_options options = {
        .self = {.node = gossip_world_id(index),
                 .generation = node->generation,
                 .port = 6379,
                 .bus_port = 16379,
                 .zone = "a",
                 .weight = 100},
        .random = random_next(&world->random),
        .outbox = {send, node},
    };
    snprintf(options.self.host, sizeof(options.self.host), "node-%u.example", index);
    node->gossip = gossip_new(&options, gossip_world_now(world, index));
    node->seen_version = 0;
    for (uint32_t other = 0; other < world->count; other++) {
        world->sessions[link_of(world, index, other)]++;
        if (world->linked[link_of(world, other, index)])
            gossip_world_break(world, other, index);
        bool knows =
            other != index && world->nodes[other].gossip && gossip_world_view(world, other, index);
        if (other == seed || knows)
            gossip_world_mend(world, other, index);
    }
    gossip_world_mend(world, index, seed);
}

void gossip_world_kill(struct gossip_world *world, uint32_t index, bool loud)
{
    struct gossip_node *node = &world->nodes[index];
    gossip_free(node->gossip);
    node->gossip = NULL;
    node->paused = false;
    for (uint32_t other = 0; other < world->count; other++) {
        world->linked[link_of(world, index, other)] = false;
        if (loud && world->linked[link_of(world, other, index)])
            gossip_world_break(world, other, index);
    }
}

struct gossip_world *gossip_world_new(uint32_t count, uint64_t seed)
{
    struct gossip_world *world = memory_zeroed(sizeof(*world));
    size_t links = (size_t)count * count;
    world->count = count;
    world->random.state = seed;
    world->delay_min_ms = 1;
    world->delay_max_ms = 3;
    world->nodes = memory_zeroed(count * sizeof(*world->nodes));
    world->linked = memory_zeroed(links * sizeof(*world->linked));
    world->cut = memory_zeroed(links * sizeof(*world->cut));
    world->sessions = memory_zeroed(links * sizeof(*world->sessions));
    world->last_ms = memory_zeroed(links * sizeof(*world->last_ms));
    world->buckets = memory_zeroed(BUCKETS * sizeof(struct gossip_letter *));
    for (uint32_t i = 0; i < count; i++) {
        world->nodes[i].world = world;
        world->nodes[i].index = i;
        gossip_world_start(world, i, 0);
    }
    return world;
}

void gossip_world_free(struct gossip_world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        gossip_free(world->nodes[i].gossip);
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct gossip_letter *last = world->buckets[i];
        struct gossip_letter *letter = last ? last->next : NULL;
        if (last)
            last->next = NULL;
        while (letter) {
            struct gossip_letter *next = letter->next;
            memory_free(letter);
            letter = next;
        }
    }
    memory_free(world->buckets);
    memory_free(world->nodes);
    memory_free(world->linked);
    memory_free(world->cut);
    memory_free(world->sessions);
    memory_free(world->last_ms);
    memory_free(world);
}

void gossip_world_run_ms(struct gossip_world *world, uint64_t ms)
{
    for (uint64_t end_ms = world->now_ms + ms; world->now_ms < end_ms;) {
        world->now_ms++;
        deliver_due(world);
        for (uint32_t i = 0; i < world->count; i++) {
            struct gossip_node *node = &world->nodes[i];
            uint64_t now_ms = gossip_world_now(world, i);
            if (!node->gossip || node->paused || gossip_deadline_ms(node->gossip) > now_ms)
                continue;
            gossip_tick(node->gossip, now_ms);
            dial_new(world, node);
        }
    }
}

/* ---- agreement ------------------------------------------------------------------------------- */

static bool says(const struct gossip_self *a, const struct gossip_self *b)
{
    return a->generation == b->generation && strcmp(a->host, b->host) == 0 &&
           a->weight == b->weight && a->leaving == b->leaving && a->cluster == b->cluster &&
           a->layout_version == b->layout_version && a->synced_version == b->synced_version;
}

const char *gossip_world_disagreement(struct gossip_world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        for (uint32_t j = 0; j < world->count; j++) {
            if (i == j || !world->nodes[i].gossip || !world->nodes[j].gossip)
                continue;
            const struct gossip_peer *peer = gossip_world_view(world, i, j);
            if (!peer)
                return "somebody is not known";
            if (peer->life != GOSSIP_UP)
                return "somebody is not up";
            if (!says(&peer->said, gossip_self(world->nodes[j].gossip)))
                return "what somebody says is not known";
        }
    return NULL;
}
