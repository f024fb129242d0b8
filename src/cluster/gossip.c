/* SPDX-License-Identifier: MIT */
/*
 * Who says what. Each round two nodes compare hashes of all that they know; where these differ, the
 * one asked shows its digest (who, generation, version), and both send what the other lacks:
 *
 *   A                         B
 *   SUMMARY       ->
 *                 <-          DIGEST    if its own hash is another
 *   ENTRIES, ASK  ->
 *                 <-          ENTRIES
 */
#include "cluster/gossip_state.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/xxh.h"

/* ---- the table of peers ---------------------------------------------------------------------- */

static size_t place_of(const struct gossip *gossip, uint64_t node)
{
    size_t low = 0, high = gossip->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gossip->peers[middle]->view.said.node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct peer *gossip_find(const struct gossip *gossip, uint64_t node)
{
    size_t place = place_of(gossip, node);
    struct peer *peer = place < gossip->count ? gossip->peers[place] : NULL;
    return peer && peer->view.said.node == node ? peer : NULL;
}

static struct peer *insert(struct gossip *gossip, uint64_t node)
{
    size_t place = place_of(gossip, node);
    if (gossip->count == gossip->capacity) {
        gossip->capacity = gossip->capacity ? 2 * gossip->capacity : 8;
        gossip->peers = memory_resize(gossip->peers, gossip->capacity * sizeof(*gossip->peers));
    }
    struct peer *peer = memory_zeroed(sizeof(*peer));
    list_init(&peer->watched);
    memmove(gossip->peers + place + 1, gossip->peers + place,
            (gossip->count - place) * sizeof(*gossip->peers));
    gossip->peers[place] = peer;
    gossip->count++;
    peer->view.said.node = node;
    return peer;
}

bool gossip_suits_up(const struct peer *peer, uint64_t except)
{
    return peer->view.life == GOSSIP_UP && !peer->broken && peer->view.said.node != except;
}

static bool suits_not_down(const struct peer *peer, uint64_t except)
{
    return peer->view.life != GOSSIP_DOWN && peer->view.said.node != except;
}

static bool suits_down(const struct peer *peer, uint64_t except)
{
    return peer->view.life == GOSSIP_DOWN && peer->view.said.node != except;
}

size_t gossip_draw(struct gossip *gossip, bool (*suits)(const struct peer *, uint64_t except),
                   uint64_t except, size_t limit, struct peer **out)
{
    size_t drawn = 0;
    while (drawn < limit && drawn < gossip->count) {
        size_t start = random_below(&gossip->random, gossip->count);
        struct peer *found = NULL;
        for (size_t i = 0; i < gossip->count && !found; i++) {
            struct peer *peer = gossip->peers[(start + i) % gossip->count];
            bool taken = !suits(peer, except);
            for (size_t j = 0; j < drawn && !taken; j++)
                taken = out[j] == peer;
            found = taken ? NULL : peer;
        }
        if (!found)
            break;
        out[drawn++] = found;
    }
    return drawn;
}

/* ---- saying ---------------------------------------------------------------------------------- */

/* What stands in gossip->out, which is empty then. */
bool gossip_say(struct gossip *gossip, uint64_t node, enum gossip_message type)
{
    check(buffer_size(&gossip->out) <= MESSAGE_SIZE_MAX);
    bool sent = outbox_send(&gossip->outbox, node, type, buffer_bytes(&gossip->out));
    buffer_clear(&gossip->out, 2 * GOSSIP_PART_SIZE);
    return sent;
}

void gossip_entry_of(const struct peer *peer, struct gossip_entry *out)
{
    *out = (struct gossip_entry){peer->view.said, peer->version, peer->incarnation};
}

static struct gossip_mark mark_of(const struct gossip_entry *entry)
{
    return (struct gossip_mark){entry->said.node, entry->said.generation, entry->version};
}

static struct gossip_mark peer_mark(const struct peer *peer)
{
    return (struct gossip_mark){peer->view.said.node, peer->view.said.generation, peer->version};
}

static uint64_t mark_hash(struct gossip_mark mark)
{
    char bytes[3 * sizeof(uint64_t)];
    pack_u64(pack_u64(pack_u64(bytes, mark.node), mark.generation), mark.version);
    return xxh64(bytes_of(bytes, sizeof(bytes)));
}

static void say_summary(struct gossip *gossip, uint64_t node)
{
    char bytes[sizeof(uint64_t)];
    gossip->summary_ms = gossip->time_ms;
    pack_u64(bytes, gossip->summary);
    buffer_append(&gossip->out, bytes, sizeof(bytes));
    gossip_say(gossip, node, GOSSIP_SUMMARY);
}

void gossip_say_own(struct gossip *gossip, uint64_t node)
{
    gossip_put_entry(&gossip->out, &gossip->own);
    gossip_say(gossip, node, GOSSIP_ENTRIES);
}

static void say_digest(struct gossip *gossip, uint64_t node)
{
    struct gossip_mark own = mark_of(&gossip->own);
    bool own_put = false;
    for (size_t i = 0; i < gossip->count; i++) {
        struct gossip_mark mark = peer_mark(gossip->peers[i]);
        if (!own_put && own.node < mark.node) {
            gossip_put_mark(&gossip->out, &own);
            own_put = true;
        }
        gossip_put_mark(&gossip->out, &mark);
    }
    if (!own_put)
        gossip_put_mark(&gossip->out, &own);
    gossip_say(gossip, node, GOSSIP_DIGEST);
}

/* Adds an entry to those that are said to that node, which go in parts. */
static void say_entry(struct gossip *gossip, uint64_t node, const struct gossip_entry *entry)
{
    gossip_put_entry(&gossip->out, entry);
    if (buffer_size(&gossip->out) >= GOSSIP_PART_SIZE)
        gossip_say(gossip, node, GOSSIP_ENTRIES);
}

static void say_rest(struct gossip *gossip, uint64_t node, enum gossip_message type)
{
    if (buffer_size(&gossip->out) > 0)
        gossip_say(gossip, node, type);
}

void gossip_publish(struct gossip *gossip)
{
    struct gossip_entry *own = &gossip->own;
    check(gossip->self.node == own->said.node);
    gossip->summary ^= mark_hash(mark_of(own));
    own->said = gossip->self;
    gossip_clean_text(own->said.host, sizeof(own->said.host), true);
    gossip_clean_text(own->said.zone, sizeof(own->said.zone), false);
    own->version++;
    gossip->summary ^= mark_hash(mark_of(own));
}

/* ---- hearing entries ------------------------------------------------------------------------- */

static bool is_newer(struct gossip_mark a, struct gossip_mark b)
{
    return a.generation > b.generation || (a.generation == b.generation && a.version > b.version);
}

static bool says_same(const struct gossip_self *a, const struct gossip_self *b)
{
    return a->generation == b->generation && strcmp(a->host, b->host) == 0 && a->port == b->port &&
           a->bus_port == b->bus_port && strcmp(a->zone, b->zone) == 0 && a->weight == b->weight &&
           a->leaving == b->leaving && a->cluster == b->cluster &&
           a->layout_version == b->layout_version && a->synced_version == b->synced_version &&
           a->absent_count == b->absent_count && a->lost == b->lost &&
           a->empty_version == b->empty_version &&
           memcmp(a->absent, b->absent, a->absent_count * sizeof(a->absent[0])) == 0;
}

static bool is_forgotten(const struct gossip *gossip, uint64_t node, uint64_t generation)
{
    for (unsigned i = 0; i < gossip->forgotten_count; i++) {
        const struct forgotten *forgotten = &gossip->forgotten[i];
        if (forgotten->node == node && generation <= forgotten->generation &&
            gossip->time_ms < forgotten->end_ms)
            return true;
    }
    return false;
}

/* Somebody says more of this node than it has said itself: in an earlier life whose clock was
 * ahead, or there are two with its number. It outbids that in the next round, or nobody would
 * listen to it. */
static void hear_of_self(struct gossip *gossip, const struct gossip_entry *entry)
{
    struct gossip_mark heard = mark_of(entry);
    struct gossip_mark outbid = {0, gossip->outbid_generation, gossip->outbid_version};
    if (!is_newer(heard, mark_of(&gossip->own)) || !is_newer(heard, outbid) ||
        heard.generation >= GOSSIP_OUTBID_MAX || heard.version >= GOSSIP_OUTBID_MAX)
        return;
    gossip->outbid_generation = heard.generation;
    gossip->outbid_version = heard.version;
}

static void outbid(struct gossip *gossip)
{
    if (gossip->outbid_generation == 0)
        return;
    if (gossip->outbid_generation > gossip->self.generation) {
        /* gossip_publish takes it from there, with all else that is of one generation. */
        gossip->self.generation = gossip->outbid_generation + 1;
    } else if (gossip->outbid_version > gossip->own.version) {
        gossip->summary ^= mark_hash(mark_of(&gossip->own));
        gossip->own.version = gossip->outbid_version;
        gossip->summary ^= mark_hash(mark_of(&gossip->own));
    }
    gossip->outbid_generation = gossip->outbid_version = 0;
    gossip->version++;
    gossip_publish(gossip);
    rumour_news(gossip, NULL);
}

static struct peer *meet(struct gossip *gossip, const struct gossip_entry *entry)
{
    if (gossip->count == GOSSIP_PEERS_MAX)
        return NULL;
    struct peer *peer = insert(gossip, entry->said.node);
    peer->view.said = entry->said;
    peer->version = entry->version;
    peer->incarnation = entry->incarnation;
    gossip->summary ^= mark_hash(peer_mark(peer));
    gossip->version++;
    probe_begin(gossip, peer);
    return peer;
}

/* News are passed on where they are new. */
static void hear_entry(struct gossip *gossip, const struct gossip_entry *entry, bool news)
{
    uint64_t node = entry->said.node;
    if (node == gossip->self.node) {
        hear_of_self(gossip, entry);
        return;
    }
    if (is_forgotten(gossip, node, entry->said.generation))
        return;
    struct peer *peer = gossip_find(gossip, node);
    if (!peer) {
        peer = meet(gossip, entry);
        if (peer && news)
            rumour_news(gossip, peer);
        return;
    }
    if (!is_newer(mark_of(entry), peer_mark(peer)))
        return;
    bool restarted = entry->said.generation > peer->view.said.generation;
    bool refuted = !restarted && entry->incarnation > peer->incarnation;
    bool same = says_same(&entry->said, &peer->view.said);
    gossip->version += !same;
    gossip->summary ^= mark_hash(peer_mark(peer));
    peer->view.said = entry->said;
    peer->version = entry->version;
    gossip->summary ^= mark_hash(peer_mark(peer));
    if (restarted) {
        peer->incarnation = entry->incarnation;
        probe_restarted(gossip, peer);
    } else if (refuted) {
        peer->incarnation = entry->incarnation;
        rumour_refuted(peer);
        if (peer->view.life != GOSSIP_UP && entry->incarnation > peer->suspect_incarnation)
            probe_vouch(gossip, peer);
    }
    if (news && (!same || refuted))
        rumour_news(gossip, peer);
}

static enum status hear_entries(struct gossip *gossip, struct unpack *in, bool news)
{
    while (gossip_has_more(in)) {
        struct gossip_entry entry;
        gossip_take_entry(in, &entry);
        if (!in->failed)
            hear_entry(gossip, &entry, news);
    }
    return gossip_taken(in);
}

/* ---- hearing digests ------------------------------------------------------------------------- */

static enum status hear_summary(struct gossip *gossip, uint64_t from, struct unpack *in)
{
    uint64_t summary = unpack_next_u64(in);
    if (gossip_taken(in) == STATUS_OK && summary != gossip->summary)
        say_digest(gossip, from);
    return gossip_taken(in);
}

/* Ascending, as many as there may be; NULL: they are not. To be freed. */
static struct gossip_mark *take_marks(struct unpack *in, size_t *out_count)
{
    struct gossip_mark *marks = NULL;
    size_t count = 0, capacity = 0;
    while (gossip_has_more(in)) {
        struct gossip_mark mark;
        gossip_take_mark(in, &mark);
        if (count > GOSSIP_PEERS_MAX || (count > 0 && mark.node <= marks[count - 1].node))
            in->failed = true;
        if (in->failed)
            break;
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            marks = memory_resize(marks, capacity * sizeof(*marks));
        }
        marks[count++] = mark;
    }
    *out_count = count;
    return marks;
}

static const struct gossip_mark *find_mark(const struct gossip_mark *marks, size_t count,
                                           uint64_t node)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (marks[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && marks[low].node == node ? &marks[low] : NULL;
}

/* What this node knows of it; nothing: zeros. */
static struct gossip_mark known_mark(const struct gossip *gossip, uint64_t node)
{
    if (node == gossip->self.node)
        return mark_of(&gossip->own);
    const struct peer *peer = gossip_find(gossip, node);
    return peer ? peer_mark(peer) : (struct gossip_mark){.node = node};
}

/* Says what is newer than in these marks. `all`: what isn't among them, too. */
static void say_newer(struct gossip *gossip, uint64_t node, const struct gossip_mark *marks,
                      size_t count, bool all)
{
    struct gossip_mark own = mark_of(&gossip->own);
    const struct gossip_mark *mark = find_mark(marks, count, own.node);
    if (mark ? is_newer(own, *mark) : all)
        say_entry(gossip, node, &gossip->own);
    for (size_t i = 0; i < gossip->count; i++) {
        struct gossip_entry entry;
        struct gossip_mark known = peer_mark(gossip->peers[i]);
        mark = find_mark(marks, count, known.node);
        if (mark ? !is_newer(known, *mark) : !all)
            continue;
        gossip_entry_of(gossip->peers[i], &entry);
        say_entry(gossip, node, &entry);
    }
    say_rest(gossip, node, GOSSIP_ENTRIES);
}

static void ask_newer(struct gossip *gossip, uint64_t node, const struct gossip_mark *marks,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gossip_mark known = known_mark(gossip, marks[i].node);
        if (is_newer(marks[i], known) && !is_forgotten(gossip, marks[i].node, marks[i].generation))
            gossip_put_mark(&gossip->out, &known);
    }
    say_rest(gossip, node, GOSSIP_ASK);
}

static enum status hear_marks(struct gossip *gossip, uint64_t from, struct unpack *in, bool digest)
{
    size_t count;
    struct gossip_mark *marks = take_marks(in, &count);
    enum status status = gossip_taken(in);
    if (status == STATUS_OK) {
        say_newer(gossip, from, marks, count, digest);
        if (digest)
            ask_newer(gossip, from, marks, count);
    }
    memory_free(marks);
    return status;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void advance(struct gossip *gossip, uint64_t now_ms)
{
    if (now_ms > gossip->clock_ms)
        gossip->time_ms += now_ms - gossip->clock_ms;
    gossip->clock_ms = now_ms;
}

static void forgotten_end(struct gossip *gossip)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < gossip->forgotten_count; i++)
        if (gossip->time_ms < gossip->forgotten[i].end_ms)
            gossip->forgotten[kept++] = gossip->forgotten[i];
    gossip->forgotten_count = kept;
}

static void reconcile(struct gossip *gossip)
{
    struct peer *peer;
    if (gossip_draw(gossip, gossip_suits_up, gossip->self.node, 1, &peer) == 1 ||
        gossip_draw(gossip, suits_not_down, gossip->self.node, 1, &peer) == 1)
        say_summary(gossip, peer->view.said.node);
    if (random_once_in(&gossip->random, GOSSIP_DOWN_ODDS) &&
        gossip_draw(gossip, suits_down, gossip->self.node, 1, &peer) == 1)
        say_summary(gossip, peer->view.said.node);
}

static void round_of_all(struct gossip *gossip)
{
    outbid(gossip);
    forgotten_end(gossip);
    rumour_step(gossip);
    probe_round(gossip);
    reconcile(gossip);
}

void gossip_tick(struct gossip *gossip, uint64_t now_ms)
{
    advance(gossip, now_ms);
    if (gossip->time_ms >= gossip->step_ms) {
        if (gossip->time_ms - gossip->step_ms >= GOSSIP_LATE_MS)
            probe_pardon(gossip);
        gossip->step_ms = gossip->time_ms + GOSSIP_STEP_MS;
        probe_step(gossip);
    }
    if (gossip->time_ms >= gossip->round_ms) {
        gossip->round_ms = gossip->time_ms + GOSSIP_INTERVAL_MS;
        round_of_all(gossip);
    }
    rumour_flush(gossip);
}

uint64_t gossip_deadline_ms(const struct gossip *gossip)
{
    uint64_t due_ms = gossip->step_ms < gossip->round_ms ? gossip->step_ms : gossip->round_ms;
    if (gossip->has_news && gossip->news_ms < due_ms)
        due_ms = gossip->news_ms;
    return due_ms > gossip->time_ms ? gossip->clock_ms + (due_ms - gossip->time_ms)
                                    : gossip->clock_ms;
}

/* ---- what the owner calls -------------------------------------------------------------------- */

struct gossip *gossip_new(const struct gossip_options *options, uint64_t now_ms)
{
    struct gossip *gossip = memory_zeroed(sizeof(*gossip));
    gossip->self = options->self;
    gossip->outbox = options->outbox;
    gossip->random.state = options->random;
    list_init(&gossip->watched);
    gossip->clock.sure = true;
    gossip->clock_ms = gossip->time_ms = gossip->start_ms = now_ms;
    gossip->step_ms = now_ms + GOSSIP_STEP_MS;
    /* Not all of those that are started together shall speak at once. */
    gossip->round_ms = now_ms + random_below(&gossip->random, GOSSIP_INTERVAL_MS);
    gossip->next_probe = random_below(&gossip->random, GOSSIP_PEERS_MAX);
    check(gossip->self.generation < GOSSIP_OUTBID_MAX);
    gossip->own.said = gossip->self;
    gossip->summary = mark_hash(mark_of(&gossip->own));
    gossip_publish(gossip);
    return gossip;
}

void gossip_free(struct gossip *gossip)
{
    if (!gossip)
        return;
    for (size_t i = 0; i < gossip->count; i++)
        memory_free(gossip->peers[i]);
    memory_free(gossip->peers);
    memory_free(gossip->forgotten);
    buffer_deinit(&gossip->out);
    memory_free(gossip);
}

struct gossip_self *gossip_self(struct gossip *gossip)
{
    return &gossip->self;
}

void gossip_changed(struct gossip *gossip)
{
    struct gossip_self said = gossip->self;
    gossip_clean_text(said.host, sizeof(said.host), true);
    gossip_clean_text(said.zone, sizeof(said.zone), false);
    if (says_same(&said, &gossip->own.said))
        return;
    gossip->version++;
    gossip_publish(gossip);
    rumour_news(gossip, NULL);
    rumour_flush(gossip);
}

static enum status receive(struct gossip *gossip, uint64_t from, unsigned type, struct unpack *in)
{
    switch (type) {
    case GOSSIP_SUMMARY:
        return hear_summary(gossip, from, in);
    case GOSSIP_DIGEST:
    case GOSSIP_ASK:
        return hear_marks(gossip, from, in, type == GOSSIP_DIGEST);
    case GOSSIP_ENTRIES:
    case GOSSIP_NEWS:
        return hear_entries(gossip, in, type == GOSSIP_NEWS);
    case GOSSIP_PROBE:
        return probe_hear(gossip, from, in);
    case GOSSIP_ANSWER:
        return probe_hear_answer(gossip, from, in);
    case GOSSIP_PROBE_FOR:
        return probe_hear_errand(gossip, from, in);
    case GOSSIP_PROBED:
        return probe_hear_probed(gossip, in);
    case GOSSIP_REPORTS:
        return rumour_hear_reports(gossip, from, in);
    default: /* a newer node's */
        return STATUS_OK;
    }
}

enum status gossip_receive(struct gossip *gossip, uint64_t from, unsigned type,
                           struct bytes payload, uint64_t now_ms)
{
    struct unpack in = unpack_begin(payload);
    if (from == gossip->self.node || message_family(type) != MESSAGES_GOSSIP)
        return STATUS_CORRUPT;
    advance(gossip, now_ms);
    enum status status = receive(gossip, from, type, &in);
    rumour_flush(gossip);
    return status;
}

void gossip_link_up(struct gossip *gossip, uint64_t node, uint64_t now_ms)
{
    struct peer *peer = gossip_find(gossip, node);
    advance(gossip, now_ms);
    if (peer) {
        peer->broken = false;
        probe_send(gossip, peer);
    }
    gossip_say_own(gossip, node);
    /* When hundreds come up together, each of them need not show us its digest. */
    if (gossip->count <= GOSSIP_PROBES || gossip->time_ms >= gossip->summary_ms + GOSSIP_NEWS_MS)
        say_summary(gossip, node);
}

static void suspect(struct gossip *gossip, struct peer *peer)
{
    if (peer->view.life == GOSSIP_UP)
        probe_suspect(gossip, peer);
    rumour_flush(gossip);
}

void gossip_link_down(struct gossip *gossip, uint64_t node, uint64_t now_ms)
{
    struct peer *peer = gossip_find(gossip, node);
    advance(gossip, now_ms);
    if (!peer)
        return;
    peer->broken = true;
    suspect(gossip, peer);
}

void gossip_silent(struct gossip *gossip, uint64_t node, uint64_t now_ms)
{
    struct peer *peer = gossip_find(gossip, node);
    advance(gossip, now_ms);
    if (!peer)
        return;
    peer->cleared = true;
    suspect(gossip, peer);
}

void gossip_stalled(struct gossip *gossip, uint64_t stalled_ms, uint64_t now_ms)
{
    advance(gossip, now_ms);
    if (stalled_ms < GOSSIP_STEP_MS)
        return;
    gossip->step_ms = gossip->time_ms;
    probe_pardon(gossip);
}

void gossip_forget(struct gossip *gossip, uint64_t node, uint64_t now_ms)
{
    struct peer *peer = gossip_find(gossip, node);
    advance(gossip, now_ms);
    if (!peer)
        return;
    if (!gossip->forgotten)
        gossip->forgotten = memory_alloc(GOSSIP_FORGOTTEN_MAX * sizeof(*gossip->forgotten));
    if (gossip->forgotten_count == GOSSIP_FORGOTTEN_MAX)
        memmove(gossip->forgotten, gossip->forgotten + 1,
                --gossip->forgotten_count * sizeof(*gossip->forgotten));
    gossip->forgotten[gossip->forgotten_count++] =
        (struct forgotten){node, peer->view.said.generation, gossip->time_ms + GOSSIP_FORGOTTEN_MS};
    gossip->summary ^= mark_hash(peer_mark(peer));
    list_remove(&peer->watched);
    size_t place = place_of(gossip, node);
    gossip->count--;
    memmove(gossip->peers + place, gossip->peers + place + 1,
            (gossip->count - place) * sizeof(*gossip->peers));
    memory_free(peer);
    gossip->version++;
}

const struct gossip_peer *gossip_peer(const struct gossip *gossip, uint64_t node)
{
    const struct peer *peer = gossip_find(gossip, node);
    return peer ? &peer->view : NULL;
}

const struct gossip_peer *gossip_peer_at(const struct gossip *gossip, size_t index)
{
    return index < gossip->count ? &gossip->peers[index]->view : NULL;
}

bool gossip_is_up(const struct gossip *gossip, uint64_t node)
{
    const struct peer *peer = gossip_find(gossip, node);
    return node == gossip->self.node || (peer && peer->view.life == GOSSIP_UP);
}

uint64_t gossip_version(const struct gossip *gossip)
{
    return gossip->version;
}

int64_t gossip_clock_offset_ms(const struct gossip *gossip)
{
    return gossip->offset_ms;
}

size_t gossip_clock_voters(const struct gossip *gossip, bool *out_sure)
{
    *out_sure = gossip->sure;
    return gossip->voters;
}

void gossip_set_clock(struct gossip *gossip, const struct gossip_clock *clock)
{
    gossip->clock = *clock;
}

size_t gossip_walls_near(const struct gossip *gossip, uint64_t wall_ms, uint64_t off_ms)
{
    size_t near = 0;
    for (size_t i = 0; i < gossip->count; i++) {
        const struct peer *peer = gossip->peers[i];
        int64_t off = (int64_t)(wall_ms - gossip->clock_ms) + peer->wall_ms;
        near += peer->has_offset && (uint64_t)llabs(off) <= off_ms;
    }
    return near;
}

size_t gossip_peer_count(const struct gossip *gossip)
{
    return gossip->count;
}

bool gossip_clock_is_known(const struct gossip *gossip)
{
    size_t told = 0;
    for (size_t i = 0; i < gossip->count; i++)
        told += gossip->peers[i]->has_offset;
    return told >= 2 || (told > 0 && told == gossip->count);
}
