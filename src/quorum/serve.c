/* SPDX-License-Identifier: MIT */
/* What others ask of this node's rows: digests, the rows themselves, what became of a request. */
#include "base/memory.h"
#include "quorum/quorum_state.h"

enum { ANSWERS_BYTES = 64 * 1024 }; /* of one message of digests */

/* A question that waits for the store. */
struct serving {
    struct list link;
    struct quorum *quorum;
    struct export *export;
    uint64_t from, number;
    uint64_t holders[RING_COPIES_MAX]; /* of a claim */
    unsigned holder_count;
};

static void send(struct quorum *quorum, uint64_t to, unsigned type, struct buffer *out)
{
    outbox_send(&quorum->options.outbox, to, type, buffer_bytes(out));
    buffer_deinit(out);
}

static struct serving *serving_new(struct quorum *quorum, uint64_t from, uint64_t number)
{
    if (quorum->serving_count >= QUORUM_SERVING_MAX)
        return NULL;
    struct serving *serving = memory_alloc(sizeof(*serving));
    *serving = (struct serving){.quorum = quorum, .from = from, .number = number};
    list_append(&quorum->serving, &serving->link);
    quorum->serving_count++;
    return serving;
}

static void serving_free(struct serving *serving)
{
    serving->quorum->serving_count--;
    list_remove(&serving->link);
    memory_free(serving);
}

void serve_deinit(struct quorum *quorum)
{
    while (!list_is_empty(&quorum->serving)) {
        struct serving *serving = list_entry(quorum->serving.next, struct serving, link);
        export_cancel(serving->export);
        serving_free(serving);
    }
}

/* ---- digests --------------------------------------------------------------------------------- */

static void send_answers(struct quorum *quorum, struct peer *peer)
{
    if (buffer_size(&peer->answers) == 0)
        return;
    outbox_send(&quorum->options.outbox, peer->node, QUORUM_VERIFIED, buffer_bytes(&peer->answers));
    buffer_clear(&peer->answers, ANSWERS_BYTES);
}

void serve_send(struct quorum *quorum)
{
    if (!quorum->has_answers)
        return;
    quorum->has_answers = false;
    for (uint32_t i = 0; i < quorum->peer_count; i++)
        send_answers(quorum, quorum->peers[i]);
}

/* It goes out at the end of the turn. */
static void send_verified(struct quorum *quorum, uint64_t to, uint64_t number, bool failed,
                          struct quorum_numbers digests, struct quorum_numbers holders)
{
    struct peer *peer = quorum_peer(quorum, to);
    quorum_encode_verified(&peer->answers, number, failed, digests, holders);
    quorum->has_answers = true;
    if (buffer_size(&peer->answers) >= ANSWERS_BYTES)
        send_answers(quorum, peer);
}

static void digests_done(void *context, enum status status, const uint64_t *digests, size_t count)
{
    struct serving *serving = context;
    struct quorum_numbers own = {digests, status == STATUS_OK ? count : 0};
    struct quorum_numbers holders = {serving->holders, serving->holder_count};
    send_verified(serving->quorum, serving->from, serving->number, status != STATUS_OK, own,
                  holders);
    serving_free(serving);
}

static void serve_question(struct quorum *quorum, uint64_t from,
                           const struct quorum_question *question, uint64_t term, uint64_t now_ms)
{
    struct serving *serving = serving_new(quorum, from, question->number);
    struct quorum_numbers none = {0};
    uint16_t slot;
    if (!serving) {
        send_verified(quorum, from, question->number, true, none, none);
        return;
    }
    if (term != 0)
        serving->holder_count = claim_holders(quorum, from, question->heads, serving->holders);
    if (!claim_grants(quorum, from, term, question->heads, &slot)) {
        claim_refuse(quorum, from, QUORUM_VERIFY, question->number, slot);
        serving_free(serving);
        return;
    }
    struct export *export =
        export_digests(quorum->options.store, question->heads, now_ms, digests_done, serving);
    if (export)
        serving->export = export;
}

/* To answer is to confirm what the keys are (lease.h). */
static bool has_to_wait(struct quorum *quorum, uint64_t from, struct unpack in,
                        struct bytes payload)
{
    struct lease_firsts firsts = {0};
    struct quorum_question question;
    while (quorum_next_question(&in, &question))
        lease_add_firsts_of(quorum, &firsts, question.heads, from);
    return lease_holds_back(quorum, &firsts, from, QUORUM_VERIFY, payload);
}

enum status serve_verify(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask,
                         bool accepted, struct bytes payload, uint64_t now_ms)
{
    struct unpack start = unpack_begin(payload), *in = &start;
    struct quorum_question question;
    (void)unpack_bytes(in, QUORUM_ASK_SIZE);
    if (accepted && has_to_wait(quorum, from, start, payload))
        return STATUS_OK;
    while (quorum_next_question(in, &question)) {
        if (!accepted || !fence_accepts_heads(quorum, ask->version, question.heads))
            quorum_refuse(quorum, from, QUORUM_VERIFY, question.number);
        else
            serve_question(quorum, from, &question, ask->number, now_ms);
    }
    return in->failed ? STATUS_CORRUPT : STATUS_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void send_rows(struct quorum *quorum, uint64_t to, uint64_t number, enum status status,
                      struct bytes rows, struct export_place next)
{
    struct quorum_key_rows_are are = {number, status != STATUS_OK, next, rows};
    struct buffer out = {0};
    if (are.failed)
        are.rows = BYTES("");
    quorum_encode_key_rows_are(&out, &are);
    send(quorum, to, QUORUM_KEY_ROWS_ARE, &out);
}

static void rows_done(void *context, enum status status, struct bytes rows,
                      struct export_place next)
{
    struct serving *serving = context;
    send_rows(serving->quorum, serving->from, serving->number, status, rows, next);
    serving_free(serving);
}

enum status serve_key_rows(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask,
                           struct unpack *in, uint64_t now_ms)
{
    struct export_place place;
    struct bytes heads;
    if (!quorum_decode_key_rows(in, &place, &heads))
        return STATUS_CORRUPT;
    if (!fence_accepts_heads(quorum, ask->version, heads)) {
        quorum_refuse(quorum, from, QUORUM_KEY_ROWS, ask->number);
        return STATUS_OK;
    }
    struct serving *serving = serving_new(quorum, from, ask->number);
    if (!serving) {
        send_rows(quorum, from, ask->number, STATUS_THROTTLED, BYTES(""), place);
        return STATUS_OK;
    }
    struct export *export = export_rows(quorum->options.store, heads, place, QUORUM_MESSAGE_BYTES,
                                        now_ms, rows_done, serving);
    if (export)
        serving->export = export;
    return STATUS_OK;
}

/* ---- outcomes -------------------------------------------------------------------------------- */

void outcomes_look_up(struct quorum *quorum, struct request_id id, struct quorum_outcome_is *is,
                      struct buffer *heads, uint64_t now_ms)
{
    const struct outcome_record *record = NULL;
    size_t count = 0;
    bool is_whole = true; /* else its rows can't be told */
    while ((record = outcomes_find(&quorum->outcomes, id, record, now_ms))) {
        bool passed = store_gate_passed(quorum->options.store, record->gate);
        if (is->known == OUTCOME_UNKNOWN)
            is->known = OUTCOME_DURABLE;
        if (!passed)
            is->known = OUTCOME_KNOWN;
        if (is->reply.size == 0)
            is->reply = outcome_reply(record);
        struct bytes more = outcome_heads(record);
        size_t more_count = quorum_count_heads(more);
        count += more_count;
        is_whole = is_whole && more_count > 0 && count <= QUORUM_KEYS_MAX &&
                   buffer_size(heads) + more.size <= QUORUM_MESSAGE_BYTES;
        if (is_whole)
            buffer_append_bytes(heads, more);
    }
    is->heads = is_whole ? buffer_bytes(heads) : BYTES("");
}

enum status serve_outcome(struct quorum *quorum, uint64_t from, const struct quorum_ask *ask,
                          struct bytes payload, uint64_t now_ms)
{
    struct unpack in = unpack_begin(payload);
    struct lease_firsts firsts = {0};
    struct request_id id;
    uint16_t slot;
    (void)unpack_bytes(&in, QUORUM_ASK_SIZE);
    if (!quorum_decode_outcome(&in, &id, &slot))
        return STATUS_CORRUPT;
    if (!fence_accepts(quorum, ask->version, slot)) {
        quorum_refuse(quorum, from, QUORUM_OUTCOME, ask->number);
        return STATUS_OK;
    }
    lease_add_first(quorum, &firsts, slot, from);
    if (lease_holds_back(quorum, &firsts, from, QUORUM_OUTCOME, payload))
        return STATUS_OK;
    struct quorum_outcome_is is = {.number = ask->number};
    struct buffer heads = {0}, out = {0};
    outcomes_look_up(quorum, id, &is, &heads, now_ms);
    quorum_encode_outcome_is(&out, &is);
    send(quorum, from, QUORUM_OUTCOME_IS, &out);
    buffer_deinit(&heads);
    return STATUS_OK;
}
