/* SPDX-License-Identifier: MIT */
/*
 * What must be everywhere soon is passed on at once, once by each node, to a few others drawn by
 * lot (Demers et al. 1987): what a node says newly of itself, and whom somebody suspects. Whoever
 * is left out learns the first from reconciliation.
 *
 * A report makes nobody suspect: who hears it probes for himself. The suspect refutes it with a
 * higher incarnation.
 */
#include "cluster/gossip_state.h"

void rumour_news(struct gossip *gossip, struct peer *peer)
{
    gossip->has_news = true;
    if (peer)
        peer->news = true;
    else
        gossip->own_news = true;
}

void rumour_refuted(struct peer *peer)
{
    peer->view.reports = 0;
    peer->rumour = peer->rumoured = false;
}

static void report_of(const struct peer *peer, uint64_t reporter, struct gossip_report *out)
{
    *out = (struct gossip_report){reporter, peer->view.said.node, peer->view.said.generation,
                                  peer->incarnation};
}

static void pass_on(struct gossip *gossip, struct peer *peer, uint64_t reporter)
{
    gossip->has_news = true;
    peer->rumour = true;
    peer->rumour_from = reporter;
}

void rumour_report(struct gossip *gossip, struct peer *peer)
{
    struct gossip_report report;
    if (peer->view.heard_ms == 0)
        return; /* it may just be starting */
    peer->reported_ms = gossip->time_ms;
    pass_on(gossip, peer, gossip->self.node);
    report_of(peer, gossip->self.node, &report);
    gossip_put_report(&gossip->out, &report);
    gossip_say(gossip, report.suspect, GOSSIP_REPORTS);
}

void rumour_step(struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->count; i++) {
        struct peer *peer = gossip->peers[i];
        uint32_t kept = 0;
        for (uint32_t j = 0; j < peer->view.reports; j++)
            if (gossip->time_ms < peer->reporters[j].time_ms + GOSSIP_REPORT_MS)
                peer->reporters[kept++] = peer->reporters[j];
        peer->view.reports = kept;
    }
}

/* ---- passing on ------------------------------------------------------------------------------ */

/* The same bytes to each of those; gossip->out is empty then. */
static void say_to(struct gossip *gossip, struct peer **peers, size_t count,
                   enum gossip_message type)
{
    if (buffer_size(&gossip->out) == 0)
        return;
    for (size_t i = 0; i < count; i++)
        outbox_send(&gossip->outbox, peers[i]->view.said.node, type, buffer_bytes(&gossip->out));
    buffer_clear(&gossip->out, 2 * GOSSIP_PART_SIZE);
}

static void flush_news(struct gossip *gossip, struct peer **to, size_t count)
{
    if (gossip->own_news)
        gossip_put_entry(&gossip->out, &gossip->own);
    gossip->own_news = false;
    for (size_t i = 0; i < gossip->count; i++) {
        struct gossip_entry entry;
        if (!gossip->peers[i]->news)
            continue;
        gossip->peers[i]->news = false;
        gossip_entry_of(gossip->peers[i], &entry);
        gossip_put_entry(&gossip->out, &entry);
        if (buffer_size(&gossip->out) >= GOSSIP_PART_SIZE)
            say_to(gossip, to, count, GOSSIP_NEWS);
    }
    say_to(gossip, to, count, GOSSIP_NEWS);
}

static void flush_reports(struct gossip *gossip, struct peer **to, size_t count)
{
    for (size_t i = 0; i < gossip->count; i++) {
        struct peer *peer = gossip->peers[i];
        struct gossip_report report;
        if (!peer->rumour)
            continue;
        peer->rumour = false;
        report_of(peer, peer->rumour_from, &report);
        gossip_put_report(&gossip->out, &report);
    }
    say_to(gossip, to, count, GOSSIP_REPORTS);
}

static bool suits_linked(const struct peer *peer, uint64_t except)
{
    return !peer->broken && peer->view.said.node != except;
}

void rumour_flush(struct gossip *gossip)
{
    struct peer *to[GOSSIP_FANOUT];
    if (!gossip->has_news || gossip->time_ms < gossip->news_ms)
        return;
    size_t count = gossip_draw(gossip, gossip_suits_up, gossip->self.node, GOSSIP_FANOUT, to);
    if (count == 0) /* nobody answers us, but perhaps they hear us */
        count = gossip_draw(gossip, suits_linked, gossip->self.node, GOSSIP_FANOUT, to);
    gossip->has_news = false;
    gossip->news_ms = gossip->time_ms + GOSSIP_NEWS_MS;
    flush_news(gossip, to, count);
    flush_reports(gossip, to, count);
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void note_reporter(struct gossip *gossip, struct peer *peer, uint64_t reporter)
{
    uint32_t i = 0;
    while (i < peer->view.reports && peer->reporters[i].node != reporter)
        i++;
    if (i == GOSSIP_REPORTERS_MAX)
        return;
    peer->reporters[i] = (struct reporter){reporter, gossip->time_ms};
    if (i == peer->view.reports)
        peer->view.reports++;
}

/* This node is said to be suspect: it isn't. */
static void refute(struct gossip *gossip, uint64_t from, const struct gossip_report *report)
{
    if (report->generation != gossip->own.said.generation) {
        gossip_say_own(gossip, from);
        return;
    }
    if (report->incarnation >= gossip->own.incarnation && report->incarnation < GOSSIP_OUTBID_MAX) {
        gossip->own.incarnation = report->incarnation + 1;
        gossip_publish(gossip);
        rumour_news(gossip, NULL);
        probe_trouble(gossip);
    }
    gossip_say_own(gossip, from);
    if (report->reporter != from)
        gossip_say_own(gossip, report->reporter);
}

static void hear_report(struct gossip *gossip, uint64_t from, const struct gossip_report *report)
{
    if (report->suspect == gossip->self.node) {
        refute(gossip, from, report);
        return;
    }
    struct peer *peer = gossip_find(gossip, report->suspect);
    if (!peer || report->reporter == gossip->self.node || report->reporter == report->suspect ||
        report->generation != peer->view.said.generation || report->incarnation < peer->incarnation)
        return;
    note_reporter(gossip, peer, report->reporter);
    if (peer->rumoured)
        return;
    peer->rumoured = true;
    pass_on(gossip, peer, report->reporter);
    if (peer->view.life == GOSSIP_UP && !peer->waiting)
        probe_send(gossip, peer);
}

enum status rumour_hear_reports(struct gossip *gossip, uint64_t from, struct unpack *in)
{
    while (gossip_has_more(in)) {
        struct gossip_report report;
        gossip_take_report(in, &report);
        if (!in->failed)
            hear_report(gossip, from, &report);
    }
    return gossip_taken(in);
}
