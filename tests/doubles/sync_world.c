/* SPDX-License-Identifier: MIT */
#include "doubles/sync_world.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "bus/message.h"
#include "row/row_list.h"
#include "sync/sync_codec.h"

enum {
    STEP_MS = 20,
    REDIAL_MS = 100,
    DOWN_MS = 5000,
    WRITE_MS = 400, /* then a stand-in is asked, or the write is over */
    REPLICATE = MESSAGES_QUORUM,
    CLUSTER = 77,
};

struct world_letter {
    struct world_letter *next;
    uint64_t at_ms;
    unsigned type;
    struct bytes payload;    /* owned */
    struct arrival *arrival; /* REPLICATE */
};

/* An import for a write at one of its targets. */
struct arrival {
    struct world_write *write;
    bool imported, durable;
    uint64_t gate;
};

/* A write on its way to the other owners. */
struct world_write {
    struct list link;
    unsigned key, coordinator;
    uint64_t generation; /* of the coordinator */
    uint64_t number, started, at_ms, version;
    bool stands_in;
    struct buffer rows;
    uint64_t targets[WORLD_NODES_MAX];
    struct arrival arrivals[WORLD_NODES_MAX];
    unsigned count;
};

/* ---- lives ----------------------------------------------------------------------------------- */

static unsigned index_of(uint64_t node)
{
    check(node >= 1 && node <= WORLD_NODES_MAX);
    return (unsigned)node - 1;
}

const struct gossip_peer *gossip_peer(const struct gossip *gossip, uint64_t node)
{
    unsigned i = index_of(node);
    return i < gossip->world->count && i != gossip->self && gossip->peers[i].said.node != 0
               ? &gossip->peers[i]
               : NULL;
}

const struct gossip_peer *gossip_peer_at(const struct gossip *gossip, size_t index)
{
    for (unsigned i = 0; i < gossip->world->count; i++)
        if (gossip_peer(gossip, i + 1) != NULL && index-- == 0)
            return &gossip->peers[i];
    return NULL;
}

bool gossip_is_up(const struct gossip *gossip, uint64_t node)
{
    const struct gossip_peer *peer = gossip_peer(gossip, node);
    return index_of(node) == gossip->self || (peer != NULL && peer->life == GOSSIP_UP);
}

static void judge_lives(struct world *world, unsigned self)
{
    struct gossip *gossip = &world->nodes[self].gossip;
    for (unsigned i = 0; i < world->count; i++) {
        const struct world_node *node = &world->nodes[i];
        struct gossip_peer *peer = &gossip->peers[i];
        bool linked = world->links[self][i].up && node->sync != NULL;
        if (i == self || (!linked && peer->said.node == 0))
            continue;
        if (linked) {
            gossip->lost_ms[i] = world->now_ms;
            peer->said = (struct gossip_self){.node = node->number,
                                              .generation = node->generation,
                                              .cluster = node->layout ? CLUSTER : 0,
                                              .layout_version = node->layout,
                                              .synced_version = node->synced};
            peer->life = GOSSIP_UP;
        } else {
            bool long_gone = world->now_ms >= gossip->lost_ms[i] + DOWN_MS;
            peer->life = long_gone ? GOSSIP_DOWN : GOSSIP_SUSPECT;
        }
    }
}

/* ---- links ----------------------------------------------------------------------------------- */

static void letter_free(struct world_letter *letter)
{
    memory_free((char *)letter->payload.data);
    memory_free(letter);
}

static struct world_letter *take_letter(struct world_link *link)
{
    struct world_letter *letter = link->first;
    link->first = letter->next;
    if (link->first == NULL)
        link->last = &link->first;
    return letter;
}

static void break_link(struct world *world, unsigned from, unsigned to)
{
    struct world_link *link = &world->links[from][to];
    while (link->first != NULL)
        letter_free(take_letter(link));
    link->up_ms = world->now_ms + REDIAL_MS + random_below(&world->random, 400);
    if (!link->up)
        return;
    link->up = false;
    judge_lives(world, from);
    if (world->nodes[from].sync != NULL)
        sync_node_down(world->nodes[from].sync, to + 1, world->now_ms);
}

static void mend_links(struct world *world)
{
    for (unsigned from = 0; from < world->count; from++)
        for (unsigned to = 0; to < world->count; to++) {
            struct world_link *link = &world->links[from][to];
            if (from == to || link->up || link->cut || world->now_ms < link->up_ms ||
                world->nodes[from].sync == NULL || world->nodes[to].sync == NULL)
                continue;
            link->up = true;
            link->settled = link->sent;
            judge_lives(world, from);
            sync_node_up(world->nodes[from].sync, to + 1, world->now_ms);
        }
}

static bool post(struct world *world, unsigned from, unsigned to, unsigned type,
                 struct bytes payload, struct arrival *arrival)
{
    struct world_link *link = &world->links[from][to];
    if (!link->up)
        return false;
    struct world_letter *letter = memory_zeroed(sizeof(*letter));
    char *copy = memory_alloc(payload.size);
    if (payload.size > 0)
        memcpy(copy, payload.data, payload.size);
    letter->payload = bytes_of(copy, payload.size);
    letter->type = type;
    letter->arrival = arrival;
    letter->at_ms = world->now_ms + random_below(&world->random, world->delay_ms + 1);
    *link->last = letter;
    link->last = &letter->next;
    link->sent++;
    return true;
}

static bool outbox_of_node(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    struct world_node *from = context;
    check(payload.size <= MESSAGE_SIZE_MAX);
    return post(from->world, index_of(from->number), index_of(node), type, payload, NULL);
}

static uint64_t sent_count(void *context, uint64_t node)
{
    struct world_node *from = context;
    return from->world->links[index_of(from->number)][index_of(node)].sent;
}

static uint64_t settled_count(void *context, uint64_t node)
{
    struct world_node *from = context;
    return from->world->links[index_of(from->number)][index_of(node)].settled;
}

/* ---- writes ---------------------------------------------------------------------------------- */

static uint64_t work_begun(void *context)
{
    struct world_node *node = context;
    return node->world->writes_begun;
}

static bool work_ended(void *context, uint64_t mark)
{
    struct world_node *node = context;
    for (struct list *at = node->world->writes.next; at != &node->world->writes; at = at->next) {
        const struct world_write *write = list_entry(at, struct world_write, link);
        if (write->started <= mark && write->coordinator == index_of(node->number))
            return false;
    }
    return true;
}

static void arrived(void *context, enum status status, uint64_t gate)
{
    struct arrival *arrival = context;
    arrival->imported = status == STATUS_OK;
    arrival->gate = gate;
}

static void take_replicate(struct world *world, unsigned to, const struct world_letter *letter)
{
    struct world_node *node = &world->nodes[to];
    const struct world_write *write = letter->arrival->write;
    uint16_t slot = world_slot(write->key);
    if (node->layout == 0 || !layout_accepts(&world->layouts[node->layout], slot, write->version))
        return;
    sync_disagree(node->sync, slot);
    import_rows(&node->store, letter->payload, world->now_ms, arrived, letter->arrival);
}

static void replicate(struct world *world, struct world_write *write, unsigned target)
{
    post(world, write->coordinator, index_of(write->targets[target]), REPLICATE,
         buffer_bytes(&write->rows), &write->arrivals[target]);
}

struct bytes world_key(unsigned key)
{
    static const char names[] = "abcdefghijklmnopqrstuvwxyz";
    return bytes_of(names + key, 1);
}

uint16_t world_slot(unsigned key)
{
    return slot_of_key(world_key(key));
}

struct placement world_placement(const struct world *world, unsigned key)
{
    struct placement placement;
    layout_placement(&world->layouts[world->layout], world_slot(key), &placement);
    return placement;
}

static int coordinator_of(struct world *world, unsigned key)
{
    struct placement placement = world_placement(world, key);
    unsigned count;
    const uint64_t *readers = placement_readers(&placement, &count);
    for (unsigned i = 0; i < count; i++)
        if (world->nodes[index_of(readers[i])].sync != NULL &&
            world->nodes[index_of(readers[i])].layout == world->layout)
            return (int)index_of(readers[i]);
    return -1;
}

static void add_target(struct world_write *write, uint64_t node)
{
    write->arrivals[write->count].write = write;
    write->targets[write->count++] = node;
}

void world_write(struct world *world, unsigned key, bool dead, uint64_t expires_ms)
{
    int coordinator = coordinator_of(world, key);
    uint64_t writers[LAYOUT_OWNERS_MAX];
    struct placement placement = world_placement(world, key);
    if (coordinator < 0)
        return;
    struct world_node *node = &world->nodes[coordinator];
    struct world_write *write = memory_zeroed(sizeof(*write));
    write->key = key;
    write->coordinator = (unsigned)coordinator;
    write->generation = node->generation;
    write->number = ++world->number;
    write->started = ++world->writes_begun;
    write->at_ms = world->now_ms;
    write->version = node->layout;
    struct fake_head head = {.number = write->number, .dead = dead, .at_ms = expires_ms};
    head.chunks = dead ? 0 : (uint8_t)random_below(&world->random, 6);
    uint64_t gate = fake_copies_put(&node->store, world_key(key), head);
    fake_copies_rows(&node->store, world_key(key), &write->rows);
    if (dead || expires_ms != 0)
        world->hides[key] = write->number;
    list_append(&world->writes, &write->link);
    unsigned count = placement_writers(&placement, writers);
    for (unsigned i = 0; i < count; i++) {
        add_target(write, writers[i]);
        if (index_of(writers[i]) == write->coordinator)
            arrived(&write->arrivals[i], STATUS_OK, gate);
        else
            replicate(world, write, i);
    }
}

static void write_free(struct world_write *write)
{
    list_remove(&write->link);
    buffer_deinit(&write->rows);
    memory_free(write);
}

/* Who holds it durably: W of the old owners, and of the new ones while slots move. */
static bool has_quorum(struct world *world, struct world_write *write)
{
    struct placement placement;
    unsigned old = 0, new = 0;
    layout_placement(&world->layouts[write->version], world_slot(write->key), &placement);
    for (unsigned i = 0; i < write->count; i++) {
        struct world_node *node = &world->nodes[index_of(write->targets[i])];
        struct arrival *arrival = &write->arrivals[i];
        arrival->durable = arrival->durable || (arrival->imported && node->sync != NULL &&
                                                store_gate_passed(&node->store, arrival->gate));
        for (unsigned k = 0; arrival->durable && k < placement.old_count; k++)
            old += placement.old[k] == write->targets[i];
        for (unsigned k = 0; arrival->durable && k < placement.new_count; k++)
            new += placement.new[k] == write->targets[i];
    }
    unsigned need_old = placement.old_count < WORLD_QUORUM ? placement.old_count : WORLD_QUORUM;
    unsigned need_new = placement.new_count < WORLD_QUORUM ? placement.new_count : WORLD_QUORUM;
    return old >= need_old && new >= need_new;
}

/* Imports of it may still end. */
static void end_write(struct world *world, struct world_write *write, bool gone)
{
    struct world_node *node = &world->nodes[write->coordinator];
    struct arena arena;
    struct buffer heads = {0};
    arena_init(&arena);
    sync_add_name(&heads, row_key_head(&arena, 0, world_key(write->key)));
    for (unsigned i = 0; !gone && i < write->count; i++)
        if (!write->arrivals[i].durable && index_of(write->targets[i]) != write->coordinator)
            sync_missed(node->sync, write->targets[i], world_slot(write->key),
                        buffer_bytes(&heads));
    buffer_deinit(&heads);
    arena_deinit(&arena);
    list_remove(&write->link);
    list_append(&world->writes_over, &write->link);
}

/* A member that is no owner and can be reached keeps it. */
static void stand_in(struct world *world, struct world_write *write)
{
    uint64_t writers[LAYOUT_OWNERS_MAX];
    struct placement placement = world_placement(world, write->key);
    unsigned count = placement_writers(&placement, writers);
    write->stands_in = true;
    for (unsigned i = 0; i < world->count; i++) {
        bool owner = false;
        for (unsigned k = 0; k < count; k++)
            owner = owner || writers[k] == i + 1;
        if (owner || write->count == WORLD_NODES_MAX ||
            !layout_is_member(&world->layouts[world->layout], i + 1) ||
            !world->links[write->coordinator][i].up)
            continue;
        add_target(write, i + 1);
        replicate(world, write, write->count - 1);
        return;
    }
}

static void go_on_write(struct world *world, struct world_write *write)
{
    const struct world_node *node = &world->nodes[write->coordinator];
    bool gone = node->sync == NULL || node->generation != write->generation;
    if (!gone && has_quorum(world, write) && write->number > world->acknowledged[write->key])
        world->acknowledged[write->key] = write->number;
    bool all = true;
    for (unsigned i = 0; i < write->count; i++)
        all = all && write->arrivals[i].durable;
    if (!all && !gone && world->sloppy && !write->stands_in &&
        world->now_ms >= write->at_ms + WRITE_MS / 2)
        stand_in(world, write);
    if (all || gone || world->now_ms >= write->at_ms + WRITE_MS)
        end_write(world, write, gone);
}

static void go_on_writes(struct world *world)
{
    for (struct list *at = world->writes.next, *next; at != &world->writes; at = next) {
        next = at->next;
        go_on_write(world, list_entry(at, struct world_write, link));
    }
}

void world_put(struct world *world, unsigned node, unsigned key, uint64_t number, bool dead)
{
    struct fake_head head = {.number = number, .dead = dead};
    if (number > world->number)
        world->number = number;
    if (dead && number > world->hides[key])
        world->hides[key] = number;
    fake_copies_put(&world->nodes[node].store, world_key(key), head);
}

uint64_t world_number(const struct world *world, unsigned node, unsigned key)
{
    struct fake_head head;
    return fake_copies_get(&world->nodes[node].store, world_key(key), &head) ? head.number : 0;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void told_synced(void *context, uint64_t version)
{
    struct world_node *node = context;
    node->synced = version;
}

static void told_other_layout(void *context, uint64_t from, uint64_t cluster, uint64_t version)
{
    struct world_node *node = context;
    (void)from;
    (void)cluster;
    (void)version;
    node->others++;
}

static void learn_layout(struct world *world, unsigned node, uint64_t version)
{
    world->nodes[node].layout = version;
    sync_set_layout(world->nodes[node].sync, &world->layouts[version], world->now_ms);
}

void world_start(struct world *world, unsigned i)
{
    struct world_node *node = &world->nodes[i];
    check(node->sync == NULL);
    struct sync_options options = {
        .node = node->number,
        .random = random_next(&world->random),
        .store = &node->store,
        .gossip = &node->gossip,
        .outbox = {outbox_of_node, node},
        .read_quorum = WORLD_QUORUM,
        .write_quorum = WORLD_QUORUM,
        .sent_count = sent_count,
        .settled_count = settled_count,
        .work_begun = work_begun,
        .work_ended = work_ended,
        .synced = told_synced,
        .other_layout = told_other_layout,
        .context = node,
    };
    node->generation++;
    node->synced = 0;
    node->sync = sync_new(&options);
    if (node->layout > 0)
        learn_layout(world, i, node->layout);
}

void world_crash(struct world *world, unsigned i)
{
    struct world_node *node = &world->nodes[i];
    check(node->sync != NULL);
    struct sync *sync = node->sync;
    node->sync = NULL;
    for (unsigned k = 0; k < world->count; k++) {
        break_link(world, i, k);
        break_link(world, k, i);
    }
    sync_free(sync);
    fake_copies_crash(&node->store);
    memset(node->gossip.peers, 0, sizeof(node->gossip.peers));
    node->synced = 0;
}

void world_cut(struct world *world, unsigned a, unsigned b)
{
    world->links[a][b].cut = world->links[b][a].cut = true;
    break_link(world, a, b);
    break_link(world, b, a);
}

void world_mend(struct world *world)
{
    for (unsigned a = 0; a < world->count; a++)
        for (unsigned b = 0; b < world->count; b++)
            world->links[a][b].cut = false;
}

/* All owners had it. */
static void gave(void *context, struct bytes key, uint64_t number)
{
    struct world *world = context;
    unsigned at = (unsigned)(key.data[0] - 'a');
    if (number > world->acknowledged[at])
        world->acknowledged[at] = number;
}

void world_init(struct world *world, uint64_t seed, unsigned count)
{
    *world = (struct world){.random = {seed}, .now_ms = 1000000, .count = count, .delay_ms = 5};
    list_init(&world->writes);
    list_init(&world->writes_over);
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        struct world_node *node = &world->nodes[i];
        node->world = world;
        node->number = i + 1;
        node->gossip.world = world;
        node->gossip.self = i;
        fake_copies_init(&node->store, seed * 100 + i);
        node->store.gave = gave;
        node->store.context = world;
        for (unsigned k = 0; k < WORLD_NODES_MAX; k++)
            world->links[i][k].last = &world->links[i][k].first;
    }
}

void world_deinit(struct world *world)
{
    world->delay_ms = 0;
    for (unsigned i = 0; i < world->count; i++)
        if (world->nodes[i].sync != NULL)
            world_crash(world, i);
    list_splice(&world->writes, &world->writes_over);
    while (!list_is_empty(&world->writes))
        write_free(list_entry(world->writes.next, struct world_write, link));
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
        fake_copies_deinit(&world->nodes[i].store);
    for (uint64_t i = 0; i <= world->layout; i++)
        layout_deinit(&world->layouts[i]);
}

/* ---- layouts --------------------------------------------------------------------------------- */

static bool step_is_through(const struct world *world)
{
    const struct layout *layout = &world->layouts[world->layout];
    for (unsigned i = 0; i < world->count; i++) {
        const struct world_node *node = &world->nodes[i];
        if (!layout_is_member(layout, i + 1))
            continue;
        if (node->sync == NULL || node->layout != world->layout)
            return false;
        if (layout->phase == LAYOUT_WRITING_BOTH && node->synced != world->layout)
            return false;
    }
    return true;
}

bool world_next_layout(struct world *world, const bool members[WORLD_NODES_MAX])
{
    struct ring_member list[WORLD_NODES_MAX];
    uint32_t count = 0;
    const struct layout *layout = &world->layouts[world->layout];
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
        if (members[i] || (world->layout > 0 && layout_is_member(layout, i + 1)))
            list[count++] = (struct ring_member){
                .node = i + 1, .zone = i, .host = i, .weight = members[i] ? RING_WEIGHT : 0};
    if (world->layout + 1 == WORLD_LAYOUTS_MAX || (world->layout > 0 && !step_is_through(world)))
        return false;
    struct layout *next = &world->layouts[world->layout + 1];
    if (world->layout == 0) {
        *next = (struct layout){.cluster = CLUSTER, .version = 1, .copies = WORLD_COPIES};
        ring_plan(NULL, list, count, WORLD_COPIES, &next->ring);
    } else {
        layout_step(layout, list, count, next);
    }
    world->layout++;
    return true;
}

/* Those who are concerned learn it one after the other; who has left, too. */
static void spread_layout(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        bool concerned =
            node->layout > 0 || layout_is_member(&world->layouts[world->layout], i + 1);
        if (node->sync != NULL && concerned && node->layout < world->layout &&
            random_once_in(&world->random, 8))
            learn_layout(world, i, node->layout == 0 ? world->layout : node->layout + 1);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool is_held_back(const struct world *world, unsigned from, unsigned type)
{
    if (type == SYNC_PUSHED && world->silent == from + 1)
        return true;
    return (world->holds_rows && type == SYNC_ROWS) ||
           (world->holds_answers && (type == SYNC_PUSHED || type == SYNC_WANTED));
}

static void deliver(struct world *world, unsigned from, unsigned to)
{
    struct world_link *link = &world->links[from][to];
    while (link->first != NULL && link->first->at_ms <= world->now_ms) {
        if (world->resets && random_once_in(&world->random, world->resets)) {
            break_link(world, from, to);
            return;
        }
        struct world_letter *letter = take_letter(link);
        link->settled++;
        world->types[letter->type]++;
        if (letter->type == REPLICATE) {
            take_replicate(world, to, letter);
        } else if (!is_held_back(world, from, letter->type)) {
            enum status status = sync_receive(world->nodes[to].sync, from + 1, letter->type,
                                              letter->payload, world->now_ms);
            check(status == STATUS_OK);
        }
        letter_free(letter);
    }
}

void world_step(struct world *world)
{
    world->now_ms += STEP_MS;
    mend_links(world);
    spread_layout(world);
    for (unsigned from = 0; from < world->count; from++)
        for (unsigned to = 0; to < world->count; to++)
            deliver(world, from, to);
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->sync == NULL)
            continue;
        judge_lives(world, i);
        fake_copies_run(&node->store, world->now_ms);
        sync_turn_end(node->sync, world->now_ms);
        if (sync_deadline_ms(node->sync) <= world->now_ms)
            sync_tick(node->sync, world->now_ms);
    }
    go_on_writes(world);
}

void world_run(struct world *world, uint64_t ms)
{
    for (uint64_t end = world->now_ms + ms; world->now_ms < end;)
        world_step(world);
}

/* ---- what must hold -------------------------------------------------------------------------- */

bool world_is_quiet(const struct world *world)
{
    if (!list_is_empty(&world->writes))
        return false;
    for (unsigned i = 0; i < world->count; i++) {
        const struct world_node *node = &world->nodes[i];
        bool concerned =
            node->layout > 0 || layout_is_member(&world->layouts[world->layout], i + 1);
        if (concerned && (node->sync == NULL || node->layout != world->layout ||
                          !sync_is_quiet(node->sync) || !list_is_empty(&node->store.jobs)))
            return false;
    }
    return true;
}

void world_converge(struct world *world, uint64_t most_ms)
{
    uint64_t end = world->now_ms + most_ms;
    while (!world_is_quiet(world) && world->now_ms < end)
        world_step(world);
    if (!world_is_quiet(world))
        for (unsigned i = 0; i < world->count; i++) {
            struct sync_stats stats = {0};
            if (world->nodes[i].sync != NULL)
                sync_stats(world->nodes[i].sync, &stats);
            fprintf(
                stderr, "node %u layout %llu: unequal %llu hints %llu foreign %llu to gain %llu\n",
                i + 1, (unsigned long long)world->nodes[i].layout,
                (unsigned long long)stats.slots_unequal, (unsigned long long)stats.hints_pending,
                (unsigned long long)stats.foreign, (unsigned long long)stats.slots_to_gain);
        }
    check(world_is_quiet(world));
}

static void check_key(const struct world *world, unsigned key)
{
    uint64_t writers[LAYOUT_OWNERS_MAX];
    struct placement placement = world_placement(world, key);
    unsigned count = placement_writers(&placement, writers);
    struct fake_head first = {0}, head;
    bool there = fake_copies_get(&world->nodes[index_of(writers[0])].store, world_key(key), &first);
    for (unsigned i = 0; i < world->count; i++) {
        bool owner = false;
        for (unsigned k = 0; k < count; k++)
            owner = owner || writers[k] == i + 1;
        bool here = fake_copies_get(&world->nodes[i].store, world_key(key), &head);
        check(here == (owner && there));
        check(!here || head.number == first.number);
    }
    /* Not lost, and not come back. */
    uint64_t floor = world->acknowledged[key];
    check(there ? first.number >= floor : floor == 0 || world->hides[key] >= floor);
}

void world_check(const struct world *world)
{
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        check_key(world, key);
}
