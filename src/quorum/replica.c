/* SPDX-License-Identifier: MIT */
/* The side that is written to: rows of others are imported, and acknowledged when they are durable.
 */
#include "base/memory.h"
#include "base/mutant.h"
#include "quorum/quorum_state.h"
#include "row/row_list.h"

enum { ACKS_BYTES = 64 * 1024 }; /* of one message */

/* A message of rows that is being stored. */
struct incoming {
    struct list link; /* in quorum.importing, then in quorum.imported */
    struct quorum *quorum;
    struct import *import;
    uint64_t from;
    uint64_t version;     /* of the sender's layout */
    bool is_late;         /* slots may have moved since */
    uint64_t handed_over; /* the count of slots, when it came (claim.h) */
    uint64_t now_ms;
    struct quorum_ack ack;
    struct lease_firsts firsts;
    uint64_t gate;
    size_t rows_size;
    struct bytes rows, requests; /* until they are stored; of the message, or in `kept` */
    struct buffer kept;
};

static void send_acks(struct quorum *quorum, struct peer *peer)
{
    if (buffer_size(&peer->acks) == 0)
        return;
    outbox_send(&quorum->options.outbox, peer->node, QUORUM_REPLICATED, buffer_bytes(&peer->acks));
    buffer_clear(&peer->acks, ACKS_BYTES);
}

/* It goes out at the end of the turn. */
static void answer(struct quorum *quorum, uint64_t to, const struct quorum_ack *ack)
{
    struct peer *peer = quorum_peer(quorum, to);
    quorum_encode_ack(&peer->acks, ack);
    if (buffer_size(&peer->acks) >= ACKS_BYTES)
        send_acks(quorum, peer);
}

static void incoming_free(struct incoming *incoming)
{
    list_remove(&incoming->link);
    buffer_deinit(&incoming->kept);
    memory_free(incoming);
}

/* What the requests came to is known here from now on. */
static void remember_requests(struct incoming *incoming)
{
    struct quorum *quorum = incoming->quorum;
    struct bytes rest = incoming->requests;
    struct quorum_request request;
    while (quorum_next_request(&rest, incoming->rows.size, &request)) {
        struct bytes rows =
            bytes_of(incoming->rows.data + request.rows_from, (size_t)request.rows_size);
        outcomes_add(&quorum->outcomes, request.id, request.reply, quorum_heads_of(quorum, rows),
                     BYTES(""), incoming->gate, incoming->now_ms);
    }
}

static void imported(void *context, enum status status, uint64_t gate)
{
    struct incoming *incoming = context;
    struct quorum *quorum = incoming->quorum;
    quorum->importing_bytes -= incoming->rows_size;
    incoming->import = NULL;
    /* Perhaps of one of these slots: its coordinator may have been told of what was here before. */
    bool is_handed_over =
        incoming->handed_over != quorum->handed_over && !MUTANT(acknowledged_after_handover);
    if (status != STATUS_OK || is_handed_over) {
        incoming->ack.failed = true;
        answer(quorum, incoming->from, &incoming->ack);
        incoming_free(incoming);
        return;
    }
    incoming->gate = gate;
    remember_requests(incoming);
    buffer_deinit(&incoming->kept);
    if (incoming->is_late) {
        quorum_refuse(quorum, incoming->from, QUORUM_REPLICATE, incoming->ack.number);
        incoming_free(incoming);
        return;
    }
    list_remove(&incoming->link);
    list_append(&quorum->imported, &incoming->link);
}

/*
 * Rows of slots that this node owns are coordinated elsewhere: by the first of the readers that is
 * normal; by another one it means that this node may not know all, if it is to coordinate.
 */
static void note_coordinator(struct quorum *quorum, uint64_t from, struct bytes rows,
                             struct lease_firsts *firsts)
{
    const struct quorum_options *options = &quorum->options;
    struct bytes name, row;
    unsigned last = SLOT_COUNT, count;
    while (row_list_next(&rows, &name, &row)) {
        if (name.size < ROW_KEY_CLEARED_SIZE || row_key_slot(name) >= SLOT_COUNT)
            continue; /* the import will say so */
        uint16_t slot = row_key_slot(name);
        quorum->stats.rows_in++;
        if (slot == last)
            continue;
        last = slot;
        struct placement placement;
        layout_placement(quorum->layout, slot, &placement);
        const uint64_t *readers = placement_readers(&placement, &count);
        if (count > 0 && readers[0] == from)
            continue;
        lease_add_first(quorum, firsts, slot, from);
        if (placement_is_owner(&placement, options->node))
            options->other_coordinator(options->context, slot);
    }
}

/* The message is gone when this returns; what is remembered with its requests is not. */
static void keep(struct incoming *incoming)
{
    if (incoming->requests.size == 0) {
        incoming->rows = BYTES("");
        return;
    }
    size_t rows_size = incoming->rows.size, requests_size = incoming->requests.size;
    buffer_append_bytes(&incoming->kept, incoming->rows);
    buffer_append_bytes(&incoming->kept, incoming->requests);
    const char *kept = buffer_bytes(&incoming->kept).data;
    incoming->rows = bytes_of(kept, rows_size);
    incoming->requests = bytes_of(kept + rows_size, requests_size);
}

/* Of a batch that a planted bug splits. */
static struct bytes first_row(struct bytes rows)
{
    struct bytes rest = rows, name, row;
    return row_list_next(&rest, &name, &row) ? bytes_of(rows.data, rows.size - rest.size) : rows;
}

enum status replica_replicate(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask,
                              struct unpack *in, uint64_t now_ms)
{
    struct quorum_replicate replicate;
    if (!quorum_decode_replicate(in, &replicate))
        return STATUS_CORRUPT;
    if (!fence_accepts_rows(quorum, ask->version, replicate.rows) ||
        !layout_may_bring(quorum->layout, from, ask->version)) {
        quorum_refuse(quorum, from, QUORUM_REPLICATE, ask->number);
        return STATUS_OK;
    }
    uint16_t slot;
    if (!claim_allows(quorum, from, replicate.term, replicate.rows, &slot)) {
        claim_refuse(quorum, from, QUORUM_REPLICATE, ask->number, slot);
        return STATUS_OK;
    }
    quorum->stats.batches_in++;
    struct quorum_ack ack = {ask->number, replicate.message, false};
    if (quorum->importing_bytes + replicate.rows.size > QUORUM_IMPORTING_BYTES) {
        ack.failed = true;
        answer(quorum, from, &ack);
        return STATUS_OK;
    }
    struct lease_firsts firsts = {0};
    note_coordinator(quorum, from, replicate.rows, &firsts);
    struct incoming *incoming = memory_alloc(sizeof(*incoming));
    *incoming = (struct incoming){.quorum = quorum,
                                  .from = from,
                                  .version = ask->version,
                                  .handed_over = quorum->handed_over,
                                  .now_ms = now_ms,
                                  .ack = ack,
                                  .firsts = firsts,
                                  .rows_size = replicate.rows.size,
                                  .rows = replicate.rows,
                                  .requests = replicate.requests};
    quorum->importing_bytes += incoming->rows_size;
    list_append(&quorum->importing, &incoming->link);
    struct bytes rows = MUTANT(hint_batch_split) ? first_row(replicate.rows) : replicate.rows;
    struct import *import = import_rows_onto(quorum->options.store, rows, replicate.grounds, now_ms,
                                             imported, incoming);
    if (!import)
        return STATUS_OK; /* done, and perhaps freed */
    incoming->import = import;
    keep(incoming);
    return STATUS_OK;
}

static void confirm(struct incoming *incoming)
{
    struct quorum *quorum = incoming->quorum;
    lease_count(quorum, &incoming->firsts);
    answer(quorum, incoming->from, &incoming->ack);
    incoming_free(incoming);
}

static void confirm_withheld(struct quorum *quorum)
{
    for (struct list *link = quorum->withheld.next, *next; link != &quorum->withheld; link = next) {
        struct incoming *incoming = list_entry(link, struct incoming, link);
        next = link->next;
        if (!lease_forbids(quorum, &incoming->firsts))
            confirm(incoming);
    }
}

void replica_gates(struct quorum *quorum)
{
    confirm_withheld(quorum);
    while (!list_is_empty(&quorum->imported)) {
        struct incoming *incoming = list_entry(quorum->imported.next, struct incoming, link);
        if (!store_gate_passed(quorum->options.store, incoming->gate) &&
            !MUTANT(replica_acknowledges_at_once))
            break;
        if (!lease_forbids(quorum, &incoming->firsts)) {
            confirm(incoming);
            continue;
        }
        list_remove(&incoming->link);
        list_append(&quorum->withheld, &incoming->link);
        quorum->stats.withheld++;
    }
    for (uint32_t i = 0; i < quorum->peer_count; i++)
        send_acks(quorum, quorum->peers[i]);
}

bool quorum_is_storing(const struct quorum *quorum, uint64_t node)
{
    const struct list *link = quorum->importing.next;
    for (; link != &quorum->importing; link = link->next)
        if (list_entry(link, struct incoming, link)->from == node)
            return true;
    return false;
}

/*
 * Who gains a slot pulls its rows from this node as soon as it has the new layout. What is stored
 * after that, of what was sent in an older one, may have been missed: the sender must ask again,
 * with the owners of the new layout in mind. What is stored already will be found.
 */
void replica_fence(struct quorum *quorum)
{
    for (struct list *link = quorum->importing.next; link != &quorum->importing;
         link = link->next) {
        struct incoming *incoming = list_entry(link, struct incoming, link);
        incoming->is_late = incoming->is_late || incoming->version < quorum->layout->version;
    }
}

void replica_deinit(struct quorum *quorum)
{
    struct list *lists[] = {&quorum->importing, &quorum->imported, &quorum->withheld};
    for (int i = 0; i < 3; i++)
        while (!list_is_empty(lists[i])) {
            struct incoming *incoming = list_entry(lists[i]->next, struct incoming, link);
            import_cancel(incoming->import);
            incoming_free(incoming);
        }
}
