/* SPDX-License-Identifier: MIT */
#include "quorum/lease.h"

#include "base/memory.h"
#include "base/mutant.h"
#include "quorum/quorum_state.h"

enum { FIRSTS_ANYBODY = RING_COPIES_MAX + 1 };

/* A question that waits until it may be answered. */
struct waiting {
    struct list link;
    uint64_t from;
    unsigned type;
    uint64_t until_ms;
    struct buffer payload;
};

/* ---- who counts on it ------------------------------------------------------------------------ */

/* Whether to ask for one, now: over a slow link it would be over when it comes. */
static bool is_due(const struct peer *peer, uint64_t now_ms)
{
    const struct answer_time *time = &peer->read;
    return now_ms >= peer->lease.ask_ms && time->known && time->mean8 / 8 < LEASE_HELD_MS / 2;
}

bool lease_covers(struct quorum *quorum, uint16_t slot, const struct placement *placement,
                  unsigned others, uint64_t now_ms)
{
    const struct quorum_options *options = &quorum->options;
    if (placement->phase != LAYOUT_STABLE || placement->old_count == 0 ||
        placement->old[0] != options->node || !options->same_readers)
        return false;
    uint16_t same = options->same_readers(options->context, slot);
    unsigned promised = 0;
    for (unsigned i = 1; i < placement->old_count; i++) {
        struct peer *peer = quorum_peer(quorum, placement->old[i]);
        struct lease *lease = &peer->lease;
        bool is_same = same >> i & 1 || MUTANT(lease_without_comparing);
        promised += lease->is_known && now_ms < lease->held_ms && is_same;
        lease->is_wanted = lease->is_wanted || is_due(peer, now_ms);
        quorum->leases_wanted = quorum->leases_wanted || lease->is_wanted;
    }
    bool is_settled = quorum->unsettled[slot] == 0 || MUTANT(lease_shows_unsettled);
    return promised >= others && is_settled;
}

void leases_ask(struct quorum *quorum, uint64_t now_ms)
{
    if (!quorum->leases_wanted)
        return;
    quorum->leases_wanted = false;
    for (uint32_t i = 0; i < quorum->peer_count; i++) {
        struct peer *peer = quorum->peers[i];
        struct lease *lease = &peer->lease;
        if (!lease->is_wanted)
            continue;
        lease->is_wanted = false;
        if (!quorum_is_up(quorum, peer->node))
            continue;
        struct quorum_ask ask = quorum_ask_next(quorum);
        struct buffer out = {0};
        quorum_encode_ask(&out, &ask);
        lease->number = ask.number;
        lease->asked_ms = now_ms;
        lease->ask_ms = now_ms + LEASE_RETRY_MS;
        lease->is_asked =
            outbox_send(&quorum->options.outbox, peer->node, QUORUM_LEASE, buffer_bytes(&out));
        buffer_deinit(&out);
    }
}

void lease_heard(struct quorum *quorum, struct peer *peer, const struct quorum_leased *leased)
{
    const struct quorum_options *options = &quorum->options;
    struct lease *lease = &peer->lease;
    if (!lease->is_asked || leased->number != lease->number)
        return;
    lease->is_asked = false;
    if (quorum->now_ms < lease->asked_ms + LEASE_HELD_MS)
        lease->ask_ms = lease->asked_ms + LEASE_RENEW_MS; /* so one follows the other */
    lease->held_ms = lease->asked_ms + LEASE_HELD_MS;
    if (MUTANT(lease_counted_from_its_arrival))
        lease->held_ms = quorum->now_ms + LEASE_MS;
    quorum->stats.leases++;
    if (lease->is_known && lease->confirmed == leased->confirmed)
        return;
    lease->is_known = true;
    lease->confirmed = leased->confirmed;
    if (options->distrust && !MUTANT(lease_trusts_for_ever))
        options->distrust(options->context, peer->node);
}

void lease_unsettled(struct quorum *quorum, uint16_t slot)
{
    quorum->unsettled[slot]++;
}

void lease_settled(struct quorum *quorum, uint16_t slot)
{
    quorum->unsettled[slot]--;
}

/* ---- who promises ---------------------------------------------------------------------------- */

enum status lease_asked(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask,
                        uint64_t now_ms)
{
    const struct layout *layout = quorum->layout;
    struct lease *lease = &quorum_peer(quorum, from)->lease;
    if (layout->version != ask->version || layout->phase != LAYOUT_STABLE ||
        !layout_is_member(layout, from) || !quorum_is_up(quorum, from) || now_ms < lease->rest_ms)
        return STATUS_OK; /* it asks its owners then, each time */
    if (now_ms + LEASE_MS > lease->promised_ms)
        lease->promised_ms = now_ms + LEASE_MS;
    quorum->stats.leases_given++;
    struct quorum_leased leased = {ask->number, lease->confirmations};
    struct buffer out = {0};
    quorum_encode_leased(&out, &leased);
    outbox_send(&quorum->options.outbox, from, QUORUM_LEASED, buffer_bytes(&out));
    buffer_deinit(&out);
    return STATUS_OK;
}

void lease_add_first(struct quorum *quorum, struct lease_firsts *firsts, uint16_t slot,
                     uint64_t coordinator)
{
    uint64_t first = quorum_first(quorum, slot);
    if (first == coordinator || first == quorum->options.node || !quorum_group(quorum, slot)->reads)
        return;
    for (unsigned i = 0; i < firsts->count; i++)
        if (firsts->count == FIRSTS_ANYBODY || firsts->nodes[i] == first)
            return;
    if (firsts->count < RING_COPIES_MAX)
        firsts->nodes[firsts->count++] = first;
    else
        firsts->count = FIRSTS_ANYBODY;
}

void lease_add_firsts_of(struct quorum *quorum, struct lease_firsts *firsts, struct bytes heads,
                         uint64_t coordinator)
{
    struct bytes name;
    while (heads.size > 0 && quorum_next_head(&heads, &name))
        if (name.size >= ROW_KEY_CLEARED_SIZE && row_key_slot(name) < SLOT_COUNT)
            lease_add_first(quorum, firsts, row_key_slot(name), coordinator);
}

static bool is_among(const struct lease_firsts *firsts, uint64_t node)
{
    for (unsigned i = 0; i < firsts->count && firsts->count != FIRSTS_ANYBODY; i++)
        if (firsts->nodes[i] == node)
            return true;
    return firsts->count == FIRSTS_ANYBODY;
}

uint64_t lease_until_ms(const struct quorum *quorum, const struct lease_firsts *firsts)
{
    uint64_t until_ms = firsts->count > 0 ? quorum->leases_begin_ms : 0;
    for (uint32_t i = 0; firsts->count > 0 && i < quorum->peer_count; i++) {
        const struct peer *peer = quorum->peers[i];
        if (peer->lease.promised_ms > until_ms && is_among(firsts, peer->node))
            until_ms = peer->lease.promised_ms;
    }
    return until_ms;
}

bool lease_forbids(struct quorum *quorum, const struct lease_firsts *firsts)
{
    uint64_t now_ms = quorum->now_ms, until_ms = lease_until_ms(quorum, firsts);
    if (now_ms >= until_ms || MUTANT(lease_not_kept))
        return false;
    for (uint32_t i = 0; i < quorum->peer_count; i++)
        if (is_among(firsts, quorum->peers[i]->node))
            quorum->peers[i]->lease.rest_ms = now_ms + LEASE_REST_MS;
    quorum_wake(quorum, until_ms);
    return true;
}

void lease_count(struct quorum *quorum, const struct lease_firsts *firsts)
{
    bool counts = firsts->count > 0 && !MUTANT(lease_confirmations_not_counted);
    for (uint32_t i = 0; counts && i < quorum->peer_count; i++)
        quorum->peers[i]->lease.confirmations += is_among(firsts, quorum->peers[i]->node);
}

bool lease_holds_back(struct quorum *quorum, const struct lease_firsts *firsts, uint64_t from,
                      unsigned type, struct bytes payload)
{
    if (!lease_forbids(quorum, firsts)) {
        lease_count(quorum, firsts);
        return false;
    }
    quorum->stats.withheld++;
    if (quorum->questions_waiting_bytes + payload.size > LEASE_WAITING_BYTES)
        return true; /* who asks has patience, and then asks somebody else */
    struct waiting *waiting = memory_zeroed(sizeof(*waiting));
    waiting->from = from;
    waiting->type = type;
    waiting->until_ms = lease_until_ms(quorum, firsts);
    buffer_append_bytes(&waiting->payload, payload);
    quorum->questions_waiting_bytes += payload.size;
    list_append(&quorum->questions_waiting, &waiting->link);
    return true;
}

static void waiting_free(struct quorum *quorum, struct waiting *waiting)
{
    quorum->questions_waiting_bytes -= buffer_size(&waiting->payload);
    list_remove(&waiting->link);
    buffer_deinit(&waiting->payload);
    memory_free(waiting);
}

void leases_release(struct quorum *quorum, uint64_t now_ms)
{
    struct list due;
    list_init(&due);
    for (struct list *link = quorum->questions_waiting.next, *next;
         link != &quorum->questions_waiting; link = next) {
        struct waiting *waiting = list_entry(link, struct waiting, link);
        next = link->next;
        if (now_ms < waiting->until_ms) {
            quorum_wake(quorum, waiting->until_ms);
            continue;
        }
        list_remove(link);
        list_append(&due, link);
    }
    while (!list_is_empty(&due)) {
        struct waiting *waiting = list_entry(due.next, struct waiting, link);
        enum status status = quorum_receive(quorum, waiting->from, waiting->type,
                                            buffer_bytes(&waiting->payload), now_ms);
        (void)status; /* it was decoded before */
        waiting_free(quorum, waiting);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void leases_set_layout(struct quorum *quorum, bool is_first, uint64_t now_ms)
{
    if (is_first && quorum->layout->ring.member_count > 1 && !MUTANT(lease_forgotten_at_a_start))
        quorum->leases_begin_ms = now_ms + LEASE_MS;
    for (uint32_t i = 0; i < quorum->peer_count && !MUTANT(lease_survives_a_layout); i++) {
        struct lease *lease = &quorum->peers[i]->lease;
        lease->is_known = lease->is_asked = false;
        lease->held_ms = lease->ask_ms = 0;
    }
}

void leases_node_down(struct quorum *quorum, uint64_t node)
{
    struct lease *lease = &quorum_peer(quorum, node)->lease;
    lease->held_ms = 0;
    lease->is_asked = false;
}

/* What waits for a promise finds out by itself that it is over; questions wait for a time. */
void leases_node_ended(struct quorum *quorum, uint64_t node)
{
    quorum_peer(quorum, node)->lease.promised_ms = 0;
    for (struct list *link = quorum->questions_waiting.next; link != &quorum->questions_waiting;
         link = link->next)
        list_entry(link, struct waiting, link)->until_ms = 0;
}

uint64_t quorum_leases_end_ms(const struct quorum *quorum)
{
    uint64_t end_ms = quorum->leases_begin_ms;
    for (uint32_t i = 0; i < quorum->peer_count; i++)
        if (quorum->peers[i]->lease.promised_ms > end_ms)
            end_ms = quorum->peers[i]->lease.promised_ms;
    return end_ms;
}

void leases_deinit(struct quorum *quorum)
{
    while (!list_is_empty(&quorum->questions_waiting))
        waiting_free(quorum, list_entry(quorum->questions_waiting.next, struct waiting, link));
}
