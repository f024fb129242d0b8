/* SPDX-License-Identifier: MIT */
/*
 * Quorums of four nodes in the middle of their work, and a peer that says anything: each message is
 * two bytes (from and to, which, and whether a turn ends after it), its type, a part.
 */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/pack.h"
#include "doubles/quorum_world.h"
#include "fuzz/fuzz.h"
#include "quorum/quorum_codec.h"

enum { NODES = 4, MESSAGES_MAX = 64, TURN_MS = 25 };

struct work {
    struct world world;
    struct world_write writes[2];
    struct world_verify verify;
    struct quorum_outcome outcome;
    bool is_told;
};

static void told(struct quorum_outcome *outcome, enum status status, struct bytes reply)
{
    struct work *work = outcome->context;
    check(!work->is_told);
    check(status == STATUS_OK || status == STATUS_ABSENT || status == STATUS_INVALID);
    check(reply.size <= QUORUM_REPLY_KEPT_MAX);
    work->is_told = true;
}

static void begin(struct work *work)
{
    static const char *const keys[] = {"a", "b", "c"};
    static struct world first; /* planning its ring is what takes long */
    struct world *world = &work->world;
    if (first.count == 0)
        world_init(&first, NODES, 1);
    world_init_like(world, &first, 1);
    world_put(world, 0, "a", "here");
    world_put(world, 1, "a", "there");
    for (int i = 0; i < 2; i++) {
        work->writes[i].write.id = (struct request_id){5, (uint64_t)i};
        work->writes[i].write.reply = BYTES("+OK");
        world_write(world, &work->writes[i], (unsigned)i, keys[i]);
    }
    world_verify(world, &work->verify, 0, keys, 3, true);
    work->outcome = (struct quorum_outcome){
        .id = {5, 1}, .slot = slot_of_key(BYTES("b")), .done = told, .context = work};
    quorum_ask_outcome(world->nodes[0].quorum, &work->outcome, world->now_ms);
    world_turn(world);
}

void fuzz_one(struct bytes input)
{
    struct work *work = memory_zeroed(sizeof(*work));
    struct world *world = &work->world;
    begin(work);
    for (int i = 0; i < MESSAGES_MAX && input.size > 0; i++) {
        uint8_t who = fuzz_take_u8(&input), type = fuzz_take_u8(&input);
        unsigned to = who % NODES, from = who / NODES % NODES;
        struct bytes payload = fuzz_take_part(&input);
        if (from == to)
            continue;
        enum status status = quorum_receive(world->nodes[to].quorum, world->nodes[from].node,
                                            type % 16, payload, world->now_ms);
        check(status == STATUS_OK || status == STATUS_CORRUPT);
        status = quorum_receive(world->nodes[to].quorum, world->nodes[from].node,
                                MESSAGES_QUORUM + type % 16, payload, world->now_ms);
        check(status == STATUS_OK || status == STATUS_CORRUPT);
        if (who & 0x80)
            world_turn(world);
    }
    for (uint64_t ms = 0; ms < 2 * WORLD_TIMEOUT_MS; ms += TURN_MS) {
        world->now_ms += TURN_MS;
        world_turn(world);
    }
    check(work->writes[0].is_done && work->writes[1].is_done);
    check(work->verify.is_done && work->is_told);
    world_verify_deinit(&work->verify);
    world_deinit(world);
    memory_free(work);
}

/* ---- seeds: what they say to each other ------------------------------------------------------ */

static void hear(void *context, unsigned from, unsigned to, unsigned type, struct bytes payload)
{
    struct buffer *out = context;
    buffer_append_u8(out, (uint8_t)(to | from * NODES | 0x80));
    buffer_append_u8(out, (uint8_t)(type - MESSAGES_QUORUM));
    buffer_append_u8(out, (uint8_t)(payload.size >> 8));
    buffer_append_u8(out, (uint8_t)payload.size);
    buffer_append_bytes(out, payload);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct work *work = memory_zeroed(sizeof(*work));
    struct buffer said = {0};
    begin(work);
    work->world.tap = hear;
    work->world.tap_context = &said;
    world_run(&work->world, 20);
    seed(context, buffer_bytes(&said));
    buffer_clear(&said, SIZE_MAX);
    struct quorum_refused refused = {{WORLD_CLUSTER, 9, 1}, QUORUM_VERIFY, 2};
    struct buffer one = {0};
    quorum_encode_refused(&one, &refused);
    hear(&said, 1, 0, QUORUM_REFUSED, buffer_bytes(&one));
    seed(context, buffer_bytes(&said));
    buffer_deinit(&one);
    buffer_deinit(&said);
    world_verify_deinit(&work->verify);
    world_deinit(&work->world);
    memory_free(work);
}
