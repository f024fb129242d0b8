/* SPDX-License-Identifier: MIT */
/* Writes: rows into batches, and whoever waits for them. */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "quorum/quorum_state.h"
#include "row/chunked.h"
#include "row/row_list.h"

/* ---- who waits ------------------------------------------------------------------------------- */

struct pending *pending_new(struct quorum *quorum, struct quorum_write *write)
{
    struct pending *pending;
    if (list_is_empty(&quorum->spare_pendings)) {
        pending = memory_alloc(sizeof(*pending));
    } else {
        pending = list_entry(quorum->spare_pendings.next, struct pending, link);
        list_remove(&pending->link);
        quorum->spare_pending_count--;
    }
    *pending = (struct pending){.write = write, .status = STATUS_OK};
    list_init(&pending->link);
    list_init(&write->link);
    write->state = pending;
    write->reached = write->needed = 0;
    quorum->stats.pending++;
    return pending;
}

static void pending_free(struct quorum *quorum, struct pending *pending)
{
    list_remove(&pending->link);
    quorum->stats.pending--;
    if (quorum->spare_pending_count < SPARE_PENDINGS_MAX) {
        list_append(&quorum->spare_pendings, &pending->link);
        quorum->spare_pending_count++;
    } else {
        memory_free(pending);
    }
}

/* Its `done` is called at the end of the turn. */
static void finish(struct quorum *quorum, struct pending *pending, enum status status)
{
    pending->finished = true;
    pending->status = status;
    list_append(&quorum->finished, &pending->link);
    quorum->stats.writes++;
    quorum->stats.writes_failed += status != STATUS_OK;
    if (status != STATUS_OK && pending->blind.number != 0)
        outcomes_keep(&quorum->outcomes, pending->blind, quorum->now_ms);
}

/* The numbers that are told are those of the part that is furthest from what it needs. */
static void take_numbers(struct quorum_write *write, unsigned reached, unsigned needed)
{
    if (!write)
        return;
    int least = write->needed == 0 ? INT32_MAX : (int)write->reached - (int)write->needed;
    if ((int)reached - (int)needed >= least)
        return;
    write->reached = reached;
    write->needed = needed;
}

void pending_part_done(struct quorum *quorum, struct part *part, enum status status,
                       unsigned reached, unsigned needed)
{
    struct pending *pending = part->pending;
    list_remove(&part->link);
    if (part != &pending->first)
        memory_free(part);
    pending->open--;
    if (!pending->finished)
        take_numbers(pending->write, reached, needed);
    if (!pending->finished && (status != STATUS_OK || pending->open == 0))
        finish(quorum, pending, status);
    else if (pending->finished && pending->open == 0 && list_is_empty(&pending->link))
        pending_free(quorum, pending);
}

void writes_finish(struct quorum *quorum)
{
    /* Those only that have ended by now: `done` may begin others. */
    struct list finished;
    list_init(&finished);
    list_splice(&finished, &quorum->finished);
    while (!list_is_empty(&finished)) {
        struct pending *pending = list_entry(finished.next, struct pending, link);
        struct quorum_write *write = pending->write;
        enum status status = pending->status;
        list_remove(&pending->link);
        pending->write = NULL;
        if (pending->open == 0)
            pending_free(quorum, pending);
        if (write) {
            write->state = NULL;
            write->done(write, status);
        }
    }
}

void quorum_write_forget(struct quorum *quorum, struct quorum_write *write)
{
    struct pending *pending = write->state;
    (void)quorum;
    if (pending)
        pending->write = NULL;
    write->state = NULL;
}

/* ---- rows into batches ----------------------------------------------------------------------- */

static void touch(struct quorum *quorum, struct batch *batch)
{
    if (quorum->touched_count == quorum->touched_room) {
        quorum->touched_room = quorum->touched_room ? 2 * quorum->touched_room : 16;
        quorum->touched =
            memory_resize(quorum->touched, quorum->touched_room * sizeof(struct batch *));
    }
    quorum->touched[quorum->touched_count++] = batch;
    batch->is_touched = true;
    batch->rows_from = buffer_size(&batch->messages[batch->message_count - 1]);
    batch->rows_from -= QUORUM_REPLICATE_SIZE;
}

/* `term` is that of the moment when it was written. */
static void add_row(struct quorum *quorum, uint64_t term, struct bytes name, struct bytes row,
                    struct bytes ground, bool is_long, uint64_t now_ms)
{
    uint16_t slot = row_key_slot(name);
    struct owners_group *group = quorum_group(quorum, slot);
    if (!group->open || group->open->term != term) {
        group->open = batch_new(quorum, &group->owners, slot, now_ms);
        group->open->group = group;
        group->open->term = term;
    }
    if (!group->open->is_touched)
        touch(quorum, group->open);
    batch_add_row(group->open, name, row, ground, is_long);
    lease_add_first(quorum, &group->open->firsts, slot, quorum->options.node);
    lease_unsettled(quorum, slot);
    quorum->newest[slot] = group->open->number;
    quorum->stats.rows_out++;
}

/* A long write has batches of its own: the group's next rows begin another. */
static void close_group(struct batch *batch)
{
    if (batch->group && batch->group->open == batch)
        batch->group->open = NULL;
}

static size_t size_of(const struct txn *txn)
{
    size_t size = 0;
    for (uint32_t i = 0; i < txn->staged_count; i++)
        if (txn->staged[i].row.size > 0)
            size += txn->staged[i].name.size + txn->staged[i].row.size;
    return size;
}

static bool names_base(const struct row *row, struct dot base)
{
    struct chunked chunked;
    for (uint32_t i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].form == VALUE_CHUNKED &&
            chunked_unpack(row->siblings[i].value, &chunked) && dot_equal(chunked.base, base))
            return true;
    return false;
}

/* Whether the head names chunks that it named before: else all of them are in this transaction. */
static bool has_earlier_chunks(const struct txn *txn, const struct txn_row *staged)
{
    struct row row, ground;
    struct chunked chunked;
    bool has = false;
    if (row_decode(staged->row, txn->arena, &row) != STATUS_OK ||
        row_decode(staged->ground, txn->arena, &ground) != STATUS_OK)
        return false; /* they are this node's own, and sound */
    for (uint32_t i = 0; !has && i < row.sibling_count; i++)
        has = row.siblings[i].form == VALUE_CHUNKED &&
              chunked_unpack(row.siblings[i].value, &chunked) && names_base(&ground, chunked.base);
    return has;
}

static void add_staged(struct quorum *quorum, const struct txn *txn, const struct txn_row *staged,
                       bool is_long, uint64_t now_ms)
{
    bool has_ground = staged->ground.size > 0 && has_earlier_chunks(txn, staged);
    struct bytes ground = has_ground ? staged->ground : BYTES("");
    add_row(quorum, claim_term(quorum), staged->name, staged->row, ground, is_long, now_ms);
}

/* Chunks first: a head is not to be where its chunks aren't. Heads with a ground are last, since
 * the last message has the grounds. */
static void add_long(struct quorum *quorum, const struct txn *txn, uint64_t now_ms)
{
    for (uint32_t i = 0; i < quorum->group_count; i++)
        quorum->groups[i]->open = NULL;
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < txn->staged_count; i++) {
            const struct txn_row *staged = &txn->staged[i];
            int of = staged->ground.size > 0 ? 2 : row_key_is_head(staged->name) ? 1 : 0;
            if (staged->row.size > 0 && of == pass)
                add_staged(quorum, txn, staged, true, now_ms);
        }
}

static void add_all(struct quorum *quorum, const struct txn *txn, uint64_t now_ms)
{
    for (uint32_t i = 0; i < txn->staged_count; i++)
        if (txn->staged[i].row.size > 0)
            add_staged(quorum, txn, &txn->staged[i], false, now_ms);
}

static void remember(struct quorum *quorum, struct batch *batch, const struct quorum_write *write,
                     uint64_t gate, uint64_t now_ms)
{
    struct buffer *message = &batch->messages[batch->message_count - 1];
    size_t rows_size = buffer_size(message) - QUORUM_REPLICATE_SIZE;
    struct quorum_request request = {write->id, batch->rows_from, rows_size - batch->rows_from,
                                     write->reply};
    if (request.reply.size > QUORUM_REPLY_KEPT_MAX)
        request.reply.size = 0;
    quorum_encode_request(&batch->requests, &request);
    struct bytes rows = buffer_bytes(message);
    rows = bytes_of(rows.data + QUORUM_REPLICATE_SIZE + request.rows_from, request.rows_size);
    struct bytes heads = quorum_heads_of(quorum, rows);
    struct bytes dots = write->is_blind ? cover_dots_of(quorum, rows, heads) : BYTES("");
    outcomes_add(&quorum->outcomes, write->id, request.reply, heads, dots, gate, now_ms);
}

static uint8_t level_of(const struct quorum *quorum, const struct quorum_write *write)
{
    uint8_t chosen = write->consistency.write;
    return chosen ? chosen : (uint8_t)quorum->options.write_quorum;
}

void quorum_write(struct quorum *quorum, const struct txn *txn, struct quorum_write *write,
                  uint64_t now_ms)
{
    struct pending *pending = pending_new(quorum, write);
    bool is_long = size_of(txn) > QUORUM_MESSAGE_BYTES;
    if (write->is_blind)
        pending->blind = write->id;
    quorum->touched_count = 0;
    if (is_long)
        add_long(quorum, txn, now_ms);
    else
        add_all(quorum, txn, now_ms);
    for (uint32_t i = 0; i < quorum->touched_count; i++) {
        struct batch *batch = quorum->touched[i];
        batch->is_touched = false;
        batch->gate = txn->gate > batch->gate ? txn->gate : batch->gate;
        if (write->id.origin != 0 || write->id.number != 0)
            remember(quorum, batch, write, txn->gate, now_ms);
        batch_add_part(batch, pending, level_of(quorum, write));
        if (write->mark)
            batch_mark(batch, write->mark);
        if (is_long || buffer_size(&batch->messages[0]) + buffer_size(&batch->grounds) +
                               buffer_size(&batch->requests) >
                           QUORUM_MESSAGE_BYTES)
            close_group(batch);
    }
    if (quorum->touched_count == 0)
        finish(quorum, pending, STATUS_OK);
}

bool quorum_is_unsettled(const struct quorum *quorum, uint16_t slot)
{
    return quorum->unsettled[slot] > 0 && quorum_is_exclusive(quorum) && !MUTANT(shown_short_of_w);
}

void quorum_settle(struct quorum *quorum, const uint16_t *slots, size_t count,
                   struct quorum_write *write)
{
    struct pending *pending = pending_new(quorum, write);
    for (size_t i = 0; i < count; i++) {
        struct batch *batch =
            quorum->unsettled[slots[i]] > 0 ? batch_find(quorum, quorum->newest[slots[i]]) : NULL;
        if (batch && !batch->is_settled)
            batch_add_part(batch, pending, (uint8_t)quorum->options.write_quorum);
    }
    if (pending->open == 0)
        finish(quorum, pending, STATUS_OK);
}

void writes_send(struct quorum *quorum, uint64_t now_ms)
{
    while (!list_is_empty(&quorum->open)) {
        struct batch *batch = list_entry(quorum->open.next, struct batch, link);
        close_group(batch);
        batch_send(quorum, batch, now_ms);
    }
}

void write_to_node(struct quorum *quorum, struct bytes rows, uint64_t node, uint64_t work,
                   struct quorum_write *write, uint64_t now_ms)
{
    struct acks_owners owners = {.old_count = 1, .old = {node}};
    struct batch *batch = batch_new(quorum, &owners, 0, now_ms);
    batch->is_repair = true;
    batch->work = work;
    buffer_append_bytes(&batch->messages[0], rows);
    batch_add_part(batch, pending_new(quorum, write), QUORUM_ALL);
    batch_send(quorum, batch, now_ms);
}

/* ---- a new layout ---------------------------------------------------------------------------- */

/* All who wait for this batch wait for those that have its rows now. */
static void move_parts(struct quorum *quorum, struct batch *batch)
{
    while (!list_is_empty(&batch->parts)) {
        struct part *part = list_entry(batch->parts.next, struct part, link);
        struct pending *pending = part->pending;
        for (uint32_t i = 0; i < quorum->touched_count; i++)
            batch_add_part(quorum->touched[i], pending, part->level);
        list_remove(&part->link);
        pending->open--;
        if (part == &pending->first)
            part->pending = NULL;
        else
            memory_free(part);
    }
    batch_move_marks(batch, quorum->touched, quorum->touched_count);
    for (uint32_t i = 0; i < quorum->touched_count; i++) {
        struct batch *other = quorum->touched[i];
        other->is_touched = false;
        other->gate = batch->gate > other->gate ? batch->gate : other->gate;
        other->work = batch->work < other->work ? batch->work : other->work;
        close_group(other);
    }
}

static void move_batch(struct quorum *quorum, struct batch *batch, uint64_t now_ms)
{
    quorum->touched_count = 0;
    for (uint32_t i = 0; i < batch->message_count; i++) {
        bool is_last = i == batch->message_count - 1;
        struct bytes rows = batch_rows(batch, i), rest = rows, name, row, ground;
        struct bytes grounds = is_last ? buffer_bytes(&batch->grounds) : BYTES("");
        for (size_t at = 0; row_list_next(&rest, &name, &row); at = rows.size - rest.size) {
            bool has_ground = import_ground_at(&grounds, at, &ground);
            add_row(quorum, batch->term, name, row, has_ground ? ground : BYTES(""), !is_last,
                    now_ms);
        }
    }
    move_parts(quorum, batch);
}

/* Those under way whom somebody waits for. What an old owner lacks of them is told when they are
 * settled. */
void writes_move(struct quorum *quorum, uint64_t now_ms)
{
    struct list *link = quorum->sent.next;
    for (; link != &quorum->sent; link = link->next) {
        struct batch *batch = list_entry(link, struct batch, link);
        if (!batch->is_repair && !batch->is_let_go && !list_is_empty(&batch->parts))
            move_batch(quorum, batch, now_ms);
    }
}
