/* SPDX-License-Identifier: MIT */
/* What forward.h says of requests that were run again elsewhere: whoever ran them first is asked
 * what it has made, and whoever ran them last is told. */
#include "base/memory.h"
#include "base/mutant.h"
#include "node/forward_state.h"

enum { ASK_MS = 1000, ASK_AGAIN_MS = 5000 };

struct overtaken {
    struct list link;
    uint64_t first; /* the request's number in the cluster */
    uint64_t by;    /* who has run it last */
    uint64_t until_ms;
    unsigned count;
    struct {
        uint64_t node;
        uint64_t due_ms; /* when it is asked, or again: its answer may find no link */
    } runs[FORWARD_RUNS_MAX];
};

static void forget(struct forwarder *forwarder, struct overtaken *overtaken)
{
    list_remove(&overtaken->link);
    number_map_remove(&forwarder->overtaken, overtaken->first);
    memory_free(overtaken);
}

static void forget_run(struct forwarder *forwarder, struct overtaken *overtaken, unsigned run)
{
    overtaken->runs[run] = overtaken->runs[--overtaken->count];
    if (overtaken->count == 0)
        forget(forwarder, overtaken);
}

/* ---- who ran it first ------------------------------------------------------------------------ */

void overtaken_asked(struct forwarder *forwarder, uint64_t from, uint64_t first, uint64_t now_ms)
{
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, first);
    quorum_made(forwarder->options.quorum, (struct request_id){from, first}, out, now_ms);
    outbox_send(&forwarder->options.outbox, from, MESSAGE_MADE, buffer_bytes(out));
}

/* ---- who ran it last ------------------------------------------------------------------------- */

void overtaken_keep(struct forwarder *forwarder, uint64_t from, uint64_t first, uint64_t now_ms)
{
    quorum_keep_made(forwarder->options.quorum, (struct request_id){from, first}, now_ms);
}

enum status overtaken_cover(struct forwarder *forwarder, uint64_t from, uint64_t first,
                            uint64_t node, struct bytes rows, uint64_t now_ms)
{
    return quorum_cover(forwarder->options.quorum, (struct request_id){from, first}, node, rows,
                        now_ms);
}

/* ---- who has the client ---------------------------------------------------------------------- */

static void ask(struct forwarder *forwarder, struct overtaken *overtaken, unsigned run,
                uint64_t now_ms)
{
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, overtaken->first);
    bool sent = outbox_send(&forwarder->options.outbox, overtaken->runs[run].node,
                            MESSAGE_OVERTAKEN, buffer_bytes(out));
    uint64_t again_ms = MUTANT(first_run_asked_for_once) ? UINT64_MAX / 2 : ASK_AGAIN_MS;
    overtaken->runs[run].due_ms = sent ? now_ms + again_ms : 0;
}

/* Whoever ran it last is not to forget it meanwhile. */
static void keep(struct forwarder *forwarder, const struct overtaken *overtaken, uint64_t now_ms)
{
    const struct forwarder_options *options = &forwarder->options;
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, overtaken->first);
    if (overtaken->by == options->node)
        overtaken_keep(forwarder, options->node, overtaken->first, now_ms);
    else
        outbox_send(&options->outbox, overtaken->by, MESSAGE_KEEP, buffer_bytes(out));
}

void overtaken_run(struct forwarder *forwarder, struct forward *forward)
{
    uint64_t node = forward->node;
    bool known = node == forwarder->options.node; /* it is not cut off from itself */
    for (unsigned i = 0; i < forward->run_count; i++)
        known = known || forward->runs[i] == node;
    if (!known && forward->run_count < FORWARD_RUNS_MAX)
        forward->runs[forward->run_count++] = node;
}

void overtaken_add(struct forwarder *forwarder, const struct forward *forward, uint64_t now_ms)
{
    if (forwarder->overtaken.count == FORWARD_OVERTAKEN_MAX)
        forget(forwarder, list_entry(forwarder->overtaken_by_age.next, struct overtaken, link));
    struct overtaken *overtaken = memory_zeroed(sizeof(*overtaken));
    overtaken->first = forward->first;
    overtaken->by = forward->node;
    overtaken->until_ms = now_ms + QUORUM_RUNS_KEPT_MS;
    list_append(&forwarder->overtaken_by_age, &overtaken->link);
    number_map_add(&forwarder->overtaken, overtaken->first, overtaken);
    for (unsigned i = 0; i < forward->run_count; i++)
        if (forward->runs[i] != forward->node)
            overtaken->runs[overtaken->count++].node = forward->runs[i];
    if (overtaken->count == 0)
        forget(forwarder, overtaken);
    else
        keep(forwarder, overtaken, now_ms);
}

enum status overtaken_made(struct forwarder *forwarder, uint64_t from, uint64_t first,
                           struct bytes rows, uint64_t now_ms)
{
    struct overtaken *overtaken = number_map_find(&forwarder->overtaken, first);
    unsigned run = 0;
    while (overtaken && run < overtaken->count && overtaken->runs[run].node != from)
        run++;
    if (!overtaken || run == overtaken->count)
        return STATUS_OK;
    if (overtaken->by == forwarder->options.node) {
        enum status status =
            overtaken_cover(forwarder, forwarder->options.node, first, from, rows, now_ms);
        forget_run(forwarder, overtaken, run);
        return status;
    }
    struct buffer *out = &forwarder->scratch;
    buffer_clear(out, FORWARD_PART_MAX);
    buffer_append_varint(out, first);
    buffer_append_varint(out, from);
    buffer_append_bytes(out, rows);
    bool told = rows.size == 0 || outbox_send(&forwarder->options.outbox, overtaken->by,
                                              MESSAGE_COVER, buffer_bytes(out));
    if (told)
        forget_run(forwarder, overtaken, run);
    else
        overtaken->runs[run].due_ms = 0; /* it is asked again, when that one may be there */
    return STATUS_OK;
}

void overtaken_link_lost(struct forwarder *forwarder, uint64_t node)
{
    struct list *at = forwarder->overtaken_by_age.next;
    for (; at != &forwarder->overtaken_by_age; at = at->next) {
        struct overtaken *overtaken = list_entry(at, struct overtaken, link);
        for (unsigned i = 0; i < overtaken->count; i++)
            if (overtaken->runs[i].node == node)
                overtaken->runs[i].due_ms = 0;
    }
}

void overtaken_turn(struct forwarder *forwarder, uint64_t now_ms)
{
    if (now_ms < forwarder->overtaken_ms || MUTANT(first_run_not_covered))
        return;
    forwarder->overtaken_ms = now_ms + ASK_MS;
    for (struct list *at = forwarder->overtaken_by_age.next, *next;
         at != &forwarder->overtaken_by_age; at = next) {
        struct overtaken *overtaken = list_entry(at, struct overtaken, link);
        next = at->next;
        for (unsigned i = 0; i < overtaken->count; i++)
            if (now_ms >= overtaken->runs[i].due_ms)
                ask(forwarder, overtaken, i, now_ms);
        if (now_ms >= overtaken->until_ms)
            forget(forwarder, overtaken);
    }
}

size_t forwarder_overtaken(const struct forwarder *forwarder)
{
    const struct list *at = forwarder->overtaken_by_age.next;
    size_t count = 0;
    for (; at != &forwarder->overtaken_by_age; at = at->next) {
        const struct overtaken *overtaken = list_entry(at, struct overtaken, link);
        for (unsigned i = 0; i < overtaken->count; i++)
            count += gossip_is_up(forwarder->options.gossip, overtaken->runs[i].node);
    }
    return count;
}

void overtaken_deinit(struct forwarder *forwarder)
{
    while (!list_is_empty(&forwarder->overtaken_by_age))
        forget(forwarder, list_entry(forwarder->overtaken_by_age.next, struct overtaken, link));
    number_map_deinit(&forwarder->overtaken);
}
