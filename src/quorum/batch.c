/* SPDX-License-Identifier: MIT */
/*
 * Rows of one turn for one set of owners: to whom they were sent, who has them, who is to stand in.
 * A batch is kept until all of its owners have answered or have missed it.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "quorum/quorum_state.h"
#include "row/row_list.h"

enum {
    SPARE_MESSAGE_BYTES = 64 * 1024, /* that a batch for later use keeps */
    LET_GO_LOOKS = 16,               /* at old batches, for each new one */
};

/* ---- building -------------------------------------------------------------------------------- */

static struct buffer *last_message(struct batch *batch)
{
    return &batch->messages[batch->message_count - 1];
}

static void begin_message(struct batch *batch)
{
    if (batch->message_count == batch->message_room) {
        batch->message_room = batch->message_room ? 2 * batch->message_room : 1;
        size_t size = batch->message_room * sizeof(*batch->messages);
        batch->messages = memory_resize(batch->messages, size);
        for (uint32_t i = batch->message_count; i < batch->message_room; i++)
            buffer_init(&batch->messages[i]);
    }
    batch->message_count++;
    buffer_reserve(last_message(batch), QUORUM_REPLICATE_SIZE);
    buffer_commit(last_message(batch), QUORUM_REPLICATE_SIZE);
    batch->rows_from = 0;
}

struct batch *batch_new(struct quorum *quorum, const struct acks_owners *owners, uint16_t slot,
                        uint64_t now_ms)
{
    struct batch *batch = quorum->spare;
    if (batch) {
        quorum->spare = batch->chain;
        quorum->spare_count--;
    } else {
        batch = memory_zeroed(sizeof(*batch));
    }
    list_init(&batch->gating);
    list_init(&batch->parts);
    list_init(&batch->marks);
    list_append(&quorum->open, &batch->link);
    batch->chain = NULL;
    batch->group = NULL;
    batch->number = batch->work = quorum->number++;
    batch->gate = 0;
    batch->term = claim_term(quorum);
    batch->begun_ms = batch->progress_ms = now_ms;
    batch->slot = slot;
    batch->is_repair = batch->is_let_go = batch->is_touched = batch->is_settled = false;
    batch->firsts.count = 0;
    batch->total = 0;
    acks_init(&batch->acks, owners);
    for (unsigned i = 0; i < batch->acks.place_count; i++)
        batch->targets[i] = (struct target){.state = TARGET_NEW};
    begin_message(batch);
    return batch;
}

void batch_add_row(struct batch *batch, struct bytes name, struct bytes row, struct bytes ground,
                   bool is_long)
{
    if (is_long && ground.size == 0 && buffer_size(last_message(batch)) > QUORUM_MESSAGE_BYTES)
        begin_message(batch);
    if (ground.size > 0)
        import_add_ground(&batch->grounds, buffer_size(last_message(batch)) - QUORUM_REPLICATE_SIZE,
                          ground);
    row_list_append(last_message(batch), name, row);
}

struct bytes batch_rows(const struct batch *batch, uint32_t message)
{
    struct bytes rows = buffer_bytes(&batch->messages[message]);
    rows = bytes_of(rows.data + QUORUM_REPLICATE_SIZE, rows.size - QUORUM_REPLICATE_SIZE);
    if (message == batch->message_count - 1)
        rows.size -= buffer_size(&batch->grounds) + buffer_size(&batch->requests);
    return rows;
}

void batch_add_part(struct batch *batch, struct pending *pending, uint8_t level)
{
    struct part *part = &pending->first;
    if (part->pending) /* it is in use */
        part = memory_alloc(sizeof(*part));
    *part = (struct part){.pending = pending, .level = level};
    list_append(&batch->parts, &part->link);
    pending->open++;
}

static size_t batch_bytes(const struct batch *batch)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->message_count; i++)
        bytes += buffer_size(&batch->messages[i]);
    return bytes;
}

static struct batch **bucket_of(struct quorum *quorum, uint64_t number)
{
    return &quorum->buckets[number % BATCH_BUCKETS];
}

static void forget_messages(struct quorum *quorum, struct batch *batch)
{
    quorum->kept_bytes -= batch_bytes(batch);
    for (uint32_t i = 1; i < batch->message_count; i++)
        buffer_deinit(&batch->messages[i]);
    buffer_clear(&batch->messages[0], SPARE_MESSAGE_BYTES);
    batch->message_count = 0;
}

/* Nobody waits for it. */
void batch_free(struct quorum *quorum, struct batch *batch)
{
    check(list_is_empty(&batch->parts));
    batch_unmark(quorum, batch);
    struct batch **at = bucket_of(quorum, batch->number);
    while (*at && *at != batch)
        at = &(*at)->chain;
    if (*at) /* it was sent */
        *at = batch->chain;
    else
        quorum->kept_bytes += batch_bytes(batch);
    forget_messages(quorum, batch);
    list_remove(&batch->link);
    list_remove(&batch->gating);
    for (unsigned i = 0; i < batch->acks.holder_count; i++)
        memory_free(batch->targets[i].acked_set);
    buffer_clear(&batch->grounds, SPARE_MESSAGE_BYTES);
    buffer_clear(&batch->requests, SPARE_MESSAGE_BYTES);
    if (quorum->spare_count < SPARE_BATCHES_MAX) {
        batch->chain = quorum->spare;
        quorum->spare = batch;
        quorum->spare_count++;
        return;
    }
    buffer_deinit(&batch->messages[0]);
    buffer_deinit(&batch->grounds);
    buffer_deinit(&batch->requests);
    memory_free(batch->messages);
    memory_free(batch);
}

/* ---- to one node ----------------------------------------------------------------------------- */

static bool is_own(const struct quorum *quorum, const struct batch *batch, unsigned holder)
{
    return batch->acks.holders[holder].node == quorum->options.node;
}

static bool has_message(const struct target *target, uint32_t message)
{
    return target->acked_set && target->acked_set[message / 64] >> message % 64 & 1;
}

static bool send_message(struct quorum *quorum, struct batch *batch, uint64_t node, uint32_t index)
{
    struct buffer *message = &batch->messages[index];
    size_t grounds = index == batch->message_count - 1 ? buffer_size(&batch->grounds) : 0;
    struct quorum_ask ask = {quorum->layout->cluster, quorum->layout->version, batch->number};
    quorum_put_replicate(message->block + message->start, &ask, batch->term, index,
                         batch_rows(batch, index).size, grounds);
    quorum->stats.batches_out++;
    return outbox_send(&quorum->options.outbox, node, QUORUM_REPLICATE, buffer_bytes(message));
}

/* Sends what may go out now. */
static void push(struct quorum *quorum, struct batch *batch, unsigned holder, uint64_t now_ms)
{
    struct target *target = &batch->targets[holder];
    uint64_t node = batch->acks.holders[holder].node;
    target->state = TARGET_SENT;
    target->sent_ms = now_ms;
    while (target->sent < batch->message_count &&
           target->sent < target->acked + QUORUM_MESSAGES_AHEAD) {
        if (!has_message(target, target->sent) &&
            !send_message(quorum, batch, node, target->sent)) {
            target->state = TARGET_LOST;
            return;
        }
        target->sent++;
    }
}

/* Beginning anew. */
static void send_to(struct quorum *quorum, struct batch *batch, unsigned holder, uint64_t now_ms)
{
    struct target *target = &batch->targets[holder];
    target->sent_ms = now_ms;
    if (!quorum_is_up(quorum, batch->acks.holders[holder].node)) {
        target->state = TARGET_LOST;
        return;
    }
    target->sent = 0;
    target->speculated = false;
    push(quorum, batch, holder, now_ms);
}

/* ---- standing in ----------------------------------------------------------------------------- */

/* Somebody who was sent it for this place may still answer soon. */
static bool is_expected(const struct batch *batch, unsigned place)
{
    for (unsigned i = 0; i < batch->acks.holder_count; i++)
        if (batch->acks.holders[i].place == place && batch->targets[i].state == TARGET_SENT &&
            !batch->targets[i].speculated)
            return true;
    return false;
}

/* The next node of the ring that is up and has no part in it yet. */
static bool find_stand_in(struct quorum *quorum, struct batch *batch, unsigned place,
                          uint64_t *out_node)
{
    bool is_new = !(batch->acks.old >> place & 1);
    const struct ring *ring = is_new ? &quorum->layout->next : &quorum->layout->ring;
    if (ring->member_count < batch->acks.holder_count || ring->member_count == 0)
        return false; /* the common case of a small cluster: all are owners */
    bool *seen = memory_zeroed(ring->member_count * sizeof(*seen));
    uint32_t at = 0;
    bool found = false;
    while (!found && ring_next_stand_in(ring, batch->slot, &at, seen, out_node))
        found = *out_node != quorum->options.node && quorum_is_up(quorum, *out_node) &&
                !acks_find(&batch->acks, *out_node);
    memory_free(seen);
    return found;
}

/* Sees that somebody fills the place in the owner's stead, if that is needed and possible. True: it
 * is filled now. */
static bool fill(struct quorum *quorum, struct batch *batch, unsigned place, uint64_t now_ms)
{
    if (!quorum->options.sloppy || batch->is_repair || batch->is_let_go)
        return false;
    uint64_t node;
    while (!acks_is_filled(&batch->acks, place) && !is_expected(batch, place)) {
        if (acks_move_spare(&batch->acks, place))
            return true;
        if (!find_stand_in(quorum, batch, place, &node) ||
            !acks_stand_in(&batch->acks, place, node))
            return false;
        unsigned holder = batch->acks.holder_count - 1u;
        batch->targets[holder] = (struct target){.state = TARGET_NEW};
        send_to(quorum, batch, holder, now_ms);
        quorum->stats.hinted++;
    }
    return false;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Calls `missed` for heads of one slot, for each owner that has not confirmed. */
static void tell_slot(struct quorum *quorum, struct batch *batch, uint16_t slot, struct bytes heads)
{
    const struct quorum_options *options = &quorum->options;
    for (unsigned i = 0; heads.size > 0 && i < batch->acks.place_count; i++)
        if (!batch->acks.holders[i].confirmed && !is_own(quorum, batch, i))
            options->missed(options->context, batch->acks.holders[i].node, slot, heads);
}

static bool all_confirmed(const struct quorum *quorum, const struct batch *batch)
{
    for (unsigned i = 0; i < batch->acks.place_count; i++)
        if (!batch->acks.holders[i].confirmed && !is_own(quorum, batch, i))
            return false;
    return true;
}

static void tell_missed(struct quorum *quorum, struct batch *batch)
{
    if (all_confirmed(quorum, batch))
        return;
    struct buffer heads = {0};
    struct bytes last = BYTES(""); /* of them */
    uint16_t slot = 0;
    for (uint32_t i = 0; i < batch->message_count; i++) {
        struct bytes rest = batch_rows(batch, i), name, row, head;
        while (row_list_next(&rest, &name, &row)) {
            if (!quorum_head_of(name, &quorum->scratch, &head))
                continue;
            if (row_key_slot(head) != slot) {
                tell_slot(quorum, batch, slot, buffer_bytes(&heads));
                buffer_clear(&heads, SIZE_MAX);
            } else if (buffer_size(&heads) > 0 && bytes_equal(last, head)) {
                continue;
            }
            slot = row_key_slot(head);
            quorum_encode_head(&heads, head);
            last = bytes_of(buffer_bytes(&heads).data + buffer_size(&heads) - head.size, head.size);
        }
    }
    tell_slot(quorum, batch, slot, buffer_bytes(&heads));
    buffer_deinit(&heads);
}

/* What it has written may be read without asking; or, where it `failed`, it takes a comparison of
 * copies until it may. */
static void settle_slots(struct quorum *quorum, struct batch *batch, bool failed)
{
    const struct quorum_options *options = &quorum->options;
    unsigned last = SLOT_COUNT;
    if (batch->is_settled || batch->is_repair)
        return;
    batch->is_settled = true;
    for (uint32_t i = 0; i < batch->message_count; i++) {
        struct bytes rest = batch_rows(batch, i), name, row;
        quorum->claims +=
            failed && batch->term != 0; /* what was asked before may not have seen it */
        while (row_list_next(&rest, &name, &row)) {
            uint16_t slot = row_key_slot(name);
            lease_settled(quorum, slot);
            if (failed && slot != last)
                options->other_coordinator(options->context, slot);
            last = slot;
        }
    }
}

static void settle_if_enough(struct quorum *quorum, struct batch *batch)
{
    unsigned reached, needed;
    if (!batch->is_settled &&
        acks_enough(&batch->acks, quorum->options.write_quorum, &reached, &needed))
        settle_slots(quorum, batch, false);
}

/* An owner of a long write that goes on taking it has not missed it. */
static uint64_t kept_until_ms(const struct batch *batch)
{
    return (batch->total > 1 ? batch->progress_ms : batch->begun_ms) + QUORUM_KEPT_MS;
}

/* When who waits for it has waited in vain: so long nobody has got any of it. */
static uint64_t fails_at_ms(const struct quorum *quorum, const struct batch *batch)
{
    uint64_t further = batch->total > 1 ? batch->total - 1 : 0;
    return batch->progress_ms + quorum->options.timeout_ms + further * QUORUM_MESSAGE_MS;
}

/* Frees it when nothing is expected of it any more. */
static bool settle(struct quorum *quorum, struct batch *batch, uint64_t now_ms)
{
    if (!list_is_empty(&batch->parts))
        return false;
    bool late = batch->is_let_go || now_ms >= kept_until_ms(batch);
    for (unsigned i = 0; !late && i < batch->acks.place_count; i++) {
        enum target_state state = batch->targets[i].state;
        if (!is_own(quorum, batch, i) && (state == TARGET_NEW || state == TARGET_SENT))
            return false;
    }
    settle_slots(quorum, batch, true);
    if (!batch->is_let_go && !batch->is_repair)
        tell_missed(quorum, batch);
    batch_free(quorum, batch);
    return true;
}

/* Ends the parts that have what they need. True: the batch is gone. */
static bool progress(struct quorum *quorum, struct batch *batch, uint64_t now_ms)
{
    unsigned reached = 0, needed = 0;
    int level = -1; /* that was looked at last: mostly all have the same */
    bool enough = false;
    settle_if_enough(quorum, batch);
    for (struct list *link = batch->parts.next, *next; link != &batch->parts; link = next) {
        struct part *part = list_entry(link, struct part, link);
        next = link->next;
        if (part->level != level)
            enough = acks_enough(&batch->acks, part->level, &reached, &needed) ||
                     (MUTANT(one_acknowledgement_is_enough) && batch->acks.filled);
        level = part->level;
        if (enough)
            pending_part_done(quorum, part, STATUS_OK, reached, needed);
    }
    return settle(quorum, batch, now_ms);
}

static void time_out(struct quorum *quorum, struct batch *batch)
{
    unsigned reached, needed;
    while (!list_is_empty(&batch->parts)) {
        struct part *part = list_entry(batch->parts.next, struct part, link);
        (void)acks_enough(&batch->acks, part->level, &reached, &needed);
        pending_part_done(quorum, part, STATUS_ABSENT, reached, needed);
    }
}

/* The holder can't have it. */
static void replace(struct quorum *quorum, struct batch *batch, unsigned holder, uint64_t now_ms)
{
    if (batch->is_repair)
        time_out(quorum, batch);
    else if (!list_is_empty(&batch->parts))
        fill(quorum, batch, batch->acks.holders[holder].place, now_ms);
}

static bool is_all_sent(const struct quorum *quorum, const struct batch *batch)
{
    for (unsigned i = 0; i < batch->acks.place_count; i++)
        if (!is_own(quorum, batch, i) && batch->targets[i].state == TARGET_SENT &&
            batch->targets[i].sent < batch->message_count)
            return false;
    return true;
}

/* Too much is kept: the oldest batches lose their rows. */
static void let_go(struct quorum *quorum, uint64_t now_ms)
{
    unsigned looks = 0;
    for (struct list *link = quorum->sent.next, *next; link != &quorum->sent; link = next) {
        struct batch *batch = list_entry(link, struct batch, link);
        next = link->next;
        if (quorum->kept_bytes <= QUORUM_KEPT_BYTES || ++looks > LET_GO_LOOKS)
            return;
        if (batch->is_let_go || batch->is_repair || !is_all_sent(quorum, batch))
            continue;
        tell_missed(quorum, batch);
        settle_slots(quorum, batch, true);
        forget_messages(quorum, batch);
        batch->is_let_go = true;
        settle(quorum, batch, now_ms);
    }
}

void batch_send(struct quorum *quorum, struct batch *batch, uint64_t now_ms)
{
    struct batch **at = bucket_of(quorum, batch->number);
    batch->chain = *at;
    *at = batch;
    batch->group = NULL;
    list_remove(&batch->link);
    list_append(&quorum->sent, &batch->link);
    buffer_append_bytes(last_message(batch), buffer_bytes(&batch->grounds));
    buffer_append_bytes(last_message(batch), buffer_bytes(&batch->requests));
    batch->total = batch->message_count;
    quorum->kept_bytes += batch_bytes(batch);
    if (acks_find(&batch->acks, quorum->options.node))
        list_append(&quorum->gating, &batch->gating);
    unsigned places = batch->acks.place_count;
    for (unsigned i = 0; i < places; i++)
        if (!is_own(quorum, batch, i))
            send_to(quorum, batch, i, now_ms);
    for (unsigned i = 0; i < places; i++)
        if (batch->targets[i].state == TARGET_LOST)
            replace(quorum, batch, i, now_ms);
    quorum_wake(quorum, now_ms + QUORUM_SPECULATE_MS);
    if (quorum->kept_bytes > QUORUM_KEPT_BYTES)
        let_go(quorum, now_ms);
}

/* ---- events ---------------------------------------------------------------------------------- */

static struct batch *find_batch(struct quorum *quorum, uint64_t number)
{
    struct batch *batch = *bucket_of(quorum, number);
    while (batch && batch->number != number)
        batch = batch->chain;
    return batch;
}

struct batch *batch_find(struct quorum *quorum, uint64_t number)
{
    for (struct list *link = quorum->open.next; link != &quorum->open; link = link->next)
        if (list_entry(link, struct batch, link)->number == number)
            return list_entry(link, struct batch, link);
    return find_batch(quorum, number);
}

static void lost(struct quorum *quorum, struct batch *batch, unsigned holder,
                 enum target_state state, uint64_t now_ms)
{
    batch->targets[holder].state = state;
    batch->targets[holder].sent_ms = now_ms;
    replace(quorum, batch, holder, now_ms);
    progress(quorum, batch, now_ms);
}

/* Remembers that it has this message. False: it had said so. */
static bool has_now(struct batch *batch, struct target *target, uint32_t message)
{
    if (batch->total > 1) {
        size_t words = (batch->total + 63) / 64;
        if (!target->acked_set)
            target->acked_set = memory_zeroed(words * sizeof(*target->acked_set));
        if (has_message(target, message))
            return false;
        target->acked_set[message / 64] |= (uint64_t)1 << message % 64;
    }
    target->acked++;
    return true;
}

void batches_acked(struct quorum *quorum, struct peer *peer, const struct quorum_ack *ack,
                   uint64_t now_ms)
{
    struct batch *batch = find_batch(quorum, ack->number);
    struct acks_holder *found = batch ? acks_find(&batch->acks, peer->node) : NULL;
    if (!found)
        return;
    unsigned holder = (unsigned)(found - batch->acks.holders);
    struct target *target = &batch->targets[holder];
    if (target->state == TARGET_ACKED || ack->message >= target->sent)
        return;
    if (ack->failed && !MUTANT(failure_counted_as_acknowledgement)) {
        lost(quorum, batch, holder, TARGET_FAILED, now_ms);
        return;
    }
    if (!has_now(batch, target, ack->message))
        return;
    if (target->state == TARGET_SENT)
        answer_time_add(&peer->write, now_ms - target->sent_ms);
    batch->progress_ms = now_ms;
    if (target->acked < batch->total) {
        if (target->state == TARGET_SENT)
            push(quorum, batch, holder, now_ms);
        return;
    }
    target->state = TARGET_ACKED;
    acks_confirm(&batch->acks, peer->node);
    progress(quorum, batch, now_ms);
}

void batches_refused(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms)
{
    struct batch *batch = find_batch(quorum, number);
    struct acks_holder *holder = batch ? acks_find(&batch->acks, node) : NULL;
    if (holder && batch->targets[holder - batch->acks.holders].state == TARGET_SENT)
        lost(quorum, batch, (unsigned)(holder - batch->acks.holders), TARGET_LOST, now_ms);
}

/* Not even with all that may still confirm enough would have it. */
static bool is_hopeless(const struct quorum *quorum, const struct batch *batch)
{
    struct acks best = batch->acks;
    unsigned reached, needed;
    for (unsigned i = 0; i < best.place_count; i++)
        if (!batch->targets[i].fenced)
            acks_confirm(&best, best.holders[i].node);
    return !acks_enough(&best, quorum->options.write_quorum, &reached, &needed);
}

void batches_fenced(struct quorum *quorum, uint64_t node, uint64_t number, uint64_t now_ms)
{
    struct batch *batch = find_batch(quorum, number);
    struct acks_holder *holder = batch ? acks_find(&batch->acks, node) : NULL;
    unsigned at = holder ? (unsigned)(holder - batch->acks.holders) : 0;
    if (!holder || batch->targets[at].state != TARGET_SENT)
        return;
    batch->targets[at].fenced = true;
    if (is_hopeless(quorum, batch))
        time_out(quorum, batch);
    lost(quorum, batch, at, TARGET_FAILED, now_ms);
}

void batches_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms)
{
    for (struct list *link = quorum->sent.next, *next; link != &quorum->sent; link = next) {
        struct batch *batch = list_entry(link, struct batch, link);
        next = link->next;
        struct acks_holder *holder = acks_find(&batch->acks, node);
        if (holder && batch->targets[holder - batch->acks.holders].state == TARGET_SENT)
            lost(quorum, batch, (unsigned)(holder - batch->acks.holders), TARGET_LOST, now_ms);
    }
    quorum_wake(quorum, now_ms + QUORUM_RETRY_MS);
}

/* This node has it too. */
static void confirm_own(struct quorum *quorum, struct batch *batch, uint64_t now_ms)
{
    list_remove(&batch->gating);
    lease_count(quorum, &batch->firsts);
    acks_confirm(&batch->acks, quorum->options.node);
    progress(quorum, batch, now_ms);
}

static void confirm_withheld(struct quorum *quorum, uint64_t now_ms)
{
    struct list *withheld = &quorum->gating_withheld;
    for (struct list *link = withheld->next, *next; link != withheld; link = next) {
        struct batch *batch = list_entry(link, struct batch, gating);
        next = link->next;
        if (!lease_forbids(quorum, &batch->firsts))
            confirm_own(quorum, batch, now_ms);
    }
}

void batches_gates(struct quorum *quorum, uint64_t now_ms)
{
    confirm_withheld(quorum, now_ms);
    while (!list_is_empty(&quorum->gating)) {
        struct batch *batch = list_entry(quorum->gating.next, struct batch, gating);
        if (!store_gate_passed(quorum->options.store, batch->gate))
            return;
        if (!lease_forbids(quorum, &batch->firsts)) {
            confirm_own(quorum, batch, now_ms);
            continue;
        }
        list_remove(&batch->gating);
        list_append(&quorum->gating_withheld, &batch->gating);
        quorum->stats.withheld++;
    }
}

/* What of one target is due: it is slow, or may be tried again. Returns when to look again. */
static uint64_t look_at(struct quorum *quorum, struct batch *batch, unsigned holder,
                        uint64_t now_ms)
{
    struct target *target = &batch->targets[holder];
    unsigned place = batch->acks.holders[holder].place;
    uint64_t node = batch->acks.holders[holder].node;
    if (is_own(quorum, batch, holder) || acks_is_filled(&batch->acks, place) || target->fenced)
        return UINT64_MAX;
    if (target->state == TARGET_SENT && !target->speculated) {
        uint64_t due_ms = target->sent_ms + answer_time_patience(&quorum_peer(quorum, node)->write,
                                                                 QUORUM_SPECULATE_MS,
                                                                 quorum->options.timeout_ms / 2);
        if (now_ms < due_ms)
            return due_ms;
        target->speculated = true;
        quorum->stats.speculated++;
        fill(quorum, batch, place, now_ms);
    } else if (target->state == TARGET_LOST || target->state == TARGET_FAILED) {
        if (now_ms < target->sent_ms + QUORUM_RETRY_MS)
            return target->sent_ms + QUORUM_RETRY_MS;
        target->sent_ms = now_ms;
        if (holder < batch->acks.place_count && !batch->is_let_go)
            send_to(quorum, batch, holder, now_ms);
        fill(quorum, batch, place, now_ms);
    }
    return now_ms + QUORUM_RETRY_MS;
}

void batches_tick(struct quorum *quorum, uint64_t now_ms)
{
    for (struct list *link = quorum->sent.next, *next; link != &quorum->sent; link = next) {
        struct batch *batch = list_entry(link, struct batch, link);
        next = link->next;
        if (now_ms >= fails_at_ms(quorum, batch))
            time_out(quorum, batch);
        bool waits = !list_is_empty(&batch->parts);
        uint64_t due_ms = waits ? fails_at_ms(quorum, batch) : kept_until_ms(batch);
        for (unsigned i = 0; waits && i < batch->acks.holder_count; i++) {
            uint64_t at_ms = look_at(quorum, batch, i, now_ms);
            due_ms = at_ms < due_ms ? at_ms : due_ms;
        }
        if (!progress(quorum, batch, now_ms))
            quorum_wake(quorum, due_ms);
    }
}
