/* SPDX-License-Identifier: MIT */
#include "bus/bus.h"

#include <stdio.h>

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"
#include "bus/frame.h"
#include "bus/link.h"
#include "bus/peer_table.h"

enum {
    OUTPUT_KEEP = 256 * 1024, /* memory that stays when all is sent */
    ADDRESS_MAX = BUS_HOST_MAX + 8,
    LOOK_MS = 1000,
};

#define NEVER UINT64_MAX

enum stage {
    STAGE_DIALING,  /* no connection yet */
    STAGE_GREETING, /* neither side trusts the other yet */
    STAGE_OPEN,
    STAGE_ENDED, /* hung up: nothing of it counts any more, bus_closed is due */
};

struct meet;

struct bus_link {
    struct list at;    /* of bus.young, bus.open or bus.ended, as its stage says */
    struct list ready; /* of bus.ready, or alone */
    struct link link;
    enum stage stage;
    bool blocked;         /* the socket has not taken all yet */
    bool stranger;        /* counts among them */
    bool left;            /* closed on the other side */
    struct peer *peer;    /* dialed: whom for; accepted: who it is. NULL: for a meet, or nobody */
    struct meet *meet;    /* what it was dialed for, or NULL */
    uint64_t claim;       /* accepted: which greeting it was, counted */
    uint64_t base;        /* dialed: peer->sent when it opened */
    uint64_t deadline_ms; /* to be open; then to acknowledge */
    uint64_t seen;        /* dialed: link.acknowledged at the last look */
    unsigned stalls;      /* so many looks ago it moved, while there was something to say */
    uint64_t since_ms;
    uint64_t bytes_in, bytes_out;
    void *connection;
    char address[ADDRESS_MAX];
};

struct meet {
    struct list at; /* of bus.meets */
    char host[BUS_HOST_MAX];
    uint16_t port;
    struct bus_link *link; /* dialed for it, or NULL */
    uint64_t try_ms, wait_ms, until_ms;
};

struct bus {
    struct bus_options options;
    char key[HMAC_SIZE];
    char chance[HMAC_SIZE]; /* from which nonces come */
    uint64_t nonces;        /* so many were used */
    struct random jitter;
    struct peer_table table;
    struct list meets;
    size_t meet_count;
    struct list young, open, ended; /* links: dialing or greeting, open, ended */
    struct list ready;              /* links with output that are not blocked */
    size_t strangers;
    uint64_t claims;
    uint64_t deadline_ms; /* nothing is due before */
    uint64_t now_ms;      /* of the last tick */
    uint64_t look_ms;     /* when to look for silence */
};

struct bus *bus_new(const struct bus_options *options)
{
    struct bus *bus = memory_zeroed(sizeof(*bus));
    bus->options = *options;
    bus->options.secret = BYTES("");
    link_key(options->secret, bus->key);
    struct bytes chance = bytes_of(options->random, sizeof(options->random));
    hmac_sha256(chance, BYTES("nonces"), bus->chance);
    char seed[HMAC_SIZE];
    hmac_sha256(chance, BYTES("jitter"), seed);
    memcpy(&bus->jitter.state, seed, sizeof(bus->jitter.state));
    list_init(&bus->meets);
    list_init(&bus->young);
    list_init(&bus->open);
    list_init(&bus->ended);
    list_init(&bus->ready);
    return bus;
}

static void meet_free(struct bus *bus, struct meet *meet)
{
    if (meet->link)
        meet->link->meet = NULL;
    list_remove(&meet->at);
    bus->meet_count--;
    memory_free(meet);
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    check(list_is_empty(&bus->young) && list_is_empty(&bus->open) && list_is_empty(&bus->ended));
    while (!list_is_empty(&bus->meets))
        meet_free(bus, list_entry(bus->meets.next, struct meet, at));
    peer_table_deinit(&bus->table);
    memory_free(bus);
}

static void draw_nonce(struct bus *bus, char out[LINK_NONCE_SIZE])
{
    char drawn[HMAC_SIZE];
    bus->nonces++;
    hmac_sha256(bytes_of(bus->chance, HMAC_SIZE), bytes_of(&bus->nonces, sizeof(bus->nonces)),
                drawn);
    memcpy(out, drawn, LINK_NONCE_SIZE);
}

/* Something is due at that time. */
static void due(struct bus *bus, uint64_t at_ms)
{
    if (at_ms < bus->deadline_ms)
        bus->deadline_ms = at_ms;
}

uint64_t bus_deadline_ms(const struct bus *bus)
{
    return bus->deadline_ms;
}

/* ---- links -----------------------------------------------------------------------------------
 */

/* Its output has grown. */
static void link_ready(struct bus *bus, struct bus_link *link)
{
    if (link->stage == STAGE_DIALING || link->stage == STAGE_ENDED || link->blocked)
        return;
    if (list_is_empty(&link->ready) && buffer_size(&link->link.output) > 0)
        list_append(&bus->ready, &link->ready);
}

static void link_move(struct bus_link *link, enum stage stage, struct list *list)
{
    link->stage = stage;
    list_remove(&link->at);
    list_append(list, &link->at);
}

static void hang_up(struct bus *bus, struct bus_link *link)
{
    if (link->stage == STAGE_ENDED)
        return;
    link_move(link, STAGE_ENDED, &bus->ended);
    list_remove(&link->ready);
    bus->options.hang_up(bus->options.context, link);
}

static void refuse(struct bus *bus, struct bus_link *link, const char *why, uint64_t now_ms)
{
    if (link->stage == STAGE_ENDED)
        return;
    if (bus->options.refused)
        bus->options.refused(bus->options.context, link->address, why, now_ms);
    hang_up(bus, link);
}

static struct bus_link *link_new(struct bus *bus, enum stage stage, uint64_t now_ms)
{
    struct bus_link *link = memory_zeroed(sizeof(*link));
    link->stage = stage;
    list_init(&link->ready);
    list_append(&bus->young, &link->at);
    link->since_ms = now_ms;
    link->deadline_ms = now_ms + BUS_GREETING_MS;
    due(bus, link->deadline_ms);
    return link;
}

static struct bus_link *link_dial_for(struct bus *bus, enum link_purpose purpose, uint64_t node,
                                      const char *host, uint16_t port, uint64_t now_ms)
{
    char nonce[LINK_NONCE_SIZE];
    draw_nonce(bus, nonce);
    struct bus_link *link = link_new(bus, STAGE_DIALING, now_ms);
    link_dial(&link->link, purpose, bus->options.node, node, bus->key, nonce);
    snprintf(link->address, sizeof(link->address), "%s:%u", host, port);
    return link;
}

static void no_stranger(struct bus *bus, struct bus_link *link)
{
    bus->strangers -= link->stranger;
    link->stranger = false;
}

/* So that those who come and say nothing do not keep out those who would. */
static void send_away_oldest_stranger(struct bus *bus, uint64_t now_ms)
{
    for (struct list *at = bus->young.next; at != &bus->young; at = at->next) {
        struct bus_link *link = list_entry(at, struct bus_link, at);
        if (!link->stranger || link->since_ms + BUS_STRANGER_MS > now_ms)
            continue;
        no_stranger(bus, link);
        hang_up(bus, link);
        return;
    }
}

struct bus_link *bus_accepted(struct bus *bus, const char *address, uint64_t now_ms)
{
    if (bus->strangers == BUS_STRANGERS_MAX)
        send_away_oldest_stranger(bus, now_ms);
    if (bus->strangers == BUS_STRANGERS_MAX)
        return NULL;
    char nonce[LINK_NONCE_SIZE];
    draw_nonce(bus, nonce);
    struct bus_link *link = link_new(bus, STAGE_GREETING, now_ms);
    link_accept(&link->link, bus->options.node, bus->key, nonce);
    snprintf(link->address, sizeof(link->address), "%s", address);
    link->stranger = true;
    bus->strangers++;
    return link;
}

void bus_connected(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    (void)now_ms;
    if (link->stage == STAGE_ENDED)
        return;
    check(link->stage == STAGE_DIALING);
    link->stage = STAGE_GREETING;
    link_ready(bus, link);
}

/* When to try again; each time later. */
static uint64_t next_try(struct bus *bus, uint64_t *wait_ms, uint64_t now_ms)
{
    uint64_t at_ms = now_ms + *wait_ms + random_below(&bus->jitter, *wait_ms / 2);
    *wait_ms = *wait_ms * 2 < BUS_RETRY_MAX_MS ? *wait_ms * 2 : BUS_RETRY_MAX_MS;
    due(bus, at_ms);
    return at_ms;
}

static void tell_unheard(struct bus *bus, uint64_t node, uint64_t now_ms)
{
    if (bus->options.unheard)
        bus->options.unheard(bus->options.context, node, now_ms);
}

void bus_left(struct bus *bus, struct bus_link *link)
{
    (void)bus;
    link->left = true;
}

/* A link of its, in that direction, is gone. */
static void tell_if_ended(struct bus *bus, struct peer *peer, bool was_left, bool *direction,
                          uint64_t now_ms)
{
    *direction = was_left;
    if (!peer->left_out || !peer->left_in)
        return;
    peer->left_out = peer->left_in = false;
    if (bus->options.ended)
        bus->options.ended(bus->options.context, peer->node, now_ms);
}

void bus_closed(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    /* The other side does not say what it thinks of a proof: it goes. */
    if (link->stage == STAGE_GREETING && link->link.state == LINK_AWAITS_WELCOME &&
        bus->options.refused)
        bus->options.refused(bus->options.context, link->address,
                             "it did not accept this node: has it the same cluster-secret?",
                             now_ms);
    struct peer *peer = link->peer;
    if (link->meet) {
        link->meet->try_ms = next_try(bus, &link->meet->wait_ms, now_ms);
        link->meet->link = NULL;
    }
    bool lost = peer && peer->out == link, was_open = link->link.state == LINK_OPEN;
    bool was_left = link->left;
    if (lost) {
        peer->out = NULL;
        peer->try_ms = next_try(bus, &peer->wait_ms, now_ms);
    }
    bool unheard = peer && peer->in == link;
    if (unheard)
        peer->in = NULL;
    no_stranger(bus, link);
    list_remove(&link->at);
    list_remove(&link->ready);
    link_deinit(&link->link);
    memory_free(link);
    if (lost && was_open)
        tell_if_ended(bus, peer, was_left, &peer->left_out, now_ms);
    if (unheard)
        tell_if_ended(bus, peer, was_left, &peer->left_in, now_ms);
    if (lost)
        bus->options.down(bus->options.context, peer->node, now_ms);
    if (unheard)
        tell_unheard(bus, peer->node, now_ms);
}

/* ---- greetings -------------------------------------------------------------------------------
 */

/* What was greeted on before is void: what is unread of it is never read. That goes for greetings
 * that were begun before, too: their proof may still be on its way. */
static void drop_older(struct bus *bus, const struct bus_link *link)
{
    if (link->peer->in)
        hang_up(bus, link->peer->in);
    for (struct list *at = bus->young.next, *next; at != &bus->young; at = next) {
        next = at->next;
        struct bus_link *other = list_entry(at, struct bus_link, at);
        if (!other->link.dialer && other->link.peer == link->link.peer &&
            other->claim < link->claim && other->link.state == LINK_AWAITS_PROOF &&
            other->link.purpose == LINK_SESSION)
            hang_up(bus, other);
    }
}

/* A node has proven itself on a link that it has dialed. */
static void greeted_in(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    no_stranger(bus, link);
    if (link->link.purpose == LINK_INTRODUCTION) /* the dialer will close it, in time */
        return;
    link_move(link, STAGE_OPEN, &bus->open);
    link->since_ms = now_ms;
    link->deadline_ms = NEVER;
    link->peer = peer_take(&bus->table, link->link.peer);
    if (!link->peer) {
        hang_up(bus, link);
        return;
    }
    drop_older(bus, link);
    if (link->peer->in)
        tell_unheard(bus, link->link.peer, now_ms);
    link->peer->in = link;
    link->peer->left_in = false;
    if (!link->peer->wanted)
        bus->options.met(bus->options.context, link->link.peer, BYTES(""), 0, now_ms);
}

static void tell_met(struct bus *bus, struct meet *meet, uint64_t node, uint64_t now_ms)
{
    char host[BUS_HOST_MAX];
    memcpy(host, meet->host, sizeof(host));
    uint16_t port = meet->port;
    meet_free(bus, meet);
    bus->options.met(bus->options.context, node, bytes_text(host), port, now_ms);
}

/* A node that was dialed has proven itself, and counts this link. */
static void greeted_out(struct bus *bus, struct bus_link *link, uint64_t now_ms)
{
    struct peer *peer = link->peer;
    link->since_ms = now_ms;
    link->deadline_ms = NEVER;
    link_move(link, STAGE_OPEN, &bus->open);
    if (link->meet)
        tell_met(bus, link->meet, link->link.peer, now_ms);
    if (!peer) {
        hang_up(bus, link);
        return;
    }
    link->base = peer->settled = peer->sent;
    peer->left_out = false;
    peer->wait_ms = BUS_RETRY_MIN_MS;
    bus->options.up(bus->options.context, peer->node, now_ms);
}

/* Somebody has greeted with this node's own number. With a nonce that is under way from here, it is
 * this node indeed: at the other end of a link that it has dialed. */
static bool meet_itself(struct bus *bus, const struct bus_link *link, uint64_t now_ms)
{
    for (struct list *at = bus->young.next; at != &bus->young; at = at->next) {
        struct bus_link *other = list_entry(at, struct bus_link, at);
        if (!other->link.dialer || memcmp(link_dialer_nonce(&other->link),
                                          link_dialer_nonce(&link->link), LINK_NONCE_SIZE) != 0)
            continue;
        hang_up(bus, other);
        if (other->meet)
            tell_met(bus, other->meet, bus->options.node, now_ms);
        return true;
    }
    return false;
}

/* Who does not take what was said before is told later, all at once. */
static void acknowledge(struct bus *bus, struct bus_link *link)
{
    if (link->blocked)
        return;
    link_acknowledge(&link->link);
    link_ready(bus, link);
}

/* ---- what comes ------------------------------------------------------------------------------
 */

static void hear(struct bus *bus, struct bus_link *link, const struct link_news *news,
                 uint64_t now_ms)
{
    if (link->link.heard - link->link.acknowledged >= BUS_ACK_MESSAGES) {
        acknowledge(bus, link);
    } else if (link->link.heard - link->link.acknowledged == 1) {
        link->deadline_ms = now_ms + BUS_ACK_MS;
        due(bus, link->deadline_ms);
    }
    enum status status = bus->options.message(bus->options.context, link->link.peer, news->type,
                                              news->payload, now_ms);
    if (status != STATUS_OK)
        refuse(bus, link, "its message makes no sense", now_ms);
}

void bus_receive(struct bus *bus, struct bus_link *link, struct bytes bytes, uint64_t now_ms)
{
    link->bytes_in += bytes.size;
    while (link->stage != STAGE_ENDED) {
        struct link_news news;
        enum link_event event = link_next(&link->link, &bytes, &news);
        switch (event) {
        case LINK_QUIET:
            link_ready(bus, link);
            return;
        case LINK_CLAIMED:
            link->claim = ++bus->claims;
            break;
        case LINK_GREETED:
            if (link->link.dialer)
                greeted_out(bus, link, now_ms);
            else
                greeted_in(bus, link, now_ms);
            break;
        case LINK_HEARD:
            hear(bus, link, &news, now_ms);
            break;
        case LINK_ACKNOWLEDGED:
            link->peer->settled = link->base + link->link.acknowledged;
            break;
        case LINK_FAILED:
            if (!link->link.dialer && link->link.peer == bus->options.node &&
                meet_itself(bus, link, now_ms))
                hang_up(bus, link);
            else
                refuse(bus, link, news.reason, now_ms);
            break;
        }
    }
}

/* ---- whom to talk to -------------------------------------------------------------------------
 */

static bool is_host(const char *host)
{
    size_t size = strlen(host);
    return size > 0 && size < BUS_HOST_MAX;
}

void bus_want(struct bus *bus, uint64_t node, const char *host, uint16_t port)
{
    check(node > 0 && node >> LINK_NODE_BITS == 0);
    struct peer *peer =
        node == bus->options.node || !is_host(host) ? NULL : peer_take(&bus->table, node);
    if (!peer)
        return;
    if (!peer->wanted) {
        peer->wanted = true;
        peer->wait_ms = BUS_RETRY_MIN_MS;
        peer->try_ms = 0;
        due(bus, 0);
    }
    memmove(peer->host, host, strlen(host) + 1);
    peer->port = port;
}

void bus_unwant(struct bus *bus, uint64_t node)
{
    struct peer *peer = peer_find(&bus->table, node);
    if (!peer)
        return;
    peer->wanted = false;
    struct bus_link *link = peer->out;
    if (!link)
        return;
    peer->out = NULL;
    link->peer = NULL;
    hang_up(bus, link);
}

static struct meet *meet_find(const struct bus *bus, const char *host, uint16_t port)
{
    for (struct list *at = bus->meets.next; at != &bus->meets; at = at->next) {
        struct meet *meet = list_entry(at, struct meet, at);
        if (meet->port == port && strcmp(meet->host, host) == 0)
            return meet;
    }
    return NULL;
}

void bus_meet(struct bus *bus, const char *host, uint16_t port, uint64_t now_ms, uint64_t ms)
{
    if (!is_host(host))
        return;
    struct meet *meet = meet_find(bus, host, port);
    if (!meet) {
        if (bus->meet_count == BUS_MEETS_MAX)
            return;
        meet = memory_zeroed(sizeof(*meet));
        memcpy(meet->host, host, strlen(host) + 1);
        meet->port = port;
        meet->wait_ms = BUS_RETRY_MIN_MS;
        meet->try_ms = now_ms;
        list_append(&bus->meets, &meet->at);
        bus->meet_count++;
        due(bus, now_ms);
    }
    if (meet->until_ms < now_ms + ms)
        meet->until_ms = now_ms + ms;
}

static struct bus_link *open_link(const struct bus *bus, uint64_t node)
{
    struct peer *peer = peer_find(&bus->table, node);
    return peer && peer->out && peer->out->stage == STAGE_OPEN ? peer->out : NULL;
}

bool bus_is_up(const struct bus *bus, uint64_t node)
{
    return open_link(bus, node) != NULL;
}

bool bus_hears(const struct bus *bus, uint64_t node)
{
    const struct peer *peer = peer_find(&bus->table, node);
    return peer && peer->in;
}

uint64_t bus_sent_count(const struct bus *bus, uint64_t node)
{
    struct peer *peer = peer_find(&bus->table, node);
    return peer ? peer->sent : 0;
}

uint64_t bus_settled_count(const struct bus *bus, uint64_t node)
{
    struct peer *peer = peer_find(&bus->table, node);
    return peer ? peer->settled : 0;
}

static bool send_message(void *context, uint64_t node, unsigned type, struct bytes payload)
{
    struct bus *bus = context;
    struct bus_link *link = open_link(bus, node);
    if (!link ||
        buffer_size(&link->link.output) + FRAME_HEADER_SIZE + payload.size > BUS_OUTPUT_MAX)
        return false;
    link_send(&link->link, type, payload);
    link->peer->sent++;
    link_ready(bus, link);
    return true;
}

struct outbox bus_outbox(struct bus *bus)
{
    return (struct outbox){send_message, bus};
}

/* ---- what goes -------------------------------------------------------------------------------
 */

struct bus_link *bus_next_output(struct bus *bus)
{
    if (list_is_empty(&bus->ready))
        return NULL;
    struct bus_link *link = list_entry(bus->ready.next, struct bus_link, ready);
    list_remove(&link->ready);
    link->blocked = true; /* until all of it went */
    return link;
}

struct bytes bus_output(const struct bus_link *link)
{
    return buffer_bytes(&link->link.output);
}

void bus_sent(struct bus *bus, struct bus_link *link, size_t size)
{
    buffer_consume(&link->link.output, size);
    link->bytes_out += size;
    if (buffer_size(&link->link.output) > 0)
        return;
    buffer_clear(&link->link.output, OUTPUT_KEEP);
    link->blocked = false;
    if (link->stage == STAGE_OPEN && link->deadline_ms == NEVER) /* it was due meanwhile */
        acknowledge(bus, link);
}

void *bus_connection(const struct bus_link *link)
{
    return link->connection;
}

void bus_set_connection(struct bus_link *link, void *connection)
{
    link->connection = connection;
}

/* ---- time ------------------------------------------------------------------------------------
 */

static void pull_back(uint64_t *at_ms, uint64_t by_ms)
{
    if (*at_ms != NEVER)
        *at_ms = *at_ms > by_ms ? *at_ms - by_ms : 0;
}

/* The clock was set back: what was due soon still is. */
static void follow_clock(struct bus *bus, uint64_t by_ms)
{
    pull_back(&bus->look_ms, by_ms);
    for (size_t i = 0; i < bus->table.count; i++)
        pull_back(&bus->table.peers[i]->try_ms, by_ms);
    for (struct list *at = bus->meets.next; at != &bus->meets; at = at->next) {
        struct meet *meet = list_entry(at, struct meet, at);
        pull_back(&meet->try_ms, by_ms);
        pull_back(&meet->until_ms, by_ms);
    }
    for (struct list *at = bus->young.next; at != &bus->young; at = at->next)
        pull_back(&list_entry(at, struct bus_link, at)->deadline_ms, by_ms);
    for (struct list *at = bus->open.next; at != &bus->open; at = at->next)
        pull_back(&list_entry(at, struct bus_link, at)->deadline_ms, by_ms);
}

static void tick_links(struct bus *bus, struct list *links, uint64_t now_ms)
{
    for (struct list *at = links->next, *next; at != links; at = next) {
        next = at->next;
        struct bus_link *link = list_entry(at, struct bus_link, at);
        if (link->deadline_ms > now_ms) {
            due(bus, link->deadline_ms);
        } else if (link->stage == STAGE_OPEN) {
            link->deadline_ms = NEVER;
            acknowledge(bus, link);
        } else {
            hang_up(bus, link);
        }
    }
}

/* A peer whose machine has lost its power closes nothing, and TCP waits for minutes. Looks are
 * counted, not time: a clock that jumps makes nobody silent. */
static void look_for_silence(struct bus *bus, uint64_t now_ms)
{
    if (bus->look_ms <= now_ms) {
        bus->look_ms = now_ms + LOOK_MS;
        for (size_t i = 0; i < bus->table.count; i++) {
            struct bus_link *link = bus->table.peers[i]->out;
            if (!link || link->stage != STAGE_OPEN)
                continue;
            uint64_t acknowledged = link->link.acknowledged;
            bool stalled = acknowledged < link->link.sent && acknowledged == link->seen;
            link->stalls = stalled ? link->stalls + 1 : 0;
            link->seen = acknowledged;
            if (link->stalls > BUS_SILENCE_MS / LOOK_MS)
                hang_up(bus, link);
        }
    }
    if (!list_is_empty(&bus->open))
        due(bus, bus->look_ms);
}

static void tick_peers(struct bus *bus, uint64_t now_ms)
{
    for (size_t i = 0; i < bus->table.count; i++) {
        struct peer *peer = bus->table.peers[i];
        if (!peer->wanted || peer->out)
            continue;
        if (peer->try_ms > now_ms) {
            due(bus, peer->try_ms);
            continue;
        }
        peer->out = link_dial_for(bus, LINK_SESSION, peer->node, peer->host, peer->port, now_ms);
        peer->out->peer = peer;
        bus->options.dial(bus->options.context, peer->out, peer->host, peer->port);
    }
}

static void tick_meets(struct bus *bus, uint64_t now_ms)
{
    for (struct list *at = bus->meets.next, *next; at != &bus->meets; at = next) {
        next = at->next;
        struct meet *meet = list_entry(at, struct meet, at);
        if (meet->until_ms <= now_ms) {
            if (meet->link)
                hang_up(bus, meet->link);
            meet_free(bus, meet);
            continue;
        }
        due(bus, meet->until_ms);
        if (meet->link)
            continue;
        if (meet->try_ms > now_ms) {
            due(bus, meet->try_ms);
            continue;
        }
        meet->link = link_dial_for(bus, LINK_INTRODUCTION, 0, meet->host, meet->port, now_ms);
        meet->link->meet = meet;
        bus->options.dial(bus->options.context, meet->link, meet->host, meet->port);
    }
}

void bus_tick(struct bus *bus, uint64_t now_ms)
{
    if (now_ms < bus->now_ms)
        follow_clock(bus, bus->now_ms - now_ms);
    bus->now_ms = now_ms;
    bus->deadline_ms = NEVER;
    tick_links(bus, &bus->young, now_ms);
    tick_links(bus, &bus->open, now_ms);
    look_for_silence(bus, now_ms);
    tick_peers(bus, now_ms);
    tick_meets(bus, now_ms);
}

/* ---- what there is ---------------------------------------------------------------------------
 */

static void describe(const struct bus_link *link, struct bus_link_view *out)
{
    bool dialed = link->link.dialer;
    *out = (struct bus_link_view){
        .node = link->link.peer,
        .dialed = dialed,
        .since_ms = link->since_ms,
        .output_bytes = buffer_size(&link->link.output),
        .bytes_in = link->bytes_in,
        .bytes_out = link->bytes_out,
        .messages_in = dialed ? 0 : link->link.heard,
        .messages_out = dialed ? link->link.sent : 0,
    };
}

bool bus_link_at(const struct bus *bus, size_t index, struct bus_link_view *out)
{
    for (size_t i = 0; i < bus->table.count; i++) {
        const struct bus_link *links[] = {bus->table.peers[i]->out, bus->table.peers[i]->in};
        for (size_t j = 0; j < 2; j++) {
            if (!links[j] || links[j]->stage != STAGE_OPEN)
                continue;
            if (index-- > 0)
                continue;
            describe(links[j], out);
            return true;
        }
    }
    return false;
}
