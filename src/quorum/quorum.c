/* SPDX-License-Identifier: MIT */
#include "quorum/quorum.h"

#include "base/check.h"
#include "base/memory.h"
#include "quorum/quorum_state.h"
#include "row/row_list.h"

enum { SCRATCH_KEPT = 64 * 1024 };

/* ---- life ------------------------------------------------------------------------------------ */

struct quorum *quorum_new(const struct quorum_options *options)
{
    struct quorum *quorum = memory_zeroed(sizeof(*quorum));
    quorum->options = *options;
    quorum->random.state = options->random;
    /* Answers to what an earlier process of this node has asked are not to fit. */
    quorum->number = random_next(&quorum->random) >> 1;
    quorum->next_ms = UINT64_MAX;
    quorum->claims = 1;
    struct list *heads[] = {&quorum->open,
                            &quorum->sent,
                            &quorum->gating,
                            &quorum->spare_pendings,
                            &quorum->finished,
                            &quorum->importing,
                            &quorum->imported,
                            &quorum->serving,
                            &quorum->verifications,
                            &quorum->verify_next,
                            &quorum->verified,
                            &quorum->outcomes_asked,
                            &quorum->outcomes_found,
                            &quorum->gating_withheld,
                            &quorum->withheld,
                            &quorum->verify_withheld,
                            &quorum->questions_waiting,
                            &quorum->covers};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        list_init(heads[i]);
    outcomes_init(&quorum->outcomes, QUORUM_OUTCOMES_BYTES);
    return quorum;
}

static void forget_groups(struct quorum *quorum)
{
    for (uint32_t i = 0; i < quorum->group_count; i++)
        memory_free(quorum->groups[i]);
    quorum->group_count = 0;
    memset(quorum->group_of, 0, sizeof(quorum->group_of));
}

static void free_batches(struct quorum *quorum, struct list *batches)
{
    while (!list_is_empty(batches)) {
        struct batch *batch = list_entry(batches->next, struct batch, link);
        while (!list_is_empty(&batch->parts))
            pending_part_done(quorum, list_entry(batch->parts.next, struct part, link),
                              STATUS_ABSENT, 0, 0);
        batch_free(quorum, batch);
    }
}

static void free_spares(struct quorum *quorum)
{
    while (quorum->spare) {
        struct batch *batch = quorum->spare;
        quorum->spare = batch->chain;
        buffer_deinit(&batch->messages[0]);
        buffer_deinit(&batch->grounds);
        buffer_deinit(&batch->requests);
        memory_free(batch->messages);
        memory_free(batch);
    }
    struct list *lists[] = {&quorum->spare_pendings, &quorum->finished};
    for (int i = 0; i < 2; i++)
        while (!list_is_empty(lists[i])) {
            struct list *link = lists[i]->next;
            list_remove(link);
            memory_free(list_entry(link, struct pending, link));
        }
}

void quorum_free(struct quorum *quorum)
{
    if (!quorum)
        return;
    outcomes_asked_deinit(quorum);
    verifications_deinit(quorum);
    serve_deinit(quorum);
    replica_deinit(quorum);
    covers_deinit(quorum);
    leases_deinit(quorum);
    free_batches(quorum, &quorum->open);
    free_batches(quorum, &quorum->sent);
    free_spares(quorum);
    forget_groups(quorum);
    memory_free(quorum->groups);
    memory_free(quorum->touched);
    for (uint32_t i = 0; i < quorum->peer_count; i++) {
        buffer_deinit(&quorum->peers[i]->acks);
        buffer_deinit(&quorum->peers[i]->questions);
        buffer_deinit(&quorum->peers[i]->answers);
        memory_free(quorum->peers[i]);
    }
    memory_free(quorum->peers);
    outcomes_deinit(&quorum->outcomes);
    buffer_deinit(&quorum->scratch);
    buffer_deinit(&quorum->heads);
    buffer_deinit(&quorum->dots);
    memory_free(quorum);
}

void quorum_set_layout(struct quorum *quorum, const struct layout *layout, uint64_t now_ms)
{
    bool is_other = quorum->layout != NULL;
    if (is_other)
        writes_send(quorum, now_ms); /* the rows of this turn, as they were meant */
    forget_groups(quorum);
    quorum->layout = layout;
    leases_set_layout(quorum, !is_other, now_ms);
    if (!is_other)
        return;
    quorum->now_ms = now_ms;
    claims_begin_anew(quorum);
    replica_fence(quorum);
    writes_move(quorum, now_ms);
    verifications_restart(quorum, now_ms);
    outcomes_restart(quorum, now_ms);
}

/* ---- what barriers wait for ------------------------------------------------------------------ */

uint64_t quorum_work_begun(const struct quorum *quorum)
{
    return quorum->number;
}

/* Numbers are given as things begin, and batches are kept in about that order: while one is left it
 * is found early. */
bool quorum_work_ended(const struct quorum *quorum, uint64_t mark)
{
    const struct list *lists[] = {&quorum->sent, &quorum->open};
    for (int i = 0; i < 2; i++)
        for (struct list *link = lists[i]->next; link != lists[i]; link = link->next) {
            const struct batch *batch = list_entry(link, struct batch, link);
            if (batch->work < mark && batch->message_count > 0)
                return false;
        }
    return verifications_ended(quorum, mark) && outcomes_ended(quorum, mark) &&
           covers_ended(quorum, mark);
}

void quorum_set_numbers(struct quorum *quorum, unsigned read_quorum, unsigned write_quorum,
                        bool sloppy)
{
    quorum->options.read_quorum = read_quorum;
    quorum->options.write_quorum = write_quorum;
    quorum->options.sloppy = sloppy;
    if (quorum->layout)
        claims_begin_anew(quorum);
}

/* ---- what all share -------------------------------------------------------------------------- */

static uint32_t peer_place(const struct quorum *quorum, uint64_t node)
{
    uint32_t low = 0, high = quorum->peer_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (quorum->peers[middle]->node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct peer *quorum_peer(struct quorum *quorum, uint64_t node)
{
    uint32_t at = peer_place(quorum, node);
    if (at < quorum->peer_count && quorum->peers[at]->node == node)
        return quorum->peers[at];
    if (quorum->peer_count == quorum->peer_room) {
        quorum->peer_room = quorum->peer_room ? 2 * quorum->peer_room : 8;
        quorum->peers = memory_resize(quorum->peers, quorum->peer_room * sizeof(*quorum->peers));
    }
    memmove(&quorum->peers[at + 1], &quorum->peers[at],
            (quorum->peer_count - at) * sizeof(*quorum->peers));
    quorum->peer_count++;
    struct peer *peer = memory_zeroed(sizeof(*peer));
    peer->node = node;
    /* Not as in an earlier process: what was counted then is not known. */
    peer->lease.confirmations = random_next(&quorum->random);
    return quorum->peers[at] = peer;
}

static void sort_nodes(uint64_t *nodes, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        for (unsigned j = i; j > 0 && nodes[j] < nodes[j - 1]; j--) {
            uint64_t node = nodes[j];
            nodes[j] = nodes[j - 1];
            nodes[j - 1] = node;
        }
}

static struct owners_group *add_group(struct quorum *quorum, const struct placement *placement,
                                      const struct acks_owners *owners, uint64_t hash)
{
    if (quorum->group_count == quorum->group_room) {
        quorum->group_room = quorum->group_room ? 2 * quorum->group_room : 16;
        quorum->groups =
            memory_resize(quorum->groups, quorum->group_room * sizeof(*quorum->groups));
    }
    struct owners_group *group = memory_zeroed(sizeof(*group));
    group->owners = *owners;
    group->hash = hash;
    unsigned count;
    const uint64_t *readers = placement_readers(placement, &count);
    group->readers.old_count = (uint8_t)count;
    memcpy(group->readers.old, readers, count * sizeof(*readers));
    sort_nodes(group->readers.old, count);
    if (placement->phase == LAYOUT_WRITING_BOTH && placement_moves(placement)) {
        group->readers.new_count = owners->new_count;
        memcpy(group->readers.new, owners->new, sizeof(owners->new));
    }
    for (unsigned i = 0; i < count; i++)
        group->reads = group->reads || readers[i] == quorum->options.node;
    return quorum->groups[quorum->group_count++] = group;
}

struct owners_group *quorum_group(struct quorum *quorum, uint16_t slot)
{
    if (quorum->group_of[slot] > 0)
        return quorum->groups[quorum->group_of[slot] - 1];
    struct placement placement;
    layout_placement(quorum->layout, slot, &placement);
    struct acks_owners owners;
    memset(&owners, 0, sizeof(owners)); /* its padding too, for the hash */
    owners.old_count = (uint8_t)placement.old_count;
    owners.new_count = (uint8_t)placement.new_count;
    memcpy(owners.old, placement.old, placement.old_count * sizeof(owners.old[0]));
    memcpy(owners.new, placement.new, placement.new_count * sizeof(owners.new[0]));
    sort_nodes(owners.old, owners.old_count);
    sort_nodes(owners.new, owners.new_count);
    uint64_t hash = xxh64(bytes_of(&owners, sizeof(owners)));
    uint32_t i = 0;
    while (i < quorum->group_count &&
           (quorum->groups[i]->hash != hash ||
            memcmp(&quorum->groups[i]->owners, &owners, sizeof(owners)) != 0))
        i++;
    if (i == quorum->group_count)
        add_group(quorum, &placement, &owners, hash);
    quorum->group_of[slot] = (uint16_t)(i + 1);
    const struct acks_owners *sorted = &quorum->groups[i]->readers;
    unsigned count;
    const uint64_t *readers = placement_readers(&placement, &count);
    quorum->first_of[slot] = 0;
    while (count > 0 && sorted->old[quorum->first_of[slot]] != readers[0])
        quorum->first_of[slot]++;
    return quorum->groups[i];
}

bool quorum_same_owners(struct quorum *quorum, uint16_t a, uint16_t b)
{
    return a == b || quorum_group(quorum, a) == quorum_group(quorum, b);
}

uint64_t quorum_first(struct quorum *quorum, uint16_t slot)
{
    const struct acks_owners *readers = &quorum_group(quorum, slot)->readers;
    return readers->old_count > 0 ? readers->old[quorum->first_of[slot]] : 0;
}

struct quorum_ask quorum_ask_next(struct quorum *quorum)
{
    return (struct quorum_ask){quorum->layout->cluster, quorum->layout->version, quorum->number++};
}

bool quorum_head_of(struct bytes name, struct buffer *scratch, struct bytes *out_head)
{
    *out_head = name;
    if (row_key_is_head(name))
        return true;
    if (name.size < ROW_KEY_PREFIX_SIZE + ROW_KEY_CHUNK_SUBKEY_SIZE)
        return false;
    buffer_clear(scratch, SCRATCH_KEPT);
    buffer_append(scratch, name.data, name.size - ROW_KEY_CHUNK_SUBKEY_SIZE);
    scratch->block[scratch->end - 1] = ROW_HEAD;
    *out_head = buffer_bytes(scratch);
    return row_key_is_head(*out_head);
}

struct bytes quorum_heads_of(struct quorum *quorum, struct bytes rows)
{
    struct buffer *heads = &quorum->heads;
    struct bytes name, row, head;
    size_t last_size = 0;
    buffer_clear(heads, SCRATCH_KEPT);
    while (row_list_next(&rows, &name, &row)) {
        if (!quorum_head_of(name, &quorum->scratch, &head))
            continue;
        struct bytes all = buffer_bytes(heads);
        if (last_size > 0 &&
            bytes_equal(bytes_of(all.data + all.size - last_size, last_size), head))
            continue;
        quorum_encode_head(heads, head);
        last_size = head.size;
    }
    return buffer_bytes(heads);
}

/* ---- messages -------------------------------------------------------------------------------- */

void quorum_refuse(struct quorum *quorum, uint64_t from, unsigned type, uint64_t number)
{
    const struct layout *layout = quorum->layout;
    struct quorum_refused refused = {
        {layout ? layout->cluster : 0, layout ? layout->version : 0, number}, type, 0};
    struct buffer out = {0};
    quorum_encode_refused(&out, &refused);
    outbox_send(&quorum->options.outbox, from, QUORUM_REFUSED, buffer_bytes(&out));
    buffer_deinit(&out);
    quorum->stats.refused_layout++;
}

/* Whether the sender's layout is this node's or a neighbour of it: then the slots decide (fence.c).
 * Whoever is behind learns of it. */
static bool may_accept(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask)
{
    const struct layout *layout = quorum->layout;
    if (layout && layout->cluster == ask->cluster && layout->version == ask->version)
        return true;
    const struct quorum_options *options = &quorum->options;
    options->other_layout(options->context, from, ask->cluster, ask->version);
    return layout && layout->cluster == ask->cluster &&
           (layout->version + 1 == ask->version || ask->version + 1 == layout->version);
}

static enum status receive_ask(struct quorum *quorum, uint64_t from, unsigned type,
                               struct bytes payload, uint64_t now_ms)
{
    struct unpack begin = unpack_begin(payload), *in = &begin;
    struct quorum_ask ask;
    if (!quorum_decode_ask(in, &ask))
        return STATUS_CORRUPT;
    bool accepted = may_accept(quorum, from, &ask);
    if (type == QUORUM_VERIFY)
        return serve_verify(quorum, from, &ask, accepted, payload, now_ms);
    if (!accepted) {
        quorum_refuse(quorum, from, type, ask.number);
        return STATUS_OK;
    }
    if (type == QUORUM_REPLICATE)
        return replica_replicate(quorum, from, &ask, in, now_ms);
    if (type == QUORUM_KEY_ROWS)
        return serve_key_rows(quorum, from, &ask, in, now_ms);
    if (type == QUORUM_LEASE)
        return lease_asked(quorum, from, &ask, now_ms);
    return serve_outcome(quorum, from, &ask, payload, now_ms);
}

static enum status receive_acks(struct quorum *quorum, struct peer *peer, struct unpack *in,
                                uint64_t now_ms)
{
    struct quorum_ack ack;
    while (quorum_next_ack(in, &ack))
        batches_acked(quorum, peer, &ack, now_ms);
    return in->failed ? STATUS_CORRUPT : STATUS_OK;
}

static enum status receive_verified(struct quorum *quorum, struct peer *peer, struct unpack *in,
                                    uint64_t now_ms)
{
    struct quorum_verified verified;
    while (quorum_next_verified(in, &verified))
        verifications_verified(quorum, peer, &verified, now_ms);
    return in->failed ? STATUS_CORRUPT : STATUS_OK;
}

static enum status receive_refused(struct quorum *quorum, uint64_t from, struct unpack *in,
                                   uint64_t now_ms)
{
    struct quorum_refused refused;
    if (!quorum_decode_refused(in, &refused))
        return STATUS_CORRUPT;
    const struct quorum_options *options = &quorum->options;
    if (refused.term == 0) {
        options->other_layout(options->context, from, refused.ask.cluster, refused.ask.version);
        quorum->stats.refused_layout++;
    } else {
        quorum->now_ms = now_ms;
        claim_lost(quorum, refused.term);
    }
    if (refused.type == QUORUM_REPLICATE && refused.term != 0)
        batches_fenced(quorum, from, refused.ask.number, now_ms);
    else if (refused.type == QUORUM_REPLICATE)
        batches_refused(quorum, from, refused.ask.number, now_ms);
    verifications_refused(quorum, from, refused.ask.number, now_ms);
    outcomes_lost(quorum, from, refused.ask.number, now_ms);
    return STATUS_OK;
}

static enum status receive_answer(struct quorum *quorum, uint64_t from, unsigned type,
                                  struct unpack *in, uint64_t now_ms)
{
    struct peer *peer = quorum_peer(quorum, from);
    struct quorum_key_rows_are are;
    struct quorum_outcome_is is;
    struct quorum_leased leased;
    if (type == QUORUM_REPLICATED)
        return receive_acks(quorum, peer, in, now_ms);
    if (type == QUORUM_VERIFIED)
        return receive_verified(quorum, peer, in, now_ms);
    if (type == QUORUM_REFUSED)
        return receive_refused(quorum, from, in, now_ms);
    if (type == QUORUM_LEASED && quorum_decode_leased(in, &leased))
        lease_heard(quorum, peer, &leased);
    else if (type == QUORUM_OUTCOME_IS && quorum_decode_outcome_is(in, &is))
        outcomes_answered(quorum, peer, &is, now_ms);
    else if (type == QUORUM_KEY_ROWS_ARE && quorum_decode_key_rows_are(in, &are)) {
        if (!outcomes_rows(quorum, peer, &are, now_ms))
            verifications_rows(quorum, peer, &are, now_ms);
    } else {
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

enum status quorum_receive(struct quorum *quorum, uint64_t from, unsigned type,
                           struct bytes payload, uint64_t now_ms)
{
    struct unpack in = unpack_begin(payload);
    quorum->now_ms = now_ms;
    switch (type) {
    case QUORUM_REPLICATE:
    case QUORUM_VERIFY:
    case QUORUM_KEY_ROWS:
    case QUORUM_OUTCOME:
    case QUORUM_LEASE:
        return receive_ask(quorum, from, type, payload, now_ms);
    case QUORUM_REPLICATED:
    case QUORUM_VERIFIED:
    case QUORUM_KEY_ROWS_ARE:
    case QUORUM_OUTCOME_IS:
    case QUORUM_LEASED:
    case QUORUM_REFUSED:
        return receive_answer(quorum, from, type, &in, now_ms);
    default: /* a newer node may say more */
        return STATUS_OK;
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

void quorum_node_down(struct quorum *quorum, uint64_t node, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    batches_node_down(quorum, node, now_ms);
    verifications_node_down(quorum, node, now_ms);
    outcomes_lost(quorum, node, 0, now_ms);
    leases_node_down(quorum, node);
}

void quorum_node_ended(struct quorum *quorum, uint64_t node, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    leases_node_ended(quorum, node);
    quorum_wake(quorum, now_ms);
}

void quorum_turn_end(struct quorum *quorum, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    writes_send(quorum, now_ms);
    leases_ask(quorum, now_ms);
    leases_release(quorum, now_ms);
    verifications_begin(quorum, now_ms);
    verifications_send(quorum);
    serve_send(quorum);
    batches_gates(quorum, now_ms);
    replica_gates(quorum);
    writes_finish(quorum);
    verifications_finish(quorum);
    outcomes_finish(quorum);
}

void quorum_tick(struct quorum *quorum, uint64_t now_ms)
{
    if (now_ms < quorum->next_ms)
        return;
    quorum->next_ms = UINT64_MAX;
    quorum->now_ms = now_ms;
    batches_tick(quorum, now_ms);
    verifications_tick(quorum, now_ms);
    outcomes_tick(quorum, now_ms);
}

uint64_t quorum_deadline_ms(const struct quorum *quorum)
{
    bool is_due = !list_is_empty(&quorum->finished) || !list_is_empty(&quorum->verified) ||
                  !list_is_empty(&quorum->outcomes_found) || !list_is_empty(&quorum->open) ||
                  !list_is_empty(&quorum->verify_next) || quorum->has_questions ||
                  quorum->has_answers || quorum->leases_wanted;
    return is_due ? 0 : quorum->next_ms;
}

void quorum_stats(const struct quorum *quorum, struct quorum_stats *out)
{
    *out = quorum->stats;
}
