/* SPDX-License-Identifier: MIT */
/*
 * Who answers. A peer's life as this node sees it:
 *
 *              no answer (phi), or the link broke
 *        UP  -------------------------------------->  SUSPECT
 *         ^  <--------------------------------------   |   ^
 *         |     it answers a later probe; once only,   |   |  somebody has heard of it
 *         |     others' word is enough                 v   |
 *         +------------------------------------------  DOWN
 *               it answers                             nobody vouched for it during the suspicion
 *
 * Others' word: one of those that were asked to probe it got an answer, or it has refuted the
 * suspicion itself. That stops the way to DOWN. It makes UP only once until it answers itself: who
 * cannot be reached from here cannot be relied on from here, even when others reach it.
 */
#include <stdlib.h>

#include "base/check.h"
#include "cluster/gossip_state.h"

static uint64_t patience(const struct gossip *gossip, uint64_t ms)
{
    return ms * (1 + gossip->health);
}

static void set_life(struct gossip *gossip, struct peer *peer, enum gossip_life life)
{
    peer->view.life = life;
    peer->view.since_ms = gossip->clock_ms;
    gossip->version++;
}

static void watch(struct gossip *gossip, struct peer *peer)
{
    if (list_is_empty(&peer->watched))
        list_append(&gossip->watched, &peer->watched);
}

void probe_trouble(struct gossip *gossip)
{
    gossip->troubled = true;
}

/* ---- probes of our own ----------------------------------------------------------------------- */

void probe_send(struct gossip *gossip, struct peer *peer)
{
    if (!peer->waiting) {
        peer->waiting = true;
        peer->waiting_ms = gossip->time_ms;
    }
    if (peer->view.life != GOSSIP_DOWN)
        watch(gossip, peer);
    peer->retry_ms = gossip->time_ms + GOSSIP_RETRY_MS;
    gossip_put_number(&gossip->out, ++gossip->number);
    gossip_put_number(&gossip->out, gossip->time_ms);
    gossip_say(gossip, peer->view.said.node, GOSSIP_PROBE);
}

/* Asks others to probe it. */
static void ask_others(struct gossip *gossip, struct peer *peer)
{
    struct peer *others[GOSSIP_INDIRECT];
    uint64_t node = peer->view.said.node;
    if (peer->asked > 0 && peer->replied == 0)
        probe_trouble(gossip); /* not even a no: it's rather us than all of them */
    peer->asked = peer->replied = 0;
    peer->asked_ms = gossip->time_ms;
    size_t count = gossip_draw(gossip, gossip_suits_up, node, GOSSIP_INDIRECT, others);
    for (size_t i = 0; i < count; i++) {
        gossip_put_number(&gossip->out, ++gossip->number);
        gossip_put_node(&gossip->out, node);
        peer->asked += gossip_say(gossip, others[i]->view.said.node, GOSSIP_PROBE_FOR);
    }
}

/* A suspicion begins, or begins anew: what was asked before says nothing of it. */
static void begin_suspicion(struct gossip *gossip, struct peer *peer)
{
    peer->suspect_probe = gossip->number;
    peer->suspect_incarnation = peer->incarnation;
    peer->down_ms = gossip->time_ms + patience(gossip, GOSSIP_SUSPICION_MS);
    peer->asked = peer->replied = 0;
}

void probe_begin(struct gossip *gossip, struct peer *peer)
{
    set_life(gossip, peer, GOSSIP_SUSPECT); /* until it answers; that is not told to others */
    begin_suspicion(gossip, peer);
    probe_send(gossip, peer);
}

void probe_suspect(struct gossip *gossip, struct peer *peer)
{
    check(peer->view.life == GOSSIP_UP);
    set_life(gossip, peer, GOSSIP_SUSPECT);
    begin_suspicion(gossip, peer);
    rumour_report(gossip, peer);
    probe_send(gossip, peer);
    ask_others(gossip, peer);
}

void probe_vouch(struct gossip *gossip, struct peer *peer)
{
    if (peer->view.life == GOSSIP_UP)
        return;
    peer->vouched_ms = gossip->time_ms;
    peer->suspect_incarnation = peer->incarnation;
    peer->down_ms = gossip->time_ms + patience(gossip, GOSSIP_SUSPICION_MS);
    if (peer->view.life == GOSSIP_DOWN) {
        set_life(gossip, peer, GOSSIP_SUSPECT);
        watch(gossip, peer);
    } else if (!peer->broken && !peer->cleared && peer->view.heard_ms != 0) {
        peer->cleared = true;
        peer->waiting_ms = gossip->time_ms;
        set_life(gossip, peer, GOSSIP_UP);
    }
}

void probe_restarted(struct gossip *gossip, struct peer *peer)
{
    peer->detector = (struct detector){0};
    peer->cleared = false;
    peer->has_offset = false;
    peer->waiting = false;
    rumour_refuted(peer);
    probe_vouch(gossip, peer);
    probe_send(gossip, peer);
}

/* ---- steps and rounds ------------------------------------------------------------------------ */

static void step_peer(struct gossip *gossip, struct peer *peer)
{
    enum gossip_life life = peer->view.life;
    uint64_t waited_ms = peer->waiting ? gossip->time_ms - peer->waiting_ms : 0;
    peer->view.phi =
        peer->waiting ? detector_phi(&peer->detector, waited_ms / (1 + gossip->health)) : 0;
    if (life == GOSSIP_UP && peer->view.phi >= DETECTOR_THRESHOLD)
        probe_suspect(gossip, peer);
    else if (life == GOSSIP_SUSPECT && gossip->time_ms >= peer->down_ms)
        set_life(gossip, peer, GOSSIP_DOWN);
    else if (life != GOSSIP_DOWN && peer->waiting && gossip->time_ms >= peer->retry_ms)
        probe_send(gossip, peer);
}

static void say_probed(struct gossip *gossip, const struct errand *errand, bool answered)
{
    gossip_put_number(&gossip->out, errand->asker_number);
    gossip_put_node(&gossip->out, errand->target);
    gossip_put_number(&gossip->out, answered);
    gossip_say(gossip, errand->asker, GOSSIP_PROBED);
}

/* Errands that are over: their target has answered that probe, or (`target` NULL) is too slow. */
static void end_errands(struct gossip *gossip, const struct peer *target, uint64_t number)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < gossip->errand_count; i++) {
        const struct errand *errand = &gossip->errands[i];
        bool over = target ? errand->target == target->view.said.node && number >= errand->number
                           : gossip->time_ms >= errand->end_ms;
        if (over)
            say_probed(gossip, errand, target != NULL);
        else
            gossip->errands[kept++] = *errand;
    }
    gossip->errand_count = kept;
}

void probe_step(struct gossip *gossip)
{
    for (struct list *link = gossip->watched.next, *next; link != &gossip->watched; link = next) {
        struct peer *peer = list_entry(link, struct peer, watched);
        next = link->next;
        step_peer(gossip, peer);
        bool done = peer->view.life == GOSSIP_UP && !peer->waiting;
        if (done || peer->view.life == GOSSIP_DOWN)
            list_remove(link);
    }
    end_errands(gossip, NULL, 0);
}

/* Lifeguard's local health: a node that has troubles of its own is slower to suspect others. */
static void judge_self(struct gossip *gossip)
{
    if (gossip->troubled && gossip->health < GOSSIP_HEALTH_MAX)
        gossip->health++;
    else if (!gossip->troubled && gossip->answered && gossip->health > 0)
        gossip->health--;
    gossip->troubled = gossip->answered = false;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median; of an even number, the one of the middle two that is nearer to this node's time. Also
 * of those that can't be reached now: time goes on there, too. */
static void judge_clock(struct gossip *gossip)
{
    int64_t offsets[GOSSIP_PEERS_MAX];
    size_t count = 0;
    gossip->sure = false;
    for (size_t i = 0; i < gossip->count; i++)
        gossip->sure |= gossip->peers[i]->has_offset && gossip->peers[i]->sure;
    for (size_t i = 0; i < gossip->count; i++)
        if (gossip->peers[i]->has_offset && gossip->peers[i]->sure == gossip->sure)
            offsets[count++] = gossip->peers[i]->offset_ms;
    gossip->voters = count;
    gossip->offset_ms = 0;
    if (count == 0)
        return;
    qsort(offsets, count, sizeof(*offsets), by_value);
    int64_t low = offsets[(count - 1) / 2], high = offsets[count / 2], own = -gossip->clock.time_ms;
    gossip->offset_ms = llabs(low - own) < llabs(high - own) ? low : high;
}

/* Those not heard of are asked about again: suspects each round, the dead more rarely. */
static void ask_again(struct gossip *gossip)
{
    unsigned asks = 0;
    for (size_t i = 0; i < gossip->count && asks < GOSSIP_ROUND_ASKS; i++) {
        size_t index = (gossip->next_ask + i) % gossip->count;
        struct peer *peer = gossip->peers[index];
        uint64_t pause_ms =
            peer->view.life == GOSSIP_DOWN ? GOSSIP_SUSPICION_MS : GOSSIP_INTERVAL_MS;
        if (peer->view.life == GOSSIP_UP || gossip->time_ms < peer->asked_ms + pause_ms)
            continue;
        ask_others(gossip, peer);
        asks++;
        gossip->next_ask = (index + 1) % gossip->count;
        if (peer->view.life == GOSSIP_SUSPECT &&
            gossip->time_ms >= peer->reported_ms + GOSSIP_REPEAT_MS &&
            gossip->time_ms >= peer->vouched_ms + GOSSIP_REPEAT_MS)
            rumour_report(gossip, peer);
    }
}

void probe_round(struct gossip *gossip)
{
    judge_self(gossip);
    judge_clock(gossip);
    size_t probes = gossip->count < GOSSIP_PROBES ? gossip->count : GOSSIP_PROBES;
    for (size_t i = 0; i < probes; i++) {
        struct peer *peer = gossip->peers[gossip->next_probe++ % gossip->count];
        if (!peer->waiting || peer->view.life == GOSSIP_DOWN)
            probe_send(gossip, peer);
    }
    ask_again(gossip);
}

void probe_pardon(struct gossip *gossip)
{
    probe_trouble(gossip);
    for (size_t i = 0; i < gossip->count; i++) {
        struct peer *peer = gossip->peers[i];
        peer->waiting_ms = gossip->time_ms;
        peer->asked = 0;
        if (peer->view.life == GOSSIP_SUSPECT)
            peer->down_ms = gossip->time_ms + patience(gossip, GOSSIP_SUSPICION_MS);
    }
    for (unsigned i = 0; i < gossip->errand_count; i++)
        gossip->errands[i].end_ms = gossip->time_ms + GOSSIP_ERRAND_MS;
}

/* ---- hearing --------------------------------------------------------------------------------- */

enum status probe_hear(struct gossip *gossip, uint64_t from, struct unpack *in)
{
    uint64_t number = unpack_next_varint(in), sent_ms = unpack_next_varint(in);
    if (gossip_taken(in) != STATUS_OK)
        return STATUS_CORRUPT;
    gossip_put_number(&gossip->out, number);
    gossip_put_number(&gossip->out, sent_ms);
    gossip_put_number(&gossip->out, gossip->clock_ms + (uint64_t)gossip->clock.time_ms);
    gossip_put_number(&gossip->out, gossip->clock_ms + (uint64_t)gossip->clock.wall_ms);
    gossip_put_number(&gossip->out, gossip->clock.sure);
    gossip_say(gossip, from, GOSSIP_ANSWER);
    return STATUS_OK;
}

struct told_clock {
    uint64_t time_ms, wall_ms;
    bool sure;
};

/* What it says first, and what is news, counts at once: this node may have been started with a
 * clock that is off. */
static void compare_clocks(struct gossip *gossip, struct peer *peer, uint64_t rtt_ms,
                           const struct told_clock *told)
{
    if (rtt_ms > GOSSIP_RTT_MAX_MS || told->time_ms >= GOSSIP_NUMBER_MAX ||
        told->wall_ms >= GOSSIP_NUMBER_MAX)
        return;
    int64_t now_ms = (int64_t)gossip->clock_ms - (int64_t)(rtt_ms / 2);
    int64_t was_ms = peer->offset_ms;
    bool news = !peer->has_offset || peer->sure != told->sure;
    peer->has_offset = true;
    peer->sure = told->sure;
    peer->offset_ms = now_ms - (int64_t)told->time_ms;
    peer->wall_ms = now_ms - (int64_t)told->wall_ms;
    if (news || llabs(peer->offset_ms - was_ms) > GOSSIP_RTT_MAX_MS)
        judge_clock(gossip);
}

/* It lives. */
static void answered(struct gossip *gossip, struct peer *peer, uint64_t sent_ms)
{
    bool was_down = peer->view.life == GOSSIP_DOWN;
    if (peer->waiting && sent_ms >= peer->waiting_ms) {
        /* How long a dead one was silent says nothing of how it answers; nor does a broken link. */
        if (!was_down && !peer->broken)
            detector_add(&peer->detector, gossip->time_ms - peer->waiting_ms);
        peer->waiting = false;
        peer->view.phi = 0;
    }
    peer->view.heard_ms = gossip->clock_ms;
    peer->cleared = false;
    peer->rumoured = false;
    gossip->answered = true;
    if (peer->view.life != GOSSIP_UP) {
        set_life(gossip, peer, GOSSIP_UP);
        rumour_refuted(peer);
    }
}

enum status probe_hear_answer(struct gossip *gossip, uint64_t from, struct unpack *in)
{
    uint64_t number = unpack_next_varint(in), sent_ms = unpack_next_varint(in);
    uint64_t time_ms = unpack_next_varint(in), wall_ms = unpack_next_varint(in);
    uint64_t sure = unpack_next_varint(in);
    struct peer *peer = gossip_find(gossip, from);
    if (gossip_taken(in) != STATUS_OK || sure > 1)
        return STATUS_CORRUPT;
    struct told_clock told = {time_ms, wall_ms, sure};
    if (!peer || number > gossip->number || sent_ms > gossip->time_ms || sent_ms < gossip->start_ms)
        return STATUS_OK; /* forgotten, or asked in an earlier life */
    if (peer->view.life != GOSSIP_UP && number <= peer->suspect_probe)
        return STATUS_OK; /* it was on its way when the link broke */
    compare_clocks(gossip, peer, gossip->time_ms - sent_ms, &told);
    answered(gossip, peer, sent_ms);
    end_errands(gossip, peer, number);
    return STATUS_OK;
}

enum status probe_hear_errand(struct gossip *gossip, uint64_t from, struct unpack *in)
{
    struct errand errand = {.asker = from, .asker_number = unpack_next_varint(in)};
    errand.target = gossip_take_node(in);
    if (gossip_taken(in) != STATUS_OK)
        return STATUS_CORRUPT;
    struct peer *peer = gossip_find(gossip, errand.target);
    if (!peer || gossip->errand_count == GOSSIP_ERRANDS_MAX) {
        say_probed(gossip, &errand, false);
        return STATUS_OK;
    }
    probe_send(gossip, peer);
    errand.number = gossip->number;
    errand.end_ms = gossip->time_ms + GOSSIP_ERRAND_MS;
    gossip->errands[gossip->errand_count++] = errand;
    return STATUS_OK;
}

enum status probe_hear_probed(struct gossip *gossip, struct unpack *in)
{
    uint64_t number = unpack_next_varint(in);
    struct peer *peer = gossip_find(gossip, gossip_take_node(in));
    uint64_t yes = unpack_next_varint(in);
    if (gossip_taken(in) != STATUS_OK || yes > 1)
        return STATUS_CORRUPT;
    if (!peer || number > gossip->number || number <= peer->suspect_probe)
        return STATUS_OK;
    peer->replied++;
    if (yes)
        probe_vouch(gossip, peer);
    return STATUS_OK;
}
