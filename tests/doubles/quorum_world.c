/* SPDX-License-Identifier: MIT */
#include "doubles/quorum_world.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/pack.h"
#include "quorum/lease.h"
#include "row/row.h"

/* ---- the network ----------------------------------------------------------------------------- */

struct message {
    struct list link;
    unsigned type;
    uint64_t at_ms;
    struct bytes payload; /* owned */
};

static unsigned index_of(const struct world *world, uint64_t node)
{
    for (unsigned i = 0; i < world->count; i++)
        if (world->nodes[i].node == node)
            return i;
    check(!"a node of this world");
    return 0;
}

static void put(struct list *messages, unsigned type, struct bytes payload, uint64_t at_ms)
{
    struct message *message = memory_alloc(sizeof(*message));
    char *data = memory_alloc(payload.size);
    if (payload.size > 0)
        memcpy(data, payload.data, payload.size);
    *message =
        (struct message){.type = type, .at_ms = at_ms, .payload = bytes_of(data, payload.size)};
    list_append(messages, &message->link);
}

static bool send(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    struct world_node *from = context;
    struct world *world = from->world;
    unsigned to = index_of(world, node);
    check(to != from->index && payload.size <= MESSAGE_SIZE_MAX);
    from->sent[type - MESSAGES_QUORUM]++;
    if (world->tap)
        world->tap(world->tap_context, from->index, to, type, payload);
    if (world->cut[from->index][to])
        return false;
    put(&world->links[from->index][to], type, payload,
        world->now_ms + 1 + random_below(&world->random, world->slowest_ms));
    return true;
}

static void message_free(struct message *message)
{
    list_remove(&message->link);
    memory_free((void *)message->payload.data);
    memory_free(message);
}

static void drop(struct list *messages)
{
    while (!list_is_empty(messages))
        message_free(list_entry(messages->next, struct message, link));
}

static void deliver(struct world *world, unsigned from, unsigned to)
{
    struct list *messages = &world->links[from][to];
    while (!list_is_empty(messages) && !world->held[from][to] && !world->nodes[to].stopped) {
        struct message *message = list_entry(messages->next, struct message, link);
        if (message->at_ms > world->now_ms)
            return;
        list_remove(&message->link);
        check(quorum_receive(world->nodes[to].quorum, world->nodes[from].node, message->type,
                             message->payload, world->now_ms) == STATUS_OK);
        message_free(message);
    }
}

void world_repeat(struct world *world, unsigned a, unsigned b, unsigned times)
{
    struct list all, *messages = &world->links[a][b];
    list_init(&all);
    list_splice(&all, messages);
    while (!list_is_empty(&all)) {
        struct message *message = list_entry(all.next, struct message, link);
        for (unsigned i = 0; i < times; i++)
            put(messages, message->type, message->payload, message->at_ms);
        message_free(message);
    }
}

void world_reset_link(struct world *world, unsigned a, unsigned b)
{
    drop(&world->links[a][b]);
    drop(&world->links[b][a]);
    quorum_node_down(world->nodes[a].quorum, world->nodes[b].node, world->now_ms);
    quorum_node_down(world->nodes[b].quorum, world->nodes[a].node, world->now_ms);
}

void world_cut(struct world *world, unsigned a, unsigned b)
{
    world->cut[a][b] = world->cut[b][a] = true;
    fake_gossip_set(&world->nodes[a].gossip, world->nodes[b].node, false);
    fake_gossip_set(&world->nodes[b].gossip, world->nodes[a].node, false);
    world_reset_link(world, a, b);
}

void world_heal(struct world *world, unsigned a, unsigned b)
{
    world->cut[a][b] = world->cut[b][a] = false;
    fake_gossip_set(&world->nodes[a].gossip, world->nodes[b].node, true);
    fake_gossip_set(&world->nodes[b].gossip, world->nodes[a].node, true);
}

void world_isolate(struct world *world, unsigned node)
{
    for (unsigned i = 0; i < world->count; i++)
        if (i != node)
            world_cut(world, i, node);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void missed(void *context, uint64_t node, uint16_t slot, struct bytes heads)
{
    struct world_node *self = context;
    struct unpack in = unpack_begin(heads);
    check(heads.size > 0);
    while (in.next != in.end) {
        struct bytes name = unpack_bytes(&in, unpack_next_varint(&in));
        check(!in.failed && row_key_is_head(name) && row_key_slot(name) == slot);
        uint64_t size = name.size;
        buffer_append(&self->missed, &node, 8);
        buffer_append(&self->missed, &size, 8);
        buffer_append_bytes(&self->missed, name);
    }
}

static bool is_agreed(void *context, uint16_t slot)
{
    (void)slot;
    return ((struct world_node *)context)->agreed;
}

static uint16_t same_readers(void *context, uint16_t slot)
{
    (void)slot;
    return ((struct world_node *)context)->same;
}

static void distrust(void *context, uint64_t node)
{
    struct world_node *self = context;
    struct world *world = self->world;
    uint64_t nodes[RING_COPIES_MAX];
    self->distrusted++;
    ring_owners(&world->layout.ring, self->same_slot, nodes);
    for (unsigned i = 0; i < world->layout.ring.copies; i++)
        if (nodes[i] == node)
            self->same &= (uint16_t) ~(1u << i);
}

static void other_coordinator(void *context, uint16_t slot)
{
    (void)slot;
    ((struct world_node *)context)->other_coordinators++;
}

static void other_layout(void *context, uint64_t node, uint64_t cluster, uint64_t version)
{
    (void)node;
    (void)cluster;
    (void)version;
    ((struct world_node *)context)->other_layouts++;
}

static void make_layout(struct world *world)
{
    struct ring_member members[WORLD_NODES_MAX];
    struct layout first, writing, reading;
    for (unsigned i = 0; i < world->count; i++)
        members[i] = (struct ring_member){world->nodes[i].node, i, i, RING_WEIGHT};
    layout_first(WORLD_CLUSTER, &members[0], world->copies, &first);
    layout_step(&first, members, world->count, &writing);
    layout_step(&writing, NULL, 0, &reading);
    layout_step(&reading, NULL, 0, &world->layout);
    check(world->layout.phase == LAYOUT_STABLE && world->layout.ring.member_count == world->count);
    layout_deinit(&first);
    layout_deinit(&writing);
    layout_deinit(&reading);
}

static void begin_process(struct world_node *node)
{
    struct world *world = node->world;
    struct quorum_options options = {.node = node->node,
                                     .random = random_next(&world->random),
                                     .store = &node->store,
                                     .gossip = &node->gossip,
                                     .outbox = {send, node},
                                     .read_quorum = 2,
                                     .write_quorum = 2,
                                     .sloppy = true,
                                     .floor = world->now_ms,
                                     .timeout_ms = WORLD_TIMEOUT_MS,
                                     .missed = missed,
                                     .is_agreed = is_agreed,
                                     .same_readers = same_readers,
                                     .distrust = distrust,
                                     .other_coordinator = other_coordinator,
                                     .other_layout = other_layout,
                                     .context = node};
    node->quorum = quorum_new(&options);
    quorum_set_layout(node->quorum, &world->layout, world->now_ms);
}

static void node_init(struct world *world, unsigned index)
{
    struct world_node *node = &world->nodes[index];
    node->world = world;
    node->index = index;
    node->clock = (uint64_t)1000 << 20;
    node->agreed = true;
    fake_rows_init(&node->store);
    begin_process(node);
}

void world_restart(struct world *world, unsigned node)
{
    for (unsigned i = 0; i < world->count; i++)
        if (i != node)
            world_reset_link(world, i, node);
    quorum_free(world->nodes[node].quorum);
    world->nodes[node].same = 0;
    begin_process(&world->nodes[node]);
}

static void begin_world(struct world *world, unsigned count, uint64_t seed)
{
    *world = (struct world){.now_ms = 1000 * 1000,
                            .random = {seed},
                            .count = count,
                            .copies = count < 3 ? count : 3,
                            .slowest_ms = 1};
    arena_init(&world->arena);
    for (unsigned i = 0; i < count; i++) {
        world->nodes[i].node = (i + 1) * 0x1234567ULL;
        for (unsigned j = 0; j < count; j++)
            list_init(&world->links[i][j]);
    }
}

void world_init(struct world *world, unsigned count, uint64_t seed)
{
    begin_world(world, count, seed);
    make_layout(world);
    for (unsigned i = 0; i < count; i++)
        node_init(world, i);
    world->now_ms += LEASE_MS; /* what an earlier process may have promised is over */
}

void world_init_like(struct world *world, const struct world *other, uint64_t seed)
{
    begin_world(world, other->count, seed);
    layout_copy(&other->layout, &world->layout);
    for (unsigned i = 0; i < other->count; i++)
        node_init(world, i);
    world->now_ms += LEASE_MS; /* what an earlier process may have promised is over */
}

void world_deinit(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        quorum_free(world->nodes[i].quorum);
        fake_rows_deinit(&world->nodes[i].store);
        buffer_deinit(&world->nodes[i].missed);
        for (unsigned j = 0; j < world->count; j++)
            drop(&world->links[i][j]);
    }
    layout_deinit(&world->layout);
    arena_deinit(&world->arena);
}

void world_turn(struct world *world)
{
    world->now_ms++;
    for (unsigned i = 0; i < world->count; i++)
        for (unsigned j = 0; j < world->count; j++)
            deliver(world, i, j);
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->stopped)
            continue;
        fake_rows_turn_end(&node->store);
        if (world->now_ms >= quorum_deadline_ms(node->quorum))
            quorum_tick(node->quorum, world->now_ms);
        quorum_turn_end(node->quorum, world->now_ms);
    }
}

void world_run(struct world *world, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++)
        world_turn(world);
}

/* ---- keys ------------------------------------------------------------------------------------ */

struct bytes world_head(struct world *world, const char *key)
{
    return row_key_head(&world->arena, 0, bytes_text(key));
}

unsigned world_owners(struct world *world, const char *key, unsigned out[RING_COPIES_MAX])
{
    uint64_t nodes[RING_COPIES_MAX];
    ring_owners(&world->layout.ring, slot_of_key(bytes_text(key)), nodes);
    for (unsigned i = 0; i < world->layout.ring.copies; i++)
        out[i] = index_of(world, nodes[i]);
    return world->layout.ring.copies;
}

unsigned world_stranger(struct world *world, const char *key)
{
    unsigned owners[RING_COPIES_MAX], count = world_owners(world, key, owners);
    for (unsigned i = 0; i < world->count; i++) {
        bool owns = false;
        for (unsigned j = 0; j < count; j++)
            owns = owns || owners[j] == i;
        if (!owns)
            return i;
    }
    check(!"a node that does not own it");
    return 0;
}

static struct dot next_dot(struct world_node *node)
{
    return (struct dot){actor_of(node->node, 1), ++node->clock};
}

static struct bytes make_row(struct world *world, struct dot dot, struct bytes value)
{
    return row_encode_common(&world->arena, dot, VALUE_STRING, value, EXPIRY_NEVER);
}

struct dot world_put(struct world *world, unsigned node, const char *key, const char *value)
{
    struct world_node *self = &world->nodes[node];
    struct dot dot = next_dot(self);
    struct bytes row = make_row(world, dot, bytes_text(value));
    check(fake_rows_put(&self->store, world_head(world, key), row) == STATUS_OK);
    return dot;
}

/* ---- writes and reads ------------------------------------------------------------------------ */

static void written(struct quorum_write *write, enum status status)
{
    struct world_write *self = write->context;
    check(!self->is_done);
    self->is_done = true;
    self->status = status;
}

void world_write_init(struct world_write *write, unsigned node)
{
    write->is_done = false;
    write->coordinator = node;
    write->write.done = written;
    write->write.context = write;
}

void world_write_many(struct world *world, struct world_write *write, unsigned node,
                      const char *const *keys, unsigned count)
{
    struct world_node *self = &world->nodes[node];
    struct txn_row staged[64];
    struct txn txn = {.staged = staged, .staged_count = count};
    check(count <= 64);
    world_write_init(write, node);
    for (unsigned i = 0; i < count; i++) {
        write->dot = next_dot(self);
        write->head = staged[i].name = world_head(world, keys[i]);
        staged[i].row = make_row(world, write->dot, bytes_text(keys[i]));
        staged[i].ground = BYTES("");
        check(fake_rows_put(&self->store, staged[i].name, staged[i].row) == STATUS_OK);
    }
    txn.gate = self->store.position;
    quorum_write(self->quorum, &txn, &write->write, world->now_ms);
    check(!write->is_done);
}

void world_write(struct world *world, struct world_write *write, unsigned node, const char *key)
{
    world_write_many(world, write, node, &key, 1);
}

static void verified(struct quorum_verify *verify, enum status status)
{
    struct world_verify *self = verify->context;
    check(!self->is_done);
    self->is_done = true;
    self->status = status;
}

void world_verify(struct world *world, struct world_verify *verify, unsigned node,
                  const char *const *keys, unsigned count, bool writes)
{
    *verify = (struct world_verify){.verify = {.count = count, .writes = writes}};
    for (unsigned i = 0; i < count; i++) {
        struct bytes head = world_head(world, keys[i]);
        char *out = buffer_reserve(&verify->heads, VARINT_MAX);
        buffer_commit(&verify->heads, (size_t)(pack_varint(out, head.size) - out));
        buffer_append_bytes(&verify->heads, head);
    }
    verify->verify.heads = buffer_bytes(&verify->heads);
    verify->verify.done = verified;
    verify->verify.context = verify;
    quorum_verify(world->nodes[node].quorum, &verify->verify, world->now_ms);
    check(!verify->is_done);
}

void world_verify_deinit(struct world_verify *verify)
{
    buffer_deinit(&verify->heads);
}

/* ---- what came of it ------------------------------------------------------------------------- */

bool world_has(struct world *world, unsigned node, struct bytes head, struct dot dot)
{
    struct bytes bytes = fake_rows_get(&world->nodes[node].store, head);
    struct row row;
    if (bytes.size == 0)
        return false;
    check(row_decode(bytes, &world->arena, &row) == STATUS_OK);
    return vector_covers(&row.vector, dot);
}

unsigned world_count(struct world *world, struct bytes head, struct dot dot)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->count; i++)
        count += world_has(world, i, head, dot);
    return count;
}

bool world_told(struct world *world, unsigned node, unsigned owner, struct bytes head)
{
    struct bytes all = buffer_bytes(&world->nodes[node].missed);
    struct unpack in = unpack_begin(all);
    while (in.next != in.end) {
        uint64_t told = unpack_next_u64(&in);
        struct bytes name = unpack_bytes(&in, unpack_next_u64(&in));
        check(!in.failed);
        if (told == world->nodes[owner].node && bytes_equal(name, head))
            return true;
    }
    return false;
}
