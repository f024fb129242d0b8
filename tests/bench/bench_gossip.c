/* SPDX-License-Identifier: MIT */
/*
 * bench_gossip [NODES]: gossip among many nodes in virtual time, as a table. Loss is of single
 * messages and so worse than what the bus does, which loses them only with a link.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "cluster/gossip_codec.h"
#include "support/gossip_world.h"

enum { NODES = 1000, WATCHED = 20, JOIN_MS_MAX = 300000, QUIET_MS = 60000, STEP_MS = 10 };

struct verdicts {
    uint64_t suspicions, downs;
};

/* What each node believed of each other one when it was last looked at. */
struct beliefs {
    enum gossip_life *lives;
    uint64_t *versions; /* of each node's gossip then */
};

static void look(struct gossip_world *world, struct beliefs *beliefs, uint32_t node,
                 struct verdicts *out)
{
    const struct gossip_peer *peer;
    struct gossip *gossip = gossip_world_at(world, node);
    if (!gossip || gossip_version(gossip) == beliefs->versions[node])
        return;
    beliefs->versions[node] = gossip_version(gossip);
    for (size_t i = 0; (peer = gossip_peer_at(gossip, i)) != NULL; i++) {
        enum gossip_life *life = &beliefs->lives[(size_t)node * world->count + i];
        out->suspicions += *life == GOSSIP_UP && peer->life != GOSSIP_UP;
        out->downs += *life != GOSSIP_DOWN && peer->life == GOSSIP_DOWN;
        *life = peer->life;
    }
}

/* Runs, and counts how often somebody changes its mind for the worse; all are alive. */
static void watch(struct gossip_world *world, struct beliefs *beliefs, uint64_t ms,
                  struct verdicts *out)
{
    for (uint64_t end_ms = world->now_ms + ms; world->now_ms < end_ms;) {
        gossip_world_run_ms(world, STEP_MS);
        for (uint32_t i = 0; i < world->count; i++)
            look(world, beliefs, i, out);
    }
}

static uint64_t bytes_sent(const struct gossip_world *world)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->count; i++)
        sum += world->nodes[i].bytes_sent;
    return sum;
}

static uint64_t messages_sent(const struct gossip_world *world)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->count; i++)
        sum += world->nodes[i].messages_sent;
    return sum;
}

static uint64_t run_until_agreed(struct gossip_world *world)
{
    uint64_t start_ms = world->now_ms;
    while (gossip_world_disagreement(world) && world->now_ms - start_ms < JOIN_MS_MAX)
        gossip_world_run_ms(world, 100);
    check(!gossip_world_disagreement(world));
    return world->now_ms - start_ms;
}

/* How many don't know yet: what that one says, or (`life`) that it is dead. */
static uint32_t ignorant(struct gossip_world *world, uint32_t of, uint64_t said,
                         enum gossip_life life)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        const struct gossip_peer *peer =
            i != of && gossip_world_at(world, i) ? gossip_world_view(world, i, of) : NULL;
        if (peer)
            count += life == GOSSIP_UP ? peer->said.layout_version != said : peer->life < life;
    }
    return count;
}

static uint64_t run_until_known(struct gossip_world *world, uint32_t of, uint64_t said,
                                enum gossip_life life)
{
    uint64_t start_ms = world->now_ms;
    while (ignorant(world, of, said, life) > 0 && world->now_ms - start_ms < JOIN_MS_MAX)
        gossip_world_run_ms(world, STEP_MS);
    return world->now_ms - start_ms;
}

static void changes(struct gossip_world *world)
{
    uint64_t sum_ms = 0, most_ms = 0;
    for (uint32_t i = 0; i < WATCHED; i++) {
        uint32_t node = i * (world->count / WATCHED);
        struct gossip *gossip = gossip_world_at(world, node);
        gossip_self(gossip)->layout_version = 100 + i;
        gossip_changed(gossip);
        uint64_t ms = run_until_known(world, node, 100 + i, GOSSIP_UP);
        sum_ms += ms;
        most_ms = ms > most_ms ? ms : most_ms;
    }
    printf("  a change is known to all          %.2f s on average, %.2f s at most\n",
           (double)sum_ms / WATCHED / 1000, (double)most_ms / 1000);
}

static void quiet(struct gossip_world *world, struct beliefs *beliefs, bool changes)
{
    struct verdicts all = {0, 0};
    watch(world, beliefs, STEP_MS, &all); /* as it is now */
    all = (struct verdicts){0, 0};
    uint64_t bytes = bytes_sent(world), messages = messages_sent(world);
    for (uint64_t ms = 0; ms < QUIET_MS; ms += 1000) {
        for (uint32_t i = 0; changes && i < world->count; i++) {
            gossip_self(gossip_world_at(world, i))->synced_version++;
            gossip_changed(gossip_world_at(world, i));
        }
        watch(world, beliefs, 1000, &all);
    }
    double seconds = (double)world->count * QUIET_MS / 1000;
    printf("  %s  %.0f bytes, %.0f messages per node and second\n",
           changes ? "all change all the time         " : "nothing happens                 ",
           (double)(bytes_sent(world) - bytes) / seconds,
           (double)(messages_sent(world) - messages) / seconds);
    printf("  false suspicions, false deaths    %.2f, %.2f per node and hour\n",
           (double)all.suspicions / seconds * 3600, (double)all.downs / seconds * 3600);
}

static void death(struct gossip_world *world, uint32_t node, bool loud)
{
    uint64_t bytes = bytes_sent(world), start_ms = world->now_ms;
    gossip_world_kill(world, node, loud);
    uint64_t suspect_ms = run_until_known(world, node, 0, GOSSIP_SUSPECT);
    uint64_t down_ms = suspect_ms + run_until_known(world, node, 0, GOSSIP_DOWN);
    double seconds = (double)world->count * (double)(world->now_ms - start_ms) / 1000;
    printf("  a death, %s  suspected by all after %.2f s, down for all after %.2f s;"
           " %.0f bytes per node and second\n",
           loud ? "links break             " : "silent                  ",
           (double)suspect_ms / 1000, (double)down_ms / 1000,
           (double)(bytes_sent(world) - bytes) / seconds);
    gossip_world_start(world, node, 0);
    printf("  ... and its return                known to all after %.2f s\n",
           (double)run_until_agreed(world) / 1000);
}

static void run(uint32_t count, unsigned loss_permille)
{
    struct beliefs beliefs = {
        memory_zeroed((size_t)count * count * sizeof(*beliefs.lives)),
        memory_zeroed(count * sizeof(*beliefs.versions)),
    };
    struct gossip_world *world = gossip_world_new(count, 1);
    printf("%u nodes, %.0f %% of messages lost, 1 to 3 ms each way\n", count,
           (double)loss_permille / 10);
    uint64_t join_ms = run_until_agreed(world);
    printf("  all start at once with one seed   known to each other after %.1f s;"
           " %.0f kB per node in all\n",
           (double)join_ms / 1000, (double)bytes_sent(world) / count / 1000);
    world->loss_permille = loss_permille;
    gossip_world_run_ms(world, QUIET_MS / 3);
    quiet(world, &beliefs, false);
    changes(world);
    death(world, count / 3, true);
    gossip_world_run_ms(world, QUIET_MS / 6);
    death(world, count / 2, false);
    gossip_world_run_ms(world, QUIET_MS / 6);
    quiet(world, &beliefs, true);
    gossip_world_free(world);
    memory_free(beliefs.lives);
    memory_free(beliefs.versions);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : NODES;
    if (count < WATCHED || count > GOSSIP_PEERS_MAX) {
        fprintf(stderr, "usage: bench_gossip [NODES], from %d to %d\n", WATCHED, GOSSIP_PEERS_MAX);
        return 1;
    }
    run((uint32_t)count, 0);
    run((uint32_t)count, 100);
    return 0;
}
