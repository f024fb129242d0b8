/* SPDX-License-Identifier: MIT */
/*
 * Gossip: any payload of any type from any sender. An input is a list of messages: a byte for the
 * sender and for what else happens, one for the type, then the payload (its size in two bytes
 * first). All that the node says in return must be understood by another one.
 */
#include "base/memory.h"
#include "cluster/gossip_codec.h"
#include "fuzz/fuzz.h"

enum { TYPES = 16, SENDERS = 4, STEPS_MAX = 300, RECORDED = 40 };

#define START_MS UINT64_C(1700000000000)

/* ---- two nodes ------------------------------------------------------------------------------- */

struct mouth {
    uint64_t node;
    struct gossip *hearer; /* NULL: nobody, or nobody any more */
    uint64_t now_ms;
    struct buffer *record; /* for seeds: what is said, as an input */
};

static void put_message(struct buffer *out, uint8_t how, unsigned type, struct bytes payload)
{
    buffer_append_u8(out, how);
    buffer_append_u8(out, (uint8_t)type);
    buffer_append_u8(out, (uint8_t)(payload.size >> 8));
    buffer_append_u8(out, (uint8_t)payload.size);
    buffer_append_bytes(out, payload);
}

static bool send(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    struct mouth *mouth = context;
    (void)node;
    check(payload.size <= MESSAGE_SIZE_MAX && message_family(type) == MESSAGES_GOSSIP);
    if (mouth->record)
        put_message(mouth->record, 1, type, payload);
    if (mouth->hearer)
        check(gossip_receive(mouth->hearer, mouth->node, type, payload, mouth->now_ms) ==
              STATUS_OK);
    return true;
}

static struct gossip *make(uint64_t node, struct mouth *mouth)
{
    struct gossip_options options = {
        .self = {.node = node, .generation = START_MS, .host = "host", .zone = "zone"},
        .random = node,
        .outbox = {send, mouth},
    };
    mouth->node = node;
    mouth->now_ms = START_MS;
    return gossip_new(&options, START_MS);
}

/* ---- any messages ---------------------------------------------------------------------------- */

static void check_table(const struct gossip *gossip)
{
    const struct gossip_peer *peer;
    uint64_t last = 0;
    size_t count = 0;
    for (; (peer = gossip_peer_at(gossip, count)) != NULL; count++) {
        check(count == 0 || peer->said.node > last);
        check(gossip_peer(gossip, peer->said.node) == peer);
        check(memchr(peer->said.host, 0, sizeof(peer->said.host)) != NULL);
        check(memchr(peer->said.zone, 0, sizeof(peer->said.zone)) != NULL);
        check(gossip_is_up(gossip, peer->said.node) == (peer->life == GOSSIP_UP));
        check(peer->phi >= 0);
        last = peer->said.node;
    }
    check(count <= GOSSIP_PEERS_MAX);
}

static void happen(struct gossip *gossip, unsigned what, uint64_t from, uint64_t now_ms)
{
    switch (what) {
    case 1:
        gossip_link_up(gossip, from, now_ms);
        break;
    case 2:
        gossip_link_down(gossip, from, now_ms);
        break;
    case 3:
        gossip_forget(gossip, from, now_ms);
        break;
    case 4:
        gossip_self(gossip)->layout_version++;
        gossip_changed(gossip);
        break;
    case 5:
        gossip_stalled(gossip, 3000, now_ms);
        break;
    default:
        break;
    }
}

void fuzz_one(struct bytes input)
{
    struct mouth mouth = {0}, silent = {0};
    struct gossip *gossip = make(0x100, &mouth), *other = make(0x200, &silent);
    mouth.hearer = other;
    for (unsigned step = 0; step < STEPS_MAX && input.size > 0; step++) {
        uint8_t how = fuzz_take_u8(&input), type = fuzz_take_u8(&input);
        struct bytes payload = fuzz_take_part(&input);
        uint64_t from = (uint64_t)0x100 * (how % SENDERS + 1);
        mouth.now_ms += how % 8 == 7 ? 1100 : 10;
        enum status status = gossip_receive(gossip, from, type % TYPES, payload, mouth.now_ms);
        check(status == STATUS_OK || status == STATUS_CORRUPT);
        check(from != 0x100 || status == STATUS_CORRUPT);
        happen(gossip, how / SENDERS % 16, from, mouth.now_ms);
        if (gossip_deadline_ms(gossip) <= mouth.now_ms) {
            gossip_tick(gossip, mouth.now_ms);
            check(gossip_deadline_ms(gossip) > mouth.now_ms);
        }
        check_table(gossip);
    }
    check_table(other);
    gossip_free(gossip);
    gossip_free(other);
}

/* ---- good ones ------------------------------------------------------------------------------- */

/* What a node says to one that is where fuzz_one's is. */
void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct buffer record = {0}, all = {0};
    struct mouth heard = {0}, said = {.record = &record};
    struct gossip *hearer = make(0x100, &heard), *sayer = make(0x200, &said);
    said.hearer = hearer;
    heard.hearer = NULL;
    for (unsigned i = 0; i < RECORDED; i++) {
        uint64_t now_ms = START_MS + 200 * (i + 1);
        said.now_ms = heard.now_ms = now_ms;
        if (i == 3)
            gossip_link_up(sayer, 0x100, now_ms);
        if (i % 8 == 5)
            gossip_self(sayer)->layout_version++;
        gossip_changed(sayer);
        heard.hearer = i % 2 ? sayer : NULL;
        said.hearer = i % 2 ? NULL : hearer;
        gossip_tick(sayer, now_ms);
        gossip_tick(hearer, now_ms);
        if (i == 20)
            gossip_link_down(sayer, 0x100, now_ms);
        if (buffer_size(&record) > 0)
            seed(context, buffer_bytes(&record));
        buffer_append_bytes(&all, buffer_bytes(&record));
        buffer_clear(&record, 0);
    }
    struct gossip_report report = {0x300, 0x100, START_MS, 0};
    gossip_put_report(&record, &report);
    put_message(&all, 1, GOSSIP_REPORTS, buffer_bytes(&record));
    buffer_clear(&record, 0);
    gossip_put_number(&record, 1);
    gossip_put_node(&record, 0x200);
    put_message(&all, 1, GOSSIP_PROBE_FOR, buffer_bytes(&record));
    gossip_put_number(&record, 1);
    put_message(&all, 1, GOSSIP_PROBED, buffer_bytes(&record));
    seed(context, buffer_bytes(&all));
    buffer_deinit(&record);
    buffer_deinit(&all);
    gossip_free(hearer);
    gossip_free(sayer);
}
